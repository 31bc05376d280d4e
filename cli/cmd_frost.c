/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign frost vectors: recomputes a file in the layout of RFC 9591's test
 * vectors, value by value. The secrets in it are published ones.
 */
#include "cli/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/file.h"
#include "base/rand.h"
#include "frost/frost.h"

#define FILE_MAX    (1024 * 1024)
#define MESSAGE_MAX 65536

struct vectors {
    struct frost_ready ready;
    struct frost_point key;
    unsigned min;
    uint8_t *msg; /* owned */
    size_t msg_len;
    unsigned n;
    struct frost_commitment list[FROST_MAX_SIGNERS];
    struct frost_nonce nonce[FROST_MAX_SIGNERS];
    struct frost_scalar secret[FROST_MAX_SIGNERS];
    struct frost_sig_share share[FROST_MAX_SIGNERS];
    struct frost_point y[FROST_MAX_SIGNERS];
    json_t *lines; /* borrowed */
    bool ok;
};

/* ---- reading ------------------------------------------------------------ */

static enum rc hex_at(uint8_t *out, size_t len, const json_t *o,
                      const char *key)
{
    return cli_json_hex(out, len, o, key);
}

static enum rc number_at(unsigned *out, const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    const char *text = json_string_value(v);
    int64_t n = json_integer_value(v);
    if (text)
        TRY(cli_number(&n, key, text, 1, FROST_MAX_SIGNERS));
    if (n < 1 || n > FROST_MAX_SIGNERS)
        return rc_raise(RC_PARSE, "%s: want 1 to %d", key, FROST_MAX_SIGNERS);
    *out = (unsigned)n;
    return RC_OK;
}

static enum rc id_at(struct frost_id *out, const json_t *o)
{
    const json_t *v = json_object_get(o, "identifier");
    if (json_is_integer(v)) {
        json_int_t n = json_integer_value(v);
        if (n < 1 || n > UINT16_MAX)
            return rc_raise(RC_PARSE, "identifier: want 1 to 65535");
        return frost_id_from_u16(out, (uint16_t)n);
    }
    uint8_t le[32];
    TRY(hex_at(le, 32, o, "identifier"));
    return frost_id_decode(out, le);
}

static enum rc row_of(const json_t **out, const json_t *rows,
                      const struct frost_id *id)
{
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        struct frost_id at;
        TRY(id_at(&at, row));
        if (frost_id_cmp(&at, id) == 0) {
            *out = row;
            return RC_OK;
        }
    }
    return rc_raise(RC_PARSE, "no row of participant %u", frost_id_to_u16(id));
}

static enum rc message_at(struct vectors *v, const json_t *in)
{
    const json_t *text = json_object_get(in, "message");
    size_t len = json_string_length(text) / 2;
    if (!json_is_string(text) || len > MESSAGE_MAX)
        return rc_raise(RC_PARSE, "message: want at most %d bytes of hex",
                        MESSAGE_MAX);
    v->msg = malloc(len + 1);
    if (!v->msg)
        return rc_raise(RC_NOMEM, "message: out of memory");
    v->msg_len = len;
    return hex_at(v->msg, len, in, "message");
}

/* ---- comparing ---------------------------------------------------------- */

static enum rc mark(struct vectors *v, bool ok, const char *what, unsigned who)
{
    char name[80];
    snprintf(name, sizeof(name), who ? "%s of participant %u" : "%s", what,
             who);
    v->ok = v->ok && ok;
    if (cli_json()) {
        json_array_append_new(
                v->lines, json_pack("{s:s, s:b}", "what", name, "ok", (int)ok));
        return RC_OK;
    }
    return cli_say("%s  %s\n", ok ? "PASS" : "FAIL", name);
}

static enum rc compare(struct vectors *v, const json_t *row, const char *key,
                       const uint8_t got[32], unsigned who)
{
    uint8_t want[32];
    TRY(hex_at(want, 32, row, key));
    return mark(v, memcmp(want, got, 32) == 0, key, who);
}

static enum rc round_one(struct vectors *v, const json_t *row,
                         const json_t *shares)
{
    uint8_t rand_d[32];
    uint8_t rand_e[32];
    struct frost_id id;
    const json_t *member;
    if (v->n == FROST_MAX_SIGNERS)
        return rc_raise(RC_TOO_LARGE, "more than %d signers",
                        FROST_MAX_SIGNERS);
    TRY(id_at(&id, row));
    TRY(row_of(&member, shares, &id));
    TRY(hex_at(v->secret[v->n].le, 32, member, "participant_share"));
    TRY(hex_at(rand_d, 32, row, "hiding_nonce_randomness"));
    TRY(hex_at(rand_e, 32, row, "binding_nonce_randomness"));
    struct frost_nonce *k = &v->nonce[v->n];
    unsigned who = frost_id_to_u16(&id);
    TRY(frost_commit(k, &v->ready, &id, &v->secret[v->n], rand_d, rand_e));
    TRY(compare(v, row, "hiding_nonce", k->hiding.le, who));
    TRY(compare(v, row, "binding_nonce", k->binding.le, who));
    TRY(compare(v, row, "hiding_nonce_commitment", k->commitment.hiding.b,
                who));
    TRY(compare(v, row, "binding_nonce_commitment", k->commitment.binding.b,
                who));
    TRY(frost_scalar_base(&v->y[v->n], &v->secret[v->n]));
    v->list[v->n] = k->commitment;
    v->share[v->n].id = id;
    v->n++;
    return RC_OK;
}

