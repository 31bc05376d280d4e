/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An attestation policy read from JSON: every member required, no other, none
 * twice; null says that a thing is not judged, so that nothing is left open
 * by forgetting it. Errors name the member, never its contents. Public data
 * only.
 */
#include "attest/inner.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "attest/bits.h"
#include "attest/layout.h"
#include "base/enc.h"

OWNED_BY(json_t, json_decref);

#define TYPE "mpc-attest-policy"

/* An object and where it stands, for messages. */
struct obj {
    const json_t *v;
    char at[64];
};

static enum rc obj_open(struct obj *o, const json_t *v, const char *const *keys)
{
    size_t n = 0;
    if (!json_is_object(v))
        return rc_raise(RC_PARSE, "%s: want an object", o->at);
    for (; keys[n]; n++)
        if (!json_object_get(v, keys[n]))
            return rc_raise(RC_PARSE, "%s: no member %s", o->at, keys[n]);
    if (json_object_size(v) != n)
        return rc_raise(RC_PARSE, "%s: %zu unknown members", o->at,
                        json_object_size(v) - n);
    o->v = v;
    return RC_OK;
}

static enum rc obj_in(struct obj *out, const struct obj *o, const char *key,
                      const char *const *keys)
{
    snprintf(out->at, sizeof(out->at), "%.40s.%s", o->at, key);
    return obj_open(out, json_object_get(o->v, key), keys);
}

static bool is_null(const struct obj *o, const char *key)
{
    return json_is_null(json_object_get(o->v, key));
}

static enum rc get_int(uint64_t *out, const struct obj *o, const char *key,
                       uint64_t min, uint64_t max)
{
    const json_t *v = json_object_get(o->v, key);
    json_int_t n = json_is_integer(v) ? json_integer_value(v) : -1;
    if (n < 0 || (uint64_t)n < min || (uint64_t)n > max)
        return rc_raise(RC_PARSE, "%s.%s: want an integer of %llu to %llu",
                        o->at, key, (unsigned long long)min,
                        (unsigned long long)max);
    *out = (uint64_t)n;
    return RC_OK;
}

static enum rc get_byte(uint8_t *out, const struct obj *o, const char *key)
{
    uint64_t n = 0;
    TRY(get_int(&n, o, key, 0, 255));
    *out = (uint8_t)n;
    return RC_OK;
}

static enum rc get_bool(bool *out, const struct obj *o, const char *key)
{
    const json_t *v = json_object_get(o->v, key);
    if (!json_is_boolean(v))
        return rc_raise(RC_PARSE, "%s.%s: want true or false", o->at, key);
    *out = json_is_true(v);
    return RC_OK;
}

/* One of the words, which end with NULL; *out its number. */
static enum rc get_word(unsigned *out, const struct obj *o, const char *key,
                        const char *const *words)
{
    const char *text = json_string_value(json_object_get(o->v, key));
    char list[96] = "";
    for (unsigned i = 0; words[i]; i++) {
        size_t at = strlen(list);
        if (text && strcmp(text, words[i]) == 0) {
            *out = i;
            return RC_OK;
        }
        snprintf(list + at, sizeof(list) - at, "%s%s", at ? ", " : "",
                 words[i]);
    }
    return rc_raise(RC_PARSE, "%s.%s: want one of %s", o->at, key, list);
}

static enum rc unhex(uint8_t *out, size_t len, const json_t *v,
                     const struct obj *o, const char *key)
{
    const char *text = json_string_value(v);
    if (!text || enc_unhex(out, len, text, strlen(text)) != RC_OK)
        return rc_raise(RC_PARSE, "%s.%s: want %zu lower-case hex digits",
                        o->at, key, 2 * len);
    return RC_OK;
}

/* null: nothing is judged. */
static enum rc get_hex(bool *has, uint8_t *out, size_t len, const struct obj *o,
                       const char *key)
{
    if (is_null(o, key))
        return RC_OK;
    TRY(unhex(out, len, json_object_get(o->v, key), o, key));
    *has = true;
    return RC_OK;
}

