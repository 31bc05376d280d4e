/* SPDX-License-Identifier: Apache-2.0 */
/* Large bodies: u32be length, JSON, then the raw message to the end. */
#include "http/http.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/own.h"

enum rc http_frame(uint8_t **out, size_t *out_len, const char *json,
                   size_t json_len, const void *raw, size_t raw_len)
{
    if (json_len > UINT32_MAX || raw_len > SIZE_MAX - 4 - json_len)
        return rc_raise(RC_TOO_LARGE, "frame: %zu bytes of JSON", json_len);
    size_t len = 4 + json_len + raw_len;
    OWNED_MEM uint8_t *buf = malloc(len);
    if (!buf)
        return rc_raise(RC_NOMEM, "frame: %zu bytes", len);
    struct bytes_writer w = bytes_writer(buf, len);
    bytes_put_lp32(&w, json, json_len);
    bytes_put(&w, raw, raw_len);
    TRY(bytes_written(&w));
    *out = TAKE(buf);
    *out_len = len;
    return RC_OK;
}

enum rc http_unframe(const char **json, size_t *json_len, const uint8_t **raw,
                     size_t *raw_len, const void *body, size_t body_len)
{
    struct bytes_reader r = bytes_reader(body, body_len);
    size_t len;
    const uint8_t *text = bytes_take_lp32(&r, &len);
    if (r.failed)
        return rc_raise(RC_PARSE,
                        "frame: %zu bytes, shorter than its own JSON length",
                        body_len);
    *json = (const char *)text;
    *json_len = len;
    *raw_len = r.left;
    *raw = r.p;
    return RC_OK;
}
