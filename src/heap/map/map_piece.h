/* SPDX-License-Identifier: MIT */
/*
 * A range of addresses in pieces that are alike, and what is done to one piece. A mapping, as the
 * program sees it, is any number of neighbouring pieces.
 */
#ifndef USWAP_HEAP_MAP_PIECE_H
#define USWAP_HEAP_MAP_PIECE_H

#include "arena/inside.h"
#include "arena/region.h"
#include "arena/traits.h"

struct map_piece {
    object_t first;
    uint32_t pages;
    traits_t traits;
    struct region *region; /* NULL: nothing is mapped there */
};

/* Pages of the window. */
struct map_range {
    uint64_t first;
    uint64_t end;
};

/* Whether a range of whole pages has to do with the window, and lies in it. */
enum map_place { MAP_OUTSIDE, MAP_INSIDE, MAP_ACROSS };
enum map_place map_place(uintptr_t address, size_t size, struct map_range *range);

/* All that is done to mappings happens in between: one thread at a time, and none while a process
 * forks. */
struct inside map_enter(void);
void map_leave(struct inside inside);

/* The piece of the range that begins at page `at`. */
struct map_piece map_piece(uint64_t at, struct map_range range);

#define MAP_EACH(piece, range)                                                                     \
    for (struct map_piece piece = map_piece((range).first, range); piece.pages;                    \
         piece = map_piece((uint64_t)piece.first + piece.pages, range))

static inline void *map_address(const struct map_piece *piece)
{
    return page_address(piece->first);
}

static inline size_t map_bytes(const struct map_piece *piece)
{
    return (size_t)piece->pages * PAGE_SIZE;
}

static inline bool map_is_foreign(const struct map_piece *piece)
{
    return piece->traits & TRAIT_FOREIGN;
}

/* Bytes of the range whose commitment ends with them. */
uint64_t map_charged(struct map_range range);

/* Whether nothing is mapped in the range, or all of it. */
bool map_is_free(struct map_range range);
bool map_is_whole(struct map_range range);

traits_t map_traits_of(int protection);
int map_protection_of(traits_t traits);

/* Tell the kernel of a protection. -ENOMEM: too many mappings. */
int map_protect(struct map_range range, traits_t traits) must_check;

/* Note the traits of mapped pages. */
void map_note(struct map_range range, traits_t traits);

/* Unmap what of the range is mapped; commitment and all. -ENOMEM: the kernel has too many mappings
 * to take the place of one back. */
int map_unmap_pages(struct map_range range) must_check;

/* Empty the range and map all of it anew, not committed. */
int map_renew(struct map_range range, traits_t traits) must_check;

/* Give the range, of which nothing must be kept, to another mapping: that at `from` goes there. */
int map_place_foreign(struct map_range range, uintptr_t from) must_check;

#endif
