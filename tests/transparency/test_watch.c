/* SPDX-License-Identifier: Apache-2.0 */
/* What a monitor, a mirror and a search do with honest and other logs. */
#include "test.h"

#include <ftw.h>
#include <stdatomic.h>

#include "base/hash.h"
#include "logdir.h"
#include "transparency/watch.h"

/* ---- a log in memory that can be bent ------------------------------------ */

struct world {
    struct logdir d;
    struct tlog_store *s;
    struct tlog_trust *trust;
    const char *hide;   /* a path that is not there */
    const char *bend;   /* a path with a changed byte, */
    size_t bend_at;     /* this one */
    const char *prefix; /* only count these: */
    unsigned fetched;
    char note[TLOG_NOTE_MAX]; /* shown instead, unless empty */
};

static struct world world_new(void)
{
    struct world w = { .d = logdir_new() };
    char vkey[TLOG_VKEY_MAX];
    char text[512];
    w.s = logdir_open(&w.d);
    w.trust = calloc(1, sizeof(*w.trust));
    assert_non_null(w.trust);
    snprintf(text, sizeof(text), "log %s\nquorum none\n",
             tlog_vkey_text(vkey, &w.d.log));
    assert_ok(tlog_trust_read(w.trust, text, strlen(text)));
    return w;
}

static void world_free(struct world *w)
{
    tlog_store_free(w->s);
    logdir_free(&w->d);
    free(w->trust);
}

static enum rc fetch(uint8_t **out, size_t *len, const char *path, void *ctx)
{
    struct world *w = ctx;
    if (!w->prefix || strncmp(path, w->prefix, strlen(w->prefix)) == 0)
        w->fetched++;
    if (w->hide && strcmp(path, w->hide) == 0)
        return rc_raise(RC_UNKNOWN, "%s: hidden", path);
    if (w->note[0] && strcmp(path, "checkpoint") == 0) {
        *len = strlen(w->note);
        *out = (uint8_t *)strdup(w->note);
        return RC_OK;
    }
    TRY(logdir_fetch(out, len, path, w->s));
    if (w->bend && strcmp(path, w->bend) == 0)
        (*out)[w->bend_at] ^= 1;
    return RC_OK;
}

static void add_from_to(struct world *w, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++)
        logdir_add(&w->d, w->s, i);
}

/* A note of this log's own key over what one likes. */
static void sign(char note[TLOG_NOTE_MAX], const struct world *w, uint64_t size,
                 const struct tlog_hash *root)
{
    struct tlog_checkpoint cp = { .size = size, .root = *root };
    snprintf(cp.origin, sizeof(cp.origin), "%s", w->d.log.name);
    assert_ok(
            tlog_checkpoint_sign(note, TLOG_NOTE_MAX, &cp, &w->d.log, w->d.sk));
}

/* ---- proofs off tiles ---------------------------------------------------- */

static void paths_from_tiles_are_those_of_the_store(void **state)
{
    (void)state;
    static const uint64_t sizes[] = { 1, 2, 255, 256, 257, 511, 513, 700 };
    struct world w = world_new();
    add_from_to(&w, 0, 700);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint64_t size = sizes[i];
        for (uint64_t at = 0; at < size; at += 1 + size / 23) {
            struct tlog_path a;
            struct tlog_path b;
            assert_ok(tlog_tiles_inclusion(&a, at, size, fetch, &w));
            assert_ok(tlog_store_inclusion(w.s, &b, at, size));
            assert_int_equal(a.n, b.n);
            assert_memory_equal(a.hash, b.hash, a.n * sizeof(a.hash[0]));
            assert_ok(tlog_tiles_consistency(&a, at, size, fetch, &w));
            assert_ok(tlog_store_consistency(w.s, &b, at, size));
            assert_int_equal(a.n, b.n);
            assert_memory_equal(a.hash, b.hash, a.n * sizeof(a.hash[0]));
        }
    }
    struct tlog_path p;
    assert_rc(tlog_tiles_inclusion(&p, 700, 700, fetch, &w), RC_UNKNOWN);
    assert_rc(tlog_tiles_inclusion(&p, 0, 0, fetch, &w), RC_UNKNOWN);
    assert_rc(tlog_tiles_consistency(&p, 9, 8, fetch, &w), RC_UNKNOWN);
    uint8_t *entry = NULL;
    size_t len;
    assert_ok(tlog_tiles_entry(&entry, &len, 257, 700, fetch, &w));
    assert_string_equal((char *)entry, "entry 257\n");
    assert_int_equal(len, 10);
    free(entry);
    assert_rc(tlog_tiles_entry(&entry, &len, 700, 700, fetch, &w), RC_UNKNOWN);
    world_free(&w);
}

