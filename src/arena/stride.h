/* SPDX-License-Identifier: MIT */
/* Read-ahead across pages: sees that a thread goes through memory in steps of several pages, as
 * through a column of a matrix, and says where it goes on. */
#ifndef USWAP_ARENA_STRIDE_H
#define USWAP_ARENA_STRIDE_H

#include "object/object.h"

/* Pages that one fault brings in at most: as many as can be read at once. */
#define STRIDE_AHEAD_MAX 8

/* The faults that are going to be: the one at hand, and each a step farther. */
struct stride {
    int64_t step;    /* bytes */
    uint32_t count;  /* 1: it is alone */
    uint32_t passed; /* pages that were read ahead for it, and that it has gone through by now */
};

/*
 * This thread faults at an address that has to be read: how its stride goes on from there, in up to
 * so many pages; and, where it belongs to no stream either, whether one begins. Tell with
 * stride_extend() which page was the last that came in.
 */
struct stride stride_next(uintptr_t address, uint32_t limit);
struct stride stride_begin(uintptr_t address, uint32_t limit);
void stride_extend(uintptr_t address, uintptr_t last_page, uint32_t came);

#endif
