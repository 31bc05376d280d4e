/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign attest collect as people run it: against the simulator, and
 * against a kernel that libmpc-shim.so plays before it. What it prints as
 * next is run.
 */
#include "../cli/run.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "shim.h"

#define SNPSIM MPC_BUILD_DIR "/bin/mpc-snpsim"

static char dir[64]; /* "", "/sim", "/shim", what a test makes */
static char device[96];
static pid_t simulator;

static const char *in_dir(const char *name)
{
    static char path[8][128];
    static unsigned next;
    char *out = path[next++ % 8];
    snprintf(out, sizeof(path[0]), "%s/%s", dir, name);
    return out;
}

static int setup(void **state)
{
    (void)state;
    struct run r;
    int p[2];
    char fd[16];
    char word[8] = "";
    dir_make(dir);
    RUN_TOOL(&r, SNPSIM, "init", in_dir("sim"), "--chip", "1");
    assert_code(&r, 0);
    run_free(&r);
    assert_int_equal(mkdir(in_dir("shim"), 0700), 0);
    snprintf(device, sizeof(device), "sim:%s", in_dir("sim/sock"));
    assert_int_equal(pipe(p), 0);
    simulator = fork();
    assert_true(simulator >= 0);
    if (simulator == 0) {
        snprintf(fd, sizeof(fd), "%d", p[1]);
        if (!freopen("/dev/null", "w", stderr))
            _exit(126);
        execl(SNPSIM, SNPSIM, "serve", in_dir("sim"), "--socket", device + 4,
              "--ready-fd", fd, NULL);
        _exit(127);
    }
    close(p[1]);
    assert_int_equal(read(p[0], word, sizeof(word)), 6);
    close(p[0]);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    int status;
    kill(simulator, SIGTERM);
    waitpid(simulator, &status, 0);
    dir_remove(dir);
    return 0;
}

static const char *text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* What `next` says, by a shell; its exit code. */
static int run_next(const char *command, const char *more)
{
    char line[4096];
    struct run r;
    assert_true(strncmp(command, "mpcsign ", 8) == 0);
    snprintf(line, sizeof(line), "%s/bin/%s %s", MPC_BUILD_DIR, command, more);
    RUN_TOOL(&r, "sh", "-c", line);
    int code = r.code;
    if (code != 0)
        print_message("%s\n%s%s\n", line, r.out, r.err);
    run_free(&r);
    return code;
}

static json_t *collect(const char *by, const char *out, const char *option,
                       const char *value)
{
    struct run r;
    const char *words[RUN_WORDS + 1] = { "attest",   "collect", "-o",    "json",
                                         "--device", by,        "--out", out,
                                         option,     value };
    run_mpcsign(&r, words);
    assert_code(&r, 0);
    json_t *o = run_json(&r);
    run_free(&r);
    return o;
}

/* ---- the simulator ------------------------------------------------------ */

static void what_it_says_is_next_succeeds(void **state)
{
    (void)state;
    json_t *o = collect(device, in_dir("a b'c"), NULL, NULL);
    assert_string_equal(text(o, "device"), "simulated");
    assert_true(json_is_true(json_object_get(o, "simulated")));
    assert_int_equal(json_array_size(json_object_get(o, "missing")), 0);
    assert_true(is_file(in_dir("a b'c/report.bin")));
    assert_true(is_file(in_dir("a b'c/vek.der")));
    assert_true(is_file(in_dir("a b'c/ask.der")));
    assert_true(is_file(in_dir("a b'c/ark.der")));
    assert_int_equal(run_next(text(o, "next"), ""), 0);
    char crl[256];
    snprintf(crl, sizeof(crl), "--crl %s", in_dir("sim/crl.der"));
    assert_int_equal(run_next(text(o, "next"), crl), 0);
    json_decref(o);
}

static void report_is_over_what_was_asked_for(void **state)
{
    (void)state;
    char hex[129];
    struct run r;
    memset(hex, '5', 128);
    hex[128] = '\0';
    json_t *o = collect(device, in_dir("over-hex"), "--report-data", hex);
    assert_string_equal(text(o, "report_data"), hex);
    json_decref(o);
    RUN(&r, "attest", "show", "-o", "json", in_dir("over-hex/report.bin"));
    assert_code(&r, 0);
    o = run_json(&r);
    assert_string_equal(text(o, "report_data"), hex);
    json_decref(o);
    run_free(&r);
    /* SHA-512 of "abc", FIPS 180-2 */
    FILE *f = fopen(in_dir("nonce"), "w");
    assert_non_null(f);
    fputs("abc", f);
    fclose(f);
    o = collect(device, in_dir("over-nonce"), "--nonce", in_dir("nonce"));
    assert_true(strncmp(text(o, "report_data"), "ddaf35a193617aba", 16) == 0);
    json_decref(o);
}

