/* SPDX-License-Identifier: Apache-2.0 */
/* From messages to what transparency/ and policy/ judge; and policy files. */
#include "cli/inner.h"

#include <string.h>

#include "base/file.h"

enum rc cli_proof(struct tlog_proof *out, const struct wire_proof *in)
{
    if (in->entry.len > TLOG_ENTRY_MAX || in->checkpoint.len >= TLOG_NOTE_MAX ||
        in->path.n > TLOG_PATH_MAX)
        return rc_raise(RC_PARSE, "proof: entry, path or checkpoint too long");
    memset(out, 0, sizeof(*out));
    if (in->entry.len)
        memcpy(out->entry, in->entry.p, in->entry.len);
    out->entry_len = in->entry.len;
    out->index = in->index;
    if (in->checkpoint.len)
        memcpy(out->checkpoint, in->checkpoint.p, in->checkpoint.len);
    out->path.n = (unsigned)in->path.n;
    for (size_t i = 0; i < in->path.n; i++)
        memcpy(out->path.hash[i].b, in->path.at[i].b, 32);
    return RC_OK;
}

enum rc cli_votes(struct tlog_epoch_terms *terms,
                  struct tlog_vote votes[TLOG_MAX_NODES], unsigned *n,
                  const struct wire_cert *cert)
{
    if (cert->votes.n == 0 || cert->votes.n > TLOG_MAX_NODES ||
        cert->threshold > TLOG_MAX_NODES)
        return rc_raise(RC_PARSE, "certificate: %zu votes", cert->votes.n);
    *terms = (struct tlog_epoch_terms){ .epoch = cert->epoch,
                                        .parent = cert->parent,
                                        .t = (uint16_t)cert->threshold,
                                        .n = (uint16_t)cert->votes.n };
    memcpy(terms->session, cert->session, 32);
    memcpy(terms->group_key, cert->group_key, 32);
    memcpy(terms->transcript, cert->transcript, 32);
    for (size_t i = 0; i < cert->votes.n; i++) {
        const struct wire_vote *v = &cert->votes.at[i];
        votes[i].node = (uint16_t)v->node; /* wire/ bounds it */
        memcpy(votes[i].identity, v->identity, 32);
        memcpy(votes[i].y, v->y, 32);
        memcpy(votes[i].sig, v->sig, 64);
    }
    *n = (unsigned)cert->votes.n;
    return RC_OK;
}

enum rc cli_blobs(struct tlog_blob out[POLICY_MAX_APPROVALS], unsigned *n,
                  const struct wire_blob *at, size_t count)
{
    if (count > POLICY_MAX_APPROVALS)
        return rc_raise(RC_PARSE, "approvals: %zu records, at most %d", count,
                        POLICY_MAX_APPROVALS);
    for (size_t i = 0; i < count; i++)
        out[i] = (struct tlog_blob){ at[i].p, at[i].len };
    *n = (unsigned)count;
    return RC_OK;
}

enum rc cli_policy_read(struct policy **out, const char *path)
{
    OWNED_MEM uint8_t *bytes = NULL;
    size_t len;
    TRY(file_read(&bytes, &len, path, POLICY_MAX_BYTES));
    enum rc rc = policy_parse(out, bytes, len);
    return rc == RC_OK ? RC_OK : rc_prefix(rc, "%s: ", path);
}
