/* SPDX-License-Identifier: Apache-2.0 */
/* mpcsign log fsck: reads a log like anyone can and recomputes all of it. */
#include "cli/log.h"

#include "base/enc.h"

static enum rc say_report(const struct tlog_fsck_report *r)
{
    char hex[65];
    enc_hex(hex, r->head.root.b, 32);
    if (cli_json())
        return cli_say_json(json_pack(
                "{s:b, s:s, s:I, s:s, s:I, s:I}", "ok", 1, "origin",
                r->head.origin, "size", (json_int_t)r->head.size, "root", hex,
                "entries_checked", (json_int_t)r->entries_checked,
                "tiles_checked", (json_int_t)r->tiles_checked));
    return cli_say("ok  %s  size %llu  root %s\n    %llu entries and %llu "
                   "tiles recomputed\n",
                   r->head.origin, (unsigned long long)r->head.size, hex,
                   (unsigned long long)r->entries_checked,
                   (unsigned long long)r->tiles_checked);
}

static enum rc run(const struct cli_log_args *args)
{
    struct cli_log log = { .doing = "fsck" };
    struct tlog_fsck_report report = { 0 };
    enum rc rc = cli_log_open(&log, args);
    if (rc == RC_OK)
        rc = tlog_fsck(&report, &log.key, cli_log_fetch, &log);
    cli_log_close(&log);
    return rc == RC_OK ? say_report(&report) : rc;
}

enum rc cmd_log_fsck(int argc, char **argv)
{
    struct cli_log_args args = { 0 };
    const struct cli_arg rows[] = {
        { .name = "URL",
          .text = &args.url,
          .help = "the log: http://HOST:PORT, unix:SOCKET or file:DIR; else "
                  "MPC_LOG_URL" },
        CLI_LOG_VKEY(&args),
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    return done ? RC_OK : run(&args);
}