/* ---- following ----------------------------------------------------------- */

static enum rc count_entry(uint64_t index, const uint8_t *entry, size_t len,
                           void *arg)
{
    uint64_t *next = arg;
    char want[64];
    assert_int_equal(index, *next);
    assert_int_equal(len, logdir_entry(want, index));
    assert_memory_equal(entry, want, len);
    ++*next;
    return RC_OK;
}

static enum rc step(struct tlog_follow *f, struct world *w, uint64_t *next,
                    char *other)
{
    return tlog_follow_step(f, w->trust, fetch, w, count_entry, next, other);
}

static void a_follower_sees_every_entry_once(void **state)
{
    (void)state;
    static const uint64_t sizes[] = { 0, 1, 200, 256, 257, 600, 600, 768 };
    struct world w = world_new();
    struct tlog_follow f = { .size = 0 };
    uint64_t next = 0;
    uint64_t have = 0;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        add_from_to(&w, have, sizes[i]);
        have = sizes[i];
        assert_ok(step(&f, &w, &next, NULL));
        assert_int_equal(next, have);
        assert_int_equal(f.size, have);
    }
    /* nothing new: the checkpoint alone is read */
    w.fetched = 0;
    assert_ok(step(&f, &w, &next, NULL));
    assert_int_equal(w.fetched, 1);
    /* two more in a started bundle: that one */
    add_from_to(&w, have, have + 2);
    w.prefix = "tile/entries";
    w.fetched = 0;
    assert_ok(step(&f, &w, &next, NULL));
    assert_int_equal(w.fetched, 1);
    world_free(&w);
}

static void a_follower_notices_what_was_bent(void **state)
{
    (void)state;
    static const char *const paths[] = { "tile/entries/001.p/44",
                                         "tile/0/001.p/44", "checkpoint" };
    struct world w = world_new();
    add_from_to(&w, 0, 260);
    struct tlog_follow f = { .size = 0 };
    uint64_t next = 0;
    assert_ok(step(&f, &w, &next, NULL));
    add_from_to(&w, 260, 300);
    for (size_t i = 0; i < 3; i++) {
        struct tlog_follow before = f;
        next = 260;
        w.bend = paths[i];
        w.bend_at = 39;
        enum rc rc = tlog_follow_step(&f, w.trust, fetch, &w, NULL, NULL, NULL);
        if (rc != RC_LOG)
            fail_msg("%s: %s", paths[i], rc_slug(rc));
        assert_memory_equal(&f, &before, sizeof(f));
    }
    w.bend = NULL;
    next = 260;
    assert_ok(step(&f, &w, &next, NULL));
    assert_int_equal(f.size, 300);
    world_free(&w);
}

static void ignore_one(enum rc rc, const struct tlog_proof *proof, void *arg)
{
    (void)proof;
    atomic_fetch_add((atomic_uint *)arg, rc == RC_OK);
}

/* Levels above the leaves, while they are at the edge and when they left it. */
static void a_follower_notices_bent_tiles_above(void **state)
{
    (void)state;
    static const char *const paths[] = { "tile/1/000", "tile/1/001.p/1",
                                         "tile/2/000.p/1", "tile/0/255" };
    struct world w = world_new();
    struct tlog_follow f = { .size = 0 };
    struct tlog_follow half;
    atomic_uint done = 0;
    for (uint64_t i = 0; i < 65536 + 300; i++) {
        char entry[64];
        size_t len = logdir_entry(entry, i);
        assert_ok(tlog_store_append_async(w.s, entry, len, ignore_one, &done));
        while (i + 1 - atomic_load(&done) > 2000 ||
               ((i == 40000 || i == 65536 + 299) && atomic_load(&done) <= i))
            usleep(100);
        if (i == 40000)
            assert_ok(
                    tlog_follow_step(&f, w.trust, fetch, &w, NULL, NULL, NULL));
    }
    half = f;
    assert_true(half.size > 0 && half.size < 65536);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        for (unsigned from = 0; from < 2; from++) {
            f = from ? half : (struct tlog_follow){ .size = 0 };
            w.bend = paths[i];
            w.bend_at = 17;
            enum rc rc = tlog_follow_step(&f, w.trust, fetch, &w, NULL, NULL,
                                          NULL);
            if (rc != RC_LOG)
                fail_msg("%s from %llu: %s", paths[i],
                         (unsigned long long)f.size, rc_slug(rc));
        }
    w.bend = NULL;
    f = half;
    assert_ok(tlog_follow_step(&f, w.trust, fetch, &w, NULL, NULL, NULL));
    assert_int_equal(f.size, 65536 + 300);
    world_free(&w);
}

