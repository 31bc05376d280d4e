/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What two nodes hold of each other beyond one connection: binding the next
 * one without the device, renewing in the background, and other keys under
 * the same name.
 */
#include "two.h"

#include "attest/backend.h"
#include "base/clock.h"

static uint64_t reports(void)
{
    return attest_channel_reports(a.channel) +
           attest_channel_reports(b.channel);
}

/* a's line to b, first contact made; what a holds of b afterwards. */
static void first_contact(struct line *l, struct attest_bond *bond)
{
    line_open(l, &a, &b);
    assert_ok(line_ping(l));
    assert_true(attest_bond_find(a.channel, bond, NODE_B, NULL, NULL, NULL));
}

/* ---- binding by what is known ------------------------------------------ */

static void next_connection_asks_no_device(void **state)
{
    (void)state;
    struct line l;
    struct attest_bond here;
    struct attest_bond there;
    first_contact(&l, &here);
    assert_true(attest_bond_find(b.channel, &there, NODE_A, NULL, NULL, NULL));
    assert_memory_equal(here.evidence, there.evidence, 32);
    line_close(&l);
    uint64_t before = reports();
    for (int i = 0; i < 5; i++) {
        line_open(&l, &a, &b);
        assert_ok(line_ping(&l));
        assert_ok(line_ping(&l));
        line_close(&l);
    }
    assert_int_equal(reports(), before);
    assert_int_equal(b.handled, 11);
    assert_int_equal(b.refusals, 0);
    assert_int_equal(b.heads, 6); /* heads are compared each time */
}

static void binding_for_anything_else_is_refused(void **state)
{
    (void)state;
    struct line known;
    struct line l;
    struct line other;
    struct attest_bond bond;
    struct wire_bound out;
    struct wire_bind good;
    first_contact(&known, &bond);
    line_open_raw(&l, &a, &b);
    line_open_raw(&other, &a, &b);
    assert_rc(line_ping(&l), RC_ATTEST); /* and the exporters are known */
    assert_rc(line_ping(&other), RC_ATTEST);
    const struct {
        const char *why;
        enum rc want;
    } rows[] = {
        { "signature of another connection", RC_ATTEST },
        { "signature of the server's role", RC_ATTEST },
        { "a bit of the signature", RC_ATTEST },
        { "another key than the evidence's", RC_UNBOUND },
        { "evidence nobody showed", RC_UNBOUND },
        { "the other certificate's key", RC_ATTEST },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct wire_bind m;
        struct http_tls tls = i == 0 ? other.tls : l.tls;
        if (i == 5)
            tls.own_spki[3] ^= 1;
        bind_by_hand(&m, &tls, &bond);
        if (i == 1) {
            uint8_t said[ATTEST_CONN_LEN];
            attest_conn_said(said, ATTEST_SERVER, tls.exporter, tls.own_spki,
                             tls.peer_spki, bond.evidence);
            crypto_sign_detached(m.signature, NULL, said, sizeof(said),
                                 a.channel->ak_secret);
        }
        m.signature[5] ^= i == 2;
        m.ak[0] ^= i == 3;
        m.evidence_id[0] ^= i == 4;
        enum rc rc = show_bind(&l, &m, &out);
        if (rc != rows[i].want || line_ping(&l) != RC_ATTEST)
            fail_msg("%s: %s %s", rows[i].why, rc_slug(rc), rc_text());
    }
    bind_by_hand(&good, &l.tls, &bond);
    assert_ok(show_bind(&l, &good, &out)); /* and the honest way works */
    assert_ok(line_ping(&l));
    assert_rc(show_bind(&other, &good, &out), RC_ATTEST); /* nowhere else */
    assert_rc(line_ping(&other), RC_ATTEST);
    line_close(&l);
    line_close(&other);
    line_close(&known);
}

