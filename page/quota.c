/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bucket of requests for each address. The table has a fixed size: when it is
 * full the place that was quiet longest is given away, so whoever has many
 * addresses gains time from others' silence only.
 */
#include "page/inner.h"

#include <string.h>

static bool is_mapped(const uint8_t addr[16])
{
    static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };
    return memcmp(addr, prefix, 12) == 0;
}

static struct page_place *place_of(struct page_quota *q, const uint8_t addr[16],
                                   int64_t now_ms)
{
    struct page_place *oldest = &q->place[0];
    for (unsigned i = 0; i < PAGE_QUOTA_PLACES; i++) {
        struct page_place *p = &q->place[i];
        if (p->used && memcmp(p->addr, addr, 16) == 0)
            return p;
        if (oldest->used && (!p->used || p->at_ms < oldest->at_ms))
            oldest = p;
    }
    *oldest = (struct page_place){ .at_ms = now_ms,
                                   .level = (int64_t)q->burst * 1000,
                                   .used = true };
    memcpy(oldest->addr, addr, 16);
    return oldest;
}

enum rc page_quota_take(struct page_quota *q, const uint8_t addr[16],
                        int64_t now_ms)
{
    const int64_t full = (int64_t)q->burst * 1000;
    uint8_t key[16];
    memcpy(key, addr, 16);
    if (!is_mapped(key))
        memset(key + 8, 0, 8);
    struct page_place *p = place_of(q, key, now_ms);
    int64_t passed = now_ms - p->at_ms;
    if (passed > full / q->per_s)
        passed = full / q->per_s; /* no overflow after a long night */
    if (passed > 0) {
        p->level += passed * q->per_s;
        p->at_ms = now_ms;
    }
    if (p->level > full)
        p->level = full;
    if (p->level < 1000) {
        enum rc rc = rc_raise(RC_NOMEM,
                              "too many requests from your address: at most "
                              "%u a second",
                              q->per_s);
        rc_hint("wait some seconds and try again");
        return rc;
    }
    p->level -= 1000;
    return RC_OK;
}
