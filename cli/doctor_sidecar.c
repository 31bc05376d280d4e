/* SPDX-License-Identifier: Apache-2.0 */
/* What the sidecar behind the socket says, and whether it has keys. */
#include "cli/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "?";
}

/* The provider sends it in a header: nothing else may be in it. */
static bool check_want(struct doctor *d)
{
    const char *want = getenv("TEE_POLICY_HASH");
    if (!want)
        return true;
    if (*want && strspn(want, "0123456789abcdefABCDEF, ") == strlen(want))
        return true;
    doctor_fail(d, "policy-hash",
                "set it to attested hashes (64 hex digits, commas between), or "
                "unset it",
                "TEE_POLICY_HASH is %s",
                *want ? "no list of hashes"
                      : "set but empty: it allows "
                        "no sidecar");
    return false;
}

/* Whom it refused: asked again without our wish. */
static void say_mismatch(struct doctor *d)
{
    OWNED(json_t) *o = NULL;
    const char *want = getenv("TEE_POLICY_HASH");
    OWNED_MEM char *kept = want ? strdup(want) : NULL;
    char why[512];
    char fix[DOCTOR_FIX];
    snprintf(why, sizeof(why), "%s", rc_text());
    unsetenv("TEE_POLICY_HASH");
    enum rc rc = cli_ask_json(&o, d->socket, "/v1/status");
    if (kept)
        setenv("TEE_POLICY_HASH", kept, 1);
    snprintf(fix, sizeof(fix),
             "if you know that %s is the right program, TEE_POLICY_HASH must "
             "have it",
             rc == RC_OK ? text_of(o, "policy_hash") : "the sidecar's");
    doctor_fail(d, "policy-hash", kept ? fix : NULL, "%s", why);
}

static const char *fix_of(const char *problem)
{
    if (strstr(problem, "waits for peers"))
        return "start other nodes of that key; they give their pieces unasked";
    return "see the sidecar's log";
}

/* The oldest backup of what this node holds, and what to do next. */
static void say_custody(struct doctor *d, const json_t *o)
{
    size_t i;
    json_t *k;
    json_t *p;
    unsigned n = 0;
    int64_t oldest = INT64_MAX;
    json_array_foreach (json_object_get(o, "keys"), i, k) {
        const json_t *b = json_object_get(k, "backup");
        int64_t made = json_integer_value(json_object_get(b, "made"));
        if (!json_is_true(json_object_get(b, "current")))
            continue;
        n++;
        oldest = made < oldest ? made : oldest;
    }
    if (n)
        doctor_ok(d, "backup",
                  "%u of this node's shares have a backup, the oldest %lld "
                  "days old",
                  n, (long long)(clock_now_s() - oldest) / 86400);
    json_array_foreach (json_object_get(o, "next"), i, p)
        doctor_warn(d, "next", "docs/CUSTODY.md", "%s", json_string_value(p));
}

/* Every key in one epoch at all its nodes, as far as they have said. */
static void say_epochs(struct doctor *d, const json_t *o)
{
    size_t i;
    size_t j;
    json_t *e;
    json_t *p;
    unsigned keys = 0;
    unsigned whole = 0;
    json_array_foreach (json_object_get(o, "epochs"), i, e) {
        bool fine = true;
        if (json_is_true(json_object_get(e, "destroyed")))
            continue;
        json_array_foreach (json_object_get(e, "nodes"), j, p) {
            const char *state = text_of(p, "state");
            fine = fine && strcmp(state, "behind") != 0 &&
                   strcmp(state, "lost") != 0;
        }
        keys++;
        whole += fine && json_array_size(json_object_get(e, "waits_for")) == 0;
    }
    if (keys && whole == keys)
        doctor_ok(d, "epochs", "%u keys, each in one epoch at its nodes", keys);
    else if (keys)
        doctor_warn(d, "epochs", "mpcsign status names the nodes",
                    "%u of %u keys are not in one epoch at all their nodes",
                    keys - whole, keys);
}

static void say_status(struct doctor *d, const json_t *o)
{
    size_t i;
    json_t *p;
    doctor_ok(d, "sidecar", "node %lld of %s answers, attested as %s%s",
              (long long)json_integer_value(json_object_get(o, "node")),
              text_of(o, "deployment"), text_of(o, "policy_hash"),
              json_is_true(json_object_get(o, "simulated")) ? ", SIMULATED"
                                                            : "");
    json_array_foreach (json_object_get(o, "problems"), i, p)
        doctor_warn(d, "sidecar", fix_of(json_string_value(p)), "it says: %s",
                    json_string_value(p));
    json_array_foreach (json_object_get(o, "break_glass"), i, p)
        doctor_warn(d, "break-glass",
                    "mpcsign audit --session says who and when",
                    "%s asked to break the glass with %s in the last 30 days, "
                    "session %.8s",
                    text_of(p, "requester"), text_of(p, "profile"),
                    text_of(p, "session"));
    say_epochs(d, o);
    say_custody(d, o);
}

static bool ask_status(struct doctor *d)
{
    OWNED(json_t) *o = NULL;
    char fix[DOCTOR_FIX];
    enum rc rc = cli_ask_json(&o, d->socket, "/v1/status");
    if (rc == RC_OK) {
        say_status(d, o);
        return true;
    }
    snprintf(fix, sizeof(fix), "%s", rc_hint_text());
    if (rc == RC_POLICY_HASH)
        say_mismatch(d);
    else
        doctor_fail(d, "sidecar", *fix ? fix : "see the sidecar's log", "%s",
                    rc_text());
    return false;
}

static void judge_keys(struct doctor *d, const struct wire_keys *keys)
{
    unsigned made = 0;
    for (size_t i = 0; i < keys->keys.n; i++) {
        const struct wire_key *k = &keys->keys.at[i];
        bool artifact = strcmp(k->class, "artifact") == 0;
        if (!k->epoch)
            continue;
        if (!made++ || (artifact && strcmp(k->name, "release") == 0))
            snprintf(d->key_name, sizeof(d->key_name), "%s", k->name);
    }
    if (made)
        doctor_ok(d, "keys", "%u of %zu profiles have a key", made,
                  keys->keys.n);
    else
        doctor_fail(d, "keys",
                    "mpcsign key create NAME --as PERSON --approve STEWARDS",
                    "the sidecar answers, but none of its %zu profiles has a "
                    "key",
                    keys->keys.n);
}

static void ask_keys(struct doctor *d)
{
    struct http_answer a;
    WIRE(keys) keys = { 0 };
    enum rc rc = cli_ask(&a, d->socket, "/v1/keys", NULL, 0, CLI_ASK_MS);
    if (rc == RC_OK) {
        rc = wire_keys_decode(&keys, (const char *)a.body, a.body_len);
        http_answer_free(&a);
    }
    if (rc == RC_OK)
        judge_keys(d, &keys);
    else
        doctor_fail(d, "keys", "are mpcsign and the sidecar of one version?",
                    "%s", rc_text());
}

void doctor_sidecar(struct doctor *d)
{
    bool want = check_want(d);
    if (want && d->reached && ask_status(d))
        ask_keys(d);
}
