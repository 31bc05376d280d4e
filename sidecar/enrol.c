/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invites and enrolments. A local caller asks for an invite; whoever holds its
 * code registers one credential with it, from anywhere. What comes of it is a
 * proposal: only a policy version that the stewards approve makes it count.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/enc.h"

#define SPARE_S 1800 /* life of the second code */
#define CODE    16

static bool is_role(const char *role)
{
    return strcmp(role, "engineer") == 0 || strcmp(role, "steward") == 0;
}

static bool is_name(const char *name)
{
    return *name &&
           !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-")];
}

static void answer_json(struct node *n, uint64_t call, enum rc rc, json_t *o)
{
    char *text = NULL;
    if (rc == RC_OK) {
        text = o ? json_dumps(o, JSON_COMPACT) : NULL;
        if (!text)
            rc = rc_raise(RC_NOMEM, "enrolment: out of memory");
    }
    json_decref(o);
    node_answer(n, call, rc, text, text ? strlen(text) : 0);
}

/* ---- making an invite ------------------------------------------------------- */

static enum rc make(char hex[ENC_HEX_SIZE(CODE)], struct store_invite *in,
                    struct node *n, int64_t ttl_s)
{
    uint8_t code[CODE];
    TRY(n->w.random(n->w.ctx, code, sizeof(code)));
    policy_invite_id(in->id, code);
    in->expires = n->w.now_s(n->w.ctx) + ttl_s;
    enc_hex(hex, code, sizeof(code));
    return RC_OK;
}

static enum rc invite(json_t **out, struct node *n, const uint8_t *body,
                      size_t len)
{
    WIRE(invite) m = { 0 };
    struct store_invite in = { .spare = false };
    char code[ENC_HEX_SIZE(CODE)];
    char url[POLICY_ORIGIN_MAX + 64] = "";
    TRY(wire_invite_decode(&m, (const char *)body, len));
    if (!is_name(m.person))
        return rc_raise(RC_ARG, "person: %.64s: want a-z 0-9 . _ -", m.person);
    if (!is_role(m.role))
        return rc_raise(RC_ARG, "role: %.64s: want engineer or steward",
                        m.role);
    if (m.ttl_s == 0)
        return rc_raise(RC_ARG, "ttl_s: 0, want at least a second");
    memcpy(in.person, m.person, sizeof(in.person));
    memcpy(in.role, m.role, sizeof(in.role));
    TRY(make(code, &in, n, (int64_t)m.ttl_s));
    TRY(store_invite_add(n->w.store, &in, n->w.now_s(n->w.ctx)));
    if (*n->page_origin)
        snprintf(url, sizeof(url), "%s/enrol#%s", n->page_origin, code);
    *out = json_pack("{s:s, s:s, s:s, s:I, s:s}", "code", code, "person",
                     in.person, "role", in.role, "expires",
                     (json_int_t)in.expires, "url", url);
    return RC_OK;
}

void enrol_on_invite(struct node *n, uint64_t call, const uint8_t *body,
                     size_t len)
{
    json_t *o = NULL;
    enum rc rc = invite(&o, n, body, len);
    answer_json(n, call, rc, o);
}

/* ---- what an invite is good for ---------------------------------------------- */

static enum rc find(struct store_invite *out, struct node *n,
                    const uint8_t id[32])
{
    enum rc rc = store_invite_get(out, n->w.store, id);
    if (rc == RC_UNKNOWN)
        rc_hint("check the code, and that this is the sidecar it is from");
    TRY(rc);
    if (out->used) {
        rc = rc_raise(RC_CONFLICT, "invite: it was used already");
        rc_hint("each code works once: ask a steward for another");
        return rc;
    }
    if (out->expires > n->w.now_s(n->w.ctx))
        return RC_OK;
    rc = rc_raise(RC_EXPIRED, "invite: it has expired");
    rc_hint("ask a steward for another");
    return rc;
}

