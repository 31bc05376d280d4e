/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SSH signatures over approval challenges: `ssh-keygen -Y sign`, verified with
 * libsodium alone. Ed25519 only, of a key file or agent (sshsig) or of a
 * security key (sshsig-sk), which also says that somebody touched it. Holds no
 * secret but the key policy_sshsig_make is lent.
 */
#include "policy/sshsig.h"

#include <string.h>

#include <sodium.h>

#include "base/bytes.h"
#include "base/enc.h"
#include "base/hash.h"
#include "policy/policy.h"

#define MAGIC        "SSHSIG"
#define MAGIC_LEN    6
#define NAMESPACE    "approve@mpcsign"
#define ALGORITHM    "ssh-ed25519"
#define ALGORITHM_SK "sk-ssh-ed25519@openssh.com"

static struct policy_part take(struct bytes_reader *r)
{
    struct policy_part out;
    out.p = bytes_take_lp32(r, &out.len);
    return out;
}

static bool is(struct policy_part p, const char *text)
{
    return p.p && p.len == strlen(text) && memcmp(p.p, text, p.len) == 0;
}

static void put_text(struct bytes_writer *w, const char *text)
{
    bytes_put_lp32(w, text, strlen(text));
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

/* ---- reading --------------------------------------------------------------- */

/*
 * string algorithm, string of 32 bytes; sk: string application. Leaves what
 * is no such key NULL.
 */
static void parse_key(struct policy_sshsig *out, struct policy_part in)
{
    struct bytes_reader r = bytes_reader(in.p, in.len);
    struct policy_part alg = take(&r), key = take(&r);
    out->sk = is(alg, ALGORITHM_SK);
    if (out->sk)
        out->application = take(&r);
    if (bytes_end(&r, "SSHSIG") == RC_OK && key.len == 32 &&
        (out->sk || is(alg, ALGORITHM)))
        out->key = key.p;
}

/* string algorithm, string of 64 bytes; sk: flags, counter. */
static void parse_signature(struct policy_sshsig *out, struct policy_part in)
{
    struct bytes_reader r = bytes_reader(in.p, in.len);
    struct policy_part alg = take(&r), sig = take(&r);
    if (out->sk) {
        out->flags = bytes_get_u8(&r);
        out->counter = bytes_get_u32(&r);
    }
    if (bytes_end(&r, "SSHSIG") == RC_OK && sig.len == 64 &&
        is(alg, out->sk ? ALGORITHM_SK : ALGORITHM))
        out->sig = sig.p;
}

static enum rc parse(struct policy_sshsig *out, const uint8_t *blob, size_t len)
{
    struct bytes_reader r = bytes_reader(blob, len);
    struct policy_part magic = { bytes_take(&r, MAGIC_LEN), MAGIC_LEN };
    uint32_t version = bytes_get_u32(&r);
    struct policy_part key = take(&r);
    out->space = take(&r);
    out->reserved = take(&r);
    out->hash = take(&r);
    struct policy_part sig = take(&r);
    TRY(bytes_end(&r, "SSHSIG"));
    if (!is(magic, MAGIC) || version != 1)
        return rc_raise(RC_PARSE, "SSHSIG: want magic SSHSIG, version 1");
    parse_key(out, key);
    parse_signature(out, sig);
    if (!out->key || !out->sig)
        return rc_raise(RC_PARSE, "SSHSIG: want a key and signature of "
                                  "ssh-ed25519 or sk-ssh-ed25519");
    return RC_OK;
}

enum rc policy_sshsig_parse(struct policy_sshsig *out, const uint8_t *blob,
                            size_t len)
{
    struct policy_sshsig s = { 0 };
    enum rc rc = parse(&s, blob, len);
    if (rc)
        return rc_prefix(rc, "approval_sshsig: ");
    *out = s;
    return RC_OK;
}

void policy_sshsig_credential(struct policy_credential *out,
                              const struct policy_sshsig *s)
{
    *out = (struct policy_credential){ 0 };
    snprintf(out->kind, sizeof(out->kind), "%s",
             s->sk ? POLICY_SSHSIG_SK : POLICY_SSHSIG);
    memcpy(out->key, s->key, 32);
    hash256(out->id, s->key, 32);
    if (s->sk && s->application.len < sizeof(out->application))
        memcpy(out->application, s->application.p, s->application.len);
    out->verify_required = s->sk && (s->flags & POLICY_SK_UV);
}

/* ---- checking -------------------------------------------------------------- */

static enum rc check_key(const struct policy_sshsig *s,
                         const struct policy_credential *c)
{
    if (s->sk != (strcmp(c->kind, POLICY_SSHSIG_SK) == 0) ||
        memcmp(s->key, c->key, 32) != 0)
        return rc_raise(RC_VERIFY, "approval_key: made by another key than the "
                                   "credential's");
    if (!s->sk)
        return RC_OK;
    if (!is(s->application, c->application))
        return rc_raise(RC_VERIFY, "approval_application: not the "
                                   "credential's");
    if (!(s->flags & POLICY_SK_UP))
        return rc_raise(RC_VERIFY, "approval_presence: nobody touched the "
                                   "security key");
    if (c->verify_required && !(s->flags & POLICY_SK_UV))
        return rc_raise(RC_VERIFY, "approval_verification: the security key "
                                   "did not verify its user");
    return RC_OK;
}

/* A security key signs H(application), flags, counter, H(what ssh signs). */
static size_t wrapped(uint8_t out[256], const struct policy_sshsig *s,
                      const uint8_t *message, size_t len)
{
    uint8_t hash[32];
    struct bytes_writer w = bytes_writer(out, 256);
    hash256(hash, s->application.p, s->application.len);
    bytes_put(&w, hash, sizeof(hash));
    bytes_put_u8(&w, s->flags);
    bytes_put_u32(&w, s->counter);
    hash256(hash, message, len);
    bytes_put(&w, hash, sizeof(hash));
    return w.len;
}

enum rc policy_sshsig_check(const struct policy_sshsig *s,
                            const uint8_t challenge[32],
                            const struct policy_credential *c)
{
    if (!is(s->space, NAMESPACE))
        return rc_raise(RC_VERIFY,
                        "approval_namespace: namespace is not " NAMESPACE);
    if (s->reserved.len)
        return rc_raise(RC_VERIFY, "approval_reserved: want it empty");
    TRY(check_key(s, c));
    const char *hash = is(s->hash, "sha512")   ? "sha512"
                       : is(s->hash, "sha256") ? "sha256"
                                               : NULL;
    if (!hash)
        return rc_raise(RC_VERIFY, "approval_hash: want sha512 or sha256");
    uint8_t message[256], sk_message[256];
    const uint8_t *m = message;
    size_t n = signed_bytes(message, challenge, hash);
    if (s->sk) {
        n = wrapped(sk_message, s, message, n);
        m = sk_message;
    }
    if (crypto_sign_ed25519_verify_detached(s->sig, m, n, c->key) != 0)
        return rc_raise(RC_VERIFY,
                        "approval_signature: does not sign this challenge "
                        "(session, decision, role and person)");
    return RC_OK;
}

/* ssh: and printable ASCII, as ssh-keygen -O application= makes it. */
static bool application_ok(struct policy_part a)
{
    static const char want[] = "ssh:";
    if (a.len < sizeof(want) - 1 || a.len >= POLICY_RP_ID_MAX ||
        memcmp(a.p, want, sizeof(want) - 1) != 0)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (a.p[i] <= ' ' || a.p[i] >= 0x7f)
            return false;
    return true;
}

enum rc policy_sshsig_register(struct policy_credential *out,
                               const uint8_t challenge[32], const char *sshsig,
                               size_t sshsig_len)
{
    uint8_t blob[POLICY_SSHSIG_MAX];
    size_t len = 0;
    struct policy_sshsig s;
    struct policy_credential c;
    TRY(policy_sshsig_open(blob, &len, sshsig, sshsig_len));
    TRY(policy_sshsig_parse(&s, blob, len));
    if (s.sk && !application_ok(s.application))
        return rc_raise(RC_PARSE,
                        "approval_application: want ssh: and printable ASCII, "
                        "at most %d bytes",
                        POLICY_RP_ID_MAX - 1);
    policy_sshsig_credential(&c, &s);
    TRY(policy_sshsig_check(&s, challenge, &c));
    *out = c;
    return RC_OK;
}

/* ---- making ---------------------------------------------------------------- */

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
