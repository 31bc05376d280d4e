/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An epoch with a parent inside the vault: holders of the parent deal their
 * part of the key to the new members (begin, deal), who end with a PREPARED
 * share of the same key (finish). Refresh and repair are this run with the
 * parent's own members. The parent's group is never believed: all its members
 * have voted for it, under the identities of the roster, and its verifying
 * shares lie on one polynomial.
 */
#include "vault/inner.h"

#include <string.h>

#include "base/hash.h"
#include "base/rand.h"
#include "base/secret.h"

/* ---- runs under way ---------------------------------------------------- */

static void run_free(struct vault_reshare *d)
{
    if (!d)
        return;
    free(d->more);
    secret_free(d);
}

void vault_reshare_drop_all(struct vault_core *core)
{
    for (unsigned i = 0; i < VAULT_MAX_RESHARES; i++) {
        run_free(core->reshare[i]);
        core->reshare[i] = NULL;
    }
}

void vault_reshare_drop_before(struct vault_core *core, const uint8_t key[32],
                               uint64_t epoch)
{
    for (unsigned i = 0; i < VAULT_MAX_RESHARES; i++) {
        struct vault_reshare *d = core->reshare[i];
        if (!d || d->more->parent >= epoch ||
            memcmp(d->more->key, key, 32) != 0)
            continue;
        run_free(d);
        core->reshare[i] = NULL;
    }
}

static enum rc run_find(struct vault_reshare ***out, struct vault_core *core,
                        const uint8_t session[32], uint64_t epoch)
{
    for (unsigned i = 0; i < VAULT_MAX_RESHARES; i++) {
        const struct vault_reshare *d = core->reshare[i];
        if (d && d->more->epoch == epoch &&
            memcmp(d->more->session, session, 32) == 0) {
            *out = &core->reshare[i];
            return RC_OK;
        }
    }
    return rc_raise(RC_UNKNOWN, "epoch: no such run under way");
}

/* A free place, or that of the oldest, which is dropped. */
static struct vault_reshare **run_place(struct vault_core *core)
{
    struct vault_reshare **oldest = &core->reshare[0];
    for (unsigned i = 0; i < VAULT_MAX_RESHARES; i++) {
        if (!core->reshare[i])
            return &core->reshare[i];
        if (core->reshare[i]->serial < (*oldest)->serial)
            oldest = &core->reshare[i];
    }
    run_free(*oldest);
    *oldest = NULL;
    return oldest;
}

/* ---- begin: the terms -------------------------------------------------- */

static enum rc receivers_check(bool *ours, const struct vault_core *core,
                               const struct vault_epoch_terms *t)
{
    const struct tlog_roster_node *node;
    *ours = false;
    if (t->t < 2 || t->n < t->t)
        return rc_raise(RC_ARG, "epoch: threshold %u of %u", t->t, t->n);
    for (unsigned i = 0; i < t->n; i++) {
        if (i > 0 && t->ids[i] <= t->ids[i - 1])
            return rc_raise(RC_ARG, "epoch: node ids do not ascend");
        TRY(vault_roster_node(&node, core, t->ids[i]));
        *ours = *ours || t->ids[i] == core->node;
    }
    return RC_OK;
}

static bool voted(const struct vault_epoch_terms *t, uint16_t id)
{
    for (unsigned i = 0; i < t->n_votes; i++)
        if (t->votes[i].node == id)
            return true;
    return false;
}

