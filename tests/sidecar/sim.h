/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole cluster in one process: nodes with real vaults, stores and policy,
 * a real log, one clock and one source of chance. Every message is an event
 * in a queue; between two events anything may happen to it or to a node. The
 * same seed gives the same run. Test keys only.
 */
#ifndef TESTS_SIDECAR_SIM_H
#define TESTS_SIDECAR_SIM_H

#include "dir.h"
#include "sidecar/sidecar.h"

#define SIM_NODES   5 /* 1-based ids 1..n */
#define SIM_ENTRIES 4096
#define SIM_CALLS   2048
#define SIM_SHARES  8192
#define SIM_UID     1000

/* ---- chance --------------------------------------------------------------- */

/* Per mille of all messages; crash: of all events. */
struct sim_faults {
    unsigned drop;
    unsigned lose_reply; /* the request arrived, its answer does not */
    unsigned twice;
    unsigned slow; /* late enough to be overtaken by others */
    unsigned crash;
};

/* ---- what runs -------------------------------------------------------------- */

struct sim;
struct sim_node {
    struct sim *sim;
    uint16_t id;
    bool up;
    bool hung; /* takes requests, answers none */
    unsigned life;
    struct vault *vault;
    struct store *store;
    struct node *node;
    uint8_t seal_key[32];
    struct vault_keys keys; /* of its last life */
    uint8_t ak_pk[32], ak_sk[64];
    char db[DIR_MAX + 32];
    char *status;       /* what it said before it ended, owned */
    int64_t restart_ms; /* crashed by chance: up again then; 0: by hand */
    unsigned policy_changes;
    unsigned forks; /* alarms */
    bool doomed;    /* sim_doom(): nothing it still does is seen */
};

struct sim_call {
    uint16_t node;
    unsigned life;
    unsigned answers;
    enum rc rc;
    char why[512];
    char hint[256];
    char *json; /* owned */
    size_t len;
    int64_t asked_ms, answered_ms;
    uint8_t *msg; /* owned; a signature's */
    size_t msg_len;
    char key[65];
};

/* A branch of the log; the second one exists when the log lies. */
struct sim_log {
    char dir[DIR_MAX + 16];
    struct tlog_store *store;
    char *entry[SIM_ENTRIES]; /* owned */
    uint64_t n;
    bool known[SIM_ENTRIES + 1]; /* roots of sizes that were signed */
    struct tlog_hash root[SIM_ENTRIES + 1];
};

/* What a signer released, as seen on the wire. */
struct sim_share {
    uint16_t signer;
    uint8_t session[32];
    char slot[8];
    uint8_t commitment[32];
    uint8_t hiding[32]; /* of the nonce it was made with */
};
/* A head some node cosigned. */
struct sim_cosigned {
    uint16_t node;
    uint64_t size;
    struct tlog_hash root;
};

/*
 * May change a message under way: body is heap, or NULL. reply: the answer to
 * path instead of the request.
 */
typedef void sim_tamper(struct sim *s, uint32_t from, uint32_t to,
                        const char *path, bool reply, uint8_t **body,
                        size_t *len);

/*
 * The external authoriser of every node: its answer's body (heap), or a code.
 * RC_TIMEOUT: it does not answer.
 */
typedef enum rc sim_authoriser(struct sim *s, unsigned node, const char *json,
                               size_t len, uint8_t **body, size_t *body_len);

