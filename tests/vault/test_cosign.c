/* SPDX-License-Identifier: Apache-2.0 */
/* A vault as witness: a cosignature on demand, by the rules of signing. */
#include "cluster.h"

#include "base/clock.h"

struct fixture {
    struct cluster *c;
    struct tlog_vkey node1;
    char line[TLOG_SIG_LINE_MAX];
};

static int setup(void **state)
{
    enum mode mode = *(const enum mode *)*state;
    struct fixture *f = calloc(1, sizeof(*f));
    f->c = cluster_ready(mode);
    assert_ok(tlog_vkey_make(&f->node1, "vault.test/node1",
                             TLOG_SIG_COSIGNATURE, f->c->keys[0].identity));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    cluster_free(f->c);
    free(f);
    return 0;
}

static void grow(struct fixture *f, uint64_t to)
{
    while (f->c->log.n < to) {
        char entry[32];
        int len = snprintf(entry, sizeof(entry), "entry %llu",
                           (unsigned long long)f->c->log.n);
        log_append(&f->c->log, entry, (size_t)len);
    }
}

/* Asks node 1 for a line over `size`, proven from `from`. */
static enum rc cosign(struct fixture *f, uint64_t from, uint64_t size)
{
    char note[TLOG_NOTE_MAX];
    struct tlog_path path;
    log_note(&f->c->log, note, size);
    log_consistency(&f->c->log, &path, from, size);
    memset(f->line, 'x', sizeof(f->line));
    return vault_cosign(f->c->v[0], f->line, note, strlen(note), &path);
}

static void the_line_verifies(struct fixture *f, uint64_t size)
{
    struct tlog_checkpoint cp;
    char note[TLOG_NOTE_MAX];
    int64_t at = 0;
    log_note(&f->c->log, note, size);
    assert_ok(tlog_checkpoint_open(&cp, note, strlen(note), &f->c->log.vkey));
    assert_ok(tlog_cosignature_check(f->line, &cp, &f->node1, &at));
    assert_in_range(at, clock_now_s() - 60, clock_now_s());
}

/* Refused, and not one byte of a line. */
static void no_line(struct fixture *f, enum rc got, enum rc want)
{
    assert_rc(got, want);
    for (size_t i = 0; i < sizeof(f->line); i++)
        assert_int_equal(f->line[i], 'x');
}

static void the_newest_head_is_cosigned_and_only_grows(void **state)
{
    struct fixture *f = *state;
    grow(f, 7);
    assert_ok(cosign(f, 0, 3)); /* the first one it sees */
    the_line_verifies(f, 3);
    assert_ok(cosign(f, 3, 7));
    the_line_verifies(f, 7);
    /* the same again: a line of now */
    assert_ok(cosign(f, 7, 7));
    the_line_verifies(f, 7);
}

static void a_smaller_head_gets_no_line_even_if_it_was_ours(void **state)
{
    struct fixture *f = *state;
    grow(f, 7);
    assert_ok(cosign(f, 0, 3));
    assert_ok(cosign(f, 3, 7));
    no_line(f, cosign(f, 0, 3), RC_HEAD_BEHIND);
    assert_non_null(strstr(rc_text(), "7"));
    assert_non_null(strstr(rc_text(), "3"));
    no_line(f, cosign(f, 0, 5), RC_HEAD_BEHIND);
    /* not with a proof that it leads to ours, either */
    char note[TLOG_NOTE_MAX];
    struct tlog_path path;
    log_note(&f->c->log, note, 5);
    log_consistency(&f->c->log, &path, 5, 7);
    no_line(f, vault_cosign(f->c->v[0], f->line, note, strlen(note), &path),
            RC_HEAD_BEHIND);
}

static void a_proof_from_an_older_head_is_behind(void **state)
{
    struct fixture *f = *state;
    grow(f, 9);
    assert_ok(cosign(f, 0, 3));
    assert_ok(cosign(f, 3, 7));
    no_line(f, cosign(f, 3, 9), RC_HEAD_BEHIND);
    assert_ok(cosign(f, 7, 9));
}

static void a_fork_is_never_cosigned(void **state)
{
    struct fixture *f = *state;
    static const char other[] = "forked";
    grow(f, 6);
    assert_ok(cosign(f, 0, 5));
    tlog_leaf_hash(&f->c->log.leaf[2], other, sizeof(other));
    no_line(f, cosign(f, 5, 5), RC_LOG); /* same size, another root */
    no_line(f, cosign(f, 5, 6), RC_LOG);
    no_line(f, cosign(f, 0, 6), RC_LOG); /* and without any proof */
    /* an older size with a root it never had */
    no_line(f, cosign(f, 0, 4), RC_HEAD_BEHIND);
}

