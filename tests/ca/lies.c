/* SPDX-License-Identifier: Apache-2.0 */
#include "lies.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "ca/ca.h"

/* ---- extensions ----------------------------------------------------------- */

static void add_ext(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert(e && X509_add_ext(x, e, -1));
    X509_EXTENSION_free(e);
}

static void swap_ext(X509 *x, int nid, const char *value)
{
    int at = X509_get_ext_by_NID(x, nid, -1);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert(at >= 0 && e);
    X509_EXTENSION_free(X509_delete_ext(x, at));
    assert(X509_add_ext(x, e, at));
    X509_EXTENSION_free(e);
}

static int place_of(X509 *x, const char *oid)
{
    ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
    int at = X509_get_ext_by_OBJ(x, o, -1);
    ASN1_OBJECT_free(o);
    return at;
}

static X509_EXTENSION *own_ext(X509 *x, const char *oid)
{
    int at = place_of(x, oid);
    assert(at >= 0);
    return X509_get_ext(x, at);
}

static void drop_ext(X509 *x, const char *oid)
{
    X509_EXTENSION_free(X509_delete_ext(x, place_of(x, oid)));
}

static void set_value(X509_EXTENSION *e, const uint8_t *bytes, int len)
{
    ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
    assert(s && ASN1_OCTET_STRING_set(s, bytes, len));
    assert(X509_EXTENSION_set_data(e, s));
    ASN1_OCTET_STRING_free(s);
}

/* Flips the last bit of the byte at `at` of its value; below 0: from its end. */
static void flip_at(X509_EXTENSION *e, int at)
{
    uint8_t bytes[4096];
    const ASN1_OCTET_STRING *v = X509_EXTENSION_get_data(e);
    int len = ASN1_STRING_length(v);
    assert(len <= (int)sizeof(bytes));
    memcpy(bytes, ASN1_STRING_get0_data(v), (size_t)len);
    bytes[at < 0 ? len + at : at] ^= 1;
    set_value(e, bytes, len);
}

/* The fields of the signing context, counted from its end. */
enum { BIRTH = 1, ORIGIN, POLICY, APPROVALS, PARTICIPANTS, SIGNERS, THRESHOLD };

/* Where each element inside the one SEQUENCE ends; returns how many. */
static int ends_of(int end[16], const uint8_t *der, int len)
{
    const uint8_t *at = der;
    long body;
    int tag;
    int class;
    int n = 0;
    ASN1_get_object(&at, &body, &tag, &class, len);
    while (at < der + len && n < 16) {
        ASN1_get_object(&at, &body, &tag, &class, der + len - at);
        at += body;
        end[n++] = (int)(at - der);
    }
    return n;
}

/* Flips the last bit of a field, and so says something else of the birth. */
static void flip_context(X509 *x, int from_end)
{
    X509_EXTENSION *e = own_ext(x, CA_OID_CONTEXT);
    const ASN1_OCTET_STRING *v = X509_EXTENSION_get_data(e);
    int end[16];
    int n = ends_of(end, ASN1_STRING_get0_data(v), ASN1_STRING_length(v));
    assert(n > from_end);
    flip_at(e, end[n - from_end] - 1);
}

/* ---- times ------------------------------------------------------------------ */

static void move(X509 *x, long before_s, long after_s)
{
    ASN1_TIME *from = ASN1_STRING_dup(X509_get0_notBefore(x));
    ASN1_TIME *to = ASN1_STRING_dup(X509_get0_notAfter(x));
    struct tm a;
    struct tm b;
    assert(from && to && ASN1_TIME_to_tm(from, &a) && ASN1_TIME_to_tm(to, &b));
    ASN1_TIME_set(from, timegm(&a) + before_s);
    ASN1_TIME_set(to, timegm(&b) + after_s);
    X509_set1_notBefore(x, from);
    X509_set1_notAfter(x, to);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
}

static void longer_life(X509 *x)
{
    move(x, 0, 1);
}
static void a_day_longer(X509 *x)
{
    move(x, 0, 86400);
}
static void shorter_life(X509 *x)
{
    move(x, 0, -1);
}
static void later_start(X509 *x)
{
    move(x, CA_AHEAD_S + 600, CA_AHEAD_S + 600);
}
static void earlier_start(X509 *x)
{
    move(x, -CA_BEHIND_S - 1, -CA_BEHIND_S - 1);
}
static void start_a_century_ago(X509 *x)
{
    ASN1_TIME *t = ASN1_TIME_new();
    ASN1_TIME_set_string(t, "19260101000000Z");
    X509_set1_notBefore(x, t);
    ASN1_TIME_free(t);
}

