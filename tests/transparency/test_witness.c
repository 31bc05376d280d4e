/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C2SP tlog-witness: what a witness answers, by the vectors, and what the log
 * does with witnesses that answer, lag, lie or keep silent.
 */
#include "test.h"

#include "servelog.h"
#include "transparency/witness.h"
#include "vectors.h"

/* ---- the rules ----------------------------------------------------------- */

static void a_witness_answers_as_the_vectors_say(void **state)
{
    (void)state;
    json_auto_t *v = vectors_load("witness/add-checkpoint-requests.json");
    struct tlog_vkey log = vectors_vkey("sample-log/log.vkey", 0);
    struct tlog_vkey stranger = vectors_vkey("checkpoint/sigsum.vkey", 0);
    json_t *row;
    size_t i;
    json_array_foreach (json_object_get(v, "requests"), i, row) {
        const char *body = vectors_text(row, "body");
        struct tlog_add_checkpoint in;
        struct tlog_checkpoint held = { .size = 0 };
        struct tlog_checkpoint next;
        uint64_t old = vectors_num(row, "old");
        static char again[TLOG_ADD_CHECKPOINT_MAX];
        size_t len;
        assert_ok(tlog_add_checkpoint_read(&in, body, strlen(body)));
        assert_int_equal(in.old, old);
        assert_ok(tlog_add_checkpoint_write(again, sizeof(again), &len, in.old,
                                            &in.path, in.note));
        assert_string_equal(again, body);
        if (old > 0) {
            char name[64];
            snprintf(name, sizeof(name), "sample-log/checkpoints/%llu",
                     (unsigned long long)old);
            OWNED_MEM char *note = vectors_file(name, &len);
            assert_ok(tlog_checkpoint_open(&held, note, len, &log));
        }
        assert_int_equal(tlog_witness_judge(&next, &held, &in, &log), 200);
        assert_int_equal(next.size, vectors_num(row, "new"));
        assert_int_equal(tlog_witness_judge(&next, &held, &in, &stranger), 404);
        held.size++;
        assert_int_equal(tlog_witness_judge(&next, &held, &in, &log), 409);
        held.size--;
        if (old > 0) {
            held.root.b[5] ^= 1;
            assert_int_equal(tlog_witness_judge(&next, &held, &in, &log), 422);
            held.root.b[5] ^= 1;
        }
        /* old over the size is a mistake whatever is held */
        in.old = next.size + 1;
        held.size = in.old;
        assert_int_equal(tlog_witness_judge(&next, &held, &in, &log), 400);
    }
    assert_true(i > 0);
}

static void other_requests_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *find;
        const char *with;
        int status; /* 0: does not even parse */
    } cases[] = {
        { "no old", "old 0", "0", 0 },
        { "old with a zero", "old 0", "old 00", 0 },
        { "negative", "old 0", "old -0", 0 },
        { "a hash of 31 bytes", "old 0\n", "old 0\nAAAA\n", 0 },
        { "CR LF", "old 0\n", "old 0\r\n", 0 },
        { "a hash where none belongs", "old 0\n",
          "old 0\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", 422 },
        { "another origin", "log.example/sample", "log.example/other", 404 },
        { "another size", "\n1\n", "\n2\n", 403 },
        { "no signature", "\n\n\xe2\x80\x94", "\n\xe2\x80\x94", 400 },
    };
    json_auto_t *v = vectors_load("witness/add-checkpoint-requests.json");
    struct tlog_vkey log = vectors_vkey("sample-log/log.vkey", 0);
    const char *body = vectors_text(
            json_array_get(json_object_get(v, "requests"), 0), "body");
    struct tlog_checkpoint none = { .size = 0 };
    struct tlog_checkpoint next;
    struct tlog_add_checkpoint in;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char changed[2048];
        const char *at = strstr(body, cases[i].find);
        assert_non_null(at);
        snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - body), body,
                 cases[i].with, at + strlen(cases[i].find));
        enum rc rc = tlog_add_checkpoint_read(&in, changed, strlen(changed));
        if ((rc == RC_OK) != (cases[i].status != 0))
            fail_msg("%s: %s", cases[i].why, rc_slug(rc));
        int got = rc == RC_OK ? tlog_witness_judge(&next, &none, &in, &log) : 0;
        if (got != cases[i].status)
            fail_msg("%s: %d", cases[i].why, got);
    }
    for (size_t cut = 0; cut < strlen(body); cut++)
        if (tlog_add_checkpoint_read(&in, body, cut) == RC_OK)
            assert_int_not_equal(tlog_witness_judge(&next, &none, &in, &log),
                                 200);
}

