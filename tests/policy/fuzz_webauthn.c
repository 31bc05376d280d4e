/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as client data, attestation object, COSE key, credential row,
 * SSHSIG and WebAuthn record: what is read is written back the same, and
 * nothing is believed.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "policy/credential.h"
#include "policy/sshsig.h"
#include "policy/webauthn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint8_t challenge[32] = { 1 };
static const char *const origins[] = { "http://localhost" };

static void client_data(struct policy_part in)
{
    char origin[POLICY_ORIGIN_MAX];
    const struct policy_client_want want = {
        "webauthn.get", { challenge, 32 }, origins, 1
    };
    if (policy_client_data_check(origin, &want, in) == RC_OK)
        assert(policy_origin_ok(origin, false));
}

static void cose(struct policy_part in)
{
    struct policy_cose key;
    if (policy_cose_parse(&key, in.p, in.len) != RC_OK)
        return;
    assert(key.len <= in.len && key.len <= POLICY_COSE_MAX);
    assert(key.x >= in.p && key.x + key.x_len <= in.p + key.len);
}

/* What a row says, it says again. */
static void round_trip(const struct policy_credential *c)
{
    struct policy_credential back;
    char one[POLICY_CREDENTIAL_MAX], two[POLICY_CREDENTIAL_MAX];
    size_t n, m;
    assert(policy_credential_write(one, sizeof(one), &n, c) == RC_OK);
    assert(policy_credential_parse(&back, one, n) == RC_OK);
    assert(policy_credential_write(two, sizeof(two), &m, &back) == RC_OK);
    assert(n == m && memcmp(one, two, n) == 0);
}

/* A registration whose client data is right, around any object. */
static void registration(struct policy_part in)
{
    static const char text[] =
            "{\"type\":\"webauthn.create\",\"challenge\":"
            "\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"origin\":"
            "\"http://localhost\"}";
    struct policy_credential c;
    if (policy_webauthn_register(&c, challenge, "localhost", origins, 1, text,
                                 sizeof(text) - 1, in.p, in.len) == RC_OK)
        round_trip(&c);
}

static void row(struct policy_part in)
{
    struct policy_credential c;
    if (policy_credential_parse(&c, in.p, in.len) == RC_OK)
        round_trip(&c);
}

static void sshsig(struct policy_part in)
{
    struct policy_sshsig s;
    struct policy_credential c;
    if (policy_sshsig_parse(&s, in.p, in.len) == RC_OK)
        policy_sshsig_credential(&c, &s);
    if (policy_sshsig_register(&c, challenge, (const char *)in.p, in.len) ==
        RC_OK)
        round_trip(&c);
}

/* Authenticator data and signature of any bytes, by a key nobody has. */
static void assertion(struct policy_part in)
{
    static const uint8_t head[] = { 0xa4, 1, 1,    3,    0x27,
                                    0x20, 6, 0x21, 0x58, 0x20 };
    static const char text[] =
            "{\"type\":\"webauthn.get\",\"challenge\":"
            "\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"origin\":"
            "\"http://localhost\"}";
    struct policy_credential c = { .kind = POLICY_WEBAUTHN,
                                   .alg = POLICY_EDDSA,
                                   .cose_len = 42,
                                   .rp_id = "localhost",
                                   .origin = { "http://localhost" },
                                   .n_origins = 1 };
    char origin[POLICY_ORIGIN_MAX];
    uint32_t counter, cut = in.len > 37 ? 37 : (uint32_t)in.len;
    uint8_t *ad = malloc(cut ? cut : 1); /* asan watches its end */
    assert(ad);
    memcpy(ad, in.p, cut);
    if (cut == 37) /* past the hash, or nothing ever gets there */
        hash256(ad, "localhost", 9);
    memcpy(c.cose, head, sizeof(head));
    memset(c.cose + 10, 0x58, 32);
    const struct policy_assertion a = {
        { (const uint8_t *)text, sizeof(text) - 1 },
        { ad, cut },
        { in.p + cut, in.len - cut },
    };
    assert(policy_webauthn_check(origin, &counter, &c,
                                 (struct policy_part){ challenge, 32 },
                                 &a) != RC_OK);
    free(ad);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static void (*const targets[])(struct policy_part) = {
        client_data, cose, registration, row, sshsig, assertion,
    };
    if (len == 0)
        return 0;
    const struct policy_part in = { data + 1, len - 1 };
    targets[data[0] % (sizeof(targets) / sizeof(targets[0]))](in);
    return 0;
}
