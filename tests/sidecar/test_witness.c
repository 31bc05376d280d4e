/* SPDX-License-Identifier: Apache-2.0 */
/* A node as witness of the log: C2SP tlog-witness, and what it keeps. */
#include "test.h"

#include "story.h"
#include "witness.h"

#include <jansson.h>

#include "base/file.h"

/* ---- the vectors ------------------------------------------------------------- */

/*
 * A vector's request with its checkpoint under this cluster's log: the vault
 * cosigns no other. Sizes, roots and proofs stay what they are.
 */
static void resigned(struct sim *s, char out[TLOG_ADD_CHECKPOINT_MAX],
                     struct tlog_checkpoint *cp, const char *body)
{
    struct tlog_add_checkpoint in;
    struct tlog_vkey sample;
    char path[1024], note[TLOG_NOTE_MAX];
    uint8_t *text = NULL;
    size_t len;
    snprintf(path, sizeof(path), "%s/tlog/sample-log/log.vkey", testdata());
    assert_ok(file_read(&text, &len, path, 1024));
    text[strcspn((char *)text, "\n")] = '\0';
    assert_ok(tlog_vkey_parse(&sample, (char *)text));
    free(text);
    assert_ok(tlog_add_checkpoint_read(&in, body, strlen(body)));
    assert_ok(tlog_checkpoint_open(cp, in.note, in.note_len, &sample));
    snprintf(cp->origin, sizeof(cp->origin), "%s", s->vkey.name);
    assert_ok(
            tlog_checkpoint_sign(note, sizeof(note), cp, &s->vkey, s->log_sk));
    assert_ok(tlog_add_checkpoint_write(out, TLOG_ADD_CHECKPOINT_MAX, &len,
                                        in.old, &in.path, note));
}

static const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    assert_non_null(text);
    return text;
}

static uint64_t num_of(const json_t *row, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(row, key));
}

static void the_vectors_are_cosigned_in_turn(void **state)
{
    (void)state;
    char path[1024];
    snprintf(path, sizeof(path), "%s/tlog/witness/add-checkpoint-requests.json",
             testdata());
    json_t *all = json_load_file(path, 0, NULL);
    assert_non_null(all);
    json_t *rows = json_object_get(all, "requests");
    struct sim *s = sim_new(1, 3);
    sim_boot(s);
    unsigned taken = 0;
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        char body[TLOG_ADD_CHECKPOINT_MAX];
        struct tlog_checkpoint cp;
        resigned(s, body, &cp, text_of(row, "body"));
        /* the request as it is: of a log that nobody here knows */
        assert_int_equal(add(s, 1, text_of(row, "body")), 404);
        for (unsigned id = 1; id <= 2; id++) {
            uint64_t have = told(s, id);
            int status = add(s, id, body);
            if (num_of(row, "old") != have) {
                assert_int_equal(status, 409);
                says_size(have);
                continue;
            }
            assert_int_equal(status, 200);
            is_a_line_over(s, id, &cp);
            assert_int_equal(told(s, id), num_of(row, "new"));
            taken++;
            break; /* node 2 is in the state of those that node 1 is not */
        }
    }
    assert_int_equal(taken, json_array_size(rows));
    assert_int_equal(told(s, 1), 600);
    json_decref(all);
    sim_free(s);
}

/* ---- refusals ------------------------------------------------------------------ */

