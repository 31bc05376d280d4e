/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vTPM in the table of guest devices. It derives no keys. A TPM without
 * Azure's blob is found out when the device is opened. Public data only.
 */
#include "attest/backend.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "attest/vtpm.h"

static enum rc open_as(struct attest_guest *g, const char *device)
{
    struct attest_vtpm *v = NULL;
    struct wire_blob blob = { 0 };
    bool simulated;
    TRY(attest_vtpm_open(&v, &simulated, device));
    g->own = v;
    assert(simulated == g->backend->simulated); /* the longer name goes first */
    TRY(attest_vtpm_blob(&blob, v, ATTEST_HCL_MAX));
    struct attest_hcl hcl;
    enum rc rc = attest_hcl_read(&hcl, blob.p, blob.len);
    free(blob.p);
    return rc;
}

static enum rc vtpm_open(struct attest_guest *g, const char *argument)
{
    return open_as(g, argument ? argument : "");
}

static enum rc vtpm_report(struct wire_evidence *out, struct attest_guest *g,
                           const uint8_t data[64])
{
    return attest_vtpm_report(out, g->own, data, g->genesis);
}

static void vtpm_close(struct attest_guest *g)
{
    attest_vtpm_close(g->own);
}

const struct attest_backend attest_backend_vtpm = {
    .name = "azure-vtpm",
    .optional = true,
    .automatic = true,
    .indirect = true,
    .open = vtpm_open,
    .report = vtpm_report,
    .close = vtpm_close,
};

#ifdef MPC_SIMULATED_TEE
#define SWTPM "swtpm:"

/* As libtss2 has it, or a socket's path alone. */
static enum rc swtpm_open(struct attest_guest *g, const char *argument)
{
    char device[1024];
    int n = snprintf(device, sizeof(device), SWTPM "%s%s",
                     argument[0] == '/' ? "path=" : "", argument);
    if (n < 0 || (size_t)n >= sizeof(device))
        return rc_raise(RC_ARG, "azure-vtpm: a name of %d bytes", n);
    return open_as(g, device);
}

const struct attest_backend attest_backend_swtpm = {
    .name = "azure-vtpm:" SWTPM,
    .simulated = true,
    .indirect = true,
    .open = swtpm_open,
    .report = vtpm_report,
    .close = vtpm_close,
};
#endif
