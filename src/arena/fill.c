/* SPDX-License-Identifier: MIT */
/*
 * A fill takes frames, puts the content there, and moves them into the window in runs. Fresh memory
 * is made in place while the budget has room.
 *
 * Read-ahead never waits for memory: when frames are short, the object that was touched comes
 * alone (work.c). What comes along may lie here and there in the stores and between objects that
 * are in memory: it is read in a few reads at once.
 */
#include "arena/fill.h"

#include "arena/clean.h"
#include "arena/discard.h"
#include "arena/evict.h"
#include "arena/masked.h"
#include "arena/pack.h"
#include "arena/prefetch.h"
#include "arena/region.h"
#include "arena/supply.h"
#include "arena/traits.h"
#include "arena/work.h"
#include "base/fmt.h"
#include "base/msg.h"
#include "mask/mask.h"
#include "object/budget.h"
#include "object/pool.h"
#include "observe/parts.h"
#include "observe/trace.h"

#include <errno.h>
#include <string.h>

/* Objects in memory keep their slots while free ones for this part of the budget are left. */
#define KEEP_SHARE 16

/* Where going ahead must stop: at the end of the region, the chunk, what is alike (a reservation is
 * not to be filled), and the wish. */
static object_t ahead_end(object_t object, uint32_t pages)
{
    uint64_t chunk_end = ((uint64_t)object & ~(uint64_t)(CHUNK_PAGES - 1)) + CHUNK_PAGES;
    uint64_t end = min_u64(chunk_end, region_end(region_of(object)));

    return (object_t)min_u64(end, (uint64_t)object + traits_run(object, pages));
}

/* The same downwards, for so many pages below the object. */
static object_t ahead_begin(object_t object, uint32_t below)
{
    object_t chunk = object & ~(CHUNK_PAGES - 1);
    object_t first = (object_t)max_u64(max_u64(chunk, region_of(object)->first),
                                       object - min_u64(object, below));

    first = object - (object - first) / object_pages(object) * object_pages(object);
    return traits_run(first, object - first + 1) == object - first + 1 ? first : object;
}

/* ---- Fresh memory ---- */

static int zero_in_place(struct work *work)
{
    struct cursor cursor = cursor_begin(work);
    object_t first;
    uint32_t count;
    int error = 0;

    while (!error && (count = cursor_next(&cursor, &first)))
        error = mask_fill_zero(page_address(first), (size_t)count * PAGE_SIZE);
    return error;
}

static int zero_by_frames(struct work *work)
{
    work_take_frames(work, OBJECT_EMPTY);
    parts_end(PART_FRAME);
    for (unsigned i = 0; i < work->run_count; i++)
        memset(frame_address(work->runs[i].first), 0, work->runs[i].count * PAGE_SIZE);
    return work_place(work);
}

/* Claim empty neighbours above. */
static void claim_empty(struct work *work, object_t end)
{
    object_t next = work_end(work);
    uint64_t word;

    while (next + work->step <= end && work_has_room(work, next)) {
        if (!work_claim(next, OBJECT_EMPTY, &word))
            break;
        work_add(work, next, word);
        next += work->step;
    }
}

int fill_zero(object_t object, uint32_t pages, uint32_t *filled)
{
    struct work *work = work_take(object, object);
    uint32_t live;
    int error;

    work_add(work, object, 0);
    claim_empty(work, ahead_end(object, pages));
    region_touch(object, work_end(work) - object);
    live = work_live_pages(work);
    if (!live) {
        error = -EFAULT; /* unmapped since the fault */
    } else if (supply_take_room(live)) {
        error = zero_in_place(work);
        if (error)
            work_drop_window(work, live);
    } else {
        error = zero_by_frames(work);
    }
    if (error) {
        work_give_back(work, OBJECT_EMPTY);
        object_publish(object, OBJECT_EMPTY, 0);
    } else {
        parts_end(PART_MOVE);
        *filled = work_end(work) - object;
        work_publish(work, 0);
    }
    work_put(work);
    return error;
}

/* ---- Evicted memory ---- */

