/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C2SP signed-note: text, an empty line, signature lines. Strict as the
 * specification asks, with bounds. Public data; a secret key passes through
 * tlog_note_sign() and stays nowhere.
 */
#include "transparency/note.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "base/enc.h"

/* Length of the UTF-8 sequence at p, 0 when it is none. */
static size_t utf8_len(const uint8_t *p, size_t left)
{
    static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    if (p[0] < 0x80)
        return 1;
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || n > left)
        return 0;
    uint32_t v = p[0] & (0xffU >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        v = v << 6 | (p[i] & 0x3f);
    }
    bool surrogate = v >= 0xd800 && v <= 0xdfff;
    return v < least[n] || v > 0x10ffff || surrogate ? 0 : n;
}

bool tlog_note_clean(const char *p, size_t len)
{
    const uint8_t *at = (const uint8_t *)p;
    while (len > 0) {
        size_t n = utf8_len(at, len);
        if (n == 0 || (at[0] < 0x20 && at[0] != '\n'))
            return false;
        at += n;
        len -= n;
    }
    return true;
}

enum rc tlog_note_line(struct note_sig *out, size_t *used, const char *p,
                       size_t len)
{
    const size_t dash = strlen(NOTE_DASH);
    const char *lf = len ? memchr(p, '\n', len) : NULL;
    if (!lf)
        return rc_raise(RC_PARSE, "note: signature line without LF");
    if ((size_t)(lf - p) < dash || memcmp(p, NOTE_DASH, dash) != 0)
        return rc_raise(RC_PARSE, "note: signature line without its dash");
    const char *name = p + dash;
    const char *space = memchr(name, ' ', (size_t)(lf - name));
    if (!space || space == name)
        return rc_raise(RC_PARSE, "note: signature line without a name");
    if (memchr(name, '+', (size_t)(space - name)))
        return rc_raise(RC_PARSE, "note: '+' in a key name");
    size_t b64_len = (size_t)(lf - space - 1);
    TRY(enc_unb64(out->blob, sizeof(out->blob), &out->blob_len, space + 1,
                  b64_len));
    if (out->blob_len < 5)
        return rc_raise(RC_PARSE, "note: signature of %zu bytes",
                        out->blob_len);
    out->name = name;
    out->name_len = (size_t)(space - name);
    *used = (size_t)(lf - p) + 1;
    return RC_OK;
}

static enum rc check_lines(const struct note *n)
{
    struct note_sig sig;
    size_t used;
    unsigned lines = 0;
    for (size_t at = 0; at < n->sigs_len; at += used) {
        if (++lines > NOTE_SIGS_MAX)
            return rc_raise(RC_PARSE, "note: over %d signatures",
                            NOTE_SIGS_MAX);
        TRY(tlog_note_line(&sig, &used, n->sigs + at, n->sigs_len - at));
    }
    return RC_OK;
}

enum rc tlog_note_parse(struct note *out, const char *note, size_t len)
{
    if (len >= TLOG_NOTE_MAX)
        return rc_raise(RC_PARSE, "note: %zu bytes, at most %d", len,
                        TLOG_NOTE_MAX - 1);
    if (len < 4 || note[len - 1] != '\n')
        return rc_raise(RC_PARSE, "note: does not end with LF");
    if (!tlog_note_clean(note, len))
        return rc_raise(RC_PARSE, "note: control character or bad UTF-8");
    /* the last empty line parts text and signatures */
    size_t gap = len - 2;
    while (gap > 0 && !(note[gap - 1] == '\n' && note[gap] == '\n'))
        gap--;
    if (gap == 0)
        return rc_raise(RC_PARSE, "note: no empty line before signatures");
    struct note n = { note, gap, note + gap + 1, len - gap - 1 };
    TRY(check_lines(&n));
    *out = n;
    return RC_OK;
}

bool tlog_note_is_by(const struct note_sig *sig, const struct tlog_vkey *v)
{
    return sig->name_len == strlen(v->name) &&
           memcmp(sig->name, v->name, sig->name_len) == 0 &&
           memcmp(sig->blob, v->id, sizeof(v->id)) == 0;
}

static enum rc plain_check(const struct note_sig *sig, const char *text,
                           size_t text_len, const struct tlog_vkey *v)
{
    if (sig->blob_len != 4 + 64 ||
        crypto_sign_verify_detached(sig->blob + 4, (const uint8_t *)text,
                                    text_len, v->key) != 0)
        return rc_raise(RC_VERIFY, "note: signature of %s does not verify",
                        v->name);
    return RC_OK;
}

