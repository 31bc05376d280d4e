/* SPDX-License-Identifier: Apache-2.0 */
/* Named scenarios of people and policy: approvals, keys, versions. */
#include "test.h"

#include "story.h"

#include <sodium.h>

#include "base/enc.h"

static const char *const release[] = { "release", NULL };
static const char *const guarded[] = { "guarded", NULL };
static const char *const none[] = { NULL };

/* ---- approvals --------------------------------------------------------------------- */

static const char *put_session(struct sim *s, unsigned id, char hex[65],
                               const char *msg, const char *const *people)
{
    WIRE(session) wire = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    struct policy_session session = sim_session(s, POLICY_S_SIGN, "guarded");
    unsigned get = sim_ask(s, id, "/v1/key/guarded", NULL, 0);
    WIRE(key) key = { 0 };
    sim_want_ok(s, get);
    assert_ok(wire_key_decode(&key, s->call[get].json, s->call[get].len));
    session.has_key = true;
    crypto_hash_sha256(session.key, key.group_key, 32);
    session.slot[POLICY_RAW] = true;
    session.n_slots = 1;
    session.has_artifact = true;
    policy_session_artifact(&session, "app", msg, strlen(msg));
    sim_session_wire(s, &wire, &session, "steward", people);
    assert_ok(wire_session_encode(&json, &len, &wire));
    sim_want_ok(s, sim_ask(s, id, "/v1/session", json, len));
    enc_hex(hex, session.id, 32);
    return hex;
}

static unsigned approve(struct sim *s, unsigned id, const char *hex,
                        enum policy_decision decision, const char *role,
                        const char *person)
{
    WIRE(approval) a = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    assert_ok(enc_unhex(a.session, 32, hex, 64));
    sim_record(&a.record, a.session, decision, role, person);
    assert_ok(wire_approval_encode(&json, &len, &a));
    return sim_ask(s, id, "/v1/approval", json, len);
}

static void guarded_answers_not_approved(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    char hex[65], path[128];
    unsigned call = sim_sign(s, 1, "guarded", "", "app", 3, 5000);
    sim_want(s, call, RC_NOT_APPROVED);
    says(s, call, "1 engineers and 2 stewards");
    put_session(s, 1, hex, "app", none);
    sim_want(s, sim_sign(s, 1, "guarded", hex, "app", 3, 5000),
             RC_NOT_APPROVED);
    snprintf(path, sizeof(path), "/v1/session/%s", hex);
    sim_want_ok(s, sim_ask(s, 1, path, NULL, 0));
    sim_want_ok(s, approve(s, 1, hex, POLICY_D_APPROVE, "steward", "bob"));
    sim_want_ok(s, approve(s, 1, hex, POLICY_D_APPROVE, "engineer", "alice"));
    sim_want(s, sim_sign(s, 1, "guarded", hex, "app", 3, 5000),
             RC_NOT_APPROVED);
    /* the same person again is not a second one */
    sim_want_ok(s, approve(s, 1, hex, POLICY_D_APPROVE, "steward", "bob"));
    sim_want(s, sim_sign(s, 1, "guarded", hex, "app", 3, 5000),
             RC_NOT_APPROVED);
    sim_want(s, approve(s, 1, hex, POLICY_D_APPROVE, "steward", "alice"),
             RC_POLICY);
    sim_want_ok(s, approve(s, 1, hex, POLICY_D_APPROVE, "steward", "carol"));
    sim_want(s, sim_sign(s, 1, "guarded", hex, "lie", 3, 5000), RC_POLICY);
    assert_int_equal(s->n_shares, 0);
    sim_want_ok(s, sim_sign(s, 1, "guarded", hex, "app", 3, 5000));
    done(s);
}

