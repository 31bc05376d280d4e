/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transparency: Merkle trees (RFC 6962), signed notes, checkpoints and
 * cosignatures (C2SP), the entries of our log and the statements they refer
 * to by hash (FORMATS sections 1 and 2), and the store behind mpc-log.
 *
 * Everything above "the store" is pure and needs libsodium only, so that the
 * vault can judge proofs by itself. All of it is public data.
 */
#ifndef TRANSPARENCY_TRANSPARENCY_H
#define TRANSPARENCY_TRANSPARENCY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/own.h"
#include "base/rc.h"

/* ---- Merkle tree, RFC 6962 section 2 --------------------------------- */

#define TLOG_PATH_MAX 63

struct tlog_hash {
    uint8_t b[32];
};
struct tlog_path {
    struct tlog_hash hash[TLOG_PATH_MAX];
    unsigned n;
};

bool tlog_hash_equal(const struct tlog_hash *a, const struct tlog_hash *b);
void tlog_leaf_hash(struct tlog_hash *out, const void *entry, size_t len);
void tlog_node_hash(struct tlog_hash *out, const struct tlog_hash *l,
                    const struct tlog_hash *r);
/* MTH over leaf hashes; n = 0 gives SHA-256(""). */
void tlog_root(struct tlog_hash *out, const struct tlog_hash *leaves, size_t n);

/* RC_LOG when the path does not lead from leaf at index to root of size. */
MUST_CHECK enum rc tlog_inclusion_check(const struct tlog_path *path,
                                        uint64_t index, uint64_t size,
                                        const struct tlog_hash *leaf,
                                        const struct tlog_hash *root);
/*
 * RC_LOG when new is not an extension of old. old_size 0 wants an empty path
 * (the witness protocol's convention) and does not read old_root; equal sizes
 * want equal roots; size 0 wants SHA-256("").
 */
MUST_CHECK enum rc tlog_consistency_check(const struct tlog_path *path,
                                          uint64_t old_size,
                                          const struct tlog_hash *old_root,
                                          uint64_t size,
                                          const struct tlog_hash *root);

/*
 * The same for a subtree D[start:end], start a multiple of the power of two
 * that holds it: an entry in it, and it in the tree of size. RC_LOG.
 */
MUST_CHECK enum rc tlog_subtree_inclusion_check(const struct tlog_path *path,
                                                uint64_t index, uint64_t start,
                                                uint64_t end,
                                                const struct tlog_hash *leaf,
                                                const struct tlog_hash *root);
MUST_CHECK enum rc tlog_subtree_consistency_check(const struct tlog_path *path,
                                                  uint64_t start, uint64_t end,
                                                  uint64_t size,
                                                  const struct tlog_hash *sub,
                                                  const struct tlog_hash *root);

/* ---- signed notes, C2SP signed-note / tlog-checkpoint / cosignature -- */

#define TLOG_NAME_MAX        128  /* note key name, log origin; with NUL */
#define TLOG_VKEY_MAX        256  /* text form, with NUL */
#define TLOG_NOTE_MAX        8192 /* a checkpoint with its signature lines */
#define TLOG_SIG_LINE_MAX    320  /* one signature line, with LF and NUL */
#define TLOG_SIG_ED25519     0x01
#define TLOG_SIG_COSIGNATURE 0x04

struct tlog_vkey {
    char name[TLOG_NAME_MAX];
    uint8_t id[4];
    uint8_t type; /* TLOG_SIG_ED25519 or TLOG_SIG_COSIGNATURE */
    uint8_t key[32];
};
/* Fills id from the rest. RC_ARG: a name with space, '+' or control bytes. */
MUST_CHECK enum rc tlog_vkey_make(struct tlog_vkey *out, const char *name,
                                  uint8_t type, const uint8_t key[32]);
MUST_CHECK enum rc tlog_vkey_parse(struct tlog_vkey *out, const char *text);
char *tlog_vkey_text(char out[TLOG_VKEY_MAX], const struct tlog_vkey *v);

