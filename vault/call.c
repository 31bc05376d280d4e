/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent's end: spawn, local, free, and one call at a time over the
 * socketpair. Holds no secret, ever.
 */
#include "vault/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/sock.h"

#define CALL_DEADLINE_MS 30000
#define END_DEADLINE_MS  5000

/* ---- the child's end --------------------------------------------------- */

static void reap(struct vault *v)
{
    if (v->reaped)
        return;
    struct pollfd p = { .fd = v->life, .events = POLLIN };
    if (v->life < 0 || poll(&p, 1, END_DEADLINE_MS) == 0)
        kill(v->pid, SIGKILL);
    while (waitpid(v->pid, &v->status, 0) < 0)
        if (errno != EINTR) {
            v->status = 0; /* somebody else reaped it */
            break;
        }
    v->reaped = true;
}

static enum rc dead(const struct vault *v)
{
    enum rc rc;
    if (v->reaped && WIFSIGNALED(v->status))
        rc = rc_raise(RC_UNREACHABLE, "vault: ended by signal %d (%s)",
                      WTERMSIG(v->status), strsignal(WTERMSIG(v->status)));
    else if (v->reaped)
        rc = rc_raise(RC_UNREACHABLE, "vault: ended with status %d",
                      WEXITSTATUS(v->status));
    else
        rc = rc_raise(RC_UNREACHABLE, "vault: does not answer");
    rc_hint("its shares and nonces are gone with it: restart this process");
    return rc;
}

/* Out of step or gone: never spoken to again. */
static enum rc fail(struct vault *v)
{
    v->dead = true;
    shutdown(v->sock, SHUT_RDWR);
    reap(v);
    return dead(v);
}

/* ---- one call ---------------------------------------------------------- */

