/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What peers hold of a sealed share: split, kept, joined; and everything that
 * must not make it whole.
 */
#include "test.h"

#include "cluster.h"

#include <sodium.h>

#include "base/hash.h"
#include "vault/piece.h"

struct fixture {
    struct cluster *c;
    struct made_key key;
    /* piece[holder][owner], sealed at the holder */
    uint8_t piece[NODES][NODES][VAULT_SEALED_PIECE_MAX];
    size_t piece_len[NODES][NODES];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->c = cluster_new(LOCAL);
    f->c->master = VAULT_SNP_PEERS;
    roster_write(f->c);
    rosters_set(f->c);
    for (unsigned i = 0; i < NODES; i++) {
        node_start(f->c, i);
        node_open(f->c, i);
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    cluster_free(f->c);
    free(f);
    return 0;
}

/* ---- a key whose shares need their peers ------------------------------------ */

static void split_and_keep(struct fixture *f, unsigned owner,
                           struct vault_piece_ack acks[NODES - 1])
{
    struct vault_piece p[TLOG_MAX_NODES];
    const struct vault_dkg_terms *t = &f->key.terms;
    unsigned n;
    assert_ok(vault_piece_split(f->c->v[owner], p, &n, t));
    assert_int_equal(n, NODES - 1);
    for (unsigned i = 0; i < n; i++) {
        unsigned h = p[i].node - 1u;
        acks[i].node = p[i].node;
        p[i].node = (uint16_t)(owner + 1);
        assert_ok(vault_piece_keep(f->c->v[h], f->piece[h][owner],
                                   &f->piece_len[h][owner], t->session,
                                   t->epoch, t->t, &p[i]));
        assert_ok(vault_piece_kept(f->c->v[h], acks[i].sig, f->piece[h][owner],
                                   f->piece_len[h][owner]));
    }
}

static void pieces_everywhere(struct fixture *f)
{
    struct vault_piece_ack acks[NODES - 1];
    unsigned missing;
    for (unsigned i = 0; i < NODES; i++) {
        split_and_keep(f, i, acks);
        assert_ok(vault_piece_acked(f->c->v[i], &missing, f->key.terms.session,
                                    f->key.terms.epoch, acks, NODES - 1));
        assert_int_equal(missing, 0);
    }
}

static void make(struct fixture *f, uint8_t session)
{
    dkg_terms(&f->key, session, true);
    pieces_everywhere(f);
    dkg_run(f->c, &f->key);
    dkg_vote(f->c, &f->key);
    dkg_activate(f->c, &f->key);
}

static void restart(struct fixture *f, unsigned i)
{
    node_start(f->c, i);
    node_open(f->c, i);
}

static enum rc activate(struct fixture *f, unsigned i)
{
    uint8_t ack[64];
    return vault_activate(f->c->v[i], ack, &f->key.epoch, f->key.votes, NODES,
                          f->key.result[i].sealed, f->key.result[i].sealed_len);
}

static struct vault_piece given(struct fixture *f, unsigned holder,
                                unsigned owner)
{
    struct vault_piece p = { .node = (uint16_t)(holder + 1) };
    assert_ok(vault_piece_give(f->c->v[holder], p.box, (uint16_t)(owner + 1),
                               f->c->keys[owner].boot, f->piece[holder][owner],
                               f->piece_len[holder][owner]));
    return p;
}

/* Joins these at node owner + 1; returns how many were bad. */
static unsigned join(struct fixture *f, unsigned owner,
                     const struct vault_piece *p, unsigned n, bool *whole)
{
    uint16_t bad[TLOG_MAX_NODES];
    unsigned n_bad = 0;
    assert_ok(vault_piece_join(f->c->v[owner], whole, bad, &n_bad,
                               f->key.terms.session, f->key.terms.epoch,
                               f->key.terms.t, p, n));
    return n_bad;
}

static void says(const char *part)
{
    if (!strstr(rc_text(), part))
        fail_msg("\"%s\" does not say \"%s\"", rc_text(), part);
}

/* ---- the sharing --------------------------------------------------------------- */

static void any_t_less_one_pieces_make_the_secret_and_no_fewer(void **state)
{
    (void)state;
    uint8_t session[32] = { 9 };
    for (uint16_t t = 2; t <= 6; t++) {
        struct frost_scalar secret, sum;
        struct pieces p;
        uint16_t ids[8];
        assert_ok(vault_piece_secret(&secret));
        /* from ever another place among 1..9 and 65535 */
        for (uint16_t from = 1; from < 5; from++) {
            for (uint16_t i = 0; i < t - 1; i++) {
                ids[i] = i ? (uint16_t)(from + i) : 65535;
                vault_piece_at(&p.of[i], &secret, t, session, ids[i]);
            }
            assert_ok(vault_piece_sum(&sum, &p, ids, t - 1u));
            assert_memory_equal(sum.le, secret.le, 32);
            if (t == 2) /* then a piece is the secret itself */
                continue;
            assert_ok(vault_piece_sum(&sum, &p, ids, t - 2u));
            assert_memory_not_equal(sum.le, secret.le, 32);
        }
        ids[1] = ids[0];
        if (t > 2)
            assert_rc(vault_piece_sum(&sum, &p, ids, t - 1u), RC_ARG);
    }
}

/* ---- sealing ------------------------------------------------------------------- */

static void a_share_is_sealed_only_when_every_holder_acknowledged(void **state)
{
    struct fixture *f = *state;
    struct vault_piece_ack acks[NODES - 1];
    struct vault_dkg_terms other;
    struct vault_piece p[TLOG_MAX_NODES];
    uint8_t in[NODES][VAULT_BOX_LEN];
    unsigned missing;
    unsigned n;
    dkg_terms(&f->key, 1, true);
    for (unsigned i = 0; i < NODES; i++)
        assert_ok(vault_dkg_begin(f->c->v[i], &f->key.packages[i],
                                  &f->key.terms));
    for (unsigned i = 0; i < NODES; i++)
        assert_ok(vault_dkg_deal(f->c->v[i], f->key.boxes[i],
                                 f->key.terms.session, f->key.packages, NODES));
    for (unsigned i = 0; i < NODES; i++)
        memcpy(in[i], f->key.boxes[i][0], VAULT_BOX_LEN);
#define FINISH()                                                               \
    vault_dkg_finish(f->c->v[0], &f->key.result[0], f->key.terms.session,      \
                     (const uint8_t(*)[VAULT_BOX_LEN])in, NODES)
    assert_rc(FINISH(), RC_ORDER);
    says("not split");
    split_and_keep(f, 0, acks);
    assert_rc(FINISH(), RC_ORDER);
    says("node 2 has not acknowledged");
    /* another's word, or none, is not its word */
    struct vault_piece_ack swapped = { .node = acks[0].node };
    memcpy(swapped.sig, acks[1].sig, 64);
    assert_rc(vault_piece_acked(f->c->v[0], &missing, f->key.terms.session,
                                f->key.terms.epoch, &swapped, 1),
              RC_VERIFY);
    says("node 2");
    assert_ok(vault_piece_acked(f->c->v[0], &missing, f->key.terms.session,
                                f->key.terms.epoch, acks, 1));
    assert_int_equal(missing, 1);
    assert_rc(FINISH(), RC_ORDER);
    says("node 3 has not acknowledged");
    /* split by other terms in between: those words are of no use any more */
    other = f->key.terms;
    other.t = 3;
    assert_ok(vault_piece_split(f->c->v[0], p, &n, &other));
    assert_rc(FINISH(), RC_CONFLICT);
    assert_rc(vault_piece_acked(f->c->v[0], &missing, f->key.terms.session,
                                f->key.terms.epoch, acks, 1),
              RC_VERIFY);
    split_and_keep(f, 0, acks);
    assert_ok(vault_piece_acked(f->c->v[0], &missing, f->key.terms.session,
                                f->key.terms.epoch, acks, NODES - 1));
    assert_int_equal(missing, 0);
    assert_rc(vault_piece_split(f->c->v[0], p, &n, &other), RC_CONFLICT);
    assert_ok(FINISH());
#undef FINISH
    assert_int_equal(f->key.result[0].sealed[59], VAULT_SNP_PEERS);
}

static void a_restarted_node_opens_its_share_with_any_peer(void **state)
{
    struct fixture *f = *state;
    make(f, 1);
    for (unsigned owner = 0; owner < NODES; owner++)
        for (unsigned holder = 0; holder < NODES; holder++) {
            bool whole = false;
            if (holder == owner)
                continue;
            restart(f, owner);
            assert_rc(activate(f, owner), RC_ORDER);
            says("waits for its peers");
            assert_int_equal(join(f, owner, NULL, 0, &whole), 0);
            assert_false(whole);
            /* the holder has restarted too, and has no share of its own */
            restart(f, holder);
            struct vault_piece p = given(f, holder, owner);
            assert_int_equal(join(f, owner, &p, 1, &whole), 0);
            assert_true(whole);
            assert_ok(activate(f, owner));
        }
}

static void three_of_three_need_two_pieces(void **state)
{
    struct fixture *f = *state;
    bool whole;
    dkg_terms(&f->key, 1, true);
    f->key.terms.t = 3;
    pieces_everywhere(f);
    dkg_run(f->c, &f->key);
    dkg_vote(f->c, &f->key);
    dkg_activate(f->c, &f->key);
    restart(f, 1);
    struct vault_piece p[2] = { given(f, 0, 1), given(f, 2, 1) };
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(join(f, 1, &p[i], 1, &whole), 0);
        assert_false(whole);
        assert_rc(activate(f, 1), RC_ORDER);
    }
    /* the same one twice is not two */
    struct vault_piece twice[2] = { p[0], p[0] };
    uint16_t bad[TLOG_MAX_NODES];
    unsigned n_bad;
    assert_rc(vault_piece_join(f->c->v[1], &whole, bad, &n_bad,
                               f->key.terms.session, 1, 3, twice, 2),
              RC_ARG);
    assert_int_equal(join(f, 1, p, 2, &whole), 0);
    assert_true(whole);
    assert_ok(activate(f, 1));
}

