/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MpcSigningContext of the leaf (FORMATS section 4), written again from the
 * birth that was judged and compared byte for byte: what the certificate says
 * of session, artifact, participants, approvals and policy is what the log
 * says.
 */
#include "cli/verify_inner.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/hash.h"
#include "ca/ca.h"

OWNED_BY(ASN1_OBJECT, ASN1_OBJECT_free);

#define BODY_MAX (64 + 34 * TLOG_MAX_NODES + 512)

/* DER, written from its end to its beginning: lengths are known then. */
struct der {
    uint8_t at[BODY_MAX];
    size_t from; /* what is written begins here */
    bool full;
};

static void put(struct der *d, const void *p, size_t len)
{
    if (len > d->from) {
        d->full = true;
        return;
    }
    d->from -= len;
    if (len)
        memcpy(d->at + d->from, p, len);
}

/* Tag and length of what was written since `end`. */
static void head(struct der *d, uint8_t tag, size_t end)
{
    size_t len = end - d->from;
    uint8_t b[4] = { tag, (uint8_t)len };
    size_t n = 2;
    if (len > 255) {
        memcpy(b + 1, (uint8_t[]){ 0x82, (uint8_t)(len >> 8), (uint8_t)len },
               3);
        n = 4;
    } else if (len > 127) {
        memcpy(b + 1, (uint8_t[]){ 0x81, (uint8_t)len }, 2);
        n = 3;
    }
    put(d, b, n);
}

static void put_number(struct der *d, uint8_t tag, uint64_t value)
{
    size_t end = d->from;
    bool high = false; /* a leading one bit would be a sign */
    do {
        uint8_t b = (uint8_t)value;
        put(d, &b, 1);
        high = b & 0x80;
        value >>= 8;
    } while (value);
    if (high)
        put(d, "", 1);
    head(d, tag, end);
}

static void put_bytes(struct der *d, uint8_t tag, const void *p, size_t len)
{
    size_t end = d->from;
    put(d, p, len);
    head(d, tag, end);
}

static void put_participants(struct der *d, const struct verify *v)
{
    uint8_t h[TLOG_MAX_NODES][32];
    size_t end = d->from;
    for (unsigned i = 0; i < v->n_votes; i++) {
        uint8_t one[32];
        unsigned at = i;
        hash256(one, v->vote[i].identity, 32);
        for (; at > 0 && memcmp(h[at - 1], one, 32) > 0; at--)
            memcpy(h[at], h[at - 1], 32);
        memcpy(h[at], one, 32);
    }
    for (unsigned i = v->n_votes; i-- > 0;)
        put_bytes(d, V_ASN1_OCTET_STRING, h[i], 32);
    head(d, 0x30, end);
}

static void put_context(struct der *d, const struct verify *v)
{
    const struct tlog_birth *b = &v->birth;
    bool artifact = v->ephemeral && v->born_in.has_artifact;
    size_t end = d->from;
    put_number(d, 0x84, v->bundle.birth.proof.index);
    put_bytes(d, 0x83, v->newest->log.name, strlen(v->newest->log.name));
    put_bytes(d, V_ASN1_OCTET_STRING, b->policy, 32);
    put_bytes(d, V_ASN1_OCTET_STRING, b->approvals, 32);
    put_participants(d, v);
    put_number(d, V_ASN1_INTEGER, v->n_votes);
    put_number(d, V_ASN1_INTEGER, b->threshold);
    if (artifact)
        put_bytes(d, 0x80, v->born_in.artifact_sha256, 32);
    put_bytes(d, V_ASN1_OCTET_STRING, b->session, 32);
    put_number(d, V_ASN1_INTEGER, 1);
    head(d, 0x30, end);
}

enum rc verify_context(const struct verify *v, const X509 *leaf)
{
    struct der d = { .from = BODY_MAX };
    OWNED(ASN1_OBJECT) *oid = OBJ_txt2obj(CA_OID_CONTEXT, 1);
    int at = oid ? X509_get_ext_by_OBJ(leaf, oid, -1) : -1;
    X509_EXTENSION *ext = at >= 0 ? X509_get_ext(leaf, at) : NULL;
    const ASN1_OCTET_STRING *have = ext ? X509_EXTENSION_get_data(ext) : NULL;
    ERR_clear_error();
    if (!v->born)
        return rc_raise(RC_VERIFY, "the key's birth is not believed, which it "
                                   "repeats");
    put_context(&d, v);
    size_t len = BODY_MAX - d.from;
    if (!have || d.full || (size_t)ASN1_STRING_length(have) != len ||
        memcmp(ASN1_STRING_get0_data(have), d.at + d.from, len) != 0)
        return rc_raise(RC_VERIFY, "the leaf says other things of session, "
                                   "participants or approvals than the birth");
    return RC_OK;
}
