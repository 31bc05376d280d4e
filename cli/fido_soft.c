/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CTAP2 security key of software, behind libfido2's own transport hook: for
 * tests and `mpcsign dev`, only in builds that simulate hardware. It proves
 * that our half of the protocol is right; it protects nothing.
 *
 * Its file is one line: 64 hex digits of seed, from which all keys follow;
 * then perhaps " pin TEXT", for a device that knows its user by a PIN and not
 * by itself, or " fail HH", the CTAP status it answers all requests with.
 * Credentials are not stored: an id is a nonce and a tag over nonce and party.
 */
#include "cli/fido_soft.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/rand.h"
#include "cli/fido.h"

#define CMD_INIT   0x06
#define CMD_CBOR   0x10
#define CTAP_MAKE  0x01
#define CTAP_GET   0x02
#define CTAP_INFO  0x04
#define CTAP_PIN   0x06
#define FILE_MAX   256
#define REPLY_MAX  1024
#define ID_LEN     32
#define FLAG_UP_UV 0x05
#define FLAG_AT    0x40

struct soft {
    uint8_t seed[32]; /* secret; wiped at close */
    uint8_t fail;     /* 0: none */
    struct soft_pin pin;
    uint8_t cmd;
    uint8_t reply[REPLY_MAX];
    size_t reply_len;
};

/* ---- its file ----------------------------------------------------------- */

enum rc fido_soft_make(const char *file)
{
    WIPED_BYTES(seed, 32);
    WIPED_BYTES(line, ENC_HEX_SIZE(32) + 1);
    TRY(rand_bytes(seed, sizeof(seed)));
    enc_hex((char *)line, seed, 32);
    line[64] = '\n';
    return file_write(file, line, 65, 0600);
}

/* What stands behind the seed. */
static enum rc load_rest(struct soft *s, const char *rest)
{
    if (strncmp(rest, " fail ", 6) == 0)
        return enc_unhex(&s->fail, 1, rest + 6, 2);
    if (strncmp(rest, " pin ", 5) != 0)
        return *rest == '\n' || !*rest ? RC_OK : RC_PARSE;
    size_t len = strcspn(rest + 5, "\n");
    if (len >= sizeof(s->pin.text))
        return RC_PARSE;
    memcpy(s->pin.text, rest + 5, len);
    TRY(rand_bytes(s->pin.ecdh, sizeof(s->pin.ecdh)));
    return rand_bytes(s->pin.token, sizeof(s->pin.token));
}

static enum rc load(struct soft *s, const char *file)
{
    OWNED_MEM uint8_t *raw = NULL;
    WIPED_BYTES(text, FILE_MAX + 1);
    size_t len;
    TRY(file_read(&raw, &len, file, FILE_MAX));
    memcpy(text, raw, len);
    text[len] = '\0';
    sodium_memzero(raw, len);
    enum rc rc = len < 64 ? RC_PARSE
                          : enc_unhex(s->seed, 32, (const char *)text, 64);
    if (rc == RC_OK)
        rc = load_rest(s, (const char *)text + 64);
    return rc == RC_OK
                   ? RC_OK
                   : rc_raise(RC_PARSE, "%s: no software security key", file);
}

static void *on_open(const char *file)
{
    struct soft *s = calloc(1, sizeof(*s));
    if (s && load(s, file) != RC_OK) {
        free(s);
        s = NULL;
    }
    return s;
}

static void on_close(void *handle)
{
    struct soft *s = handle;
    sodium_memzero(s, sizeof(*s));
    free(s);
}

/* ---- its keys ----------------------------------------------------------- */

static void tag_of(uint8_t out[16], const struct soft *s,
                   const uint8_t nonce[16], const uint8_t party[32])
{
    uint8_t full[32];
    const struct hash_part parts[] = {
        { "mpcsign soft id", 16 }, { s->seed, 32 }, { nonce, 16 }, { party, 32 }
    };
    hash256_parts(full, parts, 4);
    memcpy(out, full, 16);
}

static bool is_ours(const struct soft *s, const uint8_t *id, size_t len,
                    const uint8_t party[32])
{
    uint8_t tag[16];
    if (len != ID_LEN)
        return false;
    tag_of(tag, s, id, party);
    return sodium_memcmp(tag, id + 16, 16) == 0;
}

static bool key_of(EVP_PKEY **out, uint8_t point[65], const struct soft *s,
                   const uint8_t id[ID_LEN])
{
    WIPED_BYTES(raw, 64);
    const struct hash_part parts[] = { { "mpcsign soft key", 17 },
                                       { s->seed, 32 },
                                       { id, ID_LEN } };
    hash512_parts(raw, parts, 3);
    return soft_pair(out, point, raw);
}

