/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every single bit of what AMD signed and of the signature, and every byte of
 * the certificates, in all genuine samples. By the rows that can tell, not by
 * the whole verifier: it samples the same in test_verify.c.
 */
#include "snpdata.h"

#include <sys/wait.h>

#include "attest/inner.h"
#include "attest/layout.h"

#define WORKERS 2
/* A sanitizer looks at paths, not at bits: every 16th is enough for it. */
#ifdef MPC_SANITIZED
#define STEP (16 * WORKERS)
#else
#define STEP WORKERS
#endif

static struct snp_case cases[SNP_CASES];

static int setup(void **state)
{
    (void)state;
    if (access(getenv("MPC_TESTDATA") ? getenv("MPC_TESTDATA")
                                      : MPC_SOURCE_DIR "/../shared/testdata",
               R_OK) == 0)
        snp_load(cases);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    snp_free(cases);
    return 0;
}

static bool all_rows_hold(const struct attest_verdict *v)
{
    for (unsigned i = 0; i < v->n_checks; i++) {
        if (!v->check[i].ok)
            return false;
    }
    return v->n_checks > 0;
}

/* F2..F7, then the signature over the bytes. */
static bool accepted(const uint8_t *raw, X509 *vek)
{
    struct attest_verdict v;
    memset(&v, 0, sizeof(v));
    attest_report_read(&v.report, raw);
    attest_report_format(&v, raw);
    return all_rows_hold(&v) && attest_report_signed(raw, vek);
}

/* Number of bits that may be flipped, of every STEP-th from `worker` on. */
static unsigned report_flips(const struct snp_case *c, size_t worker,
                             unsigned *tried)
{
    const unsigned char *p = c->evidence.vek.p;
    X509 *vek = d2i_X509(NULL, &p, (long)c->evidence.vek.len);
    uint8_t raw[ATTEST_REPORT_LEN];
    unsigned slipped = 0;
    memcpy(raw, c->evidence.report.p, sizeof(raw));
    if (!vek || !accepted(raw, vek))
        return 1;
    for (size_t bit = worker; bit < SNP_TAIL * 8; bit += STEP) {
        raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (accepted(raw, vek)) {
            print_message("%s: bit %zu may be flipped\n", c->name, bit);
            slipped++;
        }
        raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ++*tried;
    }
    X509_free(vek);
    return slipped;
}

static int report_worker(size_t worker)
{
    unsigned slipped = 0;
    unsigned tried = 0;
    for (size_t i = 0; i < SNP_CASES; i++)
        slipped += report_flips(&cases[i], worker, &tried);
    return slipped == 0 && tried == SNP_CASES * SNP_TAIL * 8 / STEP ? 0 : 1;
}

/* The chain's rows over evidence with one certificate changed. */
static bool chain_accepted(const struct snp_case *c,
                           const struct wire_evidence *e)
{
    static const struct attest_want cli = { .min_version = 2 };
    struct attest_verdict v;
    struct attest_chain chain = { 0 };
    memset(&v, 0, sizeof(v));
    attest_report_read(&v.report, e->report.p);
    attest_chain_judge(&chain, &v, e, NULL, &cli, snp_time(c));
    attest_chain_free(&chain);
    return all_rows_hold(&v);
}

/* One bit of every byte of *cert, which is a part of e. */
static unsigned cert_flips(const struct snp_case *c,
                           const struct wire_evidence *e,
                           struct wire_blob *cert, size_t worker)
{
    unsigned slipped = 0;
    for (size_t at = worker; at < cert->len; at += STEP) {
        uint8_t bit = (uint8_t)(1 << (at / WORKERS) % 8);
        cert->p[at] ^= bit;
        if (chain_accepted(c, e)) {
            print_message("%s: byte %zu of a certificate may be changed\n",
                          c->name, at);
            slipped++;
        }
        cert->p[at] ^= bit;
    }
    return slipped;
}

static int cert_worker(size_t worker)
{
    unsigned slipped = 0;
    for (size_t i = 0; i < SNP_CASES; i++) {
        struct snp_case *c = &cases[i];
        if (!chain_accepted(c, &c->evidence))
            return 1;
        slipped += cert_flips(c, &c->evidence, &c->evidence.vek, worker);
        for (size_t k = 0; k < c->evidence.chain.n; k++)
            slipped += cert_flips(c, &c->evidence, &c->evidence.chain.at[k],
                                  worker);
    }
    return slipped ? 1 : 0;
}

static void in_workers(int (*work)(size_t))
{
    pid_t pids[WORKERS];
    fflush(stdout);
    for (size_t i = 0; i < WORKERS; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            int code = work(i);
            fflush(stdout);
            _exit(code);
        }
    }
    bool good = true;
    for (size_t i = 0; i < WORKERS; i++) {
        int status = 1;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        good = good && status == 0;
    }
    assert_true(good);
}

static void every_flipped_bit_of_every_report_is_refused(void **state)
{
    (void)state;
    testdata();
    in_workers(report_worker);
}

static void every_changed_byte_of_every_certificate_is_refused(void **state)
{
    (void)state;
    testdata();
    in_workers(cert_worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flipped_bit_of_every_report_is_refused),
        cmocka_unit_test(every_changed_byte_of_every_certificate_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
