/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "authenticator.h"
#include "fixture.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <sodium.h>

#include "base/enc.h"
#include "base/file.h"
#include "base/hash.h"

extern char **environ;

static const uint8_t session[32] = { 1, 2, 3 };

/* ---- records --------------------------------------------------------------- */

static void a_record_is_believed_of_its_maker(void **state)
{
    (void)state;
    struct policy *p = fx_policy(1);
    struct fx_record r;
    struct policy_record out;
    fx_record(&r, session, POLICY_D_APPROVE, "steward", "bob");
    assert_ok(policy_record_check(&out, p, session, r.text, r.blob.len));
    assert_string_equal(out.person, "bob");
    assert_string_equal(out.role, "steward");
    assert_string_equal(out.kind, "sshsig");
    assert_int_equal(out.decision, POLICY_D_APPROVE);
    fx_record(&r, session, POLICY_D_REQUEST, "requester", "dev");
    assert_ok(policy_record_check(&out, p, session, r.text, r.blob.len));
    policy_free(p);
}

static void the_challenge_binds_all_it_names(void **state)
{
    (void)state;
    /* H(tag, session, decision, lengths and names), written out */
    uint8_t text[16 + 32 + 1 + 1 + 7 + 1 + 3], want[32], got[32];
    memcpy(text, "mpc/approval/v1", 16);
    memcpy(text + 16, session, 32);
    memcpy(text + 48,
           "\x01\x07steward\x03"
           "bob",
           13);
    hash256(want, text, sizeof(text));
    policy_challenge(got, session, POLICY_D_APPROVE, "steward", "bob");
    assert_memory_equal(got, want, 32);
    policy_challenge(got, session, POLICY_D_DENY, "steward", "bob");
    assert_memory_not_equal(got, want, 32);
    policy_challenge(got, session, POLICY_D_APPROVE, "stewardb", "ob");
    assert_memory_not_equal(got, want, 32);
}

struct bad {
    const char *why;
    const char *path;
    const char *value;
    enum rc rc;
};
#define H64                                                                    \
    "\"0000000000000000000000000000000000000000000000000000000000000001\""
#define B32 "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\""
/* clang-format off */
static const struct bad bads[] = { /* erin's approval as steward, changed */
    { "another format", "v", "2", RC_PARSE },
    { "a member missing", "auth_data", NULL, RC_PARSE },
    { "a member too many", "time", "1", RC_PARSE },
    { "another session", "session", H64, RC_POLICY },
    { "another role of the same person", "role", "\"engineer\"", RC_VERIFY },
    { "a role she has not", "role", "\"requester\"", RC_POLICY },
    { "a role nobody has", "role", "\"boss\"", RC_POLICY },
    { "deny instead of approve", "decision", "2", RC_VERIFY },
    { "revoke instead of approve", "decision", "3", RC_VERIFY },
    { "request instead of approve", "decision", "0", RC_POLICY },
    { "decision 4", "decision", "4", RC_PARSE },
    { "decision as word", "decision", "\"approve\"", RC_PARSE },
    { "another person with the role", "person", "\"bob\"", RC_POLICY },
    { "a person without the role", "person", "\"alice\"", RC_POLICY },
    { "a person nobody knows", "person", "\"mallory\"", RC_POLICY },
    { "a person in capitals", "person", "\"Erin\"", RC_PARSE },
    { "a kind nobody knows", "kind", "\"pgp\"", RC_PARSE },
    { "a kind she has not", "kind", "\"webauthn\"", RC_POLICY },
    { "a security key she has not", "kind", "\"sshsig-sk\"", RC_POLICY },
    { "another credential", "credential", B32, RC_POLICY },
    { "a short credential", "credential", "\"AAAA\"", RC_PARSE },
    { "client data", "client_data", "\"AAAA\"", RC_PARSE },
    { "authenticator data", "auth_data", "\"AAAA\"", RC_PARSE },
    { "no signature", "signature", "\"\"", RC_PARSE },
    { "a signature that is none", "signature", B32, RC_PARSE },
    { "a padded signature", "signature", "\"AA==\"", RC_PARSE },
};
/* clang-format on */

static void a_changed_record_is_refused(void **state)
{
    (void)state;
    struct policy *p = fx_policy(1);
    struct fx_record r;
    fx_record(&r, session, POLICY_D_APPROVE, "steward", "erin");
    for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
        json_t *j = json_loadb(r.text, r.blob.len, 0, NULL);
        fx_patch(j, bads[i].path, bads[i].value);
        char *text = fx_text(j);
        struct policy_record out;
        enum rc rc = policy_record_check(&out, p, session, text, strlen(text));
        if (rc != bads[i].rc)
            fail_msg("%s: %s (%s), want %s", bads[i].why, rc_slug(rc),
                     rc_text(), rc_slug(bads[i].rc));
        free(text);
        json_decref(j);
    }
    policy_free(p);
}