/* Whether what lies there is like the object. */
static bool is_alike(object_t page, object_t object)
{
    return region_of(page) == region_of(object) && region_maps(page) &&
           traits_of(page) == traits_of(object);
}

/* Begin to read what the stream is going to want after all from first to end. */
static void begin_next(const struct fill_wish *wish, object_t object, object_t first, object_t end)
{
    bool down = wish->below != 0;
    object_t next = down ? first - 1 : end;

    if (!wish->next || (down && !first) || !window_contains(page_address(next)) ||
        !is_alike(next, object))
        return;
    next = object_of(next);
    if (down)
        prefetch_begin(ahead_begin(next, wish->next), next + object_pages(next));
    else
        prefetch_begin(next, ahead_end(next, wish->next));
}

/* Whether the frames hold what was written. */
static int check_frames(const struct work *work)
{
    struct walk walk = walk_begin(work);
    object_t page;
    frame_t frame;
    uint32_t count;
    bool right = true;

    while (right && (count = walk_next(&walk, &page, &frame))) {
        for (uint32_t i = 0; right && i < count; i++)
            right =
                objects.slots[page + i] == SLOT_NONE ||
                store_page_checksum(frame_address(frame + i)) == objects.pages[page + i].checksum;
    }
    parts_end(PART_CHECK);
    if (right)
        return 0;
    stats_add(STAT_IO_ERRORS, 1);
    return -EBADMSG;
}

/* Fill the frames with what the slots hold; begin to read what is wanted next, and evict while the
 * device is at it. */
static int read_frames(struct work *work, const struct fill_wish *wish)
{
    struct walk walk = walk_begin(work);
    object_t page;
    frame_t frame;
    uint32_t count;
    int error = 0, last_error;

    reads_start(&work->reads, false);
    while (!error && (count = walk_next(&walk, &page, &frame))) {
        for (uint32_t i = 0; !error && i < count; i++)
            error = reads_add(&work->reads, objects.slots[page + i], frame_address(frame + i));
    }
    if (!error)
        reads_begin(&work->reads);
    begin_next(wish, work->touched, work->spans[0].first, work_end(work));
    if (work->reads.buffers_begun) {
        supply_meanwhile(work_live_pages(work));
        pack_meanwhile();
    }
    last_error = reads_end(&work->reads);
    work->source = reads_source(&work->reads);
    error = error ? error : last_error;
    return error ? error : check_frames(work);
}

/* Places in the stores: where the last page of a work lies, and how many reads that makes. */
struct places {
    slot_t last;
    unsigned reads;
};

/* An object follows when its first page lies behind the last one; pages that lie nowhere are zero.
 */
static void places_add(struct places *places, object_t object)
{
    for (uint32_t i = 0; i < object_pages(object); i++) {
        slot_t slot = objects.slots[object + i];
        if (slot == SLOT_NONE || slot == SLOT_GONE)
            continue;
        places->reads += slot != places->last + 1;
        places->last = slot;
    }
}

/* Claim an evicted object that comes along, unless it would be one read too many. */
static void claim_beside(struct work *work, struct places *places, object_t object, unsigned most)
{
    struct places with = *places;
    uint64_t word;

    if (!work_has_room(work, object) || !work_claim(object, OBJECT_EVICTED, &word))
        return;
    places_add(&with, object);
    if (with.reads > most) {
        object_publish(object, OBJECT_EVICTED, object_where_of(word));
        return;
    }
    work_add(work, object, word);
    *places = with;
}

/* Claim what is evicted from the base to the end, in as few reads as are in flight at a time. What
 * is in memory already is passed over. */
static void claim_evicted(struct work *work, uint64_t word, object_t end)
{
    struct places places = {SLOT_NONE, 0};
    object_t object = work->base;

    for (; object < work->touched; object += work->step)
        claim_beside(work, &places, object, READS_MAX - 1);
    work_add(work, object, word);
    places_add(&places, object);
    for (object += work->step; object + work->step <= end; object += work->step)
        claim_beside(work, &places, object, READS_MAX);
}

