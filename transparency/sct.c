/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One Signed Certificate Timestamp in a list, RFC 6962 section 3: the log's
 * word that it saw a TBSCertificate before it was signed. Public data.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "transparency/transparency.h"

#define V1         0
#define TIMESTAMP  0 /* SignatureType certificate_timestamp */
#define PRECERT    1 /* LogEntryType precert_entry */
#define SHA256     4
#define ECDSA      3
#define TBS_MAX    16384
#define SCT_FIXED  (1 + 32 + 8 + 2 + 2 + 2) /* without the signature */
#define SIGNED_MAX (2 + 8 + 2 + 32 + 3 + TBS_MAX + 2)

static enum rc message(uint8_t out[SIGNED_MAX], size_t *len, uint64_t at_ms,
                       const uint8_t issuer_key_hash[32], const uint8_t *tbs,
                       size_t tbs_len)
{
    struct bytes_writer w = bytes_writer(out, SIGNED_MAX);
    if (tbs_len == 0 || tbs_len > TBS_MAX)
        return rc_raise(RC_TOO_LARGE,
                        "sct: TBSCertificate of %zu bytes, want 1 to %d",
                        tbs_len, TBS_MAX);
    bytes_put_u8(&w, V1);
    bytes_put_u8(&w, TIMESTAMP);
    bytes_put_u64(&w, at_ms);
    bytes_put_u16(&w, PRECERT);
    bytes_put(&w, issuer_key_hash, 32);
    bytes_put_u8(&w, (uint8_t)(tbs_len >> 16)); /* u24be */
    bytes_put_u16(&w, (uint16_t)tbs_len);
    bytes_put(&w, tbs, tbs_len);
    bytes_put_u16(&w, 0); /* no extensions */
    *len = w.len;
    return bytes_written(&w);
}

enum rc tlog_sct_make(uint8_t list[TLOG_SCT_LIST_MAX], size_t *list_len,
                      const struct tlog_p256 *k,
                      const uint8_t issuer_key_hash[32], const uint8_t *tbs,
                      size_t tbs_len, uint64_t at_ms)
{
    uint8_t msg[SIGNED_MAX], sig[TLOG_P256_SIG_MAX];
    size_t msg_len, sig_len;
    TRY(message(msg, &msg_len, at_ms, issuer_key_hash, tbs, tbs_len));
    TRY(tlog_p256_sign(sig, &sig_len, k, msg, msg_len));
    struct bytes_writer w = bytes_writer(list, TLOG_SCT_LIST_MAX);
    bytes_put_u16(&w, (uint16_t)(2 + SCT_FIXED + sig_len));
    bytes_put_u16(&w, (uint16_t)(SCT_FIXED + sig_len));
    bytes_put_u8(&w, V1);
    bytes_put(&w, tlog_p256_id(k), 32);
    bytes_put_u64(&w, at_ms);
    bytes_put_u16(&w, 0);
    bytes_put_u8(&w, SHA256);
    bytes_put_u8(&w, ECDSA);
    bytes_put_lp16(&w, sig, sig_len);
    *list_len = w.len;
    return bytes_written(&w);
}

struct sct {
    uint8_t id[32];
    uint64_t at_ms;
    const uint8_t *sig; /* borrowed */
    size_t sig_len;
};

static enum rc read_list(struct sct *out, const uint8_t *list, size_t len)
{
    struct bytes_reader r = bytes_reader(list, len);
    size_t all = bytes_get_u16(&r);
    size_t one = bytes_get_u16(&r);
    bool known = all + 2 == len && one + 4 == len && bytes_get_u8(&r) == V1;
    bytes_get(&r, out->id, 32);
    out->at_ms = bytes_get_u64(&r);
    known = known && bytes_get_u16(&r) == 0 && bytes_get_u8(&r) == SHA256 &&
            bytes_get_u8(&r) == ECDSA;
    out->sig = bytes_take_lp16(&r, &out->sig_len);
    TRY(bytes_end(&r, "sct list"));
    if (!known)
        return rc_raise(RC_PARSE, "sct list: want one SCT of version 1, "
                                  "without extensions, ECDSA over SHA-256");
    return RC_OK;
}

enum rc tlog_sct_check(uint64_t *at_ms, const uint8_t *list, size_t list_len,
                       const uint8_t *spki, size_t spki_len,
                       const uint8_t issuer_key_hash[32], const uint8_t *tbs,
                       size_t tbs_len)
{
    struct sct s;
    uint8_t msg[SIGNED_MAX], id[32];
    size_t msg_len;
    TRY(read_list(&s, list, list_len));
    hash256(id, spki, spki_len);
    if (memcmp(s.id, id, 32) != 0)
        return rc_raise(RC_VERIFY, "sct: of another log's key");
    TRY(message(msg, &msg_len, s.at_ms, issuer_key_hash, tbs, tbs_len));
    enum rc rc = tlog_p256_verify(spki, spki_len, msg, msg_len, s.sig,
                                  s.sig_len);
    if (rc != RC_OK)
        return rc_prefix(rc, "sct: ");
    *at_ms = s.at_ms;
    return RC_OK;
}
