/* SPDX-License-Identifier: MIT */
#ifndef USWAP_BASE_CLOCK_H
#define USWAP_BASE_CLOCK_H

#include "base/sys.h"

#include <stdint.h>
#include <time.h>

/* Monotonic nanoseconds; through the vDSO: about 30 ns, safe in a signal handler. */
static inline uint64_t clock_now_ns(void)
{
    struct timespec now;

    sys_selector = SYS_ALLOW; /* the vDSO asks the kernel on machines without a usable counter */
    clock_gettime(CLOCK_MONOTONIC, &now);
    sys_selector = SYS_BLOCK;
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#endif
