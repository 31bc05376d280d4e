/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Master keys by the helper: a SoftHSM token of our own, a passphrase; what
 * they seal opens with them and, once the token's key is destroyed, never.
 */
#include "test.h"

#include "../vault/cluster.h"
#include "dir.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <p11-kit/pkcs11.h>
#include <sodium.h>

#include "sidecar/master.h"

static const char *const modules[] = {
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
};
#define PIN "271828"

struct fixture {
    char dir[DIR_MAX];
    char pin_file[DIR_MAX + 16];
    struct master_config config;
    struct cluster *c; /* node 1 seals under what the test says */
    struct made_key key;
};

/* ---- a token of our own --------------------------------------------------------- */

static void run(const char *const *argv)
{
    pid_t pid = fork();
    int status;
    assert_true(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        (void)dup2(null, 1);
        (void)dup2(null, 2);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0)
        fail_msg("%s: status 0x%x (is softhsm2 installed?)", argv[0], status);
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void token_make(struct fixture *f)
{
    static const char *const init[] = { "softhsm2-util",
                                        "--init-token",
                                        "--free",
                                        "--label",
                                        "mpc test",
                                        "--pin",
                                        PIN,
                                        "--so-pin",
                                        "314159",
                                        NULL };
    char path[DIR_MAX + 32];
    char text[DIR_MAX + 128];
    snprintf(path, sizeof(path), "%s/tokens", f->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(text, sizeof(text),
             "directories.tokendir = %s\nobjectstore.backend = file\n"
             "log.level = ERROR\n",
             path);
    snprintf(path, sizeof(path), "%s/softhsm2.conf", f->dir);
    put(path, text);
    assert_int_equal(setenv("SOFTHSM2_CONF", path, 1), 0);
    run(init);
}

/* Another program's hands: in a process of its own, as the helper. */
static void destroy(struct fixture *f, const char *label)
{
    pid_t pid = fork();
    int status;
    assert_true(pid >= 0);
    if (pid == 0) {
        CK_C_GetFunctionList list;
        CK_FUNCTION_LIST *p;
        CK_SLOT_ID slot[8];
        CK_ULONG n = 8;
        CK_SESSION_HANDLE s;
        CK_OBJECT_HANDLE key;
        CK_ATTRIBUTE want = { CKA_LABEL, (void *)(uintptr_t)label,
                              strlen(label) };
        void *so = dlopen(f->config.module, RTLD_NOW);
        void *symbol = so ? dlsym(so, "C_GetFunctionList") : NULL;
        if (!symbol)
            _exit(2);
        memcpy(&list, &symbol, sizeof(list));
        bool good = list(&p) == CKR_OK && p->C_Initialize(NULL) == CKR_OK &&
                    p->C_GetSlotList(CK_TRUE, slot, &n) == CKR_OK && n > 0 &&
                    p->C_OpenSession(slot[0],
                                     CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL,
                                     NULL, &s) == CKR_OK &&
                    p->C_Login(s, CKU_USER, (CK_UTF8CHAR *)(uintptr_t)PIN,
                               strlen(PIN)) == CKR_OK &&
                    p->C_FindObjectsInit(s, &want, 1) == CKR_OK &&
                    p->C_FindObjects(s, &key, 1, &n) == CKR_OK && n == 1 &&
                    p->C_FindObjectsFinal(s) == CKR_OK &&
                    p->C_DestroyObject(s, key) == CKR_OK &&
                    p->C_Finalize(NULL) == CKR_OK;
        _exit(good ? 0 : 3);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    dir_make(f->dir);
    snprintf(f->pin_file, sizeof(f->pin_file), "%s/pin", f->dir);
    put(f->pin_file, PIN "\n");
    f->c = cluster_ready(LOCAL);
    const struct vault_config v = node_config(f->c, 0);
    f->config = (struct master_config){ .token = "mpc test",
                                        .keys = "k1",
                                        .pin_file = f->pin_file,
                                        .state_dir = f->dir,
                                        .simulated = true,
                                        .node = v.node };
    memcpy(f->config.cluster, v.cluster, 32);
    for (size_t i = 0; i < sizeof(modules) / sizeof(*modules); i++)
        if (!f->config.module && access(modules[i], R_OK) == 0)
            f->config.module = modules[i];
    if (!f->config.module)
        fail_msg("no SoftHSM: install softhsm2");
    token_make(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    cluster_free(f->c);
    dir_remove(f->dir);
    unsetenv("SOFTHSM2_CONF");
    free(f);
    return 0;
}

/* ---- node 1 with it --------------------------------------------------------------- */

static void says(const char *part)
{
    if (!strstr(rc_text(), part))
        fail_msg("\"%s\" does not say \"%s\"", rc_text(), part);
}

/* The helper, and a vault that reads what it left. */
static enum rc start(struct fixture *f, const char *masters)
{
    struct vault_config v = node_config(f->c, 0);
    int fd = -1;
    vault_free(f->c->v[0]);
    f->c->v[0] = NULL;
    assert_ok(vault_master_parse(v.master, &v.n_masters, masters));
    TRY(master_run(&fd, v.master, v.n_masters, &f->config));
    assert_true(fd >= 0);
    v.master_fd = fd;
    enum rc rc = vault_spawn(&f->c->v[0], &v);
    close(fd);
    return rc;
}

static enum rc open_keys(struct fixture *f)
{
    size_t len = f->c->sealed_len[0];
    TRY(vault_open(f->c->v[0], &f->c->keys[0], f->c->sealed[0], &len));
    if (len)
        f->c->sealed_len[0] = len;
    return RC_OK;
}

static enum rc activate(struct fixture *f, const struct made_key *k)
{
    uint8_t ack[64];
    return vault_activate(f->c->v[0], ack, &k->epoch, k->votes, NODES,
                          k->result[0].sealed, k->result[0].sealed_len);
}

/* ---- PKCS#11 ------------------------------------------------------------------------ */

static void a_token_key_opens_until_it_is_destroyed(void **state)
{
    struct fixture *f = *state;
    /* from snp: node keys move, new shares are under the token's */
    assert_ok(start(f, "pkcs11, snp"));
    assert_ok(open_keys(f));
    key_make(f->c, &f->key, 1, true);
    assert_int_equal(f->key.result[0].sealed[59], VAULT_PKCS11);
    for (unsigned i = 0; i < 2; i++) {
        assert_ok(start(f, "pkcs11"));
        assert_ok(open_keys(f));
        assert_ok(activate(f, &f->key));
    }
    destroy(f, "k1");
    assert_rc(start(f, "pkcs11"), RC_STORE);
    says("has no AES key \"k1\" any more: what was sealed under it is "
         "unrecoverable");
    /* nor with what else this node has */
    assert_rc(start(f, "snp, pkcs11"), RC_STORE);
}

/* The way to erase an epoch: a new label, a refresh, the old label's key. */
static void an_old_epochs_key_is_destroyed_and_the_new_one_lives(void **state)
{
    struct fixture *f = *state;
    static struct made_key newer;
    assert_ok(start(f, "pkcs11, snp"));
    assert_ok(open_keys(f));
    key_make(f->c, &f->key, 1, true);
    f->config.keys = "k2, k1";
    assert_ok(start(f, "pkcs11"));
    assert_ok(open_keys(f)); /* sealed anew, under k2 */
    assert_ok(activate(f, &f->key));
    key_make(f->c, &newer, 2, true);
    destroy(f, "k1");
    f->config.keys = "k2";
    assert_ok(start(f, "pkcs11"));
    assert_ok(open_keys(f));
    assert_ok(activate(f, &newer));
    assert_rc(activate(f, &f->key), RC_STORE);
    says("another token's key, or one since destroyed");
    /* a key of the old name is not the old key */
    char old[DIR_MAX + 64];
    f->config.keys = "k2, k1";
    assert_rc(start(f, "pkcs11"), RC_STORE);
    snprintf(old, sizeof(old), "rm %s/master-*.msh1", f->dir);
    assert_int_equal(system(old), 0);
    assert_ok(start(f, "pkcs11"));
    assert_rc(open_keys(f), RC_STORE);
}

static void what_is_wrong_with_a_token_is_said_in_one_line(void **state)
{
    struct fixture *f = *state;
    const struct master_config good = f->config;
    char wrong[DIR_MAX + 16];
    char empty[DIR_MAX + 16];
    snprintf(wrong, sizeof(wrong), "%s/wrong", f->dir);
    snprintf(empty, sizeof(empty), "%s/empty", f->dir);
    put(wrong, "1234");
    put(empty, "\n");
    const struct {
        const char *module, *token, *keys, *pin_file;
        enum rc rc;
        const char *says;
    } cases[] = {
        { NULL, "mpc test", "k1", f->pin_file, RC_ARG,
          "pkcs11_module is not set" },
        { good.module, NULL, "k1", f->pin_file, RC_ARG,
          "pkcs11_token is not set" },
        { good.module, "mpc test", NULL, f->pin_file, RC_ARG,
          "pkcs11_key is not set" },
        { good.module, "mpc test", "k1", NULL, RC_ARG,
          "pkcs11_pin_file is not set" },
        { "/nowhere/module.so", "mpc test", "k1", f->pin_file, RC_ARG,
          "pkcs11_module: /nowhere/module.so" },
        { good.module, "another", "k1", f->pin_file, RC_ARG,
          "0 tokens of 2 are called \"another\"" },
        { good.module, "mpc test", " , ", f->pin_file, RC_ARG,
          "pkcs11_key: want labels" },
        { good.module, "mpc test", "k1", "/nowhere/pin", RC_ARG,
          "pkcs11_pin_file: /nowhere/pin: No such file" },
        { good.module, "mpc test", "k1", empty, RC_ARG, "is empty" },
        { good.module, "mpc test", "k1", wrong, RC_AUTH, "the PIN is wrong" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        f->config.module = cases[i].module;
        f->config.token = cases[i].token;
        f->config.keys = cases[i].keys;
        f->config.pin_file = cases[i].pin_file;
        enum rc rc = start(f, "pkcs11");
        if (rc != cases[i].rc)
            fail_msg("%s: %s (%s)", cases[i].says, rc_slug(rc), rc_text());
        says(cases[i].says);
    }
}

/* Its file in another node's directory, bent, or another's in its place. */
static void a_wrapped_key_is_this_nodes_alone(void **state)
{
    struct fixture *f = *state;
    char sh[3 * DIR_MAX];
    assert_ok(start(f, "pkcs11"));
    f->config.node++;
    assert_rc(start(f, "pkcs11"), RC_STORE);
    says("of another node (1) or cluster");
    f->config.node--;
    f->config.cluster[0] ^= 1;
    assert_rc(start(f, "pkcs11"), RC_STORE);
    says("or cluster");
    f->config.cluster[0] ^= 1;
    static const int at[] = { 1, 5, 7, 9, 20, 44, 240, 250, 259, 261, 307 };
    for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
        snprintf(sh, sizeof(sh),
                 "cd %s && f=$(ls master-*.msh1) && cp $f kept && "
                 "printf '\\177' | dd of=$f bs=1 seek=%d conv=notrunc "
                 "2>/dev/null",
                 f->dir, at[i]);
        assert_int_equal(system(sh), 0);
        enum rc rc = start(f, "pkcs11");
        if (rc != RC_STORE)
            fail_msg("byte %d: %s (%s)", at[i], rc_slug(rc), rc_text());
        snprintf(sh, sizeof(sh), "cd %s && mv kept master-*.msh1", f->dir);
        assert_int_equal(system(sh), 0);
    }
    assert_ok(start(f, "pkcs11"));
}

/* ---- passphrase ----------------------------------------------------------------------- */

static void a_passphrase_opens_what_it_sealed(void **state)
{
    struct fixture *f = *state;
    char path[DIR_MAX + 16];
    snprintf(path, sizeof(path), "%s/phrase", f->dir);
    put(path, "correct horse\n");
    f->config.passphrase = path;
    assert_ok(start(f, "passphrase, snp"));
    assert_ok(open_keys(f));
    assert_ok(start(f, "passphrase"));
    assert_ok(open_keys(f));
    put(path, "correct house\n");
    assert_ok(start(f, "passphrase"));
    assert_rc(open_keys(f), RC_STORE);
    says("another passphrase");
    put(path, "");
    assert_rc(start(f, "passphrase"), RC_ARG);
    says("is empty");
}

static void a_passphrase_is_for_simulation_only(void **state)
{
    struct fixture *f = *state;
    f->config.passphrase = f->pin_file;
    f->config.simulated = false;
    assert_rc(start(f, "passphrase"), RC_ARG);
    says("simulated hardware only");
    assert_rc(start(f, "snp+peers, passphrase"), RC_ARG);
    assert_ok(start(f, "pkcs11"));
}

/* Where nothing needs it, nothing runs. */
static void snp_needs_no_helper(void **state)
{
    (void)state;
    const enum vault_master list[] = { VAULT_SNP_PEERS, VAULT_SNP };
    const struct master_config none = { .node = 1 };
    int fd = 7;
    assert_ok(master_run(&fd, list, 2, &none));
    assert_int_equal(fd, -1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_token_key_opens_until_it_is_destroyed),
        T(an_old_epochs_key_is_destroyed_and_the_new_one_lives),
        T(what_is_wrong_with_a_token_is_said_in_one_line),
        T(a_wrapped_key_is_this_nodes_alone),
        T(a_passphrase_opens_what_it_sealed),
        T(a_passphrase_is_for_simulation_only),
        cmocka_unit_test(snp_needs_no_helper),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
