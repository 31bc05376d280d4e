/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of shares: PREPARED by a DKG, ACTIVE once every member voted for
 * the same terms, OLD when the key has moved on. Public halves here; the
 * shares themselves stand at the same index in the secret arena.
 */
#include "vault/inner.h"

#include <string.h>

#include "base/hash.h"

/* ---- the table --------------------------------------------------------- */

void vault_members_hash(uint8_t out[32], const uint16_t *ids,
                        const uint8_t (*ys)[32], unsigned n)
{
    crypto_hash_sha256_state st;
    static const char tag[] = "mpc/members/v1";
    crypto_hash_sha256_init(&st);
    crypto_hash_sha256_update(&st, (const uint8_t *)tag, sizeof(tag));
    for (unsigned i = 0; i < n; i++) {
        const uint8_t id[2] = { (uint8_t)(ids[i] >> 8), (uint8_t)ids[i] };
        crypto_hash_sha256_update(&st, id, sizeof(id));
        crypto_hash_sha256_update(&st, ys[i], 32);
    }
    crypto_hash_sha256_final(&st, out);
}

struct vault_share *vault_share_find(struct vault_core *core, unsigned *at,
                                     const uint8_t key[32], uint64_t epoch)
{
    for (unsigned i = 0; i < core->n_shares; i++) {
        struct vault_share *s = &core->share[i];
        if (s->terms.epoch == epoch && memcmp(s->key, key, 32) == 0) {
            *at = i;
            return s;
        }
    }
    return NULL;
}

enum rc vault_share_add(struct vault_core *core, const struct vault_share *pub,
                        const struct frost_scalar *share)
{
    unsigned at;
    if (vault_share_find(core, &at, pub->key, pub->terms.epoch))
        return rc_raise(RC_EXISTS, "share: this key and epoch is held");
    if (core->n_shares == VAULT_MAX_SHARES)
        return rc_raise(RC_NOMEM, "share: %d are held; forget some",
                        VAULT_MAX_SHARES);
    at = core->n_shares++;
    core->share[at] = *pub;
    core->secret->share[at] = *share;
    return RC_OK;
}

enum rc vault_share_conclude(struct vault_core *core, struct bytes_writer *out,
                             const struct vault_share *pub,
                             const struct frost_scalar *share,
                             const uint8_t (*ys)[32])
{
    uint8_t sealed[VAULT_SEALED_SHARE_MAX];
    size_t sealed_len = 0;
    if (pub->persistent)
        TRY(vault_share_seal(core, sealed, &sealed_len, pub, share));
    bytes_put(out, pub->terms.group_key, 32);
    bytes_put(out, pub->terms.transcript, 32);
    bytes_put_u64(out, pub->terms.parent);
    bytes_put(out, pub->y, 32);
    bytes_put_u16(out, pub->terms.n);
    for (unsigned i = 0; i < pub->terms.n; i++)
        bytes_put(out, ys[i], 32);
    bytes_put_lp16(out, sealed, sealed_len);
    TRY(bytes_written(out));
    return vault_share_add(core, pub, share);
}

void vault_share_remove(struct vault_core *core, unsigned at)
{
    unsigned last = --core->n_shares;
    vault_split_drop(core, core->share[at].terms.session,
                     core->share[at].terms.epoch);
    core->share[at] = core->share[last];
    core->secret->share[at] = core->secret->share[last];
    memset(&core->share[last], 0, sizeof(core->share[last]));
    sodium_memzero(&core->secret->share[last], sizeof(struct frost_scalar));
}

enum rc vault_share_active(struct vault_core *core, struct vault_share **out,
                           unsigned *at, const uint8_t key[32], uint64_t epoch)
{
    struct vault_share *s = vault_share_find(core, at, key, epoch);
    if (s && s->state == VAULT_ACTIVE) {
        *out = s;
        return RC_OK;
    }
    bool known = false; /* there is or was a live one */
    for (unsigned i = 0; i < core->n_shares && !known; i++)
        known = core->share[i].state != VAULT_PREPARED &&
                memcmp(core->share[i].key, key, 32) == 0;
    if (s && !known)
        return rc_raise(RC_ORDER, "share: prepared, not active");
    if (known)
        return rc_raise(RC_EPOCH_MOVED,
                        "share: epoch %llu is not the key's live one here",
                        (unsigned long long)epoch);
    return rc_raise(RC_UNKNOWN, "share: no such key here");
}

bool vault_share_member(const struct vault_share *s, uint16_t node)
{
    for (unsigned i = 0; i < s->terms.n; i++)
        if (s->ids[i] == node)
            return true;
    return false;
}

