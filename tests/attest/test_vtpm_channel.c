/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attested channel with a node on Azure: its evidence comes through a
 * vTPM, and HOST_DATA of its report is the cloud's.
 */
#include "two.h"

#include "azure.h"

#define NONE "0000000000000000000000000000000000000000000000000000000000000000"

static struct simulator hardware, sim_vtpm;
static struct azure az;

static int setup_azure(void **state)
{
    swtpm_must_be_here();
    setup(state);
    simulator_init(&hardware, sim_a.dir, "3");
    simulator_start(&hardware, NONE);
    azure_start(&az, &hardware);
    sim_vtpm = hardware; /* a node's: what it opens is the vTPM */
    assert_true(strlen(az.device) < sizeof(sim_vtpm.device));
    strcpy(sim_vtpm.device, az.device);
    return 0;
}

static int teardown_azure(void **state)
{
    if (!az.tpm.pid)
        return 0; /* the setup failed and said so */
    azure_stop(&az);
    simulator_stop(&hardware);
    simulator_remove(&hardware);
    return teardown(state);
}

static void open_a_on(const struct simulator *of_a,
                      const struct simulator *of_b)
{
    node_open(&a, NODE_A, &id_a, of_a, 0, NULL);
    node_open(&b, NODE_B, &id_b, of_b, 0, NULL);
    node_serve(&b);
}

/* An attestation policy that leaves everything open but this. */
static void take_vtpms(struct node *n)
{
    struct attest_rules r = { .min_version = 3,
                              .crl = ATTEST_CRL_OFF,
                              .vtpm = true };
    for (unsigned i = 0; i < 3; i++)
        r.product[i].allowed = true;
    assert_ok(attest_channel_rules(n->channel, &r));
}

static void a_vtpm_is_no_peer_of_others_unless_a_policy_says_so(void **state)
{
    (void)state;
    struct line l;
    open_a_on(&sim_vtpm, &sim_b);
    line_open(&l, &a, &b);
    assert_rc(line_ping(&l), RC_ATTEST);
    assert_true(node_said(&b, "H4 vTPM"));
    assert_int_equal(b.handled, 0);
    take_vtpms(&b);
    assert_ok(line_ping(&l));
    line_close(&l);
    close_nodes(NULL);
}

static void node_with_a_vtpm_is_a_peer_at_either_end(void **state)
{
    (void)state;
    const struct {
        const struct simulator *a, *b;
    } rows[] = {
        { &sim_vtpm, &sim_b },
        { &sim_a, &sim_vtpm },
        { &sim_vtpm, &sim_vtpm },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct line l;
        open_a_on(rows[i].a, rows[i].b);
        if (rows[i].a != &sim_vtpm)
            take_vtpms(&a);
        if (rows[i].b != &sim_vtpm)
            take_vtpms(&b);
        line_open(&l, &a, &b);
        assert_ok(line_ping(&l));
        assert_int_equal(b.handled, 1);
        line_close(&l);
        close_nodes(NULL);
    }
}

static void vtpm_of_another_genesis_is_no_peer(void **state)
{
    (void)state;
    struct line l;
    uint8_t other[32];
    open_a_on(&sim_vtpm, &sim_b);
    take_vtpms(&b);
    memset(other, 2, sizeof(other));
    attest_guest_genesis(a.guest, other);
    line_open(&l, &a, &b);
    assert_rc(line_ping(&l), RC_ATTEST);
    assert_true(node_said(&b, "H5 quote is over report data and genesis"));
    assert_int_equal(b.handled, 0);
    attest_guest_genesis(a.guest, a.channel->genesis);
    assert_ok(line_ping(&l)); /* and that was all */
    line_close(&l);
    close_nodes(NULL);
}

/* A quote made for another connection of the same two nodes. */
static void quote_is_good_on_its_own_connection_only(void **state)
{
    (void)state;
    struct line one;
    struct line two;
    uint8_t nonce[32];
    WIRE(hello_reply) first = { 0 };
    WIRE(hello_reply) second = { 0 };
    WIRE(evidence) e = { 0 };
    open_a_on(&sim_vtpm, &sim_b);
    take_vtpms(&b);
    line_open_raw(&one, &a, &b);
    line_open_raw(&two, &a, &b);
    fresh(nonce);
    assert_ok(say_hello(&one, nonce, &first));
    fresh(nonce);
    assert_ok(say_hello(&two, nonce, &second));
    assert_ok(
            node_evidence(a.channel, &e, ATTEST_CLIENT, &one.tls, first.nonce));
    assert_rc(show(&two, &e), RC_ATTEST);
    assert_true(node_said(&b, "H5"));
    assert_ok(show(&one, &e));
    assert_ok(line_ping(&one));
    line_close(&one);
    line_close(&two);
    close_nodes(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vtpm_is_no_peer_of_others_unless_a_policy_says_so),
        cmocka_unit_test(node_with_a_vtpm_is_a_peer_at_either_end),
        cmocka_unit_test(vtpm_of_another_genesis_is_no_peer),
        cmocka_unit_test(quote_is_good_on_its_own_connection_only),
    };
    return cmocka_run_group_tests(tests, setup_azure, teardown_azure);
}
