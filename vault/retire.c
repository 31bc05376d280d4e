/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of the shares that a key has left behind: they sign no more
 * once all members of a newer epoch have voted for it, and are erased once
 * all of them have said that theirs is active. And of those of a key that is
 * destroyed: that is a word of ours, and then there is none.
 */
#include "vault/inner.h"

#include <string.h>

#include "base/hash.h"

/* Votes of a certified epoch, and whose key it is. */
static enum rc read_cert(struct tlog_epoch_terms *terms,
                         struct tlog_vote *votes, unsigned *n, uint8_t key[32],
                         bool *ours, const struct vault_core *core,
                         struct bytes_reader *in)
{
    vault_get_epoch_terms(in, terms);
    *n = vault_get_votes(in, votes);
    if (in->failed)
        return rc_raise(RC_PARSE, "epoch: certificate cut short");
    hash256(key, terms->group_key, 32);
    return vault_votes_judge(ours, core, terms, votes, *n);
}

enum rc vault_on_epoch_moved(struct vault_core *core, struct bytes_writer *out,
                             struct bytes_reader *in,
                             const struct vault_request *req)
{
    (void)req;
    (void)out;
    struct tlog_epoch_terms terms;
    struct tlog_vote votes[TLOG_MAX_NODES];
    uint8_t key[32];
    unsigned n;
    bool ours;
    TRY(read_cert(&terms, votes, &n, key, &ours, core, in));
    TRY(bytes_end(in, "epoch moved"));
    return vault_share_supersede(core, key, terms.epoch);
}

/* A member erases nothing before its own share of the epoch is live. */
static enum rc ours_is_live(struct vault_core *core, const uint8_t key[32],
                            const struct tlog_epoch_terms *terms)
{
    unsigned at;
    const struct vault_share *s = vault_share_find(core, &at, key,
                                                   terms->epoch);
    if (!s || s->state != VAULT_ACTIVE || !vault_terms_equal(&s->terms, terms))
        return rc_raise(RC_ORDER, "retire: our share of epoch %llu is not live",
                        (unsigned long long)terms->epoch);
    return RC_OK;
}

/* And what was to be dealt from them: that is as good as the share. */
static void erase_before(struct vault_core *core, const uint8_t key[32],
                         uint64_t epoch)
{
    vault_reshare_drop_before(core, key, epoch);
    for (unsigned i = core->n_shares; i-- > 0;) {
        const struct vault_share *s = &core->share[i];
        if (memcmp(s->key, key, 32) != 0 || s->terms.epoch >= epoch)
            continue;
        vault_nonce_drop_key(core, key, s->terms.epoch);
        vault_share_remove(core, i);
    }
}

enum rc vault_on_epoch_retire(struct vault_core *core, struct bytes_writer *out,
                              struct bytes_reader *in,
                              const struct vault_request *req)
{
    (void)req;
    (void)out;
    struct tlog_epoch_terms terms;
    struct tlog_vote votes[TLOG_MAX_NODES];
    uint8_t key[32];
    unsigned n;
    bool ours;
    TRY(read_cert(&terms, votes, &n, key, &ours, core, in));
    for (unsigned i = 0; i < n; i++)
        bytes_get(in, votes[i].sig, 64);
    TRY(bytes_end(in, "epoch retire"));
    if (tlog_votes_check(&terms, TLOG_VOTE_ACTIVE, votes, n) != RC_OK)
        return rc_prefix(RC_VERIFY, "retire: acknowledgements: ");
    if (ours)
        TRY(ours_is_live(core, key, &terms));
    erase_before(core, key, terms.epoch);
    return RC_OK;
}

enum rc vault_on_destroy(struct vault_core *core, struct bytes_writer *out,
                         struct bytes_reader *in,
                         const struct vault_request *req)
{
    (void)req;
    uint8_t key[32];
    uint8_t sig[64] = { 0 };
    struct vault_share *s;
    unsigned at;
    bytes_get(in, key, 32);
    uint64_t epoch = bytes_get_u64(in);
    bool erase = bytes_get_u8(in) != 0;
    TRY(bytes_end(in, "destroy"));
    if (erase) {
        erase_before(core, key, UINT64_MAX);
    } else {
        TRY(vault_share_active(core, &s, &at, key, epoch));
        vault_share_statement(sig, core, TLOG_VOTE_DESTROYED, s);
    }
    bytes_put(out, sig, sizeof(sig));
    return RC_OK;
}
