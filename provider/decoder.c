/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key references in files: PEM to our text, our text (or the PKCS#8 around
 * it) to a key that the sidecar was asked for. Everything else is passed over
 * without a word, since the host tries every decoder on every file.
 *
 * A file: URI loads in two steps, and between them the host drops what the
 * inner one had to say. So while a block of ours is being read, the inner
 * decoder keeps its failure and the outer one tells it, once. (PKCS#8 from a
 * file: URI with mpc loaded before the default provider goes past us: there
 * "unsupported" is all that a failure leaves.)
 */
#include "provider/inner.h"

#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>
#include <string.h>

#define DER_MAX (PROV_REF_MAX + 64)

/* Of this thread, while prov_decoder_pem is at work in it. */
static _Thread_local struct outer {
    bool active;
    bool text; /* the block is our text, not a PKCS#8 around it */
    enum rc failure;
} outer;

/* The context is the provider's: a decoder here has nothing to remember. */
static void *newctx(void *provctx)
{
    return provctx;
}

static void freectx(void *vctx)
{
    (void)vctx;
}

/* 0 is a caller who takes what comes. */
static int keys(void *provctx, int selection)
{
    (void)provctx;
    return selection == 0 || (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0;
}

/* To whoever wants it; frees it when nobody does. */
static int hand_out(struct prov_key *key, OSSL_CALLBACK *cb, void *arg)
{
    int given = prov_key_give(&key, cb, arg);
    prov_key_free(key);
    return given;
}

bool prov_decoder_keeps(enum rc rc)
{
    if (outer.active)
        outer.failure = rc;
    return outer.active;
}

/* 0, with the failure where it will be seen. */
static int failed(const struct prov *p, const char *func, enum rc rc)
{
    if (!prov_decoder_keeps(rc))
        prov_fail(p, func, rc);
    return 0;
}

/* ---- PEM ----------------------------------------------------------------- */

static int hand_on(const struct prov_pem *b, const char *structure,
                   OSSL_CALLBACK *cb, void *arg)
{
    int type = OSSL_OBJECT_PKEY;
    char name[] = "ED25519";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE, name, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_STRUCTURE,
                                         (char *)(uintptr_t)structure, 0),
        OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_DATA,
                                          (void *)(uintptr_t)b->data, b->len),
        OSSL_PARAM_construct_end(),
    };
    return cb(params, arg);
}

/*
 * What the host added about a failure of ours is no news: dropped. (On an
 * empty queue there is nothing to mark, and going back to it empties it.)
 */
static int hand_on_and_tell(const struct prov *p, const struct prov_pem *b,
                            const char *structure, OSSL_CALLBACK *cb, void *arg)
{
    const struct outer before = outer;
    bool marks = p->core.set_error_mark && p->core.pop_error_mark &&
                 p->core.clear_error_mark;
    bool marked = marks && p->core.set_error_mark(p->handle);
    outer = (struct outer){
        .active = true,
        .text = strcmp(structure, PROV_REF_STRUCTURE) == 0,
    };
    int done = hand_on(b, structure, cb, arg);
    enum rc failure = outer.failure;
    outer = before;
    if (marks && failure != RC_OK)
        p->core.pop_error_mark(p->handle);
    else if (marked)
        p->core.clear_error_mark(p->handle);
    return failure == RC_OK ? done : prov_fail(p, "mpc_decode_pem", failure);
}

/* The structure that this block is of, NULL when it is none of ours. */
static const char *structure_of(const struct prov_pem *b, enum rc read)
{
    if (strcmp(b->label, PROV_REF_LABEL) == 0)
        return PROV_REF_STRUCTURE;
    if (read == RC_OK && strcmp(b->label, "PRIVATE KEY") == 0 &&
        prov_pkcs8_is_ours(b->data, b->len))
        return "PrivateKeyInfo";
    return NULL;
}

static int decode_pem(void *vctx, OSSL_CORE_BIO *in, int selection,
                      OSSL_CALLBACK *cb, void *arg,
                      OSSL_PASSPHRASE_CALLBACK *pw_cb, void *pw_arg)
{
    const struct prov *p = vctx;
    struct prov_pem block;
    (void)selection;
    (void)pw_cb;
    (void)pw_arg;
    enum rc rc = prov_pem_read(&block, p, in);
    const char *structure = structure_of(&block, rc);
    if (!structure)
        return 1;
    if (rc != RC_OK) {
        rc_hint("write it again: mpcsign key ref NAME");
        return prov_fail(p, __func__, rc);
    }
    return hand_on_and_tell(p, &block, structure, cb, arg);
}

/* ---- keys ---------------------------------------------------------------- */

/* Up to size bytes; one more than fits is told by a full buffer. */
static size_t read_der(uint8_t *out, size_t size, const struct prov *p,
                       OSSL_CORE_BIO *in)
{
    size_t len = 0, n = 0;
    while (len < size && p->core.bio_read &&
           p->core.bio_read(in, out + len, size - len, &n) && n > 0)
        len += n;
    return len;
}

