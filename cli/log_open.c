/* SPDX-License-Identifier: Apache-2.0 */
/* A log read from outside: by HTTP, or as the static files of a mirror. */
#include "cli/log.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/file.h"

#define FETCH_MS  10000
#define FETCH_MAX (17u * 1024 * 1024) /* 256 entries of 64 KiB, and lengths */
#define BUNDLE    256
#define TELL_MS   1000

/* ---- whom to believe ---------------------------------------------------- */

static const char *or_env(const char *given, const char *name)
{
    const char *env = given ? given : getenv(name);
    return env && *env ? env : NULL;
}

static enum rc missing(const char *option, const char *env)
{
    enum rc rc = rc_raise(RC_ARG, "%s is missing", option);
    rc_hint("give it, or set %s as mpcsign dev env prints it", env);
    return rc;
}

static enum rc read_policy(struct tlog_trust *t, const char *path)
{
    OWNED_MEM uint8_t *text = NULL;
    size_t len;
    TRY(file_read(&text, &len, path, TLOG_TRUST_TEXT_MAX));
    enum rc rc = tlog_trust_read(t, (const char *)text, len);
    return rc == RC_OK ? RC_OK : rc_prefix(rc, "%s: ", path);
}

static bool same_key(const struct tlog_vkey *a, const struct tlog_vkey *b)
{
    return strcmp(a->name, b->name) == 0 && a->type == b->type &&
           memcmp(a->key, b->key, 32) == 0;
}

/* Other logs of the policy shall not sign for this one; one that names no
 * logs is about witnesses only. */
static enum rc keep_one(struct tlog_trust *t, const struct tlog_vkey *key)
{
    if (t->n_logs == 0) {
        t->log[0] = (struct tlog_trust_log){ .key = *key };
        t->n_logs = 1;
        return RC_OK;
    }
    for (unsigned i = 0; i < t->n_logs; i++) {
        if (!same_key(&t->log[i].key, key))
            continue;
        t->log[0] = t->log[i];
        t->n_logs = 1;
        return RC_OK;
    }
    return rc_raise(RC_ARG, "--policy: does not list the log %s", key->name);
}

static enum rc only_key(struct tlog_trust *t, const struct tlog_vkey *key)
{
    char vkey[TLOG_VKEY_MAX];
    char text[TLOG_VKEY_MAX + 32];
    int n = snprintf(text, sizeof(text), "log %s\nquorum none\n",
                     tlog_vkey_text(vkey, key));
    return tlog_trust_read(t, text, (size_t)n);
}

enum rc cli_log_trust(struct cli_log *l, const struct cli_log_args *args)
{
    const char *vkey = or_env(args->vkey, "MPC_LOG_VKEY");
    l->trust = calloc(1, sizeof(*l->trust));
    if (!l->trust)
        return rc_raise(RC_NOMEM, "log: out of memory");
    if (args->policy)
        TRY(read_policy(l->trust, args->policy));
    if (vkey)
        TRY(tlog_vkey_parse(&l->key, vkey));
    else if (args->policy && l->trust->n_logs == 1)
        l->key = l->trust->log[0].key;
    else
        return missing("--vkey", "MPC_LOG_VKEY");
    return args->policy ? keep_one(l->trust, &l->key)
                        : only_key(l->trust, &l->key);
}

enum rc cli_log_open(struct cli_log *l, const struct cli_log_args *args)
{
    TRY(cli_log_trust(l, args));
    const char *url = or_env(args->url, "MPC_LOG_URL");
    if (!args->url && args->policy && l->trust->log[0].url[0])
        url = l->trust->log[0].url;
    if (!url)
        return missing("--url", "MPC_LOG_URL");
    if (strncmp(url, "file:", 5) == 0) {
        int n = snprintf(l->dir, sizeof(l->dir), "%s", url + 5);
        if (n < 1 || (size_t)n >= sizeof(l->dir))
            return rc_raise(RC_ARG, "--url: file: wants a directory");
        return RC_OK;
    }
    TRY(http_client_new(&l->client, NULL, NULL));
    return http_peer_new(&l->peer, l->client, url, NULL, 1);
}

void cli_log_close(struct cli_log *l)
{
    free(TAKE(l->trust));
    if (l->client)
        http_client_free(TAKE(l->client));
}

/* ---- reading ------------------------------------------------------------ */

static enum rc get(uint8_t **out, size_t *len, const char *path,
                   struct cli_log *l)
{
    char target[CLI_PATH + TLOG_TILE_PATH_MAX + 2];
    struct http_answer a;
    snprintf(target, sizeof(target), "%s/%s", l->dir, path);
    if (!l->client)
        return file_read(out, len, target, FETCH_MAX);
    TRY(http_ask(&a, l->peer, "GET", target, NULL, 0, FETCH_MAX,
                 clock_mono_ms() + FETCH_MS));
    *out = a.body;
    *len = a.body_len;
    return RC_OK;
}

/* Second line of a checkpoint that nobody has verified yet. */
static uint64_t size_of(const char *note)
{
    uint64_t size;
    const char *line = strchr(note, '\n');
    size_t n = line ? strcspn(line + 1, "\n") : 0;
    return n && enc_undec(&size, line + 1, n) == RC_OK ? size : 0;
}

