/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signature itself, the file it is of, the session that allowed it and
 * the intent that was logged before any share was made.
 */
#include "cli/verify.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/hash.h"

/* ---- the file ----------------------------------------------------------- */

static void check_signature(struct verify *v)
{
    bool ok = crypto_sign_verify_detached(v->bundle.signature, v->msg,
                                          v->msg_len, v->bundle.group_key) == 0;
    char hex[65];
    verify_mark(v, "signature", ok, "%s by group key %s",
                ok ? "Ed25519 over the file" : "does not verify over the file",
                enc_hex(hex, v->bundle.group_key, 32));
}

static void check_kind(struct verify *v)
{
    enum policy_kind kind;
    enum rc rc = policy_classify(&kind, v->msg, v->msg_len);
    if (rc == RC_OK && strcmp(policy_kind_name(kind), v->bundle.kind) != 0)
        rc = rc_raise(RC_VERIFY, "the file is %s, the bundle says %s",
                      policy_kind_name(kind), v->bundle.kind);
    verify_mark_rc(v, "kind", rc, "%s", v->bundle.kind);
}

/* Which digests bind the file depends on what it is: raw, SignedAttributes,
 * DSSE; policy/ knows. */
static void check_artifact(struct verify *v)
{
    const struct policy_session *s = &v->session;
    const struct policy_profile *f = NULL;
    enum policy_kind kind;
    char hex[65];
    if (!s->has_artifact) {
        verify_mark(v, "artifact", true,
                    "no artifact bound: whoever could "
                    "call a sidecar chose the file");
        return;
    }
    if (v->under && s->has_profile)
        f = policy_profile_find(v->under, s->profile);
    enum rc rc = f ? policy_payload_check(&kind, f, s, v->msg, v->msg_len)
                   : rc_raise(RC_POLICY, "profile not in the policy given");
    verify_mark_rc(v, "artifact", rc,
                   "the session is for this: %s, %llu bytes, "
                   "sha256 %s",
                   s->artifact_name, (unsigned long long)s->artifact_size,
                   enc_hex(hex, s->artifact_sha256, 32));
}

/* ---- the intent --------------------------------------------------------- */

static void check_commitment(struct verify *v)
{
    uint8_t got[32];
    tlog_commitment(got, v->session.nonce, v->msg, v->msg_len);
    bool ok = memcmp(got, v->intent.commitment, 32) == 0;
    verify_mark(v, "commitment", ok, "%s",
                ok ? "opens to the session's nonce and this file"
                   : "does not open to the session's nonce and this file");
}

/* The bundle names whose key it is; a session may use another's (key_of). */
static bool is_key_of_session(const struct verify *v)
{
    const struct policy_profile *f = NULL;
    if (v->under && v->session.has_profile)
        f = policy_profile_find(v->under, v->session.profile);
    if (f)
        f = policy_profile_key(v->under, f);
    return strcmp(f ? f->name : v->session.profile, v->bundle.profile) == 0;
}

static const char *intent_differs(const struct verify *v)
{
    enum policy_kind kind;
    const struct tlog_intent *i = &v->intent;
    return memcmp(i->session, v->session.id, 32) != 0 ? "session"
           : memcmp(i->key, v->key_id, 32) != 0       ? "key"
           : v->session.has_key && memcmp(v->session.key, i->key, 32) != 0
                   ? "key of the session"
           : strcmp(i->slot, v->bundle.kind) != 0          ? "slot"
           : policy_kind_parse(&kind, i->slot) != RC_OK    ? "slot"
           : !v->session.slot[kind]                        ? "slot"
           : memcmp(i->policy, v->bundle.policy, 32) != 0  ? "policy"
           : memcmp(i->policy, v->session.policy, 32) != 0 ? "policy"
           : !v->session.has_profile                       ? "profile"
           : !is_key_of_session(v)                         ? "profile"
           : i->birth != v->bundle.birth.proof.index       ? "birth"
                                                           : NULL;
}

