/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign status: what this machine's sidecar says of itself and its peers, or
 * of one session.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/enc.h"
#include "cli/session.h"

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "?";
}

static long long int_of(const json_t *o, const char *key)
{
    return (long long)json_integer_value(json_object_get(o, key));
}

static enum rc say_self(const json_t *o)
{
    const json_t *policy = json_object_get(o, "policy");
    const json_t *log = json_object_get(o, "log");
    TRY(cli_say("node         %lld of %s\n", int_of(o, "node"),
                text_of(o, "deployment")));
    TRY(cli_say("attested as  %s\n", text_of(o, "policy_hash")));
    TRY(cli_say("sealed under %s\n", text_of(o, "master_key")));
    TRY(cli_say("policy       version %lld, %s\n", int_of(policy, "version"),
                text_of(policy, "sha256")));
    if (!json_is_object(log))
        return cli_say("log          not reached yet\n");
    return cli_say("log          head %lld, %s\n", int_of(log, "head"),
                   text_of(log, "vkey"));
}

/* What this node asks for whatever the policy says, and whom it sees in us. */
static enum rc say_rules(const json_t *o)
{
    const json_t *floor = json_object_get(o, "required");
    const json_t *caller = json_object_get(o, "caller");
    if (int_of(floor, "engineers") || int_of(floor, "stewards"))
        TRY(cli_say("required     at least %lld engineers and %lld stewards "
                    "(REQUIRED_ENGINEERS, REQUIRED_STEWARDS)\n",
                    int_of(floor, "engineers"), int_of(floor, "stewards")));
    if (json_is_string(json_object_get(caller, "name")))
        TRY(cli_say("caller       %s, uid %lld\n", text_of(caller, "name"),
                    int_of(caller, "uid")));
    return RC_OK;
}

/* Of the last 30 days: nobody shall overlook one. */
static enum rc say_broken_glass(const json_t *list)
{
    size_t i;
    json_t *g;
    char at[CLOCK_TEXT_SIZE];
    char why[sizeof(((struct policy_session *)0)->reason)];
    json_array_foreach (list, i, g)
        TRY(cli_say("BREAK GLASS  %s  %s by %s, session %.8s: %s\n",
                    clock_text(at, int_of(g, "created")), text_of(g, "profile"),
                    text_of(g, "requester"), text_of(g, "session"),
                    state_plain(why, sizeof(why), text_of(g, "reason"))));
    return RC_OK;
}

/* Of this node's own share. */
static enum rc say_backup(const json_t *key)
{
    const json_t *b = json_object_get(key, "backup");
    char age[STATE_WORDS];
    if (!json_is_object(b))
        return cli_say("backup       %-12s NONE\n", text_of(key, "name"));
    long long custodians = int_of(b, "custodians");
    return cli_say(
            "backup       %-12s epoch %lld, made %s, %lld custodian%s%s\n",
            text_of(key, "name"), int_of(b, "epoch"),
            state_left(age, int_of(b, "made"), clock_now_s()), custodians,
            custodians == 1 ? "" : "s",
            json_is_true(json_object_get(b, "current"))
                    ? ""
                    : ", NOT OF WHAT LIVES NOW");
}

/* Where each key lives, as its nodes say it. */
static enum rc say_epoch(const json_t *e)
{
    char line[1024] = "";
    size_t at = 0;
    size_t i;
    json_t *p;
    json_array_foreach (json_object_get(e, "nodes"), i, p) {
        const char *state = text_of(p, "state");
        bool behind = strcmp(state, "behind") == 0;
        int n = snprintf(line + at, sizeof(line) - at, ", node%lld %s",
                         int_of(p, "node"),
                         behind                       ? "BEHIND in "
                         : strcmp(state, "lost") == 0 ? "LOST"
                                                      : state);
        at += n > 0 && (size_t)n < sizeof(line) - at ? (size_t)n : 0;
        if (behind && at < sizeof(line) - 24)
            at += (size_t)snprintf(line + at, sizeof(line) - at, "%lld",
                                   int_of(p, "epoch"));
    }
    TRY(cli_say("epoch        %-12s %lld%s", text_of(e, "key"),
                int_of(e, "live"), line));
    if (int_of(e, "prepared"))
        TRY(cli_say("; %lld prepared, not certified", int_of(e, "prepared")));
    json_array_foreach (json_object_get(e, "waits_for"), i, p)
        TRY(cli_say("%snode%lld", i ? ", " : "; older shares wait for ",
                    (long long)json_integer_value(p)));
    return cli_say("\n");
}

static enum rc say_epochs(const json_t *list)
{
    size_t i;
    json_t *e;
    json_array_foreach (list, i, e)
        if (json_is_true(json_object_get(e, "destroyed")))
            TRY(cli_say("epoch        %-12s DESTROYED\n", text_of(e, "key")));
        else
            TRY(say_epoch(e));
    return RC_OK;
}

static enum rc say_next(const json_t *o)
{
    size_t i;
    json_t *p;
    json_array_foreach (json_object_get(o, "next"), i, p)
        TRY(cli_say_line("NEXT         %s\n", json_string_value(p)));
    return RC_OK;
}

static enum rc say_keys(const json_t *keys)
{
    size_t i;
    json_t *k;
    json_array_foreach (keys, i, k) {
        TRY(cli_say("key          %-12s epoch %lld, %lld of %lld nodes%s, %s\n",
                    text_of(k, "name"), int_of(k, "epoch"),
                    int_of(k, "threshold"), int_of(k, "nodes"),
                    json_is_true(json_object_get(k, "share"))
                            ? ""
                            : ", NO SHARE HERE",
                    text_of(k, "group_key")));
        if (json_is_true(json_object_get(k, "share")))
            TRY(say_backup(k));
    }
    if (json_array_size(keys) == 0)
        return cli_say("key          none yet\n");
    return RC_OK;
}

