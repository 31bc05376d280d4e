/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What two nodes hold of each other beyond one connection: the evidence both
 * accepted, for as long as its window. New evidence of the same key lets the
 * connections that key was bound on stand on; another key is a restart, a
 * relaunch, or a clone. Public data only.
 */
#include "attest/channel_inner.h"

#include <string.h>

#include "base/clock.h"

static bool same(const uint8_t a[32], const uint8_t b[32])
{
    return memcmp(a, b, 32) == 0;
}

/* ---- one node, one key ------------------------------------------------- */

static bool another(const struct attest_peer *a, const struct attest_peer *b)
{
    return strcmp(a->uri, b->uri) == 0 &&
           (!same(a->ak, b->ak) || !same(a->report_id, b->report_id));
}

/* Its connection is open and it was heard on it a moment ago. */
static bool lives(const struct attest_session *s, int64_t now_ms)
{
    return s->attested && now_ms < s->expires_ms &&
           now_ms - s->heard_ms <
                   (s->client ? CHANNEL_ANSWER_MS : CHANNEL_ALIVE_MS);
}

static bool is_clone(const struct attest_channel *ch,
                     const struct attest_peer *peer, int64_t now_ms)
{
    for (const struct attest_session *s = ch->sessions; s; s = s->next)
        if (another(&s->peer, peer) &&
            !same(s->peer.report_id, peer->report_id) && lives(s, now_ms))
            return true;
    return false;
}

/* Everything of the key before; true when there was something. */
static bool replace(struct attest_channel *ch, const struct attest_peer *peer,
                    enum attest_news *news)
{
    bool any = false;
    *news = ATTEST_RESTARTED;
    for (struct attest_session *s = ch->sessions; s; s = s->next) {
        if (!s->attested || !another(&s->peer, peer))
            continue;
        any = true;
        if (!same(s->peer.report_id, peer->report_id))
            *news = ATTEST_RELAUNCHED;
        s->attested = false;
    }
    for (unsigned i = 0; i < CHANNEL_BONDS; i++) {
        struct attest_bond *b = &ch->bonds[i];
        if (!another(&b->peer, peer))
            continue;
        any = true;
        if (!same(b->peer.report_id, peer->report_id))
            *news = ATTEST_RELAUNCHED;
        memset(b, 0, sizeof(*b));
    }
    return any;
}

static enum rc refuse_clone(const struct attest_peer *peer)
{
    char id[ENC_HEX_SIZE(8)];
    enum rc rc = rc_raise(RC_ATTEST,
                          "%s: cloned node: evidence of another launch "
                          "(report id %s…) while the node is alive",
                          peer->uri, enc_hex(id, peer->report_id, 8));
    rc_hint("one of two machines with this node's certificate is not it: "
            "stop one, and find out who has its key; a node that was "
            "relaunched is let in when the old one is silent for %d s",
            CHANNEL_ALIVE_MS / 1000);
    return rc;
}

/* ---- the table --------------------------------------------------------- */

static bool same_bond(const struct attest_bond *a, const struct attest_bond *b)
{
    return strcmp(a->peer.uri, b->peer.uri) == 0 &&
           same(a->peer.ak, b->peer.ak) && same(a->peer_spki, b->peer_spki) &&
           same(a->own_spki, b->own_spki);
}

static bool stands(const struct attest_channel *ch, const struct attest_bond *b,
                   int64_t now_ms)
{
    return b->peer.uri[0] && b->epoch == ch->epoch && now_ms < b->expires_ms;
}

/* The one of the same ends, else a free one, else the next to expire. */
static void keep(struct attest_channel *ch, const struct attest_bond *bond)
{
    struct attest_bond *place = &ch->bonds[0];
    for (unsigned i = 0; i < CHANNEL_BONDS; i++) {
        struct attest_bond *b = &ch->bonds[i];
        if (same_bond(b, bond)) {
            place = b;
            break;
        }
        if (b->expires_ms < place->expires_ms)
            place = b; /* a free one expired at 0 */
    }
    *place = *bond;
}

/* Connections of these very ends that stand, stand on. */
static void stand_on(struct attest_channel *ch, const struct attest_bond *b,
                     int64_t now_ms)
{
    for (struct attest_session *s = ch->sessions; s; s = s->next)
        if (s->attested && s->epoch == b->epoch && now_ms < s->expires_ms &&
            strcmp(s->peer.uri, b->peer.uri) == 0 &&
            same(s->peer.ak, b->peer.ak) && same(s->peer_spki, b->peer_spki) &&
            same(s->own_spki, b->own_spki) && s->expires_ms < b->expires_ms)
            s->expires_ms = b->expires_ms;
}

