/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sidecar: leads or follows a signing round, and judges approvals, log
 * proofs and peers by itself. Two kinds of file live here.
 *
 * Decide (node session* spread* lifecycle lead gather round* follow epoch once*
 * govern* ask) is pure: an event and a struct world in, messages and answers
 * out. Do (main routes peers store*) carries them out. A whole cluster runs in
 * one test process (tests/sidecar/sim.c) on the decide files alone.
 *
 * node_on_peer, node_on_add_checkpoint, node_witness_head, node_allowed,
 * node_policy_head, node_attestation, node_keys and node_log_later may be called from any
 * thread; everything else from the one thread that drives the node. The node's
 * mutex is held where it decides and let go around the store, the vault and
 * every send.
 */
#ifndef SIDECAR_SIDECAR_H
#define SIDECAR_SIDECAR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/own.h"
#include "base/rc.h"
#include "policy/policy.h"
#include "transparency/transparency.h"
#include "vault/vault.h"
#include "wire/wire.h"

/* ---- durable state (store.c) ------------------------------------------- */

struct store;

/* path: the SQLite file; created 0600 when missing. */
MUST_CHECK enum rc store_open(struct store **out, const char *path);
void store_free(struct store *s);

/* Small named values: sealed node keys, newest head, log key. */
/* The same value again is fine, another is RC_CONFLICT; in one step. */
MUST_CHECK enum rc store_put_once(struct store *s, const char *name,
                                  const void *p, size_t len);
MUST_CHECK enum rc store_put(struct store *s, const char *name, const void *p,
                             size_t len);
/* RC_UNKNOWN when absent; *out heap with a NUL behind it, free(). */
MUST_CHECK enum rc store_get(struct store *s, const char *name, uint8_t **out,
                             size_t *len);

/* Rows of the values whose names begin with prefix, ascending: name, 0, value.
 * And drops those of them whose names sort before `before`. */
typedef enum rc store_row(void *ctx, const char *name, uint64_t number,
                          const uint8_t *a, size_t a_len, const uint8_t *b,
                          size_t b_len);
MUST_CHECK enum rc store_values(struct store *s, const char *prefix,
                                store_row *row, void *ctx);
MUST_CHECK enum rc store_drop(struct store *s, const char *prefix,
                              const char *before);

/* Policy versions as wire_policy JSON. */
MUST_CHECK enum rc store_policy_add(struct store *s, uint64_t version,
                                    const char *json, size_t len);
typedef enum rc store_row(void *ctx, const char *name, uint64_t number,
                          const uint8_t *a, size_t a_len, const uint8_t *b,
                          size_t b_len);
MUST_CHECK enum rc store_policies(struct store *s, store_row *row, void *ctx);

/*
 * Epochs of keys. STARTED burns the number; PREPARED holds the sealed share;
 * ACTIVE also the wire_birth JSON that certifies it. Numbers never repeat.
 */
MUST_CHECK enum rc store_epoch_start(struct store *s, const char *key,
                                     uint64_t epoch, const uint8_t session[32]);
MUST_CHECK enum rc store_epoch_prepare(struct store *s,
                                       const uint8_t session[32],
                                       const uint8_t *sealed,
                                       size_t sealed_len);
/* Reads the sealed share back: what the vote is about. */
MUST_CHECK enum rc store_epoch_sealed(struct store *s,
                                      const uint8_t session[32],
                                      uint8_t **sealed, size_t *len);
/* name (profile) is kept beside it; nodes that hold no share keep it too. */
MUST_CHECK enum rc store_epoch_activate(struct store *s, const char *key,
                                        uint64_t epoch,
                                        const uint8_t session[32],
                                        const char *birth_json, size_t len);
/* Rows of ACTIVE epochs: name, epoch, birth JSON, sealed share (may be 0). */
MUST_CHECK enum rc store_epochs(struct store *s, store_row *row, void *ctx);
/* Highest epoch number ever used for this name; 0: none. */
MUST_CHECK enum rc store_epoch_newest(struct store *s, const char *key,
                                      uint64_t *epoch);

/*
 * Others' pieces (store_pieces.c), by run (session and epoch) and owner; the
 * key's name is that of the run that was started here (RC_UNKNOWN: none was).
 * Taken while our own share of that run is not made, and the first one stays:
 * a message that comes again later neither replaces a piece nor brings one
 * back that was erased.
 */
