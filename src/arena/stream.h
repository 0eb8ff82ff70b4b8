/* SPDX-License-Identifier: MIT */
/* Read-ahead: sees that a thread goes through memory in order, and says how far to go ahead of it.
 */
#ifndef USWAP_ARENA_STREAM_H
#define USWAP_ARENA_STREAM_H

#include "object/object.h"

/* Pages that one fault brings in at most. */
#define STREAM_AHEAD_MAX 256

/*
 * This thread faults on a page: how many pages from there on to bring in, at least 1, at most
 * limit. Tell with stream_extend() how many were.
 */
uint32_t stream_next(object_t page, uint32_t limit);
void stream_extend(object_t page, uint32_t pages);

#endif
