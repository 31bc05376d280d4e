/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C2SP tlog-policy files: which logs and witnesses a verifier believes, and
 * which of the witnesses must have cosigned a checkpoint. Pure; public data.
 */
#include "transparency/transparency.h"

#include <string.h>

#include "base/enc.h"

#define WORDS_MAX (3 + 2 * TLOG_TRUST_MAX)
#define WORD_MAX  TLOG_VKEY_MAX
_Static_assert(WORD_MAX >= TLOG_TRUST_URL_MAX && WORD_MAX >= TLOG_NAME_MAX,
               "a word holds each of them");

struct line {
    unsigned number;
    unsigned n;
    struct word {
        const char *p;
        size_t len;
    } word[WORDS_MAX];
};
struct reader {
    struct tlog_trust *t;
    struct line line;
    uint64_t used_witnesses; /* members of some group already */
    uint64_t used_groups;
    bool have_quorum;
};

static enum rc bad(const struct line *l, const char *why)
{
    return rc_raise(RC_PARSE, "policy: line %u: %s", l->number, why);
}

static bool is(const struct word *w, const char *text)
{
    return w->len == strlen(text) && memcmp(w->p, text, w->len) == 0;
}

/* Words between blanks; none for a comment. */
static enum rc split(struct line *out, const char *p, size_t len)
{
    out->n = 0;
    for (size_t i = 0; i < len;) {
        if (p[i] == ' ' || p[i] == '\t') {
            i++;
            continue;
        }
        if (out->n == 0 && p[i] == '#')
            return RC_OK;
        if (out->n == WORDS_MAX)
            return bad(out, "too many words");
        struct word *w = &out->word[out->n++];
        w->p = p + i;
        while (i < len && p[i] != ' ' && p[i] != '\t')
            i++;
        w->len = (size_t)(p + i - w->p);
    }
    return RC_OK;
}

static enum rc copy(char *out, size_t cap, const struct line *l,
                    const struct word *w)
{
    if (w->len >= cap)
        return bad(l, "a word is too long");
    memcpy(out, w->p, w->len);
    out[w->len] = '\0';
    return RC_OK;
}

static enum rc read_key(struct tlog_vkey *out, const struct line *l,
                        const struct word *w, uint8_t type)
{
    char text[WORD_MAX];
    TRY(copy(text, sizeof(text), l, w));
    if (tlog_vkey_parse(out, text) != RC_OK)
        return rc_prefix(RC_PARSE, "policy: line %u: ", l->number);
    if (out->type != type)
        return bad(l, type == TLOG_SIG_COSIGNATURE
                              ? "not a cosigner's key"
                              : "not a key that signs checkpoints");
    return RC_OK;
}

/* A witness by its index, a group behind them; -1: no such name. */
static int find(const struct tlog_trust *t, const struct word *name)
{
    for (unsigned i = 0; i < t->n_witnesses; i++)
        if (is(name, t->witness[i].name))
            return (int)i;
    for (unsigned i = 0; i < t->n_groups; i++)
        if (is(name, t->group[i].name))
            return (int)(TLOG_TRUST_MAX + i);
    return -1;
}

static enum rc new_name(char out[TLOG_NAME_MAX], const struct reader *r)
{
    const struct word *name = &r->line.word[1];
    if (is(name, "none") || find(r->t, name) >= 0)
        return bad(&r->line, "this name is taken");
    return copy(out, TLOG_NAME_MAX, &r->line, name);
}

static enum rc on_log(struct reader *r)
{
    struct tlog_trust *t = r->t;
    const struct line *l = &r->line;
    if (l->n < 2 || l->n > 3)
        return bad(l, "want log <vkey> [<url>]");
    if (t->n_logs == TLOG_TRUST_MAX)
        return bad(l, "too many logs");
    struct tlog_trust_log *log = &t->log[t->n_logs];
    TRY(read_key(&log->key, l, &l->word[1], TLOG_SIG_ED25519));
    for (unsigned i = 0; i < t->n_logs; i++)
        if (memcmp(t->log[i].key.key, log->key.key, 32) == 0)
            return bad(l, "this log stands there already");
    if (l->n == 3)
        TRY(copy(log->url, sizeof(log->url), l, &l->word[2]));
    t->n_logs++;
    return RC_OK;
}

static enum rc on_witness(struct reader *r)
{
    struct tlog_trust *t = r->t;
    const struct line *l = &r->line;
    if (l->n < 3 || l->n > 4)
        return bad(l, "want witness <name> <vkey> [<url>]");
    if (t->n_witnesses == TLOG_TRUST_MAX)
        return bad(l, "too many witnesses");
    struct tlog_trust_witness *w = &t->witness[t->n_witnesses];
    TRY(new_name(w->name, r));
    TRY(read_key(&w->key, l, &l->word[2], TLOG_SIG_COSIGNATURE));
    for (unsigned i = 0; i < t->n_witnesses; i++)
        if (memcmp(t->witness[i].key.key, w->key.key, 32) == 0)
            return bad(l, "this witness stands there already");
    if (l->n == 4)
        TRY(copy(w->url, sizeof(w->url), l, &l->word[3]));
    t->n_witnesses++;
    return RC_OK;
}

/* Each name is a member of one group at most: it counts only once. */
static enum rc add_member(struct reader *r, struct tlog_trust_group *g,
                          const struct word *name)
{
    int at = find(r->t, name);
    if (at < 0)
        return bad(&r->line, "a member is not defined above");
    bool is_group = at >= TLOG_TRUST_MAX;
    uint64_t bit = UINT64_C(1) << (is_group ? at - TLOG_TRUST_MAX : at);
    uint64_t *used = is_group ? &r->used_groups : &r->used_witnesses;
    if (*used & bit)
        return bad(&r->line, "a member is in a group already");
    *used |= bit;
    *(is_group ? &g->groups : &g->witnesses) |= bit;
    return RC_OK;
}

