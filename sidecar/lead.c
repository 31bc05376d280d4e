/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leading, part one: a local caller's request becomes a job in its key's
 * queue; jobs end with an answer, exactly one each. Holds messages until they
 * are answered, never a share or a nonce. Rounds are in gather.c and round.c.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/enc.h"

void job_free(struct job *job)
{
    if (!job)
        return;
    wire_session_free(&job->session);
    if (job->birth)
        wire_birth_free(job->birth);
    free(job->birth);
    free(job->msg);
    free(job);
}

void lead_jobs_free(struct job *job)
{
    while (job) {
        struct job *next = job->next;
        job_free(job);
        job = next;
    }
}

/* ---- ends ------------------------------------------------------------------- */

/*
 * What people or the policy said stands for itself; a session that nobody
 * signed cost nobody anything, and the reason says more.
 */
static bool burns(const struct job *job, enum rc rc)
{
    return job->marked && job->session.requester.len && rc != RC_DENIED &&
           rc != RC_NOT_APPROVED && rc != RC_EXPIRED && rc != RC_POLICY_CHANGED;
}

static enum rc say_burnt(struct job *job, enum rc rc, const char *why)
{
    char id[ENC_HEX_SIZE(32)];
    job->burnt = true;
    (void)rc_raise(RC_SLOT_BURNT,
                   "slot_burnt: request a new session; session %s, slot %s, "
                   "attempt %llu failed after its mark: %.600s%s%s%s",
                   enc_hex(id, job->parsed.id, 32), policy_kind_name(job->kind),
                   (unsigned long long)job->attempt, why,
                   rc == RC_SLOT_BURNT ? "" : " (",
                   rc == RC_SLOT_BURNT ? "" : rc_slug(rc),
                   rc == RC_SLOT_BURNT ? "" : ")");
    rc_hint("mpcsign request FILE --profile %s --wait", job->parsed.profile);
    return RC_SLOT_BURNT;
}

static void answer_failed(struct node *n, struct job *job, enum rc rc,
                          const char *why, const char *hint)
{
    if (job->answered)
        return;
    job->answered = true;
    if (burns(job, rc)) {
        rc = say_burnt(job, rc, why);
    } else {
        (void)rc_raise(rc, "%s", why);
        if (hint && *hint)
            rc_hint("%s", hint);
    }
    node_answer(n, job->call, rc, NULL, 0);
}

void lead_job_failed(struct node *n, struct job *job, enum rc rc,
                     const char *why, const char *hint)
{
    answer_failed(n, job, rc, why, hint);
    abort_job(n, job, rc);
    once_job_ended(n, job, false, rc);
    job_free(job);
}

void lead_job_done(struct node *n, struct job *job, const uint8_t signature[64],
                   uint64_t intent)
{
    struct wire_signed out = { .attempt = job->attempt,
                               .epoch = job->key->epoch,
                               .intent = intent };
    memcpy(out.signature, signature, 64);
    memcpy(out.group_key, job->key->group_key, 32);
    memcpy(out.session, job->parsed.id, 32);
    snprintf(out.slot, sizeof(out.slot), "%s", policy_kind_name(job->kind));
    char *json = NULL;
    size_t len = 0;
    if (!job->answered) {
        enum rc rc = wire_signed_encode(&json, &len, &out);
        node_answer(n, job->call, rc, json, len);
    }
    abort_job_signed(n, job);
    once_job_ended(n, job, true, RC_OK);
    job_free(job);
}

/* ---- a request becomes a job -------------------------------------------------- */

/* The key must exist, be ours to lead, and its profile in force. */
static enum rc find_key(struct job *job, const struct policy_profile **profile,
                        struct node *n, const char *name)
{
    *profile = policy_profile_find(policy_chain_head(n->chain), name);
    if (!*profile) {
        enum rc rc = rc_raise(RC_UNKNOWN, "key %s: no such profile", name);
        rc_hint("mpcsign key list shows the keys there are");
        return rc;
    }
    job->key = node_key_by_name(
            n, policy_profile_key(policy_chain_head(n->chain), *profile)->name);
    if (!job->key && !(*profile)->ephemeral) {
        enum rc rc = rc_raise(RC_UNKNOWN, "key %s: not created yet", name);
        rc_hint("mpcsign key create %s", name);
        return rc;
    }
    if (job->key && job->key->live.gone)
        return rc_raise(RC_UNKNOWN, "key %s: it was destroyed", name);
    if (job->msg_len > (*profile)->max_message) {
        enum rc rc = rc_raise(RC_TOO_LARGE,
                              "message: %zu bytes, %s signs up to %u",
                              job->msg_len, name, (*profile)->max_message);
        rc_hint("sign it through CMS, or sign a digest file");
        return rc;
    }
    return RC_OK;
}

