/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attacks with evidence (L1). Above each: what the attacker has, and what
 * stops it. All have a node's certificate with its key.
 */
#include "attack.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

#define RELAY_TRIES 6
#define NONCE_S     30 /* a hello's nonce lives so long */

/* ---- fair play ---------------------------------------------------------- */

/* Its measurement is one that the policy allows, the device is genuine and
 * evidence is bound to this connection: that is a peer, whoever wrote it. */
static enum rc fair(struct attack *a)
{
    TRY(hand_attest(a, &a->line[0], a->to, &a->hand));
    a->line[0].fair = false; /* so that it is tried */
    a->said = true;
    return RC_OK;
}

/* ---- without, or not its own -------------------------------------------- */

/* Has: nothing more. Stops it: the guard in front of every such call. */
static enum rc unattested(struct attack *a)
{
    TRY(line_open(&a->line[0], a, a->to, NULL));
    line_call(&a->got, &a->line[0], a, NULL);
    a->said = true;
    return RC_OK;
}

/* As fair, until the last step is sent. */
static enum rc at_evidence(struct attack *a, struct line *l,
                           struct wire_hello_reply *theirs)
{
    TRY(line_open(l, a, a->to, NULL));
    return hand_hello_fair(theirs, a, l);
}

static enum rc show(struct attack *a, const struct line *l,
                    const struct wire_evidence *e)
{
    a->said = true;
    return hand_show(&a->got, a, l, e);
}

/*
 * Has: a genuine device and a program of its own. Whether this passes is the
 * policy's matter (its measurement), the root's (another simulator's PKI), the
 * launch's (a second machine): the arguments say which.
 */
static enum rc show_fair(struct attack *a)
{
    WIRE(hello_reply) theirs = { 0 };
    WIRE(evidence) ours = { 0 };
    struct line *l = &a->line[0];
    TRY(at_evidence(a, l, &theirs));
    struct attest_binding b = hand_binding(a, &a->hand, l, theirs.nonce);
    TRY(hand_evidence(&ours, &a->hand, &b));
    return show(a, l, &ours);
}

/*
 * Relay. Has: live connections to two daemons; hands the nonce of the one to
 * the other, and gets genuine evidence over it. Stops it: the exporter, both
 * keys, both names and the role in REPORT_DATA are those of the connection it
 * was made on. (With the other's own certificate, copied: the exporter.)
 */
static enum rc relay(struct attack *a)
{
    WIRE(hello_reply) here = { 0 };
    WIRE(hello_reply) there = { 0 };
    struct line *l = &a->line[0];
    struct line *other = &a->line[1];
    enum rc rc = RC_BUSY;
    for (unsigned i = 0; i < RELAY_TRIES && rc != RC_OK; i++) {
        if (i > 0)
            sleep(3); /* it may have asked the other one too often */
        wire_hello_reply_free(&here);
        here = (struct wire_hello_reply){ .nonce = { 0 } };
        TRY(at_evidence(a, l, &here));
        TRY(line_open(other, a, a->other, NULL));
        rc = hand_hello(&there, &a->got, a, other, here.nonce);
    }
    TRY(rc);
    return show(a, l, &there.evidence);
}

/* Reflection. Has: the daemon's own evidence. Stops it: AK is not our own. */
static enum rc reflection(struct attack *a)
{
    WIRE(hello_reply) theirs = { 0 };
    TRY(at_evidence(a, &a->line[0], &theirs));
    return show(a, &a->line[0], &theirs.evidence);
}

/* The same, passed off as of another key. Stops it: AK is in REPORT_DATA. */
static enum rc reflection_renamed(struct attack *a)
{
    WIRE(hello_reply) theirs = { 0 };
    TRY(at_evidence(a, &a->line[0], &theirs));
    memcpy(theirs.evidence.ak, a->hand.ak, 32);
    return show(a, &a->line[0], &theirs.evidence);
}

/* ---- what was good once ------------------------------------------------- */

static void send_kept(struct attack *a, const struct line *l)
{
    line_ask(&a->got, l, a, "POST", CHANNEL_EVIDENCE, NULL, a->kept,
             a->kept_len);
    a->said = true;
}

/* Has: evidence that was accepted a moment ago. Stops it: this connection's
 * nonce and exporter are not in it. */
static enum rc replay(struct attack *a)
{
    WIRE(hello_reply) theirs = { 0 };
    TRY(hand_attest(a, &a->line[1], a->to, &a->hand));
    TRY(at_evidence(a, &a->line[0], &theirs));
    send_kept(a, &a->line[0]);
    return RC_OK;
}

/* The same with what was recorded in an earlier run, before a restart. */
static enum rc replay_recorded(struct attack *a)
{
    WIRE(hello_reply) theirs = { 0 };
    uint8_t pair[32];
    TRY(hand_load(a, &a->hand, pair));
    TRY(at_evidence(a, &a->line[0], &theirs));
    send_kept(a, &a->line[0]);
    return RC_OK;
}

