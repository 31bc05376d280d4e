/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signature itself, the file it is of, the policy and the session that
 * allowed it, and whether the intent was about just this.
 */
#include "cli/verify_inner.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/hash.h"

/* ---- the file ----------------------------------------------------------- */

/* Kinds whose signed bytes only name the artifact. */
static bool has_message(const struct wire_bundle *b)
{
    return strcmp(b->kind, "cms") == 0 || strcmp(b->kind, "dsse") == 0;
}

static void find_message(struct verify *v)
{
    const struct wire_bundle *b = &v->bundle;
    bool own = has_message(b);
    v->msg = own ? b->message.p : v->content.bytes;
    v->msg_len = own ? b->message.len : (size_t)v->content.size;
    if (!v->msg)
        v->msg = (const uint8_t *)"";
}

static void check_signature(struct verify *v)
{
    char hex[65];
    enc_hex(hex, v->bundle.group_key, 32);
    if (crypto_sign_verify_detached(v->bundle.signature, v->msg, v->msg_len,
                                    v->bundle.group_key) == 0)
        verify_pass(v, "signature", "Ed25519 by group key %s", hex);
    else
        verify_fail(v, "signature",
                    "an Ed25519 signature over the signed bytes",
                    "none by group key %s", hex);
}

static void check_kind(struct verify *v)
{
    enum policy_kind kind;
    const struct wire_bundle *b = &v->bundle;
    enum rc rc = policy_classify(&kind, v->msg, v->msg_len);
    if (rc == RC_OK && strcmp(policy_kind_name(kind), b->kind) != 0)
        rc = rc_raise(RC_VERIFY, "the signed bytes are %s, the bundle says %s",
                      policy_kind_name(kind), b->kind);
    if (rc == RC_OK && has_message(b) != (b->message.len > 0))
        rc = rc_raise(RC_VERIFY, "message: of %zu bytes in a bundle of kind %s",
                      b->message.len, b->kind);
    verify_mark(v, "kind", rc,
                "the kind of the signed bytes, which stand in the bundle where "
                "they are not the file",
                "%s%s", b->kind,
                has_message(b) ? ": the signed bytes name the file" : "");
}

/* As if the session were for exactly this file: do the bytes name it? */
static enum rc check_names_file(const struct verify *v)
{
    struct policy_session s = v->session;
    enum policy_kind kind;
    if (has_message(&v->bundle) || strcmp(v->bundle.kind, "raw") == 0) {
        s.has_artifact = true;
        s.artifact_size = v->content.size;
        memcpy(s.artifact_sha256, v->content.sha256, 32);
        memcpy(s.artifact_sha512, v->content.sha512, 64);
    }
    return policy_payload_check(&kind, v->profile, &s, v->msg, v->msg_len);
}

static enum rc check_is_artifact(const struct verify *v)
{
    const struct policy_session *s = &v->session;
    if (v->content.size != s->artifact_size ||
        memcmp(v->content.sha256, s->artifact_sha256, 32) != 0 ||
        memcmp(v->content.sha512, s->artifact_sha512, 64) != 0)
        return rc_raise(RC_VERIFY, "the file has %llu bytes and other digests",
                        (unsigned long long)v->content.size);
    return RC_OK;
}

/* Which digests bind the file depends on what it is: raw, SignedAttributes,
 * DSSE; policy/ knows. */
static void check_artifact(struct verify *v)
{
    const struct policy_session *s = &v->session;
    char hex[65];
    char want[512];
    enc_hex(hex, s->has_artifact ? s->artifact_sha256 : v->content.sha256, 32);
    snprintf(want, sizeof(want),
             "the file that the session is for: %s, sha256 %s",
             s->has_artifact ? s->artifact_name : "(none)", hex);
    enum rc rc = v->profile
                         ? check_names_file(v)
                         : rc_raise(RC_POLICY,
                                    "its profile is not in the policy given");
    bool issuing = !has_message(&v->bundle) &&
                   strcmp(v->bundle.kind, "raw") != 0; /* the bytes, judged */
    if (rc == RC_OK && s->has_artifact && !issuing)
        rc = check_is_artifact(v);
    if (rc == RC_OK && !s->has_artifact)
        verify_pass(v, "artifact",
                    "binds no artifact: whoever could call a sidecar chose "
                    "this file, sha256 %s",
                    hex);
    else
        verify_mark(v, "artifact", rc,
                    s->has_artifact ? want : "bytes that sign this file",
                    "the session is for this: %s, %llu bytes, sha256 %s",
                    s->artifact_name, (unsigned long long)s->artifact_size,
                    hex);
}

/* ---- the intent --------------------------------------------------------- */

static void check_commitment(struct verify *v)
{
    uint8_t got[32];
    tlog_commitment(got, v->session.nonce, v->msg, v->msg_len);
    if (memcmp(got, v->intent.commitment, 32) == 0)
        verify_pass(v, "commitment",
                    "opens to the session's nonce and the "
                    "signed bytes");
    else
        verify_fail(v, "commitment",
                    "the intent's commitment to the signed bytes",
                    "does not open to the session's nonce and these bytes");
}