/* ---- what it may do ----------------------------------------------------------- */

static void be_ca(X509 *x)
{
    add_ext(x, NID_basic_constraints, "critical,CA:TRUE");
}
static void be_no_ca_but_say_so(X509 *x)
{
    add_ext(x, NID_basic_constraints, "CA:FALSE");
}
static void usage_cert_sign(X509 *x)
{
    swap_ext(x, NID_key_usage, "critical,digitalSignature,keyCertSign");
}
static void no_key_usage(X509 *x)
{
    X509_EXTENSION_free(
            X509_delete_ext(x, X509_get_ext_by_NID(x, NID_key_usage, -1)));
}
static void eku_server(X509 *x)
{
    swap_ext(x, NID_ext_key_usage, "codeSigning,emailProtection,serverAuth");
}
static void eku_less(X509 *x)
{
    swap_ext(x, NID_ext_key_usage, "codeSigning");
}
static void eku_any(X509 *x)
{
    swap_ext(x, NID_ext_key_usage, "anyExtendedKeyUsage");
}
static void another_extension(X509 *x)
{
    add_ext(x, NID_netscape_comment, "hello");
}
static void critical_extension(X509 *x)
{
    add_ext(x, NID_netscape_comment, "critical,hello");
}

/* ---- for whom ------------------------------------------------------------------- */

static void set_key(X509 *x, const uint8_t key[32])
{
    EVP_PKEY *k = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, 32);
    assert(k && X509_set_pubkey(x, k));
    EVP_PKEY_free(k);
}

/* RFC 8032 section 7.1, test 1: whose secret key everybody has. */
static const uint8_t known_key[32] = { 0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a,
                                       0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64,
                                       0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda,
                                       0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68,
                                       0xf7, 0x07, 0x51, 0x1a };

static void other_key(X509 *x)
{
    set_key(x, known_key);
}
void lie_birth(X509 *x, uint64_t index)
{
    X509_EXTENSION *e = own_ext(x, CA_OID_CONTEXT);
    const ASN1_OCTET_STRING *v = X509_EXTENSION_get_data(e);
    const uint8_t *der = ASN1_STRING_get0_data(v);
    uint8_t bytes[4096];
    uint8_t number[16];
    uint8_t *at = number;
    uint8_t *body;
    int end[16];
    int n = ends_of(end, der, ASN1_STRING_length(v));
    ASN1_INTEGER *i = ASN1_INTEGER_new();
    assert(i && ASN1_INTEGER_set_uint64(i, index));
    int last = i2d_ASN1_INTEGER(i, &at);
    ASN1_INTEGER_free(i);
    number[0] = 0x84;                  /* [4] IMPLICIT */
    int head = der[1] == 0x82 ? 4 : 3; /* over 127 bytes it always is */
    int kept = end[n - 2] - head;
    assert(kept + 32 <= (int)sizeof(bytes));
    body = bytes;
    ASN1_put_object(&body, 1, kept + last, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
    memcpy(body, der + head, (size_t)kept);
    memcpy(body + kept, number, (size_t)last);
    set_value(e, bytes, (int)(body - bytes) + kept + last);
}
static void no_birth(X509 *x)
{
    lie_birth(x, 0x7fffffff);
    set_key(x, known_key);
}
static void san_other(X509 *x)
{
    flip_at(X509_get_ext(x, X509_get_ext_by_NID(x, NID_subject_alt_name, -1)),
            -1);
}
static void san_more(X509 *x)
{
    X509_EXTENSION *e = X509_get_ext(
            x, X509_get_ext_by_NID(x, NID_subject_alt_name, -1));
    GENERAL_NAMES *names = X509V3_EXT_d2i(e);
    GENERAL_NAME *n = GENERAL_NAME_new();
    ASN1_IA5STRING *s = ASN1_IA5STRING_new();
    ASN1_STRING_set(s, "victim.example", -1);
    GENERAL_NAME_set0_value(n, GEN_DNS, s);
    sk_GENERAL_NAME_push(names, n);
    X509_add1_ext_i2d(x, NID_subject_alt_name, names, 1, X509V3_ADD_REPLACE);
    GENERAL_NAMES_free(names);
}
static void san_not_critical(X509 *x)
{
    X509_EXTENSION_set_critical(
            X509_get_ext(x, X509_get_ext_by_NID(x, NID_subject_alt_name, -1)),
            0);
}
static void rename_to(X509 *x, bool issuer, const char *cn)
{
    X509_NAME *n = X509_NAME_new();
    X509_NAME_add_entry_by_NID(n, NID_commonName, MBSTRING_UTF8,
                               (const unsigned char *)cn, -1, -1, 0);
    if (issuer)
        X509_set_issuer_name(x, n);
    else
        X509_set_subject_name(x, n);
    X509_NAME_free(n);
}
static void subject_given(X509 *x)
{
    rename_to(x, false, "release");
}

/* ---- by whom ---------------------------------------------------------------------- */

static void issuer_other(X509 *x)
{
    rename_to(x, true, "another root");
}
/* Equal by RFC 5280, not in bytes. */
static void issuer_in_capitals(X509 *x)
{
    char cn[80];
    X509_NAME_get_text_by_NID(X509_get_issuer_name(x), NID_commonName, cn,
                              (int)sizeof(cn));
    for (char *p = cn; *p; p++)
        if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 'a' + 'A');
    rename_to(x, true, cn);
}
static void authority_other(X509 *x)
{
    flip_at(X509_get_ext(x, X509_get_ext_by_NID(x, NID_authority_key_identifier,
                                                -1)),
            -1);
}
static void builder_other(X509 *x)
{
    flip_at(own_ext(x, CA_OID_BUILDER), -1);
}
static void builder_shorter(X509 *x)
{
    set_value(own_ext(x, CA_OID_BUILDER),
              (const uint8_t *)"\x0c\x07sha256:", 9);
}
static void no_builder(X509 *x)
{
    drop_ext(x, CA_OID_BUILDER);
}
static void environment_other(X509 *x)
{
    flip_at(own_ext(x, CA_OID_ENVIRONMENT), -1);
}
/* By its extension it is what by its name it is not. */
static void simulated_by_half(X509 *x)
{
    static const uint8_t null[] = { 0x05, 0x00 };
    ASN1_OBJECT *o = OBJ_txt2obj(CA_OID_SIMULATED, 1);
    ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(s, null, sizeof(null));
    X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, o, 0, s);
    if (place_of(x, CA_OID_SIMULATED) >= 0)
        drop_ext(x, CA_OID_SIMULATED);
    else
        X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(s);
    ASN1_OBJECT_free(o);
}

