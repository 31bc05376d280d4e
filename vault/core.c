/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core: one table of operations, and the state that the child and the
 * local vault share. Long-lived secrets are out of reach between two requests.
 */
#include "vault/inner.h"

#include <string.h>
#include <sys/mman.h>

#include "base/rand.h"
#include "base/secret.h"

/* stack below a handler that may have held secrets */
#define STACK_WIPE (32u * 1024)

#define ANY_KEYS (VAULT_OPEN | VAULT_READY)

/* clang-format off */
static const struct op_row {
    uint8_t op;
    unsigned states;   /* in which it is legal */
    uint32_t max_body;
    bool message;      /* one comes beside the body */
    vault_handler *handler;
    const char *name;
} ops[] = {
    { VAULT_OP_OPEN,       VAULT_NEW,   VAULT_SEALED_KEYS_MAX + 4, false,
      vault_on_open,       "open" },
    { VAULT_OP_ROSTER,     ANY_KEYS,    TLOG_ROSTER_MAX + 16384, false,
      vault_on_roster,     "roster" },
    { VAULT_OP_HEAD,       VAULT_READY, TLOG_NOTE_MAX + 2, false,
      vault_on_head,       "head" },
    { VAULT_OP_DKG_BEGIN,  VAULT_READY, 512, false,
      vault_on_dkg_begin,  "dkg_begin" },
    { VAULT_OP_DKG_DEAL,   VAULT_READY, VAULT_BODY_MAX, false,
      vault_on_dkg_deal,   "dkg_deal" },
    { VAULT_OP_DKG_FINISH, VAULT_READY, 16384, false,
      vault_on_dkg_finish, "dkg_finish" },
    { VAULT_OP_VOTE,       VAULT_READY, 1024, false,
      vault_on_vote,       "vote" },
    { VAULT_OP_ACTIVATE,   VAULT_READY, 32768, false,
      vault_on_activate,   "activate" },
    { VAULT_OP_FORGET,     VAULT_READY, 40, false,
      vault_on_forget,     "forget" },
    { VAULT_OP_COMMIT,     VAULT_READY, 64, false,
      vault_on_commit,     "commit" },
    { VAULT_OP_SIGN,       VAULT_READY, 32768, true,
      vault_on_sign,       "sign" },
    { VAULT_OP_COSIGN,     VAULT_READY, TLOG_NOTE_MAX + 4096, false,
      vault_on_cosign,     "cosign" },
    { VAULT_OP_DKG_NARROW,  VAULT_READY, 34 + 2 * TLOG_MAX_NODES, false,
      vault_on_dkg_narrow,  "dkg_narrow" },
    { VAULT_OP_SESSION_END, VAULT_READY, 32, false,
      vault_on_session_end, "session_end" },
    { VAULT_OP_HELD,        ANY_KEYS,    0, false,
      vault_on_held,        "held" },
    { VAULT_OP_PIECE_SPLIT, VAULT_READY, 512, false,
      vault_on_piece_split, "piece_split" },
    { VAULT_OP_PIECE_KEEP, VAULT_READY, 256, false,
      vault_on_piece_keep, "piece_keep" },
    { VAULT_OP_PIECE_KEPT, VAULT_READY, 1024, false,
      vault_on_piece_kept, "piece_kept" },
    { VAULT_OP_PIECE_ACKED, VAULT_READY, 16384, false,
      vault_on_piece_acked, "piece_acked" },
    { VAULT_OP_PIECE_GIVE, VAULT_READY, 1024, false,
      vault_on_piece_give, "piece_give" },
    { VAULT_OP_PIECE_JOIN, VAULT_READY, 32768, false,
      vault_on_piece_join, "piece_join" },
    { VAULT_OP_EPOCH_BEGIN,  VAULT_READY, 32768, false,
      vault_on_epoch_begin,  "epoch_begin" },
    { VAULT_OP_EPOCH_DEAL,   VAULT_READY, VAULT_BODY_MAX, false,
      vault_on_epoch_deal,   "epoch_deal" },
    { VAULT_OP_EPOCH_FINISH, VAULT_READY, 16384, false,
      vault_on_epoch_finish, "epoch_finish" },
    { VAULT_OP_EPOCH_MOVED,  VAULT_READY, 32768, false,
      vault_on_epoch_moved,  "epoch_moved" },
    { VAULT_OP_EPOCH_RETIRE, VAULT_READY, 65536, false,
      vault_on_epoch_retire, "epoch_retire" },
    { VAULT_OP_DESTROY,      VAULT_READY, 41, false,
      vault_on_destroy,      "destroy" },
    { VAULT_OP_BACKUP,     VAULT_READY, 40, false,
      vault_on_backup,     "backup" },
    { VAULT_OP_RECOVER,    VAULT_READY, 32768, false,
      vault_on_recover,    "recover" },
#ifdef MPC_SIMULATED_TEE
    { VAULT_OP_TRESPASS,   VAULT_NEW | ANY_KEYS, 16, false,
      vault_on_trespass,   "trespass" },
#endif
};
/* clang-format on */

