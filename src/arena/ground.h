/* SPDX-License-Identifier: MIT */
/*
 * The ground: the part of its stack that a thread stands on while it is inside the engine. The
 * engine does not touch the window while it holds a lock or owns an object; so if that stack is in
 * the window, as one is that the program got from malloc, it is pinned meanwhile. Faults need not
 * care: their handler runs elsewhere (sigstack.h).
 */
#ifndef USWAP_ARENA_GROUND_H
#define USWAP_ARENA_GROUND_H

#include "object/object.h"

/* Pages, [first, end); none if the stack is not in the window. */
struct ground {
    object_t first, end;
};

/* Pin from a little above the caller's frame down as far as the engine goes, or as the stack may.
 */
struct ground ground_hold(void) must_check;
void ground_drop(struct ground ground);

#endif
