/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signer's part in a round: commitments for a lead, and round two. Each
 * item is judged singly (follow_judge.c); accepted ones are marked in one
 * durable transaction; then the vault, which checks the proof again for
 * itself, is asked once each.
 */
#include "sidecar/follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/failpoint.h"
#include "base/hash.h"

/* ---- commitments ------------------------------------------------------------ */

/* The vault does not know a share that is still to open; we do. */
static enum rc commit(struct node *n, struct vault_commitment *made,
                      unsigned count, const uint8_t key[32], uint64_t epoch,
                      uint16_t lead)
{
    char name[POLICY_NAME_MAX] = "";
    enum rc rc = vault_commit(n->w.vault, made, count, key, epoch, lead);
    if (rc != RC_UNKNOWN)
        return rc;
    node_lock(n);
    const struct key *k = node_key_by_id(n, key);
    if (k && !k->have_share)
        snprintf(name, sizeof(name), "%s", k->name);
    node_unlock(n);
    return name[0] ? rc_raise(RC_UNKNOWN,
                              "key %s: node%u has no open share of it, its "
                              "status says why",
                              name, n->id)
                   : rc;
}

enum rc follow_next_commitments(struct node *n, uint16_t lead,
                                const uint8_t key[32], uint64_t epoch,
                                uint64_t count, struct wire_commitment **at,
                                size_t *n_at)
{
    struct vault_commitment made[VAULT_MAX_COMMIT];
    if (count > VAULT_MAX_COMMIT)
        return rc_raise(RC_PARSE, "commit: %llu wanted, at most %d",
                        (unsigned long long)count, VAULT_MAX_COMMIT);
    if (count)
        TRY(commit(n, made, (unsigned)count, key, epoch, lead));
    TRY(wire_list_alloc((void **)at, n_at, sizeof(**at), count));
    for (size_t i = 0; i < count; i++) {
        memcpy((*at)[i].nonce, made[i].nonce_id, 16);
        memcpy((*at)[i].hiding, made[i].hiding, 32);
        memcpy((*at)[i].binding, made[i].binding, 32);
    }
    return RC_OK;
}

enum rc follow_commit(struct node *n, uint16_t from, const uint8_t *body,
                      size_t len, char **reply, size_t *reply_len)
{
    struct wire_commit in;
    TRY(wire_commit_decode(&in, (const char *)body, len));
    WIRE(commitments) out = { 0 };
    if (in.count == 0)
        return rc_raise(RC_PARSE, "commit: count 0");
    node_lock(n);
    enum rc rc = standing_check(n);
    if (rc == RC_OK)
        rc = keys_opened(n, node_key_by_id(n, in.key));
    node_unlock(n);
    TRY(rc);
    TRY(follow_next_commitments(n, from, in.key, in.epoch, in.count,
                                &out.next.at, &out.next.n));
    memcpy(out.boot, n->keys.boot, 16);
    node_lock(n);
    out.head = n->head;
    node_unlock(n);
    return wire_commitments_encode(reply, reply_len, &out);
}

/* ---- the authoriser ---------------------------------------------------------------- */

enum rc follow_questions(struct follow_question *out, struct node *n,
                         uint16_t lead, const struct wire_round2 *in,
                         const uint8_t *raw, size_t raw_len)
{
    OWNED_MEM struct verdict *v = calloc(in->items.n + 1, sizeof(*v));
    if (!v)
        return rc_raise(RC_NOMEM, "round 2: out of memory");
    enum rc rc = RC_OK;
    pthread_rwlock_rdlock(&n->release_lock); /* no key goes meanwhile */
    follow_judge_all(v, n, lead, in, raw, raw_len);
    node_lock(n);
    for (size_t i = 0; rc == RC_OK && i < in->items.n; i++)
        if (v[i].rc == RC_OK)
            rc = authorise_question(&out[i].json, &out[i].len, n, &v[i].j,
                                    v[i].key, lead, &in->items.at[i]);
    node_unlock(n);
    pthread_rwlock_unlock(&n->release_lock);
    return rc;
}

