/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures as any program makes them: the key from OSSL_STORE, then
 * EVP_DigestSign of 64-byte messages, all different, by 1, 8 and 64 threads
 * that each wait for theirs. A software key in the same run is the anchor.
 * Signatures are verified with OpenSSL's own Ed25519, outside the times.
 *
 *     bench_sign [-n CALLS | -s SECONDS] [-k KEY] [-t THREADS,…] [-S]
 *
 * -n  calls of each line (default 2000; a lone caller makes a quarter)
 * -k  an OSSL_STORE URI (default mpc:release); -S skips the software key
 * The environment says where module, configuration and sidecar are.
 */
#include "bench.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/store.h>

#define MSG_LEN     64
#define SIG_LEN     64
#define THREADS_MAX 1024
#define RUNS_MAX    16
#define WARM_UP     8 /* calls of each thread before the clock starts */
#define KEPT_MAX    64
#define CALLS_MAX   BENCH_SAMPLES_MAX

struct config {
    unsigned calls; /* of a line; 0: by time */
    unsigned seconds;
    const char *key;
    unsigned threads[RUNS_MAX];
    unsigned n_runs;
    bool software;
};

/* One in so many signatures is kept, to be verified afterwards. */
struct kept {
    uint64_t serial;
    uint8_t sig[SIG_LEN];
};
struct caller {
    EVP_PKEY *key;
    pthread_barrier_t *start;
    unsigned id;
    unsigned calls;   /* 0: until stop_us */
    unsigned seconds; /* then */
    struct bench_series times;
    double began_us, ended_us;
    struct kept kept[KEPT_MAX];
    unsigned n_kept;
    unsigned failed;
    char why[256];
};

static uint64_t run_id; /* messages differ between runs too */

static void message(uint8_t msg[MSG_LEN], uint64_t run, unsigned caller,
                    uint64_t serial)
{
    memset(msg, 'm', MSG_LEN);
    memcpy(msg, &run, 8);
    memcpy(msg + 8, &caller, 4);
    memcpy(msg + 12, &serial, 8);
}

/* ---- one caller ------------------------------------------------------------ */

static bool sign(struct caller *c, EVP_MD_CTX *ctx, uint64_t serial, double *us)
{
    uint8_t msg[MSG_LEN];
    uint8_t sig[SIG_LEN];
    size_t len = sizeof(sig);
    message(msg, run_id, c->id, serial);
    EVP_MD_CTX_reset(ctx);
    bool good = EVP_DigestSignInit(ctx, NULL, NULL, NULL, c->key) == 1;
    double from = bench_now_us();
    good = good && EVP_DigestSign(ctx, sig, &len, msg, sizeof(msg)) == 1 &&
           len == SIG_LEN;
    *us = bench_now_us() - from;
    if (!good) {
        if (!c->failed++)
            ERR_error_string_n(ERR_peek_error(), c->why, sizeof(c->why));
        const char *data = NULL;
        int flags = 0;
        ERR_peek_error_data(&data, &flags);
        if (c->failed == 1 && data && *data)
            snprintf(c->why, sizeof(c->why), "%s", data);
        ERR_clear_error();
        return false;
    }
    /* the first ones, then ever fewer, over the whole run */
    unsigned at = c->n_kept < KEPT_MAX ? c->n_kept++
                                       : (unsigned)(serial % (4 * KEPT_MAX));
    if (at < KEPT_MAX) {
        c->kept[at].serial = serial;
        memcpy(c->kept[at].sig, sig, SIG_LEN);
    }
    return true;
}

static bool goes_on(const struct caller *c, uint64_t made)
{
    if (c->calls)
        return made < c->calls;
    return bench_now_us() - c->began_us < (double)c->seconds * 1e6;
}

static void *call_on_and_on(void *arg)
{
    struct caller *c = arg;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint64_t serial = 0;
    double us;
    if (!ctx)
        bench_die("out of memory");
    while (serial < WARM_UP && sign(c, ctx, serial, &us))
        serial++;
    pthread_barrier_wait(c->start);
    c->began_us = bench_now_us();
    for (uint64_t made = 0; !c->failed && goes_on(c, made); made++)
        if (sign(c, ctx, serial++, &us))
            bench_add(&c->times, us);
    c->ended_us = bench_now_us();
    EVP_MD_CTX_free(ctx);
    return NULL;
}

