/* SPDX-License-Identifier: Apache-2.0 */
/* See kit.h. */
#include "kit.h"

#include <openssl/evp.h>

int kit_init(void **state)
{
    (void)state;
    assert_ok(frost_init());
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
                       const struct frost_dkg_secret *secrets,
                       const struct frost_dkg_package *packages)
{
    struct frost_scalar subs[KIT_MAX];
    struct frost_point key, ys[KIT_MAX];
    for (unsigned i = 0; i < g->n; i++) {
        assert_ok(frost_dkg_package_check(&packages[i], &g->ids[i], g->t));
        assert_ok(frost_dkg_sub_share(&subs[i], &secrets[i], &g->ids[me]));
        assert_ok(
                frost_dkg_sub_share_check(&subs[i], &packages[i], &g->ids[me]));
    }
    assert_ok(frost_dkg_finish(&g->shares[me], &key, ys, g->ids, packages, subs,
                               g->n, me));
    if (me == 0) {
        g->key = key;
        memcpy(g->ys, ys, g->n * sizeof(*ys));
    }
    assert_memory_equal(&key, &g->key, sizeof(key));
    assert_memory_equal(ys, g->ys, g->n * sizeof(*ys));
}

void kit_group_make(struct kit_group *g, unsigned t, unsigned n)
{
    static struct frost_dkg_secret secrets[KIT_MAX];
    static struct frost_dkg_package packages[KIT_MAX];
    uint8_t random[KIT_MAX + 1][32];
    assert_true(t <= n && n <= KIT_MAX);
    memset(g, 0, sizeof(*g));
    g->t = t;
    g->n = n;
    for (unsigned i = 0; i < n; i++) {
        assert_ok(frost_id_from_u16(&g->ids[i], (uint16_t)(i + 1)));
        kit_randoms(random, t + 1);
        assert_ok(frost_dkg_deal(&secrets[i], &packages[i], &g->ids[i], t,
                                 (const uint8_t(*)[32])random));
    }
    for (unsigned i = 0; i < n; i++)
        finish_one(g, i, secrets, packages);
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
        assert_ok(frost_commit(&r->nonces[i], &g->ids[i], &g->shares[i],
                               random[0], random[1]));
        r->list[i] = r->nonces[i].commitment;
        r->shares[i].id = g->ids[i];
        r->ys[i] = g->ys[i];
    }
}

enum rc kit_sign_one(struct kit_round *r, unsigned i, const void *msg,
                     size_t len)
{
    const struct kit_group *g = r->group;
    return frost_sign(&r->shares[i].z, &r->nonces[i], &g->shares[r->who[i]],
                      &g->key, g->t, msg, len, r->list, r->n);
}

void kit_sign_all(struct kit_round *r, const void *msg, size_t len)
{
    for (unsigned i = 0; i < r->n; i++)
        assert_ok(kit_sign_one(r, i, msg, len));
}

enum rc kit_aggregate(const struct kit_round *r, uint8_t sig[FROST_SIG_LEN],
                      const void *msg, size_t len, struct frost_id *cheaters,
                      unsigned *n_cheaters)
{
    return frost_aggregate(sig, &r->group->key, msg, len, r->list, r->shares,
                           r->ys, cheaters, n_cheaters, r->n);
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

bool kit_all_zero(const void *p, size_t len)
{
    return sodium_is_zero(p, len) == 1;
}
