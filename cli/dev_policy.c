/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The persons of a dev cluster and its policy: genesis, and version 2 with
 * what was born inside. Key files are OpenSSH's own format, without a
 * passphrase, so that scripts can approve; these persons are nobody.
 */
#include "cli/dev.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attest/attest.h"
#include "base/bytes.h"
#include "base/enc.h"
#include "base/file.h"
#include "base/rand.h"
#include "custody/custody.h"

#define KEY_FILE  512
#define DOC_MAX   (64 * 1024)
#define MAX_BYTES 16777216

/* clang-format off */
static const struct person {
    const char *name;
    const char *role; /* NULL: only asks */
} persons[] = {
    { "alice", "engineer" },
    { "dave",  "engineer" },
    { "bob",   "steward" },
    { "carol", "steward" },
    { "dev",   NULL },
};
static const struct profile {
    const char *name;
    const char *class;
    const char *lifetime;
    int engineers;
    int stewards;
    const char *kinds; /* comma-joined */
    bool certificate;
} profiles[] = {
    { "release",      "artifact", "persistent", 0, 0, "raw,cms,dsse,x509,ocsp,cmp", true },
    { "web",          "tls",      "persistent", 0, 0, "x509,tls12,tls13",           false },
    { "once",         "artifact", "ephemeral",  0, 0, "raw,cms,dsse",               true },
    { "guarded",      "artifact", "persistent", 1, 2, "raw,cms,dsse",               true },
    { "guarded-once", "artifact", "ephemeral",  1, 2, "raw,cms,dsse",               true },
    { "ca",           "issuer",   "persistent", 0, 0, "x509",                       false },
};
/* clang-format on */
#define N_PERSONS  (sizeof(persons) / sizeof(*persons))
#define N_PROFILES (sizeof(profiles) / sizeof(*profiles))

/* ---- persons ------------------------------------------------------------ */

static void put_text(struct bytes_writer *w, const char *text)
{
    bytes_put_lp32(w, text, strlen(text));
}

static void put_public(struct bytes_writer *w, const uint8_t pk[32])
{
    bytes_put_u32(w, 4 + 11 + 4 + 32);
    put_text(w, "ssh-ed25519");
    bytes_put_lp32(w, pk, 32);
}

/* PROTOCOL.key of OpenSSH, cipher none. out is secret. */
static enum rc key_file(struct bytes_writer *w, const uint8_t sk[64],
                        const char *name)
{
    uint32_t check;
    size_t len = 4 + 4 + (4 + 11) + (4 + 32) + (4 + 64) + 4 + strlen(name);
    size_t padded = (len + 7) / 8 * 8;
    TRY(rand_bytes(&check, sizeof(check)));
    bytes_put(w, "openssh-key-v1", 15); /* with its NUL */
    put_text(w, "none");
    put_text(w, "none");
    put_text(w, "");
    bytes_put_u32(w, 1);
    put_public(w, sk + 32);
    bytes_put_u32(w, (uint32_t)padded);
    bytes_put_u32(w, check);
    bytes_put_u32(w, check);
    put_text(w, "ssh-ed25519");
    bytes_put_lp32(w, sk + 32, 32);
    bytes_put_lp32(w, sk, 64);
    put_text(w, name);
    for (uint8_t i = 1; len < padded; len++, i++)
        bytes_put_u8(w, i);
    return bytes_written(w);
}

static enum rc write_private(const char *path, const uint8_t sk[64],
                             const char *name)
{
    WIPED_BYTES(raw, KEY_FILE);
    WIPED_BYTES(b64, ENC_B64_SIZE(KEY_FILE));
    WIPED_BYTES(pem, 2 * ENC_B64_SIZE(KEY_FILE));
    struct bytes_writer w = bytes_writer(raw, sizeof(raw));
    TRY(key_file(&w, sk, name));
    enc_b64((char *)b64, raw, w.len);
    size_t at = (size_t)sprintf((char *)pem,
                                "-----BEGIN OPENSSH PRIVATE KEY-----\n");
    for (const char *p = (const char *)b64; *p;) {
        int n = (int)strnlen(p, 70);
        at += (size_t)sprintf((char *)pem + at, "%.*s\n", n, p);
        p += n;
    }
    at += (size_t)sprintf((char *)pem + at,
                          "-----END OPENSSH PRIVATE KEY-----\n");
    return file_write(path, pem, at, 0600);
}

