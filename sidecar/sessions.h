/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the decide files share about sessions: judging and opening them, what
 * is kept of them, where they are in their life, and how they go to all nodes.
 */
#ifndef SIDECAR_SESSIONS_H
#define SIDECAR_SESSIONS_H

#include "sidecar/lifecycle.h"
#include "sidecar/sidecar.h"

struct key;

/*
 * A live session, as far as spreading needs it: which records it has and which
 * of them each peer is known to hold. Bits are places in hash[].
 */
#define SPREAD_RECORDS (POLICY_MAX_APPROVALS + 1) /* and the requester's */
struct spread_peer {
    uint16_t node;
    uint64_t held; /* it has said so, or sent them */
    uint64_t want; /* to be offered */
    uint64_t sent; /* under way */
    unsigned tries;
    int64_t after_ms;
};
struct spread {
    struct spread *next;
    uint8_t id[32];
    uint8_t policy[32];
    char profile[POLICY_NAME_MAX]; /* of a sign session, or "" */
    int64_t expires;
    bool is_signed; /* by its requester; no other goes to peers */
    uint8_t hash[SPREAD_RECORDS][32];
    unsigned n;
    bool urgent;              /* something was taken back: it goes first */
    struct spread_peer *peer; /* owned; every other node of the policy */
    unsigned n_peers;
};
/* A peer's own pace, whatever the session. */
struct spread_pace {
    uint16_t node;
    unsigned tries;
    unsigned flying;
    int64_t after_ms;
};
/* Who denied or revoked waits for others to hold it. */
#define WAITERS_MAX 64
struct waiter {
    uint64_t call;
    uint8_t session[32];
    uint8_t record[32];
    int64_t deadline_ms;
};

/* session.c */
struct judged {
    struct policy_session s;
    struct policy_approved approved;
};
/*
 * Under lock. Judges a session against the policy in force, now: what it
 * brings, and every denial and revocation that this node holds.
 */
MUST_CHECK enum rc session_judge(struct judged *out, struct node *n,
                                 const struct wire_session *in);
/*
 * What nobody signed is what one sidecar saw on its socket: that one leads it,
 * and no other may say that it has.
 */
MUST_CHECK enum rc session_led_by(const struct policy_session *s,
                                  const struct wire_session *in, uint16_t lead);
/* Every denial and revocation that this node holds, beside what it brings. */
MUST_CHECK enum rc session_add_noes(struct wire_session *s, struct node *n);
/* Under lock. Opens a 0/0 session for a socket peer and this message. */
MUST_CHECK enum rc session_open(struct wire_session *out, struct judged *j,
                                struct node *n,
                                const struct policy_profile *profile,
                                enum policy_kind kind, uid_t uid,
                                const uint8_t *msg, size_t msg_len);
/* Judged: RC_POLICY for a second root of an issuer key, before any mark. */
MUST_CHECK enum rc session_root_free(struct node *n,
                                     const struct policy_session *s,
                                     const struct key *key, const uint8_t *tbs,
                                     size_t len);
/* Before the vault signs: this root, and RC_CONFLICT for any other from now. */
MUST_CHECK enum rc session_root_once(struct node *n,
                                     const struct policy_session *s,
                                     const struct key *key, const uint8_t *tbs,
                                     size_t len);

/* session_keep.c: what is kept of sessions */
MUST_CHECK enum rc session_load(struct wire_session *out, struct node *n,
                                const uint8_t id[32]);
/* The denials and revocations that are kept; none: an empty list. */
MUST_CHECK enum rc session_noes(struct wire_session *out, struct node *n,
                                const uint8_t id[32]);
/*
 * Checks what comes and keeps what holds, durably, beside what is kept of the
 * session already.
 *
 * from   0: a local caller, whose bad record is an error; else the peer, whose
 *        bad records are passed over
 * known  out, with room for all records of `in`: H of those that are now kept
 */
struct session_known {
    uint8_t hash[SPREAD_RECORDS][32];
    unsigned n;
    uint8_t kept[32]; /* what stands for the last of them */
};
MUST_CHECK enum rc session_take(struct session_known *known, struct node *n,
                                uint16_t from, const struct wire_session *in);
/*
 * Not under lock. A record of this session that holds, and if it approves, can
 * count: by its way, its credential and its maker. Whoever it came from: one
 * that cannot count would take the place of one of the same person that does.
 */
MUST_CHECK enum rc session_record(struct policy_record *out, struct node *n,
                                  const struct policy_session *s,
                                  const struct wire_blob *record);
bool session_takes_back(const struct policy_record *r);
void session_know(struct session_known *known, const struct wire_blob *record);

