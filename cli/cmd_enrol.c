/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign policy invite | enrol | enrolments: how a person's key gets to the
 * stewards. An invite's code is a secret of its bearer until it is used; a
 * key that is enrolled signs once, so that nobody proposes another's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/enc.h"
#include "cli/fido.h"
#include "cli/session.h"

#define CODE 16

/* ---- invite ----------------------------------------------------------------- */

static enum rc say_invite(const json_t *o)
{
    char until[CLOCK_TEXT_SIZE];
    const char *code = json_string_value(json_object_get(o, "code"));
    const char *url = json_string_value(json_object_get(o, "url"));
    if (!code || !url)
        return rc_raise(RC_PARSE, "invite: no code in the sidecar's reply");
    cli_note("works once, until %s; give it to %s alone",
             clock_text(until,
                        json_integer_value(json_object_get(o, "expires"))),
             json_string_value(json_object_get(o, "person")));
    cli_note("here: mpcsign policy enrol --invite %s --ssh-key FILE", code);
    return cli_say("%s\n", *url ? url : code);
}

static enum rc invite(const char *person, const char *role, int64_t ttl_s)
{
    WIRE(invite) m = { .ttl_s = (uint64_t)ttl_s };
    OWNED_MEM char *json = NULL;
    size_t len;
    struct http_answer a;
    if (strlen(person) >= sizeof(m.person) || strlen(role) >= sizeof(m.role))
        return rc_raise(RC_ARG, "PERSON and --role: at most 64 characters");
    strcpy(m.person, person);
    strcpy(m.role, role);
    TRY(wire_invite_encode(&json, &len, &m));
    TRY(cli_ask(&a, NULL, "/v1/invite", json, len, CLI_ASK_MS));
    json_t *o = json_loadb((const char *)a.body, a.body_len, 0, NULL);
    http_answer_free(&a);
    if (!o)
        return rc_raise(RC_PARSE, "invite: the sidecar's reply is no JSON");
    if (cli_json())
        return cli_say_json(o);
    enum rc rc = say_invite(o);
    json_decref(o);
    return rc;
}

enum rc cmd_policy_invite(int argc, char **argv)
{
    const char *person = NULL;
    const char *role = NULL;
    const char *ttl = NULL;
    int64_t ttl_s = 86400;
    const struct cli_arg rows[] = {
        { .name = "PERSON",
          .text = &person,
          .need = true,
          .help = "whose key is to be enrolled" },
        { .name = "--role",
          .text = &role,
          .need = true,
          .help = "engineer or steward" },
        { .name = "--ttl", .text = &ttl, .help = "seconds it works [86400]" },
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    if (ttl)
        TRY(cli_number(&ttl_s, "--ttl", ttl, 1, WIRE_MAX_INVITE_S));
    return invite(person, role, ttl_s);
}

/* ---- enrol ---------------------------------------------------------------------- */

/* What the code is for, as this sidecar says. */
struct ticket {
    uint8_t challenge[32];
    int64_t expires;
    char rp_id[POLICY_RP_ID_MAX];
};

static enum rc look(struct wire_enrol *m, struct ticket *t, const char *code)
{
    char path[96];
    char hex[65];
    uint8_t id[32];
    uint8_t cluster[32];
    const char *at = strchr(code, '#'); /* a whole URL will do */
    at = at ? at + 1 : code;
    if (strlen(at) != 2 * CODE ||
        enc_unhex(m->code, CODE, at, 2 * CODE) != RC_OK)
        return rc_raise(RC_ARG, "--invite: want %d hex digits, or the URL",
                        2 * CODE);
    policy_invite_id(id, m->code);
    snprintf(path, sizeof(path), "/v1/invite/%s", enc_hex(hex, id, 32));
    OWNED(json_t) *o = NULL;
    TRY(cli_ask_json(&o, NULL, path));
    const char *person = json_string_value(json_object_get(o, "person"));
    if (!person || strlen(person) >= sizeof(m->person))
        return rc_raise(RC_PARSE, "invite: no person in the sidecar's reply");
    strcpy(m->person, person);
    TRY(cli_json_hex(cluster, 32, o, "cluster"));
    const char *rp_id = json_string_value(json_object_get(o, "rp_id"));
    if (!rp_id || strlen(rp_id) >= sizeof(t->rp_id))
        return rc_raise(RC_PARSE, "invite: no rp_id in the sidecar's reply");
    strcpy(t->rp_id, rp_id);
    t->expires = json_integer_value(json_object_get(o, "expires"));
    policy_enrol_challenge(t->challenge, cluster, id, person);
    return RC_OK;
}

static enum rc say_enrolled(const json_t *o, const char *how)
{
    const char *words = json_string_value(json_object_get(o, "words"));
    const char *spare = json_string_value(json_object_get(o, "spare"));
    cli_note("proposed to the stewards; read these words to one of them:");
    TRY(cli_say("%s\n", words ? words : ""));
    fflush(stdout); /* before what is said of the spare */
    if (spare && *spare)
        cli_note("for a spare key, within half an hour: mpcsign policy enrol "
                 "--invite %s %s",
                 spare, how);
    return RC_OK;
}

/* *o is taken. how: to enrol the spare in the same way */
static enum rc show(json_t *o, const char *how)
{
    if (cli_json())
        return cli_say_json(o);
    enum rc rc = say_enrolled(o, how);
    json_decref(o);
    return rc;
}

/* A passkey, on a page of our own: its first post ends us. */
static enum rc enrol_in_browser(const char *code)
{
    WIRE(enrol) m = { 0 };
    struct ticket t;
    char path[64];
    char hex[ENC_HEX_SIZE(CODE)];
    json_t *o = NULL;
    TRY(look(&m, &t, code));
    snprintf(path, sizeof(path), "/enrol#%s", enc_hex(hex, m.code, CODE));
    TRY(cli_page_local(&o, path, "/v1/enrol", t.expires));
    return show(o, "--browser");
}

/* m is whole; how: to enrol the spare in the same way */
static enum rc send(const struct wire_enrol *m, const char *how)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    struct http_answer a;
    TRY(wire_enrol_encode(&json, &len, m));
    TRY(cli_ask(&a, NULL, "/v1/enrol", json, len, CLI_ASK_MS));
    json_t *o = json_loadb((const char *)a.body, a.body_len, 0, NULL);
    http_answer_free(&a);
    if (!o)
        return rc_raise(RC_PARSE, "enrol: the sidecar's reply is no JSON");
    return show(o, how);
}

