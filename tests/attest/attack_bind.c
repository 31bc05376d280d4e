/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attacks on what stands already: binding by a signature (L2), MPC-Policy on
 * each call, and the end of a window, a policy or a process. All have a node's
 * certificate with its key, and most an attested connection of their own.
 */
#include "attack.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

static enum rc attested(struct attack *a, struct line *l)
{
    return hand_attest(a, l, a->to, &a->hand);
}

static enum rc open_here(struct attack *a)
{
    return line_open(&a->line[0], a, a->to, NULL);
}

static enum rc bind_here(struct attack *a, const uint8_t ak[32],
                         const uint8_t pair[32], const uint8_t signature[64])
{
    a->said = true;
    return hand_bind(&a->got, a, &a->line[0], ak, pair, signature);
}

/* ---- signatures --------------------------------------------------------- */

/* By the rules: one more connection of a node that is known. */
static enum rc fair_bind(struct attack *a)
{
    uint8_t signature[64];
    struct line *known = &a->line[1];
    TRY(attested(a, known));
    TRY(open_here(a));
    hand_sign(signature, &a->hand, ATTEST_CLIENT, &a->line[0], known->pair);
    return bind_here(a, a->hand.ak, known->pair, signature);
}

/* Has: an AK signature that is right on another connection of its own. Stops
 * it: the exporter is what was signed. */
static enum rc other_connection(struct attack *a)
{
    uint8_t signature[64];
    struct line *known = &a->line[1];
    struct line *third = &a->line[2];
    TRY(attested(a, known));
    TRY(line_open(third, a, a->to, NULL));
    TRY(open_here(a));
    hand_sign(signature, &a->hand, ATTEST_CLIENT, third, known->pair);
    return bind_here(a, a->hand.ak, known->pair, signature);
}

/* Has: a bind that was recorded when it was accepted. Stops it: the same. */
static enum rc replayed(struct attack *a)
{
    uint8_t signature[64];
    struct line *known = &a->line[1];
    struct line *third = &a->line[2];
    TRY(attested(a, known));
    TRY(line_open(third, a, a->to, NULL));
    hand_sign(signature, &a->hand, ATTEST_CLIENT, third, known->pair);
    TRY(hand_bind(&a->got, a, third, a->hand.ak, known->pair, signature));
    if (a->got.status != 200)
        return rc_raise(RC_AUTH, "a fair bind: %d %s", a->got.status,
                        a->got.message);
    third->fair = true;
    TRY(open_here(a));
    return bind_here(a, a->hand.ak, known->pair, signature);
}

/* Has: its own pair; passes it off as another node's, whose AK it saw in a
 * hello. Stops it: the pair is kept with the AK it was proved for. */
static enum rc other_key(struct attack *a)
{
    uint8_t signature[64];
    WIRE(hello_reply) there = { 0 };
    struct line *known = &a->line[1];
    struct line *other = &a->line[2];
    TRY(attested(a, known));
    TRY(line_open(other, a, a->other, NULL));
    TRY(hand_hello_fair(&there, a, other));
    TRY(open_here(a));
    hand_sign(signature, &a->hand, ATTEST_CLIENT, &a->line[0], known->pair);
    return bind_here(a, there.evidence.ak, known->pair, signature);
}

/* Has: the certificate's key and the pair, not the AK. Stops it: AK signs. */
static enum rc forged(struct attack *a)
{
    uint8_t signature[64];
    struct hand thief = a->hand;
    struct line *known = &a->line[1];
    TRY(attested(a, known));
    TRY(open_here(a));
    hand_key(&thief);
    hand_sign(signature, &thief, ATTEST_CLIENT, &a->line[0], known->pair);
    return bind_here(a, a->hand.ak, known->pair, signature);
}

/* The AK signs as the server's end: what a reflected signature is. Stops it:
 * the role is in what is signed. */
static enum rc other_end(struct attack *a)
{
    uint8_t signature[64];
    struct line *known = &a->line[1];
    TRY(attested(a, known));
    TRY(open_here(a));
    hand_sign(signature, &a->hand, ATTEST_SERVER, &a->line[0], known->pair);
    return bind_here(a, a->hand.ak, known->pair, signature);
}

/* A bind before any evidence. Stops it: no pair, no bind. */
static enum rc unknown(struct attack *a)
{
    uint8_t signature[64];
    uint8_t pair[32];
    TRY(open_here(a));
    randombytes_buf(pair, sizeof(pair));
    hand_sign(signature, &a->hand, ATTEST_CLIENT, &a->line[0], pair);
    return bind_here(a, a->hand.ak, pair, signature);
}

/* ---- what ends ---------------------------------------------------------- */

/* By the rules, and kept for another run. */
static enum rc record(struct attack *a)
{
    struct line *l = &a->line[0];
    TRY(attested(a, l));
    l->fair = false;
    a->said = true;
    return hand_save(a, &a->hand, l);
}

/* Has: key and pair that were good before the window ended, the policy
 * changed, or the daemon was restarted. Stops it: they are kept no longer. */
static enum rc old_pair(struct attack *a)
{
    uint8_t signature[64];
    uint8_t pair[32];
    TRY(hand_load(a, &a->hand, pair));
    TRY(open_here(a));
    hand_sign(signature, &a->hand, ATTEST_CLIENT, &a->line[0], pair);
    return bind_here(a, a->hand.ak, pair, signature);
}

