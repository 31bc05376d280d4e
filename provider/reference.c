/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key references as bytes: the text mpc:NAME or mpc:NAME?session=HEX, alone
 * in its own PEM or inside a PKCS#8 PrivateKeyInfo under our OID, for tools
 * that take files only. Nothing in one is secret: it says which key is meant,
 * and the sidecar's socket says who may use it.
 */
#include "provider/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"

#define PEM_LINE 64

/* ---- PKCS#8 -------------------------------------------------------------- */

/* PrivateKeyInfo up to its algorithm: *body is what follows it. */
static bool ours(struct prov_der *body, bool *only_oid, const uint8_t *p,
                 size_t len)
{
    static const uint8_t oid[] = { 0x2b, 0x06, 0x01, 0x04, 0x01,
                                   0x81, 0xfd, 0x59, 0x01, 0x01 };
    struct prov_der all = { p, len }, version, algorithm, name;
    if (!prov_der_take(body, &all, 0x30) || all.len != 0 ||
        !prov_der_take(&version, body, 0x02) || !prov_der_is(version, "", 1) ||
        !prov_der_take(&algorithm, body, 0x30) ||
        !prov_der_take(&name, &algorithm, 0x06) ||
        !prov_der_is(name, oid, sizeof(oid)))
        return false;
    *only_oid = algorithm.len == 0;
    return true;
}

bool prov_pkcs8_is_ours(const uint8_t *der, size_t len)
{
    struct prov_der body;
    bool only_oid;
    return ours(&body, &only_oid, der, len);
}

enum rc prov_pkcs8_text(const char **text, size_t *text_len, const uint8_t *der,
                        size_t len)
{
    struct prov_der body, content;
    bool only_oid;
    if (!ours(&body, &only_oid, der, len))
        return rc_raise(RC_PARSE, "key file: no PrivateKeyInfo of a key "
                                  "reference");
    if (!only_oid || !prov_der_take(&content, &body, 0x04) || body.len != 0) {
        enum rc rc = rc_raise(RC_PARSE, "key file: PrivateKeyInfo of a key "
                                        "reference holds more than one text");
        rc_hint("write it again: mpcsign key ref NAME --cms");
        return rc;
    }
    *text = (const char *)content.p;
    *text_len = content.len;
    return RC_OK;
}

/* ---- text ---------------------------------------------------------------- */

enum rc prov_ref_parse(struct prov_uri *out, const char *text, size_t len)
{
    char copy[PROV_REF_MAX + 1];
    enum rc rc = RC_OK;
    if (len > PROV_REF_MAX)
        rc = rc_raise(RC_TOO_LARGE, "key reference: %zu bytes, at most %d", len,
                      PROV_REF_MAX);
    else if (memchr(text, '\0', len))
        rc = rc_raise(RC_PARSE, "key reference: has a NUL");
    if (rc != RC_OK) {
        rc_hint("write it again: mpcsign key ref NAME");
        return rc;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    return prov_uri_parse(out, copy);
}

/* A session that came from MPC_SESSION is the process's, not the key's. */
static int text_of(char out[PROV_REF_MAX + 1], const struct prov_key *k)
{
    bool named = k->session[0] && !k->session_by_env;
    return snprintf(out, PROV_REF_MAX + 1, "mpc:%s%s%s", k->name,
                    named ? "?session=" : "", named ? k->session : "");
}

size_t prov_ref_pem(char *out, size_t size, const struct prov_key *k)
{
    char text[PROV_REF_MAX + 1], b64[ENC_B64_SIZE(PROV_REF_MAX)];
    size_t n = 0;
    enc_b64(b64, text, (size_t)text_of(text, k));
#define ADD(...) n += (size_t)snprintf(out + n, size - n, __VA_ARGS__)
    ADD("-----BEGIN " PROV_REF_LABEL "-----\n");
    for (const char *at = b64; *at; at += strnlen(at, PEM_LINE))
        ADD("%.*s\n", PEM_LINE, at);
    ADD("-----END " PROV_REF_LABEL "-----\n");
#undef ADD
    return n;
}
