/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign key refresh | reshare | repair | destroy: asks the stewards, waits for them,
 * has the sidecar drive, and shows how far each node is.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/enc.h"
#include "base/hash.h"
#include "cli/node.h"
#include "cli/session.h"

#define CHANGE_MS 45000 /* the sidecar's own time, and some */
#define POLL_MS   250
#define TRIES     3

struct options {
    const char *name;
    const char *who;
    const char *ssh_key;
    const char *reason;
    const char *keys;
    const char *session;
    const char *timeout;
    struct cli_list approvers;
    bool no_wait;
    bool quiet; /* the caller says how it ended */
};

/* ---- the session --------------------------------------------------------- */

static enum rc build(struct policy_session *s, const struct options *o,
                     enum policy_session_type type)
{
    struct cli_cluster cluster;
    WIRE(key) key = { 0 };
    char reason[sizeof(s->reason)];
    TRY(cli_ask_key(&key, o->name));
    if (o->reason && strlen(o->reason) >= sizeof(reason))
        return rc_raise(RC_ARG, "--reason: at most %zu bytes",
                        sizeof(reason) - 1);
    snprintf(reason, sizeof(reason), "%s", o->reason ? o->reason : "");
    if (!o->reason)
        snprintf(reason, sizeof(reason), "%s key %.64s",
                 policy_session_type_name(type), o->name);
    TRY(cli_cluster_ask(&cluster, NULL));
    TRY(cli_session_begin(s, type, &cluster, o->name, reason));
    s->has_key = true;
    hash256(s->key, key.group_key, 32);
    return RC_OK;
}

/* All keys are here: nobody is waited for. */
static enum rc sign_at_once(struct wire_session *out, struct policy_session *s,
                            const struct options *o)
{
    char dir[CLI_PATH];
    if (!o->who)
        return rc_raise(RC_ARG, "--approve wants --as, the person who asks");
    TRY(cli_keys_dir(dir, o->keys));
    const struct cli_people people = { dir, o->who, &o->approvers };
    return cli_session_sign(out, s, &people);
}

static enum rc hand_in(struct policy_session *s, const struct options *o)
{
    OWN_S(policy) *policy = NULL;
    struct decide who;
    WIRE(session) m = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    struct http_answer a;
    TRY(cli_policy_newest(&policy));
    enum rc rc = decide_requester(&who, policy, o->who, o->ssh_key);
    if (rc == RC_OK)
        rc = cli_session_seal(&m, s, who.who->id, who.key_file);
    decide_end(&who);
    TRY(rc);
    TRY(wire_session_encode(&json, &len, &m));
    TRY(cli_ask(&a, NULL, "/v1/session", json, len, CLI_ASK_MS));
    http_answer_free(&a);
    return RC_OK;
}

/* Asked by us, or by somebody before us; approved when this returns. */
static enum rc by_approval(struct wire_session *out, struct policy_session *s,
                           const struct options *o,
                           enum policy_session_type type)
{
    char id[65];
    struct wait w = { .id = id };
    if (o->timeout)
        TRY(cli_number(&w.timeout_s, "--timeout", o->timeout, 1,
                       POLICY_SESSION_MAX_S));
    if (o->session) {
        TRY(state_find(id, o->session));
        TRY(cli_ask_session(s, id));
        if (s->type != type || strcmp(s->profile, o->name) != 0)
            return rc_raise(RC_ARG, "--session: a %s of %s, not a %s of %s",
                            policy_session_type_name(s->type), s->profile,
                            policy_session_type_name(type), o->name);
    } else {
        TRY(build(s, o, type));
        TRY(hand_in(s, o));
        enc_hex(id, s->id, 32);
        cli_note("session  %s", id);
        cli_note("approve  mpcsign approve %s --as PERSON --role steward", id);
    }
    if (!o->no_wait)
        TRY(wait_for(&w));
    /* the sidecar has the rest */
    char text[POLICY_DESCRIPTOR_MAX];
    size_t len;
    struct policy_session again = *s;
    TRY(policy_session_write(text, &len, &again));
    return wire_blob_set(&out->descriptor, text, len);
}

/* ---- how it goes ----------------------------------------------------------- */

struct watch {
    const char *name;
    atomic_bool stop;
    char was[128][64]; /* what was said of each node */
};

static void say_node(struct watch *w, unsigned at,
                     const struct wire_change_node *n)
{
    char now[64];
    const char *part = n->deals && n->receives ? "deals, receives"
                       : n->deals              ? "deals"
                       : n->receives           ? "receives"
                                               : "is told";
    snprintf(now, sizeof(now), "%s %.40s", n->step, n->what);
    if (at >= 128 || (!n->step[0] && !n->what[0]) ||
        strcmp(w->was[at], now) == 0)
        return;
    snprintf(w->was[at], sizeof(w->was[at]), "%s", now);
    cli_note("node%-4llu %-16s %s%s%s", (unsigned long long)n->node, part,
             n->what[0] ? "waits: " : "", n->what[0] ? n->what : n->step,
             n->what[0] ? "" : " done");
}

static void look(struct watch *w)
{
    char path[128];
    struct http_answer a;
    WIRE(change) c = { 0 };
    snprintf(path, sizeof(path), "/v1/key/%s/change", w->name);
    if (cli_ask(&a, NULL, path, NULL, 0, CLI_ASK_MS) != RC_OK)
        return;
    if (wire_change_decode(&c, (const char *)a.body, a.body_len) == RC_OK &&
        strcmp(c.state, "none") != 0)
        for (unsigned i = 0; i < c.nodes.n; i++)
            say_node(w, i, &c.nodes.at[i]);
    http_answer_free(&a);
}

