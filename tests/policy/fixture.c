/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "fixture.h"

#include <sodium.h>

#include "base/enc.h"
#include "base/hash.h"

const uint8_t fx_zeros[32];

void fx_key(uint8_t pk[32], uint8_t sk[64], const char *name)
{
    uint8_t seed[32], unused[64];
    hash256(seed, name, strlen(name));
    crypto_sign_seed_keypair(pk, sk ? sk : unused, seed);
}

static json_t *hex_of(const char *name)
{
    uint8_t pk[32];
    char hex[ENC_HEX_SIZE(32)];
    fx_key(pk, NULL, name);
    return json_string(enc_hex(hex, pk, 32));
}

static json_t *person(const char *id, const char *roles)
{
    uint8_t pk[32];
    char key[ENC_B64_SIZE(32)];
    fx_key(pk, NULL, id);
    return json_pack("{s:s, s:o, s:[{s:s, s:s}]}", "id", id, "roles",
                     json_loads(roles, 0, NULL), "credentials", "kind",
                     "sshsig", "key", enc_b64u(key, pk, 32));
}

static json_t *node(unsigned id, bool keyed)
{
    char uri[64], name[64];
    snprintf(uri, sizeof(uri), "mpc://dev/sidecar/node%u", id);
    json_t *n = json_pack("{s:i, s:s}", "id", (int)id, "uri", uri);
    if (!keyed)
        return n;
    snprintf(name, sizeof(name), "identity%u", id);
    json_object_set_new(n, "identity", hex_of(name));
    snprintf(name, sizeof(name), "box%u", id);
    json_object_set_new(n, "box", hex_of(name));
    json_t *custodians = json_array();
    for (unsigned i = 0; i < 2; i++) {
        snprintf(name, sizeof(name), "custodian%u.%u", id, i);
        json_array_append_new(custodians, hex_of(name));
    }
    json_object_set_new(n, "custodians", custodians);
    return n;
}

static json_t *profile(const char *name, const char *lifetime,
                       const char *class, int engineers, int stewards,
                       const char *kinds)
{
    return json_pack("{s:s, s:s, s:s, s:i, s:[i,i,i], s:{s:i, s:i}, s:o, s:i, "
                     "s:n, s:b}",
                     "name", name, "lifetime", lifetime, "class", class,
                     "threshold", 2, "nodes", 1, 2, 3, "required", "engineer",
                     engineers, "steward", stewards, "kinds",
                     json_loads(kinds, 0, NULL), "max_message", 65536,
                     "certificate", "sidecar_page", 0);
}

static json_t *profiles(void)
{
    const char *artifact = "[\"raw\",\"cms\",\"dsse\"]";
    const char *tls = "[\"x509\",\"tls12\",\"tls13\"]";
    const char *issuer = "[\"x509\",\"ocsp\"]";
    json_t *all = json_array();
    json_array_append_new(all,
                          profile("release", "persistent", "artifact", 0, 0,
                                  "[\"raw\",\"cms\",\"dsse\",\"x509\","
                                  "\"ocsp\",\"cmp\"]"));
    json_array_append_new(all, profile("web", "persistent", "tls", 0, 0, tls));
    json_array_append_new(
            all, profile("once", "ephemeral", "artifact", 0, 0, artifact));
    json_array_append_new(
            all, profile("guarded", "persistent", "artifact", 1, 2, artifact));
    json_array_append_new(all,
                          profile("ca", "persistent", "issuer", 0, 0, issuer));
    fx_patch(json_array_get(all, 0), "certificate",
             "{\"ttl_s\":300,\"eku\":[\"code_signing\",\"email_protection\"],"
             "\"san\":[\"mpc://dev/release\"]}");
    return all;
}

static json_t *log_of(unsigned version)
{
    if (version == 1)
        return json_null();
    struct tlog_vkey vkey;
    uint8_t sk[64];
    char text[TLOG_VKEY_MAX];
    fx_log(&vkey, sk, "log");
    return json_string(tlog_vkey_text(text, &vkey));
}

json_t *fx_policy_json(unsigned version, const uint8_t prev[32])
{
    char prev_text[ENC_HEX_SIZE(32)], hash[ENC_HEX_SIZE(32)];
    memset(hash, 'a', 64);
    hash[64] = 0;
    bool keyed = version >= 2;
    json_t *j = json_pack(
            "{s:i, s:s, s:i, s:s, s:[o,o,o,o,o,o], s:{s:i}, s:{s:[s], s:[s], "
            "s:[]}, s:[o,o,o], s:{s:s, s:s}, s:o, s:o}",
            "v", 1, "cluster", "dev", "version", (int)version, "prev",
            enc_hex(prev_text, prev, 32), "persons", person("dev", "[]"),
            person("alice", "[\"engineer\"]"), person("dave", "[\"engineer\"]"),
            person("bob", "[\"steward\"]"), person("carol", "[\"steward\"]"),
            person("erin", "[\"engineer\",\"steward\"]"), "steward_rule",
            "steward", 2, "measurements", "sidecar", hash, "ca", hash, "log",
            "nodes", node(1, keyed), node(2, keyed), node(3, keyed), "services",
            "ca", "mpc://dev/ca/ca", "log", "mpc://dev/log/log", "log",
            log_of(version), "profiles", profiles());
    assert_non_null(j);
    return j;
}

