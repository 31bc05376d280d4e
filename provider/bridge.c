/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bridge's one ENGINE, made for the whole process when the first provider
 * context wants it, and the list of contexts that do.
 *
 * Nothing is ever registered for Ed25519. The engine is not in libcrypto's
 * list, offers its signing method to nobody who does not hold the engine, and
 * its two key methods stand under numbers of our own: our OID's, by which
 * files are read, and one without any OID, by which the reader finds the
 * method to give to the key. So keys of others never meet it, and there is no
 * moment at which they could.
 *
 * The engine is never freed: keys may live as long as the process, and no
 * code runs at exit. libcrypto points into this module from now on, which
 * therefore is linked with -z nodelete.
 */
#include "provider/bridge.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define OID      "1.3.6.1.4.1.32473.1.1"
#define OID_NAME "mpcKeyReference"

/* Guards what follows it, and make(); never held across I/O. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct prov *newest; /* then ->bridge_next, older ones */

/* The context whose decoder saw a bridge key last in this thread. */
static _Thread_local uint64_t offered_id;

/* ---- contexts ------------------------------------------------------------ */

void prov_release(struct prov *p)
{
    if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
        free(p);
}

void prov_bridge_down(struct prov *p)
{
    pthread_mutex_lock(&lock);
    for (struct prov **at = &newest; *at; at = &(*at)->bridge_next)
        if (*at == p) {
            *at = p->bridge_next;
            break;
        }
    pthread_mutex_unlock(&lock);
    atomic_store(&p->unloaded, true);
}

enum rc prov_bridge_home(struct prov **out)
{
    uint64_t id = offered_id;
    offered_id = 0;
    pthread_mutex_lock(&lock);
    struct prov *p = newest;
    while (p && p->bridge_id != id)
        p = p->bridge_next;
    if (!p)
        p = newest;
    if (p)
        atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&lock);
    if (p) {
        *out = p;
        return RC_OK;
    }
    enum rc rc = rc_raise(RC_ORDER, "legacy-bridge: the provider that a bridge "
                                    "key needs is not loaded");
    rc_hint("activate mpc with legacy-bridge = yes in openssl.cnf");
    return rc;
}

enum rc prov_bridge_usable(const struct bridge_key *k)
{
    if (!k)
        return rc_raise(RC_ARG, "legacy-bridge: this is no key of ours");
    if (!atomic_load(&k->home->unloaded))
        return RC_OK;
    enum rc rc = rc_raise(RC_ORDER,
                          "key %s: the provider it was loaded with has been "
                          "unloaded",
                          k->key->name);
    rc_hint("load the key again");
    return rc;
}

#ifdef BRIDGE_BUILT

/* ---- errors -------------------------------------------------------------- */

static int error_library;
static ERR_STRING_DATA error_strings[RC__COUNT + 1]; /* name, reasons, end */

/* Under the provider's name, with the provider's reasons. */
static void make_errors(void)
{
    error_library = ERR_get_next_error_library();
    size_t n = 0;
    error_strings[n++] = (ERR_STRING_DATA){ ERR_PACK(error_library, 0, 0),
                                            PROV_NAME };
    for (const OSSL_ITEM *r = prov_reasons(NULL); r->id; r++)
        error_strings[n++] = (ERR_STRING_DATA){ r->id, r->ptr };
    ERR_load_strings(error_library, error_strings);
}

int prov_bridge_fail(const char *func, enum rc rc)
{
    struct prov_words w;
    if (prov_decoder_keeps(rc))
        return 0;
    prov_words(&w);
    ERR_new();
    ERR_set_debug(w.file, w.line, func);
    ERR_set_error(error_library, (int)rc, "%s", w.text);
    return 0;
}

/* ---- the engine ---------------------------------------------------------- */

static bool made; /* all of it; behind the lock, as the list */
static uint64_t last_id;
static ENGINE *engine;
static EVP_PKEY_ASN1_METHOD *reader, *ameth;
static EVP_PKEY_METHOD *pmeth;
static int key_nids[2]; /* of reader and ameth */

ENGINE *prov_bridge_engine(void)
{
    return engine;
}

