/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Master keys: where they come from, which one opens what. The guest's own is
 * asked for here; those of a token or a passphrase were left in a pipe by a
 * helper that has ended. All of it secret but names and ids.
 */
#include "vault/inner.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"

/* clang-format off */
static const struct {
    enum vault_master m;
    const char *name;
    const char *bound; /* what else it may have been sealed under */
} masters[] = {
    { VAULT_SNP, "snp", "another chip, firmware level or measurement" },
    { VAULT_SNP_PEERS, "snp+peers",
      "another chip, firmware level or measurement" },
    { VAULT_PKCS11, "pkcs11", "another token's key, or one since destroyed" },
    { VAULT_PASSPHRASE, "passphrase", "another passphrase" },
};
/* clang-format on */
#define N_MASTERS (sizeof(masters) / sizeof(masters[0]))

/* ---- names ------------------------------------------------------------- */

const char *vault_master_name(enum vault_master m)
{
    for (unsigned i = 0; i < N_MASTERS; i++)
        if (masters[i].m == m)
            return masters[i].name;
    return "unknown";
}

static enum rc master_word(enum vault_master *out, const char *word, size_t len)
{
    for (unsigned i = 0; i < N_MASTERS; i++)
        if (strlen(masters[i].name) == len &&
            memcmp(masters[i].name, word, len) == 0) {
            *out = masters[i].m;
            return RC_OK;
        }
    enum rc rc = rc_raise(RC_ARG, "master_key: \"%.*s\" is none",
                          (int)(len < 40 ? len : 40), word);
    rc_hint("want snp, snp+peers, pkcs11 or passphrase; several, comma "
            "separated: the first seals");
    return rc;
}

enum rc vault_master_parse(enum vault_master out[VAULT_MAX_MASTERS],
                           unsigned *n, const char *text)
{
    static const char blank[] = " \t";
    enum vault_master list[VAULT_MAX_MASTERS];
    unsigned count = 0;
    for (const char *at = text;; at++) {
        at += strspn(at, blank);
        size_t len = strcspn(at, ",");
        const char *end = at + len;
        while (len > 0 && strchr(blank, at[len - 1]))
            len--;
        enum vault_master m;
        TRY(master_word(&m, at, len));
        for (unsigned i = 0; i < count; i++)
            if (list[i] == m)
                return rc_raise(RC_ARG, "master_key: %s stands twice",
                                vault_master_name(m));
        list[count++] = m; /* each once: no more than there are */
        at = end;
        if (*at == '\0')
            break;
    }
    memcpy(out, list, count * sizeof(*list));
    *n = count;
    return RC_OK;
}

/* ---- taking them ------------------------------------------------------- */

static bool by_helper(enum vault_master m)
{
    return m == VAULT_PKCS11 || m == VAULT_PASSPHRASE;
}

bool vault_masters_read(const struct vault_config *config)
{
    for (unsigned i = 0; i < config->n_masters; i++)
        if (by_helper(config->master[i]))
            return true;
    return false;
}

/* What the helper left, as records. */
struct left {
    uint8_t rec[VAULT_MAX_MASTERS * VAULT_MASTER_RECORD];
    size_t len;
};
WIPED_TYPE(left);

