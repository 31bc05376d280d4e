/* SPDX-License-Identifier: Apache-2.0 */
/* The store: what was said to be kept is there after anything that happens. */
#include "test.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <sodium.h>

#include "kept.h"

static const uint8_t *id_of(uint8_t fill)
{
    static uint8_t ring[16][32];
    static unsigned at;
    uint8_t *id = ring[at++ % 16];
    memset(id, fill, 32);
    return id;
}

static struct store_mark mark_of(uint8_t session, const char *slot,
                                 uint64_t attempt, uint8_t message,
                                 uint8_t request)
{
    struct store_mark m = { .attempt = attempt,
                            .expires = 1000,
                            .max_attempts = 5,
                            .rc = RC_INTERNAL };
    memset(m.session, session, 32);
    memset(m.message, message, 32);
    memset(m.request, request, 32);
    snprintf(m.slot, sizeof(m.slot), "%s", slot);
    return m;
}

static enum rc mark(struct fixture *f, struct store_mark m)
{
    assert_ok(store_marks(f->s, &m, 1));
    return m.rc;
}

/* ---- values and policies ------------------------------------------------ */

static void value_is(struct fixture *f, const char *name, const char *want)
{
    uint8_t *got = NULL;
    size_t len = 0;
    assert_ok(store_get(f->s, name, &got, &len));
    assert_int_equal(len, strlen(want));
    assert_string_equal((char *)got, want);
    free(got);
}

static void values_survive_reopening_and_the_last_one_stands(void **state)
{
    struct fixture *f = *state;
    uint8_t *got = NULL;
    size_t len = 0;
    assert_rc(store_get(f->s, "head", &got, &len), RC_UNKNOWN);
    assert_null(got);
    assert_ok(store_put(f->s, "head", "one", 3));
    assert_ok(store_put(f->s, "head", "two", 3));
    assert_ok(store_put(f->s, "empty", NULL, 0));
    reopen(f);
    value_is(f, "head", "two");
    value_is(f, "empty", "");
}

static void what_is_put_once_stays(void **state)
{
    struct fixture *f = *state;
    assert_ok(store_put_once(f->s, "root:aa", "one", 3));
    for (unsigned i = 0; i < 2; i++) {
        assert_ok(store_put_once(f->s, "root:aa", "one", 3));
        assert_rc(store_put_once(f->s, "root:aa", "two", 3), RC_CONFLICT);
        assert_rc(store_put_once(f->s, "root:aa", "on", 2), RC_CONFLICT);
        value_is(f, "root:aa", "one");
        reopen(f);
    }
    assert_ok(store_put_once(f->s, "root:bb", "two", 3));
}

