/* SPDX-License-Identifier: MIT */
/*
 * A fill takes frames, puts the content there, and moves them into the window in runs. Fresh memory
 * is made in place while the budget has room.
 *
 * Read-ahead never waits for memory: when frames are short, the object that was touched comes
 * alone. What goes ahead is claimed object by object in one chunk, and given back unchanged when it
 * cannot come along.
 */
#include "arena/fill.h"

#include "arena/clean.h"
#include "arena/discard.h"
#include "arena/evict.h"
#include "arena/masked.h"
#include "arena/pack.h"
#include "arena/region.h"
#include "arena/stream.h"
#include "arena/supply.h"
#include "arena/traits.h"
#include "base/bits.h"
#include "base/fmt.h"
#include "base/meta.h"
#include "base/msg.h"
#include "mask/mask.h"
#include "object/budget.h"
#include "object/pool.h"
#include "observe/parts.h"
#include "observe/trace.h"

#include <errno.h>
#include <string.h>

#define WORKS 64

/* Reads that one fill has in flight at a time. */
#define READS_MAX 8

/* Objects in memory keep their slots while free ones for this part of the budget are left. */
#define KEEP_SHARE 16

_Static_assert(SUPPLY_RUNS_MAX >= CHUNK_PAGES, "the largest object may come in single frames");

/* What a fill keeps track of: too large for the stack of a signal handler. */
struct work {
    object_t first; /* the pages that come in: whole objects of `step` pages */
    object_t end;
    uint32_t step;
    unsigned run_count;
    struct frame_run runs[SUPPLY_RUNS_MAX]; /* one frame a live page, in order */
    struct iovec buffers[SUPPLY_RUNS_MAX];  /* of all reads together */
    unsigned buffer_count;
    unsigned buffers_begun; /* those that belong to a read already */
    struct store_read reads[READS_MAX];
    unsigned read_count;
    uint32_t wheres[STREAM_AHEAD_MAX]; /* of the evicted objects, should they be given back */
    bool protect;                      /* what comes in is clean */
};

static struct {
    struct work *works;
    struct bits_pool pool;
} fill;

int fill_init(void)
{
    fill.works = meta_reserve(WORKS * sizeof(*fill.works));
    if (!fill.works)
        return -ENOMEM;
    meta_charge(2 * sizeof(*fill.works));
    atomic_store(&fill.pool.free, UINT64_MAX);
    return 0;
}

/* More threads than works at a time wait here for one of them. */
static struct work *take_work(object_t object)
{
    struct work *work = &fill.works[bits_await(&fill.pool)];

    work->first = object;
    work->step = object_pages(object);
    work->end = object + work->step;
    work->run_count = 0;
    work->protect = false;
    return work;
}

static void put_work(struct work *work)
{
    bits_return(&fill.pool, (size_t)(work - fill.works));
}

static uint32_t live_pages(const struct work *work)
{
    object_t at = work->first;
    uint32_t count, live = 0;

    for (; (count = object_live_run(&at, work->end)); at += count)
        live += count;
    return live;
}

/* ---- Going ahead ---- */

/* Claim the next object if it is in the state; it is part of the work then. */
static bool claim_next(struct work *work, enum object_state state)
{
    object_t object = work->end;
    uint64_t word = object_load(object);
    uint32_t index = (object - work->first) / work->step;

    if (index >= STREAM_AHEAD_MAX || object_state_of(word) != state || !object_claim(object, word))
        return false;
    if (!object_any_live(object, object + work->step)) {
        object_publish(object, state, object_where_of(word));
        return false;
    }
    work->wheres[index] = object_where_of(word);
    work->end += work->step;
    return true;
}

/* Where going ahead must stop: at the end of the region, the chunk, what is alike (a reservation is
 * not to be filled), and the wish. */
static object_t ahead_end(object_t object, uint32_t pages)
{
    uint64_t chunk_end = ((uint64_t)object & ~(uint64_t)(CHUNK_PAGES - 1)) + CHUNK_PAGES;
    uint64_t end = min_u64(chunk_end, region_end(region_of(object)));

    return (object_t)min_u64(end, (uint64_t)object + traits_run(object, pages));
}

