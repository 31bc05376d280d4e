/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often a peer may have the device asked, and what its evidence was
 * refused for last: whoever asks again too soon hears that, and not only that
 * it asks too often. And how often the host is told of it: nobody who is not
 * let in fills its log and its audit record. Public data only.
 */
#include "attest/channel_inner.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static int64_t used_ms(const struct attest_bucket *b)
{
    return b->full_ms > b->told_ms ? b->full_ms : b->told_ms;
}

/* The peer's, or the one that has been full for longest. Under the lock. */
static struct attest_bucket *bucket_of(struct attest_channel *ch,
                                       const char *uri)
{
    struct attest_bucket *oldest = &ch->buckets[0];
    for (unsigned i = 0; i < CHANNEL_BUCKETS; i++) {
        if (strcmp(ch->buckets[i].uri, uri) == 0)
            return &ch->buckets[i];
        if (used_ms(&ch->buckets[i]) < used_ms(oldest))
            oldest = &ch->buckets[i];
    }
    memset(oldest, 0, sizeof(*oldest));
    snprintf(oldest->uri, sizeof(oldest->uri), "%s", uri);
    return oldest;
}

static enum rc too_often(const struct attest_channel *ch, const char *uri)
{
    enum rc rc = rc_raise(RC_BUSY,
                          "%s: more than %u hellos at once, then one in %d ms",
                          uri, ch->hello_burst, CHANNEL_REFILL_MS);
    rc_hint("each hello asks the hardware for a report: try again in %d s, "
            "and bind further connections with POST " CHANNEL_BIND,
            CHANNEL_REFILL_MS / 1000);
    return rc;
}

enum rc attest_channel_spare(struct attest_channel *ch, const char *uri)
{
    int64_t now = clock_mono_ms();
    int64_t most = (int64_t)ch->hello_burst * CHANNEL_REFILL_MS;
    pthread_mutex_lock(&ch->lock);
    struct attest_bucket *b = bucket_of(ch, uri);
    int64_t full = (b->full_ms > now ? b->full_ms : now) + CHANNEL_REFILL_MS;
    bool spare = full - now <= most;
    if (spare)
        b->full_ms = full;
    pthread_mutex_unlock(&ch->lock);
    return spare ? RC_OK : attest_refused_before(ch, uri, too_often(ch, uri));
}

enum rc attest_refused_keep(struct attest_channel *ch, const char *uri,
                            enum rc rc)
{
    bool worth = rc == RC_ATTEST || rc == RC_POLICY_HASH;
    if (rc != RC_OK && !worth)
        return rc;
    pthread_mutex_lock(&ch->lock);
    struct attest_bucket *b = bucket_of(ch, uri);
    b->refused = rc;
    snprintf(b->why, sizeof(b->why), "%s", worth ? rc_text() : "");
    snprintf(b->hint, sizeof(b->hint), "%s", worth ? rc_hint_text() : "");
    pthread_mutex_unlock(&ch->lock);
    return rc;
}

enum rc attest_refused_before(struct attest_channel *ch, const char *uri,
                              enum rc rc)
{
    struct attest_bucket b;
    pthread_mutex_lock(&ch->lock);
    b = *bucket_of(ch, uri);
    pthread_mutex_unlock(&ch->lock);
    if (b.refused == RC_OK)
        return rc;
    rc = rc_raise(b.refused, "%s", b.why);
    if (b.hint[0])
        rc_hint("%s", b.hint);
    return rc;
}

bool attest_refused_worth(struct attest_channel *ch, const char *uri,
                          uint64_t *untold)
{
    int64_t now = clock_mono_ms();
    int64_t most = (int64_t)ch->refused_burst * CHANNEL_TELL_MS;
    *untold = 0;
    pthread_mutex_lock(&ch->lock);
    struct attest_bucket *b = bucket_of(ch, uri);
    int64_t full = (b->told_ms > now ? b->told_ms : now) + CHANNEL_TELL_MS;
    bool worth = full - now <= most;
    if (worth) {
        b->told_ms = full;
        *untold = b->untold;
    }
    b->untold = worth ? 0 : b->untold + 1;
    pthread_mutex_unlock(&ch->lock);
    return worth;
}
