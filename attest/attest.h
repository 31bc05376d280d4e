/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attestation: collect and judge SEV-SNP evidence, and the attested channel
 * mpc-attest/1 over http/'s TLS hooks (DESIGN section 4, notes: binder).
 *
 * The verifier works on raw bytes and fetches nothing: certificates come in
 * with the evidence. It knows nothing of simulation; simulated means only
 * that the root is not one of the compiled-in AMD pins.
 */
#ifndef ATTEST_ATTEST_H
#define ATTEST_ATTEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/own.h"
#include "base/rc.h"
#include "http/http.h"
#include "wire/wire.h"

#define ATTEST_REPORT_LEN      1184
#define ATTEST_MEASUREMENT_LEN 48
#define ATTEST_MAX_HASHES      16
#define ATTEST_CERT_MAX        8192 /* one certificate, DER */
#define ATTEST_CRL_MAX         (256 * 1024)

/* ---- a report ---------------------------------------------------------- */

enum attest_product { ATTEST_MILAN, ATTEST_GENOA, ATTEST_TURIN };

struct attest_tcb {
    uint8_t fmc, bl, tee, snp, ucode; /* fmc: Turin only */
};
struct attest_firmware {
    uint8_t major, minor, build;
};
struct attest_report {
    uint32_t version;
    uint32_t guest_svn;
    uint64_t policy;
    uint32_t vmpl;
    uint64_t platform_info;
    uint32_t key_info;
    uint8_t report_data[64];
    uint8_t measurement[ATTEST_MEASUREMENT_LEN];
    uint8_t host_data[32];
    uint8_t chip_id[64];
    uint8_t report_id[32], report_id_ma[32];
    uint8_t family_id[16], image_id[16];
    uint8_t id_key[48], author_key[48]; /* digests; zero: none */
    struct attest_tcb current, reported, committed, launch;
    struct attest_firmware fw_current, fw_committed;
    uint64_t mit_launch, mit_current; /* version 5; before: zero */
    bool has_fms;
    uint8_t family, model, stepping;
};
/* Size, version, must-be-zero ranges: checks F1..F6. */
MUST_CHECK enum rc attest_report_parse(struct attest_report *out,
                                       const uint8_t *raw, size_t len);

/* AMD's names of bits, and what they mean; name NULL ends the table. */
struct attest_bit {
    uint8_t bit;
    const char *name, *meaning;
};
extern const struct attest_bit attest_policy_bits[];   /* POLICY */
extern const struct attest_bit attest_platform_bits[]; /* PLATFORM_INFO */

/* ---- Azure's HCL blob -------------------------------------------------- */

#define ATTEST_HCL_MAX 16384
/* Borrows from the blob. */
struct attest_hcl {
    const uint8_t *report; /* ATTEST_REPORT_LEN bytes */
    uint32_t hash_type;    /* 1 SHA-256, 2 SHA-384, 3 SHA-512 */
    const uint8_t *data;   /* runtime data, JSON */
    size_t data_len;
};
/* It begins like one. */
bool attest_hcl_is(const uint8_t *p, size_t len);
/* RC_PARSE says which field. What is read is not judged: attest_want.hcl. */
MUST_CHECK enum rc attest_hcl_read(struct attest_hcl *out, const uint8_t *p,
                                   size_t len);

/* ---- a vTPM's quote ---------------------------------------------------- */

#define ATTEST_QUOTE_BANKS 16
#define ATTEST_QUOTE_EXTRA 66 /* the most a TPM2B_DATA holds */
struct attest_quote {
    uint8_t extra[ATTEST_QUOTE_EXTRA]; /* extraData: what the caller chose */
    size_t extra_len;
    uint64_t clock_ms; /* since the TPM was last cleared */
    uint32_t resets, restarts;
    bool safe; /* the clock never ran backwards */
    uint64_t firmware;
    unsigned n_banks;
    struct {
        uint16_t hash; /* TPM_ALG_ID */
        uint32_t pcrs; /* bit n: PCR n */
    } bank[ATTEST_QUOTE_BANKS];
    uint8_t pcr_digest[64];
    size_t pcr_digest_len;
};
/* TPMS_ATTEST as a TPM made it, of type quote. RC_PARSE says which field. */
MUST_CHECK enum rc attest_quote_read(struct attest_quote *out, const uint8_t *p,
                                     size_t len);
