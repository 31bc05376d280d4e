/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has said what in a session and who is missing, as people are told: the
 * policy's own count (policy/missing.c), over what this node keeps.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

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

void session_tally(struct tally *out, struct node *n,
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
    unsigned count = 0;
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < in->approvals.n && count < POLICY_MAX_APPROVALS; i++)
        records[count++] = (struct tlog_blob){ in->approvals.at[i].p,
                                               in->approvals.at[i].len };
    if (policy_required(&out->m, p, s, requester.len ? &requester : NULL,
                        records, count, n->w.now_s(n->w.ctx), &floor) != RC_OK)
        return; /* it does not fit the policy in force: nothing is enough */
    hash_said(out, p, s, in);
    out->enough = out->m.have_engineers >= out->m.need_engineers &&
                  out->m.have_stewards >= out->m.need_stewards;
    out->break_glass = f && f->break_glass;
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