/* ---- what is no piece ------------------------------------------------------------ */

static void a_wrong_piece_is_named_and_makes_nothing(void **state)
{
    struct fixture *f = *state;
    bool whole;
    uint8_t old[VAULT_SEALED_PIECE_MAX];
    make(f, 1);
    /* of another session, of an older one; both at holder 2 for owner 1 */
    memcpy(old, f->piece[1][0], sizeof(old));
    size_t old_len = f->piece_len[1][0];
    make(f, 2);
    struct vault_piece before = given(f, 1, 0);
    restart(f, 0);
    struct vault_piece p[2] = { { .node = 2 }, given(f, 2, 0) };
    assert_ok(vault_piece_give(f->c->v[1], p[0].box, 1, f->c->keys[0].boot, old,
                               old_len));
    assert_int_equal(join(f, 0, p, 1, &whole), 1); /* another session's */
    assert_false(whole);
    assert_int_equal(join(f, 0, &before, 1, &whole), 1); /* another life's */
    assert_false(whole);
    struct vault_piece third = p[1];
    third.node = 2; /* node 3's, said to be node 2's */
    assert_int_equal(join(f, 0, &third, 1, &whole), 1);
    assert_false(whole);
    for (unsigned i = 0; i < VAULT_PIECE_BOX_LEN; i++) {
        struct vault_piece bent = p[1];
        bent.box[i] ^= 1;
        assert_int_equal(join(f, 0, &bent, 1, &whole), 1);
        assert_false(whole);
    }
    assert_rc(activate(f, 0), RC_ORDER);
    /* the wrong one does not stand in the right one's way */
    assert_int_equal(join(f, 0, p, 2, &whole), 1);
    assert_true(whole);
    assert_ok(activate(f, 0));
}

