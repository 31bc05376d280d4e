/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Security keys: our half of WebAuthn against a CTAP2 device of software,
 * through libfido2 as with one of metal, and what each refusal is told as.
 */
#include "run.h"

#include <fido.h>
#include <fido/es256.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>

#include "cli/fido.h"

#define RP "localhost"

static char dir[64];
static char file[96];
static char device[128];

static int setup(void **state)
{
    (void)state;
    dir_make(dir);
    snprintf(file, sizeof(file), "%s/key", dir);
    snprintf(device, sizeof(device), FIDO_SOFT "%s", file);
    assert_ok(fido_soft_make(file));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dir_remove(dir);
    return 0;
}

static const uint8_t challenge[32] = { 1, 2, 3 };
static const char *const origins[] = { POLICY_CLI_ORIGIN };

/* Of persons that no policy holds. */
static struct policy_credential theirs[16][2];
static unsigned n_theirs;

static void enrol(struct policy_person *who, const char *name, const char *rp)
{
    static struct fido_made made;
    if (!who->credential)
        who->credential = theirs[n_theirs++];
    assert_true(n_theirs <= 16 && who->n_credentials < 2);
    assert_ok(fido_make_by(&made, device, rp, name, challenge));
    snprintf(who->id, sizeof(who->id), "%s", name);
    assert_ok(policy_webauthn_register(&who->credential[who->n_credentials++],
                                       challenge, rp, origins, 1,
                                       made.client_data, made.client_data_len,
                                       made.attestation, made.attestation_len));
}

/* libfido2's own judgement, so that two halves of ours cannot agree alone. */
static int verify(const struct fido_said *said,
                  const struct policy_credential *c)
{
    fido_assert_t *a = fido_assert_new();
    es256_pk_t *pk = es256_pk_new();
    uint8_t point[64];
    const uint8_t *cose =
            c->cose; /* a5 01 02 03 26 20 01 21 58 20 x 22 58 20 */
    memcpy(point, cose + 10, 32);
    memcpy(point + 32, cose + 45, 32);
    assert_int_equal(es256_pk_from_ptr(pk, point, 64), FIDO_OK);
    assert_int_equal(fido_assert_set_count(a, 1), FIDO_OK);
    assert_int_equal(fido_assert_set_rp(a, RP), FIDO_OK);
    assert_int_equal(
            fido_assert_set_clientdata(a, (const uint8_t *)said->client_data,
                                       said->client_data_len),
            FIDO_OK);
    assert_int_equal(fido_assert_set_authdata_raw(a, 0, said->auth_data,
                                                  said->auth_data_len),
                     FIDO_OK);
    assert_int_equal(
            fido_assert_set_sig(a, 0, said->signature, said->signature_len),
            FIDO_OK);
    assert_int_equal(fido_assert_set_up(a, FIDO_OPT_TRUE), FIDO_OK);
    assert_int_equal(fido_assert_set_uv(a, FIDO_OPT_TRUE), FIDO_OK);
    int code = fido_assert_verify(a, 0, COSE_ES256, pk);
    es256_pk_free(&pk);
    fido_assert_free(&a);
    return code;
}

static void a_credential_is_made_and_signs(void **state)
{
    (void)state;
    static struct policy_person bob;
    static struct fido_said said;
    enrol(&bob, "bob", RP);
    assert_int_equal(bob.credential[0].alg, POLICY_ES256);
    assert_ok(fido_assert_by(&said, device, &bob, challenge));
    assert_int_equal(said.auth_data_len, 37);
    assert_int_equal(said.credential_len, bob.credential[0].raw_id_len);
    assert_memory_equal(said.credential, bob.credential[0].raw_id,
                        said.credential_len);
    assert_int_equal(verify(&said, &bob.credential[0]), FIDO_OK);
    said.client_data[30] ^= 1;
    assert_int_not_equal(verify(&said, &bob.credential[0]), FIDO_OK);
}

static void the_client_data_is_a_browsers_with_our_origin(void **state)
{
    (void)state;
    static struct policy_person bob;
    static struct fido_said said;
    enrol(&bob, "bob", RP);
    assert_ok(fido_assert_by(&said, device, &bob, challenge));
    assert_string_equal(said.client_data,
                        "{\"type\":\"webauthn.get\",\"challenge\":"
                        "\"AQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
                        "\"origin\":\"cli:mpcsign\",\"crossOrigin\":false}");
}