static void approvals_survive_a_second_request_of_the_same_session(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    char hex[65];
    put_session(s, 1, hex, "app", sim_stewards);
    sim_want_ok(s, approve(s, 1, hex, POLICY_D_APPROVE, "engineer", "alice"));
    /* the requester sends the bare session once more */
    uint8_t id[32];
    char path[128];
    assert_ok(enc_unhex(id, 32, hex, 64));
    snprintf(path, sizeof(path), "/v1/session/%s", hex);
    unsigned get = sim_ask(s, 1, path, NULL, 0);
    sim_want_ok(s, get);
    WIRE(session) bare = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    assert_ok(wire_blob_set(&bare.descriptor, s->call[get].json,
                            s->call[get].len));
    sim_record(&bare.requester, id, POLICY_D_REQUEST, "requester", "dev");
    assert_ok(wire_session_encode(&json, &len, &bare));
    sim_want_ok(s, sim_ask(s, 1, "/v1/session", json, len));
    sim_want_ok(s, sim_sign(s, 1, "guarded", hex, "app", 3, 5000));
    done(s);
}

static void a_denial_stops_what_was_approved(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    char hex[65];
    put_session(s, 1, hex, "app", sim_stewards);
    sim_want_ok(s, approve(s, 1, hex, POLICY_D_APPROVE, "engineer", "alice"));
    sim_want_ok(s, approve(s, 1, hex, POLICY_D_DENY, "engineer", "dave"));
    sim_want(s, sim_sign(s, 1, "guarded", hex, "app", 3, 5000), RC_DENIED);
    assert_int_equal(s->n_shares, 0);
    done(s);
}

/* A session as someone might post it: requester and junk may be NULL. */
static unsigned put_wire(struct sim *s, const struct policy_session *session,
                         const char *requester, const char *junk)
{
    WIRE(session) wire = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    char text[POLICY_DESCRIPTOR_MAX];
    struct policy_session copy = *session;
    assert_ok(policy_session_write(text, &len, &copy));
    assert_ok(wire_blob_set(&wire.descriptor, text, len));
    if (requester)
        sim_record(&wire.requester, copy.id, POLICY_D_REQUEST, "requester",
                   requester);
    assert_ok(wire_list_new(&wire.approvals, junk ? 1 : 0));
    if (junk)
        assert_ok(wire_blob_set(&wire.approvals.at[0], junk, strlen(junk)));
    assert_ok(wire_session_encode(&json, &len, &wire));
    return sim_ask(s, 1, "/v1/session", json, len);
}

static void junk_beside_a_session_is_not_kept(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    char hex[65], other[65];
    WIRE(approval) a = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    uint8_t id[32];
    put_session(s, 1, hex, "app", none);
    assert_ok(enc_unhex(id, 32, hex, 64));
    /* without the requester's record nothing is looked at, or kept */
    struct policy_session bare = sim_session(s, POLICY_S_KEY_CREATE, "release");
    sim_want(s, put_wire(s, &bare, NULL, "{\"junk\":1}"), RC_NOT_APPROVED);
    sim_want(s, put_wire(s, &bare, "dev", "{\"junk\":1}"), RC_PARSE);
    sim_want(s, put_wire(s, &bare, "dave", NULL), RC_POLICY);
    sim_want(s, put_wire(s, &bare, NULL, NULL), RC_NOT_APPROVED);
    /* a requester's record is no approval, whoever sends it */
    sim_want(s, approve(s, 1, hex, POLICY_D_REQUEST, "requester", "dev"),
             RC_POLICY);
    /* an approval of another session */
    put_session(s, 1, other, "app", none);
    assert_ok(enc_unhex(a.session, 32, other, 64));
    sim_record(&a.record, id, POLICY_D_APPROVE, "engineer", "alice");
    assert_ok(wire_approval_encode(&json, &len, &a));
    sim_want(s, sim_ask(s, 1, "/v1/approval", json, len), RC_POLICY);
    /* the same yes forty times is one, and the session still fits */
    for (unsigned i = 0; i < 40; i++)
        sim_want_ok(s,
                    approve(s, 1, hex, POLICY_D_APPROVE, "engineer", "alice"));
    sim_want_ok(s, approve(s, 1, hex, POLICY_D_APPROVE, "steward", "bob"));
    sim_want_ok(s, approve(s, 1, hex, POLICY_D_APPROVE, "steward", "carol"));
    sim_want_ok(s, sim_sign(s, 1, "guarded", hex, "app", 3, 5000));
    done(s);
}

/* ---- keys --------------------------------------------------------------------------- */

