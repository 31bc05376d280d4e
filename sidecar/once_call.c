/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who wants a session's key: a caller asks for it, for its certificates or for
 * a signature, by session or by name alone. The same process finds its own
 * again for a minute. What is asked waits until the key lives; when it has
 * signed what its session allows, or cannot any more, it ends everywhere.
 */
#include "sidecar/once_make.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"

static struct job **queue_end(struct job **at)
{
    while (*at)
        at = &(*at)->next;
    return at;
}

/* ---- ends -------------------------------------------------------------------------- */

/* Nobody waits any more: each gets this code and these words. */
static void answer_all(struct node *n, struct once_run *run, enum rc rc,
                       const char *why, const char *hint)
{
    while (run->calls) {
        struct once_call *c = run->calls;
        run->calls = c->next;
        (void)rc_raise(rc, "%s", why);
        if (*hint)
            rc_hint("%s", hint);
        node_answer(n, c->call, rc, NULL, 0);
        free(c);
    }
    struct job **queues[] = { &run->jobs,
                              run->once ? &run->once->key.queue : NULL };
    for (unsigned i = 0; i < 2; i++)
        while (queues[i] && *queues[i]) {
            struct job *job = *queues[i];
            *queues[i] = job->next;
            lead_job_failed(n, job, rc, why, hint);
        }
}

/* Its key ends everywhere; what is in flight ends by itself. */
static void end_run(struct node *n, struct once_run *run, enum rc rc,
                    const char *why)
{
    if (run->ended)
        return;
    run->ended = true;
    run->ended_ms = n->w.now_ms(n->w.ctx);
    run->rc = rc;
    snprintf(run->why, sizeof(run->why), "%s", why);
    once_close(n, run);
    if (run->calls || run->jobs || (run->once && run->once->key.queue)) {
        char text[960];
        enum rc gone = once_gone(run);
        snprintf(text, sizeof(text), "%s", rc_text());
        answer_all(n, run, gone, text, "");
    }
}

/* Every slot of it is burnt, for whoever asks later: no key can be made. */
static void burn_slots(struct node *n, const struct once_run *run)
{
    const struct policy_session *s = &run->judged.s;
    for (unsigned k = 0; k < POLICY__KINDS; k++) {
        if (!s->slot[k] || n->n_ended == ENDED_MAX)
            continue;
        struct store_end *e = &n->ended[n->n_ended++];
        *e = (struct store_end){ .reason = "key",
                                 .slot_ended = true,
                                 .expires = s->expires };
        memcpy(e->session, s->id, 32);
        snprintf(e->slot, sizeof(e->slot), "%s",
                 policy_kind_name((enum policy_kind)k));
    }
}

static bool can_retry(const struct node *n, const struct once_run *run,
                      enum rc rc, bool dealt)
{
    return run->anonymous && dealt && run->tries < ONCE_TRIES &&
           round_worth_another(rc) && rc != RC_LOG &&
           n->w.now_ms(n->w.ctx) < run->deadline_ms;
}

void once_failed(struct node *n, struct once_run *run, enum rc rc,
                 const char *why, bool dealt)
{
    char hint[200];
    char text[960];
    if (can_retry(n, run, rc, dealt) && once_open_again(run, n) == RC_OK) {
        once_make(n, run);
        return;
    }
    snprintf(hint, sizeof(hint),
             rc == RC_NODES  ? "start the missing nodes; mpcsign status shows "
                               "all"
             : rc == RC_BUSY ? "try again in a few seconds"
             : rc == RC_AUTH && !dealt
                     ? "another node makes it: try again in a moment"
             : dealt && !run->anonymous
                     ? "a session's key is made once: request a new session"
                     : "");
    snprintf(text, sizeof(text), "%s", why);
    run->ended = true;
    run->ended_ms = n->w.now_ms(n->w.ctx);
    run->rc = rc;
    snprintf(run->why, sizeof(run->why), "%.900s", text);
    if (!run->anonymous && dealt)
        burn_slots(n, run);
    else
        run->ended_ms -= ONCE_RUN_KEEP_MS; /* another try is another run */
    answer_all(n, run, rc, text, hint);
}

/* Nothing is there yet to wait for. */
static bool is_new(const struct once_run *run)
{
    return !run->ended && !run->making && !run->once;
}

/* ---- GET /v1/key and /v1/cert ---------------------------------------------------------------- */

