/* SPDX-License-Identifier: Apache-2.0 */
/* Named scenarios of sessions that go to all nodes, and of taking back. */
#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "people.h"

/* ---- going round ------------------------------------------------------------ */

static void what_is_approved_at_one_node_is_signed_at_another(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    char hex[65];
    request(s, 1, hex, "app");
    approve_all(s, 1, hex);
    sim_run(s, 100);
    for (unsigned id = 1; id <= 3; id++)
        want_state(s, id, hex, "approved");
    sim_want_ok(s, sign_as(s, 2, hex, "app", 5000));
    sim_run(s, 300);
    want_state(s, 2, hex, "used");
    done(s);
}

static void approvals_may_be_given_anywhere(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    char hex[65];
    request(s, 3, hex, "app");
    sim_run(s, 100);
    sim_want_ok(s, decide(s, 1, hex, POLICY_D_APPROVE, "engineer", "alice"));
    sim_want_ok(s, decide(s, 2, hex, POLICY_D_APPROVE, "steward", "bob"));
    sim_want_ok(s, decide(s, 3, hex, POLICY_D_APPROVE, "steward", "carol"));
    sim_run(s, 100);
    for (unsigned id = 1; id <= 3; id++)
        want_state(s, id, hex, "approved");
    sim_want_ok(s, sign_as(s, 1, hex, "app", 5000));
    done(s);
}

static void a_node_that_was_down_is_caught_up(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    char hex[65], late[65];
    sim_crash(s, 2);
    request(s, 1, hex, "app");
    approve_all(s, 1, hex);
    sim_run(s, 30000); /* many tries later */
    sim_start(s, 2);
    sim_gossip(s); /* it attests */
    sim_run(s, 1000);
    want_state(s, 2, hex, "approved");
    /* nobody meets: the node that took it tries again by itself */
    sim_crash(s, 2);
    request(s, 3, late, "late");
    approve_all(s, 3, late);
    sim_run(s, 5000);
    sim_start(s, 2);
    sim_run(s, 12000);
    want_state(s, 2, late, "approved");
    sim_want_ok(s, sign_as(s, 2, late, "late", 10000));
    done(s);
}

static void who_was_restarted_goes_on_spreading(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    char hex[65];
    sim_crash(s, 2);
    sim_crash(s, 3);
    request(s, 1, hex, "app");
    approve_all(s, 1, hex);
    sim_run(s, 1000);
    sim_crash(s, 1);
    for (unsigned id = 1; id <= 3; id++)
        sim_start(s, id);
    sim_run(s, 3000);
    for (unsigned id = 1; id <= 3; id++)
        want_state(s, id, hex, "approved");
    sim_want_ok(s, sign_as(s, 3, hex, "app", 5000));
    done(s);
}

struct count {
    unsigned puts, from_others;
};
static void count_puts(struct sim *s, uint32_t from, uint32_t to,
                       const char *path, bool reply, uint8_t **body,
                       size_t *len)
{
    struct count *c = s->tamper_ctx;
    (void)to;
    (void)body;
    (void)len;
    if (reply || strcmp(path, "/v1/session/put") != 0)
        return;
    c->puts++;
    c->from_others += from != 1;
}

static void each_record_crosses_once_and_nobody_echoes(void **state)
{
    (void)state;
    struct sim *s = sim_new(1, 5);
    struct count c = { 0 };
    char hex[65];
    sim_ready(s, guarded);
    s->tamper = count_puts;
    s->tamper_ctx = &c;
    request(s, 1, hex, "app");
    sim_run(s, 50);
    sim_want_ok(s, decide(s, 1, hex, POLICY_D_APPROVE, "engineer", "alice"));
    sim_run(s, 50);
    assert_int_equal(c.puts, 2 * 4);
    assert_int_equal(c.from_others, 0);
    /* meeting costs one more between those who do not know of each other */
    sim_gossip(s);
    sim_run(s, 500);
    unsigned met = c.puts;
    assert_in_range(met, 2 * 4, 2 * 4 + 4 * 3);
    sim_gossip(s);
    sim_run(s, 60000);
    assert_int_equal(c.puts, met);
    s->tamper = NULL;
    done(s);
}

