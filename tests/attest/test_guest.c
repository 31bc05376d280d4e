/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The /dev/sev-guest backend, unmodified, against a kernel that shim.c plays.
 * Report and certificates are genuine, so what comes out goes through the
 * whole verifier.
 */
#include "played.h"

#include <errno.h>
#include <pthread.h>

#include "attest/backend.h"
#include "attest/certs.h"
#include "base/clock.h"

static struct attest_guest *guest;

static int load(void **state)
{
    (void)state;
    guest = NULL;
    return 0;
}

static int unload(void **state)
{
    (void)state;
    attest_guest_free(guest);
    clock_replace(NULL, NULL);
    attest_guest_pace(0);
    return 0;
}

static void begin(void)
{
    played_load();
    assert_ok(attest_guest_open(&guest, "sev-guest"));
    assert_false(attest_guest_simulated(guest));
}

static enum rc ask(struct wire_evidence *out)
{
    return attest_guest_report(out, guest, played_data());
}

static void script(int error, uint32_t fw, uint32_t vmm)
{
    shim.script[shim.n_script++] = (struct shim_answer){ error, fw, vmm };
}

static const char *health(void)
{
    struct attest_guest_state s;
    attest_guest_state(&s, guest);
    assert_string_equal(s.kind, "sev-guest");
    return s.state;
}

static void says(const char *words)
{
    if (!strstr(rc_text(), words))
        fail_msg("want \"%s\" in: %s", words, rc_text());
}

/* ---- going well -------------------------------------------------------- */

static void report_and_certificates_come_in_two_calls(void **state)
{
    (void)state;
    begin();
    WIRE(evidence) e = { 0 };
    assert_ok(ask(&e));
    assert_int_equal(shim.calls, 2);
    assert_true(shim.all_blocked);
    played_verify(&e);
    assert_string_equal(health(), "ready");
}

static void room_is_remembered(void **state)
{
    (void)state;
    begin();
    WIRE(evidence) e = { 0 };
    WIRE(evidence) again = { 0 };
    assert_ok(ask(&e));
    assert_ok(ask(&again));
    assert_int_equal(shim.calls, 3);
    played_verify(&again);
    /* the host's table grew since */
    WIRE(evidence) grown = { 0 };
    shim.table_len += 8192;
    assert_ok(ask(&grown));
    assert_int_equal(shim.calls, 5);
    played_verify(&grown);
}

static void host_without_certificates_needs_one_call(void **state)
{
    (void)state;
    begin();
    WIRE(evidence) e = { 0 };
    shim.table_len = 0;
    assert_ok(ask(&e));
    assert_int_equal(shim.calls, 1);
    assert_int_equal(e.vek.len, 0);
    struct attest_verdict v;
    assert_rc(attest_verify(&v, &e, NULL, NULL, PLAYED_NOW), RC_ATTEST);
}

static void derived_key_is_one_call(void **state)
{
    (void)state;
    begin();
    uint8_t key[32] = { 0 };
    uint8_t want[32];
    memset(want, 0x4b, sizeof(want));
    assert_ok(attest_guest_derive(key, guest, 0));
    assert_memory_equal(key, want, 32);
    assert_int_equal(shim.calls, 1);
    assert_int_equal(shim.keys, 1);
    int fd = -1;
    assert_ok(attest_guest_lend(&fd, guest));
    assert_true(fd >= 0);
    assert_int_equal(shim.calls, 1);
}

/* ---- going wrong ------------------------------------------------------- */

static void lost_key_is_final_and_nothing_asks_any_more(void **state)
{
    (void)state;
    begin();
    WIRE(evidence) e = { 0 };
    script(ENOTTY, 0, 0);
    script(0, 0, 0); /* it would go well again: nobody shall find out */
    assert_rc(ask(&e), RC_ATTEST);
    says("attestation lost: relaunch the VM");
    assert_non_null(strstr(rc_hint_text(), "relaunch"));
    assert_string_equal(health(), "lost");
    assert_int_equal(shim.calls, 1);
    uint8_t key[32];
    int fd = -1;
    assert_rc(ask(&e), RC_ATTEST);
    says("attestation lost: relaunch the VM");
    assert_rc(attest_guest_derive(key, guest, 0), RC_ATTEST);
    assert_rc(attest_guest_lend(&fd, guest), RC_ATTEST);
    /* for the whole process, by whichever way it asks */
    struct attest_guest *other = NULL;
    assert_ok(attest_guest_open(&other, "sev-guest"));
    assert_rc(attest_guest_report(&e, other, played_data()), RC_ATTEST);
    attest_guest_free(other);
    assert_ok(attest_guest_open(&other, "configfs-tsm"));
    assert_rc(attest_guest_report(&e, other, played_data()), RC_ATTEST);
    attest_guest_free(other);
    assert_int_equal(shim.calls, 1);
    assert_null(e.report.p);
}

