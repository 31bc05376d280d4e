/* SPDX-License-Identifier: Apache-2.0 */
/* The floor: codes, layouts, encodings, files, sockets, events. */
#include "test.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <jansson.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/own.h"
#include "base/rand.h"
#include "base/secret.h"
#include "base/sock.h"

static void every_code_has_slug_exit_and_status(void **state)
{
    (void)state;
    for (int i = 0; i < RC__COUNT; i++) {
        enum rc rc = (enum rc)i;
        assert_non_null(rc_slug(rc));
        assert_int_equal(rc_from_slug(rc_slug(rc)), rc);
        assert_true(rc_http(rc) >= 200 && rc_http(rc) < 600);
        assert_int_equal(rc_exit(rc) == 0, rc == RC_OK);
    }
    assert_int_equal(rc_from_slug("no such slug"), RC_INTERNAL);
}

static void error_text_keeps_words_hint_and_place(void **state)
{
    (void)state;
    assert_int_equal(rc_raise(RC_IO, "disk %d", 7), RC_IO);
    rc_hint("buy %s", "another");
    assert_int_equal(rc_prefix(RC_IO, "node%d: ", 2), RC_IO);
    assert_string_equal(rc_text(), "node2: disk 7");
    assert_string_equal(rc_hint_text(), "buy another");
    assert_non_null(strstr(rc_where(), "test_base.c:"));
    assert_int_equal(rc_raise(RC_ARG, "next"), RC_ARG);
    assert_string_equal(rc_hint_text(), "");
}

static void layouts_are_read_back_and_never_overrun(void **state)
{
    (void)state;
    uint8_t buf[64];
    struct bytes_writer w = bytes_writer(buf, sizeof(buf));
    bytes_put_tag(&w, "ab");
    bytes_put_u8(&w, 1);
    bytes_put_u16(&w, 0x0203);
    bytes_put_u32(&w, 0x04050607);
    bytes_put_u64(&w, 0x08090a0b0c0d0e0full);
    bytes_put_lp16(&w, "xyz", 3);
    bytes_put_lp32(&w, "", 0);
    assert_ok(bytes_written(&w));
    assert_memory_equal(buf, "ab\0\1\2\3\4\5\6\7", 10);
    struct bytes_reader r = bytes_reader(buf, w.len);
    size_t n;
    assert_memory_equal(bytes_take(&r, 3), "ab", 3);
    assert_int_equal(bytes_get_u8(&r), 1);
    assert_int_equal(bytes_get_u16(&r), 0x0203);
    assert_int_equal(bytes_get_u32(&r), 0x04050607);
    assert_true(bytes_get_u64(&r) == 0x08090a0b0c0d0e0full);
    assert_memory_equal(bytes_take_lp16(&r, &n), "xyz", 3);
    assert_non_null(bytes_take_lp32(&r, &n));
    assert_ok(bytes_end(&r, "layout"));
    for (size_t cut = 0; cut < w.len; cut++) {
        r = bytes_reader(buf, cut);
        (void)bytes_take(&r, 3 + 1 + 2 + 4 + 8);
        (void)bytes_take_lp16(&r, &n);
        (void)bytes_take_lp32(&r, &n);
        assert_rc(bytes_end(&r, "layout"), RC_PARSE);
    }
    r = bytes_reader(buf, w.len);
    assert_rc(bytes_end(&r, "layout"), RC_PARSE);
    w = bytes_writer(buf, 3);
    bytes_put_u32(&w, 1);
    bytes_put_u8(&w, 1); /* the failure sticks */
    assert_rc(bytes_written(&w), RC_NOMEM);
}

static void encodings_are_strict(void **state)
{
    (void)state;
    uint8_t out[8];
    size_t n;
    char text[32];
    assert_string_equal(enc_hex(text, "\x00\xff", 2), "00ff");
    assert_ok(enc_unhex(out, 2, "00ff", 4));
    assert_rc(enc_unhex(out, 2, "00FF", 4), RC_PARSE);
    assert_rc(enc_unhex(out, 2, "00f", 3), RC_PARSE);
    assert_rc(enc_unhex(out, 2, "00f ", 4), RC_PARSE);
    assert_string_equal(enc_b64(text, "\xfb\xff", 2), "+/8=");
    assert_string_equal(enc_b64u(text, "\xfb\xff", 2), "-_8");
    assert_ok(enc_unb64(out, 8, &n, "+/8=", 4));
    assert_int_equal(n, 2);
    assert_rc(enc_unb64(out, 8, &n, "+/8", 3), RC_PARSE);
    assert_rc(enc_unb64(out, 8, &n, "-_8=", 4), RC_PARSE);
    assert_ok(enc_unb64u(out, 8, &n, "-_8", 3));
    assert_rc(enc_unb64u(out, 8, &n, "-_8=", 4), RC_PARSE);
    assert_rc(enc_unb64u(out, 1, &n, "-_8", 3), RC_PARSE);
    assert_rc(enc_unb64u(out, 8, &n, "-_9", 3), RC_PARSE); /* stray bits */
    uint64_t v;
    assert_ok(enc_undec(&v, "120", 3));
    assert_int_equal(v, 120);
    assert_rc(enc_undec(&v, "012", 3), RC_PARSE);
    assert_rc(enc_undec(&v, "-1", 2), RC_PARSE);
    assert_rc(enc_undec(&v, "", 0), RC_PARSE);
}

