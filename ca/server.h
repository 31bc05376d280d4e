/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpc-ca while it runs. Handlers come from the peer listener's pool and may
 * block for a signing round; the lock is never held across one. Holds a
 * handle to the issuer key, never the key.
 */
#ifndef CA_SERVER_H
#define CA_SERVER_H

#include <pthread.h>

#include "ca/ca.h"
#include "daemon/chain.h"
#include "daemon/daemon.h"

/* Kept ready: of persistent keys, then of ephemeral ones, so that many
 * sessions cost no profile its leaf. */
#define CA_LEAVES      64
#define CA_LEAVES_ONCE 64

/* A leaf that was issued, for whoever asks for the same again. */
struct ca_ready {
    uint8_t policy[32]; /* in force when it was issued; zeros: free */
    uint64_t birth;
    int64_t issued;
    int64_t stale; /* from 80 % of its life on */
    struct wire_chain chain;
};
struct ca_server {
    struct daemon *daemon; /* first: daemon_on_hello() looks here */
    struct daemon d;
    struct daemon_chain *chain;
    uint8_t own_hash[32];
    bool simulated;
    struct http_server *public; /* NULL: public_listen is not set */
    pthread_mutex_t lock;       /* what follows */
    EVP_PKEY *key;              /* NULL until it was opened */
    struct ca_ready ready[CA_LEAVES + CA_LEAVES_ONCE];
    enum rc sct_last;       /* what came of asking for the last SCT */
    pthread_mutex_t asking; /* the line to the log: what follows */
    struct http_client *client;
    struct http_peer *log; /* NULL: log_url is not set */
    int64_t log_pause_ms;  /* it did not answer: not before then */
};

extern const struct http_route ca_peer_routes[];
extern const struct http_route ca_public_routes[];

/* ---- what it is asked (serve.c) -------------------------------------------- */

/* fresh: it was issued just now, not kept ready. */
MUST_CHECK enum rc ca_serve_leaf(struct wire_chain *out, bool *fresh,
                                 struct ca_server *ca,
                                 const struct wire_issue *in);
/* The root alone; RC_ORDER until there is one. */
MUST_CHECK enum rc ca_serve_root(struct wire_chain *out, struct ca_server *ca);
/*
 * Keeps the root that is handed in: of this cluster and of our key. RC_EXISTS
 * when there is another one.
 */
MUST_CHECK enum rc ca_serve_take(struct wire_chain *out, struct ca_server *ca,
                                 const struct wire_chain *in);

/* ---- the log's SCT (promise.c) ---------------------------------------------- */

MUST_CHECK enum rc ca_promise_open(struct ca_server *ca);
void ca_promise_close(struct ca_server *ca);
/*
 * tbs becomes what is to be signed: with an SCT where the log gives one.
 *
 * log_down  out, it did not answer
 */
MUST_CHECK enum rc ca_promise_get(struct ca_server *ca, uint8_t tbs[CA_DER_MAX],
                                  size_t *tbs_len, const uint8_t *root,
                                  size_t root_len, bool *log_down);

/* ---- the issuer (issuer.c) ------------------------------------------------- */

/* The provider that serves mpc: keys, unless OPENSSL_CONF loaded it. */
MUST_CHECK enum rc ca_provider_load(struct ca_server *ca);
/* A reference: EVP_PKEY_free() it. Opened on first use. */
MUST_CHECK enum rc ca_server_key(EVP_PKEY **out, struct ca_server *ca);
/* It failed: open it again next time. */
void ca_server_key_drop(struct ca_server *ca);
/* The issuer key's signers judge what they sign: it is one of mpc:. */
bool ca_server_threshold(const struct ca_server *ca);
/* The root as DER, read anew; RC_ORDER until there is one. */
MUST_CHECK enum rc ca_server_root(uint8_t out[CA_DER_MAX], size_t *len,
                                  const struct ca_server *ca);

/* ---- leaves kept ready (ready.c) --------------------------------------------- */

/* A copy of one that still has a fifth of its life; RC_UNKNOWN. */
MUST_CHECK enum rc ca_ready_get(struct wire_chain *out, struct ca_server *ca,
                                const uint8_t policy[32], uint64_t birth,
                                int64_t now_s);
/* Keeps a copy; where all places of its kind are taken, the oldest goes. */
MUST_CHECK enum rc ca_ready_put(struct ca_server *ca, const uint8_t policy[32],
                                uint64_t birth, int64_t issued, int64_t ttl_s,
                                bool once, const struct wire_chain *chain);
void ca_ready_wipe(struct ca_server *ca);

#endif
