/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Azure's way to evidence, against a real TPM: swtpm holds the attestation
 * key and a blob whose report the simulator signed. Then each part wrong in
 * its turn.
 */
#include "azure.h"
#include "snpdata.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "attest/attest.h"
#include "attest/vtpm.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/file.h"

#define HOST "0000000000000000000000000000000000000000000000000000000000000000"

static struct simulator sim;
static struct azure az;
static struct attest_vtpm *vtpm;
static uint8_t other_ak[256], report_data[64], genesis[32];

static int setup(void **state)
{
    (void)state;
    bool simulated = false;
    swtpm_must_be_here();
    simulator_init(&sim, NULL, "70");
    simulator_start(&sim, HOST);
    azure_start(&az, &sim);
    swtpm_ak(&az.tpm, other_ak, 2, false);
    assert_ok(attest_vtpm_open(&vtpm, &simulated,
                               az.device + strlen("azure-vtpm:")));
    assert_true(simulated);
    memset(report_data, 0xA5, sizeof(report_data));
    memset(genesis, 0x5A, sizeof(genesis));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (!vtpm)
        return 0; /* the setup failed and said so */
    attest_vtpm_close(vtpm);
    azure_stop(&az);
    simulator_stop(&sim);
    simulator_remove(&sim);
    return 0;
}

/* ---- judging ----------------------------------------------------------- */

static void collect(struct wire_evidence *e)
{
    assert_ok(attest_vtpm_report(e, vtpm, report_data, genesis));
}

static enum rc judge_as(struct attest_verdict *v, const struct wire_evidence *e,
                        const uint8_t *data, const uint8_t *host_data)
{
    struct attest_roots roots = { .allow_simulated = true };
    memcpy(roots.simulated_ark, sim.ark, 32);
    const struct attest_want want = { .report_data = data,
                                      .host_data = host_data,
                                      .min_version = 3,
                                      .peer = true,
                                      .vtpm = true };
    return attest_verify(v, e, &roots, &want, clock_now_s());
}

static enum rc judge(struct attest_verdict *v, const struct wire_evidence *e)
{
    return judge_as(v, e, report_data, genesis);
}

static void assert_says(const struct attest_verdict *v, const char *id,
                        const char *word)
{
    const struct attest_check *c = snp_row(v, id);
    if (!c || c->ok || !strstr(c->actual, word))
        fail_msg("%s: %s, want %s", id, c ? c->actual : "no row", word);
}

/* ---- what must pass ---------------------------------------------------- */

static void evidence_through_the_vtpm_passes(void **state)
{
    (void)state;
    WIRE(evidence) e = { 0 };
    struct attest_verdict v;
    collect(&e);
    assert_ok(judge(&v, &e));
    assert_true(v.ok && v.simulated);
    static const char *const rows[] = { "H1", "H2", "H3", "H4",
                                        "H5", "P2", "P9", "B1" };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_true(snp_row(&v, rows[i]) && snp_row(&v, rows[i])->ok);
    assert_int_equal(e.hcl.len, az.blob_len); /* without the padding */
    struct attest_quote q;
    assert_ok(attest_quote_read(&q, e.quote.p, e.quote.len));
    assert_int_equal(q.n_banks, 1);
    assert_int_equal(q.bank[0].pcrs, 0xFF);
    assert_int_equal(q.pcr_digest_len, 32);
}

static void evidence_crosses_the_wire_whole(void **state)
{
    (void)state;
    WIRE(evidence) e = { 0 };
    WIRE(evidence) back = { 0 };
    struct attest_verdict v;
    char *json = NULL;
    size_t len;
    collect(&e);
    assert_ok(wire_evidence_encode(&json, &len, &e));
    assert_true(len < 64 * 1024); /* what the channel takes */
    assert_ok(wire_evidence_decode(&back, json, len));
    assert_ok(judge(&v, &back));
    free(json);
}

static void genesis_unknown_is_zeros(void **state)
{
    (void)state;
    static const uint8_t zeros[32];
    WIRE(evidence) e = { 0 };
    struct attest_verdict v;
    assert_ok(attest_vtpm_report(&e, vtpm, report_data, NULL));
    assert_ok(judge_as(&v, &e, report_data, NULL));
    assert_ok(judge_as(&v, &e, report_data, zeros));
    assert_rc(judge(&v, &e), RC_ATTEST);
    assert_true(snp_failed_only(&v, "H5 P2 P9"));
}

