/* SPDX-License-Identifier: MIT */
/*
 * The kernel is not told of MADV_DONTFORK and MADV_WIPEONFORK: a child has all pages at first, and
 * gives up what it should not have before it runs on. So the window of parent and child is the
 * same, and so are the objects.
 */
#include "arena/inherit.h"

#include "arena/arena.h"
#include "arena/commit.h"
#include "arena/discard.h"
#include "arena/region.h"
#include "arena/traits.h"
#include "mask/mask.h"

static void leave_out(object_t first, uint32_t pages, traits_t traits)
{
    discard_unmapped(first, pages);
    if (traits & TRAITS_PROTECTION)
        mask_permit(page_address(first), (size_t)pages * PAGE_SIZE);
    if (traits & TRAIT_CHARGED)
        commit_give((uint64_t)pages * PAGE_SIZE);
    region_remove(region_of(first), first, pages);
}

/* Pages of one chunk that are mapped and have the same traits. */
static void inherit(object_t first, uint32_t pages)
{
    traits_t traits = traits_of(first);

    if (traits & TRAIT_LOCKED) {
        arena_unpin(page_address(first), (size_t)pages * PAGE_SIZE);
        traits_set(first, pages, traits & ~(traits_t)TRAIT_LOCKED, false);
    }
    if (traits & TRAIT_DONT_FORK)
        leave_out(first, pages, traits);
    else if (traits & TRAIT_WIPE_ON_FORK)
        discard_pages(first, pages);
}

static void inherit_chunk(object_t first)
{
    for (uint32_t i = 0; i < CHUNK_PAGES && region_of(first);) {
        uint32_t run = traits_run(first + i, CHUNK_PAGES - i), live = 0;
        while (live < run && region_maps(first + i + live))
            live++;
        if (live && traits_of(first + i) & TRAITS_ON_FORK)
            inherit(first + i, live);
        i += live ? live : 1;
    }
}

void inherit_fork_child(void)
{
    if (!traits_any_on_fork())
        return;
    for (uint32_t chunk = 0; chunk < region_chunks_used(); chunk++) {
        object_t first = chunk << CHUNK_PAGES_SHIFT;
        if (!traits_uniform(first) || traits_of(first) & TRAITS_ON_FORK)
            inherit_chunk(first);
    }
}
