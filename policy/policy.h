/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy: the hash-chained document that names persons, nodes, measurements
 * and key profiles (DESIGN section 5); session descriptors and approval
 * records (FORMATS section 3); the rule that counts them; and the classes of
 * bytes that may be signed. Every sidecar, the CA and the log judge with this
 * room, each for itself.
 *
 * All hashed objects are exact bytes, never re-serialised. Pure: no I/O, no
 * clock; `now` comes in.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/own.h"
#include "base/rc.h"
#include "transparency/transparency.h"

#define POLICY_NAME_MAX        65 /* 64 characters and NUL */
#define POLICY_URI_MAX         256
#define POLICY_MAX_BYTES       (256 * 1024)
#define POLICY_MAX_PERSONS     64
#define POLICY_MAX_CREDENTIALS 8 /* per person */
#define POLICY_MAX_PROFILES    32
#define POLICY_MAX_HASHES      16 /* measurements per role */
#define POLICY_MAX_APPROVALS   32
#define POLICY_MAX_NODES       TLOG_MAX_NODES
#define POLICY_MAX_CUSTODIANS  8  /* per node */
#define POLICY_MAX_SANS        16 /* per profile */
#define POLICY_MAX_ORIGINS     8  /* per credential; page origins */
#define POLICY_ORIGIN_MAX      128
#define POLICY_RP_ID_MAX       128
#define POLICY_RAW_ID_MAX      1023 /* WebAuthn credential id, bytes */
#define POLICY_COSE_MAX        320  /* COSE_Key; RSA 2048 has 272 */

/* ---- the document --------------------------------------------------------- */
/*
 * policy.json, all keys required unless said, no others (docs/POLICY.md says
 * what each is for):
 * {
 *  "v":1, "cluster":"dev", "version":1, "prev":"<64 hex>",
 *  "persons":[{"id":"alice","roles":["engineer"],
 *      "credentials":[{"kind":"sshsig","key":"<b64url of 32-byte Ed25519>"},
 *      {"kind":"sshsig-sk","key":…,"application":"ssh:","verify_required":true},
 *      {"kind":"webauthn","id":"<b64url>","alg":-7,"key":"<b64url COSE_Key>",
 *          "rp_id":"localhost","origins":["http://localhost"],
 *          "backup_eligible":false}]}],
 *      // each also, optional: "not_after":seconds, "revoked":true
 *  "steward_rule":{"steward":2},
 *  "measurements":{"sidecar":["<64 hex TEE_POLICY_HASH>"],"ca":[…],"log":[…]},
 *  "nodes":[{"id":1,"uri":"mpc://dev/sidecar/node1"
 *      // version >= 2 also: "identity":hex,"box":hex,"custodians":[hex]
 *      // optional: "leaving":true
 *      }],
 *  "services":{"ca":"mpc://dev/ca/ca","log":"mpc://dev/log/log"},
 *  "log":null | "<vkey>",                      // version >= 2: the vkey
 *  "profiles":[{"name":"release","lifetime":"persistent","class":"artifact",
 *      "threshold":2,"nodes":[1,2,3],"required":{"engineer":0,"steward":0},
 *      "kinds":["raw","cms","dsse"],"max_message":16777216,
 *      "certificate":{"ttl_s":300,"eku":["code_signing","email_protection"],
 *          "san":["…"]} | null,
 *      "sidecar_page":false
 *      // optional: "approve_with":["ssh","fido2","local-page","sidecar-page"],
 *      // "max_ttl_s":86400, "break_glass":true, "key_of":"guarded"
 *      }],
 *  "page_origins":["https://…"]                // optional
 * }
 */

enum policy_role { POLICY_SIDECAR, POLICY_CA, POLICY_LOG, POLICY__ROLES };

enum policy_kind { /* what the bytes to be signed are */
                   POLICY_RAW,
                   POLICY_CMS,
                   POLICY_DSSE,
                   POLICY_X509,
                   POLICY_OCSP,
                   POLICY_CMP,
                   POLICY_TLS12,
                   POLICY_TLS13,
                   POLICY__KINDS
};
const char *policy_kind_name(enum policy_kind kind);
MUST_CHECK enum rc policy_kind_parse(enum policy_kind *out, const char *name);

enum policy_class { POLICY_ARTIFACT, POLICY_ISSUER, POLICY_TLS };
const char *policy_class_name(enum policy_class class);

