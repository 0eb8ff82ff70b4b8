/* SPDX-License-Identifier: MIT */
/*
 * A histogram of durations with buckets whose width grows with their value (16 per power of two:
 * relative error under 1/16). Adding is one relaxed atomic increment, from any thread or handler.
 */
#ifndef USWAP_BASE_HISTOGRAM_H
#define USWAP_BASE_HISTOGRAM_H

#include "base/base.h"

/* 16 for the values below 16, then 16 for each of 60 powers of two. */
#define HISTOGRAM_BUCKETS 976

struct histogram {
    uint64_t maximum;
    uint64_t count[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t value);

/* The smallest value (upper edge of its bucket, never above the maximum) that percent % of the
 * values do not exceed; 0 when empty. */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);

uint64_t histogram_total(const struct histogram *histogram);

/* Add what another one has counted; into is nobody else's. */
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The values that a bucket counts: up to this one. */
uint64_t histogram_upper_edge(unsigned bucket);

#endif
