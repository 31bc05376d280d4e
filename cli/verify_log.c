/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the log says: the intent before the signature, the receipt after it,
 * and who has seen that history. The cosignatures' times are the only clock:
 * a bundle verifies long after its certificate.
 */
#include "cli/verify_inner.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"

#define CLOCKS_DIFFER_S 60

/* ---- entries -------------------------------------------------------------- */

static void check_log(struct verify *v)
{
    enum rc rc = verify_proof(&v->intent_proof, &v->shown, v,
                              &v->bundle.intent);
    if (rc != RC_OK)
        v->shown.size = 0;
    verify_mark(v, "log", rc, "the intent in the log that the policy names",
                "index %llu of %llu in %s",
                (unsigned long long)v->intent_proof.index,
                (unsigned long long)v->shown.size, v->newest->log.name);
}

static enum rc check_receipt_of(struct verify *v)
{
    uint8_t sig[32];
    uint8_t leaf[32];
    const struct wire_bundle *b = &v->bundle;
    if (b->receipt.n == 0)
        return rc_raise(RC_VERIFY, "the bundle has none");
    TRY(verify_proof(&v->receipt_proof, &v->head, v, &b->receipt.at[0]));
    TRY(tlog_receipt_decode(&v->receipt, v->receipt_proof.entry,
                            v->receipt_proof.entry_len));
    hash256(sig, b->signature, 64);
    if (v->receipt.intent != b->intent.index)
        return rc_raise(RC_VERIFY, "of intent %llu",
                        (unsigned long long)v->receipt.intent);
    if (memcmp(sig, v->receipt.signature, 32) != 0)
        return rc_raise(RC_VERIFY, "of another signature");
    if (v->receipt.has_certificate != (b->chain.n > 0))
        return rc_raise(RC_VERIFY, v->receipt.has_certificate
                                           ? "it names a certificate, and none "
                                             "is in the bundle"
                                           : "it names no certificate, and the "
                                             "bundle has one");
    if (b->chain.n == 0)
        return RC_OK;
    hash256(leaf, b->chain.at[0].p, b->chain.at[0].len);
    if (memcmp(leaf, v->receipt.certificate, 32) != 0)
        return rc_raise(RC_VERIFY, "it names another certificate");
    return RC_OK;
}

static void check_receipt(struct verify *v)
{
    enum rc rc = check_receipt_of(v);
    v->has_receipt = rc == RC_OK;
    if (rc != RC_OK)
        v->head.size = 0;
    verify_mark(v, "receipt", rc,
                "this signature, its intent and its certificate in the log",
                "index %llu of %llu%s",
                (unsigned long long)v->receipt_proof.index,
                (unsigned long long)v->head.size,
                v->receipt.has_certificate ? ", with its certificate" : "");
}

/* One history: who cosigned the later tree vouches for the earlier one. */
static void check_growth(struct verify *v)
{
    struct tlog_path path = { .n = (unsigned)v->bundle.growth.n };
    enum rc rc = v->shown.size && v->head.size
                         ? RC_OK
                         : rc_raise(RC_LOG, "one of the two is not proven");
    for (unsigned i = 0; i < path.n; i++) /* wire/ bounds it */
        memcpy(path.hash[i].b, v->bundle.growth.at[i].b, 32);
    if (rc == RC_OK && v->head.size < v->shown.size)
        rc = rc_raise(RC_LOG, "the receipt's checkpoint is the smaller one");
    if (rc == RC_OK)
        rc = tlog_consistency_check(&path, v->shown.size, &v->shown.root,
                                    v->head.size, &v->head.root);
    v->grown = rc == RC_OK;
    verify_mark(v, "history", rc,
                "the receipt's checkpoint extends the intent's",
                "the log grew from %llu to %llu, nothing rewritten",
                (unsigned long long)v->shown.size,
                (unsigned long long)v->head.size);
}

/* ---- cosignatures ------------------------------------------------------- */

static enum rc cosigned(int64_t *at, const struct verify *v, uint64_t node,
                        const struct wire_text *line,
                        const struct tlog_checkpoint *cp)
{
    char name[TLOG_NAME_MAX + 32];
    struct tlog_vkey key;
    const struct policy_node *n = policy_node_find(v->under, (uint16_t)node);
    if (!n || !n->has_keys)
        return rc_raise(RC_VERIFY, "node %llu: not in the policy",
                        (unsigned long long)node);
    snprintf(name, sizeof(name), "%s/node%u", v->deployment, n->id);
    TRY(tlog_vkey_make(&key, name, TLOG_SIG_COSIGNATURE, n->identity));
    enum rc rc = tlog_cosignature_check(line->p, cp, &key, at);
    return rc == RC_OK ? RC_OK : rc_prefix(rc, "node %u: ", n->id);
}

