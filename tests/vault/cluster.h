/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three vaults and a log in one test: whole DKGs, intents with proofs, and
 * signatures. Every test of the promise runs over spawned and local vaults.
 */
#ifndef TESTS_VAULT_CLUSTER_H
#define TESTS_VAULT_CLUSTER_H

#include "test.h"

#include "vault/vault.h"

#define NODES   3
#define LOG_MAX 1024

enum mode { SPAWNED, LOCAL };

/* ---- a log in memory -------------------------------------------------- */

struct test_log {
    struct tlog_hash leaf[LOG_MAX];
    uint64_t n;
    struct tlog_vkey vkey;
    uint8_t sk[64];
};
void log_init(struct test_log *log, uint8_t seed);
/* Index of the entry. */
uint64_t log_append(struct test_log *log, const void *entry, size_t len);
void log_note(const struct test_log *log, char note[TLOG_NOTE_MAX],
              uint64_t size);
void log_inclusion(const struct test_log *log, struct tlog_path *path,
                   uint64_t index, uint64_t size);
void log_consistency(const struct test_log *log, struct tlog_path *path,
                     uint64_t old_size, uint64_t size);
/* Entry, index, path and checkpoint at the log's present size. */
void log_prove(const struct test_log *log, struct tlog_proof *out,
               const char *entry, size_t len, uint64_t index);

/* ---- vaults ------------------------------------------------------------ */

struct cluster {
    enum mode mode;
    enum vault_master master; /* 0: snp */
    struct vault *v[NODES];   /* node i + 1 */
    struct vault_keys keys[NODES];
    uint8_t sealed[NODES][VAULT_SEALED_KEYS_MAX];
    size_t sealed_len[NODES];
    uint8_t seal_key[NODES][32];
    struct tlog_roster roster;
    char roster_text[TLOG_ROSTER_MAX];
    size_t roster_len;
    struct test_log log;
    uint64_t head[NODES]; /* newest size each vault accepted */
};
struct vault_config node_config(const struct cluster *c, unsigned i);
/* Starts (or starts again) node i + 1. */
void node_start(struct cluster *c, unsigned i);
/* Opens it with what was sealed last, or new keys. */
void node_open(struct cluster *c, unsigned i);
/* Three open vaults; roster_write() and rosters_set() follow. */
struct cluster *cluster_new(enum mode mode);
void roster_write(struct cluster *c);
void rosters_set(struct cluster *c);
/* All of that. */
struct cluster *cluster_ready(enum mode mode);
void cluster_free(struct cluster *c);

/* ---- keys ------------------------------------------------------------- */

struct made_key {
    struct vault_dkg_terms terms;
    struct frost_dealing packages[NODES];
    /* boxes[i][j]: what i dealt to j */
    uint8_t boxes[NODES][NODES][VAULT_BOX_LEN];
    struct vault_dkg_result result[NODES];
    struct tlog_epoch_terms epoch;
    struct tlog_vote votes[NODES];
    uint8_t key[32]; /* H(group key) */
};
void dkg_terms(struct made_key *k, uint8_t session, bool persistent);
void dkg_run(struct cluster *c, struct made_key *k);
void dkg_vote(struct cluster *c, struct made_key *k);
void dkg_activate(struct cluster *c, struct made_key *k);
/* terms 2-of-3, run, vote, activate */
void key_make(struct cluster *c, struct made_key *k, uint8_t session,
              bool persistent);

/* ---- one signature ----------------------------------------------------- */

struct attempt {
    const uint8_t *msg;
    size_t msg_len;
    uint8_t salt[32];
    struct tlog_intent intent;
    struct tlog_proof proof;
    struct tlog_path consistency;
    struct vault_commitment own[NODES];
    struct vault_signer signers[NODES];
    unsigned n;
    uint16_t lead;
};
/* Commitments of nodes 1..n under this lead, and an honest intent. */
void attempt_make(struct cluster *c, struct attempt *a,
                  const struct made_key *k, const void *msg, size_t len);
/* Logs the intent as it now stands and proves it. */
void attempt_publish(struct cluster *c, struct attempt *a);
/* The request to node i + 1, with the proof from the head it knows. */
struct vault_sign_request attempt_request(struct cluster *c, struct attempt *a,
                                          const struct made_key *k, unsigned i);
/* Asks node i + 1, and keeps its head. */
enum rc attempt_sign(struct cluster *c, struct vault_sign_reply *out,
                     struct attempt *a, const struct made_key *k, unsigned i);
/* All signers sign; the sum verifies under OpenSSL. */
void attempt_finish(struct cluster *c, struct attempt *a,
                    const struct made_key *k);

#endif
