/* SPDX-License-Identifier: Apache-2.0 */
/* See once_hand.h. Public messages only: sub-shares stay in their boxes. */
#include "test.h"

#include "once_hand.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/rand.h"

static enum rc tell_as(struct hand *h, unsigned from, unsigned id,
                       const char *path, char *json, size_t len, char **reply,
                       size_t *reply_len)
{
    OWNED_MEM char *freed = json;
    (void)freed;
    return node_on_peer(h->s->node[id].node, from, path, (uint8_t *)json, len,
                        reply, reply_len);
}

static void copy_session(struct wire_session *out,
                         const struct wire_session *in)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    assert_ok(wire_session_encode(&json, &len, in));
    assert_ok(wire_session_decode(out, json, len));
}

void hand_write(struct hand *h)
{
    char text[POLICY_DESCRIPTOR_MAX];
    size_t len;
    wire_session_free(&h->wire);
    assert_ok(policy_session_write(text, &len, &h->session));
    assert_ok(wire_blob_set(&h->wire.descriptor, text, len));
}

void hand_begin(struct hand *h, struct sim *s)
{
    *h = (struct hand){ .s = s, .lead = HAND_ID };
    h->session = sim_session(s, POLICY_S_SIGN, "once");
    snprintf(h->session.requester, sizeof(h->session.requester), "uid.1.node%d",
             HAND_ID);
    h->session.slot[POLICY_RAW] = true;
    h->session.slot[POLICY_CMS] = true;
    h->session.slot[POLICY_DSSE] = true;
    h->session.expires = h->session.created + 120;
    hand_write(h);
}

void hand_free(struct hand *h)
{
    wire_session_free(&h->wire);
    wire_birth_free(&h->birth);
    for (unsigned i = 0; i < SIM_NODES; i++) {
        wire_package_free(&h->package[i]);
        wire_boxes_free(&h->boxes[i]);
    }
}

/* ---- the steps ------------------------------------------------------------------ */

enum rc hand_start(struct hand *h, unsigned at, unsigned id)
{
    OWNED_MEM char *reply = NULL;
    char *json = NULL;
    size_t len, reply_len;
    h->member[at] = id;
    assert_ok(wire_session_encode(&json, &len, &h->wire));
    TRY(tell_as(h, h->lead, id, "/v1/once/start", json, len, &reply,
                &reply_len));
    wire_package_free(&h->package[at]);
    return wire_package_decode(&h->package[at], reply, reply_len);
}

enum rc hand_deal(struct hand *h, unsigned at)
{
    struct wire_epoch_deal m = { 0 };
    OWNED_MEM char *reply = NULL;
    char *json = NULL;
    size_t len, reply_len;
    memcpy(m.session, h->session.id, 32);
    m.packages.at = h->package; /* lent */
    m.packages.n = h->n;
    assert_ok(wire_epoch_deal_encode(&json, &len, &m));
    TRY(tell_as(h, h->lead, h->member[at], "/v1/once/deal", json, len, &reply,
                &reply_len));
    return wire_boxes_decode(&h->boxes[at], reply, reply_len);
}

enum rc hand_finish(struct hand *h, unsigned at)
{
    struct wire_box boxes[SIM_NODES];
    struct wire_epoch_finish m = { 0 };
    OWNED_MEM char *reply = NULL;
    char *json = NULL;
    size_t len, reply_len;
    memcpy(m.session, h->session.id, 32);
    unsigned to = at < h->n ? at : 0; /* whoever was left out has none */
    for (unsigned i = 0; i < h->n; i++) {
        boxes[i].node = h->member[i];
        memcpy(boxes[i].box, h->boxes[i].boxes.at[to].box,
               sizeof(boxes[i].box));
    }
    m.boxes.at = boxes; /* lent */
    m.boxes.n = h->n;
    assert_ok(wire_epoch_finish_encode(&json, &len, &m));
    TRY(tell_as(h, h->lead, h->member[at], "/v1/once/finish", json, len, &reply,
                &reply_len));
    return wire_epoch_vote_decode(&h->vote[at], reply, reply_len);
}

static void certify(struct hand *h, struct tlog_birth *entry)
{
    struct tlog_vote votes[SIM_NODES];
    uint8_t identities[SIM_NODES][32];
    struct wire_cert *c = &h->birth.cert;
    WIRE(session) copy = { 0 };
    memcpy(c->session, h->session.id, 32);
    memcpy(c->group_key, h->vote[0].group_key, 32);
    memcpy(c->transcript, h->vote[0].transcript, 32);
    c->epoch = 1;
    c->threshold = h->s->n == 5 ? 3 : 2;
    assert_ok(wire_list_new(&c->votes, h->n));
    for (unsigned i = 0; i < h->n; i++) {
        const struct wire_vote *v = &h->vote[i].vote;
        c->votes.at[i] = *v;
        votes[i].node = (uint16_t)v->node;
        memcpy(votes[i].identity, v->identity, 32);
        memcpy(votes[i].y, v->y, 32);
        memcpy(votes[i].sig, v->sig, 64);
        memcpy(identities[i], v->identity, 32);
    }
    copy_session(&copy, &h->wire);
    h->birth.descriptor = copy.descriptor; /* all moved */
    h->birth.requester = copy.requester;
    h->birth.approvals.at = copy.approvals.at;
    h->birth.approvals.n = copy.approvals.n;
    memset(&copy, 0, sizeof(copy));
    *entry = (struct tlog_birth){ .threshold = c->threshold };
    snprintf(entry->class, sizeof(entry->class), "artifact");
    hash256(entry->key, c->group_key, 32);
    memcpy(entry->session, h->session.id, 32);
    memcpy(entry->policy, h->s->policy_sha256, 32);
    tlog_approvals_root(entry->approvals, NULL, 0);
    tlog_endorsements_root(entry->endorsements, votes, h->n);
    tlog_participants(entry->participants, identities, h->n);
}