/* ---- the quote --------------------------------------------------------- */

static void quote_over_other_data_is_refused(void **state)
{
    (void)state;
    WIRE(evidence) e = { 0 };
    struct attest_verdict v;
    uint8_t data[64];
    uint8_t other[32];
    collect(&e);
    for (unsigned at = 0; at < 64; at += 9) {
        memcpy(data, report_data, 64);
        data[at] ^= 1;
        assert_rc(judge_as(&v, &e, data, genesis), RC_ATTEST);
        assert_true(snp_failed_only(&v, "H5 P2 P9"));
    }
    memcpy(other, genesis, 32);
    other[31] ^= 1;
    assert_rc(judge_as(&v, &e, report_data, other), RC_ATTEST);
    assert_true(snp_failed_only(&v, "H5 P2 P9"));
    /* nor is the report's own REPORT_DATA what was asked for */
    assert_rc(judge_as(&v, &e, e.report.p + 0x50, NULL), RC_ATTEST);
    assert_true(snp_failed_only(&v, "H5 P2"));
}

static void genesis_without_report_data_is_not_judged_to_hold(void **state)
{
    (void)state;
    WIRE(evidence) e = { 0 };
    struct attest_verdict v;
    collect(&e);
    assert_rc(judge_as(&v, &e, NULL, genesis), RC_ATTEST);
    assert_true(snp_failed_only(&v, "P9"));
    assert_says(&v, "P9", "no report data");
}

static void replayed_quote_is_refused(void **state)
{
    (void)state;
    WIRE(evidence) old = { 0 };
    WIRE(evidence) e = { 0 };
    struct attest_verdict v;
    collect(&old);
    uint8_t was = report_data[0];
    report_data[0] ^= 0xFF; /* the next nonce */
    collect(&e);
    assert_ok(judge(&v, &e));
    assert_ok(wire_blob_set(&e.quote, old.quote.p, old.quote.len));
    assert_rc(judge(&v, &e), RC_ATTEST);
    assert_true(snp_failed_only(&v, "H4 H5 P2 P9"));
    assert_ok(wire_blob_set(&e.quote_signature, old.quote_signature.p,
                            old.quote_signature.len));
    assert_rc(judge(&v, &e), RC_ATTEST);
    assert_true(snp_failed_only(&v, "H5 P2 P9"));
    report_data[0] = was;
}

static void quote_of_another_key_is_refused(void **state)
{
    (void)state;
    WIRE(evidence) e = { 0 };
    struct attest_verdict v;
    uint8_t extra[32];
    uint8_t quote[1024];
    uint8_t sig[1024];
    size_t quote_len;
    size_t sig_len;
    collect(&e);
    attest_quote_data(extra, report_data, genesis);
    for (uint8_t number = 2; number > 0; number--) {
        swtpm_quote(&az.tpm, number, extra, quote, &quote_len, sig, &sig_len);
        assert_ok(wire_blob_set(&e.quote, quote, quote_len));
        assert_ok(wire_blob_set(&e.quote_signature, sig, sig_len));
        if (number == 1) { /* the blob's own key: so the other was why */
            assert_ok(judge(&v, &e));
            break;
        }
        assert_rc(judge(&v, &e), RC_ATTEST);
        assert_true(snp_failed_only(&v, "H4 P2 P9"));
        assert_says(&v, "H4", "not signed by HCLAkPub");
    }
}

static void every_byte_of_quote_and_signature_counts(void **state)
{
    (void)state;
    WIRE(evidence) e = { 0 };
    struct attest_verdict v;
    collect(&e);
    struct wire_blob *parts[] = { &e.quote, &e.quote_signature };
    for (size_t k = 0; k < 2; k++) {
        for (size_t at = 0; at < parts[k]->len; at++) {
            uint8_t bit = (uint8_t)(1u << at % 8);
            parts[k]->p[at] ^= bit;
            assert_rc(judge(&v, &e), RC_ATTEST);
            assert_false(snp_row(&v, "H4")->ok);
            assert_false(snp_row(&v, "P2")->ok);
            parts[k]->p[at] ^= bit;
        }
        size_t len = parts[k]->len;
        for (parts[k]->len = 0; parts[k]->len < len; parts[k]->len += 13) {
            assert_rc(judge(&v, &e), RC_ATTEST);
            assert_false(snp_row(&v, "H4")->ok);
        }
        parts[k]->len = len;
    }
    assert_ok(judge(&v, &e));
}

