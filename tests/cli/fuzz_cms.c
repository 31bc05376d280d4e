/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CMS signatures from anywhere, judged. What is read is written and read
 * again, with the same verdict; what is judged good is good by its bytes.
 * Seeds are PEM, so that they are text; mutation works on the DER inside.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "cli/cms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
                               unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
                               unsigned seed)
{
    char *label = NULL;
    char *header = NULL;
    unsigned char *der = NULL;
    long len = 0;
    OWNED(BIO) *bio = BIO_new_mem_buf(data, (int)size);
    if (bio && size > 0 && seed % 8 != 0 &&
        PEM_read_bio(bio, &label, &header, &der, &len) == 1 && len > 0 &&
        (size_t)len <= max) {
        memcpy(data, der, (size_t)len);
        size = (size_t)len;
    }
    ERR_clear_error();
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_free(der);
    return LLVMFuzzerMutate(data, size, max);
}

static void use(struct cms_signer *s, CMS_ContentInfo *cms)
{
    char name[64];
    uint8_t digest[64] = { 0 };
    cms_signer_name(name, sizeof(name), s);
    for (const char *p = name; *p; p++)
        if ((uint8_t)*p < 0x20 || (uint8_t)*p > 0x7e)
            abort();
    (void)cms_is_simulated(s);
    (void)!cms_judge_codesign(s);
    if (cms_judge_digest(cms, digest) == RC_OK)
        abort(); /* of nothing that can be known */
}

/* The bytes again, and whether they are a good signature. */
static bool judge(uint8_t **der, size_t *len, const uint8_t *data, size_t size)
{
    OWNED(CMS_ContentInfo) *cms = NULL;
    struct cms_signer s;
    *der = NULL;
    if (cms_read(&cms, data, size) != RC_OK)
        return false;
    bool good = cms_judge_signature(&s, cms) == RC_OK;
    if (good) {
        use(&s, cms);
        cms_signer_free(&s);
    }
    if (cms_write(der, len, cms, NULL) != RC_OK)
        *der = NULL;
    if (ERR_peek_error() != 0)
        abort(); /* a verdict leaves nothing on the queue */
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    OWNED_MEM uint8_t *der = NULL;
    OWNED_MEM uint8_t *again = NULL;
    size_t len;
    size_t again_len;
    bool good = judge(&der, &len, data, size);
    if (!der) {
        if (good)
            abort(); /* a good one can be written */
        return 0;
    }
    if (judge(&again, &again_len, der, len) != good || !again ||
        again_len != len || memcmp(again, der, len) != 0)
        abort();
    return 0;
}