static void busy_host_is_named_and_asked_once(void **state)
{
    (void)state;
    begin();
    WIRE(evidence) e = { 0 };
    script(ETIMEDOUT, 0xff, 2);
    script(0, 0, 0);
    assert_rc(ask(&e), RC_TIMEOUT);
    says("throttled");
    says("host 0x2 BUSY");
    assert_non_null(strstr(rc_hint_text(), "relaunch"));
    assert_string_equal(health(), "throttled");
    assert_int_equal(shim.calls, 1);
    /* a newer kernel kept its key: it goes on */
    assert_ok(ask(&e));
    assert_string_equal(health(), "ready");
    played_verify(&e);
    WIRE(evidence) bad = { 0 };
    shim.n_script = 0;
    shim.calls = 0;
    script(ETIMEDOUT, 0xff, 2);
    script(0, 0, 0);
    assert_rc(ask(&bad), RC_TIMEOUT);
    shim.size = 1; /* answered, and wrong: no longer a matter of throttling */
    assert_rc(ask(&bad), RC_IO);
    assert_string_equal(health(), "failed");
}

static void busy_then_lost_ends_the_asking(void **state)
{
    (void)state;
    begin();
    WIRE(evidence) e = { 0 };
    script(ETIMEDOUT, 0xff, 2);
    script(ENOTTY, 0, 0);
    assert_rc(ask(&e), RC_TIMEOUT);
    for (int i = 0; i < 5; i++)
        assert_rc(ask(&e), RC_ATTEST);
    assert_int_equal(shim.calls, 2);
}

static void firmware_errors_have_names(void **state)
{
    (void)state;
    begin();
    WIRE(evidence) e = { 0 };
    script(EIO, 0x16, 0);
    script(EIO, 0xff, 2);
    script(EINTR, 0x5a5a, 0x5a5a);
    assert_rc(ask(&e), RC_IO);
    says("firmware 0x16 INVALID_PARAM");
    assert_string_equal(health(), "failed");
    assert_rc(ask(&e), RC_IO);
    says("host 0x2 BUSY");
    assert_null(strstr(rc_text(), "firmware"));
    /* old kernels leave garbage beside any other errno */
    assert_rc(ask(&e), RC_IO);
    assert_null(strstr(rc_text(), "5a5a"));
    assert_int_equal(shim.calls, 3);
    assert_null(e.report.p);
}

static void answers_that_cannot_be_are_refused(void **state)
{
    (void)state;
    begin();
    WIRE(evidence) e = { 0 };
    shim.status = 0x16;
    assert_rc(ask(&e), RC_IO);
    says("status 0x16 INVALID_PARAM");
    uint8_t key[32] = { 1 };
    const uint8_t kept[32] = { 1 };
    assert_rc(attest_guest_derive(key, guest, 0), RC_STORE);
    assert_memory_equal(key, kept, 32);
    shim.status = 0;
    const uint32_t sizes[] = { SHIM_REPORT - 1, SHIM_REPORT + 1, 4000 };
    for (size_t i = 0; i < 3; i++) {
        shim.size = sizes[i];
        assert_rc(ask(&e), RC_IO);
        says("want 1184");
    }
    shim.size = 0;
    uint8_t other[64] = { 1 };
    assert_rc(attest_guest_report(&e, guest, other), RC_IO);
    says("over other data");
    assert_null(e.report.p);
}

static void oversized_tables_are_refused(void **state)
{
    (void)state;
    begin();
    WIRE(evidence) e = { 0 };
    shim.table_len = ATTEST_TABLE_MAX + 4096;
    assert_rc(ask(&e), RC_TOO_LARGE);
    says("at most 262144");
    assert_int_equal(shim.calls, 1);
    /* a host that is never content is left after the second call */
    shim.table_len = 4096;
    shim.greedy = true;
    shim.calls = 0;
    assert_rc(ask(&e), RC_IO);
    says("asks again");
    assert_int_equal(shim.calls, 2);
    shim.greedy = false;
    memset(shim.table, 0x11, sizeof(shim.table));
    assert_rc(ask(&e), RC_TOO_LARGE);
    assert_null(e.report.p);
}

static void device_that_is_not_there_says_what_to_do(void **state)
{
    (void)state;
    played_load();
    shim.has_ioctl = false;
    shim.has_tsm = false;
    assert_rc(attest_guest_open(&guest, "sev-guest"), RC_IO);
    assert_non_null(strstr(rc_hint_text(), "SEV-SNP guest"));
    assert_rc(attest_guest_open(&guest, "auto"), RC_IO);
    says("/dev/sev-guest");
    says("tsm");
    assert_null(guest);
    assert_rc(attest_guest_open(&guest, "tdx"), RC_ARG);
    assert_non_null(strstr(rc_hint_text(), "configfs-tsm"));
}

