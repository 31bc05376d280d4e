/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign policy draft: the next version as a file, with enrolled keys put in
 * and lost ones revoked on request. Each change is said with the words that
 * its owner read out. It counts nothing until the stewards approve it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/file.h"
#include "cli/policy.h"
#include "cli/session.h"

struct draft {
    const char *from;
    const char *to;
    bool all;               /* every enrolment */
    struct cli_list people; /* or theirs */
    struct cli_list revoke; /* PERSON[:WORDS] */
};

static enum rc no_memory(void)
{
    return rc_raise(RC_NOMEM, "policy: out of memory");
}

/* ---- persons ---------------------------------------------------------------- */

static const char *member(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

static json_t *person_find(const json_t *doc, const char *id)
{
    size_t i;
    json_t *p;
    json_array_foreach (json_object_get(doc, "persons"), i, p)
        if (strcmp(member(p, "id"), id) == 0)
            return p;
    return NULL;
}

static bool has_role(const json_t *person, const char *role)
{
    size_t i;
    json_t *r;
    json_array_foreach (json_object_get(person, "roles"), i, r)
        if (json_is_string(r) && strcmp(json_string_value(r), role) == 0)
            return true;
    return false;
}

/* What the policy makes of a row: the words are computed here, not told. */
static enum rc read_row(struct policy_credential *out, const json_t *row)
{
    OWNED_MEM char *text = json_dumps(row, JSON_COMPACT);
    return text ? policy_credential_parse(out, text, strlen(text))
                : no_memory();
}

/* ---- enrolled keys ------------------------------------------------------------ */

/* A new person gets the role of the invite; others keep theirs. */
static enum rc person_of(json_t **out, json_t *doc, const json_t *e)
{
    const char *id = member(e, "person");
    const char *role = member(e, "role");
    json_t *list = json_object_get(doc, "persons");
    *out = person_find(doc, id);
    if (*out && !has_role(*out, role))
        cli_note("%s is no %s: the invite said so, the draft does not", id,
                 role);
    if (*out)
        return RC_OK;
    if (!json_is_array(list))
        return rc_raise(RC_PARSE, "policy: no list of persons");
    json_t *p = json_pack("{s:s, s:[s], s:[]}", "id", id, "roles", role,
                          "credentials");
    if (!p || json_array_append_new(list, p) != 0)
        return no_memory();
    *out = p;
    return RC_OK;
}

static bool holds(const json_t *doc, const struct policy_credential *c)
{
    size_t i, k;
    json_t *p, *row;
    struct policy_credential have;
    json_array_foreach (json_object_get(doc, "persons"), i, p)
        json_array_foreach (json_object_get(p, "credentials"), k, row)
            if (read_row(&have, row) == RC_OK &&
                memcmp(have.id, c->id, sizeof(c->id)) == 0)
                return true;
    return false;
}

static enum rc put_enrolment(bool *put, json_t *doc, const json_t *e)
{
    char words[POLICY_WORDS_MAX];
    json_t *row = json_object_get(e, "credential");
    struct policy_credential c;
    json_t *person;
    if (!*member(e, "person") || !*member(e, "role") || !json_is_object(row))
        return rc_raise(RC_PARSE, "enrolments: not what a sidecar says");
    TRY(read_row(&c, row));
    if (holds(doc, &c))
        return RC_OK;
    TRY(person_of(&person, doc, e));
    json_t *list = json_object_get(person, "credentials");
    if (!json_is_array(list))
        return rc_raise(RC_PARSE, "policy: %s: no list of credentials",
                        member(e, "person"));
    if (json_array_append(list, row) != 0)
        return no_memory();
    policy_credential_words(words, &c);
    cli_note("adds %s, %s, %s: %s", member(e, "person"), member(e, "role"),
             c.kind, words);
    *put = true;
    return RC_OK;
}

/* person NULL: everybody's */
static enum rc put_of(json_t *doc, const json_t *list, const char *person)
{
    bool put = false;
    size_t i;
    json_t *e;
    json_array_foreach (list, i, e)
        if (!person || strcmp(member(e, "person"), person) == 0)
            TRY(put_enrolment(&put, doc, e));
    if (put)
        return RC_OK;
    enum rc rc = rc_raise(RC_UNKNOWN, "%s%s: no key that is not in the policy",
                          person ? "enrolments of " : "enrolments",
                          person ? person : "");
    rc_hint("mpcsign policy enrolments lists them, of this sidecar alone");
    return rc;
}

static enum rc put_enrolments(json_t *doc, const struct draft *d)
{
    OWNED(json_t) *o = NULL;
    if (!d->all && d->people.n == 0)
        return RC_OK;
    if (d->all && d->people.n)
        return rc_raise(RC_ARG, "--enrolments and --enrolment: one of them");
    TRY(cli_ask_json(&o, NULL, "/v1/enrolments"));
    const json_t *list = json_object_get(o, "enrolments");
    if (d->all)
        TRY(put_of(doc, list, NULL));
    for (unsigned i = 0; i < d->people.n; i++)
        TRY(put_of(doc, list, d->people.at[i]));
    cli_note("each owner's own words, by telephone, must be these");
    return RC_OK;
}

/* ---- lost keys ------------------------------------------------------------------ */

struct lost {
    const char *person;
    const char *words; /* that theirs begin with; "": all */
    bool mark;         /* or count only */
    unsigned n;
};

static enum rc revoke_rows(struct lost *l, json_t *rows)
{
    char words[POLICY_WORDS_MAX];
    struct policy_credential c;
    size_t i;
    json_t *row;
    l->n = 0;
    json_array_foreach (rows, i, row) {
        TRY(read_row(&c, row));
        policy_credential_words(words, &c);
        if (c.revoked || strncmp(words, l->words, strlen(l->words)) != 0)
            continue;
        l->n++;
        if (!l->mark)
            continue;
        if (json_object_set_new(row, "revoked", json_true()) != 0)
            return no_memory();
        cli_note("revokes %s, %s: %s", l->person, c.kind, words);
    }
    return RC_OK;
}

/* "PERSON:WORDS": the one of theirs whose words begin so; without: all. */
static enum rc revoke_one(json_t *doc, const char *what)
{
    char id[POLICY_NAME_MAX];
    const char *colon = strchr(what, ':');
    struct lost l = { .person = id, .words = colon ? colon + 1 : "" };
    int id_len = (int)(colon ? (size_t)(colon - what) : strlen(what));
    if (snprintf(id, sizeof(id), "%.*s", id_len, what) >= (int)sizeof(id))
        return rc_raise(RC_ARG, "--revoke: no such name");
    json_t *rows = json_object_get(person_find(doc, id), "credentials");
    TRY(revoke_rows(&l, rows));
    if (l.n == 1 || (l.n && !colon)) {
        l.mark = true;
        return revoke_rows(&l, rows);
    }
    enum rc rc = rc_raise(l.n ? RC_ARG : RC_UNKNOWN,
                          "--revoke %.200s: %u keys, want one", what, l.n);
    rc_hint("PERSON:WORDS, the first words of a key as mpcsign policy show "
            "prints them");
    return rc;
}

/* ---- the verb -------------------------------------------------------------------- */

/* The version in force, or the file to follow on. */
static enum rc load(json_t **out, const struct policy *head, const char *from)
{
    OWNED_MEM uint8_t *text = NULL;
    size_t len;
    json_error_t error;
    if (from)
        TRY(file_read(&text, &len, from, POLICY_MAX_BYTES));
    OWNED(json_t) *doc = json_loadb(
            from ? (const char *)text : (const char *)head->bytes,
            from ? len : head->bytes_len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(doc))
        return rc_raise(RC_PARSE, "%s: no JSON object (line %d, column %d)",
                        from ? from : "policy", error.line, error.column);
    *out = TAKE(doc);
    return RC_OK;
}

/* The document of the next version, as it stands before anybody edits it. */
static enum rc draft(char **out, const struct draft *d)
{
    OWN_S(policy) *head = NULL;
    OWNED(json_t) *doc = NULL;
    char hex[65];
    TRY(cli_policy_newest(&head));
    TRY(load(&doc, head, d->from));
    TRY(put_enrolments(doc, d));
    for (unsigned i = 0; i < d->revoke.n; i++)
        TRY(revoke_one(doc, d->revoke.at[i]));
    if (json_object_set_new(doc, "version",
                            json_integer((json_int_t)head->version + 1)) ||
        json_object_set_new(doc, "prev",
                            json_string(enc_hex(hex, head->sha256, 32))))
        return no_memory();
    *out = json_dumps(doc, JSON_INDENT(1));
    return *out ? RC_OK : no_memory();
}

enum rc cmd_policy_draft(int argc, char **argv)
{
    struct draft d = { 0 };
    bool done;
    OWNED_MEM char *text = NULL;
    const struct cli_arg rows[] = {
        { .name = "--from",
          .text = &d.from,
          .help = "a document to follow on, instead of the one in force" },
        { .name = "--enrolments",
          .flag = &d.all,
          .help = "with every enrolled key that is not in it" },
        { .name = "--enrolment",
          .list = &d.people,
          .help = "with those of these persons" },
        { .name = "--revoke",
          .list = &d.revoke,
          .once = true,
          .help = "PERSON, or PERSON:WORDS for one key; may repeat" },
        { .name = "--out",
          .text = &d.to,
          .help = "file to write [standard output]" },
        { 0 },
    };
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    TRY(draft(&text, &d));
    if (!d.to)
        return cli_say("%s\n", text);
    TRY(file_write(d.to, text, strlen(text), 0644));
    cli_note("%sthen: mpcsign policy propose %s",
             d.all || d.people.n || d.revoke.n ? "" : "edit it, ", d.to);
    return RC_OK;
}
