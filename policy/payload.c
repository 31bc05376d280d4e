/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Approve the artifact, sign the payload: are these bytes what the session
 * was approved for? Every signer asks before it marks the slot.
 */
#include "policy/check.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "base/enc.h"
#include "base/hash.h"
#include "policy/forms.h"
#include "policy/json.h"

OWNED_BY(X509_PUBKEY, X509_PUBKEY_free);

/* ---- exact bytes ----------------------------------------------------------- */

static enum rc check_exact(const struct policy_session *s, const uint8_t *msg,
                           size_t len)
{
    uint8_t sha256[32], sha512[64];
    hash256(sha256, msg, len);
    hash512(sha512, msg, len);
    if (len != s->artifact_size || memcmp(sha256, s->artifact_sha256, 32) ||
        memcmp(sha512, s->artifact_sha512, 64))
        return rc_raise(RC_POLICY,
                        "message: %zu bytes that are not the "
                        "approved artifact's",
                        len);
    return RC_OK;
}

/* ---- DSSE ------------------------------------------------------------------ */

static enum rc digest_is(const json_t *digest, const char *name,
                         const uint8_t *want, size_t len)
{
    const char *text = json_string_value(json_object_get(digest, name));
    uint8_t have[64];
    if (!text || enc_unhex(have, len, text, strlen(text)) != RC_OK ||
        memcmp(have, want, len) != 0)
        return rc_raise(RC_POLICY,
                        "dsse: subject's %s is not the approved "
                        "artifact's",
                        name);
    return RC_OK;
}

/*
 * No member beyond these. Some readers ignore case or keep the last of two:
 * beside the approved "subject", a "Subject" would be what they see.
 */
static enum rc only(const json_t *object, const char *const *keys)
{
    size_t known = 0;
    for (; *keys; keys++)
        known += json_object_get(object, *keys) != NULL;
    if (!json_is_object(object) || json_object_size(object) != known)
        return rc_raise(RC_POLICY, "dsse: a statement or subject has members "
                                   "in-toto does not name");
    return RC_OK;
}

/* One subject, named by sha256 and perhaps sha512: what was approved. */
static enum rc check_subject(const struct policy_session *s,
                             const json_t *statement)
{
    static const char *const keys[] = { "_type", "subject", "predicateType",
                                        "predicate", NULL };
    static const char *const subject_keys[] = { "name", "digest", NULL };
    TRY(only(statement, keys));
    const json_t *subjects = json_object_get(statement, "subject");
    if (json_array_size(subjects) != 1)
        return rc_raise(RC_POLICY, "dsse: %zu subjects, want the one artifact",
                        json_array_size(subjects));
    TRY(only(json_array_get(subjects, 0), subject_keys));
    const json_t *digest = json_object_get(json_array_get(subjects, 0),
                                           "digest");
    TRY(digest_is(digest, "sha256", s->artifact_sha256, 32));
    size_t known = 1;
    if (json_object_get(digest, "sha512")) {
        TRY(digest_is(digest, "sha512", s->artifact_sha512, 64));
        known++;
    }
    if (json_object_size(digest) != known)
        return rc_raise(RC_POLICY, "dsse: subject has digests other than "
                                   "sha256 and sha512");
    return RC_OK;
}

static enum rc check_dsse(const struct policy_session *s, const uint8_t *msg,
                          size_t len)
{
    static const char in_toto[] = "application/vnd.in-toto+json";
    static const char statement_v[] = "https://in-toto.io/Statement/v";
    struct policy_dsse d;
    if (!policy_dsse_parse(&d, msg, len) || d.type_len != sizeof(in_toto) - 1 ||
        memcmp(d.type, in_toto, d.type_len) != 0)
        return rc_raise(RC_POLICY, "dsse: payload type is not %s", in_toto);
    OWNED(json_t) *root = NULL;
    TRY(policy_json_open(&root, d.body, d.body_len, len, "dsse"));
    const char *type = json_string_value(json_object_get(root, "_type"));
    if (!type || strncmp(type, statement_v, sizeof(statement_v) - 1) != 0)
        return rc_raise(RC_POLICY, "dsse: not an in-toto statement");
    return check_subject(s, root);
}

/* ---- its own key ----------------------------------------------------------- */

/*
 * The SubjectPublicKeyInfo of a TBSCertificate or CertificationRequestInfo
 * already known to be one: the nth element, not counting the version tag.
 */
static X509_PUBKEY *spki_of(enum policy_form form, const uint8_t *msg,
                            size_t len)
{
    const unsigned char *at = msg, *start;
    long n;
    int tag, class, skip = form == POLICY_F_CSR ? 2 : 5;
    if (ASN1_get_object(&at, &n, &tag, &class, (long)len) & 0x81)
        return NULL;
    const unsigned char *end = at + n;
    while (at < end) {
        start = at;
        if (ASN1_get_object(&at, &n, &tag, &class, end - at) & 0x81)
            return NULL;
        if (class == V_ASN1_CONTEXT_SPECIFIC && skip == 5) {
            at += n; /* [0] version */
            continue;
        }
        if (skip-- == 0)
            return d2i_X509_PUBKEY(NULL, &start, at + n - start);
        at += n;
    }
    return NULL;
}