/* Called by libcrypto with its engine lock held: only answers. */
static int key_methods(ENGINE *e, EVP_PKEY_ASN1_METHOD **out, const int **nids,
                       int nid)
{
    (void)e;
    if (!out) {
        *nids = key_nids;
        return 2;
    }
    *out = nid == key_nids[0] ? reader : nid == key_nids[1] ? ameth : NULL;
    return *out != NULL;
}

static int sign_methods(ENGINE *e, EVP_PKEY_METHOD **out, const int **nids,
                        int nid)
{
    static const int ed25519 = EVP_PKEY_ED25519;
    (void)e;
    if (!out) {
        *nids = &ed25519;
        return 1;
    }
    *out = nid == ed25519 ? pmeth : NULL;
    return *out != NULL;
}

static bool make_nids(void)
{
    key_nids[0] = OBJ_txt2nid(OID);
    if (key_nids[0] == NID_undef)
        key_nids[0] = OBJ_create(OID, OID_NAME, OID_NAME);
    key_nids[1] = OBJ_new_nid(1);
    return key_nids[0] != NID_undef && key_nids[1] != NID_undef;
}

/*
 * Initialised once and for good: a host may forbid libcrypto to do that by
 * itself (ENGINE_set_table_flags). NO_REGISTER_ALL: were the engine ever listed, ENGINE_register_all_complete()
 * would give every Ed25519 key of the process to it.
 */
static bool make_engine(void)
{
    return (engine || (engine = ENGINE_new())) &&
           ENGINE_set_id(engine, "mpc-bridge") &&
           ENGINE_set_name(engine, "mpcsign legacy bridge") &&
           ENGINE_set_flags(engine, ENGINE_FLAGS_NO_REGISTER_ALL) &&
           ENGINE_set_pkey_meths(engine, sign_methods) &&
           ENGINE_set_pkey_asn1_meths(engine, key_methods) &&
           ENGINE_init(engine) && ENGINE_register_pkey_asn1_meths(engine);
}

/*
 * What could not be made stays NULL; the next context tries again. The engine
 * is registered last: from then on threads come in that never took the lock.
 */
static bool make(void)
{
    if (error_library == 0)
        make_errors();
    if (key_nids[1] == NID_undef && !make_nids())
        return false;
    if (!reader)
        reader = prov_bridge_reader_new(key_nids[0]);
    if (!ameth)
        ameth = prov_bridge_ameth_new();
    if (!pmeth)
        pmeth = prov_bridge_pmeth_new();
    return reader && ameth && pmeth && prov_bridge_key_index() && make_engine();
}

static void join(struct prov *p)
{
    p->bridge_id = ++last_id;
    p->bridge_next = newest;
    newest = p;
}

/*
 * Another libcrypto than ours would never ask our engine. Ours loads the
 * process's configuration as soon as an object identifier is looked at, and
 * that may well load this provider once more: so now, and not under the lock.
 */
void prov_bridge_up(struct prov *p)
{
    if (!p->host)
        return;
    OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
    pthread_mutex_lock(&lock);
    if (!made)
        made = make();
    if (made)
        join(p);
    pthread_mutex_unlock(&lock);
}

enum rc prov_bridge_offer(const struct prov *p)
{
    offered_id = p->bridge_id;
    if (p->bridge_id)
        return RC_OK;
    if (p->host)
        return rc_raise(RC_NOMEM, "legacy-bridge: could not be set up");
    enum rc rc = rc_raise(RC_ARG, "legacy-bridge: this program brings a "
                                  "libcrypto of its own");
    rc_hint("use the other form of reference: mpcsign key ref NAME");
    return rc;
}

#else

void prov_bridge_up(struct prov *p)
{
    (void)p;
}

enum rc prov_bridge_offer(const struct prov *p)
{
    (void)p;
    enum rc rc = rc_raise(RC_ARG, "legacy-bridge: this OpenSSL has no ENGINE, "
                                  "which the bridge is made of");
    rc_hint("set legacy-bridge = no; for CMS use mpcsign cms sign");
    return rc;
}

#endif