static const struct op_row *op_find(uint8_t op)
{
    for (unsigned i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
        if (ops[i].op == op)
            return &ops[i];
    return NULL;
}

static enum rc op_check(const struct op_row *row, const struct vault_core *core,
                        const struct vault_request *req)
{
    if (!row)
        return rc_raise(RC_PARSE, "vault: unknown operation %u", req->op);
    if (req->body_len > row->max_body)
        return rc_raise(RC_TOO_LARGE, "vault %s: %zu bytes, at most %u",
                        row->name, req->body_len, row->max_body);
    if (req->msg_len > (row->message ? VAULT_MAX_MESSAGE : 0))
        return rc_raise(RC_TOO_LARGE, "vault %s: message of %zu bytes",
                        row->name, req->msg_len);
    if (row->states & core->state)
        return RC_OK;
    if (core->state == VAULT_NEW)
        return rc_raise(RC_ORDER, "vault %s: not open yet", row->name);
    if (row->states == VAULT_NEW)
        return rc_raise(RC_ORDER, "vault %s: open already", row->name);
    return rc_raise(RC_ORDER, "vault %s: no roster yet", row->name);
}

enum rc vault_core_serve(struct vault_core *core, struct bytes_writer *reply,
                         const struct vault_request *req)
{
    const struct op_row *row = op_find(req->op);
    const size_t start = reply->len;
    TRY(op_check(row, core, req));
    if (sodium_mprotect_readwrite(core->secret) != 0)
        return rc_raise(RC_INTERNAL, "vault: secrets cannot be reached");
    struct bytes_reader in = bytes_reader(req->body, req->body_len);
    enum rc rc = row->handler(core, reply, &in, req);
    (void)sodium_mprotect_noaccess(core->secret);
    sodium_stackzero(STACK_WIPE);
    if (rc == RC_OK)
        rc = bytes_written(reply);
    if (rc != RC_OK)
        reply->len = start;
    return rc;
}

/* A fork of a process with a local vault gets zeros instead of secrets. */
static void wipe_on_fork(void *p, size_t len)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = (uintptr_t)p & ~(page - 1);
    uintptr_t to = ((uintptr_t)p + len + page - 1) & ~(page - 1);
    (void)madvise((uint8_t *)p - ((uintptr_t)p - from), to - from,
                  MADV_WIPEONFORK);
}

/* Fails closed: without the token no share and no nonce is ever made. */
static enum rc self_test(struct frost_ready *ready)
{
    uint8_t sample[2][32];
    TRY(rand_bytes(sample, sizeof(sample)));
    return frost_init(ready, (const uint8_t(*)[32])sample);
}

static enum rc core_start(struct vault_core *core,
                          const struct vault_config *config)
{
    if (config->node == 0)
        return rc_raise(RC_ARG, "vault: node 0");
    if (sodium_init() < 0)
        return rc_raise(RC_INTERNAL, "vault: libsodium does not start");
    TRY(self_test(&core->ready));
    if (!crypto_aead_aes256gcm_is_available()) {
        enum rc rc = rc_raise(RC_INTERNAL, "vault: no AES instructions");
        rc_hint("sealing needs a CPU with AES-NI and PCLMULQDQ");
        return rc;
    }
    core->secret = secret_new(sizeof(*core->secret));
    core->pool = secret_new(sizeof(*core->pool));
    if (!core->secret || !core->pool)
        return RC_NOMEM;
    wipe_on_fork(core->secret, sizeof(*core->secret));
    wipe_on_fork(core->pool, sizeof(*core->pool));
    core->state = VAULT_NEW;
    core->node = config->node;
    memcpy(core->cluster, config->cluster, 32);
    memcpy(core->measurement, config->measurement, 48);
    TRY(rand_bytes(core->secret->nonce_id_key, 16));
    return rand_bytes(core->boot, sizeof(core->boot));
}

enum rc vault_core_new(struct vault_core **out,
                       const struct vault_config *config)
{
    struct vault_core *core = calloc(1, sizeof(*core));
    if (!core)
        return rc_raise(RC_NOMEM, "vault: %zu bytes", sizeof(*core));
    enum rc rc = core_start(core, config);
    if (rc != RC_OK) {
        vault_core_free(core);
        return rc;
    }
    *out = core;
    return RC_OK;
}

enum rc vault_core_unlock(struct vault_core *core,
                          const struct vault_config *config)
{
    TRY(vault_masters_load(core, config));
    if (sodium_mprotect_noaccess(core->secret) != 0)
        return rc_raise(RC_INTERNAL, "vault: secrets cannot be closed off");
    return RC_OK;
}

void vault_core_free(struct vault_core *core)
{
    if (!core)
        return;
    vault_dkg_drop_all(core);
    vault_reshare_drop_all(core);
    secret_free(core->secret);
    secret_free(core->pool);
    free(core->roster);
    free(core);
}
