/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of one session, as long as this node knows them: while it holds a
 * share, and for a while their birth. A share ends at its session's end, when
 * its lead says so, when its session is denied or its policy replaced, and
 * when the next step does not come. Public halves; shares are the vault's.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/bytes.h"
#include "base/enc.h"

#define KEEP_MS    600000 /* a birth, after its share is gone */
#define PREFIX     "once/"
#define NAME_SIZE  96
#define NAME_OF(e) ((long long)(e) > 0 ? (long long)(e) : 0)

/* ---- finding them -------------------------------------------------------------- */

struct once *once_find(const struct node *n, const uint8_t session[32])
{
    for (struct once *o = n->once; o; o = o->next)
        if (memcmp(o->session, session, 32) == 0)
            return o;
    return NULL;
}

struct key *once_key_by_id(const struct node *n, const uint8_t id[32])
{
    for (struct once *o = n->once; o; o = o->next)
        if (o->has_key && memcmp(o->key.id, id, 32) == 0)
            return &o->key;
    return NULL;
}

struct key *once_key_by_birth(const struct node *n, uint64_t index)
{
    for (struct once *o = n->once; o; o = o->next)
        if (o->has_key && o->key.birth == index)
            return &o->key;
    return NULL;
}

/* ---- adding them ---------------------------------------------------------------- */

/*
 * Begun for a session that nobody came back to, as the oldest: it gives way.
 * Who has too many gives up its own; lead 0: of anybody.
 */
static struct once *idle(const struct node *n, uint16_t lead)
{
    int64_t before = n->w.now_ms(n->w.ctx) - ONCE_IDLE_MS;
    struct once *found = NULL;
    for (struct once *o = n->once; o; o = o->next)
        if (o->state == ONCE_BEGUN && o->named && o->kept_ms < before &&
            (!lead || o->lead == lead))
            found = o;
    return found;
}

/* Under lock. of: who has too many; 0: all together. */
static enum rc check_room(uint16_t *of, const struct node *n, uint16_t lead)
{
    unsigned live = 0;
    unsigned led = 0;
    unsigned making = 0;
    unsigned by_lead = 0;
    for (const struct once *o = n->once; o; o = o->next) {
        live += o->state != ONCE_KEPT;
        led += o->state != ONCE_KEPT && o->lead == lead;
        making += o->state < ONCE_VOTED;
        by_lead += o->state < ONCE_VOTED && o->lead == lead;
    }
    enum rc rc = RC_OK;
    *of = led >= ONCE_LEAD_MAX || by_lead >= ONCE_LEAD_DKGS ? lead : 0;
    if (live >= ONCE_LIVE_MAX)
        rc = rc_raise(RC_BUSY,
                      "once: node%u holds %u keys of sessions, at "
                      "most %d",
                      n->id, live, ONCE_LIVE_MAX);
    else if (led >= ONCE_LEAD_MAX)
        rc = rc_raise(RC_BUSY,
                      "once: node%u holds %u keys that node%u made, "
                      "at most %d",
                      n->id, led, lead, ONCE_LEAD_MAX);
    else if (making >= ONCE_DKG_MAX)
        rc = rc_raise(RC_BUSY,
                      "once: node%u takes part in making %u keys, at "
                      "most %d",
                      n->id, making, ONCE_DKG_MAX);
    else if (by_lead >= ONCE_LEAD_DKGS)
        rc = rc_raise(RC_BUSY,
                      "once: node%u takes part in making %u keys for node%u, "
                      "at most %d",
                      n->id, by_lead, lead, ONCE_LEAD_DKGS);
    if (rc != RC_OK)
        rc_hint("try again in %d s", ONCE_STEP_MS / 1000);
    return rc;
}

