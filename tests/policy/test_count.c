/* SPDX-License-Identifier: Apache-2.0 */
/* Which approvals fill a place, why others do not, and what is missing. */
#include "test.h"

#include "authenticator.h"
#include "fixture.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include "base/hash.h"

#define ORIGIN "http://localhost:40001"

struct court {
    struct policy *p;
    uint8_t genesis[32];
    struct policy_session s;
    struct fx_record request;
    struct fx_record record[16];
    struct tlog_blob blob[16];
    unsigned n;
    struct auth phone; /* bob's, beside his SSH key */
    struct policy_approved out;
    struct policy_missing m;
};

/* The policy with one thing changed; guarded asked for by dev, unless said. */
static void open_court(struct court *c, const char *path, const char *value)
{
    static const char *const origins[] = { "http://localhost" };
    char row[POLICY_CREDENTIAL_MAX];
    json_t *j = fx_policy_json(1, fx_zeros);
    auth_row(row, &c->phone, "localhost", origins, 1, false);
    fx_patch(j, "persons.3.credentials.+", row);
    if (path)
        fx_patch(j, path, value);
    policy_free(c->p);
    c->p = fx_policy_of(j);
    json_decref(j);
    hash256(c->genesis, "genesis", 7);
}

static void ask_as(struct court *c, const char *profile, const char *requester,
                   const char *reason, int64_t ttl_s)
{
    c->n = 0;
    c->s = fx_session(c->p, POLICY_S_SIGN, profile);
    snprintf(c->s.requester, sizeof(c->s.requester), "%s", requester);
    snprintf(c->s.reason, sizeof(c->s.reason), "%s", reason);
    c->s.expires = c->s.created + ttl_s;
    fx_bind(&c->s, "app", 3);
    fx_record(&c->request, c->s.id, POLICY_D_REQUEST, "requester", requester);
}

static void ask(struct court *c)
{
    ask_as(c, "guarded", "dev", "release 2.4", 900);
}

static void say(struct court *c, enum policy_decision d, const char *role,
                const char *person)
{
    c->blob[c->n] = fx_record(&c->record[c->n], c->s.id, d, role, person);
    c->n++;
}

#define yes(c, role, person) say(c, POLICY_D_APPROVE, role, person)

/* bob by his phone; said is left as the record has it. */
static void phone_says(struct court *c, struct auth_said *said,
                       enum policy_decision d)
{
    uint8_t challenge[32];
    policy_challenge(challenge, c->s.id, d, "steward", "bob");
    auth_client_data(said->client_data, "webauthn.get", challenge, ORIGIN, "");
    auth_assert(said, &c->phone, "localhost", 0x05, 1);
}

static void phone_sends(struct court *c, const struct auth_said *said,
                        enum policy_decision d)
{
    struct fx_record *r = &c->record[c->n];
    assert_ok(policy_record_webauthn(
            r->text, &r->blob.len, c->s.id, d, "steward", "bob", c->phone.id,
            32, said->client_data, strlen(said->client_data), said->auth_data,
            said->auth_data_len, said->signature, said->signature_len));
    r->blob.p = (const uint8_t *)r->text;
    c->blob[c->n++] = r->blob;
}

static enum rc judge(struct court *c)
{
    return policy_judge(&c->out, c->p, c->genesis, &c->s, &c->request.blob,
                        c->blob, c->n, FX_NOW);
}

static const struct policy_missing *missing(struct court *c)
{
    assert_ok(policy_required(&c->m, c->p, &c->s, &c->request.blob, c->blob,
                              c->n, FX_NOW, NULL));
    /* data and judge never disagree */
    assert_int_equal(c->m.complete, judge(c) == RC_OK);
    return &c->m;
}

static bool may(const struct policy_missing *m, const char *person)
{
    for (unsigned i = 0; i < m->n_may; i++)
        if (strcmp(m->may[i]->id, person) == 0)
            return true;
    return false;
}

static int court_new(void **state)
{
    struct court *c = calloc(1, sizeof(*c));
    if (!c)
        return -1;
    auth_new(&c->phone, POLICY_ES256, "bob's phone");
    open_court(c, NULL, NULL);
    *state = c;
    return 0;
}

static int court_free(void **state)
{
    struct court *c = *state;
    auth_free(&c->phone);
    policy_free(c->p);
    free(c);
    return 0;
}

/* ---- persons, not signatures ----------------------------------------------- */

