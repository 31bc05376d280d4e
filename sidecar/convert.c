/* SPDX-License-Identifier: Apache-2.0 */
/* Between wire structs and the rooms' own; public data only. */
#include "sidecar/inner.h"

#include <string.h>

const struct wire_growth *proof_growth(const struct wire_appended *in,
                                       uint64_t size)
{
    for (size_t i = 0; i < in->growth.n; i++)
        if (in->growth.at[i].from == size)
            return &in->growth.at[i];
    return NULL;
}

enum rc path_from_wire(struct tlog_path *out, const struct wire_hash *at,
                       size_t n)
{
    if (n > TLOG_PATH_MAX)
        return rc_raise(RC_PARSE, "path: %zu hashes, at most %d", n,
                        TLOG_PATH_MAX);
    out->n = (unsigned)n;
    for (size_t i = 0; i < n; i++)
        memcpy(out->hash[i].b, at[i].b, 32);
    return RC_OK;
}

enum rc proof_from_wire(struct tlog_proof *out, const struct wire_proof *in)
{
    if (in->entry.len > TLOG_ENTRY_MAX || in->checkpoint.len >= TLOG_NOTE_MAX)
        return rc_raise(RC_PARSE, "proof: entry or checkpoint too long");
    memcpy(out->entry, in->entry.p, in->entry.len);
    out->entry[in->entry.len] = '\0';
    out->entry_len = in->entry.len;
    out->index = in->index;
    memcpy(out->checkpoint, in->checkpoint.p, in->checkpoint.len);
    out->checkpoint[in->checkpoint.len] = '\0';
    return path_from_wire(&out->path, in->path.at, in->path.n);
}

enum rc proof_copy(struct wire_proof *out, const struct wire_proof *in)
{
    TRY(wire_text_set(&out->entry, in->entry.p, in->entry.len));
    TRY(wire_text_set(&out->checkpoint, in->checkpoint.p, in->checkpoint.len));
    TRY(wire_list_new(&out->path, in->path.n));
    if (in->path.n)
        memcpy(out->path.at, in->path.at, in->path.n * sizeof(*in->path.at));
    out->index = in->index;
    return RC_OK;
}

enum rc session_copy(struct wire_session *out, const struct wire_session *in)
{
    TRY(wire_blob_set(&out->descriptor, in->descriptor.p, in->descriptor.len));
    TRY(wire_blob_set(&out->requester, in->requester.p, in->requester.len));
    TRY(wire_list_new(&out->approvals, in->approvals.n));
    for (size_t i = 0; i < in->approvals.n; i++)
        TRY(wire_blob_set(&out->approvals.at[i], in->approvals.at[i].p,
                          in->approvals.at[i].len));
    return RC_OK;
}

enum rc birth_copy(struct wire_birth *out, const struct wire_birth *in)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    TRY(wire_birth_encode(&json, &len, in));
    return wire_birth_decode(out, json, len);
}

enum rc cert_terms(struct tlog_epoch_terms *terms, struct tlog_vote *votes,
                   unsigned *n, const struct wire_cert *c)
{
    if (c->votes.n > TLOG_MAX_NODES || c->threshold > TLOG_MAX_NODES)
        return rc_raise(RC_PARSE, "certificate: %zu votes", c->votes.n);
    *terms = (struct tlog_epoch_terms){ .epoch = c->epoch,
                                        .parent = c->parent,
                                        .t = (uint16_t)c->threshold,
                                        .n = (uint16_t)c->votes.n };
    memcpy(terms->session, c->session, 32);
    memcpy(terms->group_key, c->group_key, 32);
    memcpy(terms->transcript, c->transcript, 32);
    for (size_t i = 0; i < c->votes.n; i++) {
        const struct wire_vote *v = &c->votes.at[i];
        if (v->node == 0 || v->node > UINT16_MAX)
            return rc_raise(RC_PARSE, "certificate: node %llu",
                            (unsigned long long)v->node);
        votes[i].node = (uint16_t)v->node;
        memcpy(votes[i].identity, v->identity, 32);
        memcpy(votes[i].y, v->y, 32);
        memcpy(votes[i].sig, v->sig, 64);
    }
    *n = (unsigned)c->votes.n;
    return RC_OK;
}

/* ---- dealings ------------------------------------------------------------------ */

_Static_assert(sizeof(((struct wire_box *)0)->box) == VAULT_BOX_LEN,
               "a box on the wire is the vault's");

enum rc epoch_package_to_wire(struct wire_package *out, uint16_t node,
                              const struct frost_dealing *in)
{
    out->node = node;
    memcpy(out->pok_r, in->pok_r.b, 32);
    memcpy(out->pok_z, in->pok_z.le, 32);
    TRY(wire_list_new(&out->commitment, in->t));
    for (unsigned i = 0; i < in->t; i++)
        memcpy(out->commitment.at[i].b, in->commitment[i].b, 32);
    return RC_OK;
}

enum rc epoch_package_from_wire(struct frost_dealing *out,
                                const struct wire_package *in)
{
    if (in->commitment.n > FROST_MAX_SIGNERS)
        return rc_raise(RC_PARSE, "package: %zu commitments", in->commitment.n);
    memset(out, 0, sizeof(*out));
    out->t = (unsigned)in->commitment.n;
    for (unsigned i = 0; i < out->t; i++)
        memcpy(out->commitment[i].b, in->commitment.at[i].b, 32);
    memcpy(out->pok_r.b, in->pok_r, 32);
    memcpy(out->pok_z.le, in->pok_z, 32);
    return RC_OK;
}
