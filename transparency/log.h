/* SPDX-License-Identifier: Apache-2.0 */
/* What mpc-log's files share. */
#ifndef TRANSPARENCY_LOG_H
#define TRANSPARENCY_LOG_H

#include "daemon/chain.h"
#include "daemon/daemon.h"
#include "transparency/append.h"
#include "transparency/promise.h"
#include "transparency/witness.h"

struct log_server {
    struct daemon *daemon; /* first: daemon_on_hello() looks here */
    struct daemon d;
    struct daemon_chain *chain;
    struct log_public public;
    struct log_appender *appender;
    struct log_witnesses *witnesses; /* NULL: none are configured */
    struct log_promise promise;      /* its second key */
    struct http_server *server;      /* the public port */
};

extern const struct http_route log_peer_routes[];

/* mpc-log export: a mirror of some log's public port, without a daemon. */
int log_export_main(int argc, char **argv);

#endif
