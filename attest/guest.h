/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated guest device's protocol: what mpc-snpsim and its callers
 * must agree on to the byte. A Unix stream; each request is
 *
 *     "MPCSIM1\n" ‖ u8 op ‖ u32be length ‖ body
 *
 * and each reply u8 status ‖ u32be length ‖ body, the body empty unless the
 * status is 0. The caller is measured once, when its connection is accepted:
 * a child that inherits the descriptor speaks as the program that opened it.
 *
 * op 1, report: 64 bytes report data. Reply: report[1184] ‖ LP32(VCEK DER)
 *     ‖ LP32(ASK DER) ‖ LP32(ARK DER)
 * op 2, derived key: u64be field select ‖ u32be VMPL ‖ u32be guest SVN ‖
 *     u64be TCB version. Reply: 32 bytes
 * op 3, fault: its name (mpc-snpsim --help). Reply: nothing
 */
#ifndef ATTEST_GUEST_H
#define ATTEST_GUEST_H

#define GUEST_MAGIC      "MPCSIM1\n"
#define GUEST_MAGIC_LEN  8
#define GUEST_HEAD_LEN   13 /* magic, op, length */
#define GUEST_REPLY_HEAD 5  /* status, length */
#define GUEST_BODY_MAX   64
#define GUEST_REPLY_MAX  (32 * 1024)

#define GUEST_OP_REPORT   1
#define GUEST_OP_KEY      2
#define GUEST_OP_FAULT    3
#define GUEST_REPORT_BODY 64
#define GUEST_KEY_BODY    24
#define GUEST_KEY_LEN     32
#define GUEST_OK          0
#define GUEST_BAD_REQUEST 1
#define GUEST_BAD_PARAM   0x16 /* the firmware's INVALID_PARAM */
#define GUEST_FAILED      2
#define GUEST_BUSY        3 /* throttled */
#define GUEST_LOST        4 /* no key to the firmware: ENOTTY */

/* Field select bits of a derived key, as the firmware counts them. */
#define GUEST_MIX_POLICY      (1u << 0)
#define GUEST_MIX_IMAGE_ID    (1u << 1)
#define GUEST_MIX_FAMILY_ID   (1u << 2)
#define GUEST_MIX_MEASUREMENT (1u << 3)
#define GUEST_MIX_GUEST_SVN   (1u << 4)
#define GUEST_MIX_TCB         (1u << 5)

#endif
