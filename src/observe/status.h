/* SPDX-License-Identifier: MIT */
/*
 * The status page: what a process tells about itself, in shared memory that others map and read
 * without its help; also when it is stopped. It is an anonymous memory file of mode 0600 named
 * "uswap-status", which others find as /proc/PID/fd/N, so the kernel lets the owner and root in,
 * and nothing is left of it however the process ends.
 *
 * In the process itself it is the variable `status_page`, over which the file is mapped: every
 * number lives here and is not copied, but for those that say so. Before the start, and when there
 * can be no file, it is plain memory. A child of fork gets a page of its own.
 *
 * A leaf, like base: all layers count here, and none of them is known here.
 *
 * What happens often is counted in shards, which threads share when there are more of them, so that
 * no two processors write the same cache line; a reader adds the shards up. All words are relaxed
 * atomics: a reader sees each number as it was at some time during the reading.
 */
#ifndef USWAP_OBSERVE_STATUS_H
#define USWAP_OBSERVE_STATUS_H

#include "base/base.h"
#include "base/histogram.h"

#include <stdatomic.h>

#define STATUS_NAME    "uswap-status"
#define STATUS_MAGIC   UINT64_C(0x7375746174737775) /* "uwstatus" */
#define STATUS_VERSION 5

#define STATUS_SECOND_NS UINT64_C(1000000000)

#define STATUS_SHARDS      16
#define STATUS_REGIONS     32
#define STATUS_REGION_NAME 32
#define STATUS_POOL_NAME   64

enum stats_counter {
    STAT_FAULTS_MAJOR,  /* content came back from a store or compressed RAM */
    STAT_FAULTS_PACKED, /* of these: from compressed RAM alone */
    STAT_FAULTS_MINOR,
    STAT_OBJECTS_EVICTED,
    STAT_OBJECTS_DROPPED_CLEAN,
    STAT_OBJECTS_READ_AHEAD,
    /* Of these: proved to be touched, as their stream went on or they were masked. One in a while
     * is proved in both ways. */
    STAT_READ_AHEAD_HITS,
    STAT_OBJECTS_POISONED,
    STAT_BYTES_READ,
    STAT_BYTES_WRITTEN,
    STAT_PAGES_PACKED,   /* into compressed RAM instead of a file */
    STAT_PAGES_UNPACKED, /* read from there */
    STAT_IO_ERRORS,
    STAT_SWAP_NS, /* time that threads of the program spent on swapping */
    STAT_COUNT,
};

/* Durations in ns. */
enum status_histogram {
    HISTOGRAM_MAJOR, /* faults that STAT_FAULTS_MAJOR counts */
    HISTOGRAM_MINOR, /* all other faults */
    HISTOGRAM_READ,  /* one read from a store */
    HISTOGRAM_WRITE, /* one write to a store, from its submission on */
    HISTOGRAM_COUNT,
};

/* The parts of a fault, timed on request only; see parts.h. */
enum status_part {
    PART_LOOKUP, /* find the object and become its owner */
    PART_FRAME,  /* get free frames */
    PART_IO,     /* read from the store */
    PART_CHECK,  /* compare checksums */
    PART_MOVE,   /* into the window */
    PART_WAKE,   /* into the pool, publish, wake who waits */
    PART_EVICT,  /* make room again, after the fault is resolved */
    PART_COUNT,
};

struct status_shard {
    _Atomic uint64_t counters[STAT_COUNT];
    struct histogram histograms[HISTOGRAM_COUNT];
} __attribute__((aligned(PAGE_SIZE)));

/* What is so now; kept by a child of fork. */
struct status_gauges {
    /* The budget, bytes; pages charged, without metadata, in the low half of the word (see
     * object/credit.h); bytes. See object/budget.c. */
    _Atomic uint64_t limit;
    _Atomic uint64_t pages;
    _Atomic uint64_t peak;
    _Atomic int64_t metadata; /* bytes; see base/meta.h */
    _Atomic int64_t swapped;  /* pages of objects that are EVICTED */
    /* Compressed RAM: pages of memory that it takes, which are charged, and pages of content in it.
     * Some of these are resident, too, and unchanged. See store/packed.c. */
    _Atomic uint64_t packed_memory;
    _Atomic uint64_t packed_content;
    /* resident and swapped together, at most, in bytes: noted when something is evicted. */
    _Atomic uint64_t demand_peak;
    _Atomic uint64_t pinned; /* pages */
    _Atomic uint64_t window; /* bytes in regions */
    _Atomic int64_t threads; /* shards handed out */
    /* The pool that the budget is shared in, by its id; 0: it is not. Its name as for --pool; that
     * of a tree of processes is the number of the first one. */
    _Atomic uint64_t pool;
    char pool_name[STATUS_POOL_NAME];
};