static void a_holder_gives_only_the_owner_its_piece(void **state)
{
    struct fixture *f = *state;
    struct vault_piece p;
    make(f, 1);
    /* node 3 asks node 2 for node 1's */
    assert_rc(vault_piece_give(f->c->v[1], p.box, 3, f->c->keys[2].boot,
                               f->piece[1][0], f->piece_len[1][0]),
              RC_AUTH);
    /* node 3 has node 2's disk */
    assert_rc(vault_piece_give(f->c->v[2], p.box, 1, f->c->keys[0].boot,
                               f->piece[1][0], f->piece_len[1][0]),
              RC_STORE);
    says("a node with other keys");
}

/* ---- what a disk alone is worth --------------------------------------------------- */

static void every_byte_of_what_is_sealed_is_bound(void **state)
{
    struct fixture *f = *state;
    bool whole;
    uint8_t ack[64];
    uint8_t bent[VAULT_SEALED_SHARE_MAX];
    make(f, 1);
    restart(f, 0);
    struct vault_piece p = given(f, 1, 0);
    assert_int_equal(join(f, 0, &p, 1, &whole), 0);
    const struct vault_dkg_result *r = &f->key.result[0];
    for (size_t i = 0; i < r->sealed_len; i++) {
        memcpy(bent, r->sealed, r->sealed_len);
        bent[i] ^= 1;
        enum rc rc = vault_activate(f->c->v[0], ack, &f->key.epoch,
                                    f->key.votes, NODES, bent, r->sealed_len);
        if (rc != RC_STORE || strlen(rc_text()) == 0)
            fail_msg("share, byte %zu: %s", i, rc_slug(rc));
    }
    for (size_t i = 0; i < f->piece_len[1][0]; i++) {
        memcpy(bent, f->piece[1][0], f->piece_len[1][0]);
        bent[i] ^= 1;
        enum rc rc = vault_piece_give(f->c->v[1], p.box, 1, f->c->keys[0].boot,
                                      bent, f->piece_len[1][0]);
        if (rc != RC_STORE && rc != RC_UNKNOWN)
            fail_msg("piece, byte %zu: %s", i, rc_slug(rc));
    }
    assert_ok(activate(f, 0));
}

