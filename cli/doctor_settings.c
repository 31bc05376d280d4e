/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our provider's section of the configuration. A value that the provider does
 * not understand makes it unusable rather than quietly different; a name that
 * it does not know is passed over, so a typing error shows only here.
 */
#include "cli/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/enc.h"

OWNED_BY(BIO, BIO_free_all);
OWNED_BY(PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free);

static const char *const known[] = {
    "identity",     "module",  "activate",      "soft_load",
    "sidecar",      "timeout", "legacy-bridge", "decode-public-keys",
    "evidence-dir",
};

const char *doctor_setting(const struct doctor *d, const char *key)
{
    const char *value = d->conf && d->mpc
                                ? NCONF_get_string(d->conf, d->mpc, key)
                                : NULL;
    ERR_clear_error();
    return value ? value : "";
}

static bool is_known(const char *name)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strcmp(known[i], name) == 0)
            return true;
    return false;
}

/* ---- what stands there -------------------------------------------------- */

static void check_names(struct doctor *d)
{
    STACK_OF(CONF_VALUE) *list = NCONF_get_section(d->conf, d->mpc);
    ERR_clear_error();
    for (int i = 0; list && i < sk_CONF_VALUE_num(list); i++) {
        const CONF_VALUE *v = sk_CONF_VALUE_value(list, i);
        if (!is_known(v->name))
            doctor_warn(d, "settings", "see provider-mpc(7) for their names",
                        "[%s] says %s = ..., which the provider does not know",
                        d->mpc, v->name);
    }
}

static bool check_switch(struct doctor *d, const char *name)
{
    char fix[DOCTOR_FIX];
    const char *value = doctor_setting(d, name);
    if (!*value || strcmp(value, "yes") == 0 || strcmp(value, "no") == 0)
        return true;
    snprintf(fix, sizeof(fix), "write `%s = yes` or `no` in [%s]", name,
             d->mpc);
    doctor_fail(d, "settings", fix, "%s = %s: want yes or no", name, value);
    return false;
}

static bool check_timeout(struct doctor *d)
{
    uint64_t s;
    const char *value = doctor_setting(d, "timeout");
    if (!*value || (enc_undec(&s, value, strlen(value)) == RC_OK && s >= 1 &&
                    s <= DOCTOR_TIMEOUT_MAX))
        return true;
    doctor_fail(d, "settings", "write `timeout = 10`",
                "timeout = %s: want seconds, 1..%d", value, DOCTOR_TIMEOUT_MAX);
    return false;
}

static bool check_evidence(struct doctor *d)
{
    const char *value = doctor_setting(d, "evidence-dir");
    if (!*value)
        return true;
    if (*value != '/') {
        doctor_fail(d, "settings", "write it from / on",
                    "evidence-dir = %s: want an absolute path", value);
        return false;
    }
    if (access(value, W_OK | X_OK) != 0)
        doctor_warn(d, "settings",
                    "let who signs write there, or comment the line out",
                    "evidence-dir = %s: %s", value, strerror(errno));
    return true;
}

/* ---- the bridge --------------------------------------------------------- */

static bool is_bridge_file(const char *path)
{
    char oid[64] = "";
    const ASN1_OBJECT *which;
    OWNED(BIO) *bio = BIO_new_file(path, "r");
    OWNED(PKCS8_PRIV_KEY_INFO) *p8 = bio ? PEM_read_bio_PKCS8_PRIV_KEY_INFO(
                                                   bio, NULL, NULL, NULL)
                                         : NULL;
    if (p8 && PKCS8_pkey_get0(&which, NULL, NULL, NULL, p8) == 1)
        OBJ_obj2txt(oid, sizeof(oid), which, 1);
    ERR_clear_error();
    return strcmp(oid, CLI_REF_OID) == 0;
}

static void check_bridge(struct doctor *d)
{
    bool on = strcmp(doctor_setting(d, "legacy-bridge"), "yes") == 0;
    bool decodes = strcmp(doctor_setting(d, "decode-public-keys"), "yes") == 0;
    char fix[DOCTOR_FIX];
    snprintf(fix, sizeof(fix), "write `legacy-bridge = yes` in [%s]",
             d->mpc ? d->mpc : "mpc_sect");
    if (on && OPENSSL_version_major() >= 4)
        doctor_warn(d, "bridge", "use mpcsign cms sign",
                    "legacy-bridge = yes, but OpenSSL %u has no engines",
                    OPENSSL_version_major());
    else if (on && !decodes && OPENSSL_version_major() == 3 &&
             OPENSSL_version_minor() == 0)
        doctor_warn(d, "bridge",
                    "write `decode-public-keys = yes` beside it, or verify "
                    "with mpcsign cms verify",
                    "legacy-bridge = yes signs CMS, which OpenSSL 3.0 does not "
                    "verify alone");
    else if (!on && d->key && is_bridge_file(d->key))
        doctor_fail(d, "bridge", fix,
                    "%s is a key file for the bridge, which is off: openssl "
                    "cms -sign fails with it on OpenSSL 3.0",
                    d->key);
    else
        doctor_ok(d, "bridge", "legacy-bridge is %s", on ? "on" : "off");
}

void doctor_settings(struct doctor *d)
{
    if (!d->mpc)
        return;
    check_names(d);
    bool ok = check_switch(d, "legacy-bridge");
    ok = check_switch(d, "decode-public-keys") && ok;
    ok = check_timeout(d) && ok;
    ok = check_evidence(d) && ok;
    if (ok)
        check_bridge(d);
}
