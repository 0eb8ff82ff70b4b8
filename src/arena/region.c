/* SPDX-License-Identifier: MIT */
/*
 * The window is taken from the front: chunks never used lie above `fresh`; those released are in a
 * bitmap and are used again first. So a small program touches little of the tables.
 */
#include "arena/region.h"

#include "arena/traits.h"
#include "base/bitmap.h"
#include "base/lock.h"
#include "base/meta.h"
#include "base/sys.h"
#include "mask/mask.h"
#include "observe/status.h"
#include "observe/trace.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define WINDOW_SHIFT_MAX 44 /* 16 TiB: an object_t counts that many pages */
#define WINDOW_SHIFT_MIN 32
#define REGIONS_MAX      (UINT32_C(1) << 20)
#define FIND_EFFORT      256

/* The tables of objects are charged as they are touched: for a chunk all its slots at once, state
 * words and checksums in parts of one page of metadata. A bit each, in `touched`. */
#define CHUNK_SLOTS   (CHUNK_PAGES * sizeof(slot_t))
#define PART_PAGES    (PAGE_SIZE / sizeof(struct object_page))
#define TOUCHED_SLOTS 0x80u
_Static_assert(CHUNK_PAGES / PART_PAGES < 8, "a bit for each part, and one for the slots");

struct window window;

static struct {
    struct lock lock;
    uint32_t chunks;                    /* in the window */
    uint32_t fresh;                     /* the first chunk never used */
    struct bitmap released;             /* chunks below fresh that are free */
    _Atomic(struct region *) *of_chunk; /* NULL: no region */
    _Atomic uint8_t *touched;           /* one a chunk: what of its metadata is charged */
    uint8_t *forbidden;                 /* one a chunk: see region_forbid() */
    uint16_t *live;                     /* one a chunk: pages not unmapped yet */
    struct region *descriptions;
    uint32_t descriptions_used;
    struct region *free_descriptions;
} regions = {.lock = LOCK_INIT(RANK_REGION)};

/* Where the window may lie: free in the usual layouts, with and without sanitizers, runtimes' fixed
 * heaps and PIE. A window of 2^n bytes lies at a multiple of that. */
static const uintptr_t bases[] = {
    UINT64_C(0x200000000000), UINT64_C(0x300000000000), UINT64_C(0x400000000000),
    UINT64_C(0x100000000000), UINT64_C(0x4000000000),   UINT64_C(0x2000000000),
};

/*
 * With the page below, which is the guard's. A program that another one under uswap has exec'd has
 * a filter already, which traps calls that name the window: until the guard has started, such calls
 * begin with that page.
 */
