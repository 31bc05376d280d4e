/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the vault's own files share: frames, the core behind both the child
 * and the local vault, and its parts. Everything secret lives in `struct
 * vault_secrets`, the `struct vault_pool` or a `struct vault_dkg`, all three
 * secret_new() memory; frames and every other struct are public or boxed.
 */
#ifndef VAULT_INNER_H
#define VAULT_INNER_H

#include "vault/vault.h"

#include <pthread.h>

#include "base/bytes.h"

/* ---- frames ------------------------------------------------------------ */
/*
 * A frame is a header and a body. Request: u32 body length, u8 op, u8
 * carrier, u16 zero, u32 message length; then the body; then the message
 * when it is inline. Reply: u32 body length, u8 op, u8 rc, u16 zero, u32
 * zero; then the body, which on failure is LP16(text) LP16(hint).
 */
#define VAULT_HEADER_LEN 12
#define VAULT_BODY_MAX   (640u * 1024)
#define VAULT_INLINE_MAX (64u * 1024)
#define VAULT_REPLY_MAX  (VAULT_SEALED_KEYS_MAX + 1024)

enum vault_op {
    VAULT_OP_HELLO = 0, /* the child's first frame: did it start? */
    VAULT_OP_OPEN = 1,
    VAULT_OP_ROSTER = 2,
    VAULT_OP_HEAD = 3,
    VAULT_OP_DKG_BEGIN = 4,
    VAULT_OP_DKG_DEAL = 5,
    VAULT_OP_DKG_FINISH = 6,
    VAULT_OP_VOTE = 7,
    VAULT_OP_ACTIVATE = 8,
    VAULT_OP_FORGET = 9,
    VAULT_OP_COMMIT = 10,
    VAULT_OP_SIGN = 11,
    VAULT_OP_COSIGN = 12,
    VAULT_OP_EPOCH_BEGIN = 20,
    VAULT_OP_EPOCH_DEAL = 21,
    VAULT_OP_EPOCH_FINISH = 22,
    VAULT_OP_EPOCH_MOVED = 23,
    VAULT_OP_EPOCH_RETIRE = 24,
    VAULT_OP_DESTROY = 25,
    VAULT_OP_DKG_NARROW = 40,
    VAULT_OP_SESSION_END = 41,
    VAULT_OP_HELD = 42,
    VAULT_OP_PIECE_SPLIT = 13,
    VAULT_OP_PIECE_KEEP = 14,
    VAULT_OP_PIECE_KEPT = 15,
    VAULT_OP_PIECE_ACKED = 16,
    VAULT_OP_PIECE_GIVE = 17,
    VAULT_OP_PIECE_JOIN = 18,
    VAULT_OP_BACKUP = 30,
    VAULT_OP_RECOVER = 31,
#ifdef MPC_SIMULATED_TEE
    VAULT_OP_TRESPASS = 0xFE /* tests: a call the sandbox must not allow */
#endif
};
enum vault_carrier { VAULT_NO_MESSAGE = 0, VAULT_INLINE = 1, VAULT_MEMFD = 2 };

struct vault_header {
    uint32_t body_len;
    uint8_t op;
    uint8_t tag; /* request: carrier; reply: rc */
    uint32_t msg_len;
};
void vault_header_encode(uint8_t out[VAULT_HEADER_LEN],
                         const struct vault_header *h);
MUST_CHECK enum rc vault_header_decode(struct vault_header *out,
                                       const uint8_t in[VAULT_HEADER_LEN]);
/* Sends the header, with a descriptor unless pass_fd is -1. */
MUST_CHECK enum rc vault_header_send(int fd,
                                     const uint8_t header[VAULT_HEADER_LEN],
                                     int pass_fd);
/* *passed is -1 or ours to close, also on failure. RC_UNREACHABLE: closed. */
MUST_CHECK enum rc vault_header_recv(int fd, uint8_t header[VAULT_HEADER_LEN],
                                     int *passed);

struct vault_request {
    uint8_t op;
    const uint8_t *body;
    size_t body_len;
    const uint8_t *msg; /* of VAULT_OP_SIGN */
    size_t msg_len;
};

/* ---- layouts inside a body --------------------------------------------- */

