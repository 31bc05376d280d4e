/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backups of shares and shares that come back, docs/CUSTODY.md. Part of
 * wire/wire.h, which includes it last.
 */
#ifndef WIRE_CUSTODY_H
#define WIRE_CUSTODY_H

#include "wire/epoch.h"
#include "wire/wire.h"

#define WIRE_BACKUP_MAX 1206
#define WIRE_PARCEL_MAX 355
#define WIRE_SEALED_MAX 512
/*
 * Peer POST /v1/backup, a wire_session of type backup: that node's backup of
 * the session's key.
 */
struct wire_backup {
    uint64_t node;
    uint64_t epoch;          /* of the backup; 0: there is none */
    struct wire_blob sealed; /* MSH1 kind 2; empty where there is none */
    struct wire_text why;    /* there is none, or "" */
};
WIRE_MESSAGE(backup);
/* POST /v1/key/backup, the same: those of all its nodes. */
struct wire_backups {
    char name[WIRE_NAME_MAX];
    WIRE_LIST(struct wire_backup) backups; /* ascending by node */
    struct wire_epoch_live key; /* where it lives: what each share must be */
};
WIRE_MESSAGE(backups);
/* POST /v1/key/export, the same: this node's own sealed share. */
struct wire_sealed_share {
    uint64_t node;
    uint64_t epoch;
    struct wire_blob sealed; /* MSH1 kind 1 */
};
WIRE_MESSAGE(sealed_share);
/* POST /v1/key/recover: a share boxed for this node's vault. */
struct wire_recover {
    struct wire_session session; /* type recover */
    struct wire_epoch_live key;  /* the epoch that the share is of */
    struct wire_blob parcel;
};
WIRE_MESSAGE(recover);
struct wire_recovered {
    uint64_t node;  /* whose share it was */
    uint64_t epoch; /* of which */
    uint64_t at;    /* the node that holds it now */
};
WIRE_MESSAGE(recovered);

#endif
