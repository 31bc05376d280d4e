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
#include "cli/sigstore.h"
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

static enum rc export_trust(const char *out, const char *root)
{
    WIRE(trust) t = { 0 };
    OWN_S(verify_trust) *judged = NULL;
    OWNED_MEM char *json = NULL;
    size_t len;
    TRY(verify_trust_fetch(&t, NULL));
    TRY(find_root(&t.root, root));
    TRY(verify_trust_new(&judged));
    TRY(verify_trust_take(judged, &t)); /* nobody is given what fails */
    TRY(wire_trust_encode(&json, &len, &t));
    if (out)
        TRY(file_write(out, json, len, 0644));
    return say(&t, json, out);
}

/* ---- for clients of Sigstore ------------------------------------------------ */

static enum rc say_sigstore(const struct tlog_vkey *log, const char *json,
                            const char *out)
{
    if (!out)
        return cli_say("%s\n", json);
    if (cli_json())
        return cli_say_json(
                json_pack("{s:s, s:s}", "file", out, "log", log->name));
    cli_note("%s: the log %s by both its keys, and its CA", out, log->name);
    return RC_OK;
}

/* The log's name and key as the policy has them, its other key as it says. */
static enum rc export_sigstore(const char *out, const char *root)
{
    WIRE(trust) t = { 0 };
    WIRE(spki) spki = { 0 };
    OWN_S(verify_trust) *judged = NULL;
    OWNED_MEM char *json = NULL;
    struct tlog_vkey log;
    size_t len;
    TRY(verify_trust_fetch(&t, NULL));
    TRY(find_root(&t.root, root));
    if (t.root.len == 0)
        return rc_raise(RC_ARG, "--sigstore: wants the CA's root, --root FILE");
    TRY(verify_trust_new(&judged));
    TRY(verify_trust_take(judged, &t));
    TRY(tlog_vkey_parse(&log, t.log.p));
    TRY(sigstore_log_key(&spki));
    TRY(sigstore_trusted_root(&json, &len, &log, &spki, t.root.p, t.root.len));
    if (out)
        TRY(file_write(out, json, len, 0644));
    return say_sigstore(&log, json, out);
}

enum rc cmd_trust_export(int argc, char **argv)
{
    const char *out = NULL;
    const char *root = NULL;
    bool sigstore = false;
    const struct cli_arg rows[] = {
        { .name = "--out", .text = &out, .help = "file [standard output]" },
        { .name = "--root",
          .text = &root,
          .help = "the CA's root, PEM [ca.pem in MPC_DEV]" },
        { .name = "--sigstore",
          .flag = &sigstore,
          .help = "a trusted root for cosign and its like instead" },
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    return sigstore ? export_sigstore(out, root) : export_trust(out, root);
}
