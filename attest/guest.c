/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door of the guest devices: the table of backends, one request at a
 * time, a bucket before the PSP, and the memory that it is lost.
 *
 * The kernel gives up its key to the firmware for good when a request is cut
 * off or throttled for a minute: after that every call says ENOTTY until the
 * machine is launched anew. So nothing here tries twice, and nothing asks a
 * device that said so.
 */
#include "attest/attest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "attest/backend.h"
#include "attest/layout.h"
#include "base/clock.h"

#define WAIT_MAX_MS 10000 /* further back in the queue: refused */

/* clang-format off */
static const struct attest_backend *const backends[] = {
    /* "auto" tries from above */
    &attest_backend_tsm,
    &attest_backend_sev_guest,
#ifdef MPC_SIMULATED_TEE
    &attest_backend_swtpm, /* a longer name than the next one's */
#endif
    &attest_backend_vtpm,
#ifdef MPC_SIMULATED_TEE
    &attest_backend_sim,
#endif
};
/* clang-format on */
#define N_BACKENDS (sizeof(backends) / sizeof(*backends))

static struct attest_device psp = { .lock = PTHREAD_MUTEX_INITIALIZER,
                                    .turn = PTHREAD_MUTEX_INITIALIZER };
static int64_t pace_ms = 2000;

void attest_guest_pace(int64_t every_ms)
{
    pthread_mutex_lock(&psp.turn);
    pace_ms = every_ms;
    psp.next_ms = 0;
    pthread_mutex_unlock(&psp.turn);
}

void attest_guest_forget(void)
{
    pthread_mutex_lock(&psp.turn);
    psp.health = ATTEST_GUEST_READY;
    pthread_mutex_unlock(&psp.turn);
}

/* ---- health ------------------------------------------------------------ */

void attest_guest_state(struct attest_guest_state *out, struct attest_guest *g)
{
    static const char *const names[] = { "ready", "failed", "throttled",
                                         "lost" };
    pthread_mutex_lock(&g->device->turn);
    enum attest_guest_health h = g->device->health;
    pthread_mutex_unlock(&g->device->turn);
    *out = (struct attest_guest_state){ .kind = g->backend->name,
                                        .state = names[h],
                                        .health = h,
                                        .simulated = g->backend->simulated };
    if (g->backend->simulated)
        out->kind = "simulated"; /* the row's name is half of an address */
}

void attest_guest_watch(struct attest_guest *g,
                        void (*changed)(void *ctx,
                                        const struct attest_guest_state *state),
                        void *ctx)
{
    g->changed = changed;
    g->changed_ctx = ctx;
}

/* Lost is lost: no later word changes it. */
void attest_guest_note(struct attest_guest *g, enum attest_guest_health h)
{
    g->noted = true;
    pthread_mutex_lock(&g->device->turn);
    if (g->device->health != ATTEST_GUEST_LOST)
        g->device->health = h;
    pthread_mutex_unlock(&g->device->turn);
}

static enum rc lost(const struct attest_guest *g)
{
    enum rc rc = rc_raise(RC_ATTEST,
                          "%s: attestation lost: relaunch the VM: the kernel "
                          "has no key to the firmware any more",
                          g->backend->simulated ? "simulator"
                                                : g->backend->name);
    rc_hint("relaunch the VM (stop and start it; a reboot inside keeps the "
            "launch): no request is made to this device until then");
    return rc;
}

enum rc attest_guest_lose(struct attest_guest *g)
{
    attest_guest_note(g, ATTEST_GUEST_LOST);
    return lost(g);
}

/* ---- one at a time, one in two seconds --------------------------------- */

static enum rc take_turn(int64_t *at_ms, struct attest_guest *g)
{
    struct attest_device *d = g->device;
    if (d->health == ATTEST_GUEST_LOST)
        return lost(g);
    int64_t now = clock_mono_ms();
    int64_t at = d->next_ms > now ? d->next_ms : now;
    if (at - now > WAIT_MAX_MS) {
        enum rc rc = rc_raise(RC_TIMEOUT,
                              "%s: too many requests wait for the device: "
                              "next turn in %lld s, at most %d",
                              g->backend->name, (long long)(at - now) / 1000,
                              WAIT_MAX_MS / 1000);
        rc_hint("try again later: the PSP is asked once in %lld ms so that "
                "the host does not throttle it",
                (long long)pace_ms);
        return rc;
    }
    d->next_ms = at + (g->backend->psp ? pace_ms : 0);
    *at_ms = at;
    return RC_OK;
}

