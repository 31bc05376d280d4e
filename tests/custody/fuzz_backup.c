/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What custodians are handed by anyone: backups and key files. What decodes
 * has one form: its header is encoded again and compared.
 */
#include <stdlib.h>
#include <string.h>

#include "custody/inner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct custody_key key;
    struct custody_backup b;
    struct frost_scalar share;
    uint8_t nonce[12];
    uint8_t again[CUSTODY_HEADER_LEN];
    bool locked;
    if (!key.public[0])
        custody_key_make(&key);
    if (custody_backup_read(&b, data, size) == RC_OK) {
        struct custody_backup same;
        struct bytes_writer w = bytes_writer(again, sizeof(again));
        if (custody_header_get(&same, NULL, nonce, data) != RC_OK)
            abort();
        custody_header_put(&w, &b, nonce);
        if (w.failed || memcmp(again, data, sizeof(again)) != 0)
            abort();
        if (custody_backup_open(&share, NULL, data, size, &key) == RC_OK)
            abort(); /* a box for a key that was made just now */
    }
    /* no passphrase: Argon2id by a stranger's numbers would take seconds */
    if (custody_key_locked(&locked, (const char *)data, size) == RC_OK &&
        !locked)
        (void)custody_key_read(&key, (const char *)data, size, NULL, 0);
    return 0;
}