static void a_fork_leaves_both_notes(void **state)
{
    (void)state;
    struct world w = world_new();
    struct tlog_follow f = { .size = 0 };
    struct tlog_hash root = { { 1 } };
    char other[TLOG_NOTE_MAX];
    uint64_t next = 0;
    add_from_to(&w, 0, 10);
    assert_ok(step(&f, &w, &next, other));
    assert_string_equal(other, "");
    /* the same size, larger and smaller: signed, and not the tree we saw */
    static const uint64_t sizes[] = { 10, 12, 7 };
    add_from_to(&w, 10, 12);
    for (size_t i = 0; i < 3; i++) {
        sign(w.note, &w, sizes[i], &root);
        next = 10;
        assert_rc(step(&f, &w, &next, other), RC_LOG);
        assert_string_equal(other, w.note);
        assert_int_equal(f.size, 10);
    }
    /* a true past of ours is a replica that lags, no fork */
    struct tlog_hash leaf[7];
    for (uint64_t i = 0; i < 7; i++) {
        char entry[64];
        tlog_leaf_hash(&leaf[i], entry, logdir_entry(entry, i));
    }
    tlog_root(&root, leaf, 7);
    sign(w.note, &w, 7, &root);
    assert_rc(step(&f, &w, &next, other), RC_HEAD_BEHIND);
    assert_string_equal(other, "");
    world_free(&w);
}

/* ---- alarms -------------------------------------------------------------- */

struct heard {
    struct tlog_alarm alarm[16];
    unsigned n;
};

static void hear(const struct tlog_alarm *alarm, void *arg)
{
    struct heard *h = arg;
    assert_true(h->n < 16);
    h->alarm[h->n++] = *alarm;
}

static void assert_heard(struct heard *h, enum tlog_alarm_kind kind,
                         uint64_t index, uint64_t other)
{
    if (h->n != 1)
        fail_msg("%u alarms, want one", h->n);
    assert_int_equal(h->alarm[0].kind, kind);
    assert_int_equal(h->alarm[0].index, index);
    assert_int_equal(h->alarm[0].other, other);
    h->n = 0;
}

static size_t an_intent(char out[TLOG_ENTRY_MAX + 1], uint8_t session,
                        const char *slot, uint8_t message, uint64_t attempt,
                        int64_t expires)
{
    struct tlog_intent in = { .commitment = { message },
                              .key = { 7 },
                              .session = { session },
                              .class = "artifact",
                              .mode = "ed25519",
                              .attempt = attempt,
                              .epoch = 1,
                              .birth = 0,
                              .expires = expires };
    size_t len;
    snprintf(in.slot, sizeof(in.slot), "%s", slot);
    assert_ok(tlog_intent_encode(out, &len, &in));
    return len;
}

static size_t a_receipt(char out[TLOG_ENTRY_MAX + 1], uint64_t intent)
{
    struct tlog_receipt in = { .intent = intent, .signature = { 9 } };
    size_t len;
    assert_ok(tlog_receipt_encode(out, &len, &in));
    return len;
}

static size_t an_abort(char out[TLOG_ENTRY_MAX + 1], uint64_t intent)
{
    struct tlog_abort in = { .intent = intent, .reason = "timeout" };
    size_t len;
    assert_ok(tlog_abort_encode(out, &len, &in));
    return len;
}