static void some_of_the_three_parts_are_none(void **state)
{
    (void)state;
    for (unsigned kept = 1; kept < 7; kept++) {
        WIRE(evidence) e = { 0 };
        struct attest_verdict v;
        collect(&e);
        struct wire_blob *parts[] = { &e.hcl, &e.quote, &e.quote_signature };
        for (unsigned i = 0; i < 3; i++) {
            if (!(kept >> i & 1))
                assert_ok(wire_blob_set(parts[i], "", 0));
        }
        assert_rc(judge(&v, &e), RC_ATTEST);
        assert_false(snp_row(&v, "H1")->ok && snp_row(&v, "H4")->ok);
        assert_false(snp_row(&v, "P2")->ok);
    }
    /* and without all three it is a report over other data */
    WIRE(evidence) e = { 0 };
    struct attest_verdict v;
    collect(&e);
    e.hcl.len = e.quote.len = e.quote_signature.len = 0;
    assert_rc(judge(&v, &e), RC_ATTEST);
    assert_null(snp_row(&v, "H4"));
    assert_true(snp_failed_only(&v, "P2 P9"));
}

/* ---- quotes no TPM makes: a key in software, its blob signed all the same */

static size_t put_quote(uint8_t *out, size_t cap, uint32_t magic, uint16_t type,
                        const uint8_t extra[32])
{
    struct bytes_writer b = bytes_writer(out, cap);
    bytes_put_u32(&b, magic);
    bytes_put_u16(&b, type);
    bytes_put_lp16(&b, "\0\x0B", 2);
    bytes_put_lp16(&b, extra, 32);
    bytes_put_u64(&b, 1000);
    bytes_put_u32(&b, 1);
    bytes_put_u32(&b, 0);
    bytes_put_u8(&b, 1);
    bytes_put_u64(&b, 0);
    bytes_put_u32(&b, 0);
    bytes_put_lp16(&b, extra, 32);
    assert_ok(bytes_written(&b));
    return b.len;
}

static void sign_by(struct wire_evidence *e, EVP_PKEY *key, int padding,
                    const EVP_MD *md, uint16_t scheme, uint16_t hash)
{
    uint8_t sig[256];
    uint8_t out[300];
    size_t len = sizeof(sig);
    EVP_PKEY_CTX *pk;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, &pk, md, NULL, key), 1);
    EVP_PKEY_CTX_set_rsa_padding(pk, padding);
    assert_int_equal(EVP_DigestSign(ctx, sig, &len, e->quote.p, e->quote.len),
                     1);
    EVP_MD_CTX_free(ctx);
    struct bytes_writer b = bytes_writer(out, sizeof(out));
    bytes_put_u16(&b, scheme);
    bytes_put_u16(&b, hash);
    bytes_put_lp16(&b, sig, len);
    assert_ok(wire_blob_set(&e->quote_signature, out, b.len));
}

static void software_evidence(struct wire_evidence *e, EVP_PKEY *key)
{
    uint8_t n[256];
    uint8_t blob[AZURE_BLOB_MAX];
    BIGNUM *bn = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(key, "n", &bn), 1);
    assert_int_equal(BN_bn2binpad(bn, n, 256), 256);
    BN_free(bn);
    size_t len = azure_blob(&az, blob, e, n);
    assert_ok(wire_blob_set(&e->hcl, blob, len));
}

