/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which session a caller means: one that people approved, by its id, or one
 * of its own, opened for it, which the same process finds again for a minute.
 */
#include "sidecar/once_make.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"

/* ---- its key, held ------------------------------------------------------- */

void once_hold(const struct key *key)
{
    if (key && key->once)
        key->once->key.held++;
}

void once_release(const struct key *key)
{
    if (key && key->once)
        key->once->key.held--;
}

void once_drop_pools(struct node *n, uint16_t peer)
{
    for (struct once_run *run = n->once_runs; run; run = run->next) {
        struct key *k = run->once ? &run->once->key : NULL;
        for (unsigned i = 0; k && k->pools && i < k->n; i++)
            if (k->node[i] == peer)
                k->pools[i].n = 0;
    }
}

/* The key that our own node keeps of it is the one we lead by. */
enum rc once_lead_by(struct node *n, struct once_run *run)
{
    node_lock(n);
    struct once *o = once_find(n, run->judged.s.id);
    bool has = o && o->has_key && !o->gone;
    const char *gone = o && o->gone ? o->gone : "nothing is known of it";
    node_unlock(n);
    if (!has)
        return rc_raise(RC_SLOT_BURNT, "key is gone: %s", gone);
    if (!o->key.pools) {
        o->key.pools = calloc(o->key.n, sizeof(*o->key.pools));
        if (!o->key.pools)
            return rc_raise(RC_NOMEM, "once: out of memory");
        for (unsigned i = 0; i < o->key.n; i++)
            o->key.pools[i] = (struct pool){ .key = &o->key, .epoch = 1 };
    }
    run->once = o;
    once_hold(&o->key);
    return RC_OK;
}

enum rc once_gone(const struct once_run *run)
{
    char hex[ENC_HEX_SIZE(32)];
    enc_hex(hex, run->judged.s.id, 32);
    if (run->anonymous)
        return rc_raise(RC_SLOT_BURNT,
                        "key is gone: this key of %s signed what it was made "
                        "for, or could not (%s); load mpc:%s again",
                        run->profile, run->why, run->profile);
    enum rc rc = rc_raise(RC_SLOT_BURNT, "key is gone: session %s: %s", hex,
                          run->why);
    rc_hint("mpcsign request FILE --profile %s --wait", run->profile);
    return rc;
}

/* ---- the same key again -------------------------------------------------------------- */

/* By its id; one of a caller's own is that process's, or when it is over its
 * user's: what is left of it says nothing new. */
static struct once_run *find_named(const struct node *n, const uint8_t id[32],
                                   const struct node_caller *who)
{
    int64_t now = n->w.now_ms(n->w.ctx);
    for (struct once_run *run = n->once_runs; run; run = run->next) {
        bool mine = run->uid == who->uid &&
                    (run->ended ||
                     (run->pid == who->pid && run->start == who->start));
        if (memcmp(run->judged.s.id, id, 32) == 0 &&
            (!run->anonymous || mine) &&
            !(run->ended && now - run->ended_ms >= ONCE_RUN_KEEP_MS))
            return run;
    }
    return NULL;
}

/* This process opened it, not long ago, or means to sign with the key that it
 * was shown; the newest one. */
static struct once_run *find_mine(const struct node *n,
                                  const struct node_caller *who,
                                  const char *profile, bool signing)
{
    int64_t now = n->w.now_ms(n->w.ctx);
    for (struct once_run *run = n->once_runs; run; run = run->next)
        if (run->anonymous && who->pid && who->start && run->pid == who->pid &&
            run->start == who->start && run->uid == who->uid &&
            strcmp(run->profile, profile) == 0 &&
            ((signing && run->shown) || now - run->opened_ms < ONCE_FIND_MS))
            return run;
    return NULL;
}

