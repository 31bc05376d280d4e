/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The byte strings a report can be bound to: this TLS connection, and the
 * node's standing keys; and what the attestation key signs to bind one more
 * connection. Public data only.
 */
#include "attest/channel_inner.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"

#define MAX_PARTS 24

/* A list of parts with the lengths it writes in front of some. */
struct parts {
    struct hash_part at[MAX_PARTS];
    size_t n;
    uint8_t lens[4][4];
    size_t n_lens;
};

static void add(struct parts *p, const void *data, size_t len)
{
    assert(p->n < MAX_PARTS);
    p->at[p->n++] = (struct hash_part){ data, len };
}

/* width 4: u32be, the channel's; 2: u16be, FORMATS' */
static void add_text(struct parts *p, const char *text, size_t width)
{
    size_t len = strlen(text);
    assert(len <= UINT16_MAX && p->n_lens < 4);
    uint8_t *head = p->lens[p->n_lens++];
    for (size_t i = 0; i < 4; i++)
        head[i] = (uint8_t)(len >> 8 * (3 - i));
    add(p, head + 4 - width, width);
    add(p, text, len);
}

void attest_binder(uint8_t out[64], const struct attest_binding *b)
{
    static const char tag[] = "mpc-attest/1 evidence";
    uint8_t role = (uint8_t)b->end;
    uint8_t boot[8];
    for (unsigned i = 0; i < 8; i++)
        boot[i] = (uint8_t)(b->boot >> 8 * (7 - i));
    struct parts p = { .n = 0 };
    add(&p, tag, sizeof(tag)); /* with its NUL */
    add(&p, &role, 1);
    add_text(&p, b->deployment, 4);
    add_text(&p, b->attester, 4);
    add_text(&p, b->verifier, 4);
    add(&p, b->ak, 32);
    add(&p, b->attester_spki, 32);
    add(&p, b->verifier_spki, 32);
    add(&p, b->exporter, 32);
    add(&p, b->nonce, 32);
    add(&p, boot, sizeof(boot));
    hash512_parts(out, p.at, p.n);
}

void attest_pair_id(uint8_t out[32], const uint8_t server[64],
                    const uint8_t client[64])
{
    static const char tag[] = "mpc-attest/1 pair";
    struct parts p = { .n = 0 };
    add(&p, tag, sizeof(tag));
    add(&p, server, 64);
    add(&p, client, 64);
    hash256_parts(out, p.at, p.n);
}

void attest_conn_said(uint8_t out[ATTEST_CONN_LEN], enum attest_end signer,
                      const uint8_t exporter[32], const uint8_t client_spki[32],
                      const uint8_t server_spki[32], const uint8_t evidence[32])
{
    static const char tag[] = "mpc-attest/1 conn";
    static_assert(sizeof(tag) == 18, "with its NUL");
    struct bytes_writer w = bytes_writer(out, ATTEST_CONN_LEN);
    bytes_put(&w, tag, sizeof(tag));
    bytes_put_u8(&w, (uint8_t)signer);
    bytes_put(&w, exporter, 32);
    bytes_put(&w, client_spki, 32);
    bytes_put(&w, server_spki, 32);
    bytes_put(&w, evidence, 32);
}

void attest_standing_data(uint8_t out[64], const char *deployment,
                          const char *uri, uint16_t node, const uint8_t ak[32],
                          const uint8_t identity[32], const uint8_t box[32],
                          const uint8_t genesis[32])
{
    static const char tag[] = "mpc/evidence/v1";
    const uint8_t id[2] = { (uint8_t)(node >> 8), (uint8_t)node };
    struct parts p = { .n = 0 };
    add(&p, tag, sizeof(tag));
    add_text(&p, deployment, 2);
    add_text(&p, uri, 2);
    add(&p, id, sizeof(id));
    add(&p, ak, 32);
    add(&p, identity, 32);
    add(&p, box, 32);
    add(&p, genesis, 32);
    hash512_parts(out, p.at, p.n);
}