/* ---- votes ------------------------------------------------------------- */

void vault_share_statement(uint8_t sig[64], const struct vault_core *core,
                           const char *tag, const struct vault_share *s)
{
    uint8_t msg[TLOG_VOTE_MESSAGE_MAX];
    size_t len;
    tlog_vote_message(msg, &len, tag, &s->terms, core->node, s->y);
    crypto_sign_detached(sig, NULL, msg, len, core->secret->identity);
}

/* What came back from disk must be the share we hold. */
static enum rc share_read_back(struct vault_core *core, struct vault_share *s,
                               unsigned at, const uint8_t *sealed, size_t len)
{
    WIPED(frost_scalar) got;
    struct vault_share pub = *s;
    if (len == 0)
        return rc_raise(RC_ORDER, "share: sealed share was not read back");
    TRY(vault_share_unseal(core, &pub, &got, sealed, len));
    if (sodium_memcmp(got.le, core->secret->share[at].le, 32) != 0 ||
        memcmp(pub.y, s->y, 32) != 0 ||
        memcmp(pub.roster, s->roster, 32) != 0 ||
        memcmp(pub.members, s->members, 32) != 0)
        return rc_raise(RC_STORE, "share: another one came back from disk");
    s->stored = true;
    return RC_OK;
}

enum rc vault_on_vote(struct vault_core *core, struct bytes_writer *out,
                      struct bytes_reader *in, const struct vault_request *req)
{
    (void)req;
    uint8_t session[32];
    uint8_t sig[64];
    size_t len;
    bytes_get(in, session, 32);
    uint64_t epoch = bytes_get_u64(in); /* 0: a session with one epoch */
    const uint8_t *sealed = bytes_take_lp16(in, &len);
    TRY(bytes_end(in, "vote"));
    unsigned at = 0;
    while (at < core->n_shares &&
           (memcmp(core->share[at].terms.session, session, 32) != 0 ||
            (epoch && core->share[at].terms.epoch != epoch)))
        at++;
    if (at == core->n_shares)
        return rc_raise(RC_UNKNOWN, "vote: no share of this session");
    struct vault_share *s = &core->share[at];
    if (s->persistent)
        TRY(share_read_back(core, s, at, sealed, len));
    vault_share_statement(sig, core, TLOG_VOTE_PREPARED, s);
    bytes_put(out, sig, sizeof(sig));
    return RC_OK;
}

enum rc vault_votes_judge(bool *ours, const struct vault_core *core,
                          const struct tlog_epoch_terms *terms,
                          const struct tlog_vote *votes, unsigned n)
{
    *ours = false;
    if (terms->t < 2 || terms->n < terms->t || n != terms->n)
        return rc_raise(RC_VERIFY, "activate: %u votes for %u of %u", n,
                        terms->t, terms->n);
    for (unsigned i = 0; i < n; i++) {
        const struct tlog_roster_node *node = tlog_roster_find(
                &core->roster->of, votes[i].node);
        if (!node || memcmp(node->identity, votes[i].identity, 32) != 0)
            return rc_raise(RC_VERIFY,
                            "activate: vote of node %u is not under its "
                            "identity in the roster",
                            votes[i].node);
        *ours = *ours || votes[i].node == core->node;
    }
    return tlog_votes_check(terms, TLOG_VOTE_PREPARED, votes, n);
}

void vault_votes_members(struct vault_share *pub, const struct tlog_vote *votes,
                         unsigned n)
{
    uint8_t ys[TLOG_MAX_NODES][32];
    for (unsigned i = 0; i < n; i++) {
        pub->ids[i] = votes[i].node;
        memcpy(ys[i], votes[i].y, 32);
    }
    vault_members_hash(pub->members, pub->ids, ys, n);
}

bool vault_terms_equal(const struct tlog_epoch_terms *a,
                       const struct tlog_epoch_terms *b)
{
    return memcmp(a->session, b->session, 32) == 0 &&
           memcmp(a->group_key, b->group_key, 32) == 0 &&
           memcmp(a->transcript, b->transcript, 32) == 0 &&
           a->epoch == b->epoch && a->parent == b->parent && a->t == b->t &&
           a->n == b->n;
}

/* After a restart: the share comes from its sealed form. */
static enum rc share_restore(struct vault_core *core,
                             const struct vault_share *voted,
                             const uint8_t *sealed, size_t len)
{
    WIPED(frost_scalar) share;
    struct vault_share pub = *voted;
    if (len == 0)
        return rc_raise(RC_UNKNOWN, "activate: no such share here");
    TRY(vault_share_unseal(core, &pub, &share, sealed, len));
    if (memcmp(pub.members, voted->members, 32) != 0)
        return rc_raise(RC_VERIFY, "activate: the votes are of others than "
                                   "the share's members");
    pub.state = VAULT_PREPARED;
    pub.persistent = true;
    pub.stored = true;
    return vault_share_add(core, &pub, &share);
}

