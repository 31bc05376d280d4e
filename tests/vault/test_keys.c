/* SPDX-License-Identifier: Apache-2.0 */
/* Node keys, the roster, and where the sealing key comes from. */
#include "cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/hash.h"
#include "vault/inner.h"

static int setup(void **state)
{
    *state = cluster_new(*(const enum mode *)*state);
    return 0;
}

static int teardown(void **state)
{
    cluster_free(*state);
    return 0;
}

/* ---- roster ------------------------------------------------------------- */

/* Sets what roster_write() last wrote, at node 1. */
static enum rc set1(struct cluster *c, const struct tlog_proof *proof)
{
    uint8_t sealed[VAULT_SEALED_KEYS_MAX];
    size_t len = 0;
    return vault_roster_set(c->v[0], c->roster_text, c->roster_len, proof,
                            sealed, &len);
}

static void text_again(struct cluster *c)
{
    assert_ok(tlog_roster_encode(c->roster_text, sizeof(c->roster_text),
                                 &c->roster_len, &c->roster));
}

static void refuses_a_roster_without_our_keys(void **state)
{
    struct cluster *c = *state;
    roster_write(c);
    const struct tlog_roster good = c->roster;
    /* another identity, another box key, our id missing */
    c->roster.node[0].identity[0] ^= 1;
    text_again(c);
    assert_rc(set1(c, NULL), RC_POLICY);
    c->roster = good;
    c->roster.node[0].box[31] ^= 1;
    text_again(c);
    assert_rc(set1(c, NULL), RC_POLICY);
    c->roster = good;
    memmove(&c->roster.node[0], &c->roster.node[1],
            2 * sizeof(c->roster.node[0]));
    c->roster.n = 2;
    text_again(c);
    assert_rc(set1(c, NULL), RC_POLICY);
    c->roster = good;
    text_again(c);
    assert_ok(set1(c, NULL));
}

static void refuses_a_roster_that_is_not_its_one_text(void **state)
{
    struct cluster *c = *state;
    roster_write(c);
    c->roster_text[c->roster_len - 1] = ' ';
    assert_rc(set1(c, NULL), RC_PARSE);
    c->roster_len = 0;
    assert_rc(set1(c, NULL), RC_PARSE);
}

/* The policy entry that names the roster now written, logged and proven. */
static void policy_prove(struct cluster *c, struct tlog_proof *proof,
                         uint64_t version)
{
    struct tlog_policy p = { .version = version };
    char entry[TLOG_ENTRY_MAX + 1];
    size_t len;
    hash256(p.roster, c->roster_text, c->roster_len);
    assert_ok(tlog_policy_encode(entry, &len, &p));
    log_prove(&c->log, proof, entry, len, log_append(&c->log, entry, len));
}

static void a_box_key_outside_the_roster_is_never_used(void **state)
{
    struct cluster *c = *state;
    struct tlog_proof proof;
    struct tlog_proof bad;
    struct made_key *k = calloc(1, sizeof(*k));
    roster_write(c);
    rosters_set(c);
    const struct tlog_roster good = c->roster;
    /* dealing to a node the roster does not have */
    dkg_terms(k, 1, false);
    k->terms.ids[2] = 9;
    assert_rc(vault_dkg_begin(c->v[0], &k->packages[0], &k->terms), RC_UNKNOWN);
    free(k);
    /* a roster with a thief's box key: no proof, or a wrong one */
    memset(c->roster.node[2].box, 0x66, 32);
    text_again(c);
    assert_rc(set1(c, NULL), RC_POLICY);
    policy_prove(c, &proof, 2);
    bad = proof;
    bad.path.n = 1; /* no such path in a log of one entry */
    assert_rc(set1(c, &bad), RC_LOG);
    bad = proof;
    bad.entry[bad.entry_len - 2] ^= 1; /* another entry than the proven one */
    assert_rc(set1(c, &bad), RC_LOG);
    bad = proof;
    bad.checkpoint[strlen(bad.checkpoint) - 5] ^= 1;
    assert_true(set1(c, &bad) != RC_OK);
    /* a proof of another roster */
    c->roster = good;
    memset(c->roster.node[2].box, 0x67, 32);
    text_again(c);
    assert_rc(set1(c, &proof), RC_POLICY);
    /* an entry that is no policy */
    static const char other[] = "mpc-abort/1\nintent 0\nreason x\n";
    log_prove(&c->log, &bad, other, strlen(other),
              log_append(&c->log, other, strlen(other)));
    assert_rc(set1(c, &bad), RC_PARSE);
    /* in a stranger's log */
    struct test_log mine = c->log;
    log_init(&c->log, 2);
    policy_prove(c, &bad, 2);
    c->log = mine;
    assert_rc(set1(c, &bad), RC_LOG);
    /* and the honest way */
    policy_prove(c, &proof, 2);
    assert_ok(set1(c, &proof));
}

