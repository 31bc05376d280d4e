/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The roster text of FORMATS section 2: the log's key and, per node, its
 * identity, box and custodian keys. Public keys only. Each line is encoded
 * again and compared when it is read, so that one roster has one hash.
 */
#include "transparency/transparency.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"

#define FIRST_LINE     "mpc-roster/1\n"
#define CUSTODIANS_MAX 8
/* "node 65535 ", two keys, eight more, separators, LF and NUL */
#define LINE_MAX_LEN   (11 + (2 + CUSTODIANS_MAX) * 65 + 2)

static enum rc node_ok(const struct tlog_roster_node *node)
{
    if (node->id == 0)
        return rc_raise(RC_PARSE, "roster: node 0");
    if (node->n_custodians > CUSTODIANS_MAX)
        return rc_raise(RC_PARSE,
                        "roster: node %u has %u custodians, "
                        "at most %d",
                        node->id, node->n_custodians, CUSTODIANS_MAX);
    for (unsigned i = 1; i < node->n_custodians; i++)
        if (memcmp(node->custodian[i - 1], node->custodian[i], 32) >= 0)
            return rc_raise(RC_PARSE,
                            "roster: custodians of node %u not ascending",
                            node->id);
    return RC_OK;
}

/* Ascending ids, and no two nodes with one identity. */
static enum rc roster_ok(const struct tlog_roster *r)
{
    if (r->n == 0 || r->n > TLOG_MAX_NODES)
        return rc_raise(RC_PARSE, "roster: %u nodes, want 1 to %d", r->n,
                        TLOG_MAX_NODES);
    if (r->log.type != TLOG_SIG_ED25519)
        return rc_raise(RC_PARSE, "roster: log key of type %u", r->log.type);
    for (unsigned i = 0; i < r->n; i++) {
        TRY(node_ok(&r->node[i]));
        if (i > 0 && r->node[i].id <= r->node[i - 1].id)
            return rc_raise(RC_PARSE, "roster: nodes not ascending at %u", i);
        for (unsigned j = 0; j < i; j++)
            if (memcmp(r->node[i].identity, r->node[j].identity, 32) == 0)
                return rc_raise(RC_PARSE,
                                "roster: nodes %u and %u share an identity",
                                r->node[j].id, r->node[i].id);
    }
    return RC_OK;
}

/* Length of the line; node passed node_ok(). */
static size_t node_line(char out[LINE_MAX_LEN],
                        const struct tlog_roster_node *node)
{
    char identity[ENC_HEX_SIZE(32)];
    char box[ENC_HEX_SIZE(32)];
    size_t at = (size_t)snprintf(out, LINE_MAX_LEN, "node %u %s %s ", node->id,
                                 enc_hex(identity, node->identity, 32),
                                 enc_hex(box, node->box, 32));
    if (node->n_custodians == 0)
        out[at++] = '-';
    for (unsigned i = 0; i < node->n_custodians; i++) {
        if (i > 0)
            out[at++] = ',';
        enc_hex(out + at, node->custodian[i], 32);
        at += ENC_HEX_LEN(32);
    }
    out[at++] = '\n';
    out[at] = '\0';
    return at;
}

struct text {
    char *p;
    size_t cap;
    size_t len;
    bool full;
};

static void add(struct text *t, const char *s, size_t len)
{
    /* one byte stays for the NUL */
    if (t->full || len >= t->cap - t->len || t->len + len > TLOG_ROSTER_MAX) {
        t->full = true;
        return;
    }
    memcpy(t->p + t->len, s, len);
    t->len += len;
}

enum rc tlog_roster_encode(char *out, size_t cap, size_t *len,
                           const struct tlog_roster *r)
{
    char vkey[TLOG_VKEY_MAX];
    char line[LINE_MAX_LEN];
    if (roster_ok(r) != RC_OK)
        return RC_ARG;
    if (cap == 0)
        return rc_raise(RC_NOMEM, "roster: no room");
    struct text t = { .p = out, .cap = cap };
    tlog_vkey_text(vkey, &r->log);
    add(&t, FIRST_LINE "log ", strlen(FIRST_LINE "log "));
    add(&t, vkey, strlen(vkey));
    add(&t, "\n", 1);
    for (unsigned i = 0; i < r->n; i++)
        add(&t, line, node_line(line, &r->node[i]));
    if (t.full) {
        out[0] = '\0';
        return rc_raise(RC_TOO_LARGE, "roster: over %zu bytes",
                        cap < TLOG_ROSTER_MAX ? cap : (size_t)TLOG_ROSTER_MAX);
    }
    out[t.len] = '\0';
    *len = t.len;
    return RC_OK;
}

