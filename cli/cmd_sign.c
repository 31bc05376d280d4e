/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign sign: one file, one signature, and on request a CMS signature, the
 * certificate and all the evidence beside it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/file.h"
#include "cli/cms.h"
#include "cli/session.h"

#define WAIT_MS   10000
#define BUNDLE_MS 15000 /* it waits for its receipt */
#define PATH_SIZE 4096

struct options {
    const char *file;
    const char *profile;
    const char *session;
    const char *sig;
    const char *cms;
    const char *cert;
    const char *bundle;
    const char *timeout;
    bool no_wait;
    struct request ask; /* where approvals are missing */
};

/* ---- certificates ------------------------------------------------------- */

static enum rc write_pem(const char *path, const struct wire_chain *chain)
{
    OWNED_MEM char *pem = NULL;
    size_t len;
    TRY(cli_chain_pem(&pem, &len, chain));
    return file_write(path, pem, len, 0644);
}

/* ---- evidence ----------------------------------------------------------- */

/* The sidecar's own bytes: the digest in them is over all of it. */
static enum rc write_bundle(const char *path, const struct wire_signed *s)
{
    WIRE(bundle) b = { 0 };
    char target[128];
    char hex[65];
    struct http_answer a;
    snprintf(target, sizeof(target), "/v1/bundle/%s?slot=%s",
             enc_hex(hex, s->session, 32), s->slot);
    TRY(cli_ask(&a, NULL, target, NULL, 0, BUNDLE_MS));
    enum rc rc = wire_bundle_decode(&b, (const char *)a.body, a.body_len);
    if (rc == RC_OK && memcmp(b.signature, s->signature, 64) != 0)
        rc = rc_raise(RC_CONFLICT, "bundle: of another signature of this "
                                   "session");
    if (rc == RC_OK)
        rc = file_write(path, a.body, a.body_len, 0644);
    http_answer_free(&a);
    return rc;
}

/* ---- what is to be made ------------------------------------------------- */

/*
 * The plain signature always, except in a session that has a slot for the CMS
 * one alone.
 */
static enum rc plain_wanted(bool *out, const struct options *o)
{
    struct policy_session s;
    unsigned others = 0;
    *out = true;
    if (!o->cms || !o->session)
        return RC_OK;
    TRY(cli_ask_session(&s, o->session));
    for (unsigned k = 0; k < POLICY__KINDS; k++)
        others += k != POLICY_CMS && s.slot[k];
    *out = others > 0 || !s.slot[POLICY_CMS];
    if (!*out && (o->sig || o->bundle))
        return rc_raise(RC_ARG,
                        "%s: of the plain signature, and the session "
                        "has slot cms only",
                        o->sig ? "-s" : "--bundle");
    return RC_OK;
}

static enum rc sign_plain(struct wire_signed *s, const struct options *o,
                          const char *sig)
{
    OWNED_MEM uint8_t *msg = NULL;
    size_t len;
    enum rc rc = file_read(&msg, &len, o->file, WIRE_MESSAGE_MAX);
    if (rc == RC_TOO_LARGE)
        rc_hint("mpcsign cms sign takes files of any size");
    TRY(rc);
    TRY(cli_ask_sign(s, NULL, o->profile, o->session ? o->session : "", msg,
                     len, WAIT_MS));
    if (crypto_sign_verify_detached(s->signature, msg, len, s->group_key) != 0)
        return rc_raise(RC_VERIFY, "the sidecar's signature does not verify");
    return file_write(sig, s->signature, sizeof(s->signature), 0644);
}

static enum rc sign_cms(struct wire_signed *s, const struct options *o,
                        const struct wire_chain *chain)
{
    struct cli_content content; /* no bytes of it are kept */
    OWNED(CMS_ContentInfo) *cms = NULL;
    OWNED_MEM uint8_t *bytes = NULL;
    size_t len;
    TRY(cli_content_read(&content, o->file, false));
    TRY(cms_make(&cms, s, o->profile, o->session, chain, &content));
    TRY(cms_write(&bytes, &len, cms, NULL));
    return file_write(o->cms, bytes, len, 0644);
}

static bool has_certificates(enum rc rc)
{
    return rc != RC_POLICY; /* "its profile has no certificates" */
}

/* With --bundle alone a key without certificates is no failure. */
static enum rc get_chain(struct wire_chain *out, const struct options *o)
{
    if (!o->cert && !o->bundle && !o->cms)
        return RC_OK;
    enum rc rc = cli_ask_chain(out, o->profile, o->session);
    return rc == RC_OK || o->cert || o->cms || has_certificates(rc) ? rc
                                                                    : RC_OK;
}

/* ---- the verb ----------------------------------------------------------- */

