/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated cluster's log (the real store, answering as mpc-log's routes
 * do), and the watch on everything that must never happen.
 */
#include "test.h"

#include "sim.h"

#include <jansson.h>
#include <sodium.h>

#include "base/bytes.h"

/* ---- a branch ----------------------------------------------------------------- */

void sim_log_open(struct sim *s, struct sim_log *log, const char *name)
{
    snprintf(log->dir, sizeof(log->dir), "%s/%s", s->dir, name);
    assert_ok(tlog_store_open(&log->store, log->dir, &s->vkey, s->log_sk));
}

void sim_log_close(struct sim_log *log)
{
    tlog_store_free(log->store);
    for (uint64_t i = 0; i < log->n; i++)
        free(log->entry[i]);
}

static enum rc append(struct sim_log *log, uint64_t *index, const char *entry,
                      size_t len)
{
    OWNED_MEM struct tlog_proof *proof = calloc(1, sizeof(*proof));
    assert_non_null(proof);
    TRY(tlog_store_append(log->store, proof, entry, len));
    assert_true(proof->index < SIM_ENTRIES);
    if (proof->index == log->n) {
        log->entry[log->n] = strdup(proof->entry);
        assert_non_null(log->entry[log->n]);
        log->n++;
    }
    *index = proof->index;
    return RC_OK;
}

void sim_log_fork(struct sim *s, uint16_t for_node)
{
    uint64_t index;
    s->fork = calloc(1, sizeof(*s->fork));
    assert_non_null(s->fork);
    sim_log_open(s, s->fork, "fork");
    for (uint64_t i = 0; i < s->log.n; i++)
        assert_ok(append(s->fork, &index, s->log.entry[i],
                         strlen(s->log.entry[i])));
    memcpy(s->fork->known, s->log.known, sizeof(s->log.known));
    memcpy(s->fork->root, s->log.root, sizeof(s->log.root));
    /* from here the histories differ */
    const char *lie = "mpc-abort/1\nintent 0\nreason fork\n";
    assert_ok(append(s->fork, &index, lie, strlen(lie)));
    s->fork_for = for_node;
}

void sim_log_shrink(struct sim *s, struct sim_log *whole, uint64_t to)
{
    uint64_t index;
    assert_true(to < s->log.n);
    *whole = s->log;
    memset(&s->log, 0, sizeof(s->log));
    sim_log_open(s, &s->log, "short");
    for (uint64_t i = 0; i < to; i++)
        assert_ok(append(&s->log, &index, whole->entry[i],
                         strlen(whole->entry[i])));
    memcpy(s->log.known, whole->known, sizeof(whole->known));
    memcpy(s->log.root, whole->root, sizeof(whole->root));
}

void sim_log_back(struct sim *s, struct sim_log *whole)
{
    sim_log_close(&s->log);
    s->log = *whole;
}

/* ---- serving -------------------------------------------------------------------- */

static enum rc newest(struct sim *s, struct sim_log *log,
                      char note[TLOG_NOTE_MAX], uint64_t *size)
{
    struct tlog_checkpoint cp;
    TRY(tlog_store_checkpoint(log->store, note));
    assert_ok(tlog_checkpoint_open(&cp, note, strlen(note), &s->vkey));
    *size = cp.size;
    log->known[cp.size] = true;
    log->root[cp.size] = cp.root;
    return RC_OK;
}

static void fill_proof(struct wire_proof *out, struct sim_log *log,
                       const struct wire_text *entry, uint64_t index,
                       const char *note, uint64_t size)
{
    struct tlog_path path;
    assert_ok(tlog_store_inclusion(log->store, &path, index, size));
    assert_ok(wire_text_set(&out->entry, entry->p, entry->len));
    assert_ok(wire_text_set(&out->checkpoint, note, strlen(note)));
    out->index = index;
    assert_ok(wire_list_new(&out->path, path.n));
    for (unsigned i = 0; i < path.n; i++)
        memcpy(out->path.at[i].b, path.hash[i].b, 32);
}

