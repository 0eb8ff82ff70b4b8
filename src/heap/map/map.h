/* SPDX-License-Identifier: MIT */
/*
 * The program's mappings: private anonymous memory that it gets from mmap() comes from the engine
 * when it is large enough, and lies in the window. mmap() and the other calls on mappings are
 * served here for addresses in the window, with the results and errors of the kernel; all else goes
 * on to the kernel.
 *
 * A call comes by name (map_calls.c), by syscall(), or by any other way through the guard's filter:
 * map_call() serves them all. Any thread; also in signal handlers, for all signals are blocked
 * inside.
 */
#ifndef USWAP_HEAP_MAP_MAP_H
#define USWAP_HEAP_MAP_MAP_H

#include "base/base.h"

/* From now on mappings of at least so many bytes come from the engine; UINT64_MAX: none do. Once,
 * after arena_start(). */
void map_start(uint64_t threshold);

/* A system call on mappings: what the kernel would return. */
long map_mmap(const long arguments[6]);
long map_munmap(uintptr_t address, size_t size);
long map_mremap(const long arguments[5]);
long map_mprotect(uintptr_t address, size_t size, int protection, int key);
long map_madvise(uintptr_t address, size_t size, int advice);
long map_mlock(uintptr_t address, size_t size, unsigned flags);
long map_munlock(uintptr_t address, size_t size);
long map_mlockall(int flags);
long map_munlockall(void);
long map_msync(uintptr_t address, size_t size, int flags);
long map_mincore(uintptr_t address, size_t size, unsigned char *states);

/* A block of the heap that was given back: what mlock() has pinned of it is pinned no more. */
void map_unlock_freed(void *address, size_t size);

/* Serve a system call if it is one of these. */
bool map_call(long number, const long arguments[6], long *result);

#endif
