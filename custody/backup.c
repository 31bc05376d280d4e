/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MSH1 kind 2, to the byte in docs/CUSTODY.md: the header of a sealed share,
 * which is the AAD; the share under ChaCha20-Poly1305 (RFC 8439) with a key of
 * this one backup; that key in a sealed box (X25519, XSalsa20-Poly1305) for
 * each custodian. Custodians' machines need no AES instructions, so the cipher
 * is another than that of shares at rest.
 */
#include "custody/inner.h"

#include <string.h>

#include "base/hash.h"
#include "base/rand.h"

#define MAGIC          "MSH1"
#define VERSION        1
#define KIND_BACKUP    2
#define AEAD_CHACHA    2
#define PROVIDER_NONE  0 /* no master key: the custodians' keys */
#define CT_LEN         (32 + 16)
#define FILE_KEY       32
#define SEALED_BOX_LEN (FILE_KEY + crypto_box_SEALBYTES)

_Static_assert(CUSTODY_WRAP_LEN == 32 + SEALED_BOX_LEN, "a wrap");

/* ---- the header ---------------------------------------------------------- */

void custody_custodians_id(uint8_t out[16], const uint8_t (*keys)[32],
                           unsigned n)
{
    static const char tag[] = "mpc/custodians/v1";
    uint8_t digest[32];
    const struct hash_part parts[] = { { tag, sizeof(tag) },
                                       { keys, (size_t)n * 32 } };
    hash256_parts(digest, parts, 2);
    memcpy(out, digest, 16);
}

void custody_header_put(struct bytes_writer *w, const struct custody_backup *b,
                        const uint8_t nonce[12])
{
    uint8_t id[16];
    custody_custodians_id(id, b->custodian, b->n_custodians);
    bytes_put(w, MAGIC, 4);
    bytes_put_u16(w, VERSION);
    bytes_put_u16(w, KIND_BACKUP);
    bytes_put_u16(w, AEAD_CHACHA);
    bytes_put_u16(w, CUSTODY_HEADER_LEN);
    bytes_put(w, b->key, 32);
    bytes_put_u64(w, b->epoch);
    bytes_put_u16(w, b->node);
    bytes_put_u16(w, b->t);
    bytes_put_u16(w, b->n);
    bytes_put_u16(w, PROVIDER_NONE);
    bytes_put(w, b->identity, 32);
    bytes_put(w, b->roster, 32);
    bytes_put(w, b->transcript, 32);
    bytes_put(w, b->group_key, 32);
    bytes_put(w, b->y, 32);
    bytes_put(w, id, 16);
    bytes_put(w, nonce, 12);
    bytes_put_u64(w, b->created_ms);
    bytes_put_u32(w, CT_LEN);
}

/* Words for a file that is not a backup at all. */
static enum rc look(const uint8_t p[CUSTODY_HEADER_LEN])
{
    struct bytes_reader r = bytes_reader(p + 4, 8);
    uint16_t version = bytes_get_u16(&r);
    uint16_t kind = bytes_get_u16(&r);
    uint16_t aead = bytes_get_u16(&r);
    uint16_t header = bytes_get_u16(&r);
    if (memcmp(p, MAGIC, 4) != 0)
        return rc_raise(RC_PARSE, "backup: does not begin with MSH1");
    if (kind == 1)
        return rc_raise(RC_PARSE, "backup: a share sealed to its own machine, "
                                  "which no custodian can open");
    if (version != VERSION || kind != KIND_BACKUP || aead != AEAD_CHACHA ||
        header != CUSTODY_HEADER_LEN)
        return rc_raise(RC_PARSE,
                        "backup: version %u, kind %u, cipher %u, header of %u; "
                        "want 1, 2, 2, 260",
                        version, kind, aead, header);
    return RC_OK;
}

