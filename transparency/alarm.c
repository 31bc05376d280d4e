/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must not be in a log: a receipt nobody intended, an intent nothing came
 * of, a second message for a slot. Entries come in order; time is told.
 */
#include "transparency/alarm.h"

#include <string.h>

#include "base/hash.h"
#include "base/rand.h"

static const char *const names[] = {
    [TLOG_ALARM_NO_INTENT] = "receipt_without_intent",
    [TLOG_ALARM_NO_RECEIPT] = "intent_without_receipt",
    [TLOG_ALARM_SECOND_MESSAGE] = "second_message_for_slot",
    [TLOG_ALARM_MALFORMED] = "malformed_entry",
};

const char *tlog_alarm_name(enum tlog_alarm_kind kind)
{
    return names[kind];
}

enum rc tlog_watch_new(struct tlog_watch **out)
{
    OWNED_MEM struct tlog_watch *w = calloc(1, sizeof(*w));
    if (!w)
        return rc_raise(RC_NOMEM, "watch: out of memory");
    TRY(rand_bytes(w->key, sizeof(w->key)));
    *out = TAKE(w);
    return RC_OK;
}

void tlog_watch_free(struct tlog_watch *w)
{
    if (!w)
        return;
    free(w->affair);
    free(w->intent);
    free(w->by_id);
    free(w->by_slot);
    free(w);
}

/* ---- tables -------------------------------------------------------------- */

static const uint8_t *id_of(const struct tlog_affair *a, bool by_slot)
{
    return by_slot ? a->slot : a->id;
}

/* Where the affair with this id is, or the free place for it. */
static uint64_t *place(const struct tlog_watch *w, bool by_slot,
                       const uint8_t id[32])
{
    uint64_t *table = by_slot ? w->by_slot : w->by_id;
    union {
        uint8_t b[crypto_shorthash_BYTES];
        uint64_t v;
    } h;
    crypto_shorthash(h.b, id, 32, w->key);
    size_t at = (size_t)h.v & (w->table_cap - 1);
    while (table[at] &&
           memcmp(id_of(&w->affair[table[at] - 1], by_slot), id, 32) != 0)
        at = (at + 1) & (w->table_cap - 1);
    return &table[at];
}

static struct tlog_affair *find(const struct tlog_watch *w, bool by_slot,
                                const uint8_t id[32])
{
    uint64_t at = w->table_cap ? *place(w, by_slot, id) : 0;
    return at ? &w->affair[at - 1] : NULL;
}

/* An affair's place in both tables; a slot keeps its first. */
static void enter(struct tlog_watch *w, uint64_t n)
{
    uint64_t *slot = place(w, true, w->affair[n].slot);
    *place(w, false, w->affair[n].id) = n + 1;
    if (!*slot)
        *slot = n + 1;
}

static enum rc grow_tables(struct tlog_watch *w)
{
    if (w->n < w->table_cap / 2)
        return RC_OK;
    size_t cap = w->table_cap ? 2 * w->table_cap : 1024;
    uint64_t *by_id = calloc(cap, sizeof(*by_id));
    uint64_t *by_slot = calloc(cap, sizeof(*by_slot));
    if (!by_id || !by_slot) {
        free(by_id);
        free(by_slot);
        return rc_raise(RC_NOMEM, "watch: %zu places", cap);
    }
    free(w->by_id);
    free(w->by_slot);
    w->by_id = by_id;
    w->by_slot = by_slot;
    w->table_cap = cap;
    for (size_t i = 0; i < w->n; i++)
        enter(w, i);
    return RC_OK;
}

enum rc tlog_watch_add_affair(struct tlog_watch *w, const struct tlog_affair *a)
{
    TRY(grow_tables(w));
    if (w->n == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 256;
        struct tlog_affair *more = reallocarray(w->affair, cap, sizeof(*more));
        if (!more)
            return rc_raise(RC_NOMEM, "watch: %zu affairs", cap);
        w->affair = more;
        w->cap = cap;
    }
    w->affair[w->n++] = *a;
    enter(w, w->n - 1);
    return RC_OK;
}

enum rc tlog_watch_add_intent(struct tlog_watch *w, uint64_t index,
                              uint64_t affair)
{
    if (w->n_intents == w->intent_cap) {
        size_t cap = w->intent_cap ? 2 * w->intent_cap : 256;
        struct watch_intent *more = reallocarray(w->intent, cap, sizeof(*more));
        if (!more)
            return rc_raise(RC_NOMEM, "watch: %zu intents", cap);
        w->intent = more;
        w->intent_cap = cap;
    }
    w->intent[w->n_intents++] = (struct watch_intent){ index, affair };
    return RC_OK;
}

