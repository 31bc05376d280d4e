/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The versions of the policy that change a node: the document in force with
 * one row edited, put in force by stewards whose keys are at hand, or proposed
 * and waited for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/enc.h"
#include "cli/node.h"
#include "cli/session.h"

#define PUT_MS  20000 /* it is logged, and told to everyone */
#define POLL_MS 250

static enum rc no_memory(void)
{
    return rc_raise(RC_NOMEM, "policy: out of memory");
}

/* ---- editing -------------------------------------------------------------- */

enum rc node_version_begin(json_t **out, const struct node_view *v)
{
    char hex[65];
    OWNED(json_t) *doc = json_loadb((const char *)v->policy->bytes,
                                    v->policy->bytes_len, 0, NULL);
    if (!doc ||
        json_object_set_new(doc, "version",
                            json_integer((json_int_t)v->policy->version + 1)) ||
        json_object_set_new(doc, "prev",
                            json_string(enc_hex(hex, v->policy->sha256, 32))))
        return no_memory();
    *out = TAKE(doc);
    return RC_OK;
}

json_t *node_version_row(json_t *doc, unsigned id)
{
    size_t i;
    json_t *row;
    json_array_foreach (json_object_get(doc, "nodes"), i, row)
        if (json_integer_value(json_object_get(row, "id")) == (json_int_t)id)
            return row;
    return NULL;
}

enum rc node_version_leaving(json_t *doc, unsigned id)
{
    json_t *row = node_version_row(doc, id);
    return json_object_set_new(row, "leaving", json_true()) ? no_memory()
                                                            : RC_OK;
}

enum rc node_version_keys(json_t *doc, const struct node_view *v)
{
    char hex[65];
    json_t *row = node_version_row(doc, v->id);
    if (json_object_set_new(row, "identity",
                            json_string(enc_hex(hex, v->identity, 32))) ||
        json_object_set_new(row, "box", json_string(enc_hex(hex, v->box, 32))))
        return no_memory();
    (void)json_object_del(row, "leaving");
    return RC_OK;
}

static bool find(size_t *at, const json_t *list, const char *hex)
{
    json_t *v;
    size_t i;
    json_array_foreach (list, i, v)
        if (json_is_string(v) && strcmp(json_string_value(v), hex) == 0) {
            *at = i;
            return true;
        }
    return false;
}

enum rc node_version_allow(json_t *doc, const struct cli_list *in,
                           const struct cli_list *out)
{
    size_t at;
    json_t *list = json_object_get(json_object_get(doc, "measurements"),
                                   "sidecar");
    for (unsigned i = 0; i < in->n; i++)
        if (!find(&at, list, in->at[i]) &&
            json_array_append_new(list, json_string(in->at[i])))
            return no_memory();
    for (unsigned i = 0; i < out->n; i++)
        if (find(&at, list, out->at[i]))
            (void)json_array_remove(list, at);
    return RC_OK;
}

/* ---- in force -------------------------------------------------------------- */

static void pause_ms(int64_t ms)
{
    const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&t, NULL);
}

static enum rc seal(struct wire_policy *out, struct policy_session *s,
                    const struct policy *head, const struct cli_asker *who)
{
    char dir[CLI_PATH];
    struct decide d;
    if (who->approvers.n) {
        if (!who->who)
            return rc_raise(RC_ARG, "--approve wants --as, the person who "
                                    "asks");
        TRY(cli_keys_dir(dir, who->keys));
        const struct cli_people people = { dir, who->who, &who->approvers };
        return cli_session_sign(&out->session, s, &people);
    }
    enum rc rc = decide_requester(&d, head, who->who, who->ssh_key);
    if (rc == RC_OK)
        rc = cli_session_seal(&out->session, s, d.who->id, d.key_file);
    decide_end(&d);
    return rc;
}

static enum rc send(const char *path, const char *json, size_t len, int ms)
{
    struct http_answer a;
    TRY(cli_ask(&a, NULL, path, json, len, ms));
    http_answer_free(&a);
    return RC_OK;
}

