/* SPDX-License-Identifier: MIT */
/*
 * Random numbers for tests, the same again for the same seed. The seed is argv[1], or USWAP_SEED of
 * the environment, or taken from the clock, and is printed. One thread, or a state of its own for
 * each.
 */
#ifndef USWAP_TESTS_RANDOM_H
#define USWAP_TESTS_RANDOM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct random {
    uint64_t state;
};

static inline struct random random_start(int argc, char **argv)
{
    const char *text = argc > 1 ? argv[1] : getenv("USWAP_SEED");
    struct random random = {text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL)};

    printf("seed %llu\n", (unsigned long long)random.state);
    fflush(stdout);
    return random;
}

/* splitmix64 */
static inline uint64_t random_next(struct random *random)
{
    uint64_t x = random->state += 0x9e3779b97f4a7c15;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

/* From 0 to limit - 1. */
static inline uint64_t random_below(struct random *random, uint64_t limit)
{
    return random_next(random) % limit;
}

/* Small numbers and large ones alike: as many of each length in bits. */
static inline uint64_t random_log(struct random *random)
{
    return random_next(random) >> random_below(random, 64);
}

#endif
