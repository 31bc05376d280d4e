/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signature counters (WebAuthn, SSH security keys): each record that is new
 * here is compared with the largest that this node has seen of its credential.
 * One that does not go on may come from a copy of the authenticator. Public.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "base/hash.h"

void session_counter_see(struct counters *seen, const struct policy_record *r,
                         const struct wire_blob *record)
{
    if (!r->has_counter || seen->n == SPREAD_RECORDS)
        return;
    struct store_counter *c = &seen->at[seen->n];
    snprintf(seen->person[seen->n], POLICY_NAME_MAX, "%s", r->person);
    memcpy(c->credential, r->credential, 32);
    c->value = r->counter;
    hash256(c->record, record->p, record->len);
    seen->n++;
}

static bool is_record(const struct wire_blob *b, const uint8_t hash[32])
{
    uint8_t own[32];
    if (!b->len)
        return false;
    hash256(own, b->p, b->len);
    return memcmp(own, hash, 32) == 0;
}

/* What is kept already was compared when it came. */
static bool is_kept(const struct wire_session *have, const uint8_t hash[32])
{
    bool kept = is_record(&have->requester, hash);
    for (size_t i = 0; !kept && i < have->approvals.n; i++)
        kept = is_record(&have->approvals.at[i], hash);
    return kept;
}

/* Two signatures with one number: whatever their order was. */
static bool is_twice(const struct counters *seen, unsigned i)
{
    const struct store_counter *c = &seen->at[i];
    for (unsigned k = 0; k < i; k++)
        if (c->value && c->value == seen->at[k].value &&
            memcmp(c->credential, seen->at[k].credential, 32) == 0 &&
            memcmp(c->record, seen->at[k].record, 32) != 0)
            return true;
    return false;
}

static void say(struct node *n, uint16_t from, const struct policy_session *s,
                const char *person, const struct store_counter *now,
                uint32_t last)
{
    struct wire_audit_row row = { 0 };
    const struct node_from who = { .id = from };
    char hex[ENC_HEX_SIZE(32)];
    if (from)
        audit_peer(&row, n, &who, true, "");
    snprintf(row.method, sizeof(row.method), "%s", AUDIT_COUNTER);
    snprintf(row.detail, sizeof(row.detail),
             "%s: credential %.16s counts %u, and %u was seen: a copy of the "
             "authenticator, or its records came in another order",
             person, enc_hex(hex, now->credential, 32), now->value, last);
    audit_session(&row, s->id);
    audit_result(&row, RC_OK, "");
    node_audit(n, &row);
}

enum rc session_counters_compare(struct counters *seen, struct node *n,
                                 uint16_t from, const struct policy_session *s,
                                 const struct wire_session *have)
{
    struct counters fresh = { .n = 0 };
    for (unsigned i = 0; i < seen->n; i++) {
        const struct store_counter *c = &seen->at[i];
        struct store_counter last;
        if (is_kept(have, c->record))
            continue;
        TRY(store_counter_get(n->w.store, c->credential, &last));
        bool same = memcmp(last.record, c->record, 32) == 0;
        if (!policy_counter_ok(last.value, c->value, same))
            say(n, from, s, seen->person[i], c, last.value);
        else if (is_twice(seen, i))
            say(n, from, s, seen->person[i], c, c->value);
        if (c->value > last.value)
            fresh.at[fresh.n++] = *c;
    }
    *seen = fresh;
    return RC_OK;
}