/* Give all but the first `kept` objects back as they were. */
static void give_back_from(struct work *work, enum object_state state, uint32_t kept)
{
    for (uint32_t i = kept; work->first + i * work->step < work->end; i++)
        object_publish(work->first + i * work->step, state,
                       state == OBJECT_EVICTED ? work->wheres[i] : 0);
    work->end = work->first + kept * work->step;
}

static void give_back_ahead(struct work *work, enum object_state state)
{
    give_back_from(work, state, 1);
}

/* ---- Frames ---- */

static void put_frames_free(struct work *work)
{
    for (unsigned i = 0; i < work->run_count; i++)
        frame_put_free(work->runs[i]);
    work->run_count = 0;
}

/* Frames for all the work, or a half of it, or of that, if that needs no waiting; else for its
 * first object. */
static void take_frames(struct work *work, enum object_state state)
{
    while (work->end - work->first > work->step) {
        work->run_count = supply_try(live_pages(work), work->runs, SUPPLY_RUNS_MAX);
        if (work->run_count)
            return;
        give_back_from(work, state, (work->end - work->first) / work->step / 2);
    }
    work->run_count = supply_take(live_pages(work), work->runs, SUPPLY_RUNS_MAX);
}

/* Walks live pages and the frames taken for them in step. */
struct walk {
    struct work *work;
    object_t page;   /* the next live page */
    uint32_t live;   /* live pages in a row from there */
    unsigned run;    /* the frame run it comes from */
    uint32_t offset; /* and how far into it */
};

/* The next pages that are neighbours both in the window and as frames; 0 at the end. */
static uint32_t walk_next(struct walk *walk, object_t *page, frame_t *frame)
{
    const struct frame_run *run = &walk->work->runs[walk->run];
    uint32_t count;

    if (!walk->live)
        walk->live = object_live_run(&walk->page, walk->work->end);
    if (!walk->live)
        return 0;
    *page = walk->page;
    *frame = run->first + walk->offset;
    count = (uint32_t)min_u64(walk->live, run->count - walk->offset);
    walk->page += count;
    walk->live -= count;
    walk->offset += count;
    if (walk->offset == run->count) {
        walk->run++;
        walk->offset = 0;
    }
    return count;
}

static struct walk walk_begin(struct work *work)
{
    return (struct walk){.work = work, .page = work->first};
}

static void drop_window(struct work *work, uint32_t live)
{
    mask_drop(page_address(work->first), (size_t)(work->end - work->first) * PAGE_SIZE);
    budget_give(live);
}

/* Move all frames into the window. Frames that were not moved are free. *placed: those that were.
 */
static int place_by_move(struct work *work, uint32_t *placed)
{
    struct walk walk = walk_begin(work);
    object_t page;
    frame_t frame;
    uint32_t count;
    int error = 0;

    for (*placed = 0; (count = walk_next(&walk, &page, &frame));) {
        struct mask_span source = {frame_address(frame), (size_t)count * PAGE_SIZE, MASK_FRAMES};
        size_t moved = 0;
        if (!error)
            error = mask_move(page_address(page), &source, &moved);
        uint32_t done = (uint32_t)(moved / PAGE_SIZE);
        if (done)
            frame_put_holes((struct frame_run){frame, done});
        if (done < count)
            frame_put_free((struct frame_run){frame + done, count - done});
        *placed += done;
    }
    return error;
}

/* Copy all frames into room that was taken for that. They are free afterwards. */
static int place_by_copy(struct work *work)
{
    struct walk walk = walk_begin(work);
    object_t page;
    frame_t frame;
    uint32_t count;
    int error = 0;

    while (!error && (count = walk_next(&walk, &page, &frame)))
        error = mask_copy(page_address(page), frame_address(frame), (size_t)count * PAGE_SIZE,
                          work->protect);
    put_frames_free(work);
    return error;
}

/*
 * Bring what is in the frames into the window. On an error no page of the work is left there, and
 * the frames are free.
 *
 * A copy needs no flush of the TLB of other CPUs, which costs more than to copy some pages: it is
 * taken where there is room for both.
 */
static int place(struct work *work)
{
    uint32_t placed = live_pages(work);
    int error;

    if (supply_take_room(placed)) {
        error = place_by_copy(work);
    } else {
        work->protect = false;
        error = place_by_move(work, &placed);
    }
    if (error)
        drop_window(work, placed);
    return error;
}

