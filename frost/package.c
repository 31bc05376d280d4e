/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What follows from a signing package alone: binding factors and the group
 * commitment. All of it public; no secret ever enters this file.
 */
#include "frost/inner.h"

#include <string.h>

void frost_list_ids(struct frost_id *out, const struct frost_package *p)
{
    for (unsigned i = 0; i < p->n; i++)
        out[i] = p->list[i].id;
}

enum rc frost_list_check(const struct frost_package *p)
{
    if (p->n < 2 || p->n > FROST_MAX_SIGNERS)
        return rc_raise(RC_ARG, "commitment list: %u signers, want 2..%d", p->n,
                        FROST_MAX_SIGNERS);
    struct frost_id ids[FROST_MAX_SIGNERS];
    frost_list_ids(ids, p);
    return frost_ids_check(ids, p->n, "commitment list");
}

void frost_binding_input(uint8_t out[FROST_BINDING_INPUT_LEN],
                         const struct frost_package *p)
{
    memcpy(out, p->group_key->b, 32);
    frost_h4(out + 32, p->msg, p->msg_len);
    frost_h5(out + 32 + HASH512_LEN, p->list, p->n);
    memset(out + 32 + 2 * HASH512_LEN, 0, 32);
}

void frost_binding_factors(struct frost_factors *out,
                           const struct frost_package *p)
{
    uint8_t input[FROST_BINDING_INPUT_LEN];
    frost_binding_input(input, p);
    for (unsigned i = 0; i < p->n; i++) {
        memcpy(input + sizeof(input) - 32, p->list[i].id.le, 32);
        frost_h1(&out->rho[i], input);
    }
}

enum rc frost_list_decode(struct frost_points *out,
                          const struct frost_package *p, unsigned skip,
                          bool strict)
{
    for (unsigned i = 0; i < p->n; i++) {
        const struct frost_commitment *c = &p->list[i];
        struct ge *d = &out->hiding[i], *e = &out->binding[i];
        if (i == skip)
            continue;
        bool ok = strict ? frost_cache_decode(d, &c->hiding, p->cache) &&
                                   frost_cache_decode(e, &c->binding, p->cache)
                         : frost_ge_decode_any(d, &c->hiding) &&
                                   frost_ge_decode_any(e, &c->binding);
        if (!ok)
            return rc_raise(RC_PARSE,
                            "commitment list: entry %u (signer %u): not two "
                            "points of the group",
                            i, frost_id_to_u16(&c->id));
    }
    return RC_OK;
}

enum rc frost_group_commitment(struct frost_point *r,
                               const struct frost_package *p,
                               const struct frost_points *points,
                               const struct frost_factors *f, unsigned skip,
                               const struct frost_point *term)
{
    struct frost_scalar rho[FROST_MAX_SIGNERS];
    struct ge binding[FROST_MAX_SIGNERS];
    struct ge sum = frost_ge_identity, bound;
    unsigned n = 0;
    /* our own point, as libsodium encoded it */
    if (term && !frost_ge_decode_any(&sum, term))
        return rc_raise(RC_INTERNAL, "sign: our own term is not a point");
    for (unsigned i = 0; i < p->n; i++) {
        if (i == skip)
            continue;
        sum = ge_add(&sum, &points->hiding[i]);
        rho[n] = f->rho[i];
        binding[n++] = points->binding[i];
    }
    frost_msm(&bound, rho, binding, n);
    sum = ge_add(&sum, &bound);
    if (frost_ge_is_identity(&sum))
        return rc_raise(RC_PARSE, "commitment list: the sum is the identity");
    frost_ge_encode(r, &sum);
    return RC_OK;
}