static enum rc get_array(const json_t **out, const struct obj *o,
                         const char *key, size_t min, size_t max)
{
    const json_t *v = json_object_get(o->v, key);
    if (!json_is_array(v) || json_array_size(v) < min ||
        json_array_size(v) > max)
        return rc_raise(RC_PARSE, "%s.%s: want a list of %zu to %zu", o->at,
                        key, min, max);
    *out = v;
    return RC_OK;
}

/* ---- measurements and pins ---------------------------------------------- */

static enum rc read_measurements(struct attest_rules *r, const struct obj *o)
{
    static const char *const roles[] = { "sidecar", "ca", "log", NULL };
    struct obj m;
    if (is_null(o, "measurements"))
        return RC_OK;
    TRY(obj_in(&m, o, "measurements", roles));
    for (unsigned k = 0; roles[k]; k++) {
        const json_t *list = NULL;
        TRY(get_array(&list, &m, roles[k], 0, ATTEST_MAX_HASHES));
        for (size_t i = 0; i < json_array_size(list); i++)
            TRY(unhex(r->measurement[k][r->n_measurements[k]++], 32,
                      json_array_get(list, i), &m, roles[k]));
    }
    r->has_measurements = true;
    return RC_OK;
}

/* null is any; a list that is given is not empty. */
static enum rc read_digests(uint8_t (*out)[48], unsigned *n,
                            const struct obj *o, const char *key)
{
    const json_t *list = NULL;
    if (is_null(o, key))
        return RC_OK;
    TRY(get_array(&list, o, key, 1, ATTEST_MAX_PINS));
    for (size_t i = 0; i < json_array_size(list); i++)
        TRY(unhex(out[(*n)++], 48, json_array_get(list, i), o, key));
    return RC_OK;
}

/* 64 bytes; of Turin also its 8, which zeros follow in the report. */
static enum rc read_chips(struct attest_rules *r, const struct obj *o)
{
    const json_t *list = NULL;
    if (is_null(o, "chips"))
        return RC_OK;
    TRY(get_array(&list, o, "chips", 1, ATTEST_MAX_PINS));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        size_t len = text && strlen(text) == 16 ? 8 : 64;
        TRY(unhex(r->chip[r->n_chips++], len, json_array_get(list, i), o,
                  "chips"));
    }
    return RC_OK;
}

static enum rc read_csp(struct attest_rules *r, const struct obj *o)
{
    const char *text = json_string_value(json_object_get(o->v, "csp_id"));
    if (is_null(o, "csp_id"))
        return RC_OK;
    if (!text || !*text || strlen(text) >= sizeof(r->csp_id))
        return rc_raise(RC_PARSE, "%s.csp_id: want null or a text of 1 to %zu",
                        o->at, sizeof(r->csp_id) - 1);
    memcpy(r->csp_id, text, strlen(text) + 1);
    return RC_OK;
}

/* ---- products ----------------------------------------------------------- */

static enum rc read_tcb(bool *has, struct attest_tcb *out, const struct obj *o,
                        const char *key, bool turin)
{
    static const char *const parts[] = { "bl",    "tee", "snp",
                                         "ucode", "fmc", NULL };
    static const char *const old_parts[] = { "bl", "tee", "snp", "ucode",
                                             NULL };
    struct obj t;
    if (is_null(o, key))
        return RC_OK;
    TRY(obj_in(&t, o, key, turin ? parts : old_parts));
    TRY(get_byte(&out->bl, &t, "bl"));
    TRY(get_byte(&out->tee, &t, "tee"));
    TRY(get_byte(&out->snp, &t, "snp"));
    TRY(get_byte(&out->ucode, &t, "ucode"));
    if (turin)
        TRY(get_byte(&out->fmc, &t, "fmc"));
    *has = true;
    return RC_OK;
}

static enum rc read_firmware(struct attest_floor *f, const struct obj *o)
{
    static const char *const parts[] = { "major", "minor", "build", NULL };
    struct obj w;
    if (is_null(o, "firmware"))
        return RC_OK;
    TRY(obj_in(&w, o, "firmware", parts));
    TRY(get_byte(&f->firmware.major, &w, "major"));
    TRY(get_byte(&f->firmware.minor, &w, "minor"));
    TRY(get_byte(&f->firmware.build, &w, "build"));
    f->has_firmware = true;
    return RC_OK;
}

