/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the channel share. The channel holds one secret, the
 * attestation key's, in locked memory; everything else here is public.
 */
#ifndef ATTEST_CHANNEL_INNER_H
#define ATTEST_CHANNEL_INNER_H

#include "attest/attest.h"

#include <pthread.h>
#include <stdatomic.h>

#include <sodium.h>

#include "base/enc.h"

#define CHANNEL_NONCE_MS   30000
#define CHANNEL_WINDOW_S   600
#define CHANNEL_WINDOW_MAX 3600
#define CHANNEL_SEEN       256   /* hello nonces remembered */
#define CHANNEL_BONDS      128   /* evidence remembered beyond a connection */
#define CHANNEL_ALIVE_MS   30000 /* a caller was heard within: it lives */
#define CHANNEL_ANSWER_MS  10000 /* a server answered within: it lives */
#define CHANNEL_BUCKETS    64    /* peers whose hellos are counted */
#define CHANNEL_BURST      4
#define CHANNEL_REFILL_MS  2000
#define CHANNEL_STRANGERS  16   /* failed handshakes told at once, and then */
#define CHANNEL_STRANGE_MS 1000 /* one in */
#define CHANNEL_TOLD       32   /* refusals of one peer, at once */
#define CHANNEL_TELL_MS    1000
#define CHANNEL_ASK_MS     20000 /* one binding request */
#define CHANNEL_WAITING    8     /* hellos that wait for the device at once */
#define CHANNEL_HELLO_MAX  4096
#define CHANNEL_BODY_MAX   (64 * 1024) /* evidence: five certificates */
#define CHANNEL_HELLO      "/v1/attest/hello"
#define CHANNEL_EVIDENCE   "/v1/attest/evidence"
#define CHANNEL_BIND       "/v1/attest/bind"
#define CHANNEL_BIND_MAX   4096
#define CHANNEL_HEADER     "MPC-Policy"

/* What peers are held to. Made whole, never changed, swapped under the lock. */
struct attest_terms {
    atomic_uint refs;
    bool has[2]; /* the policy document's rules, and the file's */
    struct attest_rules rules[2];
    bool narrowed; /* TEE_POLICY_HASH is set */
    uint8_t narrow[ATTEST_MAX_HASHES][32];
    unsigned n_narrow;
    struct wire_blob crl[3]; /* by product; p NULL: none */
    struct wire_blob cert[ATTEST_MAX_FILES];
    unsigned n_certs;
};

/* A pair of evidence both ends accepted, on whatever connection. */
struct attest_bond {
    struct attest_peer peer; /* uri empty: a free place */
    uint8_t peer_spki[32];
    uint8_t own_spki[32];
    uint8_t evidence[32]; /* the pair's id */
    int64_t since_ms;     /* our nonce was issued */
    int64_t expires_ms;
    uint64_t epoch;
};

/* One connection, seen from one end. Fields under the channel's lock. */
struct attest_session {
    struct attest_session *prev;
    struct attest_session *next;
    struct attest_channel *channel;
    uint8_t nonce[32]; /* ours, as verifier */
    int64_t nonce_ms;  /* when it was issued */
    bool nonce_live;
    uint8_t own_data[64]; /* what our evidence was bound to; server's end */
    uint8_t exporter[32]; /* of the connection it was bound on */
    uint8_t peer_spki[32];
    uint8_t own_spki[32];
    bool attested;
    int64_t expires_ms;
    int64_t heard_ms; /* the peer's last sign of life */
    uint64_t epoch;   /* of the channel when it was attested */
    struct attest_peer peer;

    /* client end only, in the driving thread */
    struct http_lane *lane;  /* NULL: it is gone */
    bool pending;            /* a request holds this session */
    bool sealing;            /* its request is a bind */
    bool client;             /* it is the client's end */
    struct attest_job *job;  /* under jobs_lock: waits for the device */
    struct attest_bond bond; /* what it is being bound by */
};

/* One report to be made, for a session that waits for it. */
struct attest_job {
    struct attest_job *next;
    struct attest_session *session; /* NULL: nobody waits any more */
    struct http_call *call;         /* the hello to answer; else NULL */
    char uri[HTTP_URI_MAX];         /* whose */
    uint8_t data[64];
    struct wire_evidence evidence;
    bool done;
    enum rc rc; /* what came of it */
    char why[512], hint[256];
};

/* Hellos of one peer. */
struct attest_bucket {
    char uri[HTTP_URI_MAX];
    int64_t full_ms; /* when it will be full again */
    enum rc refused; /* its last evidence, here; RC_OK: it was not */
    char why[512], hint[256];
    int64_t told_ms; /* as full_ms, of refusals told to the host */
    uint64_t untold;
};