static struct tlog_affair *affair_of(const struct tlog_watch *w, uint64_t index)
{
    size_t lo = 0;
    size_t hi = w->n_intents;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (w->intent[mid].index == index)
            return &w->affair[w->intent[mid].affair];
        if (w->intent[mid].index < index)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

/* ---- rules --------------------------------------------------------------- */

static struct tlog_affair affair_new(const struct tlog_intent *in,
                                     uint64_t index)
{
    static const uint8_t none[32];
    struct tlog_affair a = { .first = index,
                             .last = index,
                             .expires = in->expires };
    const struct hash_part parts[] = { { in->session, 32 },
                                       { in->slot, sizeof(in->slot) },
                                       { in->key, 32 },
                                       { in->commitment, 32 } };
    hash256_parts(a.id, parts, 4);
    if (memcmp(in->session, none, 32) != 0)
        hash256_parts(a.slot, parts, 2);
    else /* no session holds it to one message */
        memcpy(a.slot, a.id, 32);
    return a;
}

static enum rc on_intent(struct tlog_watch *w, uint64_t index,
                         const struct tlog_intent *in, tlog_on_alarm *on_alarm,
                         void *arg)
{
    struct tlog_affair a = affair_new(in, index);
    struct tlog_affair *known = find(w, false, a.id);
    if (known) { /* the next attempt */
        known->last = index;
        if (in->expires > known->expires)
            known->expires = in->expires;
        return tlog_watch_add_intent(w, index, (uint64_t)(known - w->affair));
    }
    const struct tlog_affair *first = find(w, true, a.slot);
    uint64_t other = first ? first->first : TLOG_NO_INDEX;
    TRY(tlog_watch_add_affair(w, &a));
    TRY(tlog_watch_add_intent(w, index, w->n - 1));
    if (other != TLOG_NO_INDEX)
        on_alarm(
                &(struct tlog_alarm){ TLOG_ALARM_SECOND_MESSAGE, index, other },
                arg);
    return RC_OK;
}

/* A receipt or an abort: both end the affair. */
static void on_end(struct tlog_watch *w, uint64_t index, uint64_t intent,
                   tlog_on_alarm *on_alarm, void *arg)
{
    struct tlog_affair *a = affair_of(w, intent);
    if (a)
        a->state = AFFAIR_SETTLED;
    else
        on_alarm(&(struct tlog_alarm){ TLOG_ALARM_NO_INTENT, index, intent },
                 arg);
}

static bool decodes(enum tlog_kind kind, const char *text, size_t len)
{
    struct tlog_birth birth;
    struct tlog_epoch epoch;
    struct tlog_policy policy;
    struct tlog_evidence evidence;
    struct tlog_dsse dsse;
    switch (kind) {
    case TLOG_BIRTH:
        return tlog_birth_decode(&birth, text, len) == RC_OK;
    case TLOG_EPOCH:
        return tlog_epoch_decode(&epoch, text, len) == RC_OK;
    case TLOG_POLICY:
        return tlog_policy_decode(&policy, text, len) == RC_OK;
    case TLOG_EVIDENCE:
        return tlog_evidence_decode(&evidence, text, len) == RC_OK;
    case TLOG_DSSE:
        return tlog_dsse_decode(&dsse, text, len) == RC_OK;
    default:
        return false;
    }
}

enum rc tlog_watch_entry(struct tlog_watch *w, uint64_t index,
                         const void *entry, size_t len, tlog_on_alarm *on_alarm,
                         void *arg)
{
    enum tlog_kind kind = tlog_entry_kind(entry, len);
    struct tlog_intent intent;
    struct tlog_receipt receipt;
    struct tlog_abort end;
    if (kind == TLOG_OPAQUE)
        return RC_OK;
    if (kind == TLOG_INTENT && tlog_intent_decode(&intent, entry, len) == RC_OK)
        return on_intent(w, index, &intent, on_alarm, arg);
    if (kind == TLOG_RECEIPT &&
        tlog_receipt_decode(&receipt, entry, len) == RC_OK)
        on_end(w, index, receipt.intent, on_alarm, arg);
    else if (kind == TLOG_ABORT && tlog_abort_decode(&end, entry, len) == RC_OK)
        on_end(w, index, end.intent, on_alarm, arg);
    else if (!decodes(kind, entry, len))
        on_alarm(&(struct tlog_alarm){ TLOG_ALARM_MALFORMED, index,
                                       TLOG_NO_INDEX },
                 arg);
    return RC_OK;
}

void tlog_watch_time(struct tlog_watch *w, int64_t now_s, int64_t grace_s,
                     tlog_on_alarm *on_alarm, void *arg)
{
    while (w->settled < w->n && w->affair[w->settled].state != AFFAIR_OPEN)
        w->settled++;
    for (size_t i = w->settled; i < w->n; i++) {
        struct tlog_affair *a = &w->affair[i];
        if (a->state != AFFAIR_OPEN || now_s - grace_s <= a->expires)
            continue;
        a->state = AFFAIR_TOLD;
        on_alarm(&(struct tlog_alarm){ TLOG_ALARM_NO_RECEIPT, a->last,
                                       TLOG_NO_INDEX },
                 arg);
    }
}
