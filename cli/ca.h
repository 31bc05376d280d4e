/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root of the CA: how it is made, once, and how it is shown. `ca init` and
 * `dev up` go the same way. Nothing here is secret but what session.c reads.
 */
#ifndef CLI_CA_H
#define CLI_CA_H

#include "ca/ca.h"
#include "cli/inner.h"

#define CA_ASK_MS  10000
#define CA_SIGN_MS 20000

/* ---- the CA, by way of a sidecar (ca_root.c) ---------------------------- */

/* The root that the CA has; RC_ORDER: none yet. */
MUST_CHECK enum rc ca_ask_root(struct wire_chain *out, const char *socket);
/* Gives it to the CA, which keeps it; RC_EXISTS: it has another one. */
MUST_CHECK enum rc ca_hand_in(const char *socket, const uint8_t *der,
                              size_t len);

/* ---- the ceremony (ca_root.c) ------------------------------------------- */

/* A root on its way: its TBSCertificate, kept in a file until it is signed,
 * because no other one will ever be signed for this key. */
struct ca_root {
    const char *socket;  /* NULL: cli_sidecar() */
    const char *key;     /* profile of the issuer key */
    const char *file;    /* PEM of the root; FILE.tbs until then */
    const char *cluster; /* name, as in the policy */
    bool simulated;
    /* found */
    uint8_t group_key[32];
    uint8_t tbs[CA_DER_MAX];
    size_t tbs_len;
    uint8_t der[CA_DER_MAX];
    size_t der_len; /* 0: not signed yet */
};
/* The key, and what an earlier call left in file; else a new TBSCertificate. */
MUST_CHECK enum rc ca_root_prepare(struct ca_root *r);
/* A session of type root for it, without records. */
MUST_CHECK enum rc ca_root_session(struct policy_session *out,
                                   const struct ca_root *r, const char *reason);
/* RC_VERIFY unless that session approves exactly these bytes. */
MUST_CHECK enum rc ca_root_is_asked(const struct ca_root *r,
                                    const struct policy_session *s);
/* Gives a session and its records to the sidecar. */
MUST_CHECK enum rc ca_root_bring(const struct ca_root *r,
                                 const struct wire_session *session);
/* The approved session's signature; verified and written to file. */
MUST_CHECK enum rc ca_root_sign(struct ca_root *r, const char *session);
/* Signs with a key of any URI; nobody approves. */
MUST_CHECK enum rc ca_root_alone(struct ca_root *r, const char *uri);

/* ---- for people (ca_show.c) --------------------------------------------- */

/* What a root says of itself. */
struct ca_words {
    char subject[128];
    char serial[64];
    char sha256[65]; /* of the DER */
    char key[65];
    int64_t from;
    int64_t to;
    bool simulated;
};
/* RC_VERIFY when it is no root at all. */
MUST_CHECK enum rc ca_words_of(struct ca_words *out, const uint8_t *der,
                               size_t len);
MUST_CHECK enum rc ca_words_say(const struct ca_words *w, const char *file);
json_t *ca_words_json(const struct ca_words *w, const char *file);

#endif
