/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the decide files share. Two kinds of state: what followers read too
 * (chain, keys, head, log key) is touched under node->lock; what only leads
 * use (jobs, rounds, peers, tickets) belongs to the one thread that delivers
 * local calls, replies and ticks. A key is published under lock; the half
 * of it that leads read (keys.h) is changed by that one thread alone.
 *
 * A round lives until its last reply is in: whoever counts down r->waiting to
 * zero ends it, and nobody touches r after that.
 */
#ifndef SIDECAR_INNER_H
#define SIDECAR_INNER_H

#include <pthread.h>

#include "frost/frost.h"
#include "sidecar/bundle.h"
#include "sidecar/epochs.h"
#include "sidecar/keys.h"
#include "sidecar/once.h"
#include "sidecar/pieces.h"
#include "sidecar/sessions.h"

#define MAX_ATTEMPTS_MIN 5
#define POOL_CAP         64    /* commitments held of one peer for one key */
#define POOL_REFILL      32    /* asked for when a pool runs dry */
#define INTENT_LIFE_S    120   /* DESIGN section 6: freshness */
#define ROUND_MS         2500  /* one attempt's budget */
#define DOWN_MS          1000  /* a peer that failed rests this long */
#define TIMEOUT_DOWN_MS  10000 /* one that hangs rests longer */
#define CHEATER_DOWN_MS  60000 /* and one that cheated this long */
#define MOVING_DOWN_MS   400   /* in another epoch: until both have met */
#define NOBODY_MS        3000  /* without t nodes: say so after this */
#define CALL_WAIT_MAX_MS 60000
#define MAX_RESENDS      16     /* of one attempt, to signers ahead of it */
#define KEEP_EXPIRED_S   604800 /* marks outlive clocks that step back */
#define EXPIRE_EVERY_MS  600000
#define HEADS_MAX        64 /* as many as the vault remembers */
#define TOLD_MAX         16 /* heads that wait to be compared with ours */

/* ---- peers, as a lead sees them ------------------------------------------- */

struct pool {
    const struct key *key;
    uint64_t epoch;
    struct wire_commitment at[POOL_CAP];
    unsigned n;
    bool lost; /* this peer holds no share of it, as it says */
};
struct peer {
    uint16_t id;
    int64_t down_until_ms;
    char why[480]; /* last failure; "" while healthy */
    uint64_t head; /* newest log size it has seen */
    int64_t hear_after_ms;
    bool moving; /* it rests until we know which of us is in an older epoch */
    bool lost;   /* it rests, having no share of a key's epoch */
    uint8_t boot[16];
    struct peer_standing standing;
    struct pool pool[POLICY_MAX_PROFILES];
};

/* ---- one local signing request ----------------------------------------------- */

struct job {
    struct job *next;
    uint64_t call;
    struct key *key;
    struct wire_session session; /* owned */
    struct policy_session parsed;
    struct policy_approved approved;
    enum policy_kind kind;
    uint8_t *msg; /* owned */
    size_t msg_len;
    uint64_t attempt;
    int64_t started_ms;
    int64_t deadline_ms;
    struct wire_birth *birth; /* issuer: of the key to certify; owned */
    struct once_run *run;     /* of a session's own key */
    bool opened;              /* the session is ours, opened for this caller */
    bool marked;              /* a round of it went to its signers */
    bool burnt;               /* and its caller was told that the slot is */
    uid_t uid;
    bool answered;   /* its deadline passed while it was in flight */
    uint64_t serial; /* of this life */
    bool watched;    /* intents of it are kept until it ends */
    /* Signers that will not, whoever else may: not asked again for this. */
    uint16_t refused[TLOG_MAX_NODES];
    unsigned n_refused;
    enum rc refused_rc;    /* the first one's */
    char refused_why[960]; /* all their words */
    enum rc last_rc;       /* why the last attempt failed */
    char last_why[960];
    char last_hint[200];
};

