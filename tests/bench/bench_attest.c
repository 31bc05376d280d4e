/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What attestation costs: the gates of one RPC, binding a connection with
 * evidence (L1) and without (L2), both without the TLS handshake, and a full
 * verification beside the bare signatures in it. Two nodes with a simulated
 * guest each, mutual TLS 1.3 on loopback, all in this process.
 *
 *     bench_attest [-n RPCS]
 */
#include "../attest/two.h"

#include <signal.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "attest/inner.h"
#include "attest/layout.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/sock.h"
#include "bench.h"

#define BINDS    400
#define VERIFIES 600

/* ---- the gates of an RPC ----------------------------------------------- */

static struct http_guard server_guard;
static struct http_client_guard client_guard;
static double server_us; /* spent in gates since it was last taken */
static double client_us;

static enum rc timed_check(struct http_call *call, void *ctx)
{
    double from = bench_now_us();
    enum rc rc = server_guard.check(call, ctx);
    server_us += bench_now_us() - from;
    return rc;
}

static enum rc timed_still(struct http_call *call, void *ctx)
{
    double from = bench_now_us();
    enum rc rc = server_guard.still(call, ctx);
    server_us += bench_now_us() - from;
    return rc;
}

static void timed_reply(struct http_call *call, void *ctx)
{
    double from = bench_now_us();
    server_guard.reply(call, ctx);
    server_us += bench_now_us() - from;
}

static enum rc timed_gate(struct http_lane *lane, const struct http_tls *tls,
                          void *ctx)
{
    double from = bench_now_us();
    enum rc rc = client_guard.gate(lane, tls, ctx);
    client_us += bench_now_us() - from;
    return rc;
}

static enum rc timed_judge(struct http_lane *lane, const char *header,
                           void *ctx)
{
    double from = bench_now_us();
    enum rc rc = client_guard.reply(lane, header, ctx);
    client_us += bench_now_us() - from;
    return rc;
}

static enum rc ping(struct http_call *call, void *ctx)
{
    (void)ctx;
    return http_reply(call, 200, "text/plain", "pong", 4);
}

static struct http_route routes[5];

static struct http_server *serve(char url[64])
{
    struct http_server *server = NULL;
    uint16_t port;
    const struct http_route *rows = attest_channel_routes();
    for (int i = 0; i < 3; i++)
        routes[i] = rows[i];
    routes[3] = (struct http_route){ "GET", "/v1/ping", HTTP_PEER, 0, ping };
    struct http_server_config c = {
        .kind = HTTP_ON_PEER,
        .routes = routes,
        .ctx = b.channel,
        .tls = pki_files(&b.id),
        .guard = attest_channel_server_guard(b.channel),
        .threads = 1, /* so that a time belongs to one RPC */
        .request_limit_s = 60,
    };
    server_guard = c.guard;
    c.guard.check = timed_check;
    c.guard.still = timed_still;
    c.guard.reply = timed_reply;
    assert_ok(sock_tcp_listen(&c.listen_fd, &port, "127.0.0.1:0"));
    snprintf(url, 64, "https://127.0.0.1:%u", port);
    assert_ok(http_server_start(&server, &c));
    return server;
}

static void one_rpc(struct http_peer *peer)
{
    struct http_answer got = { 0 };
    if (http_ask(&got, peer, "GET", "/v1/ping", NULL, 0, 1024,
                 clock_mono_ms() + 60000) != RC_OK)
        bench_die("ping: %s", rc_text());
    http_answer_free(&got);
}

static uint64_t reports(void)
{
    return attest_channel_reports(a.channel) +
           attest_channel_reports(b.channel);
}

static void gates(unsigned rpcs)
{
    struct bench_series server = { 0 };
    struct bench_series client = { 0 };
    struct bench_series both = { 0 };
    struct bench_series whole = { 0 };
    struct http_client *c = NULL;
    struct http_peer *peer = NULL;
    char url[64];
    struct http_server *s = serve(url);
    struct http_tls_files tls = pki_files(&a.id);
    client_guard = attest_channel_client_guard(a.channel);
    struct http_client_guard timed = client_guard;
    timed.gate = timed_gate;
    timed.reply = timed_judge;
    assert_ok(http_client_new(&c, &tls, &timed));
    assert_ok(http_peer_new(&peer, c, url, NODE_B, 1));
    for (int i = 0; i < 100; i++)
        one_rpc(peer);
    uint64_t before = reports();
    for (unsigned i = 0; i < rpcs; i++) {
        server_us = client_us = 0;
        double from = bench_now_us();
        one_rpc(peer);
        bench_add(&whole, bench_now_us() - from);
        bench_add(&server, server_us);
        bench_add(&client, client_us);
        bench_add(&both, server_us + client_us);
    }
    unsigned long long asked = reports() - before;
    bench_line("attest.gate.server", &server, 0, "%s", "");
    bench_line("attest.gate.client", &client, 0, "%s", "");
    bench_line("attest.gate", &both, 0, ",\"device_calls\":%llu", asked);
    bench_line("attest.rpc", &whole, 0, "%s", "");
    http_peer_free(peer);
    http_client_free(c);
    http_server_stop(s);
    bench_free(&server);
    bench_free(&client);
    bench_free(&both);
    bench_free(&whole);
}

