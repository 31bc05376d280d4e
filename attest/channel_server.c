/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's end: hello, evidence, and the guard in front of every
 * HTTP_PEER row. Our evidence goes only to a caller whose certificate was
 * verified in the handshake and whom the policy names. Public data only.
 */
#include "attest/channel_inner.h"

#include <stdio.h>
#include <string.h>

/* ---- the two calls ----------------------------------------------------- */

enum rc attest_server_tls(const struct http_tls **out,
                          const struct http_call *call)
{
    *out = http_call_tls(call);
    return *out ? RC_OK
                : rc_raise(RC_AUTH, "attestation needs the peer listener");
}

enum rc attest_server_reply(struct http_call *call, char *json, size_t len)
{
    enum rc rc = http_reply(call, 200, NULL, json, len);
    free(json);
    return rc;
}

enum rc attest_server_session(struct attest_session **out,
                              struct http_call *call, struct attest_channel *ch)
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

/* The words survive whatever the host does with them. */
enum rc attest_refused_tell(struct attest_channel *ch, const char *uri,
                            const char *method, const char *path,
                            uint64_t untold, enum rc rc)
{
    if (rc == RC_OK || !ch->host.refused)
        return rc;
    char why[512];
    char hint[256];
    char told[600];
    snprintf(why, sizeof(why), "%s", rc_text());
    snprintf(hint, sizeof(hint), "%s", rc_hint_text());
    snprintf(told, sizeof(told), "%s (and %llu more before, not told)", why,
             (unsigned long long)untold);
    ch->host.refused(ch->host.ctx, uri, method, path, rc, untold ? told : why);
    rc = rc_raise(rc, "%s", why);
    if (hint[0])
        rc_hint("%s", hint);
    return rc;
}

static const char *uri_of(const struct http_call *call)
{
    const struct http_tls *tls = http_call_tls(call);
    return tls ? tls->peer_uri : "?";
}

enum rc attest_server_refused(struct attest_channel *ch,
                              const struct http_call *call, enum rc rc)
{
    uint64_t untold;
    if (rc == RC_OK || !attest_refused_worth(ch, uri_of(call), &untold))
        return rc;
    return attest_refused_tell(ch, uri_of(call), http_call_method(call),
                               http_call_path(call), untold, rc);
}

/* Whoever is attested on this very connection has hellos of its own: none
 * who has but its certificate's key can use them up. */
static enum rc spare(bool *known, struct http_call *call,
                     struct attest_channel *ch, const char *uri)
{
    struct attest_peer peer;
    char ak[ENC_HEX_SIZE(32)];
    *known = attest_channel_peer(&peer, call) == RC_OK;
    return attest_channel_spare(ch, *known ? enc_hex(ak, peer.ak, 32) : uri);
}

/* Everything that costs nothing comes before the device is asked. */
static enum rc admit_hello(struct wire_hello *hello, bool *known,
                           struct http_call *call, struct attest_channel *ch,
                           const struct http_tls *tls)
{
    uint8_t hashes[ATTEST_MAX_HASHES][32];
    unsigned n;
    enum attest_role role;
    size_t len;
    const uint8_t *body = http_call_body(call, &len);
    TRY(wire_hello_decode(hello, (const char *)body, len));
    TRY(attest_channel_allowed(ch, tls->peer_uri,
                               http_call_header_once(call, CHANNEL_HEADER),
                               hashes, &n, &role));
    TRY(attest_channel_first(ch, hello->nonce));
    TRY(spare(known, call, ch, tls->peer_uri));
    if (ch->host.peer_head)
        ch->host.peer_head(ch->host.ctx, tls->peer_uri, &hello->policy);
    return RC_OK;
}

/* Answered when the device has: attest_hello_answer(). */
static enum rc take_hello(struct http_call *call, struct attest_channel *ch)
{
    const struct http_tls *tls = NULL;
    struct attest_session *s = NULL;
    WIRE(hello) hello = { 0 };
    bool known = false;
    TRY(attest_server_tls(&tls, call));
    TRY(admit_hello(&hello, &known, call, ch, tls));
    TRY(attest_server_session(&s, call, ch));
    attest_channel_own_data(ch, s->own_data, ATTEST_SERVER, tls, hello.nonce);
    return attest_report_later(s, call, tls->peer_uri, s->own_data,
                               known ? ATTEST_KNOWN : ATTEST_STRANGER);
}

static enum rc hello_reply(struct attest_job *j,
                           const struct wire_policy_head *head)
{
    WIRE(hello_reply) reply = { 0 };
    char *json;
    size_t len;
    reply.evidence = j->evidence;
    memset(&j->evidence, 0, sizeof(j->evidence));
    reply.policy = *head;
    TRY(attest_session_nonce(j->session, reply.nonce));
    TRY(wire_hello_reply_encode(&json, &len, &reply));
    return attest_server_reply(j->call, json, len);
}

