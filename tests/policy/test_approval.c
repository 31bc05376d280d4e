/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One test for each check of an approval, named after it; docs/POLICY.md, the
 * sources and these tests must know the same checks.
 */
#include "test.h"

#include "authenticator.h"
#include "fixture.h"

#include <glob.h>

#include "base/enc.h"
#include "base/file.h"
#include "base/hash.h"

#define ORIGIN "http://localhost:40001"

static const uint8_t session[32] = { 1, 2, 3 };

struct world {
    struct policy *p;
    struct auth bob;     /* ES256, device-bound */
    struct auth erin;    /* EdDSA, may be synced */
    struct auth revoked; /* bob's */
    uint8_t sk[64];      /* carol's security key */
};

static void give(json_t *j, const char *path, const struct auth *a, bool be)
{
    static const char *const origins[] = { "http://localhost", "cli:mpcsign",
                                           "https://localhost" };
    char row[POLICY_CREDENTIAL_MAX];
    auth_row(row, a, "localhost", origins, 3, be);
    fx_patch(j, path, row);
}

static int world_new(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    char row[256], b64[ENC_B64_SIZE(32)];
    uint8_t pk[32];
    if (!w)
        return -1;
    auth_new(&w->bob, POLICY_ES256, "bob's phone");
    auth_new(&w->erin, POLICY_EDDSA, "erin's laptop");
    auth_new(&w->revoked, POLICY_ES256, "bob's lost phone");
    fx_key(pk, w->sk, "carol's security key");
    snprintf(row, sizeof(row),
             "{\"kind\":\"sshsig-sk\",\"key\":\"%s\",\"application\":\"ssh:\","
             "\"verify_required\":true}",
             enc_b64u(b64, pk, 32));
    json_t *j = fx_policy_json(1, fx_zeros);
    give(j, "persons.3.credentials.+", &w->bob, false);
    give(j, "persons.3.credentials.+", &w->revoked, false);
    fx_patch(j, "persons.3.credentials.2.revoked", "true");
    fx_patch(j, "persons.4.credentials.+", row);
    give(j, "persons.5.credentials.+", &w->erin, true);
    w->p = fx_policy_of(j);
    json_decref(j);
    *state = w;
    return 0;
}

static int world_free(void **state)
{
    struct world *w = *state;
    auth_free(&w->bob);
    auth_free(&w->erin);
    auth_free(&w->revoked);
    policy_free(w->p);
    free(w);
    return 0;
}

/* ---- an approval about to be made ------------------------------------------ */

struct made {
    const struct auth *by;
    const char *person;
    const char *role;
    enum policy_decision decision;
    uint8_t session[32];
    uint8_t challenge[32]; /* what is signed */
    const char *type;
    const char *origin;
    const char *more;
    const char *client_data; /* instead of the last three */
    const char *rp_id;
    uint8_t flags;
    unsigned tail;  /* bytes after the authenticator data, signed too */
    bool broken;    /* one bit of the signature flipped */
    const char *id; /* another credential id */
    struct policy_record out;
};

static struct made bob_says(const struct world *w)
{
    struct made m = { .by = &w->bob,
                      .person = "bob",
                      .role = "steward",
                      .decision = POLICY_D_APPROVE,
                      .type = "webauthn.get",
                      .origin = ORIGIN,
                      .more = "",
                      .rp_id = "localhost",
                      .flags = 0x05 };
    memcpy(m.session, session, 32);
    policy_challenge(m.challenge, session, m.decision, m.role, m.person);
    return m;
}

static enum rc send(struct made *m, const struct world *w)
{
    struct auth_said said;
    char record[POLICY_RECORD_MAX];
    size_t len = 0;
    if (m->client_data)
        snprintf(said.client_data, sizeof(said.client_data), "%s",
                 m->client_data);
    else
        auth_client_data(said.client_data, m->type, m->challenge, m->origin,
                         m->more);
    auth_assert(&said, m->by, m->rp_id, m->flags, 7);
    memset(said.auth_data + 37, 0xa0, m->tail);
    said.auth_data_len += m->tail;
    auth_sign(&said, m->by);
    said.signature[said.signature_len - 1] ^= m->broken;
    assert_ok(policy_record_webauthn(
            record, &len, m->session, m->decision, m->role, m->person,
            m->id ? (const void *)m->id : m->by->id,
            m->id ? strlen(m->id) : sizeof(m->by->id), said.client_data,
            strlen(said.client_data), said.auth_data, said.auth_data_len,
            said.signature, said.signature_len));
    return policy_record_check(&m->out, w->p, session, record, len);
}

/* ---- refusals, each by its name -------------------------------------------- */

