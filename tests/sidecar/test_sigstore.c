/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sidecar hands on to the log in Sigstore's form: a signature that it
 * led itself, with the statement it is over and a certificate of our issuer.
 */
#include "test.h"

#include "story.h"

#include "../transparency/leaf.h"
#include "base/clock.h"

static const char *const keys[] = { "release", NULL };
static const char statement[] =
        "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"name\":"
        "\"a\",\"digest\":{\"sha256\":\"ab\"}}],\"predicateType\":\"x\","
        "\"predicate\":{}}";
static const uint8_t issuer[32] = { 3 };

static unsigned sign_dsse(struct sim *s, unsigned id, struct wire_signed *out)
{
    OWNED_MEM uint8_t *pae = NULL;
    size_t len;
    assert_ok(tlog_dsse_pae(&pae, &len, statement, strlen(statement)));
    unsigned call = sim_sign(s, id, "release", "", pae, len, 10000);
    sim_want_ok(s, call);
    assert_true(sim_signature(s, call, out));
    assert_string_equal(out->slot, "dsse");
    return call;
}

static void fill(struct tlog_dsse *d, const struct wire_signed *by)
{
    uint8_t cert[TLOG_DSSE_CERT_MAX];
    int64_t now = clock_now_s(); /* virtual */
    size_t len = leaf_make(cert, by->group_key, issuer, now - 30, now + 270);
    assert_ok(tlog_dsse_fill(d, statement, strlen(statement), by->signature,
                             cert, len));
}

static unsigned put(struct sim *s, unsigned id, const struct tlog_dsse *d,
                    const char *about)
{
    WIRE(export) m = { 0 };
    OWNED_MEM char *json = NULL;
    char entry[TLOG_ENTRY_MAX + 1];
    size_t len;
    assert_ok(tlog_dsse_encode(entry, &len, d));
    assert_ok(wire_text_set(&m.entry, entry, len));
    assert_ok(wire_blob_set(&m.statement, about, strlen(about)));
    assert_ok(wire_export_encode(&json, &len, &m));
    return sim_ask(s, id, "/v1/sigstore", json, len);
}

static bool in_the_log(const struct sim *s, const struct tlog_dsse *d)
{
    char entry[TLOG_ENTRY_MAX + 1];
    size_t len;
    assert_ok(tlog_dsse_encode(entry, &len, d));
    for (uint64_t i = 0; i < s->log.n; i++)
        if (strcmp(s->log.entry[i], entry) == 0)
            return true;
    return false;
}

static void what_it_led_goes_into_the_log(void **state)
{
    (void)state;
    struct sim *s = cluster(keys);
    struct wire_signed by;
    struct tlog_dsse d;
    WIRE(rekor) r = { 0 };
    sign_dsse(s, 1, &by);
    fill(&d, &by);
    unsigned call = put(s, 1, &d, statement);
    sim_want_ok(s, call);
    assert_ok(wire_rekor_decode(&r, s->call[call].json, s->call[call].len));
    assert_int_equal(tlog_entry_kind(s->log.entry[r.index],
                                     strlen(s->log.entry[r.index])),
                     TLOG_DSSE);
    assert_true(in_the_log(s, &d));
    done(s);
}

static void another_node_did_not_lead_it(void **state)
{
    (void)state;
    struct sim *s = cluster(keys);
    struct wire_signed by;
    struct tlog_dsse d;
    sign_dsse(s, 1, &by);
    fill(&d, &by);
    unsigned call = put(s, 2, &d, statement);
    sim_want(s, call, RC_UNKNOWN);
    says(s, call, "did not lead it");
    assert_false(in_the_log(s, &d));
    done(s);
}

