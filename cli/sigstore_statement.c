/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The in-toto statement: the file by name and SHA-256, and beside it who could
 * sign: the key, its threshold, its birth, its log. Only what is known before
 * the signature exists can stand in what is signed.
 */
#include "cli/sigstore.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "base/hash.h"

void sigstore_statement_free(struct sigstore_statement *s)
{
    if (!s)
        return;
    free(s->json);
    free(s->pae);
    *s = (struct sigstore_statement){ .json = NULL };
}

static json_t *predicate(const struct sigstore_leaf *l, const char *session)
{
    char key[ENC_HEX_SIZE(32)], threshold[48];
    uint8_t hash[32];
    hash256(hash, l->key, 32);
    snprintf(threshold, sizeof(threshold), "%llu-of-%llu",
             (unsigned long long)l->threshold, (unsigned long long)l->signers);
    json_t *p = json_object();
    if (session)
        json_object_set_new(p, "session", json_string(session));
    json_object_set_new(p, "threshold", json_string(threshold));
    json_object_set_new(p, "key", json_string(enc_hex(key, hash, 32)));
    json_object_set_new(p, "birth", json_integer((json_int_t)l->birth));
    json_object_set_new(p, "log", json_string(l->log));
    return p;
}

static json_t *statement(const char *name, const struct cli_content *content,
                         const struct sigstore_leaf *l, const char *session)
{
    char sha256[ENC_HEX_SIZE(32)];
    return json_pack(
            "{s:s, s:[{s:s, s:{s:s}}], s:o, s:o}", "_type",
            "https://in-toto.io/Statement/v1", "subject", "name", name,
            "digest", "sha256", enc_hex(sha256, content->sha256, 32),
            "predicateType",
            json_sprintf("https://%s/threshold-signature/v1", l->cluster),
            "predicate", predicate(l, session));
}

enum rc sigstore_statement(struct sigstore_statement *out, const char *file,
                           const struct cli_content *content,
                           const struct wire_chain *chain, const char *session)
{
    struct sigstore_leaf l;
    struct sigstore_statement s = { .json = NULL };
    const char *slash = strrchr(file, '/');
    if (chain->chain.n == 0)
        return rc_raise(RC_ARG, "sigstore: the key has no certificate");
    TRY(sigstore_leaf_read(&l, chain->chain.at[0].p, chain->chain.at[0].len));
    OWNED(json_t) *o = statement(slash ? slash + 1 : file, content, &l,
                                 session && *session ? session : NULL);
    if (!o)
        return rc_raise(RC_ARG, "sigstore: the file's name is not UTF-8");
    s.json = json_dumps(o, JSON_COMPACT);
    if (!s.json)
        return rc_raise(RC_NOMEM, "sigstore: out of memory");
    s.len = strlen(s.json);
    enum rc rc = tlog_dsse_pae(&s.pae, &s.pae_len, s.json, s.len);
    if (rc != RC_OK) {
        sigstore_statement_free(&s);
        return rc;
    }
    *out = s;
    return RC_OK;
}