static void server_signs_its_role_on_this_connection(void **state)
{
    (void)state;
    struct line known;
    struct line l;
    struct attest_bond bond;
    struct wire_bound out;
    struct wire_bind m;
    uint8_t said[ATTEST_CONN_LEN];
    first_contact(&known, &bond);
    line_open_raw(&l, &a, &b);
    assert_rc(line_ping(&l), RC_ATTEST);
    bind_by_hand(&m, &l.tls, &bond);
    assert_ok(show_bind(&l, &m, &out));
    attest_conn_said(said, ATTEST_SERVER, l.tls.exporter, l.tls.own_spki,
                     l.tls.peer_spki, bond.evidence);
    assert_int_equal(crypto_sign_verify_detached(out.signature, said,
                                                 sizeof(said), b.channel->ak),
                     0);
    assert_memory_equal(said, "mpc-attest/1 conn\0\2", 19);
    assert_int_equal(out.policy.version, 7);
    assert_in_range(out.expires_in_s, 1, CHANNEL_WINDOW_S);
    line_close(&l);
    line_close(&known);
}

static void what_is_known_ends_with_window_policy_and_process(void **state)
{
    (void)state;
    static const char *const why[] = { "reset", "window", "another rule" };
    for (int i = 0; i < 3; i++) {
        open_with(60, NULL, NULL);
        struct line known;
        struct line l;
        struct attest_bond bond;
        struct wire_bound out;
        struct wire_bind m;
        first_contact(&known, &bond);
        line_open_raw(&l, &a, &b);
        assert_rc(line_ping(&l), RC_ATTEST);
        if (i == 0)
            attest_channel_reset(b.channel);
        if (i == 1)
            node_clock_advance(60000);
        if (i == 2)
            b.role = ATTEST_CA;
        bind_by_hand(&m, &l.tls, &bond);
        if (show_bind(&l, &m, &out) != RC_UNBOUND || rc_http(RC_UNBOUND) != 409)
            fail_msg("%s: %s", why[i], rc_text());
        assert_non_null(strstr(b.refusal, "/v1/attest/bind evidence_unknown"));
        line_close(&l);
        line_close(&known);
        close_nodes(NULL);
    }
}

static void client_falls_back_to_evidence_at_once(void **state)
{
    (void)state;
    struct line l;
    struct attest_bond bond;
    first_contact(&l, &bond);
    line_close(&l);
    attest_channel_reset(b.channel); /* b knows nothing of it any more */
    uint64_t before = attest_channel_reports(a.channel);
    line_open(&l, &a, &b);
    assert_ok(line_ping(&l));
    assert_int_equal(attest_channel_reports(a.channel), before + 1);
    assert_non_null(strstr(b.refusal, "evidence_unknown"));
    line_close(&l);
}

/* ---- in the background ------------------------------------------------- */

/* Requests go on until both devices were asked and a holds what came of it. */
static bool renewed_within(struct line *l, uint64_t before, int pings)
{
    struct attest_bond old = { .since_ms = 0 };
    struct attest_bond now;
    (void)attest_bond_find(a.channel, &old, NODE_B, NULL, NULL, NULL);
    for (int i = 0; i < pings; i++) {
        assert_ok(line_ping(l));
        if (reports() >= before + 2 &&
            attest_bond_find(a.channel, &now, NODE_B, NULL, NULL, NULL) &&
            memcmp(now.evidence, old.evidence, 32) != 0)
            return true;
    }
    return false;
}

static void evidence_is_renewed_before_its_window_ends(void **state)
{
    (void)state;
    open_with(100, NULL, NULL);
    struct line l;
    struct line raw;
    struct attest_bond bond;
    struct attest_bond next;
    first_contact(&l, &bond);
    line_open_raw(&raw, &a, &b);
    assert_ok(attest_by_hand(&raw));
    assert_ok(line_ping(&raw));
    uint64_t before = reports();
    node_clock_advance(70000); /* not yet */
    assert_false(renewed_within(&l, before, 20));
    node_clock_advance(11000);
    assert_true(renewed_within(&l, before, 2000));
    for (int i = 0; i < 50; i++) /* its end, and no second one */
        assert_ok(line_ping(&l));
    assert_int_equal(reports(), before + 2);
    assert_true(attest_bond_find(a.channel, &next, NODE_B, NULL, NULL, NULL));
    assert_memory_not_equal(next.evidence, bond.evidence, 32);
    /* the first window is over; connections of that key stand on */
    node_clock_advance(30000);
    assert_ok(line_ping(&raw));
    assert_ok(line_ping(&l));
    assert_int_equal(reports(), before + 2);
    node_clock_advance(71000); /* the second one too */
    assert_rc(line_ping(&raw), RC_ATTEST);
    line_close(&l);
    line_close(&raw);
    close_nodes(NULL);
}

