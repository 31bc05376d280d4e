/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign verify: judges a bundle offline, one line per check. Needs nothing
 * but the file, the bundle and the policy the reader trusts.
 */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/verify.h"

struct options {
    const char *file;
    const char *bundle;
    const char *html;
    struct cli_list policies;
    bool allow;
};

static json_t *as_json(const struct verify_result *r, enum rc rc)
{
    json_t *o = json_pack("{s:b, s:b, s:b, s:O}", "ok", (int)r->ok, "simulated",
                          (int)r->simulated, "fork_proof", (int)r->fork_proof,
                          "checks", r->checks);
    if (o && rc != RC_OK)
        json_object_set_new(o, "error", cli_error_json(rc));
    return o;
}

static enum rc say(const struct verify_result *r, enum rc rc)
{
    if (!cli_json()) {
        char why[400];
        char hint[200];
        snprintf(why, sizeof(why), "%s", rc_text());
        snprintf(hint, sizeof(hint), "%.199s", rc_hint_text());
        TRY(verify_print(r));
        if (rc == RC_OK)
            return RC_OK;
        rc = rc_raise(rc, "%s", why);
        if (*hint)
            rc_hint("%s", hint);
        return rc;
    }
    TRY(cli_say_json(as_json(r, rc)));
    if (rc != RC_OK)
        cli_told();
    return rc;
}

static enum rc write_html(const char *path, const struct verify_result *r)
{
    OWNED_MEM char *html = NULL;
    size_t len;
    TRY(verify_html(&html, &len, r));
    return file_write(path, html, len, 0644);
}

static enum rc run(const struct options *o, struct verify_trust *t)
{
    OWNED_MEM uint8_t *json = NULL;
    struct verify_result r;
    size_t len;
    for (unsigned i = 0; i < o->policies.n; i++)
        TRY(verify_trust_read(t, o->policies.at[i]));
    TRY(file_read(&json, &len, o->bundle, WIRE_BUNDLE_MAX));
    const struct verify_ask ask = { .file = o->file,
                                    .bundle = json,
                                    .bundle_len = len,
                                    .trust = t,
                                    .allow_simulated = o->allow };
    enum rc rc = verify_run(&r, &ask);
    if (!r.checks)
        return rc; /* nothing was judged */
    rc = say(&r, rc);
    if (o->html) {
        enum rc written = write_html(o->html, &r);
        rc = written == RC_OK ? rc : written;
    }
    verify_result_free(&r);
    return rc;
}

enum rc cmd_verify(int argc, char **argv)
{
    struct options o = { 0 };
    const struct cli_arg rows[] = {
        { .name = "FILE",
          .text = &o.file,
          .need = true,
          .help = "what was signed" },
        { .name = "--bundle",
          .text = &o.bundle,
          .need = true,
          .help = "its evidence, NAME.mpc.json" },
        { .name = "--policy",
          .list = &o.policies,
          .once = true,
          .need = true,
          .help = "the policy you trust; again for earlier versions; or a "
                  "file of `trust export`" },
        { .name = "--allow-simulated",
          .flag = &o.allow,
          .help = "accept hardware that is not AMD's" },
        { .name = "--html",
          .text = &o.html,
          .help = "the evidence drawn, one page out" },
        { 0 },
    };
    bool done;
    OWN_S(verify_trust) *t = NULL;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    TRY(verify_trust_new(&t));
    return run(&o, t);
}
