/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes that were taken over, up to t - 1 of them with their vaults: they ask
 * an honest one for its share of a signature, with any session, approvals and
 * message they like. What they ask for is logged first, as it must be, so that
 * only the honest node's own judgement stands between them and a signature.
 */
#ifndef TESTS_SIDECAR_COLLUDE_H
#define TESTS_SIDECAR_COLLUDE_H

#include "sim.h"

struct collude {
    struct sim *s;
    struct wire_key key; /* owned */
    uint8_t key_id[32];
    char why[SIM_WHY]; /* what the honest node said last */
};
/* The key of a profile that is made already. */
void collude_begin(struct collude *c, struct sim *s, const char *profile);
void collude_end(struct collude *c);

/* A sign session for this key: an artifact of these bytes, these slots. */
struct policy_session collude_session(struct collude *c, const char *profile,
                                      const void *artifact, size_t len);
/* One approval more, or any other record; made by the person's own key. */
void collude_record(struct wire_session *w, const struct policy_session *s,
                    enum policy_decision decision, const char *role,
                    const char *person);

/*
 * Node `lead` asks node `honest` to sign msg in this session; the other
 * signers, up to t, are the lowest ids besides. The code of the answer; a
 * refusal with a share in it fails the test.
 */
enum rc collude_ask(struct collude *c, unsigned lead, unsigned honest,
                    const struct wire_session *w, const char *slot,
                    uint64_t attempt, const void *msg, size_t len);

#endif