/* ---- what is not taken -------------------------------------------------------- */

static void put_by_peer(struct sim *s, const struct wire_session *in,
                        struct wire_session_held *out)
{
    struct wire_session_put put = { 0 };
    OWNED_MEM char *json = NULL;
    OWNED_MEM char *reply = NULL;
    size_t len, reply_len;
    assert_ok(wire_list_new(&put.sessions, 1));
    put.sessions.at[0] = *in; /* lent */
    assert_ok(wire_session_put_encode(&json, &len, &put));
    free(put.sessions.at);
    assert_ok(node_on_peer(s->node[1].node, 2, "/v1/session/put",
                           (uint8_t *)json, len, &reply, &reply_len));
    assert_ok(wire_session_held_decode(out, reply, reply_len));
    assert_int_equal(out->sessions.n, 1);
}

static void code_of_put(struct sim *s, const struct wire_session *in,
                        const char *why, enum rc want, size_t known)
{
    WIRE(session_held) held = { 0 };
    put_by_peer(s, in, &held);
    if (strcmp(held.sessions.at[0].code, rc_slug(want)) != 0)
        sim_fail(s, "%s: %s, want %s", why, held.sessions.at[0].code,
                 rc_slug(want));
    assert_int_equal(held.sessions.at[0].known.n, known);
}

/* It was told to one node only, so that nobody sends it on. */
static void a_denial_that_a_peer_brought_first_goes_to_all_when_given(void **st)
{
    (void)st;
    struct sim *s = cluster(guarded);
    WIRE(session) wire = { 0 };
    WIRE(session) by_peer = { 0 };
    char hex[65];
    uint8_t id[32];
    people_session(s, &wire, "app");
    sim_want_ok(s, people_put(s, 3, &wire, hex));
    sim_run(s, 300);
    policy_session_id(id, wire.descriptor.p, wire.descriptor.len);
    assert_ok(wire_blob_set(&by_peer.descriptor, wire.descriptor.p,
                            wire.descriptor.len));
    assert_ok(wire_blob_set(&by_peer.requester, wire.requester.p,
                            wire.requester.len));
    assert_ok(wire_list_new(&by_peer.approvals, 1));
    sim_record(&by_peer.approvals.at[0], id, POLICY_D_DENY, "engineer", "dave");
    code_of_put(s, &by_peer, "the denial", RC_OK, 2);
    sim_run(s, 300);
    want_state(s, 3, hex, "open");
    want_decided(s, deny(s, 1, hex), 2, true);
    sim_run(s, 300);
    want_state(s, 3, hex, "denied");
    done(s);
}

/* A denial that comes on another thread while node 2 lends its share. */
static struct late {
    struct sim *s;
    pthread_t thread;
    bool started, acknowledged;
    char *json;
    size_t len;
} late;

static void *bring_it(void *arg)
{
    char *reply = NULL;
    size_t len;
    (void)arg;
    enum rc rc = node_on_peer(late.s->node[2].node, 3, "/v1/session/put",
                              (uint8_t *)late.json, late.len, &reply, &len);
    free(reply);
    return rc == RC_OK ? &late : NULL;
}

static void deny_meanwhile(struct sim *s, unsigned node)
{
    struct timespec until;
    if (node != 2 || late.started)
        return;
    late.s = s;
    late.started = true;
    assert_int_equal(pthread_create(&late.thread, NULL, bring_it, NULL), 0);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++; /* it must not be taken, however long one waits */
    late.acknowledged = pthread_timedjoin_np(late.thread, NULL, &until) == 0;
}

