/* SPDX-License-Identifier: MIT */
/*
 * The entrance: start, and the operations on ranges of the window that the heap and the public API
 * share. Each operation blocks signals, so that no signal handler that faults finds its own thread
 * inside, and passes the gate.
 */
#include "arena/arena.h"

#include "arena/commit.h"
#include "arena/config.h"
#include "arena/defer.h"
#include "arena/discard.h"
#include "arena/evict.h"
#include "arena/fault.h"
#include "arena/gate.h"
#include "arena/inside.h"
#include "arena/join.h"
#include "arena/pack.h"
#include "arena/prefetch.h"
#include "arena/region.h"
#include "arena/serve.h"
#include "arena/supply.h"
#include "arena/work.h"
#include "base/fmt.h"
#include "base/msg.h"
#include "base/sys.h"
#include "mask/mask.h"
#include "object/budget.h"
#include "object/pool.h"
#include "object/sharing.h"
#include "observe/stats.h"
#include "observe/trace.h"

#include <errno.h>
#include <string.h>
#include <sys/sysinfo.h>

/* Frame address space for a budget that may grow: up to all memory of the machine. */
static uint64_t max_pages(uint64_t ram)
{
    struct sysinfo info;
    uint64_t total = 0;

    if (sys_call(SYS_sysinfo, &info) == 0)
        total = (uint64_t)info.totalram * info.mem_unit;
    return max_u64(total, ram) / PAGE_SIZE;
}

/* How long the members of a pool may give back nothing of what is too much. */
#define RESIZE_MS 5000

static atomic_bool started;

bool arena_started(void)
{
    return atomic_load_explicit(&started, memory_order_acquire);
}

struct inside inside_enter(void)
{
    struct ground ground = ground_hold();
    struct inside inside = {ground, sigblock_enter()};

    gate_enter();
    return inside;
}

void inside_leave(struct inside inside)
{
    gate_leave();
    sigblock_leave(inside.mask);
    ground_drop(inside.ground);
}

int arena_apply_budget(uint64_t ram)
{
    /* The tables of a member of a pool follow what it holds (supply.c). */
    uint64_t pages = (budget_is_shared() ? budget_held() : ram) / PAGE_SIZE;
    int error = pool_set_budget(pages);

    if (error)
        return error;
    budget_set_limit(ram);
    frame_set_budget(pages);
    supply_set_budget(pages);
    return 0;
}

static int set_private_budget(uint64_t ram)
{
    uint64_t before = budget_limit();
    int error = commit_fits(ram) ? arena_apply_budget(ram) : -ENOMEM;

    if (!error && supply_shrink())
        error = arena_apply_budget(before) ? -ENOMEM : -EBUSY;
    return error;
}

int arena_set_budget(uint64_t ram)
{
    uint64_t before = budget_limit();
    int error;

    if (ram < BUDGET_MINIMUM || stats_pinned_pages() * PAGE_SIZE > ram / 2)
        return -EINVAL;
    error = budget_is_shared() ? sharing_resize(sharing_file, -1, ram, RESIZE_MS)
                               : set_private_budget(ram);
    budget_publish();
    trace_budget(budget_limit() / PAGE_SIZE);
    msg_debug("a RAM budget of %lu bytes instead of %lu: error %d", (unsigned long)ram,
              (unsigned long)before, -error);
    return error;
}

static int start_memory(uint64_t ram)
{
    int error = region_init();

    if (!error)
        error = frame_init(max_pages(ram));
    if (!error)
        error = evict_init();
    if (!error)
        error = work_init();
    if (!error)
        error = prefetch_init();
    if (!error)
        error = defer_init();
    if (!error)
        error = arena_apply_budget(ram);
    if (error) {
        char name[8];
        msg_error(
            "cannot reserve address space (%s): raise the limit of virtual memory (ulimit -v) "
            "or set vm.overcommit_memory to 0 or 1",
            fmt_errno(error, name));
    }
    return error;
}

static int start_mask(void)
{
    const char *reason = NULL;
    int error = mask_start(&reason);

    if (error)
        msg_error("%s", reason);
    return error;
}

static uint64_t ram_of(const struct uswap_options *options)
{
    if (options->ram)
        return options->ram;
    return options->pool ? BUDGET_MINIMUM : config_default_ram();
}

static int check_options(const struct uswap_options *options, uint64_t ram)
{
    if (ram < BUDGET_MINIMUM) {
        msg_error("RAM budget of %lu bytes: at least 8M is needed", (unsigned long)ram);
        return -EINVAL;
    }
    if (options->compress < USWAP_COMPRESS_AUTO || options->compress > USWAP_COMPRESS_ZSTD) {
        msg_error("compress %d: is none of enum uswap_compress", options->compress);
        return -EINVAL;
    }
    if (options->stores_count > USWAP_MAX_STORES) {
        msg_error("%u stores: %u are possible", options->stores_count, USWAP_MAX_STORES);
        return -EINVAL;
    }
    return 0;
}

