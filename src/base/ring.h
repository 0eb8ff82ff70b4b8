/* SPDX-License-Identifier: MIT */
/*
 * A first-in first-out ring of 32-bit numbers. Each push returns the entry's sequence number; the
 * owner of a number keeps it and so knows whether an entry that is popped later is still the
 * current one, or a stale one left behind. No locks: the caller has one.
 */
#ifndef USWAP_BASE_RING_H
#define USWAP_BASE_RING_H

#include "base/base.h"

struct ring {
    uint32_t *entries;
    uint32_t capacity; /* a power of two */
    uint32_t head;     /* sequence number of the oldest entry */
    uint32_t tail;     /* sequence number the next push gets; wraps at 2^32 */
};

struct ring_entry {
    uint32_t value;
    uint32_t sequence;
};

/* entries: memory for capacity numbers, at least 2, at most 2^31. */
void ring_init(struct ring *ring, uint32_t *entries, uint32_t capacity);

uint32_t ring_count(const struct ring *ring);
bool ring_full(const struct ring *ring);

/* Push one; the ring must not be full. Returns its sequence number. */
uint32_t ring_push(struct ring *ring, uint32_t value);

/* Push count numbers as one chunk: value, value + step, ...; there must be room. Returns the first
 * sequence number. */
uint32_t ring_push_chunk(struct ring *ring, uint32_t value, uint32_t step, uint32_t count);

/* Take the oldest; false when empty. */
bool ring_pop(struct ring *ring, struct ring_entry *entry);

/* Take up to count of the oldest; returns how many. */
uint32_t ring_pop_chunk(struct ring *ring, struct ring_entry *entries, uint32_t count);

#endif
