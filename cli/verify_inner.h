/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the verdict: one bundle and what was found in it so far. Each
 * verify_*.c marks its checks; a check that could not be made is one that
 * failed. Public data only.
 */
#ifndef CLI_VERIFY_INNER_H
#define CLI_VERIFY_INNER_H

#include "cli/verify.h"

struct verify_trust {
    struct policy_chain *chain; /* owned; NULL: policy files, as they are */
    struct policy *own[WIRE_MAX_VERSIONS];
    unsigned n_own;
    const struct policy *at[WIRE_MAX_VERSIONS]; /* ascending, linked */
    unsigned n;
    struct wire_blob root; /* owned: DER, or empty */
};

struct verify {
    const struct verify_ask *ask;
    const struct verify_trust *trust;
    struct cli_content content; /* what was signed */
    const uint8_t *msg;         /* the signed bytes: these, or the bundle's */
    size_t msg_len;
    struct wire_bundle bundle;
    /* what the checks found, for those after them */
    const struct policy *newest; /* names the log */
    const struct policy *under;  /* of the intent; NULL: not among them */
    const struct policy_profile *profile; /* of the session; or NULL */
    const struct policy_profile *key_of;  /* whose key it is; or NULL */
    uint8_t genesis[32];
    char deployment[TLOG_NAME_MAX];
    struct policy_session session;
    struct tlog_intent intent;
    struct tlog_proof intent_proof;
    struct tlog_proof receipt_proof;
    struct tlog_checkpoint shown; /* to the signers: the intent's */
    struct tlog_checkpoint head;  /* the receipt's; size 0: none */
    struct tlog_receipt receipt;
    bool has_receipt;
    bool grown;              /* shown leads to head */
    struct tlog_birth birth; /* of the signing key */
    struct policy_session born_in;
    struct tlog_vote vote[TLOG_MAX_NODES]; /* its endorsements */
    unsigned n_votes;
    bool born;
    bool ephemeral;     /* that key */
    uint8_t key_id[32]; /* H(group key) */
    int64_t first_s;    /* times of the signers' cosignatures, or of others' */
    int64_t last_s;
    bool timed;
    int64_t receipt_s;   /* the last of who cosigned the receipt; 0: nobody */
    unsigned n_cosigned; /* nodes over one checkpoint */
    unsigned n_needed;   /* so many, and no fork hides */
    unsigned n_nodes;    /* of the profile */
    bool fork_proof;
    bool simulated;
    bool ok;
    json_t *checks; /* owned */
    json_t *facts;  /* owned */
};

/* One line of the list: it holds; words are for people. */
void verify_pass(struct verify *v, const char *id, const char *fmt, ...)
        PRINTF_LIKE(3, 4);
/* It fails: what a good bundle has there, and what this one has. */
void verify_fail(struct verify *v, const char *id, const char *expected,
                 const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Passes with RC_OK; else fails with rc_text(). */
void verify_mark(struct verify *v, const char *id, enum rc rc,
                 const char *expected, const char *fmt, ...) PRINTF_LIKE(5, 6);

/* A fact for the reader's page; takes the reference, which may be NULL. */
void verify_fact(struct verify *v, const char *name, json_t *value);
json_t *verify_hex(const void *p, size_t len);

/* The given version with this hash, or NULL. */
const struct policy *verify_policy(const struct verify *v,
                                   const uint8_t sha256[32]);
/*
 * Inclusion under the log's key, in a note with that one line and no other:
 * nobody vouches for a second. cp may be NULL.
 */
MUST_CHECK enum rc verify_proof(struct tlog_proof *out,
                                struct tlog_checkpoint *cp,
                                const struct verify *v,
                                const struct wire_proof *in);
/*
 * The session's approvals as the log has them in `root`: each of the records
 * was counted, none besides; a requester's where the rule wants one.
 */
struct verify_records {
    const struct policy *p;
    const struct policy_session *s;
    const struct wire_blob *requester;
    const struct wire_blob *at;
    size_t n;
    const uint8_t *root; /* [32] */
};
MUST_CHECK enum rc verify_records(struct policy_approved *by,
                                  const struct verify *v,
                                  const struct verify_records *r);
/* [{person, role, way}] of them. */
json_t *verify_people(const struct verify_records *r);

/* verify_bundle.c: what can be said without the log. RC: no use in going on. */
MUST_CHECK enum rc verify_bundle(struct verify *v);
/* verify_log.c: intent, receipt, cosignatures. */
void verify_log(struct verify *v);
/* verify_signers.c: participants, reports, AK statements. */
void verify_signers(struct verify *v);
/*
 * verify_birth.c: of this key, of this class, made by approved people; id
 * "birth" or "issuer". profile: which it must be for, or NULL. The first kind
 * is kept in v.
 */
void verify_birth(struct verify *v, const char *id,
                  const struct wire_birth *birth, const uint8_t group_key[32],
                  const char *class, const char *profile);
/* verify_chain.c: the certificate, if any. */
void verify_chain(struct verify *v);
/* verify_context.c: the leaf's own extension says what the birth does. */
MUST_CHECK enum rc verify_context(const struct verify *v, const X509 *leaf);
/* verify_facts.c: what was judged, for the page. */
void verify_facts(struct verify *v);

#endif
