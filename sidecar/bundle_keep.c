/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of a finished signature: for its receipt, which is owed to the
 * log at once, and for its bundle, when somebody asks. And the fresh
 * certificates, for the receipts of what is signed under them.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define LEAF_LEFT_S 5 /* signers' clocks differ from ours by less */

/* ---- certificates ---------------------------------------------------------- */

static struct kept_chain *find_chain(struct node *n,
                                     const uint8_t group_key[32])
{
    for (unsigned i = 0; i < CHAINS_MAX; i++)
        if (n->chains[i].chain.chain.n &&
            memcmp(n->chains[i].group_key, group_key, 32) == 0)
            return &n->chains[i];
    return NULL;
}

void bundle_chain_heard(struct node *n, const uint8_t group_key[32],
                        const uint8_t *json, size_t len)
{
    WIRE(chain) in = { 0 };
    int64_t from;
    int64_t until;
    if (!n->w.leaf_life ||
        wire_chain_decode(&in, (const char *)json, len) != RC_OK ||
        in.chain.n == 0 ||
        n->w.leaf_life(n->w.ctx, &from, &until, in.chain.at[0].p,
                       in.chain.at[0].len) != RC_OK)
        return; /* the receipt names none, then */
    struct kept_chain *k = find_chain(n, group_key);
    if (!k)
        k = &n->chains[n->next_chain++ % CHAINS_MAX];
    wire_chain_free(&k->chain);
    k->chain = in;
    k->until_s = until;
    memcpy(k->group_key, group_key, 32);
    memset(&in, 0, sizeof(in));
}

static enum rc chain_copy(struct wire_chain *out, const struct wire_chain *in)
{
    TRY(wire_list_new(&out->chain, in->chain.n));
    for (size_t i = 0; i < in->chain.n; i++)
        TRY(wire_blob_set(&out->chain.at[i], in->chain.at[i].p,
                          in->chain.at[i].len));
    return RC_OK;
}

/* The leaf that was good when this was signed, as far as we know. */
static void put_certificate(struct seen *seen, struct receipt *receipt,
                            struct node *n)
{
    const struct kept_chain *k = find_chain(n, seen->key->group_key);
    if (!k || n->w.now_s(n->w.ctx) + LEAF_LEFT_S >= k->until_s)
        return;
    if (chain_copy(&seen->chain, &k->chain) != RC_OK) {
        wire_chain_free(&seen->chain);
        return;
    }
    receipt->has_certificate = true;
    hash256(receipt->certificate, k->chain.chain.at[0].p,
            k->chain.chain.at[0].len);
}

/* ---- signatures ------------------------------------------------------------- */

void bundle_seen_free(struct seen *s)
{
    wire_round2_item_free(&s->item);
    for (unsigned i = 0; s->results && i < s->n_signers; i++)
        wire_round2_result_free(&s->results[i]);
    free(s->results);
    free(s->msg);
    free(s->receipt);
    wire_chain_free(&s->chain);
    once_release(s->key);
    *s = (struct seen){ .used = false };
}

/* Where the artifact is not the signed bytes, these go with the bundle. */
static void put_message(struct seen *seen, const struct job *job)
{
    bool wanted = job->kind == POLICY_CMS || job->kind == POLICY_DSSE;
    if (!wanted || job->msg_len > WIRE_BUNDLE_MESSAGE_MAX)
        return;
    seen->msg = malloc(job->msg_len + 1);
    if (!seen->msg)
        return; /* its bundle will say so */
    memcpy(seen->msg, job->msg, job->msg_len);
    seen->msg_len = job->msg_len;
}

void bundle_keep(struct node *n, struct round *r, unsigned s,
                 const uint8_t sig[64])
{
    struct shot *shot = &r->shot[s];
    struct seen *seen = &n->seen[n->next_seen++ % SEEN_MAX];
    struct receipt receipt = { .intent = shot->item.intent.index };
    char text[TLOG_ENTRY_MAX + 1];
    bundle_seen_free(seen);
    once_hold(r->key);
    *seen = (struct seen){ .used = true,
                           .item = shot->item,
                           .results = shot->results,
                           .n_signers = r->n_signers,
                           .key = r->key };
    memcpy(seen->signer, r->signer, sizeof(seen->signer));
    memcpy(seen->signature, sig, 64);
    memset(&shot->item, 0, sizeof(shot->item));
    shot->results = NULL;
    put_message(seen, shot->job);
    hash256(receipt.signature, sig, 64);
    put_certificate(seen, &receipt, n);
    if (govern_receipt_text(text, &receipt) == RC_OK)
        seen->receipt = strdup(text);
    govern_receipt(n, &receipt);
}
