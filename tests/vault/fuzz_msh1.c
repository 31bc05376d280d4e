/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a sealed blob: what decodes has a header that encodes to it. */
#include "vault/vault.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vault_msh1 h;
    uint8_t again[VAULT_MSH1_HEADER];
    char text[256];
    enum vault_master list[VAULT_MAX_MASTERS];
    unsigned n = 0;
    if (vault_msh1_decode(&h, data, size) == RC_OK) {
        vault_msh1_encode(again, &h);
        if (size < sizeof(again) || memcmp(again, data, sizeof(again)) != 0)
            abort();
    }
    if (size >= sizeof(text))
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (vault_master_parse(list, &n, text) == RC_OK &&
        (n == 0 || n > VAULT_MAX_MASTERS))
        abort();
    return 0;
}
