/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads an unencrypted OpenSSH Ed25519 private key (PROTOCOL.key), for
 * approving from a file in development. Every buffer here is secret and wiped.
 */
#include "policy/sshsig.h"

#include <string.h>

#include "base/bytes.h"
#include "base/own.h"
#include "policy/policy.h"

#define KEY_FILE_MAX 4096

static enum rc want(struct bytes_reader *r, const char *text, const char *what)
{
    size_t len = 0;
    const uint8_t *p = bytes_take_lp32(r, &len);
    if (!p || len != strlen(text) || memcmp(p, text, len) != 0)
        return rc_raise(RC_PARSE, "OpenSSH key: %s is not %s", what,
                        *text ? text : "empty");
    return RC_OK;
}

/* Padding is 1, 2, 3 … up to the cipher's block of 8. */
static enum rc want_padding(struct bytes_reader *r)
{
    for (uint8_t i = 1; r->left; i++)
        if (i > 8 || bytes_get_u8(r) != i)
            return rc_raise(RC_PARSE, "OpenSSH key: wrong padding");
    return bytes_end(r, "OpenSSH key");
}

static enum rc read_private(uint8_t sk[64], const uint8_t *p, size_t len)
{
    struct bytes_reader r = bytes_reader(p, len);
    uint32_t check = bytes_get_u32(&r);
    if (bytes_get_u32(&r) != check)
        return rc_raise(RC_PARSE, "OpenSSH key: check numbers differ");
    TRY(want(&r, "ssh-ed25519", "key type"));
    size_t pk_len, sk_len, comment_len;
    const uint8_t *pk = bytes_take_lp32(&r, &pk_len);
    const uint8_t *both = bytes_take_lp32(&r, &sk_len);
    if (pk_len != 32 || sk_len != 64)
        return rc_raise(RC_PARSE, "OpenSSH key: want 32 and 64 bytes of key");
    if (!bytes_take_lp32(&r, &comment_len))
        return rc_raise(RC_PARSE, "OpenSSH key: too short");
    TRY(want_padding(&r));

    WIPED_BYTES(made, 64);
    uint8_t made_pk[32];
    if (crypto_sign_ed25519_seed_keypair(made_pk, made, both) != 0 ||
        sodium_memcmp(made, both, 64) != 0 || memcmp(made_pk, pk, 32) != 0)
        return rc_raise(RC_PARSE, "OpenSSH key: halves do not belong together");
    memcpy(sk, made, 64);
    return RC_OK;
}

static enum rc read_file(uint8_t sk[64], const uint8_t *p, size_t len)
{
    static const char magic[] = "openssh-key-v1"; /* with its NUL */
    struct bytes_reader r = bytes_reader(p, len);
    const uint8_t *m = bytes_take(&r, sizeof(magic));
    if (!m || memcmp(m, magic, sizeof(magic)) != 0)
        return rc_raise(RC_PARSE, "OpenSSH key: not openssh-key-v1");
    enum rc rc = want(&r, "none", "cipher");
    if (rc) {
        rc_hint("a key with a passphrase signs through ssh-agent: ssh-keygen "
                "-Y sign");
        return rc;
    }
    TRY(want(&r, "none", "kdf"));
    TRY(want(&r, "", "kdf options"));
    if (bytes_get_u32(&r) != 1)
        return rc_raise(RC_PARSE, "OpenSSH key: want one key in the file");
    size_t pub_len, priv_len;
    bytes_take_lp32(&r, &pub_len); /* the private part has it again */
    const uint8_t *priv = bytes_take_lp32(&r, &priv_len);
    TRY(bytes_end(&r, "OpenSSH key"));
    return read_private(sk, priv, priv_len);
}

enum rc policy_ssh_key_read(uint8_t sk[64], const char *pem, size_t len)
{
    WIPED_BYTES(raw, KEY_FILE_MAX);
    size_t n = 0;
    TRY(policy_armour_open(raw, KEY_FILE_MAX, &n, pem, len,
                           "-----BEGIN OPENSSH PRIVATE KEY-----",
                           "-----END OPENSSH PRIVATE KEY-----"));
    return read_file(sk, raw, n);
}
