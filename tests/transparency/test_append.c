/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Appends as the log's program takes them, over plain HTTP instead of the
 * attested channel: who may call is not this file's business, except that a
 * peer has a name.
 */
#include "test.h"

#include <errno.h>
#include <signal.h>

#include "servelog.h"
#include "transparency/append.h"
#include "wire/wire.h"

OWNED_STRUCT(http_client);

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
static int (*on_sync)(int fd);
int __wrap_fdatasync(int fd)
{
    return on_sync ? on_sync(fd) : __real_fdatasync(fd);
}

struct world {
    struct servelog s; /* first */
    struct log_appender *a;
};

static enum rc on_append(struct http_call *call, void *ctx)
{
    struct world *w = ctx;
    const char *peer = http_call_header(call, "X-Peer");
    return log_append(w->a, call, peer ? peer : "mpc://test/sidecar/node1");
}

static const struct http_route routes[] = {
    { "POST", "/append", HTTP_PUBLIC, 256 * 1024, on_append },
    { 0 },
};

static void world_open(struct world *w, unsigned per_s)
{
    memset(w, 0, sizeof(*w));
    w->s.d = logdir_new();
    servelog_open(&w->s, routes, w);
    assert_ok(log_appender_start(&w->a, &w->s.public, per_s));
}

static void world_close(struct world *w)
{
    log_appender_close(w->a, 2000);
    servelog_close(&w->s);
    log_appender_free(w->a);
    logdir_free(&w->s.d);
}

static char *a_body(size_t *len, uint64_t from, unsigned n,
                    const uint64_t *sizes, unsigned n_sizes)
{
    WIRE(append) ask = { 0 };
    char *json = NULL;
    assert_ok(wire_list_new(&ask.entries, n));
    assert_ok(wire_list_new(&ask.sizes, n_sizes));
    for (unsigned i = 0; i < n; i++) {
        char text[TLOG_ENTRY_MAX + 1];
        struct tlog_abort e = { .intent = from + i, .reason = "test" };
        size_t text_len;
        assert_ok(tlog_abort_encode(text, &text_len, &e));
        assert_ok(wire_text_set(&ask.entries.at[i], text, text_len));
    }
    for (unsigned i = 0; i < n_sizes; i++)
        ask.sizes.at[i] = sizes[i];
    assert_ok(wire_append_encode(&json, len, &ask));
    return json;
}

static enum rc ask(struct world *w, struct http_peer *peer,
                   struct wire_appended *out, uint64_t from, unsigned n,
                   const uint64_t *sizes, unsigned n_sizes)
{
    size_t len;
    struct http_answer a = { 0 };
    (void)w;
    wire_appended_free(out);
    OWNED_MEM char *body = a_body(&len, from, n, sizes, n_sizes);
    TRY(http_ask(&a, peer, "POST", "/append", body, len, 1 << 20,
                 clock_mono_ms() + 30000));
    enum rc rc = wire_appended_decode(out, (char *)a.body, a.body_len);
    http_answer_free(&a);
    return rc;
}

static void check_proof(const struct world *w, const struct wire_proof *in,
                        uint64_t size, struct tlog_checkpoint *cp)
{
    static struct tlog_proof p;
    memcpy(p.entry, in->entry.p, in->entry.len + 1);
    p.entry_len = in->entry.len;
    p.index = in->index;
    p.path.n = (unsigned)in->path.n;
    for (unsigned i = 0; i < p.path.n; i++)
        memcpy(p.path.hash[i].b, in->path.at[i].b, 32);
    snprintf(p.checkpoint, sizeof(p.checkpoint), "%s", in->checkpoint.p);
    assert_ok(tlog_proof_check(&p, &w->s.d.log, cp));
    assert_int_equal(cp->size, size);
}

static void an_append_is_answered_with_all_its_proofs(void **state)
{
    (void)state;
    static const uint64_t sizes[] = { 0, 3, 5, 99 };
    struct world w;
    OWN_S(http_client) *client = NULL;
    struct http_peer *peer;
    WIRE(appended) first = { 0 };
    WIRE(appended) second = { 0 };
    struct tlog_checkpoint before;
    struct tlog_checkpoint cp;
    world_open(&w, 0);
    assert_ok(http_client_new(&client, NULL, NULL));
    assert_ok(http_peer_new(&peer, client, w.s.url, NULL, 1));
    assert_ok(ask(&w, peer, &first, 0, 5, NULL, 0));
    assert_int_equal(first.proofs.n, 5);
    for (unsigned i = 0; i < 5; i++)
        check_proof(&w, &first.proofs.at[i], 5, &before);
    /* two of three are known: a retry finds them where they were */
    assert_ok(ask(&w, peer, &second, 3, 3, sizes, 4));
    for (unsigned i = 0; i < 3; i++) {
        check_proof(&w, &second.proofs.at[i], 6, &cp);
        assert_int_equal(second.proofs.at[i].index, 3 + i);
    }
    /* growth from each size it has; 99 it never had */
    assert_int_equal(second.growth.n, 3);
    for (unsigned i = 0; i < 3; i++) {
        const struct wire_growth *g = &second.growth.at[i];
        struct tlog_path path = { .n = (unsigned)g->path.n };
        struct tlog_hash root;
        for (unsigned j = 0; j < path.n; j++)
            memcpy(path.hash[j].b, g->path.at[j].b, 32);
        assert_int_equal(g->from, sizes[i]);
        assert_int_equal(g->to, 6);
        assert_ok(tlog_store_root(w.s.store, &root, g->from));
        assert_ok(tlog_consistency_check(&path, g->from, &root, 6, &cp.root));
    }
    world_close(&w);
}

