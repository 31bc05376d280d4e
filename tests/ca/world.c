/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <sodium.h>

#include "base/enc.h"
#include "base/hash.h"

/* ---- keys -------------------------------------------------------------------- */

static void key_from(struct world_key *k, const char *name, unsigned n)
{
    uint8_t seed[32];
    char text[64];
    snprintf(text, sizeof(text), "test key %s %u", name, n);
    hash256(seed, text, strlen(text));
    assert_int_equal(crypto_sign_seed_keypair(k->pk, k->sk, seed), 0);
}

static const struct {
    const char *name, *role;
} persons[] = {
    { "alice", "engineer" },
    { "bob", "steward" },
    { "carol", "steward" },
    { "dave", "engineer" },
};
#define N_PERSONS (sizeof(persons) / sizeof(persons[0]))

/* ---- policy ------------------------------------------------------------------- */

struct text {
    char at[16384];
    size_t n;
};
static PRINTF_LIKE(2, 3) void say(struct text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(t->at + t->n, sizeof(t->at) - t->n, fmt, ap);
    va_end(ap);
    assert_true(n >= 0 && t->n + (size_t)n < sizeof(t->at));
    t->n += (size_t)n;
}

static void say_persons(struct text *t)
{
    say(t, "\"persons\":[");
    for (unsigned i = 0; i < N_PERSONS; i++) {
        struct world_key k;
        char b64[ENC_B64_SIZE(32)];
        key_from(&k, persons[i].name, 0);
        say(t,
            "%s{\"id\":\"%s\",\"roles\":[\"%s\"],\"credentials\":"
            "[{\"kind\":\"sshsig\",\"key\":\"%s\"}]}",
            i ? "," : "", persons[i].name, persons[i].role,
            enc_b64u(b64, k.pk, 32));
    }
    say(t, "],\"steward_rule\":{\"steward\":2},");
}

static void say_nodes(struct text *t, const struct world *w, bool keys)
{
    say(t, "\"nodes\":[");
    for (unsigned i = 0; i < WORLD_NODES; i++) {
        say(t, "%s{\"id\":%u,\"uri\":\"mpc://test/sidecar/node%u\"",
            i ? "," : "", i + 1, i + 1);
        if (keys) {
            char identity[ENC_HEX_SIZE(32)], box[ENC_HEX_SIZE(32)];
            struct world_key k;
            key_from(&k, "box", i);
            say(t, ",\"identity\":\"%s\",\"box\":\"%s\",\"custodians\":[]",
                enc_hex(identity, w->node[i].pk, 32), enc_hex(box, k.pk, 32));
        }
        say(t, "}");
    }
    say(t, "],\"services\":{\"ca\":\"mpc://test/ca/ca\","
           "\"log\":\"mpc://test/log/log\"},");
}

#define CERT_300                                                               \
    "{\"ttl_s\":300,\"eku\":[\"code_signing\",\"email_protection\"],"          \
    "\"san\":[]}"

static void say_profiles(struct text *t)
{
    static const struct {
        const char *name, *lifetime, *class, *kinds, *certificate;
    } all[] = {
        { "release", "persistent", "artifact", "\"raw\",\"cms\"", CERT_300 },
        { "once", "ephemeral", "artifact", "\"raw\",\"cms\"",
          "{\"ttl_s\":60,\"eku\":[\"code_signing\"],\"san\":[]}" },
        { "crowd", "ephemeral", "artifact", "\"raw\"", CERT_300 },
        { "bare", "persistent", "artifact", "\"raw\"", "null" },
        { "long", "persistent", "artifact", "\"raw\"",
          "{\"ttl_s\":601,\"eku\":[\"code_signing\"],\"san\":[]}" },
        { "ca", "persistent", "issuer", "\"x509\"", "null" },
        { "web", "persistent", "tls", "\"tls13\"", "null" },
    };
    say(t, "\"profiles\":[");
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        say(t,
            "%s{\"name\":\"%s\",\"lifetime\":\"%s\",\"class\":\"%s\","
            "\"threshold\":2,\"nodes\":[1,2,3%s],\"required\":{\"engineer\":0,"
            "\"steward\":0},\"kinds\":[%s],\"max_message\":65536,"
            "\"certificate\":%s,\"sidecar_page\":false}",
            i ? "," : "", all[i].name, all[i].lifetime, all[i].class,
            strcmp(all[i].name, "crowd") == 0 ? ",4" : "", all[i].kinds,
            all[i].certificate);
    say(t, "]}");
}