static bool reserve_at(uintptr_t base, unsigned shift)
{
    size_t size = ((size_t)1 << shift) + PAGE_SIZE;
    uintptr_t start = base - PAGE_SIZE;
    long got = sys_call(SYS_mmap, start, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

    if (got == (long)start)
        return true;
    if (got > 0)
        sys_call(SYS_munmap, got, size);
    return false;
}

static int reserve_window(void)
{
    for (unsigned shift = WINDOW_SHIFT_MAX; shift >= WINDOW_SHIFT_MIN; shift--) {
        for (size_t i = 0; i < array_size(bases); i++) {
            if (bases[i] % ((uintptr_t)1 << shift) || !reserve_at(bases[i], shift))
                continue;
            window.shift = shift;
            window.base = bases[i];
            return 0;
        }
    }
    return -ENOMEM;
}

static int reserve_tables(void)
{
    void *released;

    regions.chunks = (uint32_t)(UINT64_C(1) << (window.shift - CHUNK_SHIFT));
    released = meta_reserve(bitmap_bytes(regions.chunks));
    regions.of_chunk = meta_reserve(regions.chunks * sizeof(*regions.of_chunk));
    regions.touched = meta_reserve(regions.chunks);
    regions.forbidden = meta_reserve(regions.chunks);
    regions.live = meta_reserve(regions.chunks * sizeof(*regions.live));
    regions.descriptions = meta_reserve(REGIONS_MAX * sizeof(*regions.descriptions));
    if (!released || !regions.of_chunk || !regions.touched || !regions.forbidden || !regions.live ||
        !regions.descriptions || traits_init(UINT64_C(1) << (window.shift - PAGE_SHIFT)))
        return -ENOMEM;
    bitmap_init(&regions.released, regions.chunks, released);
    return object_init(UINT64_C(1) << (window.shift - PAGE_SHIFT));
}

int region_init(void)
{
    int error = reserve_window();
    size_t size = (size_t)1 << window.shift;

    if (error)
        return error;
    /* A core dump would walk the whole window; huge pages would undo the page-wise accounting. */
    sys_call(SYS_madvise, window.base - PAGE_SIZE, size + PAGE_SIZE, MADV_DONTDUMP);
    sys_call(SYS_madvise, window.base - PAGE_SIZE, size + PAGE_SIZE, MADV_NOHUGEPAGE);
    error = reserve_tables();
    return error ? error : mask_cover((void *)window.base, size);
}

/* Chunks up to this one are in use or have been: their places in the tables above are resident. */
static void advance_fresh(uint32_t fresh)
{
    const size_t entry = sizeof(*regions.of_chunk) + sizeof(*regions.touched) +
                         sizeof(*regions.forbidden) + sizeof(*regions.live) + sizeof(traits_t) +
                         sizeof(*objects.shifts);

    meta_charge((int64_t)((fresh - regions.fresh) * entry));
    regions.fresh = fresh;
}

static uint32_t take_fresh(uint32_t chunks, uint32_t align)
{
    uint64_t first = align_up(regions.fresh, align);

    if (first + chunks > regions.chunks)
        return UINT32_MAX;
    if (first > regions.fresh)
        bitmap_set_range(&regions.released, regions.fresh, first - regions.fresh);
    advance_fresh((uint32_t)(first + chunks));
    return (uint32_t)first;
}

/* Take these chunks, which no region has. */
static void take_at(uint32_t first, uint32_t chunks)
{
    if (first + chunks > regions.fresh) {
        if (first > regions.fresh)
            bitmap_set_range(&regions.released, regions.fresh, first - regions.fresh);
        advance_fresh(first + chunks);
    }
    bitmap_clear_range(&regions.released, first, chunks);
}

/* A run of free chunks, or UINT32_MAX. */
static uint32_t take_chunks(uint32_t chunks, uint32_t align)
{
    uint64_t count = 0;
    uint64_t first = bitmap_find_run(&regions.released, 0, chunks, align, FIND_EFFORT, &count);

    if (first == BITMAP_NONE || count < chunks)
        return take_fresh(chunks, align);
    bitmap_clear_range(&regions.released, first, chunks);
    return (uint32_t)first;
}

static struct region *take_description(void)
{
    struct region *region = regions.free_descriptions;

    if (region)
        regions.free_descriptions = region->next_free;
    else if (regions.descriptions_used < REGIONS_MAX)
        region = &regions.descriptions[regions.descriptions_used++];
    return region;
}

static void permit_again(uint32_t first, uint32_t chunks)
{
    for (uint32_t i = first; i < first + chunks; i++) {
        if (!regions.forbidden[i])
            continue;
        mask_permit(page_address(i << CHUNK_PAGES_SHIFT), CHUNK_SIZE);
        regions.forbidden[i] = 0;
    }
}

static void describe(struct region *region, uint32_t chunk, size_t size,
                     const struct uswap_map_options *options)
{
    *region = (struct region){
        .first = chunk << CHUNK_PAGES_SHIFT,
        .pages = (uint32_t)(size >> PAGE_SHIFT),
        .live = (uint32_t)(size >> PAGE_SHIFT),
    };
    if (options->name)
        strncpy(region->name, options->name, sizeof(region->name) - 1);
}

static void enter(struct region *region, uint32_t chunks, size_t object_size)
{
    uint32_t chunk = region->first >> CHUNK_PAGES_SHIFT;
    unsigned shift = (unsigned)__builtin_ctzll(object_size) - PAGE_SHIFT;

    permit_again(chunk, chunks);
    memset(&objects.shifts[chunk], (int)shift, chunks);
    for (uint32_t i = 0; i < chunks; i++) {
        uint32_t pages = region->pages - (i << CHUNK_PAGES_SHIFT);
        regions.live[chunk + i] = (uint16_t)min_u64(pages, CHUNK_PAGES);
        atomic_store_explicit(&regions.of_chunk[chunk + i], region, memory_order_release);
    }
    atomic_fetch_add(&status_page.gauges.window, (uint64_t)region->pages * PAGE_SIZE);
}

static int64_t touched_bytes(unsigned bits)
{
    int64_t parts = __builtin_popcount(bits & ~TOUCHED_SLOTS);

    return parts * PAGE_SIZE + (bits & TOUCHED_SLOTS ? (int64_t)CHUNK_SLOTS : 0);
}

/* Parts of the tables of a chunk are in use from now on. */
static void touch(object_t page, unsigned bits)
{
    _Atomic uint8_t *touched = &regions.touched[page >> CHUNK_PAGES_SHIFT];
    unsigned before = atomic_load_explicit(touched, memory_order_relaxed);

    if (likely((before & bits) == bits))
        return;
    before = atomic_fetch_or(touched, (uint8_t)bits);
    meta_charge(touched_bytes(bits & ~before));
}

/* The last object may reach beyond the region: those pages are none of it. */
static void cut_tail(const struct region *region)
{
    object_t last = region_end(region) - 1;
    object_t end = (last & ~(object_pages(last) - 1)) + object_pages(last);

    if (end == region_end(region))
        return;
    touch(last, TOUCHED_SLOTS);
    for (object_t page = region_end(region); page < end; page++)
        objects.slots[page] = SLOT_GONE;
}

int region_make(size_t size, const struct uswap_map_options *options, struct region **region)
{
    uint64_t rounded = align_up(size, PAGE_SIZE);
    uint64_t chunks = align_up(rounded, CHUNK_SIZE) >> CHUNK_SHIFT;
    uint64_t align = max_u64(options->align, CHUNK_SIZE) >> CHUNK_SHIFT;
    uint32_t chunk = UINT32_MAX;

    *region = NULL;
    if (rounded < size || chunks > regions.chunks || align > regions.chunks)
        return -ENOMEM;
    lock_take(&regions.lock);
    struct region *fresh = take_description();
    if (fresh)
        chunk = take_chunks((uint32_t)chunks, (uint32_t)align);
    if (chunk != UINT32_MAX) {
        describe(fresh, chunk, rounded, options);
        enter(fresh, (uint32_t)chunks, options->object_size ? options->object_size : PAGE_SIZE);
        cut_tail(fresh);
        *region = fresh;
    } else if (fresh) {
        fresh->next_free = regions.free_descriptions;
        regions.free_descriptions = fresh;
    }
    lock_drop(&regions.lock);
    if (*region)
        trace_map(fresh->first, fresh->pages, object_pages(fresh->first), fresh->name);
    return *region ? 0 : -ENOMEM;
}

/* Whether any state word of a chunk is in use: a pin may outlive its mapping. */
static bool words_in_use(object_t first)
{
    for (uint32_t i = 0; i < CHUNK_PAGES; i++) {
        if (object_load(first + i))
            return true;
    }
    return false;
}

/* The tables of a chunk go back to all zero, its addresses to the window. */
static void detach_chunk(uint32_t chunk)
{
    object_t first = chunk << CHUNK_PAGES_SHIFT;
    uint8_t touched = atomic_load(&regions.touched[chunk]);

    atomic_store_explicit(&regions.of_chunk[chunk], NULL, memory_order_release);
    traits_forget(first);
    bitmap_set(&regions.released, chunk);
    if (!touched)
        return;
    memset(&objects.slots[first], 0, CHUNK_PAGES * sizeof(slot_t));
    if (words_in_use(first))
        return;
    meta_trim(&objects.pages[first], CHUNK_PAGES * sizeof(*objects.pages));
    atomic_store(&regions.touched[chunk], 0);
    meta_charge(-touched_bytes(touched));
}

static void put_description(struct region *region)
{
    region->next_free = regions.free_descriptions;
    regions.free_descriptions = region;
}

static void remove_from_chunk(object_t page, uint32_t pages)
{
    uint32_t chunk = page >> CHUNK_PAGES_SHIFT;

    regions.live[chunk] -= (uint16_t)pages;
    if (!regions.live[chunk])
        detach_chunk(chunk);
}

/* The pages of a range that lie in the chunk of its first. */
static uint32_t pages_in_chunk(object_t first, uint64_t end)
{
    return (uint32_t)(min_u64(end, align_down(first, CHUNK_PAGES) + CHUNK_PAGES) - first);
}

void region_remove(struct region *region, object_t first, uint32_t pages)
{
    uint64_t end = (uint64_t)first + pages;

    lock_take(&regions.lock);
    trace_unmap(first, pages);
    region->live -= pages;
    atomic_store(&region->gone, true);
    atomic_fetch_sub(&status_page.gauges.window, (uint64_t)pages * PAGE_SIZE);
    for (uint64_t at = first; at < end;) {
        uint32_t count = pages_in_chunk((object_t)at, end);
        remove_from_chunk((object_t)at, count);
        at += count;
    }
    if (!region->live)
        put_description(region);
    lock_drop(&regions.lock);
}

/* ---- Regions of whole chunks, with pages that come and go ---- */

/* Fresh pages that nobody knows of yet are none of the region's. */
static void hide(struct region *region, object_t first, uint32_t pages)
{
    if (!pages)
        return;
    touch(first, TOUCHED_SLOTS);
    for (uint32_t i = 0; i < pages; i++)
        objects.slots[first + i] = SLOT_GONE;
    regions.live[first >> CHUNK_PAGES_SHIFT] -= (uint16_t)pages;
    region->live -= pages;
    atomic_store(&region->gone, true);
    atomic_fetch_sub(&status_page.gauges.window, (uint64_t)pages * PAGE_SIZE);
}

static struct region *make_chunks(uint32_t chunk, uint32_t chunks, const char *name)
{
    struct uswap_map_options options = {.name = name};
    struct region *region = take_description();

    if (!region)
        return NULL;
    describe(region, chunk, (size_t)chunks << CHUNK_SHIFT, &options);
    enter(region, chunks, PAGE_SIZE);
    return region;
}

int region_make_loose(uint64_t pages, const char *name, object_t *first)
{
    uint64_t chunks = align_up(pages, CHUNK_PAGES) >> CHUNK_PAGES_SHIFT;
    struct region *region = NULL;
    uint32_t chunk = UINT32_MAX;

    if (chunks > regions.chunks)
        return -ENOMEM;
    lock_take(&regions.lock);
    if (regions.free_descriptions || regions.descriptions_used < REGIONS_MAX)
        chunk = take_chunks((uint32_t)chunks, 1);
    if (chunk != UINT32_MAX)
        region = make_chunks(chunk, (uint32_t)chunks, name);
    if (region) {
        *first = region->first;
        hide(region, *first + (uint32_t)pages, (uint32_t)((chunks << CHUNK_PAGES_SHIFT) - pages));
    }
    lock_drop(&regions.lock);
    return region ? 0 : -ENOMEM;
}

/* Pages of a region that were unmapped, in one chunk, live again. */
static int revive(struct region *region, object_t first, uint32_t pages)
{
    uint32_t chunk = first >> CHUNK_PAGES_SHIFT, revived = 0;

    if (objects.shifts[chunk] || !region_has(region, first + pages - 1))
        return -EINVAL;
    if (regions.forbidden[chunk])
        mask_permit(page_address(first), (size_t)pages * PAGE_SIZE);
    for (uint32_t i = 0; i < pages; i++) {
        if (objects.slots[first + i] != SLOT_GONE)
            continue;
        objects.slots[first + i] = SLOT_NONE;
        revived++;
    }
    regions.live[chunk] += (uint16_t)revived;
    region->live += revived;
    atomic_fetch_add(&status_page.gauges.window, (uint64_t)revived * PAGE_SIZE);
    return 0;
}

/* As many free chunks from here on as the range has a part in. */
static uint32_t free_chunks(uint64_t at, uint64_t end)
{
    uint32_t first = (uint32_t)(at >> CHUNK_PAGES_SHIFT), chunks = 0;

    while (((uint64_t)(first + chunks) << CHUNK_PAGES_SHIFT) < end &&
           !region_of((first + chunks) << CHUNK_PAGES_SHIFT))
        chunks++;
    return chunks;
}

/* Make a region of the free chunks at the front of a range; *next is where it goes on. */
static int fill_chunks(uint64_t at, uint64_t end, const char *name, uint64_t *next)
{
    uint32_t first = (uint32_t)(at >> CHUNK_PAGES_SHIFT), chunks = free_chunks(at, end);
    object_t start = first << CHUNK_PAGES_SHIFT;
    uint64_t stop = start + ((uint64_t)chunks << CHUNK_PAGES_SHIFT);
    struct region *region = make_chunks(first, chunks, name);

    if (!region)
        return -ENOMEM;
    take_at(first, chunks);
    *next = min_u64(stop, end);
    hide(region, start, (uint32_t)(at - start));
    hide(region, (object_t)*next, (uint32_t)(stop - *next));
    return 0;
}

int region_fill(object_t first, uint64_t pages, const char *name)
{
    uint64_t end = first + pages, at = first;
    int error = 0;

    lock_take(&regions.lock);
    while (!error && at < end) {
        struct region *region = region_of((object_t)at);
        uint64_t next = at + pages_in_chunk((object_t)at, end);
        if (!region)
            error = fill_chunks(at, end, name, &next);
        else if (!region_chunk_full((object_t)at))
            error = revive(region, (object_t)at, (uint32_t)(next - at));
        at = next;
    }
    lock_drop(&regions.lock);
    return error;
}

void region_open_gaps(object_t first, uint32_t pages)
{
    uint64_t end = (uint64_t)first + pages;

    for (uint64_t at = first; at < end; at += pages_in_chunk((object_t)at, end)) {
        touch((object_t)at, TOUCHED_SLOTS);
        atomic_store(&region_of((object_t)at)->gone, true);
    }
}

/* They have counted as live all the time. */
void region_unlend(object_t first, uint32_t pages)
{
    lock_take(&regions.lock);
    memset(&objects.slots[first], 0, pages * sizeof(slot_t));
    lock_drop(&regions.lock);
}

bool region_chunk_full(object_t page)
{
    return region_chunk_live(page) == CHUNK_PAGES;
}

uint32_t region_chunk_live(object_t page)
{
    return regions.live[page >> CHUNK_PAGES_SHIFT];
}

bool region_maps(object_t page)
{
    const struct region *region = region_of(page);

    return region && region_has(region, page) &&
           !(atomic_load_explicit(&region->gone, memory_order_relaxed) &&
             objects.slots[page] == SLOT_GONE);
}

struct region *region_of(object_t page)
{
    return atomic_load_explicit(&regions.of_chunk[page >> CHUNK_PAGES_SHIFT], memory_order_acquire);
}

uint64_t region_bytes(void)
{
    return atomic_load(&status_page.gauges.window);
}

bool region_chunk_touched(object_t page)
{
    return atomic_load_explicit(&regions.touched[page >> CHUNK_PAGES_SHIFT], memory_order_relaxed);
}

void region_touch(object_t first, uint32_t pages)
{
    uint32_t from = first % CHUNK_PAGES / PART_PAGES;
    uint32_t to = (first + pages - 1) % CHUNK_PAGES / PART_PAGES;

    touch(first, TOUCHED_SLOTS | ((2u << to) - (1u << from)));
}

/* How far from here on, at most up to the end, the parts are touched, or are not. */
static object_t alike_end(object_t at, object_t end, bool touched)
{
    unsigned bits = atomic_load(&regions.touched[at >> CHUNK_PAGES_SHIFT]);

    while (at < end && (bits >> at % CHUNK_PAGES / PART_PAGES & 1) == touched)
        at = (object_t)min_u64(end, align_down(at, PART_PAGES) + PART_PAGES);
    return at;
}

uint32_t region_touched_run(object_t *first, object_t end)
{
    *first = alike_end(*first, end, false);
    return alike_end(*first, end, true) - *first;
}

/* Unless it has been mapped, or lent, since the fault. */
static bool may_forbid(object_t page)
{
    return !region_maps(page) && !(traits_of(page) & TRAIT_FOREIGN);
}

void region_forbid(object_t page)
{
    uint32_t chunk = page >> CHUNK_PAGES_SHIFT;

    lock_take(&regions.lock);
    if (!region_of(page))
        mask_forbid(page_address(chunk << CHUNK_PAGES_SHIFT), CHUNK_SIZE);
    else if (may_forbid(page))
        mask_forbid(page_address(page), PAGE_SIZE);
    regions.forbidden[chunk] |= may_forbid(page);
    lock_drop(&regions.lock);
}

void region_count_read(object_t page)
{
    struct region *region = region_of(page);

    if (region)
        atomic_fetch_add_explicit(&region->reads, 1, memory_order_relaxed);
}

void region_count_eviction(object_t object)
{
    struct region *region = region_of(object);

    if (region)
        atomic_fetch_add_explicit(&region->evictions, 1, memory_order_relaxed);
}

static uint64_t traffic(const struct status_region *entry)
{
    return entry->reads + entry->evictions;
}

static struct status_region describe_to_others(const struct region *region)
{
    struct status_region entry = {
        .address = (uint64_t)(uintptr_t)page_address(region->first),
        .size = (uint64_t)region->live * PAGE_SIZE,
        .object_size = object_pages(region->first) * PAGE_SIZE,
        .reads = atomic_load_explicit(&region->reads, memory_order_relaxed),
        .evictions = atomic_load_explicit(&region->evictions, memory_order_relaxed),
    };

    memcpy(entry.name, region->name, sizeof(entry.name));
    return entry;
}

/* Into its place in the order of traffic, then size; the last one of a full list falls out. */
static void list_region(struct status_regions *list, struct status_region entry)
{
    uint32_t at = list->count < STATUS_REGIONS ? list->count++ : STATUS_REGIONS;

    for (; at > 0; at--) {
        const struct status_region *before = &list->list[at - 1];
        if (traffic(before) > traffic(&entry) ||
            (traffic(before) == traffic(&entry) && before->size >= entry.size))
            break;
        if (at < STATUS_REGIONS)
            list->list[at] = *before;
    }
    if (at < STATUS_REGIONS)
        list->list[at] = entry;
}

void region_list(void)
{
    struct status_regions *list = &status_page.regions;

    lock_take(&regions.lock);
    atomic_fetch_add(&list->sequence, 1);
    list->count = 0;
    list->total = 0;
    for (uint32_t i = 0; i < regions.descriptions_used; i++) {
        if (!regions.descriptions[i].live)
            continue;
        list->total++;
        list_region(list, describe_to_others(&regions.descriptions[i]));
    }
    atomic_fetch_add(&list->sequence, 1);
    lock_drop(&regions.lock);
}

void region_trace(void)
{
    for (uint32_t i = 0; i < regions.descriptions_used; i++) {
        const struct region *region = &regions.descriptions[i];
        if (region->live)
            trace_map(region->first, region->pages, object_pages(region->first), region->name);
    }
}

uint32_t region_chunks_used(void)
{
    return regions.fresh;
}

void region_fork_child(void)
{
    lock_reset(&regions.lock);
}
