/* SPDX-License-Identifier: MIT */
/* The public API: checks what it is given, and calls the arena. See uswap/uswap.h. */
#include "arena/advise.h"
#include "arena/arena.h"
#include "arena/commit.h"
#include "arena/discard.h"
#include "arena/inside.h"
#include "arena/region.h"
#include "arena/share.h"
#include "arena/supply.h"
#include "base/meta.h"
#include "base/msg.h"
#include "object/budget.h"
#include "observe/stats.h"
#include "store/packed.h"
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
    if (!error)
        error = arena_start(options);
    return error ? error : arena_fork_register();
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

/* A range of pages of one region. */
struct span {
    struct region *region; /* NULL: the range is not in one */
    object_t first;
    uint32_t pages;
};

/* The pages that a range of bytes has a part in. */
static struct span span_of(const void *address, size_t size)
{
    struct span span = {NULL, 0, 0};
    uintptr_t last = (uintptr_t)address + size - 1;
    struct region *region;

    if (!arena_started() || !size || last < (uintptr_t)address || !window_contains(address) ||
        !window_contains((void *)last))
        return span;
    region = region_of(page_of(address));
    if (!region || !region_has(region, page_of(address)) ||
        !region_has(region, page_of((void *)last)))
        return span;
    return (struct span){region, page_of(address), page_of((void *)last) - page_of(address) + 1};
}

/* The pages that lie in a range of bytes whole. */
static struct span whole_pages(struct span span, const void *address, size_t size)
{
    uintptr_t first = align_up((uintptr_t)address, PAGE_SIZE);
    uintptr_t end = align_down((uintptr_t)address + size, PAGE_SIZE);

    span.first = page_of((void *)first);
    span.pages = first < end ? (uint32_t)((end - first) >> PAGE_SHIFT) : 0;
    return span;
}

static bool all_mapped(const struct span *span)
{
    for (object_t page = span->first; page < span->first + span->pages; page++) {
        if (region_of(page) != span->region || objects.slots[page] == SLOT_GONE)
            return false;
    }
    return true;
}

exported int uswap_unmap(void *address, size_t size)
{
    struct span span = span_of(address, size);
    size_t bytes = (size_t)span.pages * PAGE_SIZE;
    bool charged;

    if (!span.region || (uintptr_t)address % PAGE_SIZE || (span.region->gone && !all_mapped(&span)))
        return -EINVAL;
    charged = span.region->charged;
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
    struct span span = span_of(address, size);
    struct inside inside;
    int error = 0;

    if (!span.region)
        return -EINVAL;
    inside = inside_enter();
    switch (advice) {
    case USWAP_NORMAL:
        error = set_region_advice(span.region, REGION_NORMAL);
        break;
    case USWAP_RANDOM:
        error = set_region_advice(span.region, REGION_RANDOM);
        break;
    case USWAP_SEQUENTIAL:
        error = set_region_advice(span.region, REGION_SEQUENTIAL);
        break;
    case USWAP_WILL_NEED:
        error = advise_will_need(span.first, span.pages);
        break;
    case USWAP_COLD:
        advise_cold(span.first, span.pages);
        break;
    case USWAP_DONT_NEED:
        span = whole_pages(span, address, size);
        discard_pages(span.first, span.pages);
        break;
    default:
        error = -EINVAL;
    }
    inside_leave(inside);
    return error;
}

exported int uswap_pin(const void *address, size_t size)
{
    int error;

    if (!arena_started())
        return -EINVAL;
    if (!window_overlaps(address, size) && share_pin(address, size, &error))
        return error;
    return arena_pin(address, size);
}

exported void uswap_unpin(const void *address, size_t size)
{
    if (!arena_started())
        return;
    if (window_overlaps(address, size) || !share_unpin(address, size))
        arena_unpin(address, size);
}

exported int uswap_set_budget(uint64_t ram)
{
    struct inside inside;
    int error;

    if (!arena_started())
        return -EINVAL;
    if (budget_is_shared())
        return -EPERM;
    inside = inside_enter();
    error = arena_set_budget(ram);
    inside_leave(inside);
    return error;
}

exported int uswap_get_stats(struct uswap_stats *stats, size_t size)
{
    struct uswap_stats now = {0};

    if (!arena_started())
        return -EINVAL;
    store_reap(); /* what the dead held is not in use */
    stats_fill(&now);
    now.ram_budget_bytes = budget_limit();
    now.resident_bytes = budget_resident();
    now.resident_peak_bytes = budget_peak();
    now.metadata_bytes = meta_charged();
    now.window_bytes = region_bytes();
    now.committed_bytes = commit_total();
    now.store_capacity_bytes = store_capacity();
    now.store_used_bytes = store_used();
    now.compressed_ram_bytes = (uint64_t)packed_segments() * PACKED_SEGMENT_BYTES;
    now.compressed_bytes = packed_pages() * PAGE_SIZE;
    now.ram_needed_bytes = supply_budget_for(budget_demand_peak());
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
