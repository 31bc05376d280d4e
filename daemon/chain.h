/* SPDX-License-Identifier: Apache-2.0 */
/* The policy chain of a CA or a log, as files; a second door of this room. */
#ifndef DAEMON_CHAIN_H
#define DAEMON_CHAIN_H

#include "daemon/daemon.h"
#include "policy/policy.h"
#include "transparency/transparency.h"

struct daemon_chain;

/* only_log: refuse versions that name another log; NULL: any. */
MUST_CHECK enum rc daemon_chain_open(struct daemon_chain **out,
                                     struct daemon *d,
                                     const struct tlog_vkey *only_log);
void daemon_chain_free(struct daemon_chain *c);
/* For daemon_channel(). */
struct attest_channel_host daemon_chain_host(struct daemon_chain *c);
/* What the version in force says of machines, to the channel. */
MUST_CHECK enum rc daemon_chain_rules(struct daemon_chain *c);
/* The chain, locked until _unlock. */
const struct policy_chain *daemon_chain_lock(struct daemon_chain *c);
void daemon_chain_unlock(struct daemon_chain *c);
/* POST /v1/policy: a wire_policy with its proof. */
MUST_CHECK enum rc daemon_chain_post(struct http_call *call,
                                     struct daemon_chain *c);
/* GET /v1/policy: all versions, for a node that knows none. */
MUST_CHECK enum rc daemon_chain_get(struct http_call *call,
                                    struct daemon_chain *c);

#endif
