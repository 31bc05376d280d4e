/* SPDX-License-Identifier: Apache-2.0 */
/*
 * L2: one more connection between two nodes that hold fresh evidence of each
 * other. Each attestation key signs this connection's exporter, which is new
 * for both ends; the device is not asked and no report is judged. Where the
 * ends do not hold the same, the client goes back to L1. No secret but the
 * attestation key, which stays in the channel.
 */
#include "attest/channel_inner.h"

#include <string.h>

static bool signed_by(const uint8_t signature[64], const struct attest_bond *b,
                      enum attest_end signer, const struct http_tls *tls)
{
    uint8_t said[ATTEST_CONN_LEN];
    /* the other end's signature: it is the signer, we are not */
    bool client = signer == ATTEST_CLIENT;
    attest_conn_said(said, signer, tls->exporter,
                     client ? tls->peer_spki : tls->own_spki,
                     client ? tls->own_spki : tls->peer_spki, b->evidence);
    return crypto_sign_verify_detached(signature, said, sizeof(said),
                                       b->peer.ak) == 0;
}

static void sign(uint8_t signature[64], const struct attest_channel *ch,
                 const struct attest_bond *b, enum attest_end signer,
                 const struct http_tls *tls)
{
    uint8_t said[ATTEST_CONN_LEN];
    bool client = signer == ATTEST_CLIENT;
    attest_conn_said(said, signer, tls->exporter,
                     client ? tls->own_spki : tls->peer_spki,
                     client ? tls->peer_spki : tls->own_spki, b->evidence);
    crypto_sign_detached(signature, NULL, said, sizeof(said), ch->ak_secret);
}

/* Its hash is still one of those allowed: an answer may have changed. */
static enum rc still_allowed(struct attest_channel *ch,
                             const struct attest_bond *b, const char *seen)
{
    uint8_t hashes[ATTEST_MAX_HASHES][32];
    unsigned n;
    enum attest_role role;
    TRY(attest_channel_allowed(ch, b->peer.uri, seen, hashes, &n, &role));
    if (role == b->peer.role && attest_channel_in(b->peer.hash, hashes, n))
        return RC_OK;
    return rc_raise(RC_UNBOUND, "%s: its evidence was judged by another rule",
                    b->peer.uri);
}

/* ---- the client's end -------------------------------------------------- */

/* The signature has its place, and is made when the connection is there. */
static enum rc encode(char **json, size_t *len, struct attest_session *s,
                      const struct http_tls *tls)
{
    struct attest_channel *ch = s->channel;
    struct wire_bind m = { .policy = { 0 } };
    memcpy(m.ak, ch->ak, 32);
    memcpy(m.evidence_id, s->bond.evidence, 32);
    if (tls)
        sign(m.signature, ch, &s->bond, ATTEST_CLIENT, tls);
    if (ch->host.policy_head)
        ch->host.policy_head(ch->host.ctx, &m.policy);
    return wire_bind_encode(json, len, &m);
}

enum rc attest_client_seal(struct attest_session *s, const struct http_tls *tls,
                           void *body, size_t len)
{
    OWNED_MEM char *json = NULL;
    size_t got;
    if (!s->sealing)
        return RC_OK;
    if (memcmp(tls->peer_spki, s->bond.peer_spki, 32) != 0 ||
        memcmp(tls->own_spki, s->bond.own_spki, 32) != 0)
        return rc_raise(RC_UNBOUND, "%s: it has another certificate key now",
                        tls->peer_uri);
    TRY(encode(&json, &got, s, tls));
    if (got != len) /* our policy head grew a digit meanwhile */
        return rc_raise(RC_UNBOUND, "the policy changed while it was bound");
    memcpy(body, json, len);
    memcpy(s->exporter, tls->exporter, 32);
    return RC_OK;
}

static enum rc bound(struct attest_session *s, const struct http_reply_view *r)
{
    struct attest_channel *ch = s->channel;
    const struct http_tls *tls = http_lane_tls(s->lane);
    WIRE(bound) m = { 0 };
    TRY(attest_client_failed(r, http_peer_uri(http_lane_peer(s->lane))));
    TRY(wire_bound_decode(&m, (const char *)r->body, r->body_len));
    if (!tls || sodium_memcmp(tls->exporter, s->exporter, 32) != 0)
        return rc_raise(RC_UNBOUND, "the connection was renewed meanwhile");
    if (!signed_by(m.signature, &s->bond, ATTEST_SERVER, tls))
        return rc_raise(RC_VERIFY,
                        "%s: not its attestation key's signature "
                        "over this connection",
                        tls->peer_uri);
    if (ch->host.peer_head)
        ch->host.peer_head(ch->host.ctx, tls->peer_uri, &m.policy);
    uint64_t in_s = m.expires_in_s < CHANNEL_WINDOW_MAX ? m.expires_in_s
                                                        : CHANNEL_WINDOW_MAX;
    int64_t left;
    return attest_bond_use(s, tls, (int64_t)in_s * 1000, &left);
}

