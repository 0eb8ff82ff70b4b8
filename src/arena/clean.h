/* SPDX-License-Identifier: MIT */
/*
 * Clean objects (object.h): which come in so, and how they cease to be.
 *
 * Whoever takes the mark from one that stays RESIDENT ends its protection first: the kernel gets
 * EFAULT where it writes to protected memory, and pins only look at the mark. All are signal-safe.
 */
#ifndef USWAP_ARENA_CLEAN_H
#define USWAP_ARENA_CLEAN_H

#include "object/object.h"

/* Whether the next object that is read should come in clean: those that leave without having been
 * written to save work, those that are written to cost a fault and are counted. */
bool clean_wanted(object_t object);

/* A RESIDENT object that the caller has claimed with this word is to be written to: it is RESIDENT
 * again, at its place in the order of eviction, and not clean. */
int clean_write(object_t object, uint64_t word) must_check;

/* End the protection of an object that the caller owns; the word is what it had, or has. Nothing
 * for one that is not clean. */
void clean_end(object_t object, uint64_t word);

#endif
