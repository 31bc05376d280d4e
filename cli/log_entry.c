/* SPDX-License-Identifier: Apache-2.0 */
/* A log entry as a JSON object and as a line: FORMATS section 1 by names. */
#include "cli/log.h"

#include <string.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/hash.h"

static const char *const types[] = {
    [TLOG_OPAQUE] = "opaque",     [TLOG_INTENT] = "intent",
    [TLOG_BIRTH] = "birth",       [TLOG_EPOCH] = "epoch",
    [TLOG_RECEIPT] = "receipt",   [TLOG_POLICY] = "policy",
    [TLOG_EVIDENCE] = "evidence", [TLOG_ABORT] = "abort",
    [TLOG_DSSE] = "dsse",
};

static bool decodes(enum tlog_kind kind, const char *text, size_t len)
{
    union {
        struct tlog_intent intent;
        struct tlog_birth birth;
        struct tlog_epoch epoch;
        struct tlog_receipt receipt;
        struct tlog_policy policy;
        struct tlog_evidence evidence;
        struct tlog_abort end;
    } e;
    switch (kind) {
    case TLOG_INTENT:
        return tlog_intent_decode(&e.intent, text, len) == RC_OK;
    case TLOG_BIRTH:
        return tlog_birth_decode(&e.birth, text, len) == RC_OK;
    case TLOG_EPOCH:
        return tlog_epoch_decode(&e.epoch, text, len) == RC_OK;
    case TLOG_RECEIPT:
        return tlog_receipt_decode(&e.receipt, text, len) == RC_OK;
    case TLOG_POLICY:
        return tlog_policy_decode(&e.policy, text, len) == RC_OK;
    case TLOG_EVIDENCE:
        return tlog_evidence_decode(&e.evidence, text, len) == RC_OK;
    case TLOG_ABORT:
        return tlog_abort_decode(&e.end, text, len) == RC_OK;
    default:
        return false;
    }
}

/* Numbers of the formats fit 63 bits, hashes are never short. */
static json_t *value(const char *text, size_t len)
{
    uint64_t n;
    if (len < 20 && enc_undec(&n, text, len) == RC_OK && n <= INT64_MAX)
        return json_integer((json_int_t)n);
    return json_stringn(text, len);
}

/* "name SP value LF" of an entry that decodes, so all of it is ASCII. An
 * epoch's own type is its "change". */
static void put_fields(json_t *o, const char *p, const char *end)
{
    while (p < end) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        const char *space = memchr(p, ' ', (size_t)(end - p));
        char name[32];
        if (!lf || !space || space > lf || space - p >= (long)sizeof(name))
            return;
        memcpy(name, p, (size_t)(space - p));
        name[space - p] = '\0';
        json_object_set_new(o, strcmp(name, "type") == 0 ? "change" : name,
                            value(space + 1, (size_t)(lf - space - 1)));
        p = lf + 1;
    }
}

/* Signature and certificate by their digests, as receipts name them. */
static void put_dsse(json_t *o, const struct tlog_dsse *d)
{
    char hex[ENC_HEX_SIZE(32)];
    uint8_t digest[32];
    json_object_set_new(o, "payload",
                        json_string(enc_hex(hex, d->payload, 32)));
    json_object_set_new(o, "envelope",
                        json_string(enc_hex(hex, d->envelope, 32)));
    hash256(digest, d->signature, sizeof(d->signature));
    json_object_set_new(o, "signature", json_string(enc_hex(hex, digest, 32)));
    hash256(digest, d->cert, d->cert_len);
    json_object_set_new(o, "certificate",
                        json_string(enc_hex(hex, digest, 32)));
}

json_t *cli_log_entry_json(uint64_t index, const uint8_t *entry, size_t len)
{
    const char *text = (const char *)entry;
    enum tlog_kind kind = tlog_entry_kind(text, len);
    struct tlog_dsse dsse;
    bool is_dsse = kind == TLOG_DSSE &&
                   tlog_dsse_decode(&dsse, text, len) == RC_OK;
    bool ours = is_dsse || decodes(kind, text, len);
    json_t *o = json_pack("{s:I, s:s}", "index", (json_int_t)index, "type",
                          ours || kind == TLOG_OPAQUE ? types[kind]
                                                      : "malformed");
    const char *lf = ours ? memchr(text, '\n', len) : NULL;
    if (is_dsse)
        put_dsse(o, &dsse);
    else if (lf)
        put_fields(o, lf + 1, text + len);
    else
        json_object_set_new(o, "bytes", json_integer((json_int_t)len));
    return o;
}

/* ---- a line ------------------------------------------------------------- */

static const char *str(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "-";
}

static long long num(const json_t *o, const char *key)
{
    return (long long)json_integer_value(json_object_get(o, key));
}

static enum rc say_intent(const json_t *e)
{
    char at[CLOCK_TEXT_SIZE];
    return cli_say("%s attempt %lld, key %.16s session %.16s, expires %s\n",
                   str(e, "slot"), num(e, "attempt"), str(e, "key"),
                   str(e, "session"), clock_text(at, num(e, "expires")));
}

enum rc cli_log_entry_say(const json_t *e)
{
    const char *type = str(e, "type");
    TRY(cli_say("%8lld  %-9s ", num(e, "index"), type));
    if (strcmp(type, "intent") == 0)
        return say_intent(e);
    if (strcmp(type, "birth") == 0)
        return cli_say("%s, threshold %lld, key %.16s session %.16s\n",
                       str(e, "class"), num(e, "threshold"), str(e, "key"),
                       str(e, "session"));
    if (strcmp(type, "epoch") == 0)
        return cli_say("%s, epoch %lld, key %.16s session %.16s\n",
                       str(e, "change"), num(e, "epoch"), str(e, "key"),
                       str(e, "session"));
    if (strcmp(type, "receipt") == 0)
        return cli_say("of intent %lld, signature %.16s certificate %.16s\n",
                       num(e, "intent"), str(e, "signature"),
                       str(e, "certificate"));
    if (strcmp(type, "abort") == 0)
        return cli_say_line("of intent %lld, %s", num(e, "intent"),
                            str(e, "reason"));
    if (strcmp(type, "policy") == 0)
        return cli_say("version %lld, sha256 %.16s\n", num(e, "version"),
                       str(e, "sha256"));
    if (strcmp(type, "evidence") == 0)
        return cli_say("node %lld, identity %.16s report %.16s\n",
                       num(e, "node"), str(e, "identity"), str(e, "report"));
    if (strcmp(type, "dsse") == 0)
        return cli_say("payload %.16s, signature %.16s certificate %.16s\n",
                       str(e, "payload"), str(e, "signature"),
                       str(e, "certificate"));
    return cli_say("%lld bytes\n", num(e, "bytes"));
}