/* Copies and rates, made once a second by a thread that faults, and when they are asked for. */
struct status_second {
    _Atomic uint64_t at; /* CLOCK_MONOTONIC, ns; 0: never */
    _Atomic uint64_t committed;
    _Atomic uint64_t store_capacity;
    _Atomic uint64_t store_used;
    /* counters[] a second before, and what came in per second. */
    uint64_t before[STAT_COUNT];
    _Atomic uint64_t rates[STAT_COUNT];
};

/* The regions with the most traffic, as they were when somebody asked; odd sequence: being written.
 */
struct status_regions {
    _Atomic uint32_t sequence;
    uint32_t count; /* in the list */
    uint32_t total; /* of the process */
    struct status_region {
        uint64_t address;
        uint64_t size;
        uint64_t object_size;
        uint64_t reads;     /* faults that read from a store */
        uint64_t evictions; /* objects */
        char name[STATUS_REGION_NAME];
    } list[STATUS_REGIONS];
};

struct status_parts {
    _Atomic uint64_t sum[PART_COUNT];
    struct histogram times[PART_COUNT];
};

struct status {
    uint64_t magic; /* written last */
    uint32_t version;
    uint32_t size;
    int64_t pid;                     /* in the process's own namespace */
    uint64_t started_ns;             /* CLOCK_MONOTONIC */
    _Atomic uint32_t control_thread; /* whether there is one; see control.h */
    struct status_gauges gauges __attribute__((aligned(64)));
    struct status_second second __attribute__((aligned(64)));
    struct status_regions regions __attribute__((aligned(64)));
    struct status_shard shards[STATUS_SHARDS];
    struct status_parts parts;
} __attribute__((aligned(PAGE_SIZE)));

extern struct status status_page __attribute__((visibility("hidden")));

/* Make the page visible to others. Once, at start. Without a file the page is private. */
void status_start(void);

/* The child gets a page of its own, with the gauges that prepare saw and without the counts of its
 * parent: by then that one goes on and changes them. Before anything is counted in the child. */
void status_fork_prepare(void);
void status_fork_child(void);

/* The budget is shared in this pool. At start. */
void status_set_pool(uint64_t id, const char *name);

/* An anonymous memory file of mode 0600 mapped over `address`, which holds what it held; moved to a
 * high descriptor, or, when *fd is one already, in its place. A file that others may not write is
 * sealed. -errno: the memory is as before, and private; *fd is -1. */
int status_map(const char *name, void *address, size_t size, bool others_write, int *fd) must_check;

/* The sums of the shards. */
uint64_t status_sum(const struct status *page, enum stats_counter counter);
void status_merge(const struct status *page, enum status_histogram which, struct histogram *into);

/* Rates, once a second: when it is time for it one thread is told so, and does it. */
bool status_second_due(uint64_t now);
void status_take_rates(uint64_t now);

static inline bool status_second_over(uint64_t now)
{
    uint64_t last = atomic_load_explicit(&status_page.second.at, memory_order_relaxed);

    return unlikely(now - last >= STATUS_SECOND_NS) && now > last;
}

/* This thread's shard, from 1 on; 0: it has none yet. */
extern __thread unsigned status_shard_number __attribute__((visibility("hidden")));
unsigned status_take_shard(void);

static inline struct status_shard *status_shard(void)
{
    unsigned number = status_shard_number;

    if (unlikely(!number))
        number = status_take_shard();
    return &status_page.shards[number - 1];
}

/* Any thread, also in the fault handler. */
static inline void stats_add(enum stats_counter counter, uint64_t count)
{
    atomic_fetch_add_explicit(&status_shard()->counters[counter], count, memory_order_relaxed);
}

static inline void stats_time(enum status_histogram which, uint64_t ns)
{
    histogram_add(&status_shard()->histograms[which], ns);
}

static inline uint64_t stats_swapped_pages(void)
{
    return (uint64_t)atomic_load_explicit(&status_page.gauges.swapped, memory_order_relaxed);
}

static inline void stats_count_swapped(int64_t pages)
{
    atomic_fetch_add_explicit(&status_page.gauges.swapped, pages, memory_order_relaxed);
}

#endif
