/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bundle judged offline: against policy versions or a `mpcsign trust
 * export`, for `mpcsign verify`, `mpcsign sign` and tests. No network, no
 * sidecar (but for verify_trust_ask), nothing secret.
 */
#ifndef CLI_VERIFY_H
#define CLI_VERIFY_H

#include "cli/inner.h"

/* ---- whom the reader trusts (verify_trust.c) ---------------------------- */

struct verify_trust;
MUST_CHECK enum rc verify_trust_new(struct verify_trust **out);
void verify_trust_free(struct verify_trust *t);
OWNED_STRUCT(verify_trust);
/*
 * A policy.json, which is believed as it is and may come several times, each
 * version following on the one before; or one file of `mpcsign trust export`,
 * whose every version is proven from its genesis on.
 */
MUST_CHECK enum rc verify_trust_read(struct verify_trust *t, const char *path);
/* The same from a sidecar's GET /v1/policy; NULL: that of MPC_SIDECAR. */
MUST_CHECK enum rc verify_trust_ask(struct verify_trust *t, const char *socket);

/* This root, DER, and no other. */
MUST_CHECK enum rc verify_trust_pin(struct verify_trust *t,
                                    const struct wire_blob *root);

/* An export's content, proven. */
MUST_CHECK enum rc verify_trust_take(struct verify_trust *t,
                                     const struct wire_trust *in);
/* What it would be written from, its versions not judged; no root. */
MUST_CHECK enum rc verify_trust_fetch(struct wire_trust *out,
                                      const char *socket);

/* ---- the verdict (verify.c) --------------------------------------------- */

struct verify_ask {
    const char *file;    /* what was signed; "-" is standard input */
    const uint8_t *data; /* its bytes instead, where file is NULL */
    size_t data_len;
    const uint8_t *bundle; /* NAME.mpc.json */
    size_t bundle_len;
    const struct verify_trust *trust;
    bool allow_simulated;
};
struct verify_result {
    bool ok;
    bool simulated;
    bool fork_proof;
    json_t *checks; /* {id, ok, expected, actual, words} each */
    json_t *facts;  /* what a reader wants to see, docs/EVIDENCE.md */
};
/*
 * Judges; prints nothing. RC_OK: every check holds. RC_VERIFY, or RC_ATTEST
 * where nothing but the simulated hardware is wrong: *out is filled all the
 * same, its checks say which. Anything else: nothing was judged (no such file,
 * no memory), *out is empty. Free it with verify_result_free().
 */
MUST_CHECK enum rc verify_run(struct verify_result *out,
                              const struct verify_ask *ask);
void verify_result_free(struct verify_result *r);
/* "ok   signature    …" a check, one line each, on standard output. */
MUST_CHECK enum rc verify_print(const struct verify_result *r);
/* The evidence drawn, one page of HTML (verify_html.c); heap. */
MUST_CHECK enum rc verify_html(char **out, size_t *len,
                               const struct verify_result *r);

#endif
