/* SPDX-License-Identifier: Apache-2.0 */
/* Three vaults and a log; see cluster.h. */
#include "cluster.h"

#include <openssl/evp.h>

#include "base/clock.h"
#include "base/hash.h"

#define DEPLOYMENT "vault.test"

/* ---- a log in memory --------------------------------------------------- */

void log_init(struct test_log *log, uint8_t seed)
{
    uint8_t pk[32];
    uint8_t s[32] = { 0 };
    s[0] = seed;
    memset(log, 0, sizeof(*log));
    assert_true(sodium_init() >= 0);
    crypto_sign_seed_keypair(pk, log->sk, s);
    assert_ok(tlog_vkey_make(&log->vkey, DEPLOYMENT "/log", TLOG_SIG_ED25519,
                             pk));
}

uint64_t log_append(struct test_log *log, const void *entry, size_t len)
{
    assert_true(log->n < LOG_MAX);
    tlog_leaf_hash(&log->leaf[log->n], entry, len);
    return log->n++;
}

void log_note(const struct test_log *log, char note[TLOG_NOTE_MAX],
              uint64_t size)
{
    struct tlog_checkpoint cp = { .size = size };
    snprintf(cp.origin, sizeof(cp.origin), "%s", log->vkey.name);
    tlog_root(&cp.root, log->leaf, size);
    assert_ok(tlog_checkpoint_sign(note, TLOG_NOTE_MAX, &cp, &log->vkey,
                                   log->sk));
}

static uint64_t split(uint64_t n)
{
    uint64_t k = 1;
    while (k * 2 < n)
        k *= 2;
    return k;
}

static void path_add(struct tlog_path *path, const struct tlog_hash *leaves,
                     uint64_t n)
{
    tlog_root(&path->hash[path->n++], leaves, n);
}

/* RFC 6962 section 2.1.1, as written there. */
static void inclusion(struct tlog_path *path, uint64_t m,
                      const struct tlog_hash *d, uint64_t n)
{
    if (n == 1)
        return;
    uint64_t k = split(n);
    if (m < k) {
        inclusion(path, m, d, k);
        path_add(path, d + k, n - k);
    } else {
        inclusion(path, m - k, d + k, n - k);
        path_add(path, d, k);
    }
}

/* RFC 6962 section 2.1.2. */
static void consistency(struct tlog_path *path, uint64_t m,
                        const struct tlog_hash *d, uint64_t n, bool whole)
{
    if (m == n) {
        if (!whole)
            path_add(path, d, n);
        return;
    }
    uint64_t k = split(n);
    if (m <= k) {
        consistency(path, m, d, k, whole);
        path_add(path, d + k, n - k);
    } else {
        consistency(path, m - k, d + k, n - k, false);
        path_add(path, d, k);
    }
}

void log_inclusion(const struct test_log *log, struct tlog_path *path,
                   uint64_t index, uint64_t size)
{
    path->n = 0;
    inclusion(path, index, log->leaf, size);
}

void log_consistency(const struct test_log *log, struct tlog_path *path,
                     uint64_t old_size, uint64_t size)
{
    path->n = 0;
    if (old_size > 0 && old_size < size)
        consistency(path, old_size, log->leaf, size, true);
}

void log_prove(const struct test_log *log, struct tlog_proof *out,
               const char *entry, size_t len, uint64_t index)
{
    memset(out, 0, sizeof(*out));
    memcpy(out->entry, entry, len);
    out->entry_len = len;
    out->index = index;
    log_inclusion(log, &out->path, index, log->n);
    log_note(log, out->checkpoint, log->n);
}

/* ---- vaults ------------------------------------------------------------- */

struct vault_config node_config(const struct cluster *c, unsigned i)
{
    struct vault_config config = { .node = (uint16_t)(i + 1),
                                   .seal_fd = -1,
                                   .test_seal_key = c->seal_key[i],
                                   .master = { c->master },
                                   .n_masters = c->master != 0 };
    memset(config.cluster, 0xC1, sizeof(config.cluster));
    memset(config.measurement, 0x3E, sizeof(config.measurement));
    return config;
}

void node_start(struct cluster *c, unsigned i)
{
    const struct vault_config config = node_config(c, i);
    vault_free(c->v[i]);
    c->v[i] = NULL;
    c->head[i] = 0;
    if (c->mode == SPAWNED)
        assert_ok(vault_spawn(&c->v[i], &config));
    else
        assert_ok(vault_local(&c->v[i], &config));
}

void node_open(struct cluster *c, unsigned i)
{
    size_t len = c->sealed_len[i];
    assert_ok(vault_open(c->v[i], &c->keys[i], c->sealed[i], &len));
    if (len)
        c->sealed_len[i] = len;
}

