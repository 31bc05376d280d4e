/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <sodium.h>

#include "transparency/transparency.h"
#include "vectors.h"

static void good_path(const json_t *row, int level)
{
    char path[TLOG_TILE_PATH_MAX];
    const char *want = vectors_text(row, "path");
    unsigned width = (unsigned)vectors_num(row, "width");
    uint64_t n = vectors_num(row, "index");
    int got_level = -9;
    uint64_t got_n = 0;
    unsigned got_width = 0;
    tlog_tile_path(path, level, n, width);
    assert_string_equal(path, want);
    assert_ok(tlog_tile_parse(&got_level, &got_n, &got_width, want + 5));
    assert_int_equal(got_level, level);
    assert_int_equal(got_n, n);
    assert_int_equal(got_width, width);
}

static void path_vectors_agree(void **state)
{
    (void)state;
    json_auto_t *v = vectors_load("tiles/paths.json");
    json_t *row;
    size_t i;
    json_array_foreach (json_object_get(v, "tile"), i, row)
        good_path(row, (int)vectors_num(row, "level"));
    assert_int_equal(i, 8);
    json_array_foreach (json_object_get(v, "entries"), i, row)
        good_path(row, -1);
    assert_int_equal(i, 4);
    json_array_foreach (json_object_get(v, "reject"), i, row) {
        int level;
        uint64_t n;
        unsigned width;
        const char *path = json_string_value(row);
        assert_memory_equal(path, "tile/", 5);
        if (tlog_tile_parse(&level, &n, &width, path + 5) != RC_UNKNOWN)
            fail_msg("accepted %s", path);
    }
    assert_int_equal(i, 21);
}

static void numbers_reach_the_end_of_64_bits(void **state)
{
    (void)state;
    char path[TLOG_TILE_PATH_MAX];
    int level;
    uint64_t n = 0;
    unsigned width;
    tlog_tile_path(path, 0, UINT64_MAX, 0);
    assert_string_equal(path, "tile/0/x018/x446/x744/x073/x709/x551/615");
    assert_ok(tlog_tile_parse(&level, &n, &width, path + 5));
    assert_true(n == UINT64_MAX);
    static const char *const over[] = {
        "0/x018/x446/x744/x073/x709/x551/616",
        "0/x999/x999/x999/x999/x999/x999/999",
        "0/x001/x018/x446/x744/x073/x709/x551/615",
        "",
        "0",
        "0/",
        "/000",
        "entries",
        "entries/000/",
        "0/000.p/1/",
        "0/001.p/0255",
    };
    for (size_t i = 0; i < sizeof(over) / sizeof(over[0]); i++)
        assert_rc(tlog_tile_parse(&level, &n, &width, over[i]), RC_UNKNOWN);
}

/* ---- fsck over the sample log ---- */

struct spoil {
    const char *path; /* of the file to change; NULL: none */
    size_t at;
    int add;   /* bytes more (or fewer) at the end */
    bool gone; /* it does not exist */
    unsigned fetched;
};

static enum rc sample_fetch(uint8_t **out, size_t *len, const char *path,
                            void *ctx)
{
    struct spoil *s = ctx;
    char file[1024];
    uint8_t *p = NULL;
    bool mine = s->path && strcmp(path, s->path) == 0;
    if (mine && s->gone)
        return rc_raise(RC_UNKNOWN, "%s: gone", path);
    snprintf(file, sizeof(file), "%s/tlog/sample-log/log/%s", testdata(), path);
    TRY(file_read(&p, len, file, 1 << 20));
    if (mine) {
        if (s->add > 0) {
            p = realloc(p, *len + (size_t)s->add);
            assert_non_null(p);
            memset(p + *len, 0, (size_t)s->add);
        }
        *len += (size_t)s->add;
        if (s->add == 0)
            p[s->at] ^= 1;
    }
    s->fetched++;
    *out = p;
    return RC_OK;
}

static void sample_log_is_whole(void **state)
{
    (void)state;
    struct tlog_vkey log = vectors_vkey("sample-log/log.vkey", 0);
    struct spoil none = { .path = NULL };
    struct tlog_fsck_report report;
    assert_ok(tlog_fsck(&report, &log, sample_fetch, &none));
    assert_int_equal(report.head.size, 600);
    assert_int_equal(report.entries_checked, 600);
    assert_int_equal(report.tiles_checked, 7);
    assert_int_equal(none.fetched, 8);
}

