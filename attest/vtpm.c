/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Azure's guest backend over TPM 2.0. The paravisor keeps the HCL blob at an
 * NV index and the vTPM's attestation key at a persistent handle (both numbers
 * as Azure's own guest tools have them). Nothing a TPM says is believed here:
 * sizes are bounded, the key is compared with the blob's, the quote is read
 * back; whether any of it is genuine is the verifier's to say.
 *
 * Each report connects anew, so that no descriptor outlives it and others can
 * use the TPM meanwhile.
 */
#include "attest/vtpm.h"

#include <stdio.h>
#include <string.h>

#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_tcti_device.h>
#ifdef MPC_SIMULATED_TEE
#include <tss2/tss2_tcti_swtpm.h>
#endif

#include "attest/inner.h"

#define DEVICE    "device:/dev/tpmrm0"
#define CERTS     "/etc/mpc/thim.json"
#define CONF_MAX  256
#define PATH_LEN  512
#define CHUNK_MIN 64   /* of NV: no TPM takes less at once */
#define CHUNK     512  /* where a TPM does not say */
#define PCRS      0xFF /* 0..7: what firmware, loader and boot policy measured */
#define FMT1      (TPM2_RC_FMT1 | 0x3F) /* a response code without its place */
#define NO        ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE
#define EMPTY     ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE /* password */

/* What libtss2 hands out is one block without pointers. */
static void free_tss(void *p)
{
    Esys_Free(*(void **)p);
}
#define OWNED_TSS __attribute__((cleanup(free_tss)))

typedef TSS2_RC tcti_init(TSS2_TCTI_CONTEXT *, size_t *, const char *);
struct attest_vtpm {
    tcti_init *init;
    char conf[CONF_MAX];
    char certs[PATH_LEN];
};
/* One connection, for one report. */
struct tpm {
    TSS2_TCTI_CONTEXT *tcti;
    ESYS_CONTEXT *esys;
};

static enum rc failed(TSS2_RC r, const char *what)
{
    return rc_raise(RC_IO, "vTPM: %s: response code 0x%x", what, r);
}

/* ---- which TPM --------------------------------------------------------- */

static enum rc no_such_tpm(void)
{
    enum rc rc = rc_raise(RC_ARG, "azure-vtpm: this build knows no such TPM");
    rc_hint("azure-vtpm, azure-vtpm:certs=FILE, "
            "azure-vtpm:device:/dev/tpmrm0,certs=FILE"
#ifdef MPC_SIMULATED_TEE
            ", azure-vtpm:swtpm:path=SOCKET,certs=FILE"
#endif
    );
    return rc;
}

static enum rc put(char *out, size_t size, const char *text, size_t len)
{
    if (len >= size)
        return rc_raise(RC_ARG, "azure-vtpm: %zu bytes, at most %zu", len,
                        size - 1);
    memcpy(out, text, len);
    out[len] = '\0';
    return RC_OK;
}

static enum rc choose(struct attest_vtpm *v, bool *simulated, const char *tcti,
                      size_t len)
{
    *simulated = false;
    if (strncmp(tcti, "device:/", 8) == 0) {
        v->init = Tss2_Tcti_Device_Init;
        return put(v->conf, sizeof(v->conf), tcti + 7, len - 7);
    }
#ifdef MPC_SIMULATED_TEE
    if (strncmp(tcti, "swtpm:", 6) == 0) {
        *simulated = true;
        v->init = Tss2_Tcti_Swtpm_Init;
        return put(v->conf, sizeof(v->conf), tcti + 6, len - 6);
    }
#endif
    return no_such_tpm();
}

/* Where the certificates are; before them so much says which TPM. */
static const char *split(size_t *len, const char *device)
{
    if (strncmp(device, "certs=", 6) == 0) {
        *len = 0;
        return device + 6;
    }
    const char *at = strstr(device, ",certs=");
    *len = at ? (size_t)(at - device) : strlen(device);
    return at ? at + 7 : CERTS;
}

enum rc attest_vtpm_open(struct attest_vtpm **out, bool *simulated,
                         const char *device)
{
    OWNED_MEM struct attest_vtpm *v = calloc(1, sizeof(*v));
    if (!v)
        return rc_raise(RC_NOMEM, "azure-vtpm: out of memory");
    size_t len;
    const char *certs = split(&len, device);
    if (len == 0) {
        device = DEVICE;
        len = strlen(DEVICE);
    }
    TRY(put(v->certs, sizeof(v->certs), certs, strlen(certs)));
    TRY(choose(v, simulated, device, len));
    /* what we say of a TPM is in our errors; libtss2 need not say it too */
    setenv("TSS2_LOG", "all+NONE", 0);
    *out = TAKE(v);
    return RC_OK;
}

void attest_vtpm_close(struct attest_vtpm *v)
{
    free(v);
}

/* ---- connecting -------------------------------------------------------- */

static void disconnect(struct tpm *t)
{
    Esys_Finalize(&t->esys);
    if (t->tcti && TSS2_TCTI_FINALIZE(t->tcti))
        Tss2_Tcti_Finalize(t->tcti);
    free(t->tcti);
}
#define CONNECTION __attribute__((cleanup(disconnect))) struct tpm