static struct frost_package package_of(const struct vectors *v)
{
    return (struct frost_package){ &v->key, v->msg, v->msg_len,
                                   v->list, v->n,   NULL };
}

static enum rc round_two(struct vectors *v, const json_t *rows)
{
    const struct frost_package package = package_of(v);
    for (unsigned i = 0; i < v->n; i++) {
        const json_t *row;
        TRY(row_of(&row, rows, &v->list[i].id));
        TRY(frost_sign(&v->share[i].z, NULL, &v->nonce[i], &v->secret[i],
                       v->min, &package));
        TRY(compare(v, row, "sig_share", v->share[i].z.le,
                    frost_id_to_u16(&v->list[i].id)));
    }
    return RC_OK;
}

static enum rc final(struct vectors *v, const json_t *out)
{
    uint8_t want[FROST_SIG_LEN];
    uint8_t sig[FROST_SIG_LEN] = { 0 };
    TRY(hex_at(want, sizeof(want), out, "sig"));
    const struct frost_package package = package_of(v);
    enum rc rc = frost_aggregate(sig, &package, v->share, v->y, NULL, NULL);
    TRY(mark(v, rc == RC_OK && memcmp(sig, want, sizeof(sig)) == 0, "sig", 0));
    rc = frost_verify(want, &v->key, v->msg, v->msg_len);
    return mark(v, rc == RC_OK, "sig verifies as plain Ed25519", 0);
}

static enum rc recompute(struct vectors *v, const json_t *root)
{
    const json_t *in = json_object_get(root, "inputs");
    const json_t *shares = json_object_get(in, "participant_shares");
    const char *key = json_object_get(in, "group_public_key")
                              ? "group_public_key"
                              : "verifying_key_key"; /* as ZF names it */
    TRY(number_at(&v->min, json_object_get(root, "config"),
                  "MIN_PARTICIPANTS"));
    TRY(hex_at(v->key.b, 32, in, key));
    TRY(message_at(v, in));
    size_t i;
    json_t *row;
    json_array_foreach (
            json_object_get(json_object_get(root, "round_one_outputs"),
                            "outputs"),
            i, row)
        TRY(round_one(v, row, shares));
    if (v->n == 0)
        return rc_raise(RC_PARSE, "not a file of RFC 9591 vectors: no "
                                  "round_one_outputs");
    TRY(round_two(v, json_object_get(json_object_get(root, "round_two_outputs"),
                                     "outputs")));
    return final(v, json_object_get(root, "final_output"));
}

/* ---- the verb ----------------------------------------------------------- */

static enum rc load(json_t **out, const char *path)
{
    OWNED_MEM uint8_t *text = NULL;
    size_t len;
    json_error_t error;
    TRY(file_read(&text, &len, path, FILE_MAX));
    *out = json_loadb((const char *)text, len, JSON_REJECT_DUPLICATES, &error);
    return *out ? RC_OK
                : rc_raise(RC_PARSE, "%s: not JSON at line %d column %d", path,
                           error.line, error.column);
}

enum rc cmd_frost_vectors(int argc, char **argv)
{
    const char *file = NULL;
    const struct cli_arg rows[] = {
        { .name = "FILE",
          .text = &file,
          .need = true,
          .help = "vectors, in the layout of RFC 9591 appendix E" },
        { 0 },
    };
    bool done;
    OWNED(json_t) *root = NULL;
    OWNED(json_t) *lines = json_array();
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    TRY(load(&root, file));
    OWNED_MEM struct vectors *v = calloc(1, sizeof(*v));
    if (!v)
        return rc_raise(RC_NOMEM, "vectors: out of memory");
    uint8_t sample[2][32];
    TRY(rand_bytes(sample, sizeof(sample)));
    TRY(frost_init(&v->ready, (const uint8_t(*)[32])sample));
    v->ok = true;
    v->lines = lines;
    enum rc rc = recompute(v, root);
    free(v->msg);
    TRY(rc);
    if (cli_json())
        TRY(cli_say_json(
                json_pack("{s:b, s:O}", "ok", (int)v->ok, "checks", lines)));
    if (v->ok)
        return RC_OK;
    rc = rc_raise(RC_VERIFY, "%s: values differ", file);
    if (cli_json())
        cli_told();
    return rc;
}
