/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small cluster without machines: persons, four nodes, a log and an issuer
 * key, all from fixed seeds, and births made the honest way or spoilt at one
 * place.
 */
#ifndef TESTS_CA_WORLD_H
#define TESTS_CA_WORLD_H

#include "test.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "ca/ca.h"

#define WORLD_NOW   1795320000 /* 2026-11-22 */
#define WORLD_NODES 4 /* profile crowd; the others hold keys on 1 to 3 */

struct world_key {
    uint8_t pk[32];
    uint8_t sk[64];
};
struct world {
    struct policy_chain *chain;
    struct tlog_vkey log;
    struct world_key log_key;
    struct world_key node[WORLD_NODES];
    struct world_key issuer;
    struct tlog_hash leaf[64]; /* of the log's entries */
    unsigned n_leaves;
    uint8_t ca_hash[32]; /* the measurement that the policy allows the CA */
    uint8_t sidecar_hash[32];
    char *genesis;
    size_t genesis_len;
    struct wire_policy second; /* version 2, as it travels */
    unsigned n_keys;           /* group keys made so far */
    uint8_t root[CA_DER_MAX];
    size_t root_len;
};

void world_open(struct world *w);
/* With these measurements allowed. */
void world_open_with(struct world *w, const uint8_t ca_hash[32],
                     const uint8_t sidecar_hash[32]);
void world_close(struct world *w);
/* One more policy version, which changes nothing but its number. */
void world_next_version(struct world *w);

/* How a key is born. Zeros: honestly, for profile release. */
struct world_plan {
    const char *profile;
    bool sign_session; /* ephemeral: the session is a sign session */
    bool artifact;
    unsigned no_stewards; /* of the two approvals, this many are missing */
    bool no_requester;
    unsigned fewer_votes; /* the last nodes did not vote */
    unsigned threshold;   /* in endorsements and entry; 0: 2 */
    uint64_t parent;
    int64_t ends_s; /* its session, from WORLD_NOW on; 0: an hour */
    bool stranger;  /* node 3 votes with a key of its own choosing */
    void (*spoil_entry)(struct tlog_birth *entry);
    void (*spoil_birth)(struct wire_birth *birth); /* after it was logged */
};
void world_birth(struct wire_birth *out, struct world *w,
                 const struct world_plan *plan);

/* A session under the policy in force, id and all. */
void world_session(struct policy_session *out, struct world *w,
                   enum policy_session_type type, const void *artifact,
                   size_t artifact_len);
/* Signs with the issuer key and assembles. */
void world_sign(uint8_t out[CA_DER_MAX], size_t *len, const struct world *w,
                const uint8_t *tbs, size_t tbs_len);
EVP_PKEY *world_issuer_key(const struct world *w);
/* TBS of an honest leaf for this birth at WORLD_NOW. */
void world_leaf(uint8_t out[CA_DER_MAX], size_t *len, struct world *w,
                const struct wire_birth *birth, bool simulated);

#endif
