/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leading, part five: all replies of a round are in. The shares are summed
 * and verified, and only then does a caller hear of it; what was refused
 * tries again or ends with the reason and the node's name.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/failpoint.h"

/* ---- summing ------------------------------------------------------------- */

/* Whose R to believe first: our own, else the first signer's. */
static const struct wire_round2_result *own_result(const struct node *n,
                                                   const struct round *r,
                                                   const struct shot *shot)
{
    for (unsigned i = 0; i < r->n_signers; i++)
        if (r->signer[i] == n->id)
            return &shot->results[i];
    return &shot->results[0];
}

static enum rc sum_shares(uint8_t sig[64], struct node *n,
                          const struct round *r, unsigned s)
{
    struct frost_commitment list[TLOG_MAX_NODES];
    struct frost_sig_share shares[TLOG_MAX_NODES];
    struct frost_point ys[TLOG_MAX_NODES];
    struct frost_point group;
    struct frost_culprits bad;
    struct frost_point hint;
    const struct shot *shot = &r->shot[s];
    for (unsigned i = 0; i < r->n_signers; i++) {
        const struct wire_signer *w = &shot->item.signers.at[i];
        TRY(frost_id_from_u16(&list[i].id, r->signer[i]));
        memcpy(list[i].hiding.b, w->hiding, 32);
        memcpy(list[i].binding.b, w->binding, 32);
        shares[i].id = list[i].id;
        memcpy(shares[i].z.le, shot->results[i].share, 32);
        for (unsigned k = 0; k < r->key->n; k++)
            if (r->key->node[k] == r->signer[i])
                ys[i] = r->key->y[k];
    }
    memcpy(group.b, r->key->group_key, 32);
    const struct frost_package package = {
        &group, shot->job->msg, shot->job->msg_len, list, r->n_signers, NULL
    };
    memcpy(hint.b, own_result(n, r, shot)->group_commitment, 32);
    enum rc rc = frost_aggregate(sig, &package, shares, ys, &hint, &bad);
    if (rc != RC_CHEATER)
        return rc;
    char who[64] = "";
    for (unsigned i = 0; i < bad.n; i++) {
        uint16_t id = frost_id_to_u16(&bad.id[i]);
        size_t at = strlen(who);
        snprintf(who + at, sizeof(who) - at, " node%u", id);
        (void)rc_raise(RC_CHEATER, "wrong signature share");
        peer_down(n, id, CHEATER_DOWN_MS, RC_CHEATER);
    }
    return rc_raise(RC_CHEATER, "wrong signature share from%s", who);
}

/* ---- refusals ---------------------------------------------------------------------------- */

/* Nonces of a vault that is gone, or that it has dropped. */
static void drop_pool(struct node *n, const struct round *r, unsigned i)
{
    struct peer *p = node_peer(n, r->signer[i]);
    struct pool *pool = p ? peer_pool(p, r->key) : NULL;
    if (pool)
        pool->n = 0;
}

/* It judges by another policy than ours: is it the one that is behind? */
static enum rc other_policy(struct node *n, const struct round *r, unsigned s,
                            unsigned i)
{
    struct wire_policy_head own;
    const struct job *job = r->shot[s].job;
    node_policy_head(n, &own);
    if (memcmp(own.sha256, job->parsed.policy, 32) != 0)
        return job->opened ? RC_ORDER : RC_POLICY_CHANGED;
    char why[300];
    snprintf(why, sizeof(why), "%.299s", rc_text());
    (void)rc_raise(RC_ORDER, "lives under another policy");
    peer_down(n, r->signer[i], DOWN_MS, RC_ORDER);
    govern_tell(n, r->signer[i]);
    govern_ask(n, r->signer[i]); /* or is it we who are behind? */
    return rc_raise(RC_ORDER, "%s", why);
}

/* This signer is not asked again for this job. */
static void add_refusal(struct job *job, uint16_t node, enum rc rc,
                        const struct wire_round2_result *res)
{
    size_t at = strlen(job->refused_why);
    if (job->n_refused == TLOG_MAX_NODES)
        return;
    if (job->n_refused == 0)
        job->refused_rc = rc;
    job->refused[job->n_refused++] = node;
    snprintf(job->refused_why + at, sizeof(job->refused_why) - at,
             "%snode%u: %.400s", at ? "; " : "", node,
             res->message.p && res->message.len ? res->message.p : res->code);
}

/*
 * What a single signer says for good ends nothing: it may lie. The job ends
 * when we say so ourselves, or when too few are left that have not refused.
 */
