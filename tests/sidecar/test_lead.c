/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lead that lies: requests a signer must refuse however well-formed they
 * are. Each is a true request with one thing changed, its intent logged like
 * any other, so that nothing but the change can be the reason.
 */
#include "test.h"

#include "sim.h"

#include <sodium.h>

#include "base/bytes.h"
#include "base/clock.h"

static const char *const keys[] = { "release", NULL };
static const char text[] = "an honest message";

struct forge {
    struct sim *s;
    struct wire_round2 caught; /* the honest request, as node2 got it */
    bool have;
    /* the one being made */
    struct wire_round2 m;
    struct wire_round2_item *item;
    struct wire_signer *mine; /* node2's row */
    struct tlog_intent in;
    char msg[64];
    size_t msg_len;
    uint64_t head; /* node2's */
};

typedef void change(struct forge *f);
static void nothing(struct forge *f)
{
    (void)f;
}

/* ---- changes before the intent is logged ----------------------------------- */

static void intent_attempt(struct forge *f)
{
    f->in.attempt++;
}
static void both_epoch(struct forge *f)
{
    f->item->epoch = f->in.epoch = 2;
}
static void far_expiry(struct forge *f)
{
    f->in.expires = clock_now_s() + 1000;
}
static void past_expiry(struct forge *f)
{
    f->in.expires = clock_now_s() - 1;
}
static void intent_session(struct forge *f)
{
    f->in.session[0] ^= 1;
}
static void intent_approvals(struct forge *f)
{
    f->in.approvals[0] ^= 1;
}
static void intent_policy(struct forge *f)
{
    f->in.policy[0] ^= 1;
}
static void intent_birth(struct forge *f)
{
    f->in.birth++;
}
static void intent_class(struct forge *f)
{
    snprintf(f->in.class, sizeof(f->in.class), "tls");
}
static void both_slot(struct forge *f)
{
    snprintf(f->in.slot, sizeof(f->in.slot), "cms");
    snprintf(f->item->slot, sizeof(f->item->slot), "cms");
}
static void intent_key(struct forge *f)
{
    f->in.key[0] ^= 1;
}
static void unknown_key(struct forge *f)
{
    f->in.key[0] ^= 1;
    f->item->key[0] ^= 1;
}
static void participants(struct forge *f)
{
    f->in.participants[0] ^= 1;
}
static void commitment(struct forge *f)
{
    f->in.commitment[0] ^= 1;
}
static void other_message(struct forge *f)
{
    struct policy_session session;
    assert_ok(policy_session_parse(&session, f->item->session.descriptor.p,
                                   f->item->session.descriptor.len));
    f->msg[0] ^= 1; /* and an intent that says so */
    tlog_commitment(f->in.commitment, session.nonce, (uint8_t *)f->msg,
                    f->msg_len);
}
static void hidden_message(struct forge *f)
{
    f->msg[0] ^= 1;
}
static void longer_than_sent(struct forge *f)
{
    f->item->message_len++;
}
static void other_descriptor(struct forge *f)
{
    uint8_t *at = f->item->session.descriptor.p;
    uint8_t *reason = (uint8_t *)strstr((char *)at, "local caller");
    assert_non_null(reason);
    reason[0] ^= 1;
}
static void attempt_too_high(struct forge *f)
{
    f->item->attempt = f->in.attempt = 6;
}
static void first_attempt_again(struct forge *f)
{
    f->item->attempt = f->in.attempt = 1;
}

/* ---- and after it ------------------------------------------------------------- */