static const struct policy_profile *profile_of(struct node *n, const char *key,
                                               char name[POLICY_NAME_MAX])
{
    size_t len = strcspn(key, "?");
    if (len >= POLICY_NAME_MAX)
        return NULL;
    memcpy(name, key, len);
    name[len] = '\0';
    node_lock(n);
    const struct policy_profile *f = policy_profile_find(
            policy_chain_head(n->chain), name);
    node_unlock(n);
    return f;
}

bool once_is(struct node *n, const char *key)
{
    char name[POLICY_NAME_MAX];
    const struct policy_profile *f = profile_of(n, key, name);
    return f && f->ephemeral;
}

static void answer_call(struct node *n, struct once_run *run,
                        const struct once_call *c)
{
    run->shown = true;
    if (c->cert)
        ask_cert_of(n, c->call, &run->once->key);
    else
        ask_key_of(n, c->call, &run->once->key);
}

void once_on_key(struct node *n, uint64_t call, const struct node_caller *who,
                 const char *key, bool cert)
{
    char name[POLICY_NAME_MAX];
    const struct policy_profile *f = profile_of(n, key, name);
    const char *query = strchr(key, '?');
    const char *hex = query && strncmp(query, "?session=", 9) == 0 ? query + 9
                                                                   : "";
    struct once_run *run = NULL;
    struct once_call *c = f ? calloc(1, sizeof(*c)) : NULL;
    enum rc rc = c ? once_want(&run, n, call, who, f, hex, false)
                   : rc_raise(RC_NOMEM, "once: out of memory");
    if (rc != RC_OK) {
        free(c);
        node_answer(n, call, rc, NULL, 0);
        return;
    }
    audit_call_session(n, call, run->judged.s.id);
    *c = (struct once_call){ .call = call, .cert = cert };
    if (run->once) {
        answer_call(n, run, c);
        free(c);
        return;
    }
    c->next = run->calls;
    run->calls = c;
    run->shown = true;
    if (is_new(run))
        once_make(n, run);
}

/* ---- POST /v1/sign ---------------------------------------------------------------------------- */

static enum rc check_payload(struct job *job, struct node *n,
                             const struct once_run *run,
                             const struct policy_profile *f)
{
    enum policy_kind kind;
    const struct policy_raise raise = node_raise(n);
    TRY(policy_payload_check_raised(&kind, f, &run->judged.s, job->msg,
                                    job->msg_len, &raise));
    job->kind = kind;
    if (run->used >> kind & 1 || (run->anonymous && run->used))
        return rc_raise(RC_SLOT_BURNT,
                        "slot_burnt: this session's slot %s is used up",
                        policy_kind_name(kind));
    return RC_OK;
}

enum rc once_job(struct node *n, struct job *job, const struct node_caller *who,
                 const struct policy_profile *f, const char *session_hex)
{
    struct once_run *run = NULL;
    TRY(once_want(&run, n, job->call, who, f, session_hex, true));
    job->kind = POLICY_RAW;
    enum rc rc = check_payload(job, n, run, f);
    job->parsed = run->judged.s;
    job->opened = run->anonymous;
    if (rc == RC_OK && !run->anonymous) {
        node_lock(n);
        rc = lead_check_slot(job, n);
        node_unlock(n);
    }
    if (rc != RC_OK && is_new(run)) { /* another try is another run */
        run->ended = true;
        run->ended_ms = n->w.now_ms(n->w.ctx) - ONCE_RUN_KEEP_MS;
    }
    TRY(rc);
    job->run = run;
    run->n_jobs++;
    return RC_OK;
}

/* The session may have been opened anew since it was asked. */
static enum rc attach(struct once_run *run, struct job *job)
{
    wire_session_free(&job->session);
    TRY(session_copy(&job->session, &run->session));
    job->parsed = run->judged.s;
    job->approved = run->judged.approved;
    job->key = &run->once->key;
    *queue_end(&job->key->queue) = job;
    return RC_OK;
}

void once_queue(struct node *n, struct job *job)
{
    struct once_run *run = job->run;
    if (run->once) {
        if (attach(run, job) != RC_OK)
            lead_job_failed(n, job, RC_NOMEM, "session: out of memory", "");
        return;
    }
    *queue_end(&run->jobs) = job;
    if (is_new(run))
        once_make(n, run);
}

