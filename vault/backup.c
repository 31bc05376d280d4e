/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shares on their way to custodians and back. Out: sealed to the keys that the
 * roster held here names for this node, so that whoever has taken over the
 * sidecar cannot name its own. In: a share whose node is gone, to be dealt
 * from and never to sign.
 */
#include "vault/inner.h"

#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "custody/custody.h"

_Static_assert(VAULT_BACKUP_MAX == CUSTODY_BACKUP_MAX, "one size");
_Static_assert(VAULT_PARCEL_LEN == CUSTODY_PARCEL_LEN, "one size");

/* ---- out --------------------------------------------------------------- */

static enum rc describe(struct custody_backup *out,
                        const struct vault_core *core,
                        const struct vault_share *s)
{
    const struct tlog_roster_node *us;
    TRY(vault_roster_node(&us, core, core->node));
    if (us->n_custodians == 0) {
        enum rc rc = rc_raise(RC_ORDER,
                              "backup: the roster names no "
                              "custodians for node %u",
                              core->node);
        rc_hint("mpcsign custodian new, and a policy with its key in "
                "custodians");
        return rc;
    }
    struct custody_backup b = { .epoch = s->terms.epoch,
                                .node = core->node,
                                .t = s->terms.t,
                                .n = s->terms.n,
                                .created_ms = (uint64_t)clock_now_s() * 1000,
                                .n_custodians = us->n_custodians };
    memcpy(b.key, s->key, 32);
    hash256(b.identity, core->identity, 32);
    memcpy(b.roster, core->roster->hash, 32);
    memcpy(b.transcript, s->terms.transcript, 32);
    memcpy(b.group_key, s->terms.group_key, 32);
    memcpy(b.y, s->y, 32);
    for (unsigned i = 0; i < us->n_custodians; i++)
        memcpy(b.custodian[i], us->custodian[i], 32);
    *out = b;
    return RC_OK;
}

enum rc vault_on_backup(struct vault_core *core, struct bytes_writer *out,
                        struct bytes_reader *in,
                        const struct vault_request *req)
{
    (void)req;
    uint8_t key[32];
    uint8_t sealed[CUSTODY_BACKUP_MAX];
    size_t len;
    unsigned at;
    struct vault_share *s;
    struct custody_backup b;
    bytes_get(in, key, 32);
    uint64_t epoch = bytes_get_u64(in);
    TRY(bytes_end(in, "backup"));
    TRY(vault_share_active(core, &s, &at, key, epoch));
    if (!s->persistent)
        return rc_raise(RC_ARG, "backup: this key lives in memory only");
    TRY(describe(&b, core, s));
    TRY(custody_backup_make(sealed, &len, &b, &core->secret->share[at]));
    bytes_put_lp16(out, sealed, len);
    return RC_OK;
}

/* ---- in ---------------------------------------------------------------- */

/* One of t would be one share too many: a vault holds at most one of a key. */
static enum rc holds_none(const struct vault_core *core, const uint8_t key[32])
{
    for (unsigned i = 0; i < core->n_shares; i++)
        if (memcmp(core->share[i].key, key, 32) == 0)
            return rc_raise(RC_EXISTS,
                            "recover: node %u holds a share of this key "
                            "already: bring this one to another node",
                            core->node);
    return RC_OK;
}

/* The parcel's words are its custodian's: the votes say what is so. */
static enum rc of_these_votes(struct vault_share *pub,
                              const struct custody_backup *b,
                              const struct tlog_epoch_terms *terms,
                              const struct tlog_vote *votes, unsigned n)
{
    bool named = false;
    uint8_t ys[TLOG_MAX_NODES][32];
    if (terms->t < 2 || terms->n < terms->t || n != terms->n)
        return rc_raise(RC_VERIFY, "recover: %u votes for %u of %u", n,
                        terms->t, terms->n);
    TRY(tlog_votes_check(terms, TLOG_VOTE_PREPARED, votes, n));
    for (unsigned i = 0; i < n; i++) {
        pub->ids[i] = votes[i].node;
        memcpy(ys[i], votes[i].y, 32);
        named = named ||
                (votes[i].node == b->node && memcmp(votes[i].y, b->y, 32) == 0);
    }
    if (!named || b->epoch != terms->epoch ||
        memcmp(b->group_key, terms->group_key, 32) != 0 ||
        memcmp(b->transcript, terms->transcript, 32) != 0)
        return rc_raise(RC_VERIFY, "recover: the votes are of another share "
                                   "than this one");
    vault_members_hash(pub->members, pub->ids, ys, n);
    return RC_OK;
}

enum rc vault_on_recover(struct vault_core *core, struct bytes_writer *out,
                         struct bytes_reader *in,
                         const struct vault_request *req)
{
    (void)req;
    WIPED(frost_scalar) share;
    struct custody_backup b;
    struct tlog_vote votes[TLOG_MAX_NODES];
    /* not live, and never: of an epoch that is over */
    struct vault_share pub = { .state = VAULT_OLD, .brought = true };
    const uint8_t *parcel = bytes_take(in, CUSTODY_PARCEL_LEN);
    vault_get_epoch_terms(in, &pub.terms);
    unsigned n = vault_get_votes(in, votes);
    TRY(bytes_end(in, "recover"));
    TRY(custody_parcel_open(&share, &b, parcel, core->box, core->secret->box));
    TRY(of_these_votes(&pub, &b, &pub.terms, votes, n));
    hash256(pub.key, pub.terms.group_key, 32);
    memcpy(pub.roster, b.roster, 32);
    memcpy(pub.y, b.y, 32);
    TRY(holds_none(core, pub.key));
    TRY(vault_share_add(core, &pub, &share));
    bytes_put_u16(out, b.node);
    return RC_OK;
}
