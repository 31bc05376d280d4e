/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lead's part played by hand, one step at a time: what a node that was taken
 * over can ask of another. Public messages only.
 */
#include "test.h"

#include "sim.h"

#include "base/bytes.h"

uint64_t sim_commit(struct sim *s, struct wire_signer *out, unsigned node,
                    unsigned lead, const uint8_t key[32], uint64_t epoch)
{
    struct wire_commit ask = { .epoch = epoch, .count = 1 };
    OWNED_MEM char *json = NULL;
    OWNED_MEM char *reply = NULL;
    size_t len, reply_len;
    WIRE(commitments) got = { 0 };
    memcpy(ask.key, key, 32);
    assert_ok(wire_commit_encode(&json, &len, &ask));
    assert_ok(node_on_peer(s->node[node].node, lead, "/v1/frost/commit",
                           (uint8_t *)json, len, &reply, &reply_len));
    assert_ok(wire_commitments_decode(&got, reply, reply_len));
    out->node = node;
    memcpy(out->nonce, got.next.at[0].nonce, 16);
    memcpy(out->hiding, got.next.at[0].hiding, 32);
    memcpy(out->binding, got.next.at[0].binding, 32);
    return got.head;
}

void sim_log_intent(struct sim *s, struct wire_round2_item *item, unsigned lead,
                    uint64_t size, const struct tlog_intent *in)
{
    char entry[TLOG_ENTRY_MAX + 1];
    size_t entry_len, len, reply_len;
    WIRE(append) ask = { 0 };
    WIRE(appended) got = { 0 };
    OWNED_MEM char *json = NULL;
    OWNED_MEM char *reply = NULL;
    assert_ok(tlog_intent_encode(entry, &entry_len, in));
    assert_ok(wire_list_new(&ask.entries, 1));
    assert_ok(wire_text_set(&ask.entries.at[0], entry, entry_len));
    assert_ok(wire_list_new(&ask.sizes, 1));
    ask.sizes.at[0] = size;
    assert_ok(wire_append_encode(&json, &len, &ask));
    assert_ok(sim_log_serve(s, (uint16_t)lead, "/v1/log/append",
                            (uint8_t *)json, len, &reply, &reply_len));
    assert_ok(wire_appended_decode(&got, reply, reply_len));
    wire_proof_free(&item->intent);
    wire_growth_free(&item->growth);
    item->intent = got.proofs.at[0]; /* both moved */
    memset(&got.proofs.at[0], 0, sizeof(got.proofs.at[0]));
    if (got.growth.n == 0)
        return; /* a log that has shrunk: it never had that size */
    item->growth = got.growth.at[0];
    memset(&got.growth.at[0], 0, sizeof(got.growth.at[0]));
}

static enum rc sent(struct sim *s, unsigned lead, unsigned signer,
                    const struct wire_round2 *m, const void *msg,
                    size_t msg_len, uint8_t share[32], char why[SIM_WHY])
{
    static const uint8_t zeros[32];
    OWNED_MEM char *json = NULL;
    OWNED_MEM char *reply = NULL;
    size_t len, reply_len;
    uint8_t body[65536];
    WIRE(round2_reply) out = { 0 };
    struct bytes_writer w = bytes_writer(body, sizeof(body));
    assert_ok(wire_round2_encode(&json, &len, m));
    bytes_put_lp32(&w, json, len);
    bytes_put(&w, msg, msg_len);
    assert_ok(bytes_written(&w));
    enum rc rc = node_on_peer(s->node[signer].node, lead, "/v1/frost/round2",
                              body, w.len, &reply, &reply_len);
    if (rc != RC_OK) {
        snprintf(why, SIM_WHY, "%s", rc_text());
        return rc;
    }
    sim_watch(s, (uint16_t)signer, body, w.len, reply, reply_len);
    assert_ok(wire_round2_reply_decode(&out, reply, reply_len));
    const struct wire_round2_result *r = &out.items.at[0];
    rc = rc_from_slug(r->code);
    snprintf(why, SIM_WHY, "%s", r->message.p);
    memcpy(share, r->share, 32);
    if ((memcmp(share, zeros, 32) != 0) != (rc == RC_OK))
        sim_fail(s, "%s, and a share beside it", r->code);
    return rc;
}

enum rc sim_round2(struct sim *s, unsigned lead, unsigned signer,
                   const struct wire_round2 *m, const void *msg, size_t len,
                   uint8_t share[32])
{
    char why[SIM_WHY] = "";
    uint64_t before = sim_record_head(s, signer);
    memset(share, 0, 32);
    enum rc rc = sent(s, lead, signer, m, msg, len, share, why);
    sim_on_record(s, signer, lead, before, rc);
    return rc == RC_OK ? RC_OK : rc_raise(rc, "%s", why);
}
