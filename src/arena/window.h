/* SPDX-License-Identifier: MIT */
/*
 * The window: the range of addresses reserved for all regions of the process. Its start is a
 * multiple of its size, a power of two, so that membership is one comparison, here and in a seccomp
 * filter.
 */
#ifndef USWAP_ARENA_WINDOW_H
#define USWAP_ARENA_WINDOW_H

#include "base/base.h"

struct window {
    uintptr_t base;
    unsigned shift; /* log2 of the size */
};

/* Written once at start. base 0: there is no window yet. */
extern struct window window;

static inline bool window_contains(const void *address)
{
    return window.base && (uintptr_t)address >> window.shift == window.base >> window.shift;
}

/* Whether [address, address + size) has a byte in the window; any size, also one that wraps. */
static inline bool window_overlaps(const void *address, size_t size)
{
    uintptr_t first = (uintptr_t)address;
    uintptr_t last = size ? first + size - 1 : first;

    if (last < first)
        last = UINTPTR_MAX;
    return window.base && first <= window.base + (((uintptr_t)1 << window.shift) - 1) &&
           last >= window.base;
}

#endif