static char seen[64][32];
static unsigned n_seen;

/* The last error is this check's: its name and a colon. */
static void refused_by(const char *check, enum rc got, enum rc want)
{
    char name[40];
    assert_rc(got, want);
    snprintf(name, sizeof(name), "%s: ", check);
    if (!strstr(rc_text(), name))
        fail_msg("want %s, have: %s", check, rc_text());
    for (unsigned i = 0; i < n_seen; i++)
        if (strcmp(seen[i], check) == 0)
            return;
    assert_true(n_seen < 64);
    snprintf(seen[n_seen++], sizeof(seen[0]), "%s", check);
}

#define REFUSED(check, rc) refused_by(check, send(&m, w), rc)

static void a_good_approval_is_believed(void **state)
{
    struct world *w = *state;
    struct made m = bob_says(w);
    assert_ok(send(&m, w));
    assert_string_equal(m.out.person, "bob");
    assert_string_equal(m.out.kind, "webauthn");
    assert_string_equal(m.out.origin, ORIGIN);
    assert_int_equal(m.out.way, POLICY_W_LOCAL_PAGE);
    assert_true(m.out.has_counter);
    assert_int_equal(m.out.counter, 7);
    m.origin = "cli:mpcsign";
    assert_ok(send(&m, w));
    assert_int_equal(m.out.way, POLICY_W_FIDO2);
    m.origin = "https://localhost";
    assert_ok(send(&m, w));
    assert_int_equal(m.out.way, POLICY_W_SIDECAR_PAGE);
}

static void members_that_browsers_add_are_ignored(void **state)
{
    struct world *w = *state;
    struct made m = bob_says(w);
    m.more = ",\"other_keys_can_be_added_here\":\"do not compare "
             "clientDataJSON against a template\",\"x\":{\"y\":[1]}";
    assert_ok(send(&m, w));
}

static void approval_record_is_strict(void **state)
{
    struct world *w = *state;
    struct fx_record r;
    struct policy_record out;
    fx_record(&r, session, POLICY_D_APPROVE, "steward", "bob");
    refused_by("approval_record",
               policy_record_check(&out, w->p, session, r.text, r.blob.len - 1),
               RC_PARSE);
}

static void approval_session_refuses_another_one(void **state)
{
    struct world *w = *state;
    struct made m = bob_says(w);
    m.session[0] ^= 1;
    REFUSED("approval_session", RC_POLICY);
}

static void approval_person_refuses_strangers(void **state)
{
    struct world *w = *state;
    struct made m = bob_says(w);
    m.person = "mallory";
    REFUSED("approval_person", RC_POLICY);
}

static void approval_role_refuses_a_role_they_have_not(void **state)
{
    struct world *w = *state;
    struct made m = bob_says(w);
    m.role = "engineer";
    REFUSED("approval_role", RC_POLICY);
}

static void approval_credential_refuses_other_peoples(void **state)
{
    struct world *w = *state;
    struct made m = bob_says(w);
    m.person = "carol"; /* a steward too, with bob's assertion */
    REFUSED("approval_credential", RC_POLICY);
    m = bob_says(w);
    m.id = "nobody enrolled this one";
    REFUSED("approval_credential", RC_POLICY);
}

static void approval_revoked_refuses_a_lost_key(void **state)
{
    struct world *w = *state;
    struct made m = bob_says(w);
    m.by = &w->revoked;
    REFUSED("approval_revoked", RC_POLICY);
}

static void approval_auth_data_wants_37_bytes(void **state)
{
    struct world *w = *state;
    struct made m = bob_says(w);
    m.tail = 1;
    REFUSED("approval_auth_data", RC_PARSE);
}

static void approval_attested_refuses_a_registration(void **state)
{
    struct world *w = *state;
    struct made m = bob_says(w);
    m.flags |= 0x40;
    m.tail = 60;
    REFUSED("approval_attested", RC_VERIFY);
}

static void approval_extensions_refuses_them(void **state)
{
    struct world *w = *state;
    struct made m = bob_says(w);
    m.flags |= 0x80;
    m.tail = 1;
    REFUSED("approval_extensions", RC_VERIFY);
}

static void approval_client_data_is_one_bounded_object(void **state)
{
    struct world *w = *state;
    struct made m = bob_says(w);
    char big[5000];
    m.client_data = "{\"type\":\"webauthn.get\",\"type\":\"webauthn.get\"}";
    REFUSED("approval_client_data", RC_PARSE);
    m.client_data = "[]";
    REFUSED("approval_client_data", RC_PARSE);
    m.client_data = "{";
    REFUSED("approval_client_data", RC_PARSE);
    memset(big, ' ', sizeof(big));
    memcpy(big, "{}", 2);
    big[4200] = 0;
    m.client_data = big;
    REFUSED("approval_client_data", RC_TOO_LARGE);
}