static void only_a_quote_of_a_known_form_is_one(void **state)
{
    (void)state;
    static const struct {
        uint32_t magic;
        uint16_t type, scheme, hash;
        bool pss, sha384;
        const char *word; /* NULL: passes */
    } rows[] = {
        { 0xFF544347, 0x8018, 0x14, 0x0B, false, false, NULL },
        { 0xFF544347, 0x8018, 0x16, 0x0B, true, false, NULL },
        { 0xFF544348, 0x8018, 0x14, 0x0B, false, false, "no TPM made this" },
        { 0xFF544347, 0x801A, 0x14, 0x0B, false, false, "type 0x801a" },
        { 0xFF544347, 0x8018, 0x14, 0x0C, false, true, "hash 0x000c" },
        { 0xFF544347, 0x8018, 0x14, 0x0B, false, true, "not signed" },
        { 0xFF544347, 0x8018, 0x16, 0x0B, false, false, "not signed" },
        { 0xFF544347, 0x8018, 0x18, 0x0B, false, false, "scheme 0x0018" },
    };
    EVP_PKEY *key = EVP_RSA_gen(2048);
    uint8_t extra[32];
    attest_quote_data(extra, report_data, genesis);
    WIRE(evidence) e = { 0 };
    software_evidence(&e, key);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint8_t quote[256];
        struct attest_verdict v;
        size_t len = put_quote(quote, sizeof(quote), rows[i].magic,
                               rows[i].type, extra);
        assert_ok(wire_blob_set(&e.quote, quote, len));
        sign_by(&e, key,
                rows[i].pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING,
                rows[i].sha384 ? EVP_sha384() : EVP_sha256(), rows[i].scheme,
                rows[i].hash);
        assert_rc(judge(&v, &e), rows[i].word ? RC_ATTEST : RC_OK);
        if (rows[i].word)
            assert_says(&v, "H4", rows[i].word);
    }
    EVP_PKEY_free(key);
}

static void quote_fields_have_bounds(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
        const char *word;
    } rows[] = {
        { 6, 1, "quote" }, /* 0x0102 bytes: more than there are */
        { 7, 69, "qualified signer" },
        { 10, 1, "quote" },
        { 11, 67, "extra data" },
        { 60, 2, "safe" },
        { 72, 17, "PCR selections" },
        { 74, 65, "quote" },
        { 74, 31, "quote" }, /* a byte left over */
    };
    uint8_t extra[32] = { 1 };
    uint8_t quote[256];
    struct attest_quote q;
    size_t len = put_quote(quote, sizeof(quote), 0xFF544347, 0x8018, extra);
    assert_ok(attest_quote_read(&q, quote, len));
    assert_true(q.safe && q.clock_ms == 1000 && q.extra_len == 32);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint8_t was = quote[rows[i].at];
        quote[rows[i].at] = rows[i].value;
        assert_rc(attest_quote_read(&q, quote, len), RC_PARSE);
        if (!strstr(rc_text(), rows[i].word))
            fail_msg("%s: %s", rows[i].word, rc_text());
        quote[rows[i].at] = was;
    }
    for (size_t cut = 0; cut < len; cut++)
        assert_rc(attest_quote_read(&q, quote, cut), RC_PARSE);
}

/* ---- among the guest devices ------------------------------------------ */

static void device_of_a_config_gives_the_same_evidence(void **state)
{
    (void)state;
    OWN_S(attest_guest) *g = NULL;
    WIRE(evidence) e = { 0 };
    struct attest_verdict v;
    uint8_t key[32];
    char device[128];
    assert_ok(attest_guest_open(&g, az.device));
    assert_true(attest_guest_simulated(g));
    attest_guest_genesis(g, genesis);
    assert_ok(attest_guest_report(&e, g, report_data));
    assert_ok(judge(&v, &e));
    assert_rc(attest_guest_derive(key, g, 0), RC_ARG);
    assert_non_null(strstr(rc_hint_text(), "seals nothing"));
    /* a socket's path will do */
    OWN_S(attest_guest) *same = NULL;
    snprintf(device, sizeof(device), "azure-vtpm:swtpm:%s,certs=%s",
             az.tpm.socket, az.certs);
    assert_ok(attest_guest_open(&same, device));
}

static void device_without_its_blob_does_not_open(void **state)
{
    (void)state;
    struct attest_guest *g = NULL;
    swtpm_blob(&az.tpm, NULL, 0);
    assert_rc(attest_guest_open(&g, az.device), RC_UNKNOWN);
    swtpm_blob(&az.tpm, (const uint8_t *)"another vendor's", 16);
    assert_rc(attest_guest_open(&g, az.device), RC_PARSE);
    assert_null(g);
    swtpm_blob(&az.tpm, az.blob, sizeof(az.blob));
    assert_rc(attest_guest_open(&g, "azure-vtpm:mssim:port=1"), RC_ARG);
    assert_rc(attest_guest_open(&g, "azure-vtpm:device:/dev/null/none"), RC_IO);
    assert_rc(attest_guest_open(&g, "azure-vtpmx"), RC_ARG);
    assert_null(g);
}

