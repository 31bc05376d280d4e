/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpc-ca's rows: sidecars ask for leaves, hand in the root and tell it policy
 * versions; the root is for everybody.
 */
#include <string.h>

#include <openssl/bio.h>
#include <openssl/pem.h>

#include "base/clock.h"
#include "base/log.h"
#include "ca/inner.h"
#include "ca/server.h"

OWNED_BY(BIO, BIO_free_all);

#define ISSUE_MAX (1024 * 1024) /* a birth: votes of 128 nodes, 32 records */
#define ROOT_MAX  (2 * CA_DER_MAX)

static enum rc sidecar_only(struct attest_peer *peer, struct http_call *call,
                            const char *what)
{
    TRY(attest_channel_peer(peer, call));
    return peer->role == ATTEST_SIDECAR
                   ? RC_OK
                   : rc_raise(RC_AUTH, "%s: only sidecars may", what);
}

static enum rc reply(struct http_call *call, const struct wire_chain *out)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    TRY(wire_chain_encode(&json, &len, out));
    return http_reply(call, 200, NULL, json, len);
}

static enum rc on_issue(struct http_call *call, void *ctx)
{
    struct ca_server *ca = ctx;
    struct attest_peer peer;
    TRY(sidecar_only(&peer, call, "issue"));
    size_t body_len;
    const uint8_t *body = http_call_body(call, &body_len);
    WIRE(issue) in = { 0 };
    WIRE(chain) out = { 0 };
    bool fresh;
    int64_t began = clock_mono_ms();
    TRY(wire_issue_decode(&in, (const char *)body, body_len));
    enum rc rc = ca_serve_leaf(&out, &fresh, ca, &in);
    if (rc != RC_OK) {
        log_rc(LOG_WARN, "ca.refused", rc);
        return rc;
    }
    log_info("ca.issued", "profile=%s birth=%llu fresh=%s ms=%lld peer=%s",
             in.profile, (unsigned long long)in.birth.proof.index,
             fresh ? "yes" : "no", (long long)(clock_mono_ms() - began),
             peer.uri);
    return reply(call, &out);
}

static enum rc on_root(struct http_call *call, void *ctx)
{
    struct ca_server *ca = ctx;
    struct attest_peer peer;
    WIRE(chain) in = { 0 };
    WIRE(chain) out = { 0 };
    size_t body_len;
    TRY(sidecar_only(&peer, call, "root"));
    const uint8_t *body = http_call_body(call, &body_len);
    TRY(wire_chain_decode(&in, (const char *)body, body_len));
    TRY(ca_serve_take(&out, ca, &in));
    return reply(call, &out);
}

static enum rc on_chain(struct http_call *call, void *ctx)
{
    WIRE(chain) out = { 0 };
    TRY(ca_serve_root(&out, ctx));
    return reply(call, &out);
}

static enum rc on_policy(struct http_call *call, void *ctx)
{
    struct ca_server *ca = ctx;
    return daemon_chain_post(call, ca->chain);
}

/* ---- without a certificate: the root is public ---------------------------- */

static enum rc on_pem(struct http_call *call, void *ctx)
{
    WIRE(chain) out = { 0 };
    TRY(ca_serve_root(&out, ctx));
    const uint8_t *at = out.chain.at[0].p;
    char *pem = NULL;
    OWNED(X509) *x = d2i_X509(NULL, &at, (long)out.chain.at[0].len);
    OWNED(BIO) *bio = BIO_new(BIO_s_mem());
    if (!x || !bio || PEM_write_bio_X509(bio, x) != 1)
        return ca_ssl_raise(RC_INTERNAL, "root");
    long len = BIO_get_mem_data(bio, &pem);
    return http_reply(call, 200, "application/x-pem-file", pem, (size_t)len);
}

static enum rc on_der(struct http_call *call, void *ctx)
{
    WIRE(chain) out = { 0 };
    TRY(ca_serve_root(&out, ctx));
    return http_reply(call, 200, "application/pkix-cert", out.chain.at[0].p,
                      out.chain.at[0].len);
}

/* clang-format off */
const struct http_route ca_peer_routes[] = {
    DAEMON_ATTEST_ROUTES,
    { "POST", "/v1/ca/issue", HTTP_PEER, ISSUE_MAX,   on_issue },
    { "POST", "/v1/ca/root",  HTTP_PEER, ROOT_MAX,    on_root },
    { "GET",  "/v1/ca/chain", HTTP_PEER, 0,           on_chain },
    { "POST", "/v1/policy",   HTTP_PEER, 1024 * 1024, on_policy },
    { 0 },
};
const struct http_route ca_public_routes[] = {
    { "GET", "/ca.pem",      HTTP_PUBLIC, 0, on_pem },
    { "GET", "/ca.der",      HTTP_PUBLIC, 0, on_der },
    { "GET", "/v1/ca/chain", HTTP_PUBLIC, 0, on_chain },
    { 0 },
};
/* clang-format on */
