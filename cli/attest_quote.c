/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vTPM's quote in files: beside an HCL blob for `attest verify`, and as a
 * person would want to read it for `attest show`.
 */
#include "cli/attest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/file.h"

/* ---- for attest verify --------------------------------------------------- */

static enum rc read_part(struct wire_blob *out, const char *path)
{
    OWNED_MEM uint8_t *bytes = NULL;
    size_t len;
    TRY(file_read(&bytes, &len, path, WIRE_QUOTE_MAX));
    return wire_blob_set(out, bytes, len);
}

enum rc cli_quote_take(struct wire_evidence *e, const struct cli_report *from,
                       const char *quote, const char *signature)
{
    if (!quote && !signature)
        return RC_OK;
    if (!quote || !signature)
        return rc_raise(RC_ARG, "%s is missing",
                        quote ? "--quote-signature" : "--quote");
    if (!from->hcl.p)
        return rc_raise(RC_ARG, "--quote: only with an Azure HCL blob as "
                                "--report: it names the key");
    TRY(wire_blob_set(&e->hcl, from->hcl.p, from->hcl.len));
    TRY(read_part(&e->quote, quote));
    return read_part(&e->quote_signature, signature);
}

/* ---- for attest show ----------------------------------------------------- */

enum rc cli_quote_read(struct attest_quote *out, const char *path)
{
    OWNED_MEM uint8_t *bytes = NULL;
    size_t len;
    TRY(file_read(&bytes, &len, path, WIRE_QUOTE_MAX));
    enum rc rc = attest_quote_read(out, bytes, len);
    return rc == RC_OK ? RC_OK : rc_prefix(rc, "%s: ", path);
}

static const char *bank_name(char out[8], uint16_t hash)
{
    switch (hash) {
    case 0x0004:
        return "SHA-1";
    case 0x000B:
        return "SHA-256";
    case 0x000C:
        return "SHA-384";
    case 0x000D:
        return "SHA-512";
    default:
        snprintf(out, 8, "0x%04x", hash);
        return out;
    }
}

static enum rc say_bank(uint16_t hash, uint32_t pcrs)
{
    char name[8];
    char list[128] = "";
    size_t at = 0;
    for (unsigned i = 0; i < 32; i++) {
        if (pcrs >> i & 1)
            at += (size_t)snprintf(list + at, sizeof(list) - at, " %u", i);
    }
    return cli_say("%-15s %s:%s\n", "quoted PCRs", bank_name(name, hash),
                   at ? list : " none");
}

enum rc cli_quote_say(const struct attest_quote *q)
{
    char hex[ENC_HEX_SIZE(ATTEST_QUOTE_EXTRA)];
    TRY(cli_say("%-15s %s\n", "quote is over",
                q->extra_len ? enc_hex(hex, q->extra, q->extra_len)
                             : "nothing"));
    for (unsigned i = 0; i < q->n_banks; i++)
        TRY(say_bank(q->bank[i].hash, q->bank[i].pcrs));
    TRY(cli_say("%-15s %s\n", "PCR digest",
                q->pcr_digest_len
                        ? enc_hex(hex, q->pcr_digest, q->pcr_digest_len)
                        : "none"));
    TRY(cli_say("%-15s firmware 0x%llx, %u resets, %u restarts\n", "TPM",
                (unsigned long long)q->firmware, q->resets, q->restarts));
    return cli_say("%-15s %llu ms%s\n", "TPM's clock",
                   (unsigned long long)q->clock_ms,
                   q->safe ? "" : " (may have gone back)");
}

static json_t *bank_json(uint16_t hash, uint32_t pcrs)
{
    char name[8];
    json_t *list = json_array();
    for (unsigned i = 0; i < 32; i++) {
        if (pcrs >> i & 1)
            json_array_append_new(list, json_integer(i));
    }
    return json_pack("{s:s, s:o}", "hash", bank_name(name, hash), "pcrs", list);
}

json_t *cli_quote_json(const struct attest_quote *q)
{
    char extra[ENC_HEX_SIZE(ATTEST_QUOTE_EXTRA)];
    char digest[ENC_HEX_SIZE(64)];
    json_t *banks = json_array();
    for (unsigned i = 0; i < q->n_banks; i++)
        json_array_append_new(banks,
                              bank_json(q->bank[i].hash, q->bank[i].pcrs));
    return json_pack("{s:s, s:s, s:o, s:I, s:i, s:i, s:b}", "extra_data",
                     enc_hex(extra, q->extra, q->extra_len), "pcr_digest",
                     enc_hex(digest, q->pcr_digest, q->pcr_digest_len), "banks",
                     banks, "clock_ms", (json_int_t)q->clock_ms, "resets",
                     (int)q->resets, "restarts", (int)q->restarts, "safe",
                     (int)q->safe);
}