MUST_CHECK enum rc store_piece_started(struct store *s,
                                       const uint8_t session[32],
                                       uint64_t epoch);
MUST_CHECK enum rc store_piece_put(struct store *s, const uint8_t session[32],
                                   uint64_t epoch, uint16_t owner,
                                   const uint8_t *sealed, size_t len);
/* name may be NULL. RC_UNKNOWN: none is kept. */
MUST_CHECK enum rc store_piece_get(struct store *s, const uint8_t session[32],
                                   uint64_t epoch, uint16_t owner,
                                   char name[POLICY_NAME_MAX], uint8_t **sealed,
                                   size_t *len);
/* Those of this key's epochs up to and including this one. */
MUST_CHECK enum rc store_pieces_drop(struct store *s, const char *key,
                                     uint64_t epoch);
/* Rows of PREPARED epochs: name, epoch, session, sealed share. */
MUST_CHECK enum rc store_pieces_prepared(struct store *s, store_row *row,
                                         void *ctx);
/*
 * Epochs after the birth (store_epochs.c), each known by (key, epoch): STARTED
 * burns the number, PREPARED holds the sealed share and then our vote,
 * CERTIFIED what shows that all voted. Numbers are shared with births.
 */
/* RC_CONFLICT: this number or a later one was used before. */
MUST_CHECK enum rc store_move_start(struct store *s, const char *key,
                                    uint64_t epoch, const uint8_t session[32]);
MUST_CHECK enum rc store_move_prepare(struct store *s, const char *key,
                                      uint64_t epoch, const uint8_t *sealed,
                                      size_t len);
MUST_CHECK enum rc store_move_sealed(struct store *s, const char *key,
                                     uint64_t epoch, uint8_t **sealed,
                                     size_t *len);
/* Our vote as JSON; and the newest of a session: RC_UNKNOWN where none. */
MUST_CHECK enum rc store_move_vote(struct store *s, const char *key,
                                   uint64_t epoch, const char *json,
                                   size_t len);
MUST_CHECK enum rc store_move_voted(struct store *s, const char *key,
                                    const uint8_t session[32], uint8_t **json,
                                    size_t *len);
/* The epoch that was certified in this session; 0: none. */
MUST_CHECK enum rc store_move_made(struct store *s, const uint8_t session[32],
                                   uint64_t *epoch);
/* Also where we are no member; a share that is prepared in this session stays
 * beside it, another session's goes unless that is certified (RC_CONFLICT). */
MUST_CHECK enum rc store_move_certify(struct store *s, const char *key,
                                      uint64_t epoch, const uint8_t session[32],
                                      const char *json, size_t len);
/* Rows of each key's newest certified one: name, epoch, JSON, sealed share. */
MUST_CHECK enum rc store_moves(struct store *s, store_row *row, void *ctx);
/*
 * What certifies the newest epoch before this one of which a share is still at
 * rest, births included; empty when that was never certified. RC_UNKNOWN:
 * none is.
 */
MUST_CHECK enum rc store_move_old(struct store *s, const char *key,
                                  uint64_t epoch, uint8_t **json, size_t *len);
/* The newest above this one that is prepared and not certified; 0: none. */
MUST_CHECK enum rc store_move_prepared(struct store *s, const char *key,
                                       uint64_t above, uint64_t *epoch);
/* Is a share of an older epoch here that was ever certified? */
MUST_CHECK enum rc store_move_signed(struct store *s, const char *key,
                                     uint64_t epoch, bool *yes);
/*
 * Erases every share of the key from before this epoch, and all pieces of
 * others' shares, in the log too.
 */
MUST_CHECK enum rc store_move_retire(struct store *s, const char *key,
                                     uint64_t epoch);

/*
 * Keys that are destroyed: our word of it, and what shows that all have erased
 * theirs; either may be NULL and come later. Erases every share of the key,
 * and all pieces of others' shares.
 */
MUST_CHECK enum rc store_gone_put(struct store *s, const char *key,
                                  uint64_t epoch, const uint8_t *word,
                                  const char *json, size_t len);
/* Rows: name, epoch, JSON (may be 0), word (64 or 0). */
MUST_CHECK enum rc store_gone(struct store *s, store_row *row, void *ctx);

