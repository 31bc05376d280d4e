/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node's own secrets that its peers hold in pieces: made and split for a
 * share to be, acknowledged by every holder before the share is sealed, and
 * joined again after a restart. Which are whole is public; they are secret.
 */
#include "vault/piece.h"

#include <string.h>

/* ---- the table --------------------------------------------------------- */

struct vault_split *vault_split_find(struct vault_core *core, unsigned *at,
                                     const uint8_t session[32], uint64_t epoch)
{
    for (unsigned i = 0; i < VAULT_MAX_SPLITS; i++) {
        struct vault_split *s = &core->split[i];
        if (s->used && s->epoch == epoch &&
            memcmp(s->session, session, 32) == 0) {
            *at = i;
            return s;
        }
    }
    return NULL;
}

void vault_split_drop(struct vault_core *core, const uint8_t session[32],
                      uint64_t epoch)
{
    unsigned at;
    struct vault_split *s = vault_split_find(core, &at, session, epoch);
    if (!s)
        return;
    memset(s, 0, sizeof(*s));
    sodium_memzero(&core->secret->split[at], sizeof(struct frost_scalar));
}

static bool has_share(const struct vault_core *core,
                      const struct vault_split *s)
{
    for (unsigned i = 0; i < core->n_shares; i++)
        if (core->share[i].terms.epoch == s->epoch &&
            memcmp(core->share[i].terms.session, s->session, 32) == 0)
            return true;
    return false;
}

/* A free place, or that of the oldest one without a share. */
static enum rc split_place(unsigned *at, struct vault_core *core)
{
    const struct vault_split *oldest = NULL;
    for (unsigned i = 0; i < VAULT_MAX_SPLITS; i++) {
        const struct vault_split *s = &core->split[i];
        if (!s->used) {
            *at = i;
            return RC_OK;
        }
        if ((!oldest || s->serial < oldest->serial) && !has_share(core, s)) {
            oldest = s;
            *at = i;
        }
    }
    if (!oldest)
        return rc_raise(RC_NOMEM, "pieces: secrets of %d shares are held",
                        VAULT_MAX_SPLITS);
    vault_split_drop(core, core->split[*at].session, core->split[*at].epoch);
    return RC_OK;
}

enum rc vault_split_for(struct vault_core *core, unsigned *at,
                        const struct vault_share *pub)
{
    const struct vault_split *s = vault_split_find(core, at, pub->terms.session,
                                                   pub->terms.epoch);
    if (!s)
        return rc_raise(RC_ORDER, "share: it was not split among its peers "
                                  "before (master key snp+peers)");
    if (s->epoch != pub->terms.epoch || s->t != pub->terms.t ||
        (s->n && (s->n != pub->terms.n ||
                  memcmp(s->ids, pub->ids, s->n * sizeof(*s->ids)) != 0)))
        return rc_raise(RC_CONFLICT, "share: it was split by other terms");
    for (unsigned i = 0; i < s->n && !s->whole; i++)
        if (!s->acked[i])
            return rc_raise(RC_ORDER,
                            "share: node %u has not acknowledged its piece",
                            s->ids[i]);
    return RC_OK;
}

/* ---- split ------------------------------------------------------------- */

static enum rc terms_check(const struct vault_core *core,
                           const struct vault_dkg_terms *t)
{
    const struct tlog_roster_node *node;
    bool ours = false;
    if (t->t < 2 || t->n < t->t || t->epoch == 0)
        return rc_raise(RC_ARG, "pieces: %u of %u, epoch %llu", t->t, t->n,
                        (unsigned long long)t->epoch);
    for (unsigned i = 0; i < t->n; i++) {
        if (i > 0 && t->ids[i] <= t->ids[i - 1])
            return rc_raise(RC_ARG, "pieces: node ids do not ascend");
        TRY(vault_roster_node(&node, core, t->ids[i]));
        ours = ours || t->ids[i] == core->node;
    }
    return ours ? RC_OK
                : rc_raise(RC_ARG, "pieces: node %u is no member", core->node);
}

static bool same_split(const struct vault_split *s,
                       const struct vault_dkg_terms *t)
{
    return s->epoch == t->epoch && s->t == t->t && s->n == t->n &&
           memcmp(s->ids, t->ids, t->n * sizeof(*t->ids)) == 0;
}

