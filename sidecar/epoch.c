/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A member's part in making a key (DESIGN section 8, with no parent): START →
 * PREPARE → CERT → ACTIVATE. The driver only carries messages; every check
 * that matters is here or in the vault. Number burnt before any randomness,
 * share durable and read back before the vote, active only with all votes.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "base/hash.h"

/* ---- start ------------------------------------------------------------------- */

static bool is_member(const struct policy_profile *p, uint64_t node)
{
    for (unsigned i = 0; i < p->n_nodes; i++)
        if (p->nodes[i] == node)
            return true;
    return false;
}

/*
 * Two drivers at once must not end in two keys of one name, each active
 * somewhere: a member votes for the last making that it has started, and
 * after its vote starts no other before that one's driver has ended.
 */
static enum rc run_may_begin(const struct node *n, const char *name)
{
    const int64_t now = n->w.now_ms(n->w.ctx);
    for (unsigned i = 0; i < POLICY_MAX_PROFILES; i++) {
        const struct epoch_run *r = &n->making.run[i];
        if (strcmp(r->name, name) != 0 || !r->voted || now >= r->until_ms)
            continue;
        enum rc rc = rc_raise(RC_ORDER,
                              "key %s: node%u has voted for another making of "
                              "it, which may still end well",
                              name, n->id);
        rc_hint("ask again in %lld s",
                (long long)((r->until_ms - now + 999) / 1000));
        return rc;
    }
    return RC_OK;
}

static enum rc run_begin(struct node *n, const char *name,
                         const uint8_t session[32])
{
    const int64_t now = n->w.now_ms(n->w.ctx);
    struct epoch_run *r = NULL;
    TRY(run_may_begin(n, name));
    for (unsigned i = 0; i < POLICY_MAX_PROFILES; i++) {
        struct epoch_run *at = &n->making.run[i];
        bool over = !at->name[0] || now >= at->until_ms;
        if (strcmp(at->name, name) == 0 || (!r && over))
            r = at;
    }
    if (!r)
        return rc_raise(RC_NOMEM, "keys: %d are being made",
                        POLICY_MAX_PROFILES);
    *r = (struct epoch_run){ .until_ms = now + EPOCH_DRIVE_MS + 2000 };
    snprintf(r->name, sizeof(r->name), "%s", name);
    memcpy(r->session, session, 32);
    return RC_OK;
}

/* *out: it counts as voted from now on; none has left us yet. */
static enum rc run_vote(struct epoch_run **out, struct node *n,
                        const uint8_t session[32])
{
    for (unsigned i = 0; i < POLICY_MAX_PROFILES; i++) {
        struct epoch_run *r = &n->making.run[i];
        if (!r->name[0] || memcmp(r->session, session, 32) != 0)
            continue;
        if (node_key_by_name(n, r->name))
            return rc_raise(RC_EXISTS, "key %s exists already", r->name);
        r->voted = true;
        *out = r;
        return RC_OK;
    }
    return rc_raise(RC_CONFLICT, "epoch: not started, or another making of "
                                 "this key was started since");
}

/* Under lock. */
static enum rc judge_start(struct vault_dkg_terms *terms, char *name,
                           struct node *n, const struct wire_epoch_start *in)
{
    struct judged j;
    TRY(session_judge(&j, n, &in->session));
    if (j.s.type != POLICY_S_KEY_CREATE)
        return rc_raise(RC_POLICY, "session: not a key-create");
    const struct policy_profile *p = policy_profile_find(
            policy_chain_head(n->chain), j.s.profile);
    if (!p)
        return rc_raise(RC_UNKNOWN, "profile %s: not in the policy",
                        j.s.profile);
    if (p->ephemeral)
        return rc_raise(RC_POLICY,
                        "profile %s is ephemeral: its keys are "
                        "made by their session",
                        p->name);
    if (!is_member(p, n->id))
        return rc_raise(RC_POLICY, "profile %s: node%u is no member", p->name,
                        n->id);
    if (node_key_by_name(n, p->name))
        return rc_raise(RC_EXISTS, "key %s exists already, or was destroyed",
                        p->name);
    TRY(run_may_begin(n, p->name));
    *terms = (struct vault_dkg_terms){ .epoch = in->epoch,
                                       .t = p->threshold,
                                       .n = (uint16_t)p->n_nodes,
                                       .persistent = true };
    memcpy(terms->session, j.s.id, 32);
    memcpy(terms->ids, p->nodes, p->n_nodes * sizeof(*p->nodes));
    snprintf(name, POLICY_NAME_MAX, "%s", p->name);
    return RC_OK;
}