static void nothing_is_overwritten(void **state)
{
    (void)state;
    struct run r;
    json_decref(collect(device, in_dir("once"), NULL, NULL));
    unlink(in_dir("once/report.bin"));
    RUN(&r, "attest", "collect", "--device", device, "--out", in_dir("once"));
    assert_code(&r, 1);
    assert_non_null(strstr(r.err, "vek.der is there already"));
    assert_non_null(strstr(r.err, "--force"));
    assert_false(is_file(in_dir("once/report.bin")));
    run_free(&r);
    json_decref(collect(device, in_dir("once"), "--force", NULL));
    assert_true(is_file(in_dir("once/report.bin")));
}

static void two_places_instead_of_one(void **state)
{
    (void)state;
    struct run r;
    RUN(&r, "attest", "collect", "--device", device, "--report",
        in_dir("r.bin"), "--certs", in_dir("certs"));
    assert_code(&r, 0);
    assert_true(is_file(in_dir("r.bin")));
    assert_true(is_file(in_dir("certs/chain.pem")));
    assert_false(is_file(in_dir("certs/report.bin")));
    assert_non_null(strstr(r.out, "REPORT_DATA is zeros"));
    assert_non_null(strstr(r.out, "NOT AMD hardware"));
    run_free(&r);
}

static void usage_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *words[6], *says;
    } rows[] = {
        { { "--device", "sim:/nowhere" }, "--out DIR is missing" },
        { { "--report", "x" }, "go together" },
        { { "--out", "x", "--certs", "y" }, "--report FILE and --certs" },
        { { "--out", "/tmp/x", "--report-data", "00" }, "128 lower-case" },
        { { "--out", "/tmp/x", "--report-data", "00", "--nonce", "y" },
          "one of them" },
        { { "--out", "/tmp/mpc-no", "--device", "tdx" }, "no such one" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct run r;
        const char *words[RUN_WORDS + 1] = { "attest", "collect" };
        memcpy(words + 2, rows[i].words, sizeof(rows[i].words));
        run_mpcsign(&r, words);
        assert_code(&r, 2);
        if (!strstr(r.err, rows[i].says))
            fail_msg("want \"%s\" in: %s", rows[i].says, r.err);
        run_free(&r);
    }
}

/* ---- the played kernel -------------------------------------------------- */

static void put_file(const char *name, const void *p, size_t len)
{
    FILE *f = fopen(in_dir(name), "w");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, len, f), len);
    fclose(f);
}

static size_t get_file(void *out, size_t cap, const char *path)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(out, 1, cap, f);
    fclose(f);
    return n;
}

static void put_le32(uint8_t *p, size_t v)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static const char *sample(const char *name)
{
    static char path[600];
    snprintf(path, sizeof(path), "%s/snp/%s", testdata(), name);
    return path;
}

/* Its report is genuine; the VCEK is all that the host has, or nothing. */
static void play(const char *report, const char *vek, const char *has)
{
    static uint8_t table[16384];
    uint8_t bytes[SHIM_REPORT];
    if (!is_file(sample(report)))
        skip();
    assert_int_equal(get_file(bytes, sizeof(bytes), sample(report)),
                     SHIM_REPORT);
    put_file("shim/report", bytes, sizeof(bytes));
    put_file("shim/has", has, strlen(has));
    unlink(in_dir("shim/table"));
    unlink(in_dir("shim/error"));
    unlink(in_dir("shim/calls"));
    if (vek) {
        static const uint8_t vcek[16] = { 0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64,
                                          0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9,
                                          0x3b, 0xe8, 0xac, 0xcd };
        memset(table, 0, sizeof(table));
        size_t n = get_file(table + 48, sizeof(table) - 48, sample(vek));
        memcpy(table, vcek, 16);
        put_le32(table + 16, 48);
        put_le32(table + 20, n);
        put_file("shim/table", table, 48 + n);
    }
    setenv("MPC_SHIM", in_dir("shim"), 1);
    setenv("LD_PRELOAD", MPC_SHIM_FILE, 1);
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
}

static int play_no_more(void **state)
{
    (void)state;
    unsetenv("LD_PRELOAD");
    unsetenv("MPC_SHIM");
    unsetenv("ASAN_OPTIONS");
    return 0;
}

static int requests(void)
{
    char said[256];
    size_t n = get_file(said, sizeof(said), in_dir("shim/calls"));
    int lines = 0;
    for (size_t i = 0; i < n; i++)
        lines += said[i] == '\n';
    return lines;
}

