/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Distributed key generation inside the vault: begin (our package), deal
 * (sub-shares, each boxed to its receiver's roster key), finish (the boxes
 * dealt to us, a PREPARED share). A box key always comes from the roster,
 * never from the caller. The polynomial is wiped as soon as it is dealt.
 */
#include "vault/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/rand.h"
#include "base/secret.h"

/* ---- sessions under way ------------------------------------------------ */

static void dkg_free(struct vault_dkg *d)
{
    if (!d)
        return;
    free(d->packages);
    secret_free(d);
}

void vault_dkg_drop_all(struct vault_core *core)
{
    for (unsigned i = 0; i < VAULT_MAX_DKGS; i++) {
        dkg_free(core->dkg[i]);
        core->dkg[i] = NULL;
    }
}

static enum rc dkg_find(struct vault_dkg ***out, struct vault_core *core,
                        const uint8_t session[32])
{
    for (unsigned i = 0; i < VAULT_MAX_DKGS; i++) {
        struct vault_dkg *d = core->dkg[i];
        if (d && memcmp(d->terms.session, session, 32) == 0) {
            *out = &core->dkg[i];
            return RC_OK;
        }
    }
    return rc_raise(RC_UNKNOWN, "dkg: no such session under way");
}

enum rc vault_dkg_of(struct vault_dkg **out, struct vault_core *core,
                     const uint8_t session[32])
{
    struct vault_dkg **at;
    TRY(dkg_find(&at, core, session));
    *out = *at;
    return RC_OK;
}

void vault_dkg_end(struct vault_core *core, const uint8_t session[32])
{
    for (unsigned i = 0; i < VAULT_MAX_DKGS; i++) {
        struct vault_dkg *d = core->dkg[i];
        if (!d || memcmp(d->terms.session, session, 32) != 0)
            continue;
        dkg_free(d);
        core->dkg[i] = NULL;
    }
}

/* A free place, or that of the oldest, which is dropped. */
static struct vault_dkg **dkg_place(struct vault_core *core)
{
    struct vault_dkg **oldest = &core->dkg[0];
    for (unsigned i = 0; i < VAULT_MAX_DKGS; i++) {
        if (!core->dkg[i])
            return &core->dkg[i];
        if (core->dkg[i]->serial < (*oldest)->serial)
            oldest = &core->dkg[i];
    }
    dkg_free(*oldest);
    *oldest = NULL;
    return oldest;
}

/* ---- begin ------------------------------------------------------------- */

static enum rc terms_check(const struct vault_core *core,
                           const struct vault_dkg_terms *t)
{
    const struct tlog_roster_node *node;
    bool ours = false;
    if (t->parent != 0 || t->epoch == 0)
        return rc_raise(RC_ARG, "dkg: a new key has epoch >= 1, parent 0");
    if (t->t < 2 || t->n < t->t)
        return rc_raise(RC_ARG, "dkg: threshold %u of %u", t->t, t->n);
    for (unsigned i = 0; i < t->n; i++) {
        if (i > 0 && t->ids[i] <= t->ids[i - 1])
            return rc_raise(RC_ARG, "dkg: node ids do not ascend");
        TRY(vault_roster_node(&node, core, t->ids[i]));
        ours = ours || t->ids[i] == core->node;
    }
    if (!ours)
        return rc_raise(RC_ARG, "dkg: node %u is not a participant",
                        core->node);
    return RC_OK;
}

static enum rc dkg_start(struct vault_dkg *d, const struct vault_core *core,
                         const struct vault_dkg_terms *terms)
{
    uint8_t random[FROST_MAX_SIGNERS + 1][32];
    __attribute__((cleanup(own_wipe_bytes),
                   unused)) struct own_bytes wipe = { random, sizeof(random) };
    struct frost_id id;
    TRY(frost_id_from_u16(&id, core->node));
    TRY(rand_bytes(random, ((size_t)terms->t + 1) * 32));
    d->terms = *terms;
    return frost_dkg_deal(&d->secret, &d->mine, &core->ready, &id, terms->t,
                          random);
}

