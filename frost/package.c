/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What follows from a signing package alone: binding factors and the group
 * commitment. All of it public; no secret ever enters this file.
 */
#include "frost/inner.h"

#include <string.h>

enum rc frost_list_check(const struct frost_commitment *list, unsigned n_list)
{
    if (n_list < 2 || n_list > FROST_MAX_SIGNERS)
        return rc_raise(RC_ARG, "commitment list: %u signers, want 2..%d",
                        n_list, FROST_MAX_SIGNERS);
    for (unsigned i = 0; i < n_list; i++) {
        if (!frost_id_is_valid(&list[i].id))
            return rc_raise(RC_ARG, "commitment list: entry %u: bad identifier",
                            i);
        if (i > 0 && frost_id_cmp(&list[i - 1].id, &list[i].id) >= 0)
            return rc_raise(RC_ARG,
                            "commitment list: entry %u: repeated or not in "
                            "rising order",
                            i);
    }
    return RC_OK;
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

enum rc frost_term(struct frost_point *out, const struct frost_package *p,
                   const struct frost_factors *f, unsigned i, bool strict)
{
    const struct frost_commitment *c = &p->list[i];
    struct frost_point bound;
    bool ok = !strict || frost_point_is_valid(&c->hiding);
    /* never the identity: frost_mul would let that one through */
    ok = ok && !frost_point_is(&c->binding, &frost_identity);
    ok = ok && frost_mul(&bound, &f->rho[i], &c->binding);
    ok = ok && frost_add(out, &c->hiding, &bound);
    if (!ok)
        return rc_raise(RC_PARSE,
                        "commitment list: entry %u (signer %u): not two "
                        "points of the group",
                        i, frost_id_to_u16(&c->id));
    return RC_OK;
}

enum rc frost_terms_sum(struct frost_point *r, const struct frost_terms *terms,
                        unsigned n)
{
    struct frost_point sum = terms->of[0];
    for (unsigned i = 1; i < n; i++)
        if (!frost_add(&sum, &sum, &terms->of[i]))
            return rc_raise(RC_PARSE, "commitment list: entry %u", i);
    if (frost_point_is(&sum, &frost_identity))
        return rc_raise(RC_PARSE, "commitment list: the sum is the identity");
    *r = sum;
    return RC_OK;
}
