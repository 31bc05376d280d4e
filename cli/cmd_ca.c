/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign ca init: the root of the CA, made once. Its bytes are put to the
 * stewards, signed by the issuer key's signers, verified, written and given to
 * mpc-ca.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/enc.h"
#include "cli/ca.h"
#include "cli/policy.h"
#include "cli/session.h"

#define DEFAULT_FILE "ca.pem"
#define DEFAULT_KEY  "ca"

struct init {
    struct ca_root root;
    const char *uri; /* --self-signed */
    const char *session;
    const char *who;
    const char *ssh_key;
    const char *keys;
    const char *reason;
    const char *ttl;
    struct cli_list approvers;
    bool no_wait;
};

/* ---- there is one already ----------------------------------------------- */

static enum rc say_exists(const struct wire_chain *chain)
{
    struct ca_words w;
    char from[CLOCK_TEXT_SIZE];
    const struct wire_blob *root = &chain->chain.at[0];
    TRY(ca_words_of(&w, root->p, root->len));
    enum rc rc = rc_raise(RC_EXISTS,
                          "mpc-ca has its root: %s, of %s, sha256 %.16s…",
                          w.subject, clock_text(from, w.from), w.sha256);
    rc_hint("mpcsign ca show; mpcsign ca chain --out FILE");
    return rc;
}

/* A CA that does not answer is no reason to wait: it is given the root later,
 * by the same command. */
static enum rc check_none(const char *socket)
{
    WIRE(chain) chain = { 0 };
    enum rc rc = ca_ask_root(&chain, socket);
    if (rc == RC_OK)
        return say_exists(&chain);
    if (rc == RC_UNREACHABLE || rc == RC_TIMEOUT)
        cli_note("%s; the root can be made all the same", rc_text());
    else if (rc != RC_ORDER)
        return rc;
    return RC_OK;
}

/* ---- the session -------------------------------------------------------- */

static enum rc times_of(struct policy_session *s, const struct init *o)
{
    int64_t ttl = CLI_SESSION_S;
    if (o->ttl)
        TRY(cli_number(&ttl, "--ttl", o->ttl, 1, POLICY_SESSION_MAX_S));
    s->expires = s->created + ttl;
    return RC_OK;
}

/* Everybody's key files are here, as with mpcsign key create. */
static enum rc sign_here(struct wire_session *out, struct policy_session *s,
                         const struct init *o)
{
    char dir[CLI_PATH];
    TRY(cli_keys_dir(dir, o->keys));
    struct cli_people people = { dir, o->who, &o->approvers };
    return cli_session_sign(out, s, &people);
}

static enum rc sign_as_requester(struct wire_session *out,
                                 struct policy_session *s,
                                 const struct policy *policy,
                                 const struct init *o)
{
    struct decide who;
    enum rc rc = decide_requester(&who, policy, o->who, o->ssh_key);
    if (rc == RC_OK)
        rc = cli_session_seal(out, s, who.who->id, who.key_file);
    decide_end(&who);
    return rc;
}

static enum rc ask(char id[65], const struct init *o,
                   const struct policy *policy)
{
    struct policy_session s;
    WIRE(session) m = { 0 };
    const char *reason = o->reason ? o->reason : "the root of the CA";
    if (strlen(reason) >= sizeof(s.reason))
        return rc_raise(RC_ARG, "--reason: at most %zu bytes",
                        sizeof(s.reason) - 1);
    TRY(ca_root_session(&s, &o->root, reason));
    TRY(times_of(&s, o));
    TRY(o->approvers.n ? sign_here(&m, &s, o)
                       : sign_as_requester(&m, &s, policy, o));
    TRY(ca_root_bring(&o->root, &m));
    enc_hex(id, s.id, 32);
    return RC_OK;
}

static enum rc resume(char id[65], const struct init *o)
{
    struct policy_session s;
    TRY(cli_ask_session(&s, o->session));
    TRY(ca_root_is_asked(&o->root, &s));
    enc_hex(id, s.id, 32);
    return RC_OK;
}

static enum rc show(const char *id, const struct init *o,
                    const struct policy *policy)
{
    cli_note("code     %.8s (the first 8 digits of the session)", id);
    cli_note("root     mpcsign ca show --file %s.tbs", o->root.file);
    cli_note("needs    %u steward%s", policy->steward_rule,
             policy->steward_rule == 1 ? "" : "s");
    cli_note("approve  mpcsign approve %s --role steward --file %s.tbs", id,
             o->root.file);
    TRY(cli_json() ? cli_say_json(json_pack("{s:s}", "session", id))
                   : cli_say("%s\n", id));
    return fflush(stdout) == 0 ? RC_OK
                               : rc_raise(RC_IO, "stdout: cannot be written");
}

