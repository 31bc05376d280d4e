/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lead that was taken over wants a signature people did not approve. Its
 * intents are logged like any other and its request is whole, so that the
 * judgement of the honest signer is all that is in its way.
 */
#include "test.h"

#include "../policy/messages.h"
#include "collude.h"
#include "story.h"

#define LEAD   1
#define HONEST 2

static const char app[] = "the artifact";
static const char *const guarded[] = { "guarded", NULL };
static const char *const all[] = { "alice", "bob", "carol", NULL };

static struct collude c;

static const char *role_of(const char *person)
{
    return strcmp(person, "bob") == 0 || strcmp(person, "carol") == 0
                   ? "steward"
                   : "engineer";
}

static struct sim *taken_over(void)
{
    struct sim *s = cluster(guarded);
    collude_begin(&c, s, "guarded");
    return s;
}

static void end(struct sim *s)
{
    collude_end(&c);
    done(s);
}

/* A session over these bytes, with the approvals of these people. */
static struct policy_session asked(struct wire_session *w,
                                   const char *const *people)
{
    struct policy_session p = collude_session(&c, "guarded", app, strlen(app));
    sim_session_wire(c.s, w, &p, NULL, NULL);
    for (; people && *people; people++)
        collude_record(w, &p, POLICY_D_APPROVE, role_of(*people), *people);
    return p;
}

static enum rc ask(const struct wire_session *w, const char *msg)
{
    return collude_ask(&c, LEAD, HONEST, w, "raw", 1, msg, strlen(msg));
}

/* Refused with this code, a word of the reason, and not one share more. */
static void refused(enum rc got, enum rc want, const char *word)
{
    if (got != want || !strstr(c.why, word))
        sim_fail(c.s, "%s (%s), want %s and \"%s\"", rc_slug(got), c.why,
                 rc_slug(want), word);
    assert_int_equal(c.s->n_shares, 0);
}

/* ---- approvals ------------------------------------------------------------- */

static void approvals_that_are_not_there(void **state)
{
    (void)state;
    static const char *const few[][3] = {
        { NULL },
        { "bob", "carol", NULL },
        { "alice", "dave", NULL },
        { "alice", "bob", NULL },
    };
    struct sim *s = taken_over();
    for (size_t i = 0; i < sizeof(few) / sizeof(*few); i++) {
        WIRE(session) w = { 0 };
        asked(&w, few[i]);
        refused(ask(&w, app), RC_NOT_APPROVED, "needs");
    }
    WIRE(session) whole = { 0 };
    asked(&whole, all);
    assert_rc(ask(&whole, app), RC_OK); /* nothing else was in the way */
    end(s);
}

static void one_steward_is_not_two(void **state)
{
    (void)state;
    static const char *const twice[] = { "alice", "bob", "bob", NULL };
    struct sim *s = taken_over();
    WIRE(session) w = { 0 };
    asked(&w, twice);
    refused(ask(&w, app), RC_NOT_APPROVED, "needs");
    end(s);
}

static void an_engineer_is_no_steward(void **state)
{
    (void)state;
    static const char *const two[] = { "alice", "bob", NULL };
    struct sim *s = taken_over();
    WIRE(session) w = { 0 };
    struct policy_session p = asked(&w, two);
    collude_record(&w, &p, POLICY_D_APPROVE, "steward", "dave");
    refused(ask(&w, app), RC_POLICY, "dave");
    end(s);
}

static void approvals_of_another_session(void **state)
{
    (void)state;
    struct sim *s = taken_over();
    WIRE(session) theirs = { 0 };
    WIRE(session) ours = { 0 };
    asked(&theirs, all);
    asked(&ours, NULL);
    assert_ok(wire_list_new(&ours.approvals, theirs.approvals.n));
    for (size_t i = 0; i < theirs.approvals.n; i++)
        assert_ok(wire_blob_set(&ours.approvals.at[i], theirs.approvals.at[i].p,
                                theirs.approvals.at[i].len));
    refused(ask(&ours, app), RC_POLICY, "session");
    end(s);
}

