/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the program: the log's side of its witnesses (C2SP tlog-witness). A
 * thread of its own asks them; no append waits for it.
 */
#ifndef TRANSPARENCY_WITNESS_H
#define TRANSPARENCY_WITNESS_H

#include "transparency/append.h"

struct log_witnesses;

/* How a witness with an https URL, an attested sidecar, is reached. */
struct log_attested {
    struct http_tls_files tls; /* this log as a client */
    struct http_client_guard guard;
    /* The node URI of the sidecar that cosigns by this name. RC_UNKNOWN. */
    enum rc (*uri)(void *ctx, char out[HTTP_URI_MAX], const char *name);
    void *ctx;
};

/*
 * Before the first append: what do the witnesses of this tlog-policy file say
 * they have seen? Each with a URL is asked for the checkpoint it cosigned last,
 * which carries this log's own signature. RC_STORE: one of them is larger than
 * this log or not a past of it, so this is an old copy: do not run. The note
 * is kept in dir as evidence.
 *
 * With fewer answers than the policy's quorum, appends are held; the thread
 * asks again every second until there is one. trust is taken over (heap).
 *
 * attested    NULL: https URLs are refused (RC_ARG). What it points to must
 *             outlive log_witnesses_stop().
 */
MUST_CHECK enum rc log_witnesses_start(struct log_witnesses **out,
                                       struct log_public *p,
                                       struct log_appender *a,
                                       struct tlog_trust *trust,
                                       const char *dir,
                                       const struct log_attested *attested);
/* NULL is fine. */
void log_witnesses_stop(struct log_witnesses *w);

#endif