struct cluster *cluster_new(enum mode mode)
{
    struct cluster *c = calloc(1, sizeof(*c));
    assert_non_null(c);
    c->mode = mode;
    log_init(&c->log, 1);
    for (unsigned i = 0; i < NODES; i++) {
        memset(c->seal_key[i], (int)(0xA0 + i), 32);
        node_start(c, i);
        node_open(c, i);
        assert_true(c->sealed_len[i] > 0);
        assert_false(c->keys[i].has_roster);
    }
    return c;
}

void roster_write(struct cluster *c)
{
    memset(&c->roster, 0, sizeof(c->roster));
    c->roster.log = c->log.vkey;
    c->roster.n = NODES;
    for (unsigned i = 0; i < NODES; i++) {
        c->roster.node[i].id = (uint16_t)(i + 1);
        memcpy(c->roster.node[i].identity, c->keys[i].identity, 32);
        memcpy(c->roster.node[i].box, c->keys[i].box, 32);
    }
    assert_ok(tlog_roster_encode(c->roster_text, sizeof(c->roster_text),
                                 &c->roster_len, &c->roster));
}

void rosters_set(struct cluster *c)
{
    for (unsigned i = 0; i < NODES; i++)
        assert_ok(vault_roster_set(c->v[i], c->roster_text, c->roster_len, NULL,
                                   c->sealed[i], &c->sealed_len[i]));
}

struct cluster *cluster_ready(enum mode mode)
{
    struct cluster *c = cluster_new(mode);
    roster_write(c);
    rosters_set(c);
    return c;
}

void cluster_free(struct cluster *c)
{
    for (unsigned i = 0; i < NODES; i++)
        vault_free(c->v[i]);
    free(c);
}

/* ---- keys --------------------------------------------------------------- */

void dkg_terms(struct made_key *k, uint8_t session, bool persistent)
{
    memset(k, 0, sizeof(*k));
    memset(k->terms.session, session, 32);
    k->terms.epoch = 1;
    k->terms.t = 2;
    k->terms.n = NODES;
    k->terms.persistent = persistent;
    for (unsigned i = 0; i < NODES; i++)
        k->terms.ids[i] = (uint16_t)(i + 1);
}

void dkg_run(struct cluster *c, struct made_key *k)
{
    uint8_t in[NODES][VAULT_BOX_LEN];
    for (unsigned i = 0; i < NODES; i++)
        assert_ok(vault_dkg_begin(c->v[i], &k->packages[i], &k->terms));
    for (unsigned i = 0; i < NODES; i++)
        assert_ok(vault_dkg_deal(c->v[i], k->boxes[i], k->terms.session,
                                 k->packages, NODES));
    for (unsigned j = 0; j < NODES; j++) {
        for (unsigned i = 0; i < NODES; i++)
            memcpy(in[i], k->boxes[i][j], VAULT_BOX_LEN);
        assert_ok(vault_dkg_finish(c->v[j], &k->result[j], k->terms.session,
                                   (const uint8_t(*)[VAULT_BOX_LEN])in, NODES));
        assert_memory_equal(k->result[j].group_key, k->result[0].group_key, 32);
        assert_memory_equal(k->result[j].transcript, k->result[0].transcript,
                            32);
        assert_int_equal(k->result[j].sealed_len != 0, k->terms.persistent);
    }
    hash256(k->key, k->result[0].group_key, 32);
    memcpy(k->epoch.session, k->terms.session, 32);
    memcpy(k->epoch.group_key, k->result[0].group_key, 32);
    memcpy(k->epoch.transcript, k->result[0].transcript, 32);
    k->epoch.epoch = k->terms.epoch;
    k->epoch.t = k->terms.t;
    k->epoch.n = k->terms.n;
}

void dkg_vote(struct cluster *c, struct made_key *k)
{
    for (unsigned i = 0; i < NODES; i++) {
        struct tlog_vote *v = &k->votes[i];
        v->node = (uint16_t)(i + 1);
        memcpy(v->identity, c->keys[i].identity, 32);
        memcpy(v->y, k->result[i].ys[i], 32);
        assert_ok(vault_vote(c->v[i], v->sig, k->terms.session,
                             k->result[i].sealed, k->result[i].sealed_len));
    }
    assert_ok(tlog_votes_check(&k->epoch, TLOG_VOTE_PREPARED, k->votes, NODES));
}

void dkg_activate(struct cluster *c, struct made_key *k)
{
    struct tlog_vote acks[NODES];
    memcpy(acks, k->votes, sizeof(acks));
    for (unsigned i = 0; i < NODES; i++)
        assert_ok(vault_activate(c->v[i], acks[i].sig, &k->epoch, k->votes,
                                 NODES, NULL, 0));
    assert_ok(tlog_votes_check(&k->epoch, TLOG_VOTE_ACTIVE, acks, NODES));
}

void key_make(struct cluster *c, struct made_key *k, uint8_t session,
              bool persistent)
{
    dkg_terms(k, session, persistent);
    dkg_run(c, k);
    dkg_vote(c, k);
    dkg_activate(c, k);
}

/* ---- one signature ------------------------------------------------------ */

