/* SPDX-License-Identifier: Apache-2.0 */
/* The fake sidecar; see fake.h. One thread, one connection at a time. */
#include "test.h"

#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <sodium.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/enc.h"
#include "base/hash.h"
#include "base/own.h"
#include "base/sock.h"
#include "fake.h"
#include "wire/wire.h"

#define HEAD_MAX 8192
#define BODY_MAX (WIRE_MESSAGE_MAX + 65536)

struct request {
    char head[HEAD_MAX + 1];
    uint8_t *body;
    size_t len;
};

static bool stopped(const struct fake *f)
{
    struct pollfd p = { .fd = f->stop[0], .events = POLLIN };
    return poll(&p, 1, 0) > 0;
}

/* Waits for fd, or for the end of the test. */
static bool readable(const struct fake *f, int fd)
{
    struct pollfd p[2] = { { .fd = fd, .events = POLLIN },
                           { .fd = f->stop[0], .events = POLLIN } };
    while (poll(p, 2, -1) < 0 && errno == EINTR)
        continue;
    return p[1].revents == 0;
}

static ssize_t get(const struct fake *f, int fd, void *to, size_t cap)
{
    return readable(f, fd) ? recv(fd, to, cap, 0) : -1;
}

/* A client may close early: that is its affair. */
static void put(int fd, const void *from, size_t len)
{
    const uint8_t *p = from;
    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        p += n;
        len -= (size_t)n;
    }
}

static const char *header(const char *head, const char *name)
{
    const char *at = strcasestr(head, name);
    return at ? at + strlen(name) : NULL;
}

static bool read_body(const struct fake *f, int fd, struct request *q,
                      size_t have, const uint8_t *from)
{
    const char *length = header(q->head, "Content-Length:");
    size_t len = length ? strtoul(length, NULL, 10) : 0;
    if (len > BODY_MAX || have > len)
        return false;
    q->body = malloc(len + 1);
    q->len = len;
    memcpy(q->body, from, have);
    while (have < len) {
        ssize_t n = get(f, fd, q->body + have, len - have);
        if (n <= 0)
            return false;
        have += (size_t)n;
    }
    return true;
}

