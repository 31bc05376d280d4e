/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The caller's cache: decoded points, and Lagrange coefficients. Public data
 * only. A point's place follows from its bytes, so whoever chooses points can
 * displace others: that costs the time of a decoding, nothing else.
 */
#include "frost/inner.h"

static unsigned point_place(const struct frost_point *p)
{
    /* y's low bits; the top ones carry the sign */
    return (p->b[0] | (unsigned)p->b[1] << 8) % FROST_CACHE_POINTS;
}

bool frost_cache_decode(struct ge *out, const struct frost_point *in,
                        struct frost_cache *cache)
{
    static const struct fe one = { { 1 } };
    if (!cache)
        return frost_ge_decode(out, in);
    const unsigned at = point_place(in);
    if (cache->point[at].used &&
        frost_point_is(&cache->point[at].encoded, in)) {
        struct fe x, y;
        memcpy(x.v, cache->point[at].x, sizeof(x.v));
        memcpy(y.v, cache->point[at].y, sizeof(y.v));
        *out = (struct ge){ x, y, one, fe_mul(&x, &y) };
        return true;
    }
    struct ge p;
    if (!frost_ge_decode(&p, in))
        return false;
    cache->point[at].encoded = *in;
    memcpy(cache->point[at].x, p.x.v, sizeof(p.x.v));
    memcpy(cache->point[at].y, p.y.v, sizeof(p.y.v));
    cache->point[at].used = 1;
    *out = p;
    return true;
}

void frost_cache_lagrange(struct frost_scalar *out, const struct frost_id *ids,
                          unsigned n, unsigned me, struct frost_cache *cache)
{
    if (!cache) {
        frost_lagrange(out, ids, n, me, NULL);
        return;
    }
    uint8_t set[HASH256_LEN];
    const struct hash_part parts[] = {
        { ids, n * sizeof(*ids) },
        { &ids[me], sizeof(*ids) },
    };
    hash256_parts(set, parts, 2);
    const unsigned at = set[0] % FROST_CACHE_LAMBDAS;
    if (!cache->lambda[at].used ||
        memcmp(cache->lambda[at].set, set, sizeof(set)) != 0) {
        frost_lagrange(&cache->lambda[at].lambda, ids, n, me, NULL);
        memcpy(cache->lambda[at].set, set, sizeof(set));
        cache->lambda[at].used = 1;
    }
    *out = cache->lambda[at].lambda;
}

enum rc frost_commitment_check(const struct frost_commitment *c,
                               struct frost_cache *cache)
{
    struct ge p;
    if (!frost_cache_decode(&p, &c->hiding, cache) ||
        !frost_cache_decode(&p, &c->binding, cache))
        return rc_raise(RC_PARSE,
                        "commitment of signer %u: not two points of the group",
                        frost_id_to_u16(&c->id));
    return RC_OK;
}
