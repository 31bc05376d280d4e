/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a signature costs, stage by stage: a cluster of three nodes in this
 * process (tests/sidecar/sim.h: real policy, state.db and log on this disk)
 * whose vaults are real child processes. The linker puts a clock around each
 * door (--wrap), so what is measured is the code that runs, where it runs.
 *
 *     bench_stages [-n SIGNATURES] [-d DIR]
 *
 * No stage contains a network: times add up to a signature only together
 * with the hops between processes. own_p50_us leaves out stages inside a
 * stage; syncs are fsync and fdatasync of this process per signature.
 */
#include "test.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include <sodium.h>

#include "base/bytes.h"
#include "base/rand.h"
#include "sidecar/sim.h"
#include "stages.h"

#define BATCH    16
#define LEAD     1
#define MAX_EACH 500 /* signatures in one simulated cluster */

/* ---- what is measured ------------------------------------------------------ */

static struct stage lead = { .name = "lead" };
static struct stage follower = { .name = "follower" };
static struct stage vault = { .name = "vault" };
static struct stage commit = { .name = "vault.commit" };
static struct stage aggregate = { .name = "aggregate" };
static struct stage marks = { .name = "store.marks" };
static struct stage head = { .name = "store.head" };
static struct stage intents = { .name = "store.intents" };
static struct stage receipt = { .name = "store.receipt" };

static struct sim *cluster;
static bool measuring;
static unsigned batch;        /* items a round must have to count */
static bool leading;          /* the lead's stage is under way */
static struct stage_cost led; /* of it so far, since the last round of ours */
static unsigned n_led;        /* requests it took in */

static void lead_begin(void)
{
    leading = true;
    stage_begin();
}

/* taken: what it did since is part of signing. */
static void lead_pause(bool taken)
{
    if (!leading)
        return;
    leading = false;
    struct stage_cost c = stage_end();
    if (!taken)
        return;
    led.all_us += c.all_us;
    led.own_us += c.own_us;
    led.syncs += c.syncs;
}

static unsigned items_of(const uint8_t *body, size_t len)
{
    struct bytes_reader r = bytes_reader(body, len);
    size_t json_len;
    const char *json = (const char *)bytes_take_lp32(&r, &json_len);
    WIRE(round2) in = { 0 };
    return wire_round2_decode(&in, json, json_len) == RC_OK
                   ? (unsigned)in.items.n
                   : 0;
}

/*
 * A message leaves: the lead's stage ends for now. With round two it is over;
 * rounds of fewer items belong to the cycle that ends with a full one.
 */
static void leaves(struct sim *s, uint32_t from, uint32_t to, const char *path,
                   bool reply, uint8_t **body, size_t *len)
{
    (void)s;
    (void)to;
    if (reply || from != LEAD)
        return;
    bool last = leading && strcmp(path, "/v1/frost/round2") == 0;
    lead_pause(true);
    if (!last || !measuring || items_of(*body, *len) != batch)
        return;
    stage_add(&lead, led, n_led);
    led = (struct stage_cost){ .all_us = 0 };
    n_led = 0;
}

/* ---- clocks around doors ------------------------------------------------------ */

/* clang-format off */
#define WRAPPED(type, name, ...)                                               \
    type __real_##name(__VA_ARGS__);                                           \
    type __wrap_##name(__VA_ARGS__);                                           \
    type __wrap_##name(__VA_ARGS__)
/* clang-format on */

/* The cluster's vaults become what they are in a sidecar. */
enum rc __wrap_vault_local(struct vault **out, const struct vault_config *c);
enum rc __wrap_vault_local(struct vault **out, const struct vault_config *c)
{
    return vault_spawn(out, c);
}

WRAPPED(void, node_on_local, struct node *n, uint64_t call, uid_t uid,
        const char *path, const uint8_t *body, size_t len)
{
    if (measuring && strcmp(path, "/v1/sign") == 0) {
        n_led++;
        lead_begin();
    }
    __real_node_on_local(n, call, uid, path, body, len);
    lead_pause(true); /* it only waits its turn, so far */
}

WRAPPED(void, node_on_reply, struct node *n, uint64_t ticket, enum rc rc,
        const uint8_t *body, size_t len)
{
    /* what comes back from the log goes on to round two, or is a receipt's */
    static const char logged[] = "{\"proofs\":";
    if (measuring && n == cluster->node[LEAD].node && len > sizeof(logged) &&
        memcmp(body, logged, sizeof(logged) - 1) == 0)
        lead_begin();
    __real_node_on_reply(n, ticket, rc, body, len);
    lead_pause(false);
}

WRAPPED(enum rc, node_on_peer, struct node *n, uint32_t from, const char *path,
        const uint8_t *body, size_t len, char **reply, size_t *reply_len)
{
    if (!measuring || strcmp(path, "/v1/frost/round2") != 0)
        return __real_node_on_peer(n, from, path, body, len, reply, reply_len);
    unsigned items = items_of(body, len);
    stage_begin();
    enum rc rc = __real_node_on_peer(n, from, path, body, len, reply,
                                     reply_len);
    stage_keep(&follower, items == batch ? items : 0);
    return rc;
}

