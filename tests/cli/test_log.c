/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs of mpcsign log on honest logs and others: static exports of logs
 * whose keys the test has, over loopback HTTP or as files.
 */
#include "run.h"

#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/enc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/sock.h"
#include "http/http.h"
#include "transparency/watch.h"

#define NAME "test/log"

/* ---- a log one can lie with --------------------------------------------- */

struct lying {
    char top[64]; /* everything below it */
    char web[80]; /* the static export that is served */
    char url[64];
    char vkey[TLOG_VKEY_MAX];
    struct tlog_vkey key;
    uint8_t sk[64];
    struct http_server *server;
};

static struct lying at;

static const char *in(const char *name)
{
    static char path[8][160];
    static unsigned next;
    char *out = path[next++ % 8];
    snprintf(out, sizeof(path[0]), "%s/%s", at.top, name);
    return out;
}

static atomic_uint slow_ms; /* every answer takes so long */

static enum rc on_file(struct http_call *call, void *ctx)
{
    usleep(1000 * slow_ms);
    char path[256];
    OWNED_MEM uint8_t *bytes = NULL;
    size_t len;
    (void)ctx;
    snprintf(path, sizeof(path), "%s%.150s", at.web, http_call_path(call));
    TRY(file_read(&bytes, &len, path, 1 << 20));
    return http_reply(call, 200, "application/octet-stream", bytes, len);
}

static const struct http_route routes[] = {
    { "GET", "/checkpoint", HTTP_PUBLIC, 0, on_file },
    { "GET", "/tile/*", HTTP_PUBLIC, 0, on_file },
    { 0 },
};

static int begin(void **state)
{
    (void)state;
    uint16_t port;
    uint8_t pk[32];
    struct http_server_config c = { .kind = HTTP_ON_TCP,
                                    .routes = routes,
                                    .threads = 1,
                                    .request_limit_s = 10 };
    assert_true(sodium_init() >= 0);
    dir_make(at.top);
    snprintf(at.web, sizeof(at.web), "%s/web", at.top);
    crypto_sign_keypair(pk, at.sk);
    assert_ok(tlog_vkey_make(&at.key, NAME, TLOG_SIG_ED25519, pk));
    tlog_vkey_text(at.vkey, &at.key);
    assert_ok(sock_tcp_listen(&c.listen_fd, &port, "127.0.0.1:0"));
    snprintf(at.url, sizeof(at.url), "http://127.0.0.1:%u", port);
    assert_ok(http_server_start(&at.server, &c));
    setenv("MPC_LOG_URL", at.url, 1);
    setenv("MPC_LOG_VKEY", at.vkey, 1);
    setenv("MPC_SIDECAR", "/nonexistent/sidecar.sock", 1);
    return 0;
}

static int end(void **state)
{
    (void)state;
    http_server_stop(at.server);
    dir_remove(at.top);
    return 0;
}

static enum rc from_store(uint8_t **out, size_t *len, const char *path,
                          void *ctx)
{
    int level;
    uint64_t n;
    unsigned width;
    if (strcmp(path, "checkpoint") == 0) {
        char *note = malloc(TLOG_NOTE_MAX);
        assert_non_null(note);
        assert_ok(tlog_store_checkpoint(ctx, note));
        *len = strlen(note);
        *out = (uint8_t *)note;
        return RC_OK;
    }
    TRY(tlog_tile_parse(&level, &n, &width, path + 5));
    return tlog_store_tile(ctx, out, len, level, n, width);
}

/* An entry after the last; the store of that name is made if need be. */
static void append(const char *name, const char *entry)
{
    static struct tlog_proof proof;
    struct tlog_store *s = NULL;
    assert_ok(tlog_store_open(&s, in(name), &at.key, at.sk));
    assert_ok(tlog_store_append(s, &proof, entry, strlen(entry)));
    tlog_store_free(s);
}

/* That log is what is served from now on. */
static void serve(const char *name)
{
    struct tlog_store *s = NULL;
    struct tlog_mirror_report report;
    dir_remove(at.web);
    assert_ok(tlog_store_open(&s, in(name), &at.key, at.sk));
    assert_ok(tlog_mirror(&report, at.web, &at.key, from_store, s));
    tlog_store_free(s);
}

/* ---- entries ------------------------------------------------------------ */

static const uint8_t group_key[32] = { 5 };

static const char *intent_at(uint8_t session, uint8_t message, uint64_t attempt,
                             int64_t expires)
{
    static char text[TLOG_ENTRY_MAX + 1];
    struct tlog_intent i = { .commitment = { message },
                             .session = { session },
                             .class = "artifact",
                             .mode = "ed25519",
                             .slot = "raw",
                             .attempt = attempt,
                             .epoch = 1,
                             .birth = 0,
                             .expires = expires };
    size_t len;
    hash256(i.key, group_key, 32);
    assert_ok(tlog_intent_encode(text, &len, &i));
    return text;
}