static enum rc read_products(struct attest_rules *r, const struct obj *o)
{
    static const char *const names[] = { "Milan", "Genoa", "Turin", NULL };
    static const char *const keys[] = { "reported", "committed", "launch",
                                        "firmware", NULL };
    struct obj all;
    bool any = false;
    TRY(obj_in(&all, o, "products", names));
    for (unsigned i = 0; names[i]; i++) {
        struct attest_floor *f = &r->product[i];
        struct obj p;
        bool turin = i == ATTEST_TURIN;
        if (is_null(&all, names[i]))
            continue;
        TRY(obj_in(&p, &all, names[i], keys));
        TRY(read_tcb(&f->has_reported, &f->reported, &p, "reported", turin));
        TRY(read_tcb(&f->has_committed, &f->committed, &p, "committed", turin));
        TRY(read_tcb(&f->has_launch, &f->launch, &p, "launch", turin));
        TRY(read_firmware(f, &p));
        f->allowed = any = true;
    }
    if (!any)
        return rc_raise(RC_PARSE, "%s: all are null, want at least one",
                        all.at);
    return RC_OK;
}

/* ---- bits --------------------------------------------------------------- */

static enum rc read_names(uint64_t *out, const struct obj *o, const char *key,
                          const struct attest_bit *bits)
{
    const json_t *list = NULL;
    TRY(get_array(&list, o, key, 0, 64));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        int bit = name ? attest_bit_find(bits, name) : -1;
        if (bit < 0) {
            char known[160];
            uint64_t all = 0;
            for (const struct attest_bit *b = bits; b->name; b++)
                all |= UINT64_C(1) << b->bit;
            attest_bits_text(known, sizeof(known), bits, all);
            return rc_raise(RC_PARSE, "%s.%s[%zu]: want one of %s", o->at, key,
                            i, known);
        }
        *out |= UINT64_C(1) << bit;
    }
    return RC_OK;
}

static enum rc read_masks(struct attest_mask *out, const struct obj *o,
                          const struct attest_bit *bits)
{
    TRY(read_names(&out->set, o, "must_set", bits));
    TRY(read_names(&out->clear, o, "must_clear", bits));
    if (out->set & out->clear)
        return rc_raise(RC_PARSE, "%s: a bit is in must_set and must_clear",
                        o->at);
    return RC_OK;
}

static enum rc read_bits(struct attest_rules *r, const struct obj *o)
{
    static const char *const masks[] = { "must_set", "must_clear", NULL };
    static const char *const more[] = { "must_set", "must_clear", "unknown",
                                        NULL };
    static const char *const how[] = { "warn", "refuse", NULL };
    struct obj b;
    unsigned strict = 0;
    TRY(obj_in(&b, o, "guest_policy", masks));
    TRY(read_masks(&r->policy, &b, attest_policy_bits));
    if (r->policy.set & (SNP_POLICY_DEBUG | SNP_POLICY_MIGRATE_MA))
        return rc_raise(RC_PARSE,
                        "%s.must_set: DEBUG and MIGRATE_MA are always refused",
                        b.at);
    TRY(obj_in(&b, o, "platform", more));
    TRY(read_masks(&r->platform, &b, attest_platform_bits));
    TRY(get_word(&strict, &b, "unknown", how));
    r->platform_strict = strict == 1;
    return RC_OK;
}

/* Numbers of bits: AMD gives them by number in its bulletins. */
static enum rc read_vector(uint64_t *out, const struct obj *o, const char *key,
                           unsigned n_bits)
{
    const json_t *list = NULL;
    if (is_null(o, key))
        return RC_OK;
    TRY(get_array(&list, o, key, 1, n_bits));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        if (!json_is_integer(v) || json_integer_value(v) < 0 ||
            json_integer_value(v) >= (json_int_t)n_bits)
            return rc_raise(RC_PARSE, "%s.%s[%zu]: want 0 to %u", o->at, key, i,
                            n_bits - 1);
        *out |= UINT64_C(1) << json_integer_value(v);
    }
    return RC_OK;
}

/* ---- the whole ---------------------------------------------------------- */