static enum rc read_left(struct left *out, int fd)
{
    for (;;) {
        uint8_t more;
        bool full = out->len == sizeof(out->rec);
        ssize_t n = read(fd, full ? &more : out->rec + out->len,
                         full ? 1 : sizeof(out->rec) - out->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            break;
        if (n < 0 || full)
            return rc_raise(RC_STORE, "master keys: not as the helper writes");
        out->len += (size_t)n;
    }
    if (out->len % VAULT_MASTER_RECORD != 0)
        return rc_raise(RC_STORE, "master keys: cut short");
    return RC_OK;
}

static enum rc base_add(struct vault_core *core, enum vault_master provider,
                        const uint8_t key[32])
{
    static const char id[] = "mpc/mek-id/v1";
    WIPED_BYTES(mek_id, 32);
    unsigned at = core->n_bases;
    if (at == VAULT_MAX_MASTERS)
        return rc_raise(RC_ARG, "master_key: more than %d keys",
                        VAULT_MAX_MASTERS);
    uint8_t *root = core->secret->root[at];
    vault_hkdf_extract(root, core->cluster, 32, key, 32);
    /* one way: the id may be public */
    vault_hkdf_expand(mek_id, root, id, sizeof(id));
    core->base[at].provider = provider;
    memcpy(core->base[at].mek_id, mek_id, sizeof(core->base[at].mek_id));
    core->n_bases++;
    return RC_OK;
}

/* Once, whether for snp or for snp+peers. */
static enum rc add_guest(struct vault_core *core,
                         const struct vault_config *config)
{
    unsigned at;
    WIPED_BYTES(key, 32);
    if (vault_base_snp(&at, core) == RC_OK)
        return RC_OK;
    TRY(vault_guest_key(key, config));
    return base_add(core, VAULT_SNP, key);
}

static enum rc add_left(struct vault_core *core, const struct left *left,
                        enum vault_master m)
{
    unsigned found = 0;
    for (size_t at = 0; at < left->len; at += VAULT_MASTER_RECORD) {
        struct bytes_reader r = bytes_reader(left->rec + at,
                                             VAULT_MASTER_RECORD);
        if (bytes_get_u16(&r) != m)
            continue;
        TRY(base_add(core, m, r.p));
        found++;
    }
    return found ? RC_OK
                 : rc_raise(RC_STORE, "master key %s: the helper left none",
                            vault_master_name(m));
}

enum rc vault_masters_load(struct vault_core *core,
                           const struct vault_config *config)
{
    WIPED(left) left = { .len = 0 };
    core->seals = config->n_masters ? config->master[0] : VAULT_SNP;
    if (config->n_masters == 0)
        return add_guest(core, config);
    if (vault_masters_read(config))
        TRY(read_left(&left, config->master_fd));
    for (unsigned i = 0; i < config->n_masters; i++)
        TRY(by_helper(config->master[i])
                    ? add_left(core, &left, config->master[i])
                    : add_guest(core, config));
    return RC_OK;
}

/* ---- using them -------------------------------------------------------- */

enum rc vault_base_snp(unsigned *base, const struct vault_core *core)
{
    for (unsigned i = 0; i < core->n_bases; i++)
        if (core->base[i].provider == VAULT_SNP) {
            *base = i;
            return RC_OK;
        }
    return rc_raise(RC_STORE, "master key snp: not in this node's master_key");
}

/* No base of ours has that id. sure: its provider is known. */
static enum rc no_base(const struct vault_core *core, const char *what,
                       enum vault_master m, bool sure)
{
    const char *bound = masters[0].bound;
    bool have = false;
    if (m == VAULT_SNP_PEERS)
        m = VAULT_SNP;
    for (unsigned i = 0; i < core->n_bases; i++)
        have = have || core->base[i].provider == m;
    for (unsigned i = 0; i < N_MASTERS; i++)
        if (masters[i].m == m)
            bound = masters[i].bound;
    enum rc rc;
    if (have) {
        rc = rc_raise(RC_STORE, "%s: sealed under %s%s (master key %s)", what,
                      bound, sure ? "" : ", or another master key",
                      vault_master_name(m));
        rc_hint("bring back what it was sealed under, or let this node start "
                "empty and be repaired");
    } else {
        rc = rc_raise(RC_STORE,
                      "%s: sealed under master key %s, which this "
                      "node's master_key does not list",
                      what, vault_master_name(m));
        rc_hint("add it to master_key, behind the one that seals now");
    }
    return rc;
}

enum rc vault_base_find(unsigned *base, const struct vault_core *core,
                        const char *what, uint16_t provider,
                        const uint8_t mek_id[16])
{
    uint16_t want = provider == VAULT_SNP_PEERS ? VAULT_SNP : provider;
    for (unsigned i = 0; i < core->n_bases; i++)
        if ((provider == 0 || core->base[i].provider == want) &&
            memcmp(core->base[i].mek_id, mek_id, 16) == 0) {
            *base = i;
            return RC_OK;
        }
    return no_base(core, what,
                   provider ? (enum vault_master)provider
                            : core->base[0].provider,
                   provider != 0);
}

void vault_mek(uint8_t out[32], const struct vault_core *core, unsigned base,
               uint64_t epoch, const struct frost_scalar *with)
{
    static const uint8_t unbound[48];
    uint8_t info[128];
    WIPED_BYTES(root, 32);
    memcpy(root, core->secret->root[base], 32);
    if (with) {
        WIPED_BYTES(both, 64);
        memcpy(both, root, 32);
        memcpy(both + 32, with->le, 32);
        vault_hkdf_extract(root, core->cluster, 32, both, 64);
    }
    struct bytes_writer w = bytes_writer(info, sizeof(info));
    bytes_put_tag(&w, "mpc/mek/v1");
    bytes_put_u16(&w, core->node);
    bytes_put(&w,
              core->base[base].provider == VAULT_SNP ? core->measurement
                                                     : unbound,
              48);
    if (epoch)
        bytes_put_u64(&w, epoch);
    else
        bytes_put(&w, "keys", 4);
    vault_hkdf_expand(out, root, info, w.len);
}

void vault_node_id(uint8_t out[32], const struct vault_core *core)
{
    hash256(out, core->identity, 32);
}
