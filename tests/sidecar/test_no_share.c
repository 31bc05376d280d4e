/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No share without a logged intent: what a signer must refuse, one test each,
 * through the whole sidecar. tests/vault/test_sign.c asks the same of the
 * vault alone.
 */
#include "test.h"

#include "forge.h"
#include "story.h"
#include "witness.h"

#include <sodium.h>

#include "base/clock.h"

static const char *const release[] = { "release", NULL };

static struct forge f;

static struct sim *caught(void)
{
    struct sim *s = cluster(release);
    forge_catch(&f, s);
    return s;
}

static void freed(struct sim *s)
{
    forge_free(&f);
    done(s);
}

/* Refused with this code, and not one share more is out. */
static void refused(forge_change *before, forge_change *after, enum rc want)
{
    unsigned shares = f.s->n_shares;
    enum rc rc = forge_ask(&f, 2, before, after);
    if (rc != want)
        fail_msg("%s (%s), want %s", rc_slug(rc), rc_text(), rc_slug(want));
    assert_int_equal(f.s->n_shares, shares);
}

/* Nothing was lost by refusing: the same attempt, honest, is signed. */
static void and_then_signs(void)
{
    assert_rc(forge_ask(&f, 2, forge_nothing, forge_nothing), RC_OK);
}

/* ---- no proof ----------------------------------------------------------------- */

static void without_path(struct forge *g)
{
    assert_true(g->item->intent.path.n > 0);
    g->item->intent.path.n = 0;
}
static void without_checkpoint(struct forge *g)
{
    assert_ok(wire_text_set(&g->item->intent.checkpoint, "", 0));
}
static void without_entry(struct forge *g)
{
    assert_ok(wire_text_set(&g->item->intent.entry, "", 0));
}
static void never_logged(struct forge *g)
{
    char entry[TLOG_ENTRY_MAX + 1];
    size_t len;
    g->in.expires += 1; /* true in all it says, but not in the log */
    assert_ok(tlog_intent_encode(entry, &len, &g->in));
    assert_ok(wire_text_set(&g->item->intent.entry, entry, len));
}

static void no_share_without_a_proof(void **state)
{
    (void)state;
    struct sim *s = caught();
    refused(forge_nothing, without_path, RC_LOG);
    refused(forge_nothing, never_logged, RC_LOG);
    refused(forge_nothing, without_entry, RC_PARSE);
    enum rc rc = forge_ask(&f, 2, forge_nothing, without_checkpoint);
    assert_true(rc == RC_PARSE || rc == RC_LOG);
    and_then_signs();
    freed(s);
}

/* ---- proof of another message ----------------------------------------------------- */

/* The log holds and proves an intent, for a message that is not this one. */
static void anothers_commitment(struct forge *g)
{
    memset(g->in.commitment, 0x5a, 32);
}
/* The proof of what was signed before, under this attempt's number. */
static void anothers_proof(struct forge *g)
{
    const struct wire_proof *old = &g->caught.items.at[0].intent;
    assert_ok(wire_text_set(&g->item->intent.entry, old->entry.p,
                            old->entry.len));
    g->item->intent.index = old->index;
}
static void other_bytes(struct forge *g)
{
    g->msg[3] ^= 1;
}

static void no_share_for_a_proof_of_another_message(void **state)
{
    (void)state;
    struct sim *s = caught();
    refused(anothers_commitment, forge_nothing, RC_LOG);
    refused(forge_nothing, anothers_proof, RC_POLICY); /* attempt 1's */
    refused(forge_nothing, other_bytes, RC_POLICY);    /* not the artifact */
    and_then_signs();
    freed(s);
}

/* ---- a foreign log ------------------------------------------------------------------ */

/* A log of one entry, this intent, under the name of ours. */
static void one_entry_log(struct forge *g, const uint8_t sk[64],
                          const char *origin)
{
    struct tlog_checkpoint cp = { .size = 1 };
    struct tlog_vkey v;
    char note[TLOG_NOTE_MAX];
    assert_ok(tlog_vkey_make(&v, origin, TLOG_SIG_ED25519, sk + 32));
    snprintf(cp.origin, sizeof(cp.origin), "%s", origin);
    tlog_leaf_hash(&cp.root, g->item->intent.entry.p,
                   g->item->intent.entry.len);
    assert_ok(tlog_checkpoint_sign(note, sizeof(note), &cp, &v, sk));
    assert_ok(wire_text_set(&g->item->intent.checkpoint, note, strlen(note)));
    g->item->intent.index = 0;
    g->item->intent.path.n = 0;
    g->item->growth.from = g->item->growth.to = g->item->growth.path.n = 0;
}
static void of_a_strangers_key(struct forge *g)
{
    uint8_t pk[32], sk[64];
    crypto_sign_seed_keypair(pk, sk, (const uint8_t[32]){ 0x66 });
    one_entry_log(g, sk, "dev/log");
}
static void of_another_name(struct forge *g)
{
    one_entry_log(g, g->s->log_sk, "prod/log");
}
static void of_our_log(struct forge *g)
{
    one_entry_log(g, g->s->log_sk, "dev/log");
}

