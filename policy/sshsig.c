/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SSH signatures over approval challenges: `ssh-keygen -Y sign`, verified with
 * libsodium alone. Ed25519 only. Holds no secret but the key policy_sshsig_make
 * is lent.
 */
#include "policy/sshsig.h"

#include <string.h>

#include <sodium.h>

#include "base/bytes.h"
#include "base/enc.h"
#include "base/hash.h"
#include "policy/policy.h"

#define MAGIC     "SSHSIG"
#define MAGIC_LEN 6
#define NAMESPACE "approve@mpcsign"
#define ALGORITHM "ssh-ed25519"

struct part {
    const uint8_t *p;
    size_t len;
};

static struct part take(struct bytes_reader *r)
{
    struct part out;
    out.p = bytes_take_lp32(r, &out.len);
    return out;
}

static bool is(struct part p, const char *text)
{
    return p.p && p.len == strlen(text) && memcmp(p.p, text, p.len) == 0;
}

static void put_text(struct bytes_writer *w, const char *text)
{
    bytes_put_lp32(w, text, strlen(text));
}

/* string "ssh-ed25519", string of want bytes; NULL when it is not that. */
static const uint8_t *ed25519_part(struct part in, size_t want)
{
    struct bytes_reader r = bytes_reader(in.p, in.len);
    struct part alg = take(&r), value = take(&r);
    if (bytes_end(&r, "SSHSIG") != RC_OK || !is(alg, ALGORITHM) ||
        value.len != want)
        return NULL;
    return value.p;
}

/* What the SSH key signs: magic, namespace, reserved, hash name, H(message). */
static size_t signed_bytes(uint8_t out[256], const uint8_t challenge[32],
                           const char *hash)
{
    char message[ENC_B64_SIZE(32)];
    enc_b64u(message, challenge, 32);
    uint8_t digest[64];
    size_t digest_len = strcmp(hash, "sha512") == 0 ? 64 : 32;
    if (digest_len == 64)
        hash512(digest, message, strlen(message));
    else
        hash256(digest, message, strlen(message));
    struct bytes_writer w = bytes_writer(out, 256);
    bytes_put(&w, MAGIC, MAGIC_LEN);
    put_text(&w, NAMESPACE);
    put_text(&w, "");
    put_text(&w, hash);
    bytes_put_lp32(&w, digest, digest_len);
    return w.len;
}

struct sshsig {
    const uint8_t *key; /* [32] */
    struct part space;
    struct part reserved;
    struct part hash;
    const uint8_t *sig; /* [64] */
};

static enum rc parse(struct sshsig *out, const uint8_t *blob, size_t len)
{
    struct bytes_reader r = bytes_reader(blob, len);
    struct part magic = { bytes_take(&r, MAGIC_LEN), MAGIC_LEN };
    uint32_t version = bytes_get_u32(&r);
    struct part key = take(&r);
    out->space = take(&r);
    out->reserved = take(&r);
    out->hash = take(&r);
    struct part sig = take(&r);
    TRY(bytes_end(&r, "SSHSIG"));
    if (!is(magic, MAGIC) || version != 1)
        return rc_raise(RC_PARSE, "SSHSIG: want magic SSHSIG, version 1");
    out->key = ed25519_part(key, 32);
    out->sig = ed25519_part(sig, 64);
    if (!out->key || !out->sig)
        return rc_raise(RC_PARSE, "SSHSIG: want an ssh-ed25519 key and "
                                  "signature");
    return RC_OK;
}

