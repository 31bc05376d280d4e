/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The profile of AMD's certificates, field by field. A simulated chain has
 * the same shape under names that say what it is. Public data only.
 */
#include "attest/names.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>

#include "attest/inner.h"
#include "attest/roots.h"

OWNED_BY(RSA_PSS_PARAMS, RSA_PSS_PARAMS_free);
OWNED_BY(X509_ALGOR, X509_ALGOR_free);
OWNED_BY(BIGNUM, BN_free);

struct attest_names attest_names_of(enum attest_product product, bool simulated,
                                    bool vlek)
{
    const char *suffix = "";
    struct attest_names n = { .org = ATTEST_AMD_ORG };
#ifdef MPC_SIMULATED_TEE
    if (simulated) {
        n.org = ATTEST_SIM_ORG;
        suffix = ATTEST_SIM_SUFFIX;
    }
#else
    (void)simulated;
#endif
    const char *p = attest_product_name(product);
    const char *v = vlek ? "VLEK-" : "";
    snprintf(n.root, sizeof(n.root), "ARK-%s%s", p, suffix);
    snprintf(n.signer, sizeof(n.signer), "SEV-%s%s%s", v, p, suffix);
    snprintf(n.leaf, sizeof(n.leaf), "SEV-%s%s", vlek ? "VLEK" : "VCEK",
             suffix);
    return n;
}

static bool entry_is(const X509_NAME *name, int nid, const char *want)
{
    int at = X509_NAME_get_index_by_NID(name, nid, -1);
    if (at < 0 || X509_NAME_get_index_by_NID(name, nid, at) >= 0)
        return false;
    const ASN1_STRING *s = X509_NAME_ENTRY_get_data(
            X509_NAME_get_entry(name, at));
    size_t len = strlen(want);
    return (size_t)ASN1_STRING_length(s) == len &&
           memcmp(ASN1_STRING_get0_data(s), want, len) == 0;
}

bool attest_name_is(const X509_NAME *name, const struct attest_names *n,
                    const char *cn)
{
    return X509_NAME_entry_count(name) == 6 &&
           entry_is(name, NID_organizationalUnitName, "Engineering") &&
           entry_is(name, NID_countryName, "US") &&
           entry_is(name, NID_localityName, "Santa Clara") &&
           entry_is(name, NID_stateOrProvinceName, "CA") &&
           entry_is(name, NID_organizationName, n->org) &&
           entry_is(name, NID_commonName, cn);
}

static bool alg_is(const X509_ALGOR *a, int nid)
{
    const ASN1_OBJECT *o = NULL;
    X509_ALGOR_get0(&o, NULL, NULL, a);
    return o && OBJ_obj2nid(o) == nid;
}

/* The parameter of an algorithm, decoded; NULL where it is something else. */
static void *unpack(const X509_ALGOR *a, const ASN1_ITEM *item)
{
    int type = V_ASN1_UNDEF;
    const void *value = NULL;
    X509_ALGOR_get0(NULL, &type, &value, a);
    if (type != V_ASN1_SEQUENCE)
        return NULL;
    return ASN1_item_unpack(value, item);
}

static bool mgf_is_sha384(const X509_ALGOR *mgf)
{
    if (!mgf || !alg_is(mgf, NID_mgf1))
        return false;
    OWNED(X509_ALGOR) *hash = unpack(mgf, ASN1_ITEM_rptr(X509_ALGOR));
    return hash && alg_is(hash, NID_sha384);
}

static bool pss_384(const X509 *cert)
{
    const X509_ALGOR *alg = NULL;
    X509_get0_signature(NULL, &alg, cert);
    if (!alg || !alg_is(alg, NID_rsassaPss))
        return false;
    OWNED(RSA_PSS_PARAMS) *p = unpack(alg, ASN1_ITEM_rptr(RSA_PSS_PARAMS));
    return p && p->hashAlgorithm && alg_is(p->hashAlgorithm, NID_sha384) &&
           mgf_is_sha384(p->maskGenAlgorithm) && p->saltLength &&
           ASN1_INTEGER_get(p->saltLength) == 48 &&
           (!p->trailerField || ASN1_INTEGER_get(p->trailerField) == 1);
}

static bool rsa_4096(X509 *cert)
{
    EVP_PKEY *key = X509_get0_pubkey(cert);
    if (!key || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA ||
        EVP_PKEY_get_bits(key) != 4096)
        return false;
    BIGNUM *got = NULL;
    bool ok = EVP_PKEY_get_bn_param(key, "e", &got) == 1 &&
              BN_is_word(got, 65537);
    OWNED(BIGNUM) *e = got;
    return ok && e;
}

static bool p384(X509 *cert)
{
    EVP_PKEY *key = X509_get0_pubkey(cert);
    char group[32] = "";
    return key && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
           EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
           strcmp(group, "secp384r1") == 0;
}

const char *attest_profile_refuses(X509 *ark, X509 *ask, X509 *vek)
{
    if (X509_get_version(ark) != 2 || X509_get_version(ask) != 2 ||
        X509_get_version(vek) != 2)
        return "a certificate is not X.509 v3";
    if (!pss_384(ark) || !pss_384(ask) || !pss_384(vek))
        return "a signature is not PSS with SHA-384 and salt 48";
    if (!rsa_4096(ark) || !rsa_4096(ask))
        return "ARK or ASK is not RSA-4096 with e = 65537";
    if (!p384(vek))
        return "the VEK's key is not P-384";
    return NULL;
}