enum rc lead_needs_session(const struct node *n, const struct policy_profile *p)
{
    const struct policy_raise floor = node_raise(n);
    enum rc rc = rc_raise(
            RC_NOT_APPROVED,
            "key %s: needs approval by %u engineers and %u stewards, and no "
            "session is named (MPC_SESSION)",
            p->name,
            p->engineers > floor.engineers ? p->engineers : floor.engineers,
            p->stewards > floor.stewards ? p->stewards : floor.stewards);
    rc_hint("export MPC_SESSION=$(mpcsign request FILE --profile %s --wait)",
            p->name);
    return rc;
}

/*
 * One message a slot. Attempts go on where this node's own marks ended; what
 * other signers have marked beyond that costs an attempt each.
 */
enum rc lead_check_slot(struct job *job, struct node *n)
{
    struct store_slot slot;
    uint8_t commitment[32];
    char id[ENC_HEX_SIZE(32)];
    const char *kind = policy_kind_name(job->kind);
    TRY(store_slot_get(n->w.store, job->parsed.id, kind, &slot));
    tlog_commitment(commitment, job->parsed.nonce, job->msg, job->msg_len);
    const char *why = NULL;
    if (slot.burnt)
        why = "is burnt: an attempt failed after its mark";
    else if (slot.marked && memcmp(slot.message, commitment, 32) != 0)
        why = "is taken by another message, it is good for one";
    else if (job->key && slot.attempts >= max_attempts(job->key))
        why = "has no attempts left";
    if (why) {
        enum rc rc = rc_raise(RC_SLOT_BURNT,
                              "slot_burnt: request a new session; session %s: "
                              "its slot %s %s",
                              enc_hex(id, job->parsed.id, 32), kind, why);
        rc_hint("mpcsign request FILE --profile %s --wait",
                job->parsed.profile);
        return rc;
    }
    job->attempt = slot.attempts;
    return RC_OK;
}

/* Under lock. A session that was approved before, wherever that was. */
enum rc lead_load_session(struct wire_session *out, struct judged *j,
                          struct node *n, uint64_t call, const char *hex)
{
    uint8_t id[32];
    TRY(enc_unhex(id, 32, hex, strlen(hex)));
    audit_call_session(n, call, id);
    TRY(session_load(out, n, id));
    enum rc rc = session_judge(j, n, out);
    return rc == RC_NOT_APPROVED ? session_missing(n, &j->s, out) : rc;
}

/* Where callers are named, what was approved for one is not another's. */
enum rc lead_may_use(const struct node *n, const struct node_caller *who,
                     const struct policy_session *s)
{
    char uid[32];
    char hex[65];
    snprintf(uid, sizeof(uid), "uid.%u.node%u", (unsigned)who->uid, n->id);
    if (!who->own_sessions || strcmp(s->requester, uid) == 0 ||
        (who->name && strcmp(s->requester, who->name) == 0))
        return RC_OK;
    enum rc rc = rc_raise(
            RC_AUTH, "session %.8s: requested by %s; this caller is %s",
            enc_hex(hex, s->id, 32), s->requester, who->name ? who->name : uid);
    rc_hint("callers and session_users in the sidecar's configuration say who "
            "may use it");
    return rc;
}

/* Under lock. */
static enum rc find_session(struct job *job, struct node *n,
                            const struct node_caller *who,
                            const struct policy_profile *profile,
                            const char *session_hex)
{
    struct judged j;
    TRY(policy_classify(&job->kind, job->msg, job->msg_len));
    if (session_hex[0] == '\0') {
        if (profile->engineers || profile->stewards ||
            n->required_engineers > 0 || n->required_stewards > 0)
            return lead_needs_session(n, profile);
        TRY(session_open(&job->session, &j, n, profile, job->kind, who->uid,
                         job->msg, job->msg_len));
        job->opened = true;
        job->uid = who->uid;
    } else {
        TRY(lead_load_session(&job->session, &j, n, job->call, session_hex));
        TRY(lead_may_use(n, who, &j.s));
    }
    job->parsed = j.s;
    job->approved = j.approved;
    enum policy_kind kind;
    const struct policy_raise raise = node_raise(n);
    TRY(policy_payload_check_raised(&kind, profile, &j.s, job->msg,
                                    job->msg_len, &raise));
    return job->opened ? RC_OK : lead_check_slot(job, n);
}

