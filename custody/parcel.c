/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A share on its way from a custodian to a live vault: a sealed box for the
 * box key that the roster gives it, around "mpc/recover/v1\0", the backup's
 * header and the share.
 */
#include "custody/inner.h"

#include <string.h>

#define TAG       "mpc/recover/v1"
#define PLAIN_LEN (sizeof(TAG) + CUSTODY_HEADER_LEN + 32)

_Static_assert(CUSTODY_PARCEL_LEN == PLAIN_LEN + crypto_box_SEALBYTES,
               "a parcel");

enum rc custody_parcel_make(uint8_t out[CUSTODY_PARCEL_LEN],
                            const struct custody_backup *b,
                            const struct frost_scalar *share,
                            const uint8_t box[32])
{
    static const uint8_t nonce[12];
    struct custody_backup of = *b;
    WIPED_BYTES(plain, PLAIN_LEN);
    struct bytes_writer w = bytes_writer(plain, PLAIN_LEN);
    of.n_custodians = 0; /* their business, not the vault's */
    TRY(custody_share_matches(share, b->y));
    bytes_put_tag(&w, TAG);
    custody_header_put(&w, &of, nonce);
    bytes_put(&w, share->le, 32);
    TRY(bytes_written(&w));
    if (crypto_box_seal(out, plain, PLAIN_LEN, box) != 0)
        return rc_raise(RC_POLICY, "recover: that node has no usable box key");
    return RC_OK;
}

enum rc custody_parcel_open(struct frost_scalar *share,
                            struct custody_backup *out,
                            const uint8_t p[CUSTODY_PARCEL_LEN],
                            const uint8_t box[32], const uint8_t box_secret[32])
{
    WIPED_BYTES(plain, PLAIN_LEN);
    WIPED(frost_scalar) got;
    struct custody_backup b;
    if (crypto_box_seal_open(plain, p, CUSTODY_PARCEL_LEN, box, box_secret) !=
        0)
        return rc_raise(RC_VERIFY, "recover: this share was boxed for another "
                                   "node, or altered");
    if (memcmp(plain, TAG, sizeof(TAG)) != 0)
        return rc_raise(RC_VERIFY, "recover: no share of a backup");
    TRY(custody_header_get(&b, NULL, NULL, plain + sizeof(TAG)));
    if (frost_scalar_decode(&got, plain + sizeof(TAG) + CUSTODY_HEADER_LEN) !=
        RC_OK)
        return rc_prefix(RC_STORE, "recover: ");
    TRY(custody_share_matches(&got, b.y));
    *share = got;
    *out = b;
    return RC_OK;
}