/* Has: a recorded hello. Stops it: a hello's nonce counts once. */
static enum rc replay_hello(struct attack *a)
{
    uint8_t nonce[32];
    WIRE(hello_reply) theirs = { 0 };
    enum rc rc = RC_BUSY;
    TRY(line_open(&a->line[1], a, a->to, NULL));
    for (unsigned i = 0; i < RELAY_TRIES && rc != RC_OK; i++) {
        if (i > 0)
            sleep(3);
        randombytes_buf(nonce, sizeof(nonce));
        rc = hand_hello(&theirs, &a->got, a, &a->line[1], nonce);
    }
    TRY(rc);
    TRY(line_open(&a->line[0], a, a->to, NULL));
    a->said = hand_hello(&theirs, &a->got, a, &a->line[0], nonce) != RC_OK;
    return RC_OK;
}

/* Evidence, and again the same bytes. Stops it: the nonce is spent; and who
 * tries that is attested no longer. */
static enum rc twice(struct attack *a)
{
    TRY(hand_attest(a, &a->line[0], a->to, &a->hand));
    a->line[0].fair = false;
    send_kept(a, &a->line[0]);
    return RC_OK;
}

/* Evidence where nobody has asked for any. Stops it: no nonce, no evidence. */
static enum rc first(struct attack *a)
{
    WIRE(evidence) ours = { 0 };
    uint8_t nonce[32] = { 0 };
    struct line *l = &a->line[0];
    TRY(line_open(l, a, a->to, NULL));
    struct attest_binding b = hand_binding(a, &a->hand, l, nonce);
    TRY(hand_evidence(&ours, &a->hand, &b));
    return show(a, l, &ours);
}

/* Has: time. Stops it: a nonce lives 30 s. */
static enum rc late(struct attack *a)
{
    WIRE(hello_reply) theirs = { 0 };
    WIRE(evidence) ours = { 0 };
    struct line *l = &a->line[0];
    TRY(at_evidence(a, l, &theirs));
    struct attest_binding b = hand_binding(a, &a->hand, l, theirs.nonce);
    TRY(hand_evidence(&ours, &a->hand, &b));
    sleep(NONCE_S + 1);
    return show(a, l, &ours);
}

/* ---- meant for somebody, or something, else ----------------------------- */

/* Diversion. Has: genuine evidence of its own, made for another node that it
 * talks to. Stops it: the verifier's name and key are in it. */
static enum rc diversion(struct attack *a)
{
    WIRE(hello_reply) there = { 0 };
    WIRE(hello_reply) here = { 0 };
    WIRE(evidence) ours = { 0 };
    struct line *l = &a->line[0];
    struct line *other = &a->line[1];
    TRY(line_open(other, a, a->other, NULL));
    TRY(hand_hello_fair(&there, a, other));
    TRY(at_evidence(a, l, &here));
    struct attest_binding b = hand_binding(a, &a->hand, other, there.nonce);
    TRY(hand_evidence(&ours, &a->hand, &b));
    return show(a, l, &ours);
}

enum bend { VERIFIER, ROLE, DEPLOYMENT, ATTESTER, EXPORTER };

/* Right in everything but one. Stops it: each is in REPORT_DATA. */
static enum rc bent(struct attack *a, enum bend what)
{
    WIRE(hello_reply) theirs = { 0 };
    WIRE(evidence) ours = { 0 };
    uint8_t other[32] = { 0 };
    struct line *l = &a->line[0];
    TRY(at_evidence(a, l, &theirs));
    struct attest_binding b = hand_binding(a, &a->hand, l, theirs.nonce);
    switch (what) {
    case VERIFIER:
        b.verifier = a->other_uri;
        break;
    case ROLE:
        b.end = ATTEST_SERVER;
        break;
    case DEPLOYMENT:
        b.deployment = "prod";
        break;
    case ATTESTER:
        b.attester = a->other_uri;
        break;
    case EXPORTER:
        b.exporter = other;
        break;
    }
    TRY(hand_evidence(&ours, &a->hand, &b));
    return show(a, l, &ours);
}

static enum rc bent_verifier(struct attack *a)
{
    return bent(a, VERIFIER);
}
static enum rc bent_role(struct attack *a)
{
    return bent(a, ROLE);
}
static enum rc bent_deployment(struct attack *a)
{
    return bent(a, DEPLOYMENT);
}
static enum rc bent_attester(struct attack *a)
{
    return bent(a, ATTESTER);
}
static enum rc bent_exporter(struct attack *a)
{
    return bent(a, EXPORTER);
}

/* ---- names, sizes, numbers ---------------------------------------------- */

/* Has: a certificate of the deployment's CA for a name that is no node's.
 * Stops it: peers are named by the policy; the device is not even asked. */
static enum rc no_peer(struct attack *a)
{
    WIRE(hello_reply) theirs = { 0 };
    TRY(line_open(&a->line[0], a, a->to, NULL));
    a->said = hand_hello(&theirs, &a->got, a, &a->line[0], NULL) != RC_OK;
    return RC_OK;
}

