/* SPDX-License-Identifier: MIT */
/*
 * Futex locks and waits that need nothing from libc, for the fault handler and the swap thread.
 *
 * A lock is never held across IO, never while window memory is touched, and is taken with all
 * signals blocked (the fault handler and the swap thread run so; others use sigblock.h): a signal
 * handler that faults must not find its own thread holding a lock. Locks are taken in the order of
 * their rank; debug builds check that, and that no fault arrives while one is held.
 */
#ifndef USWAP_BASE_LOCK_H
#define USWAP_BASE_LOCK_H

#include "base/base.h"

#include <stdatomic.h>

/* In the order in which they may be taken. */
enum lock_rank {
    RANK_NONE,
    RANK_MAP,     /* the mappings of the program */
    RANK_REGION,  /* the region table and the window's free ranges */
    RANK_BUDGET,  /* changes of the budget */
    RANK_POOL,    /* the eviction order */
    RANK_FRAME,   /* free frames and holes */
    RANK_RESERVE, /* what of the stores is in service, shared by a family of processes */
    RANK_SLOT,    /* free slots, shared as well */
    RANK_PACKED,  /* compressed RAM */
    RANK_IO,      /* the queue of the swap thread */
};

struct lock {
    _Atomic uint32_t word; /* 0 free, 1 held, 2 held and waited for */
    uint32_t rank;
};

#define LOCK_INIT(rank_)                                                                           \
    {                                                                                              \
        0, rank_                                                                                   \
    }

void lock_take(struct lock *lock);
void lock_drop(struct lock *lock);

/* Back to free, whoever held it: for the child after fork. */
void lock_reset(struct lock *lock);

/* Have the order checked for a lock of another make, as if it were one of this rank. */
#ifdef USWAP_DEBUG
void lock_check_take(uint32_t rank);
void lock_check_drop(uint32_t rank);
#else
static inline void lock_check_take(uint32_t rank)
{
    (void)rank;
}
static inline void lock_check_drop(uint32_t rank)
{
    (void)rank;
}
#endif

/* Whether this thread holds any lock; always false without USWAP_DEBUG. */
bool lock_any_held(void);

/* Sleep while *word == value, at most timeout_ns (0: no limit). Returns early at any time. */
void futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t timeout_ns);
void futex_wake_all(_Atomic uint32_t *word);
/* The same for words in memory shared between processes. */
void futex_wait_shared(_Atomic uint32_t *word, uint32_t value, uint64_t timeout_ns);
void futex_wake_all_shared(_Atomic uint32_t *word);

#endif