static void it_makes_a_record_that_every_sidecar_takes(void **state)
{
    (void)state;
    static struct policy_person bob;
    static struct fido_said said;
    char text[POLICY_RECORD_MAX];
    size_t len;
    const uint8_t session[32] = { 9 };
    uint8_t wanted[32];
    enrol(&bob, "bob", RP);
    policy_challenge(wanted, session, POLICY_D_APPROVE, "steward", "bob");
    assert_ok(fido_assert_by(&said, device, &bob, wanted));
    assert_ok(policy_record_webauthn(
            text, &len, session, POLICY_D_APPROVE, "steward", "bob",
            said.credential, said.credential_len, said.client_data,
            said.client_data_len, said.auth_data, said.auth_data_len,
            said.signature, said.signature_len));
}

static void each_partys_credentials_are_tried(void **state)
{
    (void)state;
    static struct policy_person bob;
    static struct fido_said said;
    enrol(&bob, "bob", "old.example.org");
    enrol(&bob, "bob", RP);
    bob.credential[0].raw_id[3] ^= 1; /* of a key that is elsewhere */
    assert_ok(fido_assert_by(&said, device, &bob, challenge));
    assert_int_equal(verify(&said, &bob.credential[1]), FIDO_OK);
}

static void anothers_key_is_told_as_such(void **state)
{
    (void)state;
    static struct policy_person bob;
    static struct policy_person carol;
    static struct fido_said said;
    enrol(&bob, "bob", RP);
    snprintf(carol.id, sizeof(carol.id), "carol");
    assert_rc(fido_assert_by(&said, device, &carol, challenge), RC_UNKNOWN);
    assert_non_null(strstr(rc_text(), "carol: the policy has no security key"));
    assert_ok(fido_soft_make(file)); /* another device at the same place */
    assert_rc(fido_assert_by(&said, device, &bob, challenge), RC_UNKNOWN);
    assert_non_null(strstr(rc_text(), "holds no credential of this person"));
}

static void a_credential_for_browsers_or_revoked_is_not_used(void **state)
{
    (void)state;
    static struct policy_person bob;
    static struct fido_said said;
    enrol(&bob, "bob", RP);
    bob.credential[0].revoked = true;
    assert_rc(fido_assert_by(&said, device, &bob, challenge), RC_UNKNOWN);
    bob.credential[0].revoked = false;
    snprintf(bob.credential[0].origin[0], POLICY_ORIGIN_MAX,
             "http://localhost");
    assert_rc(fido_assert_by(&said, device, &bob, challenge), RC_UNKNOWN);
}

/* What stands behind the seed in the device's file. */
static void device_is(const char *what, const char *value)
{
    char text[128];
    FILE *f = fopen(file, "r+");
    assert_non_null(f);
    assert_int_equal(fread(text, 1, 64, f), 64);
    rewind(f);
    fprintf(f, "%.64s %s %s\n", text, what, value);
    fclose(f);
}

static void each_refusal_of_a_device_has_its_words(void **state)
{
    (void)state;
    static const struct {
        const char *status;
        enum rc rc;
        const char *says;
    } cases[] = {
        { "2f", RC_TIMEOUT, "nobody touched it" },
        { "3a", RC_TIMEOUT, "nobody touched it" },
        { "27", RC_AUTH, "its user refused" },
        { "31", RC_AUTH, "wrong PIN" },
        { "32", RC_AUTH, "blocked for good" },
        { "34", RC_AUTH, "too many wrong PINs" },
        { "35", RC_AUTH, "has no PIN" },
        { "3c", RC_AUTH, "fingerprint reader is blocked" },
        { "7f", RC_IO, "signing: FIDO_ERR" },
    };
    static struct policy_person bob;
    static struct fido_said said;
    enrol(&bob, "bob", RP);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        device_is("fail", cases[i].status);
        print_message("%s\n", cases[i].status);
        assert_rc(fido_assert_by(&said, device, &bob, challenge), cases[i].rc);
        if (!strstr(rc_text(), cases[i].says))
            fail_msg("%s: says \"%s\"", cases[i].says, rc_text());
    }
}

/* Has it sign at a terminal of its own: what that showed, and how it ended.
 * last: the terminal as it was left. */