enum rc vault_on_dkg_begin(struct vault_core *core, struct bytes_writer *out,
                           struct bytes_reader *in,
                           const struct vault_request *req)
{
    (void)req;
    struct vault_dkg_terms terms;
    vault_get_dkg_terms(in, &terms);
    TRY(bytes_end(in, "dkg begin"));
    TRY(terms_check(core, &terms));
    TRY(vault_begun_once(core, terms.session));
    struct vault_dkg *d = secret_new(sizeof(*d));
    if (!d)
        return RC_NOMEM;
    enum rc rc = dkg_start(d, core, &terms);
    if (rc != RC_OK) {
        dkg_free(d);
        return rc;
    }
    d->serial = vault_begun(core, terms.session);
    *dkg_place(core) = d;
    vault_put_package(out, &d->mine);
    return RC_OK;
}

/* ---- deal -------------------------------------------------------------- */

static enum rc packages_check(const struct vault_dkg *d, uint16_t us,
                              const struct frost_dealing *packages)
{
    struct frost_id id;
    for (unsigned i = 0; i < d->terms.n; i++) {
        uint16_t node = d->terms.ids[i];
        if (node == us) {
            if (memcmp(&packages[i], &d->mine, sizeof(d->mine)) != 0)
                return rc_raise(RC_CONFLICT,
                                "dkg: our package is not the one we sent");
            continue;
        }
        TRY(frost_id_from_u16(&id, node));
        if (frost_dkg_check(&packages[i], &id, d->terms.t) != RC_OK)
            return rc_prefix(RC_CHEATER, "node %u: ", node);
    }
    return RC_OK;
}

static enum rc box_to(uint8_t box[VAULT_BOX_LEN], const struct vault_core *core,
                      const struct vault_dkg *d, uint16_t node)
{
    const struct vault_run_id run = { d->terms.session, d->terms.epoch };
    return vault_box_make(box, core, &run, node, &d->secret);
}

enum rc vault_on_dkg_deal(struct vault_core *core, struct bytes_writer *out,
                          struct bytes_reader *in,
                          const struct vault_request *req)
{
    (void)req;
    struct vault_dkg **at;
    uint8_t session[32];
    uint8_t box[VAULT_BOX_LEN];
    bytes_get(in, session, 32);
    unsigned n = bytes_get_u16(in);
    TRY(dkg_find(&at, core, session));
    struct vault_dkg *d = *at;
    if (d->packages)
        return rc_raise(RC_ORDER, "dkg: dealt already");
    if (n != d->terms.n)
        return rc_raise(RC_ARG, "dkg: %u packages, want %u", n, d->terms.n);
    OWNED_MEM struct frost_dealing *packages = calloc(n, sizeof(*packages));
    if (!packages)
        return rc_raise(RC_NOMEM, "dkg: no memory");
    for (unsigned i = 0; i < n; i++)
        vault_get_package(in, &packages[i]);
    TRY(bytes_end(in, "dkg deal"));
    TRY(packages_check(d, core->node, packages));
    for (unsigned i = 0; i < n; i++) {
        TRY(box_to(box, core, d, d->terms.ids[i]));
        bytes_put(out, box, sizeof(box));
    }
    d->packages = TAKE(packages);
    sodium_memzero(&d->secret, sizeof(d->secret));
    return RC_OK;
}

/* ---- finish ------------------------------------------------------------ */

/* T of FORMATS section 2. Public data. */
static enum rc transcript_hash(uint8_t out[32], const struct vault_core *core,
                               const struct vault_dkg *d,
                               const struct frost_id *ids,
                               const struct frost_point *ys)
{
    const struct frost_transcript t = { .roster = core->roster->hash,
                                        .session = d->terms.session,
                                        .epoch = d->terms.epoch,
                                        .parent = d->terms.parent,
                                        .t = d->terms.t,
                                        .n_dealers = d->terms.n,
                                        .dealers = ids,
                                        .dealings = d->packages,
                                        .n_receivers = d->terms.n,
                                        .receivers = ids,
                                        .ys = ys };
    return frost_transcript_hash(out, &t);
}

