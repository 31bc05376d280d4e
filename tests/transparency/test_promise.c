/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the log promises with its ECDSA key, over plain HTTP instead of the
 * attested channel: who may call is not this file's business.
 */
#include "test.h"

#include "base/hash.h"
#include "leaf.h"
#include "servelog.h"
#include "transparency/promise.h"

OWNED_STRUCT(http_client);

#define NOW 1795312955

static int64_t now_s = NOW;
static int64_t the_time(void)
{
    return now_s;
}

struct world {
    struct servelog s; /* first */
    struct log_appender *a;
    struct log_promise promise;
    struct http_client *client;
    struct http_peer *peer;
};

static enum rc on_append(struct http_call *call, void *ctx)
{
    struct world *w = ctx;
    return log_append(w->a, call, "mpc://test/sidecar/node1");
}
static enum rc on_entry(struct http_call *call, void *ctx)
{
    struct world *w = ctx;
    return log_promise_entry(&w->promise, w->a, call,
                             "mpc://test/sidecar/node1");
}
static enum rc on_sct(struct http_call *call, void *ctx)
{
    struct world *w = ctx;
    return log_promise_sct(&w->promise, call);
}
static enum rc on_key(struct http_call *call, void *ctx)
{
    struct world *w = ctx;
    return log_promise_spki(&w->promise, call);
}

static const struct http_route routes[] = {
    { "POST", "/append", HTTP_PUBLIC, 256 * 1024, on_append },
    { "POST", "/entry", HTTP_PUBLIC, 16 * 1024, on_entry },
    { "POST", "/sct", HTTP_PUBLIC, 32 * 1024, on_sct },
    { "GET", "/key", HTTP_PUBLIC, 0, on_key },
    { 0 },
};

static void world_open(struct world *w, unsigned per_s)
{
    const uint8_t seed[32] = { 1, 2, 3 };
    now_s = NOW;
    clock_replace(the_time, NULL);
    memset(w, 0, sizeof(*w));
    w->s.d = logdir_new();
    servelog_open(&w->s, routes, w);
    assert_ok(log_appender_start(&w->a, &w->s.public, per_s));
    assert_ok(log_promise_open(&w->promise, &w->s.public, "mpc.example", seed));
    assert_ok(http_client_new(&w->client, NULL, NULL));
    assert_ok(http_peer_new(&w->peer, w->client, w->s.url, NULL, 1));
}

static void world_close(struct world *w)
{
    http_client_free(w->client);
    log_appender_close(w->a, 2000);
    servelog_close(&w->s);
    log_appender_free(w->a);
    log_promise_close(&w->promise);
    logdir_free(&w->s.d);
    clock_replace(NULL, NULL);
}

static uint64_t size_of(struct world *w)
{
    return logdir_head(&w->s.d, w->s.store).size;
}

/* An entry about this statement, by a key of its own. */
static size_t an_entry(char out[TLOG_ENTRY_MAX + 1], const char *statement,
                       int64_t from_s, int64_t to_s)
{
    const uint8_t seed[32] = { 9 };
    uint8_t pk[32], sk[64], sig[64], cert[TLOG_DSSE_CERT_MAX];
    OWNED_MEM uint8_t *pae = NULL;
    struct tlog_dsse d;
    size_t len;
    crypto_sign_seed_keypair(pk, sk, seed);
    assert_ok(tlog_dsse_pae(&pae, &len, statement, strlen(statement)));
    crypto_sign_detached(sig, NULL, pae, len, sk);
    len = leaf_make(cert, pk, seed, from_s, to_s);
    assert_ok(tlog_dsse_fill(&d, statement, strlen(statement), sig, cert, len));
    assert_ok(tlog_dsse_encode(out, &len, &d));
    return len;
}

static enum rc post(struct world *w, const char *path, const char *json,
                    size_t len, struct http_answer *a)
{
    memset(a, 0, sizeof(*a));
    return http_ask(a, w->peer, "POST", path, json, len, 1 << 20,
                    clock_mono_ms() + 30000);
}

static enum rc ask(struct world *w, struct wire_rekor *out, const char *entry)
{
    WIRE(rekor_ask) in = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    struct http_answer a;
    wire_rekor_free(out);
    assert_ok(wire_text_set(&in.entry, entry, strlen(entry)));
    assert_ok(wire_rekor_ask_encode(&json, &len, &in));
    TRY(post(w, "/entry", json, len, &a));
    enum rc rc = wire_rekor_decode(out, (char *)a.body, a.body_len);
    http_answer_free(&a);
    return rc;
}