enum rc custody_header_get(struct custody_backup *out,
                           uint8_t custodians_id[16], uint8_t nonce[12],
                           const uint8_t p[CUSTODY_HEADER_LEN])
{
    struct custody_backup b = { .n_custodians = 0 };
    uint8_t id[16];
    uint8_t iv[12];
    uint8_t key[32];
    TRY(look(p));
    struct bytes_reader r = bytes_reader(p, CUSTODY_HEADER_LEN);
    (void)bytes_take(&r, 12);
    bytes_get(&r, b.key, 32);
    b.epoch = bytes_get_u64(&r);
    b.node = bytes_get_u16(&r);
    b.t = bytes_get_u16(&r);
    b.n = bytes_get_u16(&r);
    uint16_t provider = bytes_get_u16(&r);
    bytes_get(&r, b.identity, 32);
    bytes_get(&r, b.roster, 32);
    bytes_get(&r, b.transcript, 32);
    bytes_get(&r, b.group_key, 32);
    bytes_get(&r, b.y, 32);
    bytes_get(&r, id, 16);
    bytes_get(&r, iv, 12);
    b.created_ms = bytes_get_u64(&r);
    uint32_t ct_len = bytes_get_u32(&r);
    TRY(bytes_end(&r, "backup"));
    hash256(key, b.group_key, 32);
    if (b.node == 0 || b.epoch == 0 || b.t < 2 || b.n < b.t ||
        provider != PROVIDER_NONE || ct_len != CT_LEN ||
        memcmp(key, b.key, 32) != 0)
        return rc_raise(RC_PARSE, "backup: its header contradicts itself");
    if (custodians_id)
        memcpy(custodians_id, id, 16);
    if (nonce)
        memcpy(nonce, iv, 12);
    *out = b;
    return RC_OK;
}

enum rc custody_share_matches(const struct frost_scalar *share,
                              const uint8_t y[32])
{
    struct frost_point got;
    if (frost_scalar_base(&got, share) != RC_OK)
        return rc_prefix(RC_STORE, "backup: ");
    if (memcmp(got.b, y, 32) != 0)
        return rc_raise(RC_STORE, "backup: not the share of its Y");
    return RC_OK;
}

/* ---- making -------------------------------------------------------------- */

static enum rc wrap_all(struct bytes_writer *w, const struct custody_backup *b,
                        const uint8_t file_key[FILE_KEY])
{
    uint8_t sealed[SEALED_BOX_LEN];
    bytes_put_u16(w, (uint16_t)b->n_custodians);
    for (unsigned i = 0; i < b->n_custodians; i++) {
        if (crypto_box_seal(sealed, file_key, FILE_KEY, b->custodian[i]) != 0)
            return rc_raise(RC_POLICY,
                            "backup: custodian %u has no usable X25519 key",
                            i + 1);
        bytes_put(w, b->custodian[i], 32);
        bytes_put(w, sealed, sizeof(sealed));
    }
    return bytes_written(w);
}

enum rc custody_backup_make(uint8_t *out, size_t *len,
                            const struct custody_backup *b,
                            const struct frost_scalar *share)
{
    uint8_t nonce[12];
    uint8_t ct[CT_LEN];
    unsigned long long ct_len;
    WIPED_BYTES(file_key, FILE_KEY);
    if (b->n_custodians == 0 || b->n_custodians > CUSTODY_MAX_CUSTODIANS)
        return rc_raise(RC_ARG, "backup: %u custodians, want 1 to %d",
                        b->n_custodians, CUSTODY_MAX_CUSTODIANS);
    TRY(custody_share_matches(share, b->y));
    TRY(rand_bytes(nonce, sizeof(nonce)));
    TRY(rand_bytes(file_key, FILE_KEY));
    struct bytes_writer w = bytes_writer(out, CUSTODY_BACKUP_MAX);
    custody_header_put(&w, b, nonce);
    TRY(bytes_written(&w));
    if (crypto_aead_chacha20poly1305_ietf_encrypt(ct, &ct_len, share->le, 32,
                                                  out, CUSTODY_HEADER_LEN, NULL,
                                                  nonce, file_key) != 0 ||
        ct_len != CT_LEN)
        return rc_raise(RC_INTERNAL, "backup: sealing failed");
    bytes_put(&w, ct, CT_LEN);
    TRY(wrap_all(&w, b, file_key));
    *len = w.len;
    return RC_OK;
}

/* ---- reading ------------------------------------------------------------- */

