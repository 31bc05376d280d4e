/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structs inside a frame's body, each a put and a get that mirror. Counts
 * over their maximum make the reader fail; the caller checks once, with
 * bytes_end(). Public data and boxes only.
 */
#include "vault/inner.h"

#include <string.h>

/* A count of at most max; 0 and a failed reader beyond it. */
static unsigned get_count(struct bytes_reader *r, unsigned max)
{
    unsigned n = bytes_get_u16(r);
    if (n <= max)
        return n;
    r->failed = true;
    return 0;
}

void vault_put_path(struct bytes_writer *w, const struct tlog_path *path)
{
    unsigned n = path ? path->n : 0;
    if (n > TLOG_PATH_MAX) {
        w->failed = true;
        return;
    }
    bytes_put_u16(w, (uint16_t)n);
    for (unsigned i = 0; i < n; i++)
        bytes_put(w, path->hash[i].b, 32);
}

void vault_get_path(struct bytes_reader *r, struct tlog_path *out)
{
    out->n = get_count(r, TLOG_PATH_MAX);
    for (unsigned i = 0; i < out->n; i++)
        bytes_get(r, out->hash[i].b, 32);
}

void vault_put_proof(struct bytes_writer *w, const struct tlog_proof *proof)
{
    if (proof->entry_len > TLOG_ENTRY_MAX) {
        w->failed = true;
        return;
    }
    bytes_put_lp16(w, proof->entry, proof->entry_len);
    bytes_put_u64(w, proof->index);
    vault_put_path(w, &proof->path);
    bytes_put_lp16(w, proof->checkpoint,
                   strnlen(proof->checkpoint, sizeof(proof->checkpoint)));
}

/* LP16 text into a NUL-terminated array; an inner NUL fails. */
static size_t get_text(struct bytes_reader *r, char *out, size_t size)
{
    size_t len;
    const uint8_t *p = bytes_take_lp16(r, &len);
    if (!p || len >= size || memchr(p, 0, len)) {
        r->failed = true;
        out[0] = '\0';
        return 0;
    }
    memcpy(out, p, len);
    out[len] = '\0';
    return len;
}

void vault_get_proof(struct bytes_reader *r, struct tlog_proof *out)
{
    out->entry_len = get_text(r, out->entry, sizeof(out->entry));
    out->index = bytes_get_u64(r);
    vault_get_path(r, &out->path);
    (void)get_text(r, out->checkpoint, sizeof(out->checkpoint));
}

void vault_put_dkg_terms(struct bytes_writer *w,
                         const struct vault_dkg_terms *t)
{
    bytes_put(w, t->session, 32);
    bytes_put_u64(w, t->epoch);
    bytes_put_u64(w, t->parent);
    bytes_put_u16(w, t->t);
    bytes_put_u8(w, t->persistent);
    bytes_put_u16(w, t->n);
    for (unsigned i = 0; i < t->n && i < TLOG_MAX_NODES; i++)
        bytes_put_u16(w, t->ids[i]);
}

void vault_get_dkg_terms(struct bytes_reader *r, struct vault_dkg_terms *out)
{
    *out = (struct vault_dkg_terms){ .t = 0 };
    bytes_get(r, out->session, 32);
    out->epoch = bytes_get_u64(r);
    out->parent = bytes_get_u64(r);
    out->t = bytes_get_u16(r);
    uint8_t persistent = bytes_get_u8(r);
    if (persistent > 1)
        r->failed = true;
    out->persistent = persistent == 1;
    out->n = (uint16_t)get_count(r, TLOG_MAX_NODES);
    for (unsigned i = 0; i < out->n; i++)
        out->ids[i] = bytes_get_u16(r);
}

void vault_put_package(struct bytes_writer *w, const struct frost_dealing *p)
{
    if (p->t > FROST_MAX_SIGNERS) {
        w->failed = true;
        return;
    }
    bytes_put_u16(w, (uint16_t)p->t);
    for (unsigned i = 0; i < p->t; i++)
        bytes_put(w, p->commitment[i].b, 32);
    bytes_put(w, p->pok_r.b, 32);
    bytes_put(w, p->pok_z.le, 32);
}

void vault_get_package(struct bytes_reader *r, struct frost_dealing *out)
{
    /* all of it, so that two equal packages are equal bytes */
    memset(out, 0, sizeof(*out));
    out->t = get_count(r, FROST_MAX_SIGNERS);
    for (unsigned i = 0; i < out->t; i++)
        bytes_get(r, out->commitment[i].b, 32);
    bytes_get(r, out->pok_r.b, 32);
    bytes_get(r, out->pok_z.le, 32);
}

void vault_put_epoch_terms(struct bytes_writer *w,
                           const struct tlog_epoch_terms *t)
{
    bytes_put(w, t->session, 32);
    bytes_put(w, t->group_key, 32);
    bytes_put_u64(w, t->epoch);
    bytes_put_u64(w, t->parent);
    bytes_put_u16(w, t->t);
    bytes_put_u16(w, t->n);
    bytes_put(w, t->transcript, 32);
}