/* WebAuthn credentials they have: the same passkey twice is no spare. */
static json_t *exclude(struct node *n, const char *person)
{
    json_t *list = json_array();
    node_lock(n);
    const struct policy_person *p = policy_person_find(
            policy_chain_head(n->chain), person);
    for (unsigned i = 0; p && i < p->n_credentials; i++) {
        const struct policy_credential *c = &p->credential[i];
        char id[ENC_B64_SIZE(POLICY_RAW_ID_MAX)];
        if (c->raw_id_len)
            json_array_append_new(
                    list, json_string(enc_b64u(id, c->raw_id, c->raw_id_len)));
    }
    node_unlock(n);
    return list;
}

static enum rc look(json_t **out, struct node *n, const char *hex)
{
    uint8_t id[32];
    struct store_invite in;
    char cluster[65];
    TRY(enc_unhex(id, 32, hex, strlen(hex)));
    TRY(find(&in, n, id));
    enc_hex(cluster, policy_chain_genesis(n->chain), 32);
    *out = json_pack("{s:s, s:s, s:s, s:I, s:s, s:o}", "person", in.person,
                     "role", in.role, "cluster", cluster, "expires",
                     (json_int_t)in.expires, "rp_id", n->rp_id, "exclude",
                     exclude(n, in.person));
    return RC_OK;
}

void enrol_on_look(struct node *n, uint64_t call, const char *hex)
{
    json_t *o = NULL;
    enum rc rc = look(&o, n, hex);
    answer_json(n, call, rc, o);
}

/* ---- using it ------------------------------------------------------------------ */

struct origins {
    char text[POLICY_MAX_ORIGINS][POLICY_ORIGIN_MAX];
    const char *at[POLICY_MAX_ORIGINS];
    unsigned n;
};

static void put(struct origins *o, const char *origin)
{
    for (unsigned i = 0; i < o->n; i++)
        if (strcmp(o->text[i], origin) == 0)
            return;
    if (!*origin || o->n == POLICY_MAX_ORIGINS)
        return;
    snprintf(o->text[o->n], POLICY_ORIGIN_MAX, "%s", origin);
    o->at[o->n] = o->text[o->n];
    o->n++;
}

/* Does a page of this origin speak for the domain? */
static bool speaks_for(const char *origin, const char *rp_id)
{
    const char *host = strstr(origin, "://");
    host = host ? host + 3 : "";
    size_t n = strcspn(host, ":");
    size_t want = strlen(rp_id);
    return n >= want && strncmp(host + n - want, rp_id, want) == 0 &&
           (n == want || host[n - want - 1] == '.');
}

/* Where the credential may be used: this page, the policy's, one's own, and a
 * security key at the command line. */
static void origins_of(struct origins *out, struct node *n)
{
    put(out, POLICY_CLI_ORIGIN);
    if (speaks_for(n->page_origin, n->rp_id))
        put(out, n->page_origin);
    if (strcmp(n->rp_id, "localhost") == 0)
        put(out, "http://localhost");
    node_lock(n);
    const struct policy *p = policy_chain_head(n->chain);
    for (unsigned i = 0; i < p->n_page_origins; i++)
        if (speaks_for(p->page_origin[i], n->rp_id))
            put(out, p->page_origin[i]);
    node_unlock(n);
}

static enum rc registered(struct policy_credential *out, struct node *n,
                          const struct store_invite *in,
                          const struct wire_enrol *m)
{
    uint8_t challenge[32];
    policy_enrol_challenge(challenge, policy_chain_genesis(n->chain), in->id,
                           in->person);
    if (strcmp(m->kind, POLICY_SSHSIG) == 0 ||
        strcmp(m->kind, POLICY_SSHSIG_SK) == 0)
        return policy_sshsig_register(
                out, challenge, (const char *)m->signature.p, m->signature.len);
    if (strcmp(m->kind, POLICY_WEBAUTHN) != 0)
        return rc_raise(RC_ARG,
                        "kind: %.20s: want webauthn, sshsig or "
                        "sshsig-sk",
                        m->kind);
    OWNED_MEM struct origins *o = calloc(1, sizeof(*o));
    if (!o)
        return rc_raise(RC_NOMEM, "enrolment: out of memory");
    origins_of(o, n);
    return policy_webauthn_register(out, challenge, n->rp_id, o->at, o->n,
                                    m->client_data.p, m->client_data.len,
                                    m->attestation_object.p,
                                    m->attestation_object.len);
}

