/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verification is the default provider's, reached through a child library
 * context that mirrors the host's providers: so a signature made here is
 * judged as everywhere else. Hosts without that provider get libsodium, which
 * is stricter about odd encodings of keys.
 */
#include "provider/inner.h"

#include <sched.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <sodium.h>

#include "base/own.h"

OWNED_BY(EVP_PKEY, EVP_PKEY_free);
OWNED_BY(EVP_MD_CTX, EVP_MD_CTX_free);

#define BY_DEFAULT "provider=default"
enum child_state { CHILD_NONE, CHILD_MAKING, CHILD_MADE };
/* Of sched_yield(): far longer than making one takes. */
#define CHILD_WAITS 100000

/*
 * One child a module, ever: OpenSSL 3.0 finds the callback to remove by our
 * handle alone, so freeing a second child would leave the first one's behind
 * and the host would crash at its end. Whoever comes while it is being made
 * waits a moment; no lock is held, so a fork in between costs that process
 * only the default provider's opinion.
 */
static OSSL_LIB_CTX *child(struct prov *p)
{
    int state = CHILD_NONE;
    if (atomic_compare_exchange_strong(&p->child_state, &state, CHILD_MAKING)) {
        atomic_store(&p->child, OSSL_LIB_CTX_new_child(p->handle, p->dispatch));
        atomic_store(&p->child_state, CHILD_MADE);
    }
    for (int i = 0; i < CHILD_WAITS; i++) {
        if (atomic_load(&p->child_state) == CHILD_MADE)
            break;
        sched_yield();
    }
    return atomic_load(&p->child);
}

void prov_verify_end(struct prov *p)
{
    OSSL_LIB_CTX_free(atomic_exchange(&p->child, NULL));
}

/* 1 valid, 0 not, -1 there is no default provider to ask. */
static int ask_default(OSSL_LIB_CTX *ctx, const uint8_t pub[PROV_PUB_LEN],
                       const uint8_t *sig, size_t sig_len, const uint8_t *msg,
                       size_t msg_len)
{
    OWNED(EVP_PKEY) *key = EVP_PKEY_new_raw_public_key_ex(
            ctx, "ED25519", BY_DEFAULT, pub, PROV_PUB_LEN);
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    if (!key || !md ||
        EVP_DigestVerifyInit_ex(md, NULL, NULL, ctx, BY_DEFAULT, key, NULL) !=
                1)
        return -1;
    return EVP_DigestVerify(md, sig, sig_len, msg, msg_len) == 1;
}

enum rc prov_verify(struct prov *p, const uint8_t pub[PROV_PUB_LEN],
                    const uint8_t *sig, size_t sig_len, const uint8_t *msg,
                    size_t msg_len)
{
    if (sig_len != PROV_SIG_LEN)
        return rc_raise(RC_VERIFY, "signature: %zu bytes, want %d", sig_len,
                        PROV_SIG_LEN);
    /* What the child context has to say about absence is no news. */
    ERR_set_mark();
    OSSL_LIB_CTX *ctx = child(p);
    int valid = ctx ? ask_default(ctx, pub, sig, sig_len, msg, msg_len) : -1;
    ERR_pop_to_mark();
    if (valid < 0)
        valid = crypto_sign_verify_detached(sig, msg, msg_len, pub) == 0;
    return valid ? RC_OK
                 : rc_raise(RC_VERIFY, "no signature of this message by this "
                                       "key");
}
