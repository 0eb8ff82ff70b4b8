/* SPDX-License-Identifier: MIT */
/*
 * The life of an extent:
 *
 *              hook_alloc           hook_commit
 *     (window) ----------> retained ----------> active or dirty
 *                             ^                       |
 *                             +-----------------------+
 *                                   hook_decommit
 *
 * Retained: addresses only; no content, no commitment; reads as zero. jemalloc keeps the addresses
 * for good (there is no dalloc hook). Active or dirty: committed in full, filled when touched.
 *
 * Every retained extent is uncommitted and zero, and jemalloc is told so; therefore calloc of an
 * extent that was retained touches nothing, and jemalloc never clears one while it holds its lock
 * of growth.
 *
 * jemalloc calls hook_alloc, hook_commit, hook_split and hook_merge with its own locks held:
 * nothing here may allocate, or touch the window.
 */
#include "heap/hooks.h"

#include "arena/arena.h"
#include "heap/keep.h"
#include "heap/map/map.h"

/*
 * When a commitment fails jemalloc next asks for more address space, from which the same
 * commitment would fail again: each refused malloc() would use up address space. So this thread's
 * next request without commitment is refused. jemalloc then asks for an extent committed from the
 * start, the last thing it tries, which ends the refusal.
 */
static __thread bool commit_refused;

static void *hook_alloc(extent_hooks_t *hooks, void *hint, size_t size, size_t alignment,
                        bool *zero, bool *commit, unsigned arena)
{
    struct uswap_map_options options = {
        .object_size = PAGE_SIZE, .name = "heap", .align = alignment > 2 * MIB ? alignment : 0};
    void *address;

    if (hint || (commit_refused && !*commit))
        return NULL;
    commit_refused = false;
    if (*commit && arena_commit(size))
        return NULL;
    if (arena_reserve(size, &options, &address)) {
        if (*commit)
            arena_uncommit(size);
        return NULL;
    }
    if (*commit)
        keep_grew(size);
    *zero = true;
    return address;
}

static bool hook_commit(extent_hooks_t *hooks, void *address, size_t size, size_t offset,
                        size_t length, unsigned arena)
{
    commit_refused = arena_commit(length) != 0;
    if (!commit_refused)
        keep_grew(length);
    return commit_refused;
}

static bool hook_decommit(extent_hooks_t *hooks, void *address, size_t size, size_t offset,
                          size_t length, unsigned arena)
{
    map_unlock_freed((char *)address + offset, length);
    arena_discard((char *)address + offset, length);
    arena_uncommit(length);
    keep_shrank(arena, length);
    return false;
}

static bool hook_purge(extent_hooks_t *hooks, void *address, size_t size, size_t offset,
                       size_t length, unsigned arena)
{
    arena_discard((char *)address + offset, length);
    return false;
}

static bool hook_split(extent_hooks_t *hooks, void *address, size_t size, size_t size_a,
                       size_t size_b, bool committed, unsigned arena)
{
    return false;
}

/* Committed extents that are merged have just been freed: a good moment to look what is kept. */
static bool hook_merge(extent_hooks_t *hooks, void *address_a, size_t size_a, void *address_b,
                       size_t size_b, bool committed, unsigned arena)
{
    if (committed)
        keep_look(arena, size_a + size_b);
    return false;
}

extent_hooks_t hooks_extent = {
    .alloc = hook_alloc,
    .commit = hook_commit,
    .decommit = hook_decommit,
    .purge_forced = hook_purge,
    .split = hook_split,
    .merge = hook_merge,
};
