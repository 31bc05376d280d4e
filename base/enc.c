/* SPDX-License-Identifier: Apache-2.0 */
/* Strict text encodings over libsodium; see enc.h. */
#include "base/enc.h"

#include <string.h>

#include <sodium.h>

char *enc_hex(char *out, const void *src, size_t len)
{
    return sodium_bin2hex(out, ENC_HEX_SIZE(len), src, len);
}

enum rc enc_unhex(void *out, size_t len, const char *hex, size_t hex_len)
{
    if (hex_len != ENC_HEX_LEN(len))
        return rc_raise(RC_PARSE, "hex: %zu characters, want %zu", hex_len,
                        ENC_HEX_LEN(len));
    for (size_t i = 0; i < hex_len; i++)
        if (!strchr("0123456789abcdef", hex[i]) || !hex[i])
            return rc_raise(RC_PARSE, "hex: character %zu is not 0-9a-f", i);
    size_t got = 0;
    if (sodium_hex2bin(out, len, hex, hex_len, NULL, &got, NULL) != 0 ||
        got != len)
        return rc_raise(RC_PARSE, "hex: not decodable");
    return RC_OK;
}

char *enc_b64(char *out, const void *src, size_t len)
{
    return sodium_bin2base64(out, ENC_B64_SIZE(len), src, len,
                             sodium_base64_VARIANT_ORIGINAL);
}

char *enc_b64u(char *out, const void *src, size_t len)
{
    return sodium_bin2base64(out, ENC_B64_SIZE(len), src, len,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static enum rc unb64(void *out, size_t cap, size_t *len, const char *b64,
                     size_t b64_len, int variant)
{
    size_t got = 0;
    const char *end = NULL;
    /* libsodium 1.0.18 takes bytes over 127 for base64 characters */
    for (size_t i = 0; i < b64_len; i++)
        if ((unsigned char)b64[i] > 0x7f)
            return rc_raise(RC_PARSE, "base64: byte %zu is not ASCII", i);
    if (sodium_base642bin(out, cap, b64, b64_len, NULL, &got, &end, variant) !=
                0 ||
        end != b64 + b64_len)
        return rc_raise(RC_PARSE, "base64: malformed or over %zu bytes", cap);
    *len = got;
    return RC_OK;
}

enum rc enc_unb64(void *out, size_t cap, size_t *len, const char *b64,
                  size_t b64_len)
{
    return unb64(out, cap, len, b64, b64_len, sodium_base64_VARIANT_ORIGINAL);
}

enum rc enc_unb64u(void *out, size_t cap, size_t *len, const char *b64,
                   size_t b64_len)
{
    return unb64(out, cap, len, b64, b64_len,
                 sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

enum rc enc_undec(uint64_t *out, const char *text, size_t len)
{
    uint64_t v = 0;
    if (len == 0 || len > 19 || (len > 1 && text[0] == '0'))
        return rc_raise(RC_PARSE, "number: want decimal, no leading zero");
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return rc_raise(RC_PARSE, "number: want decimal digits only");
        v = v * 10 + (uint64_t)(text[i] - '0');
    }
    *out = v;
    return RC_OK;
}