static bool party_in(uint8_t out[32], const cbor_item_t *v)
{
    if (!v || !cbor_isa_string(v))
        return false;
    hash256(out, cbor_string_handle(v), cbor_string_length(v));
    return true;
}

/* ---- answers ------------------------------------------------------------ */

static struct bytes_writer auth_data(uint8_t *buf, size_t cap,
                                     const uint8_t party[32], uint8_t flags)
{
    struct bytes_writer w = bytes_writer(buf, cap);
    bytes_put(&w, party, 32);
    bytes_put_u8(&w, flags);
    bytes_put_u32(&w, 0); /* it does not count, as passkeys */
    return w;
}

static bool wants_es256(const cbor_item_t *list)
{
    for (size_t i = 0;
         list && cbor_isa_array(list) && i < cbor_array_size(list); i++) {
        const cbor_item_t *alg = soft_named(cbor_array_handle(list)[i], "alg");
        if (alg && cbor_isa_negint(alg) && cbor_get_int(alg) == 6)
            return true;
    }
    return false;
}

static uint8_t make(struct soft *s, struct bytes_writer *w,
                    const cbor_item_t *map)
{
    uint8_t party[32];
    uint8_t id[ID_LEN];
    uint8_t point[65];
    uint8_t raw[256];
    const uint8_t *hash;
    OWNED(EVP_PKEY) *key = NULL;
    if (!party_in(party, soft_named(soft_at(map, 2), "id")) ||
        !soft_bytes(&hash, soft_at(map, 1), 32))
        return SOFT_BAD_CBOR;
    uint8_t status = soft_pin_check(&s->pin, soft_at(map, 8), hash);
    if (status != SOFT_OK)
        return status;
    if (!wants_es256(soft_at(map, 4)))
        return SOFT_BAD_ALG;
    if (rand_bytes(id, 16) != RC_OK)
        return SOFT_BAD_CBOR;
    tag_of(id + 16, s, id, party);
    if (!key_of(&key, point, s, id))
        return SOFT_BAD_CBOR;
    struct bytes_writer a = auth_data(raw, sizeof(raw), party,
                                      FLAG_UP_UV | FLAG_AT);
    bytes_put(&a, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16); /* AAGUID: none */
    bytes_put_u16(&a, ID_LEN);
    bytes_put(&a, id, ID_LEN);
    soft_put_cose(&a, "\x26", 1, point);
    soft_put_head(w, 5, 3);
    soft_put_head(w, 0, 1);
    soft_put_text(w, "none");
    soft_put_head(w, 0, 2);
    soft_put_bytes(w, raw, a.len);
    soft_put_head(w, 0, 3);
    soft_put_head(w, 5, 0);
    return SOFT_OK;
}

static const uint8_t *find_id(const struct soft *s, const cbor_item_t *list,
                              const uint8_t party[32])
{
    for (size_t i = 0;
         list && cbor_isa_array(list) && i < cbor_array_size(list); i++) {
        const cbor_item_t *id = soft_named(cbor_array_handle(list)[i], "id");
        if (id && cbor_isa_bytestring(id) &&
            is_ours(s, cbor_bytestring_handle(id), cbor_bytestring_length(id),
                    party))
            return cbor_bytestring_handle(id);
    }
    return NULL;
}

static uint8_t get(struct soft *s, struct bytes_writer *w,
                   const cbor_item_t *map)
{
    uint8_t party[32];
    uint8_t point[65];
    uint8_t raw[64];
    uint8_t sig[80];
    size_t sig_len;
    const uint8_t *hash;
    OWNED(EVP_PKEY) *key = NULL;
    if (!party_in(party, soft_at(map, 1)) ||
        !soft_bytes(&hash, soft_at(map, 2), 32))
        return SOFT_BAD_CBOR;
    const uint8_t *id = find_id(s, soft_at(map, 3), party);
    uint8_t status = soft_pin_check(&s->pin, soft_at(map, 6), hash);
    if (!id || status != SOFT_OK)
        return id ? status : SOFT_NO_CRED;
    struct bytes_writer a = auth_data(raw, sizeof(raw), party, FLAG_UP_UV);
    if (!key_of(&key, point, s, id) || !soft_sign(sig, &sig_len, key, &a, hash))
        return SOFT_BAD_CBOR;
    soft_put_head(w, 5, 3);
    soft_put_head(w, 0, 1);
    soft_put_head(w, 5, 2);
    soft_put_text(w, "id");
    soft_put_bytes(w, id, ID_LEN);
    soft_put_text(w, "type");
    soft_put_text(w, "public-key");
    soft_put_head(w, 0, 2);
    soft_put_bytes(w, raw, a.len);
    soft_put_head(w, 0, 3);
    soft_put_bytes(w, sig, sig_len);
    return SOFT_OK;
}

