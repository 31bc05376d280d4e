/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a CA and its signers read from outside: SCT lists, TBSCertificates,
 * roots. A list that is read is, written from its parts, the same bytes; a
 * TBSCertificate that is taken is the same inside a certificate.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "ca/ca.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void list(const uint8_t *data, size_t size)
{
    struct ca_sct sct;
    uint8_t again[CA_SCT_MAX];
    if (ca_sct_read(&sct, data, size) != RC_OK)
        return;
    struct bytes_writer w = bytes_writer(again, sizeof(again));
    bytes_put_u16(&w, (uint16_t)(size - 2));
    bytes_put_u16(&w, (uint16_t)(size - 4));
    bytes_put_u8(&w, 0);
    bytes_put(&w, sct.log_id, sizeof(sct.log_id));
    bytes_put_u64(&w, sct.at_ms);
    bytes_put_u16(&w, 0);
    bytes_put_u16(&w, 0x0403);
    bytes_put_lp16(&w, data + w.len + 2, size - w.len - 2);
    if (w.failed || w.len != size || memcmp(again, data, size) != 0)
        abort();
}

static void certificate(const uint8_t *data, size_t size)
{
    static const uint8_t zero[64];
    uint8_t der[CA_DER_MAX], key[32];
    uint64_t birth;
    int64_t from, to;
    size_t len;
    (void)!ca_root_open(key, "dev", data, size);
    (void)!ca_tbs_birth(&birth, data, size);
    (void)!ca_life(&from, &to, data, size);
    if (ca_assemble(der, &len, data, size, zero) == RC_OK &&
        (len < size || !memmem(der, len, data, size)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    list(data, size);
    certificate(data, size);
    return 0;
}