static void approval_type_refuses_another_ceremony(void **state)
{
    struct world *w = *state;
    struct made m = bob_says(w);
    m.type = "webauthn.create";
    REFUSED("approval_type", RC_VERIFY);
    m.type = "payment.get";
    REFUSED("approval_type", RC_VERIFY);
}

/* Replayed from another session; denied, and sold as approved; another role. */
static void approval_challenge_refuses_what_was_not_meant(void **state)
{
    struct world *w = *state;
    struct made m = bob_says(w);
    const uint8_t other[32] = { 9 };
    policy_challenge(m.challenge, other, m.decision, "steward", "bob");
    REFUSED("approval_challenge", RC_VERIFY);
    policy_challenge(m.challenge, session, POLICY_D_DENY, "steward", "bob");
    REFUSED("approval_challenge", RC_VERIFY);
    policy_challenge(m.challenge, session, POLICY_D_APPROVE, "engineer", "bob");
    REFUSED("approval_challenge", RC_VERIFY);
    policy_challenge(m.challenge, session, POLICY_D_APPROVE, "steward",
                     "carol");
    REFUSED("approval_challenge", RC_VERIFY);
    m.client_data = "{\"type\":\"webauthn.get\",\"challenge\":\"====\"}";
    REFUSED("approval_challenge", RC_VERIFY);
    m.client_data = "{\"type\":\"webauthn.get\",\"challenge\":7}";
    REFUSED("approval_challenge", RC_VERIFY);
}

static void approval_origin_refuses_another_site(void **state)
{
    struct world *w = *state;
    static const char *const bad[] = {
        "https://evil.test",
        "http://localhost.evil.test:1",
        "http://localhost:1@evil",
        "http://localhost:0",
        "http://localhost:1/",
        "https://localhost:1",
        "http://localhost:123456",
        "http://localhost:",
        "http://127.0.0.1:8443",
        "HTTP://localhost:1",
        "cli:mpcsign ",
        "",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct made m = bob_says(w);
        m.origin = bad[i];
        REFUSED("approval_origin", RC_VERIFY);
    }
}

static void approval_cross_origin_refuses_frames(void **state)
{
    struct world *w = *state;
    struct made m = bob_says(w);
    char text[1024], b64[ENC_B64_SIZE(32)];
    static const char *const bad[] = { "true", "\"false\"", "null", "0" };
    for (size_t i = 0; i < 4; i++) {
        snprintf(text, sizeof(text),
                 "{\"type\":\"webauthn.get\",\"challenge\":\"%s\",\"origin\":"
                 "\"" ORIGIN "\",\"crossOrigin\":%s}",
                 enc_b64u(b64, m.challenge, 32), bad[i]);
        m.client_data = text;
        REFUSED("approval_cross_origin", RC_VERIFY);
    }
}

static void approval_top_origin_refuses_frames(void **state)
{
    struct world *w = *state;
    struct made m = bob_says(w);
    m.more = ",\"topOrigin\":\"" ORIGIN "\"";
    REFUSED("approval_top_origin", RC_VERIFY);
}

static void approval_rp_id_refuses_another_party(void **state)
{
    struct world *w = *state;
    struct made m = bob_says(w);
    m.rp_id = "evil.test";
    REFUSED("approval_rp_id", RC_VERIFY);
}

static void approval_presence_wants_a_touch(void **state)
{
    struct world *w = *state;
    struct made m = bob_says(w);
    m.flags = 0x04;
    REFUSED("approval_presence", RC_VERIFY);
}

static void approval_verification_wants_the_owner(void **state)
{
    struct world *w = *state;
    struct made m = bob_says(w);
    m.flags = 0x01;
    REFUSED("approval_verification", RC_VERIFY);
}

static void approval_signature_is_the_credentials(void **state)
{
    struct world *w = *state;
    struct made m = bob_says(w);
    m.broken = true;
    REFUSED("approval_signature", RC_VERIFY);
    m = bob_says(w); /* erin's key under bob's credential id */
    struct auth other = w->erin;
    memcpy(other.id, w->bob.id, sizeof(other.id));
    m.by = &other;
    REFUSED("approval_signature", RC_VERIFY);
}

