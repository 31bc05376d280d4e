/* SPDX-License-Identifier: Apache-2.0 */
/* What the named scenarios share: a cluster that is ready, and short words. */
#ifndef TESTS_SIDECAR_STORY_H
#define TESTS_SIDECAR_STORY_H

#include "sim.h"

static inline struct sim *cluster(const char *const *keys)
{
    struct sim *s = sim_new(1, 3);
    sim_ready(s, keys);
    return s;
}

static inline void done(struct sim *s)
{
    sim_check(s);
    sim_free(s);
}

static inline unsigned sign(struct sim *s, unsigned id, const char *text)
{
    return sim_sign(s, id, "release", "", text, strlen(text), 10000);
}

static inline int64_t took(const struct sim *s, unsigned call)
{
    return s->call[call].answered_ms - s->call[call].asked_ms;
}

static inline void says(struct sim *s, unsigned call, const char *part)
{
    if (!strstr(s->call[call].why, part))
        sim_fail(s, "\"%s\" does not say %s", s->call[call].why, part);
}

#endif
