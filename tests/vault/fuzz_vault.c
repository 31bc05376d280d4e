/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a request (first byte: the operation) to a vault with keys
 * and a roster; and a sign request that decodes must encode to its bytes.
 */
#include "vault/vault.h"

#include <stdio.h>
#include <string.h>

#include "vault/inner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(enum rc rc)
{
    if (rc == RC_OK)
        return;
    fprintf(stderr, "%s\n", rc_text());
    abort();
}

/* Node 1 of three; the others' keys are nobody's. */
static struct vault *make(void)
{
    static const uint8_t key[32] = { 1 };
    static uint8_t sealed[VAULT_SEALED_KEYS_MAX];
    static char text[TLOG_ROSTER_MAX];
    static struct tlog_roster r;
    const struct vault_config config = { .node = 1,
                                         .seal_fd = -1,
                                         .test_seal_key = key };
    struct vault *v = NULL;
    struct vault_keys keys;
    size_t len = 0;
    must(vault_local(&v, &config));
    must(vault_open(v, &keys, sealed, &len));
    must(tlog_vkey_make(&r.log, "fuzz/log", TLOG_SIG_ED25519, key));
    r.n = 3;
    for (unsigned i = 0; i < 3; i++) {
        r.node[i].id = (uint16_t)(i + 1);
        memset(r.node[i].identity, (int)(i + 1), 32);
        memset(r.node[i].box, (int)(i + 1), 32);
    }
    memcpy(r.node[0].identity, keys.identity, 32);
    memcpy(r.node[0].box, keys.box, 32);
    must(tlog_roster_encode(text, sizeof(text), &len, &r));
    must(vault_roster_set(v, text, len, NULL, sealed, &len));
    return v;
}

static void sign_layout(const uint8_t *body, size_t len)
{
    static struct vault_sign_work work;
    static uint8_t again[32768];
    struct bytes_reader r = bytes_reader(body, len);
    struct bytes_writer w = bytes_writer(again, sizeof(again));
    vault_get_sign(&r, &work);
    if (bytes_end(&r, "sign") != RC_OK)
        return;
    vault_put_sign(&w, &work.req);
    if (w.failed || w.len != len || memcmp(again, body, len) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vault *v;
    static uint8_t reply[VAULT_REPLY_MAX];
    size_t reply_len;
    if (!v)
        v = make();
    if (size == 0)
        return 0;
    const struct vault_request req = { .op = data[0],
                                       .body = data + 1,
                                       .body_len = size - 1 };
    (void)vault_call(v, reply, sizeof(reply), &reply_len, &req);
    sign_layout(data + 1, size - 1);
    return 0;
}
