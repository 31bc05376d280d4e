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
#include "policy/json.h"

OWNED_STRUCT(policy);

static const char *const kind_names[POLICY__KINDS] = {
    [POLICY_RAW] = "raw",     [POLICY_CMS] = "cms",     [POLICY_DSSE] = "dsse",
    [POLICY_X509] = "x509",   [POLICY_OCSP] = "ocsp",   [POLICY_CMP] = "cmp",
    [POLICY_TLS12] = "tls12", [POLICY_TLS13] = "tls13",
};
static const char *const class_names[] = {
    [POLICY_ARTIFACT] = "artifact",
    [POLICY_ISSUER] = "issuer",
    [POLICY_TLS] = "tls",
};
static const char *const role_names[POLICY__ROLES] = {
    [POLICY_SIDECAR] = "sidecar",
    [POLICY_CA] = "ca",
    [POLICY_LOG] = "log",
};

const char *policy_kind_name(enum policy_kind kind)
{
    return (unsigned)kind < POLICY__KINDS ? kind_names[kind] : "unknown";
}

enum rc policy_kind_parse(enum policy_kind *out, const char *name)
{
    for (unsigned i = 0; i < POLICY__KINDS; i++)
        if (strcmp(name, kind_names[i]) == 0) {
            *out = (enum policy_kind)i;
            return RC_OK;
        }
    return rc_raise(RC_UNKNOWN, "payload kind: want raw, cms, dsse, x509, "
                                "ocsp, cmp, tls12 or tls13");
}

const char *policy_class_name(enum policy_class class)
{
    return (unsigned)class <= POLICY_TLS ? class_names[class] : "unknown";
}

static enum rc text_in(const char **out, const json_t *v, const char *at)
{
    if (!json_is_string(v))
        return rc_raise(RC_PARSE, "%s: want strings", at);
    *out = json_string_value(v);
    return RC_OK;
}

/* ---- persons --------------------------------------------------------------- */

