/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes of a test deployment: a channel each, over real TLS on loopback and
 * a simulator of their own.
 */
#ifndef TESTS_NODES_H
#define TESTS_NODES_H

#include "simulator.h"

#include <pthread.h>
#include <stdatomic.h>

#include "attest/channel_inner.h"
#include "http/http.h"
#include "http/pki.h"

#define NODE_A     "mpc://test/sidecar/a"
#define NODE_B     "mpc://test/log/b"
#define DEPLOYMENT "test"
#define HOST_HEX                                                               \
    "0101010101010101010101010101010101010101010101010101010101010101"

/* One policy for all peers of a node; the test changes it under way. */
struct node {
    const char *uri;
    struct pki_id id;
    const struct simulator *sim;
    struct attest_guest *guest;
    struct attest_channel *channel;
    struct http_server *server;
    char url[64];
    pthread_mutex_t lock;
    uint8_t hashes[ATTEST_MAX_HASHES][32];
    unsigned n_hashes;
    enum attest_role role;
    bool unknown;
    atomic_int heads; /* hellos told to this node's host */
    atomic_int news[3];
    atomic_int refusals;
    char refusal[1024]; /* the last one */
    atomic_int handled; /* calls that reached its HTTP_PEER row */
    atomic_bool hold;   /* its handler waits */
    atomic_bool lies;   /* its replies carry another MPC-Policy */
    /* What it raised while it judged evidence, one after the other: the
     * client asks once more by itself, and gets another text then. */
    char said[4096];
};

/* Window and TEE_POLICY_HASH as given; everything else ordinary. */
struct attest_channel_config node_config(struct node *n, int64_t window_s,
                                         const char *tee_policy_hash);
void node_open(struct node *n, const char *uri, const struct pki_id *id,
               const struct simulator *sim, int64_t window_s,
               const char *tee_policy_hash);
void node_serve(struct node *n);
void node_close(struct node *n);
/* The policy allows exactly this hash. */
void node_allow(struct node *n, const uint8_t hash[32]);

/* Whether it said this about evidence since the last time it was asked. */
bool node_said(struct node *n, const char *text);

/* A client of `from` to `to`: guarded by the channel, lanes 1. */
struct line {
    struct http_client *client;
    struct http_peer *peer;
    struct http_tls tls; /* raw lines: what the gate saw */
    char header[65];     /* raw lines: MPC-Policy, "" for none */
};
void line_open(struct line *l, struct node *from, const struct node *to);
/* No attestation by itself: the test plays the client's part. */
void line_open_raw(struct line *l, struct node *from, const struct node *to);
void line_close(struct line *l);
/* GET /v1/ping: the server answers with the peer's URI. */
enum rc line_ping(struct line *l);
enum rc line_post(struct http_answer *out, struct line *l, const char *path,
                  const char *json, size_t len);

/* A node's evidence for the other end of this connection. */
enum rc node_evidence(struct attest_channel *ch, struct wire_evidence *out,
                      enum attest_end end, const struct http_tls *tls,
                      const uint8_t nonce[32]);

/* Time moves forward for everybody. */
void node_clock_setup(void);
void node_clock_advance(int64_t ms);

#endif
