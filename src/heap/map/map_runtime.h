/* SPDX-License-Identifier: MIT */
/* Programs whose mappings must stay with the kernel. */
#ifndef USWAP_HEAP_MAP_MAP_RUNTIME_H
#define USWAP_HEAP_MAP_MAP_RUNTIME_H

#include "base/base.h"

/*
 * Whether the program, or a library it is linked with, was made by the Go compiler. Its runtime
 * puts the stacks of goroutines into what it maps, and gets its memory from libc when the program
 * uses C. These stacks have no room for a signal handler, and memory on which a signal would arrive
 * cannot be brought in by one.
 */
bool map_runtime_is_go(void);

#endif
