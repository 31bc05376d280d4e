/* SPDX-License-Identifier: Apache-2.0 */
/* Issued leaves, kept until most of their life is over. Public data. */
#include "ca/server.h"

#include <string.h>

static enum rc copy_chain(struct wire_chain *out, const struct wire_chain *in)
{
    WIRE(chain) copy = { 0 };
    TRY(wire_list_new(&copy.chain, in->chain.n));
    for (size_t i = 0; i < in->chain.n; i++)
        TRY(wire_blob_set(&copy.chain.at[i], in->chain.at[i].p,
                          in->chain.at[i].len));
    *out = copy;
    memset(&copy, 0, sizeof(copy)); /* moved */
    return RC_OK;
}

/* A clock that was set back makes them stale too. */
static bool is_fresh(const struct ca_ready *r, int64_t now_s)
{
    return now_s >= r->issued && now_s < r->stale;
}

static enum rc find(struct wire_chain *out, const struct ca_server *ca,
                    const uint8_t policy[32], uint64_t birth, int64_t now_s)
{
    for (size_t i = 0; i < CA_LEAVES + CA_LEAVES_ONCE; i++) {
        const struct ca_ready *r = &ca->ready[i];
        if (r->birth == birth && memcmp(r->policy, policy, 32) == 0 &&
            is_fresh(r, now_s))
            return copy_chain(out, &r->chain);
    }
    return rc_raise(RC_UNKNOWN, "no leaf is ready");
}

enum rc ca_ready_get(struct wire_chain *out, struct ca_server *ca,
                     const uint8_t policy[32], uint64_t birth, int64_t now_s)
{
    pthread_mutex_lock(&ca->lock);
    enum rc rc = find(out, ca, policy, birth, now_s);
    pthread_mutex_unlock(&ca->lock);
    return rc;
}

static struct ca_ready *oldest(struct ca_server *ca, bool once)
{
    struct ca_ready *r = &ca->ready[once ? CA_LEAVES : 0];
    size_t n = once ? CA_LEAVES_ONCE : CA_LEAVES;
    struct ca_ready *found = r;
    for (size_t i = 1; i < n; i++)
        if (r[i].issued < found->issued)
            found = &r[i];
    return found;
}

enum rc ca_ready_put(struct ca_server *ca, const uint8_t policy[32],
                     uint64_t birth, int64_t issued, int64_t ttl_s, bool once,
                     const struct wire_chain *chain)
{
    struct ca_ready made = { .birth = birth,
                             .issued = issued,
                             .stale = issued + ttl_s * 4 / 5 };
    TRY(copy_chain(&made.chain, chain));
    memcpy(made.policy, policy, 32);
    pthread_mutex_lock(&ca->lock);
    struct ca_ready *place = oldest(ca, once);
    wire_chain_free(&place->chain);
    *place = made;
    pthread_mutex_unlock(&ca->lock);
    return RC_OK;
}

void ca_ready_wipe(struct ca_server *ca)
{
    for (size_t i = 0; i < CA_LEAVES + CA_LEAVES_ONCE; i++)
        wire_chain_free(&ca->ready[i].chain);
}
