/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator through the same verifier that judges AMD's. */
#include "simulator.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include "attest/attest.h"
#include "attest/guest.h"
#include "attest/layout.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/hash.h"
#include "base/sock.h"

#define SNPSIM MPC_BUILD_DIR "/bin/mpc-snpsim"
#define HOST_HEX                                                               \
    "0101010101010101010101010101010101010101010101010101010101010101"

static struct simulator one, two;
static struct attest_roots roots;
static uint8_t data[64] = { 7 };

static int setup(void **state)
{
    (void)state;
    simulator_init(&one, NULL, "1");
    simulator_init(&two, one.dir, "2");
    simulator_start(&one, HOST_HEX);
    simulator_start(&two, HOST_HEX);
    roots.allow_simulated = true;
    memcpy(roots.simulated_ark, one.ark, 32);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    simulator_stop(&one);
    simulator_stop(&two);
    simulator_remove(&one);
    simulator_remove(&two);
    return 0;
}

static void report_of(struct wire_evidence *e, const struct simulator *s)
{
    OWN_S(attest_guest) *g = NULL;
    assert_ok(attest_guest_open(&g, s->device));
    assert_true(attest_guest_simulated(g));
    assert_ok(attest_guest_report(e, g, data));
}

static void simulated_report_passes_every_check(void **state)
{
    (void)state;
    WIRE(evidence) e = { 0 };
    report_of(&e, &one);
    uint8_t hash[1][32];
    uint8_t host[32];
    uint8_t m[ATTEST_MEASUREMENT_LEN];
    memset(host, 1, sizeof(host));
    assert_ok(attest_measure_file(m, "/proc/self/exe"));
    attest_policy_hash(hash[0], m);
    const struct attest_want want = { .hashes = (const uint8_t(*)[32])hash,
                                      .n_hashes = 1,
                                      .report_data = data,
                                      .host_data = host,
                                      .peer = true,
                                      .min_version = 5 };
    struct attest_verdict v;
    assert_ok(attest_verify(&v, &e, &roots, &want, clock_now_s()));
    assert_true(v.ok);
    assert_true(v.simulated);
    assert_int_equal(v.product, ATTEST_GENOA);
}

static void nobody_takes_it_for_amd(void **state)
{
    (void)state;
    WIRE(evidence) e = { 0 };
    report_of(&e, &one);
    struct attest_verdict v;
    /* no root given; given but not allowed; allowed but another root */
    assert_rc(attest_verify(&v, &e, NULL, NULL, clock_now_s()), RC_ATTEST);
    struct attest_roots other = roots;
    other.allow_simulated = false;
    assert_rc(attest_verify(&v, &e, &other, NULL, clock_now_s()), RC_ATTEST);
    other.allow_simulated = true;
    other.simulated_ark[0] ^= 1;
    assert_rc(attest_verify(&v, &e, &other, NULL, clock_now_s()), RC_ATTEST);
    assert_false(v.simulated);
}

static void two_nodes_share_a_root_and_differ_in_chip(void **state)
{
    (void)state;
    WIRE(evidence) a = { 0 };
    WIRE(evidence) b = { 0 };
    report_of(&a, &one);
    report_of(&b, &two);
    struct attest_verdict va;
    struct attest_verdict vb;
    assert_ok(attest_verify(&va, &a, &roots, NULL, clock_now_s()));
    assert_ok(attest_verify(&vb, &b, &roots, NULL, clock_now_s()));
    assert_memory_not_equal(va.report.chip_id, vb.report.chip_id, 64);
    assert_memory_not_equal(va.report.report_id, vb.report.report_id, 32);
    assert_memory_equal(va.report.measurement, vb.report.measurement, 48);
    /* one chip's report under the other's certificate */
    struct wire_evidence mixed = a;
    mixed.vek = b.vek;
    struct attest_verdict v;
    assert_rc(attest_verify(&v, &mixed, &roots, NULL, clock_now_s()),
              RC_ATTEST);
}

/* ---- the device protocol, byte by byte --------------------------------- */

