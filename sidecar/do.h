/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the do files share: the running sidecar. Its loop thread alone
 * delivers local calls, replies and ticks to the node; the peer pool delivers
 * peers' requests.
 */
#ifndef SIDECAR_DO_H
#define SIDECAR_DO_H

#include <pthread.h>

#include "attest/attest.h"
#include "daemon/daemon.h"
#include "http/http.h"
#include "page/page.h"
#include "sidecar/authoriser.h"
#include "sidecar/callers.h"
#include "sidecar/sidecar.h"

/* A send that the loop will start. */
struct outgoing {
    struct outgoing *next;
    struct sidecar *sc;
    uint32_t to;
    uint64_t ticket;
    int64_t deadline_ms;
    bool later; /* no send: the ticket's turn comes at the second look */
    bool looked_at;
    char path[256];
    void *body; /* NULL: GET */
    size_t len;
};
/* A peer told a policy head; the loop tells the node. */
struct heard {
    struct heard *next;
    uint32_t from;
    struct wire_policy_head head;
};
struct reach {
    uint32_t id; /* node id, WORLD_LOG, WORLD_CA or WORLD_AUTHORISER */
    struct http_peer *peer;
    enum rc last; /* of the last call: a change is worth an event */
};

struct sidecar {
    struct daemon *daemon; /* first: daemon_on_hello() looks here */
    struct daemon d;
    uint16_t id;
    enum vault_master master; /* the vault's */
    struct vault *vault;
    struct store *store;
    struct node *node;
    struct http_client *client;
    struct http_server *local;
    struct http_loop *loop;
    struct reach reach[POLICY_MAX_NODES + 3];
    unsigned n_reach;
    struct page *page;         /* NULL: no page_listen */
    struct http_server *pages; /* its listener */
    struct asked *asked, **asked_end;
    unsigned n_asked;
    pthread_mutex_t lock; /* outgoing, heard and asked */
    struct outgoing *first, *last;
    struct heard *heard;
    char own_hash[65]; /* hex, for MPC-Policy-Want */
    struct callers callers;
    struct authoriser *authoriser; /* NULL: none */
    bool audit_stuck;              /* and it was said */
};

/* peers.c */
MUST_CHECK enum rc peers_open(struct sidecar *sc);
void peers_send(void *ctx, uint32_t to, const char *path, const void *body,
                size_t len, int64_t deadline_ms, uint64_t ticket);
void peers_later(void *ctx, uint64_t ticket);
void peers_heard(struct sidecar *sc, uint32_t from,
                 const struct wire_policy_head *head);
/* Loop thread: starts what was queued, tells what was heard. */
void peers_pump(struct sidecar *sc);
void peers_close(struct sidecar *sc);

/* announce.c */
/* Our standing evidence: for the log, and for the node. */
MUST_CHECK enum rc announce_standing(struct sidecar *sc);
/* struct world's standing */
MUST_CHECK enum rc announce_judge(void *ctx, const struct wire_standing *s,
                                  const struct policy *p,
                                  const struct policy_node *node);

/* pages.c */
/* page_rp_id, else the host of page_origin, else localhost. */
MUST_CHECK enum rc pages_rp_id(char out[POLICY_RP_ID_MAX],
                               const struct sidecar *sc);
MUST_CHECK enum rc pages_open(struct sidecar *sc);
/* Loop thread: hands on what browsers asked. */
void pages_pump(struct sidecar *sc);
void pages_close(struct sidecar *sc);

/* routes.c */
extern const struct http_route sidecar_local_routes[];
extern const struct http_route sidecar_peer_routes[];
void routes_answer(void *ctx, uint64_t call, enum rc rc, const char *json,
                   size_t len);
/* The id of an attested caller: node id, WORLD_LOG or WORLD_CA. */
MUST_CHECK enum rc routes_caller(uint32_t *from, struct sidecar *sc,
                                 const char *uri);
/* The channel refused a caller: a row of it. */
void routes_refused(void *ctx, const char *uri, const char *method,
                    const char *path, enum rc rc, const char *why);

#endif
