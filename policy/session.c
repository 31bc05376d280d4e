/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Session descriptors, FORMATS section 3: written once by the requester,
 * hashed as the exact bytes they came in. Public data.
 */
#include "policy/policy.h"

#include <string.h>

#include "base/enc.h"
#include "base/hash.h"
#include "policy/json.h"

/*
 * Which members a type has. Slots: a sign session lists what it will sign, a
 * root session exactly x509, the others sign nothing.
 */
enum want { NO, YES, MAY };
struct type_rule {
    const char *name;
    enum want profile;
    enum want key;
    enum want artifact;
    enum want slots;
};
/* clang-format off */
static const struct type_rule rules[] = {
                           /*             profile key  artifact slots */
    [POLICY_S_SIGN]       = { "sign",       YES,  MAY, MAY,     YES },
    [POLICY_S_POLICY]     = { "policy",     NO,   NO,  YES,     NO },
    [POLICY_S_KEY_CREATE] = { "key-create", YES,  NO,  NO,      NO },
    [POLICY_S_ROOT]       = { "root",       YES,  YES, YES,     YES },
    [POLICY_S_REFRESH]    = { "refresh",    YES,  YES, NO,      NO },
    [POLICY_S_RESHARE]    = { "reshare",    YES,  YES, NO,      NO },
    [POLICY_S_REPAIR]     = { "repair",     YES,  YES, NO,      NO },
    [POLICY_S_RECOVER]    = { "recover",    YES,  YES, NO,      NO },
    [POLICY_S_DESTROY]    = { "destroy",    YES,  YES, NO,      NO },
    [POLICY_S_BACKUP]     = { "backup",     YES,  YES, NO,      NO },
};
/* clang-format on */
#define N_TYPES (sizeof(rules) / sizeof(rules[0]))

const char *policy_session_type_name(enum policy_session_type type)
{
    return (size_t)type < N_TYPES ? rules[type].name : "unknown";
}

enum rc policy_session_type_parse(enum policy_session_type *out,
                                  const char *name)
{
    for (size_t i = 0; i < N_TYPES; i++)
        if (strcmp(name, rules[i].name) == 0) {
            *out = (enum policy_session_type)i;
            return RC_OK;
        }
    return rc_raise(RC_UNKNOWN, "session type: want sign, policy, key-create, "
                                "root, refresh, reshare, repair, recover, "
                                "destroy or backup");
}

void policy_session_id(uint8_t out[32], const void *bytes, size_t len)
{
    static const char tag[] = "mpc/session/v1";
    const struct hash_part parts[] = { { tag, sizeof(tag) }, { bytes, len } };
    hash256_parts(out, parts, 2);
}

void policy_session_artifact(struct policy_session *s, const char *name,
                             const void *bytes, size_t len)
{
    s->has_artifact = true;
    snprintf(s->artifact_name, sizeof(s->artifact_name), "%s", name);
    s->artifact_size = len;
    hash256(s->artifact_sha256, bytes, len);
    hash512(s->artifact_sha512, bytes, len);
}

/* ---- reading --------------------------------------------------------------- */

static enum rc parse_artifact(struct policy_session *s,
                              const struct policy_obj *o)
{
    static const char *const keys[] = { "name", "size", "sha256", "sha512",
                                        NULL };
    if (policy_obj_null(o, "artifact"))
        return RC_OK;
    struct policy_obj a;
    int64_t size = 0;
    TRY(policy_obj_in(&a, o, "artifact", keys));
    TRY(policy_obj_text(s->artifact_name, sizeof(s->artifact_name), &a,
                        "name"));
    TRY(policy_obj_int(&size, &a, "size", 0, POLICY_JSON_INT_MAX));
    s->artifact_size = (uint64_t)size;
    TRY(policy_obj_hex(s->artifact_sha256, 32, &a, "sha256"));
    TRY(policy_obj_hex(s->artifact_sha512, 64, &a, "sha512"));
    if (!s->artifact_name[0])
        return rc_raise(RC_PARSE, "descriptor.artifact.name: empty");
    s->has_artifact = true;
    return RC_OK;
}

static enum rc parse_slots(struct policy_session *s, const struct policy_obj *o)
{
    const json_t *list = NULL;
    TRY(policy_obj_array(&list, o, "slots", POLICY_MAX_SLOTS));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        enum policy_kind kind = POLICY_RAW;
        if (!name || policy_kind_parse(&kind, name) != RC_OK || s->slot[kind])
            return rc_raise(RC_PARSE,
                            "descriptor.slots: want payload kinds, each once");
        s->slot[kind] = true;
        s->n_slots++;
    }
    return RC_OK;
}

static enum rc parse_times(struct policy_session *s, const struct policy_obj *o)
{
    TRY(policy_obj_int(&s->created, o, "created", 0, POLICY_JSON_INT_MAX));
    TRY(policy_obj_int(&s->expires, o, "expires", 0, POLICY_JSON_INT_MAX));
    if (s->expires <= s->created ||
        s->expires - s->created > POLICY_SESSION_MAX_S)
        return rc_raise(RC_PARSE,
                        "descriptor.expires: want 1 to %d s after created",
                        POLICY_SESSION_MAX_S);
    return RC_OK;
}

static enum rc parse_names(struct policy_session *s, const struct policy_obj *o)
{
    char text[POLICY_NAME_MAX];
    TRY(policy_obj_name(text, o, "type"));
    if (policy_session_type_parse(&s->type, text) != RC_OK)
        return rc_prefix(RC_PARSE, "descriptor.type: ");
    TRY(policy_obj_name(text, o, "mode"));
    if (strcmp(text, "ed25519") != 0)
        return rc_raise(RC_PARSE, "descriptor.mode: want ed25519");
    s->has_profile = !policy_obj_null(o, "profile");
    if (s->has_profile)
        TRY(policy_obj_name(s->profile, o, "profile"));
    TRY(policy_obj_name(s->requester, o, "requester"));
    return policy_obj_text(s->reason, sizeof(s->reason), o, "reason");
}

