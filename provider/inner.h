/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the provider room: what its files share. The module lives in other
 * people's processes, so: no threads, no lock across I/O, no byte on stderr,
 * no state beyond the provider context and the objects handed out.
 *
 * Nothing here is secret. A key is a name and a public key; the private half
 * exists nowhere.
 */
#ifndef PROVIDER_INNER_H
#define PROVIDER_INNER_H

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"
#include "wire/wire.h"

#define PROV_NAME            "mpc"
#define PROV_SIDECAR_DEFAULT "/run/mpc/sidecar.sock"
#define PROV_PATH_SIZE       108 /* sun_path */
#define PROV_SIDECARS_SIZE   512
#define PROV_POLICY_SIZE     4096
#define PROV_DIR_SIZE        1024
#define PROV_KEY_NAMES       "ED25519:1.3.101.112"
#define PROV_PROPS           "provider=mpc"
#define PROV_PUB_LEN         32
#define PROV_SIG_LEN         64
#define PROV_SPKI_LEN        (12 + PROV_PUB_LEN)

/* One table of functions has entries of every shape: OpenSSL's own way. */
#define PROV_ENTRY(id, fn)                                                     \
    {                                                                          \
        (id), (void (*)(void))(fn)                                             \
    }
#define PROV_TABLE_END                                                         \
    {                                                                          \
        0, NULL                                                                \
    }

/* The host's functions that we call, NULL where it has none. */
struct prov_core {
    OSSL_FUNC_core_get_params_fn *get_params;
    OSSL_FUNC_core_new_error_fn *new_error;
    OSSL_FUNC_core_set_error_debug_fn *set_error_debug;
    OSSL_FUNC_core_vset_error_fn *vset_error;
    OSSL_FUNC_core_set_error_mark_fn *set_error_mark;
    OSSL_FUNC_core_clear_last_error_mark_fn *clear_error_mark;
    OSSL_FUNC_core_pop_error_to_mark_fn *pop_error_mark;
    OSSL_FUNC_BIO_read_ex_fn *bio_read;
    OSSL_FUNC_BIO_gets_fn *bio_gets;
    OSSL_FUNC_BIO_write_ex_fn *bio_write;
};

/* The provider context: one per OSSL_LIB_CTX it is loaded in. */
struct prov {
    const OSSL_CORE_HANDLE *handle;
    const OSSL_DISPATCH *dispatch; /* the host's, for the child libctx */
    struct prov_core core;
    OSSL_LIB_CTX *host; /* NULL where it is not of our libcrypto */
    char sidecar[PROV_SIDECARS_SIZE]; /* socket paths, comma between */
    char want[PROV_POLICY_SIZE];      /* TEE_POLICY_HASH, or "" when unset */
    unsigned timeout_s;               /* for one request, all of it */
    bool legacy_bridge;               /* PKCS#8 references are the bridge's */
    bool decode_public;               /* all Ed25519 public keys are ours */
    char evidence_dir[PROV_DIR_SIZE]; /* "": evidence is not written */
    uint64_t bridge_id;               /* 0 when it is not on the bridge */
    struct prov *bridge_next;         /* bridge.c's */
    atomic_bool unloaded;             /* the host has no more of us */
    atomic_uint refs;                 /* the host's, and each bridge key's */
    enum rc unusable;                 /* RC_OK, or what is wrong with these */
    char why[256];
    atomic_int child_state;
    _Atomic(OSSL_LIB_CTX *) child; /* made at the first verification */
};

/*
 * Reads configuration and environment. A mistake there must not keep the
 * host's other providers from loading: it is kept and told when a key is used.
 */
void prov_settings(struct prov *p);
/* What prov_settings() found wrong, raised again. */
MUST_CHECK enum rc prov_usable(const struct prov *p);

/* ---- errors: err.c ------------------------------------------------------ */