static size_t a_dsse(char out[TLOG_ENTRY_MAX + 1])
{
    static const struct tlog_dsse d = { .payload = { 0xaa, 1 },
                                        .cert_len = 10 };
    size_t len;
    assert_ok(tlog_dsse_encode(out, &len, &d));
    return len;
}

static char text[TLOG_ENTRY_MAX + 1];
#define ENTRY(index, make)                                                     \
    do {                                                                       \
        size_t entry_len_ = make;                                              \
        assert_ok(tlog_watch_entry(w, index, text, entry_len_, hear, &h));     \
    } while (0)

static void what_belongs_together_raises_no_alarm(void **state)
{
    (void)state;
    struct heard h = { .n = 0 };
    struct tlog_watch *w = NULL;
    assert_ok(tlog_watch_new(&w));
    ENTRY(0, an_intent(text, 1, "raw", 1, 1, 100));
    ENTRY(1, an_intent(text, 1, "cms", 2, 1, 100)); /* another slot */
    ENTRY(2, a_receipt(text, 0));
    ENTRY(3, an_intent(text, 1, "cms", 2, 2, 160)); /* the next attempt */
    ENTRY(4, a_receipt(text, 3));
    ENTRY(5, an_intent(text, 2, "raw", 1, 1, 100)); /* another session */
    ENTRY(6, an_abort(text, 5));
    /* without a session nothing holds a slot to one message */
    ENTRY(7, an_intent(text, 0, "raw", 3, 1, 100));
    ENTRY(8, an_intent(text, 0, "raw", 4, 1, 100));
    ENTRY(9, a_receipt(text, 7));
    ENTRY(10, a_receipt(text, 8));
    assert_ok(tlog_watch_entry(w, 11, "anything else\n", 14, hear, &h));
    ENTRY(12, a_dsse(text));
    tlog_watch_time(w, 1000, 0, hear, &h);
    assert_int_equal(h.n, 0);
    tlog_watch_free(w);
}

static void each_rule_has_its_alarm(void **state)
{
    (void)state;
    struct heard h = { .n = 0 };
    struct tlog_watch *w = NULL;
    assert_ok(tlog_watch_new(&w));
    ENTRY(0, a_receipt(text, 5));
    assert_heard(&h, TLOG_ALARM_NO_INTENT, 0, 5);
    ENTRY(1, an_abort(text, 0)); /* entry 0 is no intent */
    assert_heard(&h, TLOG_ALARM_NO_INTENT, 1, 0);
    ENTRY(2, an_intent(text, 1, "raw", 1, 1, 100));
    ENTRY(3, an_intent(text, 1, "raw", 2, 1, 100));
    assert_heard(&h, TLOG_ALARM_SECOND_MESSAGE, 3, 2);
    ENTRY(4, an_intent(text, 1, "raw", 2, 2, 130)); /* told already */
    assert_int_equal(h.n, 0);
    ENTRY(5, a_receipt(text, 2));
    tlog_watch_time(w, 130, 0, hear, &h);
    assert_int_equal(h.n, 0);
    tlog_watch_time(w, 140, 10, hear, &h);
    assert_int_equal(h.n, 0);
    tlog_watch_time(w, 141, 10, hear, &h);
    assert_heard(&h, TLOG_ALARM_NO_RECEIPT, 4, TLOG_NO_INDEX);
    tlog_watch_time(w, 9999, 0, hear, &h); /* once */
    assert_int_equal(h.n, 0);
    static const char bad[] = "mpc-intent/1\ncommitment 00\n";
    assert_ok(tlog_watch_entry(w, 6, bad, strlen(bad), hear, &h));
    assert_heard(&h, TLOG_ALARM_MALFORMED, 6, TLOG_NO_INDEX);
    static const char policy[] = "mpc-policy/1\nversion x\n";
    assert_ok(tlog_watch_entry(w, 7, policy, strlen(policy), hear, &h));
    assert_heard(&h, TLOG_ALARM_MALFORMED, 7, TLOG_NO_INDEX);
    size_t len = a_dsse(text); /* begins like one of Sigstore's */
    assert_ok(tlog_watch_entry(w, 8, text, len - 1, hear, &h));
    assert_heard(&h, TLOG_ALARM_MALFORMED, 8, TLOG_NO_INDEX);
    assert_string_equal(tlog_alarm_name(TLOG_ALARM_NO_RECEIPT),
                        "intent_without_receipt");
    tlog_watch_free(w);
}