/*
 * extraData of our quotes: what stands for REPORT_DATA and HOST_DATA where the
 * cloud has both for itself. genesis NULL: zeros.
 */
void attest_quote_data(uint8_t out[32], const uint8_t report_data[64],
                       const uint8_t *genesis);

/* ---- judging ----------------------------------------------------------- */

struct attest_check {
    /* F1..F7 C0..C7 B1..B5 P1..P15, H1..H5 of an HCL blob and the quote
     * beside it, N1..N9 of Nitro; C0: certificates read */
    char id[8];
    bool ok;
    bool warn;     /* holds, and a person should know: nothing fails by it */
    char what[48]; /* short name of the check */
    char expected[160];
    char actual[160];
};
#define ATTEST_MAX_CHECKS 96
struct attest_verdict {
    bool ok;
    bool simulated; /* the root is not AMD's */
    enum attest_product product;
    struct attest_report report;
    struct attest_check check[ATTEST_MAX_CHECKS];
    unsigned n_checks;
};

/*
 * What a deployment wants of a report: an attestation policy (docs/ATTEST.md).
 * Where a has_… is false, or a list is not given, nothing is judged.
 */
#define ATTEST_MAX_PINS 16
enum attest_crl { ATTEST_CRL_IF_PRESENT, ATTEST_CRL_REQUIRE, ATTEST_CRL_OFF };
struct attest_mask {
    uint64_t set, clear; /* bits that must be so */
};
struct attest_floor {
    bool allowed; /* the product */
    bool has_reported, has_committed, has_launch, has_firmware;
    struct attest_tcb reported, committed, launch;
    struct attest_firmware firmware; /* of the committed one */
};
struct attest_rules {
    uint32_t min_version;  /* P15 */
    bool has_measurements; /* P1, by role: sidecar, ca, log */
    uint8_t measurement[3][ATTEST_MAX_HASHES][32];
    unsigned n_measurements[3];
    struct attest_floor product[3];    /* P6, P7, P14 */
    uint8_t vmpls;                     /* P5: bit per level; 0: any */
    struct attest_mask policy;         /* P8 */
    struct attest_mask platform;       /* P8 */
    bool platform_strict;              /* P8: unknown bits fail */
    bool has_host_data, has_family_id; /* P9 */
    bool has_image_id;
    uint8_t host_data[32], family_id[16], image_id[16];
    unsigned n_id_keys, n_author_keys; /* P10; 0: any */
    uint8_t id_key[ATTEST_MAX_PINS][48];
    uint8_t author_key[ATTEST_MAX_PINS][48];
    uint32_t min_guest_svn;           /* P11 */
    uint64_t mit_launch, mit_current; /* P12: must be set */
    unsigned n_chips;                 /* P13; 0: any */
    uint8_t chip[ATTEST_MAX_PINS][64];
    char csp_id[128];    /* B4: "": no VLEK is accepted */
    bool masked_chip;    /* B4: a CHIP_ID of zeros is accepted */
    bool vtpm;           /* H4: a vTPM's quote may bind what a report does */
    enum attest_crl crl; /* C7 */
};
#define ATTEST_RULES_MAX 65536
/* It is an attestation policy, whatever is wrong with it. */
bool attest_rules_is(const void *json, size_t len);
/* RC_PARSE names the member and what it must be. */
MUST_CHECK enum rc attest_rules_parse(struct attest_rules *out,
                                      const void *json, size_t len);
