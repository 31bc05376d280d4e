/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A member's part in keeping others' pieces: split, keep, acked while an epoch
 * is made; ask after its owner's restart. Everything that is secret here is in
 * a box or sealed; the vault checks all that matters.
 */
#include "sidecar/inner.h"

#include <string.h>

_Static_assert(sizeof(((struct wire_piece *)0)->box) == VAULT_PIECE_BOX_LEN,
               "a piece's box on the wire is the vault's");

/* ---- while an epoch is made -------------------------------------------------- */

static enum rc split_terms(struct vault_dkg_terms *t,
                           const struct wire_piece_split *in)
{
    if (in->nodes.n == 0 || in->nodes.n > TLOG_MAX_NODES)
        return rc_raise(RC_PARSE, "split: %zu nodes", in->nodes.n);
    *t = (struct vault_dkg_terms){ .epoch = in->epoch,
                                   .t = (uint16_t)in->threshold,
                                   .n = (uint16_t)in->nodes.n,
                                   .persistent = true };
    memcpy(t->session, in->session, 32);
    for (size_t i = 0; i < in->nodes.n; i++)
        t->ids[i] = (uint16_t)in->nodes.at[i];
    return RC_OK;
}

static enum rc on_split(struct node *n, uint16_t from, const uint8_t *body,
                        size_t len, char **reply, size_t *reply_len)
{
    (void)from;
    WIRE(piece_split) in = { 0 };
    WIRE(pieces) out = { 0 };
    struct vault_dkg_terms t;
    struct vault_piece made[TLOG_MAX_NODES];
    unsigned n_made;
    TRY(wire_piece_split_decode(&in, (const char *)body, len));
    TRY(split_terms(&t, &in));
    TRY(store_piece_started(n->w.store, in.session, in.epoch));
    TRY(vault_piece_split(n->w.vault, made, &n_made, &t));
    TRY(wire_list_new(&out.pieces, n_made));
    for (unsigned i = 0; i < n_made; i++) {
        out.pieces.at[i].node = made[i].node;
        memcpy(out.pieces.at[i].box, made[i].box, VAULT_PIECE_BOX_LEN);
    }
    return wire_pieces_encode(reply, reply_len, &out);
}

/* Sealed, stored, read back; only then our word. */
static enum rc keep_one(struct wire_piece_ack *out, struct node *n,
                        const struct wire_piece_keep *in,
                        const struct wire_piece *piece)
{
    struct vault_piece p = { .node = (uint16_t)piece->node };
    uint8_t sealed[VAULT_SEALED_PIECE_MAX];
    OWNED_MEM uint8_t *back = NULL;
    size_t len;
    memcpy(p.box, piece->box, VAULT_PIECE_BOX_LEN);
    TRY(vault_piece_keep(n->w.vault, sealed, &len, in->session, in->epoch,
                         (uint16_t)in->threshold, &p));
    TRY(store_piece_put(n->w.store, in->session, in->epoch, p.node, sealed,
                        len));
    TRY(store_piece_get(n->w.store, in->session, in->epoch, p.node, NULL, &back,
                        &len));
    out->node = p.node;
    return vault_piece_kept(n->w.vault, out->sig, back, len);
}

static enum rc on_keep(struct node *n, uint16_t from, const uint8_t *body,
                       size_t len, char **reply, size_t *reply_len)
{
    (void)from;
    WIRE(piece_keep) in = { 0 };
    WIRE(piece_acks) out = { 0 };
    TRY(wire_piece_keep_decode(&in, (const char *)body, len));
    TRY(wire_list_new(&out.acks, in.pieces.n));
    for (size_t i = 0; i < in.pieces.n; i++)
        TRY(keep_one(&out.acks.at[i], n, &in, &in.pieces.at[i]));
    return wire_piece_acks_encode(reply, reply_len, &out);
}

static enum rc on_acked(struct node *n, uint16_t from, const uint8_t *body,
                        size_t len, char **reply, size_t *reply_len)
{
    (void)from;
    WIRE(piece_acked) in = { 0 };
    struct wire_piece_missing out = { 0 };
    struct vault_piece_ack acks[TLOG_MAX_NODES];
    unsigned missing;
    TRY(wire_piece_acked_decode(&in, (const char *)body, len));
    if (in.acks.n > TLOG_MAX_NODES)
        return rc_raise(RC_PARSE, "acked: %zu", in.acks.n);
    for (size_t i = 0; i < in.acks.n; i++) {
        acks[i].node = (uint16_t)in.acks.at[i].node;
        memcpy(acks[i].sig, in.acks.at[i].sig, 64);
    }
    TRY(vault_piece_acked(n->w.vault, &missing, in.session, in.epoch, acks,
                          (unsigned)in.acks.n));
    out.missing = missing;
    return wire_piece_missing_encode(reply, reply_len, &out);
}

/* ---- after its owner's restart ------------------------------------------------ */

/* Under lock. Of an epoch that is live here, or not certified yet. */
static enum rc may_have(struct node *n, uint16_t from, const char *name,
                        uint64_t epoch)
{
    const struct key *k = node_key_by_name(n, name);
    if (!policy_node_find(policy_chain_head(n->chain), from))
        return rc_raise(RC_POLICY, "piece: node%u is not in the policy", from);
    if (k && k->live.epoch > epoch)
        return rc_raise(RC_EPOCH_MOVED,
                        "piece: epoch %llu of %s is over, %llu is live",
                        (unsigned long long)epoch, name,
                        (unsigned long long)k->live.epoch);
    return RC_OK;
}

static enum rc on_ask(struct node *n, uint16_t from, const uint8_t *body,
                      size_t len, char **reply, size_t *reply_len)
{
    WIRE(piece_ask) in = { 0 };
    struct wire_piece_given out = { 0 };
    OWNED_MEM uint8_t *sealed = NULL;
    size_t sealed_len;
    char name[POLICY_NAME_MAX];
    TRY(wire_piece_ask_decode(&in, (const char *)body, len));
    TRY(store_piece_get(n->w.store, in.session, in.epoch, from, name, &sealed,
                        &sealed_len));
    node_lock(n);
    enum rc rc = may_have(n, from, name, in.epoch);
    node_unlock(n);
    TRY(rc);
    TRY(vault_piece_give(n->w.vault, out.box, from, in.boot, sealed,
                         sealed_len));
    return wire_piece_given_encode(reply, reply_len, &out);
}

enum rc pieces_on_peer(struct node *n, uint16_t from, const char *step,
                       const uint8_t *body, size_t len, char **reply,
                       size_t *reply_len)
{
    static const struct {
        const char *name;
        enum rc (*fn)(struct node *n, uint16_t from, const uint8_t *body,
                      size_t len, char **reply, size_t *reply_len);
    } steps[] = { { "split", on_split },
                  { "keep", on_keep },
                  { "acked", on_acked },
                  { "ask", on_ask } };
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
        if (strcmp(step, steps[i].name) == 0)
            return steps[i].fn(n, from, body, len, reply, reply_len);
    return rc_raise(RC_UNKNOWN, "no such path");
}

enum rc pieces_forget(struct node *n, const char *name, uint64_t epoch)
{
    return store_pieces_drop(n->w.store, name, epoch);
}
