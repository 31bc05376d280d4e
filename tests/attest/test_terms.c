/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What peers are held to, changed under way: attestation policies, CRLs,
 * certificates, TEE_POLICY_HASH; and that nothing let in before is answered
 * after.
 */
#include "two.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/file.h"

/* One that every simulated report passes. */
static struct attest_rules lenient(void)
{
    struct attest_rules r = { .crl = ATTEST_CRL_OFF };
    for (int i = 0; i < 3; i++)
        r.product[i].allowed = true;
    return r;
}

static void by_file(struct node *n, const struct attest_rules *rules)
{
    const struct attest_files f = { .rules = rules };
    assert_ok(attest_channel_files(n->channel, &f));
}

/* ---- both policies ----------------------------------------------------- */

static void no_chip(struct attest_rules *r)
{
    r->n_chips = 1;
}
static void high_tcb(struct attest_rules *r)
{
    r->product[ATTEST_GENOA].has_committed = true;
    r->product[ATTEST_GENOA].committed.snp = 255;
}
static void other_product(struct attest_rules *r)
{
    r->product[ATTEST_GENOA].allowed = false;
}
static void other_level(struct attest_rules *r)
{
    r->vmpls = 1 << 1;
}
static void newer_guest(struct attest_rules *r)
{
    r->min_guest_svn = 1000;
}
static void newer_version(struct attest_rules *r)
{
    r->min_version = 1000;
}
static void masks(struct attest_rules *r)
{
    r->policy.clear = ~0ull;
}
static void revocation(struct attest_rules *r)
{
    r->crl = ATTEST_CRL_REQUIRE;
}

static const struct {
    void (*set)(struct attest_rules *r);
    const char *says;
} members[] = {
    { no_chip, "P13" },       { high_tcb, "P6" },   { other_product, "P14" },
    { other_level, "P5" },    { masks, "P8" },      { newer_guest, "P11" },
    { newer_version, "P15" }, { revocation, "C7" },
};

static void peers_are_held_to_both_policies(void **state)
{
    (void)state;
    struct line l;
    line_open(&l, &a, &b);
    const struct attest_rules good = lenient();
    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
        struct attest_rules bad = lenient();
        members[i].set(&bad);
        for (int file = 0; file < 2; file++) {
            assert_ok(attest_channel_rules(b.channel, file ? &good : &bad));
            by_file(&b, file ? &bad : &good);
            enum rc rc = line_ping(&l);
            if (rc != RC_ATTEST || !strstr(b.refusal, members[i].says))
                fail_msg("%s by %s: %s, %s", members[i].says,
                         file ? "file" : "policy", rc_slug(rc), b.refusal);
            /* and it would exclude itself, which ends nothing */
            assert_rc(attest_channel_self(b.channel), RC_ATTEST);
            assert_non_null(strstr(rc_text(), members[i].says));
        }
        assert_ok(attest_channel_rules(b.channel, &good));
        by_file(&b, &good);
        assert_ok(line_ping(&l));
        assert_ok(attest_channel_self(b.channel));
    }
    line_close(&l);
}

static void clients_hold_servers_to_them_too(void **state)
{
    (void)state;
    struct line l;
    line_open(&l, &a, &b);
    struct attest_rules bad = lenient();
    no_chip(&bad);
    by_file(&a, &bad);
    assert_rc(line_ping(&l), RC_ATTEST);
    assert_non_null(strstr(rc_text(), "P13"));
    assert_int_equal(b.handled, 0);
    by_file(&a, NULL);
    assert_ok(line_ping(&l));
    line_close(&l);
}

static void measurements_of_a_file_narrow_by_role(void **state)
{
    (void)state;
    struct line l;
    line_open(&l, &a, &b);
    struct attest_rules r = lenient();
    r.has_measurements = true; /* none for any role */
    by_file(&b, &r);
    assert_rc(line_ping(&l), RC_POLICY_HASH);
    memcpy(r.measurement[ATTEST_CA][0], a.channel->hash, 32);
    r.n_measurements[ATTEST_CA] = 1;
    by_file(&b, &r);
    assert_rc(line_ping(&l), RC_POLICY_HASH);
    memcpy(r.measurement[ATTEST_SIDECAR][0], a.channel->hash, 32);
    r.n_measurements[ATTEST_SIDECAR] = 1;
    by_file(&b, &r);
    assert_ok(line_ping(&l));
    line_close(&l);
}

