/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated cluster's policy, persons and sessions, through the rules
 * that real ones go through. Keys of persons are made from their names.
 */
#include "test.h"

#include "sim.h"

#include <jansson.h>
#include <sodium.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/hash.h"
#include "base/rand.h"

const char *const sim_stewards[] = { "bob", "carol", NULL };

/* ---- persons -------------------------------------------------------------------- */

static void person_key(uint8_t pk[32], uint8_t sk[64], const char *name)
{
    uint8_t seed[32];
    hash256(seed, name, strlen(name));
    crypto_sign_seed_keypair(pk, sk, seed);
}

void sim_record(struct wire_blob *out, const uint8_t session[32],
                enum policy_decision decision, const char *role,
                const char *person)
{
    uint8_t pk[32], sk[64], challenge[32], blob[1024];
    char text[POLICY_RECORD_MAX];
    size_t blob_len, len;
    person_key(pk, sk, person);
    policy_challenge(challenge, session, decision, role, person);
    assert_ok(policy_sshsig_make(blob, sizeof(blob), &blob_len, challenge, sk));
    assert_ok(policy_record_sshsig(text, &len, session, decision, role, person,
                                   pk, (const char *)blob, blob_len));
    assert_ok(wire_blob_set(out, text, len));
}

/* ---- the document ------------------------------------------------------------------ */

static json_t *person(const char *id, const char *roles)
{
    uint8_t pk[32], sk[64];
    char key[ENC_B64_SIZE(32)];
    person_key(pk, sk, id);
    return json_pack("{s:s, s:o, s:[{s:s, s:s}]}", "id", id, "roles",
                     json_loads(roles, 0, NULL), "credentials", "kind",
                     "sshsig", "key", enc_b64u(key, pk, 32));
}

static json_t *node(struct sim *s, unsigned id, bool keyed)
{
    char uri[64], hex[ENC_HEX_SIZE(32)];
    snprintf(uri, sizeof(uri), "mpc://dev/sidecar/node%u", id);
    json_t *n = json_pack("{s:i, s:s}", "id", (int)id, "uri", uri);
    if (s->leaving & (1u << id))
        json_object_set_new(n, "leaving", json_true());
    if (!keyed)
        return n;
    const struct vault_keys *keys = &s->node[id].keys;
    json_object_set_new(n, "identity",
                        json_string(enc_hex(hex, keys->identity, 32)));
    json_object_set_new(n, "box", json_string(enc_hex(hex, keys->box, 32)));
    json_t *custodians = json_array();
    if (s->custodian[id][0])
        json_array_append_new(custodians, json_string(s->custodian[id]));
    json_object_set_new(n, "custodians", custodians);
    return n;
}

static json_t *profile(const struct sim *s, const char *name, int engineers,
                       int stewards, int max_message)
{
    json_t *nodes = json_array();
    unsigned t = s->threshold ? s->threshold : s->n == 5 ? 3 : 2;
    for (unsigned i = 1; i <= s->n; i++)
        if (!s->holders || (s->holders & (1u << i)))
            json_array_append_new(nodes, json_integer(i));
    return json_pack("{s:s, s:s, s:s, s:i, s:o, s:{s:i, s:i}, s:[s,s,s], s:i, "
                     "s:n, s:b}",
                     "name", name, "lifetime", "persistent", "class",
                     "artifact", "threshold", (int)t, "nodes", nodes,
                     "required", "engineer", engineers, "steward", stewards,
                     "kinds", "raw", "cms", "dsse", "max_message", max_message,
                     "certificate", "sidecar_page", 0);
}

static json_t *ephemeral(const struct sim *s, const char *name, int engineers,
                         int stewards)
{
    json_t *p = profile(s, name, engineers, stewards, 65536);
    json_object_set_new(p, "lifetime", json_string("ephemeral"));
    return p;
}

static char *policy_text(struct sim *s, uint64_t version,
                         const uint8_t prev[32])
{
    char prev_hex[ENC_HEX_SIZE(32)], hash[65], vkey[TLOG_VKEY_MAX];
    memset(hash, 'a', 64);
    hash[64] = 0;
    json_t *nodes = json_array();
    for (unsigned i = 1; i <= s->n; i++)
        json_array_append_new(nodes, node(s, i, version > 1));
    json_t *j = json_pack(
            "{s:i, s:s, s:I, s:s, s:[o,o,o,o,o], s:{s:i}, s:{s:[s], s:[s], "
            "s:[s]}, s:o, s:{s:s, s:s}, s:o, s:[o,o,o,o,o,o]}",
            "v", 1, "cluster", "dev", "version", (json_int_t)version, "prev",
            enc_hex(prev_hex, prev, 32), "persons", person("dev", "[]"),
            person("alice", "[\"engineer\"]"), person("dave", "[\"engineer\"]"),
            person("bob", "[\"steward\"]"), person("carol", "[\"steward\"]"),
            "steward_rule", "steward", 2, "measurements", "sidecar", hash, "ca",
            hash, "log", hash, "nodes", nodes, "services", "ca",
            "mpc://dev/ca/ca", "log", "mpc://dev/log/log", "log",
            version > 1 ? json_string(tlog_vkey_text(vkey, &s->vkey))
                        : json_null(),
            "profiles", profile(s, "release", 0, 0, 65536),
            profile(s, "second", 0, 0, 65536), profile(s, "small", 0, 0, 100),
            profile(s, "guarded", 1, 2, 65536), ephemeral(s, "once", 0, 0),
            ephemeral(s, "guarded-once", 1, 2));
    assert_non_null(j);
    char *text = json_dumps(j, JSON_COMPACT);
    assert_non_null(text);
    json_decref(j);
    return text;
}

