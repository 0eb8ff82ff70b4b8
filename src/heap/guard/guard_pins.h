/* SPDX-License-Identifier: MIT */
/*
 * What this thread has pinned for system calls under way.
 *
 * Calls nest: a signal may interrupt one, and its handler make another. So the record is a stack:
 * open, add, close in this order. A handler that leaves by siglongjmp() leaves entries behind;
 * a later open takes them back.
 */
#ifndef USWAP_HEAP_GUARD_PINS_H
#define USWAP_HEAP_GUARD_PINS_H

#include "base/base.h"

typedef unsigned guard_pins;

/* Before anybody else takes a key for thread-specific values. */
void guard_pins_start(void);

/* In the function that makes the call, and that returns after it was closed. */
#define guard_pins_open() guard_pins_open_at((uintptr_t)__builtin_frame_address(0))
guard_pins guard_pins_open_at(uintptr_t frame);

/* Pin a range; what lies outside the window is left alone. -errno as of arena_pin(). */
int guard_pins_add(const void *address, size_t size);

/* Pin as much of the start of the range as can be. */
void guard_pins_add_up_to(const void *address, size_t size);

void guard_pins_close(guard_pins pins);

/* Let the next open of this thread take back what was added since: for a call that does not return
 * in a child of vfork(), which shares the record with its parent. */
void guard_pins_abandon(guard_pins pins);

#endif
