/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much DER as is read here by hand: a key reference in PKCS#8, and the
 * subject of a certificate. Not libcrypto's X509: it would decode the public
 * key too, by the host's providers, which may be us.
 */
#include "provider/inner.h"

#include <openssl/x509.h>
#include <string.h>

#include "base/own.h"

OWNED_BY(X509_NAME, X509_NAME_free);

bool prov_der_take(struct prov_der *content, struct prov_der *from, uint8_t tag)
{
    if (from->len < 2 || from->p[0] != tag)
        return false;
    size_t head = 2, len = from->p[1];
    if (len == 0x81 && from->len >= 3 && from->p[2] >= 0x80) {
        head = 3;
        len = from->p[2];
    } else if (len == 0x82 && from->len >= 4 && from->p[2] != 0) {
        head = 4;
        len = (size_t)from->p[2] << 8 | from->p[3];
    } else if (len >= 0x80) {
        return false;
    }
    if (len > from->len - head)
        return false;
    *content = (struct prov_der){ from->p + head, len };
    from->p += head + len;
    from->len -= head + len;
    return true;
}

bool prov_der_is(struct prov_der d, const void *want, size_t len)
{
    return d.len == len && memcmp(d.p, want, len) == 0;
}

/* TBSCertificate up to its subject: RFC 5280 section 4.1. */
static bool subject_of(struct prov_der *out, struct prov_der certificate)
{
    static const uint8_t before[] = { 0x02, 0x30, 0x30, 0x30 };
    struct prov_der outer, tbs, skipped;
    if (!prov_der_take(&outer, &certificate, 0x30) ||
        !prov_der_take(&tbs, &outer, 0x30))
        return false;
    (void)prov_der_take(&skipped, &tbs, 0xa0);  /* version, absent in 1 */
    for (size_t i = 0; i < sizeof(before); i++) /* serial ... validity */
        if (!prov_der_take(&skipped, &tbs, before[i]))
            return false;
    out->p = tbs.p; /* with its own tag and length */
    if (!prov_der_take(&skipped, &tbs, 0x30))
        return false;
    out->len = (size_t)(tbs.p - out->p);
    return true;
}

bool prov_cert_subject_is(struct prov_der certificate, struct prov_der name)
{
    struct prov_der subject;
    if (!subject_of(&subject, certificate))
        return false;
    OWNED(X509_NAME) *a = d2i_X509_NAME(NULL, &subject.p, (long)subject.len);
    OWNED(X509_NAME) *b = d2i_X509_NAME(NULL, &name.p, (long)name.len);
    return a && b && X509_NAME_cmp(a, b) == 0;
}
