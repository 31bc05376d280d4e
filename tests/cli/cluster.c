/* SPDX-License-Identifier: Apache-2.0 */
/* See cluster.h. */
#include "cluster.h"

#include <sodium.h>

#define FILE_BYTES 4000

struct cluster at;

const char *in(const char *name)
{
    static char path[4][160];
    static unsigned next;
    char *out = path[next++ % 4];
    snprintf(out, sizeof(path[0]), "%s/%s", at.top, name);
    return out;
}

void write_bytes(const char *path, const void *p, size_t len)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

void take_environment(const char *text)
{
    unsigned n = 0;
    const char *p = text;
    while (*p) {
        char name[64];
        char value[4096];
        int used = 0;
        if (sscanf(p, "export %63[A-Z_]='%4095[^'\n]'\n%n", name, value,
                   &used) == 2 &&
            used > 0) {
            setenv(name, value, 1);
        } else if (sscanf(p, "export %63[A-Z_]=''\n%n", name, &used) == 1 &&
                   used > 0) {
            setenv(name, "", 1);
        } else {
            fail_msg("not an export line: %.80s", p);
        }
        p += used;
        n++;
    }
    assert_int_equal(n, 9);
}

void cluster_up(void)
{
    struct run r;
    RUN(&r, "dev", "up", "--dir", at.dir);
    assert_code(&r, 0);
    take_environment(r.out);
    assert_non_null(strstr(r.err, "SIMULATED"));
    run_free(&r);
    /* OpenSSL in this very process shall not load mpc.so */
    unsetenv("OPENSSL_CONF");
}

int cluster_setup(void **state)
{
    (void)state;
    uint8_t bytes[FILE_BYTES];
    struct run r;
    assert_true(sodium_init() >= 0);
    dir_make(at.top);
    snprintf(at.dir, sizeof(at.dir), "%s/c", at.top);
    snprintf(at.file, sizeof(at.file), "%s/app.bin", at.top);
    snprintf(at.bundle, sizeof(at.bundle), "%s/app.mpc.json", at.top);
    snprintf(at.policy, sizeof(at.policy), "%s/policy.json", at.dir);
    randombytes_buf(bytes, sizeof(bytes));
    write_bytes(at.file, bytes, sizeof(bytes));
    /* some other cluster's wish must not be in the way */
    setenv("TEE_POLICY_HASH", "00", 1);
    cluster_up();
    RUN(&r, "sign", at.file, "--bundle", at.bundle, "--cert", in("app.pem"));
    assert_code(&r, 0);
    run_free(&r);
    return 0;
}

int cluster_teardown(void **state)
{
    (void)state;
    struct run r;
    RUN(&r, "dev", "down", "--purge", "--dir", at.dir);
    assert_code(&r, 0);
    run_free(&r);
    assert_int_not_equal(access(at.dir, F_OK), 0);
    dir_remove(at.top);
    return 0;
}
