/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign's own door between its files: reading the command line, saying
 * results, and asking the sidecar of this machine. A verb is one cmd_*.c; only
 * those, main.c and say.c print.
 *
 * Persons' keys are read for one signature and wiped; nothing else here is
 * secret.
 */
#ifndef CLI_INNER_H
#define CLI_INNER_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>
#include <openssl/types.h>

#include "base/own.h"
#include "base/rc.h"
#include "cli/cli.h"
#include "http/http.h"
#include "policy/policy.h"
#include "transparency/transparency.h"
#include "wire/wire.h"

OWNED_BY(json_t, json_decref);
OWNED_STRUCT(policy);

/* ---- verbs (table.c) ---------------------------------------------------- */

struct cli_verb {
    const char *name; /* "key create" */
    enum rc (*run)(int argc, char **argv);
    const char *help; /* one line */
};
extern const struct cli_verb cli_verbs[]; /* ends with name NULL */

/* The verb that argv begins with; *words how many of them it is. */
const struct cli_verb *cli_verb_find(int argc, char **argv, int *words);
/* Name of the verb that runs, for its usage. */
const char *cli_verb_now(void);
/* Usage of everything, as --help prints it. */
void cli_help(void);

enum rc cmd_status(int argc, char **argv);
enum rc cmd_key_list(int argc, char **argv);
enum rc cmd_key_show(int argc, char **argv);
enum rc cmd_key_create(int argc, char **argv);
enum rc cmd_key_ref(int argc, char **argv);
enum rc cmd_key_refresh(int argc, char **argv);
enum rc cmd_key_reshare(int argc, char **argv);
enum rc cmd_key_repair(int argc, char **argv);
enum rc cmd_key_destroy(int argc, char **argv);
enum rc cmd_key_backup(int argc, char **argv);
enum rc cmd_key_export_share(int argc, char **argv);
enum rc cmd_key_recover(int argc, char **argv);
enum rc cmd_custodian_new(int argc, char **argv);
enum rc cmd_node_add(int argc, char **argv);
enum rc cmd_node_remove(int argc, char **argv);
enum rc cmd_node_upgrade(int argc, char **argv);
enum rc cmd_cms_sign(int argc, char **argv);
enum rc cmd_cms_verify(int argc, char **argv);
enum rc cmd_cert(int argc, char **argv);
enum rc cmd_ca_init(int argc, char **argv);
enum rc cmd_ca_show(int argc, char **argv);
enum rc cmd_ca_chain(int argc, char **argv);
enum rc cmd_policy_show(int argc, char **argv);
enum rc cmd_policy_log(int argc, char **argv);
enum rc cmd_policy_diff(int argc, char **argv);
enum rc cmd_policy_draft(int argc, char **argv);
enum rc cmd_policy_propose(int argc, char **argv);
enum rc cmd_policy_approve(int argc, char **argv);
enum rc cmd_policy_invite(int argc, char **argv);
enum rc cmd_policy_enrol(int argc, char **argv);
enum rc cmd_policy_enrolments(int argc, char **argv);
enum rc cmd_sign(int argc, char **argv);
enum rc cmd_verify(int argc, char **argv);
enum rc cmd_trust_export(int argc, char **argv);
enum rc cmd_openssl_doctor(int argc, char **argv);
enum rc cmd_git_x509(int argc, char **argv);
enum rc cmd_request(int argc, char **argv);
enum rc cmd_approve(int argc, char **argv);
enum rc cmd_deny(int argc, char **argv);
enum rc cmd_revoke(int argc, char **argv);
enum rc cmd_audit(int argc, char **argv);
enum rc cmd_log_fsck(int argc, char **argv);
enum rc cmd_log_prove(int argc, char **argv);
enum rc cmd_log_verify(int argc, char **argv);
enum rc cmd_log_search(int argc, char **argv);
enum rc cmd_log_watch(int argc, char **argv);
enum rc cmd_frost_vectors(int argc, char **argv);
enum rc cmd_attest_verify(int argc, char **argv);
enum rc cmd_attest_show(int argc, char **argv);
enum rc cmd_attest_collect(int argc, char **argv);
enum rc cmd_attest_measure(int argc, char **argv);
enum rc cmd_attest_policy_hash(int argc, char **argv);
enum rc cmd_dev_up(int argc, char **argv);
enum rc cmd_dev_down(int argc, char **argv);
enum rc cmd_dev_status(int argc, char **argv);
enum rc cmd_dev_env(int argc, char **argv);
enum rc cmd_dev_kill(int argc, char **argv);
enum rc cmd_dev_start(int argc, char **argv);
enum rc cmd_dev_restart(int argc, char **argv);

