/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificate table of the GHCB: entries {GUID[16], u32le offset, u32le
 * length}, ended by a zero one, then the blobs, DER or PEM. It comes from the
 * host, so every number in it is an enemy's. Public data only.
 */
#include "attest/certs.h"

#include <string.h>

#include <openssl/pem.h>

#include "attest/layout.h"

OWNED_BY(BIO, BIO_free_all);
OWNED_BY(X509, X509_free);

#define ENTRY_LEN   24
#define ENTRIES_MAX 32

/* GUIDs in their text's byte order. */
static const uint8_t guids[4][16] = {
    /* VCEK */
    { 0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9,
      0x3b, 0xe8, 0xac, 0xcd },
    /* VLEK */
    { 0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39, 0xc0,
      0x45, 0xa0, 0xb8, 0xa1 },
    /* ASK or ASVK */
    { 0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae,
      0xf3, 0x27, 0xc7, 0x82 },
    /* ARK */
    { 0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6,
      0x01, 0x4c, 0xd0, 0xae },
};
enum slot { VCEK, VLEK, ASK, ARK, N_SLOTS };

struct blob {
    const uint8_t *p;
    size_t len;
};

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

/* Records one entry if it is one of ours. */
static enum rc entry(struct blob found[N_SLOTS], const uint8_t *e,
                     const uint8_t *table, size_t len)
{
    for (unsigned i = 0; i < N_SLOTS; i++) {
        if (memcmp(e, guids[i], 16) != 0)
            continue;
        uint64_t off = le32(e + 16);
        uint64_t size = le32(e + 20);
        if (found[i].p)
            return rc_raise(RC_PARSE, "certificate table: entry %u twice", i);
        if (off > len || size > len - off || size == 0 ||
            size > ATTEST_CERT_MAX)
            return rc_raise(RC_PARSE, "certificate table: entry %u outside", i);
        found[i] = (struct blob){ table + off, size };
        return RC_OK;
    }
    return RC_OK;
}

static enum rc scan(struct blob found[N_SLOTS], const uint8_t *table,
                    size_t len)
{
    static const uint8_t end[ENTRY_LEN] = { 0 };
    for (size_t i = 0; i < ENTRIES_MAX; i++) {
        if (len < (i + 1) * ENTRY_LEN)
            return rc_raise(RC_PARSE, "certificate table: no end");
        const uint8_t *e = table + i * ENTRY_LEN;
        if (memcmp(e, end, ENTRY_LEN) == 0)
            return RC_OK;
        TRY(entry(found, e, table, len));
    }
    return rc_raise(RC_TOO_LARGE, "certificate table: over %u entries",
                    ENTRIES_MAX);
}

static enum rc from_pem(struct wire_blob *out, const struct blob *b)
{
    OWNED(BIO) *bio = BIO_new_mem_buf(b->p, (int)b->len);
    OWNED(X509) *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    unsigned char *der = NULL;
    int len = cert ? i2d_X509(cert, &der) : -1;
    if (len <= 0)
        return rc_raise(RC_PARSE, "certificate table: no certificate in PEM");
    enum rc rc = wire_blob_set(out, der, (size_t)len);
    OPENSSL_free(der);
    return rc;
}

static enum rc take(struct wire_blob *out, const struct blob *b)
{
    if (b->p[0] == '-')
        return from_pem(out, b);
    /* Hosts pad DER blobs to their buffer: the first certificate counts. */
    const unsigned char *p = b->p;
    OWNED(X509) *cert = d2i_X509(NULL, &p, (long)b->len);
    if (!cert)
        return rc_raise(RC_PARSE, "certificate table: no certificate in DER");
    return wire_blob_set(out, b->p, (size_t)(p - b->p));
}

enum rc attest_certs_take(struct wire_evidence *out, const uint8_t *table,
                          size_t len)
{
    struct blob found[N_SLOTS] = { 0 };
    if (!table || len == 0)
        return RC_OK;
    TRY(scan(found, table, len));
    bool vlek = out->report.len == ATTEST_REPORT_LEN &&
                SNP_KEY_SIGNER(le32(out->report.p + SNP_KEY_INFO)) ==
                        SNP_KEY_VLEK;
    const struct blob *vek = &found[vlek ? VLEK : VCEK];
    if (vek->p)
        TRY(take(&out->vek, vek));
    size_t n = (found[ASK].p != NULL) + (found[ARK].p != NULL);
    if (n == 0)
        return RC_OK;
    TRY(wire_list_new(&out->chain, n));
    size_t at = 0;
    for (unsigned i = ASK; i <= ARK; i++) {
        if (found[i].p)
            TRY(take(&out->chain.at[at++], &found[i]));
    }
    return RC_OK;
}