/* On a peer's thread: one budget for the whole call, as its lead waits. */
static void ask_each(struct authorised *said, struct node *n,
                     const struct follow_question *q, size_t n_items)
{
    int64_t until = n->w.now_ms(n->w.ctx) + n->w.authorise_ms;
    for (size_t i = 0; i < n_items; i++) {
        OWNED_MEM uint8_t *body = NULL;
        size_t len = 0;
        said[i].rc = RC_DENIED; /* what we refuse is not asked */
        if (!q[i].json)
            continue;
        enum rc rc = n->w.authorise(n->w.ctx, q[i].json, q[i].len, until, &body,
                                    &len);
        said[i].rc = authorise_answer(rc, body, len);
        if (said[i].rc != RC_OK)
            snprintf(said[i].why, sizeof(said[i].why), "%.399s", rc_text());
    }
}

static enum rc ask_authoriser(struct authorised *said, struct node *n,
                              uint16_t lead, const struct wire_round2 *in,
                              const uint8_t *raw, size_t raw_len)
{
    struct follow_question q[WIRE_MAX_BATCH] = { 0 };
    if (in->items.n > WIRE_MAX_BATCH)
        return RC_OK; /* refused as it is */
    enum rc rc = follow_questions(q, n, lead, in, raw, raw_len);
    if (rc == RC_OK)
        ask_each(said, n, q, in->items.n);
    for (size_t i = 0; i < WIRE_MAX_BATCH; i++)
        free(q[i].json);
    return rc;
}

/* It is asked before we judge: what we judge by is never older than its yes. */
static void heed_authoriser(struct verdict *v, const struct node *n,
                            const struct wire_round2 *in,
                            const struct authorised *said)
{
    for (size_t i = 0; n->w.authorise && i < in->items.n; i++) {
        if (v[i].rc != RC_OK || (said && said[i].rc == RC_OK))
            continue;
        v[i].rc = RC_DENIED;
        snprintf(v[i].why, sizeof(v[i].why), "%s",
                 said && said[i].why[0] ? said[i].why
                                        : "authoriser: was not asked");
    }
}

/* ---- audit -------------------------------------------------------------------------- */

/* What is said of one share: before it is made, or why it is not. */
static void fill_row(struct verdict *v, struct node *n,
                     const struct wire_audit_row *call,
                     const struct wire_round2_item *item)
{
    struct wire_audit_row *r = &v->row;
    uint8_t id[32];
    *r = *call;
    r->at = (uint64_t)n->w.now_s(n->w.ctx);
    policy_session_id(id, item->session.descriptor.p,
                      item->session.descriptor.len);
    audit_session(r, id);
    if (v->rc == RC_OK)
        snprintf(r->detail, sizeof(r->detail),
                 "%sshare of %s, %s, attempt %llu, epoch %llu, intent %llu, "
                 "requested by %s",
                 v->glass ? AUDIT_GLASS : "", v->key->name, item->slot,
                 (unsigned long long)item->attempt,
                 (unsigned long long)item->epoch,
                 (unsigned long long)item->intent.index, v->j.s.requester);
    v->mark.row = r;
}

/* A refusal, behind what was noted before; its mark, if any, stands. */
static void note_refusal(struct verdict *v, struct node *n)
{
    audit_result(&v->row, v->rc, v->why);
    node_audit(n, &v->row);
}

static void fill_rows(struct verdict *v, struct node *n,
                      const struct node_from *from,
                      const struct wire_round2 *in)
{
    struct wire_audit_row call = { 0 };
    audit_peer(&call, n, from, true, FOLLOW_ROUND2);
    for (size_t i = 0; i < in->items.n; i++) {
        fill_row(&v[i], n, &call, &in->items.at[i]);
        if (v[i].rc != RC_OK)
            note_refusal(&v[i], n);
    }
}

/*
 * Refusals are at rest before they are answered; but a lead that only has to
 * show more of the log asks again at once, and its row goes with the next.
 */
static void settle_refusals(const struct verdict *v, struct node *n,
                            size_t n_items)
{
    for (size_t i = 0; i < n_items; i++)
        if (v[i].rc != RC_OK && v[i].rc != RC_HEAD_BEHIND) {
            audit_tick(n);
            return;
        }
}

