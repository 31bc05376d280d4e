/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole messages of others: a commitment list with shares to aggregate, with
 * and without a cache, and the dealings of a DKG, refresh and reshare. What
 * is accepted must be good; hostile bytes must not reach further.
 */
#include "frost/inner.h"

#include <stdlib.h>

#define MOST 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* Bytes off the front, zeros when there are none left. */
static void take(void *out, size_t len, const uint8_t **data, size_t *size)
{
    const size_t have = *size < len ? *size : len;
    memset(out, 0, len);
    memcpy(out, *data, have);
    *data += have;
    *size -= have;
}

/* Three of four are points of the group: the bytes times B. */
static void take_point(struct frost_point *out, const uint8_t **data,
                       size_t *size)
{
    struct frost_scalar s;
    uint8_t b[32];
    take(b, sizeof(b), data, size);
    memcpy(out->b, b, sizeof(b));
    frost_scalar_from_uniform(&s, b);
    if (b[0] & 3)
        must(frost_base_or_identity(out, &s));
}

static void aggregates(const uint8_t *data, size_t size)
{
    static struct frost_cache cache;
    struct frost_commitment list[MOST];
    struct frost_sig_share shares[MOST];
    struct frost_point ys[MOST], key, hint;
    struct frost_culprits culprits, again;
    uint8_t n, sig[FROST_SIG_LEN], msg[16];
    take(&n, 1, &data, &size);
    take_point(&key, &data, &size);
    take_point(&hint, &data, &size);
    take(msg, sizeof(msg), &data, &size);
    for (unsigned i = 0; i < MOST; i++) {
        uint8_t id;
        take(&id, 1, &data, &size);
        memset(&list[i].id, 0, sizeof(list[i].id));
        list[i].id.le[0] = (uint8_t)(16 * i + 1 + id % 17);
        take_point(&list[i].hiding, &data, &size);
        take_point(&list[i].binding, &data, &size);
        take(&shares[i].z, sizeof(shares[i].z), &data, &size);
        take_point(&ys[i], &data, &size);
        shares[i].id = list[i].id;
    }
    struct frost_package p = { &key,           msg, sizeof(msg), list,
                               n % (MOST + 2), NULL };
    if (p.n > MOST)
        p.n = MOST;
    const enum rc rc = frost_aggregate(sig, &p, shares, ys, NULL, &culprits);
    if (rc == RC_OK)
        must(crypto_sign_verify_detached(sig, msg, sizeof(msg), key.b) == 0);
    must((rc == RC_CHEATER) == (culprits.n > 0));
    p.cache = &cache;
    must(frost_aggregate(sig, &p, shares, ys, &hint, &again) == rc);
    must(again.n == culprits.n);
    if (p.n > 0)
        (void)!frost_share_verify(&shares[0], &ys[0], &p);
}

static void dealings(const uint8_t *data, size_t size)
{
    static struct frost_dealing d[2];
    struct frost_id ids[3];
    struct frost_point ys[3], key;
    struct frost_scalar subs[2], share;
    uint8_t shape[2], hash[32];
    take(shape, sizeof(shape), &data, &size);
    take_point(&key, &data, &size);
    for (unsigned i = 0; i < 3; i++) {
        take_point(&ys[i], &data, &size);
        take(&ids[i], 2, &data, &size);
        memset(ids[i].le + 2, 0, 30);
        ids[i].le[1] = (uint8_t)(i + (shape[0] >> 6));
    }
    take(subs, sizeof(subs), &data, &size);
    for (unsigned i = 0; i < 2; i++) {
        memset(&d[i], 0, sizeof(d[i]));
        d[i].t = shape[i] & 7;
        take_point(&d[i].pok_r, &data, &size);
        take(&d[i].pok_z, 32, &data, &size);
        for (unsigned k = 0; k < 7; k++)
            take_point(&d[i].commitment[k], &data, &size);
    }
    const struct frost_group old = { 2, 3, ids, ys, &key };
    const struct frost_dealt dealt = { 2, ids, d, subs };
    const struct frost_transcript t = { hash, hash, 1, 0,   2, 2,
                                        ids,  d,    3, ids, ys };
    (void)!frost_group_check(&old);
    (void)!frost_dkg_check(&d[0], &ids[0], d[0].t);
    (void)!frost_refresh_check(&d[0], &ids[0], d[0].t);
    (void)!frost_reshare_check(&d[0], &old, ids, 2, 0, d[0].t);
    (void)!frost_sub_share_check(&subs[0], &d[0], &ids[0]);
    memset(hash, 0, sizeof(hash));
    (void)!frost_transcript_hash(hash, &t);
    if (frost_dkg_finish(&share, &key, ys, &dealt, &d[0], 0, NULL) == RC_OK) {
        struct frost_point y;
        must(frost_scalar_base(&y, &share) == RC_OK);
        must(frost_point_is(&y, &ys[0]));
    }
    (void)!frost_refresh_finish(&share, ys, &old, &subs[0], &dealt, &d[0], 0,
                                NULL);
    (void)!frost_reshare_finish(&share, ys, &old, 2, ids, 3, 0, &dealt, &d[0],
                                NULL);
    (void)!frost_repair_finish(&share, &old, &ids[0], subs, 2);
    (void)!frost_enrol_finish(&share, ys, &old, &ids[2], subs, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (sodium_init() < 0)
        return 0;
    aggregates(data, size);
    dealings(data, size);
    return 0;
}
