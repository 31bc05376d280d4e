/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy document: bytes to struct, member by member. What the members
 * must be to each other is check.c's. All public data.
 */
#include "policy/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/hash.h"
#include "policy/credential.h"
#include "policy/json.h"

OWNED_STRUCT(policy);

static const char *const role_names[POLICY__ROLES] = {
    [POLICY_SIDECAR] = "sidecar",
    [POLICY_CA] = "ca",
    [POLICY_LOG] = "log",
};

/* ---- persons --------------------------------------------------------------- */

static enum rc parse_roles(struct policy_person *p, const struct policy_obj *o)
{
    const json_t *roles = NULL;
    TRY(policy_obj_array(&roles, o, "roles", 2));
    for (size_t i = 0; i < json_array_size(roles); i++) {
        const char *name = NULL;
        TRY(policy_json_text(&name, json_array_get(roles, i), o->at));
        bool *flag = strcmp(name, "engineer") == 0  ? &p->engineer
                     : strcmp(name, "steward") == 0 ? &p->steward
                                                    : NULL;
        if (!flag || *flag)
            return rc_raise(RC_PARSE,
                            "%s.roles: want engineer or steward, each once",
                            o->at);
        *flag = true;
    }
    return RC_OK;
}

static enum rc read_credential(struct policy_credential *c, const json_t *v,
                               const struct policy_obj *person, size_t i)
{
    char at[64];
    snprintf(at, sizeof(at), "%.40s.credentials[%zu]", person->at, i);
    return policy_credential_read(c, v, at);
}

static enum rc parse_person(struct policy_person *p, const json_t *v, size_t i)
{
    static const char *const keys[] = { "id", "roles", "credentials", NULL };
    struct policy_obj o;
    TRY(policy_obj_of(&o, v, keys, "policy.persons[%zu]", i));
    TRY(policy_obj_name(p->id, &o, "id"));
    TRY(parse_roles(p, &o));
    const json_t *list = NULL;
    TRY(policy_obj_array(&list, &o, "credentials", POLICY_MAX_CREDENTIALS));
    size_t n = json_array_size(list);
    p->credential = calloc(n + 1, sizeof(*p->credential));
    if (!p->credential)
        return rc_raise(RC_NOMEM, "policy: %zu credentials", n);
    for (size_t j = 0; j < n; j++)
        TRY(read_credential(&p->credential[p->n_credentials++],
                            json_array_get(list, j), &o, j));
    return RC_OK;
}

static enum rc parse_persons(struct policy *p, const struct policy_obj *o)
{
    const json_t *list = NULL;
    TRY(policy_obj_array(&list, o, "persons", POLICY_MAX_PERSONS));
    for (size_t i = 0; i < json_array_size(list); i++)
        TRY(parse_person(&p->person[p->n_persons++], json_array_get(list, i),
                         i));
    return RC_OK;
}

static enum rc parse_steward_rule(struct policy *p, const struct policy_obj *o)
{
    static const char *const keys[] = { "steward", NULL };
    struct policy_obj rule;
    int64_t n = 0;
    TRY(policy_obj_in(&rule, o, "steward_rule", keys));
    TRY(policy_obj_int(&n, &rule, "steward", 1, POLICY_MAX_PERSONS));
    p->steward_rule = (unsigned)n;
    return RC_OK;
}

/* ---- machines -------------------------------------------------------------- */

/* An array of 32-byte values in hex. */
static enum rc hash_list(uint8_t (*out)[32], unsigned *n, size_t max,
                         const struct policy_obj *o, const char *key)
{
    const json_t *list = NULL;
    TRY(policy_obj_array(&list, o, key, max));
    for (size_t i = 0; i < json_array_size(list); i++) {
        char at[64];
        snprintf(at, sizeof(at), "%.40s[%zu]", key, i);
        const char *text = NULL;
        TRY(policy_json_text(&text, json_array_get(list, i), at));
        enum rc rc = enc_unhex(out[i], 32, text, strlen(text));
        if (rc)
            return rc_prefix(rc, "%s.%s: ", o->at, at);
    }
    *n = (unsigned)json_array_size(list);
    return RC_OK;
}