/* One transaction for all that were accepted, and what is said of them. */
static enum rc mark_all(struct verdict *v, struct node *n, size_t n_items)
{
    struct store_mark marks[WIRE_MAX_BATCH];
    size_t at[WIRE_MAX_BATCH];
    unsigned n_marks = 0;
    for (size_t i = 0; i < n_items; i++) {
        if (v[i].rc != RC_OK)
            continue;
        at[n_marks] = i;
        marks[n_marks++] = v[i].mark;
    }
    if (n_marks == 0)
        return RC_OK;
    TRY(store_marks(n->w.store, marks, n_marks));
    for (unsigned i = 0; i < n_marks; i++) {
        struct verdict *w = &v[at[i]];
        w->rc = marks[i].rc;
        if (marks[i].other_message)
            w->rc = RC_SLOT_BURNT;
        if (w->rc != RC_OK)
            snprintf(w->why, sizeof(w->why), "%s", marks[i].why);
    }
    return RC_OK;
}

/* ---- the vault ------------------------------------------------------------------- */

static enum rc ask_vault(struct vault_sign_reply *out, struct node *n,
                         uint16_t lead, const struct verdict *v,
                         const struct wire_round2_item *item)
{
    struct vault_signer signers[TLOG_MAX_NODES];
    struct vault_sign_request r = { .epoch = item->epoch,
                                    .lead = lead,
                                    .signers = signers,
                                    .n_signers = (unsigned)item->signers.n,
                                    .msg = v->msg,
                                    .msg_len = v->msg_len,
                                    .intent = &v->proof };
    for (size_t i = 0; i < item->signers.n; i++) {
        const struct wire_signer *s = &item->signers.at[i];
        signers[i].node = (uint16_t)s->node;
        memcpy(signers[i].hiding, s->hiding, 32);
        memcpy(signers[i].binding, s->binding, 32);
        if (s->node == n->id)
            memcpy(r.nonce_id, s->nonce, 16);
    }
    memcpy(r.key, item->key, 32);
    memcpy(r.salt, v->j.s.nonce, 32);
    struct tlog_path growth = { .n = 0 };
    if (item->growth.to > item->growth.from) {
        TRY(path_from_wire(&growth, item->growth.path.at, item->growth.path.n));
        r.consistency = &growth;
    }
    return vault_sign(n->w.vault, out, &r);
}

static enum rc sign_item(struct wire_round2_result *out, struct node *n,
                         uint16_t lead, const struct verdict *v,
                         const struct wire_round2_item *item)
{
    struct vault_sign_reply made;
    TRY(session_root_once(n, &v->j.s, v->key, v->msg, v->msg_len));
    if (v->glass)
        TRY(glass_note(n, &v->j.s));
    TRY(ask_vault(&made, n, lead, v, item));
    if (made.cosigned) {
        TRY(head_keep(n, v->proof.checkpoint, strlen(v->proof.checkpoint),
                      made.cosignature));
        TRY(wire_text_set(&out->cosignature, made.cosignature,
                          strlen(made.cosignature)));
    }
    struct tlog_hash leaf;
    tlog_leaf_hash(&leaf, v->proof.entry, v->proof.entry_len);
    n->w.ak_sign(n->w.ctx, out->ak_signature, leaf.b);
    memcpy(out->share, made.share, 32);
    memcpy(out->group_commitment, made.group_commitment, 32);
    return RC_OK;
}

static enum rc fill_result(struct wire_round2_result *out, struct node *n,
                           enum rc rc, const char *why)
{
    snprintf(out->code, sizeof(out->code), "%s", rc_slug(rc));
    TRY(wire_text_set(&out->message, rc == RC_OK ? "" : why,
                      rc == RC_OK ? 0 : strlen(why)));
    node_lock(n);
    enum rc set = wire_text_set(&out->head, n->head_note, strlen(n->head_note));
    node_unlock(n);
    if (!out->cosignature.p && set == RC_OK)
        set = wire_text_set(&out->cosignature, "", 0);
    return set;
}