/* Under the lock; returns ms left. */
static int64_t bind(struct attest_session *s, const struct http_tls *tls,
                    int64_t now_ms)
{
    const struct attest_bond *b = &s->bond;
    s->peer = b->peer;
    memcpy(s->exporter, tls->exporter, 32);
    memcpy(s->peer_spki, b->peer_spki, 32);
    memcpy(s->own_spki, b->own_spki, 32);
    s->epoch = b->epoch;
    s->expires_ms = b->expires_ms;
    s->heard_ms = now_ms;
    s->attested = true;
    return b->expires_ms > now_ms ? b->expires_ms - now_ms : 0;
}

static void cap(struct attest_bond *b, int64_t now_ms, int64_t at_most_ms)
{
    if (b->expires_ms - now_ms > at_most_ms)
        b->expires_ms = now_ms + at_most_ms;
}

enum rc attest_bond_make(struct attest_session *s, const struct http_tls *tls,
                         int64_t at_most_ms, int64_t *left_ms)
{
    struct attest_channel *ch = s->channel;
    struct attest_bond *b = &s->bond;
    enum attest_news news = ATTEST_CLONE;
    int64_t now = clock_mono_ms();
    memcpy(b->peer_spki, tls->peer_spki, 32);
    memcpy(b->own_spki, tls->own_spki, 32);
    pthread_mutex_lock(&ch->lock);
    bool clone = is_clone(ch, &b->peer, now);
    bool tell = clone;
    if (!clone) {
        tell = replace(ch, &b->peer, &news);
        b->since_ms = s->nonce_ms;
        b->expires_ms = s->nonce_ms + ch->window_ms;
        cap(b, now, at_most_ms);
        if (b->epoch == ch->epoch)
            keep(ch, b);
        stand_on(ch, b, now);
        *left_ms = bind(s, tls, now);
    }
    pthread_mutex_unlock(&ch->lock);
    if (tell && ch->host.news)
        ch->host.news(ch->host.ctx, b->peer.uri, news);
    return clone ? refuse_clone(&b->peer) : RC_OK;
}

bool attest_bond_find(struct attest_channel *ch, struct attest_bond *out,
                      const char *uri, const uint8_t *ak,
                      const uint8_t *peer_spki, const uint8_t *evidence)
{
    const struct attest_bond *best = NULL;
    int64_t now = clock_mono_ms();
    pthread_mutex_lock(&ch->lock);
    for (unsigned i = 0; i < CHANNEL_BONDS; i++) {
        const struct attest_bond *b = &ch->bonds[i];
        if (!stands(ch, b, now) || strcmp(b->peer.uri, uri) != 0 ||
            (ak && !same(b->peer.ak, ak)) ||
            (peer_spki && !same(b->peer_spki, peer_spki)) ||
            (evidence && !same(b->evidence, evidence)))
            continue;
        if (!best || b->expires_ms > best->expires_ms)
            best = b;
    }
    if (best)
        *out = *best;
    pthread_mutex_unlock(&ch->lock);
    return best != NULL;
}

enum rc attest_bond_use(struct attest_session *s, const struct http_tls *tls,
                        int64_t at_most_ms, int64_t *left_ms)
{
    struct attest_channel *ch = s->channel;
    int64_t now = clock_mono_ms();
    bool there = false;
    pthread_mutex_lock(&ch->lock);
    for (unsigned i = 0; i < CHANNEL_BONDS && !there; i++)
        there = stands(ch, &ch->bonds[i], now) &&
                same_bond(&ch->bonds[i], &s->bond) &&
                same(ch->bonds[i].evidence, s->bond.evidence);
    if (there) {
        cap(&s->bond, now, at_most_ms);
        *left_ms = bind(s, tls, now);
    }
    pthread_mutex_unlock(&ch->lock);
    return there ? RC_OK
                 : rc_raise(RC_UNBOUND, "%s: the evidence is stale by now",
                            s->bond.peer.uri);
}

void attest_bond_forget(struct attest_channel *ch,
                        const struct attest_bond *bond)
{
    pthread_mutex_lock(&ch->lock);
    for (unsigned i = 0; i < CHANNEL_BONDS; i++)
        if (same_bond(&ch->bonds[i], bond))
            memset(&ch->bonds[i], 0, sizeof(ch->bonds[i]));
    pthread_mutex_unlock(&ch->lock);
}

/* At 80 % of what the evidence is good for. */
int64_t attest_bond_due(const struct attest_session *s)
{
    return s->bond.since_ms + (s->bond.expires_ms - s->bond.since_ms) * 4 / 5;
}
