/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign audit: who asked this node for what, when, and what became of it;
 * and whether the chain of those rows is whole.
 */
#include "cli/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/enc.h"

struct audit {
    const char *since;
    const char *session;
    const char *db;
    const char *head;
    bool verify;
    uint64_t from_seq;
    int64_t from_time;
    bool rows; /* are told */
    struct wire_audit_walk walk;
    json_t *list; /* -o json; owned */
    uint64_t told;
};

/* ---- words ------------------------------------------------------------------- */

/* "90m": that long ago. */
static bool is_ago(int64_t *out, const char *text)
{
    static const struct {
        char unit;
        int64_t s;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9 || !text[digits] || text[digits + 1])
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
        if (units[i].unit == text[digits]) {
            *out = clock_now_s() - strtoll(text, NULL, 10) * units[i].s;
            return true;
        }
    return false;
}

static enum rc read_since(struct audit *a)
{
    size_t digits = strspn(a->since, "0123456789");
    if (digits && digits < 19 && !a->since[digits]) {
        a->from_seq = strtoull(a->since, NULL, 10);
        return RC_OK;
    }
    return is_ago(&a->from_time, a->since)
                   ? RC_OK
                   : cli_time(&a->from_time, "--since", a->since);
}

static bool is_hex(const char *text)
{
    return strspn(text, "0123456789abcdef") == strlen(text);
}

static enum rc read_words(struct audit *a)
{
    if (a->since)
        TRY(read_since(a));
    if (a->session && (!is_hex(a->session) || strlen(a->session) < 4 ||
                       strlen(a->session) > 64))
        return rc_raise(RC_ARG, "--session: want 4 to 64 hex digits");
    if (a->head) {
        if (enc_unhex(a->walk.head, 32, a->head, strlen(a->head)) != RC_OK)
            return rc_raise(RC_ARG, "--head: want the 64 hex digits that "
                                    "--verify said");
        a->walk.wants_head = a->verify = true;
    }
    a->rows = !a->verify || a->since || a->session;
    return RC_OK;
}

/* ---- rows ---------------------------------------------------------------------- */

static json_t *row_json(const struct wire_audit_row *r)
{
    char prev[65];
    char hash[65];
    return json_pack("{s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}",
                     "seq", (json_int_t)r->seq, "at", (json_int_t)r->at, "prev",
                     enc_hex(prev, r->prev, 32), "hash",
                     enc_hex(hash, r->hash, 32), "actor", r->actor, "method",
                     r->method, "attestation", r->attestation, "session",
                     r->session, "result", r->result, "detail", r->detail);
}

/* time, who, what, result, why */
static enum rc say_row(const struct wire_audit_row *r)
{
    char at[CLOCK_TEXT_SIZE];
    return cli_say_line("%6llu  %s  %-40s  %s%s%.16s  %s%s%s",
                        (unsigned long long)r->seq,
                        clock_text(at, (int64_t)r->at), r->actor, r->method,
                        r->session[0] ? "  session " : "", r->session,
                        r->result, r->detail[0] ? ": " : "", r->detail);
}

static bool is_wanted(const struct audit *a, const struct wire_audit_row *r)
{
    return a->rows && r->seq >= a->from_seq && (int64_t)r->at >= a->from_time &&
           (!a->session ||
            strncmp(r->session, a->session, strlen(a->session)) == 0);
}

static enum rc on_row(void *ctx, const struct wire_audit_row *r)
{
    struct audit *a = ctx;
    if (a->verify)
        TRY(wire_audit_next(&a->walk, r));
    if (!is_wanted(a, r))
        return RC_OK;
    a->told++;
    if (!cli_json())
        return say_row(r);
    return json_array_append_new(a->list, row_json(r)) == 0
                   ? RC_OK
                   : rc_raise(RC_NOMEM, "audit: out of memory");
}

/* ---- the end -------------------------------------------------------------------- */

static enum rc say_verified(const struct audit *a)
{
    char head[65];
    if (!a->verify)
        return RC_OK;
    if (a->walk.n == 0)
        return cli_say("ok        no rows\n");
    return cli_say("ok        rows %llu to %llu follow from each other%s\n"
                   "head      %s\n",
                   (unsigned long long)a->walk.first,
                   (unsigned long long)a->walk.seq,
                   a->walk.first > 1 ? "; those before were pruned" : "",
                   enc_hex(head, a->walk.hash, 32));
}

static enum rc say_json(struct audit *a)
{
    char head[65];
    json_t *doc = json_pack("{s:O}", "rows", a->list);
    if (doc && a->verify)
        json_object_set_new(doc, "verified",
                            json_pack("{s:b, s:I, s:I, s:s}", "ok", 1, "first",
                                      (json_int_t)a->walk.first, "last",
                                      (json_int_t)a->walk.seq, "head",
                                      enc_hex(head, a->walk.hash, 32)));
    return cli_say_json(doc);
}

static enum rc run(struct audit *a)
{
    TRY(read_words(a));
    /* what is verified is verified from the oldest row */
    uint64_t after = a->verify || !a->from_seq ? 0 : a->from_seq - 1;
    a->list = json_array();
    if (!a->list)
        return rc_raise(RC_NOMEM, "audit: out of memory");
    TRY(a->db ? audit_read_db(a->db, after, on_row, a)
              : audit_read_sidecar(after, on_row, a));
    if (a->verify)
        TRY(wire_audit_end(&a->walk));
    return cli_json() ? say_json(a) : say_verified(a);
}

enum rc cmd_audit(int argc, char **argv)
{
    struct audit a = { .verify = false };
    const struct cli_arg rows[] = {
        { .name = "--since",
          .text = &a.since,
          .help = "from this row on, or this time: 120, "
                  "2026-11-22T03:35:00Z, 90m, 7d" },
        { .name = "--session",
          .text = &a.session,
          .help = "rows of this session; its first digits will do" },
        { .name = "--verify",
          .flag = &a.verify,
          .help = "recompute the chain; exits 10 naming the first row that "
                  "is broken" },
        { .name = "--head",
          .text = &a.head,
          .help = "the head that --verify said before must be among the "
                  "rows" },
        { .name = "--db",
          .text = &a.db,
          .help = "read this copy of a state.db instead of asking the "
                  "sidecar" },
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    enum rc rc = run(&a);
    json_decref(a.list);
    return rc;
}