struct attest_channel {
    pthread_mutex_t lock;
    atomic_ullong n_reports; /* asked of the device */
    char deployment[HTTP_URI_MAX];
    char own_uri[HTTP_URI_MAX];
    struct attest_guest *guest;
    bool guest_simulated;
    struct attest_roots roots;
    uint8_t genesis[32];
    int64_t window_ms;
    unsigned hello_burst, refused_burst;
    struct attest_channel_host host;

    uint8_t measurement[ATTEST_MEASUREMENT_LEN];
    uint8_t hash[32];
    char hash_hex[ENC_HEX_SIZE(32)];
    uint8_t ak[crypto_sign_PUBLICKEYBYTES];
    uint8_t *ak_secret; /* secret_new(), freed and wiped with the channel */
    uint64_t boot;
    struct wire_evidence own; /* our evidence of the start, over own_data */
    uint8_t own_data[64];
    pthread_mutex_t terms_lock; /* one change of terms at a time */

    /* channel_report.c; taken before `lock` and before a server's */
    pthread_mutex_t jobs_lock;
    pthread_cond_t jobs_moved;
    struct attest_job *jobs[3]; /* by who asks */
    unsigned n_jobs[3], turn;
    bool reporting, closing; /* the reporter runs; shall end */
    pthread_t reporter;

