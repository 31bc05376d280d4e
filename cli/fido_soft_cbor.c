/* SPDX-License-Identifier: Apache-2.0 */
/* What the software security key reads and writes of CBOR. */
#include "cli/fido_soft.h"

#include <string.h>

void soft_put_head(struct bytes_writer *w, uint8_t major, size_t n)
{
    major = (uint8_t)(major << 5);
    if (n < 24) {
        bytes_put_u8(w, (uint8_t)(major | n));
    } else if (n < 256) {
        bytes_put_u8(w, major | 24);
        bytes_put_u8(w, (uint8_t)n);
    } else {
        bytes_put_u8(w, major | 25);
        bytes_put_u16(w, (uint16_t)n);
    }
}

void soft_put_bytes(struct bytes_writer *w, const void *p, size_t len)
{
    soft_put_head(w, 2, len);
    bytes_put(w, p, len);
}

void soft_put_text(struct bytes_writer *w, const char *text)
{
    soft_put_head(w, 3, strlen(text));
    bytes_put(w, text, strlen(text));
}

void soft_put_cose(struct bytes_writer *w, const char *alg, size_t alg_len,
                   const uint8_t point[65])
{
    bytes_put(w, "\xa5\x01\x02\x03", 4);
    bytes_put(w, alg, alg_len);
    bytes_put(w, "\x20\x01\x21", 3);
    soft_put_bytes(w, point + 1, 32);
    bytes_put_u8(w, 0x22);
    soft_put_bytes(w, point + 33, 32);
}

static bool is_key(const cbor_item_t *item, int key)
{
    return key < 0 ? cbor_isa_negint(item) &&
                             cbor_get_int(item) == (uint64_t)(-1 - key)
                   : cbor_isa_uint(item) && cbor_get_int(item) == (uint64_t)key;
}

const cbor_item_t *soft_at(const cbor_item_t *map, int key)
{
    if (!map || !cbor_isa_map(map))
        return NULL;
    const struct cbor_pair *p = cbor_map_handle(map);
    for (size_t i = 0; i < cbor_map_size(map); i++)
        if (is_key(p[i].key, key))
            return p[i].value;
    return NULL;
}

const cbor_item_t *soft_named(const cbor_item_t *map, const char *key)
{
    if (!map || !cbor_isa_map(map))
        return NULL;
    const struct cbor_pair *p = cbor_map_handle(map);
    for (size_t i = 0; i < cbor_map_size(map); i++)
        if (cbor_isa_string(p[i].key) &&
            cbor_string_length(p[i].key) == strlen(key) &&
            memcmp(cbor_string_handle(p[i].key), key, strlen(key)) == 0)
            return p[i].value;
    return NULL;
}

bool soft_bytes(const uint8_t **out, const cbor_item_t *v, size_t len)
{
    if (!v || !cbor_isa_bytestring(v) || cbor_bytestring_length(v) != len)
        return false;
    *out = cbor_bytestring_handle(v);
    return true;
}

unsigned soft_int(const cbor_item_t *v)
{
    return v && cbor_isa_uint(v) ? (unsigned)cbor_get_int(v) : 0;
}
