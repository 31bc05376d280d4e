/* SPDX-License-Identifier: Apache-2.0 */
/* The root of an issuer key: who it is, and nothing it could issue by. */
#include "ca/inner.h"

#include <string.h>

#include <openssl/x509v3.h>

OWNED_BY(BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free);
OWNED_BY(ASN1_INTEGER, ASN1_INTEGER_free);

#define ROOT_LIFE_S ((int64_t)CA_ROOT_YEARS * 365 * 86400)

static enum rc put_constraints(X509 *x)
{
    OWNED(BASIC_CONSTRAINTS) *bc = BASIC_CONSTRAINTS_new();
    if (!bc || !(bc->pathlen = ASN1_INTEGER_new()) ||
        !ASN1_INTEGER_set(bc->pathlen, 0))
        return ca_ssl_raise(RC_NOMEM, "basic constraints");
    bc->ca = 0xff; /* DER's TRUE: Go reads no other */
    if (X509_add1_ext_i2d(x, NID_basic_constraints, bc, 1, X509V3_ADD_APPEND) !=
        1)
        return ca_ssl_raise(RC_NOMEM, "basic constraints");
    return RC_OK;
}

static enum rc put_marks(X509 *x, const char *cluster)
{
    char uri[CA_URI_SIZE];
    ca_uri(uri, cluster, true, "ca");
    TRY(ca_put_san(x, uri, false));
    return ca_put_simulated(x);
}

enum rc ca_root_build(X509 **out, const char *cluster,
                      const uint8_t group_key[32], const struct ca_stamp *stamp)
{
    static const int usage[] = { CA_KU_CERT_SIGN, CA_KU_CRL_SIGN };
    OWNED(X509) *x = X509_new();
    if (!x)
        return ca_ssl_raise(RC_NOMEM, "root");
    TRY(ca_put_head(x, cluster, stamp, ROOT_LIFE_S, group_key));
    if (!X509_set_subject_name(x, X509_get_issuer_name(x)))
        return ca_ssl_raise(RC_NOMEM, "root");
    TRY(put_constraints(x));
    TRY(ca_put_usage(x, usage, 2));
    TRY(ca_put_key_id(x, group_key));
    if (stamp->simulated)
        TRY(put_marks(x, cluster));
    TRY(ca_put_algorithm(x));
    *out = TAKE(x);
    return RC_OK;
}

enum rc ca_root_tbs(uint8_t out[CA_DER_MAX], size_t *len, const char *cluster,
                    const uint8_t group_key[32], bool simulated, int64_t now_s)
{
    OWNED(X509) *x = NULL;
    struct ca_stamp stamp;
    TRY(ca_stamp_fresh(&stamp, now_s - CA_BACKDATE_S, simulated));
    TRY(ca_root_build(&x, cluster, group_key, &stamp));
    return ca_tbs_of(out, len, x);
}

enum rc ca_root_check(const char *cluster, const uint8_t key[32], const X509 *x,
                      const uint8_t *tbs, size_t tbs_len)
{
    OWNED(X509) *made = NULL;
    struct ca_stamp stamp;
    TRY(ca_stamp_read(&stamp, x, false));
    TRY(ca_root_build(&made, cluster, key, &stamp));
    return ca_same(made, x, tbs, tbs_len);
}

enum rc ca_root_open(uint8_t key[32], const char *cluster, const uint8_t *der,
                     size_t len)
{
    const uint8_t *at = der;
    uint8_t tbs[CA_DER_MAX], found[32];
    size_t tbs_len, key_len = sizeof(found);
    if (len > CA_DER_MAX)
        return rc_raise(RC_TOO_LARGE, "root: %zu bytes", len);
    OWNED(X509) *x = d2i_X509(NULL, &at, (long)len);
    if (!x || at != der + len)
        return ca_ssl_raise(RC_PARSE, "root: want one certificate, DER");
    EVP_PKEY *pub = X509_get0_pubkey(x);
    if (!pub || EVP_PKEY_get_raw_public_key(pub, found, &key_len) != 1 ||
        key_len != sizeof(found) || X509_verify(x, pub) != 1)
        return ca_ssl_raise(RC_VERIFY, "root: want a self-signed Ed25519 one");
    TRY(ca_tbs_of(tbs, &tbs_len, x));
    TRY(ca_root_check(cluster, found, x, tbs, tbs_len));
    memcpy(key, found, sizeof(found));
    return RC_OK;
}