static void the_file_is_for_its_owner_only(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void files_of_others_and_of_later_versions_are_refused(void **state)
{
    struct fixture *f = *state;
    struct store *s = NULL;
    store_free(f->s);
    f->s = NULL;
    meddle(f, "PRAGMA user_version=99");
    assert_rc(store_open(&s, f->path), RC_STORE);
    meddle(f, "PRAGMA user_version=1; PRAGMA application_id=7");
    assert_rc(store_open(&s, f->path), RC_STORE);
    assert_null(s);
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    fputs("this is no database, and long enough to be read as one....", file);
    fclose(file);
    assert_rc(store_open(&s, f->path), RC_STORE);
    assert_rc(store_open(&s, "/nonexistent/state.db"), RC_STORE);
}

struct rows {
    unsigned n;
    char name[8][32];
    uint64_t number[8];
    char a[8][32];
    char b[8][32];
    struct store *reenter; /* a callback may use the store */
    enum rc stop;
};
static enum rc take_row(void *ctx, const char *name, uint64_t number,
                        const uint8_t *a, size_t a_len, const uint8_t *b,
                        size_t b_len)
{
    struct rows *r = ctx;
    assert_true(r->n < 8);
    snprintf(r->name[r->n], 32, "%s", name);
    r->number[r->n] = number;
    snprintf(r->a[r->n], 32, "%.*s", (int)a_len, (const char *)a);
    snprintf(r->b[r->n], 32, "%.*s", (int)b_len, (const char *)b);
    r->n++;
    if (r->reenter)
        assert_ok(store_put(r->reenter, "seen", "x", 1));
    return r->stop;
}

static void policies_come_back_in_order(void **state)
{
    struct fixture *f = *state;
    struct rows r = { .reenter = f->s };
    assert_ok(store_policy_add(f->s, 3, "{c}", 3));
    assert_ok(store_policy_add(f->s, 2, "{b}", 3));
    reopen(f);
    r.reenter = f->s;
    assert_ok(store_policies(f->s, take_row, &r));
    assert_int_equal(r.n, 2);
    assert_int_equal(r.number[0], 2);
    assert_string_equal(r.a[0], "{b}");
    assert_int_equal(r.number[1], 3);
    struct rows stopped = { .stop = RC_PARSE };
    assert_rc(store_policies(f->s, take_row, &stopped), RC_PARSE);
    assert_int_equal(stopped.n, 1);
}

/* ---- epochs ------------------------------------------------------------- */

static void epoch_numbers_never_repeat(void **state)
{
    struct fixture *f = *state;
    uint64_t newest = 99;
    assert_ok(store_epoch_newest(f->s, "release", &newest));
    assert_int_equal(newest, 0);
    assert_ok(store_epoch_start(f->s, "release", 1, id_of(1)));
    assert_rc(store_epoch_start(f->s, "release", 1, id_of(2)), RC_CONFLICT);
    assert_rc(store_epoch_start(f->s, "release", 2, id_of(1)), RC_CONFLICT);
    assert_ok(store_epoch_start(f->s, "web", 1, id_of(3)));
    assert_ok(store_epoch_start(f->s, "release", 7, id_of(4)));
    reopen(f);
    assert_rc(store_epoch_start(f->s, "release", 1, id_of(5)), RC_CONFLICT);
    assert_ok(store_epoch_newest(f->s, "release", &newest));
    assert_int_equal(newest, 7);
}

static void sealed_is(struct fixture *f, uint8_t session, const char *want)
{
    uint8_t *back = NULL;
    size_t len = 0;
    assert_ok(store_epoch_sealed(f->s, id_of(session), &back, &len));
    assert_int_equal(len, strlen(want));
    assert_memory_equal(back, want, len);
    free(back);
}

static void a_prepared_share_reads_back(void **state)
{
    struct fixture *f = *state;
    uint8_t *back = NULL;
    size_t len = 0;
    const uint8_t *share = (const uint8_t *)"sealed";
    assert_rc(store_epoch_prepare(f->s, id_of(1), share, 6), RC_ORDER);
    assert_ok(store_epoch_start(f->s, "release", 1, id_of(1)));
    assert_rc(store_epoch_sealed(f->s, id_of(1), &back, &len), RC_UNKNOWN);
    assert_ok(store_epoch_prepare(f->s, id_of(1), share, 6));
    sealed_is(f, 1, "sealed");
    reopen(f);
    sealed_is(f, 1, "sealed");
    /* what a vote was given over is not replaced */
    assert_rc(store_epoch_prepare(f->s, id_of(1), share, 3), RC_ORDER);
    sealed_is(f, 1, "sealed");
}

static void active_epochs_are_listed_with_birth_and_share(void **state)
{
    struct fixture *f = *state;
    struct rows r = { 0 };
    const uint8_t *share = (const uint8_t *)"sealed";
    assert_ok(store_epoch_start(f->s, "release", 1, id_of(1)));
    assert_ok(store_epochs(f->s, take_row, &r));
    assert_int_equal(r.n, 0);
    assert_ok(store_epoch_prepare(f->s, id_of(1), share, 6));
    assert_rc(store_epoch_activate(f->s, "release", 1, id_of(9), "{}", 2),
              RC_CONFLICT);
    assert_ok(store_epoch_activate(f->s, "release", 1, id_of(1), "{b}", 3));
    assert_ok(store_epoch_activate(f->s, "release", 1, id_of(1), "{b}", 3));
    /* a node that holds no share keeps the birth too */
    assert_ok(store_epoch_activate(f->s, "web", 4, id_of(2), "{w}", 3));
    reopen(f);
    assert_ok(store_epochs(f->s, take_row, &r));
    assert_int_equal(r.n, 2);
    assert_string_equal(r.name[0], "release");
    assert_string_equal(r.a[0], "{b}");
    assert_string_equal(r.b[0], "sealed");
    assert_string_equal(r.name[1], "web");
    assert_int_equal(r.number[1], 4);
    assert_string_equal(r.b[1], "");
}

/* ---- sessions ----------------------------------------------------------- */

static enum rc put_session(struct fixture *f, uint8_t id, const char *json,
                           const char *noes, int64_t expires)
{
    struct store_session in = { .requester = id == 2 ? "dev" : "alice",
                                .created = id,
                                .expires = expires,
                                .json = json,
                                .json_len = strlen(json),
                                .noes = noes,
                                .noes_len = strlen(noes) };
    memcpy(in.id, id_of(id), 32);
    return store_session_put(f->s, &in);
}

static void sessions_are_kept_until_they_expire(void **state)
{
    struct fixture *f = *state;
    uint8_t *json = NULL;
    size_t len = 0;
    assert_ok(put_session(f, 1, "{a}", "", 100));
    assert_ok(put_session(f, 2, "{b}", "", 200));
    assert_ok(put_session(f, 1, "{more}", "", 100));
    reopen(f);
    assert_ok(store_session_get(f->s, id_of(1), &json, &len));
    assert_string_equal((char *)json, "{more}");
    free(json);
    json = NULL;
    assert_ok(store_expire(f->s, 150));
    assert_rc(store_session_get(f->s, id_of(1), &json, &len), RC_UNKNOWN);
    assert_ok(store_session_get(f->s, id_of(2), &json, &len));
    free(json);
}

static void what_was_taken_back_is_read_by_itself(void **state)
{
    struct fixture *f = *state;
    uint8_t *json = NULL;
    size_t len = 1;
    bool any = true;
    assert_ok(store_session_any_noes(f->s, &any));
    assert_false(any);
    assert_ok(put_session(f, 1, "{a}", "", 100));
    assert_ok(store_session_noes(f->s, id_of(1), &json, &len));
    assert_null(json);
    assert_int_equal(len, 0);
    assert_ok(put_session(f, 1, "{more}", "{no}", 100));
    reopen(f);
    assert_ok(store_session_any_noes(f->s, &any));
    assert_true(any);
    assert_ok(store_session_noes(f->s, id_of(1), &json, &len));
    assert_string_equal((char *)json, "{no}");
    free(json);
    assert_ok(store_expire(f->s, 150));
    assert_ok(store_session_any_noes(f->s, &any));
    assert_false(any);
}

static void sessions_are_counted_by_who_asked(void **state)
{
    struct fixture *f = *state;
    unsigned live, all;
    struct rows r = { 0 };
    assert_ok(put_session(f, 1, "{a}", "", 100));
    assert_ok(put_session(f, 3, "{c}", "", 300));
    assert_ok(put_session(f, 2, "{b}", "", 200)); /* dev's */
    assert_ok(store_sessions_of(f->s, "alice", 150, &live, &all));
    assert_int_equal(live, 1);
    assert_int_equal(all, 2);
    assert_ok(store_sessions_of(f->s, "nobody", 150, &live, &all));
    assert_int_equal(all, 0);
    assert_ok(store_sessions(f->s, 150, 10, take_row, &r));
    assert_int_equal(r.n, 2);
    assert_int_equal(r.number[0], 300); /* newest first */
    assert_string_equal(r.b[0], "{c}");
    assert_string_equal(r.b[1], "{b}");
}

/* ---- marks -------------------------------------------------------------- */

static void a_slot_says_what_became_of_it(void **state)
{
    struct fixture *f = *state;
    struct store_slot slot;
    struct store_end failed = {
        .reason = "timeout", .slot_ended = true, .slot = "raw", .expires = 100
    };
    struct store_end done = { .slot_ended = true,
                              .slot = "raw",
                              .expires = 100 };
    memcpy(failed.session, id_of(1), 32);
    memcpy(done.session, id_of(1), 32);
    assert_ok(store_slot_get(f->s, id_of(1), "raw", &slot));
    assert_false(slot.marked || slot.used || slot.burnt);
    assert_int_equal(mark(f, mark_of(1, "raw", 1, 0xA, 1)), RC_OK);
    assert_int_equal(mark(f, mark_of(1, "raw", 2, 0xA, 2)), RC_OK);
    assert_ok(store_slot_get(f->s, id_of(1), "raw", &slot));
    assert_true(slot.marked && !slot.used && !slot.burnt);
    assert_int_equal(slot.attempts, 2);
    assert_ok(store_settle(f->s, NULL, 0, &failed, 1));
    assert_ok(store_slot_get(f->s, id_of(1), "raw", &slot));
    assert_true(slot.burnt && !slot.used);
    /* a share that came after all: used, and that for good */
    assert_ok(store_settle(f->s, NULL, 0, &done, 1));
    assert_ok(store_settle(f->s, NULL, 0, &failed, 1));
    reopen(f);
    assert_ok(store_slot_get(f->s, id_of(1), "raw", &slot));
    assert_true(slot.used && !slot.burnt);
    assert_ok(store_slot_get(f->s, id_of(1), "cms", &slot));
    assert_false(slot.marked || slot.used);
}

static void a_slot_is_good_for_one_message(void **state)
{
    struct fixture *f = *state;
    const struct {
        const char *why;
        uint8_t session;
        const char *slot;
        uint64_t attempt;
        uint8_t message, request;
        enum rc want;
    } cases[] = {
        { "first", 1, "raw", 1, 0xA, 0x1, RC_OK },
        { "the same again", 1, "raw", 1, 0xA, 0x1, RC_OK },
        { "another request, same attempt", 1, "raw", 1, 0xA, 0x2, RC_CONFLICT },
        { "another message, same attempt", 1, "raw", 1, 0xB, 0x1, RC_CONFLICT },
        { "another message, next attempt", 1, "raw", 2, 0xB, 0x3, RC_CONFLICT },
        { "same message, next attempt", 1, "raw", 2, 0xA, 0x4, RC_OK },
        { "last attempt", 1, "raw", 5, 0xA, 0x5, RC_OK },
        { "one attempt too many", 1, "raw", 6, 0xA, 0x6, RC_SLOT_BURNT },
        { "attempts count from one", 1, "raw", 0, 0xA, 0x7, RC_SLOT_BURNT },
        { "another slot", 1, "cms", 1, 0xC, 0x8, RC_OK },
        { "another session", 2, "raw", 1, 0xD, 0x9, RC_OK },
        { "an attempt that never came", 1, "raw", 3, 0xA, 0xA, RC_OK },
    };
    for (unsigned pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
            enum rc got = mark(f, mark_of(cases[i].session, cases[i].slot,
                                          cases[i].attempt, cases[i].message,
                                          cases[i].request));
            if (got != cases[i].want)
                fail_msg("%s (pass %u): %s, want %s", cases[i].why, pass,
                         rc_slug(got), rc_slug(cases[i].want));
        }
        reopen(f); /* and all of it again from what is on disk */
    }
}

