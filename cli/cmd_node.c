/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign node add | remove | upgrade: versions of the policy and reshares in
 * the order that loses no key. Where the cluster stands says what is next, so
 * each may be run again after whatever ended it.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/node.h"
#include "cli/session.h"

#define STEPS     12    /* more than any of them has */
#define FOLLOW_MS 15000 /* a version reaches a node */
#define TRIES     4     /* of a reshare, while the others follow */

struct options {
    struct cli_asker ask;
    const char *node;
    const char *uri;
    const char *at;
    const char *threshold;
    struct cli_list profiles;
    struct cli_list allow;
    struct cli_list retire;
    bool back;
    unsigned id;
};

/* What a step came to. */
enum next { NEXT_AGAIN, NEXT_DONE };
typedef enum rc step_fn(enum next *next, const struct options *o,
                        const struct node_view *v);

static void pause_ms(int64_t ms)
{
    const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&t, NULL);
}

/* ---- shares ---------------------------------------------------------------- */

/* Others may not have the newest version yet: they follow within a second. */
static enum rc reshare(const struct options *o, const char *name)
{
    enum rc rc = cli_key_reshare(&o->ask, name);
    for (unsigned i = 1; o->ask.approvers.n && i < TRIES &&
                         (rc == RC_POLICY_CHANGED || rc == RC_NODES);
         i++) {
        cli_note("again: %s", rc_text());
        pause_ms(1000);
        rc = cli_key_reshare(&o->ask, name);
    }
    return rc;
}

static bool is_due(const struct node_view *v, const struct wire_key *k)
{
    return !node_look_settled(v, k) &&
           (node_look_holds(v, k) || node_look_listed(v, k));
}

static bool any_due(const struct node_view *v)
{
    for (size_t i = 0; i < v->keys.keys.n; i++)
        if (is_due(v, &v->keys.keys.at[i]))
            return true;
    return false;
}

/* Every key that the node has, or is to have, to where the policy says. */
static enum rc reshare_all(const struct options *o, const struct node_view *v)
{
    for (size_t i = 0; i < v->keys.keys.n; i++) {
        const struct wire_key *k = &v->keys.keys.at[i];
        if (!is_due(v, k))
            continue;
        cli_note("key      %s: %s node%u", k->name,
                 node_look_holds(v, k) ? "away from" : "to", v->id);
        TRY(reshare(o, k->name));
    }
    return RC_OK;
}

/* ---- versions --------------------------------------------------------------- */

/* Its vault must have the roster before it can take part in a move. */
static enum rc wait_follows(const struct options *o, const struct node_view *v)
{
    uint64_t version = v->policy->version + 1;
    int64_t until = clock_mono_ms() + FOLLOW_MS;
    bool there = false;
    while (!there) {
        struct node_view now;
        TRY(node_look(&now, v->id, o->at));
        there = now.reached && now.version >= version;
        node_look_end(&now);
        if (there || clock_mono_ms() > until)
            break;
        pause_ms(200);
    }
    if (there)
        return RC_OK;
    enum rc rc = rc_raise(RC_TIMEOUT, "node%u: not at policy version %llu yet",
                          v->id, (unsigned long long)version);
    rc_hint("is it reached by the others, with an allowed measurement? Then "
            "the same command again");
    return rc;
}

static bool is_named(const struct options *o, const json_t *profile)
{
    const char *name = json_string_value(json_object_get(profile, "name"));
    for (unsigned i = 0; name && i < o->profiles.n; i++)
        if (strcmp(o->profiles.at[i], name) == 0)
            return true;
    return o->profiles.n == 0;
}

/* Ascending, once; or not at all. */
static enum rc set_member(json_t *list, unsigned id, bool in)
{
    size_t i = 0;
    while (i < json_array_size(list) &&
           json_integer_value(json_array_get(list, i)) < (json_int_t)id)
        i++;
    bool there = i < json_array_size(list) &&
                 json_integer_value(json_array_get(list, i)) == (json_int_t)id;
    if (there && !in)
        (void)json_array_remove(list, i);
    if (!there && in && json_array_insert_new(list, i, json_integer(id)))
        return rc_raise(RC_NOMEM, "policy: out of memory");
    return RC_OK;
}