static void a_denial_is_acknowledged_when_no_share_is_on_its_way(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    struct wire_session_put put = { 0 };
    WIRE(session) wire = { 0 };
    uint8_t id[32];
    char hex[65];
    void *taken;
    late = (struct late){ .s = s };
    sim_crash(s, 3);
    people_session(s, &wire, "app");
    sim_want_ok(s, people_put(s, 1, &wire, hex));
    approve_all(s, 1, hex);
    sim_run(s, 300);
    assert_ok(enc_unhex(id, 32, hex, 64));
    assert_ok(wire_list_new(&wire.approvals, 1));
    sim_record(&wire.approvals.at[0], id, POLICY_D_DENY, "engineer", "dave");
    assert_ok(wire_list_new(&put.sessions, 1));
    put.sessions.at[0] = wire; /* lent */
    assert_ok(wire_session_put_encode(&late.json, &late.len, &put));
    free(put.sessions.at);
    s->lending = deny_meanwhile;
    sim_want_ok(s, sign_as(s, 1, hex, "app", 5000));
    s->lending = NULL;
    assert_true(late.started);
    assert_false(late.acknowledged);
    pthread_join(late.thread, &taken);
    assert_ptr_equal(taken, &late);
    free(late.json);
    want_state(s, 2, hex, "denied");
    done(s);
}

static void junk_of_a_peer_is_neither_kept_nor_spread(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    struct count c = { 0 };
    WIRE(session) good = { 0 };
    WIRE(session) bare = { 0 };
    WIRE(session) junk = { 0 };
    WIRE(session) none = { 0 };
    char hex[65], path[128];
    uint8_t id[32];
    people_session(s, &good, "app");
    policy_session_id(id, good.descriptor.p, good.descriptor.len);
    s->tamper = count_puts;
    s->tamper_ctx = &c;
    assert_ok(wire_blob_set(&none.descriptor, "{}", 2));
    code_of_put(s, &none, "no descriptor", RC_PARSE, 0);
    assert_ok(wire_blob_set(&bare.descriptor, good.descriptor.p,
                            good.descriptor.len));
    code_of_put(s, &bare, "unsigned", RC_NOT_APPROVED, 0);
    sim_record(&bare.requester, id, POLICY_D_REQUEST, "requester", "alice");
    code_of_put(s, &bare, "signed by another", RC_POLICY, 0);
    snprintf(path, sizeof(path), "/v1/session/%s", enc_hex(hex, id, 32));
    sim_want(s, sim_ask(s, 1, path, NULL, 0), RC_UNKNOWN);
    /* one bad record among good ones is passed over */
    assert_ok(wire_blob_set(&junk.descriptor, good.descriptor.p,
                            good.descriptor.len));
    assert_ok(wire_blob_set(&junk.requester, good.requester.p,
                            good.requester.len));
    assert_ok(wire_list_new(&junk.approvals, 3));
    sim_record(&junk.approvals.at[0], id, POLICY_D_APPROVE, "steward", "bob");
    assert_ok(wire_blob_set(&junk.approvals.at[1], "{\"junk\":1}", 10));
    sim_record(&junk.approvals.at[2], id, POLICY_D_APPROVE, "steward", "alice");
    code_of_put(s, &junk, "two bad records", RC_OK, 2);
    WIRE(session_state) st = { 0 };
    sim_run(s, 500);
    assert_int_equal(c.puts, 0); /* what a peer brought goes nowhere */
    s->tamper = NULL;
    look(s, 1, hex, &st);
    assert_int_equal(st.records.n, 1);
    assert_string_equal(st.records.at[0].person, "bob");
    done(s);
}

