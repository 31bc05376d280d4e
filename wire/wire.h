/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every JSON message that crosses between our processes: one struct, one
 * table of rows, one decode and one encode. All keys required, no others, no
 * repeats, every size bounded by its row. docs/PROTOCOL.md tells the story.
 *
 * Ownership: decode fills heap members (blobs, texts, lists); free a message
 * with wire_x_free(), which zeroes it. Nothing here is secret: shares travel
 * only boxed, and JSON strings are freed without wiping.
 */
#ifndef WIRE_WIRE_H
#define WIRE_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"

/* ---- limits ------------------------------------------------------------ */

#define WIRE_NAME_MAX       65 /* 64 characters and NUL */
#define WIRE_MAX_NODES      128
#define WIRE_MAX_APPROVALS  32
#define WIRE_MAX_SLOTS      8
#define WIRE_MAX_PATH       63
#define WIRE_MAX_BATCH      16 /* signatures in one round-2 call */
#define WIRE_MAX_NEXT       64 /* commitments in one answer */
#define WIRE_ENTRY_MAX      4096
#define WIRE_NOTE_MAX       8192
#define WIRE_DESCRIPTOR_MAX 8192
#define WIRE_APPROVAL_MAX   8192
#define WIRE_POLICY_MAX     (256 * 1024)
#define WIRE_MESSAGE_MAX    (16u * 1024 * 1024)
#define WIRE_JSON_MAX       (64u * 1024 * 1024) /* of any message, either way */
#define WIRE_REPORT_MAX     1184
#define WIRE_CERT_MAX       16384 /* a certificate, DER */
#define WIRE_MAX_CHAIN      8
#define WIRE_HCL_MAX        16384 /* Azure's blob around a report */
#define WIRE_QUOTE_MAX      1024  /* a vTPM's quote, or its signature */
#define WIRE_LINE_MAX       1024  /* a verifier key, a cosignature, an error */
#define WIRE_MAX_KEYS       256   /* profiles of one policy */
#define WIRE_MAX_VERSIONS   256   /* of the policy */
#define WIRE_MAX_NODE_ID    65535
#define WIRE_MAX_U32        UINT32_MAX /* milliseconds, sizes of raw bytes */
#define WIRE_MAX_U64        INT64_MAX /* what a JSON integer holds everywhere */

/* ---- building blocks ---------------------------------------------------- */

/* Bytes on the heap; unpadded base64url in JSON. */
struct wire_blob {
    uint8_t *p;
    size_t len;
};
/* Text on the heap, NUL-terminated, no NUL inside; a JSON string. */
struct wire_text {
    char *p;
    size_t len;
};
struct wire_hash {
    uint8_t b[32];
};
#define WIRE_LIST(type)                                                        \
    struct {                                                                   \
        type *at;                                                              \
        size_t n;                                                              \
    }

/*
 * Copies into heap members, for building a message to encode. The message
 * starts zeroed; setting again replaces. A list is made once.
 */
MUST_CHECK enum rc wire_blob_set(struct wire_blob *b, const void *p,
                                 size_t len);
MUST_CHECK enum rc wire_text_set(struct wire_text *t, const char *p,
                                 size_t len);
/* Zeroed elements: wire_list_new(&m.items, n) */
#define wire_list_new(list, count)                                             \
    wire_list_alloc((void **)&(list)->at, &(list)->n, sizeof(*(list)->at),     \
                    (count))
MUST_CHECK enum rc wire_list_alloc(void **at, size_t *n, size_t size,
                                   size_t count);

/*
 * Each message NAME has
 *   enum rc wire_NAME_decode(struct wire_NAME *out, const char *json, size_t)
 *   enum rc wire_NAME_encode(char **json, size_t *len,
 *                             const struct wire_NAME *in)
 *   void    wire_NAME_free(struct wire_NAME *)
 * decode: RC_PARSE names field and position, never contents. encode: *json is
 * heap, free() it.
 */
#define WIRE_MESSAGE(name)                                                     \
    MUST_CHECK enum rc wire_##name##_decode(struct wire_##name *out,           \
                                            const char *json, size_t len);     \
    MUST_CHECK enum rc wire_##name##_encode(char **json, size_t *len,          \
                                            const struct wire_##name *in);     \
    void wire_##name##_free(struct wire_##name *m);                            \
    static inline void wire_##name##_done(struct wire_##name *m)               \
    {                                                                          \
        wire_##name##_free(m);                                                 \
    }                                                                          \
    struct wire_##name##_needs_semicolon
