/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation of a decode and of an encode fails, alone and with those
 * that follow: an error or the right bytes, and nothing left allocated.
 * Ours are wrapped by the linker, the parser's by its own hook.
 */
#include "test.h"

#include <jansson.h>
#include <limits.h>

#include "base/own.h"
#include "fill.h"
#include "messages.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

static struct {
    long left; /* allocations until the failing one; below 0: past it */
    bool armed;
    long run; /* how many fail one after the other */
    long live;
} fault;

static bool fails(void)
{
    if (!fault.armed)
        return false;
    long n = fault.left--;
    return n <= 0 && n > -fault.run;
}

static void *counted(void *p)
{
    fault.live += p != NULL;
    return p;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : counted(__real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t n)
{
    if (fails())
        return NULL;
    return p ? __real_realloc(p, n) : counted(__real_realloc(p, n));
}

void __wrap_free(void *p)
{
    fault.live -= p != NULL;
    __real_free(p);
}

static void arm(long n, long run)
{
    fault.left = n;
    fault.run = run;
    fault.armed = true;
}

/* Whether the failing allocation was reached at all. */
static bool disarm(void)
{
    fault.armed = false;
    return fault.left < 0;
}

static void same_when_encoded(const struct message *msg, const void *m,
                              const char *json, size_t len)
{
    OWNED_MEM char *again = NULL;
    size_t again_len;
    assert_ok(msg->encode(&again, &again_len, m));
    assert_int_equal(again_len, len);
    assert_memory_equal(again, json, len);
}

static bool all_zero(const uint8_t *p, size_t n)
{
    while (n && p[n - 1] == 0)
        n--;
    return n == 0;
}

/* Returns false when allocation n was never reached. */
static bool decode_with_fault(const struct message *msg, const char *json,
                              size_t len, long n, long run)
{
    OWNED_MEM void *m = calloc(1, msg->table->size);
    long live = fault.live;
    arm(n, run);
    enum rc rc = msg->decode(m, json, len);
    bool reached = disarm();
    if (rc == RC_OK)
        same_when_encoded(msg, m, json, len);
    else if (rc != RC_NOMEM && rc != RC_PARSE)
        fail_msg("%s: allocation %ld: %s", msg->table->name, n, rc_text());
    else
        assert_true(all_zero(m, msg->table->size));
    if (!reached)
        assert_int_equal(rc, RC_OK);
    msg->free(m);
    assert_int_equal(fault.live, live);
    return reached;
}

static bool encode_with_fault(const struct message *msg, const void *m,
                              const char *json, size_t len, long n, long run)
{
    char *out = NULL;
    size_t out_len = 0;
    long live = fault.live;
    arm(n, run);
    enum rc rc = msg->encode(&out, &out_len, m);
    bool reached = disarm();
    if (rc == RC_OK) {
        assert_int_equal(out_len, len);
        assert_memory_equal(out, json, len);
    } else if (rc != RC_NOMEM) {
        fail_msg("%s: allocation %ld: %s", msg->table->name, n, rc_text());
    } else {
        assert_null(out);
    }
    if (!reached)
        assert_int_equal(rc, RC_OK);
    free(out);
    assert_int_equal(fault.live, live);
    return reached;
}

/*
 * The parser asks again for every byte that did not fit, so the number that
 * fail in a row decides what it loses: parts of an escape, one, two, the rest.
 */
static const long runs[] = { 1, 2, 3, 4, 5, 6, 7, 12, 13, LONG_MAX };
#define N_RUNS (sizeof(runs) / sizeof(runs[0]))

static void every_allocation_fails(const struct fill *how)
{
    for (size_t i = 0; i < N_MESSAGES; i++) {
        const struct message *msg = &messages[i];
        OWNED_MEM void *m = calloc(1, msg->table->size);
        OWNED_MEM char *json = NULL;
        size_t len;
        fill(msg->table, m, how);
        assert_ok(msg->encode(&json, &len, m));
        for (size_t r = 0; r < N_RUNS; r++) {
            long n = 0;
            while (decode_with_fault(msg, json, len, n, runs[r]))
                n++;
            assert_true(n > 5);
            for (n = 0; encode_with_fault(msg, m, json, len, n, runs[r]);)
                n++;
            assert_true(n > 3);
        }
        msg->free(m);
    }
}

static void messages_of_short_members_survive(void **state)
{
    (void)state;
    every_allocation_fails(&(struct fill){ 1, 9 });
}

/* Long tokens make the parser's buffer grow, which is where it went wrong. */
static void messages_of_long_members_survive(void **state)
{
    (void)state;
    every_allocation_fails(&(struct fill){ 1, 3000 });
}

static void every_allocation_of_a_refusal_fails(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"key\":\"release\",\"session\":\"\",\"wait_ms\":-1}",
        "{\"key\":\"release\",\"session\":\"\",\"session\":\"\"}",
        "{\"key\":\"release with a name of many "
        "bytes\",\"session\":\"\\u0000\"}",
        "{\"key\":[{},{}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        bool reached = true;
        for (long n = 0; reached; n++) {
            struct wire_sign out;
            long live = fault.live;
            arm(n, 1);
            enum rc rc = wire_sign_decode(&out, bad[i], strlen(bad[i]));
            reached = disarm();
            assert_true(rc == RC_NOMEM || rc == RC_PARSE);
            assert_int_equal(fault.live, live);
        }
    }
}

int main(void)
{
    json_set_alloc_funcs(__wrap_malloc, __wrap_free);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_short_members_survive),
        cmocka_unit_test(messages_of_long_members_survive),
        cmocka_unit_test(every_allocation_of_a_refusal_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
