/* SPDX-License-Identifier: Apache-2.0 */
/* The key of one session: its birth handed on, its end. */
#include "wire/codec.h"

/* clang-format off */
static const struct wire_row once_birth_rows[] = {
    NEST(once_birth, birth, birth),
    U64(once_birth, want_next, WIRE_MAX_NEXT),
    { 0 },
};
WIRE_CODEC(once_birth);

static const struct wire_row once_born_rows[] = {
    BOOL(once_born, share),
    HEX(once_born, boot),
    U64(once_born, head, WIRE_MAX_U64),
    STRUCTS(once_born, next, 0, WIRE_MAX_NEXT, commitment),
    { 0 },
};
WIRE_CODEC(once_born);

static const struct wire_row once_close_rows[] = {
    HEX(once_close, session),
    { 0 },
};
WIRE_CODEC(once_close);
/* clang-format on */
