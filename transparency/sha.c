/* SPDX-License-Identifier: Apache-2.0 */
/* One digest context a thread, freed with it; see sha.h. */
#include "transparency/sha.h"

#include <pthread.h>
#include <string.h>

#include <openssl/evp.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static EVP_MD *md;
static bool have_key;

static void free_context(void *p)
{
    EVP_MD_CTX_free(p);
}

static void start(void)
{
    md = EVP_MD_fetch(NULL, "SHA256", NULL);
    have_key = pthread_key_create(&key, free_context) == 0;
}

/* NULL: do without. */
static EVP_MD_CTX *context(void)
{
    pthread_once(&once, start);
    if (!md || !have_key)
        return NULL;
    EVP_MD_CTX *ctx = pthread_getspecific(key);
    if (ctx)
        return ctx;
    ctx = EVP_MD_CTX_new();
    if (ctx && pthread_setspecific(key, ctx) != 0) {
        EVP_MD_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

void tlog_sha256(uint8_t out[32], const struct hash_part *parts, size_t n_parts)
{
    EVP_MD_CTX *ctx = context();
    bool ok = ctx && EVP_DigestInit_ex2(ctx, md, NULL) == 1;
    for (size_t i = 0; ok && i < n_parts; i++)
        ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].len) == 1;
    if (!ok || EVP_DigestFinal_ex(ctx, out, NULL) != 1)
        hash256_parts(out, parts, n_parts); /* the same, slower */
}

void tlog_sha_leaf(struct tlog_hash *out, const void *entry, size_t len)
{
    static const uint8_t leaf = 0x00;
    const struct hash_part parts[] = { { &leaf, 1 }, { entry, len } };
    tlog_sha256(out->b, parts, 2);
}

void tlog_sha_node(struct tlog_hash *out, const struct tlog_hash *l,
                   const struct tlog_hash *r)
{
    uint8_t node[65] = { 0x01 };
    memcpy(node + 1, l->b, 32);
    memcpy(node + 33, r->b, 32);
    const struct hash_part part = { node, sizeof(node) };
    tlog_sha256(out->b, &part, 1);
}
