/* SPDX-License-Identifier: MIT */
/*
 * The heap: jemalloc on the window. Until heap_start() everything is allocated outside the window;
 * later each thread is bound to an arena of the window when it first allocates.
 */
#ifndef USWAP_HEAP_HEAP_H
#define USWAP_HEAP_HEAP_H

#include "base/base.h"

#include <stdatomic.h>

/* Arenas in the window, at most. */
#define HEAP_MAX_ARENAS 64

/* Allocate in the window from now on. Once, after arena_start(). 0 or -ENOMEM. */
int heap_start(void) must_check;

/* Changes when every thread must call heap_attend() before it goes on; 0 until heap_start(). */
extern _Atomic unsigned heap_epoch;
extern __thread unsigned heap_attended;

/* Whether this thread has an arena. */
extern __thread bool heap_bound;

/* The one check in the fast path of malloc and free. */
static inline bool heap_settled(void)
{
    return likely(heap_attended == atomic_load_explicit(&heap_epoch, memory_order_relaxed));
}

/* Bind this thread to an arena, if it is not, and put a change of memory pressure into effect. Not
 * from an extent hook. Leaves errno alone. */
void heap_attend(void);

/* Give everything that is free but kept back to the engine: the thread's cache, dirty extents of
 * all arenas. Not from an extent hook. */
void heap_purge(void);

/* Allocate zeroed memory outside the window, for what must never fault. NULL: no memory. */
void *heap_unswapped(size_t size);

/* In the child of fork. */
void heap_fork_child(void);

#endif
