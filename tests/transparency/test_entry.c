/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/enc.h"
#include "base/hash.h"
#include "transparency/transparency.h"

/* Every kind behind one pair of signatures, so that tables can hold them. */
union any {
    struct tlog_intent intent;
    struct tlog_birth birth;
    struct tlog_epoch epoch;
    struct tlog_receipt receipt;
    struct tlog_policy policy;
    struct tlog_evidence evidence;
    struct tlog_abort abort;
};
struct kind {
    const char *text;
    enum tlog_kind kind;
    enum rc (*decode)(union any *out, const char *text, size_t len);
    enum rc (*encode)(char *out, size_t *len, const union any *in);
};

#define WRAP(name)                                                             \
    static enum rc name##_dec(union any *out, const char *text, size_t len)    \
    {                                                                          \
        return tlog_##name##_decode(&out->name, text, len);                    \
    }                                                                          \
    static enum rc name##_enc(char *out, size_t *len, const union any *in)     \
    {                                                                          \
        return tlog_##name##_encode(out, len, &in->name);                      \
    }
WRAP(intent)
WRAP(birth)
WRAP(epoch)
WRAP(receipt)
WRAP(policy)
WRAP(evidence)
WRAP(abort)

#define A "0a00000000000000000000000000000000000000000000000000000000000001"
#define B "0b00000000000000000000000000000000000000000000000000000000000002"
#define C "0c00000000000000000000000000000000000000000000000000000000000003"
#define D "0d00000000000000000000000000000000000000000000000000000000000004"
#define E "0e00000000000000000000000000000000000000000000000000000000000005"
#define F "0f00000000000000000000000000000000000000000000000000000000000006"

static const struct kind kinds[] = {
    { "mpc-intent/1\ncommitment " A "\nkey " B "\nclass artifact\nmode ed25519"
      "\nsession " C "\nslot raw\nattempt 1\nepoch 12\napprovals " D
      "\nparticipants " E "\npolicy " F "\nbirth 104\nexpires 1732250120\n",
      TLOG_INTENT, intent_dec, intent_enc },
    { "mpc-intent/1\ncommitment " A "\nkey " B "\nclass tls\nmode ed25519"
      "\nsession -\nslot tls13\nattempt 5\nepoch 1\napprovals " D
      "\nparticipants " E "\npolicy " F "\nbirth -\nexpires 0\n",
      TLOG_INTENT, intent_dec, intent_enc },
    { "mpc-birth/1\nkey " A "\nsession " B "\nclass issuer\nthreshold 2"
      "\nparticipants " C "\nendorsements " D "\napprovals " E "\npolicy " F
      "\n",
      TLOG_BIRTH, birth_dec, birth_enc },
    { "mpc-epoch/1\nkey " A "\nsession " B "\ntype reshare\nepoch 2\nparent 1"
      "\nthreshold 3\nparticipants " C "\nendorsements " D "\npolicy " E "\n",
      TLOG_EPOCH, epoch_dec, epoch_enc },
    { "mpc-receipt/1\nintent 0\nsignature " A "\ncertificate " B "\n",
      TLOG_RECEIPT, receipt_dec, receipt_enc },
    { "mpc-receipt/1\nintent 9223372036854775807\nsignature " A
      "\ncertificate -\n",
      TLOG_RECEIPT, receipt_dec, receipt_enc },
    { "mpc-policy/1\nversion 2\nsha256 " A "\nprev " B "\nroster " C
      "\napprovals " D "\n",
      TLOG_POLICY, policy_dec, policy_enc },
    { "mpc-evidence/1\nnode 0\nak " A "\nidentity " B "\nreport " C "\n",
      TLOG_EVIDENCE, evidence_dec, evidence_enc },
    { "mpc-abort/1\nintent 77\nreason expired_nonces\n", TLOG_ABORT, abort_dec,
      abort_enc },
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void every_kind_comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_KINDS; i++) {
        const char *text = kinds[i].text;
        union any e;
        char again[TLOG_ENTRY_MAX + 1];
        size_t len = 0;
        assert_int_equal(tlog_entry_kind(text, strlen(text)), kinds[i].kind);
        assert_ok(kinds[i].decode(&e, text, strlen(text)));
        assert_ok(kinds[i].encode(again, &len, &e));
        assert_int_equal(len, strlen(text));
        assert_string_equal(again, text);
    }
}

