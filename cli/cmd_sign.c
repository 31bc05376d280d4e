/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign sign: a file becomes what a release needs. One session, one
 * signature for each kind that is asked for, the certificate and all the
 * evidence; judged, and only then written.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/enc.h"
#include "cli/sign.h"

/* ---- what is to be made -------------------------------------------------- */

/* The plain signature where nothing else is asked for: FILE.sig. */
static enum rc put_wants(struct sign *g)
{
    g->want[POLICY_CMS] = g->out[SIGN_CMS].path != NULL;
    g->want[POLICY_DSSE] = g->out[SIGN_STORE].path != NULL;
    g->want[POLICY_RAW] = g->out[SIGN_SIG].path ||
                          (!g->want[POLICY_CMS] && !g->want[POLICY_DSSE]);
    if (!g->want[POLICY_RAW] || g->out[SIGN_SIG].path)
        return RC_OK;
    if (snprintf(g->beside, sizeof(g->beside), "%s.sig", g->file) >=
        (int)sizeof(g->beside))
        return rc_raise(RC_ARG, "FILE: name too long");
    g->out[SIGN_SIG].path = g->beside;
    return RC_OK;
}

enum policy_kind sign_first(const struct sign *g)
{
    return g->want[POLICY_RAW]   ? POLICY_RAW
           : g->want[POLICY_CMS] ? POLICY_CMS
                                 : POLICY_DSSE;
}

void sign_wipe(struct sign *g)
{
    for (unsigned i = 0; i < SIGN_OUTPUTS; i++)
        free(g->out[i].bytes);
    cli_content_free(&g->content);
    wire_chain_free(&g->chain);
    policy_free(g->policy);
    free(g);
}

/* ---- saying what was done ------------------------------------------------- */

static json_t *slots_json(const struct sign *g)
{
    json_t *list = json_array();
    for (unsigned k = 0; k < POLICY__KINDS; k++)
        if (g->want[k])
            json_array_append_new(
                    list,
                    json_pack("{s:s, s:I, s:I}", "kind", policy_kind_name(k),
                              "intent", (json_int_t)g->made[k].intent,
                              "attempt", (json_int_t)g->made[k].attempt));
    return list;
}

static enum rc say_json(const struct sign *g)
{
    const struct wire_signed *s = &g->made[sign_first(g)];
    const struct sign_file *out = g->out;
    char key[65];
    enc_hex(key, s->group_key, 32);
    return cli_say_json(json_pack(
            "{s:s?, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:s?, s:s?, s:s?, s:s?,"
            " s:o, s:b, s:b}",
            "signature", out[SIGN_SIG].path, "profile", g->profile, "session",
            g->id, "group_key", key, "kind", s->slot, "attempt",
            (json_int_t)s->attempt, "epoch", (json_int_t)s->epoch, "intent",
            (json_int_t)s->intent, "cert", out[SIGN_CERT].path, "bundle",
            out[SIGN_BUNDLE].path, "cms", out[SIGN_CMS].path, "sigstore",
            out[SIGN_STORE].path, "slots", slots_json(g), "evidence",
            (int)g->evidence, "simulated", (int)g->simulated));
}

static enum rc say_done(const struct sign *g)
{
    char files[1024];
    size_t at = 0;
    if (cli_json())
        return say_json(g);
    files[0] = '\0';
    for (unsigned i = 0; i < SIGN_OUTPUTS; i++) {
        const char *path = g->out[i].path;
        if (path && at < sizeof(files))
            at += (size_t)snprintf(files + at, sizeof(files) - at, "%s%s",
                                   at ? ", " : "", path);
    }
    cli_note("signed %s with %s (log index %llu, session %.16s…): %s", g->file,
             g->profile, (unsigned long long)g->made[sign_first(g)].intent,
             g->id, files);
    return RC_OK;
}

/* ---- the verb ------------------------------------------------------------ */

#define TRIES      3
#define TRIES_MS   10000 /* and none after that */
#define BETWEEN_MS 300

/* A node that fails while a key is made ends its session, not the next one. */
static bool worth_another(enum rc rc)
{
    return rc == RC_UNREACHABLE || rc == RC_TIMEOUT || rc == RC_IO ||
           rc == RC_NODES || rc == RC_CHEATER || rc == RC_SLOT_BURNT ||
           rc == RC_BUSY || rc == RC_POLICY_CHANGED;
}