/* The same as a policy document carries it: measurements must be null, for
 * the document lists them itself. json NULL: none, *has false. */
MUST_CHECK enum rc attest_rules_shared(struct attest_rules *out, bool *has,
                                       const void *json, size_t len);

/* Trust anchors: the AMD pins are compiled in; one simulated root may come. */
struct attest_roots {
    bool allow_simulated;
    uint8_t simulated_ark[32]; /* SHA-256 of its DER */
};
/* What the report must say besides being genuine. */
struct attest_want {
    const uint8_t (*hashes)[32]; /* allowed SHA-256(measurement); NULL: any */
    unsigned n_hashes;
    const uint8_t *report_data; /* [64]; NULL: not compared (CLI without) */
    const uint8_t *host_data;   /* [32] or NULL */
    uint32_t min_version;       /* 3 for peers, 2 for the CLI; 0 means 3 */
    /* The deployment's policy; NULL: none. Its measurements are those of the
     * roles here (bit 0 sidecar, 1 ca, 2 log), 0: of all. */
    unsigned roles;
    const struct attest_rules *rules;
    const struct attest_rules *rules_too; /* these as well, or NULL */
    bool peer;                   /* also P5 VMPL 0, unless rules name levels,
                                  * and P6 TCB floors */
    const struct wire_blob *crl; /* C7: DER, by the ARK; NULL: not judged */
    bool need_crl;               /* C7 fails without one */
    bool vtpm; /* H4: of a peer, where no rules say whether; see rules */
    const struct wire_blob *hcl; /* H1..H3: the blob it came in, or NULL;
                                  * one in the evidence goes before it */
};
/*
 * Judges evidence at `now`. RC_OK with verdict->ok only when every check
 * holds; else RC_ATTEST, verdict filled with all failures, text naming the
 * first. ask/ark NULL: only the VEK came; the caller's cert_dir is not read
 * here. Certificates are DER. Evidence with a vTPM's parts is judged by them
 * too: report_data and host_data are then what the quote is over (H5), not
 * those of the report.
 */
MUST_CHECK enum rc attest_verify(struct attest_verdict *out,
                                 const struct wire_evidence *evidence,
                                 const struct attest_roots *roots,
                                 const struct attest_want *want, int64_t now_s);

/* ---- AWS Nitro Enclaves: a second kind of evidence ---------------------- */

#define ATTEST_NITRO_MAX  32768
#define ATTEST_NITRO_PCRS 32
/* What a document says; blobs borrow from it. Zeros where it cannot be read. */
struct attest_nitro {
    char module[128];
    uint64_t timestamp_ms;
    bool has_pcr[ATTEST_NITRO_PCRS];
    uint8_t pcr[ATTEST_NITRO_PCRS][48];
    struct wire_blob public_key, user_data, nonce; /* p NULL: null */
};
struct attest_nitro_want {
    bool has_pcr[ATTEST_NITRO_PCRS];
    uint8_t pcr[ATTEST_NITRO_PCRS][48];
};
/*
 * N1..N8 at `now`, and N9 for each PCR wanted (want NULL: none). The root is
 * pinned; nothing else is trusted. As attest_verify() otherwise; the members
 * of SNP in the verdict stay zero. It is a tool's: no peer is judged by it.
 */
MUST_CHECK enum rc attest_nitro_verify(struct attest_verdict *out,
                                       struct attest_nitro *facts,
                                       const struct wire_blob *document,
                                       const struct attest_nitro_want *want,
                                       int64_t now_s);

/* TEE_POLICY_HASH of a measurement. */
void attest_policy_hash(uint8_t out[32],
                        const uint8_t measurement[ATTEST_MEASUREMENT_LEN]);
/* "hex,hex": up to ATTEST_MAX_HASHES. RC_PARSE. Empty text: none. */
MUST_CHECK enum rc attest_hashes_parse(uint8_t (*out)[32], unsigned *n,
                                       const char *text);
