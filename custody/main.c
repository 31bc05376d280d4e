/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpc-reconstruct: the whole key out of t backups, for the day when there is
 * no service any more. No part of the service has this; it runs on a machine
 * without a network, says loudly what it does, and wants the key's name typed.
 */
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/file.h"
#include "base/secret.h"
#include "custody/custody.h"

#define PARTS_MAX   64
#define MESSAGE_MAX (1024u * 1024 * 1024)
#define PASS_MAX    256

struct arguments {
    const char *name;
    const char *backup[PARTS_MAX];
    unsigned n_backups;
    const char *key[PARTS_MAX];
    unsigned n_keys;
    const char *sign;
    const char *out;
    const char *write;
    bool yes;
};

/* secret_new() memory */
struct secrets {
    struct custody_key key[PARTS_MAX];
    struct custody_part part[PARTS_MAX];
    struct frost_scalar whole;
    char text[CUSTODY_KEY_TEXT_MAX];
    char passphrase[PASS_MAX];
};

static const char usage[] =
        "usage: mpc-reconstruct NAME --backup FILE... --custodian-key FILE...\n"
        "           (--sign FILE --out SIGNATURE | --write FILE)\n"
        "\n"
        "Puts the whole secret key NAME together out of backups of its shares\n"
        "(mpcsign key backup) and the keys of their custodians. For when the\n"
        "service is gone for good: afterwards the key is whole on this "
        "machine,\n"
        "no quorum stands between it and anyone, and nothing is logged. While "
        "t\n"
        "machines can be had, mpcsign key recover brings the service back "
        "instead.\n"
        "\n"
        "  --backup FILE          a share's backup; the option may repeat\n"
        "  --custodian-key FILE   who can open one of them; may repeat\n"
        "  --sign FILE            sign this file (Ed25519, 64 bytes)...\n"
        "  --out SIGNATURE        ...to here\n"
        "  --write FILE           write the secret scalar, 0600 "
        "(docs/CUSTODY.md)\n"
        "  --yes-i-know-this-ends-the-custody-of-this-key\n"
        "                         do not ask for the key's name to be typed\n";

/* ---- arguments ----------------------------------------------------------- */

static enum rc add(const char **list, unsigned *n, const char *value)
{
    if (*n == PARTS_MAX)
        return rc_raise(RC_ARG, "more than %d files", PARTS_MAX);
    list[(*n)++] = value;
    return RC_OK;
}

static enum rc read_option(struct arguments *a, const char *name,
                           const char *value)
{
    if (!value)
        return rc_raise(RC_ARG, "%s: wants a file", name);
    if (strcmp(name, "--backup") == 0)
        return add(a->backup, &a->n_backups, value);
    if (strcmp(name, "--custodian-key") == 0)
        return add(a->key, &a->n_keys, value);
    if (strcmp(name, "--sign") == 0)
        a->sign = value;
    else if (strcmp(name, "--out") == 0)
        a->out = value;
    else if (strcmp(name, "--write") == 0)
        a->write = value;
    else
        return rc_raise(RC_ARG, "%s: no such option", name);
    return RC_OK;
}

static enum rc read_arguments(struct arguments *a, int argc, char **argv)
{
    static const char yes[] = "--yes-i-know-this-ends-the-custody-of-this-key";
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], yes) == 0) {
            a->yes = true;
        } else if (argv[i][0] == '-') {
            TRY(read_option(a, argv[i], argv[i + 1]));
            i++;
        } else if (a->name) {
            return rc_raise(RC_ARG, "%s: one key at a time", argv[i]);
        } else {
            a->name = argv[i];
        }
    }
    if (!a->name || !a->n_backups || !a->n_keys)
        return rc_raise(RC_ARG, "NAME, --backup and --custodian-key are "
                                "needed");
    if (!a->sign == !a->write || !a->sign != !a->out)
        return rc_raise(RC_ARG, "either --sign with --out, or --write");
    return RC_OK;
}

/* ---- people -------------------------------------------------------------- */

static enum rc ask_passphrase(char out[PASS_MAX], const char *file)
{
    struct termios was;
    bool tty = tcgetattr(STDIN_FILENO, &was) == 0;
    if (tty) {
        struct termios quiet = was;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
        fprintf(stderr, "Passphrase of %s: ", file);
    }
    /* byte by byte: stdio would keep a copy */
    size_t n = 0;
    char c = '\n';
    ssize_t got;
    while ((got = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n' &&
           n < PASS_MAX - 1)
        out[n++] = c;
    out[n] = '\0';
    if (tty) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
        fputc('\n', stderr);
    }
    return n ? RC_OK : rc_raise(RC_AUTH, "%s: no passphrase was given", file);
}

static void warn(const struct arguments *a, const struct custody_backup *b)
{
    char hex[ENC_HEX_SIZE(32)];
    fprintf(stderr,
            "\n"
            "*** RECONSTRUCTION OF A WHOLE SIGNING KEY ***\n"
            "\n"
            "  key        %s\n"
            "  group key  %s\n"
            "  epoch      %llu, %u of %u shares make it\n"
            "\n"
            "From here on the key %s is whole in this machine's memory%s.\n"
            "Whoever has it signs alone: no approvals, no attestation, no log "
            "entry.\n"
            "Do this on a machine without a network, and retire the key "
            "afterwards.\n\n",
            a->name, enc_hex(hex, b->group_key, 32),
            (unsigned long long)b->epoch, b->t, b->n, a->name,
            a->write ? " and on its disk" : "");
}

