/* SPDX-License-Identifier: Apache-2.0 */
/* The public port as a C2SP client sees it, over a socket. */
#include "test.h"

#include <pthread.h>

#include "base/enc.h"
#include "servelog.h"
#include "transparency/watch.h"

OWNED_STRUCT(http_client);

struct tally {
    pthread_mutex_t mu;
    pthread_cond_t wake;
    uint64_t done;
};

static void count_one(enum rc rc, const struct tlog_proof *proof, void *arg)
{
    struct tally *t = arg;
    (void)proof;
    pthread_mutex_lock(&t->mu);
    t->done += rc == RC_OK;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->mu);
}

static void add_from_to(struct tlog_store *s, uint64_t from, uint64_t to)
{
    struct tally t = { .mu = PTHREAD_MUTEX_INITIALIZER,
                       .wake = PTHREAD_COND_INITIALIZER };
    for (uint64_t i = from; i < to; i++) {
        char entry[64];
        size_t len = logdir_entry(entry, i);
        assert_ok(tlog_store_append_async(s, entry, len, count_one, &t));
        pthread_mutex_lock(&t.mu);
        while (i + 1 - from - t.done > 2000)
            pthread_cond_wait(&t.wake, &t.mu);
        pthread_mutex_unlock(&t.mu);
    }
    pthread_mutex_lock(&t.mu);
    while (t.done < to - from)
        pthread_cond_wait(&t.wake, &t.mu);
    pthread_mutex_unlock(&t.mu);
}

static enum rc fetch(uint8_t **out, size_t *len, const char *path, void *ctx)
{
    char target[128];
    struct http_answer a;
    snprintf(target, sizeof(target), "/%s", path);
    TRY(http_ask(&a, ctx, "GET", target, NULL, 0, 4 << 20,
                 clock_mono_ms() + 30000));
    *out = a.body;
    *len = a.body_len;
    return RC_OK;
}

static void check_status(const struct servelog *s, const char *method,
                         const char *path, int want)
{
    size_t len;
    OWNED_MEM char *reply = servelog_raw(s, method, path, &len);
    if (servelog_status(reply) != want)
        fail_msg("%s %s: %d, want %d", method, path, servelog_status(reply),
                 want);
}

/* The reply has the type and cache rule of a tile, and so many bytes. */
static void check_tile(const struct servelog *s, int level, uint64_t n,
                       unsigned width, bool exists)
{
    char path[TLOG_TILE_PATH_MAX + 2] = "/";
    size_t len;
    tlog_tile_path(path + 1, level, n, width);
    OWNED_MEM char *reply = servelog_raw(s, "GET", path, &len);
    if (servelog_status(reply) != (exists ? 200 : 404))
        fail_msg("%s: %d", path, servelog_status(reply));
    if (!exists)
        return;
    if (!servelog_header(reply, "Content-Type: application/octet-stream") ||
        !servelog_header(reply, "Cache-Control: public, max-age=31536000, "
                                "immutable"))
        fail_msg("%s: %.300s", path, reply);
    if (level >= 0)
        assert_int_equal(reply + len - servelog_body(reply), width * 32);
}

/* The right edge of each level: the widest that must be there, and what lies
 * beyond it. */
static void check_edges(const struct servelog *s, uint64_t size)
{
    for (int level = -1; level < 4; level++) {
        uint64_t have = size >> (level > 0 ? 8 * level : 0);
        uint64_t full = have / 256;
        unsigned part = (unsigned)(have % 256);
        if (full > 0)
            check_tile(s, level, full - 1, 256, true);
        check_tile(s, level, full, 256, false);
        if (part > 0)
            check_tile(s, level, full, part, true);
        if (part < 255)
            check_tile(s, level, full, part + 1, false);
        check_tile(s, level, full + 1, 1, false);
    }
}