static void one_persons_sessions_leave_room_for_others(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    char hex[65];
    for (unsigned i = 0; i < 64; i++)
        request(s, 1, hex, "app");
    WIRE(session) more = { 0 };
    people_session(s, &more, "app");
    unsigned call = people_put(s, 1, &more, hex);
    sim_want(s, call, RC_TOO_LARGE);
    says(s, call, "dev has 64 open here");
    code_of_put(s, &more, "brought by a peer", RC_TOO_LARGE, 0);
    struct policy_session session = sim_session(s, POLICY_S_KEY_CREATE,
                                                "release");
    WIRE(session) other = { 0 };
    char text[POLICY_DESCRIPTOR_MAX];
    size_t len;
    snprintf(session.requester, sizeof(session.requester), "alice");
    assert_ok(policy_session_write(text, &len, &session));
    assert_ok(wire_blob_set(&other.descriptor, text, len));
    sim_record(&other.requester, session.id, POLICY_D_REQUEST, "requester",
               "alice");
    code_of_put(s, &other, "of somebody else", RC_OK, 1);
    /* and there is room again when they have expired */
    sim_run(s, 901 * 1000);
    request(s, 1, hex, "app");
    done(s);
}

/* p0 to p15, each of them engineer and steward: two records each. */
static void crowd(struct sim *s, unsigned n)
{
    char persons[16 * 160] = "\"persons\":[";
    for (unsigned i = 0; i < n; i++) {
        uint8_t seed[32], pk[32], sk[64];
        char name[8], key[ENC_B64_SIZE(32)];
        size_t at = strlen(persons);
        snprintf(name, sizeof(name), "p%u", i);
        crypto_hash_sha256(seed, (const uint8_t *)name, strlen(name));
        crypto_sign_seed_keypair(pk, sk, seed);
        snprintf(persons + at, sizeof(persons) - at,
                 "{\"id\":\"%s\",\"roles\":[\"engineer\",\"steward\"],"
                 "\"credentials\":[{\"kind\":\"sshsig\",\"key\":\"%s\"}]},",
                 name, enc_b64u(key, pk, 32));
    }
    sim_want_ok(s, sim_policy_next(s, 1, "\"persons\":[", persons));
    sim_run(s, 500);
}

static void a_denial_has_room_where_an_approval_has_none(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    char hex[65], name[8];
    crowd(s, 16);
    request(s, 1, hex, "app");
    for (unsigned i = 0; i < 32; i++) {
        snprintf(name, sizeof(name), "p%u", i / 2);
        sim_want_ok(s, decide(s, 1, hex, POLICY_D_APPROVE,
                              i % 2 ? "steward" : "engineer", name));
    }
    unsigned call = decide(s, 1, hex, POLICY_D_APPROVE, "engineer", "alice");
    sim_want(s, call, RC_TOO_LARGE);
    says(s, call, "more than 32 records");
    sim_run(s, 500);
    want_state(s, 3, hex, "approved");
    want_decided(s, deny(s, 1, hex), 2, true);
    sim_run(s, 500);
    for (unsigned id = 1; id <= 3; id++) {
        want_state(s, id, hex, "denied");
        sim_want(s, sign_as(s, id, hex, "app", 5000), RC_DENIED);
    }
    done(s);
}

/* ---- taking back ------------------------------------------------------------------ */

static void a_denial_stands_when_enough_nodes_hold_it(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    char hex[65];
    request(s, 1, hex, "app");
    approve_all(s, 1, hex);
    sim_run(s, 100);
    unsigned call = deny(s, 3, hex);
    want_decided(s, call, 2, true);
    assert_in_range(took(s, call), 1, 100);
    sim_run(s, 100);
    for (unsigned id = 1; id <= 3; id++) {
        unsigned refused = sign_as(s, id, hex, "app", 5000);
        sim_want(s, refused, RC_DENIED);
        says(s, refused, "denied by dave");
        want_state(s, id, hex, "denied");
    }
    sim_want(s, decide(s, 1, hex, POLICY_D_APPROVE, "engineer", "dave"),
             RC_DENIED);
    assert_int_equal(s->n_shares, 0);
    done(s);
}

