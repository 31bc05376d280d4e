/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for every message, by its table. */
#include "test.h"

#include <jansson.h>

#include "base/own.h"
#include "fill.h"
#include "messages.h"

OWNED_BY(json_t, json_decref);

static const struct fill small = { 2, 40 };

/* Encode, decode, encode: the same bytes; and decode gives the same members */
static void round_trip(const struct message *msg, const void *m)
{
    OWNED_MEM char *first = NULL;
    OWNED_MEM char *second = NULL;
    OWNED_MEM void *back = malloc(msg->table->size);
    size_t first_len, second_len;
    assert_non_null(back);
    memset(back, 0xa5, msg->table->size);
    assert_ok(msg->encode(&first, &first_len, m));
    assert_int_equal(strlen(first), first_len);
    assert_ok(msg->decode(back, first, first_len));
    assert_ok(msg->encode(&second, &second_len, back));
    assert_int_equal(first_len, second_len);
    assert_memory_equal(first, second, first_len);
    msg->free(back);
}

static void round_trip_all(const struct fill *how)
{
    for (size_t i = 0; i < N_MESSAGES; i++) {
        OWNED_MEM void *m = calloc(1, messages[i].table->size);
        assert_non_null(m);
        fill(messages[i].table, m, how);
        round_trip(&messages[i], m);
        messages[i].free(m);
    }
}

static void messages_round_trip_with_all_lists_full(void **state)
{
    (void)state;
    round_trip_all(&(struct fill){ SIZE_MAX, 5 });
}

static void messages_round_trip_with_all_bytes_full(void **state)
{
    (void)state;
    round_trip_all(&(struct fill){ 2, SIZE_MAX });
}

static void messages_round_trip_with_any_length_of_bytes(void **state)
{
    (void)state;
    for (size_t n = 0; n < 130; n++)
        round_trip_all(&(struct fill){ 1, n });
}

static bool wants_elements(const struct wire_table *t)
{
    for (const struct wire_row *row = t->rows; row->name; row++)
        if (row->min > 0)
            return true;
    return false;
}

/* A zeroed struct is a message: empty lists are [], empty texts "". */
static void zeroed_messages_round_trip_where_lists_may_be_empty(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_MESSAGES; i++) {
        OWNED_MEM void *m = calloc(1, messages[i].table->size);
        OWNED_MEM char *json = NULL;
        size_t len;
        assert_non_null(m);
        if (wants_elements(messages[i].table))
            assert_rc(messages[i].encode(&json, &len, m), RC_ARG);
        else
            round_trip(&messages[i], m);
    }
}

/* ---- tables -------------------------------------------------------------- */

static size_t width(const struct wire_row *row)
{
    return row->item ? sizeof(struct wire_any_list) : row->size;
}

/*
 * Rows come in the order of members and leave no gap that a member would fill:
 * only padding, which is smaller than what it aligns.
 */
static void check_table(const struct wire_table *t)
{
    size_t end = 0;
    for (const struct wire_row *row = t->rows; row->name; row++) {
        bool bytes = row->kind == WIRE_HEX || row->kind == WIRE_STR ||
                     row->kind == WIRE_BOOL;
        size_t pad = bytes ? 0 : (8 - end % 8) % 8;
        if (row->offset != end + pad)
            fail_msg("%s: no row before %s", t->name, row->name);
        end = row->offset + width(row);
        if (row->kind == WIRE_ARRAY && row->max == 0)
            fail_msg("%s.%s: no maximum", t->name, row->name);
        const struct wire_row *at = row->item ? row->item : row;
        if (at->max == 0 && (at->kind == WIRE_BLOB || at->kind == WIRE_TEXT ||
                             at->kind == WIRE_U64))
            fail_msg("%s.%s: no maximum", t->name, row->name);
    }
    if (t->size - end >= 8)
        fail_msg("%s: no row at its end", t->name);
}

