/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificates that came with the evidence: which one is what, and the
 * checks C1..C7. The trust anchor is a pin compiled in, never what was sent.
 * Public data only.
 *
 * X509_V_FLAG_X509_STRICT stays off: AMD's leaves have no key identifiers.
 * Times and CRL are judged by hand, so each has its own row.
 */
#include "attest/inner.h"

#include <stdio.h>
#include <string.h>

#include "attest/layout.h"
#include "attest/names.h"
#include "attest/roots.h"
#include "base/hash.h"

OWNED_BY(X509_STORE, X509_STORE_free);
OWNED_BY(X509_STORE_CTX, X509_STORE_CTX_free);
OWNED_BY(X509_CRL, X509_CRL_free);
static void free_borrowers(STACK_OF(X509) * s)
{
    sk_X509_free(s);
}
typedef STACK_OF(X509) x509_stack;
OWNED_BY(x509_stack, free_borrowers);

void attest_chain_free(struct attest_chain *c)
{
    X509_free(c->vek);
    for (unsigned i = 0; i < c->n_extra; i++)
        X509_free(c->extra[i]);
    memset(c, 0, sizeof(*c));
}

static void load(struct attest_chain *c, struct attest_verdict *v,
                 const struct wire_evidence *e)
{
    c->vek = attest_cert_read(&e->vek);
    bool ok = c->vek && e->chain.n <= ATTEST_MAX_CHAIN;
    for (size_t i = 0; i < e->chain.n && i < ATTEST_MAX_CHAIN; i++) {
        X509 *cert = attest_cert_read(&e->chain.at[i]);
        if (!cert) {
            ok = false;
            continue;
        }
        hash256(c->extra_sha256[c->n_extra], e->chain.at[i].p,
                e->chain.at[i].len);
        c->extra[c->n_extra++] = cert;
    }
    attest_mark(v, "C0", "certificates", ok,
                "a VEK and at most 4 more, each one DER certificate",
                "VEK %s, %u of %zu others read", c->vek ? "read" : "unreadable",
                c->n_extra, e->chain.n);
}

struct root {
    bool found;
    bool simulated;
    enum attest_product product; /* AMD's only */
};

static struct root find_root(struct attest_chain *c,
                             const struct attest_roots *roots)
{
    for (unsigned i = 0; i < c->n_extra; i++) {
        c->ark = c->extra[i];
        for (size_t k = 0; k < sizeof(attest_pins) / sizeof(*attest_pins);
             k++) {
            if (memcmp(c->extra_sha256[i], attest_pins[k].sha256, 32) == 0)
                return (struct root){ true, false, attest_pins[k].product };
        }
#ifdef MPC_SIMULATED_TEE
        if (roots && roots->allow_simulated &&
            memcmp(c->extra_sha256[i], roots->simulated_ark, 32) == 0)
            return (struct root){ true, true, ATTEST_GENOA };
#else
        (void)roots;
#endif
    }
    c->ark = NULL;
    return (struct root){ 0 };
}

/* Whatever carries a root's name, for the message. */
static const char *root_seen(char out[65], const struct attest_chain *c)
{
    for (unsigned i = 0; i < c->n_extra; i++) {
        if (X509_NAME_cmp(X509_get_subject_name(c->extra[i]),
                          X509_get_issuer_name(c->extra[i])) == 0) {
            for (unsigned k = 0; k < 32; k++)
                snprintf(out + 2 * k, 3, "%02x", c->extra_sha256[i][k]);
            return out;
        }
    }
    return "no self-signed certificate came";
}

/* C1 product, C2 root; a version 2 report has no product of its own. */
static void mark_root(struct attest_chain *c, struct attest_verdict *v,
                      const struct attest_roots *roots)
{
    struct root root = find_root(c, roots);
    enum attest_product said = ATTEST_MILAN;
    bool known = attest_report_product(&said, &v->report);
    if (!known && v->report.version == 2 && root.found && !root.simulated &&
        root.product != ATTEST_TURIN) {
        said = root.product;
        known = true;
    }
    attest_mark(v, "C1", "product", known, "Milan, Genoa or Turin",
                "%s (family 0x%02x model 0x%02x)",
                known ? attest_product_name(said) : "unknown", v->report.family,
                v->report.model);
    bool ok = known && root.found && (root.simulated || root.product == said);
    char seen[65];
    attest_mark(v, "C2", "root", ok,
                roots && roots->allow_simulated
                        ? "pinned ARK of the product, or the simulated one"
                        : "pinned ARK of the product",
                "%s %s",
                root.found
                        ? (root.simulated ? "simulated"
                                          : attest_product_name(root.product))
                        : "unknown",
                root_seen(seen, c));
    v->product = said;
    v->simulated = root.found && root.simulated;
}

