/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign verify, inside: one bundle judged offline against policy files. Each
 * verify_*.c marks its checks; a check that could not be made is one that
 * failed. Public data only.
 */
#ifndef CLI_VERIFY_H
#define CLI_VERIFY_H

#include "cli/inner.h"

#define VERIFY_MAX_POLICIES 16

struct verify {
    /* what was given */
    const uint8_t *msg; /* the signed file */
    size_t msg_len;
    struct policy *policy[VERIFY_MAX_POLICIES]; /* ascending, linked */
    unsigned n_policies;
    bool allow_simulated;
    struct wire_bundle bundle;
    /* what the checks found, for those after them */
    const struct policy *newest; /* names the log */
    const struct policy *under;  /* of the intent; NULL: not among them */
    uint8_t genesis[32];
    char deployment[TLOG_NAME_MAX];
    struct policy_session session;
    struct tlog_intent intent;
    struct tlog_proof intent_proof;
    struct tlog_checkpoint head; /* which the intent's proof leads to */
    uint8_t key_id[32];          /* H(group key) */
    int64_t first_s;             /* times of valid cosignatures */
    int64_t last_s;
    unsigned n_cosigned;
    bool simulated;
    /* the result */
    json_t *checks; /* owned */
    bool ok;
};

/* One line, or one element of the list; words are for people. */
void verify_mark(struct verify *v, const char *id, bool ok, const char *fmt,
                 ...) PRINTF_LIKE(4, 5);
/* The words of a failure are rc_text(). */
void verify_mark_rc(struct verify *v, const char *id, enum rc rc,
                    const char *fmt, ...) PRINTF_LIKE(4, 5);

/* The given version with this hash, or NULL. */
const struct policy *verify_policy(const struct verify *v,
                                   const uint8_t sha256[32]);

/* verify_bundle.c: signature, artifact, intent, session, log. RC: no use in
 * going on. */
MUST_CHECK enum rc verify_bundle(struct verify *v);
/* verify_signers.c: cosignatures, reports, AK statements. */
void verify_signers(struct verify *v);
/*
 * verify_birth.c: of this key, of this class, made by approved people; id
 * "birth" or "issuer". profile: which it must be for, or NULL.
 */
void verify_birth(struct verify *v, const char *id,
                  const struct wire_birth *birth, const uint8_t group_key[32],
                  const char *class, const char *profile);
/* verify_chain.c: the certificate, if any. */
void verify_chain(struct verify *v);

#endif