static enum rc caller_room(const struct node *n, const struct node_caller *who)
{
    unsigned live = 0;
    for (const struct once_run *run = n->once_runs; run; run = run->next)
        live += !run->ended && run->uid == who->uid;
    if (live < ONCE_CALLER_MAX)
        return RC_OK;
    enum rc rc = rc_raise(RC_BUSY,
                          "once: uid %u has %u sessions with a key of their "
                          "own here, at most %d",
                          (unsigned)who->uid, live, ONCE_CALLER_MAX);
    rc_hint("try again when some have signed, or in %d s", ONCE_LIFE_S);
    return rc;
}

/* ---- opening one ------------------------------------------------------------------------ */

/* Under lock. Every kind of the profile, and no artifact. */
static enum rc write_session(struct once_run *run, struct node *n)
{
    const struct policy *p = policy_chain_head(n->chain);
    const struct policy_profile *f = policy_profile_find(p, run->profile);
    struct policy_session s = { .type = POLICY_S_SIGN, .has_profile = true };
    char text[POLICY_DESCRIPTOR_MAX];
    size_t len;
    if (!f || !f->ephemeral)
        return rc_raise(RC_POLICY_CHANGED, "key %s: its profile is gone",
                        run->profile);
    memcpy(s.cluster, policy_chain_genesis(n->chain), 32);
    memcpy(s.policy, p->sha256, 32);
    snprintf(s.profile, sizeof(s.profile), "%s", f->name);
    for (unsigned k = 0; k < POLICY__KINDS; k++) {
        s.slot[k] = f->kinds[k];
        s.n_slots += f->kinds[k];
    }
    snprintf(s.requester, sizeof(s.requester), "uid.%u.node%u",
             (unsigned)run->uid, n->id);
    snprintf(s.reason, sizeof(s.reason), "local caller");
    TRY(n->w.random(n->w.ctx, s.nonce, sizeof(s.nonce)));
    s.created = n->w.now_s(n->w.ctx);
    s.expires = s.created +
                (f->max_ttl_s < ONCE_LIFE_S ? f->max_ttl_s : ONCE_LIFE_S);
    TRY(policy_session_write(text, &len, &s));
    wire_session_free(&run->session);
    TRY(wire_blob_set(&run->session.descriptor, text, len));
    return session_judge(&run->judged, n, &run->session);
}

enum rc once_open_again(struct once_run *run, struct node *n)
{
    node_lock(n);
    enum rc rc = write_session(run, n);
    node_unlock(n);
    run->tries++;
    return rc;
}

static struct once_run *new_run(struct node *n, const struct node_caller *who,
                                const char *profile)
{
    struct once_run *run = calloc(1, sizeof(*run));
    if (!run) {
        (void)rc_raise(RC_NOMEM, "once: out of memory");
        return NULL;
    }
    run->uid = who->uid;
    run->pid = who->pid;
    run->start = who->start;
    snprintf(run->profile, sizeof(run->profile), "%s", profile);
    run->opened_ms = n->w.now_ms(n->w.ctx);
    run->deadline_ms = run->opened_ms + ONCE_MAKE_MS;
    return run;
}

void once_run_free(struct once_run *run)
{
    wire_session_free(&run->session);
    once_release(run->once ? &run->once->key : NULL);
    free(run);
}

static void add_run(struct node *n, struct once_run *run)
{
    run->next = n->once_runs;
    n->once_runs = run;
}

static enum rc open_anonymous(struct once_run **out, struct node *n,
                              const struct node_caller *who,
                              const struct policy_profile *f)
{
    const struct policy_raise floor = node_raise(n);
    if (f->engineers || f->stewards || floor.engineers || floor.stewards)
        return lead_needs_session(n, f);
    TRY(caller_room(n, who));
    struct once_run *run = new_run(n, who, f->name);
    if (!run)
        return RC_NOMEM;
    run->anonymous = true;
    enum rc rc = once_open_again(run, n);
    if (rc != RC_OK) {
        once_run_free(run);
        return rc;
    }
    add_run(n, run);
    *out = run;
    return RC_OK;
}

