/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool of unspent nonces: reserved to one lead when made, taken out (and
 * gone from here) before anything is computed with one. Never written,
 * never answered, never derived from a message.
 */
#include "vault/inner.h"

#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/rand.h"

/* ---- ids --------------------------------------------------------------- */
/*
 * u16 slot, u48 counter, u64 MAC under a key of this life: the slot is found
 * at once, and "spent" can be told from "never handed out" without a list.
 */
#define ID_MAC_AT 8

_Static_assert(VAULT_NONCE_ID_LEN == ID_MAC_AT + crypto_shorthash_BYTES,
               "a nonce id is slot, counter and MAC");

static void id_make(uint8_t id[VAULT_NONCE_ID_LEN],
                    const struct vault_core *core, unsigned slot,
                    uint64_t counter)
{
    struct bytes_writer w = bytes_writer(id, ID_MAC_AT);
    bytes_put_u16(&w, (uint16_t)slot);
    bytes_put_u16(&w, (uint16_t)(counter >> 32));
    bytes_put_u32(&w, (uint32_t)counter);
    crypto_shorthash(id + ID_MAC_AT, id, ID_MAC_AT, core->secret->nonce_id_key);
}

/* The slot it names; RC_UNKNOWN when we never made this id. */
static enum rc id_slot(unsigned *slot, const struct vault_core *core,
                       const uint8_t id[VAULT_NONCE_ID_LEN])
{
    uint8_t mac[crypto_shorthash_BYTES];
    crypto_shorthash(mac, id, ID_MAC_AT, core->secret->nonce_id_key);
    *slot = (unsigned)id[0] << 8 | id[1];
    if (sodium_memcmp(mac, id + ID_MAC_AT, sizeof(mac)) != 0 ||
        *slot >= VAULT_MAX_NONCES)
        return rc_raise(RC_UNKNOWN, "nonce: never handed out by this vault");
    return RC_OK;
}

/* ---- slots ------------------------------------------------------------- */

static void slot_free(struct vault_core *core, unsigned slot)
{
    core->nonces.lead[slot] = 0;
    sodium_memzero(&core->pool->nonce[slot], sizeof(struct frost_nonce));
}

/* The oldest of a lead, or of all when lead is 0; VAULT_MAX_NONCES: none. */
static unsigned slot_oldest(const struct vault_nonces *p, uint16_t lead)
{
    unsigned oldest = VAULT_MAX_NONCES;
    for (unsigned i = 0; i < VAULT_MAX_NONCES; i++)
        if (p->lead[i] && (!lead || p->lead[i] == lead) &&
            (oldest == VAULT_MAX_NONCES || p->serial[i] < p->serial[oldest]))
            oldest = i;
    return oldest;
}

static unsigned slot_count(const struct vault_nonces *p, uint16_t lead)
{
    unsigned n = 0;
    for (unsigned i = 0; i < VAULT_MAX_NONCES; i++)
        n += p->lead[i] == lead;
    return n;
}

/* A free slot. A lead beyond its part pays with its own oldest. */
static unsigned slot_get(struct vault_core *core, uint16_t lead, unsigned part)
{
    struct vault_nonces *p = &core->nonces;
    if (slot_count(p, lead) >= part)
        slot_free(core, slot_oldest(p, lead));
    unsigned at = (unsigned)(p->made % VAULT_MAX_NONCES);
    for (unsigned i = 0; i < VAULT_MAX_NONCES; i++) {
        unsigned slot = (at + i) % VAULT_MAX_NONCES;
        if (p->lead[slot] == 0)
            return slot;
    }
    /* leads of an older roster still hold some */
    unsigned oldest = slot_oldest(p, 0);
    slot_free(core, oldest);
    return oldest;
}

void vault_nonce_drop_key(struct vault_core *core, const uint8_t key[32],
                          uint64_t epoch)
{
    const struct vault_nonces *p = &core->nonces;
    for (unsigned i = 0; i < VAULT_MAX_NONCES; i++)
        if (p->lead[i] && p->epoch[i] == epoch &&
            memcmp(p->key[i], key, 32) == 0)
            slot_free(core, i);
}

/* ---- making ------------------------------------------------------------ */

/*
 * Fresh randomness hedged with what differs between two clones of one state
 * (notes/frost.md section 6): uniform as long as getrandom is, and different
 * in two clones even when it is not.
 */