void hand_make(struct hand *h, unsigned n, struct tlog_birth *entry)
{
    h->n = n;
    for (unsigned i = 0; i < n; i++)
        assert_ok(hand_start(h, i, i + 1));
    for (unsigned i = 0; i < n; i++)
        assert_ok(hand_deal(h, i));
    for (unsigned i = 0; i < n; i++)
        assert_ok(hand_finish(h, i));
    certify(h, entry);
}

void hand_log(struct hand *h, const struct tlog_birth *entry)
{
    char text[TLOG_ENTRY_MAX + 1];
    size_t text_len, len, reply_len;
    WIRE(append) ask = { 0 };
    WIRE(appended) got = { 0 };
    OWNED_MEM char *json = NULL;
    OWNED_MEM char *reply = NULL;
    assert_ok(tlog_birth_encode(text, &text_len, entry));
    assert_ok(wire_list_new(&ask.entries, 1));
    assert_ok(wire_text_set(&ask.entries.at[0], text, text_len));
    assert_ok(wire_append_encode(&json, &len, &ask));
    assert_ok(sim_log_serve(h->s, h->lead, "/v1/log/append", (uint8_t *)json,
                            len, &reply, &reply_len));
    assert_ok(wire_appended_decode(&got, reply, reply_len));
    wire_proof_free(&h->birth.proof);
    h->birth.proof = got.proofs.at[0]; /* moved */
    memset(&got.proofs.at[0], 0, sizeof(got.proofs.at[0]));
}

enum rc hand_birth(struct hand *h, unsigned id, bool *share)
{
    const struct wire_once_birth m = { .birth = h->birth }; /* lent */
    OWNED_MEM char *reply = NULL;
    char *json = NULL;
    size_t len, reply_len;
    WIRE(once_born) out = { 0 };
    assert_ok(wire_once_birth_encode(&json, &len, &m));
    TRY(tell_as(h, h->lead, id, "/v1/once/birth", json, len, &reply,
                &reply_len));
    TRY(wire_once_born_decode(&out, reply, reply_len));
    *share = out.share;
    return RC_OK;
}

enum rc hand_close(struct hand *h, unsigned from, unsigned id)
{
    struct wire_once_close m;
    OWNED_MEM char *reply = NULL;
    char *json = NULL;
    size_t len, reply_len;
    memcpy(m.session, h->session.id, 32);
    assert_ok(wire_once_close_encode(&json, &len, &m));
    return tell_as(h, from, id, "/v1/once/close", json, len, &reply,
                   &reply_len);
}

/* ---- a share --------------------------------------------------------------------- */

enum rc hand_sign(struct hand *h, const struct policy_session *s,
                  const struct wire_session *wire, unsigned id,
                  const char *slot, uint64_t attempt, const char *msg)
{
    WIRE(round2) m = { 0 };
    uint8_t identities[2][32];
    uint8_t share[32];
    uint64_t head = 0;
    struct tlog_intent in = { .attempt = attempt,
                              .epoch = 1,
                              .birth = h->birth.proof.index,
                              .expires = clock_now_s() + 100 };
    assert_ok(wire_list_new(&m.items, 1));
    struct wire_round2_item *item = &m.items.at[0];
    copy_session(&item->session, wire);
    hash256(item->key, h->birth.cert.group_key, 32);
    item->epoch = 1;
    item->attempt = attempt;
    item->message_len = strlen(msg);
    snprintf(item->slot, sizeof(item->slot), "%s", slot);
    assert_ok(wire_list_new(&item->signers, 2));
    for (unsigned i = 0; i < 2; i++) {
        uint64_t seen = sim_commit(h->s, &item->signers.at[i], h->member[i],
                                   h->lead, item->key, 1);
        if (h->member[i] == id)
            head = seen;
        memcpy(identities[i], h->s->node[h->member[i]].keys.identity, 32);
    }
    tlog_commitment(in.commitment, s->nonce, (const uint8_t *)msg, strlen(msg));
    memcpy(in.key, item->key, 32);
    snprintf(in.class, sizeof(in.class), "artifact");
    snprintf(in.mode, sizeof(in.mode), "ed25519");
    memcpy(in.session, s->id, 32);
    snprintf(in.slot, sizeof(in.slot), "%s", slot);
    tlog_approvals_root(in.approvals, NULL, 0);
    memcpy(in.policy, h->s->policy_sha256, 32);
    tlog_participants(in.participants, identities, 2);
    sim_log_intent(h->s, item, h->lead, head, &in);
    return sim_round2(h->s, h->lead, id, &m, msg, strlen(msg), share);
}
