/* SPDX-License-Identifier: Apache-2.0 */
/* What the verifier's files share and nobody else sees. */
#ifndef ATTEST_INNER_H
#define ATTEST_INNER_H

#include "attest/attest.h"

#include <openssl/x509.h>

#define ATTEST_MAX_CHAIN 4 /* ASK, ASVK and ARK, and one to spare */

/* Adds a row to the verdict; a full table makes the verdict fail. */
void attest_mark(struct attest_verdict *v, const char *id, const char *what,
                 bool ok, const char *expected, const char *actual, ...)
        PRINTF_LIKE(6, 7);
/* The row just added holds with a warning. */
void attest_warn(struct attest_verdict *v);
/* v->ok if all rows hold; else RC_ATTEST with the first that does not. */
MUST_CHECK enum rc attest_verdict_end(struct attest_verdict *v);
/* Least SNP security patch level a peer, and what we seal under, may have. */
unsigned attest_snp_floor(enum attest_product product);
const char *attest_product_name(enum attest_product p);

/* ---- report.c ---------------------------------------------------------- */

/* Fields only; raw is ATTEST_REPORT_LEN bytes, nothing is judged. */
void attest_report_read(struct attest_report *out, const uint8_t *raw);
/* F2..F7 */
void attest_report_format(struct attest_verdict *v, const uint8_t *raw);
/* false: version 2 has no FMS, or a family nobody publishes roots for. */
bool attest_report_product(enum attest_product *out,
                           const struct attest_report *r);
/* "bl=3 tee=0 …" */
void attest_tcb_text(char *out, size_t size, const struct attest_tcb *t);
/* Component-wise. */
bool attest_tcb_le(const struct attest_tcb *a, const struct attest_tcb *b);

/* ---- tcb.c ------------------------------------------------------------- */

/* What AMD wrote into a VCEK or VLEK. */
struct attest_vek {
    uint8_t version; /* structVersion: 1 from Turin on */
    char product[24];
    struct attest_tcb tcb;
    uint8_t spl[4]; /* spl4..spl7: zero so far */
    uint8_t hwid[64];
    size_t hwid_len; /* 0: VLEK */
    char csp[128];   /* "": VCEK */
};
/* RC_PARSE says which extension is missing, double or malformed. */
MUST_CHECK enum rc attest_vek_read(struct attest_vek *out, X509 *cert);

/* ---- parsed.c ---------------------------------------------------------- */

/* The whole blob is one certificate, else NULL. Shared: read it, no more. */
X509 *attest_cert_read(const struct wire_blob *der);
/* The next ones are read from their bytes. */
void attest_certs_forget(void);

/* ---- chain.c ----------------------------------------------------------- */

struct attest_chain {
    X509 *vek;
    X509 *extra[ATTEST_MAX_CHAIN];
    uint8_t extra_sha256[ATTEST_MAX_CHAIN][32];
    unsigned n_extra;
    X509 *ark; /* borrowed of extra */
    X509 *ask; /* ASK or ASVK, by SIGNING_KEY */
};
void attest_chain_free(struct attest_chain *c);
/*
 * C1..C7 over the evidence's certificates. On return the VEK is there to be
 * used, or NULL; v->product and v->simulated are set when C1 and C2 hold.
 */
void attest_chain_judge(struct attest_chain *c, struct attest_verdict *v,
                        const struct wire_evidence *evidence,
                        const struct attest_roots *roots,
                        const struct attest_want *want, int64_t now_s);

/* ---- binding.c, rules.c ------------------------------------------------ */

/* B1: by the VEK's key, over the bytes as they came. vek NULL: no. */
bool attest_report_signed(const uint8_t *raw, X509 *vek);
/* B1..B5 */
void attest_binding_judge(struct attest_verdict *v, const uint8_t *raw,
                          X509 *vek, const struct attest_want *want);
/* P1..P15 as far as wanted */
void attest_rules_judge(struct attest_verdict *v, const uint8_t *raw,
                        const struct attest_want *want);

/* P1 by role, P5..P8, P10..P14 of a deployment's policy; floors.c. */
void attest_floors_judge(struct attest_verdict *v,
                         const struct attest_rules *rules);
/* One field of fixed size, exactly; want NULL: not judged. rules.c */
void attest_mark_equal(struct attest_verdict *v, const char *id,
                       const char *what, const uint8_t *want,
                       const uint8_t *got, size_t len);

/* ---- hcl.c ------------------------------------------------------------- */

/* H1..H3: the blob is around this report, its runtime data bound by it. */
void attest_hcl_judge(struct attest_verdict *v, const uint8_t *raw,
                      const struct wire_blob *blob);
/* A public RSA key, big-endian. */
struct attest_rsa {
    uint8_t n[512], e[8];
    size_t n_len, e_len;
};
/* HCLAkPub of a blob that is not judged here. */
MUST_CHECK enum rc attest_hcl_ak(struct attest_rsa *out,
                                 const struct wire_blob *blob);

/* ---- quote.c ----------------------------------------------------------- */

/* The evidence has at least one of a vTPM's parts. */
bool attest_quote_is(const struct wire_evidence *evidence);
/*
 * H4, H5, and of want P2 and P9, which are then taken out of it: what the
 * report says in their place is the cloud's. H1..H3 stand in v already.
 */
void attest_quote_judge(struct attest_verdict *v,
                        const struct wire_evidence *evidence,
                        struct attest_want *want);

#endif
