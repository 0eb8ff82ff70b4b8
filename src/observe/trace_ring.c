/* SPDX-License-Identifier: MIT */
#include "observe/trace_ring.h"

#include <string.h>

#define HALF (TRACE_RING_RECORDS / 2)

_Static_assert(TRACE_RING_RECORDS && (TRACE_RING_RECORDS & (TRACE_RING_RECORDS - 1)) == 0,
               "positions wrap at 2^32");

static struct trace_record *cell_at(struct trace_ring *ring, uint32_t position)
{
    return &ring->cells[position % TRACE_RING_RECORDS];
}

/* Hand out cells. Who is interrupted before it has filled them holds up the fetching of what lies
 * behind, and nobody else. */
static bool take_cells(struct trace_ring *ring, uint32_t count, uint32_t *first)
{
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

    do {
        uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (head - tail + count > TRACE_RING_RECORDS)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&ring->head, &head, head + count,
                                                    memory_order_relaxed, memory_order_relaxed));
    *first = head;
    return true;
}

bool trace_ring_put(struct trace_ring *ring, const struct trace_record *record, const void *data,
                    bool *half_full)
{
    uint32_t count = 1u + record->extra, first;
    struct trace_record *cell;

    *half_full = false;
    if (!take_cells(ring, count, &first)) {
        atomic_fetch_add_explicit(&ring->lost, 1, memory_order_relaxed);
        return false;
    }
    for (uint32_t i = 1; i < count; i++)
        memcpy(cell_at(ring, first + i), (const char *)data + (i - 1) * sizeof(*record),
               sizeof(*record));
    cell = cell_at(ring, first);
    memcpy((char *)cell + sizeof(cell->time), (const char *)record + sizeof(cell->time),
           sizeof(*cell) - sizeof(cell->time));
    __atomic_store_n(&cell->time, record->time, __ATOMIC_RELEASE);
    *half_full = first / HALF != (first + count) / HALF;
    return true;
}

/* Cells are given back as zeros: that is how they are told from filled ones. */
static void copy_cells(struct trace_ring *ring, uint32_t from, struct trace_record *to,
                       uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        memcpy(&to[i], cell_at(ring, from + i), sizeof(*to));
        cell_at(ring, from + i)->time = 0;
    }
}

uint32_t trace_ring_fetch(struct trace_ring *ring, struct trace_record *cells, uint32_t most)
{
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    uint32_t fetched = 0;

    while (tail + fetched != head) {
        const struct trace_record *cell = cell_at(ring, tail + fetched);
        uint32_t count;
        if (!__atomic_load_n(&cell->time, __ATOMIC_ACQUIRE))
            break;
        count = 1u + cell->extra;
        if (fetched + count > most)
            break;
        copy_cells(ring, tail + fetched, &cells[fetched], count);
        fetched += count;
    }
    atomic_store_explicit(&ring->tail, tail + fetched, memory_order_release);
    return fetched;
}
