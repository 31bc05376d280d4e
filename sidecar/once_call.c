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

#define RUN_KEEP_MS ONCE_FIND_MS /* an ended one: why it has ended */

/* ---- whose keys they are --------------------------------------------------------- */

static struct job **queue_end(struct job **at)
{
    while (*at)
        at = &(*at)->next;
    return at;
}

void once_hold(const struct key *key)
{
    if (key && key->once)
        key->once->key.held++;
}

void once_release(const struct key *key)
{
    if (key && key->once)
        key->once->key.held--;
}

void once_drop_pools(struct node *n, uint16_t peer)
{
    for (struct once_run *run = n->once_runs; run; run = run->next) {
        struct key *k = run->once ? &run->once->key : NULL;
        for (unsigned i = 0; k && k->pools && i < k->n; i++)
            if (k->node[i] == peer)
                k->pools[i].n = 0;
    }
}

/* The key that our own node keeps of it is the one we lead by. */
enum rc once_lead_by(struct node *n, struct once_run *run)
{
    node_lock(n);
    struct once *o = once_find(n, run->judged.s.id);
    bool has = o && o->has_key && !o->gone;
    node_unlock(n);
    if (!has)
        return rc_raise(RC_SLOT_BURNT, "key is gone: %s",
                        o && o->gone ? o->gone : "nothing is known of it");
    if (!o->key.pools) {
        o->key.pools = calloc(o->key.n, sizeof(*o->key.pools));
        if (!o->key.pools)
            return rc_raise(RC_NOMEM, "once: out of memory");
        for (unsigned i = 0; i < o->key.n; i++)
            o->key.pools[i] = (struct pool){ .key = &o->key, .epoch = 1 };
    }
    run->once = o;
    once_hold(&o->key);
    return RC_OK;
}

/* ---- ends -------------------------------------------------------------------------- */

static enum rc say_gone(const struct once_run *run)
{
    char hex[ENC_HEX_SIZE(32)];
    enc_hex(hex, run->judged.s.id, 32);
    if (run->anonymous)
        return rc_raise(RC_SLOT_BURNT,
                        "key is gone: this key of %s signed what it was made "
                        "for, or could not (%s); load mpc:%s again",
                        run->profile, run->why, run->profile);
    enum rc rc = rc_raise(RC_SLOT_BURNT, "key is gone: session %s: %s", hex,
                          run->why);
    rc_hint("mpcsign request FILE --profile %s --wait", run->profile);
    return rc;
}

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
        enum rc gone = say_gone(run);
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

static enum rc open_session(struct once_run *run, struct node *n);

