/* SPDX-License-Identifier: Apache-2.0 */
/* One assertion, or one new credential, of a security key. See fido.h. */
#include "cli/fido.h"

#include <string.h>

#include "base/bytes.h"
#include "base/enc.h"
#include "base/rand.h"
#include "cli/session.h"

#define PIN_MAX 64 /* CTAP2: 63 bytes */

static void fido_assert_end(fido_assert_t *a)
{
    fido_assert_free(&a);
}
OWNED_BY(fido_assert_t, fido_assert_end);

static void fido_cred_end(fido_cred_t *c)
{
    fido_cred_free(&c);
}
OWNED_BY(fido_cred_t, fido_cred_end);

/* What a browser would write; the challenge is what the policy binds. */
static size_t client_data(char out[FIDO_CLIENT_DATA], const char *type,
                          const uint8_t challenge[32])
{
    char b64[ENC_B64_SIZE(32)];
    return (size_t)snprintf(out, FIDO_CLIENT_DATA,
                            "{\"type\":\"webauthn.%s\",\"challenge\":\"%s\","
                            "\"origin\":\"" POLICY_CLI_ORIGIN "\","
                            "\"crossOrigin\":false}",
                            type, enc_b64u(b64, challenge, 32));
}

/* ---- its user ----------------------------------------------------------- */

/* A device that knows its user by itself needs no PIN. */
static enum rc ask_pin(char pin[PIN_MAX], fido_dev_t *dev)
{
    pin[0] = '\0';
    if (!fido_dev_is_fido2(dev))
        return fido_failed(FIDO_ERR_UNSUPPORTED_OPTION, "its user", dev);
    if (fido_dev_has_uv(dev))
        return RC_OK;
    if (!fido_dev_has_pin(dev))
        return fido_failed(FIDO_ERR_PIN_NOT_SET, "its user", dev);
    return prompt_secret(pin, PIN_MAX, "PIN of the security key:");
}

static void say_touch(const char *device)
{
    if (!cli_json() && !fido_is_soft(device))
        fputs("mpcsign: touch the security key now\n", stderr);
}

/* ---- asserting ---------------------------------------------------------- */

static bool usable(const struct policy_credential *c, const char *rp_id)
{
    if (strcmp(c->kind, POLICY_WEBAUTHN) != 0 || c->revoked ||
        (rp_id && strcmp(c->rp_id, rp_id) != 0))
        return false;
    for (unsigned i = 0; i < c->n_origins; i++)
        if (strcmp(c->origin[i], POLICY_CLI_ORIGIN) == 0)
            return true;
    return false;
}

/* Credentials of one relying party go into one question. */
static int allow(fido_assert_t *a, const struct policy_person *who,
                 const char *rp_id)
{
    int code = fido_assert_set_rp(a, rp_id);
    for (unsigned i = 0; code == FIDO_OK && i < who->n_credentials; i++)
        if (usable(&who->credential[i], rp_id))
            code = fido_assert_allow_cred(a, who->credential[i].raw_id,
                                          who->credential[i].raw_id_len);
    return code;
}

static int ask(fido_assert_t *a, const struct fido_said *said, fido_dev_t *dev,
               const char *pin)
{
    int code = fido_assert_set_clientdata(a, (const uint8_t *)said->client_data,
                                          said->client_data_len);
    if (code == FIDO_OK)
        code = fido_assert_set_up(a, FIDO_OPT_TRUE);
    if (code == FIDO_OK)
        code = fido_assert_set_uv(a, FIDO_OPT_TRUE);
    return code == FIDO_OK ? fido_dev_get_assert(dev, a, *pin ? pin : NULL)
                           : code;
}

/* libfido2 gives authenticator data as a CBOR byte string. */
static enum rc unwrap(struct fido_said *out, const uint8_t *p, size_t len)
{
    size_t head = len && p[0] == 0x58 ? 2 : len && p[0] == 0x59 ? 3 : 1;
    if (len < head || (p[0] & 0xe0) != 0x40 ||
        len - head > sizeof(out->auth_data))
        return rc_raise(RC_PARSE,
                        "security key: authenticator data of %zu "
                        "bytes",
                        len);
    out->auth_data_len = len - head;
    memcpy(out->auth_data, p + head, len - head);
    return RC_OK;
}

static enum rc take(struct fido_said *out, const fido_assert_t *a)
{
    size_t id_len = fido_assert_id_len(a, 0);
    size_t sig_len = fido_assert_sig_len(a, 0);
    if (fido_assert_count(a) < 1 || id_len == 0 ||
        id_len > sizeof(out->credential) || sig_len > sizeof(out->signature))
        return rc_raise(RC_PARSE,
                        "security key: %zu assertions, an id of %zu "
                        "and a signature of %zu bytes",
                        fido_assert_count(a), id_len, sig_len);
    out->credential_len = id_len;
    memcpy(out->credential, fido_assert_id_ptr(a, 0), id_len);
    out->signature_len = sig_len;
    memcpy(out->signature, fido_assert_sig_ptr(a, 0), sig_len);
    return unwrap(out, fido_assert_authdata_ptr(a, 0),
                  fido_assert_authdata_len(a, 0));
}

