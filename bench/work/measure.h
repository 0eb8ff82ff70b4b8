/* SPDX-License-Identifier: MIT */
/*
 * What one case of a workload measures: how many operations in which time, how long each took, and
 * how many there were in each interval. One for each thread; merged and printed at the end as one
 * line of JSON, which the suite reads.
 */
#ifndef USWAP_BENCH_MEASURE_H
#define USWAP_BENCH_MEASURE_H

#include "base/histogram.h"

#include <sys/types.h>

#define INTERVAL_NS   20000000
#define INTERVALS_MAX 6000 /* two minutes; operations after them are in no interval */

struct measure {
    uint64_t begin_ns;   /* when the case began: intervals count from here */
    uint64_t measure_ns; /* what starts before this time warms up, and counts in intervals only */
    uint64_t ops;
    uint64_t first_ns, last_ns; /* of what was measured */
    struct histogram latency;
    uint32_t intervals[INTERVALS_MAX];
};

/* All zero, and resident, so that measuring is no fault in the middle. */
struct measure *measure_make(unsigned count);
void measure_free(struct measure *measures, unsigned count);

/* One clock call an operation is enough: the end of each is the start of the next. */
void measure_add(struct measure *measure, uint64_t start, uint64_t end);

/* Prints "case" and all that was measured by count threads, whose operations have so many bytes
 * each. */
void measure_print(const char *name, struct measure *measures, unsigned count, uint64_t bytes);

/* Whose peak resident set is printed, where this process is not what is measured. */
void measure_of_process(pid_t pid);

/* Prints what was one operation, with a sum over its result, which must be the same in every run.
 */
void measure_print_run(const char *name, uint64_t ns, uint64_t bytes, uint64_t check);

/* Say why on stderr, and end with 1. */
_Noreturn void __attribute__((format(printf, 1, 2))) die(const char *format, ...);

#endif
