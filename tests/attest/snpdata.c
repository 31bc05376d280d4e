/* SPDX-License-Identifier: Apache-2.0 */
#include "snpdata.h"

#include <jansson.h>
#include <openssl/pem.h>

#include "base/file.h"

static void path_of(char out[600], const char *name)
{
    snprintf(out, 600, "%s/snp/%s", testdata(), name);
}

void snp_file(struct wire_blob *out, const char *name, size_t offset,
              size_t len)
{
    char path[600];
    path_of(path, name);
    uint8_t *p = NULL;
    size_t got;
    assert_ok(file_read(&p, &got, path, 65536));
    assert_true(offset <= got);
    size_t n = len ? len : got - offset;
    assert_true(n <= got - offset);
    assert_ok(wire_blob_set(out, p + offset, n));
    free(p);
}

void snp_chain(struct wire_evidence *out, const char *name)
{
    char path[600];
    path_of(path, name);
    BIO *bio = BIO_new_file(path, "r");
    assert_non_null(bio);
    assert_ok(wire_list_new(&out->chain, 2));
    for (size_t i = 0; i < 2; i++) {
        X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        assert_non_null(cert);
        unsigned char *der = NULL;
        int len = i2d_X509(cert, &der);
        assert_true(len > 0);
        assert_ok(wire_blob_set(&out->chain.at[i], der, (size_t)len));
        OPENSSL_free(der);
        X509_free(cert);
    }
    BIO_free(bio);
}

void snp_load(struct snp_case out[SNP_CASES])
{
    char path[600];
    path_of(path, "manifest.json");
    json_t *root = json_load_file(path, 0, NULL);
    assert_non_null(root);
    const char *name;
    json_t *c;
    size_t n = 0;
    json_object_foreach (json_object_get(root, "cases"), name, c) {
        assert_true(n < SNP_CASES);
        struct snp_case *s = &out[n++];
        memset(s, 0, sizeof(*s));
        snprintf(s->name, sizeof(s->name), "%s", name);
        const char *signer = json_string_value(json_object_get(c, "signer"));
        s->vlek = strcmp(signer, "VLEK") == 0;
        s->debug = strcmp(name, "milan-v2-google") == 0;
        json_int_t at = json_integer_value(json_object_get(c, "report_offset"));
        snp_file(&s->evidence.report,
                 json_string_value(json_object_get(c, "report")), (size_t)at,
                 ATTEST_REPORT_LEN);
        snp_file(&s->evidence.vek, json_string_value(json_object_get(c, "vek")),
                 0, 0);
        snp_chain(&s->evidence, json_string_value(json_object_get(c, "chain")));
    }
    assert_int_equal(n, SNP_CASES);
    json_decref(root);
}

void snp_free(struct snp_case cases[SNP_CASES])
{
    for (size_t i = 0; i < SNP_CASES; i++)
        wire_evidence_free(&cases[i].evidence);
}

int64_t snp_time(const struct snp_case *c)
{
    /* 2024-06-01, while the VLEK lived; 2026-11-22 */
    return c->vlek ? 1717200000 : 1795305600;
}

const struct attest_check *snp_row(const struct attest_verdict *v,
                                   const char *id)
{
    for (unsigned i = 0; i < v->n_checks; i++) {
        if (strcmp(v->check[i].id, id) == 0)
            return &v->check[i];
    }
    return NULL;
}

bool snp_failed_only(const struct attest_verdict *v, const char *ids)
{
    char got[256] = "";
    for (unsigned i = 0; i < v->n_checks; i++) {
        if (!v->check[i].ok) {
            strcat(got, got[0] ? " " : "");
            strcat(got, v->check[i].id);
        }
    }
    if (strcmp(got, ids) == 0)
        return true;
    print_message("failed rows: '%s', expected '%s'\n", got, ids);
    return false;
}