static void certificates_that_are_not_there_are_asked_for(void **state)
{
    (void)state;
    OWN_S(attest_guest) *g = NULL;
    WIRE(evidence) e = { 0 };
    char device[128];
    snprintf(device, sizeof(device), "azure-vtpm:%s,certs=/nonexistent",
             az.tpm.device);
    assert_ok(attest_guest_open(&g, device));
    assert_rc(attest_guest_report(&e, g, report_data), RC_UNKNOWN);
    assert_non_null(strstr(rc_hint_text(), "Metadata:true"));
}

/* ---- the TPM ----------------------------------------------------------- */

static void key_that_is_not_the_blobs_is_refused(void **state)
{
    (void)state;
    uint8_t blob[AZURE_BLOB_MAX];
    WIRE(evidence) other = { 0 };
    WIRE(evidence) e = { 0 };
    struct attest_verdict v;
    collect(&e);
    size_t len = azure_blob(&az, blob, &other, other_ak);
    swtpm_blob(&az.tpm, blob, len);
    WIRE(evidence) none = { 0 };
    assert_rc(attest_vtpm_report(&none, vtpm, report_data, genesis), RC_ATTEST);
    assert_non_null(strstr(rc_text(), "is not HCLAkPub"));
    /* and whoever sends it all the same */
    assert_ok(wire_blob_set(&e.hcl, blob, len));
    assert_ok(wire_blob_set(&e.report, other.report.p, other.report.len));
    assert_rc(judge(&v, &e), RC_ATTEST);
    assert_true(snp_failed_only(&v, "H4 P2 P9"));
    swtpm_blob(&az.tpm, az.blob, sizeof(az.blob));
}

static void key_that_signs_with_pss_serves_too(void **state)
{
    (void)state;
    uint8_t n[256];
    uint8_t blob[AZURE_BLOB_MAX];
    WIRE(evidence) e = { 0 };
    WIRE(evidence) made = { 0 };
    struct attest_verdict v;
    swtpm_ak(&az.tpm, n, SWTPM_PSS, true);
    size_t len = azure_blob(&az, blob, &made, n);
    swtpm_blob(&az.tpm, blob, len);
    collect(&e);
    assert_int_equal(e.quote_signature.p[1], 0x16); /* RSAPSS */
    assert_ok(judge(&v, &e));
    swtpm_ak(&az.tpm, n, 1, true);
    swtpm_blob(&az.tpm, az.blob, sizeof(az.blob));
}

static void tpm_without_its_key_is_refused(void **state)
{
    (void)state;
    WIRE(evidence) e = { 0 };
    swtpm_ak(&az.tpm, NULL, 0, true);
    assert_rc(attest_vtpm_report(&e, vtpm, report_data, genesis), RC_UNKNOWN);
    assert_non_null(strstr(rc_text(), "0x81000003: there is no attestation"));
    swtpm_ak(&az.tpm, NULL, 1, true);
    collect(&e);
}

static void tpm_without_a_blob_is_refused(void **state)
{
    (void)state;
    WIRE(evidence) e = { 0 };
    swtpm_blob(&az.tpm, NULL, 0);
    assert_rc(attest_vtpm_report(&e, vtpm, report_data, genesis), RC_UNKNOWN);
    assert_non_null(strstr(rc_text(), "0x01400001: there is no HCL blob"));
    assert_non_null(strstr(rc_hint_text(), "Azure"));
    swtpm_blob(&az.tpm, (const uint8_t *)"HCLA too short", 14);
    assert_rc(attest_vtpm_report(&e, vtpm, report_data, genesis), RC_PARSE);
    swtpm_blob(&az.tpm, az.blob, sizeof(az.blob));
}

