/* SPDX-License-Identifier: Apache-2.0 */
/* mpcsign policy log | diff: the versions, who made them, what each changed. */
#include "cli/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/file.h"
#include "cli/session.h"

/* ---- what a sidecar holds --------------------------------------------------- */

enum rc cli_policies_ask(struct wire_policies *out)
{
    struct http_answer a;
    WIRE(policies) all = { 0 };
    TRY(cli_ask(&a, NULL, "/v1/policy", NULL, 0, POLICY_ASK_MS));
    enum rc rc = wire_policies_decode(&all, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    TRY(rc);
    if (all.versions.n == 0)
        return rc_raise(RC_PARSE, "policy: the sidecar holds no version");
    *out = all;
    memset(&all, 0, sizeof(all));
    return RC_OK;
}

enum rc cli_policy_newest(struct policy **out)
{
    WIRE(policies) all = { 0 };
    TRY(cli_policies_ask(&all));
    const struct wire_blob *b = &all.versions.at[all.versions.n - 1].policy;
    return policy_parse(out, b->p, b->len);
}

/* ---- log --------------------------------------------------------------------- */

struct row {
    uint64_t version;
    char sha256[65];
    bool genesis;
    struct policy_session s;
    char approvers[512]; /* "bob, carol" */
    uint64_t index;      /* of its entry in the log */
    unsigned changes;
};

/* Names as they stand in the records; who may have said so was judged when
 * the version came in force. */
static void put_approvers(struct row *r, const struct wire_session *s)
{
    size_t at = 0;
    r->approvers[0] = '\0';
    for (size_t i = 0; i < s->approvals.n && at < sizeof(r->approvers); i++) {
        const struct wire_blob *b = &s->approvals.at[i];
        OWNED(json_t) *o = json_loadb((const char *)b->p, b->len,
                                      JSON_REJECT_DUPLICATES, NULL);
        const char *who = json_string_value(json_object_get(o, "person"));
        at += (size_t)snprintf(r->approvers + at, sizeof(r->approvers) - at,
                               "%s%.64s", at ? ", " : "", who ? who : "?");
    }
}

static enum rc read_row(struct row *r, const struct wire_policies *all,
                        size_t i)
{
    const struct wire_policy *v = &all->versions.at[i];
    OWN_S(policy) *p = NULL;
    *r = (struct row){ .genesis = i == 0 };
    TRY(policy_parse(&p, v->policy.p, v->policy.len));
    r->version = p->version;
    enc_hex(r->sha256, p->sha256, 32);
    if (r->genesis)
        return RC_OK;
    const struct wire_blob *before = &all->versions.at[i - 1].policy;
    struct cli_diffs d;
    TRY(policy_session_parse(&r->s, v->session.descriptor.p,
                             v->session.descriptor.len));
    put_approvers(r, &v->session);
    r->index = v->proof.n ? v->proof.at[0].index : 0;
    TRY(cli_policy_diff(&d, before->p, before->len, v->policy.p,
                        v->policy.len));
    for (unsigned k = 0; k < d.n; k++) /* version and prev always differ */
        r->changes += strcmp(d.at[k].path, "version") != 0 &&
                      strcmp(d.at[k].path, "prev") != 0;
    cli_diffs_free(&d);
    return RC_OK;
}

static enum rc say_row(const struct row *r)
{
    char at[CLOCK_TEXT_SIZE];
    char text[sizeof(r->s.reason)];
    char who[sizeof(r->approvers)];
    TRY(cli_say("version  %-4llu %s\n", (unsigned long long)r->version,
                r->sha256));
    if (r->genesis)
        return cli_say("         genesis, pinned in every node's "
                       "configuration\n");
    TRY(cli_say("         asked by %s %s%s%s\n", r->s.requester,
                clock_text(at, r->s.created), r->s.reason[0] ? ": " : "",
                state_plain(text, sizeof(text), r->s.reason)));
    return cli_say("         approved by %s; %u change%s; log entry %llu\n",
                   state_plain(who, sizeof(who), r->approvers), r->changes,
                   r->changes == 1 ? "" : "s", (unsigned long long)r->index);
}

static json_t *row_json(const struct row *r)
{
    json_t *o = json_pack("{s:I, s:s}", "version", (json_int_t)r->version,
                          "sha256", r->sha256);
    if (r->genesis)
        return o;
    char hex[65];
    json_object_set_new(o, "session", json_string(enc_hex(hex, r->s.id, 32)));
    json_object_set_new(o, "requester", json_string(r->s.requester));
    json_object_set_new(o, "reason", json_string(r->s.reason));
    json_object_set_new(o, "created", json_integer(r->s.created));
    json_object_set_new(o, "approvers", json_string(r->approvers));
    json_object_set_new(o, "changes", json_integer(r->changes));
    json_object_set_new(o, "index", json_integer((json_int_t)r->index));
    return o;
}

enum rc cmd_policy_log(int argc, char **argv)
{
    const struct cli_arg rows[] = { { 0 } };
    bool done;
    WIRE(policies) all = { 0 };
    OWNED(json_t) *list = json_array();
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    TRY(cli_policies_ask(&all));
    for (size_t i = all.versions.n; i-- > 0;) {
        struct row r;
        TRY(read_row(&r, &all, i));
        if (cli_json())
            json_array_append_new(list, row_json(&r));
        else
            TRY(say_row(&r));
    }
    return cli_json() ? cli_say_json(json_pack("{s:O}", "versions", list))
                      : RC_OK;
}

/* ---- diff --------------------------------------------------------------------- */

/* A version by its number, or a file; heap. */
static enum rc side(uint8_t **out, size_t *len, const struct wire_policies *all,
                    const char *word)
{
    size_t digits = strspn(word, "0123456789");
    if (digits == 0 || word[digits] != '\0')
        return file_read(out, len, word, POLICY_MAX_BYTES);
    int64_t n;
    TRY(cli_number(&n, "version", word, 1, INT32_MAX));
    if ((uint64_t)n > all->versions.n)
        return rc_raise(RC_UNKNOWN, "policy version %lld: the newest is %zu",
                        (long long)n, all->versions.n);
    const struct wire_blob *b = &all->versions.at[n - 1].policy;
    *out = malloc(b->len + 1);
    if (!*out)
        return rc_raise(RC_NOMEM, "policy: out of memory");
    memcpy(*out, b->p, b->len);
    *len = b->len;
    return RC_OK;
}

static enum rc diff(const char *from, const char *to)
{
    char newest[24];
    char before[24];
    WIRE(policies) all = { 0 };
    OWNED_MEM uint8_t *a = NULL;
    OWNED_MEM uint8_t *b = NULL;
    size_t a_len, b_len;
    struct cli_diffs d;
    TRY(cli_policies_ask(&all));
    snprintf(newest, sizeof(newest), "%zu", all.versions.n);
    snprintf(before, sizeof(before), "%zu",
             all.versions.n > 1 ? all.versions.n - 1 : 1);
    if (!to) { /* one word: against what is in force; none: the last change */
        to = from ? from : newest;
        from = from ? newest : before;
    }
    TRY(side(&a, &a_len, &all, from));
    TRY(side(&b, &b_len, &all, to));
    TRY(cli_policy_diff(&d, a, a_len, b, b_len));
    enum rc rc = cli_json() ? cli_say_json(json_pack("{s:s, s:s, s:o}", "from",
                                                     from, "to", to, "changes",
                                                     cli_diffs_json(&d)))
                            : cli_diffs_say(&d);
    cli_diffs_free(&d);
    return rc;
}

enum rc cmd_policy_diff(int argc, char **argv)
{
    const char *from = NULL;
    const char *to = NULL;
    const struct cli_arg rows[] = {
        { .name = "FROM",
          .text = &from,
          .help = "a version's number, or a file [the one before]" },
        { .name = "TO",
          .text = &to,
          .help = "the same [the one in force; with FROM alone, FROM is what "
                  "it is compared with]" },
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    return done ? RC_OK : diff(from, to);
}