static void approval_backup_is_as_enrolled(void **state)
{
    struct world *w = *state;
    struct made m = bob_says(w);
    m.flags = 0x05 | 0x08;
    REFUSED("approval_backup", RC_VERIFY);
    m.flags = 0x05 | 0x10; /* backed up, and not eligible */
    REFUSED("approval_backup", RC_VERIFY);
    m = bob_says(w);
    m.person = "erin";
    m.by = &w->erin;
    policy_challenge(m.challenge, session, m.decision, m.role, m.person);
    REFUSED("approval_backup", RC_VERIFY);
    m.flags = 0x05 | 0x08 | 0x10;
    assert_ok(send(&m, w));
}

/* ---- SSH signatures -------------------------------------------------------- */

/* carol's record around a blob; built by hand, as the maker would check it. */
static enum rc send_ssh(const struct world *w, const char *kind,
                        const uint8_t key[32], const uint8_t *blob, size_t len)
{
    char text[POLICY_RECORD_MAX], b64[ENC_B64_SIZE(1024)], id[ENC_B64_SIZE(32)],
            hex[ENC_HEX_SIZE(32)];
    uint8_t hash[32];
    struct policy_record out;
    hash256(hash, key, 32);
    snprintf(text, sizeof(text),
             "{\"v\":1,\"session\":\"%s\",\"person\":\"carol\",\"role\":"
             "\"steward\",\"decision\":1,\"kind\":\"%s\",\"credential\":\"%s\","
             "\"client_data\":\"\",\"auth_data\":\"\",\"signature\":\"%s\"}",
             enc_hex(hex, session, 32), kind, enc_b64u(id, hash, 32),
             enc_b64u(b64, blob, len));
    enum rc rc = policy_record_check(&out, w->p, session, text, strlen(text));
    if (rc == RC_OK && strcmp(kind, "sshsig-sk") == 0) {
        assert_true(out.has_counter);
        assert_int_equal(out.way, POLICY_W_SSH);
    }
    return rc;
}

struct sk_made {
    const char *application;
    uint8_t flags;
    uint8_t blob[1024];
    size_t len;
};

static void sk_make(struct sk_made *m, const struct world *w,
                    const char *application, uint8_t flags)
{
    uint8_t challenge[32];
    policy_challenge(challenge, session, POLICY_D_APPROVE, "steward", "carol");
    m->len = auth_sk(m->blob, w->sk, application, flags, 41, challenge);
}

static enum rc send_sk(const struct world *w, const struct sk_made *m)
{
    return send_ssh(w, "sshsig-sk", w->sk + 32, m->blob, m->len);
}

static void a_security_key_approves_through_ssh(void **state)
{
    struct world *w = *state;
    struct sk_made m;
    char record[POLICY_RECORD_MAX];
    size_t len = 0;
    struct policy_record out;
    sk_make(&m, w, "ssh:", 0x05);
    assert_ok(send_sk(w, &m));
    assert_ok(policy_record_sshsig(record, &len, session, POLICY_D_APPROVE,
                                   "steward", "carol", w->sk + 32,
                                   (const char *)m.blob, m.len));
    assert_ok(policy_record_check(&out, w->p, session, record, len));
    assert_string_equal(out.kind, "sshsig-sk");
    assert_int_equal(out.counter, 41);
    for (size_t i = 0; i < m.len; i++) { /* every byte matters */
        m.blob[i] ^= 1;
        assert_int_not_equal(send_sk(w, &m), RC_OK);
        m.blob[i] ^= 1;
    }
}

static void approval_sshsig_is_an_ed25519_one(void **state)
{
    struct world *w = *state;
    struct sk_made m;
    sk_make(&m, w, "ssh:", 0x05);
    m.len--;
    refused_by("approval_sshsig", send_sk(w, &m), RC_PARSE);
    m.len = sizeof(m.blob);
    memset(m.blob + 6, 0, m.len - 6);
    refused_by("approval_sshsig", send_sk(w, &m), RC_PARSE);
}

static void approval_namespace_is_ours(void **state)
{
    struct world *w = *state;
    struct sk_made m;
    sk_make(&m, w, "ssh:", 0x05);
    uint8_t *at = memmem(m.blob, m.len, "approve@", 8);
    at[0] ^= 1;
    refused_by("approval_namespace", send_sk(w, &m), RC_VERIFY);
}

static void approval_reserved_is_empty(void **state)
{
    struct world *w = *state;
    struct sk_made m;
    sk_make(&m, w, "ssh:", 0x05);
    uint8_t *at = memmem(m.blob, m.len, "mpcsign", 7);
    at += 7; /* u32 0 and u32 6 "sha512" become u32 4 and four bytes */
    memmove(at + 8, at + 4, m.len - (size_t)(at + 4 - m.blob));
    at[3] = 4;
    m.len += 4;
    refused_by("approval_reserved", send_sk(w, &m), RC_VERIFY);
}

