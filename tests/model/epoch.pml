/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The epoch protocol (DESIGN section 8, docs/CUSTODY.md) as a model for spin:
 * START -> PREPARE -> CERT -> ACTIVATE -> RETIRE. A node may crash between any
 * two steps, a message may be lost, late or out of order, and of every
 * committee up to n - t holders may be lost for ever. After every step the key
 * must be alive: some epoch can still sign, and it is the newest whose
 * certificate anyone alive knows, or a newer one that all its members can
 * still certify.
 *
 * What is modelled: what a node keeps on disk (masks of nodes, one per epoch)
 * and what it only remembers (cleared by a crash). A vote or an ACK that was
 * ever sent may arrive at any later time, or never: that is loss, delay and
 * reordering in one. Nobody lies: a bad member can only withhold, which is a
 * loss.
 *
 * Every parameter comes from tests/model/run.sh (-D):
 *   NODES, EPOCHS      how many; epoch 0 exists at the start
 *   M0.. M2, T0.. T2   members (a mask) and threshold of each epoch
 *   VOTES              votes that make a certificate: 0 = of all members
 *   ERASE              when a node erases older shares:
 *                      0 on ACKs of all members of the new epoch (shipped)
 *                      1 when its own new share is stored
 *                      2 when it knows the certificate
 *   EARLY              1: the vote leaves before the share is on disk
 */

#ifndef M2
#define M2 0
#define T2 1
#endif

#define BIT(i)     (1 << (i))
#define HAS(m, i)  (((m) >> (i)) & 1)
#define COUNT(m)   (HAS(m, 0) + HAS(m, 1) + HAS(m, 2) + HAS(m, 3) + HAS(m, 4))
#define AT(i, k)   ((i) * EPOCHS + (k))
#define MEMBERS(k) ((k) == 0 -> M0 : ((k) == 1 -> M1 : M2))
#define T(k)       ((k) == 0 -> T0 : ((k) == 1 -> T1 : T2))
#define ALIVE(m)   ((m) & ~dead)
#define CLEAR(m, i) m = m & ~BIT(i)
#define SET(m, i)  m = m | BIT(i)

/* on disk */
byte share[EPOCHS];   /* who holds a share of it */
byte erased[EPOCHS];  /* who held one and erased it on purpose */
byte known[EPOCHS];   /* who knows its certificate */
byte started[EPOCHS]; /* who burnt its number */
/* remembered */
byte boxes[EPOCHS];          /* who was dealt sub-shares, not stored yet */
byte votes[NODES * EPOCHS];  /* [node, epoch]: whose votes it has seen */
byte acks[NODES * EPOCHS];   /* and whose ACKs */
/* on the wire */
byte voted[EPOCHS];
byte acked[EPOCHS];
/* */
bool dealt[EPOCHS];
byte dead;

#if VOTES == 0
#define ENOUGH(m, k) ((m) == MEMBERS(k))
#else
#define ENOUGH(m, k) (COUNT(m) >= VOTES)
#endif

/* newest certificate that node i knows; every node knows that of epoch 0 */
#if EPOCHS == 3
#define NEWEST(i)  (HAS(known[2], i) -> 2 : HAS(known[1], i))
#define NEWEST_ANY (ALIVE(known[2]) -> 2 : (ALIVE(known[1]) -> 1 : 0))
#define NEWER_CAN(k) (((k) < 1 && CAN(1)) || ((k) < 2 && CAN(2)))
#else
#define NEWEST(i)  (HAS(known[1], i))
#define NEWEST_ANY (ALIVE(known[1]) -> 1 : 0)
#define NEWER_CAN(k) ((k) < 1 && CAN(1))
#endif
#define CAN(k)     (ALIVE(share[k]) == MEMBERS(k))
#define LIVE(k)    (COUNT(ALIVE(share[k])) >= T(k))
#define KEY_LIVES  (LIVE(NEWEST_ANY) || NEWER_CAN(NEWEST_ANY))

/* Can committee k bear to lose i? Whoever erased on purpose holds nothing. */
#define BEARS(k, i)                                                            \
    (!HAS(MEMBERS(k), i) || HAS(erased[k], i) ||                               \
     COUNT(MEMBERS(k) & dead & ~erased[k]) < COUNT(MEMBERS(k)) - T(k))

#if EPOCHS == 3
#define ALL_BEAR(i) (BEARS(0, i) && BEARS(1, i) && BEARS(2, i))
#else
#define ALL_BEAR(i) (BEARS(0, i) && BEARS(1, i))
#endif

/* i erases what is older than epoch k */
inline erase_before(i, k)
{
    e = 0;
    do
    :: e < k ->
        if
        :: HAS(share[e], i) -> CLEAR(share[e], i); SET(erased[e], i);
        :: else
        fi;
        CLEAR(boxes[e], i);
        e++
    :: else -> break
    od;
    e = 0
}

inline learn(i, k)
{
    SET(known[k], i);
    if
    :: HAS(share[k], i) -> SET(acked[k], i)
    :: else
    fi;
    if
    :: ERASE == 2 -> erase_before(i, k)
    :: else
    fi
}

/*
 * START of epoch k from parent p: every member alive, none burnt this number
 * or knows a newer certificate than p; t holders of p deal. All of them hear
 * of p's certificate.
 */
#define MAY_JOIN(i, k, p) (!HAS(MEMBERS(k), i) || NEWEST(i) <= p)
#if NODES == 5
#define ALL_JOIN(k, p) (MAY_JOIN(0, k, p) && MAY_JOIN(1, k, p) && \
    MAY_JOIN(2, k, p) && MAY_JOIN(3, k, p) && MAY_JOIN(4, k, p))
