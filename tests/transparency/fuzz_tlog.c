/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that parses: what decodes is encoded again and must be equal. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "transparency/note.h"
#include "transparency/watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENTRY(name)                                                            \
    static void fuzz_##name(const char *text, size_t len)                      \
    {                                                                          \
        struct tlog_##name e;                                                  \
        char out[TLOG_ENTRY_MAX + 1];                                          \
        size_t out_len;                                                        \
        if (tlog_##name##_decode(&e, text, len) != RC_OK)                      \
            return;                                                            \
        if (tlog_##name##_encode(out, &out_len, &e) != RC_OK ||                \
            out_len != len || memcmp(out, text, len) != 0)                     \
            abort();                                                           \
    }
ENTRY(intent)
ENTRY(birth)
ENTRY(epoch)
ENTRY(receipt)
ENTRY(policy)
ENTRY(evidence)
ENTRY(abort)
ENTRY(dsse)

static void fuzz_roster(const char *text, size_t len)
{
    static struct tlog_roster r;
    static char out[TLOG_ROSTER_MAX + 1];
    size_t out_len;
    if (tlog_roster_decode(&r, text, len) != RC_OK)
        return;
    if (tlog_roster_encode(out, sizeof(out), &out_len, &r) != RC_OK ||
        out_len != len || memcmp(out, text, len) != 0)
        abort();
}

static void fuzz_note(const char *text, size_t len)
{
    struct note n;
    struct tlog_checkpoint cp;
    struct tlog_vkey log = { .name = "a", .type = TLOG_SIG_ED25519 };
    struct tlog_vkey w = { .name = "a", .type = TLOG_SIG_COSIGNATURE };
    char body[TLOG_NOTE_MAX];
    if (tlog_note_parse(&n, text, len) == RC_OK &&
        n.text_len + n.sigs_len + 1 != len)
        abort();
    if (tlog_checkpoint_open(&cp, text, len, &log) == RC_OK)
        abort(); /* nobody holds that key */
    if (tlog_note_cosigned(text, len, &w, NULL) == RC_OK)
        abort();
    if (tlog_checkpoint_parse(&cp, text, len) == RC_OK &&
        tlog_checkpoint_body(body, sizeof(body), &cp) == RC_OK &&
        (strlen(body) > len || memcmp(body, text, strlen(body)) != 0))
        abort();
}

static void fuzz_words(const char *text, size_t len)
{
    char word[512];
    char out[TLOG_VKEY_MAX];
    char path[TLOG_TILE_PATH_MAX];
    struct tlog_vkey v;
    int level;
    uint64_t n;
    unsigned width;
    if (len >= sizeof(word))
        return;
    memcpy(word, text, len);
    word[len] = '\0';
    if (tlog_vkey_parse(&v, word) == RC_OK &&
        strcmp(tlog_vkey_text(out, &v), word) != 0)
        abort();
    if (tlog_tile_parse(&level, &n, &width, word) != RC_OK)
        return;
    tlog_tile_path(path, level, n, width);
    if (strcmp(path + strlen("tile/"), word) != 0)
        abort();
}

/* A proof's text is one, but for the extra line; base64 has one form. */
static void fuzz_proof(const char *text, size_t len)
{
    static struct tlog_proof p;
    static char out[TLOG_PROOF_TEXT_MAX];
    size_t out_len;
    if (tlog_proof_read(&p, text, len, "x", 1) != RC_OK ||
        memmem(text, len, "\nextra ", 7))
        return;
    if (tlog_proof_write(out, sizeof(out), &out_len, &p) != RC_OK ||
        out_len != len || memcmp(out, text, len) != 0)
        abort();
}

/* Nobody holds that key, so nothing of it verifies; and reading it is all. */
static void fuzz_sct(const uint8_t *data, size_t len)
{
    uint8_t key[TLOG_P256_SPKI_LEN] = { 0 };
    uint8_t hash[32] = { 0 };
    uint64_t at_ms;
    if (tlog_sct_check(&at_ms, data, len, key, sizeof(key), hash, data, len) ==
        RC_OK)
        abort();
}

static void fuzz_files(const char *text, size_t len)
{
    static struct tlog_trust trust;
    struct tlog_vkey log = { .name = "a", .type = TLOG_SIG_ED25519 };
    struct tlog_watch *w = NULL;
    struct tlog_follow f;
    if (tlog_trust_read(&trust, text, len) == RC_OK &&
        tlog_trust_quorum(&trust, 0) && !tlog_trust_quorum(&trust, UINT64_MAX))
        abort(); /* more witnesses are never less */
    if (tlog_watch_load(&w, &f, &log, text, len) == RC_OK)
        tlog_watch_free(w);
}

static void fuzz_index(const char *text, size_t len)
{
    struct tlog_index *x = NULL;
    uint64_t at;
    if (tlog_index_new(&x) != RC_OK)
        return;
    if (tlog_index_add(x, 7, text, len) != RC_OK || tlog_index_size(x) != 8)
        abort();
    (void)tlog_index_cites(x, &at, 1, 0);
    tlog_index_free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    fuzz_intent(text, size);
    fuzz_birth(text, size);
    fuzz_epoch(text, size);
    fuzz_receipt(text, size);
    fuzz_policy(text, size);
    fuzz_evidence(text, size);
    fuzz_abort(text, size);
    fuzz_dsse(text, size);
    fuzz_roster(text, size);
    fuzz_note(text, size);
    fuzz_words(text, size);
    fuzz_proof(text, size);
    fuzz_files(text, size);
    fuzz_index(text, size);
    fuzz_sct(data, size);
    return 0;
}
