/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An entry, its path and a checkpoint judged together; and their text, C2SP
 * tlog-proof. Public data.
 */
#include "transparency/transparency.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "transparency/note.h"

#define FIRST_LINE "c2sp.org/tlog-proof@v1\n"

enum rc tlog_proof_check(const struct tlog_proof *proof,
                         const struct tlog_vkey *log,
                         struct tlog_checkpoint *cp)
{
    struct tlog_checkpoint head;
    struct tlog_hash leaf;
    size_t note_len = strnlen(proof->checkpoint, sizeof(proof->checkpoint));
    if (proof->entry_len > TLOG_ENTRY_MAX)
        return rc_raise(RC_LOG, "proof: entry of %zu bytes, at most %d",
                        proof->entry_len, TLOG_ENTRY_MAX);
    TRY(tlog_checkpoint_open(&head, proof->checkpoint, note_len, log));
    tlog_leaf_hash(&leaf, proof->entry, proof->entry_len);
    TRY(tlog_inclusion_check(&proof->path, proof->index, head.size, &leaf,
                             &head.root));
    if (cp)
        *cp = head;
    return RC_OK;
}

enum rc tlog_proof_write(char *out, size_t cap, size_t *len,
                         const struct tlog_proof *proof)
{
    char hash[ENC_B64_SIZE(32)];
    /* the head, a line a hash, the empty line, the note and NUL */
    size_t need = strlen(FIRST_LINE) + strlen("index \n") + 20 +
                  proof->path.n * sizeof(hash) + 1 +
                  strnlen(proof->checkpoint, sizeof(proof->checkpoint)) + 1;
    if (proof->path.n > TLOG_PATH_MAX || need > cap)
        return rc_raise(RC_TOO_LARGE, "tlog-proof: over %zu bytes", cap);
    int at = snprintf(out, cap, FIRST_LINE "index %llu\n",
                      (unsigned long long)proof->index);
    for (unsigned i = 0; i < proof->path.n; i++)
        at += snprintf(out + at, cap - (size_t)at, "%s\n",
                       enc_b64(hash, proof->path.hash[i].b, 32));
    at += snprintf(out + at, cap - (size_t)at, "\n%s", proof->checkpoint);
    *len = (size_t)at;
    return RC_OK;
}

static bool starts(const char *line, size_t len, const char *with)
{
    return len >= strlen(with) && memcmp(line, with, strlen(with)) == 0;
}

static enum rc read_extra(const char *line, size_t len)
{
    uint8_t extra[TLOG_PROOF_TEXT_MAX];
    size_t got;
    return enc_unb64(extra, sizeof(extra), &got, line, len);
}

/* Lines of hashes up to the empty one. */
static enum rc read_path(struct tlog_path *path, const char **p, size_t *left)
{
    for (;;) {
        size_t n;
        size_t got;
        const char *line = tlog_note_take_line(p, left, &n);
        if (!line)
            return rc_raise(RC_PARSE, "tlog-proof: no empty line after the "
                                      "hashes");
        if (n == 0)
            return RC_OK;
        if (path->n == TLOG_PATH_MAX)
            return rc_raise(RC_PARSE, "tlog-proof: over %d hashes",
                            TLOG_PATH_MAX);
        TRY(enc_unb64(path->hash[path->n++].b, 32, &got, line, n));
        if (got != 32)
            return rc_raise(RC_PARSE, "tlog-proof: hash %u of %zu bytes",
                            path->n - 1, got);
    }
}

enum rc tlog_proof_read(struct tlog_proof *out, const char *text, size_t len,
                        const void *entry, size_t entry_len)
{
    struct tlog_path path = { .n = 0 };
    uint64_t index;
    size_t n = 0;
    if (entry_len > TLOG_ENTRY_MAX)
        return rc_raise(RC_TOO_LARGE, "entry: %zu bytes, at most %d", entry_len,
                        TLOG_ENTRY_MAX);
    const char *line = tlog_note_take_line(&text, &len, &n);
    if (!line || !starts(line, n + 1, FIRST_LINE))
        return rc_raise(RC_PARSE,
                        "tlog-proof: first line is not c2sp.org/tlog-proof@v1");
    line = tlog_note_take_line(&text, &len, &n);
    if (line && starts(line, n, "extra ")) {
        TRY(read_extra(line + 6, n - 6));
        line = tlog_note_take_line(&text, &len, &n);
    }
    if (!line || !starts(line, n, "index "))
        return rc_raise(RC_PARSE, "tlog-proof: no index line");
    TRY(enc_undec(&index, line + 6, n - 6));
    TRY(read_path(&path, &text, &len));
    if (len == 0 || len >= sizeof(out->checkpoint) || memchr(text, '\0', len))
        return rc_raise(RC_PARSE, "tlog-proof: checkpoint of %zu bytes", len);
    memcpy(out->entry, entry, entry_len);
    out->entry[entry_len] = '\0';
    out->entry_len = entry_len;
    out->index = index;
    out->path = path;
    memcpy(out->checkpoint, text, len);
    out->checkpoint[len] = '\0';
    return RC_OK;
}
