/* SPDX-License-Identifier: Apache-2.0 */
/* Life, time and messages of the cluster in one process; see sim.h. */
#include "test.h"

#include "sim.h"

#include <pthread.h>

#include <sodium.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/rand.h"

#define EPOCH_S 1800000000
#define TICK_MS 200
#define SLOW_MS 400

/* ---- chance and clock ------------------------------------------------------ */

static struct sim *running; /* the clock and randomness have no context */

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

uint64_t sim_dice(struct sim *s, uint64_t below)
{
    return next_random(&s->chance) % below;
}

static bool happens(struct sim *s, unsigned per_mille)
{
    return per_mille && sim_dice(s, 1000) < per_mille;
}

/* A test of threads asks from two of them. */
static pthread_mutex_t random_lock = PTHREAD_MUTEX_INITIALIZER;

static int fill_random(void *out, size_t len)
{
    uint8_t *p = out;
    pthread_mutex_lock(&random_lock);
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)next_random(&running->random);
    pthread_mutex_unlock(&random_lock);
    return 0;
}

static int64_t clock_s(void)
{
    return EPOCH_S + running->step_s +
           __atomic_load_n(&running->now_ms, __ATOMIC_RELAXED) / 1000;
}

static int64_t clock_ms(void)
{
    return __atomic_load_n(&running->now_ms, __ATOMIC_RELAXED);
}

static int64_t world_now_s(void *ctx)
{
    (void)ctx;
    return clock_s();
}

static int64_t world_now_ms(void *ctx)
{
    (void)ctx;
    return clock_ms();
}

static enum rc world_random(void *ctx, void *out, size_t len)
{
    (void)ctx;
    return rand_bytes(out, len);
}

/* ---- what happened, for people: MPC_SIM_TRACE=1 -------------------------------- */