static void requests_go_on_while_a_renewal_fails(void **state)
{
    (void)state;
    open_with(100, NULL, NULL);
    struct line l;
    struct attest_bond bond;
    first_contact(&l, &bond);
    b.unknown = true; /* hellos are refused; what stands, stands */
    node_clock_advance(81000);
    int before = b.refusals;
    for (int i = 0; i < 2000 && b.refusals == before; i++)
        assert_ok(line_ping(&l));
    assert_int_equal(b.refusals, before + 1);
    for (int i = 0; i < 50; i++) /* it waits before it tries again */
        assert_ok(line_ping(&l));
    assert_int_equal(b.refusals, before + 1);
    b.unknown = false;
    node_clock_advance(1001);
    uint64_t asked = reports();
    assert_true(renewed_within(&l, asked, 2000));
    node_clock_advance(30000);
    assert_ok(line_ping(&l));
    line_close(&l);
    close_nodes(NULL);
}

static void idle_peers_are_left_alone(void **state)
{
    (void)state;
    open_with(100, NULL, NULL);
    struct line l;
    struct line other;
    struct attest_bond bond;
    first_contact(&l, &bond);
    line_open(&other, &a, &b); /* asks b for l's window too, and no more */
    uint64_t before = reports();
    node_clock_advance(81000);
    assert_true(renewed_within(&l, before, 2000));
    node_clock_advance(81000); /* nobody asked since */
    struct http_loop *loop;
    assert_ok(http_loop_new(&loop, l.client));
    for (int i = 0; i < 20; i++)
        assert_ok(http_loop_run(loop, 1));
    http_loop_free(loop);
    assert_in_range(reports(), before + 2, before + 4);
    line_close(&other);
    line_close(&l);
    close_nodes(NULL);
}

/* ---- a device that takes its time --------------------------------------- */

/* Somebody holds the device: no report is made until it is let go. */
static void hold_device(struct node *n)
{
    assert_int_equal(pthread_mutex_lock(&n->guest->device->lock), 0);
}

static void let_device_go(struct node *n)
{
    pthread_mutex_unlock(&n->guest->device->lock);
}

struct hello {
    pthread_t thread;
    enum rc rc;
};

static void *hello_alone(void *arg)
{
    struct hello *h = arg;
    struct line l;
    uint8_t nonce[32];
    WIRE(hello_reply) reply = { 0 };
    line_open_raw(&l, &a, &b);
    fresh(nonce);
    h->rc = say_hello(&l, nonce, &reply);
    line_close(&l);
    return NULL;
}

static unsigned waiting(void)
{
    pthread_mutex_lock(&b.channel->jobs_lock);
    unsigned n = b.channel->n_jobs[ATTEST_STRANGER];
    pthread_mutex_unlock(&b.channel->jobs_lock);
    return n;
}

/* More hellos wait than the server has threads, and it serves. */
static void nobody_who_serves_waits_for_the_device(void **state)
{
    (void)state;
    struct line l;
    struct attest_bond bond;
    struct hello h[CHANNEL_WAITING + 1];
    struct line more;
    uint8_t nonce[32];
    WIRE(hello_reply) none = { 0 };
    first_contact(&l, &bond);
    line_open_raw(&more, &a, &b);
    hold_device(&b);
    for (size_t i = 0; i < sizeof(h) / sizeof(*h); i++)
        assert_int_equal(pthread_create(&h[i].thread, NULL, hello_alone, &h[i]),
                         0);
    while (waiting() < CHANNEL_WAITING) /* and one is being made */
        assert_ok(line_ping(&l));
    for (int i = 0; i < 50; i++)
        assert_ok(line_ping(&l));
    fresh(nonce);
    assert_rc(say_hello(&more, nonce, &none), RC_BUSY); /* and no more */
    let_device_go(&b);
    for (size_t i = 0; i < sizeof(h) / sizeof(*h); i++) {
        pthread_join(h[i].thread, NULL);
        assert_int_equal(h[i].rc, RC_OK);
    }
    line_close(&more);
    line_close(&l);
}

