/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps a host's memory of fetched algorithms as if we were not there.
 *
 * OpenSSL remembers what a fetch of "ED25519" found. A fetch from one named
 * provider, which is how a key of ours comes to its signature, goes into the
 * same memory, and where it is the first, a later fetch of just "ED25519"
 * finds us: then genpkey fails, in a process that did nothing wrong. So
 * before a key of ours is handed out, the plain fetch is made, and the
 * provider that was loaded first is what is remembered.
 */
#include "provider/inner.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

/*
 * The host's library context is only ours to use when its libcrypto is the
 * one that we call: a program may carry its own, with other structures. The
 * core hands back what the program said, and NULL is the default context.
 */
OSSL_LIB_CTX *prov_host(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in)
{
    OSSL_FUNC_CRYPTO_malloc_fn *allocate = NULL;
    OSSL_FUNC_core_get_libctx_fn *get_libctx = NULL;
    for (; in->function_id != 0; in++) {
        if (in->function_id == OSSL_FUNC_CRYPTO_MALLOC)
            allocate = OSSL_FUNC_CRYPTO_malloc(in);
        else if (in->function_id == OSSL_FUNC_CORE_GET_LIBCTX)
            get_libctx = OSSL_FUNC_core_get_libctx(in);
    }
    if (!get_libctx || allocate != CRYPTO_malloc)
        return NULL;
    OSSL_LIB_CTX *ctx = (OSSL_LIB_CTX *)get_libctx(handle);
    return ctx ? ctx : OSSL_LIB_CTX_get0_global_default();
}

/*
 * A plain fetch takes the implementation that was found first, and each
 * provider's are found when it is asked for them, in the order of loading. So
 * when we are asked, we have the others asked before we answer: then a host
 * that loaded us first has its own Ed25519 all the same. Asked again from
 * within, we have nothing, this time.
 */
bool prov_host_others_first(const struct prov *p)
{
    static _Thread_local bool asking;
    if (asking)
        return false;
    asking = true;
    prov_host_fetch_first(p);
    asking = false;
    return true;
}

void prov_host_fetch_first(const struct prov *p)
{
    if (!p->host)
        return;
    ERR_set_mark();
    EVP_KEYMGMT_free(EVP_KEYMGMT_fetch(p->host, "ED25519", NULL));
    ERR_pop_to_mark();
}
