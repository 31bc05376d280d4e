/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What everyone saw of a DKG, refresh or reshare, as one hash: T of FORMATS
 * section 2. Public data only.
 */
#include "frost/inner.h"

static void put_bytes(crypto_hash_sha256_state *st, const void *p, size_t len)
{
    crypto_hash_sha256_update(st, p, len);
}

static void put_int(crypto_hash_sha256_state *st, uint64_t v, unsigned n_bytes)
{
    uint8_t be[8];
    for (unsigned i = 0; i < n_bytes; i++)
        be[i] = (uint8_t)(v >> (8 * (n_bytes - 1 - i)));
    put_bytes(st, be, n_bytes);
}

static enum rc numbers_check(const struct frost_id *ids, unsigned n,
                             const char *what)
{
    TRY(frost_ids_check(ids, n, what));
    for (unsigned i = 0; i < n; i++)
        if (frost_id_to_u16(&ids[i]) == 0)
            return rc_raise(RC_ARG, "%s: entry %u is not a number", what, i);
    return RC_OK;
}

static void put_dealing(crypto_hash_sha256_state *st, const struct frost_id *id,
                        const struct frost_dealing *d, bool proof)
{
    put_int(st, frost_id_to_u16(id), 2);
    put_int(st, d->t, 2);
    put_bytes(st, d->commitment, d->t * sizeof(d->commitment[0]));
    put_int(st, proof ? 64 : 0, 2);
    if (proof) {
        put_bytes(st, d->pok_r.b, 32);
        put_bytes(st, d->pok_z.le, 32);
    }
}

enum rc frost_transcript_hash(uint8_t out[32], const struct frost_transcript *t)
{
    static const char tag[] = "mpc/transcript/v1";
    crypto_hash_sha256_state st;
    TRY(frost_threshold_check(t->t));
    TRY(numbers_check(t->dealers, t->n_dealers, "transcript: dealers"));
    TRY(numbers_check(t->receivers, t->n_receivers, "transcript: receivers"));
    for (unsigned i = 0; i < t->n_dealers; i++)
        TRY(frost_threshold_check(t->dealings[i].t));

    crypto_hash_sha256_init(&st);
    put_bytes(&st, tag, sizeof(tag));
    put_bytes(&st, t->roster, 32);
    put_bytes(&st, t->session, 32);
    put_int(&st, t->epoch, 8);
    put_int(&st, t->parent, 8);
    put_int(&st, t->t, 2);
    put_int(&st, t->n_dealers, 2);
    for (unsigned i = 0; i < t->n_dealers; i++)
        put_dealing(&st, &t->dealers[i], &t->dealings[i], t->parent == 0);
    put_int(&st, t->n_receivers, 2);
    for (unsigned i = 0; i < t->n_receivers; i++) {
        put_int(&st, frost_id_to_u16(&t->receivers[i]), 2);
        put_bytes(&st, t->ys[i].b, 32);
    }
    crypto_hash_sha256_final(&st, out);
    return RC_OK;
}