/* ---- binding a connection that is there -------------------------------- */

static void by_evidence(struct line *l)
{
    uint8_t nonce[32];
    struct attest_peer peer;
    WIRE(hello_reply) reply = { 0 };
    WIRE(evidence) e = { 0 };
    fresh(nonce);
    assert_ok(say_hello(l, nonce, &reply));
    assert_ok(attest_channel_judge(a.channel, &peer, &reply.evidence,
                                   ATTEST_SERVER, &l->tls, nonce));
    assert_ok(
            node_evidence(a.channel, &e, ATTEST_CLIENT, &l->tls, reply.nonce));
    assert_ok(show(l, &e));
}

static void by_signature(struct line *l, const struct attest_bond *bond)
{
    struct wire_bind m;
    struct wire_bound out;
    uint8_t said[ATTEST_CONN_LEN];
    bind_by_hand(&m, &l->tls, bond);
    assert_ok(show_bind(l, &m, &out));
    attest_conn_said(said, ATTEST_SERVER, l->tls.exporter, l->tls.own_spki,
                     l->tls.peer_spki, bond->evidence);
    if (crypto_sign_verify_detached(out.signature, said, sizeof(said),
                                    bond->peer.ak) != 0)
        bench_die("the server's signature");
}

static void binds(void)
{
    struct bench_series l1 = { 0 };
    struct bench_series l2 = { 0 };
    struct attest_bond bond;
    struct line known;
    struct line one;
    struct line two;
    node_serve(&b);
    line_open_raw(&one, &a, &b);
    by_evidence(&one);
    for (int i = 0; i < BINDS; i++) {
        double from = bench_now_us();
        by_evidence(&one);
        bench_add(&l1, bench_now_us() - from);
    }
    line_open(&known, &a, &b);
    assert_ok(line_ping(&known));
    if (!attest_bond_find(a.channel, &bond, NODE_B, NULL, NULL, NULL))
        bench_die("no bond");
    line_open_raw(&two, &a, &b);
    assert_rc(line_ping(&two), RC_ATTEST); /* the handshake */
    for (int i = 0; i < BINDS; i++) {
        double from = bench_now_us();
        by_signature(&two, &bond);
        bench_add(&l2, bench_now_us() - from);
    }
    double all = bench_quantile(&l1, 0.5);
    bench_line("attest.bind.l1", &l1, 0, "%s", "");
    bench_line("attest.bind.l2", &l2, 0, ",\"of_l1\":%.4f",
               bench_quantile(&l2, 0.5) / all);
    line_close(&two);
    line_close(&one);
    line_close(&known);
    bench_free(&l1);
    bench_free(&l2);
}

/* ---- a verification and its signatures --------------------------------- */

struct signatures {
    EVP_PKEY *ark, *ask, *vek; /* RSA, RSA, P-384 */
    X509 *cert[3];             /* VEK, ASK, ARK */
    struct wire_blob crl_der;
    X509_CRL *crl;
    const uint8_t *report;
    uint8_t sig[120]; /* r and s in DER */
    size_t sig_len;
};

static X509 *cert(const struct wire_blob *der)
{
    const unsigned char *p = der->p;
    X509 *c = d2i_X509(NULL, &p, (long)der->len);
    assert_non_null(c);
    return c;
}

static void make_crl(struct signatures *s)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/ark.key", sim_a.dir);
    FILE *f = fopen(path, "rbe");
    assert_non_null(f);
    EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    fclose(f);
    ASN1_TIME *t = ASN1_TIME_new();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;
    s->crl = X509_CRL_new();
    X509_CRL_set_version(s->crl, 1);
    X509_CRL_set_issuer_name(s->crl, X509_get_subject_name(s->cert[2]));
    X509_CRL_set1_lastUpdate(s->crl, X509_gmtime_adj(t, -3600));
    X509_CRL_set1_nextUpdate(s->crl, X509_gmtime_adj(t, 86400));
    EVP_DigestSignInit(ctx, &pctx, EVP_sha384(), NULL, key);
    EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, 48);
    assert_true(X509_CRL_sign_ctx(s->crl, ctx) > 0);
    int len = i2d_X509_CRL(s->crl, &s->crl_der.p);
    assert_true(len > 0);
    s->crl_der.len = (size_t)len;
    EVP_MD_CTX_free(ctx);
    ASN1_TIME_free(t);
    EVP_PKEY_free(key);
}

