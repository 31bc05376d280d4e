/* SPDX-License-Identifier: Apache-2.0 */
/* Fills any message by its table, no member left zero. */
#ifndef TESTS_WIRE_FILL_H
#define TESTS_WIRE_FILL_H

#include <stddef.h>

#include "wire/codec.h"

/* At most so many elements in a list and bytes in a blob or text. */
struct fill {
    size_t elements;
    size_t bytes;
};

/* m: zeroed struct of the table. Exits the program when memory runs out. */
void fill(const struct wire_table *table, void *m, const struct fill *how);

#endif