/* How a person may approve: follows from a credential's kind and the origin. */
enum policy_way {
    POLICY_W_SSH,          /* an SSH key or agent */
    POLICY_W_FIDO2,        /* the approver's CLI and a security key */
    POLICY_W_LOCAL_PAGE,   /* the page their own CLI serves on localhost */
    POLICY_W_SIDECAR_PAGE, /* a page that somebody else serves */
    POLICY__WAYS
};
/* "ssh", "fido2", "local-page", "sidecar-page"; never NULL. */
const char *policy_way_name(enum policy_way way);
MUST_CHECK enum rc policy_way_parse(enum policy_way *out, const char *name);

#define POLICY_SSHSIG     "sshsig"
#define POLICY_SSHSIG_SK  "sshsig-sk"
#define POLICY_WEBAUTHN   "webauthn"
#define POLICY_CLI_ORIGIN "cli:mpcsign" /* WebAuthn through our own CLI */

enum policy_alg { /* COSE numbers */
                  POLICY_ES256 = -7,
                  POLICY_EDDSA = -8,
                  POLICY_ES384 = -35,
                  POLICY_RS256 = -257 /* 2048 bits */
};

struct policy_credential {
    char kind[12];
    uint8_t id[32];    /* SHA-256 of an SSH key, or of raw_id */
    int64_t not_after; /* 0: no end */
    bool revoked;
    uint8_t key[32]; /* sshsig, sshsig-sk: Ed25519 */
    /* sshsig-sk */
    char application[POLICY_RP_ID_MAX];
    bool verify_required;
    /* webauthn */
    uint8_t raw_id[POLICY_RAW_ID_MAX];
    size_t raw_id_len;
    enum policy_alg alg;
    uint8_t cose[POLICY_COSE_MAX]; /* COSE_Key */
    size_t cose_len;
    char rp_id[POLICY_RP_ID_MAX];
    char origin[POLICY_MAX_ORIGINS][POLICY_ORIGIN_MAX];
    unsigned n_origins;
    bool backup_eligible;
};
struct policy_person {
    char id[POLICY_NAME_MAX];
    bool engineer;
    bool steward;
    struct policy_credential *credential; /* [n_credentials]; the policy's */
    unsigned n_credentials;
};
struct policy_node {
    uint16_t id;
    char uri[POLICY_URI_MAX];
    bool has_keys; /* version >= 2 */
    uint8_t identity[32];
    uint8_t box[32];
    uint8_t custodian[POLICY_MAX_CUSTODIANS][32]; /* ascending */
    unsigned n_custodians;
    bool leaving; /* deals, signs no more */
};
struct policy_profile {
    char name[POLICY_NAME_MAX];
    bool ephemeral;
    enum policy_class class;
    uint16_t threshold;
    uint16_t nodes[POLICY_MAX_NODES]; /* ascending */
    unsigned n_nodes;
    uint16_t signers[POLICY_MAX_NODES]; /* of nodes, those not leaving */
    unsigned n_signers;
    unsigned engineers; /* required */
    unsigned stewards;
    bool kinds[POLICY__KINDS];
    uint32_t max_message; /* bytes */
    bool has_certificate;
    int64_t cert_ttl_s;
    bool eku_code_signing;
    bool eku_email_protection;
    bool eku_server_auth;
    bool eku_client_auth;
    char san[POLICY_MAX_SANS][POLICY_URI_MAX];
    unsigned n_sans;
    bool sidecar_page;
    bool way[POLICY__WAYS]; /* approve_with, or what its absence means */
    int64_t max_ttl_s;      /* of a sign session */
    bool break_glass;
    bool has_key_of; /* signs with another profile's key */
    char key_of[POLICY_NAME_MAX];
};
struct policy {
    uint8_t sha256[32]; /* of the exact bytes */
    uint8_t *bytes;
    size_t bytes_len;
    char cluster[POLICY_NAME_MAX];
    uint64_t version;
    uint8_t prev[32];
    struct policy_person person[POLICY_MAX_PERSONS];
    unsigned n_persons;
    char page_origin[POLICY_MAX_ORIGINS][POLICY_ORIGIN_MAX];
    unsigned n_page_origins;
    unsigned steward_rule; /* distinct stewards a policy change needs */
    uint8_t measurement[POLICY__ROLES][POLICY_MAX_HASHES][32];
    unsigned n_measurements[POLICY__ROLES];
    struct policy_node node[POLICY_MAX_NODES];
    unsigned n_nodes;
    char service[POLICY__ROLES][POLICY_URI_MAX]; /* ca, log */
    bool has_log;
    struct tlog_vkey log;
    struct policy_profile profile[POLICY_MAX_PROFILES];
    unsigned n_profiles;
    /* An attestation policy, JSON text; NULL: none. Not judged here. */
    const char *attestation;
    size_t attestation_len;
};