static void index_larger_than_allowed_is_refused(void **state)
{
    (void)state;
    struct wire_blob blob = { 0 };
    assert_rc(attest_vtpm_blob(&blob, vtpm, AZURE_BLOB_MAX - 1), RC_TOO_LARGE);
    assert_non_null(strstr(rc_text(), "2048 bytes, want 1 to 2047"));
    assert_null(blob.p);
    assert_ok(attest_vtpm_blob(&blob, vtpm, AZURE_BLOB_MAX));
    assert_int_equal(blob.len, AZURE_BLOB_MAX);
    free(blob.p);
}

/* Azure's own, from a TPM, with every certificate we have: nobody's. */
static void genuine_blob_that_nobody_here_signed_is_refused(void **state)
{
    (void)state;
    testdata();
    struct wire_blob file = { 0 };
    struct wire_blob nv = { 0 };
    struct attest_verdict v;
    WIRE(evidence) e = { 0 };
    WIRE(evidence) none = { 0 };
    snp_file(&file, "negative/azure-milan-v2-no-vek.hcl.bin", 0, 0);
    assert_true(file.len <= AZURE_BLOB_MAX);
    collect(&e);
    swtpm_blob(&az.tpm, file.p, file.len);
    assert_ok(attest_vtpm_blob(&nv, vtpm, ATTEST_HCL_MAX));
    assert_int_equal(nv.len, file.len);
    assert_memory_equal(nv.p, file.p, file.len);
    assert_rc(attest_vtpm_report(&none, vtpm, report_data, genesis),
              RC_ATTEST); /* its key is in Azure */
    struct attest_hcl hcl;
    assert_ok(attest_hcl_read(&hcl, nv.p, nv.len));
    assert_ok(wire_blob_set(&e.report, hcl.report, ATTEST_REPORT_LEN));
    assert_ok(wire_blob_set(&e.hcl, nv.p, nv.len));
    assert_rc(judge(&v, &e), RC_ATTEST);
    assert_true(snp_row(&v, "H1")->ok && snp_row(&v, "H2")->ok &&
                snp_row(&v, "H3")->ok);
    assert_says(&v, "B1", "does not verify");
    assert_says(&v, "H4", "not signed by HCLAkPub");
    assert_ok(wire_blob_set(&e.vek, "", 0)); /* as it comes without a VEK */
    assert_rc(judge(&v, &e), RC_ATTEST);
    assert_says(&v, "B1", "no VEK");
    free(nv.p);
    free(file.p);
    swtpm_blob(&az.tpm, az.blob, sizeof(az.blob));
}

static void tpm_that_is_not_there_says_so(void **state)
{
    (void)state;
    struct attest_vtpm *v = NULL;
    WIRE(evidence) e = { 0 };
    bool simulated = true;
    assert_rc(attest_vtpm_open(&v, &simulated, "mssim:host=localhost"), RC_ARG);
    assert_rc(attest_vtpm_open(&v, &simulated, "device:relative"), RC_ARG);
    assert_null(v);
    assert_ok(attest_vtpm_open(&v, &simulated, "device:/dev/null/none"));
    assert_false(simulated);
    assert_rc(attest_vtpm_report(&e, v, report_data, NULL), RC_IO);
    assert_non_null(strstr(rc_text(), "cannot be reached"));
    attest_vtpm_close(v);
}

/* ---- certificates beside it -------------------------------------------- */

static enum rc take(struct wire_evidence *e, const char *text, size_t len)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/certs", az.tpm.dir);
    assert_ok(file_write(path, text, len, 0600));
    enum rc rc = attest_thim_take(e, path);
    unlink(path);
    return rc;
}

static void certificates_come_as_azure_gives_them_or_as_pem(void **state)
{
    (void)state;
    char text[32768];
    WIRE(evidence) json = { 0 };
    WIRE(evidence) pem = { 0 };
    assert_ok(take(&json, text, azure_thim(text, az.vcek_pem, az.chain_pem)));
    int len = snprintf(text, sizeof(text), "%s%s", az.vcek_pem, az.chain_pem);
    assert_ok(take(&pem, text, (size_t)len));
    assert_int_equal(json.chain.n, 2);
    assert_int_equal(pem.chain.n, 2);
    assert_memory_equal(json.vek.p, pem.vek.p, pem.vek.len);
    assert_memory_equal(json.chain.at[1].p, pem.chain.at[1].p,
                        pem.chain.at[1].len);
}

