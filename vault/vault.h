/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vault: a child process that alone ever holds a share, a nonce or the
 * node's long-lived keys, and trusts its parent little. This door is the
 * parent's side; each function is one frame out and one frame back over a
 * socketpair. Sees base, frost and transparency's pure part: libsodium only.
 *
 * Calls may come from any thread; they are served one at a time.
 */
#ifndef VAULT_VAULT_H
#define VAULT_VAULT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/own.h"
#include "base/rc.h"
#include "frost/frost.h"
#include "transparency/transparency.h"

#define VAULT_SEALED_KEYS_MAX  (TLOG_ROSTER_MAX + 1024)
#define VAULT_SEALED_SHARE_MAX 512  /* MSH1: 260 + ciphertext + tag */
#define VAULT_BACKUP_MAX       1206 /* custody/custody.h */
#define VAULT_PARCEL_LEN       355
#define VAULT_BOX_LEN          104 /* nonce 24, MAC 16, run 32, sub-share 32 */
#define VAULT_NONCE_ID_LEN     16
#define VAULT_MAX_MESSAGE      (16u * 1024 * 1024)
#define VAULT_MAX_COMMIT       64  /* commitments in one call */
#define VAULT_PIECE_BOX_LEN    136 /* nonce 24, MAC 16, run 32, piece, tag */
#define VAULT_SEALED_PIECE_MAX VAULT_SEALED_SHARE_MAX

struct vault;

/* ---- master keys: docs/SEALING.md ------------------------------------- */

/* Under what a thing is sealed; the number stands in its MSH1 header. */
enum vault_master {
    VAULT_SNP = 1, /* the guest's derived key: chip and measurement */
    VAULT_SNP_PEERS =
            2,        /* shares: and a secret that the peers hold pieces of */
    VAULT_PKCS11 = 3, /* a key wrapped by a token's */
    VAULT_PASSPHRASE = 4 /* simulation only */
};
#define VAULT_MAX_MASTERS   8
/* One record of master_fd: u16be provider, key. Secret. */
#define VAULT_MASTER_RECORD (2 + 32)

/* "snp+peers"; "unknown" for a number that is none. */
const char *vault_master_name(enum vault_master m);
/*
 * A list as `master_key` has it: names, comma separated, each once; the first
 * seals, the others only open what was sealed under them. RC_ARG names the
 * word that is none.
 */
MUST_CHECK enum rc vault_master_parse(enum vault_master out[VAULT_MAX_MASTERS],
                                      unsigned *n, const char *text);

/* What a sealed thing says of itself, before anyone can open it. */
enum vault_kind {
    VAULT_KIND_SHARE = 1,
    VAULT_KIND_BACKUP = 2,
    VAULT_KIND_PIECE = 3,
    VAULT_KIND_WRAP = 4
};
#define VAULT_MSH1_HEADER 260
/* The header of MSH1, notes/custody.md section 3.2; docs/SEALING.md says what
 * each kind has in it. Public. */
struct vault_msh1 {
    uint16_t kind;
    uint8_t key[32]; /* H(group key); piece: the session's id */
    uint64_t epoch;
    uint16_t node; /* whose share; piece: whose secret it is of */
    uint16_t t, n;
    uint16_t provider;   /* enum vault_master */
    uint8_t node_id[32]; /* H(identity) of who sealed it */
    uint8_t roster[32];
    uint8_t transcript[32];
    uint8_t group_key[32];
    uint8_t y[32]; /* piece: the owner's identity key */
    uint8_t mek_id[16];
    uint8_t nonce[12];
    uint64_t created_ms;
    uint32_t ct_len;
};
void vault_msh1_encode(uint8_t out[VAULT_MSH1_HEADER],
                       const struct vault_msh1 *h);
/*
 * Strict: what decodes encodes to the same bytes. len is that of header and
 * ciphertext. RC_STORE, with what to do about another version.
 */
MUST_CHECK enum rc vault_msh1_decode(struct vault_msh1 *out, const uint8_t *in,
                                     size_t len);

/* ---- life ------------------------------------------------------------- */

