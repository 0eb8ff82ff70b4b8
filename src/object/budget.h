/* SPDX-License-Identifier: MIT */
/*
 * The budget: how many pages may be resident. A page is charged from when it becomes present, in
 * the window or in a frame, until it is dropped. Metadata counts by what base/meta.h has charged.
 *
 * All functions are lock-free and safe in the fault handler.
 */
#ifndef USWAP_OBJECT_BUDGET_H
#define USWAP_OBJECT_BUDGET_H

#include "base/base.h"

/* Less than this makes no sense: the tables and a few batches need it. */
#define BUDGET_MINIMUM (8 * MIB)

void budget_set_limit(uint64_t bytes);
uint64_t budget_limit(void);

/* Charge pages if they fit. */
bool budget_take(uint64_t pages) must_check;

/* Charge pages although they may not fit: only when nothing can be evicted, rather than lose data.
 */
void budget_take_beyond(uint64_t pages);

void budget_give(uint64_t pages);

/* Pages that could be taken now; negative when there are too many. */
int64_t budget_headroom(void);

/* Bytes resident now and at most so far, metadata included. */
uint64_t budget_resident(void);
uint64_t budget_peak(void);

#endif
