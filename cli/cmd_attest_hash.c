/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign attest policy-hash and measure: the value that TEE_POLICY_HASH and
 * policies list, from a measurement, a report or a program.
 */
#include "cli/attest.h"

#include <string.h>

#include "base/enc.h"

/* The hash alone on stdout, so that a shell can take it. */
static enum rc say_hash(const uint8_t measurement[ATTEST_MEASUREMENT_LEN])
{
    uint8_t hash[32];
    char a[ENC_HEX_SIZE(ATTEST_MEASUREMENT_LEN)];
    char b[ENC_HEX_SIZE(32)];
    attest_policy_hash(hash, measurement);
    enc_hex(a, measurement, ATTEST_MEASUREMENT_LEN);
    enc_hex(b, hash, 32);
    if (cli_json())
        return cli_say_json(
                json_pack("{s:s, s:s}", "measurement", a, "policy_hash", b));
    return cli_say("%s\n", b);
}

static enum rc of_report(const char *file, const char *offset)
{
    struct cli_report r;
    struct attest_report fields;
    TRY(cli_report_read(&r, file, offset));
    enum rc rc = attest_report_parse(&fields, r.report.p, r.report.len);
    cli_report_free(&r);
    return rc == RC_OK ? say_hash(fields.measurement)
                       : rc_prefix(rc, "%s: ", file);
}

static enum rc of_hex(const char *hex)
{
    uint8_t measurement[ATTEST_MEASUREMENT_LEN];
    if (enc_unhex(measurement, sizeof(measurement), hex, strlen(hex)) != RC_OK)
        return rc_raise(RC_ARG, "MEASUREMENT: want 96 lower-case hex digits");
    return say_hash(measurement);
}

enum rc cmd_attest_policy_hash(int argc, char **argv)
{
    const char *hex = NULL;
    const char *report = NULL;
    const char *offset = NULL;
    const struct cli_arg rows[] = {
        { .name = "MEASUREMENT",
          .text = &hex,
          .help = "48 bytes, 96 hex digits" },
        { .name = "--report",
          .text = &report,
          .help = "of this report or Azure HCL blob instead" },
        { .name = "--offset",
          .text = &offset,
          .help = "where in that file the report begins" },
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    if (!hex == !report)
        return rc_raise(RC_ARG, "want MEASUREMENT or --report, one of them");
    if (offset && !report)
        return rc_raise(RC_ARG, "--offset: only with --report");
    return report ? of_report(report, offset) : of_hex(hex);
}

#ifdef MPC_SIMULATED_TEE
static enum rc measure(const char *file)
{
    uint8_t measurement[ATTEST_MEASUREMENT_LEN];
    uint8_t hash[32];
    char a[ENC_HEX_SIZE(ATTEST_MEASUREMENT_LEN)];
    char b[ENC_HEX_SIZE(32)];
    TRY(attest_measure_file(measurement, file));
    attest_policy_hash(hash, measurement);
    enc_hex(a, measurement, sizeof(measurement));
    enc_hex(b, hash, 32);
    if (cli_json())
        return cli_say_json(json_pack("{s:s, s:b, s:s, s:s}", "file", file,
                                      "simulated", 1, "measurement", a,
                                      "policy_hash", b));
    return cli_say("measurement  %s\npolicy hash  %s\n", a, b);
}

enum rc cmd_attest_measure(int argc, char **argv)
{
    const char *file = NULL;
    const struct cli_arg rows[] = {
        { .name = "FILE",
          .text = &file,
          .need = true,
          .help = "a program, as the simulator would measure it" },
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    return done ? RC_OK : measure(file);
}
#endif
