/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpc-attest/1 between two nodes: real TLS on loopback, simulated hardware,
 * a throw-away PKI. Each attack is played by a client that holds a genuine
 * certificate of the deployment.
 */
#include "two.h"

#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"

/* ---- the ordinary way -------------------------------------------------- */

static void attested_peers_reach_a_peer_row(void **state)
{
    (void)state;
    struct line l;
    line_open(&l, &a, &b);
    struct http_answer got;
    assert_ok(http_ask(&got, l.peer, "GET", "/v1/ping", NULL, 0, 1024,
                       clock_mono_ms() + 60000));
    assert_string_equal((char *)got.body, NODE_A);
    http_answer_free(&got);
    for (int i = 0; i < 20; i++)
        assert_ok(line_ping(&l));
    assert_int_equal(b.handled, 21);
    assert_int_equal(b.heads, 1); /* one hello for all of them */
    assert_int_equal(a.heads, 1); /* and the server's head came back */
    struct attest_peer seen[4];
    assert_int_equal(attest_channel_peers(b.channel, seen, 4), 1);
    assert_string_equal(seen[0].uri, NODE_A);
    assert_memory_equal(seen[0].ak, a.channel->ak, 32);
    assert_memory_equal(seen[0].hash, a.channel->hash, 32);
    assert_true(seen[0].simulated);
    assert_int_equal(attest_channel_peers(a.channel, seen, 4), 1);
    assert_string_equal(seen[0].uri, NODE_B);
    assert_memory_equal(seen[0].ak, b.channel->ak, 32);
    line_close(&l);
    assert_int_equal(attest_channel_peers(a.channel, seen, 4), 0);
}

static void unattested_client_gets_403(void **state)
{
    (void)state;
    struct line l;
    line_open_raw(&l, &a, &b);
    assert_rc(line_ping(&l), RC_ATTEST);
    assert_int_equal(rc_http(RC_ATTEST), 403);
    assert_int_equal(b.handled, 0);
    line_close(&l);
}

/* ---- whose binary ------------------------------------------------------ */

static void wrong_policy_hash_fails_both_ways_and_says_both_hashes(void **state)
{
    (void)state;
    struct line l;
    line_open(&l, &a, &b);
    node_allow(&b, stranger); /* the server refuses the client */
    assert_rc(line_ping(&l), RC_POLICY_HASH);
    assert_says_both(a.channel->hash, stranger);
    node_allow(&b, a.channel->hash);
    assert_ok(line_ping(&l));
    line_close(&l);
    int before = b.handled;
    line_open(&l, &a, &b);
    node_allow(&a, stranger); /* the client refuses the server */
    assert_rc(line_ping(&l), RC_POLICY_HASH);
    assert_says_both(b.channel->hash, stranger);
    assert_int_equal(b.handled, before);
    line_close(&l);
}

