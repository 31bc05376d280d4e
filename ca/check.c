/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a signer asks before it lends its share to a certificate: build it
 * again from what is known, and compare bytes. What is not compared here does
 * not exist in a certificate. Public data only.
 */
#include "ca/inner.h"

#include <string.h>

#include <openssl/x509v3.h>

#include "base/hash.h"

enum rc ca_tbs_birth(uint64_t *index, const uint8_t *tbs, size_t tbs_len)
{
    OWNED(X509) *x = NULL;
    const uint8_t *der;
    size_t len;
    TRY(ca_tbs_open(&x, tbs, tbs_len));
    TRY(ca_get_raw(&der, &len, x, CA_OID_CONTEXT));
    return ca_context_birth(index, der, len);
}

/* ---- session ----------------------------------------------------------------- */

static enum rc check_session_key(const struct policy_session *s,
                                 const uint8_t issuer_key[32])
{
    uint8_t h[32];
    hash256(h, issuer_key, 32);
    if (!s->has_key || memcmp(s->key, h, 32) != 0)
        return rc_raise(RC_POLICY, "session: names another key than the "
                                   "issuer's");
    return RC_OK;
}

/* ---- a leaf ------------------------------------------------------------------- */

static enum rc check_times(const struct ca_stamp *stamp, int64_t now_s)
{
    int64_t issued = stamp->not_before + CA_BACKDATE_S;
    if (issued > now_s + CA_AHEAD_S)
        return rc_raise(RC_POLICY,
                        "certificate.notBefore: %lld s ahead of now, at most "
                        "%d; compare the clocks",
                        (long long)(issued - now_s), CA_AHEAD_S);
    if (issued < now_s - CA_BEHIND_S)
        return rc_raise(RC_POLICY,
                        "certificate.notBefore: %lld s ago, at most %d; issue "
                        "it again",
                        (long long)(now_s - issued), CA_BEHIND_S);
    return RC_OK;
}

static enum rc check_tee_hash(const struct ca_stamp *stamp,
                              const struct policy *p)
{
    for (unsigned i = 0; i < p->n_measurements[POLICY_CA]; i++)
        if (memcmp(p->measurement[POLICY_CA][i], stamp->tee_hash, 32) == 0)
            return RC_OK;
    return rc_raise(RC_POLICY, "certificate: build signer: not among the "
                               "policy's measurements of the ca");
}

static enum rc check_leaf(const struct policy_chain *chain,
                          const uint8_t issuer_key[32],
                          const struct wire_birth *birth, const X509 *x,
                          const uint8_t *tbs, size_t tbs_len, int64_t now_s)
{
    struct ca_facts facts;
    struct ca_stamp stamp;
    OWNED(X509) *made = NULL;
    if (X509_get_ext_by_NID(x, NID_basic_constraints, -1) >= 0)
        return rc_raise(RC_POLICY, "certificate.basicConstraints: a leaf has "
                                   "none, a root wants a session of type "
                                   "root");
    if (!birth)
        return rc_raise(RC_POLICY, "certificate: the birth of its key is "
                                   "missing");
    TRY(ca_stamp_read(&stamp, x, true));
    TRY(check_times(&stamp, now_s));
    TRY(check_tee_hash(&stamp, policy_chain_head(chain)));
    TRY(ca_facts_of(&facts, chain, birth, now_s));
    TRY(ca_leaf_build(&made, &facts, issuer_key, &stamp));
    return ca_same(made, x, tbs, tbs_len);
}

/* ---- a root ------------------------------------------------------------------- */

static enum rc check_root(const struct policy_chain *chain,
                          const struct policy_session *s,
                          const uint8_t issuer_key[32], const X509 *x,
                          const uint8_t *tbs, size_t tbs_len, int64_t now_s)
{
    uint8_t sha256[32], sha512[64];
    struct ca_stamp stamp;
    hash256(sha256, tbs, tbs_len);
    hash512(sha512, tbs, tbs_len);
    if (!s->has_artifact || s->artifact_size != tbs_len ||
        memcmp(s->artifact_sha256, sha256, 32) != 0 ||
        memcmp(s->artifact_sha512, sha512, 64) != 0)
        return rc_raise(RC_POLICY, "session: approved are other bytes than "
                                   "this root");
    TRY(ca_stamp_read(&stamp, x, false));
    /* approved by people, who take up to a session's life */
    if (stamp.not_before > now_s + CA_AHEAD_S ||
        stamp.not_before < now_s - POLICY_SESSION_MAX_S - CA_BEHIND_S)
        return rc_raise(RC_POLICY, "root.notBefore: not within the last day");
    return ca_root_check(policy_chain_head(chain)->cluster, issuer_key, x, tbs,
                         tbs_len);
}

/* ---- either ------------------------------------------------------------------- */

enum rc ca_tbs_check(const struct policy_chain *chain,
                     const struct policy_session *session,
                     const uint8_t issuer_key[32],
                     const struct wire_birth *birth, const uint8_t *tbs,
                     size_t tbs_len, int64_t now_s)
{
    OWNED(X509) *x = NULL;
    TRY(ca_tbs_open(&x, tbs, tbs_len));
    TRY(check_session_key(session, issuer_key));
    if (session->type == POLICY_S_ROOT)
        return check_root(chain, session, issuer_key, x, tbs, tbs_len, now_s);
    if (session->type != POLICY_S_SIGN)
        return rc_raise(RC_POLICY, "session: type %s signs no certificate",
                        policy_session_type_name(session->type));
    return check_leaf(chain, issuer_key, birth, x, tbs, tbs_len, now_s);
}

enum rc ca_tbs_marks(const uint8_t *tbs, size_t tbs_len, bool simulated)
{
    OWNED(X509) *x = NULL;
    const uint8_t *der;
    size_t len;
    TRY(ca_tbs_open(&x, tbs, tbs_len));
    bool marked = ca_get_raw(&der, &len, x, CA_OID_SIMULATED) == RC_OK;
    if (marked != simulated)
        return rc_raise(RC_POLICY,
                        "certificate: %smarked as simulated, and this node's "
                        "hardware is %s",
                        marked ? "" : "not ", simulated ? "simulated" : "real");
    return RC_OK;
}
