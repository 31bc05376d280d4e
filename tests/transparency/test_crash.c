/* SPDX-License-Identifier: Apache-2.0 */
/* What the store does when the process, the disk or a person breaks it. */
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "logdir.h"

/*
 * The linker sends the store's fdatasync() here (--wrap), so that a test can
 * fail it and can see what the log has published by then.
 */
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
static int (*on_sync)(int fd);
int __wrap_fdatasync(int fd)
{
    return on_sync ? on_sync(fd) : __real_fdatasync(fd);
}

/* And its pwrite(). */
ssize_t __real_pwrite(int fd, const void *p, size_t len, off_t at);
ssize_t __wrap_pwrite(int fd, const void *p, size_t len, off_t at);
static bool (*fail_write)(const void *p, size_t len);
ssize_t __wrap_pwrite(int fd, const void *p, size_t len, off_t at)
{
    if (!fail_write || !fail_write(p, len))
        return __real_pwrite(fd, p, len, at);
    errno = EIO;
    return -1;
}

/* What the dying child told us about one append. */
struct ack {
    uint64_t index;
    struct tlog_hash leaf;
    struct tlog_checkpoint cp;
};

static void append_until_killed(const struct logdir *d, uint64_t from, int out)
{
    struct tlog_store *s = NULL;
    static struct tlog_proof p;
    char entry[64];
    if (tlog_store_open(&s, d->dir, &d->log, d->sk) != RC_OK)
        _exit(2);
    for (uint64_t i = from;; i++) {
        struct ack ack;
        memset(&ack, 0, sizeof(ack));
        size_t len = logdir_entry(entry, i);
        if (tlog_store_append(s, &p, entry, len) != RC_OK ||
            tlog_proof_check(&p, &d->log, &ack.cp) != RC_OK)
            _exit(3);
        ack.index = p.index;
        tlog_leaf_hash(&ack.leaf, entry, len);
        if (write(out, &ack, sizeof(ack)) != (ssize_t)sizeof(ack))
            _exit(4);
    }
}

static bool read_ack(int fd, struct ack *out)
{
    size_t have = 0;
    while (have < sizeof(*out)) {
        ssize_t n = read(fd, (char *)out + have, sizeof(*out) - have);
        if (n <= 0)
            return false;
        have += (size_t)n;
    }
    return true;
}

/* An acknowledged entry is there, and its checkpoint is a past of now. */
static void check_ack(struct tlog_store *s, const struct tlog_checkpoint *now,
                      const struct ack *ack)
{
    struct tlog_path path;
    assert_true(ack->index < now->size);
    assert_ok(tlog_store_inclusion(s, &path, ack->index, now->size));
    assert_ok(tlog_inclusion_check(&path, ack->index, now->size, &ack->leaf,
                                   &now->root));
    assert_ok(tlog_store_consistency(s, &path, ack->cp.size, now->size));
    assert_ok(tlog_consistency_check(&path, ack->cp.size, &ack->cp.root,
                                     now->size, &now->root));
}

#define ROUNDS   6
#define ACKS_MAX 4096
static void killed_writers_lose_nothing_acknowledged(void **state)
{
    (void)state;
    static struct ack acks[ACKS_MAX];
    size_t n = 0;
    struct logdir d = logdir_new();
    for (unsigned round = 0; round < ROUNDS; round++) {
        int fds[2];
        uint64_t from = n;
        assert_int_equal(pipe(fds), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(fds[0]);
            append_until_killed(&d, from, fds[1]);
        }
        close(fds[1]);
        size_t stop = n + 20 + 37 * round;
        while (n < stop && read_ack(fds[0], &acks[n]))
            n++;
        assert_int_equal(n, stop);
        kill(child, SIGKILL);
        while (n < ACKS_MAX && read_ack(fds[0], &acks[n]))
            n++; /* acknowledged while we aimed */
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        close(fds[0]);
        struct tlog_store *s = logdir_open(&d);
        struct tlog_checkpoint now = logdir_head(&d, s);
        for (size_t i = 0; i < n; i++)
            check_ack(s, &now, &acks[i]);
        /* nothing but what was asked for: perhaps one more than was told */
        assert_true(now.size == n || now.size == n + 1);
        logdir_check(&d, s, now.size);
        tlog_store_free(s);
    }
    logdir_free(&d);
}

