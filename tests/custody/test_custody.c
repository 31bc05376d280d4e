/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backups: who opens them and who does not, every byte of them, drills, and t
 * of them put together. Test keys only.
 */
#include "test.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "custody/custody.h"

#define T 2
#define N 3

/* A key of 2 of 3 and a custodian for each share. */
struct key {
    struct frost_scalar whole;
    struct custody_backup of[N];
    struct frost_scalar share[N];
    struct custody_key custodian[N];
    uint8_t backup[N][CUSTODY_BACKUP_MAX];
    size_t len[N];
};

static void scalar(uint8_t out[32])
{
    crypto_core_ed25519_scalar_random(out);
}

static struct key *key_new(void)
{
    struct key *k = calloc(1, sizeof(*k));
    uint8_t slope[32];
    struct frost_point p;
    scalar(k->whole.le);
    scalar(slope);
    assert_int_equal(frost_scalar_base(&p, &k->whole), RC_OK);
    for (unsigned i = 0; i < N; i++) {
        struct custody_backup *b = &k->of[i];
        uint8_t x[32] = { (uint8_t)(i + 1) };
        crypto_core_ed25519_scalar_mul(x, x, slope);
        crypto_core_ed25519_scalar_add(k->share[i].le, x, k->whole.le);
        memcpy(b->group_key, p.b, 32);
        hash256(b->key, p.b, 32);
        b->epoch = 7;
        b->node = (uint16_t)(i + 1);
        b->t = T;
        b->n = N;
        memset(b->identity, 0x11 + (int)i, 32);
        memset(b->roster, 0x22, 32);
        memset(b->transcript, 0x33, 32);
        b->created_ms = 1795670000000;
        struct frost_point y;
        assert_int_equal(frost_scalar_base(&y, &k->share[i]), RC_OK);
        memcpy(b->y, y.b, 32);
        custody_key_make(&k->custodian[i]);
        memcpy(b->custodian[0], k->custodian[i].public, 32);
        b->n_custodians = 1;
        assert_int_equal(
                custody_backup_make(k->backup[i], &k->len[i], b, &k->share[i]),
                RC_OK);
    }
    return k;
}

/* ---- opening --------------------------------------------------------------- */

