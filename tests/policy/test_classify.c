/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "messages.h"

#include <openssl/err.h>

#include "policy/policy.h"

#define SERVER "TLS 1.3, server CertificateVerify"
#define CLIENT "TLS 1.3, client CertificateVerify"

/* Classified, or "refused" as -1. */
static int class_of(const struct msg *m)
{
    enum policy_kind kind = POLICY__KINDS;
    enum rc rc = policy_classify(&kind, m->b, m->len);
    if (rc == RC_OK)
        return (int)kind;
    assert_int_equal(rc, RC_POLICY);
    assert_int_equal(kind, POLICY__KINDS);
    return -1;
}

struct case_ {
    const char *name;
    struct msg m;
    enum policy_kind kind;
};

static unsigned real_messages(struct case_ *out)
{
    struct msg cert_request;
    struct msg cmp = msg_cmp(&cert_request);
    const struct case_ all[] = {
        { "TBSCertificate", msg_tbs("release"), POLICY_X509 },
        { "CertificationRequestInfo", msg_csr("release"), POLICY_X509 },
        { "TBSCertList", msg_crl(), POLICY_X509 },
        { "ResponseData", msg_ocsp_response(), POLICY_OCSP },
        { "TBSRequest", msg_ocsp_request(), POLICY_OCSP },
        { "ProtectedPart", cmp, POLICY_CMP },
        { "CertRequest", cert_request, POLICY_CMP },
        { "SignedAttributes", msg_cms("app", 3), POLICY_CMS },
        { "PAE", msg_dsse("text/plain", "hello"), POLICY_DSSE },
        { "PAE of nothing", msg_dsse("", ""), POLICY_DSSE },
        { "TLS 1.3 server, SHA-256", msg_tls13(SERVER, 32), POLICY_TLS13 },
        { "TLS 1.3 server, SHA-384", msg_tls13(SERVER, 48), POLICY_TLS13 },
        { "TLS 1.3 client", msg_tls13(CLIENT, 32), POLICY_TLS13 },
        { "TLS 1.2 params", msg_tls12(), POLICY_TLS12 },
        { "TLS 1.2 handshake", msg_tls12_transcript(), POLICY_TLS12 },
    };
    memcpy(out, all, sizeof(all));
    return sizeof(all) / sizeof(all[0]);
}

#define CASES_MAX 16

static void real_messages_are_known(void **state)
{
    (void)state;
    struct case_ *c = calloc(CASES_MAX, sizeof(*c));
    unsigned n = real_messages(c);
    for (unsigned i = 0; i < n; i++)
        if (class_of(&c[i].m) != (int)c[i].kind)
            fail_msg("%s is %d, want %d", c[i].name, class_of(&c[i].m),
                     (int)c[i].kind);
    free(c);
}

static void a_byte_more_or_less_is_not_the_message(void **state)
{
    (void)state;
    struct case_ *c = calloc(CASES_MAX, sizeof(*c));
    unsigned n = real_messages(c);
    for (unsigned i = 0; i < n; i++) {
        struct msg m = c[i].m;
        m.len++;
        if (class_of(&m) == (int)c[i].kind)
            fail_msg("%s and a byte is still that", c[i].name);
        m.len -= 2;
        if (class_of(&m) == (int)c[i].kind)
            fail_msg("%s without its last byte is still that", c[i].name);
    }
    free(c);
}

/* No flipped bit crashes, or makes one kind into a second allowed one. */
static void a_flipped_bit_never_changes_the_kind(void **state)
{
    (void)state;
    struct case_ *c = calloc(CASES_MAX, sizeof(*c));
    unsigned n = real_messages(c);
    for (unsigned i = 0; i < n; i++)
        for (size_t at = 0; at < c[i].m.len; at++) {
            struct msg m = c[i].m;
            m.b[at] ^= 1;
            int kind = class_of(&m);
            if (kind != (int)c[i].kind && kind != POLICY_RAW && kind != -1)
                fail_msg("%s, byte %zu: now %d", c[i].name, at, kind);
        }
    free(c);
}

