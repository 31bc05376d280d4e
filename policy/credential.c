/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A person's credential as a row of policy.json, read and written. What a row
 * may hold follows from its kind. Public data.
 */
#include "policy/credential.h"

#include <string.h>

#include "base/enc.h"
#include "base/hash.h"

static enum rc read_end(struct policy_credential *c, const struct policy_obj *o)
{
    if (policy_obj_has(o, "not_after"))
        TRY(policy_obj_int(&c->not_after, o, "not_after", 1,
                           POLICY_JSON_INT_MAX));
    return policy_obj_true(&c->revoked, o, "revoked");
}

static enum rc read_ssh(struct policy_credential *c, const struct policy_obj *o)
{
    size_t len = 0;
    TRY(policy_obj_b64u(c->key, sizeof(c->key), &len, o, "key"));
    if (len != sizeof(c->key))
        return rc_raise(RC_PARSE, "%s.key: %zu bytes, want 32", o->at, len);
    hash256(c->id, c->key, sizeof(c->key));
    if (strcmp(c->kind, POLICY_SSHSIG_SK) != 0)
        return RC_OK;
    TRY(policy_obj_text(c->application, sizeof(c->application), o,
                        "application"));
    /* ssh-keygen's own rule for -O application= */
    if (strncmp(c->application, "ssh:", 4) != 0)
        return rc_raise(RC_PARSE, "%s.application: want ssh: in front", o->at);
    return policy_obj_bool(&c->verify_required, o, "verify_required");
}

static enum rc read_cose(struct policy_credential *c,
                         const struct policy_obj *o)
{
    int64_t alg = 0;
    struct policy_cose key;
    TRY(policy_obj_int(&alg, o, "alg", POLICY_RS256, POLICY_ES256));
    TRY(policy_obj_b64u(c->cose, sizeof(c->cose), &c->cose_len, o, "key"));
    enum rc rc = policy_cose_parse(&key, c->cose, c->cose_len);
    if (rc == RC_OK)
        rc = policy_cose_usable(&key);
    if (rc)
        return rc_prefix(rc, "%s.key: ", o->at);
    if (key.len != c->cose_len)
        return rc_raise(RC_PARSE, "%s.key: %zu bytes after the COSE key", o->at,
                        c->cose_len - key.len);
    if (key.alg != alg)
        return rc_raise(RC_PARSE, "%s.alg: %lld, the key's is %d", o->at,
                        (long long)alg, (int)key.alg);
    c->alg = key.alg;
    return RC_OK;
}

static enum rc read_origins(struct policy_credential *c,
                            const struct policy_obj *o)
{
    const json_t *list = NULL;
    TRY(policy_obj_array(&list, o, "origins", POLICY_MAX_ORIGINS));
    if (json_array_size(list) == 0)
        return rc_raise(RC_PARSE, "%s.origins: want at least one", o->at);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (!text || !policy_origin_ok(text, true))
            return rc_raise(RC_PARSE,
                            "%s.origins[%zu]: want https://host[:port], "
                            "http://localhost[:port] or " POLICY_CLI_ORIGIN,
                            o->at, i);
        if (!policy_origin_within(text, c->rp_id))
            return rc_raise(RC_PARSE, "%s.origins[%zu]: not within its rp_id",
                            o->at, i);
        memcpy(c->origin[c->n_origins++], text, strlen(text) + 1);
    }
    return RC_OK;
}

static enum rc read_webauthn(struct policy_credential *c,
                             const struct policy_obj *o)
{
    TRY(policy_obj_b64u(c->raw_id, sizeof(c->raw_id), &c->raw_id_len, o, "id"));
    if (c->raw_id_len == 0)
        return rc_raise(RC_PARSE, "%s.id: want 1 to %d bytes", o->at,
                        POLICY_RAW_ID_MAX);
    hash256(c->id, c->raw_id, c->raw_id_len);
    TRY(read_cose(c, o));
    TRY(policy_obj_text(c->rp_id, sizeof(c->rp_id), o, "rp_id"));
    size_t len = strspn(c->rp_id, "abcdefghijklmnopqrstuvwxyz0123456789.-");
    if (len == 0 || c->rp_id[len])
        return rc_raise(RC_PARSE, "%s.rp_id: want a host name", o->at);
    TRY(read_origins(c, o));
    return policy_obj_bool(&c->backup_eligible, o, "backup_eligible");
}

