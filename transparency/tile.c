/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C2SP tlog-tiles paths: "tile/<L>/<N>[.p/<W>]", N in groups of three digits,
 * all but the last behind an x. One spelling per tile; others do not exist.
 */
#include "transparency/transparency.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"

#define LEVEL_MAX  63
#define GROUPS_MAX 7 /* 1000^7 > 2^64 */

/* "x001/x234/067"; room for 7 groups */
static void number_path(char out[40], uint64_t n)
{
    unsigned group[GROUPS_MAX];
    unsigned count = 0;
    size_t at = 0;
    do {
        group[count++] = (unsigned)(n % 1000);
        n /= 1000;
    } while (n > 0);
    while (count-- > 0)
        at += (size_t)snprintf(out + at, 40 - at, count ? "x%03u/" : "%03u",
                               group[count]);
}

void tlog_tile_path(char out[TLOG_TILE_PATH_MAX], int level, uint64_t n,
                    unsigned width)
{
    char number[40];
    char kind[16] = "entries";
    char part[16] = "";
    number_path(number, n);
    if (level >= 0)
        snprintf(kind, sizeof(kind), "%d", level);
    if (width != 0 && width != 256)
        snprintf(part, sizeof(part), ".p/%u", width);
    snprintf(out, TLOG_TILE_PATH_MAX, "tile/%s/%s%s", kind, number, part);
}

static enum rc bad(const char *why)
{
    return rc_raise(RC_UNKNOWN, "tile path: %s", why);
}

/* Level and its slash at *p. */
static enum rc read_level(int *level, const char **p)
{
    const char *slash = strchr(*p, '/');
    uint64_t v;
    if (!slash)
        return bad("no level");
    size_t len = (size_t)(slash - *p);
    if (len == 7 && memcmp(*p, "entries", 7) == 0)
        *level = -1;
    else if (len > 2 || enc_undec(&v, *p, len) != RC_OK || v > LEVEL_MAX)
        return bad("level is not entries or 0 to 63");
    else
        *level = (int)v;
    *p = slash + 1;
    return RC_OK;
}

static bool three_digits(const char *p, unsigned *v)
{
    *v = 0;
    for (unsigned i = 0; i < 3; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        *v = *v * 10 + (unsigned)(p[i] - '0');
    }
    return true;
}

static enum rc read_number(uint64_t *n, const char **p)
{
    uint64_t v = 0;
    unsigned group;
    for (unsigned i = 0; i < GROUPS_MAX; i++) {
        bool more = **p == 'x';
        *p += more;
        if (!three_digits(*p, &group))
            return bad("want groups of three digits");
        if (more && i == 0 && group == 0)
            return bad("leading x000");
        if (__builtin_mul_overflow(v, UINT64_C(1000), &v) ||
            __builtin_add_overflow(v, (uint64_t)group, &v))
            return bad("number out of range");
        *p += 3;
        if (!more) {
            *n = v;
            return RC_OK;
        }
        if (**p != '/')
            return bad("want '/' after a group");
        (*p)++;
    }
    return bad("number out of range");
}

static enum rc read_width(unsigned *width, const char *p)
{
    uint64_t w;
    *width = 256;
    if (*p == '\0')
        return RC_OK;
    if (strncmp(p, ".p/", 3) != 0 || strlen(p) > 6 ||
        enc_undec(&w, p + 3, strlen(p + 3)) != RC_OK || w < 1 || w > 255)
        return bad("width is not 1 to 255");
    *width = (unsigned)w;
    return RC_OK;
}

enum rc tlog_tile_parse(int *level, uint64_t *n, unsigned *width,
                        const char *rest)
{
    int l = 0;
    uint64_t number = 0;
    unsigned w = 0;
    TRY(read_level(&l, &rest));
    TRY(read_number(&number, &rest));
    TRY(read_width(&w, rest));
    *level = l;
    *n = number;
    *width = w;
    return RC_OK;
}
