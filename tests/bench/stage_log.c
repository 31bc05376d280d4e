/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log's stage: intents appended to a real store on this disk, each
 * answered with its proof; one at a time, and as many as a lead's full batch
 * brings in one request.
 */
#include "test.h"

#include <pthread.h>
#include <string.h>

#include <sodium.h>

#include "sidecar/dir.h"
#include "stages.h"
#include "transparency/transparency.h"

#define BATCH 16

struct waiting {
    pthread_mutex_t mu;
    pthread_cond_t wake;
    unsigned left;
    enum rc rc;
};

/* An intent like any other, and like no other. */
static size_t intent(char out[TLOG_ENTRY_MAX + 1])
{
    struct tlog_intent in = { .attempt = 1, .epoch = 1, .birth = 3 };
    size_t len = 0;
    randombytes_buf(in.commitment, 32);
    randombytes_buf(in.key, 32);
    randombytes_buf(in.session, 32);
    randombytes_buf(in.approvals, 32);
    randombytes_buf(in.participants, 32);
    randombytes_buf(in.policy, 32);
    snprintf(in.class, sizeof(in.class), "artifact");
    snprintf(in.mode, sizeof(in.mode), "ed25519");
    snprintf(in.slot, sizeof(in.slot), "raw");
    in.expires = 1800000120;
    if (tlog_intent_encode(out, &len, &in) != RC_OK)
        bench_die("log: %s", rc_text());
    return len;
}

static void one_by_one(struct tlog_store *s, unsigned n)
{
    static struct tlog_proof proof;
    static char text[TLOG_ENTRY_MAX + 1];
    struct stage stage = { .name = "log" };
    for (unsigned i = 0; i < n; i++) {
        size_t len = intent(text);
        stage_begin();
        enum rc rc = tlog_store_append(s, &proof, text, len);
        stage_keep(&stage, 1);
        if (rc != RC_OK)
            bench_die("log: %s", rc_text());
    }
    stage_line(&stage, 1, "");
}

static void appended(enum rc rc, const struct tlog_proof *proof, void *arg)
{
    struct waiting *w = arg;
    (void)proof;
    pthread_mutex_lock(&w->mu);
    if (rc != RC_OK)
        w->rc = rc;
    if (--w->left == 0)
        pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mu);
}

static void together(struct tlog_store *s, unsigned n)
{
    static char text[BATCH][TLOG_ENTRY_MAX + 1];
    struct waiting w = { .mu = PTHREAD_MUTEX_INITIALIZER,
                         .wake = PTHREAD_COND_INITIALIZER };
    struct stage stage = { .name = "log" };
    for (unsigned i = 0; i < n / BATCH + 1; i++) {
        size_t len[BATCH];
        for (unsigned j = 0; j < BATCH; j++)
            len[j] = intent(text[j]);
        stage_begin();
        w.left = BATCH;
        for (unsigned j = 0; j < BATCH; j++)
            if (tlog_store_append_async(s, text[j], len[j], appended, &w) !=
                RC_OK)
                bench_die("log: %s", rc_text());
        pthread_mutex_lock(&w.mu);
        while (w.left)
            pthread_cond_wait(&w.wake, &w.mu);
        pthread_mutex_unlock(&w.mu);
        stage_keep(&stage, BATCH);
        if (w.rc != RC_OK)
            bench_die("log: an append failed");
    }
    stage_line(&stage, BATCH, "");
}

void stage_log(unsigned n)
{
    char dir[DIR_MAX];
    char log_dir[DIR_MAX + 8];
    uint8_t pk[32];
    uint8_t sk[64];
    struct tlog_vkey vkey;
    struct tlog_store *s = NULL;
    dir_make(dir);
    snprintf(log_dir, sizeof(log_dir), "%s/log", dir);
    crypto_sign_keypair(pk, sk);
    if (tlog_vkey_make(&vkey, "bench/log", TLOG_SIG_ED25519, pk) != RC_OK ||
        tlog_store_open(&s, log_dir, &vkey, sk) != RC_OK)
        bench_die("log: %s", rc_text());
    one_by_one(s, n);
    together(s, n);
    tlog_store_free(s);
    dir_remove(dir);
}