/*
 * Parses and checks one version by itself: unique persons, keys, nodes,
 * names; every quorum satisfiable by distinct persons with the requester left
 * out, with credentials that the profile accepts; TLS and CSR kinds only
 * without a quorum; thresholds within the nodes that sign, t >= 2 (1-of-1
 * never). RC_POLICY or RC_PARSE names the field.
 */
MUST_CHECK enum rc policy_parse(struct policy **out, const void *bytes,
                                size_t len);
void policy_free(struct policy *p);

/* NULL when there is none. */
const struct policy_person *policy_person_find(const struct policy *p,
                                               const char *id);
const struct policy_profile *policy_profile_find(const struct policy *p,
                                                 const char *name);
const struct policy_node *policy_node_find(const struct policy *p, uint16_t id);
/* The profile whose key f signs with: f itself, or the one key_of names. */
const struct policy_profile *policy_profile_key(const struct policy *p,
                                                const struct policy_profile *f);
/* By certificate URI: the role, and for a sidecar its id. RC_UNKNOWN. */
MUST_CHECK enum rc policy_uri_find(enum policy_role *role, uint16_t *node,
                                   const struct policy *p, const char *uri);
/* The roster a version >= 2 implies, and H(its text). */
MUST_CHECK enum rc policy_roster(struct tlog_roster *out, uint8_t hash[32],
                                 const struct policy *p);

/* ---- the chain -------------------------------------------------------------- */
/*
 * Versions in force, genesis first. Holders: sidecars, CA, log, verifiers.
 */
struct policy_chain;
/* genesis_sha256: the pinned hash; the bytes must have it. */
MUST_CHECK enum rc policy_chain_new(struct policy_chain **out,
                                    const void *genesis, size_t len,
                                    const uint8_t genesis_sha256[32]);
void policy_chain_free(struct policy_chain *c);
const struct policy *policy_chain_head(const struct policy_chain *c);
const struct policy *policy_chain_at(const struct policy_chain *c,
                                     uint64_t version);
const struct policy *policy_chain_by_hash(const struct policy_chain *c,
                                          const uint8_t sha256[32]);
const uint8_t *policy_chain_genesis(const struct policy_chain *c); /* [32] */

struct policy_approved; /* below */
/*
 * Is this a legal next version: prev and version right, same cluster, its
 * session (type policy, artifact = these bytes) approved by the steward rule
 * of the version before, log key unchanged once set? Does not take it. It may
 * also be a rival of the head, judged under the head's parent: which of two
 * stands, _take decides by their places in the log.
 *
 * RC_EXISTS  held already     RC_ORDER   versions between are missing
 * RC_CONFLICT a rival of a version that has a successor in force
 *
 * now_s  POLICY_AT_ITS_TIME for a version fetched with its log proof
 */
MUST_CHECK enum rc policy_chain_check(
        struct policy **next, struct policy_approved *approved,
        const struct policy_chain *c, const void *bytes, size_t len,
        const struct tlog_blob *descriptor, const struct tlog_blob *requester,
        const struct tlog_blob *approvals, unsigned n_approvals, int64_t now_s);
/* The log entry that puts it in force. */
MUST_CHECK enum rc policy_entry(struct tlog_policy *out,
                                const struct policy *next,
                                const struct policy_approved *approved);
/*
 * Takes a checked version (over) once its entry is proven: the proof is under
 * the log key of the chain, or for version 2 the key it names itself (whoever
 * saw a log before compares next->log with that first). Of two next versions
 * the one with the lower index stands: it replaces the head, or is
 * RC_CONFLICT. On failure next stays the caller's. A replaced version leaves
 * the chain, but pointers to it stay good until policy_chain_free().
 */
MUST_CHECK enum rc policy_chain_take(struct policy_chain *c,
                                     struct policy *next,
                                     const struct policy_approved *approved,
                                     const struct tlog_proof *proof);

/* ---- sessions, FORMATS section 3 ---------------------------------------------- */