#define SOON ((int64_t)time(NULL) + 1000)

static const uint8_t signature[64] = { 3, 1, 4 };

static const char *receipt_of(uint64_t intent)
{
    static char text[TLOG_ENTRY_MAX + 1];
    struct tlog_receipt r = { .intent = intent };
    size_t len;
    hash256(r.signature, signature, 64);
    assert_ok(tlog_receipt_encode(text, &len, &r));
    return text;
}

static const char *abort_of(uint64_t intent)
{
    static char text[TLOG_ENTRY_MAX + 1];
    struct tlog_abort a = { .intent = intent, .reason = "timeout" };
    size_t len;
    assert_ok(tlog_abort_encode(text, &len, &a));
    return text;
}

/* 0 something, 1 an intent, 2 its receipt, 3 another key's nothing */
static void small_log(const char *name)
{
    append(name, "hello\n");
    append(name, intent_at(1, 1, 1, SOON));
    append(name, receipt_of(1));
    append(name, "world\n");
}

static void bend(const char *path, size_t where)
{
    uint8_t *p = NULL;
    size_t len;
    char full[256];
    snprintf(full, sizeof(full), "%s/%s", at.web, path);
    assert_ok(file_read(&p, &len, full, 1 << 20));
    assert_true(where < len);
    p[where] ^= 1;
    assert_ok(file_write(full, p, len, 0644));
    free(p);
}

/* ---- prove, verify ------------------------------------------------------ */

static void write_text(const char *path, const char *text)
{
    assert_ok(file_write(path, text, strlen(text), 0644));
}

static char *read_text(const char *path)
{
    uint8_t *p = NULL;
    size_t len;
    assert_ok(file_read(&p, &len, path, 1 << 20));
    return (char *)p;
}

static void a_proof_is_made_and_judged_offline(void **state)
{
    (void)state;
    struct run r;
    small_log("p");
    serve("p");
    RUN(&r, "log", "prove", "2", "-O", in("two.proof"));
    assert_code(&r, 0);
    run_free(&r);
    /* offline: nobody is there to ask */
    setenv("MPC_LOG_URL", "http://127.0.0.1:1", 1);
    RUN(&r, "log", "verify", "--proof", in("two.proof"));
    assert_code(&r, 0);
    assert_non_null(strstr(r.out, "ok   inclusion"));
    assert_non_null(strstr(r.out, "of intent 1"));
    assert_non_null(strstr(r.out, "warn cosigned"));
    run_free(&r);
    RUN(&r, "log", "verify", "--proof", in("two.proof"), "-o", "json");
    assert_code(&r, 0);
    json_t *o = run_json(&r);
    assert_true(json_is_true(json_object_get(o, "ok")));
    json_t *e = json_object_get(o, "entry");
    assert_int_equal(json_integer_value(json_object_get(e, "intent")), 1);
    json_decref(o);
    run_free(&r);
    setenv("MPC_LOG_URL", at.url, 1);
    /* by its bytes, and to standard output: the same proof */
    write_text(in("entry"), receipt_of(1));
    RUN(&r, "log", "prove", "--entry", in("entry"));
    assert_code(&r, 0);
    char *text = read_text(in("two.proof"));
    assert_string_equal(r.out, text);
    run_free(&r);
    /* as any C2SP reader knows it */
    assert_memory_equal(text, "c2sp.org/tlog-proof@v1\nextra ", 29);
    static struct tlog_proof p;
    assert_ok(tlog_proof_read(&p, text, strlen(text), receipt_of(1),
                              strlen(receipt_of(1))));
    assert_ok(tlog_proof_check(&p, &at.key, NULL));
    free(text);
    RUN(&r, "log", "verify", "--proof", in("two.proof"), "--entry",
        in("entry"));
    assert_code(&r, 0);
    run_free(&r);
}