static void trace(const struct sim *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void trace(const struct sim *s, const char *fmt, ...)
{
    static int on = -1;
    va_list args;
    if (on < 0)
        on = getenv("MPC_SIM_TRACE") != NULL;
    if (!on)
        return;
    fprintf(stderr, "%8lld ms  ", (long long)s->now_ms);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}

static const char *who(char out[16], uint32_t id)
{
    snprintf(out, 16, "%s%.0u",
             id == WORLD_LOG          ? "log"
             : id == WORLD_CA         ? "ca"
             : id == WORLD_AUTHORISER ? "authoriser"
                                      : "node",
             id > UINT16_MAX ? 0 : id);
    return out;
}

/* ---- events ------------------------------------------------------------------ */

enum sim_kind { EV_TICK, EV_DELIVER, EV_REPLY, EV_DEADLINE };

/* A send and its one reply; shared by its events. */
struct sim_send {
    unsigned refs;
    uint16_t from;
    unsigned life; /* of the sender */
    uint32_t to;
    uint64_t ticket;
    int64_t deadline_ms;
    bool replied;
    char path[64];
    uint8_t *body;
    size_t len;
};
struct sim_event {
    struct sim_event *next;
    int64_t at_ms;
    enum sim_kind kind;
    uint16_t node; /* EV_TICK */
    unsigned life;
    struct sim_send *send;
    enum rc rc; /* EV_REPLY */
    char why[400];
    uint8_t *body;
    size_t len;
};

static struct sim_event *event_new(struct sim *s, enum sim_kind kind,
                                   int64_t in_ms)
{
    struct sim_event *e = calloc(1, sizeof(*e));
    assert_non_null(e);
    e->kind = kind;
    e->at_ms = s->now_ms + in_ms;
    return e;
}

static void event_add(struct sim *s, struct sim_event *e)
{
    struct sim_event **at = &s->events;
    while (*at && (*at)->at_ms <= e->at_ms)
        at = &(*at)->next;
    e->next = *at;
    *at = e;
}

static void send_drop(struct sim_send *m)
{
    if (--m->refs > 0)
        return;
    free(m->body);
    free(m);
}

static void event_free(struct sim_event *e)
{
    if (e->send)
        send_drop(e->send);
    free(e->body);
    free(e);
}

static void event_for_send(struct sim *s, enum sim_kind kind, int64_t in_ms,
                           struct sim_send *m)
{
    struct sim_event *e = event_new(s, kind, in_ms);
    e->send = m;
    m->refs++;
    event_add(s, e);
}

static int64_t latency(struct sim *s)
{
    int64_t ms = 1 + (int64_t)sim_dice(s, 4);
    if (happens(s, s->faults.slow))
        ms += (int64_t)sim_dice(s, SLOW_MS);
    return ms;
}

/* ---- the world's calls --------------------------------------------------------- */

static void world_send(void *ctx, uint32_t to, const char *path,
                       const void *body, size_t len, int64_t deadline_ms,
                       uint64_t ticket)
{
    struct sim_node *from = ctx;
    struct sim *s = from->sim;
    struct sim_send *m = calloc(1, sizeof(*m));
    char to_name[16];
    assert_non_null(m);
    sim_boundary(s, from->id, path);
    if (from->doomed) {
        free(m);
        return;
    }
    *m = (struct sim_send){ .from = from->id,
                            .life = from->life,
                            .to = to,
                            .ticket = ticket,
                            .deadline_ms = deadline_ms,
                            .len = len };
    snprintf(m->path, sizeof(m->path), "%s", path);
    if (body) {
        m->body = malloc(len + 1);
        assert_non_null(m->body);
        memcpy(m->body, body, len);
        m->body[len] = 0;
    }
    if (s->tamper)
        s->tamper(s, from->id, to, path, false, &m->body, &m->len);
    int64_t left = deadline_ms - s->now_ms;
    event_for_send(s, EV_DEADLINE, left > 0 ? left : 0, m);
    if (happens(s, s->faults.drop)) {
        trace(s, "node%u to %s: %s is lost", from->id, who(to_name, to), path);
        return;
    }
    event_for_send(s, EV_DELIVER, latency(s), m);
    if (happens(s, s->faults.twice))
        event_for_send(s, EV_DELIVER, latency(s), m);
}

static void world_answer(void *ctx, uint64_t call, enum rc rc, const char *json,
                         size_t len)
{
    struct sim_node *from = ctx;
    struct sim *s = from->sim;
    sim_boundary(s, from->id, "answer");
    if (from->doomed)
        return;
    if (call >= s->n_calls)
        sim_fail(s, "node%u answers a call that nobody made", from->id);
    struct sim_call *c = &s->call[call];
    if (c->node != from->id || c->life != from->life || c->answers++)
        sim_fail(s, "call %llu (%s) was answered twice",
                 (unsigned long long)call, c->key);
    c->rc = rc;
    c->answered_ms = s->now_ms;
    trace(s, "node%u answers call %llu (%s): %s%s%s", from->id,
          (unsigned long long)call, c->key, rc == RC_OK ? "ok" : rc_slug(rc),
          rc == RC_OK ? "" : ": ", rc == RC_OK ? "" : rc_text());
    if (rc != RC_OK) {
        snprintf(c->why, sizeof(c->why), "%s", rc_text());
        snprintf(c->hint, sizeof(c->hint), "%.250s", rc_hint_text());
        return;
    }
    c->json = malloc(len + 1);
    assert_non_null(c->json);
    memcpy(c->json, json, len);
    c->json[len] = '\0';
    c->len = len;
}

static void world_ak_sign(void *ctx, uint8_t sig[64], const uint8_t leaf[32])
{
    const struct sim_node *n = ctx;
    static const char tag[] = "mpc/intent/v1";
    uint8_t msg[sizeof(tag) + 32];
    if (n->sim->lending)
        n->sim->lending(n->sim, (unsigned)(n - n->sim->node));
    memcpy(msg, tag, sizeof(tag));
    memcpy(msg + sizeof(tag), leaf, 32);
    crypto_sign_detached(sig, NULL, msg, sizeof(msg), n->ak_sk);
}

static enum rc world_standing(void *ctx, const struct wire_standing *in,
                              const struct policy *p,
                              const struct policy_node *node)
{
    const struct sim_node *n = ctx;
    (void)p;
    if (node->id == n->sim->liar || in->report.len != 4)
        return rc_raise(RC_ATTEST, "no report of node%u", node->id);
    return RC_OK;
}

/* A boot's report, of this simulated kind: its key is new each time. */
static void announce(struct sim_node *n)
{
    struct wire_standing in = { 0 };
    struct tlog_evidence e = { .node = n->id };
    char text[TLOG_ENTRY_MAX + 1];
    size_t len;
    crypto_sign_keypair(n->ak_pk, n->ak_sk);
    memcpy(in.ak, n->ak_pk, 32);
    assert_ok(wire_blob_set(&in.report, "snp!", 4));
    memcpy(e.ak, n->ak_pk, 32);
    memcpy(e.identity, n->keys.identity, 32);
    hash256(e.report, "snp!", 4);
    assert_ok(tlog_evidence_encode(text, &len, &e));
    assert_ok(node_standing(n->node, &in, text));
}

static void world_log_forked(void *ctx, const char *log)
{
    struct sim_node *n = ctx;
    assert_string_equal(log, n->sim->vkey.name);
    n->forks++;
}

static void world_policy_changed(void *ctx)
{
    struct sim_node *n = ctx;
    n->policy_changes++;
}

static enum rc world_authorise(void *ctx, const char *json, size_t len,
                               int64_t deadline_ms, uint8_t **body,
                               size_t *body_len)
{
    struct sim_node *n = ctx;
    struct sim *s = n->sim;
    assert_true(deadline_ms > s->now_ms);
    enum rc rc = s->authoriser(s, n->id, json, len, body, body_len);
    return rc == RC_TIMEOUT ? rc_raise(rc, "its time is over") : rc;
}

/* ---- nodes ---------------------------------------------------------------------- */

static void tick_later(struct sim *s, struct sim_node *n, int64_t in_ms)
{
    struct sim_event *e = event_new(s, EV_TICK, in_ms);
    e->node = n->id;
    e->life = n->life;
    event_add(s, e);
}

static void start_vault(struct sim *s, struct sim_node *n)
{
    struct vault_config config = { .node = n->id,
                                   .seal_fd = -1,
                                   .test_seal_key = n->seal_key,
                                   .master = { s->master },
                                   .n_masters = s->master != 0 };
    memcpy(config.cluster, s->genesis_sha256, 32);
    assert_ok(vault_local(&n->vault, &config));
}

char *sim_status(struct sim *s, unsigned id)
{
    char *json = NULL;
    size_t len;
    assert_ok(node_status(s->node[id].node, &json, &len));
    char *peers = strstr(json, "\"peers\"");
    assert_non_null(peers);
    *peers = '\0';
    return json;
}

/* Keys, policy and head survive whatever ended it. */
static void same_as_before(struct sim *s, struct sim_node *n)
{
    char *now = sim_status(s, n->id);
    if (s->master == VAULT_SNP_PEERS)
        ; /* its shares come back when its peers' pieces do */
    else if (n->status && strcmp(n->status, now) != 0)
        sim_fail(s, "node%u forgot: %s, was %s", n->id, now, n->status);
    free(now);
}

/* The daemon parses it; here one word makes it unreadable. */
static enum rc world_attestation(void *ctx, const char *json, size_t len)
{
    (void)ctx;
    if (json && memmem(json, len, "unreadable", 10))
        return rc_raise(RC_PARSE, "attest policy: unreadable");
    return RC_OK;
}

void sim_start(struct sim *s, unsigned id)
{
    trace(s, "node%u starts", id);
    struct sim_node *n = &s->node[id];
    assert_false(n->up);
    start_vault(s, n);
    assert_ok(store_open(&n->store, n->db));
    struct world w = { .now_s = world_now_s,
                       .now_ms = world_now_ms,
                       .random = world_random,
                       .send = world_send,
                       .answer = world_answer,
                       .ak_sign = world_ak_sign,
                       .log_forked = world_log_forked,
                       .policy_changed = world_policy_changed,
                       .tbs_check = s->tbs_check,
                       .leaf_life = s->leaf_life,
                       .authorise = s->authoriser ? world_authorise : NULL,
                       .authorise_ms = 1000,
                       .attestation = world_attestation,
                       .standing = s->standing ? world_standing : NULL,
                       .store = n->store,
                       .vault = n->vault,
                       .ctx = n };
    struct node_config config = { .id = n->id,
                                  .deployment = "dev",
                                  .genesis = s->genesis,
                                  .genesis_len = s->genesis_len,
                                  .required_engineers = -1,
                                  .required_stewards = -1,
                                  .master = s->master };
    memcpy(config.genesis_sha256, s->genesis_sha256, 32);
    n->life++;
    n->restart_ms = 0;
    enum rc rc = node_new(&n->node, &config, &w);
    if (rc != RC_OK)
        sim_fail(s, "node%u does not start again: %s (%s)", id, rc_text(),
                 rc_slug(rc));
    n->up = true;
    node_keys(n->node, &n->keys);
    same_as_before(s, n);
    if (s->standing)
        announce(n);
    tick_later(s, n, 1);
}

void sim_crash(struct sim *s, unsigned id)
{
    struct sim_node *n = &s->node[id];
    if (!n->up)
        return;
    trace(s, "node%u ends", id);
    free(n->status);
    n->status = sim_status(s, id);
    node_free(n->node);
    vault_free(n->vault);
    store_free(n->store);
    n->node = NULL;
    n->vault = NULL;
    n->store = NULL;
    n->up = false;
    s->n_crashes++;
}

struct sim *sim_new(uint64_t seed, unsigned nodes)
{
    assert_true(sodium_init() >= 0);
    assert_true(nodes <= SIM_NODES);
    struct sim *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    s->seed = seed;
    s->chance = seed * 2 + 1;
    s->random = ~seed;
    s->now_ms = 1000000;
    s->n = nodes;
    running = s;
    clock_replace(clock_s, clock_ms);
    rand_replace(fill_random);
    dir_make(s->dir);
    for (unsigned i = 1; i <= nodes; i++) {
        struct sim_node *n = &s->node[i];
        uint8_t ak_seed[32] = { (uint8_t)i };
        n->sim = s;
        n->id = (uint16_t)i;
        memset(n->seal_key, (int)(0xA0 + i), 32);
        crypto_sign_seed_keypair(n->ak_pk, n->ak_sk, ak_seed);
        snprintf(n->db, sizeof(n->db), "%s/node%u.db", s->dir, i);
    }
    uint8_t log_pk[32];
    crypto_sign_seed_keypair(log_pk, s->log_sk, (const uint8_t[32]){ 0x10 });
    assert_ok(tlog_vkey_make(&s->vkey, "dev/log", TLOG_SIG_ED25519, log_pk));
    sim_log_open(s, &s->log, "log");
    return s;
}

void sim_free(struct sim *s)
{
    for (unsigned i = 1; i <= s->n; i++) {
        sim_crash(s, i);
        free(s->node[i].status);
    }
    while (s->events) {
        struct sim_event *next = s->events->next;
        event_free(s->events);
        s->events = next;
    }
    for (unsigned i = 0; i < s->n_calls; i++) {
        free(s->call[i].json);
        free(s->call[i].msg);
    }
    sim_log_close(&s->log);
    if (s->fork)
        sim_log_close(s->fork);
    free(s->fork);
    free(s->genesis);
    free(s->policy);
    dir_remove(s->dir);
    clock_replace(NULL, NULL);
    rand_replace(NULL);
    running = NULL;
    free(s);
}

int sim_teardown(void **state)
{
    (void)state;
    if (running)
        sim_free(running);
    return 0;
}

/* ---- one event ------------------------------------------------------------------- */

static void reply_later(struct sim *s, struct sim_send *m, enum rc rc,
                        int64_t in_ms, uint8_t *body, size_t len)
{
    struct sim_event *e = event_new(s, EV_REPLY, in_ms);
    e->rc = rc;
    e->body = body;
    e->len = len;
    if (rc != RC_OK)
        snprintf(e->why, sizeof(e->why), "%.399s", rc_text());
    e->send = m;
    m->refs++;
    event_add(s, e);
}

/* The far side, as its routes would call it. RC_TIMEOUT: no answer at all. */
static enum rc far_side(struct sim *s, struct sim_send *m, char **reply,
                        size_t *len)
{
    if (m->to == WORLD_LOG) {
        if (s->log_down)
            return rc_raise(RC_UNREACHABLE, "log: connection refused");
        if (s->log_hung)
            return RC_TIMEOUT;
        return sim_log_serve(s, m->from, m->path, m->body, m->len, reply, len);
    }
    if (m->to == WORLD_CA && s->ca)
        return s->ca(s, m->path, m->body, m->len, reply, len);
    if (m->to == WORLD_AUTHORISER)
        return s->authoriser(s, m->from, (char *)m->body, m->len,
                             (uint8_t **)reply, len);
    struct sim_node *n = m->to <= s->n ? &s->node[m->to] : NULL;
    if (!n || !n->up)
        return rc_raise(RC_UNREACHABLE, "connection refused");
    if (n->hung)
        return RC_TIMEOUT;
    enum rc rc = node_on_peer(n->node, m->from, m->path, m->body, m->len, reply,
                              len);
    sim_boundary(s, n->id, "reply");
    if (n->doomed)
        return rc_raise(RC_UNREACHABLE, "connection reset");
    if (rc == RC_OK && strcmp(m->path, "/v1/frost/round2") == 0)
        sim_watch(s, n->id, m->body, m->len, *reply, *len);
    return rc;
}

static void deliver(struct sim *s, struct sim_send *m)
{
    char *reply = NULL;
    size_t len = 0;
    char name[16];
    enum rc rc = far_side(s, m, &reply, &len);
    trace(s, "node%u to %s: %s: %s%s%s", m->from, who(name, m->to), m->path,
          rc == RC_OK ? "ok" : rc_slug(rc), rc == RC_OK ? "" : ": ",
          rc == RC_OK ? "" : rc_text());
    if (rc == RC_TIMEOUT || happens(s, s->faults.lose_reply)) {
        trace(s, "%s to node%u: the answer to %s is lost", name, m->from,
              m->path);
        free(reply);
        return; /* the deadline answers */
    }
    uint8_t *body = (uint8_t *)reply;
    if (s->tamper && rc == RC_OK)
        s->tamper(s, m->from, m->to, m->path, true, &body, &len);
    reply_later(s, m, rc, latency(s), body, len);
}

static void take_reply(struct sim *s, struct sim_send *m, enum rc rc,
                       const uint8_t *body, size_t len)
{
    struct sim_node *n = &s->node[m->from];
    if (m->replied || !n->up || n->life != m->life)
        return;
    m->replied = true;
    node_on_reply(n->node, m->ticket, rc, body, len);
}

static void happen(struct sim *s, struct sim_event *e)
{
    struct sim_node *n;
    switch (e->kind) {
    case EV_TICK:
        n = &s->node[e->node];
        if (!n->up || n->life != e->life)
            return;
        node_tick(n->node);
        tick_later(s, n, TICK_MS);
        return;
    case EV_DELIVER:
        deliver(s, e->send);
        return;
    case EV_REPLY:
        if (e->rc != RC_OK)
            (void)rc_raise(e->rc, "%s", e->why);
        take_reply(s, e->send, e->rc, e->body, e->len);
        return;
    case EV_DEADLINE:
        (void)rc_raise(RC_TIMEOUT, "no answer within the deadline");
        take_reply(s, e->send, RC_TIMEOUT, NULL, 0);
        return;
    }
}

static void chance_crash(struct sim *s)
{
    for (unsigned i = 1; i <= s->n; i++)
        if (s->node[i].restart_ms && s->node[i].restart_ms <= s->now_ms) {
            sim_start(s, i);
            sim_gossip(s);
        }
    if (!happens(s, s->faults.crash))
        return;
    unsigned who = 1 + (unsigned)sim_dice(s, s->n);
    if (!s->node[who].up)
        return;
    sim_crash(s, who);
    s->node[who].restart_ms = s->now_ms + 50 + (int64_t)sim_dice(s, 3000);
}

static bool step(struct sim *s, int64_t until_ms)
{
    struct sim_event *e = s->events;
    if (!e || e->at_ms > until_ms)
        return false;
    s->events = e->next;
    if (e->at_ms > s->now_ms)
        __atomic_store_n(&s->now_ms, e->at_ms, __ATOMIC_RELAXED);
    chance_crash(s);
    happen(s, e);
    sim_reap(s);
    event_free(e);
    return true;
}

void sim_run(struct sim *s, int64_t ms)
{
    int64_t until = s->now_ms + ms;
    while (step(s, until))
        ;
    __atomic_store_n(&s->now_ms, until, __ATOMIC_RELAXED);
}

bool sim_wait(struct sim *s, unsigned call, int64_t ms)
{
    int64_t until = s->now_ms + ms;
    while (!s->call[call].answers && step(s, until))
        ;
    return s->call[call].answers > 0;
}

void sim_want(struct sim *s, unsigned call, enum rc want)
{
    const struct sim_call *c = &s->call[call];
    if (!sim_wait(s, call, 70000))
        sim_fail(s, "call %u to node%u was never answered", call, c->node);
    if (c->rc != want)
        sim_fail(s, "call %u to node%u: %s (%s), want %s", call, c->node,
                 rc_slug(c->rc), c->why, rc_slug(want));
}

void sim_gossip(struct sim *s)
{
    for (unsigned i = 1; i <= s->n; i++)
        for (unsigned j = 1; j <= s->n; j++) {
            struct wire_policy_head head;
            if (i == j || !s->node[i].up || !s->node[j].up)
                continue;
            node_policy_head(s->node[j].node, &head);
            node_peer_head(s->node[i].node, j, &head);
        }
}

/* ---- local calls ------------------------------------------------------------------ */

static unsigned call_new(struct sim *s, unsigned id, const char *what)
{
    assert_true(s->n_calls < SIM_CALLS);
    assert_true(s->node[id].up);
    struct sim_call *c = &s->call[s->n_calls];
    c->node = (uint16_t)id;
    c->life = s->node[id].life;
    c->asked_ms = s->now_ms;
    snprintf(c->key, sizeof(c->key), "%.64s", what);
    trace(s, "call %u to node%u: %s", s->n_calls, id, c->key);
    return s->n_calls++;
}

unsigned sim_ask_as(struct sim *s, unsigned id, uid_t uid, const char *path,
                    const void *body, size_t len)
{
    unsigned call = call_new(s, id, path);
    if (s->caller)
        node_on_local_as(s->node[id].node, call, s->caller, path, body, len);
    else
        node_on_local(s->node[id].node, call, uid, path, body, len);
    sim_reap(s);
    return call;
}

unsigned sim_ask(struct sim *s, unsigned id, const char *path, const void *body,
                 size_t len)
{
    return sim_ask_as(s, id, SIM_UID, path, body, len);
}

unsigned sim_sign(struct sim *s, unsigned id, const char *key,
                  const char *session, const void *msg, size_t len,
                  unsigned wait_ms)
{
    struct wire_sign ask = { .wait_ms = wait_ms };
    OWNED_MEM char *json = NULL;
    size_t json_len;
    snprintf(ask.key, sizeof(ask.key), "%s", key);
    snprintf(ask.session, sizeof(ask.session), "%s", session);
    assert_ok(wire_sign_encode(&json, &json_len, &ask));
    OWNED_MEM uint8_t *body = malloc(4 + json_len + len);
    assert_non_null(body);
    struct bytes_writer w = bytes_writer(body, 4 + json_len + len);
    bytes_put_lp32(&w, json, json_len);
    bytes_put(&w, msg, len);
    assert_ok(bytes_written(&w));
    unsigned call = call_new(s, id, key);
    struct sim_call *c = &s->call[call];
    c->msg = malloc(len + 1);
    assert_non_null(c->msg);
    memcpy(c->msg, msg, len);
    c->msg_len = len;
    if (s->calling)
        s->calling(true);
    if (s->caller)
        node_on_local_as(s->node[id].node, call, s->caller, "/v1/sign", body,
                         w.len);
    else
        node_on_local(s->node[id].node, call, SIM_UID, "/v1/sign", body, w.len);
    if (s->calling)
        s->calling(false);
    sim_reap(s);
    return call;
}
