/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Result codes. A code says what the caller can do; the text says what
 * happened, to a person. One table gives each code its slug (in JSON), its
 * process exit code and its HTTP status.
 */
#ifndef BASE_RC_H
#define BASE_RC_H

#include <stddef.h>

#define MUST_CHECK             __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

enum rc {
    RC_OK = 0,
    /* the call itself is wrong, or we are */
    RC_ARG,      /* a caller's mistake: usage */
    RC_NOMEM,    /* out of memory or of a fixed table */
    RC_INTERNAL, /* our own mistake */
    /* the world outside */
    RC_IO,          /* a file, socket or system call failed */
    RC_TIMEOUT,     /* the deadline passed */
    RC_UNREACHABLE, /* nobody answers there */
    /* what was handed in */
    RC_PARSE,     /* malformed bytes */
    RC_TOO_LARGE, /* well-formed, over a stated maximum */
    RC_UNKNOWN,   /* names something that does not exist */
    RC_EXISTS,    /* names something that exists already */
    RC_CONFLICT,  /* repeats an earlier request with other bytes */
    RC_ORDER,     /* not now: wrong state */
    /* rules */
    RC_AUTH,           /* the caller may not */
    RC_POLICY,         /* policy forbids it */
    RC_POLICY_CHANGED, /* made under another policy version */
    RC_POLICY_HASH,    /* TEE_POLICY_HASH mismatch */
    RC_NOT_APPROVED,   /* approvals are missing */
    RC_DENIED,         /* a person said no */
    RC_EXPIRED,        /* its time has passed */
    RC_SLOT_BURNT,     /* marked and failed: request a new session */
    RC_EPOCH_MOVED,    /* the key has a newer epoch */
    /* proofs */
    RC_ATTEST,      /* attestation missing, stale or refused */
    RC_VERIFY,      /* a signature or hash does not verify */
    RC_LOG,         /* inclusion, consistency or checkpoint refused */
    RC_HEAD_BEHIND, /* checkpoint older than the newest head */
    RC_NODES,       /* fewer than t nodes answer */
    RC_CHEATER,     /* a named node misbehaved */
    RC_STORE,       /* sealing or durable state failed */
    RC_UNBOUND,     /* that evidence is not known here: attest anew */
    RC_BUSY,        /* asked too often: later */
    RC__COUNT
};

/* Slug as in problem+json and `-o json`; never NULL. */
const char *rc_slug(enum rc rc);

/* RC_INTERNAL when the slug is not one of ours. */
enum rc rc_from_slug(const char *slug);

/* Exit code of a program that ends with it (docs/man/mpcsign.1). */
int rc_exit(enum rc rc);

/* HTTP status of a reply that carries it. */
int rc_http(enum rc rc);

/*
 * Keep text (and where it was raised) for this thread, and return rc, which
 * must not be RC_OK. Raise once, where the failure is known; pass up with TRY.
 * Text names fields and sizes, never contents.
 */
#define rc_raise(rc, ...)                                                      \
    rc_failed(rc_raise_at(__FILE__, __LINE__, (rc), __VA_ARGS__))
enum rc rc_raise_at(const char *file, int line, enum rc rc, const char *fmt,
                    ...) PRINTF_LIKE(4, 5);

/* The compiler may know that a raised code is never RC_OK. */
static inline enum rc rc_failed(enum rc rc)
{
    if (rc == RC_OK)
        __builtin_unreachable();
    return rc;
}

/* Say what the reader can do about the last rc_raise of this thread. */
void rc_hint(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Last text of this thread, at most 1023 bytes; "" before the first raise. */
const char *rc_text(void);
/* Last hint, or "" where none was given since the last raise. */
const char *rc_hint_text(void);
/* "file.c:line" of the last raise. */
const char *rc_where(void);
/* Put words in front of the last text: "node2: " + text. Keeps the hint. */
enum rc rc_prefix(enum rc rc, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Pass a failure up. The only macro that hides a return. */
#define TRY(call)                                                              \
    do {                                                                       \
        enum rc try_rc_ = (call);                                              \
        if (try_rc_ != RC_OK)                                                  \
            return try_rc_;                                                    \
    } while (0)

#endif
