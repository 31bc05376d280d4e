/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two nodes, a calling b, with a simulator each under one root and one PKI;
 * and the client's part of the channel, played by hand.
 */
#ifndef TESTS_TWO_H
#define TESTS_TWO_H

#include "nodes.h"

#include "http/home.h"

extern struct simulator sim_a, sim_b;
extern struct home home;
extern struct pki_id id_a, id_b;
extern struct node a, b;
extern const uint8_t stranger[32]; /* a hash that is nobody's */

/* cmocka's: of the group, and of a test */
int setup(void **state);
int teardown(void **state);
int open_nodes(void **state);
int close_nodes(void **state);
#define WITH_NODES(f)                                                          \
    cmocka_unit_test_setup_teardown(f, open_nodes, close_nodes)

/* Window and the TEE_POLICY_HASH of each. */
void open_with(int64_t window_s, const char *hash_a, const char *hash_b);
/* The last error names both hashes and a remedy. */
void assert_says_both(const uint8_t seen[32], const uint8_t allowed[32]);

void fresh(uint8_t nonce[32]);
enum rc say_hello(struct line *l, const uint8_t nonce[32],
                  struct wire_hello_reply *out);
/* POST of this evidence. */
enum rc show(struct line *l, const struct wire_evidence *e);
/* POST of this binding; and what the honest client would send. */
enum rc show_bind(struct line *l, const struct wire_bind *m,
                  struct wire_bound *out);
void bind_by_hand(struct wire_bind *m, const struct http_tls *tls,
                  const struct attest_bond *bond);
/* The honest client, in small. */
enum rc attest_by_hand(struct line *l);

#endif