static enum rc write_public(const char *path, const uint8_t pk[32],
                            const char *name)
{
    uint8_t raw[64];
    char b64[ENC_B64_SIZE(64)];
    char line[256];
    struct bytes_writer w = bytes_writer(raw, sizeof(raw));
    put_text(&w, "ssh-ed25519");
    bytes_put_lp32(&w, pk, 32);
    TRY(bytes_written(&w));
    int n = snprintf(line, sizeof(line), "ssh-ed25519 %s %s\n",
                     enc_b64(b64, raw, w.len), name);
    return file_write(path, line, (size_t)n, 0644);
}

static enum rc make_person(const struct dev *d, const char *name)
{
    char dir[DEV_PATH];
    char path[DEV_PATH + 32];
    uint8_t pk[32];
    WIPED_BYTES(seed, 32);
    WIPED_BYTES(sk, 64);
    TRY(rand_bytes(seed, sizeof(seed)));
    crypto_sign_seed_keypair(pk, sk, seed);
    TRY(dev_path(dir, d, "persons", name));
    TRY(file_mkdirs(dir, 0700));
    snprintf(path, sizeof(path), "%s/id_ed25519", dir);
    TRY(write_private(path, sk, name));
    snprintf(path, sizeof(path), "%s/id_ed25519.pub", dir);
    return write_public(path, pk, name);
}

enum rc dev_people(const struct dev *d)
{
    for (size_t i = 0; i < N_PERSONS; i++)
        TRY(make_person(d, persons[i].name));
    return RC_OK;
}

/* ---- the document ------------------------------------------------------- */

static enum rc person_json(json_t **out, const struct dev *d, const char *dir,
                           const struct person *who)
{
    uint8_t key[32];
    char b64[ENC_B64_SIZE(32)];
    json_t *fido = NULL;
    TRY(cli_person_public(key, dir, who->name));
    OWNED(json_t) *roles = json_array();
    OWNED(json_t) *credentials = json_pack("[{s:s, s:s}]", "kind",
                                           POLICY_SSHSIG, "key",
                                           enc_b64u(b64, key, sizeof(key)));
    if (who->role) {
        TRY(dev_fido(&fido, d, who->name));
        json_array_append_new(credentials, fido);
        json_array_append_new(roles, json_string(who->role));
    }
    *out = json_pack("{s:s, s:O, s:O}", "id", who->name, "roles", roles,
                     "credentials", credentials);
    return *out ? RC_OK : rc_raise(RC_NOMEM, "policy: out of memory");
}

static enum rc persons_json(json_t *list, const struct dev *d)
{
    char dir[DEV_PATH];
    TRY(dev_path(dir, d, "persons", NULL));
    for (size_t i = 0; i < N_PERSONS; i++) {
        json_t *person = NULL;
        TRY(person_json(&person, d, dir, &persons[i]));
        json_array_append_new(list, person);
    }
    return RC_OK;
}

/* What this very executable will be measured as. */
static enum rc measure(uint8_t hash[32], const struct dev *d,
                       const char *program)
{
    char path[DEV_PATH + 32];
    uint8_t measurement[ATTEST_MEASUREMENT_LEN];
    snprintf(path, sizeof(path), "%s/%s", d->bin, program);
    TRY(attest_measure_file(measurement, path));
    attest_policy_hash(hash, measurement);
    return RC_OK;
}