/* Under lock. */
static enum rc reopen(struct node *n, struct job *job)
{
    const struct policy_profile *profile = policy_profile_find(
            policy_chain_head(n->chain), job->parsed.profile);
    if (!profile)
        return rc_raise(RC_POLICY_CHANGED, "key %s: its profile is gone",
                        job->parsed.profile);
    wire_session_free(&job->session);
    job->attempt = 0; /* another session, another slot */
    job->n_refused = 0;
    job->refused_why[0] = '\0';
    const struct node_caller who = { .uid = job->uid };
    return find_session(job, n, &who, profile, "");
}

/*
 * Under lock. Before each attempt: what was approved may have been denied or
 * revoked, or approved by one more.
 */
static enum rc judge_again(struct node *n, struct job *job)
{
    WIRE(session) now = { 0 };
    struct judged j;
    TRY(session_load(&now, n, job->parsed.id));
    enum rc rc = session_judge(&j, n, &now);
    if (rc == RC_NOT_APPROVED)
        rc = session_missing(n, &j.s, &now);
    TRY(rc);
    wire_session_free(&job->session);
    job->session = now;
    memset(&now, 0, sizeof(now)); /* moved */
    job->approved = j.approved;
    return RC_OK;
}

enum rc lead_job_current(struct node *n, struct job *job)
{
    enum rc rc = RC_OK;
    bool reopened = false;
    node_lock(n);
    const struct policy *p = policy_chain_head(n->chain);
    if (memcmp(job->parsed.policy, p->sha256, 32) != 0)
        rc = job->opened && !job->run
                     ? (reopened = true, reopen(n, job))
                     : rc_raise(RC_POLICY_CHANGED,
                                "session for %s: made under another policy "
                                "than version %llu",
                                job->parsed.profile,
                                (unsigned long long)p->version);
    else if (!job->opened)
        rc = judge_again(n, job);
    node_unlock(n);
    if (reopened) { /* nothing will come of what it logged before */
        abort_job(n, job, RC_POLICY_CHANGED);
        job->serial = ++n->last_job;
    }
    return rc;
}

/* Issuer class: the birth of the key that the certificate is for. */
static enum rc find_birth(struct job *job, struct node *n,
                          const struct policy_profile *profile)
{
    if (profile->class != POLICY_ISSUER || !n->w.tbs_birth)
        return RC_OK;
    uint64_t index;
    enum rc rc = n->w.tbs_birth(n->w.ctx, &index, job->msg, job->msg_len);
    if (rc == RC_UNKNOWN)
        return RC_OK; /* a root: the signers judge it by its session */
    TRY(rc);
    struct key *k = node_key_by_birth(n, index);
    if (!k)
        return rc_raise(RC_UNKNOWN,
                        "certificate: no key was born at index "
                        "%llu",
                        (unsigned long long)index);
    job->birth = calloc(1, sizeof(*job->birth)); /* it may outlive its key */
    if (!job->birth)
        return rc_raise(RC_NOMEM, "certificate: out of memory");
    return birth_copy(job->birth, &k->evidence);
}

static enum rc read_request(struct job *job, struct wire_sign *in,
                            const uint8_t *body, size_t len)
{
    struct bytes_reader r = bytes_reader(body, len);
    size_t json_len;
    const uint8_t *json = bytes_take_lp32(&r, &json_len);
    if (r.failed)
        return rc_raise(RC_PARSE, "frame: shorter than it says");
    TRY(wire_sign_decode(in, (const char *)json, json_len));
    job->msg = malloc(r.left + 1);
    if (!job->msg)
        return rc_raise(RC_NOMEM, "message: out of memory");
    memcpy(job->msg, r.p, r.left);
    job->msg_len = r.left;
    return RC_OK;
}

