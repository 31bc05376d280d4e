/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leaf: a few minutes, one key, and everything about the birth of that
 * key. Shaped like Fulcio's, so that its clients can read it.
 */
#include "ca/inner.h"

#include <stdio.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "base/enc.h"

OWNED_BY(EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free);

/* ---- extensions ------------------------------------------------------------- */

static enum rc put_eku(X509 *x, const struct policy_profile *f)
{
    const struct {
        bool on;
        int nid;
    } all[] = {
        { f->eku_code_signing, NID_code_sign },
        { f->eku_email_protection, NID_email_protect },
        { f->eku_server_auth, NID_server_auth },
        { f->eku_client_auth, NID_client_auth },
    };
    OWNED(EXTENDED_KEY_USAGE) *eku = EXTENDED_KEY_USAGE_new();
    if (!eku)
        return ca_ssl_raise(RC_NOMEM, "extended key usage");
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        /* OBJ_nid2obj gives a static object: the stack frees nothing of it */
        if (all[i].on && sk_ASN1_OBJECT_push(eku, OBJ_nid2obj(all[i].nid)) <= 0)
            return ca_ssl_raise(RC_NOMEM, "extended key usage");
    if (sk_ASN1_OBJECT_num(eku) == 0) /* none would mean any */
        return rc_raise(RC_POLICY, "profile %s: certificate.eku: empty",
                        f->name);
    if (X509_add1_ext_i2d(x, NID_ext_key_usage, eku, 0, X509V3_ADD_APPEND) != 1)
        return ca_ssl_raise(RC_NOMEM, "extended key usage");
    return RC_OK;
}

static enum rc put_names(X509 *x, const struct ca_facts *f, bool simulated)
{
    char hex[ENC_HEX_SIZE(4)], path[32], uri[CA_URI_SIZE];
    snprintf(path, sizeof(path), "group/%s", enc_hex(hex, f->group_key, 4));
    ca_uri(uri, f->cluster, simulated, path);
    TRY(ca_put_san(x, uri, true)); /* critical: the subject is empty */
    ca_uri(uri, f->cluster, false, "ca");
    return ca_put_text(x, CA_OID_ISSUER, uri);
}

static enum rc put_build(X509 *x, const struct ca_facts *f,
                         const struct ca_stamp *stamp)
{
    char hex[ENC_HEX_SIZE(32)], text[128];
    snprintf(text, sizeof(text), "sha256:%s",
             enc_hex(hex, stamp->tee_hash, 32));
    TRY(ca_put_text(x, CA_OID_BUILDER, text));
    TRY(ca_put_text(x, CA_OID_ENVIRONMENT, "amd-sev-snp"));
    snprintf(text, sizeof(text), "urn:mpc:session:%s",
             enc_hex(hex, f->session, 32));
    return ca_put_text(x, CA_OID_RUN, text);
}

enum rc ca_leaf_build(X509 **out, const struct ca_facts *facts,
                      const uint8_t issuer_key[32],
                      const struct ca_stamp *stamp)
{
    static const int usage[] = { CA_KU_SIGNATURE };
    OWNED(X509) *x = X509_new();
    if (!x)
        return ca_ssl_raise(RC_NOMEM, "leaf");
    TRY(ca_put_head(x, facts->cluster, stamp,
                    CA_BACKDATE_S + facts->profile->cert_ttl_s,
                    facts->group_key));
    TRY(ca_put_usage(x, usage, 1));
    TRY(put_eku(x, facts->profile));
    TRY(ca_put_key_id(x, facts->group_key));
    TRY(ca_put_authority(x, issuer_key));
    TRY(put_names(x, facts, stamp->simulated));
    TRY(put_build(x, facts, stamp));
    TRY(ca_put_context(x, facts));
    if (stamp->simulated)
        TRY(ca_put_simulated(x));
    if (stamp->sct_len) /* last: it is over all before it */
        TRY(ca_put_sct(x, stamp->sct, stamp->sct_len));
    TRY(ca_put_algorithm(x));
    *out = TAKE(x);
    return RC_OK;
}

/* ---- for the birth at hand -------------------------------------------------------- */

/* The issuer must be what signers take for it: a root of its own key. */
static enum rc read_issuer(uint8_t key[32], const struct ca_leaf *leaf,
                           const char *cluster)
{
    enum rc rc = ca_root_open(key, cluster, leaf->issuer, leaf->issuer_len);
    return rc == RC_OK ? rc : rc_prefix(rc, "issuer: ");
}

enum rc ca_leaf_tbs(uint8_t out[CA_DER_MAX], size_t *len,
                    const struct ca_leaf *leaf)
{
    struct ca_facts facts;
    struct ca_stamp stamp;
    uint8_t issuer_key[32];
    OWNED(X509) *x = NULL;
    TRY(ca_facts_of(&facts, leaf->chain, leaf->birth, leaf->now_s));
    TRY(read_issuer(issuer_key, leaf, facts.cluster));
    TRY(ca_stamp_fresh(&stamp, leaf->now_s - CA_BACKDATE_S, leaf->simulated));
    memcpy(stamp.tee_hash, leaf->tee_hash, 32);
    TRY(ca_leaf_build(&x, &facts, issuer_key, &stamp));
    return ca_tbs_of(out, len, x);
}