/* Who wants only a public key gets only one. */
static enum rc fetch(struct prov_key **out, const struct prov *p,
                     const char *text, size_t len, int selection)
{
    struct prov_uri uri;
    TRY(prov_ref_parse(&uri, text, len));
    TRY(prov_key_fetch(out, p, &uri));
    (*out)->signs = selection == 0 ||
                    (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
    return RC_OK;
}

static int give(const struct prov *p, const char *func, const char *text,
                size_t len, int selection, OSSL_CALLBACK *cb, void *arg)
{
    struct prov_key *key = NULL;
    if (outer.active && outer.failure != RC_OK)
        return 0; /* the host tries again what failed a moment ago */
    enum rc rc = fetch(&key, p, text, len, selection);
    if (rc != RC_OK)
        return failed(p, func, rc);
    return hand_out(key, cb, arg);
}

static int decode_reference(void *vctx, OSSL_CORE_BIO *in, int selection,
                            OSSL_CALLBACK *cb, void *arg,
                            OSSL_PASSPHRASE_CALLBACK *pw_cb, void *pw_arg)
{
    uint8_t text[DER_MAX];
    size_t len = read_der(text, sizeof(text), vctx, in);
    (void)pw_cb;
    (void)pw_arg;
    /* In a block of ours all of it is meant; elsewhere it may be anything. */
    if (!outer.text && (len < 4 || memcmp(text, "mpc:", 4) != 0))
        return 1;
    return give(vctx, __func__, (const char *)text, len, selection, cb, arg);
}

static int decode_pkcs8(void *vctx, OSSL_CORE_BIO *in, int selection,
                        OSSL_CALLBACK *cb, void *arg,
                        OSSL_PASSPHRASE_CALLBACK *pw_cb, void *pw_arg)
{
    const struct prov *p = vctx;
    uint8_t der[DER_MAX];
    const char *text;
    size_t text_len, len = read_der(der, sizeof(der), p, in);
    (void)pw_cb;
    (void)pw_arg;
    if (!prov_pkcs8_is_ours(der, len))
        return 1;
    enum rc rc = p->legacy_bridge ? prov_bridge_offer(p)
                                  : prov_pkcs8_text(&text, &text_len, der, len);
    if (rc != RC_OK)
        return failed(p, __func__, rc);
    if (p->legacy_bridge)
        return 1; /* nothing found here: the host goes on to the bridge */
    return give(p, __func__, text, text_len, selection, cb, arg);
}

/* ---- public keys --------------------------------------------------------- */

static int public_keys(void *provctx, int selection)
{
    (void)provctx;
    return selection == 0 || ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) &&
                              !(selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY));
}

/*
 * Any Ed25519 SubjectPublicKeyInfo, certificates' included, so that it is our
 * verification that a CMS message's SHA-512 meets: OpenSSL 3.0's own refuses
 * to hear of a digest. Offered only where decode-public-keys says so.
 */
static int decode_spki(void *vctx, OSSL_CORE_BIO *in, int selection,
                       OSSL_CALLBACK *cb, void *arg,
                       OSSL_PASSPHRASE_CALLBACK *pw_cb, void *pw_arg)
{
    const struct prov *p = vctx;
    uint8_t der[PROV_SPKI_LEN + 1], want[PROV_SPKI_LEN];
    size_t len = read_der(der, sizeof(der), p, in);
    (void)selection;
    (void)pw_cb;
    (void)pw_arg;
    if (len != PROV_SPKI_LEN)
        return 1;
    struct prov_key *key = prov_key_new(p);
    if (!key)
        return prov_fail(p, __func__, RC_NOMEM);
    memcpy(key->pub, der + len - PROV_PUB_LEN, PROV_PUB_LEN);
    key->has_public = true;
    prov_spki(want, key);
    if (memcmp(der, want, len) == 0)
        return hand_out(key, cb, arg);
    prov_key_free(key);
    return 1;
}

/* clang-format off */
const OSSL_DISPATCH prov_decoder_pem[] = {
    PROV_ENTRY(OSSL_FUNC_DECODER_NEWCTX, newctx),
    PROV_ENTRY(OSSL_FUNC_DECODER_FREECTX, freectx),
    PROV_ENTRY(OSSL_FUNC_DECODER_DECODE, decode_pem),
    PROV_TABLE_END
};
#define DECODER(name, which, function)                                         \
    const OSSL_DISPATCH name[] = {                                             \
        PROV_ENTRY(OSSL_FUNC_DECODER_NEWCTX, newctx),                          \
        PROV_ENTRY(OSSL_FUNC_DECODER_FREECTX, freectx),                        \
        PROV_ENTRY(OSSL_FUNC_DECODER_DOES_SELECTION, which),                   \
        PROV_ENTRY(OSSL_FUNC_DECODER_DECODE, function),                        \
        PROV_ENTRY(OSSL_FUNC_DECODER_EXPORT_OBJECT, prov_key_export_object),   \
        PROV_TABLE_END                                                         \
    }
DECODER(prov_decoder_reference, keys, decode_reference);
DECODER(prov_decoder_pkcs8, keys, decode_pkcs8);
DECODER(prov_decoder_spki, public_keys, decode_spki);
/* clang-format on */
