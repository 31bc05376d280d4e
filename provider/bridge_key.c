/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of the bridge, as libcrypto's old code sees them: how one comes out of
 * a PKCS#8 file, which algorithms CMS writes for it, and what its public half
 * is. Nothing private is taken, held or given.
 *
 * Two methods, because libcrypto's own Ed25519 method brings its own reader
 * of files, which no public function takes out of a copy again: `reader` has
 * nothing but the reading, and hands the key to `ameth`, which is that copy.
 */
#include "provider/bridge.h"

#ifdef BRIDGE_BUILT

#include <openssl/cms.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

#define KEY_BITS 256

static int key_index = -1;

const struct bridge_key *prov_bridge_key_of(const EVP_PKEY *pkey)
{
    return pkey ? EVP_PKEY_get_ex_data(pkey, key_index) : NULL;
}

static void bridge_key_free(struct bridge_key *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->pub);
    prov_key_free(k->key);
    if (k->home)
        prov_release(k->home);
    free(k);
}
OWNED_STRUCT(bridge_key);

/* With the EVP_PKEY, after ameth's free: pub lent its ECX_KEY until now. */
static void ex_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx,
                    long argl, void *argp)
{
    (void)parent;
    (void)ad;
    (void)idx;
    (void)argl;
    (void)argp;
    bridge_key_free(ptr);
}

/* EVP_PKEY_dup() makes a plain public key: it has its own ECX_KEY. */
static int ex_dup(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **ptr,
                  int idx, long argl, void *argp)
{
    (void)to;
    (void)from;
    (void)idx;
    (void)argl;
    (void)argp;
    *ptr = NULL;
    return 1;
}

bool prov_bridge_key_index(void)
{
    if (key_index < 0)
        key_index = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_EVP_PKEY, 0, NULL,
                                            NULL, ex_dup, ex_free);
    return key_index >= 0;
}

/* ---- from a file --------------------------------------------------------- */

static enum rc uri_of(struct prov_uri *out, const PKCS8_PRIV_KEY_INFO *p8)
{
    uint8_t *der = NULL;
    const char *text;
    size_t text_len;
    int len = i2d_PKCS8_PRIV_KEY_INFO(p8, &der);
    if (len <= 0)
        return rc_raise(RC_NOMEM, "key file: PrivateKeyInfo");
    enum rc rc = prov_pkcs8_text(&text, &text_len, der, (size_t)len);
    if (rc == RC_OK)
        rc = prov_ref_parse(out, text, text_len);
    OPENSSL_free(der);
    return rc;
}

/* An engine is named, so this is a key of the old kind. */
static EVP_PKEY *public_half(const struct prov_key *k)
{
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, prov_bridge_engine(),
                                       k->pub, sizeof(k->pub));
}

static enum rc fetch(struct bridge_key **out, const PKCS8_PRIV_KEY_INFO *p8)
{
    OWN_S(bridge_key) *k = calloc(1, sizeof(*k));
    struct prov_uri uri;
    if (!k)
        return rc_raise(RC_NOMEM, "key: %zu bytes", sizeof(*k));
    TRY(prov_bridge_home(&k->home));
    TRY(uri_of(&uri, p8));
    TRY(prov_key_fetch(&k->key, k->home, &uri));
    k->pub = public_half(k->key);
    if (!k->pub)
        return rc_raise(RC_NOMEM, "key %s: its public half", uri.name);
    *out = TAKE(k);
    return RC_OK;
}

static bool is_ours(const EVP_PKEY *pkey)
{
    return EVP_PKEY_get_id(pkey) == EVP_PKEY_ED25519 &&
           EVP_PKEY_get0_engine(pkey) == prov_bridge_engine();
}

/*
 * Looked up by name, our method makes pkey of the type that it is a method
 * of, Ed25519. An assignment with the type left open keeps both.
 */
static bool assign(EVP_PKEY *pkey, const EVP_PKEY *pub)
{
    void *ecx = (void *)(uintptr_t)EVP_PKEY_get0(pub);
    return ecx && EVP_PKEY_set_type_str(pkey, BRIDGE_METHOD, -1) &&
           is_ours(pkey) && EVP_PKEY_assign(pkey, EVP_PKEY_NONE, ecx) &&
           is_ours(pkey) && EVP_PKEY_get0(pkey) == ecx;
}

/*
 * That is how OpenSSL 3.0 to 3.5 do it, and no manual says so. One that does
 * it otherwise might free the ECX_KEY twice; so it is tried first, with an
 * EVP_PKEY that is better lost than freed where it turns out so.
 */
