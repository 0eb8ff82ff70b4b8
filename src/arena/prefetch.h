/* SPDX-License-Identifier: MIT */
/*
 * Reads for streams that are begun a fault early: while the program goes through what has come in,
 * the device reads what it is going to touch next.
 *
 * A prefetch has frames, and reads in flight into them, but no object: these stay EVICTED, and may
 * be read, discarded, moved or written in the meantime as if there were none. Who touches one of
 * them takes the prefetch, and uses what is in its frames only where its checksum is that of the
 * object's slot now.
 *
 * Call without locks, inside the gate. There are few prefetches; they take at most the pages of
 * supply_ahead_limit() together, and only such as are free.
 */
#ifndef USWAP_ARENA_PREFETCH_H
#define USWAP_ARENA_PREFETCH_H

#include "arena/work.h"

struct prefetch;

int prefetch_init(void) must_check;

/* Begin to read what is evicted of these pages, whole objects of one size. Nothing is waited for
 * but to hand the reads over; where that is not possible, none is begun. */
void prefetch_begin(object_t first, object_t end);

/* The prefetch that this object belongs to; it is the caller's, and to be given to prefetch_end().
 * NULL: there is none. *first, *end: what it is for. */
struct prefetch *prefetch_take(object_t object, object_t *first, object_t *end);

/*
 * Wait for its reads. Returns a work with the object, which the caller has claimed and which had
 * this word, and with all others of the prefetch that are still evicted, which it claims; their
 * content is in the frames of the work. NULL: the object has to be read.
 */
struct work *prefetch_end(struct prefetch *prefetch, object_t object, uint64_t word);

/* Pages of memory that they take now. */
uint32_t prefetch_pages(void);

/* Give up those that nobody has wanted for long: with every fault while there are any. */
void prefetch_drop_stale(void);

/* Wait for all reads and give the frames back, for memory is short or fork comes. Returns how many
 * there were. */
uint32_t prefetch_drop_all(void);

#endif
