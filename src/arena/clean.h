/* SPDX-License-Identifier: MIT */
/*
 * The end of a clean object (object.h). Whoever takes the mark from one that stays RESIDENT ends
 * its protection first: the kernel gets EFAULT where it writes to protected memory, and pins only
 * look at the mark.
 */
#ifndef USWAP_ARENA_CLEAN_H
#define USWAP_ARENA_CLEAN_H

#include "object/object.h"

/* End the protection of an object that the caller owns; the word is what it had, or has. Nothing
 * for one that is not clean. */
void clean_end(object_t object, uint64_t word);

#endif
