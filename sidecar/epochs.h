/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making keys: a member's part (epoch.c) and the driver's (drive.c). Moving
 * them: a member's part (epoch_move.c), taking what is certified
 * (epoch_take.c), seeing that all do (epoch_keep.c), and the driver's
 * (change.c, change_plan.c, change_steps.c). Part of sidecar/inner.h.
 */
#ifndef SIDECAR_EPOCHS_H
#define SIDECAR_EPOCHS_H

#include "frost/frost.h"
#include "sidecar/custody.h"
#include "sidecar/sidecar.h"

struct judged;
struct key;

/* What a step of making a key was answered; a repeat gets it again. */
struct epoch_answer {
    uint8_t request[32];
    char *json; /* owned; NULL: unused */
    size_t len;
};

/* The last making of a key that was started here. */
struct epoch_run {
    char name[POLICY_NAME_MAX]; /* "": none */
    uint8_t session[32];
    bool voted;
    int64_t until_ms; /* by then its driver has ended */
};

/* Keys in the making; in struct node, under lock. */
struct epoch_making {
    struct epoch_answer answer[16]; /* ring: repeats get the same bytes */
    unsigned next_answer;
    struct epoch_run run[POLICY_MAX_PROFILES];
};

/* How long a driver makes a key. */
#define EPOCH_DRIVE_MS 20000

/* epoch.c: a member's part in making a key; drive.c: the driver's */
/* step: start, deal, finish or activate */
MUST_CHECK enum rc epoch_on_peer(struct node *n, const char *step,
                                 const uint8_t *body, size_t len, char **reply,
                                 size_t *reply_len);
void epoch_answers_free(struct node *n);
/* Under lock. *member: we are to hold a share of it. */
MUST_CHECK enum rc epoch_judge_birth(char name[POLICY_NAME_MAX], bool *member,
                                     struct node *n,
                                     const struct wire_birth *in);
/*
 * Under policy_lock: no other birth, no other version comes between. body: its
 * JSON, to be kept.
 */
MUST_CHECK enum rc epoch_take_birth(struct wire_ack *out, struct node *n,
                                    const struct wire_birth *in,
                                    const uint8_t *body, size_t len);
/*
 * Under lock. By the policy of its time: the log proves that it was in force,
 * and whoever missed the birth must still be able to take it.
 */
MUST_CHECK enum rc epoch_judge_session(struct judged *j, struct node *n,
                                       const struct policy *p,
                                       const struct wire_birth *in);

typedef enum rc epoch_step(struct node *n, const uint8_t *body, size_t len,
                           char **reply, size_t *reply_len);
epoch_step epoch_on_look, epoch_on_begin, epoch_on_share, epoch_on_prepare;
epoch_step epoch_on_live, epoch_on_retire;
epoch_step epoch_on_destroy, epoch_on_gone; /* epoch_gone.c */

/* Numbers are burnt, so that none may be far away: u64 is not endless. */
#define EPOCH_STEP_MAX 1024

MUST_CHECK enum rc epoch_package_to_wire(struct wire_package *out,
                                         uint16_t node,
                                         const struct frost_dealing *in);
MUST_CHECK enum rc epoch_package_from_wire(struct frost_dealing *out,
                                           const struct wire_package *in);

/* ---- epoch_move.c: who is to hold the key, by the kind of change */

struct epoch_plan {
    const char *type; /* of the log's entry */
    uint16_t t;
    unsigned n;
    uint16_t node[TLOG_MAX_NODES]; /* ascending */
    bool recover;
};
/*
 * Under lock. refresh and repair keep the parent's threshold and members (NULL
 * parent: whatever they are); reshare and recover follow the policy's profile.
 */
MUST_CHECK enum rc epoch_plan_make(struct epoch_plan *out,
                                   const struct policy *p,
                                   const struct policy_session *s,
                                   const struct wire_cert *parent);

/* ---- epoch_take.c: what is certified */

/* Takes what is newer than we know, durably. Under no lock. */
MUST_CHECK enum rc epoch_take(struct node *n, const struct wire_epoch_live *in);
/* Erases what is older, against all members' acknowledgements, in the order of
 * the votes. RC_EPOCH_MOVED: the key is in another epoch here. */
MUST_CHECK enum rc epoch_retire(struct node *n, const char *name,
                                uint64_t epoch, const uint8_t (*acks)[64],
                                unsigned n_acks);
/* Under lock: what an operator should know of this key, and do. */
bool epoch_problem(char *out, size_t cap, const struct key *k);

/* ---- epoch_gone.c: keys that are destroyed */

/* What shows that all its nodes have erased their shares of this key. */
MUST_CHECK enum rc epoch_take_gone(struct node *n, const uint8_t id[32],
                                   const struct wire_birth *in);

/* ---- epoch_keep.c: until everyone is in the same epoch */

/* Shows a peer where the key lives and hears the same; loop thread. */
void epoch_meet(struct node *n, uint16_t to, const struct key *key);
void epoch_tick(struct node *n);
/* Under lock, loop thread: whose acknowledgements are missing before shares
 * of older epochs go; out [TLOG_MAX_NODES]. */
unsigned epoch_waits(uint16_t *out, const struct node *n,
                     const struct key *key);
void epoch_keep_free(struct node *n);
void drive_on_create(struct node *n, uint64_t call, const uint8_t *body,
                     size_t len);
void drive_tick(struct node *n);
/* change.c: the driver of a move; change_steps.c: what it says */
void change_on_post(struct node *n, uint64_t call, const uint8_t *body,
                    size_t len);
/* GET /v1/key/NAME/holders: of a wire_change, nodes that `deal` hold a live
 * share (epoch_holders.c). */
void epoch_on_holders(struct node *n, uint64_t call, const char *name);
void change_on_get(struct node *n, uint64_t call, const char *name);
void change_tick(struct node *n);
void change_free(struct node *n);
void drive_free(struct node *n);

#endif
