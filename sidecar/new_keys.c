/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node whose own keys are not those that the policy names: its chip,
 * program or disk is another one than before. It starts empty: new keys, no
 * roster, so its vault does nothing but hold them; it follows the policy, and
 * says what to do. Old sealed keys stay at rest beside the new ones and are
 * used again where they open: who brings back what they were sealed under
 * loses nothing.
 */
#include "sidecar/new_keys.h"

#include <stdio.h>
#include <string.h>

#define ASIDE_MAX 16

static void aside_name(char out[32], unsigned i)
{
    snprintf(out, 32, "node_keys.%u", i);
}

/* ---- opening ------------------------------------------------------------------- */

/* RC_UNKNOWN: sealed under another chip, firmware level or measurement. */
static enum rc try_open(struct node *n, const uint8_t *kept, size_t kept_len)
{
    OWNED_MEM uint8_t *sealed = calloc(1, VAULT_SEALED_KEYS_MAX);
    size_t len = kept_len;
    if (!sealed)
        return rc_raise(RC_NOMEM, "node keys: out of memory");
    if (len > VAULT_SEALED_KEYS_MAX)
        return rc_raise(RC_STORE, "node keys: %zu bytes at rest", len);
    if (len)
        memcpy(sealed, kept, len);
    TRY(vault_open(n->w.vault, &n->keys, sealed, &len));
    return len ? store_put(n->w.store, "node_keys", sealed, len) : RC_OK;
}

/* Once each: a crash may have come before node_keys was written anew. */
static enum rc put_aside(struct node *n, const uint8_t *kept, size_t len)
{
    char name[32];
    for (unsigned i = 1; i <= ASIDE_MAX; i++) {
        OWNED_MEM uint8_t *there = NULL;
        size_t there_len;
        aside_name(name, i);
        enum rc rc = store_get(n->w.store, name, &there, &there_len);
        if (rc == RC_UNKNOWN)
            return store_put(n->w.store, name, kept, len);
        TRY(rc);
        if (there_len == len && memcmp(there, kept, len) == 0)
            return RC_OK;
    }
    return rc_raise(RC_STORE, "node keys: %d kept aside already, none opens",
                    ASIDE_MAX);
}

/* RC_UNKNOWN: none of those aside opens here. */
static enum rc open_aside(struct node *n)
{
    char name[32];
    for (unsigned i = 1; i <= ASIDE_MAX; i++) {
        OWNED_MEM uint8_t *there = NULL;
        size_t len;
        aside_name(name, i);
        enum rc rc = store_get(n->w.store, name, &there, &len);
        if (rc == RC_OK)
            rc = try_open(n, there, len);
        else
            return rc; /* the last one was before it */
        if (rc == RC_OK)
            return store_put(n->w.store, "node_keys", there, len);
        if (rc != RC_UNKNOWN)
            return rc;
    }
    return RC_UNKNOWN;
}

enum rc keys_open(struct node *n)
{
    OWNED_MEM uint8_t *kept = NULL;
    size_t len = 0;
    enum rc rc = store_get(n->w.store, "node_keys", &kept, &len);
    if (rc != RC_OK && rc != RC_UNKNOWN)
        return rc;
    rc = try_open(n, kept, len);
    if (rc != RC_UNKNOWN || len == 0)
        return rc;
    snprintf(n->keys_why, sizeof(n->keys_why), "%s", rc_text());
    TRY(put_aside(n, kept, len));
    /* the newest head is kept with a cosignature by the keys before */
    TRY(store_put(n->w.store, "head", "", 0));
    rc = open_aside(n);
    if (rc == RC_OK)
        n->keys_why[0] = '\0';
    return rc == RC_UNKNOWN ? try_open(n, NULL, 0) : rc;
}

/* ---- what follows from it -------------------------------------------------------- */

bool keys_are_new(const struct node *n)
{
    const struct policy_node *us = policy_node_find(policy_chain_head(n->chain),
                                                    n->id);
    return us && us->has_keys &&
           (memcmp(us->identity, n->keys.identity, 32) != 0 ||
            memcmp(us->box, n->keys.box, 32) != 0);
}

bool keys_new_problem(char *out, size_t cap, const struct node *n)
{
    if (!keys_are_new(n))
        return false;
    snprintf(out, cap,
             "this node's keys are new, the policy names others: mpcsign node "
             "upgrade %u%s%s%s",
             n->id, n->keys_why[0] ? " (" : "", n->keys_why,
             n->keys_why[0] ? "; kept in state.db)" : "");
    return true;
}