static void many_affairs_are_kept_apart(void **state)
{
    (void)state;
    enum { N = 3000 };
    struct heard h = { .n = 0 };
    struct tlog_watch *w = NULL;
    assert_ok(tlog_watch_new(&w));
    for (unsigned i = 0; i < N; i++) {
        struct tlog_intent in = { .class = "artifact",
                                  .mode = "ed25519",
                                  .slot = "raw",
                                  .attempt = 1,
                                  .epoch = 1,
                                  .birth = 0,
                                  .expires = 100 };
        size_t len;
        memcpy(in.session, &i, sizeof(i));
        in.session[31] = 1;
        memcpy(in.commitment, &i, sizeof(i));
        assert_ok(tlog_intent_encode(text, &len, &in));
        assert_ok(tlog_watch_entry(w, i, text, len, hear, &h));
    }
    for (unsigned i = 0; i < N; i++)
        if (i != 1234)
            ENTRY(N + i, a_receipt(text, i));
    tlog_watch_time(w, 200, 0, hear, &h);
    assert_heard(&h, TLOG_ALARM_NO_RECEIPT, 1234, TLOG_NO_INDEX);
    tlog_watch_free(w);
}

/* ---- a monitor that runs from cron --------------------------------------- */

static enum rc watch_entry(uint64_t index, const uint8_t *entry, size_t len,
                           void *arg)
{
    static struct heard none;
    return tlog_watch_entry(arg, index, entry, len, hear, &none);
}

static void a_saved_watch_goes_on(void **state)
{
    (void)state;
    static struct tlog_proof p;
    struct world world = world_new();
    struct heard h = { .n = 0 };
    struct tlog_watch *w = NULL;
    struct tlog_follow f = { .size = 0 };
    OWNED_MEM char *saved = NULL;
    size_t len;
    assert_ok(tlog_watch_new(&w));
    /* before anything was seen */
    assert_ok(tlog_watch_save(&saved, &len, w, &f, &world.d.log));
    tlog_watch_free(w);
    assert_ok(tlog_watch_load(&w, &f, &world.d.log, saved, len));
    free(TAKE(saved));
    size_t n = an_intent(text, 1, "raw", 1, 1, 100);
    assert_ok(tlog_store_append(world.s, &p, text, n));
    n = an_intent(text, 1, "cms", 1, 1, 100);
    assert_ok(tlog_store_append(world.s, &p, text, n));
    n = a_receipt(text, 0);
    assert_ok(tlog_store_append(world.s, &p, text, n));
    assert_ok(tlog_follow_step(&f, world.trust, fetch, &world, watch_entry, w,
                               NULL));
    assert_ok(tlog_watch_save(&saved, &len, w, &f, &world.d.log));
    tlog_watch_free(w);
    memset(&f, 0, sizeof(f));
    assert_ok(tlog_watch_load(&w, &f, &world.d.log, saved, len));
    assert_int_equal(f.size, 3);
    OWNED_MEM char *again = NULL;
    size_t again_len;
    assert_ok(tlog_watch_save(&again, &again_len, w, &f, &world.d.log));
    assert_string_equal(again, saved);
    /* what it knew before still counts */
    n = an_intent(text, 1, "raw", 2, 1, 100);
    assert_ok(tlog_watch_entry(w, 3, text, n, hear, &h));
    assert_heard(&h, TLOG_ALARM_SECOND_MESSAGE, 3, 0);
    tlog_watch_time(w, 101, 0, hear, &h);
    assert_int_equal(h.n, 2); /* entries 1 and 3 */
    tlog_watch_free(w);
    w = NULL;

    for (size_t cut = 0; cut < len; cut++)
        if (tlog_watch_load(&w, &f, &world.d.log, saved, cut) == RC_OK)
            fail_msg("a file cut at %zu of %zu was taken", cut, len);
    char *size = strstr(saved, "size 3");
    size[5] = '2';
    assert_rc(tlog_watch_load(&w, &f, &world.d.log, saved, len), RC_PARSE);
    size[5] = '3';
    char *node = strstr(saved, "node ") + 5;
    *node = *node == '0' ? '1' : '0';
    assert_rc(tlog_watch_load(&w, &f, &world.d.log, saved, len), RC_PARSE);
    struct logdir stranger = world.d;
    logdir_key(&stranger, "test/log", (const uint8_t[32]){ 8 });
    assert_rc(tlog_watch_load(&w, &f, &stranger.log, saved, len), RC_CONFLICT);
    assert_null(w);
    world_free(&world);
}