static enum rc read_k(unsigned *out, const struct line *l, unsigned n)
{
    const struct word *w = &l->word[2];
    uint64_t k = n;
    if (is(w, "any"))
        k = 1;
    else if (!is(w, "all") && enc_undec(&k, w->p, w->len) != RC_OK)
        return bad(l, "want any, all or a number of members");
    if (k < 1 || k > n)
        return bad(l, "the number is not 1 to the count of members");
    *out = (unsigned)k;
    return RC_OK;
}

static enum rc on_group(struct reader *r)
{
    struct tlog_trust *t = r->t;
    const struct line *l = &r->line;
    if (l->n < 4)
        return bad(l, "want group <name> <k>|any|all <name>...");
    if (t->n_groups == TLOG_TRUST_MAX)
        return bad(l, "too many groups");
    struct tlog_trust_group *g = &t->group[t->n_groups];
    TRY(new_name(g->name, r));
    for (unsigned i = 3; i < l->n; i++)
        TRY(add_member(r, g, &l->word[i]));
    TRY(read_k(&g->k, l, l->n - 3));
    t->n_groups++;
    return RC_OK;
}

static enum rc on_quorum(struct reader *r)
{
    const struct line *l = &r->line;
    if (l->n != 2)
        return bad(l, "want quorum <name>|none");
    if (r->have_quorum)
        return bad(l, "a second quorum");
    r->have_quorum = true;
    r->t->quorum = is(&l->word[1], "none") ? -1 : find(r->t, &l->word[1]);
    if (r->t->quorum < 0 && !is(&l->word[1], "none"))
        return bad(l, "the quorum is not defined above");
    return RC_OK;
}

static enum rc on_line(struct reader *r, const char *p, size_t len)
{
    static const struct {
        const char *word;
        enum rc (*on)(struct reader *r);
    } kinds[] = { { "log", on_log },
                  { "witness", on_witness },
                  { "group", on_group },
                  { "quorum", on_quorum } };
    r->line.number++;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return bad(&r->line, "a control character");
    }
    TRY(split(&r->line, p, len));
    if (r->line.n == 0)
        return RC_OK;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (is(&r->line.word[0], kinds[i].word))
            return kinds[i].on(r);
    return bad(&r->line, "want log, witness, group or quorum");
}

enum rc tlog_trust_read(struct tlog_trust *out, const char *text, size_t len)
{
    struct reader r = { .t = out };
    if (len > TLOG_TRUST_TEXT_MAX)
        return rc_raise(RC_TOO_LARGE, "policy: %zu bytes, at most %d", len,
                        TLOG_TRUST_TEXT_MAX);
    memset(out, 0, sizeof(*out));
    while (len > 0) {
        const char *lf = memchr(text, '\n', len);
        if (!lf)
            return rc_raise(RC_PARSE, "policy: last line has no LF");
        size_t n = (size_t)(lf - text);
        TRY(on_line(&r, text, n));
        text = lf + 1;
        len -= n + 1;
    }
    return r.have_quorum ? RC_OK : rc_raise(RC_PARSE, "policy: no quorum line");
}

bool tlog_trust_quorum(const struct tlog_trust *t, uint64_t witnesses)
{
    uint64_t met = 0; /* groups; each stands after its members */
    for (unsigned i = 0; i < t->n_groups; i++) {
        const struct tlog_trust_group *g = &t->group[i];
        int n = __builtin_popcountll(g->witnesses & witnesses) +
                __builtin_popcountll(g->groups & met);
        if ((unsigned)n >= g->k)
            met |= UINT64_C(1) << i;
    }
    if (t->quorum < 0)
        return true;
    if (t->quorum < TLOG_TRUST_MAX)
        return witnesses >> t->quorum & 1;
    return met >> (t->quorum - TLOG_TRUST_MAX) & 1;
}

/* Who of the witnesses cosigned; a bad line of a known one is no note. */
static enum rc cosigners(uint64_t *out, const struct tlog_trust *t,
                         const char *note, size_t len)
{
    for (unsigned i = 0; i < t->n_witnesses; i++) {
        enum rc rc = tlog_note_cosigned(note, len, &t->witness[i].key, NULL);
        if (rc == RC_OK)
            *out |= UINT64_C(1) << i;
        else if (rc != RC_UNKNOWN)
            return rc_prefix(rc, "witness %s: ", t->witness[i].name);
    }
    return RC_OK;
}

enum rc tlog_trust_open(struct tlog_checkpoint *out, uint64_t *witnesses,
                        unsigned *log, const struct tlog_trust *t,
                        const char *note, size_t note_len)
{
    struct tlog_checkpoint cp;
    uint64_t who = 0;
    unsigned at = 0;
    while (at < t->n_logs &&
           tlog_checkpoint_open(&cp, note, note_len, &t->log[at].key) != RC_OK)
        at++;
    if (t->n_logs == 0)
        return rc_raise(RC_ARG, "policy: names no log");
    if (at == t->n_logs) /* of several, the last one's reason is told */
        return rc_prefix(RC_LOG, "no log of the policy signed this: ");
    TRY(cosigners(&who, t, note, note_len));
    if (witnesses)
        *witnesses = who;
    if (!tlog_trust_quorum(t, who))
        return rc_raise(RC_LOG,
                        "checkpoint of %llu: %d of %u witnesses cosigned it, "
                        "not the quorum the policy asks for",
                        (unsigned long long)cp.size, __builtin_popcountll(who),
                        t->n_witnesses);
    if (log)
        *log = at;
    *out = cp;
    return RC_OK;
}