static enum rc fill_growth(struct wire_growth *out, struct sim_log *log,
                           uint64_t from, uint64_t size)
{
    struct tlog_path path = { .n = 0 };
    if (from)
        TRY(tlog_store_consistency(log->store, &path, from, size));
    out->from = from;
    out->to = size;
    TRY(wire_list_new(&out->path, path.n));
    for (unsigned i = 0; i < path.n; i++)
        memcpy(out->path.at[i].b, path.hash[i].b, 32);
    return RC_OK;
}

static enum rc on_append(struct sim *s, struct sim_log *log,
                         const uint8_t *body, size_t len, char **reply,
                         size_t *reply_len)
{
    WIRE(append) in = { 0 };
    WIRE(appended) out = { 0 };
    uint64_t index[WIRE_MAX_APPEND];
    uint64_t size;
    char note[TLOG_NOTE_MAX];
    TRY(wire_append_decode(&in, (const char *)body, len));
    for (size_t i = 0; i < in.entries.n; i++) {
        const struct wire_text *e = &in.entries.at[i];
        if (tlog_entry_kind(e->p, e->len) == TLOG_OPAQUE)
            return rc_raise(RC_PARSE, "entries[%zu]: not an entry of ours", i);
        TRY(tlog_lineage_check(log->store, e->p, e->len));
        TRY(append(log, &index[i], e->p, e->len));
    }
    TRY(newest(s, log, note, &size));
    TRY(wire_list_new(&out.proofs, in.entries.n));
    for (size_t i = 0; i < in.entries.n; i++)
        fill_proof(&out.proofs.at[i], log, &in.entries.at[i], index[i], note,
                   size);
    size_t has = 0; /* of sizes it does not have it says nothing */
    for (size_t i = 0; i < in.sizes.n; i++)
        has += in.sizes.at[i] <= size;
    TRY(wire_list_new(&out.growth, has));
    for (size_t i = 0, at = 0; i < in.sizes.n; i++)
        if (in.sizes.at[i] <= size)
            TRY(fill_growth(&out.growth.at[at++], log, in.sizes.at[i], size));
    return wire_appended_encode(reply, reply_len, &out);
}

static enum rc on_vkey(struct sim *s, char **reply, size_t *reply_len)
{
    char text[TLOG_VKEY_MAX];
    WIRE(vkey) out = { 0 };
    tlog_vkey_text(text, &s->vkey);
    TRY(wire_text_set(&out.vkey, text, strlen(text)));
    return wire_vkey_encode(reply, reply_len, &out);
}

/* The entry goes in; what the ECDSA key says of it is not these tests'. */
static enum rc on_sigstore(struct sim_log *log, const uint8_t *body, size_t len,
                           char **reply, size_t *reply_len)
{
    WIRE(rekor_ask) in = { 0 };
    WIRE(rekor) out = { 0 };
    TRY(wire_rekor_ask_decode(&in, (const char *)body, len));
    TRY(append(log, &out.index, in.entry.p, in.entry.len));
    return wire_rekor_encode(reply, reply_len, &out);
}

enum rc sim_log_serve(struct sim *s, uint16_t from, const char *path,
                      const uint8_t *body, size_t len, char **reply,
                      size_t *reply_len)
{
    struct sim_log *log = s->fork && from == s->fork_for ? s->fork : &s->log;
    if (strcmp(path, "/v1/log/vkey") == 0 && !body)
        return on_vkey(s, reply, reply_len);
    if (strcmp(path, "/v1/log/append") == 0 && body)
        return on_append(s, log, body, len, reply, reply_len);
    if (strcmp(path, "/v1/log/sigstore") == 0 && body)
        return on_sigstore(log, body, len, reply, reply_len);
    if (strcmp(path, "/v1/sigstore/key") == 0 && !body) {
        WIRE(spki) out = { 0 };
        return wire_spki_encode(reply, reply_len, &out);
    }
    if (strcmp(path, "/v1/policy") == 0 && body) {
        struct wire_policy_head head = { .version = s->version };
        return wire_policy_head_encode(reply, reply_len, &head);
    }
    return rc_raise(RC_UNKNOWN, "no such path");
}

