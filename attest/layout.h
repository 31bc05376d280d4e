/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Offsets of the SNP attestation report: AMD's table, all little-endian.
 * The verifier reads by it, the simulator writes by it.
 */
#ifndef ATTEST_LAYOUT_H
#define ATTEST_LAYOUT_H

#define SNP_VERSION         0x000
#define SNP_GUEST_SVN       0x004
#define SNP_POLICY          0x008
#define SNP_FAMILY_ID       0x010
#define SNP_IMAGE_ID        0x020
#define SNP_VMPL            0x030
#define SNP_SIGNATURE_ALGO  0x034
#define SNP_CURRENT_TCB     0x038
#define SNP_PLATFORM_INFO   0x040
#define SNP_KEY_INFO        0x048
#define SNP_REPORT_DATA     0x050
#define SNP_MEASUREMENT     0x090
#define SNP_HOST_DATA       0x0C0
#define SNP_ID_KEY_DIGEST   0x0E0
#define SNP_AUTHOR_DIGEST   0x110
#define SNP_REPORT_ID       0x140
#define SNP_REPORT_ID_MA    0x160
#define SNP_REPORTED_TCB    0x180
#define SNP_FMS             0x188
#define SNP_CHIP_ID         0x1A0
#define SNP_COMMITTED_TCB   0x1E0
#define SNP_CURRENT_BUILD   0x1E8
#define SNP_COMMITTED_BUILD 0x1EC
#define SNP_LAUNCH_TCB      0x1F0
#define SNP_LAUNCH_MIT      0x1F8
#define SNP_CURRENT_MIT     0x200
#define SNP_SIGNED_LEN      0x2A0
#define SNP_SIG_R           0x2A0
#define SNP_SIG_S           0x2E8
#define SNP_SIG_FIELD       72
#define SNP_SIG_USED        48
#define SNP_TAIL            0x330

#define SNP_VERSION_MIN 2
#define SNP_VERSION_MAX 5

#define SNP_POLICY_RESERVED_1 (UINT64_C(1) << 17) /* must be one */
#define SNP_POLICY_MIGRATE_MA (UINT64_C(1) << 18)
#define SNP_POLICY_DEBUG      (UINT64_C(1) << 19)
#define SNP_POLICY_KNOWN      ((UINT64_C(1) << 26) - 1)

/* AMD's table ends at bit 7 and keeps 6; Turin sets 6 all the same. */
#define SNP_PLATFORM_KNOWN UINT64_C(0xBF)

#define SNP_KEY_AUTHOR       (1u << 0)
#define SNP_KEY_MASKED       (1u << 1)
#define SNP_KEY_SIGNER(info) (((info) >> 2) & 7)
#define SNP_KEY_VCEK         0
#define SNP_KEY_VLEK         1

/* AMD's certificate extensions */
#define SNP_OID "1.3.6.1.4.1.3704.1."

#endif