static void a_proof_that_is_not_one_is_refused(void **state)
{
    (void)state;
    struct run r;
    char other[TLOG_VKEY_MAX];
    uint8_t pk[32] = { 9 };
    struct tlog_vkey key;
    char *text = read_text(in("two.proof"));
    size_t len = strlen(text);
    /* any byte of any line but the last's signature padding */
    for (size_t i = 0; i < len - 4; i += 7) {
        if (text[i] == '\n')
            continue;
        text[i] ^= 1;
        write_text(in("bad.proof"), text);
        RUN(&r, "log", "verify", "--proof", in("bad.proof"));
        if (r.code != 12)
            fail_msg("byte %zu: exit %d\n%s%s", i, r.code, r.out, r.err);
        run_free(&r);
        text[i] ^= 1;
    }
    /* without its extra line it does not say what is proven */
    char *rest = strchr(strchr(text, '\n') + 1, '\n') + 1;
    char bare[8192];
    snprintf(bare, sizeof(bare), "c2sp.org/tlog-proof@v1\n%s", rest);
    write_text(in("bare.proof"), bare);
    RUN(&r, "log", "verify", "--proof", in("bare.proof"));
    assert_code(&r, 12);
    assert_non_null(strstr(r.out, "FAIL entry"));
    run_free(&r);
    RUN(&r, "log", "verify", "--proof", in("bare.proof"), "--entry",
        in("entry"));
    assert_code(&r, 0);
    run_free(&r);
    /* given bytes count, not those in the file */
    write_text(in("other"), "hello\n");
    RUN(&r, "log", "verify", "--proof", in("two.proof"), "--entry", in("other"),
        "-o", "json");
    assert_code(&r, 12);
    json_t *o = run_json(&r);
    assert_false(json_is_true(json_object_get(o, "ok")));
    assert_true(json_is_null(json_object_get(o, "entry")));
    json_decref(o);
    run_free(&r);
    /* another log's key, of the same name */
    assert_ok(tlog_vkey_make(&key, NAME, TLOG_SIG_ED25519, pk));
    RUN(&r, "log", "verify", "--proof", in("two.proof"), "--vkey",
        tlog_vkey_text(other, &key));
    assert_code(&r, 12);
    run_free(&r);
    free(text);
}

/* Of another program, some with an extra line that is no entry. */
static void proofs_of_others_are_judged(void **state)
{
    (void)state;
    static const char *const names[] = { "0", "200", "255", "256", "599" };
    struct run r;
    char dir[512];
    char proof[600];
    char entry[600];
    snprintf(dir, sizeof(dir), "%.400s/tlog/sample-log", testdata());
    snprintf(proof, sizeof(proof), "%s/log.vkey", dir);
    char *vkey = read_text(proof);
    vkey[strcspn(vkey, "\n")] = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(proof, sizeof(proof), "%s/proofs/%s.tlog-proof", dir,
                 names[i]);
        snprintf(entry, sizeof(entry), "%s/proofs/%s.entry", dir, names[i]);
        RUN(&r, "log", "verify", "--proof", proof, "--entry", entry, "--vkey",
            vkey);
        assert_code(&r, 0);
        run_free(&r);
        RUN(&r, "log", "verify", "--proof", proof, "--vkey", vkey);
        assert_code(&r, 12);
        assert_non_null(strstr(r.out, "--entry FILE"));
        run_free(&r);
    }
    snprintf(proof, sizeof(proof), "file:%s/log", dir);
    RUN(&r, "log", "prove", "599", "--url", proof, "--vkey", vkey, "-O",
        in("other.proof"));
    assert_code(&r, 0);
    run_free(&r);
    RUN(&r, "log", "verify", "--proof", in("other.proof"), "--vkey", vkey,
        "--entry", entry);
    assert_code(&r, 0);
    run_free(&r);
    free(vkey);
}

