/* SPDX-License-Identifier: MIT */
/* What decides which page leaves: it is told each access, in order, and says whether the page was
 * in memory. Afterwards it is. */
#ifndef USWAP_BENCH_REPLAY_POLICY_H
#define USWAP_BENCH_REPLAY_POLICY_H

#include "trace.h"

/* How uswap's order is modelled; the numbers are those of pool.c, evict.c and fill.c. */
struct tuning {
    uint32_t cold;     /* the cold ring gives way from one of so many on */
    uint32_t masked;   /* one of so many is masked */
    uint32_t near;     /* who comes back before so many percent of what is resident left is hot */
    uint32_t returned; /* or one of so many of them, where the hot ring is full */
    bool learn;        /* and loses what comes back */
    bool drop;         /* clean pages that are not hot leave at once */
    bool reserve;      /* pages are kept free, and leave in steps */
    bool ahead;        /* streams are read ahead */
};
#define TUNING_AS_IS                                                                               \
    (struct tuning)                                                                                \
    {                                                                                              \
        .cold = 6, .masked = 16, .near = 50, .returned = 16, .learn = true, .drop = true,          \
        .reserve = true                                                                            \
    }

#define RUN_PARTS 12

/* One trace, one size of memory. */
struct run {
    const struct trace *trace;
    uint32_t capacity; /* pages */
    struct tuning tuning;
    void *parts[RUN_PARTS]; /* memory of the policy */
    unsigned part_count;
    uint64_t minor, ahead; /* pages that were found masked; that were read ahead */
};

struct policy {
    const char *name;
    void *(*make)(struct run *run);
    /* at: the number of the access */
    bool (*touch)(void *state, uint64_t at, uint32_t page, bool write);
};

extern const struct policy policy_min, policy_lru, policy_clock, policy_two_queues, policy_s3fifo,
    policy_arc, policy_uswap;

/* Zeroed, and free with the run. */
void *run_memory(struct run *run, uint64_t count, uint64_t size);

#endif