static void one_refused_mark_does_not_hold_back_the_others(void **state)
{
    struct fixture *f = *state;
    struct store_mark m[] = { mark_of(1, "raw", 1, 0xA, 1),
                              mark_of(1, "raw", 1, 0xB, 2),
                              mark_of(2, "raw", 9, 0xA, 3),
                              mark_of(3, "raw", 1, 0xA, 4) };
    assert_ok(store_marks(f->s, m, 4));
    assert_int_equal(m[0].rc, RC_OK);
    assert_int_equal(m[1].rc, RC_CONFLICT);
    assert_int_equal(m[2].rc, RC_SLOT_BURNT);
    assert_int_equal(m[3].rc, RC_OK);
    reopen(f);
    assert_int_equal(mark(f, mark_of(1, "raw", 1, 0xB, 2)), RC_CONFLICT);
    assert_int_equal(mark(f, mark_of(3, "raw", 1, 0xB, 2)), RC_CONFLICT);
    /* a refused one left nothing: its session is free for any message */
    assert_int_equal(mark(f, mark_of(2, "raw", 1, 0xF, 5)), RC_OK);
}

static void marks_go_only_when_they_expired(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mark(f, mark_of(1, "raw", 1, 0xA, 1)), RC_OK);
    assert_ok(store_expire(f->s, 1000));
    assert_int_equal(mark(f, mark_of(1, "raw", 1, 0xB, 1)), RC_CONFLICT);
    assert_ok(store_expire(f->s, 1001));
    assert_int_equal(mark(f, mark_of(1, "raw", 1, 0xB, 1)), RC_OK);
}

