/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every way a CA could write a leaf that key, birth and policy do not say: one
 * change each of an honest one, whichever key it is for. A signer is asked
 * alone (test_check.c), and a cluster is (tests/flow/broken_ca.c).
 */
#ifndef TESTS_CA_LIES_H
#define TESTS_CA_LIES_H

#include <stdint.h>

#include <openssl/x509.h>

struct lie {
    const char *name;
    void (*change)(X509 *x);
    const char *why;
    const char *text; /* in what a signer says */
    /* what a cluster says instead: its lead has to find the birth first; NULL:
     * the same */
    const char *cluster;
};
extern const struct lie lies[];
extern const unsigned n_lies;

/* Its context names this birth. */
void lie_birth(X509 *x, uint64_t index);
/* NULL: no such lie. */
const struct lie *lie_find(const char *name);

#endif
