/* SPDX-License-Identifier: Apache-2.0 */
/* See kit.h. */
#include "kit.h"

#include <openssl/evp.h>

struct frost_ready kit_ready;

int kit_init(void **state)
{
    uint8_t sample[2][32];
    (void)state;
    kit_randoms(sample, 2);
    assert_ok(frost_init(&kit_ready, (const uint8_t(*)[32])sample));
    return 0;
}

void kit_random(void *out, size_t len)
{
    static uint64_t calls;
    uint8_t seed[randombytes_SEEDBYTES] = "mpcsign frost tests";
    calls++;
    memcpy(seed + sizeof(seed) - sizeof(calls), &calls, sizeof(calls));
    randombytes_buf_deterministic(out, len, seed);
}

void kit_randoms(uint8_t (*out)[32], unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        kit_random(out[i], 32);
}

/* Everything a participant does once it has all packages and sub-shares. */
static void finish_one(struct kit_group *g, unsigned me,
                       const struct frost_poly *polys,
                       const struct frost_dealing *dealings)
{
    struct frost_scalar subs[KIT_MAX];
    struct frost_point key, ys[KIT_MAX];
    const struct frost_dealt dealt = { g->n, g->ids, dealings, subs };
    for (unsigned i = 0; i < g->n; i++) {
        assert_ok(frost_dkg_check(&dealings[i], &g->ids[i], g->t));
        assert_ok(frost_sub_share(&subs[i], &polys[i], &g->ids[me]));
        assert_ok(frost_sub_share_check(&subs[i], &dealings[i], &g->ids[me]));
    }
    assert_ok(frost_dkg_finish(&g->shares[me], &key, ys, &dealt, &dealings[me],
                               me, NULL));
    if (me == 0) {
        g->key = key;
        memcpy(g->ys, ys, g->n * sizeof(*ys));
    }
    assert_memory_equal(&key, &g->key, sizeof(key));
    assert_memory_equal(ys, g->ys, g->n * sizeof(*ys));
}

void kit_group_make(struct kit_group *g, unsigned t, unsigned n)
{
    static struct frost_poly polys[KIT_MAX];
    static struct frost_dealing dealings[KIT_MAX];
    uint8_t random[KIT_MAX + 1][32];
    assert_true(t <= n && n <= KIT_MAX);
    memset(g, 0, sizeof(*g));
    g->t = t;
    g->n = n;
    for (unsigned i = 0; i < n; i++) {
        assert_ok(frost_id_from_u16(&g->ids[i], (uint16_t)(i + 1)));
        kit_randoms(random, t + 1);
        assert_ok(frost_dkg_deal(&polys[i], &dealings[i], &kit_ready,
                                 &g->ids[i], t, (const uint8_t(*)[32])random));
    }
    for (unsigned i = 0; i < n; i++)
        finish_one(g, i, polys, dealings);
}

void kit_group_deal(struct kit_group *g, unsigned t, unsigned n)
{
    struct frost_poly f = { .t = t };
    assert_true(t <= n && n <= KIT_MAX);
    memset(g, 0, sizeof(*g));
    g->t = t;
    g->n = n;
    for (unsigned k = 0; k < t; k++) {
        kit_random(f.coeff[k].le, 32);
        f.coeff[k].le[31] &= 0x0f; /* below L */
    }
    assert_ok(frost_scalar_base(&g->key, &f.coeff[0]));
    for (unsigned i = 0; i < n; i++) {
        assert_ok(frost_id_from_u16(&g->ids[i], (uint16_t)(i + 1)));
        assert_ok(frost_sub_share(&g->shares[i], &f, &g->ids[i]));
        assert_ok(frost_scalar_base(&g->ys[i], &g->shares[i]));
    }
}

struct frost_group kit_public(const struct kit_group *g)
{
    return (struct frost_group){ g->t, g->n, g->ids, g->ys, &g->key };
}

void kit_round_start(struct kit_round *r, const struct kit_group *g, unsigned n)
{
    memset(r, 0, sizeof(*r));
    r->group = g;
    r->n = n;
    for (unsigned i = 0; i < n; i++) {
        uint8_t random[2][32];
        kit_randoms(random, 2);
        r->who[i] = i;
        assert_ok(frost_commit(&r->nonces[i], &kit_ready, &g->ids[i],
                               &g->shares[i], random[0], random[1]));
        r->list[i] = r->nonces[i].commitment;
        r->shares[i].id = g->ids[i];
        r->ys[i] = g->ys[i];
    }
}

enum rc kit_sign_one(struct kit_round *r, unsigned i, const void *msg,
                     size_t len)
{
    const struct kit_group *g = r->group;
    const struct frost_package p = kit_package(r, msg, len);
    return frost_sign(&r->shares[i].z, NULL, &r->nonces[i],
                      &g->shares[r->who[i]], g->t, &p);
}

void kit_sign_all(struct kit_round *r, const void *msg, size_t len)
{
    for (unsigned i = 0; i < r->n; i++)
        assert_ok(kit_sign_one(r, i, msg, len));
}

enum rc kit_aggregate(const struct kit_round *r, uint8_t sig[FROST_SIG_LEN],
                      const void *msg, size_t len,
                      struct frost_culprits *culprits)
{
    const struct frost_package p = kit_package(r, msg, len);
    return frost_aggregate(sig, &p, r->shares, r->ys, NULL, culprits);
}

struct frost_package kit_package(const struct kit_round *r, const void *msg,
                                 size_t len)
{
    return (struct frost_package){
        &r->group->key, msg, len, r->list, r->n, NULL
    };
}

bool kit_openssl_verifies(const uint8_t sig[FROST_SIG_LEN],
                          const struct frost_point *key, const void *msg,
                          size_t len)
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->b,
                                                 sizeof(key->b));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_non_null(pkey);
    assert_non_null(ctx);
    assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey), 1);
    int ok = EVP_DigestVerify(ctx, sig, FROST_SIG_LEN, msg, len);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return ok == 1;
}

void kit_add(struct frost_point *p, const struct frost_point *q)
{
    assert_int_equal(crypto_core_ed25519_add(p->b, p->b, q->b), 0);
}

bool kit_all_zero(const void *p, size_t len)
{
    return sodium_is_zero(p, len) == 1;
}