void vault_put_path(struct bytes_writer *w, const struct tlog_path *path);
void vault_get_path(struct bytes_reader *r, struct tlog_path *out);
void vault_put_proof(struct bytes_writer *w, const struct tlog_proof *proof);
void vault_get_proof(struct bytes_reader *r, struct tlog_proof *out);
void vault_put_dkg_terms(struct bytes_writer *w,
                         const struct vault_dkg_terms *t);
void vault_get_dkg_terms(struct bytes_reader *r, struct vault_dkg_terms *out);
void vault_put_package(struct bytes_writer *w, const struct frost_dealing *p);
void vault_get_package(struct bytes_reader *r, struct frost_dealing *out);
void vault_put_epoch_terms(struct bytes_writer *w,
                           const struct tlog_epoch_terms *t);
void vault_get_epoch_terms(struct bytes_reader *r,
                           struct tlog_epoch_terms *out);
void vault_put_votes(struct bytes_writer *w, const struct tlog_vote *votes,
                     unsigned n);
/* votes has TLOG_MAX_NODES; returns how many, 0 on failure. */
unsigned vault_get_votes(struct bytes_reader *r, struct tlog_vote *votes);
/* votes points into its own array after a get */
struct vault_epoch_asked {
    struct vault_epoch_terms terms;
    struct tlog_vote votes[TLOG_MAX_NODES];
};
void vault_put_epoch_asked(struct bytes_writer *w,
                           const struct vault_epoch_terms *t);
void vault_get_epoch_asked(struct bytes_reader *r,
                           struct vault_epoch_asked *out);

/* A sign request as the core reads it; pointers of req lead into itself. */
struct vault_sign_work {
    struct vault_sign_request req;
    struct vault_signer signers[FROST_MAX_SIGNERS];
    struct tlog_proof intent;
    struct tlog_path consistency;
};
void vault_put_sign(struct bytes_writer *w,
                    const struct vault_sign_request *in);
void vault_get_sign(struct bytes_reader *r, struct vault_sign_work *out);

/* ---- the core ---------------------------------------------------------- */

#define VAULT_MAX_NONCES   4096
#define VAULT_MAX_SHARES   4096
#define VAULT_MAX_DKGS     64
#define VAULT_MAX_BEGUN    8192 /* DKG sessions remembered as begun */
#define VAULT_MAX_ANSWERS  256
#define VAULT_MAX_HEADS    64
#define VAULT_MAX_SPLITS   256 /* shares with a secret that peers hold */
#define VAULT_ANSWER_MAX   (32 + 32 + 1 + 2 + TLOG_SIG_LINE_MAX)
#define VAULT_MAX_NONCES   4096
#define VAULT_MAX_SHARES   4096
#define VAULT_MAX_DKGS     64
#define VAULT_MAX_RESHARES 16
#define VAULT_MAX_BEGUN    8192 /* DKG sessions remembered as begun */
#define VAULT_MAX_ANSWERS  256
#define VAULT_MAX_HEADS    64
#define VAULT_ANSWER_MAX   (32 + 32 + 1 + 2 + TLOG_SIG_LINE_MAX)

/* Long-lived: locked, and out of reach (PROT_NONE) between two requests. */
struct vault_secrets {
    uint8_t root[VAULT_MAX_MASTERS][32]; /* sealing keys come from these */
    struct frost_scalar split[VAULT_MAX_SPLITS]; /* beside core->split */
    uint8_t identity[64];     /* Ed25519, libsodium's secret key */
    uint8_t box[32];          /* X25519 */
    uint8_t nonce_id_key[16]; /* marks the nonce ids we handed out */
    struct frost_scalar share[VAULT_MAX_SHARES]; /* beside core->share */
};
/*
 * Short-lived: locked. Closing off this much memory as well would cost more
 * than the rest of a call.
 */
struct vault_pool {
    struct frost_nonce nonce[VAULT_MAX_NONCES]; /* beside core->nonces */
};

enum vault_state {
    VAULT_NEW = 1,  /* no keys yet */
    VAULT_OPEN = 2, /* keys, no roster */
    VAULT_READY = 4 /* roster: everything else */
};

enum vault_share_state { VAULT_PREPARED = 1, VAULT_ACTIVE, VAULT_OLD };

