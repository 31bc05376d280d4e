/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs of mpcsign log, inside: a log that is read from outside and
 * believed in nothing that was not recomputed. Public data only.
 */
#ifndef CLI_LOG_H
#define CLI_LOG_H

#include <signal.h>

#include "cli/inner.h"
#include "transparency/watch.h"

OWNED_STRUCT(http_client);

/* ---- whose log, and where (log_open.c) ---------------------------------- */

struct cli_log_args {
    const char *url;
    const char *vkey;
    const char *policy;
};
/* clang-format off */
#define CLI_LOG_URL(args)                                                      \
    { .name = "--url", .text = &(args)->url,                                   \
      .help = "the log: http://HOST:PORT, unix:SOCKET or file:DIR; "           \
              "else MPC_LOG_URL" }
#define CLI_LOG_PLACE(args)                                                    \
    { .name = "URL", .text = &(args)->url, .help = "as --url" }
#define CLI_LOG_VKEY(args)                                                     \
    { .name = "--vkey", .text = &(args)->vkey,                                 \
      .help = "its verifier key, NAME+HASH+KEY; else MPC_LOG_VKEY" }
#define CLI_LOG_POLICY(args)                                                   \
    { .name = "--policy", .text = &(args)->policy,                             \
      .help = "a tlog-policy file: whose cosignatures it must have" }
/* clang-format on */

struct cli_log {
    struct http_client *client; /* NULL: files in dir */
    struct http_peer *peer;
    char dir[CLI_PATH];
    struct tlog_vkey key;
    struct tlog_trust *trust; /* this log alone, and its witnesses */
    /* set: a fetch ends with RC_TIMEOUT instead */
    const volatile sig_atomic_t *stop;
    const char *doing; /* the word before progress; NULL: none is told */
    uint64_t size;     /* what the log says it holds; for progress only */
    uint64_t bundles;  /* read since its checkpoint was */
    int64_t started_ms;
    int64_t told_ms;
};
/* Key and policy; no network. Arguments over environment over the policy. */
MUST_CHECK enum rc cli_log_trust(struct cli_log *l,
                                 const struct cli_log_args *args);
/* The same, and the address. Close it, also after a failure. */
MUST_CHECK enum rc cli_log_open(struct cli_log *l,
                                const struct cli_log_args *args);
void cli_log_close(struct cli_log *l);
/* A tlog_fetch; ctx is the cli_log. Says how far it is every second. */
MUST_CHECK enum rc cli_log_fetch(uint8_t **out, size_t *len, const char *path,
                                 void *ctx);
/* Its newest checkpoint, opened; note has TLOG_NOTE_MAX bytes. */
MUST_CHECK enum rc cli_log_head(struct tlog_checkpoint *cp, char *note,
                                struct cli_log *l);
/*
 * An entry with its proof, off tiles, checked. checkpoint: what it shall be
 * proven in, verified already. RC_UNKNOWN: outside its tree.
 */
MUST_CHECK enum rc cli_log_entry(struct tlog_proof *out, struct cli_log *l,
                                 const char *checkpoint, uint64_t index);
/* Index of an entry with these bytes, which the log need not be believed:
 * prove it. RC_UNKNOWN: the whole log was read and has none. */
MUST_CHECK enum rc cli_log_find(uint64_t *index, struct cli_log *l,
                                const uint8_t *entry, size_t len);

/* ---- entries as people and programs read them (log_entry.c) ------------- */

/* {index, type, and the fields by their names}; numbers are numbers. */
json_t *cli_log_entry_json(uint64_t index, const uint8_t *entry, size_t len);
/* One line of a table. */
MUST_CHECK enum rc cli_log_entry_say(const json_t *entry);

/* ---- which entries (log_filter.c) --------------------------------------- */

#define CLI_LOG_DIGESTS 8
struct cli_log_filter {
    const char *type; /* NULL: any */
    char key[65];     /* "": any */
    char group[65];   /* H of `key`, for who has the group key instead */
    char session[65]; /* "": any */
    /* one of these, in whatever field; none: any */
    char digest[CLI_LOG_DIGESTS][65];
    unsigned n_digests;
    /* receipts of older intents are MAYBE: look the intent up */
    uint64_t from;
    uint64_t *intent; /* those that matched, ascending */
    size_t n_intents;
    size_t cap;
};
enum cli_log_match { CLI_LOG_NO, CLI_LOG_YES, CLI_LOG_MAYBE };
/* --key: 64 hex digits, or the name of a key that the sidecar knows. */
MUST_CHECK enum rc cli_log_filter_key(struct cli_log_filter *f,
                                      const char *text);
MUST_CHECK enum rc cli_log_filter_digest(struct cli_log_filter *f,
                                         const uint8_t digest[32]);
/* RC_ARG naming the option unless it is 64 lower case hex digits. */
MUST_CHECK enum rc cli_log_hex(char out[65], const char *option,
                               const char *text);
/* Entries in order. *why: the field that matched, static. */
MUST_CHECK enum rc cli_log_filter_match(enum cli_log_match *out,
                                        const char **why,
                                        struct cli_log_filter *f,
                                        const json_t *entry);
/* Does the entry itself match, whatever was before it? NULL: no. */
const char *cli_log_filter_why(const struct cli_log_filter *f,
                               const json_t *entry);
void cli_log_filter_wipe(struct cli_log_filter *f);

/* ---- what a monitor keeps (log_state.c) --------------------------------- */

/* --state, else a file of this log under XDG_STATE_HOME or ~/.local/state;
 * the directory is made. */
MUST_CHECK enum rc cli_log_state_path(char out[CLI_PATH], const char *given,
                                      const struct tlog_vkey *key);
/* A new watch where there is no file. *found may be NULL. */
MUST_CHECK enum rc cli_log_state_load(struct tlog_watch **w,
                                      struct tlog_follow *f, bool *found,
                                      const char *path,
                                      const struct tlog_vkey *key);
MUST_CHECK enum rc cli_log_state_save(const char *path,
                                      const struct tlog_watch *w,
                                      const struct tlog_follow *f,
                                      const struct tlog_vkey *key);
/* Keeps a note beside the state, once; its path out. */
MUST_CHECK enum rc cli_log_evidence(char out[CLI_PATH], const char *state,
                                    const char *note);

#endif
