/* SPDX-License-Identifier: Apache-2.0 */
/* The pages: latest entries, one entry, a search, and the files they need. */
#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "base/own.h"
#include "transparency/page.h"

#define LATEST  25
#define RESULTS 50

extern const unsigned char log_page_css[];
extern const size_t log_page_css_len;
extern const unsigned char log_page_js[];
extern const size_t log_page_js_len;

static void own_html(struct html *h)
{
    html_free(h);
}
#define HTML(name)                                                             \
    __attribute__((cleanup(own_html))) struct html name = { .p = NULL }

static void row(struct html *h, struct log_public *p, uint64_t index)
{
    OWNED_MEM uint8_t *entry = NULL;
    size_t len;
    if (log_public_entry(p, &entry, &len, index) != RC_OK)
        return;
    html_raw(h, "<li><a href=\"/entry/%llu\"><span class=\"no\">%llu</span> ",
             (unsigned long long)index, (unsigned long long)index);
    page_summary(h, (char *)entry, len);
    html_raw(h, "</a></li>\n");
}

enum rc log_on_page(struct http_call *call, void *ctx)
{
    struct log_public *p = ctx;
    struct tlog_store_stats st;
    char note[TLOG_NOTE_MAX];
    char vkey[TLOG_VKEY_MAX];
    HTML(h);
    log_public_note(p, note, NULL);
    tlog_store_stats(p->store, &st);
    html_begin(&h, p, "Transparency log", "");
    html_raw(&h,
             "<h1>%llu entries</h1>\n<section><h2>Latest</h2>\n"
             "<ol class=\"entries\">\n",
             (unsigned long long)st.size);
    for (uint64_t i = 0; i < LATEST && i < st.size; i++)
        row(&h, p, st.size - 1 - i);
    html_raw(&h, "</ol>%s</section>\n<section><h2>Checkpoint</h2><pre>",
             st.size ? "" : "<p>Nothing yet.</p>");
    html_text(&h, note, strlen(note));
    html_raw(&h, "</pre><h2>Verifier key</h2><pre>");
    tlog_vkey_text(vkey, &p->vkey);
    html_text(&h, vkey, strlen(vkey));
    html_raw(&h, "</pre><p>Compare it with the key you were given. To "
                 "recompute the whole log: <code>mpcsign log fsck URL --vkey "
                 "KEY</code>.</p></section>\n");
    return html_reply(&h, call, 200);
}

static enum rc not_found(struct http_call *call, struct log_public *p,
                         const char *query, const char *why)
{
    HTML(h);
    html_begin(&h, p, "Not found", query);
    html_raw(&h, "<h1>Not found</h1><p>%s</p>", why);
    return html_reply(&h, call, 404);
}

enum rc log_on_page_entry(struct http_call *call, void *ctx)
{
    struct log_public *p = ctx;
    const char *rest = http_call_rest(call);
    uint64_t index;
    char title[64];
    HTML(h);
    OWNED_MEM struct tlog_proof *proof = malloc(sizeof(*proof));
    if (!proof)
        return rc_raise(RC_NOMEM, "page: out of memory");
    if (enc_undec(&index, rest, strlen(rest)) != RC_OK)
        return not_found(call, p, "", "An entry has a number.");
    enum rc rc = log_public_proof(p, proof, index);
    if (rc == RC_UNKNOWN)
        return not_found(call, p, "", "This log has no entry of that number.");
    TRY(rc);
    snprintf(title, sizeof(title), "Entry %llu", (unsigned long long)index);
    html_begin(&h, p, title, "");
    page_entry(&h, p, proof);
    return html_reply(&h, call, 200);
}

static void more(struct html *h, const char *query, uint64_t before)
{
    html_raw(h, "<p><a href=\"/search?q=");
    html_text(h, query, strlen(query));
    html_raw(h, "&amp;before=%llu\">Older ones</a></p>",
             (unsigned long long)before);
}

static void results(struct html *h, struct log_public *p, const char *query,
                    const uint8_t digest[32], uint64_t before)
{
    uint64_t at[RESULTS];
    uint64_t indexed;
    uint64_t index;
    struct tlog_hash leaf;
    memcpy(leaf.b, digest, 32);
    unsigned n = log_find_digest(p->find, at, RESULTS, digest, before,
                                 &indexed);
    html_raw(h, "<h1>Found</h1>\n");
    if (tlog_store_find(p->store, &index, &leaf) == RC_OK)
        html_raw(h,
                 "<p>It is the leaf hash of <a href=\"/entry/%llu\">entry "
                 "%llu</a>.</p>",
                 (unsigned long long)index, (unsigned long long)index);
    html_raw(h,
             "<p>%u%s of %llu entries hold it, newest first.</p>"
             "<ol class=\"entries\">\n",
             n, n == RESULTS ? " or more" : "", (unsigned long long)indexed);
    for (unsigned i = 0; i < n; i++)
        row(h, p, at[i]);
    html_raw(h, "</ol>");
    if (n == RESULTS)
        more(h, query, at[n - 1]);
}

enum rc log_on_page_search(struct http_call *call, void *ctx)
{
    struct log_public *p = ctx;
    const char *q = http_call_query(call, "q");
    const char *before_text = http_call_query(call, "before");
    uint64_t before = TLOG_NO_INDEX;
    uint64_t index;
    uint8_t digest[32];
    char to[40];
    HTML(h);
    if (!q)
        q = "";
    if (enc_undec(&index, q, strlen(q)) == RC_OK) {
        snprintf(to, sizeof(to), "/entry/%llu", (unsigned long long)index);
        TRY(http_reply_header(call, "Location", to));
        return http_reply(call, 303, "text/plain", "", 0);
    }
    if (strlen(q) > 64 || enc_unhex(digest, 32, q, strlen(q)) != RC_OK)
        return not_found(call, p, strlen(q) > 64 ? "" : q,
                         "A digest has 64 hex digits, in lower case.");
    if (!p->find)
        return not_found(call, p, q, "This log keeps no search index.");
    if (before_text &&
        enc_undec(&before, before_text, strlen(before_text)) != RC_OK)
        return not_found(call, p, q, "before is not a number.");
    html_begin(&h, p, "Search", q);
    results(&h, p, q, digest, before);
    return html_reply(&h, call, 200);
}

enum rc log_on_page_file(struct http_call *call, void *ctx)
{
    (void)ctx;
    const char *name = http_call_rest(call);
    bool css = strcmp(name, "page.css") == 0;
    if (!css && strcmp(name, "page.js") != 0)
        return rc_raise(RC_UNKNOWN, "no such file");
    TRY(http_reply_header(call, "Cache-Control", "no-cache"));
    TRY(http_reply_header(call, "X-Content-Type-Options", "nosniff"));
    return css ? http_reply(call, 200, "text/css; charset=utf-8", log_page_css,
                            log_page_css_len)
               : http_reply(call, 200, "text/javascript; charset=utf-8",
                            log_page_js, log_page_js_len);
}
