/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files by which a dev cluster's daemons and OpenSSL find each other. They
 * say nothing that a production configuration could not say, but for the
 * simulated device.
 */
#include "cli/dev.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/file.h"
#include "base/hash.h"

#define CONF_MAX    16384
#define DOC_MAX     (256 * 1024)
#define CA_SIDECARS 4 /* of which the CA tries one after the other */

/* A file being written: lines, and whether all fitted. */
struct lines {
    char text[CONF_MAX];
    size_t len;
    bool full;
};

static void PRINTF_LIKE(2, 3) line(struct lines *l, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n + 1 >= sizeof(l->text) - l->len)
        l->full = true;
    else
        l->len += (size_t)n;
    if (!l->full) {
        l->text[l->len++] = '\n';
        l->text[l->len] = '\0';
    }
}

static enum rc put(const struct dev *d, const char *a, const char *b,
                   const struct lines *l)
{
    char path[DEV_PATH];
    if (l->full)
        return rc_raise(RC_TOO_LARGE, "%s: over %d bytes", a, CONF_MAX);
    TRY(dev_path(path, d, a, b));
    return file_write(path, l->text, l->len, 0600);
}

/* ---- daemons ------------------------------------------------------------ */

static enum rc genesis_hash(char hex[65], const struct dev *d)
{
    char path[DEV_PATH];
    OWNED_MEM uint8_t *bytes = NULL;
    size_t len;
    uint8_t hash[32];
    TRY(dev_path(path, d, "genesis.json", NULL));
    TRY(file_read(&bytes, &len, path, DOC_MAX));
    hash256(hash, bytes, len);
    enc_hex(hex, hash, 32);
    return RC_OK;
}

static const char *tls_prefix(const struct dev_who *w)
{
    return w->id ? "SIDECAR" : strcmp(w->name, "ca") == 0 ? "CA" : "LOG";
}

static unsigned port_of(const struct dev *d, const struct dev_who *w)
{
    return w->id                        ? d->node_port[w->id - 1]
           : strcmp(w->name, "ca") == 0 ? d->ca_port
                                        : d->log_port;
}

static enum rc common(struct lines *l, const struct dev *d,
                      const struct dev_who *w)
{
    char hex[65];
    char sim[DEV_PATH];
    TRY(genesis_hash(hex, d));
    TRY(dev_sock(sim, d, w->name, "sim"));
    line(l, "[%s]", w->section);
    line(l, "deployment = " DEV_CLUSTER);
    line(l, "uri = mpc://" DEV_CLUSTER "/%s%s%s", w->uri_role, w->id ? "/" : "",
         w->id ? w->name : "");
    line(l, "listen = 127.0.0.1:%u", port_of(d, w));
    line(l, "state_dir = %s/%s/state", d->dir, w->name);
    line(l, "pid_file = %s/%s/ready.pid", d->dir, w->name);
    line(l, "device = sim:%s", sim);
    line(l, "allow_simulated = yes");
    line(l, "simulated_ark = %s/sim/log/ark.der", d->dir);
    line(l, "genesis = %s/genesis.json", d->dir);
    line(l, "genesis_sha256 = %s", hex);
    line(l, "CLIENT_TLS_CA = %s/pki/ca.pem", d->dir);
    line(l, "%s_TLS_CERT = %s/pki/%s.crt", tls_prefix(w), d->dir, w->name);
    line(l, "%s_TLS_KEY = %s/pki/%s.key", tls_prefix(w), d->dir, w->name);
    return RC_OK;
}

static enum rc sidecar(struct lines *l, const struct dev *d,
                       const struct dev_who *w)
{
    char sock[DEV_PATH];
    char peers[CONF_MAX / 4];
    size_t at = 0;
    TRY(dev_sock(sock, d, w->name, "sidecar"));
    for (unsigned i = 1; i <= d->n; i++)
        at += (size_t)snprintf(peers + at, sizeof(peers) - at,
                               "%s%u=https://127.0.0.1:%u", i > 1 ? ", " : "",
                               i, d->node_port[i - 1]);
    line(l, "node = %u", w->id);
    line(l, "socket = %s", sock);
    line(l, "socket_mode = 0600");
    line(l, "master_key = snp+peers");
    line(l, "callers = %u=dev", (unsigned)getuid());
    line(l, "session_users = dev, root");
    line(l, "peers = %s", peers);
    line(l, "log_url = https://127.0.0.1:%u", d->log_port);
    line(l, "ca_url = https://127.0.0.1:%u", d->ca_port);
    if (w->id == 1 && d->page_port) {
        line(l, "page_listen = 127.0.0.1:%u", d->page_port);
        line(l, "page_origin = http://localhost:%u", d->page_port);
    }
    return RC_OK;
}

static enum rc ca(struct lines *l, const struct dev *d)
{
    char list[CA_SIDECARS * DEV_PATH] = "";
    char sock[DEV_PATH];
    char name[16];
    /* a dead node takes no certificate with it */
    for (unsigned i = 1; i <= d->n && i <= CA_SIDECARS; i++) {
        size_t at = strlen(list);
        snprintf(name, sizeof(name), "node%u", i);
        TRY(dev_sock(sock, d, name, "sidecar"));
        snprintf(list + at, sizeof(list) - at, "%s%s", at ? ", " : "", sock);
    }
    line(l, "key = mpc:ca");
    line(l, "root = %s/ca.pem", d->dir);
    line(l, "sidecar = %s", list);
    line(l, "openssl_modules = %s", d->modules);
    line(l, "log_url = https://127.0.0.1:%u", d->log_port);
    return RC_OK;
}

