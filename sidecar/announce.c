/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a boot says of its hardware, and what is believed of the peers': the
 * hands of standing.c. Certificates are only looked at here.
 */
#include "sidecar/do.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "base/clock.h"
#include "base/hash.h"

OWNED_BY(X509, X509_free);

/* ---- ours ------------------------------------------------------------------- */

static void move(struct wire_standing *out, struct wire_evidence *e)
{
    memcpy(out->ak, e->ak, 32);
    out->report = e->report;
    out->vek = e->vek;
    out->chain.at = e->chain.at;
    out->chain.n = e->chain.n;
    out->hcl = e->hcl;
    out->quote = e->quote;
    out->quote_signature = e->quote_signature;
    memset(e, 0, sizeof(*e));
}

enum rc announce_standing(struct sidecar *sc)
{
    struct vault_keys keys;
    uint8_t hash[32];
    uint8_t measurement[ATTEST_MEASUREMENT_LEN];
    bool simulated;
    uint8_t data[64];
    struct tlog_evidence entry = { .node = sc->id };
    char text[TLOG_ENTRY_MAX + 1];
    size_t len;
    node_keys(sc->node, &keys);
    attest_channel_own(sc->d.channel, hash, measurement, entry.ak, &simulated);
    memcpy(entry.identity, keys.identity, 32);
    attest_standing_data(data, sc->d.deployment, sc->d.uri, sc->id, entry.ak,
                         keys.identity, keys.box, sc->d.genesis_sha256);
    WIRE(evidence) evidence = { 0 };
    WIRE(standing) s = { 0 };
    TRY(attest_channel_report(sc->d.channel, &evidence, data));
    TRY(attest_channel_whole(sc->d.channel, &evidence));
    hash256(entry.report, evidence.report.p, evidence.report.len);
    move(&s, &evidence);
    memcpy(s.ak, entry.ak, 32);
    TRY(tlog_evidence_encode(text, &len, &entry));
    return node_standing(sc->node, &s, text);
}

/* ---- the peers' -------------------------------------------------------------- */

enum rc announce_judge(void *ctx, const struct wire_standing *s,
                       const struct policy *p, const struct policy_node *node)
{
    const struct sidecar *sc = ctx;
    uint8_t data[64];
    struct attest_rules rules;
    bool has;
    OWNED_MEM struct attest_verdict *v = calloc(1, sizeof(*v));
    if (!v)
        return rc_raise(RC_NOMEM, "standing evidence: out of memory");
    const struct wire_evidence e = { /* borrows */
                                     .report = s->report,
                                     .vek = s->vek,
                                     .chain = { s->chain.at, s->chain.n },
                                     .hcl = s->hcl,
                                     .quote = s->quote,
                                     .quote_signature = s->quote_signature
    };
    TRY(attest_rules_shared(&rules, &has, p->attestation, p->attestation_len));
    rules.crl = ATTEST_CRL_OFF; /* the channel judges it by its own */
    attest_standing_data(data, sc->d.deployment, node->uri, node->id, s->ak,
                         node->identity, node->box, sc->d.genesis_sha256);
    const struct attest_want want = {
        .hashes = (const uint8_t(*)[32])p->measurement[POLICY_SIDECAR],
        .n_hashes = p->n_measurements[POLICY_SIDECAR],
        .report_data = data,
        .host_data = sc->d.genesis_sha256,
        .min_version = 3,
        .rules = has ? &rules : NULL,
        .peer = true,
        .vtpm = true,
    };
    return attest_verify(v, &e, &sc->d.roots, &want, clock_now_s());
}