static bool has_member(const json_t *list, unsigned id)
{
    size_t i;
    const json_t *v;
    json_array_foreach (list, i, v)
        if (json_integer_value(v) == (json_int_t)id)
            return true;
    return false;
}

static enum rc set_threshold(const struct options *o, json_t *profile)
{
    int64_t t;
    if (!o->threshold)
        return RC_OK;
    TRY(cli_number(&t, "--threshold", o->threshold, 2, POLICY_MAX_NODES));
    return json_object_set_new(profile, "threshold", json_integer(t))
                   ? rc_raise(RC_NOMEM, "policy: out of memory")
                   : RC_OK;
}

/* ---- upgrade ------------------------------------------------------------------ */

static enum rc not_there(const struct node_view *v)
{
    enum rc rc = rc_raise(RC_UNKNOWN, "node%u: not in the policy", v->id);
    rc_hint("mpcsign node add %u URI --at SOCKET", v->id);
    return rc;
}

static enum rc leave(const struct options *o, const struct node_view *v,
                     const char *what)
{
    OWNED(json_t) *doc = NULL;
    size_t i;
    json_t *profile;
    TRY(node_look_spare(v));
    TRY(node_version_begin(&doc, v));
    TRY(node_version_leaving(doc, v->id));
    TRY(node_version_allow(doc, &o->allow, &(struct cli_list){ .n = 0 }));
    json_array_foreach (json_object_get(doc, "profiles"), i, profile)
        if (is_named(o, profile) &&
            has_member(json_object_get(profile, "nodes"), v->id))
            TRY(set_threshold(o, profile));
    return node_version_put(doc, &o->ask, what);
}

static enum rc say_install(const struct node_view *v)
{
    if (cli_json())
        return cli_say_json(json_pack("{s:i, s:s, s:s}", "node", (int)v->id,
                                      "state", "empty", "next", "install"));
    return cli_say("node%u holds no share. %s, then: mpcsign node upgrade %u "
                   "--at SOCKET\n",
                   v->id,
                   v->reached ? "Stop it, install the new program or machine, "
                                "start it"
                              : "Start the new program or machine; SOCKET is "
                                "its sidecar's",
                   v->id);
}

/* "ca, release" */
static enum rc say_holds(const struct node_view *v, const char *state)
{
    char names[1024] = "";
    OWNED(json_t) *list = json_array();
    for (size_t i = 0; i < v->keys.keys.n; i++) {
        const struct wire_key *k = &v->keys.keys.at[i];
        size_t at = strlen(names);
        if (!node_look_holds(v, k))
            continue;
        snprintf(names + at, sizeof(names) - at, "%s%s", at ? ", " : "",
                 k->name);
        json_array_append_new(list, json_string(k->name));
    }
    if (cli_json())
        return cli_say_json(json_pack(
                "{s:i, s:s, s:I, s:O}", "node", (int)v->id, "state", state,
                "version", (json_int_t)v->policy->version, "keys", list));
    return cli_say("node%u: %s, policy version %llu; shares of %s\n", v->id,
                   state, (unsigned long long)v->policy->version,
                   *names ? names : "no key");
}

static enum rc join_again(const struct options *o, const struct node_view *v)
{
    OWNED(json_t) *doc = NULL;
    TRY(node_version_begin(&doc, v));
    TRY(node_version_keys(doc, v));
    TRY(node_version_allow(doc, &o->allow, &o->retire));
    TRY(node_version_put(doc, &o->ask, "a node's new keys"));
    return wait_follows(o, v);
}

static enum rc upgrade_step(enum next *next, const struct options *o,
                            const struct node_view *v)
{
    const struct policy_node *row = node_look_row(v);
    bool new = node_look_is_new(v);
    *next = NEXT_AGAIN;
    if (!row)
        return not_there(v);
    if (row->leaving && node_look_holds_any(v))
        return reshare_all(o, v);
    if (row->leaving && o->back && v->reached)
        return join_again(o, v);
    if (row->leaving && !new) {
        *next = NEXT_DONE;
        return say_install(v);
    }
    if (new && (row->leaving || !node_look_holds_any(v)))
        return join_again(o, v);
    if (!new &&any_due(v))
        return reshare_all(o, v);
    return leave(o, v, "a node is upgraded");
}