/* ---- the watch -------------------------------------------------------------------- */

static bool logged(const struct sim_log *log, uint64_t index, const char *entry)
{
    return log && index < log->n && strcmp(log->entry[index], entry) == 0;
}

/*
 * However the nodes count: who asks to sign under "guarded" has three other
 * persons' approvals, each counted once.
 */
static void watch_people(struct sim *s, const struct wire_session *in)
{
    char person[POLICY_MAX_APPROVALS][POLICY_NAME_MAX];
    struct policy_session session;
    unsigned n = 0;
    if (in->descriptor.len == 0)
        return; /* of a profile that asks for nobody */
    assert_ok(policy_session_parse(&session, (const char *)in->descriptor.p,
                                   in->descriptor.len));
    if (strncmp(session.profile, "guarded", 7) != 0)
        return;
    for (size_t i = 0; i < in->approvals.n; i++) {
        const struct wire_blob *b = &in->approvals.at[i];
        const char *who;
        int what;
        unsigned k = 0;
        json_t *j = json_loadb((const char *)b->p, b->len, 0, NULL);
        assert_int_equal(
                json_unpack(j, "{s:s, s:i}", "person", &who, "decision", &what),
                0);
        while (k < n && strcmp(person[k], who) != 0)
            k++;
        if (k == n && what == POLICY_D_APPROVE)
            snprintf(person[n++], sizeof(person[0]), "%s", who);
        json_decref(j);
    }
    if (n < 3)
        sim_fail(s, "a share was released for %u persons, want 3", n);
}

/* A nonce is good for one message, over all lives of its vault. */
static void watch_nonce(struct sim *s, struct sim_share *h,
                        const struct wire_round2_item *item)
{
    for (size_t i = 0; i < item->signers.n; i++)
        if (item->signers.at[i].node == h->signer)
            memcpy(h->hiding, item->signers.at[i].hiding, 32);
    for (const struct sim_share *o = s->share; o < h; o++)
        if (o->signer == h->signer && memcmp(o->hiding, h->hiding, 32) == 0 &&
            memcmp(o->commitment, h->commitment, 32) != 0)
            sim_fail(s, "node%u used a nonce twice", h->signer);
}

/* One slot, one message: over all signers, leads and lives. */
static void watch_share(struct sim *s, uint16_t signer,
                        const struct wire_round2_item *item)
{
    struct tlog_intent in;
    if (!logged(&s->log, item->intent.index, item->intent.entry.p) &&
        !logged(s->fork, item->intent.index, item->intent.entry.p))
        sim_fail(s, "node%u released a share whose intent is not logged",
                 signer);
    assert_ok(tlog_intent_decode(&in, item->intent.entry.p,
                                 item->intent.entry.len));
    for (unsigned i = 0; i < s->n_shares; i++) {
        const struct sim_share *h = &s->share[i];
        if (memcmp(h->session, in.session, 32) == 0 &&
            strcmp(h->slot, in.slot) == 0 &&
            memcmp(h->commitment, in.commitment, 32) != 0)
            sim_fail(s, "node%u signed a second message of a slot", signer);
    }
    assert_true(s->n_shares < SIM_SHARES);
    struct sim_share *h = &s->share[s->n_shares++];
    h->signer = signer;
    memcpy(h->session, in.session, 32);
    memcpy(h->commitment, in.commitment, 32);
    snprintf(h->slot, sizeof(h->slot), "%s", in.slot);
    watch_nonce(s, h, item);
    watch_people(s, &item->session);
}

