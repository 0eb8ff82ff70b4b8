/* SPDX-License-Identifier: MIT */
/* What the profile programs share: time a piece of code, print nanoseconds for one. */
#ifndef USWAP_BENCH_PROFILE_H
#define USWAP_BENCH_PROFILE_H

#include "base/clock.h"

#include <stdio.h>

#define PROFILE_ROUNDS 5

/* Run `times` times what once(argument) does; the best of several rounds counts, for everything
 * else that runs on the machine only makes it longer. */
static inline void profile(const char *name, unsigned long times, void (*once)(void *argument),
                           void *argument)
{
    double best = 1e18;

    for (int round = 0; round < PROFILE_ROUNDS; round++) {
        uint64_t start = clock_now_ns();
        for (unsigned long i = 0; i < times; i++)
            once(argument);
        double each = (double)(clock_now_ns() - start) / (double)times;
        best = each < best ? each : best;
    }
    printf("%-58s %10.1f ns\n", name, best);
    fflush(stdout);
}

#endif
