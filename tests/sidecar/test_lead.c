/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lead that lies: requests a signer must refuse however well-formed they
 * are. Each is a true request with one thing changed, its intent logged like
 * any other, so that nothing but the change can be the reason.
 */
#include "test.h"

#include "forge.h"

#include "base/clock.h"

static const char *const keys[] = { "release", NULL };

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

/* ---- all of them ------------------------------------------------------------ */

static const struct lie {
    const char *why;
    forge_change *before, *after;
    enum rc want;
} lies[] = {
    { "intent of another attempt", intent_attempt, forge_nothing, RC_POLICY },
    { "an epoch that is not", both_epoch, forge_nothing, RC_EPOCH_MOVED },
    { "good for too long", far_expiry, forge_nothing, RC_EXPIRED },
    { "expired", past_expiry, forge_nothing, RC_EXPIRED },
    { "intent of another session", intent_session, forge_nothing, RC_POLICY },
    { "other approvals", intent_approvals, forge_nothing, RC_POLICY },
    { "another policy", intent_policy, forge_nothing, RC_POLICY },
    { "another birth", intent_birth, forge_nothing, RC_POLICY },
    { "another class", intent_class, forge_nothing, RC_POLICY },
    { "a slot the bytes are not", both_slot, forge_nothing, RC_POLICY },
    { "intent of another key", intent_key, forge_nothing, RC_POLICY },
    { "a key nobody holds", unknown_key, forge_nothing, RC_UNKNOWN },
    { "other participants", participants, forge_nothing, RC_POLICY },
    { "commits to another message", commitment, forge_nothing, RC_LOG },
    { "another message than approved", other_message, forge_nothing,
      RC_POLICY },
    { "another message than committed", hidden_message, forge_nothing,
      RC_POLICY },
    { "more bytes than were sent", longer_than_sent, forge_nothing, RC_PARSE },
    { "another descriptor", other_descriptor, forge_nothing, RC_POLICY },
    { "one attempt too many", attempt_too_high, forge_nothing, RC_SLOT_BURNT },
    { "an attempt that was used", first_attempt_again, forge_nothing,
      RC_CONFLICT },
    { "not what is logged", forge_nothing, not_what_is_logged, RC_LOG },
    { "a broken path", forge_nothing, broken_path, RC_LOG },
    { "another place in the log", forge_nothing, wrong_index, RC_LOG },
    { "a checkpoint nobody signed", forge_nothing, stolen_checkpoint, RC_LOG },
    { "no proof from our head", forge_nothing, no_growth, RC_HEAD_BEHIND },
    { "a false proof from our head", forge_nothing, false_growth, RC_LOG },
    { "fewer signers than t", forge_nothing, too_few_signers, RC_POLICY },
    { "a package without us", forge_nothing, without_us, RC_PARSE },
    { "signers in disorder", forge_nothing, descending, RC_PARSE },
    { "a signer the policy has not", forge_nothing, a_stranger, RC_POLICY },
};

static void a_lying_lead_gets_no_share(void **state)
{
    (void)state;
    struct sim *s = sim_new(3, 3);
    struct forge f;
    sim_ready(s, keys);
    forge_catch(&f, s);
    unsigned shares = s->n_shares;
    for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
        enum rc rc = forge_ask(&f, 2, lies[i].before, lies[i].after);
        if (rc != lies[i].want)
            fail_msg("%s: %s (%s), want %s", lies[i].why, rc_slug(rc),
                     rc_text(), rc_slug(lies[i].want));
    }
    assert_int_equal(s->n_shares, shares);
    /* none of them burnt attempt 2, and nothing but the lie was wrong */
    assert_int_equal(forge_ask(&f, 2, forge_nothing, forge_nothing), RC_OK);
    /* what fails after the mark burns that attempt, and only that */
    assert_int_equal(forge_ask(&f, 3, forge_nothing, nonce_of_nobody),
                     RC_UNKNOWN);
    assert_int_equal(forge_ask(&f, 3, forge_nothing, forge_nothing),
                     RC_CONFLICT);
    assert_int_equal(forge_ask(&f, 4, forge_nothing, forge_nothing), RC_OK);
    /* and a restart of the signer forgets none of it */
    sim_crash(s, 2);
    sim_start(s, 2);
    sim_run(s, 50); /* it has heard what node1 has seen */
    assert_int_equal(forge_ask(&f, 2, forge_nothing, forge_nothing),
                     RC_CONFLICT);
    assert_int_equal(forge_ask(&f, 4, forge_nothing, forge_nothing),
                     RC_CONFLICT);
    assert_int_equal(forge_ask(&f, 5, forge_nothing, forge_nothing), RC_OK);
    forge_free(&f);
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
        { "the log signs forge_nothing", "/v1/frost/commit", "{}", 2, WORLD_LOG,
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
