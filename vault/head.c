/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which checkpoints of the log may be relied on: the newest head this vault
 * cosigned only ever grows, by consistency proofs. Public data.
 */
#include "vault/inner.h"

#include <string.h>

#include "base/clock.h"

typedef unsigned long long llu;

static unsigned heads_held(const struct vault_core *core)
{
    return core->n_heads < VAULT_MAX_HEADS ? (unsigned)core->n_heads
                                           : VAULT_MAX_HEADS;
}

static bool same_root(const struct tlog_hash *a, const struct tlog_hash *b)
{
    return memcmp(a->b, b->b, 32) == 0;
}

/*
 * The proof does not lead from our newest head. From an older one of ours
 * the caller is merely behind; otherwise the log is not to be believed.
 */
static enum rc not_from_newest(const struct vault_core *core,
                               const struct tlog_checkpoint *cp,
                               const struct tlog_path *path)
{
    for (unsigned i = 0; i < heads_held(core); i++) {
        const struct vault_head *h = &core->heads[i];
        if (h->size < core->head.size && path->n > 0 &&
            tlog_consistency_check(path, h->size, &h->root, cp->size,
                                   &cp->root) == RC_OK)
            return rc_raise(RC_HEAD_BEHIND,
                            "log: proof starts at size %llu, newest head is "
                            "%llu",
                            (llu)h->size, (llu)core->head.size);
    }
    return rc_raise(RC_LOG, "log: size %llu is not shown to extend %llu",
                    (llu)cp->size, (llu)core->head.size);
}

/* Smaller than the newest: one of our last heads, or proven to lead to it. */
static enum rc older(const struct vault_core *core,
                     const struct tlog_checkpoint *cp,
                     const struct tlog_path *path)
{
    for (unsigned i = 0; i < heads_held(core); i++) {
        const struct vault_head *h = &core->heads[i];
        if (h->size != cp->size)
            continue;
        if (same_root(&h->root, &cp->root))
            return RC_OK;
        return rc_raise(RC_LOG, "log: two roots of size %llu", (llu)cp->size);
    }
    if (path->n > 0 &&
        tlog_consistency_check(path, cp->size, &cp->root, core->head.size,
                               &core->head.root) == RC_OK)
        return RC_OK;
    return rc_raise(RC_HEAD_BEHIND,
                    "log: checkpoint of size %llu, newest head is %llu",
                    (llu)cp->size, (llu)core->head.size);
}

enum rc vault_head_judge(const struct vault_core *core, bool *newest,
                         const struct tlog_checkpoint *cp,
                         const struct tlog_path *consistency)
{
    const struct vault_head *h = &core->head;
    *newest = cp->size >= h->size;
    if (cp->size < h->size)
        return older(core, cp, consistency);
    if (h->size == 0)
        return RC_OK; /* the first one we see */
    if (cp->size == h->size) {
        if (same_root(&cp->root, &h->root))
            return RC_OK;
        return rc_raise(RC_LOG, "log: two roots of size %llu", (llu)cp->size);
    }
    if (tlog_consistency_check(consistency, h->size, &h->root, cp->size,
                               &cp->root) == RC_OK)
        return RC_OK;
    return not_from_newest(core, cp, consistency);
}

void vault_head_accept(struct vault_core *core,
                       const struct tlog_checkpoint *cp)
{
    if (cp->size <= core->head.size)
        return;
    core->head = (struct vault_head){ cp->size, cp->root };
    core->heads[core->n_heads++ % VAULT_MAX_HEADS] = core->head;
}

/*
 * What we cosigned in an earlier life, told by our own signature. Within a
 * life heads move by proofs only, so it must come before the first of them.
 */
enum rc vault_on_head(struct vault_core *core, struct bytes_writer *out,
                      struct bytes_reader *in, const struct vault_request *req)
{
    (void)out;
    (void)req;
    struct tlog_checkpoint cp;
    size_t len;
    const char *note = (const char *)bytes_take_lp16(in, &len);
    TRY(bytes_end(in, "head"));
    TRY(tlog_checkpoint_open(&cp, note, len, &core->roster->of.log));
    if (tlog_note_cosigned(note, len, &core->roster->cosigner, NULL) != RC_OK)
        return rc_prefix(RC_VERIFY, "head: not cosigned by us: ");
    if (cp.size < core->head.size)
        return rc_raise(RC_HEAD_BEHIND, "head: size %llu, newest head is %llu",
                        (llu)cp.size, (llu)core->head.size);
    if (cp.size == core->head.size && !same_root(&cp.root, &core->head.root))
        return rc_raise(RC_LOG, "log: two roots of size %llu", (llu)cp.size);
    if (cp.size > core->head.size && core->head.size != 0)
        return rc_raise(RC_ORDER, "head: only before the first signature");
    vault_head_accept(core, &cp);
    return RC_OK;
}

/*
 * A witness' part: what vault_sign() does for the checkpoint of an intent,
 * without an intent. Only the newest is cosigned, so an older one is refused
 * where vault_sign() would let it pass without a line.
 */
enum rc vault_on_cosign(struct vault_core *core, struct bytes_writer *out,
                        struct bytes_reader *in,
                        const struct vault_request *req)
{
    struct tlog_checkpoint cp;
    struct tlog_path path;
    char line[TLOG_SIG_LINE_MAX];
    bool newest;
    size_t len;
    (void)req;
    const char *note = (const char *)bytes_take_lp16(in, &len);
    vault_get_path(in, &path);
    TRY(bytes_end(in, "cosign"));
    TRY(tlog_checkpoint_open(&cp, note, len, &core->roster->of.log));
    TRY(vault_head_judge(core, &newest, &cp, &path));
    if (!newest)
        return rc_raise(RC_HEAD_BEHIND,
                        "log: checkpoint of size %llu, newest head is %llu",
                        (llu)cp.size, (llu)core->head.size);
    TRY(tlog_cosign(line, &cp, clock_now_s(), &core->roster->cosigner,
                    core->secret->identity));
    vault_head_accept(core, &cp);
    bytes_put_lp16(out, line, strlen(line));
    return RC_OK;
}
