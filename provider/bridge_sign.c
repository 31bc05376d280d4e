/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing with a key of the bridge: one-shot, as TLS and certificates do, or
 * in pieces, as CMS does. Only a real signature asks the sidecar. Verifying is
 * libcrypto's own.
 */
#include "provider/bridge.h"

#ifdef BRIDGE_BUILT

static struct prov_message *message_of(const EVP_PKEY_CTX *ctx)
{
    return EVP_PKEY_CTX_get_data(ctx);
}

static int begin(EVP_PKEY_CTX *ctx)
{
    EVP_PKEY_CTX_set_data(ctx, NULL);
    return 1;
}

static void end(EVP_PKEY_CTX *ctx)
{
    prov_message_free(message_of(ctx));
    EVP_PKEY_CTX_set_data(ctx, NULL);
}

/* EVP_DigestSignFinal() signs with a copy of the context. */
static int copy(EVP_PKEY_CTX *to, const EVP_PKEY_CTX *from)
{
    struct prov_message *m = message_of(from);
    EVP_PKEY_CTX_set_data(to, m ? prov_message_ref(m) : NULL);
    return 1;
}

/* ---- what may be asked for ----------------------------------------------- */

/* Ed25519 hashes by itself; callers that name its hash mean the same thing. */
static enum rc digest_ok(const EVP_MD *md)
{
    int nid = md ? EVP_MD_get_type(md) : NID_undef;
    if (nid == NID_undef || nid == NID_sha512)
        return RC_OK;
    enum rc rc = rc_raise(RC_ARG,
                          "digest %.32s: Ed25519 signs the message itself, "
                          "with SHA-512 inside",
                          EVP_MD_get0_name(md));
    rc_hint("give no digest, or sha512");
    return rc;
}

static int ctrl(EVP_PKEY_CTX *ctx, int type, int p1, void *p2)
{
    (void)ctx;
    (void)p1;
    switch (type) {
    case EVP_PKEY_CTRL_MD: {
        enum rc rc = digest_ok(p2);
        return rc == RC_OK ? 1 : prov_bridge_fail("mpc_bridge_digest", rc);
    }
    case EVP_PKEY_CTRL_DIGESTINIT:
        return 1;
    default: /* PKCS#7 among them */
        return -2;
    }
}

/*
 * A digest made elsewhere: `cms -noattr` and `pkeyutl` without -rawin would
 * yield Ed25519 over a hash, which nobody can verify.
 */
static int refuse_digest(EVP_PKEY_CTX *ctx)
{
    (void)ctx;
    enum rc rc = rc_raise(RC_ARG, "Ed25519 signs messages, not digests of "
                                  "them");
    rc_hint("cms: leave out -noattr; pkeyutl: give -rawin");
    prov_bridge_fail("mpc_bridge_sign", rc);
    return -2;
}

static int never(EVP_PKEY_CTX *ctx, unsigned char *sig, size_t *siglen,
                 const unsigned char *tbs, size_t tbslen)
{
    (void)sig;
    (void)siglen;
    (void)tbs;
    (void)tbslen;
    return refuse_digest(ctx);
}

/* ---- pieces -------------------------------------------------------------- */

/* Refuses what is over the limit before holding it. */
static enum rc add(EVP_PKEY_CTX *ctx, const void *p, size_t len)
{
    const struct bridge_key *k = prov_bridge_key_of(
            EVP_PKEY_CTX_get0_pkey(ctx));
    struct prov_message *m = message_of(ctx);
    size_t have = 0;
    TRY(prov_bridge_usable(k));
    if (m)
        (void)prov_message_get(m, &have);
    else if (!(m = prov_message_new()))
        return RC_NOMEM;
    EVP_PKEY_CTX_set_data(ctx, m);
    if (len > SIZE_MAX - have)
        return rc_raise(RC_TOO_LARGE, "message: %zu bytes more", len);
    TRY(prov_key_fits(k->key, have + len));
    enum rc rc = prov_message_add(&m, p, len);
    EVP_PKEY_CTX_set_data(ctx, m); /* perhaps a copy of its own */
    return rc;
}

