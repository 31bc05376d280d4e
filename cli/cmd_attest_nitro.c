/* SPDX-License-Identifier: Apache-2.0 */
/* mpcsign attest verify --kind nitro: AWS Nitro Enclaves' documents. */
#include "cli/attest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/file.h"

/* "0=96 hex digits" */
static enum rc read_pcr(struct attest_nitro_want *want, const char *text)
{
    const char *eq = strchr(text, '=');
    uint64_t n = 0;
    if (!eq || enc_undec(&n, text, (size_t)(eq - text)) != RC_OK ||
        n >= ATTEST_NITRO_PCRS)
        return rc_raise(RC_ARG, "--pcr: want N=HEX, N of 0 to %d",
                        ATTEST_NITRO_PCRS - 1);
    if (want->has_pcr[n])
        return rc_raise(RC_ARG, "--pcr: PCR%u comes twice", (unsigned)n);
    if (enc_unhex(want->pcr[n], 48, eq + 1, strlen(eq + 1)) != RC_OK)
        return rc_raise(RC_ARG, "--pcr: PCR%u: want 96 lower-case hex digits",
                        (unsigned)n);
    want->has_pcr[n] = true;
    return RC_OK;
}

/* Heap; NULL for null. */
static char *hex_of(const struct wire_blob *b)
{
    char *hex = b->p ? malloc(ENC_HEX_SIZE(b->len)) : NULL;
    return hex ? enc_hex(hex, b->p, b->len) : NULL;
}

static json_t *pcrs_json(const struct attest_nitro *n)
{
    json_t *o = json_object();
    for (unsigned i = 0; i < ATTEST_NITRO_PCRS; i++) {
        char name[8];
        char hex[ENC_HEX_SIZE(48)];
        snprintf(name, sizeof(name), "%u", i);
        if (n->has_pcr[i])
            json_object_set_new(o, name,
                                json_string(enc_hex(hex, n->pcr[i], 48)));
    }
    return o;
}

static json_t *verdict_json(const struct attest_verdict *v,
                            const struct attest_nitro *n)
{
    OWNED_MEM char *key = hex_of(&n->public_key);
    OWNED_MEM char *data = hex_of(&n->user_data);
    OWNED_MEM char *nonce = hex_of(&n->nonce);
    return json_pack("{s:b, s:s, s:s, s:I, s:o, s:s?, s:s?, s:s?, s:o}", "ok",
                     (int)v->ok, "kind", "nitro", "module_id", n->module,
                     "timestamp_ms", (json_int_t)n->timestamp_ms, "pcrs",
                     pcrs_json(n), "public_key", key, "user_data", data,
                     "nonce", nonce, "checks", cli_rows_json(v));
}

static enum rc say_field(const char *name, const struct wire_blob *b)
{
    OWNED_MEM char *hex = hex_of(b);
    return cli_say("%-10s %s\n", name, hex ? hex : "none");
}

/* PCRs of zeros were never extended: only the image's own are shown then. */
static enum rc say_text(const struct attest_verdict *v,
                        const struct attest_nitro *n)
{
    static const uint8_t zero[48] = { 0 };
    char hex[ENC_HEX_SIZE(48)];
    TRY(cli_rows_say(v));
    TRY(cli_say("module     %s\n", *n->module ? n->module : "none"));
    for (unsigned i = 0; i < ATTEST_NITRO_PCRS; i++)
        if (n->has_pcr[i] && (i < 3 || memcmp(n->pcr[i], zero, 48) != 0))
            TRY(cli_say("PCR%-7u %s\n", i, enc_hex(hex, n->pcr[i], 48)));
    TRY(say_field("public key", &n->public_key));
    TRY(say_field("user data", &n->user_data));
    return say_field("nonce", &n->nonce);
}

static enum rc say(const struct attest_verdict *v, const struct attest_nitro *n,
                   enum rc rc)
{
    if (!cli_json()) {
        char text[512];
        snprintf(text, sizeof(text), "%s", rc == RC_OK ? "" : rc_text());
        TRY(say_text(v, n));
        return rc == RC_OK ? RC_OK : rc_raise(rc, "%s", text);
    }
    json_t *o = verdict_json(v, n);
    if (o && rc != RC_OK)
        json_object_set_new(o, "error", cli_error_json(rc));
    TRY(cli_say_json(o));
    if (rc != RC_OK)
        cli_told();
    return rc;
}

enum rc cli_nitro_verify(const char *path, int64_t now_s,
                         const struct cli_list *pcrs)
{
    struct attest_nitro_want want = { 0 };
    struct attest_nitro facts;
    for (unsigned i = 0; i < pcrs->n; i++)
        TRY(read_pcr(&want, pcrs->at[i]));
    OWNED_MEM uint8_t *bytes = NULL;
    size_t len;
    TRY(file_read(&bytes, &len, path, CLI_EVIDENCE_MAX));
    OWNED_MEM struct attest_verdict *v = calloc(1, sizeof(*v));
    if (!v)
        return rc_raise(RC_NOMEM, "verdict: out of memory");
    const struct wire_blob doc = { bytes, len };
    return say(v, &facts, attest_nitro_verify(v, &facts, &doc, &want, now_s));
}