static void reversed(uint8_t out[48], const uint8_t *in)
{
    for (int i = 0; i < 48; i++)
        out[i] = in[47 - i];
}

static void open_signatures(struct signatures *s, const struct wire_evidence *e)
{
    uint8_t be[48];
    ECDSA_SIG *sig = ECDSA_SIG_new();
    memset(s, 0, sizeof(*s));
    s->cert[0] = cert(&e->vek);
    s->cert[1] = cert(&e->chain.at[0]);
    s->cert[2] = cert(&e->chain.at[1]);
    s->vek = X509_get0_pubkey(s->cert[0]);
    s->ask = X509_get0_pubkey(s->cert[1]);
    s->ark = X509_get0_pubkey(s->cert[2]);
    s->report = e->report.p;
    reversed(be, e->report.p + SNP_SIG_R);
    BIGNUM *r = BN_bin2bn(be, 48, NULL);
    reversed(be, e->report.p + SNP_SIG_S);
    ECDSA_SIG_set0(sig, r, BN_bin2bn(be, 48, NULL));
    unsigned char *p = s->sig;
    s->sig_len = (size_t)i2d_ECDSA_SIG(sig, &p);
    ECDSA_SIG_free(sig);
    make_crl(s);
}

static void bare(const struct signatures *s, bool crl)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = X509_verify(s->cert[1], s->ark) == 1 &&
              X509_verify(s->cert[0], s->ask) == 1 &&
              (!crl || X509_CRL_verify(s->crl, s->ark) == 1) &&
              EVP_DigestVerifyInit(ctx, NULL, EVP_sha384(), NULL, s->vek) ==
                      1 &&
              EVP_DigestVerify(ctx, s->sig, s->sig_len, s->report,
                               SNP_SIGNED_LEN) == 1;
    EVP_MD_CTX_free(ctx);
    if (!ok)
        bench_die("a bare signature");
}

static void full(const struct wire_evidence *e, const uint8_t data[64],
                 const struct wire_blob *crl)
{
    struct attest_verdict v;
    const struct attest_want want = {
        .report_data = data, .min_version = 3, .peer = true, .crl = crl
    };
    if (attest_verify(&v, e, &a.channel->roots, &want, clock_now_s()) != RC_OK)
        bench_die("verify: %s", rc_text());
}

/* cold: certificates nobody has seen before. */
static void verifies(bool cold)
{
    static const char *const names[2][2][2] = {
        { { "attest.verify", "attest.verify.bare" },
          { "attest.verify.crl", "attest.verify.crl.bare" } },
        { { "attest.verify.cold", "attest.verify.cold.bare" },
          { "attest.verify.cold.crl", "attest.verify.cold.crl.bare" } },
    };
    uint8_t data[64] = { 7 };
    struct signatures s;
    WIRE(evidence) e = { 0 };
    assert_ok(attest_channel_report(a.channel, &e, data));
    open_signatures(&s, &e);
    for (int crl = 0; crl < 2; crl++) {
        struct bench_series all = { 0 };
        struct bench_series only = { 0 };
        for (int i = 0; i < VERIFIES; i++) { /* in turn: the same weather */
            if (cold)
                attest_certs_forget();
            double from = bench_now_us();
            full(&e, data, crl ? &s.crl_der : NULL);
            double between = bench_now_us();
            bare(&s, crl);
            bench_add(&all, between - from);
            bench_add(&only, bench_now_us() - between);
        }
        double sum = bench_quantile(&only, 0.5);
        bench_line(names[cold][crl][1], &only, 0, "%s", "");
        bench_line(names[cold][crl][0], &all, 0, ",\"of_bare\":%.3f",
                   bench_quantile(&all, 0.5) / sum);
        bench_free(&all);
        bench_free(&only);
    }
    OPENSSL_free(s.crl_der.p);
    X509_CRL_free(s.crl);
    for (int i = 0; i < 3; i++)
        X509_free(s.cert[i]);
}

int main(int argc, char **argv)
{
    unsigned rpcs = 10000;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "-n") == 0 && i + 1 < argc)
            rpcs = bench_number("-n", argv[++i], 1000000);
    signal(SIGPIPE, SIG_IGN);
    setup(NULL);
    node_open(&a, NODE_A, &id_a, &sim_a, 0, NULL);
    node_open(&b, NODE_B, &id_b, &sim_b, 0, NULL);
    a.channel->hello_burst = b.channel->hello_burst = 1000000;
    gates(rpcs);
    binds();
    verifies(false);
    verifies(true);
    close_nodes(NULL);
    teardown(NULL);
    return 0;
}