/* ---- search -------------------------------------------------------------- */

static void entries_are_found_by_what_they_hold(void **state)
{
    (void)state;
    struct tlog_index *x = NULL;
    uint64_t at[8];
    const uint8_t key[32] = { 7 };
    const uint8_t message[32] = { 250 };
    const uint8_t signature[32] = { 9 };
    const uint8_t absent[32] = { 77, 1 };
    assert_ok(tlog_index_new(&x));
    assert_int_equal(tlog_index_find(x, at, 8, key, TLOG_NO_INDEX), 0);
    for (uint64_t i = 0; i < 3000; i++) {
        size_t n = i % 3 == 2 ? a_receipt(text, i - 2)
                              : an_intent(text, 1 + (uint8_t)(i % 200), "raw",
                                          (uint8_t)(i < 600 ? i % 300 : 255), 1,
                                          100);
        assert_ok(tlog_index_add(x, i, text, n));
        assert_int_equal(tlog_index_size(x), i + 1);
    }
    assert_ok(tlog_index_add(x, 3000, "opaque\n", 7));
    /* one of Sigstore's, by payload and by the digests a receipt names */
    static const struct tlog_dsse d = { .payload = { 0xaa, 1 },
                                        .cert_len = 10 };
    uint8_t digest[32];
    size_t len;
    assert_ok(tlog_dsse_encode(text, &len, &d));
    assert_ok(tlog_index_add(x, 3001, text, len));
    hash256(digest, d.signature, 64);
    assert_int_equal(tlog_index_find(x, at, 8, digest, TLOG_NO_INDEX), 1);
    hash256(digest, d.cert, 10);
    assert_int_equal(tlog_index_find(x, at, 8, digest, TLOG_NO_INDEX), 1);
    assert_int_equal(tlog_index_find(x, at, 8, d.payload, TLOG_NO_INDEX), 1);
    assert_int_equal(at[0], 3001);
    /* newest first, and on from where one stopped */
    assert_int_equal(tlog_index_find(x, at, 8, key, TLOG_NO_INDEX), 8);
    assert_int_equal(at[0], 2998);
    assert_int_equal(at[1], 2997);
    assert_int_equal(at[2], 2995);
    assert_int_equal(tlog_index_find(x, at, 8, key, 5), 4);
    assert_int_equal(at[0], 4);
    assert_int_equal(at[3], 0);
    assert_int_equal(tlog_index_find(x, at, 8, message, TLOG_NO_INDEX), 2);
    assert_int_equal(at[1], 250);
    assert_int_equal(tlog_index_find(x, at, 8, signature, 9), 3);
    assert_int_equal(at[0], 8);
    assert_int_equal(tlog_index_find(x, at, 8, absent, TLOG_NO_INDEX), 0);
    assert_int_equal(tlog_index_cites(x, at, 8, 33), 1);
    assert_int_equal(at[0], 35);
    assert_int_equal(tlog_index_cites(x, at, 8, 34), 0);
    tlog_index_free(x);
}

