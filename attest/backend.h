/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest backend is: a row of functions. guest.c, the door, chooses
 * the row, paces and serialises its calls, and remembers a device that is
 * lost; a backend asks its device once and says what came.
 */
#ifndef ATTEST_BACKEND_H
#define ATTEST_BACKEND_H

#include "attest/attest.h"

#include <pthread.h>

/* One device as this process knows it. The PSP has one, whichever way it is
 * asked; any other backend has its own. */
struct attest_device {
    pthread_mutex_t lock; /* held across a request: one at a time */
    pthread_mutex_t turn; /* never held across one: the two below */
    int64_t next_ms;      /* bucket: when the next request may go */
    enum attest_guest_health health;
};

struct attest_backend {
    const char *name; /* in a config; "x:" takes an argument behind it */
    bool optional;    /* "x" is all of it, or "x:" and an argument */
    bool simulated;
    bool psp;       /* the kernel's way to the PSP: paced, lost for all */
    bool automatic; /* "auto" tries these, in the table's order */
    bool indirect;  /* REPORT_DATA is not the caller's: a quote binds it */
    /* Fills fd or own; argument is what stands behind the ':'. */
    enum rc (*open)(struct attest_guest *g, const char *argument);
    enum rc (*report)(struct wire_evidence *out, struct attest_guest *g,
                      const uint8_t data[64]);
    /* NULL: this device derives no keys. */
    enum rc (*derive)(uint8_t key[32], struct attest_guest *g,
                      uint64_t tcb_version);
    void (*close)(struct attest_guest *g); /* NULL: fd is all there is */
};
struct attest_guest {
    const struct attest_backend *backend;
    struct attest_device *device;
    struct attest_device own_device;
    struct attest_guest *keys; /* derives in its place; NULL: it does */
    int fd;                    /* the backend's; -1: none */
    void *own;                 /* the backend's */
    bool noted;                /* this request's failure, by the backend */
    size_t certs_len;          /* what the host's table took last time */
    uint8_t genesis[32];       /* an indirect backend's quotes are over it */
    void (*changed)(void *ctx, const struct attest_guest_state *state);
    void *changed_ctx;
};

extern const struct attest_backend attest_backend_tsm;
extern const struct attest_backend attest_backend_sev_guest;
extern const struct attest_backend attest_backend_vtpm;
#ifdef MPC_SIMULATED_TEE
extern const struct attest_backend attest_backend_swtpm;
extern const struct attest_backend attest_backend_sim;
#endif

/*
 * For a backend that failed: notes what became of the device. The rc is the
 * backend's to raise, but for a lost one:
 */
void attest_guest_note(struct attest_guest *g, enum attest_guest_health h);
/* Notes ATTEST_GUEST_LOST and raises the one error there is for it. */
enum rc attest_guest_lose(struct attest_guest *g);

/* Between two requests to the PSP, all backends together; 2000 at first.
 * The bucket holds one. For tests. */
void attest_guest_pace(int64_t every_ms);
/* Forgets that the PSP is lost: a test's next case. */
void attest_guest_forget(void);

/* "INVALID_PARAM" for a code of the firmware; "unknown". sev_guest.c */
const char *attest_firmware_name(uint32_t code);

#endif