static void policy_text(struct text *t, const struct world *w, unsigned version,
                        const uint8_t prev[32])
{
    char hex[ENC_HEX_SIZE(32)], vkey[TLOG_VKEY_MAX];
    t->n = 0;
    say(t, "{\"v\":1,\"cluster\":\"test\",\"version\":%u,\"prev\":\"%s\",",
        version, enc_hex(hex, prev, 32));
    say_persons(t);
    say(t, "\"measurements\":{\"sidecar\":[\"%s\"],",
        enc_hex(hex, w->sidecar_hash, 32));
    say(t, "\"ca\":[\"%s\"],\"log\":[]},", enc_hex(hex, w->ca_hash, 32));
    say_nodes(t, w, version > 1);
    if (version > 1)
        say(t, "\"log\":\"%s\",", tlog_vkey_text(vkey, &w->log));
    else
        say(t, "\"log\":null,");
    say_profiles(t);
}

/* ---- the log --------------------------------------------------------------------- */

/* PATH of RFC 6962 section 2.1.1. */
static void path_of(struct tlog_path *out, const struct tlog_hash *leaves,
                    unsigned n, unsigned index)
{
    if (n < 2)
        return;
    unsigned k = 1;
    while (k * 2 < n)
        k *= 2;
    if (index < k) {
        path_of(out, leaves, k, index);
        tlog_root(&out->hash[out->n++], leaves + k, n - k);
    } else {
        path_of(out, leaves + k, n - k, index - k);
        tlog_root(&out->hash[out->n++], leaves, k);
    }
}

static void append(struct tlog_proof *out, struct world *w, const char *text,
                   size_t len)
{
    struct tlog_checkpoint cp = { .size = w->n_leaves + 1 };
    memset(out, 0, sizeof(*out));
    memcpy(out->entry, text, len + 1);
    out->entry_len = len;
    out->index = w->n_leaves;
    tlog_leaf_hash(&w->leaf[w->n_leaves++], text, len);
    path_of(&out->path, w->leaf, w->n_leaves, (unsigned)out->index);
    snprintf(cp.origin, sizeof(cp.origin), "%s", w->log.name);
    tlog_root(&cp.root, w->leaf, w->n_leaves);
    assert_ok(tlog_checkpoint_sign(out->checkpoint, sizeof(out->checkpoint),
                                   &cp, &w->log, w->log_key.sk));
}

/* ---- sessions and records ----------------------------------------------------------- */

struct record {
    char at[POLICY_RECORD_MAX];
    size_t len;
};
static void record_by(struct record *out, const struct policy_session *s,
                      unsigned who, enum policy_decision d)
{
    const char *role = d == POLICY_D_REQUEST ? "requester" : persons[who].role;
    struct world_key k;
    uint8_t challenge[32], sig[1024];
    size_t sig_len;
    key_from(&k, persons[who].name, 0);
    policy_challenge(challenge, s->id, d, role, persons[who].name);
    assert_ok(policy_sshsig_make(sig, sizeof(sig), &sig_len, challenge, k.sk));
    assert_ok(policy_record_sshsig(out->at, &out->len, s->id, d, role,
                                   persons[who].name, k.pk, (const char *)sig,
                                   sig_len));
}

static void session_base(struct policy_session *s, const struct world *w,
                         enum policy_session_type type)
{
    *s = (struct policy_session){ .type = type,
                                  .created = WORLD_NOW - 100,
                                  .expires = WORLD_NOW + 3600 };
    memcpy(s->cluster, policy_chain_genesis(w->chain), 32);
    memcpy(s->policy, policy_chain_head(w->chain)->sha256, 32);
    snprintf(s->requester, sizeof(s->requester), "alice");
    snprintf(s->reason, sizeof(s->reason), "test");
    memset(s->nonce, 0x5a, 32);
}

