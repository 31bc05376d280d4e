/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verifies WebAuthn assertions: what libfido2 does not look at (client data,
 * lengths, backup flags) by ourselves, the rest by us for the sake of the
 * error's name and then by libfido2. The key is the policy's. Public data.
 */
#include "policy/webauthn.h"

#include <string.h>

#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <fido/es384.h>
#include <fido/rs256.h>

#include "base/hash.h"
#include "policy/credential.h"

static void free_assert(fido_assert_t **p)
{
    fido_assert_free(p);
}

/* ---- authenticatorData ----------------------------------------------------- */

enum rc policy_auth_flags_check(const uint8_t *auth_data, const char *rp_id)
{
    uint8_t hash[32], flags = auth_data[32];
    hash256(hash, rp_id, strlen(rp_id));
    if (memcmp(auth_data, hash, sizeof(hash)) != 0)
        return rc_raise(RC_VERIFY, "approval_rp_id: made for another "
                                   "relying party");
    if (!(flags & POLICY_A_UP))
        return rc_raise(RC_VERIFY, "approval_presence: nobody touched the "
                                   "authenticator");
    if (!(flags & POLICY_A_UV))
        return rc_raise(RC_VERIFY, "approval_verification: the authenticator "
                                   "did not verify its user");
    if ((flags & POLICY_A_BS) && !(flags & POLICY_A_BE))
        return rc_raise(RC_VERIFY, "approval_backup: backed up, but not "
                                   "eligible for it");
    return RC_OK;
}

static enum rc check_form(struct policy_part auth_data)
{
    if (auth_data.len > 32 && (auth_data.p[32] & POLICY_A_AT))
        return rc_raise(RC_VERIFY, "approval_attested: a registration is no "
                                   "approval");
    if (auth_data.len > 32 && (auth_data.p[32] & POLICY_A_ED))
        return rc_raise(RC_VERIFY, "approval_extensions: want none");
    if (auth_data.len != POLICY_AUTH_DATA_LEN)
        return rc_raise(RC_PARSE, "approval_auth_data: %zu bytes, want %d",
                        auth_data.len, POLICY_AUTH_DATA_LEN);
    return RC_OK;
}

/* ---- the signature --------------------------------------------------------- */

/*
 * Each algorithm has its own key type in libfido2. _from_ptr checks that the
 * numbers are a key.
 */
union fido_pk {
    void *any;
    es256_pk_t *es256;
    eddsa_pk_t *eddsa;
    es384_pk_t *es384;
    rs256_pk_t *rs256;
};

static void pk_free(union fido_pk *pk, enum policy_alg alg)
{
    switch (alg) {
    case POLICY_ES256:
        es256_pk_free(&pk->es256);
        break;
    case POLICY_EDDSA:
        eddsa_pk_free(&pk->eddsa);
        break;
    case POLICY_ES384:
        es384_pk_free(&pk->es384);
        break;
    case POLICY_RS256:
        rs256_pk_free(&pk->rs256);
        break;
    }
}

/* FIDO_ERR_INTERNAL where there is no memory. */
static int pk_new(union fido_pk *pk, enum policy_alg alg, const uint8_t *p,
                  size_t len)
{
    pk->any = NULL;
    switch (alg) {
    case POLICY_ES256:
        pk->es256 = es256_pk_new();
        return pk->any ? es256_pk_from_ptr(pk->es256, p, len)
                       : FIDO_ERR_INTERNAL;
    case POLICY_EDDSA:
        pk->eddsa = eddsa_pk_new();
        return pk->any ? eddsa_pk_from_ptr(pk->eddsa, p, len)
                       : FIDO_ERR_INTERNAL;
    case POLICY_ES384:
        pk->es384 = es384_pk_new();
        return pk->any ? es384_pk_from_ptr(pk->es384, p, len)
                       : FIDO_ERR_INTERNAL;
    case POLICY_RS256:
        pk->rs256 = rs256_pk_new();
        return pk->any ? rs256_pk_from_ptr(pk->rs256, p, len)
                       : FIDO_ERR_INTERNAL;
    }
    return FIDO_ERR_UNSUPPORTED_ALGORITHM;
}

