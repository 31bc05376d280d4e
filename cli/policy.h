/* SPDX-License-Identifier: Apache-2.0 */
/* What the policy verbs share: versions that a sidecar holds, and how two
 * documents differ. Public data. */
#ifndef CLI_POLICY_H
#define CLI_POLICY_H

#include "cli/inner.h"

#define POLICY_ASK_MS 10000

/* All versions the sidecar holds, genesis first, never empty; the caller
 * frees them. */
MUST_CHECK enum rc cli_policies_ask(struct wire_policies *out);
/* next may follow head, as far as version and prev say; file: what it is. */
MUST_CHECK enum rc cli_policy_check_next(const struct policy *next,
                                         const struct policy *head,
                                         const char *file);
/* The newest of them. */
MUST_CHECK enum rc cli_policy_newest(struct policy **out);

/*
 * What changes from a to b, one line each, in the order of b's members:
 * persons, credentials, nodes and profiles are known by their names, so that
 * moving one is no change. RC_PARSE when either is not a JSON object.
 */
#define CLI_DIFF_MAX 256
struct cli_diff {
    char sign;  /* + - ~ */
    char *path; /* "persons[erin].roles"; owned */
    char *from; /* compact JSON, owned; NULL: it was not there */
    char *to;   /* owned; NULL: it is gone */
};
struct cli_diffs {
    struct cli_diff at[CLI_DIFF_MAX];
    unsigned n;
    bool more; /* and others that did not fit */
};
MUST_CHECK enum rc cli_policy_diff(struct cli_diffs *out, const void *a,
                                   size_t a_len, const void *b, size_t b_len);
void cli_diffs_free(struct cli_diffs *d);
/* Through state_plain(), in place. */
MUST_CHECK enum rc cli_diffs_say(struct cli_diffs *d);
json_t *cli_diffs_json(const struct cli_diffs *d);

#endif