/* Has: a connection that was attested by the key of a node that has been
 * restarted since. Stops it: everything of the old key ends. */
static enum rc old_key(struct attack *a)
{
    struct hand next = a->hand;
    TRY(attested(a, &a->line[0]));
    a->line[0].fair = false;
    hand_key(&next);
    TRY(hand_attest(a, &a->line[1], a->to, &next));
    line_call(&a->got, &a->line[0], a, NULL);
    a->said = true;
    return RC_OK;
}

static enum rc wait_for(const char *path)
{
    for (unsigned i = 0; i < ATTACK_WAIT_S * 50; i++) {
        if (access(path, F_OK) == 0)
            return RC_OK;
        usleep(20000);
    }
    return rc_raise(RC_TIMEOUT, "%s: never came", path);
}

/* Has: an attested connection, open while something ends: --ready is made
 * when it stands, and it goes on when --until is there. Stops it: window and
 * policy are looked at for each call. */
static enum rc standing(struct attack *a)
{
    struct line *l = &a->line[0];
    TRY(attested(a, l));
    l->fair = false;
    TRY(hand_save(a, &a->hand, l));
    TRY(file_write(a->ready, "ready\n", 6, 0600));
    TRY(wait_for(a->until));
    line_call(&a->got, l, a, NULL);
    a->said = true;
    return RC_OK;
}

/* The same, until the window is over, be that as long as it is. */
static enum rc window_over(struct attack *a)
{
    struct line *l = &a->line[0];
    WIRE(attested) m = { 0 };
    TRY(attested(a, l));
    l->fair = false;
    TRY(wire_attested_decode(&m, a->got.body, a->got.body_len));
    if (m.expires_in_s > ATTACK_WAIT_S)
        return rc_raise(RC_ARG, "a window of %llu s: nobody waits so long",
                        (unsigned long long)m.expires_in_s);
    TRY(hand_save(a, &a->hand, l));
    sleep((unsigned)m.expires_in_s + 2);
    line_call(&a->got, l, a, NULL);
    a->said = true;
    return RC_OK;
}

/* ---- MPC-Policy --------------------------------------------------------- */

/* Has: a connection that stands. Stops it: the header is what was attested, on
 * each call, once. */
static enum rc header(struct attack *a, const char *text)
{
    struct line *l = &a->line[0];
    TRY(attested(a, l));
    l->fair = true; /* with the right header it is let in */
    line_call(&a->got, l, a, text);
    a->said = true;
    return RC_OK;
}

#define OTHER "1111111111111111111111111111111111111111111111111111111111111111"

static enum rc header_changed(struct attack *a)
{
    return header(a, "MPC-Policy: " OTHER "\r\n");
}

static enum rc header_missing(struct attack *a)
{
    return header(a, "");
}

static enum rc header_doubled(struct attack *a)
{
    char text[256];
    snprintf(text, sizeof(text), "MPC-Policy: %s\r\nmpc-policy: " OTHER "\r\n",
             a->hand.hash);
    return header(a, text);
}

static enum rc header_doubled_last(struct attack *a)
{
    char text[256];
    snprintf(text, sizeof(text), "MPC-Policy: " OTHER "\r\nMPC-Policy: %s\r\n",
             a->hand.hash);
    return header(a, text);
}

#define ATTEST   "attestation_required"
#define MISMATCH "policy_mismatch"
#define UNKNOWN  "evidence_unknown"
#define SIGNED   "not its attestation key's signature over this connection"
/* clang-format off */
const struct attack_case attack_bind_cases[] = {
    { "fair-bind", fair_bind, 200, "", "" },
    { "record", record, 200, "", "" },
    { "bind-of-another-connection", other_connection, 403, ATTEST, SIGNED },
    { "bind-replayed", replayed, 403, ATTEST, SIGNED },
    { "bind-with-anothers-key", other_key, 409, UNKNOWN, "not known here" },
    { "bind-without-the-key", forged, 403, ATTEST, SIGNED },
    { "bind-as-the-other-end", other_end, 403, ATTEST, SIGNED },
    { "bind-before-evidence", unknown, 409, UNKNOWN, "not known here" },
    { "fair-bind-recorded", old_pair, 200, "", "" },
    { "bind-by-old-evidence", old_pair, 409, UNKNOWN, "not known here, or stale" },
    { "key-before-restart", old_key, 403, ATTEST, "not attested on this" },
    { "policy-changed", standing, 403, ATTEST, "under an earlier policy" },
    { "window-over", window_over, 403, ATTEST, "its window is over" },
    { "policy-header-changed", header_changed, 403, MISMATCH,
      "MPC-Policy mismatch: seen " OTHER },
    { "policy-header-missing", header_missing, 403, MISMATCH,
      "MPC-Policy mismatch: seen none" },
    { "policy-header-doubled", header_doubled, 403, MISMATCH,
      "MPC-Policy mismatch: seen" },
    { "policy-header-doubled-last", header_doubled_last, 403, MISMATCH,
      "MPC-Policy mismatch: seen" },
    { NULL, NULL, 0, NULL, NULL },
};
/* clang-format on */
