/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign log search: reads the whole log, recomputes its root, and shows the
 * entries asked for, so nothing that is in it can be kept from the reader.
 *
 * What is signed is not in the log: an intent commits to it with a salt that
 * the session's descriptor holds. So an artifact is found by what came of it
 * (signature, certificate) or by its session, from evidence beside the file;
 * files whose plain digest the log does hold (policies, reports, certificates)
 * are found by that.
 */
#include "cli/log.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "base/file.h"
#include "base/hash.h"

#define BUNDLE_MAX (4 * 1024 * 1024)
#define NOTE                                                                   \
    "An intent holds only a salted commitment to what is signed: without its " \
    "bundle, signature or session an artifact cannot be found, and nothing "   \
    "found does not mean nothing signed."

struct search {
    struct cli_log_filter filter;
    const char *artifact;
    struct cli_content content; /* digests of it */
    bool salted;                /* the commitment could be opened: */
    char commitment[65];
    json_t *looked; /* {what, hex} */
    json_t *found;
};

/* ---- what to look for --------------------------------------------------- */

static enum rc look_for(struct search *s, const char *what,
                        const uint8_t digest[32])
{
    char hex[65];
    TRY(cli_log_filter_digest(&s->filter, digest));
    json_array_append_new(s->looked,
                          json_pack("{s:s, s:s}", "what", what, "hex",
                                    enc_hex(hex, digest, 32)));
    return RC_OK;
}

/* The descriptor has the salt: the commitment to the file's own bytes. */
static enum rc open_salt(struct search *s, const struct policy_session *d)
{
    uint8_t c[32];
    tlog_commitment_of_hash(c, d->nonce, s->content.sha512);
    s->salted = true;
    enc_hex(s->commitment, c, 32);
    return look_for(s, "the session's commitment to the file", c);
}

static enum rc take_bundle(struct search *s, const char *path)
{
    OWNED_MEM uint8_t *json = NULL;
    size_t len;
    uint8_t h[32];
    WIRE(bundle) b = { 0 };
    OWNED_MEM struct policy_session *d = calloc(1, sizeof(*d));
    if (!d)
        return rc_raise(RC_NOMEM, "search: out of memory");
    TRY(file_read(&json, &len, path, BUNDLE_MAX));
    TRY(wire_bundle_decode(&b, (const char *)json, len));
    TRY(policy_session_parse(d, b.session.descriptor.p,
                             b.session.descriptor.len));
    if (d->has_artifact && s->artifact &&
        memcmp(d->artifact_sha256, s->content.sha256, 32) != 0)
        return rc_raise(RC_VERIFY, "its session is for another artifact");
    TRY(look_for(s, "the bundle's session", d->id));
    hash256(h, b.signature, 64);
    TRY(look_for(s, "the bundle's signature", h));
    return s->artifact ? open_salt(s, d) : RC_OK;
}

static enum rc take_signature(struct search *s, const char *path)
{
    OWNED_MEM uint8_t *sig = NULL;
    size_t len;
    uint8_t h[32];
    TRY(file_read(&sig, &len, path, 64));
    if (len != 64)
        return rc_raise(RC_PARSE, "%zu bytes, a signature has 64", len);
    hash256(h, sig, 64);
    return look_for(s, "the signature", h);
}

/* Evidence by name, or lying beside the artifact, where it need not be. */
static enum rc take(struct search *s, const char *given, const char *suffix,
                    enum rc (*read)(struct search *, const char *))
{
    char path[CLI_PATH];
    if (given) {
        enum rc rc = read(s, given);
        return rc == RC_OK ? rc : rc_prefix(rc, "%s: ", given);
    }
    if (!s->artifact)
        return RC_OK;
    int n = snprintf(path, sizeof(path), "%s%s", s->artifact, suffix);
    if (n < 0 || (size_t)n >= sizeof(path) || access(path, F_OK) != 0)
        return RC_OK;
    if (read(s, path) != RC_OK)
        cli_note("%s is not used: %s", path, rc_text());
    return RC_OK;
}

static enum rc check_type(const char *type)
{
    static const char *const known[] = { "intent",   "birth",  "epoch",
                                         "receipt",  "policy", "evidence",
                                         "abort",    "dsse",   "opaque",
                                         "malformed" };
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strcmp(type, known[i]) == 0)
            return RC_OK;
    return rc_raise(RC_ARG,
                    "--type: want intent, birth, epoch, receipt, "
                    "policy, evidence, abort, dsse, opaque or malformed");
}

