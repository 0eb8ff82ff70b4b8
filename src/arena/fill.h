/* SPDX-License-Identifier: MIT */
/*
 * Filling: an object that is not in the window becomes RESIDENT. Each function gets an object that
 * the caller has claimed in the state in its name, with the word it had; it is in a stable state
 * again when the function returns. Call without locks, inside the gate.
 */
#ifndef USWAP_ARENA_FILL_H
#define USWAP_ARENA_FILL_H

#include "arena/stride.h"
#include "object/object.h"
#include "observe/trace_format.h"

/* EMPTY: zeros, for this object and as many empty ones after it as make up `pages`. */
int fill_zero(object_t object, uint32_t pages, uint32_t *filled) must_check;

/* How to read an object: with so many pages from its first one on and so many below it, or, if
 * stride.count is more than 1, with the pages of a stride; and whether it is for a write. And how
 * many pages are going to be wanted then, behind them or, with some below, before them. */
struct fill_wish {
    uint32_t pages;
    uint32_t below;
    uint32_t next;
    struct stride stride;
    uintptr_t address; /* that was touched, for the stride */
    bool write;
};

/* What came in: the first page, where the last object ends, the pages; and from where: a store,
 * compressed RAM alone, or from nowhere, for pages of zeros are not kept (as the kind of the fault:
 * READ, PACKED, FRESH). */
struct filled {
    object_t first, end;
    uint32_t pages;
    enum trace_kind source;
};

/* EVICTED: read from the stores, with evicted ones about it. One that comes alone, or a stride, and
 * not for a write, may be clean. -EIO, -EBADMSG: it is POISONED now. */
int fill_read(object_t object, uint64_t word, const struct fill_wish *wish,
              struct filled *filled) must_check;

/* MASKED: back from its frames. */
int fill_unmask(object_t object, uint64_t word) must_check;

/* RESIDENT, but its page is missing: somebody dropped it behind our back (madvise): zero again. */
int fill_again(object_t object, uint64_t word, object_t page) must_check;

#endif
