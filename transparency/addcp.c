/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C2SP tlog-witness, the call add-checkpoint: its body on both sides, and what
 * a witness answers, as a function of what it holds. Pure; public data.
 */
#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "transparency/merkle.h"
#include "transparency/note.h"

enum rc tlog_add_checkpoint_write(char *out, size_t cap, size_t *len,
                                  uint64_t old, const struct tlog_path *path,
                                  const char *note)
{
    char hash[ENC_B64_SIZE(32)];
    size_t need = 64 + path->n * sizeof(hash) + strlen(note);
    if (path->n > TLOG_PATH_MAX || need > cap)
        return rc_raise(RC_TOO_LARGE, "add-checkpoint: over %zu bytes", cap);
    int at = snprintf(out, cap, "old %llu\n", (unsigned long long)old);
    for (unsigned i = 0; i < path->n; i++)
        at += snprintf(out + at, cap - (size_t)at, "%s\n",
                       enc_b64(hash, path->hash[i].b, 32));
    at += snprintf(out + at, cap - (size_t)at, "\n%s", note);
    *len = (size_t)at;
    return RC_OK;
}

static enum rc read_old(uint64_t *old, const char *line, size_t len)
{
    if (len < 5 || memcmp(line, "old ", 4) != 0)
        return rc_raise(RC_PARSE, "add-checkpoint: first line is not old N");
    return enc_undec(old, line + 4, len - 4);
}

static enum rc read_hash(struct tlog_path *path, const char *line, size_t len)
{
    size_t got;
    if (path->n == TLOG_PATH_MAX)
        return rc_raise(RC_PARSE, "add-checkpoint: over %d hashes",
                        TLOG_PATH_MAX);
    TRY(enc_unb64(path->hash[path->n++].b, 32, &got, line, len));
    return got == 32 ? RC_OK
                     : rc_raise(RC_PARSE, "add-checkpoint: hash of %zu bytes",
                                got);
}

enum rc tlog_add_checkpoint_read(struct tlog_add_checkpoint *out,
                                 const char *body, size_t len)
{
    struct tlog_add_checkpoint in = { .old = 0 };
    for (unsigned i = 0;; i++) {
        const char *lf = len ? memchr(body, '\n', len) : NULL;
        if (!lf)
            return rc_raise(RC_PARSE, "add-checkpoint: no empty line");
        size_t n = (size_t)(lf - body);
        if (i == 0)
            TRY(read_old(&in.old, body, n));
        else if (n > 0)
            TRY(read_hash(&in.path, body, n));
        body = lf + 1;
        len -= n + 1;
        if (n == 0)
            break;
    }
    if (len == 0 || len >= TLOG_NOTE_MAX)
        return rc_raise(RC_PARSE, "add-checkpoint: checkpoint of %zu bytes",
                        len);
    in.note = body;
    in.note_len = len;
    *out = in;
    return RC_OK;
}

/* The body of the note, whoever signed it. */
static enum rc look(struct tlog_checkpoint *out, const char *note, size_t len)
{
    struct note n;
    TRY(tlog_note_parse(&n, note, len));
    return tlog_checkpoint_parse(out, n.text, n.text_len);
}

int tlog_witness_judge(struct tlog_checkpoint *out,
                       const struct tlog_checkpoint *held,
                       const struct tlog_add_checkpoint *in,
                       const struct tlog_vkey *log)
{
    struct tlog_checkpoint cp;
    struct note n;
    if (tlog_note_parse(&n, in->note, in->note_len) != RC_OK)
        return 400;
    enum rc rc = look(&cp, in->note, in->note_len);
    if (rc != RC_OK) /* also size 0 with another root */
        return 422;
    if (strcmp(cp.origin, log->name) != 0) {
        rc_raise(RC_UNKNOWN, "add-checkpoint: origin is not %s", log->name);
        return 404;
    }
    if (tlog_checkpoint_open(&cp, in->note, in->note_len, log) != RC_OK)
        return 403;
    if (in->old > cp.size) {
        rc_raise(RC_ARG, "add-checkpoint: old %llu is over the size %llu",
                 (unsigned long long)in->old, (unsigned long long)cp.size);
        return 400;
    }
    if (in->old != held->size) {
        rc_raise(RC_CONFLICT, "add-checkpoint: old %llu, we hold %llu",
                 (unsigned long long)in->old, (unsigned long long)held->size);
        return 409;
    }
    if (tlog_consistency_check(&in->path, held->size, &held->root, cp.size,
                               &cp.root) != RC_OK)
        return 422;
    *out = cp;
    return 200;
}