/* SHA-384 of a file: what the simulator measures. */
MUST_CHECK enum rc attest_measure_file(uint8_t out[ATTEST_MEASUREMENT_LEN],
                                       const char *path);

/* ---- collecting: guest backends ---------------------------------------- */

/*
 * A guest device: "auto", "sev-guest", "configfs-tsm", "azure-vtpm", or in
 * builds that simulate "sim:/path/to.sock". Thread-safe: requests go one at a time, and
 * to the PSP one in two seconds, because a kernel that is throttled for a
 * minute gives up its key to the firmware for good. After that no request is
 * made any more in this process: every call fails at once with RC_ATTEST.
 */
struct attest_guest;
enum attest_guest_health {
    ATTEST_GUEST_READY,
    ATTEST_GUEST_FAILED,    /* the last request; the next may do */
    ATTEST_GUEST_THROTTLED, /* the host let the last one wait too long */
    ATTEST_GUEST_LOST,      /* until the VM is launched anew */
};
struct attest_guest_state {
    const char *kind;  /* of the device that is used: "sev-guest" */
    const char *state; /* "ready" "failed" "throttled" "lost" */
    enum attest_guest_health health;
    bool simulated;
};

/* RC_ARG: no such device in this build; RC_IO: it cannot be opened. */
MUST_CHECK enum rc attest_guest_open(struct attest_guest **out,
                                     const char *device);
void attest_guest_free(struct attest_guest *g); /* NULL: nothing */
OWNED_STRUCT(attest_guest);
bool attest_guest_simulated(const struct attest_guest *g);
/* Its report is over other data than the caller's; a quote beside it is not. */
bool attest_guest_indirect(const struct attest_guest *g);
/* What a device whose HOST_DATA is another's binds in its place, from now on;
 * for all others it is nothing. Set it before other threads use g. */
void attest_guest_genesis(struct attest_guest *g, const uint8_t genesis[32]);
void attest_guest_state(struct attest_guest_state *out, struct attest_guest *g);
/* changed() is told each new state, on the thread that met it, no lock held;
 * set it before other threads use g. */
void attest_guest_watch(struct attest_guest *g,
                        void (*changed)(void *ctx,
                                        const struct attest_guest_state *state),
                        void *ctx);
/*
 * One report over report_data, with VEK and chain as far as they came.
 *
 * Fails RC_ATTEST lost; RC_TIMEOUT throttled, or too many wait already;
 *       RC_IO the device refuses or answers what cannot be
 */
MUST_CHECK enum rc attest_guest_report(struct wire_evidence *out,
                                       struct attest_guest *g,
                                       const uint8_t report_data[64]);
/*
 * A key bound to this chip, measurement, guest policy and firmware level;
 * secret, the caller wipes it.
 *
 * tcb_version  a level not above our report's committed_tcb: older firmware
 *              than that cannot derive the key. Keep it beside what is sealed.
 */
MUST_CHECK enum rc attest_guest_derive(uint8_t key[32], struct attest_guest *g,
                                       uint64_t tcb_version);
/* The descriptor that a child process asks for its own derived key by, once;
 * stays g's. RC_ARG: this device derives none. */
MUST_CHECK enum rc attest_guest_lend(int *fd, struct attest_guest *g);
/* committed_tcb of our own report, as the firmware writes it. */
MUST_CHECK enum rc attest_guest_committed_tcb(uint64_t *tcb,
                                              struct attest_guest *g);
/* RC_STORE for a level that broken firmware has: it comes from a file that
 * the host can write. */
MUST_CHECK enum rc attest_guest_tcb_check(uint64_t tcb, struct attest_guest *g);