static void what_cannot_be_proven_is_said(void **state)
{
    (void)state;
    struct run r;
    static const struct {
        const char *words[8];
        int code;
        const char *says;
    } cases[] = {
        { { "log", "prove" }, 2, "INDEX or --entry" },
        { { "log", "prove", "1", "--entry", "/dev/null" }, 2, "not both" },
        { { "log", "prove", "one" }, 2, "decimal" },
        { { "log", "prove", "4" }, 1, "outside the tree" },
        { { "log", "prove", "1", "--url", "http://127.0.0.1:1" }, 8, "" },
        { { "log", "prove", "--entry", "/dev/null" }, 1, "none of these" },
        { { "log", "verify" }, 2, "--proof is missing" },
        { { "log", "verify", "--proof", "/nonexistent" }, 1, "/nonexistent" },
        { { "log", "search", "--type", "x" }, 2, "--type" },
        { { "log", "search", "--session", "12" }, 2, "--session" },
        { { "log", "search", "--sha256", "12" }, 2, "--sha256" },
        { { "log", "search", "--key", "release" }, 8, "is no hex digest" },
        { { "log", "search", "--artifact", "/nonexistent" }, 1, "/none" },
        { { "log", "watch", "--once", "--interval", "0" }, 2, "--interval" },
        { { "log", "fsck", "file:" }, 2, "directory" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        print_message("%s %s\n", cases[i].words[1], cases[i].says);
        run_mpcsign(&r, cases[i].words);
        assert_code(&r, cases[i].code);
        assert_non_null(strstr(r.err, cases[i].says));
        assert_string_equal(r.out, "");
        run_free(&r);
    }
    unsetenv("MPC_LOG_VKEY");
    RUN(&r, "log", "fsck");
    assert_code(&r, 2);
    assert_non_null(strstr(r.err, "MPC_LOG_VKEY"));
    run_free(&r);
    setenv("MPC_LOG_VKEY", at.vkey, 1);
    unsetenv("MPC_LOG_URL");
    RUN(&r, "log", "watch", "--once");
    assert_code(&r, 2);
    assert_non_null(strstr(r.err, "MPC_LOG_URL"));
    run_free(&r);
    setenv("MPC_LOG_URL", at.url, 1);
    /* a bent bundle: nothing is written */
    bend("tile/entries/000.p/4", 4);
    RUN(&r, "log", "prove", "0", "-O", in("none.proof"));
    assert_code(&r, 12);
    assert_int_not_equal(access(in("none.proof"), F_OK), 0);
    run_free(&r);
    serve("p");
}

/* ---- witnesses ---------------------------------------------------------- */

static void a_policy_asks_for_cosignatures(void **state)
{
    (void)state;
    struct run r;
    struct tlog_vkey w[2];
    uint8_t sk[2][64];
    uint8_t pk[32];
    char vkey[2][TLOG_VKEY_MAX];
    char policy[2048];
    char note[TLOG_NOTE_MAX];
    char line[TLOG_SIG_LINE_MAX];
    struct tlog_checkpoint cp;
    for (unsigned i = 0; i < 2; i++) {
        char name[16];
        snprintf(name, sizeof(name), "test/w%u", i);
        crypto_sign_keypair(pk, sk[i]);
        assert_ok(tlog_vkey_make(&w[i], name, TLOG_SIG_COSIGNATURE, pk));
        tlog_vkey_text(vkey[i], &w[i]);
    }
    snprintf(policy, sizeof(policy),
             "log %s\nwitness a %s\nwitness b %s\ngroup g all a b\n"
             "quorum g\n",
             at.vkey, vkey[0], vkey[1]);
    write_text(in("policy"), policy);
    char *text = read_text(in("web/checkpoint"));
    snprintf(note, sizeof(note), "%s", text);
    assert_ok(tlog_checkpoint_open(&cp, note, strlen(note), &at.key));
    for (unsigned i = 0; i < 3; i++) {
        bool quorum = i == 2;
        RUN(&r, "log", "watch", "--once", "--state", in("cosigned"), "--policy",
            in("policy"));
        assert_code(&r, quorum ? 0 : 12);
        assert_true(quorum || strstr(r.out, "bad_checkpoint"));
        run_free(&r);
        RUN(&r, "log", "prove", "1", "-O", in("w.proof"));
        assert_code(&r, 0);
        run_free(&r);
        RUN(&r, "log", "verify", "--proof", in("w.proof"), "--policy",
            in("policy"));
        assert_code(&r, quorum ? 0 : 12);
        assert_non_null(
                strstr(r.out, quorum ? "ok   cosigned" : "FAIL cosigned"));
        run_free(&r);
        if (quorum)
            break;
        assert_ok(tlog_cosign(line, &cp, 1234, &w[i], sk[i]));
        assert_ok(tlog_note_add(note, sizeof(note), line));
        write_text(in("web/checkpoint"), note);
    }
    /* a policy of other logs */
    snprintf(policy, sizeof(policy),
             "witness a %s\nwitness b %s\ngroup g any a b\nquorum g\n", vkey[0],
             vkey[1]);
    write_text(in("any"), policy); /* names no log: any that --vkey says */
    RUN(&r, "log", "verify", "--proof", in("w.proof"), "--policy", in("any"));
    assert_code(&r, 0);
    assert_non_null(strstr(r.out, "by 2 of 2 witnesses"));
    run_free(&r);
    snprintf(policy, sizeof(policy), "log %.5sx%s\nquorum none\n", at.vkey,
             at.vkey + 5);
    write_text(in("bad"), policy);
    RUN(&r, "log", "watch", "--once", "--policy", in("bad"));
    assert_int_not_equal(r.code, 0);
    assert_non_null(strstr(r.err, in("bad")));
    run_free(&r);
    free(text);
    serve("p");
}

/* ---- search ------------------------------------------------------------- */

/* Indices of what a search prints, as "1 2 ". */
static const char *indices(const struct run *r)
{
    static char out[256];
    size_t i;
    json_t *e;
    json_t *o = run_json(r);
    out[0] = '\0';
    json_array_foreach (json_object_get(o, "entries"), i, e)
        snprintf(out + strlen(out), sizeof(out) - strlen(out), "%lld ",
                 (long long)json_integer_value(json_object_get(e, "index")));
    json_decref(o);
    return out;
}

static void entries_are_found_by_what_they_hold(void **state)
{
    (void)state;
    char group[65];
    char key[65];
    char session[65];
    char sig[65];
    uint8_t h[32];
    enc_hex(group, group_key, 32);
    hash256(h, group_key, 32);
    enc_hex(key, h, 32);
    enc_hex(session, (uint8_t[32]){ 2 }, 32);
    hash256(h, signature, 64);
    enc_hex(sig, h, 32);
    small_log("s");
    append("s", intent_at(2, 1, 1, SOON)); /* 4 */
    append("s", abort_of(4));              /* 5 */
    append("s", "mpc-intent/1\nno\n");     /* 6 */
    append("s", receipt_of(700));          /* 7 */
    serve("s");
    const struct {
        const char *option[4];
        const char *want;
    } cases[] = {
        { { NULL }, "0 1 2 3 4 5 6 7 " },
        { { "--key", group }, "1 2 4 5 " },
        { { "--key", key }, "1 2 4 5 " },
        { { "--key", session }, "" },
        { { "--session", session }, "4 5 " },
        { { "--key", key, "--type", "intent" }, "1 4 " },
        { { "--key", key, "--type", "abort" }, "5 " },
        { { "--type", "receipt" }, "2 7 " },
        { { "--type", "malformed" }, "6 " },
        { { "--type", "opaque" }, "0 3 " },
        { { "--sha256", sig }, "1 2 7 " },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct run r;
        const char *words[RUN_WORDS] = { "log", "search", "-o", "json" };
        for (unsigned k = 0; k < 4; k++)
            words[4 + k] = cases[i].option[k];
        run_mpcsign(&r, words);
        assert_code(&r, 0);
        assert_string_equal(indices(&r), cases[i].want);
        run_free(&r);
    }
    struct run r;
    RUN(&r, "log", "search", "--key", key);
    assert_code(&r, 0);
    assert_non_null(strstr(r.out, "4 of the 8 entries"));
    run_free(&r);
}

static void an_artifact_is_found_by_what_lies_beside_it(void **state)
{
    (void)state;
    struct run r;
    write_text(in("app"), "some program\n");
    RUN(&r, "log", "search", "--artifact", in("app"), "-o", "json");
    assert_code(&r, 0);
    assert_string_equal(indices(&r), "");
    assert_non_null(strstr(r.out, "does not mean nothing signed"));
    run_free(&r);
    assert_ok(file_write(in("app.sig"), signature, 64, 0644));
    RUN(&r, "log", "search", "--artifact", in("app"), "-o", "json");
    assert_code(&r, 0);
    assert_string_equal(indices(&r), "1 2 7 ");
    run_free(&r);
    RUN(&r, "log", "search", "--signature", in("app.sig"), "-o", "json");
    assert_code(&r, 0);
    assert_string_equal(indices(&r), "1 2 7 ");
    run_free(&r);
    /* what is none is said, and an error only where it was named */
    write_text(in("app.mpc.json"), "{}");
    RUN(&r, "log", "search", "--artifact", in("app"));
    assert_code(&r, 0);
    assert_non_null(strstr(r.err, "app.mpc.json is not used"));
    run_free(&r);
    RUN(&r, "log", "search", "--bundle", in("app.mpc.json"));
    assert_code(&r, 1);
    run_free(&r);
    RUN(&r, "log", "search", "--signature", in("app.mpc.json"));
    assert_code(&r, 1);
    run_free(&r);
}

/* A search is whole or it is none. */
static void a_log_that_lies_is_not_searched(void **state)
{
    (void)state;
    struct run r;
    bend("tile/entries/000.p/8", 4);
    RUN(&r, "log", "search");
    assert_code(&r, 12);
    assert_string_equal(r.out, "");
    run_free(&r);
    serve("s");
    bend("tile/0/000.p/8", 40);
    RUN(&r, "log", "search");
    assert_code(&r, 12);
    run_free(&r);
    serve("s");
}

/* ---- fsck --------------------------------------------------------------- */

static void every_tile_of_a_log_is_checked(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        size_t where;
    } bent[] = { { "tile/entries/000", 3 }, { "tile/entries/001.p/4", 3 },
                 { "tile/0/000", 8191 },    { "tile/0/001.p/4", 0 },
                 { "tile/1/000.p/1", 31 },  { "checkpoint", 40 } };
    struct run r;
    struct tlog_store *s = NULL;
    static struct tlog_proof proof;
    char file[96];
    snprintf(file, sizeof(file), "file:%s", at.web);
    assert_ok(tlog_store_open(&s, in("f"), &at.key, at.sk));
    for (unsigned i = 0; i < 260; i++) {
        char entry[32];
        int n = snprintf(entry, sizeof(entry), "entry %u\n", i);
        assert_ok(tlog_store_append(s, &proof, entry, (size_t)n));
    }
    tlog_store_free(s);
    serve("f");
    RUN(&r, "log", "fsck", "-o", "json");
    assert_code(&r, 0);
    json_t *o = run_json(&r);
    assert_int_equal(json_integer_value(json_object_get(o, "tiles_checked")),
                     5);
    assert_int_equal(json_integer_value(json_object_get(o, "entries_checked")),
                     260);
    json_decref(o);
    run_free(&r);
    for (size_t i = 0; i < sizeof(bent) / sizeof(*bent); i++) {
        serve("f");
        bend(bent[i].path, bent[i].where);
        RUN(&r, "log", "fsck", file);
        if (r.code != 12)
            fail_msg("%s: exit %d\n%s", bent[i].path, r.code, r.err);
        run_free(&r);
    }
}