#define POLICY_DESCRIPTOR_MAX 8192
#define POLICY_MAX_SLOTS      8

enum policy_session_type {
    POLICY_S_SIGN,
    POLICY_S_POLICY,
    POLICY_S_KEY_CREATE,
    POLICY_S_ROOT,
    POLICY_S_REFRESH,
    POLICY_S_RESHARE,
    POLICY_S_REPAIR,
    POLICY_S_RECOVER,
    POLICY_S_DESTROY,
    POLICY_S_BACKUP
};
struct policy_session {
    uint8_t id[32];
    enum policy_session_type type;
    uint8_t cluster[32];
    bool has_profile;
    char profile[POLICY_NAME_MAX];
    bool has_key;
    uint8_t key[32];
    uint8_t policy[32];
    bool has_artifact;
    char artifact_name[256];
    uint64_t artifact_size;
    uint8_t artifact_sha256[32];
    uint8_t artifact_sha512[64];
    bool slot[POLICY__KINDS];
    unsigned n_slots;
    char requester[POLICY_NAME_MAX];
    char reason[512];
    uint8_t nonce[32]; /* the salt of its commitments */
    int64_t created;
    int64_t expires;
};
/* "sign", "key-create", …; never NULL. */
const char *policy_session_type_name(enum policy_session_type type);
MUST_CHECK enum rc policy_session_type_parse(enum policy_session_type *out,
                                             const char *name);

#define POLICY_SESSION_MAX_S 86400 /* expires - created */
#define POLICY_REASON_MIN    20    /* characters, to break the glass */
/* H("mpc/session/v1\0" || exact bytes) */
void policy_session_id(uint8_t out[32], const void *bytes, size_t len);

/* Strict; also enforces which members are null for which type. */
MUST_CHECK enum rc policy_session_parse(struct policy_session *out,
                                        const void *bytes, size_t len);
/*
 * Writes a descriptor from the struct, NUL-terminated. The struct becomes
 * what a reader of those bytes sees: id and n_slots are filled in.
 */
MUST_CHECK enum rc policy_session_write(char out[POLICY_DESCRIPTOR_MAX],
                                        size_t *len, struct policy_session *in);

/* Sets artifact_sha256/512 and size from bytes. */
void policy_session_artifact(struct policy_session *s, const char *name,
                             const void *bytes, size_t len);

/* ---- approvals ------------------------------------------------------------------ */

#define POLICY_RECORD_MAX 8192
enum policy_decision {
    POLICY_D_REQUEST = 0,
    POLICY_D_APPROVE = 1,
    POLICY_D_DENY = 2,
    POLICY_D_REVOKE = 3
};
const char *policy_decision_name(enum policy_decision d); /* "approve" */
/*
 * H("mpc/approval/v1\0" || session || u8 decision || u8 len || role ||
 * u8 len || person). Names are at most 64 bytes; longer ones verify nowhere.
 */
void policy_challenge(uint8_t out[32], const uint8_t session[32],
                      enum policy_decision decision, const char *role,
                      const char *person);
/*
 * Wraps an armoured or raw SSHSIG (ssh-keygen -Y sign -n approve@mpcsign over
 * the unpadded base64url of the challenge) as an approval record, of kind
 * sshsig or, made by a security key (sk-ssh-ed25519), sshsig-sk.
 */
MUST_CHECK enum rc policy_record_sshsig(char out[POLICY_RECORD_MAX],
                                        size_t *len, const uint8_t session[32],
                                        enum policy_decision decision,
                                        const char *role, const char *person,
                                        const uint8_t key[32],
                                        const char *sshsig, size_t sshsig_len);
/* Makes the SSHSIG blob from an Ed25519 secret key (tests, dev). */
MUST_CHECK enum rc policy_sshsig_make(uint8_t *out, size_t cap, size_t *len,
                                      const uint8_t challenge[32],
                                      const uint8_t sk[64]);
/*
 * Reads an unencrypted OpenSSH Ed25519 private key file ("BEGIN OPENSSH
 * PRIVATE KEY"): sk out is libsodium's 64 bytes; the caller wipes it.
 */
MUST_CHECK enum rc policy_ssh_key_read(uint8_t sk[64], const char *pem,
                                       size_t len);

/*
 * Wraps a WebAuthn assertion over the challenge, as the authenticator and
 * browser gave it; nothing is verified. credential is the raw id.
 */