static void tampered_copies_are_refused(void **state)
{
    (void)state;
    static const char *const files[] = {
        "checkpoint",       "tile/0/000",
        "tile/0/001",       "tile/0/002.p/88",
        "tile/1/000.p/2",   "tile/entries/000",
        "tile/entries/001", "tile/entries/002.p/88",
    };
    struct tlog_vkey log = vectors_vkey("sample-log/log.vkey", 0);
    struct tlog_fsck_report report = { .entries_checked = 42 };
    for (size_t f = 0; f < sizeof(files) / sizeof(files[0]); f++) {
        struct spoil s = { .path = files[f] };
        /* the first byte of a bundle is a length, then come entries */
        for (s.at = 0; s.at < 64; s.at += 9)
            assert_int_not_equal(tlog_fsck(&report, &log, sample_fetch, &s),
                                 RC_OK);
        s.add = 1;
        assert_int_not_equal(tlog_fsck(&report, &log, sample_fetch, &s), RC_OK);
        s.add = -1;
        assert_int_not_equal(tlog_fsck(&report, &log, sample_fetch, &s), RC_OK);
        s.gone = true;
        assert_int_not_equal(tlog_fsck(&report, &log, sample_fetch, &s), RC_OK);
    }
    assert_int_equal(report.entries_checked, 42);
}

static void another_logs_key_is_refused(void **state)
{
    (void)state;
    struct tlog_vkey log = vectors_vkey("checkpoint/sigsum.vkey", 0);
    struct spoil none = { .path = NULL };
    struct tlog_fsck_report report;
    assert_rc(tlog_fsck(&report, &log, sample_fetch, &none), RC_LOG);
}

/* The sample's tiles under a checkpoint its key signed for another root. */
static enum rc forged_fetch(uint8_t **out, size_t *len, const char *path,
                            void *ctx)
{
    if (strcmp(path, "checkpoint") != 0)
        return sample_fetch(out, len, path, ctx);
    json_auto_t *keys = vectors_load("sample-log/keys.json");
    struct tlog_vkey log = vectors_vkey("sample-log/log.vkey", 0);
    struct tlog_checkpoint cp = { .origin = "log.example/sample", .size = 600 };
    uint8_t seed[32];
    uint8_t pk[32];
    uint8_t sk[64];
    vectors_hex(seed, 32, vectors_text(keys, "log_seed_hex"));
    crypto_sign_seed_keypair(pk, sk, seed);
    char *note = malloc(TLOG_NOTE_MAX);
    assert_non_null(note);
    assert_ok(tlog_checkpoint_sign(note, TLOG_NOTE_MAX, &cp, &log, sk));
    *len = strlen(note);
    *out = (uint8_t *)note;
    return RC_OK;
}

static void a_signed_root_of_other_entries_is_refused(void **state)
{
    (void)state;
    struct tlog_vkey log = vectors_vkey("sample-log/log.vkey", 0);
    struct spoil none = { .path = NULL };
    struct tlog_fsck_report report;
    assert_rc(tlog_fsck(&report, &log, forged_fetch, &none), RC_LOG);
    assert_non_null(strstr(rc_text(), "root is not"));
}

/* ---- the sample's own proofs and older checkpoints ---- */

static char *read_tlog_proof(struct tlog_proof *out, size_t *len,
                             uint64_t index)
{
    char name[128];
    size_t entry_len;
    snprintf(name, sizeof(name), "sample-log/proofs/%llu.entry",
             (unsigned long long)index);
    OWNED_MEM char *entry = vectors_file(name, &entry_len);
    snprintf(name, sizeof(name), "sample-log/proofs/%llu.tlog-proof",
             (unsigned long long)index);
    char *text = vectors_file(name, len);
    assert_ok(tlog_proof_read(out, text, *len, entry, entry_len));
    return text;
}

static void sample_proofs_hold(void **state)
{
    (void)state;
    static struct tlog_proof p;
    static const uint64_t indices[] = { 0, 200, 255, 256, 599 };
    struct tlog_vkey log = vectors_vkey("sample-log/log.vkey", 0);
    for (size_t i = 0; i < 5; i++) {
        struct tlog_checkpoint cp;
        static char again[TLOG_PROOF_TEXT_MAX];
        size_t len;
        size_t again_len;
        OWNED_MEM char *text = read_tlog_proof(&p, &len, indices[i]);
        assert_int_equal(p.index, indices[i]);
        assert_ok(tlog_proof_write(again, sizeof(again), &again_len, &p));
        /* one of the sample's has an extra line, which is not kept */
        char *extra = strstr(text, "\nextra ");
        if (extra) {
            char *index = strchr(extra + 1, '\n');
            memmove(extra, index, strlen(index) + 1);
        }
        assert_string_equal(again, text);
        assert_int_equal(again_len, strlen(again));
        assert_ok(tlog_proof_check(&p, &log, &cp));
        assert_int_equal(cp.size, 600);
        p.index ^= 1;
        assert_rc(tlog_proof_check(&p, &log, NULL), RC_LOG);
    }
}

