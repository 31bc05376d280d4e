/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log entries as fixed text, FORMATS section 1: one table of rows per type
 * drives encode and decode. Decode re-encodes and compares, so that one entry
 * has one text. Hashes and pseudonymous ids only; never a name or a message.
 */
#include "transparency/transparency.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "base/hash.h"

enum field_type {
    HEX,       /* uint8_t[32] */
    HEX_OR_NO, /* uint8_t[32], all zero is "-" */
    HEX_IF,    /* uint8_t[32], and a bool at aux; false is "-" */
    NUM,       /* uint64_t, least..most */
    NUM_OR_NO, /* uint64_t, TLOG_NO_INDEX is "-" */
    TIME,      /* int64_t */
    WORD,      /* char[aux], one of words */
    REASON     /* char[aux], [a-z_] */
};

struct row {
    const char *name;
    enum field_type type;
    size_t off;
    size_t aux;
    uint64_t least;
    uint64_t most;
    const char *words; /* each between two spaces */
};

#define NUM_MAX   INT64_MAX
#define AT(field) offsetof(struct S, field)
#define R_HEX(f)                                                               \
    {                                                                          \
#f, HEX, AT(f), 0, 0, 0, NULL                                          \
    }
#define R_HEX_OR_NO(f)                                                         \
    {                                                                          \
#f, HEX_OR_NO, AT(f), 0, 0, 0, NULL                                    \
    }
#define R_HEX_IF(f, flag)                                                      \
    {                                                                          \
#f, HEX_IF, AT(f), AT(flag), 0, 0, NULL                                \
    }
#define R_NUM(f, least, most)                                                  \
    {                                                                          \
#f, NUM, AT(f), 0, least, most, NULL                                   \
    }
#define R_INDEX(f)                                                             \
    {                                                                          \
#f, NUM, AT(f), 0, 0, NUM_MAX, NULL                                    \
    }
#define R_INDEX_OR_NO(f)                                                       \
    {                                                                          \
#f, NUM_OR_NO, AT(f), 0, 0, NUM_MAX, NULL                              \
    }
#define R_TIME(f)                                                              \
    {                                                                          \
#f, TIME, AT(f), 0, 0, NUM_MAX, NULL                                   \
    }
#define R_WORD(f, words)                                                       \
    {                                                                          \
#f, WORD, AT(f), sizeof(((struct S *)0)->f), 0, 0, words               \
    }
#define R_REASON(f)                                                            \
    {                                                                          \
#f, REASON, AT(f), sizeof(((struct S *)0)->f), 0, 0, NULL              \
    }
#define END                                                                    \
    {                                                                          \
        NULL, HEX, 0, 0, 0, 0, NULL                                            \
    }

#define CLASSES " artifact issuer tls "
#define MODES   " ed25519 "
#define SLOTS   " raw cms dsse x509 ocsp cmp tls12 tls13 "
#define TYPES   " refresh reshare recover destroy "

/* clang-format off */
#define S tlog_intent
static const struct row intent_rows[] = {
    R_HEX(commitment), R_HEX(key), R_WORD(class, CLASSES), R_WORD(mode, MODES),
    R_HEX_OR_NO(session), R_WORD(slot, SLOTS), R_NUM(attempt, 1, NUM_MAX),
    R_NUM(epoch, 1, NUM_MAX), R_HEX(approvals), R_HEX(participants),
    R_HEX(policy), R_INDEX_OR_NO(birth), R_TIME(expires), END
};
#undef S
#define S tlog_birth
static const struct row birth_rows[] = {
    R_HEX(key), R_HEX(session), R_WORD(class, CLASSES),
    R_NUM(threshold, 1, UINT16_MAX), R_HEX(participants), R_HEX(endorsements),
    R_HEX(approvals), R_HEX(policy), END
};
#undef S
#define S tlog_epoch
static const struct row epoch_rows[] = {
    R_HEX(key), R_HEX_OR_NO(session), R_WORD(type, TYPES),
    R_NUM(epoch, 1, NUM_MAX), R_NUM(parent, 0, NUM_MAX),
    R_NUM(threshold, 1, UINT16_MAX), R_HEX(participants), R_HEX(endorsements),
    R_HEX(policy), END
};
#undef S
#define S tlog_receipt
static const struct row receipt_rows[] = {
    R_INDEX(intent), R_HEX(signature), R_HEX_IF(certificate, has_certificate),
    END
};
#undef S
#define S tlog_policy
static const struct row policy_rows[] = {
    R_NUM(version, 1, NUM_MAX), R_HEX(sha256), R_HEX(prev), R_HEX(roster),
    R_HEX(approvals), END
};
#undef S
#define S tlog_evidence
static const struct row evidence_rows[] = {
    R_NUM(node, 0, UINT16_MAX), R_HEX(ak), R_HEX(identity), R_HEX(report), END
};
#undef S
#define S tlog_abort
static const struct row abort_rows[] = {
    R_INDEX(intent), R_REASON(reason), END
};
#undef S

