/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clientDataJSON: what the approver's browser (or CLI) says it asked its
 * authenticator for, and where. Signed bytes, judged here and never rewritten.
 */
#include "policy/webauthn.h"

#include <string.h>

#include "base/enc.h"
#include "policy/credential.h"

static enum rc check_type(const json_t *root, const char *want)
{
    const char *type = json_string_value(json_object_get(root, "type"));
    if (!type || strcmp(type, want) != 0)
        return rc_raise(RC_VERIFY, "approval_type: want %s", want);
    return RC_OK;
}

static enum rc check_challenge(const json_t *root, struct policy_part want)
{
    uint8_t got[256];
    size_t len = 0;
    const json_t *v = json_object_get(root, "challenge");
    if (!json_is_string(v) ||
        enc_unb64u(got, sizeof(got), &len, json_string_value(v),
                   json_string_length(v)) != RC_OK)
        return rc_raise(RC_VERIFY, "approval_challenge: not base64url");
    if (len != want.len || sodium_memcmp(got, want.p, len) != 0)
        return rc_raise(RC_VERIFY,
                        "approval_challenge: signed for another session, "
                        "decision, role or person");
    return RC_OK;
}

static enum rc check_origin(char out[POLICY_ORIGIN_MAX], const json_t *root,
                            const struct policy_client_want *want)
{
    const json_t *v = json_object_get(root, "origin");
    const char *text = json_string_value(v);
    for (unsigned i = 0; text && i < want->n_origins; i++)
        if (json_string_length(v) < POLICY_ORIGIN_MAX &&
            policy_origin_matches(want->origin[i], text)) {
            memcpy(out, text, strlen(text) + 1);
            return RC_OK;
        }
    return rc_raise(RC_VERIFY, "approval_origin: not one of the credential's "
                               "origins");
}

static enum rc check_frames(const json_t *root)
{
    const json_t *cross = json_object_get(root, "crossOrigin");
    if (cross && !json_is_false(cross))
        return rc_raise(RC_VERIFY, "approval_cross_origin: made inside another "
                                   "site's page");
    if (json_object_get(root, "topOrigin"))
        return rc_raise(RC_VERIFY, "approval_top_origin: made inside another "
                                   "site's page");
    return RC_OK;
}

enum rc policy_client_data_check(char origin[POLICY_ORIGIN_MAX],
                                 const struct policy_client_want *want,
                                 struct policy_part client_data)
{
    OWNED(json_t) *root = NULL;
    char found[POLICY_ORIGIN_MAX];
    enum rc rc = policy_json_open(&root, client_data.p, client_data.len,
                                  POLICY_CLIENT_DATA_MAX, "clientDataJSON");
    if (rc)
        return rc_prefix(rc, "approval_client_data: ");
    if (!json_is_object(root))
        return rc_raise(RC_PARSE, "approval_client_data: want an object");
    TRY(check_type(root, want->type));
    TRY(check_challenge(root, want->challenge));
    TRY(check_origin(found, root, want));
    TRY(check_frames(root));
    memcpy(origin, found, sizeof(found));
    return RC_OK;
}
