/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heads of the log this node has cosigned: a checkpoint is judged against
 * the newest, kept before anyone hears of the cosignature, and anybody may
 * ask for a cosignature (C2SP tlog-witness). The vault judges again by itself.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "base/hash.h"

typedef unsigned long long llu;

/* ---- judging -------------------------------------------------------------- */

static enum rc two_roots(uint64_t size)
{
    return rc_raise(RC_LOG, "log: two roots of size %llu", (llu)size);
}

static enum rc behind(const struct node *n, uint64_t size, uint64_t from)
{
    return rc_raise(RC_HEAD_BEHIND,
                    "checkpoint of size %llu proven from %llu, node%u knows "
                    "%llu",
                    (llu)size, (llu)from, n->id, (llu)n->head);
}

/* One of ours of before? *found tells; RC_LOG: with another root. */
static enum rc find_older(bool *found, const struct node *n,
                          const struct tlog_checkpoint *cp)
{
    *found = false;
    for (unsigned i = 0; i < HEADS_MAX; i++) {
        const struct head *h = &n->heads[i];
        if (h->size == 0 || h->size != cp->size)
            continue;
        if (!tlog_hash_equal(&h->root, &cp->root))
            return two_roots(cp->size);
        *found = true;
    }
    return RC_OK;
}

enum rc head_check(const struct node *n, const struct tlog_checkpoint *cp,
                   const struct wire_growth *g)
{
    struct tlog_path path;
    if (cp->size < n->peers_head)
        return rc_raise(
                RC_HEAD_BEHIND,
                "checkpoint of size %llu, node%u's peers have seen %llu",
                (llu)cp->size, n->id, (llu)n->peers_head);
    if (n->head == 0)
        return RC_OK;
    if (cp->size == n->head)
        return tlog_hash_equal(&cp->root, &n->head_root) ? RC_OK
                                                         : two_roots(cp->size);
    TRY(path_from_wire(&path, g->path.at, g->path.n));
    bool forward = cp->size > n->head;
    bool ours = false;
    if (!forward)
        TRY(find_older(&ours, n, cp));
    if (ours)
        return RC_OK;
    if (g->from != (forward ? n->head : cp->size) ||
        g->to != (forward ? cp->size : n->head))
        return behind(n, cp->size, g->from);
    enum rc rc = forward ? tlog_consistency_check(&path, n->head, &n->head_root,
                                                  cp->size, &cp->root)
                         : tlog_consistency_check(&path, cp->size, &cp->root,
                                                  n->head, &n->head_root);
    return rc == RC_OK ? RC_OK : rc_prefix(rc, "log: two histories: ");
}

/* ---- keeping -------------------------------------------------------------- */

/*
 * The note with the log's own line and no other: whoever carries a checkpoint
 * may have added lines, as many as it holds.
 */
enum rc head_bare(char out[TLOG_NOTE_MAX], struct tlog_checkpoint *cp,
                  const struct tlog_vkey *log, const char *note, size_t len)
{
    char copy[TLOG_NOTE_MAX];
    if (len >= sizeof(copy))
        return rc_raise(RC_PARSE, "checkpoint: %zu bytes", len);
    TRY(tlog_checkpoint_open(cp, note, len, log));
    memcpy(copy, note, len);
    copy[len] = '\0';
    char *line = strstr(copy, "\n\n"); /* it is well-formed: it opened */
    int body_len = (int)(line + 2 - copy);
    for (line += 2; *line;) {
        const char *lf = strchr(line, '\n');
        int line_len = (int)(lf + 1 - line);
        int n_out = snprintf(out, TLOG_NOTE_MAX, "%.*s%.*s", body_len, copy,
                             line_len, line);
        if (tlog_checkpoint_open(cp, out, (size_t)n_out, log) == RC_OK)
            return RC_OK;
        line += line_len;
    }
    return rc_raise(RC_LOG, "checkpoint: no line of the log");
}

/* Under head_lock: heads reach the disk in the order they grow. */
static enum rc store_head(struct node *n, const struct tlog_checkpoint *cp,
                          const char *note)
{
    node_lock(n);
    uint64_t stored = n->stored_head;
    if (cp->size > n->head) {
        n->heads[n->next_head++ % HEADS_MAX] = (struct head){ n->head,
                                                              n->head_root };
        n->head = cp->size;
        n->head_root = cp->root;
    }
    node_unlock(n);
    if (cp->size <= stored)
        return RC_OK;
    TRY(store_put(n->w.store, "head", note, strlen(note)));
    node_lock(n);
    n->stored_head = cp->size;
    snprintf(n->head_note, sizeof(n->head_note), "%s", note);
    node_unlock(n);
    return RC_OK;
}

/* Under head_lock. */
static enum rc keep(struct node *n, const char *note, size_t note_len,
                    const char *line)
{
    char bare[TLOG_NOTE_MAX];
    struct tlog_checkpoint cp;
    TRY(head_bare(bare, &cp, &n->log, note, note_len));
    TRY(tlog_note_add(bare, sizeof(bare), line));
    return store_head(n, &cp, bare);
}