static void fields_arrive_where_they_belong(void **state)
{
    (void)state;
    union any e;
    assert_ok(intent_dec(&e, kinds[0].text, strlen(kinds[0].text)));
    assert_int_equal(e.intent.commitment[0], 0x0a);
    assert_int_equal(e.intent.key[31], 2);
    assert_string_equal(e.intent.class, "artifact");
    assert_string_equal(e.intent.mode, "ed25519");
    assert_int_equal(e.intent.session[0], 0x0c);
    assert_string_equal(e.intent.slot, "raw");
    assert_int_equal(e.intent.attempt, 1);
    assert_int_equal(e.intent.epoch, 12);
    assert_int_equal(e.intent.approvals[0], 0x0d);
    assert_int_equal(e.intent.participants[0], 0x0e);
    assert_int_equal(e.intent.policy[0], 0x0f);
    assert_int_equal(e.intent.birth, 104);
    assert_int_equal(e.intent.expires, 1732250120);
    assert_ok(intent_dec(&e, kinds[1].text, strlen(kinds[1].text)));
    assert_true(e.intent.birth == TLOG_NO_INDEX);
    assert_ok(receipt_dec(&e, kinds[4].text, strlen(kinds[4].text)));
    assert_true(e.receipt.has_certificate);
    assert_ok(receipt_dec(&e, kinds[5].text, strlen(kinds[5].text)));
    assert_false(e.receipt.has_certificate);
}

static void commitment_stands_at_a_fixed_offset(void **state)
{
    (void)state;
    assert_memory_equal(kinds[0].text + strlen("mpc-intent/1\ncommitment "), A,
                        64);
}

/* A changed byte is refused or is another entry, never the same one. */
static void one_changed_byte_never_decodes_to_the_same(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_KINDS; k++) {
        char text[TLOG_ENTRY_MAX];
        size_t len = strlen(kinds[k].text);
        union any was;
        union any now;
        memset(&was, 0, sizeof(was));
        assert_ok(kinds[k].decode(&was, kinds[k].text, len));
        for (size_t i = 0; i < len; i++) {
            for (unsigned v = 0; v < 256; v++) {
                memcpy(text, kinds[k].text, len + 1);
                if ((char)v == text[i])
                    continue;
                text[i] = (char)v;
                memset(&now, 0, sizeof(now));
                enum rc rc = kinds[k].decode(&now, text, len);
                if (rc == RC_OK && memcmp(&was, &now, sizeof(was)) == 0)
                    fail_msg("kind %zu byte %zu: two texts", k, i);
                if (rc != RC_OK && rc != RC_PARSE)
                    fail_msg("kind %zu byte %zu: %s", k, i, rc_slug(rc));
            }
        }
    }
}

static void structure_bytes_cannot_change(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_KINDS; k++) {
        char text[TLOG_ENTRY_MAX];
        size_t len = strlen(kinds[k].text);
        union any e;
        bool in_value = false;
        for (size_t i = 0; i < len; i++) {
            memcpy(text, kinds[k].text, len + 1);
            in_value = in_value && text[i] != '\n';
            bool structure = !in_value;
            in_value = in_value || text[i] == ' ';
            if (!structure)
                continue;
            for (unsigned v = 0; v < 256; v++) {
                if ((char)v == kinds[k].text[i])
                    continue;
                text[i] = (char)v;
                assert_rc(kinds[k].decode(&e, text, len), RC_PARSE);
            }
        }
    }
}

