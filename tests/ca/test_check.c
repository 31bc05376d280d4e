/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CA that lies: every way it could write a certificate that key, birth and
 * policy do not say, asked of a signer.
 */
#include "world.h"

#include "lies.h"

#include "base/hash.h"

static struct world w;
static struct policy_session sign;

static int open_world(void **state)
{
    (void)state;
    world_open(&w);
    world_session(&sign, &w, POLICY_S_SIGN, NULL, 0);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

/* ---- changing one thing of a certificate ------------------------------------------- */

static X509 *opened(const uint8_t *tbs, size_t len)
{
    uint8_t der[CA_DER_MAX];
    size_t der_len;
    world_sign(der, &der_len, &w, tbs, len);
    const uint8_t *at = der;
    X509 *x = d2i_X509(NULL, &at, (long)der_len);
    assert_non_null(x);
    return x;
}

static void closed(uint8_t tbs[CA_DER_MAX], size_t *len, X509 *x)
{
    uint8_t *end = tbs;
    *len = (size_t)i2d_re_X509_tbs(x, &end);
    assert_in_range(*len, 1, CA_DER_MAX);
    X509_free(x);
}

/* ---- leaves ---------------------------------------------------------------------------- */

static void honest_leaf_is_accepted(void **state)
{
    (void)state;
    uint8_t tbs[CA_DER_MAX];
    size_t len;
    static const struct {
        struct world_plan plan;
        const char *why;
    } cases[] = {
        { { .profile = "release" }, "persistent" },
        { { .profile = "once", .sign_session = true, .artifact = true },
          "ephemeral, bound to an artifact" },
        { { .profile = "once", .sign_session = true, .no_requester = true },
          "ephemeral, opened by a socket caller" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (int simulated = 0; simulated < 2; simulated++) {
            WIRE(birth) b = { 0 };
            world_birth(&b, &w, &cases[i].plan);
            world_leaf(tbs, &len, &w, &b, simulated);
            for (int off = -CA_AHEAD_S; off <= CA_BEHIND_S; off += 60)
                if (ca_tbs_check(w.chain, &sign, w.issuer.pk, &b, tbs, len,
                                 WORLD_NOW + off) != RC_OK)
                    fail_msg("%s, %+d s: %s", cases[i].why, off, rc_text());
        }
}

static void changed_leaf_is_refused(void **state)
{
    (void)state;
    for (int simulated = 0; simulated < 2; simulated++) {
        WIRE(birth) b = { 0 };
        world_birth(&b, &w, &(struct world_plan){ 0 });
        for (unsigned i = 0; i < n_lies; i++) {
            uint8_t tbs[CA_DER_MAX];
            size_t len;
            world_leaf(tbs, &len, &w, &b, simulated);
            X509 *x = opened(tbs, len);
            lies[i].change(x);
            closed(tbs, &len, x);
            enum rc rc = ca_tbs_check(w.chain, &sign, w.issuer.pk, &b, tbs, len,
                                      WORLD_NOW);
            if (rc != RC_POLICY || !strstr(rc_text(), lies[i].text))
                fail_msg("%s: %s (%s), want policy_refused and %s", lies[i].why,
                         rc_slug(rc), rc_text(), lies[i].text);
        }
    }
}

/* Whatever bit is flipped: it is seen, and nothing falls over. Only serial
 * bits and a few seconds are the CA's to choose. */
static void no_flipped_bit_passes_unseen(void **state)
{
    (void)state;
    WIRE(birth) b = { 0 };
    uint8_t tbs[CA_DER_MAX], bad[CA_DER_MAX];
    size_t len;
    unsigned accepted = 0;
    world_birth(&b, &w, &(struct world_plan){ 0 });
    world_leaf(tbs, &len, &w, &b, false);
    for (size_t i = 0; i < len; i++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(bad, tbs, len);
            bad[i] ^= (uint8_t)(1 << bit);
            enum rc rc = ca_tbs_check(w.chain, &sign, w.issuer.pk, &b, bad, len,
                                      WORLD_NOW);
            assert_true(rc == RC_OK || rc == RC_POLICY || rc == RC_PARSE);
            accepted += rc == RC_OK;
        }
    assert_int_equal(accepted, 20 * 8 - 2);
}

/* A CA that is taken over cannot make a trial look like the real thing. */
static void marks_follow_the_signers_hardware(void **state)
{
    (void)state;
    WIRE(birth) b = { 0 };
    uint8_t tbs[CA_DER_MAX];
    size_t len;
    world_birth(&b, &w, &(struct world_plan){ 0 });
    for (int marked = 0; marked < 2; marked++)
        for (int root = 0; root < 2; root++) {
            if (root)
                assert_ok(ca_root_tbs(tbs, &len, "test", w.issuer.pk, marked,
                                      WORLD_NOW));
            else
                world_leaf(tbs, &len, &w, &b, marked);
            assert_ok(ca_tbs_marks(tbs, len, marked));
            assert_rc(ca_tbs_marks(tbs, len, !marked), RC_POLICY);
            assert_non_null(strstr(rc_text(), "simulated"));
            assert_rc(ca_tbs_marks(tbs, len - 1, marked), RC_PARSE);
        }
}

static void bytes_around_a_leaf_are_refused(void **state)
{
    (void)state;
    WIRE(birth) b = { 0 };
    uint8_t tbs[CA_DER_MAX];
    size_t len;
    world_birth(&b, &w, &(struct world_plan){ 0 });
    world_leaf(tbs, &len, &w, &b, false);
    tbs[len] = 0;
    assert_rc(ca_tbs_check(w.chain, &sign, w.issuer.pk, &b, tbs, len + 1,
                           WORLD_NOW),
              RC_PARSE);
    for (size_t n = 0; n < len; n++)
        assert_rc(ca_tbs_check(w.chain, &sign, w.issuer.pk, &b, tbs, n,
                               WORLD_NOW),
                  RC_PARSE);
}

static void leaf_needs_its_own_birth_and_issuer(void **state)
{
    (void)state;
    WIRE(birth) b = { 0 }, other = { 0 };
    uint8_t tbs[CA_DER_MAX];
    size_t len;
    struct policy_session s;
    world_birth(&b, &w, &(struct world_plan){ 0 });
    world_birth(&other, &w, &(struct world_plan){ 0 });
    world_leaf(tbs, &len, &w, &b, false);
    assert_rc(ca_tbs_check(w.chain, &sign, w.issuer.pk, &other, tbs, len,
                           WORLD_NOW),
              RC_POLICY);
    assert_rc(ca_tbs_check(w.chain, &sign, w.issuer.pk, NULL, tbs, len,
                           WORLD_NOW),
              RC_POLICY);
    /* the share at hand is of another key than the session and AKI name */
    assert_rc(
            ca_tbs_check(w.chain, &sign, w.node[0].pk, &b, tbs, len, WORLD_NOW),
            RC_POLICY);
    s = sign;
    hash256(s.key, w.node[0].pk, 32);
    assert_rc(ca_tbs_check(w.chain, &s, w.node[0].pk, &b, tbs, len, WORLD_NOW),
              RC_POLICY);
    assert_non_null(strstr(rc_text(), "authorityKeyIdentifier"));
    world_session(&s, &w, POLICY_S_REFRESH, NULL, 0);
    assert_rc(ca_tbs_check(w.chain, &s, w.issuer.pk, &b, tbs, len, WORLD_NOW),
              RC_POLICY);
}

/* ---- roots --------------------------------------------------------------------------------- */

static enum rc judge_root(const uint8_t *tbs, size_t len,
                          const uint8_t *approved, size_t approved_len,
                          enum policy_session_type type, int64_t now_s)
{
    struct policy_session s;
    world_session(&s, &w, type, approved, approved_len);
    return ca_tbs_check(w.chain, &s, w.issuer.pk, NULL, tbs, len, now_s);
}

static void approved_root_is_accepted(void **state)
{
    (void)state;
    uint8_t tbs[CA_DER_MAX];
    size_t len;
    for (int simulated = 0; simulated < 2; simulated++) {
        assert_ok(ca_root_tbs(tbs, &len, "test", w.issuer.pk, simulated,
                              WORLD_NOW));
        assert_ok(judge_root(tbs, len, tbs, len, POLICY_S_ROOT, WORLD_NOW));
        assert_ok(judge_root(tbs, len, tbs, len, POLICY_S_ROOT,
                             WORLD_NOW + POLICY_SESSION_MAX_S));
        assert_rc(judge_root(tbs, len, tbs, len, POLICY_S_ROOT,
                             WORLD_NOW + 2 * POLICY_SESSION_MAX_S),
                  RC_POLICY);
        assert_rc(
                judge_root(tbs, len, tbs, len, POLICY_S_ROOT, WORLD_NOW - 3600),
                RC_POLICY);
    }
}

static void root_goes_only_in_its_own_session(void **state)
{
    (void)state;
    uint8_t tbs[CA_DER_MAX], other[CA_DER_MAX];
    size_t len, other_len;
    assert_ok(ca_root_tbs(tbs, &len, "test", w.issuer.pk, false, WORLD_NOW));
    assert_ok(ca_root_tbs(other, &other_len, "test", w.issuer.pk, false,
                          WORLD_NOW));
    assert_rc(judge_root(tbs, len, NULL, 0, POLICY_S_SIGN, WORLD_NOW),
              RC_POLICY);
    assert_rc(judge_root(tbs, len, tbs, len, POLICY_S_SIGN, WORLD_NOW),
              RC_POLICY);
    assert_rc(judge_root(tbs, len, other, other_len, POLICY_S_ROOT, WORLD_NOW),
              RC_POLICY);
    assert_non_null(strstr(rc_text(), "approved are other bytes"));
}

/* People were shown a hash: what is in it is judged all the same. */
static void bad_root_is_refused_though_approved(void **state)
{
    (void)state;
    uint8_t tbs[CA_DER_MAX];
    size_t len;
    assert_ok(ca_root_tbs(tbs, &len, "test", w.node[0].pk, false, WORLD_NOW));
    assert_rc(judge_root(tbs, len, tbs, len, POLICY_S_ROOT, WORLD_NOW),
              RC_POLICY);
    assert_ok(ca_root_tbs(tbs, &len, "prod", w.issuer.pk, false, WORLD_NOW));
    assert_rc(judge_root(tbs, len, tbs, len, POLICY_S_ROOT, WORLD_NOW),
              RC_POLICY);
    static const char *const changes[] = {
        "another-extension", "no-key-usage",      "longer",
        "issuer-other",      "subject-given",     "serial-short",
        "version-one",       "simulated-by-half", "a-century-ago",
    };
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        assert_ok(
                ca_root_tbs(tbs, &len, "test", w.issuer.pk, false, WORLD_NOW));
        X509 *x = opened(tbs, len);
        lie_find(changes[i])->change(x);
        closed(tbs, &len, x);
        enum rc rc = judge_root(tbs, len, tbs, len, POLICY_S_ROOT, WORLD_NOW);
        if (rc != RC_POLICY)
            fail_msg("%s: %s (%s)", changes[i], rc_slug(rc), rc_text());
    }
    /* a leaf, in a root's session */
    WIRE(birth) b = { 0 };
    world_birth(&b, &w, &(struct world_plan){ 0 });
    world_leaf(tbs, &len, &w, &b, false);
    assert_rc(judge_root(tbs, len, tbs, len, POLICY_S_ROOT, WORLD_NOW),
              RC_POLICY);
}

/* What the sidecar asks of the policy before it asks us. */
static void policy_takes_both_for_x509(void **state)
{
    (void)state;
    WIRE(birth) b = { 0 };
    uint8_t tbs[CA_DER_MAX];
    size_t len;
    enum policy_kind kind;
    struct policy_session root;
    const struct policy_profile *ca = policy_profile_find(
            policy_chain_head(w.chain), "ca");
    world_birth(&b, &w, &(struct world_plan){ 0 });
    world_leaf(tbs, &len, &w, &b, true);
    assert_ok(policy_payload_check(&kind, ca, &sign, tbs, len));
    assert_int_equal(kind, POLICY_X509);
    assert_ok(ca_root_tbs(tbs, &len, "test", w.issuer.pk, true, WORLD_NOW));
    world_session(&root, &w, POLICY_S_ROOT, tbs, len);
    assert_ok(policy_payload_check(&kind, ca, &root, tbs, len));
    assert_int_equal(kind, POLICY_X509);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_leaf_is_accepted),
        cmocka_unit_test(changed_leaf_is_refused),
        cmocka_unit_test(no_flipped_bit_passes_unseen),
        cmocka_unit_test(marks_follow_the_signers_hardware),
        cmocka_unit_test(bytes_around_a_leaf_are_refused),
        cmocka_unit_test(leaf_needs_its_own_birth_and_issuer),
        cmocka_unit_test(approved_root_is_accepted),
        cmocka_unit_test(root_goes_only_in_its_own_session),
        cmocka_unit_test(bad_root_is_refused_though_approved),
        cmocka_unit_test(policy_takes_both_for_x509),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
