/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this daemon holds its peers to, from its own files: TEE_POLICY_HASH,
 * an attestation policy, CRLs, and certificates for evidence that comes
 * without. Read at the start, on SIGHUP, and when a file changes, which is
 * looked at once a minute. What cannot be read changes nothing.
 */
#include "daemon/daemon.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"

#define LOOK_MS 60000
#define CRLS    3

OWNED_STRUCT(conf);

/* Everything read, before anything is changed. */
struct daemon_read {
    bool has_rules;
    struct attest_rules rules;
    struct wire_blob crl[CRLS];
    unsigned n_crls;
    struct wire_blob cert[ATTEST_MAX_FILES];
    unsigned n_certs;
};

static void daemon_read_free(struct daemon_read *r)
{
    for (unsigned i = 0; i < r->n_crls; i++)
        free(r->crl[i].p);
    for (unsigned i = 0; i < r->n_certs; i++)
        free(r->cert[i].p);
    free(r);
}
OWNED_STRUCT(daemon_read);

static const char *text_of(const struct conf *c, const char *key)
{
    const char *text = conf_get(c, key);
    return text ? text : "";
}

/* ---- reading ----------------------------------------------------------- */

static enum rc read_rules(struct daemon_read *r, const char *path)
{
    OWNED_MEM uint8_t *json = NULL;
    size_t len;
    if (!*path)
        return RC_OK;
    TRY(file_read(&json, &len, path, ATTEST_RULES_MAX));
    enum rc rc = attest_rules_parse(&r->rules, json, len);
    if (rc != RC_OK)
        return rc_prefix(rc, "attestation_policy %s: ", path);
    r->has_rules = true;
    return RC_OK;
}

/* Up to the next comma; false at the end of the list. */
static bool next_path(char *out, size_t size, const char **list)
{
    size_t len = strcspn(*list, ",");
    if (len == 0)
        return false;
    snprintf(out, size, "%.*s", (int)len, *list);
    *list += len + ((*list)[len] == ',');
    return true;
}

static enum rc read_crls(struct daemon_read *r, const char *list)
{
    char path[CONF_VALUE_MAX];
    while (next_path(path, sizeof(path), &list)) {
        if (r->n_crls == CRLS)
            return rc_raise(RC_ARG, "crl: at most %d files, one a product",
                            CRLS);
        struct wire_blob *b = &r->crl[r->n_crls];
        TRY(file_read(&b->p, &b->len, path, ATTEST_CRL_MAX));
        r->n_crls++;
    }
    return RC_OK;
}

static bool is_der(const char *name)
{
    size_t len = strlen(name);
    return name[0] != '.' && len > 4 && strcmp(name + len - 4, ".der") == 0;
}

static enum rc read_cert(struct daemon_read *r, const char *dir,
                         const char *name)
{
    char path[CONF_VALUE_MAX + 256];
    if (r->n_certs == ATTEST_MAX_FILES)
        return rc_raise(RC_TOO_LARGE, "cert_dir %s: over %d files", dir,
                        ATTEST_MAX_FILES);
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    struct wire_blob *b = &r->cert[r->n_certs];
    TRY(file_read(&b->p, &b->len, path, ATTEST_CERT_MAX));
    r->n_certs++;
    return RC_OK;
}

static enum rc read_certs(struct daemon_read *r, const char *dir)
{
    if (!*dir)
        return RC_OK;
    DIR *d = opendir(dir);
    if (!d)
        return rc_raise(RC_IO, "cert_dir %s: %m", dir);
    enum rc rc = RC_OK;
    const struct dirent *e;
    while (rc == RC_OK && (e = readdir(d)) != NULL)
        if (is_der(e->d_name))
            rc = read_cert(r, dir, e->d_name);
    closedir(d);
    return rc;
}

static enum rc read_all(struct daemon_read **out, const struct conf *c)
{
    OWN_S(daemon_read) *r = calloc(1, sizeof(*r));
    if (!r)
        return rc_raise(RC_NOMEM, "attestation files");
    TRY(read_rules(r, text_of(c, "attestation_policy")));
    TRY(read_crls(r, text_of(c, "crl")));
    TRY(read_certs(r, text_of(c, "cert_dir")));
    *out = TAKE(r);
    return RC_OK;
}

enum rc daemon_attestation_check(const struct conf *c)
{
    OWN_S(daemon_read) *r = NULL;
    return read_all(&r, c);
}

/* ---- when they change -------------------------------------------------- */

