/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ownership that ends by itself. OWNED(T) frees at scope end, TAKE hands
 * over, WIPED(T) clears a secret local at every exit.
 *
 *     OWNED_BY(EVP_PKEY, EVP_PKEY_free)        once per file that needs it
 *     OWNED(EVP_PKEY) *key = NULL;
 *     *out = TAKE(key);
 */
#ifndef BASE_OWN_H
#define BASE_OWN_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <sodium.h>

#define OWNED_BY(type, freer)                                                  \
    __attribute__((unused)) static inline void own_free_##type(type **p)       \
    {                                                                          \
        if (*p)                                                                \
            freer(*p);                                                         \
    }                                                                          \
    struct own_needs_semicolon_##type
#define OWNED(type) __attribute__((cleanup(own_free_##type), unused)) type

/* For `struct x` and its `x_free()`: OWNED_STRUCT(tlog); OWN_S(tlog) *log; */
#define OWNED_STRUCT(name)                                                     \
    __attribute__((unused)) static inline void own_free_s_##name(              \
            struct name **p)                                                   \
    {                                                                          \
        if (*p)                                                                \
            name##_free(*p);                                                   \
    }                                                                          \
    struct own_needs_semicolon_s_##name
#define OWN_S(name) __attribute__((cleanup(own_free_s_##name))) struct name

#define TAKE(p)                                                                \
    (__extension__({                                                           \
        __typeof__(p) taken_ = (p);                                            \
        (p) = NULL;                                                            \
        taken_;                                                                \
    }))

/* WIPED(frost_scalar) k;  declares struct frost_scalar k, wiped at exit. */
#define WIPED_TYPE(name)                                                       \
    __attribute__((unused)) static inline void own_wipe_##name(struct name *p) \
    {                                                                          \
        sodium_memzero(p, sizeof(*p));                                         \
    }                                                                          \
    struct own_needs_semicolon_w_##name
#define WIPED(name) __attribute__((cleanup(own_wipe_##name))) struct name

/* A local secret of bytes: WIPED_BYTES(key, 32); */
struct own_bytes {
    void *p;
    size_t len;
};
static inline void own_wipe_bytes(struct own_bytes *b)
{
    sodium_memzero(b->p, b->len);
}
#define WIPED_BYTES(name, size)                                                \
    uint8_t name[size];                                                        \
    __attribute__((cleanup(own_wipe_bytes),                                    \
                   unused)) struct own_bytes wipe_##name = { name,             \
                                                             sizeof(name) }

/* Heap memory and file descriptors. */
static inline void own_free_mem(void *p)
{
    free(*(void **)p);
}
#define OWNED_MEM __attribute__((cleanup(own_free_mem)))

static inline void own_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define OWNED_FD __attribute__((cleanup(own_close_fd))) int
static inline int own_take_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}
#define TAKE_FD(fd) own_take_fd(&(fd))

#endif
