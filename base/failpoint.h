/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places where a test ends or holds a process, to see what the others make of
 * it. Only in builds with MPC_SIMULATED_TEE: elsewhere FAILPOINT() is nothing
 * and the names are not in the program.
 *
 *     MPC_FAILPOINT=follow_marked:kill mpc-sidecar -c FILE
 *     MPC_FAILPOINT=/DIR mpc-sidecar -c FILE
 *
 * The first is a list for the whole life of the process, NAME:kill (SIGKILL)
 * or NAME:stop (SIGSTOP), comma separated. With a directory the process makes
 * /DIR/PID, 4096 bytes, and reads the list from there whenever it comes to a
 * place: a test writes into it (no new file) while the process runs, also
 * while it is stopped. A list that names no place is no error: nothing
 * happens.
 *
 * A vault shares its parent's list. Its sandbox ends it at `stop` as well as
 * at `kill`; the parent lives on.
 */
#ifndef BASE_FAILPOINT_H
#define BASE_FAILPOINT_H

#include "base/rc.h"

/* clang-format off */
#define FAILPOINT_TABLE(ROW)                                                   \
    /* sidecar, as lead of one signature */                                    \
    ROW(lead_gathered)   /* commitments of t signers are here */               \
    ROW(lead_logged)     /* the intents are in the log, no signer asked yet */ \
    ROW(lead_signed)     /* the sum verifies, nobody was answered yet */       \
    /* sidecar, as signer */                                                   \
    ROW(follow_judged)   /* all is approved, nothing marked yet */             \
    ROW(follow_marked)   /* marks are durable, the vault not asked yet */      \
    ROW(follow_shared)   /* the share is made, not sent yet */                 \
    /* sidecar, as lead of a session's key */                                  \
    ROW(once_chosen)     /* its members are fixed, none of them told */        \
    ROW(once_due)        /* all endorsements are here, nothing logged yet */   \
    ROW(once_born)       /* its birth is in the log, nobody told */            \
    ROW(once_opened)     /* it may sign, who waits for it not told */          \
    ROW(once_closed)     /* it ends, its members not told */                   \
    /* sidecar, as a member of it */                                           \
    ROW(once_begun)      /* our package is made, not sent */                   \
    ROW(once_dealt)      /* our sub-shares are boxed, not sent */              \
    ROW(once_shared)     /* our share is made, not endorsed */                 \
    ROW(once_endorsed)   /* it is, and that not sent */                        \
    ROW(once_active)     /* it may sign, its lead not told */                  \
    /* sidecar, as member of a key that moves */                               \
    ROW(epoch_burnt)     /* the number is used up, nothing is begun */         \
    ROW(epoch_prepared)  /* the share is at rest, there is no vote yet */      \
    ROW(epoch_voted)     /* the vote is at rest, it has not left */            \
    ROW(epoch_certified) /* all votes are at rest, the share is not active */  \
    ROW(epoch_active)    /* it is active, nobody has heard */                  \
    ROW(epoch_retiring)  /* the vault has erased older shares, the disk not */ \
    ROW(epoch_retired)   /* both have, nobody has heard */                     \
    ROW(epoch_gone)      /* a key's end is at rest, the vault has it yet */    \
    /* and as its driver */                                                    \
    ROW(change_voted)    /* all votes are here, nothing is logged */           \
    ROW(change_logged)   /* the certificate is in the log and nowhere else */  \
    /* CA */                                                                   \
    ROW(ca_judged)       /* birth and policy hold, nothing is signed yet */    \
    ROW(ca_signed)       /* the certificate is signed, not sent yet */         \
    /* log */                                                                  \
    ROW(log_written)     /* entries are written, not synced */                 \
    ROW(log_synced)      /* they are durable, nobody was answered yet */
/* clang-format on */

#ifdef MPC_SIMULATED_TEE

#define FAILPOINT_ID(name) FAILPOINT_##name,
enum failpoint { FAILPOINT_TABLE(FAILPOINT_ID) FAILPOINT__COUNT };
#undef FAILPOINT_ID

/* Reads MPC_FAILPOINT, once, before any thread and any fork. */
MUST_CHECK enum rc failpoint_init(void);
/* Does to this process what the list says of that place. */
void failpoint_hit(enum failpoint at);
/* Of a test in this process: is told of each place; NULL: nobody is. */
void failpoint_watch(void (*seen)(enum failpoint at, const char *name));
#define FAILPOINT(name) failpoint_hit(FAILPOINT_##name)

#else

#define FAILPOINT(name) ((void)0)
MUST_CHECK static inline enum rc failpoint_init(void)
{
    return RC_OK;
}

#endif

#endif
