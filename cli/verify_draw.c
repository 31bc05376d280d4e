/* SPDX-License-Identifier: Apache-2.0 */
/* The Merkle path as a small tree, and what happened when as a line. */
#include "cli/verify_page.h"

#include <stdlib.h>
#include <string.h>

#include "base/enc.h"

#define LEVELS_MAX 64
#define SHOWN_MAX  9 /* of the levels above the leaf; the middle is left out */
#define ROW        58
#define WIDE       320
#define LEFT       88
#define RIGHT      232
#define BOX_W      128
#define BOX_H      26

/* ---- the tree ---------------------------------------------------------------- */

struct level {
    bool right;        /* the path's node is its parent's right child */
    const char *given; /* the other child */
    char own[65];      /* the path's node */
};

static void step_up(struct tlog_hash *node, const struct level *at)
{
    struct tlog_hash given = { { 0 } };
    const struct tlog_hash own = *node;
    if (at->given && strlen(at->given) == 64 &&
        enc_unhex(given.b, 32, at->given, 64) != RC_OK)
        memset(&given, 0, sizeof(given));
    if (at->right)
        tlog_node_hash(node, &given, &own);
    else
        tlog_node_hash(node, &own, &given);
}

/* RFC 6962 section 2.1.1: which side the path's node is on, leaf to root. */
static unsigned read_levels(struct level at[LEVELS_MAX], const json_t *proof)
{
    const json_t *path = json_object_get(proof, "path");
    uint64_t node = (uint64_t)verify_int(proof, "index");
    uint64_t last = (uint64_t)verify_int(proof, "size") - 1;
    unsigned n = 0;
    struct tlog_hash own;
    if (enc_unhex(own.b, 32, verify_str(proof, "leaf"), 64) != RC_OK)
        return 0;
    for (size_t i = 0; i < json_array_size(path) && n < LEVELS_MAX; i++) {
        bool right = (node & 1) || node == last;
        at[n].right = right;
        at[n].given = json_string_value(json_array_get(path, i));
        enc_hex(at[n].own, own.b, 32);
        step_up(&own, &at[n++]);
        while (right && !(node & 1) && node) {
            node >>= 1;
            last >>= 1;
        }
        node >>= 1;
        last >>= 1;
    }
    return n;
}

static void edge(FILE *f, int x, int y, int to_x, int to_y, bool on)
{
    fprintf(f, "<path class=\"e%s\" d=\"M%d %dC%d %d %d %d %d %d\"/>\n",
            on ? " on" : "", x, y, x, (y + to_y) / 2, to_x, (y + to_y) / 2,
            to_x, to_y);
}

static void box(FILE *f, int x, int y, const char *class, const char *hash,
                const char *label)
{
    fprintf(f,
            "<g class=\"n %s\"><rect x=\"%d\" y=\"%d\" width=\"%d\" "
            "height=\"%d\" rx=\"6\"/><text x=\"%d\" y=\"%d\">%.10s…</text>",
            class, x - BOX_W / 2, y - BOX_H / 2, BOX_W, BOX_H, x, y + 4,
            hash ? hash : "");
    if (label) {
        fprintf(f, "<text class=\"l\" x=\"%d\" y=\"%d\">", x, y + 28);
        verify_text(f, label);
        fputs("</text>", f);
    }
    fputs("</g>\n", f);
}

/* Where on the page the path's node of a level stands. */
static int path_x(const struct level *at, unsigned n, unsigned level)
{
    if (level == n)
        return WIDE / 2;
    return at[level].right ? RIGHT : LEFT;
}

static void gap(FILE *f, int y, unsigned levels)
{
    fprintf(f,
            "<g class=\"n\"><text class=\"l\" x=\"%d\" y=\"%d\">⋮ %u more "
            "levels ⋮</text></g>\n",
            WIDE / 2, y, levels);
}

struct shown {
    unsigned level[SHOWN_MAX + 1];
    unsigned n;
    unsigned left_out; /* between the two halves */
};

static void choose_levels(struct shown *s, unsigned n)
{
    s->n = 0;
    s->left_out = n > SHOWN_MAX ? n - SHOWN_MAX : 0;
    for (unsigned i = 0; i < n; i++) {
        unsigned below = SHOWN_MAX / 2 + 1;
        if (s->left_out && i >= below && i < below + s->left_out)
            continue;
        s->level[s->n++] = i;
    }
}

static void draw_level(FILE *f, const struct level *at, unsigned n,
                       unsigned level, int y, int up_y)
{
    int x = path_x(at, n, level);
    int other = x == LEFT ? RIGHT : LEFT;
    int up = path_x(at, n, level + 1);
    edge(f, other, y - BOX_H / 2, up, up_y + BOX_H / 2, false);
    edge(f, x, y - BOX_H / 2, up, up_y + BOX_H / 2, true);
    box(f, other, y, "given", at[level].given, NULL);
}

