/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpc-ca itself: started from its configuration, on a simulator of its own,
 * asked over the attested channel by a test that plays node 1.
 */
#include "world.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include <openssl/pem.h>

#include "../attest/simulator.h"
#include "../http/home.h"
#include "../http/pki.h"
#include "attest/attest.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/file.h"
#include "base/hash.h"
#include "http/http.h"

#define PROGRAM MPC_BUILD_DIR "/bin/mpc-ca"
#define NODE1   "mpc://test/sidecar/node1"
#define CA      "mpc://test/ca/ca"

static struct world w;
static struct home home;
static struct simulator ours, theirs;
static struct pki pki;
static struct pki_id id_node, id_ca;
static pid_t ca_pid;
static unsigned ca_port;

static struct attest_channel *channel;
static struct attest_guest *guest;
static struct http_client *client;
static struct http_peer *peer;

/* ---- files ---------------------------------------------------------------------- */

static const char *in_home(const char *name)
{
    static char path[4][256];
    static unsigned next;
    char *p = path[next++ % 4];
    snprintf(p, 256, "%s/%s", home.dir, name);
    return p;
}

static void put_key(void)
{
    EVP_PKEY *k = world_issuer_key(&w);
    FILE *f = fopen(in_home("issuer.pem"), "w");
    assert_int_equal(PEM_write_PrivateKey(f, k, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
    EVP_PKEY_free(k);
}

static void put_root(void)
{
    uint8_t tbs[CA_DER_MAX];
    size_t len;
    /* as a simulated cluster's root says it */
    assert_ok(ca_root_tbs(tbs, &len, "test", w.issuer.pk, true, WORLD_NOW));
    world_sign(w.root, &w.root_len, &w, tbs, len);
    const uint8_t *at = w.root;
    X509 *x = d2i_X509(NULL, &at, (long)w.root_len);
    FILE *f = fopen(in_home("ca.pem"), "w");
    assert_int_equal(PEM_write_X509(f, x), 1);
    fclose(f);
    X509_free(x);
}

static void put_config(void)
{
    char hex[ENC_HEX_SIZE(32)];
    uint8_t hash[32];
    hash256(hash, w.genesis, w.genesis_len);
    assert_ok(file_write(in_home("genesis.json"), w.genesis, w.genesis_len,
                         0600));
    FILE *f = fopen(in_home("ca.cnf"), "w");
    fprintf(f,
            "[mpc_ca]\ndeployment = test\nuri = %s\nlisten = 127.0.0.1:0\n"
            "state_dir = %s/state\npid_file = %s/ca.pid\ndevice = %s\n"
            "allow_simulated = yes\nsimulated_ark = %s/ark.der\n"
            "genesis = %s/genesis.json\ngenesis_sha256 = %s\n"
            "CLIENT_TLS_CA = %s\nCA_TLS_CERT = %s\nCA_TLS_KEY = %s\n"
            "key = file:%s/issuer.pem\nroot = %s/ca.pem\n",
            CA, home.dir, home.dir, theirs.device, theirs.dir, home.dir,
            enc_hex(hex, hash, 32), id_ca.ca, id_ca.cert, id_ca.key, home.dir,
            home.dir);
    fclose(f);
}

/* ---- the program ------------------------------------------------------------------ */

static void sleep_ms(long ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&t, NULL);
}

/* Its pid file says that it is ready, its log says where. */
static void start_ca(void)
{
    ca_pid = fork();
    assert_true(ca_pid >= 0);
    if (ca_pid == 0) {
        int fd = open(in_home("ca.log"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(fd, 2);
        unsetenv("TEE_POLICY_HASH");
        execl(PROGRAM, PROGRAM, "-c", in_home("ca.cnf"), NULL);
        _exit(127);
    }
    int64_t end = home_soon();
    while (access(in_home("ca.pid"), F_OK) != 0) {
        assert_true(clock_mono_ms() < end);
        assert_int_equal(waitpid(ca_pid, NULL, WNOHANG), 0);
        sleep_ms(10);
    }
    uint8_t *log = NULL;
    size_t len;
    assert_ok(file_read(&log, &len, in_home("ca.log"), 65536));
    const char *at = strstr((char *)log, " port=");
    assert_non_null(at);
    assert_int_equal(sscanf(at, " port=%u", &ca_port), 1);
    free(log);
}

static void stop_ca(void)
{
    int status;
    assert_int_equal(kill(ca_pid, SIGTERM), 0);
    assert_int_equal(waitpid(ca_pid, &status, 0), ca_pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_not_equal(access(in_home("ca.pid"), F_OK), 0);
}

/* ---- node 1 ------------------------------------------------------------------------- */

static enum rc allowed(void *ctx, const char *uri, uint8_t (*hashes)[32],
                       unsigned *n, enum attest_role *role)
{
    (void)ctx;
    if (strcmp(uri, CA) != 0)
        return rc_raise(RC_UNKNOWN, "no such node");
    memcpy(hashes[0], w.ca_hash, 32);
    *n = 1;
    *role = ATTEST_CA;
    return RC_OK;
}

static void own_head(void *ctx, struct wire_policy_head *head)
{
    (void)ctx;
    head->version = 2;
    memcpy(head->sha256, policy_chain_head(w.chain)->sha256, 32);
}

static void peer_head(void *ctx, const char *uri,
                      const struct wire_policy_head *head)
{
    (void)ctx;
    (void)uri;
    (void)head;
}

static void open_channel(void)
{
    struct attest_channel_config c = {
        .deployment = "test",
        .own_uri = NODE1,
        .roots = { .allow_simulated = true },
        .window_s = 600,
        .host = { .allowed = allowed,
                  .policy_head = own_head,
                  .peer_head = peer_head },
    };
    assert_ok(attest_guest_open(&c.guest, ours.device));
    guest = c.guest;
    memcpy(c.roots.simulated_ark, ours.ark, 32);
    hash256(c.genesis, w.genesis, w.genesis_len);
    assert_ok(attest_channel_new(&channel, &c));
}

static void open_line(void)
{
    char url[64];
    struct http_tls_files tls = pki_files(&id_node);
    struct http_client_guard guard = attest_channel_client_guard(channel);
    snprintf(url, sizeof(url), "https://127.0.0.1:%u", ca_port);
    assert_ok(http_client_new(&client, &tls, &guard));
    assert_ok(http_peer_new(&peer, client, url, CA, 1));
}

static void close_line(void)
{
    http_peer_free(peer);
    http_client_free(client);
}

static enum rc ask(struct http_answer *out, const char *path, const char *json,
                   size_t len)
{
    return http_ask(out, peer, "POST", path, json, len, 1024 * 1024,
                    clock_mono_ms() + HOME_WAIT_MS);
}

static enum rc ask_leaf(struct wire_chain *out, const char *profile,
                        const struct wire_birth *birth)
{
    struct wire_issue in = { .birth = *birth }; /* borrowed */
    struct http_answer got = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    snprintf(in.profile, sizeof(in.profile), "%s", profile);
    assert_ok(wire_issue_encode(&json, &len, &in));
    TRY(ask(&got, "/v1/ca/issue", json, len));
    assert_ok(wire_chain_decode(out, (char *)got.body, got.body_len));
    http_answer_free(&got);
    return RC_OK;
}

static void tell_policy(void)
{
    struct http_answer got = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    WIRE(policy_head) head = { 0 };
    assert_ok(wire_policy_encode(&json, &len, &w.second));
    assert_ok(ask(&got, "/v1/policy", json, len));
    assert_ok(wire_policy_head_decode(&head, (char *)got.body, got.body_len));
    assert_int_equal(head.version, 2);
    http_answer_free(&got);
}

/* ---- around each run ------------------------------------------------------------------- */

static void measure(uint8_t hash[32], const char *path)
{
    uint8_t m[ATTEST_MEASUREMENT_LEN];
    assert_ok(attest_measure_file(m, path));
    attest_policy_hash(hash, m);
}

static int setup(void **state)
{
    (void)state;
    uint8_t ca[32], sidecar[32], genesis[32];
    char hex[ENC_HEX_SIZE(32)];
    measure(ca, PROGRAM);
    measure(sidecar, "/proc/self/exe");
    world_open_with(&w, ca, sidecar);
    hash256(genesis, w.genesis, w.genesis_len);
    simulator_init(&ours, NULL, "1");
    simulator_init(&theirs, ours.dir, "2");
    simulator_start(&ours, enc_hex(hex, genesis, 32));
    simulator_start(&theirs, hex);
    home_make(&home);
    pki_make(&pki, home.dir, "pki");
    pki_leaf(&id_node, &pki, "node1", "URI:" NODE1, -3600, 864000);
    pki_leaf(&id_ca, &pki, "mpc-ca", "URI:" CA, -3600, 864000);
    put_key();
    put_config();
    start_ca();
    open_channel();
    open_line();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close_line();
    attest_channel_free(channel);
    attest_guest_free(guest);
    stop_ca();
    pki_wipe(&pki);
    char line[256];
    snprintf(line, sizeof(line), "rm -rf %s/state", home.dir);
    assert_int_equal(system(line), 0);
    static const char *const names[] = { "issuer.pem", "ca.pem", "ca.cnf",
                                         "genesis.json", "ca.log" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(in_home(names[i]));
    home_remove(&home);
    simulator_stop(&ours);
    simulator_stop(&theirs);
    simulator_remove(&theirs);
    simulator_remove(&ours);
    world_close(&w);
    return 0;
}

/* ---- one life -------------------------------------------------------------------------- */

static void leaf_is_good(const struct wire_chain *chain,
                         const struct wire_birth *b)
{
    uint8_t key[32];
    size_t len = 32;
    assert_int_equal(chain->chain.n, 2);
    assert_int_equal(chain->chain.at[1].len, w.root_len);
    assert_memory_equal(chain->chain.at[1].p, w.root, w.root_len);
    const uint8_t *at = chain->chain.at[0].p;
    X509 *x = d2i_X509(NULL, &at, (long)chain->chain.at[0].len);
    EVP_PKEY *issuer = world_issuer_key(&w);
    assert_int_equal(X509_verify(x, issuer), 1);
    assert_int_equal(
            EVP_PKEY_get_raw_public_key(X509_get0_pubkey(x), key, &len), 1);
    assert_memory_equal(key, b->cert.group_key, 32);
    assert_true(X509_cmp_current_time(X509_get0_notBefore(x)) < 0);
    assert_true(X509_cmp_current_time(X509_get0_notAfter(x)) > 0);
    /* and a signer would have lent its share to it */
    uint8_t tbs[CA_DER_MAX], *end = tbs;
    struct policy_session s;
    world_session(&s, &w, POLICY_S_SIGN, NULL, 0);
    assert_in_range(i2d_re_X509_tbs(x, NULL), 1, CA_DER_MAX);
    size_t tbs_len = (size_t)i2d_re_X509_tbs(x, &end);
    assert_ok(ca_tbs_check(w.chain, &s, w.issuer.pk, b, tbs, tbs_len,
                           clock_now_s()));
    EVP_PKEY_free(issuer);
    X509_free(x);
}

static void ca_issues_once_it_knows_log_and_root(void **state)
{
    (void)state;
    WIRE(birth) b = { 0 };
    WIRE(chain) first = { 0 }, again = { 0 }, other = { 0 };
    world_birth(&b, &w, &(struct world_plan){ 0 });
    assert_rc(ask_leaf(&first, "release", &b), RC_ORDER); /* genesis only */
    tell_policy();
    tell_policy(); /* twice is once */
    assert_rc(ask_leaf(&first, "release", &b), RC_ORDER);
    assert_non_null(strstr(rc_text(), "root"));
    put_root();
    assert_ok(ask_leaf(&first, "release", &b));
    leaf_is_good(&first, &b);
    /* the same again while it lives; another key, another leaf */
    assert_ok(ask_leaf(&again, "release", &b));
    assert_int_equal(again.chain.at[0].len, first.chain.at[0].len);
    assert_memory_equal(again.chain.at[0].p, first.chain.at[0].p,
                        first.chain.at[0].len);
    WIRE(birth) b2 = { 0 };
    world_birth(&b2, &w, &(struct world_plan){ 0 });
    assert_ok(ask_leaf(&other, "release", &b2));
    leaf_is_good(&other, &b2);
}

static void flip_vote(struct wire_birth *b)
{
    b->cert.votes.at[0].sig[0] ^= 1;
}

static void ca_refuses_what_it_cannot_believe(void **state)
{
    (void)state;
    WIRE(birth) good = { 0 }, forged = { 0 }, issuer = { 0 };
    WIRE(chain) out = { 0 };
    struct http_answer got = { 0 };
    world_birth(&good, &w, &(struct world_plan){ 0 });
    world_birth(&forged, &w, &(struct world_plan){ .spoil_birth = flip_vote });
    world_birth(&issuer, &w, &(struct world_plan){ .profile = "ca" });
    assert_rc(ask_leaf(&out, "once", &good), RC_POLICY);
    assert_rc(ask_leaf(&out, "release", &forged), RC_VERIFY);
    assert_rc(ask_leaf(&out, "ca", &issuer), RC_POLICY);
    assert_rc(ask(&got, "/v1/ca/issue", "{}", 2), RC_PARSE);
    assert_rc(ask(&got, "/v1/ca/nothing", "{}", 2), RC_UNKNOWN);
    assert_int_equal(out.chain.n, 0);
}

static void policy_survives_a_restart(void **state)
{
    (void)state;
    WIRE(birth) b = { 0 };
    WIRE(chain) out = { 0 };
    world_birth(&b, &w, &(struct world_plan){ 0 });
    close_line();
    stop_ca();
    start_ca();
    open_line();
    assert_ok(ask_leaf(&out, "release", &b));
    leaf_is_good(&out, &b);
}

static void key_of_another_root_is_noticed(void **state)
{
    (void)state;
    WIRE(birth) b = { 0 };
    WIRE(chain) out = { 0 };
    world_birth(&b, &w, &(struct world_plan){ 0 });
    struct world_key issuer = w.issuer;
    w.issuer = w.node[0];
    put_root(); /* of a key that the CA does not have */
    assert_rc(ask_leaf(&out, "release", &b), RC_ARG);
    w.issuer = issuer;
    put_root();
    assert_ok(ask_leaf(&out, "release", &b));
    leaf_is_good(&out, &b);
}

/* ---- the root, by channel ---------------------------------------------------------- */

static enum rc hand_in(const uint8_t *der, size_t len, unsigned times)
{
    WIRE(chain) chain = { 0 };
    struct http_answer got = { 0 };
    OWNED_MEM char *json = NULL;
    size_t json_len;
    assert_ok(wire_list_new(&chain.chain, times));
    for (unsigned i = 0; i < times; i++)
        assert_ok(wire_blob_set(&chain.chain.at[i], der, len));
    assert_ok(wire_chain_encode(&json, &json_len, &chain));
    TRY(ask(&got, "/v1/ca/root", json, json_len));
    http_answer_free(&got);
    return RC_OK;
}

static enum rc ask_root(struct wire_chain *out)
{
    struct http_answer got = { 0 };
    TRY(http_ask(&got, peer, "GET", "/v1/ca/chain", NULL, 0, 65536,
                 clock_mono_ms() + HOME_WAIT_MS));
    assert_ok(wire_chain_decode(out, (char *)got.body, got.body_len));
    http_answer_free(&got);
    return RC_OK;
}

/* A root of this cluster name by this key. */
static void root_of(uint8_t der[CA_DER_MAX], size_t *len, const char *cluster,
                    const struct world_key *key)
{
    struct world by = { .issuer = *key };
    uint8_t tbs[CA_DER_MAX];
    size_t tbs_len;
    assert_ok(
            ca_root_tbs(tbs, &tbs_len, cluster, key->pk, true, clock_now_s()));
    world_sign(der, len, &by, tbs, tbs_len);
}

static void root_of_its_own_key_is_kept_once(void **state)
{
    (void)state;
    uint8_t der[CA_DER_MAX], other[CA_DER_MAX];
    size_t len, other_len;
    WIRE(chain) none = { 0 }, chain = { 0 };
    assert_int_equal(unlink(in_home("ca.pem")), 0);
    assert_rc(ask_root(&none), RC_ORDER);
    assert_non_null(strstr(rc_hint_text(), "mpcsign ca init"));
    root_of(der, &len, "test", &w.issuer);
    root_of(other, &other_len, "test", &w.node[0]);
    assert_rc(hand_in(other, other_len, 1), RC_ARG);
    assert_non_null(strstr(rc_text(), "another key"));
    root_of(other, &other_len, "elsewhere", &w.issuer);
    assert_rc(hand_in(other, other_len, 1), RC_POLICY);
    memcpy(other, der, len);
    other[len - 1] ^= 1;
    assert_rc(hand_in(other, len, 1), RC_VERIFY);
    assert_rc(hand_in(der, len - 1, 1), RC_PARSE);
    assert_rc(hand_in(der, len, 2), RC_PARSE);
    assert_rc(hand_in(der, len, 0), RC_PARSE);
    assert_rc(ask_root(&none), RC_ORDER);
    assert_ok(hand_in(der, len, 1));
    assert_ok(hand_in(der, len, 1)); /* twice is once */
    root_of(other, &other_len, "test", &w.issuer);
    assert_rc(hand_in(other, other_len, 1), RC_EXISTS);
    assert_ok(ask_root(&chain));
    assert_int_equal(chain.chain.n, 1);
    assert_int_equal(chain.chain.at[0].len, len);
    assert_memory_equal(chain.chain.at[0].p, der, len);
    /* and leaves are under it */
    WIRE(birth) b = { 0 };
    WIRE(chain) leaf = { 0 };
    world_birth(&b, &w, &(struct world_plan){ 0 });
    memcpy(w.root, der, len);
    w.root_len = len;
    assert_ok(ask_leaf(&leaf, "release", &b));
    leaf_is_good(&leaf, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ca_issues_once_it_knows_log_and_root),
        cmocka_unit_test(ca_refuses_what_it_cannot_believe),
        cmocka_unit_test(policy_survives_a_restart),
        cmocka_unit_test(key_of_another_root_is_noticed),
        cmocka_unit_test(root_of_its_own_key_is_kept_once),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
