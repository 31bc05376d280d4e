/* SPDX-License-Identifier: Apache-2.0 */
/* Who may ask the page, and how often. */
#include "test.h"

#include "page/inner.h"

static void only_our_own_names_are_served(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *origin;
        const char *host;
        bool ok;
    } cases[] = {
        { "localhost with a port", "", "localhost:8443", true },
        { "localhost alone", "", "localhost", true },
        { "an address of this machine", "", "127.0.0.1:1", true },
        { "the same in IPv6", "", "[::1]:8443", true },
        { "a name that was made to point here", "", "evil.test:8443", false },
        { "a name that begins like ours", "", "localhost.evil.test", false },
        { "no Host at all", "", NULL, false },
        { "an empty Host", "", "", false },
        { "the configured origin", "https://a.test:8443", "a.test:8443", true },
        { "its name at another port", "https://a.test:8443", "a.test", false },
        { "localhost behind a configured origin", "https://a.test",
          "localhost:80", true },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        enum rc rc = page_host_check(cases[i].origin, cases[i].host);
        if (rc != (cases[i].ok ? RC_OK : RC_AUTH))
            fail_msg("%s: %s", cases[i].why, rc_slug(rc));
    }
}

static void only_our_own_page_may_post(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *host;
        const char *origin;
        const char *type;
        enum rc want;
    } cases[] = {
        { "our page", "a.test", "https://a.test", "application/json", RC_OK },
        { "with a charset", "a.test", "http://a.test",
          "application/json; charset=utf-8", RC_OK },
        { "no browser", "a.test", NULL, "application/json", RC_OK },
        { "another page", "a.test", "https://b.test", "application/json",
          RC_AUTH },
        { "a sandboxed page", "a.test", "null", "application/json", RC_AUTH },
        { "our name at another port", "a.test", "https://a.test:1",
          "application/json", RC_AUTH },
        { "a form's kind", "a.test", "https://a.test", "text/plain", RC_ARG },
        { "no kind", "a.test", "https://a.test", NULL, RC_ARG },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        enum rc rc = page_post_check(cases[i].host, cases[i].origin,
                                     cases[i].type);
        if (rc != cases[i].want)
            fail_msg("%s: %s", cases[i].why, rc_slug(rc));
    }
}

static void an_origin_is_scheme_host_and_port(void **state)
{
    (void)state;
    assert_ok(page_origin_check("https://sign.example.org"));
    assert_ok(page_origin_check("http://localhost:8443"));
    assert_rc(page_origin_check("https://sign.example.org/"), RC_ARG);
    assert_rc(page_origin_check("https://Sign.example.org"), RC_ARG);
    assert_rc(page_origin_check("https://"), RC_ARG);
    assert_rc(page_origin_check("sign.example.org"), RC_ARG);
    assert_rc(page_origin_check("javascript:x"), RC_ARG);
}

static void an_id_is_64_digits(void **state)
{
    (void)state;
    char id[80];
    memset(id, 'a', 64);
    id[64] = '\0';
    assert_true(page_is_id(id, ""));
    assert_false(page_is_id(id, "/state"));
    assert_false(page_is_id(id + 1, ""));
    assert_false(page_is_id("", ""));
    strcat(id, "/state");
    assert_true(page_is_id(id, "/state"));
    id[3] = '/';
    assert_false(page_is_id(id, "/state"));
}

static void take(struct page_quota *q, const uint8_t addr[16], int64_t at,
                 unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        assert_ok(page_quota_take(q, addr, at));
}

static void one_address_cannot_use_up_anothers_posts(void **state)
{
    (void)state;
    struct page_quota q = { PAGE_POST_PER_S,
                            PAGE_POST_BURST,
                            { { .used = false } } };
    uint8_t a[16] = { [10] = 0xff, [11] = 0xff, [15] = 1 };
    uint8_t b[16] = { [10] = 0xff, [11] = 0xff, [15] = 2 };
    take(&q, a, 1000, PAGE_POST_BURST);
    assert_rc(page_quota_take(&q, a, 1000), RC_NOMEM);
    take(&q, b, 1000, PAGE_POST_BURST);
    /* and after a second there are some again */
    take(&q, a, 2000, PAGE_POST_PER_S);
    assert_rc(page_quota_take(&q, a, 2000), RC_NOMEM);
    take(&q, a, INT64_MAX / 4, PAGE_POST_BURST); /* after a very long night */
    assert_rc(page_quota_take(&q, a, INT64_MAX / 4), RC_NOMEM);
}

static void a_whole_ipv6_network_is_one_address(void **state)
{
    (void)state;
    struct page_quota q = { PAGE_POST_PER_S,
                            PAGE_POST_BURST,
                            { { .used = false } } };
    uint8_t addr[16] = { 0x20, 0x01, 0x0d, 0xb8 };
    for (unsigned i = 0; i < PAGE_POST_BURST; i++) {
        addr[15] = (uint8_t)i;
        assert_ok(page_quota_take(&q, addr, 1));
    }
    assert_rc(page_quota_take(&q, addr, 1), RC_NOMEM);
    addr[7] = 1;
    assert_ok(page_quota_take(&q, addr, 1));
}

static void a_full_table_forgets_the_quietest(void **state)
{
    (void)state;
    struct page_quota q = { PAGE_POST_PER_S,
                            PAGE_POST_BURST,
                            { { .used = false } } };
    uint8_t addr[16] = { [10] = 0xff, [11] = 0xff };
    for (unsigned i = 0; i < PAGE_QUOTA_PLACES; i++) {
        addr[14] = (uint8_t)(i >> 8);
        addr[15] = (uint8_t)i;
        take(&q, addr, (int64_t)i, i == 0 ? 1 : PAGE_POST_BURST);
    }
    addr[13] = 9; /* a newcomer takes the place of the first */
    take(&q, addr, PAGE_QUOTA_PLACES, PAGE_POST_BURST);
    addr[13] = 0;
    addr[14] = 0;
    addr[15] = PAGE_QUOTA_PLACES - 1; /* the busiest is still remembered */
    assert_rc(page_quota_take(&q, addr, PAGE_QUOTA_PLACES), RC_NOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_our_own_names_are_served),
        cmocka_unit_test(only_our_own_page_may_post),
        cmocka_unit_test(an_origin_is_scheme_host_and_port),
        cmocka_unit_test(an_id_is_64_digits),
        cmocka_unit_test(one_address_cannot_use_up_anothers_posts),
        cmocka_unit_test(a_whole_ipv6_network_is_one_address),
        cmocka_unit_test(a_full_table_forgets_the_quietest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
