/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The child process: closes itself in, says hello, then answers one frame
 * after the other until its parent closes the socket. The only process that
 * ever holds a share, a nonce or the node's keys.
 */
#include "vault/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/secret.h"
#include "base/sock.h"

struct child {
    int sock;
    struct vault_core *core;
    uint8_t *body;  /* [VAULT_BODY_MAX] */
    uint8_t *msg;   /* [VAULT_INLINE_MAX] */
    uint8_t *reply; /* [VAULT_HEADER_LEN + VAULT_REPLY_MAX] */
};

/* A message as the core gets it; a mapping is ours to undo. */
struct message {
    const uint8_t *p;
    size_t len;
    void *mapped;
};

/* ---- answers ----------------------------------------------------------- */

static enum rc answer(const struct child *c, uint8_t op, enum rc rc,
                      size_t body_len)
{
    struct bytes_writer w = bytes_writer(c->reply + VAULT_HEADER_LEN,
                                         VAULT_REPLY_MAX);
    if (rc != RC_OK) {
        bytes_put_lp16(&w, rc_text(), strlen(rc_text()));
        bytes_put_lp16(&w, rc_hint_text(), strlen(rc_hint_text()));
        body_len = w.len;
    }
    const struct vault_header h = { .body_len = (uint32_t)body_len,
                                    .op = op,
                                    .tag = (uint8_t)rc };
    vault_header_encode(c->reply, &h);
    return sock_write(c->sock, c->reply, VAULT_HEADER_LEN + body_len, -1);
}

/* ---- requests ---------------------------------------------------------- */

#define WANT_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* Sealed first, sized second: nobody can change either afterwards. */
static enum rc message_map(struct message *out, int fd, size_t len)
{
    if (fd < 0)
        return rc_raise(RC_PARSE, "vault: message without its memfd");
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & WANT_SEALS) != WANT_SEALS)
        return rc_raise(RC_PARSE, "vault: the message's memfd is not sealed");
    off_t size = lseek(fd, 0, SEEK_END);
    if (size < 0 || (size_t)size != len || len == 0)
        return rc_raise(RC_PARSE, "vault: memfd of %lld bytes, want %zu",
                        (long long)size, len);
    void *p = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return rc_raise(RC_NOMEM, "vault: message of %zu bytes: errno %d", len,
                        errno);
    *out = (struct message){ p, len, p };
    return RC_OK;
}

/* Sizes that would lose the place in the stream. */
static enum rc header_check(const struct vault_header *h)
{
    if (h->tag > VAULT_MEMFD)
        return rc_raise(RC_PARSE, "vault frame: carrier %u", h->tag);
    if (h->body_len > VAULT_BODY_MAX)
        return rc_raise(RC_TOO_LARGE, "vault frame: body of %u bytes",
                        h->body_len);
    if (h->msg_len > (h->tag == VAULT_INLINE  ? VAULT_INLINE_MAX
                      : h->tag == VAULT_MEMFD ? VAULT_MAX_MESSAGE
                                              : 0))
        return rc_raise(RC_TOO_LARGE, "vault frame: message of %u bytes",
                        h->msg_len);
    return RC_OK;
}

static enum rc act(const struct child *c, const struct vault_header *h,
                   int passed, size_t *reply_len)
{
    struct message m = { c->msg, h->msg_len, NULL };
    struct bytes_writer w = bytes_writer(c->reply + VAULT_HEADER_LEN,
                                         VAULT_REPLY_MAX);
    if (h->tag == VAULT_MEMFD)
        TRY(message_map(&m, passed, h->msg_len));
    else if (passed >= 0)
        return rc_raise(RC_PARSE, "vault frame: an unasked descriptor");
    const struct vault_request req = { .op = h->op,
                                       .body = c->body,
                                       .body_len = h->body_len,
                                       .msg = m.p,
                                       .msg_len = m.len };
    enum rc rc = vault_core_serve(c->core, &w, &req);
    if (m.mapped)
        munmap(m.mapped, m.len);
    *reply_len = w.len;
    return rc;
}

/* Anything but RC_OK ends the child: the stream is over or out of step. */
static enum rc serve_one(const struct child *c)
{
    uint8_t raw[VAULT_HEADER_LEN];
    struct vault_header h = { .op = 0 };
    OWNED_FD passed = -1;
    size_t reply_len = 0;
    TRY(vault_header_recv(c->sock, raw, &passed));
    enum rc bad = vault_header_decode(&h, raw);
    if (bad == RC_OK)
        bad = header_check(&h);
    if (bad != RC_OK) {
        (void)answer(c, h.op, bad, 0);
        return bad;
    }
    TRY(sock_read(c->sock, c->body, h.body_len, -1));
    if (h.tag == VAULT_INLINE)
        TRY(sock_read(c->sock, c->msg, h.msg_len, -1));
    enum rc rc = act(c, &h, passed, &reply_len);
    return answer(c, h.op, rc, reply_len);
}

/* ---- life -------------------------------------------------------------- */

static enum rc child_start(struct child *c, const struct vault_config *config)
{
    int masters = vault_masters_read(config) ? config->master_fd : -1;
    TRY(secret_process());
    TRY(vault_sandbox_prepare(c->sock, config->seal_fd, masters));
    TRY(vault_core_new(&c->core, config));
    c->core->child = true;
    TRY(vault_sandbox_enter(config->seal_fd >= 0 && !config->seal_simulated));
    TRY(vault_core_unlock(c->core, config));
    if (config->seal_fd >= 0)
        close(config->seal_fd); /* asked once */
    if (masters >= 0)
        close(masters);
    return RC_OK;
}

_Noreturn void vault_child_run(int sock, const struct vault_config *config)
{
    struct child c = { .sock = sock };
    c.body = malloc(VAULT_BODY_MAX);
    c.msg = malloc(VAULT_INLINE_MAX);
    c.reply = malloc(VAULT_HEADER_LEN + VAULT_REPLY_MAX);
    if (!c.body || !c.msg || !c.reply)
        _exit(1); /* the parent sees a closed socket */
    enum rc rc = child_start(&c, config);
    if (answer(&c, VAULT_OP_HELLO, rc, 0) == RC_OK && rc == RC_OK)
        while (serve_one(&c) == RC_OK)
            ;
    vault_core_free(c.core); /* wipes */
    _exit(0);
}
