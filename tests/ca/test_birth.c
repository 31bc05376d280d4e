/* SPDX-License-Identifier: Apache-2.0 */
/* Births that must not be believed, each wrong in one thing. */
#include "world.h"

static struct world w;

static int open_world(void **state)
{
    (void)state;
    world_open(&w);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

static enum rc check(const struct wire_birth *b)
{
    const struct policy_profile *profile;
    struct tlog_birth entry;
    struct policy_session session;
    return ca_birth_check(&profile, &entry, &session, w.chain, b);
}

static void honest_birth_is_believed(void **state)
{
    (void)state;
    static const struct world_plan plans[] = {
        { 0 },
        { .profile = "ca" },
        { .profile = "web" },
        { .profile = "once", .sign_session = true },
    };
    for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
        WIRE(birth) b = { 0 };
        const struct policy_profile *profile = NULL;
        struct tlog_birth entry;
        struct policy_session session;
        world_birth(&b, &w, &plans[i]);
        assert_ok(ca_birth_check(&profile, &entry, &session, w.chain, &b));
        assert_string_equal(profile->name,
                            plans[i].profile ? plans[i].profile : "release");
        assert_memory_equal(entry.session, session.id, 32);
    }
}

/* ---- one thing wrong --------------------------------------------------------------- */

static void other_class(struct tlog_birth *e)
{
    snprintf(e->class, sizeof(e->class), "issuer");
}
static void other_threshold(struct tlog_birth *e)
{
    e->threshold = 3;
}
static void other_participants(struct tlog_birth *e)
{
    e->participants[0] ^= 1;
}
static void other_endorsements(struct tlog_birth *e)
{
    e->endorsements[31] ^= 1;
}
static void other_approvals(struct tlog_birth *e)
{
    e->approvals[0] ^= 1;
}
static void other_policy(struct tlog_birth *e)
{
    e->policy[0] ^= 1;
}
static void genesis_policy(struct tlog_birth *e)
{
    memcpy(e->policy, policy_chain_genesis(w.chain), 32);
}
static void other_key(struct tlog_birth *e)
{
    e->key[0] ^= 1;
}
static void other_session(struct tlog_birth *e)
{
    e->session[0] ^= 1;
}
static void flip_vote(struct wire_birth *b)
{
    b->cert.votes.at[1].sig[5] ^= 1;
}
static void flip_y(struct wire_birth *b)
{
    b->cert.votes.at[0].y[0] ^= 1;
}
static void flip_transcript(struct wire_birth *b)
{
    b->cert.transcript[0] ^= 1;
}
static void flip_group_key(struct wire_birth *b)
{
    b->cert.group_key[0] ^= 1;
}
static void raise_epoch(struct wire_birth *b)
{
    b->cert.epoch++;
}
static void swap_votes(struct wire_birth *b)
{
    struct wire_vote v = b->cert.votes.at[0];
    b->cert.votes.at[0] = b->cert.votes.at[1];
    b->cert.votes.at[1] = v;
}
static void repeat_vote(struct wire_birth *b)
{
    b->cert.votes.at[1] = b->cert.votes.at[0];
}
static void drop_vote(struct wire_birth *b)
{
    b->cert.votes.n--;
}
static void no_votes(struct wire_birth *b)
{
    b->cert.votes.n = 0;
}
static void node_zero(struct wire_birth *b)
{
    b->cert.votes.at[0].node = 0;
}
static void flip_entry(struct wire_birth *b)
{
    char *hex = strstr(b->proof.entry.p, "\nkey ") + 5;
    *hex = *hex == '0' ? '1' : '0';
}
static void other_index(struct wire_birth *b)
{
    b->proof.index--;
}
static void flip_path(struct wire_birth *b)
{
    b->proof.path.at[0].b[0] ^= 1;
}
static void flip_checkpoint(struct wire_birth *b)
{
    char *sig = b->proof.checkpoint.p + b->proof.checkpoint.len - 10;
    *sig = *sig == 'A' ? 'B' : 'A';
}
static void drop_approval(struct wire_birth *b)
{
    free(b->approvals.at[--b->approvals.n].p);
}
static void same_approval_twice(struct wire_birth *b)
{
    free(b->approvals.at[1].p);
    b->approvals.at[1] = (struct wire_blob){ 0 };
    assert_ok(wire_blob_set(&b->approvals.at[1], b->approvals.at[0].p,
                            b->approvals.at[0].len));
}
static void flip_approval(struct wire_birth *b)
{
    struct wire_blob *a = &b->approvals.at[0];
    uint8_t *sig = memmem(a->p, a->len, "\"signature\":\"", 13);
    assert_non_null(sig);
    uint8_t *end = memchr(sig + 13, '"', a->len - (size_t)(sig + 13 - a->p));
    end[-10] = end[-10] == 'A' ? 'B' : 'A'; /* within the last 64 bytes */
}
static void flip_descriptor(struct wire_birth *b)
{
    uint8_t *reason = memmem(b->descriptor.p, b->descriptor.len, "\"test\"", 6);
    assert_non_null(reason);
    reason[1] = 'b';
}

