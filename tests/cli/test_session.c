/* SPDX-License-Identifier: Apache-2.0 */
/* How sessions are shown, asked about and decided, without a cluster. */
#include "run.h"

#include <qrencode.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/enc.h"
#include "cli/session.h"

/* ---- states ------------------------------------------------------------- */

#define ID "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void read_state(struct wire_session_state *s, const char *state)
{
    char text[4096];
    int n = snprintf(
            text, sizeof(text),
            "{\"session\":\"" ID "\",\"state\":\"%s\",\"type\":\"sign\","
            "\"profile\":\"guarded\",\"requester\":\"dev\",\"reason\":\"r "
            "2.4\","
            "\"artifact\":{\"name\":\"app.tar\",\"size\":12,\"sha256\":\"" ID
            "\",\"sha512\":\"" ID ID "\"},\"created\":1000,\"expires\":1600,"
            "\"required\":{\"engineer\":1,\"steward\":2},"
            "\"have\":{\"engineer\":0,\"steward\":1},"
            "\"records\":[{\"person\":\"bob\",\"role\":\"steward\","
            "\"decision\":\"approve\",\"kind\":\"sshsig\",\"way\":\"ssh\","
            "\"nodes\":3}],\"slots\":[{\"kind\":\"raw\",\"state\":\"open\","
            "\"attempts\":0},{\"kind\":\"cms\",\"state\":\"used\","
            "\"attempts\":2}],\"acks\":{\"deny\":0,\"need\":2},"
            "\"break_glass\":false,\"simulated\":true}",
            state);
    assert_ok(wire_session_state_decode(s, text, (size_t)n));
}

static char *shown(void (*show)(FILE *, const struct wire_session_state *,
                                int64_t),
                   const struct wire_session_state *s)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    assert_non_null(f);
    show(f, s, 1000 + 48);
    fclose(f);
    return text;
}

static void says(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("says nothing of \"%s\":\n%s", words, text);
}

static void a_page_says_what_is_asked_and_what_is_missing(void **state)
{
    (void)state;
    WIRE(session_state) s = { 0 };
    read_state(&s, "open");
    setenv("MPC_APPROVE_URL", "http://localhost:8443/", 1);
    char *text = shown(state_page, &s);
    says(text, "session      " ID "\n");
    says(text, "code         00112233\n");
    says(text, "asks         sign with guarded, by dev\n");
    says(text, "reason       r 2.4\n");
    says(text, "artifact     app.tar, 12 bytes\n  sha256     " ID "\n");
    says(text, "0 of 1 engineers, 1 of 2 stewards\n");
    says(text, "✓ bob        approved as steward, SSH key\n");
    says(text, "missing      1 engineer, 1 steward\n");
    says(text, "slot         cms    used, 2 attempts\n");
    says(text, "expires      in 9 min 12 s, 1970-01-01T00:26:40Z\n");
    says(text, "mpcsign approve " ID " --as PERSON --role ROLE\n");
    says(text, "or           http://localhost:8443/s/" ID "\n");
    free(text);
    unsetenv("MPC_APPROVE_URL");
}

static void lines(FILE *to, const struct wire_session_state *s, int64_t now_s)
{
    assert_int_equal(state_lines(to, s, now_s), 2);
}

static void progress_is_a_line_a_person_and_one_of_the_rest(void **state)
{
    (void)state;
    WIRE(session_state) s = { 0 };
    read_state(&s, "open");
    char *text = shown(lines, &s);
    assert_string_equal(text,
                        "  ✓ bob        approved as steward, SSH key\n"
                        "  … waits for 1 engineer, 1 steward; ends in 9 min "
                        "12 s\n");
    free(text);
    wire_session_state_free(&s);
    read_state(&s, "denied");
    text = shown(lines, &s);
    says(text, "  ✗ denied\n");
    free(text);
}