struct sim {
    uint64_t seed;
    uint64_t chance, random; /* two streams: faults and the nodes' own */
    int64_t now_ms;
    int64_t step_s; /* the wall clock was set so far from where it was */
    uint64_t serial;
    struct sim_event *events; /* ascending by time */
    struct sim_faults faults;
    enum vault_master master; /* of vaults that start from now on; 0: snp */
    sim_tamper *tamper;
    void *tamper_ctx;
    sim_authoriser *authoriser; /* of nodes that start from now on */
    bool standing;              /* they have standing evidence */
    uint16_t liar;              /* whose evidence nobody believes */
    /* what mpc-ca answers, body NULL: a GET; NULL: nobody is there */
    enum rc (*ca)(struct sim *s, const char *path, const uint8_t *body,
                  size_t len, char **reply, size_t *reply_len);
    enum rc (*leaf_life)(void *ctx, int64_t *from, int64_t *to,
                         const uint8_t *der, size_t len);
    /* issuer class, of nodes that start from now on; NULL: refuses all */
    enum rc (*tbs_check)(void *ctx, const struct policy_chain *chain,
                         const struct policy_session *session,
                         const uint8_t issuer_key[32],
                         const struct wire_birth *birth, const uint8_t *tbs,
                         size_t tbs_len);
    /* between the judgement and the answer with a share; may be NULL */
    void (*lending)(struct sim *s, unsigned node);
    /* around a local call's way into the node; may be NULL */
    void (*calling)(bool begins);
    const struct node_caller *caller; /* who calls; NULL: SIM_UID */
    /* before each message, answer and commit of a node; may sim_doom() it */
    void (*boundary)(struct sim *s, unsigned node, const char *what);
    char dir[DIR_MAX];
    unsigned n;
    struct sim_node node[SIM_NODES + 1];
    /* the log */
    struct tlog_vkey vkey;
    uint8_t log_sk[64];
    struct sim_log log;
    struct sim_log *fork; /* NULL while the log is honest */
    uint16_t fork_for;    /* who is shown the fork */
    bool log_down;
    bool log_hung;
    /* policy */
    char *genesis; /* owned */
    size_t genesis_len;
    uint8_t genesis_sha256[32];
    char *policy; /* newest version's exact text, owned */
    uint64_t version;
    uint8_t policy_sha256[32];
    /* who holds the profiles' keys; bits by node id, 0: all */
    unsigned holders, threshold, leaving;
    char custodian[SIM_NODES + 1][65]; /* hex, by node; "": none */
    /* what happened */
    struct sim_call call[SIM_CALLS];
    unsigned n_calls;
    struct sim_share share[SIM_SHARES];
    unsigned n_shares;
    struct sim_cosigned cosigned[SIM_SHARES];
    unsigned n_cosigned;
    unsigned n_crashes, n_rounds, n_behind;
};

/* ---- sim.c: life and time ---------------------------------------------------- */

struct sim *sim_new(uint64_t seed, unsigned nodes);
void sim_free(struct sim *s);
/* cmocka's: frees what a failed test left behind. */
int sim_teardown(void **state);
uint64_t sim_dice(struct sim *s, uint64_t below);

void sim_start(struct sim *s, unsigned id);
void sim_crash(struct sim *s, unsigned id);
/* Events of the next ms of virtual time. */
void sim_run(struct sim *s, int64_t ms);
/* status without what a lead thinks of its peers; heap. */
char *sim_status(struct sim *s, unsigned id);
/* Until the call is answered, at most ms; false when it was not. */
bool sim_wait(struct sim *s, unsigned call, int64_t ms);
/* Every node tells every other its policy head, as attesting does. */
void sim_gossip(struct sim *s);

/* A local call; body NULL is a GET. Returns its number. */
unsigned sim_ask_as(struct sim *s, unsigned id, uid_t uid, const char *path,
                    const void *body, size_t len);
unsigned sim_ask(struct sim *s, unsigned id, const char *path, const void *body,
                 size_t len);
unsigned sim_sign(struct sim *s, unsigned id, const char *key,
                  const char *session, const void *msg, size_t len,
                  unsigned wait_ms);
/* Fails the test with the seed in front. */
#define sim_fail(s, ...)                                                       \
    do {                                                                       \
        char sim_why_[1024];                                                   \
        snprintf(sim_why_, sizeof(sim_why_), __VA_ARGS__);                     \
        fail_msg("MPC_SIM_SEED=%llu at %lld ms: %s",                           \
                 (unsigned long long)(s)->seed, (long long)(s)->now_ms,        \
                 sim_why_);                                                    \
    } while (0)
/* Waits, then wants this code. */
void sim_want(struct sim *s, unsigned call, enum rc want);
#define sim_want_ok(s, call) sim_want(s, call, RC_OK)

/* ---- sim_log.c: the log, and what is watched on the wire ------------------------ */