/* The blob is fixed to the byte: no byte of it can change. */
static void every_byte_of_an_sshsig_matters(void **state)
{
    (void)state;
    struct policy *p = fx_policy(1);
    struct fx_record r;
    fx_record(&r, session, POLICY_D_APPROVE, "steward", "bob");
    json_t *j = json_loadb(r.text, r.blob.len, 0, NULL);
    const char *sig = json_string_value(json_object_get(j, "signature"));
    uint8_t blob[1024];
    size_t len = 0;
    assert_ok(enc_unb64u(blob, sizeof(blob), &len, sig, strlen(sig)));
    for (size_t i = 0; i <= len; i++) {
        char b64[ENC_B64_SIZE(1024)];
        if (i < len)
            blob[i] ^= 1;
        /* the last turn: nothing changed, but a byte short */
        enc_b64u(b64, blob, i < len ? len : len - 1);
        json_object_set_new(j, "signature", json_string(b64));
        char *text = fx_text(j);
        struct policy_record out;
        if (policy_record_check(&out, p, session, text, strlen(text)) == RC_OK)
            fail_msg("byte %zu does not matter", i);
        free(text);
        if (i < len)
            blob[i] ^= 1;
    }
    json_decref(j);
    policy_free(p);
}

static void another_persons_key_signs_nothing(void **state)
{
    (void)state;
    uint8_t pk[32], sk[64], challenge[32], blob[1024];
    char out[POLICY_RECORD_MAX];
    size_t len = 0, n = 0;
    fx_key(pk, sk, "carol");
    policy_challenge(challenge, session, POLICY_D_APPROVE, "steward", "bob");
    assert_ok(policy_sshsig_make(blob, sizeof(blob), &len, challenge, sk));
    fx_key(pk, sk, "bob");
    assert_rc(policy_record_sshsig(out, &n, session, POLICY_D_APPROVE,
                                   "steward", "bob", pk, (const char *)blob,
                                   len),
              RC_VERIFY);
}

static void a_small_buffer_gets_no_sshsig(void **state)
{
    (void)state;
    uint8_t pk[32], sk[64], blob[100];
    size_t len = 5;
    fx_key(pk, sk, "bob");
    assert_rc(policy_sshsig_make(blob, sizeof(blob), &len, session, sk),
              RC_NOMEM);
    assert_int_equal(len, 5);
}

/* ---- against OpenSSH itself ------------------------------------------------ */

struct keygen {
    char dir[64];
    char path[128];
    uint8_t sk[64];
};