void attest_hello_answer(struct attest_job *j,
                         const struct wire_policy_head *head)
{
    enum rc rc = j->rc == RC_OK ? hello_reply(j, head) : j->rc;
    if (rc != RC_OK && http_reply_problem(j->call, rc) != RC_OK)
        return; /* the server is stopping, and has answered */
}

static enum rc judge_evidence(struct attest_bond *bond, struct http_call *call,
                              struct attest_session *s,
                              const struct http_tls *tls,
                              const uint8_t nonce[32])
{
    struct attest_channel *ch = s->channel;
    uint8_t theirs[64];
    WIRE(evidence) e = { 0 };
    size_t len;
    const uint8_t *body = http_call_body(call, &len);
    TRY(wire_evidence_decode(&e, (const char *)body, len));
    TRY(attest_channel_judge(ch, &bond->peer, &e, ATTEST_CLIENT, tls, nonce));
    attest_channel_their_data(ch, theirs, &e, ATTEST_CLIENT, tls, nonce);
    attest_pair_id(bond->evidence, s->own_data, theirs);
    return attest_channel_header(&bond->peer,
                                 http_call_header_once(call, CHANNEL_HEADER));
}

static enum rc take_evidence(struct http_call *call, struct attest_channel *ch)
{
    const struct http_tls *tls = NULL;
    struct attest_session *s = http_conn_get(call);
    uint8_t nonce[32];
    TRY(attest_server_tls(&tls, call));
    if (!s)
        return rc_raise(RC_ATTEST, "evidence without a hello before it");
    /* a policy that changes while we judge leaves the result stale */
    s->bond.epoch = attest_channel_epoch(ch);
    attest_session_drop(s);
    TRY(attest_session_spend(s, nonce));
    TRY(attest_refused_keep(ch, tls->peer_uri,
                            judge_evidence(&s->bond, call, s, tls, nonce)));
    int64_t left;
    TRY(attest_bond_make(s, tls, ch->window_ms, &left));
    struct wire_attested done = { .expires_in_s = (uint64_t)left / 1000 };
    char *json;
    size_t len;
    TRY(wire_attested_encode(&json, &len, &done));
    return attest_server_reply(call, json, len);
}

enum rc attest_on_hello(struct http_call *call, struct attest_channel *ch)
{
    return attest_server_refused(ch, call, take_hello(call, ch));
}

enum rc attest_on_evidence(struct http_call *call, struct attest_channel *ch)
{
    return attest_server_refused(ch, call, take_evidence(call, ch));
}

static enum rc hello(struct http_call *call, void *ctx)
{
    return attest_on_hello(call, ctx);
}

static enum rc evidence(struct http_call *call, void *ctx)
{
    return attest_on_evidence(call, ctx);
}

static enum rc bind(struct http_call *call, void *ctx)
{
    return attest_on_bind(call, ctx);
}

const struct http_route *attest_channel_routes(void)
{
    static const struct http_route rows[] = {
        { "POST", CHANNEL_HELLO, HTTP_CERT, CHANNEL_HELLO_MAX, hello },
        { "POST", CHANNEL_EVIDENCE, HTTP_CERT, CHANNEL_BODY_MAX, evidence },
        { "POST", CHANNEL_BIND, HTTP_CERT, CHANNEL_BIND_MAX, bind },
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
    TRY(attest_channel_allowed(ch, uri,
                               http_call_header_once(call, CHANNEL_HEADER),
                               hashes, &n, &role));
    enum rc rc = rc_raise(RC_ATTEST, "%s: %s", uri, why);
    rc_hint("attest on this connection first: POST " CHANNEL_HELLO);
    return rc;
}

static enum rc judge_call(struct http_call *call, struct attest_channel *ctx)
{
    const struct http_tls *tls = NULL;
    struct attest_peer peer;
    TRY(attest_server_tls(&tls, call));
    if (attest_channel_peer(&peer, call) != RC_OK) {
        char why[64];
        snprintf(why, sizeof(why), "%s", rc_text());
        return not_attested(ctx, call, tls->peer_uri, why);
    }
    TRY(attest_session_heard(http_conn_get(call)));
    return attest_channel_header(&peer,
                                 http_call_header_once(call, CHANNEL_HEADER));
}

static enum rc check(struct http_call *call, void *ctx)
{
    return attest_server_refused(ctx, call, judge_call(call, ctx));
}

/* It was let in under a policy that is gone by now: the answer is not for it.
 * A window that ended meanwhile is no such reason. */
static enum rc still(struct http_call *call, void *ctx)
{
    struct attest_session *s = http_conn_get(call);
    enum rc rc = s ? attest_session_heard(s)
                   : rc_raise(RC_ATTEST, "not attested on this connection");
    if (rc != RC_OK)
        rc_hint("attest on this connection first: POST " CHANNEL_HELLO);
    return attest_refused_tell(ctx, uri_of(call), http_call_method(call),
                               http_call_path(call), 0, rc); /* each */
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
    return (struct http_guard){ .check = check,
                                .reply = reply,
                                .still = still,
                                .stranger = attest_server_stranger,
                                .conn_free = conn_free,
                                .ctx = ch };
}
