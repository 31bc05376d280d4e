/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the peers hold of a sealed share (docs/SEALING.md): a secret of its
 * own, made at its node, shared among the other members so that any t-1 of
 * their pieces make it, and none fewer says anything of it. Shamir's sharing
 * over the scalars of edwards25519, libsodium's arithmetic, in constant time;
 * identifiers are public. The polynomial follows from the secret by HMAC, so
 * that what was split once splits alike again. A piece carries a tag that its
 * owner alone can make: a holder cannot give another one back.
 */
#include "vault/piece.h"

#include <string.h>

#include "base/hash.h"
#include "base/rand.h"

#define BOX_NONCE crypto_box_NONCEBYTES

_Static_assert(VAULT_PIECE_BOX_LEN == BOX_NONCE + crypto_box_MACBYTES +
                                              sizeof(struct boxed_piece),
               "a box is nonce, MAC, run, piece and tag");

size_t vault_piece_put_of(uint8_t out[PIECE_OF_LEN], const struct piece_of *p)
{
    struct bytes_writer w = bytes_writer(out, PIECE_OF_LEN);
    bytes_put(&w, p->session, 32);
    bytes_put_u64(&w, p->epoch);
    bytes_put_u16(&w, p->t);
    bytes_put_u16(&w, p->owner);
    bytes_put_u16(&w, p->holder);
    return w.len;
}

/* ---- the sharing ------------------------------------------------------- */

static void scalar_of(struct frost_scalar *out, uint16_t id)
{
    memset(out, 0, sizeof(*out));
    out->le[0] = (uint8_t)id;
    out->le[1] = (uint8_t)(id >> 8);
}

enum rc vault_piece_secret(struct frost_scalar *out)
{
    WIPED_BYTES(wide, 64);
    TRY(rand_bytes(wide, 64));
    crypto_core_ed25519_scalar_reduce(out->le, wide);
    return RC_OK;
}

static void coefficient(struct frost_scalar *out,
                        const struct frost_scalar *secret,
                        const uint8_t session[32], uint16_t power)
{
    static const char tag[] = "mpc/piece-coefficient/v1";
    const uint8_t which[2] = { (uint8_t)(power >> 8), (uint8_t)power };
    WIPED_BYTES(wide, 64);
    crypto_auth_hmacsha512_state st;
    crypto_auth_hmacsha512_init(&st, secret->le, 32);
    crypto_auth_hmacsha512_update(&st, (const uint8_t *)tag, sizeof(tag));
    crypto_auth_hmacsha512_update(&st, session, 32);
    crypto_auth_hmacsha512_update(&st, which, 2);
    crypto_auth_hmacsha512_final(&st, wide);
    sodium_memzero(&st, sizeof(st));
    crypto_core_ed25519_scalar_reduce(out->le, wide);
}

/* Horner. */
void vault_piece_at(struct frost_scalar *out, const struct frost_scalar *secret,
                    uint16_t t, const uint8_t session[32], uint16_t id)
{
    struct frost_scalar x;
    WIPED(frost_scalar) sum = { { 0 } };
    WIPED(frost_scalar) a;
    scalar_of(&x, id);
    for (unsigned power = t - 2u; power > 0; power--) {
        coefficient(&a, secret, session, (uint16_t)power);
        crypto_core_ed25519_scalar_add(sum.le, sum.le, a.le);
        crypto_core_ed25519_scalar_mul(sum.le, sum.le, x.le);
    }
    crypto_core_ed25519_scalar_add(out->le, sum.le, secret->le);
}

/* Lagrange's coefficient at 0 of ids[i]; public. */
static enum rc lambda_of(struct frost_scalar *out, const uint16_t *ids,
                         unsigned n, unsigned i)
{
    struct frost_scalar over = { { 1 } };
    struct frost_scalar under = { { 1 } };
    struct frost_scalar xi;
    scalar_of(&xi, ids[i]);
    for (unsigned j = 0; j < n; j++) {
        struct frost_scalar xj;
        struct frost_scalar d;
        if (j == i)
            continue;
        scalar_of(&xj, ids[j]);
        crypto_core_ed25519_scalar_mul(over.le, over.le, xj.le);
        crypto_core_ed25519_scalar_sub(d.le, xj.le, xi.le);
        crypto_core_ed25519_scalar_mul(under.le, under.le, d.le);
    }
    if (crypto_core_ed25519_scalar_invert(under.le, under.le) != 0)
        return rc_raise(RC_ARG, "pieces: node %u stands twice", ids[i]);
    crypto_core_ed25519_scalar_mul(out->le, over.le, under.le);
    return RC_OK;
}

