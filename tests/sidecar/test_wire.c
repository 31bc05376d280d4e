/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that crosses between nodes while a key is made and used, byte by
 * byte: no 32 bytes of it, in whatever clothes, are a share or a sub-share.
 * What a secret would be is known by its public point: y_i for a share, the
 * commitments' polynomial at j for what dealer i made for node j.
 */
#include "test.h"

#include "story.h"

#include <sodium.h>

#include "base/enc.h"
#include "frost/frost.h"

static const char *const release[] = { "release", NULL };

/* ---- what crossed ------------------------------------------------------------- */

#define MAX_WANTED (SIM_NODES * SIM_NODES + SIM_NODES + 1)

struct body {
    uint8_t *p;
    size_t len;
};
struct crossed {
    struct body body[512];
    unsigned n;
    struct wire_package package[SIM_NODES]; /* owned; [id - 1] */
    bool packages;
    /* points whose discrete logarithm must not cross */
    uint8_t wanted[MAX_WANTED][32];
    unsigned n_wanted;
    unsigned tried, found;
};

static void record(struct sim *s, uint32_t from, uint32_t to, const char *path,
                   bool reply, uint8_t **body, size_t *len)
{
    struct crossed *c = s->tamper_ctx;
    (void)from;
    (void)to;
    if (!*body)
        return;
    assert_true(c->n < sizeof(c->body) / sizeof(*c->body));
    struct body *b = &c->body[c->n++];
    b->p = malloc(*len + 1);
    assert_non_null(b->p);
    memcpy(b->p, *body, *len);
    b->len = *len;
    if (c->packages || reply || strcmp(path, "/v1/epoch/deal") != 0)
        return;
    WIRE(epoch_deal) m = { 0 };
    assert_ok(wire_epoch_deal_decode(&m, (char *)*body, *len));
    assert_int_equal(m.packages.n, s->n);
    for (unsigned i = 0; i < s->n; i++) {
        c->package[i] = m.packages.at[i]; /* moved */
        memset(&m.packages.at[i], 0, sizeof(m.packages.at[i]));
    }
    c->packages = true;
}

/* ---- the points of what is secret ------------------------------------------------ */

static void want(struct crossed *c, const uint8_t point[32])
{
    assert_true(c->n_wanted < MAX_WANTED);
    memcpy(c->wanted[c->n_wanted++], point, 32);
}

/* f_i(j) B = sum of commitment[k] j^k, by Horner. */
static void sub_share_point(uint8_t out[32], const struct wire_package *dealer,
                            uint8_t j)
{
    const uint8_t scalar[32] = { j };
    uint8_t at[32];
    size_t k = dealer->commitment.n - 1;
    memcpy(at, dealer->commitment.at[k].b, 32);
    while (k-- > 0) {
        uint8_t times[32];
        int e = crypto_scalarmult_ed25519_noclamp(times, scalar, at);
        assert_int_equal(e, 0);
        e = crypto_core_ed25519_add(at, times, dealer->commitment.at[k].b);
        assert_int_equal(e, 0);
    }
    memcpy(out, at, 32);
}

/* Verifying shares are the sums: that they agree shows the points are right. */
static void collect_points(struct crossed *c, struct sim *s,
                           const struct wire_birth *birth)
{
    assert_true(c->packages);
    assert_int_equal(birth->cert.votes.n, s->n);
    for (unsigned j = 1; j <= s->n; j++) {
        uint8_t sum[32], one[32];
        for (unsigned i = 0; i < s->n; i++) {
            sub_share_point(one, &c->package[i], (uint8_t)j);
            want(c, one);
            if (i == 0)
                memcpy(sum, one, 32);
            else
                assert_int_equal(crypto_core_ed25519_add(sum, sum, one), 0);
        }
        assert_memory_equal(sum, birth->cert.votes.at[j - 1].y, 32);
        want(c, sum);
    }
    want(c, birth->cert.group_key);
}

/* ---- looking ---------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

/* < L: nothing else can be a scalar at rest. */
static bool is_canonical(const uint8_t le[32])
{
    static const uint8_t order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12,
                                       0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9,
                                       0xde, 0x14, 0,    0,    0,    0,    0,
                                       0,    0,    0,    0,    0,    0,    0,
                                       0,    0,    0,    0x10 };
    for (unsigned i = 32; i-- > 0;)
        if (le[i] != order[i])
            return le[i] < order[i];
    return false;
}

static void try_window(struct crossed *c, const uint8_t le[32])
{
    uint8_t point[32];
    if (!is_canonical(le))
        return;
    c->tried++;
    if (crypto_scalarmult_ed25519_base_noclamp(point, le) == 0 &&
        bsearch(point, c->wanted, c->n_wanted, 32, compare))
        c->found++;
}

static void try_bytes(struct crossed *c, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i + 32 <= len; i++)
        try_window(c, p + i);
}

static bool is_hex(char ch)
{
    return strchr("0123456789abcdef", ch) && ch;
}
static bool is_b64u(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
           (ch >= '0' && ch <= '9') || ch == '-' || ch == '_' || ch == '+' ||
           ch == '/';
}

