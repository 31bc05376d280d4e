/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small cluster for the policy tests: persons with keys made from their
 * names, three nodes, a log, and one profile of every sort. Test keys only.
 */
#ifndef TESTS_POLICY_FIXTURE_H
#define TESTS_POLICY_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "policy/policy.h"

/* dev (no role), alice dave (engineer), bob carol (steward), erin (both). */
void fx_key(uint8_t pk[32], uint8_t sk[64], const char *name);

extern const uint8_t fx_zeros[32];
/* The document as JSON; caller decrefs. */
json_t *fx_policy_json(unsigned version, const uint8_t prev[32]);
/* Compact text, heap. */
char *fx_text(const json_t *j);
/* Parsed from text, or the test fails. */
struct policy *fx_policy_of(const json_t *j);
struct policy *fx_policy(unsigned version);

/*
 * Puts the JSON text `value` at "persons.0.id" (NULL: removes it). A path
 * whose last member does not exist adds it; "+" appends to an array.
 */
void fx_patch(json_t *root, const char *path, const char *value);

#define FX_NOW 1800000000
/* A session as its requester dev would write it, under p. */
struct policy_session fx_session(const struct policy *p,
                                 enum policy_session_type type,
                                 const char *profile);
/* Binds an artifact of these bytes, fills in the id. */
void fx_bind(struct policy_session *s, const void *bytes, size_t len);
/* Fills in the id; the exact bytes where text is not NULL. */
void fx_seal(struct policy_session *s, char text[POLICY_DESCRIPTOR_MAX],
             size_t *len);

struct fx_record {
    char text[POLICY_RECORD_MAX];
    struct tlog_blob blob;
};
struct tlog_blob fx_record(struct fx_record *out, const uint8_t session[32],
                           enum policy_decision decision, const char *role,
                           const char *person);

void fx_log(struct tlog_vkey *vkey, uint8_t sk[64], const char *name);

#endif
