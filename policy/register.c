/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A WebAuthn registration becomes a proposed credential: the same checks as
 * an assertion's, plus the new key and its self-attestation where there is
 * one. What model of authenticator it is, nobody here judges. Public data.
 */
#include "policy/webauthn.h"

#include <string.h>

#include <fido.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "policy/credential.h"

static void free_cred(fido_cred_t **p)
{
    fido_cred_free(p);
}

/* rpIdHash 32, flags 1, counter 4, AAGUID 16, LP16 id, COSE key; no more */
static enum rc read_key(struct policy_credential *c, struct policy_part ad)
{
    struct bytes_reader r = bytes_reader(ad.p, ad.len);
    bytes_take(&r, POLICY_AUTH_DATA_LEN + 16);
    const uint8_t *id = bytes_take_lp16(&r, &c->raw_id_len);
    if (!id || c->raw_id_len == 0 || c->raw_id_len > sizeof(c->raw_id))
        return rc_raise(RC_PARSE, "enrol_credential_id: want 1 to %d bytes",
                        POLICY_RAW_ID_MAX);
    struct policy_cose key;
    enum rc rc = policy_cose_parse(&key, r.p, r.left);
    if (rc == RC_OK)
        rc = policy_cose_usable(&key);
    if (rc)
        return rc_prefix(rc, "enrol_key: ");
    if (key.len != r.left)
        return rc_raise(RC_PARSE, "enrol_key: %zu bytes after the COSE key",
                        r.left - key.len);
    memcpy(c->raw_id, id, c->raw_id_len);
    hash256(c->id, c->raw_id, c->raw_id_len);
    memcpy(c->cose, r.p, key.len);
    c->cose_len = key.len;
    c->alg = key.alg;
    return RC_OK;
}

static enum rc read_auth_data(struct policy_credential *c,
                              struct policy_part ad)
{
    if (ad.len < POLICY_AUTH_DATA_LEN)
        return rc_raise(RC_PARSE, "enrol_auth_data: %zu bytes, want %d", ad.len,
                        POLICY_AUTH_DATA_LEN);
    TRY(policy_auth_flags_check(ad.p, c->rp_id));
    if (!(ad.p[32] & POLICY_A_AT))
        return rc_raise(RC_PARSE, "enrol_auth_data: no key follows");
    if (ad.p[32] & POLICY_A_ED)
        return rc_raise(RC_VERIFY, "enrol_extensions: want none");
    c->backup_eligible = (ad.p[32] & POLICY_A_BE) != 0;
    return read_key(c, ad);
}

/* Self-attestation: the new key over its own birth. */
static enum rc check_self(const struct policy_credential *c,
                          const struct policy_attestation *a,
                          struct policy_part client_data)
{
    fido_cred_t *v __attribute__((cleanup(free_cred))) = fido_cred_new();
    if (a->alg != (int64_t)c->alg)
        return rc_raise(RC_VERIFY, "enrol_attestation: alg is not the key's");
    int err = v ? fido_cred_set_type(v, (int)c->alg) : FIDO_ERR_INTERNAL;
    if (!err)
        err = fido_cred_set_rp(v, c->rp_id, NULL);
    if (!err)
        err = fido_cred_set_clientdata(v, client_data.p, client_data.len);
    if (!err)
        err = fido_cred_set_authdata_raw(v, a->auth_data.p, a->auth_data.len);
    if (!err)
        err = fido_cred_set_fmt(v, "packed");
    if (!err)
        err = fido_cred_set_sig(v, a->signature.p, a->signature.len);
    if (!err)
        err = fido_cred_verify_self(v);
    if (err)
        return rc_raise(RC_VERIFY,
                        "enrol_attestation: not by the new key itself (%s)",
                        fido_strerr(err));
    return RC_OK;
}

static enum rc take_names(struct policy_credential *c, const char *rp_id,
                          const char *const *origins, unsigned n_origins)
{
    snprintf(c->kind, sizeof(c->kind), POLICY_WEBAUTHN);
    if (strlen(rp_id) >= sizeof(c->rp_id) || n_origins == 0 ||
        n_origins > POLICY_MAX_ORIGINS)
        return rc_raise(RC_ARG,
                        "registration: want an rp_id, and 1 to %d "
                        "origins",
                        POLICY_MAX_ORIGINS);
    snprintf(c->rp_id, sizeof(c->rp_id), "%s", rp_id);
    for (unsigned i = 0; i < n_origins; i++) {
        if (strlen(origins[i]) >= POLICY_ORIGIN_MAX)
            return rc_raise(RC_ARG, "registration: origin %u is over %d bytes",
                            i, POLICY_ORIGIN_MAX - 1);
        snprintf(c->origin[c->n_origins++], POLICY_ORIGIN_MAX, "%s",
                 origins[i]);
    }
    return RC_OK;
}

enum rc policy_registration_check(struct policy_credential *out,
                                  struct policy_part challenge,
                                  const char *rp_id, const char *const *origins,
                                  unsigned n_origins,
                                  struct policy_part client_data,
                                  struct policy_part object)
{
    struct policy_credential c = { 0 };
    struct policy_attestation a;
    const struct policy_client_want want = { "webauthn.create", challenge,
                                             origins, n_origins };
    char origin[POLICY_ORIGIN_MAX];
    TRY(take_names(&c, rp_id, origins, n_origins));
    TRY(policy_client_data_check(origin, &want, client_data));
    TRY(policy_attestation_parse(&a, object));
    TRY(read_auth_data(&c, a.auth_data));
    if (a.packed)
        TRY(check_self(&c, &a, client_data));
    *out = c;
    return RC_OK;
}

enum rc policy_webauthn_register(struct policy_credential *out,
                                 const uint8_t challenge[32], const char *rp_id,
                                 const char *const *origins, unsigned n_origins,
                                 const void *client_data,
                                 size_t client_data_len,
                                 const void *attestation_object,
                                 size_t attestation_object_len)
{
    return policy_registration_check(
            out, (struct policy_part){ challenge, 32 }, rp_id, origins,
            n_origins, (struct policy_part){ client_data, client_data_len },
            (struct policy_part){ attestation_object, attestation_object_len });
}
