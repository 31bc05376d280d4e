/* SPDX-License-Identifier: Apache-2.0 */
/* Nitro documents: AWS's own at their time, and whatever was changed. */
#include "snpdata.h"

#include "base/file.h"

#include "attest/cbor.h"

static const struct {
    const char *file;
    int64_t made_s;
    bool debug;
} docs[] = {
    { "doc-2021-03-17.cbor", 1616018515, false },
    { "doc-2021-03-24-pubkey.cbor", 1616602241, false },
    { "doc-2023-09-21-userdata.cbor", 1695337797, false },
    { "doc-2024-01-24-debug-nonce-userdata-pubkey.cbor", 1706120065, true },
};
#define N_DOCS (sizeof(docs) / sizeof(*docs))

static void load(struct wire_blob *out, size_t i)
{
    char path[600];
    snprintf(path, sizeof(path), "%s/nitro/%s", testdata(), docs[i].file);
    assert_ok(file_read(&out->p, &out->len, path, 65536));
}

static void genuine_documents_pass_at_their_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_DOCS; i++) {
        struct wire_blob b = { 0 };
        struct attest_verdict v;
        struct attest_nitro n;
        load(&b, i);
        assert_rc(attest_nitro_verify(&v, &n, &b, NULL, docs[i].made_s),
                  docs[i].debug ? RC_ATTEST : RC_OK);
        assert_true(snp_failed_only(&v, docs[i].debug ? "N8" : ""));
        assert_int_equal(v.ok, !docs[i].debug);
        assert_int_equal(n.timestamp_ms / 1000, docs[i].made_s);
        assert_true(strncmp(n.module, "i-", 2) == 0);
        assert_true(n.has_pcr[0] && n.has_pcr[15] && !n.has_pcr[16]);
        if (i >= 2) {
            assert_int_equal(n.user_data.len, 13);
            assert_memory_equal(n.user_data.p, "Hello World!\n", 13);
        } else {
            assert_null(n.user_data.p);
        }
        assert_int_equal(n.nonce.len, i == 3 ? 6 : 0);
        assert_int_equal(n.public_key.len, i == 1 || i == 3 ? 294 : 0);
        free(b.p);
    }
}

static void the_clock_is_the_callers(void **state)
{
    (void)state;
    static const struct {
        int64_t later_s;
        const char *failing;
    } rows[] = {
        { 0, "" },
        { 3600, "" },
        { -1, "N5 N6" },   /* the leaf begins when it was made */
        { 4 * 3600, "N5" } /* and lives three hours */
    };
    struct wire_blob b = { 0 };
    load(&b, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct attest_verdict v;
        struct attest_nitro n;
        (void)!attest_nitro_verify(&v, &n, &b, NULL,
                                   docs[0].made_s + rows[i].later_s);
        assert_true(snp_failed_only(&v, rows[i].failing));
    }
    free(b.p);
}

static void wanted_pcrs_are_compared(void **state)
{
    (void)state;
    struct wire_blob b = { 0 };
    struct attest_verdict v;
    struct attest_nitro n;
    static struct attest_nitro_want want;
    load(&b, 2);
    assert_ok(attest_nitro_verify(&v, &n, &b, NULL, docs[2].made_s));
    want.has_pcr[0] = want.has_pcr[4] = true;
    memcpy(want.pcr[0], n.pcr[0], 48);
    memcpy(want.pcr[4], n.pcr[4], 48);
    assert_ok(attest_nitro_verify(&v, &n, &b, &want, docs[2].made_s));
    want.pcr[4][47] ^= 1;
    assert_rc(attest_nitro_verify(&v, &n, &b, &want, docs[2].made_s),
              RC_ATTEST);
    assert_true(snp_failed_only(&v, "N9"));
    want.pcr[4][47] ^= 1;
    want.has_pcr[31] = true; /* one that is not in the document */
    assert_rc(attest_nitro_verify(&v, &n, &b, &want, docs[2].made_s),
              RC_ATTEST);
    assert_true(snp_failed_only(&v, "N9"));
    free(b.p);
}

/* A bit of every third byte: nothing in the document may change. */
static void changed_documents_are_refused(void **state)
{
    (void)state;
    struct wire_blob b = { 0 };
    load(&b, 2);
    for (size_t at = 0; at < b.len; at += 3) {
        struct attest_verdict v;
        struct attest_nitro n;
        uint8_t bit = (uint8_t)(1 << at / 3 % 8);
        b.p[at] ^= bit;
        if (attest_nitro_verify(&v, &n, &b, NULL, docs[2].made_s) !=
                    RC_ATTEST ||
            v.ok)
            fail_msg("byte %zu may be changed", at);
        b.p[at] ^= bit;
    }
    free(b.p);
}