static const struct layout {
    const char *line; /* the first, with its LF */
    const struct row *rows;
    size_t size;
} layouts[] = {
    [TLOG_OPAQUE]   = { NULL, NULL, 0 },
    [TLOG_INTENT]   = { "mpc-intent/1\n", intent_rows,
                        sizeof(struct tlog_intent) },
    [TLOG_BIRTH]    = { "mpc-birth/1\n", birth_rows,
                        sizeof(struct tlog_birth) },
    [TLOG_EPOCH]    = { "mpc-epoch/1\n", epoch_rows,
                        sizeof(struct tlog_epoch) },
    [TLOG_RECEIPT]  = { "mpc-receipt/1\n", receipt_rows,
                        sizeof(struct tlog_receipt) },
    [TLOG_POLICY]   = { "mpc-policy/1\n", policy_rows,
                        sizeof(struct tlog_policy) },
    [TLOG_EVIDENCE] = { "mpc-evidence/1\n", evidence_rows,
                        sizeof(struct tlog_evidence) },
    [TLOG_ABORT]    = { "mpc-abort/1\n", abort_rows,
                        sizeof(struct tlog_abort) },
};
/* clang-format on */

#define N_KINDS   (sizeof(layouts) / sizeof(layouts[0]))
#define VALUE_MAX 65 /* longest value: 64 hex digits; with NUL */

union any_entry {
    struct tlog_intent intent;
    struct tlog_birth birth;
    struct tlog_epoch epoch;
    struct tlog_receipt receipt;
    struct tlog_policy policy;
    struct tlog_evidence evidence;
    struct tlog_abort abort;
};

enum tlog_kind tlog_entry_kind(const char *text, size_t len)
{
    for (unsigned k = TLOG_INTENT; k < N_KINDS; k++) {
        size_t n = strlen(layouts[k].line);
        if (len >= n && memcmp(text, layouts[k].line, n) == 0)
            return (enum tlog_kind)k;
    }
    return tlog_dsse_like(text, len) ? TLOG_DSSE : TLOG_OPAQUE;
}

static bool reason_ok(const char *word, size_t len)
{
    return len > 0 && strspn(word, "abcdefghijklmnopqrstuvwxyz_") == len;
}

/* word is NUL-terminated and holds no space. */
static bool word_ok(const struct row *row, const char *word)
{
    size_t len = strlen(word);
    if (row->type == REASON)
        return reason_ok(word, len);
    const char *at = row->words;
    if (len == 0 || strchr(word, ' '))
        return false;
    while ((at = strstr(at, word)) != NULL) {
        if (at[-1] == ' ' && at[len] == ' ')
            return true;
        at++;
    }
    return false;
}

static enum rc num_text(char out[VALUE_MAX], const struct row *row, uint64_t v)
{
    if (row->type == NUM_OR_NO && v == TLOG_NO_INDEX) {
        snprintf(out, VALUE_MAX, "-");
        return RC_OK;
    }
    if (v < row->least || v > row->most)
        return rc_raise(RC_ARG, "entry: %s out of range", row->name);
    snprintf(out, VALUE_MAX, "%llu", (unsigned long long)v);
    return RC_OK;
}