/* The public side of a share. */
struct vault_share {
    enum vault_share_state state;
    bool persistent;
    bool stored;     /* persistent: was read back from disk before our vote */
    bool brought;    /* by a custodian: dealt from, never signed with */
    uint8_t key[32]; /* H(group key) */
    struct tlog_epoch_terms terms;
    uint16_t ids[TLOG_MAX_NODES]; /* [terms.n], ascending */
    uint8_t members[32];          /* vault_members_hash() */
    uint8_t roster[32];           /* under which it was made */
    uint8_t y[32];                /* ours */
};

/* A DKG under way; secret_new() memory of its own. */
struct vault_dkg {
    struct frost_poly secret; /* until dealt */
    struct vault_dkg_terms terms;
    struct frost_dealing mine;
    struct frost_dealing *packages; /* [n] heap, public; once dealt */
    uint64_t serial;
};

/* An epoch with a parent under way; secret_new() memory of its own. */
struct vault_reshare {
    struct frost_poly secret; /* until dealt; unused where we do not deal */
    struct frost_dealing mine;
    struct vault_reshare_more *more; /* heap, public */
    uint64_t serial;
};
/* The public side of one. */
struct vault_reshare_more {
    uint8_t session[32];
    uint64_t epoch;
    uint16_t t, n;
    uint16_t ids[TLOG_MAX_NODES]; /* receivers */
    uint16_t n_dealers;
    struct frost_id dealer[TLOG_MAX_NODES]; /* identifiers of the old group */
    uint16_t dealer_at[TLOG_MAX_NODES];     /* the nodes that deal for them */
    bool deals;
    unsigned me; /* our place among the dealers, if we deal */
    bool dealt;
    struct frost_dealing packages[TLOG_MAX_NODES]; /* once dealt */
    /* the group before */
    uint8_t key[32]; /* H(group key) */
    uint64_t parent;
    uint16_t old_t, old_n;
    struct frost_point group;
    struct frost_id old_id[TLOG_MAX_NODES];
    struct frost_point old_y[TLOG_MAX_NODES];
};

/* Unspent nonces, public side; slot i belongs to pool->nonce[i]. */
struct vault_nonces {
    uint16_t lead[VAULT_MAX_NONCES];   /* 0: the slot is free */
    uint64_t serial[VAULT_MAX_NONCES]; /* order of making */
    uint8_t id[VAULT_MAX_NONCES][VAULT_NONCE_ID_LEN];
    uint8_t key[VAULT_MAX_NONCES][32];
    uint64_t epoch[VAULT_MAX_NONCES];
    uint64_t made; /* counter of this life */
};

/* A master key, public side; secret->root has it at the same index. */
struct vault_base {
    enum vault_master provider; /* VAULT_SNP for snp+peers, too */
    uint8_t mek_id[16];
};

/* A share's secret that its peers hold in pieces. Public side. */
struct vault_split {
    bool used;
    bool whole; /* acked by all, or come back from them */
    uint8_t session[32];
    uint64_t epoch;
    uint16_t t, n; /* n 0: came back, the members are not known */
    uint16_t ids[TLOG_MAX_NODES]; /* [n] */
    bool acked[TLOG_MAX_NODES];   /* [n] */
    uint64_t serial;
};

struct vault_head {
    uint64_t size;
    struct tlog_hash root;
};

/* What a spent nonce was spent on, and the answer that was given. */
struct vault_answer {
    uint8_t nonce_id[VAULT_NONCE_ID_LEN];
    uint8_t request[32];
    enum rc rc;
    uint8_t reply[VAULT_ANSWER_MAX];
    size_t reply_len;
    char text[160]; /* of a failure */
};

/* The roster held, and what follows from it. Public. */
struct vault_roster {
    struct tlog_roster of;
    char text[TLOG_ROSTER_MAX];
    size_t len;
    uint8_t hash[32];
    uint64_t version; /* of the policy that named it; 0: the first roster */
    struct tlog_vkey cosigner; /* our name and key on checkpoints */
};

struct vault_core {
    struct vault_secrets *secret;
    struct vault_pool *pool;
    bool child; /* in the sandbox, not local */
    enum vault_state state;
    uint8_t cluster[32];
    uint16_t node;
    uint8_t measurement[48];
    enum vault_master seals; /* what new shares are sealed under */
    struct vault_base base[VAULT_MAX_MASTERS]; /* [n_bases]; 0 seals */
    unsigned n_bases;
    uint8_t boot[16];
    uint8_t identity[32]; /* public halves */
    uint8_t box[32];