static void see_time(struct verify *v, int64_t at)
{
    if (!v->timed || at < v->first_s)
        v->first_s = at;
    if (!v->timed || at > v->last_s)
        v->last_s = at;
    v->timed = true;
}

/* The signers' lines over what they were shown: when they signed. */
static enum rc check_signers_lines(struct verify *v, unsigned *n)
{
    const struct wire_bundle *b = &v->bundle;
    int64_t at;
    *n = 0;
    for (size_t i = 0; i < b->signers.n; i++) {
        const struct wire_bundle_signer *s = &b->signers.at[i];
        if (s->cosignature.len == 0)
            continue; /* it knew a newer head */
        if (!v->shown.size)
            return rc_raise(RC_VERIFY, "lines over a checkpoint that is not "
                                       "proven");
        TRY(cosigned(&at, v, s->node, &s->cosignature, &v->shown));
        if (at > v->intent.expires + CLOCKS_DIFFER_S)
            return rc_raise(RC_VERIFY,
                            "node %llu: signed after the intent had "
                            "expired",
                            (unsigned long long)s->node);
        see_time(v, at);
        (*n)++;
    }
    return RC_OK;
}

static bool of_profile(const struct policy_profile *f, uint64_t node)
{
    for (unsigned i = 0; f && i < f->n_nodes; i++)
        if (f->nodes[i] == node)
            return true;
    return false;
}

/* Lines over the receipt's checkpoint, which has both. */
static enum rc check_cosigners(struct verify *v)
{
    const struct wire_bundle *b = &v->bundle;
    bool timed = v->timed;
    int64_t at;
    for (size_t i = 0; i < b->cosigners.n; i++) {
        const struct wire_bundle_cosigner *c = &b->cosigners.at[i];
        if (i && c->node <= b->cosigners.at[i - 1].node)
            return rc_raise(RC_VERIFY, "cosigners are not ascending by node");
        if (!of_profile(v->key_of, c->node))
            return rc_raise(RC_VERIFY, "node %llu: not one of the profile's",
                            (unsigned long long)c->node);
        if (!v->grown)
            return rc_raise(RC_VERIFY, "a checkpoint of another history");
        TRY(cosigned(&at, v, c->node, &c->line, &v->head));
        if (!timed)
            see_time(v, at);
        if (at > v->receipt_s)
            v->receipt_s = at;
    }
    return RC_OK;
}

/* With this many, no fork can hide even from t - 1 corrupt nodes. */
static unsigned majority(const struct policy_profile *f)
{
    return (f->n_nodes + f->threshold - 1u) / 2 + 1;
}

static void check_cosignatures(struct verify *v)
{
    unsigned first = 0;
    enum rc rc = v->under && v->key_of
                         ? RC_OK
                         : rc_raise(RC_POLICY, "no policy to find them in");
    if (rc == RC_OK)
        rc = check_signers_lines(v, &first);
    if (rc == RC_OK)
        rc = check_cosigners(v);
    if (rc == RC_OK && !v->timed)
        rc = rc_raise(RC_VERIFY, "nobody cosigned");
    if (rc != RC_OK) {
        verify_mark(v, "cosigned", rc,
                    "cosignatures of the profile's nodes, each valid", "%s",
                    "");
        return;
    }
    unsigned last = (unsigned)v->bundle.cosigners.n;
    char when[CLOCK_TEXT_SIZE];
    v->n_cosigned = last > first ? last : first;
    v->n_needed = majority(v->key_of);
    v->n_nodes = v->key_of->n_nodes;
    v->fork_proof = v->n_cosigned >= v->n_needed;
    verify_pass(v, "cosigned", "by %u of %u nodes, signed at %s; %s (%u)",
                v->n_cosigned, v->n_nodes, clock_text(when, v->last_s),
                v->fork_proof ? "so many that no fork can hide"
                              : "fewer than would exclude every fork",
                v->n_needed);
}

void verify_log(struct verify *v)
{
    check_log(v);
    check_receipt(v);
    check_growth(v);
    check_cosignatures(v);
}