/* The next word up to `end`, which is taken too; NULL when there is none. */
static const char *word(const char **p, size_t *left, char end, size_t *len)
{
    const char *at = *p;
    const char *stop = *left ? memchr(at, end, *left) : NULL;
    if (!stop)
        return NULL;
    *len = (size_t)(stop - at);
    *left -= *len + 1;
    *p = stop + 1;
    return at;
}

static enum rc read_custodians(struct tlog_roster_node *node, const char *p,
                               size_t len)
{
    if (len == 1 && p[0] == '-')
        return RC_OK;
    for (;; p++, len--) {
        if (node->n_custodians == CUSTODIANS_MAX)
            return rc_raise(RC_PARSE, "roster: over %d custodians",
                            CUSTODIANS_MAX);
        if (len < ENC_HEX_LEN(32))
            return rc_raise(RC_PARSE, "roster: short custodian key");
        TRY(enc_unhex(node->custodian[node->n_custodians++], 32, p,
                      ENC_HEX_LEN(32)));
        p += ENC_HEX_LEN(32);
        len -= ENC_HEX_LEN(32);
        if (len == 0)
            return RC_OK;
        if (*p != ',')
            return rc_raise(RC_PARSE, "roster: want ',' between custodians");
    }
}

/* line without its LF */
static enum rc read_node(struct tlog_roster_node *out, const char *line,
                         size_t len)
{
    struct tlog_roster_node node = { .id = 0 };
    const char *p = line;
    size_t left = len;
    size_t n[4] = { 0 };
    const char *w[4];
    for (unsigned i = 0; i < 4; i++) {
        w[i] = word(&p, &left, ' ', &n[i]);
        if (!w[i])
            return rc_raise(RC_PARSE, "roster: want node, id and three keys");
    }
    uint64_t id;
    TRY(enc_undec(&id, w[1], n[1]));
    if (id == 0 || id > UINT16_MAX)
        return rc_raise(RC_PARSE, "roster: node id out of range");
    node.id = (uint16_t)id;
    TRY(enc_unhex(node.identity, 32, w[2], n[2]));
    TRY(enc_unhex(node.box, 32, w[3], n[3]));
    TRY(read_custodians(&node, p, left));
    TRY(node_ok(&node));
    char again[LINE_MAX_LEN];
    size_t again_len = node_line(again, &node);
    if (again_len != len + 1 || memcmp(again, line, len) != 0)
        return rc_raise(RC_PARSE,
                        "roster: line of node %u is not the one "
                        "text of its content",
                        node.id);
    *out = node;
    return RC_OK;
}

/* "log <vkey>", without its LF */
static enum rc read_log(struct tlog_vkey *out, const char *line, size_t len)
{
    char text[TLOG_VKEY_MAX] = "";
    char again[TLOG_VKEY_MAX];
    if (len < 4 || memcmp(line, "log ", 4) != 0 || len - 4 >= sizeof(text))
        return rc_raise(RC_PARSE, "roster: second line is not log <vkey>");
    memcpy(text, line + 4, len - 4);
    TRY(tlog_vkey_parse(out, text));
    if (strlen(tlog_vkey_text(again, out)) != len - 4 ||
        strcmp(again, text) != 0)
        return rc_raise(RC_PARSE, "roster: vkey is not its one text");
    return RC_OK;
}

enum rc tlog_roster_decode(struct tlog_roster *out, const char *text,
                           size_t len)
{
    struct tlog_roster r = { .n = 0 };
    const size_t first = strlen(FIRST_LINE);
    if (len > TLOG_ROSTER_MAX)
        return rc_raise(RC_TOO_LARGE, "roster: %zu bytes, at most %d", len,
                        TLOG_ROSTER_MAX);
    if (len < first || memcmp(text, FIRST_LINE, first) != 0)
        return rc_raise(RC_PARSE, "roster: first line is not mpc-roster/1");
    const char *p = text + first;
    size_t left = len - first;
    size_t n = 0;
    const char *line = word(&p, &left, '\n', &n);
    if (!line)
        return rc_raise(RC_PARSE, "roster: no log line");
    TRY(read_log(&r.log, line, n));
    while (left > 0) {
        line = word(&p, &left, '\n', &n);
        if (!line)
            return rc_raise(RC_PARSE, "roster: last line has no LF");
        if (r.n == TLOG_MAX_NODES)
            return rc_raise(RC_PARSE, "roster: over %d nodes", TLOG_MAX_NODES);
        TRY(read_node(&r.node[r.n++], line, n));
    }
    TRY(roster_ok(&r));
    *out = r;
    return RC_OK;
}

const struct tlog_roster_node *tlog_roster_find(const struct tlog_roster *r,
                                                uint16_t id)
{
    for (unsigned i = 0; i < r->n; i++)
        if (r->node[i].id == id)
            return &r->node[i];
    return NULL;
}
