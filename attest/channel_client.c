/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's end: binds each fresh connection before a request may use it,
 * by evidence of both ends (here) or by what they hold of each other already
 * (channel_bind.c), and before each request makes sure that it still is that
 * connection. Everything runs in the thread that drives the client. Public
 * data only.
 */
#include "attest/channel_inner.h"

#include <string.h>

#include "base/clock.h"

/* The binding ended; the thread's last error is the reason. */
void attest_client_end(struct attest_session *s, enum rc rc)
{
    if (rc == RC_OK)
        http_peer_renew_at(http_lane_peer(s->lane), attest_bond_due(s),
                           s->bond.expires_ms);
    http_lane_ready(s->lane, rc); /* not RC_OK: frees the session */
}

/* What a reply of the binding failed with, raised again. */
enum rc attest_client_failed(const struct http_reply_view *r, const char *uri)
{
    enum rc rc = RC_OK;
    if (r->rc != RC_OK)
        rc = rc_raise(r->rc, "%s", r->why);
    else if (r->problem != RC_OK)
        rc = rc_raise(r->problem, "%s refuses us: %s", uri, r->why);
    else if (r->status != 200)
        rc = rc_raise(RC_ATTEST, "%s: attestation answered with status %d", uri,
                      r->status);
    if (rc != RC_OK && r->hint && r->hint[0])
        rc_hint("%s", r->hint);
    return rc;
}

/* false: the lane went away while the request ran. */
bool attest_client_resume(struct attest_session *s)
{
    s->pending = false;
    if (s->lane)
        return true;
    attest_session_free(s);
    return false;
}

void attest_client_post(struct attest_session *s, const char *path, char *json,
                        size_t len, http_done *done)
{
    s->pending = true;
    http_lane_send(s->lane, "POST", path, json, len, CHANNEL_BODY_MAX,
                   clock_mono_ms() + CHANNEL_ASK_MS, done, s);
    free(json);
}

/* ---- step 3: the server accepted our evidence -------------------------- */

static enum rc finish(struct attest_session *s, const struct http_reply_view *r)
{
    const char *uri = http_peer_uri(http_lane_peer(s->lane));
    const struct http_tls *tls = http_lane_tls(s->lane);
    WIRE(attested) done = { 0 };
    TRY(attest_client_failed(r, uri));
    TRY(wire_attested_decode(&done, (const char *)r->body, r->body_len));
    if (!tls || sodium_memcmp(tls->exporter, s->exporter, 32) != 0)
        return rc_raise(RC_ATTEST,
                        "%s: the connection was renewed while it "
                        "was bound",
                        uri);
    uint64_t in_s = done.expires_in_s < CHANNEL_WINDOW_MAX ? done.expires_in_s
                                                           : CHANNEL_WINDOW_MAX;
    int64_t left;
    return attest_bond_make(s, tls, (int64_t)in_s * 1000, &left);
}

static void on_attested(const struct http_reply_view *r, void *arg)
{
    struct attest_session *s = arg;
    if (attest_client_resume(s))
        attest_client_end(s, finish(s, r));
}

/* ---- step 2: judge the server, then show ourselves --------------------- */

static enum rc judge(struct attest_session *s, struct wire_hello_reply *reply,
                     const struct http_reply_view *r,
                     const struct http_tls *tls)
{
    struct attest_channel *ch = s->channel;
    uint8_t nonce[32];
    uint8_t theirs[64];
    uint8_t ours[64];
    TRY(wire_hello_reply_decode(reply, (const char *)r->body, r->body_len));
    TRY(attest_session_spend(s, nonce));
    s->bond.epoch = attest_channel_epoch(ch);
    TRY(attest_refused_keep(ch, tls->peer_uri,
                            attest_channel_judge(ch, &s->bond.peer,
                                                 &reply->evidence,
                                                 ATTEST_SERVER, tls, nonce)));
    attest_channel_their_data(ch, theirs, &reply->evidence, ATTEST_SERVER, tls,
                              nonce);
    attest_channel_own_data(ch, ours, ATTEST_CLIENT, tls, reply->nonce);
    attest_pair_id(s->bond.evidence, theirs, ours);
    memcpy(s->exporter, tls->exporter, sizeof(s->exporter));
    if (ch->host.peer_head)
        ch->host.peer_head(ch->host.ctx, tls->peer_uri, &reply->policy);
    return RC_OK;
}

static enum rc answer(struct attest_session *s, const struct http_reply_view *r)
{
    const struct http_tls *tls = http_lane_tls(s->lane);
    WIRE(hello_reply) reply = { 0 };
    uint8_t ours[64];
    const char *uri = http_peer_uri(http_lane_peer(s->lane));
    enum rc rc = attest_client_failed(r, uri);
    if (rc == RC_BUSY) /* by asking for evidence that we refuse? */
        rc = attest_refused_before(s->channel, uri, rc);
    TRY(rc);
    if (!tls)
        return rc_raise(RC_INTERNAL, "attestation without TLS");
    TRY(judge(s, &reply, r, tls));
    attest_channel_own_data(s->channel, ours, ATTEST_CLIENT, tls, reply.nonce);
    TRY(attest_report_later(s, NULL, uri, ours, ATTEST_OURSELVES));
    http_lane_wait(s->lane);
    return RC_OK;
}