static int end_at_terminal(char *seen, size_t cap, struct termios *last,
                           const struct policy_person *who, const char *answer)
{
    static struct fido_said said;
    int terminal;
    int status;
    size_t at = 0;
    bool typed = false;
    pid_t pid = forkpty(&terminal, NULL, NULL, NULL);
    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGINT, SIG_DFL); /* whoever runs us may ignore it */
        enum rc rc = fido_assert_by(&said, device, who, challenge);
        _exit(rc == RC_OK ? 0 : rc_exit(rc));
    }
    while (at + 1 < cap) {
        ssize_t n = read(terminal, seen + at, cap - 1 - at);
        if (n <= 0)
            break; /* EIO: the child has ended */
        at += (size_t)n;
        seen[at] = '\0';
        if (!typed && strstr(seen, "PIN of the security key:")) {
            assert_int_equal(write(terminal, answer, strlen(answer)),
                             strlen(answer));
            typed = true;
        }
    }
    seen[at] = '\0';
    assert_int_equal(tcgetattr(terminal, last), 0);
    close(terminal);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* The exit code. */
static int at_terminal(char *seen, size_t cap, const struct policy_person *who,
                       const char *answer)
{
    struct termios last;
    int status = end_at_terminal(seen, cap, &last, who, answer);
    assert_true(WIFEXITED(status));
    assert_true(last.c_lflag & ECHO);
    return WEXITSTATUS(status);
}

static void an_interrupt_at_the_pin_leaves_the_terminal_its_echo(void **state)
{
    (void)state;
    static struct policy_person bob;
    struct termios last;
    char seen[4096];
    enrol(&bob, "bob", RP);
    device_is("pin", "83241");
    int status = end_at_terminal(seen, sizeof(seen), &last, &bob, "832\003");
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
    assert_true(last.c_lflag & ECHO);
    assert_null(strstr(seen, "832"));
}

static void a_pin_is_asked_at_the_terminal_and_not_shown(void **state)
{
    (void)state;
    static struct policy_person bob;
    char seen[4096];
    enrol(&bob, "bob", RP);
    device_is("pin", "83241");
    assert_int_equal(at_terminal(seen, sizeof(seen), &bob, "83241\n"), 0);
    assert_non_null(strstr(seen, "PIN of the security key:"));
    assert_null(strstr(seen, "83241"));
    assert_int_equal(at_terminal(seen, sizeof(seen), &bob, "1111\n"),
                     rc_exit(RC_AUTH));
    assert_null(strstr(seen, "1111"));
}

static void without_a_terminal_a_pin_is_not_asked(void **state)
{
    (void)state;
    static struct policy_person bob;
    static struct fido_said said;
    enrol(&bob, "bob", RP);
    device_is("pin", "83241");
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) { /* of no session with a terminal */
        setsid();
        enum rc rc = fido_assert_by(&said, device, &bob, challenge);
        _exit(rc == RC_ARG && strstr(rc_text(), "no terminal") ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void no_device_is_said_clearly(void **state)
{
    (void)state;
    static struct policy_person bob;
    static struct fido_said said;
    enrol(&bob, "bob", RP);
    assert_rc(fido_assert_by(&said, "/dev/no-such-key", &bob, challenge),
              RC_UNKNOWN);
    assert_non_null(strstr(rc_text(), "no security key opens there"));
    assert_rc(fido_assert_by(&said, FIDO_SOFT "/no/such", &bob, challenge),
              RC_UNKNOWN);
}

int main(void)
{
#define DEVICE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        DEVICE(a_credential_is_made_and_signs),
        DEVICE(the_client_data_is_a_browsers_with_our_origin),
        DEVICE(it_makes_a_record_that_every_sidecar_takes),
        DEVICE(each_partys_credentials_are_tried),
        DEVICE(anothers_key_is_told_as_such),
        DEVICE(a_credential_for_browsers_or_revoked_is_not_used),
        DEVICE(each_refusal_of_a_device_has_its_words),
        DEVICE(a_pin_is_asked_at_the_terminal_and_not_shown),
        DEVICE(an_interrupt_at_the_pin_leaves_the_terminal_its_echo),
        DEVICE(without_a_terminal_a_pin_is_not_asked),
        DEVICE(no_device_is_said_clearly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
