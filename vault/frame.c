/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames on the socketpair: the header, and the descriptor that may travel
 * with it. No secret is ever in a frame: sub-shares are boxed before.
 */
#include "vault/inner.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

void vault_header_encode(uint8_t out[VAULT_HEADER_LEN],
                         const struct vault_header *h)
{
    struct bytes_writer w = bytes_writer(out, VAULT_HEADER_LEN);
    bytes_put_u32(&w, h->body_len);
    bytes_put_u8(&w, h->op);
    bytes_put_u8(&w, h->tag);
    bytes_put_u16(&w, 0);
    bytes_put_u32(&w, h->msg_len);
}

enum rc vault_header_decode(struct vault_header *out,
                            const uint8_t in[VAULT_HEADER_LEN])
{
    struct bytes_reader r = bytes_reader(in, VAULT_HEADER_LEN);
    struct vault_header h = { .body_len = bytes_get_u32(&r) };
    h.op = bytes_get_u8(&r);
    h.tag = bytes_get_u8(&r);
    uint16_t zero = bytes_get_u16(&r);
    h.msg_len = bytes_get_u32(&r);
    TRY(bytes_end(&r, "vault frame"));
    if (zero != 0)
        return rc_raise(RC_PARSE, "vault frame: reserved bytes are not zero");
    *out = h;
    return RC_OK;
}

/* Room for one descriptor; a second one is cut off by the kernel. */
union control {
    struct cmsghdr align;
    char buf[CMSG_SPACE(sizeof(int))];
};

enum rc vault_header_send(int fd, const uint8_t header[VAULT_HEADER_LEN],
                          int pass_fd)
{
    uint8_t copy[VAULT_HEADER_LEN];
    memcpy(copy, header, sizeof(copy));
    struct iovec iov = { copy, sizeof(copy) };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
    union control control = { .buf = { 0 } };
    if (pass_fd >= 0) {
        m.msg_control = control.buf;
        m.msg_controllen = sizeof(control.buf);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &pass_fd, sizeof(int));
    }
    while (iov.iov_len > 0) {
        ssize_t n = sendmsg(fd, &m, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rc_raise(RC_UNREACHABLE, "vault: send: errno %d", errno);
        iov.iov_base = (uint8_t *)iov.iov_base + n;
        iov.iov_len -= (size_t)n;
        m.msg_control = NULL; /* the descriptor went with the first byte */
        m.msg_controllen = 0;
    }
    return RC_OK;
}

/* Takes the descriptor of one message; a second one in a frame is closed. */
static void take_passed(struct msghdr *m, int *passed)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
            c->cmsg_len != CMSG_LEN(sizeof(int)))
            continue;
        int fd;
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
        if (*passed >= 0)
            close(fd);
        else
            *passed = fd;
    }
}

enum rc vault_header_recv(int fd, uint8_t header[VAULT_HEADER_LEN], int *passed)
{
    size_t got = 0;
    *passed = -1;
    while (got < VAULT_HEADER_LEN) {
        union control control = { .buf = { 0 } };
        struct iovec iov = { header + got, VAULT_HEADER_LEN - got };
        struct msghdr m = { .msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = control.buf,
                            .msg_controllen = sizeof(control.buf) };
        ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rc_raise(RC_UNREACHABLE, "vault: receive: errno %d", errno);
        if (n == 0)
            return rc_raise(RC_UNREACHABLE, "vault: the other end closed");
        take_passed(&m, passed);
        got += (size_t)n;
    }
    return RC_OK;
}
