/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An attacker of mpc-attest/1 against daemons that run: TLS and HTTP by hand,
 * the channel's messages by hand, and a table of what it tries.
 *
 * It has whatever its arguments give it: certificates and keys, a genuine
 * device, recorded bytes. It plays by no rule of attest/ but uses its binder
 * and encoders, so that what it sends is wrong in the one thing that a case
 * is about, and right in all others: `fair` is the same code and is let in.
 */
#ifndef TESTS_ATTACK_H
#define TESTS_ATTACK_H

#include <openssl/ssl.h>

#include "attest/channel_inner.h"
#include "base/own.h"

#define ATTACK_BODY_MAX (96 * 1024)
#define ATTACK_LINES    4
#define ATTACK_WAIT_S   60

/* What came back. status 0: no HTTP at all, message says what. */
struct answer {
    int status;
    char code[48];
    char message[1024];
    char *body; /* heap */
    size_t body_len;
};

/* A connection as a client. fair: it was attested by the rules, so that a
 * call on it is answered, and proves nothing. */
struct line {
    SSL_CTX *ctx;
    SSL *ssl;
    struct http_tls tls;
    bool fair;
    uint8_t pair[32]; /* the id of its evidence */
};

/* An attestation key and the device; several may be on one machine. */
struct hand {
    struct attest_guest *guest; /* NULL: it has none */
    uint8_t ak[32];
    uint8_t secret[64];
    uint64_t boot;
    char hash[ENC_HEX_SIZE(32)]; /* of what the device measured: us */
};

struct attack {
    /* arguments */
    const char *name, *ca, *cert, *key, *uri, *deployment, *sim;
    const char *to, *to_uri, *other, *other_uri;
    const char *state, *ready, *until;
    const char *as_cert, *as_key; /* between two: as whom it calls */
    /* what becomes of it */
    struct line line[ATTACK_LINES];
    struct hand hand;
    struct answer got; /* to the request that the attack is about */
    char *kept;        /* evidence that was good once, as it was sent */
    size_t kept_len;
    bool let_in; /* a protected call was answered where none should be */
    bool said;   /* the answer is about the attack, not about its set-up */
};

struct attack_case {
    const char *name;
    enum rc (*play)(struct attack *a);
    int status; /* 0: it ends in the handshake */
    const char *code;
    const char *says; /* part of the message */
};
/* Each ends with name NULL. */
extern const struct attack_case attack_tls_cases[];
extern const struct attack_case attack_evidence_cases[];
extern const struct attack_case attack_bind_cases[];

/* ---- attack_line.c ------------------------------------------------------ */

/* What is not as usual about a connection. */
struct line_how {
    bool nameless;        /* no certificate */
    bool keyless;         /* the certificate, and a key that is not its own */
    int version;          /* 0: TLS 1.3 */
    SSL_SESSION *session; /* to be resumed, or NULL */
    const char *early;    /* sent as early data, or NULL */
};
MUST_CHECK enum rc line_open(struct line *l, const struct attack *a,
                             const char *to, const struct line_how *how);
void line_close(struct line *l);
/* Never fails: where nothing comes back, status is 0. headers: whole lines,
 * NULL for our MPC-Policy. */
void line_ask(struct answer *out, const struct line *l, const struct attack *a,
              const char *method, const char *path, const char *headers,
              const void *body, size_t len);
/* A call that only peers may make of this kind of daemon. */
void line_call(struct answer *out, const struct line *l, const struct attack *a,
               const char *headers);
void line_write(const struct line *l, const char *bytes, size_t len);
void line_read(struct answer *out, const struct line *l);
void answer_clear(struct answer *a);
/* The handshake ended it: the reason, as far as OpenSSL knows. */
void answer_shut(struct answer *out, const char *why);

/* ---- attack_hand.c ------------------------------------------------------ */

MUST_CHECK enum rc hand_open(struct hand *h, const struct attack *a);
void hand_key(struct hand *h); /* another attestation key */
/* nonce NULL: a new one. What is not 200 is in *got. */
MUST_CHECK enum rc hand_hello(struct wire_hello_reply *out, struct answer *got,
                              const struct attack *a, const struct line *l,
                              const uint8_t nonce[32]);
/* As an honest caller does: again when it has asked too often. */
MUST_CHECK enum rc hand_hello_fair(struct wire_hello_reply *out,
                                   const struct attack *a,
                                   const struct line *l);
/* What an honest caller's evidence is bound to, for a case to bend. */
struct attest_binding hand_binding(const struct attack *a, const struct hand *h,
                                   const struct line *l,
                                   const uint8_t nonce[32]);
MUST_CHECK enum rc hand_evidence(struct wire_evidence *out,
                                 const struct hand *h,
                                 const struct attest_binding *b);
MUST_CHECK enum rc hand_show(struct answer *got, const struct attack *a,
                             const struct line *l,
                             const struct wire_evidence *e);
/* The whole of it by the rules, on a new connection. */
MUST_CHECK enum rc hand_attest(struct attack *a, struct line *l, const char *to,
                               const struct hand *h);
/* signer and how the signature is made are a case's own. */
void hand_sign(uint8_t out[64], const struct hand *h, enum attest_end signer,
               const struct line *l, const uint8_t pair[32]);
MUST_CHECK enum rc hand_bind(struct answer *got, const struct attack *a,
                             const struct line *l, const uint8_t ak[32],
                             const uint8_t pair[32],
                             const uint8_t signature[64]);
/* What outlives this process: key, pair and evidence. */
MUST_CHECK enum rc hand_save(const struct attack *a, const struct hand *h,
                             const struct line *l);
MUST_CHECK enum rc hand_load(struct attack *a, struct hand *h,
                             uint8_t pair[32]);

/* ---- attack_relay.c ----------------------------------------------------- */

/* Stands between two daemons; 0 when neither end took the
 * other for it. */
int attack_between(struct attack *a);

#endif
