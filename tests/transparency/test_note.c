/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <sodium.h>

#include "transparency/note.h"
#include "vectors.h"

/* Verified names among vkeys; RC_OK wants all lines of known keys good. */
static enum rc open_note(unsigned *verified, const char *p, size_t len,
                         const json_t *vkeys)
{
    struct note n;
    json_t *vkey;
    size_t i;
    *verified = 0;
    TRY(tlog_note_parse(&n, p, len));
    json_array_foreach (vkeys, i, vkey) {
        struct tlog_vkey v;
        assert_ok(tlog_vkey_parse(&v, json_string_value(vkey)));
        enum rc rc = tlog_note_verify(&n, &v, NULL);
        if (rc == RC_OK)
            ++*verified;
        else if (rc != RC_UNKNOWN)
            return rc;
    }
    return *verified ? RC_OK : RC_UNKNOWN;
}

static enum rc open_row(unsigned *verified, const json_t *row)
{
    static uint8_t note[65536];
    const char *hex = vectors_text(row, "note_hex");
    vectors_hex(note, strlen(hex) / 2, hex);
    return open_note(verified, (const char *)note, strlen(hex) / 2,
                     json_object_get(row, "vkeys"));
}

static void note_vectors_agree(void **state)
{
    (void)state;
    json_auto_t *v = vectors_load("note/signed-notes.json");
    json_t *row;
    size_t i;
    unsigned verified;
    json_array_foreach (json_object_get(v, "accept"), i, row) {
        assert_ok(open_row(&verified, row));
        assert_int_equal(verified, json_array_size(json_object_get(
                                           row, "verified_names")));
    }
    assert_int_equal(i, 3);
    json_array_foreach (json_object_get(v, "reject"), i, row) {
        const char *why = vectors_text(row, "why");
        enum rc want = strcmp(why, "invalid signature") == 0 ? RC_VERIFY
                       : strcmp(why, "no verifiable signature") == 0
                               ? RC_UNKNOWN
                               : RC_PARSE;
        if (open_row(&verified, row) != want)
            fail_msg("%s: want %s", vectors_text(row, "desc"), rc_slug(want));
    }
    assert_int_equal(i, 10);
}

static void over_a_hundred_lines_are_refused_whatever_the_size(void **state)
{
    (void)state;
    char note[TLOG_NOTE_MAX] = "o\n\n";
    for (unsigned i = 0; i < NOTE_SIGS_MAX; i++)
        strcat(note, NOTE_DASH "a AAAAAAA=\n");
    struct note n;
    assert_ok(tlog_note_parse(&n, note, strlen(note)));
    strcat(note, NOTE_DASH "a AAAAAAA=\n");
    assert_rc(tlog_note_parse(&n, note, strlen(note)), RC_PARSE);
}

static void vkeys_of_the_vectors_are_refused(void **state)
{
    (void)state;
    json_auto_t *v = vectors_load("note/signed-notes.json");
    json_t *row;
    size_t i;
    struct tlog_vkey key;
    json_array_foreach (json_object_get(v, "vkeys_reject"), i, row)
        assert_rc(tlog_vkey_parse(&key, json_string_value(row)), RC_PARSE);
    assert_int_equal(i, 6);
}

static void vkey_text_comes_back(void **state)
{
    (void)state;
    char text[TLOG_VKEY_MAX];
    struct tlog_vkey log = vectors_vkey("sample-log/log.vkey", 0);
    struct tlog_vkey w1 = vectors_vkey("sample-log/witnesses.vkey", 0);
    struct tlog_vkey made;
    assert_int_equal(log.type, TLOG_SIG_ED25519);
    assert_int_equal(w1.type, TLOG_SIG_COSIGNATURE);
    assert_string_equal(tlog_vkey_text(text, &w1),
                        "witness.example/w1+dc53a48f+BK8fe14HAi43qhBpY4+FgJ3Qf"
                        "M2vhsq/aIc57EtHYihv");
    assert_ok(tlog_vkey_make(&made, log.name, log.type, log.key));
    assert_memory_equal(made.id, log.id, 4);
}

static void key_names_with_separators_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = { "",     "a b",   "a+b",
                                         "a\nb", "a\x7f", "caf\xc3\xa9" };
    uint8_t key[32] = { 1 };
    char longest[TLOG_NAME_MAX + 1];
    struct tlog_vkey v;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_rc(tlog_vkey_make(&v, names[i], 1, key), RC_ARG);
    memset(longest, 'a', sizeof(longest));
    longest[TLOG_NAME_MAX] = '\0';
    assert_rc(tlog_vkey_make(&v, longest, 1, key), RC_ARG);
    longest[TLOG_NAME_MAX - 1] = '\0';
    assert_ok(tlog_vkey_make(&v, longest, 1, key));
    assert_rc(tlog_vkey_make(&v, "a", 2, key), RC_ARG);
}