static bool fits(const EVP_PKEY *pub)
{
    static atomic_bool known;
    if (atomic_load(&known))
        return true;
    EVP_PKEY *probe = EVP_PKEY_new();
    if (!probe || !assign(probe, pub))
        return false;
    EVP_PKEY_free(probe);
    atomic_store(&known, true);
    return true;
}

static enum rc attach(EVP_PKEY *pkey, struct bridge_key **k)
{
    const EVP_PKEY *pub = (*k)->pub;
    if (fits(pub) && EVP_PKEY_set_ex_data(pkey, key_index, *k)) {
        (void)TAKE(*k);
        if (assign(pkey, pub))
            return RC_OK;
    }
    enum rc rc = rc_raise(RC_INTERNAL, "legacy-bridge: this libcrypto takes no "
                                       "key of ours");
    rc_hint("set legacy-bridge = no; for CMS use mpcsign cms sign");
    return rc;
}

static int decode(EVP_PKEY *pkey, const PKCS8_PRIV_KEY_INFO *p8)
{
    OWN_S(bridge_key) *k = NULL;
    enum rc rc = fetch(&k, p8);
    if (rc == RC_OK)
        rc = attach(pkey, &k);
    return rc == RC_OK ? 1 : prov_bridge_fail("mpc_bridge_load", rc);
}

/* ---- which algorithms ---------------------------------------------------- */

/* RFC 8419 section 3: SHA-512 for the attributes, no parameters anywhere. */
static enum rc cms_algorithms(CMS_SignerInfo *si)
{
    X509_ALGOR *digest = NULL, *signature = NULL;
    const ASN1_OBJECT *oid = NULL;
    CMS_SignerInfo_get0_algs(si, NULL, NULL, &digest, &signature);
    X509_ALGOR_get0(&oid, NULL, NULL, digest);
    int nid = OBJ_obj2nid(oid);
    if (nid != NID_sha512) {
        enum rc rc = rc_raise(RC_ARG,
                              "CMS digest %.32s: with Ed25519 it must be "
                              "sha512 (RFC 8419)",
                              OBJ_nid2sn(nid));
        rc_hint("leave out -md, or give -md sha512");
        return rc;
    }
    if (!X509_ALGOR_set0(signature, OBJ_nid2obj(NID_ED25519), V_ASN1_UNDEF,
                         NULL))
        return rc_raise(RC_NOMEM, "CMS signature algorithm");
    return RC_OK;
}

/* arg1 0 signs; a verifier has nothing to change. */
static int cms_sign(long arg1, CMS_SignerInfo *si)
{
    enum rc rc = arg1 == 0 ? cms_algorithms(si) : RC_OK;
    return rc == RC_OK ? 1 : prov_bridge_fail("mpc_bridge_cms", rc);
}

/*
 * PKCS#7 knows no Ed25519: libcrypto would write something that nobody can
 * verify. Refused as every other thing that is not for this key: -2.
 */
static int no_pkcs7(void)
{
    enum rc rc = rc_raise(RC_ARG, "PKCS#7 has no Ed25519 (smime and ts write "
                                  "PKCS#7)");
    rc_hint("use CMS: openssl cms -sign");
    prov_bridge_fail("mpc_bridge_pkcs7", rc);
    return -2;
}

static int ctrl(EVP_PKEY *pkey, int op, long arg1, void *arg2)
{
    (void)pkey;
    switch (op) {
    case ASN1_PKEY_CTRL_DEFAULT_MD_NID:
        *(int *)arg2 = NID_sha512;
        return 1; /* what to take where nothing is said */
    case ASN1_PKEY_CTRL_CMS_SIGN:
        return cms_sign(arg1, arg2);
    case ASN1_PKEY_CTRL_PKCS7_SIGN:
        return arg1 == 0 ? no_pkcs7() : -2;
    default:
        return -2;
    }
}

/* ---- the public half ----------------------------------------------------- */

static int raw(uint8_t pub[PROV_PUB_LEN], const EVP_PKEY *pkey)
{
    size_t len = PROV_PUB_LEN;
    return EVP_PKEY_get_raw_public_key(pkey, pub, &len) == 1 &&
           len == PROV_PUB_LEN;
}

static int encode_public(X509_PUBKEY *out, const EVP_PKEY *pkey)
{
    uint8_t *pub = OPENSSL_malloc(PROV_PUB_LEN);
    if (pub && raw(pub, pkey) &&
        X509_PUBKEY_set0_param(out, OBJ_nid2obj(NID_ED25519), V_ASN1_UNDEF,
                               NULL, pub, PROV_PUB_LEN))
        return 1;
    OPENSSL_free(pub);
    return 0;
}

