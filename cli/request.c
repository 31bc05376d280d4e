/* SPDX-License-Identifier: Apache-2.0 */
/* Asking for a signature: the session, and what is said to who asks. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/hash.h"
#include "cli/policy.h"
#include "cli/session.h"

/* ---- the descriptor ----------------------------------------------------- */

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
    TRY(cli_ask(&a, NULL, "/v1/keys", NULL, 0, CLI_ASK_MS));
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
static enum rc put_file(struct policy_session *s, const struct request *r)
{
    struct cli_content read; /* no bytes of it are kept */
    const struct cli_content *c = r->content;
    const char *slash = strrchr(r->file, '/');
    if (!c) {
        TRY(cli_content_read(&read, r->file, false));
        c = &read;
    }
    s->has_artifact = true;
    snprintf(s->artifact_name, sizeof(s->artifact_name), "%s",
             slash ? slash + 1 : r->file);
    s->artifact_size = c->size;
    memcpy(s->artifact_sha256, c->sha256, 32);
    memcpy(s->artifact_sha512, c->sha512, 64);
    return RC_OK;
}

static enum rc build(struct policy_session *s, const struct request *r)
{
    struct cli_cluster cluster;
    int64_t ttl = CLI_SESSION_S;
    const char *reason = r->reason ? r->reason : "";
    if (r->ttl)
        TRY(cli_number(&ttl, "--ttl", r->ttl, 1, POLICY_SESSION_MAX_S));
    if (strlen(reason) >= sizeof(s->reason))
        return rc_raise(RC_ARG, "--reason: at most %zu bytes",
                        sizeof(s->reason) - 1);
    TRY(cli_cluster_ask(&cluster, NULL));
    TRY(cli_session_begin(s, POLICY_S_SIGN, &cluster, r->profile, reason));
    s->expires = s->created + ttl;
    TRY(put_slots(s, r->slots ? r->slots : "raw"));
    TRY(put_key(s, r->profile));
    return put_file(s, r);
}

/* ---- handing it in ------------------------------------------------------ */

static enum rc hand_in(struct policy_session *s, const struct decide *who)
{
    WIRE(session) m = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    struct http_answer a;
    TRY(cli_session_seal(&m, s, who->who->id, who->key_file));
    TRY(wire_session_encode(&json, &len, &m));
    TRY(cli_ask(&a, NULL, "/v1/session", json, len, CLI_ASK_MS));
    http_answer_free(&a);
    return RC_OK;
}

enum rc request_make(struct policy_session *out, const struct request *r)
{
    struct policy_session s;
    OWN_S(policy) *policy = NULL;
    struct decide who;
    TRY(build(&s, r));
    TRY(cli_policy_newest(&policy));
    enum rc rc = decide_requester(&who, policy, r->who, r->ssh_key);
    if (rc == RC_OK)
        rc = hand_in(&s, &who);
    decide_end(&who);
    TRY(rc);
    *out = s;
    return RC_OK;
}

/* What the sidecar sees of us: uid.1000.node1 */
static enum rc put_caller(struct policy_session *s)
{
    OWNED(json_t) *status = NULL;
    TRY(cli_ask_json(&status, NULL, "/v1/status"));
    snprintf(s->requester, sizeof(s->requester), "uid.%u.node%lld",
             (unsigned)geteuid(),
             (long long)json_integer_value(json_object_get(status, "node")));
    return RC_OK;
}

/* A name as a descriptor may hold it; the digests say what the file is. */
static void put_plain_name(struct policy_session *s)
{
    char *name = s->artifact_name;
    state_plain(name, sizeof(s->artifact_name), name);
    OWNED(json_t) *text = json_string(name);
    for (; !text && *name; name++)
        if ((unsigned char)*name >= 0x80)
            *name = '?'; /* not UTF-8 */
}

enum rc request_open(struct policy_session *out, const struct request *r)
{
    struct policy_session s;
    char text[POLICY_DESCRIPTOR_MAX];
    WIRE(session) m = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    struct http_answer a;
    TRY(build(&s, r));
    TRY(put_caller(&s));
    put_plain_name(&s);
    TRY(policy_session_write(text, &len, &s));
    TRY(wire_blob_set(&m.descriptor, text, len));
    TRY(wire_blob_set(&m.requester, "", 0));
    TRY(wire_session_encode(&json, &len, &m));
    TRY(cli_ask(&a, NULL, "/v1/session", json, len, CLI_ASK_MS));
    http_answer_free(&a);
    *out = s;
    return RC_OK;
}

/* ---- saying it ---------------------------------------------------------- */

#define NAMES_MAX 256

/* Who may fill such a place: all with the role but who asks. */
static void names_of(char out[NAMES_MAX], const struct policy *p,
                     const struct policy_session *s, bool engineers)
{
    size_t at = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < p->n_persons && at < NAMES_MAX; i++) {
        const struct policy_person *who = &p->person[i];
        if (!(engineers ? who->engineer : who->steward) ||
            strcmp(who->id, s->requester) == 0)
            continue;
        int n = snprintf(out + at, NAMES_MAX - at, "%s%s", at ? ", " : "",
                         who->id);
        at += (size_t)n;
    }
}

static void show_rule(const struct policy *p, const struct policy_session *s)
{
    const struct policy_profile *f = policy_profile_find(p, s->profile);
    char names[NAMES_MAX];
    if (f && f->engineers) {
        names_of(names, p, s, true);
        cli_note("needs    %u engineer%s of: %s", f->engineers,
                 f->engineers == 1 ? "" : "s", names);
    }
    if (f && f->stewards) {
        names_of(names, p, s, false);
        cli_note("needs    %u steward%s of: %s", f->stewards,
                 f->stewards == 1 ? "" : "s", names);
    }
    if (f && !f->engineers && !f->stewards)
        cli_note("needs    nobody, unless a node's own floor does");
}

static enum rc show_url(const char *id, const struct request *r)
{
    char url[512];
    const char *plain = getenv("NO_COLOR");
    bool terminal = isatty(STDERR_FILENO);
    if (!state_url(url, sizeof(url), id))
        return r->qr ? rc_raise(RC_ARG, "--qr: MPC_APPROVE_URL is not set")
                     : RC_OK;
    cli_note("page     %s", url);
    if (r->no_qr || !(terminal || r->qr))
        return RC_OK;
    return qr_print(stderr, url, terminal && !(plain && *plain));
}

enum rc request_show(const struct policy_session *s, const struct request *r)
{
    OWN_S(policy) *policy = NULL;
    char id[65];
    char hex[65];
    char at[CLOCK_TEXT_SIZE];
    char text[sizeof(s->artifact_name)];
    if (cli_json())
        return RC_OK;
    TRY(cli_policy_newest(&policy));
    enc_hex(id, s->id, 32);
    cli_note("code     %.8s (the first 8 digits of the session)", id);
    cli_note("artifact %s, %llu bytes",
             state_plain(text, sizeof(text), s->artifact_name),
             (unsigned long long)s->artifact_size);
    cli_note("sha256   %s", enc_hex(hex, s->artifact_sha256, 32));
    show_rule(policy, s);
    cli_note("expires  %s", clock_text(at, s->expires));
    cli_note("approve  mpcsign approve %s --as PERSON --role ROLE", id);
    return show_url(id, r);
}