static void a_denial_says_so_while_it_does_not_stand_yet(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    WIRE(session_state) st = { 0 };
    WIRE(session_state) later = { 0 };
    char hex[65];
    request(s, 1, hex, "app");
    sim_run(s, 100);
    sim_crash(s, 1);
    sim_crash(s, 2);
    unsigned call = deny(s, 3, hex);
    want_decided(s, call, 1, false);
    assert_in_range(took(s, call), 3000, 3500);
    look(s, 3, hex, &st);
    assert_int_equal(st.acks.deny, 1);
    assert_int_equal(st.acks.need, 2);
    sim_start(s, 1);
    sim_run(s, 12000);
    look(s, 3, hex, &later);
    assert_int_equal(later.acks.deny, 2);
    want_decided(s, deny(s, 3, hex), 2, true); /* again: it stands now */
    sim_start(s, 2);
    sim_run(s, 12000);
    want_state(s, 2, hex, "denied");
    done(s);
}

/* To node1 nothing comes but rounds. */
static void keep_from_node1(struct sim *s, uint32_t from, uint32_t to,
                            const char *path, bool reply, uint8_t **body,
                            size_t *len)
{
    (void)s;
    (void)from;
    if (reply || to != 1 || strcmp(path, "/v1/session/put") != 0)
        return;
    free(*body);
    *body = (uint8_t *)strdup("{}");
    *len = 2;
}

/* The lead has never heard of it: its signers have. */
static void a_lead_that_does_not_know_of_a_denial_gets_no_share(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    char hex[65];
    request(s, 1, hex, "app");
    approve_all(s, 1, hex);
    sim_run(s, 100);
    s->tamper = keep_from_node1;
    want_decided(s, deny(s, 2, hex), 2, true);
    want_state(s, 1, hex, "approved");
    unsigned call = sign_as(s, 1, hex, "app", 5000);
    sim_want(s, call, RC_DENIED);
    says(s, call, "node2: session");
    says(s, call, "node3: session");
    assert_int_equal(s->n_shares, 0);
    s->tamper = NULL;
    sim_run(s, 12000);
    want_state(s, 1, hex, "denied");
    done(s);
}

static void a_revocation_takes_the_approval_back_everywhere(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    char hex[65];
    request(s, 1, hex, "app");
    approve_all(s, 1, hex);
    sim_run(s, 100);
    s->tamper = keep_from_node1;
    want_decided(s, decide(s, 2, hex, POLICY_D_REVOKE, "steward", "bob"), 2,
                 true);
    /* the lead still counts bob; nobody else does */
    want_state(s, 1, hex, "approved");
    sim_want(s, sign_as(s, 1, hex, "app", 5000), RC_NOT_APPROVED);
    assert_int_equal(s->n_shares, 0);
    s->tamper = NULL;
    sim_run(s, 12000);
    for (unsigned id = 1; id <= 3; id++)
        want_state(s, id, hex, "open");
    unsigned call = sign_as(s, 1, hex, "app", 5000);
    sim_want(s, call, RC_NOT_APPROVED);
    says(s, call, "missing 1 steward (nobody is left)");
    done(s);
}

/* Enough without dave, but this lead's intent counts him. */
static void an_intent_that_counts_a_revoked_approval_gets_no_share(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    char hex[65];
    request(s, 1, hex, "app");
    approve_all(s, 1, hex);
    sim_want_ok(s, decide(s, 1, hex, POLICY_D_APPROVE, "engineer", "dave"));
    sim_run(s, 100);
    s->tamper = keep_from_node1;
    want_decided(s, decide(s, 2, hex, POLICY_D_REVOKE, "engineer", "dave"), 2,
                 true);
    unsigned call = sign_as(s, 1, hex, "app", 5000);
    sim_want(s, call, RC_SLOT_BURNT); /* it had marked for itself */
    says(s, call, "was one revoked?");
    assert_int_equal(s->n_shares, 0);
    s->tamper = NULL;
    sim_want_ok(s, sign_as(s, 2, hex, "app", 5000)); /* who knows, can */
    done(s);
}