static void every_member_has_a_row_and_every_row_a_maximum(void **state)
{
    (void)state;
#define CHECK(name) check_table(&wire_##name##_table);
    WIRE_PARTS(CHECK)
    WIRE_MESSAGES(CHECK)
#undef CHECK
}

/* ---- keys and counts, one row at a time ---------------------------------- */

static json_t *tree_of(const struct message *msg, const struct fill *how)
{
    OWNED_MEM void *m = calloc(1, msg->table->size);
    OWNED_MEM char *json = NULL;
    size_t len;
    assert_non_null(m);
    fill(msg->table, m, how);
    assert_ok(msg->encode(&json, &len, m));
    msg->free(m);
    json_t *tree = json_loadb(json, len, 0, NULL);
    assert_non_null(tree);
    return tree;
}

/* Refused, nothing kept, and the text speaks of the field. */
static void refused(const struct message *msg, const char *json, size_t len,
                    const char *says)
{
    OWNED_MEM uint8_t *out = malloc(msg->table->size);
    assert_non_null(out);
    memset(out, 0xa5, msg->table->size);
    assert_rc(msg->decode(out, json, len), RC_PARSE);
    for (size_t i = 0; i < msg->table->size; i++)
        assert_int_equal(out[i], 0);
    if (!strstr(rc_text(), says))
        fail_msg("\"%s\" does not say \"%s\"", rc_text(), says);
}

static void tree_refused(const struct message *msg, json_t *tree,
                         const char *says)
{
    OWNED_MEM char *json = json_dumps(tree, JSON_COMPACT);
    assert_non_null(json);
    refused(msg, json, strlen(json), says);
}

static void a_missing_key_is_refused_whichever_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_MESSAGES; i++) {
        OWNED(json_t) *tree = tree_of(&messages[i], &small);
        const struct wire_row *row = messages[i].table->rows;
        for (; row->name; row++) {
            char says[100];
            OWNED(json_t) *less = json_copy(tree);
            json_object_del(less, row->name);
            snprintf(says, sizeof(says), "%s.%s: missing",
                     messages[i].table->name, row->name);
            tree_refused(&messages[i], less, says);
        }
    }
}

static void a_foreign_key_is_refused_everywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_MESSAGES; i++) {
        OWNED(json_t) *tree = tree_of(&messages[i], &small);
        json_object_set_new(tree, "foreign", json_true());
        tree_refused(&messages[i], tree, " keys, want ");
        assert_null(strstr(rc_text(), "foreign"));
    }
}

static void a_repeated_key_is_refused_whichever_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_MESSAGES; i++) {
        OWNED(json_t) *tree = tree_of(&messages[i], &small);
        OWNED_MEM char *json = json_dumps(tree, JSON_COMPACT);
        const struct wire_row *row = messages[i].table->rows;
        for (; row->name; row++) {
            OWNED_MEM char *twice = NULL;
            int n = asprintf(&twice, "%.*s,\"%s\":0}", (int)strlen(json) - 1,
                             json, row->name);
            assert_true(n > 0);
            refused(&messages[i], twice, (size_t)n, ": not JSON");
        }
    }
}

static void one_element_over_the_maximum_is_refused_both_ways(void **state)
{
    (void)state;
    const struct fill full = { SIZE_MAX, 5 };
    for (size_t i = 0; i < N_MESSAGES; i++) {
        const struct message *msg = &messages[i];
        const struct wire_row *row = msg->table->rows;
        for (; row->name; row++) {
            if (row->kind != WIRE_ARRAY)
                continue;
            OWNED(json_t) *tree = tree_of(msg, &full);
            json_t *list = json_object_get(tree, row->name);
            json_array_append(list, json_array_get(list, 0));
            /* the count of all values or of this list, whichever is first */
            tree_refused(msg, tree, msg->table->name);

            OWNED_MEM char *m = calloc(1, msg->table->size);
            struct wire_any_list *in = (void *)(m + row->offset);
            OWNED_MEM char *json = NULL;
            size_t len;
            fill(msg->table, m, &small);
            size_t n = in->n;
            in->n = (size_t)row->max + 1; /* not read: refused by count */
            assert_rc(msg->encode(&json, &len, m), RC_ARG);
            assert_null(json);
            in->n = n;
            msg->free(m);
        }
    }
}

