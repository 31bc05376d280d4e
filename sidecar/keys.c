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
        *out = k;
        return RC_OK;
    }
    if (!k && n->n_keys == POLICY_MAX_PROFILES)
        return rc_raise(RC_NOMEM, "keys: more than %d", POLICY_MAX_PROFILES);
    struct key *to = k ? k : &n->key[n->n_keys];
    TRY(node_key_fill(to, name, birth, have_share));
    n->n_keys += !k;
    *out = to;
    return RC_OK;
}

/* ---- reading them back ----------------------------------------------------------- */

/* Its share back into the vault. */
static enum rc load_share(struct node *n, const struct wire_cert *cert,
                          const uint8_t *sealed, size_t sealed_len)
{
    struct tlog_epoch_terms terms;
    struct tlog_vote votes[TLOG_MAX_NODES];
    unsigned n_votes;
    uint8_t ack[64];
    TRY(cert_terms(&terms, votes, &n_votes, cert));
    return vault_activate(n->w.vault, ack, &terms, votes, n_votes, sealed,
                          sealed_len);
}

void keys_share_back(struct node *n, const char *name, uint64_t epoch)
{
    node_lock(n);
    struct key *k = node_key_by_name(n, name);
    if (k && k->epoch == epoch)
        k->have_share = true;
    node_unlock(n);
    lead_pump(n);
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
    WIRE(birth) birth = { 0 };
    struct key *k = node_key_by_name(n, name);
    enum rc rc = wire_birth_decode(&birth, (const char *)json, json_len);
    if (rc == RC_OK && k && memcmp(k->group_key, birth.cert.group_key, 32) != 0)
        rc = rc_raise(RC_CONFLICT, "another group key than epoch %llu's",
                      (unsigned long long)k->epoch);
    if (rc == RC_OK) {
        bool have = sealed_len > 0;
        if (have)
            rc = load_share(n, &birth.cert, sealed, sealed_len);
        if (rc != RC_OK) {
            if (is_ours(rc))
                return rc_prefix(rc, "share of %s: ", name);
            /* it can still lead */
            have = false;
            if (rc != RC_ORDER ||
                pieces_wait(n, name, &birth.cert, sealed, sealed_len) != RC_OK)
                note_problem(n, name, number);
        }
        rc = node_key_take(n, name, &birth, have, &k);
    }
    if (rc == RC_OK)
        return RC_OK;
    if (is_ours(rc))
        return rc_prefix(rc, "key %s: ", name);
    note_problem(n, name, number);
    return RC_OK;
}
