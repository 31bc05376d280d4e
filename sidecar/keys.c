/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys this node knows: found by name, id or birth; taken from births that
 * were judged; read back at the start. Public halves; shares are the vault's.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"

/* ---- finding them -------------------------------------------------------------- */

struct key *node_key_by_name(struct node *n, const char *name)
{
    for (unsigned i = 0; i < n->n_keys; i++)
        if (strcmp(n->key[i].name, name) == 0)
            return &n->key[i];
    return NULL;
}

struct key *node_key_by_id(struct node *n, const uint8_t id[32])
{
    for (unsigned i = 0; i < n->n_keys; i++)
        if (memcmp(n->key[i].id, id, 32) == 0)
            return &n->key[i];
    return once_key_by_id(n, id);
}

struct key *node_key_by_birth(struct node *n, uint64_t index)
{
    for (unsigned i = 0; i < n->n_keys; i++)
        if (n->key[i].birth == index)
            return &n->key[i];
    return once_key_by_birth(n, index);
}

unsigned node_n_keys(struct node *n)
{
    node_lock(n);
    unsigned count = n->n_keys;
    node_unlock(n);
    return count;
}

static bool is_member(const struct wire_cert *c, uint16_t node)
{
    for (size_t i = 0; i < c->votes.n; i++)
        if (c->votes.at[i].node == node)
            return true;
    return false;
}

/* ---- taking them ---------------------------------------------------------------- */

enum rc node_key_fill(struct key *k, const char *name,
                      const struct wire_birth *birth, bool have_share)
{
    const struct wire_cert *c = &birth->cert;
    struct wire_birth copy = { 0 };
    if (c->votes.n > TLOG_MAX_NODES || c->threshold > c->votes.n)
        return rc_raise(RC_PARSE, "birth of %s: %zu votes, threshold %llu",
                        name, c->votes.n, (unsigned long long)c->threshold);
    TRY(birth_copy(&copy, birth));
    wire_birth_free(&k->evidence);
    snprintf(k->name, sizeof(k->name), "%s", name);
    memcpy(k->group_key, c->group_key, 32);
    hash256(k->id, c->group_key, 32);
    k->epoch = c->epoch;
    k->birth = birth->proof.index;
    k->t = (uint16_t)c->threshold;
    k->n = (unsigned)c->votes.n;
    for (unsigned i = 0; i < k->n; i++) {
        k->node[i] = (uint16_t)c->votes.at[i].node;
        memcpy(k->y[i].b, c->votes.at[i].y, 32);
    }
    k->have_share = have_share;
    k->evidence = copy;
    k->live = (struct key_live){
        .epoch = k->epoch, .t = k->t, .have_share = have_share, .retired = true
    };
    return RC_OK;
}

enum rc node_key_take(struct node *n, const char *name,
                      const struct wire_birth *birth, bool have_share,
                      struct key **out)
{
    const struct wire_cert *c = &birth->cert;
    struct key *k = node_key_by_name(n, name);
    if (k && memcmp(k->group_key, c->group_key, 32) != 0)
        return rc_raise(RC_CONFLICT, "key %s: its group key never changes",
                        name);
    if (k && k->epoch >= c->epoch) {
        k->have_share = k->have_share || (have_share && k->epoch == c->epoch);
        k->live.have_share = k->live.have_share ||
                             (have_share && k->live.epoch == c->epoch);
        *out = k;
        return RC_OK;
    }
    if (!k && n->n_keys == POLICY_MAX_PROFILES)
        return rc_raise(RC_NOMEM, "keys: more than %d", POLICY_MAX_PROFILES);
    struct key *to = k ? k : &n->key[n->n_keys];
    TRY(node_key_fill(to, name, birth, have_share));
    to->live.member = is_member(c, n->id);
    n->n_keys += !k;
    *out = to;
    return RC_OK;
}

enum rc keys_opened(const struct node *n, const struct key *k)
{
    if (!k || !k->live.waits)
        return RC_OK;
    return rc_raise(RC_ORDER,
                    "key %s: node%u has just started: its share waits for its "
                    "peers' pieces",
                    k->name, n->id);
}

/* ---- moving them ---------------------------------------------------------------- */

const struct wire_cert *keys_cert(const struct key *k)
{
    return k->live.cert.cert.votes.n ? &k->live.cert.cert : &k->evidence.cert;
}

enum rc keys_live_wire(struct wire_epoch_live *out, const struct key *k)
{
    TRY(birth_copy(&out->birth, &k->evidence));
    if (k->live.cert.cert.votes.n == 0)
        return RC_OK;
    TRY(wire_list_new(&out->live, 1));
    return birth_copy(&out->live.at[0], &k->live.cert);
}

static enum rc cert_copy(struct wire_cert *out, const struct wire_cert *in)
{
    *out = *in;
    out->votes.at = NULL;
    out->votes.n = 0;
    TRY(wire_list_new(&out->votes, in->votes.n));
    memcpy(out->votes.at, in->votes.at, in->votes.n * sizeof(*in->votes.at));
    return RC_OK;
}

