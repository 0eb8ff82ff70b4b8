/* SPDX-License-Identifier: MIT */
/* Read-ahead: sees that a thread goes through memory in order, up or down, and says how far to go
 * ahead of it. */
#ifndef USWAP_ARENA_STREAM_H
#define USWAP_ARENA_STREAM_H

#include "object/object.h"

/* Pages that one fault brings in at most. */
#define STREAM_AHEAD_MAX 256

/* What there is around a stream. */
struct stream_around {
    bool (*here)(object_t first, object_t end); /* whether none of these pages had to be read */
    uint64_t gone;                              /* pages that would have to be read, in all */
};

/*
 * This thread faults on a page: how many pages from there on to bring in, at least 1, at most
 * limit. Tell with stream_extend() how far that went, and how many came in.
 */
uint32_t stream_next(object_t page, uint32_t limit, const struct stream_around *around);
void stream_extend(object_t page, uint32_t pages, uint32_t came);

/* After stream_next(): how many pages its stream brought in before, and has gone through by now; 0:
 * it is a new one, or they were not in its way. */
uint32_t stream_passed(void);

/*
 * The same for a thread that goes down: how many pages up to this one, at most limit, to bring in;
 * 0: it does not go down here. stream_extend_down() tells the first of them, and how many were.
 */
uint32_t stream_down(object_t page, uint32_t limit, const struct stream_around *around);
void stream_extend_down(object_t page, uint32_t pages);

#endif
