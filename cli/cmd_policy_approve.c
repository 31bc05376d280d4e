/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign policy approve: a steward is shown what a proposed version changes,
 * all of it, and signs. Who completes the rule puts it in force.
 */
#include "cli/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/file.h"
#include "cli/session.h"

#define FORCE_MS 20000 /* it is logged, and told to everyone */
#define STEWARD  "steward"

struct vote {
    const char *id;
    const char *file;
    bool yes;
    struct decide d;
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
    if (s->type != POLICY_S_POLICY) {
        enum rc rc = rc_raise(RC_ARG,
                              "session %.8s: it asks for %s, not for "
                              "a version of the policy",
                              o->id, policy_session_type_name(s->type));
        rc_hint("mpcsign approve %s", o->id);
        return rc;
    }
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

static bool has_key(const struct policy_person *p,
                    const struct policy_credential *c)
{
    for (unsigned i = 0; p && i < p->n_credentials; i++) {
        const struct policy_credential *have = &p->credential[i];
        if (memcmp(have->id, c->id, sizeof(c->id)) == 0 &&
            memcmp(have->key, c->key, sizeof(c->key)) == 0 &&
            have->cose_len == c->cose_len &&
            memcmp(have->cose, c->cose, c->cose_len) == 0)
            return true;
    }
    return false;
}

/* Keys that the version in force does not have, by what their owners read. */
static enum rc say_new_keys(const struct policy *next,
                            const struct policy *head)
{
    char words[POLICY_WORDS_MAX];
    for (unsigned i = 0; i < next->n_persons; i++) {
        const struct policy_person *p = &next->person[i];
        const struct policy_person *was = policy_person_find(head, p->id);
        for (unsigned k = 0; k < p->n_credentials; k++) {
            if (has_key(was, &p->credential[k]))
                continue;
            policy_credential_words(words, &p->credential[k]);
            TRY(cli_say("new key  %s, %s: %s\n", p->id, p->credential[k].kind,
                        words));
        }
    }
    return RC_OK;
}

static enum rc say_version(const struct policy_session *s,
                           const struct policy *next)
{
    char id[65];
    char until[CLOCK_TEXT_SIZE];
    char who[sizeof(s->requester)];
    char why[sizeof(s->reason)];
    return cli_say("code     %.8s (compare it with who proposes)\n"
                   "version  %llu, proposed by %s, until %s%s%s\n",
                   enc_hex(id, s->id, 32), (unsigned long long)next->version,
                   state_plain(who, sizeof(who), s->requester),
                   clock_text(until, s->expires), s->reason[0] ? ": " : "",
                   state_plain(why, sizeof(why), s->reason));
}

/* All of it: what does not fit on a screen is not approved unseen. */
static enum rc show(const struct wire_policy *m, const struct policy_session *s,
                    const struct policy *head)
{
    struct cli_diffs d;
    OWN_S(policy) *next = NULL;
    TRY(policy_parse(&next, m->policy.p, m->policy.len));
    TRY(cli_policy_check_next(next, head, "the proposal"));
    TRY(cli_policy_diff(&d, head->bytes, head->bytes_len, m->policy.p,
                        m->policy.len));
    enum rc rc = RC_OK;
    if (d.more) {
        rc = rc_raise(RC_TOO_LARGE,
                      "the proposal: more than %d changes, which "
                      "cannot all be shown",
                      CLI_DIFF_MAX);
        rc_hint("have it proposed in several versions");
    } else if (!cli_json()) {
        rc = say_version(s, next);
        if (rc == RC_OK)
            rc = cli_diffs_say(&d);
        if (rc == RC_OK)
            rc = say_new_keys(next, head);
        fflush(stdout);
    }
    cli_diffs_free(&d);
    return rc;
}

static enum rc vote(const struct vote *o)
{
    WIRE(approval) m = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    struct http_answer a;
    memcpy(m.session, o->d.session->id, 32);
    TRY(decide_record(&m.record, &o->d));
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

static enum rc force(struct wire_policy *m)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    struct http_answer a;
    TRY(wire_policy_encode(&json, &len, m));
    enum rc rc = cli_ask(&a, NULL, "/v1/policy", json, len, FORCE_MS);
    if (rc == RC_OK)
        http_answer_free(&a);
    /* another steward's command may have been faster */
    return rc == RC_EXISTS ? RC_OK : rc;
}

/* Only stewards put a version in force. */
static enum rc settle(struct decide *d)
{
    TRY(decide_settle(d));
    return d->who->steward
                   ? RC_OK
                   : rc_raise(RC_NOT_APPROVED,
                              "%s: no steward, and only stewards approve "
                              "versions of the policy",
                              d->who->id);
}

static enum rc say_approved(const struct vote *o, const char *missing)
{
    bool in_force = !*missing;
    const char *who = o->d.who->id;
    if (cli_json())
        return cli_say_json(json_pack("{s:s, s:s, s:b, s:s}", "session", o->id,
                                      "person", who, "in_force", (int)in_force,
                                      "missing", missing));
    return in_force ? cli_say("in force: version %llu\n",
                              (unsigned long long)o->d.policy->version + 1)
                    : cli_say("approved by %s; not in force yet: %s\n", who,
                              missing);
}

static enum rc approve_as(struct vote *o, const struct wire_policy *m,
                          struct policy_session *s)
{
    WIRE(policy) now = { 0 };
    char missing[256] = "";
    TRY(settle(&o->d));
    TRY(show(m, s, o->d.policy));
    TRY(decide_ask(&o->d, o->yes));
    TRY(vote(o));
    TRY(fetch(&now, s, o)); /* with ours, and what came meanwhile */
    enum rc rc = enough(&now, o->d.policy, s);
    if (rc == RC_OK)
        TRY(force(&now));
    else if (rc == RC_NOT_APPROVED)
        snprintf(missing, sizeof(missing), "%s", rc_text());
    else
        return rc;
    return say_approved(o, missing);
}

static enum rc approve(struct vote *o)
{
    WIRE(policy) m = { 0 };
    struct policy_session s;
    OWN_S(policy) *head = NULL;
    TRY(fetch(&m, &s, o));
    TRY(cli_policy_newest(&head));
    o->d.session = &s;
    o->d.policy = head;
    enum rc rc = approve_as(o, &m, &s);
    decide_end(&o->d);
    return rc;
}

enum rc cmd_policy_approve(int argc, char **argv)
{
    struct vote o = { .d.decision = POLICY_D_APPROVE, .d.role = STEWARD };
    bool done;
    const struct cli_arg rows[] = {
        { .name = "ID",
          .text = &o.id,
          .need = true,
          .help = "the session, as mpcsign policy propose printed it" },
        { .name = "--as",
          .text = &o.d.person,
          .help = "the steward who approves [whose key it is]" },
        { .name = "--ssh-key",
          .text = &o.d.ssh_key,
          .help = "key file, or .pub of a key in the ssh-agent [theirs in "
                  "MPC_DEV, else the agent's]" },
        { .name = "--device",
          .text = &o.d.device,
          .help = "a FIDO2 security key: its path, or auto" },
        { .name = "--file",
          .text = &o.file,
          .help = "the proposed file: go on only if it is this" },
        { .name = "--yes",
          .brief = "-y",
          .flag = &o.yes,
          .help = "do not ask at the terminal" },
        { 0 },
    };
    TRY(cli_args(&done, rows, argc, argv));
    return done ? RC_OK : approve(&o);
}