static enum rc say_signed(const struct wire_signed *s, const char *sig,
                          const struct options *o)
{
    char session[65];
    char key[65];
    enc_hex(session, s->session, 32);
    enc_hex(key, s->group_key, 32);
    if (cli_json())
        return cli_say_json(json_pack(
                "{s:s?, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:s?, s:s?, s:s?}",
                "signature", sig, "profile", o->profile, "session", session,
                "group_key", key, "kind", s->slot, "attempt",
                (json_int_t)s->attempt, "epoch", (json_int_t)s->epoch, "intent",
                (json_int_t)s->intent, "cert", o->cert, "bundle", o->bundle,
                "cms", o->cms));
    cli_note("signed %s with %s (log index %llu, session %.16s…): %s%s%s",
             o->file, o->profile, (unsigned long long)s->intent, session,
             sig ? sig : "", sig && o->cms ? ", " : "", o->cms ? o->cms : "");
    return RC_OK;
}

/* Told is the plain signature, where both are made. */
static enum rc sign(const struct options *o)
{
    char beside[PATH_SIZE];
    const char *sig = o->sig ? o->sig : beside;
    WIRE(chain) chain = { 0 };
    struct wire_signed s;
    struct wire_signed c;
    bool plain;
    if (snprintf(beside, sizeof(beside), "%s.sig", o->file) >=
        (int)sizeof(beside))
        return rc_raise(RC_ARG, "FILE: name too long");
    TRY(plain_wanted(&plain, o));
    TRY(get_chain(&chain, o)); /* before: the receipt names it */
    if (plain)
        TRY(sign_plain(&s, o, sig));
    if (o->cert)
        TRY(write_pem(o->cert, &chain));
    if (o->bundle)
        TRY(write_bundle(o->bundle, &s));
    if (o->cms)
        TRY(sign_cms(&c, o, &chain));
    return say_signed(plain ? &s : &c, plain ? sig : NULL, o);
}

/* ---- approvals ---------------------------------------------------------- */

/* A session for what was asked, and the wait for those who decide. */
static enum rc get_approved(char id[65], const struct options *o)
{
    struct request ask = o->ask;
    struct policy_session s;
    struct wait w = { .id = id };
    if (o->timeout)
        TRY(cli_number(&w.timeout_s, "--timeout", o->timeout, 1,
                       POLICY_SESSION_MAX_S));
    ask.file = o->file;
    ask.profile = o->profile;
    ask.slots = o->cms ? "raw,cms" : "raw";
    TRY(request_make(&s, &ask));
    enc_hex(id, s.id, 32);
    cli_note("%s wants approvals, asked for them: session %s", o->profile, id);
    TRY(request_show(&s, &ask));
    return wait_for(&w);
}

/*
 * The signers say whether approvals are needed: their own floor may be higher
 * than the policy's. Nothing is marked or written by a try that lacks them.
 */
static enum rc sign_or_ask(struct options *o)
{
    char id[65];
    enum rc rc = sign(o);
    if (rc != RC_NOT_APPROVED || o->session || o->no_wait)
        return rc;
    TRY(get_approved(id, o));
    o->session = id;
    rc = sign(o);
    if (rc != RC_OK)
        rc_hint("the session is approved: mpcsign sign --session %s tries "
                "again",
                id);
    return rc;
}

enum rc cmd_sign(int argc, char **argv)
{
    struct options o = { 0 };
    const struct cli_arg rows[] = {
        { .name = "FILE",
          .text = &o.file,
          .need = true,
          .help = "what to sign" },
        { .name = "--profile", .text = &o.profile, .help = "key [release]" },
        { .name = "--session",
          .text = &o.session,
          .help = "an approved session [MPC_SESSION]" },
        { .name = "--signature",
          .brief = "-s",
          .text = &o.sig,
          .help = "64 bytes out [FILE.sig]" },
        { .name = "--cms",
          .text = &o.cms,
          .help = "also a CMS signature out, DER, detached" },
        { .name = "--cert", .text = &o.cert, .help = "certificates out, PEM" },
        { .name = "--bundle", .text = &o.bundle, .help = "all evidence out" },
        { .name = "--reason",
          .text = &o.ask.reason,
          .help = "for those who approve" },
        { .name = "--ttl",
          .text = &o.ask.ttl,
          .help = "seconds that they have [600]" },
        { .name = "--timeout",
          .text = &o.timeout,
          .help = "seconds to wait for them; exit 3 after them" },
        { .name = "--no-wait",
          .flag = &o.no_wait,
          .help = "fail where approvals are missing, exit 3" },
        { .name = "--as",
          .text = &o.ask.who,
          .help = "the person who asks [dev in MPC_DEV, else whose key is "
                  "found]" },
        { .name = "--ssh-key",
          .text = &o.ask.ssh_key,
          .help = "their key file [theirs in MPC_DEV, else the agent's]" },
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    if (!o.profile)
        o.profile = "release";
    o.session = cli_session_or_env(o.session);
    return sign_or_ask(&o);
}