/* Of the parent, enough, each at a node of its own. */
static enum rc dealers_check(const struct vault_core *core,
                             const struct vault_epoch_terms *t)
{
    const struct tlog_roster_node *node;
    if (t->n_dealers < t->parent.t || t->n_dealers > t->parent.n)
        return rc_raise(RC_ARG, "epoch: %u dealers of a key of %u of %u",
                        t->n_dealers, t->parent.t, t->parent.n);
    for (unsigned i = 0; i < t->n_dealers; i++) {
        if (i > 0 && t->dealer[i] <= t->dealer[i - 1])
            return rc_raise(RC_ARG, "epoch: dealers do not ascend");
        if (!voted(t, t->dealer[i]))
            return rc_raise(RC_ARG, "epoch: dealer %u is not of the parent",
                            t->dealer[i]);
        if (!t->recover && t->dealer_at[i] != t->dealer[i])
            return rc_raise(RC_ARG, "epoch: dealer %u at another node",
                            t->dealer[i]);
        TRY(vault_roster_node(&node, core, t->dealer_at[i]));
        for (unsigned j = 0; j < i; j++)
            if (t->dealer_at[j] == t->dealer_at[i])
                return rc_raise(RC_ARG, "epoch: node %u deals twice",
                                t->dealer_at[i]);
    }
    return RC_OK;
}

/*
 * After a recovery the voters may be gone from the roster. Their votes still
 * name the group, and nobody who does not hold the key can deal it.
 */
static enum rc parent_votes(const struct vault_core *core,
                            const struct vault_epoch_terms *t)
{
    bool ours;
    if (t->parent.epoch == 0 || t->epoch <= t->parent.epoch)
        return rc_raise(RC_ARG, "epoch: %llu does not follow %llu",
                        (unsigned long long)t->epoch,
                        (unsigned long long)t->parent.epoch);
    if (!t->recover)
        return vault_votes_judge(&ours, core, &t->parent, t->votes, t->n_votes);
    if (t->parent.t < 2 || t->n_votes != t->parent.n)
        return rc_raise(RC_VERIFY, "epoch: %u votes for %u of %u", t->n_votes,
                        t->parent.t, t->parent.n);
    return tlog_votes_check(&t->parent, TLOG_VOTE_PREPARED, t->votes,
                            t->n_votes);
}

static struct frost_group old_group(const struct vault_reshare_more *m)
{
    return (struct frost_group){ .t = m->old_t,
                                 .n = m->old_n,
                                 .ids = m->old_id,
                                 .ys = m->old_y,
                                 .key = &m->group };
}

static enum rc take_parent(struct vault_reshare_more *m,
                           const struct vault_epoch_terms *t)
{
    m->parent = t->parent.epoch;
    m->old_t = t->parent.t;
    m->old_n = t->parent.n;
    memcpy(m->group.b, t->parent.group_key, 32);
    hash256(m->key, t->parent.group_key, 32);
    for (unsigned i = 0; i < t->n_votes; i++) {
        TRY(frost_id_from_u16(&m->old_id[i], t->votes[i].node));
        memcpy(m->old_y[i].b, t->votes[i].y, 32);
    }
    const struct frost_group old = old_group(m);
    if (frost_group_check(&old) != RC_OK)
        return rc_prefix(RC_VERIFY, "epoch: the parent's shares: ");
    return RC_OK;
}

static enum rc more_fill(struct vault_reshare_more *m,
                         const struct vault_core *core,
                         const struct vault_epoch_terms *t)
{
    memcpy(m->session, t->session, 32);
    m->epoch = t->epoch;
    m->t = t->t;
    m->n = t->n;
    memcpy(m->ids, t->ids, sizeof(m->ids));
    m->n_dealers = t->n_dealers;
    memcpy(m->dealer_at, t->dealer_at, sizeof(m->dealer_at));
    for (unsigned i = 0; i < t->n_dealers; i++) {
        TRY(frost_id_from_u16(&m->dealer[i], t->dealer[i]));
        if (t->dealer_at[i] != core->node)
            continue;
        m->deals = true;
        m->me = i;
    }
    return take_parent(m, t);
}

/* ---- begin: our package ------------------------------------------------ */