static void phone_and_ssh_key_of_one_person_count_once(void **state)
{
    struct court *c = *state;
    struct auth_said said;
    ask(c);
    yes(c, "engineer", "alice");
    yes(c, "steward", "bob");
    phone_says(c, &said, POLICY_D_APPROVE);
    phone_sends(c, &said, POLICY_D_APPROVE);
    const struct policy_missing *m = missing(c);
    assert_int_equal(m->have_stewards, 1);
    assert_int_equal(m->said[1].counts + m->said[2].counts, 1);
    assert_rc(judge(c), RC_NOT_APPROVED);
    yes(c, "steward", "carol");
    assert_ok(judge(c));
    assert_int_equal(c->out.stewards, 2);
}

/* Anyone can make (r, n - s) of (r, s): two records, both good, one person. */
static void a_malleated_signature_counts_once(void **state)
{
    struct court *c = *state;
    struct auth_said said;
    ask(c);
    yes(c, "engineer", "alice");
    phone_says(c, &said, POLICY_D_APPROVE);
    phone_sends(c, &said, POLICY_D_APPROVE);
    const uint8_t *der = said.signature;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)said.signature_len);
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    BIGNUM *s = BN_new();
    assert_true(BN_sub(s, EC_GROUP_get0_order(group), ECDSA_SIG_get0_s(sig)));
    assert_true(ECDSA_SIG_set0(sig, BN_dup(ECDSA_SIG_get0_r(sig)), s));
    uint8_t *at = said.signature;
    said.signature_len = (size_t)i2d_ECDSA_SIG(sig, &at);
    ECDSA_SIG_free(sig);
    EC_GROUP_free(group);
    phone_sends(c, &said, POLICY_D_APPROVE);
    struct policy_record r;
    assert_ok(policy_record_check(&r, c->p, c->s.id, c->blob[2].p,
                                  c->blob[2].len));
    assert_rc(judge(c), RC_NOT_APPROVED);
    assert_non_null(strstr(rc_text(), "has 1 and 1"));
    yes(c, "steward", "carol");
    assert_ok(judge(c));
    uint8_t root[32]; /* whichever of the two comes first */
    memcpy(root, c->out.root, 32);
    struct tlog_blob swap = c->blob[1];
    c->blob[1] = c->blob[2];
    c->blob[2] = swap;
    assert_ok(judge(c));
    assert_memory_equal(root, c->out.root, 32);
}

static void a_denial_by_phone_stands(void **state)
{
    struct court *c = *state;
    struct auth_said said;
    ask(c);
    yes(c, "engineer", "alice");
    yes(c, "steward", "carol");
    yes(c, "steward", "erin");
    assert_ok(judge(c));
    phone_says(c, &said, POLICY_D_DENY);
    phone_sends(c, &said, POLICY_D_DENY);
    assert_rc(judge(c), RC_DENIED);
    assert_true(missing(c)->denied);
    /* sold as an approval it is nothing */
    c->n--;
    phone_sends(c, &said, POLICY_D_APPROVE);
    assert_rc(judge(c), RC_VERIFY);
    assert_non_null(strstr(rc_text(), "approval_challenge"));
    assert_int_equal(missing(c)->n_bad, 1);
}

/* ---- what does not count --------------------------------------------------- */

static void an_approval_in_another_way_fills_no_place(void **state)
{
    struct court *c = *state;
    struct auth_said said;
    open_court(c, "profiles.3.approve_with", "[\"ssh\"]");
    ask(c);
    yes(c, "engineer", "alice");
    yes(c, "steward", "carol");
    phone_says(c, &said, POLICY_D_APPROVE);
    phone_sends(c, &said, POLICY_D_APPROVE);
    assert_rc(judge(c), RC_NOT_APPROVED);
    assert_non_null(strstr(rc_text(), "not counting bob (approval_way: "
                                      "local-page"));
    const struct policy_missing *m = missing(c);
    assert_false(m->said[2].counts);
    assert_non_null(strstr(m->said[2].why, "approval_way"));
    assert_true(may(m, "bob")); /* by his SSH key */
    yes(c, "steward", "bob");   /* and it stands in nobody's way */
    assert_ok(judge(c));
    /* a denial is good in any way */
    phone_says(c, &said, POLICY_D_DENY);
    phone_sends(c, &said, POLICY_D_DENY);
    assert_rc(judge(c), RC_DENIED);
}

