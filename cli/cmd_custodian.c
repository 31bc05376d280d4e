/* SPDX-License-Identifier: Apache-2.0 */
/* mpcsign custodian new: a key to which a node's shares are backed up. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/file.h"
#include "base/secret.h"
#include "cli/custody.h"
#include "cli/session.h"

/* ---- passphrases --------------------------------------------------------- */

static enum rc from_file(struct custody_secrets *s, const char *file)
{
    uint8_t *p = NULL;
    size_t len = 0;
    TRY(file_read(&p, &len, file, sizeof(s->passphrase) - 1));
    size_t line = strcspn((const char *)p, "\r\n");
    memcpy(s->passphrase, p, line);
    s->passphrase[line] = '\0';
    sodium_memzero(p, len);
    free(p);
    return line ? RC_OK : rc_raise(RC_ARG, "%s: no passphrase in it", file);
}

enum rc custody_ask_passphrase(struct custody_secrets *s, const char *file,
                               bool fresh)
{
    const size_t cap = sizeof(s->passphrase);
    if (file)
        return from_file(s, file);
    TRY(prompt_secret(s->passphrase, cap, "Passphrase of the custodian key:"));
    if (!s->passphrase[0])
        return rc_raise(RC_AUTH, "no passphrase was given");
    if (!fresh)
        return RC_OK;
    TRY(prompt_secret(s->text, sizeof(s->text), "Once more:"));
    bool same = strcmp(s->passphrase, s->text) == 0;
    sodium_memzero(s->text, sizeof(s->text));
    return same ? RC_OK : rc_raise(RC_ARG, "the two differ");
}

enum rc custody_read_key(struct custody_secrets *s, const char *path,
                         const char *passphrase_file)
{
    uint8_t *text = NULL;
    size_t len = 0;
    bool locked = false;
    enum rc rc = file_read(&text, &len, path, CUSTODY_KEY_TEXT_MAX - 1);
    if (rc == RC_OK)
        rc = custody_key_locked(&locked, (const char *)text, len);
    if (rc == RC_OK && locked)
        rc = custody_ask_passphrase(s, passphrase_file, false);
    if (rc == RC_OK)
        rc = custody_key_read(&s->key, (const char *)text, len,
                              locked ? s->passphrase : NULL,
                              locked ? strlen(s->passphrase) : 0);
    sodium_memzero(s->passphrase, sizeof(s->passphrase));
    if (text) {
        sodium_memzero(text, len);
        free(text);
    }
    return rc == RC_OK ? RC_OK : rc_prefix(rc, "%s: ", path);
}

/* ---- new ----------------------------------------------------------------- */

static enum rc make(struct custody_secrets *s, const char *out, bool locked,
                    const char *passphrase_file)
{
    char path[CLI_PATH];
    char hex[ENC_HEX_SIZE(32)];
    size_t len = 0;
    if (snprintf(path, sizeof(path), "%s.pub", out) >= (int)sizeof(path))
        return rc_raise(RC_ARG, "--out: name too long");
    if (access(out, F_OK) == 0) {
        enum rc rc = rc_raise(RC_EXISTS, "%s is there already", out);
        rc_hint("backups may need it: choose another name");
        return rc;
    }
    if (locked)
        TRY(custody_ask_passphrase(s, passphrase_file, true));
    custody_key_make(&s->key);
    TRY(custody_key_write(s->text, &len, &s->key, locked ? s->passphrase : NULL,
                          locked ? strlen(s->passphrase) : 0));
    TRY(file_write(out, s->text, len, 0600));
    enc_hex(hex, s->key.public, 32);
    char line[ENC_HEX_SIZE(32) + 1];
    int n = snprintf(line, sizeof(line), "%s\n", hex);
    TRY(file_write(path, line, (size_t)n, 0644));
    if (cli_json())
        return cli_say_json(json_pack("{s:s, s:s, s:b}", "public", hex, "file",
                                      out, "passphrase", (int)locked));
    return cli_say("%s\n", hex);
}

enum rc cmd_custodian_new(int argc, char **argv)
{
    const char *out = NULL;
    const char *file = NULL;
    bool locked = false;
    const struct cli_arg rows[] = {
        { .name = "--out",
          .brief = "-O",
          .text = &out,
          .help = "file for the private half [custodian.key]" },
        { .name = "--passphrase",
          .flag = &locked,
          .help = "seal it under one, asked for (Argon2id)" },
        { .name = "--passphrase-file",
          .text = &file,
          .help = "the same, read from a file" },
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    TRY(secret_process());
    struct custody_secrets *s = secret_new(sizeof(*s));
    if (!s)
        return RC_NOMEM;
    enum rc rc = make(s, out ? out : "custodian.key", locked || file, file);
    secret_free(s);
    return rc;
}
