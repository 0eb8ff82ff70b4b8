/* SPDX-License-Identifier: MIT */
/* A word of bits as a pool of up to 64 things that are free: lock-free, safe in a signal handler.
 */
#ifndef USWAP_BASE_BITS_H
#define USWAP_BASE_BITS_H

#include "base/base.h"

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

#endif
