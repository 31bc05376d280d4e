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
#include "policy/json.h"
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

enum rc policy_record_sshsig(char out[POLICY_RECORD_MAX], size_t *len,
                             const uint8_t session[32],
                             enum policy_decision decision, const char *role,
                             const char *person, const uint8_t key[32],
                             const char *sshsig, size_t sshsig_len)
{
    TRY(check_names(decision, role, person));
    uint8_t blob[POLICY_SSHSIG_MAX], challenge[32], id[32];
    size_t blob_len;
    TRY(policy_sshsig_open(blob, &blob_len, sshsig, sshsig_len));
    policy_challenge(challenge, session, decision, role, person);
    TRY(policy_sshsig_check(blob, blob_len, challenge, key));
    hash256(id, key, 32);

    char id_text[ENC_B64_SIZE(32)], sig[ENC_B64_SIZE(POLICY_SSHSIG_MAX)];
    char session_text[ENC_HEX_SIZE(32)];
    OWNED(json_t) *root = json_pack(
            "{s:i, s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s}", "v", 1,
            "session", enc_hex(session_text, session, 32), "person", person,
            "role", role, "decision", (int)decision, "kind", "sshsig",
            "credential", enc_b64u(id_text, id, 32), "client_data", "",
            "auth_data", "", "signature", enc_b64u(sig, blob, blob_len));
    if (!root)
        return rc_raise(RC_NOMEM, "record");
    size_t n = json_dumpb(root, out, POLICY_RECORD_MAX - 1, JSON_COMPACT);
    if (n == 0 || n >= POLICY_RECORD_MAX)
        return rc_raise(RC_INTERNAL, "record: %zu bytes", n);
    out[n] = 0;
    *len = n;
    return RC_OK;
}

/* ---- checking -------------------------------------------------------------- */

struct record { /* parsed, not believed */
    struct policy_record r;
    uint8_t credential[32];
    uint8_t sig[POLICY_SSHSIG_MAX];
    size_t sig_len;
};

static enum rc parse_kind(struct record *out, const struct policy_obj *o)
{
    TRY(policy_obj_text(out->r.kind, sizeof(out->r.kind), o, "kind"));
    if (strcmp(out->r.kind, "sshsig") != 0)
        return rc_raise(RC_PARSE, "record.kind: want sshsig");
    uint8_t none[1];
    size_t client_len, auth_len;
    TRY(policy_obj_b64u(none, 0, &client_len, o, "client_data"));
    return policy_obj_b64u(none, 0, &auth_len, o, "auth_data");
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
    TRY(parse_kind(out, &o));
    size_t n = 0;
    TRY(policy_obj_b64u(out->credential, 32, &n, &o, "credential"));
    if (n != 32)
        return rc_raise(RC_PARSE, "record.credential: %zu bytes, want 32", n);
    return policy_obj_b64u(out->sig, sizeof(out->sig), &out->sig_len, &o,
                           "signature");
}

static enum rc check_role(const struct policy_person *who,
                          const struct policy_record *r)
{
    bool ok = r->decision == POLICY_D_REQUEST
                      ? strcmp(r->role, "requester") == 0
                      : (strcmp(r->role, "engineer") == 0 && who->engineer) ||
                                (strcmp(r->role, "steward") == 0 &&
                                 who->steward);
    if (!ok)
        return rc_raise(RC_POLICY, "record: %s may not decide %d as %s",
                        r->person, (int)r->decision, r->role);
    return RC_OK;
}

static const struct policy_credential *credential_of(
        const struct policy_person *who, const struct record *r)
{
    for (unsigned i = 0; i < who->n_credentials; i++)
        if (memcmp(who->credential[i].id, r->credential, 32) == 0 &&
            strcmp(who->credential[i].kind, r->r.kind) == 0)
            return &who->credential[i];
    return NULL;
}

enum rc policy_record_check(struct policy_record *out, const struct policy *p,
                            const uint8_t session[32], const void *bytes,
                            size_t len)
{
    struct record r = { 0 };
    TRY(parse(&r, bytes, len));
    if (memcmp(r.r.session, session, 32) != 0)
        return rc_raise(RC_POLICY,
                        "record: %s decided on session %02x%02x…, "
                        "not on this one",
                        r.r.person, r.r.session[0], r.r.session[1]);
    const struct policy_person *who = policy_person_find(p, r.r.person);
    if (!who)
        return rc_raise(RC_POLICY,
                        "record: %s is no person of policy version "
                        "%llu",
                        r.r.person, (unsigned long long)p->version);
    TRY(check_role(who, &r.r));
    const struct policy_credential *c = credential_of(who, &r);
    if (!c)
        return rc_raise(RC_POLICY, "record: not a credential of %s",
                        r.r.person);
    uint8_t challenge[32];
    policy_challenge(challenge, session, r.r.decision, r.r.role, r.r.person);
    enum rc rc = policy_sshsig_check(r.sig, r.sig_len, challenge, c->key);
    if (rc)
        return rc_prefix(rc, "record of %s: ", r.r.person);
    *out = r.r;
    return RC_OK;
}
