/* SPDX-License-Identifier: MIT */
/*
 * The meta allocator: the library's own memory. It is never in the window, never swapped and never
 * from malloc; what is in use of it is charged, and counts in the budget.
 */
#ifndef USWAP_BASE_META_H
#define USWAP_BASE_META_H

#include "base/base.h"

#include <stdatomic.h>

/* Reserve zeroed address space that the kernel fills when it is touched; NULL when there is none.
 * Not charged: the user charges what it touches. Any thread, also in a fault handler. */
void *meta_reserve(size_t size) must_check;

/* The same, shared with the children of later forks. */
void *meta_reserve_shared(size_t size) must_check;

/* Give pages of a reservation back to the kernel (they read as zero again), or all of it. Not for
 * uncharging. */
void meta_trim(void *address, size_t size);
void meta_release(void *address, size_t size);

/* A copy of a text that stays, charged; NULL: no memory. */
const char *meta_keep_text(const char *text) must_check;

/* Account for memory in use; negative to give back. */
void meta_charge(int64_t bytes);
/* The same for one of up to 64 areas, the first time that it is used; a bit each. */
void meta_charge_once(_Atomic uint64_t *charged, int area, int64_t bytes);
uint64_t meta_charged(void);

/* Keep the account at another place from now on. At start, one thread. */
void meta_count_at(_Atomic int64_t *place);

#endif
