/* SPDX-License-Identifier: MIT */
/* Sequences that no program made: the orders of the workload program. */
#include "../work/order.h"
#include "base/base.h"
#include "trace.h"

#include <string.h>

/* Accesses to warm up, and that are measured: so many for each page of the set. */
#define PASSES 16

static const struct {
    const char *name;
    order_next *next;
} cases[] = {
    {"rand-read", order_random},  {"hot", order_hot},   {"zipf", order_zipf},
    {"scan-hot", order_scan_hot}, {"loop", order_loop}, {"moving", order_moving},
    {"phases", order_phases},
};

bool trace_make(struct trace *trace, const char *name, uint32_t pages, uint32_t limit,
                uint64_t accesses)
{
    struct order order;
    unsigned i = 0;

    while (i < array_size(cases) && strcmp(cases[i].name, name) != 0)
        i++;
    if (i == array_size(cases))
        return false;
    for (uint32_t page = 0; page < pages; page++)
        trace_add(trace, page, true);
    order_make(&order, cases[i].next, pages, limit);
    trace->warm = pages + (accesses ? 0 : PASSES * (uint64_t)pages);
    if (!accesses)
        accesses = 2 * PASSES * (uint64_t)pages;
    for (uint64_t step = 0; step < accesses; step++)
        trace_add(trace, order.next(&order, step), false);
    trace_close(trace);
    return true;
}