/* ---- the channel mpc-attest/1 ------------------------------------------ */
/*
 * One per daemon. Thread-safe. Server side: put attest_channel_routes() rows
 * first in the peer listener's table and attest_channel_server_guard() in its
 * config. Client side: attest_channel_client_guard() into http_client_new().
 * From then on no HTTP_PEER row is reached and no request byte is sent
 * unless both ends proved themselves on that very connection, showed fresh
 * evidence of that key (there or on another of their connections) within the
 * window, and MPC-Policy on every request and reply equals what was attested
 * and is allowed.
 */
struct attest_channel;

/* TOOL: a command-line tool; it has a certificate and is never a peer. */
enum attest_role { ATTEST_SIDECAR, ATTEST_CA, ATTEST_LOG, ATTEST_TOOL };

/* What becomes of a node with another key than before. */
enum attest_news {
    ATTEST_RESTARTED,  /* another process in the same launch: it is the node */
    ATTEST_RELAUNCHED, /* another launch, the old one is silent: the same */
    ATTEST_CLONE,      /* another launch beside one that lives: refused */
};

/* What the channel asks its daemon; called with no channel lock held. */
struct attest_channel_host {
    /* Allowed hashes (at most ATTEST_MAX_HASHES, no other count is written)
     * for a peer's URI under the policy in force; and its role. RC_UNKNOWN:
     * the policy names no such node. Asked when a connection attests; call
     * attest_channel_reset() whenever an answer would differ. */
    enum rc (*allowed)(void *ctx, const char *uri, uint8_t (*hashes)[32],
                       unsigned *n, enum attest_role *role);
    /* Our policy head, sent along; and the peer's, told. */
    void (*policy_head)(void *ctx, struct wire_policy_head *head);
    void (*peer_head)(void *ctx, const char *uri,
                      const struct wire_policy_head *head);
    /* May be NULL: refusals of the server's end, before they are answered, in
     * the thread that answers. Of a call that was let in, each; of others so
     * many a name, and then some are only counted; and so it is of a TLS
     * handshake that failed: uri is the caller's address, method "TLS", path
     * "handshake", rc RC_AUTH. And what else an operator should know of a
     * peer, at either end. */
    void (*refused)(void *ctx, const char *uri, const char *method,
                    const char *path, enum rc rc, const char *why);
    void (*news)(void *ctx, const char *uri, enum attest_news news);
    void *ctx;
};
struct attest_channel_config {
    const char *deployment;
    const char *own_uri;        /* mpc://deployment/role/name */
    struct attest_guest *guest; /* used for life, not closed */
    struct attest_roots roots;
    const char *tee_policy_hash; /* environment; narrows; NULL: unset; an
                                  * empty value leaves no hash at all */
    uint8_t genesis[32];         /* HOST_DATA every report must carry */
    int64_t window_s;            /* 1..3600; 0 means 600 */
    unsigned hello_burst;        /* reports a peer may ask for at once, and
                                  * then one in 2 s; 0 means 4 */
    unsigned refused_burst;      /* refusals of a peer told at once, and then
                                  * one in a second; 0 means 32 */
    const struct attest_files *files; /* as attest_channel_files() takes them,
                                       * for our own evidence already; NULL */
    struct attest_channel_host host;
};
/*
 * Makes the attestation key and judges our own evidence by the rules peers
 * are held to: RC_ATTEST names the first check that fails (P9: HOST_DATA is
 * not the genesis). RC_ATTEST too where simulated and real would mix.
 */
MUST_CHECK enum rc attest_channel_new(struct attest_channel **out,
                                      const struct attest_channel_config *c);
/* After the servers and clients that use its guards are gone. */
void attest_channel_free(struct attest_channel *ch);

/* The rows /v1/attest/…; ctx of the handlers is the channel: see routes'
 * own ctx member below. Ends with method NULL. */
const struct http_route *attest_channel_routes(void);
struct http_guard attest_channel_server_guard(struct attest_channel *ch);
struct http_client_guard attest_channel_client_guard(struct attest_channel *ch);

