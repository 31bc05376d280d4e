/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in a bundle before the log and the other nodes are asked. It
 * holds what was counted and nothing beside it: a record nobody counted could
 * be changed, and nobody would see it.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- records ---------------------------------------------------------------- */

struct counted_in {
    const struct policy *p;
    const uint8_t *genesis;
    const struct policy_session *s;
    struct tlog_blob requester;
};

static enum rc root_of(uint8_t root[32], const struct counted_in *c,
                       const struct tlog_blob *at, unsigned n, bool requester)
{
    struct policy_approved by;
    TRY(policy_judge(&by, c->p, c->genesis, c->s,
                     requester ? &c->requester : NULL, at, n,
                     POLICY_AT_ITS_TIME));
    memcpy(root, by.root, 32);
    return RC_OK;
}

/* Drops what changes nothing: revoked, denied by nobody, beyond the rule. */
static unsigned drop_uncounted(struct tlog_blob *at, unsigned n,
                               const struct counted_in *c,
                               const uint8_t root[32], bool requester)
{
    for (unsigned i = n; i-- > 0;) {
        struct tlog_blob rest[POLICY_MAX_APPROVALS];
        uint8_t without[32];
        unsigned m = 0;
        for (unsigned k = 0; k < n; k++)
            if (k != i)
                rest[m++] = at[k];
        if (root_of(without, c, rest, m, requester) != RC_OK ||
            memcmp(without, root, 32) != 0)
            continue;
        memcpy(at, rest, m * sizeof(*rest));
        n = m;
    }
    return n;
}

static enum rc sort_by_person(struct tlog_blob *at, unsigned n,
                              const struct counted_in *c)
{
    OWNED_MEM struct policy_record *r = calloc(n + 1, sizeof(*r));
    if (!r)
        return rc_raise(RC_NOMEM, "bundle: out of memory");
    for (unsigned i = 0; i < n; i++)
        TRY(policy_record_check(&r[i], c->p, c->s->id, at[i].p, at[i].len));
    for (unsigned i = 1; i < n; i++)
        for (unsigned j = i; j > 0 && strcmp(r[j - 1].person, r[j].person) > 0;
             j--) {
            struct policy_record rec = r[j - 1];
            struct tlog_blob blob = at[j - 1];
            r[j - 1] = r[j];
            at[j - 1] = at[j];
            r[j] = rec;
            at[j] = blob;
        }
    return RC_OK;
}

/* The records of a session that counted, ascending by person. */
static enum rc put_records(struct wire_session *out, struct node *n,
                           const struct wire_session *in)
{
    OWNED_MEM struct policy_session *s = calloc(1, sizeof(*s));
    struct tlog_blob at[POLICY_MAX_APPROVALS];
    uint8_t root[32];
    uint8_t bare[32];
    unsigned count = 0;
    if (!s || in->approvals.n > POLICY_MAX_APPROVALS)
        return rc_raise(RC_NOMEM, "bundle: out of memory");
    TRY(policy_session_parse(s, in->descriptor.p, in->descriptor.len));
    struct counted_in c = { .p = policy_chain_by_hash(n->chain, s->policy),
                            .genesis = policy_chain_genesis(n->chain),
                            .s = s,
                            .requester = { in->requester.p,
                                           in->requester.len } };
    if (!c.p)
        return rc_raise(RC_POLICY, "bundle: its policy version is not held");
    for (size_t i = 0; i < in->approvals.n; i++)
        at[count++] = (struct tlog_blob){ in->approvals.at[i].p,
                                          in->approvals.at[i].len };
    bool requester = in->requester.len > 0;
    TRY(root_of(root, &c, at, count, requester));
    if (requester && root_of(bare, &c, at, count, false) == RC_OK)
        requester = false; /* nobody asked for it */
    count = drop_uncounted(at, count, &c, root, requester);
    TRY(sort_by_person(at, count, &c));
    TRY(wire_blob_set(&out->descriptor, in->descriptor.p, in->descriptor.len));
    TRY(wire_blob_set(&out->requester, in->requester.p,
                      requester ? in->requester.len : 0));
    TRY(wire_list_new(&out->approvals, count));
    for (unsigned i = 0; i < count; i++)
        TRY(wire_blob_set(&out->approvals.at[i], at[i].p, at[i].len));
    return RC_OK;
}

/* ---- births ----------------------------------------------------------------- */

/* The note with the log's own line alone. */
static enum rc put_bare(struct wire_text *out, const struct node *n,
                        const struct wire_text *note)
{
    struct tlog_checkpoint cp;
    char bare[TLOG_NOTE_MAX];
    TRY(head_bare(bare, &cp, &n->log, note->p, note->len));
    return wire_text_set(out, bare, strlen(bare));
}

