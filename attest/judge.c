/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the other end of a connection may be a peer: its name by the
 * policy, its measurement by the policy and TEE_POLICY_HASH, its evidence by
 * the verifier, bound to this very connection. Public data only.
 */
#include "attest/channel_inner.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define SHOWN_HASHES   4
#define MEASUREMENT_AT 0x90 /* in a report */

/* ---- the allowed set --------------------------------------------------- */

bool attest_channel_in(const uint8_t hash[32], uint8_t (*set)[32], unsigned n)
{
    int hits = 0;
    for (unsigned i = 0; i < n; i++)
        hits |= sodium_memcmp(hash, set[i], 32) == 0;
    return hits != 0;
}

static void list_hashes(char *out, size_t size, uint8_t (*set)[32], unsigned n)
{
    char hex[ENC_HEX_SIZE(32)];
    size_t at = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < n && i < SHOWN_HASHES; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%s", i ? "," : "",
                               enc_hex(hex, set[i], 32));
    if (n > SHOWN_HASHES)
        snprintf(out + at, size - at, " and %u more", n - SHOWN_HASHES);
}

/* What the other end says of itself: 64 hex digits, or nothing to show. */
static bool is_hash(const char *text)
{
    return text && strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static enum rc no_hash(const char *uri, const struct attest_terms *t,
                       const char *seen, uint8_t (*policy)[32], unsigned n)
{
    char by_policy[SHOWN_HASHES * 65 + 32];
    char by_env[SHOWN_HASHES * 65 + 32];
    list_hashes(by_policy, sizeof(by_policy), policy, n);
    list_hashes(by_env, sizeof(by_env), (uint8_t(*)[32])(uintptr_t)t->narrow,
                t->n_narrow);
    enum rc rc = rc_raise(
            RC_POLICY_HASH,
            "%s: TEE_POLICY_HASH mismatch: seen %s, the policy allows %s%s%s%s",
            uri, is_hash(seen) ? seen : "none", n ? by_policy : "none",
            t->narrowed ? ", TEE_POLICY_HASH allows " : "",
            !t->narrowed  ? ""
            : t->n_narrow ? by_env
                          : "none",
            t->has[1] && t->rules[1].has_measurements
                    ? ", and attestation_policy lists its own"
                    : "");
    rc_hint("correct TEE_POLICY_HASH, or have a policy version list the "
            "measurement (mpcsign attest, mpcsign policy)");
    return rc;
}

enum rc attest_channel_allowed(struct attest_channel *ch, const char *uri,
                               const char *seen, uint8_t (*hashes)[32],
                               unsigned *n, enum attest_role *role)
{
    uint8_t policy[ATTEST_MAX_HASHES][32];
    unsigned count = 0;
    enum rc rc = ch->host.allowed(ch->host.ctx, uri, policy, &count, role);
    if (rc == RC_UNKNOWN || (rc == RC_OK && *role == ATTEST_TOOL)) {
        rc = rc_raise(RC_AUTH, "%s is no peer under the policy in force", uri);
        rc_hint("only the policy's sidecars, CA and log are peers");
    }
    TRY(rc);
    struct attest_terms *t = attest_terms_get(ch);
    unsigned kept = 0;
    if (count > ATTEST_MAX_HASHES)
        count = ATTEST_MAX_HASHES;
    for (unsigned i = 0; i < count; i++) {
        if (t->narrowed &&
            !attest_channel_in(policy[i], t->narrow, t->n_narrow))
            continue;
        if (!attest_terms_exclude(t, *role, policy[i]))
            memcpy(hashes[kept++], policy[i], 32);
    }
    *n = kept;
    rc = kept ? RC_OK : no_hash(uri, t, seen, policy, count);
    attest_terms_free(t);
    return rc;
}

/* ---- evidence ---------------------------------------------------------- */

void attest_channel_own_data(const struct attest_channel *ch, uint8_t out[64],
                             enum attest_end end, const struct http_tls *tls,
                             const uint8_t nonce[32])
{
    attest_binder(out,
                  &(struct attest_binding){ .end = end,
                                            .deployment = ch->deployment,
                                            .attester = ch->own_uri,
                                            .verifier = tls->peer_uri,
                                            .ak = ch->ak,
                                            .attester_spki = tls->own_spki,
                                            .verifier_spki = tls->peer_spki,
                                            .exporter = tls->exporter,
                                            .nonce = nonce,
                                            .boot = ch->boot });
}

void attest_channel_their_data(const struct attest_channel *ch, uint8_t out[64],
                               const struct wire_evidence *e,
                               enum attest_end end, const struct http_tls *tls,
                               const uint8_t nonce[32])
{
    attest_binder(out,
                  &(struct attest_binding){ .end = end,
                                            .deployment = ch->deployment,
                                            .attester = tls->peer_uri,
                                            .verifier = ch->own_uri,
                                            .ak = e->ak,
                                            .attester_spki = tls->peer_spki,
                                            .verifier_spki = tls->own_spki,
                                            .exporter = tls->exporter,
                                            .nonce = nonce,
                                            .boot = e->boot });
}

/* Genuine, fresh, bound, and not on the list: the one refusal of its own. */
static bool only_measurement(const struct attest_verdict *v)
{
    bool p1 = false;
    for (unsigned i = 0; i < v->n_checks; i++) {
        if (v->check[i].ok)
            continue;
        if (strcmp(v->check[i].id, "P1") != 0)
            return false;
        p1 = true;
    }
    return p1;
}

static enum rc refuse(const struct attest_verdict *v, const char *uri,
                      uint8_t (*set)[32], unsigned n)
{
    if (!only_measurement(v))
        return rc_prefix(RC_ATTEST, "%s: evidence refused: ", uri);
    uint8_t hash[32];
    char seen[ENC_HEX_SIZE(32)];
    char allowed[SHOWN_HASHES * 65 + 32];
    attest_policy_hash(hash, v->report.measurement);
    list_hashes(allowed, sizeof(allowed), set, n);
    enum rc rc = rc_raise(RC_POLICY_HASH,
                          "%s: TEE_POLICY_HASH mismatch: seen %s, allowed %s",
                          uri, enc_hex(seen, hash, 32), allowed);
    rc_hint("run an allowed build there, or have a policy version (and "
            "TEE_POLICY_HASH, where set) list the seen hash");
    return rc;
}

static enum rc judge_by_terms(struct attest_channel *ch,
                              struct attest_verdict *v,
                              const struct wire_evidence *e,
                              const uint8_t data[64], uint8_t (*hashes)[32],
                              unsigned n)
{
    struct wire_blob chain[ATTEST_TERMS_CHAIN];
    struct wire_evidence whole;
    struct attest_want want = { .hashes = (const uint8_t(*)[32])hashes,
                                .n_hashes = n,
                                .report_data = data,
                                .host_data = ch->genesis,
                                .min_version = 3,
                                .peer = true,
                                .vtpm = attest_guest_indirect(ch->guest) };
    struct attest_terms *t = attest_terms_get(ch);
    attest_terms_fill(t, &whole, chain, e);
    attest_terms_want(t, &want, e);
    enum rc rc = attest_verify(v, &whole, &ch->roots, &want, clock_now_s());
    attest_terms_free(t);
    return rc;
}

static enum rc verify(struct attest_channel *ch, struct attest_verdict *v,
                      const struct wire_evidence *e, enum attest_end end,
                      const struct http_tls *tls, const uint8_t nonce[32],
                      uint8_t (*hashes)[32], unsigned n)
{
    uint8_t data[64];
    attest_channel_their_data(ch, data, e, end, tls, nonce);
    return judge_by_terms(ch, v, e, data, hashes, n);
}

enum rc attest_channel_self(struct attest_channel *ch)
{
    uint8_t hashes[ATTEST_MAX_HASHES][32];
    unsigned n;
    enum attest_role role;
    struct attest_verdict v;
    TRY(attest_channel_allowed(ch, ch->own_uri, ch->hash_hex, hashes, &n,
                               &role));
    if (judge_by_terms(ch, &v, &ch->own, ch->own_data, hashes, n) == RC_OK)
        return RC_OK;
    return refuse(&v, ch->own_uri, hashes, n);
}

enum rc attest_channel_judge(struct attest_channel *ch, struct attest_peer *out,
                             const struct wire_evidence *evidence,
                             enum attest_end end, const struct http_tls *tls,
                             const uint8_t nonce[32])
{
    uint8_t hashes[ATTEST_MAX_HASHES][32];
    unsigned n;
    struct attest_peer peer = { 0 };
    if (sodium_memcmp(evidence->ak, ch->ak, 32) == 0)
        return rc_raise(RC_ATTEST, "%s: our own evidence came back",
                        tls->peer_uri);
    char seen[ENC_HEX_SIZE(32)] = "";
    if (evidence->report.len == ATTEST_REPORT_LEN) {
        attest_policy_hash(peer.hash, evidence->report.p + MEASUREMENT_AT);
        enc_hex(seen, peer.hash, 32);
    }
    TRY(attest_channel_allowed(ch, tls->peer_uri, seen, hashes, &n,
                               &peer.role));
    struct attest_verdict v;
    if (verify(ch, &v, evidence, end, tls, nonce, hashes, n) != RC_OK)
        return refuse(&v, tls->peer_uri, hashes, n);
    if (v.simulated != ch->guest_simulated)
        return rc_raise(RC_ATTEST, "%s: simulated and real hardware do not mix",
                        tls->peer_uri);
    snprintf(peer.uri, sizeof(peer.uri), "%s", tls->peer_uri);
    memcpy(peer.ak, evidence->ak, 32);
    attest_policy_hash(peer.hash, v.report.measurement);
    memcpy(peer.report_id, v.report.report_id, 32);
    peer.simulated = v.simulated;
    *out = peer;
    return RC_OK;
}

/* ---- MPC-Policy -------------------------------------------------------- */

enum rc attest_channel_header(const struct attest_peer *peer,
                              const char *header)
{
    char want[ENC_HEX_SIZE(32)];
    enc_hex(want, peer->hash, 32);
    if (header && strcmp(header, want) == 0)
        return RC_OK;
    enum rc rc = rc_raise(RC_POLICY_HASH,
                          "%s: " CHANNEL_HEADER " mismatch: seen %s, "
                          "attested %s",
                          peer->uri,
                          is_hash(header) ? header
                          : header        ? "no hash"
                                          : "none",
                          want);
    rc_hint("one process must send the hash it attested; restart that node");
    return rc;
}