struct tlog_checkpoint {
    char origin[TLOG_NAME_MAX];
    uint64_t size;
    struct tlog_hash root;
};
/* The note body "origin LF size LF root LF", NUL-terminated. */
MUST_CHECK enum rc tlog_checkpoint_body(char *out, size_t cap,
                                        const struct tlog_checkpoint *cp);
/*
 * Sign with the 64-byte libsodium secret key of vkey: the whole note, one
 * signature line. vkey->name must be the origin.
 */
MUST_CHECK enum rc tlog_checkpoint_sign(char *out, size_t cap,
                                        const struct tlog_checkpoint *cp,
                                        const struct tlog_vkey *vkey,
                                        const uint8_t sk[64]);
/*
 * Open a checkpoint note: well-formed, signed by this log. Unknown signature
 * lines are ignored; a line of this key that fails rejects the note. RC_LOG
 * or RC_PARSE.
 */
MUST_CHECK enum rc tlog_checkpoint_open(struct tlog_checkpoint *out,
                                        const char *note, size_t note_len,
                                        const struct tlog_vkey *log);

/* A cosignature/v1 line "— name base64 LF" over the checkpoint's body. */
MUST_CHECK enum rc tlog_cosign(char out[TLOG_SIG_LINE_MAX],
                               const struct tlog_checkpoint *cp, int64_t time,
                               const struct tlog_vkey *cosigner,
                               const uint8_t sk[64]);
/* Verifies one such line; *time (may be NULL) is what it says. RC_VERIFY. */
MUST_CHECK enum rc tlog_cosignature_check(const char *line,
                                          const struct tlog_checkpoint *cp,
                                          const struct tlog_vkey *cosigner,
                                          int64_t *time);
/* Finds the cosigner's line in a note and verifies it. RC_UNKNOWN: none. */
MUST_CHECK enum rc tlog_note_cosigned(const char *note, size_t note_len,
                                      const struct tlog_vkey *cosigner,
                                      int64_t *time);
/*
 * Appends a signature line to a note, unless that key's line is there already.
 * Verify the line first: it is not verified here. RC_TOO_LARGE.
 */
MUST_CHECK enum rc tlog_note_add(char *note, size_t cap, const char *line);

/* ---- entries, FORMATS section 1 --------------------------------------- */
/*
 * ASCII, at most 4096 bytes. _encode writes text and NUL and sets *len
 * without it; _decode re-encodes and compares, so one entry has one text. A
 * session of 32 zero bytes is "-" in an intent or epoch, never in a birth.
 */
#define TLOG_ENTRY_MAX 4096

enum tlog_kind {
    TLOG_OPAQUE,
    TLOG_INTENT,
    TLOG_BIRTH,
    TLOG_EPOCH,
    TLOG_RECEIPT,
    TLOG_POLICY,
    TLOG_EVIDENCE,
    TLOG_ABORT,
    TLOG_DSSE /* of Sigstore's clients: sigstore.h */
};
enum tlog_kind tlog_entry_kind(const char *text, size_t len);

#define TLOG_NO_INDEX UINT64_MAX /* an intent's birth that is "-" */

