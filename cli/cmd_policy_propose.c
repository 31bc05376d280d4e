/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign policy draft | propose | approve: a version is written, proposed as
 * a session whose artifact is its exact bytes, and approved by stewards who
 * are shown what changes. Who completes the rule puts it in force.
 */
#include "cli/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/file.h"

#define FORCE_MS 20000 /* it is logged, and told to everyone */
#define STEWARD  "steward"

/* ---- draft ------------------------------------------------------------------ */

/* The document of the next version, as it stands before anybody changes it. */
static enum rc draft(char **out, const char *from)
{
    OWN_S(policy) *head = NULL;
    OWNED_MEM uint8_t *text = NULL;
    size_t len;
    char hex[65];
    json_error_t error;
    TRY(cli_policy_newest(&head));
    if (from)
        TRY(file_read(&text, &len, from, POLICY_MAX_BYTES));
    OWNED(json_t) *doc = json_loadb(
            from ? (const char *)text : (const char *)head->bytes,
            from ? len : head->bytes_len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(doc))
        return rc_raise(RC_PARSE, "%s: no JSON object (line %d, column %d)",
                        from ? from : "policy", error.line, error.column);
    if (json_object_set_new(doc, "version",
                            json_integer((json_int_t)head->version + 1)) ||
        json_object_set_new(doc, "prev",
                            json_string(enc_hex(hex, head->sha256, 32))))
        return rc_raise(RC_NOMEM, "policy: out of memory");
    *out = json_dumps(doc, JSON_INDENT(1));
    return *out ? RC_OK : rc_raise(RC_NOMEM, "policy: out of memory");
}

enum rc cmd_policy_draft(int argc, char **argv)
{
    const char *from = NULL;
    const char *to = NULL;
    bool done;
    OWNED_MEM char *text = NULL;
    const struct cli_arg rows[] = {
        { .name = "--from",
          .text = &from,
          .help = "a document to follow on, instead of the one in force" },
        { .name = "--out",
          .text = &to,
          .help = "file to write [standard output]" },
        { 0 },
    };
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    TRY(draft(&text, from));
    if (!to)
        return cli_say("%s\n", text);
    TRY(file_write(to, text, strlen(text), 0644));
    cli_note("edit %s, then: mpcsign policy propose %s", to, to);
    return RC_OK;
}

/* ---- propose ----------------------------------------------------------------- */

struct proposal {
    const char *file;
    const char *who;
    const char *ssh_key;
    const char *reason;
    const char *ttl;
};

static enum rc key_of(char out[CLI_PATH], const char *ssh_key, const char *who)
{
    char dir[CLI_PATH];
    if (!ssh_key) {
        TRY(cli_keys_dir(dir, NULL));
        return cli_person_file(out, dir, who);
    }
    if (snprintf(out, CLI_PATH, "%s", ssh_key) >= CLI_PATH)
        return rc_raise(RC_ARG, "--ssh-key: name too long");
    return RC_OK;
}

/* What can be said without asking anybody. */
static enum rc check_next(const struct policy *next, const struct policy *head,
                          const char *file)
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
        rc_hint("mpcsign policy draft --from %s --out FILE sets both", file);
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
    char key[CLI_PATH];
    if (o->ttl)
        TRY(cli_number(&ttl, "--ttl", o->ttl, 1, POLICY_SESSION_MAX_S));
    TRY(file_read(&text, &len, o->file, POLICY_MAX_BYTES));
    TRY(policy_parse(&next, text, len));
    TRY(cli_policy_newest(&head));
    TRY(check_next(next, head, o->file));
    TRY(key_of(key, o->ssh_key, o->who));
    TRY(cli_cluster_ask(&cluster, NULL));
    TRY(cli_session_begin(s, POLICY_S_POLICY, &cluster, NULL,
                          o->reason ? o->reason : ""));
    s->expires = s->created + ttl;
    policy_session_artifact(s, "policy.json", text, len);
    s->has_artifact = true;
    TRY(wire_blob_set(&out->policy, text, len));
    return cli_session_seal(&out->session, s, o->who, key);
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
    cli_note("stewards: mpcsign policy approve %s --as PERSON", hex);
    return cli_say("%s\n", hex);
}

