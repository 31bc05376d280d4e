/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel for the guest backends: libmpc-shim.so stands before libc and
 * answers what a program asks of /dev/sev-guest and of configfs-tsm, as the
 * kernel does; everything else goes through. A test links it and scripts it
 * by the struct; another program gets it by LD_PRELOAD and is scripted by
 * files in the directory MPC_SHIM:
 *
 *     report  1184 bytes       table  the host's certificates (may lack)
 *     error   "ERRNO FW VMM" of every request (may lack)
 *     has     "sev-guest", "tsm" or both
 *     calls   written: one line a request
 */
#ifndef TESTS_SHIM_H
#define TESTS_SHIM_H

#include <stdbool.h>
#include <stdint.h>

#define SHIM_REPORT    1184
#define SHIM_TABLE_MAX (320 * 1024)
#define SHIM_SCRIPT    8

/* What one request ends with; error 0: well. */
struct shim_answer {
    int error;
    uint32_t fw, vmm;
};
struct shim {
    bool has_ioctl, has_tsm;
    uint8_t report[SHIM_REPORT];
    uint8_t table[SHIM_TABLE_MAX];
    uint32_t table_len;
    uint32_t status, size; /* of the answer; size 0 means 1184 */
    struct shim_answer script[SHIM_SCRIPT];
    unsigned n_script; /* the last stays; none: all goes well */
    bool greedy;       /* the host wants more room each time */
    int calls;         /* requests made: by ioctl or by reading outblob */
    int keys;          /* of these, for a derived key */
    bool all_blocked;  /* in each, no signal could come */

    const char *provider; /* NULL: sev_guest */
    bool no_privlevel;
    unsigned floor; /* privlevel_floor */
    char level;     /* privlevel as written last, 0: not */
    bool no_auxblob;
    int mkdir_error, inblob_error, outblob_error, auxblob_error;
    unsigned out_len;   /* of outblob; 0: 1184 */
    unsigned disturb;   /* so many requests are written over */
    int entries, made;  /* there now, and ever */
    uint8_t inblob[64]; /* as written last */
    unsigned inblob_len, inblob_writes;
};
extern struct shim shim;

#endif
