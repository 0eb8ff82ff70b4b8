/* SPDX-License-Identifier: MIT */
/* How much memory this process could take: from the kernel's own accounts. */
#ifndef USWAP_ARENA_AVAILABLE_H
#define USWAP_ARENA_AVAILABLE_H

#include "base/base.h"

/*
 * Bytes that the machine says are available, or fewer where a cgroup (v1 or v2) that encloses this
 * process leaves fewer: its limit minus its usage, not counting page cache that it would drop. 0
 * when /proc cannot be read.
 *
 * root goes before every path that is read: "" but in tests. No malloc, no stdio; safe before
 * main().
 */
uint64_t available_ram(const char *root);

#endif
