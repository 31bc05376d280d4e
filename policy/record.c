/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Approval records, FORMATS section 3: made by the approver's client, checked
 * by every sidecar against its own policy. The key always comes from the
 * policy, never from the record. Public data.
 */
#include "policy/policy.h"

#include <string.h>

#include "base/bytes.h"
#include "base/enc.h"
#include "base/hash.h"
#include "policy/credential.h"
#include "policy/sshsig.h"

void policy_challenge(uint8_t out[32], const uint8_t session[32],
                      enum policy_decision decision, const char *role,
                      const char *person)
{
    static const char tag[] = "mpc/approval/v1";
    uint8_t d = (uint8_t)decision;
    uint8_t role_len = (uint8_t)strnlen(role, UINT8_MAX);
    uint8_t person_len = (uint8_t)strnlen(person, UINT8_MAX);
    const struct hash_part parts[] = {
        { tag, sizeof(tag) },   { session, 32 },    { &d, 1 },
        { &role_len, 1 },       { role, role_len }, { &person_len, 1 },
        { person, person_len },
    };
    hash256_parts(out, parts, sizeof(parts) / sizeof(parts[0]));
}

/* ---- making ---------------------------------------------------------------- */

static enum rc check_names(enum policy_decision decision, const char *role,
                           const char *person)
{
    if (!policy_name_ok(role) || !policy_name_ok(person))
        return rc_raise(RC_ARG, "record: want role and person "
                                "[a-z0-9._-]{1,64}");
    if ((unsigned)decision > POLICY_D_REVOKE)
        return rc_raise(RC_ARG, "record: no such decision");
    return RC_OK;
}

/* A record of these parts, NUL-terminated. */
struct draft {
    const uint8_t *session; /* [32] */
    enum policy_decision decision;
    const char *role;
    const char *person;
    const char *kind;
    struct policy_part credential;
    struct policy_part client_data;
    struct policy_part auth_data;
    struct policy_part signature;
};

static json_t *b64u_of(struct policy_part part)
{
    char text[ENC_B64_SIZE(POLICY_RECORD_MAX)];
    return part.len < POLICY_RECORD_MAX
                   ? json_string(enc_b64u(text, part.p, part.len))
                   : NULL;
}

static enum rc write_record(char out[POLICY_RECORD_MAX], size_t *len,
                            const struct draft *d)
{
    char session[ENC_HEX_SIZE(32)];
    OWNED(json_t) *root = json_pack(
            "{s:i, s:s, s:s, s:s, s:i, s:s, s:o, s:o, s:o, s:o}", "v", 1,
            "session", enc_hex(session, d->session, 32), "person", d->person,
            "role", d->role, "decision", (int)d->decision, "kind", d->kind,
            "credential", b64u_of(d->credential), "client_data",
            b64u_of(d->client_data), "auth_data", b64u_of(d->auth_data),
            "signature", b64u_of(d->signature));
    if (!root)
        return rc_raise(RC_NOMEM, "record");
    size_t n = json_dumpb(root, out, POLICY_RECORD_MAX - 1, JSON_COMPACT);
    if (n == 0 || n >= POLICY_RECORD_MAX)
        return rc_raise(RC_TOO_LARGE, "record: %zu bytes, at most %d", n,
                        POLICY_RECORD_MAX - 1);
    out[n] = 0;
    *len = n;
    return RC_OK;
}

enum rc policy_record_sshsig(char out[POLICY_RECORD_MAX], size_t *len,
                             const uint8_t session[32],
                             enum policy_decision decision, const char *role,
                             const char *person, const uint8_t key[32],
                             const char *sshsig, size_t sshsig_len)
{
    TRY(check_names(decision, role, person));
    uint8_t blob[POLICY_SSHSIG_MAX], challenge[32];
    size_t blob_len;
    struct policy_sshsig s;
    struct policy_credential c;
    TRY(policy_sshsig_open(blob, &blob_len, sshsig, sshsig_len));
    TRY(policy_sshsig_parse(&s, blob, blob_len));
    policy_challenge(challenge, session, decision, role, person);
    policy_sshsig_credential(&c, &s);
    memcpy(c.key, key, 32);
    TRY(policy_sshsig_check(&s, challenge, &c));
    const struct draft d = {
        .session = session,
        .decision = decision,
        .role = role,
        .person = person,
        .kind = c.kind,
        .credential = { c.id, sizeof(c.id) },
        .signature = { blob, blob_len },
    };
    return write_record(out, len, &d);
}

