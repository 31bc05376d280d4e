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

/* Under lock: the session is of this very key. */
static enum rc judge(struct node *n, const struct wire_recover *in)
{
    struct judged j;
    uint8_t key[32];
    TRY(session_judge(&j, n, &in->session));
    if (j.s.type != POLICY_S_RECOVER)
        return rc_raise(RC_POLICY, "session: not a recover");
    hash256(key, in->birth.cert.group_key, 32);
    if (memcmp(j.s.key, key, 32) != 0)
        return rc_raise(RC_POLICY, "session: of another key than the "
                                   "certificate");
    const struct key *k = node_key_by_name(n, j.s.profile);
    if (k && memcmp(k->id, key, 32) != 0)
        return rc_raise(RC_CONFLICT, "key %s: its group key never changes",
                        k->name);
    return RC_OK;
}

static enum rc take(struct wire_recovered *out, struct node *n,
                    const struct wire_recover *in)
{
    struct tlog_epoch_terms terms;
    struct tlog_vote votes[TLOG_MAX_NODES];
    unsigned n_votes;
    uint16_t whose;
    if (in->parcel.len != VAULT_PARCEL_LEN)
        return rc_raise(RC_PARSE, "parcel: %zu bytes, want %d", in->parcel.len,
                        VAULT_PARCEL_LEN);
    TRY(cert_terms(&terms, votes, &n_votes, &in->birth.cert));
    TRY(vault_recover(n->w.vault, &whose, in->parcel.p, &terms, votes,
                      n_votes));
    out->node = whose;
    out->epoch = terms.epoch;
    out->at = n->id;
    return RC_OK;
}

/* So that the key is known here; whoever was no member of its epoch takes it. */
static void learn(struct node *n, const struct wire_birth *birth)
{
    OWNED_MEM char *json = NULL;
    OWNED_MEM char *reply = NULL;
    size_t len;
    size_t reply_len;
    if (wire_birth_encode(&json, &len, birth) == RC_OK &&
        node_on_peer(n, n->id, "/v1/epoch/activate", (const uint8_t *)json, len,
                     &reply, &reply_len) != RC_OK)
        return; /* the epoch that recovers it brings it again */
}

static enum rc on_share(char **json, size_t *json_len, struct node *n,
                        const uint8_t *body, size_t len)
{
    WIRE(recover) in = { 0 };
    struct wire_recovered out = { 0 };
    TRY(wire_recover_decode(&in, (const char *)body, len));
    node_lock(n);
    enum rc rc = judge(n, &in);
    node_unlock(n);
    TRY(rc);
    TRY(take(&out, n, &in));
    learn(n, &in.birth);
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
