/* SPDX-License-Identifier: MIT */
/*
 * The arena: what the heap and the public API see of the engine. One per process.
 *
 * Errors are -errno. Functions that take an address accept any range of whole pages inside what
 * arena_reserve() returned, across regions, unless said otherwise. All block signals themselves and
 * are safe from any thread, but not in a signal handler, except where marked.
 */
#ifndef USWAP_ARENA_ARENA_H
#define USWAP_ARENA_ARENA_H

#include "arena/window.h"
#include "base/base.h"
#include "uswap/uswap.h"

/* Start with these options, all of them set (no defaults are filled in but for ram 0 and no
 * stores). */
int arena_start(const struct uswap_options *options) must_check;
bool arena_started(void);

/* Address space without commitment; object_size and name as in struct uswap_map_options. */
int arena_reserve(size_t size, const struct uswap_map_options *options, void **address) must_check;

/* Give a range back for good: content, slots, addresses. Commitment is the caller's business. */
int arena_release(void *address, size_t size);

/* Promise so many bytes, or give the promise back. -ENOMEM: budget plus stores cannot hold them. */
int arena_commit(uint64_t size) must_check;
void arena_uncommit(uint64_t size);

/* Drop the content of a range: it reads as zero. No IO. */
void arena_discard(void *address, size_t size);

/* Bytes of free memory left before something must be evicted: 0 under pressure. Signal-safe. */
uint64_t arena_free_bytes(void);

/* What may be resident, and what the stores hold; without what processes held that are dead. */
uint64_t arena_budget_bytes(void);
uint64_t arena_stored_bytes(void);

/*
 * Make [address, address + size) resident and keep it so. Parts outside the window are left alone:
 * the caller need not look. Signal-safe, also in a SIGSYS handler with signals blocked. -ENOMEM:
 * too much is pinned already; -EFAULT: part of it is in the window but in no region; -EIO.
 */
int arena_pin(const void *address, size_t size) must_check;
void arena_unpin(const void *address, size_t size);

/* As many bytes may be pinned at once by one call without fear of -ENOMEM from it alone. */
size_t arena_pin_chunk(void);

/* fork: around the real fork(), in prepare / parent / child. -ENOMEM: the child could not have as
 * much memory as this process was promised; -EAGAIN: too many processes share the stores. */
int arena_fork_prepare(void) must_check;
void arena_fork_parent(void);
void arena_fork_child(void);

/* Instead of arena_fork_parent() when it is known that the fork failed. */
void arena_fork_failed(void);

/* Have libc's fork() call these; for a program that has no heap of ours. */
int arena_fork_register(void) must_check;

/* Adjust everything that depends on the budget, inside the gate; supply_shrink() makes it true. */
int arena_apply_budget(uint64_t ram) must_check;

/* uswap_set_budget() for who is inside, and for members of a pool, whose size it changes then. */
int arena_set_budget(uint64_t ram) must_check;

#endif
