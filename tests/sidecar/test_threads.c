/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two threads in one node, as in the program: one delivers local calls,
 * replies and ticks, the other a peer's requests. For the thread sanitizer,
 * and for what must hold whichever comes first.
 */
#include "test.h"

#include <pthread.h>

#include "base/enc.h"
#include "sim.h"
#include "witness.h"

#define KEPT 32

static const char *const keys[] = { "release", "second", NULL };

/* Requests to node2 that were seen on the wire: round two, sessions' keys. */
struct peer {
    struct sim *sim;
    struct node *node;
    uint8_t key[32];
    pthread_mutex_t lock;
    bool stop; /* under lock, as is what was kept */
    char path[KEPT][32];
    uint8_t *body[KEPT];
    size_t len[KEPT];
    unsigned n;
    unsigned served, answered, cosigned; /* the thread's own */
    char *put;                           /* a session with bob's approval */
    size_t put_len;
};

static void keep_it(struct sim *s, uint32_t from, uint32_t to, const char *path,
                    bool reply, uint8_t **body, size_t *len)
{
    struct peer *p = s->tamper_ctx;
    (void)from;
    if (reply || to != 2 ||
        (strcmp(path, "/v1/frost/round2") != 0 &&
         strncmp(path, "/v1/once/", 9) != 0))
        return;
    uint8_t *copy = malloc(*len);
    assert_non_null(copy);
    memcpy(copy, *body, *len);
    pthread_mutex_lock(&p->lock);
    unsigned at = p->n++ % KEPT;
    free(p->body[at]);
    p->body[at] = copy;
    snprintf(p->path[at], sizeof(p->path[at]), "%s", path);
    p->len[at] = *len;
    pthread_mutex_unlock(&p->lock);
}

static void call(struct peer *p, uint32_t from, const char *path,
                 const void *body, size_t len)
{
    char *reply = NULL;
    size_t reply_len;
    p->served++;
    if (node_on_peer(p->node, from, path, body, len, &reply, &reply_len) ==
        RC_OK)
        p->answered++;
    free(reply);
}

/* The newest request once more, maybe while the first is being answered. */
static bool repeat_one(struct peer *p)
{
    uint8_t *copy = NULL;
    char path[32];
    size_t len = 0;
    pthread_mutex_lock(&p->lock);
    bool stop = p->stop;
    if (p->n > 0) {
        unsigned at = (p->n - 1) % KEPT;
        len = p->len[at];
        copy = malloc(len);
        if (copy)
            memcpy(copy, p->body[at], len);
        snprintf(path, sizeof(path), "%s", p->path[at]);
    }
    pthread_mutex_unlock(&p->lock);
    if (copy)
        call(p, 1, path, copy, len);
    free(copy);
    return !stop;
}

/* The log wants its newest cosigned, while signatures move the head too. */
static bool witness_one(struct peer *p)
{
    char body[TLOG_ADD_CHECKPOINT_MAX];
    request(p->sim, body, told(p->sim, 2));
    int status = add(p->sim, 2, body);
    p->cosigned += status == 200;
    return status == 200 || status == 409;
}

static void *peer_thread(void *arg)
{
    struct peer *p = arg;
    struct wire_commit ask = { .epoch = 1, .count = 4 };
    OWNED_MEM char *json = NULL;
    size_t len;
    memcpy(ask.key, p->key, 32);
    if (wire_commit_encode(&json, &len, &ask) != RC_OK)
        return NULL;
    do {
        struct wire_policy_head head;
        struct vault_keys own;
        uint8_t hashes[POLICY_MAX_HASHES][32];
        unsigned n;
        enum policy_role role;
        uint16_t id;
        call(p, 3, "/v1/frost/commit", json, len);
        call(p, 3, "/v1/policy", NULL, 0);
        call(p, 3, "/v1/epoch/start", "{}", 2);
        call(p, 3, "/v1/head", "{\"head\":\"\"}", 11);
        call(p, 3, "/v1/session/put", p->put, p->put_len);
        if (!witness_one(p))
            return NULL;
        node_policy_head(p->node, &head);
        node_keys(p->node, &own);
        if (node_allowed(p->node, "mpc://dev/sidecar/node3", hashes, &n, &role,
                         &id) != RC_OK)
            return NULL;
    } while (repeat_one(p));
    return p;
}

