/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are opened as keys, whatever they hold: PEM blocks, references,
 * PKCS#8, public keys, and certificates whose subject is looked at. The first
 * byte chooses. The host is a few functions over the input's bytes; no
 * sidecar is asked.
 */
#include "provider/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/params.h>

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* ---- a host ---------------------------------------------------------------- */

struct ossl_core_bio_st {
    const uint8_t *p;
    size_t len;
};

static int bio_read(OSSL_CORE_BIO *b, void *out, size_t len, size_t *done)
{
    *done = len < b->len ? len : b->len;
    memcpy(out, b->p, *done);
    b->p += *done;
    b->len -= *done;
    return *done > 0;
}

/* As BIO_gets(): a line with its end, or as much as fits. */
static int bio_gets(OSSL_CORE_BIO *b, char *out, int size)
{
    int n = 0;
    while (n < size - 1 && b->len > 0) {
        out[n++] = (char)*b->p++;
        b->len--;
        if (out[n - 1] == '\n')
            break;
    }
    out[n] = '\0';
    return n;
}

static struct prov host = {
    .core = { .bio_read = bio_read, .bio_gets = bio_gets },
    .unusable = RC_UNREACHABLE, /* before anything is connected */
    .decode_public = true,
};

static OSSL_FUNC_decoder_decode_fn *decode_of(const OSSL_DISPATCH *d)
{
    while (d->function_id != OSSL_FUNC_DECODER_DECODE)
        d++;
    return (OSSL_FUNC_decoder_decode_fn *)d->function;
}

/* What a decoder hands on: data for the next one, or a key. */
static int inner(const OSSL_PARAM params[], void *arg)
{
    const OSSL_PARAM *data = OSSL_PARAM_locate_const(params,
                                                     OSSL_OBJECT_PARAM_DATA);
    const OSSL_PARAM *ref = OSSL_PARAM_locate_const(
            params, OSSL_OBJECT_PARAM_REFERENCE);
    unsigned *found = arg;
    check((data != NULL) != (ref != NULL));
    ++*found;
    if (!data)
        return 1; /* not taken: the decoder frees it */
    check(data->data_size <= sizeof(((struct prov_pem *)0)->data));
    struct ossl_core_bio_st b = { data->data, data->data_size };
    unsigned keys = 0;
    decode_of(prov_decoder_reference)(&host, &b, 0, inner, &keys, NULL, NULL);
    b = (struct ossl_core_bio_st){ data->data, data->data_size };
    decode_of(prov_decoder_pkcs8)(&host, &b, 0, inner, &keys, NULL, NULL);
    check(keys == 0); /* no sidecar, no key */
    return 0;
}

/* ---- each kind of input ---------------------------------------------------- */

static void pem(const uint8_t *data, size_t size)
{
    struct ossl_core_bio_st b = { data, size };
    unsigned found = 0;
    int ok = decode_of(prov_decoder_pem)(&host, &b, 0, inner, &found, NULL,
                                         NULL);
    check(found <= 1);
    check(found == 0 || !ok); /* without a sidecar it can not succeed */
    check(size == b.len + (size_t)(b.p - data));
}

/* A reference that is accepted is written, read again, and the same. */
static void reference(const uint8_t *data, size_t size)
{
    struct prov_uri uri, again;
    if (prov_ref_parse(&uri, (const char *)data, size) != RC_OK) {
        check(rc_hint_text()[0] != '\0');
        return;
    }
    struct prov_key key = { .signs = true };
    struct prov_pem block;
    char text[PROV_PEM_SIZE];
    memcpy(key.name, uri.name, sizeof(key.name));
    memcpy(key.session, uri.session, sizeof(key.session));
    size_t len = prov_ref_pem(text, sizeof(text), &key);
    struct ossl_core_bio_st b = { (const uint8_t *)text, len };
    check(len < sizeof(text));
    check(prov_pem_read(&block, &host, &b) == RC_OK);
    check(strcmp(block.label, PROV_REF_LABEL) == 0 && b.len == 0);
    check(prov_ref_parse(&again, (const char *)block.data, block.len) == RC_OK);
    check(strcmp(again.name, uri.name) == 0);
    check(strcmp(again.session, uri.session) == 0);
}

/* One content has one encoding: DER that is accepted is rebuilt, the same. */
static void pkcs8(const uint8_t *data, size_t size)
{
    static const uint8_t front[] = { 0x02, 0x01, 0x00, 0x30, 0x0c, 0x06,
                                     0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01,
                                     0x81, 0xfd, 0x59, 0x01, 0x01, 0x04 };
    const char *text;
    size_t len;
    bool ours = prov_pkcs8_is_ours(data, size);
    if (prov_pkcs8_text(&text, &len, data, size) != RC_OK)
        return;
    check(ours && len <= size && (const uint8_t *)text >= data);
    check((const uint8_t *)text + len == data + size);
    size_t head = len < 0x80 ? 1 : len < 0x100 ? 2 : 3;
    size_t body = sizeof(front) + head + len;
    size_t outer = body < 0x80 ? 2 : body < 0x100 ? 3 : 4;
    check(size == outer + body);
    check(memcmp(data + outer, front, sizeof(front)) == 0);
}

static void public_key(const uint8_t *data, size_t size)
{
    struct ossl_core_bio_st b = { data, size };
    unsigned found = 0;
    check(decode_of(prov_decoder_spki)(&host, &b, 0, inner, &found, NULL,
                                       NULL) == 1);
    check(found == 0 || size == PROV_SPKI_LEN);
}

/* The name is its own subject's, or another; neither may read past an end. */
static void certificate(const uint8_t *data, size_t size)
{
    size_t half = size > 0 ? data[0] : 0;
    if (size < 2 || half > size - 1)
        return;
    struct prov_der name = { data + 1, half };
    struct prov_der cert = { data + 1 + half, size - 1 - half };
    (void)prov_cert_subject_is(cert, name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const kinds[])(const uint8_t *, size_t) = { pem, reference,
                                                              pkcs8, public_key,
                                                              certificate };
    if (size == 0)
        return 0;
    kinds[data[0] % 5](data + 1, size - 1);
    return 0;
}
