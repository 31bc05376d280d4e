/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the room: signed notes (C2SP signed-note) taken apart. All pointers
 * borrow the note. Public data.
 */
#ifndef TRANSPARENCY_NOTE_H
#define TRANSPARENCY_NOTE_H

#include "transparency/transparency.h"

#define NOTE_SIGS_MAX    100  /* signature lines in one note */
#define NOTE_BLOB_MAX    4096 /* key id and signature of one line */
#define NOTE_DASH        "\xe2\x80\x94 "
#define NOTE_MESSAGE_MAX (TLOG_NOTE_MAX + 64) /* body and cosignature head */

struct note {
    const char *text; /* what is signed, final LF included */
    size_t text_len;
    const char *sigs; /* the signature lines */
    size_t sigs_len;
};
struct note_sig {
    const char *name;
    size_t name_len;
    uint8_t blob[NOTE_BLOB_MAX]; /* key id[4], then the signature */
    size_t blob_len;
};

/* RC_PARSE unless well-formed: every line is looked at. */
MUST_CHECK enum rc tlog_note_parse(struct note *out, const char *note,
                                   size_t len);
/* One signature line with its LF; *used is how much of p it took. */
MUST_CHECK enum rc tlog_note_line(struct note_sig *out, size_t *used,
                                  const char *p, size_t len);
/*
 * Every line of this key verifies (RC_VERIFY) and there is one (RC_UNKNOWN).
 * *time, if not NULL, is what the first cosignature says.
 */
MUST_CHECK enum rc tlog_note_verify(const struct note *n,
                                    const struct tlog_vkey *v, int64_t *time);
/* The line "— name base64(id || blob) LF". */
MUST_CHECK enum rc tlog_note_line_text(char *out, size_t cap,
                                       const struct tlog_vkey *v,
                                       const uint8_t *sig, size_t sig_len);
/* A plain Ed25519 line over text. */
MUST_CHECK enum rc tlog_note_sign(char *out, size_t cap, const char *text,
                                  size_t text_len, const struct tlog_vkey *v,
                                  const uint8_t sk[64]);
bool tlog_note_is_by(const struct note_sig *sig, const struct tlog_vkey *v);
/* One line of this key over text. RC_VERIFY. */
MUST_CHECK enum rc tlog_note_sig_check(const struct note_sig *sig,
                                       const char *text, size_t text_len,
                                       const struct tlog_vkey *v,
                                       int64_t *time);
/* Valid UTF-8 without control characters other than LF. */
bool tlog_note_clean(const char *p, size_t len);
/* "cosignature/v1 LF time T LF" and text, at most NOTE_MESSAGE_MAX. */
MUST_CHECK enum rc tlog_cosign_message(uint8_t out[NOTE_MESSAGE_MAX],
                                       size_t *len, const char *text,
                                       size_t text_len, uint64_t time);
/* Takes one line off *p, without its LF; NULL when there is none. */
const char *tlog_note_take_line(const char **p, size_t *left, size_t *len);
/* Body of a checkpoint, extension lines allowed. */
MUST_CHECK enum rc tlog_checkpoint_parse(struct tlog_checkpoint *out,
                                         const char *body, size_t len);

#endif
