/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Azure's way to evidence, against a real TPM: swtpm holds the attestation
 * key and a blob whose report the simulator signed. Then each part wrong in
 * its turn.
 */
#include "simulator.h"
#include "snpdata.h"
#include "swtpm.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "attest/attest.h"
#include "attest/vtpm.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/file.h"
#include "base/hash.h"

#define CLAIMS   (32 + ATTEST_REPORT_LEN)
#define BLOB_MAX 2048
#define HOST                                                                   \
    "00000000000000000000000000000000"                                         \
    "00000000000000000000000000000000"

static struct {
    struct simulator sim;
    struct swtpm tpm;
    struct attest_guest *guest; /* the simulator's device */
    uint8_t ak[256], other_ak[256];
    uint8_t blob[BLOB_MAX];
    size_t blob_len;
    char certs[96]; /* as Azure's metadata service answers */
    struct attest_vtpm *vtpm;
    uint8_t report_data[64], genesis[32];
} w;

/* ---- making ------------------------------------------------------------ */

static void le32(uint8_t *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

/* Azure's layout around a report over this JSON, signed by the simulator;
 * also the certificates. */
static size_t make_blob(uint8_t out[BLOB_MAX], struct wire_evidence *e,
                        const char *json)
{
    uint8_t data[64] = { 0 };
    uint32_t len = (uint32_t)strlen(json);
    assert_true(CLAIMS + 20 + len <= BLOB_MAX);
    hash256(data, json, len);
    assert_ok(attest_guest_report(e, w.guest, data));
    memset(out, 0, BLOB_MAX);
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

static size_t blob_of(uint8_t out[BLOB_MAX], struct wire_evidence *e,
                      const uint8_t n[256])
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
    return make_blob(out, e, json);
}

static void put_pem(char *out, size_t size, const char *const names[],
                    unsigned n)
{
    BIO *bio = BIO_new(BIO_s_mem());
    for (unsigned i = 0; i < n; i++) {
        char path[128];
        uint8_t *der = NULL;
        size_t len;
        snprintf(path, sizeof(path), "%s/%s", w.sim.dir, names[i]);
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

static char vcek_pem[8192], chain_pem[16384];

/* The JSON string of a PEM text: its only odd character is the line's end. */
static size_t quote_json(char *out, const char *text)
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

static size_t thim(char *out, const char *vcek, const char *chain)
{
    char *p = out;
    p += sprintf(p, "{\"vcekCert\":");
    p += quote_json(p, vcek);
    p += sprintf(p, ",\"tcbm\":\"54180000000000AA\",\"certificateChain\":");
    p += quote_json(p, chain);
    p += sprintf(p, ",\"cacheControl\":\"86400\"}");
    return (size_t)(p - out);
}

static void put_certs(void)
{
    static const char *const vcek[] = { "vcek.der" };
    static const char *const chain[] = { "ask.der", "ark.der" };
    char json[32768];
    put_pem(vcek_pem, sizeof(vcek_pem), vcek, 1);
    put_pem(chain_pem, sizeof(chain_pem), chain, 2);
    size_t len = thim(json, vcek_pem, chain_pem);
    snprintf(w.certs, sizeof(w.certs), "%s/thim.json", w.tpm.dir);
    assert_ok(file_write(w.certs, json, len, 0600));
}

static int setup(void **state)
{
    (void)state;
    WIRE(evidence) e = { 0 };
    char device[256];
    bool simulated = false;
    simulator_init(&w.sim, NULL, "70");
    simulator_start(&w.sim, HOST);
    assert_ok(attest_guest_open(&w.guest, w.sim.device));
    swtpm_start(&w.tpm);
    swtpm_ak(&w.tpm, w.ak, 1, true);
    swtpm_ak(&w.tpm, w.other_ak, 2, false);
    w.blob_len = blob_of(w.blob, &e, w.ak);
    swtpm_blob(&w.tpm, w.blob, sizeof(w.blob)); /* padded, as Azure's is */
    put_certs();
    snprintf(device, sizeof(device), "%s,certs=%s", w.tpm.device, w.certs);
    assert_ok(attest_vtpm_open(&w.vtpm, &simulated, device));
    assert_true(simulated);
    memset(w.report_data, 0xA5, sizeof(w.report_data));
    memset(w.genesis, 0x5A, sizeof(w.genesis));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    attest_vtpm_close(w.vtpm);
    attest_guest_free(w.guest);
    unlink(w.certs);
    swtpm_stop(&w.tpm);
    simulator_stop(&w.sim);
    simulator_remove(&w.sim);
    return 0;
}

/* ---- judging ----------------------------------------------------------- */

static void collect(struct wire_evidence *e)
{
    assert_ok(attest_vtpm_report(e, w.vtpm, w.report_data, w.genesis));
}

static enum rc judge_as(struct attest_verdict *v, const struct wire_evidence *e,
                        const uint8_t *report_data, const uint8_t *genesis)
{
    struct attest_roots roots = { .allow_simulated = true };
    memcpy(roots.simulated_ark, w.sim.ark, 32);
    const struct attest_want want = { .report_data = report_data,
                                      .host_data = genesis,
                                      .min_version = 3,
                                      .peer = true };
    return attest_verify(v, e, &roots, &want, clock_now_s());
}

static enum rc judge(struct attest_verdict *v, const struct wire_evidence *e)
{
    return judge_as(v, e, w.report_data, w.genesis);
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
    assert_int_equal(e.hcl.len, w.blob_len); /* without the padding */
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
    assert_ok(attest_vtpm_report(&e, w.vtpm, w.report_data, NULL));
    assert_ok(judge_as(&v, &e, w.report_data, NULL));
    assert_ok(judge_as(&v, &e, w.report_data, zeros));
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
    uint8_t genesis[32];
    collect(&e);
    for (unsigned at = 0; at < 64; at += 9) {
        memcpy(data, w.report_data, 64);
        data[at] ^= 1;
        assert_rc(judge_as(&v, &e, data, w.genesis), RC_ATTEST);
        assert_true(snp_failed_only(&v, "H5 P2 P9"));
    }
    memcpy(genesis, w.genesis, 32);
    genesis[31] ^= 1;
    assert_rc(judge_as(&v, &e, w.report_data, genesis), RC_ATTEST);
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
    assert_rc(judge_as(&v, &e, NULL, w.genesis), RC_ATTEST);
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
    uint8_t was = w.report_data[0];
    w.report_data[0] ^= 0xFF; /* the next nonce */
    collect(&e);
    assert_ok(judge(&v, &e));
    assert_ok(wire_blob_set(&e.quote, old.quote.p, old.quote.len));
    assert_rc(judge(&v, &e), RC_ATTEST);
    assert_true(snp_failed_only(&v, "H4 H5 P2 P9"));
    assert_ok(wire_blob_set(&e.quote_signature, old.quote_signature.p,
                            old.quote_signature.len));
    assert_rc(judge(&v, &e), RC_ATTEST);
    assert_true(snp_failed_only(&v, "H5 P2 P9"));
    w.report_data[0] = was;
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
    attest_quote_data(extra, w.report_data, w.genesis);
    for (uint8_t number = 2; number > 0; number--) {
        swtpm_quote(&w.tpm, number, extra, quote, &quote_len, sig, &sig_len);
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
    uint8_t blob[BLOB_MAX];
    BIGNUM *bn = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(key, "n", &bn), 1);
    assert_int_equal(BN_bn2binpad(bn, n, 256), 256);
    BN_free(bn);
    size_t len = blob_of(blob, e, n);
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
    attest_quote_data(extra, w.report_data, w.genesis);
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

/* ---- the TPM ----------------------------------------------------------- */

static void key_that_is_not_the_blobs_is_refused(void **state)
{
    (void)state;
    uint8_t blob[BLOB_MAX];
    WIRE(evidence) other = { 0 };
    WIRE(evidence) e = { 0 };
    struct attest_verdict v;
    collect(&e);
    size_t len = blob_of(blob, &other, w.other_ak);
    swtpm_blob(&w.tpm, blob, len);
    WIRE(evidence) none = { 0 };
    assert_rc(attest_vtpm_report(&none, w.vtpm, w.report_data, w.genesis),
              RC_ATTEST);
    assert_non_null(strstr(rc_text(), "is not HCLAkPub"));
    /* and whoever sends it all the same */
    assert_ok(wire_blob_set(&e.hcl, blob, len));
    assert_ok(wire_blob_set(&e.report, other.report.p, other.report.len));
    assert_rc(judge(&v, &e), RC_ATTEST);
    assert_true(snp_failed_only(&v, "H4 P2 P9"));
    swtpm_blob(&w.tpm, w.blob, sizeof(w.blob));
}

static void tpm_without_a_blob_is_refused(void **state)
{
    (void)state;
    WIRE(evidence) e = { 0 };
    swtpm_blob(&w.tpm, NULL, 0);
    assert_rc(attest_vtpm_report(&e, w.vtpm, w.report_data, w.genesis),
              RC_UNKNOWN);
    assert_non_null(strstr(rc_text(), "0x01400001: there is no HCL blob"));
    assert_non_null(strstr(rc_hint_text(), "Azure"));
    swtpm_blob(&w.tpm, (const uint8_t *)"HCLA too short", 14);
    assert_rc(attest_vtpm_report(&e, w.vtpm, w.report_data, w.genesis),
              RC_PARSE);
    swtpm_blob(&w.tpm, w.blob, sizeof(w.blob));
}

static void index_larger_than_allowed_is_refused(void **state)
{
    (void)state;
    struct wire_blob blob = { 0 };
    assert_rc(attest_vtpm_blob(&blob, w.vtpm, BLOB_MAX - 1), RC_TOO_LARGE);
    assert_non_null(strstr(rc_text(), "2048 bytes, want 1 to 2047"));
    assert_null(blob.p);
    assert_ok(attest_vtpm_blob(&blob, w.vtpm, BLOB_MAX));
    assert_int_equal(blob.len, BLOB_MAX);
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
    assert_true(file.len <= BLOB_MAX);
    collect(&e);
    swtpm_blob(&w.tpm, file.p, file.len);
    assert_ok(attest_vtpm_blob(&nv, w.vtpm, ATTEST_HCL_MAX));
    assert_int_equal(nv.len, file.len);
    assert_memory_equal(nv.p, file.p, file.len);
    assert_rc(attest_vtpm_report(&none, w.vtpm, w.report_data, w.genesis),
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
    swtpm_blob(&w.tpm, w.blob, sizeof(w.blob));
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
    assert_rc(attest_vtpm_report(&e, v, w.report_data, NULL), RC_IO);
    assert_non_null(strstr(rc_text(), "cannot be reached"));
    attest_vtpm_close(v);
}

/* ---- certificates beside it -------------------------------------------- */

static enum rc take(struct wire_evidence *e, const char *text, size_t len)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/certs", w.tpm.dir);
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
    assert_ok(take(&json, text, thim(text, vcek_pem, chain_pem)));
    int len = snprintf(text, sizeof(text), "%s%s", vcek_pem, chain_pem);
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
    assert_rc(take(&e, text, thim(text, chain_pem, vcek_pem)), RC_PARSE);
    assert_non_null(strstr(rc_text(), "2 certificates, want 1"));
    assert_rc(take(&e, text, thim(text, vcek_pem, "")), RC_PARSE);
    assert_non_null(strstr(rc_text(), "certificateChain"));
    char *p = text;
    for (unsigned i = 0; i < 5; i++)
        p += sprintf(p, "%s", vcek_pem);
    assert_rc(take(&e, text, (size_t)(p - text)), RC_TOO_LARGE);
    assert_rc(attest_thim_take(&e, "/nonexistent"), RC_UNKNOWN);
    assert_non_null(strstr(rc_hint_text(), "169.254.169.254"));
    assert_null(e.vek.p);
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
        cmocka_unit_test(key_that_is_not_the_blobs_is_refused),
        cmocka_unit_test(tpm_without_a_blob_is_refused),
        cmocka_unit_test(index_larger_than_allowed_is_refused),
        cmocka_unit_test(genuine_blob_that_nobody_here_signed_is_refused),
        cmocka_unit_test(tpm_that_is_not_there_says_so),
        cmocka_unit_test(certificates_come_as_azure_gives_them_or_as_pem),
        cmocka_unit_test(certificates_in_another_form_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
