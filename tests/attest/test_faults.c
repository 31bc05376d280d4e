/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each fault of the simulator: what the verifier says, what a peer does, and
 * what a device that fails does to its owner.
 */
#include "two.h"

#include "base/clock.h"
#include "base/file.h"

#define SNPSIM MPC_BUILD_DIR "/bin/mpc-snpsim"

static char *word_of(const char *text)
{
    return (char *)(uintptr_t)text;
}

static int tell(const struct simulator *s, const char *fault)
{
    char *argv[] = { word_of(SNPSIM),    word_of("fault"), word_of("--socket"),
                     word_of(s->socket), word_of(fault),   NULL };
    return run_program(argv, NULL, 0);
}

static void set_fault(const struct simulator *s, const char *fault)
{
    assert_int_equal(tell(s, fault), 0);
}

static int heal(void **state)
{
    (void)state;
    return tell(&sim_a, "none") || tell(&sim_b, "none");
}

/* ---- the verifier ------------------------------------------------------ */

static const uint8_t data[64] = { 9 };

/* A deployment's rules that the healthy simulator meets. */
static void rules_for(struct attest_rules *out)
{
    uint8_t *json = NULL;
    size_t len;
    assert_ok(file_read(&json, &len, MPC_SOURCE_DIR "/docs/attest-policy.json",
                        ATTEST_RULES_MAX));
    assert_ok(attest_rules_parse(out, json, len));
    free(json);
    out->has_measurements = false;
    out->crl = ATTEST_CRL_IF_PRESENT;
}

static enum rc judge(struct attest_verdict *v, const struct simulator *s,
                     const struct wire_blob *crl)
{
    OWN_S(attest_guest) *g = NULL;
    WIRE(evidence) e = { 0 };
    struct attest_rules rules;
    const struct attest_want want = {
        .report_data = data, .rules = &rules, .crl = crl, .peer = true
    };
    struct attest_roots roots = { .allow_simulated = true };
    memcpy(roots.simulated_ark, s->ark, 32);
    rules_for(&rules);
    assert_ok(attest_guest_open(&g, s->device));
    assert_ok(attest_guest_report(&e, g, data));
    return attest_verify(v, &e, &roots, &want, clock_now_s());
}

/* The failed rows, "P3 P8". */
static void failures(char *out, size_t size, const struct attest_verdict *v)
{
    *out = '\0';
    for (unsigned i = 0; i < v->n_checks; i++) {
        size_t at = strlen(out);
        if (!v->check[i].ok)
            snprintf(out + at, size - at, "%s%s", at ? " " : "",
                     v->check[i].id);
    }
}

static void assert_failed(const struct attest_verdict *v, const char *fault,
                          const char *ids)
{
    char got[256];
    failures(got, sizeof(got), v);
    if (strcmp(got, ids) != 0)
        fail_msg("%s: failed \"%s\", want \"%s\"", fault, got, ids);
}

static void each_fault_fails_its_own_check(void **state)
{
    (void)state;
    static const struct {
        const char *fault, *ids;
    } rows[] = {
        { "none", "" },
        { "stale-cert", "B3" },
        { "expired-cert", "C6" },
        { "masked-chip", "B4" },
        { "debug", "P3 P8" },
        { "migrate", "P4 P8" },
        { "version=6", "F2" },
        /* does not say its product: nothing that needs it can hold */
        { "version=2", "C1 C2 C3 C4 C5 C6 B2 P14 P15" },
        { "product=milan", "C3 C4 C5 C6 B2 P14" },
        { "product=turin", "F4 C3 C4 C5 C6 B2 B3 B4 P14" },
        { "no-certs", "C0 C2 C3 C4 C5 C6 B1 B2 B3 B4" },
        { "vmpl=1", "P5" },
        { "platform=1", "P8" },
        { "none", "" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct attest_verdict v;
        set_fault(&sim_a, "none");
        set_fault(&sim_a, rows[i].fault);
        assert_rc(judge(&v, &sim_a, NULL), *rows[i].ids ? RC_ATTEST : RC_OK);
        assert_failed(&v, rows[i].fault, rows[i].ids);
    }
}

static void read_crl(struct wire_blob *out, const struct simulator *s)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/crl.der", s->dir);
    assert_ok(file_read(&out->p, &out->len, path, ATTEST_CRL_MAX));
}

static void revoked_ask_is_named_by_the_list(void **state)
{
    (void)state;
    struct wire_blob crl = { 0 };
    struct attest_verdict v;
    read_crl(&crl, &sim_a);
    assert_ok(judge(&v, &sim_a, &crl));
    free(crl.p);
    char *revoke[] = { word_of(SNPSIM), word_of("crl"), sim_a.dir,
                       word_of("--revoke-ask"), NULL };
    char *renew[] = { word_of(SNPSIM), word_of("crl"), sim_a.dir, NULL };
    assert_int_equal(run_program(revoke, NULL, 0), 0);
    read_crl(&crl, &sim_a);
    assert_rc(judge(&v, &sim_a, &crl), RC_ATTEST);
    assert_failed(&v, "revoked", "C7");
    assert_non_null(strstr(rc_text(), "revokes the ASK"));
    free(crl.p);
    assert_int_equal(run_program(renew, NULL, 0), 0);
    read_crl(&crl, &sim_a);
    assert_ok(judge(&v, &sim_a, &crl));
    free(crl.p);
    /* only where the ARK's key is */
    char *other[] = { word_of(SNPSIM), word_of("crl"), sim_b.dir, NULL };
    assert_int_not_equal(run_program(other, NULL, 0), 0);
}