static bool on_branch(const struct sim_log *log, const struct sim_cosigned *c)
{
    return log && log->known[c->size] &&
           memcmp(log->root[c->size].b, c->root.b, 32) == 0;
}

/* All heads one node ever cosigned lie on one branch. */
static void watch_head(struct sim *s, uint16_t signer, const char *line,
                       const char *note)
{
    struct tlog_checkpoint cp;
    bool main_only = false;
    bool fork_only = false;
    assert_ok(tlog_checkpoint_open(&cp, note, strlen(note), &s->vkey));
    char name[64];
    snprintf(name, sizeof(name), "dev/node%u", signer);
    struct tlog_vkey cosigner;
    assert_ok(tlog_vkey_make(&cosigner, name, TLOG_SIG_COSIGNATURE,
                             s->node[signer].keys.identity));
    assert_ok(tlog_cosignature_check(line, &cp, &cosigner, NULL));
    assert_true(s->n_cosigned < SIM_SHARES);
    s->cosigned[s->n_cosigned++] = (struct sim_cosigned){ .node = signer,
                                                          .size = cp.size,
                                                          .root = cp.root };
    for (unsigned i = 0; i < s->n_cosigned; i++) {
        const struct sim_cosigned *c = &s->cosigned[i];
        if (c->node != signer)
            continue;
        bool on_main = on_branch(&s->log, c);
        bool on_fork = on_branch(s->fork, c);
        if (!on_main && !on_fork)
            sim_fail(s, "node%u cosigned a head of no history", signer);
        main_only = main_only || (on_main && !on_fork);
        fork_only = fork_only || (on_fork && !on_main);
    }
    if (s->fork && main_only && fork_only)
        sim_fail(s, "node%u cosigned two histories", signer);
}

void sim_watch(struct sim *s, uint16_t signer, const uint8_t *request,
               size_t request_len, const char *reply, size_t reply_len)
{
    struct bytes_reader r = bytes_reader(request, request_len);
    size_t json_len;
    const char *json = (const char *)bytes_take_lp32(&r, &json_len);
    WIRE(round2) in = { 0 };
    WIRE(round2_reply) out = { 0 };
    assert_ok(wire_round2_decode(&in, json, json_len));
    assert_ok(wire_round2_reply_decode(&out, reply, reply_len));
    assert_int_equal(in.items.n, out.items.n);
    s->n_rounds++;
    for (size_t i = 0; i < in.items.n; i++) {
        const struct wire_round2_result *res = &out.items.at[i];
        s->n_behind += strcmp(res->code, rc_slug(RC_HEAD_BEHIND)) == 0;
        if (strcmp(res->code, "ok") != 0)
            continue;
        watch_share(s, signer, &in.items.at[i]);
        if (res->cosignature.len)
            watch_head(s, signer, res->cosignature.p,
                       in.items.at[i].intent.checkpoint.p);
    }
}

/* ---- ends ------------------------------------------------------------------- */

/* Index of the intent that this entry ends, or TLOG_NO_INDEX. */
static uint64_t ends(const char *entry)
{
    struct tlog_receipt r;
    struct tlog_abort a;
    size_t len = strlen(entry);
    if (tlog_receipt_decode(&r, entry, len) == RC_OK)
        return r.intent;
    if (tlog_abort_decode(&a, entry, len) == RC_OK)
        return a.intent;
    return TLOG_NO_INDEX;
}

static bool same_affair(const struct tlog_intent *a,
                        const struct tlog_intent *b)
{
    return memcmp(a->commitment, b->commitment, 32) == 0 &&
           memcmp(a->session, b->session, 32) == 0 &&
           strcmp(a->slot, b->slot) == 0;
}

static bool has_ended(const struct sim_log *log, const struct tlog_intent *in)
{
    for (uint64_t i = 0; i < log->n; i++) {
        struct tlog_intent other;
        uint64_t of = ends(log->entry[i]);
        if (of < log->n &&
            tlog_intent_decode(&other, log->entry[of],
                               strlen(log->entry[of])) == RC_OK &&
            same_affair(in, &other))
            return true;
    }
    return false;
}

