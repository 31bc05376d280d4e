/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signature on its way to the log in Sigstore's form. Only what this node
 * led itself goes there, with a certificate of our own issuer, so an entry of
 * that kind always stands for an intent and a receipt.
 */
#include "sidecar/inner.h"

#include <string.h>

#define LOG_MS 8000

/* ---- is it one of ours? -------------------------------------------------------- */

static const struct seen *find_signature(const struct node *n,
                                         const uint8_t sig[64])
{
    for (unsigned i = 0; i < SEEN_MAX; i++)
        if (n->seen[i].used && memcmp(n->seen[i].signature, sig, 64) == 0)
            return &n->seen[i];
    return NULL;
}

/* Under lock. Where the issuer's key is none of ours (a file, a token), its
 * certificates are not ours to judge. */
static enum rc check_issuer(struct node *n, const struct tlog_dsse *d)
{
    const struct policy *p = policy_chain_head(n->chain);
    enum rc rc = RC_OK;
    for (unsigned i = 0; i < p->n_profiles; i++) {
        const struct key *k = node_key_by_name(n, p->profile[i].name);
        if (p->profile[i].class != POLICY_ISSUER || !k)
            continue;
        rc = tlog_dsse_issued(d, k->group_key);
        if (rc == RC_OK)
            return RC_OK;
    }
    return rc == RC_OK ? rc
                       : rc_raise(rc, "dsse: certificate: not of this "
                                      "cluster's issuer");
}

/* The entry says of this statement what it should, and its key signed it. */
static enum rc check_entry(struct tlog_dsse *d, struct node *n,
                           const struct wire_export *in)
{
    struct tlog_dsse made;
    uint8_t key[32];
    OWNED_MEM uint8_t *pae = NULL;
    size_t len;
    TRY(tlog_dsse_decode(d, in->entry.p, in->entry.len));
    TRY(tlog_dsse_check(key, d, n->w.now_s(n->w.ctx)));
    TRY(tlog_dsse_fill(&made, in->statement.p, in->statement.len, d->signature,
                       d->cert, d->cert_len));
    if (memcmp(made.payload, d->payload, 32) != 0 ||
        memcmp(made.envelope, d->envelope, 32) != 0)
        return rc_raise(RC_VERIFY, "dsse: payloadHash and envelopeHash are not "
                                   "of this statement");
    TRY(tlog_dsse_pae(&pae, &len, in->statement.p, in->statement.len));
    if (crypto_sign_verify_detached(d->signature, pae, len, key) != 0)
        return rc_raise(RC_VERIFY, "dsse: signature: does not verify under "
                                   "the certificate's key");
    return RC_OK;
}

static enum rc check(struct node *n, uint64_t call,
                     const struct wire_export *in)
{
    struct tlog_dsse d;
    struct policy_session session;
    TRY(check_entry(&d, n, in));
    const struct seen *s = find_signature(n, d.signature);
    if (!s) {
        rc_raise(RC_UNKNOWN, "dsse: signature: this node did not lead it "
                             "lately");
        rc_hint("ask the sidecar that led it, soon after signing");
        return RC_UNKNOWN;
    }
    if (policy_session_parse(&session, s->item.session.descriptor.p,
                             s->item.session.descriptor.len) == RC_OK)
        audit_call_session(n, call, session.id);
    node_lock(n);
    enum rc rc = check_issuer(n, &d);
    node_unlock(n);
    return rc;
}

/* ---- to the log and back ------------------------------------------------------- */

static void log_came(struct node *n, void *arg, uint32_t extra, enum rc rc,
                     const uint8_t *body, size_t len)
{
    uint64_t call = *(uint64_t *)arg;
    char *json = NULL;
    (void)extra;
    free(arg);
    if (rc == RC_OK) {
        json = strndup((const char *)body, len);
        if (!json)
            rc = rc_raise(RC_NOMEM, "log: out of memory");
    } else {
        (void)rc_prefix(rc, "log: ");
    }
    node_answer(n, call, rc, json, len);
}

/* body NULL: a GET. */
static void ask_log(struct node *n, uint64_t call, const char *path,
                    const char *body, size_t len)
{
    uint64_t *arg = malloc(sizeof(*arg));
    if (!arg) {
        node_answer(n, call, rc_raise(RC_NOMEM, "log: out of memory"), NULL, 0);
        return;
    }
    *arg = call;
    node_send(n, WORLD_LOG, path, body, len, n->w.now_ms(n->w.ctx) + LOG_MS,
              log_came, arg, 0);
}

void ask_sigstore(struct node *n, uint64_t call, const uint8_t *body,
                  size_t len)
{
    WIRE(export) in = { 0 };
    WIRE(rekor_ask) ask = { 0 };
    OWNED_MEM char *json = NULL;
    size_t json_len = 0;
    enum rc rc = wire_export_decode(&in, (const char *)body, len);
    if (rc == RC_OK)
        rc = check(n, call, &in);
    if (rc == RC_OK)
        rc = wire_text_set(&ask.entry, in.entry.p, in.entry.len);
    if (rc == RC_OK)
        rc = wire_rekor_ask_encode(&json, &json_len, &ask);
    if (rc == RC_OK)
        ask_log(n, call, "/v1/log/sigstore", json, json_len);
    else
        node_answer(n, call, rc, NULL, 0);
}

void ask_sigstore_key(struct node *n, uint64_t call)
{
    ask_log(n, call, "/v1/sigstore/key", NULL, 0);
}
