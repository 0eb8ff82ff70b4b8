/* SPDX-License-Identifier: MIT */
#include "arena/work.h"

#include "arena/region.h"
#include "base/bits.h"
#include "base/meta.h"
#include "mask/mask.h"
#include "object/budget.h"
#include "object/pool.h"
#include "observe/status.h"
#include "observe/trace.h"

#include <errno.h>

#define WORKS 64

_Static_assert(SUPPLY_RUNS_MAX >= CHUNK_PAGES, "the largest object may come in single frames");

static struct {
    struct work *works;
    struct bits_pool pool;
} all;

int work_init(void)
{
    all.works = meta_reserve(WORKS * sizeof(*all.works));
    if (!all.works)
        return -ENOMEM;
    meta_charge(2 * sizeof(*all.works));
    atomic_store(&all.pool.free, UINT64_MAX);
    return 0;
}

struct work *work_take(object_t touched, object_t base)
{
    struct work *work = &all.works[bits_await(&all.pool)];

    work->touched = touched;
    work->base = base;
    work->step = object_pages(touched);
    work->span_count = 0;
    work->count = 0;
    work->run_count = 0;
    work->protect = false;
    work->source = TRACE_FAULT_FRESH;
    return work;
}

void work_put(struct work *work)
{
    bits_return(&all.pool, (size_t)(work - all.works));
}

/* ---- The objects ---- */

object_t work_end(const struct work *work)
{
    return work->span_count ? work->spans[work->span_count - 1].end : work->base;
}

bool work_has_room(const struct work *work, object_t object)
{
    unsigned kept = object < work->touched; /* a span for the touched one */
    bool follows = work->span_count && work_end(work) == object;

    return work->count + kept < STREAM_AHEAD_MAX &&
           (follows || work->span_count + kept < WORK_SPANS_MAX);
}

void work_add(struct work *work, object_t object, uint64_t word)
{
    work->wheres[work->count++] = object_where_of(word);
    if (!work->span_count || work_end(work) != object)
        work->spans[work->span_count++].first = object;
    work->spans[work->span_count - 1].end = object + work->step;
}

bool work_claim(object_t object, enum object_state state, uint64_t *word)
{
    *word = object_load(object);
    if (object_state_of(*word) != state || !object_claim(object, *word))
        return false;
    if (object_any_live(object, object + object_pages(object)))
        return true;
    object_publish(object, state, object_where_of(*word));
    return false;
}

bool work_alone(const struct work *work)
{
    return work->span_count == 1 && work->spans[0].end - work->spans[0].first == work->step;
}

/* Give all objects back as they were but those from first to end. */
static void keep(struct work *work, enum object_state state, object_t first, object_t end)
{
    unsigned kept = 0, at = 0;

    work->count = 0;
    for (unsigned i = 0; i < work->span_count; i++) {
        struct span span = work->spans[i];
        for (object_t object = span.first; object < span.end; object += work->step) {
            uint32_t where = work->wheres[at++];
            if (object >= first && object < end)
                work->wheres[work->count++] = where;
            else
                object_publish(object, state, state == OBJECT_EVICTED ? where : 0);
        }
        span.first = (object_t)max_u64(span.first, first);
        span.end = (object_t)min_u64(span.end, end);
        if (span.first < span.end)
            work->spans[kept++] = span;
    }
    work->span_count = kept;
}

void work_give_back(struct work *work, enum object_state state)
{
    keep(work, state, work->touched, work->touched + work->step);
}

static uint32_t half(const struct work *work, uint32_t pages)
{
    return (uint32_t)max_u64(pages / work->step / 2, 1) * work->step;
}

/* Give the half that is farther away back: above the touched object, if there is any, else below.
 */
static void halve(struct work *work, enum object_state state)
{
    object_t touched = work->touched, above = touched + work->step, end = work_end(work);

    if (end > above)
        keep(work, state, touched, touched + half(work, end - touched));
    else
        keep(work, state, above - half(work, above - work->spans[0].first), above);
}