static void a_roster_never_goes_back(void **state)
{
    struct cluster *c = *state;
    struct tlog_proof second, third;
    roster_write(c);
    assert_ok(set1(c, NULL));
    memset(c->roster.node[1].box, 2, 32);
    text_again(c);
    policy_prove(c, &second, 2);
    const struct tlog_roster two = c->roster;
    assert_ok(set1(c, &second));
    assert_ok(set1(c, NULL)); /* the same again needs nothing */
    memset(c->roster.node[1].box, 3, 32);
    text_again(c);
    policy_prove(c, &third, 3);
    assert_ok(set1(c, &third));
    c->roster = two;
    text_again(c);
    assert_rc(set1(c, &second), RC_POLICY);
    /* nor to another log */
    c->roster.log.key[0] ^= 1;
    assert_ok(tlog_vkey_make(&c->roster.log, c->log.vkey.name, TLOG_SIG_ED25519,
                             c->roster.log.key));
    text_again(c);
    policy_prove(c, &third, 4);
    assert_rc(set1(c, &third), RC_POLICY);
}

static void a_new_roster_ends_dkgs_under_way(void **state)
{
    struct cluster *c = *state;
    struct tlog_proof proof;
    uint8_t boxes[NODES][VAULT_BOX_LEN];
    struct made_key *k = calloc(1, sizeof(*k));
    roster_write(c);
    rosters_set(c);
    dkg_terms(k, 1, false);
    for (unsigned i = 0; i < NODES; i++)
        assert_ok(vault_dkg_begin(c->v[i], &k->packages[i], &k->terms));
    memset(c->roster.node[2].box, 4, 32);
    text_again(c);
    policy_prove(c, &proof, 2);
    assert_ok(set1(c, &proof));
    assert_rc(vault_dkg_deal(c->v[0], boxes, k->terms.session, k->packages,
                             NODES),
              RC_UNKNOWN);
    free(k);
}

/* ---- states -------------------------------------------------------------- */

static void nothing_but_open_and_roster_before_the_roster(void **state)
{
    struct cluster *c = *state;
    struct made_key *k = calloc(1, sizeof(*k));
    struct vault_commitment out[1];
    uint8_t sealed[VAULT_SEALED_KEYS_MAX];
    size_t len = 0;
    struct vault_keys keys;
    dkg_terms(k, 1, false);
    assert_rc(vault_dkg_begin(c->v[0], &k->packages[0], &k->terms), RC_ORDER);
    assert_rc(vault_commit(c->v[0], out, 1, k->key, 1, 1), RC_ORDER);
    assert_rc(vault_head_set(c->v[0], "x", 1), RC_ORDER);
    assert_rc(vault_forget(c->v[0], k->key, 1), RC_ORDER);
    assert_rc(vault_open(c->v[0], &keys, sealed, &len), RC_ORDER);
    node_start(c, 0);
    assert_rc(vault_roster_set(c->v[0], "x", 1, NULL, sealed, &len), RC_ORDER);
    free(k);
}

/* ---- sealed keys ---------------------------------------------------------- */

static void sealed_keys_open_to_the_same_keys(void **state)
{
    struct cluster *c = *state;
    const struct vault_keys before = c->keys[0];
    roster_write(c);
    rosters_set(c);
    node_start(c, 0);
    size_t len = c->sealed_len[0];
    assert_ok(vault_open(c->v[0], &c->keys[0], c->sealed[0], &len));
    assert_int_equal(len, 0); /* nothing new to keep */
    uint8_t roster[32];
    hash256(roster, c->roster_text, c->roster_len);
    assert_memory_equal(c->keys[0].identity, before.identity, 32);
    assert_memory_equal(c->keys[0].box, before.box, 32);
    assert_true(c->keys[0].has_roster);
    assert_memory_equal(c->keys[0].roster, roster, 32);
    assert_memory_not_equal(c->keys[0].boot, before.boot, 16);
}

