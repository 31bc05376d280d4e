/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the program: what anyone may read of the log. Stands on the store
 * alone, so that a test or a bench can serve it without a guest or a policy.
 */
#ifndef TRANSPARENCY_PUBLIC_H
#define TRANSPARENCY_PUBLIC_H

#include <pthread.h>
#include <stdatomic.h>

#include "http/http.h"
#include "transparency/transparency.h"

struct log_find;
struct log_promise;

struct log_public {
    struct tlog_store *store;
    struct tlog_vkey vkey;
    struct log_find *find; /* NULL: no search */
    bool simulated;        /* said on the page */
    /* the second key and its name; NULL: none */
    const struct log_promise *promise;
    /* counted by whoever appends; all in metrics */
    atomic_ullong refused_quota;
    atomic_ullong refused_other;
    atomic_uint peers_waiting;
    /* the newest checkpoint that a quorum of witnesses cosigned */
    pthread_mutex_t mu;
    bool want_cosigned; /* witnesses are configured */
    char cosigned[TLOG_NOTE_MAX];
    struct tlog_checkpoint cosigned_cp;
    unsigned witnesses_behind; /* that did not cosign it */
};

void log_public_init(struct log_public *p, struct tlog_store *store,
                     const struct tlog_vkey *vkey);
/* What GET /checkpoint shows: the newest cosigned one, where that is asked
 * for and there is one, else the newest. */
void log_public_note(struct log_public *p, char note[TLOG_NOTE_MAX],
                     struct tlog_checkpoint *cp);
/* The proof of an entry in that checkpoint, or in the newest. Entry too. */
MUST_CHECK enum rc log_public_proof(struct log_public *p,
                                    struct tlog_proof *out, uint64_t index);
/* An entry of the published tree; *out heap, NUL-terminated. */
MUST_CHECK enum rc log_public_entry(struct log_public *p, uint8_t **out,
                                    size_t *len, uint64_t index);

extern const struct http_route log_public_routes[];
enum rc log_on_vkey(struct http_call *call, void *ctx);

/* page.c */
enum rc log_on_page(struct http_call *call, void *ctx);
enum rc log_on_page_entry(struct http_call *call, void *ctx);
enum rc log_on_page_search(struct http_call *call, void *ctx);
enum rc log_on_page_file(struct http_call *call, void *ctx);
/* metrics.c */
enum rc log_on_health(struct http_call *call, void *ctx);
enum rc log_on_metrics(struct http_call *call, void *ctx);

/* find.c: a thread that indexes what is published. */
MUST_CHECK enum rc log_find_start(struct log_find **out, struct log_public *p);
void log_find_stop(struct log_find *f);
/* As tlog_index_find() and _cites(); *indexed (may be NULL): entries known. */
unsigned log_find_digest(struct log_find *f, uint64_t *out, unsigned max,
                         const uint8_t digest[32], uint64_t before,
                         uint64_t *indexed);
unsigned log_find_cites(struct log_find *f, uint64_t *out, unsigned max,
                        uint64_t intent);

#endif
