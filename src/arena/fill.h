/* SPDX-License-Identifier: MIT */
/*
 * Filling: an object that is not in the window becomes RESIDENT. Each function gets an object that
 * the caller has claimed in the state in its name, with the word it had; it is in a stable state
 * again when the function returns. Call without locks, inside the gate.
 */
#ifndef USWAP_ARENA_FILL_H
#define USWAP_ARENA_FILL_H

#include "object/object.h"

int fill_init(void) must_check;

/* EMPTY: zeros, for this object and as many empty ones after it as make up `pages`. */
int fill_zero(object_t object, uint32_t pages, uint32_t *filled) must_check;

/* How to read an object: with how many pages, and whether it is for a write. */
struct fill_wish {
    uint32_t pages;
    bool write;
};

/* EVICTED: read from the stores, with evicted ones after it that lie behind it there. One that
 * comes alone, and not for a write, may be clean. -EIO, -EBADMSG: it is POISONED now. */
int fill_read(object_t object, uint64_t word, const struct fill_wish *wish,
              uint32_t *filled) must_check;

/* MASKED: back from its frames. */
int fill_unmask(object_t object, uint64_t word) must_check;

/* RESIDENT, but its page is missing: somebody dropped it behind our back (madvise): zero again. */
int fill_again(object_t object, uint64_t word, object_t page) must_check;

#endif
