/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign request: a session for one file, signed by who asks. Prints its id,
 * alone, on stdout: it is the hash of what was asked, nobody hands it out.
 */
#include "cli/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/hash.h"

#define ASK_MS 5000

struct options {
    const char *file;
    const char *profile;
    const char *slots;
    const char *reason;
    const char *ttl;
    const char *who;
    const char *ssh_key;
};

static enum rc put_slots(struct policy_session *s, const char *list)
{
    char copy[128];
    char *save = NULL;
    if (snprintf(copy, sizeof(copy), "%s", list) >= (int)sizeof(copy))
        return rc_raise(RC_ARG, "--slots: too long");
    for (char *name = strtok_r(copy, ",", &save); name;
         name = strtok_r(NULL, ",", &save)) {
        enum policy_kind kind;
        if (policy_kind_parse(&kind, name) != RC_OK)
            return rc_raise(RC_ARG, "--slots: %.20s is no payload kind", name);
        s->slot[kind] = true;
    }
    return RC_OK;
}

/* A persistent profile's session names its key; an ephemeral one has none. */
static enum rc put_key(struct policy_session *s, const char *profile)
{
    struct http_answer a;
    WIRE(keys) keys = { 0 };
    TRY(cli_ask(&a, NULL, "/v1/keys", NULL, 0, ASK_MS));
    enum rc rc = wire_keys_decode(&keys, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    TRY(rc);
    for (size_t i = 0; i < keys.keys.n; i++) {
        const struct wire_key *k = &keys.keys.at[i];
        if (strcmp(k->name, profile) != 0)
            continue;
        s->has_key = strcmp(k->lifetime, "persistent") == 0;
        hash256(s->key, k->group_key, 32);
        if (!s->has_key || k->epoch)
            return RC_OK;
        return rc_raise(RC_UNKNOWN, "key %s: not created yet", profile);
    }
    rc = rc_raise(RC_UNKNOWN, "profile %.64s: the policy has none", profile);
    rc_hint("mpcsign key list shows the keys there are");
    return rc;
}

/* Of any size: only its digests go into the descriptor. */
static enum rc put_file(struct policy_session *s, const char *path)
{
    struct cli_content c; /* no bytes of it are kept */
    const char *slash = strrchr(path, '/');
    TRY(cli_content_read(&c, path, false));
    s->has_artifact = true;
    snprintf(s->artifact_name, sizeof(s->artifact_name), "%s",
             slash ? slash + 1 : path);
    s->artifact_size = c.size;
    memcpy(s->artifact_sha256, c.sha256, 32);
    memcpy(s->artifact_sha512, c.sha512, 64);
    return RC_OK;
}

static enum rc build(struct policy_session *s, const struct options *o)
{
    struct cli_cluster cluster;
    int64_t ttl = CLI_SESSION_S;
    if (o->ttl)
        TRY(cli_number(&ttl, "--ttl", o->ttl, 1, POLICY_SESSION_MAX_S));
    TRY(cli_cluster_ask(&cluster, NULL));
    TRY(cli_session_begin(s, POLICY_S_SIGN, &cluster, o->profile,
                          o->reason ? o->reason : ""));
    s->expires = s->created + ttl;
    TRY(put_slots(s, o->slots ? o->slots : "raw"));
    TRY(put_key(s, o->profile));
    return put_file(s, o->file);
}

static enum rc request(const struct options *o)
{
    char dir[CLI_PATH];
    char key[CLI_PATH];
    char hex[65];
    struct policy_session s;
    WIRE(session) m = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    struct http_answer a;
    TRY(build(&s, o));
    if (!o->ssh_key) {
        TRY(cli_keys_dir(dir, NULL));
        TRY(cli_person_file(key, dir, o->who));
    }
    TRY(cli_session_seal(&m, &s, o->who, o->ssh_key ? o->ssh_key : key));
    TRY(wire_session_encode(&json, &len, &m));
    TRY(cli_ask(&a, NULL, "/v1/session", json, len, ASK_MS));
    http_answer_free(&a);
    enc_hex(hex, s.id, 32);
    if (cli_json())
        return cli_say_json(json_pack("{s:s, s:I}", "session", hex, "expires",
                                      (json_int_t)s.expires));
    cli_note("waits for approval: mpcsign approve %s --as PERSON --role ROLE",
             hex);
    return cli_say("%s\n", hex);
}

enum rc cmd_request(int argc, char **argv)
{
    struct options o = { 0 };
    const struct cli_arg rows[] = {
        { .name = "FILE",
          .text = &o.file,
          .need = true,
          .help = "what shall be signed" },
        { .name = "--profile",
          .text = &o.profile,
          .need = true,
          .help = "key" },
        { .name = "--slots",
          .text = &o.slots,
          .help = "payload kinds, comma separated [raw]" },
        { .name = "--reason",
          .text = &o.reason,
          .help = "for those who "
                  "approve" },
        { .name = "--ttl", .text = &o.ttl, .help = "seconds to live [600]" },
        { .name = "--as",
          .text = &o.who,
          .help = "the person who asks [dev, with MPC_DEV]" },
        { .name = "--ssh-key",
          .text = &o.ssh_key,
          .help = "their key file [$MPC_DEV/persons/PERSON/id_ed25519]" },
        { 0 },
    };
    bool done;
    const char *dev = getenv("MPC_DEV");
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    if (!o.who && dev && *dev)
        o.who = "dev";
    if (!o.who)
        return rc_raise(RC_ARG, "--as is missing: who asks?");
    return request(&o);
}