/* ---- the command line (args.c) ------------------------------------------ */

#define CLI_LIST_MAX 32
struct cli_list {
    const char *at[CLI_LIST_MAX];
    unsigned n;
};
/*
 * One row a word. "FILE" (no dash) is a positional, in the order of rows;
 * "--name" an option; brief its one-letter form. Exactly one of text, flag,
 * list says what it takes. A list takes every following word up to the next
 * that begins with a dash; with `once` just one, and the option may repeat.
 */
struct cli_arg {
    const char *name;
    const char *brief; /* "-s" or NULL */
    const char **text;
    bool *flag;
    struct cli_list *list;
    bool once; /* a list: one word an option */
    bool need; /* RC_ARG without it */
    const char *help;
};
/*
 * argv begins with the verb's last word, as in main(). Every verb also knows
 * --help, -o text|json and -- (the rest are positionals). *done: --help was
 * served. rows end with name NULL.
 */
MUST_CHECK enum rc cli_args(bool *done, const struct cli_arg *rows, int argc,
                            char **argv);
/* "5" as a number within bounds; RC_ARG names the option. */
MUST_CHECK enum rc cli_number(int64_t *out, const char *option,
                              const char *text, int64_t min, int64_t max);

/* "2026-11-22T03:35:00Z" as seconds; RC_ARG names the option. */
MUST_CHECK enum rc cli_time(int64_t *out, const char *option, const char *text);

/* ---- saying (say.c) ----------------------------------------------------- */