static void hashes_match_fips_180(void **state)
{
    (void)state;
    uint8_t h[64];
    char hex[129];
    struct hash_part parts[] = { { "a", 1 }, { "bc", 2 } };
    hash256_parts(h, parts, 2);
    assert_string_equal(enc_hex(hex, h, 32),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410"
                        "ff61f20015ad");
    hash512_parts(h, parts, 2);
    assert_memory_equal(enc_hex(hex, h, 64), "ddaf35a193617abacc417349", 24);
}

static void files_are_whole_or_absent(void **state)
{
    (void)state;
    char dir[] = "/tmp/mpc-file-XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/a", dir);
    uint8_t *back = NULL;
    size_t n;
    assert_rc(file_read(&back, &n, path, 10), RC_UNKNOWN);
    assert_ok(file_write(path, "hello", 5, 0640));
    assert_ok(file_read(&back, &n, path, 5));
    assert_int_equal(n, 5);
    assert_string_equal((char *)back, "hello");
    free(back);
    back = NULL;
    assert_rc(file_read(&back, &n, path, 4), RC_TOO_LARGE);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    char missing[80];
    snprintf(missing, sizeof(missing), "%s/no/where", dir);
    assert_rc(file_write(missing, "x", 1, 0600), RC_IO);
    assert_ok(file_mkdirs(missing, 0700));
    assert_int_equal(rmdir(missing), 0);
    snprintf(missing, sizeof(missing), "%s/no", dir);
    assert_int_equal(rmdir(missing), 0);
    unlink(path);
    assert_int_equal(rmdir(dir), 0); /* no temporary file was left */
}

static void sockets_keep_deadlines_and_know_their_peer(void **state)
{
    (void)state;
    char dir[] = "/tmp/mpc-sock-XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
    int l;
    int c;
    int again;
    assert_rc(sock_unix_connect(&c, path), RC_UNREACHABLE);
    assert_ok(sock_unix_listen(&l, path, 0600));
    assert_ok(sock_unix_connect(&c, path));
    int s = accept(l, NULL, NULL);
    while (s < 0)
        s = accept(l, NULL, NULL);
    assert_rc(sock_unix_listen(&again, path, 0600), RC_EXISTS);
    struct sock_peer peer;
    assert_ok(sock_peer(&peer, s));
    assert_int_equal(peer.uid, getuid());
    assert_int_equal(peer.pid, getpid());
    char buf[4];
    assert_rc(sock_read(s, buf, 4, clock_mono_ms() + 20), RC_TIMEOUT);
    assert_ok(sock_write(c, "ab", 2, clock_mono_ms() + 1000));
    assert_ok(sock_read(s, buf, 2, clock_mono_ms() + 1000));
    close(c);
    assert_rc(sock_read(s, buf, 1, clock_mono_ms() + 1000), RC_UNREACHABLE);
    close(s);
    close(l);
    assert_ok(sock_unix_listen(&l, path, 0600)); /* a stale file goes */
    close(l);
    unlink(path);
    rmdir(dir);
    uint16_t port = 0;
    assert_ok(sock_tcp_listen(&l, &port, "127.0.0.1:0"));
    assert_true(port != 0);
    assert_true(sock_is_loopback(l));
    close(l);
    assert_ok(sock_tcp_listen(&l, &port, "0.0.0.0:0"));
    assert_false(sock_is_loopback(l));
    close(l);
    assert_rc(sock_tcp_listen(&l, &port, "nonsense"), RC_ARG);
    assert_rc(sock_tcp_listen(&l, &port, "example.org:1"), RC_ARG);
}