static void each_end_has_its_exit_code(void **state)
{
    (void)state;
    static const struct {
        const char *state;
        int code;
    } cases[] = {
        { "approved", 0 }, { "signing", 0 },        { "used", 0 },
        { "open", 3 },     { "denied", 4 },         { "expired", 5 },
        { "burnt", 1 },    { "policy_changed", 6 }, { "else", 1 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        WIRE(session_state) s = { 0 };
        read_state(&s, cases[i].state);
        enum rc rc = state_verdict(&s);
        print_message("%s\n", cases[i].state);
        assert_int_equal(rc == RC_OK ? 0 : rc_exit(rc), cases[i].code);
    }
}

static void an_open_session_names_who_is_missing_and_the_command(void **state)
{
    (void)state;
    WIRE(session_state) s = { 0 };
    read_state(&s, "open");
    assert_rc(state_verdict(&s), RC_NOT_APPROVED);
    says(rc_text(), "waits for 1 engineer, 1 steward");
    says(rc_hint_text(), "mpcsign approve " ID);
}

static void what_moves_a_terminal_or_hides_is_not_shown(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *plain;
    } cases[] = {
        { "app.tar.gz", "app.tar.gz" },
        { "grün ✓ 日本", "grün ✓ 日本" },
        { "a\033[2Jb", "a?[2Jb" },
        { "a\nb\rc\x7f", "a?b?c?" },
        { "a\xc2\x9b"
          "31mb",
          "a?31mb" },
        { "gpj.\xe2\x80\xae"
          "exe",
          "gpj.?exe" },
        { "a\xe2\x80\x8b"
          "b\xe2\x81\xa6"
          "c\xef\xbb\xbf"
          "d",
          "a?b?c?d" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char out[64];
        assert_string_equal(state_plain(out, sizeof(out), cases[i].text),
                            cases[i].plain);
        strcpy(out, cases[i].text); /* in place */
        assert_string_equal(state_plain(out, sizeof(out), out), cases[i].plain);
    }
    char small[4];
    assert_string_equal(state_plain(small, sizeof(small), "abcdef"), "abc");
}

/* What a check found in a stranger's file, as verify and doctor print it. */
static void a_line_with_anothers_words_moves_no_terminal(void **state)
{
    (void)state;
    char text[128];
    FILE *f = tmpfile();
    int was = dup(STDOUT_FILENO);
    fflush(stdout);
    assert_true(f && dup2(fileno(f), STDOUT_FILENO) >= 0);
    enum rc rc = cli_say_line("%s: %s", "ok", "a\033[2Jb\nFAIL\xc2\x9b");
    fflush(stdout);
    assert_true(dup2(was, STDOUT_FILENO) >= 0);
    close(was);
    assert_ok(rc);
    rewind(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    assert_string_equal(text, "ok: a?[2Jb?FAIL?\n");
}

static void time_left_is_said_in_two_units(void **state)
{
    (void)state;
    char out[STATE_WORDS];
    assert_string_equal(state_left(out, 59, 0), "in 59 s");
    assert_string_equal(state_left(out, 61, 0), "in 1 min 1 s");
    assert_string_equal(state_left(out, 7260, 0), "in 2 h 1 min");
    assert_string_equal(state_left(out, 0, 5), "5 s ago");
}

/* ---- QR codes ----------------------------------------------------------- */

#define URL "http://localhost:8443/s/" ID

static char *qr_text(bool colour)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    assert_non_null(f);
    assert_ok(qr_print(f, URL, colour));
    fclose(f);
    return text;
}

#define SIDE_MAX 128
struct picture {
    bool drawn[SIDE_MAX][SIDE_MAX];
    unsigned rows;
    unsigned columns;
};

/* Half blocks back into modules; escapes are skipped. */
static void see(struct picture *p, const char *text)
{
    unsigned x = 0;
    *p = (struct picture){ 0 };
    while (*text) {
        bool upper = false;
        bool lower = false;
        if (*text == '\033') {
            text += strcspn(text, "m") + 1;
            continue;
        }
        if (*text == '\n') {
            p->rows += 2;
            x = 0;
            text++;
            continue;
        }
        if (*text == ' ') {
            text++;
        } else {
            upper = memcmp(text, "▄", 3) != 0;
            lower = memcmp(text, "▀", 3) != 0;
            assert_true(memcmp(text, "█", 2) == 0);
            text += 3;
        }
        assert_true(x < SIDE_MAX && p->rows + 1 < SIDE_MAX);
        p->drawn[p->rows][x] = upper;
        p->drawn[p->rows + 1][x] = lower;
        p->columns = ++x;
    }
}

static void a_qr_code_is_drawn_module_by_module(void **state)
{
    (void)state;
    static struct picture p;
    QRcode *q = QRcode_encodeString(URL, 0, QR_ECLEVEL_L, QR_MODE_8, 1);
    assert_non_null(q);
    for (int colour = 0; colour < 2; colour++) {
        char *text = qr_text(colour);
        see(&p, text);
        free(text);
        assert_int_equal(p.columns, q->width + 8);
        for (int y = 0; y < q->width; y++)
            for (int x = 0; x < q->width; x++)
                assert_int_equal(p.drawn[y + 4][x + 4] == (bool)colour,
                                 q->data[y * q->width + x] & 1);
        for (unsigned x = 0; x < p.columns; x++)
            assert_int_equal(p.drawn[0][x], !colour); /* quiet zone */
    }
    QRcode_free(q);
}

#define SCALE 6
static void write_picture(const char *path, const struct picture *p)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "P2\n%u %u\n1\n", p->columns * SCALE, p->rows * SCALE);
    for (unsigned y = 0; y < p->rows * SCALE; y++)
        for (unsigned x = 0; x < p->columns * SCALE; x++)
            fprintf(f, "%d\n", !p->drawn[y / SCALE][x / SCALE]);
    fclose(f);
}