struct tlog_intent {
    uint8_t commitment[32];
    uint8_t key[32];
    char class[12]; /* artifact issuer tls */
    char mode[12];  /* ed25519 */
    uint8_t session[32];
    char slot[8]; /* raw cms dsse x509 ocsp cmp tls12 tls13 */
    uint64_t attempt;
    uint64_t epoch;
    uint8_t approvals[32];
    uint8_t participants[32];
    uint8_t policy[32];
    uint64_t birth;
    int64_t expires;
};
struct tlog_birth {
    uint8_t key[32];
    uint8_t session[32];
    char class[12];
    uint64_t threshold;
    uint8_t participants[32];
    uint8_t endorsements[32];
    uint8_t approvals[32];
    uint8_t policy[32];
};
struct tlog_epoch {
    uint8_t key[32];
    uint8_t session[32];
    char type[12]; /* refresh reshare recover destroy */
    uint64_t epoch;
    uint64_t parent;
    uint64_t threshold;
    uint8_t participants[32];
    uint8_t endorsements[32];
    uint8_t policy[32];
};
struct tlog_receipt {
    uint64_t intent;
    uint8_t signature[32];
    uint8_t certificate[32];
    bool has_certificate; /* else "-" */
};
struct tlog_policy {
    uint64_t version;
    uint8_t sha256[32];
    uint8_t prev[32];
    uint8_t roster[32];
    uint8_t approvals[32];
};
struct tlog_evidence {
    uint64_t node;
    uint8_t ak[32];
    uint8_t identity[32];
    uint8_t report[32];
};
struct tlog_abort {
    uint64_t intent;
    char reason[33];
};

#define TLOG_ENTRY_FUNCS(name)                                                 \
    MUST_CHECK enum rc tlog_##name##_encode(char out[TLOG_ENTRY_MAX + 1],      \
                                            size_t *len,                       \
                                            const struct tlog_##name *in);     \
    MUST_CHECK enum rc tlog_##name##_decode(struct tlog_##name *out,           \
                                            const char *text, size_t len)
TLOG_ENTRY_FUNCS(intent);
TLOG_ENTRY_FUNCS(birth);
TLOG_ENTRY_FUNCS(epoch);
TLOG_ENTRY_FUNCS(receipt);
TLOG_ENTRY_FUNCS(policy);
TLOG_ENTRY_FUNCS(evidence);
TLOG_ENTRY_FUNCS(abort);

/* H("mpc/message/v1\0" || salt || SHA-512(message)) */
void tlog_commitment(uint8_t out[32], const uint8_t salt[32],
                     const uint8_t *msg, size_t msg_len);
/* The same from a SHA-512 already made. */
void tlog_commitment_of_hash(uint8_t out[32], const uint8_t salt[32],
                             const uint8_t sha512[64]);

/* ---- statements, FORMATS section 2 ------------------------------------ */

#define TLOG_MAX_NODES 128

/* identities in any order; sorted inside. */
void tlog_participants(uint8_t out[32], const uint8_t (*identities)[32],
                       unsigned n);
/* records already ascending by person: RFC 6962 root over the exact bytes. */
struct tlog_blob {
    const uint8_t *p;
    size_t len;
};
void tlog_approvals_root(uint8_t out[32], const struct tlog_blob *records,
                         unsigned n);

/* One member's prepared vote; also its birth endorsement. */
struct tlog_vote {
    uint16_t node;
    uint8_t identity[32];
    uint8_t y[32]; /* verifying share */
    uint8_t sig[64];
};
/* What the votes of one epoch are over. */
struct tlog_epoch_terms {
    uint8_t session[32];
    uint8_t group_key[32];
    uint64_t epoch;
    uint64_t parent; /* 0: none */
    uint16_t t;
    uint16_t n;
    uint8_t transcript[32]; /* T */
};
#define TLOG_VOTE_PREPARED    "mpc/prepared/v1"
#define TLOG_VOTE_ACTIVE      "mpc/active/v1"
#define TLOG_VOTE_DESTROYED   "mpc/destroyed/v1"
#define TLOG_VOTE_MESSAGE_MAX 256
/* The bytes the identity key signs; *len out. */
void tlog_vote_message(uint8_t out[TLOG_VOTE_MESSAGE_MAX], size_t *len,
                       const char *tag, const struct tlog_epoch_terms *terms,
                       uint16_t node, const uint8_t y[32]);
/* RC_VERIFY unless every vote (ascending by node) signs these terms. */
MUST_CHECK enum rc tlog_votes_check(const struct tlog_epoch_terms *terms,
                                    const char *tag,
                                    const struct tlog_vote *votes, unsigned n);
