/* SPDX-License-Identifier: Apache-2.0 */
/* What is signed, of any size: read once, piece by piece, into its digests. */
#include "cli/inner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PIECE (64 * 1024)

static void close_file(FILE **f)
{
    if (*f && *f != stdin)
        fclose(*f);
}

struct growing {
    uint8_t *p;
    size_t len;
    size_t cap;
};

static enum rc grow(struct growing *g, const uint8_t *more, size_t len)
{
    if (len > CLI_CONTENT_MAX - g->len) {
        enum rc rc = rc_raise(RC_TOO_LARGE,
                              "content: over %u bytes, too much to embed",
                              CLI_CONTENT_MAX);
        rc_hint("a detached signature has no such limit");
        return rc;
    }
    if (!g->p || g->len + len > g->cap) {
        size_t cap = g->cap ? 2 * g->cap : PIECE;
        uint8_t *p = realloc(g->p, cap);
        if (!p)
            return rc_raise(RC_NOMEM, "content: out of memory");
        g->p = p;
        g->cap = cap;
    }
    memcpy(g->p + g->len, more, len);
    g->len += len;
    return RC_OK;
}

/* All of f into the digests, and into g where it is wanted. */
static enum rc drain(struct cli_content *c, FILE *f, struct growing *g)
{
    uint8_t piece[PIECE];
    crypto_hash_sha256_state h256;
    crypto_hash_sha512_state h512;
    size_t n;
    crypto_hash_sha256_init(&h256);
    crypto_hash_sha512_init(&h512);
    do {
        n = fread(piece, 1, sizeof(piece), f);
        c->size += n;
        crypto_hash_sha256_update(&h256, piece, n);
        crypto_hash_sha512_update(&h512, piece, n);
        if (g)
            TRY(grow(g, piece, n));
    } while (n > 0);
    crypto_hash_sha256_final(&h256, c->sha256);
    crypto_hash_sha512_final(&h512, c->sha512);
    return ferror(f) ? rc_raise(RC_IO, "%s", strerror(errno)) : RC_OK;
}

enum rc cli_content_read(struct cli_content *out, const char *file, bool keep)
{
    bool input = strcmp(file, "-") == 0;
    __attribute__((cleanup(close_file))) FILE *f = input ? stdin
                                                         : fopen(file, "rbe");
    if (!f)
        return rc_raise(errno == ENOENT ? RC_UNKNOWN : RC_IO, "%s: %s", file,
                        strerror(errno));
    struct growing g = { 0 };
    struct cli_content c = { 0 };
    enum rc rc = drain(&c, f, keep ? &g : NULL);
    if (rc != RC_OK) {
        free(g.p);
        return rc_prefix(rc, "%s: ", file);
    }
    c.bytes = g.p;
    *out = c;
    return RC_OK;
}

void cli_content_free(struct cli_content *c)
{
    free(c->bytes);
    c->bytes = NULL;
}
