/* SPDX-License-Identifier: Apache-2.0 */
/* mpcsign openssl doctor. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/doctor.h"

static enum rc verdict(const struct doctor *d)
{
    unsigned n = d->checks.failed;
    return n == 0 ? RC_OK
                  : rc_raise(RC_ORDER, "%u check%s failed", n,
                             n == 1 ? "" : "s");
}

static enum rc say(struct doctor *d, enum rc rc)
{
    if (!cli_json())
        return rc;
    json_t *o = json_pack("{s:b, s:i, s:i, s:O}", "ok", (int)(rc == RC_OK),
                          "failed", (int)d->checks.failed, "warned",
                          (int)d->checks.warned, "checks", d->checks.list);
    if (o && rc != RC_OK)
        json_object_set_new(o, "error", cli_error_json(rc));
    TRY(cli_say_json(o));
    if (rc != RC_OK)
        cli_told();
    return rc;
}

static void examine(struct doctor *d)
{
    doctor_environment(d);
    doctor_conf(d);
    doctor_settings(d);
    doctor_module(d);
    doctor_library(d);
    doctor_socket(d);
    doctor_sidecar(d);
    if (d->active && d->reached)
        doctor_key(d);
}

enum rc cmd_openssl_doctor(int argc, char **argv)
{
    const char *conf = NULL;
    OWNED_MEM struct doctor *d = calloc(1, sizeof(*d));
    if (!d)
        return rc_raise(RC_NOMEM, "doctor: out of memory");
    const struct cli_arg rows[] = {
        { .name = "--conf",
          .text = &conf,
          .help = "configuration to look at [OPENSSL_CONF, OpenSSL's own]" },
        { .name = "--module",
          .text = &d->module_file,
          .help = "mpc.so to look at [as configured]" },
        { .name = "--key",
          .text = &d->key,
          .help = "mpc:NAME or a key file to load [a key that exists]" },
        { .name = "--program",
          .text = &d->program,
          .help = "a program that shall sign: does it hear the environment?" },
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    if (conf && setenv("OPENSSL_CONF", conf, 1) != 0)
        return rc_raise(RC_NOMEM, "--conf: out of memory");
    TRY(cli_checks_begin(&d->checks));
    examine(d);
    NCONF_free(d->conf);
    enum rc rc = say(d, verdict(d));
    cli_checks_end(&d->checks);
    return rc;
}