enum rc head_keep(struct node *n, const char *note, size_t note_len,
                  const char *line)
{
    pthread_mutex_lock(&n->head_lock);
    enum rc rc = keep(n, note, note_len, line);
    pthread_mutex_unlock(&n->head_lock);
    return rc;
}

/* ---- the witness ---------------------------------------------------------- */

static void say(struct node_witnessed *out, int status, const char *text)
{
    out->status = status;
    out->type = "text/plain; charset=utf-8";
    snprintf(out->body, sizeof(out->body), "%s", text);
    out->len = strlen(out->body);
}

/* The size it must start from. */
static void say_size(struct node_witnessed *out, struct node *n)
{
    out->status = 409;
    out->type = TLOG_SIZE_TYPE;
    snprintf(out->body, sizeof(out->body), "%llu\n", (llu)node_head(n));
    out->len = strlen(out->body);
}

static void say_why(struct node_witnessed *out, int status)
{
    char why[TLOG_NOTE_MAX];
    snprintf(why, sizeof(why), "%s\n", rc_text());
    say(out, status, why);
}

/*
 * What we hold, copied: *log is the key whose checkpoints we cosign, *least
 * the size that our peers have seen.
 */
static enum rc held(struct tlog_checkpoint *out, struct tlog_vkey *log,
                    uint64_t *least, struct node *n)
{
    node_lock(n);
    enum rc rc = gossip_check(n);
    if (rc != RC_OK)
        rc = rc_prefix(rc, "witness: ");
    else if (!n->has_log)
        rc = rc_raise(RC_UNKNOWN, "witness: node%u knows no log yet", n->id);
    else if (!n->keys.has_roster)
        rc = rc_raise(RC_UNKNOWN,
                      "witness: node%u is in no policy yet: it has no name to "
                      "cosign with",
                      n->id);
    *out = (struct tlog_checkpoint){ .size = n->head, .root = n->head_root };
    *log = n->log;
    *least = n->peers_head;
    node_unlock(n);
    return rc;
}

/* Under head_lock: what was judged is what is cosigned and kept. */
static int add_checkpoint(struct node *n, char line[TLOG_SIG_LINE_MAX],
                          const struct tlog_add_checkpoint *in)
{
    struct tlog_checkpoint have;
    struct tlog_checkpoint cp;
    struct tlog_vkey log;
    uint64_t least;
    enum rc rc = held(&have, &log, &least, n);
    if (rc != RC_OK)
        return rc == RC_ORDER || rc == RC_HEAD_BEHIND ? 503 : rc_http(rc);
    int status = tlog_witness_judge(&cp, &have, in, &log);
    if (status != 200)
        return status;
    if (cp.size < least) {
        (void)rc_raise(RC_HEAD_BEHIND,
                       "witness: size %llu, our peers have seen %llu",
                       (llu)cp.size, (llu)least);
        return 503;
    }
    rc = vault_cosign(n->w.vault, line, in->note, in->note_len, &in->path);
    if (rc == RC_HEAD_BEHIND)
        return 409; /* a signature was faster */
    if (rc == RC_OK)
        rc = keep(n, in->note, in->note_len, line);
    return rc == RC_OK ? 200 : rc_http(rc);
}

void node_on_add_checkpoint(struct node *n, struct node_witnessed *out,
                            const void *body, size_t len)
{
    struct tlog_add_checkpoint in;
    char line[TLOG_SIG_LINE_MAX];
    if (tlog_add_checkpoint_read(&in, body, len) != RC_OK) {
        say_why(out, 400);
        return;
    }
    pthread_mutex_lock(&n->head_lock);
    int status = add_checkpoint(n, line, &in);
    pthread_mutex_unlock(&n->head_lock);
    if (status == 422) /* a bad proof, or another history? ask the log */
        gossip_hear(n, 0, in.note, in.note_len, false);
    if (status == 200)
        say(out, 200, line);
    else if (status == 409)
        say_size(out, n);
    else
        say_why(out, status);
}

void node_witness_head(struct node *n, struct node_witnessed *out,
                       const char *path)
{
    uint8_t hash[32];
    char want[ENC_HEX_SIZE(32) + 16];
    char note[TLOG_NOTE_MAX] = "";
    node_lock(n);
    hash256(hash, n->log.name, strlen(n->log.name));
    if (n->has_log)
        snprintf(note, sizeof(note), "%s", n->head_note);
    node_unlock(n);
    char hex[ENC_HEX_SIZE(32)];
    snprintf(want, sizeof(want), "%s/checkpoint", enc_hex(hex, hash, 32));
    if (strcmp(path, want) == 0 && note[0])
        say(out, 200, note);
    else
        say(out, 404, "no checkpoint of that log here\n");
}
