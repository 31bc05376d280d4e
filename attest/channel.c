/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The channel's life, its key, and the state of each connection. Holds the
 * attestation key, made here and never stored; no other secret.
 */
#include "attest/channel_inner.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/rand.h"
#include "base/secret.h"

OWNED_STRUCT(attest_channel);

/* ---- life -------------------------------------------------------------- */

static enum rc keep(char out[HTTP_URI_MAX], const char *text, const char *what)
{
    if (!text || !*text || strlen(text) >= HTTP_URI_MAX)
        return rc_raise(RC_ARG, "%s: missing or over %d bytes", what,
                        HTTP_URI_MAX - 1);
    snprintf(out, HTTP_URI_MAX, "%s", text);
    return RC_OK;
}

/* Simulated hardware is asked for by name, and then is the only kind. */
static enum rc check_roots(const struct attest_channel_config *c)
{
    bool simulated = attest_guest_simulated(c->guest);
    if (simulated == c->roots.allow_simulated)
        return RC_OK;
    enum rc rc = rc_raise(RC_ATTEST,
                          simulated ? "the guest device is simulated and "
                                      "allow_simulated is no"
                                    : "allow_simulated is yes and the guest "
                                      "device is real: the two do not mix");
    rc_hint("set allow_simulated only where everything is simulated");
    return rc;
}

static enum rc configure(struct attest_channel *ch,
                         const struct attest_channel_config *c)
{
    TRY(keep(ch->deployment, c->deployment, "deployment"));
    TRY(keep(ch->own_uri, c->own_uri, "own URI"));
    TRY(check_roots(c));
    if (c->window_s < 0 || c->window_s > CHANNEL_WINDOW_MAX || !c->host.allowed)
        return rc_raise(RC_ARG, "attested window: want 0..%d s",
                        CHANNEL_WINDOW_MAX);
    ch->window_ms = (c->window_s ? c->window_s : CHANNEL_WINDOW_S) * 1000;
    ch->hello_burst = c->hello_burst ? c->hello_burst : CHANNEL_BURST;
    ch->refused_burst = c->refused_burst ? c->refused_burst : CHANNEL_TOLD;
    ch->guest = c->guest;
    ch->guest_simulated = attest_guest_simulated(c->guest);
    attest_guest_genesis(c->guest, c->genesis);
    ch->roots = c->roots;
    ch->host = c->host;
    memcpy(ch->genesis, c->genesis, sizeof(ch->genesis));
    return attest_terms_init(ch, c->tee_policy_hash, c->files);
}

static enum rc make_key(struct attest_channel *ch)
{
    WIPED_BYTES(seed, crypto_sign_SEEDBYTES);
    if (sodium_init() < 0)
        return rc_raise(RC_INTERNAL, "libsodium does not start");
    ch->ak_secret = secret_new(crypto_sign_SECRETKEYBYTES);
    if (!ch->ak_secret)
        return RC_NOMEM;
    TRY(rand_bytes(seed, sizeof(seed)));
    crypto_sign_seed_keypair(ch->ak, ch->ak_secret, seed);
    ch->boot = (uint64_t)clock_now_s();
    return RC_OK;
}

/* What we are, judged by the rules we hold others to. */
static enum rc learn_self(struct attest_channel *ch)
{
    TRY(rand_bytes(ch->own_data, sizeof(ch->own_data)));
    TRY(attest_channel_report(ch, &ch->own, ch->own_data));
    struct attest_terms *t = attest_terms_get(ch);
    struct wire_blob chain[ATTEST_TERMS_CHAIN];
    struct wire_evidence e;
    const struct attest_want want = { .report_data = ch->own_data,
                                      .host_data = ch->genesis,
                                      .min_version = 3,
                                      .peer = true,
                                      .vtpm = true };
    struct attest_verdict v;
    attest_terms_fill(t, &e, chain, &ch->own);
    enum rc rc = attest_verify(&v, &e, &ch->roots, &want, clock_now_s());
    attest_terms_free(t);
    if (rc != RC_OK)
        return rc_prefix(rc, "our own evidence: ");
    memcpy(ch->measurement, v.report.measurement, sizeof(ch->measurement));
    attest_policy_hash(ch->hash, ch->measurement);
    enc_hex(ch->hash_hex, ch->hash, sizeof(ch->hash));
    return RC_OK;
}