void sim_log_open(struct sim *s, struct sim_log *log, const char *name);
void sim_log_close(struct sim_log *log);
/* Answers as mpc-log does. */
MUST_CHECK enum rc sim_log_serve(struct sim *s, uint16_t from, const char *path,
                                 const uint8_t *body, size_t len, char **reply,
                                 size_t *reply_len);
/* From now on this node is shown another history than the others. */
void sim_log_fork(struct sim *s, uint16_t for_node);
/*
 * The log runs from an old copy: its first `to` entries. whole is what it was,
 * and what sim_log_back() puts back.
 */
void sim_log_shrink(struct sim *s, struct sim_log *whole, uint64_t to);
void sim_log_back(struct sim *s, struct sim_log *whole);
/* Round two was answered: is anything in it that must not be? */
void sim_watch(struct sim *s, uint16_t signer, const uint8_t *request,
               size_t request_len, const char *reply, size_t reply_len);
/* The newest row of its audit; and: what round two was answered since is on
 * record, by this lead, with its reason. */
uint64_t sim_record_head(struct sim *s, unsigned id);
void sim_on_record(struct sim *s, unsigned id, unsigned lead, uint64_t since,
                   enum rc rc);
/*
 * MPC_SIM_SEED, MPC_SIM_FIRST, MPC_SIM_RUNS; what stands there is no number: 0.
 * MPC_SIM_TRACE=1 tells every message, crash and call on stderr.
 */
uint64_t sim_number(const char *name, uint64_t otherwise);
/* Answered once each; signatures verify and their intents are logged. */
void sim_check(struct sim *s);
/*
 * Every intent in the log has ended: of its message in its slot, an attempt is
 * cited by a receipt or an abort. Run long enough before.
 */
void sim_ends(struct sim *s);
/* The signature a call was answered with; false when it failed. */
bool sim_signature(struct sim *s, unsigned call, struct wire_signed *out);

/* ---- sim_peer.c: a lead's part, by hand ------------------------------------------ */

#define SIM_WHY 960
/* A fresh commitment of this node for this lead; how far it saw the log. */
uint64_t sim_commit(struct sim *s, struct wire_signer *out, unsigned node,
                    unsigned lead, const uint8_t key[32], uint64_t epoch);
/* Has the log take it; the item gets its proof, and the growth from size. */
void sim_log_intent(struct sim *s, struct wire_round2_item *item, unsigned lead,
                    uint64_t size, const struct tlog_intent *in);
/*
 * Asks for one share, and wants it on the signer's record. The code of the
 * answer, its words raised; a refusal with a share in it fails the test.
 */
enum rc sim_round2(struct sim *s, unsigned lead, unsigned signer,
                   const struct wire_round2 *m, const void *msg, size_t len,
                   uint8_t share[32]);

/* ---- sim_cut.c: a crash between any two actions --------------------------------- */

/* Stores that are opened from now on call s->boundary as well. */
void sim_cut_watch(struct sim *s);
void sim_boundary(struct sim *s, unsigned id, const char *what);
/*
 * From s->boundary: this node ends here. What it has at rest is what it had
 * at rest now; it is down as soon as it comes back from what it does.
 */
void sim_doom(struct sim *s, unsigned id);
/* Ends those that are doomed; true: there was one. */
bool sim_reap(struct sim *s);

/* ---- sim_setup.c: policy, sessions, persons --------------------------------------- */

/* Genesis, nodes up, version 2 in force everywhere. */
void sim_boot(struct sim *s);
/* And these keys made; NULL ends. */
void sim_ready(struct sim *s, const char *const *keys);
/* A session of newest policy, requested by dev; people approve as role. */
struct policy_session sim_session(struct sim *s, enum policy_session_type type,
                                  const char *profile);
void sim_session_wire(struct sim *s, struct wire_session *out,
                      struct policy_session *in, const char *role,
                      const char *const *people);
void sim_record(struct wire_blob *out, const uint8_t session[32],
                enum policy_decision decision, const char *role,
                const char *person);
/* One more version, as JSON; changes: called to edit it, may be NULL. */
unsigned sim_policy_next(struct sim *s, unsigned via, const char *from,
                         const char *to);
unsigned sim_key_create(struct sim *s, unsigned via, const char *profile,
                        const char *const *stewards);
extern const char *const sim_stewards[];

#endif
