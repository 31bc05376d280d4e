/* SPDX-License-Identifier: Apache-2.0 */
/* A cluster of all our processes for one test program, and one bundle of it. */
#ifndef TESTS_CLI_CLUSTER_H
#define TESTS_CLI_CLUSTER_H

#include "run.h"

struct cluster {
    char top[64];     /* everything below it */
    char dir[80];     /* of the cluster */
    char file[96];    /* some bytes */
    char bundle[96];  /* of its signature by release */
    char policy[112]; /* in force */
};
extern struct cluster at;

int cluster_setup(void **state);
int cluster_teardown(void **state);
/* dev up, and its environment into ours. */
void cluster_up(void);
/* top/name, good for four calls. */
const char *in(const char *name);
void write_bytes(const char *path, const void *p, size_t len);
/* What `dev up` prints, and nothing else, into our environment. */
void take_environment(const char *text);

#endif