void sim_ends(struct sim *s)
{
    for (uint64_t i = 0; i < s->log.n; i++) {
        struct tlog_intent in;
        const char *entry = s->log.entry[i];
        if (tlog_intent_decode(&in, entry, strlen(entry)) == RC_OK &&
            !has_ended(&s->log, &in))
            sim_fail(s, "intent %llu, attempt %llu: neither receipt nor abort",
                     (unsigned long long)i, (unsigned long long)in.attempt);
    }
}

/* ---- answers ------------------------------------------------------------------------ */

bool sim_signature(struct sim *s, unsigned call, struct wire_signed *out)
{
    const struct sim_call *c = &s->call[call];
    struct tlog_intent in;
    if (!c->answers || c->rc != RC_OK || !c->msg)
        return false;
    assert_ok(wire_signed_decode(out, c->json, c->len));
    if (crypto_sign_verify_detached(out->signature, c->msg, c->msg_len,
                                    out->group_key) != 0)
        sim_fail(s, "call %u was answered with a wrong signature", call);
    struct sim_log *log = s->fork && c->node == s->fork_for ? s->fork : &s->log;
    if (out->intent >= log->n)
        sim_fail(s, "call %u: no intent at %llu", call,
                 (unsigned long long)out->intent);
    const char *entry = log->entry[out->intent];
    if (tlog_intent_decode(&in, entry, strlen(entry)) != RC_OK ||
        memcmp(in.session, out->session, 32) != 0 ||
        strcmp(in.slot, out->slot) != 0 || in.attempt != out->attempt ||
        in.epoch != out->epoch)
        sim_fail(s, "call %u: entry %llu is not its intent", call,
                 (unsigned long long)out->intent);
    return true;
}

void sim_check(struct sim *s)
{
    for (unsigned i = 0; i < s->n_calls; i++) {
        struct wire_signed out;
        const struct sim_call *c = &s->call[i];
        const struct sim_node *n = &s->node[c->node];
        if (!c->answers && n->up && n->life == c->life)
            sim_fail(s, "call %u to node%u (%s) was never answered", i, c->node,
                     c->key);
        (void)sim_signature(s, i, &out);
    }
}

/* ---- the record ------------------------------------------------------------------- */

uint64_t sim_record_head(struct sim *s, unsigned id)
{
    uint64_t seq;
    uint8_t hash[32];
    OWNED_MEM char *json = NULL;
    size_t len;
    /* what was only noted becomes part of it */
    assert_ok(node_audit_rows(s->node[id].node, UINT32_MAX, &json, &len));
    store_audit_head(s->node[id].store, &seq, hash);
    return seq;
}

void sim_on_record(struct sim *s, unsigned id, unsigned lead, uint64_t since,
                   enum rc rc)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    char actor[64];
    WIRE(audit) in = { 0 };
    const struct wire_audit_row *found = NULL;
    assert_ok(node_audit_rows(s->node[id].node, since, &json, &len));
    assert_ok(wire_audit_decode(&in, json, len));
    for (size_t i = 0; i < in.rows.n; i++)
        if (strcmp(in.rows.at[i].method, "POST /v1/frost/round2") == 0)
            found = &in.rows.at[i];
    snprintf(actor, sizeof(actor), "mpc://dev/sidecar/node%u", lead);
    if (!found || strcmp(found->result, rc_slug(rc)) != 0 ||
        strcmp(found->actor, actor) != 0 || !found->detail[0])
        sim_fail(s, "node%u's audit: %s by %s (%s), want %s by %s", id,
                 found ? found->result : "no row", found ? found->actor : "",
                 found ? found->detail : "", rc_slug(rc), actor);
}

uint64_t sim_number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}
