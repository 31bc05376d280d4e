/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What entries refer to by hash, FORMATS section 2: participants, approvals,
 * endorsements, and the votes behind them. Public data only; no heap.
 */
#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "transparency/merkle.h"

void tlog_participants(uint8_t out[32], const uint8_t (*identities)[32],
                       unsigned n)
{
    static const char tag[] = "mpc/participants/v1";
    struct hash_part parts[1 + TLOG_MAX_NODES] = { { tag, sizeof(tag) } };
    assert(n <= TLOG_MAX_NODES);
    for (unsigned i = 0; i < n; i++) {
        unsigned at = 1 + i;
        for (; at > 1 && memcmp(parts[at - 1].p, identities[i], 32) > 0; at--)
            parts[at] = parts[at - 1];
        parts[at] = (struct hash_part){ identities[i], 32 };
    }
    hash256_parts(out, parts, 1 + (size_t)n);
}

void tlog_approvals_root(uint8_t out[32], const struct tlog_blob *records,
                         unsigned n)
{
    struct tlog_range r = { .n = 0 };
    struct tlog_hash h;
    for (unsigned i = 0; i < n; i++) {
        tlog_leaf_hash(&h, records[i].p, records[i].len);
        tlog_range_push(&r, &h);
    }
    tlog_range_root(&h, &r);
    memcpy(out, h.b, 32);
}

void tlog_vote_message(uint8_t out[TLOG_VOTE_MESSAGE_MAX], size_t *len,
                       const char *tag, const struct tlog_epoch_terms *terms,
                       uint16_t node, const uint8_t y[32])
{
    struct bytes_writer w = bytes_writer(out, TLOG_VOTE_MESSAGE_MAX);
    bytes_put_tag(&w, tag);
    bytes_put(&w, terms->session, 32);
    bytes_put(&w, terms->group_key, 32);
    bytes_put_u64(&w, terms->epoch);
    bytes_put_u64(&w, terms->parent);
    bytes_put_u16(&w, terms->t);
    bytes_put_u16(&w, terms->n);
    bytes_put_u16(&w, node);
    bytes_put(&w, terms->transcript, 32);
    bytes_put(&w, y, 32);
    assert(!w.failed); /* the tags are ours and short */
    *len = w.len;
}

/* Two nodes of one identity would count one machine twice. */
static enum rc votes_distinct(const struct tlog_vote *votes, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (votes[i].node == 0 || (i > 0 && votes[i].node <= votes[i - 1].node))
            return rc_raise(RC_VERIFY, "votes: not ascending by node at %u", i);
        for (unsigned j = 0; j < i; j++)
            if (memcmp(votes[i].identity, votes[j].identity, 32) == 0)
                return rc_raise(RC_VERIFY,
                                "votes: nodes %u and %u share an identity",
                                votes[j].node, votes[i].node);
    }
    return RC_OK;
}

enum rc tlog_votes_check(const struct tlog_epoch_terms *terms, const char *tag,
                         const struct tlog_vote *votes, unsigned n)
{
    uint8_t msg[TLOG_VOTE_MESSAGE_MAX];
    size_t len;
    if (n == 0 || n > TLOG_MAX_NODES)
        return rc_raise(RC_VERIFY, "votes: %u of them, want 1 to %d", n,
                        TLOG_MAX_NODES);
    TRY(votes_distinct(votes, n));
    for (unsigned i = 0; i < n; i++) {
        const struct tlog_vote *v = &votes[i];
        tlog_vote_message(msg, &len, tag, terms, v->node, v->y);
        if (crypto_sign_verify_detached(v->sig, msg, len, v->identity) != 0)
            return rc_raise(RC_VERIFY,
                            "votes: vote of node %u does not "
                            "verify",
                            v->node);
    }
    return RC_OK;
}

void tlog_endorsements_root(uint8_t out[32], const struct tlog_vote *votes,
                            unsigned n)
{
    struct tlog_range r = { .n = 0 };
    struct tlog_hash h;
    for (unsigned i = 0; i < n; i++) {
        uint8_t leaf[2 + 32 + 64];
        struct bytes_writer w = bytes_writer(leaf, sizeof(leaf));
        bytes_put_u16(&w, votes[i].node);
        bytes_put(&w, votes[i].identity, 32);
        bytes_put(&w, votes[i].sig, 64);
        tlog_leaf_hash(&h, leaf, w.len);
        tlog_range_push(&r, &h);
    }
    tlog_range_root(&h, &r);
    memcpy(out, h.b, 32);
}
