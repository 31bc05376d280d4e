/* SPDX-License-Identifier: Apache-2.0 */
/* Shares at custodians: sealed in a vault, opened at home, boxed for a vault. */
#include "wire/codec.h"

/* clang-format off */
static const struct wire_row backup_rows[] = {
    U64(backup, node, WIRE_MAX_NODE_ID),
    U64(backup, epoch, WIRE_MAX_U64),
    BLOB(backup, sealed, WIRE_BACKUP_MAX),
    TEXT(backup, why, 1024),
    { 0 },
};
WIRE_CODEC(backup);

static const struct wire_row backups_rows[] = {
    STR(backups, name),
    STRUCTS(backups, backups, 0, WIRE_MAX_NODES, backup),
    NEST(backups, key, epoch_live),
    { 0 },
};
WIRE_CODEC(backups);

static const struct wire_row sealed_share_rows[] = {
    U64(sealed_share, node, WIRE_MAX_NODE_ID),
    U64(sealed_share, epoch, WIRE_MAX_U64),
    BLOB(sealed_share, sealed, WIRE_SEALED_MAX),
    { 0 },
};
WIRE_CODEC(sealed_share);

static const struct wire_row recover_rows[] = {
    NEST(recover, session, session),
    NEST(recover, key, epoch_live),
    BLOB(recover, parcel, WIRE_PARCEL_MAX),
    { 0 },
};
WIRE_CODEC(recover);

static const struct wire_row recovered_rows[] = {
    U64(recovered, node, WIRE_MAX_NODE_ID),
    U64(recovered, epoch, WIRE_MAX_U64),
    U64(recovered, at, WIRE_MAX_NODE_ID),
    { 0 },
};
WIRE_CODEC(recovered);
/* clang-format on */
