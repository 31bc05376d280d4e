/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trusted root, version 0.1: our log by both its keys, the same log as the
 * one that SCTs are of, and the threshold CA. Public data.
 */
#include "cli/sigstore.h"

#include <string.h>
#include <time.h>

#include <openssl/err.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/hash.h"

OWNED_BY(X509, X509_free);

enum rc sigstore_log_key(struct wire_spki *out)
{
    struct http_answer a;
    TRY(cli_ask(&a, NULL, "/v1/sigstore/key", NULL, 0, CLI_ASK_MS));
    enum rc rc = wire_spki_decode(out, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    return rc;
}

/* What of the root is told, and since when all of it counts. */
struct about {
    char host[TLOG_NAME_MAX];
    char deployment[TLOG_NAME_MAX];
    char name[128];
    char start[CLOCK_TEXT_SIZE];
};

static enum rc read_root(struct about *out, const void *der, size_t len)
{
    const unsigned char *at = der;
    struct tm tm;
    OWNED(X509) *x = d2i_X509(NULL, &at, (long)len);
    ERR_clear_error();
    if (!x || at != (const unsigned char *)der + len)
        return rc_raise(RC_PARSE, "root: not one certificate, DER");
    if (ASN1_TIME_to_tm(X509_get0_notBefore(x), &tm) != 1 ||
        X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName,
                                  out->name, sizeof(out->name)) <= 0)
        return rc_raise(RC_PARSE, "root: no name or no time");
    clock_text(out->start, (int64_t)timegm(&tm));
    return RC_OK;
}

/* "<deployment>/log" */
static enum rc read_log(struct about *out, const struct tlog_vkey *log)
{
    size_t n = strlen(log->name);
    if (n <= 4 || strcmp(log->name + n - 4, "/log") != 0)
        return rc_raise(RC_ARG, "log: its name is not DEPLOYMENT/log");
    memcpy(out->deployment, log->name, n - 4);
    out->deployment[n - 4] = '\0';
    return tlog_rekor_host(out->host, out->deployment);
}

static json_t *b64(const void *p, size_t len)
{
    OWNED_MEM char *out = malloc(ENC_B64_SIZE(len));
    return out ? json_string(enc_b64(out, p, len)) : NULL;
}

static json_t *log_json(const struct about *a, const void *spki, size_t len,
                        const char *details, const uint8_t id[32])
{
    return json_pack("{s:o, s:s, s:{s:o, s:s, s:{s:s}}, s:{s:o}}", "baseUrl",
                     json_sprintf("https://%s", a->host), "hashAlgorithm",
                     "SHA2_256", "publicKey", "rawBytes", b64(spki, len),
                     "keyDetails", details, "validFor", "start", a->start,
                     "logId", "keyId", b64(id, 32));
}

/* RFC 8410's twelve bytes, and the key; its C2SP id, untruncated. */
static json_t *ed25519_json(const struct about *a, const struct tlog_vkey *v)
{
    static const uint8_t head[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                    0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };
    uint8_t spki[sizeof(head) + 32], id[32];
    const uint8_t lf_type[] = { '\n', TLOG_SIG_ED25519 };
    const struct hash_part parts[] = { { v->name, strlen(v->name) },
                                       { lf_type, sizeof(lf_type) },
                                       { v->key, 32 } };
    hash256_parts(id, parts, 3);
    memcpy(spki, head, sizeof(head));
    memcpy(spki + sizeof(head), v->key, 32);
    return log_json(a, spki, sizeof(spki), "PKIX_ED25519", id);
}

static json_t *ecdsa_json(const struct about *a, const struct wire_spki *spki)
{
    uint8_t id[32];
    hash256(id, spki->spki.p, spki->spki.len);
    return log_json(a, spki->spki.p, spki->spki.len, "PKIX_ECDSA_P256_SHA_256",
                    id);
}

static json_t *ca_json(const struct about *a, const void *root, size_t len)
{
    return json_pack("{s:{s:s, s:s}, s:o, s:{s:[{s:o}]}, s:{s:s}}", "subject",
                     "organization", a->deployment, "commonName", a->name,
                     "uri", json_sprintf("https://ca.%s", a->deployment),
                     "certChain", "certificates", "rawBytes", b64(root, len),
                     "validFor", "start", a->start);
}

enum rc sigstore_trusted_root(char **json, size_t *len,
                              const struct tlog_vkey *log,
                              const struct wire_spki *spki, const void *root,
                              size_t root_len)
{
    struct about a = { .host = "" };
    TRY(read_root(&a, root, root_len));
    TRY(read_log(&a, log));
    OWNED(json_t) *o = json_pack("{s:s, s:[o, o], s:[o], s:[o]}", "mediaType",
                                 SIGSTORE_ROOT, "tlogs", ed25519_json(&a, log),
                                 ecdsa_json(&a, spki), "certificateAuthorities",
                                 ca_json(&a, root, root_len), "ctlogs",
                                 ecdsa_json(&a, spki));
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    if (!text)
        return rc_raise(RC_NOMEM, "trusted root: out of memory");
    *json = text;
    *len = strlen(text);
    return RC_OK;
}
