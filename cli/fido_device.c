/* SPDX-License-Identifier: Apache-2.0 */
/* Which security key, and what its refusals mean. */
#include "cli/fido.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/session.h"

#define DEVICES_MAX 8
#define OPEN_MS     60000 /* for a person to find it and touch it */

void fido_dev_close_free(fido_dev_t *dev)
{
    (void)fido_dev_close(dev);
    fido_dev_free(&dev);
}

/* ---- failures ----------------------------------------------------------- */

/* clang-format off */
static const struct {
    int code;
    enum rc rc;
    const char *what;
    const char *hint;
} failures[] = {
    { FIDO_ERR_NO_CREDENTIALS, RC_UNKNOWN, "it holds no credential of this person",
      "plug in the key that was enrolled; mpcsign policy show lists credentials" },
    { FIDO_ERR_ACTION_TIMEOUT, RC_TIMEOUT, "nobody touched it in time", "try again and touch it when it blinks" },
    { FIDO_ERR_USER_ACTION_TIMEOUT, RC_TIMEOUT, "nobody touched it in time", "try again and touch it when it blinks" },
    { FIDO_ERR_TIMEOUT, RC_TIMEOUT, "it did not answer in time", "unplug it, plug it in again" },
    { FIDO_ERR_OPERATION_DENIED, RC_AUTH, "its user refused", "" },
    { FIDO_ERR_KEEPALIVE_CANCEL, RC_AUTH, "it was cancelled", "" },
    { FIDO_ERR_PIN_INVALID, RC_AUTH, "wrong PIN", "too many wrong ones block the key for good" },
    { FIDO_ERR_PIN_AUTH_BLOCKED, RC_AUTH, "too many wrong PINs in a row", "unplug it, plug it in again" },
    { FIDO_ERR_PIN_BLOCKED, RC_AUTH, "its PIN is blocked for good",
      "only a reset helps, which erases its credentials: use a spare key and have this one revoked" },
    { FIDO_ERR_PIN_NOT_SET, RC_AUTH, "it has no PIN, and cannot verify its user otherwise",
      "set one with: fido2-token -S DEVICE" },
    { FIDO_ERR_PIN_REQUIRED, RC_AUTH, "it wants its PIN", "" },
    { FIDO_ERR_UV_BLOCKED, RC_AUTH, "its fingerprint reader is blocked", "unlock it with its PIN, by fido2-token" },
    { FIDO_ERR_UV_INVALID, RC_AUTH, "it did not recognise its user", "try again" },
    { FIDO_ERR_UNSUPPORTED_OPTION, RC_AUTH, "it cannot verify its user (U2F only)", "use a FIDO2 key" },
    { FIDO_ERR_CREDENTIAL_EXCLUDED, RC_EXISTS, "it is enrolled already", "" },
    { FIDO_ERR_TX, RC_IO, "it does not answer", "unplug it, plug it in again" },
    { FIDO_ERR_RX, RC_IO, "it does not answer", "unplug it, plug it in again" },
};
/* clang-format on */

static void hint_tries(int code, fido_dev_t *dev)
{
    int left;
    if (code == FIDO_ERR_PIN_INVALID && dev &&
        fido_dev_get_retry_count(dev, &left) == FIDO_OK)
        rc_hint("%d tries left, then it is blocked for good", left);
}

enum rc fido_failed(int code, const char *doing, fido_dev_t *dev)
{
    for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
        if (failures[i].code != code)
            continue;
        enum rc rc = rc_raise(failures[i].rc, "security key, %s: %s", doing,
                              failures[i].what);
        if (*failures[i].hint)
            rc_hint("%s", failures[i].hint);
        hint_tries(code, dev);
        return rc;
    }
    return rc_raise(RC_IO, "security key, %s: %s (%d)", doing,
                    fido_strerr(code), code);
}

/* ---- finding ------------------------------------------------------------ */

static enum rc none(void)
{
    enum rc rc = rc_raise(RC_UNKNOWN, "no security key is plugged in");
    rc_hint("plug one in; it needs a udev rule that lets you use it");
    return rc;
}

/* Several: which one the person at the terminal means. */
static enum rc choose(size_t *out, const fido_dev_info_t *list, size_t n)
{
    char answer[8];
    int64_t k;
    for (size_t i = 0; i < n; i++) {
        const fido_dev_info_t *d = fido_dev_info_ptr(list, i);
        fprintf(stderr, "  %zu  %s %s, %s\n", i + 1,
                fido_dev_info_manufacturer_string(d),
                fido_dev_info_product_string(d), fido_dev_info_path(d));
    }
    if (!prompt_possible())
        return rc_raise(RC_ARG, "--device auto: %zu are plugged in, name one",
                        n);
    TRY(prompt_line(answer, sizeof(answer), "Which one?"));
    TRY(cli_number(&k, "answer", answer, 1, (int64_t)n));
    *out = (size_t)k - 1;
    return RC_OK;
}

static enum rc pick(char path[CLI_PATH], const fido_dev_info_t *list, size_t n)
{
    size_t k = 0;
    if (n == 0)
        return none();
    if (n > 1)
        TRY(choose(&k, list, n));
    snprintf(path, CLI_PATH, "%s",
             fido_dev_info_path(fido_dev_info_ptr(list, k)));
    return RC_OK;
}

static enum rc find(char path[CLI_PATH])
{
    size_t n = 0;
    fido_dev_info_t *list = fido_dev_info_new(DEVICES_MAX);
    if (!list)
        return rc_raise(RC_NOMEM, "security keys: out of memory");
    int code = fido_dev_info_manifest(list, DEVICES_MAX, &n);
    enum rc rc = code == FIDO_OK ? pick(path, list, n)
                                 : fido_failed(code, "looking for one", NULL);
    fido_dev_info_free(&list, DEVICES_MAX);
    return rc;
}

/* ---- opening ------------------------------------------------------------ */

#ifdef MPC_SIMULATED_TEE
bool fido_is_soft(const char *device)
{
    return strncmp(device, FIDO_SOFT, sizeof(FIDO_SOFT) - 1) == 0;
}

static enum rc attach(fido_dev_t *dev, const char **path)
{
    if (!fido_is_soft(*path))
        return RC_OK;
    *path += sizeof(FIDO_SOFT) - 1;
    return fido_soft_attach(dev, *path);
}
#else
bool fido_is_soft(const char *device)
{
    (void)device;
    return false;
}

static enum rc attach(fido_dev_t *dev, const char **path)
{
    (void)dev;
    (void)path;
    return RC_OK;
}
#endif

enum rc fido_open(fido_dev_t **out, const char *device)
{
    char found[CLI_PATH];
    const char *path = device;
    fido_init(0);
    if (strcmp(device, FIDO_NAME) == 0) {
        TRY(find(found));
        path = found;
    }
    OWNED(fido_dev_t) *dev = fido_dev_new();
    if (!dev)
        return rc_raise(RC_NOMEM, "security key: out of memory");
    TRY(attach(dev, &path));
    int code = fido_dev_open(dev, path);
    if (code != FIDO_OK) {
        enum rc rc = rc_raise(RC_UNKNOWN,
                              "%s: no security key opens there (%s)", device,
                              fido_strerr(code));
        rc_hint("--device auto finds the one that is plugged in");
        return rc;
    }
    (void)fido_dev_set_timeout(dev, OPEN_MS);
    *out = TAKE(dev);
    return RC_OK;
}