struct vault_config {
    uint8_t cluster[32]; /* H(genesis policy bytes) */
    uint16_t node;       /* our id, 1..65535 */
    /* [n_masters]; the first seals. None: snp alone */
    enum vault_master master[VAULT_MAX_MASTERS];
    unsigned n_masters;
    /*
     * Where the helper left the keys of pkcs11 and passphrase: records, then
     * its end. Read only where one of the two is in the list; the caller's to
     * close.
     */
    int master_fd;
    /*
     * Connected to the simulator (guest device protocol, attest/guest.h), or
     * an open /dev/sev-guest: where the vault asks for its sealing key by
     * itself. -1 only in tests with test_seal_key.
     */
    int seal_fd;
    bool seal_simulated;
    /* the TCB mixed into the sealing key: committed_tcb of our own report */
    uint64_t tcb_version;
    uint8_t measurement[48];      /* ours, mixed into the sealing context */
    const uint8_t *test_seal_key; /* [32], tests only; NULL otherwise */
};

/*
 * Forks the child. Call before any thread, listening or network socket
 * exists. The child closes every other descriptor, drops dumps, locks
 * memory, and enters its seccomp allow-list; a forbidden call ends it with
 * SIGSYS.
 */
MUST_CHECK enum rc vault_spawn(struct vault **out,
                               const struct vault_config *config);
/*
 * The same core in this process, without fork or seccomp: for the cluster in
 * one test process. Refused (RC_INTERNAL) unless MPC_SIMULATED_TEE builds.
 */
MUST_CHECK enum rc vault_local(struct vault **out,
                               const struct vault_config *config);
/* Ends the child and reaps it. NULL is fine. */
void vault_free(struct vault *v);
pid_t vault_pid(const struct vault *v); /* 0 for a local one */
/* Readable when the child has died: watch it. -1 for a local one. */
int vault_fd(const struct vault *v);

/* ---- node keys and roster --------------------------------------------- */

struct vault_keys {
    uint8_t identity[32]; /* Ed25519 public */
    uint8_t box[32];      /* X25519 public */
    bool has_roster;
    uint8_t roster[32]; /* H(roster text) */
    uint8_t boot[16];   /* this vault's life; commitments die with it */
};

/*
 * Opens the sealed node keys, or makes new ones when sealed_len is 0 and
 * returns them sealed. RC_UNKNOWN: sealed under another measurement or chip;
 * RC_STORE: damaged, or another node's. After either it may be called again.
 *
 * sealed   in/out [VAULT_SEALED_KEYS_MAX]; *sealed_len in/out, 0 out when
 *          unchanged
 */
MUST_CHECK enum rc vault_open(struct vault *v, struct vault_keys *keys,
                              uint8_t *sealed, size_t *sealed_len);

/*
 * Sets the first roster (before the first share), or a later one: then proof
 * is an mpc-policy/1 entry naming H(text), of a higher version than the one
 * that named the roster held, included under the log key held, which stays.
 * Our own row must hold our own keys. Returns the node keys sealed anew; the
 * roster held already is RC_OK without proof. DKGs under way end.
 *
 * proof   NULL for the first one
 * Fails   RC_PARSE RC_POLICY RC_LOG
 */
MUST_CHECK enum rc vault_roster_set(struct vault *v, const char *text,
                                    size_t text_len,
                                    const struct tlog_proof *proof,
                                    uint8_t *sealed, size_t *sealed_len);

/*
 * The newest head we cosigned, from before a restart: the note carries our
 * cosignature. Before the first signature of this life (RC_ORDER), because
 * within a life heads move by consistency proofs only; never goes back
 * (RC_HEAD_BEHIND, RC_LOG).
 */
MUST_CHECK enum rc vault_head_set(struct vault *v, const char *note,
                                  size_t note_len);

/* ---- making a key: DKG ------------------------------------------------ */

struct vault_dkg_terms {
    uint8_t session[32];
    uint64_t epoch;
    uint64_t parent; /* 0 */
    uint16_t t;
    uint16_t n;
    uint16_t ids[TLOG_MAX_NODES]; /* ascending, roster nodes, ours included */
    bool persistent; /* share is sealed and returned; else memory only */
};