static void a_denied_key_is_not_made(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    struct policy_session session = sim_session(s, POLICY_S_KEY_CREATE,
                                                "release");
    WIRE(session) wire = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    char hex[65];
    sim_session_wire(s, &wire, &session, "steward", sim_stewards);
    sim_want_ok(s, people_put(s, 1, &wire, hex));
    sim_run(s, 100);
    want_decided(s, deny(s, 1, hex), 3, true); /* all: any of them could */
    assert_ok(wire_session_encode(&json, &len, &wire));
    for (unsigned id = 1; id <= 3; id++)
        sim_want(s, sim_ask(s, id, "/v1/key/create", json, len), RC_DENIED);
    done(s);
}

static void a_denied_policy_is_not_logged(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    WIRE(policy) put = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    char hex[65];
    /* a version that would be in force at once */
    char *text = strdup(s->policy);
    assert_non_null(text);
    char *at = strstr(text, "\"version\":2");
    assert_non_null(at);
    at[10] = '3';
    at = strstr(text, "\"prev\":\"");
    assert_non_null(at);
    memcpy(at + 8, enc_hex(hex, s->policy_sha256, 32), 64);
    struct policy_session session = sim_session(s, POLICY_S_POLICY, NULL);
    policy_session_artifact(&session, "policy.json", text, strlen(text));
    session.has_artifact = true;
    assert_ok(wire_blob_set(&put.policy, text, strlen(text)));
    free(text);
    sim_session_wire(s, &put.session, &session, "steward", sim_stewards);
    sim_want_ok(s, people_put(s, 1, &put.session, hex));
    sim_run(s, 100);
    want_decided(s, deny(s, 3, hex), 3, true);
    assert_ok(wire_policy_encode(&json, &len, &put));
    for (unsigned id = 1; id <= 3; id++)
        sim_want(s, sim_ask(s, id, "/v1/policy", json, len), RC_DENIED);
    done(s);
}

static void what_was_taken_back_survives_restarts(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    char hex[65];
    request(s, 1, hex, "app");
    approve_all(s, 1, hex);
    sim_run(s, 100);
    want_decided(s, deny(s, 2, hex), 2, true);
    for (unsigned id = 1; id <= 3; id++) {
        sim_crash(s, id);
        sim_start(s, id);
    }
    sim_run(s, 2000);
    for (unsigned id = 1; id <= 3; id++)
        sim_want(s, sign_as(s, id, hex, "app", 5000), RC_DENIED);
    assert_int_equal(s->n_shares, 0);
    done(s);
}

/* Every disk is full: nothing is acknowledged, and nothing is lost. */
static void a_full_disk_refuses_and_loses_nothing(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    struct sigaction before;
    struct rlimit was;
    char hex[65];
    request(s, 1, hex, "app");
    approve_all(s, 1, hex);
    sim_run(s, 100);
    WIRE(session) more = { 0 };
    people_session(s, &more, "more");
    sigaction(SIGXFSZ, &ignore, &before);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    struct rlimit full = was;
    full.rlim_cur = 1;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
    char other[65];
    unsigned denied = deny(s, 2, hex);
    unsigned put = people_put(s, 2, &more, other);
    sim_run(s, 4000);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    sigaction(SIGXFSZ, &before, NULL);
    sim_want(s, denied, RC_STORE);
    says(s, denied, "state.db");
    sim_want(s, put, RC_STORE);
    for (unsigned id = 1; id <= 3; id++)
        want_state(s, id, hex, "approved");
    want_decided(s, deny(s, 2, hex), 2, true);
    sim_want_ok(s, people_put(s, 2, &more, other));
    sim_run(s, 500);
    want_state(s, 3, other, "open");
    want_state(s, 3, hex, "denied");
    done(s);
}

/* ---- slots -------------------------------------------------------------------------- */

