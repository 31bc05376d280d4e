/* SPDX-License-Identifier: Apache-2.0 */
/* From a signature to a bundle that says where in the log it stands. */
#include "cli/sigstore.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "base/hash.h"

#define LOG_MS 10000

/* ---- the log ------------------------------------------------------------ */

static enum rc ask_log(struct wire_rekor *out,
                       const struct sigstore_statement *s, const char *entry,
                       size_t len)
{
    WIRE(export) ask = { 0 };
    OWNED_MEM char *json = NULL;
    size_t json_len;
    struct http_answer a;
    TRY(wire_text_set(&ask.entry, entry, len));
    TRY(wire_blob_set(&ask.statement, s->json, s->len));
    TRY(wire_export_encode(&json, &json_len, &ask));
    TRY(cli_ask(&a, NULL, "/v1/sigstore", json, json_len, LOG_MS));
    enum rc rc = wire_rekor_decode(out, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    return rc;
}

/* ---- is it what it says? ------------------------------------------------ */

static enum rc check_path(const struct wire_rekor *r, const char *entry,
                          size_t len, const char *host,
                          const struct wire_spki *spki)
{
    struct tlog_checkpoint cp;
    struct tlog_path path = { .n = (unsigned)r->path.n };
    struct tlog_hash leaf;
    TRY(tlog_rekor_open(&cp, r->checkpoint.p, r->checkpoint.len, host,
                        spki->spki.p, spki->spki.len));
    for (unsigned i = 0; i < path.n; i++)
        memcpy(path.hash[i].b, r->path.at[i].b, 32);
    tlog_leaf_hash(&leaf, entry, len);
    return tlog_inclusion_check(&path, r->index, cp.size, &leaf, &cp.root);
}

static enum rc check_set(const struct wire_rekor *r, const char *entry,
                         size_t len, const struct wire_spki *spki)
{
    OWNED_MEM char *msg = NULL;
    size_t msg_len;
    uint8_t id[32];
    hash256(id, spki->spki.p, spki->spki.len);
    TRY(tlog_set_message(&msg, &msg_len, entry, len, r->index,
                         (int64_t)r->integrated, id));
    enum rc rc = tlog_p256_verify(spki->spki.p, spki->spki.len, msg, msg_len,
                                  r->set.p, r->set.len);
    return rc == RC_OK ? rc : rc_prefix(rc, "entry timestamp: ");
}

/* As a client will: the bundle is not written before. */
static enum rc check_all(const struct wire_rekor *r, const struct tlog_dsse *d,
                         const char *entry, size_t len,
                         const struct wire_spki *spki)
{
    struct sigstore_leaf leaf;
    char host[TLOG_NAME_MAX];
    uint8_t key[32];
    TRY(sigstore_leaf_read(&leaf, d->cert, d->cert_len));
    TRY(tlog_rekor_host(host, leaf.deployment));
    TRY(check_path(r, entry, len, host, spki));
    TRY(check_set(r, entry, len, spki));
    return tlog_dsse_check(key, d, (int64_t)r->integrated);
}

/* ---- its JSON ----------------------------------------------------------- */

static json_t *b64(const void *p, size_t len)
{
    OWNED_MEM char *out = malloc(ENC_B64_SIZE(len));
    return out ? json_string(enc_b64(out, p, len)) : NULL;
}

static json_t *decimal(uint64_t n)
{
    return json_sprintf("%llu", (unsigned long long)n);
}

static json_t *proof_json(const struct wire_rekor *r)
{
    json_t *hashes = json_array();
    /* verified before: origin, size, root */
    const char *size = strchr(r->checkpoint.p, '\n');
    const char *root = size ? strchr(size + 1, '\n') : NULL;
    const char *end = root ? strchr(root + 1, '\n') : NULL;
    for (size_t i = 0; i < r->path.n; i++)
        json_array_append_new(hashes, b64(r->path.at[i].b, 32));
    if (!end) {
        json_decref(hashes);
        return NULL;
    }
    return json_pack("{s:o, s:s%, s:s%, s:o, s:{s:s}}", "logIndex",
                     decimal(r->index), "rootHash", root + 1,
                     (size_t)(end - root - 1), "treeSize", size + 1,
                     (size_t)(root - size - 1), "hashes", hashes, "checkpoint",
                     "envelope", r->checkpoint.p);
}

static json_t *entry_json(const struct tlog_dsse *d, const struct wire_rekor *r,
                          const uint8_t log_id[32])
{
    char entry[TLOG_ENTRY_MAX + 1];
    size_t len;
    if (tlog_dsse_encode(entry, &len, d) != RC_OK)
        return NULL;
    return json_pack("{s:o, s:{s:o}, s:{s:s, s:s}, s:o, s:o, s:o, s:{s:o}}",
                     "logIndex", decimal(r->index), "logId", "keyId",
                     b64(log_id, 32), "kindVersion", "kind", "dsse", "version",
                     "0.0.1", "integratedTime", decimal(r->integrated),
                     "inclusionProof", proof_json(r), "canonicalizedBody",
                     b64(entry, len), "inclusionPromise",
                     "signedEntryTimestamp", b64(r->set.p, r->set.len));
}

enum rc sigstore_bundle_json(char **json, size_t *len,
                             const struct sigstore_statement *s,
                             const struct tlog_dsse *d,
                             const struct wire_rekor *r,
                             const uint8_t log_id[32])
{
    OWNED(json_t) *o = json_pack(
            "{s:s, s:{s:{s:o}, s:[o]}, s:{s:o, s:s, s:[{s:o}]}}", "mediaType",
            SIGSTORE_BUNDLE, "verificationMaterial", "certificate", "rawBytes",
            b64(d->cert, d->cert_len), "tlogEntries", entry_json(d, r, log_id),
            "dsseEnvelope", "payload", b64(s->json, s->len), "payloadType",
            TLOG_DSSE_TYPE, "signatures", "sig", b64(d->signature, 64));
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    if (!text)
        return rc_raise(RC_NOMEM, "sigstore: out of memory");
    *json = text;
    *len = strlen(text);
    return RC_OK;
}

/* ---- the whole ---------------------------------------------------------- */

/* A leaf without the log's timestamp makes a bundle that asks for a flag. */
static enum rc check_sct(const struct wire_chain *chain,
                         const struct wire_spki *spki)
{
    const struct wire_blob *leaf = &chain->chain.at[0];
    const struct wire_blob *issuer = &chain->chain.at[chain->chain.n - 1];
    enum rc rc = sigstore_sct_check(leaf->p, leaf->len, issuer->p, issuer->len,
                                    spki);
    if (rc != RC_UNKNOWN)
        return rc;
    cli_note("the certificate has no timestamp of the log (SCT): cosign takes "
             "the bundle with --insecure-ignore-sct only");
    return RC_OK;
}

enum rc sigstore_bundle(char **json, size_t *len,
                        const struct sigstore_statement *s,
                        const uint8_t signature[64],
                        const struct wire_chain *chain)
{
    struct tlog_dsse d;
    char entry[TLOG_ENTRY_MAX + 1];
    size_t entry_len;
    uint8_t id[32];
    WIRE(rekor) r = { 0 };
    WIRE(spki) spki = { 0 };
    if (chain->chain.n == 0)
        return rc_raise(RC_ARG, "sigstore: the key has no certificate");
    TRY(tlog_dsse_fill(&d, s->json, s->len, signature, chain->chain.at[0].p,
                       chain->chain.at[0].len));
    TRY(tlog_dsse_encode(entry, &entry_len, &d));
    TRY(sigstore_log_key(&spki));
    TRY(check_sct(chain, &spki));
    TRY(ask_log(&r, s, entry, entry_len));
    TRY(check_all(&r, &d, entry, entry_len, &spki));
    hash256(id, spki.spki.p, spki.spki.len);
    return sigstore_bundle_json(json, len, s, &d, &r, id);
}

enum rc sigstore_sign(struct wire_signed *by, char **json, size_t *len,
                      const char *file, const struct cli_content *content,
                      const char *key, const char *session,
                      const struct wire_chain *chain, int wait_ms)
{
    struct sigstore_statement s = { .json = NULL };
    TRY(sigstore_statement(&s, file, content, chain, session));
    enum rc rc = cli_ask_sign(by, NULL, key, session ? session : "", s.pae,
                              s.pae_len, wait_ms);
    if (rc == RC_OK &&
        crypto_sign_verify_detached(by->signature, s.pae, s.pae_len,
                                    by->group_key) != 0)
        rc = rc_raise(RC_VERIFY, "the sidecar's signature does not verify");
    if (rc == RC_OK)
        rc = sigstore_bundle(json, len, &s, by->signature, chain);
    sigstore_statement_free(&s);
    return rc;
}