enum rc vault_piece_sum(struct frost_scalar *out, const struct pieces *p,
                        const uint16_t *ids, unsigned n)
{
    WIPED(frost_scalar) sum = { { 0 } };
    WIPED(frost_scalar) part;
    for (unsigned i = 0; i < n; i++) {
        struct frost_scalar lambda;
        TRY(lambda_of(&lambda, ids, n, i));
        crypto_core_ed25519_scalar_mul(part.le, lambda.le, p->of[i].le);
        crypto_core_ed25519_scalar_add(sum.le, sum.le, part.le);
    }
    *out = sum;
    return RC_OK;
}

/* ---- statements -------------------------------------------------------- */

enum rc vault_piece_tag(uint8_t tag[32], const struct vault_core *core,
                        const struct piece_of *of,
                        const struct frost_scalar *piece)
{
    static const char info[] = "mpc/piece-tag/v1";
    uint8_t text[PIECE_OF_LEN];
    unsigned base;
    WIPED_BYTES(key, 32);
    TRY(vault_base_snp(&base, core));
    vault_hkdf_expand(key, core->secret->root[base], info, sizeof(info));
    size_t len = vault_piece_put_of(text, of);
    crypto_auth_hmacsha256_state st;
    crypto_auth_hmacsha256_init(&st, key, 32);
    crypto_auth_hmacsha256_update(&st, text, len);
    crypto_auth_hmacsha256_update(&st, piece->le, 32);
    crypto_auth_hmacsha256_final(&st, tag);
    sodium_memzero(&st, sizeof(st));
    return RC_OK;
}

size_t vault_piece_ack_text(uint8_t out[PIECE_ACK_TEXT],
                            const struct piece_of *of, const uint8_t tag[32])
{
    struct bytes_writer w = bytes_writer(out, PIECE_ACK_TEXT);
    uint8_t text[PIECE_OF_LEN];
    bytes_put_tag(&w, "mpc/piece-ack/v1");
    bytes_put(&w, text, vault_piece_put_of(text, of));
    bytes_put(&w, tag, 32);
    return w.len;
}

/* ---- boxes ------------------------------------------------------------- */

static void run_of(uint8_t out[32], const char *tag, const uint8_t *more,
                   size_t more_len, const struct piece_of *of)
{
    uint8_t text[PIECE_OF_LEN];
    size_t len = vault_piece_put_of(text, of);
    const struct hash_part parts[] = { { tag, strlen(tag) + 1 },
                                       { more, more_len },
                                       { text, len } };
    hash256_parts(out, parts, 3);
}

enum rc vault_piece_box(uint8_t box[VAULT_PIECE_BOX_LEN],
                        const struct vault_core *core, uint16_t to,
                        const struct boxed_piece *in)
{
    const struct tlog_roster_node *node;
    TRY(vault_roster_node(&node, core, to));
    TRY(rand_bytes(box, BOX_NONCE));
    if (crypto_box_easy(box + BOX_NONCE, (const uint8_t *)in, sizeof(*in), box,
                        node->box, core->secret->box) != 0)
        return rc_raise(RC_POLICY, "piece: node %u has no usable box key", to);
    return RC_OK;
}

enum rc vault_piece_unbox(struct boxed_piece *out,
                          const struct vault_core *core, uint16_t from,
                          const uint8_t run[32],
                          const uint8_t box[VAULT_PIECE_BOX_LEN])
{
    const struct tlog_roster_node *node;
    TRY(vault_roster_node(&node, core, from));
    if (crypto_box_open_easy((uint8_t *)out, box + BOX_NONCE,
                             VAULT_PIECE_BOX_LEN - BOX_NONCE, box, node->box,
                             core->secret->box) != 0)
        return rc_raise(RC_VERIFY, "piece: the box of node %u does not open",
                        from);
    if (memcmp(out->run, run, 32) != 0)
        return rc_raise(RC_VERIFY,
                        "piece: what came from node %u is of another run, or "
                        "to or from another",
                        from);
    return RC_OK;
}

void vault_piece_run_there(uint8_t out[32], const struct vault_core *core,
                           const struct piece_of *of)
{
    run_of(out, "mpc/piece/v1", core->roster->hash, 32, of);
}
void vault_piece_run_back(uint8_t out[32], const uint8_t boot[16],
                          const struct piece_of *of)
{
    run_of(out, "mpc/piece-back/v1", boot, 16, of);
}