static enum rc on_start(struct node *n, const uint8_t *body, size_t len,
                        char **reply, size_t *reply_len)
{
    WIRE(epoch_start) in = { 0 };
    struct vault_dkg_terms terms;
    char name[POLICY_NAME_MAX];
    TRY(wire_epoch_start_decode(&in, (const char *)body, len));
    node_lock(n);
    enum rc rc = judge_start(&terms, name, n, &in);
    node_unlock(n);
    TRY(rc);
    uint64_t newest;
    TRY(store_epoch_newest(n->w.store, name, &newest));
    if (in.epoch <= newest)
        return rc_raise(RC_CONFLICT, "epoch %llu of %s is used up, newest %llu",
                        (unsigned long long)in.epoch, name,
                        (unsigned long long)newest);
    if (in.epoch - newest > EPOCH_STEP_MAX)
        return rc_raise(RC_CONFLICT,
                        "epoch %llu of %s is too far from the newest, %llu",
                        (unsigned long long)in.epoch, name,
                        (unsigned long long)newest);
    TRY(store_epoch_start(n->w.store, name, in.epoch, terms.session));
    node_lock(n);
    rc = run_begin(n, name, terms.session);
    node_unlock(n);
    TRY(rc);
    struct frost_dealing package;
    TRY(vault_dkg_begin(n->w.vault, &package, &terms));
    WIRE(package) out = { 0 };
    TRY(epoch_package_to_wire(&out, n->id, &package));
    return wire_package_encode(reply, reply_len, &out);
}

/* ---- deal ---------------------------------------------------------------------- */

static enum rc on_deal(struct node *n, const uint8_t *body, size_t len,
                       char **reply, size_t *reply_len)
{
    WIRE(epoch_deal) in = { 0 };
    TRY(wire_epoch_deal_decode(&in, (const char *)body, len));
    size_t members = in.packages.n;
    if (members == 0 || members > TLOG_MAX_NODES)
        return rc_raise(RC_PARSE, "packages: %zu", members);
    OWNED_MEM struct frost_dealing *p = calloc(members, sizeof(*p));
    OWNED_MEM uint8_t(*boxes)[VAULT_BOX_LEN] = calloc(members, sizeof(*boxes));
    if (!p || !boxes)
        return rc_raise(RC_NOMEM, "deal: out of memory");
    for (size_t i = 0; i < members; i++)
        TRY(epoch_package_from_wire(&p[i], &in.packages.at[i]));
    TRY(vault_dkg_deal(n->w.vault, boxes, in.session, p, (unsigned)members));
    WIRE(boxes) out = { 0 };
    TRY(wire_list_new(&out.boxes, members));
    for (size_t i = 0; i < members; i++) {
        out.boxes.at[i].node = in.packages.at[i].node;
        memcpy(out.boxes.at[i].box, boxes[i], VAULT_BOX_LEN);
    }
    return wire_boxes_encode(reply, reply_len, &out);
}

/* ---- finish: prepared, then the vote --------------------------------------------- */

static enum rc prepare(struct wire_epoch_vote *out, struct node *n,
                       const struct wire_epoch_finish *in)
{
    size_t members = in->boxes.n;
    OWNED_MEM uint8_t(*boxes)[VAULT_BOX_LEN] = calloc(members, sizeof(*boxes));
    OWNED_MEM struct vault_dkg_result *made = calloc(1, sizeof(*made));
    if (!boxes || !made)
        return rc_raise(RC_NOMEM, "finish: out of memory");
    size_t mine = members;
    for (size_t i = 0; i < members; i++) {
        memcpy(boxes[i], in->boxes.at[i].box, VAULT_BOX_LEN);
        if (in->boxes.at[i].node == n->id)
            mine = i;
    }
    if (mine == members)
        return rc_raise(RC_PARSE, "boxes: none dealt by node%u itself", n->id);
    TRY(vault_dkg_finish(n->w.vault, made, in->session, boxes,
                         (unsigned)members));
    TRY(store_epoch_prepare(n->w.store, in->session, made->sealed,
                            made->sealed_len));
    OWNED_MEM uint8_t *back = NULL;
    size_t back_len;
    TRY(store_epoch_sealed(n->w.store, in->session, &back, &back_len));
    TRY(vault_vote(n->w.vault, out->vote.sig, in->session, back, back_len));
    memcpy(out->group_key, made->group_key, 32);
    memcpy(out->transcript, made->transcript, 32);
    memcpy(out->vote.identity, n->keys.identity, 32);
    memcpy(out->vote.y, made->ys[mine], 32);
    out->vote.node = n->id;
    return RC_OK;
}