void vault_get_epoch_terms(struct bytes_reader *r, struct tlog_epoch_terms *out)
{
    bytes_get(r, out->session, 32);
    bytes_get(r, out->group_key, 32);
    out->epoch = bytes_get_u64(r);
    out->parent = bytes_get_u64(r);
    out->t = bytes_get_u16(r);
    out->n = bytes_get_u16(r);
    bytes_get(r, out->transcript, 32);
}

void vault_put_votes(struct bytes_writer *w, const struct tlog_vote *votes,
                     unsigned n)
{
    if (n > TLOG_MAX_NODES) {
        w->failed = true;
        return;
    }
    bytes_put_u16(w, (uint16_t)n);
    for (unsigned i = 0; i < n; i++) {
        bytes_put_u16(w, votes[i].node);
        bytes_put(w, votes[i].identity, 32);
        bytes_put(w, votes[i].y, 32);
        bytes_put(w, votes[i].sig, 64);
    }
}

unsigned vault_get_votes(struct bytes_reader *r, struct tlog_vote *votes)
{
    unsigned n = get_count(r, TLOG_MAX_NODES);
    for (unsigned i = 0; i < n; i++) {
        votes[i].node = bytes_get_u16(r);
        bytes_get(r, votes[i].identity, 32);
        bytes_get(r, votes[i].y, 32);
        bytes_get(r, votes[i].sig, 64);
    }
    return r->failed ? 0 : n;
}

void vault_put_epoch_asked(struct bytes_writer *w,
                           const struct vault_epoch_terms *t)
{
    bytes_put(w, t->session, 32);
    bytes_put_u64(w, t->epoch);
    bytes_put_u8(w, t->recover);
    bytes_put_u16(w, t->t);
    bytes_put_u16(w, t->n);
    for (unsigned i = 0; i < t->n && i < TLOG_MAX_NODES; i++)
        bytes_put_u16(w, t->ids[i]);
    bytes_put_u16(w, t->n_dealers);
    for (unsigned i = 0; i < t->n_dealers && i < TLOG_MAX_NODES; i++) {
        bytes_put_u16(w, t->dealer[i]);
        bytes_put_u16(w, t->dealer_at[i]);
    }
    vault_put_epoch_terms(w, &t->parent);
    vault_put_votes(w, t->votes, t->n_votes);
}

void vault_get_epoch_asked(struct bytes_reader *r,
                           struct vault_epoch_asked *out)
{
    struct vault_epoch_terms *t = &out->terms;
    *t = (struct vault_epoch_terms){ .votes = out->votes };
    bytes_get(r, t->session, 32);
    t->epoch = bytes_get_u64(r);
    uint8_t recover = bytes_get_u8(r);
    if (recover > 1)
        r->failed = true;
    t->recover = recover == 1;
    t->t = bytes_get_u16(r);
    t->n = (uint16_t)get_count(r, TLOG_MAX_NODES);
    for (unsigned i = 0; i < t->n; i++)
        t->ids[i] = bytes_get_u16(r);
    t->n_dealers = (uint16_t)get_count(r, TLOG_MAX_NODES);
    for (unsigned i = 0; i < t->n_dealers; i++) {
        t->dealer[i] = bytes_get_u16(r);
        t->dealer_at[i] = bytes_get_u16(r);
    }
    vault_get_epoch_terms(r, &t->parent);
    t->n_votes = vault_get_votes(r, out->votes);
}

/* The message itself travels beside the body. */
void vault_put_sign(struct bytes_writer *w, const struct vault_sign_request *in)
{
    if (in->n_signers > FROST_MAX_SIGNERS) {
        w->failed = true;
        return;
    }
    bytes_put(w, in->key, 32);
    bytes_put_u64(w, in->epoch);
    bytes_put_u16(w, in->lead);
    bytes_put(w, in->nonce_id, VAULT_NONCE_ID_LEN);
    bytes_put(w, in->salt, 32);
    bytes_put_u16(w, (uint16_t)in->n_signers);
    for (unsigned i = 0; i < in->n_signers; i++) {
        bytes_put_u16(w, in->signers[i].node);
        bytes_put(w, in->signers[i].hiding, 32);
        bytes_put(w, in->signers[i].binding, 32);
    }
    vault_put_proof(w, in->intent);
    vault_put_path(w, in->consistency);
}

void vault_get_sign(struct bytes_reader *r, struct vault_sign_work *out)
{
    struct vault_sign_request *q = &out->req;
    *q = (struct vault_sign_request){ .signers = out->signers,
                                      .intent = &out->intent,
                                      .consistency = &out->consistency };
    bytes_get(r, q->key, 32);
    q->epoch = bytes_get_u64(r);
    q->lead = bytes_get_u16(r);
    bytes_get(r, q->nonce_id, VAULT_NONCE_ID_LEN);
    bytes_get(r, q->salt, 32);
    q->n_signers = get_count(r, FROST_MAX_SIGNERS);
    for (unsigned i = 0; i < q->n_signers; i++) {
        out->signers[i].node = bytes_get_u16(r);
        bytes_get(r, out->signers[i].hiding, 32);
        bytes_get(r, out->signers[i].binding, 32);
    }
    vault_get_proof(r, &out->intent);
    vault_get_path(r, &out->consistency);
}
