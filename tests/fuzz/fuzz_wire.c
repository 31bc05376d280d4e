/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first byte chooses the message, 'A' for the first of them; the rest is
 * its JSON. What decodes encodes, and decodes again to the same bytes.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "wire/messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* assert() with the error's own words */
static void must(enum rc rc, const struct message *msg, const char *step)
{
    if (rc == RC_OK)
        return;
    fprintf(stderr, "%s: %s: %s\n", msg->table->name, step, rc_text());
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const struct message *msg =
            &messages[(uint8_t)(data[0] - 'A') % N_MESSAGES];
    OWNED_MEM uint8_t *m = malloc(msg->table->size);
    OWNED_MEM char *first = NULL;
    OWNED_MEM char *second = NULL;
    size_t first_len, second_len;
    if (!m)
        abort();
    if (msg->decode(m, (const char *)data + 1, size - 1) != RC_OK) {
        for (size_t i = 0; i < msg->table->size; i++)
            if (m[i] != 0)
                abort();
        return 0;
    }
    must(msg->encode(&first, &first_len, m), msg, "encode");
    msg->free(m);
    must(msg->decode(m, first, first_len), msg, "decode again");
    must(msg->encode(&second, &second_len, m), msg, "encode again");
    msg->free(m);
    if (first_len != second_len || memcmp(first, second, first_len) != 0)
        abort();
    return 0;
}