/* The key lives again: what custodians brought has served. */
static void drop_brought(struct vault_core *core, const uint8_t key[32],
                         uint64_t epoch)
{
    for (unsigned i = core->n_shares; i-- > 0;) {
        const struct vault_share *s = &core->share[i];
        if (s->brought && s->terms.epoch < epoch &&
            memcmp(s->key, key, 32) == 0)
            vault_share_remove(core, i);
    }
}

enum rc vault_share_supersede(struct vault_core *core, const uint8_t key[32],
                              uint64_t epoch)
{
    for (unsigned i = 0; i < core->n_shares; i++) {
        const struct vault_share *o = &core->share[i];
        if (memcmp(o->key, key, 32) == 0 && o->state != VAULT_PREPARED &&
            o->terms.epoch > epoch)
            return rc_raise(RC_EPOCH_MOVED, "activate: epoch %llu is live",
                            (unsigned long long)o->terms.epoch);
    }
    for (unsigned i = 0; i < core->n_shares; i++) {
        struct vault_share *o = &core->share[i];
        if (memcmp(o->key, key, 32) == 0 && o->terms.epoch < epoch &&
            o->state == VAULT_ACTIVE) {
            o->state = VAULT_OLD;
            vault_nonce_drop_key(core, o->key, o->terms.epoch);
        }
    }
    drop_brought(core, key, epoch);
    return RC_OK;
}

static enum rc share_activate(struct vault_core *core, uint8_t ack[64],
                              const struct vault_share *voted,
                              const uint8_t *sealed, size_t len)
{
    unsigned at;
    if (!vault_share_find(core, &at, voted->key, voted->terms.epoch))
        TRY(share_restore(core, voted, sealed, len));
    struct vault_share *s = vault_share_find(core, &at, voted->key,
                                             voted->terms.epoch);
    if (!s)
        return rc_raise(RC_INTERNAL, "activate: the share is gone");
    if (!vault_terms_equal(&s->terms, &voted->terms) ||
        memcmp(s->members, voted->members, 32) != 0)
        return rc_raise(RC_VERIFY, "activate: the votes are over other terms "
                                   "than our share");
    if (s->persistent && !s->stored)
        TRY(share_read_back(core, s, at, sealed, len));
    TRY(vault_share_supersede(core, voted->key, voted->terms.epoch));
    s = vault_share_find(core, &at, voted->key, voted->terms.epoch);
    if (!s)
        return rc_raise(RC_INTERNAL, "activate: the share is gone");
    s->state = VAULT_ACTIVE;
    vault_share_statement(ack, core, TLOG_VOTE_ACTIVE, s);
    return RC_OK;
}

enum rc vault_on_activate(struct vault_core *core, struct bytes_writer *out,
                          struct bytes_reader *in,
                          const struct vault_request *req)
{
    (void)req;
    uint8_t ack[64];
    size_t len;
    bool ours;
    struct tlog_vote votes[TLOG_MAX_NODES];
    struct vault_share voted = { .persistent = false };
    vault_get_epoch_terms(in, &voted.terms);
    unsigned n = vault_get_votes(in, votes);
    const uint8_t *sealed = bytes_take_lp16(in, &len);
    TRY(bytes_end(in, "activate"));
    TRY(vault_votes_judge(&ours, core, &voted.terms, votes, n));
    if (!ours)
        return rc_raise(RC_VERIFY, "activate: our own vote is missing");
    hash256(voted.key, voted.terms.group_key, 32);
    vault_votes_members(&voted, votes, n);
    TRY(share_activate(core, ack, &voted, sealed, len));
    bytes_put(out, ack, sizeof(ack));
    return RC_OK;
}

enum rc vault_on_forget(struct vault_core *core, struct bytes_writer *out,
                        struct bytes_reader *in,
                        const struct vault_request *req)
{
    (void)req;
    (void)out;
    uint8_t key[32];
    unsigned at;
    bytes_get(in, key, 32);
    uint64_t epoch = bytes_get_u64(in);
    TRY(bytes_end(in, "forget"));
    vault_nonce_drop_key(core, key, epoch);
    if (vault_share_find(core, &at, key, epoch))
        vault_share_remove(core, at);
    return RC_OK;
}