/*
 * The largest signature counter seen of a credential and the record it came
 * from: one row each, kept for good, never smaller again.
 */
struct store_counter {
    uint8_t credential[32];
    uint32_t value;
    uint8_t record[32]; /* H of its bytes */
};
/* 0 and zeros where there is none. */
MUST_CHECK enum rc store_counter_get(struct store *s,
                                     const uint8_t credential[32],
                                     struct store_counter *out);

/* Sessions as wire_session JSON, kept until they expire. */
struct store_session {
    uint8_t id[32];
    const char *requester;
    int64_t created;
    int64_t expires;
    const char *json;
    size_t json_len;
    const char *noes; /* a wire_session of denials and revocations alone */
    size_t noes_len;  /* 0: there are none */
    const struct store_counter *counter; /* [n_counters] of its records */
    unsigned n_counters;
};
MUST_CHECK enum rc store_session_put(struct store *s,
                                     const struct store_session *in);
/* Something that goes with a session when it expires; read like one. */
MUST_CHECK enum rc store_session_beside(struct store *s, const uint8_t at[32],
                                        const char *json, size_t len,
                                        int64_t expires);
MUST_CHECK enum rc store_session_get(struct store *s, const uint8_t id[32],
                                     uint8_t **json, size_t *len);
/* RC_OK with *json NULL where there are none, or no such session. */
MUST_CHECK enum rc store_session_noes(struct store *s, const uint8_t id[32],
                                      uint8_t **json, size_t *len);
MUST_CHECK enum rc store_session_any_noes(struct store *s, bool *any);
/* How many of this requester are kept, and of those how many neither expired
 * nor have a slot that was signed. */
MUST_CHECK enum rc store_sessions_of(struct store *s, const char *requester,
                                     int64_t now_s, unsigned *live,
                                     unsigned *all);
/* Rows "session", expires, id, JSON of what expires later; newest first. */
MUST_CHECK enum rc store_sessions(struct store *s, int64_t after_s,
                                  unsigned max, store_row *row, void *ctx);

/* What this node knows of one slot. */
struct store_slot {
    bool marked; /* by this node's own marks */
    uint8_t message[32];
    uint64_t attempts;
    bool used; /* it led, and the caller has the signature */
    bool burnt;
};
MUST_CHECK enum rc store_slot_get(struct store *s, const uint8_t session[32],
                                  const char *slot, struct store_slot *out);

/* What one signature marks before the vault computes. */
struct store_mark {
    uint8_t session[32];
    char slot[8];
    uint64_t attempt;
    uint8_t message[32]; /* its commitment */
    uint8_t request[32]; /* digest of the whole item, for repeats */
    int64_t expires;
    unsigned max_attempts;
    const struct wire_audit_row *row; /* kept with it; NULL: none */
    enum rc rc;         /* out: RC_OK, or why this one was not marked */
    const char *why;    /* out: its words, static; when it was not */
    bool other_message; /* out: RC_CONFLICT, and not only another request */
};
/*
 * Marks all in one durable transaction; each mark's own rc tells.
 * RC_CONFLICT: the slot belongs to another message, or this attempt to
 * another request. RC_SLOT_BURNT: too many attempts.
 */
MUST_CHECK enum rc store_marks(struct store *s, struct store_mark *marks,
                               unsigned n);

/*
 * Drops marks and sessions that expired before this time: long past any
 * session's end, so that no mark of a session that could still sign goes.
 */
MUST_CHECK enum rc store_expire(struct store *s, int64_t before);

/* Entries that must still reach the log. */
MUST_CHECK enum rc store_outbox_add(struct store *s, const char *const *texts,
                                    unsigned n);
MUST_CHECK enum rc store_outbox(struct store *s, unsigned max, store_row *row,
                                void *ctx);
MUST_CHECK enum rc store_outbox_done(struct store *s, uint64_t up_to);

/*
 * Intents that went to the log, until their job ends. job: of this life, from
 * 1; 0 at rest is an orphan, which is to be aborted.
 */
struct store_intent {
    uint8_t leaf[32];
    uint64_t job;
    const char *entry;
};
MUST_CHECK enum rc store_intents_add(struct store *s,
                                     const struct store_intent *in, unsigned n);
