/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that ask again when they were answered; see bench_log.h. */
#include "bench_log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sodium.h>

#include "bench.h"
#include "transparency/transparency.h"

struct conn {
    int fd;
    double from;
    size_t have;
    char in[16384];
};

/* Made once; then only the commitment changes, and the load costs little. */
static size_t first_intent(char *out)
{
    struct tlog_intent in = { .attempt = 1, .epoch = 1, .birth = 3 };
    size_t len = 0;
    randombytes_buf(in.commitment, 32);
    randombytes_buf(in.session, 32);
    memset(in.key, 7, 32);
    memset(in.approvals, 8, 32);
    memset(in.participants, 9, 32);
    memset(in.policy, 10, 32);
    snprintf(in.class, sizeof(in.class), "artifact");
    snprintf(in.mode, sizeof(in.mode), "ed25519");
    snprintf(in.slot, sizeof(in.slot), "raw");
    in.expires = 1800000120;
    if (tlog_intent_encode(out, &len, &in) != RC_OK)
        bench_die("%s", rc_text());
    return len;
}

size_t bench_log_intent(char *out)
{
    static const char digits[] = "0123456789abcdef";
    static char text[TLOG_ENTRY_MAX + 1];
    static size_t len;
    static uint64_t n;
    if (len == 0)
        len = first_intent(text);
    char *at = strchr(text, ' ') + 1; /* of the commitment */
    n++;
    for (unsigned i = 0; i < 16; i++)
        at[i] = digits[n >> (4 * i) & 15];
    memcpy(out, text, len + 1);
    return len;
}

static size_t raw_request(char *out, size_t cap)
{
    char entry[TLOG_ENTRY_MAX + 1];
    size_t len = bench_log_intent(entry);
    return (size_t)snprintf(out, cap,
                            "POST /add HTTP/1.1\r\nHost: l\r\n"
                            "Content-Length: %zu\r\n\r\n%s",
                            len, entry);
}

/* With the entry as a JSON string. */
static size_t rpc_request(char *out, size_t cap)
{
    char entry[TLOG_ENTRY_MAX + 1];
    char body[2 * TLOG_ENTRY_MAX];
    size_t len = bench_log_intent(entry);
    size_t n = (size_t)snprintf(body, sizeof(body), "{\"entries\":[\"");
    for (size_t i = 0; i < len; i++) {
        if (entry[i] == '\n') {
            body[n++] = '\\';
            body[n++] = 'n';
        } else {
            body[n++] = entry[i];
        }
    }
    n += (size_t)snprintf(body + n, sizeof(body) - n, "\"],\"sizes\":[]}");
    return (size_t)snprintf(out, cap,
                            "POST /v1/log/append HTTP/1.1\r\nHost: l\r\n"
                            "Content-Type: application/json\r\n"
                            "Content-Length: %zu\r\n\r\n%.*s",
                            n, (int)n, body);
}

static bool ask(struct conn *c, bool rpc)
{
    char out[3 * TLOG_ENTRY_MAX];
    size_t n = rpc ? rpc_request(out, sizeof(out))
                   : raw_request(out, sizeof(out));
    c->have = 0;
    c->from = bench_now_us();
    return write(c->fd, out, n) == (ssize_t)n;
}

/* Is the whole answer there? -1: it is not a good one. */
static int answered(const struct conn *c)
{
    const char *end = strstr(c->in, "\r\n\r\n");
    if (!end)
        return 0;
    const char *length = strcasestr(c->in, "\r\nContent-Length: ");
    if (strncmp(c->in, "HTTP/1.1 200", 12) != 0 || !length || length > end)
        return -1;
    size_t body = (size_t)(end + 4 - c->in);
    if (c->have < body + strtoul(length + 18, NULL, 10))
        return 0;
    bool proof = strstr(end, "\"path\":[") || strstr(end, "tlog-proof@v1");
    return proof && strstr(end, "bench/log") ? 1 : -1;
}

/* From several loopback addresses: the server bounds connections of each. */
static bool dial(struct conn *c, uint16_t port, unsigned i)
{
    struct sockaddr_in own = {
        .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK + i / 100) }
    };
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return c->fd >= 0 &&
           bind(c->fd, (struct sockaddr *)&own, sizeof(own)) == 0 &&
           connect(c->fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
           setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0;
}

/* What arrived; asks again once it is an answer. False: give up. */
static bool on_readable(struct bench_log_times *out, struct conn *c, bool rpc)
{
    ssize_t n = read(c->fd, c->in + c->have, sizeof(c->in) - 1 - c->have);
    if (n <= 0)
        return false;
    c->have += (size_t)n;
    c->in[c->have] = '\0';
    int whole = answered(c);
    if (whole < 0)
        fprintf(stderr, "bench: %.300s\n", c->in);
    if (whole <= 0)
        return whole == 0;
    if (out->n < BENCH_LOG_TIMES_MAX)
        out->us[out->n++] = bench_now_us() - c->from;
    return ask(c, rpc);
}

int bench_log_load(struct bench_log_times *out, uint16_t port, bool rpc,
                   unsigned connections, unsigned seconds)
{
    static struct conn conn[BENCH_LOG_CONNS_MAX];
    struct epoll_event ready[BENCH_LOG_CONNS_MAX];
    int ep = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < connections; i++) {
        struct epoll_event e = { .events = EPOLLIN, .data.ptr = &conn[i] };
        if (!dial(&conn[i], port, i) ||
            epoll_ctl(ep, EPOLL_CTL_ADD, conn[i].fd, &e) != 0)
            return 2;
    }
    double from = bench_now_us();
    double end = from + seconds * 1e6;
    for (unsigned i = 0; i < connections; i++)
        if (!ask(&conn[i], rpc))
            return 3;
    while (bench_now_us() < end) {
        int n = epoll_wait(ep, ready, BENCH_LOG_CONNS_MAX, 100);
        for (int i = 0; i < n; i++)
            if (!on_readable(out, ready[i].data.ptr, rpc))
                return 4;
    }
    out->took_us = bench_now_us() - from;
    return 0;
}