static void reading_long_says_how_far_it_is(void **state)
{
    (void)state;
    struct run r;
    serve("f");
    slow_ms = 600;
    RUN(&r, "log", "fsck");
    assert_code(&r, 0);
    assert_non_null(strstr(r.err, "fsck: 2 bundles of 256 entries in "));
    assert_non_null(strstr(r.err, "the log has 260 entries"));
    run_free(&r);
    slow_ms = 0;
}

/* ---- watch -------------------------------------------------------------- */

/* One round; the number of alarms, whose kinds are "a b ". */
static const char *watch(int code, const char *name)
{
    static char out[512];
    struct run r;
    size_t i;
    json_t *e;
    RUN(&r, "log", "watch", "--once", "--state", in(name), "-o", "json");
    assert_code(&r, code);
    out[0] = '\0';
    json_t *o = run_json(&r);
    json_array_foreach (json_object_get(o, "alarms"), i, e)
        snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s ",
                 json_string_value(json_object_get(e, "kind")));
    assert_int_equal(json_is_true(json_object_get(o, "ok")), code == 0);
    json_decref(o);
    run_free(&r);
    return out;
}

static void each_rule_has_its_alarm_once(void **state)
{
    (void)state;
    small_log("r");
    serve("r");
    assert_string_equal(watch(0, "r.watch"), "");
    assert_string_equal(watch(0, "r.watch"), "");
    append("r", receipt_of(3)); /* of what is no intent */
    serve("r");
    assert_string_equal(watch(12, "r.watch"), "receipt_without_intent ");
    assert_string_equal(watch(0, "r.watch"), ""); /* told already */
    append("r", intent_at(7, 1, 1, 100));         /* 5, long expired */
    append("r", intent_at(8, 1, 1, 100));         /* 6, and aborted */
    append("r", abort_of(6));
    serve("r");
    assert_string_equal(watch(12, "r.watch"), "intent_without_receipt ");
    append("r", intent_at(9, 1, 1, SOON));
    serve("r");
    assert_string_equal(watch(0, "r.watch"), ""); /* it has time */
    append("r", intent_at(9, 2, 1, SOON));        /* another message */
    serve("r");
    assert_string_equal(watch(12, "r.watch"), "second_message_for_slot ");
    append("r", "mpc-receipt/1\nintent\n");
    serve("r");
    assert_string_equal(watch(12, "r.watch"), "malformed_entry ");
    /* who begins now is told everything */
    assert_string_equal(watch(12, "r.new"),
                        "receipt_without_intent second_message_for_slot "
                        "malformed_entry intent_without_receipt ");
}