/* ---- mirror -------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int kind,
                      struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static bool has(const char *dir, const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static enum rc fetch_dir(uint8_t **out, size_t *len, const char *path,
                         void *ctx)
{
    char file[256];
    snprintf(file, sizeof(file), "%s/%s", (char *)ctx, path);
    return file_read(out, len, file, 1 << 20);
}

static void check_dir(struct world *w, char *dir, uint64_t size)
{
    struct tlog_fsck_report report;
    assert_ok(tlog_fsck(&report, &w->d.log, fetch_dir, dir));
    assert_int_equal(report.head.size, size);
}

static void a_mirror_copies_only_what_is_new(void **state)
{
    (void)state;
    static const uint64_t sizes[] = { 0,   1,   255, 256, 257,
                                      300, 511, 512, 513, 1100 };
    char dir[] = "/tmp/tlog-mirror-XXXXXX";
    struct world w = world_new();
    struct tlog_mirror_report report;
    uint64_t have = 0;
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        add_from_to(&w, have, sizes[i]);
        assert_ok(tlog_mirror(&report, dir, &w.d.log, fetch, &w));
        assert_int_equal(report.old_size, have);
        assert_int_equal(report.size, sizes[i]);
        have = sizes[i];
        check_dir(&w, dir, have);
        /* again: one look at the checkpoint, and no file */
        w.fetched = 0;
        assert_ok(tlog_mirror(&report, dir, &w.d.log, fetch, &w));
        assert_int_equal(report.files, 0);
        assert_int_equal(w.fetched, 1);
    }
    assert_true(has(dir, "tile/0/000"));
    assert_false(has(dir, "tile/0/000.p"));
    assert_false(has(dir, "tile/entries/000.p"));
    assert_true(has(dir, "tile/entries/004.p/76"));
    /* one more entry costs its bundle, two tiles at most and the note */
    add_from_to(&w, have, have + 1);
    w.prefix = "tile/entries";
    w.fetched = 0;
    assert_ok(tlog_mirror(&report, dir, &w.d.log, fetch, &w));
    assert_int_equal(w.fetched, 1);
    assert_int_equal(report.files, 3);
    world_free(&w);
    assert_int_equal(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void a_mirror_keeps_what_it_has_from_a_fork(void **state)
{
    (void)state;
    char dir[] = "/tmp/tlog-mirror-XXXXXX";
    struct world w = world_new();
    struct world fork = world_new();
    struct tlog_mirror_report report;
    static struct tlog_proof p;
    assert_non_null(mkdtemp(dir));
    add_from_to(&w, 0, 300);
    assert_ok(tlog_mirror(&report, dir, &w.d.log, fetch, &w));
    /* entry 290 differs, and the fork is longer */
    add_from_to(&fork, 0, 290);
    assert_ok(tlog_store_append(fork.s, &p, "something else\n", 15));
    for (uint64_t i = 291; i < 600; i++) {
        char entry[64];
        size_t len = logdir_entry(entry, i);
        assert_ok(tlog_store_append(fork.s, &p, entry, len));
    }
    assert_rc(tlog_mirror(&report, dir, &w.d.log, fetch, &fork), RC_LOG);
    check_dir(&w, dir, 300);
    /* entry 100 differs: in a finished bundle that is not read again */
    struct world early = world_new();
    add_from_to(&early, 0, 100);
    assert_ok(tlog_store_append(early.s, &p, "something else\n", 15));
    for (uint64_t i = 101; i < 600; i++) {
        char entry[64];
        size_t len = logdir_entry(entry, i);
        assert_ok(tlog_store_append(early.s, &p, entry, len));
    }
    assert_rc(tlog_mirror(&report, dir, &w.d.log, fetch, &early), RC_LOG);
    check_dir(&w, dir, 300);
    /* shorter: an old backup of the same log */
    struct world old = world_new();
    add_from_to(&old, 0, 200);
    assert_rc(tlog_mirror(&report, dir, &w.d.log, fetch, &old), RC_HEAD_BEHIND);
    /* and the log itself goes on, over what the forks left */
    add_from_to(&w, 300, 777);
    assert_ok(tlog_mirror(&report, dir, &w.d.log, fetch, &w));
    check_dir(&w, dir, 777);
    world_free(&old);
    world_free(&early);
    world_free(&fork);
    world_free(&w);
    assert_int_equal(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_from_tiles_are_those_of_the_store),
        cmocka_unit_test(a_follower_sees_every_entry_once),
        cmocka_unit_test(a_follower_notices_what_was_bent),
        cmocka_unit_test(a_follower_notices_bent_tiles_above),
        cmocka_unit_test(a_fork_leaves_both_notes),
        cmocka_unit_test(what_belongs_together_raises_no_alarm),
        cmocka_unit_test(each_rule_has_its_alarm),
        cmocka_unit_test(many_affairs_are_kept_apart),
        cmocka_unit_test(a_saved_watch_goes_on),
        cmocka_unit_test(entries_are_found_by_what_they_hold),
        cmocka_unit_test(a_mirror_copies_only_what_is_new),
        cmocka_unit_test(a_mirror_keeps_what_it_has_from_a_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
