/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates: the CA is asked, its answer handed on, and kept for most of
 * the leaf's life. When the CA does not answer, what that stops and what not.
 * Public data only.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define CERT_MS     8000
#define LEAVES      32 /* of persistent keys, */
#define LEAVES_ONCE 32 /* and then of ephemeral ones */
#define CHAIN_PATH  "/v1/ca/chain"
#define ROOT_PATH   "/v1/ca/root"

/* One answer of the CA; key: what was asked, and under which policy. */
struct leaf {
    uint8_t key[32];
    int64_t fresh_to; /* 80 % of its life; 0: free */
    int64_t valid_to;
    char *json; /* owned */
    size_t len;
};
struct certs {
    struct leaf leaf[LEAVES + LEAVES_ONCE];
    char *root; /* owned; NULL: not known. For when the CA is silent */
    size_t root_len;
};

struct asked {
    uint64_t call;
    bool once; /* for an ephemeral key */
    uint8_t key[32];
    uint8_t group_key[32];
    char name[POLICY_NAME_MAX];
};

static struct certs *certs_of(struct node *n)
{
    if (!n->certs)
        n->certs = calloc(1, sizeof(*n->certs));
    return n->certs; /* NULL: nothing is kept */
}

static void forget_leaves(struct certs *c)
{
    for (unsigned i = 0; i < LEAVES + LEAVES_ONCE; i++)
        free(c->leaf[i].json);
    memset(c->leaf, 0, sizeof(c->leaf));
}

void cert_free(struct node *n)
{
    if (!n->certs)
        return;
    forget_leaves(n->certs);
    free(n->certs->root);
    free(TAKE(n->certs));
}

static char *copy_of(const void *bytes, size_t len)
{
    char *copy = malloc(len + 1);
    if (copy) {
        memcpy(copy, bytes, len);
        copy[len] = '\0';
    }
    return copy;
}

/* A copy of what came, or why there is none. */
static void hand_on(struct node *n, uint64_t call, enum rc rc,
                    const uint8_t *body, size_t len)
{
    char *json = rc == RC_OK ? copy_of(body, len) : NULL;
    if (rc == RC_OK && !json)
        rc = rc_raise(RC_NOMEM, "certificate: out of memory");
    node_answer(n, call, rc, json, len);
}

/* ---- leaves that were issued ---------------------------------------------- */

static struct leaf *find(struct node *n, const uint8_t key[32])
{
    struct certs *c = certs_of(n);
    for (unsigned i = 0; c && i < LEAVES + LEAVES_ONCE; i++)
        if (c->leaf[i].fresh_to && memcmp(c->leaf[i].key, key, 32) == 0)
            return &c->leaf[i];
    return NULL;
}

/* The place of this one, else of the one of its kind that ends first. */
static struct leaf *place(struct certs *c, const struct asked *a)
{
    struct leaf *all = &c->leaf[a->once ? LEAVES : 0];
    unsigned n = a->once ? LEAVES_ONCE : LEAVES;
    struct leaf *at = &all[0];
    for (unsigned i = 0; i < n; i++) {
        if (all[i].fresh_to && memcmp(all[i].key, a->key, 32) == 0)
            return &all[i];
        if (all[i].valid_to < at->valid_to)
            at = &all[i];
    }
    return at;
}

/* What cannot be kept is asked for again. */
static void keep(struct node *n, const struct asked *a, const uint8_t *body,
                 size_t len)
{
    WIRE(chain) chain = { 0 };
    struct certs *c = certs_of(n);
    int64_t from;
    int64_t to;
    if (!c || !n->w.leaf_life ||
        wire_chain_decode(&chain, (const char *)body, len) != RC_OK ||
        chain.chain.n == 0 ||
        n->w.leaf_life(n->w.ctx, &from, &to, chain.chain.at[0].p,
                       chain.chain.at[0].len) != RC_OK)
        return;
    char *json = copy_of(body, len);
    if (!json)
        return;
    struct leaf *l = place(c, a);
    free(l->json);
    *l = (struct leaf){ .fresh_to = from + (to - from) * 4 / 5,
                        .valid_to = to,
                        .json = json,
                        .len = len };
    memcpy(l->key, a->key, 32);
}

/* ---- the CA does not answer ----------------------------------------------- */

