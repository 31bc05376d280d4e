/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence of a signature: it waits for its receipt, says who cosigned, and
 * holds a report of each signer's boot, which the log had first.
 */
#include "test.h"

#include "story.h"

#include "base/enc.h"
#include "base/hash.h"

static const char *const release[] = { "release", NULL };

/* ---- asking -------------------------------------------------------------------- */

static struct sim *cluster_with(bool standing)
{
    struct sim *s = sim_new(1, 3);
    s->standing = standing;
    sim_ready(s, release);
    return s;
}

static unsigned ask(struct sim *s, unsigned id, const uint8_t session[32],
                    const char *slot)
{
    char path[160], hex[65];
    snprintf(path, sizeof(path), "/v1/bundle/%s%s", enc_hex(hex, session, 32),
             slot);
    return sim_ask(s, id, path, NULL, 0);
}

static void read_bundle(struct sim *s, struct wire_bundle *b, unsigned call)
{
    uint8_t digest[32];
    sim_want_ok(s, call);
    assert_ok(wire_bundle_decode(b, s->call[call].json, s->call[call].len));
    assert_ok(wire_bundle_digest(digest, b));
    assert_memory_equal(digest, b->digest, 32);
}

static struct wire_signed signed_by(struct sim *s, unsigned id, const char *msg)
{
    struct wire_signed out;
    unsigned call = sign(s, id, msg);
    sim_want_ok(s, call);
    assert_true(sim_signature(s, call, &out));
    return out;
}

static void open_proof(struct sim *s, struct tlog_proof *out,
                       struct tlog_checkpoint *cp, const struct wire_proof *in)
{
    memset(out, 0, sizeof(*out));
    memcpy(out->entry, in->entry.p, in->entry.len);
    out->entry_len = in->entry.len;
    out->index = in->index;
    memcpy(out->checkpoint, in->checkpoint.p, in->checkpoint.len);
    out->path.n = (unsigned)in->path.n;
    for (size_t i = 0; i < in->path.n; i++)
        memcpy(out->path.hash[i].b, in->path.at[i].b, 32);
    assert_ok(tlog_proof_check(out, &s->vkey, cp));
}

/* ---- the receipt ------------------------------------------------------------------ */

static void it_has_its_receipt_and_who_cosigned(void **state)
{
    (void)state;
    struct sim *s = cluster_with(false);
    struct wire_signed out = signed_by(s, 1, "evidence");
    WIRE(bundle) b = { 0 };
    struct tlog_proof proof;
    struct tlog_checkpoint shown, head;
    struct tlog_receipt receipt;
    struct tlog_path path = { .n = 0 };
    uint8_t digest[32];
    read_bundle(s, &b, ask(s, 1, out.session, ""));
    assert_int_equal(b.receipt.n, 1);
    open_proof(s, &proof, &shown, &b.intent);
    open_proof(s, &proof, &head, &b.receipt.at[0]);
    assert_ok(tlog_receipt_decode(&receipt, proof.entry, proof.entry_len));
    hash256(digest, out.signature, 64);
    assert_memory_equal(receipt.signature, digest, 32);
    assert_int_equal(receipt.intent, b.intent.index);
    assert_false(receipt.has_certificate);
    path.n = (unsigned)b.growth.n;
    for (unsigned i = 0; i < path.n; i++)
        memcpy(path.hash[i].b, b.growth.at[i].b, 32);
    assert_ok(tlog_consistency_check(&path, shown.size, &shown.root, head.size,
                                     &head.root));
    assert_int_equal(b.cosigners.n, 3);
    /* once: whoever owes it to the log owes the same */
    sim_run(s, 3000);
    unsigned receipts = 0;
    for (uint64_t i = 0; i < s->log.n; i++)
        receipts += strncmp(s->log.entry[i], "mpc-receipt/1\n", 14) == 0;
    assert_int_equal(receipts, 1);
    done(s);
}

static void it_is_of_the_slot_asked_for(void **state)
{
    (void)state;
    struct sim *s = cluster_with(false);
    struct wire_signed out = signed_by(s, 2, "one slot");
    WIRE(bundle) b = { 0 };
    read_bundle(s, &b, ask(s, 2, out.session, "/raw"));
    assert_string_equal(b.kind, "raw");
    assert_int_equal(b.message.len, 0);
    sim_want(s, ask(s, 2, out.session, "/cms"), RC_UNKNOWN);
    sim_want(s, ask(s, 1, out.session, ""), RC_UNKNOWN);
    done(s);
}

