/* SPDX-License-Identifier: MIT */
#include "object/frame.h"

#include "base/bitmap.h"
#include "base/lock.h"
#include "base/meta.h"
#include "mask/mask.h"

#include <errno.h>

/* Frames a page of budget: room enough that runs of holes stay long. */
#define FRAMES_PER_PAGE 2
/* For small budgets: a few of the largest objects beyond that. */
#define FRAMES_EXTRA 2048

/* Runs looked at in a search. */
#define EFFORT 16

static struct {
    struct lock lock;
    char *area;
    uint64_t max;         /* frames the area has address space for */
    uint64_t used_area;   /* frames in use of these, growing with the budget */
    struct bitmap free;   /* a page is present and nobody's */
    struct bitmap holes;  /* no page is present */
    uint64_t free_cursor; /* where the last search ended */
    uint64_t holes_cursor;
    _Atomic uint64_t free_count;
    struct frame_owner *owners;
} frames = {.lock = LOCK_INIT(RANK_FRAME)};

static int reserve_tables(uint64_t max)
{
    void *free = meta_reserve(bitmap_bytes(max));
    void *holes = meta_reserve(bitmap_bytes(max));

    frames.owners = meta_reserve(max * sizeof(*frames.owners));
    frames.area = meta_reserve(max * PAGE_SIZE);
    if (!free || !holes || !frames.owners || !frames.area)
        return -ENOMEM;
    bitmap_init(&frames.free, max, free);
    bitmap_init(&frames.holes, max, holes);
    return mask_cover(frames.area, max * PAGE_SIZE);
}

int frame_init(uint64_t max_pages)
{
    frames.max = min_u64(max_pages * FRAMES_PER_PAGE + FRAMES_EXTRA, FRAME_NONE);
    return reserve_tables(frames.max);
}

void frame_set_budget(uint64_t pages)
{
    uint64_t want = min_u64(pages * FRAMES_PER_PAGE + FRAMES_EXTRA, frames.max);

    lock_take(&frames.lock);
    if (want > frames.used_area) {
        bitmap_set_range(&frames.holes, frames.used_area, want - frames.used_area);
        meta_charge((int64_t)(sizeof(*frames.owners) * (want - frames.used_area)));
        frames.used_area = want;
    }
    lock_drop(&frames.lock);
}

void *frame_address(frame_t frame)
{
    return frames.area + (size_t)frame * PAGE_SIZE;
}

struct frame_owner *frame_owner(frame_t frame)
{
    return &frames.owners[frame];
}

static struct frame_run take_run(struct bitmap *map, uint64_t *cursor, uint32_t want)
{
    uint64_t count = 0;
    uint64_t first = bitmap_find_run(map, *cursor, want, 1, EFFORT, &count);

    if (first == BITMAP_NONE)
        return (struct frame_run){0, 0};
    bitmap_clear_range(map, first, count);
    *cursor = first + count;
    return (struct frame_run){(frame_t)first, (uint32_t)count};
}

static void put_run(struct bitmap *map, struct frame_run run)
{
    bitmap_set_range(map, run.first, run.count);
}

unsigned frame_take_free(uint32_t count, struct frame_run *runs, unsigned max_runs)
{
    unsigned taken = 0;
    uint32_t missing = count;

    lock_take(&frames.lock);
    while (missing && taken < max_runs && atomic_load(&frames.free_count) >= count) {
        struct frame_run run = take_run(&frames.free, &frames.free_cursor, missing);
        if (!run.count)
            break;
        missing -= run.count;
        runs[taken++] = run;
    }
    if (missing) {
        while (taken)
            put_run(&frames.free, runs[--taken]);
    } else {
        atomic_fetch_sub(&frames.free_count, count);
    }
    lock_drop(&frames.lock);
    return taken;
}

struct frame_run frame_take_holes(uint32_t want)
{
    struct frame_run run;

    lock_take(&frames.lock);
    run = take_run(&frames.holes, &frames.holes_cursor, want);
    lock_drop(&frames.lock);
    return run;
}

void frame_put_free(struct frame_run run)
{
    lock_take(&frames.lock);
    put_run(&frames.free, run);
    atomic_fetch_add(&frames.free_count, run.count);
    lock_drop(&frames.lock);
}

void frame_put_holes(struct frame_run run)
{
    lock_take(&frames.lock);
    put_run(&frames.holes, run);
    lock_drop(&frames.lock);
}

uint64_t frame_free_count(void)
{
    return atomic_load_explicit(&frames.free_count, memory_order_relaxed);
}

void frame_fork_child(void)
{
    lock_reset(&frames.lock);
}
