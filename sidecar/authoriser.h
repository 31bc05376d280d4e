/* SPDX-License-Identifier: Apache-2.0 */
/* The external authoriser's place, and asking it; see authoriser.c. */
#ifndef SIDECAR_AUTHORISER_H
#define SIDECAR_AUTHORISER_H

#include <stddef.h>
#include <stdint.h>

#include "base/own.h"
#include "base/rc.h"

#define AUTHORISER_REPLY_MAX 65536

struct authoriser;
/* where: unix:/PATH[:/URI] or http://127.0.0.1:PORT/URI; RC_ARG else. */
MUST_CHECK enum rc authoriser_new(struct authoriser **out, const char *where);
void authoriser_free(struct authoriser *a);
/* For http_peer_new(), and the path to POST to. */
const char *authoriser_base(const struct authoriser *a);
const char *authoriser_path(const struct authoriser *a);
/*
 * One question, blocking until the deadline (clock_mono_ms() scale); any
 * thread. RC_OK with a 200 and its body (heap), whatever that says.
 */
MUST_CHECK enum rc authoriser_ask(struct authoriser *a, const char *json,
                                  size_t len, int64_t deadline_ms,
                                  uint8_t **body, size_t *body_len);

#endif