struct words {
    const char *artifact;
    const char *bundle;
    const char *signature;
    const char *sha256;
    const char *key;
    const char *session;
    const char *type;
};

static enum rc take_artifact(struct search *s, const struct words *w)
{
    s->artifact = w->artifact;
    TRY(cli_content_read(&s->content, w->artifact, false));
    TRY(look_for(s, "the file's own SHA-256", s->content.sha256));
    if (!w->session)
        return RC_OK;
    /* the sidecar knows the salt of a session it holds */
    OWNED_MEM struct policy_session *d = calloc(1, sizeof(*d));
    if (!d)
        return rc_raise(RC_NOMEM, "search: out of memory");
    TRY(cli_ask_session(d, w->session));
    return open_salt(s, d);
}

static enum rc prepare(struct search *s, const struct words *w)
{
    char hex[65];
    uint8_t digest[32];
    s->looked = json_array();
    s->found = json_array();
    if (!s->looked || !s->found)
        return rc_raise(RC_NOMEM, "search: out of memory");
    if (w->type)
        TRY(check_type(w->type));
    s->filter.type = w->type;
    if (w->session)
        TRY(cli_log_hex(s->filter.session, "--session", w->session));
    if (w->sha256) {
        TRY(cli_log_hex(hex, "--sha256", w->sha256));
        TRY(enc_unhex(digest, 32, hex, 64));
        TRY(look_for(s, "this digest", digest));
    }
    if (w->key)
        TRY(cli_log_filter_key(&s->filter, w->key));
    if (w->artifact)
        TRY(take_artifact(s, w));
    TRY(take(s, w->bundle, ".mpc.json", take_bundle));
    return take(s, w->signature, ".sig", take_signature);
}

/* ---- looking ------------------------------------------------------------ */

static enum rc keep(struct search *s, json_t *e, const char *why)
{
    json_object_set_new(e, "match", json_string(why));
    if (s->salted && json_object_get(e, "commitment"))
        json_object_set_new(
                e, "opens",
                json_boolean(strcmp(json_string_value(
                                            json_object_get(e, "commitment")),
                                    s->commitment) == 0));
    return json_array_append(s->found, e) == 0
                   ? RC_OK
                   : rc_raise(RC_NOMEM, "search: out of memory");
}

static enum rc on_entry(uint64_t index, const uint8_t *entry, size_t len,
                        void *arg)
{
    struct search *s = arg;
    enum cli_log_match match;
    const char *why;
    OWNED(json_t) *e = cli_log_entry_json(index, entry, len);
    if (!e)
        return rc_raise(RC_NOMEM, "search: out of memory");
    TRY(cli_log_filter_match(&match, &why, &s->filter, e));
    return match == CLI_LOG_YES ? keep(s, e, why) : RC_OK;
}

static json_int_t index_of(const json_t *e)
{
    return json_integer_value(json_object_get(e, "index"));
}

static bool has(const json_t *list, json_int_t index)
{
    size_t i;
    json_t *e;
    json_array_foreach (list, i, e)
        if (index_of(e) == index)
            return true;
    return false;
}

static size_t place(const json_t *list, json_int_t index)
{
    size_t i;
    json_t *e;
    json_array_foreach (list, i, e)
        if (index_of(e) > index)
            return i;
    return json_array_size(list);
}

/* A receipt that was found by its signature: its intent, which came before. */
static enum rc add_intent(struct search *s, struct cli_log *l,
                          const char *checkpoint, json_int_t intent)
{
    OWNED_MEM struct tlog_proof *p = calloc(1, sizeof(*p));
    if (!p)
        return rc_raise(RC_NOMEM, "search: out of memory");
    if (has(s->found, intent))
        return RC_OK;
    enum rc rc = cli_log_entry(p, l, checkpoint, (uint64_t)intent);
    if (rc == RC_UNKNOWN || rc == RC_TOO_LARGE) /* cites what is no intent */
        return RC_OK;
    TRY(rc);
    OWNED(json_t) *e = cli_log_entry_json(p->index, (uint8_t *)p->entry,
                                          p->entry_len);
    size_t at = place(s->found, intent);
    TRY(keep(s, e, "receipt"));
    size_t last = json_array_size(s->found) - 1;
    if (json_array_remove(s->found, last) != 0 ||
        json_array_insert(s->found, at, e) != 0)
        return rc_raise(RC_NOMEM, "search: out of memory");
    return RC_OK;
}