struct parts {
    struct custody_backup of;
    uint8_t nonce[12];
    const uint8_t *ct;
    const uint8_t *wraps; /* [of.n_custodians][CUSTODY_WRAP_LEN] */
};

static enum rc parts_read(struct parts *out, const uint8_t *p, size_t len)
{
    struct parts s = { .ct = NULL };
    uint8_t id[16];
    uint8_t want[16];
    if (len < CUSTODY_HEADER_LEN + CT_LEN + 2 || len > CUSTODY_BACKUP_MAX)
        return rc_raise(RC_PARSE, "backup: %zu bytes, want %d to %d", len,
                        CUSTODY_HEADER_LEN + CT_LEN + 2 + CUSTODY_WRAP_LEN,
                        CUSTODY_BACKUP_MAX);
    TRY(custody_header_get(&s.of, id, s.nonce, p));
    struct bytes_reader r = bytes_reader(p + CUSTODY_HEADER_LEN,
                                         len - CUSTODY_HEADER_LEN);
    s.ct = bytes_take(&r, CT_LEN);
    unsigned n = bytes_get_u16(&r);
    if (n == 0 || n > CUSTODY_MAX_CUSTODIANS)
        return rc_raise(RC_PARSE, "backup: %u custodians, want 1 to %d", n,
                        CUSTODY_MAX_CUSTODIANS);
    s.wraps = bytes_take(&r, (size_t)n * CUSTODY_WRAP_LEN);
    TRY(bytes_end(&r, "backup"));
    s.of.n_custodians = n;
    for (unsigned i = 0; i < n; i++) {
        memcpy(s.of.custodian[i], s.wraps + i * CUSTODY_WRAP_LEN, 32);
        if (i > 0 && memcmp(s.of.custodian[i - 1], s.of.custodian[i], 32) >= 0)
            return rc_raise(RC_PARSE, "backup: custodians not ascending");
    }
    custody_custodians_id(want, s.of.custodian, n);
    if (memcmp(want, id, 16) != 0)
        return rc_raise(RC_PARSE, "backup: other custodians than its header "
                                  "names");
    *out = s;
    return RC_OK;
}

enum rc custody_backup_read(struct custody_backup *out, const uint8_t *p,
                            size_t len)
{
    struct parts s;
    TRY(parts_read(&s, p, len));
    *out = s.of;
    return RC_OK;
}

static enum rc unwrap(uint8_t file_key[FILE_KEY], const struct parts *s,
                      const struct custody_key *key)
{
    unsigned i = 0;
    while (i < s->of.n_custodians &&
           memcmp(s->of.custodian[i], key->public, 32) != 0)
        i++;
    if (i == s->of.n_custodians) {
        enum rc rc = rc_raise(RC_AUTH, "backup: made for other custodians "
                                       "than this key's");
        rc_hint("the roster named them when it was made; each node has its "
                "own");
        return rc;
    }
    if (crypto_box_seal_open(file_key,
                             s->wraps + (size_t)i * CUSTODY_WRAP_LEN + 32,
                             SEALED_BOX_LEN, key->public, key->secret) != 0)
        return rc_raise(RC_STORE, "backup: this custodian's box was altered");
    return RC_OK;
}

enum rc custody_backup_open(struct frost_scalar *share,
                            struct custody_backup *out, const uint8_t *p,
                            size_t len, const struct custody_key *key)
{
    struct parts s;
    unsigned long long plain_len;
    WIPED_BYTES(file_key, FILE_KEY);
    WIPED_BYTES(plain, 32);
    WIPED(frost_scalar) got;
    TRY(parts_read(&s, p, len));
    TRY(unwrap(file_key, &s, key));
    if (crypto_aead_chacha20poly1305_ietf_decrypt(plain, &plain_len, NULL, s.ct,
                                                  CT_LEN, p, CUSTODY_HEADER_LEN,
                                                  s.nonce, file_key) != 0)
        return rc_raise(RC_STORE, "backup: altered since it was made");
    if (frost_scalar_decode(&got, plain) != RC_OK)
        return rc_prefix(RC_STORE, "backup: ");
    TRY(custody_share_matches(&got, s.of.y));
    *share = got;
    if (out)
        *out = s.of;
    return RC_OK;
}
