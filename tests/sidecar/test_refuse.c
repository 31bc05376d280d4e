/* SPDX-License-Identifier: Apache-2.0 */
/* Followers that refuse whatever they are asked: one of them stops nobody. */
#include "test.h"

#include "story.h"

static const char *const release[] = { "release", NULL };

struct refuser {
    unsigned who; /* 0: everyone but the lead */
    const char *code, *words;
    unsigned asked;
};

/* Every item of what it answers to round two becomes this refusal. */
static void refuse(struct sim *s, uint32_t from, uint32_t to, const char *path,
                   bool reply, uint8_t **body, size_t *len)
{
    struct refuser *f = s->tamper_ctx;
    char *json = NULL;
    char words[96];
    (void)from;
    if (!reply || strcmp(path, "/v1/frost/round2") != 0 ||
        (f->who && to != f->who))
        return;
    WIRE(round2_reply) m = { 0 };
    assert_ok(wire_round2_reply_decode(&m, (char *)*body, *len));
    snprintf(words, sizeof(words), "%s of node%u", f->words, (unsigned)to);
    for (size_t i = 0; i < m.items.n; i++) {
        struct wire_round2_result *res = &m.items.at[i];
        snprintf(res->code, sizeof(res->code), "%s", f->code);
        assert_ok(wire_text_set(&res->message, words, strlen(words)));
        memset(res->share, 0, 32);
    }
    assert_ok(wire_round2_reply_encode(&json, len, &m));
    free(*body);
    *body = (uint8_t *)json;
    f->asked++;
}

static const enum rc finals[] = { RC_DENIED,  RC_POLICY,     RC_NOT_APPROVED,
                                  RC_EXPIRED, RC_SLOT_BURNT, RC_TOO_LARGE };

static void one_refuser_stops_no_signature(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    for (size_t i = 0; i < sizeof(finals) / sizeof(*finals); i++) {
        struct refuser f = { .who = 2,
                             .code = rc_slug(finals[i]),
                             .words = "no" };
        s->tamper = refuse;
        s->tamper_ctx = &f;
        for (unsigned k = 0; k < 6; k++) {
            char msg[64];
            snprintf(msg, sizeof(msg), "%s %u", f.code, k);
            unsigned call = sign(s, 1, msg);
            sim_want_ok(s, call);
            assert_in_range(took(s, call), 0, 1000);
        }
        assert_true(f.asked > 0);
        s->tamper = NULL;
    }
    done(s);
}

static void when_all_refuse_the_caller_hears_them(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    for (size_t i = 0; i < sizeof(finals) / sizeof(*finals); i++) {
        struct refuser f = { .code = rc_slug(finals[i]), .words = "the no" };
        s->tamper = refuse;
        s->tamper_ctx = &f;
        unsigned call = sign(s, 1, "nobody wants it");
        sim_want(s, call, finals[i]);
        says(s, call, "node2: the no of node2");
        says(s, call, "node3: the no of node3");
        assert_in_range(took(s, call), 0, 1000);
        assert_int_equal(f.asked, 2); /* each of them once */
        s->tamper = NULL;
    }
    sim_want_ok(s, sign(s, 1, "and nothing stays of it"));
    done(s);
}

/* ---- commitments that are none --------------------------------------------- */

/* node2 answers with points outside the group, on either path. */
static void bad_commitments(struct sim *s, uint32_t from, uint32_t to,
                            const char *path, bool reply, uint8_t **body,
                            size_t *len)
{
    struct refuser *f = s->tamper_ctx;
    char *json = NULL;
    (void)from;
    if (!reply || to != 2)
        return;
    if (strcmp(path, "/v1/frost/commit") == 0) {
        WIRE(commitments) m = { 0 };
        assert_ok(wire_commitments_decode(&m, (char *)*body, *len));
        for (size_t i = 0; i < m.next.n; i++)
            memset(m.next.at[i].hiding, 0, 32); /* of order four */
        assert_ok(wire_commitments_encode(&json, len, &m));
    } else if (strcmp(path, "/v1/frost/round2") == 0) {
        WIRE(round2_reply) m = { 0 };
        assert_ok(wire_round2_reply_decode(&m, (char *)*body, *len));
        for (size_t i = 0; i < m.next.n; i++)
            memset(m.next.at[i].binding, 0xff, 32);
        assert_ok(wire_round2_reply_encode(&json, len, &m));
    } else {
        return;
    }
    free(*body);
    *body = (uint8_t *)json;
    f->asked++;
}

/*
 * The sender is passed over before an intent is logged; otherwise an honest
 * signer would find them and be blamed for refusing.
 */
static void bad_commitments_are_their_senders_fault(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    struct refuser f = { .who = 2 };
    s->tamper = bad_commitments;
    s->tamper_ctx = &f;
    for (unsigned k = 0; k < 8; k++) {
        char msg[64];
        snprintf(msg, sizeof(msg), "bad points %u", k);
        sim_want_ok(s, sign(s, 1, msg));
    }
    assert_true(f.asked > 0);
    sim_crash(s, 3);
    unsigned call = sign(s, 1, "only the cheater is left");
    sim_want(s, call, RC_NODES);
    says(s, call, "node2: its commitments are no points");
    done(s);
}

/* R is only a hint: a false one costs nobody a signature, and no blame. */
static void lie_of_r(struct sim *s, uint32_t from, uint32_t to,
                     const char *path, bool reply, uint8_t **body, size_t *len)
{
    struct refuser *f = s->tamper_ctx;
    char *json = NULL;
    (void)from;
    (void)to;
    if (!reply || strcmp(path, "/v1/frost/round2") != 0)
        return;
    WIRE(round2_reply) m = { 0 };
    assert_ok(wire_round2_reply_decode(&m, (char *)*body, *len));
    for (size_t i = 0; i < m.items.n; i++)
        m.items.at[i].group_commitment[f->asked % 32] ^= 0x10;
    assert_ok(wire_round2_reply_encode(&json, len, &m));
    free(*body);
    *body = (uint8_t *)json;
    f->asked++;
}

static void a_false_group_commitment_harms_nothing(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    struct refuser f = { .who = 0 };
    s->tamper = lie_of_r;
    s->tamper_ctx = &f;
    for (unsigned k = 0; k < 8; k++) {
        char msg[64];
        snprintf(msg, sizeof(msg), "false R %u", k);
        unsigned call = sign(s, 1 + k % 3, msg);
        sim_want_ok(s, call);
        assert_in_range(took(s, call), 0, 1000);
    }
    assert_true(f.asked > 0);
    done(s);
}

/* A job that must wait for a node does not hold up those that need not. */
static void a_refused_job_waits_alone(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    struct refuser f = { .who = 2, .code = rc_slug(RC_DENIED), .words = "no" };
    sim_crash(s, 3);
    s->tamper = refuse;
    s->tamper_ctx = &f;
    unsigned waits = sign(s, 1, "refused by node2, node3 is down");
    while (f.asked == 0)
        sim_run(s, 1);
    s->tamper = NULL;
    sim_run(s, 10);
    unsigned goes = sign(s, 1, "fine with node2");
    sim_want_ok(s, goes);
    assert_in_range(took(s, goes), 0, 2500);
    sim_want(s, waits, RC_NODES);
    says(s, waits, "node2: no of node2");
    says(s, waits, "node3: ");
    done(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, sim_teardown)
        T(one_refuser_stops_no_signature),
        T(when_all_refuse_the_caller_hears_them),
        T(bad_commitments_are_their_senders_fault),
        T(a_false_group_commitment_harms_nothing),
        T(a_refused_job_waits_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