static enum rc cosignature_check(const struct note_sig *sig, const char *text,
                                 size_t text_len, const struct tlog_vkey *v,
                                 int64_t *time)
{
    if (sig->blob_len != 4 + 8 + 64)
        return rc_raise(RC_VERIFY, "note: cosignature of %zu bytes, want 76",
                        sig->blob_len);
    uint64_t at = 0;
    for (unsigned i = 4; i < 12; i++)
        at = at << 8 | sig->blob[i];
    if (at > INT64_MAX)
        return rc_raise(RC_VERIFY, "note: cosignature time out of range");
    uint8_t msg[NOTE_MESSAGE_MAX];
    size_t msg_len;
    TRY(tlog_cosign_message(msg, &msg_len, text, text_len, at));
    if (crypto_sign_verify_detached(sig->blob + 12, msg, msg_len, v->key) != 0)
        return rc_raise(RC_VERIFY, "note: cosignature of %s does not verify",
                        v->name);
    if (time)
        *time = (int64_t)at;
    return RC_OK;
}

enum rc tlog_note_sig_check(const struct note_sig *sig, const char *text,
                            size_t text_len, const struct tlog_vkey *v,
                            int64_t *time)
{
    if (v->type == TLOG_SIG_COSIGNATURE)
        return cosignature_check(sig, text, text_len, v, time);
    return plain_check(sig, text, text_len, v);
}

enum rc tlog_note_verify(const struct note *n, const struct tlog_vkey *v,
                         int64_t *time)
{
    struct note_sig sig;
    size_t used;
    bool found = false;
    int64_t first = 0;
    for (size_t at = 0; at < n->sigs_len; at += used) {
        TRY(tlog_note_line(&sig, &used, n->sigs + at, n->sigs_len - at));
        if (!tlog_note_is_by(&sig, v))
            continue;
        TRY(tlog_note_sig_check(&sig, n->text, n->text_len, v,
                                found ? NULL : &first));
        found = true;
    }
    if (!found)
        return rc_raise(RC_UNKNOWN, "note: no signature of %s", v->name);
    if (time)
        *time = first;
    return RC_OK;
}

enum rc tlog_note_line_text(char *out, size_t cap, const struct tlog_vkey *v,
                            const uint8_t *sig, size_t sig_len)
{
    uint8_t blob[4 + 8 + 64];
    char b64[ENC_B64_SIZE(sizeof(blob))];
    if (sig_len > sizeof(blob) - 4)
        return rc_raise(RC_ARG, "note: signature of %zu bytes", sig_len);
    memcpy(blob, v->id, 4);
    memcpy(blob + 4, sig, sig_len);
    enc_b64(b64, blob, 4 + sig_len);
    size_t need = strlen(NOTE_DASH) + strlen(v->name) + 1 + strlen(b64) + 2;
    if (need > cap)
        return rc_raise(RC_NOMEM, "note: line of %zu bytes, room for %zu", need,
                        cap);
    snprintf(out, cap, NOTE_DASH "%s %s\n", v->name, b64);
    return RC_OK;
}

enum rc tlog_note_sign(char *out, size_t cap, const char *text, size_t text_len,
                       const struct tlog_vkey *v, const uint8_t sk[64])
{
    uint8_t sig[64];
    if (v->type != TLOG_SIG_ED25519)
        return rc_raise(RC_ARG, "note: key of type %u signs no notes", v->type);
    crypto_sign_detached(sig, NULL, (const uint8_t *)text, text_len, sk);
    return tlog_note_line_text(out, cap, v, sig, sizeof(sig));
}

/* A key signs a note once: a second line of the same key adds nothing. */
static enum rc has_line_of(bool *out, const struct note *n,
                           const struct note_sig *by)
{
    struct note_sig sig;
    size_t used;
    *out = false;
    for (size_t at = 0; at < n->sigs_len; at += used) {
        TRY(tlog_note_line(&sig, &used, n->sigs + at, n->sigs_len - at));
        if (sig.name_len == by->name_len &&
            memcmp(sig.name, by->name, by->name_len) == 0 &&
            memcmp(sig.blob, by->blob, 4) == 0)
            *out = true;
    }
    return RC_OK;
}

enum rc tlog_note_add(char *note, size_t cap, const char *line)
{
    struct note n;
    struct note_sig sig;
    size_t used;
    size_t note_len = strnlen(note, cap);
    size_t line_len = strnlen(line, TLOG_NOTE_MAX);
    TRY(tlog_note_parse(&n, note, note_len));
    TRY(tlog_note_line(&sig, &used, line, line_len));
    if (used != line_len || !tlog_note_clean(line, line_len))
        return rc_raise(RC_PARSE, "note: want one signature line");
    bool there;
    TRY(has_line_of(&there, &n, &sig));
    if (there)
        return RC_OK;
    if (note_len + line_len >= cap || note_len + line_len >= TLOG_NOTE_MAX)
        return rc_raise(RC_TOO_LARGE, "note: no room for another signature");
    memcpy(note + note_len, line, line_len + 1);
    return RC_OK;
}
