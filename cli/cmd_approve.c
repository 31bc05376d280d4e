/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign approve | deny | revoke: shows what a session asks for, and signs
 * one person's decision. What is shown is what is hashed: the descriptor's
 * exact bytes must have the id that was named.
 */
#include "cli/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/file.h"

#define ASK_MS 5000

struct options {
    const char *id;
    const char *who;
    const char *role;
    const char *ssh_key;
    const char *file;
    enum policy_decision decision;
};

/* The file at hand must be the one that is asked for. */
static enum rc check_file(const struct policy_session *s, const char *path)
{
    struct cli_content mine; /* no bytes of it are kept */
    TRY(cli_content_read(&mine, path, false));
    if (!s->has_artifact || s->artifact_size != mine.size ||
        memcmp(s->artifact_sha256, mine.sha256, 32) != 0 ||
        memcmp(s->artifact_sha512, mine.sha512, 64) != 0)
        return rc_raise(RC_VERIFY, "%s is not what the session asks for", path);
    return RC_OK;
}

static void show(const struct policy_session *s, const struct options *o)
{
    char hex[65];
    char until[CLOCK_TEXT_SIZE];
    cli_note("session  %s", o->id);
    cli_note("asks     %s for %s, by %s, until %s",
             policy_session_type_name(s->type),
             s->has_profile ? s->profile : "the policy", s->requester,
             clock_text(until, s->expires));
    if (s->has_artifact)
        cli_note("artifact %s, %llu bytes, sha256 %s%s", s->artifact_name,
                 (unsigned long long)s->artifact_size,
                 enc_hex(hex, s->artifact_sha256, 32),
                 o->file ? " (is your file)" : "");
    if (s->reason[0])
        cli_note("reason   %s", s->reason);
}

static enum rc send_record(const struct policy_session *s,
                           const struct options *o)
{
    char dir[CLI_PATH];
    char key[CLI_PATH];
    WIRE(approval) m = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    struct http_answer a;
    if (!o->ssh_key) {
        TRY(cli_keys_dir(dir, NULL));
        TRY(cli_person_file(key, dir, o->who));
    }
    memcpy(m.session, s->id, 32);
    TRY(cli_record(&m.record, o->ssh_key ? o->ssh_key : key, s->id, o->decision,
                   o->role, o->who));
    TRY(wire_approval_encode(&json, &len, &m));
    TRY(cli_ask(&a, NULL, "/v1/approval", json, len, ASK_MS));
    http_answer_free(&a);
    return RC_OK;
}

static enum rc decide(const struct options *o, const char *did)
{
    struct policy_session s;
    TRY(cli_ask_session(&s, o->id));
    if (o->file)
        TRY(check_file(&s, o->file));
    show(&s, o);
    TRY(send_record(&s, o));
    if (cli_json())
        return cli_say_json(json_pack("{s:s, s:s, s:s, s:s}", "session", o->id,
                                      "decision", did, "person", o->who, "role",
                                      o->role));
    cli_note("%s by %s as %s", did, o->who, o->role);
    return RC_OK;
}

static enum rc run(int argc, char **argv, enum policy_decision decision,
                   const char *did)
{
    struct options o = { .decision = decision };
    const struct cli_arg rows[] = {
        { .name = "ID",
          .text = &o.id,
          .need = true,
          .help = "the session, as mpcsign request printed it" },
        { .name = "--as",
          .text = &o.who,
          .need = true,
          .help = "the person who decides" },
        { .name = "--role",
          .text = &o.role,
          .need = true,
          .help = "engineer or steward" },
        { .name = "--ssh-key",
          .text = &o.ssh_key,
          .help = "their key file [$MPC_DEV/persons/PERSON/id_ed25519]" },
        { .name = "--file",
          .text = &o.file,
          .help = "go on only if this is the file asked for" },
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    return done ? RC_OK : decide(&o, did);
}

enum rc cmd_approve(int argc, char **argv)
{
    return run(argc, argv, POLICY_D_APPROVE, "approved");
}

enum rc cmd_deny(int argc, char **argv)
{
    return run(argc, argv, POLICY_D_DENY, "denied");
}

enum rc cmd_revoke(int argc, char **argv)
{
    return run(argc, argv, POLICY_D_REVOKE, "revoked");
}