static enum rc judge_refusals(bool *others, struct node *n,
                              const struct round *r, unsigned s)
{
    struct job *job = r->shot[s].job;
    bool any = false;
    for (unsigned i = 0; i < r->n_signers; i++) {
        const struct wire_round2_result *res = &r->shot[s].results[i];
        enum rc rc = rc_from_slug(res->code);
        if (rc == RC_OK || rc == RC_POLICY_CHANGED || round_worth_another(rc))
            continue;
        if (r->signer[i] == n->id)
            return rc_raise(rc, "node%u: %s", n->id,
                            res->message.p ? res->message.p : res->code);
        add_refusal(job, r->signer[i], rc, res);
        any = true;
    }
    if (!any)
        return RC_OK;
    *others = job_signers_left(n, job) >= job->key->t;
    return rc_raise(job->refused_rc, "%s", job->refused_why);
}

/* RC_OK, or the first refusal, with the node's name in front. */
static enum rc first_refusal(bool *others, struct node *n,
                             const struct round *r, unsigned s)
{
    enum rc first = RC_OK;
    unsigned at = 0;
    for (unsigned i = 0; i < r->n_signers; i++) {
        enum rc rc = rc_from_slug(r->shot[s].results[i].code);
        if (rc == RC_UNKNOWN || rc == RC_ORDER)
            drop_pool(n, r, i);
        if (rc == RC_EPOCH_MOVED)
            peer_moving(n, r->key, r->signer[i]);
        if (first == RC_OK && rc != RC_OK) {
            first = rc;
            at = i;
        }
    }
    if (first == RC_OK)
        return RC_OK;
    TRY(judge_refusals(others, n, r, s));
    const struct wire_round2_result *res = &r->shot[s].results[at];
    (void)rc_raise(first, "node%u: %s", r->signer[at],
                   res->message.p ? res->message.p : res->code);
    if (first == RC_POLICY_CHANGED)
        return other_policy(n, r, s, at);
    /* what a signer does not know is not what the caller asked for */
    return first == RC_UNKNOWN ? RC_ORDER : first;
}

/* ---- signers that know a newer head -------------------------------------------------------- */

/* Its size by the log's own signature, or 0. */
static uint64_t size_of(struct node *n, const struct wire_text *note)
{
    struct tlog_checkpoint cp;
    if (!note->p ||
        tlog_checkpoint_open(&cp, note->p, note->len, &n->log) != RC_OK)
        return 0;
    return cp.size;
}

/* Marks in r->ask who is to be asked again; false when nobody is. */
static bool ask_again(struct node *n, struct round *r)
{
    bool any = false;
    for (unsigned i = 0; i < r->n_signers; i++) {
        r->ask[i] = false;
        for (unsigned s = 0; s < r->n_shots; s++) {
            const struct wire_round2_result *res = &r->shot[s].results[i];
            if (rc_from_slug(res->code) != RC_HEAD_BEHIND)
                continue;
            r->ask[i] = any = true;
            r->from[i] = size_of(n, &res->head);
        }
    }
    return any;
}

/* Lines over the checkpoint that is about to be replaced. */
static void drop_cosignatures(struct round *r)
{
    for (unsigned s = 0; s < r->n_shots; s++)
        for (unsigned i = 0; i < r->n_signers; i++) {
            struct wire_text *line = &r->shot[s].results[i].cosignature;
            if (line->p) {
                line->p[0] = '\0';
                line->len = 0;
            }
        }
}

/* ---- the end ------------------------------------------------------------------------------- */

static enum rc finish_shot(bool *others, struct node *n, struct round *r,
                           unsigned s)
{
    uint8_t sig[64];
    struct job *job = r->shot[s].job;
    TRY(first_refusal(others, n, r, s));
    TRY(sum_shares(sig, n, r, s));
    FAILPOINT(lead_signed);
    uint64_t intent = r->shot[s].item.intent.index; /* the item moves */
    bundle_keep(n, r, s, sig);
    r->shot[s].job = NULL;
    lead_job_done(n, job, sig, intent); /* reply first */
    return RC_OK;
}

/* A signer that answered with a share has marked; who did not answer may. */
static void note_marks(struct round *r)
{
    for (unsigned s = 0; s < r->n_shots; s++)
        for (unsigned i = 0; r->shot[s].job && i < r->n_signers; i++) {
            const char *code = r->shot[s].results[i].code;
            if (!*code || rc_from_slug(code) == RC_OK)
                r->shot[s].job->marked = true;
        }
}

void round_finish(struct node *n, struct round *r)
{
    note_marks(r);
    if (r->failed) {
        round_abandon(n, r);
        return;
    }
    if (r->resends < MAX_RESENDS && ask_again(n, r)) {
        r->resends++;
        drop_cosignatures(r);
        round_log_again(n, r); /* may end and free r */
        return;
    }
    for (unsigned s = r->n_shots; s-- > 0;) {
        bool others = false;
        enum rc rc = finish_shot(&others, n, r, s);
        if (rc == RC_OK || !r->shot[s].job)
            continue;
        round_fail(r, rc);
        r->others = others;
        round_requeue(n, r, s);
    }
    round_abandon(n, r); /* nothing is left in it */
}