static enum rc enrol_key(const char *code, const char *key)
{
    WIRE(enrol) m = { .kind = POLICY_SSHSIG };
    struct ticket t;
    char sig[SSH_SIG_MAX];
    size_t sig_len;
    uint8_t pk[32];
    TRY(look(&m, &t, code));
    TRY(ssh_sign(sig, &sig_len, pk, key, t.challenge));
    TRY(wire_blob_set(&m.signature, sig, sig_len));
    return send(&m, "--ssh-key FILE");
}

/* A security key at this machine; the page can use it as well. */
static enum rc enrol_device(const char *code, const char *device)
{
    WIRE(enrol) m = { .kind = POLICY_WEBAUTHN };
    struct ticket t;
    struct fido_made made;
    TRY(look(&m, &t, code));
    TRY(fido_make_by(&made, device, t.rp_id, m.person, t.challenge));
    TRY(wire_blob_set(&m.client_data, made.client_data, made.client_data_len));
    TRY(wire_blob_set(&m.attestation_object, made.attestation,
                      made.attestation_len));
    return send(&m, "--device auto");
}

enum rc cmd_policy_enrol(int argc, char **argv)
{
    const char *code = NULL;
    const char *key = NULL;
    const char *device = NULL;
    bool browser = false;
    const struct cli_arg rows[] = {
        { .name = "--invite",
          .text = &code,
          .need = true,
          .help = "the code, or the URL it came in" },
        { .name = "--ssh-key",
          .text = &key,
          .help = "file of the key, or its public half with an agent" },
        { .name = "--device",
          .text = &device,
          .help = "a FIDO2 security key: its path, or auto" },
        { .name = "--browser",
          .flag = &browser,
          .help = "a passkey, on a page that this command serves" },
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    if (!!key + !!device + browser != 1)
        return rc_raise(RC_ARG, "want one of --ssh-key FILE, --device PATH "
                                "and --browser");
    return browser  ? enrol_in_browser(code)
           : device ? enrol_device(code, device)
                    : enrol_key(code, key);
}

/* ---- enrolments ------------------------------------------------------------------- */

static enum rc say_one(const json_t *e)
{
    char at[CLOCK_TEXT_SIZE];
    const char *person;
    const char *role;
    const char *kind;
    const char *words;
    json_int_t when;
    int in_policy;
    if (json_unpack((json_t *)(uintptr_t)e, "{s:s, s:s, s:s, s:s, s:I, s:b}",
                    "person", &person, "role", &role, "kind", &kind, "words",
                    &words, "at", &when, "in_policy", &in_policy) != 0)
        return rc_raise(RC_PARSE, "enrolments: not what a sidecar says");
    return cli_say("%-14s %-9s %-9s %s  %s%s\n", person, role, kind,
                   clock_text(at, when), words,
                   in_policy ? "  (in the policy)" : "");
}

enum rc cmd_policy_enrolments(int argc, char **argv)
{
    const struct cli_arg rows[] = { { 0 } };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    json_t *o = NULL;
    TRY(cli_ask_json(&o, NULL, "/v1/enrolments"));
    if (cli_json())
        return cli_say_json(o);
    enum rc rc = RC_OK;
    size_t i;
    json_t *e;
    json_array_foreach (json_object_get(o, "enrolments"), i, e) {
        if (rc == RC_OK)
            rc = say_one(e);
    }
    if (rc == RC_OK && i == 0)
        cli_note("none; mpcsign policy invite PERSON --role ROLE begins one");
    json_decref(o);
    return rc;
}
