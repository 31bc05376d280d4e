/* SPDX-License-Identifier: Apache-2.0 */
/* mpcsign log fsck: reads a log like anyone can and recomputes all of it. */
#include "cli/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/enc.h"

#define FETCH_MS  10000
#define FETCH_MAX (4u * 1024 * 1024) /* 256 entries, 16 bit lengths, and some */

OWNED_STRUCT(http_client);

static enum rc fetch(uint8_t **out, size_t *len, const char *path, void *ctx)
{
    struct http_peer *peer = ctx;
    char target[TLOG_TILE_PATH_MAX + 2];
    struct http_answer a;
    snprintf(target, sizeof(target), "/%s", path);
    TRY(http_ask(&a, peer, "GET", target, NULL, 0, FETCH_MAX,
                 clock_mono_ms() + FETCH_MS));
    *out = a.body;
    *len = a.body_len;
    return RC_OK;
}

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

enum rc cmd_log_fsck(int argc, char **argv)
{
    const char *url = NULL;
    const char *vkey = NULL;
    const struct cli_arg rows[] = {
        { .name = "URL",
          .text = &url,
          .need = true,
          .help = "public address of the log, http://HOST:PORT" },
        { .name = "--vkey",
          .text = &vkey,
          .need = true,
          .help = "its verifier key, NAME+HASH+KEY" },
        { 0 },
    };
    bool done;
    struct tlog_vkey key;
    struct http_peer *peer;
    OWN_S(http_client) *client = NULL;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    TRY(tlog_vkey_parse(&key, vkey));
    TRY(http_client_new(&client, NULL, NULL));
    TRY(http_peer_new(&peer, client, url, NULL, 1));
    struct tlog_fsck_report report = { 0 };
    TRY(tlog_fsck(&report, &key, fetch, peer));
    return say_report(&report);
}
