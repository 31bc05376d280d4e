/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign log prove | verify: a C2SP tlog-proof of one entry, and its
 * judgement offline. The entry itself rides in the proof's extra line, so that
 * one file is enough; it is believed because its hash leads to the root.
 */
#include "cli/log.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "base/file.h"

#define FILE_MAX (2 * TLOG_PROOF_TEXT_MAX)
#define EXTRA    "extra "

/* ---- prove -------------------------------------------------------------- */

static enum rc which(uint64_t *index, struct cli_log *l, const char *number,
                     const char *file)
{
    OWNED_MEM uint8_t *entry = NULL;
    size_t len;
    if (!number == !file) {
        enum rc rc = rc_raise(RC_ARG, "want INDEX or --entry FILE, %s",
                              number ? "not both" : "neither was given");
        rc_hint("mpcsign log prove --help tells what it takes");
        return rc;
    }
    if (number && enc_undec(index, number, strlen(number)) != RC_OK)
        return rc_raise(RC_ARG, "INDEX: want a decimal number from 0");
    if (number)
        return RC_OK;
    TRY(file_read(&entry, &len, file, TLOG_ENTRY_MAX));
    enum rc rc = cli_log_find(index, l, entry, len);
    return rc == RC_OK ? RC_OK : rc_prefix(rc, "%s: ", file);
}

/* The text with the entry in an extra line after the first; heap. */
static enum rc write_text(char **out, size_t *out_len,
                          const struct tlog_proof *p)
{
    char text[TLOG_PROOF_TEXT_MAX];
    char b64[ENC_B64_SIZE(TLOG_ENTRY_MAX)];
    size_t len;
    TRY(tlog_proof_write(text, sizeof(text), &len, p));
    enc_b64(b64, p->entry, p->entry_len);
    const char *rest = strchr(text, '\n') + 1;
    *out = malloc(FILE_MAX);
    if (!*out)
        return rc_raise(RC_NOMEM, "proof: out of memory");
    int n = snprintf(*out, FILE_MAX, "%.*s" EXTRA "%s\n%s", (int)(rest - text),
                     text, b64, rest);
    *out_len = (size_t)n;
    return RC_OK;
}

static enum rc say_proof(const struct tlog_proof *p, const char *text,
                         const char *file)
{
    if (!cli_json())
        return file ? RC_OK : cli_say("%s", text);
    return cli_say_json(json_pack(
            "{s:I, s:I, s:o, s:o}", "index", (json_int_t)p->index, "hashes",
            (json_int_t)p->path.n, "entry",
            cli_log_entry_json(p->index, (const uint8_t *)p->entry,
                               p->entry_len),
            file ? "file" : "proof", json_string(file ? file : text)));
}

static enum rc prove(struct cli_log *l, const char *number, const char *entry,
                     const char *file)
{
    struct tlog_checkpoint cp;
    char note[TLOG_NOTE_MAX];
    uint64_t index;
    OWNED_MEM char *text = NULL;
    size_t len = 0;
    OWNED_MEM struct tlog_proof *p = calloc(1, sizeof(*p));
    if (!p)
        return rc_raise(RC_NOMEM, "proof: out of memory");
    TRY(which(&index, l, number, entry));
    TRY(cli_log_head(&cp, note, l));
    TRY(cli_log_entry(p, l, note, index));
    TRY(write_text(&text, &len, p));
    if (file)
        TRY(file_write(file, text, len, 0644));
    if (file)
        cli_note("%s: entry %llu in the %llu entries of %s", file,
                 (unsigned long long)index, (unsigned long long)cp.size,
                 cp.origin);
    return say_proof(p, text, file);
}

enum rc cmd_log_prove(int argc, char **argv)
{
    struct cli_log_args args = { 0 };
    const char *number = NULL;
    const char *entry = NULL;
    const char *file = NULL;
    const struct cli_arg rows[] = {
        { .name = "INDEX", .text = &number, .help = "of the entry, from 0" },
        { .name = "--entry",
          .text = &entry,
          .help = "or its exact bytes, in a file" },
        { .name = "--out",
          .brief = "-O",
          .text = &file,
          .help = "write the proof there; else to standard output" },
        CLI_LOG_URL(&args),
        CLI_LOG_VKEY(&args),
        CLI_LOG_POLICY(&args),
        { 0 },
    };
    struct cli_log log = { .doing = "prove" };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    enum rc rc = cli_log_open(&log, &args);
    if (rc == RC_OK)
        rc = prove(&log, number, entry, file);
    cli_log_close(&log);
    return rc;
}

/* ---- verify ------------------------------------------------------------- */

struct judged {
    struct cli_checks checks;
    struct tlog_proof proof;
    struct tlog_checkpoint cp;
    bool has_entry;
    bool from_extra; /* which may hold what others put there */
    json_t *entry;   /* owned, or NULL */
};

/* The entry of the extra line; none: false. */
static bool take_extra(char out[TLOG_ENTRY_MAX], size_t *len, const char *text)
{
    const char *line = strchr(text, '\n');
    if (!line || strncmp(line + 1, EXTRA, strlen(EXTRA)) != 0)
        return false;
    line += 1 + strlen(EXTRA);
    return enc_unb64(out, TLOG_ENTRY_MAX, len, line, strcspn(line, "\n")) ==
           RC_OK;
}