static void note_signing_vector_comes_out(void **state)
{
    (void)state;
    json_auto_t *all = vectors_load("note/signed-notes.json");
    json_t *row = json_object_get(all, "sign");
    uint8_t seed[32];
    uint8_t pk[32];
    uint8_t sk[64];
    struct tlog_vkey v;
    char line[TLOG_SIG_LINE_MAX];
    const char *text = vectors_text(row, "text");
    vectors_hex(seed, 32, vectors_text(row, "seed_hex"));
    crypto_sign_seed_keypair(pk, sk, seed);
    assert_ok(tlog_vkey_make(&v, vectors_text(row, "name"), 1, pk));
    assert_ok(tlog_note_sign(line, sizeof(line), text, strlen(text), &v, sk));
    assert_string_equal(line, vectors_text(row, "signature_line"));
}

static void checkpoint_bodies_agree(void **state)
{
    (void)state;
    json_auto_t *v = vectors_load("checkpoint/bodies.json");
    json_t *row;
    size_t i;
    struct tlog_checkpoint cp;
    json_array_foreach (json_object_get(v, "accept"), i, row) {
        const char *body = vectors_text(row, "body");
        assert_ok(tlog_checkpoint_parse(&cp, body, strlen(body)));
        assert_string_equal(cp.origin, vectors_text(row, "origin"));
        assert_int_equal(cp.size, vectors_num(row, "size"));
        struct tlog_hash root = vectors_hash(vectors_text(row, "root_hex"));
        assert_memory_equal(cp.root.b, root.b, 32);
        char again[TLOG_NOTE_MAX];
        if (json_object_get(row, "extensions"))
            continue;
        assert_ok(tlog_checkpoint_body(again, sizeof(again), &cp));
        assert_string_equal(again, body);
    }
    assert_int_equal(i, 3);
    json_array_foreach (json_object_get(v, "reject"), i, row) {
        const char *body = vectors_text(row, "body");
        if (tlog_checkpoint_parse(&cp, body, strlen(body)) != RC_PARSE)
            fail_msg("accepted: %s", vectors_text(row, "why"));
    }
    assert_int_equal(i, 12);
}

static void real_checkpoint_opens_and_no_changed_one(void **state)
{
    (void)state;
    size_t len;
    struct tlog_checkpoint cp;
    struct tlog_vkey v = vectors_vkey("checkpoint/sigsum.vkey", 0);
    OWNED_MEM char *note = vectors_file("checkpoint/sigsum.checkpoint", &len);
    assert_ok(tlog_checkpoint_open(&cp, note, len, &v));
    assert_int_equal(cp.size, 10);
    assert_string_equal(cp.origin, v.name);
    for (size_t i = 0; i < len; i++) {
        note[i] ^= 1;
        enum rc rc = tlog_checkpoint_open(&cp, note, len, &v);
        if (rc != RC_LOG && rc != RC_PARSE)
            fail_msg("byte %zu changed: %s", i, rc_slug(rc));
        note[i] ^= 1;
    }
    for (size_t cut = 0; cut < len; cut++)
        assert_int_not_equal(tlog_checkpoint_open(&cp, note, cut, &v), RC_OK);
}

static void sample_keys(struct tlog_vkey *v, uint8_t sk[64], int who)
{
    json_auto_t *all = vectors_load("sample-log/keys.json");
    uint8_t seed[32];
    const char *hex = who < 0 ? vectors_text(all, "log_seed_hex")
                              : json_string_value(json_array_get(
                                        json_object_get(all,
                                                        "witness_seeds_hex"),
                                        (size_t)who));
    vectors_hex(seed, 32, hex);
    crypto_sign_seed_keypair(v->key, sk, seed);
    *v = who < 0 ? vectors_vkey("sample-log/log.vkey", 0)
                 : vectors_vkey("sample-log/witnesses.vkey", (unsigned)who);
}

