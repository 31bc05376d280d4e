/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of one session. A member's part: the steps (once.c), what it judges
 * (once_judge.c), what it holds and for how long (once_keep.c). The lead's:
 * which session is meant (once_open.c), making its key (once_make.c,
 * once_deal.c, once_birth.c), ending it (once_close.c) and whoever waits for it
 * (once_call.c). Part of sidecar/inner.h.
 */
#ifndef SIDECAR_ONCE_H
#define SIDECAR_ONCE_H

#include "sidecar/epochs.h"
#include "sidecar/keys.h"
#include "sidecar/sessions.h"
#include "sidecar/sidecar.h"

struct job;
struct making;

#define ONCE_LIVE_MAX    256 /* keys of sessions that a node takes part in */
#define ONCE_LEAD_MAX    64  /* of these, made by one lead */
#define ONCE_DKG_MAX     48  /* and not made yet: the vault has 64 places */
#define ONCE_LEAD_DKGS   32  /* of these, by one lead: others find a place */
#define ONCE_CALLER_MAX  32  /* at its lead, of one uid */
#define ONCE_KEPT_MAX    256 /* births kept when their share is gone, and ends */
#define ONCE_FIND_MS     60000 /* a caller's key is found again this long */
#define ONCE_LIFE_S      120   /* of a session opened for a socket peer */
#define ONCE_IDLE_MS     60000 /* begun for a session, and not led since */
#define ONCE_STEP_MS     10000 /* a member waits this long for the next step */
#define ONCE_MAKE_MS     8000  /* all steps, at the lead */
#define ONCE_HEDGE_MS    250   /* for one more than t */
#define ONCE_CALL_MS     10000 /* for whoever asks for the key */
#define ONCE_RUN_KEEP_MS ONCE_FIND_MS /* an ended one: why it has ended */
#define ONCE_TRIES       3            /* fresh sessions for one caller */
#define ONCE_NEXT        2 /* commitments that come with a birth's answer */

/* ---- a member's view: under node->lock ------------------------------------- */

enum once_state {
    ONCE_BEGUN, /* our package is out */
    ONCE_DEALT,
    ONCE_VOTED, /* share prepared, our endorsement is out */
    ONCE_LIVE,  /* the birth is in the log: it may sign */
    ONCE_KEPT   /* no share here, or no more: what is known of its birth */
};
enum once_step { ONCE_START, ONCE_DEAL, ONCE_FINISH, ONCE_BIRTH, ONCE__STEPS };

struct once {
    struct once *next;
    uint8_t session[32];
    uint8_t policy[32]; /* it was made under */
    char profile[POLICY_NAME_MAX];
    enum once_state state;
    uint16_t lead; /* who began it */
    uint16_t user; /* who had a share of it last */
    bool named;    /* its requester signed it: it can be led again */
    char bound[8]; /* no artifact: its first use closes the rest */
    int64_t expires;
    int64_t until_ms;      /* the same, by a clock that nobody sets */
    int64_t step_until_ms; /* before it lives */
    int64_t kept_ms;       /* since when it is only kept, or was begun */
    const char *gone;      /* static: why; NULL: it is not */
    bool has_key;
    struct key key;
    struct epoch_answer answer[ONCE__STEPS]; /* repeats get them again */
};

/* once.c: one of start, deal, finish, birth, close. */
MUST_CHECK enum rc once_on_peer(struct node *n, uint16_t from, const char *step,
                                const uint8_t *body, size_t len, char **reply,
                                size_t *reply_len);

/* once_judge.c, under lock */
struct once_terms {
    struct policy_session s;
    struct vault_dkg_terms dkg;
};
/* May we take part in making this session's key, which that node leads? */
MUST_CHECK enum rc once_judge_start(struct once_terms *out, struct node *n,
                                    const struct wire_session *in,
                                    uint16_t lead);
/* Is that the birth of its session's key? */
struct once_birth {
    struct policy_session s;
    struct tlog_epoch_terms terms;
    struct tlog_vote votes[TLOG_MAX_NODES];
    unsigned n_votes;
    bool member; /* we are one of its participants */
};
MUST_CHECK enum rc once_judge_birth(struct once_birth *out, struct node *n,
                                    const struct wire_birth *in);
/* A share of this key in that slot? */
MUST_CHECK enum rc once_judge_use(const struct once *o,
                                  const struct policy_session *s,
                                  const char *slot);
/* It may: what follows from that. o NULL: nothing. */
void once_bind(struct once *o, const struct policy_session *s, uint16_t lead,
               const char *slot);

