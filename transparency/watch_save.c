/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A monitor's memory as a text file:
 *
 *     mpc-log-watch/1 <vkey>
 *     size <entries>
 *     node <hex>                                  a complete subtree, ascending
 *     affair <id> <slot> <first> <last> <expires> <state>
 *     intent <index> <affair>
 *     checkpoint <bytes>
 *     ... the note
 *
 * Whoever may write it decides what the monitor believes it saw: keep it where
 * the monitor's other files are.
 */
#include "transparency/alarm.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "transparency/merkle.h"

OWNED_STRUCT(tlog_watch);

static void put_follow(FILE *f, const struct tlog_follow *follow,
                       const struct tlog_vkey *vkey)
{
    char text[TLOG_VKEY_MAX];
    char hex[ENC_HEX_SIZE(32)];
    fprintf(f, "mpc-log-watch/1 %s\nsize %llu\n", tlog_vkey_text(text, vkey),
            (unsigned long long)follow->size);
    for (unsigned k = 0; k < 64; k++)
        if (follow->size >> k & 1)
            fprintf(f, "node %s\n", enc_hex(hex, follow->root[k].b, 32));
}

static void put_watch(FILE *f, const struct tlog_watch *w)
{
    char id[ENC_HEX_SIZE(32)];
    char slot[ENC_HEX_SIZE(32)];
    for (size_t i = 0; i < w->n; i++) {
        const struct tlog_affair *a = &w->affair[i];
        fprintf(f, "affair %s %s %llu %llu %lld %d\n", enc_hex(id, a->id, 32),
                enc_hex(slot, a->slot, 32), (unsigned long long)a->first,
                (unsigned long long)a->last, (long long)a->expires, a->state);
    }
    for (size_t i = 0; i < w->n_intents; i++)
        fprintf(f, "intent %llu %llu\n", (unsigned long long)w->intent[i].index,
                (unsigned long long)w->intent[i].affair);
}

enum rc tlog_watch_save(char **out, size_t *len, const struct tlog_watch *w,
                        const struct tlog_follow *f,
                        const struct tlog_vkey *vkey)
{
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);
    if (!to)
        return rc_raise(RC_NOMEM, "watch: out of memory");
    put_follow(to, f, vkey);
    put_watch(to, w);
    fprintf(to, "checkpoint %zu\n%s", strlen(f->checkpoint), f->checkpoint);
    if (fclose(to) != 0) {
        free(text);
        return rc_raise(RC_NOMEM, "watch: out of memory");
    }
    *out = text;
    *len = n;
    return RC_OK;
}

/* ---- and back ------------------------------------------------------------ */

struct loader {
    const char *p;
    size_t left;
    struct tlog_watch *w;
    struct tlog_follow f;
    unsigned k; /* the next subtree */
};

static enum rc bad(const char *what)
{
    return rc_raise(RC_PARSE, "watch file: bad %s line", what);
}

/* The next line as a C string; NULL: none, or over the buffer. */
static char *take_line(struct loader *l, char *buf, size_t cap)
{
    const char *lf = l->left ? memchr(l->p, '\n', l->left) : NULL;
    size_t n = lf ? (size_t)(lf - l->p) : 0;
    if (!lf || n >= cap || memchr(l->p, '\0', n))
        return NULL;
    memcpy(buf, l->p, n);
    buf[n] = '\0';
    l->p += n + 1;
    l->left -= n + 1;
    return buf;
}

static enum rc on_node(struct loader *l, const char *line)
{
    while (l->k < 64 && !(l->f.size >> l->k & 1))
        l->k++;
    if (l->k == 64 ||
        enc_unhex(l->f.root[l->k].b, 32, line + 5, strlen(line + 5)) != RC_OK)
        return bad("node");
    l->k++;
    return RC_OK;
}