WRAPPED(enum rc, vault_sign, struct vault *v, struct vault_sign_reply *out,
        const struct vault_sign_request *in)
{
    stage_begin();
    enum rc rc = __real_vault_sign(v, out, in);
    stage_keep(&vault, measuring);
    return rc;
}

WRAPPED(enum rc, vault_commit, struct vault *v, struct vault_commitment *out,
        unsigned count, const uint8_t key[32], uint64_t epoch, uint16_t from)
{
    stage_begin();
    enum rc rc = __real_vault_commit(v, out, count, key, epoch, from);
    stage_keep(&commit, measuring ? count : 0);
    return rc;
}

WRAPPED(enum rc, frost_aggregate, uint8_t sig[64],
        const struct frost_point *group_key, const uint8_t *msg, size_t msg_len,
        const struct frost_commitment *list,
        const struct frost_sig_share *shares, const struct frost_point *ys,
        struct frost_id *cheaters, unsigned *n_cheaters, unsigned n_list)
{
    stage_begin();
    enum rc rc = __real_frost_aggregate(sig, group_key, msg, msg_len, list,
                                        shares, ys, cheaters, n_cheaters,
                                        n_list);
    stage_keep(&aggregate, measuring);
    return rc;
}

WRAPPED(enum rc, store_marks, struct store *s, struct store_mark *m, unsigned n)
{
    stage_begin();
    enum rc rc = __real_store_marks(s, m, n);
    stage_keep(&marks, measuring && n == batch ? n : 0);
    return rc;
}

WRAPPED(enum rc, store_put, struct store *s, const char *name, const void *p,
        size_t len)
{
    stage_begin();
    enum rc rc = __real_store_put(s, name, p, len);
    stage_keep(&head, measuring && strcmp(name, "head") == 0);
    return rc;
}

/* While the log works on the same: in no signature's way. */
WRAPPED(enum rc, store_intents_add, struct store *s,
        const struct store_intent *in, unsigned n)
{
    stage_begin();
    enum rc rc = __real_store_intents_add(s, in, n);
    stage_keep(&intents, measuring && n == batch ? n : 0);
    return rc;
}

WRAPPED(enum rc, store_settle, struct store *s, const char *const *texts,
        unsigned n, const struct store_end *ends, unsigned n_ends)
{
    stage_begin();
    enum rc rc = __real_store_settle(s, texts, n, ends, n_ends);
    stage_keep(&receipt, measuring);
    return rc;
}

/* ---- runs ------------------------------------------------------------------------ */

/* Lead, follower, vault and the rest of one cluster, `in` requests at once. */
static void sign_cycle(struct sim *s, unsigned in, unsigned cycle)
{
    unsigned call[BATCH + 1];
    for (unsigned i = 0; i < in; i++) {
        uint8_t msg[64] = "a message of the bench";
        memcpy(msg + 32, &cycle, sizeof(cycle));
        memcpy(msg + 40, &i, sizeof(i));
        call[i] = sim_sign(s, LEAD, "release", "", msg, sizeof(msg), 60000);
    }
    for (unsigned i = 0; i < in; i++)
        sim_want_ok(s, call[i]);
}

static void lines(unsigned items)
{
    const char *child = ",\"vault\":\"process\"";
    stage_line(&lead, items, child);
    stage_line(&follower, items, child);
    stage_line(&vault, items, child);
    stage_line(&commit, items, child);
    stage_line(&aggregate, items, "");
    stage_line(&marks, items, "");
    stage_line(&head, items, "");
    stage_line(&intents, items, "");
    stage_line(&receipt, items, "");
}

/* A lone request at a time, or one and a batch that gathers behind it. */
static void stage_cluster(unsigned n, unsigned items)
{
    static const char *const keys[] = { "release", NULL };
    struct sim *s = sim_new(1, 3);
    rand_replace(NULL); /* real chance costs a system call */
    sim_ready(s, keys);
    s->tamper = leaves;
    cluster = s;
    batch = items;
    unsigned in = items == 1 ? 1 : items + 1;
    for (unsigned i = 0; i < 3; i++)
        sign_cycle(s, in, i);
    measuring = true;
    for (unsigned i = 0; i < n / in + 1; i++)
        sign_cycle(s, in, 1000 + i);
    measuring = false;
    lines(items);
    sim_free(s);
}

int main(int argc, char **argv)
{
    unsigned n = MAX_EACH;
    for (int opt; (opt = getopt(argc, argv, "n:d:")) != -1;) {
        if (opt == 'n')
            n = bench_number("-n", optarg, MAX_EACH);
        else if (opt != 'd')
            bench_die("bench_stages [-n SIGNATURES] [-d DIR]");
        else if (chdir(optarg) != 0)
            bench_die("-d %s: no such directory", optarg);
    }
    if (sodium_init() < 0)
        bench_die("libsodium does not start");
    signal(SIGPIPE, SIG_IGN);
    stage_provider(n);
    stage_log(n);
    stage_cluster(n, 1);
    stage_cluster(n, BATCH);
    return 0;
}