static void certificates_in_another_form_are_refused(void **state)
{
    (void)state;
    static char text[65536];
    static const struct {
        const char *text, *word;
    } rows[] = {
        { "", "no certificate" },
        { "{", "not a JSON object" },
        { "[]", "no certificate" },
        { "{\"vcekCert\":\"\"}", "vcekCert: no certificate" },
        { "{\"vcekCert\":1}", "vcekCert: not there" },
        { "{\"certificateChain\":\"\"}", "vcekCert: not there" },
        { "{\"vcekCert\":\"\",\"vcekCert\":\"\"}", "not a JSON object" },
    };
    WIRE(evidence) e = { 0 };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_rc(take(&e, rows[i].text, strlen(rows[i].text)), RC_PARSE);
        if (!strstr(rc_text(), rows[i].word))
            fail_msg("%s: %s", rows[i].text, rc_text());
    }
    assert_rc(take(&e, text, azure_thim(text, az.chain_pem, az.vcek_pem)),
              RC_PARSE);
    assert_non_null(strstr(rc_text(), "2 certificates, want 1"));
    assert_rc(take(&e, text, azure_thim(text, az.vcek_pem, "")), RC_PARSE);
    assert_non_null(strstr(rc_text(), "certificateChain"));
    char *p = text;
    for (unsigned i = 0; i < 5; i++)
        p += sprintf(p, "%s", az.vcek_pem);
    assert_rc(take(&e, text, (size_t)(p - text)), RC_TOO_LARGE);
    assert_rc(attest_thim_take(&e, "/nonexistent"), RC_UNKNOWN);
    assert_non_null(strstr(rc_hint_text(), "169.254.169.254"));
    assert_null(e.vek.p);
}

/* ---- mpcsign ----------------------------------------------------------- */

#define MPCSIGN MPC_BUILD_DIR "/bin/mpcsign"
enum { BLOB, QUOTE, SIGNATURE, VEK, CHAIN, N_FILES };
static char files[N_FILES][96];

static void put_files(const struct wire_evidence *e)
{
    static const char *const names[] = { "blob", "quote", "sig", "vek",
                                         "chain" };
    const struct wire_blob parts[] = {
        e->hcl,
        e->quote,
        e->quote_signature,
        { (uint8_t *)az.vcek_pem, strlen(az.vcek_pem) },
        { (uint8_t *)az.chain_pem, strlen(az.chain_pem) },
    };
    for (unsigned i = 0; i < N_FILES; i++) {
        snprintf(files[i], sizeof(files[i]), "%s/%s", az.tpm.dir, names[i]);
        assert_ok(file_write(files[i], parts[i].p, parts[i].len, 0600));
    }
}

/* Its exit code; words NULL-ended, behind what every call has. */
static int verify(char *out, size_t size, const char *const words[])
{
    const char *argv[24] = {
        MPCSIGN, "attest",   "verify",  "--report",   files[BLOB],
        "--vek", files[VEK], "--chain", files[CHAIN], "--allow-simulated"
    };
    for (unsigned i = 0; words[i]; i++)
        argv[10 + i] = words[i];
    return run_program((char **)(uintptr_t)argv, out, size);
}

static void mpcsign_judges_a_quote_from_files(void **state)
{
    (void)state;
    WIRE(evidence) e = { 0 };
    char out[16384];
    char data[ENC_HEX_SIZE(64)];
    char host[ENC_HEX_SIZE(32)];
    collect(&e);
    put_files(&e);
    enc_hex(data, report_data, 64);
    enc_hex(host, genesis, 32);
    const char *whole[] = { "--quote",
                            files[QUOTE],
                            "--quote-signature",
                            files[SIGNATURE],
                            "--report-data",
                            data,
                            "--genesis",
                            host,
                            NULL };
    assert_int_equal(verify(out, sizeof(out), whole), 0);
    assert_non_null(strstr(out, "ok   H4   vTPM quote: so"));
    assert_non_null(strstr(out, "ok   H5 "));
    assert_non_null(strstr(out, "ok   P9   genesis"));
    whole[6] = NULL; /* without the genesis it is another hash */
    assert_int_equal(verify(out, sizeof(out), whole), 7);
    assert_non_null(strstr(out, "FAIL H5 "));
    whole[4] = NULL; /* a quote over what? */
    assert_int_equal(verify(out, sizeof(out), whole), 2);
    whole[2] = NULL;
    assert_int_equal(verify(out, sizeof(out), whole), 2);
    const char *none[] = { NULL }; /* the blob alone, as before */
    assert_int_equal(verify(out, sizeof(out), none), 0);
    assert_null(strstr(out, "H4"));
    const char *direct[] = { "--report-data", data, NULL };
    assert_int_equal(verify(out, sizeof(out), direct), 7);
    assert_non_null(strstr(out, "FAIL P2 "));
    const char *show[] = { MPCSIGN,   "attest",     "show", files[BLOB],
                           "--quote", files[QUOTE], NULL };
    assert_int_equal(run_program((char **)(uintptr_t)show, out, sizeof(out)),
                     0);
    assert_non_null(strstr(out, "SHA-256: 0 1 2 3 4 5 6 7"));
    assert_non_null(strstr(out, "quote is over"));
    for (unsigned i = 0; i < N_FILES; i++)
        unlink(files[i]);
}