static enum rc on_affair(struct loader *l, const char *line)
{
    char id[65];
    char slot[65];
    unsigned long long first;
    unsigned long long last;
    long long expires;
    int state;
    char end;
    struct tlog_affair a;
    if (sscanf(line, "affair %64s %64s %llu %llu %lld %d%c", id, slot, &first,
               &last, &expires, &state, &end) != 6 ||
        enc_unhex(a.id, 32, id, strlen(id)) != RC_OK ||
        enc_unhex(a.slot, 32, slot, strlen(slot)) != RC_OK || first > last ||
        last >= l->f.size || state < AFFAIR_OPEN || state > AFFAIR_TOLD)
        return bad("affair");
    a.first = first;
    a.last = last;
    a.expires = expires;
    a.state = (enum affair_state)state;
    return tlog_watch_add_affair(l->w, &a);
}

static enum rc on_intent(struct loader *l, const char *line)
{
    unsigned long long index;
    unsigned long long affair;
    char end;
    size_t n = l->w->n_intents;
    if (sscanf(line, "intent %llu %llu%c", &index, &affair, &end) != 2 ||
        affair >= l->w->n || index >= l->f.size ||
        (n > 0 && l->w->intent[n - 1].index >= index))
        return bad("intent");
    return tlog_watch_add_intent(l->w, index, affair);
}

/* The note at the end must be what the subtrees say. */
static enum rc on_checkpoint(struct loader *l, const char *line,
                             const struct tlog_vkey *vkey)
{
    uint64_t n;
    struct tlog_checkpoint cp;
    struct tlog_range range = { .n = l->f.size };
    struct tlog_hash root;
    if (enc_undec(&n, line + 11, strlen(line + 11)) != RC_OK || n != l->left ||
        n >= sizeof(l->f.checkpoint))
        return bad("checkpoint");
    memcpy(l->f.checkpoint, l->p, l->left);
    if (n == 0 && l->f.size == 0)
        return RC_OK; /* saved before the first step */
    TRY(tlog_checkpoint_open(&cp, l->f.checkpoint, l->left, vkey));
    memcpy(range.root, l->f.root, sizeof(range.root));
    tlog_range_root(&root, &range);
    if (cp.size != l->f.size || !tlog_hash_equal(&root, &cp.root))
        return rc_raise(RC_PARSE, "watch file: its subtrees are not those of "
                                  "its checkpoint");
    return RC_OK;
}

static enum rc load(struct loader *l, const struct tlog_vkey *vkey)
{
    char line[TLOG_VKEY_MAX + 64];
    char want[TLOG_VKEY_MAX + 64];
    char text[TLOG_VKEY_MAX];
    snprintf(want, sizeof(want), "mpc-log-watch/1 %s",
             tlog_vkey_text(text, vkey));
    if (!take_line(l, line, sizeof(line)) ||
        strncmp(line, "mpc-log-watch/1 ", 16) != 0)
        return rc_raise(RC_PARSE, "watch file: first line is not "
                                  "mpc-log-watch/1");
    if (strcmp(line, want) != 0)
        return rc_raise(RC_CONFLICT, "watch file: of another log than %s",
                        vkey->name);
    if (!take_line(l, line, sizeof(line)) || strncmp(line, "size ", 5) != 0 ||
        enc_undec(&l->f.size, line + 5, strlen(line + 5)) != RC_OK)
        return bad("size");
    while (take_line(l, line, sizeof(line))) {
        if (strncmp(line, "checkpoint ", 11) == 0)
            return on_checkpoint(l, line, vkey);
        if (strncmp(line, "node ", 5) == 0)
            TRY(on_node(l, line));
        else if (strncmp(line, "affair ", 7) == 0)
            TRY(on_affair(l, line));
        else
            TRY(on_intent(l, line));
    }
    return rc_raise(RC_PARSE, "watch file: cut off");
}

enum rc tlog_watch_load(struct tlog_watch **out, struct tlog_follow *f,
                        const struct tlog_vkey *vkey, const char *text,
                        size_t len)
{
    OWN_S(tlog_watch) *w = NULL;
    TRY(tlog_watch_new(&w));
    struct loader l = { .p = text, .left = len, .w = w };
    TRY(load(&l, vkey));
    *f = l.f;
    *out = TAKE(w);
    return RC_OK;
}