static void a_sidecars_page_counts_only_where_allowed(void **state)
{
    struct court *c = *state;
    struct auth_said said;
    for (unsigned allowed = 0; allowed < 2; allowed++) {
        open_court(c, "page_origins", "[\"" ORIGIN "\"]");
        if (allowed) {
            json_t *j = json_loadb((const char *)c->p->bytes, c->p->bytes_len,
                                   0, NULL);
            fx_patch(j, "profiles.3.sidecar_page", "true");
            policy_free(c->p);
            c->p = fx_policy_of(j);
            json_decref(j);
        }
        ask(c);
        yes(c, "engineer", "alice");
        yes(c, "steward", "carol");
        phone_says(c, &said, POLICY_D_APPROVE);
        phone_sends(c, &said, POLICY_D_APPROVE);
        assert_int_equal(missing(c)->said[2].way, POLICY_W_SIDECAR_PAGE);
        assert_rc(judge(c), allowed ? RC_OK : RC_NOT_APPROVED);
    }
    /* a policy change never rests on such a page */
    c->n = 0;
    c->s = fx_session(c->p, POLICY_S_POLICY, NULL);
    fx_bind(&c->s, "app", 3);
    fx_record(&c->request, c->s.id, POLICY_D_REQUEST, "requester", "dev");
    yes(c, "steward", "carol");
    phone_says(c, &said, POLICY_D_APPROVE);
    phone_sends(c, &said, POLICY_D_APPROVE);
    assert_rc(judge(c), RC_NOT_APPROVED);
    assert_non_null(strstr(rc_text(), "approval_way"));
}

static void an_ended_credential_fills_no_place(void **state)
{
    struct court *c = *state;
    open_court(c, "persons.3.credentials.0.not_after", "1800000899");
    ask(c);
    yes(c, "engineer", "alice");
    yes(c, "steward", "carol");
    yes(c, "steward", "bob");
    assert_rc(judge(c), RC_NOT_APPROVED);
    assert_non_null(strstr(rc_text(), "approval_expired"));
    /* the same at any time: no clock decides whom the root counts */
    assert_rc(policy_judge(&c->out, c->p, c->genesis, &c->s, &c->request.blob,
                           c->blob, c->n, POLICY_AT_ITS_TIME),
              RC_NOT_APPROVED);
    ask_as(c, "guarded", "dev", "release 2.4", 899); /* ends with it */
    yes(c, "engineer", "alice");
    yes(c, "steward", "carol");
    yes(c, "steward", "bob");
    assert_ok(judge(c));
    /* nor may whoever asks sign by one */
    open_court(c, "persons.0.credentials.0.not_after", "1800000000");
    ask(c);
    assert_rc(judge(c), RC_EXPIRED);
    assert_non_null(strstr(rc_text(), "approval_expired"));
}

static void a_revoked_credential_is_refused(void **state)
{
    struct court *c = *state;
    open_court(c, "persons.3.credentials.0.revoked", "true");
    ask(c);
    yes(c, "steward", "bob");
    assert_rc(judge(c), RC_POLICY);
    assert_non_null(strstr(rc_text(), "approval_revoked"));
    assert_int_equal(missing(c)->n_bad, 1);
}

/* ---- what is missing ------------------------------------------------------- */

static void what_is_missing_is_said_as_data(void **state)
{
    struct court *c = *state;
    open_court(c, NULL, NULL);
    ask(c);
    const struct policy_missing *m = missing(c);
    assert_int_equal(m->need_engineers, 1);
    assert_int_equal(m->need_stewards, 2);
    assert_int_equal(m->have_engineers + m->have_stewards, 0);
    assert_false(m->wants_requester);
    assert_int_equal(m->n_may, 5); /* all but dev */
    assert_false(may(m, "dev"));

    yes(c, "engineer", "alice");
    m = missing(c);
    assert_int_equal(m->have_engineers, 1);
    assert_true(m->said[0].counts);
    assert_int_equal(m->said[0].way, POLICY_W_SSH);
    assert_string_equal(m->said[0].kind, "sshsig");
    assert_int_equal(m->n_may, 3); /* bob, carol, erin */
    assert_false(may(m, "dave"));

    say(c, POLICY_D_REVOKE, "engineer", "alice");
    m = missing(c);
    assert_int_equal(m->have_engineers, 0);
    assert_string_equal(m->said[0].why, "revoked by its maker");
    assert_false(may(m, "alice"));
    assert_true(may(m, "dave"));

    yes(c, "engineer", "dave");
    yes(c, "steward", "bob");
    yes(c, "steward", "carol");
    m = missing(c);
    assert_true(m->complete);
    assert_int_equal(m->n_may, 0);
}

static void who_asks_is_not_among_those_who_may(void **state)
{
    struct court *c = *state;
    ask_as(c, "guarded", "bob", "release 2.4", 900);
    yes(c, "steward", "bob");
    const struct policy_missing *m = missing(c);
    assert_int_equal(m->have_stewards, 0);
    assert_non_null(strstr(m->said[0].why, "approval_requester"));
    assert_false(may(m, "bob"));
    assert_ok(policy_required(&c->m, c->p, &c->s, NULL, c->blob, c->n, FX_NOW,
                              NULL));
    assert_true(c->m.wants_requester);
    /* and once it has ended, nobody may */
    assert_ok(policy_required(&c->m, c->p, &c->s, NULL, c->blob, c->n,
                              c->s.expires, NULL));
    assert_int_equal(c->m.n_may, 0);
}