/* The bundle names whose key it is; a session may use another's (key_of). */
static bool is_key_of_session(const struct verify *v)
{
    return strcmp(v->key_of ? v->key_of->name : v->session.profile,
                  v->bundle.profile) == 0;
}

static bool is_slot(const struct verify *v)
{
    enum policy_kind kind;
    return strcmp(v->intent.slot, v->bundle.kind) == 0 &&
           policy_kind_parse(&kind, v->intent.slot) == RC_OK &&
           v->session.slot[kind];
}

static const char *intent_differs(const struct verify *v)
{
    const struct tlog_intent *i = &v->intent;
    return memcmp(i->session, v->session.id, 32) != 0 ? "session"
           : memcmp(i->key, v->key_id, 32) != 0       ? "key"
           : v->session.has_key && memcmp(v->session.key, i->key, 32) != 0
                   ? "key of the session"
           : !is_slot(v)                                   ? "slot"
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
        verify_fail(v, "intent",
                    "one session, key, slot, policy and birth in intent, "
                    "session and bundle",
                    "%s: they differ", differs);
    else
        verify_pass(v, "intent",
                    "session %s, slot %s, attempt %llu, epoch %llu, profile %s",
                    hex, v->intent.slot, (unsigned long long)v->intent.attempt,
                    (unsigned long long)v->intent.epoch, v->session.profile);
}

/* ---- policy --------------------------------------------------------------- */

static void check_policy(struct verify *v)
{
    char hex[65];
    v->under = verify_policy(v, v->intent.policy);
    enc_hex(hex, v->intent.policy, 32);
    if (!v->under) {
        verify_fail(v, "policy", "a policy version that the reader trusts",
                    "judged under policy %s, which is none of the files given",
                    hex);
        return;
    }
    if (v->session.has_profile)
        v->profile = policy_profile_find(v->under, v->session.profile);
    if (v->profile)
        v->key_of = policy_profile_key(v->under, v->profile);
    verify_pass(v, "policy", "judged under version %llu%s, %s",
                (unsigned long long)v->under->version,
                v->under == v->newest ? "" : ", an earlier one", hex);
}

/* Version 2's prev is genesis; without either, the session's word for it. */
static void find_genesis(struct verify *v)
{
    const struct policy *oldest = v->trust->at[0];
    if (oldest->version <= 2)
        memcpy(v->genesis, oldest->version == 1 ? oldest->sha256 : oldest->prev,
               32);
    else
        memcpy(v->genesis, v->session.cluster, 32);
    char want[65];
    char got[65];
    enc_hex(want, v->genesis, 32);
    enc_hex(got, v->session.cluster, 32);
    if (memcmp(v->genesis, v->session.cluster, 32) != 0)
        verify_fail(v, "cluster", want, "%s: not the policy's cluster", got);
    else
        verify_pass(v, "cluster", "%s%s", got,
                    oldest->version > 2
                            ? " by the session's word: give policy version 1 "
                              "or 2 to compare"
                            : "");
}

/* ---- the session -------------------------------------------------------- */

static void check_session(struct verify *v)
{
    const struct wire_session *w = &v->bundle.session;
    const struct verify_records r = { .p = v->under,
                                      .s = &v->session,
                                      .requester = &w->requester,
                                      .at = w->approvals.at,
                                      .n = w->approvals.n,
                                      .root = v->intent.approvals };
    struct policy_approved by = { 0 };
    enum rc rc = v->under ? verify_records(&by, v, &r)
                          : rc_raise(RC_POLICY, "no policy to judge it under");
    if (rc == RC_OK && v->session.type != POLICY_S_SIGN &&
        v->session.type != POLICY_S_ROOT)
        rc = rc_raise(RC_POLICY, "a session of type %s signs nothing",
                      policy_session_type_name(v->session.type));
    verify_mark(v, "approvals", rc,
                "the approvals that the intent counted, valid and enough",
                "%s session requested by %s: %u engineers and %u stewards "
                "approved%s",
                policy_session_type_name(v->session.type), v->session.requester,
                by.engineers, by.stewards,
                by.engineers || by.stewards ? "" : " (none needed)");
    if (rc == RC_OK)
        verify_fact(v, "approvals", verify_people(&r));
}

enum rc verify_bundle(struct verify *v)
{
    struct wire_bundle *b = &v->bundle;
    if (b->v != WIRE_BUNDLE_V)
        return rc_raise(RC_PARSE, "bundle.v: %llu, want %d",
                        (unsigned long long)b->v, WIRE_BUNDLE_V);
    hash256(v->key_id, b->group_key, 32);
    TRY(policy_session_parse(&v->session, b->session.descriptor.p,
                             b->session.descriptor.len));
    TRY(cli_proof(&v->intent_proof, &b->intent));
    TRY(tlog_intent_decode(&v->intent, v->intent_proof.entry,
                           v->intent_proof.entry_len));
    verify_pass(v, "bundle", "version %d, profile %s", WIRE_BUNDLE_V,
                b->profile);
    find_message(v);
    check_signature(v);
    check_kind(v);
    check_policy(v);
    find_genesis(v);
    check_artifact(v);
    check_commitment(v);
    check_intent(v);
    check_session(v);
    return RC_OK;
}