char *fx_text(const json_t *j)
{
    char *text = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_non_null(text);
    return text;
}

struct policy *fx_policy_of(const json_t *j)
{
    struct policy *p = NULL;
    char *text = fx_text(j);
    assert_ok(policy_parse(&p, text, strlen(text)));
    free(text);
    return p;
}

struct policy *fx_policy(unsigned version)
{
    uint8_t prev[32];
    memset(prev, version > 1 ? 7 : 0, sizeof(prev));
    json_t *j = fx_policy_json(version, prev);
    struct policy *p = fx_policy_of(j);
    json_decref(j);
    return p;
}

static json_t *step(json_t *at, const char *name)
{
    json_t *next = json_is_array(at) ? json_array_get(at, strtoul(name, 0, 10))
                                     : json_object_get(at, name);
    if (!next)
        fail_msg("fx_patch: no %s", name);
    return next;
}

void fx_patch(json_t *root, const char *path, const char *value)
{
    char names[128], *rest = NULL;
    snprintf(names, sizeof(names), "%s", path);
    char *name = strtok_r(names, ".", &rest);
    for (char *next; (next = strtok_r(NULL, ".", &rest)); name = next)
        root = step(root, name);
    json_t *v = value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;
    assert_true(v || !value);
    int bad = json_is_object(root) ? (v ? json_object_set_new(root, name, v)
                                        : json_object_del(root, name))
              : name[0] == '+'     ? json_array_append_new(root, v)
              : v ? json_array_set_new(root, strtoul(name, 0, 10), v)
                  : json_array_remove(root, strtoul(name, 0, 10));
    if (bad)
        fail_msg("fx_patch: cannot change %s", path);
}

struct policy_session fx_session(const struct policy *p,
                                 enum policy_session_type type,
                                 const char *profile)
{
    struct policy_session s = { .type = type };
    hash256(s.cluster, "genesis", 7);
    memcpy(s.policy, p->sha256, 32);
    snprintf(s.requester, sizeof(s.requester), "dev");
    snprintf(s.reason, sizeof(s.reason), "release 2.4");
    memset(s.nonce, 0x5a, sizeof(s.nonce));
    s.created = FX_NOW;
    s.expires = FX_NOW + 900;
    if (profile) {
        s.has_profile = true;
        snprintf(s.profile, sizeof(s.profile), "%s", profile);
    }
    if (profile && type != POLICY_S_KEY_CREATE && strcmp(profile, "once")) {
        uint8_t pk[32];
        s.has_key = true;
        fx_key(pk, NULL, profile);
        hash256(s.key, pk, 32);
    }
    const struct policy_profile *f = profile ? policy_profile_find(p, profile)
                                             : NULL;
    if (type == POLICY_S_SIGN && f)
        memcpy(s.slot, f->kinds, sizeof(s.slot));
    if (type == POLICY_S_ROOT)
        s.slot[POLICY_X509] = true;
    return s;
}

void fx_seal(struct policy_session *s, char text[POLICY_DESCRIPTOR_MAX],
             size_t *len)
{
    char unused[POLICY_DESCRIPTOR_MAX];
    size_t n = 0;
    assert_ok(policy_session_write(text ? text : unused, len ? len : &n, s));
}

void fx_bind(struct policy_session *s, const void *bytes, size_t len)
{
    policy_session_artifact(s, "app.tar.gz", bytes, len);
    fx_seal(s, NULL, NULL);
}

struct tlog_blob fx_record(struct fx_record *out, const uint8_t session[32],
                           enum policy_decision decision, const char *role,
                           const char *person)
{
    uint8_t pk[32], sk[64], challenge[32], blob[1024];
    size_t blob_len = 0;
    fx_key(pk, sk, person);
    policy_challenge(challenge, session, decision, role, person);
    assert_ok(policy_sshsig_make(blob, sizeof(blob), &blob_len, challenge, sk));
    assert_ok(policy_record_sshsig(out->text, &out->blob.len, session, decision,
                                   role, person, pk, (const char *)blob,
                                   blob_len));
    out->blob.p = (const uint8_t *)out->text;
    return out->blob;
}

void fx_log(struct tlog_vkey *vkey, uint8_t sk[64], const char *name)
{
    uint8_t pk[32];
    fx_key(pk, sk, name);
    assert_ok(tlog_vkey_make(vkey, "dev/log", TLOG_SIG_ED25519, pk));
}