static void sample_checkpoint_is_made_again(void **state)
{
    (void)state;
    size_t len;
    struct tlog_vkey log;
    struct tlog_vkey w[2];
    uint8_t sk[64];
    uint8_t wsk[2][64];
    sample_keys(&log, sk, -1);
    OWNED_MEM char *note = vectors_file("sample-log/log/checkpoint", &len);
    struct tlog_checkpoint cp;
    char mine[TLOG_NOTE_MAX];
    assert_ok(tlog_checkpoint_open(&cp, note, len, &log));
    assert_int_equal(cp.size, 600);
    assert_ok(tlog_checkpoint_sign(mine, sizeof(mine), &cp, &log, sk));
    for (int i = 0; i < 2; i++) {
        char line[TLOG_SIG_LINE_MAX];
        int64_t time = 0;
        sample_keys(&w[i], wsk[i], i);
        assert_rc(tlog_note_cosigned(mine, strlen(mine), &w[i], &time),
                  RC_UNKNOWN);
        assert_ok(tlog_cosign(line, &cp, 1732250000 + i, &w[i], wsk[i]));
        assert_ok(tlog_note_add(mine, sizeof(mine), line));
        assert_ok(tlog_note_add(mine, sizeof(mine), line));
        assert_ok(tlog_note_cosigned(mine, strlen(mine), &w[i], &time));
        assert_int_equal(time, 1732250000 + i);
        assert_ok(tlog_note_cosigned(note, len, &w[i], &time));
        assert_int_equal(time, 1732250000 + i);
    }
    assert_string_equal(mine, note);
}

static void cosignature_vectors_agree(void **state)
{
    (void)state;
    json_auto_t *all = vectors_load("cosignature/vectors.json");
    json_t *row;
    size_t i;
    json_array_foreach (json_object_get(all, "cosignatures"), i, row) {
        uint8_t seed[32];
        uint8_t pk[32];
        uint8_t sk[64];
        char id[ENC_HEX_SIZE(4)];
        char line[TLOG_SIG_LINE_MAX];
        struct tlog_vkey v;
        struct tlog_checkpoint cp;
        int64_t time = 0;
        const char *body = vectors_text(row, "note_body");
        const char *want = vectors_text(row, "signature_line");
        vectors_hex(seed, 32, vectors_text(row, "seed_hex"));
        crypto_sign_seed_keypair(pk, sk, seed);
        assert_ok(tlog_vkey_make(&v, vectors_text(row, "name"),
                                 TLOG_SIG_COSIGNATURE, pk));
        assert_string_equal(enc_hex(id, v.id, 4),
                            vectors_text(row, "key_id_hex"));
        assert_ok(tlog_checkpoint_parse(&cp, body, strlen(body)));
        assert_ok(tlog_cosign(line, &cp, (int64_t)vectors_num(row, "timestamp"),
                              &v, sk));
        assert_string_equal(line, want);
        assert_ok(tlog_cosignature_check(want, &cp, &v, &time));
        assert_int_equal(time, vectors_num(row, "timestamp"));
        cp.size++;
        assert_rc(tlog_cosignature_check(want, &cp, &v, NULL), RC_VERIFY);
    }
    assert_int_equal(i, 2);
}

static void cosignature_message_is_the_documented_one(void **state)
{
    (void)state;
    json_auto_t *all = vectors_load("cosignature/vectors.json");
    json_t *row = json_object_get(all, "signed_message_example");
    const char *want = vectors_text(row, "message");
    uint8_t msg[NOTE_MESSAGE_MAX];
    size_t len;
    const char *body = strchr(strchr(want, '\n') + 1, '\n') + 1;
    assert_ok(tlog_cosign_message(msg, &len, body, strlen(body),
                                  vectors_num(row, "timestamp")));
    assert_int_equal(len, strlen(want));
    assert_memory_equal(msg, want, len);
}

static void a_changed_cosignature_line_is_refused(void **state)
{
    (void)state;
    json_auto_t *all = vectors_load("cosignature/vectors.json");
    json_t *row = json_array_get(json_object_get(all, "cosignatures"), 0);
    char line[TLOG_SIG_LINE_MAX];
    const char *body = vectors_text(row, "note_body");
    struct tlog_vkey v = vectors_vkey("sample-log/witnesses.vkey", 0);
    struct tlog_vkey other = vectors_vkey("sample-log/witnesses.vkey", 1);
    struct tlog_checkpoint cp;
    snprintf(line, sizeof(line), "%s", vectors_text(row, "signature_line"));
    assert_ok(tlog_checkpoint_parse(&cp, body, strlen(body)));
    assert_ok(tlog_cosignature_check(line, &cp, &v, NULL));
    assert_rc(tlog_cosignature_check(line, &cp, &other, NULL), RC_VERIFY);
    size_t len = strlen(line);
    strcpy(line + len, "x");
    assert_rc(tlog_cosignature_check(line, &cp, &v, NULL), RC_PARSE);
    line[len - 1] = '\0';
    assert_rc(tlog_cosignature_check(line, &cp, &v, NULL), RC_PARSE);
    line[len - 1] = '\n';
    line[len] = '\0';
    for (size_t i = 0; line[i]; i++) {
        line[i] ^= 1;
        enum rc rc = tlog_cosignature_check(line, &cp, &v, NULL);
        if (rc != RC_VERIFY && rc != RC_PARSE)
            fail_msg("byte %zu changed: %s", i, rc_slug(rc));
        line[i] ^= 1;
    }
}

