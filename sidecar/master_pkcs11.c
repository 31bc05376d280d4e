/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Master keys wrapped by a token: for each label in pkcs11_key an AES-256 key
 * that never leaves the token has encrypted 32 random bytes, MSH1 of kind 4 in
 * the state directory. In the helper only; the module is loaded here and
 * nowhere else.
 */
#include "sidecar/master.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <p11-kit/pkcs11.h>

#include "base/enc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/own.h"
#include "base/rand.h"

#define TAG_LEN   16
#define CT_LEN    (32 + TAG_LEN)
#define WRAP_LEN  (VAULT_MSH1_HEADER + CT_LEN)
#define PIN_MAX   256
#define LABEL_MAX 64
#define SLOTS_MAX 64

struct token {
    CK_FUNCTION_LIST *f;
    CK_SESSION_HANDLE session;
    const char *label;
};

/* One of pkcs11_key. */
struct label {
    char text[LABEL_MAX];
    char path[600];
    uint8_t id[32]; /* H(label) */
};

/* ---- words ----------------------------------------------------------------- */

static const struct {
    CK_RV rv;
    enum rc rc;
    const char *name;
} returns[] = {
    { CKR_PIN_INCORRECT, RC_AUTH, "the PIN is wrong" },
    { CKR_PIN_LOCKED, RC_AUTH, "the PIN is locked" },
    { CKR_PIN_EXPIRED, RC_AUTH, "the PIN has expired" },
    { CKR_USER_PIN_NOT_INITIALIZED, RC_AUTH, "no user PIN is set" },
    { CKR_TOKEN_NOT_PRESENT, RC_UNREACHABLE, "the token is not there" },
    { CKR_DEVICE_ERROR, RC_UNREACHABLE, "the device failed" },
    { CKR_DEVICE_REMOVED, RC_UNREACHABLE, "the device was taken out" },
    { CKR_MECHANISM_INVALID, RC_ARG, "it has no AES-GCM" },
    { CKR_ENCRYPTED_DATA_INVALID, RC_STORE, "not what this key wrapped" },
    { CKR_GENERAL_ERROR, RC_STORE, "refused, or not what this key wrapped" },
    { CKR_TOKEN_WRITE_PROTECTED, RC_AUTH, "the token is read-only" },
};

static enum rc failed(const char *what, CK_RV rv)
{
    for (size_t i = 0; i < sizeof(returns) / sizeof(*returns); i++)
        if (returns[i].rv == rv)
            return rc_raise(returns[i].rc, "pkcs11: %s: %s", what,
                            returns[i].name);
    return rc_raise(RC_STORE, "pkcs11: %s: CKR 0x%lx", what, rv);
}

static enum rc setting(const char *value, const char *key)
{
    if (value && *value)
        return RC_OK;
    return rc_raise(RC_ARG, "master_key pkcs11: %s is not set", key);
}

/* ---- the token --------------------------------------------------------------- */

static enum rc module_load(struct token *t, const char *path)
{
    CK_C_GetFunctionList list;
    void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!so)
        return rc_raise(RC_ARG, "pkcs11_module: %s", dlerror());
    void *symbol = dlsym(so, "C_GetFunctionList");
    if (!symbol)
        return rc_raise(RC_ARG, "pkcs11_module: %s is none", path);
    memcpy(&list, &symbol, sizeof(list));
    CK_RV rv = list(&t->f);
    if (rv == CKR_OK)
        rv = t->f->C_Initialize(NULL);
    return rv == CKR_OK ? RC_OK : failed("C_Initialize", rv);
}

static bool same_label(const CK_UTF8CHAR padded[32], const char *label)
{
    size_t len = strlen(label);
    if (len > 32 || memcmp(padded, label, len) != 0)
        return false;
    for (; len < 32; len++)
        if (padded[len] != ' ')
            return false;
    return true;
}

static enum rc slot_find(CK_SLOT_ID *out, const struct token *t)
{
    CK_SLOT_ID slot[SLOTS_MAX];
    CK_ULONG n = SLOTS_MAX;
    unsigned found = 0;
    CK_RV rv = t->f->C_GetSlotList(CK_TRUE, slot, &n);
    if (rv != CKR_OK)
        return failed("C_GetSlotList", rv);
    for (CK_ULONG i = 0; i < n; i++) {
        CK_TOKEN_INFO info;
        if (t->f->C_GetTokenInfo(slot[i], &info) == CKR_OK &&
            same_label(info.label, t->label)) {
            *out = slot[i];
            found++;
        }
    }
    if (found == 1)
        return RC_OK;
    return rc_raise(RC_ARG, "pkcs11_token: %u tokens of %lu are called \"%s\"",
                    found, n, t->label);
}

