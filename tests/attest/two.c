/* SPDX-License-Identifier: Apache-2.0 */
#include "two.h"

struct simulator sim_a, sim_b;
struct home home;
static struct pki pki;
struct pki_id id_a, id_b;
struct node a, b; /* a calls b */

int setup(void **state)
{
    (void)state;
    node_clock_setup();
    simulator_init(&sim_a, NULL, "1");
    simulator_init(&sim_b, sim_a.dir, "2");
    simulator_start(&sim_a, HOST_HEX);
    simulator_start(&sim_b, HOST_HEX);
    home_make(&home);
    pki_make(&pki, home.dir, "ca");
    pki_leaf(&id_a, &pki, "a", "URI:" NODE_A, -3600, 864000);
    pki_leaf(&id_b, &pki, "b", "URI:" NODE_B, -3600, 864000);
    return 0;
}

int teardown(void **state)
{
    (void)state;
    pki_wipe(&pki);
    home_remove(&home);
    simulator_stop(&sim_a);
    simulator_stop(&sim_b);
    simulator_remove(&sim_a);
    simulator_remove(&sim_b);
    return 0;
}

void open_with(int64_t window_s, const char *hash_a, const char *hash_b)
{
    node_open(&a, NODE_A, &id_a, &sim_a, window_s, hash_a);
    node_open(&b, NODE_B, &id_b, &sim_b, window_s, hash_b);
    node_serve(&b);
}

int open_nodes(void **state)
{
    (void)state;
    open_with(0, NULL, NULL);
    return 0;
}

int close_nodes(void **state)
{
    (void)state;
    node_close(&a);
    node_close(&b);
    return 0;
}

const uint8_t stranger[32] = { 0xAA, 0xBB, 0xCC };

void assert_says_both(const uint8_t seen[32], const uint8_t allowed[32])
{
    char hex[ENC_HEX_SIZE(32)];
    if (!strstr(rc_text(), enc_hex(hex, seen, 32)) ||
        !strstr(rc_text(), enc_hex(hex, allowed, 32)) || !rc_hint_text()[0])
        fail_msg("not both hashes and a hint: %s (%s)", rc_text(),
                 rc_hint_text());
}

/* ---- by hand ----------------------------------------------------------- */

enum rc say_hello(struct line *l, const uint8_t nonce[32],
                  struct wire_hello_reply *out)
{
    struct wire_hello hello = { .policy = { .version = 7 } };
    memcpy(hello.nonce, nonce, 32);
    char *json;
    size_t len;
    TRY(wire_hello_encode(&json, &len, &hello));
    struct http_answer got = { 0 };
    enum rc rc = line_post(&got, l, CHANNEL_HELLO, json, len);
    free(json);
    TRY(rc);
    assert_ok(wire_hello_reply_decode(out, (char *)got.body, got.body_len));
    http_answer_free(&got);
    return RC_OK;
}

enum rc show_bind(struct line *l, const struct wire_bind *m,
                  struct wire_bound *out)
{
    char *json;
    size_t len;
    TRY(wire_bind_encode(&json, &len, m));
    struct http_answer got = { 0 };
    enum rc rc = line_post(&got, l, CHANNEL_BIND, json, len);
    free(json);
    if (rc == RC_OK)
        assert_ok(wire_bound_decode(out, (char *)got.body, got.body_len));
    http_answer_free(&got);
    return rc;
}

void bind_by_hand(struct wire_bind *m, const struct http_tls *tls,
                  const struct attest_bond *bond)
{
    uint8_t said[ATTEST_CONN_LEN];
    memset(m, 0, sizeof(*m));
    memcpy(m->ak, a.channel->ak, 32);
    memcpy(m->evidence_id, bond->evidence, 32);
    m->policy.version = 7;
    attest_conn_said(said, ATTEST_CLIENT, tls->exporter, tls->own_spki,
                     tls->peer_spki, bond->evidence);
    crypto_sign_detached(m->signature, NULL, said, sizeof(said),
                         a.channel->ak_secret);
}

void fresh(uint8_t nonce[32])
{
    randombytes_buf(nonce, 32);
}

enum rc show(struct line *l, const struct wire_evidence *e)
{
    char *json;
    size_t len;
    TRY(wire_evidence_encode(&json, &len, e));
    struct http_answer got = { 0 };
    enum rc rc = line_post(&got, l, CHANNEL_EVIDENCE, json, len);
    free(json);
    http_answer_free(&got);
    return rc;
}

enum rc attest_by_hand(struct line *l)
{
    uint8_t nonce[32];
    WIRE(hello_reply) reply = { 0 };
    WIRE(evidence) e = { 0 };
    fresh(nonce);
    TRY(say_hello(l, nonce, &reply));
    TRY(node_evidence(a.channel, &e, ATTEST_CLIENT, &l->tls, reply.nonce));
    return show(l, &e);
}