static void approvals_of_stewards_create_keys_only(void **state)
{
    (void)state;
    static const char *const one[] = { "bob", NULL };
    struct sim *s = sim_new(1, 3);
    sim_boot(s);
    sim_want(s, sim_key_create(s, 1, "release", none), RC_NOT_APPROVED);
    sim_want(s, sim_key_create(s, 1, "release", one), RC_NOT_APPROVED);
    /* a driver that does not care finds no member that obeys */
    struct policy_session session = sim_session(s, POLICY_S_KEY_CREATE,
                                                "release");
    WIRE(epoch_start) start = { .epoch = 1 };
    OWNED_MEM char *json = NULL;
    size_t len;
    sim_session_wire(s, &start.session, &session, "steward", one);
    assert_ok(wire_epoch_start_encode(&json, &len, &start));
    for (unsigned id = 1; id <= 3; id++) {
        char *reply = NULL;
        size_t reply_len;
        assert_rc(node_on_peer(s->node[id].node, 2, "/v1/epoch/start",
                               (uint8_t *)json, len, &reply, &reply_len),
                  RC_NOT_APPROVED);
        assert_null(reply);
    }
    sim_want_ok(s, sim_key_create(s, 1, "release", sim_stewards));
    done(s);
}

static void key_created_twice_is_refused(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    for (unsigned id = 1; id <= 3; id++)
        sim_want(s, sim_key_create(s, id, "release", sim_stewards), RC_EXISTS);
    sim_want(s, sim_key_create(s, 1, "nobody", sim_stewards), RC_UNKNOWN);
    sim_want_ok(s, sign(s, 1, "still the first"));
    done(s);
}

/* ctx: "deal" changes a package on its way to node3, "finish" a box. */
static void flip_for_node3(struct sim *s, uint32_t from, uint32_t to,
                           const char *path, bool reply, uint8_t **body,
                           size_t *len)
{
    const char *what = s->tamper_ctx;
    char *json = NULL;
    (void)from;
    if (reply || to != 3 || !strstr(path, what))
        return;
    if (strcmp(what, "deal") == 0) {
        WIRE(epoch_deal) m = { 0 };
        assert_ok(wire_epoch_deal_decode(&m, (char *)*body, *len));
        struct wire_hash other = m.packages.at[1].commitment.at[1];
        m.packages.at[0].commitment.at[1] = other;
        assert_ok(wire_epoch_deal_encode(&json, len, &m));
    } else {
        WIRE(epoch_finish) m = { 0 };
        assert_ok(wire_epoch_finish_decode(&m, (char *)*body, *len));
        m.boxes.at[1].box[40] ^= 1; /* dealt by node2 */
        assert_ok(wire_epoch_finish_encode(&json, len, &m));
    }
    free(*body);
    *body = (uint8_t *)json;
}

static void equivocating_dealer_is_caught(void **state)
{
    (void)state;
    static const char *const ways[] = { "deal", "finish" };
    for (unsigned i = 0; i < 2; i++) {
        struct sim *s = sim_new(1, 3);
        sim_boot(s);
        s->tamper = flip_for_node3;
        s->tamper_ctx = (void *)(uintptr_t)ways[i];
        unsigned call = sim_key_create(s, 1, "release", sim_stewards);
        assert_true(sim_wait(s, call, 30000));
        assert_int_not_equal(s->call[call].rc, RC_OK);
        says(s, call, "node3");
        if (i == 1) {
            assert_int_equal(s->call[call].rc, RC_VERIFY);
            says(s, call, "the box of node 2 does not open");
        }
        for (unsigned id = 1; id <= 3; id++)
            sim_want(s, sim_ask(s, id, "/v1/key/release", NULL, 0), RC_UNKNOWN);
        /* honest again, with a new session: the key is made, once those who
         * voted know that nothing came of it */
        s->tamper = NULL;
        sim_run(s, 23000);
        sim_want_ok(s, sim_key_create(s, 1, "release", sim_stewards));
        sim_want_ok(s, sign(s, 2, "after all"));
        done(s);
    }
}