static enum rc read_head(struct attest_rules *r, const struct obj *o)
{
    static const char *const types[] = { TYPE, NULL };
    static const char *const crl[] = { "if-present", "require", "off", NULL };
    unsigned word = 0;
    uint64_t n = 0;
    TRY(get_word(&word, o, "type", types));
    TRY(get_int(&n, o, "v", 1, 1));
    TRY(get_int(&n, o, "min_version", SNP_VERSION_MIN, SNP_VERSION_MAX));
    r->min_version = (uint32_t)n;
    TRY(get_int(&n, o, "min_guest_svn", 0, UINT32_MAX));
    r->min_guest_svn = (uint32_t)n;
    TRY(get_word(&word, o, "crl", crl));
    r->crl = (enum attest_crl)word;
    TRY(get_bool(&r->vtpm, o, "vtpm"));
    return get_bool(&r->masked_chip, o, "masked_chip");
}

static enum rc read_pins(struct attest_rules *r, const struct obj *o)
{
    TRY(get_hex(&r->has_host_data, r->host_data, 32, o, "host_data"));
    TRY(get_hex(&r->has_family_id, r->family_id, 16, o, "family_id"));
    TRY(get_hex(&r->has_image_id, r->image_id, 16, o, "image_id"));
    TRY(read_digests(r->id_key, &r->n_id_keys, o, "id_keys"));
    TRY(read_digests(r->author_key, &r->n_author_keys, o, "author_keys"));
    TRY(read_chips(r, o));
    return read_csp(r, o);
}

static enum rc read_all(struct attest_rules *r, const json_t *root)
{
    static const char *const keys[] = { "type",
                                        "v",
                                        "min_version",
                                        "measurements",
                                        "products",
                                        "vmpl",
                                        "guest_policy",
                                        "platform",
                                        "host_data",
                                        "family_id",
                                        "image_id",
                                        "id_keys",
                                        "author_keys",
                                        "chips",
                                        "csp_id",
                                        "masked_chip",
                                        "vtpm",
                                        "crl",
                                        "mitigations_at_launch",
                                        "mitigations_now",
                                        "min_guest_svn",
                                        NULL };
    struct obj o = { .at = "attest policy" };
    uint64_t levels = 0;
    TRY(obj_open(&o, root, keys));
    TRY(read_head(r, &o));
    TRY(read_measurements(r, &o));
    TRY(read_products(r, &o));
    TRY(read_vector(&levels, &o, "vmpl", 4));
    r->vmpls = (uint8_t)levels;
    TRY(read_bits(r, &o));
    TRY(read_vector(&r->mit_launch, &o, "mitigations_at_launch", 64));
    TRY(read_vector(&r->mit_current, &o, "mitigations_now", 64));
    return read_pins(r, &o);
}

static json_t *load(const void *json, size_t len, json_error_t *err)
{
    return len <= ATTEST_RULES_MAX
                   ? json_loadb(json, len, JSON_REJECT_DUPLICATES, err)
                   : NULL;
}

bool attest_rules_is(const void *json, size_t len)
{
    OWNED(json_t) *root = load(json, len, NULL);
    const char *type = json_string_value(json_object_get(root, "type"));
    return type && strcmp(type, TYPE) == 0;
}

enum rc attest_rules_parse(struct attest_rules *out, const void *json,
                           size_t len)
{
    json_error_t err = { .line = 0 };
    if (len > ATTEST_RULES_MAX)
        return rc_raise(RC_TOO_LARGE, "attest policy: %zu bytes, at most %u",
                        len, ATTEST_RULES_MAX);
    OWNED(json_t) *root = load(json, len, &err);
    if (!root) /* err.text quotes the input: only the place is told */
        return rc_raise(RC_PARSE,
                        "attest policy: not JSON at line %d "
                        "column %d",
                        err.line, err.column);
    struct attest_rules r = { 0 };
    TRY(read_all(&r, root));
    *out = r;
    return RC_OK;
}

enum rc attest_rules_shared(struct attest_rules *out, bool *has,
                            const void *json, size_t len)
{
    struct attest_rules r = { 0 };
    if (!json) {
        *has = false;
        return RC_OK;
    }
    TRY(attest_rules_parse(&r, json, len));
    if (r.has_measurements)
        return rc_raise(RC_PARSE, "attest policy.measurements: want null in a "
                                  "policy document, which lists them itself");
    *out = r;
    *has = true;
    return RC_OK;
}
