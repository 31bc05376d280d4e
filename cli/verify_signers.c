/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who signed: cosignatures over the intent's checkpoint, standing SNP reports
 * and what the keys attested there said about the intent. The cosignatures'
 * times are the only clock: a bundle verifies long after its certificate.
 */
#include "cli/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/x509.h>

#include "attest/attest.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/hash.h"

OWNED_BY(X509, X509_free);

/* ---- cosignatures ------------------------------------------------------- */

static enum rc cosigned(struct verify *v, const struct wire_bundle_signer *s)
{
    char name[TLOG_NAME_MAX + 32];
    struct tlog_vkey key;
    int64_t at;
    const struct policy_node *n = policy_node_find(v->under, (uint16_t)s->node);
    if (!n || !n->has_keys)
        return rc_raise(RC_VERIFY, "node %llu: not in the policy",
                        (unsigned long long)s->node);
    snprintf(name, sizeof(name), "%s/node%u", v->deployment, n->id);
    TRY(tlog_vkey_make(&key, name, TLOG_SIG_COSIGNATURE, n->identity));
    enum rc rc = tlog_cosignature_check(s->cosignature.p, &v->head, &key, &at);
    if (rc != RC_OK)
        return rc_prefix(rc, "node %u: ", n->id);
    if (v->n_cosigned == 0 || at < v->first_s)
        v->first_s = at;
    if (v->n_cosigned == 0 || at > v->last_s)
        v->last_s = at;
    v->n_cosigned++;
    return RC_OK;
}

/* With this many, no fork can hide even from t - 1 corrupt nodes. */
static unsigned majority(const struct policy *p, const struct policy_profile *f)
{
    return ((f ? f->n_nodes : p->n_nodes) + (f ? f->threshold : 1) - 1) / 2 + 1;
}

static void check_cosignatures(struct verify *v)
{
    const struct wire_bundle *b = &v->bundle;
    const struct policy_profile *f = policy_profile_find(v->under, b->profile);
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < b->signers.n; i++)
        if (b->signers.at[i].cosignature.len)
            rc = cosigned(v, &b->signers.at[i]);
    if (rc == RC_OK && v->n_cosigned == 0)
        rc = rc_raise(RC_VERIFY, "no signer cosigned the checkpoint");
    if (rc != RC_OK) {
        verify_mark_rc(v, "cosigned", rc, "%s", "");
        return;
    }
    char when[CLOCK_TEXT_SIZE];
    unsigned need = majority(v->under, f);
    verify_mark(v, "cosigned", true, "by %u of %u nodes, at %s; %s",
                v->n_cosigned, f ? f->n_nodes : v->under->n_nodes,
                clock_text(when, v->last_s),
                v->n_cosigned >= need ? "a majority: no fork can hide"
                                      : "fewer than would exclude every fork");
}

/* ---- participants ------------------------------------------------------- */

static enum rc check_set(const struct verify *v)
{
    const struct wire_bundle *b = &v->bundle;
    const struct policy_profile *f = policy_profile_find(v->under, b->profile);
    uint8_t identity[WIRE_MAX_NODES][32];
    uint8_t root[32];
    if (!f || b->signers.n < f->threshold)
        return rc_raise(RC_VERIFY, "%zu signers, profile %s wants %u",
                        b->signers.n, b->profile, f ? f->threshold : 0);
    for (size_t i = 0; i < b->signers.n; i++) {
        const struct policy_node *n = policy_node_find(
                v->under, (uint16_t)b->signers.at[i].node);
        if (!n || !n->has_keys ||
            (i && b->signers.at[i].node <= b->signers.at[i - 1].node))
            return rc_raise(RC_VERIFY, "signers are not nodes of the policy, "
                                       "each once, ascending");
        memcpy(identity[i], n->identity, 32);
    }
    tlog_participants(root, (const uint8_t(*)[32])identity,
                      (unsigned)b->signers.n);
    if (memcmp(root, v->intent.participants, 32) != 0)
        return rc_raise(RC_VERIFY, "the intent names other participants");
    return RC_OK;
}

/* ---- standing evidence -------------------------------------------------- */