static void another_logs_head_is_never_cosigned(void **state)
{
    struct fixture *f = *state;
    char note[TLOG_NOTE_MAX];
    struct test_log *other = calloc(1, sizeof(*other));
    log_init(other, 2);
    log_append(other, "x", 1);
    log_note(other, note, 1);
    memset(f->line, 'x', sizeof(f->line));
    no_line(f, vault_cosign(f->c->v[0], f->line, note, strlen(note), NULL),
            RC_LOG);
    /* unsigned, empty, and one byte more than a note may have */
    log_append(&f->c->log, "x", 1);
    log_note(&f->c->log, note, 1);
    strstr(note, "\n\n")[2] = '\0';
    assert_int_not_equal(
            vault_cosign(f->c->v[0], f->line, note, strlen(note), NULL), RC_OK);
    assert_int_not_equal(vault_cosign(f->c->v[0], f->line, "", 0, NULL), RC_OK);
    char *big = malloc(TLOG_NOTE_MAX + 1);
    memset(big, 'a', TLOG_NOTE_MAX + 1);
    no_line(f, vault_cosign(f->c->v[0], f->line, big, TLOG_NOTE_MAX + 1, NULL),
            RC_TOO_LARGE);
    free(big);
    /* none of it moved the head */
    assert_ok(cosign(f, 0, 1));
    free(other);
}

static void witnessing_and_signing_share_one_head(void **state)
{
    struct fixture *f = *state;
    struct made_key *k = calloc(1, sizeof(*k));
    struct attempt a;
    struct vault_sign_reply reply;
    static const char msg[] = "release 1.0";
    key_make(f->c, k, 1, false);
    attempt_make(f->c, &a, k, msg, sizeof(msg));
    grow(f, 4);
    assert_ok(cosign(f, 0, 4));
    attempt_publish(f->c, &a); /* size 5 */
    f->c->head[0] = 0;         /* a lead that has not heard of it */
    assert_rc(attempt_sign(f->c, &reply, &a, k, 0), RC_LOG);
    f->c->head[0] = 4;
    assert_ok(attempt_sign(f->c, &reply, &a, k, 0));
    assert_true(reply.cosigned);
    no_line(f, cosign(f, 0, 4), RC_HEAD_BEHIND);
    assert_ok(cosign(f, 5, 5));
    free(k);
}

static void a_cosigned_head_comes_back_after_a_restart(void **state)
{
    struct fixture *f = *state;
    char note[TLOG_NOTE_MAX];
    grow(f, 8);
    assert_ok(cosign(f, 0, 6));
    log_note(&f->c->log, note, 6);
    assert_ok(tlog_note_add(note, sizeof(note), f->line));
    node_start(f->c, 0);
    node_open(f->c, 0);
    assert_ok(vault_head_set(f->c->v[0], note, strlen(note)));
    no_line(f, cosign(f, 0, 2), RC_HEAD_BEHIND);
    no_line(f, cosign(f, 2, 8), RC_LOG);
    assert_ok(cosign(f, 6, 8));
    /* a life that has cosigned takes no head by signature alone */
    node_start(f->c, 0);
    node_open(f->c, 0);
    assert_ok(cosign(f, 0, 2));
    assert_rc(vault_head_set(f->c->v[0], note, strlen(note)), RC_ORDER);
}

static void a_vault_without_a_roster_cosigns_nothing(void **state)
{
    struct fixture *f = *state;
    grow(f, 1);
    node_start(f->c, 0);
    no_line(f, cosign(f, 0, 1), RC_ORDER);
}

static const enum mode spawned = SPAWNED;
static const enum mode local = LOCAL;

#define T(name, mode)                                                          \
    {                                                                          \
#name, name, setup, teardown, (void *)(uintptr_t)&mode                 \
    }
#define ALL(mode)                                                              \
    T(the_newest_head_is_cosigned_and_only_grows, mode),                       \
            T(a_smaller_head_gets_no_line_even_if_it_was_ours, mode),          \
            T(a_proof_from_an_older_head_is_behind, mode),                     \
            T(a_fork_is_never_cosigned, mode),                                 \
            T(another_logs_head_is_never_cosigned, mode),                      \
            T(witnessing_and_signing_share_one_head, mode),                    \
            T(a_cosigned_head_comes_back_after_a_restart, mode),               \
            T(a_vault_without_a_roster_cosigns_nothing, mode)

int main(void)
{
    const struct CMUnitTest in_child[] = { ALL(spawned) };
    const struct CMUnitTest in_process[] = { ALL(local) };
    int failed = cmocka_run_group_tests_name("spawned", in_child, NULL, NULL);
    return failed +
           cmocka_run_group_tests_name("local", in_process, NULL, NULL);
}
