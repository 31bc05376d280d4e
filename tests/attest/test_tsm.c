/* SPDX-License-Identifier: Apache-2.0 */
/* The configfs-tsm backend, unmodified, against a kernel that shim.c plays. */
#include "played.h"

#include <errno.h>

#include "attest/backend.h"

static struct attest_guest *guest;

/* However it went, no entry stays. */
static int unload(void **state)
{
    (void)state;
    attest_guest_free(guest);
    guest = NULL;
    return shim.entries;
}

static void begin(void)
{
    played_load();
    assert_ok(attest_guest_open(&guest, "configfs-tsm"));
    assert_int_equal(shim.entries, 0);
    assert_int_equal(shim.made, 1);
}

static enum rc ask(struct wire_evidence *out)
{
    return attest_guest_report(out, guest, played_data());
}

static void says(const char *words)
{
    if (!strstr(rc_text(), words))
        fail_msg("want \"%s\" in: %s", words, rc_text());
}

static void report_is_an_entry_made_and_taken_away(void **state)
{
    (void)state;
    begin();
    WIRE(evidence) e = { 0 };
    assert_ok(ask(&e));
    played_verify(&e);
    assert_int_equal(shim.calls, 1);
    assert_true(shim.all_blocked);
    assert_int_equal(shim.made, 2);
    assert_int_equal(shim.inblob_writes, 1);
    assert_int_equal(shim.inblob_len, 64);
    assert_memory_equal(shim.inblob, played_data(), 64);
    struct attest_guest_state s;
    attest_guest_state(&s, guest);
    assert_string_equal(s.kind, "configfs-tsm");
    assert_string_equal(s.state, "ready");
}

static void best_level_there_is_is_asked_for(void **state)
{
    (void)state;
    begin();
    WIRE(evidence) best = { 0 };
    WIRE(evidence) below = { 0 };
    WIRE(evidence) no = { 0 };
    assert_ok(ask(&best));
    assert_int_equal(shim.level, '0');
    shim.floor = 2; /* an SVSM has the others */
    assert_ok(ask(&below));
    assert_int_equal(shim.level, '2');
    shim.floor = 4;
    assert_rc(ask(&no), RC_IO);
    says("privlevel_floor");
}

static void kernel_without_privlevel_will_do(void **state)
{
    (void)state;
    begin();
    WIRE(evidence) e = { 0 };
    shim.no_privlevel = true;
    assert_ok(ask(&e));
    assert_int_equal(shim.level, 0);
    played_verify(&e);
}

static void disturbed_request_is_made_again(void **state)
{
    (void)state;
    begin();
    WIRE(evidence) e = { 0 };
    shim.disturb = 2;
    assert_ok(ask(&e));
    played_verify(&e);
    assert_int_equal(shim.calls, 3);
}

static void third_disturbance_is_the_last(void **state)
{
    (void)state;
    begin();
    WIRE(evidence) e = { 0 };
    shim.disturb = 100;
    assert_rc(ask(&e), RC_IO);
    says("generation changed");
    assert_non_null(strstr(rc_hint_text(), "another program"));
    assert_int_equal(shim.calls, 3);
    assert_null(e.report.p);
}

static void each_error_is_named_and_leaves_no_entry(void **state)
{
    (void)state;
    static const struct {
        int *at;
        int error;
        enum rc rc;
        const char *text;
    } cases[] = {
        { &shim.mkdir_error, ENXIO, RC_IO, "mkdir: no provider" },
        { &shim.inblob_error, EBUSY, RC_IO, "inblob: another request" },
        { &shim.inblob_error, EINVAL, RC_IO, "inblob: the kernel refuses" },
        { &shim.outblob_error, EBUSY, RC_IO, "outblob: another request" },
        { &shim.outblob_error, EINVAL, RC_IO, "outblob: the kernel refuses" },
        { &shim.outblob_error, EFBIG, RC_IO, "outblob: the answer is larger" },
        { &shim.outblob_error, EIO, RC_IO, "outblob: the firmware" },
        { &shim.outblob_error, ETIMEDOUT, RC_TIMEOUT, "outblob: throttled" },
        { &shim.auxblob_error, EFBIG, RC_IO, "auxblob: the answer is larger" },
    };
    begin();
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        WIRE(evidence) e = { 0 };
        *cases[i].at = cases[i].error;
        int before = shim.calls;
        assert_rc(ask(&e), cases[i].rc);
        says(cases[i].text);
        assert_true(shim.calls <= before + 1);
        assert_int_equal(shim.entries, 0);
        assert_null(e.report.p);
        *cases[i].at = 0;
    }
    WIRE(evidence) e = { 0 };
    assert_ok(ask(&e));
}