/* Back, with a share of all that it is to hold. */
static bool upgrade_ended(const struct node_view *v)
{
    const struct policy_node *row = node_look_row(v);
    return row && !row->leaving && !node_look_is_new(v) && !any_due(v);
}

/* ---- remove --------------------------------------------------------------------- */

static enum rc drop(const struct options *o, const struct node_view *v)
{
    OWNED(json_t) *doc = NULL;
    size_t i;
    json_t *row;
    TRY(node_version_begin(&doc, v));
    json_array_foreach (json_object_get(doc, "profiles"), i, row) {
        json_t *of = json_object_get(row, "nodes");
        if (is_named(o, row) && has_member(of, v->id))
            TRY(set_threshold(o, row));
        TRY(set_member(of, v->id, false));
    }
    json_t *nodes = json_object_get(doc, "nodes");
    json_array_foreach (nodes, i, row)
        if (row == node_version_row(doc, v->id)) {
            (void)json_array_remove(nodes, i);
            break;
        }
    TRY(node_version_allow(doc, &o->allow, &o->retire));
    return node_version_put(doc, &o->ask, "a node is gone");
}

static enum rc remove_step(enum next *next, const struct options *o,
                           const struct node_view *v)
{
    const struct policy_node *row = node_look_row(v);
    *next = row ? NEXT_AGAIN : NEXT_DONE;
    if (!row)
        return cli_json()
                       ? cli_say_json(json_pack("{s:i, s:s, s:I}", "node",
                                                (int)v->id, "state", "gone",
                                                "version",
                                                (json_int_t)v->policy->version))
                       : cli_say("node%u: not in the policy any more, "
                                 "version %llu\n",
                                 v->id, (unsigned long long)v->policy->version);
    if (!node_look_holds_any(v))
        return drop(o, v);
    return row->leaving ? reshare_all(o, v) : leave(o, v, "a node leaves");
}

/* ---- add -------------------------------------------------------------------------- */

static enum rc add_row(json_t *doc, const struct options *o,
                       const struct node_view *v)
{
    size_t at = 0;
    json_t *nodes = json_object_get(doc, "nodes");
    if (!o->uri)
        return rc_raise(RC_ARG, "URI: want the node's, it is not in the "
                                "policy");
    if (!v->reached) {
        enum rc rc = rc_raise(RC_ARG,
                              "node%u: its own sidecar must say its "
                              "keys",
                              v->id);
        rc_hint("--at SOCKET");
        return rc;
    }
    json_t *row = json_pack("{s:i, s:s, s:[]}", "id", (int)v->id, "uri", o->uri,
                            "custodians");
    while (at < json_array_size(nodes) &&
           json_integer_value(json_object_get(json_array_get(nodes, at),
                                              "id")) < (json_int_t)v->id)
        at++;
    if (!row || json_array_insert_new(nodes, at, row))
        return rc_raise(RC_NOMEM, "policy: out of memory");
    return node_version_keys(doc, v);
}

/* It is in the policy, and in the profiles that were named. */
static bool is_added(const struct options *o, const struct node_view *v)
{
    OWNED(json_t) *doc = NULL;
    size_t i;
    const json_t *profile;
    if (!node_look_row(v) || node_version_begin(&doc, v) != RC_OK)
        return false;
    json_array_foreach (json_object_get(doc, "profiles"), i, profile)
        if (is_named(o, profile) &&
            !has_member(json_object_get(profile, "nodes"), v->id))
            return false;
    return true;
}

static enum rc add_version(const struct options *o, const struct node_view *v)
{
    OWNED(json_t) *doc = NULL;
    size_t i;
    json_t *profile;
    TRY(node_version_begin(&doc, v));
    if (!node_look_row(v))
        TRY(add_row(doc, o, v));
    json_array_foreach (json_object_get(doc, "profiles"), i, profile) {
        if (!is_named(o, profile))
            continue;
        TRY(set_member(json_object_get(profile, "nodes"), v->id, true));
        TRY(set_threshold(o, profile));
    }
    TRY(node_version_allow(doc, &o->allow, &o->retire));
    TRY(node_version_put(doc, &o->ask, "a node joins"));
    return v->reached ? wait_follows(o, v) : RC_OK;
}