/* What carol denied, sent as if she had approved. */
static void a_denial_is_no_approval(void **state)
{
    (void)state;
    static const char *const two[] = { "alice", "bob", NULL };
    struct sim *s = taken_over();
    WIRE(session) w = { 0 };
    struct policy_session p = asked(&w, two);
    collude_record(&w, &p, POLICY_D_DENY, "steward", "carol");
    refused(ask(&w, app), RC_DENIED, "carol");
    /* heard once, it stands, whatever is shown later */
    WIRE(session) without = { 0 };
    assert_ok(wire_blob_set(&without.descriptor, w.descriptor.p,
                            w.descriptor.len));
    assert_ok(
            wire_blob_set(&without.requester, w.requester.p, w.requester.len));
    for (unsigned i = 0; all[i]; i++)
        collude_record(&without, &p, POLICY_D_APPROVE, role_of(all[i]), all[i]);
    refused(ask(&without, app), RC_DENIED, "carol");
    wire_session_free(&w);
    memset(&w, 0, sizeof(w));
    p = asked(&w, two);
    collude_record(&w, &p, POLICY_D_DENY, "steward", "carol");
    OWNED_MEM char *text = strndup((char *)w.approvals.at[2].p,
                                   w.approvals.at[2].len);
    assert_non_null(text);
    char *at = strstr(text, "\"decision\":2");
    assert_non_null(at);
    at[strlen("\"decision\":")] = '1';
    assert_ok(wire_blob_set(&w.approvals.at[2], text, strlen(text)));
    refused(ask(&w, app), RC_VERIFY, "carol");
    end(s);
}

/* The honest node was told; the lead keeps it to itself. */
static void a_denial_that_the_lead_hides(void **state)
{
    (void)state;
    struct sim *s = taken_over();
    WIRE(session) w = { 0 };
    WIRE(session) told = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    struct policy_session p = asked(&w, all);
    assert_ok(
            wire_blob_set(&told.descriptor, w.descriptor.p, w.descriptor.len));
    assert_ok(wire_blob_set(&told.requester, w.requester.p, w.requester.len));
    assert_ok(wire_session_encode(&json, &len, &told));
    sim_want_ok(s, sim_ask(s, HONEST, "/v1/session", json, len));
    WIRE(approval) deny = { 0 };
    OWNED_MEM char *body = NULL;
    memcpy(deny.session, p.id, 32);
    sim_record(&deny.record, p.id, POLICY_D_DENY, "engineer", "dave");
    assert_ok(wire_approval_encode(&body, &len, &deny));
    sim_want_ok(s, sim_ask(s, HONEST, "/v1/approval", body, len));
    refused(ask(&w, app), RC_DENIED, "dave");
    end(s);
}

/* ---- who asked ------------------------------------------------------------- */

static void a_requester_who_did_not_ask(void **state)
{
    (void)state;
    struct sim *s = taken_over();
    struct policy_session p = collude_session(&c, "guarded", app, strlen(app));
    snprintf(p.requester, sizeof(p.requester), "alice");
    WIRE(session) w = { 0 };
    sim_session_wire(s, &w, &p, NULL, NULL); /* signed by dev */
    for (unsigned i = 0; all[i]; i++)
        collude_record(&w, &p, POLICY_D_APPROVE, role_of(all[i]), all[i]);
    refused(ask(&w, app), RC_POLICY, "requester");
    /* nor is it enough to sign for nobody */
    assert_ok(wire_blob_set(&w.requester, "", 0));
    refused(ask(&w, app), RC_NOT_APPROVED, "not signed by its requester");
    end(s);
}

static void who_asks_does_not_approve(void **state)
{
    (void)state;
    struct sim *s = taken_over();
    struct policy_session p = collude_session(&c, "guarded", app, strlen(app));
    snprintf(p.requester, sizeof(p.requester), "alice");
    WIRE(session) w = { 0 };
    sim_session_wire(s, &w, &p, NULL, NULL);
    sim_record(&w.requester, p.id, POLICY_D_REQUEST, "requester", "alice");
    for (unsigned i = 0; all[i]; i++)
        collude_record(&w, &p, POLICY_D_APPROVE, role_of(all[i]), all[i]);
    refused(ask(&w, app), RC_NOT_APPROVED, "needs");
    end(s);
}

