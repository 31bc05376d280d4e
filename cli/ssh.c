/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing an approval with an SSH key. A plain Ed25519 file is read here, used
 * once and wiped. Everything else goes to ssh-keygen: it speaks to agents of
 * every kind, asks passphrases at the terminal, and waits for the touch of a
 * security key, and what it does wrong, people know from elsewhere.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/enc.h"
#include "base/file.h"
#include "cli/session.h"

#define KEY_FILE_MAX 16384
#define KEYGEN_MS    120000 /* of thinking of a passphrase */
#define SPACE        "approve@mpcsign"

/* ---- public keys -------------------------------------------------------- */

static bool is_text(const uint8_t *p, size_t len, const char *text)
{
    return p && len == strlen(text) && memcmp(p, text, len) == 0;
}

/* string type, string key[, string application] */
static enum rc public_blob(uint8_t key[32], const uint8_t *blob, size_t len)
{
    struct bytes_reader r = bytes_reader(blob, len);
    size_t type_len;
    size_t key_len;
    const uint8_t *type = bytes_take_lp32(&r, &type_len);
    const uint8_t *pk = bytes_take_lp32(&r, &key_len);
    if ((!is_text(type, type_len, "ssh-ed25519") &&
         !is_text(type, type_len, "sk-ssh-ed25519@openssh.com")) ||
        !pk || key_len != 32)
        return rc_raise(RC_PARSE, "SSH key: want Ed25519, plain or of a "
                                  "security key");
    memcpy(key, pk, 32);
    return RC_OK;
}

enum rc ssh_public_line(uint8_t key[32], const char *line, size_t len)
{
    uint8_t blob[512];
    size_t n;
    const char *b64 = memchr(line, ' ', len);
    if (!b64)
        return rc_raise(RC_PARSE, "SSH key: want a line \"ssh-ed25519 AAAA…\"");
    b64++;
    len -= (size_t)(b64 - line);
    const char *end = memchr(b64, ' ', len);
    if (!end)
        end = memchr(b64, '\n', len);
    size_t b64_len = end ? (size_t)(end - b64) : len;
    if (enc_unb64(blob, sizeof(blob), &n, b64, b64_len) != RC_OK)
        return rc_raise(RC_PARSE, "SSH key: its base64 does not decode");
    return public_blob(key, blob, n);
}

static bool is_public(const char *text, size_t len)
{
    return (len > 4 && memcmp(text, "ssh-", 4) == 0) ||
           (len > 3 && memcmp(text, "sk-", 3) == 0);
}

static enum rc read_private(uint8_t sk[64], const char *file)
{
    OWNED_MEM uint8_t *pem = NULL;
    size_t len;
    TRY(file_read(&pem, &len, file, KEY_FILE_MAX));
    enum rc rc = policy_ssh_key_read(sk, (const char *)pem, len);
    sodium_memzero(pem, len);
    return rc == RC_OK ? RC_OK : rc_prefix(rc, "%s: ", file);
}

static enum rc read_public(uint8_t key[32], const char *file)
{
    OWNED_MEM uint8_t *text = NULL;
    size_t len;
    TRY(file_read(&text, &len, file, KEY_FILE_MAX));
    bool public = is_public((const char *)text, len);
    enum rc rc = public ? ssh_public_line(key, (const char *)text, len)
                        : RC_UNKNOWN;
    sodium_memzero(text, len); /* may be a private one */
    return rc;
}

enum rc ssh_public(uint8_t key[32], const char *file)
{
    char beside[CLI_PATH];
    WIPED_BYTES(sk, 64);
    enum rc rc = read_public(key, file);
    if (rc == RC_OK)
        return rc;
    if (read_private(sk, file) == RC_OK) {
        memcpy(key, sk + 32, 32);
        return RC_OK;
    }
    if (snprintf(beside, sizeof(beside), "%s.pub", file) < CLI_PATH &&
        read_public(key, beside) == RC_OK)
        return RC_OK;
    return read_private(sk, file); /* for its words */
}

const struct policy_person *ssh_owner(const struct policy *p,
                                      const uint8_t key[32])
{
    for (unsigned i = 0; i < p->n_persons; i++)
        for (unsigned k = 0; k < p->person[i].n_credentials; k++) {
            const struct policy_credential *c = &p->person[i].credential[k];
            if (strncmp(c->kind, POLICY_SSHSIG, 6) == 0 && !c->revoked &&
                memcmp(c->key, key, 32) == 0)
                return &p->person[i];
        }
    return NULL;
}

/* ---- signing ------------------------------------------------------------ */

static enum rc by_ourselves(char *out, size_t *len, uint8_t key[32],
                            const uint8_t sk[64], const uint8_t challenge[32])
{
    memcpy(key, sk + 32, 32);
    return policy_sshsig_make((uint8_t *)out, SSH_SIG_MAX, len, challenge, sk);
}

static enum rc by_keygen(char *out, size_t *len, uint8_t key[32],
                         const char *file, const uint8_t challenge[32])
{
    char text[ENC_B64_SIZE(32)];
    const char *const argv[] = { "ssh-keygen", "-q", "-Y",  "sign", "-f",
                                 file,         "-n", SPACE, NULL };
    int status;
    TRY(ssh_public(key, file));
    enc_b64u(text, challenge, 32);
    enum rc rc = cli_child_with(out, SSH_SIG_MAX, &status, argv[0], argv, text,
                                strlen(text), KEYGEN_MS);
    if (rc == RC_UNKNOWN)
        rc_hint("keys of an agent and keys with a passphrase need OpenSSH's "
                "ssh-keygen");
    TRY(rc);
    *len = strlen(out);
    if (status == 0 && *len)
        return RC_OK;
    rc = rc_raise(RC_AUTH, "%s: ssh-keygen does not sign with it", file);
    rc_hint("its own words are above; for a key of the agent, ssh-add -L "
            "lists them");
    return rc;
}

enum rc ssh_sign(char out[SSH_SIG_MAX], size_t *len, uint8_t key[32],
                 const char *file, const uint8_t challenge[32])
{
    WIPED_BYTES(sk, 64);
    struct stat st;
    if (stat(file, &st) != 0)
        return rc_raise(errno == ENOENT ? RC_UNKNOWN : RC_IO, "%s: %s", file,
                        strerror(errno));
    if (read_private(sk, file) == RC_OK)
        return by_ourselves(out, len, key, sk, challenge);
    return by_keygen(out, len, key, file, challenge);
}
