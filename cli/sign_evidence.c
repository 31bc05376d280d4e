/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The evidence of what was signed, and the verdict on it, before anything is
 * said to be done.
 */
#include <stdio.h>
#include <string.h>

#include "cli/sign.h"

#define BUNDLE_MS 10000

static enum rc ask_bundle(struct wire_bundle *out, const struct sign *g)
{
    char path[128];
    struct http_answer a;
    snprintf(path, sizeof(path), "/v1/bundle/%s", g->id);
    TRY(cli_ask(&a, NULL, path, NULL, 0, BUNDLE_MS));
    enum rc rc = wire_bundle_decode(out, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    return rc;
}

/* The sidecar leaves the chain out: certificates are the caller's wish. */
static enum rc put_chain(struct wire_bundle *b, const struct wire_chain *chain)
{
    if (b->chain.n || chain->chain.n == 0)
        return RC_OK;
    TRY(wire_list_new(&b->chain, chain->chain.n));
    for (size_t i = 0; i < chain->chain.n; i++)
        TRY(wire_blob_set(&b->chain.at[i], chain->chain.at[i].p,
                          chain->chain.at[i].len));
    return RC_OK;
}

enum rc sign_evidence(struct sign *g)
{
    struct sign_file *f = &g->out[SIGN_BUNDLE];
    WIRE(bundle) b = { 0 };
    char *json = NULL;
    if (!f->path)
        return RC_OK;
    TRY(ask_bundle(&b, g));
    if (memcmp(b.signature, g->made[sign_first(g)].signature, 64) != 0)
        return rc_raise(RC_CONFLICT, "bundle: of another signature of this "
                                     "session");
    TRY(put_chain(&b, &g->chain));
    TRY(wire_bundle_encode(&json, &f->len, &b));
    f->bytes = (uint8_t *)json;
    return RC_OK;
}
