/* SPDX-License-Identifier: Apache-2.0 */
/* Verifier keys of notes: "name+hex8(id)+base64(type || key)". Public. */
#include "transparency/transparency.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "base/hash.h"

static bool name_ok(const char *name, size_t len)
{
    if (len == 0 || len >= TLOG_NAME_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (name[i] <= ' ' || name[i] > '~' || name[i] == '+')
            return false;
    return true;
}

/* id = SHA-256(name || LF || type || key)[:4] */
static void key_id(struct tlog_vkey *v)
{
    uint8_t h[32];
    const struct hash_part parts[] = {
        { v->name, strlen(v->name) },
        { "\n", 1 },
        { &v->type, 1 },
        { v->key, sizeof(v->key) },
    };
    hash256_parts(h, parts, 4);
    memcpy(v->id, h, sizeof(v->id));
}

enum rc tlog_vkey_make(struct tlog_vkey *out, const char *name, uint8_t type,
                       const uint8_t key[32])
{
    size_t len = strnlen(name, TLOG_NAME_MAX);
    if (!name_ok(name, len))
        return rc_raise(RC_ARG,
                        "key name: want 1 to %d printable ASCII "
                        "characters, no space or '+'",
                        TLOG_NAME_MAX - 1);
    if (type != TLOG_SIG_ED25519 && type != TLOG_SIG_COSIGNATURE)
        return rc_raise(RC_ARG,
                        "key type %u: want 1 (Ed25519) or 4 "
                        "(cosignature)",
                        type);
    struct tlog_vkey v = { .type = type };
    memcpy(v.name, name, len);
    memcpy(v.key, key, sizeof(v.key));
    key_id(&v);
    *out = v;
    return RC_OK;
}

enum rc tlog_vkey_parse(struct tlog_vkey *out, const char *text)
{
    if (strnlen(text, TLOG_VKEY_MAX) >= TLOG_VKEY_MAX)
        return rc_raise(RC_PARSE, "vkey: over %d characters",
                        TLOG_VKEY_MAX - 1);
    /* neither name nor id holds a '+', base64 may */
    const char *first = strchr(text, '+');
    const char *second = first ? strchr(first + 1, '+') : NULL;
    if (!second)
        return rc_raise(RC_PARSE, "vkey: want name+id+key");
    size_t name_len = (size_t)(first - text);
    char name[TLOG_NAME_MAX] = "";
    if (!name_ok(text, name_len))
        return rc_raise(RC_PARSE, "vkey: bad name");
    memcpy(name, text, name_len);
    uint8_t id[4];
    TRY(enc_unhex(id, sizeof(id), first + 1, (size_t)(second - first - 1)));
    uint8_t raw[33];
    size_t raw_len;
    TRY(enc_unb64(raw, sizeof(raw), &raw_len, second + 1, strlen(second + 1)));
    if (raw_len != sizeof(raw))
        return rc_raise(RC_PARSE, "vkey: key of %zu bytes, want 33", raw_len);
    struct tlog_vkey v;
    if (tlog_vkey_make(&v, name, raw[0], raw + 1) != RC_OK)
        return rc_raise(RC_PARSE, "vkey: key type %u is not supported", raw[0]);
    if (memcmp(v.id, id, sizeof(id)) != 0)
        return rc_raise(RC_PARSE, "vkey: id does not belong to this key");
    *out = v;
    return RC_OK;
}

char *tlog_vkey_text(char out[TLOG_VKEY_MAX], const struct tlog_vkey *v)
{
    uint8_t raw[33];
    char id[ENC_HEX_SIZE(4)];
    char key[ENC_B64_SIZE(33)];
    raw[0] = v->type;
    memcpy(raw + 1, v->key, 32);
    snprintf(out, TLOG_VKEY_MAX, "%s+%s+%s", v->name,
             enc_hex(id, v->id, sizeof(v->id)), enc_b64(key, raw, sizeof(raw)));
    return out;
}
