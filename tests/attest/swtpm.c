/* SPDX-License-Identifier: Apache-2.0 */
#include "swtpm.h"

#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_tcti_swtpm.h>

#include "attest/vtpm.h"
#include "simulator.h"

#define NO       ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE
#define EMPTY    ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE
#define START_MS 20000
#define STEP_US  10000

/* ---- the program ------------------------------------------------------- */

static bool answers(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
    close(fd);
    return ok;
}

/* Its control socket takes callers one after another from the start on. */
static void wait_ready(struct swtpm *s)
{
    char ctrl[96];
    snprintf(ctrl, sizeof(ctrl), "%s.ctrl", s->socket);
    for (unsigned left = START_MS * 1000 / STEP_US; left > 0; left--) {
        int status;
        if (answers(ctrl))
            return;
        if (waitpid(s->pid, &status, WNOHANG) == s->pid)
            fail_msg("swtpm ended with status 0x%x: is it installed?", status);
        usleep(STEP_US);
    }
    fail_msg("swtpm: no socket after %d ms", START_MS);
}

static void run(const struct swtpm *s)
{
    char state[96];
    char server[128];
    char ctrl[128];
    snprintf(state, sizeof(state), "dir=%s", s->dir);
    snprintf(server, sizeof(server), "type=unixio,path=%s", s->socket);
    snprintf(ctrl, sizeof(ctrl), "type=unixio,path=%s.ctrl", s->socket);
    /* it tells of each caller that left */
    if (!freopen("/dev/null", "w", stdout) ||
        !freopen("/dev/null", "w", stderr))
        _exit(126);
    execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state,
           "--server", server, "--ctrl", ctrl, "--flags",
           "not-need-init,startup-clear", NULL);
    _exit(127);
}

void swtpm_must_be_here(void)
{
    char *const argv[] = { (char *)(uintptr_t) "/usr/bin/env",
                           (char *)(uintptr_t) "swtpm",
                           (char *)(uintptr_t) "--version", NULL };
    if (run_program(argv, NULL, 0) != 0)
        fail_msg("there is no swtpm: install it (.ci/packages)");
}

void swtpm_start(struct swtpm *s)
{
    memset(s, 0, sizeof(*s));
    /* errors we provoke: libtss2 tells of each on stderr */
    setenv("TSS2_LOG", "all+NONE", 0);
    strcpy(s->dir, "/tmp/mpc-tpm-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->socket, sizeof(s->socket), "%s/sock", s->dir);
    snprintf(s->device, sizeof(s->device), "swtpm:path=%s", s->socket);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0)
        run(s);
    wait_ready(s);
}

void swtpm_stop(struct swtpm *s)
{
    static const char *const names[] = { "sock", "sock.ctrl", ".lock",
                                         "tpm2-00.permall",
                                         "tpm2-00.volatilestate" };
    int status;
    assert_true(s->pid > 0); /* kill(0) would be ourselves */
    assert_int_equal(kill(s->pid, SIGTERM), 0);
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", s->dir, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(s->dir), 0);
}

/* ---- its owner --------------------------------------------------------- */

struct owner {
    TSS2_TCTI_CONTEXT *tcti;
    ESYS_CONTEXT *esys;
};

static struct owner enter(struct swtpm *s)
{
    struct owner o = { 0 };
    size_t size = 0;
    const char *conf = s->device + strlen("swtpm:");
    assert_int_equal(Tss2_Tcti_Swtpm_Init(NULL, &size, conf), 0);
    o.tcti = calloc(1, size);
    assert_non_null(o.tcti);
    assert_int_equal(Tss2_Tcti_Swtpm_Init(o.tcti, &size, conf), 0);
    assert_int_equal(Esys_Initialize(&o.esys, o.tcti, NULL), 0);
    return o;
}

static void leave(struct owner *o)
{
    Esys_Finalize(&o->esys);
    Tss2_Tcti_Finalize(o->tcti);
    free(o->tcti);
}

/* ---- keys -------------------------------------------------------------- */

/* The same number gives the same key: a primary is derived. */
static ESYS_TR primary(struct owner *o, uint8_t n[256], uint8_t number)
{
    ESYS_TR key;
    TPM2B_PUBLIC *pub = NULL;
    const TPM2B_SENSITIVE_CREATE none = { .size = 0 };
    const TPM2B_DATA outside = { .size = 0 };
    const TPML_PCR_SELECTION pcrs = { .count = 0 };
    TPM2B_PUBLIC in = { .publicArea = {
                                .type = TPM2_ALG_RSA,
                                .nameAlg = TPM2_ALG_SHA256,
                                .objectAttributes =
                                        TPMA_OBJECT_RESTRICTED |
                                        TPMA_OBJECT_SIGN_ENCRYPT |
                                        TPMA_OBJECT_FIXEDTPM |
                                        TPMA_OBJECT_FIXEDPARENT |
                                        TPMA_OBJECT_SENSITIVEDATAORIGIN |
                                        TPMA_OBJECT_USERWITHAUTH,
                        } };
    TPMS_RSA_PARMS *rsa = &in.publicArea.parameters.rsaDetail;
    rsa->symmetric.algorithm = TPM2_ALG_NULL;
    rsa->scheme.scheme = number == SWTPM_PSS ? TPM2_ALG_RSAPSS
                                             : TPM2_ALG_RSASSA;
    rsa->scheme.details.rsassa.hashAlg = TPM2_ALG_SHA256;
    rsa->keyBits = 2048;
    in.publicArea.unique.rsa.size = 256;
    in.publicArea.unique.rsa.buffer[0] = number;
    assert_int_equal(Esys_CreatePrimary(o->esys, ESYS_TR_RH_OWNER, EMPTY, &none,
                                        &in, &outside, &pcrs, &key, &pub, NULL,
                                        NULL, NULL),
                     0);
    assert_int_equal(pub->publicArea.unique.rsa.size, 256);
    if (n)
        memcpy(n, pub->publicArea.unique.rsa.buffer, 256);
    Esys_Free(pub);
    return key;
}

