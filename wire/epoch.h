/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making and moving keys between sidecars. Part of wire/wire.h, which includes it
 * last.
 */
#ifndef WIRE_EPOCH_H
#define WIRE_EPOCH_H

#include "wire/wire.h"

/* POST /v1/epoch/start */
struct wire_epoch_start {
    struct wire_session session; /* type key-create, steward rule met */
    uint64_t epoch;
};
WIRE_MESSAGE(epoch_start);
struct wire_package {
    uint64_t node;
    WIRE_LIST(struct wire_hash) commitment; /* exactly t */
    uint8_t pok_r[32];
    uint8_t pok_z[32];
};
WIRE_MESSAGE(package);
/* POST /v1/epoch/deal */
struct wire_epoch_deal {
    uint8_t session[32];
    WIRE_LIST(struct wire_package) packages; /* ascending by node */
};
WIRE_MESSAGE(epoch_deal);
struct wire_box {
    uint64_t node; /* receiver in an answer, dealer in a request */
    uint8_t box[104];
};
struct wire_boxes {
    WIRE_LIST(struct wire_box) boxes;
};
WIRE_MESSAGE(boxes);
/* POST /v1/epoch/finish */
struct wire_epoch_finish {
    uint8_t session[32];
    WIRE_LIST(struct wire_box) boxes;
};
WIRE_MESSAGE(epoch_finish);
struct wire_epoch_vote {
    uint8_t group_key[32];
    uint8_t transcript[32];
    struct wire_vote vote;
};
WIRE_MESSAGE(epoch_vote);
/* POST /v1/epoch/activate: a wire_birth; answer: */
struct wire_ack {
    uint64_t node;
    uint8_t ack[64];
};
WIRE_MESSAGE(ack);

/* ---- an epoch with a parent ----------------------------------------------- */

/*
 * What shows in which epoch a key lives: its birth, and the certificate of its
 * newest epoch with the mpc-epoch/1 entry as its proof; none while that is the
 * birth's. POST /v1/epoch/live: the receiver takes what is newer.
 */
struct wire_epoch_live {
    struct wire_birth birth;
    WIRE_LIST(struct wire_birth) live; /* one or none */
};
WIRE_MESSAGE(epoch_live);
/* And answers where it stands; also to POST /v1/epoch/retire. */
struct wire_epoch_where {
    uint64_t node;
    uint64_t epoch;                          /* the newest certified it knows */
    bool share;                              /* it holds a live share of it */
    bool retired;                            /* and none of an older one */
    WIRE_LIST(struct wire_ack) ack;          /* of that epoch, if a member */
    WIRE_LIST(struct wire_epoch_live) newer; /* than it was shown */
};
WIRE_MESSAGE(epoch_where);

/* POST /v1/epoch/look: before a change, and to go on with one. */
struct wire_epoch_look {
    char name[WIRE_NAME_MAX];
    uint8_t session[32];
    uint64_t epoch; /* what the asker knows */
};
WIRE_MESSAGE(epoch_look);
/* Its vote in this session, durable; the newest there is. */
struct wire_epoch_voted {
    uint64_t epoch;
    uint64_t parent;
    struct wire_epoch_vote vote;
};
WIRE_MESSAGE(epoch_voted);
struct wire_epoch_found {
    uint64_t node;
    uint64_t number;  /* the highest it has ever used for this key */
    uint64_t epoch;   /* the newest certified; 0: it does not know the key */
    bool share;       /* it could deal */
    uint64_t brought; /* whose share a custodian brought here; 0: none */
    WIRE_LIST(struct wire_ack) word;   /* ours, where the key is destroyed */
    WIRE_LIST(struct wire_birth) gone; /* what shows that it is everywhere */
    WIRE_LIST(struct wire_epoch_voted) voted; /* one or none */
    WIRE_LIST(struct wire_epoch_live) newer;
};
WIRE_MESSAGE(epoch_found);

/* POST /v1/epoch/begin; answer: a package, without commitments from who does
 * not deal. */
struct wire_epoch_begin {
    struct wire_session session;
    uint64_t epoch;
    struct wire_epoch_live parent;
    WIRE_LIST(uint64_t) dealers; /* identifiers, ascending */
    WIRE_LIST(uint64_t) at;      /* the nodes that hold their shares */
};
WIRE_MESSAGE(epoch_begin);
/* POST /v1/epoch/share; answer: boxes, none from who does not deal. */
struct wire_epoch_share {
    uint8_t session[32];
    uint64_t epoch;
    WIRE_LIST(struct wire_package) packages; /* ascending by dealer */
};
WIRE_MESSAGE(epoch_share);
/* POST /v1/epoch/prepare; answer: an epoch_voted. */
struct wire_epoch_prepare {
    char name[WIRE_NAME_MAX];
    uint8_t session[32];
    uint64_t epoch;
    WIRE_LIST(struct wire_box) boxes; /* ascending by dealer */
};
WIRE_MESSAGE(epoch_prepare);
/* POST /v1/epoch/retire: all members' acknowledgements; answer: epoch_where */
struct wire_epoch_retire {
    char name[WIRE_NAME_MAX];
    uint64_t epoch;
    WIRE_LIST(struct wire_ack) acks; /* in the order of the votes */
};
WIRE_MESSAGE(epoch_retire);

/*
 * POST /v1/epoch/destroy; answer: an ack, this node's word that it has erased
 * its share. POST /v1/epoch/gone: what shows that all have, a birth whose
 * votes are these words; answer: a session_id.
 */
struct wire_epoch_destroy {
    struct wire_session session;
    struct wire_epoch_live key;
};
WIRE_MESSAGE(epoch_destroy);

/* GET /v1/key/NAME/change: the change under way, or the last one. */
struct wire_change_node {
    uint64_t node;
    bool deals;
    bool receives;
    char step[12];  /* the last that it has done */
    char what[480]; /* why it does not go on; "" */
};
struct wire_change {
    char name[WIRE_NAME_MAX];
    char type[12];  /* "" when there was none */
    char state[12]; /* running, done, failed, none */
    char why[960];  /* of a failure */
    uint8_t session[32];
    uint64_t epoch;
    uint64_t parent;
    WIRE_LIST(struct wire_change_node) nodes;
};
WIRE_MESSAGE(change);

#endif