enum rc keys_move(struct node *n, struct key *k, const struct wire_birth *in,
                  const uint8_t *ack)
{
    WIRE(birth) next = { 0 };
    WIRE(cert) old = { 0 };
    const struct wire_cert *c = &in->cert;
    if (c->votes.n > TLOG_MAX_NODES || c->threshold > c->votes.n)
        return rc_raise(RC_PARSE, "epoch of %s: %zu votes", k->name,
                        c->votes.n);
    TRY(birth_copy(&next, in));
    TRY(cert_copy(&old, keys_cert(k)));
    struct key_live *l = &k->live;
    wire_birth_free(&l->cert);
    wire_cert_free(&l->old);
    *l = (struct key_live){ .epoch = c->epoch,
                            .t = (uint16_t)c->threshold,
                            .have_share = ack != NULL,
                            .member = is_member(c, n->id),
                            .has_ack = ack != NULL,
                            .old = old,
                            .cert = next };
    if (ack)
        memcpy(l->ack, ack, 64);
    memset(&old, 0, sizeof(old)); /* both moved */
    memset(&next, 0, sizeof(next));
    return RC_OK;
}

enum rc keys_gone(struct key *k, const uint8_t *word,
                  const struct wire_birth *shown)
{
    WIRE(birth) copy = { 0 };
    struct key_live *l = &k->live;
    if (shown)
        TRY(birth_copy(&copy, shown));
    if (shown && l->shown.cert.votes.n == 0) {
        l->shown = copy;
        memset(&copy, 0, sizeof(copy)); /* moved */
    }
    if (word && !l->has_word) {
        memcpy(l->word, word, 64);
        l->has_word = true;
    }
    l->gone = true;
    l->have_share = l->has_ack = false;
    keys_retired(k);
    return RC_OK;
}

void keys_retired(struct key *k)
{
    wire_cert_free(&k->live.old);
    k->live.retired = true;
}

/* Who had no share of the epoch before may well have one of this. */
static void share_again(struct node *n)
{
    for (unsigned i = 0; i < n->n_peers; i++) {
        struct peer *p = &n->peer[i];
        if (p->lost)
            p->down_until_ms = 0;
        p->lost = false;
    }
}

void keys_settle(struct node *n, struct key *k)
{
    if (k->once)
        return; /* a session's key stays where it was born */
    node_lock(n);
    if (k->epoch != k->live.epoch) {
        const struct wire_cert *c = keys_cert(k);
        share_again(n);
        k->epoch = c->epoch;
        k->t = (uint16_t)c->threshold;
        k->n = (unsigned)c->votes.n;
        for (unsigned i = 0; i < k->n; i++) {
            k->node[i] = (uint16_t)c->votes.at[i].node;
            memcpy(k->y[i].b, c->votes.at[i].y, 32);
        }
    }
    k->have_share = k->live.have_share;
    node_unlock(n);
}

/* ---- reading them back ----------------------------------------------------------- */

/* Its share back into the vault. */
static enum rc load_share(struct node *n, uint8_t ack[64],
                          const struct wire_cert *cert, const uint8_t *sealed,
                          size_t sealed_len)
{
    struct tlog_epoch_terms terms;
    struct tlog_vote votes[TLOG_MAX_NODES];
    unsigned n_votes;
    TRY(cert_terms(&terms, votes, &n_votes, cert));
    return vault_activate(n->w.vault, ack, &terms, votes, n_votes, sealed,
                          sealed_len);
}

void keys_share_back(struct node *n, const char *name, uint64_t epoch,
                     const uint8_t ack[64])
{
    node_lock(n);
    struct key *k = node_key_by_name(n, name);
    if (k && k->live.epoch == epoch) {
        k->live.waits = false;
        k->live.have_share = k->live.has_ack = true;
        memcpy(k->live.ack, ack, 64);
    }
    node_unlock(n);
    lead_pump(n); /* leads see it between two rounds */
}

/* Whatever is wrong with one key, the others go on; status shows it. */
static void note_problem(struct node *n, const char *name, uint64_t epoch)
{
    unsigned room = sizeof(n->problem) / sizeof(*n->problem);
    if (n->n_problems == room)
        return;
    snprintf(n->problem[n->n_problems++], sizeof(*n->problem),
             "key %s, epoch %llu: %.280s", name, (unsigned long long)epoch,
             rc_text());
}

/* No row's fault: all of them would fail. */
static bool is_ours(enum rc rc)
{
    return rc == RC_NOMEM || rc == RC_IO || rc == RC_INTERNAL;
}