struct steps {
    unsigned n;
    struct {
        char path[32];
        uint8_t *body, *reply;
        size_t len, reply_len;
    } at[4];
};
static uint8_t *copy_of(const uint8_t *p, size_t len)
{
    uint8_t *copy = malloc(len + 1);
    assert_non_null(copy);
    memcpy(copy, p, len);
    return copy;
}
static void catch_steps(struct sim *s, uint32_t from, uint32_t to,
                        const char *path, bool reply, uint8_t **body,
                        size_t *len)
{
    struct steps *c = s->tamper_ctx;
    (void)from;
    if (to != 3 || strncmp(path, "/v1/epoch/", 10) != 0)
        return;
    if (reply) {
        c->at[c->n].reply = copy_of(*body, *len);
        c->at[c->n++].reply_len = *len;
        return;
    }
    assert_true(c->n < 4);
    snprintf(c->at[c->n].path, sizeof(c->at[c->n].path), "%s", path);
    c->at[c->n].body = copy_of(*body, *len);
    c->at[c->n].len = *len;
}

static void a_step_that_comes_twice_is_answered_the_same(void **state)
{
    (void)state;
    struct sim *s = sim_new(1, 3);
    struct steps c = { 0 };
    sim_boot(s);
    s->tamper = catch_steps;
    s->tamper_ctx = &c;
    sim_want_ok(s, sim_key_create(s, 1, "release", sim_stewards));
    s->tamper = NULL;
    assert_int_equal(c.n, 4);
    for (unsigned i = 0; i < c.n; i++) {
        char *again = NULL;
        size_t len;
        if (node_on_peer(s->node[3].node, 1, c.at[i].path, c.at[i].body,
                         c.at[i].len, &again, &len) != RC_OK)
            sim_fail(s, "%s again: %s", c.at[i].path, rc_text());
        assert_int_equal(len, c.at[i].reply_len);
        assert_memory_equal(again, c.at[i].reply, len);
        free(again);
        free(c.at[i].body);
        free(c.at[i].reply);
    }
    sim_want_ok(s, sign(s, 3, "no harm done"));
    done(s);
}

/* Whoever misses the end of it gets the birth when it is asked to sign. */
static void a_member_that_missed_the_birth_catches_up(void **state)
{
    (void)state;
    struct sim *s = sim_new(1, 3);
    sim_boot(s);
    unsigned call = sim_key_create(s, 1, "release", sim_stewards);
    while (s->log.n < 2) /* the birth is logged, its bearer is on his way */
        sim_run(s, 1);
    sim_crash(s, 3);
    assert_true(sim_wait(s, call, 30000));
    sim_start(s, 3);
    sim_crash(s, 2);
    sim_want_ok(s, sign(s, 1, "with the late one"));
    sim_want_ok(s, sign(s, 3, "by the late one"));
    done(s);
}

/* ---- policy ------------------------------------------------------------------------- */

static void policy_change_mid_signing(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    unsigned calls[40];
    unsigned change = 0;
    for (unsigned i = 0; i < 40; i++) {
        char msg[32];
        snprintf(msg, sizeof(msg), "while it changes %u", i);
        calls[i] = sign(s, i % 3 + 1, msg);
        sim_run(s, 1);
        if (i == 10)
            change = sim_policy_next(s, 2, NULL, NULL);
    }
    sim_want_ok(s, change);
    /* sessions that a lead opened for its caller follow the policy */
    for (unsigned i = 0; i < 40; i++)
        sim_want_ok(s, calls[i]);
    for (unsigned id = 1; id <= 3; id++)
        sim_want_ok(s, sign(s, id, "under the new one"));
    done(s);
}

static void a_requested_session_does_not_follow_the_policy(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    char hex[65];
    put_session(s, 1, hex, "app", sim_stewards);
    sim_want_ok(s, approve(s, 1, hex, POLICY_D_APPROVE, "engineer", "alice"));
    sim_want_ok(s, sim_policy_next(s, 1, NULL, NULL));
    sim_want(s, sim_sign(s, 1, "guarded", hex, "app", 3, 5000),
             RC_POLICY_CHANGED);
    assert_int_equal(s->n_shares, 0);
    done(s);
}

