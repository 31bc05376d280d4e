/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recovery brings back the epoch that its shares are of: it must be the
 * newest that the log has of this key. Nobody else can say so once all nodes
 * are gone. Read backwards, so that it ends with the key's own last entry.
 */
#include "transparency/store.h"

#include <string.h>

#include "base/bytes.h"

/* What the log says last of a key. */
struct last {
    bool found;
    bool destroyed;
    uint64_t epoch; /* 0: a birth, whose number is whatever the parent says */
    uint64_t entry;
};

/* Does this entry begin an epoch of the key, or end it? */
static bool of_key(struct last *out, const uint8_t key[32], const char *entry,
                   size_t len)
{
    struct tlog_epoch e;
    struct tlog_birth b;
    enum tlog_kind kind = tlog_entry_kind(entry, len);
    *out = (struct last){ .found = true };
    if (kind == TLOG_EPOCH && tlog_epoch_decode(&e, entry, len) == RC_OK) {
        out->epoch = e.epoch;
        out->destroyed = strcmp(e.type, "destroy") == 0;
        return memcmp(e.key, key, 32) == 0;
    }
    return kind == TLOG_BIRTH && tlog_birth_decode(&b, entry, len) == RC_OK &&
           memcmp(b.key, key, 32) == 0;
}

/* The newest of one bundle. */
static enum rc look(struct last *out, struct tlog_store *store, uint64_t bundle,
                    unsigned width, const uint8_t key[32])
{
    struct last here;
    OWNED_MEM uint8_t *p = NULL;
    size_t len;
    size_t n;
    TRY(tlog_store_tile(store, &p, &len, -1, bundle, width));
    struct bytes_reader r = bytes_reader(p, len);
    for (unsigned i = 0; i < width; i++) {
        const uint8_t *entry = bytes_take_lp16(&r, &n);
        if (!entry || !of_key(&here, key, (const char *)entry, n))
            continue;
        here.entry = bundle * 256 + i;
        *out = here;
    }
    return RC_OK;
}

enum rc tlog_lineage_check(struct tlog_store *store, const char *entry,
                           size_t len)
{
    struct tlog_epoch e;
    struct tlog_store_stats st;
    struct last last = { .found = false };
    if (tlog_entry_kind(entry, len) != TLOG_EPOCH ||
        tlog_epoch_decode(&e, entry, len) != RC_OK ||
        strcmp(e.type, "recover") != 0)
        return RC_OK;
    tlog_store_stats(store, &st);
    uint64_t bundle = (st.size + 255) / 256;
    while (bundle > 0 && !last.found) {
        bundle--;
        uint64_t left = st.size - bundle * 256;
        TRY(look(&last, store, bundle, left < 256 ? (unsigned)left : 256,
                 e.key));
    }
    if (!last.found)
        return rc_raise(RC_UNKNOWN, "recover: the log has no birth of this "
                                    "key");
    if (last.destroyed)
        return rc_raise(RC_POLICY,
                        "recover: the key was destroyed, entry %llu of the log",
                        (unsigned long long)last.entry);
    if (last.epoch <= e.parent)
        return RC_OK;
    enum rc rc = rc_raise(RC_EPOCH_MOVED,
                          "recover: the shares are of epoch %llu; entry %llu "
                          "of the log says that the key moved to epoch %llu",
                          (unsigned long long)e.parent,
                          (unsigned long long)last.entry,
                          (unsigned long long)last.epoch);
    rc_hint("bring the backups of epoch %llu", (unsigned long long)last.epoch);
    return rc;
}