static void empty_handle(struct owner *o)
{
    ESYS_TR was;
    if (Esys_TR_FromTPMPublic(o->esys, ATTEST_VTPM_AK, NO, &was) == 0)
        assert_int_equal(Esys_EvictControl(o->esys, ESYS_TR_RH_OWNER, was,
                                           EMPTY, ATTEST_VTPM_AK, &was),
                         0);
}

static void put_at_handle(struct owner *o, ESYS_TR key)
{
    ESYS_TR was;
    assert_int_equal(Esys_EvictControl(o->esys, ESYS_TR_RH_OWNER, key, EMPTY,
                                       ATTEST_VTPM_AK, &was),
                     0);
    Esys_TR_Close(o->esys, &was);
}

void swtpm_ak(struct swtpm *s, uint8_t n[256], uint8_t number, bool persist)
{
    struct owner o = enter(s);
    if (persist)
        empty_handle(&o);
    if (number) {
        ESYS_TR key = primary(&o, n, number);
        if (persist)
            put_at_handle(&o, key);
        assert_int_equal(Esys_FlushContext(o.esys, key), 0);
    }
    leave(&o);
}

void swtpm_quote(struct swtpm *s, uint8_t number, const uint8_t extra[32],
                 uint8_t *quote, size_t *quote_len, uint8_t *sig,
                 size_t *sig_len)
{
    struct owner o = enter(s);
    ESYS_TR key = primary(&o, NULL, number);
    TPM2B_DATA data = { .size = 32 };
    TPM2B_ATTEST *said = NULL;
    TPMT_SIGNATURE *by = NULL;
    const TPMT_SIG_SCHEME scheme = { .scheme = TPM2_ALG_NULL };
    const TPML_PCR_SELECTION pcrs = { .count = 0 };
    memcpy(data.buffer, extra, 32);
    assert_int_equal(
            Esys_Quote(o.esys, key, EMPTY, &data, &scheme, &pcrs, &said, &by),
            0);
    memcpy(quote, said->attestationData, said->size);
    *quote_len = said->size;
    *sig_len = 0;
    assert_int_equal(Tss2_MU_TPMT_SIGNATURE_Marshal(by, sig, 1024, sig_len), 0);
    Esys_Free(said);
    Esys_Free(by);
    assert_int_equal(Esys_FlushContext(o.esys, key), 0);
    leave(&o);
}

/* ---- the NV index ------------------------------------------------------ */

static void undefine(struct owner *o)
{
    ESYS_TR nv;
    if (Esys_TR_FromTPMPublic(o->esys, ATTEST_VTPM_NV, NO, &nv) == 0)
        assert_int_equal(
                Esys_NV_UndefineSpace(o->esys, ESYS_TR_RH_OWNER, nv, EMPTY), 0);
}

static ESYS_TR define(struct owner *o, size_t len)
{
    ESYS_TR nv;
    const TPM2B_AUTH none = { .size = 0 };
    const TPM2B_NV_PUBLIC pub = { .nvPublic = {
                                          .nvIndex = ATTEST_VTPM_NV,
                                          .nameAlg = TPM2_ALG_SHA256,
                                          .attributes = TPMA_NV_OWNERREAD |
                                                        TPMA_NV_OWNERWRITE,
                                          .dataSize = (uint16_t)len,
                                  } };
    assert_int_equal(Esys_NV_DefineSpace(o->esys, ESYS_TR_RH_OWNER, EMPTY,
                                         &none, &pub, &nv),
                     0);
    return nv;
}

void swtpm_blob(struct swtpm *s, const uint8_t *p, size_t len)
{
    struct owner o = enter(s);
    undefine(&o);
    if (len > 0) {
        ESYS_TR nv = define(&o, len);
        for (size_t at = 0; at < len;) {
            TPM2B_MAX_NV_BUFFER part = { .size = (uint16_t)(len - at) };
            if (len - at > 512)
                part.size = 512;
            memcpy(part.buffer, p + at, part.size);
            assert_int_equal(Esys_NV_Write(o.esys, ESYS_TR_RH_OWNER, nv, EMPTY,
                                           &part, (uint16_t)at),
                             0);
            at += part.size;
        }
    }
    leave(&o);
}
