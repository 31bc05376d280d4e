/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the sidecar is and how long to wait: environment, then the provider's
 * section of openssl.cnf, then the default. Read once, when loaded; a setuid
 * host has no say by environment (secure_getenv).
 */
#include "provider/inner.h"

#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"

#define TIMEOUT_DEFAULT_S 10
#define TIMEOUT_MAX_S     3600

/* NULL where the section does not say. */
static const char *configured(const struct prov *p, const char *key)
{
    char *value = NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_ptr(key, &value, 0),
        OSSL_PARAM_construct_end(),
    };
    if (!p->core.get_params || !p->core.get_params(p->handle, params) ||
        !OSSL_PARAM_modified(params))
        return NULL;
    return value;
}

/* One of the list's, between commas: " unix:/run/a.sock" */
static enum rc add_sidecar(struct prov *p, const char *from, const char *at,
                           size_t len)
{
    size_t have = strlen(p->sidecar);
    for (; len > 0 && *at == ' '; len--)
        at++;
    while (len > 0 && at[len - 1] == ' ')
        len--;
    if (len > 5 && memcmp(at, "unix:", 5) == 0) {
        at += 5;
        len -= 5;
    }
    if (len == 0 || len >= PROV_PATH_SIZE)
        return rc_raise(RC_PARSE, "%s: socket path of %zu bytes, want 1..%d",
                        from, len, PROV_PATH_SIZE - 1);
    if (have + len + 2 > sizeof(p->sidecar))
        return rc_raise(RC_PARSE, "%s: over %zu bytes of socket paths", from,
                        sizeof(p->sidecar) - 1);
    if (have)
        p->sidecar[have++] = ',';
    memcpy(p->sidecar + have, at, len);
    p->sidecar[have + len] = '\0';
    return RC_OK;
}

static enum rc add_sidecars(struct prov *p, const char *from, const char *list)
{
    p->sidecar[0] = '\0';
    for (;;) {
        size_t len = strcspn(list, ",");
        TRY(add_sidecar(p, from, list, len));
        if (!list[len])
            return RC_OK;
        list += len + 1;
    }
}

static enum rc set_sidecar(struct prov *p)
{
    const char *from = "MPC_SIDECAR";
    const char *path = secure_getenv(from);
    if (!path || !path[0]) {
        from = "sidecar";
        path = configured(p, from);
    }
    if (!path)
        path = PROV_SIDECAR_DEFAULT;
    return add_sidecars(p, from, path);
}

static enum rc set_timeout(struct prov *p)
{
    const char *text = secure_getenv("MPC_TIMEOUT");
    uint64_t s = TIMEOUT_DEFAULT_S;
    if (!text || !text[0])
        text = configured(p, "timeout");
    if (text && (enc_undec(&s, text, strlen(text)) != RC_OK || s < 1 ||
                 s > TIMEOUT_MAX_S))
        return rc_raise(RC_PARSE, "timeout: want seconds, 1..%d",
                        TIMEOUT_MAX_S);
    p->timeout_s = (unsigned)s;
    return RC_OK;
}

/* yes or no, and nothing that could be meant as either; no where unsaid. */
static enum rc set_switch(bool *out, const struct prov *p, const char *key)
{
    const char *text = configured(p, key);
    *out = text && strcmp(text, "yes") == 0;
    if (!text || *out || strcmp(text, "no") == 0)
        return RC_OK;
    return rc_raise(RC_PARSE, "%s: want yes or no", key);
}

/*
 * TEE_POLICY_HASH goes into a header, so only what a list of hashes is made
 * of may pass. Set but empty allows no measurement at all: that is refused
 * here rather than read as "no opinion".
 */
static enum rc set_want(struct prov *p)
{
    const char *want = secure_getenv("TEE_POLICY_HASH");
    if (!want)
        return RC_OK;
    size_t len = strlen(want);
    if (len == 0 || len >= sizeof(p->want) ||
        strspn(want, "0123456789abcdefABCDEF, ") != len)
        return rc_raise(RC_POLICY_HASH,
                        "TEE_POLICY_HASH: %zu bytes, want 64 hex digits, "
                        "several with commas, at most %zu bytes",
                        len, sizeof(p->want) - 1);
    memcpy(p->want, want, len + 1);
    return RC_OK;
}

/* Absolute: where a server's worker is at home is nobody's guess. */
static enum rc set_evidence_dir(struct prov *p)
{
    const char *path = configured(p, "evidence-dir");
    size_t len = path ? strlen(path) : 0;
    if (!path)
        return RC_OK;
    if (path[0] != '/' || len >= sizeof(p->evidence_dir))
        return rc_raise(RC_PARSE,
                        "evidence-dir: want an absolute path of at "
                        "most %zu bytes",
                        sizeof(p->evidence_dir) - 1);
    memcpy(p->evidence_dir, path, len + 1);
    return RC_OK;
}

static enum rc read_all(struct prov *p)
{
    TRY(set_sidecar(p));
    TRY(set_timeout(p));
    TRY(set_switch(&p->legacy_bridge, p, "legacy-bridge"));
    TRY(set_switch(&p->decode_public, p, "decode-public-keys"));
    TRY(set_evidence_dir(p));
    return set_want(p);
}

void prov_settings(struct prov *p)
{
    p->unusable = read_all(p);
    if (p->unusable != RC_OK)
        snprintf(p->why, sizeof(p->why), "%s", rc_text());
}

enum rc prov_usable(const struct prov *p)
{
    if (p->unusable == RC_OK)
        return RC_OK;
    enum rc rc = rc_raise(p->unusable, "%s", p->why);
    rc_hint("correct the environment, or the provider's section of "
            "openssl.cnf");
    return rc;
}
