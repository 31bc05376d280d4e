/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates as a sidecar might hand them on: read, never trusted. */
#include <stdlib.h>
#include <string.h>

#include "cli/sigstore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t key[TLOG_P256_SPKI_LEN];
    struct wire_spki spki = { .spki = { key, sizeof(key) } };
    struct sigstore_leaf leaf;
    struct tlog_dsse d = { .cert_len = size };
    if (sigstore_leaf_read(&leaf, data, size) == RC_OK &&
        (strlen(leaf.cluster) == 0 || strlen(leaf.deployment) == 0))
        abort();
    if (sigstore_sct_check(data, size, data, size, &spki) == RC_OK)
        abort(); /* nobody holds that key */
    if (size <= sizeof(d.cert)) {
        memcpy(d.cert, data, size);
        (void)!tlog_dsse_check(key, &d, 0);
        (void)!tlog_dsse_issued(&d, key);
    }
    return 0;
}