static void approval_key_is_the_credentials(void **state)
{
    struct world *w = *state;
    struct sk_made m;
    uint8_t pk[32], sk[64], challenge[32];
    policy_challenge(challenge, session, POLICY_D_APPROVE, "steward", "carol");
    fx_key(pk, sk, "somebody else's");
    m.len = auth_sk(m.blob, sk, "ssh:", 0x05, 1, challenge);
    refused_by("approval_key", send_sk(w, &m), RC_VERIFY);
    /* an ordinary signature of the security key's number is none by it */
    assert_ok(policy_sshsig_make(m.blob, sizeof(m.blob), &m.len, challenge,
                                 w->sk));
    refused_by("approval_key", send_sk(w, &m), RC_VERIFY);
    /* nor the other way round: carol's file key, as a security key */
    fx_key(pk, sk, "carol");
    m.len = auth_sk(m.blob, sk, "ssh:", 0x05, 1, challenge);
    refused_by("approval_key", send_ssh(w, "sshsig", pk, m.blob, m.len),
               RC_VERIFY);
}

static void approval_application_is_the_credentials(void **state)
{
    struct world *w = *state;
    struct sk_made m;
    sk_make(&m, w, "ssh:other", 0x05);
    refused_by("approval_application", send_sk(w, &m), RC_VERIFY);
}

static void approval_presence_and_verification_bind_security_keys(void **state)
{
    struct world *w = *state;
    struct sk_made m;
    sk_make(&m, w, "ssh:", 0x04);
    refused_by("approval_presence", send_sk(w, &m), RC_VERIFY);
    sk_make(&m, w, "ssh:", 0x01);
    refused_by("approval_verification", send_sk(w, &m), RC_VERIFY);
}

static void approval_hash_is_sha2(void **state)
{
    struct world *w = *state;
    struct sk_made m;
    sk_make(&m, w, "ssh:", 0x05);
    uint8_t *at = memmem(m.blob, m.len, "sha512", 6);
    at[5] = '3';
    refused_by("approval_hash", send_sk(w, &m), RC_VERIFY);
}

/* ---- against a session ----------------------------------------------------- */

struct asked {
    struct policy *p;
    struct policy_session s;
    char record[POLICY_RECORD_MAX];
    size_t len;
};

/* dev asks for guarded; bob approves on his localhost page, at index 3. */
static void ask(struct asked *a, struct world *w, const char *path,
                const char *value, const char *requester)
{
    struct auth_said said;
    uint8_t challenge[32];
    json_t *j = fx_policy_json(1, fx_zeros);
    give(j, "persons.3.credentials.0", &w->bob, false);
    if (path)
        fx_patch(j, path, value);
    a->p = fx_policy_of(j);
    json_decref(j);
    a->s = fx_session(a->p, POLICY_S_SIGN, "guarded");
    snprintf(a->s.requester, sizeof(a->s.requester), "%s", requester);
    fx_bind(&a->s, "app", 3);
    policy_challenge(challenge, a->s.id, POLICY_D_APPROVE, "steward", "bob");
    auth_client_data(said.client_data, "webauthn.get", challenge, ORIGIN, "");
    auth_assert(&said, &w->bob, "localhost", 0x05, 1);
    assert_ok(policy_record_webauthn(
            a->record, &a->len, a->s.id, POLICY_D_APPROVE, "steward", "bob",
            w->bob.id, 32, said.client_data, strlen(said.client_data),
            said.auth_data, said.auth_data_len, said.signature,
            said.signature_len));
}

static enum rc arrive(struct asked *a)
{
    struct policy_record out;
    enum rc rc = policy_approval_check(&out, a->p, &a->s, a->record, a->len,
                                       FX_NOW);
    policy_free(a->p);
    return rc;
}

static void approval_expired_refuses_an_ended_credential(void **state)
{
    struct world *w = *state;
    struct asked a;
    ask(&a, w, "persons.3.credentials.0.not_after", "1800000899", "dev");
    refused_by("approval_expired", arrive(&a), RC_EXPIRED);
    ask(&a, w, "persons.3.credentials.0.not_after", "1800000900", "dev");
    assert_ok(arrive(&a));
    /* and nothing is taken once the session has ended */
    ask(&a, w, NULL, NULL, "dev");
    a.s.expires = FX_NOW;
    assert_rc(arrive(&a), RC_EXPIRED);
}

static void approval_way_is_the_profiles(void **state)
{
    struct world *w = *state;
    struct asked a;
    ask(&a, w, "profiles.3.approve_with", "[\"ssh\",\"local-page\"]", "dev");
    assert_ok(arrive(&a));
    ask(&a, w, "page_origins", "[\"" ORIGIN "\"]", "dev");
    refused_by("approval_way", arrive(&a), RC_POLICY);
    assert_non_null(strstr(rc_text(), "sidecar-page"));
}