static void each_wrong_request_has_its_own_status(void **state)
{
    (void)state;
    struct sim *s = sim_new(1, 3);
    sim_boot(s);
    char body[TLOG_ADD_CHECKPOINT_MAX], bad[TLOG_ADD_CHECKPOINT_MAX];
    char note[TLOG_NOTE_MAX];
    struct tlog_checkpoint cp;
    grow(s, 3);
    request(s, body, 0);
    /* 400: no such body */
    assert_int_equal(add(s, 1, ""), 400);
    assert_int_equal(add(s, 1, "old 0\n"), 400);
    assert_int_equal(add(s, 1, "old 00\n\nx\n"), 400);
    assert_int_equal(add(s, 1, "old 0\nAAAA\n\nx\n"), 400);
    snprintf(bad, sizeof(bad), "old 99%s", strchr(body, '\n'));
    assert_int_equal(add(s, 1, bad), 400); /* more than the checkpoint has */
    /* 404: another log; 403: this one's name without its key */
    snprintf(bad, sizeof(bad), "%s", body);
    memcpy(strstr(bad, "dev/log"), "dev/lot", 7);
    assert_int_equal(add(s, 1, bad), 404);
    snprintf(bad, sizeof(bad), "%s", body);
    char *sig = strrchr(bad, ' ') + 30;
    *sig = *sig == 'A' ? 'B' : 'A';
    assert_int_equal(add(s, 1, bad), 403);
    /* none of it was anything to cosign */
    assert_int_equal(told(s, 1), 0);
    assert_int_equal(add(s, 1, body), 200);
    newest(s, note, &cp);
    is_a_line_over(s, 1, &cp);
    /* 409: from where we are no more, with the size we are at */
    uint64_t at = cp.size;
    grow(s, 4);
    request(s, bad, at - 1);
    assert_int_equal(add(s, 1, bad), 409);
    says_size(at);
    /* 422: a proof that is none */
    request(s, bad, at);
    newest(s, note, &cp); /* old N, then without its hashes */
    snprintf(body, sizeof(body), "old %llu\n\n%s", (unsigned long long)at,
             note);
    assert_int_equal(add(s, 1, body), 422);
    assert_int_equal(told(s, 1), at);
    /* and the whole one is taken after all that */
    request(s, body, at);
    assert_int_equal(add(s, 1, body), 200);
    assert_int_equal(told(s, 1), at + 4);
    /* equal sizes want equal roots */
    cp.root.b[0] ^= 1;
    assert_ok(
            tlog_checkpoint_sign(note, sizeof(note), &cp, &s->vkey, s->log_sk));
    snprintf(body, sizeof(body), "old %llu\n\n%s", (unsigned long long)cp.size,
             note);
    assert_int_equal(add(s, 1, body), 422);
    sim_free(s);
}

static void a_node_without_a_policy_is_no_witness_yet(void **state)
{
    (void)state;
    struct sim *s = sim_new(1, 3);
    sim_boot(s);
    char body[TLOG_ADD_CHECKPOINT_MAX];
    request(s, body, 0);
    /* a database of its own: nothing learnt yet */
    sim_crash(s, 3);
    free(s->node[3].status);
    s->node[3].status = NULL;
    snprintf(s->node[3].db, sizeof(s->node[3].db), "%s/new.db", s->dir);
    sim_start(s, 3);
    assert_int_equal(add(s, 3, body), 404);
    node_witness_head(s->node[3].node, &answer, head_path(s));
    assert_int_equal(answer.status, 404);
    sim_free(s);
}

/* ---- what it keeps ---------------------------------------------------------------- */

static void a_cosigned_head_is_on_disk_before_the_answer(void **state)
{
    (void)state;
    struct sim *s = cluster((const char *const[]){ "release", NULL });
    char body[TLOG_ADD_CHECKPOINT_MAX];
    char note[TLOG_NOTE_MAX];
    struct tlog_checkpoint cp;
    grow(s, 5);
    request(s, body, told(s, 2));
    newest(s, note, &cp);
    assert_int_equal(add(s, 2, body), 200);
    sim_crash(s, 2); /* the very next thing */
    sim_start(s, 2);
    assert_int_equal(told(s, 2), cp.size);
    sim_run(s, 50); /* its peers have nothing newer */
    request(s, body, 0);
    assert_int_equal(add(s, 2, body), 409);
    says_size(cp.size);
    sim_free(s);
}

