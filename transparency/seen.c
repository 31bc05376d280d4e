/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which entries the log holds already: leaf hash to index. Slots are picked by
 * a keyed hash, so that nobody can choose entries that collide.
 */
#include "base/rand.h"
#include "transparency/merkle.h"
#include "transparency/tree.h"

enum rc tlog_seen_init(struct tlog_seen *s)
{
    struct tlog_seen fresh = { .slot = NULL };
    TRY(rand_bytes(fresh.key, sizeof(fresh.key)));
    *s = fresh;
    return RC_OK;
}

void tlog_seen_clear(struct tlog_seen *s)
{
    free(s->slot);
    s->slot = NULL;
    s->cap = 0;
}

/* Where the leaf is, or the free slot where it belongs. */
static size_t slot_of(const struct tlog_seen *s, const struct tlog_tree *t,
                      const struct tlog_hash *leaf)
{
    union {
        uint8_t b[crypto_shorthash_BYTES];
        uint64_t v;
    } pick;
    crypto_shorthash(pick.b, leaf->b, sizeof(leaf->b), s->key);
    size_t at = (size_t)pick.v & (s->cap - 1);
    while (s->slot[at] &&
           !tlog_hash_equal(&t->level[0].h[s->slot[at] - 1], leaf))
        at = (at + 1) & (s->cap - 1);
    return at;
}

uint64_t tlog_seen_find(const struct tlog_seen *s, const struct tlog_tree *t,
                        const struct tlog_hash *leaf)
{
    if (s->cap == 0)
        return TLOG_NO_INDEX;
    uint64_t found = s->slot[slot_of(s, t, leaf)];
    return found ? found - 1 : TLOG_NO_INDEX;
}

void tlog_seen_add(struct tlog_seen *s, const struct tlog_tree *t,
                   uint64_t index)
{
    size_t at = slot_of(s, t, &t->level[0].h[index]);
    if (!s->slot[at])
        s->slot[at] = index + 1;
}

enum rc tlog_seen_reserve(struct tlog_seen *s, const struct tlog_tree *t,
                          size_t more)
{
    size_t cap = s->cap ? s->cap : 1024;
    while (cap / 2 < t->n + more)
        cap *= 2;
    if (cap == s->cap)
        return RC_OK;
    struct tlog_seen next = *s;
    next.slot = calloc(cap, sizeof(*next.slot));
    next.cap = cap;
    if (!next.slot)
        return rc_raise(RC_NOMEM, "log: table of %zu entries", cap);
    for (uint64_t i = 0; i < t->n; i++)
        tlog_seen_add(&next, t, i);
    free(s->slot);
    *s = next;
    return RC_OK;
}
