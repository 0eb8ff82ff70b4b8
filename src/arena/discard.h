/* SPDX-License-Identifier: MIT */
/* Content that nobody wants any more: freed, unmapped, or advised away. */
#ifndef USWAP_ARENA_DISCARD_H
#define USWAP_ARENA_DISCARD_H

#include "arena/region.h"

/*
 * Make pages [first, first + count) of the window read as zero; their frames and slots are free
 * afterwards, without IO. Pages of a pinned object stay resident. Pages outside regions are passed
 * over. Call inside the gate, without locks, with signals blocked.
 */
void discard_pages(object_t first, uint32_t count);

/* The same for pages that are unmapped: they are SLOT_GONE afterwards, none of them is present. */
void discard_unmapped(object_t first, uint32_t count);

/* Drop the slots of an object that the caller owns. */
void discard_slots(object_t object, uint32_t pages);

#endif