/* C3: the signer that SIGNING_KEY names, whatever else was sent. */
static void mark_signer(struct attest_chain *c, struct attest_verdict *v,
                        const struct attest_names *names)
{
    for (unsigned i = 0; i < c->n_extra && !c->ask; i++) {
        if (attest_name_is(X509_get_subject_name(c->extra[i]), names,
                           names->signer))
            c->ask = c->extra[i];
    }
    attest_mark(v, "C3", "signer certificate", c->ask != NULL, names->signer,
                "%s", c->ask ? names->signer : "not among those sent");
}

/* "ARK missing, VEK expired": all of them, not the first. */
static void add(char *list, size_t size, const char *what, const char *how)
{
    size_t at = strlen(list);
    snprintf(list + at, size - at, "%s%s%s", at ? ", " : "", what, how);
}

/* C5: subject and issuer of each, exactly. */
static void mark_names(const struct attest_chain *c, struct attest_verdict *v,
                       const struct attest_names *n)
{
    const struct {
        const char *what;
        X509 *cert;
        const char *subject, *issuer;
    } rows[] = {
        { "ARK", c->ark, n->root, n->root },
        { "ASK", c->ask, n->signer, n->root },
        { "VEK", c->vek, n->leaf, n->signer },
    };
    char bad[64] = "";
    for (size_t i = 0; i < 3; i++) {
        if (!rows[i].cert)
            add(bad, sizeof(bad), rows[i].what, " missing");
        else if (!attest_name_is(X509_get_subject_name(rows[i].cert), n,
                                 rows[i].subject))
            add(bad, sizeof(bad), rows[i].what, "'s subject");
        else if (!attest_name_is(X509_get_issuer_name(rows[i].cert), n,
                                 rows[i].issuer))
            add(bad, sizeof(bad), rows[i].what, "'s issuer");
    }
    char want[160];
    snprintf(want, sizeof(want), "%s, %s, %s of %s", n->leaf, n->signer,
             n->root, n->org);
    attest_mark(v, "C5", "names", !bad[0], want, "%s", bad[0] ? bad : "so");
}

/* Path rules besides what C4..C6 look at: CA bits, path length, issuers. */
static const char *path_refuses(const struct attest_chain *c)
{
    OWNED(X509_STORE) *store = X509_STORE_new();
    OWNED(X509_STORE_CTX) *ctx = X509_STORE_CTX_new();
    OWNED(x509_stack) *between = sk_X509_new_null();
    if (!store || !ctx || !between || !sk_X509_push(between, c->ask) ||
        X509_STORE_add_cert(store, c->ark) != 1 ||
        X509_STORE_CTX_init(ctx, store, c->vek, between) != 1)
        return "out of memory";
    X509_STORE_CTX_set_depth(ctx, 1);
    X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_NO_CHECK_TIME |
                                          X509_V_FLAG_CHECK_SS_SIGNATURE);
    if (X509_verify_cert(ctx) == 1)
        return sk_X509_num(X509_STORE_CTX_get0_chain(ctx)) == 3
                       ? NULL
                       : "the VEK is not signed by the ASK";
    return X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));
}

static void mark_signatures(const struct attest_chain *c,
                            struct attest_verdict *v)
{
    const char *bad = "a certificate is missing";
    if (c->ark && c->ask && c->vek) {
        bad = attest_profile_refuses(c->ark, c->ask, c->vek);
        if (!bad)
            bad = path_refuses(c);
    }
    attest_mark(v, "C4", "chain signatures", !bad,
                "RSA-4096 PSS SHA-384 salt 48 up to the ARK, P-384 VEK", "%s",
                bad ? bad : "so");
}

