/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulator's own door between its files. Nothing of it is in the
 * library or in a build without MPC_SIMULATED_TEE.
 */
#ifndef ATTEST_SNPSIM_H
#define ATTEST_SNPSIM_H

#include <stdint.h>
#include <sys/types.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "attest/attest.h"

OWNED_BY(EVP_PKEY, EVP_PKEY_free);
OWNED_BY(X509, X509_free);

#define SNPSIM_POLICY 0x30000
#define SNPSIM_SVN    1
#define SNPSIM_PATH   512

/* The chip that is played; one TCB for all four fields. */
struct snpsim_product {
    const char *name; /* "genoa" */
    enum attest_product product;
    const char *in_vcek; /* productName */
    uint8_t fms[3];      /* family, model, stepping */
    uint8_t tcb[8];      /* as in a report */
    struct attest_tcb spl;
    size_t hwid_len;
};
/* NULL: none of that name. */
const struct snpsim_product *snpsim_product(const char *name);

/* What the device does wrong on purpose; zeros: nothing. */
struct snpsim_faults {
    bool throttle;   /* no request is answered but "busy" */
    bool lost;       /* nor any more: the kernel has no key (ENOTTY) */
    bool stale_cert; /* VCEK for another TCB than the reported */
    bool old_cert;   /* VCEK that has expired */
    bool no_certs;   /* the host has none */
    bool masked;     /* CHIP_ID of zeros */
    bool other_data; /* a report over other REPORT_DATA */
    uint64_t policy; /* bits set besides ours */
    bool has_platform, has_version, has_vmpl;
    uint64_t platform;
    uint64_t version, vmpl;
    const struct snpsim_product *product; /* of another family; or NULL */
};
/* fault.c: "debug", "vmpl=2", …, adds to *f; "none" clears it. RC_ARG. */
MUST_CHECK enum rc snpsim_fault_set(struct snpsim_faults *f, const char *word);
extern const char snpsim_fault_help[];
/* Tells the simulator at this socket. */
MUST_CHECK enum rc snpsim_fault_send(const char *socket, const char *word);

struct snpsim_cert {
    uint8_t der[ATTEST_CERT_MAX];
    size_t len;
};
struct snpsim_chip {
    uint8_t chip_id[64];
    uint8_t report_id[32]; /* new for each `serve`: one launch */
    uint8_t host_data[32];
    uint8_t root[32]; /* derived keys come from it */
    EVP_PKEY *vcek_key;
    struct snpsim_cert vcek, vcek_stale, vcek_old, ask, ark;
    const struct snpsim_product *product;
};

/*
 * pki.c: DIR/{ark,ask,vcek}.der and .key, crl.der, chip_id, root.key, product
 * and two certificates that are wrong: vcek-stale.der and vcek-old.der.
 * roots NULL: a root of its own. product NULL: that of roots, or Genoa.
 */
MUST_CHECK enum rc snpsim_init(const char *dir, const char *roots,
                               const char *chip, const char *product);
/* The ARK's CRL, good for a year from now; it may name the ASK. */
MUST_CHECK enum rc snpsim_crl(const char *dir, bool revoke_ask);

/* files.c */
MUST_CHECK enum rc snpsim_path(char out[SNPSIM_PATH], const char *dir,
                               const char *name);
MUST_CHECK enum rc snpsim_put(const char *dir, const char *name, const void *p,
                              size_t len, mode_t mode);
MUST_CHECK enum rc snpsim_get(void *out, size_t cap, size_t *len,
                              const char *dir, const char *name);
MUST_CHECK enum rc snpsim_put_key(const char *dir, const char *name,
                                  EVP_PKEY *key);
MUST_CHECK enum rc snpsim_get_key(EVP_PKEY **out, const char *dir,
                                  const char *name);
MUST_CHECK enum rc snpsim_put_cert(const char *dir, const char *name,
                                   X509 *cert);
MUST_CHECK enum rc snpsim_get_cert(struct snpsim_cert *out, const char *dir,
                                   const char *name);
MUST_CHECK enum rc snpsim_get_product(const struct snpsim_product **out,
                                      const char *dir);
MUST_CHECK enum rc snpsim_load(struct snpsim_chip *out, const char *dir);
void snpsim_chip_free(struct snpsim_chip *c);

/* report.c: what the firmware would say to a guest of this measurement */
MUST_CHECK enum rc snpsim_report(uint8_t out[ATTEST_REPORT_LEN],
                                 const struct snpsim_chip *chip,
                                 const struct snpsim_faults *f,
                                 const uint8_t measurement[48],
                                 const uint8_t report_data[64]);
/* RC_ARG: the firmware refuses these parameters. */
MUST_CHECK enum rc snpsim_key(uint8_t out[32], const struct snpsim_chip *chip,
                              const uint8_t measurement[48],
                              const uint8_t body[24]);

/* serve.c: until SIGTERM or SIGINT; faults: what it begins with */
MUST_CHECK enum rc snpsim_serve(const struct snpsim_chip *chip,
                                const struct snpsim_faults *faults,
                                const char *socket, int ready_fd);

#endif
