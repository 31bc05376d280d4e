/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who signed: the participants the intent names, each with the report of the
 * boot in which it signed, logged before, and a statement over the intent by
 * the key that this report attests.
 */
#include "cli/verify_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "attest/attest.h"
#include "base/enc.h"
#include "base/hash.h"

OWNED_BY(X509, X509_free);

/* ---- participants ------------------------------------------------------- */

static enum rc check_set(const struct verify *v)
{
    const struct wire_bundle *b = &v->bundle;
    const struct policy_profile *f = v->key_of;
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

static X509 *read_der(const struct wire_blob *b)
{
    const unsigned char *at = b->p;
    X509 *x = b->len ? d2i_X509(NULL, &at, (long)b->len) : NULL;
    ERR_clear_error();
    return x;
}

static bool is_signed_by(X509 *x, X509 *issuer)
{
    return x && issuer &&
           X509_NAME_cmp(X509_get_issuer_name(x),
                         X509_get_subject_name(issuer)) == 0;
}

/*
 * ASK and ARK, in this order, nothing besides. The simulator's root is
 * whoever signs itself; AMD's are compiled in and tell themselves from it:
 * verdict.simulated.
 */
static enum rc check_order(struct attest_roots *out,
                           const struct wire_standing *s)
{
    if (s->chain.n != 2)
        return rc_raise(RC_VERIFY, "%zu certificates above the VEK's, want 2",
                        s->chain.n);
    OWNED(X509) *ask = read_der(&s->chain.at[0]);
    OWNED(X509) *ark = read_der(&s->chain.at[1]);
    if (!is_signed_by(ask, ark) || !is_signed_by(ark, ark))
        return rc_raise(RC_VERIFY, "certificates are not the VEK's signer and "
                                   "its root, in this order");
    out->allow_simulated = true;
    hash256(out->simulated_ark, s->chain.at[1].p, s->chain.at[1].len);
    return RC_OK;
}

static enum rc attest(struct attest_verdict *verdict, const struct verify *v,
                      const struct policy_node *n,
                      const struct wire_standing *s)
{
    uint8_t data[64];
    struct attest_roots roots = { 0 };
    struct attest_rules rules;
    bool has;
    unsigned vtpm = (s->hcl.len > 0) + (s->quote.len > 0) +
                    (s->quote_signature.len > 0);
    const struct wire_evidence e = { /* borrows */
                                     .report = s->report,
                                     .vek = s->vek,
                                     .chain = { s->chain.at, s->chain.n },
                                     .hcl = s->hcl,
                                     .quote = s->quote,
                                     .quote_signature = s->quote_signature
    };
    if (vtpm != 0 && vtpm != 3)
        return rc_raise(RC_VERIFY, "a vTPM's parts come together or not at "
                                   "all");
    if (!v->timed)
        return rc_raise(RC_VERIFY, "no cosignature tells the time at which to "
                                   "judge its report");
    TRY(check_order(&roots, s));
    TRY(attest_rules_shared(&rules, &has, v->under->attestation,
                            v->under->attestation_len));
    rules.crl = ATTEST_CRL_OFF; /* none is at hand, nor was it of that day */
    attest_standing_data(data, v->deployment, n->uri, n->id, s->ak, n->identity,
                         n->box, v->genesis);
    const struct attest_want want = {
        .hashes = (const uint8_t(*)[32])v->under->measurement[POLICY_SIDECAR],
        .n_hashes = v->under->n_measurements[POLICY_SIDECAR],
        .report_data = data,
        .host_data = v->genesis,
        .min_version = 3,
        .rules = has ? &rules : NULL,
        .peer = true,
        .vtpm = true, /* its peers took it for one of them */
    };
    return attest_verify(verdict, &e, &roots, &want, v->last_s);
}

/* In the log before the intent it supports. */
static enum rc check_logged(const struct verify *v, const struct policy_node *n,
                            const struct wire_standing *s)
{
    OWNED_MEM struct tlog_proof *proof = calloc(1, sizeof(*proof));
    struct tlog_evidence e;
    uint8_t report[32];
    if (!proof)
        return rc_raise(RC_NOMEM, "out of memory");
    TRY(verify_proof(proof, NULL, v, &s->logged));
    TRY(tlog_evidence_decode(&e, proof->entry, proof->entry_len));
    hash256(report, s->report.p, s->report.len);
    if (e.node != n->id || memcmp(e.ak, s->ak, 32) != 0 ||
        memcmp(e.identity, n->identity, 32) != 0 ||
        memcmp(e.report, report, 32) != 0)
        return rc_raise(RC_VERIFY, "the log's entry is of another report");
    if (proof->index >= v->bundle.intent.index)
        return rc_raise(RC_VERIFY, "logged at %llu, after the intent",
                        (unsigned long long)proof->index);
    return RC_OK;
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

static json_t *signer_fact(const struct attest_verdict *verdict,
                           const struct policy_node *n,
                           const struct wire_bundle_signer *s)
{
    uint8_t hash[32];
    static const char *const products[] = { "Milan", "Genoa", "Turin" };
    attest_policy_hash(hash, verdict->report.measurement);
    return json_pack("{s:i, s:s, s:o, s:o, s:o, s:s, s:b, s:b, s:I}", "node",
                     (int)n->id, "uri", n->uri, "measurement",
                     verify_hex(verdict->report.measurement, 48), "policy_hash",
                     verify_hex(hash, 32), "chip",
                     verify_hex(verdict->report.chip_id, 8), "product",
                     products[verdict->product], "simulated",
                     (int)verdict->simulated, "cosigned",
                     (int)(s->cosignature.len > 0), "logged",
                     (json_int_t)s->evidence.at[0].logged.index);
}

static enum rc check_one(struct verify *v, const struct wire_bundle_signer *s,
                         json_t *facts)
{
    const struct policy_node *n = policy_node_find(v->under, (uint16_t)s->node);
    OWNED_MEM struct attest_verdict *verdict = calloc(1, sizeof(*verdict));
    if (!verdict)
        return rc_raise(RC_NOMEM, "out of memory");
    if (!n || !n->has_keys)
        return rc_raise(RC_VERIFY, "not in the policy");
    if (s->evidence.n == 0)
        return rc_raise(RC_VERIFY, "no report shows what hardware signed");
    const struct wire_standing *e = &s->evidence.at[0];
    enum rc rc = attest(verdict, v, n, e);
    v->simulated = v->simulated || verdict->simulated;
    TRY(rc);
    TRY(check_logged(v, n, e));
    TRY(check_ak(v, e->ak, s->ak_signature));
    json_array_append_new(facts, signer_fact(verdict, n, s));
    return RC_OK;
}

static void check_evidence(struct verify *v)
{
    const struct wire_bundle *b = &v->bundle;
    json_t *facts = json_array();
    enum rc rc = b->signers.n ? RC_OK : rc_raise(RC_VERIFY, "no signers");
    for (size_t i = 0; rc == RC_OK && i < b->signers.n; i++) {
        rc = check_one(v, &b->signers.at[i], facts);
        if (rc != RC_OK)
            rc = rc_prefix(rc, "node %llu: ",
                           (unsigned long long)b->signers.at[i].node);
    }
    verify_mark(v, "attested", rc,
                "each signer's report: genuine, of an allowed program, logged "
                "before the intent, its key's statement over that",
                "all %zu signers: a genuine report of an allowed program, "
                "logged before, and its key's word on this intent",
                b->signers.n);
    verify_fact(v, "signers", facts);
}

void verify_signers(struct verify *v)
{
    if (!v->under) {
        verify_fail(v, "signers", "nodes of the policy",
                    "no policy to find them in");
        return;
    }
    enum rc rc = check_set(v);
    verify_mark(v, "signers", rc,
                "the participants of the intent, at least the threshold",
                "%zu nodes, as the intent names them", v->bundle.signers.n);
    check_evidence(v);
}