static void tell(struct cli_log *l, const char *path, const uint8_t *got)
{
    int64_t now = clock_mono_ms();
    if (strcmp(path, "checkpoint") == 0) {
        l->size = size_of((const char *)got);
        l->bundles = 0;
        l->started_ms = now;
        l->told_ms = now;
    }
    if (strncmp(path, "tile/entries/", 13) != 0)
        return;
    l->bundles++;
    if (!l->doing || now - l->told_ms < TELL_MS)
        return;
    l->told_ms = now;
    cli_note("%s: %llu bundles of %d entries in %lld s, the log has %llu "
             "entries",
             l->doing, (unsigned long long)l->bundles, BUNDLE,
             (long long)((now - l->started_ms) / 1000),
             (unsigned long long)l->size);
}

enum rc cli_log_fetch(uint8_t **out, size_t *len, const char *path, void *ctx)
{
    struct cli_log *l = ctx;
    if (l->stop && *l->stop)
        return rc_raise(RC_TIMEOUT, "stopped");
    TRY(get(out, len, path, l));
    tell(l, path, *out);
    return RC_OK;
}

enum rc cli_log_head(struct tlog_checkpoint *cp, char *note, struct cli_log *l)
{
    OWNED_MEM uint8_t *got = NULL;
    size_t len;
    TRY(cli_log_fetch(&got, &len, "checkpoint", l));
    TRY(tlog_trust_open(cp, NULL, NULL, l->trust, (const char *)got, len));
    if (len >= TLOG_NOTE_MAX)
        return rc_raise(RC_TOO_LARGE, "checkpoint: %zu bytes, at most %d", len,
                        TLOG_NOTE_MAX - 1);
    memcpy(note, got, len);
    note[len] = '\0';
    return RC_OK;
}

/* ---- entries ------------------------------------------------------------ */

enum rc cli_log_entry(struct tlog_proof *out, struct cli_log *l,
                      const char *checkpoint, uint64_t index)
{
    struct tlog_checkpoint cp;
    OWNED_MEM uint8_t *entry = NULL;
    size_t len;
    TRY(tlog_checkpoint_open(&cp, checkpoint, strlen(checkpoint), &l->key));
    TRY(tlog_tiles_entry(&entry, &len, index, cp.size, cli_log_fetch, l));
    if (len > TLOG_ENTRY_MAX)
        return rc_raise(RC_TOO_LARGE, "entry %llu: %zu bytes, at most %d",
                        (unsigned long long)index, len, TLOG_ENTRY_MAX);
    TRY(tlog_tiles_inclusion(&out->path, index, cp.size, cli_log_fetch, l));
    memcpy(out->entry, entry, len);
    out->entry[len] = '\0';
    out->entry_len = len;
    out->index = index;
    snprintf(out->checkpoint, sizeof(out->checkpoint), "%s", checkpoint);
    return tlog_proof_check(out, &l->key, NULL);
}

struct looking {
    const uint8_t *entry;
    size_t len;
    uint64_t index;
};

static enum rc look(uint64_t index, const uint8_t *entry, size_t len, void *arg)
{
    struct looking *k = arg;
    if (k->index == TLOG_NO_INDEX && len == k->len &&
        (len == 0 || memcmp(entry, k->entry, len) == 0))
        k->index = index;
    return RC_OK;
}

/* mpc-log answers at once; another log's server knows no such path. */
static enum rc ask_index(uint64_t *index, struct cli_log *l,
                         const uint8_t *entry, size_t len)
{
    struct tlog_hash leaf;
    char hex[65];
    char path[TLOG_TILE_PATH_MAX];
    OWNED_MEM uint8_t *text = NULL;
    size_t text_len;
    OWNED_MEM struct tlog_proof *proof = malloc(sizeof(*proof));
    if (!proof)
        return rc_raise(RC_NOMEM, "proof: out of memory");
    tlog_leaf_hash(&leaf, entry, len);
    snprintf(path, sizeof(path), "v1/log/proof/%s", enc_hex(hex, leaf.b, 32));
    TRY(cli_log_fetch(&text, &text_len, path, l));
    TRY(tlog_proof_read(proof, (const char *)text, text_len, entry, len));
    *index = proof->index;
    return RC_OK;
}

enum rc cli_log_find(uint64_t *index, struct cli_log *l, const uint8_t *entry,
                     size_t len)
{
    struct looking k = { entry, len, TLOG_NO_INDEX };
    enum rc rc = ask_index(index, l, entry, len);
    if (rc != RC_UNKNOWN)
        return rc;
    OWNED_MEM struct tlog_follow *f = calloc(1, sizeof(*f));
    if (!f)
        return rc_raise(RC_NOMEM, "log: out of memory");
    TRY(tlog_follow_step(f, l->trust, cli_log_fetch, l, look, &k, NULL));
    if (k.index == TLOG_NO_INDEX)
        return rc_raise(RC_UNKNOWN,
                        "the log's %llu entries have none of these "
                        "bytes",
                        (unsigned long long)f->size);
    *index = k.index;
    return RC_OK;
}