static enum rc confirm(const struct arguments *a)
{
    char line[256];
    if (a->yes)
        return RC_OK;
    fprintf(stderr, "Type the name of the key to go on: ");
    if (!fgets(line, sizeof(line), stdin))
        return rc_raise(RC_DENIED, "nothing was typed: nothing was done");
    line[strcspn(line, "\r\n")] = '\0';
    if (strcmp(line, a->name) != 0)
        return rc_raise(RC_DENIED, "another name: nothing was done");
    return RC_OK;
}

/* ---- opening ------------------------------------------------------------- */

static enum rc read_key(struct secrets *s, unsigned i, const char *file)
{
    uint8_t *text = NULL;
    size_t len = 0;
    bool locked = false;
    enum rc rc = file_read(&text, &len, file, CUSTODY_KEY_TEXT_MAX - 1);
    if (rc == RC_OK)
        rc = custody_key_locked(&locked, (const char *)text, len);
    if (rc == RC_OK && locked)
        rc = ask_passphrase(s->passphrase, file);
    if (rc == RC_OK)
        rc = custody_key_read(&s->key[i], (const char *)text, len,
                              locked ? s->passphrase : NULL,
                              locked ? strlen(s->passphrase) : 0);
    sodium_memzero(s->passphrase, sizeof(s->passphrase));
    if (text) {
        sodium_memzero(text, len);
        free(text);
    }
    return rc == RC_OK ? RC_OK : rc_prefix(rc, "%s: ", file);
}

static enum rc open_one(struct secrets *s, unsigned i, unsigned n_keys,
                        const char *file)
{
    OWNED_MEM uint8_t *p = NULL;
    size_t len;
    enum rc rc = file_read(&p, &len, file, CUSTODY_BACKUP_MAX);
    if (rc == RC_OK)
        rc = RC_AUTH;
    for (unsigned k = 0; rc == RC_AUTH && k < n_keys; k++)
        rc = custody_backup_open(&s->part[i].share, &s->part[i].of, p, len,
                                 &s->key[k]);
    if (rc != RC_OK)
        return rc_prefix(rc, "%s: ", file);
    fprintf(stderr, "opened     %s: the share of node %u\n", file,
            s->part[i].of.node);
    return RC_OK;
}

static enum rc open_all(struct secrets *s, const struct arguments *a)
{
    for (unsigned i = 0; i < a->n_keys; i++)
        TRY(read_key(s, i, a->key[i]));
    for (unsigned i = 0; i < a->n_backups; i++)
        TRY(open_one(s, i, a->n_keys, a->backup[i]));
    return RC_OK;
}

/* ---- what it is for ------------------------------------------------------ */

static enum rc sign_file(const struct secrets *s, const struct arguments *a)
{
    OWNED_MEM uint8_t *msg = NULL;
    uint8_t sig[64];
    size_t len;
    TRY(file_read(&msg, &len, a->sign, MESSAGE_MAX));
    TRY(custody_sign(sig, &s->whole, s->part[0].of.group_key, msg, len));
    TRY(file_write(a->out, sig, sizeof(sig), 0644));
    fprintf(stderr, "signed     %s: %s\n", a->sign, a->out);
    return RC_OK;
}

/*
 * "mpc-group-secret/1 ", hex of scalar[32] and public[32], newline. A FROST
 * key has no RFC 8032 seed: the scalar was never the hash of anything, so no
 * PKCS#8 file can hold it.
 */
static enum rc write_scalar(struct secrets *s, const struct arguments *a)
{
    static const char first[] = "mpc-group-secret/1 ";
    const size_t at = sizeof(first) - 1;
    memcpy(s->text, first, at);
    sodium_bin2hex(s->text + at, 65, s->whole.le, 32);
    sodium_bin2hex(s->text + at + 64, 65, s->part[0].of.group_key, 32);
    s->text[at + 128] = '\n';
    TRY(file_write(a->write, s->text, at + 129, 0600));
    fprintf(stderr, "written    %s: THE WHOLE SECRET KEY\n", a->write);
    return RC_OK;
}

static enum rc run(struct secrets *s, const struct arguments *a)
{
    TRY(open_all(s, a));
    warn(a, &s->part[0].of);
    TRY(confirm(a));
    TRY(custody_combine(&s->whole, s->part, a->n_backups));
    return a->sign ? sign_file(s, a) : write_scalar(s, a);
}

int main(int argc, char **argv)
{
    struct arguments a = { .name = NULL };
    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        fputs(usage, argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    if (sodium_init() < 0) {
        fputs("mpc-reconstruct: libsodium does not start\n", stderr);
        return 1;
    }
    struct secrets *s = NULL;
    enum rc rc = read_arguments(&a, argc, argv);
    if (rc == RC_OK)
        rc = secret_process();
    if (rc == RC_OK) {
        s = secret_new(sizeof(*s));
        rc = s ? run(s, &a) : RC_NOMEM;
    }
    secret_free(s);
    if (rc != RC_OK)
        fprintf(stderr, "mpc-reconstruct: %s\n%s%s%s", rc_text(),
                *rc_hint_text() ? "  hint: " : "", rc_hint_text(),
                *rc_hint_text() ? "\n" : "");
    return rc == RC_OK ? 0 : rc_exit(rc);
}