/* ---- entries ------------------------------------------------------------- */

static void check_answer(struct world *w, const struct wire_rekor *r,
                         const char *entry, uint64_t size)
{
    const uint8_t *spki = tlog_p256_spki(w->promise.key);
    struct tlog_checkpoint cp, ours = logdir_head(&w->s.d, w->s.store);
    struct tlog_path path = { .n = (unsigned)r->path.n };
    struct tlog_hash leaf;
    OWNED_MEM char *msg = NULL;
    size_t len;
    assert_ok(tlog_rekor_open(&cp, r->checkpoint.p, r->checkpoint.len,
                              "log.mpc.example", spki, TLOG_P256_SPKI_LEN));
    /* one tree under two notes */
    assert_int_equal(cp.size, size);
    assert_int_equal(ours.size, size);
    assert_memory_equal(cp.root.b, ours.root.b, 32);
    for (unsigned i = 0; i < path.n; i++)
        memcpy(path.hash[i].b, r->path.at[i].b, 32);
    tlog_leaf_hash(&leaf, entry, strlen(entry));
    assert_ok(tlog_inclusion_check(&path, r->index, size, &leaf, &cp.root));
    assert_ok(tlog_set_message(&msg, &len, entry, strlen(entry), r->index,
                               (int64_t)r->integrated,
                               tlog_p256_id(w->promise.key)));
    assert_ok(tlog_p256_verify(spki, TLOG_P256_SPKI_LEN, msg, len, r->set.p,
                               r->set.len));
}

static void an_entry_is_answered_with_all_that_clients_check(void **state)
{
    (void)state;
    struct world w;
    WIRE(rekor) r = { 0 };
    char one[TLOG_ENTRY_MAX + 1], two[TLOG_ENTRY_MAX + 1];
    world_open(&w, 0);
    an_entry(one, "{\"a\":1}", NOW - 30, NOW + 270);
    an_entry(two, "{\"a\":2}", NOW - 30, NOW + 270);
    assert_ok(ask(&w, &r, one));
    assert_int_equal(r.index, 0);
    assert_int_equal(r.integrated, NOW);
    check_answer(&w, &r, one, 1);
    assert_ok(ask(&w, &r, two));
    assert_int_equal(r.index, 1);
    check_answer(&w, &r, two, 2);
    /* again: where it was, in the newest tree, and no entry more */
    now_s = NOW + 100;
    assert_ok(ask(&w, &r, one));
    assert_int_equal(r.index, 0);
    assert_int_equal(r.integrated, NOW + 100);
    check_answer(&w, &r, one, 2);
    world_close(&w);
}

static void an_entry_that_no_client_would_take_stays_out(void **state)
{
    (void)state;
    struct world w;
    WIRE(rekor) r = { 0 };
    char entry[TLOG_ENTRY_MAX + 1];
    world_open(&w, 0);
    an_entry(entry, "{}", NOW - 600, NOW - 300);
    assert_rc(ask(&w, &r, entry), RC_EXPIRED);
    an_entry(entry, "{}", NOW + 10, NOW + 300);
    assert_rc(ask(&w, &r, entry), RC_EXPIRED);
    an_entry(entry, "{}", NOW - 30, NOW + 270);
    entry[strlen(entry) - 1] = ' ';
    assert_rc(ask(&w, &r, entry), RC_PARSE);
    assert_rc(ask(&w, &r, "mpc-abort/1\nintent 1\nreason a\n"), RC_PARSE);
    assert_rc(ask(&w, &r, "hello"), RC_PARSE);
    assert_int_equal(size_of(&w), 0);
    world_close(&w);
}

static void it_has_one_way_into_the_log(void **state)
{
    (void)state;
    struct world w;
    WIRE(append) in = { 0 };
    OWNED_MEM char *json = NULL;
    char entry[TLOG_ENTRY_MAX + 1];
    size_t len;
    struct http_answer a;
    world_open(&w, 0);
    len = an_entry(entry, "{}", NOW - 30, NOW + 270);
    assert_ok(wire_list_new(&in.entries, 1));
    assert_ok(wire_text_set(&in.entries.at[0], entry, len));
    assert_ok(wire_append_encode(&json, &len, &in));
    assert_rc(post(&w, "/append", json, len, &a), RC_PARSE);
    assert_non_null(strstr(rc_text(), "for /v1/log/sigstore"));
    assert_int_equal(size_of(&w), 0);
    world_close(&w);
}