    struct vault_roster *roster; /* NULL: none yet */

    struct vault_head head;                   /* size 0: none yet */
    struct vault_head heads[VAULT_MAX_HEADS]; /* ring, newest at n - 1 */
    uint64_t n_heads;

    struct vault_dkg *dkg[VAULT_MAX_DKGS];
    struct vault_reshare *reshare[VAULT_MAX_RESHARES];
    uint8_t begun[VAULT_MAX_BEGUN][32]; /* ring */
    uint64_t n_begun;

    struct vault_share share[VAULT_MAX_SHARES]; /* [n_shares] */
    unsigned n_shares;
    struct vault_split split[VAULT_MAX_SPLITS];
    uint64_t n_splits;        /* of this life */
    struct frost_ready ready; /* the self test has passed */
    struct frost_cache cache;
    struct vault_nonces nonces;
    struct vault_answer answer[VAULT_MAX_ANSWERS]; /* ring */
    uint64_t n_answers;
};

MUST_CHECK enum rc vault_core_new(struct vault_core **out,
                                  const struct vault_config *config);
void vault_core_free(struct vault_core *core);
/* Asks for the sealing key; before the first request. */
MUST_CHECK enum rc vault_core_unlock(struct vault_core *core,
                                     const struct vault_config *config);
/* One request; the reply's body is written only on RC_OK. */
MUST_CHECK enum rc vault_core_serve(struct vault_core *core,
                                    struct bytes_writer *reply,
                                    const struct vault_request *req);

/* A handler decodes in, acts, writes out. One per op. */
typedef enum rc vault_handler(struct vault_core *core, struct bytes_writer *out,
                              struct bytes_reader *in,
                              const struct vault_request *req);
vault_handler vault_on_open, vault_on_roster, vault_on_head;
vault_handler vault_on_dkg_begin, vault_on_dkg_deal, vault_on_dkg_finish;
vault_handler vault_on_vote, vault_on_activate, vault_on_forget;
vault_handler vault_on_commit, vault_on_sign, vault_on_cosign;
vault_handler vault_on_dkg_narrow, vault_on_session_end, vault_on_held;
vault_handler vault_on_piece_split, vault_on_piece_keep, vault_on_piece_kept;
vault_handler vault_on_piece_acked, vault_on_piece_give, vault_on_piece_join;
vault_handler vault_on_epoch_begin, vault_on_epoch_deal, vault_on_epoch_finish;
vault_handler vault_on_epoch_moved, vault_on_epoch_retire, vault_on_destroy;
vault_handler vault_on_backup, vault_on_recover;
#ifdef MPC_SIMULATED_TEE
vault_handler vault_on_trespass;
#endif

/* ---- its parts --------------------------------------------------------- */

/* guest.c: 32 bytes that only this measurement on this chip gets. Secret. */
MUST_CHECK enum rc vault_guest_key(uint8_t key[32],
                                   const struct vault_config *config);

/* hkdf.c: RFC 5869 with SHA-256; one block is all we need. Secret. */
void vault_hkdf_extract(uint8_t prk[32], const void *salt, size_t salt_len,
                        const void *ikm, size_t ikm_len);
void vault_hkdf_expand(uint8_t out[32], const uint8_t prk[32], const void *info,
                       size_t info_len);

/* keys.c: the roster's row of a node; RC_UNKNOWN when it has none. */
MUST_CHECK enum rc vault_roster_node(const struct tlog_roster_node **out,
                                     const struct vault_core *core,
                                     uint16_t node);

/* seal.c */
MUST_CHECK enum rc vault_aead_seal(uint8_t *ct, const uint8_t key[32],
                                   const uint8_t nonce[12],
                                   const uint8_t *plain, size_t len,
                                   const uint8_t *aad, size_t aad_len);
/* RC_STORE when it does not open; ct_len counts the tag. */
MUST_CHECK enum rc vault_aead_open(uint8_t *plain, const uint8_t key[32],
                                   const uint8_t nonce[12], const uint8_t *ct,
                                   size_t ct_len, const uint8_t *aad,
                                   size_t aad_len);
/* master.c */
/* Takes all master keys of the configuration; before the first request. */
MUST_CHECK enum rc vault_masters_load(struct vault_core *core,
                                      const struct vault_config *config);
