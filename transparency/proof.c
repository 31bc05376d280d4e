/* SPDX-License-Identifier: Apache-2.0 */
/* An entry, its path and a checkpoint judged together. Public data. */
#include "transparency/transparency.h"

#include <string.h>

enum rc tlog_proof_check(const struct tlog_proof *proof,
                         const struct tlog_vkey *log,
                         struct tlog_checkpoint *cp)
{
    struct tlog_checkpoint head;
    struct tlog_hash leaf;
    size_t note_len = strnlen(proof->checkpoint, sizeof(proof->checkpoint));
    if (proof->entry_len > TLOG_ENTRY_MAX)
        return rc_raise(RC_LOG, "proof: entry of %zu bytes, at most %d",
                        proof->entry_len, TLOG_ENTRY_MAX);
    TRY(tlog_checkpoint_open(&head, proof->checkpoint, note_len, log));
    tlog_leaf_hash(&leaf, proof->entry, proof->entry_len);
    TRY(tlog_inclusion_check(&proof->path, proof->index, head.size, &leaf,
                             &head.root));
    if (cp)
        *cp = head;
    return RC_OK;
}
