/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has said what in a session and who is missing, as people are told: the
 * policy's own count (policy/missing.c), over what this node keeps.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/enc.h"
#include "base/hash.h"

#define NAMES_MAX 160 /* of persons who may still approve, in one text */

/* Of those that hold, in their order. */
static void hash_said(struct tally *t, const struct policy *p,
                      const struct policy_session *s,
                      const struct wire_session *in)
{
    unsigned at = 0;
    for (size_t i = 0; i < in->approvals.n && at < t->m.n_said; i++) {
        const struct wire_blob *b = &in->approvals.at[i];
        struct policy_record r;
        if (t->m.n_bad &&
            policy_record_check(&r, p, s->id, b->p, b->len) != RC_OK)
            continue;
        hash256(t->hash[at++], b->p, b->len);
    }
}

static enum rc count(struct tally *out, struct node *n,
                     const struct policy_session *s,
                     const struct wire_session *in)
{
    const struct policy *p = policy_chain_head(n->chain);
    const struct policy_raise floor = node_raise(n);
    const struct policy_profile *f = s->has_profile ? policy_profile_find(
                                                              p, s->profile)
                                                    : NULL;
    struct tlog_blob records[POLICY_MAX_APPROVALS];
    struct tlog_blob requester = { in->requester.p, in->requester.len };
    unsigned n_records = 0;
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < in->approvals.n && n_records < POLICY_MAX_APPROVALS;
         i++)
        records[n_records++] = (struct tlog_blob){ in->approvals.at[i].p,
                                                   in->approvals.at[i].len };
    TRY(policy_required(&out->m, p, s, requester.len ? &requester : NULL,
                        records, n_records, n->w.now_s(n->w.ctx), &floor));
    hash_said(out, p, s, in);
    out->enough = out->m.have_engineers >= out->m.need_engineers &&
                  out->m.have_stewards >= out->m.need_stewards;
    out->break_glass = f && f->break_glass;
    return RC_OK;
}

/* ---- counted once ------------------------------------------------------------------ */

/*
 * Pages and lists ask again and again, and each record costs a verification.
 * What was counted stands until the records, the policy or the expiry change.
 */
#define COUNTED_MAX 128 /* more than one list shows */
struct counted {
    uint8_t of[32];
    uint64_t used;
    struct tally t;
};

static void add(crypto_hash_sha256_state *st, const void *p, size_t len)
{
    const uint64_t size = len;
    crypto_hash_sha256_update(st, (const uint8_t *)&size, sizeof(size));
    crypto_hash_sha256_update(st, p ? p : "", len);
}

/* All that the count depends on; in memory only. */
static void name_of(uint8_t out[32], const struct node *n,
                    const struct policy_session *s,
                    const struct wire_session *in)
{
    const struct policy_raise floor = node_raise(n);
    const uint8_t ended = n->w.now_s(n->w.ctx) >= s->expires;
    crypto_hash_sha256_state st;
    crypto_hash_sha256_init(&st);
    add(&st, policy_chain_head(n->chain)->sha256, 32);
    add(&st, &floor, sizeof(floor));
    add(&st, &ended, 1);
    add(&st, s->id, 32);
    add(&st, in->requester.p, in->requester.len);
    for (size_t i = 0; i < in->approvals.n; i++)
        add(&st, in->approvals.at[i].p, in->approvals.at[i].len);
    crypto_hash_sha256_final(&st, out);
}

/* Its place, or the one that was not used for longest; NULL: no memory. */
static struct counted *place_of(struct node *n, const uint8_t of[32])
{
    if (!n->counted)
        n->counted = calloc(COUNTED_MAX, sizeof(*n->counted));
    struct counted *oldest = n->counted;
    for (unsigned i = 0; n->counted && i < COUNTED_MAX; i++) {
        struct counted *c = &n->counted[i];
        if (c->used && memcmp(c->of, of, 32) == 0)
            return c;
        if (c->used < oldest->used)
            oldest = c;
    }
    return oldest;
}

enum rc session_count(struct tally *out, struct node *n,
                      const struct policy_session *s,
                      const struct wire_session *in)
{
    uint8_t of[32];
    name_of(of, n, s, in);
    struct counted *c = place_of(n, of);
    if (c && c->used && memcmp(c->of, of, 32) == 0) {
        *out = c->t;
    } else {
        TRY(count(out, n, s, in));
        if (c) {
            memcpy(c->of, of, 32);
            c->t = *out;
        }
    }
    if (c)
        c->used = ++n->counted_serial;
    return RC_OK;
}

void session_tally(struct tally *out, struct node *n,
                   const struct policy_session *s,
                   const struct wire_session *in)
{
    if (session_count(out, n, s, in) != RC_OK)
        memset(out, 0, sizeof(*out)); /* no session of the policy in force */
}

/* ---- who is missing ------------------------------------------------------------- */

/* "alice, dave": who may still approve in this role. */
static void names(char out[NAMES_MAX], const struct tally *t, bool stewards)
{
    size_t at = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < t->m.n_may && at + 1 < NAMES_MAX; i++) {
        const struct policy_person *who = t->m.may[i];
        if (!(stewards ? who->steward : who->engineer))
            continue;
        int n = snprintf(out + at, NAMES_MAX - at, "%s%s", at ? ", " : "",
                         who->id);
        at += n > 0 ? (size_t)n : 0;
    }
}

/* "missing 1 engineer (alice, dave)" */
static void missing_role(char *out, size_t cap, unsigned need, unsigned have,
                         const char *role, const char *who)
{
    size_t at = strlen(out);
    if (have >= need || at + 1 >= cap)
        return;
    snprintf(out + at, cap - at, "%s %u %s%s (%s)", at ? " and" : "",
             need - have, role, need - have > 1 ? "s" : "",
             *who ? who : "nobody is left");
}

enum rc session_missing(struct node *n, const struct policy_session *s,
                        const struct wire_session *in)
{
    struct tally t;
    char id[ENC_HEX_SIZE(32)];
    char who[NAMES_MAX];
    char text[2 * NAMES_MAX + 64] = "";
    session_tally(&t, n, s, in);
    const struct policy_missing *m = &t.m;
    names(who, &t, false);
    missing_role(text, sizeof(text), m->need_engineers, m->have_engineers,
                 "engineer", who);
    names(who, &t, true);
    missing_role(text, sizeof(text), m->need_stewards, m->have_stewards,
                 "steward", who);
    enum rc rc = rc_raise(RC_NOT_APPROVED,
                          "session %s for %s: needs %u engineers and %u "
                          "stewards, has %u and %u; missing%s",
                          enc_hex(id, s->id, 32), s->profile, m->need_engineers,
                          m->need_stewards, m->have_engineers, m->have_stewards,
                          text);
    rc_hint("mpcsign approve %s --as PERSON --role %s", id,
            m->have_engineers < m->need_engineers ? "engineer" : "steward");
    return rc;
}
