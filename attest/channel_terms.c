/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What peers are held to besides the policy document's measurements: its
 * attestation policy and a file's, TEE_POLICY_HASH, CRLs, and certificates
 * for evidence that comes without. A set of terms is made whole and swapped;
 * whoever judges holds the one it began with. Public data only.
 */
#include "attest/channel_inner.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "attest/inner.h"

OWNED_BY(X509, X509_free);
OWNED_BY(X509_CRL, X509_CRL_free);
OWNED_STRUCT(attest_terms);

/* ---- life -------------------------------------------------------------- */

struct attest_terms *attest_terms_get(struct attest_channel *ch)
{
    pthread_mutex_lock(&ch->lock);
    struct attest_terms *t = ch->terms;
    atomic_fetch_add(&t->refs, 1);
    pthread_mutex_unlock(&ch->lock);
    return t;
}

void attest_terms_free(struct attest_terms *t)
{
    if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    for (unsigned i = 0; i < 3; i++)
        free(t->crl[i].p);
    for (unsigned i = 0; i < t->n_certs; i++)
        free(t->cert[i].p);
    free(t);
}

static enum rc blob_copy(struct wire_blob *to, const struct wire_blob *from)
{
    return from->p ? wire_blob_set(to, from->p, from->len) : RC_OK;
}

static enum rc fill(struct attest_terms *t, const struct attest_terms *old)
{
    memcpy(t->has, old->has, sizeof(t->has));
    memcpy(t->rules, old->rules, sizeof(t->rules));
    t->narrowed = old->narrowed;
    t->n_narrow = old->n_narrow;
    memcpy(t->narrow, old->narrow, sizeof(t->narrow));
    for (unsigned i = 0; i < 3; i++)
        TRY(blob_copy(&t->crl[i], &old->crl[i]));
    for (unsigned i = 0; i < old->n_certs; i++)
        TRY(blob_copy(&t->cert[t->n_certs++], &old->cert[i]));
    return RC_OK;
}

/* As those in force, the caller's to change. Under terms_lock. */
static enum rc renew(struct attest_terms **out, const struct attest_terms *old)
{
    OWN_S(attest_terms) *t = calloc(1, sizeof(*t));
    if (!t)
        return rc_raise(RC_NOMEM, "attestation terms");
    atomic_init(&t->refs, 1);
    if (old)
        TRY(fill(t, old));
    *out = TAKE(t);
    return RC_OK;
}

/* From here on, and for nobody attested before. */
static void put_in_force(struct attest_channel *ch, struct attest_terms *t)
{
    pthread_mutex_lock(&ch->lock);
    struct attest_terms *old = ch->terms;
    ch->terms = t;
    pthread_mutex_unlock(&ch->lock);
    attest_terms_free(old);
    attest_channel_reset(ch);
}

/* ---- TEE_POLICY_HASH and policies -------------------------------------- */

static enum rc narrow(struct attest_terms *t, const char *tee_policy_hash)
{
    t->n_narrow = 0;
    t->narrowed = tee_policy_hash != NULL;
    return t->narrowed ? attest_hashes_parse(t->narrow, &t->n_narrow,
                                             tee_policy_hash)
                       : RC_OK;
}

static enum rc change(struct attest_channel *ch,
                      enum rc (*make)(struct attest_terms *t, const void *arg),
                      const void *arg)
{
    struct attest_terms *t = NULL;
    pthread_mutex_lock(&ch->terms_lock);
    enum rc rc = renew(&t, ch->terms);
    if (rc == RC_OK)
        rc = make(t, arg);
    if (rc == RC_OK)
        put_in_force(ch, t);
    pthread_mutex_unlock(&ch->terms_lock);
    if (rc != RC_OK)
        attest_terms_free(t);
    return rc;
}

static enum rc make_narrow(struct attest_terms *t, const void *arg)
{
    return narrow(t, arg);
}

enum rc attest_channel_narrow(struct attest_channel *ch,
                              const char *tee_policy_hash)
{
    return change(ch, make_narrow, tee_policy_hash);
}

static void set_rules(struct attest_terms *t, unsigned i,
                      const struct attest_rules *rules)
{
    t->has[i] = rules != NULL;
    if (rules)
        t->rules[i] = *rules;
}

static enum rc make_rules(struct attest_terms *t, const void *arg)
{
    set_rules(t, 0, arg);
    return RC_OK;
}

enum rc attest_channel_rules(struct attest_channel *ch,
                             const struct attest_rules *rules)
{
    return change(ch, make_rules, rules);
}

/* ---- files ------------------------------------------------------------- */

/* By the last part of a common name, ARK-Milan or SEV-VLEK-Genoa; a
 * simulated one has a word behind it. */
static bool named(const X509_NAME *name, enum attest_product product)
{
    char cn[96] = "";
    /* public data: a name */
    X509_NAME_get_text_by_NID((X509_NAME *)(uintptr_t)name, NID_commonName, cn,
                              sizeof(cn));
    return strstr(cn, attest_product_name(product)) != NULL;
}

