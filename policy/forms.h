/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What bytes are, one step finer than a payload kind: an x509 payload is a
 * certificate, a request or a CRL. Inside the room only.
 */
#ifndef POLICY_FORMS_H
#define POLICY_FORMS_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/policy.h"

enum policy_form {
    POLICY_F_RAW,
    POLICY_F_CMS,
    POLICY_F_DSSE,
    POLICY_F_TBS, /* TBSCertificate */
    POLICY_F_CSR, /* CertificationRequestInfo */
    POLICY_F_CRL, /* TBSCertList */
    POLICY_F_OCSP,
    POLICY_F_CMP,
    POLICY_F_TLS12,
    POLICY_F_TLS13
};

/*
 * RC_POLICY: almost some form, or two at once; such bytes are not signed at
 * all, whatever the profile.
 */
MUST_CHECK enum rc policy_form_of(enum policy_form *out, const uint8_t *msg,
                                  size_t len);
enum policy_kind policy_form_kind(enum policy_form form);

/* DER SignedAttributes, re-tagged SET as they are signed (RFC 5652 5.4). */
bool policy_cms_is(const uint8_t *msg, size_t len);
/*
 * Only allow-listed attributes, each once; and where the session binds an
 * artifact, contentType data and messageDigest its SHA-512.
 */
MUST_CHECK enum rc policy_cms_check(const struct policy_session *s,
                                    const uint8_t *msg, size_t len);

struct policy_dsse {
    const char *type; /* not terminated */
    size_t type_len;
    const uint8_t *body;
    size_t body_len;
};
/* Exact PAE: "DSSEv1" SP len SP type SP len SP body. */
bool policy_dsse_parse(struct policy_dsse *out, const uint8_t *msg, size_t len);

#endif