/*
 * Handlers run with the server's ctx; a daemon whose ctx is something else
 * calls these from its own rows.
 */
MUST_CHECK enum rc attest_on_hello(struct http_call *call,
                                   struct attest_channel *ch);
MUST_CHECK enum rc attest_on_evidence(struct http_call *call,
                                      struct attest_channel *ch);
MUST_CHECK enum rc attest_on_bind(struct http_call *call,
                                  struct attest_channel *ch);

/* Who is calling on an attested connection. */
struct attest_peer {
    char uri[HTTP_URI_MAX];
    enum attest_role role;
    uint8_t ak[32];
    uint8_t hash[32];      /* SHA-256(measurement) */
    uint8_t report_id[32]; /* of its launch */
    bool simulated;
};
MUST_CHECK enum rc attest_channel_peer(struct attest_peer *out,
                                       const struct http_call *call);

/* Our own: hash of our measurement (hex goes into MPC-Policy), AK public. */
void attest_channel_own(const struct attest_channel *ch, uint8_t hash[32],
                        uint8_t measurement[ATTEST_MEASUREMENT_LEN],
                        uint8_t ak[32], bool *simulated);
/* AK over an intent's leaf hash, FORMATS section 2: the only other thing it
 * signs. */
void attest_channel_sign_intent(const struct attest_channel *ch,
                                uint8_t sig[64], const uint8_t leaf[32]);
/*
 * Drops every attested state at once (policy changed): when it returns, no
 * request attested before is let in or answered any more.
 */
void attest_channel_reset(struct attest_channel *ch);

/* ---- what peers are held to; each call resets the channel --------------- */

/* The policy document's attestation policy; NULL: it has none. */
MUST_CHECK enum rc attest_channel_rules(struct attest_channel *ch,
                                        const struct attest_rules *rules);
/* TEE_POLICY_HASH again, as in the configuration. */
MUST_CHECK enum rc attest_channel_narrow(struct attest_channel *ch,
                                         const char *tee_policy_hash);
/* What a daemon has in files, in place of what it had; all is copied. */
#define ATTEST_MAX_FILES 64
struct attest_files {
    const struct attest_rules *rules; /* must hold besides the policy's */
    const struct wire_blob *crl;      /* DER, one a product at most */
    unsigned n_crls;
    const struct wire_blob *cert; /* DER: what evidence comes without */
    unsigned n_certs;
};
MUST_CHECK enum rc attest_channel_files(struct attest_channel *ch,
                                        const struct attest_files *files);
/*
 * Whether we would be let in by what we hold others to. Without the device:
 * by the report of the start. RC_ATTEST or RC_POLICY_HASH says what excludes
 * us, and nothing else happens.
 */
MUST_CHECK enum rc attest_channel_self(struct attest_channel *ch);
/* A fresh report over caller's report data: standing evidence. */
MUST_CHECK enum rc attest_channel_report(struct attest_channel *ch,
                                         struct wire_evidence *out,
                                         const uint8_t report_data[64]);
/*
 * What it came without, out of the certificates at hand; its chain is then
 * the VEK's signer and that one's root, in this order. What is nowhere stays
 * missing, which is no error here.
 */
MUST_CHECK enum rc attest_channel_whole(struct attest_channel *ch,
                                        struct wire_evidence *evidence);
/* How often the device was asked for one so far. */
uint64_t attest_channel_reports(struct attest_channel *ch);
/* Peers currently attested, for status: fills up to max, returns how many. */
unsigned attest_channel_peers(struct attest_channel *ch,
                              struct attest_peer *out, unsigned max);

/* Standing evidence REPORT_DATA, FORMATS section 2. */
void attest_standing_data(uint8_t out[64], const char *deployment,
                          const char *uri, uint16_t node, const uint8_t ak[32],
                          const uint8_t identity[32], const uint8_t box[32],
                          const uint8_t genesis[32]);

#endif
