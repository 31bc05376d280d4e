/* SPDX-License-Identifier: Apache-2.0 */
/* mpc-log's rows for attested peers; what is public is in public.c. */
#include "transparency/log.h"

static enum rc on_append(struct http_call *call, void *ctx)
{
    struct log_server *ls = ctx;
    struct attest_peer peer;
    TRY(attest_channel_peer(&peer, call));
    if (peer.role != ATTEST_SIDECAR)
        return rc_raise(RC_AUTH, "append: only sidecars may");
    return log_append(ls->appender, call, peer.uri);
}

static enum rc on_sct(struct http_call *call, void *ctx)
{
    struct log_server *ls = ctx;
    struct attest_peer peer;
    TRY(attest_channel_peer(&peer, call));
    if (peer.role != ATTEST_CA)
        return rc_raise(RC_AUTH, "sct: only the CA may");
    return log_promise_sct(&ls->promise, call);
}

static enum rc on_sigstore(struct http_call *call, void *ctx)
{
    struct log_server *ls = ctx;
    struct attest_peer peer;
    TRY(attest_channel_peer(&peer, call));
    if (peer.role != ATTEST_SIDECAR)
        return rc_raise(RC_AUTH, "append: only sidecars may");
    return log_promise_entry(&ls->promise, ls->appender, call, peer.uri);
}

static enum rc on_sigstore_key(struct http_call *call, void *ctx)
{
    struct log_server *ls = ctx;
    return log_promise_spki(&ls->promise, call);
}

static enum rc on_vkey(struct http_call *call, void *ctx)
{
    struct log_server *ls = ctx;
    return log_on_vkey(call, &ls->public);
}

static enum rc on_policy(struct http_call *call, void *ctx)
{
    struct log_server *ls = ctx;
    return daemon_chain_post(call, ls->chain);
}

static enum rc on_policies(struct http_call *call, void *ctx)
{
    struct log_server *ls = ctx;
    return daemon_chain_get(call, ls->chain);
}

/* clang-format off */
const struct http_route log_peer_routes[] = {
    DAEMON_ATTEST_ROUTES,
    { "POST", "/v1/log/append", HTTP_PEER, 256 * 1024,  on_append },
    { "POST", "/v1/log/sct",    HTTP_PEER, 32 * 1024,   on_sct },
    { "POST", "/v1/log/sigstore", HTTP_PEER, 16 * 1024, on_sigstore },
    { "GET",  "/v1/sigstore/key", HTTP_PEER, 0,         on_sigstore_key },
    { "GET",  "/v1/log/vkey",   HTTP_PEER, 0,           on_vkey },
    { "POST", "/v1/policy",     HTTP_PEER, 1024 * 1024, on_policy },
    { "GET",  "/v1/policy",     HTTP_PEER, 0,           on_policies },
    { 0 },
};
/* clang-format on */