static enum rc unreachable(const struct attest_vtpm *v, TSS2_RC r)
{
    enum rc rc = rc_raise(RC_IO, "vTPM: %s: cannot be reached, code 0x%x",
                          v->conf, r);
    rc_hint("run in an Azure confidential VM, and let this user read and "
            "write the device (group tss)");
    return rc;
}

static enum rc connect_tpm(struct tpm *t, const struct attest_vtpm *v)
{
    size_t size = 0;
    TSS2_RC r = v->init(NULL, &size, v->conf);
    if (r != TSS2_RC_SUCCESS)
        return unreachable(v, r);
    OWNED_MEM TSS2_TCTI_CONTEXT *tcti = calloc(1, size);
    if (!tcti)
        return rc_raise(RC_NOMEM, "vTPM: out of memory");
    r = v->init(tcti, &size, v->conf);
    if (r != TSS2_RC_SUCCESS)
        return unreachable(v, r);
    t->tcti = TAKE(tcti);
    r = Esys_Initialize(&t->esys, t->tcti, NULL);
    return r == TSS2_RC_SUCCESS ? RC_OK : failed(r, "ESAPI");
}

/* ---- the blob ---------------------------------------------------------- */

/* An object's handle in ESAPI's numbers; it reads the public part along. */
static enum rc find(ESYS_TR *out, struct tpm *t, TPM2_HANDLE handle,
                    const char *what)
{
    TSS2_RC r = Esys_TR_FromTPMPublic(t->esys, handle, NO, out);
    if (r == TSS2_RC_SUCCESS)
        return RC_OK;
    if ((r & FMT1) != TPM2_RC_HANDLE)
        return failed(r, what);
    enum rc rc = rc_raise(RC_UNKNOWN, "vTPM: 0x%08x: there is no %s", handle,
                          what);
    rc_hint("only an Azure confidential VM's vTPM has it");
    return rc;
}

static enum rc blob_size(size_t *out, struct tpm *t, ESYS_TR nv, size_t max)
{
    OWNED_TSS TPM2B_NV_PUBLIC *pub = NULL;
    TSS2_RC r = Esys_NV_ReadPublic(t->esys, nv, NO, &pub, NULL);
    if (r != TSS2_RC_SUCCESS)
        return failed(r, "NV_ReadPublic");
    size_t size = pub->nvPublic.dataSize;
    if (size == 0 || size > max)
        return rc_raise(RC_TOO_LARGE,
                        "vTPM: NV index of %zu bytes, want 1 to %zu", size,
                        max);
    *out = size;
    return RC_OK;
}

/* The most bytes of NV this TPM gives at once. */
static uint16_t chunk_size(struct tpm *t)
{
    OWNED_TSS TPMS_CAPABILITY_DATA *got = NULL;
    TPMI_YES_NO more;
    TSS2_RC r = Esys_GetCapability(t->esys, NO, TPM2_CAP_TPM_PROPERTIES,
                                   TPM2_PT_NV_BUFFER_MAX, 1, &more, &got);
    if (r != TSS2_RC_SUCCESS || got->data.tpmProperties.count == 0 ||
        got->data.tpmProperties.tpmProperty[0].property !=
                TPM2_PT_NV_BUFFER_MAX)
        return CHUNK;
    uint32_t most = got->data.tpmProperties.tpmProperty[0].value;
    if (most > TPM2_MAX_NV_BUFFER_SIZE)
        return TPM2_MAX_NV_BUFFER_SIZE;
    return most < CHUNK_MIN ? CHUNK_MIN : (uint16_t)most;
}

static enum rc read_nv(uint8_t *out, size_t size, struct tpm *t, ESYS_TR nv)
{
    const uint16_t most = chunk_size(t);
    for (size_t at = 0; at < size;) {
        OWNED_TSS TPM2B_MAX_NV_BUFFER *part = NULL;
        size_t left = size - at;
        uint16_t n = left < most ? (uint16_t)left : most;
        TSS2_RC r = Esys_NV_Read(t->esys, ESYS_TR_RH_OWNER, nv, EMPTY, n,
                                 (uint16_t)at, &part);
        if (r != TSS2_RC_SUCCESS)
            return failed(r, "NV_Read");
        if (part->size != n)
            return rc_raise(RC_IO, "vTPM: NV_Read: %u bytes, want %u",
                            part->size, n);
        memcpy(out + at, part->buffer, n);
        at += n;
    }
    return RC_OK;
}

static enum rc read_blob(struct wire_blob *out, struct tpm *t, size_t max)
{
    ESYS_TR nv;
    size_t size = 0;
    TRY(find(&nv, t, ATTEST_VTPM_NV, "HCL blob"));
    TRY(blob_size(&size, t, nv, max));
    OWNED_MEM uint8_t *bytes = malloc(size);
    if (!bytes)
        return rc_raise(RC_NOMEM, "vTPM: blob of %zu bytes", size);
    TRY(read_nv(bytes, size, t, nv));
    *out = (struct wire_blob){ TAKE(bytes), size };
    return RC_OK;
}

