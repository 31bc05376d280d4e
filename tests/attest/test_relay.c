/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attacks on mpc-attest/1, played by a client that holds a genuine
 * certificate of the deployment; and when a proof stops to count.
 */
#include "two.h"

static void evidence_of_another_connection_is_refused(void **state)
{
    (void)state;
    struct line l;
    struct line other;
    line_open_raw(&l, &a, &b);
    line_open_raw(&other, &a, &b);
    uint8_t nonce[32];
    WIRE(hello_reply) there = { 0 };
    WIRE(hello_reply) here = { 0 };
    fresh(nonce);
    assert_ok(say_hello(&other, nonce, &there));
    fresh(nonce);
    assert_ok(say_hello(&l, nonce, &here));
    assert_memory_not_equal(l.tls.exporter, other.tls.exporter, 32);
    /* a relay: right nonce for here, but made on the other connection */
    WIRE(evidence) e = { 0 };
    assert_ok(node_evidence(a.channel, &e, ATTEST_CLIENT, &other.tls,
                            here.nonce));
    assert_rc(show(&l, &e), RC_ATTEST);
    assert_true(node_said(&b, "P2 report data"));
    assert_rc(line_ping(&l), RC_ATTEST);
    assert_ok(attest_by_hand(&l)); /* and the honest way works there */
    assert_ok(line_ping(&l));
    line_close(&l);
    line_close(&other);
}

static void evidence_bound_to_anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const why[] = {
        "another nonce", "the other role",          "another verifier",
        "another boot",  "another attestation key", "another SPKI"
    };
    struct line l;
    line_open_raw(&l, &a, &b);
    for (size_t i = 0; i < 6; i++) {
        uint8_t nonce[32];
        WIRE(hello_reply) reply = { 0 };
        WIRE(evidence) e = { 0 };
        fresh(nonce);
        assert_ok(say_hello(&l, nonce, &reply));
        struct http_tls tls = l.tls;
        reply.nonce[0] ^= i == 0;
        if (i == 2)
            strcpy(tls.peer_uri, "mpc://test/log/c");
        tls.own_spki[31] ^= i == 5;
        assert_ok(node_evidence(a.channel, &e,
                                i == 1 ? ATTEST_SERVER : ATTEST_CLIENT, &tls,
                                reply.nonce));
        e.boot += i == 3;
        e.ak[0] ^= i == 4;
        if (show(&l, &e) != RC_ATTEST || !node_said(&b, "P2 report data"))
            fail_msg("%s: %s", why[i], rc_text());
        assert_rc(line_ping(&l), RC_ATTEST);
    }
    line_close(&l);
}

static void own_evidence_reflected_is_refused(void **state)
{
    (void)state;
    struct line l;
    uint8_t nonce[32];
    line_open_raw(&l, &a, &b);
    WIRE(hello_reply) reply = { 0 };
    fresh(nonce);
    assert_ok(say_hello(&l, nonce, &reply));
    assert_rc(show(&l, &reply.evidence), RC_ATTEST);
    assert_true(node_said(&b, "our own evidence came back"));
    assert_rc(line_ping(&l), RC_ATTEST);
    line_close(&l);
}

static void replayed_hello_nonce_is_refused(void **state)
{
    (void)state;
    struct line l;
    struct line other;
    uint8_t nonce[32];
    line_open_raw(&l, &a, &b);
    line_open_raw(&other, &a, &b);
    WIRE(hello_reply) reply = { 0 };
    WIRE(hello_reply) none = { 0 };
    fresh(nonce);
    assert_ok(say_hello(&l, nonce, &reply));
    assert_rc(say_hello(&l, nonce, &none), RC_ATTEST);
    assert_rc(say_hello(&other, nonce, &none), RC_ATTEST);
    line_close(&l);
    line_close(&other);
}

static void verifiers_nonce_is_spent_once_and_ages(void **state)
{
    (void)state;
    struct line l;
    uint8_t nonce[32];
    line_open_raw(&l, &a, &b);
    WIRE(hello_reply) reply = { 0 };
    WIRE(evidence) e = { 0 };
    fresh(nonce);
    assert_ok(say_hello(&l, nonce, &reply));
    assert_ok(node_evidence(a.channel, &e, ATTEST_CLIENT, &l.tls, reply.nonce));
    assert_ok(show(&l, &e));
    assert_ok(line_ping(&l));
    assert_rc(show(&l, &e), RC_ATTEST); /* the same bytes again */
    assert_rc(line_ping(&l), RC_ATTEST);
    fresh(nonce);
    WIRE(hello_reply) late = { 0 };
    WIRE(evidence) old = { 0 };
    assert_ok(say_hello(&l, nonce, &late));
    assert_ok(
            node_evidence(a.channel, &old, ATTEST_CLIENT, &l.tls, late.nonce));
    node_clock_advance(CHANNEL_NONCE_MS + 1);
    assert_rc(show(&l, &old), RC_ATTEST);
    line_close(&l);
}

static void garbage_is_refused_by_name(void **state)
{
    (void)state;
    struct line l;
    struct http_answer got;
    line_open_raw(&l, &a, &b);
    assert_rc(line_post(&got, &l, CHANNEL_HELLO, "{}", 2), RC_PARSE);
    assert_rc(line_post(&got, &l, CHANNEL_EVIDENCE, "{}", 2), RC_ATTEST);
    uint8_t nonce[32];
    WIRE(hello_reply) reply = { 0 };
    fresh(nonce);
    assert_ok(say_hello(&l, nonce, &reply));
    assert_rc(line_post(&got, &l, CHANNEL_EVIDENCE, "{}", 2), RC_PARSE);
    line_close(&l);
}

