/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A security key of software for each person of a dev cluster who approves,
 * enrolled as one of metal would be.
 */
#include "cli/dev.h"

#include <stdio.h>

#include "base/rand.h"
#include "cli/fido.h"

#define RP_ID "localhost" /* so that one key can serve page and command line */

static enum rc enrol(struct policy_credential *out, const char *device,
                     const char *name)
{
    static const char *const origins[] = { POLICY_CLI_ORIGIN };
    uint8_t challenge[32]; /* nobody else made one */
    struct fido_made made;
    TRY(rand_bytes(challenge, sizeof(challenge)));
    TRY(fido_make_by(&made, device, RP_ID, name, challenge));
    return policy_webauthn_register(out, challenge, RP_ID, origins, 1,
                                    made.client_data, made.client_data_len,
                                    made.attestation, made.attestation_len);
}

enum rc dev_fido(json_t **row, const struct dev *d, const char *name)
{
    char dir[DEV_PATH];
    char file[DEV_PATH + 8];
    char device[DEV_PATH + 16];
    char text[POLICY_CREDENTIAL_MAX];
    size_t len;
    struct policy_credential c;
    TRY(dev_path(dir, d, "persons", name));
    snprintf(file, sizeof(file), "%s/fido", dir);
    snprintf(device, sizeof(device), FIDO_SOFT "%s", file);
    TRY(fido_soft_make(file));
    TRY(enrol(&c, device, name));
    TRY(policy_credential_write(text, sizeof(text), &len, &c));
    *row = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    return *row ? RC_OK : rc_raise(RC_NOMEM, "credential: out of memory");
}
