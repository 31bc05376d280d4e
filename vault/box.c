/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the runs that deal have in common (dkg.c, reshare.c): a run is begun
 * once, a sub-share travels boxed to its receiver's roster key, and who dealt
 * a wrong one is named. A box key always comes from the roster, never from
 * the caller.
 */
#include "vault/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/rand.h"

#define BOX_NONCE crypto_box_NONCEBYTES

/* what is in a box: which run it is of, from whom, to whom; the sub-share */
struct boxed {
    uint8_t run[32];
    struct frost_scalar sub;
};
WIPED_TYPE(boxed);

_Static_assert(VAULT_BOX_LEN ==
                       BOX_NONCE + crypto_box_MACBYTES + sizeof(struct boxed),
               "a box is nonce, MAC, run and scalar");

/* ---- begun once -------------------------------------------------------- */

/*
 * Begun twice, one session could show two of our packages to two peers.
 */
enum rc vault_begun_once(const struct vault_core *core, const uint8_t run[32])
{
    uint64_t n = core->n_begun < VAULT_MAX_BEGUN ? core->n_begun
                                                 : VAULT_MAX_BEGUN;
    for (uint64_t i = 0; i < n; i++)
        if (memcmp(core->begun[i], run, 32) == 0)
            return rc_raise(RC_EXISTS, "dkg: this session was begun before");
    return RC_OK;
}

uint64_t vault_begun(struct vault_core *core, const uint8_t run[32])
{
    memcpy(core->begun[core->n_begun % VAULT_MAX_BEGUN], run, 32);
    return ++core->n_begun;
}

/* ---- boxes ------------------------------------------------------------- */

/*
 * A box opens with the two parties' keys in either direction and in every
 * run; so it says what it is, or its carrier could frame a dealer with one.
 */
static void box_run(uint8_t out[32], const struct vault_core *core,
                    const struct vault_run_id *run, uint16_t from, uint16_t to)
{
    static const char tag[] = "mpc/sub-share/v1";
    uint8_t numbers[8 + 2 + 2];
    struct bytes_writer w = bytes_writer(numbers, sizeof(numbers));
    bytes_put_u64(&w, run->epoch);
    bytes_put_u16(&w, from);
    bytes_put_u16(&w, to);
    const struct hash_part parts[] = { { tag, sizeof(tag) },
                                       { core->roster->hash, 32 },
                                       { run->session, 32 },
                                       { numbers, sizeof(numbers) } };
    hash256_parts(out, parts, 4);
}

enum rc vault_box_make(uint8_t box[VAULT_BOX_LEN],
                       const struct vault_core *core,
                       const struct vault_run_id *run, uint16_t node,
                       const struct frost_poly *secret)
{
    const struct tlog_roster_node *to;
    struct frost_id id;
    WIPED(boxed) in;
    TRY(vault_roster_node(&to, core, node));
    TRY(frost_id_from_u16(&id, node));
    box_run(in.run, core, run, core->node, node);
    TRY(frost_sub_share(&in.sub, secret, &id));
    TRY(rand_bytes(box, BOX_NONCE));
    if (crypto_box_easy(box + BOX_NONCE, (const uint8_t *)&in, sizeof(in), box,
                        to->box, core->secret->box) != 0)
        return rc_raise(RC_POLICY, "dkg: node %u has no usable box key", node);
    return RC_OK;
}

enum rc vault_box_open(struct frost_scalar *sub, const struct vault_core *core,
                       const struct vault_run_id *run, uint16_t node,
                       const uint8_t box[VAULT_BOX_LEN])
{
    const struct tlog_roster_node *from;
    WIPED(boxed) out;
    uint8_t want[32];
    TRY(vault_roster_node(&from, core, node));
    if (crypto_box_open_easy((uint8_t *)&out, box + BOX_NONCE,
                             VAULT_BOX_LEN - BOX_NONCE, box, from->box,
                             core->secret->box) != 0)
        return rc_raise(RC_VERIFY,
                        "dkg: the box of node %u does not open: garbled by "
                        "it or on the way",
                        node);
    box_run(want, core, run, node, core->node);
    if (memcmp(want, out.run, sizeof(want)) != 0)
        return rc_raise(RC_VERIFY,
                        "dkg: what came as the box of node %u is of another "
                        "run, or to or from another",
                        node);
    *sub = out.sub;
    return RC_OK;
}

/* ---- blame ------------------------------------------------------------- */

/* Names all whose sub-share is off its polynomial. */
enum rc vault_blame_dealers(const struct frost_culprits *culprits)
{
    char who[160] = "";
    for (unsigned i = 0; i < culprits->n; i++) {
        size_t at = strlen(who);
        snprintf(who + at, sizeof(who) - at, "%snode %u", at ? ", " : "",
                 frost_id_to_u16(&culprits->id[i]));
    }
    return rc_raise(RC_CHEATER, "%s: sub-share not on its dealer's polynomial",
                    who);
}