/* A job in flight: one item of a round. */
struct shot {
    struct job *job;
    uint64_t serial;                    /* the job's */
    struct wire_round2_item item;       /* owned; growth filled per signer */
    struct wire_round2_result *results; /* [n_signers], owned */
};
enum round_state { ROUND_GATHER, ROUND_LOG, ROUND_SIGN };
struct round {
    struct key *key;
    enum round_state state;
    uint16_t signer[TLOG_MAX_NODES]; /* ascending */
    uint64_t from[TLOG_MAX_NODES];   /* sizes their growth starts at */
    bool ask[TLOG_MAX_NODES];        /* who gets round two, or gets it again */
    unsigned resends;
    unsigned n_signers;
    unsigned waiting;              /* replies outstanding */
    struct wire_appended appended; /* the log's answer; owned */
    struct shot shot[WIRE_MAX_BATCH];
    unsigned n_shots;
    int64_t deadline_ms;
    bool failed; /* give the jobs back when the last reply is in */
    bool others; /* rc is a signer's word: others may be tried, whatever it is */
    enum rc rc;
    char why[960];
    char hint[200];
};

/* A signature that was answered; its receipt is owed to the log. */
#define RECEIPTS_MAX 256
struct receipt {
    uint64_t intent;
    uint8_t signature[32]; /* H of the 64 bytes */
    uint8_t certificate[32];
    bool has_certificate;
};
#define ENDED_MAX 256 /* jobs that ended since the last node_settle() */

/* ---- the node ------------------------------------------------------------------ */

typedef void reply_fn(struct node *n, void *arg, uint32_t extra, enum rc rc,
                      const uint8_t *body, size_t len);
struct ticket {
    struct ticket *next;
    uint64_t id;
    reply_fn *fn;
    void *arg;
    uint32_t extra;
};

/* A size and root of the log; size 0: none. */
struct head {
    uint64_t size;
    struct tlog_hash root;
};

/* A checkpoint of the log that somebody showed us: is it of our history? */
struct told {
    uint32_t from; /* node id; 0: a caller, or the log */
    struct head h;
    char *note; /* owned; the log's line alone */
    bool asked; /* the log's next answer is about it, too */
};

struct node {
    pthread_mutex_t lock;
    struct world w;
    uint16_t id;
    char deployment[POLICY_NAME_MAX];
    int required_engineers;
    int required_stewards;
    char page_origin[POLICY_ORIGIN_MAX];
    char rp_id[POLICY_RP_ID_MAX];
    enum vault_master master; /* what new shares are sealed under */
    struct vault_keys keys;
    /* shared, under lock */
    struct policy_chain *chain;
    bool has_log;
    struct tlog_vkey log;
    struct key key[POLICY_MAX_PROFILES];
    unsigned n_keys;
    char problem[8][400]; /* rows at rest that were passed over; set at start */
    unsigned n_problems;
    uint64_t head; /* newest size we cosigned */
    struct tlog_hash head_root;
    struct head heads[HEADS_MAX]; /* and the ones before it, a ring */
    unsigned next_head;
    struct told told[TOLD_MAX];
    unsigned n_told;
    uint64_t peers_head; /* peers have cosigned it: none smaller counts */
    bool settled; /* what we were told since the start is of our history */
    bool forked;  /* for good: fork is what shows it */
    bool fork_stored;
    struct wire_fork fork; /* owned */
    char log_problem[400]; /* why heads cannot be compared just now; or "" */
    char head_note[TLOG_NOTE_MAX]; /* the newest that is stored */
    uint64_t stored_head;          /* its size */
    /* Heads reach the disk in the order they grow; taken before lock. */
    pthread_mutex_t head_lock;
    /* Keys of one session. Their steps come one at a time: once_lock, taken
     * before release_lock and lock. */
    struct once *once; /* owned; newest first; under lock */
    pthread_mutex_t once_lock;
    struct custody *custody; /* owned; backups, under lock */
    struct epoch_making making;
    /*
     * Versions reach the disk in order, and births one at a time, judged with
     * the version they are taken under; taken before lock.
     */
    pthread_mutex_t policy_lock;
    char *unstored; /* taken, but the disk refused it; owned */
    size_t unstored_len;
    uint64_t unstored_version;
    /* leads only */
    struct peer peer[POLICY_MAX_NODES];
    unsigned n_peers;
    struct ticket *tickets;
    uint64_t last_ticket;
    struct drive *drive;       /* the key being made, one at a time */
    struct change *change;     /* the key being moved, one at a time */
    uint64_t change_serial;    /* of the newest */
    struct epoch_keep *keeps;  /* owned; epoch_keep.c */
    struct epoch_views *views; /* owned */
    int64_t keep_after_ms;     /* and what it is asked next */
    int64_t ask_epochs_after_ms;
    unsigned epoch_asks;
    struct once_run *once_runs; /* owned; sessions whose key we lead */
    struct once_more once_more;
    struct govern *govern; /* the policy being put in force */
    struct certs *certs;   /* what the CA said lately (certs.c) */
    struct deal *deals;    /* of pieces, under way; owned */
    struct pieces *pieces; /* shares that wait for theirs; owned */
    bool asking_log;
    bool flushing;
    bool greeted; /* the peers were asked for their heads, since the start */
    unsigned unheard; /* and so many have not answered */
    bool comparing;
    struct head compare; /* from here the log was asked to show growth */
    int64_t compare_after_ms;
    int64_t greet_after_ms;
    int64_t ask_after_ms;
    int64_t expire_after_ms;
    struct receipt receipt[RECEIPTS_MAX]; /* not yet in the outbox */
    unsigned n_receipts;
    struct store_end ended[ENDED_MAX];
    unsigned n_ended;
    /*
     * What was taken back is on the disk, or a share has left: never both at
     * once; the same of a policy version. Kept sessions and the chain change
     * under its write side; taken after policy_lock and before lock.
     */
    pthread_rwlock_t release_lock;
    bool noes; /* there are denials or revocations at rest; under lock */
    struct counted *counted; /* owned; session_tally.c, under lock */
    uint64_t counted_serial;
    struct spread *spread; /* live sessions, under lock */
    struct spread_pace pace[POLICY_MAX_NODES];
    unsigned n_paces;
    struct flight *flights; /* owned; loop thread */
    struct waiter waiter[WAITERS_MAX];
    unsigned n_waiters;
    uint64_t last_job;
    bool orphans;             /* there may be intents to abort */
    struct orphans *aborting; /* owned; the log is being asked */
    int64_t abort_after_ms;
    struct own_standing standing; /* under lock */
    bool asking_standing;
    int64_t standing_after_ms;
    struct seen seen[SEEN_MAX];
    unsigned next_seen;
    struct kept_chain chains[CHAINS_MAX];
    unsigned next_chain;
    struct bundle_ask *bundles; /* owned; callers that wait */
    struct audit_call *calls;   /* not answered yet; owned */
    unsigned page_rows;         /* of refused strangers, since then */
    uint64_t page_more;         /* and those without a row */
    int64_t page_since_ms;
    int64_t audit_keep_s;
    bool simulated;
    char keys_why[300]; /* those from before did not open; "": they did */
};

