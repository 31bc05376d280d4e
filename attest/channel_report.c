/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports for the channel, made one after the other in a thread of their own.
 * The PSP is asked once in two seconds, and a host may let it wait for longer:
 * neither the threads that serve peers nor the one that signs stands still for
 * that. What we need ourselves, callers that are attested, and strangers take
 * turns, so that none of them can use up the device. Public data only.
 */
#include "attest/channel_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void attest_report_free(struct attest_job *j)
{
    if (!j)
        return;
    wire_evidence_free(&j->evidence);
    free(j);
}

/* ---- the reporter ------------------------------------------------------ */

static struct attest_job *next_job(struct attest_channel *ch)
{
    for (unsigned k = 0; k < ATTEST_ASKERS; k++) {
        unsigned i = (ch->turn + k) % ATTEST_ASKERS;
        struct attest_job *j = ch->jobs[i];
        if (!j)
            continue;
        ch->jobs[i] = j->next;
        ch->n_jobs[i]--;
        ch->turn = i + 1;
        return j;
    }
    return NULL;
}

static void ask_device(struct attest_channel *ch, struct attest_job *j,
                       bool hello)
{
    j->rc = attest_channel_report(ch, &j->evidence, j->data);
    if (j->rc == RC_OK)
        return;
    if (hello)
        j->rc = attest_refused_tell(ch, j->uri, "POST", CHANNEL_HELLO, 0,
                                    j->rc);
    snprintf(j->why, sizeof(j->why), "%s", rc_text());
    snprintf(j->hint, sizeof(j->hint), "%s", rc_hint_text());
}

/* Under jobs_lock: as long as it is held the session, and its call or lane,
 * cannot go away. */
static void hand_over(struct attest_job *j, const struct wire_policy_head *head)
{
    j->done = true;
    if (j->session && !j->call) {
        http_lane_wake(j->session->lane);
        return;
    }
    if (j->session) {
        j->session->job = NULL;
        attest_hello_answer(j, head);
    }
    attest_report_free(j);
}

static void make(struct attest_channel *ch, struct attest_job *j, bool hello)
{
    struct wire_policy_head head = { 0 };
    if (hello && ch->host.policy_head)
        ch->host.policy_head(ch->host.ctx, &head);
    ask_device(ch, j, hello);
    pthread_mutex_lock(&ch->jobs_lock);
    hand_over(j, &head);
}

static void *report(void *arg)
{
    struct attest_channel *ch = arg;
    pthread_mutex_lock(&ch->jobs_lock);
    while (!ch->closing) {
        struct attest_job *j = next_job(ch);
        if (!j) {
            pthread_cond_wait(&ch->jobs_moved, &ch->jobs_lock);
            continue;
        }
        bool hello = j->call != NULL;
        if (!j->session) {
            attest_report_free(j);
            continue;
        }
        pthread_mutex_unlock(&ch->jobs_lock);
        make(ch, j, hello); /* and locks again */
    }
    pthread_mutex_unlock(&ch->jobs_lock);
    return NULL;
}

void attest_report_stop(struct attest_channel *ch)
{
    pthread_mutex_lock(&ch->jobs_lock);
    ch->closing = true;
    bool runs = ch->reporting;
    pthread_cond_signal(&ch->jobs_moved);
    pthread_mutex_unlock(&ch->jobs_lock);
    if (runs)
        pthread_join(ch->reporter, NULL);
    struct attest_job *j;
    while ((j = next_job(ch)) != NULL) {
        if (j->session)
            j->session->job = NULL;
        attest_report_free(j);
    }
}

/* ---- who waits --------------------------------------------------------- */

/* Under jobs_lock. */
static enum rc room(struct attest_channel *ch, const char *uri,
                    enum attest_asker who)
{
    if (who != ATTEST_OURSELVES && ch->n_jobs[who] >= CHANNEL_WAITING) {
        enum rc rc = rc_raise(RC_BUSY,
                              "%s: %d hellos wait for the device already", uri,
                              CHANNEL_WAITING);
        rc_hint("try again in %d s", CHANNEL_REFILL_MS / 1000);
        return rc;
    }
    if (!ch->reporting && pthread_create(&ch->reporter, NULL, report, ch) != 0)
        return rc_raise(RC_NOMEM, "a thread to ask the device");
    ch->reporting = true;
    return RC_OK;
}

static void put_last(struct attest_channel *ch, struct attest_job *j,
                     enum attest_asker who)
{
    struct attest_job **at = &ch->jobs[who];
    while (*at)
        at = &(*at)->next;
    *at = j;
    ch->n_jobs[who]++;
    pthread_cond_signal(&ch->jobs_moved);
}

enum rc attest_report_later(struct attest_session *s, struct http_call *call,
                            const char *uri, const uint8_t data[64],
                            enum attest_asker who)
{
    struct attest_channel *ch = s->channel;
    struct attest_job *j = calloc(1, sizeof(*j));
    if (!j)
        return rc_raise(RC_NOMEM, "a report");
    j->session = s;
    j->call = call;
    snprintf(j->uri, sizeof(j->uri), "%s", uri);
    memcpy(j->data, data, sizeof(j->data));
    pthread_mutex_lock(&ch->jobs_lock);
    enum rc rc = room(ch, uri, who);
    if (rc == RC_OK) {
        s->job = j;
        if (call)
            http_defer(call);
        put_last(ch, j, who);
    }
    pthread_mutex_unlock(&ch->jobs_lock);
    if (rc != RC_OK)
        free(j);
    return rc;
}

struct attest_job *attest_report_take(struct attest_session *s)
{
    pthread_mutex_lock(&s->channel->jobs_lock);
    struct attest_job *j = s->job && s->job->done ? s->job : NULL;
    if (j)
        s->job = NULL;
    pthread_mutex_unlock(&s->channel->jobs_lock);
    return j;
}

void attest_report_cancel(struct attest_session *s)
{
    struct attest_job *j;
    pthread_mutex_lock(&s->channel->jobs_lock);
    j = s->job;
    s->job = NULL;
    if (j) {
        j->session = NULL; /* whoever has it frees it */
        j->call = NULL;
    }
    bool ours = j && j->done;
    pthread_mutex_unlock(&s->channel->jobs_lock);
    if (ours)
        attest_report_free(j);
}