/* x and y, or n and e, one after the other as libfido2 takes them. */
static int pk_of(union fido_pk *pk, const struct policy_cose *key)
{
    uint8_t numbers[POLICY_COSE_MAX];
    memcpy(numbers, key->x, key->x_len);
    if (key->y_len)
        memcpy(numbers + key->x_len, key->y, key->y_len);
    return pk_new(pk, key->alg, numbers, key->x_len + key->y_len);
}

enum rc policy_cose_usable(const struct policy_cose *key)
{
    union fido_pk pk;
    int err = pk_of(&pk, key);
    pk_free(&pk, key->alg);
    /* of small order, everybody's signature would be good */
    if (err || (key->alg == POLICY_EDDSA &&
                crypto_core_ed25519_is_valid_point(key->x) != 1))
        return rc_raise(RC_PARSE, "COSE key: no point of its curve");
    return RC_OK;
}

static int fido_verify(const struct policy_credential *c,
                       const struct policy_assertion *a,
                       const struct policy_cose *key)
{
    union fido_pk pk;
    fido_assert_t *v __attribute__((cleanup(free_assert))) = fido_assert_new();
    int err = v ? pk_of(&pk, key) : FIDO_ERR_INTERNAL;
    if (!v)
        return err;
    if (!err)
        err = fido_assert_set_count(v, 1);
    if (!err)
        err = fido_assert_set_rp(v, c->rp_id);
    if (!err)
        err = fido_assert_set_clientdata(v, a->client_data.p,
                                         a->client_data.len);
    if (!err)
        err = fido_assert_set_authdata_raw(v, 0, a->auth_data.p,
                                           a->auth_data.len);
    if (!err)
        err = fido_assert_set_sig(v, 0, a->signature.p, a->signature.len);
    if (!err)
        err = fido_assert_set_up(v, FIDO_OPT_TRUE);
    if (!err)
        err = fido_assert_set_uv(v, FIDO_OPT_TRUE);
    if (!err)
        err = fido_assert_verify(v, 0, (int)key->alg, pk.any);
    pk_free(&pk, key->alg);
    return err;
}

static enum rc check_signature(const struct policy_credential *c,
                               const struct policy_assertion *a)
{
    struct policy_cose key;
    enum rc rc = policy_cose_parse(&key, c->cose, c->cose_len);
    if (rc)
        return rc_prefix(rc, "approval_signature: ");
    if (key.alg != c->alg)
        return rc_raise(RC_VERIFY, "approval_signature: the credential's alg "
                                   "is not its key's");
    int err = fido_verify(c, a, &key);
    if (err)
        return rc_raise(RC_VERIFY,
                        "approval_signature: not by the credential's key over "
                        "this client and authenticator data (%s)",
                        fido_strerr(err));
    return RC_OK;
}

/* ---- the whole ------------------------------------------------------------- */

enum rc policy_webauthn_check(char origin[POLICY_ORIGIN_MAX], uint32_t *counter,
                              const struct policy_credential *c,
                              struct policy_part challenge,
                              const struct policy_assertion *a)
{
    const char *entries[POLICY_MAX_ORIGINS];
    for (unsigned i = 0; i < c->n_origins; i++)
        entries[i] = c->origin[i];
    const struct policy_client_want want = { "webauthn.get", challenge, entries,
                                             c->n_origins };
    const uint8_t *ad = a->auth_data.p;
    char found[POLICY_ORIGIN_MAX];
    TRY(check_form(a->auth_data));
    TRY(policy_client_data_check(found, &want, a->client_data));
    TRY(policy_auth_flags_check(ad, c->rp_id));
    TRY(check_signature(c, a));
    if (((ad[32] & POLICY_A_BE) != 0) != c->backup_eligible)
        return rc_raise(RC_VERIFY,
                        "approval_backup: the key %s synced, enrolled as one "
                        "that %s",
                        c->backup_eligible ? "cannot be" : "can be",
                        c->backup_eligible ? "can" : "cannot");
    memcpy(origin, found, sizeof(found));
    *counter = (uint32_t)ad[33] << 24 | (uint32_t)ad[34] << 16 |
               (uint32_t)ad[35] << 8 | ad[36];
    return RC_OK;
}
