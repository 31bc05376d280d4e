/* SPDX-License-Identifier: Apache-2.0 */
/*
 * t - 1 nodes were taken over, and with them all that carries approvals:
 * every record that a person ever signed may be shown, withheld, doubled or
 * put beside another session. Under many seeds they ask the honest nodes for
 * shares, and have honest nodes lead; a share leaves exactly when people
 * approved that session and the bytes are the artifact's.
 * MPC_SIM_SEED replays one seed, MPC_SIM_RUNS says how many.
 */
#include "test.h"

#include "collude.h"

#include "base/enc.h"

#define FIRST_SEED   20261126
#define DEFAULT_RUNS 300
#define A_CLUSTER    25 /* seeds that share one */
#define STEPS        12
#define SESSIONS     2
#define RECORDS_MAX  16
#define MESSAGES     3

static const char *const guarded[] = { "guarded", NULL };
static const char *const message[MESSAGES] = { "one", "another", "a third" };
static const struct {
    const char *person;
    const char *role;
} voices[] = {
    { "alice", "engineer" }, { "dave", "engineer" }, { "bob", "steward" },
    { "carol", "steward" },  { "alice", "steward" }, { "bob", "engineer" },
    { "dev", "engineer" },   { "dev", "steward" },
};
#define VOICES (sizeof(voices) / sizeof(*voices))
#define GOOD   4 /* the first ones hold the role they speak in */

/* What a person signed: about one session, a decision in a role. */
struct said {
    unsigned session;
    unsigned voice;
    bool deny;
    struct wire_blob record;
};
struct plot {
    struct sim *s;
    struct collude c;
    unsigned corrupt; /* nodes 1..corrupt */
    struct policy_session session[SESSIONS];
    struct wire_session bare[SESSIONS]; /* owned */
    unsigned artifact[SESSIONS];        /* which message */
    struct said said[RECORDS_MAX];
    unsigned n_said;
    unsigned used[SESSIONS];             /* attempts */
    bool told[SESSIONS];                 /* honest nodes hold a denial of it */
    bool heard[SESSIONS][SIM_NODES + 1]; /* this one was shown a denial */
    unsigned shares, refusals, denials;
};

static struct plot p;

static void clear(void)
{
    for (unsigned i = 0; i < p.n_said; i++)
        free(p.said[i].record.p);
    for (unsigned i = 0; i < SESSIONS; i++) {
        wire_session_free(&p.bare[i]);
        memset(&p.bare[i], 0, sizeof(p.bare[i]));
        p.used[i] = 0;
        p.told[i] = false;
        memset(p.heard[i], 0, sizeof(p.heard[i]));
    }
    p.n_said = 0;
}

/* ---- what people really did ------------------------------------------------ */

static void people_speak(void)
{
    for (unsigned i = 0; i < SESSIONS; i++) {
        p.artifact[i] = (unsigned)sim_dice(p.s, MESSAGES);
        const char *text = message[p.artifact[i]];
        p.session[i] = collude_session(&p.c, "guarded", text, strlen(text));
        sim_session_wire(p.s, &p.bare[i], &p.session[i], NULL, NULL);
    }
    unsigned n = 6 + (unsigned)sim_dice(p.s, RECORDS_MAX - 6);
    for (unsigned i = 0; i < n; i++) {
        struct said *r = &p.said[p.n_said++];
        r->session = (unsigned)sim_dice(p.s, SESSIONS);
        r->voice = (unsigned)sim_dice(p.s, sim_dice(p.s, 4) ? GOOD : VOICES);
        r->deny = sim_dice(p.s, 10) == 0;
        r->record = (struct wire_blob){ 0 };
        sim_record(&r->record, p.session[r->session].id,
                   r->deny ? POLICY_D_DENY : POLICY_D_APPROVE,
                   voices[r->voice].role, voices[r->voice].person);
    }
}

/* ---- what the honest ones are shown ---------------------------------------- */

struct shown {
    struct wire_session w; /* owned */
    unsigned session;
    bool junk;           /* a record that is not of this session, or role */
    bool denied;         /* a denial of it is among them, */
    bool denied_truly;   /* by one who may */
    bool approved[GOOD]; /* true approvals of it, by voice */
};

