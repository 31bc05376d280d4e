/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "http/http.h"

static void frame_comes_back_whole(void **state)
{
    (void)state;
    uint8_t *buf;
    size_t len;
    assert_ok(http_frame(&buf, &len, "{}", 2, "\0raw", 4));
    assert_int_equal(len, 10);
    assert_memory_equal(buf, "\0\0\0\2{}\0raw", 10);
    const char *json;
    const uint8_t *raw;
    size_t json_len;
    size_t raw_len;
    assert_ok(http_unframe(&json, &json_len, &raw, &raw_len, buf, len));
    assert_int_equal(json_len, 2);
    assert_memory_equal(json, "{}", 2);
    assert_int_equal(raw_len, 4);
    assert_memory_equal(raw, "\0raw", 4);
    free(buf);
}

static void frame_without_a_message_is_fine(void **state)
{
    (void)state;
    uint8_t *buf;
    size_t len;
    assert_ok(http_frame(&buf, &len, "{}", 2, NULL, 0));
    const char *json;
    const uint8_t *raw;
    size_t json_len;
    size_t raw_len;
    assert_ok(http_unframe(&json, &json_len, &raw, &raw_len, buf, len));
    assert_int_equal(raw_len, 0);
    free(buf);
}

static void short_frames_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *body;
        size_t len;
    } cases[] = {
        { "nothing at all", "", 0 },
        { "half a length", "\0\0\0", 3 },
        { "a length beyond the end", "\0\0\0\3{}", 6 },
        { "the longest length", "\xff\xff\xff\xff{}", 6 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *json = NULL;
        const uint8_t *raw = NULL;
        size_t json_len = 7;
        size_t raw_len = 7;
        if (http_unframe(&json, &json_len, &raw, &raw_len, cases[i].body,
                         cases[i].len) != RC_PARSE)
            fail_msg("accepted: %s", cases[i].why);
        assert_null(json);
        assert_int_equal(json_len, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame_comes_back_whole),
        cmocka_unit_test(frame_without_a_message_is_fine),
        cmocka_unit_test(short_frames_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