bool vault_masters_read(const struct vault_config *config); /* master_fd is */
/*
 * The master key of a purpose: "keys" is epoch 0. with: the secret that peers
 * hold, or NULL. Secret.
 */
void vault_mek(uint8_t out[32], const struct vault_core *core, unsigned base,
               uint64_t epoch, const struct frost_scalar *with);
/* Which master key opens it. RC_STORE says why none of ours does. */
MUST_CHECK enum rc vault_base_find(unsigned *base,
                                   const struct vault_core *core,
                                   const char *what, uint16_t provider,
                                   const uint8_t mek_id[16]);
/* The one of snp: what is bound to chip and measurement. RC_STORE: none. */
MUST_CHECK enum rc vault_base_snp(unsigned *base,
                                  const struct vault_core *core);
/* H(identity) of this node */
void vault_node_id(uint8_t out[32], const struct vault_core *core);

/* piece.c: NULL, or index in *at */
struct vault_split *vault_split_find(struct vault_core *core, unsigned *at,
                                     const uint8_t session[32], uint64_t epoch);
/* The secret that this share is to be sealed under: RC_ORDER until all its
 * holders have acknowledged, RC_CONFLICT when it was split by other terms. */
MUST_CHECK enum rc vault_split_for(struct vault_core *core, unsigned *at,
                                   const struct vault_share *pub);
void vault_split_drop(struct vault_core *core, const uint8_t session[32],
                      uint64_t epoch);

MUST_CHECK enum rc vault_share_seal(struct vault_core *core,
                                    uint8_t out[VAULT_SEALED_SHARE_MAX],
                                    size_t *len, const struct vault_share *pub,
                                    const struct frost_scalar *share);
/*
 * Opens what belongs to (pub->key, pub->terms): every field of the header
 * must agree with it. Fills pub->members, roster and y, and the share, whose
 * s*B == y was checked.
 */
MUST_CHECK enum rc vault_share_unseal(struct vault_core *core,
                                      struct vault_share *pub,
                                      struct frost_scalar *share,
                                      const uint8_t *sealed, size_t len);

/* share.c */
/* H("mpc/members/v1\0" || per member (u16be id || Y)) */
void vault_members_hash(uint8_t out[32], const uint16_t *ids,
                        const uint8_t (*ys)[32], unsigned n);
/* Copies both; RC_NOMEM when the table is full, RC_EXISTS. */
MUST_CHECK enum rc vault_share_add(struct vault_core *core,
                                   const struct vault_share *pub,
                                   const struct frost_scalar *share);
/* A run has ended: seals the share where it is persistent, writes what
 * vault_dkg_result has, and adds it, PREPARED. ys [pub->terms.n] */
MUST_CHECK enum rc vault_share_conclude(struct vault_core *core,
                                        struct bytes_writer *out,
                                        const struct vault_share *pub,
                                        const struct frost_scalar *share,
                                        const uint8_t (*ys)[32]);
/* NULL when there is none; the index into secret->share in *at. */
struct vault_share *vault_share_find(struct vault_core *core, unsigned *at,
                                     const uint8_t key[32], uint64_t epoch);
/*
 * The share that may sign now. RC_UNKNOWN: no such key; RC_EPOCH_MOVED: the
 * key has another epoch here; RC_ORDER: its first is prepared, not active.
 */
MUST_CHECK enum rc vault_share_active(struct vault_core *core,
                                      struct vault_share **out, unsigned *at,
                                      const uint8_t key[32], uint64_t epoch);
bool vault_share_member(const struct vault_share *s, uint16_t node);
/* Wipes it; the last one moves into the gap. */
void vault_share_remove(struct vault_core *core, unsigned at);
/* Our identity's word about it, under this tag. */
void vault_share_statement(uint8_t sig[64], const struct vault_core *core,
                           const char *tag, const struct vault_share *s);
/* No newer epoch lives here (RC_EPOCH_MOVED); the older ones stop signing. */
MUST_CHECK enum rc vault_share_supersede(struct vault_core *core,
                                         const uint8_t key[32], uint64_t epoch);
/*
 * All members of these terms, each under the identity the roster gives it.
 * *ours: we are one.
 */
MUST_CHECK enum rc vault_votes_judge(bool *ours, const struct vault_core *core,
                                     const struct tlog_epoch_terms *terms,
                                     const struct tlog_vote *votes, unsigned n);