static void quota_and_hold_are_those_of_appends(void **state)
{
    (void)state;
    struct world w;
    WIRE(rekor) r = { 0 };
    char entry[TLOG_ENTRY_MAX + 1];
    char statement[32];
    world_open(&w, 1); /* ten at once */
    log_appender_hold(w.a, "waiting for witnesses");
    an_entry(entry, "{}", NOW - 30, NOW + 270);
    assert_rc(ask(&w, &r, entry), RC_ORDER);
    log_appender_hold(w.a, NULL);
    for (unsigned i = 0; i < 10; i++) {
        snprintf(statement, sizeof(statement), "{\"n\":%u}", i);
        an_entry(entry, statement, NOW - 30, NOW + 270);
        assert_ok(ask(&w, &r, entry));
    }
    an_entry(entry, "{\"n\":10}", NOW - 30, NOW + 270);
    assert_rc(ask(&w, &r, entry), RC_NOMEM);
    assert_int_equal(atomic_load(&w.s.public.refused_quota), 1);
    assert_int_equal(size_of(&w), 10);
    world_close(&w);
}

/* ---- certificates -------------------------------------------------------- */

static enum rc ask_sct(struct world *w, struct wire_sct *out,
                       const uint8_t *tbs, size_t tbs_len)
{
    WIRE(sct_ask) in = { .issuer_key_hash = { 7 } };
    OWNED_MEM char *json = NULL;
    size_t len;
    struct http_answer a;
    wire_sct_free(out);
    assert_ok(wire_blob_set(&in.tbs, tbs, tbs_len));
    assert_ok(wire_sct_ask_encode(&json, &len, &in));
    TRY(post(w, "/sct", json, len, &a));
    enum rc rc = wire_sct_decode(out, (char *)a.body, a.body_len);
    http_answer_free(&a);
    return rc;
}

static void a_certificate_gets_a_timestamp_of_now(void **state)
{
    (void)state;
    struct world w;
    WIRE(sct) out = { 0 };
    const uint8_t issuer[32] = { 7 };
    uint8_t tbs[304] = { 0x30, 0x82, 0x01, 0x2c };
    uint64_t at_ms;
    world_open(&w, 0);
    assert_ok(ask_sct(&w, &out, tbs, sizeof(tbs)));
    assert_ok(tlog_sct_check(&at_ms, out.list.p, out.list.len,
                             tlog_p256_spki(w.promise.key), TLOG_P256_SPKI_LEN,
                             issuer, tbs, sizeof(tbs)));
    assert_int_equal(at_ms / 1000, NOW);
    /* one SEQUENCE, no byte more or less */
    assert_rc(ask_sct(&w, &out, tbs, sizeof(tbs) - 1), RC_PARSE);
    assert_rc(ask_sct(&w, &out, tbs, 3), RC_PARSE);
    assert_rc(ask_sct(&w, &out, tbs, 0), RC_PARSE);
    tbs[0] = 0x31;
    assert_rc(ask_sct(&w, &out, tbs, sizeof(tbs)), RC_PARSE);
    assert_int_equal(size_of(&w), 0);
    world_close(&w);
}

static void its_key_is_told(void **state)
{
    (void)state;
    struct world w;
    WIRE(spki) out = { 0 };
    struct http_answer a;
    world_open(&w, 0);
    assert_ok(http_ask(&a, w.peer, "GET", "/key", NULL, 0, 4096,
                       clock_mono_ms() + 30000));
    assert_ok(wire_spki_decode(&out, (char *)a.body, a.body_len));
    assert_int_equal(out.spki.len, TLOG_P256_SPKI_LEN);
    assert_memory_equal(out.spki.p, tlog_p256_spki(w.promise.key),
                        out.spki.len);
    http_answer_free(&a);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_answered_with_all_that_clients_check),
        cmocka_unit_test(an_entry_that_no_client_would_take_stays_out),
        cmocka_unit_test(it_has_one_way_into_the_log),
        cmocka_unit_test(quota_and_hold_are_those_of_appends),
        cmocka_unit_test(a_certificate_gets_a_timestamp_of_now),
        cmocka_unit_test(its_key_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
