/* SPDX-License-Identifier: Apache-2.0 */
#include "azure.h"

#include <openssl/pem.h>

#include "base/enc.h"
#include "base/file.h"
#include "base/hash.h"

#define CLAIMS (32 + ATTEST_REPORT_LEN)

/* ---- the blob ---------------------------------------------------------- */

static void le32(uint8_t *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

/* Azure's layout around a report over this JSON. */
static size_t put_blob(struct azure *a, uint8_t out[AZURE_BLOB_MAX],
                       struct wire_evidence *e, const char *json)
{
    uint8_t data[64] = { 0 };
    uint32_t len = (uint32_t)strlen(json);
    assert_true(CLAIMS + 20 + len <= AZURE_BLOB_MAX);
    hash256(data, json, len);
    assert_ok(attest_guest_report(e, a->guest, data));
    memset(out, 0, AZURE_BLOB_MAX);
    memcpy(out, "HCLA", 4);
    le32(out + 4, 2);
    le32(out + 8, ATTEST_REPORT_LEN);
    le32(out + 12, 2);
    memcpy(out + 32, e->report.p, ATTEST_REPORT_LEN);
    le32(out + CLAIMS, len + 20);
    le32(out + CLAIMS + 4, 1);
    le32(out + CLAIMS + 8, 2);
    le32(out + CLAIMS + 12, 1);
    le32(out + CLAIMS + 16, len);
    memcpy(out + CLAIMS + 20, json, len);
    return CLAIMS + 20 + len;
}

size_t azure_blob(struct azure *a, uint8_t out[AZURE_BLOB_MAX],
                  struct wire_evidence *e, const uint8_t n[256])
{
    char text[400];
    char json[700];
    enc_b64u(text, n, 256);
    snprintf(json, sizeof(json),
             "{\"keys\":[{\"kid\":\"HCLAkPub\",\"key_ops\":[\"sign\"],"
             "\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%s\"}],"
             "\"vm-configuration\":{\"tpm-enabled\":true},"
             "\"user-data\":\"00\"}",
             text);
    return put_blob(a, out, e, json);
}

/* ---- certificates ------------------------------------------------------ */

static void put_pem(char *out, size_t size, const struct simulator *sim,
                    const char *const names[], unsigned n)
{
    BIO *bio = BIO_new(BIO_s_mem());
    for (unsigned i = 0; i < n; i++) {
        char path[128];
        uint8_t *der = NULL;
        size_t len;
        snprintf(path, sizeof(path), "%s/%s", sim->dir, names[i]);
        assert_ok(file_read(&der, &len, path, ATTEST_CERT_MAX));
        const unsigned char *p = der;
        X509 *x = d2i_X509(NULL, &p, (long)len);
        assert_int_equal(PEM_write_bio_X509(bio, x), 1);
        X509_free(x);
        free(der);
    }
    int got = BIO_read(bio, out, (int)size - 1);
    assert_true(got > 0);
    out[got] = '\0';
    BIO_free(bio);
}

/* The JSON string of a PEM text: its only odd character is the line's end. */
static size_t put_string(char *out, const char *text)
{
    char *p = out;
    *p++ = '"';
    for (; *text; text++) {
        if (*text == '\n')
            *p++ = '\\';
        *p++ = *text == '\n' ? 'n' : *text;
    }
    *p++ = '"';
    return (size_t)(p - out);
}

size_t azure_thim(char *out, const char *vcek, const char *chain)
{
    char *p = out;
    p += sprintf(p, "{\"vcekCert\":");
    p += put_string(p, vcek);
    p += sprintf(p, ",\"tcbm\":\"54180000000000AA\",\"certificateChain\":");
    p += put_string(p, chain);
    p += sprintf(p, ",\"cacheControl\":\"86400\"}");
    return (size_t)(p - out);
}

static void put_certs(struct azure *a)
{
    static const char *const vcek[] = { "vcek.der" };
    static const char *const chain[] = { "ask.der", "ark.der" };
    char json[32768];
    put_pem(a->vcek_pem, sizeof(a->vcek_pem), a->sim, vcek, 1);
    put_pem(a->chain_pem, sizeof(a->chain_pem), a->sim, chain, 2);
    size_t len = azure_thim(json, a->vcek_pem, a->chain_pem);
    snprintf(a->certs, sizeof(a->certs), "%s/thim.json", a->tpm.dir);
    assert_ok(file_write(a->certs, json, len, 0600));
}

/* ---- the machine ------------------------------------------------------- */

void azure_start(struct azure *a, const struct simulator *sim)
{
    WIRE(evidence) e = { 0 };
    memset(a, 0, sizeof(*a));
    a->sim = sim;
    assert_ok(attest_guest_open(&a->guest, sim->device));
    swtpm_start(&a->tpm);
    swtpm_ak(&a->tpm, a->ak, 1, true);
    a->blob_len = azure_blob(a, a->blob, &e, a->ak);
    swtpm_blob(&a->tpm, a->blob, sizeof(a->blob)); /* padded, as Azure's is */
    put_certs(a);
    int n = snprintf(a->device, sizeof(a->device), "azure-vtpm:%s,certs=%s",
                     a->tpm.device, a->certs);
    assert_true(n > 0 && (size_t)n < sizeof(a->device));
}

void azure_stop(struct azure *a)
{
    attest_guest_free(a->guest);
    unlink(a->certs);
    swtpm_stop(&a->tpm);
}
