/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whoever fails the TLS handshake is told of like any other refusal. It costs
 * nothing to fail one, so a flood of them is counted and not told: a line in a
 * log and a row in a record are worth more than that. Public data only.
 */
#include "attest/channel_inner.h"

#include <stdio.h>

#include "base/clock.h"

/* false: too many of late; else *untold is how many were not told before. */
static bool worth_telling(struct attest_channel *ch, uint64_t *untold)
{
    int64_t now = clock_mono_ms();
    pthread_mutex_lock(&ch->lock);
    int64_t full = ch->strangers_full_ms;
    full = (full > now ? full : now) + CHANNEL_STRANGE_MS;
    bool tell = full - now <= (int64_t)CHANNEL_STRANGERS * CHANNEL_STRANGE_MS;
    *untold = ch->strangers_untold;
    if (tell) {
        ch->strangers_full_ms = full;
        ch->strangers_untold = 0;
    } else {
        ch->strangers_untold++;
    }
    pthread_mutex_unlock(&ch->lock);
    return tell;
}

void attest_server_stranger(const char *from, const char *why, void *channel)
{
    struct attest_channel *ch = channel;
    char text[512];
    uint64_t untold;
    if (!ch->host.refused || !worth_telling(ch, &untold))
        return;
    int n = snprintf(text, sizeof(text), "%s", why);
    if (untold > 0 && n > 0 && (size_t)n < sizeof(text))
        snprintf(text + n, sizeof(text) - (size_t)n,
                 " (and %llu more before, not told)",
                 (unsigned long long)untold);
    ch->host.refused(ch->host.ctx, from, "TLS", "handshake", RC_AUTH, text);
}