static void wait_until(int64_t at_ms)
{
    for (int64_t left; (left = at_ms - clock_mono_ms()) > 0;) {
        struct timespec t = { .tv_sec = left / 1000,
                              .tv_nsec = left % 1000 * 1000000 };
        nanosleep(&t, NULL);
    }
}

/* Waits for a place in the bucket, then for the device; RC_OK: locked. */
static enum rc enter(enum attest_guest_health *before, struct attest_guest *g)
{
    int64_t at = 0;
    pthread_mutex_lock(&g->device->turn);
    *before = g->device->health;
    enum rc rc = take_turn(&at, g);
    pthread_mutex_unlock(&g->device->turn);
    TRY(rc);
    wait_until(at);
    pthread_mutex_lock(&g->device->lock);
    struct attest_guest_state s;
    g->noted = false;
    attest_guest_state(&s, g); /* one before us may have met the end */
    if (s.health != ATTEST_GUEST_LOST)
        return RC_OK;
    pthread_mutex_unlock(&g->device->lock);
    return lost(g);
}

/* A backend that raised without a word on the device has failed. */
static void leave(struct attest_guest *g, enum attest_guest_health before,
                  enum rc rc)
{
    struct attest_guest_state s;
    if (rc == RC_OK)
        attest_guest_note(g, ATTEST_GUEST_READY);
    else if (!g->noted)
        attest_guest_note(g, ATTEST_GUEST_FAILED);
    pthread_mutex_unlock(&g->device->lock);
    attest_guest_state(&s, g);
    if (s.health != before && g->changed)
        g->changed(g->changed_ctx, &s);
}

/* ---- opening ----------------------------------------------------------- */

static enum rc guest_new(struct attest_guest **out,
                         const struct attest_backend *b, const char *argument)
{
    struct attest_guest *g = calloc(1, sizeof(*g));
    if (!g)
        return rc_raise(RC_NOMEM, "guest device: out of memory");
    g->backend = b;
    g->fd = -1;
    pthread_mutex_init(&g->own_device.lock, NULL);
    pthread_mutex_init(&g->own_device.turn, NULL);
    g->device = b->psp ? &psp : &g->own_device;
    enum rc rc = b->open(g, argument);
    if (rc != RC_OK) {
        attest_guest_free(g);
        return rc;
    }
    *out = g;
    return RC_OK;
}

/* The first that opens. Its keys come from /dev/sev-guest where it has none
 * itself; without one the first who wants a key is told. */
static enum rc open_auto(struct attest_guest **out)
{
    char why[512] = "";
    struct attest_guest *g = NULL;
    for (size_t i = 0; i < N_BACKENDS && !g; i++) {
        if (!backends[i]->automatic ||
            guest_new(&g, backends[i], NULL) == RC_OK)
            continue;
        size_t at = strlen(why);
        snprintf(why + at, sizeof(why) - at, "%s%s", at ? "; " : "", rc_text());
    }
    if (!g) {
        enum rc rc = rc_raise(RC_IO, "no guest device: %s", why);
        rc_hint("run in an SEV-SNP guest, and let this user read and write "
                "its device");
        return rc;
    }
    if (!g->backend->derive &&
        guest_new(&g->keys, &attest_backend_sev_guest, NULL) != RC_OK)
        g->keys = NULL;
    *out = g;
    return RC_OK;
}

static enum rc unknown_device(void)
{
    char names[128] = "auto";
    for (size_t i = 0; i < N_BACKENDS; i++) {
        size_t at = strlen(names);
        snprintf(names + at, sizeof(names) - at, ", %s%s", backends[i]->name,
                 strchr(backends[i]->name, ':') ? "/path/to/socket" : "");
    }
    enum rc rc = rc_raise(RC_ARG, "guest device: this build knows no such one");
    rc_hint("want one of: %s", names);
    return rc;
}