static enum rc put_proof(struct wire_proof *out, const struct node *n,
                         const struct wire_proof *in)
{
    TRY(proof_copy(out, in));
    return put_bare(&out->checkpoint, n, &in->checkpoint);
}

static enum rc put_birth(struct wire_birth *out, struct node *n,
                         const struct wire_birth *in)
{
    const struct wire_session all = { .descriptor = in->descriptor,
                                      .requester = in->requester,
                                      .approvals = { in->approvals.at,
                                                     in->approvals.n } };
    WIRE(session) counted = { 0 };
    TRY(birth_copy(out, in));
    TRY(put_bare(&out->proof.checkpoint, n, &in->proof.checkpoint));
    TRY(put_records(&counted, n, &all));
    TRY(wire_blob_set(&out->requester, counted.requester.p,
                      counted.requester.len));
    for (size_t i = 0; i < out->approvals.n; i++)
        free(out->approvals.at[i].p);
    free(out->approvals.at);
    out->approvals.at = TAKE(counted.approvals.at);
    out->approvals.n = counted.approvals.n;
    counted.approvals.n = 0;
    return RC_OK;
}

/* Its SubjectPublicKeyInfo, RFC 8410. verify is who judges the certificate. */
static bool is_root_of(const struct wire_blob *der, const uint8_t key[32])
{
    uint8_t spki[12 + 32] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                              0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };
    memcpy(spki + 12, key, 32);
    return memmem(der->p, der->len, spki, sizeof(spki)) != NULL;
}

/* With certificates, why their root is to be believed: the birth of its key,
 * where that is one of ours. */
static enum rc put_chain(struct wire_bundle *out, struct node *n,
                         const struct seen *s)
{
    const struct policy *p = policy_chain_head(n->chain);
    size_t count = s->chain.chain.n;
    if (count == 0)
        return RC_OK;
    TRY(wire_list_new(&out->chain, count));
    for (size_t i = 0; i < count; i++)
        TRY(wire_blob_set(&out->chain.at[i], s->chain.chain.at[i].p,
                          s->chain.chain.at[i].len));
    for (unsigned i = 0; i < p->n_profiles; i++) {
        struct key *k = node_key_by_name(n, p->profile[i].name);
        if (p->profile[i].class != POLICY_ISSUER || !k || out->issuer.n ||
            !is_root_of(&out->chain.at[count - 1], k->group_key))
            continue;
        TRY(wire_list_new(&out->issuer, 1));
        TRY(put_birth(&out->issuer.at[0], n, &k->evidence));
    }
    return RC_OK;
}

/* ---- the whole --------------------------------------------------------------- */

static enum rc put_signers(struct wire_bundle *out, const struct seen *s)
{
    TRY(wire_list_new(&out->signers, s->n_signers));
    for (unsigned i = 0; i < s->n_signers; i++) {
        struct wire_bundle_signer *to = &out->signers.at[i];
        const struct wire_round2_result *from = &s->results[i];
        to->node = s->signer[i];
        memcpy(to->ak_signature, from->ak_signature, 64);
        TRY(wire_text_set(&to->cosignature, from->cosignature.p,
                          from->cosignature.len));
    }
    return RC_OK;
}

static enum rc put_message(struct wire_bundle *out, const struct seen *s)
{
    bool wanted = strcmp(s->item.slot, policy_kind_name(POLICY_CMS)) == 0 ||
                  strcmp(s->item.slot, policy_kind_name(POLICY_DSSE)) == 0;
    if (wanted && !s->msg)
        return rc_raise(RC_TOO_LARGE,
                        "bundle: the signed bytes are over %d, which a bundle "
                        "does not hold",
                        WIRE_BUNDLE_MESSAGE_MAX);
    return wire_blob_set(&out->message, s->msg_len ? (const void *)s->msg : "",
                         s->msg_len);
}

enum rc bundle_fill(struct wire_bundle *out, struct node *n,
                    const struct seen *s)
{
    struct tlog_intent in;
    TRY(tlog_intent_decode(&in, s->item.intent.entry.p,
                           s->item.intent.entry.len));
    out->v = WIRE_BUNDLE_V;
    snprintf(out->kind, sizeof(out->kind), "%s", s->item.slot);
    snprintf(out->profile, sizeof(out->profile), "%s", s->key->name);
    memcpy(out->signature, s->signature, 64);
    memcpy(out->group_key, s->key->group_key, 32);
    memcpy(out->policy, in.policy, 32); /* what it was judged under */
    TRY(put_message(out, s));
    TRY(put_records(&out->session, n, &s->item.session));
    TRY(put_proof(&out->intent, n, &s->item.intent));
    TRY(put_signers(out, s));
    TRY(put_birth(&out->birth, n, &s->key->evidence));
    return put_chain(out, n, s);
}
