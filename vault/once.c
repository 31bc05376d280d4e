/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lives in memory alone: a key that is made for one session, from its
 * DKG on. It may begin with more nodes than take part in the end, and it ends
 * with its session. Persistent shares are out of reach from here.
 */
#include "vault/inner.h"

#include <string.h>

/* ---- fewer take part ----------------------------------------------------- */

static bool is_among(const uint16_t *ids, unsigned n, uint16_t id)
{
    for (unsigned i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

static enum rc narrow_check(const struct vault_core *core,
                            const struct vault_dkg *d, const uint16_t *ids,
                            unsigned n)
{
    if (d->terms.persistent)
        return rc_raise(RC_POLICY, "dkg: a persistent key is made by all");
    if (d->packages)
        return rc_raise(RC_ORDER, "dkg: dealt already");
    if (n < d->terms.t || n > d->terms.n)
        return rc_raise(RC_ARG, "dkg: %u participants, want %u to %u", n,
                        d->terms.t, d->terms.n);
    for (unsigned i = 0; i < n; i++)
        if ((i > 0 && ids[i] <= ids[i - 1]) ||
            !is_among(d->terms.ids, d->terms.n, ids[i]))
            return rc_raise(RC_ARG,
                            "dkg: node %u is none it began with, or "
                            "out of order",
                            ids[i]);
    if (!is_among(ids, n, core->node))
        return rc_raise(RC_ARG, "dkg: node %u is not a participant",
                        core->node);
    return RC_OK;
}

enum rc vault_on_dkg_narrow(struct vault_core *core, struct bytes_writer *out,
                            struct bytes_reader *in,
                            const struct vault_request *req)
{
    (void)out;
    (void)req;
    uint8_t session[32];
    uint16_t ids[TLOG_MAX_NODES];
    struct vault_dkg *d;
    bytes_get(in, session, 32);
    unsigned n = bytes_get_u16(in);
    if (n > TLOG_MAX_NODES)
        return rc_raise(RC_PARSE, "dkg: %u participants", n);
    for (unsigned i = 0; i < n; i++)
        ids[i] = bytes_get_u16(in);
    TRY(bytes_end(in, "dkg narrow"));
    TRY(vault_dkg_of(&d, core, session));
    TRY(narrow_check(core, d, ids, n));
    memcpy(d->terms.ids, ids, n * sizeof(*ids));
    d->terms.n = (uint16_t)n;
    return RC_OK;
}

/* ---- the end ---------------------------------------------------------------- */

enum rc vault_on_session_end(struct vault_core *core, struct bytes_writer *out,
                             struct bytes_reader *in,
                             const struct vault_request *req)
{
    (void)out;
    (void)req;
    uint8_t session[32];
    bytes_get(in, session, 32);
    TRY(bytes_end(in, "session end"));
    vault_dkg_end(core, session);
    for (unsigned at = core->n_shares; at-- > 0;) {
        const struct vault_share *s = &core->share[at];
        if (s->persistent || memcmp(s->terms.session, session, 32) != 0)
            continue;
        vault_nonce_drop_key(core, s->key, s->terms.epoch);
        vault_share_remove(core, at);
    }
    return RC_OK;
}

/* ---- looking in -------------------------------------------------------------- */

enum rc vault_on_held(struct vault_core *core, struct bytes_writer *out,
                      struct bytes_reader *in, const struct vault_request *req)
{
    (void)req;
    uint32_t once = 0;
    uint32_t dkgs = 0;
    uint32_t nonces = 0;
    TRY(bytes_end(in, "held"));
    for (unsigned i = 0; i < core->n_shares; i++)
        once += !core->share[i].persistent;
    for (unsigned i = 0; i < VAULT_MAX_DKGS; i++)
        dkgs += core->dkg[i] != NULL && !core->dkg[i]->terms.persistent;
    for (unsigned i = 0; i < VAULT_MAX_NONCES; i++)
        nonces += core->nonces.lead[i] != 0;
    bytes_put_u32(out, core->n_shares - once);
    bytes_put_u32(out, once);
    bytes_put_u32(out, dkgs);
    bytes_put_u32(out, nonces);
    return RC_OK;
}