/*
 * From each letter that it may begin at: the n of an escaped line end looks
 * like a letter of what follows.
 */
static void decode_hex(struct crossed *c, const char *p, size_t len)
{
    uint8_t *out = malloc(len / 2 + 1);
    assert_non_null(out);
    for (size_t at = 0; at < 2; at++) {
        size_t n = (len - at) / 2;
        assert_ok(enc_unhex(out, n, p + at, 2 * n));
        try_bytes(c, out, n);
    }
    free(out);
}

static bool unb64(uint8_t *out, size_t *n, const char *p, size_t len)
{
    return sodium_base642bin(out, len, p, len, NULL, n, NULL,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 ||
           sodium_base642bin(out, len, p, len, NULL, n, NULL,
                             sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0;
}

static void decode_b64(struct crossed *c, const char *p, size_t len)
{
    size_t n = 0;
    uint8_t *out = malloc(len);
    assert_non_null(out);
    for (size_t at = 0; at < 4; at++)
        if (unb64(out, &n, p + at, len - at) ||
            unb64(out, &n, p + at, (len - at) / 4 * 4))
            try_bytes(c, out, n);
    free(out);
}

/* Every maximal run of letters that could spell 32 bytes. */
static void try_runs(struct crossed *c, const uint8_t *p, size_t len,
                     bool (*is)(char ch), size_t least,
                     void (*decode)(struct crossed *c, const char *p,
                                    size_t len))
{
    size_t start = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i < len && is((char)p[i]))
            continue;
        if (i - start >= least)
            decode(c, (const char *)p + start, i - start);
        start = i + 1;
    }
}

static void look(struct crossed *c, const uint8_t *p, size_t len)
{
    try_bytes(c, p, len);
    try_runs(c, p, len, is_hex, 64, decode_hex);
    try_runs(c, p, len, is_b64u, 43, decode_b64);
}

/* ---- the test ------------------------------------------------------------------------ */

/* A secret of the same kind, whose point is among the wanted. */
static void it_would_be_found(struct crossed *c)
{
    uint8_t planted[32] = { 7, 1, 2, 3 }, point[32], body[256];
    char hex[65], b64[ENC_B64_SIZE(32)];
    assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(point, planted), 0);
    want(c, point);
    qsort(c->wanted, c->n_wanted, 32, compare);
    memset(body, 0xff, sizeof(body));
    memcpy(body + 13, planted, 32); /* a frame's raw part */
    look(c, body, sizeof(body));
    assert_int_equal(c->found, 1);
    int n = snprintf((char *)body, sizeof(body), "{\"share\":\"%s\"}",
                     enc_hex(hex, planted, 32));
    look(c, body, (size_t)n);
    assert_int_equal(c->found, 2);
    n = snprintf((char *)body, sizeof(body), "{\"box\":\"%s\"}",
                 enc_b64u(b64, planted, 32));
    look(c, body, (size_t)n);
    assert_int_equal(c->found, 3);
    n = snprintf((char *)body, sizeof(body), "line\\n%s\\n", b64);
    look(c, body, (size_t)n);
    assert_int_equal(c->found, 4);
    c->found = c->tried = 0;
}

static void birth_of(struct sim *s, struct wire_birth *out)
{
    char path[128], hex[65];
    struct wire_signed made;
    WIRE(bundle) b = { 0 };
    unsigned call = sign(s, 1, "the first");
    sim_want_ok(s, call);
    assert_true(sim_signature(s, call, &made));
    snprintf(path, sizeof(path), "/v1/bundle/%s",
             enc_hex(hex, made.session, 32));
    unsigned get = sim_ask(s, 1, path, NULL, 0);
    sim_want_ok(s, get);
    assert_ok(wire_bundle_decode(&b, s->call[get].json, s->call[get].len));
    *out = b.birth; /* moved */
    memset(&b.birth, 0, sizeof(b.birth));
}

static void no_sub_share_or_share_crosses_the_wire_in_the_clear(void **state)
{
    (void)state;
    struct sim *s = sim_new(1, 3);
    struct crossed *c = calloc(1, sizeof(*c));
    WIRE(birth) birth = { 0 };
    assert_non_null(c);
    s->tamper = record;
    s->tamper_ctx = c;
    sim_ready(s, release);
    birth_of(s, &birth);
    sim_want_ok(s, sign(s, 2, "another"));
    sim_want_ok(s, sign(s, 3, "and one more"));
    s->tamper = NULL;
    collect_points(c, s, &birth);
    it_would_be_found(c);
    for (unsigned i = 0; i < c->n; i++)
        look(c, c->body[i].p, c->body[i].len);
    if (c->found)
        sim_fail(s, "%u secrets crossed in the clear", c->found);
    assert_true(c->n > 30);      /* messages and replies */
    assert_true(c->tried > 500); /* canonical windows in them */
    for (unsigned i = 0; i < c->n; i++)
        free(c->body[i].p);
    for (unsigned i = 0; i < SIM_NODES; i++)
        wire_package_free(&c->package[i]);
    free(c);
    done(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(
                no_sub_share_or_share_crosses_the_wire_in_the_clear,
                sim_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