static void lost_key_is_final_here_too(void **state)
{
    (void)state;
    begin();
    WIRE(evidence) e = { 0 };
    shim.outblob_error = ENOTTY;
    assert_rc(ask(&e), RC_ATTEST);
    says("attestation lost: relaunch the VM");
    shim.outblob_error = 0;
    int made = shim.made;
    assert_rc(ask(&e), RC_ATTEST);
    assert_int_equal(shim.calls, 1);
    assert_int_equal(shim.made, made);
}

static void report_without_certificates_is_a_report(void **state)
{
    (void)state;
    begin();
    WIRE(evidence) empty = { 0 };
    shim.table_len = 0;
    assert_ok(ask(&empty));
    assert_int_equal(empty.vek.len, 0);
    WIRE(evidence) absent = { 0 };
    shim.no_auxblob = true;
    assert_ok(ask(&absent));
    assert_int_equal(absent.vek.len, 0);
}

static void answers_that_cannot_be_are_refused(void **state)
{
    (void)state;
    begin();
    WIRE(evidence) e = { 0 };
    shim.out_len = SHIM_REPORT - 1;
    assert_rc(ask(&e), RC_IO);
    shim.out_len = SHIM_REPORT + 1;
    assert_rc(ask(&e), RC_TOO_LARGE);
    shim.out_len = 0;
    uint8_t other[64] = { 1 };
    assert_rc(attest_guest_report(&e, guest, other), RC_IO);
    says("over other data");
    shim.table_len = sizeof(shim.table);
    assert_rc(ask(&e), RC_TOO_LARGE);
    says("auxblob");
    assert_null(e.report.p);
}

static void only_an_snp_guest_is_opened(void **state)
{
    (void)state;
    played_load();
    shim.provider = "tdx_guest";
    assert_rc(attest_guest_open(&guest, "configfs-tsm"), RC_IO);
    says("provider is tdx_guest, want sev_guest");
    assert_int_equal(shim.entries, 0);
    shim.provider = NULL;
    shim.mkdir_error = ENXIO;
    assert_rc(attest_guest_open(&guest, "configfs-tsm"), RC_IO);
    says("no provider");
    shim.has_tsm = false;
    assert_rc(attest_guest_open(&guest, "configfs-tsm"), RC_IO);
    assert_non_null(strstr(rc_hint_text(), "6.7"));
    assert_null(guest);
    assert_int_equal(shim.calls, 0);
}

static void it_derives_no_keys_and_says_who_does(void **state)
{
    (void)state;
    begin();
    uint8_t key[32];
    int fd = -1;
    assert_rc(attest_guest_derive(key, guest, 0), RC_ARG);
    says("derives no keys");
    assert_non_null(strstr(rc_hint_text(), "device = auto"));
    assert_rc(attest_guest_lend(&fd, guest), RC_ARG);
    assert_int_equal(fd, -1);
}

static const char *kind(void)
{
    struct attest_guest_state s;
    attest_guest_state(&s, guest);
    return s.kind;
}

static void auto_reports_here_and_derives_by_ioctl(void **state)
{
    (void)state;
    played_load();
    WIRE(evidence) e = { 0 };
    uint8_t key[32];
    int fd = -1;
    assert_ok(attest_guest_open(&guest, "auto"));
    assert_string_equal(kind(), "configfs-tsm");
    assert_ok(ask(&e));
    assert_int_equal(shim.inblob_writes, 1);
    assert_ok(attest_guest_derive(key, guest, 0));
    assert_int_equal(shim.keys, 1);
    assert_ok(attest_guest_lend(&fd, guest));
    assert_true(fd >= 0);
}

static void auto_takes_sev_guest_where_there_is_nothing_else(void **state)
{
    (void)state;
    played_load();
    shim.provider = "tdx_guest";
    WIRE(evidence) e = { 0 };
    assert_ok(attest_guest_open(&guest, "auto"));
    assert_string_equal(kind(), "sev-guest");
    assert_ok(ask(&e));
    assert_int_equal(shim.inblob_writes, 0);
    played_verify(&e);
}

int main(void)
{
#define TIDY(f) cmocka_unit_test_teardown(f, unload)
    const struct CMUnitTest tests[] = {
        TIDY(report_is_an_entry_made_and_taken_away),
        TIDY(best_level_there_is_is_asked_for),
        TIDY(kernel_without_privlevel_will_do),
        TIDY(disturbed_request_is_made_again),
        TIDY(third_disturbance_is_the_last),
        TIDY(each_error_is_named_and_leaves_no_entry),
        TIDY(lost_key_is_final_here_too),
        TIDY(report_without_certificates_is_a_report),
        TIDY(answers_that_cannot_be_are_refused),
        TIDY(only_an_snp_guest_is_opened),
        TIDY(it_derives_no_keys_and_says_who_does),
        TIDY(auto_reports_here_and_derives_by_ioctl),
        TIDY(auto_takes_sev_guest_where_there_is_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
