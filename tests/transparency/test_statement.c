/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <sodium.h>

#include "base/enc.h"
#include "base/hash.h"
#include "transparency/transparency.h"

static void participants_do_not_depend_on_order(void **state)
{
    (void)state;
    uint8_t ids[3][32] = { { 3 }, { 1 }, { 2 } };
    uint8_t sorted[20 + 96] = "mpc/participants/v1";
    uint8_t want[32];
    uint8_t got[32];
    sorted[20] = 1;
    sorted[52] = 2;
    sorted[84] = 3;
    hash256(want, sorted, sizeof(sorted));
    tlog_participants(got, (const uint8_t(*)[32])ids, 3);
    assert_memory_equal(got, want, 32);
    uint8_t turned[3][32] = { { 2 }, { 3 }, { 1 } };
    tlog_participants(got, (const uint8_t(*)[32])turned, 3);
    assert_memory_equal(got, want, 32);
    tlog_participants(got, (const uint8_t(*)[32])turned, 2);
    assert_memory_not_equal(got, want, 32);
}

static void approvals_root_is_over_exact_records(void **state)
{
    (void)state;
    const struct tlog_blob records[] = {
        { (const uint8_t *)"{\"a\":1}", 7 },
        { (const uint8_t *)"{\"b\":2}", 7 },
        { (const uint8_t *)"", 0 },
    };
    struct tlog_hash leaf[3];
    struct tlog_hash want;
    uint8_t got[32];
    uint8_t empty[32];
    hash256(empty, "", 0);
    tlog_approvals_root(got, NULL, 0);
    assert_memory_equal(got, empty, 32);
    for (unsigned n = 1; n <= 3; n++) {
        tlog_leaf_hash(&leaf[n - 1], records[n - 1].p, records[n - 1].len);
        tlog_root(&want, leaf, n);
        tlog_approvals_root(got, records, n);
        assert_memory_equal(got, want.b, 32);
    }
}

#define N_VOTES 3
struct election {
    struct tlog_epoch_terms terms;
    struct tlog_vote vote[N_VOTES];
    uint8_t sk[N_VOTES][64];
};

static void cast(struct election *e, unsigned i, const char *tag)
{
    uint8_t msg[TLOG_VOTE_MESSAGE_MAX];
    size_t len;
    struct tlog_vote *v = &e->vote[i];
    tlog_vote_message(msg, &len, tag, &e->terms, v->node, v->y);
    crypto_sign_detached(v->sig, NULL, msg, len, e->sk[i]);
}

static struct election elect(const char *tag)
{
    struct election e = { .terms = {
                                  .epoch = 7, .parent = 6, .t = 2, .n = 3 } };
    memset(e.terms.session, 1, 32);
    memset(e.terms.group_key, 2, 32);
    memset(e.terms.transcript, 3, 32);
    for (unsigned i = 0; i < N_VOTES; i++) {
        uint8_t seed[32] = { (uint8_t)(i + 1) };
        crypto_sign_seed_keypair(e.vote[i].identity, e.sk[i], seed);
        e.vote[i].node = (uint16_t)(i * 2 + 1);
        memset(e.vote[i].y, (int)(0x10 + i), 32);
        cast(&e, i, tag);
    }
    return e;
}

static void vote_message_is_laid_out_as_written_down(void **state)
{
    (void)state;
    struct election e = elect(TLOG_VOTE_PREPARED);
    uint8_t msg[TLOG_VOTE_MESSAGE_MAX];
    char hex[ENC_HEX_SIZE(TLOG_VOTE_MESSAGE_MAX)];
    char want[1024];
    size_t len;
    char s[4][ENC_HEX_SIZE(32)];
    enc_hex(s[0], e.terms.session, 32);
    enc_hex(s[1], e.terms.group_key, 32);
    enc_hex(s[2], e.terms.transcript, 32);
    enc_hex(s[3], e.vote[1].y, 32);
    tlog_vote_message(msg, &len, TLOG_VOTE_PREPARED, &e.terms, 0x0102,
                      e.vote[1].y);
    snprintf(want, sizeof(want), "%s%s%s%s%s%s%s",
             "6d70632f70726570617265642f763100", s[0], s[1],
             "0000000000000007"
             "0000000000000006",
             "000200030102", s[2], s[3]);
    assert_string_equal(enc_hex(hex, msg, len), want);
}

static void good_votes_pass_for_each_tag(void **state)
{
    (void)state;
    static const char *const tags[] = { TLOG_VOTE_PREPARED, TLOG_VOTE_ACTIVE,
                                        TLOG_VOTE_DESTROYED };
    for (unsigned i = 0; i < 3; i++) {
        struct election e = elect(tags[i]);
        for (unsigned j = 0; j < 3; j++)
            assert_rc(tlog_votes_check(&e.terms, tags[j], e.vote, N_VOTES),
                      i == j ? RC_OK : RC_VERIFY);
    }
}