/* The share we deal from: live, and of the very parent that was shown. */
static enum rc share_to_deal(unsigned *at, struct vault_core *core,
                             const struct vault_epoch_terms *t,
                             const uint8_t key[32])
{
    struct vault_share *s;
    if (t->recover) {
        s = vault_share_find(core, at, key, t->parent.epoch);
        return s && s->state != VAULT_PREPARED
                       ? RC_OK
                       : rc_raise(RC_UNKNOWN, "epoch: no share of it here");
    }
    TRY(vault_share_active(core, &s, at, key, t->parent.epoch));
    struct vault_share shown = { .persistent = false };
    vault_votes_members(&shown, t->votes, t->n_votes);
    if (!vault_terms_equal(&s->terms, &t->parent) ||
        memcmp(s->members, shown.members, 32) != 0)
        return rc_raise(RC_VERIFY, "epoch: the votes are of another parent "
                                   "than our share is of");
    return RC_OK;
}

static enum rc make_package(struct vault_reshare *d, struct vault_core *core,
                            const struct vault_epoch_terms *t)
{
    const struct vault_reshare_more *m = d->more;
    const struct frost_group old = old_group(m);
    unsigned at = 0;
    uint8_t random[FROST_MAX_SIGNERS][32];
    __attribute__((cleanup(own_wipe_bytes),
                   unused)) struct own_bytes wipe = { random, sizeof(random) };
    TRY(share_to_deal(&at, core, t, m->key));
    TRY(rand_bytes(random, ((size_t)m->t - 1) * 32));
    return frost_reshare_deal(&d->secret, &d->mine, &core->ready, &old,
                              m->dealer, m->n_dealers, m->me,
                              &core->secret->share[at], m->t,
                              (const uint8_t(*)[32])random);
}

static enum rc run_start(struct vault_reshare *d, struct vault_core *core,
                         const struct vault_epoch_terms *t)
{
    bool ours;
    TRY(receivers_check(&ours, core, t));
    TRY(parent_votes(core, t));
    TRY(dealers_check(core, t));
    d->more = calloc(1, sizeof(*d->more));
    if (!d->more)
        return rc_raise(RC_NOMEM, "epoch: no memory");
    TRY(more_fill(d->more, core, t));
    if (!ours && !d->more->deals)
        return rc_raise(RC_ARG, "epoch: node %u has no part in it", core->node);
    return d->more->deals ? make_package(d, core, t) : RC_OK;
}

/* Each try of a session has a number of its own. */
static void run_name(uint8_t out[32], const struct vault_epoch_terms *t)
{
    static const char tag[] = "mpc/run/v1";
    uint8_t number[8];
    struct bytes_writer w = bytes_writer(number, sizeof(number));
    bytes_put_u64(&w, t->epoch);
    const struct hash_part parts[] = { { tag, sizeof(tag) },
                                       { t->session, 32 },
                                       { number, sizeof(number) } };
    hash256_parts(out, parts, 3);
}

enum rc vault_on_epoch_begin(struct vault_core *core, struct bytes_writer *out,
                             struct bytes_reader *in,
                             const struct vault_request *req)
{
    (void)req;
    uint8_t name[32];
    OWNED_MEM struct vault_epoch_asked *asked = calloc(1, sizeof(*asked));
    if (!asked)
        return rc_raise(RC_NOMEM, "epoch: no memory");
    vault_get_epoch_asked(in, asked);
    TRY(bytes_end(in, "epoch begin"));
    run_name(name, &asked->terms);
    TRY(vault_begun_once(core, name));
    struct vault_reshare *d = secret_new(sizeof(*d));
    if (!d)
        return RC_NOMEM;
    enum rc rc = run_start(d, core, &asked->terms);
    if (rc != RC_OK) {
        run_free(d);
        return rc;
    }
    d->serial = vault_begun(core, name);
    *run_place(core) = d;
    vault_put_package(out, &d->mine);
    return RC_OK;
}

/* ---- deal -------------------------------------------------------------- */

static enum rc packages_check(const struct vault_reshare *d)
{
    const struct vault_reshare_more *m = d->more;
    const struct frost_group old = old_group(m);
    for (unsigned i = 0; i < m->n_dealers; i++) {
        if (m->deals && i == m->me) {
            if (memcmp(&m->packages[i], &d->mine, sizeof(d->mine)) != 0)
                return rc_raise(RC_CONFLICT,
                                "epoch: our package is not the one we sent");
            continue;
        }
        if (frost_reshare_check(&m->packages[i], &old, m->dealer, m->n_dealers,
                                i, m->t) != RC_OK)
            return rc_prefix(RC_CHEATER, "node %u: ", m->dealer_at[i]);
    }
    return RC_OK;
}