#elif NODES == 4
#define ALL_JOIN(k, p) (MAY_JOIN(0, k, p) && MAY_JOIN(1, k, p) && \
    MAY_JOIN(2, k, p) && MAY_JOIN(3, k, p))
#else
#define ALL_JOIN(k, p) (MAY_JOIN(0, k, p) && MAY_JOIN(1, k, p) && \
    MAY_JOIN(2, k, p))
#endif
#if EPOCHS == 3
#define STALE(p) ((p) == 0 -> (known[1] | known[2]) : known[2])
#else
#define STALE(p) (known[1])
#endif
#define DEALERS(p) (ALIVE(share[p]) & known[p] & ~STALE(p))
#define MAY_START(k, p)                                                        \
    (!dealt[k] && !(MEMBERS(k) & dead) && ALL_JOIN(k, p) &&                    \
     COUNT(DEALERS(p)) >= T(p))

inline start(k, p)
{
    dealt[k] = true;
    started[k] = MEMBERS(k);
    known[p] = known[p] | MEMBERS(k);
    boxes[k] = MEMBERS(k);
    if
    :: EARLY -> voted[k] = MEMBERS(k)
    :: else
    fi
}

proctype starter()
{
end:
    do
    :: atomic { MAY_START(1, 0) -> start(1, 0);
                printf("epoch 1 starts from 0\n"); assert(KEY_LIVES) }
#if EPOCHS == 3
    :: atomic { MAY_START(2, 0) -> start(2, 0);
                printf("epoch 2 starts from 0\n"); assert(KEY_LIVES) }
    :: atomic { MAY_START(2, 1) -> start(2, 1);
                printf("epoch 2 starts from 1\n"); assert(KEY_LIVES) }
#endif
    od
}

proctype node(byte i)
{
    byte k = 0, j = 0, e = 0;
end:
    do
    /* PREPARE: the share is on disk, then the vote is sent */
    :: atomic {
        !HAS(dead, i) ->
        select(k : 1 .. EPOCHS - 1);
        if
        :: HAS(boxes[k], i) ->
            CLEAR(boxes[k], i);
            SET(share[k], i);
            SET(voted[k], i);
            printf("node %d stores its share of epoch %d, votes\n", i, k);
            if
            :: ERASE == 1 -> erase_before(i, k);
                printf("node %d erases its shares before %d\n", i, k)
            :: else
            fi;
            assert(KEY_LIVES)
        :: else
        fi;
        k = 0 }
    /* a vote arrives; enough of them are the certificate */
    :: atomic {
        !HAS(dead, i) ->
        select(k : 1 .. EPOCHS - 1);
        select(j : 0 .. NODES - 1);
        if
        :: HAS(voted[k], j) && !HAS(votes[AT(i, k)], j) && !HAS(known[k], i) ->
            SET(votes[AT(i, k)], j);
            printf("node %d sees the vote of %d for epoch %d\n", i, j, k);
            if
            :: ENOUGH(votes[AT(i, k)], k) ->
                votes[AT(i, k)] = 0;
                learn(i, k);
                printf("node %d has the certificate of epoch %d\n", i, k)
            :: else
            fi;
            assert(KEY_LIVES)
        :: else
        fi;
        k = 0; j = 0 }
    /* somebody alive passes the certificate on */
    :: atomic {
        !HAS(dead, i) ->
        select(k : 1 .. EPOCHS - 1);
        if
        :: ALIVE(known[k]) && !HAS(known[k], i) ->
            votes[AT(i, k)] = 0;
            learn(i, k);
            printf("node %d is told the certificate of epoch %d\n", i, k);
            assert(KEY_LIVES)
        :: else
        fi;
        k = 0 }
    /* an ACK arrives; with those of all members the old shares go */
    :: atomic {
        ERASE == 0 && !HAS(dead, i) ->
        select(k : 1 .. EPOCHS - 1);
        select(j : 0 .. NODES - 1);
        if
        :: HAS(acked[k], j) && HAS(known[k], i) && !HAS(acks[AT(i, k)], j) ->
            SET(acks[AT(i, k)], j);
            printf("node %d sees the ACK of %d for epoch %d\n", i, j, k);
            if
            :: acks[AT(i, k)] == MEMBERS(k) ->
                erase_before(i, k);
                printf("node %d erases its shares before %d\n", i, k)
            :: else
            fi;
            assert(KEY_LIVES)
        :: else
        fi;
        k = 0; j = 0 }
    /* kill -9: what it only remembered is gone */
    :: atomic {
        !HAS(dead, i) ->
        k = 0;
        do
        :: k < EPOCHS ->
            CLEAR(boxes[k], i);
            votes[AT(i, k)] = 0;
            acks[AT(i, k)] = 0;
            k++
        :: else -> break
        od;
        k = 0;
        printf("node %d crashes and comes back\n", i);
        assert(KEY_LIVES) }
    /* lost for ever, as far as every committee can bear it */
    :: atomic {
        !HAS(dead, i) && ALL_BEAR(i) ->
        SET(dead, i);
        k = 0;
        do
        :: k < EPOCHS ->
            CLEAR(boxes[k], i);
            votes[AT(i, k)] = 0;
            acks[AT(i, k)] = 0;
            k++
        :: else -> break
        od;
        k = 0;
        printf("node %d is lost for ever\n", i);
        assert(KEY_LIVES) }
    od
}

init
{
    byte i = 0;
    atomic {
        share[0] = M0;
        known[0] = BIT(NODES) - 1; /* its birth is in the log */
        run starter();
        do
        :: i < NODES -> run node(i); i++
        :: else -> break
        od
    }
}
