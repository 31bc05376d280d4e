/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a session: each cell of the table, and what follows from it. */
#include "test.h"

#include "base/file.h"
#include "base/own.h"
#include "sidecar/lifecycle.h"

static bool terminal(enum life_state s)
{
    return s != LIFE_OPEN && s != LIFE_APPROVED && s != LIFE_SIGNING;
}

static bool known(enum life_state s)
{
    return (unsigned)s < LIFE__STATES;
}

/* What holds for every cell, whatever it says. */
static void check_cell(enum life_state s, enum life_event e, bool enough)
{
    enum life_state to = s;
    enum rc rc = life_step(&to, e, enough);
    const char *from = life_state_name(s);
    const char *what = life_event_name(e);
    if (rc != RC_OK && to != s)
        fail_msg("%s, %s: refused, and the state changed", from, what);
    if (!known(to))
        fail_msg("%s, %s: leads nowhere", from, what);
    if (rc == RC_OK && terminal(s) && to != s && to != LIFE_USED)
        fail_msg("%s, %s: came back as %s", from, what, life_state_name(to));
    if (rc == RC_OK && !enough && to == LIFE_APPROVED && s != LIFE_APPROVED)
        fail_msg("%s, %s: approved without approvals", from, what);
    bool signs = e == LIFE_MARK || e == LIFE_SHARE;
    if (signs && rc == RC_OK && s != LIFE_APPROVED && s != LIFE_SIGNING)
        fail_msg("%s, %s: signs", from, what);
    if (e == LIFE_SHARE && rc == RC_OK && s != LIFE_SIGNING)
        fail_msg("%s: a share without a mark", from);
    if (e == LIFE_RECEIPT && to != LIFE_USED)
        fail_msg("%s: a signature exists, and it says %s", from,
                 life_state_name(to));
    if (e == LIFE_DENY && rc == RC_OK && !terminal(s) && to != LIFE_DENIED)
        fail_msg("%s: a denial denies nothing", from);
    /* again is the same: events may come twice */
    enum life_state again = to;
    if (rc == RC_OK && !signs && life_step(&again, e, enough) == RC_OK &&
        again != to)
        fail_msg("%s, %s twice: %s", from, what, life_state_name(again));
}

static void every_cell_keeps_the_rules(void **state)
{
    (void)state;
    for (unsigned s = 0; s < LIFE__STATES; s++)
        for (unsigned e = 0; e < LIFE__EVENTS; e++) {
            check_cell((enum life_state)s, (enum life_event)e, false);
            check_cell((enum life_state)s, (enum life_event)e, true);
        }
}

/* clang-format off */
static const struct {
    const char *why;
    enum life_state from;
    enum life_event event;
    bool enough;
    enum rc rc;
    enum life_state to;
} cases[] = {
    { "the last approval", LIFE_OPEN, LIFE_APPROVAL, true, RC_OK, LIFE_APPROVED },
    { "one of several", LIFE_OPEN, LIFE_APPROVAL, false, RC_OK, LIFE_OPEN },
    { "revoked before", LIFE_APPROVED, LIFE_REVOKE, false, RC_OK, LIFE_OPEN },
    { "one more than needed", LIFE_APPROVED, LIFE_REVOKE, true, RC_OK, LIFE_APPROVED },
    { "revoked between attempts", LIFE_SIGNING, LIFE_REVOKE, false, RC_OK, LIFE_OPEN },
    { "denied between attempts", LIFE_SIGNING, LIFE_DENY, true, RC_OK, LIFE_DENIED },
    { "too late", LIFE_USED, LIFE_DENY, true, RC_ORDER, LIFE_USED },
    { "no way back", LIFE_DENIED, LIFE_APPROVAL, true, RC_DENIED, LIFE_DENIED },
    { "nobody approved", LIFE_OPEN, LIFE_MARK, false, RC_NOT_APPROVED, LIFE_OPEN },
    { "the lead gave up", LIFE_SIGNING, LIFE_FAILURE, true, RC_OK, LIFE_BURNT },
    { "burnt is burnt", LIFE_BURNT, LIFE_MARK, true, RC_SLOT_BURNT, LIFE_BURNT },
    { "the clock", LIFE_APPROVED, LIFE_EXPIRY, true, RC_OK, LIFE_EXPIRED },
    { "it was used in time", LIFE_USED, LIFE_EXPIRY, true, RC_OK, LIFE_USED },
    { "other rules now", LIFE_APPROVED, LIFE_POLICY, true, RC_OK, LIFE_POLICY_CHANGED },
};
/* clang-format on */

static void the_cells_that_matter_say_what_they_must(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        enum life_state at = cases[i].from;
        enum rc rc = life_step(&at, cases[i].event, cases[i].enough);
        if (rc != cases[i].rc || at != cases[i].to)
            fail_msg("%s: %s, %s", cases[i].why, rc_slug(rc),
                     life_state_name(at));
    }
}

/* All 128 sets of facts have the state that people would give them. */
static void a_state_follows_from_any_facts(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 128; bits++) {
        const struct life_facts f = {
            .enough = bits & 1,
            .marked = bits & 2,
            .used = bits & 4,
            .burnt = bits & 8,
            .denied = bits & 16,
            .expired = bits & 32,
            .outdated = bits & 64,
        };
        enum life_state want = f.used       ? LIFE_USED
                               : f.burnt    ? LIFE_BURNT
                               : f.denied   ? LIFE_DENIED
                               : f.outdated ? LIFE_POLICY_CHANGED
                               : f.expired  ? LIFE_EXPIRED
                               : !f.enough  ? LIFE_OPEN
                               : f.marked   ? LIFE_SIGNING
                                            : LIFE_APPROVED;
        if (life_of(&f) != want)
            fail_msg("facts %02x: %s, want %s", bits,
                     life_state_name(life_of(&f)), life_state_name(want));
    }
}

static void the_docs_print_this_table(void **state)
{
    (void)state;
    char table[8192];
    OWNED_MEM uint8_t *page = NULL;
    size_t len;
    life_table(table, sizeof(table));
    assert_true(strlen(table) + 1 < sizeof(table));
    assert_ok(file_read(&page, &len, MPC_SOURCE_DIR "/docs/SESSIONS.md",
                        64 * 1024));
    if (!memmem(page, len, table, strlen(table)))
        fail_msg("docs/SESSIONS.md prints another table than:\n%s", table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_keeps_the_rules),
        cmocka_unit_test(the_cells_that_matter_say_what_they_must),
        cmocka_unit_test(a_state_follows_from_any_facts),
        cmocka_unit_test(the_docs_print_this_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
