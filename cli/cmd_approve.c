/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign approve | deny | revoke: shows what a session asks for, and signs
 * one person's decision. What is shown is what is hashed: the descriptor's
 * exact bytes must have the id that was named.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/enc.h"
#include "cli/policy.h"
#include "cli/session.h"

#define SEND_MS 10000 /* a denial is answered once it stands, or late */

struct options {
    const char *id;
    const char *file;
    bool yes;
    bool browser;
    struct decide d;
};

/* ---- what is asked ------------------------------------------------------ */

/* The file at hand must be the one that is asked for. */
static enum rc check_file(const struct policy_session *s, const char *path)
{
    struct cli_content mine; /* no bytes of it are kept */
    char want[65];
    char have[65];
    if (!s->has_artifact)
        return rc_raise(RC_VERIFY, "%s: the session asks for no file", path);
    TRY(cli_content_read(&mine, path, false));
    if (s->artifact_size == mine.size &&
        memcmp(s->artifact_sha256, mine.sha256, 32) == 0 &&
        memcmp(s->artifact_sha512, mine.sha512, 64) == 0)
        return RC_OK;
    enum rc rc = rc_raise(RC_VERIFY,
                          "%s is not what the session asks for: sha256 %s, "
                          "want %s",
                          path, enc_hex(have, mine.sha256, 32),
                          enc_hex(want, s->artifact_sha256, 32));
    rc_hint("nothing was signed; mpcsign deny %s says no to everybody",
            enc_hex(have, s->id, 32));
    return rc;
}

static void show_artifact(const struct policy_session *s, bool mine)
{
    char hex[129];
    char name[sizeof(s->artifact_name)];
    if (!s->has_artifact)
        return;
    cli_note("artifact %s, %llu bytes%s",
             state_plain(name, sizeof(name), s->artifact_name),
             (unsigned long long)s->artifact_size,
             mine ? " (is your file)" : "");
    cli_note("sha256   %s", enc_hex(hex, s->artifact_sha256, 32));
    cli_note("sha512   %s", enc_hex(hex, s->artifact_sha512, 64));
}

static void show_kinds(const struct policy_session *s)
{
    char kinds[96] = "";
    size_t at = 0;
    for (unsigned k = 0; k < POLICY__KINDS; k++)
        if (s->slot[k])
            at += (size_t)snprintf(kinds + at, sizeof(kinds) - at, "%s%s",
                                   at ? ", " : "",
                                   policy_kind_name((enum policy_kind)k));
    if (at)
        cli_note("signs    %s", kinds);
}

static void show(const struct options *o)
{
    const struct policy_session *s = o->d.session;
    char text[sizeof(s->reason)];
    char until[CLOCK_TEXT_SIZE];
    char left[STATE_WORDS];
    cli_note("session  %s", o->id);
    cli_note("code     %.8s (compare it with who asks)", o->id);
    cli_note("asks     %s for %s, by %s", policy_session_type_name(s->type),
             s->has_profile ? s->profile : "the policy",
             state_plain(text, sizeof(text), s->requester));
    show_artifact(s, o->file != NULL);
    show_kinds(s);
    if (s->reason[0])
        cli_note("reason   %s", state_plain(text, sizeof(text), s->reason));
    cli_note("expires  %s, %s", state_left(left, s->expires, clock_now_s()),
             clock_text(until, s->expires));
}

/* ---- the decision ------------------------------------------------------- */

static const char *verb(enum policy_decision d)
{
    return d == POLICY_D_APPROVE ? "approve"
           : d == POLICY_D_DENY  ? "deny"
                                 : "revoke";
}

