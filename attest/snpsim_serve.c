/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device: one thread, one poll loop, a bounded number of callers. Each
 * caller is measured when it connects.
 */
#include "attest/snpsim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "attest/guest.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/log.h"
#include "base/sock.h"

#define MAX_CALLERS 64
#define WRITE_MS    2000 /* a caller that does not read its reply is dropped */

struct caller {
    int fd; /* -1: free */
    uint8_t measurement[ATTEST_MEASUREMENT_LEN];
    uint8_t in[GUEST_HEAD_LEN + GUEST_BODY_MAX];
    size_t got;
};
struct device {
    const struct snpsim_chip *chip;
    struct snpsim_faults faults;
    struct caller callers[MAX_CALLERS];
};

static void drop(struct caller *c)
{
    close(c->fd);
    c->fd = -1;
}

/* Measures who connected; a caller that cannot be measured is not served. */
static enum rc admit(struct device *d, int fd)
{
    struct caller *c = NULL;
    for (size_t i = 0; i < MAX_CALLERS && !c; i++) {
        if (d->callers[i].fd < 0)
            c = &d->callers[i];
    }
    if (!c)
        return rc_raise(RC_NOMEM, "more than %u callers", MAX_CALLERS);
    struct sock_peer peer;
    char exe[64];
    TRY(sock_peer(&peer, fd));
    snprintf(exe, sizeof(exe), "/proc/%ld/exe", (long)peer.pid);
    TRY(attest_measure_file(c->measurement, exe));
    uint8_t hash[32];
    char hex[ENC_HEX_SIZE(32)];
    attest_policy_hash(hash, c->measurement);
    log_info("sim.caller", "pid=%ld uid=%ld hash=%s", (long)peer.pid,
             (long)peer.uid, enc_hex(hex, hash, 32));
    c->got = 0;
    c->fd = fd;
    return RC_OK;
}

static void accept_one(struct device *d, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    enum rc rc = admit(d, fd);
    if (rc != RC_OK) {
        log_rc(LOG_WARN, "sim.refused", rc);
        close(fd);
    }
}

static enum rc answer_report(struct bytes_writer *w, const struct device *d,
                             const struct caller *c, const uint8_t *body)
{
    uint8_t report[ATTEST_REPORT_LEN];
    const struct snpsim_chip *chip = d->chip;
    const struct snpsim_cert none = { .len = 0 };
    const struct snpsim_cert *cert[3] = { &chip->vcek, &chip->ask, &chip->ark };
    if (d->faults.stale_cert)
        cert[0] = &chip->vcek_stale;
    if (d->faults.old_cert)
        cert[0] = &chip->vcek_old;
    TRY(snpsim_report(report, chip, &d->faults, c->measurement, body));
    bytes_put(w, report, sizeof(report));
    for (unsigned i = 0; i < 3; i++) {
        if (d->faults.no_certs)
            cert[i] = &none;
        bytes_put_lp32(w, cert[i]->der, cert[i]->len);
    }
    return bytes_written(w);
}

static uint8_t answer_fault(struct device *d, const uint8_t *body, size_t len)
{
    char word[GUEST_BODY_MAX + 1];
    memcpy(word, body, len);
    word[len] = '\0';
    if (snpsim_fault_set(&d->faults, word) != RC_OK)
        return GUEST_BAD_PARAM;
    log_warn("sim.fault", "name=%s", word);
    return GUEST_OK;
}

static uint8_t act(struct bytes_writer *w, struct device *d,
                   const struct caller *c, uint8_t op, const uint8_t *body,
                   size_t len)
{
    if (op == GUEST_OP_FAULT)
        return answer_fault(d, body, len);
    if (d->faults.lost || d->faults.throttle)
        return d->faults.lost ? GUEST_LOST : GUEST_BUSY;
    if (op == GUEST_OP_REPORT && len == GUEST_REPORT_BODY)
        return answer_report(w, d, c, body) == RC_OK ? GUEST_OK : GUEST_FAILED;
    if (op == GUEST_OP_KEY && len == GUEST_KEY_BODY) {
        WIPED_BYTES(key, GUEST_KEY_LEN);
        if (snpsim_key(key, d->chip, c->measurement, body) != RC_OK)
            return GUEST_BAD_PARAM;
        bytes_put(w, key, sizeof(key));
        return GUEST_OK;
    }
    return GUEST_BAD_REQUEST;
}

