/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign git-x509: what git runs as gpg.x509.program. git wants a program's
 * name, so the same binary answers to the name mpcsign-git-x509.
 *
 * git reads the status lines of GnuPG (its doc/DETAILS): a signature counts
 * for it by GOODSIG, VALIDSIG and TRUST_*, and by our exit code.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/file.h"
#include "base/hash.h"
#include "cli/cms.h"

#define WORDS_MAX  64
#define SIG_MAX    (1024 * 1024)
#define GIT_MS     5000
#define AHEAD_MAX  300 /* a signer's clock may be that far before ours */
#define NAME_MAX_G 256
#define ED25519    "22 10 00" /* as GnuPG numbers EdDSA, SHA-512, binary */

struct options {
    const char *key;
    const char *status_fd;
    const char *verify;
    const char *data;
    const char *keyid_format; /* git's, of no use here */
    const char *ca;
    const char *at;
    bool sign;
    bool detach;
    bool armor;
    bool allow_simulated;
};

/* ---- status lines ------------------------------------------------------- */

static FILE *status; /* NULL: nobody asked */

static void PRINTF_LIKE(1, 2) say_status(const char *fmt, ...)
{
    va_list ap;
    if (!status)
        return;
    va_start(ap, fmt);
    fputs("[GNUPG:] ", status);
    vfprintf(status, fmt, ap);
    fputc('\n', status);
    va_end(ap);
}

static enum rc open_status(const char *fd)
{
    int64_t n;
    if (!fd)
        return RC_OK;
    TRY(cli_number(&n, "--status-fd", fd, 0, INT32_MAX));
    status = n == 1 ? stdout : n == 2 ? stderr : fdopen((int)n, "w");
    return status ? RC_OK : rc_raise(RC_ARG, "--status-fd %s: not open", fd);
}

static enum rc close_status(enum rc rc)
{
    if (status && fflush(status) != 0 && rc == RC_OK)
        rc = rc_raise(RC_IO, "--status-fd: cannot be written");
    return rc;
}