/* ids and members of those who voted. */
void vault_votes_members(struct vault_share *pub, const struct tlog_vote *votes,
                         unsigned n);
bool vault_terms_equal(const struct tlog_epoch_terms *a,
                       const struct tlog_epoch_terms *b);

/* box.c */
/* What all of a run is of. */
struct vault_run_id {
    const uint8_t *session; /* [32] */
    uint64_t epoch;
};
/* Sub-shares dealt to us, all secret. */
struct vault_subs {
    struct frost_scalar of[TLOG_MAX_NODES];
};
WIPED_TYPE(vault_subs);
/* RC_EXISTS when it was begun in this life; and: it is. Gives its serial. */
MUST_CHECK enum rc vault_begun_once(const struct vault_core *core,
                                    const uint8_t run[32]);
uint64_t vault_begun(struct vault_core *core, const uint8_t run[32]);
/* The sub-share of `node`, for its roster key alone. */
MUST_CHECK enum rc vault_box_make(uint8_t box[VAULT_BOX_LEN],
                                  const struct vault_core *core,
                                  const struct vault_run_id *run, uint16_t node,
                                  const struct frost_poly *secret);
/* What `node` dealt to us; RC_VERIFY. */
MUST_CHECK enum rc vault_box_open(struct frost_scalar *sub,
                                  const struct vault_core *core,
                                  const struct vault_run_id *run, uint16_t node,
                                  const uint8_t box[VAULT_BOX_LEN]);
/* Names all whose sub-share is off its polynomial. */
MUST_CHECK enum rc vault_blame_dealers(const struct frost_culprits *culprits);

/* reshare.c */
void vault_reshare_drop_all(struct vault_core *core);
/* Runs of this key from a parent before this epoch: they hold its shares. */
void vault_reshare_drop_before(struct vault_core *core, const uint8_t key[32],
                               uint64_t epoch);

/* dkg.c */
void vault_dkg_drop_all(struct vault_core *core);
MUST_CHECK enum rc vault_dkg_of(struct vault_dkg **out, struct vault_core *core,
                                const uint8_t session[32]);
/* Unknown is fine. */
void vault_dkg_end(struct vault_core *core, const uint8_t session[32]);

/* nonce.c */
/*
 * Takes the nonce out of the pool: it is gone from there on RC_OK. mine is
 * our row of the package. RC_UNKNOWN never handed out here; RC_ORDER spent
 * or dropped; RC_CONFLICT another lead, key, epoch or other commitments.
 */
MUST_CHECK enum rc vault_nonce_take(struct vault_core *core,
                                    struct frost_nonce *out,
                                    const struct vault_sign_request *req,
                                    const struct vault_signer *mine);
void vault_nonce_drop_key(struct vault_core *core, const uint8_t key[32],
                          uint64_t epoch);

/* head.c */
/*
 * May a checkpoint be relied on, given the heads accepted so far? Changes
 * nothing. *newest: it is, or will be, the newest.
 */
MUST_CHECK enum rc vault_head_judge(const struct vault_core *core, bool *newest,
                                    const struct tlog_checkpoint *cp,
                                    const struct tlog_path *consistency);
void vault_head_accept(struct vault_core *core,
                       const struct tlog_checkpoint *cp);

/* sandbox.c */
/* Closes all but these (-1: none), locks, limits; before the next. */
MUST_CHECK enum rc vault_sandbox_prepare(int sock, int seal_fd, int master_fd);
/* From here on the allow-list holds. device: sealing asks by ioctl. */
MUST_CHECK enum rc vault_sandbox_enter(bool device);

/* child.c: serves until the parent closes its end. */
_Noreturn void vault_child_run(int sock, const struct vault_config *config);

/* ---- the parent's side ------------------------------------------------- */

struct vault {
    pthread_mutex_t lock;
    struct vault_core *core; /* local: no child */
    pid_t owner;             /* the process that may call */
    pid_t pid;
    int sock;
    int life; /* pidfd */
    bool dead;
    bool reaped;
    int status;
};

/* One call; reply_len is what the reply's body holds. */
MUST_CHECK enum rc vault_call(struct vault *v, uint8_t *reply, size_t cap,
                              size_t *reply_len,
                              const struct vault_request *req);

#endif