static inline void node_lock(struct node *n)
{
    pthread_mutex_lock(&n->lock);
}
static inline void node_unlock(struct node *n)
{
    pthread_mutex_unlock(&n->lock);
}

/* The environment's floor under every profile's numbers. */
static inline struct policy_raise node_raise(const struct node *n)
{
    int engineers = n->required_engineers;
    int stewards = n->required_stewards;
    return (struct policy_raise){ engineers > 0 ? (unsigned)engineers : 0,
                                  stewards > 0 ? (unsigned)stewards : 0 };
}

/* node.c */
uint64_t node_head(struct node *n); /* newest size, under lock */
/* Takes the lock. It deals, and signs no more. */
bool node_is_leaving(struct node *n, uint16_t id);
void node_send(struct node *n, uint32_t to, const char *path, const char *body,
               size_t len, int64_t deadline_ms, reply_fn *fn, void *arg,
               uint32_t extra);
/* fn(n, arg, extra, RC_OK, NULL, 0) once earlier sends have left. */
void node_later(struct node *n, reply_fn *fn, void *arg, uint32_t extra);
struct peer *node_peer(struct node *n, uint16_t id);
void node_answer(struct node *n, uint64_t call, enum rc rc, char *json,
                 size_t len); /* frees json */

/* convert.c: wire structs to the rooms' structs and back */
MUST_CHECK enum rc proof_from_wire(struct tlog_proof *out,
                                   const struct wire_proof *in);
/* The log's answer for a signer of that size; NULL: it has none. */
const struct wire_growth *proof_growth(const struct wire_appended *in,
                                       uint64_t size);
MUST_CHECK enum rc path_from_wire(struct tlog_path *out,
                                  const struct wire_hash *at, size_t n);
MUST_CHECK enum rc proof_copy(struct wire_proof *out,
                              const struct wire_proof *in);
MUST_CHECK enum rc session_copy(struct wire_session *out,
                                const struct wire_session *in);
MUST_CHECK enum rc birth_copy(struct wire_birth *out,
                              const struct wire_birth *in);