static void another_program_reads_the_qr_code(void **state)
{
    (void)state;
    static struct picture p;
    char dir[64];
    char path[96];
    struct run r;
    dir_make(dir);
    snprintf(path, sizeof(path), "%s/qr.pgm", dir);
    char *text = qr_text(true);
    see(&p, text);
    free(text);
    write_picture(path, &p);
    RUN_TOOL(&r, "zbarimg", "-q", "--raw", path);
    assert_code(&r, 0);
    assert_string_equal(r.out, URL "\n");
    run_free(&r);
    dir_remove(dir);
}

/* ---- SSH keys ----------------------------------------------------------- */

static void public_lines_are_read_as_openssh_writes_them(void **state)
{
    (void)state;
#define PLAIN                                                                  \
    "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
#define SK                                                                     \
    "AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAABAgMEBQYHCAkKCwwNDg8QERI"  \
    "TFBUWFxgZGhscHR4fAAAABHNzaDo="
    static const struct {
        const char *line;
        enum rc rc;
    } cases[] = {
        { "ssh-ed25519 " PLAIN " bob", RC_OK },
        { "ssh-ed25519 " PLAIN "\n", RC_OK },
        { "ssh-ed25519 " PLAIN, RC_OK },
        { "sk-ssh-ed25519@openssh.com " SK " bob", RC_OK },
        { "ssh-ed25519", RC_PARSE },
        { "ssh-ed25519 AAAA", RC_PARSE },
        { "ssh-ed25519 !!!!", RC_PARSE },
        { "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAQA= bob", RC_PARSE },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        uint8_t key[32];
        print_message("%s\n", cases[i].line);
        assert_rc(ssh_public_line(key, cases[i].line, strlen(cases[i].line)),
                  cases[i].rc);
        for (uint8_t k = 0; cases[i].rc == RC_OK && k < 32; k++)
            assert_int_equal(key[k], k);
    }
}

static void a_key_with_a_passphrase_signs_through_ssh_keygen(void **state)
{
    (void)state;
    char dir[64];
    char key_file[96];
    char sig[SSH_SIG_MAX];
    char text[POLICY_RECORD_MAX];
    size_t len;
    struct run r;
    uint8_t key[32];
    uint8_t session[32] = { 7 };
    uint8_t challenge[32];
    dir_make(dir);
    snprintf(key_file, sizeof(key_file), "%s/key", dir);
    RUN_TOOL(&r, "ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f",
             key_file);
    assert_code(&r, 0);
    run_free(&r);
    /* the prompt is answered as a desktop's would be */
    char ask[96];
    snprintf(ask, sizeof(ask), "%s/ask", dir);
    FILE *f = fopen(ask, "w");
    fputs("#!/bin/sh\necho secret\n", f);
    fclose(f);
    chmod(ask, 0700);
    setenv("SSH_ASKPASS", ask, 1);
    setenv("SSH_ASKPASS_REQUIRE", "force", 1);
    unsetenv("SSH_AUTH_SOCK");
    policy_challenge(challenge, session, POLICY_D_APPROVE, "steward", "bob");
    assert_ok(ssh_sign(sig, &len, key, key_file, challenge));
    /* which verifies what it wraps */
    assert_ok(policy_record_sshsig(text, &len, session, POLICY_D_APPROVE,
                                   "steward", "bob", key, sig, strlen(sig)));
    dir_remove(dir);
}

/* ---- words -------------------------------------------------------------- */

static void wrong_words_are_told_before_anything_is_asked(void **state)
{
    (void)state;
    static const struct {
        const char *words[8];
        const char *says;
    } cases[] = {
        { { "approve" }, "ID is missing" },
        { { "approve", "abc" }, "want 64 hex digits" },
        { { "approve", ID, "--role" }, "--role: wants a value" },
        { { "status", "-w" }, "ID is missing" },
        { { "status", "0011" }, "ID: want 64 hex digits" },
        { { "request", "f" }, "--profile is missing" },
        { { "request", "f", "--profile", "p", "--timeout", "5" }, "--wait" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct run r;
        run_mpcsign(&r, cases[i].words);
        assert_code(&r, 2);
        says(r.err, cases[i].says);
        run_free(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_says_what_is_asked_and_what_is_missing),
        cmocka_unit_test(progress_is_a_line_a_person_and_one_of_the_rest),
        cmocka_unit_test(each_end_has_its_exit_code),
        cmocka_unit_test(an_open_session_names_who_is_missing_and_the_command),
        cmocka_unit_test(what_moves_a_terminal_or_hides_is_not_shown),
        cmocka_unit_test(a_line_with_anothers_words_moves_no_terminal),
        cmocka_unit_test(time_left_is_said_in_two_units),
        cmocka_unit_test(a_qr_code_is_drawn_module_by_module),
        cmocka_unit_test(another_program_reads_the_qr_code),
        cmocka_unit_test(public_lines_are_read_as_openssh_writes_them),
        cmocka_unit_test(a_key_with_a_passphrase_signs_through_ssh_keygen),
        cmocka_unit_test(wrong_words_are_told_before_anything_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
