/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The provider's stage: the framed request over a Unix socket to a responder
 * that does nothing but send the same reply, and the check of its signature.
 * What is left of a signature when the cluster costs nothing.
 */
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <sodium.h>

#include "base/own.h"
#include "provider/inner.h"
#include "stages.h"

#define MSG_LEN 64

struct responder {
    int listen_fd;
    char reply[2048];
    size_t reply_len;
};

/* Has all of it arrived: head, and as many bytes as it says? */
static bool whole(char *buf, size_t len)
{
    buf[len] = '\0';
    char *end = strstr(buf, "\r\n\r\n");
    char *says = strstr(buf, "Content-Length: ");
    return end && says && says < end &&
           len >= (size_t)(end + 4 - buf) + strtoul(says + 16, NULL, 10);
}

static void respond(const struct responder *r, int fd)
{
    char buf[8192];
    size_t have = 0;
    while (have < sizeof(buf) - 1) {
        ssize_t n = recv(fd, buf + have, sizeof(buf) - 1 - have, 0);
        if (n <= 0)
            return;
        have += (size_t)n;
        if (!whole(buf, have))
            continue;
        (void)!send(fd, r->reply, r->reply_len, MSG_NOSIGNAL);
        have = 0; /* a kept connection may ask again */
    }
}

static void *respond_all(void *arg)
{
    const struct responder *r = arg;
    for (;;) {
        int fd = accept(r->listen_fd, NULL, NULL);
        if (fd < 0 && errno == EINTR)
            continue;
        if (fd < 0)
            return NULL; /* shut down */
        respond(r, fd);
        close(fd);
    }
}

static void listen_at(struct responder *r, const char *path)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
    r->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (r->listen_fd < 0 ||
        bind(r->listen_fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
        listen(r->listen_fd, 16) != 0)
        bench_die("%s: %s", path, strerror(errno));
}

/* The one reply, about this message and key. */
static void make_reply(struct responder *r, const uint8_t *msg,
                       const uint8_t pk[32], const uint8_t sk[64])
{
    struct wire_signed s = { .attempt = 1, .epoch = 1, .intent = 1 };
    OWNED_MEM char *json = NULL;
    size_t len;
    memcpy(s.group_key, pk, 32);
    snprintf(s.slot, sizeof(s.slot), "raw");
    crypto_sign_detached(s.signature, NULL, msg, MSG_LEN, sk);
    if (wire_signed_encode(&json, &len, &s) != RC_OK)
        bench_die("%s", rc_text());
    r->reply_len = (size_t)snprintf(
            r->reply, sizeof(r->reply),
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
            len, json);
}

static void ask(struct prov_key *key, const uint8_t *msg, unsigned n)
{
    struct stage s = { .name = "provider" };
    for (unsigned i = 0; i < n; i++) {
        uint8_t sig[64];
        stage_begin();
        if (prov_ask_sign(sig, key, msg, MSG_LEN) != RC_OK)
            bench_die("provider: %s", rc_text());
        stage_keep(&s, 1);
    }
    stage_line(&s, 1, "");
}

void stage_provider(unsigned n)
{
    char dir[] = "bench-XXXXXX";
    static struct responder r;
    static struct prov prov = { .timeout_s = 10 };
    struct prov_key key = { .prov = &prov, .has_public = true, .signs = true };
    uint8_t sk[64];
    uint8_t msg[MSG_LEN] = "the same message every time";
    pthread_t thread;
    if (!mkdtemp(dir))
        bench_die("%s: %s", dir, strerror(errno));
    crypto_sign_keypair(key.pub, sk);
    snprintf(prov.sidecar, sizeof(prov.sidecar), "%s/s", dir);
    snprintf(key.name, sizeof(key.name), "release");
    make_reply(&r, msg, key.pub, sk);
    listen_at(&r, prov.sidecar);
    if (pthread_create(&thread, NULL, respond_all, &r) != 0)
        bench_die("no thread");
    ask(&key, msg, n);
    prov_evidence_free(atomic_load(&key.last));
    shutdown(r.listen_fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(r.listen_fd);
    unlink(prov.sidecar);
    rmdir(dir);
}
