/* SPDX-License-Identifier: Apache-2.0 */
/* A running mpc-snpsim of this test's own. */
#ifndef TESTS_SIMULATOR_H
#define TESTS_SIMULATOR_H

#include "test.h"

#include <sys/types.h>

struct simulator {
    char dir[64]; /* keys and certificates */
    char socket[80];
    char device[96]; /* "sim:SOCKET" */
    uint8_t ark[32]; /* SHA-256 of its ARK */
    pid_t pid;
};

/* roots NULL: a PKI of its own (seconds); else that directory's. */
void simulator_init(struct simulator *s, const char *roots, const char *chip);
void simulator_init_product(struct simulator *s, const char *product,
                            const char *chip);
void simulator_start(struct simulator *s, const char *host_data_hex);
/* SIGTERM; fails the test unless it ends with 0 and took its socket away. */
void simulator_stop(struct simulator *s);
/* Removes the directory. */
void simulator_remove(struct simulator *s);

/* Runs a program; its exit code. Output to out when it is not NULL. */
int run_program(char *const argv[], char *out, size_t out_size);

#endif