static void a_second_writer_is_refused(void **state)
{
    (void)state;
    struct logdir d = logdir_new();
    struct tlog_store *s = logdir_open(&d);
    struct tlog_store *second = NULL;
    logdir_add(&d, s, 0);
    assert_rc(tlog_store_open(&second, d.dir, &d.log, d.sk), RC_STORE);
    assert_null(second);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(tlog_store_open(&second, d.dir, &d.log, d.sk) == RC_STORE ? 0
                                                                        : 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    logdir_add(&d, s, 1);
    tlog_store_free(s);
    s = logdir_open(&d);
    logdir_check(&d, s, 2);
    tlog_store_free(s);
    logdir_free(&d);
}

static void keys_that_do_not_belong_are_refused(void **state)
{
    (void)state;
    struct logdir d = logdir_new();
    struct logdir other = d;
    struct tlog_store *s = logdir_open(&d);
    struct tlog_store *none = NULL;
    logdir_add(&d, s, 0);
    tlog_store_free(s);
    logdir_key(&other, "test/log", (const uint8_t[32]){ 8 });
    assert_rc(tlog_store_open(&none, d.dir, &other.log, other.sk), RC_STORE);
    assert_rc(tlog_store_open(&none, d.dir, &d.log, other.sk), RC_ARG);
    struct tlog_vkey cosigner;
    assert_ok(tlog_vkey_make(&cosigner, "test/log", TLOG_SIG_COSIGNATURE,
                             d.log.key));
    assert_rc(tlog_store_open(&none, d.dir, &cosigner, d.sk), RC_ARG);
    assert_null(none);
    logdir_free(&d);
}

/* Five entries; the file before and after the last, the checkpoint before. */
struct five {
    struct logdir d;
    uint8_t *file;
    size_t len;
    size_t len4;
    size_t len_at[5]; /* before each */
    uint8_t *note4;
    size_t note4_len;
};

static struct five five_new(void)
{
    struct five f = { .d = logdir_new() };
    struct tlog_store *s = logdir_open(&f.d);
    for (uint64_t i = 0; i < 4; i++) {
        free(logdir_entries(&f.d, &f.len_at[i]));
        logdir_add(&f.d, s, i);
    }
    free(logdir_entries(&f.d, &f.len4));
    f.len_at[4] = f.len4;
    f.note4 = logdir_read(&f.d, "checkpoint", &f.note4_len);
    logdir_add(&f.d, s, 4);
    f.file = logdir_entries(&f.d, &f.len);
    tlog_store_free(s);
    return f;
}

static void five_free(struct five *f)
{
    free(f->file);
    free(f->note4);
    logdir_free(&f->d);
}

static void a_torn_tail_is_dropped(void **state)
{
    (void)state;
    struct five f = five_new();
    for (size_t cut = f.len4; cut < f.len; cut++) {
        size_t len;
        logdir_write(&f.d, LOGDIR_ENTRIES, f.file, cut);
        logdir_write(&f.d, "checkpoint", f.note4, f.note4_len);
        struct tlog_store *s = logdir_open(&f.d);
        logdir_check(&f.d, s, 4);
        free(logdir_entries(&f.d, &len));
        assert_int_equal(len, f.len4);
        if (cut % 8 == 0) {
            logdir_add(&f.d, s, 4);
            tlog_store_free(s);
            s = logdir_open(&f.d);
            logdir_check(&f.d, s, 5);
        }
        tlog_store_free(s);
    }
    five_free(&f);
}

static void a_tail_of_zeros_or_noise_is_dropped(void **state)
{
    (void)state;
    struct five f = five_new();
    for (unsigned noise = 0; noise < 2; noise++) {
        size_t len = f.len + 5000;
        OWNED_MEM uint8_t *p = calloc(1, len);
        assert_non_null(p);
        memcpy(p, f.file, f.len);
        if (noise)
            randombytes_buf(p + f.len, len - f.len);
        logdir_write(&f.d, LOGDIR_ENTRIES, p, len);
        struct tlog_store *s = logdir_open(&f.d);
        logdir_check(&f.d, s, 5);
        tlog_store_free(s);
    }
    five_free(&f);
}

/* A disk writes sectors in any order, and zeros stood there before. */
static void a_last_record_with_holes_is_dropped(void **state)
{
    (void)state;
    enum { SECTOR = 512, SECTORS = 6 };
    static struct tlog_proof proof;
    static char big[SECTOR * SECTORS];
    struct five f = five_new();
    size_t len;
    struct tlog_store *s = logdir_open(&f.d);
    OWNED_MEM uint8_t *note = logdir_read(&f.d, "checkpoint", &len);
    size_t note_len = len;
    memset(big, 'x', sizeof(big));
    assert_ok(tlog_store_append(s, &proof, big, sizeof(big)));
    tlog_store_free(s);
    OWNED_MEM uint8_t *whole = logdir_entries(&f.d, &len);
    size_t size = len + 100000;
    OWNED_MEM uint8_t *p = malloc(size);
    assert_non_null(p);
    for (unsigned kept = 0; kept < 1u << SECTORS; kept++) {
        memset(p, 0, size);
        memcpy(p, whole, f.len);
        for (size_t at = f.len; at < len; at++)
            if (kept >> (at - f.len) / SECTOR % SECTORS & 1)
                p[at] = whole[at];
        logdir_write(&f.d, LOGDIR_ENTRIES, p, size);
        logdir_write(&f.d, "checkpoint", note, note_len);
        s = logdir_open(&f.d);
        logdir_check(&f.d, s, memcmp(p, whole, len) == 0 ? 6 : 5);
        tlog_store_free(s);
    }
    five_free(&f);
}

static void a_spoilt_checkpoint_file_is_made_again(void **state)
{
    (void)state;
    static const char zeros[100];
    struct five f = five_new();
    for (size_t len = 0; len <= sizeof(zeros); len += 50) {
        logdir_write(&f.d, "checkpoint", zeros, len);
        struct tlog_store *s = logdir_open(&f.d);
        logdir_check(&f.d, s, 5);
        tlog_store_free(s);
    }
    five_free(&f);
}

static void lost_entries_are_noticed(void **state)
{
    (void)state;
    struct five f = five_new();
    struct tlog_store *none = NULL;
    for (size_t cut = 0; cut < f.len; cut++) {
        logdir_write(&f.d, LOGDIR_ENTRIES, f.file, cut);
        assert_rc(tlog_store_open(&none, f.d.dir, &f.d.log, f.d.sk), RC_STORE);
    }
    logdir_write(&f.d, LOGDIR_ENTRIES, f.file, f.len);
    struct tlog_store *s = logdir_open(&f.d);
    logdir_check(&f.d, s, 5);
    tlog_store_free(s);
    five_free(&f);
}

static void one_changed_byte_is_noticed(void **state)
{
    (void)state;
    struct five f = five_new();
    struct tlog_store *none = NULL;
    char path[128];
    snprintf(path, sizeof(path), "%s/checkpoint", f.d.dir);
    for (size_t at = 0; at < f.len; at++) {
        OWNED_MEM uint8_t *p = malloc(f.len);
        assert_non_null(p);
        memcpy(p, f.file, f.len);
        p[at] ^= 0x10;
        logdir_write(&f.d, LOGDIR_ENTRIES, p, f.len);
        assert_rc(tlog_store_open(&none, f.d.dir, &f.d.log, f.d.sk), RC_STORE);
        /* even without its checkpoint, but for the last record */
        OWNED_MEM uint8_t *note = NULL;
        size_t note_len;
        note = logdir_read(&f.d, "checkpoint", &note_len);
        if (at >= f.len4)
            continue;
        assert_int_equal(unlink(path), 0);
        assert_rc(tlog_store_open(&none, f.d.dir, &f.d.log, f.d.sk), RC_STORE);
        logdir_write(&f.d, "checkpoint", note, note_len);
    }
    five_free(&f);
}

static void a_record_out_of_place_is_noticed(void **state)
{
    (void)state;
    struct five f = five_new();
    struct tlog_store *none = NULL;
    char path[128];
    OWNED_MEM uint8_t *p = malloc(2 * f.len);
    assert_non_null(p);
    snprintf(path, sizeof(path), "%s/checkpoint", f.d.dir);
    assert_int_equal(unlink(path), 0);
    for (unsigned i = 0; i < 4; i++) {
        size_t from = f.len_at[i];
        size_t to = f.len_at[i + 1];
        /* record i taken out, then record i twice */
        memcpy(p, f.file, from);
        memcpy(p + from, f.file + to, f.len - to);
        logdir_write(&f.d, LOGDIR_ENTRIES, p, f.len - (to - from));
        assert_rc(tlog_store_open(&none, f.d.dir, &f.d.log, f.d.sk), RC_STORE);
        memcpy(p, f.file, to);
        memcpy(p + to, f.file + from, f.len - from);
        logdir_write(&f.d, LOGDIR_ENTRIES, p, f.len + (to - from));
        assert_rc(tlog_store_open(&none, f.d.dir, &f.d.log, f.d.sk), RC_STORE);
    }
    five_free(&f);
}

static void a_history_other_than_the_signed_one_is_refused(void **state)
{
    (void)state;
    struct five f = five_new();
    struct logdir d2 = logdir_new();
    struct tlog_store *s = logdir_open(&d2);
    struct tlog_store *none = NULL;
    static struct tlog_proof p;
    size_t len;
    for (unsigned i = 0; i < 6; i++) {
        char entry[32];
        int n = snprintf(entry, sizeof(entry), "other %u", i);
        assert_ok(tlog_store_append(s, &p, entry, (size_t)n));
    }
    tlog_store_free(s);
    OWNED_MEM uint8_t *other = logdir_entries(&d2, &len);
    logdir_write(&f.d, LOGDIR_ENTRIES, other, len);
    assert_rc(tlog_store_open(&none, f.d.dir, &f.d.log, f.d.sk), RC_STORE);
    five_free(&f);
    logdir_free(&d2);
}

/* Exit code 0: the store stopped as it must. */
static int run_out_of_room(const struct logdir *d)
{
    static struct tlog_proof p;
    struct tlog_store *s = NULL;
    size_t used;
    char entry[64];
    signal(SIGXFSZ, SIG_IGN);
    if (tlog_store_open(&s, d->dir, &d->log, d->sk) != RC_OK)
        return 2;
    for (uint64_t i = 0; i < 3; i++)
        if (tlog_store_append(s, &p, entry, logdir_entry(entry, i)) != RC_OK)
            return 3;
    free(logdir_entries(d, &used));
    struct rlimit small = { (rlim_t)used + 20, RLIM_INFINITY };
    struct rlimit large = { RLIM_INFINITY, RLIM_INFINITY };
    struct tlog_checkpoint before = logdir_head(d, s);
    setrlimit(RLIMIT_FSIZE, &small);
    if (tlog_store_append(s, &p, "does not fit\n", 13) != RC_STORE)
        return 5;
    setrlimit(RLIMIT_FSIZE, &large);
    /* there is room again, but nothing is tried again */
    if (tlog_store_append(s, &p, "too late\n", 9) != RC_STORE ||
        tlog_store_append(s, &p, "entry 0\n", 8) != RC_STORE)
        return 6;
    if (!strstr(rc_text(), "log stopped: log: write"))
        return 7;
    struct tlog_checkpoint after = logdir_head(d, s);
    if (after.size != 3 || before.size != 3)
        return 8;
    tlog_store_free(s);
    return 0;
}

static void a_write_error_stops_the_store_for_good(void **state)
{
    (void)state;
    struct logdir d = logdir_new();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(run_out_of_room(&d));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    struct tlog_store *s = logdir_open(&d);
    logdir_check(&d, s, 3);
    logdir_add(&d, s, 3);
    tlog_store_free(s);
    logdir_free(&d);
}

static bool is_checkpoint(const void *p, size_t len)
{
    return len > 9 && memcmp(p, "test/log\n", 9) == 0;
}

static void a_checkpoint_that_cannot_be_written_stops_the_store(void **state)
{
    (void)state;
    static struct tlog_proof p;
    struct logdir d = logdir_new();
    struct tlog_store *s = logdir_open(&d);
    logdir_add(&d, s, 0);
    fail_write = is_checkpoint;
    assert_rc(tlog_store_append(s, &p, "entry 1\n", 8), RC_STORE);
    fail_write = NULL;
    assert_rc(tlog_store_append(s, &p, "entry 1\n", 8), RC_STORE);
    assert_int_equal(logdir_head(&d, s).size, 1);
    tlog_store_free(s);
    /* it was durable, though nobody was told: now it may be signed */
    s = logdir_open(&d);
    logdir_check(&d, s, 2);
    logdir_add(&d, s, 1);
    tlog_store_free(s);
    logdir_free(&d);
}

static bool is_zeros(const void *p, size_t len)
{
    return len > 4096 && *(const char *)p == 0;
}

static void no_room_ahead_stops_the_store(void **state)
{
    (void)state;
    static struct tlog_proof p;
    struct logdir d = logdir_new();
    struct tlog_store *s = logdir_open(&d);
    fail_write = is_zeros;
    assert_rc(tlog_store_append(s, &p, "entry 0\n", 8), RC_STORE);
    fail_write = NULL;
    assert_rc(tlog_store_append(s, &p, "entry 0\n", 8), RC_STORE);
    tlog_store_free(s);
    s = logdir_open(&d);
    logdir_check(&d, s, 0);
    tlog_store_free(s);
    logdir_free(&d);
}

static int no_sync(int fd)
{
    (void)fd;
    errno = EIO;
    return -1;
}

static void a_sync_error_stops_the_store_for_good(void **state)
{
    (void)state;
    static struct tlog_proof p;
    struct logdir d = logdir_new();
    struct tlog_store *s = logdir_open(&d);
    logdir_add(&d, s, 0);
    on_sync = no_sync;
    assert_rc(tlog_store_append(s, &p, "entry 1\n", 8), RC_STORE);
    on_sync = NULL;
    assert_rc(tlog_store_append(s, &p, "entry 1\n", 8), RC_STORE);
    assert_rc(tlog_store_append(s, &p, "entry 0\n", 8), RC_STORE);
    assert_non_null(strstr(rc_text(), "fdatasync"));
    assert_int_equal(logdir_head(&d, s).size, 1);
    /* what was never signed is shown to nobody */
    struct tlog_path path;
    uint8_t *tile = NULL;
    size_t len;
    assert_ok(tlog_store_inclusion(s, &path, 0, 1));
    assert_rc(tlog_store_inclusion(s, &path, 1, 2), RC_UNKNOWN);
    assert_rc(tlog_store_consistency(s, &path, 1, 2), RC_UNKNOWN);
    assert_rc(tlog_store_tile(s, &tile, &len, 0, 0, 2), RC_UNKNOWN);
    assert_rc(tlog_store_tile(s, &tile, &len, -1, 0, 2), RC_UNKNOWN);
    OWNED_MEM uint8_t *note = logdir_read(&d, "checkpoint", &len);
    struct tlog_checkpoint cp;
    assert_ok(tlog_checkpoint_open(&cp, (char *)note, len, &d.log));
    assert_int_equal(cp.size, 1);
    tlog_store_free(s);
    logdir_free(&d);
}

static void a_store_that_cannot_sync_does_not_open(void **state)
{
    (void)state;
    struct logdir d = logdir_new();
    struct tlog_store *none = NULL;
    on_sync = no_sync;
    assert_rc(tlog_store_open(&none, d.dir, &d.log, d.sk), RC_STORE);
    on_sync = NULL;
    assert_null(none);
    logdir_free(&d);
}

static struct {
    const struct logdir *d;
    struct tlog_store *s;
    unsigned calls;
    uint64_t size_in_memory;
    uint64_t size_on_disk;
} seen;

static int look_then_sync(int fd)
{
    struct tlog_checkpoint cp;
    size_t len;
    OWNED_MEM uint8_t *note = logdir_read(seen.d, "checkpoint", &len);
    seen.calls++;
    seen.size_in_memory = logdir_head(seen.d, seen.s).size;
    if (tlog_checkpoint_open(&cp, (char *)note, len, &seen.d->log) == RC_OK)
        seen.size_on_disk = cp.size;
    return __real_fdatasync(fd);
}

static void nothing_is_signed_before_it_is_synced(void **state)
{
    (void)state;
    struct logdir d = logdir_new();
    struct tlog_store *s = logdir_open(&d);
    for (uint64_t i = 0; i < 10; i++) {
        seen.d = &d;
        seen.s = s;
        seen.calls = 0;
        on_sync = look_then_sync;
        logdir_add(&d, s, i);
        on_sync = NULL;
        assert_int_equal(seen.calls, 1);
        assert_int_equal(seen.size_in_memory, i);
        assert_int_equal(seen.size_on_disk, i);
        assert_int_equal(logdir_head(&d, s).size, i + 1);
    }
    tlog_store_free(s);
    logdir_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_writers_lose_nothing_acknowledged),
        cmocka_unit_test(a_second_writer_is_refused),
        cmocka_unit_test(keys_that_do_not_belong_are_refused),
        cmocka_unit_test(a_torn_tail_is_dropped),
        cmocka_unit_test(a_tail_of_zeros_or_noise_is_dropped),
        cmocka_unit_test(a_last_record_with_holes_is_dropped),
        cmocka_unit_test(a_spoilt_checkpoint_file_is_made_again),
        cmocka_unit_test(lost_entries_are_noticed),
        cmocka_unit_test(one_changed_byte_is_noticed),
        cmocka_unit_test(a_record_out_of_place_is_noticed),
        cmocka_unit_test(a_history_other_than_the_signed_one_is_refused),
        cmocka_unit_test(a_write_error_stops_the_store_for_good),
        cmocka_unit_test(a_checkpoint_that_cannot_be_written_stops_the_store),
        cmocka_unit_test(no_room_ahead_stops_the_store),
        cmocka_unit_test(a_sync_error_stops_the_store_for_good),
        cmocka_unit_test(a_store_that_cannot_sync_does_not_open),
        cmocka_unit_test(nothing_is_signed_before_it_is_synced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
