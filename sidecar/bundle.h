/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence of signatures: what is kept of a finished one, whose standing
 * reports are known, and the answer to GET /v1/bundle/SESSION. Part of
 * sidecar/inner.h. All of it belongs to the loop thread, but for
 * struct own_standing.
 */
#ifndef SIDECAR_BUNDLE_H
#define SIDECAR_BUNDLE_H

#include "sidecar/sidecar.h"

#define SEEN_MAX        64 /* finished signatures kept for their bundle */
#define CHAINS_MAX      32 /* fresh certificates kept for receipts */
#define STANDING_BOOTS  3  /* reports kept of one peer: of so many boots */
#define BUNDLE_WAIT_MS  10000
#define BUNDLE_ASKS_MAX 64 /* callers that wait for one */

struct key;
struct round;
struct bundle_ask;

/* ---- standing evidence (standing.c) --------------------------------------- */

/* Ours: under the node's lock. */
struct own_standing {
    struct wire_standing s; /* owned; report.len 0: none */
    char *entry;            /* its log entry; owned */
    char *json;             /* the whole, once it is logged; owned */
};
/* A peer's, as it was judged when it came. */
struct peer_standing {
    struct wire_standing at[STANDING_BOOTS]; /* owned, a ring */
    unsigned next;
    bool asking;
    bool fresh; /* asked since its vault last began to live */
};

/* Under lock: gossip_check(), and RC_ORDER before our evidence is in the
 * log: what signs shall be known by then. */
MUST_CHECK enum rc standing_check(const struct node *n);
MUST_CHECK enum rc standing_on_peer(struct node *n, char **reply,
                                    size_t *reply_len);
/* It attested, or its vault is another: asks for its report if need be. */
void standing_meet(struct node *n, uint16_t id);
void standing_ask(struct node *n, uint16_t id);
/* Of the boot whose key made this signature over an intent's leaf; or NULL. */
const struct wire_standing *standing_of(struct node *n, uint16_t id,
                                        const struct tlog_hash *leaf,
                                        const uint8_t sig[64]);
void standing_tick(struct node *n);
void standing_free(struct node *n);
void peer_standing_free(struct peer_standing *p);

/* ---- what is kept (bundle_keep.c) ------------------------------------------------- */

/* A finished signature. */
struct seen {
    bool used;
    struct wire_round2_item item; /* owned */
    struct wire_round2_result *results;
    uint16_t signer[TLOG_MAX_NODES];
    unsigned n_signers;
    uint8_t signature[64];
    uint8_t *msg; /* owned: where it is not the artifact */
    size_t msg_len;
    struct wire_chain chain; /* owned: what the receipt names, or empty */
    char *receipt;           /* its text; owned */
    const struct key *key;
};
/* A leaf the CA gave us, for the receipts of its key. */
struct kept_chain {
    uint8_t group_key[32];
    struct wire_chain chain; /* owned */
    int64_t until_s;
};

/* The chain that the CA answered with, JSON: of this key. */
void bundle_chain_heard(struct node *n, const uint8_t group_key[32],
                        const uint8_t *json, size_t len);
/* Takes the shot's item and results; queues the receipt. */
void bundle_keep(struct node *n, struct round *r, unsigned s,
                 const uint8_t sig[64]);
void bundle_seen_free(struct seen *s);

/* ---- the answer (bundle.c, bundle_fill.c) ---------------------------------- */

/* GET /v1/bundle/SESSION[/SLOT] */
void bundle_on_get(struct node *n, uint64_t call, const char *rest);
MUST_CHECK enum rc bundle_on_cosign(struct node *n, const uint8_t *body,
                                    size_t len, char **reply,
                                    size_t *reply_len);
/* What stands in it before the log and the others are asked. Under lock. */
MUST_CHECK enum rc bundle_fill(struct wire_bundle *out, struct node *n,
                               const struct seen *s);
void bundle_tick(struct node *n);
void bundle_free(struct node *n);

#endif