static void narrowed_hash_counts_at_once(void **state)
{
    (void)state;
    struct line l;
    char hex[ENC_HEX_SIZE(32)];
    line_open(&l, &a, &b);
    assert_ok(line_ping(&l));
    assert_ok(attest_channel_narrow(b.channel, enc_hex(hex, stranger, 32)));
    assert_rc(line_ping(&l), RC_POLICY_HASH);
    assert_says_both(a.channel->hash, stranger);
    assert_rc(attest_channel_narrow(b.channel, "not hex"), RC_PARSE);
    assert_rc(line_ping(&l), RC_POLICY_HASH); /* what was, stays */
    assert_rc(attest_channel_self(b.channel), RC_POLICY_HASH);
    assert_ok(attest_channel_narrow(b.channel, NULL));
    assert_ok(line_ping(&l));
    line_close(&l);
}

/* ---- CRLs -------------------------------------------------------------- */

static X509 *sim_cert(const char *name, struct wire_blob *der)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", sim_a.dir, name);
    assert_ok(file_read(&der->p, &der->len, path, ATTEST_CERT_MAX));
    const unsigned char *p = der->p;
    X509 *cert = d2i_X509(NULL, &p, (long)der->len);
    assert_non_null(cert);
    return cert;
}

static EVP_PKEY *ark_key(void)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/ark.key", sim_a.dir);
    FILE *f = fopen(path, "rbe");
    assert_non_null(f);
    EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    fclose(f);
    assert_non_null(key);
    return key;
}

static void sign_crl(X509_CRL *crl, EVP_PKEY *key)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;
    assert_int_equal(EVP_DigestSignInit(ctx, &pctx, EVP_sha384(), NULL, key),
                     1);
    EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, 48);
    assert_true(X509_CRL_sign_ctx(crl, ctx) > 0);
    EVP_MD_CTX_free(ctx);
}

/* The simulator's own ARK revokes its ASK, or not. */
static void make_crl(struct wire_blob *out, bool revoke, long until_s)
{
    struct wire_blob ark_der;
    struct wire_blob ask_der;
    X509 *ark = sim_cert("ark.der", &ark_der);
    X509 *ask = sim_cert("ask.der", &ask_der);
    EVP_PKEY *key = ark_key();
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *t = ASN1_TIME_new();
    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(ark));
    X509_CRL_set1_lastUpdate(crl, X509_gmtime_adj(t, -7200));
    if (revoke) {
        X509_REVOKED *r = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(ask));
        X509_REVOKED_set_revocationDate(r, X509_gmtime_adj(t, -3600));
        X509_CRL_add0_revoked(crl, r);
    }
    X509_CRL_set1_nextUpdate(crl, X509_gmtime_adj(t, until_s));
    sign_crl(crl, key);
    unsigned char *der = NULL;
    int len = i2d_X509_CRL(crl, &der);
    assert_true(len > 0);
    *out = (struct wire_blob){ malloc((size_t)len), (size_t)len };
    memcpy(out->p, der, (size_t)len);
    OPENSSL_free(der);
    ASN1_TIME_free(t);
    X509_CRL_free(crl);
    EVP_PKEY_free(key);
    X509_free(ark);
    X509_free(ask);
    free(ark_der.p);
    free(ask_der.p);
}

static void peers_are_judged_by_the_crl_at_hand(void **state)
{
    (void)state;
    static const struct {
        bool revoke;
        long until_s;
        enum attest_crl mode;
        enum rc want;
        const char *why;
    } rows[] = {
        { false, 86400, ATTEST_CRL_REQUIRE, RC_OK, "a fresh one" },
        { false, -60, ATTEST_CRL_REQUIRE, RC_ATTEST, "a stale one" },
        { true, 86400, ATTEST_CRL_REQUIRE, RC_ATTEST, "it revokes the ASK" },
        { true, 86400, ATTEST_CRL_IF_PRESENT, RC_ATTEST, "present is judged" },
        { true, 86400, ATTEST_CRL_OFF, RC_OK, "off is off" },
    };
    struct line l;
    line_open(&l, &a, &b);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct attest_rules r = lenient();
        struct wire_blob crl;
        r.crl = rows[i].mode;
        make_crl(&crl, rows[i].revoke, rows[i].until_s);
        const struct attest_files f = { .rules = &r, .crl = &crl, .n_crls = 1 };
        assert_ok(attest_channel_files(b.channel, &f));
        enum rc rc = line_ping(&l);
        if (rc != rows[i].want || (rc != RC_OK && !strstr(b.refusal, "C7")))
            fail_msg("%s: %s %s", rows[i].why, rc_slug(rc), b.refusal);
        free(crl.p);
    }
    line_close(&l);
}