/* once_keep.c. Under lock: */
struct once *once_find(const struct node *n, const uint8_t session[32]);
struct key *once_key_by_id(const struct node *n, const uint8_t id[32]);
struct key *once_key_by_birth(const struct node *n, uint64_t index);
struct once *once_add(struct node *n, const struct policy_session *s);
struct json_t *once_json(const struct node *n);
/* Not under lock, under once_lock. A place for one more; RC_BUSY. */
MUST_CHECK enum rc once_room(struct node *n, uint16_t lead);
/* The same. Nothing of the share is left. */
void once_end(struct node *n, struct once *o, const char *why);
/* Durable, before anything is made: RC_SLOT_BURNT when it was begun before. */
MUST_CHECK enum rc once_begin_only(struct node *n,
                                   const struct policy_session *s);
void once_keep_tick(struct node *n);
void once_expire(struct node *n);
void once_free(struct node *n);

/* What else a node keeps. */
struct once_more {
    uint64_t begun; /* keys, in this life; under once_lock */
    /* leads only */
    unsigned turn;                 /* spreads the choice of nodes */
    struct once_closing *closings; /* owned; members to be told */
    unsigned n_closings;
};

/* ---- the lead's: loop thread -------------------------------------------------- */

struct once_call {
    struct once_call *next;
    uint64_t call;
    bool cert; /* its chain, not the key */
};
/* One session whose key we make, or lead. */
struct once_run {
    struct once_run *next;
    char profile[POLICY_NAME_MAX];
    bool anonymous; /* opened for a caller who named none */
    bool shown;     /* somebody has its public key */
    uid_t uid;
    pid_t pid;
    uint64_t start; /* of the process; 0: not known */
    int64_t opened_ms;
    int64_t deadline_ms;
    struct wire_session session; /* owned */
    struct judged judged;
    unsigned tries;
    uint16_t left_out; /* of the next try: somebody's word is wrong; 0: none */
    struct making *making;   /* owned, until it lives */
    struct once *once;       /* held, since it lives */
    struct once_call *calls; /* waiting for the key */
    struct job *jobs;        /* the same */
    unsigned n_jobs;         /* these, and those in its key's queue and round */
    unsigned used;           /* kinds signed or burnt, as bits */
    unsigned refs;           /* replies under way */
    uint16_t step;           /* of making it; older replies say nothing */
    bool ended;
    int64_t ended_ms;
    enum rc rc; /* and why */
    char why[960];
};

/* once_make.c */
void once_make(struct node *n, struct once_run *run);
/* All members wipe it. */
void once_close(struct node *n, const struct once_run *run);
void once_make_tick(struct node *n, struct once_run *run);
/* once_close.c: who has not heard of an end is told again. */
void once_close_tick(struct node *n);
void once_close_free(struct node *n);
/* Where it stands, for a person who waits: "node2's vote". */
void once_make_waits(char *out, size_t cap, const struct once_run *run);
/* Hands a birth to a node that missed it. */
void once_tell(struct node *n, uint16_t to, const struct key *key);

/* once_open.c */
/*
 * The session a caller means, opened if need be; hex "": one of its own.
 * RC_SLOT_BURNT: its key is gone. signing: the caller may hold the public key
 * of its last one, and another is no answer.
 */
MUST_CHECK enum rc once_want(struct once_run **out, struct node *n,
                             uint64_t call, const struct node_caller *who,
                             const struct policy_profile *f, const char *hex,
                             bool signing);
/* A fresh session for the same caller. */
MUST_CHECK enum rc once_open_again(struct once_run *run, struct node *n);
MUST_CHECK enum rc once_gone(const struct once_run *run); /* says so */
void once_run_free(struct once_run *run);

/* once_call.c */
/* key: "NAME" or "NAME?session=HEX" of an ephemeral profile. */
bool once_is(struct node *n, const char *key);
void once_on_key(struct node *n, uint64_t call, const struct node_caller *who,
                 const char *key, bool cert);
MUST_CHECK enum rc once_job(struct node *n, struct job *job,
                            const struct node_caller *who,
                            const struct policy_profile *profile,
                            const char *session_hex);
void once_queue(struct node *n, struct job *job);
/* Before it is freed. */
void once_job_ended(struct node *n, struct job *job, bool is_signed,
                    enum rc rc);
/* Its key lives: whoever waits goes on. */
void once_made(struct node *n, struct once_run *run);
/* It could not be made, and nothing of it is left anywhere. */
void once_failed(struct node *n, struct once_run *run, enum rc rc,
                 const char *why, bool dealt);
/* run->once becomes the key our own node keeps of it. */
MUST_CHECK enum rc once_lead_by(struct node *n, struct once_run *run);
void once_pump(struct node *n);
void once_tick(struct node *n);
void once_runs_free(struct node *n);
/* Keys that something of the lead points to are not freed. */
void once_hold(const struct key *key);
void once_release(const struct key *key);
void once_drop_pools(struct node *n, uint16_t peer);

#endif
