/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A master key from a passphrase: Argon2id, libsodium's MODERATE, with a salt
 * that stands in the clear beside what it seals. In the helper only.
 */
#include "sidecar/master.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <sodium.h>

#include "base/file.h"
#include "base/own.h"
#include "base/rand.h"
#include "base/secret.h"

#define PHRASE_MAX 1024
#define SALT_LEN   crypto_pwhash_SALTBYTES

static enum rc salt_of(uint8_t salt[SALT_LEN], const char *state_dir)
{
    char path[512];
    OWNED_MEM uint8_t *have = NULL;
    size_t len;
    snprintf(path, sizeof(path), "%s/passphrase.salt", state_dir);
    enum rc rc = file_read(&have, &len, path, SALT_LEN);
    if (rc == RC_UNKNOWN) {
        TRY(rand_bytes(salt, SALT_LEN));
        return file_write(path, salt, SALT_LEN, 0600);
    }
    TRY(rc);
    if (len != SALT_LEN)
        return rc_raise(RC_STORE, "%s: %zu bytes, want %u", path, len,
                        SALT_LEN);
    memcpy(salt, have, SALT_LEN);
    return RC_OK;
}

/* One line, unseen. */
static enum rc type_it(uint8_t *out, size_t *len)
{
    static const char ask[] = "Passphrase of this node: ";
    struct termios was;
    OWNED_FD tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (tty < 0 || tcgetattr(tty, &was) != 0)
        return rc_raise(RC_ARG, "passphrase: no passphrase_file, and no "
                                "terminal to ask on");
    struct termios quiet = was;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    (void)tcsetattr(tty, TCSAFLUSH, &quiet);
    (void)!write(tty, ask, sizeof(ask) - 1);
    ssize_t n = read(tty, out, PHRASE_MAX);
    (void)!write(tty, "\n", 1);
    (void)tcsetattr(tty, TCSAFLUSH, &was);
    if (n > 0 && out[n - 1] == '\n')
        n--;
    if (n <= 0 || n == PHRASE_MAX)
        return rc_raise(RC_ARG, "passphrase: want 1 to %d bytes",
                        PHRASE_MAX - 1);
    *len = (size_t)n;
    return RC_OK;
}

enum rc master_passphrase(int fd, const struct master_config *c)
{
    uint8_t salt[SALT_LEN];
    size_t len = 0;
    WIPED_BYTES(phrase, PHRASE_MAX);
    WIPED_BYTES(key, 32);
    if (sodium_init() < 0)
        return rc_raise(RC_INTERNAL, "passphrase: libsodium does not start");
    TRY(salt_of(salt, c->state_dir));
    TRY(c->passphrase ? master_file(phrase, &len, PHRASE_MAX, "passphrase_file",
                                    c->passphrase)
                      : type_it(phrase, &len));
    if (crypto_pwhash(key, 32, (const char *)phrase, len, salt,
                      crypto_pwhash_OPSLIMIT_MODERATE,
                      crypto_pwhash_MEMLIMIT_MODERATE,
                      crypto_pwhash_ALG_ARGON2ID13) != 0)
        return rc_raise(RC_NOMEM, "passphrase: Argon2id wants %u MiB",
                        (unsigned)(crypto_pwhash_MEMLIMIT_MODERATE >> 20));
    return master_leave(fd, VAULT_PASSPHRASE, key);
}