/* ---- judging -------------------------------------------------------------------- */

/* The public half alone, in OpenSSL's own implementation. */
static EVP_PKEY *public_half(EVP_PKEY *key)
{
    uint8_t pub[32];
    size_t len = sizeof(pub);
    if (EVP_PKEY_get_raw_public_key(key, pub, &len) != 1 || len != 32) {
        len = 0; /* some providers know the parameter only */
        if (EVP_PKEY_get_octet_string_param(key, "pub", pub, sizeof(pub),
                                            &len) != 1 ||
            len != 32)
            bench_die("the key has no 32-byte public half: no Ed25519 key?");
    }
    EVP_PKEY *pk = EVP_PKEY_new_raw_public_key_ex(
            NULL, "ED25519", "provider=default", pub, sizeof(pub));
    if (!pk)
        bench_die("no Ed25519 in the default provider to verify with");
    return pk;
}

static unsigned verify_kept(const struct caller *c, EVP_PKEY *pk)
{
    unsigned good = 0;
    for (unsigned i = 0; i < c->n_kept; i++) {
        uint8_t msg[MSG_LEN];
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        message(msg, run_id, c->id, c->kept[i].serial);
        if (ctx &&
            EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, "provider=default",
                                    pk, NULL) == 1 &&
            EVP_DigestVerify(ctx, c->kept[i].sig, SIG_LEN, msg, sizeof(msg)) ==
                    1)
            good++;
        EVP_MD_CTX_free(ctx);
    }
    return good;
}

/* ---- one line ----------------------------------------------------------------------- */

static void start(struct caller *c, pthread_t *thread, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (pthread_create(&thread[i], NULL, call_on_and_on, &c[i]) != 0)
            bench_die("no thread %u of %u", i + 1, n);
    for (unsigned i = 0; i < n; i++)
        pthread_join(thread[i], NULL);
}

static bool report(const char *name, struct caller *c, unsigned n, EVP_PKEY *pk)
{
    struct bench_series all = { .us = NULL };
    double began = c[0].began_us;
    double ended = c[0].ended_us;
    unsigned kept = 0;
    unsigned verified = 0;
    unsigned failed = 0;
    const char *why = "";
    for (unsigned i = 0; i < n; i++) {
        began = c[i].began_us < began ? c[i].began_us : began;
        ended = c[i].ended_us > ended ? c[i].ended_us : ended;
        for (size_t j = 0; j < c[i].times.n; j++)
            bench_add(&all, c[i].times.us[j]);
        kept += c[i].n_kept;
        verified += verify_kept(&c[i], pk);
        failed += c[i].failed;
        why = c[i].failed ? c[i].why : why;
        bench_free(&c[i].times);
    }
    bench_line(name, &all, (double)all.n * 1e6 / (ended - began),
               ",\"callers\":%u,\"verified\":%u,\"failed\":%u", n, verified,
               failed);
    bench_free(&all);
    if (failed)
        fprintf(stderr, "bench: %s with %u callers: %u calls failed: %s\n",
                name, n, failed, why);
    if (verified != kept)
        fprintf(stderr,
                "bench: %s with %u callers: %u of %u signatures do "
                "not verify\n",
                name, n, kept - verified, kept);
    return !failed && verified == kept;
}

static bool run(const char *name, EVP_PKEY *key, unsigned n,
                const struct config *config)
{
    struct caller *c = calloc(n, sizeof(*c));
    pthread_t *thread = calloc(n, sizeof(*thread));
    pthread_barrier_t barrier;
    if (!c || !thread || pthread_barrier_init(&barrier, NULL, n) != 0)
        bench_die("out of memory");
    run_id++;
    unsigned calls = n == 1 ? (config->calls + 3) / 4 : config->calls;
    for (unsigned i = 0; i < n; i++)
        c[i] = (struct caller){ .key = key,
                                .start = &barrier,
                                .id = i,
                                .calls = (calls + n - 1) / n,
                                .seconds = config->seconds };
    start(c, thread, n);
    EVP_PKEY *pk = public_half(key);
    bool good = report(name, c, n, pk);
    EVP_PKEY_free(pk);
    pthread_barrier_destroy(&barrier);
    free(thread);
    free(c);
    return good;
}

