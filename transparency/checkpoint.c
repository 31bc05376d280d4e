/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C2SP tlog-checkpoint: "origin LF size LF base64(root) LF" as a signed note.
 * Public data; the log's secret key is only passed through.
 */
#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "transparency/merkle.h"
#include "transparency/note.h"

static bool empty_root_ok(uint64_t size, const struct tlog_hash *root)
{
    struct tlog_hash empty;
    tlog_root(&empty, NULL, 0);
    return size != 0 || tlog_hash_equal(root, &empty);
}

enum rc tlog_checkpoint_body(char *out, size_t cap,
                             const struct tlog_checkpoint *cp)
{
    size_t origin_len = strnlen(cp->origin, TLOG_NAME_MAX);
    if (origin_len == 0 || origin_len == TLOG_NAME_MAX ||
        memchr(cp->origin, '\n', origin_len) ||
        !tlog_note_clean(cp->origin, origin_len))
        return rc_raise(RC_ARG, "checkpoint: bad origin");
    if (!empty_root_ok(cp->size, &cp->root))
        return rc_raise(RC_ARG, "checkpoint: size 0 with another root");
    if (cp->size > INT64_MAX)
        return rc_raise(RC_ARG, "checkpoint: size over 2^63-1");
    char b64[ENC_B64_SIZE(32)];
    char body[TLOG_NAME_MAX + 24 + sizeof(b64)];
    int n = snprintf(body, sizeof(body), "%s\n%llu\n%s\n", cp->origin,
                     (unsigned long long)cp->size,
                     enc_b64(b64, cp->root.b, sizeof(cp->root.b)));
    if (n < 0 || (size_t)n >= cap)
        return rc_raise(RC_NOMEM, "checkpoint: room for %zu bytes", cap);
    memcpy(out, body, (size_t)n + 1);
    return RC_OK;
}

enum rc tlog_checkpoint_sign(char *out, size_t cap,
                             const struct tlog_checkpoint *cp,
                             const struct tlog_vkey *vkey, const uint8_t sk[64])
{
    char note[TLOG_NOTE_MAX];
    if (strcmp(cp->origin, vkey->name) != 0)
        return rc_raise(RC_ARG, "checkpoint: origin is not the key's name");
    TRY(tlog_checkpoint_body(note, sizeof(note), cp));
    size_t body_len = strlen(note);
    note[body_len] = '\n';
    TRY(tlog_note_sign(note + body_len + 1, sizeof(note) - body_len - 1, note,
                       body_len, vkey, sk));
    size_t len = strlen(note);
    if (len >= cap)
        return rc_raise(RC_NOMEM, "checkpoint: room for %zu bytes", cap);
    memcpy(out, note, len + 1);
    return RC_OK;
}

const char *tlog_note_take_line(const char **p, size_t *left, size_t *len)
{
    const char *line = *p;
    const char *lf = *left ? memchr(line, '\n', *left) : NULL;
    if (!lf)
        return NULL;
    *len = (size_t)(lf - line);
    *left -= *len + 1;
    *p = lf + 1;
    return line;
}

static enum rc parse_root(struct tlog_hash *out, const char *line, size_t len)
{
    size_t got;
    TRY(enc_unb64(out->b, sizeof(out->b), &got, line, len));
    if (got != sizeof(out->b))
        return rc_raise(RC_PARSE, "checkpoint: root of %zu bytes", got);
    return RC_OK;
}

enum rc tlog_checkpoint_parse(struct tlog_checkpoint *out, const char *body,
                              size_t len)
{
    struct tlog_checkpoint cp = { .size = 0 };
    size_t n;
    const char *line = tlog_note_take_line(&body, &len, &n);
    if (!line || n == 0 || n >= sizeof(cp.origin) || memchr(line, '\0', n))
        return rc_raise(RC_PARSE, "checkpoint: origin missing or too long");
    memcpy(cp.origin, line, n);
    line = tlog_note_take_line(&body, &len, &n);
    if (!line)
        return rc_raise(RC_PARSE, "checkpoint: no size line");
    TRY(enc_undec(&cp.size, line, n));
    line = tlog_note_take_line(&body, &len, &n);
    if (!line)
        return rc_raise(RC_PARSE, "checkpoint: no root line");
    TRY(parse_root(&cp.root, line, n));
    while (len > 0) { /* extension lines say nothing to us */
        if (!tlog_note_take_line(&body, &len, &n) || n == 0)
            return rc_raise(RC_PARSE, "checkpoint: bad extension line");
    }
    if (!empty_root_ok(cp.size, &cp.root))
        return rc_raise(RC_PARSE, "checkpoint: size 0 with another root");
    *out = cp;
    return RC_OK;
}

enum rc tlog_checkpoint_open(struct tlog_checkpoint *out, const char *note,
                             size_t note_len, const struct tlog_vkey *log)
{
    struct note n;
    struct tlog_checkpoint cp;
    if (log->type != TLOG_SIG_ED25519)
        return rc_raise(RC_ARG, "checkpoint: %s is no log key", log->name);
    TRY(tlog_note_parse(&n, note, note_len));
    if (tlog_note_verify(&n, log, NULL) != RC_OK)
        return rc_prefix(RC_LOG, "checkpoint: ");
    TRY(tlog_checkpoint_parse(&cp, n.text, n.text_len));
    if (strcmp(cp.origin, log->name) != 0)
        return rc_raise(RC_LOG, "checkpoint: of another log than %s",
                        log->name);
    *out = cp;
    return RC_OK;
}