static enum rc add_crl(struct attest_terms *t, const struct wire_blob *der)
{
    const unsigned char *p = der->p;
    OWNED(X509_CRL) *crl = der->len <= ATTEST_CRL_MAX
                                   ? d2i_X509_CRL(NULL, &p, (long)der->len)
                                   : NULL;
    ERR_clear_error();
    if (!crl || p != der->p + der->len)
        return rc_raise(RC_PARSE, "crl: not one CRL in DER of at most %u bytes",
                        ATTEST_CRL_MAX);
    for (unsigned i = 0; i < 3; i++) {
        if (!named(X509_CRL_get_issuer(crl), (enum attest_product)i))
            continue;
        if (t->crl[i].p)
            return rc_raise(RC_PARSE, "crl: a second one of %s",
                            attest_product_name((enum attest_product)i));
        return blob_copy(&t->crl[i], der);
    }
    return rc_raise(RC_PARSE, "crl: its issuer is no AMD root key of Milan, "
                              "Genoa or Turin");
}

static enum rc add_cert(struct attest_terms *t, const struct wire_blob *der)
{
    const unsigned char *p = der->p;
    OWNED(X509) *cert = der->len <= ATTEST_CERT_MAX
                                ? d2i_X509(NULL, &p, (long)der->len)
                                : NULL;
    ERR_clear_error();
    if (!cert || p != der->p + der->len)
        return rc_raise(RC_PARSE,
                        "cert_dir: not one certificate in DER of at "
                        "most %u bytes",
                        ATTEST_CERT_MAX);
    if (t->n_certs == ATTEST_MAX_FILES)
        return rc_raise(RC_TOO_LARGE, "cert_dir: over %u certificates",
                        ATTEST_MAX_FILES);
    return blob_copy(&t->cert[t->n_certs++], der);
}

static void drop_files(struct attest_terms *t)
{
    for (unsigned i = 0; i < 3; i++)
        free(t->crl[i].p);
    for (unsigned i = 0; i < t->n_certs; i++)
        free(t->cert[i].p);
    memset(t->crl, 0, sizeof(t->crl));
    memset(t->cert, 0, sizeof(t->cert));
    t->n_certs = 0;
}

static enum rc make_files(struct attest_terms *t, const void *arg)
{
    const struct attest_files *f = arg;
    drop_files(t);
    set_rules(t, 1, f->rules);
    for (unsigned i = 0; i < f->n_crls; i++)
        TRY(add_crl(t, &f->crl[i]));
    for (unsigned i = 0; i < f->n_certs; i++)
        TRY(add_cert(t, &f->cert[i]));
    return RC_OK;
}

enum rc attest_channel_files(struct attest_channel *ch,
                             const struct attest_files *files)
{
    return change(ch, make_files, files);
}

enum rc attest_terms_init(struct attest_channel *ch,
                          const char *tee_policy_hash,
                          const struct attest_files *files)
{
    TRY(renew(&ch->terms, NULL));
    TRY(narrow(ch->terms, tee_policy_hash));
    return files ? make_files(ch->terms, files) : RC_OK;
}

/* ---- judging by them --------------------------------------------------- */

void attest_terms_want(const struct attest_terms *t, struct attest_want *want,
                       const struct wire_evidence *e)
{
    struct attest_report r = { 0 };
    enum attest_product product;
    want->rules = t->has[0] ? &t->rules[0] : NULL;
    want->rules_too = t->has[1] ? &t->rules[1] : NULL;
    if (e->report.len != ATTEST_REPORT_LEN)
        return;
    attest_report_read(&r, e->report.p);
    if (attest_report_product(&product, &r) && t->crl[product].p)
        want->crl = &t->crl[product];
}

/* It is the key of this chip and level, or of a provider at this level. */
static bool signs(X509 *cert, const struct attest_report *r)
{
    struct attest_vek vek;
    if (attest_vek_read(&vek, cert) != RC_OK ||
        !attest_tcb_le(&vek.tcb, &r->reported) ||
        !attest_tcb_le(&r->reported, &vek.tcb))
        return false;
    return vek.hwid_len == 0 || memcmp(vek.hwid, r->chip_id, vek.hwid_len) == 0;
}

static X509 *cert_of(const struct wire_blob *der)
{
    const unsigned char *p = der->p;
    return d2i_X509(NULL, &p, (long)der->len);
}

void attest_terms_fill(const struct attest_terms *t, struct wire_evidence *out,
                       struct wire_blob chain[ATTEST_TERMS_CHAIN],
                       const struct wire_evidence *in)
{
    struct attest_report r = { 0 };
    enum attest_product product;
    bool need_vek = in->vek.len == 0;
    bool need_chain = in->chain.n == 0;
    *out = *in;
    if ((!need_vek && !need_chain) || in->report.len != ATTEST_REPORT_LEN)
        return;
    attest_report_read(&r, in->report.p);
    if (!attest_report_product(&product, &r))
        return;
    size_t n = 0;
    for (unsigned i = 0; i < t->n_certs; i++) {
        OWNED(X509) *cert = cert_of(&t->cert[i]);
        if (need_vek && out->vek.len == 0 && signs(cert, &r))
            out->vek = t->cert[i];
        else if (need_chain && n < ATTEST_TERMS_CHAIN &&
                 named(X509_get_subject_name(cert), product))
            chain[n++] = t->cert[i];
    }
    ERR_clear_error();
    if (need_chain && n > 0) {
        out->chain.at = chain;
        out->chain.n = n;
    }
}

bool attest_terms_exclude(const struct attest_terms *t, enum attest_role role,
                          const uint8_t hash[32])
{
    for (unsigned i = 0; i < 2; i++) {
        const struct attest_rules *r = &t->rules[i];
        if (!t->has[i] || !r->has_measurements || role > ATTEST_LOG)
            continue;
        if (!attest_channel_in(hash,
                               (uint8_t(*)[32])(uintptr_t)r->measurement[role],
                               r->n_measurements[role]))
            return true;
    }
    return false;
}