/* Under policy_lock. */
static enum rc vote(struct wire_epoch_vote *out, struct node *n,
                    const struct wire_epoch_finish *in)
{
    struct epoch_run *r;
    node_lock(n);
    enum rc rc = run_vote(&r, n, in->session);
    node_unlock(n);
    TRY(rc);
    rc = prepare(out, n, in);
    if (rc == RC_OK)
        return RC_OK;
    node_lock(n);
    r->voted = false;
    node_unlock(n);
    return rc;
}

static enum rc on_finish(struct node *n, const uint8_t *body, size_t len,
                         char **reply, size_t *reply_len)
{
    WIRE(epoch_finish) in = { 0 };
    struct wire_epoch_vote out = { 0 };
    TRY(wire_epoch_finish_decode(&in, (const char *)body, len));
    if (in.boxes.n == 0 || in.boxes.n > TLOG_MAX_NODES)
        return rc_raise(RC_PARSE, "boxes: %zu", in.boxes.n);
    pthread_mutex_lock(&n->policy_lock); /* no birth comes between */
    enum rc rc = vote(&out, n, &in);
    pthread_mutex_unlock(&n->policy_lock);
    TRY(rc);
    return wire_epoch_vote_encode(reply, reply_len, &out);
}

/* ---- activate ---------------------------------------------------------------------- */

enum rc epoch_judge_session(struct judged *j, struct node *n,
                            const struct policy *p, const struct wire_birth *in)
{
    struct tlog_blob approvals[POLICY_MAX_APPROVALS];
    struct tlog_blob requester = { in->requester.p, in->requester.len };
    if (in->approvals.n > POLICY_MAX_APPROVALS)
        return rc_raise(RC_PARSE, "birth: %zu approvals", in->approvals.n);
    for (size_t i = 0; i < in->approvals.n; i++)
        approvals[i] = (struct tlog_blob){ in->approvals.at[i].p,
                                           in->approvals.at[i].len };
    TRY(policy_session_parse(&j->s, in->descriptor.p, in->descriptor.len));
    return policy_judge(&j->approved, p, policy_chain_genesis(n->chain), &j->s,
                        &requester, approvals, (unsigned)in->approvals.n,
                        POLICY_AT_ITS_TIME);
}

/* The entry is of this certificate, and the certificate is whole. */
static enum rc check_entry(const struct tlog_birth *b,
                           const struct tlog_epoch_terms *terms,
                           const struct tlog_vote *votes, unsigned n_votes,
                           const struct judged *j,
                           const struct policy_profile *profile)
{
    uint8_t identities[TLOG_MAX_NODES][32];
    uint8_t participants[32];
    uint8_t root[32];
    uint8_t key[32];
    TRY(tlog_votes_check(terms, TLOG_VOTE_PREPARED, votes, n_votes));
    tlog_endorsements_root(root, votes, n_votes);
    for (unsigned i = 0; i < n_votes; i++)
        memcpy(identities[i], votes[i].identity, 32);
    tlog_participants(participants, identities, n_votes);
    hash256(key, terms->group_key, 32);
    if (memcmp(root, b->endorsements, 32) != 0 ||
        memcmp(key, b->key, 32) != 0 || memcmp(b->session, j->s.id, 32) != 0 ||
        memcmp(b->approvals, j->approved.root, 32) != 0 ||
        memcmp(b->participants, participants, 32) != 0 ||
        b->threshold != terms->t ||
        strcmp(b->class, policy_class_name(profile->class)) != 0)
        return rc_raise(RC_LOG, "birth: entry is of another birth");
    return RC_OK;
}

