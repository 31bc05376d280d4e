/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates as OpenSSL reads them, kept for the next time the very same
 * bytes come: reading one costs as much as an RSA signature in it. What is
 * kept is what the bytes say, never that they were found good; every verdict
 * is judged anew. Public data only.
 */
#include "attest/inner.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define KEPT 16 /* ARK and ASK of three products, and a VEK a peer */

static struct kept {
    uint8_t *der;
    size_t len;
    X509 *cert;
    uint64_t used;
} kept[KEPT];
static uint64_t uses;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Under the lock; its own reference. */
static X509 *find(const struct wire_blob *der)
{
    for (unsigned i = 0; i < KEPT; i++) {
        struct kept *k = &kept[i];
        if (k->cert && k->len == der->len &&
            memcmp(k->der, der->p, der->len) == 0 &&
            X509_up_ref(k->cert) == 1) {
            k->used = ++uses;
            return k->cert;
        }
    }
    return NULL;
}

/* In the place that was not used for longest; without memory, not at all. */
static void keep(const struct wire_blob *der, X509 *cert)
{
    struct kept *oldest = &kept[0];
    uint8_t *copy = malloc(der->len);
    if (!copy || X509_up_ref(cert) != 1) {
        free(copy);
        return;
    }
    memcpy(copy, der->p, der->len);
    for (unsigned i = 1; i < KEPT; i++)
        if (kept[i].used < oldest->used)
            oldest = &kept[i];
    free(oldest->der);
    X509_free(oldest->cert);
    *oldest = (struct kept){ copy, der->len, cert, ++uses };
}

X509 *attest_cert_read(const struct wire_blob *der)
{
    const unsigned char *p = der->p;
    if (!p || der->len == 0 || der->len > ATTEST_CERT_MAX)
        return NULL;
    pthread_mutex_lock(&lock);
    X509 *cert = find(der);
    pthread_mutex_unlock(&lock);
    if (cert)
        return cert;
    cert = d2i_X509(NULL, &p, (long)der->len);
    if (cert && p != der->p + der->len) {
        X509_free(cert);
        return NULL;
    }
    if (!cert)
        return NULL;
    pthread_mutex_lock(&lock);
    keep(der, cert);
    pthread_mutex_unlock(&lock);
    return cert;
}

void attest_certs_forget(void)
{
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < KEPT; i++) {
        free(kept[i].der);
        X509_free(kept[i].cert);
        kept[i] = (struct kept){ 0 };
    }
    pthread_mutex_unlock(&lock);
}