static int same_public(const EVP_PKEY *a, const EVP_PKEY *b)
{
    uint8_t pub[2][PROV_PUB_LEN];
    if (!raw(pub[0], a) || !raw(pub[1], b))
        return -2;
    return memcmp(pub[0], pub[1], PROV_PUB_LEN) == 0;
}

static int print_public(BIO *out, const EVP_PKEY *pkey, int indent,
                        ASN1_PCTX *pctx)
{
    const struct bridge_key *k = prov_bridge_key_of(pkey);
    return k && EVP_PKEY_print_public(out, k->pub, indent, pctx);
}

static int print_whole(BIO *out, const EVP_PKEY *pkey, int indent,
                       ASN1_PCTX *pctx)
{
    const struct bridge_key *k = prov_bridge_key_of(pkey);
    (void)pctx;
    return k &&
           BIO_printf(out,
                      "%*sED25519 Threshold-Key:\n%*sname:\n%*smpc:%s\n"
                      "%*spub:\n",
                      indent, "", indent, "", indent + 4, "", k->key->name,
                      indent, "") > 0 &&
           ASN1_buf_print(out, k->key->pub, PROV_PUB_LEN, indent + 4);
}

static int size_of(const EVP_PKEY *pkey)
{
    (void)pkey;
    return PROV_SIG_LEN;
}

static int bits_of(const EVP_PKEY *pkey)
{
    (void)pkey;
    return KEY_BITS;
}

static int check(const EVP_PKEY *pkey)
{
    uint8_t pub[PROV_PUB_LEN];
    return raw(pub, pkey) && crypto_core_ed25519_is_valid_point(pub);
}

/* ---- never the private half ---------------------------------------------- */

static int refuse(const EVP_PKEY *pkey)
{
    const struct bridge_key *k = prov_bridge_key_of(pkey);
    const char *name = k ? k->key->name : "?";
    enum rc rc = rc_raise(RC_ARG,
                          "key %s can not be exported: it is shared among "
                          "machines and whole on none",
                          name);
    rc_hint("use the file that names it; its public key can be exported");
    return prov_bridge_fail("mpc_bridge_export", rc);
}

static int encode_private(PKCS8_PRIV_KEY_INFO *p8, const EVP_PKEY *pkey)
{
    (void)p8;
    return refuse(pkey);
}

static int raw_private(const EVP_PKEY *pkey, unsigned char *priv, size_t *len)
{
    (void)priv;
    (void)len;
    return refuse(pkey);
}

/* The ECX_KEY is pub's: ex_free() lets go of both. */
static void keep(EVP_PKEY *pkey)
{
    (void)pkey;
}

/* ---- methods ------------------------------------------------------------- */

EVP_PKEY_ASN1_METHOD *prov_bridge_reader_new(int nid)
{
    EVP_PKEY_ASN1_METHOD *m = EVP_PKEY_asn1_new(nid, 0, BRIDGE_METHOD "-FILE",
                                                "mpcsign key reference");
    if (m)
        EVP_PKEY_asn1_set_private(m, decode, NULL, NULL);
    return m;
}

/*
 * What is not set here is libcrypto's for Ed25519: writing the algorithm of
 * certificates, and handing the public key on to providers, so that a key is
 * found equal to its certificate's. It takes no public key out of a
 * SubjectPublicKeyInfo: our OID is no second name of Ed25519.
 */
EVP_PKEY_ASN1_METHOD *prov_bridge_ameth_new(void)
{
    const EVP_PKEY_ASN1_METHOD *base = EVP_PKEY_asn1_find(NULL,
                                                          EVP_PKEY_ED25519);
    EVP_PKEY_ASN1_METHOD *m = !base ? NULL
                                    : EVP_PKEY_asn1_new(EVP_PKEY_ED25519, 0,
                                                        BRIDGE_METHOD,
                                                        "Threshold Ed25519");
    if (!m)
        return NULL;
    EVP_PKEY_asn1_copy(m, base);
    EVP_PKEY_asn1_set_public(m, NULL, encode_public, same_public, print_public,
                             size_of, bits_of);
    EVP_PKEY_asn1_set_private(m, NULL, encode_private, print_whole);
    EVP_PKEY_asn1_set_free(m, keep);
    EVP_PKEY_asn1_set_ctrl(m, ctrl);
    EVP_PKEY_asn1_set_check(m, check);
    EVP_PKEY_asn1_set_public_check(m, check);
    EVP_PKEY_asn1_set_set_priv_key(m, NULL);
    EVP_PKEY_asn1_set_set_pub_key(m, NULL);
    EVP_PKEY_asn1_set_get_priv_key(m, raw_private);
    return m;
}

#endif