static void its_custodian_opens_a_backup_and_no_other(void **state)
{
    (void)state;
    struct key *k = key_new();
    struct frost_scalar got;
    struct custody_backup of;
    assert_int_equal(k->len[0], 260 + 48 + 2 + 112);
    assert_int_equal(custody_backup_open(&got, &of, k->backup[0], k->len[0],
                                         &k->custodian[0]),
                     RC_OK);
    assert_memory_equal(got.le, k->share[0].le, 32);
    assert_memory_equal(&of, &k->of[0], sizeof(of));
    assert_int_equal(custody_backup_open(&got, &of, k->backup[0], k->len[0],
                                         &k->custodian[1]),
                     RC_AUTH);
    free(k);
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

static void each_of_several_custodians_opens_it(void **state)
{
    (void)state;
    struct key *k = key_new();
    struct custody_key c[3];
    struct custody_backup *b = &k->of[0];
    struct frost_scalar got;
    for (unsigned i = 0; i < 3; i++) {
        custody_key_make(&c[i]);
        memcpy(b->custodian[i], c[i].public, 32);
    }
    b->n_custodians = 3;
    qsort(b->custodian, 3, 32, by_bytes);
    assert_int_equal(
            custody_backup_make(k->backup[0], &k->len[0], b, &k->share[0]),
            RC_OK);
    for (unsigned i = 0; i < 3; i++) {
        memset(&got, 0, sizeof(got));
        assert_int_equal(
                custody_backup_open(&got, NULL, k->backup[0], k->len[0], &c[i]),
                RC_OK);
        assert_memory_equal(got.le, k->share[0].le, 32);
    }
    free(k);
}

static void no_byte_of_a_backup_can_change(void **state)
{
    (void)state;
    struct key *k = key_new();
    struct frost_scalar got;
    for (size_t i = 0; i < k->len[0]; i++)
        for (unsigned bit = 0; bit < 8; bit += 7) {
            k->backup[0][i] ^= (uint8_t)(1 << bit);
            if (custody_backup_open(&got, NULL, k->backup[0], k->len[0],
                                    &k->custodian[0]) == RC_OK)
                fail_msg("byte %zu, bit %u", i, bit);
            k->backup[0][i] ^= (uint8_t)(1 << bit);
        }
    for (size_t len = 0; len < k->len[0]; len++)
        assert_int_not_equal(custody_backup_open(&got, NULL, k->backup[0], len,
                                                 &k->custodian[0]),
                             RC_OK);
    free(k);
}

static void a_backup_of_another_share_is_not_made(void **state)
{
    (void)state;
    struct key *k = key_new();
    assert_int_equal(custody_backup_make(k->backup[0], &k->len[0], &k->of[0],
                                         &k->share[1]),
                     RC_STORE);
    k->of[0].n_custodians = 0;
    assert_int_equal(custody_backup_make(k->backup[0], &k->len[0], &k->of[0],
                                         &k->share[0]),
                     RC_ARG);
    free(k);
}

/* ---- key files -------------------------------------------------------------- */

static void a_key_file_comes_back(void **state)
{
    (void)state;
    struct custody_key k, got;
    char text[CUSTODY_KEY_TEXT_MAX];
    size_t len;
    bool locked = true;
    custody_key_make(&k);
    assert_int_equal(custody_key_write(text, &len, &k, NULL, 0), RC_OK);
    assert_int_equal(custody_key_locked(&locked, text, len), RC_OK);
    assert_false(locked);
    assert_int_equal(custody_key_read(&got, text, len, NULL, 0), RC_OK);
    assert_memory_equal(&got, &k, sizeof(k));
    text[len - 9] = text[len - 9] == '0' ? '1' : '0';
    assert_int_equal(custody_key_read(&got, text, len, NULL, 0), RC_PARSE);
}

static void a_passphrase_is_needed_where_there_is_one(void **state)
{
    (void)state;
    struct custody_key k, got;
    char text[CUSTODY_KEY_TEXT_MAX];
    size_t len;
    bool locked = false;
    custody_key_make(&k);
    assert_int_equal(custody_key_write(text, &len, &k, "horse", 5), RC_OK);
    assert_int_equal(custody_key_locked(&locked, text, len), RC_OK);
    assert_true(locked);
    assert_int_equal(custody_key_read(&got, text, len, NULL, 0), RC_AUTH);
    assert_int_equal(custody_key_read(&got, text, len, "hors", 4), RC_AUTH);
    assert_int_equal(custody_key_read(&got, text, len, "horse", 5), RC_OK);
    assert_memory_equal(&got, &k, sizeof(k));
}

/* ---- parcels ----------------------------------------------------------------- */

static void a_parcel_opens_in_its_vault_alone(void **state)
{
    (void)state;
    struct key *k = key_new();
    uint8_t parcel[CUSTODY_PARCEL_LEN];
    struct custody_key box, other;
    struct custody_backup of;
    struct frost_scalar got;
    custody_key_make(&box);
    custody_key_make(&other);
    assert_int_equal(
            custody_parcel_make(parcel, &k->of[1], &k->share[1], box.public),
            RC_OK);
    assert_int_equal(
            custody_parcel_open(&got, &of, parcel, other.public, other.secret),
            RC_VERIFY);
    assert_int_equal(
            custody_parcel_open(&got, &of, parcel, box.public, box.secret),
            RC_OK);
    assert_memory_equal(got.le, k->share[1].le, 32);
    assert_int_equal(of.node, 2);
    parcel[100] ^= 1;
    assert_int_equal(
            custody_parcel_open(&got, &of, parcel, box.public, box.secret),
            RC_VERIFY);
    free(k);
}

/* ---- together ---------------------------------------------------------------- */

static void t_parts_are_the_key_and_fewer_are_not(void **state)
{
    (void)state;
    struct key *k = key_new();
    struct custody_part part[N];
    struct frost_scalar whole;
    uint8_t sig[64];
    static const uint8_t msg[] = "the last release";
    for (unsigned i = 0; i < N; i++)
        part[i] = (struct custody_part){ k->of[i], k->share[i] };
    assert_int_equal(custody_combine(&whole, part, 1), RC_NODES);
    for (unsigned a = 0; a < N; a++)
        for (unsigned b = 0; b < N; b++) {
            struct custody_part two[2] = { part[a], part[b] };
            memset(&whole, 0, sizeof(whole));
            enum rc rc = custody_combine(&whole, two, 2);
            assert_int_equal(rc, a == b ? RC_CONFLICT : RC_OK);
            if (a != b)
                assert_memory_equal(whole.le, k->whole.le, 32);
        }
    assert_int_equal(custody_combine(&whole, part, 3), RC_OK);
    assert_int_equal(
            custody_sign(sig, &whole, k->of[0].group_key, msg, sizeof(msg)),
            RC_OK);
    assert_int_equal(crypto_sign_verify_detached(sig, msg, sizeof(msg),
                                                 k->of[0].group_key),
                     0);
    free(k);
}

static void parts_of_two_epochs_do_not_mix(void **state)
{
    (void)state;
    struct key *k = key_new();
    struct custody_part part[2] = { { k->of[0], k->share[0] },
                                    { k->of[1], k->share[1] } };
    struct frost_scalar whole;
    part[1].of.epoch = 8;
    assert_int_equal(custody_combine(&whole, part, 2), RC_CONFLICT);
    part[1].of.epoch = 7;
    part[1].share = k->share[0];
    assert_int_equal(custody_combine(&whole, part, 2), RC_VERIFY);
    free(k);
}

/* ---- the program -------------------------------------------------------------- */

struct place {
    char dir[64];
    char backup[N][96];
    char key[N][96];
    char msg[96], sig[96], out[96];
};

static void place_make(struct place *p, const struct key *k)
{
    char text[CUSTODY_KEY_TEXT_MAX];
    size_t len;
    snprintf(p->dir, sizeof(p->dir), "/tmp/mpc-custody-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    for (unsigned i = 0; i < N; i++) {
        snprintf(p->backup[i], sizeof(p->backup[i]), "%s/node%u.msh1", p->dir,
                 i + 1);
        snprintf(p->key[i], sizeof(p->key[i]), "%s/custodian%u", p->dir, i + 1);
        assert_int_equal(
                file_write(p->backup[i], k->backup[i], k->len[i], 0600), RC_OK);
        assert_int_equal(
                custody_key_write(text, &len, &k->custodian[i], NULL, 0),
                RC_OK);
        assert_int_equal(file_write(p->key[i], text, len, 0600), RC_OK);
    }
    snprintf(p->msg, sizeof(p->msg), "%s/msg", p->dir);
    snprintf(p->sig, sizeof(p->sig), "%s/sig", p->dir);
    snprintf(p->out, sizeof(p->out), "%s/whole", p->dir);
    assert_int_equal(file_write(p->msg, "hello", 5, 0600), RC_OK);
}

static void place_end(struct place *p)
{
    for (unsigned i = 0; i < N; i++) {
        unlink(p->backup[i]);
        unlink(p->key[i]);
    }
    unlink(p->msg);
    unlink(p->sig);
    unlink(p->out);
    assert_int_equal(rmdir(p->dir), 0);
}

/* Its exit code; typed: what it reads, NULL: nothing. */
static int reconstruct(const char *const *args, const char *typed)
{
    int in[2];
    int status = 0;
    char *copy[32] = { NULL };
    for (unsigned i = 0; args[i]; i++)
        copy[i] = strdup(args[i]);
    assert_int_equal(pipe(in), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in[0], 0);
        close(in[0]);
        close(in[1]);
        if (!freopen("/dev/null", "w", stderr))
            _exit(99);
        execv(MPC_BUILD_DIR "/bin/mpc-reconstruct", copy);
        _exit(99);
    }
    close(in[0]);
    if (typed)
        assert_int_equal(write(in[1], typed, strlen(typed)), strlen(typed));
    close(in[1]);
    for (unsigned i = 0; copy[i]; i++)
        free(copy[i]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void the_program_signs_with_t_backups_and_says_so(void **state)
{
    (void)state;
    struct key *k = key_new();
    struct place p;
    uint8_t *sig = NULL;
    size_t len;
    place_make(&p, k);
    const char *two[] = { "mpc-reconstruct", "release",  "--backup",
                          p.backup[0],       "--backup", p.backup[2],
                          "--custodian-key", p.key[2],   "--custodian-key",
                          p.key[0],          "--sign",   p.msg,
                          "--out",           p.sig,      NULL };
    /* without the name nothing happens */
    assert_int_not_equal(reconstruct(two, NULL), 0);
    assert_int_not_equal(reconstruct(two, "releases\n"), 0);
    assert_int_equal(access(p.sig, F_OK), -1);
    assert_int_equal(reconstruct(two, "release\n"), 0);
    assert_int_equal(file_read(&sig, &len, p.sig, 64), RC_OK);
    assert_int_equal(len, 64);
    assert_int_equal(crypto_sign_verify_detached(sig, (const uint8_t *)"hello",
                                                 5, k->of[0].group_key),
                     0);
    free(sig);
    unlink(p.sig);
    const char *one[] = { "mpc-reconstruct", "release", "--backup", p.backup[0],
                          "--custodian-key", p.key[0],  "--sign",   p.msg,
                          "--out",           p.sig,     NULL };
    assert_int_not_equal(reconstruct(one, "release\n"), 0);
    assert_int_equal(access(p.sig, F_OK), -1);
    place_end(&p);
    free(k);
}

static void the_program_writes_the_scalar_for_one_owner(void **state)
{
    (void)state;
    struct key *k = key_new();
    struct place p;
    uint8_t *text = NULL;
    size_t len;
    char want[2 * 64 + 1];
    place_make(&p, k);
    const char *two[] = { "mpc-reconstruct",
                          "release",
                          "--backup",
                          p.backup[0],
                          "--backup",
                          p.backup[1],
                          "--custodian-key",
                          p.key[0],
                          "--custodian-key",
                          p.key[1],
                          "--write",
                          p.out,
                          "--yes-i-know-this-ends-the-custody-of-this-key",
                          NULL };
    assert_int_equal(reconstruct(two, NULL), 0);
    assert_int_equal(file_read(&text, &len, p.out, 512), RC_OK);
    sodium_bin2hex(want, 65, k->whole.le, 32);
    sodium_bin2hex(want + 64, 65, k->of[0].group_key, 32);
    assert_int_equal(len, 19 + 128 + 1);
    assert_memory_equal(text, "mpc-group-secret/1 ", 19);
    assert_memory_equal(text + 19, want, 128);
    free(text);
    place_end(&p);
    free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_custodian_opens_a_backup_and_no_other),
        cmocka_unit_test(each_of_several_custodians_opens_it),
        cmocka_unit_test(no_byte_of_a_backup_can_change),
        cmocka_unit_test(a_backup_of_another_share_is_not_made),
        cmocka_unit_test(a_key_file_comes_back),
        cmocka_unit_test(a_passphrase_is_needed_where_there_is_one),
        cmocka_unit_test(a_parcel_opens_in_its_vault_alone),
        cmocka_unit_test(t_parts_are_the_key_and_fewer_are_not),
        cmocka_unit_test(parts_of_two_epochs_do_not_mix),
        cmocka_unit_test(the_program_signs_with_t_backups_and_says_so),
        cmocka_unit_test(the_program_writes_the_scalar_for_one_owner),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