static void proof_to_wire(struct wire_proof *out, const struct tlog_proof *in)
{
    assert_ok(wire_text_set(&out->entry, in->entry, in->entry_len));
    assert_ok(wire_text_set(&out->checkpoint, in->checkpoint,
                            strlen(in->checkpoint)));
    assert_ok(wire_list_new(&out->path, in->path.n));
    for (unsigned i = 0; i < in->path.n; i++)
        memcpy(out->path.at[i].b, in->path.hash[i].b, 32);
    out->index = in->index;
}

static void keep_second(struct world *w, const struct text *t,
                        const struct tlog_blob *d, const struct tlog_blob *b,
                        const struct tlog_proof *proof)
{
    struct wire_policy *p = &w->second;
    assert_ok(wire_blob_set(&p->policy, t->at, t->n));
    assert_ok(wire_blob_set(&p->session.descriptor, d->p, d->len));
    assert_ok(wire_blob_set(&p->session.requester, b[0].p, b[0].len));
    assert_ok(wire_list_new(&p->session.approvals, 2));
    for (unsigned i = 0; i < 2; i++)
        assert_ok(wire_blob_set(&p->session.approvals.at[i], b[1 + i].p,
                                b[1 + i].len));
    assert_ok(wire_list_new(&p->proof, 1));
    proof_to_wire(&p->proof.at[0], proof);
}

void world_next_version(struct world *w)
{
    unsigned version = (unsigned)policy_chain_head(w->chain)->version + 1;
    struct text *t = calloc(1, sizeof(*t));
    char descriptor[POLICY_DESCRIPTOR_MAX], entry[TLOG_ENTRY_MAX + 1];
    struct policy_session s;
    struct record r[3];
    size_t len;
    policy_text(t, w, version, policy_chain_head(w->chain)->sha256);
    session_base(&s, w, POLICY_S_POLICY);
    policy_session_artifact(&s, "policy.json", t->at, t->n);
    assert_ok(policy_session_write(descriptor, &len, &s));
    record_by(&r[0], &s, 0, POLICY_D_REQUEST);
    record_by(&r[1], &s, 1, POLICY_D_APPROVE);
    record_by(&r[2], &s, 2, POLICY_D_APPROVE);
    struct tlog_blob d = { (uint8_t *)descriptor, len };
    struct tlog_blob b[3];
    for (unsigned i = 0; i < 3; i++)
        b[i] = (struct tlog_blob){ (uint8_t *)r[i].at, r[i].len };
    struct policy *next;
    struct policy_approved by;
    assert_ok(policy_chain_check(&next, &by, w->chain, t->at, t->n, &d, &b[0],
                                 &b[1], 2, WORLD_NOW));
    struct tlog_policy e;
    struct tlog_proof proof;
    assert_ok(policy_entry(&e, next, &by));
    assert_ok(tlog_policy_encode(entry, &len, &e));
    append(&proof, w, entry, len);
    assert_ok(policy_chain_take(w->chain, next, &by, &proof));
    if (version == 2) /* what was born inside */
        keep_second(w, t, &d, b, &proof);
    free(t);
}

void world_session(struct policy_session *out, struct world *w,
                   enum policy_session_type type, const void *artifact,
                   size_t artifact_len)
{
    char descriptor[POLICY_DESCRIPTOR_MAX];
    size_t len;
    session_base(out, w, type);
    out->has_profile = true;
    snprintf(out->profile, sizeof(out->profile), "ca");
    if (type == POLICY_S_SIGN || type == POLICY_S_ROOT) {
        out->slot[POLICY_X509] = true;
        out->n_slots = 1;
    }
    if (type != POLICY_S_KEY_CREATE) {
        out->has_key = true;
        hash256(out->key, w->issuer.pk, 32);
    }
    if (artifact)
        policy_session_artifact(out, "root.der", artifact, artifact_len);
    assert_ok(policy_session_write(descriptor, &len, out));
}

/* ---- births ---------------------------------------------------------------------------- */

