/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation of the bridge fails once, its own and those that libcrypto
 * makes for it: setting up, loading a key, signing. The bridge is the room's,
 * in this program, not the module's.
 */
#define OPENSSL_API_COMPAT 10101
#include "rig.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include "base/own.h"
#include "provider/inner.h"

OWNED_BY(EVP_MD_CTX, EVP_MD_CTX_free);

#define TOO_MANY 5000

/* Of this thread alone: the fake sidecar has its own. -1: none fails. */
static _Thread_local int fail_after = -1;

static bool fails_now(void)
{
    return fail_after >= 0 && fail_after-- == 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return fails_now() ? NULL : __real_realloc(p, size);
}

static void *crypto_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails_now() ? NULL : __real_malloc(size);
}

static void *crypto_realloc(void *p, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails_now() ? NULL : __real_realloc(p, size);
}

static void crypto_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

/* What a host's context is to the bridge: that there is one. */
static struct prov home = { .host = (OSSL_LIB_CTX *)&home,
                            .legacy_bridge = true,
                            .timeout_s = 10 };
static PKCS8_PRIV_KEY_INFO *p8;
static EVP_PKEY *key;

static int up(void **state)
{
    static const uint8_t der[] = "\x30\x1e\x02\x01\x00\x30\x0c\x06\x0a\x2b\x06"
                                 "\x01\x04\x01\x81\xfd\x59\x01\x01\x04\x0b"
                                 "mpc:release";
    const uint8_t *at = der;
    rig_up(state);
    atomic_init(&home.refs, 1);
    snprintf(home.sidecar, sizeof(home.sidecar), "%s", rig_fake.path);
    p8 = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, sizeof(der) - 1);
    assert_non_null(p8);
    /* what libcrypto keeps for good is there before anything fails */
    assert_null(EVP_PKCS82PKEY(p8));
    return 0;
}

static int down(void **state)
{
    prov_bridge_down(&home);
    PKCS8_PRIV_KEY_INFO_free(p8);
    return rig_down(state);
}

/* Calls run with the 1st, 2nd, ... allocation failing, until none does. */
static void fail_each(bool (*run)(void), const char *what)
{
    for (int n = 0; n < TOO_MANY; n++) {
        ERR_clear_error();
        fail_after = n;
        bool good = run();
        bool failed = fail_after < 0;
        fail_after = -1;
        if (!good && !failed)
            fail_msg("%s: fails with all allocations made", what);
        if (good && !failed)
            return;
    }
    fail_msg("%s: more than %d allocations", what, TOO_MANY);
}

static bool set_up(void)
{
    if (!home.bridge_id)
        prov_bridge_up(&home);
    return home.bridge_id != 0;
}

static void it_is_set_up_when_there_is_memory(void **state)
{
    (void)state;
    fail_each(set_up, "up");
}

static bool load(void)
{
    EVP_PKEY *loaded = EVP_PKCS82PKEY(p8);
    bool good = loaded != NULL;
    EVP_PKEY_free(loaded);
    return good;
}

static void a_key_loads_or_does_not(void **state)
{
    (void)state;
    fail_each(load, "load");
}

static bool sign(void)
{
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    uint8_t sig[64];
    size_t len = 64;
    bool good = md &&
                EVP_DigestSignInit_ex(md, NULL, NULL, NULL, NULL, key, NULL) ==
                        1 &&
                EVP_DigestSignUpdate(md, "hel", 3) == 1 &&
                EVP_DigestSignUpdate(md, "lo", 2) == 1 &&
                EVP_DigestSignFinal(md, sig, &len) == 1;
    if (good)
        rig_assert_good(sig, "hello", 5);
    return good;
}

static void a_signature_is_good_or_none(void **state)
{
    (void)state;
    key = EVP_PKCS82PKEY(p8);
    assert_non_null(key);
    fail_each(sign, "sign");
    EVP_PKEY_free(key);
}

int main(void)
{
    if (!CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free))
        return 1;
    const struct CMUnitTest tests[] = {
        RIG(it_is_set_up_when_there_is_memory),
        RIG(a_key_loads_or_does_not),
        RIG(a_signature_is_good_or_none),
    };
    return cmocka_run_group_tests(tests, up, down);
}
