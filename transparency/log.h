/* SPDX-License-Identifier: Apache-2.0 */
/* What mpc-log's two files share. */
#ifndef TRANSPARENCY_LOG_H
#define TRANSPARENCY_LOG_H

#include "daemon/chain.h"
#include "daemon/daemon.h"
#include "transparency/transparency.h"

struct log_server {
    struct daemon *daemon; /* first: daemon_on_hello() looks here */
    struct daemon d;
    struct daemon_chain *chain;
    struct tlog_vkey vkey;
    struct tlog_store *store;
    struct http_server *public;
};

extern const struct http_route log_public_routes[];
extern const struct http_route log_peer_routes[];

#endif
