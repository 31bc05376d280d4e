/* SPDX-License-Identifier: Apache-2.0 */
/* mpcsign cms sign | verify. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/file.h"
#include "cli/cms.h"

#define PATH_SIZE 4096

static enum rc beside(char out[PATH_SIZE], const char *file)
{
    if (snprintf(out, PATH_SIZE, "%s.p7s", file) >= PATH_SIZE)
        return rc_raise(RC_ARG, "FILE: name too long");
    return RC_OK;
}

/* ---- sign --------------------------------------------------------------- */

struct sign_options {
    const char *file;
    const char *profile;
    const char *session;
    const char *out;
    bool embed;
    bool pem;
};

static enum rc put(const uint8_t *p, size_t len, const char *path)
{
    if (path)
        return file_write(path, p, len, 0644);
    if (fwrite(p, 1, len, stdout) != len || fflush(stdout) != 0)
        return rc_raise(RC_IO, "stdout: cannot be written");
    return RC_OK;
}

static enum rc say_signed(const struct sign_options *o, const char *path,
                          const struct wire_signed *by)
{
    char session[65];
    char key[65];
    enc_hex(session, by->session, 32);
    enc_hex(key, by->group_key, 32);
    if (cli_json() && path)
        return cli_say_json(json_pack(
                "{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "cms", path,
                "profile", o->profile, "session", session, "group_key", key,
                "kind", by->slot, "attempt", (json_int_t)by->attempt, "epoch",
                (json_int_t)by->epoch, "intent", (json_int_t)by->intent));
    cli_note("signed %s with %s (log index %llu, session %.16s…): %s", o->file,
             o->profile, (unsigned long long)by->intent, session,
             path ? path : "standard output");
    return RC_OK;
}

static enum rc sign(const struct sign_options *o)
{
    __attribute__((
            cleanup(cli_content_free))) struct cli_content content = { 0 };
    WIRE(chain) chain = { 0 };
    OWNED(CMS_ContentInfo) *cms = NULL;
    OWNED_MEM uint8_t *bytes = NULL;
    char name[PATH_SIZE];
    size_t len;
    struct wire_signed by;
    bool input = strcmp(o->file, "-") == 0;
    TRY(beside(name, o->file));
    const char *path = o->out ? o->out : input ? NULL : name;
    TRY(cli_content_read(&content, o->file, o->embed));
    TRY(cli_ask_chain(&chain, o->profile, o->session));
    TRY(cms_make(&cms, &by, o->profile, o->session, &chain, &content));
    TRY(cms_write(&bytes, &len, cms, o->pem ? CMS_PEM : NULL));
    TRY(put(bytes, len, path));
    return say_signed(o, path, &by);
}

enum rc cmd_cms_sign(int argc, char **argv)
{
    struct sign_options o = { 0 };
    const struct cli_arg rows[] = {
        { .name = "FILE",
          .text = &o.file,
          .need = true,
          .help = "what to sign, of any size; - is standard input" },
        { .name = "--profile", .text = &o.profile, .help = "key [release]" },
        { .name = "--session",
          .text = &o.session,
          .help = "an approved session with slot cms [MPC_SESSION]" },
        { .name = "--cms",
          .brief = "-O",
          .text = &o.out,
          .help = "signature out [FILE.p7s]" },
        { .name = "--embed",
          .brief = "--nodetach",
          .flag = &o.embed,
          .help = "the content goes into the signature" },
        { .name = "--pem", .flag = &o.pem, .help = "PEM, not DER" },
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    if (!o.profile)
        o.profile = "release";
    o.session = cli_session_or_env(o.session);
    return sign(&o);
}

/* ---- verify ------------------------------------------------------------- */

struct verify_options {
    const char *file;
    const char *cms;
    const char *ca;
    const char *at;
    const char *purpose;
    const char *out;
    bool allow_simulated;
};

static enum rc read_signature(CMS_ContentInfo **out,
                              const struct verify_options *o)
{
    char name[PATH_SIZE] = "";
    OWNED_MEM uint8_t *bytes = NULL;
    size_t len;
    if (!o->cms && (!o->file || strcmp(o->file, "-") == 0))
        return rc_raise(RC_ARG, "--cms is missing");
    if (!o->cms)
        TRY(beside(name, o->file));
    const char *path = o->cms ? o->cms : name;
    TRY(file_read(&bytes, &len, path, CMS_FILE_MAX));
    enum rc rc = cms_read(out, bytes, len);
    return rc == RC_OK ? RC_OK : rc_prefix(rc, "%s: ", path);
}

static ASN1_OCTET_STRING *inside(CMS_ContentInfo *cms)
{
    ASN1_OCTET_STRING **at = CMS_get0_content(cms);
    return at ? *at : NULL;
}

static enum rc check_inside(CMS_ContentInfo *cms, const ASN1_OCTET_STRING *s)
{
    uint8_t digest[64];
    if (EVP_Digest(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s),
                   digest, NULL, EVP_sha512(), NULL) != 1)
        return rc_raise(RC_INTERNAL, "SHA-512 fails");
    return cms_judge_digest(cms, digest);
}

/* Given beside it, carried inside, or both: then both must be it. */
static enum rc check_content(CMS_ContentInfo *cms,
                             const struct cli_content *given)
{
    const ASN1_OCTET_STRING *s = inside(cms);
    if (s)
        TRY(check_inside(cms, s));
    return given ? cms_judge_digest(cms, given->sha512) : RC_OK;
}