/* ---- the whole ---------------------------------------------------------- */

static enum rc say_done(const struct ca_root *r)
{
    struct ca_words w;
    TRY(ca_words_of(&w, r->der, r->der_len));
    return cli_json() ? cli_say_json(ca_words_json(&w, r->file))
                      : ca_words_say(&w, r->file);
}

/* The root is made, whatever comes of this. */
static enum rc give(const struct ca_root *r)
{
    char why[512];
    enum rc rc = ca_hand_in(r->socket, r->der, r->der_len);
    if (rc == RC_OK)
        return say_done(r);
    snprintf(why, sizeof(why), "%s", rc_text());
    rc = rc_raise(rc, "the root is in %s, but mpc-ca did not take it: %s",
                  r->file, why);
    rc_hint("the same command again hands it in; or copy it to `root` of "
            "mpc-ca's configuration");
    return rc;
}

static enum rc approved(struct init *o, const struct policy *policy)
{
    char id[65];
    TRY(o->session ? resume(id, o) : ask(id, o, policy));
    if (!o->approvers.n) {
        struct wait w = { .id = id };
        if (!o->session)
            TRY(show(id, o, policy));
        if (o->no_wait) {
            cli_note("then     mpcsign ca init --session %s --out %s", id,
                     o->root.file);
            return RC_OK;
        }
        TRY(wait_for(&w));
    }
    TRY(ca_root_sign(&o->root, id));
    return give(&o->root);
}

static enum rc init(struct init *o)
{
    struct cli_cluster cluster;
    OWN_S(policy) *policy = NULL;
    TRY(check_none(o->root.socket));
    TRY(cli_policy_newest(&policy));
    TRY(cli_cluster_ask(&cluster, o->root.socket));
    o->root.cluster = policy->cluster;
    o->root.simulated = cluster.simulated;
    if (o->uri) {
        TRY(ca_root_alone(&o->root, o->uri));
        return give(&o->root);
    }
    TRY(ca_root_prepare(&o->root));
    if (o->root.der_len) {
        cli_note("%s is the root already: handing it in", o->root.file);
        return give(&o->root);
    }
    return approved(o, policy);
}

static enum rc check_options(const struct init *o)
{
    if (o->uri && (o->approvers.n || o->session || o->no_wait))
        return rc_raise(RC_ARG, "--self-signed: nobody approves it, so "
                                "--approve, --session and --no-wait are not "
                                "of it");
    if (o->approvers.n && !o->who)
        return rc_raise(RC_ARG, "--approve: wants --as, who asks");
    if (o->approvers.n && (o->session || o->no_wait))
        return rc_raise(RC_ARG, "--approve: approves at once, a new session");
    return RC_OK;
}

enum rc cmd_ca_init(int argc, char **argv)
{
    OWNED_MEM struct init *o = calloc(1, sizeof(*o));
    if (!o)
        return rc_raise(RC_NOMEM, "root: out of memory");
    const struct cli_arg rows[] = {
        { .name = "--out",
          .brief = "-O",
          .text = &o->root.file,
          .help = "where the root goes, PEM [ca.pem]; FILE.tbs until then" },
        { .name = "--key",
          .text = &o->root.key,
          .help = "the issuer key's profile [ca]" },
        { .name = "--as",
          .text = &o->who,
          .help = "the person who asks [dev in MPC_DEV, else whose key is "
                  "found]" },
        { .name = "--ssh-key",
          .text = &o->ssh_key,
          .help = "their key file [theirs in MPC_DEV, else the agent's]" },
        { .name = "--reason",
          .text = &o->reason,
          .help = "for those who approve" },
        { .name = "--ttl",
          .text = &o->ttl,
          .help = "seconds the session lives [600]" },
        { .name = "--no-wait",
          .flag = &o->no_wait,
          .help = "only ask; --session goes on later" },
        { .name = "--session",
          .text = &o->session,
          .help = "go on with a session that was asked for" },
        { .name = "--approve",
          .list = &o->approvers,
          .help = "stewards whose keys are here, to approve at once" },
        { .name = "--keys",
          .text = &o->keys,
          .help = "directory with PERSON/id_ed25519 [$MPC_DEV/persons]" },
        { .name = "--self-signed",
          .text = &o->uri,
          .help = "a key that is no threshold key: file:, pkcs11:; nobody "
                  "approves" },
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    TRY(check_options(o));
    if (!o->root.key)
        o->root.key = DEFAULT_KEY;
    if (!o->root.file)
        o->root.file = DEFAULT_FILE;
    return init(o);
}