static void sealed_keys_open_nowhere_else(void **state)
{
    struct cluster *c = *state;
    uint8_t sealed[VAULT_SEALED_KEYS_MAX];
    struct vault_keys keys;
    static const struct {
        const char *why;
        bool node, cluster, measurement, key;
        enum rc rc;
    } cases[] = {
        { "another node", true, false, false, false, RC_STORE },
        { "another cluster", false, true, false, false, RC_STORE },
        { "another measurement", false, false, true, false, RC_STORE },
        { "another chip", false, false, false, true, RC_UNKNOWN },
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct vault_config config = node_config(c, 0);
        uint8_t chip[32] = { 0x55 };
        struct vault *v = NULL;
        size_t len = c->sealed_len[0];
        memcpy(sealed, c->sealed[0], len);
        config.node = cases[i].node ? 2 : 1;
        config.cluster[0] ^= cases[i].cluster;
        config.measurement[0] ^= cases[i].measurement;
        if (cases[i].key)
            config.test_seal_key = chip;
        assert_ok(c->mode == SPAWNED ? vault_spawn(&v, &config)
                                     : vault_local(&v, &config));
        enum rc rc = vault_open(v, &keys, sealed, &len);
        if (rc != cases[i].rc)
            fail_msg("%s: %s", cases[i].why, rc_slug(rc));
        vault_free(v);
    }
}

static void flipped_bit_in_sealed_keys_is_refused(void **state)
{
    struct cluster *c = *state;
    struct vault_keys keys;
    uint8_t sealed[VAULT_SEALED_KEYS_MAX];
    node_start(c, 0);
    for (size_t i = 0; i < c->sealed_len[0]; i++) {
        size_t len = c->sealed_len[0];
        memcpy(sealed, c->sealed[0], len);
        sealed[i] ^= (uint8_t)(1u << (i % 8));
        bool other = i >= 40 && i < 56; /* names another master key */
        assert_rc(vault_open(c->v[0], &keys, sealed, &len),
                  other ? RC_UNKNOWN : RC_STORE);
    }
    for (size_t len = 1; len < c->sealed_len[0]; len++) {
        size_t cut = len;
        memcpy(sealed, c->sealed[0], len);
        assert_rc(vault_open(c->v[0], &keys, sealed, &cut), RC_STORE);
    }
    node_open(c, 0);
}

/* ---- the sealing key -------------------------------------------------------- */

/* Plays the simulator: its answer waits in the socket already. */
static enum rc open_by_simulator(struct vault_keys *keys, uint8_t *sealed,
                                 size_t *len, enum mode mode,
                                 const uint8_t *answer, size_t answer_len)
{
    static const uint8_t want[] = {
        'M', 'P', 'C', 'S', 'I', 'M', '1', '\n', 2, 0, 0, 0, 24,
        /* policy, measurement, tcb; vmpl; svn; tcb_version */
        0, 0, 0, 0, 0, 0, 0, 0x29, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0x12, 0x34
    };
    uint8_t got[sizeof(want) + 1];
    int pair[2];
    struct vault *v = NULL;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(write(pair[1], answer, answer_len), answer_len);
    if (answer_len < 37)
        shutdown(pair[1], SHUT_WR);
    const struct vault_config config = { .node = 1,
                                         .seal_fd = pair[0],
                                         .seal_simulated = true,
                                         .tcb_version = 0x1234 };
    enum rc rc = mode == SPAWNED ? vault_spawn(&v, &config)
                                 : vault_local(&v, &config);
    assert_int_equal(recv(pair[1], got, sizeof(got), MSG_DONTWAIT),
                     sizeof(want));
    assert_memory_equal(got, want, sizeof(want));
    if (rc == RC_OK)
        rc = vault_open(v, keys, sealed, len);
    vault_free(v);
    close(pair[0]);
    close(pair[1]);
    return rc;
}

static void sealing_key_is_asked_of_the_guest_device(void **state)
{
    struct cluster *c = *state;
    uint8_t sealed[VAULT_SEALED_KEYS_MAX];
    size_t len = 0;
    struct vault_keys first, again;
    uint8_t answer[37] = { 0, 0, 0, 0, 32, 7, 7, 7 };
    assert_ok(open_by_simulator(&first, sealed, &len, c->mode, answer, 37));
    size_t kept = len;
    assert_ok(open_by_simulator(&again, sealed, &len, c->mode, answer, 37));
    assert_memory_equal(first.identity, again.identity, 32);
    /* another chip's answer, a refusal, a short one */
    answer[36] ^= 1;
    len = kept;
    assert_rc(open_by_simulator(&again, sealed, &len, c->mode, answer, 37),
              RC_UNKNOWN);
    answer[0] = 25;
    assert_rc(open_by_simulator(&again, sealed, &len, c->mode, answer, 37),
              RC_STORE);
    answer[0] = 0;
    assert_rc(open_by_simulator(&again, sealed, &len, c->mode, answer, 20),
              RC_UNREACHABLE);
    answer[4] = 16;
    assert_rc(open_by_simulator(&again, sealed, &len, c->mode, answer, 21),
              RC_STORE);
}

