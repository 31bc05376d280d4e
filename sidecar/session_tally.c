/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has said what in a session and who is missing, as people are told. The
 * judge counts for itself (policy/judge.c).
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "base/hash.h"

#define NAMES_MAX 160 /* of persons who may still approve, in one text */

/* ---- who has said what --------------------------------------------------------- */

static bool revoked(const struct tally *t, const char *person)
{
    for (unsigned i = 0; i < t->n; i++)
        if (t->said[i].decision == POLICY_D_REVOKE &&
            strcmp(t->said[i].person, person) == 0)
            return true;
    return false;
}

static bool approved_as(const struct tally *t, const char *person,
                        const char *role)
{
    for (unsigned i = 0; i < t->n; i++)
        if (t->said[i].decision == POLICY_D_APPROVE &&
            strcmp(t->said[i].person, person) == 0 &&
            strcmp(t->said[i].role, role) == 0)
            return true;
    return false;
}

/* Persons, as the judge counts them: who could stand in both roles, last. */
static void count(struct tally *t, const struct policy *p,
                  const struct policy_session *s)
{
    unsigned either = 0;
    for (unsigned i = 0; i < p->n_persons; i++) {
        const char *id = p->person[i].id;
        bool e = approved_as(t, id, "engineer");
        bool w = approved_as(t, id, "steward");
        if (strcmp(id, s->requester) == 0 || revoked(t, id))
            continue;
        either += e && w;
        t->have_engineers += e && !w;
        t->have_stewards += w && !e;
    }
    while (either-- > 0)
        *(t->have_engineers < t->need_engineers ? &t->have_engineers
                                                : &t->have_stewards) += 1;
}

static unsigned larger(unsigned a, unsigned b)
{
    return a > b ? a : b;
}

static void places(struct tally *t, const struct node *n,
                   const struct policy *p, const struct policy_session *s)
{
    const struct policy_raise floor = node_raise(n);
    const struct policy_profile *f = s->has_profile ? policy_profile_find(
                                                              p, s->profile)
                                                    : NULL;
    if (s->type != POLICY_S_SIGN) {
        t->need_stewards = p->steward_rule;
    } else if (f) {
        t->need_engineers = larger(f->engineers, floor.engineers);
        t->need_stewards = larger(f->stewards, floor.stewards);
    }
}

void session_tally(struct tally *out, struct node *n,
                   const struct policy_session *s,
                   const struct wire_session *in)
{
    const struct policy *p = policy_chain_head(n->chain);
    struct tally t = { .n = 0 };
    places(&t, n, p, s);
    for (size_t i = 0; i < in->approvals.n && t.n < POLICY_MAX_APPROVALS; i++) {
        const struct wire_blob *b = &in->approvals.at[i];
        if (policy_record_check(&t.said[t.n], p, s->id, b->p, b->len) != RC_OK)
            continue;
        t.denied = t.denied || t.said[t.n].decision == POLICY_D_DENY;
        hash256(t.hash[t.n++], b->p, b->len);
    }
    count(&t, p, s);
    t.enough = t.have_engineers >= t.need_engineers &&
               t.have_stewards >= t.need_stewards;
    *out = t;
}

/* ---- who is missing ------------------------------------------------------------- */

/* "alice, dave": who may still approve in this role. */
static void names(char out[NAMES_MAX], const struct policy *p,
                  const struct policy_session *s, const struct tally *t,
                  bool stewards)
{
    size_t at = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < p->n_persons && at + 1 < NAMES_MAX; i++) {
        const struct policy_person *who = &p->person[i];
        if (!(stewards ? who->steward : who->engineer) ||
            strcmp(who->id, s->requester) == 0 || revoked(t, who->id) ||
            approved_as(t, who->id, "engineer") ||
            approved_as(t, who->id, "steward"))
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
    const struct policy *p = policy_chain_head(n->chain);
    session_tally(&t, n, s, in);
    names(who, p, s, &t, false);
    missing_role(text, sizeof(text), t.need_engineers, t.have_engineers,
                 "engineer", who);
    names(who, p, s, &t, true);
    missing_role(text, sizeof(text), t.need_stewards, t.have_stewards,
                 "steward", who);
    enum rc rc = rc_raise(RC_NOT_APPROVED,
                          "session %s for %s: needs %u engineers and %u "
                          "stewards, has %u and %u; missing%s",
                          enc_hex(id, s->id, 32), s->profile, t.need_engineers,
                          t.need_stewards, t.have_engineers, t.have_stewards,
                          text);
    rc_hint("mpcsign approve %s --as PERSON --role %s", id,
            t.have_engineers < t.need_engineers ? "engineer" : "steward");
    return rc;
}