static void no_share_under_a_foreign_log(void **state)
{
    (void)state;
    struct sim *s = caught();
    refused(forge_nothing, of_a_strangers_key, RC_LOG);
    refused(forge_nothing, of_another_name, RC_LOG);
    /* by our log's key the proof is whole: only its history is wrong then */
    refused(forge_nothing, of_our_log, RC_HEAD_BEHIND);
    and_then_signs();
    freed(s);
}

/* ---- an expired intent ---------------------------------------------------------------- */

static void just_expired(struct forge *g)
{
    g->in.expires = clock_now_s() - 1;
}
static void good_for_an_hour(struct forge *g)
{
    g->in.expires = clock_now_s() + 3600;
}

static void no_share_for_an_expired_intent(void **state)
{
    (void)state;
    struct sim *s = caught();
    refused(just_expired, forge_nothing, RC_EXPIRED);
    refused(good_for_an_hour, forge_nothing, RC_EXPIRED);
    /* one that was fresh when it was caught is so no more */
    sim_run(s, 130 * 1000);
    forge_copy(&f);
    unsigned shares = s->n_shares;
    assert_rc(forge_send(&f), RC_EXPIRED);
    assert_int_equal(s->n_shares, shares);
    and_then_signs();
    freed(s);
}

/* ---- a fork ------------------------------------------------------------------------------ */

static void no_share_under_a_forked_log(void **state)
{
    (void)state;
    struct sim *s = caught();
    char body[TLOG_ADD_CHECKPOINT_MAX];
    sim_log_fork(s, 1); /* whoever leads shows the other history */
    grow(s, 1);
    request(s, body, told(s, 2));
    assert_int_equal(add(s, 2, body), 200);
    refused(forge_nothing, forge_nothing, RC_LOG);
    /* the signer asks the log it knows, and from then on it is certain */
    grow(s, 8);
    sim_run(s, 3000);
    assert_int_equal(s->node[2].forks, 1);
    /* not even what it has signed before is answered again */
    unsigned shares = s->n_shares;
    forge_copy(&f);
    assert_rc(forge_send(&f), RC_LOG);
    assert_int_equal(s->n_shares, shares);
    freed(s);
}

/* ---- a shrunken log ------------------------------------------------------------------------ */

static void no_share_under_a_shrunken_log(void **state)
{
    (void)state;
    struct sim *s = caught();
    struct sim_log whole;
    char body[TLOG_ADD_CHECKPOINT_MAX];
    grow(s, 20);
    request(s, body, told(s, 2));
    assert_int_equal(add(s, 2, body), 200);
    sim_log_shrink(s, &whole, s->log.n - 10);
    refused(forge_nothing, forge_nothing, RC_HEAD_BEHIND);
    sim_log_back(s, &whole);
    and_then_signs();
    freed(s);
}

/* After this proof was made the log grew, and a peer shows that it did. */
static void a_peer_has_seen_more(struct forge *g)
{
    WIRE(head) m = { 0 };
    OWNED_MEM char *json = NULL;
    OWNED_MEM char *reply = NULL;
    char note[TLOG_NOTE_MAX];
    struct tlog_checkpoint cp;
    size_t len;
    grow(g->s, 3);
    newest(g->s, note, &cp);
    assert_ok(wire_text_set(&m.head, note, strlen(note)));
    assert_ok(wire_head_encode(&json, &len, &m));
    assert_ok(node_on_peer(g->s->node[2].node, 1, "/v1/head", (uint8_t *)json,
                           len, &reply, &len));
}

static void no_share_under_less_than_a_peer_has_seen(void **state)
{
    (void)state;
    struct sim *s = caught();
    refused(forge_nothing, a_peer_has_seen_more, RC_HEAD_BEHIND);
    and_then_signs();
    freed(s);
}

/* ---- a replayed attempt ----------------------------------------------------------------------- */

static void no_share_for_a_replayed_attempt(void **state)
{
    (void)state;
    struct sim *s = caught();
    /* another request under attempt 1, which was used */
    unsigned shares = s->n_shares;
    assert_rc(forge_ask(&f, 1, forge_nothing, forge_nothing), RC_CONFLICT);
    assert_int_equal(s->n_shares, shares);
    /* the very same request: the very same share, not a second one */
    uint8_t first[32];
    forge_copy(&f);
    assert_rc(forge_send(&f), RC_OK);
    memcpy(first, f.share, 32);
    forge_copy(&f);
    assert_rc(forge_send(&f), RC_OK);
    assert_memory_equal(f.share, first, 32);
    /* which the signer's vault takes with it when it ends */
    sim_crash(s, 2);
    sim_start(s, 2);
    sim_run(s, 100);
    forge_copy(&f);
    assert_rc(forge_send(&f), RC_UNKNOWN);
    assert_rc(forge_ask(&f, 1, forge_nothing, forge_nothing), RC_CONFLICT);
    /* nor more attempts than there are */
    assert_rc(forge_ask(&f, 6, forge_nothing, forge_nothing), RC_SLOT_BURNT);
    and_then_signs();
    freed(s);
}

#define T(name) cmocka_unit_test_teardown(name, sim_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(no_share_without_a_proof),
        T(no_share_for_a_proof_of_another_message),
        T(no_share_under_a_foreign_log),
        T(no_share_for_an_expired_intent),
        T(no_share_under_a_forked_log),
        T(no_share_under_a_shrunken_log),
        T(no_share_under_less_than_a_peer_has_seen),
        T(no_share_for_a_replayed_attempt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
