/* SPDX-License-Identifier: Apache-2.0 */
/* What the provider asks its sidecar: a key, its certificates, a signature. */
#include "provider/inner.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/own.h"

#define KEY_REPLY_MAX    16384
#define CHAIN_REPLY_MAX  (256 * 1024)
#define SIGNED_REPLY_MAX 8192
#define BUNDLE_REPLY_MAX (8u << 20) /* approvals and reports of many nodes */
#define TARGET_SIZE      (32 + WIRE_NAME_MAX + 64)

static int64_t deadline(const struct prov *p)
{
    return clock_mono_ms() + (int64_t)p->timeout_s * 1000;
}

/* Name and session are of alphabets that need no escaping. */
static enum rc get(struct prov_reply *out, const struct prov *p,
                   const char *path, const struct prov_uri *uri,
                   size_t max_reply)
{
    char target[TARGET_SIZE];
    snprintf(target, sizeof(target), "%s%s%s%s", path, uri->name,
             uri->session[0] ? "?session=" : "", uri->session);
    const struct prov_request q = {
        .method = "GET",
        .target = target,
        .max_reply = max_reply,
        .deadline_ms = deadline(p),
    };
    return prov_call(out, p, &q);
}

static enum rc not_ours(enum rc rc, const char *what)
{
    rc = rc_prefix(rc, "sidecar's %s: ", what);
    rc_hint("provider and sidecar are of different versions? see mpcsign "
            "doctor");
    return rc;
}

/* The reply must be about the key that was asked for, and a key that exists. */
static enum rc check_key(const struct wire_key *key, const struct prov_uri *uri)
{
    if (strcmp(key->name, uri->name) != 0)
        return not_ours(rc_raise(RC_PARSE, "names another key"), "answer");
    if (key->epoch > 0)
        return RC_OK;
    enum rc rc = rc_raise(RC_ORDER, "key %s has not been made yet", uri->name);
    rc_hint("mpcsign key create %s", uri->name);
    return rc;
}

enum rc prov_ask_key(struct wire_key *out, const struct prov *p,
                     const struct prov_uri *uri)
{
    struct prov_reply r;
    TRY(get(&r, p, "/v1/key/", uri, KEY_REPLY_MAX));
    OWNED_MEM uint8_t *body = r.body;
    WIRE(key) key = { 0 };
    enum rc rc = wire_key_decode(&key, (const char *)body, r.len);
    if (rc != RC_OK)
        return not_ours(rc, "key");
    TRY(check_key(&key, uri));
    *out = key;
    memset(&key, 0, sizeof(key));
    return RC_OK;
}

enum rc prov_ask_chain(struct wire_chain *out, const struct prov *p,
                       const struct prov_uri *uri)
{
    struct prov_reply r;
    TRY(get(&r, p, "/v1/cert/", uri, CHAIN_REPLY_MAX));
    OWNED_MEM uint8_t *body = r.body;
    enum rc rc = wire_chain_decode(out, (const char *)body, r.len);
    return rc == RC_OK ? RC_OK : not_ours(rc, "certificates");
}

/*
 * The sidecar is told to give up a little before us, so that its own reason
 * arrives instead of our "no answer".
 */
static enum rc sign_json(char **json, size_t *len, const struct prov_key *k)
{
    struct wire_sign m = { .wait_ms = (uint64_t)k->prov->timeout_s * 900 };
    memcpy(m.key, k->name, sizeof(m.key));
    memcpy(m.session, k->session, sizeof(m.session));
    return wire_sign_encode(json, len, &m);
}

static enum rc post_sign(struct prov_reply *out, const struct prov_key *k,
                         const uint8_t *msg, size_t msg_len)
{
    OWNED_MEM char *json = NULL;
    size_t json_len;
    TRY(sign_json(&json, &json_len, k));
    uint8_t prefix[4];
    struct bytes_writer w = bytes_writer(prefix, sizeof(prefix));
    bytes_put_u32(&w, (uint32_t)json_len);
    TRY(bytes_written(&w));
    const struct prov_request q = {
        .method = "POST",
        .target = "/v1/sign",
        .type = "application/octet-stream",
        .body = { { prefix, sizeof(prefix) },
                  { json, json_len },
                  { msg, msg_len } },
        .max_reply = SIGNED_REPLY_MAX,
        .deadline_ms = deadline(k->prov),
    };
    return prov_call(out, k->prov, &q);
}

/* A wrong signature never leaves, whoever made it: 40 us well spent. */
static enum rc check_signed(const struct wire_signed *s,
                            const struct prov_key *k, const uint8_t *msg,
                            size_t msg_len)
{
    enum rc rc = RC_OK;
    if (memcmp(s->group_key, k->pub, sizeof(k->pub)) != 0)
        rc = rc_raise(RC_VERIFY, "sidecar signed with another key than %s had",
                      k->name);
    else if (crypto_sign_verify_detached(s->signature, msg, msg_len, k->pub) !=
             0)
        rc = rc_raise(RC_VERIFY,
                      "sidecar's signature does not verify with key %s",
                      k->name);
    if (rc != RC_OK)
        rc_hint("nothing was returned; load the key again, and see mpcsign "
                "status");
    return rc;
}

static enum rc ask_sign(struct wire_signed *out, const struct prov_key *k,
                        const uint8_t *msg, size_t msg_len)
{
    struct prov_reply r;
    TRY(post_sign(&r, k, msg, msg_len));
    OWNED_MEM uint8_t *body = r.body;
    enum rc rc = wire_signed_decode(out, (const char *)body, r.len);
    if (rc != RC_OK)
        return not_ours(rc, "signature");
    return check_signed(out, k, msg, msg_len);
}

enum rc prov_ask_sign(uint8_t sig[PROV_SIG_LEN], struct prov_key *k,
                      const uint8_t *msg, size_t msg_len)
{
    struct prov_evidence *evidence;
    TRY(prov_evidence_begin(&evidence, k->prov));
    WIRE(signed) s = { 0 };
    enum rc rc = ask_sign(&s, k, msg, msg_len);
    if (rc != RC_OK) {
        prov_evidence_free(evidence);
        return rc;
    }
    TRY(prov_evidence_end(evidence, k, &s));
    memcpy(sig, s.signature, PROV_SIG_LEN);
    return RC_OK;
}

enum rc prov_ask_bundle(struct prov_reply *out, const struct prov *p,
                        const char *session)
{
    char target[TARGET_SIZE];
    snprintf(target, sizeof(target), "/v1/bundle/%s", session);
    const struct prov_request q = {
        .method = "GET",
        .target = target,
        .max_reply = BUNDLE_REPLY_MAX,
        .deadline_ms = deadline(p),
    };
    return prov_call(out, p, &q);
}
