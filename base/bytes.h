/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Binary layouts: a bounded writer and a bounded reader with a sticky error,
 * so a layout reads as a list of fields and is checked once, at its end.
 * Integers are big-endian. Neither owns its memory.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"

struct bytes_writer {
    uint8_t *buf;
    size_t cap;
    size_t len; /* bytes written so far */
    bool failed;
};

struct bytes_reader {
    const uint8_t *p;
    size_t left;
    bool failed;
};

struct bytes_writer bytes_writer(void *buf, size_t cap);
void bytes_put(struct bytes_writer *w, const void *src, size_t len);
void bytes_put_u8(struct bytes_writer *w, uint8_t v);
void bytes_put_u16(struct bytes_writer *w, uint16_t v);
void bytes_put_u32(struct bytes_writer *w, uint32_t v);
void bytes_put_u64(struct bytes_writer *w, uint64_t v);
/* u16be length, then the bytes; over 65535 fails. */
void bytes_put_lp16(struct bytes_writer *w, const void *src, size_t len);
/* u32be length, then the bytes. */
void bytes_put_lp32(struct bytes_writer *w, const void *src, size_t len);
/* A domain tag: the string and its NUL, as FORMATS writes "…\0". */
void bytes_put_tag(struct bytes_writer *w, const char *tag);
/* RC_NOMEM when anything did not fit. */
MUST_CHECK enum rc bytes_written(const struct bytes_writer *w);

struct bytes_reader bytes_reader(const void *buf, size_t len);
/* Copies len bytes, or zeroes dst and fails. */
void bytes_get(struct bytes_reader *r, void *dst, size_t len);
uint8_t bytes_get_u8(struct bytes_reader *r);
uint16_t bytes_get_u16(struct bytes_reader *r);
uint32_t bytes_get_u32(struct bytes_reader *r);
uint64_t bytes_get_u64(struct bytes_reader *r);
/* Borrows len bytes of the input; NULL when fewer are left. */
const uint8_t *bytes_take(struct bytes_reader *r, size_t len);
/* Length-prefixed, borrowed; *len is 0 on failure. */
const uint8_t *bytes_take_lp16(struct bytes_reader *r, size_t *len);
const uint8_t *bytes_take_lp32(struct bytes_reader *r, size_t *len);
/* RC_PARSE when the input was too short or bytes are left over. */
MUST_CHECK enum rc bytes_end(const struct bytes_reader *r, const char *what);

#endif
