/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A man in the middle of two daemons. Has: the road between them and, what is
 * worse, copies of both TLS keys, so that each takes it for the other and no
 * name or key in REPORT_DATA is wrong. Passes hello on, and the answer back:
 * genuine evidence of the right node for the right node. Stops it: the two
 * ends are on two connections, and the exporter is another on each. The caller
 * must say no more than hello, or bind, which nobody must accept.
 */
#include "attack.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/sock.h"

#define HEAD_MAX 8192

struct between {
    struct attack *a;
    SSL_CTX *ctx;
    unsigned hellos, answered, binds, bound, beyond;
};

static SSL_CTX *serve_as(const struct attack *a)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx || SSL_CTX_use_certificate_chain_file(ctx, a->cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, a->key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_load_verify_file(ctx, a->ca) != 1)
        return NULL;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       NULL);
    SSL_CTX_set_num_tickets(ctx, 0);
    return ctx;
}

/* Head into head, body into *body; false: it has gone. */
static bool read_request(char head[HEAD_MAX], char **body, size_t *len,
                         SSL *ssl)
{
    size_t n = 0;
    while (n + 1 < HEAD_MAX &&
           (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0)) {
        if (SSL_read(ssl, head + n, 1) != 1)
            return false;
        head[++n] = '\0';
    }
    const char *length = strcasestr(head, "\r\nContent-Length:");
    *len = length ? strtoul(length + 17, NULL, 10) : 0;
    if (*len > ATTACK_BODY_MAX)
        return false;
    *body = calloc(1, *len + 1);
    for (size_t at = 0; *body && at < *len;) {
        int got = SSL_read(ssl, *body + at, (int)(*len - at));
        if (got <= 0)
            return false;
        at += (size_t)got;
    }
    return *body != NULL;
}

static void answer(SSL *ssl, const struct answer *got)
{
    char head[256];
    int n = snprintf(head, sizeof(head),
                     "HTTP/1.1 %d x\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     got->status, got->body_len);
    if (SSL_write(ssl, head, n) == n && got->body_len > 0)
        (void)SSL_write(ssl, got->body, (int)got->body_len);
}

/* Which of the calls that come before any proof it is; NULL: another one. */
static const char *opening(const char *head)
{
    static const char *const calls[] = { CHANNEL_HELLO, CHANNEL_BIND };
    for (unsigned i = 0; i < 2; i++) {
        size_t n = strlen(calls[i]);
        if (strncmp(head, "POST ", 5) == 0 &&
            strncmp(head + 5, calls[i], n) == 0 && head[5 + n] == ' ')
            return calls[i];
    }
    return NULL;
}

/* One call of the caller, to the one it means, and the answer back. */
static void pass_on(struct between *m, SSL *ssl, const char *head,
                    const char *body, size_t len)
{
    struct answer got = { 0 };
    struct line *l = &m->a->line[0];
    const char *path = opening(head);
    bool hello = path && strcmp(path, CHANNEL_HELLO) == 0;
    if (!l->ssl && line_open(l, m->a, m->a->to, NULL) != RC_OK)
        line_close(l);
    if (l->ssl)
        line_ask(&got, l, m->a, "POST", path ? path : CHANNEL_EVIDENCE, NULL,
                 body, len);
    if (got.status == 0)
        line_close(l); /* it had been quiet for too long: again */
    m->hellos += hello;
    m->answered += hello && got.status == 200;
    m->binds += path && !hello;
    m->bound += path && !hello && got.status == 200;
    m->beyond += !path;
    answer(ssl, &got);
    answer_clear(&got);
}

static void serve(struct between *m, int fd)
{
    SSL *ssl = SSL_new(m->ctx);
    struct timeval wait = { .tv_sec = 5 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
        char head[HEAD_MAX] = "";
        char *body = NULL;
        size_t len = 0;
        while (read_request(head, &body, &len, ssl)) {
            pass_on(m, ssl, head, body, len);
            free(body);
            body = NULL;
        }
        free(body);
    }
    SSL_free(ssl);
}

static enum rc say_port(const char *path, uint16_t port)
{
    char text[8];
    int n = snprintf(text, sizeof(text), "%u", port);
    return file_write(path, text, (size_t)n, 0600);
}

int attack_between(struct attack *a)
{
    const char *cert = a->cert;
    struct between m = { .a = a, .ctx = serve_as(a) };
    OWNED_FD listener = -1;
    uint16_t port;
    int64_t end = clock_mono_ms() + ATTACK_WAIT_S * 1000;
    if (!m.ctx || sock_tcp_listen(&listener, &port, "127.0.0.1:0") != RC_OK ||
        say_port(a->ready, port) != RC_OK) {
        fprintf(stderr, "attacker: between: %s\n", rc_text());
        return 3;
    }
    a->cert = a->as_cert; /* from here on as the caller */
    a->key = a->as_key;
    while (access(a->until, F_OK) != 0 && clock_mono_ms() < end) {
        struct pollfd p = { .fd = listener, .events = POLLIN };
        int fd = poll(&p, 1, 50) == 1 ? accept(listener, NULL, NULL) : -1;
        if (fd >= 0) {
            serve(&m, fd);
            close(fd);
        }
    }
    a->cert = cert;
    line_close(&a->line[0]);
    SSL_CTX_free(m.ctx);
    bool ok = m.answered > 0 && m.bound == 0 && m.beyond == 0;
    printf("{\"attack\":\"%s\",\"hellos\":%u,\"evidence_passed_on\":%u,"
           "\"binds\":%u,\"bound\":%u,\"said_more\":%u,\"refused\":%s}\n",
           a->name, m.hellos, m.answered, m.binds, m.bound, m.beyond,
           ok ? "true" : "false");
    return ok ? 0 : 1;
}
