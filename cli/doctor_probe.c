/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doctor's child: a fresh process that reads the configuration and loads
 * modules exactly as any tool does, and tells what became of it, line by line.
 * Each line is out before the next step, so that a crash shows where.
 */
#include "cli/doctor.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/store.h>

#include "base/enc.h"

/* ---- in the child ------------------------------------------------------- */

static void PRINTF_LIKE(2, 3) say(const char *name, const char *fmt, ...)
{
    char value[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    for (char *p = value; *p; p++)
        if ((unsigned char)*p < 0x20)
            *p = ' ';
    printf("%s %s\n", name, value);
    fflush(stdout);
}

/* Lines of this name for all that is on the queue: reason and details. */
static void say_errors(const char *name)
{
    const char *data;
    int flags;
    unsigned long e;
    while ((e = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
        const char *reason = ERR_reason_error_string(e);
        say(name, "%s%s%s", reason ? reason : "unknown reason",
            flags & ERR_TXT_STRING ? ": " : "",
            flags & ERR_TXT_STRING ? data : "");
    }
}

/* As OPENSSL_init_crypto() does it in a tool. That the tool hears of no error
 * is OpenSSL's choice; the queue still holds it. */
static void load_config(void)
{
    say("library", "%s", OpenSSL_version(OPENSSL_VERSION));
    int ok = CONF_modules_load_file_ex(
            OSSL_LIB_CTX_get0_global_default(), NULL, NULL,
            CONF_MFLAGS_DEFAULT_SECTION | CONF_MFLAGS_IGNORE_MISSING_FILE);
    say("config", "%d", ok > 0);
    say_errors("config-error");
}

static int say_provider(OSSL_PROVIDER *p, void *arg)
{
    char *version = NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_ptr(OSSL_PROV_PARAM_VERSION, &version, 0),
        OSSL_PARAM_construct_end(),
    };
    (void)arg;
    bool ok = OSSL_PROVIDER_get_params(p, params) == 1 && version;
    say("provider", "%s %s", OSSL_PROVIDER_get0_name(p), ok ? version : "?");
    return 1;
}

static void say_owner(const char *name, const OSSL_PROVIDER *p)
{
    say(name, "%s", p ? OSSL_PROVIDER_get0_name(p) : "-");
    ERR_clear_error();
}

static void probe_library(void)
{
    load_config();
    OSSL_PROVIDER_do_all(NULL, say_provider, NULL);
    ERR_clear_error();
    EVP_MD *md = EVP_MD_fetch(NULL, "SHA256", NULL);
    say_owner("sha256", md ? EVP_MD_get0_provider(md) : NULL);
    EVP_MD_free(md);
    EVP_SIGNATURE *sig = EVP_SIGNATURE_fetch(NULL, "mpc-ed25519", NULL);
    say_owner("signature", sig ? EVP_SIGNATURE_get0_provider(sig) : NULL);
    EVP_SIGNATURE_free(sig);
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    say("keygen", "%d", key != NULL);
    say_errors("keygen-error");
    EVP_PKEY_free(key);
}

static void probe_module(const char *file)
{
    void *h = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!h) {
        say("dlerror", "%s", dlerror());
        return;
    }
    say("opened", "1");
    say("init", "%d", dlsym(h, "OSSL_provider_init") != NULL);
}

static EVP_PKEY *first_key(OSSL_STORE_CTX *store)
{
    EVP_PKEY *key = NULL;
    while (!key && !OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);
        if (!info && OSSL_STORE_error(store))
            break;
        if (info && OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
            key = OSSL_STORE_INFO_get1_PKEY(info);
        OSSL_STORE_INFO_free(info);
    }
    return key;
}

/* A key's public half through OpenSSL; nothing is signed. */
static void probe_key(const char *uri)
{
    uint8_t pub[32];
    char hex[65];
    size_t len = 0;
    load_config();
    OSSL_STORE_CTX *store = OSSL_STORE_open(uri, NULL, NULL, NULL, NULL);
    if (store)
        (void)OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY);
    EVP_PKEY *key = store ? first_key(store) : NULL;
    OSSL_STORE_close(store);
    if (key &&
        EVP_PKEY_get_octet_string_param(key, "pub", pub, sizeof(pub), &len) ==
                1 &&
        len == sizeof(pub))
        say("public", "%s", enc_hex(hex, pub, sizeof(pub)));
    else if (key)
        say("loaded", "1"); /* by the bridge: it has no such parameter */
    say_errors("key-error");
    EVP_PKEY_free(key);
}

enum rc doctor_probe_run(int argc, char **argv)
{
    const char *step = argc > 1 ? argv[1] : "";
    if (argc == 2 && strcmp(step, "library") == 0)
        probe_library();
    else if (argc == 3 && strcmp(step, "module") == 0)
        probe_module(argv[2]);
    else if (argc == 3 && strcmp(step, "key") == 0)
        probe_key(argv[2]);
    else
        return rc_raise(RC_ARG, "a part of mpcsign openssl doctor");
    say("end", "1");
    /* no exit handlers: what was loaded may be broken in them, too */
    _exit(0);
}

/* ---- from the doctor ---------------------------------------------------- */

enum rc doctor_probe(struct doctor_answer *out, const char *step,
                     const char *argument)
{
    const char *const argv[] = { DOCTOR_PROBE, step, argument, NULL };
    return cli_child(out->text, sizeof(out->text), &out->status,
                     "/proc/self/exe", argv, DOCTOR_PROBE_MS);
}

bool doctor_answer_get(char *out, size_t cap, const struct doctor_answer *a,
                       const char *name, unsigned nth)
{
    size_t len = strlen(name);
    for (const char *line = a->text; *line;) {
        size_t n = strcspn(line, "\n");
        if (n > len && strncmp(line, name, len) == 0 && line[len] == ' ' &&
            nth-- == 0) {
            snprintf(out, cap, "%.*s", (int)(n - len - 1), line + len + 1);
            return true;
        }
        line += n + (line[n] == '\n');
    }
    out[0] = '\0';
    return false;
}

bool doctor_answer_is(const struct doctor_answer *a, const char *name,
                      const char *value)
{
    char got[256];
    return doctor_answer_get(got, sizeof(got), a, name, 0) &&
           strcmp(got, value) == 0;
}

enum rc doctor_answer_whole(const struct doctor_answer *a)
{
    if (doctor_answer_is(a, "end", "1"))
        return RC_OK;
    if (WIFSIGNALED(a->status))
        return rc_raise(RC_IO,
                        "the process that tried was ended by signal %d "
                        "(%s)",
                        WTERMSIG(a->status), strsignal(WTERMSIG(a->status)));
    return rc_raise(RC_IO, "the process that tried ended early, with code %d",
                    WEXITSTATUS(a->status));
}