/* ---- sessions ------------------------------------------------------------------------ */

struct policy_session sim_session(struct sim *s, enum policy_session_type type,
                                  const char *profile_name)
{
    struct policy_session out = { .type = type };
    memcpy(out.cluster, s->genesis_sha256, 32);
    memcpy(out.policy, s->policy_sha256, 32);
    snprintf(out.requester, sizeof(out.requester), "dev");
    snprintf(out.reason, sizeof(out.reason), "simulated");
    assert_ok(rand_bytes(out.nonce, sizeof(out.nonce)));
    out.created = clock_now_s();
    out.expires = out.created + 900;
    if (profile_name) {
        out.has_profile = true;
        snprintf(out.profile, sizeof(out.profile), "%s", profile_name);
    }
    return out;
}

void sim_session_wire(struct sim *s, struct wire_session *out,
                      struct policy_session *in, const char *role,
                      const char *const *people)
{
    char text[POLICY_DESCRIPTOR_MAX];
    size_t len;
    size_t n = 0;
    (void)s;
    while (people && people[n])
        n++;
    assert_ok(policy_session_write(text, &len, in));
    assert_ok(wire_blob_set(&out->descriptor, text, len));
    sim_record(&out->requester, in->id, POLICY_D_REQUEST, "requester", "dev");
    assert_ok(wire_list_new(&out->approvals, n));
    for (size_t i = 0; i < n; i++)
        sim_record(&out->approvals.at[i], in->id, POLICY_D_APPROVE, role,
                   people[i]);
}

/* ---- policy ----------------------------------------------------------------------------- */

/* text is handed over: it becomes the newest version. */
static unsigned policy_put(struct sim *s, unsigned via, char *text)
{
    WIRE(policy) put = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    struct policy_session session = sim_session(s, POLICY_S_POLICY, NULL);
    policy_session_artifact(&session, "policy.json", text, strlen(text));
    session.has_artifact = true;
    assert_ok(wire_blob_set(&put.policy, text, strlen(text)));
    sim_session_wire(s, &put.session, &session, "steward", sim_stewards);
    assert_ok(wire_policy_encode(&json, &len, &put));
    unsigned call = sim_ask(s, via, "/v1/policy", json, len);
    free(s->policy);
    s->policy = text;
    s->version++;
    hash256(s->policy_sha256, text, strlen(text));
    return call;
}

unsigned sim_policy_next(struct sim *s, unsigned via, const char *from,
                         const char *to)
{
    char *text = policy_text(s, s->version + 1, s->policy_sha256);
    if (!from)
        return policy_put(s, via, text);
    char *at = strstr(text, from);
    assert_non_null(at);
    size_t head = (size_t)(at - text);
    char *edited = malloc(strlen(text) + strlen(to) + 1);
    assert_non_null(edited);
    memcpy(edited, text, head);
    strcpy(edited + head, to);
    strcat(edited, at + strlen(from));
    free(text);
    return policy_put(s, via, edited);
}

void sim_boot(struct sim *s)
{
    const uint8_t zeros[32] = { 0 };
    s->genesis = policy_text(s, 1, zeros);
    s->genesis_len = strlen(s->genesis);
    hash256(s->genesis_sha256, s->genesis, s->genesis_len);
    memcpy(s->policy_sha256, s->genesis_sha256, 32);
    s->version = 1;
    for (unsigned i = 1; i <= s->n; i++)
        sim_start(s, i);
    sim_run(s, 500);
    sim_want_ok(s, sim_policy_next(s, 1, NULL, NULL));
    sim_run(s, 100);
    for (unsigned i = 1; i <= s->n; i++) {
        struct wire_policy_head head;
        node_policy_head(s->node[i].node, &head);
        assert_int_equal(head.version, 2);
    }
}

unsigned sim_key_create(struct sim *s, unsigned via, const char *profile_name,
                        const char *const *stewards)
{
    WIRE(session) wire = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    struct policy_session session = sim_session(s, POLICY_S_KEY_CREATE,
                                                profile_name);
    sim_session_wire(s, &wire, &session, "steward", stewards);
    assert_ok(wire_session_encode(&json, &len, &wire));
    return sim_ask(s, via, "/v1/key/create", json, len);
}

void sim_ready(struct sim *s, const char *const *keys)
{
    sim_boot(s);
    for (; *keys; keys++) {
        unsigned call = sim_key_create(s, 1, *keys, sim_stewards);
        sim_want_ok(s, call);
    }
    sim_run(s, 500);
}
