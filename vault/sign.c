/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One share of a signature, and everything that must hold before it. The
 * checks stand in the order of vault_sign()'s comment; the nonce is touched
 * last and is gone before the share is computed. Of secrets only the taken
 * nonce and z before it is released; z is public once it is.
 */
#include "vault/inner.h"

#include <string.h>

#include "base/clock.h"
#include "base/hash.h"

/* What the checks find out. */
struct judged {
    uint8_t msg_sha512[64];
    struct tlog_intent intent;
    struct vault_share *share;
    unsigned share_at;
    const struct vault_signer *mine;
    struct tlog_checkpoint cp;
    bool newest; /* cp is, or becomes, the newest head */
};

/*
 * DESIGN section 6: an intent is fresh for 120 s; a minute more for clocks
 * that differ. Without a ceiling one logged today could be kept for later.
 */
#define INTENT_LIFE_MAX_S 180

/* ---- answers given ----------------------------------------------------- */

static struct vault_answer *answer_find(struct vault_core *core,
                                        const uint8_t id[VAULT_NONCE_ID_LEN])
{
    uint64_t n = core->n_answers < VAULT_MAX_ANSWERS ? core->n_answers
                                                     : VAULT_MAX_ANSWERS;
    for (uint64_t i = 0; i < n; i++)
        if (memcmp(core->answer[i].nonce_id, id, VAULT_NONCE_ID_LEN) == 0)
            return &core->answer[i];
    return NULL;
}

/* The same request gets the same answer; any other one gets none. */
static enum rc answer_again(struct bytes_writer *out,
                            const struct vault_answer *a,
                            const uint8_t request[32])
{
    if (memcmp(a->request, request, 32) != 0)
        return rc_raise(RC_CONFLICT, "nonce: spent on another request");
    if (a->rc != RC_OK)
        return rc_raise(a->rc, "%s", a->text);
    bytes_put(out, a->reply, a->reply_len);
    return RC_OK;
}

static void answer_keep(struct vault_core *core, const uint8_t id[],
                        const uint8_t request[32], enum rc rc,
                        const uint8_t *reply, size_t reply_len)
{
    struct vault_answer *a =
            &core->answer[core->n_answers++ % VAULT_MAX_ANSWERS];
    *a = (struct vault_answer){ .rc = rc, .reply_len = reply_len };
    memcpy(a->nonce_id, id, VAULT_NONCE_ID_LEN);
    memcpy(a->request, request, 32);
    if (rc == RC_OK)
        memcpy(a->reply, reply, reply_len);
    else
        snprintf(a->text, sizeof(a->text), "%s", rc_text());
}

/* ---- checks ------------------------------------------------------------ */

static enum rc check_intent(struct judged *j,
                            const struct vault_sign_request *q)
{
    uint8_t commitment[32];
    const struct tlog_proof *proof = q->intent;
    TRY(tlog_intent_decode(&j->intent, proof->entry, proof->entry_len));
    tlog_commitment_of_hash(commitment, q->salt, j->msg_sha512);
    if (memcmp(commitment, j->intent.commitment, 32) != 0)
        return rc_raise(RC_VERIFY, "intent: commits to another message");
    if (memcmp(j->intent.key, q->key, 32) != 0)
        return rc_raise(RC_VERIFY, "intent: is for another key");
    if (j->intent.epoch != q->epoch)
        return rc_raise(RC_EPOCH_MOVED,
                        "intent: epoch %llu, the request's is %llu",
                        (unsigned long long)j->intent.epoch,
                        (unsigned long long)q->epoch);
    return RC_OK;
}

/* A key that was made for one session signs in no other. */
static enum rc check_once(const struct judged *j)
{
    if (!j->share->persistent &&
        memcmp(j->share->terms.session, j->intent.session, 32) != 0)
        return rc_raise(RC_VERIFY,
                        "intent: is of another session than its key");
    return RC_OK;
}

/* The package's signers are the intent's participants, through our roster. */
static enum rc check_signers(struct judged *j, const struct vault_core *core,
                             const struct vault_sign_request *q)
{
    uint8_t identities[FROST_MAX_SIGNERS][32];
    uint8_t participants[32];
    const struct tlog_roster_node *node;
    if (q->n_signers < j->share->terms.t)
        return rc_raise(RC_POLICY, "package: %u signers, the threshold is %u",
                        q->n_signers, j->share->terms.t);
    for (unsigned i = 0; i < q->n_signers; i++) {
        const struct vault_signer *s = &q->signers[i];
        if (i > 0 && s->node <= s[-1].node)
            return rc_raise(RC_POLICY, "package: signers do not ascend");
        if (!vault_share_member(j->share, s->node))
            return rc_raise(RC_POLICY, "package: node %u holds no share",
                            s->node);
        if (vault_roster_node(&node, core, s->node) != RC_OK)
            return rc_prefix(RC_POLICY, "package: ");
        memcpy(identities[i], node->identity, 32);
        if (s->node == core->node)
            j->mine = s;
    }
    if (!j->mine)
        return rc_raise(RC_POLICY, "package: node %u is not in it", core->node);
    tlog_participants(participants, (const uint8_t(*)[32])identities,
                      q->n_signers);
    if (memcmp(participants, j->intent.participants, 32) != 0)
        return rc_raise(RC_POLICY,
                        "intent: participants are not the package's signers");
    return RC_OK;
}