/*
 * Round one: our package. A session can be begun once per vault life
 * (RC_EXISTS; the last 8192 are remembered). 64 DKGs may be under way; one
 * more drops the oldest. RC_UNKNOWN: a node that is not in the roster.
 */
MUST_CHECK enum rc vault_dkg_begin(struct vault *v,
                                   struct frost_dealing *package,
                                   const struct vault_dkg_terms *terms);

/*
 * Round two: everyone's packages in; sub-shares out, each boxed to its
 * receiver's roster key (ours included).
 *
 * packages  [n] in the order of terms.ids; ours must be what we sent
 * boxes     out [n][VAULT_BOX_LEN]
 * Fails     RC_CHEATER a bad package, its dealer named; RC_CONFLICT ours was
 *           altered; RC_ORDER dealt already
 */
MUST_CHECK enum rc vault_dkg_deal(struct vault *v,
                                  uint8_t (*boxes)[VAULT_BOX_LEN],
                                  const uint8_t session[32],
                                  const struct frost_dealing *packages,
                                  unsigned n);

struct vault_dkg_result {
    uint8_t group_key[32];
    uint8_t transcript[32]; /* T, FORMATS section 2 */
    uint64_t parent;        /* 0: a new key */
    uint8_t y[32];          /* ours */
    uint8_t ys[TLOG_MAX_NODES][32];
    uint8_t sealed[VAULT_SEALED_SHARE_MAX]; /* persistent only */
    size_t sealed_len;
};
/*
 * Round three: the boxes dealt to us in, in the order of terms.ids. The share
 * is PREPARED: it cannot sign yet. RC_VERIFY: a box does not open, or is of
 * another run or to or from others, which its carrier may have done;
 * RC_CHEATER names each dealer whose sub-share is wrong.
 */
MUST_CHECK enum rc vault_dkg_finish(struct vault *v,
                                    struct vault_dkg_result *out,
                                    const uint8_t session[32],
                                    const uint8_t (*boxes)[VAULT_BOX_LEN],
                                    unsigned n);

/*
 * Our vote on a PREPARED share. epoch 0: the session has but one. For a persistent one, sealed is what was read
 * back from disk: it must open to the share we hold.
 */
MUST_CHECK enum rc vault_vote(struct vault *v, uint8_t vote[64],
                              const uint8_t session[32], const uint8_t *sealed,
                              size_t sealed_len);

/*
 * Makes a share usable: all members' votes over the same terms, checked
 * against the roster's identities. After a restart sealed holds the share;
 * right after vault_vote it may be NULL. Answers our ACK (active) signature.
 */
MUST_CHECK enum rc vault_activate(struct vault *v, uint8_t ack[64],
                                  const struct tlog_epoch_terms *terms,
                                  const struct tlog_vote *votes, unsigned n,
                                  const uint8_t *sealed, size_t sealed_len);

/* ---- moving a key: an epoch with a parent ------------------------------ */
/*
 * Refresh, reshare, repair and recovery are one run: t or more holders of the
 * parent epoch deal their part of the key to the new members, who may be the
 * same or others, of the same threshold or another. The group key comes out
 * unchanged or nothing does. Its share is voted on and activated as that of a
 * new key.
 */
struct vault_epoch_terms {
    uint8_t session[32];
    uint64_t epoch; /* above the parent's */
    uint16_t t, n;
    uint16_t ids[TLOG_MAX_NODES];    /* the new members, ascending */
    uint16_t n_dealers;              /* parent.t or more */
    uint16_t dealer[TLOG_MAX_NODES]; /* identifiers of the parent, ascending */
    /*
     * The nodes that hold their shares: themselves; another one each after a
     * recovery, where shares were imported.
     */
    uint16_t dealer_at[TLOG_MAX_NODES];
    bool recover;
    /* the parent and all its members' votes: its group is judged by them */
    struct tlog_epoch_terms parent;
    const struct tlog_vote *votes;
    unsigned n_votes;
};

