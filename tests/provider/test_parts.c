/* SPDX-License-Identifier: Apache-2.0 */
/* URIs and HTTP replies, without OpenSSL. */
#include "test.h"

#include <sys/socket.h>

#include "base/clock.h"
#include "provider/inner.h"

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void uris_are_parsed_or_refused(void **state)
{
    static const struct {
        const char *uri;
        enum rc rc;
        const char *why;
    } cases[] = {
        { "mpc:release", RC_OK, "plain" },
        { "MPC:release", RC_OK, "schemes have no case" },
        { "mpc:a.b_c-9", RC_OK, "whole alphabet" },
        { "mpc:release?session=" HEX64, RC_OK, "with session" },
        { "mpc:", RC_PARSE, "no name" },
        { "mpc:?session=" HEX64, RC_PARSE, "no name, a session" },
        { "mpc://release", RC_PARSE, "an authority" },
        { "mpc:Release", RC_PARSE, "upper case" },
        { "mpc:re%6cease", RC_PARSE, "escapes" },
        { "mpc:release ", RC_PARSE, "a space would end the request line" },
        { "mpc:release?", RC_PARSE, "empty parameter" },
        { "mpc:release?slot=raw", RC_PARSE, "unknown parameter" },
        { "mpc:release?session=00", RC_PARSE, "short session" },
        { "mpc:release?session=" HEX64 "0", RC_PARSE, "long session" },
        { "mpc:release?session=" HEX64 "&session=" HEX64, RC_PARSE, "twice" },
        { "mpc:release?session=" HEX64 "&", RC_PARSE, "empty second" },
        { "file:release", RC_PARSE, "another scheme" },
        { "mpc:" HEX64, RC_OK, "64 characters" },
        { "mpc:" HEX64 "0", RC_PARSE, "65 characters" },
    };
    (void)state;
    unsetenv("MPC_SESSION");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct prov_uri u;
        enum rc rc = prov_uri_parse(&u, cases[i].uri);
        if (rc != cases[i].rc)
            fail_msg("%s (%s): %s", cases[i].uri, cases[i].why, rc_text());
        if (rc != RC_OK)
            assert_string_not_equal(rc_hint_text(), "");
    }
}

static void session_of_the_uri_wins_over_the_environment(void **state)
{
    static const char other[] = HEX64;
    char mine[65];
    struct prov_uri u;
    (void)state;
    memset(mine, 'a', 64);
    mine[64] = '\0';
    setenv("MPC_SESSION", mine, 1);
    assert_ok(prov_uri_parse(&u, "mpc:release"));
    assert_string_equal(u.session, mine);
    assert_ok(prov_uri_parse(&u, "mpc:release?session=" HEX64));
    assert_string_equal(u.session, other);
    setenv("MPC_SESSION", "nonsense", 1);
    assert_rc(prov_uri_parse(&u, "mpc:release"), RC_PARSE);
    assert_non_null(strstr(rc_text(), "MPC_SESSION"));
    assert_non_null(strstr(rc_hint_text(), "unset it"));
    setenv("MPC_SESSION", "", 1);
    assert_ok(prov_uri_parse(&u, "mpc:release"));
    assert_string_equal(u.session, "");
    unsetenv("MPC_SESSION");
}

