/* SPDX-License-Identifier: MIT */
/*
 * Who leaves: one clock for all members of a shared region. See clock.c.
 */
#ifndef USWAP_SHARED_CLOCK_H
#define USWAP_SHARED_CLOCK_H

#include "shared/region.h"

/* Unmap what the frontier has passed from our view. */
void clock_sweep(struct shared *shared);

/* Advance the hand by one slice. Returns whether an object left memory. */
bool clock_step(struct shared *shared);

/* Advance it until something has left. false: nothing can, just now. */
bool clock_make_some(struct shared *shared) must_check;

/* Make room ahead of demand, if there is little. */
void clock_refill(struct shared *shared);

/* Take room for so many pages, and make it if there is none. -EAGAIN: members that do not answer
 * hold everything; it has waited a little. -EIO: nothing can leave, for the store cannot be
 * written. */
int clock_take_room(struct shared *shared, uint32_t pages,
                    struct shared_patience *patience) must_check;

/* Send away all that nobody maps. Returns how many objects are in memory nevertheless. */
uint64_t clock_evict_all(struct shared *shared) must_check;

#endif