/*
 * We deal, receive, or both. A (session, epoch) can be begun once per vault
 * life (RC_EXISTS); 16 may be under way; one more drops the oldest.
 *
 * package  of no commitments (t 0) where we do not deal
 * Fails    RC_VERIFY the parent's votes, or its shares are not of one
 *          polynomial; RC_EPOCH_MOVED RC_UNKNOWN RC_ORDER our share of it is
 *          not live
 */
MUST_CHECK enum rc vault_epoch_begin(struct vault *v,
                                     struct frost_dealing *package,
                                     const struct vault_epoch_terms *terms);
/*
 * All dealers' packages in; our boxes out, where we deal.
 *
 * packages  [n], in the order of terms.dealer
 * boxes     out [*n_boxes], in the order of terms.ids; room for
 *           TLOG_MAX_NODES; 0 where we do not deal
 * Fails     RC_CHEATER a package that is not its dealer's part of the key
 */
MUST_CHECK enum rc vault_epoch_deal(struct vault *v,
                                    uint8_t (*boxes)[VAULT_BOX_LEN],
                                    unsigned *n_boxes,
                                    const uint8_t session[32], uint64_t epoch,
                                    const struct frost_dealing *packages,
                                    unsigned n);
/*
 * The boxes dealt to us in, in the order of terms.dealer. The share is
 * PREPARED and sealed. RC_EPOCH_MOVED: the key went on from the parent
 * meanwhile.
 */
MUST_CHECK enum rc vault_epoch_finish(struct vault *v,
                                      struct vault_dkg_result *out,
                                      const uint8_t session[32], uint64_t epoch,
                                      const uint8_t (*boxes)[VAULT_BOX_LEN],
                                      unsigned n);
/* vault_vote() of this epoch of the session. */
MUST_CHECK enum rc vault_epoch_vote(struct vault *v, uint8_t vote[64],
                                    const uint8_t session[32], uint64_t epoch,
                                    const uint8_t *sealed, size_t sealed_len);
/*
 * The key has moved to an epoch of which we are no member: what we hold of
 * older ones signs no more.
 */
MUST_CHECK enum rc vault_epoch_moved(struct vault *v,
                                     const struct tlog_epoch_terms *terms,
                                     const struct tlog_vote *votes, unsigned n);
/*
 * Erases every share of the key from before this epoch, once all its members
 * have said that theirs is active: acks [n], in the order of the votes.
 * RC_ORDER: we are a member, and ours is not.
 */
MUST_CHECK enum rc vault_epoch_retire(struct vault *v,
                                      const struct tlog_epoch_terms *terms,
                                      const struct tlog_vote *votes,
                                      const uint8_t (*acks)[64], unsigned n);

/*
 * Our word that the key is destroyed, of its live epoch; then, with the word
 * and the empty place at rest, every share of it is erased.
 */
MUST_CHECK enum rc vault_destroy_word(struct vault *v, uint8_t word[64],
                                      const uint8_t key[32], uint64_t epoch);
MUST_CHECK enum rc vault_destroy(struct vault *v, const uint8_t key[32]);

/* Wipes a key's share and its nonces; unknown is RC_OK. */
MUST_CHECK enum rc vault_forget(struct vault *v, const uint8_t key[32],
                                uint64_t epoch);

/* ---- a key for one session (terms.persistent false) -------------------- */

/*
 * Before anything is dealt: only these take part, a part of those it began
 * with, ours included, at least t. Our package stays the one we sent.
 */
MUST_CHECK enum rc vault_dkg_narrow(struct vault *v, const uint8_t session[32],
                                    const uint16_t *ids, unsigned n);
/*
 * Wipes what lives of this session in memory alone: its DKG, and share and
 * nonces where they are not persistent. Unknown is RC_OK; it cannot be begun
 * again.
 */
MUST_CHECK enum rc vault_session_end(struct vault *v,
                                     const uint8_t session[32]);
/* How many are held; of keys for one session: once, and dkgs under way. */
struct vault_holds {
    unsigned shares; /* persistent ones */
    unsigned once;
    unsigned dkgs;
    unsigned nonces;
};
MUST_CHECK enum rc vault_held(struct vault *v, struct vault_holds *out);

