/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the room: the state behind mpc-log. What is under which lock is said
 * here. Holds the log's secret key in locked memory; entries are public.
 */
#ifndef TRANSPARENCY_STORE_H
#define TRANSPARENCY_STORE_H

#include <pthread.h>

#include "transparency/segment.h"
#include "transparency/tree.h"

#define STORE_QUEUE_MAX  4096 /* entries waiting for the committer */
#define STORE_CHECKPOINT "checkpoint"

struct store_request {
    struct store_request *next;
    tlog_appended *done;
    void *arg;
    struct tlog_hash leaf;
    uint64_t index;
    size_t len;
    char entry[];
};

struct tlog_store {
    /* set once */
    int dir_fd;        /* flocked: one writer */
    int checkpoint_fd; /* the newest signed note, in place */
    struct tlog_vkey log;
    uint8_t *sk; /* secret_new() */
    pthread_t committer;
    bool running;

    /* the committer's own; recovery's before it runs */
    struct tlog_segments seg;
    uint64_t end;    /* where the next record goes */
    uint64_t synced; /* entries a successful fdatasync covers */
    struct tlog_batch batch;
    struct tlog_proof proof;

    /* under mu; only the committer changes tree, seen and places */
    pthread_mutex_t mu;
    pthread_cond_t wake;
    struct store_request *first;
    struct store_request **last;
    size_t n_queued;
    bool stop;
    bool dead;
    char why[256];         /* what killed it */
    struct tlog_tree tree; /* may run ahead of what is published */
    struct tlog_seen seen;
    uint64_t *place; /* of each entry's length in the segments */
    size_t place_cap;
    struct tlog_store_stats stats;
    uint64_t size; /* published: synced, signed */
    struct tlog_checkpoint head;
    char checkpoint[TLOG_NOTE_MAX];
};

/* Opens and locks the directory, scans, drops a torn tail, syncs. */
MUST_CHECK enum rc tlog_store_recover(struct tlog_store *s, const char *dir);
/* Room for more entries in tree, places and, after recovery, table. Under mu.
 * RC_NOMEM. */
MUST_CHECK enum rc tlog_store_reserve(struct tlog_store *s, size_t more);
/* The next entry, reserved before; place: where its length stands. */
void tlog_store_push(struct tlog_store *s, const struct tlog_hash *leaf,
                     uint64_t place);
/* Signs the synced tree, writes the checkpoint file, publishes. */
MUST_CHECK enum rc tlog_store_publish(struct tlog_store *s);
/* The committer thread; arg is the store. */
void *tlog_store_commit_loop(void *arg);

#endif