static enum rc word_text(char out[VALUE_MAX], const struct row *row,
                         const char *word)
{
    if (strnlen(word, row->aux) == row->aux || !word_ok(row, word))
        return rc_raise(RC_ARG, "entry: %s is none of the known", row->name);
    snprintf(out, VALUE_MAX, "%s", word);
    return RC_OK;
}

static void hex_text(char out[VALUE_MAX], const uint8_t *p, bool none)
{
    if (none)
        snprintf(out, VALUE_MAX, "-");
    else
        enc_hex(out, p, 32);
}

static enum rc value_text(char out[VALUE_MAX], const struct row *row,
                          const uint8_t *in)
{
    const uint8_t *p = in + row->off;
    uint64_t num;
    switch (row->type) {
    case HEX:
        hex_text(out, p, false);
        return RC_OK;
    case HEX_OR_NO:
        hex_text(out, p, sodium_is_zero(p, 32));
        return RC_OK;
    case HEX_IF:
        hex_text(out, p, in[row->aux] == 0);
        return RC_OK;
    case NUM:
    case NUM_OR_NO:
    case TIME: /* a negative time is over NUM_MAX */
        memcpy(&num, p, sizeof(num));
        return num_text(out, row, num);
    case WORD:
    case REASON:
        return word_text(out, row, (const char *)p);
    }
    return rc_raise(RC_INTERNAL, "entry: %s has no type", row->name);
}

static enum rc encode(char out[TLOG_ENTRY_MAX + 1], size_t *len,
                      enum tlog_kind kind, const void *in)
{
    const struct layout *lay = &layouts[kind];
    char text[TLOG_ENTRY_MAX + 1];
    char value[VALUE_MAX];
    size_t at = strlen(lay->line);
    memcpy(text, lay->line, at);
    for (const struct row *row = lay->rows; row->name; row++) {
        TRY(value_text(value, row, in));
        int n = snprintf(text + at, sizeof(text) - at, "%s %s\n", row->name,
                         value);
        if (n < 0 || (size_t)n >= sizeof(text) - at)
            return rc_raise(RC_INTERNAL, "entry: over %d bytes",
                            TLOG_ENTRY_MAX);
        at += (size_t)n;
    }
    memcpy(out, text, at);
    out[at] = '\0';
    *len = at;
    return RC_OK;
}

static enum rc hex_value(uint8_t *p, uint8_t *flag, const struct row *row,
                         const char *value, size_t len)
{
    bool none = row->type != HEX && len == 1 && value[0] == '-';
    if (flag)
        *flag = !none;
    return none ? RC_OK : enc_unhex(p, 32, value, len);
}

static enum rc num_value(uint8_t *p, const struct row *row, const char *value,
                         size_t len)
{
    uint64_t num = TLOG_NO_INDEX;
    bool none = row->type == NUM_OR_NO && len == 1 && value[0] == '-';
    if (!none) {
        TRY(enc_undec(&num, value, len));
        if (num < row->least || num > row->most)
            return rc_raise(RC_PARSE, "out of range");
    }
    memcpy(p, &num, sizeof(num));
    return RC_OK;
}

/* out is zeroed, so a copied word has its NUL. */
static enum rc read_value(uint8_t *out, const struct row *row,
                          const char *value, size_t len)
{
    uint8_t *p = out + row->off;
    switch (row->type) {
    case HEX:
    case HEX_OR_NO:
        return hex_value(p, NULL, row, value, len);
    case HEX_IF:
        return hex_value(p, out + row->aux, row, value, len);
    case NUM:
    case NUM_OR_NO:
    case TIME:
        return num_value(p, row, value, len);
    case WORD:
    case REASON:
        if (len >= row->aux || memchr(value, '\0', len))
            return rc_raise(RC_PARSE, "too long");
        memcpy(p, value, len);
        return word_ok(row, (const char *)p) ? RC_OK
                                             : rc_raise(RC_PARSE, "unknown");
    }
    return rc_raise(RC_INTERNAL, "no type");
}