/*
 * Put the last rc_raise() of this thread on the host's error queue, as one
 * line: reason, then text and hint. Returns 0, so that a dispatch function
 * can `return prov_fail(p, __func__, rc)`.
 */
int prov_fail(const struct prov *p, const char *func, enum rc rc);
/* What it puts there. */
struct prov_words {
    char file[64];
    int line;
    char text[1024];
};
void prov_words(struct prov_words *out);
const OSSL_ITEM *prov_reasons(void *provctx);

/* ---- the host: host.c ---------------------------------------------------- */

OSSL_LIB_CTX *prov_host(const OSSL_CORE_HANDLE *handle,
                        const OSSL_DISPATCH *in);
/*
 * When the host asks for our key management. false: answer with nothing, and
 * have the host ask again.
 */
bool prov_host_others_first(const struct prov *p);
/* Before a key of ours is handed out. */
void prov_host_fetch_first(const struct prov *p);

/* ---- a key: key.c ------------------------------------------------------- */

struct prov_evidence;

/*
 * Shared by reference count: an EVP_PKEY, its copies and every signature
 * context hold one each. Immutable once filled, but for `last`.
 */
struct prov_key {
    atomic_uint refs;
    const struct prov *prov;
    bool has_public;
    bool signs; /* names a threshold key; false: only a public key */
    uint8_t pub[PROV_PUB_LEN];
    char name[WIRE_NAME_MAX]; /* "" for an imported public key */
    char session[65];         /* hex or "" */
    bool session_by_env;
    char class[12];
    uint64_t max_message;                 /* bytes */
    _Atomic(struct prov_evidence *) last; /* of the newest signature, or NULL */
};

/* Empty; NULL without memory. */
struct prov_key *prov_key_new(const struct prov *p);
struct prov_key *prov_key_ref(struct prov_key *k);
void prov_key_free(struct prov_key *k);
/* The public half of k, unable to sign; NULL without memory. */
struct prov_key *prov_key_public(const struct prov_key *k);
/* RC_ARG when it names no threshold key. */
MUST_CHECK enum rc prov_key_can_sign(const struct prov_key *k);
/* RC_TOO_LARGE naming both sizes. */
MUST_CHECK enum rc prov_key_fits(const struct prov_key *k, size_t len);
/* Hands the public key to cb as parameters: 1, or 0 as cb says. */
int prov_key_export(const struct prov_key *k, OSSL_CALLBACK *cb, void *arg);
/* Its SubjectPublicKeyInfo, DER: RFC 8410 section 4. */
void prov_spki(uint8_t der[PROV_SPKI_LEN], const struct prov_key *k);
/*
 * Hands *k to cb as an object by reference. Who takes it (our keymgmt's load)
 * leaves NULL; what is still there afterwards is the caller's to free.
 */
int prov_key_give(struct prov_key **k, OSSL_CALLBACK *cb, void *arg);
/*
 * What EXPORT_OBJECT of a loader or decoder does: a public key goes to
 * another provider, a key that signs must not, or the load would end with a
 * public key and no word. Refused, the host comes back to our own keymgmt.
 */
int prov_key_export_object(void *vctx, const void *reference, size_t size,
                           OSSL_CALLBACK *cb, void *arg);

/* ---- a message: message.c ------------------------------------------------ */

/*
 * The whole message in memory: Ed25519 reads it twice, and on several
 * machines. Copies of a context share the bytes until one of them writes.
 */
struct prov_message;
struct prov_message *prov_message_new(void);
struct prov_message *prov_message_ref(struct prov_message *m);
void prov_message_free(struct prov_message *m);
/* *m is replaced by a private copy first when others share it. */
MUST_CHECK enum rc prov_message_add(struct prov_message **m, const void *p,
                                    size_t len);
const uint8_t *prov_message_get(const struct prov_message *m, size_t *len);

/* ---- mpc:NAME?session=HEX : uri.c ---------------------------------------- */

