/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. */
#ifndef PAGE_INNER_H
#define PAGE_INNER_H

#include "page/page.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- files.c (made by the build) and what serves them ------------------- */

struct page_file {
    const char *name;
    const unsigned char *bytes;
    size_t len;
};
extern const struct page_file page_files[]; /* ends with name NULL */

/* ---- admit.c: who may ask at all ---------------------------------------- */

/*
 * Host as browsers send it, against the origin we are called by. Otherwise a
 * page elsewhere whose name was made to point here could read what we serve.
 */
MUST_CHECK enum rc page_host_check(const char *origin, const char *host);
/*
 * What a browser says of a POST: no other page's, and not one of the kinds
 * that need no question first.
 */
MUST_CHECK enum rc page_post_check(const char *host, const char *origin,
                                   const char *type);
/* 64 hex digits, and nothing behind them but `tail`. */
bool page_is_id(const char *text, const char *tail);

/* ---- quota.c: how often -------------------------------------------------- */

#define PAGE_QUOTA_PLACES 256
/* of one address, in the long run and at once */
#define PAGE_POST_PER_S   2
#define PAGE_POST_BURST   40
#define PAGE_ASK_PER_S    20
#define PAGE_ASK_BURST    200
struct page_place {
    uint8_t addr[16];
    int64_t at_ms;
    int64_t level; /* thousandths of a request */
    bool used;
};
struct page_quota {
    unsigned per_s;
    unsigned burst;
    struct page_place place[PAGE_QUOTA_PLACES];
};
/*
 * RC_NOMEM when this address asked too often. IPv6 is counted by /64. A full
 * table forgets whoever was quiet longest.
 */
MUST_CHECK enum rc page_quota_take(struct page_quota *q, const uint8_t addr[16],
                                   int64_t now_ms);

/* ---- page.c --------------------------------------------------------------- */

struct page {
    struct page_host host;
    char origin[PAGE_ORIGIN_MAX]; /* "": none */
    pthread_mutex_t lock;         /* quotas */
    struct page_quota posts;
    struct page_quota questions;
};

#endif
