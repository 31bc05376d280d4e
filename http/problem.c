/* SPDX-License-Identifier: Apache-2.0 */
/* problem+json: {"code": slug, "message": text, "hint": text}. */
#include "http/inner.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Text that came from anywhere as JSON: what is not UTF-8 becomes ASCII. */
static json_t *text_value(const char *text)
{
    json_t *v = json_string(text);
    if (v)
        return v;
    char clean[HTTP_WHY_SIZE];
    size_t i = 0;
    for (; text[i] && i < sizeof(clean) - 1; i++)
        clean[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
    clean[i] = '\0';
    return json_string(clean);
}

char *http_problem_encode(enum rc rc, const char *why, const char *hint)
{
    json_auto_t *doc = json_pack("{ss so* so*}", "code", rc_slug(rc), "message",
                                 text_value(why), "hint",
                                 hint && hint[0] ? text_value(hint) : NULL);
    return doc ? json_dumps(doc, JSON_COMPACT) : NULL;
}

enum rc http_problem_decode(const uint8_t *body, size_t len, char *why,
                            size_t why_cap, char *hint, size_t hint_cap)
{
    json_auto_t *doc = json_loadb((const char *)body, len,
                                  JSON_REJECT_DUPLICATES, NULL);
    const char *code = json_string_value(json_object_get(doc, "code"));
    const char *message = json_string_value(json_object_get(doc, "message"));
    const char *advice = json_string_value(json_object_get(doc, "hint"));
    if (!code)
        return RC_OK;
    snprintf(why, why_cap, "%s", message ? message : code);
    snprintf(hint, hint_cap, "%s", advice ? advice : "");
    enum rc rc = rc_from_slug(code);
    return rc == RC_OK ? RC_INTERNAL : rc;
}