static enum rc assert_at(struct fido_said *out, fido_dev_t *dev,
                         const struct policy_person *who, const char *rp_id,
                         const char *pin)
{
    OWNED(fido_assert_t) *a = fido_assert_new();
    if (!a)
        return rc_raise(RC_NOMEM, "security key: out of memory");
    int code = allow(a, who, rp_id);
    if (code == FIDO_OK)
        code = ask(a, out, dev, pin);
    return code == FIDO_OK ? take(out, a) : fido_failed(code, "signing", dev);
}

/* A device says "no credentials" without a touch, so each party is tried. */
static enum rc assert_any(struct fido_said *out, fido_dev_t *dev,
                          const struct policy_person *who, const char *pin)
{
    const char *tried = NULL;
    enum rc rc = RC_UNKNOWN;
    for (unsigned i = 0; i < who->n_credentials; i++) {
        const struct policy_credential *c = &who->credential[i];
        if (!usable(c, NULL) || (tried && strcmp(tried, c->rp_id) == 0))
            continue;
        tried = c->rp_id;
        rc = assert_at(out, dev, who, tried, pin);
        if (rc != RC_UNKNOWN)
            return rc;
    }
    return rc;
}

static enum rc has_any(const struct policy_person *who)
{
    for (unsigned i = 0; i < who->n_credentials; i++)
        if (usable(&who->credential[i], NULL))
            return RC_OK;
    enum rc rc = rc_raise(RC_UNKNOWN,
                          "%s: the policy has no security key of "
                          "theirs for " POLICY_CLI_ORIGIN,
                          who->id);
    rc_hint("mpcsign policy show lists credentials");
    return rc;
}

enum rc fido_assert_by(struct fido_said *out, const char *device,
                       const struct policy_person *who,
                       const uint8_t challenge[32])
{
    struct fido_said said = { 0 };
    OWNED(fido_dev_t) *dev = NULL;
    WIPED_BYTES(pin, PIN_MAX);
    TRY(has_any(who));
    said.client_data_len = client_data(said.client_data, "get", challenge);
    TRY(fido_open(&dev, device));
    TRY(ask_pin((char *)pin, dev));
    say_touch(device);
    TRY(assert_any(&said, dev, who, (const char *)pin));
    *out = said;
    return RC_OK;
}

/* ---- enrolling ---------------------------------------------------------- */

static int prepare(fido_cred_t *c, const struct fido_made *made,
                   const char *rp_id, const char *person)
{
    uint8_t user[32];
    if (rand_bytes(user, sizeof(user)) != RC_OK)
        return FIDO_ERR_INTERNAL;
    int code = fido_cred_set_type(c, COSE_ES256);
    if (code == FIDO_OK)
        code = fido_cred_set_clientdata(c, (const uint8_t *)made->client_data,
                                        made->client_data_len);
    if (code == FIDO_OK)
        code = fido_cred_set_rp(c, rp_id, "mpcsign");
    if (code == FIDO_OK)
        code = fido_cred_set_user(c, user, sizeof(user), person, person, NULL);
    if (code == FIDO_OK)
        code = fido_cred_set_uv(c, FIDO_OPT_TRUE);
    return code;
}

/*
 * {"fmt": "none", "attStmt": {}, "authData": bytes}: what a browser hands on
 * with attestation "none", whatever the device said about its make.
 */
static enum rc wrap(struct fido_made *out, const fido_cred_t *c)
{
    static const char head[] = "\xa3\x63"
                               "fmt\x64none\x67"
                               "attStmt\xa0\x68"
                               "authData";
    size_t len = fido_cred_authdata_raw_len(c);
    struct bytes_writer w = bytes_writer(out->attestation,
                                         sizeof(out->attestation));
    bytes_put(&w, head, sizeof(head) - 1);
    bytes_put_u8(&w, len < 256 ? 0x58 : 0x59); /* never under 24 */
    if (len >= 256)
        bytes_put_u8(&w, (uint8_t)(len >> 8));
    bytes_put_u8(&w, (uint8_t)len);
    bytes_put(&w, fido_cred_authdata_raw_ptr(c), len);
    if (len < 24 || len > FIDO_AUTH_DATA || bytes_written(&w) != RC_OK)
        return rc_raise(RC_PARSE,
                        "security key: authenticator data of %zu "
                        "bytes",
                        len);
    out->attestation_len = w.len;
    return RC_OK;
}

enum rc fido_make_by(struct fido_made *out, const char *device,
                     const char *rp_id, const char *person,
                     const uint8_t challenge[32])
{
    struct fido_made made = { 0 };
    OWNED(fido_dev_t) *dev = NULL;
    OWNED(fido_cred_t) *c = fido_cred_new();
    WIPED_BYTES(pin, PIN_MAX);
    if (!c)
        return rc_raise(RC_NOMEM, "security key: out of memory");
    made.client_data_len = client_data(made.client_data, "create", challenge);
    TRY(fido_open(&dev, device));
    int code = prepare(c, &made, rp_id, person);
    if (code != FIDO_OK)
        return fido_failed(code, "enrolling", dev);
    TRY(ask_pin((char *)pin, dev));
    say_touch(device);
    code = fido_dev_make_cred(dev, c, *pin ? (const char *)pin : NULL);
    if (code != FIDO_OK)
        return fido_failed(code, "enrolling", dev);
    TRY(wrap(&made, c));
    *out = made;
    return RC_OK;
}
