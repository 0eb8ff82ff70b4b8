/* SPDX-License-Identifier: MIT */
/* A mean of what was measured lately, that several threads keep without a lock: one that is lost is
 * no harm. */
#ifndef USWAP_BASE_MEAN_H
#define USWAP_BASE_MEAN_H

#include "base/base.h"

#include <stdatomic.h>

static inline uint32_t mean_value(const _Atomic uint32_t *mean)
{
    return atomic_load_explicit(mean, memory_order_relaxed);
}

/* Move it this part of the way to one more value. */
static inline void mean_follow(_Atomic uint32_t *mean, uint64_t value, uint32_t weight)
{
    int64_t old = mean_value(mean);

    atomic_store_explicit(mean, (uint32_t)(old + ((int64_t)value - old) / weight),
                          memory_order_relaxed);
}

#endif
