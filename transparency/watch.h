/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The room's second door: what a monitor, a mirror and a search need. Reads a
 * log through someone's fetch function (tlog_fetch) and believes nothing it
 * has not recomputed. Public data; uses the heap; no clock, no network.
 */
#ifndef TRANSPARENCY_WATCH_H
#define TRANSPARENCY_WATCH_H

#include "transparency/transparency.h"

/* ---- proofs read off tiles --------------------------------------------- */
/*
 * Paths in the tree of `size` entries, from its tiles. They prove nothing by
 * themselves: check them against a signed root. fetch's errors pass through;
 * RC_LOG: a tile has a wrong length.
 */
MUST_CHECK enum rc tlog_tiles_inclusion(struct tlog_path *out, uint64_t index,
                                        uint64_t size, tlog_fetch *fetch,
                                        void *ctx);
MUST_CHECK enum rc tlog_tiles_consistency(struct tlog_path *out,
                                          uint64_t old_size, uint64_t size,
                                          tlog_fetch *fetch, void *ctx);
/* One entry of its bundle; *out heap. RC_UNKNOWN: outside the tree. */
MUST_CHECK enum rc tlog_tiles_entry(uint8_t **out, size_t *len, uint64_t index,
                                    uint64_t size, tlog_fetch *fetch,
                                    void *ctx);

/* ---- following --------------------------------------------------------- */
/*
 * What a follower remembers of a log: 64 hashes at most, from which the root
 * of every larger tree is computed again out of the entries themselves.
 */
struct tlog_follow {
    uint64_t size;
    struct tlog_hash root[64];      /* of its complete subtrees */
    char checkpoint[TLOG_NOTE_MAX]; /* the note that was verified last */
};
/* Called for each new entry, in order, before its checkpoint is judged: act
 * on it only when tlog_follow_step() has returned RC_OK. */
typedef enum rc tlog_on_entry(uint64_t index, const uint8_t *entry, size_t len,
                              void *arg);
/*
 * Fetches the checkpoint and all entries since the last one, recomputes the
 * root and compares; the tiles of all levels that are new must be those of
 * the entries, too. f changes on RC_OK only.
 *
 * RC_LOG          a fork, or tiles that do not fit: not the same log any more.
 *                 other (may be NULL) holds the note that contradicts
 *                 f->checkpoint, or "" when it is not about two notes.
 * RC_HEAD_BEHIND  an older checkpoint: a replica that lags. It is a past of
 *                 ours, or the replica has not the tiles to show that.
 */
MUST_CHECK enum rc tlog_follow_step(struct tlog_follow *f,
                                    const struct tlog_trust *trust,
                                    tlog_fetch *fetch, void *ctx,
                                    tlog_on_entry *on_entry, void *arg,
                                    char other[TLOG_NOTE_MAX]);

/* ---- alarms -------------------------------------------------------------- */

enum tlog_alarm_kind {
    TLOG_ALARM_NO_INTENT,      /* a receipt or abort without its intent */
    TLOG_ALARM_NO_RECEIPT,     /* an intent expired, nothing came of it */
    TLOG_ALARM_SECOND_MESSAGE, /* two messages for one slot of a session */
    TLOG_ALARM_MALFORMED       /* an entry of ours that does not decode */
};
struct tlog_alarm {
    enum tlog_alarm_kind kind;
    uint64_t index; /* of the entry it is about */
    uint64_t other; /* the one it contradicts, or TLOG_NO_INDEX */
};
/* "receipt_without_intent", …; for output and exit codes. */
const char *tlog_alarm_name(enum tlog_alarm_kind kind);
typedef void tlog_on_alarm(const struct tlog_alarm *alarm, void *arg);

/*
 * The rules over entries told in order. Attempts of one message in one slot
 * are one affair: a receipt or abort of any of them settles it. Remembers each
 * affair, about 150 bytes.
 */
struct tlog_watch;
MUST_CHECK enum rc tlog_watch_new(struct tlog_watch **out);
void tlog_watch_free(struct tlog_watch *w);
/* RC_NOMEM; entries that are no business of ours pass. */
MUST_CHECK enum rc tlog_watch_entry(struct tlog_watch *w, uint64_t index,
                                    const void *entry, size_t len,
                                    tlog_on_alarm *on_alarm, void *arg);
/*
 * Intents that expired more than grace_s before now without a receipt or
 * abort; each is told once.
 */
void tlog_watch_time(struct tlog_watch *w, int64_t now_s, int64_t grace_s,
                     tlog_on_alarm *on_alarm, void *arg);
/*
 * A watch and its follower as text, for a monitor that runs from cron; *out
 * heap. vkey: whose log it is.
 */
MUST_CHECK enum rc tlog_watch_save(char **out, size_t *len,
                                   const struct tlog_watch *w,
                                   const struct tlog_follow *f,
                                   const struct tlog_vkey *vkey);
/* RC_PARSE; RC_CONFLICT: of another log. f->checkpoint is checked again. */
MUST_CHECK enum rc tlog_watch_load(struct tlog_watch **out,
                                   struct tlog_follow *f,
                                   const struct tlog_vkey *vkey,
                                   const char *text, size_t len);

/* ---- search -------------------------------------------------------------- */
/*
 * Finds entries by a digest they hold: a key, session, commitment, signature,
 * certificate, policy file, node or report. A hint: one in 2^64 others may
 * come too, so look into the entry.
 */
struct tlog_index;
MUST_CHECK enum rc tlog_index_new(struct tlog_index **out);
void tlog_index_free(struct tlog_index *x);
/* Entries in order. RC_NOMEM. */
MUST_CHECK enum rc tlog_index_add(struct tlog_index *x, uint64_t index,
                                  const void *entry, size_t len);
/* Entries told so far. */
uint64_t tlog_index_size(const struct tlog_index *x);
/*
 * Newest first, those before `before` (TLOG_NO_INDEX: all); returns how many
 * were written, at most max.
 */
unsigned tlog_index_find(const struct tlog_index *x, uint64_t *out,
                         unsigned max, const uint8_t digest[32],
                         uint64_t before);
/* Receipts and aborts that cite this intent; as above. */
unsigned tlog_index_cites(const struct tlog_index *x, uint64_t *out,
                          unsigned max, uint64_t intent);

/* ---- mirror -------------------------------------------------------------- */

struct tlog_mirror_report {
    uint64_t old_size;
    uint64_t size;
    uint64_t files; /* written */
};
/*
 * Brings a directory of static files up to the log's newest checkpoint:
 * "checkpoint", "tile/…", as a web server can serve them. Only what is new is
 * fetched; everything is verified before the checkpoint is put in place, by
 * rename, last. Partial tiles go once their full one is there.
 *
 * RC_LOG          not the log that is in the directory, or tiles do not fit
 * RC_HEAD_BEHIND  older than the directory: nothing was done
 */
MUST_CHECK enum rc tlog_mirror(struct tlog_mirror_report *out, const char *dir,
                               const struct tlog_vkey *log, tlog_fetch *fetch,
                               void *ctx);

#endif
