/* SPDX-License-Identifier: Apache-2.0 */
/* What the simulated firmware answers: a version 5 report, a derived key. */
#include "attest/snpsim.h"

#include <string.h>

#include <openssl/ecdsa.h>

#include "attest/guest.h"
#include "attest/layout.h"
#include "base/bytes.h"

OWNED_BY(ECDSA_SIG, ECDSA_SIG_free);
OWNED_BY(EVP_MD_CTX, EVP_MD_CTX_free);

static void put_le(uint8_t *p, uint64_t v, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static const struct snpsim_product products[] = {
    { .name = "milan",
      .product = ATTEST_MILAN,
      .in_vcek = "Milan-B0",
      .fms = { 0x19, 0x01, 0x01 },
      .tcb = { 4, 0, 0, 0, 0, 0, 0x18, 0xdb },
      .spl = { .bl = 4, .snp = 0x18, .ucode = 0xdb },
      .hwid_len = 64 },
    { .name = "genoa",
      .product = ATTEST_GENOA,
      .in_vcek = "Genoa",
      .fms = { 0x19, 0x11, 0x01 },
      .tcb = { 10, 0, 0, 0, 0, 0, 0x18, 0x54 },
      .spl = { .bl = 10, .snp = 0x18, .ucode = 0x54 },
      .hwid_len = 64 },
    { .name = "turin",
      .product = ATTEST_TURIN,
      .in_vcek = "Turin",
      .fms = { 0x1a, 0x02, 0x01 },
      .tcb = { 1, 3, 2, 5, 0, 0, 0, 0x61 },
      .spl = { .fmc = 1, .bl = 3, .tee = 2, .snp = 5, .ucode = 0x61 },
      .hwid_len = 8 },
};

const struct snpsim_product *snpsim_product(const char *name)
{
    for (size_t i = 0; i < sizeof(products) / sizeof(*products); i++)
        if (strcmp(products[i].name, name) == 0)
            return &products[i];
    return NULL;
}

static void fill(uint8_t *r, const struct snpsim_chip *chip,
                 const uint8_t measurement[48], const uint8_t report_data[64])
{
    const struct snpsim_product *p = chip->product;
    memset(r, 0, ATTEST_REPORT_LEN);
    put_le(r + SNP_VERSION, 5, 4);
    put_le(r + SNP_GUEST_SVN, SNPSIM_SVN, 4);
    put_le(r + SNP_POLICY, SNPSIM_POLICY, 8);
    put_le(r + SNP_SIGNATURE_ALGO, 1, 4);
    put_le(r + SNP_PLATFORM_INFO, 0x25, 8); /* SMT, ECC, alias check */
    memcpy(r + SNP_REPORT_DATA, report_data, 64);
    memcpy(r + SNP_MEASUREMENT, measurement, 48);
    memcpy(r + SNP_HOST_DATA, chip->host_data, 32);
    memcpy(r + SNP_REPORT_ID, chip->report_id, 32);
    memset(r + SNP_REPORT_ID_MA, 0xFF, 32);
    memcpy(r + SNP_FMS, p->fms, sizeof(p->fms));
    memcpy(r + SNP_CHIP_ID, chip->chip_id, 64);
    static const uint16_t at[] = { SNP_CURRENT_TCB, SNP_REPORTED_TCB,
                                   SNP_COMMITTED_TCB, SNP_LAUNCH_TCB };
    for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++)
        memcpy(r + at[i], p->tcb, sizeof(p->tcb));
    static const uint8_t build[3] = { 31, 55, 1 }; /* build, minor, major */
    memcpy(r + SNP_CURRENT_BUILD, build, sizeof(build));
    memcpy(r + SNP_COMMITTED_BUILD, build, sizeof(build));
}