/* ---- Their pages ---- */

struct cursor cursor_begin(const struct work *work)
{
    return (struct cursor){work, 0, work->spans[0].first};
}

uint32_t cursor_next(struct cursor *cursor, object_t *first)
{
    const struct span *spans = cursor->work->spans;
    uint32_t count = 0;

    while (cursor->span < cursor->work->span_count) {
        count = object_live_run(&cursor->at, spans[cursor->span].end);
        if (count)
            break;
        cursor->at = spans[++cursor->span % WORK_SPANS_MAX].first;
    }
    *first = cursor->at;
    cursor->at += count;
    return count;
}

uint32_t work_live_pages(const struct work *work)
{
    struct cursor cursor = cursor_begin(work);
    uint32_t count, live = 0;
    object_t first;

    while ((count = cursor_next(&cursor, &first)))
        live += count;
    return live;
}

void work_put_frames(struct work *work)
{
    for (unsigned i = 0; i < work->run_count; i++)
        frame_put_free(work->runs[i]);
    work->run_count = 0;
}

void work_add_frame(struct work *work, frame_t frame)
{
    struct frame_run *last = work->run_count ? &work->runs[work->run_count - 1] : NULL;

    if (last && last->first + last->count == frame)
        last->count++;
    else
        work->runs[work->run_count++] = (struct frame_run){frame, 1};
}

void work_take_frames(struct work *work, enum object_state state)
{
    while (!work_alone(work)) {
        work->run_count = supply_try(work_live_pages(work), work->runs, SUPPLY_RUNS_MAX);
        if (work->run_count)
            return;
        halve(work, state);
    }
    work->run_count = supply_take(work_live_pages(work), work->runs, SUPPLY_RUNS_MAX);
}

struct walk walk_begin(const struct work *work)
{
    return (struct walk){.cursor = cursor_begin(work)};
}

uint32_t walk_next(struct walk *walk, object_t *page, frame_t *frame)
{
    const struct frame_run *run = &walk->cursor.work->runs[walk->run];
    uint32_t count;

    if (!walk->live)
        walk->live = cursor_next(&walk->cursor, &walk->page);
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

/* ---- Into the window ---- */

void work_drop_window(struct work *work, uint32_t live)
{
    for (unsigned i = 0; i < work->span_count; i++) {
        const struct span *span = &work->spans[i];
        mask_drop(page_address(span->first), (size_t)(span->end - span->first) * PAGE_SIZE);
    }
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
    work_put_frames(work);
    return error;
}

/* A copy needs no flush of the TLB of other CPUs, which costs more than to copy some pages: it is
 * taken where there is room for both. */
int work_place(struct work *work)
{
    uint32_t placed = work_live_pages(work);
    int error;

    if (supply_take_room(placed)) {
        error = place_by_copy(work);
    } else {
        work->protect = false;
        error = place_by_move(work, &placed);
    }
    if (error)
        work_drop_window(work, placed);
    return error;
}

static void publish_ahead(const struct work *work, object_t first, object_t end, uint64_t flags)
{
    uint32_t count = (end - first) / work->step;
    bool fresh = work->source == TRACE_FAULT_FRESH;

    if (!count)
        return;
    pool_add(first, count, fresh ? 0 : OBJECT_AHEAD | flags);
    if (!fresh)
        stats_add(STAT_OBJECTS_READ_AHEAD, count);
    trace_ahead(first, end - first, work->source);
}

void work_publish(struct work *work, uint64_t flags)
{
    uint64_t clean = flags & OBJECT_CLEAN_MASK;

    for (unsigned i = 0; i < work->span_count; i++) {
        const struct span *span = &work->spans[i];
        object_t split = work->touched;
        if (split < span->first || split >= span->end) {
            publish_ahead(work, span->first, span->end, clean);
            continue;
        }
        publish_ahead(work, span->first, split, clean);
        pool_add(split, 1, flags);
        publish_ahead(work, split + work->step, span->end, clean);
    }
}