enum rc attest_guest_open(struct attest_guest **out, const char *device)
{
    if (strcmp(device, "auto") == 0)
        return open_auto(out);
    for (size_t i = 0; i < N_BACKENDS; i++) {
        const char *name = backends[i]->name;
        size_t len = strlen(name);
        bool prefix = name[len - 1] == ':';
        if (prefix ? strncmp(device, name, len) == 0
                   : strcmp(device, name) == 0)
            return guest_new(out, backends[i], prefix ? device + len : NULL);
        if (backends[i]->optional && strncmp(device, name, len) == 0 &&
            device[len] == ':')
            return guest_new(out, backends[i], device + len + 1);
    }
    return unknown_device();
}

void attest_guest_free(struct attest_guest *g)
{
    if (!g)
        return;
    attest_guest_free(g->keys);
    if (g->backend->close)
        g->backend->close(g);
    if (g->fd >= 0)
        close(g->fd);
    pthread_mutex_destroy(&g->own_device.lock);
    pthread_mutex_destroy(&g->own_device.turn);
    free(g);
}

void attest_guest_genesis(struct attest_guest *g, const uint8_t genesis[32])
{
    memcpy(g->genesis, genesis, sizeof(g->genesis));
}

bool attest_guest_indirect(const struct attest_guest *g)
{
    return g->backend->indirect;
}

bool attest_guest_simulated(const struct attest_guest *g)
{
    return g->backend->simulated;
}

/* ---- asking ------------------------------------------------------------ */

static enum rc report(struct wire_evidence *e, struct attest_guest *g,
                      const uint8_t report_data[64])
{
    TRY(g->backend->report(e, g, report_data));
    if (e->report.len != ATTEST_REPORT_LEN ||
        (!g->backend->indirect &&
         memcmp(e->report.p + SNP_REPORT_DATA, report_data, 64) != 0))
        return rc_raise(RC_IO, "%s: a report over other data",
                        g->backend->name);
    return RC_OK;
}

enum rc attest_guest_report(struct wire_evidence *out, struct attest_guest *g,
                            const uint8_t report_data[64])
{
    WIRE(evidence) e = { 0 };
    enum attest_guest_health before;
    TRY(enter(&before, g));
    enum rc rc = report(&e, g, report_data);
    leave(g, before, rc);
    TRY(rc);
    *out = e;
    memset(&e, 0, sizeof(e));
    return RC_OK;
}

/* Who derives for g, or the reason why nobody does. */
static enum rc deriver(struct attest_guest **out, struct attest_guest *g)
{
    if (g->backend->derive) {
        *out = g;
        return RC_OK;
    }
    if (g->keys) {
        *out = g->keys;
        return RC_OK;
    }
    enum rc rc = rc_raise(RC_ARG,
                          "%s: this device derives no keys, and what "
                          "is sealed here needs one",
                          g->backend->name);
    if (g->backend->indirect) {
        rc_hint("a vTPM attests and seals nothing yet: what needs a derived "
                "key runs where there is /dev/sev-guest");
        return rc;
    }
    rc_hint("device = auto, and let this user read and write /dev/sev-guest: "
            "reports then come from %s and keys from there",
            g->backend->name);
    return rc;
}

enum rc attest_guest_derive(uint8_t key[32], struct attest_guest *g,
                            uint64_t tcb_version)
{
    struct attest_guest *by = NULL;
    enum attest_guest_health before;
    TRY(deriver(&by, g));
    TRY(enter(&before, by));
    enum rc rc = by->backend->derive(key, by, tcb_version);
    leave(by, before, rc);
    return rc;
}

enum rc attest_guest_lend(int *fd, struct attest_guest *g)
{
    struct attest_guest *by = NULL;
    enum attest_guest_health before;
    TRY(deriver(&by, g));
    TRY(enter(&before, by)); /* the child's request has this turn */
    pthread_mutex_unlock(&by->device->lock);
    *fd = by->fd;
    return RC_OK;
}