    /* under lock */
    struct attest_terms *terms;
    uint64_t epoch;
    struct attest_session *sessions;
    uint8_t seen[CHANNEL_SEEN][32];
    unsigned n_seen;
    struct attest_bond bonds[CHANNEL_BONDS];
    struct attest_bucket buckets[CHANNEL_BUCKETS];
    int64_t strangers_full_ms; /* as a bucket's */
    uint64_t strangers_untold;
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
/* The id of a pair of evidence, by both ends' REPORT_DATA. */
void attest_pair_id(uint8_t out[32], const uint8_t server[64],
                    const uint8_t client[64]);
/* What an attestation key signs to bind a connection; signer: whose end. */
#define ATTEST_CONN_LEN (18 + 1 + 4 * 32)
void attest_conn_said(uint8_t out[ATTEST_CONN_LEN], enum attest_end signer,
                      const uint8_t exporter[32], const uint8_t client_spki[32],
                      const uint8_t server_spki[32],
                      const uint8_t evidence[32]);

/* ---- channel_terms.c --------------------------------------------------- */

/* Those in force; never NULL. Give them back. */
struct attest_terms *attest_terms_get(struct attest_channel *ch);
void attest_terms_free(struct attest_terms *t);
MUST_CHECK enum rc attest_terms_init(struct attest_channel *ch,
                                     const char *tee_policy_hash,
                                     const struct attest_files *files);
/* The policies and the CRL of the report's product, into want. */
void attest_terms_want(const struct attest_terms *t, struct attest_want *want,
                       const struct wire_evidence *e);
/*
 * The evidence with the certificates it came without, as far as they are
 * here. It borrows from both; nothing is freed.
 */
#define ATTEST_TERMS_CHAIN 4
void attest_terms_fill(const struct attest_terms *t, struct wire_evidence *out,
                       struct wire_blob chain[ATTEST_TERMS_CHAIN],
                       const struct wire_evidence *in);
/* The terms list measurements for that role, and this is not among them. */
bool attest_terms_exclude(const struct attest_terms *t, enum attest_role role,
                          const uint8_t hash[32]);

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
/* One of them is this. */
bool attest_channel_in(const uint8_t hash[32], uint8_t (*set)[32], unsigned n);
/* What our evidence for the other end of this connection is bound to, and
 * what theirs is. */
void attest_channel_own_data(const struct attest_channel *ch, uint8_t out[64],
                             enum attest_end end, const struct http_tls *tls,
                             const uint8_t nonce[32]);
void attest_channel_their_data(const struct attest_channel *ch, uint8_t out[64],
                               const struct wire_evidence *e,
                               enum attest_end end, const struct http_tls *tls,
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
void attest_session_drop(struct attest_session *s);
/*
 * Whether it stands on this connection now; copies the peer. RC_ATTEST says
 * why not.
 */
MUST_CHECK enum rc attest_session_stands(struct attest_session *s,
                                         const uint8_t exporter[32],
                                         struct attest_peer *peer);
/* The peer spoke on it. RC_ATTEST: the policy it was proved under is gone. */
MUST_CHECK enum rc attest_session_heard(struct attest_session *s);
uint64_t attest_channel_epoch(struct attest_channel *ch);
/* RC_ATTEST when this hello's nonce came before. */
MUST_CHECK enum rc attest_channel_first(struct attest_channel *ch,
                                        const uint8_t nonce[32]);

/* ---- channel_bucket.c -------------------------------------------------- */

/* This peer has asked for too many reports: RC_BUSY, or what its evidence was
 * refused for last. */
MUST_CHECK enum rc attest_channel_spare(struct attest_channel *ch,
                                        const char *uri);
/* What came of judging this peer's evidence, with the thread's last error;
 * hands rc on. */
enum rc attest_refused_keep(struct attest_channel *ch, const char *uri,
                            enum rc rc);
/* That, raised again; rc where it was not refused. */
enum rc attest_refused_before(struct attest_channel *ch, const char *uri,
                              enum rc rc);

/* Whether the host hears of this refusal; untold: of how many it did not. */
bool attest_refused_worth(struct attest_channel *ch, const char *uri,
                          uint64_t *untold);

/* ---- channel_bond.c ---------------------------------------------------- */

/*
 * The peer of s->bond is proved on this connection by a report (L1), until
 * the window from our nonce ends, at most that long; so are its other
 * connections that stand. The bond is kept. RC_ATTEST: it is a clone.
 */
MUST_CHECK enum rc attest_bond_make(struct attest_session *s,
                                    const struct http_tls *tls,
                                    int64_t at_most_ms, int64_t *left_ms);
/* A bond with that peer that still stands; ak, spki, evidence NULL: any. */
bool attest_bond_find(struct attest_channel *ch, struct attest_bond *out,
                      const char *uri, const uint8_t *ak,
                      const uint8_t *peer_spki, const uint8_t *evidence);
/* This connection stands by s->bond (L2). RC_UNBOUND: it is gone. */
MUST_CHECK enum rc attest_bond_use(struct attest_session *s,
                                   const struct http_tls *tls,
                                   int64_t at_most_ms, int64_t *left_ms);
void attest_bond_forget(struct attest_channel *ch,
                        const struct attest_bond *bond);
/* When the client's end should prove itself anew, clock_mono_ms() scale. */
int64_t attest_bond_due(const struct attest_session *s);

/* ---- channel_report.c --------------------------------------------------- */

/* For whom: they take turns. */
enum attest_asker { ATTEST_OURSELVES, ATTEST_KNOWN, ATTEST_STRANGER };
#define ATTEST_ASKERS 3
/*
 * A report over data, made in a thread of its own: the device may take
 * seconds, and whoever serves or signs does not wait for it. With a call, that
 * is the hello it answers, deferred here; without, http_lane_wake() when it is
 * there to be taken. Of callers not too many wait: RC_BUSY.
 */
MUST_CHECK enum rc attest_report_later(struct attest_session *s,
                                       struct http_call *call, const char *uri,
                                       const uint8_t data[64],
                                       enum attest_asker who);
/* The session's, once it is done, now the caller's; else NULL. */
struct attest_job *attest_report_take(struct attest_session *s);
void attest_report_free(struct attest_job *j);
/* Nobody waits for it any more. */
void attest_report_cancel(struct attest_session *s);
void attest_report_stop(struct attest_channel *ch);

/* ---- channel_client.c, channel_bind.c ---------------------------------- */

/* The client's L1, from the hello; it ends with http_lane_ready(). */
void attest_client_begin(struct attest_session *s);
/* L2 by s->bond; falls back to L1. */
void attest_client_bind(struct attest_session *s);
/* RC_OK: proved. Tells the lane. */
void attest_client_end(struct attest_session *s, enum rc rc);
bool attest_client_resume(struct attest_session *s);
MUST_CHECK enum rc attest_client_failed(const struct http_reply_view *r,
                                        const char *uri);
void attest_client_post(struct attest_session *s, const char *path, char *json,
                        size_t len, http_done *done);
/* Puts our signature over this connection into the request. */
MUST_CHECK enum rc attest_client_seal(struct attest_session *s,
                                      const struct http_tls *tls, void *body,
                                      size_t len);

/* ---- channel_stranger.c ------------------------------------------------ */

/* A handshake failed: the host is told, so often. */
void attest_server_stranger(const char *from, const char *why, void *ch);

/* ---- channel_server.c -------------------------------------------------- */

MUST_CHECK enum rc attest_server_tls(const struct http_tls **out,
                                     const struct http_call *call);
MUST_CHECK enum rc attest_server_session(struct attest_session **out,
                                         struct http_call *call,
                                         struct attest_channel *ch);
MUST_CHECK enum rc attest_server_reply(struct http_call *call, char *json,
                                       size_t len);
/* Answers the hello with this evidence, which it takes; jobs_lock is held. */
void attest_hello_answer(struct attest_job *j,
                         const struct wire_policy_head *head);
/* Tells the host, with how many before it were not told, and hands rc back
 * with its words. */
enum rc attest_refused_tell(struct attest_channel *ch, const char *uri,
                            const char *method, const char *path,
                            uint64_t untold, enum rc rc);
enum rc attest_server_refused(struct attest_channel *ch,
                              const struct http_call *call, enum rc rc);

#endif