/* ---- pieces: docs/SEALING.md ------------------------------------------- */
/*
 * Under snp+peers a share is sealed under a secret of its own as well, made
 * fresh for it and shared (t-1)-of-(n-1) among the other members. In a key's
 * making: split at the owner, keep and kept at each holder, acked at the
 * owner; without all acks its share is not sealed (RC_ORDER). After a restart:
 * give at the holders, join at the owner, then vault_activate() as ever.
 */
struct vault_piece {
    uint16_t node; /* holder's; in keep the owner's */
    uint8_t box[VAULT_PIECE_BOX_LEN];
};
struct vault_piece_ack {
    uint16_t node;
    uint8_t sig[64];
};

/*
 * Our secret of this run (session and epoch: a session may be tried again
 * under another number) in pieces, each boxed to its holder. Asked again
 * it is the same pieces. *n is 0 when we seal without peers.
 *
 * out    [TLOG_MAX_NODES]
 * Fails  RC_CONFLICT split before by other terms, and acknowledged by all
 */
MUST_CHECK enum rc vault_piece_split(struct vault *v, struct vault_piece *out,
                                     unsigned *n,
                                     const struct vault_dkg_terms *terms);
/* Another's piece, sealed here to be kept. RC_VERIFY: the box is not that. */
MUST_CHECK enum rc vault_piece_keep(struct vault *v,
                                    uint8_t sealed[VAULT_SEALED_PIECE_MAX],
                                    size_t *len, const uint8_t session[32],
                                    uint64_t epoch, uint16_t t,
                                    const struct vault_piece *piece);
/* What was read back from disk is the piece: our word on it to its owner. */
MUST_CHECK enum rc vault_piece_kept(struct vault *v, uint8_t ack[64],
                                    const uint8_t *sealed, size_t len);
/*
 * Holders' words, under their identities. *missing: how many are still to
 * come. RC_VERIFY names whose is no such word.
 */
MUST_CHECK enum rc vault_piece_acked(struct vault *v, unsigned *missing,
                                     const uint8_t session[32], uint64_t epoch,
                                     const struct vault_piece_ack *acks,
                                     unsigned n);
/* Its owner wants it back: boxed to its roster key, for this life of it. */
MUST_CHECK enum rc vault_piece_give(struct vault *v,
                                    uint8_t box[VAULT_PIECE_BOX_LEN],
                                    uint16_t owner, const uint8_t boot[16],
                                    const uint8_t *sealed, size_t len);
/*
 * Our own pieces back: t-1 good ones make the secret. bad: holders whose box
 * is not what they were given; then, or with too few, *whole is false.
 *
 * bad    out [n]
 */
MUST_CHECK enum rc vault_piece_join(struct vault *v, bool *whole, uint16_t *bad,
                                    unsigned *n_bad, const uint8_t session[32],
                                    uint64_t epoch, uint16_t t,
                                    const struct vault_piece *pieces,
                                    unsigned n);

/* ---- custodians (docs/CUSTODY.md) --------------------------------------- */

/*
 * Our live share of (key, epoch), sealed to the custodians that the roster
 * held names for this node; nobody else can be named.
 *
 * out    [VAULT_BACKUP_MAX]
 * Fails  RC_ORDER the roster names no custodians for us, or the share is not
 *        active; RC_UNKNOWN RC_EPOCH_MOVED; RC_POLICY a custodian's key is no
 *        key; RC_ARG the share is one of memory only
 */
MUST_CHECK enum rc vault_backup(struct vault *v, uint8_t *out, size_t *len,
                                const uint8_t key[32], uint64_t epoch);
/*
 * Takes a share that a custodian boxed for this vault, of an epoch whose
 * holders are gone: it cannot sign; it is there to be dealt from, in an epoch
 * that recovers the key. Memory only. terms and votes certify that epoch: its
 * votes name the share's Y. One share of a key, whoever's, is all that a vault
 * takes: RC_EXISTS. Gives the node whose share it was.
 *
 * Fails  RC_VERIFY not boxed for us, or not of these votes; RC_STORE
 */
