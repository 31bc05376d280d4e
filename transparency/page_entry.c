/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One entry for people: its fields, what cites it, and its proof drawn as the
 * tree it is: the path from the entry up to the root that the log signed. The
 * browser recomputes the same picture by itself (page.js).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/hash.h"
#include "transparency/page.h"

#define CITES_MAX 20
#define ROW_H     62 /* drawing units a level */
#define BOX_W     158
#define BOX_H     30
#define DRAWING_W 360

static const struct {
    enum tlog_kind kind;
    const char *name;
    const char *what;
} kinds[] = {
    { TLOG_INTENT, "intent", "what is about to be signed" },
    { TLOG_RECEIPT, "receipt", "the signature that came of an intent" },
    { TLOG_ABORT, "abort", "nothing came of an intent" },
    { TLOG_BIRTH, "birth", "a key was made" },
    { TLOG_EPOCH, "epoch", "a key's shares moved" },
    { TLOG_POLICY, "policy", "a policy version came into force" },
    { TLOG_EVIDENCE, "evidence", "a node showed what it runs" },
    { TLOG_DSSE, "dsse", "a signature, as clients of Sigstore read it" },
    { TLOG_OPAQUE, "opaque", "not an entry of ours" },
};

static unsigned kind_at(const char *entry, size_t len)
{
    enum tlog_kind kind = tlog_entry_kind(entry, len);
    unsigned i = 0;
    while (kinds[i].kind != kind)
        i++;
    return i;
}

/* The value of a line, or NULL. */
static const char *field(const char *entry, size_t len, const char *name,
                         size_t *value_len)
{
    const char *end = entry + len;
    size_t n = strlen(name);
    for (const char *p = entry, *lf;
         (lf = memchr(p, '\n', (size_t)(end - p))) != NULL; p = lf + 1)
        if ((size_t)(lf - p) > n && memcmp(p, name, n) == 0 && p[n] == ' ') {
            *value_len = (size_t)(lf - p) - n - 1;
            return p + n + 1;
        }
    return NULL;
}

static void say(struct html *h, const char *entry, size_t len, const char *name,
                size_t max)
{
    size_t n;
    const char *v = field(entry, len, name, &n);
    if (!v)
        return;
    html_raw(h,
             " <span class=\"p\"><span class=\"f\">%s</span> <span "
             "class=\"v\">",
             name);
    html_text(h, v, n < max ? n : max);
    html_raw(h, "%s</span></span>", n > max ? "\xe2\x80\xa6" : "");
}

void page_summary(struct html *h, const char *entry, size_t len)
{
    static const char *const names[] = { "slot",    "class", "type",  "intent",
                                         "version", "node",  "reason" };
    unsigned at = kind_at(entry, len);
    html_raw(h, "<span class=\"kind k-%s\">%s</span>", kinds[at].name,
             kinds[at].name);
    if (kinds[at].kind == TLOG_OPAQUE || kinds[at].kind == TLOG_DSSE)
        return;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        say(h, entry, len, names[i], 20);
    say(h, entry, len, "key", 12);
    say(h, entry, len, "signature", 12);
}

/* ---- fields -------------------------------------------------------------- */

static bool is(const char *name, size_t len, const char *with)
{
    return len == strlen(with) && memcmp(name, with, len) == 0;
}

/* Sets are named by many entries: no index leads to them. */
static void value_hex(struct html *h, const char *name, size_t len,
                      const char *hex)
{
    static const char empty[] = "e3b0c44298fc1c149afbf4c8996fb924"
                                "27ae41e4649b934ca495991b7852b855";
    if (is(name, len, "approvals") || is(name, len, "participants") ||
        is(name, len, "endorsements") || is(name, len, "roster")) {
        html_raw(h, "<span class=\"hash\">%.64s</span>%s", hex,
                 memcmp(hex, empty, 64) == 0 ? " (none)" : "");
        return;
    }
    html_digest(h, hex, 64);
}

static void value(struct html *h, const char *name, size_t name_len,
                  const char *v, size_t len)
{
    uint64_t n;
    char when[CLOCK_TEXT_SIZE];
    bool number = enc_undec(&n, v, len) == RC_OK;
    if (len == 64 && strspn(v, "0123456789abcdef") >= 64) {
        value_hex(h, name, name_len, v);
    } else if (number &&
               (is(name, name_len, "intent") || is(name, name_len, "birth"))) {
        html_raw(h, "<a href=\"/entry/%" PRIu64 "\">entry %" PRIu64 "</a>", n,
                 n);
    } else if (number && is(name, name_len, "expires") && n < 253402300800) {
        html_raw(h, "%s", clock_text(when, (int64_t)n));
    } else {
        html_text(h, v, len);
    }
}

static void fields(struct html *h, const char *entry, size_t len)
{
    const char *end = entry + len;
    const char *p = memchr(entry, '\n', len);
    html_raw(h, "<dl>");
    while (p && ++p < end) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        const char *sp = lf ? memchr(p, ' ', (size_t)(lf - p)) : NULL;
        if (!sp)
            break;
        html_raw(h, "<dt>");
        html_text(h, p, (size_t)(sp - p));
        html_raw(h, "</dt><dd>");
        value(h, p, (size_t)(sp - p), sp + 1, (size_t)(lf - sp) - 1);
        html_raw(h, "</dd>\n");
        p = lf;
    }
    html_raw(h, "</dl>\n");
}