/* The simulator's root is whoever signs itself; AMD's are compiled in and
 * tell themselves from it: verdict.simulated. */
static void any_root(struct attest_roots *out, const struct wire_evidence *e)
{
    out->allow_simulated = true;
    for (size_t i = 0; i < e->chain.n; i++) {
        const unsigned char *at = e->chain.at[i].p;
        OWNED(X509) *x = d2i_X509(NULL, &at, (long)e->chain.at[i].len);
        if (x && X509_NAME_cmp(X509_get_subject_name(x),
                               X509_get_issuer_name(x)) == 0)
            hash256(out->simulated_ark, e->chain.at[i].p, e->chain.at[i].len);
    }
}

static enum rc check_report(struct verify *v, const struct policy_node *n,
                            const struct wire_evidence *e)
{
    uint8_t data[64];
    struct attest_roots roots = { 0 };
    OWNED_MEM struct attest_verdict *verdict = calloc(1, sizeof(*verdict));
    if (!verdict)
        return rc_raise(RC_NOMEM, "out of memory");
    attest_standing_data(data, v->deployment, n->uri, n->id, e->ak, n->identity,
                         n->box, v->genesis);
    struct attest_want want = {
        .hashes = (const uint8_t(*)[32])v->under->measurement[POLICY_SIDECAR],
        .n_hashes = v->under->n_measurements[POLICY_SIDECAR],
        .report_data = data,
        .host_data = v->genesis,
        .min_version = 3,
        .peer = true,
        .vtpm = true, /* its peers took it for one of them */
    };
    any_root(&roots, e);
    enum rc rc = attest_verify(verdict, e, &roots, &want, v->last_s);
    v->simulated = v->simulated || verdict->simulated;
    return rc;
}

static enum rc check_ak(const struct verify *v, const uint8_t ak[32],
                        const uint8_t sig[64])
{
    static const char tag[] = "mpc/intent/v1"; /* with its NUL */
    uint8_t message[sizeof(tag) + 32];
    struct tlog_hash leaf;
    tlog_leaf_hash(&leaf, v->intent_proof.entry, v->intent_proof.entry_len);
    memcpy(message, tag, sizeof(tag));
    memcpy(message + sizeof(tag), leaf.b, 32);
    if (crypto_sign_verify_detached(sig, message, sizeof(message), ak) != 0)
        return rc_raise(RC_VERIFY, "the attested key did not sign this intent");
    return RC_OK;
}

/* A statement counts only where the report stands behind its key. */
static enum rc check_one(struct verify *v, const struct wire_bundle_signer *s)
{
    const struct policy_node *n = policy_node_find(v->under, (uint16_t)s->node);
    if (!n || !n->has_keys)
        return rc_raise(RC_VERIFY, "not in the policy");
    TRY(check_report(v, n, &s->evidence.at[0]));
    return check_ak(v, s->evidence.at[0].ak, s->ak_signature);
}

static void check_evidence(struct verify *v)
{
    const struct wire_bundle *b = &v->bundle;
    unsigned n = 0;
    for (size_t i = 0; i < b->signers.n; i++) {
        const struct wire_bundle_signer *s = &b->signers.at[i];
        if (s->evidence.n == 0)
            continue;
        enum rc rc = check_one(v, s);
        if (rc != RC_OK) {
            (void)rc_prefix(rc, "node %llu: ", (unsigned long long)s->node);
            verify_mark_rc(v, "attested", rc, "%s", "");
            return;
        }
        n++;
    }
    verify_mark(v, "attested", n > 0,
                "%u of %zu signers with a standing report and a statement by "
                "its key%s",
                n, b->signers.n,
                n == b->signers.n ? ""
                : n               ? "; the others' statements are not counted"
                                  : ": nothing shows what hardware signed");
}

void verify_signers(struct verify *v)
{
    if (!v->under) {
        verify_mark(v, "signers", false, "no policy to find them in");
        return;
    }
    enum rc rc = check_set(v);
    verify_mark_rc(v, "signers", rc, "%zu nodes, as the intent names them",
                   v->bundle.signers.n);
    check_cosignatures(v);
    check_evidence(v);
}
