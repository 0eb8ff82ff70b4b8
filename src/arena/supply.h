/* SPDX-License-Identifier: MIT */
/*
 * The supply of memory to faults: free frames, or room in the budget, or what eviction brings.
 *
 * A page of memory is either charged and present somewhere, or room in the budget. Faults take; the
 * supply is refilled ahead of demand after a fault has been resolved, so that normally no fault
 * waits.
 */
#ifndef USWAP_ARENA_SUPPLY_H
#define USWAP_ARENA_SUPPLY_H

#include "object/frame.h"

/* Frames that a call may need, and the runs they may come in. */
#define SUPPLY_RUNS_MAX 512

/*
 * Take count frames with a (charged) page in each; waits for eviction when it must. Returns the
 * number of runs, at least 1. When nothing can leave memory, the budget is exceeded, with a
 * message, rather than data lost. Call without locks; objects may be owned.
 */
unsigned supply_take(uint32_t count, struct frame_run *runs, unsigned max_runs);

/* Take the frames only if that needs no waiting and leaves the reserve alone; 0 runs otherwise. */
unsigned supply_try(uint32_t count, struct frame_run *runs, unsigned max_runs);

/* Take room for count pages that the caller makes present itself; leaves nothing when false. */
bool supply_take_room(uint32_t count) must_check;

/* While a read of so many pages is waited for: evict, for a part of that time, when less than the
 * reserve is free. */
void supply_meanwhile(uint32_t pages);

/* After a fault: start an eviction when less than half of the reserve is free, or, after one that
 * read ahead, less than the next one takes. */
void supply_refill(void);

/* Bring the resident memory under the budget after it was made smaller. -EBUSY: it cannot be. */
int supply_shrink(void) must_check;

/* Give free frames back to the system, at most count: they are room in the budget then. Returns how
 * many. */
uint64_t supply_release(uint64_t count);

/* One step towards giving count pages back to the pool of processes: frames that are free, else an
 * eviction is started, by evict_step() or evict_masked(). true: something was given or is on its
 * way. */
bool supply_lend(uint32_t count, uint32_t (*step)(uint32_t pages));

/* Wait for memory that is given back here: until there were more events than those seen. */
uint32_t supply_events(void);
void supply_wait(uint32_t seen, uint64_t bound_ns);

/* Set by the budget: how much is kept free, and so on. */
void supply_set_budget(uint64_t pages);

/* A budget, in whole MiB, in which so many bytes need no eviction. */
uint64_t supply_budget_for(uint64_t bytes);

/* Pages to take at most for read-ahead. */
uint32_t supply_ahead_limit(void);

/* Pages free before anything must leave. */
uint64_t supply_free_pages(void);

/* The time that this thread has spent on evicting and on waiting for memory since it last asked. */
uint64_t supply_take_spent(void);

/* Somebody gave memory back: whoever waits looks again. */
void supply_notify(void);

#endif