enum rc attest_vtpm_blob(struct wire_blob *out, const struct attest_vtpm *v,
                         size_t max)
{
    CONNECTION t = { 0 };
    TRY(connect_tpm(&t, v));
    return read_blob(out, &t, max);
}

/* The report, and the blob without what pads it to its index. */
static enum rc take_blob(struct wire_evidence *out, struct tpm *t)
{
    struct attest_hcl hcl;
    TRY(read_blob(&out->hcl, t, ATTEST_HCL_MAX));
    TRY(attest_hcl_read(&hcl, out->hcl.p, out->hcl.len));
    out->hcl.len = (size_t)(hcl.data - out->hcl.p) + hcl.data_len;
    return wire_blob_set(&out->report, hcl.report, ATTEST_REPORT_LEN);
}

/* ---- the quote --------------------------------------------------------- */

/* The key at Azure's handle is the one that the report vouches for. */
static enum rc check_ak(TPMT_SIG_SCHEME *scheme, struct tpm *t, ESYS_TR key,
                        const struct wire_blob *hcl)
{
    struct attest_rsa ak;
    OWNED_TSS TPM2B_PUBLIC *pub = NULL;
    TRY(attest_hcl_ak(&ak, hcl));
    TSS2_RC r = Esys_ReadPublic(t->esys, key, NO, &pub, NULL, NULL);
    if (r != TSS2_RC_SUCCESS)
        return failed(r, "ReadPublic");
    const TPMT_PUBLIC *p = &pub->publicArea;
    if (p->type != TPM2_ALG_RSA || p->unique.rsa.size != ak.n_len ||
        memcmp(p->unique.rsa.buffer, ak.n, ak.n_len) != 0)
        return rc_raise(RC_ATTEST, "vTPM: the key at 0x%08x is not HCLAkPub",
                        ATTEST_VTPM_AK);
    /* a key with a scheme of its own uses that one */
    bool own = p->parameters.rsaDetail.scheme.scheme != TPM2_ALG_NULL;
    *scheme = (TPMT_SIG_SCHEME){ .scheme = own ? TPM2_ALG_NULL
                                               : TPM2_ALG_RSASSA };
    scheme->details.rsassa.hashAlg = TPM2_ALG_SHA256;
    return RC_OK;
}

static enum rc put_signature(struct wire_blob *out, const TPMT_SIGNATURE *sig)
{
    uint8_t bytes[WIRE_QUOTE_MAX];
    size_t len = 0;
    TSS2_RC r = Tss2_MU_TPMT_SIGNATURE_Marshal(sig, bytes, sizeof(bytes), &len);
    if (r != TSS2_RC_SUCCESS)
        return failed(r, "the quote's signature");
    return wire_blob_set(out, bytes, len);
}

static enum rc ask_quote(struct wire_evidence *out, struct tpm *t, ESYS_TR key,
                         const TPMT_SIG_SCHEME *scheme, const uint8_t data[32])
{
    OWNED_TSS TPM2B_ATTEST *said = NULL;
    OWNED_TSS TPMT_SIGNATURE *sig = NULL;
    TPM2B_DATA extra = { .size = 32 };
    memcpy(extra.buffer, data, 32);
    const TPML_PCR_SELECTION pcrs = {
        .count = 1,
        .pcrSelections = { { .hash = TPM2_ALG_SHA256,
                             .sizeofSelect = 3,
                             .pcrSelect = { PCRS } } },
    };
    TSS2_RC r = Esys_Quote(t->esys, key, EMPTY, &extra, scheme, &pcrs, &said,
                           &sig);
    if (r != TSS2_RC_SUCCESS)
        return failed(r, "Quote");
    TRY(wire_blob_set(&out->quote, said->attestationData, said->size));
    return put_signature(&out->quote_signature, sig);
}

static enum rc take_quote(struct wire_evidence *out, struct tpm *t,
                          const uint8_t data[32])
{
    ESYS_TR key;
    TPMT_SIG_SCHEME scheme;
    struct attest_quote q;
    TRY(find(&key, t, ATTEST_VTPM_AK, "attestation key"));
    TRY(check_ak(&scheme, t, key, &out->hcl));
    TRY(ask_quote(out, t, key, &scheme, data));
    TRY(attest_quote_read(&q, out->quote.p, out->quote.len));
    if (q.extra_len != 32 || memcmp(q.extra, data, 32) != 0)
        return rc_raise(RC_IO, "vTPM: a quote over other data");
    return RC_OK;
}

enum rc attest_vtpm_report(struct wire_evidence *out,
                           const struct attest_vtpm *v,
                           const uint8_t report_data[64],
                           const uint8_t *genesis)
{
    uint8_t data[32];
    WIRE(evidence) e = { 0 };
    CONNECTION t = { 0 };
    attest_quote_data(data, report_data, genesis);
    TRY(connect_tpm(&t, v));
    TRY(take_blob(&e, &t));
    TRY(take_quote(&e, &t, data));
    TRY(attest_thim_take(&e, v->certs));
    *out = e;
    memset(&e, 0, sizeof(e));
    return RC_OK;
}
