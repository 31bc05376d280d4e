/* SPDX-License-Identifier: Apache-2.0 */
/* Names of AMD's bits, as policies write them and reports are printed. */
#ifndef ATTEST_BITS_H
#define ATTEST_BITS_H

#include <stdint.h>

#include "attest/attest.h"

/* Number of the bit by that name; -1: none. */
int attest_bit_find(const struct attest_bit *bits, const char *name);
/* "SMT, CXL_ALLOW" of the bits in mask; a number where there is no name. */
void attest_bits_text(char *out, size_t size, const struct attest_bit *bits,
                      uint64_t mask);

#endif