static void approval_requester_does_not_approve(void **state)
{
    struct world *w = *state;
    struct asked a;
    ask(&a, w, NULL, NULL, "bob");
    refused_by("approval_requester", arrive(&a), RC_POLICY);
}

/* ---- enrolment ------------------------------------------------------------- */

struct joins {
    struct auth a;
    const char *rp_id;
    uint8_t flags;
    bool packed;
    uint8_t object[1200];
    size_t len;
    char client_data[6000];
    struct policy_credential out;
};

static const uint8_t invite[32] = { 4, 5, 6 };

static void joins_new(struct joins *e, enum policy_alg alg, bool packed,
                      uint8_t flags)
{
    auth_new(&e->a, alg, "new");
    auth_client_data(e->client_data, "webauthn.create", invite, ORIGIN, "");
    e->len = auth_object(e->object, &e->a, e->client_data, "localhost", flags,
                         packed);
}

static enum rc joins_try(struct joins *e)
{
    static const char *const origins[] = { "http://localhost" };
    return policy_webauthn_register(&e->out, invite, "localhost", origins, 1,
                                    e->client_data, strlen(e->client_data),
                                    e->object, e->len);
}

static void a_registration_becomes_a_credential(void **state)
{
    (void)state;
    static const enum policy_alg algs[] = { POLICY_ES256, POLICY_EDDSA,
                                            POLICY_ES384, POLICY_RS256 };
    for (unsigned i = 0; i < 8; i++) {
        struct joins e;
        char row[POLICY_CREDENTIAL_MAX], words[POLICY_WORDS_MAX];
        size_t len = 0;
        struct policy_credential back;
        joins_new(&e, algs[i / 2], i & 1, i == 2 ? 0x4d : 0x45);
        assert_ok(joins_try(&e));
        assert_int_equal(e.out.alg, algs[i / 2]);
        assert_memory_equal(e.out.raw_id, e.a.id, 32);
        assert_int_equal(e.out.cose_len, e.a.cose_len);
        assert_memory_equal(e.out.cose, e.a.cose, e.a.cose_len);
        assert_int_equal(e.out.backup_eligible, i == 2);
        assert_ok(policy_credential_write(row, sizeof(row), &len, &e.out));
        assert_ok(policy_credential_parse(&back, row, len));
        assert_memory_equal(&back, &e.out, sizeof(back));
        policy_credential_words(words, &back);
        unsigned spaces = 0;
        for (const char *c = words; *c; c++)
            spaces += *c == ' ';
        assert_int_equal(spaces, 5);
        assert_rc(policy_credential_write(row, len, &len, &e.out),
                  RC_TOO_LARGE);
        auth_free(&e.a);
    }
}

static void a_registration_is_checked_as_an_assertion_is(void **state)
{
    (void)state;
    struct joins e;
    joins_new(&e, POLICY_EDDSA, false, 0x45);
    auth_client_data(e.client_data, "webauthn.get", invite, ORIGIN, "");
    refused_by("approval_type", joins_try(&e), RC_VERIFY);
    auth_client_data(e.client_data, "webauthn.create", session, ORIGIN, "");
    refused_by("approval_challenge", joins_try(&e), RC_VERIFY);
    auth_client_data(e.client_data, "webauthn.create", invite, "https://e.test",
                     "");
    refused_by("approval_origin", joins_try(&e), RC_VERIFY);
    auth_free(&e.a);
    joins_new(&e, POLICY_EDDSA, false, 0x44);
    refused_by("approval_presence", joins_try(&e), RC_VERIFY);
    auth_free(&e.a);
    joins_new(&e, POLICY_EDDSA, false, 0x41);
    refused_by("approval_verification", joins_try(&e), RC_VERIFY);
    auth_free(&e.a);
}

static void enrol_attestation_is_none_or_the_keys_own(void **state)
{
    (void)state;
    struct joins e;
    joins_new(&e, POLICY_ES256, true, 0x45);
    uint8_t *at = memmem(e.object, e.len, "sig\x58", 4);
    at[30] ^= 1;
    refused_by("enrol_attestation", joins_try(&e), RC_VERIFY);
    at[30] ^= 1;
    at = memmem(e.object, e.len, "alg\x26", 4);
    at[3] = 0x27; /* says EdDSA */
    refused_by("enrol_attestation", joins_try(&e), RC_VERIFY);
    at[3] = 0x26;
    at = memmem(e.object, e.len, "packed", 6);
    memcpy(at, "vendor", 6);
    refused_by("enrol_attestation", joins_try(&e), RC_POLICY);
    assert_non_null(strstr(rc_hint_text(), "none"));
    memcpy(at, "packed", 6);
    assert_ok(joins_try(&e));
    e.object[e.len++] = 0;
    refused_by("enrol_attestation", joins_try(&e), RC_PARSE);
    for (e.len = 0; e.len < 200; e.len++) /* cut off anywhere */
        assert_int_not_equal(joins_try(&e), RC_OK);
    auth_free(&e.a);
}