static void a_node_that_missed_a_policy_is_passed_over(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    sim_crash(s, 2);
    sim_want_ok(s, sim_policy_next(s, 1, NULL, NULL));
    sim_run(s, 9000);
    sim_start(s, 2);
    for (unsigned i = 0; i < 6; i++)
        sim_want_ok(s, sign(s, 1, "one node is behind"));
    sim_gossip(s);
    sim_run(s, 1000);
    struct wire_policy_head head;
    node_policy_head(s->node[2].node, &head);
    assert_int_equal(head.version, 3);
    sim_want_ok(s, sign(s, 2, "caught up"));
    done(s);
}

/* A version that another identity of this node stands in; or without node3. */
static unsigned rekeyed(struct sim *s, unsigned via, unsigned id)
{
    char from[65], to[65];
    uint8_t pk[32], sk[64];
    crypto_sign_seed_keypair(pk, sk, (const uint8_t[32]){ 0x77 });
    enc_hex(from, s->node[id].keys.identity, 32);
    enc_hex(to, pk, 32);
    return sim_policy_next(s, via, from, to);
}
static unsigned dropped(struct sim *s, unsigned via)
{
    s->n = 2;
    unsigned call = sim_policy_next(s, via, NULL, NULL);
    s->n = 3;
    return call;
}

struct before {
    uint64_t version;
    uint8_t sha256[32];
};
static struct before remember(const struct sim *s)
{
    struct before b = { .version = s->version };
    memcpy(b.sha256, s->policy_sha256, 32);
    return b;
}
static void never_happened(struct sim *s, const struct before *b)
{
    s->version = b->version;
    memcpy(s->policy_sha256, b->sha256, 32);
}

static uint64_t version_at(struct sim *s, unsigned id)
{
    struct wire_policy_head head;
    node_policy_head(s->node[id].node, &head);
    return head.version;
}

static void a_version_that_drops_a_holder_of_a_key_is_refused(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    struct before b = remember(s);
    uint64_t entries = s->log.n;
    unsigned call = rekeyed(s, 1, 2);
    sim_want(s, call, RC_POLICY);
    says(s, call, "another identity to node2");
    says(s, call, "key release");
    never_happened(s, &b);
    call = dropped(s, 2);
    sim_want(s, call, RC_POLICY);
    says(s, call, "drops node3, which holds a share of key release");
    never_happened(s, &b);
    assert_int_equal(s->log.n, entries); /* not even logged */
    sim_want_ok(s, sim_policy_next(s, 1, NULL, NULL));
    for (unsigned id = 1; id <= 3; id++) {
        sim_crash(s, id);
        sim_start(s, id);
        sim_want_ok(s, sign(s, id, "none is bricked"));
    }
    done(s);
}

/* Logged through one that does not know the key: the others stay behind. */
/* Who missed a birth does not hear of it by asking. */
static void no_looks(struct sim *s, uint32_t from, uint32_t to,
                     const char *path, bool reply, uint8_t **body, size_t *len)
{
    (void)s;
    (void)from;
    (void)to;
    if (reply || strcmp(path, "/v1/epoch/look") != 0)
        return;
    (*body)[0] = '?';
    *len = 1;
}

static void a_logged_version_that_drops_a_holder_is_not_adopted(void **state)
{
    (void)state;
    struct sim *s = sim_new(1, 3);
    s->tamper = no_looks;
    sim_boot(s);
    unsigned call = sim_key_create(s, 1, "release", sim_stewards);
    while (s->log.n < 2) /* the birth is logged, its bearer is on his way */
        sim_run(s, 1);
    sim_crash(s, 3);
    assert_true(sim_wait(s, call, 30000));
    sim_start(s, 3);
    sim_want_ok(s, rekeyed(s, 3, 2));
    sim_gossip(s);
    sim_run(s, 20000);
    assert_int_equal(version_at(s, 3), 3);
    for (unsigned id = 1; id <= 2; id++) {
        assert_int_equal(version_at(s, id), 2);
        sim_crash(s, id);
        sim_start(s, id);
    }
    sim_want_ok(s, sign(s, 1, "under the version before"));
    done(s);
}