static enum rc nobody(void *ctx, const char *uri, uint8_t (*hashes)[32],
                      unsigned *n, enum attest_role *role)
{
    (void)ctx, (void)uri, (void)hashes, (void)n, (void)role;
    return RC_UNKNOWN;
}

static void real_device_and_simulated_roots_do_not_mix(void **state)
{
    (void)state;
    begin();
    struct attest_channel *ch = NULL;
    const struct attest_channel_config c = {
        .deployment = "test",
        .own_uri = "mpc://test/sidecar/1",
        .guest = guest,
        .roots = { .allow_simulated = true },
        .host = { .allowed = nobody },
    };
    assert_rc(attest_channel_new(&ch, &c), RC_ATTEST);
    says("do not mix");
    assert_null(ch);
    assert_int_equal(shim.calls, 0);
}

/* ---- pacing ------------------------------------------------------------ */

static int64_t held_ms;

static int64_t held(void)
{
    return held_ms;
}

/* The clock stands still, so a wait would never end: what is refused here is
 * refused without one. */
static void queue_before_the_device_is_bounded(void **state)
{
    (void)state;
    begin();
    WIRE(evidence) e = { 0 };
    held_ms = 1000;
    clock_replace(NULL, held);
    attest_guest_pace(30000);
    assert_ok(ask(&e)); /* the bucket holds one */
    int calls = shim.calls;
    WIRE(evidence) no = { 0 };
    assert_rc(ask(&no), RC_TIMEOUT);
    says("next turn in 30 s");
    assert_int_equal(shim.calls, calls);
    held_ms += 30000;
    assert_ok(ask(&no));
    assert_int_equal(shim.calls, calls + 1);
}

static void *ask_in_thread(void *arg)
{
    WIRE(evidence) e = { 0 };
    enum rc *rc = arg;
    *rc = ask(&e);
    return NULL;
}

static void requests_are_apart(void **state)
{
    (void)state;
    begin();
    attest_guest_pace(200);
    pthread_t thread[3];
    enum rc rc[3];
    int64_t start = clock_mono_ms();
    for (int i = 0; i < 3; i++)
        assert_int_equal(
                pthread_create(&thread[i], NULL, ask_in_thread, &rc[i]), 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(thread[i], NULL);
        assert_ok(rc[i]);
    }
    /* three turns are two gaps, however slow this machine is */
    assert_true(clock_mono_ms() - start >= 400);
}

/* ---- changes are told -------------------------------------------------- */

static char told[128];

static void hear(void *ctx, const struct attest_guest_state *s)
{
    (void)ctx;
    size_t at = strlen(told);
    snprintf(told + at, sizeof(told) - at, "%s;", s->state);
}

static void each_change_of_state_is_told_once(void **state)
{
    (void)state;
    begin();
    told[0] = '\0';
    attest_guest_watch(guest, hear, NULL);
    WIRE(evidence) e = { 0 };
    script(EIO, 7, 0);
    script(EIO, 7, 0);
    script(0, 0, 0);
    script(ENOTTY, 0, 0);
    assert_rc(ask(&e), RC_IO);
    assert_rc(ask(&e), RC_IO);
    shim.table_len = 0;
    assert_ok(ask(&e));
    WIRE(evidence) no = { 0 };
    assert_rc(ask(&no), RC_ATTEST);
    assert_rc(ask(&no), RC_ATTEST);
    assert_string_equal(told, "failed;ready;lost;");
}

int main(void)
{
#define WITH(f) cmocka_unit_test_setup_teardown(f, load, unload)
    const struct CMUnitTest tests[] = {
        WITH(report_and_certificates_come_in_two_calls),
        WITH(room_is_remembered),
        WITH(host_without_certificates_needs_one_call),
        WITH(derived_key_is_one_call),
        WITH(lost_key_is_final_and_nothing_asks_any_more),
        WITH(busy_host_is_named_and_asked_once),
        WITH(busy_then_lost_ends_the_asking),
        WITH(firmware_errors_have_names),
        WITH(answers_that_cannot_be_are_refused),
        WITH(oversized_tables_are_refused),
        WITH(device_that_is_not_there_says_what_to_do),
        WITH(real_device_and_simulated_roots_do_not_mix),
        WITH(queue_before_the_device_is_bounded),
        WITH(requests_are_apart),
        WITH(each_change_of_state_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