bool cli_json(void); /* -o json */
void cli_json_set(bool on);
/* One JSON document on stdout, compact, and a newline; takes the reference. */
MUST_CHECK enum rc cli_say_json(json_t *doc);
/* Also says out of memory when doc is NULL. */
MUST_CHECK enum rc cli_say(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* A line of it, in which others' words may stand: through state_plain(). */
MUST_CHECK enum rc cli_say_line(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* {code, name, message, hint} of the thread's last error. */
json_t *cli_error_json(enum rc rc);
/* The failure has been told already: main() shall only exit with it. */
void cli_told(void);
/* On stdout or stderr, as -o says; returns the exit code. */
int cli_fail(enum rc rc);
/* A progress line on stderr, unless -o json; through state_plain(). */
void cli_note(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* "SIMULATED …" as loud as the terminal allows, on f. */
void cli_banner(bool to_stderr);

/* ---- what is signed (content.c) ----------------------------------------- */

#define CLI_CONTENT_MAX (256u * 1024 * 1024) /* of bytes that are kept */
struct cli_content {
    uint8_t sha256[32];
    uint8_t sha512[64];
    uint64_t size;
    uint8_t *bytes; /* heap; NULL when only the digests were wanted */
};
/*
 * A file of any size, read piece by piece; with keep at most CLI_CONTENT_MAX,
 * and its bytes. "-" is standard input.
 */
MUST_CHECK enum rc cli_content_read(struct cli_content *out, const char *file,
                                    bool keep);
void cli_content_free(struct cli_content *c);

/* ---- other programs (child.c) ------------------------------------------- */

/*
 * Runs a program (by PATH unless it has a slash) to its end: what it prints,
 * cut to cap - 1 bytes, and its wait status. Its input and errors are
 * /dev/null. argv ends with NULL. RC_UNKNOWN: no such program; RC_TIMEOUT: it
 * was killed.
 */
MUST_CHECK enum rc cli_child(char *out, size_t cap, int *status,
                             const char *program, const char *const *argv,
                             int timeout_ms);
/* The same with `len` <= PIPE_BUF bytes of input; its errors are ours. */
MUST_CHECK enum rc cli_child_with(char *out, size_t cap, int *status,
                                  const char *program, const char *const *argv,
                                  const void *input, size_t len,
                                  int timeout_ms);

/* ---- many small verdicts (checks.c) ------------------------------------- */

enum cli_level { CLI_OK, CLI_WARN, CLI_FAIL };
struct cli_checks {
    json_t *list; /* {id, ok, level, words, fix} each */
    unsigned warned;
    unsigned failed;
};
MUST_CHECK enum rc cli_checks_begin(struct cli_checks *c);
void cli_checks_end(struct cli_checks *c);
/* Says a line at once, unless -o json. fix: what to do, or NULL. */
void cli_check(struct cli_checks *c, enum cli_level level, const char *id,
               const char *fix, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* The words hold for RC_OK; else the last error's, its hint being the fix. */
void cli_check_rc(struct cli_checks *c, const char *id, enum rc rc,
                  const char *fmt, ...) PRINTF_LIKE(4, 5);

/* ---- asking the sidecar (ask.c) ----------------------------------------- */

#define CLI_REPLY_MAX (8u * 1024 * 1024)
#define CLI_ASK_MS    5000 /* for what a sidecar answers at once */
/* MPC_SIDECAR, else /run/mpc/sidecar.sock. */
const char *cli_sidecar(void);
/*
 * One request to the sidecar behind `socket` (NULL: cli_sidecar()); body NULL
 * is a GET. TEE_POLICY_HASH of the environment goes along as what we want.
 */
MUST_CHECK enum rc cli_ask(struct http_answer *out, const char *socket,
                           const char *path, const void *body, size_t len,
                           int timeout_ms);
/* What it says of that key; free with wire_key_free(). */
MUST_CHECK enum rc cli_ask_key(struct wire_key *out, const char *name);
/* GET a JSON object. */
MUST_CHECK enum rc cli_ask_json(json_t **out, const char *socket,
                                const char *path);
/* What sessions need to know of a cluster, from /v1/status. */
struct cli_cluster {
    uint8_t genesis[32];
    uint8_t policy[32];
    uint64_t version;
    bool simulated;
};
MUST_CHECK enum rc cli_cluster_ask(struct cli_cluster *out, const char *socket);
/* RC_PARSE naming the member when it is not `len` bytes of hex. */
MUST_CHECK enum rc cli_json_hex(uint8_t *out, size_t len, const json_t *o,
                                const char *key);

/* POST /v1/sign with this message. */
MUST_CHECK enum rc cli_ask_sign(struct wire_signed *out, const char *socket,
                                const char *key, const char *session,
                                const uint8_t *msg, size_t len, int wait_ms);

/* MPC_SESSION where none is given; NULL for none at all. */
const char *cli_session_or_env(const char *given);

/* ---- the page on localhost (page_local.c) ------------------------------- */
/*
 * Serves the approval page to this machine and opens a browser at `path`;
 * returns when the sidecar took a POST to `wanted` ("/v1/approval"), with its
 * reply, or RC_EXPIRED at until_s.
 */
MUST_CHECK enum rc cli_page_local(json_t **out, const char *path,
                                  const char *wanted, int64_t until_s);
/* The page of session id (64 hex digits), until one decision is in. */
MUST_CHECK enum rc cli_page_approve(const char *id);

/* ---- certificates (chain.c) --------------------------------------------- */

/*
 * A fresh chain of the key, leaf first, never empty. session NULL or "": none.
 * RC_POLICY, with what to do instead, where the key has none by design.
 */
MUST_CHECK enum rc cli_ask_chain(struct wire_chain *out, const char *name,
                                 const char *session);
/* It says of itself that the hardware behind its key is simulated. */
bool cli_is_simulated(const X509 *x);
/* As PEM, heap. */
MUST_CHECK enum rc cli_chain_pem(char **out, size_t *len,
                                 const struct wire_chain *chain);

/* ---- sessions and persons (session.c) ----------------------------------- */

/* Who asks and who approves, by their OpenSSH key files. */
struct cli_people {
    const char *keys;      /* directory: NAME/id_ed25519 */
    const char *requester; /* name */
    const struct cli_list *approvers;
};
#define CLI_SESSION_S 600
/* A session of this type now, nonce and times filled in. */
MUST_CHECK enum rc cli_session_begin(struct policy_session *out,
                                     enum policy_session_type type,
                                     const struct cli_cluster *cluster,
                                     const char *profile, const char *reason);
/* The descriptor of that id (64 hex digits), which it is checked to have. */
MUST_CHECK enum rc cli_ask_session(struct policy_session *s, const char *id);
/*
 * Writes the descriptor and has everybody sign: the requester as such, each
 * approver as steward. s gets its id.
 */
MUST_CHECK enum rc cli_session_sign(struct wire_session *out,
                                    struct policy_session *s,
                                    const struct cli_people *people);
#define CLI_PATH 512
/* --keys, else MPC_DEV/persons, else "". */
MUST_CHECK enum rc cli_keys_dir(char out[CLI_PATH], const char *given);
/* DIR/NAME/id_ed25519 */
MUST_CHECK enum rc cli_person_file(char out[CLI_PATH], const char *dir,
                                   const char *name);
/* One person's decision, signed with an OpenSSH key file. */
MUST_CHECK enum rc cli_record(struct wire_blob *out, const char *key_file,
                              const uint8_t session[32],
                              enum policy_decision decision, const char *role,
                              const char *person);
/* The descriptor, signed by its requester; nobody approves. */
MUST_CHECK enum rc cli_session_seal(struct wire_session *out,
                                    struct policy_session *s,
                                    const char *requester,
                                    const char *key_file);
/* Public half of NAME/id_ed25519 under dir. */
MUST_CHECK enum rc cli_person_public(uint8_t key[32], const char *dir,
                                     const char *name);
/* key-create of this profile; the new key out. */
MUST_CHECK enum rc cli_key_create(struct wire_key *out, const char *socket,
                                  const char *profile,
                                  const struct cli_people *people);

/* One line, or JSON (cmd_key.c). */
MUST_CHECK enum rc cli_key_say(const struct wire_key *key);

/* ---- references to keys (key_ref.c) ------------------------------------- */

#define CLI_REF_MAX 160
#define CLI_REF_OID "1.3.6.1.4.1.32473.1.1"
/*
 * "mpc:NAME" or "mpc:NAME?session=HEX". name may begin with mpc: already;
 * session NULL for none. RC_ARG says which character is wrong.
 */
MUST_CHECK enum rc cli_ref_text(char out[CLI_REF_MAX], const char *name,
                                const char *session);
/* That text as PEM, heap; bridge: as PKCS#8, what the legacy bridge takes. */
MUST_CHECK enum rc cli_ref_pem(char **out, size_t *len, const char *text,
                               bool bridge);

/* ---- proofs (proof.c) --------------------------------------------------- */

/* RC_PARSE when something is longer than a proof can be. */
MUST_CHECK enum rc cli_proof(struct tlog_proof *out,
                             const struct wire_proof *in);
MUST_CHECK enum rc cli_votes(struct tlog_epoch_terms *terms,
                             struct tlog_vote votes[TLOG_MAX_NODES],
                             unsigned *n, const struct wire_cert *cert);
/* Borrowed views of records. */
MUST_CHECK enum rc cli_blobs(struct tlog_blob out[POLICY_MAX_APPROVALS],
                             unsigned *n, const struct wire_blob *at,
                             size_t count);
/* Reads and parses a policy file. */
MUST_CHECK enum rc cli_policy_read(struct policy **out, const char *path);

#endif