struct kind {
    const char *name;
    const char *const *keys;
    enum rc (*read)(struct policy_credential *c, const struct policy_obj *o);
};
/* clang-format off */
static const char *const ssh_keys[] = {
    "kind", "key", "?not_after", "?revoked", NULL };
static const char *const sk_keys[] = {
    "kind", "key", "application", "verify_required", "?not_after", "?revoked",
    NULL };
static const char *const webauthn_keys[] = {
    "kind", "id", "alg", "key", "rp_id", "origins", "backup_eligible",
    "?not_after", "?revoked", NULL };
static const struct kind kinds[] = {
    { POLICY_SSHSIG,    ssh_keys,      read_ssh },
    { POLICY_SSHSIG_SK, sk_keys,       read_ssh },
    { POLICY_WEBAUTHN,  webauthn_keys, read_webauthn },
};
/* clang-format on */

enum rc policy_credential_read(struct policy_credential *out, const json_t *v,
                               const char *at)
{
    const char *name = json_string_value(json_object_get(v, "kind"));
    for (size_t i = 0; name && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(name, kinds[i].name) != 0)
            continue;
        struct policy_credential c = { 0 };
        struct policy_obj o;
        snprintf(c.kind, sizeof(c.kind), "%s", name);
        TRY(policy_obj_of(&o, v, kinds[i].keys, "%s", at));
        TRY(kinds[i].read(&c, &o));
        TRY(read_end(&c, &o));
        *out = c;
        return RC_OK;
    }
    return rc_raise(RC_PARSE, "%s.kind: want sshsig, sshsig-sk or webauthn",
                    at);
}

enum rc policy_credential_parse(struct policy_credential *out,
                                const void *bytes, size_t len)
{
    OWNED(json_t) *root = NULL;
    TRY(policy_json_open(&root, bytes, len, POLICY_CREDENTIAL_MAX,
                         "credential"));
    return policy_credential_read(out, root, "credential");
}

/* ---- writing --------------------------------------------------------------- */

static json_t *bytes_of(const uint8_t *p, size_t len)
{
    char text[ENC_B64_SIZE(POLICY_RAW_ID_MAX)];
    return json_string(enc_b64u(text, p, len));
}

static json_t *origins_of(const struct policy_credential *c)
{
    json_t *list = json_array();
    for (unsigned i = 0; list && i < c->n_origins; i++)
        if (json_array_append_new(list, json_string(c->origin[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *row_of(const struct policy_credential *c)
{
    if (strcmp(c->kind, POLICY_SSHSIG) == 0)
        return json_pack("{s:s, s:o}", "kind", c->kind, "key",
                         bytes_of(c->key, sizeof(c->key)));
    if (strcmp(c->kind, POLICY_SSHSIG_SK) == 0)
        return json_pack("{s:s, s:o, s:s, s:b}", "kind", c->kind, "key",
                         bytes_of(c->key, sizeof(c->key)), "application",
                         c->application, "verify_required",
                         (int)c->verify_required);
    return json_pack("{s:s, s:o, s:i, s:o, s:s, s:o, s:b}", "kind", c->kind,
                     "id", bytes_of(c->raw_id, c->raw_id_len), "alg",
                     (int)c->alg, "key", bytes_of(c->cose, c->cose_len),
                     "rp_id", c->rp_id, "origins", origins_of(c),
                     "backup_eligible", (int)c->backup_eligible);
}

enum rc policy_credential_write(char *out, size_t cap, size_t *len,
                                const struct policy_credential *c)
{
    OWNED(json_t) *row = row_of(c);
    if (!row ||
        (c->not_after &&
         json_object_set_new(row, "not_after", json_integer(c->not_after))) ||
        (c->revoked && json_object_set_new(row, "revoked", json_true())))
        return rc_raise(RC_NOMEM, "credential");
    size_t n = json_dumpb(row, out, cap, JSON_COMPACT);
    if (n == 0 || n >= cap)
        return rc_raise(RC_TOO_LARGE, "credential: %zu bytes, at most %zu", n,
                        cap - 1);
    out[n] = 0;
    *len = n;
    return RC_OK;
}
