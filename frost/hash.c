/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hash functions of FROST(Ed25519, SHA-512), RFC 9591 section 6.1, and
 * ZF frost-core's two more: the challenge of the DKG's proof of possession and
 * derived identifiers. All hash public data but frost_h3(), whose digest is a
 * nonce; one path wipes for all.
 */
#include "frost/inner.h"

#include <string.h>

#define CONTEXT "FROST-ED25519-SHA512-v1"
/* clang-format off */
#define TAG(name) { CONTEXT name, sizeof(CONTEXT name) - 1 }
/* clang-format on */

/* H5 hashes the list as it lies in memory: id, D, E, id, D, E, ... */
_Static_assert(sizeof(struct frost_commitment) == 96,
               "a commitment is its own encoding");

static void to_scalar(struct frost_scalar *out, const struct hash_part *parts,
                      size_t n_parts)
{
    WIPED_BYTES(digest, HASH512_LEN);
    hash512_parts(digest, parts, n_parts);
    frost_scalar_reduce(out, digest);
}

void frost_h1(struct frost_scalar *out,
              const uint8_t input[FROST_BINDING_INPUT_LEN])
{
    const struct hash_part parts[] = {
        TAG("rho"),
        { input, FROST_BINDING_INPUT_LEN },
    };
    to_scalar(out, parts, 2);
}

void frost_h2(struct frost_scalar *out, const struct frost_point *r,
              const struct frost_point *group_key, const uint8_t *msg,
              size_t msg_len)
{
    /* no prefix: this is the challenge of RFC 8032 */
    const struct hash_part parts[] = {
        { r->b, sizeof(r->b) },
        { group_key->b, sizeof(group_key->b) },
        { msg, msg_len },
    };
    to_scalar(out, parts, 3);
}

void frost_h3(struct frost_scalar *out, const uint8_t random[32],
              const struct frost_scalar *share)
{
    const struct hash_part parts[] = {
        TAG("nonce"),
        { random, 32 },
        { share->le, sizeof(share->le) },
    };
    to_scalar(out, parts, 3);
}

void frost_h4(uint8_t out[HASH512_LEN], const uint8_t *msg, size_t msg_len)
{
    const struct hash_part parts[] = { TAG("msg"), { msg, msg_len } };
    hash512_parts(out, parts, 2);
}

void frost_h5(uint8_t out[HASH512_LEN], const struct frost_commitment *list,
              unsigned n_list)
{
    const struct hash_part parts[] = {
        TAG("com"),
        { list, n_list * sizeof(*list) },
    };
    hash512_parts(out, parts, 2);
}

void frost_hdkg(struct frost_scalar *out, const struct frost_id *id,
                const struct frost_point *phi0, const struct frost_point *r)
{
    const struct hash_part parts[] = {
        TAG("dkg"),
        { id->le, sizeof(id->le) },
        { phi0->b, sizeof(phi0->b) },
        { r->b, sizeof(r->b) },
    };
    to_scalar(out, parts, 4);
}

void frost_hid(struct frost_scalar *out, const void *name, size_t name_len)
{
    const struct hash_part parts[] = { TAG("id"), { name, name_len } };
    to_scalar(out, parts, 2);
}
