/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpc-log export: a log's public port mirrored into a directory that any web
 * server can serve. Needs no configuration, key or guest: it verifies like
 * anybody, so it may run on the replica's side.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "transparency/log.h"
#include "transparency/watch.h"

#define FETCH_MS  10000
#define FETCH_MAX (17u * 1024 * 1024) /* 256 entries of 64 KiB, and lengths */

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

static enum rc run(struct tlog_mirror_report *report, const char *url,
                   const char *vkey, const char *dir)
{
    struct tlog_vkey log;
    struct http_peer *peer;
    OWN_S(http_client) *client = NULL;
    TRY(tlog_vkey_parse(&log, vkey));
    TRY(http_client_new(&client, NULL, NULL));
    TRY(http_peer_new(&peer, client, url, NULL, 1));
    return tlog_mirror(report, dir, &log, fetch, peer);
}

static int usage(void)
{
    fprintf(stderr, "usage: mpc-log export --url URL --vkey VKEY DIR\n");
    return 2;
}

int log_export_main(int argc, char **argv)
{
    const char *url = NULL;
    const char *vkey = NULL;
    const char *dir = NULL;
    struct tlog_mirror_report report = { .size = 0 };
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--url") == 0 && i + 1 < argc)
            url = argv[++i];
        else if (strcmp(argv[i], "--vkey") == 0 && i + 1 < argc)
            vkey = argv[++i];
        else if (argv[i][0] != '-' && !dir)
            dir = argv[i];
        else
            return usage();
    }
    if (!url || !vkey || !dir)
        return usage();
    enum rc rc = run(&report, url, vkey, dir);
    if (rc != RC_OK) {
        fprintf(stderr, "mpc-log export: %s\n", rc_text());
        if (rc_hint_text()[0])
            fprintf(stderr, "hint: %s\n", rc_hint_text());
        return rc_exit(rc);
    }
    printf("%s: %llu entries, %llu new, %llu files written\n", dir,
           (unsigned long long)report.size,
           (unsigned long long)(report.size - report.old_size),
           (unsigned long long)report.files);
    return 0;
}