static void ask(int fd, uint8_t op, const void *body, uint32_t len,
                uint8_t *status, uint8_t *out, uint32_t *out_len)
{
    uint8_t req[GUEST_HEAD_LEN + GUEST_BODY_MAX];
    struct bytes_writer w = bytes_writer(req, sizeof(req));
    bytes_put(&w, GUEST_MAGIC, GUEST_MAGIC_LEN);
    bytes_put_u8(&w, op);
    bytes_put_u32(&w, len);
    bytes_put(&w, body, len);
    assert_ok(bytes_written(&w));
    assert_ok(sock_write(fd, req, w.len, -1));
    uint8_t head[GUEST_REPLY_HEAD];
    assert_ok(sock_read(fd, head, sizeof(head), -1));
    struct bytes_reader r = bytes_reader(head, sizeof(head));
    *status = bytes_get_u8(&r);
    *out_len = bytes_get_u32(&r);
    assert_true(*out_len <= GUEST_REPLY_MAX);
    assert_ok(sock_read(fd, out, *out_len, -1));
}

static uint8_t derive(int fd, uint8_t key[32], uint64_t select, uint32_t vmpl,
                      uint32_t svn, uint64_t tcb)
{
    uint8_t body[GUEST_KEY_BODY];
    struct bytes_writer w = bytes_writer(body, sizeof(body));
    bytes_put_u64(&w, select);
    bytes_put_u32(&w, vmpl);
    bytes_put_u32(&w, svn);
    bytes_put_u64(&w, tcb);
    uint8_t status;
    uint8_t out[GUEST_REPLY_MAX];
    uint32_t len;
    ask(fd, GUEST_OP_KEY, body, sizeof(body), &status, out, &len);
    assert_int_equal(len, status == 0 ? 32 : 0);
    memcpy(key, out, status == 0 ? 32 : 0);
    return status;
}

static void derived_key_is_chip_measurement_and_choice(void **state)
{
    (void)state;
    int a;
    int b;
    assert_ok(sock_unix_connect(&a, one.socket));
    assert_ok(sock_unix_connect(&b, two.socket));
    uint8_t k[5][32];
    const uint64_t select = GUEST_MIX_MEASUREMENT | GUEST_MIX_TCB;
    assert_int_equal(derive(a, k[0], select, 0, 0, 0), 0);
    assert_int_equal(derive(a, k[1], select, 0, 0, 0), 0);
    assert_memory_equal(k[0], k[1], 32);
    assert_int_equal(derive(b, k[1], select, 0, 0, 0), 0);
    assert_int_equal(derive(a, k[2], GUEST_MIX_TCB, 0, 0, 0), 0);
    assert_int_equal(derive(a, k[3], select, 0, 0, 1), 0);
    assert_int_equal(derive(a, k[4], select, 1, 0, 0), 0);
    for (size_t i = 0; i < 5; i++) {
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(k[i], k[j], 32);
    }
    /* newer than committed, unknown field, VMPL and SVN out of range */
    assert_int_equal(derive(a, k[0], select, 0, 0, 255), GUEST_BAD_PARAM);
    assert_int_equal(derive(a, k[0], 64, 0, 0, 0), GUEST_BAD_PARAM);
    assert_int_equal(derive(a, k[0], select, 4, 0, 0), GUEST_BAD_PARAM);
    assert_int_equal(derive(a, k[0], select, 0, 2, 0), GUEST_BAD_PARAM);
    close(a);
    close(b);
}

static void bad_requests_are_refused_and_the_device_lives(void **state)
{
    (void)state;
    int fd;
    assert_ok(sock_unix_connect(&fd, one.socket));
    uint8_t status;
    uint8_t out[GUEST_REPLY_MAX];
    uint32_t len;
    ask(fd, 9, data, 64, &status, out, &len);
    assert_int_equal(status, GUEST_BAD_REQUEST);
    ask(fd, GUEST_OP_REPORT, data, 63, &status, out, &len);
    assert_int_equal(status, GUEST_BAD_REQUEST);
    ask(fd, GUEST_OP_REPORT, data, 64, &status, out, &len);
    assert_int_equal(status, GUEST_OK);
    assert_ok(sock_write(fd, "GET / HTTP/1.1\r\n", 16, -1));
    assert_rc(sock_read(fd, out, 1, -1), RC_UNREACHABLE);
    close(fd);
    WIRE(evidence) e = { 0 };
    report_of(&e, &one);
}