/* RFC 6962 root over (u16be node || identity || vote), ascending by node. */
void tlog_endorsements_root(uint8_t out[32], const struct tlog_vote *votes,
                            unsigned n);

/* The roster: which keys belong to which node, and the log's key. */
struct tlog_roster_node {
    uint16_t id;
    uint8_t identity[32];
    uint8_t box[32];
    uint8_t custodian[8][32];
    unsigned n_custodians;
};
struct tlog_roster {
    struct tlog_vkey log;
    struct tlog_roster_node node[TLOG_MAX_NODES];
    unsigned n;
};
#define TLOG_ROSTER_MAX 65536
/* The fixed text mpc-roster/1; nodes ascending. */
MUST_CHECK enum rc tlog_roster_encode(char *out, size_t cap, size_t *len,
                                      const struct tlog_roster *r);
MUST_CHECK enum rc tlog_roster_decode(struct tlog_roster *out, const char *text,
                                      size_t len);
/* NULL when no such node. */
const struct tlog_roster_node *tlog_roster_find(const struct tlog_roster *r,
                                                uint16_t id);

/* An entry and where it stands: what travels to whoever must believe it. */
struct tlog_proof {
    char entry[TLOG_ENTRY_MAX + 1];
    size_t entry_len;
    uint64_t index;
    struct tlog_path path;
    char checkpoint[TLOG_NOTE_MAX]; /* note text, NUL-terminated */
};
/* Inclusion in a checkpoint of this log; *cp (may be NULL) what it says. */
MUST_CHECK enum rc tlog_proof_check(const struct tlog_proof *proof,
                                    const struct tlog_vkey *log,
                                    struct tlog_checkpoint *cp);

/* ---- files of a verifier: tlog-proof and tlog-policy, C2SP ------------- */

#define TLOG_PROOF_TEXT_MAX 16384
/*
 * The .tlog-proof text, which does not hold the entry. out is NUL-terminated,
 * *len without it. RC_TOO_LARGE.
 */
MUST_CHECK enum rc tlog_proof_write(char *out, size_t cap, size_t *len,
                                    const struct tlog_proof *proof);
/* Takes it apart, with the entry it is about; check it afterwards. An extra
 * line is skipped: nobody vouches for it. */
MUST_CHECK enum rc tlog_proof_read(struct tlog_proof *out, const char *text,
                                   size_t len, const void *entry,
                                   size_t entry_len);

/*
 * Whom a verifier believes: logs, witnesses, and the rule which of these must
 * have cosigned. Large: keep it on the heap.
 */
#define TLOG_TRUST_MAX      64 /* logs; witnesses; groups */
#define TLOG_TRUST_URL_MAX  256
#define TLOG_TRUST_TEXT_MAX 65536
struct tlog_trust {
    struct tlog_trust_log {
        struct tlog_vkey key;
        char url[TLOG_TRUST_URL_MAX]; /* "" where none is given */
    } log[TLOG_TRUST_MAX];
    struct tlog_trust_witness {
        char name[TLOG_NAME_MAX];
        struct tlog_vkey key; /* a cosigner's */
        char url[TLOG_TRUST_URL_MAX];
    } witness[TLOG_TRUST_MAX];
    struct tlog_trust_group {
        char name[TLOG_NAME_MAX];
        unsigned k;
        uint64_t witnesses; /* bit i: witness i is a member */
        uint64_t groups;    /* bit i: group i, which stands before it, is */
    } group[TLOG_TRUST_MAX];
    unsigned n_logs;
    unsigned n_witnesses;
    unsigned n_groups;
    int quorum; /* -1: none; a witness; or TLOG_TRUST_MAX + a group */
};
/* A tlog-policy file. RC_PARSE names the line. */
MUST_CHECK enum rc tlog_trust_read(struct tlog_trust *out, const char *text,
                                   size_t len);
