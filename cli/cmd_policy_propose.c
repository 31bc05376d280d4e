/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign policy propose: a version is put to the stewards as a session whose
 * artifact is its exact bytes.
 */
#include "cli/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/file.h"
#include "cli/session.h"

struct proposal {
    const char *file;
    const char *who;
    const char *ssh_key;
    const char *reason;
    const char *ttl;
};

/* What can be said without asking anybody. */
enum rc cli_policy_check_next(const struct policy *next,
                              const struct policy *head, const char *file)
{
    enum rc rc = RC_OK;
    if (next->version != head->version + 1)
        rc = rc_raise(RC_POLICY, "%s: version %llu, want %llu", file,
                      (unsigned long long)next->version,
                      (unsigned long long)head->version + 1);
    else if (memcmp(next->prev, head->sha256, 32) != 0)
        rc = rc_raise(RC_POLICY, "%s: prev is not the hash of version %llu",
                      file, (unsigned long long)head->version);
    if (rc != RC_OK)
        rc_hint("mpcsign policy draft --from FILE sets both");
    return rc;
}

static enum rc build(struct wire_policy *out, struct policy_session *s,
                     const struct proposal *o)
{
    struct cli_cluster cluster;
    OWNED_MEM uint8_t *text = NULL;
    OWN_S(policy) *next = NULL;
    OWN_S(policy) *head = NULL;
    size_t len;
    int64_t ttl = CLI_SESSION_S;
    struct decide who;
    if (o->reason && strlen(o->reason) >= sizeof(s->reason))
        return rc_raise(RC_ARG, "--reason: at most %zu bytes",
                        sizeof(s->reason) - 1);
    if (o->ttl)
        TRY(cli_number(&ttl, "--ttl", o->ttl, 1, POLICY_SESSION_MAX_S));
    TRY(file_read(&text, &len, o->file, POLICY_MAX_BYTES));
    TRY(policy_parse(&next, text, len));
    TRY(cli_policy_newest(&head));
    TRY(cli_policy_check_next(next, head, o->file));
    TRY(cli_cluster_ask(&cluster, NULL));
    TRY(cli_session_begin(s, POLICY_S_POLICY, &cluster, NULL,
                          o->reason ? o->reason : ""));
    s->expires = s->created + ttl;
    policy_session_artifact(s, "policy.json", text, len);
    s->has_artifact = true;
    TRY(wire_blob_set(&out->policy, text, len));
    enum rc rc = decide_requester(&who, head, o->who, o->ssh_key);
    if (rc == RC_OK)
        rc = cli_session_seal(&out->session, s, who.who->id, who.key_file);
    decide_end(&who);
    return rc;
}

static enum rc send_all(const struct wire_policy *m)
{
    OWNED_MEM char *session = NULL;
    OWNED_MEM char *whole = NULL;
    size_t len;
    struct http_answer a;
    TRY(wire_policy_encode(&whole, &len, m));
    TRY(cli_ask(&a, NULL, "/v1/policy/proposal", whole, len, POLICY_ASK_MS));
    http_answer_free(&a);
    TRY(wire_session_encode(&session, &len, &m->session));
    TRY(cli_ask(&a, NULL, "/v1/session", session, len, POLICY_ASK_MS));
    http_answer_free(&a);
    return RC_OK;
}

static enum rc propose(const struct proposal *o)
{
    WIRE(policy) m = { 0 };
    struct policy_session s;
    char hex[65];
    TRY(build(&m, &s, o));
    TRY(send_all(&m));
    enc_hex(hex, s.id, 32);
    if (cli_json())
        return cli_say_json(json_pack("{s:s, s:I}", "session", hex, "expires",
                                      (json_int_t)s.expires));
    cli_note("code     %.8s (the first 8 digits of the session)", hex);
    cli_note("stewards: mpcsign policy approve %s --as PERSON", hex);
    return cli_say("%s\n", hex);
}

enum rc cmd_policy_propose(int argc, char **argv)
{
    struct proposal o = { 0 };
    bool done;
    const struct cli_arg rows[] = {
        { .name = "FILE",
          .text = &o.file,
          .need = true,
          .help = "the next version, from mpcsign policy draft" },
        { .name = "--as",
          .text = &o.who,
          .help = "the person who proposes [dev in MPC_DEV, else whose key "
                  "is found]" },
        { .name = "--ssh-key",
          .text = &o.ssh_key,
          .help = "their key file [theirs in MPC_DEV, else the agent's]" },
        { .name = "--reason",
          .text = &o.reason,
          .help = "for those who approve" },
        { .name = "--ttl", .text = &o.ttl, .help = "seconds to live [600]" },
        { 0 },
    };
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    return propose(&o);
}
