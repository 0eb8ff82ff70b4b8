/* SPDX-License-Identifier: MIT */
/*
 * The states of a place for a prefetch:
 *
 *   free --prefetch_begin()--> taken --> ready --prefetch_take(), drop()--> taken --> free
 *
 * A place is taken when it has neither a range nor its bit among the free ones. Whoever sets or
 * clears the range of a ready one by compare-and-swap has it.
 */
#include "arena/prefetch.h"

#include "arena/evict.h"
#include "arena/region.h"
#include "base/bits.h"
#include "base/meta.h"
#include "base/page.h"
#include "object/pool.h"
#include "observe/parts.h"
#include "observe/status.h"

#include <errno.h>

/* With all their reads in flight there is none left for others (store/aio.c), who then read by
 * themselves. */
#define PREFETCHES 8

/* One that nobody wanted while so many times what is resident left has been made for nothing. */
#define STALE_TIMES 4

struct prefetch {
    _Atomic uint64_t range; /* the first page, and above it where it ends; 0: it is not ready */
    _Atomic uint32_t begun; /* by the eviction clock */
    object_t first, end;
    uint32_t held;                    /* frames */
    frame_t frames[STREAM_AHEAD_MAX]; /* of each page; FRAME_NONE: it was not read */
    slot_t slots[STREAM_AHEAD_MAX];   /* it had when the read was begun */
    struct frame_run runs[STREAM_AHEAD_MAX];
    struct reads reads;
};

static struct {
    struct prefetch *places;
    _Atomic uint64_t free;
    _Atomic uint64_t charged; /* those that have been touched */
    _Atomic uint32_t held;    /* frames of all */
} all;

int prefetch_init(void)
{
    all.places = meta_reserve(PREFETCHES * sizeof(*all.places));
    if (!all.places)
        return -ENOMEM;
    atomic_store(&all.free, (UINT64_C(1) << PREFETCHES) - 1);
    return 0;
}

uint32_t prefetch_pages(void)
{
    return atomic_load_explicit(&all.held, memory_order_relaxed);
}

static uint64_t range_word(object_t first, object_t end)
{
    return (uint64_t)end << 32 | first;
}

static bool overlaps(uint64_t range, object_t first, object_t end)
{
    return (object_t)range < end && (object_t)(range >> 32) > first;
}

static frame_t *frame_of(struct prefetch *prefetch, object_t page)
{
    return &prefetch->frames[page - prefetch->first];
}

static void put_place(const struct prefetch *prefetch)
{
    bits_put(&all.free, (size_t)(prefetch - all.places));
}

/* ---- Giving up ---- */

/* Its reads have ended. Returns the pages that are left in it. */
static uint32_t release(struct prefetch *prefetch)
{
    uint32_t left = 0;

    for (uint32_t i = 0; i < prefetch->end - prefetch->first; i++) {
        if (prefetch->frames[i] == FRAME_NONE)
            continue;
        frame_put_free((struct frame_run){prefetch->frames[i], 1});
        left++;
    }
    atomic_fetch_sub(&all.held, prefetch->held);
    put_place(prefetch);
    return left;
}

/* The pages that are left in it were read for nothing. */
static void release_unused(struct prefetch *prefetch)
{
    uint32_t step = object_pages(prefetch->first);

    stats_add(STAT_OBJECTS_READ_AHEAD, release(prefetch) / step);
}

/* Have a ready one; false: it is another's. */
static bool have(struct prefetch *prefetch, uint64_t range)
{
    return range && atomic_compare_exchange_strong(&prefetch->range, &range, 0);
}

static uint32_t drop(struct prefetch *prefetch)
{
    uint32_t pages;

    if (!have(prefetch, atomic_load(&prefetch->range)))
        return 0;
    pages = prefetch->held;
    reads_give_up(&prefetch->reads);
    release_unused(prefetch);
    return pages;
}

uint32_t prefetch_drop_all(void)
{
    uint32_t pages = 0;

    for (unsigned i = 0; i < PREFETCHES; i++)
        pages += drop(&all.places[i]);
    return pages;
}

void prefetch_drop_stale(void)
{
    uint64_t patience = pool_resident_count() * STALE_TIMES;

    for (unsigned i = 0; i < PREFETCHES; i++) {
        struct prefetch *prefetch = &all.places[i];
        if (atomic_load(&prefetch->range) && evict_clock() - prefetch->begun > patience)
            drop(prefetch);
    }
}

/* ---- Beginning ---- */

static bool is_under_way(object_t first, object_t end)
{
    for (unsigned i = 0; i < PREFETCHES; i++)
        if (overlaps(atomic_load(&all.places[i].range), first, end))
            return true;
    return false;
}

/* Where the content of a page is, if it is to be read. Nobody keeps the owner of the object from
 * changing that; then what is read is wrong, and found out to be when the object is touched. */
static slot_t wanted_slot(object_t page)
{
    if (object_state_of(object_load(object_of(page))) != OBJECT_EVICTED)
        return SLOT_GONE;
    return __atomic_load_n(&objects.slots[page], __ATOMIC_RELAXED);
}

/* Find out what is to be read, from up to so many places in the stores. Returns its pages. */
static uint32_t find_wanted(struct prefetch *prefetch)
{
    slot_t last = SLOT_NONE;
    uint32_t count = 0;
    unsigned reads = 0;

    for (object_t page = prefetch->first; page < prefetch->end; page++) {
        slot_t slot = wanted_slot(page);
        prefetch->slots[page - prefetch->first] = slot;
        if (slot == SLOT_GONE)
            continue;
        if (slot != SLOT_NONE) {
            reads += slot != last + 1;
            last = slot;
        }
        if (reads > READS_MAX) {
            prefetch->end = page;
            break;
        }
        count++;
    }
    return count;
}

