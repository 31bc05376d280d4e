/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session's key ends at its members: each is told until it has heard, for a
 * while. Who never hears wipes its share by its own clock.
 */
#include "sidecar/once_make.h"

#include <string.h>

#define CLOSE_AGAIN_MS 1000
#define CLOSE_FOR_MS   120000
#define CLOSINGS_MAX   1024 /* more are told once */

struct once_closing {
    struct once_closing *next;
    uint8_t session[32];
    uint16_t to;
    bool asked;
    int64_t again_ms;
    int64_t until_ms;
};

static void forget(struct node *n, struct once_closing *c)
{
    struct once_closing **at = &n->once_more.closings;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    n->once_more.n_closings--;
    free(c);
}

/* It has not heard, and may yet. */
static bool worth_telling(enum rc rc)
{
    switch (rc) {
    case RC_TIMEOUT:
    case RC_UNREACHABLE:
    case RC_IO:
    case RC_NOMEM:
    case RC_BUSY:
    case RC_ATTEST:
    case RC_POLICY_HASH:
        return true;
    default:
        return false;
    }
}

static void heard(struct node *n, void *arg, uint32_t to, enum rc rc,
                  const uint8_t *body, size_t len)
{
    struct once_closing *c = arg;
    int64_t now = n->w.now_ms(n->w.ctx);
    (void)to;
    (void)body;
    (void)len;
    if (!worth_telling(rc) || now >= c->until_ms ||
        n->once_more.n_closings > CLOSINGS_MAX) {
        forget(n, c);
        return;
    }
    c->asked = false;
    c->again_ms = now + CLOSE_AGAIN_MS;
}

/* The last thing done with it: it may be gone afterwards. */
static void tell(struct node *n, struct once_closing *c)
{
    struct wire_once_close m;
    OWNED_MEM char *json = NULL;
    size_t len;
    memcpy(m.session, c->session, 32);
    c->asked = true;
    if (wire_once_close_encode(&json, &len, &m) != RC_OK) {
        heard(n, c, c->to, RC_NOMEM, NULL, 0);
        return;
    }
    node_send(n, c->to, "/v1/once/close", json, len,
              n->w.now_ms(n->w.ctx) + ROUND_MS, heard, c, c->to);
}

static void close_own(struct node *n, const uint8_t session[32])
{
    struct wire_once_close m;
    OWNED_MEM char *json = NULL;
    OWNED_MEM char *reply = NULL;
    size_t len;
    memcpy(m.session, session, 32);
    if (wire_once_close_encode(&json, &len, &m) != RC_OK ||
        node_on_peer(n, n->id, "/v1/once/close", (uint8_t *)json, len, &reply,
                     &len) != RC_OK)
        return; /* ours ends by our clock, too */
}

void once_making_close(struct node *n, const uint8_t session[32], uint16_t to)
{
    if (to == n->id) {
        close_own(n, session);
        return;
    }
    struct once_closing *c = calloc(1, sizeof(*c));
    if (!c)
        return; /* by its own clock */
    memcpy(c->session, session, 32);
    c->to = to;
    c->until_ms = n->w.now_ms(n->w.ctx) + CLOSE_FOR_MS;
    c->next = n->once_more.closings;
    n->once_more.closings = c;
    n->once_more.n_closings++;
    tell(n, c);
}

/* Those whose time has come, and whose node seems well; one a turn. */
static struct once_closing *due(struct node *n, int64_t now)
{
    for (struct once_closing *c = n->once_more.closings; c; c = c->next) {
        const struct peer *p = node_peer(n, c->to);
        bool rests = p && p->down_until_ms > now;
        if (!c->asked &&
            (now >= c->until_ms || !p || (now >= c->again_ms && !rests)))
            return c;
    }
    return NULL;
}

void once_close_tick(struct node *n)
{
    int64_t now = n->w.now_ms(n->w.ctx);
    for (struct once_closing *c; (c = due(n, now)) != NULL;) {
        if (now >= c->until_ms || !node_peer(n, c->to))
            forget(n, c);
        else
            tell(n, c);
    }
}

void once_close_free(struct node *n)
{
    while (n->once_more.closings)
        forget(n, n->once_more.closings);
}
