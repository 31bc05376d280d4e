/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The legacy bridge: what OpenSSL 3 still needs an ENGINE for. Its `cms` asks
 * the EVP_PKEY_ASN1_METHOD of a key which signature algorithm to write, and
 * keys of providers have none; so a signature with Ed25519 can be made with a
 * key of the old kind only. With `legacy-bridge = yes` a PKCS#8 file under our
 * OID becomes such a key: Ed25519 to everybody, signing through the sidecar.
 *
 *   bridge.c      the one ENGINE of the process, contexts, errors
 *   bridge_key.c  EVP_PKEY_ASN1_METHOD: the file, the algorithm, the public half
 *   bridge_sign.c EVP_PKEY_METHOD: signing and verifying
 *
 * What is called here is deprecated since OpenSSL 3.0 and gone in 4.0. There
 * is no other door to that code, so these three files ask for the interface of
 * 1.1.1; no other file may include this one.
 */
#ifndef PROVIDER_BRIDGE_H
#define PROVIDER_BRIDGE_H

#define OPENSSL_API_COMPAT 10101

#include <openssl/opensslconf.h>
#include <openssl/opensslv.h>

#if !defined(OPENSSL_NO_ENGINE) && OPENSSL_VERSION_MAJOR < 4
#define BRIDGE_BUILT 1
#include <openssl/engine.h>
#endif
#include <openssl/evp.h>

#include "provider/inner.h"

/* By this our method is found, and no other: never "ED25519". */
#define BRIDGE_METHOD "MPC-BRIDGE"

/*
 * Kept with an EVP_PKEY as its ex_data. libcrypto's own Ed25519 functions
 * read the public half of the EVP_PKEY where they expect it, in an ECX_KEY:
 * that one is pub's, and lent.
 */
struct bridge_key {
    struct prov_key *key;
    struct prov *home; /* one reference: outlives the provider's unloading */
    EVP_PKEY *pub;
};

/* NULL for a key that is not ours. Borrowed. */
const struct bridge_key *prov_bridge_key_of(const EVP_PKEY *pkey);

/*
 * As prov_fail(), without the help of a provider that may be unloaded by now.
 * Returns 0.
 */
int prov_bridge_fail(const char *func, enum rc rc);

/*
 * A reference to the context that was offered the key in this thread, else to
 * the newest; prov_release() it. RC_ORDER when none is left.
 */
MUST_CHECK enum rc prov_bridge_home(struct prov **out);
/* RC_ARG not ours; RC_ORDER its provider has been unloaded. */
MUST_CHECK enum rc prov_bridge_usable(const struct bridge_key *k);

#ifdef BRIDGE_BUILT
/* The engine, once prov_bridge_up() has succeeded. Borrowed. */
ENGINE *prov_bridge_engine(void);
/* Made once; NULL without memory. The engine frees them. */
EVP_PKEY_ASN1_METHOD *prov_bridge_reader_new(int nid);
EVP_PKEY_ASN1_METHOD *prov_bridge_ameth_new(void);
EVP_PKEY_METHOD *prov_bridge_pmeth_new(void);
/* The place of struct bridge_key in an EVP_PKEY; false without memory. */
bool prov_bridge_key_index(void);
#endif

#endif