static enum rc token_open(struct token *t, const struct master_config *c)
{
    CK_SLOT_ID slot = 0;
    size_t len;
    WIPED_BYTES(pin, PIN_MAX);
    TRY(setting(c->module, "pkcs11_module"));
    TRY(setting(c->token, "pkcs11_token"));
    TRY(setting(c->keys, "pkcs11_key"));
    TRY(setting(c->pin_file, "pkcs11_pin_file"));
    t->label = c->token;
    TRY(master_file(pin, &len, PIN_MAX, "pkcs11_pin_file", c->pin_file));
    TRY(module_load(t, c->module));
    TRY(slot_find(&slot, t));
    CK_RV rv = t->f->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION,
                                   NULL, NULL, &t->session);
    if (rv != CKR_OK)
        return failed("C_OpenSession", rv);
    rv = t->f->C_Login(t->session, CKU_USER, pin, len);
    return rv == CKR_OK ? RC_OK : failed("C_Login", rv);
}

/* *n: how many there are of that label */
static enum rc key_find(CK_OBJECT_HANDLE *out, CK_ULONG *n,
                        const struct token *t, struct label *l)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_OBJECT_HANDLE found[2] = { 0, 0 };
    CK_ATTRIBUTE want[] = {
        { CKA_CLASS, &class, sizeof(class) },
        { CKA_KEY_TYPE, &type, sizeof(type) },
        { CKA_LABEL, l->text, strlen(l->text) },
    };
    CK_RV rv = t->f->C_FindObjectsInit(t->session, want, 3);
    if (rv == CKR_OK)
        rv = t->f->C_FindObjects(t->session, found, 2, n);
    (void)t->f->C_FindObjectsFinal(t->session);
    if (rv != CKR_OK)
        return failed("C_FindObjects", rv);
    if (*n > 1)
        return rc_raise(RC_ARG,
                        "pkcs11_key: token \"%s\" has more than one "
                        "AES key called \"%s\"",
                        t->label, l->text);
    *out = found[0];
    return RC_OK;
}

static enum rc key_make(CK_OBJECT_HANDLE *out, const struct token *t,
                        struct label *l)
{
    CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_BBOOL yes = CK_TRUE;
    CK_BBOOL no = CK_FALSE;
    CK_ULONG len = 32;
    CK_ATTRIBUTE as[] = {
        { CKA_LABEL, l->text, strlen(l->text) },
        { CKA_VALUE_LEN, &len, sizeof(len) },
        { CKA_TOKEN, &yes, sizeof(yes) },
        { CKA_PRIVATE, &yes, sizeof(yes) },
        { CKA_SENSITIVE, &yes, sizeof(yes) },
        { CKA_EXTRACTABLE, &no, sizeof(no) },
        { CKA_ENCRYPT, &yes, sizeof(yes) },
        { CKA_DECRYPT, &yes, sizeof(yes) },
    };
    CK_RV rv = t->f->C_GenerateKey(t->session, &mechanism, as,
                                   sizeof(as) / sizeof(*as), out);
    return rv == CKR_OK ? RC_OK : failed("C_GenerateKey", rv);
}

/* ---- what it wraps ------------------------------------------------------------ */

static void header_of(struct vault_msh1 *h, const struct master_config *c,
                      const struct label *l)
{
    *h = (struct vault_msh1){ .kind = VAULT_KIND_WRAP,
                              .node = c->node,
                              .provider = VAULT_PKCS11,
                              .ct_len = CT_LEN };
    memcpy(h->key, l->id, 32);
    memcpy(h->group_key, c->cluster, 32); /* kind 4: whose */
    memcpy(h->mek_id, l->id, 16);
}

static CK_GCM_PARAMS gcm(struct vault_msh1 *h, uint8_t aad[VAULT_MSH1_HEADER])
{
    return (CK_GCM_PARAMS){ .iv_ptr = h->nonce,
                            .iv_len = sizeof(h->nonce),
                            .iv_bits = sizeof(h->nonce) * 8,
                            .aad_ptr = aad,
                            .aad_len = VAULT_MSH1_HEADER,
                            .tag_bits = TAG_LEN * 8 };
}

static enum rc wrap_new(uint8_t key[32], const struct token *t,
                        CK_OBJECT_HANDLE by, const struct master_config *c,
                        const struct label *l)
{
    struct vault_msh1 h;
    uint8_t file[WRAP_LEN];
    CK_ULONG len = CT_LEN;
    header_of(&h, c, l);
    h.created_ms = (uint64_t)time(NULL) * 1000;
    TRY(rand_bytes(h.nonce, sizeof(h.nonce)));
    TRY(rand_bytes(key, 32));
    vault_msh1_encode(file, &h);
    CK_GCM_PARAMS params = gcm(&h, file);
    CK_MECHANISM mechanism = { CKM_AES_GCM, &params, sizeof(params) };
    CK_RV rv = t->f->C_EncryptInit(t->session, &mechanism, by);
    if (rv == CKR_OK)
        rv = t->f->C_Encrypt(t->session, key, 32, file + VAULT_MSH1_HEADER,
                             &len);
    if (rv != CKR_OK)
        return failed("C_Encrypt", rv);
    if (len != CT_LEN)
        return rc_raise(RC_STORE, "pkcs11: C_Encrypt made %lu bytes, want %d",
                        len, CT_LEN);
    return file_write(l->path, file, sizeof(file), 0600);
}