/* Of an earlier life, all of them: orphans. *any: there are some. */
MUST_CHECK enum rc store_intents_orphan(struct store *s, const char *reason,
                                        bool *any);
/* Rows of orphans: reason, 0, entry, leaf. */
MUST_CHECK enum rc store_intents_orphans(struct store *s, unsigned max,
                                         store_row *row, void *ctx);
/* A job has ended: signed (reason NULL), or its intents are orphans. */
struct store_end {
    uint64_t job;       /* 0: none */
    const char *reason; /* static */
    bool slot_ended;    /* used when signed, else burnt */
    uint8_t session[32];
    char slot[8];
    int64_t expires;
};
/* One transaction: what is owed to the log, and what has ended. */
MUST_CHECK enum rc store_settle(struct store *s, const char *const *texts,
                                unsigned n_texts, const struct store_end *ends,
                                unsigned n_ends);
/* One transaction: the aborts are owed, their orphans are gone. */
MUST_CHECK enum rc store_intents_aborted(struct store *s,
                                         const uint8_t (*leaves)[32],
                                         const char *const *texts, unsigned n);

/*
 * The audit chain (docs/AUDIT.md). A noted row is in memory; it is durable
 * with the next of store_marks(), store_settle(), store_audit_flush(), in the
 * order noted. Any thread. Rows that the disk keeps refusing are counted, and
 * a row says how many were lost.
 */
void store_audit_note(struct store *s, const struct wire_audit_row *row);
unsigned store_audit_waiting(struct store *s);
#define STORE_AUDIT_STUCK 64 /* so many wait only when the disk refuses them */
MUST_CHECK enum rc store_audit_flush(struct store *s);
/* Drops the oldest rows from before this time; a new row says which. */
MUST_CHECK enum rc store_audit_prune(struct store *s, int64_t before,
                                     int64_t now_s);
/* Rows at rest after seq `since`, at most WIRE_MAX_AUDIT, and the head. */
MUST_CHECK enum rc store_audit_rows(struct store *s, struct wire_audit *out,
                                    uint64_t since);
void store_audit_head(struct store *s, uint64_t *seq, uint8_t hash[32]);
/* fn is told each row once it is at rest, outside every lock; any thread. */
void store_audit_watch(struct store *s,
                       void (*fn)(void *ctx, const struct wire_audit_row *row),
                       void *ctx);

/* Invites (store_enrol.c): used once, by the hash of their code. */
struct store_invite {
    uint8_t id[32]; /* policy_invite_id() */
    char person[POLICY_NAME_MAX];
    char role[POLICY_NAME_MAX];
    int64_t expires;
    bool spare;   /* for a second credential */
    int64_t used; /* when; 0: not yet */
};
MUST_CHECK enum rc store_invite_add(struct store *s,
                                    const struct store_invite *in, int64_t now);
/* RC_UNKNOWN when there is none. */
MUST_CHECK enum rc store_invite_get(struct store_invite *out, struct store *s,
                                    const uint8_t id[32]);
/*
 * It became this credential (a row of a policy, JSON), and the spare invite
 * (NULL: none) is added: in one step. RC_CONFLICT when it was used before.
 */
MUST_CHECK enum rc store_invite_use(struct store *s, const uint8_t id[32],
                                    int64_t now, const char *json, size_t len,
                                    const struct store_invite *spare);
/* Rows: "person role", when, invite id, credential; newest first, <= 256. */
MUST_CHECK enum rc store_enrolments(struct store *s, store_row *row, void *ctx);

/* ---- the world a node lives in ------------------------------------------- */

#define WORLD_LOG        0xFFFF0001u
#define WORLD_CA         0xFFFF0002u
/* The external authoriser; a place to send to, not one that calls. */
#define WORLD_AUTHORISER 0xFFFF0003u