MUST_CHECK enum rc cert_terms(struct tlog_epoch_terms *terms,
                              struct tlog_vote *votes, unsigned *n,
                              const struct wire_cert *cert);

/* session*.c, spread*.c: sidecar/sessions.h */

/* lead.c: jobs; gather.c and round*.c: rounds */
/* A session we opened ourselves follows the policy; others are refused. */
MUST_CHECK enum rc lead_job_current(struct node *n, struct job *job);
void lead_on_sign(struct node *n, uint64_t call, const struct node_caller *who,
                  const uint8_t *body, size_t len);
void lead_pump(struct node *n);
void lead_tick(struct node *n);
void lead_job_failed(struct node *n, struct job *job, enum rc rc,
                     const char *why, const char *hint);
void lead_job_done(struct node *n, struct job *job, const uint8_t signature[64],
                   uint64_t intent);
void job_free(struct job *job);
/* lead.c, for keys of one session */
MUST_CHECK enum rc lead_needs_session(const struct node *n,
                                      const struct policy_profile *p);
/* Under lock, all three. */
MUST_CHECK enum rc lead_load_session(struct wire_session *out, struct judged *j,
                                     struct node *n, uint64_t call,
                                     const char *hex);
MUST_CHECK enum rc lead_may_use(const struct node *n,
                                const struct node_caller *who,
                                const struct policy_session *s);
MUST_CHECK enum rc lead_check_slot(struct job *job, struct node *n);
void lead_expire_key(struct node *n, struct key *key, int64_t now);
void lead_jobs_free(struct job *job); /* and those behind it */
void round_start(struct node *n, struct key *key);
void round_drop(struct round *r); /* and its jobs */
void round_free(struct round *r);
/* Puts one shot's job back with the round's reason, or ends it. */
void round_requeue(struct node *n, struct round *r, unsigned s);
/* The same for all that are left; frees r. */
void round_abandon(struct node *n, struct round *r);
void round_fail(struct round *r, enum rc rc); /* with the thread's text */
/* The same, by a peer's word: it ends no job by itself. */
void round_fail_by_peer(struct round *r, enum rc rc);
bool round_worth_another(enum rc rc);
/* How many of the key's signers have not refused this job for good. */
unsigned job_signers_left(struct node *n, const struct job *job);
void round_log(struct node *n, struct round *r); /* append the intents */
/* The same entries once more: a newer checkpoint for signers ahead of it. */
void round_log_again(struct node *n, struct round *r);
/* Sends round two to those of r->ask. */
void round_sign(struct node *n, struct round *r,
                const struct wire_appended *proofs);
void round_finish(struct node *n, struct round *r); /* all replies are in */
void peer_down(struct node *n, uint32_t id, int64_t for_ms, enum rc rc);
/* It is in another epoch of this key than we are: we meet. */
void peer_moving(struct node *n, const struct key *key, uint16_t id);
struct pool *peer_pool(struct peer *p, const struct key *key);
/* Commitments die with the vault that made them. */
void peer_see_boot(struct node *n, struct peer *p, const uint8_t boot[16]);
/*
 * What node `id` sent for its next signatures, as far as there is place.
 * RC_CHEATER at the first that is no commitment; those before it stay.
 */
MUST_CHECK enum rc peer_pool_fill(struct pool *pool, uint16_t id,
                                  const struct wire_commitment *next, size_t n);

/* follow.c */
#define FOLLOW_ROUND2 "/v1/frost/round2"
MUST_CHECK enum rc follow_commit(struct node *n, uint16_t from,
                                 const uint8_t *body, size_t len, char **reply,
                                 size_t *reply_len);
MUST_CHECK enum rc follow_next_commitments(struct node *n, uint16_t lead,
                                           const uint8_t key[32],
                                           uint64_t epoch, uint64_t count,
                                           struct wire_commitment **at,
                                           size_t *n_at);
/* raw: the messages one after another. */
/* said: what the authoriser said of each item; NULL: it was not asked. */
struct authorised {
    enum rc rc;
    char why[400];
};
MUST_CHECK enum rc follow_round2(struct node *n, const struct node_from *from,
                                 const struct wire_round2 *in,
                                 const uint8_t *raw, size_t raw_len,
                                 const struct authorised *said,
                                 struct wire_round2_reply *out);