MUST_CHECK enum rc vault_recover(struct vault *v, uint16_t *node,
                                 const uint8_t parcel[VAULT_PARCEL_LEN],
                                 const struct tlog_epoch_terms *terms,
                                 const struct tlog_vote *votes, unsigned n);

/* ---- signing ----------------------------------------------------------- */

struct vault_commitment {
    uint8_t nonce_id[VAULT_NONCE_ID_LEN];
    uint8_t hiding[32];
    uint8_t binding[32];
};
/*
 * Nonces reserved to one lead; 1..VAULT_MAX_COMMIT. The vault holds at most
 * 4096 unspent ones and drops the oldest of the same lead beyond its part.
 * key: H(group key).
 */
MUST_CHECK enum rc vault_commit(struct vault *v, struct vault_commitment *out,
                                unsigned count, const uint8_t key[32],
                                uint64_t epoch, uint16_t lead);

/* One signer of a signing package. */
struct vault_signer {
    uint16_t node;
    uint8_t hiding[32];
    uint8_t binding[32];
};
struct vault_sign_request {
    uint8_t key[32]; /* H(group key) */
    uint64_t epoch;
    uint16_t lead;
    uint8_t nonce_id[VAULT_NONCE_ID_LEN]; /* ours */
    uint8_t salt[32];                     /* the descriptor's nonce */
    const struct vault_signer *signers;   /* [n], ascending by node */
    unsigned n_signers;
    const uint8_t *msg;
    size_t msg_len;
    const struct tlog_proof *intent; /* entry, index, path, checkpoint */
    /* from the newest head this vault knows to the checkpoint's size */
    const struct tlog_path *consistency;
};
struct vault_sign_reply {
    uint8_t share[32];            /* z */
    uint8_t group_commitment[32]; /* R: a hint for frost_aggregate() */
    bool cosigned;                /* only the newest head is */
    char cosignature[TLOG_SIG_LINE_MAX];
};
/*
 * Signs only if: the intent parses; its commitment opens to (salt, msg); key
 * and epoch are this share's; participants are exactly the package's signers
 * through the roster; expires has not passed
 * and is at most 180 s away; path and log signature hold;
 * and the checkpoint is consistent with the newest head held. The nonce is
 * reserved to this lead, ours in the package, bound to this one (session,
 * slot, attempt, package) at first use, and erased before the share is made.
 * A byte-identical request again gives the same answer while it is
 * remembered (the last 256); any other use of the nonce is RC_CONFLICT, and
 * RC_ORDER once its answer is no longer remembered. Only what is refused
 * before the nonce is taken leaves it good.
 *
 * A checkpoint smaller than the newest head passes, without cosignature, if
 * it is one of the last 64 heads or consistency leads from it to the newest;
 * else RC_HEAD_BEHIND. So is a larger one whose consistency starts at an
 * older head of ours; from none of ours is RC_LOG.
 *
 * Fails  RC_PARSE RC_VERIFY RC_EXPIRED RC_EPOCH_MOVED RC_POLICY (participants)
 *        RC_LOG RC_HEAD_BEHIND RC_UNKNOWN (key, nonce) RC_CONFLICT RC_ORDER
 */
MUST_CHECK enum rc vault_sign(struct vault *v, struct vault_sign_reply *out,
                              const struct vault_sign_request *in);

/* ---- witnessing -------------------------------------------------------- */

/*
 * Our cosignature over a checkpoint of the roster's log, by the rules that
 * vault_sign() has for heads: it is the newest, shown to extend the newest
 * held, and it becomes the newest. Keep it durably before anyone hears of the
 * line. The newest again, with the same root, gets a line of now.
 *
 * line         out
 * consistency  from the newest head held to the checkpoint's size; NULL or
 *              empty where the two are equal or none is held yet
 * Fails        RC_PARSE RC_LOG (not this log, or another history)
 *              RC_HEAD_BEHIND smaller than the newest, even if it was one of
 *              ours; the text says both sizes
 */
MUST_CHECK enum rc vault_cosign(struct vault *v, char line[TLOG_SIG_LINE_MAX],
                                const char *note, size_t note_len,
                                const struct tlog_path *consistency);

#endif
