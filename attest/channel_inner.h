/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the channel share. The channel holds one secret, the
 * attestation key's, in locked memory; everything else here is public.
 */
#ifndef ATTEST_CHANNEL_INNER_H
#define ATTEST_CHANNEL_INNER_H

#include "attest/attest.h"

#include <pthread.h>

#include <sodium.h>

#include "base/enc.h"

#define CHANNEL_NONCE_MS   30000
#define CHANNEL_WINDOW_S   600
#define CHANNEL_WINDOW_MAX 3600
#define CHANNEL_SEEN       256   /* hello nonces remembered */
#define CHANNEL_ASK_MS     20000 /* one binding request */
#define CHANNEL_HELLO_MAX  4096
#define CHANNEL_BODY_MAX   (64 * 1024) /* evidence: five certificates */
#define CHANNEL_HELLO      "/v1/attest/hello"
#define CHANNEL_EVIDENCE   "/v1/attest/evidence"
#define CHANNEL_HEADER     "MPC-Policy"

/* One connection, seen from one end. Fields under the channel's lock. */
struct attest_session {
    struct attest_session *prev;
    struct attest_session *next;
    struct attest_channel *channel;
    uint8_t nonce[32]; /* ours, as verifier */
    int64_t nonce_ms;  /* when it was issued */
    bool nonce_live;
    uint8_t exporter[32]; /* of the connection it was bound on */
    bool attested;
    int64_t expires_ms;
    uint64_t epoch; /* of the channel when it was attested */
    struct attest_peer peer;

    /* client end only, in the driving thread */
    struct http_lane *lane; /* NULL: it is gone */
    bool pending;           /* a request holds this session */
    struct attest_peer judged;
};

struct attest_channel {
    pthread_mutex_t lock;
    pthread_mutex_t guest_lock; /* the device answers one at a time */
    char deployment[HTTP_URI_MAX];
    char own_uri[HTTP_URI_MAX];
    struct attest_guest *guest;
    bool guest_simulated;
    struct attest_roots roots;
    bool narrowed;
    uint8_t narrow[ATTEST_MAX_HASHES][32];
    unsigned n_narrow;
    uint8_t genesis[32];
    int64_t window_ms;
    struct attest_channel_host host;

    uint8_t measurement[ATTEST_MEASUREMENT_LEN];
    uint8_t hash[32];
    char hash_hex[ENC_HEX_SIZE(32)];
    uint8_t ak[crypto_sign_PUBLICKEYBYTES];
    uint8_t *ak_secret; /* secret_new(), freed and wiped with the channel */
    uint64_t boot;

    /* under lock */
    uint64_t epoch;
    struct attest_session *sessions;
    uint8_t seen[CHANNEL_SEEN][32];
    unsigned n_seen;
};

/* ---- binder.c ---------------------------------------------------------- */

enum attest_end { ATTEST_CLIENT = 1, ATTEST_SERVER = 2 };

/* What one report is bound to: E of the channel protocol. */
struct attest_binding {
    enum attest_end end; /* the attester's */
    const char *deployment;
    const char *attester; /* URIs */
    const char *verifier;
    const uint8_t *ak; /* all [32] */
    const uint8_t *attester_spki;
    const uint8_t *verifier_spki;
    const uint8_t *exporter;
    const uint8_t *nonce; /* the verifier's */
    uint64_t boot;
};
/* REPORT_DATA = SHA-512(E) */
void attest_binder(uint8_t out[64], const struct attest_binding *b);

/* ---- judge.c ----------------------------------------------------------- */

/*
 * The hashes a peer may have: the policy's, narrowed by TEE_POLICY_HASH.
 * RC_AUTH: no node of the policy. RC_POLICY_HASH: none is left; the text
 * shows `seen`, what that peer says or proves of itself (NULL: nothing).
 */
MUST_CHECK enum rc attest_channel_allowed(struct attest_channel *ch,
                                          const char *uri, const char *seen,
                                          uint8_t (*hashes)[32], unsigned *n,
                                          enum attest_role *role);
/* Our evidence for the other end of this connection. */
MUST_CHECK enum rc attest_channel_evidence(struct attest_channel *ch,
                                           struct wire_evidence *out,
                                           enum attest_end end,
                                           const struct http_tls *tls,
                                           const uint8_t nonce[32]);
/* Theirs; end is theirs, nonce ours. */
MUST_CHECK enum rc attest_channel_judge(struct attest_channel *ch,
                                        struct attest_peer *out,
                                        const struct wire_evidence *evidence,
                                        enum attest_end end,
                                        const struct http_tls *tls,
                                        const uint8_t nonce[32]);
/* The sender's MPC-Policy must be what it attested. */
MUST_CHECK enum rc attest_channel_header(const struct attest_peer *peer,
                                         const char *header);

/* ---- channel.c --------------------------------------------------------- */

/* In the channel's list; NULL without memory. */
struct attest_session *attest_session_new(struct attest_channel *ch);
void attest_session_free(struct attest_session *s);
/* A fresh nonce, its clock started. */
MUST_CHECK enum rc attest_session_nonce(struct attest_session *s,
                                        uint8_t out[32]);
/* Spends the nonce: RC_ATTEST when there is none, or it is too old. */
MUST_CHECK enum rc attest_session_spend(struct attest_session *s,
                                        uint8_t out[32]);
/* The peer is proved until the window from our nonce ends; returns ms left. */
int64_t attest_session_prove(struct attest_session *s,
                             const struct attest_peer *peer,
                             const uint8_t exporter[32], uint64_t epoch,
                             int64_t at_most_ms);
void attest_session_drop(struct attest_session *s);
/*
 * Whether it stands on this connection now; copies the peer. RC_ATTEST says
 * why not.
 */
MUST_CHECK enum rc attest_session_stands(struct attest_session *s,
                                         const uint8_t exporter[32],
                                         struct attest_peer *peer);
uint64_t attest_channel_epoch(struct attest_channel *ch);
/* RC_ATTEST when this hello's nonce came before. */
MUST_CHECK enum rc attest_channel_first(struct attest_channel *ch,
                                        const uint8_t nonce[32]);

#endif