static enum rc parse_measurements(struct policy *p, const struct policy_obj *o)
{
    static const char *const keys[] = { "sidecar", "ca", "log", NULL };
    struct policy_obj m;
    TRY(policy_obj_in(&m, o, "measurements", keys));
    for (unsigned i = 0; i < POLICY__ROLES; i++)
        TRY(hash_list(p->measurement[i], &p->n_measurements[i],
                      POLICY_MAX_HASHES, &m, role_names[i]));
    return RC_OK;
}

static enum rc parse_uri(char out[POLICY_URI_MAX], const struct policy_obj *o,
                         const char *key)
{
    static const char scheme[] = "mpc://";
    TRY(policy_obj_text(out, POLICY_URI_MAX, o, key));
    size_t len = strspn(out, "abcdefghijklmnopqrstuvwxyz0123456789._-/:");
    if (strncmp(out, scheme, sizeof(scheme) - 1) != 0 ||
        len == sizeof(scheme) - 1 || out[len])
        return rc_raise(RC_PARSE,
                        "%s.%s: want mpc:// and then [a-z0-9._/:-] only", o->at,
                        key);
    return RC_OK;
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

static enum rc parse_node(struct policy_node *n, const json_t *v, size_t i,
                          bool keyed)
{
    static const char *const plain[] = { "id", "uri", "?leaving", NULL };
    static const char *const full[] = { "id",  "uri",        "identity",
                                        "box", "custodians", "?leaving",
                                        NULL };
    struct policy_obj o;
    TRY(policy_obj_of(&o, v, keyed ? full : plain, "policy.nodes[%zu]", i));
    int64_t id = 0;
    TRY(policy_obj_int(&id, &o, "id", 1, UINT16_MAX));
    n->id = (uint16_t)id;
    TRY(parse_uri(n->uri, &o, "uri"));
    TRY(policy_obj_true(&n->leaving, &o, "leaving"));
    n->has_keys = keyed;
    if (!keyed)
        return RC_OK;
    TRY(policy_obj_hex(n->identity, sizeof(n->identity), &o, "identity"));
    TRY(policy_obj_hex(n->box, sizeof(n->box), &o, "box"));
    TRY(hash_list(n->custodian, &n->n_custodians, POLICY_MAX_CUSTODIANS, &o,
                  "custodians"));
    /* the roster's text wants them ascending; a policy may list any order */
    qsort(n->custodian, n->n_custodians, 32, by_bytes);
    return RC_OK;
}

static enum rc parse_nodes(struct policy *p, const struct policy_obj *o)
{
    const json_t *list = NULL;
    TRY(policy_obj_array(&list, o, "nodes", POLICY_MAX_NODES));
    for (size_t i = 0; i < json_array_size(list); i++)
        TRY(parse_node(&p->node[p->n_nodes++], json_array_get(list, i), i,
                       p->version >= 2));
    return RC_OK;
}

static enum rc parse_services(struct policy *p, const struct policy_obj *o)
{
    static const char *const keys[] = { "ca", "log", NULL };
    struct policy_obj s;
    TRY(policy_obj_in(&s, o, "services", keys));
    TRY(parse_uri(p->service[POLICY_CA], &s, "ca"));
    return parse_uri(p->service[POLICY_LOG], &s, "log");
}

static enum rc parse_log(struct policy *p, const struct policy_obj *o)
{
    if (p->version == 1) {
        if (!policy_obj_null(o, "log"))
            return rc_raise(RC_PARSE, "policy.log: want null in version 1");
        return RC_OK;
    }
    char text[TLOG_VKEY_MAX];
    TRY(policy_obj_text(text, sizeof(text), o, "log"));
    enum rc rc = tlog_vkey_parse(&p->log, text);
    if (rc)
        return rc_prefix(rc, "policy.log: ");
    if (p->log.type != TLOG_SIG_ED25519)
        return rc_raise(RC_PARSE, "policy.log: want an Ed25519 log key");
    p->has_log = true;
    return RC_OK;
}

/* ---- profiles -------------------------------------------------------------- */

/* Of a profile's nodes, those that are not leaving sign. */
static void derive_signers(struct policy *p)
{
    for (unsigned i = 0; i < p->n_profiles; i++) {
        struct policy_profile *f = &p->profile[i];
        for (unsigned k = 0; k < f->n_nodes; k++) {
            const struct policy_node *n = policy_node_find(p, f->nodes[k]);
            if (n && !n->leaving)
                f->signers[f->n_signers++] = f->nodes[k];
        }
    }
}

static enum rc parse_profiles(struct policy *p, const struct policy_obj *o)
{
    const json_t *list = NULL;
    TRY(policy_obj_array(&list, o, "profiles", POLICY_MAX_PROFILES));
    for (size_t i = 0; i < json_array_size(list); i++)
        TRY(policy_profile_read(&p->profile[p->n_profiles++],
                                json_array_get(list, i), i));
    derive_signers(p);
    return RC_OK;
}

static enum rc parse_page_origins(struct policy *p, const struct policy_obj *o)
{
    const json_t *list = NULL;
    if (!policy_obj_has(o, "page_origins"))
        return RC_OK;
    TRY(policy_obj_array(&list, o, "page_origins", POLICY_MAX_ORIGINS));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = NULL;
        TRY(policy_json_text(&text, json_array_get(list, i),
                             "policy.page_origins"));
        if (!policy_origin_ok(text, false))
            return rc_raise(RC_PARSE,
                            "policy.page_origins[%zu]: want https://host"
                            "[:port] or http://localhost[:port]",
                            i);
        memcpy(p->page_origin[p->n_page_origins++], text, strlen(text) + 1);
    }
    return RC_OK;
}