static void every_kind_of_wrong_value_is_refused_in_every_row(void **state)
{
    (void)state;
    static const char *const wrong[] = { "null", "-1",          "[0]", "{}",
                                         "true", "\"\\u0007\"", "[[]]" };
    for (size_t i = 0; i < N_MESSAGES; i++) {
        OWNED(json_t) *tree = tree_of(&messages[i], &small);
        const struct wire_row *row = messages[i].table->rows;
        for (; row->name; row++) {
            for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++) {
                if (row->kind == WIRE_TEXT && wrong[k][0] == '"')
                    continue; /* a text may hold controls */
                if (row->kind == WIRE_MAYBE && strcmp(wrong[k], "null") == 0)
                    continue;
                if (row->kind == WIRE_BOOL && strcmp(wrong[k], "true") == 0)
                    continue;
                if (row->kind == WIRE_ARRAY && row->item->kind == WIRE_U64 &&
                    strcmp(wrong[k], "[0]") == 0)
                    continue;
                OWNED(json_t) *other = json_copy(tree);
                json_object_set_new(
                        other, row->name,
                        json_loads(wrong[k], JSON_DECODE_ANY, NULL));
                /* by its row, or as more values than any row takes */
                tree_refused(&messages[i], other, messages[i].table->name);
            }
        }
    }
}

/* ---- building and bytes -------------------------------------------------- */

static void json_of_a_message_is_pinned(void **state)
{
    (void)state;
    WIRE(sign) sign = { .key = "release", .wait_ms = 30000 };
    OWNED_MEM char *json = NULL;
    size_t len;
    assert_ok(wire_sign_encode(&json, &len, &sign));
    assert_string_equal(
            json, "{\"key\":\"release\",\"session\":\"\",\"wait_ms\":30000}");

    WIRE(proof) proof = { .index = 7 };
    OWNED_MEM char *json2 = NULL;
    assert_ok(wire_text_set(&proof.entry, "mpc-abort/1\n", 12));
    assert_ok(wire_list_new(&proof.path, 1));
    proof.path.at[0].b[31] = 0xab;
    assert_ok(wire_proof_encode(&json2, &len, &proof));
    assert_string_equal(json2, "{\"entry\":\"mpc-abort/1\\n\",\"index\":7,"
                               "\"path\":[\"00000000000000000000000000000000"
                               "000000000000000000000000000000ab\"],"
                               "\"checkpoint\":\"\"}");

    WIRE(approval) approval = { .session = { 1 } };
    OWNED_MEM char *json3 = NULL;
    assert_ok(wire_blob_set(&approval.record, "\xff\xef\xbf~", 4));
    assert_ok(wire_approval_encode(&json3, &len, &approval));
    assert_string_equal(json3, "{\"session\":\"01000000000000000000000000000000"
                               "00000000000000000000000000000000\","
                               "\"record\":\"_--_fg\"}");
}

static void what_may_be_missing_is_null(void **state)
{
    (void)state;
    static const char artifact[] = ",\"artifact\":";
    WIRE(session_state) none = { .state = "open" };
    WIRE(session_state) back = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    assert_ok(wire_session_state_encode(&json, &len, &none));
    char *at = strstr(json, artifact);
    assert_non_null(at);
    at += strlen(artifact);
    assert_memory_equal(at, "null,", 5);
    assert_ok(wire_session_state_decode(&back, json, len));
    assert_int_equal(back.artifact.n, 0);
    memcpy(at, "[{}]", 4); /* as many letters: a list is no object */
    assert_rc(wire_session_state_decode(&back, json, len), RC_PARSE);
    memcpy(at, "true", 4);
    assert_rc(wire_session_state_decode(&back, json, len), RC_PARSE);
    memcpy(at, "{  }", 4); /* an object lacks its members */
    assert_rc(wire_session_state_decode(&back, json, len), RC_PARSE);
}