enum rc once_room(struct node *n, uint16_t lead)
{
    node_lock(n);
    struct once *o = NULL;
    uint16_t of;
    enum rc rc = check_room(&of, n, lead);
    if (rc != RC_OK)
        o = idle(n, of);
    node_unlock(n);
    if (!o)
        return rc;
    once_end(n, o, "others needed its place");
    node_lock(n);
    rc = check_room(&of, n, lead);
    node_unlock(n);
    return rc;
}

struct once *once_add(struct node *n, const struct policy_session *s)
{
    struct once *o = calloc(1, sizeof(*o));
    if (!o) {
        (void)rc_raise(RC_NOMEM, "once: out of memory");
        return NULL;
    }
    memcpy(o->session, s->id, 32);
    memcpy(o->policy, s->policy, 32);
    snprintf(o->profile, sizeof(o->profile), "%s", s->profile);
    o->expires = s->expires;
    o->state = ONCE_KEPT;
    o->kept_ms = n->w.now_ms(n->w.ctx);
    o->key.once = o;
    o->next = n->once;
    n->once = o;
    return o;
}

/*
 * A vault remembers the newest of what it began, for one life; this, all of
 * it, for all of them.
 */
enum rc once_begin_only(struct node *n, const struct policy_session *s)
{
    char name[NAME_SIZE];
    char hex[ENC_HEX_SIZE(32)];
    uint8_t mine[16 + 8]; /* no two are alike */
    struct bytes_writer w = bytes_writer(mine, sizeof(mine));
    bytes_put(&w, n->keys.boot, 16);
    bytes_put_u64(&w, n->once_more.begun++);
    snprintf(name, sizeof(name), PREFIX "%012lld/%s", NAME_OF(s->expires),
             enc_hex(hex, s->id, 32));
    enum rc rc = store_put_once(n->w.store, name, mine, sizeof(mine));
    return rc == RC_CONFLICT
                   ? rc_raise(RC_SLOT_BURNT,
                              "key is gone: node%u began one for this session "
                              "before, and has lost it since",
                              n->id)
                   : rc;
}

void once_expire(struct node *n)
{
    char before[NAME_SIZE];
    long long at = (long long)(n->w.now_s(n->w.ctx) - KEEP_EXPIRED_S);
    snprintf(before, sizeof(before), PREFIX "%012lld", NAME_OF(at));
    if (store_drop(n->w.store, PREFIX, before) != RC_OK)
        return; /* tried again with everything else that expires */
}

/* ---- ending them ----------------------------------------------------------------- */

static void answers_free(struct once *o)
{
    for (unsigned i = 0; i < ONCE__STEPS; i++)
        free(o->answer[i].json);
    memset(o->answer, 0, sizeof(o->answer));
}

/* No share leaves from the moment this returns: the lock waits for those. */
void once_end(struct node *n, struct once *o, const char *why)
{
    pthread_rwlock_wrlock(&n->release_lock);
    enum rc rc = vault_session_end(n->w.vault, o->session);
    node_lock(n);
    o->state = ONCE_KEPT;
    o->gone = why;
    o->kept_ms = n->w.now_ms(n->w.ctx);
    o->key.have_share = o->key.live.have_share = false;
    answers_free(o);
    node_unlock(n);
    pthread_rwlock_unlock(&n->release_lock);
    if (rc != RC_OK)
        return; /* the vault is gone, and its memory with it */
}

static bool is_denied(struct node *n, const struct once *o)
{
    WIRE(session) noes = { 0 };
    if (!o->named || !n->noes || session_noes(&noes, n, o->session) != RC_OK)
        return false;
    for (size_t i = 0; i < noes.approvals.n; i++) {
        struct policy_record r;
        if (policy_record_check(&r, policy_chain_head(n->chain), o->session,
                                noes.approvals.at[i].p,
                                noes.approvals.at[i].len) == RC_OK &&
            r.decision == POLICY_D_DENY)
            return true;
    }
    return false;
}