/* What goes on without it, for whoever must decide whether to wait. */
static enum rc outage(struct node *n, const struct asked *a, enum rc rc)
{
    char why[256];
    char until[CLOCK_TEXT_SIZE];
    char last[96] = "";
    if (rc != RC_UNREACHABLE && rc != RC_TIMEOUT)
        return rc_prefix(rc, "ca: ");
    const struct leaf *l = find(n, a->key);
    if (l && l->valid_to > n->w.now_s(n->w.ctx))
        snprintf(last, sizeof(last), ", its last one is valid until %s",
                 clock_text(until, l->valid_to));
    snprintf(why, sizeof(why), "%s", rc_text());
    rc = rc_raise(rc,
                  "ca: mpc-ca does not answer (%s): no new certificate for "
                  "%s%s; persistent keys go on signing, ephemeral sessions "
                  "cannot be certified",
                  why, a->name, last);
    rc_hint("systemctl start mpc-ca on its host (mpcsign dev start ca in a "
            "dev cluster); what was issued stays valid to its end");
    return rc;
}

static void leaf_came(struct node *n, void *arg, uint32_t extra, enum rc rc,
                      const uint8_t *body, size_t len)
{
    OWNED_MEM struct asked *a = arg;
    (void)extra;
    if (rc == RC_OK) {
        keep(n, a, body, len);
        bundle_chain_heard(n, a->group_key, body, len);
    } else {
        rc = outage(n, a, rc);
    }
    hand_on(n, a->call, rc, body, len);
}

static void key_of(uint8_t out[32], struct node *n, const char *json,
                   size_t len)
{
    crypto_hash_sha256_state st;
    crypto_hash_sha256_init(&st);
    node_lock(n);
    crypto_hash_sha256_update(&st, policy_chain_head(n->chain)->sha256, 32);
    node_unlock(n);
    crypto_hash_sha256_update(&st, (const uint8_t *)json, len);
    crypto_hash_sha256_final(&st, out);
}

void cert_ask(struct node *n, uint64_t call, const char *name,
              const uint8_t group_key[32], bool once, const char *json,
              size_t len)
{
    struct asked *a = malloc(sizeof(*a));
    if (!a) {
        hand_on(n, call, rc_raise(RC_NOMEM, "certificate: out of memory"), NULL,
                0);
        return;
    }
    a->call = call;
    a->once = once;
    memcpy(a->group_key, group_key, 32);
    snprintf(a->name, sizeof(a->name), "%s", name);
    key_of(a->key, n, json, len);
    const struct leaf *l = find(n, a->key);
    if (l && n->w.now_s(n->w.ctx) < l->fresh_to) {
        free(a);
        bundle_chain_heard(n, group_key, (const uint8_t *)l->json, l->len);
        hand_on(n, call, RC_OK, (const uint8_t *)l->json, l->len);
        return;
    }
    node_send(n, WORLD_CA, "/v1/ca/issue", json, len,
              n->w.now_ms(n->w.ctx) + CERT_MS, leaf_came, a, 0);
}

/* ---- the root ------------------------------------------------------------- */

/* Leaves of another root than this are not handed on any more. */
static void keep_root(struct certs *c, const uint8_t *body, size_t len)
{
    char *copy = copy_of(body, len);
    if (!c->root || !copy || c->root_len != len ||
        memcmp(c->root, body, len) != 0)
        forget_leaves(c);
    free(c->root);
    c->root = copy;
    c->root_len = len;
}

/* reads: it was asked for, not handed in. */
static void root_came(struct node *n, void *arg, uint32_t reads, enum rc rc,
                      const uint8_t *body, size_t len)
{
    uint64_t call = *(uint64_t *)arg;
    struct certs *c = certs_of(n);
    free(arg);
    if (rc == RC_OK && c)
        keep_root(c, body, len);
    bool silent = rc == RC_UNREACHABLE || rc == RC_TIMEOUT;
    if (silent && reads && c && c->root) { /* a root is a root for years */
        hand_on(n, call, RC_OK, (const uint8_t *)c->root, c->root_len);
        return;
    }
    if (rc != RC_OK)
        rc = rc_prefix(rc, silent ? "ca: mpc-ca does not answer: " : "ca: ");
    hand_on(n, call, rc, body, len);
}

static void ask_root(struct node *n, uint64_t call, const char *path,
                     const char *body, size_t len)
{
    uint64_t *arg = malloc(sizeof(*arg));
    if (!arg) {
        hand_on(n, call, rc_raise(RC_NOMEM, "root: out of memory"), NULL, 0);
        return;
    }
    *arg = call;
    node_send(n, WORLD_CA, path, body, len, n->w.now_ms(n->w.ctx) + CERT_MS,
              root_came, arg, body == NULL);
}

void cert_on_chain(struct node *n, uint64_t call)
{
    ask_root(n, call, CHAIN_PATH, NULL, 0);
}

void cert_on_root(struct node *n, uint64_t call, const uint8_t *body,
                  size_t len)
{
    WIRE(chain) in = { 0 };
    enum rc rc = wire_chain_decode(&in, (const char *)body, len);
    if (rc != RC_OK)
        node_answer(n, call, rc, NULL, 0);
    else
        ask_root(n, call, ROOT_PATH, (const char *)body, len);
}
