/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the audit chain says: a row for every call of a socket caller, once it
 * is answered; for every call of a peer; and for every share, before it is
 * made, or why it is not. Texts name fields and sizes, never contents.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"

#define FLUSH_AT  512   /* rows that wait; else the next tick takes them */
#define PAGE_ROWS 60    /* of refused calls of the page, */
#define PAGE_MS   60000 /* in this time */

/* ---- rows ------------------------------------------------------------------- */

void audit_result(struct wire_audit_row *row, enum rc rc, const char *why)
{
    snprintf(row->result, sizeof(row->result), "%s", rc_slug(rc));
    if (rc != RC_OK)
        snprintf(row->detail, sizeof(row->detail), "%s", why);
}

void audit_session(struct wire_audit_row *row, const uint8_t id[32])
{
    enc_hex(row->session, id, 32);
}

void node_audit(struct node *n, const struct wire_audit_row *in)
{
    struct wire_audit_row row = *in;
    row.at = (uint64_t)n->w.now_s(n->w.ctx);
    store_audit_note(n->w.store, &row);
}

static void set_method(struct wire_audit_row *row, bool post, const char *path)
{
    snprintf(row->method, sizeof(row->method), "%s %s", post ? "POST" : "GET",
             path);
}

void node_audit_caller(struct wire_audit_row *row,
                       const struct node_caller *who, bool post,
                       const char *path)
{
    size_t cap = sizeof(row->actor);
    set_method(row, post, path);
    if (who->uid == NODE_STRANGER) {
        snprintf(row->actor, cap, "page");
        return;
    }
    int at = snprintf(row->actor, cap, "uid=%u", (unsigned)who->uid);
    if (who->pid)
        at += snprintf(row->actor + at, cap - (size_t)at, " pid=%d",
                       (int)who->pid);
    if (who->name)
        snprintf(row->actor + at, cap - (size_t)at, " name=%s", who->name);
}

/* ---- socket callers: a row when the answer leaves ------------------------------- */

struct audit_call {
    struct audit_call *next;
    uint64_t call;
    bool stranger;
    struct wire_audit_row row;
};

void audit_call_open(struct node *n, uint64_t call,
                     const struct node_caller *who, bool post, const char *path)
{
    /* looking at the page, which asks again and again, is no event */
    bool looks = who->uid == NODE_STRANGER && !post;
    struct audit_call *c = looks ? NULL : calloc(1, sizeof(*c));
    if (!c)
        return; /* answered all the same; a share has its own row */
    c->call = call;
    c->stranger = who->uid == NODE_STRANGER;
    node_audit_caller(&c->row, who, post, path);
    c->next = n->calls;
    n->calls = c;
}

static struct audit_call **find_call(struct node *n, uint64_t call)
{
    struct audit_call **at = &n->calls;
    while (*at && (*at)->call != call)
        at = &(*at)->next;
    return at;
}

void audit_call_session(struct node *n, uint64_t call, const uint8_t id[32])
{
    struct audit_call *c = *find_call(n, call);
    if (c)
        audit_session(&c->row, id);
}

/*
 * Anybody may be refused, as often as they like: the record must not grow by
 * that. What the page was granted always has its row.
 */
static bool is_noise(struct node *n, const struct audit_call *c, enum rc rc)
{
    if (!c->stranger || rc == RC_OK)
        return false;
    audit_page_tick(n);
    if (n->page_rows == 0)
        n->page_since_ms = n->w.now_ms(n->w.ctx);
    if (n->page_rows < PAGE_ROWS) {
        n->page_rows++;
        return false;
    }
    n->page_more++;
    return true;
}

void audit_page_tick(struct node *n)
{
    struct wire_audit_row row = { .actor = "page", .method = "page refused" };
    if (n->page_rows == 0 || n->w.now_ms(n->w.ctx) - n->page_since_ms < PAGE_MS)
        return;
    audit_result(&row, RC_OK, "");
    snprintf(row.detail, sizeof(row.detail),
             "%llu more calls were refused and have no row of their own",
             (unsigned long long)n->page_more);
    if (n->page_more)
        node_audit(n, &row);
    n->page_rows = 0;
    n->page_more = 0;
}

void audit_call_end(struct node *n, uint64_t call, enum rc rc)
{
    struct audit_call **at = find_call(n, call);
    struct audit_call *c = *at;
    if (!c)
        return;
    *at = c->next;
    audit_result(&c->row, rc, rc_text());
    if (!is_noise(n, c, rc))
        node_audit(n, &c->row);
    free(c);
}

void audit_free(struct node *n)
{
    while (n->calls) {
        struct audit_call *next = n->calls->next;
        free(n->calls);
        n->calls = next;
    }
}

/* ---- peers ----------------------------------------------------------------------- */

/* What the policy calls it, where the channel did not say. */
static void set_uri(struct wire_audit_row *row, struct node *n, uint32_t id)
{
    node_lock(n);
    const struct policy *p = policy_chain_head(n->chain);
    const struct policy_node *node = id <= UINT16_MAX
                                             ? policy_node_find(p, (uint16_t)id)
                                             : NULL;
    const char *uri = node              ? node->uri
                      : id == WORLD_LOG ? p->service[POLICY_LOG]
                      : id == WORLD_CA  ? p->service[POLICY_CA]
                                        : "";
    snprintf(row->actor, sizeof(row->actor), "%s", uri);
    node_unlock(n);
}

void audit_peer(struct wire_audit_row *row, struct node *n,
                const struct node_from *from, bool post, const char *path)
{
    if (from->uri)
        snprintf(row->actor, sizeof(row->actor), "%s", from->uri);
    else
        set_uri(row, n, from->id);
    if (from->attestation)
        snprintf(row->attestation, sizeof(row->attestation), "%s",
                 from->attestation);
    set_method(row, post, path);
}

/* ---- reading, and time ------------------------------------------------------------- */

enum rc node_audit_rows(struct node *n, uint64_t since, char **json,
                        size_t *len)
{
    WIRE(audit) out = { 0 };
    TRY(store_audit_flush(n->w.store));
    TRY(store_audit_rows(n->w.store, &out, since));
    return wire_audit_encode(json, len, &out);
}

/* Rows that no share waits for: durable soon, many at a time. */
void audit_tick(struct node *n)
{
    if (store_audit_flush(n->w.store) == RC_OK)
        return;
    /* kept in memory; shares are refused meanwhile, and say why */
}

void audit_settle(struct node *n)
{
    if (store_audit_waiting(n->w.store) >= FLUSH_AT)
        audit_tick(n);
}

void audit_expire(struct node *n)
{
    int64_t now = n->w.now_s(n->w.ctx);
    if (n->audit_keep_s > 0 &&
        store_audit_prune(n->w.store, now - n->audit_keep_s, now) != RC_OK)
        return; /* tried again with everything else that expires */
}