static void decode_gives_the_members_their_values(void **state)
{
    (void)state;
    static const char json[] =
            " { \"index\" : 9223372036854775807 ,\r\n\t\"path\":[],"
            "\"checkpoint\":\"\\u2014 \\ud83d\\ude00/\\/\","
            "\"entry\":\"a\\nb\" } ";
    WIRE(proof) p;
    assert_ok(wire_proof_decode(&p, json, sizeof(json) - 1));
    assert_true(p.index == INT64_MAX);
    assert_int_equal(p.path.n, 0);
    assert_int_equal(p.entry.len, 3);
    assert_string_equal(p.entry.p, "a\nb");
    assert_string_equal(p.checkpoint.p, "\xe2\x80\x94 \xf0\x9f\x98\x80//");
    assert_int_equal(p.checkpoint.len, strlen(p.checkpoint.p));
    wire_proof_free(&p);
    assert_null(p.entry.p);
    assert_true(p.index == 0);
    wire_proof_free(NULL);
}

static void empty_blobs_and_texts_point_somewhere_after_decode(void **state)
{
    (void)state;
    static const char json[] =
            "{\"descriptor\":\"\",\"requester\":\"\",\"approvals\":[\"\"]}";
    WIRE(session) s;
    assert_ok(wire_session_decode(&s, json, sizeof(json) - 1));
    assert_non_null(s.descriptor.p);
    assert_int_equal(s.descriptor.len, 0);
    assert_int_equal(s.approvals.n, 1);
    assert_non_null(s.approvals.at[0].p);
}

static void setters_replace_and_keep_what_they_refuse(void **state)
{
    (void)state;
    struct wire_text t = { 0 };
    struct wire_blob b = { 0 };
    WIRE_LIST(uint64_t) list = { 0 };
    assert_ok(wire_text_set(&t, "one", 3));
    assert_rc(wire_text_set(&t, "a\0b", 3), RC_ARG);
    assert_string_equal(t.p, "one");
    assert_ok(wire_text_set(&t, "three", 5));
    assert_string_equal(t.p, "three");
    assert_ok(wire_blob_set(&b, "x\0y", 3));
    assert_ok(wire_blob_set(&b, NULL, 0));
    assert_int_equal(b.len, 0);
    assert_ok(wire_list_new(&list, 0));
    assert_null(list.at);
    assert_ok(wire_list_new(&list, 3));
    assert_true(list.at[2] == 0);
    assert_rc(wire_list_new(&list, 3), RC_ARG);
    assert_int_equal(list.n, 3);
    free(t.p);
    free(b.p);
    free(list.at);
}

/* ---- our own mistakes stay with us --------------------------------------- */

static void encode_refuses_a_struct_that_breaks_its_table(void **state)
{
    (void)state;
    char *json = NULL;
    size_t len;
    struct wire_sign sign = { .wait_ms = (uint64_t)WIRE_MAX_U32 + 1 };
    assert_rc(wire_sign_encode(&json, &len, &sign), RC_ARG);
    assert_string_equal(rc_text(), "sign.wait_ms: want 0..4294967295");
    sign.wait_ms = 0;
    memset(sign.key, 'a', sizeof(sign.key));
    assert_rc(wire_sign_encode(&json, &len, &sign), RC_ARG);
    assert_string_equal(rc_text(), "sign.key: no NUL in its 65 bytes");
    memcpy(sign.key, "a\nb", 4);
    assert_rc(wire_sign_encode(&json, &len, &sign), RC_ARG);
    memcpy(sign.key, "\xff", 2);
    assert_rc(wire_sign_encode(&json, &len, &sign), RC_ARG);
    assert_string_equal(rc_text(), "sign.key: not UTF-8 at byte 0");

    char big[WIRE_LINE_MAX + 1];
    memset(big, 'v', sizeof(big));
    struct wire_vkey vkey = { { big, sizeof(big) } };
    assert_rc(wire_vkey_encode(&json, &len, &vkey), RC_ARG);
    big[7] = '\0';
    vkey.vkey.len--;
    assert_rc(wire_vkey_encode(&json, &len, &vkey), RC_ARG);
    assert_string_equal(rc_text(), "vkey.vkey: NUL inside");
    vkey.vkey.p = NULL;
    assert_rc(wire_vkey_encode(&json, &len, &vkey), RC_ARG);

    struct wire_blob certs[2] = { { (uint8_t *)big, 3 }, { NULL, 3 } };
    struct wire_chain chain = { { certs, 2 } };
    assert_rc(wire_chain_encode(&json, &len, &chain), RC_ARG);
    assert_string_equal(rc_text(), "chain.chain[1]: size 3 at NULL");
    assert_null(json);
}