/* ---- or a session that was approved ------------------------------------------------------- */

/* Under lock. Another node led it so far, or it is over. */
static enum rc check_known(bool *lives, const struct node *n,
                           const uint8_t id[32])
{
    const struct once *o = once_find(n, id);
    *lives = o && o->has_key && !o->gone;
    if (!o || *lives || (o->state == ONCE_BEGUN && !o->gone))
        return RC_OK;
    if (!o->gone && o->state != ONCE_KEPT)
        return rc_raise(RC_ORDER, "key of %s: node%u is making it", o->profile,
                        o->lead);
    enum rc rc = rc_raise(RC_SLOT_BURNT, "key is gone: %s",
                          o->gone ? o->gone : "it was made elsewhere");
    rc_hint("mpcsign request FILE --profile %s --wait", o->profile);
    return rc;
}

static enum rc load_named(struct once_run *run, bool *lives, struct node *n,
                          uint64_t call, const struct node_caller *who,
                          const char *hex)
{
    node_lock(n);
    enum rc rc = lead_load_session(&run->session, &run->judged, n, call, hex);
    if (rc == RC_OK)
        rc = lead_may_use(n, who, &run->judged.s);
    if (rc == RC_OK && strcmp(run->judged.s.profile, run->profile) != 0)
        rc = rc_raise(RC_POLICY, "session %.8s: is for %s, not for %s", hex,
                      run->judged.s.profile, run->profile);
    if (rc == RC_OK)
        rc = check_known(lives, n, run->judged.s.id);
    node_unlock(n);
    return rc;
}

static enum rc open_named(struct once_run **out, struct node *n, uint64_t call,
                          const struct node_caller *who,
                          const struct policy_profile *f, const char *hex)
{
    bool lives;
    TRY(caller_room(n, who));
    struct once_run *run = new_run(n, who, f->name);
    if (!run)
        return RC_NOMEM;
    enum rc rc = load_named(run, &lives, n, call, who, hex);
    if (rc == RC_OK && lives)
        rc = once_lead_by(n, run);
    if (rc != RC_OK) {
        once_run_free(run);
        return rc;
    }
    add_run(n, run);
    *out = run;
    return RC_OK;
}

/* What was approved may have been taken back since. */
static enum rc same_named(struct node *n, const struct once_run *run,
                          const struct node_caller *who, const char *profile,
                          bool signing)
{
    if (strcmp(run->profile, profile) != 0)
        return rc_raise(RC_POLICY, "session: is for %s, not for %s",
                        run->profile, profile);
    node_lock(n);
    enum rc rc = lead_may_use(n, who, &run->judged.s);
    node_unlock(n);
    TRY(rc);
    /* key and certificate can be had as long as anything is known of it */
    return run->ended && (signing || !run->once) ? once_gone(run) : RC_OK;
}

enum rc once_want(struct once_run **out, struct node *n, uint64_t call,
                  const struct node_caller *who, const struct policy_profile *f,
                  const char *hex, bool signing)
{
    uint8_t id[32];
    if (hex[0] == '\0' && !signing && (!who->pid || !who->start)) {
        enum rc rc = rc_raise(RC_AUTH,
                              "key of %s: which process asks cannot "
                              "be seen, so it could not be found "
                              "again",
                              f->name);
        rc_hint("name a session: export MPC_SESSION=$(mpcsign request FILE "
                "--profile %s)",
                f->name);
        return rc;
    }
    if (hex[0] == '\0') {
        struct once_run *run = find_mine(n, who, f->name, signing);
        if (run && run->ended && run->shown && signing)
            return once_gone(run); /* the caller holds that public key */
        *out = run;
        return run && !run->ended ? RC_OK : open_anonymous(out, n, who, f);
    }
    TRY(enc_unhex(id, 32, hex, strlen(hex)));
    *out = find_named(n, id, who);
    return *out ? same_named(n, *out, who, f->name, signing)
                : open_named(out, n, call, who, f, hex);
}
