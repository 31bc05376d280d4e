/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signatures of one session. A key that is made for it comes first, then
 * its certificate, both while the key surely lives; then each kind once. What
 * the sidecar answers is verified here before anything is made of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "cli/cms.h"
#include "cli/sign.h"
#include "cli/sigstore.h"

#define WAIT_MS 15000 /* the nodes try again until then */
#define KEY_MS  30000 /* to make one */

/* ---- the key ------------------------------------------------------------- */

static enum rc ask_made(struct wire_key *out, const struct sign *g)
{
    char path[256];
    struct http_answer a;
    snprintf(path, sizeof(path), "/v1/key/%.64s?session=%s", g->profile, g->id);
    TRY(cli_ask(&a, NULL, path, NULL, 0, KEY_MS));
    enum rc rc = wire_key_decode(out, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    return rc;
}

enum rc sign_key(const struct sign *g)
{
    WIRE(key) key = { 0 };
    char hex[65];
    if (!g->ephemeral)
        return RC_OK;
    struct progress *p = progress_begin("the nodes make a key for this "
                                        "session");
    enum rc rc = ask_made(&key, g);
    progress_end(p);
    TRY(rc);
    if (!key.epoch)
        return rc_raise(RC_UNKNOWN, "key %s: session %.8s has none", g->profile,
                        g->id);
    cli_note("key %.16s… made for session %.8s",
             enc_hex(hex, key.group_key, 32), g->id);
    return RC_OK;
}

/* ---- its certificate ----------------------------------------------------- */

/* With --bundle alone a key without certificates is no failure. */
static enum rc get_chain(struct sign *g)
{
    bool need = g->out[SIGN_CERT].path || g->want[POLICY_CMS] ||
                g->want[POLICY_DSSE];
    if (!need && !g->out[SIGN_BUNDLE].path)
        return RC_OK;
    struct progress *p = progress_begin("the CA certifies the key");
    enum rc rc = cli_ask_chain(&g->chain, g->profile, g->id);
    progress_end(p);
    return !need && rc == RC_POLICY ? RC_OK : rc;
}

static enum rc put_chain(struct sign *g)
{
    struct sign_file *f = &g->out[SIGN_CERT];
    if (!f->path)
        return RC_OK;
    char *pem = NULL;
    TRY(cli_chain_pem(&pem, &f->len, &g->chain));
    f->bytes = (uint8_t *)pem;
    return RC_OK;
}

/* ---- kinds --------------------------------------------------------------- */

static enum rc make_raw(struct sign *g)
{
    struct wire_signed *s = &g->made[POLICY_RAW];
    struct sign_file *f = &g->out[SIGN_SIG];
    const struct cli_content *c = &g->content;
    TRY(cli_ask_sign(s, NULL, g->profile, g->id, c->bytes, c->size, WAIT_MS));
    if (crypto_sign_verify_detached(s->signature, c->bytes, c->size,
                                    s->group_key) != 0)
        return rc_raise(RC_VERIFY, "the sidecar's signature does not verify");
    if (!f->path)
        return RC_OK;
    f->bytes = malloc(sizeof(s->signature));
    if (!f->bytes)
        return rc_raise(RC_NOMEM, "signature: out of memory");
    memcpy(f->bytes, s->signature, sizeof(s->signature));
    f->len = sizeof(s->signature);
    return RC_OK;
}

/* Read back, as whoever gets the file will read it. */
static enum rc judge_cms(const struct sign *g, const struct sign_file *f)
{
    OWNED(CMS_ContentInfo) *cms = NULL;
    struct cms_signer signer;
    TRY(cms_read(&cms, f->bytes, f->len));
    TRY(cms_judge_signature(&signer, cms));
    cms_signer_free(&signer);
    return cms_judge_digest(cms, g->content.sha512);
}

static enum rc make_cms(struct sign *g)
{
    struct sign_file *f = &g->out[SIGN_CMS];
    OWNED(CMS_ContentInfo) *cms = NULL;
    struct cli_content detached = g->content;
    detached.bytes = NULL;
    TRY(cms_make(&cms, &g->made[POLICY_CMS], g->profile, g->id, &g->chain,
                 &detached));
    TRY(cms_write(&f->bytes, &f->len, cms, NULL));
    return judge_cms(g, f);
}

/* A statement about the file, and its entry in the log; verified there. */
static enum rc make_dsse(struct sign *g)
{
    struct sign_file *f = &g->out[SIGN_STORE];
    char *json = NULL;
    TRY(sigstore_sign(&g->made[POLICY_DSSE], &json, &f->len, g->file,
                      &g->content, g->profile, g->id, &g->chain, WAIT_MS));
    f->bytes = (uint8_t *)json;
    return RC_OK;
}

/* One key, one session: anything else was not what we asked for. */
static enum rc check_made(const struct sign *g, enum policy_kind kind)
{
    const struct wire_signed *s = &g->made[kind];
    const struct wire_signed *first = &g->made[sign_first(g)];
    if (memcmp(s->session, g->session.id, 32) != 0)
        return rc_raise(RC_VERIFY, "slot %s: signed in another session",
                        policy_kind_name(kind));
    if (memcmp(s->group_key, first->group_key, 32) != 0)
        return rc_raise(RC_VERIFY, "slot %s: signed by another key than %s",
                        policy_kind_name(kind),
                        policy_kind_name(sign_first(g)));
    return RC_OK;
}

static enum rc make_kind(struct sign *g, enum policy_kind kind)
{
    if (!g->want[kind])
        return RC_OK;
    struct progress *p = progress_begin("the nodes sign");
    enum rc rc = kind == POLICY_RAW   ? make_raw(g)
                 : kind == POLICY_CMS ? make_cms(g)
                                      : make_dsse(g);
    progress_end(p);
    TRY(rc);
    return check_made(g, kind);
}

enum rc sign_make(struct sign *g)
{
    TRY(get_chain(g));
    TRY(put_chain(g));
    TRY(make_kind(g, POLICY_RAW));
    TRY(make_kind(g, POLICY_CMS));
    return make_kind(g, POLICY_DSSE);
}