static void a_receipt_of_an_earlier_round_is_shown_with_its_key(void **state)
{
    (void)state;
    struct run r;
    char group[65];
    char other[65];
    enc_hex(group, group_key, 32);
    enc_hex(other, (uint8_t[32]){ 99 }, 32);
    append("k", "hello\n");
    append("k", intent_at(1, 1, 1, SOON));
    serve("k");
    RUN(&r, "log", "watch", "--once", "--state", in("k1"), "--key", group);
    assert_code(&r, 0);
    assert_non_null(strstr(r.out, "1  intent"));
    run_free(&r);
    RUN(&r, "log", "watch", "--once", "--state", in("k2"), "--key", other);
    assert_code(&r, 0);
    assert_null(strstr(r.out, "intent"));
    run_free(&r);
    append("k", receipt_of(1));
    serve("k");
    RUN(&r, "log", "watch", "--once", "--state", in("k1"), "--key", group);
    assert_code(&r, 0);
    assert_null(strstr(r.out, "1  intent")); /* shown already */
    assert_non_null(strstr(r.out, "2  receipt"));
    run_free(&r);
    RUN(&r, "log", "watch", "--once", "--state", in("k2"), "--key", other,
        "-q");
    assert_code(&r, 0);
    assert_string_equal(r.out, "");
    run_free(&r);
    RUN(&r, "log", "watch", "--once", "--state", in("k3"), "--all", "-o",
        "json");
    assert_code(&r, 0);
    assert_string_equal(indices(&r), "0 1 2 ");
    run_free(&r);
}

