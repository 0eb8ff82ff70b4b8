/* SPDX-License-Identifier: MIT */
/* jemalloc's extents on the engine: address space, commitment and content come and go through
 * these. */
#ifndef USWAP_HEAP_HOOKS_H
#define USWAP_HEAP_HOOKS_H

#include "heap/jemalloc.h"

extern extent_hooks_t hooks_extent;

#endif