enum rc attest_channel_new(struct attest_channel **out,
                           const struct attest_channel_config *c)
{
    OWN_S(attest_channel) *ch = calloc(1, sizeof(*ch));
    if (!ch)
        return rc_raise(RC_NOMEM, "attested channel");
    pthread_mutex_init(&ch->lock, NULL);
    pthread_mutex_init(&ch->jobs_lock, NULL);
    pthread_cond_init(&ch->jobs_moved, NULL);
    pthread_mutex_init(&ch->terms_lock, NULL);
    TRY(configure(ch, c));
    TRY(make_key(ch));
    TRY(learn_self(ch));
    *out = TAKE(ch);
    return RC_OK;
}

void attest_channel_free(struct attest_channel *ch)
{
    if (!ch)
        return;
    attest_report_stop(ch);
    while (ch->sessions)
        attest_session_free(ch->sessions);
    secret_free(ch->ak_secret);
    wire_evidence_free(&ch->own);
    attest_terms_free(ch->terms);
    pthread_mutex_destroy(&ch->terms_lock);
    pthread_cond_destroy(&ch->jobs_moved);
    pthread_mutex_destroy(&ch->jobs_lock);
    pthread_mutex_destroy(&ch->lock);
    free(ch);
}

/* ---- ourselves --------------------------------------------------------- */

void attest_channel_own(const struct attest_channel *ch, uint8_t hash[32],
                        uint8_t measurement[ATTEST_MEASUREMENT_LEN],
                        uint8_t ak[32], bool *simulated)
{
    if (hash)
        memcpy(hash, ch->hash, 32);
    if (measurement)
        memcpy(measurement, ch->measurement, sizeof(ch->measurement));
    if (ak)
        memcpy(ak, ch->ak, 32);
    if (simulated)
        *simulated = ch->guest_simulated;
}

void attest_channel_sign_intent(const struct attest_channel *ch,
                                uint8_t sig[64], const uint8_t leaf[32])
{
    uint8_t said[14 + 32];
    struct bytes_writer w = bytes_writer(said, sizeof(said));
    bytes_put_tag(&w, "mpc/intent/v1");
    bytes_put(&w, leaf, 32);
    crypto_sign_detached(sig, NULL, said, w.len, ch->ak_secret);
}

enum rc attest_channel_report(struct attest_channel *ch,
                              struct wire_evidence *out,
                              const uint8_t report_data[64])
{
    atomic_fetch_add(&ch->n_reports, 1);
    TRY(attest_guest_report(out, ch->guest, report_data));
    memcpy(out->ak, ch->ak, 32);
    out->boot = ch->boot;
    return RC_OK;
}

uint64_t attest_channel_reports(struct attest_channel *ch)
{
    return atomic_load(&ch->n_reports);
}

/* ---- sessions ---------------------------------------------------------- */

struct attest_session *attest_session_new(struct attest_channel *ch)
{
    struct attest_session *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->channel = ch;
    pthread_mutex_lock(&ch->lock);
    s->next = ch->sessions;
    if (s->next)
        s->next->prev = s;
    ch->sessions = s;
    pthread_mutex_unlock(&ch->lock);
    return s;
}

void attest_session_free(struct attest_session *s)
{
    struct attest_channel *ch = s->channel;
    attest_report_cancel(s);
    pthread_mutex_lock(&ch->lock);
    if (s->next)
        s->next->prev = s->prev;
    if (s->prev)
        s->prev->next = s->next;
    else
        ch->sessions = s->next;
    pthread_mutex_unlock(&ch->lock);
    free(s);
}

enum rc attest_session_nonce(struct attest_session *s, uint8_t out[32])
{
    uint8_t nonce[32];
    TRY(rand_bytes(nonce, sizeof(nonce)));
    pthread_mutex_lock(&s->channel->lock);
    memcpy(s->nonce, nonce, sizeof(nonce));
    s->nonce_ms = clock_mono_ms();
    s->nonce_live = true;
    pthread_mutex_unlock(&s->channel->lock);
    memcpy(out, nonce, sizeof(nonce));
    return RC_OK;
}

