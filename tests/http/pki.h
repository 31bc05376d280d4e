/* SPDX-License-Identifier: Apache-2.0 */
/* A throw-away PKI: Ed25519 CA and leaves with URI names, as PEM files. */
#ifndef TESTS_HTTP_PKI_H
#define TESTS_HTTP_PKI_H

#include "http/http.h"

struct pki {
    const char *dir;
    const char *name;
    char ca_path[128];
    void *ca_key;
    void *ca_cert;
};

struct pki_id {
    char ca[128];
    char cert[128];
    char key[128];
};

void pki_make(struct pki *p, const char *dir, const char *name);
void pki_wipe(struct pki *p);
/* san in OpenSSL's syntax ("URI:mpc://d/r/n"), NULL for none at all. */
void pki_leaf(struct pki_id *out, const struct pki *p, const char *name,
              const char *san, int64_t from_s, int64_t to_s);
struct http_tls_files pki_files(const struct pki_id *id);

#endif
