/* SPDX-License-Identifier: MIT */
/* How long, and how much of it, freed memory is kept for reuse instead of going back to the engine.
 */
#ifndef USWAP_HEAP_KEEP_H
#define USWAP_HEAP_KEEP_H

#include "base/base.h"

/* Before arenas are used: their numbers follow one another. They begin with jemalloc's settings,
 * which are those for plenty. */
void keep_start(unsigned first);

/* So many there are now. Not from a hook. */
void keep_arenas(unsigned number);

/* From extent hooks: so many bytes have been committed, or given back by an arena. */
void keep_grew(size_t size);
void keep_shrank(unsigned arena, size_t size);

/* From extent hooks: see whether there is pressure, and too much is kept. merging: bytes of free
 * extents that jemalloc does not count at the moment, because they become one. */
void keep_look(unsigned arena, size_t merging);

/* Do what keep_look() found. False: another thread is at it, look again later. Not from a hook. */
bool keep_follow(void) must_check;

/* In the child of fork. */
void keep_fork_child(void);

#endif
