/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's end: hello, evidence, and the guard in front of every
 * HTTP_PEER row. Our evidence goes only to a caller whose certificate was
 * verified in the handshake and whom the policy names. Public data only.
 */
#include "attest/channel_inner.h"

#include <stdio.h>

/* ---- the two calls ----------------------------------------------------- */

static enum rc tls_of(const struct http_tls **out, const struct http_call *call)
{
    *out = http_call_tls(call);
    return *out ? RC_OK
                : rc_raise(RC_AUTH, "attestation needs the peer listener");
}

static enum rc reply_json(struct http_call *call, char *json, size_t len)
{
    enum rc rc = http_reply(call, 200, NULL, json, len);
    free(json);
    return rc;
}

static enum rc session_of(struct attest_session **out, struct http_call *call,
                          struct attest_channel *ch)
{
    struct attest_session *s = http_conn_get(call);
    if (!s) {
        s = attest_session_new(ch);
        if (!s)
            return rc_raise(RC_NOMEM, "attested connection");
        http_conn_set(call, s);
    }
    *out = s;
    return RC_OK;
}

/* Everything that costs nothing comes before the device is asked. */
static enum rc admit_hello(struct wire_hello *hello, struct http_call *call,
                           struct attest_channel *ch,
                           const struct http_tls *tls)
{
    uint8_t hashes[ATTEST_MAX_HASHES][32];
    unsigned n;
    enum attest_role role;
    size_t len;
    const uint8_t *body = http_call_body(call, &len);
    TRY(wire_hello_decode(hello, (const char *)body, len));
    TRY(attest_channel_allowed(ch, tls->peer_uri,
                               http_call_header(call, CHANNEL_HEADER), hashes,
                               &n, &role));
    TRY(attest_channel_first(ch, hello->nonce));
    if (ch->host.peer_head)
        ch->host.peer_head(ch->host.ctx, tls->peer_uri, &hello->policy);
    return RC_OK;
}

enum rc attest_on_hello(struct http_call *call, struct attest_channel *ch)
{
    const struct http_tls *tls = NULL;
    struct attest_session *s = NULL;
    WIRE(hello) hello = { 0 };
    WIRE(hello_reply) reply = { 0 };
    TRY(tls_of(&tls, call));
    TRY(admit_hello(&hello, call, ch, tls));
    TRY(session_of(&s, call, ch));
    TRY(attest_channel_evidence(ch, &reply.evidence, ATTEST_SERVER, tls,
                                hello.nonce));
    TRY(attest_session_nonce(s, reply.nonce));
    if (ch->host.policy_head)
        ch->host.policy_head(ch->host.ctx, &reply.policy);
    char *json;
    size_t len;
    TRY(wire_hello_reply_encode(&json, &len, &reply));
    return reply_json(call, json, len);
}

static enum rc judge_evidence(struct attest_peer *peer, struct http_call *call,
                              struct attest_channel *ch,
                              const struct http_tls *tls,
                              const uint8_t nonce[32])
{
    WIRE(evidence) e = { 0 };
    size_t len;
    const uint8_t *body = http_call_body(call, &len);
    TRY(wire_evidence_decode(&e, (const char *)body, len));
    TRY(attest_channel_judge(ch, peer, &e, ATTEST_CLIENT, tls, nonce));
    return attest_channel_header(peer, http_call_header(call, CHANNEL_HEADER));
}

enum rc attest_on_evidence(struct http_call *call, struct attest_channel *ch)
{
    const struct http_tls *tls = NULL;
    struct attest_session *s = http_conn_get(call);
    struct attest_peer peer;
    uint8_t nonce[32];
    TRY(tls_of(&tls, call));
    if (!s)
        return rc_raise(RC_ATTEST, "evidence without a hello before it");
    /* a policy that changes while we judge leaves the result stale */
    uint64_t epoch = attest_channel_epoch(ch);
    attest_session_drop(s);
    TRY(attest_session_spend(s, nonce));
    TRY(judge_evidence(&peer, call, ch, tls, nonce));
    int64_t left = attest_session_prove(s, &peer, tls->exporter, epoch,
                                        ch->window_ms);
    struct wire_attested done = { .expires_in_s = (uint64_t)left / 1000 };
    char *json;
    size_t len;
    TRY(wire_attested_encode(&json, &len, &done));
    return reply_json(call, json, len);
}

static enum rc hello(struct http_call *call, void *ctx)
{
    return attest_on_hello(call, ctx);
}

static enum rc evidence(struct http_call *call, void *ctx)
{
    return attest_on_evidence(call, ctx);
}

const struct http_route *attest_channel_routes(void)
{
    static const struct http_route rows[] = {
        { "POST", CHANNEL_HELLO, HTTP_CERT, CHANNEL_HELLO_MAX, hello },
        { "POST", CHANNEL_EVIDENCE, HTTP_CERT, CHANNEL_BODY_MAX, evidence },
        { NULL, NULL, HTTP_CERT, 0, NULL },
    };
    return rows;
}

/* ---- the guard --------------------------------------------------------- */

enum rc attest_channel_peer(struct attest_peer *out,
                            const struct http_call *call)
{
    const struct http_tls *tls = http_call_tls(call);
    struct attest_session *s = tls ? http_conn_get(call) : NULL;
    if (!s)
        return rc_raise(RC_ATTEST, "not attested on this connection");
    return attest_session_stands(s, tls->exporter, out);
}

/* An empty set is said before anything else: no hello can help. */
static enum rc not_attested(struct attest_channel *ch,
                            const struct http_call *call, const char *uri,
                            const char *why)
{
    uint8_t hashes[ATTEST_MAX_HASHES][32];
    unsigned n;
    enum attest_role role;
    TRY(attest_channel_allowed(ch, uri, http_call_header(call, CHANNEL_HEADER),
                               hashes, &n, &role));
    enum rc rc = rc_raise(RC_ATTEST, "%s: %s", uri, why);
    rc_hint("attest on this connection first: POST " CHANNEL_HELLO);
    return rc;
}

static enum rc check(struct http_call *call, void *ctx)
{
    const struct http_tls *tls = NULL;
    struct attest_peer peer;
    TRY(tls_of(&tls, call));
    if (attest_channel_peer(&peer, call) != RC_OK) {
        char why[64];
        snprintf(why, sizeof(why), "%s", rc_text());
        return not_attested(ctx, call, tls->peer_uri, why);
    }
    return attest_channel_header(&peer, http_call_header(call, CHANNEL_HEADER));
}

/* Every reply, refusals too: whoever is bound compares it. */
static void reply(struct http_call *call, void *ctx)
{
    const struct attest_channel *ch = ctx;
    if (http_reply_header(call, CHANNEL_HEADER, ch->hash_hex) != RC_OK)
        return; /* the reply goes without, and the peer refuses it */
}

static void conn_free(void *state)
{
    attest_session_free(state);
}

struct http_guard attest_channel_server_guard(struct attest_channel *ch)
{
    return (struct http_guard){
        .check = check, .reply = reply, .conn_free = conn_free, .ctx = ch
    };
}
