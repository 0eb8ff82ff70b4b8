/* SPDX-License-Identifier: MIT */
/* Pins everything that a system call reaches through its arguments. */
#ifndef USWAP_HEAP_GUARD_WALK_H
#define USWAP_HEAP_GUARD_WALK_H

#include "heap/guard/guard_table.h"

/*
 * Between guard_pins_open() and guard_pins_close(). What cannot be pinned or read is left to the
 * kernel, which answers EFAULT if it needs it.
 */
void guard_walk(const struct guard_call *call, const long arguments[6]);

/* Whether a structure can be read: it is pinned now, or lies outside the window and is mapped. */
bool guard_walk_readable(const void *address, size_t size) must_check;

/* The same for an array of strings up to NULL, as argv. */
void guard_walk_strings(const char *const *strings);

#endif
