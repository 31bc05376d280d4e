/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A step that takes longer than a second says so. A thread of its own, since
 * the step waits for others.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/sign.h"

#define QUIET_MS 1000
#define MOVE_MS  500   /* at a terminal */
#define AGAIN_MS 10000 /* elsewhere: a line so often */

struct progress {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool over;
    bool drawn; /* a line to be wiped */
    const char *what;
    int64_t from_ms;
};

static bool can_draw(void)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

/* Under lock. Until then, or the end. */
static void pause_until(struct progress *p, int64_t at_ms)
{
    int64_t left_ms;
    while (!p->over && (left_ms = at_ms - clock_mono_ms()) > 0) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        int64_t ns = t.tv_nsec + left_ms * 1000000;
        t.tv_sec += ns / 1000000000;
        t.tv_nsec = ns % 1000000000;
        pthread_cond_clockwait(&p->ended, &p->lock, CLOCK_MONOTONIC, &t);
    }
}

static void *tell(void *arg)
{
    struct progress *p = arg;
    bool draw = can_draw();
    int64_t next_ms = p->from_ms + QUIET_MS;
    pthread_mutex_lock(&p->lock);
    for (pause_until(p, next_ms); !p->over; pause_until(p, next_ms)) {
        int64_t for_s = (clock_mono_ms() - p->from_ms) / 1000;
        if (draw)
            fprintf(stderr, "\r\033[Kmpcsign: %s … %lld s", p->what,
                    (long long)for_s);
        else if (for_s <= 1)
            cli_note("%s …", p->what);
        else
            cli_note("%s … %lld s", p->what, (long long)for_s);
        p->drawn = draw;
        next_ms += draw ? MOVE_MS : AGAIN_MS;
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

struct progress *progress_begin(const char *what)
{
    struct progress *p = cli_json() ? NULL : calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->what = what;
    p->from_ms = clock_mono_ms();
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->ended, NULL);
    if (pthread_create(&p->thread, NULL, tell, p) == 0)
        return p;
    pthread_cond_destroy(&p->ended);
    pthread_mutex_destroy(&p->lock);
    free(p);
    return NULL;
}

void progress_end(struct progress *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->over = true;
    pthread_cond_signal(&p->ended);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    if (p->drawn)
        fputs("\r\033[K", stderr);
    pthread_cond_destroy(&p->ended);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