static void show(struct shown *out, unsigned session)
{
    const struct wire_session *bare = &p.bare[session];
    *out = (struct shown){ .session = session };
    assert_ok(wire_blob_set(&out->w.descriptor, bare->descriptor.p,
                            bare->descriptor.len));
    assert_ok(wire_blob_set(&out->w.requester, bare->requester.p,
                            bare->requester.len));
    assert_ok(wire_list_new(&out->w.approvals, p.n_said));
    size_t n = 0;
    bool any = sim_dice(p.s, 3) == 0; /* of other sessions, too */
    for (unsigned i = 0; i < p.n_said; i++) {
        const struct said *r = &p.said[i];
        bool ours = r->session == session;
        if ((!ours && !any) || sim_dice(p.s, 4) == 0)
            continue;
        assert_ok(wire_blob_set(&out->w.approvals.at[n++], r->record.p,
                                r->record.len));
        out->junk |= !ours || r->voice >= GOOD;
        out->denied |= ours && r->deny;
        out->denied_truly |= ours && r->deny && r->voice < GOOD;
        if (ours && !r->deny && r->voice < GOOD)
            out->approved[r->voice] = true;
    }
    out->w.approvals.n = n;
}

/* One engineer and both stewards: the rule of `guarded`. */
static bool approved(const struct shown *w)
{
    return !w->junk && !w->denied && (w->approved[0] || w->approved[1]) &&
           w->approved[2] && w->approved[3];
}

static void ask_for_a_share(void)
{
    struct shown w;
    show(&w, (unsigned)sim_dice(p.s, SESSIONS));
    unsigned what = sim_dice(p.s, 3) ? p.artifact[w.session]
                                     : (unsigned)sim_dice(p.s, MESSAGES);
    unsigned lead = 1 + (unsigned)sim_dice(p.s, p.corrupt);
    unsigned honest = p.corrupt + 1 +
                      (unsigned)sim_dice(p.s, p.s->n - p.corrupt);
    const char *slot = sim_dice(p.s, 8) ? "raw" : "cms";
    bool want = approved(&w) && !p.told[w.session] &&
                !p.heard[w.session][honest] && what == p.artifact[w.session] &&
                strcmp(slot, "raw") == 0 && p.used[w.session] < 5;
    unsigned before = p.s->n_shares;
    enum rc rc = collude_ask(&p.c, lead, honest, &w.w, slot,
                             ++p.used[w.session], message[what],
                             strlen(message[what]));
    p.heard[w.session][honest] |= w.denied_truly; /* and what it heard stands */
    if (want != (rc == RC_OK))
        sim_fail(p.s, "node%u: %s (%s), people %s", honest, rc_slug(rc),
                 p.c.why, want ? "approved it" : "did not");
    assert_int_equal(p.s->n_shares, before + want);
    *(want ? &p.shares : &p.refusals) += 1;
    wire_session_free(&w.w);
}

/* A person who denies has one honest node hear it; the relays may stop none
 * of what honest nodes then say to each other. */
static void somebody_denies(void)
{
    const struct said *r = &p.said[sim_dice(p.s, p.n_said)];
    WIRE(approval) m = { 0 };
    OWNED_MEM char *json = NULL;
    OWNED_MEM char *body = NULL;
    size_t len;
    if (!r->deny || r->voice >= GOOD)
        return;
    unsigned honest = p.corrupt + 1 +
                      (unsigned)sim_dice(p.s, p.s->n - p.corrupt);
    assert_ok(wire_session_encode(&json, &len, &p.bare[r->session]));
    sim_want_ok(p.s, sim_ask(p.s, honest, "/v1/session", json, len));
    memcpy(m.session, p.session[r->session].id, 32);
    assert_ok(wire_blob_set(&m.record, r->record.p, r->record.len));
    assert_ok(wire_approval_encode(&body, &len, &m));
    sim_want_ok(p.s, sim_ask(p.s, honest, "/v1/approval", body, len));
    sim_run(p.s, 1000);
    p.told[r->session] = true;
    p.denials++;
}