/* The one alarm of a round, whose two files hold what was signed. */
static void assert_evidence(const char *kind, const char *held,
                            const char *shown)
{
    struct run r;
    RUN(&r, "log", "watch", "--once", "--state", in("fork.watch"), "-o",
        "json");
    assert_code(&r, 12);
    json_t *o = run_json(&r);
    json_t *alarms = json_object_get(o, "alarms");
    assert_int_equal(json_array_size(alarms), 1);
    json_t *a = json_array_get(alarms, 0);
    assert_string_equal(json_string_value(json_object_get(a, "kind")), kind);
    json_t *files = json_object_get(a, "evidence");
    assert_int_equal(json_array_size(files), 2);
    char *one = read_text(json_string_value(json_array_get(files, 0)));
    char *two = read_text(json_string_value(json_array_get(files, 1)));
    assert_string_equal(one, held);
    assert_string_equal(two, shown);
    free(one);
    free(two);
    json_decref(o);
    run_free(&r);
}

static void a_fork_alarms_and_keeps_both_checkpoints(void **state)
{
    (void)state;
    append("true", "hello\n");
    append("true", intent_at(1, 1, 1, SOON));
    append("true", "more\n");
    serve("true");
    assert_string_equal(watch(0, "fork.watch"), "");
    char *held = read_text(in("web/checkpoint"));
    /* another past: of the same size, larger, smaller */
    append("false", "hello\n");
    append("false", "we never logged that\n");
    for (unsigned size = 2; size <= 4; size++) {
        serve("false");
        char *shown = read_text(in("web/checkpoint"));
        assert_evidence(size < 3 ? "shrunken_log" : "fork", held, shown);
        /* it stays that way as long as it is shown, and nothing is lost */
        assert_evidence(size < 3 ? "shrunken_log" : "fork", held, shown);
        free(shown);
        append("false", size == 2 ? "a\n" : "b\n");
    }
    /* the true one goes on */
    append("true", receipt_of(1));
    serve("true");
    assert_string_equal(watch(0, "fork.watch"), "");
    free(held);
}

static void a_shrunken_log_alarms(void **state)
{
    (void)state;
    append("old", "hello\n");
    append("old", intent_at(1, 1, 1, SOON));
    serve("old");
    assert_string_equal(watch(12, "fork.watch"), "shrunken_log ");
    serve("true");
    assert_string_equal(watch(0, "fork.watch"), "");
}

static void bent_tiles_alarm_and_teach_nothing(void **state)
{
    (void)state;
    small_log("b");
    serve("b");
    assert_string_equal(watch(0, "b.watch"), "");
    append("b", receipt_of(3)); /* an alarm, were it believed */
    serve("b");
    bend("tile/entries/000.p/5", 3);
    assert_string_equal(watch(12, "b.watch"), "unfit_tiles ");
    serve("b");
    bend("tile/0/000.p/5", 4 * 32);
    assert_string_equal(watch(12, "b.watch"), "fork "); /* shows no path */
    serve("b");
    bend("checkpoint", 20);
    assert_string_equal(watch(12, "b.watch"), "bad_checkpoint ");
    serve("b");
    assert_string_equal(watch(12, "b.watch"), "receipt_without_intent ");
    assert_string_equal(watch(0, "b.watch"), "");
}

static void who_is_not_there_is_no_alarm(void **state)
{
    (void)state;
    struct run r;
    serve("b");
    char *before = read_text(in("b.watch"));
    RUN(&r, "log", "watch", "--once", "--state", in("b.watch"), "--url",
        "http://127.0.0.1:1");
    assert_code(&r, 8);
    run_free(&r);
    /* it answers, and has not what it signed */
    append("b", "more\n");
    serve("b");
    assert_int_equal(unlink(in("web/tile/entries/000.p/6")), 0);
    RUN(&r, "log", "watch", "--once", "--state", in("b.watch"), "-o", "json");
    assert_code(&r, 8);
    json_t *o = run_json(&r);
    assert_non_null(json_object_get(o, "error"));
    json_decref(o);
    run_free(&r);
    char *after = read_text(in("b.watch"));
    assert_string_equal(before, after);
    free(before);
    free(after);
    serve("b");
}

static void a_state_of_something_else_is_refused(void **state)
{
    (void)state;
    struct run r;
    char *text = read_text(in("b.watch"));
    text[strlen(text) / 2] = '\0'; /* cut off */
    write_text(in("cut.watch"), text);
    RUN(&r, "log", "watch", "--once", "--state", in("cut.watch"));
    assert_code(&r, 1);
    assert_non_null(strstr(r.err, "cut.watch"));
    run_free(&r);
    text[strlen("mpc-log-watch/1 ")] ^= 1; /* another log's name */
    write_text(in("cut.watch"), text);
    RUN(&r, "log", "watch", "--once", "--state", in("cut.watch"));
    assert_code(&r, 1);
    assert_non_null(strstr(r.err, "another log"));
    run_free(&r);
    free(text);
    /* it finds a place of its own */
    setenv("XDG_STATE_HOME", in("xdg"), 1);
    RUN(&r, "log", "watch", "--once", "--quiet");
    assert_code(&r, 12); /* it begins with b's old receipt */
    run_free(&r);
    RUN(&r, "log", "watch", "--once", "--quiet");
    assert_code(&r, 0);
    assert_string_equal(r.out, "");
    run_free(&r);
    assert_int_equal(access(in("xdg/mpcsign"), F_OK), 0);
    unsetenv("XDG_STATE_HOME");
}