static void check_proof(const struct servelog *s, uint64_t index)
{
    char path[64];
    char entry[64];
    static struct tlog_proof p;
    size_t len;
    size_t entry_len = logdir_entry(entry, index);
    snprintf(path, sizeof(path), "/v1/log/proof/%llu",
             (unsigned long long)index);
    OWNED_MEM char *reply = servelog_raw(s, "GET", path, &len);
    assert_int_equal(servelog_status(reply), 200);
    const char *body = servelog_body(reply);
    assert_ok(tlog_proof_read(&p, body, strlen(body), entry, entry_len));
    assert_ok(tlog_proof_check(&p, &s->d.log, NULL));
    assert_int_equal(p.index, index);
    snprintf(path, sizeof(path), "/v1/log/entry/%llu",
             (unsigned long long)index);
    OWNED_MEM char *raw = servelog_raw(s, "GET", path, &len);
    assert_string_equal(servelog_body(raw), entry);
}

static void every_size_is_served_as_the_specification_says(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {
        0, 1, 255, 256, 257, 65535, 65536, 65537
    };
    struct servelog s = { .d = logdir_new() };
    OWN_S(http_client) *client = NULL;
    struct http_peer *peer;
    servelog_open(&s, log_public_routes, &s.public);
    assert_ok(http_client_new(&client, NULL, NULL));
    assert_ok(http_peer_new(&peer, client, s.url, NULL, 1));
    uint64_t have = 0;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct tlog_fsck_report report;
        add_from_to(s.store, have, sizes[i]);
        have = sizes[i];
        /* every tile and bundle, the root, over HTTP */
        assert_ok(tlog_fsck(&report, &s.d.log, fetch, peer));
        assert_int_equal(report.head.size, have);
        assert_int_equal(report.entries_checked, have);
        check_edges(&s, have);
        for (uint64_t at = 0; at < have; at += 1 + have / 37)
            check_proof(&s, at);
        if (have > 0)
            check_proof(&s, have - 1);
        check_status(&s, "GET", "/v1/log/proof/65537", 404);
    }
    servelog_close(&s);
    logdir_free(&s.d);
}

static void the_checkpoint_is_text_that_nobody_keeps(void **state)
{
    (void)state;
    struct servelog s = { .d = logdir_new() };
    struct tlog_checkpoint cp;
    size_t len;
    servelog_open(&s, log_public_routes, &s.public);
    add_from_to(s.store, 0, 3);
    OWNED_MEM char *reply = servelog_raw(&s, "GET", "/checkpoint", &len);
    assert_int_equal(servelog_status(reply), 200);
    assert_true(servelog_header(reply, "Content-Type: text/plain; "
                                       "charset=utf-8"));
    assert_true(servelog_header(reply, "Cache-Control: no-cache"));
    const char *body = servelog_body(reply);
    assert_ok(tlog_checkpoint_open(&cp, body, strlen(body), &s.d.log));
    assert_int_equal(cp.size, 3);
    OWNED_MEM char *head = servelog_raw(&s, "HEAD", "/checkpoint", &len);
    assert_int_equal(servelog_status(head), 200);
    assert_string_equal(servelog_body(head), "");
    servelog_close(&s);
    logdir_free(&s.d);
}