/* The profile's nodes, all of them and nobody else, under their own keys. */
static enum rc check_voters(const struct policy *p,
                            const struct policy_profile *profile,
                            const struct wire_cert *cert)
{
    if (profile->ephemeral)
        return rc_raise(RC_POLICY, "birth: profile %s is ephemeral",
                        profile->name);
    if (cert->parent != 0)
        return rc_raise(RC_POLICY, "birth: of an epoch with a parent");
    if (cert->threshold != profile->threshold ||
        cert->votes.n != profile->n_nodes)
        return rc_raise(RC_POLICY, "birth: not the profile's threshold");
    for (unsigned i = 0; i < profile->n_nodes; i++) {
        const struct wire_vote *v = &cert->votes.at[i];
        const struct policy_node *node = policy_node_find(p, profile->nodes[i]);
        if (v->node != profile->nodes[i] || !node || !node->has_keys ||
            memcmp(node->identity, v->identity, 32) != 0)
            return rc_raise(RC_POLICY, "birth: vote of a stranger, want node%u",
                            profile->nodes[i]);
    }
    return RC_OK;
}

/* A name has one group key for ever: said before vault and store hear of it. */
static enum rc check_name(struct node *n, const char *name,
                          const struct wire_cert *cert)
{
    const struct key *k = node_key_by_name(n, name);
    if (k && memcmp(k->group_key, cert->group_key, 32) != 0)
        return rc_raise(RC_CONFLICT, "key %s: its group key never changes",
                        name);
    return RC_OK;
}

enum rc epoch_judge_birth(char name[POLICY_NAME_MAX], bool *member,
                          struct node *n, const struct wire_birth *in)
{
    struct tlog_proof proof;
    struct tlog_birth b;
    struct judged j;
    TRY(proof_from_wire(&proof, &in->proof));
    TRY(tlog_proof_check(&proof, &n->log, NULL));
    TRY(tlog_birth_decode(&b, proof.entry, proof.entry_len));
    const struct policy *p = policy_chain_by_hash(n->chain, b.policy);
    if (!p)
        return rc_raise(RC_ORDER, "birth: of a policy this node has not got");
    TRY(epoch_judge_session(&j, n, p, in));
    if (j.s.type != POLICY_S_KEY_CREATE)
        return rc_raise(RC_POLICY, "birth: its session is no key-create");
    const struct policy_profile *profile = policy_profile_find(p, j.s.profile);
    if (!profile || memcmp(j.s.id, in->cert.session, 32) != 0)
        return rc_raise(RC_POLICY, "birth: session and certificate differ");
    TRY(check_voters(p, profile, &in->cert));
    TRY(check_name(n, profile->name, &in->cert));
    struct tlog_epoch_terms terms;
    struct tlog_vote votes[TLOG_MAX_NODES];
    unsigned n_votes;
    TRY(cert_terms(&terms, votes, &n_votes, &in->cert));
    TRY(check_entry(&b, &terms, votes, n_votes, &j, profile));
    *member = is_member(profile, n->id);
    snprintf(name, POLICY_NAME_MAX, "%s", profile->name);
    return RC_OK;
}

static enum rc activate(struct wire_ack *out, struct node *n,
                        const struct wire_birth *in, const char *name,
                        const uint8_t *body, size_t len)
{
    struct tlog_epoch_terms terms;
    struct tlog_vote votes[TLOG_MAX_NODES];
    unsigned n_votes;
    TRY(cert_terms(&terms, votes, &n_votes, &in->cert));
    OWNED_MEM uint8_t *sealed = NULL;
    size_t sealed_len;
    TRY(store_epoch_sealed(n->w.store, in->cert.session, &sealed, &sealed_len));
    TRY(vault_activate(n->w.vault, out->ack, &terms, votes, n_votes, sealed,
                       sealed_len));
    return store_epoch_activate(n->w.store, name, in->cert.epoch,
                                in->cert.session, (const char *)body, len);
}

/* A member voted once its share was at rest: where there is none, it is lost. */
static enum rc is_lost(bool *lost, struct node *n, const struct wire_birth *in,
                       bool member)
{
    OWNED_MEM uint8_t *sealed = NULL;
    size_t len;
    *lost = false;
    if (!member)
        return RC_OK;
    enum rc rc = store_epoch_sealed(n->w.store, in->cert.session, &sealed,
                                    &len);
    *lost = rc == RC_UNKNOWN;
    return *lost ? RC_OK : rc;
}