MUST_CHECK enum rc follow_on_round2(struct node *n,
                                    const struct node_from *from,
                                    const uint8_t *body, size_t len,
                                    char **reply, size_t *reply_len);
/* What the authoriser is to be asked of each item; NULL: we refuse it. */
struct follow_question {
    char *json; /* owned */
    size_t len;
};
MUST_CHECK enum rc follow_questions(struct follow_question *out, struct node *n,
                                    uint16_t lead, const struct wire_round2 *in,
                                    const uint8_t *raw, size_t raw_len);
unsigned max_attempts(const struct key *key);

/* head.c: the heads of the log this node relies on, and its part as witness */
/*
 * Under lock. Do our newest head and this checkpoint lead one to the other?
 * RC_HEAD_BEHIND: a better proof may show it. RC_LOG: two histories.
 */
MUST_CHECK enum rc head_check(const struct node *n,
                              const struct tlog_checkpoint *cp,
                              const struct wire_growth *g);
/*
 * Keeps a checkpoint of the log that our vault has cosigned, durably: before
 * anyone hears of the line. An older one than is stored changes nothing.
 */
MUST_CHECK enum rc head_keep(struct node *n, const char *note, size_t note_len,
                             const char *line);

/* The note with the log's own line and no other, and what it says. */
MUST_CHECK enum rc head_bare(char out[TLOG_NOTE_MAX],
                             struct tlog_checkpoint *cp,
                             const struct tlog_vkey *log, const char *note,
                             size_t len);

/* gossip.c: peers' newest heads, and what follows from them */
/*
 * Any thread, not under lock: a checkpoint that `from` showed us. Not signed
 * by the log: nothing. Of our history: nothing. Else it is kept until the log
 * has shown that it is, or it is a fork.
 *
 * cosigned  a peer relies on it: from now on we rely on no smaller one
 */
void gossip_hear(struct node *n, uint32_t from, const char *note, size_t len,
                 bool cosigned);
/*
 * Under lock: may shares and cosignatures leave? RC_LOG: the log has forked.
 * RC_ORDER: not before what the peers have seen is known to be of our history.
 * RC_HEAD_BEHIND: the log does not show that it is.
 */
MUST_CHECK enum rc gossip_check(const struct node *n);
MUST_CHECK enum rc gossip_on_peer(struct node *n, uint16_t from,
                                  const uint8_t *body, size_t len, char **reply,
                                  size_t *reply_len);
/* Exchanges heads with one peer. */
void gossip_greet(struct node *n, uint16_t to);
void gossip_on_fork(struct node *n, uint64_t call);
MUST_CHECK enum rc gossip_load(struct node *n);
void gossip_tick(struct node *n);
void gossip_free(struct node *n);

/* govern.c: judging and taking versions; govern_put.c: making and handing on;
 * govern_log.c: the log's key, and what is owed to the log */
#define GOVERN_MS 8000
struct govern_checked {
    struct policy *next;
    struct policy_approved approved;
};
/* Under lock. */
MUST_CHECK enum rc govern_check(struct govern_checked *out, struct node *n,
                                const struct wire_policy *in, int64_t now_s);
/* Takes a version with its proof; one that is in force already is fine. */
MUST_CHECK enum rc govern_adopt(struct node *n, const struct wire_policy *in);
/* A version as it is at rest. */
MUST_CHECK enum rc govern_version(struct wire_policy *out, struct node *n,
                                  uint64_t version);
void govern_on_policy(struct node *n, uint64_t call, const uint8_t *body,
                      size_t len);
void govern_on_policies(struct node *n, uint64_t call);
/* Under lock. RC_POLICY: it drops a node that holds a share of a live key;
 * RC_PARSE: nobody could judge machines by what it says of them. */
MUST_CHECK enum rc govern_fits(const struct policy *next, const struct node *n);
/* govern_propose.c: versions that wait for their stewards */
void govern_on_proposal(struct node *n, uint64_t call, const uint8_t *body,
                        size_t len);
void govern_on_get_proposal(struct node *n, uint64_t call, const char *hex);
MUST_CHECK enum rc govern_take(struct node *n, const uint8_t *body, size_t len,
                               char **reply, size_t *reply_len);
MUST_CHECK enum rc govern_chain(struct node *n, char **reply,
                                size_t *reply_len);