static enum rc check_purpose(const struct verify_options *o,
                             const struct cms_signer *s)
{
    return strcmp(o->purpose, "any") == 0 ? RC_OK : cms_judge_codesign(s);
}

static void check_hardware(struct cli_checks *c, const struct verify_options *o,
                           const struct cms_signer *s)
{
    if (!cms_is_simulated(s))
        return;
    cli_check(c, o->allow_simulated ? CLI_OK : CLI_FAIL, "hardware", NULL,
              "SIMULATED: no AMD hardware stands behind this%s",
              o->allow_simulated ? ", and that was allowed" : "");
}

static void say_signer(struct cli_checks *c, const struct cms_signer *s)
{
    char name[256];
    char when[CLOCK_TEXT_SIZE];
    cms_signer_name(name, sizeof(name), s);
    cli_check(c, CLI_OK, "signature", NULL, "Ed25519 by %s, %s%s", name,
              s->has_time ? "which says it was " : "which names no time",
              s->has_time ? clock_text(when, s->time_s) : "");
}

/* All that can be judged is, so that one run tells all that is wrong. */
static enum rc judge(struct cli_checks *c, CMS_ContentInfo *cms,
                     const struct cli_content *given,
                     const struct verify_options *o, const char *roots,
                     int64_t at_s)
{
    char when[CLOCK_TEXT_SIZE];
    struct cms_signer s = { 0 };
    enum rc rc = cms_judge_signature(&s, cms);
    if (rc != RC_OK) {
        cli_check_rc(c, "signature", rc, "%s", "");
        return rc_raise(RC_VERIFY, "verification failed");
    }
    say_signer(c, &s);
    cli_check_rc(c, "content", check_content(cms, given),
                 "has the SHA-512 signed");
    cli_check_rc(c, "certificate", cms_judge_chain(&s, roots, at_s),
                 "leads to %s, judged at %s", roots, clock_text(when, at_s));
    cli_check_rc(c, "purpose", check_purpose(o, &s), "%s", o->purpose);
    unsigned others = c->failed; /* the hardware has an exit code of its own */
    check_hardware(c, o, &s);
    cms_signer_free(&s);
    if (others)
        return rc_raise(RC_VERIFY, "verification failed");
    if (!c->failed)
        return RC_OK;
    rc = rc_raise(RC_ATTEST, "simulated hardware is refused");
    rc_hint("--allow-simulated accepts it, for trials only");
    return rc;
}

static enum rc say_verdict(struct cli_checks *c, enum rc rc)
{
    if (!cli_json())
        return rc;
    json_t *o = json_pack("{s:b, s:O}", "ok", (int)(rc == RC_OK), "checks",
                          c->list);
    if (o && rc != RC_OK)
        json_object_set_new(o, "error", cli_error_json(rc));
    TRY(cli_say_json(o));
    if (rc != RC_OK)
        cli_told();
    return rc;
}

/* What was signed, once it is known to be. */
static enum rc write_content(CMS_ContentInfo *cms, const char *path)
{
    const ASN1_OCTET_STRING *s = inside(cms);
    if (!path)
        return RC_OK;
    if (!s)
        return rc_raise(RC_ARG, "-O: the content is not inside");
    return file_write(path, ASN1_STRING_get0_data(s),
                      (size_t)ASN1_STRING_length(s), 0644);
}

static enum rc verify(const struct verify_options *o)
{
    char roots[CLI_PATH];
    int64_t at_s = clock_now_s();
    OWNED(CMS_ContentInfo) *cms = NULL;
    struct cli_content given; /* no bytes of it are kept */
    struct cli_checks checks;
    if (o->at)
        TRY(cli_time(&at_s, "--at", o->at));
    TRY(cms_roots(roots, o->ca));
    TRY(read_signature(&cms, o));
    if (o->file)
        TRY(cli_content_read(&given, o->file, false));
    else if (!inside(cms))
        return rc_raise(RC_ARG, "FILE is missing: the content is not inside "
                                "the signature");
    TRY(cli_checks_begin(&checks));
    enum rc rc = judge(&checks, cms, o->file ? &given : NULL, o, roots, at_s);
    if (rc == RC_OK)
        rc = write_content(cms, o->out);
    rc = say_verdict(&checks, rc);
    cli_checks_end(&checks);
    return rc;
}

enum rc cmd_cms_verify(int argc, char **argv)
{
    struct verify_options o = { 0 };
    const struct cli_arg rows[] = {
        { .name = "FILE",
          .text = &o.file,
          .help = "what was signed, unless it is inside" },
        { .name = "--cms", .text = &o.cms, .help = "signature [FILE.p7s]" },
        { .name = "--ca",
          .text = &o.ca,
          .help = "roots you trust, PEM [MPC_CA, $MPC_DEV/ca.pem]" },
        { .name = "--at",
          .text = &o.at,
          .help = "judge as of this time, 2026-11-22T03:35:00Z [now]" },
        { .name = "--purpose",
          .text = &o.purpose,
          .help = "codesign or any [codesign]" },
        { .name = "--content",
          .brief = "-O",
          .text = &o.out,
          .help = "write the content that is inside" },
        { .name = "--allow-simulated",
          .flag = &o.allow_simulated,
          .help = "accept hardware that is not AMD's" },
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    if (!o.purpose)
        o.purpose = "codesign";
    if (strcmp(o.purpose, "codesign") != 0 && strcmp(o.purpose, "any") != 0)
        return rc_raise(RC_ARG, "--purpose: want codesign or any");
    return verify(&o);
}
