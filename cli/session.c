/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions made here: the descriptor, its requester's signature and the
 * approvals of persons whose key files are at hand.
 */
#include "cli/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/rand.h"

#define CREATE_MS 30000

/* ---- persons ------------------------------------------------------------ */

enum rc cli_person_file(char out[CLI_PATH], const char *dir, const char *name)
{
    if (!dir || !*dir) {
        enum rc rc = rc_raise(RC_ARG, "no directory with the keys of persons");
        rc_hint("name it with --keys, or set MPC_DEV");
        return rc;
    }
    if (strchr(name, '/') ||
        snprintf(out, CLI_PATH, "%s/%s/id_ed25519", dir, name) >= CLI_PATH)
        return rc_raise(RC_ARG, "person %.64s: no such name", name);
    return RC_OK;
}

enum rc cli_person_public(uint8_t key[32], const char *dir, const char *name)
{
    char path[CLI_PATH];
    TRY(cli_person_file(path, dir, name));
    return ssh_public(key, path);
}

enum rc cli_record(struct wire_blob *out, const char *key_file,
                   const uint8_t session[32], enum policy_decision decision,
                   const char *role, const char *person)
{
    uint8_t challenge[32];
    uint8_t key[32];
    char sig[SSH_SIG_MAX];
    size_t sig_len;
    char text[POLICY_RECORD_MAX];
    size_t len;
    policy_challenge(challenge, session, decision, role, person);
    TRY(ssh_sign(sig, &sig_len, key, key_file, challenge));
    TRY(policy_record_sshsig(text, &len, session, decision, role, person, key,
                             sig, sig_len));
    return wire_blob_set(out, text, len);
}

/* ---- sessions ----------------------------------------------------------- */

enum rc cli_session_begin(struct policy_session *out,
                          enum policy_session_type type,
                          const struct cli_cluster *cluster,
                          const char *profile, const char *reason)
{
    struct policy_session s = { .type = type };
    memcpy(s.cluster, cluster->genesis, 32);
    memcpy(s.policy, cluster->policy, 32);
    if (profile) {
        s.has_profile = true;
        if (strlen(profile) >= sizeof(s.profile))
            return rc_raise(RC_ARG, "profile: at most %zu characters",
                            sizeof(s.profile) - 1);
        snprintf(s.profile, sizeof(s.profile), "%s", profile);
    }
    snprintf(s.reason, sizeof(s.reason), "%s", reason);
    TRY(rand_bytes(s.nonce, sizeof(s.nonce)));
    s.created = clock_now_s();
    s.expires = s.created + CLI_SESSION_S;
    *out = s;
    return RC_OK;
}

enum rc cli_ask_session(struct policy_session *s, const char *id)
{
    char path[96];
    uint8_t want[32];
    struct http_answer a;
    if (strlen(id) != 64 || enc_unhex(want, 32, id, 64) != RC_OK)
        return rc_raise(RC_ARG, "ID: want 64 hex digits");
    snprintf(path, sizeof(path), "/v1/session/%s", id);
    TRY(cli_ask(&a, NULL, path, NULL, 0, CLI_ASK_MS));
    enum rc rc = policy_session_parse(s, a.body, a.body_len);
    http_answer_free(&a);
    TRY(rc);
    if (memcmp(s->id, want, 32) != 0)
        return rc_raise(RC_VERIFY, "the sidecar's descriptor is of another "
                                   "session");
    return RC_OK;
}

enum rc cli_session_seal(struct wire_session *out, struct policy_session *s,
                         const char *requester, const char *key_file)
{
    char text[POLICY_DESCRIPTOR_MAX];
    size_t len;
    if (strlen(requester) >= sizeof(s->requester))
        return rc_raise(RC_ARG, "requester: at most %zu characters",
                        sizeof(s->requester) - 1);
    snprintf(s->requester, sizeof(s->requester), "%s", requester);
    TRY(policy_session_write(text, &len, s));
    TRY(wire_blob_set(&out->descriptor, text, len));
    return cli_record(&out->requester, key_file, s->id, POLICY_D_REQUEST,
                      "requester", requester);
}

enum rc cli_session_sign(struct wire_session *out, struct policy_session *s,
                         const struct cli_people *people)
{
    char path[CLI_PATH];
    TRY(cli_person_file(path, people->keys, people->requester));
    TRY(cli_session_seal(out, s, people->requester, path));
    TRY(wire_list_new(&out->approvals, people->approvers->n));
    for (unsigned i = 0; i < people->approvers->n; i++) {
        TRY(cli_person_file(path, people->keys, people->approvers->at[i]));
        TRY(cli_record(&out->approvals.at[i], path, s->id, POLICY_D_APPROVE,
                       "steward", people->approvers->at[i]));
    }
    return RC_OK;
}

enum rc cli_keys_dir(char out[CLI_PATH], const char *given)
{
    const char *dev = getenv("MPC_DEV");
    const char *dir = given ? given : dev && *dev ? dev : "";
    if (snprintf(out, CLI_PATH, "%s%s", dir,
                 !given && *dir ? "/persons" : "") >= CLI_PATH)
        return rc_raise(RC_ARG, "--keys: name too long");
    return RC_OK;
}

enum rc cli_key_create(struct wire_key *out, const char *socket,
                       const char *profile, const struct cli_people *people)
{
    struct cli_cluster cluster;
    struct policy_session s;
    WIRE(session) session = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    char reason[128];
    TRY(cli_cluster_ask(&cluster, socket));
    snprintf(reason, sizeof(reason), "create key %.64s", profile);
    TRY(cli_session_begin(&s, POLICY_S_KEY_CREATE, &cluster, profile, reason));
    TRY(cli_session_sign(&session, &s, people));
    TRY(wire_session_encode(&json, &len, &session));
    struct http_answer a;
    TRY(cli_ask(&a, socket, "/v1/key/create", json, len, CREATE_MS));
    enum rc rc = wire_key_decode(out, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    return rc;
}