static void a_deployments_floor_shows_in_what_is_missing(void **state)
{
    struct court *c = *state;
    const struct policy_raise raise = { 2, 0 };
    ask(c);
    assert_ok(policy_required(&c->m, c->p, &c->s, &c->request.blob, c->blob, 0,
                              FX_NOW, &raise));
    assert_int_equal(c->m.need_engineers, 2);
    assert_int_equal(c->m.need_stewards, 2);
}

/* ---- how long, and break-glass --------------------------------------------- */

static void a_session_keeps_to_its_profiles_time(void **state)
{
    struct court *c = *state;
    open_court(c, "profiles.3.max_ttl_s", "899");
    ask(c);
    assert_rc(judge(c), RC_POLICY);
    assert_non_null(strstr(rc_text(), "session_ttl"));
    open_court(c, "profiles.3.max_ttl_s", "900");
    ask(c);
    assert_rc(judge(c), RC_NOT_APPROVED);
}

#define NIGHT                                                                  \
    "{\"name\":\"night\",\"lifetime\":\"persistent\",\"class\":\"artifact\","  \
    "\"threshold\":2,\"nodes\":[1,2,3],\"required\":{\"engineer\":0,"          \
    "\"steward\":2},\"kinds\":[\"raw\",\"cms\",\"dsse\"],\"max_message\":"     \
    "65536,\"certificate\":null,\"sidecar_page\":false,\"break_glass\":true,"  \
    "\"key_of\":\"guarded\"}"

static void breaking_the_glass_wants_a_reason_and_stewards(void **state)
{
    struct court *c = *state;
    static const struct {
        const char *reason;
        enum rc rc;
    } cases[] = {
        { "", RC_POLICY },
        { "too short a reason", RC_POLICY },
        { "                             short", RC_POLICY },
        { "short                             ", RC_POLICY },
        { "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
          "\xc3\xa4\xc3\xa4\xc3\xa4",
          RC_POLICY }, /* 22 bytes, 11 characters */
        { "20 characters, as is", RC_OK },
    };
    open_court(c, "profiles.+", NIGHT);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ask_as(c, "night", "dev", cases[i].reason, 900);
        yes(c, "steward", "bob");
        yes(c, "steward", "carol");
        assert_rc(judge(c), cases[i].rc);
        if (cases[i].rc)
            assert_non_null(strstr(rc_text(), "session_reason"));
    }
    ask_as(c, "night", "dev", "the signing room is on fire", 900);
    yes(c, "steward", "bob");
    yes(c, "engineer", "alice");
    assert_rc(judge(c), RC_NOT_APPROVED);
}

static void a_borrowed_key_is_not_made_by_the_borrowers_name(void **state)
{
    struct court *c = *state;
    open_court(c, "profiles.+", NIGHT);
    c->n = 0;
    c->s = fx_session(c->p, POLICY_S_KEY_CREATE, "night");
    fx_seal(&c->s, NULL, NULL);
    fx_record(&c->request, c->s.id, POLICY_D_REQUEST, "requester", "dev");
    yes(c, "steward", "bob");
    yes(c, "steward", "carol");
    assert_rc(judge(c), RC_POLICY);
    assert_non_null(strstr(rc_text(), "guarded"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phone_and_ssh_key_of_one_person_count_once),
        cmocka_unit_test(a_malleated_signature_counts_once),
        cmocka_unit_test(a_denial_by_phone_stands),
        cmocka_unit_test(an_approval_in_another_way_fills_no_place),
        cmocka_unit_test(a_sidecars_page_counts_only_where_allowed),
        cmocka_unit_test(an_ended_credential_fills_no_place),
        cmocka_unit_test(a_revoked_credential_is_refused),
        cmocka_unit_test(what_is_missing_is_said_as_data),
        cmocka_unit_test(who_asks_is_not_among_those_who_may),
        cmocka_unit_test(a_deployments_floor_shows_in_what_is_missing),
        cmocka_unit_test(a_session_keeps_to_its_profiles_time),
        cmocka_unit_test(breaking_the_glass_wants_a_reason_and_stewards),
        cmocka_unit_test(a_borrowed_key_is_not_made_by_the_borrowers_name),
    };
    return cmocka_run_group_tests(tests, court_new, court_free);
}