enum rc policy_sshsig_check(const uint8_t *blob, size_t len,
                            const uint8_t challenge[32], const uint8_t key[32])
{
    struct sshsig s = { 0 };
    TRY(parse(&s, blob, len));
    if (!is(s.space, NAMESPACE))
        return rc_raise(RC_VERIFY, "SSHSIG: namespace is not " NAMESPACE);
    if (s.reserved.len)
        return rc_raise(RC_VERIFY, "SSHSIG: reserved field is not empty");
    if (memcmp(s.key, key, 32) != 0)
        return rc_raise(RC_VERIFY, "SSHSIG: made by another key than the "
                                   "credential's");
    const char *hash = is(s.hash, "sha512")   ? "sha512"
                       : is(s.hash, "sha256") ? "sha256"
                                              : NULL;
    if (!hash)
        return rc_raise(RC_VERIFY, "SSHSIG: hash is not sha512 or sha256");
    uint8_t message[256];
    size_t n = signed_bytes(message, challenge, hash);
    if (crypto_sign_ed25519_verify_detached(s.sig, message, n, key) != 0)
        return rc_raise(RC_VERIFY, "SSHSIG: does not sign this challenge "
                                   "(session, decision, role and person)");
    return RC_OK;
}

enum rc policy_sshsig_make(uint8_t *out, size_t cap, size_t *len,
                           const uint8_t challenge[32], const uint8_t sk[64])
{
    uint8_t message[256], sig[64], key[64], value[96];
    size_t n = signed_bytes(message, challenge, "sha512");
    if (crypto_sign_ed25519_detached(sig, NULL, message, n, sk) != 0)
        return rc_raise(RC_INTERNAL, "SSHSIG: cannot sign");
    struct bytes_writer k = bytes_writer(key, sizeof(key));
    put_text(&k, ALGORITHM);
    bytes_put_lp32(&k, sk + 32, 32);
    struct bytes_writer v = bytes_writer(value, sizeof(value));
    put_text(&v, ALGORITHM);
    bytes_put_lp32(&v, sig, sizeof(sig));
    TRY(bytes_written(&k));
    TRY(bytes_written(&v));

    struct bytes_writer w = bytes_writer(out, cap);
    bytes_put(&w, MAGIC, MAGIC_LEN);
    bytes_put_u32(&w, 1);
    bytes_put_lp32(&w, key, k.len);
    put_text(&w, NAMESPACE);
    put_text(&w, "");
    put_text(&w, "sha512");
    bytes_put_lp32(&w, value, v.len);
    TRY(bytes_written(&w));
    *len = w.len;
    return RC_OK;
}

/* ---- armour ---------------------------------------------------------------- */

static const char *find(const char *text, size_t len, const char *what)
{
    return memmem(text, len, what, strlen(what));
}

enum rc policy_armour_open(uint8_t *out, size_t cap, size_t *len,
                           const char *text, size_t text_len, const char *begin,
                           const char *end)
{
    const char *from = find(text, text_len, begin);
    if (!from)
        return rc_raise(RC_PARSE, "no line %s", begin);
    from += strlen(begin);
    const char *to = find(from, text_len - (size_t)(from - text), end);
    if (!to)
        return rc_raise(RC_PARSE, "no line %s", end);
    size_t got = 0;
    const char *stop = NULL;
    if (sodium_base642bin(out, cap, from, (size_t)(to - from), "\r\n", &got,
                          &stop, sodium_base64_VARIANT_ORIGINAL) != 0 ||
        stop != to)
        return rc_raise(RC_PARSE, "after %s: not base64, or over %zu bytes",
                        begin, cap);
    *len = got;
    return RC_OK;
}

enum rc policy_sshsig_open(uint8_t out[POLICY_SSHSIG_MAX], size_t *len,
                           const char *in, size_t in_len)
{
    if (in_len >= MAGIC_LEN && memcmp(in, MAGIC, MAGIC_LEN) == 0) {
        if (in_len > POLICY_SSHSIG_MAX)
            return rc_raise(RC_TOO_LARGE, "SSHSIG: %zu bytes, at most %d",
                            in_len, POLICY_SSHSIG_MAX);
        memcpy(out, in, in_len);
        *len = in_len;
        return RC_OK;
    }
    return policy_armour_open(out, POLICY_SSHSIG_MAX, len, in, in_len,
                              "-----BEGIN SSH SIGNATURE-----",
                              "-----END SSH SIGNATURE-----");
}