/* ---- witnesses of the test's own ----------------------------------------- */

#define N_WITNESSES 3

struct a_witness {
    struct tlog_vkey key;
    uint8_t sk[64];
    const struct tlog_vkey *log;
    struct http_server *server;
    char url[64];
    pthread_mutex_t mu;
    struct tlog_checkpoint held;
    char note[TLOG_NOTE_MAX];
    bool mute;      /* answers 500 */
    bool bad_lines; /* signs something else */
    unsigned calls;
};

static enum rc on_add(struct http_call *call, void *ctx)
{
    struct a_witness *w = ctx;
    struct tlog_add_checkpoint in;
    struct tlog_checkpoint cp;
    char line[TLOG_SIG_LINE_MAX];
    size_t len;
    const char *body = (const char *)http_call_body(call, &len);
    TRY(tlog_add_checkpoint_read(&in, body, len));
    pthread_mutex_lock(&w->mu);
    w->calls++;
    int status = w->mute ? 500 : tlog_witness_judge(&cp, &w->held, &in, w->log);
    uint64_t had = w->held.size;
    if (status == 200) {
        w->held = cp;
        snprintf(w->note, sizeof(w->note), "%.*s", (int)in.note_len, in.note);
    }
    pthread_mutex_unlock(&w->mu);
    if (status == 409) {
        char text[32];
        int n = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)had);
        return http_reply(call, 409, TLOG_SIZE_TYPE, text, (size_t)n);
    }
    if (status != 200)
        return http_reply(call, status, "text/plain", "", 0);
    if (w->bad_lines)
        cp.size++;
    TRY(tlog_cosign(line, &cp, 1800000000, &w->key, w->sk));
    return http_reply(call, 200, "text/plain", line, strlen(line));
}

static enum rc on_head(struct http_call *call, void *ctx)
{
    struct a_witness *w = ctx;
    char note[TLOG_NOTE_MAX];
    pthread_mutex_lock(&w->mu);
    bool mute = w->mute;
    memcpy(note, w->note, sizeof(note));
    pthread_mutex_unlock(&w->mu);
    if (mute)
        return http_reply(call, 500, "text/plain", "", 0);
    if (!note[0])
        return rc_raise(RC_UNKNOWN, "nothing yet");
    return http_reply(call, 200, "text/plain", note, strlen(note));
}

static const struct http_route witness_routes[] = {
    { "POST", "/w/add-checkpoint", HTTP_PUBLIC, 16384, on_add },
    { "GET", "/w/*", HTTP_PUBLIC, 0, on_head },
    { 0 },
};

static void witness_open(struct a_witness *w, unsigned i,
                         const struct tlog_vkey *log)
{
    uint8_t pk[32];
    uint8_t seed[32] = { (uint8_t)(100 + i) };
    uint16_t port;
    struct http_server_config c = { .kind = HTTP_ON_TCP,
                                    .routes = witness_routes,
                                    .ctx = w,
                                    .threads = 1,
                                    .request_limit_s = 10 };
    memset(w, 0, sizeof(*w));
    pthread_mutex_init(&w->mu, NULL);
    w->log = log;
    crypto_sign_seed_keypair(pk, w->sk, seed);
    assert_ok(tlog_vkey_make(&w->key, "test/node", TLOG_SIG_COSIGNATURE, pk));
    assert_ok(sock_tcp_listen(&c.listen_fd, &port, "127.0.0.1:0"));
    snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%u/w", port);
    assert_ok(http_server_start(&w->server, &c));
}

