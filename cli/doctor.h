/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign openssl doctor: what a tool run from this shell would get of OpenSSL,
 * and why that does or does not sign. It reads the configuration as OpenSSL
 * would, but everything that loads code happens in a child (doctor_probe.c):
 * a broken module takes that down, not us.
 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include <openssl/conf.h>

#include "cli/inner.h"

#define DOCTOR_PATH        1024
#define DOCTOR_FIX         512
/* The provider's own rules for what it reads (provider/settings.c). */
#define DOCTOR_SOCKET_MAX  107
#define DOCTOR_TIMEOUT_MAX 3600

struct doctor {
    struct cli_checks checks;
    /* as given */
    const char *module_file; /* --module */
    const char *key;         /* --key: a file, or mpc:NAME */
    const char *program;     /* --program */
    /* as found */
    char conf_file[DOCTOR_PATH];
    CONF *conf;       /* owned; NULL when it cannot be read */
    const char *init; /* section names; borrowed from conf */
    const char *providers;
    const char *mpc;          /* section of our provider */
    char name[64];            /* it is loaded as */
    char module[DOCTOR_PATH]; /* the file OpenSSL will load */
    char socket[DOCTOR_PATH];
    char key_name[WIRE_NAME_MAX]; /* one that exists, or "" */
    bool active;                  /* OpenSSL finds our algorithm */
    bool reached;                 /* the socket takes connections */
};

/* Marks; fix NULL: nothing to do. */
#define doctor_ok(d, id, ...)                                                  \
    cli_check(&(d)->checks, CLI_OK, (id), NULL, __VA_ARGS__)
#define doctor_warn(d, id, fix, ...)                                           \
    cli_check(&(d)->checks, CLI_WARN, (id), (fix), __VA_ARGS__)
#define doctor_fail(d, id, fix, ...)                                           \
    cli_check(&(d)->checks, CLI_FAIL, (id), (fix), __VA_ARGS__)

/* doctor_env.c: whether OPENSSL_CONF and its like are heard at all. */
void doctor_environment(struct doctor *d);
/* doctor_conf.c: the file, its sections, what is commented or missing. */
void doctor_conf(struct doctor *d);
/* doctor_settings.c: our section, and what stands beside it. */
void doctor_settings(struct doctor *d);
/* "" where the section does not say. Borrowed. */
const char *doctor_setting(const struct doctor *d, const char *key);
/* doctor_module.c: where mpc.so is, and whether it loads. */
void doctor_module(struct doctor *d);
/* doctor_library.c: OpenSSL itself, asked in a child. */
void doctor_library(struct doctor *d);
/* The key end to end, once all on the way to it is known to be there. */
void doctor_key(struct doctor *d);
/* doctor_socket.c: who may, and who answers. */
void doctor_socket(struct doctor *d);
/* doctor_sidecar.c: what it says. */
void doctor_sidecar(struct doctor *d);

/* ---- the child (doctor_probe.c) ----------------------------------------- */

#define DOCTOR_PROBE    "mpcsign-openssl-probe" /* our name as the child */
#define DOCTOR_ANSWER   8192
#define DOCTOR_PROBE_MS 20000
/* What a child said: lines of NAME SP VALUE. */
struct doctor_answer {
    char text[DOCTOR_ANSWER];
    int status; /* as wait() has it */
};
/* step and argument for the child; argument NULL for none. */
MUST_CHECK enum rc doctor_probe(struct doctor_answer *out, const char *step,
                                const char *argument);
/* The nth value of that name into out; false when there is none. */
bool doctor_answer_get(char *out, size_t cap, const struct doctor_answer *a,
                       const char *name, unsigned nth);
bool doctor_answer_is(const struct doctor_answer *a, const char *name,
                      const char *value);
/* RC_OK when it came to its end; else what ended it. */
MUST_CHECK enum rc doctor_answer_whole(const struct doctor_answer *a);
/* The child's main(). */
enum rc doctor_probe_run(int argc, char **argv);

#endif