/* Who renews is known by this, and then shows its evidence. */
static bool ends(const struct attest_session *s,
                 const struct http_reply_view *r, enum rc rc)
{
    if (http_lane_renews(s->lane))
        return rc != RC_OK && rc != RC_UNBOUND;
    return rc == RC_OK ||
           (r->rc != RC_OK && r->rc != RC_UNBOUND && r->rc != RC_PARSE);
}

/* Nobody there is no reason to ask for more; all else is. */
static void on_bound(const struct http_reply_view *r, void *arg)
{
    struct attest_session *s = arg;
    s->sealing = false;
    if (!attest_client_resume(s))
        return;
    enum rc rc = bound(s, r);
    if (ends(s, r, rc)) {
        attest_client_end(s, rc);
        return;
    }
    if (rc != RC_OK)
        attest_bond_forget(s->channel, &s->bond);
    memset(&s->bond, 0, sizeof(s->bond));
    attest_client_begin(s);
}

void attest_client_bind(struct attest_session *s)
{
    char *json = NULL;
    size_t len = 0;
    if (still_allowed(s->channel, &s->bond, NULL) != RC_OK ||
        encode(&json, &len, s, NULL) != RC_OK) {
        attest_client_begin(s); /* which says what is wrong */
        return;
    }
    s->sealing = true;
    attest_client_post(s, CHANNEL_BIND, json, len, on_bound);
}

/* ---- the server's end -------------------------------------------------- */

static enum rc judge(struct attest_bond *bond, const struct wire_bind *m,
                     struct http_call *call, struct attest_channel *ch,
                     const struct http_tls *tls)
{
    const char *header = http_call_header_once(call, CHANNEL_HEADER);
    if (!attest_bond_find(ch, bond, tls->peer_uri, m->ak, tls->peer_spki,
                          m->evidence_id) ||
        memcmp(bond->own_spki, tls->own_spki, 32) != 0) {
        enum rc rc = rc_raise(RC_UNBOUND,
                              "%s: this evidence is not known here, or stale",
                              tls->peer_uri);
        rc_hint("attest on this connection: POST " CHANNEL_HELLO);
        return rc;
    }
    TRY(still_allowed(ch, bond, header));
    if (!signed_by(m->signature, bond, ATTEST_CLIENT, tls))
        return rc_raise(RC_ATTEST,
                        "%s: not its attestation key's signature "
                        "over this connection",
                        tls->peer_uri);
    return attest_channel_header(&bond->peer, header);
}

static enum rc take(struct http_call *call, struct attest_channel *ch)
{
    const struct http_tls *tls = NULL;
    struct attest_session *s = NULL;
    WIRE(bind) m = { 0 };
    struct wire_bound out = { .policy = { 0 } };
    struct attest_bond bond;
    size_t len;
    int64_t left;
    const uint8_t *body = http_call_body(call, &len);
    TRY(attest_server_tls(&tls, call));
    TRY(wire_bind_decode(&m, (const char *)body, len));
    TRY(judge(&bond, &m, call, ch, tls));
    TRY(attest_server_session(&s, call, ch));
    s->bond = bond;
    TRY(attest_bond_use(s, tls, ch->window_ms, &left));
    if (ch->host.peer_head)
        ch->host.peer_head(ch->host.ctx, tls->peer_uri, &m.policy);
    sign(out.signature, ch, &bond, ATTEST_SERVER, tls);
    out.expires_in_s = (uint64_t)left / 1000;
    if (ch->host.policy_head)
        ch->host.policy_head(ch->host.ctx, &out.policy);
    char *json;
    TRY(wire_bound_encode(&json, &len, &out));
    return attest_server_reply(call, json, len);
}

enum rc attest_on_bind(struct http_call *call, struct attest_channel *ch)
{
    return attest_server_refused(ch, call, take(call, ch));
}
