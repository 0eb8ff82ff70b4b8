/* SPDX-License-Identifier: MIT */
/*
 * Transfers that are larger than what may be pinned at once, done in parts.
 *
 * Regular files and block devices: complete, as the call would be. Writes to pipes, sockets and
 * terminals go on as long as each part is taken whole, so a blocking write is complete too. Reads
 * from those give one part: a short transfer, which is legal. Datagrams are never cut.
 */
#ifndef USWAP_HEAP_GUARD_PARTS_H
#define USWAP_HEAP_GUARD_PARTS_H

#include "heap/guard/guard_table.h"

/* Whether the call must be done in parts. */
bool guard_parts_needed(const struct guard_call *call, const long arguments[6]);

/* Do it: the bytes transferred, or -errno when there are none. */
long guard_parts_transfer(const struct guard_call *call, long number, const long arguments[6]);

#endif
