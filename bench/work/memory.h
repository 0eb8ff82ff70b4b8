/* SPDX-License-Identifier: MIT */
/* Where the memory comes from that a workload measures: what the rivals differ in, and no more. */
#ifndef USWAP_BENCH_MEMORY_H
#define USWAP_BENCH_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* From malloc, unless a directory is given: then from a file without a name there, mapped shared.
 * Zero, page-aligned; never NULL. */
void *memory_make(size_t size, const char *directory);

/* From a region of the library, with this budget and this store. */
void *memory_make_api(size_t size, uint64_t ram, const char *swap);

/* Anonymous memory beside what is measured. */
void *memory_aside(size_t size);

#endif
