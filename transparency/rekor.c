/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Rekor's clients check of an entry besides its path: the signed entry
 * timestamp, and a checkpoint in Rekor's older form, which must carry exactly
 * one signature; so it stands beside our own note of the same tree. Public
 * data.
 */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/enc.h"
#include "base/hash.h"
#include "transparency/note.h"

/* ---- signed entry timestamp ---------------------------------------------- */

enum rc tlog_set_message(char **out, size_t *len, const char *entry,
                         size_t entry_len, uint64_t index, int64_t integrated,
                         const uint8_t log_id[32])
{
    char id[ENC_HEX_SIZE(32)];
    size_t cap = ENC_B64_SIZE(entry_len) + 256;
    OWNED_MEM char *b64 = malloc(ENC_B64_SIZE(entry_len));
    OWNED_MEM char *text = malloc(cap);
    if (!b64 || !text)
        return rc_raise(RC_NOMEM, "entry timestamp: out of memory");
    /* keys sorted, no space: RFC 8785 */
    int n = snprintf(text, cap,
                     "{\"body\":\"%s\",\"integratedTime\":%lld,"
                     "\"logID\":\"%s\",\"logIndex\":%llu}",
                     enc_b64(b64, entry, entry_len), (long long)integrated,
                     enc_hex(id, log_id, 32), (unsigned long long)index);
    *len = (size_t)n;
    *out = TAKE(text);
    return RC_OK;
}

/* ---- the checkpoint ------------------------------------------------------ */

enum rc tlog_rekor_host(char out[TLOG_NAME_MAX], const char *deployment)
{
    char name[TLOG_NAME_MAX];
    int n = snprintf(name, sizeof(name), "log.%s", deployment);
    if (n < 0 || (size_t)n >= sizeof(name))
        return rc_raise(RC_TOO_LARGE, "deployment: longer than a log's name");
    if (strpbrk(name, " +/"))
        return rc_raise(RC_ARG, "deployment: no name of a host");
    memcpy(out, name, sizeof(name));
    return RC_OK;
}

static enum rc origin_of(char out[TLOG_NAME_MAX], const char *host,
                         const uint8_t id[32])
{
    struct bytes_reader r = bytes_reader(id, 8);
    int n = snprintf(out, TLOG_NAME_MAX, "%s - %llu", host,
                     (unsigned long long)(bytes_get_u64(&r) >> 1));
    if (n < 0 || n >= TLOG_NAME_MAX)
        return rc_raise(RC_TOO_LARGE, "log: its name has no room for a tree");
    return RC_OK;
}

enum rc tlog_rekor_note(char out[TLOG_NOTE_MAX], const char *host,
                        const struct tlog_p256 *k, uint64_t size,
                        const struct tlog_hash *root)
{
    struct tlog_checkpoint cp = { .size = size, .root = *root };
    char note[TLOG_NOTE_MAX];
    uint8_t blob[4 + TLOG_P256_SIG_MAX];
    char b64[ENC_B64_SIZE(sizeof(blob))];
    size_t sig_len;
    TRY(origin_of(cp.origin, host, tlog_p256_id(k)));
    TRY(tlog_checkpoint_body(note, sizeof(note), &cp));
    size_t len = strlen(note);
    memcpy(blob, tlog_p256_id(k), 4);
    TRY(tlog_p256_sign(blob + 4, &sig_len, k, note, len));
    int n = snprintf(note + len, sizeof(note) - len, "\n" NOTE_DASH "%s %s\n",
                     host, enc_b64(b64, blob, 4 + sig_len));
    if (n < 0 || (size_t)n >= sizeof(note) - len)
        return rc_raise(RC_INTERNAL, "checkpoint: does not fit");
    memcpy(out, note, len + (size_t)n + 1);
    return RC_OK;
}

/* The one line of a note, by this key and name. */
static enum rc check_line(const struct note *n, const char *host,
                          const uint8_t *spki, size_t spki_len,
                          const uint8_t id[32])
{
    struct note_sig sig;
    size_t used;
    TRY(tlog_note_line(&sig, &used, n->sigs, n->sigs_len));
    if (used != n->sigs_len)
        return rc_raise(RC_LOG, "checkpoint: more than one signature");
    if (sig.name_len != strlen(host) || memcmp(sig.name, host, sig.name_len))
        return rc_raise(RC_LOG, "checkpoint: not signed as %s", host);
    if (sig.blob_len <= 4 || memcmp(sig.blob, id, 4) != 0)
        return rc_raise(RC_LOG, "checkpoint: signed by another key");
    if (tlog_p256_verify(spki, spki_len, n->text, n->text_len, sig.blob + 4,
                         sig.blob_len - 4) != RC_OK)
        return rc_prefix(RC_LOG, "checkpoint: ");
    return RC_OK;
}

enum rc tlog_rekor_open(struct tlog_checkpoint *out, const char *note,
                        size_t len, const char *host, const uint8_t *spki,
                        size_t spki_len)
{
    struct note n;
    struct tlog_checkpoint cp;
    char origin[TLOG_NAME_MAX];
    uint8_t id[32];
    hash256(id, spki, spki_len);
    TRY(origin_of(origin, host, id));
    TRY(tlog_note_parse(&n, note, len));
    TRY(check_line(&n, host, spki, spki_len, id));
    TRY(tlog_checkpoint_parse(&cp, n.text, n.text_len));
    if (strcmp(cp.origin, origin) != 0)
        return rc_raise(RC_LOG, "checkpoint: of another log than %s", origin);
    *out = cp;
    return RC_OK;
}