/* Until the file holds these words; fails after a while. */
static void wait_for(const char *path, const char *words)
{
    for (unsigned i = 0; i < 200; i++) {
        uint8_t *p = NULL;
        size_t len;
        bool there = file_read(&p, &len, path, 1 << 20) == RC_OK &&
                     strstr((char *)p, words) != NULL;
        free(p);
        if (there)
            return;
        usleep(50000);
    }
    fail_msg("%s never said: %s", path, words);
}

/* A watch for good, a round a second; what it says is in NAME.out. */
static pid_t start_watch(const char *name, const char *url)
{
    char out[200];
    char watch[200];
    snprintf(out, sizeof(out), "%s.out", in(name));
    snprintf(watch, sizeof(watch), "%s.watch", in(name));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid != 0)
        return pid;
    if (!freopen(out, "w", stdout) || dup2(1, 2) < 0)
        _exit(126);
    execl(MPC_BUILD_DIR "/bin/mpcsign", "mpcsign", "log", "watch", url,
          "--state", watch, "--interval", "1", "--all", (char *)NULL);
    _exit(127);
}

static void stop_watch(pid_t pid, int number, int code)
{
    int status;
    assert_int_equal(kill(pid, number), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), code);
}

static void ctrl_c_ends_a_watch_cleanly(void **state)
{
    (void)state;
    append("d", "hello\n");
    serve("d");
    pid_t pid = start_watch("d", at.url);
    wait_for(in("d.out"), "0  opaque");
    append("d", "world\n");
    serve("d");
    wait_for(in("d.out"), "1  opaque");
    stop_watch(pid, SIGINT, 0);
    /* and the next goes on from there */
    struct run r;
    RUN(&r, "log", "watch", "--once", "--state", in("d.watch"), "--all");
    assert_code(&r, 0);
    assert_non_null(strstr(r.out, "2 entries, 0 of them new"));
    assert_null(strstr(r.out, "opaque"));
    run_free(&r);
}

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;
    for (const char *p = text; (p = strstr(p, what)); p++)
        n++;
    return n;
}

/* For two rounds more it says nothing new. */
static void assert_told_once(const char *what)
{
    sleep(2);
    char *said = read_text(in("e.out"));
    assert_int_equal(count(said, what), 1);
    free(said);
}

static void a_watch_outlives_what_it_sees(void **state)
{
    (void)state;
    char url[96];
    snprintf(url, sizeof(url), "file:%s", at.web);
    dir_remove(at.web);
    pid_t pid = start_watch("e", url);
    wait_for(in("e.out"), "mpcsign: ");
    assert_told_once("mpcsign: ");
    serve("true");
    wait_for(in("e.out"), "4 entries, 4 of them new, 0 alarms");
    serve("false");
    wait_for(in("e.out"), "ALARM     fork");
    assert_told_once("ALARM     fork");
    append("true", "it goes on\n");
    serve("true");
    wait_for(in("e.out"), "5 entries, 1 of them new, 0 alarms");
    stop_watch(pid, SIGTERM, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_proof_is_made_and_judged_offline),
        cmocka_unit_test(a_proof_that_is_not_one_is_refused),
        cmocka_unit_test(proofs_of_others_are_judged),
        cmocka_unit_test(what_cannot_be_proven_is_said),
        cmocka_unit_test(a_policy_asks_for_cosignatures),
        cmocka_unit_test(entries_are_found_by_what_they_hold),
        cmocka_unit_test(an_artifact_is_found_by_what_lies_beside_it),
        cmocka_unit_test(a_log_that_lies_is_not_searched),
        cmocka_unit_test(every_tile_of_a_log_is_checked),
        cmocka_unit_test(reading_long_says_how_far_it_is),
        cmocka_unit_test(each_rule_has_its_alarm_once),
        cmocka_unit_test(a_receipt_of_an_earlier_round_is_shown_with_its_key),
        cmocka_unit_test(a_fork_alarms_and_keeps_both_checkpoints),
        cmocka_unit_test(a_shrunken_log_alarms),
        cmocka_unit_test(bent_tiles_alarm_and_teach_nothing),
        cmocka_unit_test(who_is_not_there_is_no_alarm),
        cmocka_unit_test(a_state_of_something_else_is_refused),
        cmocka_unit_test(ctrl_c_ends_a_watch_cleanly),
        cmocka_unit_test(a_watch_outlives_what_it_sees),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
