/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backups a vault makes for its custodians, and shares custodians bring to a
 * vault of a cluster that was built anew.
 */
#include "cluster.h"

#include "base/hash.h"
#include "custody/custody.h"

struct fixture {
    struct cluster *c;
    struct custody_key custodian[NODES];
    struct made_key key;
};

/* A roster that names a custodian for the first `named` nodes. */
static void ready(struct fixture *f, enum mode mode, unsigned named)
{
    f->c = cluster_new(mode);
    roster_write(f->c);
    for (unsigned i = 0; i < named; i++) {
        custody_key_make(&f->custodian[i]);
        f->c->roster.node[i].n_custodians = 1;
        memcpy(f->c->roster.node[i].custodian[0], f->custodian[i].public, 32);
    }
    assert_ok(tlog_roster_encode(f->c->roster_text, sizeof(f->c->roster_text),
                                 &f->c->roster_len, &f->c->roster));
    rosters_set(f->c);
}

static int setup(void **state)
{
    enum mode mode = *(const enum mode *)*state;
    struct fixture *f = calloc(1, sizeof(*f));
    ready(f, mode, NODES - 1);
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

/* ---- out ------------------------------------------------------------------- */

static void backup(struct fixture *f, unsigned i, struct custody_part *out)
{
    uint8_t p[CUSTODY_BACKUP_MAX];
    size_t len;
    assert_ok(
            vault_backup(f->c->v[i], p, &len, f->key.key, f->key.epoch.epoch));
    assert_ok(custody_backup_open(&out->share, &out->of, p, len,
                                  &f->custodian[i]));
    assert_rc(custody_backup_open(&out->share, &out->of, p, len,
                                  &f->custodian[1 - i]),
              RC_AUTH);
}

static void t_backups_are_the_key(void **state)
{
    struct fixture *f = *state;
    struct custody_part part[2];
    struct frost_scalar whole;
    key_make(f->c, &f->key, 1, true);
    for (unsigned i = 0; i < 2; i++) {
        backup(f, i, &part[i]);
        assert_int_equal(part[i].of.node, i + 1);
        assert_int_equal(part[i].of.epoch, 1);
        assert_memory_equal(part[i].of.y, f->key.result[0].ys[i], 32);
        assert_memory_equal(part[i].of.transcript, f->key.epoch.transcript, 32);
        uint8_t hash[32];
        hash256(hash, f->c->roster_text, f->c->roster_len);
        assert_memory_equal(part[i].of.roster, hash, 32);
    }
    assert_rc(custody_combine(&whole, part, 1), RC_NODES);
    assert_ok(custody_combine(&whole, part, 2));
}

static void what_has_no_backup_says_why(void **state)
{
    struct fixture *f = *state;
    uint8_t p[CUSTODY_BACKUP_MAX];
    size_t len;
    uint8_t key[32];
    dkg_terms(&f->key, 1, true);
    dkg_run(f->c, &f->key);
    hash256(key, f->key.result[0].group_key, 32);
    assert_rc(vault_backup(f->c->v[0], p, &len, key, 1), RC_ORDER);
    dkg_vote(f->c, &f->key);
    dkg_activate(f->c, &f->key);
    assert_ok(vault_backup(f->c->v[0], p, &len, key, 1));
    /* nobody is named for the last node */
    assert_rc(vault_backup(f->c->v[NODES - 1], p, &len, key, 1), RC_ORDER);
    assert_non_null(strstr(rc_text(), "custodians"));
    assert_rc(vault_backup(f->c->v[0], p, &len, key, 2), RC_EPOCH_MOVED);
    key[0] ^= 1;
    assert_rc(vault_backup(f->c->v[0], p, &len, key, 1), RC_UNKNOWN);
    key_make(f->c, &f->key, 2, false);
    assert_rc(vault_backup(f->c->v[0], p, &len, f->key.key, 1), RC_ARG);
}

/* ---- in -------------------------------------------------------------------- */

/* The shares of two nodes, and vaults that never heard of the key. */
struct after {
    struct fixture lost; /* its vaults end */
    struct custody_part part[2];
    struct fixture now;
};

static struct after *disaster(enum mode mode)
{
    struct after *a = calloc(1, sizeof(*a));
    ready(&a->lost, mode, NODES - 1);
    key_make(a->lost.c, &a->lost.key, 1, true);
    for (unsigned i = 0; i < 2; i++)
        backup(&a->lost, i, &a->part[i]);
    cluster_free(a->lost.c);
    ready(&a->now, mode, 0);
    return a;
}

static void after_free(struct after *a)
{
    cluster_free(a->now.c);
    free(a);
}

static enum rc bring(struct after *a, unsigned part, unsigned node)
{
    uint8_t parcel[CUSTODY_PARCEL_LEN];
    uint16_t whose = 0;
    assert_ok(custody_parcel_make(parcel, &a->part[part].of,
                                  &a->part[part].share,
                                  a->now.c->keys[node].box));
    enum rc rc = vault_recover(a->now.c->v[node], &whose, parcel,
                               &a->lost.key.epoch, a->lost.key.votes, NODES);
    if (rc == RC_OK)
        assert_int_equal(whose, part + 1);
    return rc;
}

static void a_vault_takes_one_share_and_cannot_sign_with_it(void **state)
{
    struct after *a = disaster(*(const enum mode *)*state);
    struct vault_commitment c;
    uint8_t p[CUSTODY_BACKUP_MAX];
    size_t len;
    /* node 3 takes what was node 1's */
    assert_ok(bring(a, 0, 2));
    assert_rc(bring(a, 0, 2), RC_EXISTS);
    assert_rc(bring(a, 1, 2), RC_EXISTS);
    assert_ok(bring(a, 1, 0));
    assert_rc(vault_commit(a->now.c->v[2], &c, 1, a->lost.key.key, 1, 1),
              RC_EPOCH_MOVED);
    assert_rc(vault_backup(a->now.c->v[2], p, &len, a->lost.key.key, 1),
              RC_EPOCH_MOVED);
    after_free(a);
}

static void a_share_of_other_votes_or_for_another_is_refused(void **state)
{
    struct after *a = disaster(*(const enum mode *)*state);
    uint8_t parcel[CUSTODY_PARCEL_LEN];
    uint16_t whose;
    struct vault *v = a->now.c->v[0];
    struct made_key *k = &a->lost.key;
    assert_ok(custody_parcel_make(parcel, &a->part[0].of, &a->part[0].share,
                                  a->now.c->keys[1].box));
    assert_rc(vault_recover(v, &whose, parcel, &k->epoch, k->votes, NODES),
              RC_VERIFY); /* boxed for node 2 */
    assert_ok(custody_parcel_make(parcel, &a->part[0].of, &a->part[0].share,
                                  a->now.c->keys[0].box));
    assert_rc(vault_recover(v, &whose, parcel, &k->epoch, k->votes, 2),
              RC_VERIFY);
    k->epoch.epoch = 2;
    assert_rc(vault_recover(v, &whose, parcel, &k->epoch, k->votes, NODES),
              RC_VERIFY);
    k->epoch.epoch = 1;
    k->votes[0].sig[5] ^= 1;
    assert_rc(vault_recover(v, &whose, parcel, &k->epoch, k->votes, NODES),
              RC_VERIFY);
    k->votes[0].sig[5] ^= 1;
    /* another key's certificate, every vote of it good */
    struct made_key *other = calloc(1, sizeof(*other));
    key_make(a->now.c, other, 9, true);
    assert_rc(vault_recover(v, &whose, parcel, &other->epoch, other->votes,
                            NODES),
              RC_VERIFY);
    free(other);
    assert_ok(vault_recover(v, &whose, parcel, &k->epoch, k->votes, NODES));
    after_free(a);
}

static const enum mode spawned = SPAWNED;
static const enum mode local = LOCAL;
#define T(name, mode)                                                          \
    {                                                                          \
#name, name, setup, teardown, (void *)(uintptr_t)&mode                 \
    }
#define D(name, mode)                                                          \
    {                                                                          \
#name, name, NULL, NULL, (void *)(uintptr_t)&mode                      \
    }
#define ALL(mode)                                                              \
    T(t_backups_are_the_key, mode), T(what_has_no_backup_says_why, mode),      \
            D(a_vault_takes_one_share_and_cannot_sign_with_it, mode),          \
            D(a_share_of_other_votes_or_for_another_is_refused, mode)

int main(void)
{
    const struct CMUnitTest in_child[] = { ALL(spawned) };
    const struct CMUnitTest in_process[] = { ALL(local) };
    int failed = cmocka_run_group_tests_name("spawned", in_child, NULL, NULL);
    return failed +
           cmocka_run_group_tests_name("local", in_process, NULL, NULL);
}