enum rc epoch_take_birth(struct wire_ack *out, struct node *n,
                         const struct wire_birth *in, const uint8_t *body,
                         size_t len)
{
    char name[POLICY_NAME_MAX];
    bool member;
    bool lost;
    struct key *k;
    node_lock(n);
    enum rc rc = epoch_judge_birth(name, &member, n, in);
    const struct key *have = rc == RC_OK ? node_key_by_name(n, name) : NULL;
    bool moved = have && have->live.epoch > in->cert.epoch;
    node_unlock(n);
    TRY(rc);
    if (moved)
        return rc_raise(RC_EPOCH_MOVED, "key %s: has moved on from its birth",
                        name);
    TRY(is_lost(&lost, n, in, member));
    if (member && !lost)
        TRY(activate(out, n, in, name, body, len));
    else
        TRY(store_epoch_activate(n->w.store, name, in->cert.epoch,
                                 in->cert.session, (const char *)body, len));
    node_lock(n);
    rc = node_key_take(n, name, in, member && !lost, &k);
    node_unlock(n);
    TRY(rc);
    if (lost) /* known from here on; whoever asked shall hear it */
        return rc_raise(RC_UNKNOWN, "key %s: node%u has lost its share", name,
                        n->id);
    custody_on_active(n, k);
    return RC_OK;
}

static enum rc on_activate(struct node *n, const uint8_t *body, size_t len,
                           char **reply, size_t *reply_len)
{
    WIRE(birth) in = { 0 };
    TRY(wire_birth_decode(&in, (const char *)body, len));
    struct wire_ack out = { .node = n->id };
    pthread_mutex_lock(&n->policy_lock);
    enum rc rc = epoch_take_birth(&out, n, &in, body, len);
    pthread_mutex_unlock(&n->policy_lock);
    TRY(rc);
    return wire_ack_encode(reply, reply_len, &out);
}

/* ---- repeats ------------------------------------------------------------------------- */
/*
 * A POST may come twice (a connection died before its answer). The vault does
 * each step once; a byte-identical repeat gets the answer that was given.
 */

static bool given_before(struct node *n, const uint8_t request[32],
                         char **reply, size_t *reply_len)
{
    char *copy = NULL;
    node_lock(n);
    const struct epoch_making *m = &n->making;
    for (size_t i = 0; i < sizeof(m->answer) / sizeof(*m->answer); i++) {
        const struct epoch_answer *a = &m->answer[i];
        if (copy || !a->json || memcmp(a->request, request, 32) != 0)
            continue;
        copy = malloc(a->len + 1);
        if (!copy)
            break;
        memcpy(copy, a->json, a->len + 1);
        *reply_len = a->len;
    }
    node_unlock(n);
    if (copy)
        *reply = copy;
    return copy != NULL;
}

static void remember(struct node *n, const uint8_t request[32],
                     const char *json, size_t len)
{
    char *copy = malloc(len + 1);
    if (!copy)
        return;
    memcpy(copy, json, len);
    copy[len] = '\0';
    node_lock(n);
    struct epoch_making *m = &n->making;
    struct epoch_answer *a =
            &m->answer[m->next_answer++ %
                       (sizeof(m->answer) / sizeof(*m->answer))];
    free(a->json);
    *a = (struct epoch_answer){ .json = copy, .len = len };
    memcpy(a->request, request, 32);
    node_unlock(n);
}

void epoch_answers_free(struct node *n)
{
    struct epoch_making *m = &n->making;
    for (size_t i = 0; i < sizeof(m->answer) / sizeof(*m->answer); i++)
        free(m->answer[i].json);
}

enum rc epoch_on_peer(struct node *n, const char *step, const uint8_t *body,
                      size_t len, char **reply, size_t *reply_len)
{
    static const struct {
        const char *name;
        epoch_step *fn;
        bool once; /* a repeat gets the answer that was given */
    } steps[] = { { "start", on_start, true },
                  { "deal", on_deal, true },
                  { "finish", on_finish, true },
                  { "activate", on_activate, true },
                  { "look", epoch_on_look, false },
                  { "begin", epoch_on_begin, true },
                  { "share", epoch_on_share, true },
                  { "prepare", epoch_on_prepare, true },
                  { "live", epoch_on_live, false },
                  { "retire", epoch_on_retire, false },
                  { "destroy", epoch_on_destroy, false },
                  { "gone", epoch_on_gone, false } };
    uint8_t request[32];
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        if (strcmp(step, steps[i].name) != 0)
            continue;
        const struct hash_part parts[] = { { step, strlen(step) + 1 },
                                           { body, len } };
        hash256_parts(request, parts, 2);
        if (steps[i].once && given_before(n, request, reply, reply_len))
            return RC_OK;
        TRY(steps[i].fn(n, body, len, reply, reply_len));
        if (steps[i].once)
            remember(n, request, *reply, *reply_len);
        return RC_OK;
    }
    return rc_raise(RC_UNKNOWN, "no such path");
}
