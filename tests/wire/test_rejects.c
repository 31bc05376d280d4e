/* SPDX-License-Identifier: Apache-2.0 */
/* One row per rule of the decoder, on a small message with every kind. */
#include "test.h"

#include "base/own.h"
#include "wire/codec.h"

struct wire_part {
    uint64_t id;
};
struct wire_toy {
    uint8_t hex[2];
    char str[4];
    uint64_t num;
    bool yes;
    struct wire_blob blob;
    struct wire_text text;
    struct wire_part part;
    WIRE_LIST(struct wire_hash) hashes;
    WIRE_LIST(struct wire_part) parts;
    WIRE_LIST(uint64_t) nums;
};

/* clang-format off */
static const struct wire_row part_rows[] = { U64(part, id, 9), { 0 } };
static const struct wire_table wire_part_table = {
    "part", sizeof(struct wire_part), part_rows
};
static const struct wire_row toy_rows[] = {
    HEX(toy, hex),
    STR(toy, str),
    U64(toy, num, WIRE_MAX_U64),
    BOOL(toy, yes),
    BLOB(toy, blob, 4),
    TEXT(toy, text, 4),
    NEST(toy, part, part),
    HASHES(toy, hashes, 1),
    STRUCTS(toy, parts, 1, 3, part),
    U64S(toy, nums, 2, 5),
    { 0 },
};
static const struct wire_table toy = {
    "toy", sizeof(struct wire_toy), toy_rows
};

#define ZEROS "00000000000000000000000000000000000000000000000000000000000000"
#define HASH "\"" ZEROS "aa\""

static const char *const good[][2] = {
    { "hex", "\"00ff\"" },
    { "str", "\"abc\"" },
    { "num", "9223372036854775807" },
    { "yes", "true" },
    { "blob", "\"AQIDBA\"" },
    { "text", "\"a\\nbc\"" },
    { "part", "{\"id\":9}" },
    { "hashes", "[" HASH "]" },
    { "parts", "[{\"id\":0},{\"id\":1},{\"id\":2}]" },
    { "nums", "[0,5]" },
};
#define N_GOOD (sizeof(good) / sizeof(good[0]))

/* clang-format on */

/* Marks what a peer wrote: no error text may repeat it. */
#define MARK "MARK"