static void pause_ms(int ms)
{
    const struct timespec t = { ms / 1000, ms % 1000 * 1000000L };
    nanosleep(&t, NULL);
}

/* Sessions that nobody approves cost nobody anything: another one is opened. */
static enum rc begin(struct sign *g)
{
    int64_t until_ms = clock_mono_ms() + TRIES_MS;
    for (unsigned tries = 1;; tries++) {
        enum rc rc = sign_session(g);
        if (rc == RC_OK)
            rc = sign_key(g);
        if (!g->opened || !worth_another(rc) || tries == TRIES ||
            clock_mono_ms() > until_ms)
            return rc;
        cli_note("%s; another session", rc_text());
        pause_ms(BETWEEN_MS);
    }
}

static enum rc make(struct sign *g)
{
    TRY(sign_make(g));
    return sign_evidence(g);
}

/* An approved session outlives a failure of ours; people need not come again. */
static enum rc hint_again(const struct sign *g, enum rc rc)
{
    if (rc != RC_OK && rc != RC_SLOT_BURNT && rc != RC_DENIED &&
        rc != RC_EXPIRED && rc != RC_POLICY_CHANGED)
        rc_hint("the session is approved: mpcsign sign --session %s tries "
                "again",
                g->id);
    return rc;
}

/*
 * Signers say whether approvals are needed: the floor of one may be higher
 * than the policy's. Nothing is marked by a try that lacks them.
 */
static enum rc sign(struct sign *g)
{
    TRY(sign_read(g));
    enum rc rc = begin(g);
    if (rc == RC_OK)
        rc = make(g);
    if (rc == RC_NOT_APPROVED && !g->given && !g->no_wait) {
        TRY(sign_approved(g));
        rc = sign_key(g);
        rc = hint_again(g, rc == RC_OK ? make(g) : rc);
    }
    TRY(rc);
    TRY(sign_out_commit(g));
    return say_done(g);
}

static enum rc run(struct sign *g, int argc, char **argv)
{
    const struct cli_arg rows[] = {
        { .name = "FILE",
          .text = &g->file,
          .need = true,
          .help = "what to sign" },
        { .name = "--profile", .text = &g->profile, .help = "key [release]" },
        { .name = "--session",
          .text = &g->given,
          .help = "an approved session [MPC_SESSION]" },
        { .name = "--signature",
          .brief = "-s",
          .text = &g->out[SIGN_SIG].path,
          .help = "64 bytes out [FILE.sig, where neither --cms nor --sigstore "
                  "is given]" },
        { .name = "--cms",
          .text = &g->out[SIGN_CMS].path,
          .help = "CMS signature out, DER, detached" },
        { .name = "--sigstore",
          .text = &g->out[SIGN_STORE].path,
          .help = "Sigstore bundle out, for cosign and its like" },
        { .name = "--cert",
          .text = &g->out[SIGN_CERT].path,
          .help = "certificates out, PEM" },
        { .name = "--bundle",
          .text = &g->out[SIGN_BUNDLE].path,
          .help = "all evidence out" },
        { .name = "--reason",
          .text = &g->ask.reason,
          .help = "for those who approve" },
        { .name = "--ttl",
          .text = &g->ask.ttl,
          .help = "seconds that they have [600]" },
        { .name = "--timeout",
          .text = &g->timeout,
          .help = "seconds to wait for them; exit 3 after them" },
        { .name = "--no-wait",
          .flag = &g->no_wait,
          .help = "fail where approvals are missing, exit 3" },
        { .name = "--as",
          .text = &g->ask.who,
          .help = "the person who asks [dev in MPC_DEV, else whose key is "
                  "found]" },
        { .name = "--ssh-key",
          .text = &g->ask.ssh_key,
          .help = "their key file [theirs in MPC_DEV, else the agent's]" },
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    if (!g->profile)
        g->profile = "release";
    g->given = cli_session_or_env(g->given);
    TRY(put_wants(g));
    return sign(g);
}

enum rc cmd_sign(int argc, char **argv)
{
    struct sign *g = calloc(1, sizeof(*g));
    if (!g)
        return rc_raise(RC_NOMEM, "sign: out of memory");
    enum rc rc = run(g, argc, argv);
    sign_wipe(g);
    return rc;
}