static enum rc fill_job(struct job *job, struct node *n,
                        const struct node_caller *who, const uint8_t *body,
                        size_t len)
{
    WIRE(sign) in = { 0 };
    const struct policy_profile *profile;
    TRY(read_request(job, &in, body, len));
    uint64_t wait = in.wait_ms < CALL_WAIT_MAX_MS ? in.wait_ms
                                                  : CALL_WAIT_MAX_MS;
    job->started_ms = n->w.now_ms(n->w.ctx);
    job->deadline_ms = job->started_ms + (int64_t)wait;
    node_lock(n);
    enum rc rc = find_key(job, &profile, n, in.key);
    bool once = rc == RC_OK && profile->ephemeral;
    if (rc == RC_OK && !once)
        rc = find_session(job, n, who, profile, in.session);
    if (rc == RC_OK && !once)
        rc = find_birth(job, n, profile);
    node_unlock(n);
    return once ? once_job(n, job, who, profile, in.session) : rc;
}

static void queue_job(struct job *job)
{
    struct job **at = &job->key->queue;
    while (*at)
        at = &(*at)->next;
    *at = job;
}

void lead_on_sign(struct node *n, uint64_t call, const struct node_caller *who,
                  const uint8_t *body, size_t len)
{
    struct job *job = calloc(1, sizeof(*job));
    if (!job) {
        node_answer(n, call, rc_raise(RC_NOMEM, "job"), NULL, 0);
        return;
    }
    job->call = call;
    job->serial = ++n->last_job;
    enum rc rc = fill_job(job, n, who, body, len);
    if (rc != RC_OK) {
        node_answer(n, call, rc, NULL, 0);
        job_free(job);
        return;
    }
    audit_call_session(n, call, job->parsed.id);
    if (job->run)
        once_queue(n, job);
    else
        queue_job(job);
    lead_pump(n);
}

/* ---- moving on -------------------------------------------------------------------- */

void lead_pump(struct node *n)
{
    unsigned n_keys = node_n_keys(n);
    for (unsigned i = 0; i < n_keys; i++)
        if (n->key[i].queue && !n->key[i].round)
            round_start(n, &n->key[i]);
    once_pump(n);
}

/* The best reason known; r is what the job is in flight with, or NULL. */
static void expire(struct node *n, struct job *job, const struct round *r)
{
    static const char *const waits[] = { [ROUND_GATHER] = "commitments",
                                         [ROUND_LOG] = "the log",
                                         [ROUND_SIGN] = "signature shares" };
    char why[64];
    job->marked = job->marked || (r && r->state == ROUND_SIGN);
    if (job->last_rc != RC_OK) {
        answer_failed(n, job, job->last_rc, job->last_why, job->last_hint);
        return;
    }
    snprintf(why, sizeof(why), "signing: the deadline passed%s%s",
             r ? ", waiting for " : "", r ? waits[r->state] : "");
    answer_failed(n, job, RC_TIMEOUT, why, "");
}

/* In flight: the round still needs the job, its caller does not. */
static void expire_shots(struct node *n, const struct round *r, int64_t now)
{
    for (unsigned i = 0; r && i < r->n_shots; i++)
        if (r->shot[i].job && now >= r->shot[i].job->deadline_ms)
            expire(n, r->shot[i].job, r);
}

static void expire_jobs(struct node *n, struct key *k, int64_t now)
{
    struct job **at = &k->queue;
    while (*at) {
        struct job *job = *at;
        bool starved = job->last_rc == RC_NODES &&
                       now - job->started_ms > NOBODY_MS;
        if (now < job->deadline_ms && !starved) {
            at = &job->next;
            continue;
        }
        *at = job->next;
        expire(n, job, NULL);
        abort_job(n, job, job->last_rc);
        once_job_ended(n, job, false, job->last_rc);
        job_free(job);
    }
}

void lead_expire_key(struct node *n, struct key *k, int64_t now)
{
    expire_jobs(n, k, now);
    expire_shots(n, k->round, now);
}

void lead_tick(struct node *n)
{
    int64_t now = n->w.now_ms(n->w.ctx);
    unsigned n_keys = node_n_keys(n);
    for (unsigned i = 0; i < n_keys; i++)
        lead_expire_key(n, &n->key[i], now);
    lead_pump(n);
}
