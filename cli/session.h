/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What request, status, approve and sign share about one session: how it
 * stands, how that is shown and waited for, and how one person decides.
 *
 * Names, reasons and file names come from whoever asks: whatever is shown goes
 * through state_plain(). Nothing here is secret but what prompt.c reads.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <stdio.h>

#include "cli/inner.h"

/* ---- how it stands (state.c) -------------------------------------------- */

/*
 * The state of a session, the id in 64 hex digits; free with WIRE(). text:
 * NULL, or the sidecar's own JSON, heap, for -o json.
 */
MUST_CHECK enum rc state_ask(struct wire_session_state *out, char **text,
                             const char *id);
bool state_is(const struct wire_session_state *s, const char *name);
/*
 * RC_OK once it is approved; RC_NOT_APPROVED while it is open, naming who is
 * missing and the command; else why it never will be.
 */
MUST_CHECK enum rc state_verdict(const struct wire_session_state *s);
/* "1 engineer, 2 stewards", or "nobody". */
#define STATE_WORDS 64
const char *state_missing(char out[STATE_WORDS],
                          const struct wire_session_state *s);
/* The newest sessions of this node; free with WIRE(). */
MUST_CHECK enum rc state_sessions(struct wire_sessions *out);
/* Control characters, and those that turn or hide text, become '?'; out may
 * be text itself. */
const char *state_plain(char *out, size_t cap, const char *text);
/* 64 hex digits as they are; 8 or more of one open session's. RC_ARG. */
MUST_CHECK enum rc state_find(char out[65], const char *id);

/* ---- for people (state_show.c) ------------------------------------------ */

/* "✓ bob        approved as steward, SSH key" */
#define STATE_SAID 256
void state_said(char out[STATE_SAID], const struct wire_said *r);
/* The whole page: what, who, why, who decided, what is missing, next. */
void state_page(FILE *to, const struct wire_session_state *s, int64_t now_s);
/* One line a person and a line of what is missing; returns the lines. */
unsigned state_lines(FILE *to, const struct wire_session_state *s,
                     int64_t now_s);
/* "9 min 12 s", "ended 3 s ago" */
const char *state_left(char out[STATE_WORDS], int64_t expires, int64_t now_s);
/* Where people approve by browser; false: MPC_APPROVE_URL is not set. */
bool state_url(char *out, size_t cap, const char *id);

/* ---- waiting (wait.c) --------------------------------------------------- */

struct wait {
    const char *id;
    int64_t timeout_s; /* 0: until it ends */
    bool json_lines;   /* each change as an object on stdout */
};
/*
 * Shows each change until the session is approved, over, or timeout_s passed
 * (RC_NOT_APPROVED). An interrupt says how to resume and ends the program; the
 * session stays open.
 */
MUST_CHECK enum rc wait_for(const struct wait *w);

/* ---- QR codes (qr.c) ---------------------------------------------------- */

/*
 * The text as a QR code in half blocks, quiet zone included. colour: black on
 * white by escapes, right on every terminal; else as for a dark one.
 */
MUST_CHECK enum rc qr_print(FILE *to, const char *text, bool colour);

/* ---- asking a person (prompt.c) ----------------------------------------- */

bool prompt_possible(void); /* standard input and error are a terminal */
/* False for anything but y or yes. */
bool prompt_yes(const char *question);
/* One line of standard input. */
MUST_CHECK enum rc prompt_line(char *out, size_t cap, const char *question);
/* Without echo, from the terminal; the caller wipes. */
MUST_CHECK enum rc prompt_secret(char *out, size_t cap, const char *question);

/* ---- deciding (decide.c) ------------------------------------------------ */

struct decide {
    const struct policy_session *session;
    const struct policy *policy;
    enum policy_decision decision;
    const char *person;  /* NULL: whose credential is found */
    const char *role;    /* NULL: the one of theirs that is missing here */
    const char *ssh_key; /* private, or public for an agent; NULL */
    const char *device;  /* path or "auto"; NULL */
    /* found, once settled */
    const struct policy_person *who;
    char key_file[CLI_PATH]; /* "" for a device */
    bool key_file_ours;      /* written by agent_find() */
};
/*
 * Settles person, role and way before anything is shown or signed: the device
 * or key that is named; else the person's file in MPC_DEV; else the first key
 * of the ssh-agent that the policy knows.
 */
MUST_CHECK enum rc decide_settle(struct decide *d);
/* Settles who asks for a session: who, else dev in MPC_DEV, else whose key is
 * found. They sign by SSH. */
MUST_CHECK enum rc decide_requester(struct decide *d, const struct policy *p,
                                    const char *who, const char *ssh_key);
/*
 * At a terminal a person is asked, unless `yes`; where there is none, a script
 * decided. RC_NOT_APPROVED: they said no.
 */
MUST_CHECK enum rc decide_ask(const struct decide *d, bool yes);
/* Removes what settling wrote. */
void decide_end(struct decide *d);
/* The record: touches the device, asks the agent, or reads the key. */
MUST_CHECK enum rc decide_record(struct wire_blob *out, const struct decide *d);

/* ---- asking (request.c) ------------------------------------------------- */

struct request {
    const char *file;
    const struct cli_content *content; /* of it; NULL: it is read */
    const char *profile;
    const char *slots; /* comma separated */
    const char *reason;
    const char *ttl;
    const char *who;     /* NULL: dev in MPC_DEV, else whose key is found */
    const char *ssh_key; /* NULL: found */
    bool qr;             /* also where standard error is no terminal */
    bool no_qr;
};
/* Makes the session, signs it as its requester and hands it in. */
MUST_CHECK enum rc request_make(struct policy_session *out,
                                const struct request *r);
/*
 * The same where the policy asks for nobody: signed by nobody either, in the
 * name of this user at this node, which alone keeps it. RC_NOT_APPROVED where
 * the node's own floor asks for somebody.
 */
MUST_CHECK enum rc request_open(struct policy_session *out,
                                const struct request *r);
/* On stderr: what was asked, who must approve, how and where. */
MUST_CHECK enum rc request_show(const struct policy_session *s,
                                const struct request *r);

/* ---- SSH keys (ssh.c, agent.c) ------------------------------------------ */

#define SSH_SIG_MAX 4096
/*
 * SSHSIG over the challenge, armoured or raw as policy_record_sshsig() takes
 * it, and the key it is by: by ourselves where the file is a plain Ed25519
 * key, else by ssh-keygen, which asks agent, passphrase or touch.
 */
MUST_CHECK enum rc ssh_sign(char out[SSH_SIG_MAX], size_t *len, uint8_t key[32],
                            const char *file, const uint8_t challenge[32]);
/* The public key of an OpenSSH key file: from FILE.pub, or the file itself. */
MUST_CHECK enum rc ssh_public(uint8_t key[32], const char *file);
/* "ssh-ed25519 AAAA…" or "sk-ssh-ed25519@openssh.com AAAA…" */
MUST_CHECK enum rc ssh_public_line(uint8_t key[32], const char *line,
                                   size_t len);
/* Whose key it is; NULL when nobody's. */
const struct policy_person *ssh_owner(const struct policy *p,
                                      const uint8_t key[32]);
/*
 * The agent's first key that is `person`'s (NULL: anybody's), its public line
 * written to a new file, which the caller removes. RC_UNKNOWN: none.
 */
MUST_CHECK enum rc agent_find(char file[CLI_PATH],
                              const struct policy_person **who,
                              const struct policy *p, const char *person);

#endif
