/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session of one file: given, opened where the policy asks for nobody, or
 * requested from those who must approve.
 */
#include "cli/sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/file.h"
#include "base/hash.h"
#include "cli/policy.h"

#define OWN_TTL_S 120 /* it is used at once */

/* ---- what is signed ------------------------------------------------------ */

/* Whole where its bytes are what is signed; else a pass over it. */
static enum rc read_content(struct sign *g, uint64_t max)
{
    struct cli_content c = { 0 };
    size_t len;
    if (!g->want[POLICY_RAW])
        return cli_content_read(&g->content, g->file, false);
    enum rc rc = file_read(&c.bytes, &len, g->file, (size_t)max);
    if (rc == RC_TOO_LARGE) {
        rc = rc_raise(RC_TOO_LARGE,
                      "%s: over %llu bytes, more than %s signs plainly",
                      g->file, (unsigned long long)max, g->profile);
        rc_hint("--cms and --sigstore, without -s, take files of any size");
    }
    TRY(rc);
    c.size = len;
    hash256(c.sha256, c.bytes, len);
    hash512(c.sha512, c.bytes, len);
    g->content = c;
    return RC_OK;
}

/* Before persons are asked for what nobody may sign. */
static enum rc check_kinds(const struct sign *g, const struct policy_profile *p)
{
    for (unsigned k = 0; k < POLICY__KINDS; k++)
        if (g->want[k] && !p->kinds[k])
            return rc_raise(RC_POLICY, "profile %s: signs no %s", p->name,
                            policy_kind_name(k));
    return RC_OK;
}

enum rc sign_read(struct sign *g)
{
    TRY(sign_out_check(g));
    TRY(cli_policy_newest(&g->policy));
    const struct policy_profile *p = policy_profile_find(g->policy, g->profile);
    if (!p) {
        enum rc rc = rc_raise(RC_UNKNOWN, "profile %.64s: the policy has none",
                              g->profile);
        rc_hint("mpcsign key list shows the keys there are");
        return rc;
    }
    struct cli_cluster cluster;
    TRY(cli_cluster_ask(&cluster, NULL));
    g->simulated = cluster.simulated;
    g->ephemeral = p->ephemeral;
    TRY(check_kinds(g, p));
    return read_content(g, p->max_message < WIRE_MESSAGE_MAX
                                   ? p->max_message
                                   : WIRE_MESSAGE_MAX);
}

static void put_slots(char out[64], const struct sign *g)
{
    size_t at = 0;
    out[0] = '\0';
    for (unsigned k = 0; k < POLICY__KINDS; k++)
        if (g->want[k])
            at += (size_t)snprintf(out + at, 64 - at, "%s%s", at ? "," : "",
                                   policy_kind_name(k));
}

/* ---- a given one --------------------------------------------------------- */

static enum rc check_slots(const struct sign *g, const struct policy_session *s)
{
    char slots[64];
    put_slots(slots, g);
    for (unsigned k = 0; k < POLICY__KINDS; k++) {
        if (!g->want[k] || s->slot[k])
            continue;
        enum rc rc = rc_raise(RC_ARG, "session %.8s: it has no slot %s", g->id,
                              policy_kind_name(k));
        rc_hint("mpcsign request %s --profile %s --slots %s", g->file,
                g->profile, slots);
        return rc;
    }
    return RC_OK;
}

static enum rc check_artifact(const struct sign *g,
                              const struct policy_session *s)
{
    char want[65];
    char have[65];
    if (!s->has_artifact ||
        (memcmp(s->artifact_sha256, g->content.sha256, 32) == 0 &&
         memcmp(s->artifact_sha512, g->content.sha512, 64) == 0))
        return RC_OK;
    enum rc rc = rc_raise(
            RC_POLICY, "%s: not what session %.8s is for: sha256 %s, want %s",
            g->file, g->id, enc_hex(have, g->content.sha256, 32),
            enc_hex(want, s->artifact_sha256, 32));
    rc_hint("is it the right file? mpcsign status %.8s shows what was asked",
            g->id);
    return rc;
}

static enum rc use_given(struct sign *g)
{
    struct policy_session s;
    snprintf(g->id, sizeof(g->id), "%.64s", g->given);
    TRY(cli_ask_session(&s, g->given));
    if (s.type != POLICY_S_SIGN || strcmp(s.profile, g->profile) != 0) {
        enum rc rc = rc_raise(RC_ARG, "session %.8s: for %s %s, not for %s",
                              g->id, policy_session_type_name(s.type),
                              s.profile, g->profile);
        rc_hint("--profile %s", s.profile);
        return rc;
    }
    TRY(check_slots(g, &s));
    TRY(check_artifact(g, &s));
    if (s.expires <= clock_now_s()) {
        enum rc rc = rc_raise(RC_EXPIRED, "session %.8s: its time has passed",
                              g->id);
        rc_hint("request a new session: mpcsign request");
        return rc;
    }
    g->session = s;
    return RC_OK;
}

/* ---- one of our own ------------------------------------------------------ */

static struct request request_of(const struct sign *g, const char *slots)
{
    struct request r = g->ask;
    r.file = g->file;
    r.content = &g->content;
    r.profile = g->profile;
    r.slots = slots;
    return r;
}

static enum rc open_own(struct sign *g)
{
    const struct policy_profile *p = policy_profile_find(g->policy, g->profile);
    char slots[64];
    char ttl[24];
    put_slots(slots, g);
    struct request r = request_of(g, slots);
    snprintf(ttl, sizeof(ttl), "%lld",
             (long long)(p->max_ttl_s < OWN_TTL_S ? p->max_ttl_s : OWN_TTL_S));
    r.ttl = ttl; /* --ttl is for those who approve */
    TRY(request_open(&g->session, &r));
    enc_hex(g->id, g->session.id, 32);
    g->opened = true;
    return RC_OK;
}

static enum rc nobody_approved(const struct policy_profile *p)
{
    enum rc rc = rc_raise(RC_NOT_APPROVED,
                          "key %s: needs approval by %u engineers and %u "
                          "stewards, and no session is named",
                          p->name, p->engineers, p->stewards);
    rc_hint("export MPC_SESSION=$(mpcsign request FILE --profile %s --wait)",
            p->name);
    return rc;
}

enum rc sign_session(struct sign *g)
{
    const struct policy_profile *p = policy_profile_find(g->policy, g->profile);
    if (g->given)
        return use_given(g);
    if (p->engineers || p->stewards)
        return nobody_approved(p);
    return open_own(g);
}

/* ---- one that persons approve -------------------------------------------- */

enum rc sign_approved(struct sign *g)
{
    char slots[64];
    put_slots(slots, g);
    struct request r = request_of(g, slots);
    struct wait w = { .id = g->id };
    if (g->timeout)
        TRY(cli_number(&w.timeout_s, "--timeout", g->timeout, 1,
                       POLICY_SESSION_MAX_S));
    TRY(request_make(&g->session, &r));
    enc_hex(g->id, g->session.id, 32);
    g->opened = false;
    cli_note("%s wants approvals, asked for them: session %s", g->profile,
             g->id);
    TRY(request_show(&g->session, &r));
    return wait_for(&w);
}