static void every_cut_and_every_tail_is_refused(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_KINDS; k++) {
        char text[TLOG_ENTRY_MAX];
        size_t len = strlen(kinds[k].text);
        union any e;
        for (size_t cut = 0; cut < len; cut++)
            assert_rc(kinds[k].decode(&e, kinds[k].text, cut), RC_PARSE);
        snprintf(text, sizeof(text), "%s\n", kinds[k].text);
        assert_rc(kinds[k].decode(&e, text, len + 1), RC_PARSE);
        snprintf(text, sizeof(text), "%sx y\n", kinds[k].text);
        assert_rc(kinds[k].decode(&e, text, len + 4), RC_PARSE);
        memcpy(text, kinds[k].text, len + 1);
        assert_rc(kinds[k].decode(&e, text, len + 1), RC_PARSE); /* NUL */
    }
}

/* from replaced by to in the first entry it occurs in */
static const struct {
    const char *why;
    size_t kind;
    const char *from;
    const char *to;
} swaps[] = {
    { "CR", 0, "\nslot raw\n", "\nslot raw\r\n" },
    { "CR in the first line", 0, "mpc-intent/1\n", "mpc-intent/1\r\n" },
    { "two spaces", 0, "slot raw", "slot  raw" },
    { "trailing space", 0, "slot raw", "slot raw " },
    { "leading space", 0, "slot raw", " slot raw" },
    { "tab", 0, "slot raw", "slot\traw" },
    { "leading zero", 0, "epoch 12", "epoch 012" },
    { "sign", 0, "epoch 12", "epoch +12" },
    { "hex number", 0, "epoch 12", "epoch 0xc" },
    { "epoch 0", 0, "epoch 12", "epoch 0" },
    { "attempt 0", 0, "attempt 1", "attempt 0" },
    { "empty value", 0, "attempt 1", "attempt " },
    { "no space", 0, "attempt 1", "attempt" },
    { "upper-case hex", 0, "commitment 0a", "commitment 0A" },
    { "short hex", 0, "commitment 0a", "commitment 0" },
    { "long hex", 0, "commitment 0a", "commitment 0a00" },
    { "unknown class", 0, "class artifact", "class artifacts" },
    { "part of a class", 0, "class artifact", "class art" },
    { "two classes", 0, "class artifact", "class issuer tls" },
    { "empty class", 0, "class artifact", "class " },
    { "unknown mode", 0, "mode ed25519", "mode ed25519ph" },
    { "unknown slot", 0, "slot raw", "slot tls1" },
    { "unknown line", 0, "slot raw\n", "slot raw\nextra 1\n" },
    { "line twice", 0, "slot raw\n", "slot raw\nslot raw\n" },
    { "line missing", 0, "slot raw\n", "" },
    { "lines swapped", 0, "slot raw\nattempt 1\n", "attempt 1\nslot raw\n" },
    { "empty line", 0, "slot raw\n", "slot raw\n\n" },
    { "other version", 0, "mpc-intent/1", "mpc-intent/2" },
    { "number over 63 bits", 0, "birth 104", "birth 9223372036854775808" },
    { "the missing index in digits", 0, "birth 104",
      "birth 18446744073709551615" },
    { "negative time", 0, "expires 1732250120", "expires -1" },
    { "no session in digits", 0, "session " C,
      "session 00000000000000000000000000000000000000000000000000000000000"
      "00000" },
    { "no policy", 0, "policy " F, "policy -" },
    { "birth without session", 2, "session " B, "session -" },
    { "threshold 0", 2, "threshold 2", "threshold 0" },
    { "threshold over 16 bits", 2, "threshold 2", "threshold 65536" },
    { "unknown type", 3, "type reshare", "type repair" },
    { "receipt of no intent", 4, "intent 0", "intent -" },
    { "version 0", 6, "version 2", "version 0" },
    { "node over 16 bits", 7, "node 0", "node 65536" },
    { "no reason", 8, "expired_nonces", "" },
    { "reason with digit", 8, "expired_nonces", "expired2" },
    { "reason in capitals", 8, "expired_nonces", "Expired" },
    { "reason too long", 8, "expired_nonces",
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
};

static void other_spellings_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(swaps) / sizeof(swaps[0]); i++) {
        const struct kind *k = &kinds[swaps[i].kind];
        char text[TLOG_ENTRY_MAX];
        union any e;
        const char *at = strstr(k->text, swaps[i].from);
        assert_non_null(at);
        snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - k->text), k->text,
                 swaps[i].to, at + strlen(swaps[i].from));
        if (k->decode(&e, text, strlen(text)) != RC_PARSE)
            fail_msg("accepted: %s", swaps[i].why);
    }
}