static bool read_request(struct fake *f, int fd, struct request *q)
{
    size_t got = 0;
    for (;;) {
        char *end = memmem(q->head, got, "\r\n\r\n", 4);
        if (end) {
            uint8_t rest[HEAD_MAX];
            size_t head = (size_t)(end - q->head) + 4;
            size_t have = got - head;
            memcpy(rest, q->head + head, have);
            q->head[head] = '\0';
            if (f->sign_mode == FAKE_EARLY && q->head[0] == 'P')
                return true;
            return read_body(f, fd, q, have, rest);
        }
        if (got == HEAD_MAX)
            return false;
        ssize_t n = get(f, fd, q->head + got, HEAD_MAX - got);
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
}

static void answer(int fd, int status, const char *body, size_t len)
{
    char head[160];
    int n = snprintf(head, sizeof(head),
                     "HTTP/1.1 %d Whatever\r\nContent-Type: application/json"
                     "\r\ncontent-length: %zu\r\nConnection: close\r\n\r\n",
                     status, len);
    put(fd, head, (size_t)n);
    put(fd, body, len);
}

static void answer_text(int fd, int status, const char *body)
{
    answer(fd, status, body, strlen(body));
}

/* Whether this mode has nothing to do with what was asked. */
static bool bad_manners(struct fake *f, int fd, enum fake_mode mode)
{
    char byte;
    static const char raw_garbage[] = "220 smtp.example ESMTP\r\n\r\n";
    static const char chunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
                                  "chunked\r\n\r\n0\r\n\r\n";
    static const char huge[] = "HTTP/1.1 200 OK\r\nContent-Length: "
                               "1099511627776\r\n\r\n";
    static const char cut[] = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{";
    switch (mode) {
    case FAKE_REFUSES:
        answer_text(fd, 403,
                    "{\"code\":\"not_approved\",\"message\":\"bob has not "
                    "approved\",\"hint\":\"mpcsign approve\"}");
        return true;
    case FAKE_REFUSES_RAW:
        answer_text(fd, 503,
                    "{\"code\":\"not_enough_nodes\",\"message\":\"one of "
                    "two\\nnode2\\u0007 is away\"}");
        return true;
    case FAKE_EARLY:
        answer_text(fd, 413,
                    "{\"code\":\"too_large\",\"message\":\"body over its "
                    "limit\",\"hint\":\"send less\"}");
        return true;
    case FAKE_PLAIN_500:
        answer_text(fd, 500, "<html>oops</html>");
        return true;
    case FAKE_GARBAGE:
        put(fd, raw_garbage, sizeof(raw_garbage) - 1);
        return true;
    case FAKE_CHUNKED:
        put(fd, chunked, sizeof(chunked) - 1);
        return true;
    case FAKE_BAD_JSON:
        answer_text(fd, 200, "{\"name\":\"release\"}");
        return true;
    case FAKE_HUGE:
        put(fd, huge, sizeof(huge) - 1);
        return true;
    case FAKE_SHORT:
        put(fd, cut, sizeof(cut) - 1);
        return true;
    case FAKE_CLOSES:
        return true;
    case FAKE_DRIPS: /* until the caller gives up */
        put(fd, huge, 17);
        while (!stopped(f) && send(fd, "x", 1, MSG_NOSIGNAL) == 1)
            usleep(100 * 1000);
        return true;
    case FAKE_SILENT: /* until the caller gives up */
        while (!stopped(f) && get(f, fd, &byte, 1) > 0)
            continue;
        return true;
    default:
        return false;
    }
}

static void answer_key(struct fake *f, int fd, const char *name)
{
    enum fake_mode mode = f->key_mode;
    f->keys++;
    if (bad_manners(f, fd, mode))
        return;
    WIRE(key) m = { .epoch = 1, .threshold = 2, .max_message = f->max_message };
    snprintf(m.name, sizeof(m.name), "%.*s", (int)strcspn(name, "? "),
             mode == FAKE_OTHER_NAME ? "another" : name);
    snprintf(m.class, sizeof(m.class), "%s", f->class);
    snprintf(m.lifetime, sizeof(m.lifetime), "persistent");
    memcpy(m.group_key, f->pk, sizeof(m.group_key));
    if (mode == FAKE_NOT_MADE) {
        m.epoch = 0;
        memset(m.group_key, 0, sizeof(m.group_key));
    }
    assert_ok(wire_list_new(&m.nodes, 3));
    for (size_t i = 0; i < 3; i++)
        m.nodes.at[i] = i + 1;
    OWNED_MEM char *json = NULL;
    size_t len;
    assert_ok(wire_key_encode(&json, &len, &m));
    answer(fd, 200, json, len);
}

static void answer_cert(struct fake *f, int fd)
{
    f->certs++;
    if (f->cert_len == 0) {
        answer_text(fd, 404,
                    "{\"code\":\"not_found\",\"message\":\"no certificate\"}");
        return;
    }
    WIRE(chain) m = { 0 };
    assert_ok(wire_list_new(&m.chain, f->root_len ? 2 : 1));
    assert_ok(wire_blob_set(&m.chain.at[0], f->cert, f->cert_len));
    if (f->root_len)
        assert_ok(wire_blob_set(&m.chain.at[1], f->root, f->root_len));
    OWNED_MEM char *json = NULL;
    size_t len;
    assert_ok(wire_chain_encode(&json, &len, &m));
    answer(fd, 200, json, len);
}

static void answer_sign(struct fake *f, int fd, const struct request *q)
{
    enum fake_mode mode = f->sign_mode;
    f->signs++;
    if (bad_manners(f, fd, mode))
        return;
    assert_true(q->len >= 4);
    size_t json_len = (size_t)q->body[0] << 24 | (size_t)q->body[1] << 16 |
                      (size_t)q->body[2] << 8 | q->body[3];
    assert_true(json_len <= q->len - 4);
    WIRE(sign) ask = { 0 };
    assert_ok(wire_sign_decode(&ask, (const char *)q->body + 4, json_len));
    snprintf(f->session, sizeof(f->session), "%s", ask.session);
    WIRE(signed) m = { .slot = "raw", .attempt = 1, .epoch = 1, .intent = 7 };
    crypto_sign_detached(m.signature, NULL, q->body + 4 + json_len,
                         q->len - 4 - json_len, f->sk);
    memcpy(m.group_key, f->pk, sizeof(m.group_key));
    memcpy(f->signature, m.signature, sizeof(f->signature));
    hash256(m.session, m.signature, sizeof(m.signature));
    if (mode == FAKE_WRONG_SIGNATURE)
        m.signature[3] ^= 1;
    if (mode == FAKE_OTHER_KEY)
        m.group_key[3] ^= 1;
    OWNED_MEM char *json = NULL;
    size_t len;
    assert_ok(wire_signed_encode(&json, &len, &m));
    answer(fd, 200, json, len);
}

/* Only what the provider looks at; the rest is empty. */
static void answer_bundle(struct fake *f, int fd, const char *session)
{
    enum fake_mode mode = f->bundle_mode;
    uint8_t id[32];
    char hex[65];
    f->bundles++;
    if (bad_manners(f, fd, mode))
        return;
    hash256(id, f->signature, sizeof(f->signature));
    if (strncmp(enc_hex(hex, id, sizeof(id)), session, 64) != 0) {
        answer_text(fd, 404,
                    "{\"code\":\"not_found\",\"message\":\"no such "
                    "session\",\"hint\":\"ask sooner\"}");
        return;
    }
    WIRE(bundle) m = { .v = 1, .kind = "raw", .profile = "release" };
    memcpy(m.signature, f->signature, sizeof(m.signature));
    memcpy(m.group_key, f->pk, sizeof(m.group_key));
    if (mode == FAKE_WRONG_SIGNATURE)
        m.signature[3] ^= 1;
    OWNED_MEM char *json = NULL;
    size_t len;
    assert_ok(wire_bundle_encode(&json, &len, &m));
    answer(fd, 200, json, len);
}

static void note(struct fake *f, const char *head)
{
    const char *target = strchr(head, ' ');
    target = target ? target + 1 : "";
    snprintf(f->target, sizeof(f->target), "%.*s", (int)strcspn(target, " "),
             target);
    const char *want = header(head, "MPC-Policy-Want: ");
    snprintf(f->want, sizeof(f->want), "%.*s",
             want ? (int)strcspn(want, "\r") : 0, want ? want : "");
}

static void serve(struct fake *f, int fd)
{
    struct request *q = calloc(1, sizeof(*q));
    if (read_request(f, fd, q)) {
        note(f, q->head);
        if (strncmp(q->head, "GET /v1/key/", 12) == 0)
            answer_key(f, fd, q->head + 12);
        else if (strncmp(q->head, "GET /v1/cert/", 13) == 0)
            answer_cert(f, fd);
        else if (strncmp(q->head, "GET /v1/bundle/", 15) == 0)
            answer_bundle(f, fd, q->head + 15);
        else if (strncmp(q->head, "POST /v1/sign ", 14) == 0)
            answer_sign(f, fd, q);
        else
            answer_text(fd, 404, "{\"code\":\"not_found\"}");
    }
    free(q->body);
    free(q);
}

static void *run(void *arg)
{
    struct fake *f = arg;
    while (readable(f, f->listen_fd)) {
        int fd = accept(f->listen_fd, NULL, NULL);
        if (fd < 0)
            continue;
        f->begun++;
        serve(f, fd);
        close(fd);
        f->ended++;
    }
    return NULL;
}

void fake_start(struct fake *f)
{
    memset(f, 0, sizeof(*f));
    snprintf(f->dir, sizeof(f->dir), "/tmp/mpc-provider-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/sidecar.sock", f->dir);
    f->class = "artifact";
    f->max_message = WIRE_MESSAGE_MAX;
    assert_true(sodium_init() >= 0);
    crypto_sign_keypair(f->pk, f->sk);
    assert_ok(sock_unix_listen(&f->listen_fd, f->path, 0600));
    assert_int_equal(pipe(f->stop), 0);
    assert_int_equal(pthread_create(&f->thread, NULL, run, f), 0);
}

void fake_idle(const struct fake *f)
{
    while (f->begun != f->ended)
        usleep(1000);
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void fake_stop(struct fake *f)
{
    assert_int_equal(write(f->stop[1], "x", 1), 1);
    pthread_join(f->thread, NULL);
    close(f->listen_fd);
    close(f->stop[0]);
    close(f->stop[1]);
    nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void fake_file(const struct fake *f, const char *name, const void *data,
               size_t len)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(data, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}
