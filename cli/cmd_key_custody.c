/* SPDX-License-Identifier: Apache-2.0 */
/* mpcsign key backup | export-share | recover. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/secret.h"
#include "cli/custody.h"
#include "cli/session.h"

#define BIRTH_MAX (1024u * 1024)
#define ASK_MS    15000
#define MOVE_MS   45000 /* the sidecar's own time, and some */

/* ---- a session of stewards ------------------------------------------------ */

struct who {
    const char *requester;
    struct cli_list approvers;
    const char *keys;
};

/* key: H(group key) */
static enum rc make_session(struct wire_session *out,
                            enum policy_session_type type, const char *name,
                            const uint8_t key[32], const struct who *who)
{
    struct cli_cluster cluster;
    struct policy_session s;
    char dir[CLI_PATH];
    char reason[160];
    if (!who->requester || who->approvers.n == 0)
        return rc_raise(RC_ARG, "--as and --approve are needed: stewards "
                                "decide about shares");
    TRY(cli_keys_dir(dir, who->keys));
    TRY(cli_cluster_ask(&cluster, NULL));
    snprintf(reason, sizeof(reason), "%s of key %.64s",
             type == POLICY_S_BACKUP ? "backup" : "recovery", name);
    TRY(cli_session_begin(&s, type, &cluster, name, reason));
    s.has_key = true;
    memcpy(s.key, key, 32);
    const struct cli_people people = { dir, who->requester, &who->approvers };
    return cli_session_sign(out, &s, &people);
}

/* POSTs that session of type backup for the key as it is now. */
static enum rc ask_backup(struct http_answer *a, const char *path,
                          const char *name, const struct who *who)
{
    WIRE(key) key = { 0 };
    WIRE(session) session = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    uint8_t id[32];
    TRY(cli_ask_key(&key, name));
    hash256(id, key.group_key, 32);
    TRY(make_session(&session, POLICY_S_BACKUP, name, id, who));
    TRY(wire_session_encode(&json, &len, &session));
    return cli_ask(a, NULL, path, json, len, ASK_MS);
}

/* ---- backup --------------------------------------------------------------- */

static enum rc put_one(json_t *list, const char *dir, const char *name,
                       const struct wire_backup *b, unsigned *missing)
{
    struct custody_backup of;
    char path[CLI_PATH];
    char at[CLOCK_TEXT_SIZE];
    if (b->sealed.len == 0) {
        *missing += 1;
        json_array_append_new(list, json_pack("{s:I, s:n, s:s}", "node",
                                              (json_int_t)b->node, "file",
                                              "why", b->why.p ? b->why.p : ""));
        return cli_json() ? RC_OK
                          : cli_say_line("node%llu  NO BACKUP: %s\n",
                                         (unsigned long long)b->node,
                                         b->why.p ? b->why.p : "?");
    }
    TRY(custody_backup_read(&of, b->sealed.p, b->sealed.len));
    if (snprintf(path, sizeof(path), "%s/%s.epoch%llu.node%llu.msh1", dir, name,
                 (unsigned long long)of.epoch,
                 (unsigned long long)b->node) >= (int)sizeof(path))
        return rc_raise(RC_ARG, "--out: name too long");
    TRY(file_write(path, b->sealed.p, b->sealed.len, 0600));
    json_array_append_new(list, json_pack("{s:I, s:s, s:I, s:i}", "node",
                                          (json_int_t)b->node, "file", path,
                                          "epoch", (json_int_t)of.epoch,
                                          "custodians", (int)of.n_custodians));
    if (cli_json())
        return RC_OK;
    return cli_say("node%llu  epoch %llu, made %s, %u custodian%s: %s\n",
                   (unsigned long long)b->node, (unsigned long long)of.epoch,
                   clock_text(at, (int64_t)(of.created_ms / 1000)),
                   of.n_custodians, of.n_custodians == 1 ? "" : "s", path);
}

/* The certificate of the epoch a key lives in. */
static const struct wire_cert *cert_of(const struct wire_epoch_live *key)
{
    return key->live.n ? &key->live.at[0].cert : &key->birth.cert;
}