struct prov_uri {
    char name[WIRE_NAME_MAX];
    char session[65]; /* from the URI, else MPC_SESSION, else "" */
    bool session_by_env;
};
MUST_CHECK enum rc prov_uri_parse(struct prov_uri *out, const char *uri);
/* Asks the sidecar for it; the key signs. */
MUST_CHECK enum rc prov_key_fetch(struct prov_key **out, const struct prov *p,
                                  const struct prov_uri *uri);

/* ---- key references: reference.c ----------------------------------------- */

#define PROV_REF_MAX       512 /* bytes of text */
#define PROV_REF_LABEL     "MPC KEY REFERENCE"
#define PROV_PEM_SIZE      1024
#define PROV_REF_STRUCTURE "mpc-key-reference" /* between our decoders */

/* text need not end with NUL. RC_TOO_LARGE, RC_PARSE, with a hint. */
MUST_CHECK enum rc prov_ref_parse(struct prov_uri *out, const char *text,
                                  size_t len);
/* k's reference as PEM, NUL after it; size >= PROV_PEM_SIZE. Its length. */
size_t prov_ref_pem(char *out, size_t size, const struct prov_key *k);
/* A PrivateKeyInfo whose algorithm is our OID, whatever else it holds. */
bool prov_pkcs8_is_ours(const uint8_t *der, size_t len);
/* Its text, inside der; RC_PARSE when it holds anything else. */
MUST_CHECK enum rc prov_pkcs8_text(const char **text, size_t *text_len,
                                   const uint8_t *der, size_t len);

/* ---- DER by hand: der.c -------------------------------------------------- */

/* What is left of a value that is being read. */
struct prov_der {
    const uint8_t *p;
    size_t len;
};
/* The content of the next element, when it has this tag; lengths to 64 KiB. */
bool prov_der_take(struct prov_der *content, struct prov_der *from,
                   uint8_t tag);
bool prov_der_is(struct prov_der d, const void *want, size_t len);
/* name: a whole Name, compared as names are, not as bytes. */
bool prov_cert_subject_is(struct prov_der certificate, struct prov_der name);

/*
 * Whether a decoder of ours is at work around this call; then it tells the
 * failure, when the host has dropped everything in between: decoder.c.
 */
bool prov_decoder_keeps(enum rc rc);

/* ---- the legacy bridge: bridge.c ------------------------------------------ */

/* Makes what keys of the bridge need, once a process; p offers them. */
void prov_bridge_up(struct prov *p);
/* No key comes to p any more, and those that did stop signing. */
void prov_bridge_down(struct prov *p);
/*
 * p's decoder leaves the PKCS#8 reference it has seen to the bridge. Fails
 * where there is none: RC_ARG an OpenSSL without ENGINE, RC_NOMEM.
 */
MUST_CHECK enum rc prov_bridge_offer(const struct prov *p);
/* Drops one reference to p; its memory goes with the last. */
void prov_release(struct prov *p);

/* ---- one PEM block: pem.c ------------------------------------------------ */

#define PROV_LABEL_SIZE 64
#define PROV_B64_SIZE   1025 /* characters, with NUL */
struct prov_pem {
    char label[PROV_LABEL_SIZE]; /* "" where there is no block */
    uint8_t data[768];
    size_t len;
};
/*
 * The next block of `in`. RC_PARSE, RC_TOO_LARGE: it is no good, its label is
 * set all the same, and it has been read to its end.
 */
MUST_CHECK enum rc prov_pem_read(struct prov_pem *out, const struct prov *p,
                                 OSSL_CORE_BIO *in);

/* ---- the sidecar: call.c (HTTP) and sidecar.c (what is asked) ------------ */

struct prov_part {
    const void *p;
    size_t len;
};
struct prov_request {
    const char *method;
    const char *target;
    const char *type; /* of the body, or NULL */
    struct prov_part body[3];
    size_t max_reply;
    int64_t deadline_ms; /* clock_mono_ms() scale */
};
struct prov_reply {
    uint8_t *body; /* heap, NUL after the last byte */
    size_t len;
};