/* ---- what is signed -------------------------------------------------------- */

static void another_message_than_approved(void **state)
{
    (void)state;
    struct sim *s = taken_over();
    WIRE(session) w = { 0 };
    asked(&w, all);
    refused(ask(&w, "another artifact"), RC_POLICY, "approved");
    refused(ask(&w, ""), RC_POLICY, "approved");
    end(s);
}

static const char statement[] =
        "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"name\":"
        "\"app\",\"digest\":{\"sha256\":\"%s\"}}],\"predicateType\":"
        "\"https://example.org/p\",\"predicate\":{\"n\":%u}}";

static struct msg about_app(const struct policy_session *p, unsigned n)
{
    char hex[65], text[512];
    for (unsigned i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", p->artifact_sha256[i]);
    snprintf(text, sizeof(text), statement, hex, n);
    return msg_dsse("application/vnd.in-toto+json", text);
}

static enum rc ask_for(const struct wire_session *w, const char *slot,
                       uint64_t attempt, const struct msg *m)
{
    return collude_ask(&c, LEAD, HONEST, w, slot, attempt, m->b, m->len);
}

/* Both are about the approved artifact; the slot is good for the first. */
static void a_second_message_for_a_slot(void **state)
{
    (void)state;
    struct sim *s = taken_over();
    struct policy_session p = collude_session(&c, "guarded", app, strlen(app));
    p.slot[POLICY_RAW] = false;
    p.slot[POLICY_DSSE] = true;
    WIRE(session) w = { 0 };
    sim_session_wire(s, &w, &p, NULL, NULL);
    for (unsigned i = 0; all[i]; i++)
        collude_record(&w, &p, POLICY_D_APPROVE, role_of(all[i]), all[i]);
    struct msg first = about_app(&p, 1), second = about_app(&p, 2);
    assert_rc(ask_for(&w, "dsse", 1, &first), RC_OK);
    assert_rc(ask_for(&w, "dsse", 2, &second), RC_SLOT_BURNT);
    assert_rc(ask_for(&w, "dsse", 1, &second), RC_SLOT_BURNT);
    /* nor through another honest node that has not seen the first */
    assert_int_equal(s->n_shares, 1);
    assert_rc(ask_for(&w, "dsse", 3, &first), RC_OK); /* a retry of its own */
    end(s);
}

/* People approved these bytes as a file; they are no file. */
static void a_message_dressed_as_a_file(void **state)
{
    (void)state;
    struct sim *s = taken_over();
    const struct {
        const char *why;
        struct msg m;
    } wolves[] = {
        { "SignedAttributes", msg_cms(app, strlen(app)) },
        { "TBSCertificate", msg_tbs("release") },
        { "certification request", msg_csr("release") },
        { "TBSCertList", msg_crl() },
        { "DSSE", msg_dsse("text/plain", "hello") },
        { "TLS 1.3", msg_tls13("TLS 1.3, server CertificateVerify", 32) },
    };
    for (size_t i = 0; i < sizeof(wolves) / sizeof(*wolves); i++) {
        const struct msg *m = &wolves[i].m;
        struct policy_session p = collude_session(&c, "guarded", m->b, m->len);
        WIRE(session) w = { 0 };
        sim_session_wire(s, &w, &p, NULL, NULL);
        for (unsigned k = 0; all[k]; k++)
            collude_record(&w, &p, POLICY_D_APPROVE, role_of(all[k]), all[k]);
        enum rc rc = ask_for(&w, "raw", 1, m);
        if (rc != RC_POLICY)
            sim_fail(s, "%s as raw: %s (%s)", wolves[i].why, rc_slug(rc),
                     c.why);
        assert_int_equal(s->n_shares, 0);
    }
    end(s);
}

/* ---- which session --------------------------------------------------------- */

static void a_session_for_something_else(void **state)
{
    (void)state;
    struct sim *s = taken_over();
    const struct {
        const char *why;
        enum policy_session_type type;
        const char *profile;
        bool key;
        enum rc want;
    } cases[] = {
        { "of a profile that needs nobody", POLICY_S_SIGN, "release", true,
          RC_POLICY },
        { "to make a key", POLICY_S_KEY_CREATE, "guarded", false, RC_POLICY },
        { "to refresh it", POLICY_S_REFRESH, "guarded", true, RC_POLICY },
        { "to destroy it", POLICY_S_DESTROY, "guarded", true, RC_POLICY },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        bool sign = cases[i].type == POLICY_S_SIGN;
        struct policy_session p = collude_session(&c, cases[i].profile, app,
                                                  strlen(app));
        p.type = cases[i].type;
        p.has_key = cases[i].key;
        p.has_artifact = p.slot[POLICY_RAW] = sign;
        WIRE(session) w = { 0 };
        sim_session_wire(s, &w, &p, NULL, NULL);
        for (unsigned k = 0; all[k]; k++)
            collude_record(&w, &p, POLICY_D_APPROVE, role_of(all[k]), all[k]);
        enum rc rc = ask(&w, app);
        if (rc != cases[i].want)
            sim_fail(s, "a session %s: %s (%s), want %s", cases[i].why,
                     rc_slug(rc), c.why, rc_slug(cases[i].want));
        assert_int_equal(s->n_shares, 0);
    }
    end(s);
}

static void a_session_that_names_another_key(void **state)
{
    (void)state;
    struct sim *s = taken_over();
    struct policy_session p = collude_session(&c, "guarded", app, strlen(app));
    p.key[0] ^= 1; /* the profile's name is right */
    WIRE(session) w = { 0 };
    sim_session_wire(s, &w, &p, NULL, NULL);
    for (unsigned i = 0; all[i]; i++)
        collude_record(&w, &p, POLICY_D_APPROVE, role_of(all[i]), all[i]);
    refused(ask(&w, app), RC_POLICY, "another key");
    end(s);
}

static void an_old_session(void **state)
{
    (void)state;
    struct sim *s = taken_over();
    WIRE(session) w = { 0 };
    asked(&w, all);
    sim_run(s, 901 * 1000);
    refused(ask(&w, app), RC_EXPIRED, "expired");
    WIRE(session) again = { 0 };
    asked(&again, all);
    sim_want_ok(s, sim_policy_next(s, 3, NULL, NULL));
    sim_run(s, 2000);
    refused(ask(&again, app), RC_POLICY_CHANGED, "another policy");
    end(s);
}

/* It deals, and neither signs nor is signed with, whoever asks. */
static void a_signer_that_is_leaving(void **state)
{
    (void)state;
    static const char *const nodes[] = { "node1", "node2" };
    for (unsigned i = 0; i < 2; i++) {
        struct sim *s = taken_over();
        char from[64], to[96];
        snprintf(from, sizeof(from), "\"uri\":\"mpc://dev/sidecar/%s\"",
                 nodes[i]);
        snprintf(to, sizeof(to), "%s,\"leaving\":true", from);
        sim_want_ok(s, sim_policy_next(s, 3, from, to));
        sim_run(s, 1000);
        WIRE(session) w = { 0 };
        asked(&w, all);
        refused(ask(&w, app), RC_POLICY, "leaving");
        end(s);
    }
}

#define T(name) cmocka_unit_test_teardown(name, sim_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(approvals_that_are_not_there),     T(one_steward_is_not_two),
        T(an_engineer_is_no_steward),        T(approvals_of_another_session),
        T(a_denial_is_no_approval),          T(a_denial_that_the_lead_hides),
        T(a_requester_who_did_not_ask),      T(who_asks_does_not_approve),
        T(another_message_than_approved),    T(a_second_message_for_a_slot),
        T(a_message_dressed_as_a_file),      T(a_session_for_something_else),
        T(a_session_that_names_another_key), T(an_old_session),
        T(a_signer_that_is_leaving),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
