/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A share that a custodian brings after its node is gone: to the vault, which
 * alone can open it, under a session of type recover. It can be dealt from; it
 * signs nothing.
 */
#include "sidecar/custody.h"

#include <string.h>

#include "base/hash.h"
#include "sidecar/inner.h"

/* Its newest epoch, as it was brought. */
static const struct wire_cert *newest(const struct wire_epoch_live *k)
{
    return k->live.n ? &k->live.at[0].cert : &k->birth.cert;
}

/* Under lock: the session is of this very key. */
static enum rc judge(struct node *n, const struct wire_recover *in)
{
    struct judged j;
    uint8_t key[32];
    TRY(session_judge(&j, n, &in->session));
    if (j.s.type != POLICY_S_RECOVER)
        return rc_raise(RC_POLICY, "session: not a recover");
    hash256(key, newest(&in->key)->group_key, 32);
    if (memcmp(j.s.key, key, 32) != 0)
        return rc_raise(RC_POLICY, "session: of another key than the "
                                   "certificate");
    const struct key *k = node_key_by_name(n, j.s.profile);
    if (k && memcmp(k->id, key, 32) != 0)
        return rc_raise(RC_CONFLICT, "key %s: its group key never changes",
                        k->name);
    return RC_OK;
}

/* Under lock, the certificate taken: the share is of the epoch it lives in. */
static enum rc is_newest(struct key **out, struct node *n,
                         const struct wire_cert *cert)
{
    uint8_t id[32];
    hash256(id, cert->group_key, 32);
    struct key *k = node_key_by_id(n, id);
    if (!k)
        return rc_raise(RC_UNKNOWN, "recover: the key is not known here");
    if (k->live.gone)
        return rc_raise(RC_POLICY, "key %s: destroyed", k->name);
    if (k->live.epoch != cert->epoch) {
        enum rc rc = rc_raise(RC_EPOCH_MOVED,
                              "key %s: the share is of epoch %llu, the key "
                              "is in epoch %llu",
                              k->name, (unsigned long long)cert->epoch,
                              (unsigned long long)k->live.epoch);
        rc_hint("bring the backups of epoch %llu",
                (unsigned long long)k->live.epoch);
        return rc;
    }
    *out = k;
    return RC_OK;
}

static enum rc into_vault(struct wire_recovered *out, struct node *n,
                          const struct wire_recover *in)
{
    struct tlog_epoch_terms terms;
    struct tlog_vote votes[TLOG_MAX_NODES];
    unsigned n_votes;
    uint16_t whose;
    struct key *k;
    if (in->parcel.len != VAULT_PARCEL_LEN)
        return rc_raise(RC_PARSE, "parcel: %zu bytes, want %d", in->parcel.len,
                        VAULT_PARCEL_LEN);
    TRY(cert_terms(&terms, votes, &n_votes, newest(&in->key)));
    TRY(vault_recover(n->w.vault, &whose, in->parcel.p, &terms, votes,
                      n_votes));
    node_lock(n);
    enum rc rc = is_newest(&k, n, newest(&in->key)); /* still */
    if (rc == RC_OK)
        k->live.brought = whose;
    node_unlock(n);
    TRY(rc);
    out->node = whose;
    out->epoch = terms.epoch;
    out->at = n->id;
    return RC_OK;
}

static enum rc on_share(char **json, size_t *json_len, struct node *n,
                        const uint8_t *body, size_t len)
{
    WIRE(recover) in = { 0 };
    struct wire_recovered out = { 0 };
    struct key *k;
    TRY(wire_recover_decode(&in, (const char *)body, len));
    node_lock(n);
    enum rc rc = judge(n, &in);
    node_unlock(n);
    TRY(rc);
    TRY(epoch_take(n, &in.key)); /* logged, and voted by all its members */
    node_lock(n);
    rc = is_newest(&k, n, newest(&in.key));
    node_unlock(n);
    TRY(rc);
    TRY(into_vault(&out, n, &in));
    return wire_recovered_encode(json, json_len, &out);
}

void recover_on_share(struct node *n, uint64_t call, const uint8_t *body,
                      size_t len)
{
    char *json = NULL;
    size_t json_len = 0;
    enum rc rc = on_share(&json, &json_len, n, body, len);
    node_answer(n, call, rc, json, json_len);
}