static void other_products_verify_as_such(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum attest_product product;
    } rows[] = { { "milan", ATTEST_MILAN }, { "turin", ATTEST_TURIN } };
    for (size_t i = 0; i < 2; i++) {
        struct simulator s;
        struct attest_verdict v;
        simulator_init_product(&s, rows[i].name, "7");
        simulator_start(&s, HOST_HEX);
        /* the template allows neither by itself: P14 and only that */
        assert_rc(judge(&v, &s, NULL), RC_ATTEST);
        assert_failed(&v, rows[i].name, "P14");
        assert_int_equal(v.product, rows[i].product);
        assert_true(v.simulated);
        simulator_stop(&s);
        simulator_remove(&s);
    }
}

static void unknown_faults_are_refused(void **state)
{
    (void)state;
    static const char *const words[] = {
        "",           "nonsense", "vmpl",         "vmpl=",   "vmpl=x",
        "version=-1", "=",        "product=rome", "debug=1", "platform=G"
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        assert_int_equal(tell(&sim_a, words[i]), rc_exit(RC_ARG));
    struct attest_verdict v;
    assert_ok(judge(&v, &sim_a, NULL));
}

/* ---- peers ------------------------------------------------------------- */

/* Both ways: the server refuses the client, the client the server. */
static void peers_refuse_each_fault_and_name_the_check(void **state)
{
    (void)state;
    static const struct {
        const char *fault, *id;
    } rows[] = {
        { "debug", "P3" },         { "migrate", "P4" },
        { "vmpl=2", "P5" },        { "stale-cert", "B3" },
        { "expired-cert", "C6" },  { "masked-chip", "B4" },
        { "product=milan", "C3" }, { "no-certs", "C0" },
        { "version=2", "C1" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct line l;
        int before = b.handled;
        set_fault(&sim_a, rows[i].fault);
        line_open(&l, &a, &b);
        assert_int_not_equal(line_ping(&l), RC_OK);
        line_close(&l);
        assert_true(node_said(&b, rows[i].id));
        set_fault(&sim_a, "none");
        set_fault(&sim_b, rows[i].fault);
        line_open(&l, &a, &b);
        assert_rc(line_ping(&l), RC_ATTEST);
        if (!strstr(rc_text(), rows[i].id))
            fail_msg("%s: want %s in: %s", rows[i].fault, rows[i].id,
                     rc_text());
        line_close(&l);
        set_fault(&sim_b, "none");
        assert_int_equal(b.handled, before);
    }
    struct line l;
    line_open(&l, &a, &b);
    assert_ok(line_ping(&l));
    line_close(&l);
}

static void daemon_with_a_fault_does_not_start(void **state)
{
    (void)state;
    struct attest_channel *ch = NULL;
    struct attest_channel_config c = node_config(&a, 0, NULL);
    set_fault(&sim_a, "debug");
    assert_rc(attest_channel_new(&ch, &c), RC_ATTEST);
    assert_non_null(strstr(rc_text(), "P3"));
    set_fault(&sim_a, "other-data");
    assert_rc(attest_channel_new(&ch, &c), RC_IO);
    assert_non_null(strstr(rc_text(), "over other data"));
    set_fault(&sim_a, "throttle");
    assert_rc(attest_channel_new(&ch, &c), RC_TIMEOUT);
    assert_null(ch);
    set_fault(&sim_a, "none");
}

/* ---- the device -------------------------------------------------------- */

static const char *health(struct attest_guest *g)
{
    struct attest_guest_state s;
    attest_guest_state(&s, g);
    assert_string_equal(s.kind, "simulated");
    return s.state;
}

static void throttled_device_recovers(void **state)
{
    (void)state;
    OWN_S(attest_guest) *g = NULL;
    WIRE(evidence) e = { 0 };
    uint8_t key[32];
    assert_ok(attest_guest_open(&g, sim_a.device));
    set_fault(&sim_a, "throttle");
    assert_rc(attest_guest_report(&e, g, data), RC_TIMEOUT);
    assert_rc(attest_guest_derive(key, g, 0), RC_TIMEOUT);
    assert_string_equal(health(g), "throttled");
    set_fault(&sim_a, "none");
    assert_ok(attest_guest_report(&e, g, data));
    assert_string_equal(health(g), "ready");
}

static void lost_device_stays_lost(void **state)
{
    (void)state;
    OWN_S(attest_guest) *g = NULL;
    WIRE(evidence) e = { 0 };
    uint8_t key[32];
    assert_ok(attest_guest_open(&g, sim_a.device));
    set_fault(&sim_a, "lost");
    assert_rc(attest_guest_report(&e, g, data), RC_ATTEST);
    set_fault(&sim_a, "none");
    assert_rc(attest_guest_report(&e, g, data), RC_ATTEST);
    assert_non_null(strstr(rc_text(), "relaunch the VM"));
    assert_rc(attest_guest_derive(key, g, 0), RC_ATTEST);
    assert_string_equal(health(g), "lost");
}

int main(void)
{
#define HEALED(f) cmocka_unit_test_teardown(f, heal)
    const struct CMUnitTest tests[] = {
        HEALED(each_fault_fails_its_own_check),
        HEALED(revoked_ask_is_named_by_the_list),
        HEALED(other_products_verify_as_such),
        HEALED(unknown_faults_are_refused),
        WITH_NODES(peers_refuse_each_fault_and_name_the_check),
        WITH_NODES(daemon_with_a_fault_does_not_start),
        HEALED(throttled_device_recovers),
        HEALED(lost_device_stays_lost),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
