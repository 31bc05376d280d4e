/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the room: the entries files. One long file in thought, cut into
 * segments on disk: byte `at` of the log stands in segment at / SEGMENT_BYTES.
 * A record never lies across two, so the rest of a finished segment is zeros,
 * and a finished segment never changes again.
 *
 * Each segment begins with one line that says whose entries follow, which
 * segment it is and the index of its first entry. Space ahead of the records
 * is written with zeros: syncing a record then moves no file length.
 */
#ifndef TRANSPARENCY_SEGMENT_H
#define TRANSPARENCY_SEGMENT_H

#include "transparency/batch.h"

#define SEGMENT_BYTES    (UINT64_C(64) << 20)
#define SEGMENT_AHEAD    (UINT64_C(1) << 20) /* zeros written at a time */
#define SEGMENT_HEAD_MAX (TLOG_VKEY_MAX + 80)
#define SEGMENT_NAME_MAX 32

struct tlog_segments {
    int dir_fd; /* borrowed */
    const struct tlog_vkey *log;
    int fd;          /* the newest, which is written */
    uint64_t number; /* of that */
    uint64_t zeroed; /* up to where in the log it is written with something */
};

void tlog_segment_name(char out[SEGMENT_NAME_MAX], uint64_t number);
/* The line at its start; returns its length. */
size_t tlog_segment_head(char out[SEGMENT_HEAD_MAX],
                         const struct tlog_vkey *log, uint64_t number,
                         uint64_t first);
/* Would a record of len, begun at `at`, end within its segment? */
bool tlog_segment_fits(uint64_t at, size_t len);
/*
 * Begins segment `number`, made durable with its name. *at: where its first
 * record goes.
 */
MUST_CHECK enum rc tlog_segment_begin(struct tlog_segments *g, uint64_t *at,
                                      uint64_t number, uint64_t first);
/* One record into the newest segment; not synced. RC_STORE. */
MUST_CHECK enum rc tlog_segment_write(struct tlog_segments *g, const void *p,
                                      size_t len, uint64_t at);
/* What is synced never changes: any thread. RC_STORE. */
MUST_CHECK enum rc tlog_segment_read(const struct tlog_segments *g,
                                     uint8_t *out, size_t len, uint64_t at);
/* pwrite until all is written. RC_STORE. */
MUST_CHECK enum rc tlog_write_at(int fd, const void *p, size_t len,
                                 uint64_t at);
/* pread up to len bytes; fewer only at the end of the file. RC_STORE. */
MUST_CHECK enum rc tlog_read_at(int fd, uint8_t *out, size_t len, uint64_t at,
                                size_t *got);

#endif
