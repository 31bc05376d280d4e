/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the external authoriser: a POST over a Unix socket or loopback. When
 * we lead, the loop sends it like any other call; a peer's request waits for
 * it on its own thread of the peer pool, with a client of its own.
 */
#include "sidecar/authoriser.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/http.h"

/* A client drives one request at a time; idle ones are kept. */
struct asker {
    struct asker *next;
    struct http_client *client;
    struct http_peer *peer; /* the client's */
};
struct authoriser {
    char base[512];
    char path[256];
    pthread_mutex_t lock;
    struct asker *idle;
};

/* ---- where it is ---------------------------------------------------------- */

static enum rc bad(const char *where)
{
    enum rc rc = rc_raise(RC_ARG,
                          "authoriser: %.200s: want unix:/PATH[:/URI] or "
                          "http://127.0.0.1:PORT/URI",
                          where);
    rc_hint("it answers on this machine only: a say over the network would be "
            "anyone's on the way");
    return rc;
}

static bool is_loopback(const char *where, size_t *len)
{
    static const char *const hosts[] = { "http://127.0.0.1:", "http://[::1]:" };
    for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
        size_t n = strlen(hosts[i]);
        if (strncmp(where, hosts[i], n) != 0)
            continue;
        size_t digits = strspn(where + n, "0123456789");
        *len = n + digits;
        return digits >= 1 && digits <= 5 &&
               (where[*len] == '\0' || where[*len] == '/');
    }
    return false;
}

static enum rc split(struct authoriser *a, const char *where, size_t base_len,
                     const char *path)
{
    if (base_len >= sizeof(a->base) || strlen(path) >= sizeof(a->path) ||
        strpbrk(where, " \t\r\n?#@"))
        return bad(where);
    memcpy(a->base, where, base_len);
    a->base[base_len] = '\0';
    snprintf(a->path, sizeof(a->path), "%s", *path ? path : "/");
    return RC_OK;
}

static enum rc parse(struct authoriser *a, const char *where)
{
    size_t len;
    if (is_loopback(where, &len))
        return split(a, where, len, where + len);
    if (strncmp(where, "unix:/", 6) != 0)
        return bad(where);
    const char *colon = strstr(where + 5, ":/");
    len = colon ? (size_t)(colon - where) : strlen(where);
    return split(a, where, len, colon ? colon + 1 : "");
}

/* ---- life ------------------------------------------------------------------ */

enum rc authoriser_new(struct authoriser **out, const char *where)
{
    struct authoriser *a = calloc(1, sizeof(*a));
    if (!a)
        return rc_raise(RC_NOMEM, "authoriser: out of memory");
    enum rc rc = parse(a, where);
    if (rc != RC_OK) {
        free(a);
        return rc;
    }
    pthread_mutex_init(&a->lock, NULL);
    *out = a;
    return RC_OK;
}

static void asker_free(struct asker *k)
{
    if (!k)
        return;
    http_peer_free(k->peer);
    http_client_free(k->client);
    free(k);
}

void authoriser_free(struct authoriser *a)
{
    if (!a)
        return;
    while (a->idle) {
        struct asker *next = a->idle->next;
        asker_free(a->idle);
        a->idle = next;
    }
    pthread_mutex_destroy(&a->lock);
    free(a);
}

const char *authoriser_base(const struct authoriser *a)
{
    return a->base;
}

const char *authoriser_path(const struct authoriser *a)
{
    return a->path;
}

/* ---- asking ------------------------------------------------------------------ */

static enum rc new_asker(struct asker **out, const struct authoriser *a)
{
    struct asker *k = calloc(1, sizeof(*k));
    if (!k)
        return rc_raise(RC_NOMEM, "authoriser: out of memory");
    enum rc rc = http_client_new(&k->client, NULL, NULL);
    if (rc == RC_OK)
        rc = http_peer_new(&k->peer, k->client, a->base, NULL, 1);
    if (rc != RC_OK) {
        asker_free(k);
        return rc;
    }
    *out = k;
    return RC_OK;
}

static struct asker *take_idle(struct authoriser *a)
{
    pthread_mutex_lock(&a->lock);
    struct asker *k = a->idle;
    if (k)
        a->idle = k->next;
    pthread_mutex_unlock(&a->lock);
    return k;
}

static void give_back(struct authoriser *a, struct asker *k)
{
    pthread_mutex_lock(&a->lock);
    k->next = a->idle;
    a->idle = k;
    pthread_mutex_unlock(&a->lock);
}

enum rc authoriser_ask(struct authoriser *a, const char *json, size_t len,
                       int64_t deadline_ms, uint8_t **body, size_t *body_len)
{
    struct asker *k = take_idle(a);
    struct http_answer answer = { 0 };
    if (!k)
        TRY(new_asker(&k, a));
    enum rc rc = http_ask(&answer, k->peer, "POST", a->path, json, len,
                          AUTHORISER_REPLY_MAX, deadline_ms);
    if (rc != RC_OK) {
        char why[300];
        snprintf(why, sizeof(why), "%.299s", rc_text());
        asker_free(k); /* nothing of a failed call is used again */
        return rc_raise(rc, "%s", why);
    }
    give_back(a, k);
    if (answer.status != 200) {
        int status = answer.status;
        http_answer_free(&answer);
        return rc_raise(RC_IO, "status %d", status);
    }
    *body = answer.body;
    *body_len = answer.body_len;
    return RC_OK;
}