static void birth_session(struct wire_birth *b, struct policy_session *s,
                          const struct world *w, const struct world_plan *plan)
{
    char descriptor[POLICY_DESCRIPTOR_MAX];
    size_t len;
    struct record r;
    bool sign = plan->sign_session;
    session_base(s, w, sign ? POLICY_S_SIGN : POLICY_S_KEY_CREATE);
    s->has_profile = true;
    snprintf(s->profile, sizeof(s->profile), "%s",
             plan->profile ? plan->profile : "release");
    s->slot[POLICY_RAW] = sign;
    if (sign && plan->no_requester) /* opened for a socket peer */
        snprintf(s->requester, sizeof(s->requester), "uid.0.node1");
    s->nonce[0] = (uint8_t)w->n_keys;
    if (plan->ends_s)
        s->expires = WORLD_NOW + plan->ends_s;
    if (plan->artifact)
        policy_session_artifact(s, "app.tar.gz", "app", 3);
    assert_ok(policy_session_write(descriptor, &len, s));
    assert_ok(wire_blob_set(&b->descriptor, descriptor, len));
    if (!plan->no_requester) {
        record_by(&r, s, 0, POLICY_D_REQUEST);
        assert_ok(wire_blob_set(&b->requester, r.at, r.len));
    }
    unsigned n = sign ? 0 : 2 - plan->no_stewards;
    assert_ok(wire_list_new(&b->approvals, n));
    for (unsigned i = 0; i < n; i++) {
        record_by(&r, s, 1 + i, POLICY_D_APPROVE);
        assert_ok(wire_blob_set(&b->approvals.at[i], r.at, r.len));
    }
}

static void birth_votes(struct wire_birth *b, const struct policy_session *s,
                        const struct world *w, const struct world_plan *plan)
{
    struct world_key group, stranger;
    key_from(&group, "group", w->n_keys);
    key_from(&stranger, "stranger", 0);
    const struct policy_profile *f = policy_profile_find(
            policy_chain_head(w->chain), s->profile);
    unsigned n = f->n_nodes - plan->fewer_votes;
    struct tlog_epoch_terms terms = { .epoch = 1,
                                      .parent = plan->parent,
                                      .t = plan->threshold
                                                   ? (uint16_t)plan->threshold
                                                   : 2,
                                      .n = (uint16_t)n };
    memcpy(terms.session, s->id, 32);
    memcpy(terms.group_key, group.pk, 32);
    memset(terms.transcript, 0x77, 32);
    b->cert.epoch = terms.epoch;
    b->cert.parent = terms.parent;
    b->cert.threshold = terms.t;
    memcpy(b->cert.session, terms.session, 32);
    memcpy(b->cert.group_key, terms.group_key, 32);
    memcpy(b->cert.transcript, terms.transcript, 32);
    assert_ok(wire_list_new(&b->cert.votes, n));
    for (unsigned i = 0; i < n; i++) {
        bool odd = plan->stranger && i == 2;
        const struct world_key *k = odd ? &stranger : &w->node[i];
        struct wire_vote *v = &b->cert.votes.at[i];
        uint8_t msg[TLOG_VOTE_MESSAGE_MAX];
        size_t len;
        v->node = i + 1;
        memset(v->y, 0x30 + (int)i, 32);
        memcpy(v->identity, k->pk, 32);
        tlog_vote_message(msg, &len, TLOG_VOTE_PREPARED, &terms,
                          (uint16_t)v->node, v->y);
        crypto_sign_detached(v->sig, NULL, msg, len, k->sk);
    }
}

static void counted_root(uint8_t out[32], const struct wire_birth *b)
{
    struct tlog_blob list[2];
    for (size_t i = 0; i < b->approvals.n; i++)
        list[i] = (struct tlog_blob){ b->approvals.at[i].p,
                                      b->approvals.at[i].len };
    tlog_approvals_root(out, list, (unsigned)b->approvals.n);
}

static void birth_entry(struct tlog_birth *e, const struct wire_birth *b,
                        const struct policy_session *s, const struct world *w)
{
    const struct policy *p = policy_chain_head(w->chain);
    struct tlog_vote votes[WORLD_NODES];
    uint8_t identity[WORLD_NODES][32];
    unsigned n = (unsigned)b->cert.votes.n;
    for (unsigned i = 0; i < n; i++) {
        const struct wire_vote *v = &b->cert.votes.at[i];
        votes[i].node = (uint16_t)v->node;
        memcpy(votes[i].identity, v->identity, 32);
        memcpy(votes[i].y, v->y, 32);
        memcpy(votes[i].sig, v->sig, 64);
        memcpy(identity[i], v->identity, 32);
    }
    *e = (struct tlog_birth){ .threshold = b->cert.threshold };
    hash256(e->key, b->cert.group_key, 32);
    memcpy(e->session, s->id, 32);
    snprintf(e->class, sizeof(e->class), "%s",
             policy_class_name(policy_profile_find(p, s->profile)->class));
    tlog_participants(e->participants, (const uint8_t(*)[32])identity, n);
    tlog_endorsements_root(e->endorsements, votes, n);
    counted_root(e->approvals, b);
    memcpy(e->policy, p->sha256, 32);
}