/* C6, at the caller's clock. */
static void mark_times(const struct attest_chain *c, struct attest_verdict *v,
                       int64_t now_s)
{
    X509 *certs[] = { c->ark, c->ask, c->vek };
    static const char *const names[] = { "ARK", "ASK", "VEK" };
    char bad[96] = "";
    time_t now = (time_t)now_s;
    for (size_t i = 0; i < 3; i++) {
        if (!certs[i])
            add(bad, sizeof(bad), names[i], " missing");
        else if (X509_cmp_time(X509_get0_notBefore(certs[i]), &now) >= 0)
            add(bad, sizeof(bad), names[i], " not yet valid");
        else if (X509_cmp_time(X509_get0_notAfter(certs[i]), &now) <= 0)
            add(bad, sizeof(bad), names[i], " expired");
    }
    attest_mark(v, "C6", "validity", !bad[0], "all three valid now", "%s",
                bad[0] ? bad : "so");
}

/* X509_V_FLAG_CRL_CHECK_ALL wants a CRL by the ASK, and there is none. */
static const char *crl_refuses(const struct attest_chain *c,
                               const struct wire_blob *der, int64_t now_s)
{
    const unsigned char *p = der->p;
    if (!p || der->len == 0)
        return "none came";
    if (der->len > ATTEST_CRL_MAX)
        return "too large";
    OWNED(X509_CRL) *crl = d2i_X509_CRL(NULL, &p, (long)der->len);
    if (!crl || p != der->p + der->len)
        return "unreadable";
    if (!c->ark || !c->ask)
        return "no ARK or ASK to judge it by";
    if (X509_NAME_cmp(X509_CRL_get_issuer(crl),
                      X509_get_subject_name(c->ark)) != 0)
        return "of another issuer";
    if (X509_CRL_verify(crl, X509_get0_pubkey(c->ark)) != 1)
        return "its signature does not verify";
    if (X509_CRL_get_ext_by_critical(crl, 1, -1) >= 0)
        return "partial: it has a critical extension";
    time_t now = (time_t)now_s;
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
    if (X509_cmp_time(X509_CRL_get0_lastUpdate(crl), &now) >= 0)
        return "not yet in force";
    if (!next || X509_cmp_time(next, &now) <= 0)
        return "stale: its nextUpdate has passed";
    X509_REVOKED *hit = NULL;
    if (X509_CRL_get0_by_serial(crl, &hit, X509_get0_serialNumber(c->ask)) != 0)
        return "it revokes the ASK";
    return NULL;
}

static bool crl_is(const struct attest_rules *rules, enum attest_crl mode)
{
    return rules && rules->crl == mode;
}

static void mark_crl(const struct attest_chain *c, struct attest_verdict *v,
                     const struct attest_want *want, int64_t now_s)
{
    bool need = want->need_crl || crl_is(want->rules, ATTEST_CRL_REQUIRE) ||
                crl_is(want->rules_too, ATTEST_CRL_REQUIRE);
    bool off = (want->rules || want->rules_too) &&
               (!want->rules || crl_is(want->rules, ATTEST_CRL_OFF)) &&
               (!want->rules_too || crl_is(want->rules_too, ATTEST_CRL_OFF));
    if (!need && (!want->crl || off))
        return;
    const struct wire_blob none = { 0 };
    const char *bad = crl_refuses(c, want->crl ? want->crl : &none, now_s);
    attest_mark(v, "C7", "revocation", !bad,
                "a fresh CRL by the ARK that leaves the ASK alone", "%s",
                bad ? bad : "so");
}

void attest_chain_judge(struct attest_chain *c, struct attest_verdict *v,
                        const struct wire_evidence *evidence,
                        const struct attest_roots *roots,
                        const struct attest_want *want, int64_t now_s)
{
    load(c, v, evidence);
    mark_root(c, v, roots);
    struct attest_names names = attest_names_of(
            v->product, v->simulated,
            SNP_KEY_SIGNER(v->report.key_info) == SNP_KEY_VLEK);
    mark_signer(c, v, &names);
    mark_signatures(c, v);
    mark_names(c, v, &names);
    mark_times(c, v, now_s);
    mark_crl(c, v, want, now_s);
}