MUST_CHECK enum rc policy_record_webauthn(
        char out[POLICY_RECORD_MAX], size_t *len, const uint8_t session[32],
        enum policy_decision decision, const char *role, const char *person,
        const void *credential, size_t credential_len, const void *client_data,
        size_t client_data_len, const void *auth_data, size_t auth_data_len,
        const void *signature, size_t signature_len);

struct policy_record {
    uint8_t session[32];
    char person[POLICY_NAME_MAX];
    char role[POLICY_NAME_MAX];
    enum policy_decision decision;
    char kind[12];
    uint8_t credential[32]; /* the id of struct policy_credential */
    enum policy_way way;
    char origin[POLICY_ORIGIN_MAX]; /* webauthn, else "" */
    bool has_counter;               /* webauthn, sshsig-sk */
    uint32_t counter;
    int64_t not_after; /* of the credential; 0: no end */
};
/*
 * Verifies one record against this policy, in the order of notes/custody
 * 2.2: session, person, role, credential (not revoked), challenge, signature.
 * Whether its profile accepts the way, and when the credential ends, is
 * policy_approval_check's and the judge's.
 *
 * The text of each refusal begins, after "record of NAME: ", with the check's
 * name ("approval_origin: …"); docs/POLICY.md lists them.
 */
MUST_CHECK enum rc policy_record_check(struct policy_record *out,
                                       const struct policy *p,
                                       const uint8_t session[32],
                                       const void *bytes, size_t len);
/*
 * What a record must be when it arrives, so that it can count: the session
 * lives, policy_record_check, and for an approval that its credential lasts
 * as long as the session, its way is one of the profile's and its maker is not
 * the requester.
 */
MUST_CHECK enum rc policy_approval_check(struct policy_record *out,
                                         const struct policy *p,
                                         const struct policy_session *s,
                                         const void *bytes, size_t len,
                                         int64_t now_s);
/*
 * May a credential's signature counter be `now` after `last` was seen (0:
 * never seen)? Both zero: the authenticator does not count. same: the record
 * is, byte for byte, the one that `last` came from.
 */
bool policy_counter_ok(uint32_t last, uint32_t now, bool same);

/* ---- enrolment --------------------------------------------------------------------- */

/* H("mpc/invite/v1\0" || code) */
void policy_invite_id(uint8_t out[32], const uint8_t code[16]);
/* H("mpc/enrol/v1\0" || cluster || invite_id || u8 len || person) */
void policy_enrol_challenge(uint8_t out[32], const uint8_t cluster[32],
                            const uint8_t invite_id[32], const char *person);
/*
 * Reads a registration (navigator.credentials.create) over challenge:
 * attestation formats none and packed self; a vendor's chain is refused.
 *
 * origins  where it may have been made; also what the credential will hold
 */
MUST_CHECK enum rc policy_webauthn_register(
        struct policy_credential *out, const uint8_t challenge[32],
        const char *rp_id, const char *const *origins, unsigned n_origins,
        const void *client_data, size_t client_data_len,
        const void *attestation_object, size_t attestation_object_len);
/*
 * The same from an SSHSIG over challenge, armoured or raw: the credential of
 * the key that made it. verify_required is set where the token verified its
 * user.
 */
MUST_CHECK enum rc policy_sshsig_register(struct policy_credential *out,
                                          const uint8_t challenge[32],
                                          const char *sshsig,
                                          size_t sshsig_len);
/* One row of persons[].credentials, as JSON; NUL-terminated. */
#define POLICY_CREDENTIAL_MAX 4096
MUST_CHECK enum rc policy_credential_write(char *out, size_t cap, size_t *len,
                                           const struct policy_credential *c);
/* The row read back, as strictly as in a policy. */
MUST_CHECK enum rc policy_credential_parse(struct policy_credential *out,
                                           const void *bytes, size_t len);
/*
 * Six words to read out on the telephone: the first six bytes of SHA-256 of
 * the key (COSE_Key, or 32 bytes of an SSH key), each a word of a fixed list.
 */
#define POLICY_WORDS_MAX 64
void policy_credential_words(char out[POLICY_WORDS_MAX],
                             const struct policy_credential *c);

/* ---- is it approved? -------------------------------------------------------------- */

/*
 * Instead of now_s: judge at the session's own time. For what the log proves
 * was judged then: a policy version fetched later, a bundle. Never for a
 * request.
 */