/* Under lock. Why its share ends now; NULL: it does not. */
static const char *is_over(struct node *n, const struct once *o)
{
    const struct policy *p = policy_chain_head(n->chain);
    if (o->state == ONCE_KEPT)
        return NULL;
    if (n->w.now_s(n->w.ctx) >= o->expires ||
        n->w.now_ms(n->w.ctx) >= o->until_ms)
        return "its session has expired";
    if (memcmp(o->policy, p->sha256, 32) != 0)
        return "another policy is in force";
    if (o->state != ONCE_LIVE && n->w.now_ms(n->w.ctx) >= o->step_until_ms)
        return "its lead did not finish making it";
    if (is_denied(n, o))
        return "its session was denied";
    return NULL;
}

static void end_some(struct node *n)
{
    for (;;) {
        struct once *found = NULL;
        const char *why = NULL;
        node_lock(n);
        for (struct once *o = n->once; o && !found; o = o->next) {
            why = is_over(n, o);
            found = why ? o : NULL;
        }
        node_unlock(n);
        if (!found)
            return;
        once_end(n, found, why);
    }
}

/* ---- forgetting them --------------------------------------------------------------- */

static void free_one(struct once *o)
{
    answers_free(o);
    wire_birth_free(&o->key.evidence);
    free(o->key.pools);
    free(o);
}

/* Births, and those of which only the end is known: neither crowds out the
 * other. */
struct kept {
    unsigned n[2]; /* by has_key */
};

static bool may_go(const struct once *o, int64_t now, const struct kept *kept)
{
    return o->state == ONCE_KEPT && o->key.held == 0 && !o->key.queue &&
           !o->key.round &&
           (kept->n[o->has_key] > ONCE_KEPT_MAX || now - o->kept_ms >= KEEP_MS);
}

/* The oldest are last in the list. */
static struct once **oldest(struct node *n, int64_t now,
                            const struct kept *kept)
{
    struct once **found = NULL;
    for (struct once **at = &n->once; *at; at = &(*at)->next)
        if (may_go(*at, now, kept))
            found = at;
    return found;
}

static void forget_some(struct node *n)
{
    int64_t now = n->w.now_ms(n->w.ctx);
    struct kept kept = { { 0 } };
    node_lock(n);
    for (const struct once *o = n->once; o; o = o->next)
        kept.n[o->has_key] += o->state == ONCE_KEPT;
    bool any = oldest(n, now, &kept) != NULL;
    node_unlock(n);
    if (!any)
        return;
    pthread_rwlock_wrlock(&n->release_lock); /* nobody judges by one of them */
    node_lock(n);
    for (struct once **at; (at = oldest(n, now, &kept)) != NULL;) {
        struct once *o = *at;
        *at = o->next;
        kept.n[o->has_key]--;
        free_one(o);
    }
    node_unlock(n);
    pthread_rwlock_unlock(&n->release_lock);
}

void once_keep_tick(struct node *n)
{
    bool any;
    node_lock(n);
    any = n->once != NULL;
    node_unlock(n);
    if (!any || pthread_mutex_trylock(&n->once_lock) != 0)
        return; /* a step is under way: next time */
    end_some(n);
    forget_some(n);
    pthread_mutex_unlock(&n->once_lock);
}

void once_free(struct node *n)
{
    while (n->once) {
        struct once *next = n->once->next;
        free_one(n->once);
        n->once = next;
    }
}

/* ---- looking in ----------------------------------------------------------------------- */

json_t *once_json(const struct node *n)
{
    static const char *const states[] = { "making", "making", "making", "live",
                                          "kept" };
    json_t *list = json_array();
    char hex[ENC_HEX_SIZE(32)];
    for (const struct once *o = n->once; o; o = o->next)
        if (o->state != ONCE_KEPT)
            json_array_append_new(
                    list, json_pack("{s:s, s:s, s:s, s:i, s:I}", "profile",
                                    o->profile, "session",
                                    enc_hex(hex, o->session, 32), "state",
                                    states[o->state], "lead", (int)o->lead,
                                    "expires", (json_int_t)o->expires));
    return list;
}