/* libsodium's decoder alone would take such a line for another's twin. */
static void base64_is_ascii(void **state)
{
    (void)state;
    json_auto_t *all = vectors_load("cosignature/vectors.json");
    json_t *row = json_array_get(json_object_get(all, "cosignatures"), 0);
    char line[TLOG_SIG_LINE_MAX];
    struct note_sig sig;
    size_t used;
    snprintf(line, sizeof(line), "%s", vectors_text(row, "signature_line"));
    size_t len = strlen(line);
    assert_ok(tlog_note_line(&sig, &used, line, len));
    for (size_t i = (size_t)(strrchr(line, ' ') - line) + 1; i < len - 1; i++)
        for (unsigned v = 0x80; v < 0x100; v++) {
            char was = line[i];
            line[i] = (char)v;
            assert_rc(tlog_note_line(&sig, &used, line, len), RC_PARSE);
            line[i] = was;
        }
}

/* A fixture of our own: a log key and one cosigner. */
struct keys {
    struct tlog_vkey log;
    struct tlog_vkey witness;
    uint8_t log_sk[64];
    uint8_t witness_sk[64];
};

static struct keys fixed_keys(void)
{
    struct keys k;
    uint8_t pk[32];
    crypto_sign_seed_keypair(pk, k.log_sk, (const uint8_t[32]){ 1 });
    assert_ok(tlog_vkey_make(&k.log, "dev/log", TLOG_SIG_ED25519, pk));
    crypto_sign_seed_keypair(pk, k.witness_sk, (const uint8_t[32]){ 2 });
    assert_ok(
            tlog_vkey_make(&k.witness, "dev/node1", TLOG_SIG_COSIGNATURE, pk));
    return k;
}

static void a_bad_line_of_a_known_key_rejects_the_note(void **state)
{
    (void)state;
    struct keys k = fixed_keys();
    struct tlog_checkpoint cp = { .origin = "dev/log", .size = 3 };
    struct tlog_checkpoint other = { .origin = "dev/log", .size = 4 };
    char good[TLOG_NOTE_MAX];
    char note[2 * TLOG_NOTE_MAX];
    char bad[TLOG_NOTE_MAX];
    struct tlog_checkpoint got;
    assert_ok(tlog_checkpoint_sign(good, sizeof(good), &cp, &k.log, k.log_sk));
    assert_ok(tlog_checkpoint_sign(bad, sizeof(bad), &other, &k.log, k.log_sk));
    snprintf(note, sizeof(note), "%s%s", good, strstr(bad, NOTE_DASH));
    assert_ok(tlog_checkpoint_open(&got, good, strlen(good), &k.log));
    assert_rc(tlog_checkpoint_open(&got, note, strlen(note), &k.log), RC_LOG);
}

static void checkpoint_of_another_origin_is_refused(void **state)
{
    (void)state;
    struct keys k = fixed_keys();
    struct tlog_checkpoint cp = { .origin = "dev/other", .size = 3 };
    char note[TLOG_NOTE_MAX];
    char line[TLOG_SIG_LINE_MAX];
    struct tlog_checkpoint got;
    assert_rc(tlog_checkpoint_sign(note, sizeof(note), &cp, &k.log, k.log_sk),
              RC_ARG);
    assert_ok(tlog_checkpoint_body(note, sizeof(note), &cp));
    assert_ok(tlog_note_sign(line, sizeof(line), note, strlen(note), &k.log,
                             k.log_sk));
    strcat(note, "\n");
    strcat(note, line);
    assert_rc(tlog_checkpoint_open(&got, note, strlen(note), &k.log), RC_LOG);
}

