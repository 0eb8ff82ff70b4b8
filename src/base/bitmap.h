/* SPDX-License-Identifier: MIT */
/*
 * A bitmap with summary levels: a bit of level n + 1 says whether the 64-bit word of level n below
 * it has any bit set. Finding the next set bit costs a few words however large the bitmap is.
 *
 * The caller gives zeroed memory of bitmap_bytes(bits), which may be shared between processes or
 * reserved address space that is filled when touched: the struct holds no pointers into it other
 * than what bitmap_init() computes. No locks: the caller has one.
 */
#ifndef USWAP_BASE_BITMAP_H
#define USWAP_BASE_BITMAP_H

#include "base/base.h"

#define BITMAP_MAX_LEVELS 6
#define BITMAP_NONE       UINT64_MAX

struct bitmap {
    uint64_t bits;
    unsigned levels;
    uint64_t *level[BITMAP_MAX_LEVELS]; /* level[0]: the bits themselves */
};

/* Bytes that a bitmap of so many bits needs, all levels. */
size_t bitmap_bytes(uint64_t bits);

/* Lay a bitmap over memory (zeroed, or already a bitmap of the same size). */
void bitmap_init(struct bitmap *map, uint64_t bits, void *memory);

bool bitmap_test(const struct bitmap *map, uint64_t bit);
void bitmap_set(struct bitmap *map, uint64_t bit);
void bitmap_clear(struct bitmap *map, uint64_t bit);

/* Set or clear count bits from first, whole words at a time. */
void bitmap_set_range(struct bitmap *map, uint64_t first, uint64_t count);
void bitmap_clear_range(struct bitmap *map, uint64_t first, uint64_t count);

/* The first set bit at or after from, or BITMAP_NONE. */
uint64_t bitmap_next_set(const struct bitmap *map, uint64_t from);

/* How many bits are set in a row from first, counting no further than limit. */
uint64_t bitmap_run(const struct bitmap *map, uint64_t first, uint64_t limit);

/*
 * Find want set bits in a row whose first bit is a multiple of align (a power of two), searching at
 * or after from, then from the beginning. When there is no such run: the longest run seen (at least
 * one bit) if align is 1, else nothing. Looks at no more than `effort` runs. Returns the first bit
 * and *count (<= want), or BITMAP_NONE and a *count of 0 when there is nothing. want is at least 1.
 */
uint64_t bitmap_find_run(const struct bitmap *map, uint64_t from, uint64_t want, uint64_t align,
                         unsigned effort, uint64_t *count);

#endif