void world_birth(struct wire_birth *out, struct world *w,
                 const struct world_plan *plan)
{
    struct policy_session s;
    struct tlog_birth e;
    struct tlog_proof proof;
    char text[TLOG_ENTRY_MAX + 1];
    size_t len;
    memset(out, 0, sizeof(*out));
    birth_session(out, &s, w, plan);
    birth_votes(out, &s, w, plan);
    w->n_keys++;
    birth_entry(&e, out, &s, w);
    if (plan->spoil_entry)
        plan->spoil_entry(&e);
    assert_ok(tlog_birth_encode(text, &len, &e));
    append(&proof, w, text, len);
    proof_to_wire(&out->proof, &proof);
    if (plan->spoil_birth)
        plan->spoil_birth(out);
}

/* ---- certificates -------------------------------------------------------------------------- */

void world_sign(uint8_t out[CA_DER_MAX], size_t *len, const struct world *w,
                const uint8_t *tbs, size_t tbs_len)
{
    uint8_t sig[64];
    crypto_sign_detached(sig, NULL, tbs, tbs_len, w->issuer.sk);
    assert_ok(ca_assemble(out, len, tbs, tbs_len, sig));
}

EVP_PKEY *world_issuer_key(const struct world *w)
{
    EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL,
                                               w->issuer.sk, 32);
    assert_non_null(k);
    return k;
}

void world_leaf(uint8_t out[CA_DER_MAX], size_t *len, struct world *w,
                const struct wire_birth *birth, bool simulated)
{
    struct ca_leaf leaf = { .chain = w->chain,
                            .birth = birth,
                            .issuer = w->root,
                            .issuer_len = w->root_len,
                            .tee_hash = w->ca_hash,
                            .simulated = simulated,
                            .now_s = WORLD_NOW };
    assert_ok(ca_leaf_tbs(out, len, &leaf));
}

/* ---- the whole -------------------------------------------------------------------------------- */

void world_open_with(struct world *w, const uint8_t ca_hash[32],
                     const uint8_t sidecar_hash[32])
{
    uint8_t genesis[32], zero[32] = { 0 }, tbs[CA_DER_MAX];
    size_t tbs_len;
    struct text *t = calloc(1, sizeof(*t));
    assert_true(sodium_init() >= 0);
    memset(w, 0, sizeof(*w));
    for (unsigned i = 0; i < WORLD_NODES; i++)
        key_from(&w->node[i], "node", i);
    key_from(&w->log_key, "log", 0);
    key_from(&w->issuer, "issuer", 0);
    memcpy(w->ca_hash, ca_hash, 32);
    memcpy(w->sidecar_hash, sidecar_hash, 32);
    assert_ok(tlog_vkey_make(&w->log, "test/log", TLOG_SIG_ED25519,
                             w->log_key.pk));
    policy_text(t, w, 1, zero);
    w->genesis = strdup(t->at);
    w->genesis_len = t->n;
    free(t);
    hash256(genesis, w->genesis, w->genesis_len);
    assert_ok(policy_chain_new(&w->chain, w->genesis, w->genesis_len, genesis));
    world_next_version(w);
    assert_ok(
            ca_root_tbs(tbs, &tbs_len, "test", w->issuer.pk, false, WORLD_NOW));
    world_sign(w->root, &w->root_len, w, tbs, tbs_len);
}

void world_open(struct world *w)
{
    static const uint8_t ca[32] = { 0xca }, sidecar[32] = { 0x5c };
    world_open_with(w, ca, sidecar);
}

void world_close(struct world *w)
{
    policy_chain_free(w->chain);
    wire_policy_free(&w->second);
    free(w->genesis);
}