static const struct {
    const char *why;
    const char *key; /* whose value is replaced */
    const char *value;
    const char *says; /* all of the error's text */
} rows[] = {
    { "hex too short", "hex", "\"00f\"",
      "toy.hex: want 4 lower-case hex characters" },
    { "hex too long", "hex", "\"00ff0\"",
      "toy.hex: want 4 lower-case hex characters" },
    { "hex of half the length", "hex", "\"00\"",
      "toy.hex: want 4 lower-case hex characters" },
    { "hex in upper case", "hex", "\"00FF\"",
      "toy.hex: want 4 lower-case hex characters" },
    { "hex with other letters", "hex", "\"00fg\"",
      "toy.hex: want 4 lower-case hex characters" },
    { "hex with a colon", "hex", "\"0:ff\"",
      "toy.hex: want 4 lower-case hex characters" },
    { "hex as a number", "hex", "1234", "toy.hex: want a string" },
    { "str too long", "str", "\"" MARK "\"",
      "toy.str: 4 bytes, want at most 3" },
    { "str with a newline", "str", "\"a\\nb\"",
      "toy.str: want no control characters" },
    { "str with DEL", "str", "\"\x7f\"",
      "toy.str: want no control characters" },
    { "str with escaped NUL", "str", "\"\\u0000\"", "toy: byte 28: not JSON" },
    { "raw newline in a string", "str", "\"\n\"", "toy: byte 21: not JSON" },
    { "str as null", "str", "null", "toy.str: want a string" },
    { "number as a real", "num", "1.0", "toy: byte 32: want an integer" },
    { "number with exponent", "num", "1e2", "toy: byte 32: want an integer" },
    { "number with big exponent", "num", "1E2",
      "toy: byte 32: want an integer" },
    { "number with a word behind", "num", "12" MARK, "toy: byte 38: not JSON" },
    { "number as a string", "num", "\"1\"", "toy.num: want an integer" },
    { "number as true", "num", "true", "toy.num: want an integer" },
    { "negative number", "num", "-1", "toy.num: want 0..9223372036854775807" },
    { "number over 63 bits", "num", "9223372036854775808",
      "toy: byte 51: not JSON" },
    { "number over 64 bits", "num", "99999999999999999999",
      "toy: byte 52: not JSON" },
    { "number of 21 digits", "num", "000000000000000000001",
      "toy: byte 32: over 20 characters" },
    { "number with leading zero", "num", "01", "toy: byte 33: not JSON" },
    { "number with a plus", "num", "+1", "toy: byte 33: not JSON" },
    { "not a number", "num", "NaN", "toy: byte 35: not JSON" },
    { "bool as a number", "yes", "1", "toy.yes: want true or false" },
    { "bool as a string", "yes", "\"true\"", "toy.yes: want true or false" },
    { "word that is not JSON", "yes", MARK, "toy: byte 62: not JSON" },
    { "blob with padding", "blob", "\"AQ==\"",
      "toy.blob: want unpadded base64url" },
    { "blob in the other alphabet", "blob", "\"+/8\"",
      "toy.blob: want unpadded base64url" },
    { "blob of impossible length", "blob", "\"AQIDB\"",
      "toy.blob: want unpadded base64url" },
    { "blob with stray bits", "blob", "\"AR\"",
      "toy.blob: want unpadded base64url" },
    { "blob with a space", "blob", "\"AQ ID\"",
      "toy.blob: want unpadded base64url" },
    { "blob too long", "blob", "\"AQIDBAU\"",
      "toy.blob: 5 bytes, want at most 4" },
    { "blob as an array", "blob", "[]", "toy.blob: want a string" },
    { "text too long", "text", "\"" MARK "5\"",
      "toy.text: 5 bytes, want at most 4" },
    { "text with escaped NUL", "text", "\"\\u0000\"",
      "toy: byte 94: not JSON" },
    { "text with half a surrogate", "text", "\"\\ud800\"",
      "toy: byte 94: not JSON" },
    { "text with no such escape", "text", "\"\\x\"", "toy: byte 89: not JSON" },
    { "text that is not UTF-8", "text", "\"\xff\"", "toy: byte 87: not JSON" },
    { "text with overlong UTF-8", "text", "\"\xc0\x80\"",
      "toy: byte 87: not JSON" },
    { "struct as an array", "part", "[9]", "toy.part: want an object" },
    { "struct as null", "part", "null", "toy.part: want an object" },
    { "struct without its key", "part", "{}", "toy.part.id: missing" },
    { "struct with a foreign key", "part", "{\"id\":1,\"" MARK "\":2}",
      "toy.part: 2 keys, want 1" },
    { "struct with a repeated key", "part", "{\"id\":1,\"id\":1}",
      "toy: byte 113: not JSON" },
    { "key repeated by escapes", "part", "{\"id\":1,\"\\u0069d\":1}",
      "toy: byte 118: not JSON" },
    { "struct with comma at end", "part", "{\"id\":1,}",
      "toy: byte 110: not JSON" },
    { "value over its maximum", "part", "{\"id\":10}",
      "toy.part.id: want 0..9" },
    { "list as an object", "hashes", "{}", "toy.hashes: want an array" },
    { "list as a string", "hashes", HASH, "toy.hashes: want an array" },
    { "list too long", "hashes", "[" HASH "," HASH "]",
      "toy.hashes: 2 elements, want 0..1" },
    { "hash too long", "hashes", "[\"" ZEROS "aabb\"]",
      "toy.hashes[0]: want 64 lower-case hex characters" },
    { "list with comma at end", "nums", "[1,]", "toy: byte 236: not JSON" },
    { "list too short", "parts", "[]", "toy.parts: 0 elements, want 1..3" },
    { "wrong element of a list", "parts", "[{\"id\":0},{\"id\":\"" MARK "\"}]",
      "toy.parts[1].id: want an integer" },
    { "list of other things", "parts", "[1]", "toy.parts[0]: want an object" },
    { "element over its maximum", "nums", "[5,6]", "toy.nums[1]: want 0..5" },
    { "more values than the table", "nums", "[{},{},{},{},{},{}]",
      "toy: byte 236: more values than fit" },
    { "unended string", "nums", "\"" MARK, "toy: byte 238: not JSON" },
    { "unended escape", "nums", "\"" MARK "\\", "toy: byte 239: not JSON" },
};