static void tee_policy_hash_narrows_and_never_widens(void **state)
{
    (void)state;
    char own[ENC_HEX_SIZE(32)];
    char other[ENC_HEX_SIZE(32)];
    uint8_t hash[32];
    uint8_t m[ATTEST_MEASUREMENT_LEN];
    assert_ok(attest_measure_file(m, "/proc/self/exe"));
    attest_policy_hash(hash, m);
    enc_hex(own, hash, 32);
    enc_hex(other, stranger, 32);
    char two[2 * 65];
    snprintf(two, sizeof(two), "%s,%s", other, own);
    const struct {
        const char *a, *b;
        const uint8_t *policy_b;
        enum rc want;
        const char *why;
    } rows[] = {
        { own, own, hash, RC_OK, "both name the running binary" },
        { two, two, hash, RC_OK, "a rolling upgrade names two" },
        { NULL, other, hash, RC_POLICY_HASH, "server's value shares none" },
        { other, NULL, hash, RC_POLICY_HASH, "client's value shares none" },
        { NULL, own, stranger, RC_POLICY_HASH, "it cannot widen" },
        { NULL, "", hash, RC_POLICY_HASH, "set and empty allows nothing" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        open_with(0, rows[i].a, rows[i].b);
        node_allow(&b, rows[i].policy_b);
        struct line l;
        line_open(&l, &a, &b);
        enum rc rc = line_ping(&l);
        if (rc != rows[i].want)
            fail_msg("%s: %s %s", rows[i].why, rc_slug(rc), rc_text());
        line_close(&l);
        close_nodes(NULL);
    }
}

static void empty_set_answers_policy_mismatch_to_everything(void **state)
{
    (void)state;
    pthread_mutex_lock(&b.lock);
    b.n_hashes = 0;
    pthread_mutex_unlock(&b.lock);
    struct line l;
    line_open_raw(&l, &a, &b);
    assert_rc(line_ping(&l), RC_POLICY_HASH);
    line_close(&l);
}

static void strangers_and_tools_are_no_peers(void **state)
{
    (void)state;
    struct line l;
    line_open(&l, &a, &b);
    b.role = ATTEST_TOOL;
    assert_rc(line_ping(&l), RC_AUTH);
    b.role = ATTEST_SIDECAR;
    b.unknown = true;
    assert_rc(line_ping(&l), RC_AUTH);
    b.unknown = false;
    assert_ok(line_ping(&l));
    line_close(&l);
}

static void node_without_the_genesis_does_not_start(void **state)
{
    (void)state;
    struct attest_channel *ch = NULL;
    struct attest_channel_config c = node_config(&a, 0, NULL);
    c.genesis[0] ^= 1;
    assert_rc(attest_channel_new(&ch, &c), RC_ATTEST);
    assert_non_null(strstr(rc_text(), "P9"));
    c = node_config(&a, 0, NULL);
    c.roots.allow_simulated = false;
    assert_rc(attest_channel_new(&ch, &c), RC_ATTEST);
    c = node_config(&a, 3601, NULL);
    assert_rc(attest_channel_new(&ch, &c), RC_ARG);
    c = node_config(&a, 0, "not hex");
    assert_rc(attest_channel_new(&ch, &c), RC_PARSE);
    assert_null(ch);
}

/* ---- many at once ------------------------------------------------------ */

struct caller {
    pthread_t thread;
    int served;
    int told_again; /* reset twice within one call */
    int failed;
};

static void *call_often(void *arg)
{
    struct caller *c = arg;
    struct line l;
    line_open(&l, &a, &b);
    for (int i = 0; i < 40; i++) {
        enum rc rc = line_ping(&l);
        c->served += rc == RC_OK;
        c->told_again += rc == RC_ATTEST || rc == RC_ORDER;
        c->failed += rc != RC_OK && rc != RC_ATTEST && rc != RC_ORDER;
    }
    line_close(&l);
    return NULL;
}

static void resets_under_load_let_only_attested_calls_through(void **state)
{
    (void)state;
    struct caller callers[3] = { 0 };
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_often,
                                        &callers[i]),
                         0);
    for (int i = 0; i < 30; i++) {
        struct attest_peer seen[8];
        attest_channel_reset(i % 2 ? a.channel : b.channel);
        assert_true(attest_channel_peers(b.channel, seen, 8) <= 1);
        usleep(2000);
    }
    int served = 0;
    for (size_t i = 0; i < 3; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].failed, 0);
        assert_int_equal(callers[i].served + callers[i].told_again, 40);
        served += callers[i].served;
    }
    /* what was handled and then taken back is told as refused */
    assert_true(b.handled >= served);
    struct line l;
    line_open(&l, &a, &b);
    assert_ok(line_ping(&l));
    line_close(&l);
}

/* ---- fixed bytes ------------------------------------------------------- */

static void bound_bytes_are_as_written_down(void **state)
{
    (void)state;
    uint8_t h[5][32];
    uint8_t got[64];
    char hex[ENC_HEX_SIZE(64)];
    for (int i = 0; i < 5; i++)
        memset(h[i], i + 1, 32);
    attest_binder(got, &(struct attest_binding){ .end = ATTEST_CLIENT,
                                                 .deployment = "test",
                                                 .attester = NODE_A,
                                                 .verifier = NODE_B,
                                                 .ak = h[0],
                                                 .attester_spki = h[1],
                                                 .verifier_spki = h[2],
                                                 .exporter = h[3],
                                                 .nonce = h[4],
                                                 .boot = 0x0102030405060708 });
    /* both computed with another program from the written layout */
    assert_string_equal(
            enc_hex(hex, got, 64),
            "5069a7bd3bb2432a2dc7c6092f8b4500a028f3535d1d6c1acd76b36a28c6efe2"
            "627b5b583d9fd352fda71ec45a38799523c4ab73f2de592ee8f0bc376ff2d703");
    attest_standing_data(got, "test", NODE_A, 0x0103, h[0], h[1], h[2], h[3]);
    assert_string_equal(
            enc_hex(hex, got, 64),
            "c53ae3e12af833ee204f6e81af2d0c751dc3d5ed57c6bb94831d7e4eb16cf2ce"
            "e293e59cc70a4ca0b59a1a2fa51f392033da5c336e556ca2950e35ee0858f44b");
}

static void intents_are_signed_under_their_own_tag(void **state)
{
    (void)state;
    uint8_t leaf[32] = { 9 };
    uint8_t sig[64];
    uint8_t said[14 + 32] = "mpc/intent/v1";
    memcpy(said + 14, leaf, 32);
    attest_channel_sign_intent(a.channel, sig, leaf);
    assert_int_equal(
            crypto_sign_verify_detached(sig, said, sizeof(said), a.channel->ak),
            0);
    assert_int_not_equal(
            crypto_sign_verify_detached(sig, leaf, 32, a.channel->ak), 0);
    uint8_t data[64] = { 5 };
    WIRE(evidence) e = { 0 };
    assert_ok(attest_channel_report(a.channel, &e, data));
    assert_memory_equal(e.ak, a.channel->ak, 32);
    struct attest_report r;
    assert_ok(attest_report_parse(&r, e.report.p, e.report.len));
    assert_memory_equal(r.report_data, data, 64);
}

