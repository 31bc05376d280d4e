/* SPDX-License-Identifier: Apache-2.0 */
/* mpcsign ca show | chain: the root, from the CA or a file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/file.h"
#include "cli/ca.h"

OWNED_BY(X509, X509_free);
OWNED_BY(BIO, BIO_free_all);

#define FILE_MAX 65536

/* ---- from a file -------------------------------------------------------- */

/* A root in PEM, or a TBSCertificate on its way (init's FILE.tbs). */
static enum rc read_file(uint8_t der[CA_DER_MAX], size_t *len, bool *is_signed,
                         const char *file)
{
    static const uint8_t zero[64];
    OWNED_MEM uint8_t *bytes = NULL;
    size_t n;
    uint8_t *end = der;
    TRY(file_read(&bytes, &n, file, FILE_MAX));
    OWNED(BIO) *bio = BIO_new_mem_buf(bytes, (int)n);
    OWNED(X509) *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    ERR_clear_error();
    *is_signed = x != NULL;
    if (!x)
        return ca_assemble(der, len, bytes, n, zero);
    int need = i2d_X509(x, NULL);
    if (need <= 0 || need > CA_DER_MAX)
        return rc_raise(RC_TOO_LARGE, "%s: %d bytes", file, need);
    *len = (size_t)i2d_X509(x, &end);
    return RC_OK;
}

static enum rc show_file(const char *file)
{
    struct ca_words w;
    uint8_t der[CA_DER_MAX];
    size_t len;
    bool is_signed;
    TRY(read_file(der, &len, &is_signed, file));
    TRY(ca_words_of(&w, der, len));
    if (!is_signed) {
        cli_note("%s is to be signed: sha256 comes with the signature", file);
        snprintf(w.sha256, sizeof(w.sha256), "-");
    }
    return cli_json() ? cli_say_json(ca_words_json(&w, file))
                      : ca_words_say(&w, NULL);
}

/* ---- from the CA -------------------------------------------------------- */

enum rc cmd_ca_show(int argc, char **argv)
{
    const char *file = NULL;
    const struct cli_arg rows[] = {
        { .name = "--file",
          .text = &file,
          .help = "a root, or one to be signed [what mpc-ca has]" },
        { 0 },
    };
    bool done;
    WIRE(chain) chain = { 0 };
    struct ca_words w;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    if (file)
        return show_file(file);
    TRY(ca_ask_root(&chain, NULL));
    TRY(ca_words_of(&w, chain.chain.at[0].p, chain.chain.at[0].len));
    return cli_json() ? cli_say_json(ca_words_json(&w, NULL))
                      : ca_words_say(&w, NULL);
}

enum rc cmd_ca_chain(int argc, char **argv)
{
    const char *file = NULL;
    const struct cli_arg rows[] = {
        { .name = "--out",
          .brief = "-O",
          .text = &file,
          .help = "where to, PEM [standard output]" },
        { 0 },
    };
    bool done;
    WIRE(chain) chain = { 0 };
    OWNED_MEM char *pem = NULL;
    size_t len;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    TRY(ca_ask_root(&chain, NULL));
    TRY(cli_chain_pem(&pem, &len, &chain));
    if (file)
        TRY(file_write(file, pem, len, 0644));
    if (cli_json())
        return cli_say_json(json_pack("{s:I, s:s, s:s?}", "certificates",
                                      (json_int_t)chain.chain.n, "pem", pem,
                                      "file", file));
    return file ? RC_OK : cli_say("%s", pem);
}
