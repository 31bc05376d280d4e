/* SPDX-License-Identifier: Apache-2.0 */
/* See forge.h. Public messages only. */
#include "test.h"

#include "forge.h"

#include <sodium.h>

#include "base/bytes.h"
#include "base/clock.h"

static const char text[] = "an honest message";

static void catch_it(struct sim *s, uint32_t from, uint32_t to,
                     const char *path, bool reply, uint8_t **body, size_t *len)
{
    struct forge *f = s->tamper_ctx;
    (void)from;
    if (f->have || reply || to != 2 || strcmp(path, "/v1/frost/round2") != 0)
        return;
    struct bytes_reader r = bytes_reader(*body, *len);
    size_t json_len;
    const char *json = (const char *)bytes_take_lp32(&r, &json_len);
    assert_ok(wire_round2_decode(&f->caught, json, json_len));
    f->have = true;
}

void forge_copy(struct forge *f)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    wire_round2_free(&f->m);
    assert_ok(wire_round2_encode(&json, &len, &f->caught));
    assert_ok(wire_round2_decode(&f->m, json, len));
    f->item = &f->m.items.at[0];
    assert_int_equal(f->item->signers.n, 2);
    f->mine = &f->item->signers.at[1];
    assert_int_equal(f->mine->node, 2);
    snprintf(f->msg, sizeof(f->msg), "%s", text);
    f->msg_len = strlen(text);
}

static void fresh_commitment(struct forge *f)
{
    struct wire_commit ask = { .epoch = 1, .count = 1 };
    OWNED_MEM char *json = NULL;
    OWNED_MEM char *reply = NULL;
    size_t len, reply_len;
    WIRE(commitments) got = { 0 };
    memcpy(ask.key, f->item->key, 32);
    assert_ok(wire_commit_encode(&json, &len, &ask));
    assert_ok(node_on_peer(f->s->node[2].node, 1, "/v1/frost/commit",
                           (uint8_t *)json, len, &reply, &reply_len));
    assert_ok(wire_commitments_decode(&got, reply, reply_len));
    memcpy(f->mine->nonce, got.next.at[0].nonce, 16);
    memcpy(f->mine->hiding, got.next.at[0].hiding, 32);
    memcpy(f->mine->binding, got.next.at[0].binding, 32);
    f->head = got.head;
}

static void log_intent(struct forge *f)
{
    char entry[TLOG_ENTRY_MAX + 1];
    size_t entry_len, len, reply_len;
    WIRE(append) ask = { 0 };
    WIRE(appended) got = { 0 };
    OWNED_MEM char *json = NULL;
    OWNED_MEM char *reply = NULL;
    assert_ok(tlog_intent_encode(entry, &entry_len, &f->in));
    assert_ok(wire_list_new(&ask.entries, 1));
    assert_ok(wire_text_set(&ask.entries.at[0], entry, entry_len));
    assert_ok(wire_list_new(&ask.sizes, 1));
    ask.sizes.at[0] = f->head;
    assert_ok(wire_append_encode(&json, &len, &ask));
    assert_ok(sim_log_serve(f->s, 1, "/v1/log/append", (uint8_t *)json, len,
                            &reply, &reply_len));
    assert_ok(wire_appended_decode(&got, reply, reply_len));
    wire_proof_free(&f->item->intent);
    wire_growth_free(&f->item->growth);
    f->item->intent = got.proofs.at[0]; /* both moved */
    memset(&got.proofs.at[0], 0, sizeof(got.proofs.at[0]));
    if (got.growth.n == 0)
        return; /* a log that has shrunk: it never had that size */
    f->item->growth = got.growth.at[0];
    memset(&got.growth.at[0], 0, sizeof(got.growth.at[0]));
}

static enum rc sent(struct forge *f)
{
    OWNED_MEM char *json = NULL;
    OWNED_MEM char *reply = NULL;
    size_t len, reply_len;
    uint8_t body[65536];
    WIRE(round2_reply) out = { 0 };
    static const uint8_t zeros[32];
    struct bytes_writer w = bytes_writer(body, sizeof(body));
    assert_ok(wire_round2_encode(&json, &len, &f->m));
    bytes_put_lp32(&w, json, len);
    bytes_put(&w, f->msg, f->msg_len);
    assert_ok(bytes_written(&w));
    TRY(node_on_peer(f->s->node[2].node, 1, "/v1/frost/round2", body, w.len,
                     &reply, &reply_len));
    sim_watch(f->s, 2, body, w.len, reply, reply_len);
    assert_ok(wire_round2_reply_decode(&out, reply, reply_len));
    enum rc rc = rc_from_slug(out.items.at[0].code);
    bool share = memcmp(out.items.at[0].share, zeros, 32) != 0;
    memcpy(f->share, out.items.at[0].share, 32);
    if (share != (rc == RC_OK))
        fail_msg("%s, and a share: %d", rc_slug(rc), share);
    return rc;
}

enum rc forge_send(struct forge *f)
{
    char why[960];
    uint64_t before = sim_record_head(f->s, 2);
    enum rc rc = sent(f);
    snprintf(why, sizeof(why), "%s", rc == RC_OK ? "" : rc_text());
    sim_on_record(f->s, 2, 1, before, rc);
    return rc == RC_OK ? rc : rc_raise(rc, "%s", why);
}

enum rc forge_ask(struct forge *f, uint64_t attempt, forge_change *before,
                  forge_change *after)
{
    forge_copy(f);
    fresh_commitment(f);
    assert_ok(tlog_intent_decode(&f->in, f->item->intent.entry.p,
                                 f->item->intent.entry.len));
    f->item->attempt = f->in.attempt = attempt;
    f->in.expires = clock_now_s() + 100;
    before(f);
    log_intent(f);
    after(f);
    return forge_send(f);
}

void forge_catch(struct forge *f, struct sim *s)
{
    *f = (struct forge){ .s = s };
    sim_crash(s, 3);
    sim_want_ok(s, sim_sign(s, 1, "release", "", "before", 6, 5000));
    s->tamper = catch_it;
    s->tamper_ctx = f;
    sim_want_ok(s, sim_sign(s, 1, "release", "", text, strlen(text), 5000));
    s->tamper = NULL;
    assert_true(f->have);
}

void forge_free(struct forge *f)
{
    wire_round2_free(&f->caught);
    wire_round2_free(&f->m);
}