static void one_flipped_bit_of_a_vote_is_refused(void **state)
{
    (void)state;
    struct election e = elect(TLOG_VOTE_PREPARED);
    uint8_t *bytes = (uint8_t *)&e.vote[1];
    for (size_t i = 0; i < 2 + 32 + 32 + 64; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes[i] ^= (uint8_t)(1U << bit);
            assert_rc(tlog_votes_check(&e.terms, TLOG_VOTE_PREPARED, e.vote,
                                       N_VOTES),
                      RC_VERIFY);
            bytes[i] ^= (uint8_t)(1U << bit);
        }
    assert_ok(tlog_votes_check(&e.terms, TLOG_VOTE_PREPARED, e.vote, N_VOTES));
}

static void other_terms_are_refused(void **state)
{
    (void)state;
    struct election e = elect(TLOG_VOTE_PREPARED);
    struct tlog_epoch_terms good = e.terms;
    struct tlog_epoch_terms bad[] = {
        good, good, good, good, good, good, good
    };
    bad[0].session[31] ^= 1;
    bad[1].group_key[0] ^= 1;
    bad[2].epoch++;
    bad[3].parent--;
    bad[4].t++;
    bad[5].n--;
    bad[6].transcript[5] ^= 0x80;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_rc(
                tlog_votes_check(&bad[i], TLOG_VOTE_PREPARED, e.vote, N_VOTES),
                RC_VERIFY);
}

static void votes_are_ascending_distinct_and_some(void **state)
{
    (void)state;
    struct election e = elect(TLOG_VOTE_PREPARED);
    const struct tlog_epoch_terms *t = &e.terms;
    struct tlog_vote v[N_VOTES];
    assert_rc(tlog_votes_check(t, TLOG_VOTE_PREPARED, e.vote, 0), RC_VERIFY);
    v[0] = e.vote[1];
    v[1] = e.vote[0];
    assert_rc(tlog_votes_check(t, TLOG_VOTE_PREPARED, v, 2), RC_VERIFY);
    v[0] = v[1] = e.vote[0];
    assert_rc(tlog_votes_check(t, TLOG_VOTE_PREPARED, v, 2), RC_VERIFY);
    /* one identity under two nodes, both votes well signed */
    memcpy(e.vote[1].identity, e.vote[0].identity, 32);
    memcpy(e.sk[1], e.sk[0], 64);
    cast(&e, 1, TLOG_VOTE_PREPARED);
    assert_rc(tlog_votes_check(t, TLOG_VOTE_PREPARED, e.vote, 2), RC_VERIFY);
    e = elect(TLOG_VOTE_PREPARED);
    e.vote[0].node = 0;
    cast(&e, 0, TLOG_VOTE_PREPARED);
    assert_rc(tlog_votes_check(t, TLOG_VOTE_PREPARED, e.vote, 1), RC_VERIFY);
}

static void endorsements_are_leaves_of_98_bytes(void **state)
{
    (void)state;
    struct election e = elect(TLOG_VOTE_PREPARED);
    struct tlog_hash leaf[N_VOTES];
    struct tlog_hash want;
    uint8_t got[32];
    for (unsigned i = 0; i < N_VOTES; i++) {
        uint8_t bytes[98] = { 0, (uint8_t)e.vote[i].node };
        memcpy(bytes + 2, e.vote[i].identity, 32);
        memcpy(bytes + 34, e.vote[i].sig, 64);
        tlog_leaf_hash(&leaf[i], bytes, sizeof(bytes));
    }
    tlog_root(&want, leaf, N_VOTES);
    tlog_endorsements_root(got, e.vote, N_VOTES);
    assert_memory_equal(got, want.b, 32);
}

/* ---- rosters ---- */

#define VKEY                                                                   \
    "log.example/sample+73ced63c+"                                             \
    "AY632VItW5OprDifVdjtScfHZpXv0HGBxMmBOZ9KqQ+e"
#define K1 "1100000000000000000000000000000000000000000000000000000000000000"
#define K2 "2200000000000000000000000000000000000000000000000000000000000000"
#define K3 "3300000000000000000000000000000000000000000000000000000000000000"
#define K4 "4400000000000000000000000000000000000000000000000000000000000000"

static const char roster_text[] = "mpc-roster/1\nlog " VKEY "\nnode 1 " K1
                                  " " K2 " -\nnode 2 " K2 " " K1 " " K3 "," K4
                                  "\nnode 65535 " K3 " " K1 " " K4 "\n";

