/* SPDX-License-Identifier: MIT */
/* The public API: checks what it is given, and calls the arena. See uswap/uswap.h. */
#include "arena/advise.h"
#include "arena/arena.h"
#include "arena/commit.h"
#include "arena/discard.h"
#include "arena/inside.h"
#include "arena/region.h"
#include "arena/supply.h"
#include "base/meta.h"
#include "base/msg.h"
#include "object/budget.h"
#include "observe/stats.h"
#include "store/store.h"

#include <errno.h>
#include <string.h>

exported int uswap_start(const struct uswap_options *options)
{
    struct uswap_options from_env;
    int error = 0;

    if (!options) {
        error = uswap_options_from_env(&from_env);
        options = &from_env;
    }
    if (!error && options->struct_size != sizeof(*options))
        error = -EINVAL;
    return error ? error : arena_start(options);
}

static bool options_valid(const struct uswap_map_options *options)
{
    size_t object = options->object_size;

    return (!object || (is_power_of_two(object) && object >= PAGE_SIZE && object <= CHUNK_SIZE &&
                        object <= budget_limit() / 8)) &&
           (!options->align || is_power_of_two(options->align)) &&
           !(options->flags & ~(unsigned)USWAP_MAP_OVERCOMMIT);
}

exported int uswap_map(size_t size, const struct uswap_map_options *options, void **address)
{
    static const struct uswap_map_options defaults;
    size_t bytes = align_up(size, PAGE_SIZE);
    bool charge;
    int error = 0;

    if (!options)
        options = &defaults;
    if (!arena_started() || !size || !options_valid(options))
        return -EINVAL;
    if (bytes < size)
        return -ENOMEM;
    charge = !(options->flags & USWAP_MAP_OVERCOMMIT);
    if (charge)
        error = arena_commit(bytes);
    if (error)
        return error;
    error = arena_reserve(bytes, options, address);
    if (!error)
        region_of(page_of(*address))->charged = charge;
    else if (charge)
        arena_uncommit(bytes);
    return error;
}

/* The region that all of a range of whole pages is in, or NULL. */
static struct region *region_around(const void *address, size_t size)
{
    struct region *region;
    object_t first;
    uint64_t pages = align_up(size, PAGE_SIZE) >> PAGE_SHIFT;

    if (!arena_started() || !size || (uintptr_t)address % PAGE_SIZE || !window_contains(address))
        return NULL;
    first = page_of(address);
    region = region_of(first);
    if (!region || !region_has(region, first) || first + pages > region_end(region))
        return NULL;
    return region;
}

static bool all_mapped(const struct region *region, object_t first, uint32_t pages)
{
    for (object_t page = first; page < first + pages; page++) {
        if (region_of(page) != region || objects.slots[page] == SLOT_GONE)
            return false;
    }
    return true;
}

exported int uswap_unmap(void *address, size_t size)
{
    struct region *region = region_around(address, size);
    size_t bytes = align_up(size, PAGE_SIZE);
    bool charged;

    if (!region ||
        (region->gone && !all_mapped(region, page_of(address), (uint32_t)(bytes >> PAGE_SHIFT))))
        return -EINVAL;
    charged = region->charged;
    arena_release(address, bytes);
    if (charged)
        arena_uncommit(bytes);
    return 0;
}

static int set_region_advice(struct region *region, enum region_advice advice)
{
    atomic_store(&region->advice, (uint8_t)advice);
    return 0;
}

exported int uswap_advise(void *address, size_t size, enum uswap_advice advice)
{
    struct region *region = region_around(address, size);
    struct inside inside;
    object_t first = region ? page_of(address) : 0;
    uint32_t pages = (uint32_t)(align_up(size, PAGE_SIZE) >> PAGE_SHIFT);
    int error = 0;

    if (!region)
        return -EINVAL;
    inside = inside_enter();
    switch (advice) {
    case USWAP_NORMAL:
        error = set_region_advice(region, REGION_NORMAL);
        break;
    case USWAP_RANDOM:
        error = set_region_advice(region, REGION_RANDOM);
        break;
    case USWAP_SEQUENTIAL:
        error = set_region_advice(region, REGION_SEQUENTIAL);
        break;
    case USWAP_WILL_NEED:
        error = advise_will_need(first, pages);
        break;
    case USWAP_COLD:
        advise_cold(first, pages);
        break;
    case USWAP_DONT_NEED:
        discard_pages(first, pages);
        break;
    default:
        error = -EINVAL;
    }
    inside_leave(inside);
    return error;
}

exported int uswap_pin(const void *address, size_t size)
{
    return arena_started() ? arena_pin(address, size) : -EINVAL;
}

exported void uswap_unpin(const void *address, size_t size)
{
    if (arena_started())
        arena_unpin(address, size);
}

exported int uswap_set_budget(uint64_t ram)
{
    struct inside inside;
    int error;

    if (!arena_started() || ram < BUDGET_MINIMUM ||
        stats_get(STAT_PAGES_PINNED) * PAGE_SIZE > ram / 2)
        return -EINVAL;
    inside = inside_enter();
    error = commit_fits(ram) ? arena_apply_budget(ram) : -ENOMEM;
    if (!error)
        error = supply_shrink();
    inside_leave(inside);
    return error;
}

exported int uswap_get_stats(struct uswap_stats *stats, size_t size)
{
    struct uswap_stats now = {0};

    if (!arena_started())
        return -EINVAL;
    stats_fill(&now);
    now.ram_budget_bytes = budget_limit();
    now.resident_bytes = budget_resident();
    now.resident_peak_bytes = budget_peak();
    now.metadata_bytes = meta_charged();
    now.window_bytes = region_bytes();
    now.committed_bytes = commit_total();
    now.store_capacity_bytes = store_capacity();
    now.store_used_bytes = store_used();
    memset(stats, 0, size);
    memcpy(stats, &now, min_u64(size, sizeof(now)));
    return 0;
}

exported int uswap_write_stats(const char *path)
{
    struct uswap_stats stats;
    int error = uswap_get_stats(&stats, sizeof(stats));

    return error ? error : stats_write(&stats, path);
}

exported void uswap_set_message_handler(uswap_message_fn handler, void *context)
{
    msg_set_handler(handler, context);
}
