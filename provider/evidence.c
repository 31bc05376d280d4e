/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The evidence bundle of a signature: remembered on its key, fetched from the
 * sidecar when somebody asks, and with evidence-dir written to a file before
 * the signature is handed out. Evidence that was asked for and can not be had
 * is a failure; what can be seen to fail is looked at before anything is
 * signed.
 */
#include "provider/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/own.h"

void prov_evidence_free(struct prov_evidence *e)
{
    if (e)
        free(e->bundle);
    free(e);
}

static enum rc dir_failed(const struct prov *p, const char *what, int why)
{
    enum rc rc = rc_raise(RC_IO, "evidence-dir %s: %s%s", p->evidence_dir, what,
                          strerror(why));
    rc_hint("make it writable for this process, or leave evidence-dir out of "
            "the provider's section of openssl.cnf");
    return rc;
}

enum rc prov_evidence_begin(struct prov_evidence **out, const struct prov *p)
{
    if (p->evidence_dir[0] &&
        faccessat(AT_FDCWD, p->evidence_dir, W_OK | X_OK, AT_EACCESS) != 0)
        return dir_failed(p, "nothing signed: ", errno);
    *out = calloc(1, sizeof(**out));
    return *out ? RC_OK : rc_raise(RC_NOMEM, "evidence");
}

/* The sidecar keeps it for a while, by session. */
static enum rc fetch(struct prov_evidence *e, const struct prov_key *k)
{
    char session[65];
    struct prov_reply r;
    TRY(prov_ask_bundle(&r, k->prov, enc_hex(session, e->session, 32)));
    OWNED_MEM uint8_t *body = r.body;
    WIRE(bundle) b = { 0 };
    enum rc rc = wire_bundle_decode(&b, (const char *)body, r.len);
    if (rc != RC_OK) {
        rc = rc_prefix(rc, "sidecar's evidence: ");
        rc_hint("provider and sidecar are of different versions? see mpcsign "
                "doctor");
        return rc;
    }
    if (memcmp(b.signature, e->signature, sizeof(b.signature)) != 0 ||
        memcmp(b.group_key, k->pub, sizeof(k->pub)) != 0) {
        rc = rc_raise(RC_CONFLICT, "evidence: of another signature");
        rc_hint("ask for it before the session signs again");
        return rc;
    }
    e->bundle = TAKE(body);
    e->len = r.len;
    return RC_OK;
}

static enum rc write_file(const struct prov_evidence *e, const struct prov *p)
{
    uint8_t digest[HASH256_LEN];
    char hex[ENC_HEX_SIZE(HASH256_LEN)];
    char path[sizeof(p->evidence_dir) + sizeof(hex) + 16];
    hash256(digest, e->signature, sizeof(e->signature));
    snprintf(path, sizeof(path), "%s/%s.mpc.json", p->evidence_dir,
             enc_hex(hex, digest, sizeof(digest)));
    return file_write(path, e->bundle, e->len, 0644);
}

static enum rc to_dir(struct prov_evidence *e, const struct prov_key *k)
{
    if (!k->prov->evidence_dir[0])
        return RC_OK;
    enum rc rc = fetch(e, k);
    if (rc == RC_OK)
        rc = write_file(e, k->prov);
    if (rc == RC_OK)
        return RC_OK;
    rc = rc_prefix(rc, "evidence-dir %s: signed, and not handed out: ",
                   k->prov->evidence_dir);
    if (!rc_hint_text()[0])
        rc_hint("see to that directory and sign again, or leave evidence-dir "
                "out of the provider's section of openssl.cnf");
    return rc;
}

/*
 * The newest stays on the key. Its holder of the moment has it alone, taken
 * out by an exchange: so no lock is needed, and a fork finds none held.
 */
static void put_back(struct prov_key *k, struct prov_evidence *e)
{
    struct prov_evidence *none = NULL;
    if (!atomic_compare_exchange_strong(&k->last, &none, e))
        prov_evidence_free(e); /* there is a newer one */
}

enum rc prov_evidence_end(struct prov_evidence *e, struct prov_key *k,
                          const struct wire_signed *s)
{
    memcpy(e->session, s->session, sizeof(e->session));
    memcpy(e->signature, s->signature, sizeof(e->signature));
    enum rc rc = to_dir(e, k);
    if (rc == RC_OK)
        prov_evidence_free(atomic_exchange(&k->last, e));
    else
        prov_evidence_free(e);
    return rc;
}

enum rc prov_evidence_bundle(struct prov_key *k, prov_evidence_fn *take,
                             void *arg)
{
    struct prov_evidence *e = atomic_exchange(&k->last, NULL);
    if (!e)
        return RC_OK;
    enum rc rc = e->bundle ? RC_OK : fetch(e, k);
    if (rc == RC_OK)
        rc = take(arg, e->bundle, e->len);
    put_back(k, e);
    return rc;
}

bool prov_evidence_session(char out[65], struct prov_key *k)
{
    struct prov_evidence *e = atomic_exchange(&k->last, NULL);
    if (!e)
        return false;
    enc_hex(out, e->session, sizeof(e->session));
    put_back(k, e);
    return true;
}