/* The child's error becomes ours, words and all. */
static enum rc raise_reply(enum rc rc, const uint8_t *body, size_t len)
{
    char text[512];
    char hint[256];
    size_t n_text;
    size_t n_hint;
    struct bytes_reader r = bytes_reader(body, len);
    const uint8_t *t = bytes_take_lp16(&r, &n_text);
    const uint8_t *h = bytes_take_lp16(&r, &n_hint);
    if (r.failed || (unsigned)rc >= RC__COUNT)
        return rc_raise(RC_INTERNAL, "vault: an error it cannot spell");
    snprintf(text, sizeof(text), "%.*s", (int)n_text, (const char *)t);
    snprintf(hint, sizeof(hint), "%.*s", (int)n_hint, (const char *)h);
    rc = rc_raise(rc, "%s", text);
    if (hint[0])
        rc_hint("%s", hint);
    return rc;
}

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static enum rc message_memfd(int *out, const uint8_t *msg, size_t len)
{
    OWNED_FD fd = memfd_create("vault-message",
                               MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return rc_raise(RC_IO, "vault: memfd: %s", strerror(errno));
    while (len > 0) {
        ssize_t n = write(fd, msg, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return rc_raise(RC_IO, "vault: memfd: %s", strerror(errno));
        msg += n;
        len -= (size_t)n;
    }
    if (fcntl(fd, F_ADD_SEALS, SEALS) != 0)
        return rc_raise(RC_IO, "vault: seal memfd: %s", strerror(errno));
    *out = TAKE_FD(fd);
    return RC_OK;
}

static enum rc request_send(const struct vault *v,
                            const struct vault_request *req, int memfd,
                            int64_t deadline)
{
    uint8_t raw[VAULT_HEADER_LEN];
    const struct vault_header h = {
        .body_len = (uint32_t)req->body_len,
        .op = req->op,
        .tag = memfd >= 0     ? VAULT_MEMFD
               : req->msg_len ? VAULT_INLINE
                              : VAULT_NO_MESSAGE,
        .msg_len = (uint32_t)req->msg_len,
    };
    vault_header_encode(raw, &h);
    TRY(vault_header_send(v->sock, raw, memfd));
    TRY(sock_write(v->sock, req->body, req->body_len, deadline));
    if (h.tag == VAULT_INLINE)
        TRY(sock_write(v->sock, req->msg, req->msg_len, deadline));
    return RC_OK;
}

/* A reply to op, error or not, of at most cap bytes. */
static enum rc reply_recv(const struct vault *v, uint8_t op, uint8_t *reply,
                          size_t cap, struct vault_header *h, int64_t deadline)
{
    uint8_t raw[VAULT_HEADER_LEN];
    TRY(sock_read(v->sock, raw, sizeof(raw), deadline));
    TRY(vault_header_decode(h, raw));
    if (h->op != op || h->body_len > cap)
        return rc_raise(RC_INTERNAL,
                        "vault: reply of %u bytes to another "
                        "operation",
                        h->body_len);
    return sock_read(v->sock, reply, h->body_len, deadline);
}

static enum rc call_child(struct vault *v, uint8_t *reply, size_t cap,
                          size_t *reply_len, const struct vault_request *req)
{
    /* an error's words need room whatever the reply would be */
    uint8_t words[1024];
    bool small = cap < sizeof(words);
    uint8_t *into = small ? words : reply;
    struct vault_header h = { .op = 0 };
    OWNED_FD memfd = -1;
    if (req->msg_len > VAULT_INLINE_MAX)
        TRY(message_memfd(&memfd, req->msg, req->msg_len));
    int64_t deadline = clock_mono_ms() + CALL_DEADLINE_MS;
    if (request_send(v, req, memfd, deadline) != RC_OK ||
        reply_recv(v, req->op, into, small ? sizeof(words) : cap, &h,
                   deadline) != RC_OK)
        return fail(v);
    if (h.tag != RC_OK)
        return raise_reply((enum rc)h.tag, into, h.body_len);
    if (h.body_len > cap)
        return rc_raise(RC_INTERNAL, "vault: reply of %u bytes, room for %zu",
                        h.body_len, cap);
    if (small && h.body_len)
        memcpy(reply, words, h.body_len);
    *reply_len = h.body_len;
    return RC_OK;
}

static enum rc call_local(const struct vault *v, uint8_t *reply, size_t cap,
                          size_t *reply_len, const struct vault_request *req)
{
    struct bytes_writer w = bytes_writer(reply, cap);
    TRY(vault_core_serve(v->core, &w, req));
    *reply_len = w.len;
    return RC_OK;
}

enum rc vault_call(struct vault *v, uint8_t *reply, size_t cap,
                   size_t *reply_len, const struct vault_request *req)
{
    /* a fork would speak into the same socket */
    if (getpid() != v->owner)
        return rc_raise(RC_INTERNAL, "vault: called from a forked process");
    if (req->body_len > VAULT_BODY_MAX || req->msg_len > VAULT_MAX_MESSAGE)
        return rc_raise(RC_TOO_LARGE, "vault: %zu and %zu bytes", req->body_len,
                        req->msg_len);
    pthread_mutex_lock(&v->lock);
    enum rc rc = v->dead   ? dead(v)
                 : v->core ? call_local(v, reply, cap, reply_len, req)
                           : call_child(v, reply, cap, reply_len, req);
    pthread_mutex_unlock(&v->lock);
    return rc;
}

/* ---- life -------------------------------------------------------------- */

static struct vault *vault_blank(void)
{
    struct vault *v = calloc(1, sizeof(*v));
    if (!v)
        return NULL;
    pthread_mutex_init(&v->lock, NULL);
    v->owner = getpid();
    v->sock = -1;
    v->life = -1;
    v->reaped = true;
    return v;
}

static enum rc hello(struct vault *v)
{
    uint8_t words[1024];
    struct vault_header h;
    if (reply_recv(v, VAULT_OP_HELLO, words, sizeof(words), &h,
                   clock_mono_ms() + CALL_DEADLINE_MS) != RC_OK) {
        (void)fail(v);
        return rc_prefix(RC_UNREACHABLE, "vault did not start: ");
    }
    if (h.tag != RC_OK)
        return raise_reply((enum rc)h.tag, words, h.body_len);
    return RC_OK;
}

/* Makes the child; on failure the caller frees v. */
static enum rc spawn(struct vault *v, const struct vault_config *config)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return rc_raise(RC_IO, "vault: socketpair: %s", strerror(errno));
    v->sock = pair[0];
    pid_t pid = fork();
    if (pid == 0)
        vault_child_run(pair[1], config);
    close(pair[1]);
    if (pid < 0)
        return rc_raise(RC_IO, "vault: fork: %s", strerror(errno));
    v->pid = pid;
    v->reaped = false;
    v->life = (int)syscall(SYS_pidfd_open, pid, 0);
    if (v->life < 0)
        return rc_raise(RC_IO, "vault: pidfd: %s", strerror(errno));
    return hello(v);
}

enum rc vault_spawn(struct vault **out, const struct vault_config *config)
{
    struct vault *v = vault_blank();
    if (!v)
        return rc_raise(RC_NOMEM, "vault: no memory");
    enum rc rc = spawn(v, config);
    if (rc != RC_OK) {
        vault_free(v);
        return rc;
    }
    *out = v;
    return RC_OK;
}

enum rc vault_local(struct vault **out, const struct vault_config *config)
{
#ifdef MPC_SIMULATED_TEE
    struct vault *v = vault_blank();
    if (!v)
        return rc_raise(RC_NOMEM, "vault: no memory");
    enum rc rc = vault_core_new(&v->core, config);
    if (rc == RC_OK)
        rc = vault_core_unlock(v->core, config);
    if (rc != RC_OK) {
        vault_free(v);
        return rc;
    }
    *out = v;
    return RC_OK;
#else
    (void)out;
    (void)config;
    return rc_raise(RC_INTERNAL, "vault: never without its own process here");
#endif
}

void vault_free(struct vault *v)
{
    if (!v)
        return;
    bool ours = getpid() == v->owner;
    if (v->sock >= 0)
        close(v->sock); /* the child's sign to end */
    if (ours && v->pid > 0)
        reap(v);
    if (v->life >= 0)
        close(v->life);
    if (ours)
        vault_core_free(v->core);
    pthread_mutex_destroy(&v->lock);
    free(v);
}

pid_t vault_pid(const struct vault *v)
{
    return v->pid;
}

int vault_fd(const struct vault *v)
{
    return v->life;
}