static enum rc measurements_json(json_t *o, const struct dev *d)
{
    static const char *const role[][2] = { { "sidecar", "mpc-sidecar" },
                                           { "ca", "mpc-ca" },
                                           { "log", "mpc-log" } };
    for (size_t i = 0; i < 3; i++) {
        uint8_t hash[32];
        char hex[65];
        TRY(measure(hash, d, role[i][1]));
        json_object_set_new(o, role[i][0],
                            json_pack("[s]", enc_hex(hex, hash, 32)));
    }
    return RC_OK;
}

static json_t *kinds_json(const char *kinds)
{
    char copy[64];
    char *save = NULL;
    json_t *list = json_array();
    snprintf(copy, sizeof(copy), "%s", kinds);
    for (char *k = strtok_r(copy, ",", &save); k;
         k = strtok_r(NULL, ",", &save))
        json_array_append_new(list, json_string(k));
    return list;
}

static json_t *profile_json(const struct profile *f, const struct dev *d)
{
    json_t *nodes = json_array();
    for (unsigned i = 1; i <= d->n; i++)
        json_array_append_new(nodes, json_integer(i));
    json_t *certificate = f->certificate
                                  ? json_pack("{s:i, s:[ss], s:[]}", "ttl_s",
                                              300, "eku", "code_signing",
                                              "email_protection", "san")
                                  : json_null();
    return json_pack("{s:s, s:s, s:s, s:i, s:o, s:{s:i, s:i}, s:o, s:i, s:o, "
                     "s:b}",
                     "name", f->name, "lifetime", f->lifetime, "class",
                     f->class, "threshold", (int)d->t, "nodes", nodes,
                     "required", "engineer", f->engineers, "steward",
                     f->stewards, "kinds", kinds_json(f->kinds), "max_message",
                     MAX_BYTES, "certificate", certificate, "sidecar_page", 1);
}

static json_t *nodes_json(const struct dev *d)
{
    json_t *list = json_array();
    for (unsigned i = 1; i <= d->n; i++) {
        char uri[64];
        snprintf(uri, sizeof(uri), "mpc://" DEV_CLUSTER "/sidecar/node%u", i);
        json_array_append_new(
                list, json_pack("{s:i, s:s}", "id", (int)i, "uri", uri));
    }
    return list;
}

/* Exact bytes: what is written is what is hashed, for ever. */
static enum rc dump(char **out, size_t *len, const json_t *doc)
{
    struct policy *parsed;
    *out = doc ? json_dumps(doc, JSON_INDENT(1)) : NULL;
    if (!*out)
        return rc_raise(RC_NOMEM, "policy: out of memory");
    *len = strlen(*out);
    enum rc rc = policy_parse(&parsed, *out, *len);
    if (rc != RC_OK) {
        free(*out);
        *out = NULL;
        return rc;
    }
    policy_free(parsed);
    return RC_OK;
}

enum rc dev_genesis(const struct dev *d)
{
    static const char zeros[] = "0000000000000000000000000000000000000000000000"
                                "000000000000000000";
    char path[DEV_PATH];
    char page[32];
    OWNED(json_t) *people = json_array();
    OWNED(json_t) *measurements = json_object();
    OWNED(json_t) *list = json_array();
    OWNED_MEM char *text = NULL;
    size_t len;
    TRY(persons_json(people, d));
    TRY(measurements_json(measurements, d));
    for (size_t i = 0; i < N_PROFILES; i++)
        json_array_append_new(list, profile_json(&profiles[i], d));
    snprintf(page, sizeof(page), "http://localhost:%u", d->page_port);
    OWNED(json_t) *doc = json_pack(
            "{s:i, s:s, s:i, s:s, s:O, s:{s:i}, s:O, s:o, s:{s:s, s:s}, s:n, "
            "s:O, s:[s]}",
            "v", 1, "cluster", DEV_CLUSTER, "version", 1, "prev", zeros,
            "persons", people, "steward_rule", "steward", 2, "measurements",
            measurements, "nodes", nodes_json(d), "services", "ca",
            "mpc://" DEV_CLUSTER "/ca/ca", "log",
            "mpc://" DEV_CLUSTER "/log/log", "log", "profiles", list,
            "page_origins", page);
    TRY(dump(&text, &len, doc));
    TRY(dev_path(path, d, "genesis.json", NULL));
    return file_write(path, text, len, 0644);
}