static enum rc read_proof(struct judged *j, const char *file,
                          const char *entry_file)
{
    char extra[TLOG_ENTRY_MAX];
    OWNED_MEM uint8_t *text = NULL;
    OWNED_MEM uint8_t *given = NULL;
    size_t text_len;
    size_t len = 0;
    TRY(file_read(&text, &text_len, file, FILE_MAX));
    if (entry_file)
        TRY(file_read(&given, &len, entry_file, TLOG_ENTRY_MAX));
    else
        j->from_extra = take_extra(extra, &len, (const char *)text);
    j->has_entry = j->from_extra || given;
    enum rc rc = tlog_proof_read(&j->proof, (const char *)text, text_len,
                                 given ? (const char *)given : extra, len);
    cli_check_rc(&j->checks, "proof", rc, "entry %llu, %u hashes",
                 (unsigned long long)j->proof.index, j->proof.path.n);
    return RC_OK;
}

static void judge_entry(struct judged *j)
{
    const struct tlog_proof *p = &j->proof;
    struct tlog_hash leaf;
    if (!j->has_entry) {
        cli_check(&j->checks, CLI_FAIL, "entry",
                  "--entry FILE with its exact bytes",
                  "not in the proof and not given: nothing shows what was "
                  "logged");
        return;
    }
    j->entry = cli_log_entry_json(p->index, (const uint8_t *)p->entry,
                                  p->entry_len);
    cli_check(&j->checks, CLI_OK, "entry", NULL, "%s, %zu bytes%s",
              json_string_value(json_object_get(j->entry, "type")),
              p->entry_len, j->from_extra ? ", in the proof" : "");
    tlog_leaf_hash(&leaf, p->entry, p->entry_len);
    enum rc rc = tlog_inclusion_check(&p->path, p->index, j->cp.size, &leaf,
                                      &j->cp.root);
    if (rc != RC_OK && j->from_extra)
        rc_hint("the extra line need not be the entry: try --entry FILE");
    cli_check_rc(&j->checks, "inclusion", rc,
                 "stands at %llu in the tree of %llu",
                 (unsigned long long)p->index, (unsigned long long)j->cp.size);
}

static void judge_witnesses(struct judged *j, const struct cli_log *l,
                            bool asked)
{
    struct tlog_checkpoint cp;
    uint64_t who = 0;
    unsigned n = 0;
    const char *note = j->proof.checkpoint;
    if (!asked) {
        cli_check(&j->checks, CLI_WARN, "cosigned",
                  "--policy FILE names witnesses", "nobody was asked for");
        return;
    }
    enum rc rc = tlog_trust_open(&cp, &who, NULL, l->trust, note, strlen(note));
    for (; who; who &= who - 1)
        n++;
    cli_check_rc(&j->checks, "cosigned", rc, "by %u of %u witnesses, a quorum",
                 n, l->trust->n_witnesses);
}

/* Without a checkpoint of this log there is no tree to stand in. */
static void judge(struct judged *j, const struct cli_log *l, bool witnesses)
{
    const char *note = j->proof.checkpoint;
    enum rc rc = tlog_checkpoint_open(&j->cp, note, strlen(note), &l->key);
    cli_check_rc(&j->checks, "checkpoint", rc, "of %llu entries, by %s",
                 (unsigned long long)j->cp.size, j->cp.origin);
    if (rc != RC_OK)
        return;
    judge_entry(j);
    judge_witnesses(j, l, witnesses);
}

static enum rc say_verdict(struct judged *j)
{
    bool ok = j->checks.failed == 0;
    enum rc rc = ok ? RC_OK : rc_raise(RC_LOG, "the proof is refused");
    if (!cli_json()) {
        if (ok && j->entry)
            TRY(cli_log_entry_say(j->entry));
        return rc;
    }
    json_t *o = json_pack("{s:b, s:O, s:O?}", "ok", (int)ok, "checks",
                          j->checks.list, "entry", ok ? j->entry : NULL);
    if (o && !ok)
        json_object_set_new(o, "error", cli_error_json(rc));
    TRY(cli_say_json(o));
    if (!ok)
        cli_told();
    return rc;
}

static enum rc verify(struct judged *j, const struct cli_log_args *args,
                      const char *file, const char *entry)
{
    struct cli_log log = { 0 };
    enum rc rc = cli_log_trust(&log, args);
    if (rc == RC_OK)
        rc = read_proof(j, file, entry);
    if (rc == RC_OK && j->checks.failed == 0)
        judge(j, &log, args->policy != NULL);
    cli_log_close(&log);
    return rc == RC_OK ? say_verdict(j) : rc;
}

enum rc cmd_log_verify(int argc, char **argv)
{
    struct cli_log_args args = { 0 };
    const char *file = NULL;
    const char *entry = NULL;
    const struct cli_arg rows[] = {
        { .name = "--proof",
          .text = &file,
          .need = true,
          .help = "a .tlog-proof file" },
        { .name = "--entry",
          .text = &entry,
          .help = "the entry's exact bytes; else those in the proof" },
        CLI_LOG_VKEY(&args),
        CLI_LOG_POLICY(&args),
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    OWNED_MEM struct judged *j = calloc(1, sizeof(*j));
    if (!j)
        return rc_raise(RC_NOMEM, "verify: out of memory");
    TRY(cli_checks_begin(&j->checks));
    enum rc rc = verify(j, &args, file, entry);
    cli_checks_end(&j->checks);
    json_decref(j->entry);
    return rc;
}
