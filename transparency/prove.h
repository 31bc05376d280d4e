/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the room: a tree of which only its tiles can be had. Public data. */
#ifndef TRANSPARENCY_PROVE_H
#define TRANSPARENCY_PROVE_H

#include "transparency/watch.h"

#define TILE_WIDTH   256
#define PROVER_TILES 16

struct tlog_prover {
    tlog_fetch *fetch;
    void *ctx;
    uint64_t size;
    struct prover_tile {
        unsigned level;
        uint64_t n;
        unsigned width; /* 0: none */
        struct tlog_hash h[TILE_WIDTH];
    } tile[PROVER_TILES];
    unsigned next;
};
/* Root of the complete subtree of 2^k leaves, the i-th. */
MUST_CHECK enum rc tlog_prover_node(struct tlog_prover *p,
                                    struct tlog_hash *out, unsigned k,
                                    uint64_t i);
MUST_CHECK enum rc tlog_prover_root(struct tlog_prover *p,
                                    struct tlog_hash *out);

/* How wide tile n of a level is in a tree of that size; 0: it is not there. */
unsigned tlog_tile_width(int level, uint64_t n, uint64_t size);
/* *got_width: 256 when only the full tile was found. */
MUST_CHECK enum rc tlog_fetch_tile(uint8_t **out, size_t *len,
                                   unsigned *got_width, int level, uint64_t n,
                                   unsigned width, tlog_fetch *fetch,
                                   void *ctx);

#endif
