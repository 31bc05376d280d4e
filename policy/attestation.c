/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attestationObject, the CBOR of a registration: as much of CBOR as the
 * formats "none" and self-attested "packed" are made of, read in place. A
 * general decoder would allocate what the input asks for.
 */
#include "policy/webauthn.h"

#include <string.h>

#include "base/bytes.h"

enum { UINT = 0, NEGATIVE = 1, BYTES = 2, TEXT = 3, MAP = 5 };

/* The head of one item: its major type and number; shortest form only. */
static uint64_t head(struct bytes_reader *r, unsigned *major)
{
    uint8_t first = bytes_get_u8(r), info = first & 0x1f;
    *major = first >> 5;
    uint64_t v = info;
    if (info == 24)
        v = bytes_get_u8(r);
    else if (info == 25)
        v = bytes_get_u16(r);
    else if (info == 26)
        v = bytes_get_u32(r);
    else if (info > 26)
        r->failed = true; /* nothing here is that large, nor indefinite */
    if ((info == 24 && v < 24) || (info == 25 && v <= UINT8_MAX) ||
        (info == 26 && v <= UINT16_MAX))
        r->failed = true;
    return v;
}

static struct policy_part string(struct bytes_reader *r, unsigned want)
{
    unsigned major;
    uint64_t len = head(r, &major);
    if (r->failed || major != want || len > r->left) {
        r->failed = true;
        return (struct policy_part){ NULL, 0 };
    }
    return (struct policy_part){ bytes_take(r, (size_t)len), (size_t)len };
}

static bool is(struct policy_part p, const char *text)
{
    return p.p && p.len == strlen(text) && memcmp(p.p, text, p.len) == 0;
}

/* {} or {alg, sig}; anything more is a chain of some vendor. */
static bool statement(struct policy_attestation *out, struct bytes_reader *r)
{
    unsigned major;
    uint64_t n = head(r, &major);
    if (r->failed || major != MAP || (n != 0 && n != 2))
        return false;
    out->packed = n == 2;
    bool alg = false;
    for (uint64_t i = 0; i < n && !r->failed; i++) {
        struct policy_part key = string(r, TEXT);
        if (is(key, "alg") && !alg) {
            uint64_t v = head(r, &major);
            out->alg = major == NEGATIVE ? -1 - (int64_t)v : 0;
            alg = true;
        } else if (is(key, "sig") && !out->signature.p) {
            out->signature = string(r, BYTES);
        } else {
            return false;
        }
    }
    return !r->failed && (n == 0 || (alg && out->signature.p));
}

static enum rc no_form(void)
{
    return rc_raise(RC_PARSE, "enrol_attestation: want CBOR of fmt, attStmt "
                              "and authData");
}

static enum rc no_statement(void)
{
    enum rc rc = rc_raise(RC_POLICY,
                          "enrol_attestation: want format none or packed by "
                          "the key itself, vendors' chains are not judged");
    rc_hint("register with attestation \"none\"");
    return rc;
}

enum rc policy_attestation_parse(struct policy_attestation *out,
                                 struct policy_part object)
{
    struct policy_attestation a = { 0 };
    struct policy_part fmt = { 0 };
    bool stmt = false;
    if (object.len > POLICY_ATTESTATION_MAX)
        return rc_raise(RC_TOO_LARGE,
                        "enrol_attestation: %zu bytes, at most %d", object.len,
                        POLICY_ATTESTATION_MAX);
    struct bytes_reader r = bytes_reader(object.p, object.len);
    unsigned major;
    if (head(&r, &major) != 3 || major != MAP || r.failed)
        return no_form();
    for (unsigned i = 0; i < 3; i++) {
        struct policy_part key = string(&r, TEXT);
        if (is(key, "fmt") && !fmt.p)
            fmt = string(&r, TEXT);
        else if (is(key, "authData") && !a.auth_data.p)
            a.auth_data = string(&r, BYTES);
        else if (is(key, "attStmt") && !stmt)
            stmt = true;
        else
            return no_form();
        if (is(key, "attStmt") && !statement(&a, &r))
            return no_statement();
    }
    if (bytes_end(&r, "enrol_attestation") != RC_OK)
        return no_form();
    if (!is(fmt, a.packed ? "packed" : "none"))
        return no_statement();
    *out = a;
    return RC_OK;
}
