/* SPDX-License-Identifier: Apache-2.0 */
/* Whose signature it is: the certificate, by the reader's roots and time. */
#include "cli/cms.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "base/clock.h"

OWNED_BY(X509_STORE, X509_STORE_free);
OWNED_BY(X509_STORE_CTX, X509_STORE_CTX_free);

/* ---- roots and times ---------------------------------------------------- */

static enum rc load_roots(X509_STORE **out, const char *file)
{
    OWNED(X509_STORE) *store = X509_STORE_new();
    bool ok = store && X509_STORE_load_file(store, file) == 1;
    ERR_clear_error();
    if (!ok)
        return rc_raise(RC_UNKNOWN, "%s: no certificates in PEM", file);
    *out = TAKE(store);
    return RC_OK;
}

static enum rc chain_failed(X509_STORE_CTX *ctx, X509 *leaf, int64_t at_s)
{
    char when[CLOCK_TEXT_SIZE];
    int why = X509_STORE_CTX_get_error(ctx);
    bool time = why == X509_V_ERR_CERT_HAS_EXPIRED ||
                why == X509_V_ERR_CERT_NOT_YET_VALID;
    enum rc rc = rc_raise(RC_VERIFY, "certificate: %s (depth %d, judged at %s)",
                          X509_verify_cert_error_string(why),
                          X509_STORE_CTX_get_error_depth(ctx),
                          clock_text(when, at_s));
    if (time && X509_STORE_CTX_get_current_cert(ctx) == leaf)
        rc_hint("leaves live minutes: --at TIME judges at a time you trust, "
                "and a bundle (mpcsign verify) proves when it was signed");
    return rc;
}

enum rc cms_judge_chain(const struct cms_signer *s, const char *roots,
                        int64_t at_s)
{
    OWNED(X509_STORE) *store = NULL;
    TRY(load_roots(&store, roots));
    OWNED(X509_STORE_CTX) *ctx = X509_STORE_CTX_new();
    if (!ctx || X509_STORE_CTX_init(ctx, store, s->leaf, s->certs) != 1)
        return rc_raise(RC_NOMEM, "certificate: out of memory");
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_time(param, (time_t)at_s);
    if (X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_ANY) != 1)
        return rc_raise(RC_INTERNAL, "certificate: no purpose `any`");
    bool ok = X509_verify_cert(ctx) == 1;
    ERR_clear_error();
    return ok ? RC_OK : chain_failed(ctx, s->leaf, at_s);
}

/* OpenSSL has a purpose for this from 3.2 on only. */
enum rc cms_judge_codesign(const struct cms_signer *s)
{
    uint32_t uses = X509_get_key_usage(s->leaf);
    uint32_t extended = X509_get_extended_key_usage(s->leaf);
    bool ok = X509_check_ca(s->leaf) == 0 && (uses & KU_DIGITAL_SIGNATURE) &&
              extended != UINT32_MAX && (extended & XKU_CODE_SIGN);
    ERR_clear_error();
    return ok ? RC_OK
              : rc_raise(RC_VERIFY, "certificate: not for code signing");
}

bool cms_is_simulated(const struct cms_signer *s)
{
    for (int i = 0; i < sk_X509_num(s->certs); i++)
        if (cli_is_simulated(sk_X509_value(s->certs, i)))
            return true;
    return false;
}

/* ---- names -------------------------------------------------------------- */

static void plain(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e)
            *text = '?';
}

/* The first URI among its names: mpc://CLUSTER/..., else the subject. */
void cms_signer_name(char *out, size_t cap, const struct cms_signer *s)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(s->leaf, NID_subject_alt_name, NULL,
                                            NULL);
    out[0] = '\0';
    for (int i = 0; names && !out[0] && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
        if (n->type == GEN_URI)
            snprintf(out, cap, "%.*s",
                     ASN1_STRING_length(n->d.uniformResourceIdentifier),
                     (const char *)ASN1_STRING_get0_data(
                             n->d.uniformResourceIdentifier));
    }
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    if (!out[0])
        X509_NAME_oneline(X509_get_subject_name(s->leaf), out, (int)cap);
    plain(out);
}

enum rc cms_roots(char out[CLI_PATH], const char *given)
{
    const char *env = getenv("MPC_CA");
    const char *dev = getenv("MPC_DEV");
    bool by_dev = !given && !(env && *env);
    const char *from = given ? given : by_dev ? dev : env;
    if (!from || !*from) {
        enum rc rc = rc_raise(RC_ARG, "no root to judge certificates by");
        rc_hint("--ca FILE names it, or MPC_CA");
        return rc;
    }
    if (snprintf(out, CLI_PATH, "%s%s", from, by_dev ? "/ca.pem" : "") >=
        CLI_PATH)
        return rc_raise(RC_ARG, "--ca: name too long");
    return RC_OK;
}