static void what_must_not_be_found_is_not(void **state)
{
    (void)state;
    static const char *const paths[] = {
        /* spellings of tiles that exist by another name, or nowhere */
        "/tile/0/000.p/0",
        "/tile/0/000.p/256",
        "/tile/0/000.p/01",
        "/tile/0/000.p/",
        "/tile/0/000.p",
        "/tile/0/000/",
        "/tile/0/0",
        "/tile/0/00",
        "/tile/0/0000",
        "/tile/0/x000/000",
        "/tile/0/x000",
        "/tile/0/-01",
        "/tile/0/%30%30%30/x",
        "/tile/00/000",
        "/tile/64/000",
        "/tile/-1/000.p/1",
        "/tile/1/000",
        "/tile/1/000.p/2",
        "/tile/2/000.p/1",
        "/tile/8/000.p/1",
        "/tile/entries/002",
        "/tile/entries/001.p/2",
        "/tile/entries/0",
        "/tile/Entries/000",
        "/tile/data/000",
        "/tile/",
        "/tile",
        "/tile//0/000",
        "//tile/0/000",
        "/checkpoint/",
        "/Checkpoint",
        "/v1/log/append",
        "/v1/log/proof/257",
        "/v1/log/proof/01",
        "/v1/log/proof/",
        "/v1/log/entry/18446744073709551615",
        "/v1/log/entry/99999999999999999999",
        "/entry/257",
        "/entry/x",
        "/page/page.c",
        "/page/../page.css",
    };
    struct servelog s = { .d = logdir_new() };
    servelog_open(&s, log_public_routes, &s.public);
    add_from_to(s.store, 0, 257);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        check_status(&s, "GET", paths[i], 404);
    check_status(&s, "GET", "/tile/0/000", 200);
    check_status(&s, "POST", "/tile/0/000", 405);
    check_status(&s, "POST", "/checkpoint", 405);
    check_status(&s, "POST", "/v1/log/append", 404);
    servelog_close(&s);
    logdir_free(&s.d);
}

/* ---- our own rows -------------------------------------------------------- */

static void append_text(struct servelog *s, const char *text)
{
    static struct tlog_proof p;
    assert_ok(tlog_store_append(s->store, &p, text, strlen(text)));
}

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void assert_has(const char *reply, const char *part)
{
    if (!strstr(reply, part))
        fail_msg("no \"%s\" in %.3000s", part, reply);
}

static void a_digest_leads_to_its_entries(void **state)
{
    (void)state;
    struct servelog s = { .d = logdir_new() };
    size_t len;
    servelog_open(&s, log_public_routes, &s.public);
    append_text(&s, "not ours " HEX_A "\n");
    append_text(&s, "mpc-receipt/1\nintent 0\nsignature " HEX_A
                    "\ncertificate -\n");
    append_text(&s, "mpc-receipt/1\nintent 0\nsignature " HEX_B
                    "\ncertificate " HEX_A "\n");
    /* without an index there is no search */
    check_status(&s, "GET", "/v1/log/search/" HEX_A, 404);
    assert_ok(log_find_start(&s.public.find, &s.public));
    uint64_t indexed = 0;
    uint64_t at[4];
    uint8_t digest[32];
    memset(digest, 0xaa, 32);
    while (indexed < 3)
        (void)log_find_digest(s.public.find, at, 4, digest, TLOG_NO_INDEX,
                              &indexed);
    OWNED_MEM char *reply = servelog_raw(&s, "GET", "/v1/log/search/" HEX_A,
                                         &len);
    assert_string_equal(servelog_body(reply),
                        "{\"indexed\":3,\"entries\":[2,1]}");
    OWNED_MEM char *older = servelog_raw(
            &s, "GET", "/v1/log/search/" HEX_A "?before=2", &len);
    assert_string_equal(servelog_body(older),
                        "{\"indexed\":3,\"entries\":[1]}");
    check_status(&s, "GET", "/v1/log/search/aa", 400);
    check_status(&s, "GET", "/v1/log/search/" HEX_A "?before=x", 400);
    OWNED_MEM char *page = servelog_raw(&s, "GET", "/search?q=" HEX_A, &len);
    assert_has(page, "2 of 3 entries");
    assert_has(page, "href=\"/entry/2\"");
    /* an entry somebody holds, by its leaf hash */
    struct tlog_hash leaf;
    char hex[65];
    char path[128];
    tlog_leaf_hash(&leaf, "not ours " HEX_A "\n", 74);
    snprintf(path, sizeof(path), "/v1/log/proof/%s", enc_hex(hex, leaf.b, 32));
    OWNED_MEM char *proof = servelog_raw(&s, "GET", path, &len);
    assert_has(proof, "\nindex 0\n");
    check_status(&s, "GET", "/v1/log/proof/" HEX_B, 404);
    servelog_close(&s);
    logdir_free(&s.d);
}

