/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COSE keys of the four algorithms that people may approve with, in the one
 * encoding that CTAP2 canonical CBOR gives each: fixed bytes around the key's
 * numbers. Anything else, a reordered map as well as an ES256 key that calls
 * itself EdDSA, is not a key. Public data.
 */
#include "policy/credential.h"

#include <string.h>

struct form {
    enum policy_alg alg;
    const char *head; /* up to x (or n) */
    size_t head_len;
    size_t x_len;
    const char *mid; /* between x and y (or n and e) */
    size_t mid_len;
    size_t y_len;
};
#define BYTES(s) (s), sizeof(s) - 1
/* clang-format off */
static const struct form forms[] = {
    /* {1: 2 EC2, 3: -7, -1: 1 P-256, -2: x, -3: y} */
    { POLICY_ES256, BYTES("\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20"), 32,
                    BYTES("\x22\x58\x20"), 32 },
    /* {1: 1 OKP, 3: -8, -1: 6 Ed25519, -2: x} */
    { POLICY_EDDSA, BYTES("\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20"), 32,
                    BYTES(""), 0 },
    /* {1: 2 EC2, 3: -35, -1: 2 P-384, -2: x, -3: y} */
    { POLICY_ES384, BYTES("\xa5\x01\x02\x03\x38\x22\x20\x02\x21\x58\x30"), 48,
                    BYTES("\x22\x58\x30"), 48 },
    /* {1: 3 RSA, 3: -257, -1: n of 2048 bits, -2: e of 3 bytes} */
    { POLICY_RS256, BYTES("\xa4\x01\x03\x03\x39\x01\x00\x20\x59\x01\x00"), 256,
                    BYTES("\x21\x43"), 3 },
};
/* clang-format on */

static bool is_form(struct policy_cose *out, const struct form *f,
                    const uint8_t *p, size_t len)
{
    size_t want = f->head_len + f->x_len + f->mid_len + f->y_len;
    if (len < want || memcmp(p, f->head, f->head_len) != 0 ||
        memcmp(p + f->head_len + f->x_len, f->mid, f->mid_len) != 0)
        return false;
    *out = (struct policy_cose){ .alg = f->alg,
                                 .x = p + f->head_len,
                                 .x_len = f->x_len,
                                 .y_len = f->y_len,
                                 .len = want };
    if (f->y_len)
        out->y = out->x + f->x_len + f->mid_len;
    return true;
}

enum rc policy_cose_parse(struct policy_cose *out, const uint8_t *cose,
                          size_t len)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (is_form(out, &forms[i], cose, len)) {
            /* 2048 bits, and odd as every RSA modulus and exponent is */
            if (out->alg == POLICY_RS256 &&
                (!(out->x[0] & 0x80) || !(out->x[255] & 1) ||
                 !(out->y[2] & 1) || out->y[0] == 0))
                return rc_raise(RC_PARSE, "COSE key: want RSA of 2048 bits");
            return RC_OK;
        }
    return rc_raise(RC_PARSE,
                    "COSE key: want canonical CBOR of an ES256, EdDSA "
                    "(Ed25519), ES384 or RS256 (2048 bits) key");
}