static void a_version_nobody_could_judge_machines_by_is_refused(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    struct before b = remember(s);
    OWNED_MEM char *json = NULL;
    size_t len;
    unsigned call = sim_policy_next(
            s, 1, "{\"v\"", "{\"attestation\":{\"unreadable\":1},\"v\"");
    sim_want(s, call, RC_PARSE);
    says(s, call, "policy.attestation: attest policy: unreadable");
    never_happened(s, &b);
    sim_want_ok(s, sign(s, 1, "under the version before"));
    sim_want_ok(s, sim_policy_next(s, 1, "{\"v\"",
                                   "{\"attestation\":{\"fine\":1},\"v\""));
    assert_ok(node_attestation(s->node[1].node, &json, &len));
    assert_string_equal(json, "{\"fine\":1}");
    done(s);
}

/* The version after the one in force, as text; nothing else changes. */
static char *next_text(struct sim *s)
{
    char prev[ENC_HEX_SIZE(32)], version[32];
    char *text = strdup(s->policy);
    assert_non_null(text);
    snprintf(version, sizeof(version), "\"version\":%u", (unsigned)s->version);
    char *at = strstr(text, version);
    assert_non_null(at);
    at[strlen(version) - 1]++;
    at = strstr(text, "\"prev\":\"");
    assert_non_null(at);
    memcpy(at + strlen("\"prev\":\""), enc_hex(prev, s->policy_sha256, 32), 64);
    return text;
}

static unsigned propose(struct sim *s, char id[65], bool is_signed)
{
    WIRE(policy) m = { 0 };
    OWNED_MEM char *text = next_text(s);
    OWNED_MEM char *json = NULL;
    size_t len;
    struct policy_session session = sim_session(s, POLICY_S_POLICY, NULL);
    policy_session_artifact(&session, "policy.json", text, strlen(text));
    session.has_artifact = true;
    assert_ok(wire_blob_set(&m.policy, text, strlen(text)));
    sim_session_wire(s, &m.session, &session, "steward", NULL);
    if (!is_signed)
        assert_ok(wire_blob_set(&m.session.requester, "", 0));
    assert_ok(wire_policy_encode(&json, &len, &m));
    enc_hex(id, session.id, 32);
    return sim_ask(s, 1, "/v1/policy/proposal", json, len);
}

static unsigned get(struct sim *s, const char *path, const char *id)
{
    char text[128];
    snprintf(text, sizeof(text), "%s%s", path, id);
    return sim_ask(s, 1, text, NULL, 0);
}

/* A megabyte each: as many as sessions, which are counted by who signed. */
static void a_proposal_is_kept_with_its_session_or_not_at_all(void **state)
{
    (void)state;
    struct sim *s = sim_new(1, 3);
    sim_boot(s);
    char id[65];
    sim_want(s, propose(s, id, false), RC_NOT_APPROVED);
    sim_want(s, get(s, "/v1/policy/proposal/", id), RC_UNKNOWN);
    sim_want(s, get(s, "/v1/session/", id), RC_UNKNOWN);
    for (unsigned i = 0; i < 64; i++) {
        sim_want_ok(s, propose(s, id, true));
        sim_want_ok(s, get(s, "/v1/policy/proposal/", id));
        sim_want_ok(s, get(s, "/v1/session/", id));
    }
    sim_want(s, propose(s, id, true), RC_TOO_LARGE);
    sim_want(s, get(s, "/v1/policy/proposal/", id), RC_UNKNOWN);
    sim_check(s);
    sim_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, sim_teardown)
        T(guarded_answers_not_approved),
        T(approvals_survive_a_second_request_of_the_same_session),
        T(a_denial_stops_what_was_approved),
        T(junk_beside_a_session_is_not_kept),
        T(approvals_of_stewards_create_keys_only),
        T(key_created_twice_is_refused),
        T(equivocating_dealer_is_caught),
        T(a_step_that_comes_twice_is_answered_the_same),
        T(a_member_that_missed_the_birth_catches_up),
        T(policy_change_mid_signing),
        T(a_requested_session_does_not_follow_the_policy),
        T(a_node_that_missed_a_policy_is_passed_over),
        T(a_version_that_drops_a_holder_of_a_key_is_refused),
        T(a_version_nobody_could_judge_machines_by_is_refused),
        T(a_logged_version_that_drops_a_holder_is_not_adopted),
        T(a_proposal_is_kept_with_its_session_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
