/* SPDX-License-Identifier: Apache-2.0 */
/* HTML written into a buffer, and what every page begins and ends with. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transparency/page.h"

#define HTML_MAX (1u << 20)
/* nothing from elsewhere, nothing inline, nobody's frame */
#define CSP                                                                    \
    "default-src 'none'; script-src 'self'; style-src 'self'; "                \
    "connect-src 'self'; form-action 'self'; base-uri 'none'; "                \
    "frame-ancestors 'none'"

void html_free(struct html *h)
{
    free(h->p);
}

static bool room(struct html *h, size_t more)
{
    if (h->failed || h->len + more + 1 > HTML_MAX) {
        h->failed = true;
        return false;
    }
    if (h->len + more + 1 <= h->cap)
        return true;
    size_t cap = h->cap ? h->cap : 16384;
    while (cap < h->len + more + 1)
        cap *= 2;
    char *p = realloc(h->p, cap);
    if (!p) {
        h->failed = true;
        return false;
    }
    h->p = p;
    h->cap = cap;
    return true;
}

static void put(struct html *h, const char *text, size_t len)
{
    if (!room(h, len))
        return;
    memcpy(h->p + h->len, text, len);
    h->len += len;
}

void html_raw(struct html *h, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !room(h, (size_t)n))
        return;
    va_start(ap, fmt);
    vsnprintf(h->p + h->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    h->len += (size_t)n;
}

void html_text(struct html *h, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        switch (text[i]) {
        case '&':
            put(h, "&amp;", 5);
            break;
        case '<':
            put(h, "&lt;", 4);
            break;
        case '>':
            put(h, "&gt;", 4);
            break;
        case '"':
            put(h, "&quot;", 6);
            break;
        case '\'':
            put(h, "&#39;", 5);
            break;
        default:
            put(h, text + i, 1);
        }
    }
}

void html_digest(struct html *h, const char *hex, size_t len)
{
    html_raw(h, "<a class=\"hash\" href=\"/search?q=");
    html_text(h, hex, len);
    html_raw(h, "\">");
    html_text(h, hex, len);
    html_raw(h, "</a>");
}

void html_begin(struct html *h, const struct log_public *p, const char *title,
                const char *query)
{
    html_raw(h,
             "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
             "<meta name=\"viewport\" content=\"width=device-width, "
             "initial-scale=1\"><title>%s</title>"
             "<link rel=\"stylesheet\" href=\"/page/page.css\">"
             "<script src=\"/page/page.js\" defer></script></head><body>\n"
             "<header><a class=\"home\" href=\"/\">",
             title);
    html_text(h, p->vkey.name, strlen(p->vkey.name));
    html_raw(h, "</a><span class=\"sub\">transparency log</span>");
    if (p->simulated)
        html_raw(h, "<span class=\"warn\">simulated hardware</span>");
    html_raw(h, "</header>\n<form class=\"find\" action=\"/search\" "
                "method=\"get\" role=\"search\"><label for=\"q\">Find a digest "
                "or an entry</label><div class=\"row\"><input id=\"q\" "
                "name=\"q\" spellcheck=\"false\" autocomplete=\"off\" "
                "maxlength=\"64\" placeholder=\"64 hex digits or a "
                "number\" value=\"");
    html_text(h, query, strlen(query));
    html_raw(h,
             "\"><button>Search</button></div>"
             "<p class=\"hint\">Digest of a group key, session, signature, "
             "certificate, commitment or policy file.</p>"
             "<details class=\"js\" hidden><summary>Find by file</summary>"
             "<p class=\"hint\">Artifacts stand in the log only as salted "
             "commitments: choose an artifact together with its bundle, and "
             "this browser computes what to look for. A bundle, a signature or "
             "a certificate alone will do, too. Files stay here.</p>"
             "<p><input type=\"file\" id=\"files\" multiple "
             "aria-label=\"Files to find\"> <span id=\"filesays\" "
             "role=\"status\"></span></p></details></form>\n<main>\n");
}

enum rc html_reply(struct html *h, struct http_call *call, int status)
{
    html_raw(h, "</main>\n<footer><a href=\"/\">latest</a> <a "
                "href=\"/checkpoint\">checkpoint</a> <a "
                "href=\"/metrics\">metrics</a> <span>Reading gives no "
                "authority: verify with keys you hold.</span></footer>"
                "</body></html>\n");
    if (h->failed)
        return rc_raise(RC_NOMEM, "page: out of memory");
    TRY(http_reply_header(call, "Content-Security-Policy", CSP));
    TRY(http_reply_header(call, "X-Content-Type-Options", "nosniff"));
    TRY(http_reply_header(call, "Referrer-Policy", "no-referrer"));
    TRY(http_reply_header(call, "Cache-Control", "no-cache"));
    return http_reply(call, status, "text/html; charset=utf-8", h->p, h->len);
}
