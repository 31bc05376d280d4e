/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key profile of the policy document, member by member: what mpc:NAME is,
 * what it signs and who must agree. All public data.
 */
#include "policy/credential.h"

#include <string.h>

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
        TRY(policy_json_text(&name, json_array_get(list, i), o->at));
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
        TRY(policy_json_text(&name, json_array_get(list, i), o->at));
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
        TRY(policy_json_text(&name, json_array_get(list, i), o->at));
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

/*
 * approve_with, where it stands; else one's own tools, and the sidecars' page
 * as sidecar_page says. Two members that say it must say the same.
 */
static enum rc parse_ways(struct policy_profile *p, const struct policy_obj *o)
{
    TRY(policy_obj_bool(&p->sidecar_page, o, "sidecar_page"));
    if (!policy_obj_has(o, "approve_with")) {
        memcpy(p->way, policy_ways(NULL), sizeof(p->way));
        p->way[POLICY_W_SIDECAR_PAGE] = p->sidecar_page;
        return RC_OK;
    }
    const json_t *list = NULL;
    TRY(policy_obj_array(&list, o, "approve_with", POLICY__WAYS));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = NULL;
        enum policy_way way = POLICY_W_SSH;
        TRY(policy_json_text(&name, json_array_get(list, i), o->at));
        if (policy_way_parse(&way, name) != RC_OK || p->way[way])
            return rc_raise(RC_PARSE,
                            "%s.approve_with: want ssh, fido2, local-page or "
                            "sidecar-page, each once",
                            o->at);
        p->way[way] = true;
    }
    if (p->way[POLICY_W_SIDECAR_PAGE] != p->sidecar_page)
        return rc_raise(RC_PARSE,
                        "%s.sidecar_page: want %s, as approve_with says", o->at,
                        p->sidecar_page ? "false" : "true");
    return RC_OK;
}

static enum rc parse_limits(struct policy_profile *p,
                            const struct policy_obj *o)
{
    int64_t max = 0;
    TRY(policy_obj_int(&max, o, "max_message", 1, 16 * 1024 * 1024));
    p->max_message = (uint32_t)max;
    p->max_ttl_s = POLICY_SESSION_MAX_S;
    if (policy_obj_has(o, "max_ttl_s"))
        TRY(policy_obj_int(&p->max_ttl_s, o, "max_ttl_s", 1,
                           POLICY_SESSION_MAX_S));
    TRY(policy_obj_true(&p->break_glass, o, "break_glass"));
    p->has_key_of = policy_obj_has(o, "key_of");
    return p->has_key_of ? policy_obj_name(p->key_of, o, "key_of") : RC_OK;
}

enum rc policy_profile_read(struct policy_profile *p, const json_t *v, size_t i)
{
    static const char *const keys[] = {
        "name",         "lifetime",      "class",
        "threshold",    "nodes",         "required",
        "kinds",        "max_message",   "certificate",
        "sidecar_page", "?approve_with", "?max_ttl_s",
        "?break_glass", "?key_of",       NULL
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
    TRY(parse_limits(p, &o));
    TRY(parse_certificate(p, &o));
    return parse_ways(p, &o);
}
