/* SPDX-License-Identifier: Apache-2.0 */
/* The vault's own request for its sealing key, to a kernel that is played. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>

#include "../attest/shim.h"
#include "vault/inner.h"

static struct vault_config config;

static int load(void **state)
{
    (void)state;
    memset(&shim, 0, sizeof(shim));
    shim.has_ioctl = true;
    config = (struct vault_config){ .node = 1 };
    config.seal_fd = open("/dev/sev-guest", O_RDWR | O_CLOEXEC);
    assert_true(config.seal_fd >= 0);
    return 0;
}

static int unload(void **state)
{
    (void)state;
    close(config.seal_fd);
    return 0;
}

static void key_is_one_request(void **state)
{
    (void)state;
    uint8_t key[32] = { 0 };
    uint8_t want[32];
    memset(want, 0x4b, sizeof(want));
    assert_ok(vault_guest_key(key, &config));
    assert_memory_equal(key, want, 32);
    assert_int_equal(shim.calls, 1);
    assert_int_equal(shim.keys, 1);
}

/* Each failure is passed on at once: asking again makes it worse. */
static void failures_are_told_and_not_repeated(void **state)
{
    (void)state;
    static const struct {
        struct shim_answer answer;
        const char *says;
    } rows[] = {
        { { ENOTTY, 0, 0 }, "attestation lost: relaunch the VM" },
        { { ETIMEDOUT, 0xff, 2 }, "errno 110" },
        { { EIO, 0x16, 0 }, "errno 5" },
        { { EBUSY, 0, 2 }, "errno 16" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint8_t key[32] = { 1 };
        const uint8_t kept[32] = { 1 };
        shim.script[0] = rows[i].answer;
        shim.n_script = 1;
        shim.calls = 0;
        assert_rc(vault_guest_key(key, &config), RC_STORE);
        if (!strstr(rc_text(), rows[i].says))
            fail_msg("want \"%s\" in: %s", rows[i].says, rc_text());
        assert_int_equal(shim.calls, 1);
        assert_memory_equal(key, kept, 32);
    }
}

static void refusal_of_the_firmware_is_no_key(void **state)
{
    (void)state;
    uint8_t key[32] = { 1 };
    const uint8_t kept[32] = { 1 };
    shim.status = 0x16;
    assert_rc(vault_guest_key(key, &config), RC_STORE);
    assert_memory_equal(key, kept, 32);
}

int main(void)
{
#define WITH(f) cmocka_unit_test_setup_teardown(f, load, unload)
    const struct CMUnitTest tests[] = {
        WITH(key_is_one_request),
        WITH(failures_are_told_and_not_repeated),
        WITH(refusal_of_the_firmware_is_no_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