enum rc attest_session_spend(struct attest_session *s, uint8_t out[32])
{
    pthread_mutex_lock(&s->channel->lock);
    bool live = s->nonce_live;
    int64_t age = clock_mono_ms() - s->nonce_ms;
    s->nonce_live = false;
    memcpy(out, s->nonce, sizeof(s->nonce));
    pthread_mutex_unlock(&s->channel->lock);
    if (!live)
        return rc_raise(RC_ATTEST, "evidence without a hello before it");
    if (age > CHANNEL_NONCE_MS)
        return rc_raise(RC_ATTEST, "evidence %lld ms after the hello, want %d",
                        (long long)age, CHANNEL_NONCE_MS);
    return RC_OK;
}

void attest_session_drop(struct attest_session *s)
{
    pthread_mutex_lock(&s->channel->lock);
    s->attested = false;
    pthread_mutex_unlock(&s->channel->lock);
}

/* NULL, or why it does not stand. Under the lock. */
static const char *fault(const struct attest_session *s, int64_t now_ms)
{
    if (!s->attested)
        return "not attested on this connection";
    if (s->epoch != s->channel->epoch)
        return "attested under an earlier policy";
    if (now_ms >= s->expires_ms)
        return "its window is over";
    return NULL;
}

enum rc attest_session_stands(struct attest_session *s,
                              const uint8_t exporter[32],
                              struct attest_peer *peer)
{
    struct attest_channel *ch = s->channel;
    pthread_mutex_lock(&ch->lock);
    const char *why = fault(s, clock_mono_ms());
    if (!why && sodium_memcmp(s->exporter, exporter, 32) != 0)
        why = "attested on another connection";
    if (!why)
        *peer = s->peer;
    pthread_mutex_unlock(&ch->lock);
    return why ? rc_raise(RC_ATTEST, "%s", why) : RC_OK;
}

enum rc attest_session_heard(struct attest_session *s)
{
    struct attest_channel *ch = s->channel;
    pthread_mutex_lock(&ch->lock);
    s->heard_ms = clock_mono_ms();
    bool stands = s->attested && s->epoch == ch->epoch;
    pthread_mutex_unlock(&ch->lock);
    return stands ? RC_OK
                  : rc_raise(RC_ATTEST, "%s: attested under an earlier policy",
                             s->peer.uri);
}

uint64_t attest_channel_epoch(struct attest_channel *ch)
{
    pthread_mutex_lock(&ch->lock);
    uint64_t epoch = ch->epoch;
    pthread_mutex_unlock(&ch->lock);
    return epoch;
}

void attest_channel_reset(struct attest_channel *ch)
{
    pthread_mutex_lock(&ch->lock);
    ch->epoch++;
    memset(ch->bonds, 0, sizeof(ch->bonds));
    for (unsigned i = 0; i < CHANNEL_BUCKETS; i++)
        ch->buckets[i].refused = RC_OK; /* by rules that may be gone */
    pthread_mutex_unlock(&ch->lock);
}

enum rc attest_channel_first(struct attest_channel *ch, const uint8_t nonce[32])
{
    bool seen = false;
    pthread_mutex_lock(&ch->lock);
    unsigned kept = ch->n_seen < CHANNEL_SEEN ? ch->n_seen : CHANNEL_SEEN;
    for (unsigned i = 0; i < kept; i++)
        seen |= memcmp(ch->seen[i], nonce, 32) == 0;
    if (!seen)
        memcpy(ch->seen[ch->n_seen++ % CHANNEL_SEEN], nonce, 32);
    pthread_mutex_unlock(&ch->lock);
    return seen ? rc_raise(RC_ATTEST, "this hello's nonce was used before")
                : RC_OK;
}

unsigned attest_channel_peers(struct attest_channel *ch,
                              struct attest_peer *out, unsigned max)
{
    unsigned n = 0;
    int64_t now = clock_mono_ms();
    pthread_mutex_lock(&ch->lock);
    for (const struct attest_session *s = ch->sessions; s && n < max;
         s = s->next) {
        bool known = fault(s, now) != NULL;
        for (unsigned i = 0; i < n && !known; i++)
            known = strcmp(out[i].uri, s->peer.uri) == 0 &&
                    memcmp(out[i].ak, s->peer.ak, 32) == 0;
        if (!known)
            out[n++] = s->peer;
    }
    pthread_mutex_unlock(&ch->lock);
    return n;
}
