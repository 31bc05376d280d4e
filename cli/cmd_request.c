/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign request: a session for one file, signed by who asks. Prints its id,
 * alone, on stdout: it is the hash of what was asked, nobody hands it out.
 */
#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "cli/session.h"

struct options {
    struct request r;
    bool wait;
    const char *timeout;
};

static enum rc say_id(const struct policy_session *s, const char *id)
{
    char url[512];
    char code[9];
    if (!cli_json()) {
        TRY(cli_say("%s\n", id));
    } else {
        snprintf(code, sizeof(code), "%s", id);
        TRY(cli_say_json(
                json_pack("{s:s, s:s, s:I, s:s?}", "session", id, "code", code,
                          "expires", (json_int_t)s->expires, "url",
                          state_url(url, sizeof(url), id) ? url : NULL)));
    }
    /* whoever reads it need not wait for us */
    return fflush(stdout) == 0 ? RC_OK
                               : rc_raise(RC_IO, "stdout: cannot be written");
}

static enum rc request(const struct options *o)
{
    struct policy_session s;
    char id[65];
    struct wait w = { .id = id, .json_lines = cli_json() };
    if (o->timeout)
        TRY(cli_number(&w.timeout_s, "--timeout", o->timeout, 1,
                       POLICY_SESSION_MAX_S));
    TRY(request_make(&s, &o->r));
    enc_hex(id, s.id, 32);
    TRY(request_show(&s, &o->r));
    TRY(say_id(&s, id));
    return o->wait ? wait_for(&w) : RC_OK;
}

enum rc cmd_request(int argc, char **argv)
{
    struct options o = { 0 };
    const struct cli_arg rows[] = {
        { .name = "FILE",
          .text = &o.r.file,
          .need = true,
          .help = "what shall be signed" },
        { .name = "--profile",
          .text = &o.r.profile,
          .need = true,
          .help = "key" },
        { .name = "--slots",
          .text = &o.r.slots,
          .help = "payload kinds, comma separated [raw]" },
        { .name = "--reason",
          .text = &o.r.reason,
          .help = "for those who approve" },
        { .name = "--ttl", .text = &o.r.ttl, .help = "seconds to live [600]" },
        { .name = "--wait",
          .flag = &o.wait,
          .help = "until it is approved, or never will be" },
        { .name = "--timeout",
          .text = &o.timeout,
          .help = "seconds to wait; exit 3 after them" },
        { .name = "--as",
          .text = &o.r.who,
          .help = "the person who asks [dev in MPC_DEV, else whose key is "
                  "found]" },
        { .name = "--ssh-key",
          .text = &o.r.ssh_key,
          .help = "their key file [theirs in MPC_DEV, else the agent's]" },
        { .name = "--qr",
          .flag = &o.r.qr,
          .help = "a QR code of the page also where there is no terminal" },
        { .name = "--no-qr", .flag = &o.r.no_qr, .help = "none" },
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    if (o.timeout && !o.wait)
        return rc_raise(RC_ARG, "--timeout: of --wait, which is not there");
    if (o.r.qr && o.r.no_qr)
        return rc_raise(RC_ARG, "--qr and --no-qr: one of them");
    return request(&o);
}