/* "name SP value LF" at *at. */
static enum rc read_row(uint8_t *out, const struct row *row, const char *text,
                        size_t len, size_t *at)
{
    size_t name_len = strlen(row->name);
    const char *line = text + *at;
    size_t left = len - *at;
    if (left < name_len + 1 || memcmp(line, row->name, name_len) != 0 ||
        line[name_len] != ' ')
        return rc_raise(RC_PARSE, "entry: want line %s at byte %zu", row->name,
                        *at);
    const char *value = line + name_len + 1;
    const char *lf = memchr(value, '\n', left - name_len - 1);
    if (!lf)
        return rc_raise(RC_PARSE, "entry: line %s has no LF", row->name);
    if (read_value(out, row, value, (size_t)(lf - value)) != RC_OK)
        return rc_prefix(RC_PARSE, "entry: %s: ", row->name);
    *at += (size_t)(lf - line) + 1;
    return RC_OK;
}

static enum rc decode(void *out, enum tlog_kind kind, const char *text,
                      size_t len)
{
    const struct layout *lay = &layouts[kind];
    union any_entry e;
    char again[TLOG_ENTRY_MAX + 1];
    size_t again_len;
    memset(&e, 0, sizeof(e));
    if (len > TLOG_ENTRY_MAX)
        return rc_raise(RC_TOO_LARGE, "entry: %zu bytes, at most %d", len,
                        TLOG_ENTRY_MAX);
    size_t at = strlen(lay->line);
    if (tlog_entry_kind(text, len) != kind)
        return rc_raise(RC_PARSE, "entry: first line is not %.*s", (int)at - 1,
                        lay->line);
    for (const struct row *row = lay->rows; row->name; row++)
        TRY(read_row((uint8_t *)&e, row, text, len, &at));
    if (at != len)
        return rc_raise(RC_PARSE, "entry: %zu bytes after the last line",
                        len - at);
    if (encode(again, &again_len, kind, &e) != RC_OK || again_len != len ||
        memcmp(again, text, len) != 0)
        return rc_raise(RC_PARSE, "entry: not the one text of its content");
    memcpy(out, &e, lay->size);
    return RC_OK;
}

#define BOTH_WAYS(name, kind)                                                  \
    enum rc tlog_##name##_encode(char out[TLOG_ENTRY_MAX + 1], size_t *len,    \
                                 const struct tlog_##name *in)                 \
    {                                                                          \
        return encode(out, len, kind, in);                                     \
    }                                                                          \
    enum rc tlog_##name##_decode(struct tlog_##name *out, const char *text,    \
                                 size_t len)                                   \
    {                                                                          \
        return decode(out, kind, text, len);                                   \
    }
BOTH_WAYS(intent, TLOG_INTENT)
BOTH_WAYS(birth, TLOG_BIRTH)
BOTH_WAYS(epoch, TLOG_EPOCH)
BOTH_WAYS(receipt, TLOG_RECEIPT)
BOTH_WAYS(policy, TLOG_POLICY)
BOTH_WAYS(evidence, TLOG_EVIDENCE)
BOTH_WAYS(abort, TLOG_ABORT)

void tlog_commitment_of_hash(uint8_t out[32], const uint8_t salt[32],
                             const uint8_t sha512[64])
{
    static const char tag[] = "mpc/message/v1";
    const struct hash_part parts[] = { { tag, sizeof(tag) },
                                       { salt, 32 },
                                       { sha512, 64 } };
    hash256_parts(out, parts, 3);
}

void tlog_commitment(uint8_t out[32], const uint8_t salt[32],
                     const uint8_t *msg, size_t msg_len)
{
    uint8_t sha512[64];
    hash512(sha512, msg, msg_len);
    tlog_commitment_of_hash(out, salt, sha512);
    sodium_memzero(sha512, sizeof(sha512));
}