MUST_CHECK enum rc govern_load(struct node *n);
/* Hands the newest policy to a node that is behind; asks one for its own. */
void govern_tell(struct node *n, uint16_t to);
void govern_ask(struct node *n, uint32_t from);
/* A receipt to be kept by the next node_settle(). */
void govern_receipt(struct node *n, const struct receipt *r);
MUST_CHECK enum rc govern_receipt_text(char text[TLOG_ENTRY_MAX + 1],
                                       const struct receipt *r);
void govern_tick(struct node *n);
void govern_free(struct node *n);

/* abort.c: intents that end without a signature */
/* Keeps the round's intents: what comes of them is owed to the log. */
MUST_CHECK enum rc abort_watch(struct node *n, const struct round *r);
void abort_job_signed(struct node *n, struct job *job);
void abort_job(struct node *n, struct job *job, enum rc rc);
MUST_CHECK enum rc abort_load(struct node *n);
void abort_tick(struct node *n);
void abort_free(struct node *n);

/* audit.c: rows of the audit chain */
void audit_result(struct wire_audit_row *row, enum rc rc, const char *why);
void audit_session(struct wire_audit_row *row, const uint8_t id[32]);
void audit_call_open(struct node *n, uint64_t call,
                     const struct node_caller *who, bool post,
                     const char *path);
void audit_call_session(struct node *n, uint64_t call, const uint8_t id[32]);
/* rc_text() says why; it is left as it is. */
void audit_call_end(struct node *n, uint64_t call, enum rc rc);
/* Actor, attestation and method of a peer's row. */
void audit_peer(struct wire_audit_row *row, struct node *n,
                const struct node_from *from, bool post, const char *path);
void audit_tick(struct node *n);
void audit_page_tick(struct node *n); /* loop thread */
void audit_settle(struct node *n);
void audit_expire(struct node *n);
void audit_free(struct node *n);

/* glass.c: profiles that sign with another's key, and break-glass sessions */
/* Under lock. The profile that a session signs by; RC_POLICY: not this key. */
MUST_CHECK enum rc glass_profile(const struct policy_profile **out,
                                 const struct node *n, const struct key *key,
                                 const struct policy_session *s);
/* Kept for 30 days, before the share is made. */
MUST_CHECK enum rc glass_note(struct node *n, const struct policy_session *s);
struct json_t *glass_json(struct node *n);
void glass_expire(struct node *n);

/* authorise.c: the external authoriser's question and answer */
/* Under lock. */
MUST_CHECK enum rc authorise_question(char **json, size_t *len, struct node *n,
                                      const struct judged *j,
                                      const struct key *key, uint16_t lead,
                                      const struct wire_round2_item *item);
/* RC_OK: it said yes. Else RC_DENIED with its reason, or what went wrong;
 * rc not RC_OK: there was no answer, and rc_text() says why. */
MUST_CHECK enum rc authorise_answer(enum rc rc, const uint8_t *body,
                                    size_t len);

/* ask.c: answers that only read */
void ask_key(struct node *n, uint64_t call, const char *name);
/* The same of this key. */
void ask_key_of(struct node *n, uint64_t call, const struct key *key);
void ask_cert_of(struct node *n, uint64_t call, const struct key *key);
void ask_keys(struct node *n, uint64_t call);
void ask_cert(struct node *n, uint64_t call, const char *name);
void ask_status(struct node *n, uint64_t call);

/* sigstore.c: into the log as Sigstore's clients read it */
void ask_sigstore(struct node *n, uint64_t call, const uint8_t *body,
                  size_t len);
void ask_sigstore_key(struct node *n, uint64_t call);
/* certs.c */
/* Answers the call with the chain for a wire_issue, kept or from the CA.
 * once: for an ephemeral key. */
void cert_ask(struct node *n, uint64_t call, const char *name,
              const uint8_t group_key[32], bool once, const char *json,
              size_t len);
void cert_on_chain(struct node *n, uint64_t call);
void cert_on_root(struct node *n, uint64_t call, const uint8_t *body,
                  size_t len);
void cert_free(struct node *n);

/* approvers.c */
void approvers_on_get(struct node *n, uint64_t call, const char *hex);

/* enrol.c */
void enrol_on_invite(struct node *n, uint64_t call, const uint8_t *body,
                     size_t len);
/* hex: of the invite id */
void enrol_on_look(struct node *n, uint64_t call, const char *hex);
void enrol_on_enrol(struct node *n, uint64_t call, const uint8_t *body,
                    size_t len);
void enrol_on_list(struct node *n, uint64_t call);

#endif