/* For `release`, requested by dev, of no artifact: any raw message would do. */
static void request_anything(struct sim *s, char hex[65])
{
    struct policy_session session = sim_session(s, POLICY_S_SIGN, "release");
    WIRE(session) wire = { 0 };
    WIRE(key) key = { 0 };
    unsigned get = sim_ask(s, 1, "/v1/key/release", NULL, 0);
    sim_want_ok(s, get);
    assert_ok(wire_key_decode(&key, s->call[get].json, s->call[get].len));
    session.has_key = true;
    crypto_hash_sha256(session.key, key.group_key, 32);
    session.slot[POLICY_RAW] = true;
    sim_session_wire(s, &wire, &session, "steward", NULL);
    sim_want_ok(s, people_put(s, 1, &wire, hex));
    sim_run(s, 100);
}

static unsigned sign_any(struct sim *s, unsigned id, const char *hex,
                         const char *msg)
{
    return sim_sign(s, id, "release", hex, msg, strlen(msg), 5000);
}

static void a_slot_takes_no_second_message(void **state)
{
    (void)state;
    static const char *const release[] = { "release", NULL };
    struct sim *s = cluster(release);
    char hex[65];
    request_anything(s, hex);
    sim_want_ok(s, sign_any(s, 1, hex, "one"));
    sim_want_ok(s, sign_any(s, 1, hex, "one")); /* the same: fine */
    sim_want_ok(s, sign_any(s, 3, hex, "one")); /* wherever */
    for (unsigned id = 1; id <= 3; id++) {
        unsigned call = sign_any(s, id, hex, "two");
        sim_want(s, call, RC_SLOT_BURNT);
        says(s, call, "taken by another message");
    }
    done(s);
}

/* Every answer to round two is lost on its way. */
static void lose_shares(struct sim *s, uint32_t from, uint32_t to,
                        const char *path, bool reply, uint8_t **body,
                        size_t *len)
{
    (void)s;
    (void)from;
    (void)to;
    if (!reply || strcmp(path, "/v1/frost/round2") != 0)
        return;
    free(*body);
    *body = (uint8_t *)strdup("{}");
    *len = 2;
}

static void a_failure_after_a_mark_burns_the_slot(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    char hex[65];
    request(s, 1, hex, "app");
    approve_all(s, 1, hex);
    sim_run(s, 100);
    s->tamper = lose_shares;
    unsigned call = sign_as(s, 1, hex, "app", 4000);
    sim_want(s, call, RC_SLOT_BURNT);
    says(s, call, "slot_burnt: request a new session");
    says(s, call, hex);
    s->tamper = NULL;
    sim_run(s, 3000);
    want_state(s, 1, hex, "burnt");
    call = sign_as(s, 1, hex, "app", 4000);
    sim_want(s, call, RC_SLOT_BURNT);
    says(s, call, hex);
    done(s);
}

/* ---- what people are told -------------------------------------------------------------- */

static void the_error_names_session_people_and_command(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    char hex[65];
    unsigned call = sign_as(s, 1, "", "app", 5000);
    sim_want(s, call, RC_NOT_APPROVED);
    says(s, call, "needs approval by 1 engineers and 2 stewards");
    assert_non_null(strstr(s->call[call].hint,
                           "mpcsign request FILE --profile guarded --wait"));
    request(s, 1, hex, "app");
    call = sign_as(s, 1, hex, "app", 5000);
    sim_want(s, call, RC_NOT_APPROVED);
    says(s, call, hex);
    says(s, call, "missing 1 engineer (alice, dave) and 2 stewards");
    says(s, call, "(bob, carol)");
    assert_non_null(strstr(s->call[call].hint, "mpcsign approve "));
    sim_want_ok(s, decide(s, 1, hex, POLICY_D_APPROVE, "engineer", "alice"));
    sim_want_ok(s, decide(s, 1, hex, POLICY_D_APPROVE, "steward", "bob"));
    call = sign_as(s, 1, hex, "app", 5000);
    sim_want(s, call, RC_NOT_APPROVED);
    says(s, call, "missing 1 steward (carol)");
    assert_non_null(strstr(s->call[call].hint, "--role steward"));
    done(s);
}

