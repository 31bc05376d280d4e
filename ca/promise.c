/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log's SCT for a leaf about to be signed: one call, made before the
 * round. A log that cannot be reached, or that has no key for it, costs the
 * leaf its SCT; one that was asked and refuses, the leaf. Public data.
 */
#include "ca/server.h"

#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "ca/inner.h"

#define ASK_MS   2000
#define PAUSE_MS 5000 /* a log that does not answer is let alone so long */
#define LANES    1

enum rc ca_promise_open(struct ca_server *ca)
{
    const char *url = conf_get(ca->d.conf, "log_url");
    if (!url || !*url)
        return RC_OK; /* leaves without an SCT */
    struct http_client_guard guard = attest_channel_client_guard(ca->d.channel);
    const struct policy_chain *chain = daemon_chain_lock(ca->chain);
    char uri[HTTP_URI_MAX];
    snprintf(uri, sizeof(uri), "%s",
             policy_chain_head(chain)->service[POLICY_LOG]);
    daemon_chain_unlock(ca->chain);
    TRY(http_client_new(&ca->client, &ca->d.client_tls, &guard));
    return http_peer_new(&ca->log, ca->client, url, uri, LANES);
}

void ca_promise_close(struct ca_server *ca)
{
    http_peer_free(TAKE(ca->log));
    http_client_free(TAKE(ca->client));
}

/* H of its SubjectPublicKeyInfo, as RFC 6962 section 3.2 names an issuer. */
static enum rc issuer_hash(uint8_t out[32], const uint8_t *root, size_t len)
{
    const uint8_t *at = root;
    uint8_t spki[128], *end = spki;
    OWNED(X509) *x = d2i_X509(NULL, &at, (long)len);
    X509_PUBKEY *pub = x ? X509_get_X509_PUBKEY(x) : NULL;
    int n = pub ? i2d_X509_PUBKEY(pub, NULL) : -1;
    if (n <= 0 || n > (int)sizeof(spki))
        return ca_ssl_raise(RC_PARSE, "issuer: its public key");
    (void)i2d_X509_PUBKEY(pub, &end);
    hash256(out, spki, (size_t)n);
    return RC_OK;
}

/* One at a time: the client is driven by who asks. */
static enum rc ask(struct wire_sct *out, struct ca_server *ca, const char *json,
                   size_t len)
{
    struct http_answer got;
    pthread_mutex_lock(&ca->asking);
    int64_t now = clock_mono_ms();
    bool paused = now < ca->log_pause_ms;
    enum rc rc = paused ? rc_raise(RC_UNREACHABLE, "log: no answer lately")
                        : http_ask(&got, ca->log, "POST", "/v1/log/sct", json,
                                   len, CA_DER_MAX, now + ASK_MS);
    bool down = rc == RC_UNREACHABLE || rc == RC_TIMEOUT;
    if (down && !paused)
        ca->log_pause_ms = clock_mono_ms() + PAUSE_MS;
    pthread_mutex_unlock(&ca->asking);
    TRY(rc);
    rc = wire_sct_decode(out, (const char *)got.body, got.body_len);
    http_answer_free(&got);
    return rc;
}

/* Says that it goes without, and why, when that changes. */
static enum rc without(struct ca_server *ca, enum rc rc)
{
    pthread_mutex_lock(&ca->lock);
    bool news = ca->sct_last != rc;
    ca->sct_last = rc;
    pthread_mutex_unlock(&ca->lock);
    if (news && rc != RC_OK)
        log_rc(LOG_WARN, "ca.no_sct", rc);
    if (news && rc == RC_OK)
        log_info("ca.sct", "leaves carry the log's SCT");
    return RC_OK;
}

enum rc ca_promise_get(struct ca_server *ca, uint8_t tbs[CA_DER_MAX],
                       size_t *tbs_len, const uint8_t *root, size_t root_len,
                       bool *log_down)
{
    WIRE(sct_ask) in = { 0 };
    WIRE(sct) out = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    uint8_t whole[CA_DER_MAX];
    *log_down = false;
    if (!ca->log)
        return RC_OK;
    TRY(issuer_hash(in.issuer_key_hash, root, root_len));
    TRY(wire_blob_set(&in.tbs, tbs, *tbs_len));
    TRY(wire_sct_ask_encode(&json, &len, &in));
    enum rc rc = ask(&out, ca, json, len);
    *log_down = rc == RC_UNREACHABLE || rc == RC_TIMEOUT;
    if (*log_down || rc == RC_UNKNOWN) /* unknown: that log has no such key */
        return without(ca, rc);
    if (rc == RC_OK)
        rc = ca_tbs_promise(whole, &len, tbs, *tbs_len, out.list.p,
                            out.list.len);
    if (rc != RC_OK)
        return rc_prefix(rc, "the log's SCT: ");
    memcpy(tbs, whole, len);
    *tbs_len = len;
    return without(ca, RC_OK);
}