static void replies_are_read_or_refused(void **state)
{
#define S(status) "HTTP/1.1 " status "\r\n"
#define L(n)      "Content-Length: " n "\r\n"
    static const struct {
        const char *bytes;
        enum rc rc;
        const char *why;
    } cases[] = {
        { S("200 OK") L("2") "\r\nok", RC_OK, "plain" },
        { S("200") L("2") "\r\nok", RC_OK, "no reason phrase" },
        { S("200 OK") "content-length:\t2 \r\n\r\nok", RC_OK, "any case" },
        { S("404 x") L("0") "\r\n", RC_OK, "empty body" },
        { "HTTP/1.0 200 OK\r\n" L("2") "\r\nok", RC_PARSE, "version" },
        { S("20x OK") L("2") "\r\nok", RC_PARSE, "status" },
        { S("2000") L("2") "\r\nok", RC_PARSE, "four digits" },
        { S("100 Continue") L("0") "\r\n", RC_PARSE, "interim" },
        { S("200 OK") "\r\nok", RC_PARSE, "no length" },
        { S("200 OK") L("2") L("2") "\r\nok", RC_PARSE, "two lengths" },
        { S("200 OK") L("-2") "\r\nok", RC_PARSE, "sign" },
        { S("200 OK") L("02") "\r\nok", RC_PARSE, "leading zero" },
        { S("200 OK") L("0x2") "\r\nok", RC_PARSE, "hex" },
        { S("200 OK") L("99999999999999999999") "\r\n", RC_PARSE, "overflow" },
        { S("200 OK") L("65") "\r\n", RC_TOO_LARGE, "over the maximum" },
        { S("200 OK") L("2") "\r\nokk", RC_PARSE, "bytes left over" },
        { S("200 OK") L("3") "\r\nok", RC_UNREACHABLE, "cut body" },
        { S("200 OK") L("3"), RC_UNREACHABLE, "cut head" },
        { "", RC_UNREACHABLE, "nothing" },
        { S("200 OK") "Transfer-Encoding: chunked\r\n" L("2") "\r\nok",
          RC_PARSE, "chunked" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd[2], status;
        struct prov_reply r = { 0 };
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
        ssize_t len = (ssize_t)strlen(cases[i].bytes);
        assert_int_equal(write(fd[1], cases[i].bytes, (size_t)len), len);
        close(fd[1]);
        enum rc rc = prov_reply_read(&r, &status, fd[0], 64,
                                     clock_mono_ms() + 10000);
        close(fd[0]);
        if (rc != cases[i].rc)
            fail_msg("%s: %s %s", cases[i].why, rc_slug(rc), rc_text());
        if (rc == RC_OK)
            free(r.body);
        else
            assert_null(r.body);
    }
}

static void a_head_without_end_is_refused(void **state)
{
    (void)state;
    static char line[16384];
    int fd[2], status;
    struct prov_reply r = { 0 };
    memset(line, 'a', sizeof(line));
    memcpy(line, "HTTP/1.1 200 OK\r\n", 17);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    assert_int_equal(write(fd[1], line, sizeof(line)), sizeof(line));
    assert_rc(prov_reply_read(&r, &status, fd[0], 64, clock_mono_ms() + 10000),
              RC_PARSE);
    close(fd[0]);
    close(fd[1]);
}

static void copies_of_a_message_part_when_one_is_written(void **state)
{
    (void)state;
    size_t len;
    struct prov_message *a = prov_message_new();
    assert_ok(prov_message_add(&a, "one", 3));
    struct prov_message *b = prov_message_ref(a);
    assert_ptr_equal(prov_message_get(a, &len), prov_message_get(b, &len));
    assert_ok(prov_message_add(&b, "two", 3));
    assert_memory_equal(prov_message_get(a, &len), "one", 3);
    assert_int_equal(len, 3);
    assert_memory_equal(prov_message_get(b, &len), "onetwo", 6);
    assert_int_equal(len, 6);
    prov_message_free(a);
    assert_ok(prov_message_add(&b, "", 0));
    prov_message_free(b);
}

#define OID "\x06\x0a\x2b\x06\x01\x04\x01\x81\xfd\x59\x01\x01"

/* One encoding each, and nothing beside the text. */
static void pkcs8_is_ours_exactly_or_not_at_all(void **state)
{
    static const struct {
        const char *der;
        size_t len;
        bool ours;
        enum rc rc;
        const char *why;
    } cases[] = {
#define D(bytes) bytes, sizeof(bytes) - 1
        { D("\x30\x14\x02\x01\x00\x30\x0c" OID "\x04\x01x"), true, RC_OK,
          "plain" },
        { D("\x30\x16\x02\x01\x00\x30\x0e" OID "\x05\x00\x04\x01x"), true,
          RC_PARSE, "parameters" },
        { D("\x30\x16\x02\x01\x00\x30\x0c" OID "\x04\x01x\xa0\x00"), true,
          RC_PARSE, "attributes" },
        { D("\x30\x11\x02\x01\x00\x30\x0c" OID), true, RC_PARSE, "no key" },
        { D("\x30\x14\x02\x01\x01\x30\x0c" OID "\x04\x01x"), false, RC_PARSE,
          "version 1" },
        { D("\x30\x14\x02\x01\x00\x30\x0c" OID "\x04\x01x!"), false, RC_PARSE,
          "a byte after it" },
        { D("\x30\x14\x02\x01\x00\x30\x0c" OID "\x04\x02x"), true, RC_PARSE,
          "a text over its end" },
        { D("\x30\x81\x14\x02\x01\x00\x30\x0c" OID "\x04\x01x"), false,
          RC_PARSE, "a length that could be shorter" },
        { D("\x30\x80\x02\x01\x00\x30\x0c" OID "\x04\x01x\x00\x00"), false,
          RC_PARSE, "no length" },
        { D("\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70"), false,
          RC_PARSE, "Ed25519" },
        { D(""), false, RC_PARSE, "nothing" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const uint8_t *der = (const uint8_t *)cases[i].der;
        const char *text = NULL;
        size_t len = 0;
        if (prov_pkcs8_is_ours(der, cases[i].len) != cases[i].ours)
            fail_msg("%s: ours?", cases[i].why);
        if (prov_pkcs8_text(&text, &len, der, cases[i].len) != cases[i].rc)
            fail_msg("%s: %s", cases[i].why, rc_text());
        if (cases[i].rc == RC_OK)
            assert_true(len == 1 && text[0] == 'x');
    }
}

static void references_have_a_length_and_no_nul(void **state)
{
    static char endless[PROV_REF_MAX + 1];
    struct prov_uri uri;
    (void)state;
    memset(endless, 'a', sizeof(endless));
    memcpy(endless, "mpc:", 4);
    assert_rc(prov_ref_parse(&uri, endless, sizeof(endless)), RC_TOO_LARGE);
    assert_string_not_equal(rc_hint_text(), "");
    assert_rc(prov_ref_parse(&uri, "mpc:a\0b", 7), RC_PARSE);
    assert_non_null(strstr(rc_text(), "NUL"));
    assert_rc(prov_ref_parse(&uri, "mpc:a\n", 6), RC_PARSE);
    assert_ok(prov_ref_parse(&uri, "mpc:abc", 5)); /* need not end with NUL */
    assert_string_equal(uri.name, "a");
}

/* One function of the signature table, by its number. */
static void (*entry(int id))(void)
{
    for (const OSSL_DISPATCH *d = prov_signature; d->function_id; d++)
        if (d->function_id == id)
            return d->function;
    fail_msg("signature function %d is missing", id);
    return NULL;
}

/* libcrypto may pass any of these; "" and "UNDEF" only from its own code. */
static void every_name_of_its_own_digest_is_taken(void **state)
{
    static const struct {
        const char *digest;
        int want;
    } cases[] = {
        { NULL, 1 },      { "", 1 },
        { "UNDEF", 1 },   { "SHA512", 1 },
        { "sha512", 1 },  { "SHA2-512", 1 },
        { "SHA-512", 1 }, { "2.16.840.1.101.3.4.2.3", 1 },
        { "SHA256", 0 },  { "SHA512-256", 0 },
        { "SHA512 ", 0 },
    };
    struct prov p = { 0 };
    (void)state;
    OSSL_FUNC_signature_newctx_fn *new_ctx = (OSSL_FUNC_signature_newctx_fn *)
            entry(OSSL_FUNC_SIGNATURE_NEWCTX);
    OSSL_FUNC_signature_freectx_fn *free_ctx =
            (OSSL_FUNC_signature_freectx_fn *)entry(
                    OSSL_FUNC_SIGNATURE_FREECTX);
    OSSL_FUNC_signature_digest_sign_init_fn *init =
            (OSSL_FUNC_signature_digest_sign_init_fn *)entry(
                    OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT);
    struct prov_key *key = prov_key_new(&p);
    key->has_public = key->signs = true;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        void *ctx = new_ctx(&p, NULL);
        if (init(ctx, cases[i].digest, key, NULL) != cases[i].want)
            fail_msg("digest \"%s\"", cases[i].digest);
        free_ctx(ctx);
    }
    prov_key_free(key);
}

/* ---- allocations that fail ----------------------------------------------- */

static int fail_after = -1; /* allocations that still succeed; -1: all */

static bool fails_now(void)
{
    return fail_after >= 0 && fail_after-- == 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return fails_now() ? NULL : __real_realloc(p, size);
}

static enum rc build_a_message(void)
{
    struct prov_message *a = prov_message_new();
    if (!a)
        return RC_NOMEM;
    struct prov_message *b = prov_message_ref(a);
    enum rc rc = prov_message_add(&a, "one", 3);
    if (rc == RC_OK)
        rc = prov_message_add(&b, "two", 3);
    static const uint8_t many[1000];
    if (rc == RC_OK)
        rc = prov_message_add(&b, many, sizeof(many));
    prov_message_free(a);
    prov_message_free(b);
    return rc;
}

static enum rc read_a_reply(void)
{
    static const char bytes[] = S("200 OK") L("2") "\r\nok";
    int fd[2], status;
    struct prov_reply r = { 0 };
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    assert_int_equal(write(fd[1], bytes, sizeof(bytes) - 1), sizeof(bytes) - 1);
    close(fd[1]);
    enum rc rc = prov_reply_read(&r, &status, fd[0], 64,
                                 clock_mono_ms() + 10000);
    close(fd[0]);
    free(r.body);
    return rc;
}

static enum rc split_a_key(void)
{
    struct prov p = { 0 };
    struct prov_key *k = prov_key_new(&p);
    struct prov_key *pub = k ? prov_key_public(k) : NULL;
    prov_key_free(pub);
    prov_key_free(k);
    return pub ? RC_OK : RC_NOMEM;
}

static enum rc keep_evidence(void)
{
    struct prov p = { 0 };
    const struct wire_signed s = { .attempt = 1 };
    struct prov_evidence *e = NULL;
    struct prov_key *k = prov_key_new(&p);
    if (!k)
        return RC_NOMEM;
    enum rc rc = prov_evidence_begin(&e, &p);
    if (rc == RC_OK)
        rc = prov_evidence_end(e, k, &s);
    prov_key_free(k);
    return rc;
}

static void every_failed_allocation_is_told_and_leaks_nothing(void **state)
{
    static const struct {
        enum rc (*run)(void);
        int allocations;
    } cases[] = { { build_a_message, 5 },
                  { read_a_reply, 2 },
                  { split_a_key, 2 },
                  { keep_evidence, 2 } };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int n = 0; n < cases[i].allocations; n++) {
            fail_after = n;
            enum rc rc = cases[i].run();
            fail_after = -1;
            if (rc != RC_NOMEM)
                fail_msg("case %zu, allocation %d: %s", i, n, rc_slug(rc));
        }
        fail_after = cases[i].allocations;
        enum rc rc = cases[i].run();
        int left = fail_after;
        fail_after = -1;
        assert_int_equal(rc, RC_OK);
        assert_int_equal(left, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uris_are_parsed_or_refused),
        cmocka_unit_test(session_of_the_uri_wins_over_the_environment),
        cmocka_unit_test(replies_are_read_or_refused),
        cmocka_unit_test(a_head_without_end_is_refused),
        cmocka_unit_test(copies_of_a_message_part_when_one_is_written),
        cmocka_unit_test(every_failed_allocation_is_told_and_leaks_nothing),
        cmocka_unit_test(every_name_of_its_own_digest_is_taken),
        cmocka_unit_test(pkcs8_is_ours_exactly_or_not_at_all),
        cmocka_unit_test(references_have_a_length_and_no_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