static enum rc split_new(unsigned *at, struct vault_core *core,
                         const struct vault_dkg_terms *t)
{
    TRY(split_place(at, core));
    TRY(vault_piece_secret(&core->secret->split[*at]));
    struct vault_split *s = &core->split[*at];
    *s = (struct vault_split){ .used = true,
                               .epoch = t->epoch,
                               .t = t->t,
                               .n = t->n,
                               .serial = ++core->n_splits };
    memcpy(s->session, t->session, 32);
    memcpy(s->ids, t->ids, t->n * sizeof(*t->ids));
    for (unsigned i = 0; i < t->n; i++)
        s->acked[i] = t->ids[i] == core->node;
    return RC_OK;
}

static enum rc split_box(struct bytes_writer *out,
                         const struct vault_core *core, unsigned at,
                         uint16_t holder)
{
    const struct vault_split *s = &core->split[at];
    uint8_t box[VAULT_PIECE_BOX_LEN];
    struct piece_of of = {
        .epoch = s->epoch, .t = s->t, .owner = core->node, .holder = holder
    };
    WIPED(boxed_piece) in;
    memcpy(of.session, s->session, 32);
    vault_piece_run_there(in.run, core, &of);
    vault_piece_at(&in.piece, &core->secret->split[at], s->t, s->session,
                   holder);
    TRY(vault_piece_tag(in.tag, core, &of, &in.piece));
    TRY(vault_piece_box(box, core, holder, &in));
    bytes_put_u16(out, holder);
    bytes_put(out, box, sizeof(box));
    return RC_OK;
}

enum rc vault_on_piece_split(struct vault_core *core, struct bytes_writer *out,
                             struct bytes_reader *in,
                             const struct vault_request *req)
{
    (void)req;
    struct vault_dkg_terms t;
    unsigned at;
    vault_get_dkg_terms(in, &t);
    TRY(bytes_end(in, "piece split"));
    TRY(terms_check(core, &t));
    if (core->seals != VAULT_SNP_PEERS) {
        bytes_put_u16(out, 0);
        return RC_OK;
    }
    const struct vault_split *s = vault_split_find(core, &at, t.session,
                                                   t.epoch);
    if (s && !same_split(s, &t)) {
        if (s->whole)
            return rc_raise(RC_CONFLICT,
                            "pieces: split before, by other terms");
        /* whoever asked for those shall not stand in the way */
        vault_split_drop(core, t.session, t.epoch);
        s = NULL;
    }
    if (!s)
        TRY(split_new(&at, core, &t));
    bytes_put_u16(out, (uint16_t)(t.n - 1));
    for (unsigned i = 0; i < t.n; i++)
        if (t.ids[i] != core->node)
            TRY(split_box(out, core, at, t.ids[i]));
    return RC_OK;
}

/* ---- acked ------------------------------------------------------------- */

static enum rc ack_check(const struct vault_core *core, unsigned at, unsigned i,
                         const uint8_t sig[64])
{
    const struct vault_split *s = &core->split[at];
    const struct tlog_roster_node *node;
    uint8_t text[PIECE_ACK_TEXT];
    uint8_t tag[32];
    struct piece_of of = {
        .epoch = s->epoch, .t = s->t, .owner = core->node, .holder = s->ids[i]
    };
    WIPED(frost_scalar) piece;
    memcpy(of.session, s->session, 32);
    TRY(vault_roster_node(&node, core, of.holder));
    vault_piece_at(&piece, &core->secret->split[at], s->t, s->session,
                   of.holder);
    TRY(vault_piece_tag(tag, core, &of, &piece));
    size_t len = vault_piece_ack_text(text, &of, tag);
    if (crypto_sign_verify_detached(sig, text, len, node->identity) != 0)
        return rc_raise(RC_VERIFY,
                        "piece: node %u's acknowledgement is not of it",
                        of.holder);
    return RC_OK;
}