enum rc cmd_policy_propose(int argc, char **argv)
{
    struct proposal o = { 0 };
    const char *dev = getenv("MPC_DEV");
    bool done;
    const struct cli_arg rows[] = {
        { .name = "FILE",
          .text = &o.file,
          .need = true,
          .help = "the next version, from mpcsign policy draft" },
        { .name = "--as",
          .text = &o.who,
          .help = "the person who proposes [dev, with MPC_DEV]" },
        { .name = "--ssh-key",
          .text = &o.ssh_key,
          .help = "their key file [$MPC_DEV/persons/PERSON/id_ed25519]" },
        { .name = "--reason",
          .text = &o.reason,
          .help = "for those who approve" },
        { .name = "--ttl", .text = &o.ttl, .help = "seconds to live [600]" },
        { 0 },
    };
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    if (!o.who && dev && *dev)
        o.who = "dev";
    return o.who ? propose(&o)
                 : rc_raise(RC_ARG, "--as is missing: who proposes?");
}

/* ---- approve ------------------------------------------------------------------ */

struct vote {
    const char *id;
    const char *who;
    const char *ssh_key;
    const char *file;
    bool yes;
};

/* The bytes at hand are the ones that the session is about. */
static enum rc check_bytes(const struct policy_session *s, const void *bytes,
                           size_t len, const char *what)
{
    struct policy_session mine = { 0 };
    policy_session_artifact(&mine, "", bytes, len);
    if (s->type == POLICY_S_POLICY && s->artifact_size == len &&
        memcmp(mine.artifact_sha256, s->artifact_sha256, 32) == 0 &&
        memcmp(mine.artifact_sha512, s->artifact_sha512, 64) == 0)
        return RC_OK;
    return rc_raise(RC_VERIFY, "%s is not the version that session proposes",
                    what);
}

/* What is proposed: from the sidecar, or the file given. */
static enum rc fetch(struct wire_policy *out, struct policy_session *s,
                     const struct vote *o)
{
    char path[128];
    struct http_answer a;
    OWNED_MEM uint8_t *text = NULL;
    size_t len;
    TRY(cli_ask_session(s, o->id));
    snprintf(path, sizeof(path), "/v1/policy/proposal/%s", o->id);
    enum rc rc = cli_ask(&a, NULL, path, NULL, 0, POLICY_ASK_MS);
    if (rc == RC_OK) {
        rc = wire_policy_decode(out, (const char *)a.body, a.body_len);
        http_answer_free(&a);
    } else if (rc == RC_UNKNOWN && o->file) {
        rc = RC_OK;
    }
    TRY(rc);
    if (o->file) {
        TRY(file_read(&text, &len, o->file, POLICY_MAX_BYTES));
        TRY(check_bytes(s, text, len, o->file));
        TRY(wire_blob_set(&out->policy, text, len));
    }
    return check_bytes(s, out->policy.p, out->policy.len, "the proposal");
}

static enum rc show(const struct wire_policy *m, const struct policy_session *s,
                    const struct policy *head)
{
    struct cli_diffs d;
    char until[CLOCK_TEXT_SIZE];
    OWN_S(policy) *next = NULL;
    TRY(policy_parse(&next, m->policy.p, m->policy.len));
    TRY(check_next(next, head, "the proposal"));
    TRY(cli_policy_diff(&d, head->bytes, head->bytes_len, m->policy.p,
                        m->policy.len));
    enum rc rc = RC_OK;
    if (!cli_json()) {
        rc = cli_say("version %llu, proposed by %s, until %s%s%s\n",
                     (unsigned long long)next->version, s->requester,
                     clock_text(until, s->expires), s->reason[0] ? ": " : "",
                     s->reason);
        if (rc == RC_OK)
            rc = cli_diffs_say(&d);
    }
    cli_diffs_free(&d);
    return rc;
}