static void requests_in_pieces_are_understood(void **state)
{
    (void)state;
    int fd;
    assert_ok(sock_unix_connect(&fd, one.socket));
    uint8_t req[2 * (GUEST_HEAD_LEN + 64)];
    struct bytes_writer w = bytes_writer(req, sizeof(req));
    for (int i = 0; i < 2; i++) {
        bytes_put(&w, GUEST_MAGIC, GUEST_MAGIC_LEN);
        bytes_put_u8(&w, GUEST_OP_REPORT);
        bytes_put_u32(&w, 64);
        bytes_put(&w, data, 64);
    }
    for (size_t i = 0; i < w.len; i += 5)
        assert_ok(sock_write(fd, req + i, w.len - i < 5 ? w.len - i : 5, -1));
    for (int i = 0; i < 2; i++) {
        uint8_t head[GUEST_REPLY_HEAD];
        uint8_t out[GUEST_REPLY_MAX];
        assert_ok(sock_read(fd, head, sizeof(head), -1));
        assert_int_equal(head[0], GUEST_OK);
        struct bytes_reader r = bytes_reader(head + 1, 4);
        assert_ok(sock_read(fd, out, bytes_get_u32(&r), -1));
    }
    close(fd);
}

/* A connection belongs to the program that opened it. */
static void inherited_connection_keeps_its_measurement(void **state)
{
    (void)state;
    OWN_S(attest_guest) *g = NULL;
    assert_ok(attest_guest_open(&g, one.device));
    WIRE(evidence) mine = { 0 };
    assert_ok(attest_guest_report(&mine, g, data));
    pid_t pid = fork();
    if (pid == 0) {
        struct wire_evidence e = { 0 };
        int bad = attest_guest_report(&e, g, data) != RC_OK ||
                  memcmp(e.report.p + SNP_MEASUREMENT,
                         mine.report.p + SNP_MEASUREMENT, 48) != 0;
        wire_evidence_free(&e);
        _exit(bad);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void keys_are_for_their_owner_only(void **state)
{
    (void)state;
    static const char *const names[] = { "ark.key", "ask.key", "vcek.key",
                                         "root.key" };
    for (size_t i = 0; i < 4; i++) {
        char path[128];
        struct stat st;
        snprintf(path, sizeof(path), "%s/%s", one.dir, names[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
}

static void the_command_says_what_it_is(void **state)
{
    (void)state;
    char out[2048];
    char *help[] = { (char *)(uintptr_t)SNPSIM, (char *)(uintptr_t) "--help",
                     NULL };
    assert_int_equal(run_program(help, out, sizeof(out)), 0);
    assert_non_null(strstr(out, "NOT AMD HARDWARE"));
    char *version[] = { (char *)(uintptr_t)SNPSIM,
                        (char *)(uintptr_t) "--version", NULL };
    assert_int_equal(run_program(version, out, sizeof(out)), 0);
    assert_non_null(strstr(out, MPC_VERSION));
    char *measure[] = { (char *)(uintptr_t)SNPSIM,
                        (char *)(uintptr_t) "measure",
                        (char *)(uintptr_t)SNPSIM, NULL };
    assert_int_equal(run_program(measure, out, sizeof(out)), 0);
    uint8_t m[ATTEST_MEASUREMENT_LEN];
    uint8_t hash[32];
    char hex[ENC_HEX_SIZE(32) + 1];
    assert_ok(attest_measure_file(m, SNPSIM));
    attest_policy_hash(hash, m);
    strcat(enc_hex(hex, hash, 32), "\n");
    assert_string_equal(out, hex);
    char *again[] = { (char *)(uintptr_t)SNPSIM, (char *)(uintptr_t) "init",
                      one.dir, NULL };
    assert_int_equal(run_program(again, NULL, 0), rc_exit(RC_EXISTS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simulated_report_passes_every_check),
        cmocka_unit_test(nobody_takes_it_for_amd),
        cmocka_unit_test(two_nodes_share_a_root_and_differ_in_chip),
        cmocka_unit_test(derived_key_is_chip_measurement_and_choice),
        cmocka_unit_test(bad_requests_are_refused_and_the_device_lives),
        cmocka_unit_test(requests_in_pieces_are_understood),
        cmocka_unit_test(inherited_connection_keeps_its_measurement),
        cmocka_unit_test(keys_are_for_their_owner_only),
        cmocka_unit_test(the_command_says_what_it_is),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