static void enrol_auth_data_holds_the_key(void **state)
{
    (void)state;
    struct joins e;
    joins_new(&e, POLICY_ES256, false, 0x05);
    refused_by("enrol_auth_data", joins_try(&e), RC_PARSE);
    auth_free(&e.a);
}

static void enrol_extensions_are_refused(void **state)
{
    (void)state;
    struct joins e;
    joins_new(&e, POLICY_ES256, false, 0xc5);
    refused_by("enrol_extensions", joins_try(&e), RC_VERIFY);
    auth_free(&e.a);
}

static void enrol_credential_id_is_1_to_1023_bytes(void **state)
{
    (void)state;
    struct joins e;
    joins_new(&e, POLICY_ES256, false, 0x45);
    uint8_t *at = memmem(e.object, e.len, "authenticatorid.", 16);
    memcpy(at + 16, "\x04\x00", 2);
    refused_by("enrol_credential_id", joins_try(&e), RC_PARSE);
    memcpy(at + 16, "\x00\x00", 2);
    refused_by("enrol_credential_id", joins_try(&e), RC_PARSE);
    auth_free(&e.a);
}

static void enrol_key_is_of_an_algorithm_we_take(void **state)
{
    (void)state;
    struct joins e;
    joins_new(&e, POLICY_ES256, false, 0x45);
    uint8_t *at = memmem(e.object, e.len, "\xa5\x01\x02\x03\x26", 5);
    static const uint8_t other[] = { 0x27, 0x38, 0x28, 0x2e };
    for (size_t i = 0; i < sizeof(other); i++) {
        at[4] = other[i]; /* an EC key that says EdDSA, say */
        refused_by("enrol_key", joins_try(&e), RC_PARSE);
    }
    at[4] = 0x26;
    at[12] ^= 1; /* off the curve */
    refused_by("enrol_key", joins_try(&e), RC_PARSE);
    auth_free(&e.a);
    /* a point of small order, under which anything is signed */
    joins_new(&e, POLICY_EDDSA, false, 0x45);
    at = memmem(e.object, e.len, "\xa4\x01\x01\x03\x27", 5);
    memset(at + 10, 0, 32);
    at[10] = 1;
    refused_by("enrol_key", joins_try(&e), RC_PARSE);
    auth_free(&e.a);
}

/* The key of an SSHSIG over the challenge, of either kind. */
static void an_ssh_key_enrols_by_signing(void **state)
{
    struct world *w = *state;
    uint8_t blob[1024], pk[32], sk[64];
    size_t len = 0;
    struct policy_credential c;
    fx_key(pk, sk, "new");
    assert_ok(policy_sshsig_make(blob, sizeof(blob), &len, invite, sk));
    assert_ok(policy_sshsig_register(&c, invite, (const char *)blob, len));
    assert_string_equal(c.kind, "sshsig");
    assert_memory_equal(c.key, pk, 32);
    refused_by("approval_signature",
               policy_sshsig_register(&c, session, (const char *)blob, len),
               RC_VERIFY);
    len = auth_sk(blob, w->sk, "ssh:work", 0x05, 9, invite);
    assert_ok(policy_sshsig_register(&c, invite, (const char *)blob, len));
    assert_string_equal(c.kind, "sshsig-sk");
    assert_string_equal(c.application, "ssh:work");
    assert_true(c.verify_required);
    static const char *const bad[] = { "web:work", "ssh", "ssh:a b", "ssh:\n",
                                       "ssh:\xff" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        len = auth_sk(blob, w->sk, bad[i], 0x05, 9, invite);
        refused_by("approval_application",
                   policy_sshsig_register(&c, invite, (const char *)blob, len),
                   RC_PARSE);
    }
}

/* ---- the names ------------------------------------------------------------- */

static bool name_of(char out[32], const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
    if (n == 0 || n >= 32)
        return false;
    memcpy(out, text, n);
    out[n] = 0;
    return text[n] == ':' || text[n] == '`';
}