/* {"hex":…} with the value of `key` replaced; "" drops nothing. */
static size_t toy_text(char *out, size_t cap, const char *key,
                       const char *value)
{
    size_t n = 0;
    for (size_t i = 0; i < N_GOOD; i++) {
        bool this = key && strcmp(good[i][0], key) == 0;
        n += (size_t)snprintf(out + n, cap - n, "%c\"%s\":%s", i ? ',' : '{',
                              good[i][0], this ? value : good[i][1]);
    }
    n += (size_t)snprintf(out + n, cap - n, "}");
    assert_true(n < cap);
    return n;
}

static bool all_zero(const void *p, size_t n)
{
    const uint8_t *b = p;
    while (n && b[n - 1] == 0)
        n--;
    return n == 0;
}

/* From memory of exactly that size, so that a sanitizer sees over-reads. */
static enum rc decode(struct wire_toy *out, const char *json, size_t len)
{
    OWNED_MEM char *exact = malloc(len ? len : 1);
    assert_non_null(exact);
    memcpy(exact, json, len);
    memset(out, 0xa5, sizeof(*out));
    return wire_decode(&toy, out, exact, len);
}

static void refused(const char *why, const char *json, size_t len,
                    const char *says)
{
    struct wire_toy out;
    enum rc rc = decode(&out, json, len);
    if (rc != RC_PARSE)
        fail_msg("%s: %s", why, rc_slug(rc));
    if (!all_zero(&out, sizeof(out)))
        fail_msg("%s: something is left in the struct", why);
    if (strstr(rc_text(), MARK))
        fail_msg("%s: quotes the input: %s", why, rc_text());
    if (strcmp(rc_text(), says) != 0)
        fail_msg("%s: \"%s\", want \"%s\"", why, rc_text(), says);
}

static void the_good_one_decodes(void **state)
{
    (void)state;
    char json[1024];
    struct wire_toy m;
    size_t len = toy_text(json, sizeof(json), NULL, NULL);
    assert_ok(decode(&m, json, len));
    assert_int_equal(m.hex[1], 0xff);
    assert_string_equal(m.str, "abc");
    assert_true(m.num == INT64_MAX);
    assert_true(m.yes);
    assert_memory_equal(m.blob.p, "\1\2\3\4", 4);
    assert_string_equal(m.text.p, "a\nbc");
    assert_int_equal(m.part.id, 9);
    assert_int_equal(m.hashes.at[0].b[31], 0xaa);
    assert_int_equal(m.parts.at[2].id, 2);
    assert_int_equal(m.nums.at[1], 5);
    OWNED_MEM char *again = NULL;
    size_t again_len;
    assert_ok(wire_encode(&toy, &again, &again_len, &m));
    assert_int_equal(again_len, len);
    assert_memory_equal(again, json, len);
    wire_free(&toy, &m);
}

static void one_wrong_value_is_refused_by_its_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char json[1024];
        size_t len = toy_text(json, sizeof(json), rows[i].key, rows[i].value);
        refused(rows[i].why, json, len, rows[i].says);
    }
}