/* WIRE(sign) m = { 0 };  freed at scope end */
#define WIRE(name)                                                             \
    __attribute__((cleanup(wire_##name##_done))) struct wire_##name

/* ---- proofs -------------------------------------------------------------- */

/* An entry of the log and where it stands. */
struct wire_proof {
    struct wire_text entry; /* <= WIRE_ENTRY_MAX */
    uint64_t index;
    WIRE_LIST(struct wire_hash) path;
    struct wire_text checkpoint; /* the note that `path` leads to */
};
WIRE_MESSAGE(proof);

/* A consistency proof between two sizes. */
struct wire_growth {
    uint64_t from;
    uint64_t to;
    WIRE_LIST(struct wire_hash) path;
};
WIRE_MESSAGE(growth);

struct wire_vote {
    uint64_t node;
    uint8_t identity[32];
    uint8_t y[32];
    uint8_t sig[64];
};

/* All votes of one epoch over the same terms: the certificate of an epoch. */
struct wire_cert {
    uint8_t session[32];
    uint8_t group_key[32];
    uint64_t epoch;
    uint64_t parent;
    uint64_t threshold;
    uint8_t transcript[32];
    WIRE_LIST(struct wire_vote) votes; /* ascending by node */
};
WIRE_MESSAGE(cert);

/* The birth of a key, with everything that makes it believable. */
struct wire_birth {
    struct wire_proof proof;     /* the mpc-birth/1 entry */
    struct wire_blob descriptor; /* of the session that made it */
    struct wire_blob requester;  /* its requester's record, may be empty */
    WIRE_LIST(struct wire_blob) approvals;
    struct wire_cert cert; /* endorsements */
};
WIRE_MESSAGE(birth);

/* ---- program -> its sidecar (Unix socket) -------------------------------- */

/* POST /v1/sign, framed: JSON, then the raw message. */
struct wire_sign {
    char key[WIRE_NAME_MAX]; /* profile name */
    char session[65];        /* hex or "" */
    uint64_t wait_ms;        /* how long the caller is willing to wait */
};
WIRE_MESSAGE(sign);
struct wire_signed {
    uint8_t signature[64];
    uint8_t group_key[32];
    uint8_t session[32];
    char slot[8];
    uint64_t attempt;
    uint64_t epoch;
    uint64_t intent; /* log index */
};
WIRE_MESSAGE(signed);

/* GET /v1/key/NAME; GET /v1/keys is a wire_keys. */
struct wire_key {
    char name[WIRE_NAME_MAX];
    char class[12];
    char lifetime[12];
    uint8_t group_key[32];
    uint64_t epoch; /* 0: not made yet */
    uint64_t threshold;
    WIRE_LIST(uint64_t) nodes;
    uint64_t birth; /* log index */
    uint64_t max_message;
};
WIRE_MESSAGE(key);
struct wire_keys {
    WIRE_LIST(struct wire_key) keys;
};
WIRE_MESSAGE(keys);

/* ---- sessions and approvals ---------------------------------------------- */

/* POST /v1/session, on socket and between sidecars. */
struct wire_session {
    struct wire_blob descriptor;
    struct wire_blob requester; /* approval record with decision 0, or empty */
    WIRE_LIST(struct wire_blob) approvals;
};
WIRE_MESSAGE(session);
/* POST /v1/approval */
struct wire_approval {
    uint8_t session[32];
    struct wire_blob record;
};
WIRE_MESSAGE(approval);
/* The id of what was accepted. */
struct wire_session_id {
    uint8_t session[32];
};
WIRE_MESSAGE(session_id);
/*
 * The answer to POST /v1/approval. An approval is answered at once; a denial
 * or revocation when it stands, or after three seconds.
 */
struct wire_decided {
    uint8_t session[32];
    uint64_t nodes; /* that hold it durably, this one included */
    uint64_t need;  /* so many and it stands: n - t + 1 */
    bool stands;
};
WIRE_MESSAGE(decided);
/* POST /v1/session/put between sidecars: what the other may lack. */
#define WIRE_MAX_PUT 16
struct wire_session_put {
    WIRE_LIST(struct wire_session) sessions;
};
WIRE_MESSAGE(session_put);
/* For each of them, in order: what the answering node now holds durably. */
struct wire_session_known {
    uint8_t session[32];
    char code[32];                     /* "ok", or why it was not taken */
    WIRE_LIST(struct wire_hash) known; /* H of each record, requester's too */
};
struct wire_session_held {
    WIRE_LIST(struct wire_session_known) sessions;
};
WIRE_MESSAGE(session_held);

/* GET /v1/session/ID/state: for people, as this node knows it. */
struct wire_artifact {
    char name[256];
    uint64_t size;
    uint8_t sha256[32];
    uint8_t sha512[64];
};
struct wire_places {
    uint64_t engineer;
    uint64_t steward;
};
struct wire_said {
    char person[WIRE_NAME_MAX];
    char role[WIRE_NAME_MAX];
    char decision[12]; /* approve, deny, revoke */
    char kind[12];     /* sshsig, sshsig-sk, webauthn */
    char way[16];      /* ssh, fido2, local-page, sidecar-page */
    uint64_t nodes;    /* known to hold it */
};
struct wire_slot_state {
    char kind[8];
    char state[8]; /* open, marked, used, burnt */
    uint64_t attempts;
};
struct wire_acks {
    uint64_t deny; /* nodes known to hold a denial */
    uint64_t need; /* so many and it stands */
};
struct wire_session_state {
    uint8_t session[32];
    char state[16]; /* sidecar/lifecycle.h */
    char type[16];
    char profile[WIRE_NAME_MAX]; /* "" where the type has none */
    char requester[WIRE_NAME_MAX];
    char reason[512];
    WIRE_LIST(struct wire_artifact) artifact; /* one or none */
    uint64_t created;
    uint64_t expires;
    struct wire_places required;
    struct wire_places have;
    WIRE_LIST(struct wire_said) records;
    WIRE_LIST(struct wire_slot_state) slots;
    struct wire_acks acks;
    bool break_glass;
    bool simulated;
};
WIRE_MESSAGE(session_state);
/* GET /v1/sessions: newest first. */
#define WIRE_MAX_SESSIONS 100
struct wire_session_row {
    uint8_t session[32];
    char state[16];
    char type[16];
    char profile[WIRE_NAME_MAX];
    char requester[WIRE_NAME_MAX];
    WIRE_LIST(struct wire_artifact) artifact; /* one or none */
    uint64_t created;
    uint64_t expires;
};
struct wire_sessions {
    WIRE_LIST(struct wire_session_row) sessions;
};
WIRE_MESSAGE(sessions);

/* POST /v1/policy: a version, its session, and (between daemons) its proof. */
struct wire_policy {
    struct wire_blob policy; /* exact bytes, <= WIRE_POLICY_MAX */
    struct wire_session session;
    WIRE_LIST(struct wire_proof) proof; /* none: please log it; else one */
};
WIRE_MESSAGE(policy);
/* GET /v1/policy: all versions, genesis first (its session is empty). */
struct wire_policies {
    WIRE_LIST(struct wire_policy) versions;
};
WIRE_MESSAGE(policies);
struct wire_policy_head {
    uint64_t version;
    uint8_t sha256[32];
};
WIRE_MESSAGE(policy_head);

/* ---- attested channel ---------------------------------------------------- */

struct wire_evidence {
    struct wire_blob report;           /* 1184 bytes */
    struct wire_blob vek;              /* VCEK or VLEK, DER */
    WIRE_LIST(struct wire_blob) chain; /* ASK, ARK as DER; may be empty */
    uint8_t ak[32];
    uint64_t boot;
    /* Azure, where a vTPM speaks for the guest; elsewhere all three empty */
    struct wire_blob hcl;             /* the blob around the report */
    struct wire_blob quote;           /* TPMS_ATTEST */
    struct wire_blob quote_signature; /* TPMT_SIGNATURE */
};
WIRE_MESSAGE(evidence);
/* POST /v1/attest/hello */
struct wire_hello {
    uint8_t nonce[32];
    struct wire_policy_head policy; /* heads are compared when we attest */
};
WIRE_MESSAGE(hello);
struct wire_hello_reply {
    uint8_t nonce[32];
    struct wire_policy_head policy;
    struct wire_evidence evidence;
};
WIRE_MESSAGE(hello_reply);
/* POST /v1/attest/evidence: a wire_evidence; answer: */
struct wire_attested {
    uint64_t expires_in_s;
};
WIRE_MESSAGE(attested);
/* POST /v1/attest/bind: a new connection under evidence both ends hold */
struct wire_bind {
    uint8_t ak[32];
    uint8_t evidence_id[32]; /* the pair of reports, PROTOCOL section 1 */
    uint8_t signature[64];   /* by ak, over this connection */
    struct wire_policy_head policy;
};
WIRE_MESSAGE(bind);
struct wire_bound {
    uint8_t signature[64]; /* the server's */
    struct wire_policy_head policy;
    uint64_t expires_in_s;
};
WIRE_MESSAGE(bound);

/* ---- one signature between sidecars -------------------------------------- */

/* POST /v1/frost/commit */
struct wire_commit {
    uint8_t key[32]; /* H(group key) */
    uint64_t epoch;
    uint64_t count;
};
WIRE_MESSAGE(commit);
struct wire_commitment {
    uint8_t nonce[16];
    uint8_t hiding[32];
    uint8_t binding[32];
};
struct wire_commitments {
    uint8_t boot[16]; /* the vault's life they belong to */
    uint64_t head;    /* newest log size this signer has seen */
    WIRE_LIST(struct wire_commitment) next;
};
WIRE_MESSAGE(commitments);

struct wire_signer {
    uint64_t node;
    uint8_t nonce[16];
    uint8_t hiding[32];
    uint8_t binding[32];
};
/* One signature of a batch. */
struct wire_round2_item {
    struct wire_session session;
    uint8_t key[32];
    uint64_t epoch;
    char slot[8];
    uint64_t attempt;
    WIRE_LIST(struct wire_signer) signers; /* ascending by node */
    struct wire_proof intent;
    struct wire_growth growth; /* from this signer's last size; from=to: none */
    uint64_t message_len;      /* its part of the raw bytes, in order */
    WIRE_LIST(struct wire_birth) birth; /* issuer signatures: exactly one */
};
WIRE_MESSAGE(round2_item);
/* POST /v1/frost/round2, framed: JSON, then all messages. */
struct wire_round2 {
    WIRE_LIST(struct wire_round2_item) items; /* 1..WIRE_MAX_BATCH */
    uint64_t want_next; /* commitments to send back per key of the batch */
};
WIRE_MESSAGE(round2);
struct wire_round2_result {
    char code[32];            /* "ok" or a slug of base/rc */
    struct wire_text message; /* of a failure; else empty */
    uint8_t share[32];
    uint8_t group_commitment[32]; /* R, RFC 9591 section 4.5; only a hint */
    struct wire_text cosignature; /* line, or empty */
    struct wire_text head;        /* newest checkpoint this signer cosigned */
    uint8_t ak_signature[64];     /* AK over the intent, FORMATS section 2 */
};
WIRE_MESSAGE(round2_result);
struct wire_round2_reply {
    WIRE_LIST(struct wire_round2_result) items;
    uint64_t head; /* newest log size seen */
    WIRE_LIST(struct wire_commitment) next;
};
WIRE_MESSAGE(round2_reply);

/* ---- log ----------------------------------------------------------------- */

/*
 * POST /v1/log/append: up to WIRE_MAX_APPEND entries in one durable commit.
 * All proofs of the answer lead to the same, newest checkpoint.
 */
#define WIRE_MAX_APPEND 32
struct wire_append {
    WIRE_LIST(struct wire_text) entries;
    WIRE_LIST(uint64_t) sizes; /* consistency wanted from each of these */
};
WIRE_MESSAGE(append);
struct wire_appended {
    WIRE_LIST(struct wire_proof) proofs;  /* in the order of entries */
    WIRE_LIST(struct wire_growth) growth; /* of the sizes this log has */
};
WIRE_MESSAGE(appended);
/*
 * POST /v1/head between sidecars, both ways: the newest checkpoint the sender
 * has cosigned, with the log's line and its own. Empty: none yet.
 */
struct wire_head {
    struct wire_text head;
};
WIRE_MESSAGE(head);
/*
 * Two checkpoints with the log's signature that no history has both, as a
 * sidecar keeps them and GET /v1/fork shows them on its socket.
 */
struct wire_fork {
    struct wire_text log; /* its name */
    uint64_t node;        /* who showed the other one; 0: the log, a caller */
    struct wire_text ours;
    struct wire_text theirs;
};
WIRE_MESSAGE(fork);
/* GET /v1/log/vkey */
struct wire_vkey {
    struct wire_text vkey;
};
WIRE_MESSAGE(vkey);

#include "wire/audit.h"
#include "wire/bundle.h"
#include "wire/custody.h"
#include "wire/enrol.h"
#include "wire/epoch.h"
#include "wire/once.h"
#include "wire/piece.h"
#include "wire/sigstore.h"

#endif
