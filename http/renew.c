/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer bound anew before what binds it runs out: on a connection beside its
 * lanes, so that no request waits for it. One at a time; what fails waits
 * twice as long each time; nobody is asked who is not being talked to.
 */
#include "http/inner.h"

#include <limits.h>

#include "base/clock.h"
#include "base/own.h"

#define AGAIN_MS    1000 /* after the first failure */
#define AGAIN_TWICE 6    /* doubled so often: 64 s at the most */

void http_peer_renew_at(struct http_peer *p, int64_t at_ms, int64_t until_ms)
{
    p->renew_ms = at_ms;
    p->renew_until_ms = until_ms;
}

bool http_lane_renews(const struct http_lane *l)
{
    return l->peer->renewal == l;
}

static void again_later(struct http_peer *p)
{
    unsigned twice = p->renew_fails < AGAIN_TWICE ? p->renew_fails
                                                  : AGAIN_TWICE;
    p->renew_fails++;
    p->renew_ms = clock_mono_ms() + ((int64_t)AGAIN_MS << twice);
    p->asked = true;
}

void http_renew_ready(struct http_lane *l, enum rc rc)
{
    l->ended = true;
    if (rc == RC_OK)
        l->peer->renew_fails = 0;
    else
        again_later(l->peer);
}

/* Its requests, and its end: not from inside its own callbacks. */
void http_renew_pump(struct http_peer *p)
{
    struct http_lane *l = p->renewal;
    if (!l || l->now)
        return;
    if (l->ended) {
        http_lane_free(TAKE(p->renewal));
        return;
    }
    struct http_request *r = http_queue_take(&l->own);
    if (r)
        http_lane_start(l, r);
}

void http_renew_expire(struct http_peer *p, int64_t now_ms)
{
    if (!p->renew_ms || now_ms < p->renew_ms || p->renewal)
        return;
    p->renew_ms = 0;
    if (!p->asked || now_ms >= p->renew_until_ms)
        return;
    p->asked = false;
    if (http_lane_make(&p->renewal, p, UINT_MAX) != RC_OK) {
        again_later(p);
        return;
    }
    p->dirty = true;
    p->renewal->state = LANE_BINDING;
    p->client->guard.opened(p->renewal, p->client->guard.ctx);
}