/* a's own device, in the thread that drives a's requests. */
static void nobody_who_asks_waits_for_the_device(void **state)
{
    (void)state;
    open_with(100, NULL, NULL);
    struct line l;
    struct attest_bond bond;
    first_contact(&l, &bond);
    uint64_t before = reports();
    hold_device(&a);
    node_clock_advance(81000);
    for (int i = 0; i < 2000 && reports() < before + 2; i++)
        assert_ok(line_ping(&l));
    assert_int_equal(reports(), before + 2); /* a's is being made */
    for (int i = 0; i < 50; i++)
        assert_ok(line_ping(&l));
    let_device_go(&a);
    assert_true(renewed_within(&l, before, 2000));
    line_close(&l);
    close_nodes(NULL);
}

static void ended(const struct http_reply_view *r, void *arg)
{
    bool *done = arg;
    *done = r->rc != RC_OK;
}

static void a_lane_may_go_while_the_device_is_asked(void **state)
{
    (void)state;
    struct line l;
    struct http_loop *loop;
    hold_device(&a);
    uint64_t before = attest_channel_reports(a.channel);
    line_open(&l, &a, &b);
    assert_ok(http_loop_new(&loop, l.client));
    bool done = false;
    http_send(l.peer, "GET", "/v1/ping", NULL, 0, 1000, clock_mono_ms() + 20000,
              ended, &done);
    while (attest_channel_reports(a.channel) == before)
        assert_ok(http_loop_run(loop, 1));
    http_loop_free(loop);
    line_close(&l); /* nobody waits for it any more */
    assert_true(done);
    let_device_go(&a);
}

static void a_server_may_stop_while_the_device_is_asked(void **state)
{
    (void)state;
    struct hello h;
    uint64_t before = attest_channel_reports(b.channel);
    hold_device(&b);
    assert_int_equal(pthread_create(&h.thread, NULL, hello_alone, &h), 0);
    while (attest_channel_reports(b.channel) == before)
        usleep(500);
    http_server_stop(b.server);
    b.server = NULL;
    pthread_join(h.thread, NULL);
    assert_int_not_equal(h.rc, RC_OK);
    let_device_go(&b);
}

/* ---- hellos ------------------------------------------------------------ */

static void hellos_of_one_peer_are_counted(void **state)
{
    (void)state;
    struct line l;
    uint8_t nonce[32];
    line_open_raw(&l, &a, &b);
    b.channel->hello_burst = 4;
    uint64_t before = attest_channel_reports(b.channel);
    for (int i = 0; i < 4; i++) {
        WIRE(hello_reply) reply = { 0 };
        fresh(nonce);
        assert_ok(say_hello(&l, nonce, &reply));
    }
    WIRE(hello_reply) none = { 0 };
    fresh(nonce);
    assert_rc(say_hello(&l, nonce, &none), RC_BUSY);
    assert_int_equal(rc_http(RC_BUSY), 429);
    assert_true(rc_hint_text()[0] != 0);
    assert_int_equal(attest_channel_reports(b.channel), before + 4);
    node_clock_advance(CHANNEL_REFILL_MS + 1); /* one more, and no two */
    fresh(nonce);
    assert_ok(say_hello(&l, nonce, &none));
    WIRE(hello_reply) no_more = { 0 };
    fresh(nonce);
    assert_rc(say_hello(&l, nonce, &no_more), RC_BUSY);
    assert_ok(attest_channel_spare(b.channel, "mpc://test/sidecar/c"));
    line_close(&l);
}

