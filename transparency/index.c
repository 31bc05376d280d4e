/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digest to entries: a table of keyed 64-bit hashes, each slot leading to the
 * newest entry that holds the digest, and from there back to older ones. Some
 * 16 bytes a mention and 32 to 64 a digest. Public data.
 */
#include "transparency/watch.h"

#include <string.h>

#include "base/bytes.h"
#include "base/enc.h"
#include "base/hash.h"
#include "base/rand.h"

struct slot {
    uint64_t hash;   /* 0: free */
    uint64_t newest; /* mention */
};
struct mention {
    uint64_t entry;
    uint64_t older; /* mention + 1; 0: none */
};
struct tlog_index {
    uint64_t size;
    struct slot *slot;
    size_t cap; /* a power of two */
    size_t used;
    struct mention *mention;
    size_t n_mentions;
    size_t mention_cap;
    uint8_t key[16];
};

enum rc tlog_index_new(struct tlog_index **out)
{
    OWNED_MEM struct tlog_index *x = calloc(1, sizeof(*x));
    if (!x)
        return rc_raise(RC_NOMEM, "index: out of memory");
    TRY(rand_bytes(x->key, sizeof(x->key)));
    *out = TAKE(x);
    return RC_OK;
}

void tlog_index_free(struct tlog_index *x)
{
    if (!x)
        return;
    free(x->slot);
    free(x->mention);
    free(x);
}

uint64_t tlog_index_size(const struct tlog_index *x)
{
    return x->size;
}

/* kind: 0 a digest, 1 the number of an intent that is cited */
static uint64_t hash_of(const struct tlog_index *x, uint8_t kind,
                        const uint8_t value[32])
{
    uint8_t in[33] = { kind };
    union {
        uint8_t b[crypto_shorthash_BYTES];
        uint64_t v;
    } h;
    memcpy(in + 1, value, 32);
    crypto_shorthash(h.b, in, sizeof(in), x->key);
    return h.v ? h.v : 1;
}

static struct slot *slot_of(struct slot *slot, size_t cap, uint64_t hash)
{
    size_t at = (size_t)hash & (cap - 1);
    while (slot[at].hash && slot[at].hash != hash)
        at = (at + 1) & (cap - 1);
    return &slot[at];
}

static enum rc make_room(struct tlog_index *x)
{
    if (x->n_mentions == x->mention_cap) {
        size_t cap = x->mention_cap ? 2 * x->mention_cap : 1024;
        struct mention *m = reallocarray(x->mention, cap, sizeof(*m));
        if (!m)
            return rc_raise(RC_NOMEM, "index: %zu mentions", cap);
        x->mention = m;
        x->mention_cap = cap;
    }
    if (x->used < x->cap / 2)
        return RC_OK;
    size_t cap = x->cap ? 2 * x->cap : 1024;
    struct slot *slot = calloc(cap, sizeof(*slot));
    if (!slot)
        return rc_raise(RC_NOMEM, "index: %zu slots", cap);
    for (size_t i = 0; i < x->cap; i++)
        if (x->slot[i].hash)
            *slot_of(slot, cap, x->slot[i].hash) = x->slot[i];
    free(x->slot);
    x->slot = slot;
    x->cap = cap;
    return RC_OK;
}

static enum rc add(struct tlog_index *x, uint8_t kind, const uint8_t value[32],
                   uint64_t entry)
{
    TRY(make_room(x));
    uint64_t hash = hash_of(x, kind, value);
    struct slot *s = slot_of(x->slot, x->cap, hash);
    struct mention *m = &x->mention[x->n_mentions];
    m->entry = entry;
    m->older = s->hash ? s->newest + 1 : 0;
    if (s->hash && x->mention[s->newest].entry == entry)
        return RC_OK; /* the same digest twice in one entry */
    x->used += !s->hash;
    s->hash = hash;
    s->newest = x->n_mentions++;
    return RC_OK;
}

static void number_value(uint8_t out[32], uint64_t n)
{
    struct bytes_writer w = bytes_writer(memset(out, 0, 32), 32);
    bytes_put_u64(&w, n);
}

/* What somebody would look for; policies and participants name too many. */
static bool worth_it(const char *name, size_t len)
{
    static const char *const names[] = { "commitment",  "key",    "session",
                                         "signature",   "sha256", "ak",
                                         "certificate", "report", "identity" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
            return true;
    return false;
}

static enum rc add_line(struct tlog_index *x, uint64_t entry, const char *line,
                        size_t len)
{
    uint8_t value[32];
    uint64_t intent;
    const char *sp = memchr(line, ' ', len);
    if (!sp)
        return RC_OK;
    size_t name_len = (size_t)(sp - line);
    size_t left = len - name_len - 1;
    if (name_len == 6 && memcmp(line, "intent", 6) == 0 &&
        enc_undec(&intent, sp + 1, left) == RC_OK) {
        number_value(value, intent);
        return add(x, 1, value, entry);
    }
    if (worth_it(line, name_len) && left == ENC_HEX_LEN(32) &&
        enc_unhex(value, 32, sp + 1, left) == RC_OK)
        return add(x, 0, value, entry);
    return RC_OK;
}

/* By what is in it, and by the digests that its receipt names. */
static enum rc add_dsse(struct tlog_index *x, uint64_t entry, const char *text,
                        size_t len)
{
    struct tlog_dsse d;
    uint8_t value[32];
    if (tlog_dsse_decode(&d, text, len) != RC_OK)
        return RC_OK;
    TRY(add(x, 0, d.payload, entry));
    hash256(value, d.signature, sizeof(d.signature));
    TRY(add(x, 0, value, entry));
    hash256(value, d.cert, d.cert_len);
    return add(x, 0, value, entry);
}

enum rc tlog_index_add(struct tlog_index *x, uint64_t index, const void *entry,
                       size_t len)
{
    const char *p = entry;
    const char *end = p + len;
    enum tlog_kind kind = tlog_entry_kind(entry, len);
    if (kind == TLOG_DSSE)
        TRY(add_dsse(x, index, entry, len));
    else if (kind != TLOG_OPAQUE)
        for (const char *lf; (lf = memchr(p, '\n', (size_t)(end - p)));
             p = lf + 1)
            TRY(add_line(x, index, p, (size_t)(lf - p)));
    x->size = index + 1;
    return RC_OK;
}

static unsigned find(const struct tlog_index *x, uint64_t *out, unsigned max,
                     uint64_t hash, uint64_t before)
{
    unsigned n = 0;
    if (x->cap == 0)
        return 0;
    const struct slot *s = slot_of(x->slot, x->cap, hash);
    uint64_t at = s->hash ? s->newest + 1 : 0;
    while (at && n < max) {
        const struct mention *m = &x->mention[at - 1];
        if (m->entry < before)
            out[n++] = m->entry;
        at = m->older;
    }
    return n;
}

unsigned tlog_index_find(const struct tlog_index *x, uint64_t *out,
                         unsigned max, const uint8_t digest[32],
                         uint64_t before)
{
    return find(x, out, max, hash_of(x, 0, digest), before);
}

unsigned tlog_index_cites(const struct tlog_index *x, uint64_t *out,
                          unsigned max, uint64_t intent)
{
    uint8_t value[32];
    number_value(value, intent);
    return find(x, out, max, hash_of(x, 1, value), TLOG_NO_INDEX);
}
