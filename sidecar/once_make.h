/* SPDX-License-Identifier: Apache-2.0 */
/* A session's key in the making, at its lead: once_make.c, once_deal.c and
 * once_birth.c. */
#ifndef SIDECAR_ONCE_MAKE_H
#define SIDECAR_ONCE_MAKE_H

#include "sidecar/inner.h"

enum making_phase {
    MAKING_WAIT, /* until the log can be relied on */
    MAKING_START,
    MAKING_DEAL,
    MAKING_FINISH,
    MAKING_LOG,
    MAKING_BIRTH
};
/* A node that may take part. */
struct candidate {
    uint16_t id;
    bool asked;
    bool answered;
    unsigned order;              /* of its answer */
    struct wire_package package; /* owned */
    char why[200];               /* it will not */
};
struct making {
    enum making_phase phase;
    uint16_t t;
    struct candidate cand[TLOG_MAX_NODES]; /* in the order of asking */
    unsigned n_cand;
    unsigned want;     /* as many take part as are there, up to this */
    unsigned answered; /* and so many have answered */
    unsigned waiting;
    bool own_waiting; /* our own part comes last */
    bool soon;        /* somebody said: not now */
    bool elsewhere;   /* somebody said: another node leads it by now */
    int64_t hedge_ms;
    /* who takes part; ascending */
    unsigned n;
    uint16_t node[TLOG_MAX_NODES];
    struct wire_package package[TLOG_MAX_NODES]; /* owned */
    struct wire_boxes boxes[TLOG_MAX_NODES];     /* owned; [dealer] */
    struct wire_epoch_vote vote[TLOG_MAX_NODES];
    struct wire_once_born born[TLOG_MAX_NODES]; /* owned */
    unsigned shares;                            /* that are active */
    struct wire_birth birth;                    /* owned */
    char *own;                                  /* our own request, owned */
    size_t own_len;
    enum rc rc; /* first failure of the phase */
    uint16_t by;
    char why[960];
};

/* once_make.c */
void once_making_free(struct making *m);
/* Asks one node for this phase's step; ourselves as soon as the rest is sent:
 * the last thing a caller does. */
void once_making_ask(struct node *n, struct once_run *run, uint16_t to,
                     const char *json, size_t len);
void once_making_phase(struct once_run *run, enum making_phase phase);
void once_making_fail(struct node *n, struct once_run *run, enum rc rc,
                      const char *why);
unsigned once_making_index(const struct making *m, uint16_t node);
/* Who did not answer as a node should rests a little. */
void once_making_blame(struct node *n, uint16_t node, enum rc rc);

/* once_close.c: this node ends what it has of it, if it ever hears of it. */
void once_making_close(struct node *n, const uint8_t session[32], uint16_t to);

/* once_deal.c */
/* Of those who answered, who takes part; then on. */
void once_making_deal(struct node *n, struct once_run *run);
void once_making_stepped(struct node *n, struct once_run *run, uint16_t from,
                         enum rc rc, const uint8_t *body, size_t len);

/* once_birth.c */
void once_making_log(struct node *n, struct once_run *run);
void once_making_born(struct node *n, struct once_run *run, uint16_t from,
                      enum rc rc, const uint8_t *body, size_t len);
void once_making_born_check(struct node *n, struct once_run *run);

#endif
