/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign sign: one file, one signature, and on request the certificate and
 * all the evidence beside it.
 */
#include "cli/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/file.h"

#define WAIT_MS   10000
#define CERT_MS   10000
#define PATH_SIZE 4096

struct options {
    const char *file;
    const char *profile;
    const char *session;
    const char *sig;
    const char *cert;
    const char *bundle;
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

static enum rc ask_bundle(struct wire_bundle *out, const uint8_t session[32])
{
    char path[128];
    char hex[65];
    struct http_answer a;
    snprintf(path, sizeof(path), "/v1/bundle/%s", enc_hex(hex, session, 32));
    TRY(cli_ask(&a, NULL, path, NULL, 0, CERT_MS));
    enum rc rc = wire_bundle_decode(out, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    return rc;
}

/* The sidecar leaves the chain out: certificates are the caller's wish. */
static enum rc put_chain(struct wire_bundle *b, const struct wire_chain *chain)
{
    if (b->chain.n || chain->chain.n == 0)
        return RC_OK;
    TRY(wire_list_new(&b->chain, chain->chain.n));
    for (size_t i = 0; i < chain->chain.n; i++)
        TRY(wire_blob_set(&b->chain.at[i], chain->chain.at[i].p,
                          chain->chain.at[i].len));
    return RC_OK;
}

static enum rc write_bundle(const char *path, const struct wire_signed *s,
                            const struct wire_chain *chain)
{
    WIRE(bundle) b = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    TRY(ask_bundle(&b, s->session));
    if (memcmp(b.signature, s->signature, 64) != 0)
        return rc_raise(RC_CONFLICT, "bundle: of another signature of this "
                                     "session");
    TRY(put_chain(&b, chain));
    TRY(wire_bundle_encode(&json, &len, &b));
    return file_write(path, json, len, 0644);
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
                "{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:s?, s:s?}",
                "signature", sig, "profile", o->profile, "session", session,
                "group_key", key, "kind", s->slot, "attempt",
                (json_int_t)s->attempt, "epoch", (json_int_t)s->epoch, "intent",
                (json_int_t)s->intent, "cert", o->cert, "bundle", o->bundle));
    cli_note("signed %s with %s (log index %llu, session %.16s…): %s", o->file,
             o->profile, (unsigned long long)s->intent, session, sig);
    return RC_OK;
}

static bool has_certificates(enum rc rc)
{
    return rc != RC_POLICY; /* "its profile has no certificates" */
}

static enum rc write_extras(const struct options *o,
                            const struct wire_signed *s)
{
    WIRE(chain) chain = { 0 };
    if (!o->cert && !o->bundle)
        return RC_OK;
    enum rc rc = cli_ask_chain(&chain, o->profile, o->session);
    if (rc != RC_OK && (o->cert || has_certificates(rc)))
        return rc;
    if (o->cert)
        TRY(write_pem(o->cert, &chain));
    return o->bundle ? write_bundle(o->bundle, s, &chain) : RC_OK;
}

static enum rc sign(const struct options *o)
{
    OWNED_MEM uint8_t *msg = NULL;
    size_t len;
    char beside[PATH_SIZE];
    const char *sig = o->sig ? o->sig : beside;
    struct wire_signed s;
    TRY(file_read(&msg, &len, o->file, WIRE_MESSAGE_MAX));
    if (snprintf(beside, sizeof(beside), "%s.sig", o->file) >=
        (int)sizeof(beside))
        return rc_raise(RC_ARG, "FILE: name too long");
    TRY(cli_ask_sign(&s, NULL, o->profile, o->session, msg, len, WAIT_MS));
    if (crypto_sign_verify_detached(s.signature, msg, len, s.group_key) != 0)
        return rc_raise(RC_VERIFY, "the sidecar's signature does not verify");
    TRY(file_write(sig, s.signature, sizeof(s.signature), 0644));
    TRY(write_extras(o, &s));
    return say_signed(&s, sig, o);
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
        { .name = "--cert", .text = &o.cert, .help = "certificates out, PEM" },
        { .name = "--bundle", .text = &o.bundle, .help = "all evidence out" },
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    if (!o.profile)
        o.profile = "release";
    o.session = cli_session_or_env(o.session);
    if (!o.session)
        o.session = "";
    return sign(&o);
}