/* ---- a changed program ------------------------------------------------- */

/* Child: one ping, as whatever binary this is; prints slug and text. */
struct child_args {
    char *self, *mode, *url, *ca, *cert, *key, *device, *ark, *hash;
};

static int child(char **argv)
{
    const struct child_args *c = (const struct child_args *)(void *)argv;
    struct simulator sim = { 0 };
    struct pki_id id = { 0 };
    struct node server = { .uri = NODE_B };
    uint8_t hash[32];
    snprintf(sim.device, sizeof(sim.device), "%s", c->device);
    snprintf(id.ca, sizeof(id.ca), "%s", c->ca);
    snprintf(id.cert, sizeof(id.cert), "%s", c->cert);
    snprintf(id.key, sizeof(id.key), "%s", c->key);
    snprintf(server.url, sizeof(server.url), "%s", c->url);
    if (enc_unhex(sim.ark, 32, c->ark, 64) != RC_OK ||
        enc_unhex(hash, 32, c->hash, 64) != RC_OK)
        return 1;
    struct node self;
    node_open(&self, NODE_A, &id, &sim, 0, NULL);
    node_allow(&self, hash); /* it believes in the genuine server */
    struct line l;
    line_open(&l, &self, &server);
    enum rc rc = line_ping(&l);
    char own[ENC_HEX_SIZE(32)];
    enc_hex(own, self.channel->hash, 32);
    printf("%s own=%s %s\n", rc_slug(rc), own, rc == RC_OK ? "" : rc_text());
    line_close(&l);
    node_close(&self);
    return 0;
}

/* The byte to flip; volatile, so that it stands in the file as it is here. */
static const volatile char patch_me[] = "byte of the program to be changed";

static void copy_program(const char *to, bool flip)
{
    uint8_t *exe;
    size_t len;
    assert_ok(file_read(&exe, &len, "/proc/self/exe", 256u << 20));
    if (flip) {
        char mark[sizeof(patch_me)];
        for (size_t i = 0; i < sizeof(mark); i++)
            mark[i] = patch_me[i];
        uint8_t *at = memmem(exe, len, mark, sizeof(mark));
        assert_non_null(at);
        *at ^= 1;
    }
    assert_ok(file_write(to, exe, len, 0700));
    free(exe);
}

static void run_copy(const char *path, char *out, size_t size)
{
    char ark[ENC_HEX_SIZE(32)];
    enc_hex(ark, sim_a.ark, 32);
    char *argv[] = { (char *)(uintptr_t)path,
                     (char *)(uintptr_t) "--child",
                     b.url,
                     id_a.ca,
                     id_a.cert,
                     id_a.key,
                     sim_a.device,
                     ark,
                     b.channel->hash_hex,
                     NULL };
    assert_int_equal(run_program(argv, out, size), 0);
}

static void patched_binary_is_refused(void **state)
{
    (void)state;
    char path[128];
    char out[1024];
    char hex[ENC_HEX_SIZE(32) + 8];
    snprintf(path, sizeof(path), "%s/program", home.dir);
    copy_program(path, false);
    run_copy(path, out, sizeof(out));
    if (strncmp(out, "ok ", 3) != 0)
        fail_msg("an exact copy is refused: %s", out);
    assert_int_equal(b.handled, 1);
    copy_program(path, true);
    run_copy(path, out, sizeof(out));
    unlink(path);
    if (strncmp(out, "policy_mismatch ", 16) != 0)
        fail_msg("a changed copy: %s", out);
    assert_int_equal(b.handled, 1);
    /* both hashes, and what it measured is not what we are */
    uint8_t m[ATTEST_MEASUREMENT_LEN];
    assert_ok(attest_measure_file(m, "/proc/self/exe"));
    assert_non_null(strstr(out, b.channel->hash_hex));
    char *own = strstr(out, "own=");
    assert_non_null(own);
    snprintf(hex, sizeof(hex), "seen %.64s", own + 4);
    assert_non_null(strstr(out, hex));
    assert_int_not_equal(strncmp(own + 4, b.channel->hash_hex, 64), 0);
}

int main(int argc, char **argv)
{
    if (argc == 9 && strcmp(argv[1], "--child") == 0)
        return child(argv);
    const struct CMUnitTest tests[] = {
        WITH_NODES(attested_peers_reach_a_peer_row),
        WITH_NODES(unattested_client_gets_403),
        WITH_NODES(wrong_policy_hash_fails_both_ways_and_says_both_hashes),
        cmocka_unit_test(tee_policy_hash_narrows_and_never_widens),
        WITH_NODES(empty_set_answers_policy_mismatch_to_everything),
        WITH_NODES(strangers_and_tools_are_no_peers),
        WITH_NODES(node_without_the_genesis_does_not_start),
        WITH_NODES(resets_under_load_let_only_attested_calls_through),
        cmocka_unit_test(bound_bytes_are_as_written_down),
        WITH_NODES(intents_are_signed_under_their_own_tag),
        WITH_NODES(patched_binary_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