void once_failed(struct node *n, struct once_run *run, enum rc rc,
                 const char *why, bool dealt)
{
    char hint[200];
    char text[960];
    if (can_retry(n, run, rc, dealt) && open_session(run, n) == RC_OK) {
        once_make(n, run);
        return;
    }
    snprintf(hint, sizeof(hint),
             rc == RC_NODES  ? "start the missing nodes; mpcsign status shows "
                               "all"
             : rc == RC_BUSY ? "try again in a few seconds"
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
        run->ended_ms -= RUN_KEEP_MS; /* another try is another run */
    answer_all(n, run, rc, text, hint);
}

/* ---- the same key again -------------------------------------------------------------- */

static struct once_run *find_named(const struct node *n, const uint8_t id[32])
{
    int64_t now = n->w.now_ms(n->w.ctx);
    for (struct once_run *run = n->once_runs; run; run = run->next)
        if (!run->anonymous && memcmp(run->judged.s.id, id, 32) == 0 &&
            !(run->ended && now - run->ended_ms >= RUN_KEEP_MS))
            return run;
    return NULL;
}

/* This process opened it, not long ago; the newest one. */
static struct once_run *find_mine(const struct node *n,
                                  const struct node_caller *who,
                                  const char *profile)
{
    int64_t now = n->w.now_ms(n->w.ctx);
    for (struct once_run *run = n->once_runs; run; run = run->next)
        if (run->anonymous && who->pid && who->start && run->pid == who->pid &&
            run->start == who->start && run->uid == who->uid &&
            strcmp(run->profile, profile) == 0 &&
            now - run->opened_ms < ONCE_FIND_MS)
            return run;
    return NULL;
}

static enum rc caller_room(const struct node *n, const struct node_caller *who)
{
    unsigned live = 0;
    for (const struct once_run *run = n->once_runs; run; run = run->next)
        live += !run->ended && run->uid == who->uid;
    if (live < ONCE_CALLER_MAX)
        return RC_OK;
    enum rc rc = rc_raise(RC_BUSY,
                          "once: uid %u has %u sessions with a key of their "
                          "own here, at most %d",
                          (unsigned)who->uid, live, ONCE_CALLER_MAX);
    rc_hint("try again when some have signed, or in %d s", ONCE_LIFE_S);
    return rc;
}

/* ---- opening one ------------------------------------------------------------------------ */

/* Under lock. Every kind of the profile, and no artifact. */
static enum rc write_session(struct once_run *run, struct node *n)
{
    const struct policy *p = policy_chain_head(n->chain);
    const struct policy_profile *f = policy_profile_find(p, run->profile);
    struct policy_session s = { .type = POLICY_S_SIGN, .has_profile = true };
    char text[POLICY_DESCRIPTOR_MAX];
    size_t len;
    if (!f || !f->ephemeral)
        return rc_raise(RC_POLICY_CHANGED, "key %s: its profile is gone",
                        run->profile);
    memcpy(s.cluster, policy_chain_genesis(n->chain), 32);
    memcpy(s.policy, p->sha256, 32);
    snprintf(s.profile, sizeof(s.profile), "%s", f->name);
    for (unsigned k = 0; k < POLICY__KINDS; k++) {
        s.slot[k] = f->kinds[k];
        s.n_slots += f->kinds[k];
    }
    snprintf(s.requester, sizeof(s.requester), "uid.%u.node%u",
             (unsigned)run->uid, n->id);
    snprintf(s.reason, sizeof(s.reason), "local caller");
    TRY(n->w.random(n->w.ctx, s.nonce, sizeof(s.nonce)));
    s.created = n->w.now_s(n->w.ctx);
    s.expires = s.created +
                (f->max_ttl_s < ONCE_LIFE_S ? f->max_ttl_s : ONCE_LIFE_S);
    TRY(policy_session_write(text, &len, &s));
    wire_session_free(&run->session);
    TRY(wire_blob_set(&run->session.descriptor, text, len));
    return session_judge(&run->judged, n, &run->session);
}

static enum rc open_session(struct once_run *run, struct node *n)
{
    node_lock(n);
    enum rc rc = write_session(run, n);
    node_unlock(n);
    run->tries++;
    return rc;
}

static struct once_run *new_run(struct node *n, const struct node_caller *who,
                                const char *profile)
{
    struct once_run *run = calloc(1, sizeof(*run));
    if (!run) {
        (void)rc_raise(RC_NOMEM, "once: out of memory");
        return NULL;
    }
    run->uid = who->uid;
    run->pid = who->pid;
    run->start = who->start;
    snprintf(run->profile, sizeof(run->profile), "%s", profile);
    run->opened_ms = n->w.now_ms(n->w.ctx);
    run->deadline_ms = run->opened_ms + ONCE_MAKE_MS;
    return run;
}

static void free_run(struct once_run *run)
{
    wire_session_free(&run->session);
    once_release(run->once ? &run->once->key : NULL);
    free(run);
}

static void add_run(struct node *n, struct once_run *run)
{
    run->next = n->once_runs;
    n->once_runs = run;
}

static enum rc open_anonymous(struct once_run **out, struct node *n,
                              const struct node_caller *who,
                              const struct policy_profile *f)
{
    const struct policy_raise floor = node_raise(n);
    if (f->engineers || f->stewards || floor.engineers || floor.stewards)
        return lead_needs_session(n, f);
    TRY(caller_room(n, who));
    struct once_run *run = new_run(n, who, f->name);
    if (!run)
        return RC_NOMEM;
    run->anonymous = true;
    enum rc rc = open_session(run, n);
    if (rc != RC_OK) {
        free_run(run);
        return rc;
    }
    add_run(n, run);
    *out = run;
    return RC_OK;
}

/* ---- or a session that was approved ------------------------------------------------------- */

/* Under lock. Another node led it so far, or it is over. */
static enum rc check_known(bool *lives, const struct node *n,
                           const uint8_t id[32])
{
    const struct once *o = once_find(n, id);
    *lives = o && o->has_key && !o->gone;
    if (!o || *lives || (o->state == ONCE_BEGUN && !o->gone))
        return RC_OK;
    if (!o->gone && o->state != ONCE_KEPT)
        return rc_raise(RC_ORDER, "key of %s: node%u is making it", o->profile,
                        o->lead);
    enum rc rc = rc_raise(RC_SLOT_BURNT, "key is gone: %s",
                          o->gone ? o->gone : "it was made elsewhere");
    rc_hint("mpcsign request FILE --profile %s --wait", o->profile);
    return rc;
}

static enum rc load_named(struct once_run *run, bool *lives, struct node *n,
                          uint64_t call, const struct node_caller *who,
                          const char *hex)
{
    node_lock(n);
    enum rc rc = lead_load_session(&run->session, &run->judged, n, call, hex);
    if (rc == RC_OK)
        rc = lead_may_use(n, who, &run->judged.s);
    if (rc == RC_OK && strcmp(run->judged.s.profile, run->profile) != 0)
        rc = rc_raise(RC_POLICY, "session %.8s: is for %s, not for %s", hex,
                      run->judged.s.profile, run->profile);
    if (rc == RC_OK)
        rc = check_known(lives, n, run->judged.s.id);
    node_unlock(n);
    return rc;
}

static enum rc open_named(struct once_run **out, struct node *n, uint64_t call,
                          const struct node_caller *who,
                          const struct policy_profile *f, const char *hex)
{
    bool lives;
    TRY(caller_room(n, who));
    struct once_run *run = new_run(n, who, f->name);
    if (!run)
        return RC_NOMEM;
    enum rc rc = load_named(run, &lives, n, call, who, hex);
    if (rc == RC_OK && lives)
        rc = once_lead_by(n, run);
    if (rc != RC_OK) {
        free_run(run);
        return rc;
    }
    add_run(n, run);
    *out = run;
    return RC_OK;
}

/* What was approved may have been taken back since. */
static enum rc same_named(struct node *n, const struct once_run *run,
                          const struct node_caller *who, const char *profile)
{
    if (strcmp(run->profile, profile) != 0)
        return rc_raise(RC_POLICY, "session: is for %s, not for %s",
                        run->profile, profile);
    node_lock(n);
    enum rc rc = lead_may_use(n, who, &run->judged.s);
    node_unlock(n);
    TRY(rc);
    return run->ended ? say_gone(run) : RC_OK;
}

static enum rc want(struct once_run **out, struct node *n, uint64_t call,
                    const struct node_caller *who,
                    const struct policy_profile *f, const char *hex,
                    bool signing)
{
    uint8_t id[32];
    if (hex[0] == '\0') {
        struct once_run *run = find_mine(n, who, f->name);
        if (run && run->ended && run->shown && signing)
            return say_gone(run); /* the caller holds that public key */
        *out = run;
        return run && !run->ended ? RC_OK : open_anonymous(out, n, who, f);
    }
    TRY(enc_unhex(id, 32, hex, strlen(hex)));
    *out = find_named(n, id);
    return *out ? same_named(n, *out, who, f->name)
                : open_named(out, n, call, who, f, hex);
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
    enum rc rc = c ? want(&run, n, call, who, f, hex, false)
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
    TRY(want(&run, n, job->call, who, f, session_hex, true));
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
        run->ended_ms = n->w.now_ms(n->w.ctx) - RUN_KEEP_MS;
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
           now - run->ended_ms >= RUN_KEEP_MS;
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
        free_run(run);
    }
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
    prune(n, now);
    once_pump(n);
}

void once_runs_free(struct node *n)
{
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
        free_run(run);
    }
}
