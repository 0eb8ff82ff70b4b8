/* SPDX-License-Identifier: MIT */
#include "observe/trace_ring.h"

#include "base/meta.h"

#include <stddef.h>
#include <string.h>

#define HALF (TRACE_RING_RECORDS / 2)

_Static_assert(TRACE_RING_RECORDS && (TRACE_RING_RECORDS & (TRACE_RING_RECORDS - 1)) == 0,
               "positions wrap at 2^32");

static struct trace_record *cell_at(struct trace_ring *ring, uint32_t position)
{
    return &ring->cells[position % TRACE_RING_RECORDS];
}

static uint64_t ends_of(uint32_t head, uint32_t tail)
{
    return (uint64_t)tail << 32 | head;
}

static uint32_t head_of(uint64_t ends)
{
    return (uint32_t)ends;
}

static uint32_t tail_of(uint64_t ends)
{
    return (uint32_t)(ends >> 32);
}

/* Cells before `end` are touched. */
static void charge(struct trace_ring *ring, uint32_t end)
{
    size_t used = min_u64(end, TRACE_RING_RECORDS) * sizeof(ring->cells[0]);
    uint32_t bytes = (uint32_t)align_up(offsetof(struct trace_ring, cells) + used, PAGE_SIZE);
    uint32_t charged = atomic_load_explicit(&ring->charged, memory_order_relaxed);

    while (unlikely(bytes > charged))
        if (atomic_compare_exchange_weak(&ring->charged, &charged, bytes)) {
            meta_charge(bytes - charged);
            return;
        }
}

/* Hand out cells. Who is interrupted before it has filled them holds up the fetching of what lies
 * behind, and nobody else. Acquire: who fetched what they held has left zeros there. */
static bool take_cells(struct trace_ring *ring, uint32_t count, uint32_t *first, bool *half_full)
{
    uint64_t ends = atomic_load_explicit(&ring->ends, memory_order_relaxed);
    uint32_t head, held;

    do {
        head = head_of(ends);
        held = head - tail_of(ends);
        if (held + count > TRACE_RING_RECORDS)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&ring->ends, &ends,
                                                    ends_of(head + count, tail_of(ends)),
                                                    memory_order_acquire, memory_order_relaxed));
    *first = head;
    *half_full = held < HALF && held + count >= HALF;
    return true;
}

bool trace_ring_put(struct trace_ring *ring, const struct trace_record *record, const void *data,
                    bool *half_full)
{
    uint32_t count = 1u + record->extra, first;
    struct trace_record *cell;

    *half_full = false;
    if (!take_cells(ring, count, &first, half_full)) {
        atomic_fetch_add_explicit(&ring->lost, 1, memory_order_relaxed);
        return false;
    }
    charge(ring, first + count);
    for (uint32_t i = 1; i < count; i++)
        memcpy(cell_at(ring, first + i), (const char *)data + (i - 1) * sizeof(*record),
               sizeof(*record));
    cell = cell_at(ring, first);
    memcpy((char *)cell + sizeof(cell->time), (const char *)record + sizeof(cell->time),
           sizeof(*cell) - sizeof(cell->time));
    __atomic_store_n(&cell->time, record->time, __ATOMIC_RELEASE);
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

static void give_back(struct trace_ring *ring, uint32_t tail)
{
    uint64_t ends = atomic_load_explicit(&ring->ends, memory_order_relaxed);
    uint64_t next;

    do
        next = head_of(ends) == tail ? ends_of(0, 0) : ends_of(head_of(ends), tail);
    while (!atomic_compare_exchange_weak_explicit(&ring->ends, &ends, next, memory_order_release,
                                                  memory_order_relaxed));
}

uint32_t trace_ring_fetch(struct trace_ring *ring, struct trace_record *cells, uint32_t most)
{
    uint64_t ends = atomic_load_explicit(&ring->ends, memory_order_relaxed);
    uint32_t tail = tail_of(ends);
    uint32_t fetched = 0;

    while (tail + fetched != head_of(ends)) {
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
    if (fetched)
        give_back(ring, tail + fetched);
    return fetched;
}