static void without_a_sealing_key_there_is_no_vault(void **state)
{
    struct cluster *c = *state;
    struct vault *v = NULL;
    struct vault_config config = node_config(c, 0);
    config.test_seal_key = NULL;
    assert_rc(c->mode == SPAWNED ? vault_spawn(&v, &config)
                                 : vault_local(&v, &config),
              RC_STORE);
    assert_null(v);
    /* what is no guest device */
    config.seal_fd = open("/dev/null", O_RDWR);
    assert_rc(c->mode == SPAWNED ? vault_spawn(&v, &config)
                                 : vault_local(&v, &config),
              RC_STORE);
    close(config.seal_fd);
    assert_null(v);
    config = node_config(c, 0);
    config.node = 0;
    assert_rc(vault_spawn(&v, &config), RC_ARG);
}

/* RFC 5869, test case 1: PRK, and the first block of OKM. */
static void hkdf_matches_rfc_5869(void **state)
{
    (void)state;
    static const uint8_t want_prk[32] = {
        0x07, 0x77, 0x09, 0x36, 0x2c, 0x2e, 0x32, 0xdf, 0x0d, 0xdc, 0x3f,
        0x0d, 0xc4, 0x7b, 0xba, 0x63, 0x90, 0xb6, 0xc7, 0x3b, 0xb5, 0x0f,
        0x9c, 0x31, 0x22, 0xec, 0x84, 0x4a, 0xd7, 0xc2, 0xb3, 0xe5
    };
    static const uint8_t want_okm[32] = {
        0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac, 0xd5, 0x7a, 0x90, 0x43, 0x4f,
        0x64, 0xd0, 0x36, 0x2f, 0x2a, 0x2d, 0x2d, 0x0a, 0x90, 0xcf, 0x1a,
        0x5a, 0x4c, 0x5d, 0xb0, 0x2d, 0x56, 0xec, 0xc4, 0xc5, 0xbf
    };
    uint8_t ikm[22], salt[13], info[10], prk[32], okm[32];
    memset(ikm, 0x0b, sizeof(ikm));
    for (unsigned i = 0; i < sizeof(salt); i++)
        salt[i] = (uint8_t)i;
    for (unsigned i = 0; i < sizeof(info); i++)
        info[i] = (uint8_t)(0xf0 + i);
    vault_hkdf_extract(prk, salt, sizeof(salt), ikm, sizeof(ikm));
    assert_memory_equal(prk, want_prk, 32);
    vault_hkdf_expand(okm, prk, info, sizeof(info));
    assert_memory_equal(okm, want_okm, 32);
}

static const enum mode spawned = SPAWNED;
static const enum mode local = LOCAL;

#define T(name, mode)                                                          \
    {                                                                          \
#name, name, setup, teardown, (void *)(uintptr_t)&mode                 \
    }
#define ALL(mode)                                                              \
    T(refuses_a_roster_without_our_keys, mode),                                \
            T(refuses_a_roster_that_is_not_its_one_text, mode),                \
            T(a_box_key_outside_the_roster_is_never_used, mode),               \
            T(a_roster_never_goes_back, mode),                                 \
            T(a_new_roster_ends_dkgs_under_way, mode),                         \
            T(nothing_but_open_and_roster_before_the_roster, mode),            \
            T(sealed_keys_open_to_the_same_keys, mode),                        \
            T(sealed_keys_open_nowhere_else, mode),                            \
            T(flipped_bit_in_sealed_keys_is_refused, mode),                    \
            T(sealing_key_is_asked_of_the_guest_device, mode),                 \
            T(without_a_sealing_key_there_is_no_vault, mode)

int main(void)
{
    const struct CMUnitTest in_child[] = { ALL(spawned) };
    const struct CMUnitTest in_process[] = {
        ALL(local), cmocka_unit_test(hkdf_matches_rfc_5869)
    };
    int failed = cmocka_run_group_tests_name("spawned", in_child, NULL, NULL);
    return failed +
           cmocka_run_group_tests_name("local", in_process, NULL, NULL);
}