/*
 * {1: ["FIDO_2_0"], 3: aaguid, 4: {"rk": false, "up": true, …}, 6: [1]}, the
 * last option "uv", for one that knows its user by itself, or "clientPin".
 */
static uint8_t info(const struct soft *s, struct bytes_writer *w)
{
    soft_put_head(w, 5, 4);
    soft_put_head(w, 0, 1);
    soft_put_head(w, 4, 1);
    soft_put_text(w, "FIDO_2_0");
    soft_put_head(w, 0, 3);
    soft_put_bytes(w, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    soft_put_head(w, 0, 4);
    soft_put_head(w, 5, 3);
    soft_put_text(w, "rk");
    bytes_put_u8(w, 0xf4);
    soft_put_text(w, "up");
    bytes_put_u8(w, 0xf5);
    soft_put_text(w, s->pin.text[0] ? "clientPin" : "uv");
    bytes_put_u8(w, 0xf5);
    soft_put_head(w, 0, 6);
    bytes_put(w, "\x81\x01", 2); /* PIN protocol 1 */
    return SOFT_OK;
}

static uint8_t run_map(struct soft *s, struct bytes_writer *w, uint8_t command,
                       const cbor_item_t *map)
{
    switch (command) {
    case CTAP_MAKE:
        return make(s, w, map);
    case CTAP_GET:
        return get(s, w, map);
    case CTAP_PIN:
        return soft_pin_run(&s->pin, w, map);
    default:
        return SOFT_BAD_CMD;
    }
}

static uint8_t run(struct soft *s, struct bytes_writer *w, uint8_t command,
                   const uint8_t *body, size_t len)
{
    struct cbor_load_result r;
    if (command == CTAP_INFO)
        return info(s, w);
    if (s->fail)
        return s->fail;
    cbor_item_t *map = cbor_load(body, len, &r);
    uint8_t status = map ? run_map(s, w, command, map) : SOFT_BAD_CBOR;
    if (map)
        cbor_decref(&map);
    return status;
}

/* ---- its wire: libfido2 hands over whole messages ----------------------- */

/* nonce, channel, protocol 2, version 0, CBOR and no U2F */
static void init(struct soft *s, const uint8_t *nonce)
{
    static const uint8_t rest[9] = { 0, 0, 0, 1, 2, 0, 0, 0, 0x04 | 0x08 };
    memcpy(s->reply, nonce, 8);
    memcpy(s->reply + 8, rest, sizeof(rest));
    s->reply_len = 17;
}

static int on_tx(fido_dev_t *dev, uint8_t cmd, const unsigned char *p,
                 size_t len)
{
    struct soft *s = fido_dev_io_handle(dev);
    struct bytes_writer w = bytes_writer(s->reply + 1, sizeof(s->reply) - 1);
    s->cmd = cmd;
    s->reply_len = 0;
    if (cmd == CMD_INIT && len == 8) {
        init(s, p);
    } else if (cmd == CMD_CBOR && len >= 1) {
        s->reply[0] = run(s, &w, p[0], p + 1, len - 1);
        if (bytes_written(&w) != RC_OK)
            return -1;
        s->reply_len = 1 + (s->reply[0] == SOFT_OK ? w.len : 0);
    }
    return 0;
}

static int on_rx(fido_dev_t *dev, uint8_t cmd, unsigned char *out, size_t cap,
                 int ms)
{
    const struct soft *s = fido_dev_io_handle(dev);
    (void)ms;
    if (cmd != s->cmd || s->reply_len == 0 || s->reply_len > cap)
        return -1;
    memcpy(out, s->reply, s->reply_len);
    return (int)s->reply_len;
}

/* Never called: the messages go through the transport. */
static int no_read(void *handle, unsigned char *p, size_t len, int ms)
{
    (void)handle;
    (void)p;
    (void)len;
    (void)ms;
    return -1;
}

static int no_write(void *handle, const unsigned char *p, size_t len)
{
    (void)handle;
    (void)p;
    (void)len;
    return -1;
}

enum rc fido_soft_attach(fido_dev_t *dev, const char *file)
{
    static const fido_dev_io_t io = { on_open, on_close, no_read, no_write };
    static const fido_dev_transport_t wire = { on_rx, on_tx };
    struct soft probe = { 0 };
    enum rc rc = load(&probe, file); /* for its words: libfido2 has none */
    sodium_memzero(&probe, sizeof(probe));
    TRY(rc);
    int code = fido_dev_set_io_functions(dev, &io);
    if (code == FIDO_OK)
        code = fido_dev_set_transport_functions(dev, &wire);
    return code == FIDO_OK ? RC_OK : fido_failed(code, "attaching", NULL);
}
