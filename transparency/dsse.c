/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rekor's entry of kind dsse 0.0.1, in the one form that RFC 8785 and base64
 * give it: a fixed text around two digests, a signature and a certificate in
 * PEM. Decoding cuts it at its fixed places, encodes again and compares.
 * Public data.
 */
#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "transparency/transparency.h"

#define HEAD        "{\"apiVersion\":\"0.0.1\",\"kind\":\"dsse\",\"spec\":{"
#define ENVELOPE    HEAD "\"envelopeHash\":{\"algorithm\":\"sha256\",\"value\":\""
#define PAYLOAD     "\"},\"payloadHash\":{\"algorithm\":\"sha256\",\"value\":\""
#define SIGNATURE   "\"},\"signatures\":[{\"signature\":\""
#define VERIFIER    "\",\"verifier\":\""
#define TAIL        "\"}]}}"
#define PEM_HEAD    "-----BEGIN CERTIFICATE-----\n"
#define PEM_TAIL    "-----END CERTIFICATE-----\n"
#define PEM_LINE    64
#define LEN(text)   (sizeof(text) - 1)
#define SIG_B64_LEN 88 /* of 64 bytes */
#define CERT_B64    ENC_B64_SIZE(TLOG_DSSE_CERT_MAX)
#define PEM_MAX                                                                \
    (LEN(PEM_HEAD) + CERT_B64 + CERT_B64 / PEM_LINE + 1 + LEN(PEM_TAIL))
/* where the parts stand */
#define AT_ENVELOPE  LEN(ENVELOPE)
#define AT_PAYLOAD   (AT_ENVELOPE + 64 + LEN(PAYLOAD))
#define AT_SIGNATURE (AT_PAYLOAD + 64 + LEN(SIGNATURE))
#define AT_VERIFIER  (AT_SIGNATURE + SIG_B64_LEN + LEN(VERIFIER))

bool tlog_dsse_like(const char *text, size_t len)
{
    return len >= LEN(HEAD) && memcmp(text, HEAD, LEN(HEAD)) == 0;
}

/* ---- PEM ----------------------------------------------------------------- */

static size_t pem_write(char out[PEM_MAX], const uint8_t *der, size_t len)
{
    char b64[CERT_B64];
    enc_b64(b64, der, len);
    size_t left = strlen(b64);
    char *at = out;
    memcpy(at, PEM_HEAD, LEN(PEM_HEAD));
    at += LEN(PEM_HEAD);
    for (const char *p = b64; left > 0;) {
        size_t n = left < PEM_LINE ? left : PEM_LINE;
        memcpy(at, p, n);
        at[n] = '\n';
        at += n + 1;
        p += n;
        left -= n;
    }
    memcpy(at, PEM_TAIL, LEN(PEM_TAIL));
    return (size_t)(at - out) + LEN(PEM_TAIL);
}

/* Whatever is not exactly what pem_write() makes, comparing finds. */
static enum rc pem_read(uint8_t der[TLOG_DSSE_CERT_MAX], size_t *len,
                        const char *pem, size_t pem_len)
{
    char b64[PEM_MAX];
    size_t n = 0;
    if (pem_len < LEN(PEM_HEAD) + LEN(PEM_TAIL) || pem_len > PEM_MAX)
        return rc_raise(RC_PARSE, "dsse: verifier: %zu bytes of PEM", pem_len);
    for (size_t i = LEN(PEM_HEAD); i < pem_len - LEN(PEM_TAIL); i++)
        if (pem[i] != '\n')
            b64[n++] = pem[i];
    TRY(enc_unb64(der, TLOG_DSSE_CERT_MAX, len, b64, n));
    return RC_OK;
}

/* ---- the whole ----------------------------------------------------------- */

enum rc tlog_dsse_encode(char out[TLOG_ENTRY_MAX + 1], size_t *len,
                         const struct tlog_dsse *in)
{
    char envelope[ENC_HEX_SIZE(32)], payload[ENC_HEX_SIZE(32)];
    char sig[ENC_B64_SIZE(64)];
    char pem[PEM_MAX], verifier[ENC_B64_SIZE(PEM_MAX)];
    char text[TLOG_ENTRY_MAX + 1];
    if (in->cert_len == 0 || in->cert_len > TLOG_DSSE_CERT_MAX)
        return rc_raise(RC_TOO_LARGE,
                        "dsse: a certificate of %zu bytes, an entry of the "
                        "log has room for %d",
                        in->cert_len, TLOG_DSSE_CERT_MAX);
    enc_b64(verifier, pem, pem_write(pem, in->cert, in->cert_len));
    int n = snprintf(text, sizeof(text),
                     ENVELOPE "%s" PAYLOAD "%s" SIGNATURE "%s" VERIFIER
                              "%s" TAIL,
                     enc_hex(envelope, in->envelope, 32),
                     enc_hex(payload, in->payload, 32),
                     enc_b64(sig, in->signature, 64), verifier);
    if (n < 0 || (size_t)n >= sizeof(text))
        return rc_raise(RC_TOO_LARGE, "dsse: %d bytes, an entry has at most %d",
                        n, TLOG_ENTRY_MAX);
    memcpy(out, text, (size_t)n + 1);
    *len = (size_t)n;
    return RC_OK;
}

static enum rc decode(struct tlog_dsse *out, const char *text, size_t len)
{
    char pem[PEM_MAX];
    size_t n;
    if (len < AT_VERIFIER + LEN(TAIL) || len > TLOG_ENTRY_MAX)
        return rc_raise(RC_PARSE, "dsse: %zu bytes", len);
    TRY(enc_unhex(out->envelope, 32, text + AT_ENVELOPE, 64));
    TRY(enc_unhex(out->payload, 32, text + AT_PAYLOAD, 64));
    TRY(enc_unb64(out->signature, 64, &n, text + AT_SIGNATURE, SIG_B64_LEN));
    if (n != 64)
        return rc_raise(RC_PARSE, "dsse: signature of %zu bytes", n);
    TRY(enc_unb64(pem, sizeof(pem), &n, text + AT_VERIFIER,
                  len - AT_VERIFIER - LEN(TAIL)));
    return pem_read(out->cert, &out->cert_len, pem, n);
}

enum rc tlog_dsse_decode(struct tlog_dsse *out, const char *text, size_t len)
{
    struct tlog_dsse d = { .cert_len = 0 };
    char again[TLOG_ENTRY_MAX + 1];
    size_t again_len;
    TRY(decode(&d, text, len));
    TRY(tlog_dsse_encode(again, &again_len, &d));
    if (again_len != len || memcmp(again, text, len) != 0)
        return rc_raise(RC_PARSE, "dsse: not as RFC 8785 writes a dsse 0.0.1 "
                                  "entry");
    *out = d;
    return RC_OK;
}