static void people_see_where_a_session_is(void **state)
{
    (void)state;
    struct sim *s = cluster(guarded);
    WIRE(session_state) open = { 0 };
    WIRE(session_state) used = { 0 };
    WIRE(sessions) list = { 0 };
    char hex[65], other[65], text[65];
    request(s, 1, hex, "app");
    sim_run(s, 1100);
    request(s, 1, other, "other");
    sim_want_ok(s, decide(s, 1, hex, POLICY_D_APPROVE, "steward", "bob"));
    sim_run(s, 100);
    look(s, 1, hex, &open);
    assert_string_equal(open.state, "open");
    assert_string_equal(open.profile, "guarded");
    assert_string_equal(open.requester, "dev");
    assert_string_equal(open.artifact.at[0].name, "app");
    assert_int_equal(open.required.engineer, 1);
    assert_int_equal(open.required.steward, 2);
    assert_int_equal(open.have.engineer, 0);
    assert_int_equal(open.have.steward, 1);
    assert_int_equal(open.records.n, 1);
    assert_string_equal(open.records.at[0].decision, "approve");
    assert_string_equal(open.records.at[0].way, "ssh");
    assert_int_equal(open.records.at[0].nodes, 3);
    assert_int_equal(open.slots.n, 1);
    assert_string_equal(open.slots.at[0].state, "open");
    approve_all(s, 1, hex);
    want_state(s, 1, hex, "approved");
    sim_want_ok(s, sign_as(s, 1, hex, "app", 5000));
    sim_run(s, 300);
    look(s, 1, hex, &used);
    assert_string_equal(used.state, "used");
    assert_string_equal(used.slots.at[0].state, "used");
    assert_int_equal(used.slots.at[0].attempts, 1);
    unsigned call = sim_ask(s, 1, "/v1/sessions", NULL, 0);
    sim_want_ok(s, call);
    assert_ok(
            wire_sessions_decode(&list, s->call[call].json, s->call[call].len));
    assert_int_equal(list.sessions.n, 2);
    assert_string_equal(enc_hex(text, list.sessions.at[0].session, 32), other);
    assert_string_equal(list.sessions.at[0].state, "open");
    assert_string_equal(list.sessions.at[1].state, "used");
    sim_want(s, decide(s, 1, hex, POLICY_D_APPROVE, "engineer", "dave"),
             RC_ORDER);
    sim_run(s, 900 * 1000);
    want_state(s, 1, other, "expired");
    want_state(s, 1, hex, "used");
    sim_want_ok(s, sim_policy_next(s, 1, NULL, NULL));
    request(s, 1, hex, "app");
    sim_want_ok(s, sim_policy_next(s, 1, NULL, NULL));
    want_state(s, 1, hex, "policy_changed");
    done(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, sim_teardown)
        T(what_is_approved_at_one_node_is_signed_at_another),
        T(approvals_may_be_given_anywhere),
        T(a_node_that_was_down_is_caught_up),
        T(who_was_restarted_goes_on_spreading),
        T(each_record_crosses_once_and_nobody_echoes),
        T(a_denial_that_a_peer_brought_first_goes_to_all_when_given),
        T(a_denial_is_acknowledged_when_no_share_is_on_its_way),
        T(junk_of_a_peer_is_neither_kept_nor_spread),
        T(one_persons_sessions_leave_room_for_others),
        T(a_denial_has_room_where_an_approval_has_none),
        T(a_denial_stands_when_enough_nodes_hold_it),
        T(a_denial_says_so_while_it_does_not_stand_yet),
        T(a_lead_that_does_not_know_of_a_denial_gets_no_share),
        T(a_revocation_takes_the_approval_back_everywhere),
        T(an_intent_that_counts_a_revoked_approval_gets_no_share),
        T(a_denied_key_is_not_made),
        T(a_denied_policy_is_not_logged),
        T(what_was_taken_back_survives_restarts),
        T(a_full_disk_refuses_and_loses_nothing),
        T(a_slot_takes_no_second_message),
        T(a_failure_after_a_mark_burns_the_slot),
        T(the_error_names_session_people_and_command),
        T(people_see_where_a_session_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
