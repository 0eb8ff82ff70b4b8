/* SPDX-License-Identifier: MIT */
/*
 * Traits: what the program has said of the pages of its mappings, beyond their content. Pages of
 * the heap and of uswap_map() have none set.
 *
 * Kept once for a chunk while all its pages are alike, else for each page. Written by one thread at
 * a time (who maps holds a lock); read by any thread, the fault handler included, without a lock.
 */
#ifndef USWAP_ARENA_TRAITS_H
#define USWAP_ARENA_TRAITS_H

#include "object/object.h"

enum trait {
    /* The protection; no bit: readable and writable. */
    TRAIT_NO_READ = 1,
    TRAIT_NO_WRITE = 2,
    TRAIT_EXECUTE = 4,
    /* Its commitment ends when it is unmapped. */
    TRAIT_CHARGED = 8,
    /* It is to be committed when it becomes writable. */
    TRAIT_RESERVED = 16,
    /* Lent to another mapping of the kernel: no object, not covered by the mask. */
    TRAIT_FOREIGN = 32,
    /* Pinned by mlock(). */
    TRAIT_LOCKED = 64,
    TRAIT_DONT_FORK = 128,
    TRAIT_WIPE_ON_FORK = 256,
};
#define TRAITS_PROTECTION ((traits_t)(TRAIT_NO_READ | TRAIT_NO_WRITE | TRAIT_EXECUTE))
/* What a child does not inherit. */
#define TRAITS_ON_FORK ((traits_t)(TRAIT_LOCKED | TRAIT_DONT_FORK | TRAIT_WIPE_ON_FORK))

typedef uint16_t traits_t;

/* Reserve the tables for so many pages. */
int traits_init(uint64_t pages) must_check;

traits_t traits_of(object_t page);

/* Set those of pages in one chunk. alone: no other page of the chunk is mapped. */
void traits_set(object_t first, uint32_t pages, traits_t traits, bool alone);

/* How many pages from here on, up to the end and in this chunk, have the same traits. */
uint32_t traits_run(object_t first, uint32_t pages);

/* Whether this chunk keeps one value for all its pages. */
bool traits_uniform(object_t page);

/* Nothing is mapped in the chunk any more. */
void traits_forget(object_t first_of_chunk);

/* Whether a page with one of TRAITS_ON_FORK was ever there. */
bool traits_any_on_fork(void);

#endif
