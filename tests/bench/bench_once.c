/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a key that is made for one session costs, beside a key that is there:
 * in turns, on one cluster, by the calls that mpcsign sign makes. Then the
 * ratios of the medians, with what they may be at most.
 *
 *     bench_once [-n SESSIONS] [-e EPHEMERAL] [-p PERSISTENT]
 *
 * once.signature    one signature by the persistent key
 * once.session      from the descriptor to the bundle in hand, and its parts:
 * once.open         the descriptor is put
 * once.key          the nodes make the key, and its birth is logged
 * once.certificate  the CA issues its certificate
 * once.sign         one signature by it
 * once.bundle       all evidence, with its receipt
 */
#include "bench.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "base/enc.h"
#include "cli/inner.h"

#define WAIT_MS           15000
#define WARM_UP           3
#define SESSIONS_MAX      10000
/* At most so many times one signature (issue 8, 7). */
#define SESSION_TIMES     12.0
#define CERTIFICATE_TIMES 2.5

struct config {
    unsigned n;
    const char *ephemeral;
    const char *persistent;
    struct cli_cluster cluster;
    long long node;
};

enum part { OPEN, KEY, CERTIFICATE, SIGN, BUNDLE, SESSION, SIGNATURE, PARTS };
static const char *const names[PARTS] = {
    "once.open",   "once.key",     "once.certificate", "once.sign",
    "once.bundle", "once.session", "once.signature",
};
static struct bench_series series[PARTS];

static void want(enum rc rc, const char *what)
{
    if (rc != RC_OK)
        bench_die("%s: %s (%s)", what, rc_text(), rc_slug(rc));
}

/* ---- one session --------------------------------------------------------- */

struct session {
    char id[65];
    uint8_t msg[64];
};

static enum rc put_session(struct session *out, const struct config *c)
{
    struct policy_session s;
    WIRE(session) m = { 0 };
    OWNED_MEM char *json = NULL;
    char text[POLICY_DESCRIPTOR_MAX];
    size_t len;
    struct http_answer a;
    TRY(cli_session_begin(&s, POLICY_S_SIGN, &c->cluster, c->ephemeral,
                          "bench"));
    s.expires = s.created + 120;
    s.slot[POLICY_RAW] = true;
    snprintf(s.requester, sizeof(s.requester), "uid.%u.node%lld",
             (unsigned)geteuid(), c->node);
    policy_session_artifact(&s, "bench", out->msg, sizeof(out->msg));
    TRY(policy_session_write(text, &len, &s));
    TRY(wire_blob_set(&m.descriptor, text, len));
    TRY(wire_blob_set(&m.requester, "", 0));
    TRY(wire_session_encode(&json, &len, &m));
    TRY(cli_ask(&a, NULL, "/v1/session", json, len, WAIT_MS));
    http_answer_free(&a);
    enc_hex(out->id, s.id, 32);
    return RC_OK;
}

static enum rc get(const char *head, const char *name, const char *between,
                   const char *tail)
{
    char path[256];
    struct http_answer a;
    snprintf(path, sizeof(path), "%s%.80s%s%.80s", head, name, between, tail);
    TRY(cli_ask(&a, NULL, path, NULL, 0, WAIT_MS));
    http_answer_free(&a);
    return RC_OK;
}

static enum rc sign(const char *key, const char *id, const uint8_t msg[64])
{
    struct wire_signed made;
    TRY(cli_ask_sign(&made, NULL, key, id, msg, 64, WAIT_MS));
    return crypto_sign_verify_detached(made.signature, msg, 64,
                                       made.group_key) == 0
                   ? RC_OK
                   : rc_raise(RC_VERIFY, "the signature does not verify");
}

static void take(enum part part, double *from, bool count)
{
    double now = bench_now_us();
    if (count)
        bench_add(&series[part], now - *from);
    *from = now;
}

static void one_session(const struct config *c, bool count)
{
    struct session s;
    randombytes_buf(s.msg, sizeof(s.msg));
    double began = bench_now_us();
    double from = began;
    want(put_session(&s, c), "session");
    take(OPEN, &from, count);
    want(get("/v1/key/", c->ephemeral, "?session=", s.id), "key");
    take(KEY, &from, count);
    want(get("/v1/cert/", c->ephemeral, "?session=", s.id), "certificate");
    take(CERTIFICATE, &from, count);
    want(sign(c->ephemeral, s.id, s.msg), "signature of the session");
    take(SIGN, &from, count);
    want(get("/v1/bundle/", s.id, "?slot=", "raw"), "bundle");
    take(BUNDLE, &from, count);
    take(SESSION, &began, count);
}

static void one_signature(const struct config *c, bool count)
{
    uint8_t msg[64];
    randombytes_buf(msg, sizeof(msg));
    double from = bench_now_us();
    want(sign(c->persistent, "", msg), "signature");
    take(SIGNATURE, &from, count);
}

/* ---- what it comes to ---------------------------------------------------- */

static bool ratio(const char *name, enum part part, double at_most)
{
    double times = bench_quantile(&series[part], 0.5) /
                   bench_quantile(&series[SIGNATURE], 0.5);
    printf("{\"bench\":\"%s\",\"n\":%zu,\"times\":%.2f,\"at_most\":%.1f,"
           "\"ok\":%s}\n",
           name, series[part].n, times, at_most,
           times <= at_most ? "true" : "false");
    return times <= at_most;
}

static void read_arguments(struct config *c, int argc, char **argv)
{
    for (int opt; (opt = getopt(argc, argv, "n:e:p:")) != -1;) {
        switch (opt) {
        case 'n':
            c->n = bench_number("-n", optarg, SESSIONS_MAX);
            break;
        case 'e':
            c->ephemeral = optarg;
            break;
        case 'p':
            c->persistent = optarg;
            break;
        default:
            bench_die("bench_once [-n SESSIONS] [-e EPHEMERAL] "
                      "[-p PERSISTENT]");
        }
    }
    if (optind != argc)
        bench_die("no arguments but flags");
}

int main(int argc, char **argv)
{
    struct config c = { .n = 100,
                        .ephemeral = "once",
                        .persistent = "release" };
    json_t *status = NULL;
    if (sodium_init() < 0)
        bench_die("libsodium does not start");
    read_arguments(&c, argc, argv);
    want(cli_cluster_ask(&c.cluster, NULL), "cluster");
    want(cli_ask_json(&status, NULL, "/v1/status"), "status");
    c.node = json_integer_value(json_object_get(status, "node"));
    json_decref(status);
    for (unsigned i = 0; i < c.n + WARM_UP; i++) {
        one_signature(&c, i >= WARM_UP);
        one_session(&c, i >= WARM_UP);
    }
    for (unsigned part = 0; part < PARTS; part++)
        bench_line(names[part], &series[part], 0, "%s", "");
    bool good = ratio("once.session_ratio", SESSION, SESSION_TIMES);
    good = ratio("once.certificate_ratio", CERTIFICATE, CERTIFICATE_TIMES) &&
           good;
    return good ? 0 : 1;
}