static enum rc check_log(struct judged *j, const struct vault_core *core,
                         const struct vault_sign_request *q)
{
    int64_t now = clock_now_s();
    if (now > j->intent.expires)
        return rc_raise(RC_EXPIRED, "intent: expired %lld s ago",
                        (long long)(now - j->intent.expires));
    if (j->intent.expires > now + INTENT_LIFE_MAX_S)
        return rc_raise(RC_EXPIRED, "intent: good for %lld s, at most %d",
                        (long long)(j->intent.expires - now),
                        INTENT_LIFE_MAX_S);
    TRY(tlog_proof_check(q->intent, &core->roster->of.log, &j->cp));
    return vault_head_judge(core, &j->newest, &j->cp, q->consistency);
}

/* ---- the share --------------------------------------------------------- */

static enum rc compute(struct frost_scalar *z, struct frost_point *r,
                       struct frost_nonce *nonce, struct vault_core *core,
                       const struct judged *j,
                       const struct vault_sign_request *q)
{
    struct frost_commitment list[FROST_MAX_SIGNERS];
    struct frost_point group;
    for (unsigned i = 0; i < q->n_signers; i++) {
        TRY(frost_id_from_u16(&list[i].id, q->signers[i].node));
        memcpy(list[i].hiding.b, q->signers[i].hiding, 32);
        memcpy(list[i].binding.b, q->signers[i].binding, 32);
    }
    memcpy(group.b, j->share->terms.group_key, 32);
    const struct frost_package package = { &group, q->msg,       q->msg_len,
                                           list,   q->n_signers, &core->cache };
    return frost_sign(z, r, nonce, &core->secret->share[j->share_at],
                      j->share->terms.t, &package);
}

static enum rc reply_write(struct bytes_writer *w,
                           const struct vault_core *core,
                           const struct judged *j, const struct frost_scalar *z,
                           const struct frost_point *r)
{
    char line[TLOG_SIG_LINE_MAX] = "";
    if (j->newest)
        TRY(tlog_cosign(line, &j->cp, clock_now_s(), &core->roster->cosigner,
                        core->secret->identity));
    bytes_put(w, z->le, 32);
    bytes_put(w, r->b, 32);
    bytes_put_u8(w, j->newest);
    bytes_put_lp16(w, line, strlen(line));
    return bytes_written(w);
}

/* From here the nonce is spent, whatever comes. */
static enum rc spend(struct vault_core *core, struct bytes_writer *out,
                     const struct judged *j, const struct vault_sign_request *q,
                     const uint8_t request[32])
{
    uint8_t reply[VAULT_ANSWER_MAX];
    WIPED(frost_nonce) nonce;
    WIPED(frost_scalar) z;
    struct bytes_writer w = bytes_writer(reply, sizeof(reply));
    TRY(vault_nonce_take(core, &nonce, q, j->mine));
    vault_head_accept(core, &j->cp);
    struct frost_point r;
    enum rc rc = compute(&z, &r, &nonce, core, j, q);
    if (rc == RC_OK)
        rc = reply_write(&w, core, j, &z, &r);
    answer_keep(core, q->nonce_id, request, rc, reply, w.len);
    if (rc == RC_OK)
        bytes_put(out, reply, w.len);
    return rc;
}

enum rc vault_on_sign(struct vault_core *core, struct bytes_writer *out,
                      struct bytes_reader *in, const struct vault_request *req)
{
    struct vault_sign_work work;
    struct judged j = { .mine = NULL };
    uint8_t request[32];
    vault_get_sign(in, &work);
    TRY(bytes_end(in, "sign"));
    struct vault_sign_request *q = &work.req;
    q->msg = req->msg;
    q->msg_len = req->msg_len;

    /* the whole request, the message by its hash */
    hash512(j.msg_sha512, q->msg, q->msg_len);
    const struct hash_part whole[] = { { req->body, req->body_len },
                                       { j.msg_sha512, 64 } };
    hash256_parts(request, whole, 2);
    const struct vault_answer *given = answer_find(core, q->nonce_id);
    if (given)
        return answer_again(out, given, request);

    TRY(check_intent(&j, q));
    TRY(vault_share_active(core, &j.share, &j.share_at, q->key, q->epoch));
    TRY(check_once(&j));
    TRY(check_signers(&j, core, q));
    TRY(check_log(&j, core, q));
    return spend(core, out, &j, q, request);
}
