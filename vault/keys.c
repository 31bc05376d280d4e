/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node's long-lived keys and the roster: made here, sealed here, opened
 * here. Sealed blob: a header that is the AAD (magic, version, node, cluster,
 * which master key, salt, nonce, length), then identity seed, box secret,
 * roster version and roster text under AES-256-GCM.
 */
#include "vault/inner.h"

#include <string.h>

#include "base/hash.h"
#include "base/rand.h"
#include "base/secret.h"

#define MAGIC      "MPCK"
#define VERSION    1
#define HEADER_LEN 104
#define FIXED_LEN  (32 + 32 + 8) /* of the plaintext, before the roster */
#define TAG_LEN    16

struct keys_header {
    uint8_t salt[32]; /* a key of its own for every sealing */
    uint8_t nonce[12];
    uint32_t ct_len;
    unsigned base; /* under which master key */
};

/* ---- the roster -------------------------------------------------------- */

enum rc vault_roster_node(const struct tlog_roster_node **out,
                          const struct vault_core *core, uint16_t node)
{
    *out = tlog_roster_find(&core->roster->of, node);
    if (!*out)
        return rc_raise(RC_UNKNOWN, "node %u is not in the roster", node);
    return RC_OK;
}

/* "<deployment>/log" gives "<deployment>/node<id>" */
static enum rc name_cosigner(struct vault_roster *r,
                             const struct vault_core *core)
{
    char name[TLOG_NAME_MAX + 16];
    const char *log = r->of.log.name;
    size_t len = strlen(log);
    if (len <= 4 || strcmp(log + len - 4, "/log") != 0)
        return rc_raise(RC_PARSE, "roster: the log's name must end in /log");
    snprintf(name, sizeof(name), "%.*s/node%u", (int)(len - 4), log,
             core->node);
    return tlog_vkey_make(&r->cosigner, name, TLOG_SIG_COSIGNATURE,
                          core->identity);
}

/* *out is heap, also on failure. */
static enum rc roster_read(struct vault_roster **out,
                           const struct vault_core *core, const uint8_t *text,
                           size_t len)
{
    struct vault_roster *r = *out = calloc(1, sizeof(*r));
    if (!r)
        return rc_raise(RC_NOMEM, "roster: no memory");
    if (len > sizeof(r->text))
        return rc_raise(RC_TOO_LARGE, "roster: %zu bytes", len);
    memcpy(r->text, text, len);
    r->len = len;
    TRY(tlog_roster_decode(&r->of, r->text, len));
    hash256(r->hash, text, len);
    const struct tlog_roster_node *us = tlog_roster_find(&r->of, core->node);
    if (!us || memcmp(us->identity, core->identity, 32) != 0 ||
        memcmp(us->box, core->box, 32) != 0)
        return rc_raise(RC_POLICY,
                        "roster: node %u is not there with the "
                        "keys of this vault",
                        core->node);
    return name_cosigner(r, core);
}

/*
 * A later roster: named by a logged policy that is newer than the one that
 * named ours, under the log key held.
 */
static enum rc roster_judge(struct vault_roster *next,
                            const struct vault_core *core,
                            const struct tlog_proof *proof)
{
    const struct vault_roster *held = core->roster;
    struct tlog_policy policy;
    struct tlog_checkpoint cp;
    if (proof->entry_len == 0)
        return rc_raise(RC_POLICY, "roster: one is held already; a later one "
                                   "needs its logged policy");
    TRY(tlog_policy_decode(&policy, proof->entry, proof->entry_len));
    if (memcmp(policy.roster, next->hash, 32) != 0)
        return rc_raise(RC_POLICY, "roster: the policy names another one");
    if (policy.version <= held->version)
        return rc_raise(RC_POLICY, "roster: policy version %llu, held is %llu",
                        (unsigned long long)policy.version,
                        (unsigned long long)held->version);
    if (next->of.log.type != held->of.log.type ||
        strcmp(next->of.log.name, held->of.log.name) != 0 ||
        memcmp(next->of.log.key, held->of.log.key, 32) != 0)
        return rc_raise(RC_POLICY, "roster: names another log");
    TRY(tlog_proof_check(proof, &held->of.log, &cp));
    if (cp.size == core->head.size &&
        memcmp(cp.root.b, core->head.root.b, 32) != 0)
        return rc_raise(RC_LOG, "log: two roots of size %llu",
                        (unsigned long long)cp.size);
    next->version = policy.version;
    return RC_OK;
}

/* ---- sealing ----------------------------------------------------------- */