/* The child marks and tells each one acknowledged, until it is killed. */
static void mark_until_killed(const char *path, int to)
{
    struct store *s = NULL;
    if (store_open(&s, path) != RC_OK)
        _exit(1);
    for (uint32_t i = 1;; i++) {
        struct store_mark m = mark_of(0, "raw", 1, 0xA, 1);
        memcpy(m.session, &i, sizeof(i));
        if (store_marks(s, &m, 1) != RC_OK || m.rc != RC_OK)
            _exit(1);
        if (write(to, &i, sizeof(i)) != sizeof(i))
            _exit(1);
    }
}

static void killing_the_process_loses_nothing_acknowledged(void **state)
{
    struct fixture *f = *state;
    int pipe_fd[2];
    int status;
    uint32_t last = 0;
    store_free(f->s);
    f->s = NULL;
    assert_int_equal(pipe(pipe_fd), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        mark_until_killed(f->path, pipe_fd[1]);
    close(pipe_fd[1]);
    while (last < 150)
        assert_int_equal(read(pipe_fd[0], &last, sizeof(last)), sizeof(last));
    kill(pid, SIGKILL);
    for (uint32_t i; read(pipe_fd[0], &i, sizeof(i)) == sizeof(i);)
        last = i;
    close(pipe_fd[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_ok(store_open(&f->s, f->path));
    for (uint32_t i = 1; i <= last; i++) {
        struct store_mark m = mark_of(0, "raw", 1, 0xB, 1);
        memcpy(m.session, &i, sizeof(i));
        if (mark(f, m) != RC_CONFLICT)
            fail_msg("mark %u of %u was acknowledged and is gone", i, last);
    }
}

static void a_full_disk_is_an_error_and_the_file_stays_whole(void **state)
{
    struct fixture *f = *state;
    struct rlimit was;
    struct rlimit small = { 0 };
    enum rc rc = RC_OK;
    uint32_t kept = 0;
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    struct sigaction before;
    struct store_mark m;
    sigaction(SIGXFSZ, &ignore, &before);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small = was;
    small.rlim_cur = 256 * 1024;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    while (rc == RC_OK && kept < 100000) {
        m = mark_of(0, "raw", 1, 0xA, 1);
        memcpy(m.session, &kept, sizeof(kept));
        rc = store_marks(f->s, &m, 1);
        kept += rc == RC_OK;
    }
    char text[128];
    snprintf(text, sizeof(text), "%s", rc_text());
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    sigaction(SIGXFSZ, &before, NULL);
    assert_int_equal(rc, RC_STORE);
    assert_non_null(strstr(text, "state.db"));
    assert_true(kept > 0);
    /* the one that failed was not kept, each one before it was */
    m = mark_of(0, "raw", 1, 0xB, 1);
    memcpy(m.session, &kept, sizeof(kept));
    assert_int_equal(mark(f, m), RC_OK);
    reopen(f);
    for (uint32_t i = 0; i < kept; i++) {
        m = mark_of(0, "raw", 1, 0xB, 1);
        memcpy(m.session, &i, sizeof(i));
        assert_int_equal(mark(f, m), RC_CONFLICT);
    }
}

/* ---- outbox ------------------------------------------------------------- */

static void the_outbox_keeps_order_until_told(void **state)
{
    struct fixture *f = *state;
    const char *const texts[] = { "one", "two", "three" };
    const char *const four[] = { "four" };
    struct rows r = { 0 };
    assert_ok(store_outbox_add(f->s, texts, 3));
    assert_ok(store_outbox(f->s, 2, take_row, &r));
    assert_int_equal(r.n, 2);
    assert_string_equal(r.a[0], "one");
    assert_string_equal(r.a[1], "two");
    assert_true(r.number[0] < r.number[1]);
    assert_ok(store_outbox_done(f->s, r.number[1]));
    reopen(f);
    assert_ok(store_outbox_add(f->s, four, 1));
    struct rows rest = { 0 };
    assert_ok(store_outbox(f->s, 8, take_row, &rest));
    assert_int_equal(rest.n, 2);
    assert_string_equal(rest.a[0], "three");
    assert_string_equal(rest.a[1], "four");
    /* a number is never used again, or a late "done" would drop another */
    assert_ok(store_outbox_done(f->s, rest.number[1]));
    assert_ok(store_outbox_add(f->s, four, 1));
    struct rows again = { 0 };
    assert_ok(store_outbox(f->s, 8, take_row, &again));
    assert_int_equal(again.n, 1);
    assert_true(again.number[0] > rest.number[1]);
}

struct seen_orphans {
    unsigned n;
    uint8_t leaf[4][32];
    char reason[4][33];
};
static enum rc see_orphan(void *ctx, const char *reason, uint64_t number,
                          const uint8_t *entry, size_t len, const uint8_t *leaf,
                          size_t leaf_len)
{
    struct seen_orphans *o = ctx;
    assert_int_equal(number, 0);
    assert_int_equal(leaf_len, 32);
    assert_int_equal(len, 7);
    assert_memory_equal(entry, "entry ", 6);
    assert_true(o->n < 4);
    memcpy(o->leaf[o->n], leaf, 32);
    snprintf(o->reason[o->n++], 33, "%s", reason);
    return RC_OK;
}

static struct seen_orphans orphans(struct store *s)
{
    struct seen_orphans o = { 0 };
    assert_ok(store_intents_orphans(s, 4, see_orphan, &o));
    return o;
}

static void intents_stay_until_they_are_signed_or_aborted(void **state)
{
    struct fixture *f = *state;
    struct store_intent in[3] = { { { 1 }, 7, "entry a" },
                                  { { 2 }, 7, "entry b" },
                                  { { 3 }, 8, "entry c" } };
    const char *text = "mpc-abort/1";
    bool any = true;
    assert_ok(store_intents_orphan(f->s, "restarted", &any));
    assert_false(any);
    assert_ok(store_intents_add(f->s, in, 3));
    assert_ok(store_intents_add(f->s, in, 3)); /* again is fine */
    assert_int_equal(orphans(f->s).n, 0);      /* their jobs have not ended */
    /* one job fails; the other one's stays what it is */
    const struct store_end failed = { .job = 7, .reason = "timeout" };
    assert_ok(store_settle(f->s, NULL, 0, &failed, 1));
    struct seen_orphans o = orphans(f->s);
    assert_int_equal(o.n, 2);
    assert_int_equal(o.leaf[0][0] + o.leaf[1][0], 3);
    assert_string_equal(o.reason[0], "timeout");
    /* a restart: that one too, and the reasons that were known stay */
    reopen(f);
    assert_ok(store_intents_orphan(f->s, "restarted", &any));
    assert_true(any);
    o = orphans(f->s);
    assert_int_equal(o.n, 3);
    assert_string_equal(o.reason[0], "timeout");
    assert_string_equal(o.reason[2], "restarted");
    assert_ok(store_intents_aborted(f->s, (const uint8_t(*)[32])o.leaf, &text,
                                    1));
    assert_int_equal(orphans(f->s).n, 2);
    /* signed: gone without a word */
    const struct store_intent last = { { 9 }, 9, "entry z" };
    const struct store_end done = { .job = 9 };
    assert_ok(store_intents_add(f->s, &last, 1));
    assert_ok(store_settle(f->s, &text, 1, &done, 1));
    assert_ok(store_intents_orphan(f->s, "restarted", &any));
    assert_int_equal(orphans(f->s).n, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(values_survive_reopening_and_the_last_one_stands),
        T(what_is_put_once_stays),
        T(the_file_is_for_its_owner_only),
        T(files_of_others_and_of_later_versions_are_refused),
        T(policies_come_back_in_order),
        T(epoch_numbers_never_repeat),
        T(a_prepared_share_reads_back),
        T(active_epochs_are_listed_with_birth_and_share),
        T(sessions_are_kept_until_they_expire),
        T(what_was_taken_back_is_read_by_itself),
        T(sessions_are_counted_by_who_asked),
        T(a_slot_says_what_became_of_it),
        T(a_slot_is_good_for_one_message),
        T(one_refused_mark_does_not_hold_back_the_others),
        T(marks_go_only_when_they_expired),
        T(killing_the_process_loses_nothing_acknowledged),
        T(a_full_disk_is_an_error_and_the_file_stays_whole),
        T(intents_stay_until_they_are_signed_or_aborted),
        T(the_outbox_keeps_order_until_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