static void unusable_files_change_nothing(void **state)
{
    (void)state;
    struct line l;
    struct wire_blob crl[2];
    struct wire_blob junk = { (uint8_t *)(uintptr_t) "junk", 4 };
    line_open(&l, &a, &b);
    assert_ok(line_ping(&l));
    make_crl(&crl[0], false, 86400);
    make_crl(&crl[1], false, 86400);
    struct attest_files two = { .crl = crl, .n_crls = 2 };
    assert_rc(attest_channel_files(b.channel, &two), RC_PARSE);
    assert_non_null(strstr(rc_text(), "second one of Genoa"));
    struct attest_files bad = { .crl = &junk, .n_crls = 1 };
    assert_rc(attest_channel_files(b.channel, &bad), RC_PARSE);
    bad = (struct attest_files){ .cert = &junk, .n_certs = 1 };
    assert_rc(attest_channel_files(b.channel, &bad), RC_PARSE);
    uint64_t before = attest_channel_reports(b.channel);
    assert_ok(line_ping(&l));
    assert_int_equal(attest_channel_reports(b.channel), before);
    free(crl[0].p);
    free(crl[1].p);
    line_close(&l);
}

/* ---- certificates that evidence comes without -------------------------- */

static enum rc show_stripped(struct line *l, bool vek)
{
    uint8_t nonce[32];
    WIRE(hello_reply) reply = { 0 };
    WIRE(evidence) e = { 0 };
    fresh(nonce);
    TRY(say_hello(l, nonce, &reply));
    TRY(node_evidence(a.channel, &e, ATTEST_CLIENT, &l->tls, reply.nonce));
    for (size_t i = 0; i < e.chain.n; i++)
        free(e.chain.at[i].p);
    e.chain.n = 0;
    if (vek)
        e.vek.len = 0;
    return show(l, &e);
}

static void certificates_at_hand_complete_evidence(void **state)
{
    (void)state;
    static const char *const names[] = { "ark.der", "ask.der", "vcek.der" };
    struct wire_blob cert[3];
    struct line l;
    line_open_raw(&l, &a, &b);
    assert_rc(show_stripped(&l, false), RC_ATTEST);
    for (int i = 0; i < 3; i++)
        X509_free(sim_cert(names[i], &cert[i]));
    struct attest_files f = { .cert = cert, .n_certs = 2 };
    assert_ok(attest_channel_files(b.channel, &f));
    assert_ok(show_stripped(&l, false));
    assert_ok(line_ping(&l));
    assert_rc(show_stripped(&l, true), RC_ATTEST);
    f.n_certs = 3;
    assert_ok(attest_channel_files(b.channel, &f));
    assert_ok(show_stripped(&l, true));
    assert_ok(line_ping(&l));
    for (int i = 0; i < 3; i++)
        free(cert[i].p);
    line_close(&l);
}

static void drop_certificates(struct wire_evidence *e)
{
    for (size_t i = 0; i < e->chain.n; i++)
        free(e->chain.at[i].p);
    e->chain.n = 0;
    e->vek.len = 0;
}

static void want_blob(const struct wire_blob *have,
                      const struct wire_blob *want)
{
    assert_int_equal(have->len, want->len);
    assert_memory_equal(have->p, want->p, want->len);
}

/* Who reads it later has no certificates: it takes them along, in order. */
static void evidence_to_keep_is_made_whole(void **state)
{
    (void)state;
    static const char *const names[] = { "ark.der", "vcek.der", "ask.der" };
    static const uint8_t data[64];
    struct wire_blob cert[3];
    WIRE(evidence) e = { 0 };
    for (int i = 0; i < 3; i++)
        X509_free(sim_cert(names[i], &cert[i]));
    assert_ok(attest_channel_report(a.channel, &e, data));
    drop_certificates(&e);
    assert_ok(attest_channel_whole(a.channel, &e)); /* nothing is at hand */
    assert_int_equal(e.chain.n, 0);
    assert_int_equal(e.vek.len, 0);
    const struct attest_files f = { .cert = cert, .n_certs = 3 };
    assert_ok(attest_channel_files(a.channel, &f));
    for (int again = 0; again < 2; again++) {
        assert_ok(attest_channel_whole(a.channel, &e));
        assert_int_equal(e.chain.n, 2);
        want_blob(&e.vek, &cert[1]);
        want_blob(&e.chain.at[0], &cert[2]);
        want_blob(&e.chain.at[1], &cert[0]);
    }
    assert_ok(attest_channel_files(a.channel, &(struct attest_files){ 0 }));
    for (int i = 0; i < 3; i++)
        free(cert[i].p);
}