/* An honest node leads, with what the relays let through. */
static void have_one_lead(void)
{
    struct shown w;
    char hex[65];
    OWNED_MEM char *json = NULL;
    size_t len;
    show(&w, (unsigned)sim_dice(p.s, SESSIONS));
    unsigned honest = p.corrupt + 1 +
                      (unsigned)sim_dice(p.s, p.s->n - p.corrupt);
    unsigned what = (unsigned)sim_dice(p.s, MESSAGES);
    assert_ok(wire_session_encode(&json, &len, &w.w));
    unsigned put = sim_ask(p.s, honest, "/v1/session", json, len);
    assert_true(sim_wait(p.s, put, 5000));
    enc_hex(hex, p.session[w.session].id, 32);
    unsigned call = sim_sign(p.s, honest, "guarded", hex, message[what],
                             strlen(message[what]), 4000);
    assert_true(sim_wait(p.s, call, 8000));
    /* what came earlier counts, too: so only the certain half is said */
    bool could = what == p.artifact[w.session];
    unsigned have[GOOD] = { 0 };
    for (unsigned i = 0; i < p.n_said; i++)
        if (p.said[i].session == w.session && !p.said[i].deny &&
            p.said[i].voice < GOOD)
            have[p.said[i].voice] = 1;
    could = could && (have[0] || have[1]) && have[2] && have[3];
    could = could && !p.told[w.session];
    if (p.s->call[call].rc == RC_OK && !could)
        sim_fail(p.s, "node%u led a signature nobody approved", honest);
    p.used[w.session] += 5; /* it may have used any of them */
    *(p.s->call[call].rc == RC_OK ? &p.shares : &p.refusals) += 1;
    wire_session_free(&w.w);
}

/* ---- many times ------------------------------------------------------------ */

static void one_seed(uint64_t seed)
{
    p.s->seed = seed;
    p.s->chance = seed * 0x9E3779B97F4A7C15u;
    people_speak();
    for (unsigned i = 0; i < STEPS; i++)
        switch (sim_dice(p.s, 12)) {
        case 0:
            have_one_lead();
            break;
        case 1:
            somebody_denies();
            break;
        default:
            ask_for_a_share();
        }
    clear();
}

static void cluster_of(unsigned nodes, uint64_t seed, uint64_t n)
{
    p.s = sim_new(seed, nodes);
    p.corrupt = nodes == 5 ? 2 : 1; /* t - 1 */
    sim_ready(p.s, guarded);
    collude_begin(&p.c, p.s, "guarded");
    for (uint64_t i = 0; i < n; i++)
        one_seed(seed + i);
    collude_end(&p.c);
    sim_run(p.s, 5000);
    sim_check(p.s);
    sim_free(p.s);
}

static void t_minus_1_nodes_and_all_relays_sign_nothing(void **state)
{
    (void)state;
    uint64_t runs = sim_number("MPC_SIM_RUNS", DEFAULT_RUNS);
    uint64_t from = sim_number("MPC_SIM_FIRST", FIRST_SEED);
    if (getenv("MPC_SIM_SEED")) {
        uint64_t seed = sim_number("MPC_SIM_SEED", 0);
        uint64_t first = seed / A_CLUSTER * A_CLUSTER;
        cluster_of(first / A_CLUSTER % 2 ? 5 : 3, first, seed - first + 1);
        return;
    }
    for (uint64_t at = 0; at < runs; at += A_CLUSTER) {
        uint64_t first = from / A_CLUSTER * A_CLUSTER + at;
        cluster_of(first / A_CLUSTER % 2 ? 5 : 3, first,
                   runs - at < A_CLUSTER ? runs - at : A_CLUSTER);
    }
    print_message("%llu seeds: %u shares that people approved, %u refusals, "
                  "%u denials told\n",
                  (unsigned long long)runs, p.shares, p.refusals, p.denials);
    assert_true(runs < 100 || (p.shares > runs / 20 && p.refusals > runs &&
                               p.denials > runs / 20));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(t_minus_1_nodes_and_all_relays_sign_nothing,
                                  sim_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
