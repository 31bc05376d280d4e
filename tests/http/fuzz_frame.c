/* SPDX-License-Identifier: Apache-2.0 */
/* What http_unframe() accepts, http_frame() writes byte for byte. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "http/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *json;
    const uint8_t *raw;
    size_t json_len;
    size_t raw_len;
    uint8_t *again;
    size_t again_len;
    if (http_unframe(&json, &json_len, &raw, &raw_len, data, len) != RC_OK)
        return 0;
    if (http_frame(&again, &again_len, json, json_len, raw, raw_len) != RC_OK)
        abort();
    assert(again_len == len && memcmp(again, data, len) == 0);
    free(again);
    return 0;
}
