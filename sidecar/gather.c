/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leading, part two: choose t healthy signers, see that each has commitments
 * ready, and take up to a batch of jobs. One round per key is in flight, so
 * the signers' heads only ever move forward; whatever queues meanwhile is the
 * next batch (natural batching, no timers).
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#define BATCH_BYTES (64 * 1024)
#define LOG_REST_MS 300

/* ---- peers -------------------------------------------------------------------- */

/* A key of one session has its own: it goes with them. */
static struct pool *own_pool(const struct peer *p, const struct key *key)
{
    for (unsigned i = 0; key->pools && i < key->n; i++)
        if (key->node[i] == p->id)
            return &key->pools[i];
    return NULL;
}

struct pool *peer_pool(struct peer *p, const struct key *key)
{
    if (key->once)
        return own_pool(p, key);
    struct pool *free_one = NULL;
    for (unsigned i = 0; i < POLICY_MAX_PROFILES; i++) {
        struct pool *pool = &p->pool[i];
        if (pool->key == key) {
            if (pool->epoch != key->epoch) {
                pool->n = 0;
                pool->epoch = key->epoch;
            }
            return pool;
        }
        if (!pool->key && !free_one)
            free_one = pool;
    }
    if (free_one)
        *free_one = (struct pool){ .key = key, .epoch = key->epoch };
    return free_one;
}

static void drop_pools(struct node *n, struct peer *p)
{
    for (unsigned i = 0; i < POLICY_MAX_PROFILES; i++)
        p->pool[i].n = 0;
    once_drop_pools(n, p->id);
}

void peer_down(struct node *n, uint32_t id, int64_t for_ms, enum rc rc)
{
    struct peer *p = node_peer(n, (uint16_t)id);
    if (!p)
        return;
    if (rc == RC_TIMEOUT && for_ms < TIMEOUT_DOWN_MS)
        for_ms = TIMEOUT_DOWN_MS;
    p->down_until_ms = n->w.now_ms(n->w.ctx) + for_ms;
    snprintf(p->why, sizeof(p->why), "%s (%s)", rc_text(), rc_slug(rc));
    drop_pools(n, p);
}

void peer_moving(struct node *n, const struct key *key, uint16_t id)
{
    struct peer *p = node_peer(n, id);
    if (!p || id == n->id || key->once)
        return; /* a session's key stays where it was born */
    p->moving = true;
    p->down_until_ms = n->w.now_ms(n->w.ctx) + MOVING_DOWN_MS;
    epoch_meet(n, id, key);
}

/*
 * RFC 9591 section 5.3: malformed commitments are the sender's fault, found
 * before an intent is logged and before an honest signer refuses them.
 */
static enum rc commitment_check(uint16_t id, const struct wire_commitment *in)
{
    struct frost_commitment c;
    TRY(frost_id_from_u16(&c.id, id));
    memcpy(c.hiding.b, in->hiding, 32);
    memcpy(c.binding.b, in->binding, 32);
    if (frost_commitment_check(&c, NULL) != RC_OK)
        return rc_raise(RC_CHEATER, "its commitments are no points");
    return RC_OK;
}

enum rc peer_pool_fill(struct pool *pool, uint16_t id,
                       const struct wire_commitment *next, size_t n)
{
    for (size_t i = 0; i < n && pool->n < POOL_CAP; i++) {
        TRY(commitment_check(id, &next[i]));
        pool->at[pool->n++] = next[i];
    }
    return RC_OK;
}

void peer_see_boot(struct node *n, struct peer *p, const uint8_t boot[16])
{
    if (memcmp(p->boot, boot, 16) == 0)
        return;
    memcpy(p->boot, boot, 16);
    drop_pools(n, p);
    p->standing.fresh = false;
    standing_meet(n, p->id);
}

/* ---- choosing ------------------------------------------------------------------- */

/* Of a session's key it may go at any time. */
static bool have_own(struct node *n, const struct key *k)
{
    node_lock(n);
    bool have = k->have_share;
    node_unlock(n);
    return have;
}

/* A session's key is not repaired: it does without this one. */
static bool has_lost(const struct peer *p, const struct key *k)
{
    const struct pool *pool = k->once ? own_pool(p, k) : NULL;
    return pool && pool->lost;
}

static bool usable(struct node *n, const struct key *k, unsigned i, int64_t now)
{
    if (node_is_leaving(n, k->node[i]))
        return false;
    if (k->node[i] == n->id)
        return have_own(n, k);
    const struct peer *p = node_peer(n, k->node[i]);
    return p && p->down_until_ms <= now && !has_lost(p, k);
}

static void sort_ids(uint16_t *id, unsigned n)
{
    for (unsigned i = 1; i < n; i++)
        for (unsigned j = i; j > 0 && id[j - 1] > id[j]; j--) {
            uint16_t t = id[j];
            id[j] = id[j - 1];
            id[j - 1] = t;
        }
}

