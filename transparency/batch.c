/* SPDX-License-Identifier: Apache-2.0 */
/* Records of the entries file, made and checked; see batch.h. */
#include "transparency/batch.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "transparency/sha.h"

/* not ASCII, so no entry can hold it */
static const uint8_t magic[4] = { 0xf5, 'm', 'l', 0x01 };
#define SUM_AT  20
#define SUM_LEN 12

void tlog_batch_start(struct tlog_batch *b, uint64_t first)
{
    b->len = BATCH_HEAD;
    b->first = first;
    b->count = 0;
}

size_t tlog_batch_add(struct tlog_batch *b, const void *entry, size_t len)
{
    size_t at = b->len;
    struct bytes_writer w = bytes_writer(b->buf + at, BATCH_MAX - at);
    bytes_put_lp16(&w, entry, len);
    assert(!w.failed);
    b->len += w.len;
    b->count++;
    return at;
}

static void sum(uint8_t out[SUM_LEN], const uint8_t *record, size_t bytes)
{
    uint8_t h[32];
    const struct hash_part parts[] = {
        { record + sizeof(magic), SUM_AT - sizeof(magic) },
        { record + BATCH_HEAD, bytes },
    };
    tlog_sha256(h, parts, 2);
    memcpy(out, h, SUM_LEN);
}

void tlog_batch_seal(struct tlog_batch *b)
{
    struct bytes_writer w = bytes_writer(b->buf, BATCH_HEAD);
    bytes_put(&w, magic, sizeof(magic));
    bytes_put_u64(&w, b->first);
    bytes_put_u32(&w, b->count);
    bytes_put_u32(&w, (uint32_t)(b->len - BATCH_HEAD));
    sum(b->buf + SUM_AT, b->buf, b->len - BATCH_HEAD);
}

enum rc tlog_batch_check(uint64_t *first, uint32_t *count, size_t *len,
                         const uint8_t *p, size_t left)
{
    struct bytes_reader r = bytes_reader(p, left);
    const uint8_t *m = bytes_take(&r, sizeof(magic));
    uint64_t at = bytes_get_u64(&r);
    uint32_t n = bytes_get_u32(&r);
    uint32_t bytes = bytes_get_u32(&r);
    const uint8_t *want = bytes_take(&r, SUM_LEN);
    uint8_t got[SUM_LEN];
    if (!m || memcmp(m, magic, sizeof(magic)) != 0 || !want || n == 0 ||
        n > BATCH_ENTRIES_MAX || bytes > BATCH_BYTES_MAX || r.left < bytes)
        return rc_raise(RC_UNKNOWN, "no whole record");
    sum(got, p, bytes);
    if (memcmp(got, want, SUM_LEN) != 0)
        return rc_raise(RC_UNKNOWN, "record does not match its sum");
    *first = at;
    *count = n;
    *len = BATCH_HEAD + (size_t)bytes;
    return RC_OK;
}

bool tlog_batch_find(uint64_t *first, const uint8_t *p, size_t len)
{
    const uint8_t *at = p;
    uint32_t count;
    size_t record;
    while ((at = memmem(at, len - (size_t)(at - p), magic, sizeof(magic)))) {
        if (tlog_batch_check(first, &count, &record, at,
                             len - (size_t)(at - p)) == RC_OK)
            return true;
        at++;
    }
    return false;
}
