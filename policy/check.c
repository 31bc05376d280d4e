/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The invariants of one policy version, each a question to the parsed struct.
 * A version that passes can be lived under: its quorums can be met, its
 * thresholds held, and no key stands for two things.
 */
#include "policy/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "policy/credential.h"

/* ---- names and keys stand once --------------------------------------------- */

static enum rc check_names(const struct policy *p)
{
    for (unsigned i = 0; i < p->n_persons; i++) {
        /* "uid.…" is how a socket caller who is no person is called */
        if (strncmp(p->person[i].id, "uid.", 4) == 0)
            return rc_raise(RC_POLICY,
                            "policy.persons[%u].id: uid. is kept "
                            "for callers who are no person",
                            i);
        for (unsigned j = 0; j < i; j++)
            if (strcmp(p->person[i].id, p->person[j].id) == 0)
                return rc_raise(RC_POLICY, "policy.persons[%u].id: repeated",
                                i);
    }
    for (unsigned i = 0; i < p->n_profiles; i++)
        for (unsigned j = 0; j < i; j++)
            if (strcmp(p->profile[i].name, p->profile[j].name) == 0)
                return rc_raise(RC_POLICY, "policy.profiles[%u].name: repeated",
                                i);
    return RC_OK;
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

#define KEYS_MAX                                                               \
    (POLICY_MAX_PERSONS * POLICY_MAX_CREDENTIALS * 2 +                         \
     POLICY_MAX_NODES * (2 + POLICY_MAX_CUSTODIANS) + 1)

static void add_key(uint8_t (*all)[32], size_t *n, const uint8_t key[32])
{
    memcpy(all[(*n)++], key, 32);
}

/*
 * An Ed25519 key is itself, whether SSH or WebAuthn holds it; the longer keys
 * are their hashes. A WebAuthn credential id names one holder too.
 */
static void add_credential(uint8_t (*all)[32], size_t *n,
                           const struct policy_credential *c)
{
    uint8_t hash[32];
    struct policy_cose key;
    if (strcmp(c->kind, POLICY_WEBAUTHN) != 0) {
        add_key(all, n, c->key);
        return;
    }
    add_key(all, n, c->id);
    hash256(hash, c->cose, c->cose_len);
    bool eddsa = c->alg == POLICY_EDDSA &&
                 policy_cose_parse(&key, c->cose, c->cose_len) == RC_OK;
    add_key(all, n, eddsa ? key.x : hash);
}

static size_t gather_keys(uint8_t (*all)[32], const struct policy *p)
{
    size_t n = 0;
    for (unsigned i = 0; i < p->n_persons; i++)
        for (unsigned j = 0; j < p->person[i].n_credentials; j++)
            add_credential(all, &n, &p->person[i].credential[j]);
    for (unsigned i = 0; i < p->n_nodes; i++) {
        const struct policy_node *node = &p->node[i];
        if (!node->has_keys)
            continue;
        add_key(all, &n, node->identity);
        add_key(all, &n, node->box);
        for (unsigned j = 0; j < node->n_custodians; j++)
            add_key(all, &n, node->custodian[j]);
    }
    if (p->has_log)
        add_key(all, &n, p->log.key);
    return n;
}

/*
 * One key, one holder: a person counted twice, a node that is also a person,
 * or one custodian who can gather a whole key, all show as a repeated key.
 */
static enum rc check_keys(const struct policy *p)
{
    OWNED_MEM uint8_t *mem = malloc(KEYS_MAX * 32);
    if (!mem)
        return rc_raise(RC_NOMEM, "policy: table of keys");
    uint8_t(*all)[32] = (uint8_t(*)[32])mem;
    size_t n = gather_keys(all, p);
    qsort(all, n, 32, by_bytes);
    for (size_t i = 1; i < n; i++)
        if (memcmp(all[i - 1], all[i], 32) == 0)
            return rc_raise(RC_POLICY,
                            "policy: a key or credential id of persons, "
                            "nodes, custodians or log stands twice (it begins "
                            "%02x%02x)",
                            all[i][0], all[i][1]);
    return RC_OK;
}

static enum rc check_measurements(const struct policy *p)
{
    for (unsigned r = 0; r < POLICY__ROLES; r++)
        for (unsigned i = 0; i < p->n_measurements[r]; i++)
            for (unsigned j = 0; j < i; j++)
                if (memcmp(p->measurement[r][i], p->measurement[r][j], 32) == 0)
                    return rc_raise(RC_POLICY,
                                    "policy.measurements: a hash repeated");
    return RC_OK;
}

/* ---- machines -------------------------------------------------------------- */

static bool uri_taken(const struct policy *p, unsigned before, const char *uri)
{
    for (unsigned i = 0; i < before; i++)
        if (strcmp(p->node[i].uri, uri) == 0)
            return true;
    return false;
}

static enum rc check_nodes(const struct policy *p)
{
    for (unsigned i = 0; i < p->n_nodes; i++) {
        if (i && p->node[i].id <= p->node[i - 1].id)
            return rc_raise(RC_POLICY, "policy.nodes[%u].id: want ascending",
                            i);
        if (uri_taken(p, i, p->node[i].uri))
            return rc_raise(RC_POLICY, "policy.nodes[%u].uri: repeated", i);
    }
    if (uri_taken(p, p->n_nodes, p->service[POLICY_CA]) ||
        uri_taken(p, p->n_nodes, p->service[POLICY_LOG]) ||
        strcmp(p->service[POLICY_CA], p->service[POLICY_LOG]) == 0)
        return rc_raise(RC_POLICY, "policy.services: a URI repeated");
    return RC_OK;
}

static enum rc check_chain_fields(const struct policy *p)
{
    bool zero = sodium_is_zero(p->prev, sizeof(p->prev));
    if (zero != (p->version == 1))
        return rc_raise(RC_POLICY, "policy.prev: want zeros in version 1 and "
                                   "only there");
    return RC_OK;
}

/* ---- profiles -------------------------------------------------------------- */

bool policy_class_signs(enum policy_class class, enum policy_kind kind)
{
    static const bool allowed[3][POLICY__KINDS] = {
        [POLICY_ARTIFACT] = { [POLICY_RAW] = true,
                              [POLICY_CMS] = true,
                              [POLICY_DSSE] = true,
                              [POLICY_X509] = true, /* CSR for its own key */
                              [POLICY_OCSP] = true,
                              [POLICY_CMP] = true },
        /* never opaque bytes, nor what others would wrap in a signature */
        [POLICY_ISSUER] = { [POLICY_X509] = true,
                            [POLICY_OCSP] = true,
                            [POLICY_CMP] = true },
        [POLICY_TLS] = { [POLICY_X509] = true, /* for its own key */
                         [POLICY_CMP] = true,
                         [POLICY_TLS12] = true,
                         [POLICY_TLS13] = true },
    };
    return allowed[class][kind];
}

static enum rc check_kinds(const struct policy_profile *f, unsigned i)
{
    bool quorum = policy_has_quorum(f);
    for (unsigned k = 0; k < POLICY__KINDS; k++)
        if (f->kinds[k] && !policy_class_signs(f->class, (enum policy_kind)k))
            return rc_raise(RC_POLICY,
                            "policy.profiles[%u].kinds: class %s never signs "
                            "%s",
                            i, policy_class_name(f->class),
                            policy_kind_name((enum policy_kind)k));
    /* nobody can approve a handshake, or a request for a certificate */
    if (quorum && f->class == POLICY_TLS)
        return rc_raise(RC_POLICY,
                        "policy.profiles[%u].required: class tls "
                        "signs without a quorum",
                        i);
    if (quorum && f->class != POLICY_ISSUER && f->kinds[POLICY_X509])
        return rc_raise(RC_POLICY,
                        "policy.profiles[%u].kinds: x509 (a CSR) "
                        "goes only without a quorum",
                        i);
    /* "its own key" is judged by the key the session names */
    if (f->ephemeral && f->class != POLICY_ISSUER && f->kinds[POLICY_X509])
        return rc_raise(RC_POLICY,
                        "policy.profiles[%u].kinds: x509 wants a "
                        "persistent key",
                        i);
    return RC_OK;
}

static enum rc check_holders(const struct policy *p,
                             const struct policy_profile *f, unsigned i)
{
    if (f->threshold < 2 || f->threshold > f->n_nodes)
        return rc_raise(RC_POLICY,
                        "policy.profiles[%u].threshold: %u of %u nodes, want "
                        "2 to the number of nodes",
                        i, f->threshold, f->n_nodes);
    for (unsigned k = 0; k < f->n_nodes; k++)
        if (!policy_node_find(p, f->nodes[k]))
            return rc_raise(RC_POLICY,
                            "policy.profiles[%u].nodes: no node %u in nodes", i,
                            f->nodes[k]);
    if (f->threshold > f->n_signers)
        return rc_raise(RC_POLICY,
                        "policy.profiles[%u].threshold: %u, but only %u of "
                        "its nodes are not leaving",
                        i, f->threshold, f->n_signers);
    return RC_OK;
}

static enum rc check_profile(const struct policy *p, unsigned i)
{
    const struct policy_profile *f = &p->profile[i];
    TRY(check_holders(p, f, i));
    TRY(check_kinds(f, i));
    TRY(policy_check_quorum(p, i));
    TRY(policy_check_break_glass(p, i));
    if (f->class == POLICY_ISSUER && f->ephemeral)
        return rc_raise(RC_POLICY,
                        "policy.profiles[%u].lifetime: an issuer's "
                        "key is persistent",
                        i);
    if (f->class == POLICY_ISSUER && f->has_certificate)
        return rc_raise(RC_POLICY,
                        "policy.profiles[%u].certificate: an "
                        "issuer's key never calls the CA",
                        i);
    return RC_OK;
}

static enum rc check_page_origins(const struct policy *p)
{
    for (unsigned i = 0; i < p->n_page_origins; i++)
        for (unsigned j = 0; j < i; j++)
            if (strcmp(p->page_origin[i], p->page_origin[j]) == 0)
                return rc_raise(RC_POLICY, "policy.page_origins[%u]: repeated",
                                i);
    return RC_OK;
}

enum rc policy_check(const struct policy *p)
{
    TRY(check_chain_fields(p));
    TRY(check_names(p));
    TRY(check_nodes(p));
    TRY(check_measurements(p));
    TRY(check_keys(p));
    TRY(check_page_origins(p));
    TRY(policy_check_steward_rule(p));
    for (unsigned i = 0; i < p->n_profiles; i++)
        TRY(check_profile(p, i));
    return RC_OK;
}