struct world {
    int64_t (*now_s)(void *ctx);
    int64_t (*now_ms)(void *ctx); /* never steps */
    enum rc (*random)(void *ctx, void *out, size_t len);
    /*
     * POST body to a node id, WORLD_LOG or WORLD_CA; body NULL is a GET. The
     * reply comes back as node_on_reply(ticket, …), always, exactly once.
     */
    void (*send)(void *ctx, uint32_t to, const char *path, const void *body,
                 size_t len, int64_t deadline_ms, uint64_t ticket);
    /*
     * node_on_reply(ticket, RC_OK, NULL, 0) a little later: when what was sent
     * before is on its way. NULL: at once.
     */
    void (*later)(void *ctx, uint64_t ticket);
    /* Answers a local call: JSON body, or a problem when rc is not RC_OK
     * (its text is the thread's rc_text()). */
    void (*answer)(void *ctx, uint64_t call, enum rc rc, const char *json,
                   size_t len);
    /* AK over an intent's leaf hash. */
    void (*ak_sign)(void *ctx, uint8_t sig[64], const uint8_t leaf[32]);
    /* The log showed two histories: nothing leaves any more. May be NULL. */
    void (*log_forked)(void *ctx, const char *log);
    /* The policy in force changed: drop attested state. */
    void (*policy_changed)(void *ctx);
    /* Issuer class: may this TBSCertificate be signed? NULL refuses all. */
    enum rc (*tbs_check)(void *ctx, const struct policy_chain *chain,
                         const struct policy_session *session,
                         const uint8_t issuer_key[32],
                         const struct wire_birth *birth, const uint8_t *tbs,
                         size_t tbs_len);
    /*
     * Is this the report of a boot of that node, as the policy (its hashes
     * for sidecars) wants it? NULL: nodes here have none.
     */
    enum rc (*standing)(void *ctx, const struct wire_standing *s,
                        const struct policy *p, const struct policy_node *node);
    /* The birth index a TBSCertificate names; RC_UNKNOWN: a root. */
    enum rc (*tbs_birth)(void *ctx, uint64_t *index, const uint8_t *tbs,
                         size_t tbs_len);
    /* From when to when a certificate (DER) is valid. NULL: none is kept. */
    enum rc (*leaf_life)(void *ctx, int64_t *from, int64_t *to,
                         const uint8_t *der, size_t len);
    /*
     * The external authoriser, NULL where there is none: asked before each
     * share. Blocks until the deadline, on a peer's thread; gives what
     * authorise_answer() wants. When we lead, the question goes to
     * WORLD_AUTHORISER through send, and its reply comes as any other.
     */
    enum rc (*authorise)(void *ctx, const char *json, size_t len,
                         int64_t deadline_ms, uint8_t **body, size_t *body_len);
    int64_t authorise_ms; /* how long it may take */
    /* This node's hardware is simulated. NULL: it is not. */
    bool (*simulated)(void *ctx);
    /* A policy version's attestation policy, JSON (NULL: it has none): not
     * RC_OK refuses the version. NULL: nobody judges machines here. */
    enum rc (*attestation)(void *ctx, const char *json, size_t len);
    struct store *store;
    struct vault *vault;
    void *ctx;
};

struct node;
struct node_config {
    uint16_t id;
    const char *deployment;
    const void *genesis; /* exact bytes */
    size_t genesis_len;
    uint8_t genesis_sha256[32]; /* pinned */
    int required_engineers;     /* environment; raises, never lowers; -1 */
    int required_stewards;
    int64_t audit_keep_s;     /* 0: for ever */
    bool simulated;           /* the authoriser is told */
    enum vault_master master; /* the vault's; for status */
    const char *page_origin;  /* of our approval page; NULL: none */
    const char *rp_id;        /* what passkeys are made for; NULL: localhost */
};

/* Opens the vault's keys, reads state back, activates shares. */
MUST_CHECK enum rc node_new(struct node **out, const struct node_config *c,
                            const struct world *world);
void node_free(struct node *n);

/* First sends: the log's key when it is not held yet. Then every 200 ms. */
void node_tick(struct node *n);
/*
 * Makes durable what is owed for answers that have left: call it when replies
 * were served (node_tick does it too). One transaction, however many.
 */
void node_settle(struct node *n);

/* ---- events ----------------------------------------------------------------- */

/* Who calls by the Unix socket, as the kernel and `callers` say. */
#define NODE_STRANGER ((uid_t)-1) /* whoever looks at the approval page */
struct node_caller {
    uid_t uid;
    pid_t pid;         /* 0: not known */
    uint64_t start;    /* when that process began, in its ticks; 0: not known */
    const char *name;  /* a person, or workload:NAME; NULL: not mapped */
    bool own_sessions; /* uses sessions it requested, and no others */
};
/* An attested peer, as the channel says. NULL members: not known. */
struct node_from {
    uint32_t id; /* node id, WORLD_LOG or WORLD_CA */
    const char *uri;
    const char *attestation; /* POLICY_HASH/AK, hex */
};

