/* SPDX-License-Identifier: Apache-2.0 */
/* What an issuer may choose: drawn by who builds, read by who judges. */
#include "ca/inner.h"

#include <string.h>
#include <time.h>

#include "base/enc.h"
#include "base/rand.h"

#define TEE_PREFIX "sha256:"

enum rc ca_stamp_fresh(struct ca_stamp *out, int64_t not_before, bool simulated)
{
    struct ca_stamp s = { .not_before = not_before, .simulated = simulated };
    TRY(rand_bytes(s.serial, sizeof(s.serial)));
    s.serial[0] = (uint8_t)((s.serial[0] & 0x3f) | 0x40);
    *out = s;
    return RC_OK;
}

static enum rc read_serial(struct ca_stamp *s, const X509 *x)
{
    const ASN1_INTEGER *n = X509_get0_serialNumber(x);
    const uint8_t *be = ASN1_STRING_get0_data(n);
    if (ASN1_STRING_type(n) != V_ASN1_INTEGER ||
        ASN1_STRING_length(n) != CA_SERIAL_LEN || be[0] >> 6 != 1)
        return rc_raise(RC_POLICY,
                        "certificate.serialNumber: want %d bytes, "
                        "the first 40 to 7f",
                        CA_SERIAL_LEN);
    memcpy(s->serial, be, CA_SERIAL_LEN);
    return RC_OK;
}

static enum rc read_time(struct ca_stamp *s, const X509 *x)
{
    struct tm tm;
    if (!ASN1_TIME_to_tm(X509_get0_notBefore(x), &tm))
        return ca_ssl_raise(RC_PARSE, "certificate.notBefore");
    s->not_before = timegm(&tm);
    return RC_OK;
}

/* "sha256:<hex>" as a DER UTF8String: short form, its length is known. */
static enum rc read_tee_hash(struct ca_stamp *s, const X509 *x)
{
    enum { TEXT = sizeof(TEE_PREFIX) - 1 + ENC_HEX_LEN(32) };
    const uint8_t *der;
    size_t len;
    if (ca_get_raw(&der, &len, x, CA_OID_BUILDER) != RC_OK)
        return rc_raise(RC_POLICY, "certificate: names no build signer (%s)",
                        CA_OID_BUILDER);
    const char *text = (const char *)der + 2;
    const char *hex = text + sizeof(TEE_PREFIX) - 1;
    if (len != 2 + TEXT || der[0] != V_ASN1_UTF8STRING || der[1] != TEXT ||
        memcmp(text, TEE_PREFIX, sizeof(TEE_PREFIX) - 1) != 0 ||
        enc_unhex(s->tee_hash, 32, hex, ENC_HEX_LEN(32)) != RC_OK)
        return rc_raise(RC_POLICY, "certificate: build signer: want "
                                   "sha256:<hex>");
    return RC_OK;
}

enum rc ca_stamp_read(struct ca_stamp *out, const X509 *x, bool leaf)
{
    struct ca_stamp s = { .simulated = false };
    const uint8_t *der;
    size_t len;
    TRY(read_serial(&s, x));
    TRY(read_time(&s, x));
    if (leaf)
        TRY(read_tee_hash(&s, x));
    if (leaf)
        TRY(ca_stamp_sct(&s, x));
    s.simulated = ca_get_raw(&der, &len, x, CA_OID_SIMULATED) == RC_OK;
    *out = s;
    return RC_OK;
}