static bool has_refused(const struct job *job, uint16_t node)
{
    for (unsigned i = 0; i < job->n_refused; i++)
        if (job->refused[i] == node)
            return true;
    return false;
}

unsigned job_signers_left(struct node *n, const struct job *job)
{
    const struct key *k = job->key;
    unsigned left = 0;
    for (unsigned i = 0; i < k->n; i++)
        left += !has_refused(job, k->node[i]) &&
                !node_is_leaving(n, k->node[i]) &&
                (k->node[i] != n->id || have_own(n, k));
    return left;
}

/*
 * More than the key needs where the policy in force asks for more: its
 * threshold was raised, and the key has not moved yet. Bundles are judged by
 * that policy; where too few are there it keeps nobody from signing.
 */
static unsigned wanted(struct node *n, const struct key *k)
{
    node_lock(n);
    const struct policy_profile *f = policy_profile_find(
            policy_chain_head(n->chain), k->name);
    unsigned t = f && f->threshold > k->t ? f->threshold : k->t;
    node_unlock(n);
    return t;
}

/* Ourselves first: our share costs no round trip. Then around the ring. */
static bool choose(struct round *r, struct node *n, struct key *k,
                   const struct job *job)
{
    int64_t now = n->w.now_ms(n->w.ctx);
    unsigned want = wanted(n, k);
    r->n_signers = 0;
    for (unsigned i = 0; i < k->n; i++)
        if (k->node[i] == n->id && usable(n, k, i, now))
            r->signer[r->n_signers++] = n->id;
    for (unsigned i = 0; i < k->n && r->n_signers < want; i++) {
        unsigned at = (k->turn + i) % k->n;
        if (k->node[at] != n->id && usable(n, k, at, now) &&
            !has_refused(job, k->node[at]))
            r->signer[r->n_signers++] = k->node[at];
    }
    sort_ids(r->signer, r->n_signers);
    return r->n_signers >= k->t;
}

/* "needs 2 of 3 nodes, has 1; node2: …; node3: …" */
static void say_nobody(struct node *n, struct key *k, struct job *job,
                       unsigned have)
{
    char *why = job->last_why;
    size_t cap = sizeof(job->last_why);
    int at = snprintf(why, cap, "key %s: needs %u of %u nodes, has %u%s%s",
                      k->name, k->t, k->n, have, job->n_refused ? "; " : "",
                      job->refused_why);
    int64_t now = n->w.now_ms(n->w.ctx);
    for (unsigned i = 0; i < k->n && at > 0 && (size_t)at < cap; i++) {
        if (k->node[i] == n->id || usable(n, k, i, now) ||
            has_refused(job, k->node[i]))
            continue;
        at += snprintf(why + at, cap - (size_t)at, "; node%u: %s", k->node[i],
                       node_is_leaving(n, k->node[i])
                               ? "leaving: it signs no more"
                       : has_lost(node_peer(n, k->node[i]), k)
                               ? "its share of this key is gone"
                               : node_peer(n, k->node[i])->why);
    }
    job->last_rc = RC_NODES;
    snprintf(job->last_hint, sizeof(job->last_hint),
             "start the missing nodes; mpcsign status shows all");
}

/* Signers for the first job that has enough of them. */
static bool choose_any(struct round *r, struct node *n, struct key *k)
{
    for (struct job *job = k->queue; job; job = job->next) {
        if (choose(r, n, k, job)) {
            k->turn++;
            return true;
        }
        say_nobody(n, k, job, r->n_signers);
    }
    return false;
}

/* ---- a round ----------------------------------------------------------------------- */

void round_free(struct round *r)
{
    if (!r)
        return;
    for (unsigned i = 0; i < r->n_shots; i++) {
        wire_round2_item_free(&r->shot[i].item);
        for (unsigned j = 0; r->shot[i].results && j < r->n_signers; j++)
            wire_round2_result_free(&r->shot[i].results[j]);
        free(r->shot[i].results);
    }
    wire_appended_free(&r->appended);
    free(r);
}

void round_drop(struct round *r)
{
    for (unsigned i = 0; r && i < r->n_shots; i++)
        job_free(r->shot[i].job);
    round_free(r);
}

/* None of this round's signers has refused it. */
static bool wanted_by_all(const struct round *r, const struct job *job)
{
    for (unsigned i = 0; i < r->n_signers; i++)
        if (has_refused(job, r->signer[i]))
            return false;
    return true;
}

