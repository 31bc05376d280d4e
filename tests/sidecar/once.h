/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of sessions' own keys share. */
#ifndef TESTS_SIDECAR_ONCE_H
#define TESTS_SIDECAR_ONCE_H

#include "story.h"

static inline struct sim *once_cluster(unsigned nodes)
{
    static const char *const none[] = { NULL };
    struct sim *s = sim_new(1, nodes);
    sim_ready(s, none);
    return s;
}

/* A process of its own. */
static inline struct node_caller once_caller(pid_t pid)
{
    return (struct node_caller){ .uid = SIM_UID,
                                 .pid = pid,
                                 .start = 1000 + (uint64_t)pid };
}

static inline unsigned once_get(struct sim *s, unsigned id,
                                const struct node_caller *who, const char *path)
{
    s->caller = who;
    unsigned call = sim_ask(s, id, path, NULL, 0);
    s->caller = NULL;
    return call;
}

static inline unsigned once_sign(struct sim *s, unsigned id,
                                 const struct node_caller *who, const char *key,
                                 const char *session, const char *text)
{
    s->caller = who;
    unsigned call = sim_sign(s, id, key, session, text, strlen(text), 10000);
    s->caller = NULL;
    return call;
}

/* No vault that runs holds anything of any session's key. */
static inline void once_nothing_left(struct sim *s)
{
    for (unsigned id = 1; id <= s->n; id++) {
        struct vault_holds h;
        if (!s->node[id].up)
            continue;
        assert_ok(vault_held(s->node[id].vault, &h));
        if (h.once || h.dkgs)
            sim_fail(s, "node%u holds %u shares and %u DKGs of sessions", id,
                     h.once, h.dkgs);
    }
}

#endif
