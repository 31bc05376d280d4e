/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The room frost/, operation by operation, at five sizes. Each figure is
 * taken alternately with libsodium's crypto_sign_verify_detached, the unit:
 * "units" is the ratio of the two medians, which a busy machine changes less
 * than the microseconds.
 *
 *     bench_frost [-n RUNS]
 */
#include "../frost/kit.h"
#include "bench.h"

#include <stdio.h>

static unsigned runs = 200;
static const uint8_t msg[150];

/* ---- the unit ---------------------------------------------------------- */

static struct {
    uint8_t pk[32], sk[64], sig[64];
} unit_key;
static struct bench_series unit;

static void unit_once(void)
{
    double at = bench_now_us();
    if (crypto_sign_verify_detached(unit_key.sig, msg, sizeof(msg),
                                    unit_key.pk) != 0)
        bench_die("libsodium does not verify its own signature");
    bench_add(&unit, bench_now_us() - at);
}

static void unit_make(void)
{
    crypto_sign_keypair(unit_key.pk, unit_key.sk);
    crypto_sign_detached(unit_key.sig, NULL, msg, sizeof(msg), unit_key.sk);
}

/* ---- one line ---------------------------------------------------------- */

static struct bench_series series;

static void must(enum rc rc)
{
    if (rc != RC_OK)
        bench_die("%s", rc_text());
}

/* us microseconds for `parts` of what is reported, and a unit beside it. */
static void took(double us, unsigned parts)
{
    bench_add(&series, us / parts);
    unit_once();
}

static void line(const char *what, const struct kit_group *g)
{
    char name[64];
    const double units = bench_quantile(&series, 0.5) /
                         bench_quantile(&unit, 0.5);
    snprintf(name, sizeof(name), "frost.%s.%u_of_%u", what, g->t, g->n);
    bench_line(name, &series, 0, ",\"units\":%.2f,\"unit_us\":%.1f", units,
               bench_quantile(&unit, 0.5));
    bench_free(&series);
    bench_free(&unit);
}

/* ---- signing ----------------------------------------------------------- */

static struct kit_round r;

static void bench_commit(const struct kit_group *g)
{
    for (unsigned i = 0; i < runs; i++) {
        struct frost_nonce nonce;
        uint8_t random[2][32];
        kit_randoms(random, 2);
        double at = bench_now_us();
        must(frost_commit(&nonce, &kit_ready, &g->ids[0], &g->shares[0],
                          random[0], random[1]));
        took(bench_now_us() - at, 1);
    }
    line("round1", g);
}

/* Decoding and checking all commitments, or with a cache lambda as well. */
static void bench_sign(const struct kit_group *g, struct frost_cache *cache)
{
    for (unsigned i = 0; i < runs; i++) {
        kit_round_start(&r, g, g->t);
        struct frost_package p = kit_package(&r, msg, sizeof(msg));
        p.cache = cache;
        double at = bench_now_us();
        must(frost_sign(&r.shares[0].z, NULL, &r.nonces[0], &g->shares[0], g->t,
                        &p));
        took(bench_now_us() - at, 1);
    }
    line(cache ? "sign_cached_lambda" : "sign", g);
}

/* By a coordinator who signed and has R; by one who has only the shares. */
static void bench_aggregate(const struct kit_group *g, bool hint)
{
    uint8_t sig[FROST_SIG_LEN];
    struct frost_point own;
    kit_round_start(&r, g, g->t);
    const struct frost_package p = kit_package(&r, msg, sizeof(msg));
    for (unsigned i = 0; i < g->t; i++)
        must(frost_sign(&r.shares[i].z, &own, &r.nonces[i], &g->shares[i], g->t,
                        &p));
    for (unsigned i = 0; i < runs; i++) {
        double at = bench_now_us();
        must(frost_aggregate(sig, &p, r.shares, r.ys, hint ? &own : NULL,
                             NULL));
        took(bench_now_us() - at, 1);
    }
    line(hint ? "aggregate" : "aggregate_without_r", g);
    for (unsigned i = 0; !hint && i < runs; i++) {
        double at = bench_now_us();
        must(frost_share_verify(&r.shares[0], &r.ys[0], &p));
        took(bench_now_us() - at, 1);
    }
    if (!hint)
        line("verify_share", g);
}

/* ---- key generation ---------------------------------------------------- */

static struct frost_poly polys[KIT_MAX];
static struct frost_dealing dealings[KIT_MAX];

/*
 * In ZF's parts: 1 deal, 2 check what the others dealt (decoding and the
 * subgroup included) and make their sub-shares, 3 what is left.
 */
static void bench_dkg(const struct kit_group *g)
{
    static uint8_t random[KIT_MAX + 1][32];
    struct frost_scalar subs[KIT_MAX], share;
    struct frost_point key, ys[KIT_MAX];
    const struct frost_dealt dealt = { g->n, g->ids, dealings, subs };
    const unsigned times = runs * 3 / g->n + 3;
    for (unsigned i = 0; i < g->n; i++) {
        kit_randoms(random, g->t + 1);
        double at = bench_now_us();
        must(frost_dkg_deal(&polys[i], &dealings[i], &kit_ready, &g->ids[i],
                            g->t, (const uint8_t(*)[32])random));
        took(bench_now_us() - at, 1);
        must(frost_sub_share(&subs[i], &polys[i], &g->ids[0]));
    }
    line("dkg_part1", g);
    for (unsigned k = 0; k < times; k++) {
        struct frost_scalar sub;
        double at = bench_now_us();
        for (unsigned i = 1; i < g->n; i++) {
            must(frost_dkg_check(&dealings[i], &g->ids[i], g->t));
            must(frost_sub_share(&sub, &polys[0], &g->ids[i]));
        }
        took(bench_now_us() - at, 1);
    }
    line("dkg_part2", g);
    for (unsigned k = 0; k < times; k++) {
        double at = bench_now_us();
        must(frost_dkg_finish(&share, &key, ys, &dealt, &dealings[0], 0, NULL));
        took(bench_now_us() - at, 1);
    }
    line("dkg_part3", g);
}

static void bench_size(unsigned t, unsigned n)
{
    static struct kit_group g;
    static struct frost_cache cache;
    kit_group_deal(&g, t, n);
    bench_commit(&g);
    bench_sign(&g, NULL);
    bench_sign(&g, &cache);
    bench_aggregate(&g, true);
    bench_aggregate(&g, false);
    bench_dkg(&g);
}

int main(int argc, char **argv)
{
    static const unsigned sizes[][2] = {
        { 2, 3 }, { 3, 5 }, { 7, 10 }, { 10, 15 }, { 67, 100 }
    };
    if (argc == 3 && strcmp(argv[1], "-n") == 0)
        runs = bench_number("-n", argv[2], 100000);
    else if (argc != 1)
        bench_die("usage: bench_frost [-n RUNS]");
    kit_init(NULL);
    unit_make();
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        bench_size(sizes[i][0], sizes[i][1]);
    return 0;
}
