/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which entries somebody wants to see. A receipt or abort belongs to its
 * intent, so it is wanted when that one is.
 */
#include "cli/log.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "base/hash.h"

static void hash_hex(char out[65], const uint8_t *p, size_t len)
{
    uint8_t h[32];
    hash256(h, p, len);
    enc_hex(out, h, 32);
}

enum rc cli_log_hex(char out[65], const char *option, const char *text)
{
    uint8_t b[32];
    if (enc_unhex(b, 32, text, strlen(text)) != RC_OK)
        return rc_raise(RC_ARG, "%s: want 64 lower case hex digits", option);
    enc_hex(out, b, 32);
    return RC_OK;
}

/* A name: its group key as the sidecar tells it. */
static enum rc ask_key(uint8_t group[32], const char *name)
{
    WIRE(key) key = { 0 };
    TRY(cli_ask_key(&key, name));
    if (key.epoch == 0)
        return rc_raise(
                RC_UNKNOWN, "--key: %.80s has no key of its own%s", name,
                strcmp(key.lifetime, "ephemeral") == 0 ? ": one a session"
                                                       : " yet");
    memcpy(group, key.group_key, 32);
    return RC_OK;
}

enum rc cli_log_filter_key(struct cli_log_filter *f, const char *text)
{
    uint8_t key[32];
    if (enc_unhex(key, 32, text, strlen(text)) == RC_OK) {
        enc_hex(f->key, key, 32);
        hash_hex(f->group, key, 32);
        return RC_OK;
    }
    enum rc rc = ask_key(key, text);
    if (rc != RC_OK)
        return rc == RC_UNREACHABLE
                       ? rc_prefix(rc,
                                   "--key: %.80s is no hex digest, and: ", text)
                       : rc;
    hash_hex(f->key, key, 32);
    snprintf(f->group, sizeof(f->group), "%s", f->key);
    return RC_OK;
}

enum rc cli_log_filter_digest(struct cli_log_filter *f,
                              const uint8_t digest[32])
{
    if (f->n_digests == CLI_LOG_DIGESTS)
        return rc_raise(RC_TOO_LARGE, "search: over %d digests",
                        CLI_LOG_DIGESTS);
    enc_hex(f->digest[f->n_digests++], digest, 32);
    return RC_OK;
}

/* ---- matching ----------------------------------------------------------- */

static bool is(const json_t *entry, const char *field, const char *want)
{
    const char *v = json_string_value(json_object_get(entry, field));
    return v && strcmp(v, want) == 0;
}

/* The digest's field, which is a literal of the formats. */
static const char *digest_in(const struct cli_log_filter *f,
                             const json_t *entry)
{
    static const char *const fields[] = {
        "commitment", "signature",    "certificate", "sha256",  "report",
        "roster",     "policy",       "approvals",   "prev",    "ak",
        "identity",   "participants", "key",         "session", "endorsements",
    };
    for (size_t k = 0; k < sizeof(fields) / sizeof(*fields); k++)
        for (unsigned i = 0; i < f->n_digests; i++)
            if (is(entry, fields[k], f->digest[i]))
                return fields[k];
    return NULL;
}

const char *cli_log_filter_why(const struct cli_log_filter *f,
                               const json_t *entry)
{
    const char *why = "any";
    if (f->key[0]) {
        if (!is(entry, "key", f->key) && !is(entry, "key", f->group))
            return NULL;
        why = "key";
    }
    if (f->session[0]) {
        if (!is(entry, "session", f->session))
            return NULL;
        why = "session";
    }
    return f->n_digests ? digest_in(f, entry) : why;
}

static bool matched(const struct cli_log_filter *f, uint64_t intent)
{
    size_t lo = 0;
    size_t hi = f->n_intents;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (f->intent[mid] == intent)
            return true;
        if (f->intent[mid] < intent)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

static enum rc remember(struct cli_log_filter *f, uint64_t intent)
{
    if (f->n_intents == f->cap) {
        size_t cap = f->cap ? 2 * f->cap : 64;
        uint64_t *more = reallocarray(f->intent, cap, sizeof(*more));
        if (!more)
            return rc_raise(RC_NOMEM, "search: %zu intents", cap);
        f->intent = more;
        f->cap = cap;
    }
    f->intent[f->n_intents++] = intent;
    return RC_OK;
}

enum rc cli_log_filter_match(enum cli_log_match *out, const char **why,
                             struct cli_log_filter *f, const json_t *entry)
{
    const char *type = json_string_value(json_object_get(entry, "type"));
    const json_t *cites = json_object_get(entry, "intent");
    bool wanted = !f->type || strcmp(type, f->type) == 0;
    *out = CLI_LOG_NO;
    *why = cli_log_filter_why(f, entry);
    if (*why && strcmp(type, "intent") == 0)
        TRY(remember(f, (uint64_t)json_integer_value(
                                json_object_get(entry, "index"))));
    if (*why && wanted)
        *out = CLI_LOG_YES;
    if (*why || !cites || !wanted)
        return RC_OK;
    uint64_t intent = (uint64_t)json_integer_value(cites);
    *why = "intent";
    if (matched(f, intent))
        *out = CLI_LOG_YES;
    else if (intent < f->from)
        *out = CLI_LOG_MAYBE;
    return RC_OK;
}

void cli_log_filter_wipe(struct cli_log_filter *f)
{
    free(TAKE(f->intent));
    f->n_intents = 0;
    f->cap = 0;
}
