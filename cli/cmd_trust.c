/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign trust export: one file with what a verifier must hold to judge
 * bundles. It is not signed: whoever takes it over compares the genesis hash.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/enc.h"
#include "base/file.h"
#include "cli/verify.h"

#define PEM_MAX 65536

OWNED_BY(X509, X509_free);
OWNED_BY(BIO, BIO_free_all);

/* ---- the root -------------------------------------------------------------- */

static enum rc read_root(struct wire_blob *out, const char *path)
{
    OWNED_MEM uint8_t *pem = NULL;
    size_t len;
    unsigned char *der = NULL;
    TRY(file_read(&pem, &len, path, PEM_MAX));
    OWNED(BIO) *bio = BIO_new_mem_buf(pem, (int)len);
    OWNED(X509) *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    int der_len = x ? i2d_X509(x, &der) : -1;
    ERR_clear_error();
    if (der_len <= 0)
        return rc_raise(RC_PARSE, "--root: %s is no certificate, PEM", path);
    enum rc rc = wire_blob_set(out, der, (size_t)der_len);
    OPENSSL_free(der);
    return rc;
}

/* The one asked for, else a dev cluster's; without either, none. */
static enum rc find_root(struct wire_blob *out, const char *given)
{
    char path[CLI_PATH];
    const char *dev = getenv("MPC_DEV");
    if (given)
        return read_root(out, given);
    if (!dev || !*dev)
        return RC_OK;
    snprintf(path, sizeof(path), "%s/ca.pem", dev);
    return read_root(out, path);
}

/* ---- the file --------------------------------------------------------------- */

static enum rc say(const struct wire_trust *t, const char *json,
                   const char *out)
{
    char genesis[65];
    enc_hex(genesis, t->genesis, 32);
    if (!out)
        return cli_say("%s\n", json);
    if (cli_json())
        return cli_say_json(
                json_pack("{s:s, s:s, s:I, s:s, s:b}", "file", out, "genesis",
                          genesis, "versions", (json_int_t)t->versions.n, "log",
                          t->log.p, "root", (int)(t->root.len > 0)));
    cli_note("%s: %zu policy versions, genesis %s%s", out, t->versions.n,
             genesis, t->root.len ? "" : ", no root certificate (--root)");
    return RC_OK;
}

static enum rc export(const char *out, const char *root) {
    WIRE(trust) t = { 0 }; OWN_S(verify_trust) *judged = NULL;
    OWNED_MEM char *json = NULL;
    size_t len;
    TRY(verify_trust_fetch(&t, NULL));
    TRY(find_root(&t.root, root));
    TRY(verify_trust_new(&judged));
    TRY(verify_trust_take(judged, &t)); /* nobody is given what fails */
    TRY(wire_trust_encode(&json, &len, &t));
    if (out) TRY(file_write(out, json, len, 0644));
    return say(&t, json, out);
}

enum rc cmd_trust_export(int argc, char **argv)
{
    const char *out = NULL;
    const char *root = NULL;
    const struct cli_arg rows[] = {
        { .name = "--out", .text = &out, .help = "file [standard output]" },
        { .name = "--root",
          .text = &root,
          .help = "the CA's root, PEM [ca.pem in MPC_DEV]" },
        /* --sigstore: sigstore_trusted_root() of cli/sigstore.h goes here */
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    return done ? RC_OK : export(out, root);
}