static int update(EVP_MD_CTX *mctx, const void *data, size_t len)
{
    enum rc rc = add(EVP_MD_CTX_get_pkey_ctx(mctx), data, len);
    return rc == RC_OK ? 1 : prov_bridge_fail("mpc_bridge_update", rc);
}

/*
 * NO_INIT: what mctx hashed before must not take the pieces instead of us,
 * or an empty message would be signed.
 */
static int sign_init(EVP_PKEY_CTX *ctx, EVP_MD_CTX *mctx)
{
    end(ctx);
    enum rc rc = prov_bridge_usable(
            prov_bridge_key_of(EVP_PKEY_CTX_get0_pkey(ctx)));
    if (rc != RC_OK)
        return prov_bridge_fail("mpc_bridge_sign_init", rc);
    EVP_MD_CTX_set_flags(mctx, EVP_MD_CTX_FLAG_NO_INIT);
    EVP_MD_CTX_set_update_fn(mctx, update);
    return 1;
}

/* ---- the signature ------------------------------------------------------- */

static enum rc sign(uint8_t *sig, size_t size, EVP_PKEY_CTX *ctx,
                    const uint8_t *msg, size_t len)
{
    const struct bridge_key *k = prov_bridge_key_of(
            EVP_PKEY_CTX_get0_pkey(ctx));
    if (size < PROV_SIG_LEN)
        return rc_raise(RC_ARG, "signature buffer: %zu bytes, want %d", size,
                        PROV_SIG_LEN);
    TRY(prov_bridge_usable(k));
    TRY(prov_key_fits(k->key, len));
    return prov_ask_sign(sig, k->key, msg ? msg : (const uint8_t *)"", len);
}

/* sig NULL: only how long one is. */
static int sign_into(EVP_PKEY_CTX *ctx, unsigned char *sig, size_t *siglen,
                     const uint8_t *msg, size_t len)
{
    enum rc rc = sig ? sign(sig, *siglen, ctx, msg, len) : RC_OK;
    if (rc != RC_OK)
        return prov_bridge_fail("mpc_bridge_sign", rc);
    *siglen = PROV_SIG_LEN;
    return 1;
}

static int sign_final(EVP_PKEY_CTX *ctx, unsigned char *sig, size_t *siglen,
                      EVP_MD_CTX *mctx)
{
    const struct prov_message *m = message_of(ctx);
    size_t len = 0;
    const uint8_t *msg = m ? prov_message_get(m, &len) : NULL;
    (void)mctx;
    return sign_into(ctx, sig, siglen, msg, len);
}

/* Without pieces before it, the message is not copied. */
static int sign_oneshot(EVP_MD_CTX *mctx, unsigned char *sig, size_t *siglen,
                        const unsigned char *msg, size_t len)
{
    EVP_PKEY_CTX *ctx = EVP_MD_CTX_get_pkey_ctx(mctx);
    if (!sig || !message_of(ctx))
        return sign_into(ctx, sig, siglen, msg, len);
    return update(mctx, msg, len) && sign_final(ctx, sig, siglen, mctx);
}

/* ---- method -------------------------------------------------------------- */

EVP_PKEY_METHOD *prov_bridge_pmeth_new(void)
{
    const EVP_PKEY_METHOD *base = EVP_PKEY_meth_find(EVP_PKEY_ED25519);
    int (*verify)(EVP_MD_CTX *, const unsigned char *, size_t,
                  const unsigned char *, size_t) = NULL;
    EVP_PKEY_METHOD *m = !base ? NULL
                               : EVP_PKEY_meth_new(EVP_PKEY_ED25519,
                                                   EVP_PKEY_FLAG_SIGCTX_CUSTOM);
    if (!m)
        return NULL;
    EVP_PKEY_meth_get_digestverify(base, &verify);
    EVP_PKEY_meth_set_init(m, begin);
    EVP_PKEY_meth_set_copy(m, copy);
    EVP_PKEY_meth_set_cleanup(m, end);
    EVP_PKEY_meth_set_ctrl(m, ctrl, NULL);
    EVP_PKEY_meth_set_sign(m, refuse_digest, never);
    EVP_PKEY_meth_set_signctx(m, sign_init, sign_final);
    EVP_PKEY_meth_set_digestsign(m, sign_oneshot);
    EVP_PKEY_meth_set_digestverify(m, verify);
    return m;
}

#endif
