/* SPDX-License-Identifier: Apache-2.0 */
/* The client's end of mpc-attest/1, one message at a time. */
#include "attack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attest/layout.h"
#include "base/clock.h"
#include "base/file.h"

#define TRIES     8
#define REFILL_US 2100000 /* one hello more, PROTOCOL.md section 1 */

/* ---- the key and the device --------------------------------------------- */

void hand_key(struct hand *h)
{
    crypto_sign_keypair(h->ak, h->secret);
}

enum rc hand_open(struct hand *h, const struct attack *a)
{
    char device[256];
    uint8_t nothing[64] = { 0 };
    uint8_t hash[32];
    WIRE(evidence) e = { 0 };
    hand_key(h);
    h->boot = (uint64_t)clock_now_s();
    if (!a->sim)
        return RC_OK; /* it has no device, and needs none */
    snprintf(device, sizeof(device), "sim:%s", a->sim);
    TRY(attest_guest_open(&h->guest, device));
    TRY(attest_guest_report(&e, h->guest, nothing));
    attest_policy_hash(hash, e.report.p + SNP_MEASUREMENT);
    enc_hex(h->hash, hash, 32);
    return RC_OK;
}

/* ---- hello -------------------------------------------------------------- */

/* The version every node knows, so that nobody asks us for a newer one. */
static struct wire_policy_head head(void)
{
    return (struct wire_policy_head){ .version = 1 };
}

enum rc hand_hello(struct wire_hello_reply *out, struct answer *got,
                   const struct attack *a, const struct line *l,
                   const uint8_t nonce[32])
{
    WIRE(hello) m = { .policy = head() };
    OWNED_MEM char *json = NULL;
    size_t len;
    if (nonce)
        memcpy(m.nonce, nonce, 32);
    else
        randombytes_buf(m.nonce, 32);
    TRY(wire_hello_encode(&json, &len, &m));
    line_ask(got, l, a, "POST", CHANNEL_HELLO, NULL, json, len);
    if (got->status != 200)
        return rc_raise(RC_AUTH, "hello: %d %s %s", got->status, got->code,
                        got->message);
    return wire_hello_reply_decode(out, got->body, got->body_len);
}

enum rc hand_hello_fair(struct wire_hello_reply *out, const struct attack *a,
                        const struct line *l)
{
    struct answer got = { 0 };
    enum rc rc = RC_BUSY;
    for (unsigned i = 0; i < TRIES && rc != RC_OK; i++) {
        if (i > 0)
            usleep(REFILL_US);
        rc = hand_hello(out, &got, a, l, NULL);
    }
    answer_clear(&got);
    return rc;
}

/* ---- evidence ----------------------------------------------------------- */

struct attest_binding hand_binding(const struct attack *a, const struct hand *h,
                                   const struct line *l,
                                   const uint8_t nonce[32])
{
    return (struct attest_binding){ .end = ATTEST_CLIENT,
                                    .deployment = a->deployment,
                                    .attester = a->uri,
                                    .verifier = l->tls.peer_uri,
                                    .ak = h->ak,
                                    .attester_spki = l->tls.own_spki,
                                    .verifier_spki = l->tls.peer_spki,
                                    .exporter = l->tls.exporter,
                                    .nonce = nonce,
                                    .boot = h->boot };
}

enum rc hand_evidence(struct wire_evidence *out, const struct hand *h,
                      const struct attest_binding *b)
{
    uint8_t data[64];
    attest_binder(data, b);
    TRY(attest_guest_report(out, h->guest, data));
    memcpy(out->ak, h->ak, 32);
    out->boot = h->boot;
    return RC_OK;
}

enum rc hand_show(struct answer *got, const struct attack *a,
                  const struct line *l, const struct wire_evidence *e)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    TRY(wire_evidence_encode(&json, &len, e));
    line_ask(got, l, a, "POST", CHANNEL_EVIDENCE, NULL, json, len);
    return RC_OK;
}

static enum rc keep(struct attack *a, const struct wire_evidence *e)
{
    free(a->kept);
    a->kept = NULL;
    return wire_evidence_encode(&a->kept, &a->kept_len, e);
}

enum rc hand_attest(struct attack *a, struct line *l, const char *to,
                    const struct hand *h)
{
    WIRE(hello_reply) theirs = { 0 };
    WIRE(evidence) ours = { 0 };
    struct answer got = { 0 };
    TRY(line_open(l, a, to, NULL));
    TRY(hand_hello_fair(&theirs, a, l));
    struct attest_binding b = hand_binding(a, h, l, theirs.nonce);
    TRY(hand_evidence(&ours, h, &b));
    TRY(keep(a, &ours));
    TRY(hand_show(&got, a, l, &ours));
    enum rc rc = RC_OK;
    if (got.status != 200)
        rc = rc_raise(RC_AUTH, "fair evidence: %d %s %s", got.status, got.code,
                      got.message);
    attest_pair_id(l->pair, theirs.evidence.report.p + SNP_REPORT_DATA,
                   ours.report.p + SNP_REPORT_DATA);
    l->fair = rc == RC_OK;
    answer_clear(&a->got);
    a->got = got;
    return rc;
}

/* ---- bind --------------------------------------------------------------- */

void hand_sign(uint8_t out[64], const struct hand *h, enum attest_end signer,
               const struct line *l, const uint8_t pair[32])
{
    uint8_t said[ATTEST_CONN_LEN];
    attest_conn_said(said, signer, l->tls.exporter, l->tls.own_spki,
                     l->tls.peer_spki, pair);
    crypto_sign_detached(out, NULL, said, sizeof(said), h->secret);
}

enum rc hand_bind(struct answer *got, const struct attack *a,
                  const struct line *l, const uint8_t ak[32],
                  const uint8_t pair[32], const uint8_t signature[64])
{
    WIRE(bind) m = { .policy = head() };
    OWNED_MEM char *json = NULL;
    size_t len;
    memcpy(m.ak, ak, 32);
    memcpy(m.evidence_id, pair, 32);
    memcpy(m.signature, signature, 64);
    TRY(wire_bind_encode(&json, &len, &m));
    line_ask(got, l, a, "POST", CHANNEL_BIND, NULL, json, len);
    return RC_OK;
}

/* ---- between two runs --------------------------------------------------- */

#define STATE_HEAD (64 + 32)

enum rc hand_save(const struct attack *a, const struct hand *h,
                  const struct line *l)
{
    OWNED_MEM uint8_t *all = malloc(STATE_HEAD + a->kept_len);
    if (!all)
        return rc_raise(RC_NOMEM, "state");
    memcpy(all, h->secret, 64);
    memcpy(all + 64, l->pair, 32);
    memcpy(all + STATE_HEAD, a->kept, a->kept_len);
    return file_write(a->state, all, STATE_HEAD + a->kept_len, 0600);
}

enum rc hand_load(struct attack *a, struct hand *h, uint8_t pair[32])
{
    OWNED_MEM uint8_t *all = NULL;
    size_t len;
    TRY(file_read(&all, &len, a->state, ATTACK_BODY_MAX));
    if (len <= STATE_HEAD)
        return rc_raise(RC_PARSE, "%s: %zu bytes", a->state, len);
    memcpy(h->secret, all, 64);
    memcpy(h->ak, all + 32, 32); /* libsodium: seed, then public key */
    memcpy(pair, all + 64, 32);
    a->kept_len = len - STATE_HEAD;
    a->kept = malloc(a->kept_len);
    if (!a->kept)
        return rc_raise(RC_NOMEM, "state");
    memcpy(a->kept, all + STATE_HEAD, a->kept_len);
    return RC_OK;
}