enum rc policy_record_webauthn(char out[POLICY_RECORD_MAX], size_t *len,
                               const uint8_t session[32],
                               enum policy_decision decision, const char *role,
                               const char *person, const void *credential,
                               size_t credential_len, const void *client_data,
                               size_t client_data_len, const void *auth_data,
                               size_t auth_data_len, const void *signature,
                               size_t signature_len)
{
    TRY(check_names(decision, role, person));
    const struct draft d = {
        .session = session,
        .decision = decision,
        .role = role,
        .person = person,
        .kind = POLICY_WEBAUTHN,
        .credential = { credential, credential_len },
        .client_data = { client_data, client_data_len },
        .auth_data = { auth_data, auth_data_len },
        .signature = { signature, signature_len },
    };
    return write_record(out, len, &d);
}

/* ---- reading --------------------------------------------------------------- */

struct record { /* parsed, not believed */
    struct policy_record r;
    struct policy_part credential;
    struct policy_assertion a;      /* sshsig: its signature only */
    uint8_t mem[POLICY_RECORD_MAX]; /* what the parts point into */
    size_t used;
};

static enum rc parse_part(struct policy_part *out, struct record *r,
                          const struct policy_obj *o, const char *key)
{
    size_t len = 0;
    TRY(policy_obj_b64u(r->mem + r->used, sizeof(r->mem) - r->used, &len, o,
                        key));
    *out = (struct policy_part){ r->mem + r->used, len };
    r->used += len;
    return RC_OK;
}

static enum rc parse_parts(struct record *out, const struct policy_obj *o)
{
    TRY(policy_obj_text(out->r.kind, sizeof(out->r.kind), o, "kind"));
    TRY(parse_part(&out->credential, out, o, "credential"));
    TRY(parse_part(&out->a.client_data, out, o, "client_data"));
    TRY(parse_part(&out->a.auth_data, out, o, "auth_data"));
    TRY(parse_part(&out->a.signature, out, o, "signature"));
    if (strcmp(out->r.kind, POLICY_WEBAUTHN) == 0)
        return RC_OK;
    if (strcmp(out->r.kind, POLICY_SSHSIG) != 0 &&
        strcmp(out->r.kind, POLICY_SSHSIG_SK) != 0)
        return rc_raise(RC_PARSE, "record.kind: want sshsig, sshsig-sk or "
                                  "webauthn");
    if (out->a.client_data.len || out->a.auth_data.len)
        return rc_raise(RC_PARSE, "record: client_data and auth_data are "
                                  "WebAuthn's");
    if (out->credential.len != 32)
        return rc_raise(RC_PARSE, "record.credential: %zu bytes, want 32",
                        out->credential.len);
    return RC_OK;
}

static enum rc parse(struct record *out, const void *bytes, size_t len)
{
    static const char *const keys[] = {
        "v",         "session",   "person",     "role",
        "decision",  "kind",      "credential", "client_data",
        "auth_data", "signature", NULL
    };
    OWNED(json_t) *root = NULL;
    TRY(policy_json_open(&root, bytes, len, POLICY_RECORD_MAX - 1, "record"));
    struct policy_obj o;
    TRY(policy_obj_of(&o, root, keys, "record"));
    TRY(policy_obj_v1(&o));
    TRY(policy_obj_hex(out->r.session, 32, &o, "session"));
    TRY(policy_obj_name(out->r.person, &o, "person"));
    TRY(policy_obj_name(out->r.role, &o, "role"));
    int64_t decision = 0;
    TRY(policy_obj_int(&decision, &o, "decision", 0, POLICY_D_REVOKE));
    out->r.decision = (enum policy_decision)decision;
    return parse_parts(out, &o);
}

const char *policy_decision_name(enum policy_decision d)
{
    static const char *const name[] = { "request", "approve", "deny",
                                        "revoke" };
    return (unsigned)d <= POLICY_D_REVOKE ? name[d] : "?";
}