struct world {
    struct logdir d;
    struct tlog_store *store;
    struct log_public public;
    struct log_appender *a;
    struct log_witnesses *ws;
    struct a_witness w[N_WITNESSES];
};

static struct tlog_trust *two_of_three(const struct world *w)
{
    char text[4096];
    size_t n = 0;
    struct tlog_trust *t = calloc(1, sizeof(*t));
    assert_non_null(t);
    for (unsigned i = 0; i < N_WITNESSES; i++) {
        char vkey[TLOG_VKEY_MAX];
        n += (size_t)snprintf(text + n, sizeof(text) - n, "witness w%u %s %s\n",
                              i, tlog_vkey_text(vkey, &w->w[i].key),
                              w->w[i].url);
    }
    snprintf(text + n, sizeof(text) - n, "group g 2 w0 w1 w2\nquorum g\n");
    assert_ok(tlog_trust_read(t, text, strlen(text)));
    return t;
}

static void open_log(struct world *w)
{
    w->store = logdir_open(&w->d);
    log_public_init(&w->public, w->store, &w->d.log);
    assert_ok(log_appender_start(&w->a, &w->public, 0));
}

static void close_log(struct world *w)
{
    log_appender_close(w->a, 1000);
    log_witnesses_stop(w->ws);
    tlog_store_free(w->store);
    log_appender_free(w->a);
    w->ws = NULL;
}

static enum rc start(struct world *w)
{
    return log_witnesses_start(&w->ws, &w->public, w->a, two_of_three(w),
                               w->d.dir, NULL);
}

static void world_open(struct world *w)
{
    memset(w, 0, sizeof(*w));
    w->d = logdir_new();
    for (unsigned i = 0; i < N_WITNESSES; i++)
        witness_open(&w->w[i], i, &w->d.log);
    open_log(w);
}

static void world_close(struct world *w)
{
    close_log(w);
    for (unsigned i = 0; i < N_WITNESSES; i++)
        http_server_stop(w->w[i].server);
    logdir_free(&w->d);
}

/* Until the shown checkpoint has that size; false after a while. */
static bool shown(struct world *w, uint64_t size, char note[TLOG_NOTE_MAX])
{
    for (unsigned i = 0; i < 2000; i++) {
        struct tlog_checkpoint cp;
        log_public_note(&w->public, note, &cp);
        pthread_mutex_lock(&w->public.mu);
        bool ok = w->public.cosigned_cp.size == size && cp.size == size;
        pthread_mutex_unlock(&w->public.mu);
        if (ok)
            return true;
        usleep(5000);
    }
    return false;
}

static void set_mute(struct a_witness *w, bool mute)
{
    pthread_mutex_lock(&w->mu);
    w->mute = mute;
    pthread_mutex_unlock(&w->mu);
}

/* Nobody is asked over TLS without the attested channel's guard. */
static void an_attested_witness_needs_the_channel(void **state)
{
    (void)state;
    static struct world w;
    world_open(&w);
    struct tlog_trust *t = two_of_three(&w);
    strcpy(t->witness[0].url, "https://127.0.0.1:1");
    assert_rc(log_witnesses_start(&w.ws, &w.public, w.a, t, w.d.dir, NULL),
              RC_ARG);
    assert_non_null(strstr(rc_text(), "witness w0: "));
    world_close(&w);
}