/* ---- what it says of the birth ------------------------------------------------------ */

static void other_birth(X509 *x)
{
    flip_context(x, BIRTH);
}
static void other_origin(X509 *x)
{
    flip_context(x, ORIGIN);
}
static void other_policy(X509 *x)
{
    flip_context(x, POLICY);
}
static void other_approvals(X509 *x)
{
    flip_context(x, APPROVALS);
}
static void other_participant(X509 *x)
{
    flip_context(x, PARTICIPANTS);
}
static void other_signers(X509 *x)
{
    flip_context(x, SIGNERS);
}
static void other_threshold(X509 *x)
{
    flip_context(x, THRESHOLD);
}
/* Its session is the second element, after the version. */
static void context_session(X509 *x)
{
    X509_EXTENSION *e = own_ext(x, CA_OID_CONTEXT);
    const ASN1_OCTET_STRING *v = X509_EXTENSION_get_data(e);
    int end[16];
    assert(ends_of(end, ASN1_STRING_get0_data(v), ASN1_STRING_length(v)) > 1);
    flip_at(e, end[1] - 1);
}
static void session_other(X509 *x)
{
    flip_at(own_ext(x, CA_OID_RUN), -1);
}
static void no_context(X509 *x)
{
    drop_ext(x, CA_OID_CONTEXT);
}
static void two_contexts(X509 *x)
{
    X509_EXTENSION *e = X509_EXTENSION_dup(own_ext(x, CA_OID_CONTEXT));
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
}
static void context_critical(X509 *x)
{
    X509_EXTENSION_set_critical(own_ext(x, CA_OID_CONTEXT), 1);
}

/* ---- the rest ----------------------------------------------------------------------- */

/* Fifteen bytes that say nothing: nobody signed them. */
static void promise_of_nobody(X509 *x)
{
    ASN1_OBJECT *o = OBJ_txt2obj(CA_OID_SCT, 1);
    ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(s,
                          (const uint8_t *)"\x04\x0d"
                                           "\x00\x0b\x00\x09whatever!",
                          15);
    X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, o, 0, s);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(s);
    ASN1_OBJECT_free(o);
}
static void promise_comes_first(X509 *x)
{
    promise_of_nobody(x);
    X509_EXTENSION *e = X509_delete_ext(x, X509_get_ext_count(x) - 1);
    X509_add_ext(x, e, 0);
    X509_EXTENSION_free(e);
}
static void serial_short(X509 *x)
{
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
}
static void serial_negative(X509 *x)
{
    X509_get_serialNumber(x)->type = V_ASN1_NEG_INTEGER;
}
static void version_one(X509 *x)
{
    X509_set_version(x, X509_VERSION_1);
}