void once_made(struct node *n, struct once_run *run)
{
    if (run->anonymous && !run->jobs && !run->calls && !run->shown) {
        end_run(n, run, RC_TIMEOUT, "nobody waited for it any more");
        return;
    }
    while (run->jobs) {
        struct job *job = run->jobs;
        run->jobs = job->next;
        job->next = NULL;
        once_queue(n, job);
    }
    while (run->calls) {
        struct once_call *c = run->calls;
        run->calls = c->next;
        answer_call(n, run, c);
        free(c);
    }
    lead_pump(n);
}

/* ---- a job has ended ----------------------------------------------------------------------------- */

static bool all_used(const struct once_run *run)
{
    for (unsigned k = 0; k < POLICY__KINDS; k++)
        if (run->judged.s.slot[k] && !(run->used >> k & 1))
            return false;
    return true;
}

void once_job_ended(struct node *n, struct job *job, bool is_signed, enum rc rc)
{
    struct once_run *run = TAKE(job->run);
    if (!run)
        return;
    run->n_jobs--;
    if (is_signed || job->marked)
        run->used |= 1u << job->kind;
    if (is_signed && (run->anonymous || all_used(run)))
        end_run(n, run, RC_OK, "its slots are used");
    else if (!is_signed && (run->anonymous || all_used(run)))
        end_run(n, run, rc, "signing failed");
    else if (rc == RC_DENIED || rc == RC_EXPIRED || rc == RC_POLICY_CHANGED)
        end_run(n, run, rc, "its session has ended");
}

/* ---- time ------------------------------------------------------------------------------------------ */

void once_pump(struct node *n)
{
    for (struct once_run *run = n->once_runs; run; run = run->next)
        if (run->once && run->once->key.queue && !run->once->key.round)
            round_start(n, &run->once->key);
}

static void expire_waiting(struct node *n, struct once_run *run, int64_t now)
{
    struct job **at = &run->jobs;
    while (*at) {
        struct job *job = *at;
        char why[200];
        if (now < job->deadline_ms) {
            at = &job->next;
            continue;
        }
        *at = job->next;
        once_make_waits(why, sizeof(why), run);
        run->n_jobs--;
        job->run = NULL; /* the key may still come of use to others */
        lead_job_failed(n, job, RC_TIMEOUT, why, "");
    }
}

/* Nothing of ours points to it any more. */
static bool may_go(const struct once_run *run, int64_t now)
{
    return run->ended && run->refs == 0 && run->n_jobs == 0 &&
           now - run->ended_ms >= ONCE_RUN_KEEP_MS;
}

static void prune(struct node *n, int64_t now)
{
    struct once_run **at = &n->once_runs;
    while (*at) {
        struct once_run *run = *at;
        if (!may_go(run, now)) {
            at = &run->next;
            continue;
        }
        *at = run->next;
        once_run_free(run);
    }
}

/* Our own node has ended it: its session, its policy or its time did. */
static void end_with_share(struct node *n, struct once_run *run)
{
    node_lock(n);
    const char *why = run->once->gone;
    node_unlock(n);
    if (why)
        end_run(n, run, RC_EXPIRED, why);
}

void once_tick(struct node *n)
{
    int64_t now = n->w.now_ms(n->w.ctx);
    for (struct once_run *run = n->once_runs; run; run = run->next) {
        if (run->making)
            once_make_tick(n, run);
        expire_waiting(n, run, now);
        if (!run->once)
            continue;
        if (!run->ended && n->w.now_s(n->w.ctx) >= run->judged.s.expires)
            end_run(n, run, RC_EXPIRED, "its session has expired");
        lead_expire_key(n, &run->once->key, now);
    }
    once_keep_tick(n);
    once_close_tick(n);
    for (struct once_run *run = n->once_runs; run; run = run->next)
        if (run->once)
            end_with_share(n, run);
    prune(n, now);
    once_pump(n);
}

void once_runs_free(struct node *n)
{
    once_close_free(n);
    while (n->once_runs) {
        struct once_run *run = n->once_runs;
        n->once_runs = run->next;
        while (run->calls) {
            struct once_call *c = run->calls;
            run->calls = c->next;
            free(c);
        }
        lead_jobs_free(run->jobs);
        if (run->once) {
            round_drop(run->once->key.round);
            lead_jobs_free(run->once->key.queue);
            run->once->key.round = NULL;
            run->once->key.queue = NULL;
        }
        once_making_free(run->making);
        once_run_free(run);
    }
}