static enum rc reply(struct device *d, const struct caller *c, uint8_t op,
                     const uint8_t *body, size_t len)
{
    uint8_t out[GUEST_REPLY_MAX];
    struct bytes_writer w = bytes_writer(out + GUEST_REPLY_HEAD,
                                         sizeof(out) - GUEST_REPLY_HEAD);
    uint8_t status = act(&w, d, c, op, body, len);
    size_t body_len = status == GUEST_OK ? w.len : 0;
    struct bytes_writer head = bytes_writer(out, GUEST_REPLY_HEAD);
    bytes_put_u8(&head, status);
    bytes_put_u32(&head, (uint32_t)body_len);
    enum rc rc = sock_write(c->fd, out, GUEST_REPLY_HEAD + body_len,
                            clock_mono_ms() + WRITE_MS);
    sodium_memzero(out, sizeof(out));
    return rc;
}

/* One request if it is whole. RC_PARSE: this caller speaks something else. */
static enum rc serve_one(struct device *d, struct caller *c)
{
    if (c->got < GUEST_HEAD_LEN)
        return RC_OK;
    if (memcmp(c->in, GUEST_MAGIC, GUEST_MAGIC_LEN) != 0)
        return rc_raise(RC_PARSE, "no request magic");
    struct bytes_reader rd = bytes_reader(c->in + GUEST_MAGIC_LEN, 5);
    uint8_t op = bytes_get_u8(&rd);
    uint32_t len = bytes_get_u32(&rd);
    if (len > GUEST_BODY_MAX)
        return rc_raise(RC_TOO_LARGE, "request of %u bytes", len);
    if (c->got < GUEST_HEAD_LEN + len)
        return RC_OK;
    TRY(reply(d, c, op, c->in + GUEST_HEAD_LEN, len));
    c->got -= GUEST_HEAD_LEN + len;
    memmove(c->in, c->in + GUEST_HEAD_LEN + len, c->got);
    return RC_OK;
}

static void hear(struct device *d, struct caller *c)
{
    ssize_t n = recv(c->fd, c->in + c->got, sizeof(c->in) - c->got, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        drop(c);
        return;
    }
    c->got += (size_t)n;
    size_t before;
    do {
        before = c->got;
        if (serve_one(d, c) != RC_OK) {
            log_warn("sim.dropped", "why=%s", rc_text());
            drop(c);
            return;
        }
    } while (c->got < before);
}

/* false: asked to end */
static bool turn(struct device *d, int listener, int signals)
{
    struct pollfd p[MAX_CALLERS + 2];
    p[0] = (struct pollfd){ .fd = signals, .events = POLLIN };
    p[1] = (struct pollfd){ .fd = listener, .events = POLLIN };
    for (size_t i = 0; i < MAX_CALLERS; i++)
        p[i + 2] = (struct pollfd){ .fd = d->callers[i].fd, .events = POLLIN };
    if (poll(p, MAX_CALLERS + 2, -1) < 0)
        return errno == EINTR;
    if (p[0].revents)
        return false;
    for (size_t i = 0; i < MAX_CALLERS; i++) {
        if (p[i + 2].revents)
            hear(d, &d->callers[i]);
    }
    if (p[1].revents)
        accept_one(d, listener);
    return true;
}

static enum rc signal_fd(int *out)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return rc_raise(RC_IO, "signals: %m");
    *out = signalfd(-1, &set, SFD_CLOEXEC);
    return *out >= 0 ? RC_OK : rc_raise(RC_IO, "signalfd: %m");
}

static enum rc say_ready(int fd)
{
    if (fd < 0)
        return RC_OK;
    ssize_t n = write(fd, "ready\n", 6);
    close(fd);
    return n == 6 ? RC_OK : rc_raise(RC_IO, "--ready-fd: %m");
}

enum rc snpsim_serve(const struct snpsim_chip *chip,
                     const struct snpsim_faults *faults, const char *socket,
                     int ready_fd)
{
    OWNED_FD signals = -1;
    OWNED_FD listener = -1;
    struct device d = { .chip = chip, .faults = *faults };
    for (size_t i = 0; i < MAX_CALLERS; i++)
        d.callers[i].fd = -1;
    TRY(signal_fd(&signals));
    TRY(sock_unix_listen(&listener, socket, 0600));
    log_warn("sim.start", "socket=%s note=\"SIMULATED - NOT AMD HARDWARE\"",
             socket);
    enum rc rc = say_ready(ready_fd);
    while (rc == RC_OK && turn(&d, listener, signals))
        ;
    unlink(socket);
    for (size_t i = 0; i < MAX_CALLERS; i++) {
        if (d.callers[i].fd >= 0)
            drop(&d.callers[i]);
    }
    return rc;
}
