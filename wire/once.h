/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making, and ending, the key of one session. Part of wire/wire.h, which
 * includes it last. The steps between start and birth are those of a
 * persistent key: wire_epoch_deal, wire_boxes, wire_epoch_finish,
 * wire_epoch_vote.
 */
#ifndef WIRE_ONCE_H
#define WIRE_ONCE_H

#include "wire/wire.h"

/* POST /v1/once/start: a wire_session (type sign); answer: a wire_package. */

/* POST /v1/once/birth: to every node of the policy. */
struct wire_once_birth {
    struct wire_birth birth;
    uint64_t want_next; /* commitments to send back */
};
WIRE_MESSAGE(once_birth);
struct wire_once_born {
    bool share;       /* it holds one, and that is active */
    uint8_t boot[16]; /* as in wire_commitments */
    uint64_t head;
    WIRE_LIST(struct wire_commitment) next;
};
WIRE_MESSAGE(once_born);

/* POST /v1/once/close; the answer is the same. */
struct wire_once_close {
    uint8_t session[32];
};
WIRE_MESSAGE(once_close);

#endif
