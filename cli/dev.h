/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `mpcsign dev`: a whole cluster in one directory, on loopback, simulated.
 * The same daemons as production with the same checks; what is made up is the
 * hardware, the deployment's PKI, the persons and their policy.
 *
 * The directory holds secret keys of persons and of TLS: it is 0700. Shares
 * are never in it but sealed, in the nodes' own state.
 */
#ifndef CLI_DEV_H
#define CLI_DEV_H

#include <sys/types.h>

#include "cli/inner.h"

#define DEV_CLUSTER   "dev"
#define DEV_MAX_NODES 16
#define DEV_PATH      512
#define DEV_SOCK      100 /* of a Unix socket; the kernel takes 107 */

/* ---- the place (dev_place.c) -------------------------------------------- */

struct dev {
    char dir[DEV_PATH]; /* absolute */
    char run[DEV_PATH]; /* where sockets are: dir, or a short name */
    char bin[DEV_PATH]; /* where mpcsign and the daemons are */
    char modules[DEV_PATH];
    unsigned n;
    unsigned t;
    uint16_t node_port[DEV_MAX_NODES]; /* [id - 1] */
    uint16_t ca_port;
    uint16_t log_port;    /* attested */
    uint16_t public_port; /* log reads */
    uint16_t page_port;   /* node1's approval page */
    int lock;             /* held on DIR/lock; -1 */
};

/* --dir, else MPC_DEV, else ./.mpc-dev; absolute, and what a path may be. */
MUST_CHECK enum rc dev_dir(char out[DEV_PATH], const char *given);
/* RC_UNKNOWN when there is no cluster in it. Takes the lock. */
MUST_CHECK enum rc dev_open(struct dev *d, const char *dir);
/* Chooses programs and ports; the directory is made, empty, and locked. */
MUST_CHECK enum rc dev_make(struct dev *d, const char *dir, unsigned n,
                            unsigned t);
/* From now on dev_open() finds it. */
MUST_CHECK enum rc dev_keep(const struct dev *d);
void dev_close(struct dev *d);
/* Removes the directory and all in it. */
MUST_CHECK enum rc dev_purge(struct dev *d);

/* DIR/a or DIR/a/b; RC_ARG when too long. */
MUST_CHECK enum rc dev_path(char out[DEV_PATH], const struct dev *d,
                            const char *a, const char *b);
/* The socket `name` of `who`. */
MUST_CHECK enum rc dev_sock(char out[DEV_PATH], const struct dev *d,
                            const char *who, const char *name);

/* ---- who there is ------------------------------------------------------- */

struct dev_who {
    char name[16]; /* node1 … nodeN, ca, log */
    unsigned id;   /* of a node; 0 */
    const char *program;
    const char *section; /* of its configuration */
    const char *uri_role;
};
/* In the order of starting: log, nodes, ca. i from 0; false past the end. */
bool dev_who_at(struct dev_who *out, const struct dev *d, unsigned i);
/* RC_ARG naming all there are. */
MUST_CHECK enum rc dev_who_find(struct dev_who *out, const struct dev *d,
                                const char *name);

/* ---- making things ------------------------------------------------------ */

/* dev_pki.c: pki/ca.pem and a certificate and key for each daemon. */
MUST_CHECK enum rc dev_pki(const struct dev *d);
/* dev_policy.c: persons/, genesis.json. */
MUST_CHECK enum rc dev_people(const struct dev *d);
/* A security key of software for that person; its row of the policy. */
MUST_CHECK enum rc dev_fido(json_t **row, const struct dev *d,
                            const char *name);
MUST_CHECK enum rc dev_genesis(const struct dev *d);
/* Version 2 from version 1 and what was born inside: bytes, heap. */
struct dev_born {
    uint8_t identity[DEV_MAX_NODES][32]; /* [id - 1] */
    uint8_t box[DEV_MAX_NODES][32];
    char log[TLOG_VKEY_MAX];
};
MUST_CHECK enum rc dev_version2(char **out, size_t *len, const struct dev *d,
                                const struct dev_born *born);
/*
 * RC_POLICY_HASH when the daemon is down and its program is not the one that
 * the policy was made for: its peers would refuse it, and it could not unseal.
 */
MUST_CHECK enum rc dev_check_program(const struct dev *d,
                                     const struct dev_who *w);
/* dev_config.c: each daemon's configuration, openssl.cnf, key references. */
MUST_CHECK enum rc dev_config(const struct dev *d);
/* The export lines on stdout. */
MUST_CHECK enum rc dev_env(const struct dev *d);

/* ---- processes (dev_process.c) ------------------------------------------ */

/* The simulator's chips, made once. */
MUST_CHECK enum rc dev_sim_init(const struct dev *d);
/* Its simulator, when it is down. */
MUST_CHECK enum rc dev_sim_start(const struct dev *d, const struct dev_who *w);
/*
 * Its daemon, when it is down; not waited for. honour: TEE_POLICY_HASH of the
 * environment goes along.
 */
MUST_CHECK enum rc dev_start(const struct dev *d, const struct dev_who *w,
                             bool honour);
/* Until it says ready; RC_IO with its last log lines when it died. */
MUST_CHECK enum rc dev_wait(const struct dev *d, const struct dev_who *w);
/* 0: not running. */
pid_t dev_pid(const struct dev *d, const struct dev_who *w);
pid_t dev_sim_pid(const struct dev *d, const struct dev_who *w);
bool dev_is_ready(const struct dev *d, const struct dev_who *w);
MUST_CHECK enum rc dev_kill(const struct dev *d, const struct dev_who *w);
/* SIGTERM, then SIGKILL after 5 s. */
MUST_CHECK enum rc dev_stop(const struct dev *d, const struct dev_who *w);
/* All daemons, then all simulators. */
MUST_CHECK enum rc dev_stop_all(const struct dev *d);
/* Ctrl-C came: RC_ORDER. */
MUST_CHECK enum rc dev_interrupted(void);
void dev_catch_interrupt(void);
void dev_sleep_ms(int ms);

/* ---- becoming a cluster (dev_start.c) ----------------------------------- */

/* Version 2, keys and the root: whatever of it is missing. */
MUST_CHECK enum rc dev_found(const struct dev *d);

#endif