/* One stored ACTIVE epoch. */
enum rc keys_load_epoch(void *ctx, const char *name, uint64_t number,
                        const uint8_t *json, size_t json_len,
                        const uint8_t *sealed, size_t sealed_len)
{
    struct node *n = ctx;
    uint8_t ack[64];
    bool waits = false;
    WIRE(birth) birth = { 0 };
    struct key *k = node_key_by_name(n, name);
    enum rc rc = wire_birth_decode(&birth, (const char *)json, json_len);
    if (rc == RC_OK && k && memcmp(k->group_key, birth.cert.group_key, 32) != 0)
        rc = rc_raise(RC_CONFLICT, "another group key than epoch %llu's",
                      (unsigned long long)k->epoch);
    if (rc == RC_OK) {
        bool have = sealed_len > 0 && n->keys.has_roster;
        if (have)
            rc = load_share(n, ack, &birth.cert, sealed, sealed_len);
        if (rc != RC_OK) {
            if (is_ours(rc))
                return rc_prefix(rc, "share of %s: ", name);
            /* it can still lead */
            have = false;
            waits = rc == RC_ORDER && pieces_wait(n, name, &birth.cert, sealed,
                                                  sealed_len) == RC_OK;
            if (!waits)
                note_problem(n, name, number);
        }
        rc = node_key_take(n, name, &birth, have, &k);
    }
    if (rc == RC_OK)
        k->live.waits = waits;
    if (rc == RC_OK)
        return RC_OK;
    if (is_ours(rc))
        return rc_prefix(rc, "key %s: ", name);
    note_problem(n, name, number);
    return RC_OK;
}

/* ---- moves ------------------------------------------------------------------------ */

/* Who may hold a share of an older epoch, while one is still at rest here. */
static enum rc load_old(struct node *n, struct key *k)
{
    OWNED_MEM uint8_t *json = NULL;
    size_t len;
    WIRE(birth) old = { 0 };
    enum rc rc = store_move_old(n->w.store, k->name, k->live.epoch, &json,
                                &len);
    wire_cert_free(&k->live.old);
    k->live.retired = rc == RC_UNKNOWN;
    if (rc == RC_UNKNOWN)
        return RC_OK;
    TRY(rc);
    if (len == 0)
        return RC_OK; /* a share of an epoch that never was certified */
    TRY(wire_birth_decode(&old, (const char *)json, len));
    return cert_copy(&k->live.old, &old.cert);
}

/* Without the share the key lives all the same, and we may lead. */
static enum rc load_live(struct node *n, uint8_t ack[64], bool *have,
                         const struct wire_cert *c, const uint8_t *sealed,
                         size_t sealed_len)
{
    *have = false;
    if (!is_member(c, n->id) || sealed_len == 0 || !n->keys.has_roster)
        return RC_OK; /* status says what is missing */
    enum rc rc = load_share(n, ack, c, sealed, sealed_len);
    *have = rc == RC_OK;
    return rc;
}

static enum rc load_move(void *ctx, const char *name, uint64_t number,
                         const uint8_t *json, size_t json_len,
                         const uint8_t *sealed, size_t sealed_len)
{
    struct node *n = ctx;
    WIRE(birth) in = { 0 };
    uint8_t ack[64];
    bool have = false;
    bool waits = false;
    struct key *k = node_key_by_name(n, name);
    enum rc rc = k ? wire_birth_decode(&in, (const char *)json, json_len)
                   : rc_raise(RC_STORE, "its birth is not at rest");
    if (rc == RC_OK && memcmp(k->group_key, in.cert.group_key, 32) != 0)
        rc = rc_raise(RC_CONFLICT, "another group key than its birth's");
    if (rc == RC_OK) {
        rc = load_live(n, ack, &have, &in.cert, sealed, sealed_len);
        if (rc != RC_OK && is_ours(rc))
            return rc_prefix(rc, "share of %s: ", name);
        waits = rc == RC_ORDER &&
                pieces_wait(n, name, &in.cert, sealed, sealed_len) == RC_OK;
        if (rc != RC_OK && !waits)
            note_problem(n, name, number);
        rc = keys_move(n, k, &in, have ? ack : NULL);
    }
    if (rc == RC_OK)
        k->live.waits = waits;
    if (rc == RC_OK)
        rc = load_old(n, k);
    if (rc == RC_OK)
        return RC_OK;
    if (is_ours(rc))
        return rc_prefix(rc, "key %s: ", name);
    note_problem(n, name, number);
    return RC_OK;
}

static enum rc load_gone(void *ctx, const char *name, uint64_t number,
                         const uint8_t *json, size_t json_len,
                         const uint8_t *word, size_t word_len)
{
    struct node *n = ctx;
    WIRE(birth) shown = { 0 };
    struct key *k = node_key_by_name(n, name);
    enum rc rc = k ? RC_OK : rc_raise(RC_STORE, "its birth is not at rest");
    if (rc == RC_OK && json_len)
        rc = wire_birth_decode(&shown, (const char *)json, json_len);
    if (rc == RC_OK)
        rc = keys_gone(k, word_len == 64 ? word : NULL,
                       json_len ? &shown : NULL);
    if (rc != RC_OK && is_ours(rc))
        return rc;
    if (rc != RC_OK)
        note_problem(n, name, number);
    return RC_OK;
}

enum rc keys_load(struct node *n)
{
    TRY(store_epochs(n->w.store, keys_load_epoch, n));
    TRY(store_moves(n->w.store, load_move, n));
    TRY(store_gone(n->w.store, load_gone, n));
    for (unsigned i = 0; i < n->n_keys; i++)
        keys_settle(n, &n->key[i]);
    return RC_OK;
}