static void publish_resident(struct work *work, uint64_t flags)
{
    uint32_t count = (work->end - work->first) / work->step;

    pool_add(work->first, 1, flags);
    if (count > 1) {
        pool_add(work->first + work->step, count - 1, OBJECT_AHEAD);
        stats_add(STAT_OBJECTS_READ_AHEAD, count - 1);
        trace_ahead(work->first + work->step, (count - 1) * work->step);
    }
}

/* ---- Fresh memory ---- */

static int zero_in_place(struct work *work)
{
    object_t at = work->first;
    uint32_t count;
    int error = 0;

    for (; !error && (count = object_live_run(&at, work->end)); at += count)
        error = mask_fill_zero(page_address(at), (size_t)count * PAGE_SIZE);
    return error;
}

static int zero_by_frames(struct work *work)
{
    take_frames(work, OBJECT_EMPTY);
    parts_end(PART_FRAME);
    for (unsigned i = 0; i < work->run_count; i++)
        memset(frame_address(work->runs[i].first), 0, work->runs[i].count * PAGE_SIZE);
    return place(work);
}

int fill_zero(object_t object, uint32_t pages, uint32_t *filled)
{
    struct work *work = take_work(object);
    object_t end = ahead_end(object, pages);
    uint32_t live;
    int error;

    region_touch_chunk(object);
    while (work->end + work->step <= end && claim_next(work, OBJECT_EMPTY))
        ;
    live = live_pages(work);
    if (!live) {
        error = -EFAULT; /* unmapped since the fault */
    } else if (supply_take_room(live)) {
        error = zero_in_place(work);
        if (error)
            drop_window(work, live);
    } else {
        error = zero_by_frames(work);
    }
    if (error) {
        give_back_ahead(work, OBJECT_EMPTY);
        object_publish(object, OBJECT_EMPTY, 0);
    } else {
        parts_end(PART_MOVE);
        publish_resident(work, 0);
        *filled = work->end - work->first;
    }
    put_work(work);
    return error;
}

/* ---- Evicted memory ---- */

/* Read [first, first + buffers) of the store into the gathered buffers. */
static void begin_read(struct work *work, slot_t first)
{
    unsigned from = work->buffers_begun;

    if (work->buffer_count == from)
        return;
    store_read_begin(&work->reads[work->read_count++], first, &work->buffers[from],
                     work->buffer_count - from);
    work->buffers_begun = work->buffer_count;
}

/* Wait for all reads that were begun. */
static int end_reads(struct work *work)
{
    int error = 0;

    for (unsigned i = 0; i < work->read_count; i++) {
        int one = store_read_end(&work->reads[i]);
        error = error ? error : one;
    }
    work->read_count = 0;
    return error;
}

static void buffer_append(struct work *work, char *content)
{
    bool first = work->buffer_count == work->buffers_begun;
    struct iovec *last = first ? NULL : &work->buffers[work->buffer_count - 1];

    if (last && (char *)last->iov_base + last->iov_len == content)
        last->iov_len += PAGE_SIZE;
    else
        work->buffers[work->buffer_count++] = (struct iovec){content, PAGE_SIZE};
}

/* A run of slots that is being gathered. */
struct slot_run {
    slot_t first;
    uint32_t count;
};

static int read_page(struct work *work, struct slot_run *run, slot_t slot, char *content)
{
    int error = 0;

    if (slot == SLOT_NONE) {
        memset(content, 0, PAGE_SIZE);
        return 0;
    }
    error = store_read_packed(slot, content);
    if (error != -ENOENT)
        return error;
    error = 0;
    if (slot != run->first + run->count || run->count == STORE_RUN_MAX || !run->count) {
        begin_read(work, run->first);
        if (work->read_count == READS_MAX)
            error = end_reads(work);
        *run = (struct slot_run){slot, 0};
    }
    run->count++;
    buffer_append(work, content);
    return error;
}

/* Fill the frames with what the slots hold, and evict while the device is at it. */
static int read_frames(struct work *work)
{
    struct walk walk = walk_begin(work);
    struct slot_run run = {SLOT_NONE, 0};
    object_t page;
    frame_t frame;
    uint32_t count;
    int error = 0, last_error;

    work->buffer_count = 0;
    work->buffers_begun = 0;
    work->read_count = 0;
    while (!error && (count = walk_next(&walk, &page, &frame))) {
        for (uint32_t i = 0; !error && i < count; i++)
            error = read_page(work, &run, objects.slots[page + i], frame_address(frame + i));
    }
    if (!error)
        begin_read(work, run.first);
    supply_meanwhile(work->end - work->first);
    last_error = end_reads(work);
    return error ? error : last_error;
}