static enum rc daemon_config(const struct dev *d, const struct dev_who *w)
{
    OWNED_MEM struct lines *l = calloc(1, sizeof(*l));
    if (!l)
        return rc_raise(RC_NOMEM, "configuration: out of memory");
    line(l, "# written by mpcsign dev up");
    TRY(common(l, d, w));
    if (w->id)
        TRY(sidecar(l, d, w));
    else if (strcmp(w->name, "ca") == 0)
        TRY(ca(l, d));
    else
        line(l, "public_listen = 127.0.0.1:%u", d->public_port);
    return put(d, w->name, "daemon.cnf", l);
}

/* ---- OpenSSL ------------------------------------------------------------ */

static enum rc openssl_config(const struct dev *d)
{
    char sock[DEV_PATH];
    OWNED_MEM struct lines *l = calloc(1, sizeof(*l));
    if (!l)
        return rc_raise(RC_NOMEM, "configuration: out of memory");
    TRY(dev_sock(sock, d, "node1", "sidecar"));
    line(l, "# written by mpcsign dev up: for OPENSSL_CONF, complete");
    line(l, "openssl_conf = openssl_init");
    line(l, "[openssl_init]");
    line(l, "providers = provider_sect");
    line(l, "[provider_sect]");
    line(l, "default = default_sect");
    line(l, "mpc = mpc_sect");
    line(l, "[default_sect]");
    line(l, "activate = 1");
    line(l, "[mpc_sect]");
    line(l, "module = %s/mpc.so", d->modules);
    line(l, "activate = 1");
    line(l, "sidecar = %s", sock);
    line(l, "legacy-bridge = yes");
    line(l, "decode-public-keys = yes");
    /* `openssl req` wants a section, whatever it is told to do */
    line(l, "[req]");
    line(l, "distinguished_name = req_dn");
    line(l, "[req_dn]");
    return put(d, "openssl.cnf", NULL, l);
}

/* What stands for a key where a tool wants a file: no secret, 0644. */
static enum rc reference(const struct dev *d, const char *key, bool bridge)
{
    char name[32];
    char path[DEV_PATH];
    char text[CLI_REF_MAX];
    OWNED_MEM char *pem = NULL;
    size_t len;
    snprintf(name, sizeof(name), "%s.pem", key);
    TRY(dev_path(path, d, name, NULL));
    TRY(cli_ref_text(text, key, NULL));
    TRY(cli_ref_pem(&pem, &len, text, bridge));
    return file_write(path, pem, len, 0644);
}

enum rc dev_config(const struct dev *d)
{
    struct dev_who w;
    for (unsigned i = 0; dev_who_at(&w, d, i); i++)
        TRY(daemon_config(d, &w));
    TRY(openssl_config(d));
    TRY(reference(d, "release", true));
    return reference(d, "web", false);
}

/* ---- the environment of those who use it -------------------------------- */

/* As one shell word; names hold no quote (dev_dir), PATH may. */
static enum rc say_export(const char *name, const char *value)
{
    TRY(cli_say("export %s='", name));
    for (const char *p = value; *p; p++)
        TRY(*p == '\'' ? cli_say("'\\''") : cli_say("%c", *p));
    return cli_say("'\n");
}

static enum rc say_path(const struct dev *d)
{
    const char *path = getenv("PATH");
    size_t len = strlen(d->bin);
    bool first = path && strncmp(path, d->bin, len) == 0 &&
                 (path[len] == ':' || path[len] == '\0');
    OWNED_MEM char *made = NULL;
    if (first || !path || !*path)
        return say_export("PATH", first ? path : d->bin);
    if (asprintf(&made, "%s:%s", d->bin, path) < 0)
        return rc_raise(RC_NOMEM, "PATH: out of memory");
    return say_export("PATH", made);
}

/* Every program of the policy: narrower than that would part the cluster. */
static void hashes_of(char *out, size_t cap, const struct policy *p)
{
    size_t at = 0;
    char hex[65];
    out[0] = '\0';
    for (unsigned r = 0; r < POLICY__ROLES; r++)
        for (unsigned i = 0; i < p->n_measurements[r] && at < cap; i++)
            at += (size_t)snprintf(out + at, cap - at, "%s%s", at ? "," : "",
                                   enc_hex(hex, p->measurement[r][i], 32));
}

enum rc dev_env(const struct dev *d)
{
    char path[DEV_PATH];
    char text[4096];
    OWN_S(policy) *p = NULL;
    TRY(dev_path(path, d, "policy.json", NULL));
    TRY(cli_policy_read(&p, path));
    TRY(dev_path(path, d, "openssl.cnf", NULL));
    TRY(say_export("OPENSSL_CONF", path));
    TRY(say_export("OPENSSL_MODULES", d->modules));
    TRY(dev_sock(path, d, "node1", "sidecar"));
    TRY(say_export("MPC_SIDECAR", path));
    TRY(say_path(d));
    TRY(say_export("MPC_DEV", d->dir));
    snprintf(text, sizeof(text), "http://127.0.0.1:%u", d->public_port);
    TRY(say_export("MPC_LOG_URL", text));
    TRY(say_export("MPC_LOG_VKEY",
                   p->has_log ? tlog_vkey_text(text, &p->log) : ""));
    snprintf(text, sizeof(text), "http://localhost:%u", d->page_port);
    TRY(say_export("MPC_APPROVE_URL", d->page_port ? text : ""));
    hashes_of(text, sizeof(text), p);
    return say_export("TEE_POLICY_HASH", text);
}