/* How many steps from the touched page on lie where all is like it. */
static uint32_t steps_alike(object_t object, const struct fill_wish *wish)
{
    uint32_t steps = 1;

    for (; steps < wish->stride.count; steps++) {
        const char *address = (char *)wish->address + wish->stride.step * steps;
        object_t page = page_of(address);
        if (!window_contains(address) || !is_alike(page, object))
            break;
    }
    return steps;
}

/* The object of the stride that is so many steps away. */
static object_t step_object(const struct fill_wish *wish, int64_t steps)
{
    return object_of(page_of((char *)wish->address + wish->stride.step * steps));
}

/* Claim what is evicted of a stride, in the order of addresses. */
static void claim_stride(struct work *work, uint64_t word, const struct fill_wish *wish,
                         uint32_t steps)
{
    struct places places = {SLOT_NONE, 0};
    bool down = wish->stride.step < 0;

    for (uint32_t i = steps - 1; down && i; i--)
        claim_beside(work, &places, step_object(wish, i), READS_MAX - 1);
    work_add(work, work->touched, word);
    places_add(&places, work->touched);
    for (uint32_t i = 1; !down && i < steps; i++)
        claim_beside(work, &places, step_object(wish, i), READS_MAX);
}

/* A work with the object and what is to come along. */
static struct work *take_work(object_t object, uint64_t word, const struct fill_wish *wish)
{
    uint32_t steps = wish->stride.count > 1 ? steps_alike(object, wish) : 1;
    struct work *work;

    if (steps > 1) {
        work = work_take(object, wish->stride.step < 0 ? step_object(wish, steps - 1) : object);
        claim_stride(work, word, wish, steps);
    } else {
        work = work_take(object, ahead_begin(object, wish->below));
        claim_evicted(work, word, ahead_end(object, wish->pages));
    }
    return work;
}

/* A page that came back before so many others left would have stayed in a slightly better order:
 * within half of what is resident. One that holds less than a fair part of a pool is not to lose
 * against who takes more: as far as it holds less, a page counts that its fair part would have
 * held.
 */
static uint64_t near_distance(void)
{
    uint64_t resident = pool_resident_count(), held = budget_held(), fair = budget_fair();

    if (held >= fair || !held)
        return resident / 2;
    return resident * fair / held - resident / 2;
}

static uint64_t flags_for(uint64_t word)
{
    uint32_t distance = evict_clock() - object_where_of(word);

    return distance < near_distance() && pool_takes_returned(word) ? OBJECT_HOT : 0;
}

/* Slots that are kept make eviction cheap, as long as there are enough for those who have none. */
static bool slots_scarce(void)
{
    return store_free_slots() * PAGE_SIZE < budget_limit() / KEEP_SHARE;
}

/* Whether what comes in should be clean. A stream is as cheap to mask in runs, a
 * stride is not. */
static bool should_protect(const struct work *work, const struct fill_wish *wish)
{
    return objects.clean_mark && !wish->write && (work_alone(work) || wish->stride.count > 1) &&
           !slots_scarce() && clean_wanted(work->touched);
}

/* The flags of the touched object, which had this word. */
static uint64_t settle_slots(struct work *work, uint64_t word)
{
    if (work->protect)
        return flags_for(word) | objects.clean_mark;
    for (unsigned i = 0; slots_scarce() && i < work->span_count; i++)
        discard_slots(work->spans[i].first, work->spans[i].end - work->spans[i].first);
    return flags_for(word);
}

static void poison(object_t object, int error)
{
    char place_text[128], name[8];
    object_t page = object;

    /* The first page that is in a store at all tells where to look. */
    while (page + 1 < object + object_pages(object) &&
           (objects.slots[page] == SLOT_NONE || objects.slots[page] == SLOT_GONE))
        page++;
    store_describe(objects.slots[page], place_text, sizeof(place_text));
    msg_error("memory at %p is lost: %s, %s (%s); accesses to it get SIGBUS", page_address(object),
              place_text, error == -EBADMSG ? "wrong checksum" : "read failed",
              fmt_errno(error, name));
    stats_add(STAT_OBJECTS_POISONED, 1);
    stats_count_swapped(-(int64_t)object_live_pages(object, object_pages(object)));
    object_publish(object, OBJECT_POISONED, 0);
}