/* The share and everything public about it; ys out [n]. */
static enum rc share_make(struct vault_share *pub, struct frost_scalar *share,
                          uint8_t (*ys)[32], const struct vault_core *core,
                          const struct vault_dkg *d,
                          const struct vault_subs *subs)
{
    const struct vault_dkg_terms *terms = &d->terms;
    struct frost_id ids[TLOG_MAX_NODES];
    struct frost_point points[TLOG_MAX_NODES];
    struct frost_point group;
    unsigned me = 0;
    for (unsigned i = 0; i < terms->n; i++) {
        TRY(frost_id_from_u16(&ids[i], terms->ids[i]));
        if (terms->ids[i] == core->node)
            me = i;
    }
    const struct frost_dealt dealt = { terms->n, ids, d->packages, subs->of };
    struct frost_culprits culprits = { .n = 0 };
    enum rc rc = frost_dkg_finish(share, &group, points, &dealt, &d->mine, me,
                                  &culprits);
    if (rc == RC_CHEATER)
        return vault_blame_dealers(&culprits);
    TRY(rc);
    for (unsigned i = 0; i < terms->n; i++)
        memcpy(ys[i], points[i].b, 32);
    *pub = (struct vault_share){ .state = VAULT_PREPARED,
                                 .persistent = terms->persistent,
                                 .terms = { .epoch = terms->epoch,
                                            .parent = terms->parent,
                                            .t = terms->t,
                                            .n = terms->n } };
    memcpy(pub->terms.session, terms->session, 32);
    memcpy(pub->terms.group_key, group.b, 32);
    TRY(transcript_hash(pub->terms.transcript, core, d, ids, points));
    hash256(pub->key, group.b, 32);
    memcpy(pub->ids, terms->ids, sizeof(pub->ids));
    vault_members_hash(pub->members, pub->ids, ys, terms->n);
    memcpy(pub->roster, core->roster->hash, 32);
    memcpy(pub->y, ys[me], 32);
    return RC_OK;
}

static enum rc dkg_conclude(struct vault_core *core, struct bytes_writer *out,
                            const struct vault_dkg *d,
                            const struct vault_subs *subs)
{
    struct vault_share pub;
    WIPED(frost_scalar) share;
    uint8_t ys[TLOG_MAX_NODES][32];
    TRY(share_make(&pub, &share, ys, core, d, subs));
    return vault_share_conclude(core, out, &pub, &share,
                                (const uint8_t(*)[32])ys);
}

enum rc vault_on_dkg_finish(struct vault_core *core, struct bytes_writer *out,
                            struct bytes_reader *in,
                            const struct vault_request *req)
{
    (void)req;
    struct vault_dkg **at;
    uint8_t session[32];
    WIPED(vault_subs) subs;
    bytes_get(in, session, 32);
    unsigned n = bytes_get_u16(in);
    TRY(dkg_find(&at, core, session));
    const struct vault_dkg *d = *at;
    if (!d->packages)
        return rc_raise(RC_ORDER, "dkg: finish before deal");
    if (n != d->terms.n)
        return rc_raise(RC_ARG, "dkg: %u boxes, want %u", n, d->terms.n);
    const struct vault_run_id run = { d->terms.session, d->terms.epoch };
    const uint8_t *boxes = bytes_take(in, (size_t)n * VAULT_BOX_LEN);
    TRY(bytes_end(in, "dkg finish"));
    for (unsigned i = 0; i < n; i++)
        TRY(vault_box_open(&subs.of[i], core, &run, d->terms.ids[i],
                           boxes + (size_t)i * VAULT_BOX_LEN));
    TRY(dkg_conclude(core, out, d, &subs));
    dkg_free(*at);
    *at = NULL;
    return RC_OK;
}