struct outcomes {
    int done;
    int good;
};

static void on_done(const struct http_reply_view *v, void *arg)
{
    struct outcomes *o = arg;
    o->done++;
    o->good += v->rc == RC_OK && v->status == 200;
}

/* The first sync is slow, so that all of them wait behind it. */
static int slow_sync(int fd)
{
    usleep(200000);
    return __real_fdatasync(fd);
}

static void many_calls_share_a_commit(void **state)
{
    (void)state;
    enum { N = 64 };
    struct world w;
    struct http_client *client = NULL;
    struct http_loop *loop = NULL;
    struct http_peer *peer;
    struct outcomes o = { 0 };
    struct tlog_store_stats st;
    world_open(&w, 0);
    assert_ok(http_client_new(&client, NULL, NULL));
    assert_ok(http_loop_new(&loop, client));
    assert_ok(http_peer_new(&peer, client, w.s.url, NULL, N));
    on_sync = slow_sync;
    for (uint64_t i = 0; i < N; i++) {
        size_t len;
        OWNED_MEM char *body = a_body(&len, i, 1, NULL, 0);
        http_send(peer, "POST", "/append", body, len, 1 << 20,
                  clock_mono_ms() + 30000, on_done, &o);
    }
    while (o.done < N)
        assert_ok(http_loop_run(loop, 100));
    on_sync = NULL;
    assert_int_equal(o.good, N);
    tlog_store_stats(w.s.store, &st);
    assert_int_equal(st.appended, N);
    /* two threads serve them; a call that held one would make it 32 */
    assert_true(st.batches < 10);
    http_loop_free(loop);
    http_client_free(client);
    world_close(&w);
}

static void what_is_no_entry_of_ours_is_refused(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{\"entries\":[\"hello\\n\"],\"sizes\":[]}",
        "{\"entries\":[],\"sizes\":[]}",
        "{\"entries\":[\"mpc-abort/1\\nintent 1\\nreason a\\n\"]}",
        "nonsense",
        "",
    };
    struct world w;
    OWN_S(http_client) *client = NULL;
    struct http_peer *peer;
    struct http_answer a;
    world_open(&w, 0);
    assert_ok(http_client_new(&client, NULL, NULL));
    assert_ok(http_peer_new(&peer, client, w.s.url, NULL, 1));
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        assert_int_not_equal(http_ask(&a, peer, "POST", "/append", bodies[i],
                                      strlen(bodies[i]), 1 << 20,
                                      clock_mono_ms() + 30000),
                             RC_OK);
    assert_int_equal(logdir_head(&w.s.d, w.s.store).size, 0);
    world_close(&w);
}

static void a_peer_over_its_quota_waits_and_others_do_not(void **state)
{
    (void)state;
    struct world w;
    OWN_S(http_client) *client = NULL;
    struct http_peer *one;
    struct http_peer *two;
    world_open(&w, 2); /* so 20 at once */
    assert_ok(http_client_new(&client, NULL, NULL));
    assert_ok(http_peer_new(&one, client, w.s.url, NULL, 1));
    assert_ok(http_peer_new(&two, client, w.s.url, NULL, 1));
    assert_ok(http_peer_header(two, "X-Peer", "mpc://test/sidecar/node2"));
    WIRE(appended) out = { 0 };
    assert_ok(ask(&w, one, &out, 0, 20, NULL, 0));
    assert_rc(ask(&w, one, &out, 20, 10, NULL, 0), RC_NOMEM);
    assert_non_null(strstr(rc_text(), "node1 is over its quota of 2"));
    assert_ok(ask(&w, two, &out, 20, 20, NULL, 0));
    assert_int_equal(atomic_load(&w.s.public.refused_quota), 1);
    /* more than any bucket holds is said to be so */
    assert_rc(ask(&w, two, &out, 40, 21, NULL, 0), RC_ARG);
    assert_int_equal(logdir_head(&w.s.d, w.s.store).size, 40);
    world_close(&w);
}

