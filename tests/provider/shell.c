/* SPDX-License-Identifier: Apache-2.0 */
/* Shell lines with mpc.so; see shell.h. */
#include "shell.h"

#include <sys/wait.h>

#include "base/file.h"
#include "base/own.h"

struct fake fake;

int shell_up(void **state)
{
    (void)state;
    fake_start(&fake);
    return 0;
}

int shell_down(void **state)
{
    (void)state;
    fake_stop(&fake);
    return 0;
}

int sh(const char *conf, const char *fmt, ...)
{
    char line[1024], whole[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    int n = snprintf(whole, sizeof(whole),
                     "cd %s && unset TEE_POLICY_HASH MPC_SESSION && "
                     "export OPENSSL_MODULES=%s OPENSSL_CONF=%s "
                     "MPC_SIDECAR=%s && { %s ; } >out 2>err",
                     fake.dir, MODULES, conf, fake.path, line);
    assert_true(n > 0 && (size_t)n < sizeof(whole));
    int status = system(whole);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

char *text_of(const char *name)
{
    char path[160];
    uint8_t *text;
    size_t len;
    snprintf(path, sizeof(path), "%s/%s", fake.dir, name);
    assert_ok(file_read(&text, &len, path, 1 << 20));
    return (char *)text;
}

void file_of(const char *name, size_t len)
{
    uint8_t *p = malloc(len + 1);
    assert_non_null(p);
    memset(p, 'x', len + 1);
    fake_file(&fake, name, p, len);
    free(p);
}

/* Lines of `err` that hold an OpenSSL error. */
static unsigned error_lines(const char *err)
{
    unsigned n = 0;
    for (const char *at = err; (at = strstr(at, ":error:")); at++)
        n++;
    return n;
}

void assert_one_error(const char *words)
{
    OWNED_MEM char *err = text_of("err");
    if (error_lines(err) != 1 || !strstr(err, words))
        fail_msg("want one error with \"%s\", got:\n%s", words, err);
}