/* Whoever has only the certificate's key cannot keep a living node out. */
static void renewal_has_hellos_of_its_own(void **state)
{
    (void)state;
    open_with(100, NULL, NULL);
    struct line l;
    struct line thief;
    struct attest_bond bond;
    uint8_t nonce[32];
    first_contact(&l, &bond);
    b.channel->hello_burst = 1;
    node_clock_advance(81000);
    line_open_raw(&thief, &a, &b);
    WIRE(hello_reply) reply = { 0 };
    fresh(nonce);
    assert_ok(say_hello(&thief, nonce, &reply)); /* that was all of them */
    WIRE(hello_reply) none = { 0 };
    fresh(nonce);
    assert_rc(say_hello(&thief, nonce, &none), RC_BUSY);
    int refusals = b.refusals;
    assert_true(renewed_within(&l, reports(), 2000));
    assert_int_equal(b.refusals, refusals);
    line_close(&thief);
    line_close(&l);
    close_nodes(NULL);
}

static void who_asked_too_often_waits_and_is_served(void **state)
{
    (void)state;
    struct line raw;
    struct line l;
    uint8_t nonce[32];
    WIRE(hello_reply) reply = { 0 };
    b.channel->hello_burst = 1;
    line_open_raw(&raw, &a, &b);
    fresh(nonce);
    assert_ok(say_hello(&raw, nonce, &reply));
    line_open(&l, &a, &b);
    assert_ok(line_ping(&l)); /* no sooner than the bucket allows */
    assert_true(b.refusals > 0);
    assert_non_null(strstr(b.refusal, "/v1/attest/hello busy"));
    line_close(&l);
    line_close(&raw);
}

static void asking_again_hears_the_reason_and_not_the_count(void **state)
{
    (void)state;
    const struct attest_rules none = { 0 }; /* no product is allowed */
    const struct attest_files f = { .rules = &none };
    b.channel->hello_burst = 2;
    for (int client = 0; client < 2; client++) {
        struct line l;
        node_clock_advance(60000);
        assert_ok(attest_channel_files(client ? a.channel : b.channel, &f));
        line_open(&l, &a, &b);
        for (int i = 0; i < 6; i++) {
            assert_rc(line_ping(&l), RC_ATTEST);
            assert_non_null(strstr(rc_text(), "P14"));
        }
        assert_ok(attest_channel_files(client ? a.channel : b.channel,
                                       &(struct attest_files){ 0 }));
        node_clock_advance(60000);
        assert_ok(line_ping(&l));
        line_close(&l);
    }
}

/* Nobody who is not let in fills the log. */
static void refusals_without_end_are_told_in_short(void **state)
{
    (void)state;
    struct line l;
    struct line good;
    line_open_raw(&l, &a, &b);
    b.channel->refused_burst = 3;
    for (int i = 0; i < 50; i++)
        assert_rc(line_ping(&l), RC_ATTEST); /* it hears it each time */
    int told = b.refusals;                   /* three, and one a second */
    assert_in_range(told, 3, 25);
    node_clock_advance(CHANNEL_TELL_MS);
    assert_rc(line_ping(&l), RC_ATTEST);
    assert_in_range(b.refusals, told + 1, told + 3);
    assert_non_null(strstr(b.refusal, " more before, not told)"));
    line_open(&good, &a, &b);
    assert_ok(line_ping(&good));
    line_close(&good);
    line_close(&l);
}

/* ---- other keys under the same name ------------------------------------ */

/* A third node with a's name and certificate, on a machine of its own. */
static void impostor(struct node *n, const struct simulator *sim)
{
    node_open(n, NODE_A, &id_a, sim, 0, NULL);
}

static void clone_of_a_living_node_is_refused(void **state)
{
    (void)state;
    struct node second;
    struct line l;
    struct line bad;
    line_open(&l, &a, &b);
    assert_ok(line_ping(&l));
    impostor(&second, &sim_b); /* another launch */
    line_open(&bad, &second, &b);
    assert_rc(line_ping(&bad), RC_ATTEST);
    assert_non_null(strstr(rc_text(), "cloned node"));
    assert_int_equal(b.news[ATTEST_CLONE], 1);
    assert_non_null(strstr(b.refusal, "cloned node"));
    assert_ok(line_ping(&l)); /* the first one goes on */
    /* after silence the second is taken for the node relaunched, and then
     * the first one is the clone */
    node_clock_advance(CHANNEL_ALIVE_MS + 1);
    assert_ok(line_ping(&bad));
    assert_int_equal(b.news[ATTEST_RELAUNCHED], 1);
    assert_rc(line_ping(&l), RC_ATTEST);
    assert_int_equal(b.news[ATTEST_CLONE], 2);
    line_close(&bad);
    line_close(&l);
    node_close(&second);
}