static void cut_and_longer_documents_are_refused(void **state)
{
    (void)state;
    struct wire_blob b = { 0 };
    struct attest_verdict v;
    struct attest_nitro n;
    load(&b, 0);
    for (size_t len = 0; len < b.len; len += len < 64 ? 1 : 97) {
        struct wire_blob cut = { b.p, len };
        assert_rc(attest_nitro_verify(&v, &n, &cut, NULL, docs[0].made_s),
                  RC_ATTEST);
        assert_false(snp_row(&v, "N1")->ok);
        assert_false(snp_row(&v, "N7")->ok); /* what is not read fails */
    }
    uint8_t *longer = calloc(1, ATTEST_NITRO_MAX + 1);
    assert_non_null(longer);
    memcpy(longer, b.p, b.len);
    struct wire_blob one = { longer, b.len + 1 };
    assert_rc(attest_nitro_verify(&v, &n, &one, NULL, docs[0].made_s),
              RC_ATTEST);
    assert_string_equal(snp_row(&v, "N1")->actual, "bytes after the end");
    one.len = ATTEST_NITRO_MAX + 1;
    assert_rc(attest_nitro_verify(&v, &n, &one, NULL, docs[0].made_s),
              RC_ATTEST);
    one.p = NULL;
    one.len = 0;
    assert_rc(attest_nitro_verify(&v, &n, &one, NULL, docs[0].made_s),
              RC_ATTEST);
    free(longer);
    free(b.p);
}

/* The first certificate of the bundle must be AWS's, byte for byte. */
static void another_root_is_refused(void **state)
{
    (void)state;
    struct wire_blob b = { 0 };
    struct attest_verdict v;
    struct attest_nitro n;
    load(&b, 0);
    /* 533 bytes, the only such string: the head of cabundle[0] */
    static const uint8_t head[] = { 0x59, 0x02, 0x15, 0x30, 0x82 };
    uint8_t *hit = memmem(b.p, b.len, head, sizeof(head));
    assert_non_null(hit);
    hit += 100;
    for (int flips = 0; flips < 2; flips++) {
        hit[0] ^= 1;
        assert_int_equal(
                attest_nitro_verify(&v, &n, &b, NULL, docs[0].made_s) == RC_OK,
                flips == 1);
        assert_int_equal(snp_row(&v, "N3")->ok, flips == 1);
    }
    free(b.p);
}

static void cbor_has_one_form(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        bool ok;
        uint64_t value;
    } rows[] = {
        { "\x17", 1, true, 23 },
        { "\x18\x18", 2, true, 24 },
        { "\x18\x17", 2, false, 0 },
        { "\x19\x01\x00", 3, true, 256 },
        { "\x19\x00\xff", 3, false, 0 },
        { "\x1a\x00\x01\x00\x00", 5, true, 65536 },
        { "\x1a\x00\x00\xff\xff", 5, false, 0 },
        { "\x1b\x00\x00\x00\x01\x00\x00\x00\x00", 9, true, 1ull << 32 },
        { "\x1b\x00\x00\x00\x00\xff\xff\xff\xff", 9, false, 0 },
        { "\x1b\x00\x00\x00\x01\x00\x00\x00", 8, false, 0 },
        { "\x1c", 1, false, 0 },
        { "\x1f", 1, false, 0 },
        { "\x20", 1, false, 0 },
        { "", 0, false, 0 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct cbor c = { (const uint8_t *)rows[i].bytes, rows[i].len };
        uint64_t v = 0;
        assert_int_equal(attest_cbor_uint(&c, &v), rows[i].ok);
        if (rows[i].ok) {
            assert_int_equal(v, rows[i].value);
            assert_int_equal(c.left, 0);
        }
    }
    struct cbor_bytes b;
    struct cbor huge = { (const uint8_t *)"\x5b\xff\xff\xff\xff\xff\xff\xff"
                                          "\xff\x00",
                         10 };
    assert_false(attest_cbor_bytes(&huge, &b));
    struct cbor endless = { (const uint8_t *)"\x5f\x41\x00\xff", 4 };
    assert_false(attest_cbor_bytes(&endless, &b));
    for (unsigned k = 0; k < 40; k++) { /* heads written are heads read */
        uint8_t head[9];
        uint64_t len = k < 32 ? (1ull << k) - (k & 1) : k;
        size_t n = attest_cbor_put_bytes_head(head, len);
        uint64_t v = 0;
        head[0] &= 0x1F; /* as a number */
        struct cbor c = { head, n };
        assert_true(attest_cbor_uint(&c, &v));
        assert_true(v == len && c.left == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(genuine_documents_pass_at_their_time),
        cmocka_unit_test(the_clock_is_the_callers),
        cmocka_unit_test(wanted_pcrs_are_compared),
        cmocka_unit_test(changed_documents_are_refused),
        cmocka_unit_test(cut_and_longer_documents_are_refused),
        cmocka_unit_test(another_root_is_refused),
        cmocka_unit_test(cbor_has_one_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