/* Are these witnesses (bit i: witness i) a quorum? */
bool tlog_trust_quorum(const struct tlog_trust *t, uint64_t witnesses);
/*
 * Opens a checkpoint of one of the logs. RC_LOG: no listed log signed it, or
 * no quorum cosigned it; RC_VERIFY: a known witness' line does not verify.
 *
 * witnesses   out, may be NULL: who did cosign it, also without a quorum
 * log         out, may be NULL: index of the log
 */
MUST_CHECK enum rc tlog_trust_open(struct tlog_checkpoint *out,
                                   uint64_t *witnesses, unsigned *log,
                                   const struct tlog_trust *t, const char *note,
                                   size_t note_len);

/* ---- witnesses, C2SP tlog-witness -------------------------------------- */

#define TLOG_ADD_CHECKPOINT_MAX (TLOG_NOTE_MAX + 4096)
struct tlog_add_checkpoint {
    uint64_t old;
    struct tlog_path path;
    const char *note; /* borrowed from the body */
    size_t note_len;
};
/* The body of POST /add-checkpoint; *len without the NUL. RC_TOO_LARGE. */
MUST_CHECK enum rc tlog_add_checkpoint_write(char *out, size_t cap, size_t *len,
                                             uint64_t old,
                                             const struct tlog_path *path,
                                             const char *note);
MUST_CHECK enum rc tlog_add_checkpoint_read(struct tlog_add_checkpoint *out,
                                            const char *body, size_t len);
/*
 * What a witness that has cosigned `held` last (size 0: nothing yet) answers,
 * as an HTTP status; rc_text() says why it is not 200. 409: the body is
 * held->size and LF, of type TLOG_SIZE_TYPE. 422 where old and held agree is
 * a fork or a bad proof: keep both notes. 200: store *out as held, in the same
 * transaction in which held was read, then cosign it.
 */
#define TLOG_SIZE_TYPE "text/x.tlog.size"
MUST_CHECK int tlog_witness_judge(struct tlog_checkpoint *out,
                                  const struct tlog_checkpoint *held,
                                  const struct tlog_add_checkpoint *in,
                                  const struct tlog_vkey *log);

/* ---- tiles, C2SP tlog-tiles; a reader's side -------------------------- */

#define TLOG_TILE_PATH_MAX 96
/* "tile/<L>/<N>[.p/<W>]"; level -1 is "entries". width 0 or 256: full. */
void tlog_tile_path(char out[TLOG_TILE_PATH_MAX], int level, uint64_t n,
                    unsigned width);
/*
 * Strict parse of the part after "tile/"; width is 1 to 256, 256 when the
 * path names none. RC_UNKNOWN when malformed.
 */
MUST_CHECK enum rc tlog_tile_parse(int *level, uint64_t *n, unsigned *width,
                                   const char *rest);

/* Fetches "checkpoint" or a tile path; *out heap, free(). */
typedef enum rc tlog_fetch(uint8_t **out, size_t *len, const char *path,
                           void *ctx);
struct tlog_fsck_report {
    struct tlog_checkpoint head;
    uint64_t entries_checked;
    uint64_t tiles_checked;
};
/*
 * Reads the whole log and recomputes every tile and the root. A partial tile
 * that fetch does not find (RC_UNKNOWN) is looked for in the full one. RC_LOG
 * says which tile does not fit; fetch's own errors pass through.
 */
MUST_CHECK enum rc tlog_fsck(struct tlog_fsck_report *out,
                             const struct tlog_vkey *log, tlog_fetch *fetch,
                             void *ctx);

/* ---- the store behind mpc-log ----------------------------------------- */
/*
 * One directory, one writer (flock). One append-only file of entries whose
 * fdatasync is the only durability point; hashes are a cache rebuilt from it.
 * Never signs a size that is not synced; any write or sync error is RC_STORE
 * and the store refuses from then on: end the process.
 */
struct tlog_store;

/*
 * Makes the directory if need be. Ignore SIGXFSZ in the program.
 *
 * sk      the log's 64-byte secret key, copied into locked memory
 * Fails   RC_STORE another writer, another log's key, damage, or fewer entries
 *         than the last checkpoint in the directory counts
 */
