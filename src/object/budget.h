/* SPDX-License-Identifier: MIT */
/*
 * The budget: how many pages may be resident. A page is charged from when it becomes present, in
 * the window or in a frame, until it is dropped. Metadata counts by what base/meta.h has charged.
 *
 * A budget is private, or that of a pool (sharing.h). Of a pool this process has a share that it
 * can always use, and borrows the rest as long as the others leave some.
 *
 * Any thread with signals blocked and any fault handler may call these, without locks.
 */
#ifndef USWAP_OBJECT_BUDGET_H
#define USWAP_OBJECT_BUDGET_H

#include "base/base.h"

/* Less than this makes no sense: the tables and a few batches need it. */
#define BUDGET_MINIMUM (8 * MIB)

/* A private budget; changing it leaves that of a pool alone. */
void budget_set_limit(uint64_t bytes);

/* The budget of the pool that this process has joined. Before anything is charged. */
void budget_use_pool(void);
bool budget_is_shared(void);

/* Bytes: what may be resident, of all members together; what this process may have of it without
 * asking for more; and what it can count on when all want as much as they can get. */
uint64_t budget_limit(void);
uint64_t budget_held(void);
uint64_t budget_fair(void);

/* Charge pages if they fit. */
bool budget_take(uint64_t pages) must_check;

/* Charge pages although they may not fit: only when nothing can be evicted, rather than lose data.
 */
void budget_take_beyond(uint64_t pages);

void budget_give(uint64_t pages);

/* Borrow what metadata has grown by, and give back what is borrowed in vain. */
void budget_settle(void);

/* In a pool: pages that are kept for the next faults, so that what has left memory for them is not
 * lent to others before they come. */
void budget_set_reserve(uint32_t pages);

/* Give back all that is held in vain, at once. */
void budget_return(void);

/* Pages that could be taken now; negative when there are too many. */
int64_t budget_headroom(void);

/* Bytes resident now and at most so far, metadata included. */
uint64_t budget_resident(void);
uint64_t budget_peak(void);

/* Bytes resident and swapped out together, at most so far. It grows when objects leave: who evicts
 * notes it. */
void budget_note_demand(void);
uint64_t budget_demand_peak(void);

/* Write on the status page how large the budget is; that of a pool may have changed meanwhile. */
void budget_publish(void);

/*
 * Promise bytes of the pool's memory to the program; returns how many could be promised. A promise
 * is for whole pages. Not for a private budget, all of which is this process's.
 */
uint64_t budget_promise(uint64_t bytes) must_check;
/* End promises of memory for up to so many bytes; returns how many. */
uint64_t budget_unpromise(uint64_t bytes);
uint64_t budget_promised(void);
/* How much more is promised by all members than the pool has become. */
uint64_t budget_promised_beyond(void);

/* fork of a member, one at a time. prepare: the child has a place, with as much charged as this
 * process, for it has the same pages, and promised in memory as much as *promised says, which is as
 * much as there was. -EAGAIN: the pool has too many members. */
int budget_fork_prepare(uint64_t *promised) must_check;
void budget_fork_parent(void);
void budget_fork_child(void);

#endif
