/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign sign, inside: one file, one session, one signature for each payload
 * kind that was asked for. cmd_sign.c is the verb; sign_session.c finds or
 * opens the session, sign_make.c has it signed, sign_evidence.c gets and
 * judges what proves it, sign_out.c writes all of it, or nothing.
 *
 * Nothing here is secret. Until sign_out_commit() nothing is on the disk.
 */
#ifndef CLI_SIGN_H
#define CLI_SIGN_H

#include "cli/session.h"

#define SIGN_PATH 4096

/* ---- what was asked for, and what came of it ----------------------------- */

struct sign_file {
    const char *path; /* NULL: not wanted */
    uint8_t *bytes;   /* owned */
    size_t len;
};
enum sign_output { SIGN_SIG, SIGN_CMS, SIGN_STORE, SIGN_CERT, SIGN_BUNDLE };
#define SIGN_OUTPUTS 5

struct sign {
    /* asked for */
    const char *file;
    const char *profile;
    const char *given;   /* a session's id, or NULL */
    struct request ask;  /* where approvals are missing */
    const char *timeout; /* for them */
    bool no_wait;
    bool want[POLICY__KINDS];
    struct sign_file out[SIGN_OUTPUTS];
    char beside[SIGN_PATH]; /* FILE.sig */
    /* found */
    struct policy *policy;      /* owned; newest */
    bool simulated;             /* the cluster says so */
    struct cli_content content; /* bytes: only for raw */
    bool ephemeral;
    bool opened; /* the session is our own, nobody approves it */
    char id[65];
    struct policy_session session;
    /* made */
    struct wire_chain chain;
    struct wire_signed made[POLICY__KINDS]; /* where want[] */
    bool evidence; /* the bundle was judged, and holds */
};
void sign_wipe(struct sign *g);

/* The kind that stands for all: its bundle, its line. */
enum policy_kind sign_first(const struct sign *g);

/* ---- sign_session.c ------------------------------------------------------ */

/* File, policy and profile: everything that can be refused without asking. */
MUST_CHECK enum rc sign_read(struct sign *g);
/*
 * The session: the given one, checked against file and kinds; else one of our
 * own where the policy asks for nobody; else RC_NOT_APPROVED.
 */
MUST_CHECK enum rc sign_session(struct sign *g);
/* Requests a session that persons must approve, and waits for them. */
MUST_CHECK enum rc sign_approved(struct sign *g);

/* ---- sign_make.c --------------------------------------------------------- */

/* Has the nodes make the session's key, where it is one that is made. */
MUST_CHECK enum rc sign_key(const struct sign *g);
/* Its certificate first, then one signature for each kind. */
MUST_CHECK enum rc sign_make(struct sign *g);

/* ---- sign_evidence.c ----------------------------------------------------- */

/* The bundle, with its receipt; judged as mpcsign verify would. */
MUST_CHECK enum rc sign_evidence(struct sign *g);

/* ---- sign_out.c ---------------------------------------------------------- */

/* Names that cannot be written, before anybody is asked for anything. */
MUST_CHECK enum rc sign_out_check(const struct sign *g);
/*
 * All files or none: each is whole on the disk beside its name before the
 * first takes it. An interrupt waits for the end. What was there is replaced.
 */
MUST_CHECK enum rc sign_out_commit(const struct sign *g);

/* ---- progress.c ---------------------------------------------------------- */

/*
 * Says what is going on, on stderr, once it has taken a second, and that it
 * still does; nothing with -o json. At a terminal one line that moves.
 */
struct progress;
struct progress *progress_begin(const char *what); /* NULL is fine */
void progress_end(struct progress *p);

#endif