#define UNBORN "no key was born at index"

/* clang-format off */
const struct lie lies[] = {
    { "ca-true", be_ca, "CA:TRUE", "basicConstraints", NULL },
    { "ca-false", be_no_ca_but_say_so, "CA:FALSE, but there is none in the profile", "basicConstraints", NULL },
    { "other-key", other_key, "another key than the birth's", "subjectPublicKey", NULL },
    { "no-birth", no_birth, "a key that was never born", "subjectPublicKey", UNBORN },
    { "other-birth", other_birth, "another birth index", "context.birth", "born at index|subjectPublicKey|gets no leaf|certificate is null" },
    { "other-participant", other_participant, "another participant", "context.participants", NULL },
    { "other-policy", other_policy, "another policy", "context.policy", NULL },
    { "other-approvals", other_approvals, "other approvals", "context.approvals", NULL },
    { "other-origin", other_origin, "another log", "context.logOrigin", NULL },
    { "other-signers", other_signers, "another count of signers", "context.signers", NULL },
    { "other-threshold", other_threshold, "another threshold", "context.threshold", NULL },
    { "other-session", session_other, "another session", "session uri", NULL },
    { "other-context-session", context_session, "another session in the context", "context.session", NULL },
    { "longer", longer_life, "one second too long", "notAfter", NULL },
    { "a-day", a_day_longer, "a day too long", "notAfter", NULL },
    { "shorter", shorter_life, "one second too short", "notAfter", NULL },
    { "later", later_start, "starts in the future", "notBefore", NULL },
    { "earlier", earlier_start, "starts in the past", "notBefore", NULL },
    { "a-century-ago", start_a_century_ago, "backdated", "notBefore", NULL },
    { "another-extension", another_extension, "an extension nobody knows", "one more extension, nsComment", NULL },
    { "critical-extension", critical_extension, "a critical one", "one more extension, nsComment", NULL },
    { "no-key-usage", no_key_usage, "key usage missing", "keyUsage", NULL },
    { "no-context", no_context, "context missing", "context", "birth of its key is missing" },
    { "no-builder", no_builder, "build signer missing", "build signer", NULL },
    { "two-contexts", two_contexts, "context twice", "one more extension, context", NULL },
    { "san-not-critical", san_not_critical, "critical bit off", "subjectAltName, critical", NULL },
    { "context-critical", context_critical, "critical bit on", "context, critical", NULL },
    { "usage-cert-sign", usage_cert_sign, "may sign certificates", "keyUsage", NULL },
    { "eku-server", eku_server, "a TLS server", "extendedKeyUsage", NULL },
    { "eku-less", eku_less, "fewer uses than the profile's", "extendedKeyUsage", NULL },
    { "eku-any", eku_any, "any use", "extendedKeyUsage", NULL },
    { "san-other", san_other, "another group", "subjectAltName", NULL },
    { "san-more", san_more, "a second name", "subjectAltName", NULL },
    { "issuer-other", issuer_other, "another issuer", "issuer", NULL },
    { "issuer-in-capitals", issuer_in_capitals, "another spelling of the issuer", "issuer", NULL },
    { "authority-other", authority_other, "another issuer's key", "authorityKeyIdentifier", NULL },
    { "subject-given", subject_given, "a subject", "subject", NULL },
    { "builder-other", builder_other, "a measurement the policy does not name", "build signer", NULL },
    { "builder-shorter", builder_shorter, "a build signer without a hash", "build signer", NULL },
    { "environment-other", environment_other, "another kind of hardware", "environment", NULL },
    { "simulated-by-half", simulated_by_half, "simulated by extension or name alone", "subjectAltName", NULL },
    { "promise-of-nobody", promise_of_nobody, "an SCT that is none", "certificate.sct", NULL },
    { "promise-first", promise_comes_first, "an SCT at another place", "certificate.sct", NULL },
    { "serial-short", serial_short, "a serial that can be guessed", "serialNumber", NULL },
    { "serial-negative", serial_negative, "a negative serial", "serialNumber", NULL },
    { "version-one", version_one, "version 1 with extensions", "version", NULL },
};
/* clang-format on */
const unsigned n_lies = sizeof(lies) / sizeof(lies[0]);

const struct lie *lie_find(const char *name)
{
    for (unsigned i = 0; i < n_lies; i++)
        if (strcmp(lies[i].name, name) == 0)
            return &lies[i];
    return NULL;
}
