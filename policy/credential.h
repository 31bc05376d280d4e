/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A person's credentials, their keys and origins, and the profiles that
 * accept them. Inside the room only.
 */
#ifndef POLICY_CREDENTIAL_H
#define POLICY_CREDENTIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/json.h"
#include "policy/policy.h"

/* One element of persons[].credentials; at says where it stands. */
MUST_CHECK enum rc policy_credential_read(struct policy_credential *out,
                                          const json_t *v, const char *at);

/* One element of profiles; i says which. */
MUST_CHECK enum rc policy_profile_read(struct policy_profile *out,
                                       const json_t *v, size_t i);

/* A public key out of a COSE_Key. */
struct policy_cose {
    enum policy_alg alg;
    const uint8_t *x; /* or RSA's n; borrowed */
    const uint8_t *y; /* or RSA's e; NULL for EdDSA */
    size_t x_len;
    size_t y_len;
    size_t len; /* of the whole COSE_Key */
};
/*
 * Reads the COSE_Key that cose begins with. CTAP2 canonical CBOR has one
 * encoding for a key and only that is taken, so equal keys are equal bytes,
 * and an algorithm is never read with another's key.
 */
MUST_CHECK enum rc policy_cose_parse(struct policy_cose *out,
                                     const uint8_t *cose, size_t len);

/* The numbers are a point of the curve, and not one of small order. */
MUST_CHECK enum rc policy_cose_usable(const struct policy_cose *key);

/* scheme://host[:port] of a browser, or cli:mpcsign where cli allows it. */
bool policy_origin_ok(const char *origin, bool cli);
/* Is the host of this origin rp_id or below it? True for cli:mpcsign. */
bool policy_origin_within(const char *origin, const char *rp_id);
/* entry equals origin, or is http://localhost and stands for its ports. */
bool policy_origin_matches(const char *entry, const char *origin);
/* Which way a record with this origin came. */
enum policy_way policy_way_of(const struct policy *p, const char *kind,
                              const char *origin);

/* Could this credential be used in one of the ways? Revoked ones never. */
bool policy_credential_fits(const struct policy *p,
                            const struct policy_credential *c,
                            const bool way[POLICY__WAYS]);
/* A person with such a credential, good until then (0: whenever). */
bool policy_person_fits(const struct policy *p, const struct policy_person *who,
                        const bool way[POLICY__WAYS], int64_t until_s);
/* What a profile, or its absence (policy sessions), accepts. */
const bool *policy_ways(const struct policy_profile *f);

#endif