static void not_what_is_logged(struct forge *f)
{
    char entry[TLOG_ENTRY_MAX + 1];
    size_t len;
    f->in.expires++;
    assert_ok(tlog_intent_encode(entry, &len, &f->in));
    assert_ok(wire_text_set(&f->item->intent.entry, entry, len));
}
static void broken_path(struct forge *f)
{
    assert_true(f->item->intent.path.n > 0);
    f->item->intent.path.at[0].b[0] ^= 1;
}
static void wrong_index(struct forge *f)
{
    f->item->intent.index--;
}
static void stolen_checkpoint(struct forge *f)
{
    char *at = strstr(f->item->intent.checkpoint.p, "\n\n");
    assert_non_null(at);
    at[-2] = at[-2] == 'A' ? 'B' : 'A'; /* a letter of the root */
}
static void no_growth(struct forge *f)
{
    f->item->growth.from = f->item->growth.to = 0;
    f->item->growth.path.n = 0;
}
static void false_growth(struct forge *f)
{
    assert_true(f->item->growth.path.n > 0);
    f->item->growth.path.at[0].b[0] ^= 1;
}
static void too_few_signers(struct forge *f)
{
    f->item->signers.n = 1;
}
static void without_us(struct forge *f)
{
    f->item->signers.at[1].node = 3;
}
static void descending(struct forge *f)
{
    struct wire_signer t = f->item->signers.at[0];
    f->item->signers.at[0] = f->item->signers.at[1];
    f->item->signers.at[1] = t;
}
static void a_stranger(struct forge *f)
{
    f->item->signers.at[1].node = 9;
}
static void nonce_of_nobody(struct forge *f)
{
    f->mine->nonce[15] ^= 1;
}

/* ---- making one ---------------------------------------------------------------- */

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

/* Copies by way of its own encoding. */
static void copy_caught(struct forge *f)
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
    f->item->growth = got.growth.at[0];
    memset(&got.proofs.at[0], 0, sizeof(got.proofs.at[0]));
    memset(&got.growth.at[0], 0, sizeof(got.growth.at[0]));
}

/* Sends it to node2 as node1; the code it is answered with. */
static enum rc send_it(struct forge *f)
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
    if (share != (rc == RC_OK))
        fail_msg("%s, and a share: %d", rc_slug(rc), share);
    return rc;
}

static enum rc forged(struct forge *f, uint64_t attempt, change *before,
                      change *after)
{
    copy_caught(f);
    fresh_commitment(f);
    assert_ok(tlog_intent_decode(&f->in, f->item->intent.entry.p,
                                 f->item->intent.entry.len));
    f->item->attempt = f->in.attempt = attempt;
    f->in.expires = clock_now_s() + 100;
    before(f);
    log_intent(f);
    after(f);
    return send_it(f);
}

static const struct lie {
    const char *why;
    change *before, *after;
    enum rc want;
} lies[] = {
    { "intent of another attempt", intent_attempt, nothing, RC_POLICY },
    { "an epoch that is not", both_epoch, nothing, RC_EPOCH_MOVED },
    { "good for too long", far_expiry, nothing, RC_EXPIRED },
    { "expired", past_expiry, nothing, RC_EXPIRED },
    { "intent of another session", intent_session, nothing, RC_POLICY },
    { "other approvals", intent_approvals, nothing, RC_POLICY },
    { "another policy", intent_policy, nothing, RC_POLICY },
    { "another birth", intent_birth, nothing, RC_POLICY },
    { "another class", intent_class, nothing, RC_POLICY },
    { "a slot the bytes are not", both_slot, nothing, RC_POLICY },
    { "intent of another key", intent_key, nothing, RC_POLICY },
    { "a key nobody holds", unknown_key, nothing, RC_UNKNOWN },
    { "other participants", participants, nothing, RC_POLICY },
    { "commits to another message", commitment, nothing, RC_LOG },
    { "another message than approved", other_message, nothing, RC_POLICY },
    { "another message than committed", hidden_message, nothing, RC_POLICY },
    { "more bytes than were sent", longer_than_sent, nothing, RC_PARSE },
    { "another descriptor", other_descriptor, nothing, RC_POLICY },
    { "one attempt too many", attempt_too_high, nothing, RC_SLOT_BURNT },
    { "an attempt that was used", first_attempt_again, nothing, RC_CONFLICT },
    { "not what is logged", nothing, not_what_is_logged, RC_LOG },
    { "a broken path", nothing, broken_path, RC_LOG },
    { "another place in the log", nothing, wrong_index, RC_LOG },
    { "a checkpoint nobody signed", nothing, stolen_checkpoint, RC_LOG },
    { "no proof from our head", nothing, no_growth, RC_HEAD_BEHIND },
    { "a false proof from our head", nothing, false_growth, RC_LOG },
    { "fewer signers than t", nothing, too_few_signers, RC_POLICY },
    { "a package without us", nothing, without_us, RC_PARSE },
    { "signers in disorder", nothing, descending, RC_PARSE },
    { "a signer the policy has not", nothing, a_stranger, RC_POLICY },
};