/* One line each: what it is that is missing here. */
static void a_disk_elsewhere_opens_nothing_and_says_why(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *why;
        bool chip, node, cluster;
        const char *says;
    } cases[] = {
        { "another chip or measurement", true, false, false,
          "another chip, firmware level or measurement" },
        { "another node's configuration", false, true, false,
          "of another node (1) or cluster" },
        { "another cluster", false, false, true,
          "of another node (1) or cluster" },
    };
    make(f, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct vault_config config = node_config(f->c, 0);
        struct vault *v = NULL;
        struct vault_keys keys;
        uint8_t key[32];
        size_t len = f->c->sealed_len[0];
        memcpy(key, config.test_seal_key, 32);
        key[0] ^= cases[i].chip;
        config.test_seal_key = key;
        config.node = (uint16_t)(config.node + cases[i].node);
        config.cluster[0] ^= cases[i].cluster;
        assert_ok(vault_local(&v, &config));
        assert_rc(vault_open(v, &keys, f->c->sealed[0], &len),
                  cases[i].chip ? RC_UNKNOWN : RC_STORE);
        says(cases[i].says);
        vault_free(v);
    }
}

/* ---- providers -------------------------------------------------------------------- */

static void snp_alone_and_with_peers_open_each_other(void **state)
{
    struct fixture *f = *state;
    bool whole;
    make(f, 1);
    f->c->master = VAULT_SNP;
    restart(f, 0);
    assert_rc(activate(f, 0), RC_ORDER); /* the share says it */
    struct vault_piece p = given(f, 1, 0);
    assert_int_equal(join(f, 0, &p, 1, &whole), 0);
    assert_true(whole);
    assert_ok(activate(f, 0));
    /* new shares of it are under snp alone: nothing is split */
    struct vault_piece none[TLOG_MAX_NODES];
    unsigned n = 9;
    dkg_terms(&f->key, 7, true);
    assert_ok(vault_piece_split(f->c->v[0], none, &n, &f->key.terms));
    assert_int_equal(n, 0);
    restart(f, 1);
    restart(f, 2);
    key_make(f->c, &f->key, 8, true);
    assert_int_equal(f->key.result[0].sealed[59], VAULT_SNP);
    f->c->master = VAULT_SNP_PEERS;
    restart(f, 0);
    assert_ok(activate(f, 0));
}

static struct vault_config by_pipe(struct fixture *f, int pipe_fd[2],
                                   const void *records, size_t len)
{
    struct vault_config config = node_config(f->c, 0);
    assert_int_equal(pipe(pipe_fd), 0);
    assert_int_equal(write(pipe_fd[1], records, len), (ssize_t)len);
    close(pipe_fd[1]);
    config.master[0] = VAULT_PASSPHRASE;
    config.n_masters = 1;
    config.master_fd = pipe_fd[0];
    return config;
}