static void spoil(uint8_t *r, const struct snpsim_faults *f)
{
    put_le(r + SNP_POLICY, SNPSIM_POLICY | f->policy, 8);
    if (f->has_platform)
        put_le(r + SNP_PLATFORM_INFO, f->platform, 8);
    if (f->has_vmpl)
        put_le(r + SNP_VMPL, f->vmpl, 4);
    if (f->product)
        memcpy(r + SNP_FMS, f->product->fms, 3);
    if (f->has_version)
        put_le(r + SNP_VERSION, f->version, 4);
    if (f->has_version && f->version < 3) /* has no such field */
        memset(r + SNP_FMS, 0, 3);
    if (f->masked)
        memset(r + SNP_CHIP_ID, 0, 64);
    if (f->other_data)
        r[SNP_REPORT_DATA] ^= 1;
}

enum rc snpsim_report(uint8_t out[ATTEST_REPORT_LEN],
                      const struct snpsim_chip *chip,
                      const struct snpsim_faults *f,
                      const uint8_t measurement[48],
                      const uint8_t report_data[64])
{
    uint8_t r[ATTEST_REPORT_LEN];
    fill(r, chip, measurement, report_data);
    spoil(r, f);
    OWNED(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
    uint8_t der[128];
    size_t len = sizeof(der);
    if (!ctx ||
        EVP_DigestSignInit(ctx, NULL, EVP_sha384(), NULL, chip->vcek_key) !=
                1 ||
        EVP_DigestSign(ctx, der, &len, r, SNP_SIGNED_LEN) != 1)
        return rc_raise(RC_INTERNAL, "signing a report");
    const unsigned char *p = der;
    OWNED(ECDSA_SIG) *sig = d2i_ECDSA_SIG(NULL, &p, (long)len);
    if (!sig ||
        BN_bn2lebinpad(ECDSA_SIG_get0_r(sig), r + SNP_SIG_R, SNP_SIG_FIELD) <
                0 ||
        BN_bn2lebinpad(ECDSA_SIG_get0_s(sig), r + SNP_SIG_S, SNP_SIG_FIELD) < 0)
        return rc_raise(RC_INTERNAL, "encoding a report's signature");
    memcpy(out, r, sizeof(r));
    return RC_OK;
}

/* Each component at most the committed one's; v is u64, byte 0 lowest. */
static bool tcb_allowed(const uint8_t tcb[8], uint64_t v)
{
    bool ok = true;
    for (unsigned i = 0; i < 8; i++)
        ok &= (uint8_t)(v >> 8 * i) <= tcb[i];
    return ok;
}

enum rc snpsim_key(uint8_t out[32], const struct snpsim_chip *chip,
                   const uint8_t measurement[48], const uint8_t body[24])
{
    struct bytes_reader rd = bytes_reader(body, GUEST_KEY_BODY);
    uint64_t select = bytes_get_u64(&rd);
    uint32_t vmpl = bytes_get_u32(&rd);
    uint32_t svn = bytes_get_u32(&rd);
    uint64_t version = bytes_get_u64(&rd);
    TRY(bytes_end(&rd, "derived key request"));
    if (select >= GUEST_MIX_TCB << 1 || vmpl > 3 || svn > SNPSIM_SVN ||
        !tcb_allowed(chip->product->tcb, version))
        return rc_raise(RC_ARG, "derived key: parameter out of range");
    uint8_t mix[64 + GUEST_KEY_BODY + 8 + 48];
    struct bytes_writer w = bytes_writer(mix, sizeof(mix));
    bytes_put(&w, chip->chip_id, 64);
    bytes_put_u64(&w, select);
    bytes_put_u32(&w, vmpl);
    bytes_put_u32(&w, select & GUEST_MIX_GUEST_SVN ? svn : 0);
    bytes_put_u64(&w, select & GUEST_MIX_TCB ? version : 0);
    bytes_put_u64(&w, select & GUEST_MIX_POLICY ? SNPSIM_POLICY : 0);
    if (select & GUEST_MIX_MEASUREMENT)
        bytes_put(&w, measurement, 48);
    TRY(bytes_written(&w));
    crypto_auth_hmacsha256(out, mix, w.len, chip->root);
    return RC_OK;
}