static void report_data_of(char hex[129], const char *report)
{
    uint8_t bytes[SHIM_REPORT];
    get_file(bytes, sizeof(bytes), sample(report));
    for (unsigned i = 0; i < 64; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[0x50 + i]);
}

/* Both kernels' ways; what the host lacks comes from where it says. */
static void real_devices_give_what_amd_signed(void **state)
{
    (void)state;
    static const char *const devices[][2] = { { "sev-guest", "sev-guest" },
                                              { "configfs-tsm",
                                                "configfs-tsm" },
                                              { "auto", "configfs-tsm" } };
    char hex[129];
    for (size_t i = 0; i < 3; i++) {
        char out[32];
        snprintf(out, sizeof(out), "real-%zu", i);
        play("reports/turin-v5-ms.bin", "veks/turin-v5-ms.vcek.der",
             "sev-guest tsm");
        report_data_of(hex, "reports/turin-v5-ms.bin");
        json_t *o = collect(devices[i][0], in_dir(out), "--report-data", hex);
        assert_string_equal(text(o, "device"), devices[i][1]);
        assert_true(json_is_false(json_object_get(o, "simulated")));
        const json_t *missing = json_object_get(o, "missing");
        assert_int_equal(json_array_size(missing), 1);
        const json_t *chain = json_array_get(missing, 0);
        assert_string_equal(text(chain, "what"), "chain");
        assert_string_equal(text(chain, "url"),
                            "https://kdsintf.amd.com/vcek/v1/Turin/cert_chain");
        play_no_more(NULL);
        /* fetched */
        char pem[8192];
        size_t n = get_file(pem, sizeof(pem), sample("amd/turin-ask-ark.pem"));
        snprintf(out, sizeof(out), "real-%zu/chain.pem", i);
        put_file(out, pem, n);
        assert_int_equal(run_next(text(o, "next"), "--at 2026-11-22T00:00:00Z"),
                         0);
        json_decref(o);
    }
}

static void what_is_missing_has_the_url_of_its_product(void **state)
{
    (void)state;
    static const struct {
        const char *report, *begins, *ends;
    } rows[] = {
        { "reports/turin-v5-ms.bin", "https://kdsintf.amd.com/vcek/v1/Turin/",
          "?fmcSPL=1&blSPL=1&teeSPL=1&snpSPL=4&ucodeSPL=81" },
        { "reports/genoa-v3-ms.bin", "https://kdsintf.amd.com/vcek/v1/Genoa/",
          "?blSPL=10&teeSPL=0&snpSPL=23&ucodeSPL=84" },
    };
    char hex[129];
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char out[32];
        snprintf(out, sizeof(out), "missing-%zu", i);
        play(rows[i].report, NULL, "sev-guest");
        report_data_of(hex, rows[i].report);
        json_t *o = collect("auto", in_dir(out), "--report-data", hex);
        const json_t *missing = json_object_get(o, "missing");
        assert_int_equal(json_array_size(missing), 2);
        const char *url = text(json_array_get(missing, 0), "url");
        if (strncmp(url, rows[i].begins, strlen(rows[i].begins)) != 0 ||
            !strstr(url, rows[i].ends))
            fail_msg("%s", url);
        /* chip id: 8 bytes on Turin, else 64 */
        const char *hwid = url + strlen(rows[i].begins);
        assert_int_equal(strspn(hwid, "0123456789abcdef"), i == 0 ? 16 : 128);
        json_decref(o);
    }
}

static void lost_attestation_is_told_and_asked_once(void **state)
{
    (void)state;
    struct run r;
    char error[32];
    play("reports/turin-v5-ms.bin", NULL, "sev-guest");
    snprintf(error, sizeof(error), "%d 0 0", ENOTTY);
    put_file("shim/error", error, strlen(error));
    RUN(&r, "attest", "collect", "--out", in_dir("lost"));
    assert_code(&r, 7);
    assert_non_null(strstr(r.err, "attestation lost: relaunch the VM"));
    assert_false(is_file(in_dir("lost/report.bin")));
    run_free(&r);
    assert_int_equal(requests(), 1);
}

int main(void)
{
#define PLAYED(f) cmocka_unit_test_teardown(f, play_no_more)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_says_is_next_succeeds),
        cmocka_unit_test(report_is_over_what_was_asked_for),
        cmocka_unit_test(nothing_is_overwritten),
        cmocka_unit_test(two_places_instead_of_one),
        cmocka_unit_test(usage_is_told),
        PLAYED(real_devices_give_what_amd_signed),
        PLAYED(what_is_missing_has_the_url_of_its_product),
        PLAYED(lost_attestation_is_told_and_asked_once),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