static void a_quorum_of_cosignatures_is_shown(void **state)
{
    (void)state;
    static struct world w;
    char note[TLOG_NOTE_MAX];
    world_open(&w);
    assert_ok(start(&w));
    for (uint64_t i = 0; i < 5; i++)
        logdir_add(&w.d, w.store, i);
    assert_true(shown(&w, 5, note));
    unsigned n = 0;
    for (unsigned i = 0; i < N_WITNESSES; i++)
        n += tlog_note_cosigned(note, strlen(note), &w.w[i].key, NULL) == RC_OK;
    assert_true(n >= 2);
    /* one falls silent, one signs nonsense: no quorum, the old one stays */
    set_mute(&w.w[0], true);
    w.w[1].bad_lines = true;
    logdir_add(&w.d, w.store, 5);
    usleep(800000);
    assert_true(shown(&w, 5, note));
    /* while a proof of the newest entry comes with the newest checkpoint */
    static struct tlog_proof p;
    assert_ok(log_public_proof(&w.public, &p, 5));
    assert_ok(tlog_proof_check(&p, &w.d.log, NULL));
    set_mute(&w.w[0], false);
    assert_true(shown(&w, 6, note));
    world_close(&w);
}

static void a_witness_that_moved_by_itself_is_caught_up_with(void **state)
{
    (void)state;
    static struct world w;
    char note[TLOG_NOTE_MAX];
    world_open(&w);
    assert_ok(start(&w));
    logdir_add(&w.d, w.store, 0);
    assert_true(shown(&w, 1, note));
    for (uint64_t i = 1; i < 4; i++)
        logdir_add(&w.d, w.store, i);
    /* as a sidecar does that cosigns in a round of signing */
    pthread_mutex_lock(&w.w[2].mu);
    w.w[2].held = logdir_head(&w.d, w.store);
    pthread_mutex_unlock(&w.w[2].mu);
    for (uint64_t i = 4; i < 9; i++)
        logdir_add(&w.d, w.store, i);
    set_mute(&w.w[0], true); /* so its line is needed */
    assert_true(shown(&w, 9, note));
    world_close(&w);
}

static void an_old_copy_refuses_to_run(void **state)
{
    (void)state;
    static struct world w;
    char note[TLOG_NOTE_MAX];
    size_t len;
    world_open(&w);
    assert_ok(start(&w));
    for (uint64_t i = 0; i < 3; i++)
        logdir_add(&w.d, w.store, i);
    OWNED_MEM uint8_t *entries = logdir_entries(&w.d, &len);
    logdir_add(&w.d, w.store, 3);
    assert_true(shown(&w, 4, note));
    close_log(&w);
    /* the whole directory of before, its checkpoint too */
    char path[128];
    snprintf(path, sizeof(path), "%s/checkpoint", w.d.dir);
    assert_int_equal(unlink(path), 0);
    logdir_write(&w.d, LOGDIR_ENTRIES, entries, len);
    open_log(&w);
    assert_rc(start(&w), RC_STORE);
    assert_non_null(strstr(rc_text(), "has seen 4 entries of this log, here "
                                      "are 3"));
    assert_null(w.ws);
    /* even if it went on by itself: as large, but of other entries */
    for (uint64_t i = 13; i < 16; i++) {
        static struct tlog_proof p;
        char entry[64];
        size_t n = logdir_entry(entry, i);
        assert_ok(tlog_store_append(w.store, &p, entry, n));
    }
    assert_rc(start(&w), RC_STORE);
    assert_non_null(strstr(rc_text(), "another history"));
    world_close(&w);
}

static void without_a_quorum_of_answers_nothing_is_appended(void **state)
{
    (void)state;
    static struct world w;
    world_open(&w);
    set_mute(&w.w[0], true);
    set_mute(&w.w[1], true);
    assert_ok(start(&w));
    assert_true(log_appender_held(w.a));
    set_mute(&w.w[1], false);
    for (unsigned i = 0; i < 1000 && log_appender_held(w.a); i++)
        usleep(5000);
    assert_false(log_appender_held(w.a));
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_witness_answers_as_the_vectors_say),
        cmocka_unit_test(other_requests_are_refused),
        cmocka_unit_test(an_attested_witness_needs_the_channel),
        cmocka_unit_test(a_quorum_of_cosignatures_is_shown),
        cmocka_unit_test(a_witness_that_moved_by_itself_is_caught_up_with),
        cmocka_unit_test(an_old_copy_refuses_to_run),
        cmocka_unit_test(without_a_quorum_of_answers_nothing_is_appended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
