/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the room: one record of the entries file, which is one commit.
 *
 *     magic[4] first u64 count u32 bytes u32 sum[12] payload[bytes]
 *
 * first is the index of its first entry; payload is count times u16be length
 * and entry, as in an entry bundle; sum is the start of SHA-256 over first,
 * count, bytes and payload. A record stands for itself: it cannot be taken
 * for one of another place in the log.
 */
#ifndef TRANSPARENCY_BATCH_H
#define TRANSPARENCY_BATCH_H

#include "transparency/transparency.h"

#define BATCH_HEAD        32
#define BATCH_ENTRIES_MAX 1024
#define BATCH_BYTES_MAX   (BATCH_ENTRIES_MAX * (2 + TLOG_ENTRY_MAX))
#define BATCH_MAX         (BATCH_HEAD + BATCH_BYTES_MAX)

struct tlog_batch {
    uint8_t *buf; /* BATCH_MAX bytes */
    size_t len;   /* with the head */
    uint64_t first;
    uint32_t count;
};
void tlog_batch_start(struct tlog_batch *b, uint64_t first);
/* Where in the record its length stands; there is room, the caller counts. */
size_t tlog_batch_add(struct tlog_batch *b, const void *entry, size_t len);
/* Writes the head. */
void tlog_batch_seal(struct tlog_batch *b);
/*
 * Is there a whole record at p? *len is its size. RC_UNKNOWN: no, it is cut
 * off or damaged.
 */
MUST_CHECK enum rc tlog_batch_check(uint64_t *first, uint32_t *count,
                                    size_t *len, const uint8_t *p, size_t left);
/* Does a whole record begin anywhere in there? *first is its first entry. */
bool tlog_batch_find(uint64_t *first, const uint8_t *p, size_t len);

#endif
