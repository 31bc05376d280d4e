/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An authoriser's answer, and the words of `callers`: anything may stand
 * there. What counts as a yes is one by a second reading too.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "sidecar/callers.h"
#include "sidecar/inner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_yes(const uint8_t *data, size_t size)
{
    json_auto_t *o = json_loadb((const char *)data, size,
                                JSON_REJECT_DUPLICATES, NULL);
    const json_t *reason = json_object_get(o, "reason");
    return json_is_true(json_object_get(o, "allow")) &&
           json_object_size(o) == (reason ? 2u : 1u) &&
           (!reason || json_is_string(reason));
}

static void try_callers(const uint8_t *data, size_t size)
{
    struct callers c;
    char *text = malloc(size + 1);
    if (!text)
        return;
    memcpy(text, data, size);
    text[size] = '\0';
    char *users = strchr(text, '\n');
    if (users)
        *users++ = '\0';
    if (callers_parse(&c, text, users) == RC_OK) {
        if (c.n == 0 || c.n > CALLERS_MAX)
            abort();
        for (unsigned i = 0; i < c.n; i++) {
            struct node_caller who;
            const struct sock_peer peer = { .uid = c.at[i].uid };
            callers_find(&who, &c, &peer);
            if (!who.name || strcmp(who.name, c.at[i].name) != 0)
                abort();
        }
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum rc rc = authorise_answer(RC_OK, data, size);
    if ((rc == RC_OK) != is_yes(data, size) || (rc != RC_OK && rc != RC_DENIED))
        abort();
    try_callers(data, size);
    return 0;
}
