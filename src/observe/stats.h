/* SPDX-License-Identifier: MIT */
/* Counters of the engine, and what people and machines get to read of them. */
#ifndef USWAP_OBSERVE_STATS_H
#define USWAP_OBSERVE_STATS_H

#include "base/histogram.h"
#include "uswap/uswap.h"

#include <stdatomic.h>

enum stats_counter {
    STAT_FAULTS_MAJOR,
    STAT_FAULTS_MINOR,
    STAT_OBJECTS_EVICTED,
    STAT_OBJECTS_DROPPED_CLEAN,
    STAT_OBJECTS_READ_AHEAD,
    STAT_OBJECTS_POISONED,
    STAT_PAGES_PINNED,
    STAT_COUNT,
};

extern _Atomic uint64_t stats_counters[STAT_COUNT];
extern struct histogram stats_fault_ns;

/* Any thread, also in the fault handler. */
static inline void stats_add(enum stats_counter counter, uint64_t count)
{
    atomic_fetch_add_explicit(&stats_counters[counter], count, memory_order_relaxed);
}

static inline uint64_t stats_get(enum stats_counter counter)
{
    return atomic_load_explicit(&stats_counters[counter], memory_order_relaxed);
}

/* The part of the public statistics that is counted here; the arena fills in the rest. */
void stats_fill(struct uswap_stats *stats);

/* The first %p in the name of a file, which stands for the number of the process; NULL: none. */
const char *stats_find_pid(const char *path);

/* Write statistics as JSON to a file, or as a summary to stderr for "-". 0 or -errno. */
int stats_write(const struct uswap_stats *stats, const char *path)
    __attribute__((warn_unused_result));

/* The counts of the parent are not those of the child. */
void stats_reset(void);

#endif