/* A local caller: POST (body) or GET (NULL). world.answer answers `call`. */
void node_on_local_as(struct node *n, uint64_t call,
                      const struct node_caller *who, const char *path,
                      const uint8_t *body, size_t len);
/* The same for a caller of whom the uid is all that is known. */
void node_on_local(struct node *n, uint64_t call, uid_t uid, const char *path,
                   const uint8_t *body, size_t len);
/*
 * A request of an attested peer, answered at once.
 * from: node id, WORLD_LOG or WORLD_CA. *reply heap JSON.
 */
MUST_CHECK enum rc node_on_peer(struct node *n, uint32_t from, const char *path,
                                const uint8_t *body, size_t len, char **reply,
                                size_t *reply_len);
MUST_CHECK enum rc node_on_peer_as(struct node *n, const struct node_from *from,
                                   const char *path, const uint8_t *body,
                                   size_t len, char **reply, size_t *reply_len);
/* The reply to a send. rc RC_OK with a 2xx body; else the reply's problem. */
void node_on_reply(struct node *n, uint64_t ticket, enum rc rc,
                   const uint8_t *body, size_t len);

/*
 * A witness' answers, C2SP tlog-witness: text, with a status of its own. The
 * head is stored before its cosignature is in an answer.
 */
struct node_witnessed {
    int status;
    const char *type; /* static */
    char body[TLOG_NOTE_MAX];
    size_t len;
};
/* POST /add-checkpoint. Any thread; never more than one at a time. */
void node_on_add_checkpoint(struct node *n, struct node_witnessed *out,
                            const void *body, size_t len);
/* GET /<path>, path "<SHA-256 of the log's origin, hex>/checkpoint". */
void node_witness_head(struct node *n, struct node_witnessed *out,
                       const char *path);

/* ---- looking in -------------------------------------------------------------- */

/* Copies what policy says under the lock; used by the channel's host. */
MUST_CHECK enum rc node_allowed(struct node *n, const char *uri,
                                uint8_t (*hashes)[32], unsigned *n_hashes,
                                enum policy_role *role, uint16_t *id);
void node_policy_head(struct node *n, struct wire_policy_head *out);
/* Of the version in force, heap text; NULL: it has none. */
MUST_CHECK enum rc node_attestation(struct node *n, char **json, size_t *len);
/*
 * A peer attested and told its policy head: fetch the chain from it when it is
 * ahead; and exchange heads of the log.
 */
void node_peer_head(struct node *n, uint32_t from,
                    const struct wire_policy_head *head);
void node_keys(struct node *n, struct vault_keys *out);
/* Under lock, or before there is a second thread. The policy names other keys
 * for this node than its vault has: why, and what to do about it. */
bool keys_new_problem(char *out, size_t cap, const struct node *n);
/* Adds text entry to the outbox: evidence at boot. */
MUST_CHECK enum rc node_log_later(struct node *n, const char *entry);
/*
 * The node's own standing evidence, once at the start; over (moved). It goes
 * to the log, and to peers who ask; where world.standing is given, nothing is
 * signed before the log has it.
 */
MUST_CHECK enum rc node_standing(struct node *n, struct wire_standing *s,
                                 const char *entry);
#define AUDIT_GLASS   "BREAK GLASS: " /* how the detail of such a share begins */
#define AUDIT_COUNTER "approval counter" /* the method of such a row */
/* ---- audit ----------------------------------------------------------------------- */

/* A row of a call that was served outside the node; any thread. */
void node_audit(struct node *n, const struct wire_audit_row *row);
/* Actor and method of a socket caller's row. */
void node_audit_caller(struct wire_audit_row *row,
                       const struct node_caller *who, bool post,
                       const char *path);
/* wire_audit JSON of the rows after `since`, everything noted included. */
MUST_CHECK enum rc node_audit_rows(struct node *n, uint64_t since, char **json,
                                   size_t *len);
/* JSON object for `status`; heap. */
MUST_CHECK enum rc node_status(struct node *n, char **json, size_t *len);

#endif
