/* SPDX-License-Identifier: Apache-2.0 */
/* The genuine samples of testdata/snp, as evidence. */
#ifndef TESTS_SNPDATA_H
#define TESTS_SNPDATA_H

#include "test.h"

#include "attest/attest.h"

#define SNP_CASES 11

struct snp_case {
    char name[64];
    bool vlek;
    bool debug; /* the sample with the DEBUG policy */
    struct wire_evidence evidence;
};

/* One file, whole; fails the test when it is not there. */
void snp_file(struct wire_blob *out, const char *name, size_t offset,
              size_t len);
/* "amd/milan-ask-ark.pem" as DER */
void snp_chain(struct wire_evidence *out, const char *name);
/* All cases of the manifest; skips the test without test data. */
void snp_load(struct snp_case out[SNP_CASES]);
void snp_free(struct snp_case cases[SNP_CASES]);
/* When a case is to be judged. */
int64_t snp_time(const struct snp_case *c);

/* Row of the verdict, NULL when it was not judged. */
const struct attest_check *snp_row(const struct attest_verdict *v,
                                   const char *id);
/* True when exactly the rows of "B1 B3" failed. */
bool snp_failed_only(const struct attest_verdict *v, const char *ids);

#endif