static int64_t changed_at(const char *path)
{
    struct stat st;
    if (!*path || stat(path, &st) != 0)
        return 0;
    return (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

/* Another number when any of them changed, came or went. */
static uint64_t state_of(const struct conf *c)
{
    char path[CONF_VALUE_MAX];
    const char *list = text_of(c, "crl");
    uint64_t sum = (uint64_t)changed_at(text_of(c, "attestation_policy"));
    sum = sum * 31 + (uint64_t)changed_at(text_of(c, "cert_dir"));
    while (next_path(path, sizeof(path), &list))
        sum = sum * 31 + (uint64_t)changed_at(path);
    return sum;
}

/* ---- applying ---------------------------------------------------------- */

void daemon_attestation_self(struct daemon *d)
{
    enum rc rc = attest_channel_self(d->channel);
    if (rc != RC_OK)
        log_warn("attest.self", "code=%s why=\"%s\"", rc_slug(rc), rc_text());
}

static struct attest_files files_of(const struct daemon_read *r)
{
    return (struct attest_files){ .rules = r->has_rules ? &r->rules : NULL,
                                  .crl = r->crl,
                                  .n_crls = r->n_crls,
                                  .cert = r->cert,
                                  .n_certs = r->n_certs };
}

static enum rc apply(struct daemon *d, const struct conf *c)
{
    OWN_S(daemon_read) *r = NULL;
    uint64_t state = state_of(c);
    TRY(read_all(&r, c));
    const struct attest_files files = files_of(r);
    TRY(attest_channel_files(d->channel, &files));
    d->files_state = state;
    return RC_OK;
}

/* Our own evidence, judged first of all, may want certificates from there. */
enum rc daemon_attestation_open(struct daemon *d,
                                struct attest_channel_config *c)
{
    OWN_S(daemon_read) *r = NULL;
    uint64_t state = state_of(d->conf);
    TRY(read_all(&r, d->conf));
    const struct attest_files files = files_of(r);
    c->files = &files;
    enum rc rc = attest_channel_new(&d->channel, c);
    c->files = NULL; /* it has copied them */
    TRY(rc);
    d->files_state = state;
    d->look_ms = clock_mono_ms() + LOOK_MS;
    return RC_OK;
}

enum rc daemon_rules(struct daemon *d, const char *json, size_t len)
{
    OWNED_MEM struct attest_rules *rules = calloc(1, sizeof(*rules));
    bool has = false;
    if (!rules)
        return rc_raise(RC_NOMEM, "attestation policy");
    TRY(attest_rules_shared(rules, &has, json, len));
    TRY(attest_channel_rules(d->channel, has ? rules : NULL));
    daemon_attestation_self(d);
    return RC_OK;
}

/* The environment cannot change; the file can. All of it or nothing. */
static enum rc reload(struct daemon *d)
{
    OWN_S(conf) *c = NULL;
    const char *hashes;
    uint8_t unused[ATTEST_MAX_HASHES][32];
    unsigned n;
    TRY(conf_load(&c, d->file, d->program->section, d->options));
    hashes = conf_get(c, "TEE_POLICY_HASH");
    if (hashes)
        TRY(attest_hashes_parse(unused, &n, hashes));
    TRY(apply(d, c));
    TRY(attest_channel_narrow(d->channel, hashes));
    conf_free(d->reloaded);
    d->reloaded = TAKE(c);
    return RC_OK;
}

static void say(struct daemon *d, enum rc rc, const char *why)
{
    if (rc != RC_OK) {
        log_rc(LOG_ERROR, "reload.failed", rc);
        return;
    }
    log_info("reload", "why=%s", why);
    daemon_attestation_self(d);
}

void daemon_tick(struct daemon *d)
{
    const struct conf *c = d->reloaded ? d->reloaded : d->conf;
    int64_t now = clock_mono_ms();
    if (daemon_reload_asked()) {
        say(d, reload(d), "signal");
        return;
    }
    if (now < d->look_ms)
        return;
    d->look_ms = now + LOOK_MS;
    if (state_of(c) != d->files_state)
        say(d, apply(d, c), "files");
}

/* ---- what the channel tells -------------------------------------------- */

void daemon_on_refused(void *ctx, const char *uri, const char *method,
                       const char *path, enum rc rc, const char *why)
{
    (void)ctx;
    (void)method;
    log_warn("attest.refused", "peer=%s path=%s code=%s why=\"%s\"", uri, path,
             rc_slug(rc), why);
}

void daemon_on_news(void *ctx, const char *uri, enum attest_news news)
{
    (void)ctx;
    if (news == ATTEST_CLONE)
        log_error("attest.clone",
                  "peer=%s why=\"two machines with this "
                  "node's certificate are alive\"",
                  uri);
    else
        log_info(news == ATTEST_RESTARTED ? "attest.restarted"
                                          : "attest.relaunched",
                 "peer=%s", uri);
}