static enum rc wrap_check(struct vault_msh1 *h, const struct master_config *c,
                          const struct label *l, const uint8_t *file,
                          size_t len)
{
    struct vault_msh1 want;
    TRY(vault_msh1_decode(h, file, len));
    header_of(&want, c, l);
    if (h->kind != want.kind || h->ct_len != CT_LEN)
        return rc_raise(RC_STORE, "%s: no wrapped master key", l->path);
    if (h->node != c->node || memcmp(h->group_key, c->cluster, 32) != 0)
        return rc_raise(RC_STORE, "%s: of another node (%u) or cluster",
                        l->path, h->node);
    if (memcmp(h->key, l->id, 32) != 0)
        return rc_raise(RC_STORE, "%s: wrapped under another label", l->path);
    return RC_OK;
}

static enum rc unwrap(uint8_t key[32], const struct token *t,
                      CK_OBJECT_HANDLE by, const struct master_config *c,
                      const struct label *l, uint8_t *file, size_t file_len)
{
    struct vault_msh1 h;
    WIPED_BYTES(plain, CT_LEN);
    CK_ULONG len = CT_LEN;
    TRY(wrap_check(&h, c, l, file, file_len));
    CK_GCM_PARAMS params = gcm(&h, file);
    CK_MECHANISM mechanism = { CKM_AES_GCM, &params, sizeof(params) };
    CK_RV rv = t->f->C_DecryptInit(t->session, &mechanism, by);
    if (rv == CKR_OK)
        rv = t->f->C_Decrypt(t->session, file + VAULT_MSH1_HEADER, CT_LEN,
                             plain, &len);
    if (rv != CKR_OK)
        return failed(l->path, rv);
    if (len != 32)
        return rc_raise(RC_STORE, "pkcs11: C_Decrypt gave %lu bytes, want 32",
                        len);
    memcpy(key, plain, 32);
    return RC_OK;
}

static enum rc destroyed(const struct token *t, const struct label *l)
{
    enum rc rc = rc_raise(RC_STORE,
                          "pkcs11: token \"%s\" has no AES key \"%s\" any "
                          "more: what was sealed under it is unrecoverable",
                          t->label, l->text);
    rc_hint("take it out of pkcs11_key if nothing here needs it; else let "
            "this node start empty and be repaired");
    return rc;
}

static enum rc one_label(int fd, const struct token *t,
                         const struct master_config *c, struct label *l)
{
    CK_OBJECT_HANDLE by = 0;
    CK_ULONG n = 0;
    OWNED_MEM uint8_t *file = NULL;
    size_t len = 0;
    WIPED_BYTES(key, 32);
    TRY(key_find(&by, &n, t, l));
    enum rc rc = file_read(&file, &len, l->path, WRAP_LEN);
    if (rc == RC_OK && n == 0)
        return destroyed(t, l);
    if (rc == RC_OK) {
        TRY(unwrap(key, t, by, c, l, file, len));
    } else if (rc == RC_UNKNOWN) {
        if (n == 0)
            TRY(key_make(&by, t, l));
        TRY(wrap_new(key, t, by, c, l));
    } else {
        return rc;
    }
    return master_leave(fd, VAULT_PKCS11, key);
}

/* ---- all of them ---------------------------------------------------------------- */

/* The next of a comma separated list; NULL after the last. */
static const char *label_next(struct label *out, const char *at,
                              const char *state_dir)
{
    char hex[65];
    at += strspn(at, ", \t");
    size_t len = strcspn(at, ",");
    const char *end = at + len;
    while (len > 0 && (at[len - 1] == ' ' || at[len - 1] == '\t'))
        len--;
    if (len == 0 || len >= sizeof(out->text))
        return NULL;
    memcpy(out->text, at, len);
    out->text[len] = '\0';
    hash256(out->id, out->text, len);
    enc_hex(hex, out->id, 32);
    snprintf(out->path, sizeof(out->path), "%s/master-%.16s.msh1", state_dir,
             hex);
    return end;
}

enum rc master_pkcs11(int fd, const struct master_config *c)
{
    struct token t = { .f = NULL };
    struct label l;
    unsigned n = 0;
    TRY(token_open(&t, c));
    for (const char *at = c->keys; (at = label_next(&l, at, c->state_dir));) {
        TRY(one_label(fd, &t, c, &l));
        n++;
    }
    (void)t.f->C_Finalize(NULL);
    return n ? RC_OK
             : rc_raise(RC_ARG, "pkcs11_key: want labels of 1 to %d bytes",
                        LABEL_MAX - 1);
}