static void other_proof_texts_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *find; /* the first of these is replaced */
        const char *with;
    } cases[] = {
        { "another version", "@v1", "@v2" },
        { "no index", "index ", "index" },
        { "an index with a zero in front", "index ", "index 0" },
        { "a negative index", "index ", "index -" },
        { "two empty lines", "\n\n", "\n\n\n" },
        { "no empty line", "\n\n", "\n" },
        { "CR LF", "\n", "\r\n" },
        { "an extra after the index", "=\n", "=\nextra AAAA\n" },
        { "an extra that is no base64", "index", "extra !\nindex" },
        { "two extras", "index", "extra AA==\nextra AA==\nindex" },
    };
    static struct tlog_proof p;
    static char changed[TLOG_PROOF_TEXT_MAX];
    struct tlog_vkey log = vectors_vkey("sample-log/log.vkey", 0);
    size_t len;
    OWNED_MEM char *text = read_tlog_proof(&p, &len, 599);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *at = strstr(text, cases[i].find);
        assert_non_null(at);
        snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text,
                 cases[i].with, at + strlen(cases[i].find));
        enum rc rc = tlog_proof_read(&p, changed, strlen(changed), "x", 1);
        if (rc == RC_OK)
            rc = tlog_proof_check(&p, &log, NULL);
        if (rc == RC_OK)
            fail_msg("%s was taken", cases[i].why);
    }
    for (size_t cut = 0; cut < len; cut++)
        if (tlog_proof_read(&p, text, cut, "x", 1) == RC_OK)
            assert_int_not_equal(tlog_proof_check(&p, &log, NULL), RC_OK);
    assert_rc(tlog_proof_write(changed, 100, &len, &p), RC_TOO_LARGE);
    /* 64 hashes are one too many */
    size_t at = (size_t)snprintf(changed, sizeof(changed),
                                 "c2sp.org/tlog-proof@v1\nindex 0\n");
    for (unsigned i = 0; i < 64; i++)
        at += (size_t)snprintf(changed + at, sizeof(changed) - at, "%s\n",
                               "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    snprintf(changed + at, sizeof(changed) - at, "\nnote\n");
    assert_rc(tlog_proof_read(&p, changed, strlen(changed), "x", 1), RC_PARSE);
}

/* Requests of the witness protocol: "old N", hashes, checkpoint. */
static void witness_requests_are_consistent(void **state)
{
    (void)state;
    json_auto_t *v = vectors_load("witness/add-checkpoint-requests.json");
    struct tlog_vkey log = vectors_vkey("sample-log/log.vkey", 0);
    json_t *row;
    size_t i;
    json_array_foreach (json_object_get(v, "requests"), i, row) {
        uint64_t old = vectors_num(row, "old");
        const char *line = strchr(vectors_text(row, "body"), '\n') + 1;
        struct tlog_path path = { .n = 0 };
        struct tlog_checkpoint before = { .size = 0 };
        struct tlog_checkpoint after;
        for (; *line != '\n'; line = strchr(line, '\n') + 1) {
            size_t got;
            assert_ok(enc_unb64(path.hash[path.n++].b, 32, &got, line,
                                strcspn(line, "\n")));
        }
        assert_ok(
                tlog_checkpoint_open(&after, line + 1, strlen(line + 1), &log));
        assert_int_equal(after.size, vectors_num(row, "new"));
        if (old > 0) {
            char name[64];
            size_t len;
            snprintf(name, sizeof(name), "sample-log/checkpoints/%llu",
                     (unsigned long long)old);
            OWNED_MEM char *note = vectors_file(name, &len);
            assert_ok(tlog_checkpoint_open(&before, note, len, &log));
        }
        assert_ok(tlog_consistency_check(&path, old, &before.root, after.size,
                                         &after.root));
        if (old > 0 && old < after.size) {
            before.root.b[0] ^= 1;
            assert_rc(tlog_consistency_check(&path, old, &before.root,
                                             after.size, &after.root),
                      RC_LOG);
        }
    }
    assert_true(i > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_vectors_agree),
        cmocka_unit_test(numbers_reach_the_end_of_64_bits),
        cmocka_unit_test(sample_log_is_whole),
        cmocka_unit_test(tampered_copies_are_refused),
        cmocka_unit_test(another_logs_key_is_refused),
        cmocka_unit_test(a_signed_root_of_other_entries_is_refused),
        cmocka_unit_test(sample_proofs_hold),
        cmocka_unit_test(other_proof_texts_are_refused),
        cmocka_unit_test(witness_requests_are_consistent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
