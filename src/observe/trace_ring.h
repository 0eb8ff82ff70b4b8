/* SPDX-License-Identifier: MIT */
/*
 * The rings of the trace, between those who record and the one who fetches. A record and the data
 * that belongs to it take neighbouring cells; the first word of the first of them is not 0 when all
 * are there.
 *
 * A ring that has been emptied begins again with its first cell: of one that is fetched in time no
 * more memory is ever touched than what lies in it at once, and only that is charged to the budget.
 */
#ifndef USWAP_OBSERVE_TRACE_RING_H
#define USWAP_OBSERVE_TRACE_RING_H

#include "base/base.h"
#include "observe/trace_format.h"

#include <stdatomic.h>

#define TRACE_RINGS        16
#define TRACE_RING_RECORDS 2048

struct trace_ring {
    _Atomic uint64_t ends; /* cells handed out (low half) and fetched since it was last empty */
    _Atomic uint32_t lost;
    _Atomic uint32_t charged; /* bytes */
    struct trace_record cells[TRACE_RING_RECORDS] __attribute__((aligned(64)));
} __attribute__((aligned(PAGE_SIZE)));

/* Put a record, with record->extra cells of data; false: there is no room, and it is lost. *filled:
 * whether the ring has just become half full. Any thread. */
bool trace_ring_put(struct trace_ring *ring, const struct trace_record *record, const void *data,
                    bool *half_full) must_check;

/* Fetch up to `most` cells, records with their data whole; returns how many. One thread. */
uint32_t trace_ring_fetch(struct trace_ring *ring, struct trace_record *cells, uint32_t most);

/* Whether anything was ever put into it, or lost. */
static inline bool trace_ring_is_used(const struct trace_ring *ring)
{
    return atomic_load_explicit(&ring->charged, memory_order_relaxed) > 0;
}

#endif