static void digest_of(struct html *h, const char *name, const void *p,
                      size_t len)
{
    uint8_t digest[32];
    char hex[ENC_HEX_SIZE(32)];
    hash256(digest, p, len);
    html_raw(h, "<dt>%s</dt><dd>", name);
    html_digest(h, enc_hex(hex, digest, 32), 64);
    html_raw(h, "</dd>\n");
}

/* As receipts name them: so one leads to the other. */
static void dsse_fields(struct html *h, const char *entry, size_t len)
{
    struct tlog_dsse d;
    char hex[ENC_HEX_SIZE(32)];
    if (tlog_dsse_decode(&d, entry, len) != RC_OK)
        return;
    html_raw(h, "<dl><dt>payload</dt><dd>");
    html_digest(h, enc_hex(hex, d.payload, 32), 64);
    html_raw(h, "</dd>\n");
    digest_of(h, "signature", d.signature, sizeof(d.signature));
    digest_of(h, "certificate", d.cert, d.cert_len);
    html_raw(h, "</dl>\n");
}

static void cited_by(struct html *h, struct log_public *p, uint64_t index)
{
    uint64_t at[CITES_MAX];
    if (!p->find)
        return;
    unsigned n = log_find_cites(p->find, at, CITES_MAX, index);
    html_raw(h, "<p class=\"%s\">", n ? "good" : "warn");
    if (n == 0)
        html_raw(h, "No receipt or abort cites this intent yet.");
    for (unsigned i = 0; i < n; i++)
        html_raw(h, "%s<a href=\"/entry/%" PRIu64 "\">entry %" PRIu64 "</a>",
                 i ? ", " : "Came to an end in ", at[i], at[i]);
    html_raw(h, "</p>\n");
}

/* ---- the drawing --------------------------------------------------------- */

static void box(struct html *h, bool left, unsigned y, const char *class,
                const char *id, const char *label, const struct tlog_hash *hash)
{
    char hex[ENC_HEX_SIZE(32)];
    unsigned x = left ? 8 : DRAWING_W - 8 - BOX_W;
    enc_hex(hex, hash->b, 32);
    html_raw(h,
             "<g class=\"%s\" id=\"%s\" data-hash=\"%s\"><title>%s %s</title>"
             "<rect x=\"%u\" y=\"%u\" width=\"%d\" height=\"%d\" rx=\"5\"/>"
             "<text x=\"%u\" y=\"%u\">%.14s\xe2\x80\xa6</text></g>\n",
             class, id, hex, label, hex, x, y, BOX_W, BOX_H, x + BOX_W / 2,
             y + 20, hex);
}

static void line(struct html *h, unsigned x1, unsigned y1, unsigned x2,
                 unsigned y2, bool on_path)
{
    html_raw(h, "<path class=\"%s\" d=\"M%u %uC%u %u %u %u %u %u\"/>",
             on_path ? "e on" : "e", x1, y1, x1, (y1 + y2) / 2, x2,
             (y1 + y2) / 2, x2, y2);
}

/* From the leaf up: is the sibling at the left, and what the pair hashes to. */
struct step {
    bool left;
    struct tlog_hash below; /* ours */
    struct tlog_hash sibling;
};