static enum rc add_intents(struct search *s, struct cli_log *l,
                           const char *checkpoint)
{
    size_t i;
    json_t *e;
    OWNED(json_t) *first = json_copy(s->found);
    if (s->filter.type || !s->filter.n_digests)
        return RC_OK;
    json_array_foreach (first, i, e) {
        const json_t *intent = json_object_get(e, "intent");
        if (intent)
            TRY(add_intent(s, l, checkpoint, json_integer_value(intent)));
    }
    return RC_OK;
}

/* ---- saying ------------------------------------------------------------- */

static enum rc say(const struct search *s, const struct tlog_checkpoint *cp,
                   bool note)
{
    size_t i;
    json_t *e;
    char root[65];
    size_t n = json_array_size(s->found);
    if (cli_json())
        return cli_say_json(json_pack(
                "{s:s, s:I, s:s, s:O, s:O, s:s?}", "origin", cp->origin, "size",
                (json_int_t)cp->size, "root", enc_hex(root, cp->root.b, 32),
                "looked_for", s->looked, "entries", s->found, "note",
                note ? NOTE : NULL));
    json_array_foreach (s->looked, i, e)
        TRY(cli_say("looked for %s  %s\n",
                    json_string_value(json_object_get(e, "hex")),
                    json_string_value(json_object_get(e, "what"))));
    json_array_foreach (s->found, i, e) {
        TRY(cli_log_entry_say(e));
        if (json_is_true(json_object_get(e, "opens")))
            TRY(cli_say("%20sits commitment opens to this file\n", ""));
    }
    TRY(cli_say("%zu of the %llu entries of %s, all of them read and their "
                "root recomputed\n",
                n, (unsigned long long)cp->size, cp->origin));
    return note ? cli_say("%s\n", NOTE) : RC_OK;
}

static enum rc run(struct search *s, struct cli_log *l, const struct words *w)
{
    struct tlog_checkpoint cp;
    OWNED_MEM struct tlog_follow *f = calloc(1, sizeof(*f));
    if (!f)
        return rc_raise(RC_NOMEM, "search: out of memory");
    TRY(prepare(s, w));
    TRY(tlog_follow_step(f, l->trust, cli_log_fetch, l, on_entry, s, NULL));
    TRY(tlog_checkpoint_open(&cp, f->checkpoint, strlen(f->checkpoint),
                             &l->key));
    TRY(add_intents(s, l, f->checkpoint));
    return say(s, &cp, w->artifact || w->sha256);
}

enum rc cmd_log_search(int argc, char **argv)
{
    struct cli_log_args args = { 0 };
    struct words w = { 0 };
    const struct cli_arg rows[] = {
        CLI_LOG_PLACE(&args),
        { .name = "--artifact",
          .text = &w.artifact,
          .help = "what has to do with this file, by FILE.mpc.json and "
                  "FILE.sig beside it" },
        { .name = "--bundle",
          .text = &w.bundle,
          .help = "this evidence of it instead" },
        { .name = "--signature",
          .text = &w.signature,
          .help = "the receipt of this 64-byte signature" },
        { .name = "--sha256",
          .text = &w.sha256,
          .help = "entries that hold this digest in any field" },
        { .name = "--key",
          .text = &w.key,
          .help = "of this key: its name, its bytes in hex or their SHA-256" },
        { .name = "--session", .text = &w.session, .help = "of this session" },
        { .name = "--type",
          .text = &w.type,
          .help = "intent, birth, epoch, receipt, policy, evidence, abort, "
                  "dsse" },
        CLI_LOG_URL(&args),
        CLI_LOG_VKEY(&args),
        CLI_LOG_POLICY(&args),
        { 0 },
    };
    struct search s = { .found = NULL };
    struct cli_log log = { .doing = "search" };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    enum rc rc = cli_log_open(&log, &args);
    if (rc == RC_OK)
        rc = run(&s, &log, &w);
    cli_log_close(&log);
    cli_log_filter_wipe(&s.filter);
    json_decref(s.looked);
    json_decref(s.found);
    return rc;
}