/* A caller with a key of its own gets nothing in, however well it signs. */
static void a_strangers_signature_stays_out(void **state)
{
    (void)state;
    struct sim *s = cluster(keys);
    struct wire_signed by = { .slot = "dsse" };
    struct tlog_dsse d;
    OWNED_MEM uint8_t *pae = NULL;
    uint8_t sk[64];
    size_t len;
    assert_ok(tlog_dsse_pae(&pae, &len, statement, strlen(statement)));
    crypto_sign_seed_keypair(by.group_key, sk, issuer);
    crypto_sign_detached(by.signature, NULL, pae, len, sk);
    fill(&d, &by);
    unsigned call = put(s, 1, &d, statement);
    sim_want(s, call, RC_UNKNOWN);
    assert_false(in_the_log(s, &d));
    done(s);
}

static void an_entry_is_of_its_statement_signature_and_certificate(void **state)
{
    (void)state;
    struct sim *s = cluster(keys);
    struct wire_signed by, other;
    struct tlog_dsse d, bad;
    sign_dsse(s, 1, &by);
    fill(&d, &by);
    unsigned call = put(s, 1, &d, "{}");
    sim_want(s, call, RC_VERIFY);
    says(s, call, "not of this statement");
    bad = d;
    bad.envelope[0] ^= 1;
    sim_want(s, put(s, 1, &bad, statement), RC_VERIFY);
    /* a certificate of another key */
    other = by;
    other.group_key[0] ^= 1;
    fill(&bad, &other);
    call = put(s, 1, &bad, statement);
    sim_want(s, call, RC_VERIFY);
    says(s, call, "certificate's key");
    /* one that has expired */
    sim_run(s, 280000);
    call = put(s, 1, &d, statement);
    sim_want(s, call, RC_EXPIRED);
    sim_want(s, sim_ask(s, 1, "/v1/sigstore", "{}", 2), RC_PARSE);
    assert_false(in_the_log(s, &d));
    done(s);
}

static void a_certificate_is_of_our_issuer(void **state)
{
    (void)state;
    static const char ca[] =
            "\"profiles\":[{\"name\":\"ca\",\"lifetime\":\"persistent\","
            "\"class\":\"issuer\",\"threshold\":2,\"nodes\":[1,2,3],"
            "\"required\":{\"engineer\":0,\"steward\":0},\"kinds\":[\"x509\"],"
            "\"max_message\":65536,\"certificate\":null,"
            "\"sidecar_page\":false},";
    struct sim *s = cluster(keys);
    struct wire_signed by;
    struct tlog_dsse d;
    sim_want_ok(s, sim_policy_next(s, 1, "\"profiles\":[", ca));
    sim_run(s, 500);
    sim_want_ok(s, sim_key_create(s, 1, "ca", sim_stewards));
    sign_dsse(s, 1, &by);
    fill(&d, &by);
    unsigned call = put(s, 1, &d, statement);
    sim_want(s, call, RC_VERIFY);
    says(s, call, "not of this cluster's issuer");
    assert_false(in_the_log(s, &d));
    done(s);
}

static void the_logs_own_no_is_handed_on(void **state)
{
    (void)state;
    struct sim *s = cluster(keys);
    struct wire_signed by;
    struct tlog_dsse d;
    sign_dsse(s, 1, &by);
    fill(&d, &by);
    s->log_down = true;
    unsigned call = put(s, 1, &d, statement);
    assert_true(sim_wait(s, call, 20000));
    assert_int_not_equal(s->call[call].rc, RC_OK);
    says(s, call, "log: ");
    s->log_down = false;
    sim_want_ok(s, put(s, 1, &d, statement));
    call = sim_ask(s, 1, "/v1/sigstore/key", NULL, 0);
    sim_want_ok(s, call);
    done(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, sim_teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_it_led_goes_into_the_log),
        TEST(another_node_did_not_lead_it),
        TEST(a_strangers_signature_stays_out),
        TEST(an_entry_is_of_its_statement_signature_and_certificate),
        TEST(a_certificate_is_of_our_issuer),
        TEST(the_logs_own_no_is_handed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