/* Compressed RAM learns from it. */
static void note_read(const struct work *work)
{
    object_t object = work->touched;
    uint32_t distance;

    if (work->step != 1 || work->source == TRACE_FAULT_FRESH)
        return;
    if (!work_alone(work)) {
        pack_note_run(work->source == TRACE_FAULT_PACKED, work->wheres, work->count);
        return;
    }
    distance = evict_clock() - work->wheres[0];
    if (work->source == TRACE_FAULT_READ)
        pack_note_miss(object, frame_address(work->runs[0].first), distance);
    else
        pack_note_hit(distance);
}

static int read_and_place(struct work *work, const struct fill_wish *wish, bool *unreadable)
{
    int error;

    work_take_frames(work, OBJECT_EVICTED);
    parts_end(PART_FRAME);
    error = read_frames(work, wish);
    if (!error)
        note_read(work);
    *unreadable = error != 0;
    if (!error)
        return work_place(work);
    work_put_frames(work);
    return error;
}

/* The touched object cannot come in. */
static int give_up(object_t object, uint64_t word, bool unreadable, int error)
{
    if (!unreadable) {
        object_publish(object, OBJECT_EVICTED, object_where_of(word));
        return error;
    }
    poison(object, error);
    return error == -EBADMSG ? error : -EIO;
}

/* What was read for this fault by an earlier one; NULL: nothing that is of use. */
static struct work *take_prefetched(object_t object, uint64_t word, const struct fill_wish *wish)
{
    object_t first, end;
    struct prefetch *prefetch = prefetch_take(object, &first, &end);

    if (!prefetch)
        return NULL;
    begin_next(wish, object, first, end);
    supply_meanwhile(end - first);
    return prefetch_end(prefetch, object, word);
}

static int read_here(struct work *work, const struct fill_wish *wish, bool *unreadable)
{
    static const struct fill_wish alone;
    int error;

    work->protect = should_protect(work, wish);
    error = work_live_pages(work) ? read_and_place(work, wish, unreadable) : -EFAULT;
    if (error && !work_alone(work)) {
        work_give_back(work, OBJECT_EVICTED);
        error = read_and_place(work, &alone, unreadable);
    }
    return error;
}

int fill_read(object_t object, uint64_t word, const struct fill_wish *wish, struct filled *filled)
{
    struct work *work = take_prefetched(object, word, wish);
    bool unreadable = false;
    int error;

    if (work) {
        note_read(work);
        error = work_place(work);
        if (error)
            work_give_back(work, OBJECT_EVICTED);
    } else {
        work = take_work(object, word, wish);
        error = read_here(work, wish, &unreadable);
    }
    if (error) {
        error = give_up(object, word, unreadable, error);
    } else {
        uint32_t pages = work_live_pages(work);
        stats_count_swapped(-(int64_t)pages);
        parts_end(PART_MOVE);
        *filled = (struct filled){work->spans[0].first, work_end(work), pages, work->source};
        work_publish(work, settle_slots(work, word));
    }
    work_put(work);
    return error;
}

/* ---- Masked and vanished memory ---- */

int fill_unmask(object_t object, uint64_t word)
{
    uint32_t pages = object_pages(object);
    int error = masked_move_in(object, pages, object_where_of(word));

    if (error) {
        masked_requeue(object, object_where_of(word));
    } else {
        parts_end(PART_MOVE);
        if (word & OBJECT_AHEAD)
            stats_add(STAT_READ_AHEAD_HITS, 1);
        pool_note_touched(pages);
        pool_add(object, 1, OBJECT_HOT);
    }
    return error;
}

int fill_again(object_t object, uint64_t word, object_t page)
{
    int error = mask_fill_zero(page_address(page), PAGE_SIZE);

    if (error == -EEXIST)
        error = 0;
    clean_end(object, word);
    pool_add(object, 1, word & OBJECT_HOT);
    return error;
}
