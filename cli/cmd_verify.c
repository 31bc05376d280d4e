/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign verify: judges a bundle offline, one line per check. Needs nothing
 * but the file, the bundle and the policy the reader trusts.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/verify.h"

#define BUNDLE_MAX (4 * 1024 * 1024)
#define WORDS_MAX  700

/* ---- marking ------------------------------------------------------------ */

static void mark(struct verify *v, const char *id, bool ok, const char *words)
{
    v->ok = v->ok && ok;
    json_array_append_new(v->checks, json_pack("{s:s, s:b, s:s}", "id", id,
                                               "ok", (int)ok, "words", words));
    if (!cli_json() &&
        cli_say_line("%-4s %-12s %s", ok ? "ok" : "FAIL", id, words) != RC_OK)
        v->ok = false;
}

void verify_mark(struct verify *v, const char *id, bool ok, const char *fmt,
                 ...)
{
    char words[WORDS_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    mark(v, id, ok, words);
}

void verify_mark_rc(struct verify *v, const char *id, enum rc rc,
                    const char *fmt, ...)
{
    char words[WORDS_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    mark(v, id, rc == RC_OK, rc == RC_OK ? words : rc_text());
}

/* ---- what is given ------------------------------------------------------ */

const struct policy *verify_policy(const struct verify *v,
                                   const uint8_t sha256[32])
{
    for (unsigned i = 0; i < v->n_policies; i++)
        if (memcmp(v->policy[i]->sha256, sha256, 32) == 0)
            return v->policy[i];
    return NULL;
}

/* Ascending; each names the one before: the newest is what is trusted. */
static enum rc link_policies(struct verify *v)
{
    for (unsigned i = 1; i < v->n_policies; i++)
        for (unsigned j = i;
             j > 0 && v->policy[j - 1]->version > v->policy[j]->version; j--) {
            struct policy *swap = v->policy[j];
            v->policy[j] = v->policy[j - 1];
            v->policy[j - 1] = swap;
        }
    for (unsigned i = 1; i < v->n_policies; i++)
        if (v->policy[i]->version != v->policy[i - 1]->version + 1 ||
            memcmp(v->policy[i]->prev, v->policy[i - 1]->sha256, 32) != 0)
            return rc_raise(RC_POLICY,
                            "--policy: version %llu does not follow on the "
                            "version %llu given",
                            (unsigned long long)v->policy[i]->version,
                            (unsigned long long)v->policy[i - 1]->version);
    v->newest = v->policy[v->n_policies - 1];
    return RC_OK;
}

static enum rc read_policies(struct verify *v, const struct cli_list *files)
{
    if (files->n > VERIFY_MAX_POLICIES)
        return rc_raise(RC_ARG, "--policy: at most %d files",
                        VERIFY_MAX_POLICIES);
    for (unsigned i = 0; i < files->n; i++) {
        TRY(cli_policy_read(&v->policy[i], files->at[i]));
        v->n_policies++;
    }
    TRY(link_policies(v));
    /* cosigners are <deployment>/node<id>, the log is <deployment>/log */
    const char *name = v->newest->has_log ? v->newest->log.name
                                          : v->newest->cluster;
    size_t len = strlen(name);
    if (v->newest->has_log && len > 4 && strcmp(name + len - 4, "/log") == 0)
        len -= 4;
    snprintf(v->deployment, sizeof(v->deployment), "%.*s", (int)len, name);
    return RC_OK;
}

static enum rc read_bundle(struct verify *v, const char *path)
{
    OWNED_MEM uint8_t *json = NULL;
    size_t len;
    TRY(file_read(&json, &len, path, BUNDLE_MAX));
    return wire_bundle_decode(&v->bundle, (const char *)json, len);
}

/* ---- the verdict -------------------------------------------------------- */

static void judge(struct verify *v)
{
    enum rc rc = verify_bundle(v);
    if (rc != RC_OK) {
        verify_mark_rc(v, "bundle", rc, "%s", "");
        return;
    }
    verify_signers(v);
    if (v->under)
        verify_birth(v, "birth", &v->bundle.birth, v->bundle.group_key,
                     v->intent.class, v->bundle.profile);
    verify_chain(v);
    bool others = v->ok; /* the hardware has an exit code of its own */
    if (v->simulated)
        verify_mark(v, "hardware", v->allow_simulated,
                    "SIMULATED: no AMD hardware stands behind this%s",
                    v->allow_simulated ? ", and that was allowed" : "");
    else
        verify_mark(v, "hardware", true, "not simulated");
    v->ok = others;
}

static enum rc verdict(const struct verify *v)
{
    if (!v->ok)
        return rc_raise(RC_VERIFY, "verification failed");
    if (v->simulated && !v->allow_simulated) {
        enum rc rc = rc_raise(RC_ATTEST, "simulated hardware is refused");
        rc_hint("--allow-simulated accepts it, for trials only");
        return rc;
    }
    return RC_OK;
}

static enum rc say(struct verify *v, enum rc rc)
{
    if (!cli_json())
        return rc;
    json_t *o = json_pack("{s:b, s:b, s:O}", "ok", (int)(rc == RC_OK),
                          "simulated", (int)v->simulated, "checks", v->checks);
    if (o && rc != RC_OK)
        json_object_set_new(o, "error", cli_error_json(rc));
    TRY(cli_say_json(o));
    if (rc != RC_OK)
        cli_told();
    return rc;
}

static enum rc run(struct verify *v, const char *bundle,
                   const struct cli_list *policies)
{
    TRY(read_policies(v, policies));
    enum rc rc = read_bundle(v, bundle);
    if (rc == RC_OK)
        judge(v);
    else if (rc == RC_PARSE || rc == RC_TOO_LARGE)
        verify_mark_rc(v, "bundle", rc, "%s", "");
    else
        return rc; /* no such file: nothing was judged */
    return say(v, verdict(v));
}

static void verify_wipe(struct verify *v)
{
    for (unsigned i = 0; i < v->n_policies; i++)
        policy_free(v->policy[i]);
    wire_bundle_free(&v->bundle);
    json_decref(v->checks);
    free(v);
}

enum rc cmd_verify(int argc, char **argv)
{
    const char *file = NULL;
    const char *bundle = NULL;
    struct cli_list policies = { .n = 0 };
    bool allow = false;
    const struct cli_arg rows[] = {
        { .name = "FILE",
          .text = &file,
          .need = true,
          .help = "what was signed" },
        { .name = "--bundle",
          .text = &bundle,
          .need = true,
          .help = "its evidence, NAME.mpc.json" },
        { .name = "--policy",
          .list = &policies,
          .once = true,
          .need = true,
          .help = "the policy you trust; again for earlier versions" },
        { .name = "--allow-simulated",
          .flag = &allow,
          .help = "accept hardware that is not AMD's" },
        { 0 },
    };
    bool done;
    OWNED_MEM uint8_t *msg = NULL;
    size_t len;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    TRY(file_read(&msg, &len, file, WIRE_MESSAGE_MAX));
    struct verify *v = calloc(1, sizeof(*v));
    if (!v)
        return rc_raise(RC_NOMEM, "verify: out of memory");
    v->msg = msg;
    v->msg_len = len;
    v->allow_simulated = allow;
    v->ok = true;
    v->checks = json_array();
    enum rc rc = run(v, bundle, &policies);
    verify_wipe(v);
    return rc;
}
