/* SPDX-License-Identifier: MIT */
/* A word of bits as a pool of up to 64 things that are free: safe in a signal handler, and
 * lock-free but for who waits for one. */
#ifndef USWAP_BASE_BITS_H
#define USWAP_BASE_BITS_H

#include "base/lock.h"

#include <stdatomic.h>

/* Take the lowest set bit; -1 when there is none. */
static inline int bits_take(_Atomic uint64_t *bits)
{
    uint64_t seen = atomic_load(bits);

    while (seen) {
        if (atomic_compare_exchange_weak(bits, &seen, seen & (seen - 1)))
            return __builtin_ctzll(seen);
    }
    return -1;
}

static inline void bits_put(_Atomic uint64_t *bits, size_t bit)
{
    atomic_fetch_or(bits, UINT64_C(1) << bit);
}

/* A pool in which those who find nothing free wait, as who has taken something gives it back soon.
 */
struct bits_pool {
    _Atomic uint64_t free;
    _Atomic uint32_t events; /* advances when something is given back that may be waited for */
};

/* Who waits looks again after this time, whatever happens. */
#define BITS_WAIT_NS 1000000

static inline int bits_await(struct bits_pool *pool)
{
    for (;;) {
        uint32_t seen = atomic_load(&pool->events);
        int bit = bits_take(&pool->free);

        if (bit >= 0)
            return bit;
        futex_wait(&pool->events, seen, BITS_WAIT_NS);
    }
}

static inline void bits_return(struct bits_pool *pool, size_t bit)
{
    bool scarce = atomic_load(&pool->free) == 0;

    bits_put(&pool->free, bit);
    if (!scarce)
        return;
    atomic_fetch_add(&pool->events, 1);
    futex_wake_all(&pool->events);
}

#endif