static void relaunched_node_is_let_in_when_the_old_one_is_gone(void **state)
{
    (void)state;
    struct node second;
    struct line l;
    line_open(&l, &a, &b);
    assert_ok(line_ping(&l));
    line_close(&l);
    struct attest_peer seen[2];
    for (int i = 0; i < 1000 && attest_channel_peers(b.channel, seen, 2); i++)
        usleep(1000); /* b's end sees it closed */
    impostor(&second, &sim_b);
    line_open(&l, &second, &b);
    assert_ok(line_ping(&l));
    assert_int_equal(b.news[ATTEST_RELAUNCHED], 1);
    assert_int_equal(b.news[ATTEST_CLONE], 0);
    line_close(&l);
    node_close(&second);
}

static void restarted_process_replaces_its_old_key(void **state)
{
    (void)state;
    struct node second;
    struct line old;
    struct line l;
    line_open_raw(&old, &a, &b);
    assert_ok(attest_by_hand(&old));
    assert_ok(line_ping(&old));
    impostor(&second, &sim_a); /* the same launch */
    line_open(&l, &second, &b);
    assert_ok(line_ping(&l));
    assert_int_equal(b.news[ATTEST_RESTARTED], 1);
    assert_rc(line_ping(&old), RC_ATTEST); /* every session of it is gone */
    struct attest_peer seen[4];
    assert_int_equal(attest_channel_peers(b.channel, seen, 4), 1);
    assert_memory_equal(seen[0].ak, second.channel->ak, 32);
    struct attest_bond bond;
    assert_false(attest_bond_find(b.channel, &bond, NODE_A, a.channel->ak, NULL,
                                  NULL));
    line_close(&l);
    line_close(&old);
    node_close(&second);
}

static void client_refuses_a_cloned_server(void **state)
{
    (void)state;
    struct node second;
    struct line l;
    struct line bad;
    line_open(&l, &a, &b);
    assert_ok(line_ping(&l));
    node_open(&second, NODE_B, &id_b, &sim_a, 0, NULL);
    node_serve(&second);
    line_open(&bad, &a, &second);
    assert_rc(line_ping(&bad), RC_ATTEST);
    assert_non_null(strstr(rc_text(), "cloned node"));
    assert_int_equal(a.news[ATTEST_CLONE], 1);
    assert_int_equal(second.handled, 0);
    assert_ok(line_ping(&l));
    line_close(&bad);
    line_close(&l);
    node_close(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_NODES(next_connection_asks_no_device),
        WITH_NODES(binding_for_anything_else_is_refused),
        WITH_NODES(server_signs_its_role_on_this_connection),
        cmocka_unit_test(what_is_known_ends_with_window_policy_and_process),
        WITH_NODES(client_falls_back_to_evidence_at_once),
        cmocka_unit_test(evidence_is_renewed_before_its_window_ends),
        cmocka_unit_test(requests_go_on_while_a_renewal_fails),
        cmocka_unit_test(idle_peers_are_left_alone),
        WITH_NODES(nobody_who_serves_waits_for_the_device),
        cmocka_unit_test(nobody_who_asks_waits_for_the_device),
        WITH_NODES(a_lane_may_go_while_the_device_is_asked),
        WITH_NODES(a_server_may_stop_while_the_device_is_asked),
        WITH_NODES(hellos_of_one_peer_are_counted),
        cmocka_unit_test(renewal_has_hellos_of_its_own),
        WITH_NODES(who_asked_too_often_waits_and_is_served),
        WITH_NODES(asking_again_hears_the_reason_and_not_the_count),
        WITH_NODES(refusals_without_end_are_told_in_short),
        WITH_NODES(clone_of_a_living_node_is_refused),
        WITH_NODES(relaunched_node_is_let_in_when_the_old_one_is_gone),
        WITH_NODES(restarted_process_replaces_its_old_key),
        WITH_NODES(client_refuses_a_cloned_server),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