#define POLICY_AT_ITS_TIME INT64_MIN

struct policy_approved {
    unsigned engineers; /* distinct persons counted, requester left out */
    unsigned stewards;
    uint8_t root[32]; /* approvals, FORMATS section 2 */
};
/*
 * Judges a session under policy p at now_s: cluster (RC_POLICY) and policy
 * hash (RC_POLICY_CHANGED) match, times (RC_EXPIRED, 60 s of grace on
 * created), profile, key and slots fit each other (RC_POLICY, RC_UNKNOWN),
 * requester's record where the rule needs one, every approval record valid,
 * no denial (RC_DENIED), revoked ones not counted, and the rule of its type
 * met (RC_NOT_APPROVED says how many of which role are missing).
 *
 * Persons are counted, not records: a person with approvals in both roles
 * fills one place, an engineer's while engineers are missing. The result does
 * not depend on the order of the records. An approval in a way the profile
 * does not accept, or by a credential that ends before the session does, is
 * not counted; a denial by it stands.
 *
 * requester  NULL where the caller has none: right for 0/0 sign sessions only
 */
MUST_CHECK enum rc policy_judge(struct policy_approved *out,
                                const struct policy *p,
                                const uint8_t genesis[32],
                                const struct policy_session *s,
                                const struct tlog_blob *requester,
                                const struct tlog_blob *approvals,
                                unsigned n_approvals, int64_t now_s);

/*
 * A deployment's own floor under every profile's numbers: it can raise, never
 * lower. A profile that it raises is a quorum profile: its sign sessions are
 * signed by their requester and bind an artifact. The approvals root stays the
 * policy's, or nodes with other floors would not agree on it.
 */
struct policy_raise {
    unsigned engineers;
    unsigned stewards;
};
MUST_CHECK enum rc policy_judge_raised(
        struct policy_approved *out, const struct policy *p,
        const uint8_t genesis[32], const struct policy_session *s,
        const struct tlog_blob *requester, const struct tlog_blob *approvals,
        unsigned n_approvals, int64_t now_s, const struct policy_raise *raise);

/*
 * Who has decided what, and what is missing: the judge's view as data, for
 * status, page and error texts. Fails where the session itself does not fit
 * the policy; its times are not judged.
 *
 * raise  NULL: none
 */
struct policy_said {
    char person[POLICY_NAME_MAX];
    char role[POLICY_NAME_MAX];
    char kind[12];
    enum policy_decision decision;
    enum policy_way way;
    bool counts;     /* an approval that fills a place */
    const char *why; /* where an approval does not: a phrase, else "" */
};
struct policy_missing {
    unsigned need_engineers; /* the rule, raised */
    unsigned need_stewards;
    unsigned have_engineers;
    unsigned have_stewards;
    bool wants_requester; /* whose signature is needed and not there */
    bool denied;
    bool complete; /* enough, not denied, none bad */
    struct policy_said said[POLICY_MAX_APPROVALS];
    unsigned n_said;
    unsigned n_bad; /* records that do not verify: the judge refuses them */
    /* who could still fill a missing place, of the policy; none once expired */
    const struct policy_person *may[POLICY_MAX_PERSONS];
    unsigned n_may;
};
MUST_CHECK enum rc policy_required(struct policy_missing *out,
                                   const struct policy *p,
                                   const struct policy_session *s,
                                   const struct tlog_blob *requester,
                                   const struct tlog_blob *approvals,
                                   unsigned n_approvals, int64_t now_s,
                                   const struct policy_raise *raise);

/* ---- approve the artifact, sign the payload ----------------------------------------- */
/*
 * What are these bytes? Never POLICY_RAW when they parse as another kind.
 */
MUST_CHECK enum rc policy_classify(enum policy_kind *out, const void *msg,
                                   size_t len);
/*
 * May this message be signed in this session by this profile: its kind is
 * allowed and a slot of the session, and where an artifact is bound the
 * digest inside is the approved one. RC_POLICY says what differs.
 */
MUST_CHECK enum rc policy_payload_check(enum policy_kind *kind,
                                        const struct policy_profile *profile,
                                        const struct policy_session *s,
                                        const void *msg, size_t len);
MUST_CHECK enum rc policy_payload_check_raised(
        enum policy_kind *kind, const struct policy_profile *profile,
        const struct policy_session *s, const void *msg, size_t len,
        const struct policy_raise *raise);

#endif