static void roster_comes_back(void **state)
{
    (void)state;
    static struct tlog_roster r;
    char again[4096];
    size_t len = 0;
    assert_ok(tlog_roster_decode(&r, roster_text, strlen(roster_text)));
    assert_int_equal(r.n, 3);
    assert_string_equal(r.log.name, "log.example/sample");
    assert_int_equal(r.node[1].n_custodians, 2);
    assert_int_equal(r.node[1].custodian[1][0], 0x44);
    assert_int_equal(tlog_roster_find(&r, 65535)->identity[0], 0x33);
    assert_null(tlog_roster_find(&r, 3));
    assert_ok(tlog_roster_encode(again, sizeof(again), &len, &r));
    assert_string_equal(again, roster_text);
    assert_int_equal(len, strlen(roster_text));
    for (size_t cap = 0; cap <= len; cap++)
        assert_int_not_equal(tlog_roster_encode(again, cap, &len, &r), RC_OK);
    assert_ok(tlog_roster_encode(again, len + 1, &len, &r));
}

static const struct {
    const char *why;
    const char *from;
    const char *to;
} roster_swaps[] = {
    { "version", "mpc-roster/1", "mpc-roster/2" },
    { "no log", "log " VKEY "\n", "" },
    { "log key id", "+73ced63c+", "+73ced63d+" },
    { "log key is a cosigner's", VKEY,
      "witness.example/w1+dc53a48f+"
      "BK8fe14HAi43qhBpY4+FgJ3QfM2vhsq/aIc57EtHYihv" },
    { "no nodes",
      "node 1 " K1 " " K2 " -\nnode 2 " K2 " " K1 " " K3 "," K4
      "\nnode 65535 " K3 " " K1 " " K4 "\n",
      "" },
    { "node 0", "node 1 ", "node 0 " },
    { "descending", "node 2 ", "node 65535 " },
    { "the same id", "node 2 ", "node 1 " },
    { "leading zero", "node 2 ", "node 02 " },
    { "id over 16 bits", "node 65535", "node 65536" },
    { "no custodians, not even '-'", " -\n", "\n" },
    { "empty custodians", " -\n", " \n" },
    { "custodians descending", K3 "," K4, K4 "," K3 },
    { "custodian twice", K3 "," K4, K3 "," K3 },
    { "trailing comma", K3 "," K4, K3 "," },
    { "leading comma", K3 "," K4, "," K4 },
    { "space after comma", K3 "," K4, K3 ", " K4 },
    { "one identity, two nodes", "node 2 " K2, "node 2 " K1 },
    { "upper case", "node 1 " K1, "node 1 AA" K1 },
    { "two spaces", "node 1 ", "node 1  " },
    { "trailing space", " -\n", " - \n" },
    { "CR", " -\n", " -\r\n" },
    { "empty line", " -\n", " -\n\n" },
};

static void other_rosters_are_refused(void **state)
{
    (void)state;
    static struct tlog_roster r;
    for (size_t i = 0; i < sizeof(roster_swaps) / sizeof(roster_swaps[0]);
         i++) {
        char text[4096];
        const char *from = roster_swaps[i].from;
        const char *at = strstr(roster_text, from);
        assert_non_null(at);
        snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - roster_text),
                 roster_text, roster_swaps[i].to, at + strlen(from));
        if (tlog_roster_decode(&r, text, strlen(text)) != RC_PARSE)
            fail_msg("accepted: %s", roster_swaps[i].why);
    }
    for (size_t cut = 0; cut < strlen(roster_text); cut++) {
        bool whole = cut > 0 && roster_text[cut - 1] == '\n' &&
                     strncmp(roster_text + cut, "node 1 ", 7) != 0 &&
                     strncmp(roster_text + cut, "log ", 4) != 0;
        assert_rc(tlog_roster_decode(&r, roster_text, cut),
                  whole ? RC_OK : RC_PARSE);
    }
}

static struct tlog_roster *big_roster(unsigned n, unsigned custodians)
{
    struct tlog_roster *r = calloc(1, sizeof(*r));
    uint8_t key[32] = { 5 };
    assert_non_null(r);
    assert_ok(tlog_vkey_make(&r->log, "dev/log", TLOG_SIG_ED25519, key));
    r->n = n;
    for (unsigned i = 0; i < n; i++) {
        r->node[i].id = (uint16_t)(i + 1);
        r->node[i].identity[0] = (uint8_t)(i + 1);
        r->node[i].n_custodians = custodians;
        for (unsigned c = 0; c < custodians; c++)
            r->node[i].custodian[c][0] = (uint8_t)(c + 1);
    }
    return r;
}