static void take_jobs(struct node *n, struct round *r, struct key *k)
{
    size_t bytes = 0;
    struct job **at = &k->queue;
    while (*at && r->n_shots < WIRE_MAX_BATCH) {
        struct job *job = *at;
        if (!wanted_by_all(r, job)) {
            at = &job->next;
            continue;
        }
        if (r->n_shots && bytes + job->msg_len > BATCH_BYTES)
            return;
        *at = job->next;
        job->next = NULL;
        enum rc rc = lead_job_current(n, job);
        if (rc != RC_OK) {
            char why[960];
            snprintf(why, sizeof(why), "%.959s", rc_text());
            char hint[256];
            snprintf(hint, sizeof(hint), "%s", rc_hint_text());
            lead_job_failed(n, job, rc, why,
                            *hint ? hint : "request a new session");
            continue;
        }
        bytes += job->msg_len;
        job->attempt++;
        r->shot[r->n_shots].serial = job->serial;
        r->shot[r->n_shots++].job = job;
    }
}

/* Commitments of a peer arrived: into its pool. */
static enum rc fill_pool(struct node *n, struct round *r, uint16_t id,
                         const uint8_t *body, size_t len)
{
    WIRE(commitments) in = { 0 };
    TRY(wire_commitments_decode(&in, (const char *)body, len));
    struct peer *p = node_peer(n, id);
    struct pool *pool = p ? peer_pool(p, r->key) : NULL;
    if (!pool)
        return rc_raise(RC_NOMEM, "commitments: no place for node%u", id);
    peer_see_boot(n, p, in.boot);
    p->head = in.head;
    TRY(peer_pool_fill(pool, id, in.next.at, in.next.n));
    p->why[0] = '\0';
    return pool->n >= r->n_shots
                   ? RC_OK
                   : rc_raise(RC_PARSE, "commitments: %u, wanted %u", pool->n,
                              r->n_shots);
}

/* Who does not know the key, or its epoch, is told. */
static void no_commitments(struct node *n, const struct key *k, uint16_t from,
                           enum rc rc)
{
    struct peer *p = node_peer(n, from);
    struct pool *pool = p && k->once ? peer_pool(p, k) : NULL;
    char why[960];
    snprintf(why, sizeof(why), "%s", rc_text());
    if (pool && rc == RC_UNKNOWN) {
        pool->lost = true; /* until it says otherwise */
        once_tell(n, from, k);
    } else {
        peer_down(n, from, rc == RC_CHEATER ? CHEATER_DOWN_MS : DOWN_MS, rc);
        if (rc == RC_UNKNOWN || rc == RC_EPOCH_MOVED)
            peer_moving(n, k, from);
        else if (rc == RC_ORDER && !k->once)
            epoch_meet(n, from, k); /* not active yet? */
    }
    (void)rc_raise(rc, "%s", why);
}

static void gathered(struct node *n, void *arg, uint32_t from, enum rc rc,
                     const uint8_t *body, size_t len)
{
    struct round *r = arg;
    if (rc == RC_OK)
        rc = fill_pool(n, r, (uint16_t)from, body, len);
    if (rc != RC_OK) {
        no_commitments(n, r->key, (uint16_t)from, rc);
        (void)rc_prefix(rc, "node%u: ", from);
        round_fail_by_peer(r, rc);
    }
    if (--r->waiting > 0)
        return;
    if (r->failed)
        round_abandon(n, r);
    else
        round_log(n, r);
}

static enum rc ask_commitments(struct node *n, struct round *r, uint16_t id)
{
    struct wire_commit ask = { .epoch = r->key->epoch,
                               .count = r->key->once ? ONCE_NEXT
                                                     : POOL_REFILL };
    memcpy(ask.key, r->key->id, 32);
    OWNED_MEM char *json = NULL;
    size_t len;
    TRY(wire_commit_encode(&json, &len, &ask));
    node_send(n, id, "/v1/frost/commit", json, len, r->deadline_ms, gathered, r,
              id);
    return RC_OK;
}

static void gather(struct node *n, struct round *r)
{
    uint16_t ask[TLOG_MAX_NODES];
    unsigned n_ask = 0;
    for (unsigned i = 0; i < r->n_signers; i++) {
        struct peer *p = node_peer(n, r->signer[i]);
        struct pool *pool = p ? peer_pool(p, r->key) : NULL;
        if (r->signer[i] != n->id && (!pool || pool->n < r->n_shots))
            ask[n_ask++] = r->signer[i];
    }
    if (n_ask == 0) {
        round_log(n, r);
        return;
    }
    r->waiting = n_ask; /* before the first send: a reply may come at once */
    for (unsigned i = 0; i < n_ask; i++) {
        enum rc rc = ask_commitments(n, r, ask[i]);
        if (rc != RC_OK)
            gathered(n, r, ask[i], rc, NULL, 0);
    }
}

/*
 * Nothing is led under a log that has forked: every job ends. Before we know
 * what our peers have seen, they wait.
 */