static void find_key(struct sim *s, uint8_t key[32])
{
    WIRE(key) k = { 0 };
    unsigned get = sim_ask(s, 2, "/v1/key/release", NULL, 0);
    sim_want_ok(s, get);
    assert_ok(wire_key_decode(&k, s->call[get].json, s->call[get].len));
    crypto_hash_sha256(key, k.group_key, 32);
}

/* A session that everyone decides on at once. */
static void make_session(struct sim *s, struct peer *p, uint8_t id[32])
{
    static const char *const bob[] = { "bob", NULL };
    struct policy_session session = sim_session(s, POLICY_S_KEY_CREATE,
                                                "small");
    WIRE(session_put) put = { 0 };
    assert_ok(wire_list_new(&put.sessions, 1));
    sim_session_wire(s, &put.sessions.at[0], &session, "steward", bob);
    memcpy(id, session.id, 32);
    assert_ok(wire_session_put_encode(&p->put, &p->put_len, &put));
}

static unsigned decide(struct sim *s, const uint8_t id[32],
                       enum policy_decision decision, const char *role,
                       const char *person)
{
    WIRE(approval) a = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    memcpy(a.session, id, 32);
    sim_record(&a.record, id, decision, role, person);
    assert_ok(wire_approval_encode(&json, &len, &a));
    return sim_ask(s, 2, "/v1/approval", json, len);
}

/* Nothing that one thread was told is lost to what the other was. */
static void all_of_it_is_kept(struct sim *s, const uint8_t id[32])
{
    char path[128], hex[65];
    WIRE(session_state) st = { 0 };
    snprintf(path, sizeof(path), "/v1/session/%s/state", enc_hex(hex, id, 32));
    unsigned get = sim_ask(s, 2, path, NULL, 0);
    sim_want_ok(s, get);
    assert_ok(wire_session_state_decode(&st, s->call[get].json,
                                        s->call[get].len));
    assert_int_equal(st.records.n, 4);
}

static void leading_and_following_at_once(void **state)
{
    (void)state;
    struct sim *s = sim_new(7, 3);
    sim_ready(s, keys);
    struct peer p = { .sim = s,
                      .node = s->node[2].node,
                      .lock = PTHREAD_MUTEX_INITIALIZER };
    pthread_t thread;
    void *ended = NULL;
    uint8_t id[32];
    find_key(s, p.key);
    make_session(s, &p, id);
    s->tamper = keep_it;
    s->tamper_ctx = &p;
    assert_int_equal(pthread_create(&thread, NULL, peer_thread, &p), 0);
    unsigned change = 0;
    for (unsigned i = 0; i < 60; i++) {
        char msg[32];
        snprintf(msg, sizeof(msg), "at once %u", i);
        unsigned c = sim_sign(s, i % 2 + 1, keys[i % 3 == 0], "", msg,
                              strlen(msg), 10000);
        if (i % 4 == 0) /* and a key of its own */
            sim_want_ok(s, sim_sign(s, i % 2 + 1, "once", "", msg, strlen(msg),
                                    10000));
        sim_run(s, 20);
        if (i == 5)
            (void)decide(s, id, POLICY_D_APPROVE, "engineer", "alice");
        if (i == 7)
            (void)decide(s, id, POLICY_D_DENY, "steward", "carol");
        if (i == 9)
            (void)decide(s, id, POLICY_D_REVOKE, "engineer", "alice");
        if (i == 12)
            all_of_it_is_kept(s, id);
        if (i == 20)
            change = sim_policy_next(s, 2, NULL, NULL);
        if (i == 40)
            (void)sim_key_create(s, 2, "small", sim_stewards);
        sim_want_ok(s, c);
    }
    sim_want_ok(s, change);
    pthread_mutex_lock(&p.lock);
    p.stop = true;
    pthread_mutex_unlock(&p.lock);
    pthread_join(thread, &ended);
    s->tamper = NULL;
    assert_ptr_equal(ended, &p);
    assert_true(p.served > 0 && p.answered > 0 && p.cosigned > 0);
    for (unsigned i = 0; i < KEPT; i++)
        free(p.body[i]);
    free(p.put);
    sim_check(s);
    /* what it had cosigned is what it comes back with */
    sim_crash(s, 2);
    sim_start(s, 2);
    sim_want_ok(s, sim_sign(s, 2, "release", "", "after", 5, 10000));
    sim_check(s);
    sim_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(leading_and_following_at_once, sim_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
