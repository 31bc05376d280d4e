/* SPDX-License-Identifier: Apache-2.0 */
/* Between change.c, change_plan.c and change_steps.c: a move of a key under way. */
#ifndef SIDECAR_CHANGES_H
#define SIDECAR_CHANGES_H

#include "sidecar/inner.h"

enum change_phase {
    CH_LOOK,    /* who has what, and which number is free */
    CH_DESTROY, /* a key that is to go: its nodes' words */
    CH_BEGIN,   /* dealers' packages */
    CH_SHARE,   /* their boxes */
    CH_PREPARE, /* the new members' votes */
    CH_LOG,     /* the certificate into the log */
    CH_LIVE,    /* everyone takes it */
    CH_RETIRE,  /* and erases what is older */
    CH_END
};

/* One node that has a part in it, or shall only know. */
struct change_party {
    uint16_t node;
    bool deals;
    bool receives;
    bool holds;                  /* of the parent */
    uint16_t brought;            /* or whose share was brought to it; or 0 */
    uint16_t dealer;             /* whose share it deals */
    bool found;                  /* it answered the look */
    uint64_t number;             /* the highest that it has used, it says */
    bool asked;                  /* in this phase, and has not answered */
    enum change_phase step;      /* the last that it has done */
    char what[480];              /* why it did not go on; "" */
    struct wire_package package; /* owned */
    struct wire_boxes boxes;     /* owned */
    bool has_vote;
    struct wire_epoch_voted vote;
    bool has_ack; /* or its word that the key is destroyed */
    uint8_t ack[64];
};

struct change {
    uint64_t serial;
    uint64_t call;
    bool answered;
    bool over;  /* kept for who asks how it went */
    enum rc rc; /* first failure of the phase */
    char why[960];
    enum change_phase phase;
    struct wire_session session; /* owned */
    struct judged judged;
    char name[POLICY_NAME_MAX];
    struct key *key;
    bool destroys;
    bool recovers;
    struct epoch_plan plan;
    uint64_t parent;
    uint64_t epoch;
    struct change_party party[POLICY_MAX_NODES];
    unsigned n_parties;
    bool pieces_dealt; /* what sealed shares need from each other */
    unsigned waiting;
    int64_t deadline_ms;
    struct wire_epoch_live live; /* owned; what is shown from CH_LIVE on */
};

/* Under lock. By its session: the key, and every node as a party. */
MUST_CHECK enum rc change_plan(struct change *c, struct node *n);
/* Takes the lock. *next: where this session goes on. */
MUST_CHECK enum rc change_after_look(enum change_phase *next, struct node *n,
                                     struct change *c);
/* The call to a party in this phase; *path NULL: it has no part in it. */
MUST_CHECK enum rc change_say(const char **path, char **json, size_t *len,
                              struct node *n, struct change *c,
                              struct change_party *p);
/* Its answer. */
MUST_CHECK enum rc change_take(struct node *n, struct change *c,
                               struct change_party *p, const uint8_t *body,
                               size_t len);
/* All votes into c->live, and the text of the entry. RC_CHEATER: named. */
MUST_CHECK enum rc change_certify(char *text, size_t *len, struct node *n,
                                  struct change *c);
/* Those that deal, ascending by whose share it is; how many. */
unsigned change_dealers(struct change_party *out[POLICY_MAX_NODES],
                        struct change *c);
const char *change_phase_name(enum change_phase phase);

#endif
