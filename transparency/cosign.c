/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C2SP tlog-cosignature, cosignature/v1: a witness says when it saw a
 * checkpoint. Public data; the witness's secret key is only passed through.
 */
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "base/bytes.h"
#include "transparency/note.h"

enum rc tlog_cosign_message(uint8_t out[NOTE_MESSAGE_MAX], size_t *len,
                            const char *text, size_t text_len, uint64_t time)
{
    char head[64];
    int n = snprintf(head, sizeof(head), "cosignature/v1\ntime %llu\n",
                     (unsigned long long)time);
    if (n < 0 || (size_t)n + text_len > NOTE_MESSAGE_MAX)
        return rc_raise(RC_TOO_LARGE, "cosignature: body of %zu bytes",
                        text_len);
    memcpy(out, head, (size_t)n);
    memcpy(out + n, text, text_len);
    *len = (size_t)n + text_len;
    return RC_OK;
}

enum rc tlog_cosign(char out[TLOG_SIG_LINE_MAX],
                    const struct tlog_checkpoint *cp, int64_t time,
                    const struct tlog_vkey *cosigner, const uint8_t sk[64])
{
    char body[TLOG_NOTE_MAX];
    uint8_t msg[NOTE_MESSAGE_MAX];
    size_t msg_len;
    uint8_t blob[8 + 64];
    if (cosigner->type != TLOG_SIG_COSIGNATURE)
        return rc_raise(RC_ARG, "cosign: %s is no cosigner key",
                        cosigner->name);
    if (time < 0)
        return rc_raise(RC_ARG, "cosign: time before 1970");
    TRY(tlog_checkpoint_body(body, sizeof(body), cp));
    TRY(tlog_cosign_message(msg, &msg_len, body, strlen(body), (uint64_t)time));
    struct bytes_writer w = bytes_writer(blob, sizeof(blob));
    bytes_put_u64(&w, (uint64_t)time);
    crypto_sign_detached(blob + 8, NULL, msg, msg_len, sk);
    return tlog_note_line_text(out, TLOG_SIG_LINE_MAX, cosigner, blob,
                               sizeof(blob));
}

enum rc tlog_cosignature_check(const char *line,
                               const struct tlog_checkpoint *cp,
                               const struct tlog_vkey *cosigner, int64_t *time)
{
    char body[TLOG_NOTE_MAX];
    struct note_sig sig;
    size_t used;
    size_t len = strnlen(line, TLOG_SIG_LINE_MAX);
    if (cosigner->type != TLOG_SIG_COSIGNATURE)
        return rc_raise(RC_ARG, "cosignature: %s is no cosigner key",
                        cosigner->name);
    TRY(tlog_note_line(&sig, &used, line, len));
    if (used != len)
        return rc_raise(RC_PARSE, "cosignature: bytes after the line");
    if (!tlog_note_is_by(&sig, cosigner))
        return rc_raise(RC_VERIFY, "cosignature: line of another key than %s",
                        cosigner->name);
    TRY(tlog_checkpoint_body(body, sizeof(body), cp));
    return tlog_note_sig_check(&sig, body, strlen(body), cosigner, time);
}

enum rc tlog_note_cosigned(const char *note, size_t note_len,
                           const struct tlog_vkey *cosigner, int64_t *time)
{
    struct note n;
    if (cosigner->type != TLOG_SIG_COSIGNATURE)
        return rc_raise(RC_ARG, "cosignature: %s is no cosigner key",
                        cosigner->name);
    TRY(tlog_note_parse(&n, note, note_len));
    return tlog_note_verify(&n, cosigner, time);
}