/* The leaf's SHA-256, as GnuPG writes a fingerprint. */
static enum rc fingerprint(char out[65], X509 *leaf)
{
    uint8_t hash[32];
    unsigned char *der = NULL;
    int len = i2d_X509(leaf, &der);
    if (len <= 0)
        return rc_raise(RC_NOMEM, "certificate: out of memory");
    hash256(hash, der, (size_t)len);
    OPENSSL_free(der);
    enc_hex(out, hash, 32);
    for (char *p = out; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    return RC_OK;
}

/* ---- signing ------------------------------------------------------------ */

/* mpc:NAME or mpc:NAME?session=HEX, as user.signingkey has it. */
static enum rc read_key(char name[CLI_REF_MAX], const char **session,
                        const char *key)
{
    char ref[CLI_REF_MAX];
    const char *at = strstr(key, "?session=");
    *session = cli_session_or_env(at ? at + strlen("?session=") : NULL);
    int len = at ? (int)(at - key) : (int)strlen(key);
    if (snprintf(name, CLI_REF_MAX, "%.*s", len, key) >= CLI_REF_MAX)
        return rc_raise(RC_ARG, "user.signingkey: too long");
    enum rc rc = cli_ref_text(ref, name, *session);
    if (rc != RC_OK) {
        rc = rc_prefix(rc, "user.signingkey: ");
        rc_hint("git config user.signingkey mpc:release");
        return rc;
    }
    TRY(cli_ref_text(ref, name, NULL));
    snprintf(name, CLI_REF_MAX, "%s", ref + strlen("mpc:"));
    return RC_OK;
}

static enum rc say_created(CMS_ContentInfo *cms)
{
    char fpr[65];
    struct cms_signer s;
    TRY(cms_judge_signature(&s, cms)); /* as the reader will */
    enum rc rc = fingerprint(fpr, s.leaf);
    if (rc == RC_OK)
        say_status("SIG_CREATED D " ED25519 " %lld %s", (long long)s.time_s,
                   fpr);
    cms_signer_free(&s);
    return rc;
}

static enum rc sign(const struct options *o)
{
    char name[CLI_REF_MAX];
    const char *session;
    struct cli_content content; /* no bytes of it are kept */
    WIRE(chain) chain = { 0 };
    OWNED(CMS_ContentInfo) *cms = NULL;
    OWNED_MEM uint8_t *pem = NULL;
    size_t len;
    struct wire_signed by;
    if (!o->key || !o->detach)
        return rc_raise(RC_ARG, "want -bsau KEY, as git says it");
    TRY(read_key(name, &session, o->key));
    TRY(cli_content_read(&content, "-", false));
    say_status("BEGIN_SIGNING");
    TRY(cli_ask_chain(&chain, name, session));
    TRY(cms_make(&cms, &by, name, session, &chain, &content));
    TRY(cms_write(&pem, &len, cms, o->armor ? CMS_PEM_GIT : NULL));
    if (fwrite(pem, 1, len, stdout) != len || fflush(stdout) != 0)
        return rc_raise(RC_IO, "stdout: cannot be written");
    return say_created(cms);
}

/* ---- what git's configuration says -------------------------------------- */

/* "" where it is not set, or where there is no git. */
static void git_config(char *out, size_t cap, const char *type,
                       const char *name)
{
    const char *const argv[] = { "git", "config", type, "--get", name, NULL };
    int exit_status = 0;
    enum rc rc = cli_child(out, cap, &exit_status, "git", argv, GIT_MS);
    if (rc != RC_OK || !WIFEXITED(exit_status) || WEXITSTATUS(exit_status) != 0)
        out[0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

static enum rc find_roots(char out[CLI_PATH], const struct options *o)
{
    char path[CLI_PATH] = "";
    const char *env = getenv("MPC_CA");
    if (!o->ca && !(env && *env))
        git_config(path, sizeof(path), "--type=path", "mpc.ca");
    enum rc rc = cms_roots(out, o->ca ? o->ca : *path ? path : NULL);
    if (rc == RC_ARG)
        rc_hint("git config mpc.ca FILE names it, or MPC_CA");
    return rc;
}

static bool simulated_allowed(const struct options *o)
{
    char text[16];
    if (o->allow_simulated)
        return true;
    git_config(text, sizeof(text), "--type=bool", "mpc.allowSimulated");
    return strcmp(text, "true") == 0;
}

/* ---- verifying ---------------------------------------------------------- */

/*
 * At which time certificates are judged. They live minutes and commits for
 * years, so it is the time in the signature, which the key's signers let
 * through but nobody proves; an absent or future one is refused.
 */
static enum rc time_to_judge(int64_t *out, const struct options *o,
                             const struct cms_signer *s)
{
    char when[CLOCK_TEXT_SIZE];
    if (o->at)
        return cli_time(out, "--at", o->at);
    if (!s->has_time)
        return rc_raise(RC_VERIFY, "the signature names no time");
    if (s->time_s > clock_now_s() + AHEAD_MAX)
        return rc_raise(RC_VERIFY,
                        "the signature says it is of %s: in the "
                        "future",
                        clock_text(when, s->time_s));
    *out = s->time_s;
    return RC_OK;
}

static enum rc judge_signer(const struct options *o, const struct cms_signer *s)
{
    char roots[CLI_PATH];
    int64_t at_s;
    TRY(time_to_judge(&at_s, o, s));
    TRY(find_roots(roots, o));
    TRY(cms_judge_chain(s, roots, at_s));
    TRY(cms_judge_codesign(s));
    if (!cms_is_simulated(s) || simulated_allowed(o))
        return RC_OK;
    enum rc rc = rc_raise(RC_ATTEST, "signed on SIMULATED hardware");
    rc_hint("git config mpc.allowSimulated true accepts it, for trials only");
    return rc;
}

/* A signature that nobody vouches for is one that cannot be checked. */
static void say_verdict(enum rc rc, enum rc good, const struct cms_signer *s,
                        const char *fpr, const char *name)
{
    const char *id = fpr + 48;
    long long time_s = (long long)s->time_s;
    char day[CLOCK_TEXT_SIZE];
    if (good != RC_OK) {
        say_status("BADSIG %s %s", id, name);
    } else if (rc != RC_OK) {
        say_status("ERRSIG %s " ED25519 " %lld 9 %s", id, time_s, fpr);
    } else {
        say_status("GOODSIG %s %s", id, name);
        say_status("VALIDSIG %s %.10s %lld 0 4 0 " ED25519 " %s", fpr,
                   clock_text(day, s->time_s), time_s, fpr);
        say_status("TRUST_FULLY 0 chain");
    }
}

static enum rc judge(const struct options *o, CMS_ContentInfo *cms,
                     const struct cms_signer *s, const uint8_t digest[64])
{
    char fpr[65];
    char name[NAME_MAX_G];
    char when[CLOCK_TEXT_SIZE];
    TRY(fingerprint(fpr, s->leaf));
    cms_signer_name(name, sizeof(name), s);
    enum rc good = cms_judge_digest(cms, digest);
    if (good != RC_OK) /* its hint is about mail */
        good = rc_raise(RC_VERIFY, "BAD signature: of another object");
    enum rc rc = good == RC_OK ? judge_signer(o, s) : good;
    say_verdict(rc, good, s, fpr, name);
    if (rc == RC_OK)
        fprintf(stderr,
                "mpcsign: Good signature by %s\n"
                "mpcsign: it says it was made at %s; only its log entry "
                "proves when\n",
                name, s->has_time ? clock_text(when, s->time_s) : "no time");
    return rc;
}

static enum rc read_signature(CMS_ContentInfo **out, const char *path)
{
    OWNED_MEM uint8_t *bytes = NULL;
    size_t len;
    TRY(file_read(&bytes, &len, path, SIG_MAX));
    return cms_read(out, bytes, len);
}

static enum rc verify(const struct options *o)
{
    OWNED(CMS_ContentInfo) *cms = NULL;
    struct cli_content content; /* no bytes of it are kept */
    struct cms_signer s;
    TRY(cli_content_read(&content, o->data ? o->data : "-", false));
    say_status("NEWSIG");
    enum rc rc = read_signature(&cms, o->verify);
    if (rc != RC_OK) {
        say_status("NODATA 4");
        return rc;
    }
    rc = cms_judge_signature(&s, cms);
    if (rc != RC_OK) {
        say_status("BADSIG 0000000000000000 unknown");
        return rc;
    }
    rc = judge(o, cms, &s, content.sha512);
    cms_signer_free(&s);
    return rc;
}

/* ---- the words that git says -------------------------------------------- */

struct words {
    char *at[WORDS_MAX + 1];
    int n;
    char parts[WORDS_MAX][3]; /* "-b" of "-bsau" */
    int n_parts;
};

static enum rc push(struct words *w, char *word)
{
    if (w->n == WORDS_MAX)
        return rc_raise(RC_ARG, "more than %d words", WORDS_MAX);
    w->at[w->n++] = word;
    return RC_OK;
}

static enum rc push_letters(struct words *w, const char *word)
{
    for (const char *p = word + 1; *p; p++) {
        if (w->n_parts == WORDS_MAX)
            return rc_raise(RC_ARG, "more than %d letters", WORDS_MAX);
        char *part = w->parts[w->n_parts++];
        part[0] = '-';
        part[1] = *p;
        TRY(push(w, part));
    }
    return RC_OK;
}

/* --name=value becomes two words, -bsau four: then a table can read them.
 * Words are cut in place; they are ours, as main()'s are. */
static enum rc split(struct words *w, int argc, char **argv)
{
    TRY(push(w, argv[0]));
    for (int i = 1; i < argc; i++) {
        char *word = argv[i];
        char *equals = strchr(word, '=');
        bool two = strncmp(word, "--", 2) == 0 && equals;
        bool letters = word[0] == '-' && isalpha((unsigned char)word[1]) &&
                       word[2];
        if (two)
            *equals = '\0';
        TRY(letters ? push_letters(w, word) : push(w, word));
        if (two)
            TRY(push(w, equals + 1));
    }
    return RC_OK;
}

enum rc cmd_git_x509(int argc, char **argv)
{
    struct options o = { 0 };
    const struct cli_arg rows[] = {
        { .name = "DATA", .text = &o.data, .help = "what was signed [-]" },
        { .name = "--sign", .brief = "-s", .flag = &o.sign, .help = "sign" },
        { .name = "--detach-sign",
          .brief = "-b",
          .flag = &o.detach,
          .help = "detached, the only way" },
        { .name = "--armor",
          .brief = "-a",
          .flag = &o.armor,
          .help = "PEM, which git wants" },
        { .name = "--local-user",
          .brief = "-u",
          .text = &o.key,
          .help = "user.signingkey: mpc:NAME" },
        { .name = "--verify", .text = &o.verify, .help = "a signature" },
        { .name = "--status-fd",
          .text = &o.status_fd,
          .help = "where status lines go" },
        { .name = "--keyid-format",
          .text = &o.keyid_format,
          .help = "no difference" },
        { .name = "--ca",
          .text = &o.ca,
          .help = "roots you trust [MPC_CA, git's mpc.ca]" },
        { .name = "--at",
          .text = &o.at,
          .help = "judge certificates at this time [the signature's]" },
        { .name = "--allow-simulated",
          .flag = &o.allow_simulated,
          .help = "accept hardware that is not AMD's" },
        { 0 },
    };
    bool done;
    struct words w = { .n = 0 };
    TRY(split(&w, argc, argv));
    TRY(cli_args(&done, rows, w.n, w.at));
    if (done)
        return RC_OK;
    TRY(open_status(o.status_fd));
    if (o.verify)
        return close_status(verify(&o));
    if (o.sign)
        return close_status(sign(&o));
    enum rc rc = rc_raise(RC_ARG, "nothing to do: want -bsau KEY or --verify "
                                  "FILE -");
    rc_hint("it is for git: git config gpg.x509.program mpcsign-git-x509");
    return rc;
}
