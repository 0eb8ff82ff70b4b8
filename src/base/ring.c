/* SPDX-License-Identifier: MIT */
/*
 * The ring of numbers. Head and tail count entries ever popped and pushed, modulo 2^32; the place
 * of an entry is its sequence number modulo the capacity, and tail - head is the number of entries,
 * also when either has wrapped.
 */
#include "base/ring.h"

static uint32_t *place(const struct ring *ring, uint32_t sequence)
{
    return &ring->entries[sequence & (ring->capacity - 1)];
}

void ring_init(struct ring *ring, uint32_t *entries, uint32_t capacity)
{
    *ring = (struct ring){.entries = entries, .capacity = capacity};
}

uint32_t ring_count(const struct ring *ring)
{
    return ring->tail - ring->head;
}

bool ring_full(const struct ring *ring)
{
    return ring_count(ring) == ring->capacity;
}

uint32_t ring_push(struct ring *ring, uint32_t value)
{
    *place(ring, ring->tail) = value;
    return ring->tail++;
}

uint32_t ring_push_chunk(struct ring *ring, uint32_t value, uint32_t step, uint32_t count)
{
    uint32_t first = ring->tail;

    for (uint32_t i = 0; i < count; i++)
        ring_push(ring, value + i * step);
    return first;
}

bool ring_pop(struct ring *ring, struct ring_entry *entry)
{
    return ring_pop_chunk(ring, entry, 1) == 1;
}

uint32_t ring_pop_chunk(struct ring *ring, struct ring_entry *entries, uint32_t count)
{
    uint32_t taken = ring_count(ring) < count ? ring_count(ring) : count;

    for (uint32_t i = 0; i < taken; i++) {
        entries[i] = (struct ring_entry){*place(ring, ring->head), ring->head};
        ring->head++;
    }
    return taken;
}