static enum rc show(struct attest_session *s, const struct attest_job *ours)
{
    char *json;
    size_t len;
    if (ours->rc != RC_OK) {
        enum rc rc = rc_raise(ours->rc, "%s", ours->why);
        if (ours->hint[0])
            rc_hint("%s", ours->hint);
        return rc;
    }
    TRY(wire_evidence_encode(&json, &len, &ours->evidence));
    attest_client_post(s, CHANNEL_EVIDENCE, json, len, on_attested);
    return RC_OK;
}

/* Our device has answered, perhaps. */
static bool resume(struct http_lane *lane, void *ctx)
{
    (void)ctx;
    struct attest_session *s = http_lane_state(lane);
    struct attest_job *ours = s ? attest_report_take(s) : NULL;
    if (!ours)
        return !s;
    enum rc rc = show(s, ours);
    attest_report_free(ours);
    if (rc != RC_OK)
        attest_client_end(s, rc);
    return true;
}

static void on_hello(const struct http_reply_view *r, void *arg)
{
    struct attest_session *s = arg;
    if (!attest_client_resume(s))
        return;
    enum rc rc = answer(s, r);
    if (rc != RC_OK)
        attest_client_end(s, rc);
}

/* ---- step 1: hello ----------------------------------------------------- */

static enum rc say_hello(struct attest_session *s)
{
    struct attest_channel *ch = s->channel;
    WIRE(hello) hello = { 0 };
    TRY(attest_session_nonce(s, hello.nonce));
    if (ch->host.policy_head)
        ch->host.policy_head(ch->host.ctx, &hello.policy);
    char *json;
    size_t len;
    TRY(wire_hello_encode(&json, &len, &hello));
    attest_client_post(s, CHANNEL_HELLO, json, len, on_hello);
    return RC_OK;
}

void attest_client_begin(struct attest_session *s)
{
    enum rc rc = say_hello(s);
    if (rc != RC_OK)
        attest_client_end(s, rc);
}

static void opened(struct http_lane *lane, void *ctx)
{
    struct attest_session *s = attest_session_new(ctx);
    if (!s) {
        http_lane_ready(lane, rc_raise(RC_NOMEM, "attested connection"));
        return;
    }
    s->lane = lane;
    s->client = true;
    http_lane_state_set(lane, s);
    const char *uri = http_peer_uri(http_lane_peer(lane));
    if (attest_bond_find(ctx, &s->bond, uri, NULL, NULL, NULL))
        attest_client_bind(s);
    else
        attest_client_begin(s);
}

static void closed(struct http_lane *lane, void *state, void *ctx)
{
    (void)lane;
    (void)ctx;
    struct attest_session *s = state;
    attest_report_cancel(s); /* before it could look for the lane */
    s->lane = NULL;
    if (s->pending)
        attest_session_drop(s); /* freed by its request's end */
    else
        attest_session_free(s);
}

/* ---- each request ------------------------------------------------------ */

/* RC_ORDER: bind this connection first. */
static enum rc gate(struct http_lane *lane, const struct http_tls *tls,
                    void *ctx)
{
    (void)ctx;
    struct attest_session *s = http_lane_state(lane);
    struct attest_peer peer;
    if (!s)
        return rc_raise(RC_ORDER, "%s: not attested", tls->peer_uri);
    if (attest_session_stands(s, tls->exporter, &peer) == RC_OK)
        return RC_OK;
    return rc_prefix(RC_ORDER, "%s: ", tls->peer_uri);
}

static enum rc reply(struct http_lane *lane, const char *policy_header,
                     void *ctx)
{
    (void)ctx;
    struct attest_session *s = http_lane_state(lane);
    if (!s)
        return rc_raise(RC_ATTEST, "a reply on an unbound connection");
    if (attest_session_heard(s) != RC_OK) {
        http_lane_unbind(lane); /* a policy came between: ask anew */
        return rc_prefix(RC_ORDER, "a reply: ");
    }
    enum rc rc = attest_channel_header(&s->peer, policy_header);
    if (rc != RC_OK)
        http_lane_unbind(lane);
    return rc;
}

static enum rc seal(struct http_lane *lane, const struct http_tls *tls,
                    void *body, size_t body_len, void *ctx)
{
    (void)ctx;
    struct attest_session *s = http_lane_state(lane);
    return s ? attest_client_seal(s, tls, body, body_len) : RC_OK;
}

static const char *request_header(void *ctx)
{
    const struct attest_channel *ch = ctx;
    return ch->hash_hex;
}

struct http_client_guard attest_channel_client_guard(struct attest_channel *ch)
{
    return (struct http_client_guard){ .opened = opened,
                                       .gate = gate,
                                       .seal = seal,
                                       .reply = reply,
                                       .request_header = request_header,
                                       .resume = resume,
                                       .closed = closed,
                                       .ctx = ch };
}