static unsigned climb(struct step out[TLOG_PATH_MAX], struct tlog_hash *root,
                      const struct tlog_proof *p, uint64_t size)
{
    uint64_t fn = p->index;
    uint64_t sn = size - 1;
    struct tlog_hash h;
    tlog_leaf_hash(&h, p->entry, p->entry_len);
    for (unsigned i = 0; i < p->path.n; i++) {
        out[i].left = (fn & 1) || fn == sn;
        out[i].below = h;
        out[i].sibling = p->path.hash[i];
        if (out[i].left) {
            tlog_node_hash(&h, &p->path.hash[i], &h);
            for (; !(fn & 1) && fn != 0; fn >>= 1)
                sn >>= 1;
        } else {
            tlog_node_hash(&h, &h, &p->path.hash[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    *root = h;
    return p->path.n;
}

static void draw(struct html *h, const struct tlog_proof *p, uint64_t size)
{
    struct step step[TLOG_PATH_MAX];
    struct tlog_hash root;
    unsigned n = climb(step, &root, p, size);
    char hex[ENC_HEX_SIZE(32)];
    char id[16];
    unsigned from = DRAWING_W / 2;
    enc_hex(hex, root.b, 32);
    html_raw(h,
             "<svg id=\"tree\" viewBox=\"0 0 %d %u\" role=\"img\" "
             "aria-label=\"Path of %u hashes from entry %" PRIu64
             " to the root\">\n",
             DRAWING_W, n * ROW_H + BOX_H + 10, n, p->index);
    for (unsigned j = 0; j < n; j++) { /* from the top */
        const struct step *s = &step[n - 1 - j];
        unsigned y = (j + 1) * ROW_H;
        unsigned ours = s->left ? DRAWING_W - 8 - BOX_W / 2 : 8 + BOX_W / 2;
        line(h, from, j * ROW_H + BOX_H + 4, DRAWING_W - ours, y + 4, false);
        line(h, from, j * ROW_H + BOX_H + 4, ours, y + 4, true);
        from = ours;
    }
    html_raw(h,
             "<g class=\"node root\" id=\"n%u\" data-hash=\"%s\"><title>root "
             "%s</title><rect x=\"%d\" y=\"4\" width=\"%d\" height=\"%d\" "
             "rx=\"5\"/><text x=\"%d\" y=\"24\">root %.10s\xe2\x80\xa6</text>"
             "</g>\n",
             n, hex, hex, (DRAWING_W - BOX_W) / 2, BOX_W, BOX_H, DRAWING_W / 2,
             hex);
    for (unsigned i = n; i-- > 0;) {
        unsigned y = (n - i) * ROW_H + 4;
        snprintf(id, sizeof(id), "s%u", i);
        box(h, step[i].left, y, "node given", id, "from the proof",
            &step[i].sibling);
        snprintf(id, sizeof(id), "n%u", i);
        box(h, !step[i].left, y, i ? "node" : "node leaf", id,
            i ? "computed" : "hash of the entry", &step[i].below);
    }
    html_raw(h, "</svg>\n");
}

/* ---- all of it ----------------------------------------------------------- */

static void proof_part(struct html *h, const struct tlog_proof *proof,
                       const struct tlog_checkpoint *cp)
{
    html_raw(h,
             "<section><h2>Proof</h2>\n<p>Hashing the entry with each given "
             "hash, from the bottom up, gives the root of the tree of %" PRIu64
             " entries, which the log signed.</p>\n"
             "<p id=\"verdict\" class=\"verdict\" data-index=\"%" PRIu64
             "\" role=\"status\">Computed by the log; not checked in this "
             "browser.</p>\n<div class=\"draw\">",
             cp->size, proof->index);
    draw(h, proof, cp->size);
    html_raw(h, "</div>\n<ul class=\"key\"><li class=\"c-leaf\">the entry</li>"
                "<li class=\"c-node\">computed</li><li class=\"c-given\">from "
                "the proof</li><li class=\"c-ok js\" hidden>computed "
                "in this browser</li></ul>\n<h2>Checkpoint</h2><pre>");
    html_text(h, proof->checkpoint, strlen(proof->checkpoint));
    html_raw(h, "</pre></section>\n");
}

void page_entry(struct html *h, struct log_public *p,
                const struct tlog_proof *proof)
{
    struct tlog_checkpoint cp;
    unsigned at = kind_at(proof->entry, proof->entry_len);
    struct tlog_hash leaf;
    char hex[ENC_HEX_SIZE(32)];
    if (tlog_checkpoint_open(&cp, proof->checkpoint, strlen(proof->checkpoint),
                             &p->vkey) != RC_OK)
        return;
    tlog_leaf_hash(&leaf, proof->entry, proof->entry_len);
    html_raw(h,
             "<h1>Entry %" PRIu64 "</h1>\n<p class=\"lead\"><span class=\"kind "
             "k-%s\">%s</span> %s</p>\n",
             proof->index, kinds[at].name, kinds[at].name, kinds[at].what);
    if (kinds[at].kind == TLOG_INTENT)
        cited_by(h, p, proof->index);
    html_raw(h, "<section>");
    if (kinds[at].kind == TLOG_DSSE)
        dsse_fields(h, proof->entry, proof->entry_len);
    else if (kinds[at].kind != TLOG_OPAQUE)
        fields(h, proof->entry, proof->entry_len);
    html_raw(h, "<details%s><summary>Exact bytes</summary><pre>",
             kinds[at].kind == TLOG_OPAQUE ? " open" : "");
    html_text(h, proof->entry, proof->entry_len);
    html_raw(h,
             "</pre></details>\n<p class=\"files\"><a "
             "href=\"/v1/log/entry/%" PRIu64 "\" download=\"%" PRIu64
             ".entry\">entry</a> <a "
             "href=\"/v1/log/proof/%" PRIu64 "\" download=\"%" PRIu64
             ".tlog-proof\">tlog-proof</a></p><p>Leaf hash <span "
             "class=\"hash\">%s</span></p></section>\n",
             proof->index, proof->index, proof->index, proof->index,
             enc_hex(hex, leaf.b, 32));
    proof_part(h, proof, &cp);
    html_raw(h, "<nav class=\"pn\">");
    if (proof->index > 0)
        html_raw(h, "<a href=\"/entry/%" PRIu64 "\">&larr; %" PRIu64 "</a> ",
                 proof->index - 1, proof->index - 1);
    if (proof->index + 1 < cp.size)
        html_raw(h, "<a href=\"/entry/%" PRIu64 "\">%" PRIu64 " &rarr;</a>",
                 proof->index + 1, proof->index + 1);
    html_raw(h, "</nav>\n");
}
