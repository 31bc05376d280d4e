/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The external authoriser: what it is asked before a share, and how its
 * answer is read. Anything but a plain yes is a no. Digests, names and
 * counts; never a byte of the message.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/enc.h"

static json_t *hex_json(const uint8_t *p, size_t len)
{
    char hex[ENC_HEX_SIZE(64)];
    return json_string(enc_hex(hex, p, len));
}

static json_t *artifact_json(const struct policy_session *s)
{
    if (!s->has_artifact)
        return json_null();
    return json_pack("{s:s, s:I, s:o, s:o}", "name", s->artifact_name, "size",
                     (json_int_t)s->artifact_size, "sha256",
                     hex_json(s->artifact_sha256, 32), "sha512",
                     hex_json(s->artifact_sha512, 64));
}

/* Under lock. Those that fill a place: no denial, nothing taken back. */
static json_t *approvals_json(struct node *n, const struct judged *j,
                              const struct wire_session *session)
{
    json_t *list = json_array();
    struct tally t;
    session_tally(&t, n, &j->s, session);
    for (unsigned i = 0; list && i < t.m.n_said; i++) {
        const struct policy_said *r = &t.m.said[i];
        if (!r->counts)
            continue;
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s}", "person", r->person,
                                        "role", r->role, "kind", r->kind));
    }
    return list;
}

static json_t *participants_json(const struct wire_round2_item *item)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < item->signers.n; i++)
        json_array_append_new(
                list, json_integer((json_int_t)item->signers.at[i].node));
    return list;
}

enum rc authorise_question(char **json, size_t *len, struct node *n,
                           const struct judged *j, const struct key *key,
                           uint16_t lead, const struct wire_round2_item *item)
{
    json_auto_t *o = json_pack(
            "{s:o, s:s, s:o, s:o, s:s, s:s, s:o, s:o, s:i, s:I, s:b}",
            "session", hex_json(j->s.id, 32), "profile",
            j->s.has_profile ? j->s.profile : key->name, "key",
            hex_json(key->group_key, 32), "artifact", artifact_json(&j->s),
            "kind", item->slot, "requester", j->s.requester, "approvals",
            approvals_json(n, j, &item->session), "participants",
            participants_json(item), "lead", (int)lead, "expires",
            (json_int_t)j->s.expires, "simulated", (int)n->simulated);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    if (!text)
        return rc_raise(RC_NOMEM, "authoriser: out of memory");
    *json = text;
    *len = strlen(text);
    return RC_OK;
}

/* Its words are shown to callers: printable, and not too many. */
static enum rc refused(const char *reason)
{
    char words[200] = "";
    size_t len = 0;
    for (; reason && reason[len] && len + 1 < sizeof(words); len++)
        words[len] = reason[len] >= 0x20 && reason[len] <= 0x7e ? reason[len]
                                                                : '?';
    return rc_raise(RC_DENIED, "authoriser: denied: %s",
                    words[0] ? words : "no reason given");
}

enum rc authorise_answer(enum rc rc, const uint8_t *body, size_t len)
{
    json_error_t error;
    const char *reason = NULL;
    int allow = 0;
    if (rc != RC_OK) {
        char why[200];
        snprintf(why, sizeof(why), "%.199s", rc_text());
        return rc_raise(RC_DENIED, "authoriser: no answer: %s", why);
    }
    json_auto_t *o = json_loadb((const char *)body, body ? len : 0,
                                JSON_REJECT_DUPLICATES, &error);
    if (!o || json_unpack_ex(o, &error, JSON_STRICT, "{s:b, s?s}", "allow",
                             &allow, "reason", &reason) != 0)
        return rc_raise(RC_DENIED,
                        "authoriser: its answer is not {\"allow\": ..., "
                        "\"reason\": ...} (position %d)",
                        error.position);
    return allow ? RC_OK : refused(reason);
}