static void encode_takes_exactly_the_utf8_that_decode_gives(void **state)
{
    (void)state;
    static const struct {
        const char *why, *text;
        bool good;
    } rows[] = {
        { "two bytes", "\xc3\xa9", true },
        { "overlong of two", "\xc1\xbf", false },
        { "three, first", "\xe0\xa0\x80", true },
        { "overlong of three", "\xe0\x9f\xbf", false },
        { "last before surrogates", "\xed\x9f\xbf", true },
        { "surrogate", "\xed\xa0\x80", false },
        { "four, first", "\xf0\x90\x80\x80", true },
        { "overlong of four", "\xf0\x8f\xbf\xbf", false },
        { "U+10FFFF", "\xf4\x8f\xbf\xbf", true },
        { "over U+10FFFF", "\xf4\x90\x80\x80", false },
        { "no such first byte", "\xf5\x80\x80\x80", false },
        { "cut", "ab\xe2\x80", false },
        { "stray continuation", "\x80", false },
        { "missing continuation", "\xe2\x80x", false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        WIRE(vkey) m = { 0 };
        OWNED_MEM char *json = NULL;
        size_t len;
        assert_ok(wire_text_set(&m.vkey, rows[i].text, strlen(rows[i].text)));
        enum rc rc = wire_vkey_encode(&json, &len, &m);
        if (rc != (rows[i].good ? RC_OK : RC_ARG))
            fail_msg("%s: %s", rows[i].why, rc_slug(rc));
        char text[64];
        int n = snprintf(text, sizeof(text), "{\"vkey\":\"%s\"}", rows[i].text);
        WIRE(vkey) back;
        rc = wire_vkey_decode(&back, text, (size_t)n);
        if (rc != (rows[i].good ? RC_OK : RC_PARSE))
            fail_msg("%s: %s", rows[i].why, rc_slug(rc));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_round_trip_with_all_lists_full),
        cmocka_unit_test(messages_round_trip_with_all_bytes_full),
        cmocka_unit_test(messages_round_trip_with_any_length_of_bytes),
        cmocka_unit_test(zeroed_messages_round_trip_where_lists_may_be_empty),
        cmocka_unit_test(every_member_has_a_row_and_every_row_a_maximum),
        cmocka_unit_test(a_missing_key_is_refused_whichever_it_is),
        cmocka_unit_test(a_foreign_key_is_refused_everywhere),
        cmocka_unit_test(a_repeated_key_is_refused_whichever_it_is),
        cmocka_unit_test(one_element_over_the_maximum_is_refused_both_ways),
        cmocka_unit_test(every_kind_of_wrong_value_is_refused_in_every_row),
        cmocka_unit_test(json_of_a_message_is_pinned),
        cmocka_unit_test(what_may_be_missing_is_null),
        cmocka_unit_test(decode_gives_the_members_their_values),
        cmocka_unit_test(empty_blobs_and_texts_point_somewhere_after_decode),
        cmocka_unit_test(setters_replace_and_keep_what_they_refuse),
        cmocka_unit_test(encode_refuses_a_struct_that_breaks_its_table),
        cmocka_unit_test(encode_takes_exactly_the_utf8_that_decode_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
