/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One person's decision, by the way at hand: an SSH key, an agent, a security
 * key. Who and how is settled first, so that what is shown is what is signed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/fido.h"
#include "cli/session.h"

/* ---- who and by what ---------------------------------------------------- */

static enum rc settle_person(struct decide *d)
{
    d->who = d->person ? policy_person_find(d->policy, d->person) : NULL;
    if (d->who || !d->person)
        return RC_OK;
    enum rc rc = rc_raise(RC_UNKNOWN, "%.64s: the policy knows no such person",
                          d->person);
    rc_hint("mpcsign policy show lists them");
    return rc;
}

static enum rc settle_key(struct decide *d, const char *file)
{
    uint8_t key[32];
    if (snprintf(d->key_file, sizeof(d->key_file), "%s", file) >=
        (int)sizeof(d->key_file))
        return rc_raise(RC_ARG, "--ssh-key: name too long");
    if (d->who)
        return RC_OK;
    TRY(ssh_public(key, file));
    d->who = ssh_owner(d->policy, key);
    if (d->who)
        return RC_OK;
    enum rc rc = rc_raise(RC_UNKNOWN,
                          "%s: no person of the policy has this "
                          "key",
                          file);
    rc_hint("mpcsign policy show lists persons; --as names one");
    return rc;
}

static enum rc settle_device(const struct decide *d)
{
    if (d->who)
        return RC_OK;
    enum rc rc = rc_raise(RC_ARG, "--as is missing: whose security key is it?");
    rc_hint("--as PERSON, as mpcsign policy show lists them");
    return rc;
}

/* In a dev directory every person's key lies open. */
static bool dev_file(char out[CLI_PATH], const char *person)
{
    char dir[CLI_PATH];
    return person && cli_keys_dir(dir, NULL) == RC_OK && *dir &&
           cli_person_file(out, dir, person) == RC_OK && access(out, R_OK) == 0;
}

static enum rc settle_way(struct decide *d)
{
    char file[CLI_PATH];
    if (d->device)
        return settle_device(d);
    if (d->ssh_key)
        return settle_key(d, d->ssh_key);
    if (dev_file(file, d->person))
        return settle_key(d, file);
    TRY(agent_find(d->key_file, &d->who, d->policy, d->person));
    d->key_file_ours = true;
    return RC_OK;
}

static enum rc settle_role(struct decide *d)
{
    if (d->role)
        return RC_OK;
    if (d->who->engineer != d->who->steward) {
        d->role = d->who->engineer ? "engineer" : "steward";
        return RC_OK;
    }
    return rc_raise(RC_ARG, "--role is missing: %s is %s", d->who->id,
                    d->who->engineer ? "engineer and steward"
                                     : "neither engineer nor steward");
}

void decide_end(struct decide *d)
{
    if (d->key_file_ours)
        unlink(d->key_file);
    d->key_file_ours = false;
}

enum rc decide_settle(struct decide *d)
{
    if (d->device && d->ssh_key)
        return rc_raise(RC_ARG, "--device and --ssh-key: one of them");
    TRY(settle_person(d));
    TRY(settle_way(d));
    return settle_role(d);
}

enum rc decide_requester(struct decide *d, const struct policy *p,
                         const char *who, const char *ssh_key)
{
    const char *dev = getenv("MPC_DEV");
    *d = (struct decide){ .policy = p,
                          .decision = POLICY_D_REQUEST,
                          .person = who,
                          .role = "requester",
                          .ssh_key = ssh_key };
    if (!who && !ssh_key && dev && *dev)
        d->person = "dev";
    return decide_settle(d);
}

/* ---- is it meant -------------------------------------------------------- */

static const char *verb(enum policy_decision d)
{
    return d == POLICY_D_APPROVE ? "approve"
           : d == POLICY_D_DENY  ? "deny"
                                 : "revoke";
}

enum rc decide_ask(const struct decide *d, bool yes)
{
    char question[256];
    if (yes || !prompt_possible())
        return RC_OK;
    if (cli_json())
        return rc_raise(RC_ARG, "-o json at a terminal: want --yes, for "
                                "nothing is shown");
    snprintf(question, sizeof(question), "%s this as %s, %s?",
             verb(d->decision), d->who->id, d->role);
    return prompt_yes(question)
                   ? RC_OK
                   : rc_raise(RC_NOT_APPROVED, "nothing was signed");
}

/* ---- the record --------------------------------------------------------- */

static enum rc by_device(struct wire_blob *out, const struct decide *d,
                         const uint8_t challenge[32])
{
    struct fido_said said;
    char text[POLICY_RECORD_MAX];
    size_t len;
    TRY(fido_assert_by(&said, d->device, d->who, challenge));
    TRY(policy_record_webauthn(text, &len, d->session->id, d->decision, d->role,
                               d->who->id, said.credential, said.credential_len,
                               said.client_data, said.client_data_len,
                               said.auth_data, said.auth_data_len,
                               said.signature, said.signature_len));
    return wire_blob_set(out, text, len);
}

enum rc decide_record(struct wire_blob *out, const struct decide *d)
{
    uint8_t challenge[32];
    if (!d->device)
        return cli_record(out, d->key_file, d->session->id, d->decision,
                          d->role, d->who->id);
    policy_challenge(challenge, d->session->id, d->decision, d->role,
                     d->who->id);
    return by_device(out, d, challenge);
}
