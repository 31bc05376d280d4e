/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks that must end in the handshake, or win nothing by it. */
#include "attack.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

/* The certificate is what it is; the server's verdict comes with the first
 * read. */
static enum rc visit(struct attack *a, const struct line_how *how)
{
    struct line *l = &a->line[0];
    if (line_open(l, a, a->to, how) != RC_OK) {
        answer_shut(&a->got, rc_text());
        line_close(l);
    } else {
        line_call(&a->got, l, a, NULL);
    }
    a->said = true;
    return RC_OK;
}

/* Has: the network. Stops it: the certificate is demanded. */
static enum rc no_certificate(struct attack *a)
{
    return visit(a, &(struct line_how){ .nameless = true });
}

/* Has: a node's certificate, which is public. Stops it: CertificateVerify is
 * checked against the certificate's key. */
static enum rc no_key(struct attack *a)
{
    return visit(a, &(struct line_how){ .keyless = true });
}

/* Has: the certificate its arguments name, and its key. Stops it: the chain,
 * the dates, the purpose and the names are judged in the handshake. */
static enum rc bad_certificate(struct attack *a)
{
    return visit(a, NULL);
}

/* Has: a genuine certificate and key. Stops it: nothing older is spoken. */
static enum rc tls12(struct attack *a)
{
    return visit(a, &(struct line_how){ .version = TLS1_2_VERSION });
}

/* ---- sessions ----------------------------------------------------------- */

static unsigned tickets;

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    (void)session;
    tickets++;
    return 0;
}

/* A session as a ticket would have made it: the identity is made up, but for
 * the server it could be one of its own. */
static SSL_SESSION *made_up(const struct line *l)
{
    uint8_t secret[48];
    SSL_SESSION *s = SSL_SESSION_dup(SSL_get0_session(l->ssl));
    randombytes_buf(secret, sizeof(secret));
    if (!s || SSL_SESSION_set1_master_key(s, secret, sizeof(secret)) != 1 ||
        SSL_SESSION_set1_id(s, secret, 32) != 1 ||
        SSL_SESSION_set_max_early_data(s, 16384) != 1) {
        SSL_SESSION_free(s);
        return NULL;
    }
    return s;
}

/*
 * Has: an attested connection of its own, and wants another one to count as
 * the same. Stops it: no ticket is ever given, so that there is no session to
 * come back to; each connection starts unattested.
 */
static enum rc resumption(struct attack *a)
{
    struct line *first = &a->line[1];
    struct line *l = &a->line[0];
    TRY(hand_attest(a, first, a->to, &a->hand));
    SSL_CTX_sess_set_new_cb(first->ctx, on_session);
    line_call(&a->got, first, a, NULL);
    SSL_SESSION *s = SSL_get1_session(first->ssl);
    bool resumable = SSL_SESSION_is_resumable(s);
    enum rc rc = line_open(l, a, a->to, &(struct line_how){ .session = s });
    SSL_SESSION_free(s);
    TRY(rc);
    if (tickets > 0 || resumable || SSL_session_reused(l->ssl))
        a->let_in = true;
    line_call(&a->got, l, a, NULL);
    a->said = true;
    return RC_OK;
}

/*
 * Has: a genuine certificate and a request that it wants done before anybody
 * has judged anything. Stops it: early data is not taken; what came as such is
 * dropped.
 */
static enum rc early_data(struct attack *a)
{
    char request[256];
    struct line *first = &a->line[1];
    struct line *l = &a->line[0];
    snprintf(request, sizeof(request),
             "GET /v1/policy HTTP/1.1\r\nHost: x\r\nMPC-Policy: %s\r\n\r\n",
             a->hand.hash);
    TRY(line_open(first, a, a->to, NULL));
    SSL_SESSION *s = made_up(first);
    if (!s)
        return rc_raise(RC_INTERNAL, "no session to make up");
    enum rc rc = line_open(
            l, a, a->to, &(struct line_how){ .session = s, .early = request });
    SSL_SESSION_free(s);
    if (rc != RC_OK) {
        answer_shut(&a->got, rc_text());
        line_close(l);
    } else {
        a->let_in = SSL_get_early_data_status(l->ssl) ==
                    SSL_EARLY_DATA_ACCEPTED;
        line_call(&a->got, l, a, NULL);
    }
    a->said = true;
    return RC_OK;
}

/* clang-format off */
const struct attack_case attack_tls_cases[] = {
    { "no-certificate", no_certificate, 0, "handshake", "no answer" },
    { "certificate-without-key", no_key, 0, "handshake", "no answer" },
    { "bad-certificate", bad_certificate, 0, "handshake", "no answer" },
    { "tls12", tls12, 0, "handshake", "unexpected eof" },
    { "resumption", resumption, 403, "attestation_required",
      "not attested on this connection" },
    { "early-data", early_data, 403, "attestation_required",
      "not attested on this connection" },
    { NULL, NULL, 0, NULL, NULL },
};
/* clang-format on */