static void a_lying_lead_gets_no_share(void **state)
{
    (void)state;
    struct sim *s = sim_new(3, 3);
    struct forge f = { .s = s };
    sim_ready(s, keys);
    sim_crash(s, 3); /* so that nodes 1 and 2 sign */
    sim_want_ok(s, sim_sign(s, 1, "release", "", "before", 6, 5000));
    s->tamper = catch_it;
    s->tamper_ctx = &f;
    sim_want_ok(s, sim_sign(s, 1, "release", "", text, strlen(text), 5000));
    s->tamper = NULL;
    assert_true(f.have);
    unsigned shares = s->n_shares;
    for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
        enum rc rc = forged(&f, 2, lies[i].before, lies[i].after);
        if (rc != lies[i].want)
            fail_msg("%s: %s (%s), want %s", lies[i].why, rc_slug(rc),
                     rc_text(), rc_slug(lies[i].want));
    }
    assert_int_equal(s->n_shares, shares);
    /* none of them burnt attempt 2, and nothing but the lie was wrong */
    assert_int_equal(forged(&f, 2, nothing, nothing), RC_OK);
    /* what fails after the mark burns that attempt, and only that */
    assert_int_equal(forged(&f, 3, nothing, nonce_of_nobody), RC_UNKNOWN);
    assert_int_equal(forged(&f, 3, nothing, nothing), RC_CONFLICT);
    assert_int_equal(forged(&f, 4, nothing, nothing), RC_OK);
    /* and a restart of the signer forgets none of it */
    sim_crash(s, 2);
    sim_start(s, 2);
    sim_run(s, 50); /* it has heard what node1 has seen */
    assert_int_equal(forged(&f, 2, nothing, nothing), RC_CONFLICT);
    assert_int_equal(forged(&f, 4, nothing, nothing), RC_CONFLICT);
    assert_int_equal(forged(&f, 5, nothing, nothing), RC_OK);
    wire_round2_free(&f.caught);
    wire_round2_free(&f.m);
    sim_check(s);
    sim_free(s);
}

static void malformed_rounds_are_refused_whole(void **state)
{
    (void)state;
    struct sim *s = sim_new(4, 3);
    sim_ready(s, keys);
    const struct {
        const char *why, *path, *body;
        size_t len;
        uint32_t from;
        enum rc want;
    } cases[] = {
        { "empty", "/v1/frost/round2", "", 0, 1, RC_PARSE },
        { "short frame", "/v1/frost/round2", "\0\0\1\0{}", 6, 1, RC_PARSE },
        { "no items", "/v1/frost/round2",
          "\0\0\0\032{\"items\":[],\"want_next\":0}", 30, 1, RC_PARSE },
        { "no JSON", "/v1/frost/commit", "?", 1, 1, RC_PARSE },
        { "no JSON", "/v1/epoch/start", "?", 1, 1, RC_PARSE },
        { "no JSON", "/v1/epoch/deal", "?", 1, 1, RC_PARSE },
        { "no JSON", "/v1/epoch/finish", "?", 1, 1, RC_PARSE },
        { "no JSON", "/v1/epoch/activate", "?", 1, 1, RC_PARSE },
        { "no JSON", "/v1/policy", "?", 1, WORLD_LOG, RC_PARSE },
        { "the log signs nothing", "/v1/frost/commit", "{}", 2, WORLD_LOG,
          RC_AUTH },
        { "nor does the CA", "/v1/frost/round2", "{}", 2, WORLD_CA, RC_AUTH },
        { "no such path", "/v1/epoch/none", "{}", 2, 1, RC_UNKNOWN },
        { "no such path", "/v1/none", "{}", 2, 1, RC_UNKNOWN },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *reply = NULL;
        size_t len;
        enum rc rc = node_on_peer(s->node[2].node, cases[i].from, cases[i].path,
                                  (const uint8_t *)cases[i].body, cases[i].len,
                                  &reply, &len);
        if (rc != cases[i].want || reply)
            fail_msg("%s %s: %s (%s)", cases[i].path, cases[i].why, rc_slug(rc),
                     rc_text());
    }
    sim_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_lying_lead_gets_no_share, sim_teardown),
        cmocka_unit_test_teardown(malformed_rounds_are_refused_whole,
                                  sim_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