static void buckets_refill_with_time(void **state)
{
    (void)state;
    static struct log_quota q = { .per_s = 10 };
    int64_t t = 1000;
    assert_ok(log_quota_take(&q, "a", 100, t));
    assert_rc(log_quota_take(&q, "a", 1, t), RC_NOMEM);
    assert_rc(log_quota_take(&q, "a", 1, t + 99), RC_NOMEM);
    assert_ok(log_quota_take(&q, "a", 1, t + 100));
    assert_rc(log_quota_take(&q, "a", 1, t + 100), RC_NOMEM);
    /* a clock that went back gives nothing; a long night no more than full */
    assert_rc(log_quota_take(&q, "a", 1, t - 5000), RC_NOMEM);
    assert_ok(log_quota_take(&q, "a", 100, INT64_MAX / 2));
    assert_rc(log_quota_take(&q, "a", 1, INT64_MAX / 2), RC_NOMEM);
    for (unsigned i = 1; i < QUOTA_PEERS; i++) {
        char uri[16];
        snprintf(uri, sizeof(uri), "p%u", i);
        assert_ok(log_quota_take(&q, uri, 1, t));
    }
    assert_rc(log_quota_take(&q, "one too many", 1, t), RC_NOMEM);
}

static void a_held_log_takes_nothing(void **state)
{
    (void)state;
    struct world w;
    OWN_S(http_client) *client = NULL;
    struct http_peer *peer;
    WIRE(appended) out = { 0 };
    world_open(&w, 0);
    assert_ok(http_client_new(&client, NULL, NULL));
    assert_ok(http_peer_new(&peer, client, w.s.url, NULL, 1));
    log_appender_hold(w.a, "witnesses first");
    assert_rc(ask(&w, peer, &out, 0, 1, NULL, 0), RC_ORDER);
    assert_non_null(strstr(rc_text(), "witnesses first"));
    log_appender_hold(w.a, NULL);
    assert_ok(ask(&w, peer, &out, 0, 1, NULL, 0));
    world_close(&w);
}

static atomic_int terms;
static void on_term(int signal)
{
    (void)signal;
    atomic_fetch_add(&terms, 1);
}

static int no_sync(int fd)
{
    (void)fd;
    errno = EIO;
    return -1;
}

static void a_failed_sync_ends_the_program(void **state)
{
    (void)state;
    struct world w;
    OWN_S(http_client) *client = NULL;
    struct http_peer *peer;
    WIRE(appended) out = { 0 };
    world_open(&w, 0);
    signal(SIGTERM, on_term);
    assert_ok(http_client_new(&client, NULL, NULL));
    assert_ok(http_peer_new(&peer, client, w.s.url, NULL, 1));
    assert_ok(ask(&w, peer, &out, 0, 1, NULL, 0));
    on_sync = no_sync;
    assert_rc(ask(&w, peer, &out, 1, 1, NULL, 0), RC_STORE);
    on_sync = NULL;
    assert_rc(ask(&w, peer, &out, 2, 1, NULL, 0), RC_STORE);
    for (unsigned i = 0; i < 1000 && atomic_load(&terms) < 2; i++)
        usleep(1000);
    assert_int_equal(atomic_load(&terms), 2);
    signal(SIGTERM, SIG_DFL);
    assert_int_equal(logdir_head(&w.s.d, w.s.store).size, 1);
    world_close(&w);
}

/* What hangs in the disk when the program ends is not touched any more. */
static void closing_does_not_wait_for_a_stuck_disk(void **state)
{
    (void)state;
    struct world w;
    struct http_client *client = NULL;
    struct http_loop *loop = NULL;
    struct http_peer *peer;
    struct outcomes o = { 0 };
    size_t len;
    world_open(&w, 0);
    assert_ok(http_client_new(&client, NULL, NULL));
    assert_ok(http_loop_new(&loop, client));
    assert_ok(http_peer_new(&peer, client, w.s.url, NULL, 1));
    on_sync = slow_sync;
    OWNED_MEM char *body = a_body(&len, 0, 1, NULL, 0);
    http_send(peer, "POST", "/append", body, len, 1 << 20,
              clock_mono_ms() + 30000, on_done, &o);
    for (unsigned i = 0; i < 10; i++) /* it is on its way */
        assert_ok(http_loop_run(loop, 5));
    log_appender_close(w.a, 1);
    servelog_close(&w.s); /* the server answers 503, then the store commits */
    on_sync = NULL;
    while (o.done < 1)
        assert_ok(http_loop_run(loop, 100));
    assert_int_equal(o.good, 0);
    log_appender_free(w.a);
    http_loop_free(loop);
    http_client_free(client);
    logdir_free(&w.s.d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_append_is_answered_with_all_its_proofs),
        cmocka_unit_test(many_calls_share_a_commit),
        cmocka_unit_test(what_is_no_entry_of_ours_is_refused),
        cmocka_unit_test(a_peer_over_its_quota_waits_and_others_do_not),
        cmocka_unit_test(buckets_refill_with_time),
        cmocka_unit_test(a_held_log_takes_nothing),
        cmocka_unit_test(a_failed_sync_ends_the_program),
        cmocka_unit_test(closing_does_not_wait_for_a_stuck_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