/* Hello without end. Stops it: a bucket a peer, before the device. */
static enum rc flood(struct attack *a)
{
    struct answer got = { 0 };
    TRY(hand_attest(a, &a->line[1], a->to, &a->hand));
    TRY(line_open(&a->line[0], a, a->to, NULL));
    for (unsigned i = 0; i < 16 && got.status != 429; i++) {
        WIRE(hello_reply) theirs = { 0 };
        a->said = hand_hello(&theirs, &got, a, &a->line[0], NULL) != RC_OK;
    }
    answer_clear(&a->got);
    a->got = got;
    return RC_OK;
}

static enum rc big(struct attack *a, const char *path, size_t len)
{
    static const char filler[ATTACK_BODY_MAX];
    TRY(line_open(&a->line[0], a, a->to, NULL));
    line_ask(&a->got, &a->line[0], a, "POST", path, NULL, filler, len);
    a->said = true;
    return RC_OK;
}
/* Stops both: the row's largest body. */
static enum rc big_hello(struct attack *a)
{
    return big(a, CHANNEL_HELLO, CHANNEL_HELLO_MAX + 1);
}
static enum rc big_evidence(struct attack *a)
{
    return big(a, CHANNEL_EVIDENCE, CHANNEL_BODY_MAX + 1);
}

/* A call in the same packet as the hello that should have come first. Stops
 * it: each call is judged when its turn comes. */
static enum rc pipelined(struct attack *a)
{
    char text[1024];
    char hex[ENC_HEX_SIZE(32)];
    char zeros[ENC_HEX_SIZE(32)];
    uint8_t nonce[32];
    const uint8_t none[32] = { 0 };
    struct line *l = &a->line[0];
    randombytes_buf(nonce, sizeof(nonce));
    int n = snprintf(text + 512, 512,
                     "{\"nonce\":\"%s\",\"policy\":{\"version\":1,\"sha256\":"
                     "\"%s\"}}",
                     enc_hex(hex, nonce, 32), enc_hex(zeros, none, 32));
    int m = snprintf(text, 512,
                     "POST " CHANNEL_HELLO " HTTP/1.1\r\nHost: x\r\n"
                     "MPC-Policy: %s\r\nContent-Length: %d\r\n\r\n",
                     a->hand.hash, n);
    memmove(text + m, text + 512, (size_t)n);
    m += n;
    m += snprintf(text + m, sizeof(text) - (size_t)m,
                  "GET /v1/policy HTTP/1.1\r\nHost: x\r\n"
                  "MPC-Policy: %s\r\n\r\n",
                  a->hand.hash);
    TRY(line_open(l, a, a->to, NULL));
    line_write(l, text, (size_t)m);
    line_read(&a->got, l);
    line_read(&a->got, l);
    a->said = true;
    return RC_OK;
}

#define ATTEST   "attestation_required"
#define MISMATCH "policy_mismatch"
#define BOUND    "evidence refused: P2 "
/* clang-format off */
const struct attack_case attack_evidence_cases[] = {
    { "fair", fair, 200, "", "" },
    { "unattested", unattested, 403, ATTEST, "not attested on this connection" },
    { "unlisted-program", show_fair, 403, MISMATCH, "TEE_POLICY_HASH mismatch" },
    { "another-root", show_fair, 403, ATTEST, "evidence refused: C" },
    { "clone", show_fair, 403, ATTEST, "cloned node" },
    { "relay", relay, 403, ATTEST, BOUND },
    { "reflection", reflection, 403, ATTEST, "our own evidence came back" },
    { "reflection-renamed", reflection_renamed, 403, ATTEST, BOUND },
    { "replay", replay, 403, ATTEST, BOUND },
    { "replay-recorded", replay_recorded, 403, ATTEST, BOUND },
    { "replay-hello", replay_hello, 403, ATTEST, "nonce was used before" },
    { "evidence-twice", twice, 403, ATTEST, "without a hello before it" },
    { "evidence-first", first, 403, ATTEST, "without a hello before it" },
    { "evidence-late", late, 403, ATTEST, "ms after the hello" },
    { "diversion", diversion, 403, ATTEST, BOUND },
    { "another-verifier", bent_verifier, 403, ATTEST, BOUND },
    { "another-role", bent_role, 403, ATTEST, BOUND },
    { "another-deployment", bent_deployment, 403, ATTEST, BOUND },
    { "another-attester", bent_attester, 403, ATTEST, BOUND },
    { "another-exporter", bent_exporter, 403, ATTEST, BOUND },
    { "no-peer", no_peer, 403, "forbidden", "is no peer under the policy" },
    { "hello-flood", flood, 429, "busy", "hellos at once" },
    { "big-hello", big_hello, 413, "too_large", "takes at most 4096" },
    { "big-evidence", big_evidence, 413, "too_large", "takes at most 65536" },
    { "pipelined", pipelined, 403, ATTEST, "not attested on this connection" },
    { NULL, NULL, 0, NULL, NULL },
};
/* clang-format on */