/* A key stands once in a policy: better said now than to the stewards. */
static enum rc check_new(struct node *n, const struct policy_credential *c)
{
    enum rc rc = RC_OK;
    node_lock(n);
    const struct policy *p = policy_chain_head(n->chain);
    for (unsigned i = 0; rc == RC_OK && i < p->n_persons; i++)
        for (unsigned j = 0; j < p->person[i].n_credentials; j++)
            if (memcmp(p->person[i].credential[j].id, c->id, 32) == 0)
                rc = rc_raise(RC_EXISTS, "enrolment: this key is %s's already",
                              p->person[i].id);
    node_unlock(n);
    return rc;
}

static enum rc keep(char spare_code[ENC_HEX_SIZE(CODE)], struct node *n,
                    const struct store_invite *in,
                    const struct policy_credential *c)
{
    char json[POLICY_CREDENTIAL_MAX];
    size_t len;
    struct store_invite spare = *in;
    TRY(policy_credential_write(json, sizeof(json), &len, c));
    spare_code[0] = '\0';
    spare.spare = true;
    if (!in->spare)
        TRY(make(spare_code, &spare, n, SPARE_S));
    return store_invite_use(n->w.store, in->id, n->w.now_s(n->w.ctx), json, len,
                            in->spare ? NULL : &spare);
}

static enum rc enrol(json_t **out, struct node *n, const uint8_t *body,
                     size_t len)
{
    WIRE(enrol) m = { 0 };
    uint8_t id[32];
    struct store_invite in;
    struct policy_credential c;
    char spare[ENC_HEX_SIZE(CODE)];
    char words[POLICY_WORDS_MAX];
    TRY(wire_enrol_decode(&m, (const char *)body, len));
    policy_invite_id(id, m.code);
    TRY(find(&in, n, id));
    if (strcmp(in.person, m.person) != 0)
        return rc_raise(RC_AUTH, "invite: it is not for %.64s", m.person);
    TRY(registered(&c, n, &in, &m));
    TRY(check_new(n, &c));
    TRY(keep(spare, n, &in, &c));
    policy_credential_words(words, &c);
    *out = json_pack("{s:s, s:s, s:s, s:s}", "person", in.person, "kind",
                     c.kind, "words", words, "spare", spare);
    return RC_OK;
}

void enrol_on_enrol(struct node *n, uint64_t call, const uint8_t *body,
                    size_t len)
{
    json_t *o = NULL;
    enum rc rc = enrol(&o, n, body, len);
    answer_json(n, call, rc, o);
}

/* ---- the proposals ---------------------------------------------------------------- */

struct listing {
    struct node *n;
    json_t *list;
};

static enum rc list_one(void *ctx, const char *name, uint64_t number,
                        const uint8_t *a, size_t a_len, const uint8_t *b,
                        size_t b_len)
{
    struct listing *l = ctx;
    struct policy_credential c;
    char words[POLICY_WORDS_MAX];
    char id[65];
    const char *role = strchr(name, ' ');
    json_t *row = json_loadb((const char *)b, b_len, 0, NULL);
    if (!role || !row || a_len != 32 ||
        policy_credential_parse(&c, b, b_len) != RC_OK) {
        json_decref(row);
        return RC_OK; /* written by another version: the rest is good */
    }
    policy_credential_words(words, &c);
    json_array_append_new(
            l->list,
            json_pack("{s:s, s:s%, s:s, s:s, s:I, s:s, s:b, s:o}", "invite",
                      enc_hex(id, a, 32), "person", name, (size_t)(role - name),
                      "role", role + 1, "kind", c.kind, "at",
                      (json_int_t)number, "words", words, "in_policy",
                      (int)(check_new(l->n, &c) != RC_OK), "credential", row));
    return RC_OK;
}

void enrol_on_list(struct node *n, uint64_t call)
{
    struct listing l = { n, json_array() };
    enum rc rc = store_enrolments(n->w.store, list_one, &l);
    answer_json(n, call, rc, json_pack("{s:o}", "enrolments", l.list));
}
