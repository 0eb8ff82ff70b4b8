/* SPDX-License-Identifier: MIT */
/*
 * Whole objects become EMPTY: runs of them are claimed together, so that one call drops the pages
 * of all that are resident. Of an object that is covered in part, that part is overwritten with
 * zeros where it is (resident, masked) or loses its slots (evicted).
 *
 * A run is claimed in the order of addresses and given up before waiting for an object that
 * somebody else owns, so that nobody waits for an owner who waits.
 */
#include "arena/discard.h"

#include "arena/clean.h"
#include "arena/masked.h"
#include "arena/supply.h"
#include "base/msg.h"
#include "mask/mask.h"
#include "object/budget.h"
#include "object/pool.h"
#include "observe/status.h"
#include "observe/trace.h"

#include <string.h>

/* Objects claimed and not yet dropped: all neighbours, in one chunk. */
struct run {
    object_t first;
    object_t end;      /* after the last page */
    uint32_t resident; /* pages that are present in the window */
    bool unmap;        /* the pages are unmapped, too */
};

void discard_slots(object_t object, uint32_t pages)
{
    object_t end = object + pages, at = object;
    uint32_t count;

    for (; (count = object_live_run(&at, end)); at += count) {
        store_drop_references(&objects.slots[at], count);
        memset(&objects.slots[at], 0, count * sizeof(slot_t));
    }
}

static void mark_gone(object_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        objects.slots[first + i] = SLOT_GONE;
}

static void run_flush(struct run *run)
{
    if (run->end > run->first)
        trace_discard(run->first, run->end - run->first);
    if (run->resident) {
        mask_drop(page_address(run->first), (size_t)(run->end - run->first) * PAGE_SIZE);
        budget_give(run->resident);
    }
    for (object_t object = run->first; object < run->end; object += object_pages(object)) {
        discard_slots(object, object_pages(object));
        if (run->unmap)
            mark_gone(object, object_pages(object));
        object_publish(object, OBJECT_EMPTY, 0);
    }
    run->first = run->end;
    run->resident = 0;
}

static void run_append(struct run *run, object_t object, uint32_t resident)
{
    if (run->end != object) {
        run_flush(run);
        run->first = object;
    }
    run->end = object + object_pages(object);
    run->resident += resident;
}

/* Claim one object that is in a stable state, and free what it has outside the window. */
static bool claim_whole(struct run *run, object_t object, uint64_t word)
{
    enum object_state state = object_state_of(word);
    uint32_t pages = object_pages(object);

    /* Unmapped, an object goes even if it is pinned. */
    if (run->unmap ? !object_claim_pinned(object, word) : !object_claim(object, word))
        return false;
    if (state == OBJECT_MASKED) {
        pool_note_unmasked(pages);
        masked_release(object, pages, object_where_of(word));
    } else if (state == OBJECT_EVICTED) {
        stats_count_swapped(-(int64_t)object_live_pages(object, pages));
    }
    run_append(run, object, state == OBJECT_RESIDENT ? object_live_pages(object, pages) : 0);
    return true;
}

/* Overwrite live pages of memory that holds the pages of an object. */
static void zero_pages(object_t first, uint32_t count, char *memory)
{
    object_t end = first + count, at = first;
    uint32_t live;

    for (; (live = object_live_run(&at, end)); at += live)
        memset(memory + (size_t)(at - first) * PAGE_SIZE, 0, (size_t)live * PAGE_SIZE);
}

/* The program may have dropped pages itself: touching one that is missing would be a fault on an
 * object that this thread owns. */
static void zero_window(object_t first, uint32_t count)
{
    object_t end = first + count, at = first;
    uint32_t live;

    mask_drop(page_address(first), (size_t)count * PAGE_SIZE);
    for (; (live = object_live_run(&at, end)); at += live) {
        if (mask_fill_zero(page_address(at), (size_t)live * PAGE_SIZE))
            msg_error("no memory for zeros at %p", page_address(at));
    }
}

static void drop_part(const struct run *run, object_t first, uint32_t count, uint64_t word)
{
    bool resident = object_state_of(word) == OBJECT_RESIDENT;
    bool masked = object_state_of(word) == OBJECT_MASKED;
    frame_t frame = object_where_of(word) + (first - object_of(first));

    if (resident && run->unmap) {
        mask_drop(page_address(first), (size_t)count * PAGE_SIZE);
        budget_give(object_live_pages(first, count));
    } else if (resident) {
        zero_window(first, count);
    } else if (masked && run->unmap) {
        masked_release(first, count, frame);
    } else if (masked) {
        zero_pages(first, count, frame_address(frame));
    }
}

