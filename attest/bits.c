/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bits of the guest policy and of the platform information: AMD's names,
 * and what each means to a person. Public data only.
 */
#include "attest/bits.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
const struct attest_bit attest_policy_bits[] = {
    { 16, "SMT",                    "may run where SMT is on" },
    { 18, "MIGRATE_MA",             "may be moved by a migration agent" },
    { 19, "DEBUG",                  "the host may read its memory" },
    { 20, "SINGLE_SOCKET",          "runs on one socket only" },
    { 21, "CXL_ALLOW",              "may use CXL memory" },
    { 22, "MEM_AES_256_XTS",        "memory encrypted with AES-256-XTS" },
    { 23, "RAPL_DIS",               "power readings must be off" },
    { 24, "CIPHERTEXT_HIDING_DRAM", "the host must not read ciphertext" },
    { 25, "PAGE_SWAP_DISABLE",      "its pages are never swapped out" },
    { 0, NULL, NULL },
};
const struct attest_bit attest_platform_bits[] = {
    { 0, "SMT_EN",                   "SMT is on" },
    { 1, "TSME_EN",                  "all memory is encrypted" },
    { 2, "ECC_EN",                   "memory has ECC" },
    { 3, "RAPL_DIS",                 "power readings are off" },
    { 4, "CIPHERTEXT_HIDING_EN",     "the host cannot read ciphertext" },
    { 5, "ALIAS_CHECK_COMPLETE",     "memory was checked for aliases (BadRAM)" },
    { 7, "TIO_EN",                   "trusted I/O is on" },
    { 0, NULL, NULL },
};
/* clang-format on */

int attest_bit_find(const struct attest_bit *bits, const char *name)
{
    for (; bits->name; bits++)
        if (strcmp(bits->name, name) == 0)
            return bits->bit;
    return -1;
}

static const char *name_of(const struct attest_bit *bits, unsigned bit)
{
    for (; bits->name; bits++)
        if (bits->bit == bit)
            return bits->name;
    return NULL;
}

void attest_bits_text(char *out, size_t size, const struct attest_bit *bits,
                      uint64_t mask)
{
    size_t at = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < 64 && at < size; i++) {
        const char *name = name_of(bits, i);
        if (!(mask >> i & 1))
            continue;
        at += (size_t)(name ? snprintf(out + at, size - at, "%s%s",
                                       at ? ", " : "", name)
                            : snprintf(out + at, size - at, "%sbit %u",
                                       at ? ", " : "", i));
    }
    if (!mask)
        snprintf(out, size, "none");
}