static enum rc sign_all(struct wire_round2_reply *out, struct verdict *v,
                        struct node *n, uint16_t from,
                        const struct wire_round2 *in)
{
    for (size_t i = 0; i < in->items.n; i++) {
        struct wire_round2_result *r = &out->items.at[i];
        if (v[i].rc == RC_OK) {
            v[i].rc = sign_item(r, n, from, &v[i], &in->items.at[i]);
            follow_say_why(&v[i]);
            if (v[i].rc != RC_OK)
                note_refusal(&v[i], n);
        }
        TRY(fill_result(r, n, v[i].rc, v[i].why));
    }
    return RC_OK;
}

/* Nothing that was taken back comes between the judging and the last share. */
static enum rc judge_and_sign(struct wire_round2_reply *out, struct verdict *v,
                              struct node *n, const struct node_from *who,
                              const struct wire_round2 *in, const uint8_t *raw,
                              size_t raw_len, const struct authorised *said)
{
    uint16_t from = (uint16_t)who->id;
    follow_judge_all(v, n, from, in, raw, raw_len);
    heed_authoriser(v, n, in, said);
    fill_rows(v, n, who, in);
    FAILPOINT(follow_judged);
    TRY(mark_all(v, n, in->items.n));
    FAILPOINT(follow_marked);
    return sign_all(out, v, n, from, in);
}

enum rc follow_round2(struct node *n, const struct node_from *who,
                      const struct wire_round2 *in, const uint8_t *raw,
                      size_t raw_len, const struct authorised *said,
                      struct wire_round2_reply *out)
{
    uint16_t from = (uint16_t)who->id;
    if (in->items.n == 0 || in->items.n > WIRE_MAX_BATCH)
        return rc_raise(RC_PARSE, "items: %zu, want 1..%d", in->items.n,
                        WIRE_MAX_BATCH);
    if (in->want_next > WIRE_MAX_NEXT)
        return rc_raise(RC_PARSE, "want_next: over %d", WIRE_MAX_NEXT);
    OWNED_MEM struct verdict *v = calloc(in->items.n, sizeof(*v));
    if (!v)
        return rc_raise(RC_NOMEM, "round 2: out of memory");
    TRY(wire_list_new(&out->items, in->items.n));
    pthread_rwlock_rdlock(&n->release_lock);
    enum rc rc = judge_and_sign(out, v, n, who, in, raw, raw_len, said);
    pthread_rwlock_unlock(&n->release_lock);
    TRY(rc);
    FAILPOINT(follow_shared);
    settle_refusals(v, n, in->items.n);
    node_lock(n);
    out->head = n->head;
    node_unlock(n);
    /* Shares are never held back because the next commitments fail. */
    if (v[0].rc == RC_OK && from != n->id &&
        follow_next_commitments(n, from, in->items.at[0].key,
                                in->items.at[0].epoch, in->want_next,
                                &out->next.at, &out->next.n) != RC_OK)
        out->next.n = 0;
    return RC_OK;
}

/* Body: u32be length, JSON, raw messages. */
static enum rc split_frame(const char **json, size_t *json_len,
                           const uint8_t **raw, size_t *raw_len,
                           const uint8_t *body, size_t len)
{
    struct bytes_reader r = bytes_reader(body, len);
    *json = (const char *)bytes_take_lp32(&r, json_len);
    if (r.failed)
        return rc_raise(RC_PARSE, "frame: shorter than it says");
    *raw = r.p;
    *raw_len = r.left;
    return RC_OK;
}

enum rc follow_on_round2(struct node *n, const struct node_from *from,
                         const uint8_t *body, size_t len, char **reply,
                         size_t *reply_len)
{
    const char *json;
    const uint8_t *raw;
    size_t json_len;
    size_t raw_len;
    TRY(split_frame(&json, &json_len, &raw, &raw_len, body, len));
    WIRE(round2) in = { 0 };
    TRY(wire_round2_decode(&in, json, json_len));
    WIRE(round2_reply) out = { 0 };
    struct authorised said[WIRE_MAX_BATCH] = { 0 };
    for (size_t i = 0; i < in.items.n && i < WIRE_MAX_BATCH; i++)
        session_hear(n, (uint16_t)from->id, &in.items.at[i].session);
    if (n->w.authorise)
        TRY(ask_authoriser(said, n, (uint16_t)from->id, &in, raw, raw_len));
    TRY(follow_round2(n, from, &in, raw, raw_len, said, &out));
    return wire_round2_reply_encode(reply, reply_len, &out);
}