static void longest_reason_is_taken(void **state)
{
    (void)state;
    union any e;
    const char *text = "mpc-abort/1\nintent 1\nreason "
                       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n";
    assert_ok(abort_dec(&e, text, strlen(text)));
    assert_int_equal(strlen(e.abort.reason), 32);
}

static void encode_refuses_what_decode_would(void **state)
{
    (void)state;
    char out[TLOG_ENTRY_MAX + 1] = "untouched";
    size_t len = 99;
    union any good;
    union any e;
    assert_ok(intent_dec(&good, kinds[0].text, strlen(kinds[0].text)));
    e = good;
    e.intent.epoch = 0;
    assert_rc(intent_enc(out, &len, &e), RC_ARG);
    e = good;
    memset(e.intent.class, 'a', sizeof(e.intent.class));
    assert_rc(intent_enc(out, &len, &e), RC_ARG);
    e = good;
    strcpy(e.intent.slot, "a b");
    assert_rc(intent_enc(out, &len, &e), RC_ARG);
    e = good;
    e.intent.expires = -1;
    assert_rc(intent_enc(out, &len, &e), RC_ARG);
    e = good;
    e.intent.attempt = TLOG_NO_INDEX;
    assert_rc(intent_enc(out, &len, &e), RC_ARG);
    assert_string_equal(out, "untouched");
    assert_int_equal(len, 99);
}

static void unknown_first_lines_are_opaque(void **state)
{
    (void)state;
    static const char *const texts[] = { "", "mpc-intent/1", "mpc-intent/10\n",
                                         "{\"kind\":\"dsse\"}", "\n" };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(tlog_entry_kind(texts[i], strlen(texts[i])),
                         TLOG_OPAQUE);
}

static void oversized_entries_are_refused(void **state)
{
    (void)state;
    static char text[TLOG_ENTRY_MAX + 2];
    union any e;
    memset(text, 'a', sizeof(text));
    memcpy(text, kinds[8].text, strlen("mpc-abort/1\n"));
    assert_rc(abort_dec(&e, text, TLOG_ENTRY_MAX + 1), RC_TOO_LARGE);
    assert_rc(abort_dec(&e, text, TLOG_ENTRY_MAX), RC_PARSE);
}

/* Against the formula of FORMATS section 1, spelled out. */
static void commitment_follows_its_formula(void **state)
{
    (void)state;
    uint8_t salt[32];
    uint8_t plain[15 + 32 + 64] = "mpc/message/v1";
    uint8_t want[32];
    uint8_t got[32];
    memset(salt, 9, sizeof(salt));
    memcpy(plain + 15, salt, 32);
    hash512(plain + 47, "hello", 5);
    hash256(want, plain, sizeof(plain));
    tlog_commitment(got, salt, (const uint8_t *)"hello", 5);
    assert_memory_equal(got, want, 32);
    tlog_commitment_of_hash(got, salt, plain + 47);
    assert_memory_equal(got, want, 32);
    tlog_commitment(got, salt, (const uint8_t *)"hellp", 5);
    assert_memory_not_equal(got, want, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_comes_back),
        cmocka_unit_test(fields_arrive_where_they_belong),
        cmocka_unit_test(commitment_stands_at_a_fixed_offset),
        cmocka_unit_test(one_changed_byte_never_decodes_to_the_same),
        cmocka_unit_test(structure_bytes_cannot_change),
        cmocka_unit_test(every_cut_and_every_tail_is_refused),
        cmocka_unit_test(other_spellings_are_refused),
        cmocka_unit_test(longest_reason_is_taken),
        cmocka_unit_test(encode_refuses_what_decode_would),
        cmocka_unit_test(unknown_first_lines_are_opaque),
        cmocka_unit_test(oversized_entries_are_refused),
        cmocka_unit_test(commitment_follows_its_formula),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
