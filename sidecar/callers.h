/* SPDX-License-Identifier: Apache-2.0 */
/* Local callers by name; see callers.c. */
#ifndef SIDECAR_CALLERS_H
#define SIDECAR_CALLERS_H

#include "base/sock.h"
#include "sidecar/sidecar.h"

#define CALLERS_MAX      64
#define CALLERS_NAME_MAX 80 /* workload: and 64 characters */

struct callers {
    struct {
        uid_t uid;
        char name[CALLERS_NAME_MAX];
        bool any_session;
    } at[CALLERS_MAX];
    unsigned n;
    bool set;  /* sessions are their requester's */
    bool root; /* but uid 0 may use any */
};
/* Either may be NULL. RC_ARG names the part that is wrong. */
MUST_CHECK enum rc callers_parse(struct callers *out, const char *callers,
                                 const char *session_users);
/* out->name is borrowed from c. */
void callers_find(struct node_caller *out, const struct callers *c,
                  const struct sock_peer *peer);

#endif
