/* SPDX-License-Identifier: MIT */
/*
 * The histogram. Bucket n < 16 holds the value n; the values of [2^e, 2^(e+1)), e >= 4, share the
 * 16 buckets from 16 * (e - 3) on by their four bits below the highest. Counters are only ever
 * incremented, so that a reader needs no lock: it sees every value that was added before it began.
 */
#include "base/histogram.h"

#define SUB_BITS 4
#define SUB      (1u << SUB_BITS)

_Static_assert(HISTOGRAM_BUCKETS == SUB + SUB * (64 - SUB_BITS), "a bucket for every value");

static unsigned bucket_of(uint64_t value)
{
    if (value < SUB)
        return (unsigned)value;

    unsigned exponent = 63 - (unsigned)__builtin_clzll(value);
    unsigned shift = exponent - SUB_BITS;
    return (shift + 1) * SUB + (unsigned)(value >> shift) % SUB;
}

uint64_t histogram_upper_edge(unsigned bucket)
{
    if (bucket < SUB)
        return bucket;

    unsigned shift = bucket / SUB - 1;
    uint64_t lower = (uint64_t)(SUB + bucket % SUB) << shift;
    return lower + (((uint64_t)1 << shift) - 1);
}

static uint64_t load(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    uint64_t maximum = load(&histogram->maximum);

    while (maximum < value &&
           !__atomic_compare_exchange_n(&histogram->maximum, &maximum, value, true,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
    __atomic_fetch_add(&histogram->count[bucket_of(value)], 1, __ATOMIC_RELAXED);
}

uint64_t histogram_total(const struct histogram *histogram)
{
    uint64_t total = 0;

    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++)
        total += load(&histogram->count[bucket]);
    return total;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++)
        into->count[bucket] += load(&from->count[bucket]);
    into->maximum = max_u64(into->maximum, load(&from->maximum));
}

/* How many of total values must not exceed the percentile: at least one, rounded up. */
static uint64_t rank_of(uint64_t total, double percent)
{
    double exact = (double)total * percent / 100;
    uint64_t rank = exact >= (double)total ? total : (uint64_t)exact;

    if (rank < total && (double)rank < exact)
        rank++;
    return max_u64(rank, 1);
}

uint64_t histogram_percentile(const struct histogram *histogram, double percent)
{
    uint64_t total = histogram_total(histogram);
    uint64_t rank = rank_of(total, percent);
    uint64_t seen = 0;

    if (total == 0)
        return 0;
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += load(&histogram->count[bucket]);
        if (seen >= rank)
            return min_u64(histogram_upper_edge(bucket), load(&histogram->maximum));
    }
    return load(&histogram->maximum);
}
