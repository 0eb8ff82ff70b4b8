/* SPDX-License-Identifier: MIT */
/*
 * The rings of the trace, between those who record and the one who fetches. A record and the data
 * that belongs to it take neighbouring cells; the first word of the first of them is not 0 when all
 * are there.
 */
#ifndef USWAP_OBSERVE_TRACE_RING_H
#define USWAP_OBSERVE_TRACE_RING_H

#include "base/base.h"
#include "observe/trace_format.h"

#include <stdatomic.h>

#define TRACE_RINGS        16
#define TRACE_RING_RECORDS 2048

struct trace_ring {
    _Atomic uint32_t head; /* cells handed out, ever */
    _Atomic uint32_t lost;
    _Atomic bool used;
    _Atomic uint32_t tail __attribute__((aligned(64))); /* cells fetched */
    struct trace_record cells[TRACE_RING_RECORDS] __attribute__((aligned(64)));
};

/* Put a record, with record->extra cells of data; false: there is no room, and it is lost. *filled:
 * whether the ring has just become half full. Any thread. */
bool trace_ring_put(struct trace_ring *ring, const struct trace_record *record, const void *data,
                    bool *half_full) must_check;

/* Fetch up to `most` cells, records with their data whole; returns how many. One thread. */
uint32_t trace_ring_fetch(struct trace_ring *ring, struct trace_record *cells, uint32_t most);

#endif
