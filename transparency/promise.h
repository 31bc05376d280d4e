/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the program: what the log promises with its ECDSA key, to the CA
 * about a certificate and to sidecars about an entry of Sigstore's kind.
 */
#ifndef TRANSPARENCY_PROMISE_H
#define TRANSPARENCY_PROMISE_H

#include "transparency/append.h"
#include "wire/wire.h"

struct log_promise {
    struct tlog_p256 *key;
    char host[TLOG_NAME_MAX]; /* log.<deployment> */
};

/* The key of this seed, shown by the public port from then on. */
MUST_CHECK enum rc log_promise_open(struct log_promise *p,
                                    struct log_public *public,
                                    const char *deployment,
                                    const uint8_t seed[32]);
void log_promise_close(struct log_promise *p);

/* Answers with a wire_spki. */
MUST_CHECK enum rc log_promise_spki(const struct log_promise *p,
                                    struct http_call *call);
/* A body that is a wire_sct_ask; who may ask, the caller has judged. */
MUST_CHECK enum rc log_promise_sct(const struct log_promise *p,
                                   struct http_call *call);
/* A body that is a wire_rekor_ask: the entry is judged, appended, answered. */
MUST_CHECK enum rc log_promise_entry(const struct log_promise *p,
                                     struct log_appender *a,
                                     struct http_call *call, const char *uri);

#endif