static void roster_maxima_hold(void **state)
{
    (void)state;
    static char text[2 * TLOG_ROSTER_MAX];
    static struct tlog_roster back;
    size_t len = 0;
    OWNED_MEM struct tlog_roster *r = big_roster(TLOG_MAX_NODES, 5);
    assert_ok(tlog_roster_encode(text, sizeof(text), &len, r));
    assert_true(len <= TLOG_ROSTER_MAX);
    assert_ok(tlog_roster_decode(&back, text, len));
    assert_memory_equal(&back, r, sizeof(back));
    /* one node more than there may be */
    len += (size_t)snprintf(text + len, 512, "node 999 ff%s %s -\n", K1 + 2,
                            K2);
    assert_rc(tlog_roster_decode(&back, text, len), RC_PARSE);
    OWNED_MEM struct tlog_roster *huge = big_roster(TLOG_MAX_NODES, 8);
    assert_rc(tlog_roster_encode(text, sizeof(text), &len, huge), RC_TOO_LARGE);
    assert_rc(tlog_roster_decode(&back, text, TLOG_ROSTER_MAX + 1),
              RC_TOO_LARGE);
}

static void nine_custodians_are_refused(void **state)
{
    (void)state;
    static char text[4096];
    static struct tlog_roster back;
    size_t len = 0;
    OWNED_MEM struct tlog_roster *r = big_roster(1, 8);
    assert_ok(tlog_roster_encode(text, sizeof(text), &len, r));
    assert_ok(tlog_roster_decode(&back, text, len));
    snprintf(text + len - 1, 128, ",09%s\n", K1 + 2);
    assert_rc(tlog_roster_decode(&back, text, strlen(text)), RC_PARSE);
    r->node[0].n_custodians = 9;
    assert_rc(tlog_roster_encode(text, sizeof(text), &len, r), RC_ARG);
}

/* ---- proofs ---- */

static void a_proof_is_judged_whole(void **state)
{
    (void)state;
    static struct tlog_proof p;
    struct tlog_vkey log;
    struct tlog_checkpoint cp = { .origin = "dev/log", .size = 2 };
    struct tlog_checkpoint got;
    struct tlog_hash leaf[2];
    uint8_t pk[32];
    uint8_t sk[64];
    crypto_sign_seed_keypair(pk, sk, (const uint8_t[32]){ 1 });
    assert_ok(tlog_vkey_make(&log, "dev/log", TLOG_SIG_ED25519, pk));
    tlog_leaf_hash(&leaf[0], "first", 5);
    tlog_leaf_hash(&leaf[1], "second", 6);
    tlog_root(&cp.root, leaf, 2);
    assert_ok(tlog_checkpoint_sign(p.checkpoint, sizeof(p.checkpoint), &cp,
                                   &log, sk));
    strcpy(p.entry, "second");
    p.entry_len = 6;
    p.index = 1;
    p.path.n = 1;
    p.path.hash[0] = leaf[0];
    assert_ok(tlog_proof_check(&p, &log, &got));
    assert_int_equal(got.size, 2);
    assert_ok(tlog_proof_check(&p, &log, NULL));
    p.index = 0;
    assert_rc(tlog_proof_check(&p, &log, NULL), RC_LOG);
    p.index = 1;
    p.entry[0] ^= 1;
    assert_rc(tlog_proof_check(&p, &log, NULL), RC_LOG);
    p.entry[0] ^= 1;
    p.entry_len = TLOG_ENTRY_MAX + 1;
    assert_rc(tlog_proof_check(&p, &log, NULL), RC_LOG);
    p.entry_len = 6;
    memset(p.checkpoint, 'x', sizeof(p.checkpoint)); /* no NUL */
    assert_rc(tlog_proof_check(&p, &log, NULL), RC_PARSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(participants_do_not_depend_on_order),
        cmocka_unit_test(approvals_root_is_over_exact_records),
        cmocka_unit_test(vote_message_is_laid_out_as_written_down),
        cmocka_unit_test(good_votes_pass_for_each_tag),
        cmocka_unit_test(one_flipped_bit_of_a_vote_is_refused),
        cmocka_unit_test(other_terms_are_refused),
        cmocka_unit_test(votes_are_ascending_distinct_and_some),
        cmocka_unit_test(endorsements_are_leaves_of_98_bytes),
        cmocka_unit_test(roster_comes_back),
        cmocka_unit_test(other_rosters_are_refused),
        cmocka_unit_test(roster_maxima_hold),
        cmocka_unit_test(nine_custodians_are_refused),
        cmocka_unit_test(a_proof_is_judged_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