static enum rc say_peers(const json_t *peers)
{
    size_t i;
    json_t *p;
    json_array_foreach (peers, i, p) {
        bool usable = json_is_true(json_object_get(p, "usable"));
        const char *why = text_of(p, "why");
        TRY(cli_say("peer         node%lld %s%s%s\n", int_of(p, "node"),
                    usable ? "usable" : "DOWN", *why ? ", last: " : "", why));
    }
    return RC_OK;
}

/* What keeps this node from its work, and whom to ask about it. */
static enum rc say_problems(const json_t *o)
{
    size_t i;
    json_t *p;
    json_array_foreach (json_object_get(o, "problems"), i, p)
        TRY(cli_say("PROBLEM      %s\n", json_string_value(p)));
    return RC_OK;
}

static enum rc say_attested(const json_t *attested)
{
    size_t i;
    json_t *p;
    json_array_foreach (attested, i, p)
        TRY(cli_say("attested     %s %s%s\n", text_of(p, "uri"),
                    text_of(p, "policy_hash"),
                    json_is_true(json_object_get(p, "simulated")) ? " SIMULATED"
                                                                  : ""));
    return RC_OK;
}

/* ---- sessions ----------------------------------------------------------- */

static enum rc say_session(const struct wire_session_row *v)
{
    char id[65];
    char name[256];
    char who[WIRE_NAME_MAX];
    char left[STATE_WORDS];
    enc_hex(id, v->session, 32);
    return cli_say("session      %.8s %s: %s by %s%s%s, ends %s\n", id,
                   v->state, *v->profile ? v->profile : v->type,
                   state_plain(who, sizeof(who), v->requester),
                   v->artifact.n ? ", " : "",
                   v->artifact.n ? state_plain(name, sizeof(name),
                                               v->artifact.at[0].name)
                                 : "",
                   state_left(left, (int64_t)v->expires, clock_now_s()));
}

static bool is_open(const struct wire_session_row *v)
{
    return strcmp(v->state, "open") == 0 || strcmp(v->state, "approved") == 0 ||
           strcmp(v->state, "signing") == 0;
}

static enum rc say_sessions(void)
{
    WIRE(sessions) all = { 0 };
    TRY(state_sessions(&all));
    for (size_t i = 0; i < all.sessions.n; i++)
        if (is_open(&all.sessions.at[i]))
            TRY(say_session(&all.sessions.at[i]));
    return RC_OK;
}

static enum rc page_of(const char *id)
{
    WIRE(session_state) s = { 0 };
    OWNED_MEM char *text = NULL;
    TRY(state_ask(&s, &text, id));
    if (cli_json())
        return cli_say("%s\n", text);
    if (s.simulated)
        cli_banner(false);
    state_page(stdout, &s, clock_now_s());
    return RC_OK;
}

/* A terminal sees the page once, then what changes. */
static enum rc watch(const char *id)
{
    struct wait w = { .id = id, .json_lines = cli_json() };
    if (!cli_json())
        TRY(page_of(id));
    fflush(stdout);
    return wait_for(&w);
}

/* Keys that live for one session, where this node takes part. */
static enum rc say_once(const json_t *list)
{
    size_t i;
    json_t *o;
    char left[STATE_WORDS];
    json_array_foreach (list, i, o)
        TRY(cli_say("session key  %.8s %s: %s, made by node%lld, ends %s\n",
                    text_of(o, "session"), text_of(o, "state"),
                    text_of(o, "profile"), int_of(o, "lead"),
                    state_left(left, int_of(o, "expires"), clock_now_s())));
    return RC_OK;
}

/* ---- the node ----------------------------------------------------------- */

static enum rc node(void)
{
    OWNED(json_t) *o = NULL;
    OWNED(json_t) *open = NULL;
    TRY(cli_ask_json(&o, NULL, "/v1/status"));
    if (cli_json()) {
        TRY(cli_ask_json(&open, NULL, "/v1/sessions"));
        json_object_update(o, open); /* its one member, sessions */
        return cli_say_json(TAKE(o));
    }
    if (json_is_true(json_object_get(o, "simulated")))
        cli_banner(false);
    TRY(say_self(o));
    TRY(say_rules(o));
    TRY(say_problems(o));
    TRY(say_broken_glass(json_object_get(o, "break_glass")));
    TRY(say_keys(json_object_get(o, "keys")));
    TRY(say_epochs(json_object_get(o, "epochs")));
    TRY(say_once(json_object_get(o, "once")));
    TRY(say_peers(json_object_get(o, "peers")));
    TRY(say_attested(json_object_get(o, "attested")));
    TRY(say_sessions());
    return say_next(o);
}

enum rc cmd_status(int argc, char **argv)
{
    const char *given = NULL;
    bool live = false;
    const struct cli_arg rows[] = {
        { .name = "ID",
          .text = &given,
          .help = "a session, or its first 8 digits [the node]" },
        { .name = "--watch",
          .brief = "-w",
          .flag = &live,
          .help = "follow it until it is approved, or never will be" },
        { 0 },
    };
    bool done;
    char id[65];
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    if (live && !given)
        return rc_raise(RC_ARG, "--watch: which session? ID is missing");
    if (!given)
        return node();
    TRY(state_find(id, given));
    return live ? watch(id) : page_of(id);
}