/* ---- is the program still the one? -------------------------------------- */

static enum rc newest_policy(struct policy **out, const struct dev *d)
{
    char path[DEV_PATH];
    TRY(dev_path(path, d, "policy.json", NULL));
    if (access(path, R_OK) != 0)
        TRY(dev_path(path, d, "genesis.json", NULL));
    return cli_policy_read(out, path);
}

enum rc dev_check_program(const struct dev *d, const struct dev_who *w)
{
    enum policy_role role = w->id                        ? POLICY_SIDECAR
                            : strcmp(w->name, "ca") == 0 ? POLICY_CA
                                                         : POLICY_LOG;
    uint8_t hash[32];
    OWN_S(policy) *p = NULL;
    if (dev_pid(d, w) > 0)
        return RC_OK;
    TRY(newest_policy(&p, d));
    TRY(measure(hash, d, w->program));
    for (unsigned i = 0; i < p->n_measurements[role]; i++)
        if (memcmp(p->measurement[role][i], hash, 32) == 0)
            return RC_OK;
    enum rc rc = rc_raise(RC_POLICY_HASH,
                          "%s: another build than the policy of this cluster "
                          "allows, its peers would refuse it",
                          w->program);
    rc_hint("bring that build back, or dev down --purge and dev up again");
    return rc;
}

/* ---- version 2 ---------------------------------------------------------- */

/* A custodian of its own for each node: DIR/custodians/nodeI. */
static enum rc put_custodian(json_t *node, const struct dev *d, unsigned id)
{
    char dir[DEV_PATH];
    char path[DEV_PATH + 16];
    char hex[65];
    size_t len;
    WIPED(custody_key) key;
    WIPED_BYTES(text, CUSTODY_KEY_TEXT_MAX);
    custody_key_make(&key);
    TRY(custody_key_write((char *)text, &len, &key, NULL, 0));
    TRY(dev_path(dir, d, "custodians", NULL));
    TRY(file_mkdirs(dir, 0700));
    snprintf(path, sizeof(path), "%s/node%u", dir, id);
    TRY(file_write(path, text, len, 0600));
    json_object_set_new(node, "custodians",
                        json_pack("[s]", enc_hex(hex, key.public, 32)));
    return RC_OK;
}

static enum rc put_born(json_t *nodes, const struct dev *d,
                        const struct dev_born *born)
{
    char hex[65];
    for (unsigned i = 0; i < d->n; i++) {
        json_t *node = json_array_get(nodes, i);
        json_object_set_new(node, "identity",
                            json_string(enc_hex(hex, born->identity[i], 32)));
        json_object_set_new(node, "box",
                            json_string(enc_hex(hex, born->box[i], 32)));
        TRY(put_custodian(node, d, i + 1));
    }
    return RC_OK;
}

enum rc dev_version2(char **out, size_t *len, const struct dev *d,
                     const struct dev_born *born)
{
    char path[DEV_PATH];
    char hex[65];
    OWNED_MEM uint8_t *text = NULL;
    size_t text_len;
    OWN_S(policy) *genesis = NULL;
    TRY(dev_path(path, d, "genesis.json", NULL));
    TRY(file_read(&text, &text_len, path, DOC_MAX));
    TRY(policy_parse(&genesis, text, text_len));
    OWNED(json_t) *doc = json_loadb((const char *)text, text_len, 0, NULL);
    json_object_set_new(doc, "version", json_integer(2));
    json_object_set_new(doc, "prev",
                        json_string(enc_hex(hex, genesis->sha256, 32)));
    json_object_set_new(doc, "log", json_string(born->log));
    TRY(put_born(json_object_get(doc, "nodes"), d, born));
    return dump(out, len, doc);
}