static bool run_all(const char *name, EVP_PKEY *key,
                    const struct config *config)
{
    bool good = true;
    for (unsigned i = 0; i < config->n_runs; i++)
        good = run(name, key, config->threads[i], config) && good;
    return good;
}

/* ---- keys ------------------------------------------------------------------------------ */

static EVP_PKEY *open_key(const char *uri)
{
    OSSL_STORE_CTX *store = OSSL_STORE_open(uri, NULL, NULL, NULL, NULL);
    EVP_PKEY *key = NULL;
    if (store)
        (void)OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY);
    while (store && !key && !OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);
        if (!info)
            break;
        key = OSSL_STORE_INFO_get1_PKEY(info);
        OSSL_STORE_INFO_free(info);
    }
    OSSL_STORE_close(store);
    if (!key) {
        ERR_print_errors_fp(stderr);
        bench_die("%s: cannot be opened (OPENSSL_MODULES, OPENSSL_CONF, "
                  "MPC_SIDECAR)",
                  uri);
    }
    return key;
}

static EVP_PKEY *software_key(void)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "ED25519",
                                                   "provider=default");
    EVP_PKEY *key = NULL;
    if (!ctx || EVP_PKEY_keygen_init(ctx) != 1 ||
        EVP_PKEY_generate(ctx, &key) != 1)
        bench_die("no software key");
    EVP_PKEY_CTX_free(ctx);
    return key;
}

/* ---- arguments ---------------------------------------------------------------------------- */

static void read_threads(struct config *c, char *list)
{
    c->n_runs = 0;
    for (char *t = strtok(list, ","); t; t = strtok(NULL, ",")) {
        if (c->n_runs == RUNS_MAX)
            bench_die("-t: at most %d numbers", RUNS_MAX);
        c->threads[c->n_runs++] = bench_number("-t", t, THREADS_MAX);
    }
}

static struct config read_arguments(int argc, char **argv)
{
    struct config c = { .calls = 2000,
                        .key = "mpc:release",
                        .threads = { 1, 8, 64 },
                        .n_runs = 3,
                        .software = true };
    for (int opt; (opt = getopt(argc, argv, "n:s:k:t:S")) != -1;) {
        switch (opt) {
        case 'n':
            c.calls = bench_number("-n", optarg, CALLS_MAX);
            break;
        case 's':
            c.calls = 0;
            c.seconds = bench_number("-s", optarg, 86400);
            break;
        case 'k':
            c.key = optarg;
            break;
        case 't':
            read_threads(&c, optarg);
            break;
        case 'S':
            c.software = false;
            break;
        default:
            bench_die("bench_sign [-n CALLS | -s SECONDS] [-k KEY] "
                      "[-t THREADS,...] [-S]");
        }
    }
    if (optind != argc || c.n_runs == 0)
        bench_die("no arguments but flags, and -t with a number");
    return c;
}

int main(int argc, char **argv)
{
    struct config config = read_arguments(argc, argv);
    OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
    /* the configuration may have done both already */
    if (!OSSL_PROVIDER_load(NULL, "default") ||
        !OSSL_PROVIDER_load(NULL, "mpc")) {
        ERR_print_errors_fp(stderr);
        bench_die("a provider does not load (OPENSSL_MODULES)");
    }
    bool good = true;
    if (config.software) {
        EVP_PKEY *key = software_key();
        good = run_all("evp.software", key, &config) && good;
        EVP_PKEY_free(key);
    }
    EVP_PKEY *key = open_key(config.key);
    good = run_all("evp.mpc", key, &config) && good;
    EVP_PKEY_free(key);
    return good ? 0 : 1;
}
