/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading one HTTP/1.1 reply: a status line, exactly one Content-Length, no
 * other way to say how long a body is, and a maximum for everything.
 */
#include "provider/inner.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/enc.h"
#include "base/own.h"
#include "base/sock.h"

#define REPLY_HEAD_MAX 8192

struct reply_head {
    char text[REPLY_HEAD_MAX + 1];
    size_t got; /* bytes read, body included */
    size_t len; /* of the head, with its empty line */
    int status;
    uint64_t body_len;
    bool sized;
};

/* Reads until the empty line; what follows it is already body. */
static enum rc read_head(struct reply_head *h, int fd, int64_t deadline_ms)
{
    for (;;) {
        char *end = memmem(h->text, h->got, "\r\n\r\n", 4);
        if (end) {
            h->len = (size_t)(end - h->text) + 4;
            *end = '\0';
            return RC_OK;
        }
        size_t room = REPLY_HEAD_MAX - h->got;
        if (room == 0)
            return rc_raise(RC_PARSE, "reply head: over %d bytes",
                            REPLY_HEAD_MAX);
        size_t n;
        TRY(sock_read_some(fd, h->text + h->got, room, &n, deadline_ms));
        if (n == 0)
            return rc_raise(RC_UNREACHABLE,
                            "reply: connection closed after %zu bytes of head",
                            h->got);
        h->got += n;
    }
}

/* "HTTP/1.1 NNN reason" */
static enum rc status_line(struct reply_head *h, const char *line)
{
    const char *d = line + 9;
    if (strlen(line) < 12 || memcmp(line, "HTTP/1.1 ", 9) != 0 ||
        (line[12] != ' ' && line[12] != '\0'))
        return rc_raise(RC_PARSE, "reply: no HTTP/1.1 status line");
    for (int i = 0; i < 3; i++)
        if (d[i] < '0' || d[i] > '9')
            return rc_raise(RC_PARSE, "reply: status is no number");
    h->status = (d[0] - '0') * 100 + (d[1] - '0') * 10 + (d[2] - '0');
    if (h->status < 200)
        return rc_raise(RC_PARSE, "reply: status %d is not final", h->status);
    return RC_OK;
}

static enum rc header_line(struct reply_head *h, const char *line)
{
    static const char length[] = "content-length:";
    static const char coding[] = "transfer-encoding:";
    if (strncasecmp(line, coding, sizeof(coding) - 1) == 0)
        return rc_raise(RC_PARSE, "reply: has a Transfer-Encoding");
    if (strncasecmp(line, length, sizeof(length) - 1) != 0)
        return RC_OK;
    if (h->sized)
        return rc_raise(RC_PARSE, "reply: two Content-Length");
    const char *v = line + sizeof(length) - 1;
    v += strspn(v, " \t");
    size_t n = strlen(v);
    while (n > 0 && (v[n - 1] == ' ' || v[n - 1] == '\t'))
        n--;
    if (enc_undec(&h->body_len, v, n) != RC_OK)
        return rc_raise(RC_PARSE, "reply: Content-Length is no number");
    h->sized = true;
    return RC_OK;
}

static enum rc parse_head(struct reply_head *h)
{
    if (strlen(h->text) + 4 != h->len)
        return rc_raise(RC_PARSE, "reply head: has a NUL");
    char *line = h->text;
    for (int i = 0; line; i++) {
        char *end = strstr(line, "\r\n");
        if (end)
            *end = '\0';
        TRY(i == 0 ? status_line(h, line) : header_line(h, line));
        line = end ? end + 2 : NULL;
    }
    if (!h->sized)
        return rc_raise(RC_PARSE, "reply: no Content-Length");
    return RC_OK;
}

enum rc prov_reply_read(struct prov_reply *out, int *status, int fd, size_t max,
                        int64_t deadline_ms)
{
    OWNED_MEM struct reply_head *h = calloc(1, sizeof(*h));
    if (!h)
        return rc_raise(RC_NOMEM, "reply head");
    TRY(read_head(h, fd, deadline_ms));
    TRY(parse_head(h));
    if (h->body_len > max)
        return rc_raise(RC_TOO_LARGE, "reply: %llu bytes, at most %zu",
                        (unsigned long long)h->body_len, max);
    size_t len = (size_t)h->body_len;
    size_t have = h->got - h->len;
    if (have > len)
        return rc_raise(RC_PARSE, "reply: %zu bytes after its body",
                        have - len);
    OWNED_MEM uint8_t *body = malloc(len + 1);
    if (!body)
        return rc_raise(RC_NOMEM, "reply: %zu bytes", len);
    memcpy(body, h->text + h->len, have);
    TRY(sock_read(fd, body + have, len - have, deadline_ms));
    body[len] = '\0';
    *status = h->status;
    *out = (struct prov_reply){ .body = TAKE(body), .len = len };
    return RC_OK;
}

enum rc prov_reply_problem(int status, const struct prov_reply *r)
{
    json_auto_t *doc = json_loadb((const char *)r->body, r->len,
                                  JSON_REJECT_DUPLICATES, NULL);
    const char *code = json_string_value(json_object_get(doc, "code"));
    const char *message = json_string_value(json_object_get(doc, "message"));
    const char *hint = json_string_value(json_object_get(doc, "hint"));
    if (!code) {
        enum rc rc = rc_raise(RC_PARSE,
                              "sidecar: HTTP status %d without a problem "
                              "document",
                              status);
        rc_hint("is that socket a sidecar's? see mpcsign doctor");
        return rc;
    }
    enum rc rc = rc_from_slug(code);
    rc = rc_raise(rc == RC_OK ? RC_INTERNAL : rc, "%s",
                  message ? message : code);
    if (hint && hint[0])
        rc_hint("%s", hint);
    else
        rc_hint("see mpcsign status");
    return rc;
}
