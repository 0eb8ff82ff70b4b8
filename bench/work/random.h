/* SPDX-License-Identifier: MIT */
/* Numbers at random that follow from a seed, evenly and by Zipf's law. */
#ifndef USWAP_BENCH_RANDOM_H
#define USWAP_BENCH_RANDOM_H

#include <math.h>
#include <stdint.h>

static inline uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static inline uint64_t random_next(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    return mix(*state);
}

static inline uint64_t random_below(uint64_t *state, uint64_t below)
{
    return (uint64_t)(((unsigned __int128)random_next(state) * below) >> 64);
}

static inline double random_unit(uint64_t *state)
{
    return (double)(random_next(state) >> 11) * 0x1p-53;
}

/*
 * Zipf's law, rank r with a weight of r^-ZIPF_THETA: drawn in constant time from the approximation
 * of Gray et al., "Quickly generating billion-record synthetic databases" (1994).
 */
#define ZIPF_THETA 0.99

struct zipf {
    uint64_t count;
    double sum, eta;
};

static inline void zipf_make(struct zipf *zipf, uint64_t count)
{
    double two = 1 + pow(0.5, ZIPF_THETA);

    zipf->count = count;
    zipf->sum = 0;
    for (uint64_t i = 1; i <= count; i++)
        zipf->sum += pow((double)i, -ZIPF_THETA);
    zipf->eta = (1 - pow(2.0 / (double)count, 1 - ZIPF_THETA)) / (1 - two / zipf->sum);
}

/* A number below count; ranks are spread, so that those that are drawn often are no neighbours. */
static inline uint64_t zipf_next(const struct zipf *zipf, uint64_t *state)
{
    double u = random_unit(state);
    double at = u * zipf->sum;
    uint64_t rank = 1;

    if (at < 1)
        rank = 0;
    else if (at >= 1 + pow(0.5, ZIPF_THETA))
        rank = (uint64_t)((double)zipf->count *
                          pow(zipf->eta * u - zipf->eta + 1, 1 / (1 - ZIPF_THETA)));
    if (rank >= zipf->count)
        rank = zipf->count - 1;
    return rank * 2147483647 % zipf->count; /* a prime: each number once */
}

#endif
