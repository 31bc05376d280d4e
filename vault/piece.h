/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the vault: pieces of what peers hold of a sealed share. Split and
 * joined at their owner (piece_owner.c), kept and given at their holders
 * (piece_holder.c). The field, the boxes and the statements are piece.c's.
 */
#ifndef VAULT_PIECE_H
#define VAULT_PIECE_H

#include "vault/inner.h"

#define PIECE_CT_LEN (32 + 32 + 16) /* piece, its owner's tag; GCM's */

/* What is in a box. */
struct boxed_piece {
    uint8_t run[32]; /* what it is for, from whom, to whom */
    struct frost_scalar piece;
    uint8_t tag[32];
};
WIPED_TYPE(boxed_piece);

/* Whose piece, held by whom. Public. */
struct piece_of {
    uint8_t session[32];
    uint64_t epoch;
    uint16_t t;
    uint16_t owner;
    uint16_t holder;
};
#define PIECE_OF_LEN   (32 + 8 + 2 + 2 + 2)
#define PIECE_ACK_TEXT (32 + PIECE_OF_LEN + 32)

/* Pieces in the clear, all secret. */
struct pieces {
    struct frost_scalar of[TLOG_MAX_NODES];
};
WIPED_TYPE(pieces);

size_t vault_piece_put_of(uint8_t out[PIECE_OF_LEN], const struct piece_of *p);

/* A fresh secret. */
MUST_CHECK enum rc vault_piece_secret(struct frost_scalar *out);
/* f(id), f of degree t-2 with f(0) the secret. Constant time. */
void vault_piece_at(struct frost_scalar *out, const struct frost_scalar *secret,
                    uint16_t t, const uint8_t session[32], uint16_t id);
/* f(0) of n pieces: the secret, if n is all it takes. RC_ARG: an id twice. */
MUST_CHECK enum rc vault_piece_sum(struct frost_scalar *out,
                                   const struct pieces *p, const uint16_t *ids,
                                   unsigned n);

/* A tag that only this node's chip and measurement make. */
MUST_CHECK enum rc vault_piece_tag(uint8_t tag[32],
                                   const struct vault_core *core,
                                   const struct piece_of *of,
                                   const struct frost_scalar *piece);
/* What a holder signs; it names the piece by its tag. */
size_t vault_piece_ack_text(uint8_t out[PIECE_ACK_TEXT],
                            const struct piece_of *of, const uint8_t tag[32]);

/* To its holder, and back to this life of its owner. */
void vault_piece_run_there(uint8_t out[32], const struct vault_core *core,
                           const struct piece_of *of);
void vault_piece_run_back(uint8_t out[32], const uint8_t boot[16],
                          const struct piece_of *of);
MUST_CHECK enum rc vault_piece_box(uint8_t box[VAULT_PIECE_BOX_LEN],
                                   const struct vault_core *core, uint16_t to,
                                   const struct boxed_piece *in);
/* RC_VERIFY: not from that node to us, or of another run. */
MUST_CHECK enum rc vault_piece_unbox(struct boxed_piece *out,
                                     const struct vault_core *core,
                                     uint16_t from, const uint8_t run[32],
                                     const uint8_t box[VAULT_PIECE_BOX_LEN]);

#endif