static enum rc add_step(enum next *next, const struct options *o,
                        const struct node_view *v)
{
    *next = NEXT_AGAIN;
    if (!is_added(o, v))
        return add_version(o, v);
    if (any_due(v))
        return reshare_all(o, v);
    *next = NEXT_DONE;
    return say_holds(v, "joined");
}

/* ---- the verbs --------------------------------------------------------------------- */

static enum rc read_id(struct options *o)
{
    int64_t id;
    const char *text = strncmp(o->node, "node", 4) == 0 ? o->node + 4 : o->node;
    TRY(cli_number(&id, "NODE", text, 1, UINT16_MAX));
    o->id = (unsigned)id;
    return RC_OK;
}

static enum rc check_profiles(const struct options *o,
                              const struct node_view *v)
{
    for (unsigned i = 0; i < o->profiles.n; i++)
        if (!policy_profile_find(v->policy, o->profiles.at[i]))
            return rc_raise(RC_UNKNOWN, "--profile: the policy has no %.64s",
                            o->profiles.at[i]);
    return RC_OK;
}

/* Until there is nothing more that can be done now. */
static enum rc run(const struct options *o, step_fn *step, bool upgrade)
{
    for (unsigned i = 0; i < STEPS; i++) {
        enum next next;
        struct node_view v;
        TRY(node_look(&v, o->id, o->at));
        bool ended = upgrade && (i > 0 || o->back) && upgrade_ended(&v);
        next = ended ? NEXT_DONE : NEXT_AGAIN;
        enum rc rc = check_profiles(o, &v);
        if (rc == RC_OK)
            rc = ended ? say_holds(&v, "upgraded") : step(&next, o, &v);
        node_look_end(&v);
        if (rc != RC_OK || next == NEXT_DONE)
            return rc;
    }
    return rc_raise(RC_ORDER,
                    "node%u: it does not settle: mpcsign status tells "
                    "more",
                    o->id);
}

static enum rc verb(int argc, char **argv, step_fn *step, const char *uri,
                    bool upgrade)
{
    struct options o = { .id = 0 };
    const struct cli_arg rows[] = {
        { .name = "NODE",
          .text = &o.node,
          .need = true,
          .help = "its number in the policy" },
        { .name = "--at",
          .text = &o.at,
          .help = "socket of that node's own sidecar, which says its keys "
                  "[the one asked, where that is it]" },
        { .name = "--allow",
          .list = &o.allow,
          .help = "measurements of sidecars to allow from now on" },
        { .name = "--retire",
          .list = &o.retire,
          .help = "measurements to allow no more, in the last version" },
        { .name = "--profile",
          .list = &o.profiles,
          .help = "profiles that it is about [all]" },
        { .name = "--threshold",
          .text = &o.threshold,
          .help = "of these profiles, from now on" },
        { .name = "--back",
          .flag = &o.back,
          .help = "upgrade: take it in again with the keys it has" },
        { .name = "--as",
          .text = &o.ask.who,
          .help = "the person who asks [dev in MPC_DEV, else whose key is "
                  "found]" },
        { .name = "--ssh-key",
          .text = &o.ask.ssh_key,
          .help = "their key file [theirs in MPC_DEV, else the agent's]" },
        { .name = "--reason",
          .text = &o.ask.reason,
          .help = "for those who approve" },
        { .name = "--approve",
          .list = &o.ask.approvers,
          .help = "stewards whose keys are at hand" },
        { .name = "--keys",
          .text = &o.ask.keys,
          .help = "directory with PERSON/id_ed25519 [$MPC_DEV/persons]" },
        { .name = "--timeout",
          .text = &o.ask.timeout,
          .help = "seconds to wait for stewards, each time; exit 3 after "
                  "them" },
        { .name = uri, .text = &o.uri, .help = "mpc://CLUSTER/sidecar/NAME" },
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    TRY(read_id(&o));
    return run(&o, step, upgrade);
}

enum rc cmd_node_add(int argc, char **argv)
{
    return verb(argc, argv, add_step, "URI", false);
}

enum rc cmd_node_remove(int argc, char **argv)
{
    return verb(argc, argv, remove_step, NULL, false);
}

enum rc cmd_node_upgrade(int argc, char **argv)
{
    return verb(argc, argv, upgrade_step, NULL, true);
}
