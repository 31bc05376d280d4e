/* SPDX-License-Identifier: Apache-2.0 */
/* mpcsign key list | show | create | ref. */
#include "cli/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/file.h"

static json_t *key_json(const struct wire_key *k)
{
    char hex[65];
    json_t *nodes = json_array();
    for (size_t i = 0; i < k->nodes.n; i++)
        json_array_append_new(nodes, json_integer((json_int_t)k->nodes.at[i]));
    return json_pack(
            "{s:s, s:s, s:s, s:o, s:I, s:I, s:o, s:o, s:I}", "name", k->name,
            "class", k->class, "lifetime", k->lifetime, "group_key",
            k->epoch ? json_string(enc_hex(hex, k->group_key, 32))
                     : json_null(),
            "epoch", (json_int_t)k->epoch, "threshold",
            (json_int_t)k->threshold, "nodes", nodes, "birth",
            k->epoch ? json_integer((json_int_t)k->birth) : json_null(),
            "max_message", (json_int_t)k->max_message);
}

static enum rc say_key(const struct wire_key *k)
{
    static const uint8_t none[32];
    char hex[65] = "-";
    if (k->epoch)
        enc_hex(hex, k->group_key, 32);
    return cli_say("%-14s %-9s %-10s epoch %llu  %llu of %zu nodes  %s%s\n",
                   k->name, k->class, k->lifetime, (unsigned long long)k->epoch,
                   (unsigned long long)k->threshold, k->nodes.n, hex,
                   k->epoch                                ? ""
                   : strcmp(k->lifetime, "ephemeral") == 0 ? " (one a session)"
                   : memcmp(k->group_key, none, 32) != 0   ? " (destroyed)"
                                                           : " (not created)");
}

enum rc cli_key_say(const struct wire_key *key)
{
    return cli_json() ? cli_say_json(key_json(key)) : say_key(key);
}

/* ---- list, show --------------------------------------------------------- */

static enum rc ask_keys(struct wire_keys *out)
{
    struct http_answer a;
    TRY(cli_ask(&a, NULL, "/v1/keys", NULL, 0, CLI_ASK_MS));
    enum rc rc = wire_keys_decode(out, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    return rc;
}

enum rc cmd_key_list(int argc, char **argv)
{
    static const struct cli_arg rows[] = { { 0 } };
    bool done;
    WIRE(keys) keys = { 0 };
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    TRY(ask_keys(&keys));
    OWNED(json_t) *list = json_array();
    for (size_t i = 0; i < keys.keys.n; i++) {
        if (cli_json())
            json_array_append_new(list, key_json(&keys.keys.at[i]));
        else
            TRY(say_key(&keys.keys.at[i]));
    }
    return cli_json() ? cli_say_json(json_pack("{s:O}", "keys", list)) : RC_OK;
}

enum rc cmd_key_show(int argc, char **argv)
{
    const char *name = NULL;
    const struct cli_arg rows[] = {
        { .name = "NAME", .text = &name, .need = true, .help = "the key" },
        { 0 },
    };
    bool done;
    WIRE(key) key = { 0 };
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    TRY(cli_ask_key(&key, name));
    return cli_key_say(&key);
}

/* ---- create ------------------------------------------------------------- */

enum rc cmd_key_create(int argc, char **argv)
{
    const char *name = NULL;
    const char *keys = NULL;
    const char *who = NULL;
    struct cli_list approvers = { .n = 0 };
    const struct cli_arg rows[] = {
        { .name = "NAME",
          .text = &name,
          .need = true,
          .help = "a profile of the policy" },
        { .name = "--as",
          .text = &who,
          .need = true,
          .help = "the person who asks" },
        { .name = "--approve",
          .list = &approvers,
          .need = true,
          .help = "stewards who approve" },
        { .name = "--keys",
          .text = &keys,
          .help = "directory with PERSON/id_ed25519 [$MPC_DEV/persons]" },
        { 0 },
    };
    bool done;
    char dir[CLI_PATH];
    WIRE(key) key = { 0 };
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    TRY(cli_keys_dir(dir, keys));
    struct cli_people people = { dir, who, &approvers };
    TRY(cli_key_create(&key, NULL, name, &people));
    return cli_key_say(&key);
}

/* ---- ref ---------------------------------------------------------------- */

/* The key is there, or will be made by the session that uses it. */
static enum rc check_exists(const char *name)
{
    WIRE(keys) keys = { 0 };
    TRY(ask_keys(&keys));
    for (size_t i = 0; i < keys.keys.n; i++) {
        const struct wire_key *k = &keys.keys.at[i];
        if (strcmp(k->name, name) != 0)
            continue;
        if (k->epoch || strcmp(k->lifetime, "ephemeral") == 0)
            return RC_OK;
        enum rc rc = rc_raise(RC_ORDER, "key %s has not been made yet", name);
        rc_hint("mpcsign key create %s, or --offline", name);
        return rc;
    }
    enum rc rc = rc_raise(RC_UNKNOWN, "key %s: no such profile", name);
    rc_hint("mpcsign key list shows the keys there are; --offline does not "
            "ask");
    return rc;
}

static enum rc put_ref(const char *text, bool bridge, const char *file)
{
    OWNED_MEM char *pem = NULL;
    size_t len;
    TRY(cli_ref_pem(&pem, &len, text, bridge));
    if (file)
        TRY(file_write(file, pem, len, 0644));
    if (cli_json())
        return cli_say_json(json_pack("{s:s, s:s, s:s, s:s?}", "key", text,
                                      "form", bridge ? "bridge" : "reference",
                                      "pem", pem, "file", file));
    return file ? RC_OK : cli_say("%s", pem);
}

enum rc cmd_key_ref(int argc, char **argv)
{
    const char *name = NULL;
    const char *session = NULL;
    const char *file = NULL;
    bool bridge = false;
    bool offline = false;
    const struct cli_arg rows[] = {
        { .name = "NAME", .text = &name, .need = true, .help = "the key" },
        { .name = "--session",
          .text = &session,
          .help = "bind it to this session" },
        { .name = "--cms",
          .flag = &bridge,
          .help = "the form for openssl cms (legacy-bridge = yes)" },
        { .name = "--out",
          .brief = "-O",
          .text = &file,
          .help = "file to write [standard output]" },
        { .name = "--offline",
          .flag = &offline,
          .help = "do not ask the sidecar whether the key exists" },
        { 0 },
    };
    bool done;
    char text[CLI_REF_MAX];
    char bare[CLI_REF_MAX];
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    TRY(cli_ref_text(text, name, session));
    TRY(cli_ref_text(bare, name, NULL));
    if (!offline)
        TRY(check_exists(bare + strlen("mpc:")));
    return put_ref(text, bridge, file);
}
