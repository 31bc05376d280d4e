/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bundles from anywhere, judged: as they come, and once more with a digest
 * that fits, as somebody would make it. The mutator changes one string of the
 * tree, so that the rest still decodes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/verify.h"

#define SIGNED "fuzz me\n" /* what the seed is a signature of */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
                               unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

/* ---- the mutator ------------------------------------------------------------- */

/* The i-th string of the tree, depth first; *i counts down. */
static json_t *nth_string(json_t *o, unsigned *i)
{
    json_t *v;
    json_t *found;
    const char *key;
    size_t k;
    if (json_is_string(o) && (*i)-- == 0)
        return o;
    json_object_foreach (o, key, v)
        if ((found = nth_string(v, i)))
            return found;
    json_array_foreach (o, k, v)
        if ((found = nth_string(v, i)))
            return found;
    return NULL;
}

static void mutate_string(json_t *s)
{
    size_t len = json_string_length(s);
    size_t cap = 2 * len + 16;
    uint8_t *copy = calloc(1, cap + 1);
    if (!copy)
        abort();
    memcpy(copy, json_string_value(s), len);
    len = LLVMFuzzerMutate(copy, len, cap);
    (void)json_string_setn_nocheck(s, (char *)copy, len);
    free(copy);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
                               unsigned seed)
{
    unsigned i = (seed >> 3) % 257;
    json_t *o = seed % 8 ? json_loadb((const char *)data, size, 0, NULL) : NULL;
    json_t *s = nth_string(o, &i);
    if (s)
        mutate_string(s);
    size_t n = s ? json_dumpb(o, (char *)data, max, JSON_COMPACT) : 0;
    json_decref(o);
    return n > 0 && n <= max ? n : LLVMFuzzerMutate(data, size, max);
}

/* ---- the target ---------------------------------------------------------------- */

static const struct verify_trust *trust(void)
{
    static struct verify_trust *t;
    if (!t && (verify_trust_new(&t) != RC_OK ||
               verify_trust_read(t, VERIFY_TRUST) != RC_OK))
        abort();
    return t;
}

static void judge(const void *json, size_t len)
{
    struct verify_result r;
    char *html;
    size_t html_len;
    const struct verify_ask ask = { .data = (const uint8_t *)SIGNED,
                                    .data_len = sizeof(SIGNED) - 1,
                                    .bundle = json,
                                    .bundle_len = len,
                                    .trust = trust(),
                                    .allow_simulated = true };
    enum rc rc = verify_run(&r, &ask);
    if (rc == RC_OK && !r.ok)
        abort();
    if (r.checks && verify_html(&html, &html_len, &r) == RC_OK)
        free(html);
    verify_result_free(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    WIRE(bundle) b = { 0 };
    char *json = NULL;
    size_t len;
    judge(data, size);
    if (wire_bundle_decode(&b, (const char *)data, size) != RC_OK ||
        wire_bundle_digest(b.digest, &b) != RC_OK ||
        wire_bundle_encode(&json, &len, &b) != RC_OK)
        return 0;
    judge(json, len);
    free(json);
    return 0;
}