static enum rc check_own_key(const struct policy_session *s,
                             enum policy_form form, const uint8_t *msg,
                             size_t len)
{
    ERR_set_mark();
    OWNED(X509_PUBKEY) *spki = spki_of(form, msg, len);
    ERR_pop_to_mark();
    ASN1_OBJECT *alg = NULL;
    const unsigned char *key = NULL;
    int key_len = 0;
    uint8_t hash[32];
    if (!spki || !X509_PUBKEY_get0_param(&alg, &key, &key_len, NULL, spki) ||
        OBJ_obj2nid(alg) != NID_ED25519 || key_len != 32)
        return rc_raise(RC_POLICY, "x509: its public key is not Ed25519");
    hash256(hash, key, 32);
    if (!s->has_key || memcmp(hash, s->key, 32) != 0)
        return rc_raise(RC_POLICY, "x509: its public key is not the key that "
                                   "is to sign");
    return RC_OK;
}

/*
 * Issuers certify others (within rules the CA's room judges); everyone else
 * signs x509 only about its own key. A request asks for one's own key always.
 */
static enum rc check_x509(const struct policy_profile *f, bool quorum,
                          const struct policy_session *s, enum policy_form form,
                          const uint8_t *msg, size_t len)
{
    bool root = s->type == POLICY_S_ROOT;
    if (root && form != POLICY_F_TBS)
        return rc_raise(RC_POLICY, "x509: a root session signs a "
                                   "TBSCertificate");
    if (form == POLICY_F_CSR && quorum)
        return rc_raise(RC_POLICY, "x509: a CSR goes only without a quorum");
    if (form == POLICY_F_CRL && f->class != POLICY_TLS)
        return rc_raise(RC_POLICY, "x509: class %s signs no CRL",
                        policy_class_name(f->class));
    if (form == POLICY_F_TBS && f->class == POLICY_ARTIFACT)
        return rc_raise(RC_POLICY, "x509: class artifact signs no "
                                   "certificates");
    /* it names no key, and counts for what its signer's key certified */
    if (form == POLICY_F_CRL)
        return RC_OK;
    if (root || form == POLICY_F_CSR || f->class != POLICY_ISSUER)
        return check_own_key(s, form, msg, len);
    return RC_OK;
}

/* ---- the whole ------------------------------------------------------------- */

static enum rc check_bound(const struct policy_session *s,
                           enum policy_form form, const uint8_t *msg,
                           size_t len)
{
    if (form == POLICY_F_TLS12 || form == POLICY_F_TLS13)
        return rc_raise(RC_POLICY, "message: a handshake cannot carry an "
                                   "approved artifact");
    if (form == POLICY_F_DSSE)
        return check_dsse(s, msg, len);
    if (form == POLICY_F_CMS)
        return RC_OK; /* policy_cms_check compares the digest */
    return check_exact(s, msg, len);
}

static enum rc check_session(const struct policy_profile *f, bool quorum,
                             const struct policy_session *s, size_t len)
{
    if (s->type != POLICY_S_SIGN && s->type != POLICY_S_ROOT)
        return rc_raise(RC_POLICY, "session: type %s signs no message",
                        policy_session_type_name(s->type));
    if (!s->has_profile || strcmp(s->profile, f->name) != 0)
        return rc_raise(RC_POLICY, "session: not of profile %s", f->name);
    if (s->type == POLICY_S_ROOT && f->class != POLICY_ISSUER)
        return rc_raise(RC_POLICY, "session: a root is for class issuer");
    if (len > f->max_message)
        return rc_raise(RC_TOO_LARGE,
                        "message: %zu bytes, profile %s allows "
                        "%u",
                        len, f->name, f->max_message);
    if (!s->has_artifact && (quorum || s->type == POLICY_S_ROOT))
        return rc_raise(RC_POLICY, "session: binds no artifact");
    return RC_OK;
}

static enum rc check_kind(const struct policy_profile *f,
                          const struct policy_session *s, enum policy_kind kind)
{
    if (!f->kinds[kind] || !policy_class_signs(f->class, kind))
        return rc_raise(RC_POLICY,
                        "message: is %s, which profile %s does not "
                        "sign",
                        policy_kind_name(kind), f->name);
    if (!s->slot[kind])
        return rc_raise(RC_POLICY,
                        "message: is %s, for which this session "
                        "has no slot",
                        policy_kind_name(kind));
    return RC_OK;
}

enum rc policy_payload_check_raised(enum policy_kind *kind,
                                    const struct policy_profile *profile,
                                    const struct policy_session *s,
                                    const void *msg, size_t len,
                                    const struct policy_raise *raise)
{
    enum policy_form form;
    bool raised = s->type == POLICY_S_SIGN &&
                  (raise->engineers || raise->stewards);
    bool quorum = policy_has_quorum(profile) || raised;
    TRY(check_session(profile, quorum, s, len));
    TRY(policy_form_of(&form, msg, len));
    enum policy_kind found = policy_form_kind(form);
    TRY(check_kind(profile, s, found));
    if (found == POLICY_CMS)
        TRY(policy_cms_check(s, msg, len));
    if (found == POLICY_X509)
        TRY(check_x509(profile, quorum, s, form, msg, len));
    if (s->has_artifact)
        TRY(check_bound(s, form, msg, len));
    *kind = found;
    return RC_OK;
}

enum rc policy_payload_check(enum policy_kind *kind,
                             const struct policy_profile *profile,
                             const struct policy_session *s, const void *msg,
                             size_t len)
{
    const struct policy_raise none = { 0 };
    return policy_payload_check_raised(kind, profile, s, msg, len, &none);
}