static void *watching(void *arg)
{
    struct watch *w = arg;
    const struct timespec t = { 0, POLL_MS * 1000000L };
    while (!atomic_load(&w->stop)) {
        nanosleep(&t, NULL);
        look(w);
    }
    return NULL;
}

static enum rc post(struct wire_key *out, const char *json, size_t len)
{
    struct http_answer a;
    TRY(cli_ask(&a, NULL, "/v1/key/change", json, len, CHANGE_MS));
    enum rc rc = wire_key_decode(out, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    return rc;
}

/* A try that ends early has burnt its number; the session is good for more. */
static bool may_try_again(enum rc rc)
{
    return rc == RC_TIMEOUT || rc == RC_CONFLICT || rc == RC_ORDER;
}

static enum rc drive(struct wire_key *out, const char *json, size_t len)
{
    const struct timespec t = { 1, 0 };
    enum rc rc = post(out, json, len);
    for (unsigned i = 1; may_try_again(rc) && i < TRIES; i++) {
        cli_note("again: %s", rc_text());
        nanosleep(&t, NULL);
        rc = post(out, json, len);
    }
    return rc;
}

static enum rc drive_watched(struct wire_key *out, const char *name,
                             const struct wire_session *session)
{
    OWNED_MEM char *json = NULL;
    OWNED_MEM struct watch *w = calloc(1, sizeof(*w));
    size_t len;
    pthread_t thread;
    if (!w)
        return rc_raise(RC_NOMEM, "out of memory");
    TRY(wire_session_encode(&json, &len, session));
    w->name = name;
    bool watched = !cli_json() &&
                   pthread_create(&thread, NULL, watching, w) == 0;
    enum rc rc = drive(out, json, len);
    if (watched) {
        atomic_store(&w->stop, true);
        pthread_join(thread, NULL);
    }
    return rc;
}

/* ---- the verbs -------------------------------------------------------------- */

static enum rc change(const struct options *o, enum policy_session_type type)
{
    struct policy_session s;
    WIRE(session) session = { 0 };
    WIRE(key) key = { 0 };
    if (o->approvers.n) {
        TRY(build(&s, o, type));
        TRY(sign_at_once(&session, &s, o));
    } else {
        TRY(by_approval(&session, &s, o, type));
        if (o->no_wait) {
            char id[65];
            return cli_say("%s\n", enc_hex(id, s.id, 32));
        }
    }
    TRY(drive_watched(&key, o->name, &session));
    return o->quiet ? RC_OK : cli_key_say(&key);
}

/* One that was asked for before, under the version in force: its approvals
 * are not asked for again. */
static bool find_asked(char id[65], const char *name)
{
    WIRE(sessions) all = { 0 };
    struct cli_cluster cluster;
    struct policy_session s;
    if (state_sessions(&all) != RC_OK ||
        cli_cluster_ask(&cluster, NULL) != RC_OK)
        return false;
    for (size_t i = 0; i < all.sessions.n; i++) {
        const struct wire_session_row *r = &all.sessions.at[i];
        if (strcmp(r->type, policy_session_type_name(POLICY_S_RESHARE)) != 0 ||
            strcmp(r->profile, name) != 0 ||
            (strcmp(r->state, "open") != 0 &&
             strcmp(r->state, "approved") != 0))
            continue;
        enc_hex(id, r->session, 32);
        if (cli_ask_session(&s, id) == RC_OK &&
            memcmp(s.policy, cluster.policy, 32) == 0)
            return true;
    }
    return false;
}

enum rc cli_key_reshare(const struct cli_asker *who, const char *name)
{
    char id[65];
    struct options o = { .name = name,
                         .who = who->who,
                         .ssh_key = who->ssh_key,
                         .reason = who->reason,
                         .keys = who->keys,
                         .timeout = who->timeout,
                         .approvers = who->approvers,
                         .quiet = true };
    if (o.approvers.n == 0 && find_asked(id, name)) {
        cli_note("approve  mpcsign approve %s --as PERSON --role steward", id);
        o.session = id;
    }
    return change(&o, POLICY_S_RESHARE);
}

static enum rc verb(int argc, char **argv, enum policy_session_type type)
{
    struct options o = { 0 };
    const struct cli_arg rows[] = {
        { .name = "NAME", .text = &o.name, .need = true, .help = "the key" },
        { .name = "--as",
          .text = &o.who,
          .help = "the person who asks [dev in MPC_DEV, else whose key is "
                  "found]" },
        { .name = "--ssh-key",
          .text = &o.ssh_key,
          .help = "their key file [theirs in MPC_DEV, else the agent's]" },
        { .name = "--reason",
          .text = &o.reason,
          .help = "for those who approve" },
        { .name = "--approve",
          .list = &o.approvers,
          .help = "stewards whose keys are at hand" },
        { .name = "--keys",
          .text = &o.keys,
          .help = "directory with PERSON/id_ed25519 [$MPC_DEV/persons]" },
        { .name = "--session",
          .text = &o.session,
          .help = "go on with a session that was asked for before" },
        { .name = "--no-wait",
          .flag = &o.no_wait,
          .help = "print the session's id; go on with --session" },
        { .name = "--timeout",
          .text = &o.timeout,
          .help = "seconds to wait for stewards; exit 3 after them" },
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    return done ? RC_OK : change(&o, type);
}

enum rc cmd_key_refresh(int argc, char **argv)
{
    return verb(argc, argv, POLICY_S_REFRESH);
}

enum rc cmd_key_reshare(int argc, char **argv)
{
    return verb(argc, argv, POLICY_S_RESHARE);
}

enum rc cmd_key_destroy(int argc, char **argv)
{
    return verb(argc, argv, POLICY_S_DESTROY);
}

enum rc cmd_key_repair(int argc, char **argv)
{
    return verb(argc, argv, POLICY_S_REPAIR);
}
