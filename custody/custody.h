/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backups of shares (docs/CUSTODY.md): MSH1 kind 2, made inside a vault for
 * the custodians that its roster names, opened by one of them with the private
 * half of an X25519 key; and what custodians do with what they open: check it,
 * hand it to a live vault, or, when there is no service any more, put t of
 * them together. libsodium only; no I/O, no state.
 *
 * "secret" marks what the caller wipes. Whatever touches a secret runs in time
 * that does not depend on it.
 */
#ifndef CUSTODY_CUSTODY_H
#define CUSTODY_CUSTODY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/own.h"
#include "base/rc.h"
#include "frost/frost.h"

/* ---- a backup (backup.c) ------------------------------------------------ */

#define CUSTODY_MAX_CUSTODIANS 8
#define CUSTODY_HEADER_LEN     260
#define CUSTODY_WRAP_LEN       112 /* a custodian's key, its sealed box */
#define CUSTODY_BACKUP_MAX                                                     \
    (CUSTODY_HEADER_LEN + 48 + 2 + CUSTODY_MAX_CUSTODIANS * CUSTODY_WRAP_LEN)

/* What anyone may read of one. Public. */
struct custody_backup {
    uint8_t key[32]; /* H(group key) */
    uint64_t epoch;
    uint16_t node; /* whose share: its FROST identifier */
    uint16_t t, n;
    uint8_t identity[32]; /* H(the node's identity key) */
    uint8_t roster[32];   /* that named the custodians */
    uint8_t transcript[32];
    uint8_t group_key[32];
    uint8_t y[32]; /* share*B */
    uint64_t created_ms;
    unsigned n_custodians;
    uint8_t custodian[CUSTODY_MAX_CUSTODIANS][32]; /* ascending */
};

/* First 16 bytes of H("mpc/custodians/v1\0" || keys); header bytes 220. */
void custody_custodians_id(uint8_t out[16], const uint8_t (*keys)[32],
                           unsigned n);

/*
 * Seals the share to every custodian in b. Fails RC_ARG where there is none,
 * RC_POLICY where one of their keys is no usable X25519 key.
 *
 * out    [CUSTODY_BACKUP_MAX]
 * share  secret; share*B must be b->y
 */
MUST_CHECK enum rc custody_backup_make(uint8_t *out, size_t *len,
                                       const struct custody_backup *b,
                                       const struct frost_scalar *share);

/* RC_PARSE; says nothing about what the ciphertext holds. */
MUST_CHECK enum rc custody_backup_read(struct custody_backup *out,
                                       const uint8_t *p, size_t len);

/* A custodian's key pair; secret. */
struct custody_key {
    uint8_t secret[32];
    uint8_t public[32];
};
WIPED_TYPE(custody_key);

/*
 * Opens a backup: the share, checked against the Y of its header.
 *
 * share  out, secret
 * out    what it is of; may be NULL
 * Fails  RC_PARSE; RC_AUTH this custodian is not one of its; RC_STORE it was
 *        altered, or holds another share
 */
MUST_CHECK enum rc custody_backup_open(struct frost_scalar *share,
                                       struct custody_backup *out,
                                       const uint8_t *p, size_t len,
                                       const struct custody_key *key);

/* ---- a custodian's key (key.c) ------------------------------------------ */

void custody_key_make(struct custody_key *out);

#define CUSTODY_KEY_TEXT_MAX 320
/*
 * The key file: one line of text, secret unless there is a passphrase.
 *
 * text        out, NUL behind it; secret
 * passphrase  NULL: none; else Argon2id, in seconds and 256 MiB
 */
MUST_CHECK enum rc custody_key_write(char text[CUSTODY_KEY_TEXT_MAX],
                                     size_t *len, const struct custody_key *key,
                                     const char *passphrase, size_t pass_len);
/* Does this file ask for a passphrase? RC_PARSE. */
MUST_CHECK enum rc custody_key_locked(bool *locked, const char *text,
                                      size_t len);
/* RC_PARSE; RC_AUTH another passphrase, or it was altered. */
MUST_CHECK enum rc custody_key_read(struct custody_key *out, const char *text,
                                    size_t len, const char *passphrase,
                                    size_t pass_len);

/* ---- a share on its way to a live vault (parcel.c) ---------------------- */

#define CUSTODY_PARCEL_LEN (48 + 15 + CUSTODY_HEADER_LEN + 32)
/* The share out of a backup, for the vault that holds this box key alone. */
MUST_CHECK enum rc custody_parcel_make(uint8_t out[CUSTODY_PARCEL_LEN],
                                       const struct custody_backup *b,
                                       const struct frost_scalar *share,
                                       const uint8_t box[32]);
/*
 * In the vault. RC_VERIFY: not for us, or altered; RC_STORE: the share is not
 * that of its Y.
 */
MUST_CHECK enum rc custody_parcel_open(struct frost_scalar *share,
                                       struct custody_backup *out,
                                       const uint8_t p[CUSTODY_PARCEL_LEN],
                                       const uint8_t box[32],
                                       const uint8_t box_secret[32]);

/* ---- when there is no service any more (combine.c) ---------------------- */

/* One opened backup. */
struct custody_part {
    struct custody_backup of;
    struct frost_scalar share; /* secret */
};
/*
 * The whole key out of t parts of one epoch: the scalar a with a*B = the
 * group key. Nothing in a running service may call this.
 *
 * secret  out
 * Fails   RC_NODES fewer than t; RC_CONFLICT parts of different keys or
 *         epochs, or one of them twice; RC_VERIFY they do not make this key
 */
MUST_CHECK enum rc custody_combine(struct frost_scalar *secret,
                                   const struct custody_part *parts,
                                   unsigned n);
/* Ed25519 by the scalar; the nonce hashes fresh randomness, scalar, message. */
MUST_CHECK enum rc custody_sign(uint8_t sig[64],
                                const struct frost_scalar *secret,
                                const uint8_t group_key[32], const uint8_t *msg,
                                size_t len);

#endif