static void run(const char *const *argv)
{
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
    pid_t pid;
    char **args = (char **)(uintptr_t)argv;
    assert_int_equal(posix_spawnp(&pid, argv[0], &quiet, NULL, args, environ),
                     0);
    posix_spawn_file_actions_destroy(&quiet);
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int keygen_new(void **state)
{
    struct keygen *k = calloc(1, sizeof(*k));
    if (!k)
        return -1;
    snprintf(k->dir, sizeof(k->dir), "/tmp/mpc-policy-XXXXXX");
    if (!mkdtemp(k->dir))
        return -1;
    snprintf(k->path, sizeof(k->path), "%s/id", k->dir);
    const char *argv[] = { "ssh-keygen", "-q",     "-t", "ed25519", "-N", "",
                           "-C",         "a test", "-f", k->path,   NULL };
    run(argv);
    *state = k;
    return 0;
}

static void keygen_remove(const struct keygen *k, const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", k->dir, name);
    unlink(path);
}

static int keygen_free(void **state)
{
    struct keygen *k = *state;
    static const char *const names[] = { "id",      "id.pub", "msg",
                                         "msg.sig", "locked", "locked.pub" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        keygen_remove(k, names[i]);
    int rc = rmdir(k->dir);
    free(k);
    return rc;
}

static void read_key(struct keygen *k)
{
    uint8_t *pem = NULL;
    size_t len = 0;
    assert_ok(file_read(&pem, &len, k->path, 4096));
    assert_ok(policy_ssh_key_read(k->sk, (const char *)pem, len));
    free(pem);
}

/* ssh-keygen -Y sign over the challenge's text; the armour, heap. */
static char *keygen_sign(const struct keygen *k, const char *space,
                         const char *hash, const uint8_t challenge[32])
{
    char msg[128], sig[128], text[ENC_B64_SIZE(32)], option[32];
    snprintf(msg, sizeof(msg), "%s/msg", k->dir);
    snprintf(sig, sizeof(sig), "%s/msg.sig", k->dir);
    snprintf(option, sizeof(option), "hashalg=%s", hash);
    enc_b64u(text, challenge, 32);
    assert_ok(file_write(msg, text, strlen(text), 0600));
    unlink(sig);
    const char *argv[] = { "ssh-keygen", "-Y",  "sign", "-q",   "-f", k->path,
                           "-n",         space, "-O",   option, msg,  NULL };
    run(argv);
    uint8_t *armour = NULL;
    size_t len = 0;
    assert_ok(file_read(&armour, &len, sig, 4096));
    return (char *)armour;
}

/* A policy in which bob's key is the one ssh-keygen made. */
static struct policy *policy_with(const struct keygen *k)
{
    char b64[ENC_B64_SIZE(32)], value[64];
    json_t *j = fx_policy_json(1, fx_zeros);
    snprintf(value, sizeof(value), "\"%s\"", enc_b64u(b64, k->sk + 32, 32));
    fx_patch(j, "persons.3.credentials.0.key", value);
    struct policy *p = fx_policy_of(j);
    json_decref(j);
    return p;
}

static void signatures_of_ssh_keygen_verify(void **state)
{
    struct keygen *k = *state;
    static const char *const hashes[] = { "sha512", "sha256" };
    read_key(k);
    struct policy *p = policy_with(k);
    for (unsigned i = 0; i < 2; i++) {
        uint8_t challenge[32];
        char record[POLICY_RECORD_MAX];
        size_t len = 0;
        struct policy_record out;
        policy_challenge(challenge, session, POLICY_D_APPROVE, "steward",
                         "bob");
        char *armour = keygen_sign(k, "approve@mpcsign", hashes[i], challenge);
        assert_ok(policy_record_sshsig(record, &len, session, POLICY_D_APPROVE,
                                       "steward", "bob", k->sk + 32, armour,
                                       strlen(armour)));
        assert_ok(policy_record_check(&out, p, session, record, len));
        /* neither as another role, decision, person nor session */
        assert_rc(policy_record_sshsig(record, &len, session, POLICY_D_DENY,
                                       "steward", "bob", k->sk + 32, armour,
                                       strlen(armour)),
                  RC_VERIFY);
        assert_rc(policy_record_sshsig(record, &len, session, POLICY_D_APPROVE,
                                       "engineer", "bob", k->sk + 32, armour,
                                       strlen(armour)),
                  RC_VERIFY);
        assert_rc(policy_record_sshsig(record, &len, session, POLICY_D_APPROVE,
                                       "steward", "carol", k->sk + 32, armour,
                                       strlen(armour)),
                  RC_VERIFY);
        assert_rc(policy_record_sshsig(record, &len, challenge,
                                       POLICY_D_APPROVE, "steward", "bob",
                                       k->sk + 32, armour, strlen(armour)),
                  RC_VERIFY);
        free(armour);
    }
    policy_free(p);
}

static void another_namespace_is_refused(void **state)
{
    struct keygen *k = *state;
    uint8_t challenge[32];
    char record[POLICY_RECORD_MAX];
    size_t len = 0;
    read_key(k);
    policy_challenge(challenge, session, POLICY_D_APPROVE, "steward", "bob");
    char *armour = keygen_sign(k, "file", "sha512", challenge);
    assert_rc(policy_record_sshsig(record, &len, session, POLICY_D_APPROVE,
                                   "steward", "bob", k->sk + 32, armour,
                                   strlen(armour)),
              RC_VERIFY);
    assert_non_null(strstr(rc_text(), "namespace"));
    free(armour);
}

/* What we make, OpenSSH makes too: Ed25519 has one signature a message. */
static void our_signature_is_the_same_bytes(void **state)
{
    struct keygen *k = *state;
    uint8_t challenge[32] = { 9 }, blob[1024];
    char b64[ENC_B64_SIZE(1024)], body[ENC_B64_SIZE(1024)];
    size_t len = 0, n = 0;
    read_key(k);
    assert_ok(policy_sshsig_make(blob, sizeof(blob), &len, challenge, k->sk));
    enc_b64(b64, blob, len);
    char *armour = keygen_sign(k, "approve@mpcsign", "sha512", challenge);
    for (const char *c = strchr(armour, '\n'); strncmp(c, "\n-----END", 9); c++)
        if (*c != '\n')
            body[n++] = *c;
    body[n] = 0;
    assert_string_equal(b64, body);
    free(armour);
}

/* ssh-keygen -Y check-novalidate over msg; its exit code. */
static int keygen_check(const struct keygen *k, const uint8_t *blob, size_t len,
                        const uint8_t challenge[32])
{
    char msg[128], sig[128], b64[ENC_B64_SIZE(1024)], armour[2048], cmd[512];
    char text[ENC_B64_SIZE(32)];
    snprintf(msg, sizeof(msg), "%s/msg", k->dir);
    snprintf(sig, sizeof(sig), "%s/msg.sig", k->dir);
    snprintf(armour, sizeof(armour),
             "-----BEGIN SSH SIGNATURE-----\n%s\n-----END SSH "
             "SIGNATURE-----\n",
             enc_b64(b64, blob, len));
    enc_b64u(text, challenge, 32);
    unlink(sig);
    assert_ok(file_write(msg, text, strlen(text), 0600));
    assert_ok(file_write(sig, armour, strlen(armour), 0600));
    snprintf(cmd, sizeof(cmd),
             "ssh-keygen -Y check-novalidate -n approve@mpcsign -s %s <%s "
             ">/dev/null 2>&1",
             sig, msg);
    return system(cmd);
}

/* Our reading of sk-ssh-ed25519 is OpenSSH's, not only our own. */
static void openssh_believes_the_same_security_keys(void **state)
{
    struct keygen *k = *state;
    uint8_t pk[32], sk[64], challenge[32] = { 7 }, blob[1024];
    struct policy_credential c;
    fx_key(pk, sk, "a security key");
    for (unsigned flags = 0; flags < 8; flags++) {
        size_t len = auth_sk(blob, sk, "ssh:x", (uint8_t)flags, 41, challenge);
        assert_int_equal(keygen_check(k, blob, len, challenge), 0);
        assert_rc(
                policy_sshsig_register(&c, challenge, (const char *)blob, len),
                flags & 1 ? RC_OK : RC_VERIFY);
        blob[len - 1] ^= 1; /* the counter */
        assert_int_not_equal(keygen_check(k, blob, len, challenge), 0);
        assert_rc(
                policy_sshsig_register(&c, challenge, (const char *)blob, len),
                RC_VERIFY);
    }
}

static void a_key_file_is_read_or_refused(void **state)
{
    struct keygen *k = *state;
    uint8_t *pem = NULL, sk[64];
    size_t len = 0;
    char locked[128];
    read_key(k);
    assert_ok(file_read(&pem, &len, k->path, 4096));
    assert_rc(policy_ssh_key_read(sk, (char *)pem, len / 2), RC_PARSE);
    assert_rc(policy_ssh_key_read(sk, "", 0), RC_PARSE);
    /* one character of the middle: lengths, key, check numbers or padding */
    for (size_t i = 60; i + 40 < len; i += 7) {
        uint8_t keep = pem[i];
        if (keep == '\n')
            continue;
        pem[i] = keep == 'A' ? 'B' : 'A';
        enum rc rc = policy_ssh_key_read(sk, (char *)pem, len);
        if (rc == RC_OK) /* the comment, say: then the key is the key */
            assert_memory_equal(sk, k->sk, 64);
        else
            assert_int_equal(rc, RC_PARSE);
        pem[i] = keep;
    }
    free(pem);

    snprintf(locked, sizeof(locked), "%s/locked", k->dir);
    const char *argv[] = { "ssh-keygen", "-q", "-t",   "ed25519", "-N",
                           "a password", "-f", locked, NULL };
    run(argv);
    assert_ok(file_read(&pem, &len, locked, 4096));
    assert_rc(policy_ssh_key_read(sk, (char *)pem, len), RC_PARSE);
    assert_non_null(strstr(rc_hint_text(), "ssh-agent"));
    free(pem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_believed_of_its_maker),
        cmocka_unit_test(the_challenge_binds_all_it_names),
        cmocka_unit_test(a_changed_record_is_refused),
        cmocka_unit_test(every_byte_of_an_sshsig_matters),
        cmocka_unit_test(another_persons_key_signs_nothing),
        cmocka_unit_test(a_small_buffer_gets_no_sshsig),
        cmocka_unit_test_setup_teardown(signatures_of_ssh_keygen_verify,
                                        keygen_new, keygen_free),
        cmocka_unit_test_setup_teardown(another_namespace_is_refused,
                                        keygen_new, keygen_free),
        cmocka_unit_test_setup_teardown(our_signature_is_the_same_bytes,
                                        keygen_new, keygen_free),
        cmocka_unit_test_setup_teardown(openssh_believes_the_same_security_keys,
                                        keygen_new, keygen_free),
        cmocka_unit_test_setup_teardown(a_key_file_is_read_or_refused,
                                        keygen_new, keygen_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