static void pages_are_safe_and_say_what_is_there(void **state)
{
    (void)state;
    struct servelog s = { .d = logdir_new() };
    size_t len;
    servelog_open(&s, log_public_routes, &s.public);
    OWNED_MEM char *empty = servelog_raw(&s, "GET", "/", &len);
    assert_has(empty, "<h1>0 entries</h1>");
    append_text(&s, "<script>alert(\"1\")</script> & 'more'\n");
    append_text(&s, "mpc-receipt/1\nintent 0\nsignature " HEX_A
                    "\ncertificate <b>\n");
    for (unsigned i = 0; i < 4; i++) {
        static const char *const paths[] = { "/", "/entry/0", "/entry/1",
                                             "/search?q=%3Cb%3E%22" };
        OWNED_MEM char *reply = servelog_raw(&s, "GET", paths[i], &len);
        assert_true(servelog_header(reply,
                                    "Content-Security-Policy: default-src "
                                    "'none'; script-src 'self'; style-src "
                                    "'self'; connect-src 'self'; form-action "
                                    "'self'; base-uri 'none'; frame-ancestors "
                                    "'none'"));
        assert_true(servelog_header(reply, "X-Content-Type-Options: nosniff"));
        assert_null(strstr(reply, "<script>alert"));
        assert_null(strstr(reply, "<b>"));
        assert_null(strstr(reply, " style="));
        assert_null(strstr(reply, " on"
                                  "click="));
    }
    OWNED_MEM char *entry = servelog_raw(&s, "GET", "/entry/0", &len);
    assert_has(entry, "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; "
                      "&#39;more&#39;");
    assert_has(entry, "<svg id=\"tree\"");
    check_status(&s, "GET", "/search?q=1", 303);
    check_status(&s, "GET", "/search", 404);
    OWNED_MEM char *js = servelog_raw(&s, "GET", "/page/page.js", &len);
    assert_true(servelog_header(js, "Content-Type: text/javascript; "
                                    "charset=utf-8"));
    OWNED_MEM char *css = servelog_raw(&s, "GET", "/page/page.css", &len);
    assert_true(servelog_header(css, "Content-Type: text/css; charset=utf-8"));
    servelog_close(&s);
    logdir_free(&s.d);
}

static void health_and_metrics_tell_the_truth(void **state)
{
    (void)state;
    struct servelog s = { .d = logdir_new() };
    size_t len;
    servelog_open(&s, log_public_routes, &s.public);
    append_text(&s, "one\n");
    append_text(&s, "two\n");
    append_text(&s, "one\n");
    OWNED_MEM char *m = servelog_raw(&s, "GET", "/metrics", &len);
    assert_true(servelog_header(m, "Content-Type: text/plain; version=0.0.4; "
                                   "charset=utf-8"));
    assert_has(m, "\nmpc_log_entries 2\n");
    assert_has(m, "\nmpc_log_appended_total 2\n");
    assert_has(m, "\nmpc_log_duplicates_total 1\n");
    assert_has(m, "\nmpc_log_commit_seconds_count 2\n");
    assert_has(m, "\nmpc_log_commit_seconds_bucket{le=\"+Inf\"} 2\n");
    assert_has(m, "\nmpc_log_up 1\n");
    check_status(&s, "GET", "/health", 200);
    servelog_close(&s);
    logdir_free(&s.d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_is_served_as_the_specification_says),
        cmocka_unit_test(the_checkpoint_is_text_that_nobody_keeps),
        cmocka_unit_test(what_must_not_be_found_is_not),
        cmocka_unit_test(a_digest_leads_to_its_entries),
        cmocka_unit_test(pages_are_safe_and_say_what_is_there),
        cmocka_unit_test(health_and_metrics_tell_the_truth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