/* Runs fn with stderr in a pipe; returns what it wrote. */
static char *captured(void (*fn)(void))
{
    static char text[4096];
    int p[2];
    assert_int_equal(pipe(p), 0);
    int old = dup(STDERR_FILENO);
    dup2(p[1], STDERR_FILENO);
    close(p[1]);
    fn();
    dup2(old, STDERR_FILENO);
    close(old);
    ssize_t n = read(p[0], text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    close(p[0]);
    return text;
}

static void say_something(void)
{
    log_info("sign.done", "session=%s why=\"a b\\\"c\" n=%d", "ab\ncd", 3);
    log_debug("hidden", "x=%d", 1);
}

/* The group's own name is asked for, so that any user may run the test. */
static void a_socket_is_its_groups(void **state)
{
    (void)state;
    char dir[] = "/tmp/mpc-sock-XXXXXX";
    char path[64];
    struct stat st;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
    int l;
    assert_rc(sock_unix_listen_group(&l, path, 0660, "no such group"), RC_ARG);
    assert_non_null(strstr(rc_text(), "no such group"));
    assert_int_equal(stat(path, &st), -1);
    gid_t gid = getuid() == 0 ? 1 : getgid();
    const struct group *g = getgrgid(gid);
    assert_non_null(g);
    assert_ok(sock_unix_listen_group(&l, path, 0620, g->gr_name));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_gid, gid);
    assert_int_equal(st.st_mode & 07777, 0620);
    close(l);
    unlink(path);
    assert_int_equal(rmdir(dir), 0);
}

static void events_are_one_line_each_as_text_and_json(void **state)
{
    (void)state;
    log_setup(LOG_INFO, false, "simulated=yes");
    const char *text = captured(say_something);
    assert_memory_equal(text, "<6>sign.done simulated=yes session=ab cd", 40);
    assert_int_equal(strchr(text, '\n') - text, (long)strlen(text) - 1);
    log_setup(LOG_INFO, true, "simulated=yes");
    json_t *o = json_loads(captured(say_something), 0, NULL);
    log_setup(LOG_INFO, false, NULL);
    assert_non_null(o);
    assert_string_equal(json_string_value(json_object_get(o, "event")),
                        "sign.done");
    assert_string_equal(json_string_value(json_object_get(o, "simulated")),
                        "yes");
    json_decref(o);
}

static int broken(void *out, size_t len)
{
    memset(out, 0xaa, len);
    return -1;
}

static void failed_randomness_leaves_nothing_behind(void **state)
{
    (void)state;
    uint8_t a[32] = { 1 };
    uint8_t zero[32] = { 0 };
    rand_replace(broken);
    assert_rc(rand_bytes(a, sizeof(a)), RC_IO);
    rand_replace(NULL);
    assert_memory_equal(a, zero, 32);
    assert_ok(rand_bytes(a, sizeof(a)));
    assert_memory_not_equal(a, zero, 32);
}

struct test_secret {
    uint8_t b[32];
};
WIPED_TYPE(test_secret);

static void secrets_are_locked_and_wiped(void **state)
{
    (void)state;
    uint8_t *p = secret_new(100);
    assert_non_null(p);
    for (int i = 0; i < 100; i++)
        assert_int_equal(p[i], 0);
    secret_free(p);
    struct test_secret *seen;
    {
        WIPED(test_secret) s;
        memset(&s, 7, sizeof(s));
        seen = &s;
        own_wipe_test_secret(seen);
        assert_int_equal(s.b[31], 0);
    }
    WIPED_BYTES(k, 16);
    memset(k, 1, sizeof(k));
    assert_int_equal(sizeof(k), 16);
}

static void times_are_rfc_3339(void **state)
{
    (void)state;
    char text[CLOCK_TEXT_SIZE];
    assert_string_equal(clock_text(text, 1795322889), "2026-11-22T04:48:09Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_slug_exit_and_status),
        cmocka_unit_test(error_text_keeps_words_hint_and_place),
        cmocka_unit_test(layouts_are_read_back_and_never_overrun),
        cmocka_unit_test(encodings_are_strict),
        cmocka_unit_test(hashes_match_fips_180),
        cmocka_unit_test(files_are_whole_or_absent),
        cmocka_unit_test(sockets_keep_deadlines_and_know_their_peer),
        cmocka_unit_test(a_socket_is_its_groups),
        cmocka_unit_test(events_are_one_line_each_as_text_and_json),
        cmocka_unit_test(failed_randomness_leaves_nothing_behind),
        cmocka_unit_test(secrets_are_locked_and_wiped),
        cmocka_unit_test(times_are_rfc_3339),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