/* ---- what a policy document may say ------------------------------------ */

static void shared_policies_list_no_measurements(void **state)
{
    (void)state;
    struct attest_rules r;
    bool has = true;
    assert_ok(attest_rules_shared(&r, &has, NULL, 0));
    assert_false(has);
    uint8_t *json;
    size_t len;
    assert_ok(file_read(&json, &len, MPC_SOURCE_DIR "/docs/attest-policy.json",
                        ATTEST_RULES_MAX));
    assert_rc(attest_rules_shared(&r, &has, json, len), RC_PARSE);
    assert_non_null(strstr(rc_text(), "measurements"));
    assert_rc(attest_rules_shared(&r, &has, "{}", 2), RC_PARSE);
    free(json);
}

/* ---- nothing slips through --------------------------------------------- */

static void *ask_once(void *arg)
{
    enum rc *rc = arg;
    struct line l;
    line_open_raw(&l, &a, &b);
    assert_ok(attest_by_hand(&l));
    *rc = line_ping(&l);
    line_close(&l);
    return NULL;
}

static void call_under_way_is_not_answered_after_a_reset(void **state)
{
    (void)state;
    pthread_t thread;
    enum rc rc = RC_OK;
    b.hold = true; /* its handler waits */
    assert_int_equal(pthread_create(&thread, NULL, ask_once, &rc), 0);
    while (b.handled == 0)
        usleep(1000);
    attest_channel_reset(b.channel);
    b.hold = false;
    pthread_join(thread, NULL);
    assert_rc(rc, RC_ATTEST);
    assert_int_equal(b.handled, 1);
    assert_non_null(strstr(b.refusal, "GET /v1/ping attestation_required"));
    assert_non_null(strstr(b.refusal, "earlier policy"));
}

struct asker {
    pthread_t thread;
    int served;
    int refused;
    int slipped; /* begun when the door was shut, and served */
    int other;
};
static atomic_int door; /* odd: shut */
static atomic_bool over;

static void *ask_often(void *arg)
{
    struct asker *c = arg;
    struct line l;
    line_open(&l, &a, &b);
    while (!over) {
        int before = door;
        enum rc rc = line_ping(&l);
        int after = door;
        c->served += rc == RC_OK;
        c->refused += rc == RC_POLICY_HASH;
        c->slipped += rc == RC_OK && before % 2 && before == after;
        c->other += rc != RC_OK && rc != RC_POLICY_HASH && rc != RC_ATTEST &&
                    rc != RC_ORDER;
    }
    line_close(&l);
    return NULL;
}

static void nothing_attested_earlier_is_answered_after_a_reset(void **state)
{
    (void)state;
    struct asker askers[4] = { 0 };
    door = 0;
    over = false;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(
                pthread_create(&askers[i].thread, NULL, ask_often, &askers[i]),
                0);
    for (int i = 0; i < 15; i++) {
        int before = b.handled;
        while (b.handled < before + 20)
            usleep(500);
        node_allow(&b, stranger);
        attest_channel_reset(b.channel);
        door++;
        /* those inside their handler count up, and hear 403; nobody enters */
        int refusals = b.refusals;
        while (b.refusals < refusals + 8)
            usleep(500);
        int inside = b.handled;
        while (b.refusals < refusals + 24)
            usleep(500);
        assert_int_equal(b.handled, inside);
        door++;
        node_allow(&b, a.channel->hash);
        attest_channel_reset(b.channel);
    }
    over = true;
    int served = 0;
    for (size_t i = 0; i < 4; i++) {
        pthread_join(askers[i].thread, NULL);
        assert_int_equal(askers[i].slipped, 0);
        assert_int_equal(askers[i].other, 0);
        assert_true(askers[i].refused > 0);
        served += askers[i].served;
    }
    assert_true(served <= b.handled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_NODES(peers_are_held_to_both_policies),
        WITH_NODES(clients_hold_servers_to_them_too),
        WITH_NODES(measurements_of_a_file_narrow_by_role),
        WITH_NODES(narrowed_hash_counts_at_once),
        WITH_NODES(peers_are_judged_by_the_crl_at_hand),
        WITH_NODES(unusable_files_change_nothing),
        WITH_NODES(certificates_at_hand_complete_evidence),
        WITH_NODES(evidence_to_keep_is_made_whole),
        cmocka_unit_test(shared_policies_list_no_measurements),
        WITH_NODES(call_under_way_is_not_answered_after_a_reset),
        WITH_NODES(nothing_attested_earlier_is_answered_after_a_reset),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