/*
 * One connection, one request, one reply. RC_OK with a 2xx; problem+json is
 * raised as its own code, message and hint. Never repeats a request.
 */
MUST_CHECK enum rc prov_call(struct prov_reply *out, const struct prov *p,
                             const struct prov_request *request);

/*
 * The reply on fd: status line, headers with exactly one Content-Length, body
 * of at most max bytes. *status is set with RC_OK only.
 */
MUST_CHECK enum rc prov_reply_read(struct prov_reply *out, int *status, int fd,
                                   size_t max, int64_t deadline_ms);
/* The failure that a reply with this status and body tells of; never RC_OK. */
MUST_CHECK enum rc prov_reply_problem(int status, const struct prov_reply *r);

MUST_CHECK enum rc prov_ask_key(struct wire_key *out, const struct prov *p,
                                const struct prov_uri *uri);
MUST_CHECK enum rc prov_ask_chain(struct wire_chain *out, const struct prov *p,
                                  const struct prov_uri *uri);
/* The signature has been verified against k's public key. */
MUST_CHECK enum rc prov_ask_sign(uint8_t sig[PROV_SIG_LEN], struct prov_key *k,
                                 const uint8_t *msg, size_t msg_len);
/* The reply's body is a bundle, not looked at yet. */
MUST_CHECK enum rc prov_ask_bundle(struct prov_reply *out, const struct prov *p,
                                   const char *session);

/* ---- evidence of signatures: evidence.c ---------------------------------- */

struct prov_evidence {
    uint8_t session[32];
    uint8_t signature[PROV_SIG_LEN];
    uint8_t *bundle; /* JSON as the sidecar gave it; NULL until asked for */
    size_t len;
};
/* Before signing: room for it, and a look at evidence-dir. */
MUST_CHECK enum rc prov_evidence_begin(struct prov_evidence **out,
                                       const struct prov *p);
/* After it: e is k's from now on, or freed with a failure; written if asked. */
MUST_CHECK enum rc prov_evidence_end(struct prov_evidence *e,
                                     struct prov_key *k,
                                     const struct wire_signed *s);
void prov_evidence_free(struct prov_evidence *e);
/* Calls take with the bundle of k's newest signature; where none, not. */
typedef enum rc prov_evidence_fn(void *arg, const uint8_t *json, size_t len);
MUST_CHECK enum rc prov_evidence_bundle(struct prov_key *k,
                                        prov_evidence_fn *take, void *arg);
/* Its session, in hex; false before the first signature. */
bool prov_evidence_session(char out[65], struct prov_key *k);

/* ---- verification: verify.c ---------------------------------------------- */

/*
 * By the host's default provider where it is active, else by libsodium.
 * RC_VERIFY: no valid signature.
 */
MUST_CHECK enum rc prov_verify(struct prov *p, const uint8_t pub[PROV_PUB_LEN],
                               const uint8_t *sig, size_t sig_len,
                               const uint8_t *msg, size_t msg_len);
void prov_verify_end(struct prov *p);

/* ---- what provider.c offers ---------------------------------------------- */

extern const OSSL_DISPATCH prov_keymgmt[];
extern const OSSL_DISPATCH prov_signature[];
extern const OSSL_DISPATCH prov_store[];
extern const OSSL_DISPATCH prov_encoder_spki_der[];
extern const OSSL_DISPATCH prov_encoder_spki_pem[];
extern const OSSL_DISPATCH prov_encoder_text[];
extern const OSSL_DISPATCH prov_encoder_private[];
extern const OSSL_DISPATCH prov_encoder_reference[];
extern const OSSL_DISPATCH prov_decoder_pem[];
extern const OSSL_DISPATCH prov_decoder_reference[];
extern const OSSL_DISPATCH prov_decoder_pkcs8[];
extern const OSSL_DISPATCH prov_decoder_spki[];

#endif