enum rc vault_on_epoch_deal(struct vault_core *core, struct bytes_writer *out,
                            struct bytes_reader *in,
                            const struct vault_request *req)
{
    (void)req;
    struct vault_reshare **at;
    uint8_t session[32];
    uint8_t box[VAULT_BOX_LEN];
    bytes_get(in, session, 32);
    uint64_t epoch = bytes_get_u64(in);
    unsigned n = bytes_get_u16(in);
    TRY(run_find(&at, core, session, epoch));
    struct vault_reshare *d = *at;
    struct vault_reshare_more *m = d->more;
    if (m->dealt)
        return rc_raise(RC_ORDER, "epoch: dealt already");
    if (n != m->n_dealers)
        return rc_raise(RC_ARG, "epoch: %u packages, want %u", n, m->n_dealers);
    for (unsigned i = 0; i < n; i++)
        vault_get_package(in, &m->packages[i]);
    TRY(bytes_end(in, "epoch deal"));
    TRY(packages_check(d));
    const struct vault_run_id run = { m->session, m->epoch };
    unsigned n_boxes = m->deals ? m->n : 0;
    bytes_put_u16(out, (uint16_t)n_boxes);
    for (unsigned i = 0; i < n_boxes; i++) {
        TRY(vault_box_make(box, core, &run, m->ids[i], &d->secret));
        bytes_put(out, box, sizeof(box));
    }
    m->dealt = true;
    sodium_memzero(&d->secret, sizeof(d->secret));
    return RC_OK;
}

/* ---- finish ------------------------------------------------------------ */

/* T of FORMATS section 2. Public data. */
static enum rc transcript_hash(uint8_t out[32], const struct vault_core *core,
                               const struct vault_reshare_more *m,
                               const struct frost_id *ids,
                               const struct frost_point *ys)
{
    const struct frost_transcript t = { .roster = core->roster->hash,
                                        .session = m->session,
                                        .epoch = m->epoch,
                                        .parent = m->parent,
                                        .t = m->t,
                                        .n_dealers = m->n_dealers,
                                        .dealers = m->dealer,
                                        .dealings = m->packages,
                                        .n_receivers = m->n,
                                        .receivers = ids,
                                        .ys = ys };
    return frost_transcript_hash(out, &t);
}

static void public_half(struct vault_share *pub, const struct vault_core *core,
                        const struct vault_reshare_more *m,
                        const struct frost_point *ys, unsigned me)
{
    uint8_t bytes[TLOG_MAX_NODES][32];
    *pub = (struct vault_share){ .state = VAULT_PREPARED,
                                 .persistent = true,
                                 .terms = { .epoch = m->epoch,
                                            .parent = m->parent,
                                            .t = m->t,
                                            .n = m->n } };
    memcpy(pub->terms.session, m->session, 32);
    memcpy(pub->terms.group_key, m->group.b, 32);
    memcpy(pub->key, m->key, 32);
    memcpy(pub->ids, m->ids, sizeof(pub->ids));
    for (unsigned i = 0; i < m->n; i++)
        memcpy(bytes[i], ys[i].b, 32);
    vault_members_hash(pub->members, pub->ids, (const uint8_t(*)[32])bytes,
                       m->n);
    memcpy(pub->roster, core->roster->hash, 32);
    memcpy(pub->y, ys[me].b, 32);
}

/*
 * The dealing under our own identifier. After a recovery another node may hold
 * the share of that number: then it is not ours. What we sent was compared
 * when the packages came.
 */
