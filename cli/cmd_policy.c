/* SPDX-License-Identifier: Apache-2.0 */
/* mpcsign policy show: the version in force, in words. */
#include "cli/policy.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/enc.h"

static void kinds_of(char out[96], const struct policy_profile *f)
{
    size_t at = 0;
    out[0] = '\0';
    for (unsigned k = 0; k < POLICY__KINDS; k++)
        if (f->kinds[k])
            at += (size_t)snprintf(out + at, 96 - at, "%s%s", at ? "," : "",
                                   policy_kind_name((enum policy_kind)k));
}

/* Who alone can have something signed: the line people overlook. */
static const char *warning(const struct policy_profile *f)
{
    if (f->engineers || f->stewards)
        return "";
    return f->class == POLICY_ISSUER
                   ? "no quorum: any single sidecar's caller may ask for "
                     "certificates; the signers judge each by its key's birth"
                   : "no quorum: any single sidecar's caller may use it";
}

/* By what approvals of it may be made. */
static enum rc say_ways(const struct policy_profile *f)
{
    char ways[64] = "";
    size_t at = 0;
    for (unsigned w = 0; w < POLICY__WAYS; w++)
        if (f->way[w])
            at += (size_t)snprintf(ways + at, sizeof(ways) - at, "%s%s",
                                   at ? ", " : "",
                                   policy_way_name((enum policy_way)w));
    return cli_say("         %-14s approved by %s\n", "", ways);
}

static enum rc say_profile(const struct policy_profile *f)
{
    char kinds[96];
    kinds_of(kinds, f);
    TRY(cli_say("profile  %-14s %s %s, %u of %u nodes, signs %s, needs %u "
                "engineer%s and %u steward%s\n",
                f->name, f->ephemeral ? "ephemeral" : "persistent",
                policy_class_name(f->class), f->threshold, f->n_nodes, kinds,
                f->engineers, f->engineers == 1 ? "" : "s", f->stewards,
                f->stewards == 1 ? "" : "s"));
    if (*warning(f))
        TRY(cli_say("         %-14s %s\n", "", warning(f)));
    if (f->engineers || f->stewards)
        TRY(say_ways(f));
    if (f->break_glass)
        TRY(cli_say("         %-14s BREAK GLASS%s%s: a second way to sign, "
                    "with a reason of %d characters\n",
                    "", f->has_key_of ? ", with the key of " : "", f->key_of,
                    POLICY_REASON_MIN));
    return RC_OK;
}

/* The words are what its owner reads out; an end or a loss is said loudly. */
static enum rc say_credential(const struct policy_credential *c)
{
    char words[POLICY_WORDS_MAX], until[64] = "";
    policy_credential_words(words, c);
    time_t end = (time_t)c->not_after;
    struct tm tm;
    if (c->not_after && gmtime_r(&end, &tm))
        strftime(until, sizeof(until), ", until %Y-%m-%dT%H:%M:%SZ", &tm);
    return cli_say("         %-14s %s: %s%s%s\n", "", c->kind, words, until,
                   c->revoked ? ", REVOKED" : "");
}

static enum rc say_person(const struct policy_person *p)
{
    TRY(cli_say("person   %-14s %s%s%s%s, %u credential%s\n", p->id,
                p->engineer ? "engineer" : "",
                p->engineer && p->steward ? " " : "",
                p->steward ? "steward" : "",
                p->engineer || p->steward ? "" : "no role", p->n_credentials,
                p->n_credentials == 1 ? "" : "s"));
    for (unsigned i = 0; i < p->n_credentials; i++)
        TRY(say_credential(&p->credential[i]));
    return RC_OK;
}

static enum rc say_text(const struct policy *p)
{
    char hex[65];
    char vkey[TLOG_VKEY_MAX];
    TRY(cli_say("policy   %s version %llu %s\n", p->cluster,
                (unsigned long long)p->version, enc_hex(hex, p->sha256, 32)));
    TRY(cli_say("log      %s\n",
                p->has_log ? tlog_vkey_text(vkey, &p->log) : "not named yet"));
    TRY(cli_say("change   needs %u stewards\n", p->steward_rule));
    for (unsigned i = 0; i < p->n_persons; i++)
        TRY(say_person(&p->person[i]));
    for (unsigned i = 0; i < p->n_nodes; i++)
        TRY(cli_say("node     %-14u %s%s\n", p->node[i].id, p->node[i].uri,
                    p->node[i].leaving ? ", leaving: deals, signs no more"
                                       : ""));
    static const char *const role[] = { "sidecar", "ca", "log" };
    for (unsigned r = 0; r < POLICY__ROLES; r++)
        for (unsigned i = 0; i < p->n_measurements[r]; i++)
            TRY(cli_say("allowed  %-14s %s\n", role[r],
                        enc_hex(hex, p->measurement[r][i], 32)));
    for (unsigned i = 0; i < p->n_profiles; i++)
        TRY(say_profile(&p->profile[i]));
    return RC_OK;
}

static json_t *profiles_json(const struct policy *p)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < p->n_profiles; i++) {
        const struct policy_profile *f = &p->profile[i];
        char kinds[96];
        kinds_of(kinds, f);
        json_array_append_new(
                list,
                json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:s, s:b, s:s}",
                          "name", f->name, "lifetime",
                          f->ephemeral ? "ephemeral" : "persistent", "class",
                          policy_class_name(f->class), "threshold",
                          (int)f->threshold, "nodes", (int)f->n_nodes,
                          "engineers", (int)f->engineers, "stewards",
                          (int)f->stewards, "kinds", kinds, "open",
                          (int)(f->engineers == 0 && f->stewards == 0),
                          "warning", warning(f)));
    }
    return list;
}

static unsigned number(const json_t *o, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(o, key));
    return n > 0 ? (unsigned)n : 0;
}

/* What this node asks for at least, whatever the policy says. */
static enum rc raise_by_node(struct policy *p)
{
    OWNED(json_t) *o = NULL;
    TRY(cli_ask_json(&o, NULL, "/v1/status"));
    const json_t *floor = json_object_get(o, "required");
    unsigned engineers = number(floor, "engineers");
    unsigned stewards = number(floor, "stewards");
    for (unsigned i = 0; i < p->n_profiles; i++) {
        struct policy_profile *f = &p->profile[i];
        f->engineers = f->engineers > engineers ? f->engineers : engineers;
        f->stewards = f->stewards > stewards ? f->stewards : stewards;
    }
    if (!cli_json() && (engineers || stewards))
        return cli_say("raised   by this node's REQUIRED_ENGINEERS and "
                       "REQUIRED_STEWARDS, to %u and %u at least\n",
                       engineers, stewards);
    return RC_OK;
}

enum rc cmd_policy_show(int argc, char **argv)
{
    const char *file = NULL;
    const struct cli_arg rows[] = {
        { .name = "--file",
          .text = &file,
          .help = "of this file, instead of the sidecar's" },
        { 0 },
    };
    bool done;
    char hex[65];
    OWN_S(policy) *p = NULL;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    TRY(file ? cli_policy_read(&p, file) : cli_policy_newest(&p));
    if (!file)
        TRY(raise_by_node(p));
    if (!cli_json())
        return say_text(p);
    OWNED(json_t) *document = json_loadb((const char *)p->bytes, p->bytes_len,
                                         0, NULL);
    return cli_say_json(json_pack("{s:I, s:s, s:o, s:O}", "version",
                                  (json_int_t)p->version, "sha256",
                                  enc_hex(hex, p->sha256, 32), "profiles",
                                  profiles_json(p), "document", document));
}