/* Part [first, first + count) of an object, in a stable state. False: it changed. */
static bool discard_part(const struct run *run, uint64_t word, object_t first, uint32_t count)
{
    uint64_t flags = word & (OBJECT_HOT | OBJECT_AHEAD);
    object_t object = object_of(first);

    if (!object_claim_pinned(object, word))
        return false;
    if (object_state_of(word) == OBJECT_RESIDENT)
        clean_end(object, word);
    drop_part(run, first, count, word);
    if (run->unmap && object_state_of(word) == OBJECT_EVICTED)
        stats_count_swapped(-(int64_t)object_live_pages(first, count));
    discard_slots(first, count);
    trace_discard(first, count);
    if (run->unmap)
        mark_gone(first, count);
    if (object_state_of(word) == OBJECT_RESIDENT)
        pool_add(object, 1, flags);
    else if (object_state_of(word) == OBJECT_MASKED)
        masked_requeue(object, object_where_of(word));
    else
        object_publish(object, object_state_of(word) | flags, object_where_of(word));
    return true;
}

/* Whether an object has no mapped page outside [first, end). */
static bool covers_live(object_t object, object_t first, object_t end)
{
    return !object_any_live(object, first) && !object_any_live(end, object + object_pages(object));
}

/* One object, of which [first, first + count) is to go. False: look at it again. */
static bool discard_object(struct run *run, object_t object, object_t first, uint32_t count)
{
    uint64_t word = object_load(object);
    bool whole = covers_live(object, first, first + count);

    switch (object_state_of(word)) {
    case OBJECT_EMPTY:
        return !run->unmap || discard_part(run, word, first, count);
    case OBJECT_BUSY:
        run_flush(run);
        object_wait(object, word);
        return false;
    case OBJECT_WRITING:
        /* Unmapped pages lose their slots to the next region: those in flight must be done. */
        if (whole && !run->unmap && object_discard_write(object, word))
            return true;
        run_flush(run);
        object_wait(object, word);
        return false;
    case OBJECT_RESIDENT:
        if (whole && (run->unmap || !object_pins_of(word)))
            return claim_whole(run, object, word);
        return discard_part(run, word, first, count);
    default:
        if (whole)
            return claim_whole(run, object, word);
        return discard_part(run, word, first, count);
    }
}

static void discard_in_chunk(object_t first, uint32_t count, bool unmap)
{
    struct run run = {first, first, 0, unmap};
    object_t end = first + count;

    for (object_t at = first; at < end;) {
        object_t object = object_of(at);
        object_t stop = (object_t)min_u64(end, (uint64_t)object + object_pages(object));
        while (!discard_object(&run, object, at, stop - at))
            ;
        at = stop;
    }
    run_flush(&run);
}

/* Where no state was ever in use all objects are EMPTY. */
static void discard_used(object_t first, object_t end, bool unmap)
{
    uint32_t count;

    for (; (count = region_touched_run(&first, end)); first += count)
        discard_in_chunk(first, count, unmap);
}

void discard_pages(object_t first, uint32_t count)
{
    uint64_t end = (uint64_t)first + count;

    for (uint64_t at = first; at < end;) {
        uint64_t stop = min_u64(end, align_down(at, CHUNK_PAGES) + CHUNK_PAGES);
        if (region_of((object_t)at))
            discard_used((object_t)at, (object_t)stop, false);
        at = stop;
    }
    supply_notify();
}

void discard_unmapped(object_t first, uint32_t count)
{
    uint64_t end = (uint64_t)first + count;

    for (uint64_t at = first; at < end;) {
        uint64_t stop = min_u64(end, align_down(at, CHUNK_PAGES) + CHUNK_PAGES);
        bool whole = at % CHUNK_PAGES == 0 && stop % CHUNK_PAGES == 0;
        object_t object = object_of((object_t)at);
        if (!whole)
            region_touch(object, (uint32_t)(stop - object));
        discard_used((object_t)at, (object_t)stop, true);
        at = stop;
    }
    supply_notify();
}