static enum rc propose(const struct wire_policy *m, const char *whole,
                       size_t len)
{
    OWNED_MEM char *session = NULL;
    size_t session_len;
    TRY(send("/v1/policy/proposal", whole, len, POLICY_ASK_MS));
    TRY(wire_session_encode(&session, &session_len, &m->session));
    return send("/v1/session", session, session_len, POLICY_ASK_MS);
}

static bool is_proposed(const char *id, const char *text)
{
    char path[128];
    struct http_answer a;
    WIRE(policy) m = { 0 };
    snprintf(path, sizeof(path), "/v1/policy/proposal/%s", id);
    if (cli_ask(&a, NULL, path, NULL, 0, POLICY_ASK_MS) != RC_OK)
        return false;
    enum rc rc = wire_policy_decode(&m, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    return rc == RC_OK && m.policy.len == strlen(text) &&
           memcmp(m.policy.p, text, m.policy.len) == 0;
}

/* The same version, proposed before: its approvals are not asked for again. */
static bool find_proposed(char id[65], const char *text)
{
    WIRE(sessions) all = { 0 };
    if (state_sessions(&all) != RC_OK)
        return false;
    for (size_t i = 0; i < all.sessions.n; i++) {
        const struct wire_session_row *r = &all.sessions.at[i];
        if (strcmp(r->type, policy_session_type_name(POLICY_S_POLICY)) != 0 ||
            strcmp(r->state, "open") != 0)
            continue;
        enc_hex(id, r->session, 32);
        if (is_proposed(id, text))
            return true;
    }
    return false;
}

/* Whose approval completes the rule puts it in force: policy approve. */
static enum rc wait_force(const char *id, uint64_t version, const char *timeout)
{
    int64_t left_s = CLI_SESSION_S;
    struct cli_cluster cluster;
    if (timeout)
        TRY(cli_number(&left_s, "--timeout", timeout, 1, CLI_SESSION_S));
    cli_note("stewards: mpcsign policy approve %s --as PERSON", id);
    int64_t until = clock_mono_ms() + left_s * 1000;
    for (;;) {
        TRY(cli_cluster_ask(&cluster, NULL));
        if (cluster.version >= version)
            return RC_OK;
        if (clock_mono_ms() > until)
            break;
        pause_ms(POLL_MS);
    }
    enum rc rc = rc_raise(RC_NOT_APPROVED,
                          "policy version %llu: not approved "
                          "yet",
                          (unsigned long long)version);
    rc_hint("mpcsign policy approve %s; then the same command again", id);
    return rc;
}

enum rc node_version_put(json_t *doc, const struct cli_asker *who,
                         const char *what)
{
    WIRE(policy) m = { 0 };
    char id[65];
    struct policy_session s;
    struct cli_cluster cluster;
    OWN_S(policy) *next = NULL;
    OWN_S(policy) *head = NULL;
    OWNED_MEM char *whole = NULL;
    size_t len;
    OWNED_MEM char *text = json_dumps(doc, JSON_INDENT(1));
    if (!text)
        return no_memory();
    TRY(policy_parse(&next, text, strlen(text)));
    TRY(cli_policy_newest(&head));
    TRY(cli_policy_check_next(next, head, "the next version"));
    if (who->approvers.n == 0 && find_proposed(id, text))
        return wait_force(id, next->version, who->timeout);
    TRY(cli_cluster_ask(&cluster, NULL));
    TRY(cli_session_begin(&s, POLICY_S_POLICY, &cluster, NULL,
                          who->reason ? who->reason : what));
    policy_session_artifact(&s, "policy.json", text, strlen(text));
    s.has_artifact = true;
    TRY(wire_blob_set(&m.policy, text, strlen(text)));
    TRY(seal(&m, &s, head, who));
    TRY(wire_policy_encode(&whole, &len, &m));
    cli_note("policy   version %llu: %s", (unsigned long long)next->version,
             what);
    if (who->approvers.n)
        return send("/v1/policy", whole, len, PUT_MS);
    TRY(propose(&m, whole, len));
    return wait_force(enc_hex(id, s.id, 32), next->version, who->timeout);
}