static void assign_frames(struct prefetch *prefetch)
{
    const struct frame_run *run = prefetch->runs;
    uint32_t used = 0;

    for (uint32_t i = 0; i < prefetch->end - prefetch->first; i++) {
        prefetch->frames[i] = FRAME_NONE;
        if (prefetch->slots[i] == SLOT_GONE)
            continue;
        prefetch->frames[i] = run->first + used++;
        if (used == run->count) {
            run++;
            used = 0;
        }
    }
}

/* As far as that needs no waiting, and up to what is in compressed RAM: to unpack that early gains
 * nothing. Frames that are not read into hold what no checksum is of. */
static void begin_reads(struct prefetch *prefetch)
{
    struct reads *reads = &prefetch->reads;
    int error = 0;

    reads_start(reads, true);
    for (uint32_t i = 0; i < prefetch->end - prefetch->first && !error; i++) {
        if (prefetch->slots[i] == SLOT_GONE)
            continue;
        if (reads_are_full(reads, prefetch->slots[i]))
            break;
        error = reads_add(reads, prefetch->slots[i], frame_address(prefetch->frames[i]));
        if (reads->unpacked)
            break;
    }
    reads_begin(reads);
}

static bool begin_with(struct prefetch *prefetch)
{
    uint32_t count = find_wanted(prefetch);

    if (!count || prefetch_pages() + count > supply_ahead_limit() ||
        !supply_try(count, prefetch->runs, STREAM_AHEAD_MAX))
        return false;
    prefetch->held = count;
    prefetch->begun = evict_clock();
    atomic_fetch_add(&all.held, count);
    assign_frames(prefetch);
    begin_reads(prefetch);
    return true;
}

/* A free place, the lowest, so that few of them are ever touched; NULL: there is none. */
static struct prefetch *take_place(void)
{
    int place = bits_take(&all.free);

    if (place < 0)
        return NULL;
    meta_charge_once(&all.charged, place, sizeof(*all.places));
    return &all.places[place];
}

void prefetch_begin(object_t first, object_t end)
{
    struct prefetch *prefetch;

    prefetch_drop_stale();
    prefetch = is_under_way(first, end) ? NULL : take_place();
    if (!prefetch)
        return;
    prefetch->first = first;
    prefetch->end = (object_t)min_u64(end, (uint64_t)first + STREAM_AHEAD_MAX);
    if (!begin_with(prefetch)) {
        put_place(prefetch);
    } else if (reads_are_begun(&prefetch->reads)) {
        atomic_store(&prefetch->range, range_word(prefetch->first, prefetch->end));
    } else {
        reads_give_up(&prefetch->reads);
        release(prefetch);
    }
}

/* ---- Ending ---- */

struct prefetch *prefetch_take(object_t object, object_t *first, object_t *end)
{
    for (unsigned i = 0; i < PREFETCHES; i++) {
        struct prefetch *prefetch = &all.places[i];
        uint64_t range = atomic_load(&prefetch->range);
        if (!overlaps(range, object, object + 1) || !have(prefetch, range))
            continue;
        *first = prefetch->first;
        *end = prefetch->end;
        return prefetch;
    }
    return NULL;
}

static bool holds(object_t page, const void *content)
{
    if (objects.slots[page] == SLOT_NONE)
        return page_is_zero(content);
    return store_page_checksum(content) == objects.pages[page].checksum;
}

/* Whether all pages of an object, which this thread owns, were read as they are. */
static bool has_content(struct prefetch *prefetch, object_t object)
{
    object_t end = object + object_pages(object);

    if (object < prefetch->first || end > prefetch->end)
        return false;
    for (object_t page = object; page < end; page++) {
        frame_t frame = *frame_of(prefetch, page);

        if (objects.slots[page] == SLOT_GONE)
            continue;
        if (frame == FRAME_NONE || !holds(page, frame_address(frame)))
            return false;
    }
    return true;
}

/* The frames of its pages are the work's. */
static void hand_over(struct prefetch *prefetch, struct work *work, object_t object)
{
    for (object_t page = object; page < object + work->step; page++) {
        if (objects.slots[page] == SLOT_GONE)
            continue;
        work_add_frame(work, *frame_of(prefetch, page));
        *frame_of(prefetch, page) = FRAME_NONE;
    }
}

static void add_beside(struct prefetch *prefetch, struct work *work, object_t object)
{
    uint64_t word;

    if (!work_has_room(work, object) || !work_claim(object, OBJECT_EVICTED, &word))
        return;
    if (has_content(prefetch, object)) {
        work_add(work, object, word);
        hand_over(prefetch, work, object);
    } else {
        object_publish(object, OBJECT_EVICTED, object_where_of(word));
    }
}

static struct work *make_work(struct prefetch *prefetch, object_t touched, uint64_t word)
{
    struct work *work = work_take(touched, prefetch->first);

    for (object_t object = prefetch->first; object + work->step <= prefetch->end;
         object += work->step) {
        if (object != touched) {
            add_beside(prefetch, work, object);
            continue;
        }
        work_add(work, object, word);
        hand_over(prefetch, work, object);
    }
    work->source = reads_source(&prefetch->reads);
    return work;
}

struct work *prefetch_end(struct prefetch *prefetch, object_t object, uint64_t word)
{
    int error = reads_end(&prefetch->reads);
    struct work *work = NULL;

    /* The region may be another one by now, with objects of another size, or with less of this. */
    if (!error && (object - prefetch->first) % object_pages(object) == 0 &&
        object_any_live(object, object + object_pages(object)) && has_content(prefetch, object))
        work = make_work(prefetch, object, word);
    parts_end(PART_CHECK);
    release_unused(prefetch);
    return work;
}