/* session_counters.c: the counters of authenticators, records new to us */
struct counters {
    struct store_counter at[SPREAD_RECORDS];
    char person[SPREAD_RECORDS][POLICY_NAME_MAX];
    unsigned n;
};
void session_counter_see(struct counters *seen, const struct policy_record *r,
                         const struct wire_blob *record);
/*
 * Under release_lock for writing. Says in the audit chain which are no step
 * on; leaves those that are to be kept. A warning and no refusal: nodes hear
 * of records in different orders.
 */
MUST_CHECK enum rc session_counters_compare(struct counters *seen,
                                            struct node *n, uint16_t from,
                                            const struct policy_session *s,
                                            const struct wire_session *have);

/* session_calls.c: sessions and records that come */
/*
 * Not under lock. What a lead brings to a round is kept as if it had been put:
 * it may be the first that this node hears of it.
 */
void session_hear(struct node *n, uint16_t from, const struct wire_session *in);
void session_on_local(struct node *n, uint64_t call,
                      const struct node_caller *who, const uint8_t *body,
                      size_t len);
void session_on_approval(struct node *n, uint64_t call, const uint8_t *body,
                         size_t len);
MUST_CHECK enum rc session_on_put(struct node *n, uint16_t from,
                                  const uint8_t *body, size_t len, char **reply,
                                  size_t *reply_len);

/* session_tally.c: who has said what, and who is missing */
struct tally {
    struct policy_missing m;
    uint8_t hash[POLICY_MAX_APPROVALS][32]; /* of m.said */
    bool enough;
    bool break_glass;
};
/* Under lock. Fails where the session does not fit the policy in force. */
MUST_CHECK enum rc session_count(struct tally *out, struct node *n,
                                 const struct policy_session *s,
                                 const struct wire_session *in);
/* Under lock. The same, and then nothing is enough. */
void session_tally(struct tally *out, struct node *n,
                   const struct policy_session *s,
                   const struct wire_session *in);
/* Under lock. RC_NOT_APPROVED with names: who may still approve, and how. */
MUST_CHECK enum rc session_missing(struct node *n,
                                   const struct policy_session *s,
                                   const struct wire_session *in);

/* session_state.c: a session as people see it */
/* Not under lock. Where it is in its life. */
MUST_CHECK enum rc session_life(enum life_state *out, struct node *n,
                                const struct policy_session *s,
                                const struct wire_session *in);
void session_on_get(struct node *n, uint64_t call, const char *rest);
void session_on_list(struct node *n, uint64_t call);

/* spread.c: sessions and their records go to all nodes */
/*
 * Under lock. What is kept of a session has changed, by a caller (from 0) or
 * a peer. urgent: something was taken back.
 */
void spread_note(struct node *n, uint16_t from, const struct policy_session *s,
                 const struct wire_session *kept, bool urgent);
/*
 * Under lock. A caller brought these: every peer is offered them, though a
 * peer brought them before, which may have told nobody else.
 */
void spread_offer(struct node *n, const uint8_t id[32],
                  const struct session_known *brought);
/* Under lock. `from` is known to hold these. */
void spread_heard(struct node *n, uint16_t from, const uint8_t id[32],
                  const struct session_known *known);
/* Under lock. All of these are kept, of a session that lives. */
bool spread_has(const struct node *n, const uint8_t id[32],
                const struct session_known *all);
/* Under lock. Nodes that hold this record, and how many make it stand. */
void spread_count(struct node *n, const uint8_t id[32], const uint8_t hash[32],
                  uint64_t *nodes, uint64_t *need);
/* spread.c, for spread_send.c. All under lock. */
struct spread *spread_find(const struct node *n, const uint8_t id[32]);
/* Where a record stands in it; e->n: nowhere. */
unsigned spread_place(const struct spread *e, const uint8_t hash[32]);
struct spread_peer *spread_peer_of(const struct spread *e, uint16_t node);
struct spread_pace *spread_pace_of(struct node *n, uint16_t node);
/* This peer holds that record. */
void spread_learn(struct spread *e, uint16_t node, const uint8_t hash[32]);
/* Those that neither expired nor belong to another policy stay. */
void spread_prune(struct node *n);

/* spread_send.c: to whom it goes, and who waits for that */
/* The peer is there: it is offered what it is not known to hold. */
void spread_meet(struct node *n, uint16_t peer);
/* Every peer is offered what it is not known to hold of this session. */
void spread_again(struct node *n, const uint8_t id[32]);
void spread_pump(struct node *n);
/* Answers at once, or (patient) when it stands or three seconds have passed. */
void spread_wait(struct node *n, uint64_t call, const uint8_t id[32],
                 const uint8_t hash[32], bool patient);
MUST_CHECK enum rc spread_load(struct node *n);
void spread_tick(struct node *n);
void spread_free(struct node *n);
void spread_send_free(struct node *n);

#endif