/* On a terminal a person is asked; elsewhere the command is the answer. */
static enum rc confirm(const struct vote *o)
{
    char line[16];
    if (o->yes || cli_json() || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return RC_OK;
    fprintf(stderr, "approve this as %s? [y/N] ", o->who);
    if (fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y'))
        return RC_OK;
    return rc_raise(RC_ARG, "not approved: nothing was signed");
}

static enum rc vote(const struct vote *o, const struct policy_session *s)
{
    char key[CLI_PATH];
    WIRE(approval) m = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    struct http_answer a;
    TRY(key_of(key, o->ssh_key, o->who));
    memcpy(m.session, s->id, 32);
    TRY(cli_record(&m.record, key, s->id, POLICY_D_APPROVE, STEWARD, o->who));
    TRY(wire_approval_encode(&json, &len, &m));
    TRY(cli_ask(&a, NULL, "/v1/approval", json, len, POLICY_ASK_MS));
    http_answer_free(&a);
    return RC_OK;
}

/* RC_OK: the stewards of the version in force have approved it. */
static enum rc enough(const struct wire_policy *m, const struct policy *head,
                      const struct policy_session *s)
{
    struct tlog_blob list[POLICY_MAX_APPROVALS];
    struct policy_approved got;
    unsigned n;
    const struct tlog_blob requester = { m->session.requester.p,
                                         m->session.requester.len };
    TRY(cli_blobs(list, &n, m->session.approvals.at, m->session.approvals.n));
    return policy_judge(&got, head, s->cluster, s, &requester, list, n,
                        clock_now_s());
}

static enum rc force(struct wire_policy *m, bool *in_force)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    struct http_answer a;
    TRY(wire_policy_encode(&json, &len, m));
    enum rc rc = cli_ask(&a, NULL, "/v1/policy", json, len, FORCE_MS);
    if (rc == RC_OK)
        http_answer_free(&a);
    if (rc == RC_EXISTS) /* another steward's command was faster */
        rc = RC_OK;
    *in_force = rc == RC_OK;
    return rc;
}

static enum rc approve(const struct vote *o)
{
    WIRE(policy) m = { 0 };
    WIRE(policy) now = { 0 };
    struct policy_session s;
    OWN_S(policy) *head = NULL;
    bool in_force = false;
    TRY(fetch(&m, &s, o));
    TRY(cli_policy_newest(&head));
    TRY(show(&m, &s, head));
    TRY(confirm(o));
    TRY(vote(o, &s));
    TRY(fetch(&now, &s, o)); /* with ours, and what came meanwhile */
    enum rc rc = enough(&now, head, &s);
    char missing[256] = "";
    if (rc == RC_OK)
        TRY(force(&now, &in_force));
    else if (rc == RC_NOT_APPROVED)
        snprintf(missing, sizeof(missing), "%s", rc_text());
    else
        return rc;
    if (cli_json())
        return cli_say_json(json_pack("{s:s, s:s, s:b, s:s}", "session", o->id,
                                      "person", o->who, "in_force",
                                      (int)in_force, "missing", missing));
    return in_force ? cli_say("in force: version %llu\n",
                              (unsigned long long)head->version + 1)
                    : cli_say("approved by %s; not in force yet: %s\n", o->who,
                              missing);
}

enum rc cmd_policy_approve(int argc, char **argv)
{
    struct vote o = { 0 };
    bool done;
    const struct cli_arg rows[] = {
        { .name = "ID",
          .text = &o.id,
          .need = true,
          .help = "the session, as mpcsign policy propose printed it" },
        { .name = "--as",
          .text = &o.who,
          .need = true,
          .help = "the steward who approves" },
        { .name = "--ssh-key",
          .text = &o.ssh_key,
          .help = "their key file [$MPC_DEV/persons/PERSON/id_ed25519]" },
        { .name = "--file",
          .text = &o.file,
          .help = "the proposed file: go on only if it is this" },
        { .name = "--yes", .flag = &o.yes, .help = "do not ask" },
        { 0 },
    };
    TRY(cli_args(&done, rows, argc, argv));
    return done ? RC_OK : approve(&o);
}
