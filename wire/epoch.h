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

#endif
