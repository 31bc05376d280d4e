/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The evidence of what was signed, with its receipt, and the verdict that a
 * reader will come to, before anything is said to be done. Trusted is the
 * policy that this sidecar is under: whoever reads the bundle brings their own.
 */
#include <stdio.h>
#include <string.h>

#include "cli/ca.h"
#include "cli/sign.h"
#include "cli/verify.h"

#define BUNDLE_MS 20000 /* the sidecar waits for its receipt */

/* The bytes as they came: a digest of them is in them. */
static enum rc ask_bundle(struct sign_file *f, const struct sign *g)
{
    char path[160];
    struct http_answer a;
    snprintf(path, sizeof(path), "/v1/bundle/%s?slot=%s", g->id,
             policy_kind_name(sign_first(g)));
    struct progress *p = progress_begin("the evidence comes together");
    enum rc rc = cli_ask(&a, NULL, path, NULL, 0, BUNDLE_MS);
    progress_end(p);
    TRY(rc);
    f->bytes = a.body; /* handed over */
    f->len = a.body_len;
    return RC_OK;
}

static enum rc check_bundle(const struct sign *g, const struct sign_file *f)
{
    WIRE(bundle) b = { 0 };
    TRY(wire_bundle_decode(&b, (const char *)f->bytes, f->len));
    if (memcmp(b.signature, g->made[sign_first(g)].signature, 64) != 0)
        return rc_raise(RC_CONFLICT, "bundle: of another signature of this "
                                     "session");
    if (b.receipt.n == 0) {
        enum rc rc = rc_raise(RC_LOG, "bundle: its receipt is not in the log");
        rc_hint("is mpc-log up? mpcsign status; then sign again");
        return rc;
    }
    return RC_OK;
}

/* The first check that failed, in its own words. */
static enum rc say_failed(const struct verify_result *r, enum rc rc)
{
    size_t i;
    json_t *check;
    char why[512];
    snprintf(why, sizeof(why), "%s", rc_text());
    json_array_foreach (r->checks, i, check) {
        if (json_is_true(json_object_get(check, "ok")))
            continue;
        const char *words = json_string_value(json_object_get(check, "words"));
        const char *id = json_string_value(json_object_get(check, "id"));
        snprintf(why, sizeof(why), "%s: %s", id ? id : "?", words ? words : "");
        break;
    }
    return rc_raise(rc, "the evidence does not hold, nothing was written: %s",
                    why);
}

/* Where the CA's key was not born here, its root is what that CA has. */
static enum rc pin_root(struct verify_trust *trust, const struct sign_file *f)
{
    WIRE(bundle) b = { 0 };
    WIRE(chain) root = { 0 };
    TRY(wire_bundle_decode(&b, (const char *)f->bytes, f->len));
    if (b.chain.n == 0 || b.issuer.n > 0)
        return RC_OK;
    TRY(ca_ask_root(&root, NULL));
    return verify_trust_pin(trust, &root.chain.at[0]);
}

static enum rc judge(const struct sign *g, const struct sign_file *f)
{
    OWN_S(verify_trust) *trust = NULL;
    struct verify_result result = { 0 };
    TRY(verify_trust_new(&trust));
    TRY(verify_trust_ask(trust, NULL));
    TRY(pin_root(trust, f));
    const struct verify_ask ask = { .file = g->file,
                                    .bundle = f->bytes,
                                    .bundle_len = f->len,
                                    .trust = trust,
                                    .allow_simulated = g->simulated };
    enum rc rc = verify_run(&result, &ask);
    if (rc == RC_VERIFY || rc == RC_ATTEST)
        rc = say_failed(&result, rc);
    verify_result_free(&result);
    return rc;
}

enum rc sign_evidence(struct sign *g)
{
    struct sign_file *f = &g->out[SIGN_BUNDLE];
    if (!f->path)
        return RC_OK;
    TRY(ask_bundle(f, g));
    TRY(check_bundle(g, f));
    TRY(judge(g, f));
    g->evidence = true;
    return RC_OK;
}
