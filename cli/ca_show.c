/* SPDX-License-Identifier: Apache-2.0 */
/* A root in words, for those who approve it and those who pin it. */
#include "cli/ca.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/hash.h"
#include "cli/session.h"

OWNED_BY(X509, X509_free);

static void put_serial(char out[64], const X509 *x)
{
    const ASN1_INTEGER *n = X509_get0_serialNumber(x);
    size_t len = (size_t)ASN1_STRING_length(n);
    enc_hex(out, ASN1_STRING_get0_data(n), len < 31 ? len : 31);
}

enum rc ca_words_of(struct ca_words *out, const uint8_t *der, size_t len)
{
    struct ca_words w = { 0 };
    const unsigned char *at = der;
    uint8_t hash[32];
    uint8_t key[32];
    size_t key_len = sizeof(key);
    OWNED(X509) *x = d2i_X509(NULL, &at, (long)len);
    EVP_PKEY *pub = x ? X509_get0_pubkey(x) : NULL;
    bool ok = pub && EVP_PKEY_get_raw_public_key(pub, key, &key_len) == 1 &&
              key_len == sizeof(key) && X509_check_ca(x) == 1;
    ERR_clear_error();
    if (!ok)
        return rc_raise(RC_VERIFY, "not the root of a CA: want a certificate "
                                   "with CA:TRUE and an Ed25519 key");
    TRY(ca_life(&w.from, &w.to, der, len));
    X509_NAME_oneline(X509_get_subject_name(x), w.subject,
                      (int)sizeof(w.subject));
    put_serial(w.serial, x);
    enc_hex(w.key, key, sizeof(key));
    hash256(hash, der, len);
    enc_hex(w.sha256, hash, sizeof(hash));
    w.simulated = cli_is_simulated(x);
    *out = w;
    return RC_OK;
}

enum rc ca_words_say(const struct ca_words *w, const char *file)
{
    char from[CLOCK_TEXT_SIZE];
    char to[CLOCK_TEXT_SIZE];
    char subject[sizeof(w->subject)];
    if (w->simulated)
        cli_banner(false);
    return cli_say("root     %s%s\n"
                   "key      %s\n"
                   "serial   %s\n"
                   "valid    %s to %s\n"
                   "sha256   %s\n%s%s%s",
                   state_plain(subject, sizeof(subject), w->subject),
                   w->simulated ? " (simulated)" : "", w->key, w->serial,
                   clock_text(from, w->from), clock_text(to, w->to), w->sha256,
                   file ? "file     " : "", file ? file : "", file ? "\n" : "");
}

json_t *ca_words_json(const struct ca_words *w, const char *file)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:b, s:s?}", "subject",
                     w->subject, "group_key", w->key, "serial", w->serial,
                     "not_before", (json_int_t)w->from, "not_after",
                     (json_int_t)w->to, "sha256", w->sha256, "simulated",
                     (int)w->simulated, "file", file);
}