static void keys_key(uint8_t key[32], const struct vault_core *core,
                     unsigned base, const uint8_t salt[32])
{
    static const char info[] = "mpc/keys/v1";
    WIPED_BYTES(mek, 32);
    WIPED_BYTES(prk, 32);
    vault_mek(mek, core, base, 0, NULL);
    vault_hkdf_extract(prk, salt, 32, mek, 32);
    vault_hkdf_expand(key, prk, info, sizeof(info));
}

static enum rc put_header(struct bytes_writer *w, const struct vault_core *core,
                          const struct keys_header *h)
{
    bytes_put(w, MAGIC, 4);
    bytes_put_u16(w, VERSION);
    bytes_put_u16(w, core->node);
    bytes_put(w, core->cluster, 32);
    bytes_put(w, core->base[0].mek_id, 16);
    bytes_put(w, h->salt, 32);
    bytes_put(w, h->nonce, 12);
    bytes_put_u32(w, h->ct_len);
    return bytes_written(w);
}

/* Appends LP32(blob): the keys with this roster, which may be NULL. */
static enum rc keys_seal(struct bytes_writer *out,
                         const struct vault_core *core,
                         const struct vault_roster *roster)
{
    const size_t plain_len = FIXED_LEN + (roster ? roster->len : 0);
    struct keys_header h = { .ct_len = (uint32_t)(plain_len + TAG_LEN) };
    OWNED_MEM uint8_t *blob = malloc(VAULT_SEALED_KEYS_MAX);
    uint8_t *plain = secret_new(plain_len);
    enum rc rc = blob && plain ? rand_bytes(h.salt, 32)
                               : rc_raise(RC_NOMEM, "keys: no memory");
    if (rc == RC_OK)
        rc = rand_bytes(h.nonce, 12);
    if (rc == RC_OK) {
        struct bytes_writer w = bytes_writer(plain, plain_len);
        bytes_put(&w, core->secret->identity, 32); /* the seed */
        bytes_put(&w, core->secret->box, 32);
        bytes_put_u64(&w, roster ? roster->version : 0);
        bytes_put(&w, roster ? roster->text : "", roster ? roster->len : 0);
        struct bytes_writer aad = bytes_writer(blob, HEADER_LEN);
        WIPED_BYTES(key, 32);
        keys_key(key, core, 0, h.salt);
        rc = put_header(&aad, core, &h);
        if (rc == RC_OK)
            rc = vault_aead_seal(blob + HEADER_LEN, key, h.nonce, plain,
                                 plain_len, blob, HEADER_LEN);
    }
    secret_free(plain);
    if (rc == RC_OK)
        bytes_put_lp32(out, blob, HEADER_LEN + plain_len + TAG_LEN);
    return rc;
}

/* RC_STORE: these keys cannot be had here. RC_UNKNOWN: they are whole, and of
 * another chip, firmware level or measurement. */
static enum rc header_read(struct keys_header *out,
                           const struct vault_core *core, const uint8_t *sealed,
                           size_t len)
{
    struct bytes_reader r = bytes_reader(sealed, len);
    uint8_t cluster[32];
    uint8_t mek_id[16];
    const uint8_t *magic = bytes_take(&r, 4);
    uint16_t version = bytes_get_u16(&r);
    uint16_t node = bytes_get_u16(&r);
    bytes_get(&r, cluster, 32);
    bytes_get(&r, mek_id, 16);
    bytes_get(&r, out->salt, 32);
    bytes_get(&r, out->nonce, 12);
    out->ct_len = bytes_get_u32(&r);
    if (r.failed || memcmp(magic, MAGIC, 4) != 0 || version != VERSION)
        return rc_raise(RC_STORE, "sealed keys: not ours, version %u", version);
    if (out->ct_len != r.left || out->ct_len < FIXED_LEN + TAG_LEN)
        return rc_raise(RC_STORE, "sealed keys: %zu bytes of %u", r.left,
                        out->ct_len);
    if (node != core->node || memcmp(cluster, core->cluster, 32) != 0)
        return rc_raise(RC_STORE,
                        "sealed keys: of another node (%u) or "
                        "cluster",
                        node);
    /* the header does not say which provider: any of ours */
    enum rc rc = vault_base_find(&out->base, core, "sealed keys", 0, mek_id);
    /* what is not bound to the machine is missing by mistake: add it */
    return rc != RC_OK && core->base[0].provider == VAULT_SNP ? RC_UNKNOWN : rc;
}