MUST_CHECK enum rc tlog_store_open(struct tlog_store **out, const char *dir,
                                   const struct tlog_vkey *log,
                                   const uint8_t sk[64]);
/* Commits and answers what waits, then closes; no other call is under way. */
void tlog_store_free(struct tlog_store *s);

/*
 * Appends and waits until it is durable: whatever was queued by other threads
 * meanwhile is committed by the same sync (group commit, no timers). The same
 * entry again gives the same index. Any thread.
 *
 * proof   out: entry, index, path and checkpoint of the new tree
 */
MUST_CHECK enum rc tlog_store_append(struct tlog_store *s,
                                     struct tlog_proof *proof,
                                     const void *entry, size_t len);
/*
 * The same without waiting: done is called once from the committer thread. It
 * must be short and must not append and wait; proof (NULL unless RC_OK) lasts
 * as long as the call. RC_NOMEM: 4096 entries wait already, try again later.
 */
typedef void tlog_appended(enum rc rc, const struct tlog_proof *proof,
                           void *arg);
MUST_CHECK enum rc tlog_store_append_async(struct tlog_store *s,
                                           const void *entry, size_t len,
                                           tlog_appended *done, void *arg);
/* Newest signed checkpoint note. Any thread. */
MUST_CHECK enum rc tlog_store_checkpoint(struct tlog_store *s,
                                         char out[TLOG_NOTE_MAX]);
/* The same with what it says, which nobody need verify. cp may be NULL. */
void tlog_store_head(struct tlog_store *s, char note[TLOG_NOTE_MAX],
                     struct tlog_checkpoint *cp);
MUST_CHECK enum rc tlog_store_inclusion(struct tlog_store *s,
                                        struct tlog_path *out, uint64_t index,
                                        uint64_t size);
MUST_CHECK enum rc tlog_store_consistency(struct tlog_store *s,
                                          struct tlog_path *out,
                                          uint64_t old_size, uint64_t size);
/* What the tree of its first `size` entries had as root. RC_UNKNOWN. */
MUST_CHECK enum rc tlog_store_root(struct tlog_store *s, struct tlog_hash *out,
                                   uint64_t size);
/* Index of the entry with this leaf hash. RC_UNKNOWN. */
MUST_CHECK enum rc tlog_store_find(struct tlog_store *s, uint64_t *index,
                                   const struct tlog_hash *leaf);
/* Since the store was opened; size and bytes: of the whole log. */
#define TLOG_STORE_BUCKETS 12
struct tlog_store_stats {
    uint64_t size;
    uint64_t bytes;      /* of records in all segments */
    uint64_t appended;   /* new entries */
    uint64_t duplicates; /* entries that were there already */
    uint64_t batches;    /* commits, each one write and one sync */
    uint64_t queued;     /* waiting now */
    uint64_t commit_us;  /* sum over batches: write, sync, sign */
    /* commits that took at most 2^i * 64 microseconds, each in one bucket;
     * slower ones in none */
    uint64_t commit_bucket[TLOG_STORE_BUCKETS];
    bool stopped; /* after an error: it takes nothing any more */
};
void tlog_store_stats(struct tlog_store *s, struct tlog_store_stats *out);
/* Bytes of a tile or entry bundle, heap; RC_UNKNOWN outside the tree. */
MUST_CHECK enum rc tlog_store_tile(struct tlog_store *s, uint8_t **out,
                                   size_t *len, int level, uint64_t n,
                                   unsigned width);

/* ---- keys, as the log has them (lineage.c) ------------------------------ */

/*
 * Before a mpc-epoch/1 of type recover is taken: nothing newer than its parent
 * is here (RC_EPOCH_MOVED), nor the key's end (RC_POLICY). Other entries are
 * RC_OK.
 */
MUST_CHECK enum rc tlog_lineage_check(struct tlog_store *s, const char *entry,
                                      size_t len);

#include "transparency/sigstore.h"

#endif
