/* SPDX-License-Identifier: MIT */
/* The statistics of this process, from its status page, and how they are written at the end. */
#ifndef USWAP_OBSERVE_STATS_H
#define USWAP_OBSERVE_STATS_H

#include "observe/status.h"
#include "uswap/uswap.h"

static inline uint64_t stats_pinned_pages(void)
{
    return atomic_load_explicit(&status_page.gauges.pinned, memory_order_relaxed);
}

/* The part of the public statistics that is on the page; the arena fills in the rest. */
void stats_fill(struct uswap_stats *stats);

/* The first %p in the name of a file, which stands for the number of the process; NULL: none. */
const char *stats_find_pid(const char *path);

/* Write statistics as JSON to a file, or as a summary to stderr for "-". 0 or -errno. */
int stats_write(const struct uswap_stats *stats, const char *path)
    __attribute__((warn_unused_result));

#endif
