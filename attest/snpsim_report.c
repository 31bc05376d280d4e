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

static const uint8_t tcb[8] = {
    SNPSIM_BL, SNPSIM_TEE, 0, 0, 0, 0, SNPSIM_SNP, SNPSIM_UCODE
};

static void fill(uint8_t *r, const struct snpsim_chip *chip,
                 const uint8_t measurement[48], const uint8_t report_data[64])
{
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
    r[SNP_FMS] = SNPSIM_FAMILY;
    r[SNP_FMS + 1] = SNPSIM_MODEL;
    r[SNP_FMS + 2] = SNPSIM_STEPPING;
    memcpy(r + SNP_CHIP_ID, chip->chip_id, 64);
    static const uint16_t at[] = { SNP_CURRENT_TCB, SNP_REPORTED_TCB,
                                   SNP_COMMITTED_TCB, SNP_LAUNCH_TCB };
    for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++)
        memcpy(r + at[i], tcb, sizeof(tcb));
    static const uint8_t build[3] = { 31, 55, 1 }; /* build, minor, major */
    memcpy(r + SNP_CURRENT_BUILD, build, sizeof(build));
    memcpy(r + SNP_COMMITTED_BUILD, build, sizeof(build));
}

enum rc snpsim_report(uint8_t out[ATTEST_REPORT_LEN],
                      const struct snpsim_chip *chip,
                      const uint8_t measurement[48],
                      const uint8_t report_data[64])
{
    uint8_t r[ATTEST_REPORT_LEN];
    fill(r, chip, measurement, report_data);
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
static bool tcb_allowed(uint64_t v)
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
        !tcb_allowed(version))
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