static bool log_refused(struct node *n, struct key *k)
{
    node_lock(n);
    enum rc rc = standing_check(n);
    node_unlock(n);
    if (rc == RC_OK)
        return false;
    char why[960];
    char hint[200];
    snprintf(why, sizeof(why), "%s", rc_text());
    snprintf(hint, sizeof(hint), "%.199s", rc_hint_text());
    for (struct job *job = k->queue; rc != RC_LOG && job; job = job->next) {
        job->last_rc = rc;
        snprintf(job->last_why, sizeof(job->last_why), "%s", why);
    }
    while (rc == RC_LOG && k->queue) {
        struct job *job = k->queue;
        k->queue = job->next;
        lead_job_failed(n, job, rc, why, hint);
    }
    return true;
}

void round_start(struct node *n, struct key *k)
{
    if (n->w.now_ms(n->w.ctx) < k->rest_until_ms || log_refused(n, k))
        return;
    keys_settle(n, k);
    struct round *r = calloc(1, sizeof(*r));
    if (!r)
        return; /* the next tick tries again */
    r->key = k;
    r->deadline_ms = n->w.now_ms(n->w.ctx) + ROUND_MS;
    if (!choose_any(r, n, k)) {
        free(r);
        return;
    }
    take_jobs(n, r, k);
    if (r->n_shots == 0) {
        free(r);
        return;
    }
    for (unsigned i = 0; i < r->n_shots; i++) {
        r->shot[i].results = calloc(r->n_signers, sizeof(*r->shot->results));
        if (!r->shot[i].results) {
            k->round = r;
            k->rest_until_ms = n->w.now_ms(n->w.ctx) + LOG_REST_MS;
            r->rc = rc_raise(RC_NOMEM, "round: out of memory");
            round_abandon(n, r);
            return;
        }
    }
    k->round = r;
    gather(n, r);
}

/* ---- giving up an attempt --------------------------------------------------------- */

/* Codes that another attempt, other signers or a little time may cure. */
bool round_worth_another(enum rc rc)
{
    switch (rc) {
    case RC_NOMEM:
    case RC_IO:
    case RC_TIMEOUT:
    case RC_UNREACHABLE:
    case RC_PARSE:
    case RC_UNKNOWN:
    case RC_CONFLICT:
    case RC_ORDER:
    case RC_EPOCH_MOVED:
    case RC_ATTEST:
    case RC_POLICY_HASH:
    case RC_AUTH:
    case RC_VERIFY:
    case RC_LOG:
    case RC_HEAD_BEHIND:
    case RC_NODES:
    case RC_CHEATER:
    case RC_STORE:
    case RC_INTERNAL:
        return true;
    default:
        return false;
    }
}

void round_requeue(struct node *n, struct round *r, unsigned s)
{
    struct job *job = r->shot[s].job;
    r->shot[s].job = NULL;
    if (!job)
        return; /* answered already */
    if (job->answered) {
        abort_job(n, job, RC_TIMEOUT);
        once_job_ended(n, job, false, RC_TIMEOUT);
        job_free(job);
        return;
    }
    job->last_rc = r->rc;
    snprintf(job->last_why, sizeof(job->last_why), "%s", r->why);
    snprintf(job->last_hint, sizeof(job->last_hint), "%s", r->hint);
    if ((!r->others && !round_worth_another(r->rc)) ||
        n->w.now_ms(n->w.ctx) >= job->deadline_ms) {
        lead_job_failed(n, job, r->rc, r->why, r->hint);
        return;
    }
    if (job->attempt >= max_attempts(job->key)) {
        char why[960];
        snprintf(why, sizeof(why), "slot_burnt after %llu attempts: %s",
                 (unsigned long long)job->attempt, r->why);
        if (r->rc == RC_LOG || r->rc == RC_HEAD_BEHIND)
            lead_job_failed(n, job, RC_LOG, why,
                            "the log did not show every node the same history: "
                            "compare with mpcsign log fsck");
        else
            lead_job_failed(n, job, RC_SLOT_BURNT, why,
                            "request a new session");
        return;
    }
    job->next = job->key->queue;
    job->key->queue = job;
}

void round_abandon(struct node *n, struct round *r)
{
    if (r->why[0] == '\0')
        snprintf(r->why, sizeof(r->why), "%s", rc_text());
    /* A round that never reached its signers marked nothing. */
    bool unmarked = r->state != ROUND_SIGN;
    if (r->state == ROUND_LOG)
        r->key->rest_until_ms = n->w.now_ms(n->w.ctx) + LOG_REST_MS;
    r->key->round = NULL;
    for (unsigned i = r->n_shots; i-- > 0;) {
        if (r->shot[i].job && unmarked)
            r->shot[i].job->attempt--;
        round_requeue(n, r, i);
    }
    round_free(r);
    lead_pump(n);
}