/* ---- how long it lasts ------------------------------------------------- */

static void window_over_means_again(void **state)
{
    (void)state;
    open_with(60, NULL, NULL);
    struct line l;
    struct line raw;
    line_open(&l, &a, &b);
    line_open_raw(&raw, &a, &b);
    assert_ok(line_ping(&l));
    assert_ok(attest_by_hand(&raw));
    assert_ok(line_ping(&raw));
    int before = b.heads;
    node_clock_advance(61000);
    struct attest_peer seen[2];
    assert_int_equal(attest_channel_peers(b.channel, seen, 2), 0);
    assert_rc(line_ping(&raw), RC_ATTEST);
    assert_ok(line_ping(&l)); /* bound again by itself */
    assert_int_equal(b.heads, before + 1);
    line_close(&l);
    line_close(&raw);
    close_nodes(NULL);
}

static void reset_drops_every_session(void **state)
{
    (void)state;
    struct line l;
    struct line raw;
    line_open(&l, &a, &b);
    line_open_raw(&raw, &a, &b);
    assert_ok(line_ping(&l));
    assert_ok(attest_by_hand(&raw));
    assert_ok(line_ping(&raw));
    attest_channel_reset(b.channel);
    struct attest_peer seen[2];
    assert_int_equal(attest_channel_peers(b.channel, seen, 2), 0);
    assert_rc(line_ping(&raw), RC_ATTEST);
    int before = b.heads;
    assert_ok(line_ping(&l));
    assert_int_equal(b.heads, before + 1);
    attest_channel_reset(a.channel); /* the client's own policy changed */
    assert_ok(line_ping(&l));
    assert_int_equal(b.heads, before + 2);
    node_allow(&b, stranger); /* and the new policy knows us no longer */
    attest_channel_reset(b.channel);
    assert_rc(line_ping(&l), RC_POLICY_HASH);
    line_close(&l);
    line_close(&raw);
}

static void new_connection_is_bound_anew(void **state)
{
    (void)state;
    struct line l;
    line_open(&l, &a, &b);
    assert_ok(line_ping(&l));
    http_server_stop(b.server); /* every connection ends */
    b.server = NULL;
    line_close(&l);
    node_close(&b);
    node_open(&b, NODE_B, &id_b, &sim_b, 0, NULL);
    node_serve(&b);
    line_open(&l, &a, &b);
    assert_ok(line_ping(&l));
    assert_int_equal(b.heads, 1);
    line_close(&l);
}

/* ---- MPC-Policy -------------------------------------------------------- */

static void changed_policy_header_is_refused(void **state)
{
    (void)state;
    struct line raw;
    struct line l;
    line_open_raw(&raw, &a, &b);
    assert_ok(attest_by_hand(&raw));
    assert_ok(line_ping(&raw));
    enc_hex(raw.header, stranger, 32);
    assert_rc(line_ping(&raw), RC_POLICY_HASH);
    assert_says_both(stranger, a.channel->hash);
    raw.header[0] = '\0';
    assert_rc(line_ping(&raw), RC_POLICY_HASH);
    assert_rc(attest_by_hand(&raw), RC_POLICY_HASH);
    line_close(&raw);
    line_open(&l, &a, &b); /* the other direction */
    assert_ok(line_ping(&l));
    b.lies = true;
    assert_rc(line_ping(&l), RC_POLICY_HASH);
    b.lies = false;
    assert_ok(line_ping(&l));
    line_close(&l);
}

/* ---- strangers --------------------------------------------------------- */

static void a_flood_of_strangers_is_counted(void **state)
{
    (void)state;
    const struct http_guard guard = attest_channel_server_guard(b.channel);
    for (int i = 0; i < 1000; i++)
        guard.stranger("192.0.2.1:9", "no client certificate", guard.ctx);
    assert_int_equal(b.refusals, CHANNEL_STRANGERS);
    assert_string_equal(b.refusal, "192.0.2.1:9 TLS handshake forbidden "
                                   "no client certificate");
    node_clock_advance(CHANNEL_STRANGE_MS);
    guard.stranger("192.0.2.1:9", "no client certificate", guard.ctx);
    assert_int_equal(b.refusals, CHANNEL_STRANGERS + 1);
    assert_non_null(strstr(b.refusal, "(and 984 more before, not told)"));
    guard.stranger("192.0.2.1:9", "no client certificate", guard.ctx);
    assert_int_equal(b.refusals, CHANNEL_STRANGERS + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_NODES(evidence_of_another_connection_is_refused),
        WITH_NODES(evidence_bound_to_anything_else_is_refused),
        WITH_NODES(own_evidence_reflected_is_refused),
        WITH_NODES(replayed_hello_nonce_is_refused),
        WITH_NODES(verifiers_nonce_is_spent_once_and_ages),
        WITH_NODES(garbage_is_refused_by_name),
        cmocka_unit_test(window_over_means_again),
        WITH_NODES(reset_drops_every_session),
        WITH_NODES(new_connection_is_bound_anew),
        WITH_NODES(changed_policy_header_is_refused),
        WITH_NODES(a_flood_of_strangers_is_counted),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
