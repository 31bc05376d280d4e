/* SPDX-License-Identifier: Apache-2.0 */
/* What was judged, as data for the page: docs/EVIDENCE.md lists the members. */
#include "cli/verify_inner.h"

#include <stdlib.h>
#include <string.h>

#include "base/enc.h"

json_t *verify_hex(const void *p, size_t len)
{
    char hex[ENC_HEX_SIZE(64)];
    return json_string(enc_hex(hex, p, len < 64 ? len : 64));
}

json_t *verify_people(const struct verify_records *r)
{
    json_t *list = json_array();
    OWNED_MEM struct policy_record *rec = calloc(1, sizeof(*rec));
    for (size_t i = 0; rec && i < r->n; i++)
        if (policy_record_check(rec, r->p, r->s->id, r->at[i].p,
                                r->at[i].len) == RC_OK)
            json_array_append_new(
                    list, json_pack("{s:s, s:s, s:s, s:s}", "person",
                                    rec->person, "role", rec->role, "way",
                                    policy_way_name(rec->way), "decision",
                                    policy_decision_name(rec->decision)));
    return list;
}

static json_t *session_fact(const struct verify *v)
{
    const struct policy_session *s = &v->session;
    json_t *artifact = s->has_artifact
                               ? json_pack("{s:s, s:I, s:o}", "name",
                                           s->artifact_name, "size",
                                           (json_int_t)s->artifact_size,
                                           "sha256",
                                           verify_hex(s->artifact_sha256, 32))
                               : json_null();
    return json_pack("{s:o, s:s, s:s, s:s, s:I, s:I, s:o}", "id",
                     verify_hex(s->id, 32), "type",
                     policy_session_type_name(s->type), "requester",
                     s->requester, "reason", s->reason, "created",
                     (json_int_t)s->created, "expires", (json_int_t)s->expires,
                     "artifact", artifact);
}

static json_t *path_fact(const struct tlog_proof *p,
                         const struct tlog_checkpoint *cp)
{
    struct tlog_hash leaf;
    json_t *path = json_array();
    tlog_leaf_hash(&leaf, p->entry, p->entry_len);
    for (unsigned i = 0; i < p->path.n; i++)
        json_array_append_new(path, verify_hex(p->path.hash[i].b, 32));
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:s}", "index",
                     (json_int_t)p->index, "size", (json_int_t)cp->size, "leaf",
                     verify_hex(leaf.b, 32), "root", verify_hex(cp->root.b, 32),
                     "path", path, "entry", p->entry);
}

static json_t *log_fact(const struct verify *v)
{
    json_t *nodes = json_array();
    for (size_t i = 0; i < v->bundle.cosigners.n; i++)
        json_array_append_new(
                nodes,
                json_integer((json_int_t)v->bundle.cosigners.at[i].node));
    return json_pack("{s:s, s:o, s:i, s:i, s:i, s:b}", "name",
                     v->newest->has_log ? v->newest->log.name : "", "cosigners",
                     nodes, "cosigned", (int)v->n_cosigned, "needed",
                     (int)v->n_needed, "nodes", (int)v->n_nodes, "fork_proof",
                     (int)v->fork_proof);
}

static void put_times(struct verify *v)
{
    if (v->timed)
        verify_fact(v, "signed",
                    json_pack("{s:I, s:I}", "first", (json_int_t)v->first_s,
                              "last", (json_int_t)v->last_s));
    if (v->receipt_s)
        verify_fact(v, "receipt_cosigned", json_integer(v->receipt_s));
    verify_fact(v, "intent_expires", json_integer(v->intent.expires));
}

void verify_facts(struct verify *v)
{
    const struct wire_bundle *b = &v->bundle;
    verify_fact(v, "profile", json_string(b->profile));
    verify_fact(v, "kind", json_string(b->kind));
    verify_fact(v, "class", json_string(v->intent.class));
    verify_fact(v, "cluster", json_string(v->newest->cluster));
    verify_fact(v, "group_key", verify_hex(b->group_key, 32));
    verify_fact(v, "signature", verify_hex(b->signature, 64));
    verify_fact(v, "sha256", verify_hex(v->content.sha256, 32));
    verify_fact(v, "size", json_integer((json_int_t)v->content.size));
    if (v->under)
        verify_fact(v, "policy_version",
                    json_integer((json_int_t)v->under->version));
    verify_fact(v, "session", session_fact(v));
    verify_fact(v, "log", log_fact(v));
    if (v->shown.size)
        verify_fact(v, "intent", path_fact(&v->intent_proof, &v->shown));
    if (v->has_receipt)
        verify_fact(v, "receipt", path_fact(&v->receipt_proof, &v->head));
    put_times(v);
}
