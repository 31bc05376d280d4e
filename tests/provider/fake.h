/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sidecar for tests of the provider: the same HTTP on a Unix socket of its
 * own directory, a software key instead of a threshold one, and bad manners
 * on demand. It counts what it is asked.
 */
#ifndef TESTS_PROVIDER_FAKE_H
#define TESTS_PROVIDER_FAKE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum fake_mode {
    FAKE_OK,
    FAKE_REFUSES,     /* problem+json with message and hint */
    FAKE_REFUSES_RAW, /* the same, its text with line breaks and no hint */
    FAKE_EARLY,       /* answers 413 and closes without reading the body */
    FAKE_PLAIN_500,   /* no problem document */
    FAKE_GARBAGE,     /* no HTTP */
    FAKE_CHUNKED,     /* Transfer-Encoding */
    FAKE_BAD_JSON,
    FAKE_HUGE, /* Content-Length of a terabyte */
    FAKE_SHORT,
    FAKE_CLOSES,
    FAKE_SILENT,
    FAKE_DRIPS, /* a byte now and then, for ever */
    FAKE_WRONG_SIGNATURE,
    FAKE_OTHER_KEY,
    FAKE_OTHER_NAME, /* answers about a key that was not asked for */
    FAKE_NOT_MADE,   /* epoch 0 */
};

struct fake {
    char dir[64];
    char path[96]; /* of the socket */
    int listen_fd;
    int stop[2];
    pthread_t thread;
    uint8_t pk[32];
    uint8_t sk[64];
    const char *class; /* "artifact" unless a test says so */
    uint64_t max_message;
    uint8_t cert[1024]; /* DER of what /v1/cert/ answers; cert_len 0: 404 */
    size_t cert_len;
    uint8_t root[1024]; /* the chain's second, when root_len is not 0 */
    size_t root_len;
    _Atomic(enum fake_mode) key_mode;
    _Atomic(enum fake_mode) sign_mode;
    _Atomic(enum fake_mode) bundle_mode;
    atomic_uint begun; /* connections taken, and done with */
    atomic_uint ended;
    atomic_uint keys;
    atomic_uint certs;
    atomic_uint signs;
    atomic_uint bundles;
    uint8_t signature[64]; /* the latest; its session is the hash of it */
    char target[512];      /* of the latest request */
    char want[256];        /* its MPC-Policy-Want */
    char session[65];      /* of the latest wire_sign */
};

void fake_start(struct fake *f);
/*
 * Waits until its thread only waits: then a fork meets no lock of the
 * allocator (glibc's copes with that, a sanitizer's does not).
 */
void fake_idle(const struct fake *f);
/* Ends the thread, removes the directory and all in it. */
void fake_stop(struct fake *f);
void fake_file(const struct fake *f, const char *name, const void *data,
               size_t len);

#endif