void verify_draw_tree(FILE *f, const json_t *proof, const char *what)
{
    struct level at[LEVELS_MAX];
    struct shown s;
    char label[96];
    unsigned n = read_levels(at, proof);
    choose_levels(&s, n);
    int rows = (int)s.n + (s.left_out > 0);
    int high = 40 + rows * ROW + 40;
    snprintf(label, sizeof(label), "%s, entry %lld", what,
             (long long)verify_int(proof, "index"));
    fprintf(f,
            "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Merkle path "
            "from entry %lld to the root of %lld entries\">\n",
            WIDE, high, (long long)verify_int(proof, "index"),
            (long long)verify_int(proof, "size"));
    for (unsigned i = 0; i < s.n; i++) {
        bool above_gap = s.left_out && s.level[i] > SHOWN_MAX / 2;
        int y = high - 44 - (int)i * ROW - (above_gap ? ROW : 0);
        draw_level(f, at, n, s.level[i], y, y - ROW);
        if (s.left_out && s.level[i] == SHOWN_MAX / 2)
            gap(f, y - ROW + 6, s.left_out);
        if (i > 0)
            box(f, path_x(at, n, s.level[i]), y, "", at[s.level[i]].own, NULL);
    }
    box(f, WIDE / 2, high - 44 - rows * ROW, n ? "root" : "root leaf",
        verify_str(proof, "root"), NULL);
    if (n)
        box(f, path_x(at, n, 0), high - 44, "leaf", verify_str(proof, "leaf"),
            label);
    fputs("</svg>\n", f);
}

/* ---- the line of time ---------------------------------------------------------- */

struct event {
    json_int_t at;
    int order; /* among those of one second */
    const char *what;
    const char *class;
    const char *more;
};

static int by_time(const void *a, const void *b)
{
    const struct event *x = a;
    const struct event *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->order - y->order;
}

static void say_event(FILE *f, const struct event *e, json_int_t zero)
{
    json_int_t off = e->at - zero;
    fprintf(f, "<li class=\"%s\"><b>", e->class);
    verify_text(f, e->what);
    fputs("</b><span class=\"dim\">", f);
    verify_time(f, e->at);
    if (off != 0 && off > -86400 && off < 86400)
        fprintf(f, " · %+lld s", (long long)off);
    if (*e->more) {
        fputs(" · ", f);
        verify_text(f, e->more);
    }
    fputs("</span></li>\n", f);
}

void verify_draw_line(FILE *f, const json_t *facts)
{
    const json_t *session = json_object_get(facts, "session");
    const json_t *birth = json_object_get(facts, "birth");
    const json_t *cert = json_object_get(facts, "certificate");
    const json_t *sign = json_object_get(facts, "signed");
    bool asked = json_array_size(json_object_get(facts, "approvals")) > 0;
    bool own = json_is_true(json_object_get(birth, "ephemeral"));
    struct event e[8];
    size_t n = 0;
    json_int_t zero = verify_int(session, "created");
    if (birth && !own)
        e[n++] = (struct event){ verify_int(birth, "asked"), 0,
                                 "The key was asked for", "",
                                 "made and logged right after" };
    if (session)
        e[n++] = (struct event){
            zero, 1, asked ? "This signature was asked for" : "Session opened",
            "", asked ? "approvals came between here and the intent" : ""
        };
    if (cert)
        e[n++] = (struct event){ verify_int(cert, "not_before"), 2,
                                 "The certificate begins", "",
                                 "dated back by half a minute" };
    if (sign)
        e[n++] = (struct event){ verify_int(sign, "first"), 3,
                                 own ? "Key born, intent logged, signed"
                                     : "Intent logged, then signed",
                                 "key", "by the signers' clocks" };
    if (json_object_get(facts, "receipt_cosigned"))
        e[n++] = (struct event){ verify_int(facts, "receipt_cosigned"), 4,
                                 "Receipt logged and cosigned", "key",
                                 "the evidence is complete" };
    if (json_object_get(facts, "intent_expires"))
        e[n++] = (struct event){ verify_int(facts, "intent_expires"), 5,
                                 "The intent ends", "end",
                                 "no share is released after it" };
    if (cert)
        e[n++] = (struct event){ verify_int(cert, "not_after"), 6,
                                 "The certificate ends", "end",
                                 "the signature stands: it was made before" };
    qsort(e, n, sizeof(*e), by_time);
    fputs("<ol class=\"line\">\n", f);
    for (size_t i = 0; i < n; i++)
        say_event(f, &e[i], zero);
    fputs("</ol>\n", f);
}