static void whatever_stands_around_the_object_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *why, *before, *after, *says;
        size_t after_len;
    } around[] = {
        { "a second object", "", " {}", "toy: byte 237: not JSON", 3 },
        { "a second after a comma", "", ",{}", "toy: want one object", 3 },
        { "a bracket", "", "]", "toy: byte 236: not JSON", 1 },
        { "brackets like ours", "", "],[0", "toy: byte 237: not JSON", 4 },
        { "an array", "[", "]", "toy: want an object", 1 },
        { "a NUL", "", "\0", "toy: byte 236: not JSON", 1 },
        { "a BOM", "\xef\xbb\xbf", "", "toy: byte 3: not JSON", 0 },
        { "a comment", "/*x*/", "", "toy: byte 1: not JSON", 0 },
    };
    for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
        char json[1024];
        size_t n = strlen(around[i].before);
        memcpy(json, around[i].before, n);
        n += toy_text(json + n, sizeof(json) - n, "nums", "[]");
        memcpy(json + n, around[i].after, around[i].after_len);
        refused(around[i].why, json, n + around[i].after_len, around[i].says);
    }
}

static void what_is_no_object_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *why, *json, *says;
    } other[] = {
        { "nothing", "", "toy: byte 0: not JSON" },
        { "space", " ", "toy: byte 1: not JSON" },
        { "null", "null", "toy: want an object" },
        { "string", "\"" MARK "\"", "toy: want an object" },
        { "number", "12", "toy: want an object" },
        { "array", "[]", "toy: want an object" },
        { "empty object", "{}", "toy.hex: missing" },
        { "comma", ",", "toy: byte 1: not JSON" },
        { "quote", "\"", "toy: byte 1: not JSON" },
        { "backslash", "\\", "toy: byte 1: not JSON" },
    };
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
        refused(other[i].why, other[i].json, strlen(other[i].json),
                other[i].says);
}

static void every_prefix_is_refused(void **state)
{
    (void)state;
    char json[1024];
    size_t len = toy_text(json, sizeof(json), NULL, NULL);
    for (size_t n = 0; n < len; n++) {
        struct wire_toy out;
        assert_rc(decode(&out, json, n), RC_PARSE);
        assert_true(all_zero(&out, sizeof(out)));
    }
}

/* Refused by its length alone: the bytes are not there to be read. */
static void over_64_mib_is_refused_unread(void **state)
{
    (void)state;
    struct wire_toy out;
    assert_rc(wire_decode(&toy, &out, "", (size_t)WIRE_JSON_MAX + 1),
              RC_TOO_LARGE);
    assert_string_equal(rc_text(),
                        "toy: 67108865 bytes, want at most 67108864");
}

/* A tree of this would have a gigabyte; the whole test has little. */
static void a_body_of_small_values_costs_nothing(void **state)
{
    (void)state;
    size_t len = 12 * 1024 * 1024;
    OWNED_MEM char *json = malloc(len);
    assert_non_null(json);
    for (size_t i = 0; i < len; i++)
        json[i] = "{},"[i % 3];
    json[0] = '[';
    refused("many objects", json, len, "toy: byte 32: more values than fit");
    memset(json, '[', len);
    refused("many levels", json, len, "toy: byte 16: nested too deep");
}

/* White space is free, strings of any length come through whole. */
static void long_tokens_and_long_gaps_are_read_right(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 70000; n = n * 3 / 2 + 1) {
        OWNED_MEM char *json = malloc(n + 100);
        assert_non_null(json);
        size_t len = (size_t)sprintf(json, "{\"policy\":\"");
        memset(json + len, 'A', n / 4 * 4);
        len += n / 4 * 4;
        len += (size_t)sprintf(json + len, "\",\"session\":%*s", (int)(n % 50),
                               "");
        WIRE(policy) m;
        assert_rc(wire_policy_decode(&m, json, len), RC_PARSE);
        len += (size_t)sprintf(json + len, "0,\"proof\":[]}");
        assert_rc(wire_policy_decode(&m, json, len), RC_PARSE);
        assert_string_equal(rc_text(), "policy.session: want an object");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_good_one_decodes),
        cmocka_unit_test(one_wrong_value_is_refused_by_its_rule),
        cmocka_unit_test(whatever_stands_around_the_object_is_refused),
        cmocka_unit_test(what_is_no_object_is_refused),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(over_64_mib_is_refused_unread),
        cmocka_unit_test(a_body_of_small_values_costs_nothing),
        cmocka_unit_test(long_tokens_and_long_gaps_are_read_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