static bool was_seen(const char *name)
{
    for (unsigned i = 0; i < n_seen; i++)
        if (strcmp(seen[i], name) == 0)
            return true;
    return false;
}

static char *whole(const char *path)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    assert_ok(file_read(&bytes, &len, path, 1 << 20));
    char *text = malloc(len + 1);
    assert_non_null(text);
    memcpy(text, bytes, len);
    text[len] = 0;
    free(bytes);
    return text;
}

/* Every mark in the file that a check's name follows was provoked above. */
static void must_know(const char *path, const char *mark)
{
    char *text = whole(path), name[32];
    for (const char *at = text; (at = strstr(at, mark)); at += strlen(mark))
        if (name_of(name, strpbrk(at, "ae")) && !was_seen(name))
            fail_msg("%s: %s is no check that a test provokes", path, name);
    free(text);
}

static void docs_sources_and_tests_know_the_same_checks(void **state)
{
    (void)state;
    static const char docs[] = MPC_SOURCE_DIR "/docs/POLICY.md";
    glob_t g;
    assert_int_equal(glob(MPC_SOURCE_DIR "/policy/*.c", 0, NULL, &g), 0);
    for (size_t i = 0; i < g.gl_pathc; i++) {
        must_know(g.gl_pathv[i], "\"approval_");
        must_know(g.gl_pathv[i], "\"enrol_");
    }
    globfree(&g);
    must_know(docs, "| `approval_");
    must_know(docs, "| `enrol_");
    char *text = whole(docs), row[48];
    for (unsigned i = 0; i < n_seen; i++) {
        snprintf(row, sizeof(row), "\n| `%s` |", seen[i]);
        if (!strstr(text, row))
            fail_msg("docs/POLICY.md has no row for %s", seen[i]);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_approval_is_believed),
        cmocka_unit_test(members_that_browsers_add_are_ignored),
        cmocka_unit_test(approval_record_is_strict),
        cmocka_unit_test(approval_session_refuses_another_one),
        cmocka_unit_test(approval_person_refuses_strangers),
        cmocka_unit_test(approval_role_refuses_a_role_they_have_not),
        cmocka_unit_test(approval_credential_refuses_other_peoples),
        cmocka_unit_test(approval_revoked_refuses_a_lost_key),
        cmocka_unit_test(approval_auth_data_wants_37_bytes),
        cmocka_unit_test(approval_attested_refuses_a_registration),
        cmocka_unit_test(approval_extensions_refuses_them),
        cmocka_unit_test(approval_client_data_is_one_bounded_object),
        cmocka_unit_test(approval_type_refuses_another_ceremony),
        cmocka_unit_test(approval_challenge_refuses_what_was_not_meant),
        cmocka_unit_test(approval_origin_refuses_another_site),
        cmocka_unit_test(approval_cross_origin_refuses_frames),
        cmocka_unit_test(approval_top_origin_refuses_frames),
        cmocka_unit_test(approval_rp_id_refuses_another_party),
        cmocka_unit_test(approval_presence_wants_a_touch),
        cmocka_unit_test(approval_verification_wants_the_owner),
        cmocka_unit_test(approval_signature_is_the_credentials),
        cmocka_unit_test(approval_backup_is_as_enrolled),
        cmocka_unit_test(a_security_key_approves_through_ssh),
        cmocka_unit_test(approval_sshsig_is_an_ed25519_one),
        cmocka_unit_test(approval_namespace_is_ours),
        cmocka_unit_test(approval_reserved_is_empty),
        cmocka_unit_test(approval_key_is_the_credentials),
        cmocka_unit_test(approval_application_is_the_credentials),
        cmocka_unit_test(approval_presence_and_verification_bind_security_keys),
        cmocka_unit_test(approval_hash_is_sha2),
        cmocka_unit_test(approval_expired_refuses_an_ended_credential),
        cmocka_unit_test(approval_way_is_the_profiles),
        cmocka_unit_test(approval_requester_does_not_approve),
        cmocka_unit_test(a_registration_becomes_a_credential),
        cmocka_unit_test(a_registration_is_checked_as_an_assertion_is),
        cmocka_unit_test(enrol_attestation_is_none_or_the_keys_own),
        cmocka_unit_test(enrol_auth_data_holds_the_key),
        cmocka_unit_test(enrol_extensions_are_refused),
        cmocka_unit_test(enrol_credential_id_is_1_to_1023_bytes),
        cmocka_unit_test(enrol_key_is_of_an_algorithm_we_take),
        cmocka_unit_test(an_ssh_key_enrols_by_signing),
        cmocka_unit_test(docs_sources_and_tests_know_the_same_checks),
    };
    return cmocka_run_group_tests(tests, world_new, world_free);
}
