/* SPDX-License-Identifier: Apache-2.0 */
/* See rogue.h. Holds public messages only: sub-shares stay in their boxes. */
#include "test.h"

#include "rogue.h"

#include "base/hash.h"

#define ROGUE_ID 2 /* whom the members take it for */

static enum rc tell(struct rogue *r, unsigned id, const char *path, char *json,
                    size_t len, char **reply, size_t *reply_len)
{
    OWNED_MEM char *freed = json;
    (void)freed;
    return node_on_peer(r->s->node[id].node, ROGUE_ID, path, (uint8_t *)json,
                        len, reply, reply_len);
}

void rogue_begin(struct rogue *r, struct sim *s, const char *profile,
                 uint64_t epoch)
{
    *r = (struct rogue){ .s = s, .epoch = epoch };
    r->session = sim_session(s, POLICY_S_KEY_CREATE, profile);
    sim_session_wire(s, &r->wire, &r->session, "steward", sim_stewards);
}

void rogue_free(struct rogue *r)
{
    wire_session_free(&r->wire);
    wire_birth_free(&r->birth);
    for (unsigned i = 0; i < SIM_NODES; i++) {
        wire_package_free(&r->package[i]);
        wire_boxes_free(&r->boxes[i]);
    }
}

static void copy_session(struct wire_session *out,
                         const struct wire_session *in)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    assert_ok(wire_session_encode(&json, &len, in));
    assert_ok(wire_session_decode(out, json, len));
}

enum rc rogue_start(struct rogue *r, unsigned id)
{
    WIRE(epoch_start) m = { .epoch = r->epoch };
    OWNED_MEM char *reply = NULL;
    char *json = NULL;
    size_t len, reply_len;
    copy_session(&m.session, &r->wire);
    assert_ok(wire_epoch_start_encode(&json, &len, &m));
    TRY(tell(r, id, "/v1/epoch/start", json, len, &reply, &reply_len));
    return wire_package_decode(&r->package[id - 1], reply, reply_len);
}

static void deal(struct rogue *r, unsigned id)
{
    struct wire_epoch_deal m = { 0 };
    OWNED_MEM char *reply = NULL;
    char *json = NULL;
    size_t len, reply_len;
    memcpy(m.session, r->session.id, 32);
    m.packages.at = r->package; /* lent */
    m.packages.n = r->s->n;
    assert_ok(wire_epoch_deal_encode(&json, &len, &m));
    assert_ok(tell(r, id, "/v1/epoch/deal", json, len, &reply, &reply_len));
    assert_ok(wire_boxes_decode(&r->boxes[id - 1], reply, reply_len));
    assert_int_equal(r->boxes[id - 1].boxes.n, r->s->n);
}

static void finish(struct rogue *r, unsigned id)
{
    struct wire_box boxes[SIM_NODES];
    struct wire_epoch_finish m = { 0 };
    OWNED_MEM char *reply = NULL;
    char *json = NULL;
    size_t len, reply_len;
    memcpy(m.session, r->session.id, 32);
    for (unsigned i = 0; i < r->s->n; i++) {
        boxes[i].node = i + 1;
        memcpy(boxes[i].box, r->boxes[i].boxes.at[id - 1].box,
               sizeof(boxes[i].box));
    }
    m.boxes.at = boxes; /* lent */
    m.boxes.n = r->s->n;
    assert_ok(wire_epoch_finish_encode(&json, &len, &m));
    assert_ok(tell(r, id, "/v1/epoch/finish", json, len, &reply, &reply_len));
    assert_ok(wire_epoch_vote_decode(&r->vote[id - 1], reply, reply_len));
}

void rogue_finish(struct rogue *r)
{
    for (unsigned id = 1; id <= r->s->n; id++)
        deal(r, id);
    for (unsigned id = 1; id <= r->s->n; id++)
        finish(r, id);
}

static void fill_cert(struct rogue *r)
{
    struct wire_cert *c = &r->birth.cert;
    memcpy(c->session, r->session.id, 32);
    memcpy(c->group_key, r->vote[0].group_key, 32);
    memcpy(c->transcript, r->vote[0].transcript, 32);
    c->epoch = r->epoch;
    c->threshold = r->s->n == 5 ? 3 : 2;
    assert_ok(wire_list_new(&c->votes, r->s->n));
    for (unsigned i = 0; i < r->s->n; i++)
        c->votes.at[i] = r->vote[i].vote;
}

/* The root of what these stewards signed, as a signer computes it. */
static void approvals_root(uint8_t out[32], const struct rogue *r)
{
    struct tlog_blob list[8];
    assert_in_range(r->wire.approvals.n, 1, 8);
    for (size_t i = 0; i < r->wire.approvals.n; i++)
        list[i] = (struct tlog_blob){ r->wire.approvals.at[i].p,
                                      r->wire.approvals.at[i].len };
    tlog_approvals_root(out, list, (unsigned)r->wire.approvals.n);
}

void rogue_certify(struct rogue *r, struct tlog_birth *entry)
{
    struct tlog_vote votes[SIM_NODES];
    uint8_t identities[SIM_NODES][32];
    WIRE(session) copy = { 0 };
    fill_cert(r);
    copy_session(&copy, &r->wire);
    r->birth.descriptor = copy.descriptor;
    r->birth.requester = copy.requester;
    r->birth.approvals.at = copy.approvals.at;
    r->birth.approvals.n = copy.approvals.n;
    memset(&copy, 0, sizeof(copy)); /* moved */
    for (unsigned i = 0; i < r->s->n; i++) {
        const struct wire_vote *v = &r->vote[i].vote;
        votes[i].node = (uint16_t)v->node;
        memcpy(votes[i].identity, v->identity, 32);
        memcpy(votes[i].y, v->y, 32);
        memcpy(votes[i].sig, v->sig, 64);
        memcpy(identities[i], v->identity, 32);
    }
    *entry = (struct tlog_birth){ .threshold = r->birth.cert.threshold };
    snprintf(entry->class, sizeof(entry->class), "artifact");
    hash256(entry->key, r->birth.cert.group_key, 32);
    memcpy(entry->session, r->session.id, 32);
    memcpy(entry->policy, r->s->policy_sha256, 32);
    approvals_root(entry->approvals, r);
    tlog_endorsements_root(entry->endorsements, votes, r->s->n);
    tlog_participants(entry->participants, identities, r->s->n);
}

void rogue_log(struct rogue *r, const struct tlog_birth *entry)
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
    assert_ok(sim_log_serve(r->s, ROGUE_ID, "/v1/log/append", (uint8_t *)json,
                            len, &reply, &reply_len));
    assert_ok(wire_appended_decode(&got, reply, reply_len));
    wire_proof_free(&r->birth.proof);
    r->birth.proof = got.proofs.at[0]; /* moved */
    memset(&got.proofs.at[0], 0, sizeof(got.proofs.at[0]));
}

enum rc rogue_activate(struct rogue *r, unsigned id)
{
    OWNED_MEM char *reply = NULL;
    char *json = NULL;
    size_t len, reply_len;
    struct wire_ack ack;
    assert_ok(wire_birth_encode(&json, &len, &r->birth));
    TRY(tell(r, id, "/v1/epoch/activate", json, len, &reply, &reply_len));
    return wire_ack_decode(&ack, reply, reply_len);
}