static void wrong_birth_is_refused(void **state)
{
    (void)state;
    static const struct {
        struct world_plan plan;
        enum rc want;
        const char *why;
    } cases[] = {
        { { .spoil_entry = other_class }, RC_POLICY, "another class" },
        { { .spoil_entry = other_threshold }, RC_POLICY, "another threshold" },
        { { .spoil_entry = other_participants },
          RC_POLICY,
          "another set of participants" },
        { { .spoil_entry = other_endorsements },
          RC_POLICY,
          "other endorsements" },
        { { .spoil_entry = other_approvals }, RC_POLICY, "other approvals" },
        { { .spoil_entry = other_policy }, RC_POLICY, "an unknown policy" },
        { { .spoil_entry = genesis_policy },
          RC_POLICY_CHANGED,
          "a policy that is not its session's" },
        { { .spoil_entry = other_key }, RC_POLICY, "another key" },
        { { .spoil_entry = other_session }, RC_POLICY, "another session" },
        { { .threshold = 3 }, RC_POLICY, "a threshold of its own" },
        { { .parent = 1 }, RC_POLICY, "a parent: not a birth" },
        { { .fewer_votes = 1 }, RC_POLICY, "one member did not endorse" },
        { { .stranger = true }, RC_POLICY, "an identity of its own choosing" },
        { { .no_stewards = 1 }, RC_NOT_APPROVED, "one steward of two" },
        { { .no_stewards = 2 }, RC_NOT_APPROVED, "no approval" },
        { { .no_requester = true }, RC_NOT_APPROVED, "nobody asked" },
        { { .sign_session = true },
          RC_POLICY,
          "made in a sign session, though persistent" },
        { { .profile = "once" },
          RC_POLICY,
          "created like a persistent one, though ephemeral" },
        { { .profile = "once", .sign_session = true, .fewer_votes = 1 },
          RC_OK,
          "ephemeral: t of three" },
        { { .profile = "crowd", .sign_session = true, .fewer_votes = 1 },
          RC_OK,
          "ephemeral: t + 1 of four" },
        { { .profile = "once", .sign_session = true, .fewer_votes = 2 },
          RC_POLICY,
          "ephemeral: fewer than t" },
        { { .spoil_birth = flip_vote }, RC_VERIFY, "a flipped endorsement" },
        { { .spoil_birth = flip_y }, RC_VERIFY, "another verifying share" },
        { { .spoil_birth = flip_transcript }, RC_VERIFY, "another transcript" },
        { { .spoil_birth = flip_group_key }, RC_VERIFY, "another group key" },
        { { .spoil_birth = raise_epoch }, RC_VERIFY, "another epoch" },
        { { .spoil_birth = swap_votes }, RC_VERIFY, "votes out of order" },
        { { .spoil_birth = repeat_vote }, RC_VERIFY, "one vote twice" },
        { { .spoil_birth = drop_vote }, RC_POLICY, "a vote left out" },
        { { .spoil_birth = no_votes }, RC_PARSE, "no votes" },
        { { .spoil_birth = node_zero }, RC_PARSE, "a vote of node 0" },
        { { .spoil_birth = flip_entry }, RC_LOG, "another entry" },
        { { .spoil_birth = other_index }, RC_LOG, "another place" },
        { { .spoil_birth = flip_path }, RC_LOG, "another path" },
        { { .spoil_birth = flip_checkpoint }, RC_LOG, "an unsigned log" },
        { { .spoil_birth = drop_approval },
          RC_NOT_APPROVED,
          "an approval left out" },
        { { .spoil_birth = same_approval_twice },
          RC_NOT_APPROVED,
          "one steward counted twice" },
        { { .spoil_birth = flip_approval }, RC_VERIFY, "a forged approval" },
    };
    /* so that the path has hashes in it */
    WIRE(birth) first = { 0 };
    world_birth(&first, &w, &(struct world_plan){ 0 });
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        WIRE(birth) b = { 0 };
        world_birth(&b, &w, &cases[i].plan);
        enum rc rc = check(&b);
        if (rc != cases[i].want)
            fail_msg("%s: %s (%s), want %s", cases[i].why, rc_slug(rc),
                     rc_text(), rc_slug(cases[i].want));
    }
    /* a descriptor of other bytes is another session, which nobody approved */
    WIRE(birth) b = { 0 };
    world_birth(&b, &w, &(struct world_plan){ 0 });
    flip_descriptor(&b);
    assert_int_not_equal(check(&b), RC_OK);
}

static void some_keys_get_no_leaf(void **state)
{
    (void)state;
    static const struct {
        const char *profile, *why;
    } cases[] = {
        { "ca", "issuer: it would make a CA of a leaf" },
        { "web", "tls keys never call the CA" },
        { "bare", "its certificate profile is null" },
        { "long", "wants to live longer than a leaf may" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        WIRE(birth) b = { 0 };
        uint8_t out[CA_DER_MAX];
        size_t len;
        world_birth(&b, &w,
                    &(struct world_plan){ .profile = cases[i].profile });
        struct ca_leaf leaf = { .chain = w.chain,
                                .birth = &b,
                                .issuer = w.root,
                                .issuer_len = w.root_len,
                                .tee_hash = w.ca_hash,
                                .now_s = WORLD_NOW };
        enum rc rc = ca_leaf_tbs(out, &len, &leaf);
        if (rc != RC_POLICY)
            fail_msg("%s: %s (%s)", cases[i].why, rc_slug(rc), rc_text());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_birth_is_believed),
        cmocka_unit_test(wrong_birth_is_refused),
        cmocka_unit_test(some_keys_get_no_leaf),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