static void check_intent(struct verify *v)
{
    const char *differs = intent_differs(v);
    char hex[65];
    enc_hex(hex, v->session.id, 32);
    if (differs)
        verify_mark(v, "intent", false, "%s: intent, session and bundle differ",
                    differs);
    else
        verify_mark(v, "intent", true,
                    "session %s, slot %s, attempt %llu, epoch %llu, profile %s",
                    hex, v->intent.slot, (unsigned long long)v->intent.attempt,
                    (unsigned long long)v->intent.epoch, v->session.profile);
}

static void check_policy(struct verify *v)
{
    char hex[65];
    v->under = verify_policy(v, v->intent.policy);
    enc_hex(hex, v->intent.policy, 32);
    if (!v->under)
        verify_mark(v, "policy", false,
                    "judged under policy %s, which is none of the files given",
                    hex);
    else
        verify_mark(v, "policy", true, "judged under version %llu%s, %s",
                    (unsigned long long)v->under->version,
                    v->under == v->newest ? "" : ", an earlier one", hex);
}

static void check_log(struct verify *v)
{
    if (!v->newest->has_log) {
        verify_mark(v, "log", false, "the policy names no log");
        return;
    }
    enum rc rc = tlog_proof_check(&v->intent_proof, &v->newest->log, &v->head);
    verify_mark_rc(v, "log", rc, "index %llu of %llu in %s",
                   (unsigned long long)v->intent_proof.index,
                   (unsigned long long)v->head.size, v->newest->log.name);
}

/* ---- the session -------------------------------------------------------- */

static void check_session(struct verify *v)
{
    const struct wire_session *w = &v->bundle.session;
    struct tlog_blob approvals[POLICY_MAX_APPROVALS];
    struct tlog_blob requester = { w->requester.p, w->requester.len };
    struct policy_approved by = { 0 };
    unsigned n = 0;
    enum rc rc = v->under ? cli_blobs(approvals, &n, w->approvals.at,
                                      w->approvals.n)
                          : rc_raise(RC_POLICY, "no policy to judge it under");
    if (rc == RC_OK)
        rc = policy_judge(&by, v->under, v->genesis, &v->session,
                          requester.len ? &requester : NULL, approvals, n,
                          POLICY_AT_ITS_TIME);
    if (rc == RC_OK && memcmp(by.root, v->intent.approvals, 32) != 0)
        rc = rc_raise(RC_VERIFY, "the intent counted other approvals");
    verify_mark_rc(v, "approvals", rc,
                   "%s session requested by %s: %u engineers and %u stewards "
                   "approved%s",
                   policy_session_type_name(v->session.type),
                   v->session.requester, by.engineers, by.stewards,
                   by.engineers || by.stewards ? "" : " (none needed)");
}

/* Version 2's prev is genesis; without either, the session's word for it. */
static void find_genesis(struct verify *v)
{
    const struct policy *oldest = v->policy[0];
    if (oldest->version <= 2)
        memcpy(v->genesis, oldest->version == 1 ? oldest->sha256 : oldest->prev,
               32);
    else
        memcpy(v->genesis, v->session.cluster, 32);
    bool ok = memcmp(v->genesis, v->session.cluster, 32) == 0;
    char hex[65];
    enc_hex(hex, v->session.cluster, 32);
    verify_mark(v, "cluster", ok, "%s%s", hex,
                !ok                   ? ": not the policy's cluster"
                : oldest->version > 2 ? " by the session's word: give policy "
                                        "version 1 or 2 to compare"
                                      : "");
}

enum rc verify_bundle(struct verify *v)
{
    struct wire_bundle *b = &v->bundle;
    if (b->v != 1)
        return rc_raise(RC_PARSE, "bundle: version %llu, want 1",
                        (unsigned long long)b->v);
    hash256(v->key_id, b->group_key, 32);
    TRY(policy_session_parse(&v->session, b->session.descriptor.p,
                             b->session.descriptor.len));
    TRY(cli_proof(&v->intent_proof, &b->intent));
    TRY(tlog_intent_decode(&v->intent, v->intent_proof.entry,
                           v->intent_proof.entry_len));
    verify_mark(v, "bundle", true, "version 1, profile %s", b->profile);
    check_signature(v);
    check_kind(v);
    check_policy(v);
    find_genesis(v);
    check_artifact(v);
    check_commitment(v);
    check_intent(v);
    check_session(v);
    check_log(v);
    return RC_OK;
}