/* The last slot of the pages before `end`, SLOT_NONE if they have none. */
static slot_t last_slot(object_t first, object_t end)
{
    while (end > first &&
           (objects.slots[end - 1] == SLOT_NONE || objects.slots[end - 1] == SLOT_GONE))
        end--;
    return end > first ? objects.slots[end - 1] : SLOT_NONE;
}

/* Claim evicted objects that one read can bring along: whose slots follow. */
static void claim_following(struct work *work, object_t end)
{
    while (work->end + work->step <= end && claim_next(work, OBJECT_EVICTED)) {
        object_t next = work->end - work->step;
        slot_t before = last_slot(work->first, next);
        slot_t slot = objects.slots[next];
        if (slot == SLOT_NONE || (before != SLOT_NONE && slot == before + 1))
            continue;
        work->end = next;
        object_publish(next, OBJECT_EVICTED, work->wheres[(next - work->first) / work->step]);
        break;
    }
}

/* A page that came back soon after it left would have stayed in a slightly better order. */
static uint64_t flags_for(uint64_t word)
{
    uint32_t distance = evict_clock() - object_where_of(word);

    /* One that a fair part of a pool would have held is not to lose against who takes more. */
    uint64_t near = budget_is_shared() ? budget_fair() >> PAGE_SHIFT : pool_resident_count() / 2;

    return distance < near ? OBJECT_HOT : 0;
}

/* Slots that are kept make eviction cheap, as long as there are enough for those who have none. */
static bool slots_scarce(void)
{
    return store_free_slots() * PAGE_SIZE < budget_limit() / KEEP_SHARE;
}

/* Whether what comes in should be clean. A stream is as cheap to mask in runs. */
static bool should_protect(const struct work *work, const struct fill_wish *wish)
{
    return objects.clean_mark && !wish->write && work->end - work->first == work->step &&
           !slots_scarce() && clean_wanted(work->first);
}

/* The flags of the objects that came in, the first of which had this word. */
static uint64_t settle_slots(struct work *work, uint64_t word)
{
    if (work->protect)
        return flags_for(word) | objects.clean_mark;
    if (slots_scarce())
        discard_slots(work->first, work->end - work->first);
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

/* Compressed RAM learns from the pages that come alone. */
static void note_alone(const struct work *work)
{
    uint32_t distance = evict_clock() - work->wheres[0];

    if (work->end - work->first != 1 || objects.slots[work->first] == SLOT_NONE)
        return;
    if (work->buffers_begun)
        pack_note_miss(work->first, frame_address(work->runs[0].first), distance);
    else
        pack_note_hit(distance);
}

static int read_and_place(struct work *work, bool *unreadable)
{
    int error;

    take_frames(work, OBJECT_EVICTED);
    parts_end(PART_FRAME);
    error = read_frames(work);
    if (!error)
        note_alone(work);
    *unreadable = error != 0;
    if (!error)
        return place(work);
    put_frames_free(work);
    return error;
}

int fill_read(object_t object, uint64_t word, const struct fill_wish *wish, uint32_t *filled)
{
    struct work *work = take_work(object);
    bool unreadable = false;
    int error;

    work->wheres[0] = object_where_of(word);
    claim_following(work, ahead_end(object, wish->pages));
    work->protect = should_protect(work, wish);
    error = live_pages(work) ? read_and_place(work, &unreadable) : -EFAULT;
    if (error && work->end - work->first > work->step) {
        give_back_ahead(work, OBJECT_EVICTED);
        error = read_and_place(work, &unreadable);
    }
    if (!error) {
        stats_count_swapped(-(int64_t)live_pages(work));
        parts_end(PART_MOVE);
        publish_resident(work, settle_slots(work, word));
        *filled = work->end - work->first;
    } else if (unreadable) {
        poison(object, error);
        error = error == -EBADMSG ? error : -EIO;
    } else {
        object_publish(object, OBJECT_EVICTED, object_where_of(word));
    }
    put_work(work);
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