static void keys_do_only_their_own_kind_of_signature(void **state)
{
    (void)state;
    struct keys k = fixed_keys();
    struct tlog_checkpoint cp = { .origin = "dev/log", .size = 3 };
    struct tlog_checkpoint got;
    char note[TLOG_NOTE_MAX];
    char line[TLOG_SIG_LINE_MAX];
    assert_ok(tlog_checkpoint_sign(note, sizeof(note), &cp, &k.log, k.log_sk));
    assert_rc(tlog_cosign(line, &cp, 5, &k.log, k.log_sk), RC_ARG);
    assert_rc(tlog_cosign(line, &cp, -1, &k.witness, k.witness_sk), RC_ARG);
    assert_rc(tlog_checkpoint_open(&got, note, strlen(note), &k.witness),
              RC_ARG);
    assert_rc(tlog_note_cosigned(note, strlen(note), &k.log, NULL), RC_ARG);
    strcpy(k.witness.name, "dev/log");
    assert_rc(tlog_checkpoint_sign(note, sizeof(note), &cp, &k.witness,
                                   k.witness_sk),
              RC_ARG);
}

static void only_whole_lines_are_added_to_whole_notes(void **state)
{
    (void)state;
    struct keys k = fixed_keys();
    struct tlog_checkpoint cp = { .origin = "dev/log", .size = 3 };
    char note[TLOG_NOTE_MAX];
    char line[TLOG_SIG_LINE_MAX];
    char two[2 * TLOG_SIG_LINE_MAX];
    assert_ok(tlog_checkpoint_sign(note, sizeof(note), &cp, &k.log, k.log_sk));
    assert_ok(tlog_cosign(line, &cp, 5, &k.witness, k.witness_sk));
    size_t len = strlen(note);
    snprintf(two, sizeof(two), "%s%s", line, line);
    assert_rc(tlog_note_add(note, sizeof(note), two), RC_PARSE);
    assert_rc(tlog_note_add(note, sizeof(note), "x\n"), RC_PARSE);
    assert_rc(tlog_note_add(note, sizeof(note), ""), RC_PARSE);
    assert_rc(tlog_note_add(note, len + strlen(line), line), RC_TOO_LARGE);
    assert_int_equal(strlen(note), len);
    assert_ok(tlog_note_add(note, len + strlen(line) + 1, line));
    /* the same key at another time adds nothing */
    assert_ok(tlog_cosign(two, &cp, 6, &k.witness, k.witness_sk));
    assert_ok(tlog_note_add(note, sizeof(note), two));
    assert_int_equal(strlen(note), len + strlen(line));
}

static void utf8_is_judged_as_the_standard_says(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *text;
        bool clean;
    } cases[] = {
        { "plain", "abc\n", true },
        { "two bytes", "\xc3\xa9", true },
        { "three bytes", "\xe2\x80\x94", true },
        { "four bytes", "\xf0\x9f\x98\x80", true },
        { "last code point", "\xf4\x8f\xbf\xbf", true },
        { "over the last", "\xf4\x90\x80\x80", false },
        { "overlong two", "\xc0\xaf", false },
        { "overlong three", "\xe0\x80\xaf", false },
        { "overlong four", "\xf0\x80\x80\xaf", false },
        { "surrogate", "\xed\xa0\x80", false },
        { "cut off", "\xe2\x80", false },
        { "lone continuation", "\x80", false },
        { "five bytes", "\xf8\x88\x80\x80\x80", false },
        { "tab", "a\tb", false },
        { "CR", "a\r\n", false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (tlog_note_clean(cases[i].text, strlen(cases[i].text)) !=
            cases[i].clean)
            fail_msg("%s", cases[i].why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(note_vectors_agree),
        cmocka_unit_test(over_a_hundred_lines_are_refused_whatever_the_size),
        cmocka_unit_test(vkeys_of_the_vectors_are_refused),
        cmocka_unit_test(vkey_text_comes_back),
        cmocka_unit_test(key_names_with_separators_are_refused),
        cmocka_unit_test(note_signing_vector_comes_out),
        cmocka_unit_test(checkpoint_bodies_agree),
        cmocka_unit_test(real_checkpoint_opens_and_no_changed_one),
        cmocka_unit_test(sample_checkpoint_is_made_again),
        cmocka_unit_test(cosignature_vectors_agree),
        cmocka_unit_test(cosignature_message_is_the_documented_one),
        cmocka_unit_test(a_changed_cosignature_line_is_refused),
        cmocka_unit_test(base64_is_ascii),
        cmocka_unit_test(a_bad_line_of_a_known_key_rejects_the_note),
        cmocka_unit_test(checkpoint_of_another_origin_is_refused),
        cmocka_unit_test(keys_do_only_their_own_kind_of_signature),
        cmocka_unit_test(only_whole_lines_are_added_to_whole_notes),
        cmocka_unit_test(utf8_is_judged_as_the_standard_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