static void a_master_key_from_the_pipe_opens_what_it_sealed(void **state)
{
    struct fixture *f = *state;
    static uint8_t sealed[VAULT_SEALED_KEYS_MAX];
    uint8_t records[2 * VAULT_MASTER_RECORD] = { 0, VAULT_PASSPHRASE, 5 };
    records[VAULT_MASTER_RECORD + 1] = VAULT_PASSPHRASE;
    records[VAULT_MASTER_RECORD + 2] = 6;
    size_t len = 0;
    static const struct {
        const char *why;
        size_t from, len;
        enum rc rc;
        const char *says;
    } cases[] = {
        { "the same", 0, 34, RC_OK, NULL },
        { "and another behind it", 0, 68, RC_OK, NULL },
        { "another alone", 34, 34, RC_STORE, "another passphrase" },
        { "cut short", 0, 33, RC_STORE, "cut short" },
        { "none", 0, 0, RC_STORE, "the helper left none" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int fd[2];
        struct vault *v = NULL;
        struct vault_keys keys;
        struct vault_config config = by_pipe(f, fd, records + cases[i].from,
                                             cases[i].len);
        size_t l = len;
        enum rc rc = vault_spawn(&v, &config);
        if (rc == RC_OK)
            rc = vault_open(v, &keys, sealed, &l);
        if (rc != cases[i].rc)
            fail_msg("%s: %s (%s)", cases[i].why, rc_slug(rc), rc_text());
        if (rc != RC_OK)
            says(cases[i].says);
        if (rc == RC_OK && i == 0)
            len = l;
        else if (rc == RC_OK)
            assert_int_equal(l, 0);
        close(fd[0]);
        vault_free(v);
    }
    /* a snp node has no such key, and says which it is */
    struct vault *v = NULL;
    struct vault_keys keys;
    struct vault_config snp = node_config(f->c, 0);
    assert_ok(vault_local(&v, &snp));
    size_t l = len;
    assert_rc(vault_open(v, &keys, sealed, &l), RC_UNKNOWN);
    says("or another master key");
    vault_free(v);
}

/* What was sealed under an older one is sealed anew under the first. */
static void node_keys_move_to_the_first_master_key(void **state)
{
    struct fixture *f = *state;
    uint8_t record[VAULT_MASTER_RECORD] = { 0, VAULT_PASSPHRASE, 5 };
    static uint8_t sealed[VAULT_SEALED_KEYS_MAX];
    int fd[2];
    struct vault *v = NULL;
    struct vault_keys keys;
    struct vault_config config = by_pipe(f, fd, record, sizeof(record));
    config.master[1] = VAULT_SNP;
    config.n_masters = 2;
    size_t len = f->c->sealed_len[0];
    memcpy(sealed, f->c->sealed[0], len);
    assert_ok(vault_local(&v, &config));
    assert_ok(vault_open(v, &keys, sealed, &len));
    assert_true(len > 0);
    assert_memory_equal(keys.identity, f->c->keys[0].identity, 32);
    vault_free(v);
    close(fd[0]);
    config = by_pipe(f, fd, record, sizeof(record));
    assert_ok(vault_local(&v, &config));
    assert_ok(vault_open(v, &keys, sealed, &len));
    assert_memory_equal(keys.identity, f->c->keys[0].identity, 32);
    vault_free(v);
    close(fd[0]);
}

static void a_list_of_master_keys_is_read_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned n;
        enum vault_master first;
        const char *says;
    } cases[] = {
        { "snp", 1, VAULT_SNP, NULL },
        { "snp+peers", 1, VAULT_SNP_PEERS, NULL },
        { " pkcs11 , snp+peers ", 2, VAULT_PKCS11, NULL },
        { "passphrase,pkcs11,snp,snp+peers", 4, VAULT_PASSPHRASE, NULL },
        { "", 0, 0, "\"\" is none" },
        { "snp,", 0, 0, "\"\" is none" },
        { "snp,,pkcs11", 0, 0, "\"\" is none" },
        { "SNP", 0, 0, "\"SNP\" is none" },
        { "peers", 0, 0, "\"peers\" is none" },
        { "snp, snp", 0, 0, "stands twice" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        enum vault_master list[VAULT_MAX_MASTERS] = { 0 };
        unsigned n = 0;
        enum rc rc = vault_master_parse(list, &n, cases[i].text);
        assert_int_equal(n, cases[i].n);
        assert_int_equal(list[0], cases[i].first);
        assert_int_equal(rc, cases[i].n ? RC_OK : RC_ARG);
        if (rc != RC_OK)
            says(cases[i].says);
    }
    assert_string_equal(vault_master_name(VAULT_SNP_PEERS), "snp+peers");
    assert_string_equal(vault_master_name(9), "unknown");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_t_less_one_pieces_make_the_secret_and_no_fewer),
        T(a_share_is_sealed_only_when_every_holder_acknowledged),
        T(a_restarted_node_opens_its_share_with_any_peer),
        T(three_of_three_need_two_pieces),
        T(a_wrong_piece_is_named_and_makes_nothing),
        T(a_holder_gives_only_the_owner_its_piece),
        T(every_byte_of_what_is_sealed_is_bound),
        T(a_disk_elsewhere_opens_nothing_and_says_why),
        T(snp_alone_and_with_peers_open_each_other),
        T(a_master_key_from_the_pipe_opens_what_it_sealed),
        T(node_keys_move_to_the_first_master_key),
        cmocka_unit_test(a_list_of_master_keys_is_read_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