static enum rc put_birth(char path[CLI_PATH], const char *dir, const char *name,
                         const struct wire_epoch_live *key)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    if (snprintf(path, CLI_PATH, "%s/%s.epoch%llu.birth.json", dir, name,
                 (unsigned long long)cert_of(key)->epoch) >= CLI_PATH)
        return rc_raise(RC_ARG, "--out: name too long");
    TRY(wire_epoch_live_encode(&json, &len, key));
    return file_write(path, json, len, 0644);
}

static enum rc put_all(const struct wire_backups *in, const char *dir)
{
    OWNED(json_t) *list = json_array();
    char path[CLI_PATH];
    unsigned missing = 0;
    TRY(file_mkdirs(dir, 0700));
    for (size_t i = 0; i < in->backups.n; i++)
        TRY(put_one(list, dir, in->name, &in->backups.at[i], &missing));
    TRY(put_birth(path, dir, in->name, &in->key));
    if (cli_json())
        TRY(cli_say_json(json_pack("{s:s, s:O, s:s}", "key", in->name,
                                   "backups", list, "certificate", path)));
    else
        TRY(cli_say("certificate: %s\n", path));
    unsigned have = (unsigned)in->backups.n - missing;
    unsigned long long need = cert_of(&in->key)->threshold;
    if (have >= need)
        return RC_OK;
    enum rc rc = rc_raise(RC_NODES,
                          "%u backups: %llu are needed to bring key %s back",
                          have, need, in->name);
    rc_hint("mpcsign status on each node says what is missing");
    return rc;
}

