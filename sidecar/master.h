/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Master keys from outside the guest (docs/SEALING.md): a token's by PKCS#11,
 * a passphrase. A helper process asks for them and leaves them in a pipe that
 * the vault reads; it has ended before this process opens a socket, and this
 * process never reads the pipe.
 */
#ifndef SIDECAR_MASTER_H
#define SIDECAR_MASTER_H

#include "vault/vault.h"

/* As the configuration has it; NULL where it says nothing. */
struct master_config {
    const char *module;     /* pkcs11_module: a shared object */
    const char *token;      /* pkcs11_token: its label */
    const char *keys;       /* pkcs11_key: labels; the first seals */
    const char *pin_file;   /* pkcs11_pin_file */
    const char *passphrase; /* passphrase_file; none: asked on the terminal */
    const char *state_dir;
    bool simulated; /* this node's hardware */
    uint8_t cluster[32];
    uint16_t node;
};

/*
 * Runs the helper for those of the list that need one, and waits for its end.
 * *fd is the pipe to vault_config.master_fd, the caller's to close; -1 when
 * none of them does. No thread may run yet.
 *
 * Fails  RC_ARG a setting is missing, or a passphrase on real hardware; RC_AUTH the PIN; RC_STORE the key is
 *        gone, or what it wrapped is damaged; RC_TIMEOUT
 */
MUST_CHECK enum rc master_run(int *fd, const enum vault_master *list,
                              unsigned n, const struct master_config *c);

/* ---- inside the helper --------------------------------------------------- */

/* One record onto the pipe. Secret. */
MUST_CHECK enum rc master_leave(int fd, enum vault_master m,
                                const uint8_t key[32]);
MUST_CHECK enum rc master_pkcs11(int fd, const struct master_config *c);
MUST_CHECK enum rc master_passphrase(int fd, const struct master_config *c);
/*
 * What stands in a small file, without the newline at its end. Secret.
 *
 * out  [cap]; *len at least 1
 */
MUST_CHECK enum rc master_file(uint8_t *out, size_t *len, size_t cap,
                               const char *what, const char *path);

#endif
