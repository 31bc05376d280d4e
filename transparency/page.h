/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the program: pages for people, made here and readable without
 * JavaScript. What comes from entries is text until it was escaped.
 */
#ifndef TRANSPARENCY_PAGE_H
#define TRANSPARENCY_PAGE_H

#include "base/rc.h"
#include "transparency/public.h"

struct html {
    char *p; /* heap */
    size_t len;
    size_t cap;
    bool failed;
};
void html_free(struct html *h);
/* Markup of ours, printf style; numbers and hex only as arguments. */
void html_raw(struct html *h, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Somebody's text, escaped. */
void html_text(struct html *h, const char *text, size_t len);
/* <head>, the header with the search form. title: of ours. */
void html_begin(struct html *h, const struct log_public *p, const char *title,
                const char *query);
/* The end; answers with status and the headers all pages have. */
MUST_CHECK enum rc html_reply(struct html *h, struct http_call *call,
                              int status);
/* A digest as a link that searches for it. */
void html_digest(struct html *h, const char *hex, size_t len);

/* One line about an entry: its type and what it is about. */
void page_summary(struct html *h, const char *entry, size_t len);
/* The whole of an entry and its proof. */
void page_entry(struct html *h, struct log_public *p,
                const struct tlog_proof *proof);

#endif