/* The public halves of what the secret arena holds. */
static enum rc keys_derive(struct vault_core *core, const uint8_t seed[32])
{
    crypto_sign_seed_keypair(core->identity, core->secret->identity, seed);
    if (crypto_scalarmult_base(core->box, core->secret->box) != 0)
        return rc_raise(RC_INTERNAL, "keys: no box key");
    return RC_OK;
}

static enum rc keys_load(struct vault_core *core, const uint8_t *plain,
                         size_t len)
{
    struct vault_roster *roster = NULL;
    struct bytes_reader r = bytes_reader(plain, len);
    const uint8_t *seed = bytes_take(&r, 32);
    bytes_get(&r, core->secret->box, 32);
    uint64_t version = bytes_get_u64(&r);
    if (r.failed)
        return rc_raise(RC_STORE, "sealed keys: too short");
    TRY(keys_derive(core, seed));
    if (r.left == 0)
        return RC_OK;
    if (roster_read(&roster, core, r.p, r.left) != RC_OK) {
        free(roster);
        return rc_prefix(RC_STORE, "sealed keys: ");
    }
    roster->version = version;
    core->roster = roster;
    return RC_OK;
}

static enum rc keys_unseal(struct vault_core *core, unsigned *base,
                           const uint8_t *sealed, size_t len)
{
    struct keys_header h;
    TRY(header_read(&h, core, sealed, len));
    const size_t plain_len = h.ct_len - TAG_LEN;
    uint8_t *plain = secret_new(plain_len);
    if (!plain)
        return RC_NOMEM;
    WIPED_BYTES(key, 32);
    keys_key(key, core, h.base, h.salt);
    *base = h.base;
    enum rc rc = vault_aead_open(plain, key, h.nonce, sealed + HEADER_LEN,
                                 h.ct_len, sealed, HEADER_LEN);
    if (rc == RC_OK)
        rc = keys_load(core, plain, plain_len);
    secret_free(plain);
    return rc;
}

static enum rc keys_make(struct vault_core *core)
{
    WIPED_BYTES(seed, 32);
    TRY(rand_bytes(seed, 32));
    TRY(rand_bytes(core->secret->box, 32));
    return keys_derive(core, seed);
}

/* ---- operations -------------------------------------------------------- */

enum rc vault_on_open(struct vault_core *core, struct bytes_writer *out,
                      struct bytes_reader *in, const struct vault_request *req)
{
    (void)req;
    size_t len;
    unsigned base = 0;
    const uint8_t *sealed = bytes_take_lp32(in, &len);
    TRY(bytes_end(in, "open"));
    if (len == 0)
        TRY(keys_make(core));
    else
        TRY(keys_unseal(core, &base, sealed, len));
    bytes_put(out, core->identity, 32);
    bytes_put(out, core->box, 32);
    bytes_put(out, core->boot, 16);
    bytes_put_u8(out, core->roster != NULL);
    if (core->roster)
        bytes_put(out, core->roster->hash, 32);
    if (len == 0 || base != 0) /* new, or under a master key that goes */
        TRY(keys_seal(out, core, core->roster));
    else
        bytes_put_u32(out, 0); /* nothing new to keep */
    core->state = core->roster ? VAULT_READY : VAULT_OPEN;
    return RC_OK;
}

static enum rc roster_change(struct vault_core *core, struct bytes_writer *out,
                             struct vault_roster *next,
                             const struct tlog_proof *proof)
{
    const struct vault_roster *held = core->roster;
    if (held && memcmp(held->hash, next->hash, 32) == 0)
        return keys_seal(out, core, held); /* asked again */
    if (held)
        TRY(roster_judge(next, core, proof));
    return keys_seal(out, core, next);
}

enum rc vault_on_roster(struct vault_core *core, struct bytes_writer *out,
                        struct bytes_reader *in,
                        const struct vault_request *req)
{
    (void)req;
    size_t len;
    struct tlog_proof proof;
    OWNED_MEM struct vault_roster *next = NULL;
    const uint8_t *text = bytes_take_lp32(in, &len);
    vault_get_proof(in, &proof);
    TRY(bytes_end(in, "roster"));
    TRY(roster_read(&next, core, text, len));
    TRY(roster_change(core, out, next, &proof));
    TRY(bytes_written(out));
    if (!core->roster || memcmp(core->roster->hash, next->hash, 32) != 0) {
        /* what is half made was made among other keys */
        vault_dkg_drop_all(core);
        vault_reshare_drop_all(core);
        free(core->roster);
        core->roster = TAKE(next);
    }
    core->state = VAULT_READY;
    return RC_OK;
}