static enum rc parse_roles(struct policy_person *p, const struct policy_obj *o)
{
    const json_t *roles = NULL;
    TRY(policy_obj_array(&roles, o, "roles", 2));
    for (size_t i = 0; i < json_array_size(roles); i++) {
        const char *name = NULL;
        TRY(text_in(&name, json_array_get(roles, i), o->at));
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

static enum rc parse_credential(struct policy_credential *c, const json_t *v,
                                const struct policy_obj *person, size_t i)
{
    static const char *const keys[] = { "kind", "key", NULL };
    struct policy_obj o;
    TRY(policy_obj_of(&o, v, keys, "%.40s.credentials[%zu]", person->at, i));
    TRY(policy_obj_text(c->kind, sizeof(c->kind), &o, "kind"));
    if (strcmp(c->kind, "sshsig") != 0)
        return rc_raise(RC_PARSE, "%s.kind: want sshsig", o.at);
    size_t len = 0;
    TRY(policy_obj_b64u(c->key, sizeof(c->key), &len, &o, "key"));
    if (len != sizeof(c->key))
        return rc_raise(RC_PARSE, "%s.key: %zu bytes, want 32", o.at, len);
    hash256(c->id, c->key, sizeof(c->key));
    return RC_OK;
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
    for (size_t j = 0; j < json_array_size(list); j++)
        TRY(parse_credential(&p->credential[p->n_credentials++],
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
        TRY(text_in(&text, json_array_get(list, i), at));
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
    static const char *const plain[] = { "id", "uri", NULL };
    static const char *const full[] = { "id",  "uri",        "identity",
                                        "box", "custodians", NULL };
    struct policy_obj o;
    TRY(policy_obj_of(&o, v, keyed ? full : plain, "policy.nodes[%zu]", i));
    int64_t id = 0;
    TRY(policy_obj_int(&id, &o, "id", 1, UINT16_MAX));
    n->id = (uint16_t)id;
    TRY(parse_uri(n->uri, &o, "uri"));
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

/* The member is one of names[0..n-1]; *out its number. */
static enum rc one_of(unsigned *out, const char *const *names, unsigned n,
                      const struct policy_obj *o, const char *key)
{
    char text[POLICY_NAME_MAX];
    TRY(policy_obj_name(text, o, key));
    for (unsigned i = 0; i < n; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = i;
            return RC_OK;
        }
    return rc_raise(RC_PARSE, "%s.%s: not one of its values", o->at, key);
}

static enum rc parse_holders(struct policy_profile *p,
                             const struct policy_obj *o)
{
    int64_t t = 0;
    TRY(policy_obj_int(&t, o, "threshold", 2, POLICY_MAX_NODES));
    p->threshold = (uint16_t)t;
    const json_t *list = NULL;
    TRY(policy_obj_array(&list, o, "nodes", POLICY_MAX_NODES));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        int64_t before = i ? p->nodes[i - 1] : 0;
        if (!json_is_integer(v) || json_integer_value(v) <= before ||
            json_integer_value(v) > UINT16_MAX)
            return rc_raise(RC_PARSE, "%s.nodes: want node ids, ascending",
                            o->at);
        p->nodes[p->n_nodes++] = (uint16_t)json_integer_value(v);
    }
    return RC_OK;
}

static enum rc parse_required(struct policy_profile *p,
                              const struct policy_obj *o)
{
    static const char *const keys[] = { "engineer", "steward", NULL };
    struct policy_obj r;
    int64_t engineers = 0, stewards = 0;
    TRY(policy_obj_in(&r, o, "required", keys));
    TRY(policy_obj_int(&engineers, &r, "engineer", 0, POLICY_MAX_PERSONS));
    TRY(policy_obj_int(&stewards, &r, "steward", 0, POLICY_MAX_PERSONS));
    p->engineers = (unsigned)engineers;
    p->stewards = (unsigned)stewards;
    return RC_OK;
}

static enum rc parse_kinds(struct policy_profile *p, const struct policy_obj *o)
{
    const json_t *list = NULL;
    TRY(policy_obj_array(&list, o, "kinds", POLICY__KINDS));
    if (json_array_size(list) == 0)
        return rc_raise(RC_PARSE, "%s.kinds: want at least one", o->at);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = NULL;
        TRY(text_in(&name, json_array_get(list, i), o->at));
        enum policy_kind kind = POLICY_RAW;
        if (policy_kind_parse(&kind, name) != RC_OK || p->kinds[kind])
            return rc_raise(RC_PARSE, "%s.kinds: want payload kinds, each once",
                            o->at);
        p->kinds[kind] = true;
    }
    return RC_OK;
}

static enum rc parse_eku(struct policy_profile *p, const struct policy_obj *o)
{
    const struct {
        const char *name;
        bool *flag;
    } known[] = {
        { "code_signing", &p->eku_code_signing },
        { "email_protection", &p->eku_email_protection },
        { "server_auth", &p->eku_server_auth },
        { "client_auth", &p->eku_client_auth },
    };
    const json_t *list = NULL;
    TRY(policy_obj_array(&list, o, "eku", 4));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = NULL;
        TRY(text_in(&name, json_array_get(list, i), o->at));
        size_t k = 0;
        while (k < 4 && strcmp(name, known[k].name) != 0)
            k++;
        if (k == 4 || *known[k].flag)
            return rc_raise(RC_PARSE,
                            "%s.eku: want code_signing, email_protection, "
                            "server_auth or client_auth, each once",
                            o->at);
        *known[k].flag = true;
    }
    if (json_array_size(list) == 0)
        return rc_raise(RC_PARSE, "%s.eku: want at least one", o->at);
    return RC_OK;
}

static enum rc parse_sans(struct policy_profile *p, const struct policy_obj *o)
{
    const json_t *list = NULL;
    TRY(policy_obj_array(&list, o, "san", POLICY_MAX_SANS));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = NULL;
        TRY(text_in(&name, json_array_get(list, i), o->at));
        size_t len = strlen(name);
        if (len == 0 || len >= POLICY_URI_MAX || !policy_text_plain(name))
            return rc_raise(RC_PARSE, "%s.san[%zu]: want 1 to %d characters",
                            o->at, i, POLICY_URI_MAX - 1);
        memcpy(p->san[p->n_sans++], name, len + 1);
    }
    return RC_OK;
}

static enum rc parse_certificate(struct policy_profile *p,
                                 const struct policy_obj *o)
{
    static const char *const keys[] = { "ttl_s", "eku", "san", NULL };
    if (policy_obj_null(o, "certificate"))
        return RC_OK;
    struct policy_obj c;
    TRY(policy_obj_in(&c, o, "certificate", keys));
    TRY(policy_obj_int(&p->cert_ttl_s, &c, "ttl_s", 1, 86400));
    TRY(parse_eku(p, &c));
    TRY(parse_sans(p, &c));
    p->has_certificate = true;
    return RC_OK;
}

static enum rc parse_profile(struct policy_profile *p, const json_t *v,
                             size_t i)
{
    static const char *const keys[] = {
        "name",        "lifetime",     "class", "threshold",
        "nodes",       "required",     "kinds", "max_message",
        "certificate", "sidecar_page", NULL
    };
    static const char *const lifetimes[] = { "persistent", "ephemeral" };
    struct policy_obj o;
    unsigned n = 0;
    TRY(policy_obj_of(&o, v, keys, "policy.profiles[%zu]", i));
    TRY(policy_obj_name(p->name, &o, "name"));
    TRY(one_of(&n, lifetimes, 2, &o, "lifetime"));
    p->ephemeral = n == 1;
    TRY(one_of(&n, class_names, 3, &o, "class"));
    p->class = (enum policy_class)n;
    TRY(parse_holders(p, &o));
    TRY(parse_required(p, &o));
    TRY(parse_kinds(p, &o));
    int64_t max = 0;
    TRY(policy_obj_int(&max, &o, "max_message", 1, 16 * 1024 * 1024));
    p->max_message = (uint32_t)max;
    TRY(parse_certificate(p, &o));
    TRY(policy_obj_bool(&p->sidecar_page, &o, "sidecar_page"));
    memcpy(p->signers, p->nodes, sizeof(p->signers));
    p->n_signers = p->n_nodes;
    p->max_ttl_s = POLICY_SESSION_MAX_S;
    p->way[POLICY_W_SSH] = p->way[POLICY_W_FIDO2] = true;
    p->way[POLICY_W_LOCAL_PAGE] = true;
    p->way[POLICY_W_SIDECAR_PAGE] = p->sidecar_page;
    return RC_OK;
}

static enum rc parse_profiles(struct policy *p, const struct policy_obj *o)
{
    const json_t *list = NULL;
    TRY(policy_obj_array(&list, o, "profiles", POLICY_MAX_PROFILES));
    for (size_t i = 0; i < json_array_size(list); i++)
        TRY(parse_profile(&p->profile[p->n_profiles++], json_array_get(list, i),
                          i));
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

static enum rc parse_all(struct policy *p, const json_t *root)
{
    static const char *const keys[] = { "v",     "cluster",      "version",
                                        "prev",  "persons",      "steward_rule",
                                        "nodes", "measurements", "services",
                                        "log",   "profiles",     NULL };
    struct policy_obj o;
    TRY(policy_obj_of(&o, root, keys, "policy"));
    TRY(parse_head(p, &o));
    TRY(parse_persons(p, &o));
    TRY(parse_steward_rule(p, &o));
    TRY(parse_measurements(p, &o));
    TRY(parse_nodes(p, &o));
    TRY(parse_services(p, &o));
    TRY(parse_log(p, &o));
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
    free(p->bytes);
    free(p);
}