static enum rc hedged(uint8_t out[32], const struct vault_core *core,
                      const char *half, uint16_t lead)
{
    static const char tag[] = "mpc-frost-nonce-v1";
    WIPED_BYTES(fresh, 32);
    WIPED_BYTES(wide, 64);
    uint8_t context[2 + 16 + 8 + 8];
    struct bytes_writer w = bytes_writer(context, sizeof(context));
    TRY(rand_bytes(fresh, 32));
    bytes_put_u16(&w, lead);
    bytes_put(&w, core->boot, 16);
    bytes_put_u64(&w, core->nonces.made);
    bytes_put_u64(&w, (uint64_t)clock_mono_ms());
    TRY(bytes_written(&w));
    const struct hash_part parts[] = {
        { tag, sizeof(tag) }, { half, 1 }, { fresh, 32 }, { context, w.len }
    };
    hash512_parts(wide, parts, 4);
    memcpy(out, wide, 32);
    return RC_OK;
}

static enum rc nonce_make(struct vault_core *core, unsigned slot, uint16_t lead,
                          const struct vault_share *share, unsigned share_at)
{
    struct vault_nonces *p = &core->nonces;
    struct frost_id id;
    WIPED_BYTES(rand_d, 32);
    WIPED_BYTES(rand_e, 32);
    p->made++;
    TRY(frost_id_from_u16(&id, core->node));
    TRY(hedged(rand_d, core, "d", lead));
    TRY(hedged(rand_e, core, "e", lead));
    TRY(frost_commit(&core->pool->nonce[slot], &core->ready, &id,
                     &core->secret->share[share_at], rand_d, rand_e));
    id_make(p->id[slot], core, slot, p->made);
    memcpy(p->key[slot], share->key, 32);
    p->epoch[slot] = share->terms.epoch;
    p->serial[slot] = p->made;
    p->lead[slot] = lead;
    return RC_OK;
}

static void put_commitment(struct bytes_writer *out,
                           const struct vault_core *core, unsigned slot)
{
    const struct frost_commitment *c = &core->pool->nonce[slot].commitment;
    bytes_put(out, core->nonces.id[slot], VAULT_NONCE_ID_LEN);
    bytes_put(out, c->hiding.b, 32);
    bytes_put(out, c->binding.b, 32);
}

enum rc vault_on_commit(struct vault_core *core, struct bytes_writer *out,
                        struct bytes_reader *in,
                        const struct vault_request *req)
{
    (void)req;
    uint8_t key[32];
    struct vault_share *share;
    const struct tlog_roster_node *node;
    unsigned share_at;
    bytes_get(in, key, 32);
    uint64_t epoch = bytes_get_u64(in);
    uint16_t lead = bytes_get_u16(in);
    unsigned count = bytes_get_u16(in);
    TRY(bytes_end(in, "commit"));
    const unsigned part = VAULT_MAX_NONCES / core->roster->of.n;
    if (count == 0 || count > VAULT_MAX_COMMIT || count > part)
        return rc_raise(RC_TOO_LARGE, "commit: %u nonces, want 1 to %u", count,
                        part < VAULT_MAX_COMMIT ? part : VAULT_MAX_COMMIT);
    TRY(vault_roster_node(&node, core, lead));
    TRY(vault_share_active(core, &share, &share_at, key, epoch));
    uint16_t made[VAULT_MAX_COMMIT];
    for (unsigned i = 0; i < count; i++) {
        unsigned slot = slot_get(core, lead, part);
        enum rc rc = nonce_make(core, slot, lead, share, share_at);
        if (rc != RC_OK) {
            /* the reply goes away, and with it what nobody will ask for */
            while (i-- > 0)
                slot_free(core, made[i]);
            return rc;
        }
        made[i] = (uint16_t)slot;
        put_commitment(out, core, slot);
    }
    return RC_OK;
}

/* ---- spending ---------------------------------------------------------- */

enum rc vault_nonce_take(struct vault_core *core, struct frost_nonce *out,
                         const struct vault_sign_request *req,
                         const struct vault_signer *mine)
{
    const struct vault_nonces *p = &core->nonces;
    unsigned slot;
    TRY(id_slot(&slot, core, req->nonce_id));
    if (p->lead[slot] == 0 ||
        memcmp(p->id[slot], req->nonce_id, VAULT_NONCE_ID_LEN) != 0)
        return rc_raise(RC_ORDER, "nonce: spent or dropped");
    if (p->lead[slot] != req->lead)
        return rc_raise(RC_CONFLICT, "nonce: reserved to lead %u",
                        p->lead[slot]);
    if (p->epoch[slot] != req->epoch || memcmp(p->key[slot], req->key, 32) != 0)
        return rc_raise(RC_CONFLICT, "nonce: made for another key or epoch");
    const struct frost_nonce *n = &core->pool->nonce[slot];
    if (memcmp(n->commitment.hiding.b, mine->hiding, 32) != 0 ||
        memcmp(n->commitment.binding.b, mine->binding, 32) != 0)
        return rc_raise(RC_CONFLICT,
                        "nonce: the package holds another commitment of ours");
    *out = *n;
    slot_free(core, slot);
    return RC_OK;
}