enum rc vault_on_piece_acked(struct vault_core *core, struct bytes_writer *out,
                             struct bytes_reader *in,
                             const struct vault_request *req)
{
    (void)req;
    uint8_t session[32];
    unsigned at;
    unsigned missing = 0;
    bytes_get(in, session, 32);
    uint64_t epoch = bytes_get_u64(in);
    unsigned n = bytes_get_u16(in);
    const uint8_t *acks = bytes_take(in, (size_t)n * (2 + 64));
    TRY(bytes_end(in, "piece acked"));
    struct vault_split *s = vault_split_find(core, &at, session, epoch);
    if (!s || s->n == 0)
        return rc_raise(RC_UNKNOWN, "pieces: nothing was split here for it");
    for (unsigned k = 0; k < n; k++, acks += 2 + 64) {
        uint16_t holder = (uint16_t)(acks[0] << 8 | acks[1]);
        unsigned i = 0;
        while (i < s->n && s->ids[i] != holder)
            i++;
        if (i == s->n)
            return rc_raise(RC_VERIFY, "piece: node %u holds none", holder);
        TRY(ack_check(core, at, i, acks + 2));
        s->acked[i] = true;
    }
    for (unsigned i = 0; i < s->n; i++)
        missing += !s->acked[i];
    s->whole = missing == 0;
    bytes_put_u16(out, (uint16_t)missing);
    return RC_OK;
}

/* ---- join -------------------------------------------------------------- */

/* Is it the piece that this holder was given? */
static enum rc piece_back(struct frost_scalar *out,
                          const struct vault_core *core,
                          const struct piece_of *of,
                          const uint8_t box[VAULT_PIECE_BOX_LEN])
{
    uint8_t run[32];
    uint8_t tag[32];
    WIPED(boxed_piece) got;
    vault_piece_run_back(run, core->boot, of);
    TRY(vault_piece_unbox(&got, core, of->holder, run, box));
    TRY(vault_piece_tag(tag, core, of, &got.piece));
    if (sodium_memcmp(tag, got.tag, 32) != 0)
        return rc_raise(RC_CHEATER, "node %u: not the piece it was given",
                        of->holder);
    *out = got.piece;
    return RC_OK;
}

static enum rc join(struct vault_core *core, const struct piece_of *of,
                    const struct pieces *p, const uint16_t *ids)
{
    unsigned at;
    WIPED(frost_scalar) sum;
    TRY(vault_piece_sum(&sum, p, ids, of->t - 1u));
    TRY(split_place(&at, core));
    core->secret->split[at] = sum;
    core->split[at] = (struct vault_split){ .used = true,
                                            .whole = true,
                                            .epoch = of->epoch,
                                            .t = of->t,
                                            .serial = ++core->n_splits };
    memcpy(core->split[at].session, of->session, 32);
    return RC_OK;
}

enum rc vault_on_piece_join(struct vault_core *core, struct bytes_writer *out,
                            struct bytes_reader *in,
                            const struct vault_request *req)
{
    (void)req;
    struct piece_of of = { .owner = core->node };
    uint16_t good[TLOG_MAX_NODES];
    uint16_t bad[TLOG_MAX_NODES];
    unsigned n_good = 0;
    unsigned n_bad = 0;
    unsigned at;
    WIPED(pieces) p;
    bytes_get(in, of.session, 32);
    of.epoch = bytes_get_u64(in);
    of.t = bytes_get_u16(in);
    unsigned n = bytes_get_u16(in);
    const uint8_t *row = bytes_take(in, (size_t)n * (2 + VAULT_PIECE_BOX_LEN));
    TRY(bytes_end(in, "piece join"));
    if (of.t < 2 || of.t > TLOG_MAX_NODES || n > TLOG_MAX_NODES)
        return rc_raise(RC_ARG, "pieces: %u for threshold %u", n, of.t);
    for (unsigned i = 0; i < n; i++, row += 2 + VAULT_PIECE_BOX_LEN) {
        of.holder = (uint16_t)(row[0] << 8 | row[1]);
        if (n_good + 1u < of.t &&
            piece_back(&p.of[n_good], core, &of, row + 2) == RC_OK)
            good[n_good++] = of.holder;
        else if (n_good + 1u < of.t)
            bad[n_bad++] = of.holder;
    }
    const struct vault_split *s = vault_split_find(core, &at, of.session,
                                                   of.epoch);
    bool whole = s && s->whole;
    if (!s && n_good + 1u == of.t) {
        TRY(join(core, &of, &p, good));
        whole = true;
    }
    bytes_put_u8(out, whole);
    bytes_put_u16(out, (uint16_t)n_bad);
    for (unsigned i = 0; i < n_bad; i++)
        bytes_put_u16(out, bad[i]);
    return RC_OK;
}
