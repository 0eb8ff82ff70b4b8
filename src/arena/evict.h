/* SPDX-License-Identifier: MIT */
/*
 * Eviction: objects leave the window for frames (they are masked), and masked objects leave memory
 * for the stores.
 */
#ifndef USWAP_ARENA_EVICT_H
#define USWAP_ARENA_EVICT_H

#include "object/object.h"

/* Pages in one step at most. */
#define EVICT_STEP_MAX 256

int evict_init(void) must_check;

/*
 * Do one step towards free frames, of about so many pages: mask the next victims, and start to
 * write the objects masked longest. Returns the pages that were masked, freed or are being written:
 * 0 means that nothing can be done now. Never waits for IO. Call without locks.
 */
uint32_t evict_step(uint32_t pages);

/*
 * A small step towards free frames, of some microseconds, for while a read is waited for: mask or
 * drop the next victims, or have the swap thread write those masked longest. Returns false when
 * there is nothing to do.
 */
bool evict_meanwhile(void);

/* The two halves of a step, one at a time: mask the next victims, clean ones as well, for a look
 * whether they are used; and have those masked longest leave. Return pages, as above. */
uint32_t evict_sample(uint32_t pages);
uint32_t evict_masked(uint32_t pages);

/* Mask these objects, which the caller owns; those that cannot be are resident again. */
uint32_t evict_mask(object_t *victims, unsigned count);

/* Pages being written. */
uint64_t evict_in_flight(void);

/* The eviction clock: objects that have left memory so far, modulo 2^32. */
uint32_t evict_clock(void);

#endif
