/* SPDX-License-Identifier: Apache-2.0 */
/* Every message with its functions, for tests that go over all of them. */
#ifndef TESTS_WIRE_MESSAGES_H
#define TESTS_WIRE_MESSAGES_H

#include "wire/codec.h"

struct message {
    const struct wire_table *table;
    enum rc (*decode)(void *out, const char *json, size_t len);
    enum rc (*encode)(char **json, size_t *len, const void *in);
    void (*free)(void *m);
};

/* clang-format off */
#define MESSAGE_FUNCTIONS(name)                                                \
    static enum rc name##_decode(void *out, const char *json, size_t len)      \
    {                                                                          \
        return wire_##name##_decode(out, json, len);                           \
    }                                                                          \
    static enum rc name##_encode(char **json, size_t *len, const void *in)     \
    {                                                                          \
        return wire_##name##_encode(json, len, in);                            \
    }                                                                          \
    static void name##_free(void *m)                                           \
    {                                                                          \
        wire_##name##_free(m);                                                 \
    }
#define MESSAGE_ROW(name)                                                      \
    { &wire_##name##_table, name##_decode, name##_encode, name##_free },
/* clang-format on */

WIRE_MESSAGES(MESSAGE_FUNCTIONS)
static const struct message messages[] = { WIRE_MESSAGES(MESSAGE_ROW) };
#define N_MESSAGES (sizeof(messages) / sizeof(messages[0]))

#endif