static enum rc send_record(struct wire_decided *out, const struct options *o)
{
    WIRE(approval) m = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    struct http_answer a;
    memcpy(m.session, o->d.session->id, 32);
    TRY(decide_record(&m.record, &o->d));
    TRY(wire_approval_encode(&json, &len, &m));
    TRY(cli_ask(&a, NULL, "/v1/approval", json, len, SEND_MS));
    enum rc rc = wire_decided_decode(out, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    return rc;
}

/* ---- what came of it ---------------------------------------------------- */

/* A denial that too few nodes hold does not keep the others from signing. */
static enum rc say_stands(const struct wire_decided *done,
                          const struct options *o)
{
    cli_note("%llu node%s acknowledged it, %llu make it stand%s",
             (unsigned long long)done->nodes, done->nodes == 1 ? "" : "s",
             (unsigned long long)done->need, done->stands ? ": it stands" : "");
    if (done->stands)
        return RC_OK;
    enum rc rc = rc_raise(RC_NODES,
                          "%s: acknowledged by %llu of the %llu nodes that "
                          "make it stand",
                          verb(o->d.decision), (unsigned long long)done->nodes,
                          (unsigned long long)done->need);
    rc_hint("it is kept, and reaches the others as they come back: mpcsign "
            "status %.8s",
            o->id);
    return rc;
}

static enum rc say_missing(const struct options *o)
{
    WIRE(session_state) s = { 0 };
    char words[STATE_WORDS];
    TRY(state_ask(&s, NULL, o->id));
    if (state_is(&s, "open"))
        cli_note("waits for %s", state_missing(words, &s));
    else
        cli_note("the session is %s", s.state);
    return RC_OK;
}

static enum rc say_done(const struct wire_decided *done,
                        const struct options *o, const char *did)
{
    if (cli_json()) {
        TRY(cli_say_json(json_pack(
                "{s:s, s:s, s:s, s:s, s:I, s:I, s:b}", "session", o->id,
                "decision", did, "person", o->d.who->id, "role", o->d.role,
                "nodes", (json_int_t)done->nodes, "need",
                (json_int_t)done->need, "stands", done->stands)));
        cli_told(); /* one object, whatever comes of it */
    }
    cli_note("%s by %s as %s", did, o->d.who->id, o->d.role);
    return o->d.decision == POLICY_D_APPROVE ? say_missing(o)
                                             : say_stands(done, o);
}

/* ---- the verb ----------------------------------------------------------- */

static enum rc decide_as(struct options *o, const char *did)
{
    struct wire_decided done;
    TRY(decide_settle(&o->d));
    show(o);
    TRY(decide_ask(&o->d, o->yes));
    TRY(send_record(&done, o));
    return say_done(&done, o, did);
}

/* What a version changes is shown by another verb; a "no" needs no look. */
static enum rc check_seen(const struct policy_session *s,
                          const struct options *o)
{
    if (s->type != POLICY_S_POLICY || o->d.decision != POLICY_D_APPROVE ||
        o->file)
        return RC_OK;
    enum rc rc = rc_raise(RC_ARG,
                          "session %.8s: it asks for a version of the "
                          "policy, whose changes are not shown here",
                          o->id);
    rc_hint("mpcsign policy approve %s", o->id);
    return rc;
}

static enum rc decide(struct options *o, const char *did)
{
    struct policy_session s;
    OWN_S(policy) *policy = NULL;
    TRY(cli_ask_session(&s, o->id));
    if (o->file)
        TRY(check_file(&s, o->file));
    TRY(check_seen(&s, o));
    TRY(cli_policy_newest(&policy));
    o->d.session = &s;
    o->d.policy = policy;
    enum rc rc = decide_as(o, did);
    decide_end(&o->d);
    return rc;
}

/* Who, as what and by which key is chosen on the page. */
static enum rc on_page(const struct options *o)
{
    struct policy_session s;
    if (o->d.decision != POLICY_D_APPROVE)
        return rc_raise(RC_ARG, "--browser: of approve, whose page has every "
                                "decision");
    if (o->d.person || o->d.role || o->d.ssh_key || o->d.device || o->yes)
        return rc_raise(RC_ARG, "--browser: the page asks who decides and by "
                                "which key; only --file goes with it");
    TRY(cli_ask_session(&s, o->id));
    if (o->file)
        TRY(check_file(&s, o->file));
    return cli_page_approve(o->id);
}

static enum rc run(int argc, char **argv, enum policy_decision decision,
                   const char *did)
{
    struct options o = { .d.decision = decision };
    const struct cli_arg rows[] = {
        { .name = "ID",
          .text = &o.id,
          .need = true,
          .help = "the session, all 64 digits, from who asks" },
        { .name = "--as",
          .text = &o.d.person,
          .help = "the person who decides [whose key it is]" },
        { .name = "--role",
          .text = &o.d.role,
          .help = "engineer or steward [theirs, if it is one]" },
        { .name = "--ssh-key",
          .text = &o.d.ssh_key,
          .help = "key file, or .pub of a key in the ssh-agent [theirs in "
                  "MPC_DEV, else the agent's]" },
        { .name = "--device",
          .text = &o.d.device,
          .help = "a FIDO2 security key: its path, or auto" },
        { .name = "--file",
          .text = &o.file,
          .help = "go on only if this is the file asked for" },
        { .name = "--yes",
          .brief = "-y",
          .flag = &o.yes,
          .help = "do not ask at the terminal" },
        { .name = "--browser",
          .flag = &o.browser,
          .help = "by a passkey, on a page that this command serves" },
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    return o.browser ? on_page(&o) : decide(&o, did);
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
