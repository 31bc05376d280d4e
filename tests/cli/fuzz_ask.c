/* SPDX-License-Identifier: Apache-2.0 */
/* What an approver's machine reads of others: an agent's lines, and texts that
 * are shown. A text shown twice is shown the same. */
#include <assert.h>
#include <string.h>

#include "cli/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t key[32];
    char text[512];
    char once[512];
    char twice[512];
    (void)!ssh_public_line(key, (const char *)data, len);
    size_t n = len < sizeof(text) ? len : sizeof(text) - 1;
    memcpy(text, data, n);
    text[n] = '\0';
    state_plain(once, sizeof(once), text);
    state_plain(twice, sizeof(twice), once);
    assert(strcmp(once, twice) == 0);
    for (const char *p = once; *p; p++)
        assert((unsigned char)*p >= 0x20 && *p != 0x7f);
    return 0;
}