static int start_engine(uint64_t ram)
{
    int error = start_mask();

    if (error)
        return error;
    error = start_memory(ram);
    if (!error)
        error = fault_start();
    if (error)
        mask_stop();
    return error;
}

static int start_with_stores(const struct uswap_options *options, uint64_t ram)
{
    int error = store_open(options->stores, options->stores_count);

    if (error)
        return error;
    error = pack_start(options->compress, max_pages(ram));
    if (!error)
        error = start_engine(ram);
    if (error)
        store_close();
    return error;
}

/* A program of the tree that may not write there any more goes on without. */
static void start_log(const struct uswap_options *options)
{
    char name[8];
    int error;

    msg_set_level((enum uswap_level)options->log_level);
    error = options->log_path ? msg_open_log(options->log_path) : 0;
    if (error)
        msg_warning("--log %s: cannot be written (%s): messages go to stderr", options->log_path,
                    fmt_errno(error, name));
}

static void take_levels(struct trace_levels *levels)
{
    const struct status_gauges *gauges = &status_page.gauges;
    int64_t swapped = atomic_load_explicit(&gauges->swapped, memory_order_relaxed);

    *levels = (struct trace_levels){.resident = budget_resident() / PAGE_SIZE,
                                    .masked = pool_masked_pages(),
                                    .swapped = swapped > 0 ? (uint64_t)swapped : 0,
                                    .budget = budget_limit() / PAGE_SIZE,
                                    .packed_memory = atomic_load(&gauges->packed_memory),
                                    .packed_content = atomic_load(&gauges->packed_content)};
}

/* As with the log, a program of the tree that may not write there goes on without. */
static void start_trace(const struct uswap_options *options)
{
    const struct trace_source source = {window.base, take_levels, region_trace};
    int error = options->trace_path ? trace_start(options->trace_path, &source) : 0;
    char name[8];

    if (error)
        msg_warning("--trace %s: cannot be written (%s): nothing is recorded", options->trace_path,
                    fmt_errno(error, name));
}

int arena_start(const struct uswap_options *options)
{
    uint64_t ram = ram_of(options);
    int error = arena_started() ? -EALREADY : check_options(options, ram);

    if (!error) {
        start_log(options);
        status_start();
    }
    if (!error)
        error = join_pool(options->pool, &ram);
    if (error)
        return error;
    error = start_with_stores(options, ram);
    if (!error) {
        serve_start();
        start_trace(options);
        msg_debug("started with a RAM budget of %lu bytes and stores for %lu",
                  (unsigned long)budget_limit(), (unsigned long)store_capacity());
    }
    if (error)
        join_leave();
    else
        atomic_store_explicit(&started, true, memory_order_release);
    return error;
}

int arena_reserve(size_t size, const struct uswap_map_options *options, void **address)
{
    /* The caller's memory may be swapped out: it is not touched inside. */
    char name[REGION_NAME_SIZE] = "";
    struct uswap_map_options copy = *options;
    struct region *region = NULL;
    struct inside inside;
    int error;

    if (options->name)
        strncpy(name, options->name, sizeof(name) - 1);
    copy.name = name;
    inside = inside_enter();
    error = region_make(size, &copy, &region);
    inside_leave(inside);
    if (!error)
        *address = page_address(region->first);
    return error;
}

/* Visit the parts of a range that lie in one region each. */
static void each_region(void *address, size_t size,
                        void (*visit)(struct region *region, object_t first, uint32_t pages))
{
    uint64_t at = page_of(address), end = at + (size >> PAGE_SHIFT);

    while (at < end) {
        struct region *region = region_of((object_t)at);
        uint64_t stop = region ? region_end(region) : align_down(at, CHUNK_PAGES) + CHUNK_PAGES;
        stop = min_u64(stop, end);
        if (region)
            visit(region, (object_t)at, (uint32_t)(stop - at));
        at = stop;
    }
}

static void release_part(struct region *region, object_t first, uint32_t pages)
{
    discard_unmapped(first, pages);
    region_remove(region, first, pages);
}

int arena_release(void *address, size_t size)
{
    struct inside inside = inside_enter();

    each_region(address, size, release_part);
    inside_leave(inside);
    return 0;
}

/* Signals stay open: promising is lock-free but for the reservation, which blocks them itself. */
int arena_commit(uint64_t size)
{
    return commit_take(size);
}

void arena_uncommit(uint64_t size)
{
    commit_give(size);
}

void arena_discard(void *address, size_t size)
{
    struct inside inside = inside_enter();

    discard_pages(page_of(address), (uint32_t)(size >> PAGE_SHIFT));
    inside_leave(inside);
}

uint64_t arena_free_bytes(void)
{
    return supply_free_pages() * PAGE_SIZE;
}

uint64_t arena_budget_bytes(void)
{
    return budget_limit();
}

uint64_t arena_stored_bytes(void)
{
    store_reap();
    return store_used();
}
