/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of a test's own, listeners in it, and a counting done(). */
#ifndef TESTS_HTTP_HOME_H
#define TESTS_HTTP_HOME_H

#include "http/http.h"

#define HOME_WAIT_MS 30000 /* long enough for any machine: a bound, no claim */

struct home {
    char dir[64];
    char sock[96];      /* path of the Unix socket in it */
    char unix_url[112]; /* unix:… */
};

void home_make(struct home *h);
void home_remove(struct home *h);

/* A bound 127.0.0.1 listener; url is "http" or "https" in front of it. */
int home_listen(char url[64], const char *scheme);

/* What a request came to; the texts are copied. */
struct outcome {
    int n_done;
    enum rc rc;
    enum rc problem;
    int status;
    char body[1024];
    char why[512];
};
void outcome_done(const struct http_reply_view *v, void *arg);
/* Drives the loop until *n_done reaches want. */
void home_drive(struct http_loop *l, const int *n_done, int want);

int64_t home_soon(void); /* a deadline far enough away */

#endif