static enum rc parse_hashes(struct policy_session *s,
                            const struct policy_obj *o)
{
    TRY(policy_obj_hex(s->cluster, sizeof(s->cluster), o, "cluster"));
    TRY(policy_obj_hex(s->policy, sizeof(s->policy), o, "policy"));
    TRY(policy_obj_hex(s->nonce, sizeof(s->nonce), o, "nonce"));
    s->has_key = !policy_obj_null(o, "key");
    if (s->has_key)
        TRY(policy_obj_hex(s->key, sizeof(s->key), o, "key"));
    return RC_OK;
}

static enum rc want(bool have, enum want want, const char *type,
                    const char *member)
{
    if (want == MAY || have == (want == YES))
        return RC_OK;
    return rc_raise(RC_PARSE, "descriptor.%s: type %s wants %s", member, type,
                    want == YES ? "one" : "none");
}

static enum rc check_type(const struct policy_session *s)
{
    const struct type_rule *r = &rules[s->type];
    TRY(want(s->has_profile, r->profile, r->name, "profile"));
    TRY(want(s->has_key, r->key, r->name, "key"));
    TRY(want(s->has_artifact, r->artifact, r->name, "artifact"));
    TRY(want(s->n_slots > 0, r->slots, r->name, "slots"));
    if (s->type == POLICY_S_ROOT && (s->n_slots != 1 || !s->slot[POLICY_X509]))
        return rc_raise(RC_PARSE, "descriptor.slots: type root wants x509");
    return RC_OK;
}

enum rc policy_session_parse(struct policy_session *out, const void *bytes,
                             size_t len)
{
    static const char *const keys[] = { "v",         "type",    "cluster",
                                        "profile",   "key",     "policy",
                                        "artifact",  "slots",   "mode",
                                        "requester", "reason",  "nonce",
                                        "created",   "expires", NULL };
    OWNED(json_t) *root = NULL;
    TRY(policy_json_open(&root, bytes, len, POLICY_DESCRIPTOR_MAX - 1,
                         "descriptor"));
    struct policy_session s = { 0 };
    struct policy_obj o;
    TRY(policy_obj_of(&o, root, keys, "descriptor"));
    TRY(policy_obj_v1(&o));
    TRY(parse_names(&s, &o));
    TRY(parse_hashes(&s, &o));
    TRY(parse_artifact(&s, &o));
    TRY(parse_slots(&s, &o));
    TRY(parse_times(&s, &o));
    TRY(check_type(&s));
    policy_session_id(s.id, bytes, len);
    *out = s;
    return RC_OK;
}

/* ---- writing --------------------------------------------------------------- */

static json_t *slots_json(const struct policy_session *s)
{
    json_t *list = json_array();
    for (unsigned k = 0; list && k < POLICY__KINDS; k++)
        if (s->slot[k] &&
            json_array_append_new(list, json_string(policy_kind_name(
                                                (enum policy_kind)k))) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *artifact_json(const struct policy_session *s)
{
    if (!s->has_artifact)
        return json_null();
    char sha256[ENC_HEX_SIZE(32)], sha512[ENC_HEX_SIZE(64)];
    return json_pack("{s:s, s:I, s:s, s:s}", "name", s->artifact_name, "size",
                     (json_int_t)s->artifact_size, "sha256",
                     enc_hex(sha256, s->artifact_sha256, 32), "sha512",
                     enc_hex(sha512, s->artifact_sha512, 64));
}

static json_t *session_json(const struct policy_session *s)
{
    char cluster[ENC_HEX_SIZE(32)], key[ENC_HEX_SIZE(32)];
    char policy[ENC_HEX_SIZE(32)], nonce[ENC_HEX_SIZE(32)];
    enc_hex(key, s->key, 32);
    return json_pack(
            "{s:i, s:s, s:s, s:s?, s:s?, s:s, s:o, s:o, s:s, s:s, s:s, s:s, "
            "s:I, s:I}",
            "v", 1, "type", policy_session_type_name(s->type), "cluster",
            enc_hex(cluster, s->cluster, 32), "profile",
            s->has_profile ? s->profile : NULL, "key", s->has_key ? key : NULL,
            "policy", enc_hex(policy, s->policy, 32), "artifact",
            artifact_json(s), "slots", slots_json(s), "mode", "ed25519",
            "requester", s->requester, "reason", s->reason, "nonce",
            enc_hex(nonce, s->nonce, 32), "created", (json_int_t)s->created,
            "expires", (json_int_t)s->expires);
}

enum rc policy_session_write(char out[POLICY_DESCRIPTOR_MAX], size_t *len,
                             struct policy_session *in)
{
    OWNED(json_t) *root = session_json(in);
    if (!root)
        return rc_raise(RC_ARG, "descriptor: a text is not UTF-8, or no "
                                "memory");
    char text[POLICY_DESCRIPTOR_MAX];
    size_t n = json_dumpb(root, text, sizeof(text) - 1, JSON_COMPACT);
    if (n == 0 || n >= sizeof(text))
        return rc_raise(RC_TOO_LARGE, "descriptor: %zu bytes, at most %zu", n,
                        sizeof(text) - 1);
    /* what we write is what a reader takes, or it is not written */
    struct policy_session seen;
    TRY(policy_session_parse(&seen, text, n));
    memcpy(out, text, n);
    out[n] = 0;
    *len = n;
    *in = seen;
    return RC_OK;
}