enum rc cmd_key_backup(int argc, char **argv)
{
    const char *name = NULL;
    const char *dir = NULL;
    struct who who = { .requester = NULL };
    const struct cli_arg rows[] = {
        { .name = "NAME", .text = &name, .need = true, .help = "the key" },
        { .name = "--out",
          .brief = "-O",
          .text = &dir,
          .help = "directory for the files [.]" },
        { .name = "--as",
          .text = &who.requester,
          .need = true,
          .help = "the person who asks" },
        { .name = "--approve",
          .list = &who.approvers,
          .need = true,
          .help = "stewards who approve" },
        { .name = "--keys",
          .text = &who.keys,
          .help = "directory with PERSON/id_ed25519 [$MPC_DEV/persons]" },
        { 0 },
    };
    bool done;
    struct http_answer a;
    WIRE(backups) in = { 0 };
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    TRY(ask_backup(&a, "/v1/key/backup", name, &who));
    enum rc rc = wire_backups_decode(&in, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    TRY(rc);
    return put_all(&in, dir ? dir : ".");
}

/* ---- export-share --------------------------------------------------------- */

enum rc cmd_key_export_share(int argc, char **argv)
{
    const char *name = NULL;
    const char *out = NULL;
    struct who who = { .requester = NULL };
    const struct cli_arg rows[] = {
        { .name = "NAME", .text = &name, .need = true, .help = "the key" },
        { .name = "--out",
          .brief = "-O",
          .text = &out,
          .need = true,
          .help = "file to write" },
        { .name = "--as",
          .text = &who.requester,
          .need = true,
          .help = "the person who asks" },
        { .name = "--approve",
          .list = &who.approvers,
          .need = true,
          .help = "stewards who approve" },
        { .name = "--keys",
          .text = &who.keys,
          .help = "directory with PERSON/id_ed25519 [$MPC_DEV/persons]" },
        { 0 },
    };
    bool done;
    struct http_answer a;
    WIRE(sealed_share) in = { 0 };
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    TRY(ask_backup(&a, "/v1/key/export", name, &who));
    enum rc rc = wire_sealed_share_decode(&in, (const char *)a.body,
                                          a.body_len);
    http_answer_free(&a);
    TRY(rc);
    TRY(file_write(out, in.sealed.p, in.sealed.len, 0600));
    if (cli_json())
        return cli_say_json(json_pack("{s:s, s:I, s:I, s:s}", "key", name,
                                      "node", (json_int_t)in.node, "epoch",
                                      (json_int_t)in.epoch, "file", out));
    return cli_say("node%llu  epoch %llu, of use on its own machine only: %s\n",
                   (unsigned long long)in.node, (unsigned long long)in.epoch,
                   out);
}

/* ---- recover: what a backup is -------------------------------------------- */

struct recover {
    const char *name;
    const char *backup;
    const char *key_file;
    const char *passphrase_file;
    const char *certificate;
    const char *policy;
    const char *node;
    bool dry_run;
    struct who who;
    struct custody_backup of;
    struct wire_epoch_live key; /* owned */
};

static enum rc read_birth(struct wire_epoch_live *out, const char *path)
{
    OWNED_MEM uint8_t *p = NULL;
    size_t len;
    TRY(file_read(&p, &len, path, BIRTH_MAX));
    if (wire_epoch_live_decode(out, (const char *)p, len) != RC_OK)
        return rc_prefix(RC_PARSE, "%s: ", path);
    return RC_OK;
}

/* Every member of that epoch signed, and one of them for this very Y. */
static enum rc check_certificate(const struct recover *r)
{
    struct tlog_epoch_terms terms;
    struct tlog_vote votes[TLOG_MAX_NODES];
    unsigned n;
    const struct custody_backup *b = &r->of;
    TRY(cli_votes(&terms, votes, &n, cert_of(&r->key)));
    TRY(tlog_votes_check(&terms, TLOG_VOTE_PREPARED, votes, n));
    if (memcmp(terms.group_key, b->group_key, 32) != 0)
        return rc_raise(RC_VERIFY, "the backup is of another key than the "
                                   "certificate");
    if (terms.epoch != b->epoch ||
        memcmp(terms.transcript, b->transcript, 32) != 0)
        return rc_raise(RC_VERIFY,
                        "the backup is of epoch %llu, the certificate of %llu",
                        (unsigned long long)b->epoch,
                        (unsigned long long)terms.epoch);
    for (unsigned i = 0; i < n; i++)
        if (votes[i].node == b->node && memcmp(votes[i].y, b->y, 32) == 0)
            return RC_OK;
    return rc_raise(RC_VERIFY,
                    "the certificate names another share for node %u", b->node);
}

static enum rc say_what(const struct recover *r, const char *verdict)
{
    char hex[ENC_HEX_SIZE(32)];
    char at[CLOCK_TEXT_SIZE];
    const struct custody_backup *b = &r->of;
    enc_hex(hex, b->group_key, 32);
    clock_text(at, (int64_t)(b->created_ms / 1000));
    if (cli_json())
        return cli_say_json(json_pack(
                "{s:s, s:s, s:I, s:i, s:i, s:i, s:s, s:s}", "key", r->name,
                "group_key", hex, "epoch", (json_int_t)b->epoch, "node",
                (int)b->node, "threshold", (int)b->t, "nodes", (int)b->n,
                "made", at, "result", verdict));
    return cli_say("key        %s, %s\n"
                   "share      of node %u, epoch %llu, %u of %u make the key\n"
                   "made       %s, for %u custodian%s\n"
                   "%s\n",
                   r->name, hex, b->node, (unsigned long long)b->epoch, b->t,
                   b->n, at, b->n_custodians, b->n_custodians == 1 ? "" : "s",
                   verdict);
}

static enum rc open_it(struct custody_secrets *s, struct recover *r)
{
    OWNED_MEM uint8_t *p = NULL;
    size_t len;
    TRY(file_read(&p, &len, r->backup, CUSTODY_BACKUP_MAX));
    TRY(custody_read_key(s, r->key_file, r->passphrase_file));
    enum rc rc = custody_backup_open(&s->share, &r->of, p, len, &s->key);
    if (rc != RC_OK)
        return rc_prefix(rc, "%s: ", r->backup);
    TRY(read_birth(&r->key, r->certificate));
    return check_certificate(r);
}

/* ---- recover: to a live vault --------------------------------------------- */

/* The vault's box key is what this policy file says, not what a sidecar does. */
static enum rc find_box(uint8_t box[32], const struct recover *r)
{
    OWN_S(policy) *p = NULL;
    int64_t id;
    TRY(cli_number(&id, "--node", r->node, 1, UINT16_MAX));
    TRY(cli_policy_read(&p, r->policy));
    for (unsigned i = 0; i < p->n_nodes; i++) {
        if (p->node[i].id != id)
            continue;
        if (!p->node[i].has_keys)
            return rc_raise(RC_POLICY, "%s: node%u has no keys yet", r->policy,
                            p->node[i].id);
        memcpy(box, p->node[i].box, 32);
        return RC_OK;
    }
    return rc_raise(RC_UNKNOWN, "%s: no node %s", r->policy, r->node);
}

/*
 * With enough shares the key moves at once, by the same session. Until then
 * the answer says how many there are.
 */
static enum rc move_on(char *words, size_t cap, const struct wire_session *s,
                       const struct recover *r)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    struct http_answer a;
    WIRE(key) key = { 0 };
    TRY(wire_session_encode(&json, &len, s));
    enum rc rc = cli_ask(&a, NULL, "/v1/key/change", json, len, MOVE_MS);
    if (rc == RC_NODES) {
        snprintf(words, cap, "not yet: %.400s", rc_text());
        return RC_OK;
    }
    TRY(rc);
    rc = wire_key_decode(&key, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    TRY(rc);
    snprintf(words, cap,
             "recovered: key %s lives in epoch %llu, on %zu nodes, and signs",
             r->name, (unsigned long long)key.epoch, key.nodes.n);
    return RC_OK;
}

static enum rc send_share(struct custody_secrets *s, struct recover *r)
{
    uint8_t box[32];
    uint8_t id[32];
    uint8_t parcel[CUSTODY_PARCEL_LEN];
    WIRE(recover) m = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    struct http_answer a;
    struct wire_recovered got = { 0 };
    TRY(find_box(box, r));
    TRY(custody_parcel_make(parcel, &r->of, &s->share, box));
    TRY(wire_blob_set(&m.parcel, parcel, sizeof(parcel)));
    hash256(id, r->of.group_key, 32);
    TRY(make_session(&m.session, POLICY_S_RECOVER, r->name, id, &r->who));
    m.key = r->key; /* moved */
    memset(&r->key, 0, sizeof(r->key));
    TRY(wire_recover_encode(&json, &len, &m));
    TRY(cli_ask(&a, NULL, "/v1/key/recover", json, len, ASK_MS));
    enum rc rc = wire_recovered_decode(&got, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    TRY(rc);
    char words[700];
    int n = snprintf(words, sizeof(words),
                     "brought: node%llu holds the share of node %llu, to deal "
                     "from it\n",
                     (unsigned long long)got.at, (unsigned long long)got.node);
    TRY(move_on(words + n, sizeof(words) - (size_t)n, &m.session, r));
    return say_what(r, words);
}

static enum rc recover(struct recover *r)
{
    TRY(secret_process());
    struct custody_secrets *s = secret_new(sizeof(*s));
    if (!s)
        return RC_NOMEM;
    enum rc rc = open_it(s, r);
    if (rc == RC_OK && r->dry_run)
        rc = say_what(r, "good: it opens, is the share of its Y, and every "
                         "member of that epoch signed for it");
    else if (rc == RC_OK)
        rc = send_share(s, r);
    secret_free(s);
    wire_epoch_live_free(&r->key);
    return rc;
}

enum rc cmd_key_recover(int argc, char **argv)
{
    struct recover r = { .name = NULL };
    const struct cli_arg rows[] = {
        { .name = "NAME", .text = &r.name, .need = true, .help = "the key" },
        { .name = "--backup",
          .text = &r.backup,
          .need = true,
          .help = "a share's backup" },
        { .name = "--custodian-key",
          .text = &r.key_file,
          .need = true,
          .help = "who can open it" },
        { .name = "--passphrase-file",
          .text = &r.passphrase_file,
          .help = "its passphrase [asked for]" },
        { .name = "--certificate",
          .text = &r.certificate,
          .need = true,
          .help = "NAME.epochE.birth.json: what the share must be" },
        { .name = "--dry-run",
          .flag = &r.dry_run,
          .help = "a drill: open, check, say, wipe; nothing leaves" },
        { .name = "--node",
          .text = &r.node,
          .help = "the node behind this socket, which takes it" },
        { .name = "--policy",
          .text = &r.policy,
          .help = "the policy that says its box key" },
        { .name = "--as",
          .text = &r.who.requester,
          .help = "the person who asks" },
        { .name = "--approve",
          .list = &r.who.approvers,
          .help = "stewards who approve" },
        { .name = "--keys",
          .text = &r.who.keys,
          .help = "directory with PERSON/id_ed25519 [$MPC_DEV/persons]" },
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    if (!r.dry_run && (!r.node || !r.policy)) {
        enum rc rc = rc_raise(RC_ARG, "--node and --policy, or --dry-run");
        rc_hint("the policy file is the one you trust: it says to whose vault "
                "the share goes");
        return rc;
    }
    return recover(&r);
}
