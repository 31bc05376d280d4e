/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence that others keep must stand by itself: whoever reads a bundle has
 * no cert_dir. Who signed whom is looked at here, and judged by attest_verify.
 * Public data only.
 */
#include "attest/channel_inner.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

OWNED_BY(X509, X509_free);

#define ABOVE 2 /* ASK, ARK */

static X509 *read_der(const struct wire_blob *der)
{
    const unsigned char *at = der->p;
    return der->len ? d2i_X509(NULL, &at, (long)der->len) : NULL;
}

static bool is_signer(X509 *by, X509 *x)
{
    EVP_PKEY *key = by ? X509_get0_pubkey(by) : NULL;
    return key &&
           X509_NAME_cmp(X509_get_subject_name(by), X509_get_issuer_name(x)) ==
                   0 &&
           X509_verify(x, key) == 1;
}

/* Of all at hand, who signed this one; NULL: nobody. */
static const struct wire_blob *find(const struct wire_blob *at, size_t n,
                                    const struct wire_blob *der)
{
    OWNED(X509) *x = read_der(der);
    for (size_t i = 0; x && i < n; i++) {
        OWNED(X509) *by = read_der(&at[i]);
        if (is_signer(by, x))
            return &at[i];
    }
    return NULL;
}

static enum rc put_above(struct wire_evidence *e,
                         const struct wire_blob *const above[ABOVE])
{
    WIRE(evidence) next = { 0 };
    TRY(wire_list_new(&next.chain, ABOVE));
    for (unsigned i = 0; i < ABOVE; i++)
        TRY(wire_blob_set(&next.chain.at[i], above[i]->p, above[i]->len));
    for (size_t i = 0; i < e->chain.n; i++)
        free(e->chain.at[i].p);
    free(e->chain.at);
    e->chain.at = TAKE(next.chain.at);
    e->chain.n = next.chain.n;
    next.chain.n = 0;
    return RC_OK;
}

static enum rc complete(struct wire_evidence *e, const struct attest_terms *t)
{
    struct wire_blob all[ATTEST_TERMS_CHAIN + ATTEST_MAX_FILES];
    struct wire_blob chain[ATTEST_TERMS_CHAIN];
    struct wire_evidence full; /* borrows */
    const struct wire_blob *above[ABOVE];
    size_t n = 0;
    attest_terms_fill(t, &full, chain, e);
    if (!e->vek.len && full.vek.len)
        TRY(wire_blob_set(&e->vek, full.vek.p, full.vek.len));
    for (size_t i = 0; i < full.chain.n && i < ATTEST_TERMS_CHAIN; i++)
        all[n++] = full.chain.at[i];
    for (unsigned i = 0; i < t->n_certs; i++)
        all[n++] = t->cert[i];
    above[0] = find(all, n, &e->vek);
    above[1] = above[0] ? find(all, n, above[0]) : NULL;
    ERR_clear_error();
    return above[1] ? put_above(e, above) : RC_OK;
}

enum rc attest_channel_whole(struct attest_channel *ch,
                             struct wire_evidence *evidence)
{
    struct attest_terms *t = attest_terms_get(ch);
    enum rc rc = complete(evidence, t);
    attest_terms_free(t);
    return rc;
}