/* ---- the whole ------------------------------------------------------------- */

static enum rc parse_head(struct policy *p, const struct policy_obj *o)
{
    int64_t version = 0;
    TRY(policy_obj_v1(o));
    TRY(policy_obj_name(p->cluster, o, "cluster"));
    TRY(policy_obj_int(&version, o, "version", 1, POLICY_JSON_INT_MAX));
    p->version = (uint64_t)version;
    return policy_obj_hex(p->prev, sizeof(p->prev), o, "prev");
}

/* What it says of machines is for those who judge them: attest/. */
static enum rc parse_attestation(struct policy *p, const struct policy_obj *o)
{
    const json_t *v = json_object_get(o->v, "attestation");
    if (!v)
        return RC_OK;
    if (!json_is_object(v))
        return rc_raise(RC_PARSE, "policy.attestation: want an object");
    p->attestation = json_dumps(v, JSON_COMPACT);
    if (!p->attestation)
        return rc_raise(RC_NOMEM, "policy.attestation");
    p->attestation_len = strlen(p->attestation);
    return RC_OK;
}

static enum rc parse_all(struct policy *p, const json_t *root)
{
    static const char *const keys[] = { "v",
                                        "cluster",
                                        "version",
                                        "prev",
                                        "persons",
                                        "steward_rule",
                                        "nodes",
                                        "measurements",
                                        "services",
                                        "log",
                                        "profiles",
                                        "?page_origins",
                                        "?attestation",
                                        NULL };
    struct policy_obj o;
    TRY(policy_obj_of(&o, root, keys, "policy"));
    TRY(parse_head(p, &o));
    TRY(parse_page_origins(p, &o));
    TRY(parse_persons(p, &o));
    TRY(parse_steward_rule(p, &o));
    TRY(parse_measurements(p, &o));
    TRY(parse_nodes(p, &o));
    TRY(parse_services(p, &o));
    TRY(parse_log(p, &o));
    TRY(parse_attestation(p, &o));
    return parse_profiles(p, &o);
}

static enum rc keep_bytes(struct policy *p, const void *bytes, size_t len)
{
    p->bytes = malloc(len ? len : 1);
    if (!p->bytes)
        return rc_raise(RC_NOMEM, "policy: %zu bytes", len);
    memcpy(p->bytes, bytes, len);
    p->bytes_len = len;
    hash256(p->sha256, bytes, len);
    return RC_OK;
}

enum rc policy_parse(struct policy **out, const void *bytes, size_t len)
{
    OWNED(json_t) *root = NULL;
    TRY(policy_json_open(&root, bytes, len, POLICY_MAX_BYTES, "policy"));
    OWN_S(policy) *p = calloc(1, sizeof(*p));
    if (!p)
        return rc_raise(RC_NOMEM, "policy: %zu bytes", sizeof(*p));
    TRY(keep_bytes(p, bytes, len));
    TRY(parse_all(p, root));
    TRY(policy_check(p));
    *out = TAKE(p);
    return RC_OK;
}

void policy_free(struct policy *p)
{
    if (!p)
        return;
    for (unsigned i = 0; i < p->n_persons; i++)
        free(p->person[i].credential);
    free((char *)(uintptr_t)p->attestation);
    free(p->bytes);
    free(p);
}
