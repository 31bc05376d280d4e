/* SPDX-License-Identifier: Apache-2.0 */
/* See collude.h. Public messages only. */
#include "test.h"

#include "collude.h"

#include <sodium.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/own.h"

OWNED_STRUCT(policy);

void collude_begin(struct collude *c, struct sim *s, const char *profile)
{
    char path[128];
    *c = (struct collude){ .s = s };
    snprintf(path, sizeof(path), "/v1/key/%s", profile);
    unsigned get = sim_ask(s, 1, path, NULL, 0);
    sim_want_ok(s, get);
    assert_ok(wire_key_decode(&c->key, s->call[get].json, s->call[get].len));
    crypto_hash_sha256(c->key_id, c->key.group_key, 32);
}

void collude_end(struct collude *c)
{
    wire_key_free(&c->key);
}

struct policy_session collude_session(struct collude *c, const char *profile,
                                      const void *artifact, size_t len)
{
    struct policy_session p = sim_session(c->s, POLICY_S_SIGN, profile);
    p.has_key = true;
    memcpy(p.key, c->key_id, 32);
    p.slot[POLICY_RAW] = true;
    p.has_artifact = true;
    policy_session_artifact(&p, "app", artifact, len);
    return p;
}

void collude_record(struct wire_session *w, const struct policy_session *s,
                    enum policy_decision decision, const char *role,
                    const char *person)
{
    struct wire_blob *more = calloc(w->approvals.n + 1, sizeof(*more));
    assert_non_null(more);
    if (w->approvals.n)
        memcpy(more, w->approvals.at, w->approvals.n * sizeof(*more));
    free(w->approvals.at);
    w->approvals.at = more;
    sim_record(&more[w->approvals.n++], s->id, decision, role, person);
}

/* ---- the request ----------------------------------------------------------- */

/* The lead, the honest one, and who else is needed: ascending. */
static void choose(struct collude *c, struct wire_round2_item *item,
                   unsigned lead, unsigned honest)
{
    unsigned n = 0, spare = (unsigned)c->key.threshold - 2;
    assert_ok(wire_list_new(&item->signers, c->key.threshold));
    for (unsigned id = 1; id <= c->s->n; id++) {
        bool more = id != lead && id != honest && spare > 0;
        spare -= more;
        if (!more && id != lead && id != honest)
            continue;
        uint64_t size = sim_commit(c->s, &item->signers.at[n++], id, lead,
                                   c->key_id, c->key.epoch);
        if (id == honest)
            item->growth.from = size;
    }
    assert_int_equal(n, c->key.threshold);
}

/* What an honest node would count, or the root of all that is shown. */
static void approvals_root(struct collude *c, uint8_t out[32],
                           const struct wire_session *w)
{
    struct tlog_blob list[POLICY_MAX_APPROVALS];
    const struct tlog_blob requester = { w->requester.p, w->requester.len };
    struct policy_approved counted;
    struct policy_session s;
    OWN_S(policy) *p = NULL;
    for (size_t i = 0; i < w->approvals.n; i++)
        list[i] = (struct tlog_blob){ w->approvals.at[i].p,
                                      w->approvals.at[i].len };
    unsigned n = (unsigned)w->approvals.n;
    tlog_approvals_root(out, list, n);
    assert_ok(policy_parse(&p, c->s->policy, strlen(c->s->policy)));
    if (policy_session_parse(&s, w->descriptor.p, w->descriptor.len) == RC_OK &&
        policy_judge(&counted, p, c->s->genesis_sha256, &s, &requester, list, n,
                     clock_now_s()) == RC_OK)
        memcpy(out, counted.root, 32);
}

static void participants(struct collude *c, uint8_t out[32],
                         const struct wire_round2_item *item)
{
    uint8_t identity[SIM_NODES][32];
    for (size_t i = 0; i < item->signers.n; i++)
        memcpy(identity[i], c->s->node[item->signers.at[i].node].keys.identity,
               32);
    tlog_participants(out, identity, (unsigned)item->signers.n);
}

static void intent(struct collude *c, struct wire_round2_item *item,
                   unsigned lead, const void *msg, size_t len)
{
    struct policy_session s;
    struct tlog_intent in = { .attempt = item->attempt,
                              .epoch = item->epoch,
                              .birth = c->key.birth,
                              .expires = clock_now_s() + 100 };
    assert_ok(policy_session_parse(&s, item->session.descriptor.p,
                                   item->session.descriptor.len));
    tlog_commitment(in.commitment, s.nonce, msg, len);
    memcpy(in.key, c->key_id, 32);
    snprintf(in.class, sizeof(in.class), "%s", c->key.class);
    snprintf(in.mode, sizeof(in.mode), "ed25519");
    memcpy(in.session, s.id, 32);
    snprintf(in.slot, sizeof(in.slot), "%s", item->slot);
    approvals_root(c, in.approvals, &item->session);
    participants(c, in.participants, item);
    memcpy(in.policy, c->s->policy_sha256, 32);
    sim_log_intent(c->s, item, lead, item->growth.from, &in);
}

static void copy_session(struct wire_session *out,
                         const struct wire_session *in)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    assert_ok(wire_session_encode(&json, &len, in));
    assert_ok(wire_session_decode(out, json, len));
}

enum rc collude_ask(struct collude *c, unsigned lead, unsigned honest,
                    const struct wire_session *w, const char *slot,
                    uint64_t attempt, const void *msg, size_t len)
{
    WIRE(round2) m = { 0 };
    assert_ok(wire_list_new(&m.items, 1));
    struct wire_round2_item *item = &m.items.at[0];
    copy_session(&item->session, w);
    memcpy(item->key, c->key_id, 32);
    item->epoch = c->key.epoch;
    item->attempt = attempt;
    item->message_len = len;
    snprintf(item->slot, sizeof(item->slot), "%s", slot);
    choose(c, item, lead, honest);
    intent(c, item, lead, msg, len);
    uint8_t share[32];
    enum rc rc = sim_round2(c->s, lead, honest, &m, msg, len, share);
    snprintf(c->why, sizeof(c->why), "%s", rc == RC_OK ? "" : rc_text());
    return rc;
}
