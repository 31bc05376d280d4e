/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one approval costs a sidecar, record to verdict, for each kind and
 * algorithm. Each figure is taken alternately with OpenSSL's bare P-256
 * verification of 69 bytes, the unit: "units" is the ratio of the medians.
 * "own_us" is the bare verification of the same algorithm, for what OpenSSL is
 * slow at.
 *
 *     bench_approval [-n RUNS]
 */
#include "test.h"

#include "../policy/authenticator.h"
#include "../policy/fixture.h"
#include "bench.h"

#include <sodium.h>

#include "base/hash.h"

static unsigned runs = 2000;
static const uint8_t session[32] = { 1 };
static struct bench_series unit, series;

/* ---- the unit -------------------------------------------------------------- */

static struct {
    struct auth key;
    uint8_t sig[80];
    size_t sig_len;
    EVP_MD_CTX *ctx;
} bare;
static const uint8_t tbs[69];

static void unit_make(void)
{
    auth_new(&bare.key, POLICY_ES256, "unit");
    bare.ctx = EVP_MD_CTX_new();
    bare.sig_len = sizeof(bare.sig);
    if (EVP_DigestSignInit(bare.ctx, NULL, EVP_sha256(), NULL, bare.key.key) !=
                1 ||
        EVP_DigestSign(bare.ctx, bare.sig, &bare.sig_len, tbs, sizeof(tbs)) !=
                1)
        bench_die("OpenSSL does not sign");
}

static void unit_once(void)
{
    double at = bench_now_us();
    EVP_MD_CTX_reset(bare.ctx);
    if (EVP_DigestVerifyInit(bare.ctx, NULL, EVP_sha256(), NULL,
                             bare.key.key) != 1 ||
        EVP_DigestVerify(bare.ctx, bare.sig, bare.sig_len, tbs, sizeof(tbs)) !=
                1)
        bench_die("OpenSSL does not verify its own signature");
    bench_add(&unit, bench_now_us() - at);
}

/* ---- one line -------------------------------------------------------------- */

static void measure(const char *name, const struct policy *p,
                    const char *record, size_t len, double own_us)
{
    struct policy_record r;
    for (unsigned i = 0; i < runs + 20; i++) {
        double at = bench_now_us();
        if (policy_record_check(&r, p, session, record, len) != RC_OK)
            bench_die("%s: %s", name, rc_text());
        if (i >= 20) /* the first ones fill caches */
            bench_add(&series, bench_now_us() - at);
        unit_once();
    }
    const double p256 = bench_quantile(&unit, 0.5);
    bench_line(name, &series, 0,
               ",\"unit_us\":%.2f,\"units\":%.2f,\"own_us\":%.2f", p256,
               bench_quantile(&series, 0.5) / p256, own_us);
    bench_free(&series);
    bench_free(&unit);
}

/* The median of bare verifications by this key. */
static double own_us(const struct auth *a, const struct auth_said *said)
{
    const EVP_MD *md = a->alg == POLICY_EDDSA   ? NULL
                       : a->alg == POLICY_ES384 ? EVP_sha384()
                                                : EVP_sha256();
    uint8_t bytes[69];
    memcpy(bytes, said->auth_data, 37);
    hash256(bytes + 37, said->client_data, strlen(said->client_data));
    for (unsigned i = 0; i < runs / 10 + 1; i++) {
        double at = bench_now_us();
        EVP_MD_CTX_reset(bare.ctx);
        if (EVP_DigestVerifyInit(bare.ctx, NULL, md, NULL, a->key) != 1 ||
            EVP_DigestVerify(bare.ctx, said->signature, said->signature_len,
                             bytes, sizeof(bytes)) != 1)
            bench_die("OpenSSL does not verify");
        bench_add(&series, bench_now_us() - at);
    }
    double us = bench_quantile(&series, 0.5);
    bench_free(&series);
    return us;
}

static void webauthn(const char *name, enum policy_alg alg)
{
    static const char *const origins[] = { "http://localhost" };
    struct auth a;
    struct auth_said said;
    char row[POLICY_CREDENTIAL_MAX], record[POLICY_RECORD_MAX];
    uint8_t challenge[32];
    size_t len = 0;
    auth_new(&a, alg, name);
    auth_row(row, &a, "localhost", origins, 1, false);
    json_t *j = fx_policy_json(1, fx_zeros);
    fx_patch(j, "persons.3.credentials.0", row);
    struct policy *p = fx_policy_of(j);
    json_decref(j);
    policy_challenge(challenge, session, POLICY_D_APPROVE, "steward", "bob");
    auth_client_data(said.client_data, "webauthn.get", challenge,
                     "http://localhost:40001", "");
    auth_assert(&said, &a, "localhost", 0x05, 1);
    assert_ok(policy_record_webauthn(
            record, &len, session, POLICY_D_APPROVE, "steward", "bob", a.id, 32,
            said.client_data, strlen(said.client_data), said.auth_data,
            said.auth_data_len, said.signature, said.signature_len));
    measure(name, p, record, len, own_us(&a, &said));
    policy_free(p);
    auth_free(&a);
}

static void ssh(const char *name)
{
    struct fx_record r;
    struct policy *p = fx_policy(1);
    fx_record(&r, session, POLICY_D_APPROVE, "steward", "bob");
    measure(name, p, r.text, r.blob.len, 0);
    policy_free(p);
}

static void ssh_sk(const char *name)
{
    struct policy_credential c = {
        .kind = POLICY_SSHSIG_SK, .application = "ssh:", .verify_required = true
    };
    uint8_t sk[64], blob[1024], challenge[32];
    char row[512], record[POLICY_RECORD_MAX];
    size_t len = 0;
    fx_key(c.key, sk, name);
    assert_ok(policy_credential_write(row, sizeof(row), &len, &c));
    json_t *j = fx_policy_json(1, fx_zeros);
    fx_patch(j, "persons.3.credentials.0", row);
    struct policy *p = fx_policy_of(j);
    json_decref(j);
    policy_challenge(challenge, session, POLICY_D_APPROVE, "steward", "bob");
    size_t n = auth_sk(blob, sk, "ssh:", 0x05, 1, challenge);
    assert_ok(policy_record_sshsig(record, &len, session, POLICY_D_APPROVE,
                                   "steward", "bob", c.key, (const char *)blob,
                                   n));
    measure(name, p, record, len, 0);
    policy_free(p);
}

int main(int argc, char **argv)
{
    for (int c; (c = getopt(argc, argv, "n:")) != -1;)
        if (c == 'n')
            runs = bench_number("-n", optarg, 1000000);
        else
            return 2;
    if (sodium_init() < 0)
        bench_die("no libsodium");
    unit_make();
    webauthn("approval_es256", POLICY_ES256);
    webauthn("approval_eddsa", POLICY_EDDSA);
    webauthn("approval_rs256", POLICY_RS256);
    webauthn("approval_es384", POLICY_ES384);
    ssh("approval_sshsig");
    ssh_sk("approval_sshsig_sk");
    EVP_MD_CTX_free(bare.ctx);
    auth_free(&bare.key);
    return 0;
}