static const struct frost_dealing *dealt_as_us(const struct vault_core *core,
                                               const struct vault_reshare *d)
{
    const struct vault_reshare_more *m = d->more;
    for (unsigned i = 0; i < m->n_dealers; i++)
        if (frost_id_to_u16(&m->dealer[i]) == core->node &&
            m->dealer_at[i] != core->node)
            return &m->packages[i];
    return &d->mine;
}

/* The share and everything public about it; points out [n]. */
static enum rc share_make(struct vault_share *pub, struct frost_scalar *share,
                          struct frost_point *points,
                          const struct vault_core *core,
                          const struct vault_reshare *d,
                          const struct vault_subs *subs)
{
    const struct vault_reshare_more *m = d->more;
    const struct frost_group old = old_group(m);
    struct frost_id ids[TLOG_MAX_NODES];
    unsigned me = m->n;
    for (unsigned i = 0; i < m->n; i++) {
        TRY(frost_id_from_u16(&ids[i], m->ids[i]));
        if (m->ids[i] == core->node)
            me = i;
    }
    if (me == m->n)
        return rc_raise(RC_ARG, "epoch: node %u is no member of it",
                        core->node);
    const struct frost_dealt dealt = { m->n_dealers, m->dealer, m->packages,
                                       subs->of };
    struct frost_culprits culprits = { .n = 0 };
    enum rc rc = frost_reshare_finish(share, points, &old, m->t, ids, m->n, me,
                                      &dealt, dealt_as_us(core, d), &culprits);
    if (rc == RC_CHEATER)
        return vault_blame_dealers(&culprits);
    TRY(rc);
    public_half(pub, core, m, points, me);
    return transcript_hash(pub->terms.transcript, core, m, ids, points);
}

/* A run that comes late does not bring back what the key has left behind. */
static enum rc still_parent(const struct vault_core *core,
                            const struct vault_reshare_more *m)
{
    for (unsigned i = 0; i < core->n_shares; i++) {
        const struct vault_share *s = &core->share[i];
        if (s->state != VAULT_PREPARED && memcmp(s->key, m->key, 32) == 0 &&
            s->terms.epoch > m->parent)
            return rc_raise(RC_EPOCH_MOVED, "epoch: the key is at %llu here",
                            (unsigned long long)s->terms.epoch);
    }
    return RC_OK;
}

static enum rc conclude(struct vault_core *core, struct bytes_writer *out,
                        const struct vault_reshare *d,
                        const struct vault_subs *subs)
{
    struct vault_share pub;
    WIPED(frost_scalar) share;
    struct frost_point ys[TLOG_MAX_NODES];
    TRY(still_parent(core, d->more));
    TRY(share_make(&pub, &share, ys, core, d, subs));
    return vault_share_conclude(core, out, &pub, &share,
                                (const uint8_t(*)[32])ys);
}

enum rc vault_on_epoch_finish(struct vault_core *core, struct bytes_writer *out,
                              struct bytes_reader *in,
                              const struct vault_request *req)
{
    (void)req;
    struct vault_reshare **at;
    uint8_t session[32];
    WIPED(vault_subs) subs;
    bytes_get(in, session, 32);
    uint64_t epoch = bytes_get_u64(in);
    unsigned n = bytes_get_u16(in);
    TRY(run_find(&at, core, session, epoch));
    const struct vault_reshare_more *m = (*at)->more;
    if (!m->dealt)
        return rc_raise(RC_ORDER, "epoch: finish before deal");
    if (n != m->n_dealers)
        return rc_raise(RC_ARG, "epoch: %u boxes, want %u", n, m->n_dealers);
    const struct vault_run_id run = { m->session, m->epoch };
    const uint8_t *boxes = bytes_take(in, (size_t)n * VAULT_BOX_LEN);
    TRY(bytes_end(in, "epoch finish"));
    for (unsigned i = 0; i < n; i++)
        TRY(vault_box_open(&subs.of[i], core, &run, m->dealer_at[i],
                           boxes + (size_t)i * VAULT_BOX_LEN));
    TRY(conclude(core, out, *at, &subs));
    run_free(*at);
    *at = NULL;
    return RC_OK;
}