void attempt_make(struct cluster *c, struct attempt *a,
                  const struct made_key *k, const void *msg, size_t len)
{
    uint8_t identities[NODES][32];
    memset(a, 0, sizeof(*a));
    a->msg = msg;
    a->msg_len = len;
    a->n = 2;
    a->lead = 1;
    memset(a->salt, 0x5A, sizeof(a->salt));
    for (unsigned i = 0; i < a->n; i++) {
        assert_ok(vault_commit(c->v[i], &a->own[i], 1, k->key, k->terms.epoch,
                               a->lead));
        a->signers[i].node = (uint16_t)(i + 1);
        memcpy(a->signers[i].hiding, a->own[i].hiding, 32);
        memcpy(a->signers[i].binding, a->own[i].binding, 32);
        memcpy(identities[i], c->keys[i].identity, 32);
    }
    tlog_commitment(a->intent.commitment, a->salt, a->msg, a->msg_len);
    memcpy(a->intent.key, k->key, 32);
    snprintf(a->intent.class, sizeof(a->intent.class), "artifact");
    snprintf(a->intent.mode, sizeof(a->intent.mode), "ed25519");
    snprintf(a->intent.slot, sizeof(a->intent.slot), "raw");
    /* a key of one session signs in that */
    memset(a->intent.session, 0x77, 32);
    if (!k->terms.persistent)
        memcpy(a->intent.session, k->terms.session, 32);
    a->intent.attempt = 1;
    a->intent.epoch = k->terms.epoch;
    a->intent.birth = TLOG_NO_INDEX;
    a->intent.expires = clock_now_s() + 100;
    tlog_participants(a->intent.participants, (const uint8_t(*)[32])identities,
                      a->n);
}

void attempt_publish(struct cluster *c, struct attempt *a)
{
    char entry[TLOG_ENTRY_MAX + 1];
    size_t len;
    assert_ok(tlog_intent_encode(entry, &len, &a->intent));
    uint64_t index = log_append(&c->log, entry, len);
    log_prove(&c->log, &a->proof, entry, len, index);
}

struct vault_sign_request attempt_request(struct cluster *c, struct attempt *a,
                                          const struct made_key *k, unsigned i)
{
    struct vault_sign_request q = { .epoch = k->terms.epoch,
                                    .lead = a->lead,
                                    .signers = a->signers,
                                    .n_signers = a->n,
                                    .msg = a->msg,
                                    .msg_len = a->msg_len,
                                    .intent = &a->proof,
                                    .consistency = &a->consistency };
    memcpy(q.key, k->key, 32);
    memcpy(q.nonce_id, a->own[i].nonce_id, VAULT_NONCE_ID_LEN);
    memcpy(q.salt, a->salt, 32);
    log_consistency(&c->log, &a->consistency, c->head[i], c->log.n);
    return q;
}

enum rc attempt_sign(struct cluster *c, struct vault_sign_reply *out,
                     struct attempt *a, const struct made_key *k, unsigned i)
{
    const struct vault_sign_request q = attempt_request(c, a, k, i);
    TRY(vault_sign(c->v[i], out, &q));
    c->head[i] = c->log.n;
    return RC_OK;
}

static bool openssl_verifies(const uint8_t sig[64], const uint8_t key[32],
                             const uint8_t *msg, size_t len)
{
    EVP_PKEY *pk = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, 32);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_non_null(pk);
    assert_non_null(ctx);
    bool ok = EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pk) == 1 &&
              EVP_DigestVerify(ctx, sig, 64, msg, len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pk);
    return ok;
}

void attempt_finish(struct cluster *c, struct attempt *a,
                    const struct made_key *k)
{
    struct frost_commitment list[NODES];
    struct frost_sig_share shares[NODES];
    struct frost_point group, ys[NODES];
    struct vault_sign_reply reply;
    uint8_t sig[64];
    for (unsigned i = 0; i < a->n; i++) {
        assert_ok(attempt_sign(c, &reply, a, k, i));
        assert_ok(frost_id_from_u16(&list[i].id, a->signers[i].node));
        memcpy(list[i].hiding.b, a->signers[i].hiding, 32);
        memcpy(list[i].binding.b, a->signers[i].binding, 32);
        shares[i].id = list[i].id;
        memcpy(shares[i].z.le, reply.share, 32);
        memcpy(ys[i].b, k->result[0].ys[i], 32);
    }
    memcpy(group.b, k->result[0].group_key, 32);
    const struct frost_package package = { &group, a->msg, a->msg_len,
                                           list,   a->n,   NULL };
    const struct frost_point *r = (const struct frost_point *)
                                          reply.group_commitment;
    assert_ok(frost_aggregate(sig, &package, shares, ys, r, NULL));
    assert_memory_equal(sig, r, 32);
    assert_true(openssl_verifies(sig, group.b, a->msg, a->msg_len));
    sig[0] ^= 1;
    assert_false(openssl_verifies(sig, group.b, a->msg, a->msg_len));
}