static void files_are_raw(void **state)
{
    (void)state;
    static const uint8_t gzip[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0 };
    static const uint8_t set[] = { 0x31, 0 };
    static const uint8_t numbers[] = { 0x31, 6, 2, 1, 1, 2, 1, 2 };
    static const uint8_t script[] = "0123 starts like a SEQUENCE";
    struct msg spaces = msg_tls13("", 0);
    memset(spaces.b, ' ', 200);
    spaces.len = 200;
    const struct msg raw[] = {
        msg_text(gzip, sizeof(gzip)),
        msg_text("", 0),
        msg_text("hello\n", 6),
        msg_text(set, sizeof(set)),
        msg_text(numbers, sizeof(numbers)),
        msg_text(script, sizeof(script)),
        msg_text("DSSEv2 1 a 1 b", 14),
        msg_text("{\"payload\":1}", 13),
        msg_text("D", 1),
        msg_text("0", 1),
        spaces,
        msg_whole_cert(), /* signed already: a file like others */
    };
    for (size_t i = 0; i < sizeof(raw) / sizeof(raw[0]); i++)
        if (class_of(&raw[i]) != POLICY_RAW)
            fail_msg("file %zu is %d", i, class_of(&raw[i]));
}

static void a_tarball_of_megabytes_is_raw(void **state)
{
    (void)state;
    size_t len = 3 * 1024 * 1024;
    uint8_t *big = malloc(len);
    assert_non_null(big);
    for (size_t i = 0; i < len; i++)
        big[i] = (uint8_t)(i * 2654435761u >> 13);
    for (unsigned first = 0; first < 256; first++) {
        enum policy_kind kind;
        big[0] = (uint8_t)first;
        assert_ok(policy_classify(&kind, big, len));
        assert_int_equal(kind, POLICY_RAW);
    }
    free(big);
}

static void what_is_almost_a_message_is_not_signed(void **state)
{
    (void)state;
    static const char *const dsse[] = {
        "DSSEv1 ",
        "DSSEv1 1 a 1 ",
        "DSSEv1 1 a 1 bc",
        "DSSEv1 01 a 1 b",
        "DSSEv1 2 a 1 b",
        "DSSEv1 1 a 1",
        "DSSEv1 +1 a 1 b",
        "DSSEv1 1  a 1 b",
        "DSSEv1 1 a -1 b",
        "DSSEv1 99999999999999999999 a 1 b",
        "DSSEv1 18446744073709551615 a 1 b",
        "DSSEv1 9223372036854775807 a 1 b",
    };
    for (size_t i = 0; i < sizeof(dsse) / sizeof(dsse[0]); i++) {
        struct msg m = msg_text(dsse[i], strlen(dsse[i]));
        if (class_of(&m) != -1)
            fail_msg("%s: %d", dsse[i], class_of(&m));
    }
    const struct msg tls[] = {
        msg_tls13("TLS, server delegated credentials", 200),
        msg_tls13("Exported Authenticator", 32),
        msg_tls13("TLS 1.3, server CertificateVerif", 32),
        msg_tls13("TLS 1.3, server CertificateVerifY", 32),
        msg_tls13(SERVER, 33),
        msg_tls13(SERVER, 0),
    };
    for (size_t i = 0; i < sizeof(tls) / sizeof(tls[0]); i++)
        if (class_of(&tls[i]) != -1)
            fail_msg("context %zu: %d", i, class_of(&tls[i]));
}

static void what_is_two_messages_is_not_signed(void **state)
{
    (void)state;
    char body[90];
    memset(body, 'b', 89);
    body[89] = 0;
    struct msg m = msg_dsse("t", body);
    assert_int_equal(class_of(&m), POLICY_DSSE);
    m.b[64] = 3; /* named_curve, group, the rest one point */
    m.b[65] = 0;
    m.b[67] = (uint8_t)(m.len - 68);
    assert_int_equal(class_of(&m), -1);
    assert_non_null(strstr(rc_text(), "dsse and as tls12"));
}

static void openssl_keeps_no_errors_of_it(void **state)
{
    (void)state;
    struct msg m = msg_text("0\x03\x02\x01\x01", 5);
    ERR_clear_error();
    ERR_raise(ERR_LIB_USER, 1); /* the caller's own stays */
    assert_int_equal(class_of(&m), POLICY_RAW);
    assert_int_equal(ERR_GET_LIB(ERR_get_error()), ERR_LIB_USER);
    assert_int_equal(ERR_get_error(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_messages_are_known),
        cmocka_unit_test(a_byte_more_or_less_is_not_the_message),
        cmocka_unit_test(a_flipped_bit_never_changes_the_kind),
        cmocka_unit_test(files_are_raw),
        cmocka_unit_test(a_tarball_of_megabytes_is_raw),
        cmocka_unit_test(what_is_almost_a_message_is_not_signed),
        cmocka_unit_test(what_is_two_messages_is_not_signed),
        cmocka_unit_test(openssl_keeps_no_errors_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