static void a_dead_node_does_not_cosign(void **state)
{
    (void)state;
    struct sim *s = cluster_with(false);
    WIRE(bundle) b = { 0 };
    sim_crash(s, 3);
    struct wire_signed out = signed_by(s, 1, "two of three");
    read_bundle(s, &b, ask(s, 1, out.session, ""));
    assert_int_equal(b.cosigners.n, 2);
    assert_int_equal(b.cosigners.at[0].node, 1);
    assert_int_equal(b.cosigners.at[1].node, 2);
    done(s);
}

static void without_the_log_it_waits_and_then_says_so(void **state)
{
    (void)state;
    struct sim *s = cluster_with(false);
    WIRE(bundle) b = { 0 };
    struct wire_signed out = signed_by(s, 1, "the log goes away");
    s->log_down = true;
    unsigned call = ask(s, 1, out.session, "");
    assert_false(sim_wait(s, call, 9000));
    sim_want(s, call, RC_TIMEOUT);
    assert_non_null(strstr(s->call[call].why, "receipt is not in the log"));
    assert_non_null(strstr(s->call[call].hint, "again"));
    /* and while somebody waits it comes back */
    call = ask(s, 1, out.session, "");
    assert_false(sim_wait(s, call, 3000));
    s->log_down = false;
    read_bundle(s, &b, call);
    assert_int_equal(b.receipt.n, 1);
    done(s);
}

/* ---- standing evidence -------------------------------------------------------------- */

static void each_signer_is_known_by_its_boot(void **state)
{
    (void)state;
    struct sim *s = cluster_with(true);
    for (unsigned round = 0; round < 3; round++) {
        WIRE(bundle) b = { 0 };
        struct wire_signed out = signed_by(s, 1, "known");
        read_bundle(s, &b, ask(s, 1, out.session, ""));
        for (size_t i = 0; i < b.signers.n; i++) {
            const struct wire_bundle_signer *w = &b.signers.at[i];
            struct tlog_proof proof;
            assert_int_equal(w->evidence.n, 1);
            assert_memory_equal(w->evidence.at[0].ak, s->node[w->node].ak_pk,
                                32);
            open_proof(s, &proof, NULL, &w->evidence.at[0].logged);
            assert_true(proof.index < b.intent.index);
        }
        /* another boot, another key: it is asked again */
        for (unsigned id = 2; id <= 3; id++) {
            sim_crash(s, id);
            sim_start(s, id);
        }
        sim_run(s, 3000);
    }
    done(s);
}

static void hide_evidence(struct sim *s, uint32_t from, uint32_t to,
                          const char *path, bool reply, uint8_t **body,
                          size_t *len)
{
    (void)to;
    (void)path;
    if (reply || from != 2 || !*body ||
        !memmem(*body, *len, "mpc-evidence", 12))
        return;
    (*body)[0] = 'x'; /* the log refuses it */
    (void)s;
}

static void nothing_is_signed_before_its_evidence_is_logged(void **state)
{
    (void)state;
    struct sim *s = cluster_with(true);
    sim_crash(s, 3);
    sim_crash(s, 2);
    s->tamper = hide_evidence;
    sim_start(s, 2);
    sim_run(s, 3000);
    unsigned call = sim_sign(s, 1, "release", "", "early", 5, 4000);
    assert_true(sim_wait(s, call, 6000));
    assert_int_not_equal(s->call[call].rc, RC_OK);
    assert_non_null(strstr(s->call[call].why, "evidence is not in the log"));
    s->tamper = NULL;
    sim_run(s, 3000);
    sim_want_ok(s, sim_sign(s, 1, "release", "", "now", 3, 10000));
    done(s);
}

static void what_is_not_believed_is_in_no_bundle(void **state)
{
    (void)state;
    struct sim *s = cluster_with(true);
    s->liar = 2;
    sim_crash(s, 3);
    sim_crash(s, 2);
    sim_start(s, 2);
    sim_run(s, 2000);
    struct wire_signed out = signed_by(s, 1, "with a liar");
    unsigned call = ask(s, 1, out.session, "");
    sim_want(s, call, RC_TIMEOUT);
    assert_non_null(strstr(s->call[call].why, "node2's standing report"));
    done(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(it_has_its_receipt_and_who_cosigned,
                                  sim_teardown),
        cmocka_unit_test_teardown(it_is_of_the_slot_asked_for, sim_teardown),
        cmocka_unit_test_teardown(a_dead_node_does_not_cosign, sim_teardown),
        cmocka_unit_test_teardown(without_the_log_it_waits_and_then_says_so,
                                  sim_teardown),
        cmocka_unit_test_teardown(each_signer_is_known_by_its_boot,
                                  sim_teardown),
        cmocka_unit_test_teardown(
                nothing_is_signed_before_its_evidence_is_logged, sim_teardown),
        cmocka_unit_test_teardown(what_is_not_believed_is_in_no_bundle,
                                  sim_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