/* ---- checking -------------------------------------------------------------- */

static enum rc check_role(const struct policy_person *who,
                          const struct policy_record *r)
{
    bool ok = r->decision == POLICY_D_REQUEST
                      ? strcmp(r->role, "requester") == 0
                      : (strcmp(r->role, "engineer") == 0 && who->engineer) ||
                                (strcmp(r->role, "steward") == 0 &&
                                 who->steward);
    if (!ok)
        return rc_raise(RC_POLICY, "approval_role: may not %s as %s",
                        policy_decision_name(r->decision), r->role);
    return RC_OK;
}

static bool names(const struct record *r, const struct policy_credential *c)
{
    if (strcmp(c->kind, r->r.kind) != 0)
        return false;
    return strcmp(c->kind, POLICY_WEBAUTHN) == 0
                   ? r->credential.len == c->raw_id_len &&
                             memcmp(r->credential.p, c->raw_id,
                                    c->raw_id_len) == 0
                   : memcmp(r->credential.p, c->id, sizeof(c->id)) == 0;
}

static enum rc find_credential(const struct policy_credential **out,
                               const struct policy_person *who,
                               const struct record *r)
{
    for (unsigned i = 0; i < who->n_credentials; i++) {
        if (!names(r, &who->credential[i]))
            continue;
        if (who->credential[i].revoked)
            return rc_raise(RC_POLICY, "approval_revoked: the credential is "
                                       "revoked");
        *out = &who->credential[i];
        return RC_OK;
    }
    return rc_raise(RC_POLICY, "approval_credential: not one of theirs");
}

static enum rc check_signature(struct record *r,
                               const struct policy_credential *c,
                               const uint8_t challenge[32])
{
    struct policy_sshsig s;
    if (strcmp(c->kind, POLICY_WEBAUTHN) == 0) {
        r->r.has_counter = true;
        return policy_webauthn_check(r->r.origin, &r->r.counter, c,
                                     (struct policy_part){ challenge, 32 },
                                     &r->a);
    }
    if (r->a.signature.len > POLICY_SSHSIG_MAX)
        return rc_raise(RC_TOO_LARGE, "approval_sshsig: %zu bytes, at most %d",
                        r->a.signature.len, POLICY_SSHSIG_MAX);
    TRY(policy_sshsig_parse(&s, r->a.signature.p, r->a.signature.len));
    TRY(policy_sshsig_check(&s, challenge, c));
    r->r.has_counter = s.sk;
    r->r.counter = s.counter;
    return RC_OK;
}

static enum rc check(struct record *r, const struct policy *p,
                     const uint8_t session[32])
{
    const struct policy_credential *c = NULL;
    uint8_t challenge[32];
    if (memcmp(r->r.session, session, 32) != 0)
        return rc_raise(RC_POLICY,
                        "approval_session: decided on session %02x%02x…, not "
                        "on this one",
                        r->r.session[0], r->r.session[1]);
    const struct policy_person *who = policy_person_find(p, r->r.person);
    if (!who)
        return rc_raise(RC_POLICY,
                        "approval_person: no person of policy version %llu",
                        (unsigned long long)p->version);
    TRY(check_role(who, &r->r));
    TRY(find_credential(&c, who, r));
    policy_challenge(challenge, session, r->r.decision, r->r.role, r->r.person);
    TRY(check_signature(r, c, challenge));
    memcpy(r->r.credential, c->id, sizeof(c->id));
    r->r.not_after = c->not_after;
    r->r.way = policy_way_of(p, c->kind, r->r.origin);
    return RC_OK;
}

enum rc policy_record_check(struct policy_record *out, const struct policy *p,
                            const uint8_t session[32], const void *bytes,
                            size_t len)
{
    struct record r;
    memset(&r.r, 0, sizeof(r.r));
    r.used = 0;
    enum rc rc = parse(&r, bytes, len);
    if (rc)
        return rc_prefix(rc, "approval_record: ");
    rc = check(&r, p, session);
    if (rc)
        return rc_prefix(rc, "record of %s: ", r.r.person);
    *out = r.r;
    return RC_OK;
}