static void a_full_disk_gets_no_cosignature(void **state)
{
    (void)state;
    struct sim *s = cluster((const char *const[]){ "release", NULL });
    char body[TLOG_ADD_CHECKPOINT_MAX];
    uint64_t at = told(s, 2);
    grow(s, 1);
    request(s, body, at);
    break_disk(s, 2);
    assert_int_equal(add(s, 2, body), 500);
    assert_null(strstr(answer.body, "\xe2\x80\x94"));
    sim_free(s);
}

static void lines_that_others_added_are_not_kept(void **state)
{
    (void)state;
    struct sim *s = cluster((const char *const[]){ "release", NULL });
    char body[TLOG_ADD_CHECKPOINT_MAX];
    request(s, body, told(s, 2));
    size_t at = strlen(body);
    while (at < 7000)
        at += (size_t)snprintf(body + at, sizeof(body) - at,
                               "\xe2\x80\x94 %0100zu AAAAAAAA\n", at);
    assert_int_equal(add(s, 2, body), 200);
    assert_true(told(s, 2) > 0);
    assert_true(answer.len < 600);
    sim_free(s);
}

static void signing_and_witnessing_move_one_head(void **state)
{
    (void)state;
    struct sim *s = cluster((const char *const[]){ "release", NULL });
    char body[TLOG_ADD_CHECKPOINT_MAX];
    for (unsigned i = 0; i < 4; i++) {
        sim_want_ok(s, sign(s, 1, "release 1.0"));
        for (unsigned id = 1; id <= 3; id++) {
            grow(s, 2);
            request(s, body, told(s, id));
            assert_int_equal(add(s, id, body), 200);
        }
    }
    assert_true(told(s, 1) > 0);
    sim_want_ok(s, sign(s, 2, "release 1.1"));
    done(s);
}

static void a_fork_shown_to_the_witness_is_refused(void **state)
{
    (void)state;
    struct sim *s = cluster((const char *const[]){ "release", NULL });
    char body[TLOG_ADD_CHECKPOINT_MAX], note[TLOG_NOTE_MAX];
    struct tlog_path path;
    struct tlog_checkpoint cp;
    size_t len;
    sim_log_fork(s, 2);
    grow(s, 2);
    request(s, body, told(s, 2));
    assert_int_equal(add(s, 2, body), 200);
    uint64_t at = told(s, 2);
    while (true) { /* as long as ours, and longer */
        assert_ok(tlog_store_checkpoint(s->fork->store, note));
        assert_ok(tlog_checkpoint_open(&cp, note, strlen(note), &s->vkey));
        path.n = 0;
        if (cp.size > at)
            assert_ok(
                    tlog_store_consistency(s->fork->store, &path, at, cp.size));
        if (cp.size >= at) {
            assert_ok(tlog_add_checkpoint_write(body, sizeof(body), &len, at,
                                                &path, note));
            assert_int_equal(add(s, 2, body), 422);
        }
        if (cp.size > at + 3)
            break;
        char entry[64];
        static struct tlog_proof proof;
        len = (size_t)snprintf(entry, sizeof(entry),
                               "mpc-abort/1\nintent %llu\nreason lie\n",
                               (unsigned long long)cp.size);
        assert_ok(tlog_store_append(s->fork->store, &proof, entry, len));
    }
    assert_int_equal(told(s, 2), at);
    sim_free(s);
}

#define T(name) cmocka_unit_test_teardown(name, sim_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_vectors_are_cosigned_in_turn),
        T(each_wrong_request_has_its_own_status),
        T(a_node_without_a_policy_is_no_witness_yet),
        T(a_cosigned_head_is_on_disk_before_the_answer),
        T(a_full_disk_gets_no_cosignature),
        T(lines_that_others_added_are_not_kept),
        T(signing_and_witnessing_move_one_head),
        T(a_fork_shown_to_the_witness_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
