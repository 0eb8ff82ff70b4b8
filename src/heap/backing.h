/* SPDX-License-Identifier: MIT */
/*
 * What jemalloc's private copy takes for the operating system. jemalloc.redirect points its calls
 * at functions of backing.c; only what the rest of the heap calls stands here.
 */
#ifndef USWAP_HEAP_BACKING_H
#define USWAP_HEAP_BACKING_H

/* Count the resident bytes of jemalloc's own memory and charge them to the budget. About 2 us per
 * MiB that is resident. Any thread, also in an extent hook. */
void backing_charge(void);

/* In the child of fork. */
void backing_fork_child(void);

#endif