/* What collect wrote, judged as it says to. */
static void mpcsign_collects_blob_and_quote(void **state)
{
    (void)state;
    static const char *const names[] = { "report.bin", "vek.der",   "ask.der",
                                         "ark.der",    "chain.pem", "quote.bin",
                                         "quote.sig" };
    char dir[80];
    char out[16384];
    char data[ENC_HEX_SIZE(64)];
    snprintf(dir, sizeof(dir), "%s/out", az.tpm.dir);
    enc_hex(data, report_data, 64);
    const char *collect_it[] = { MPCSIGN,    "attest",        "collect",
                                 "--device", az.device,       "--out",
                                 dir,        "--report-data", data,
                                 NULL };
    assert_int_equal(
            run_program((char **)(uintptr_t)collect_it, out, sizeof(out)), 0);
    char *next = strstr(out, "mpcsign attest verify");
    assert_non_null(next);
    assert_non_null(strstr(next, "quote.sig --report-data a5a5"));
    next[strcspn(next, "\n")] = '\0';
    char line[8192];
    snprintf(line, sizeof(line), "PATH=" MPC_BUILD_DIR "/bin:$PATH; %s", next);
    const char *sh[] = { "/bin/sh", "-c", line, NULL };
    assert_int_equal(run_program((char **)(uintptr_t)sh, out, sizeof(out)), 0);
    assert_non_null(strstr(out, "ok   H5 "));
    assert_non_null(strstr(out, "ok   P2 "));
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evidence_through_the_vtpm_passes),
        cmocka_unit_test(evidence_crosses_the_wire_whole),
        cmocka_unit_test(genesis_unknown_is_zeros),
        cmocka_unit_test(quote_over_other_data_is_refused),
        cmocka_unit_test(genesis_without_report_data_is_not_judged_to_hold),
        cmocka_unit_test(replayed_quote_is_refused),
        cmocka_unit_test(quote_of_another_key_is_refused),
        cmocka_unit_test(every_byte_of_quote_and_signature_counts),
        cmocka_unit_test(some_of_the_three_parts_are_none),
        cmocka_unit_test(only_a_quote_of_a_known_form_is_one),
        cmocka_unit_test(quote_fields_have_bounds),
        cmocka_unit_test(device_of_a_config_gives_the_same_evidence),
        cmocka_unit_test(device_without_its_blob_does_not_open),
        cmocka_unit_test(certificates_that_are_not_there_are_asked_for),
        cmocka_unit_test(key_that_is_not_the_blobs_is_refused),
        cmocka_unit_test(key_that_signs_with_pss_serves_too),
        cmocka_unit_test(tpm_without_its_key_is_refused),
        cmocka_unit_test(tpm_without_a_blob_is_refused),
        cmocka_unit_test(index_larger_than_allowed_is_refused),
        cmocka_unit_test(genuine_blob_that_nobody_here_signed_is_refused),
        cmocka_unit_test(tpm_that_is_not_there_says_so),
        cmocka_unit_test(certificates_come_as_azure_gives_them_or_as_pem),
        cmocka_unit_test(certificates_in_another_form_are_refused),
        cmocka_unit_test(mpcsign_judges_a_quote_from_files),
        cmocka_unit_test(mpcsign_collects_blob_and_quote),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
