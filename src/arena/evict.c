/* SPDX-License-Identifier: MIT */
/*
 * How an object leaves.
 *
 * A clean one is dropped: nothing can have changed since it was read.
 *
 * Masking moves the pages of victims into frames, neighbours together in one call. From then on the
 * content cannot change. Writing compares each page of a masked object with what its slot holds: a
 * page of zeros needs no slot, an unchanged one no write. What is left is appended to the stores in
 * runs; when all pages of an object are written, its frames are free.
 *
 * A batch is a set of objects whose writes are in flight. It is made by one thread, ended by the
 * swap thread when its last write is done, and both it and its writes come from fixed pools: who
 * finds none left evicts nothing and waits for completions instead (supply.c).
 */
#include "arena/evict.h"

#include "arena/clean.h"
#include "arena/discard.h"
#include "arena/gate.h"
#include "arena/masked.h"
#include "arena/pack.h"
#include "arena/reclaim.h"
#include "arena/region.h"
#include "arena/supply.h"
#include "base/bits.h"
#include "base/fmt.h"
#include "base/meta.h"
#include "base/msg.h"
#include "base/page.h"
#include "mask/mask.h"
#include "object/budget.h"
#include "object/frame.h"
#include "object/pool.h"
#include "observe/status.h"
#include "observe/trace.h"

#include <errno.h>
#include <string.h>

#define BATCHES 64
#define WRITES  64

/* A small step masks so many pages here and there, or more of them in a row. It drops one where the
 * read that is waited for hides what that costs; where another thread could run meanwhile, or each
 * call interrupts one, many by one call, which takes less for each. */
#define MEANWHILE_RUNS  3
#define MEANWHILE_PAGES 8

/* What the swap thread is asked to write at once. */
#define TASK_PAGES 128

/* The part of the resident pages that is kept masked as a second chance. */
#define MASKED_SHARE 16

/* Dirty pages in a batch at most: the last object may be one of the largest. */
#define DIRTY_MAX (EVICT_STEP_MAX + CHUNK_PAGES)

struct batch {
    _Atomic uint32_t writes_left; /* and one for who fills it */
    _Atomic bool failed;
    bool by_task;          /* it is filled by the task */
    uint32_t pages;        /* of all objects */
    unsigned object_count; /* objects that need a write */
    unsigned dirty_count;
    object_t objects[EVICT_STEP_MAX];
    uint16_t dirty_end[EVICT_STEP_MAX]; /* where the dirty pages of each object end */
    bool complete[EVICT_STEP_MAX];      /* all of them are being written */
    struct dirty {
        object_t page;
        frame_t frame;
    } dirty[DIRTY_MAX];
};
_Static_assert(DIRTY_MAX <= UINT16_MAX, "dirty_end holds an index into dirty");

struct pooled_write {
    struct store_write write; /* first: done() gets it */
    struct batch *batch;
};

static struct {
    struct batch *batches;
    struct pooled_write *writes;
    _Atomic uint64_t free_batches; /* a bit each */
    _Atomic uint64_t free_writes;
    _Atomic uint64_t in_flight; /* pages */
    _Atomic uint32_t clock;
    struct store_task write_task;
    _Atomic bool write_pending; /* the task is on its way or runs */
} evict;

int evict_init(void)
{
    evict.batches = meta_reserve(BATCHES * sizeof(*evict.batches));
    evict.writes = meta_reserve(WRITES * sizeof(*evict.writes));
    if (!evict.batches || !evict.writes)
        return -ENOMEM;
    meta_charge(BATCHES * sizeof(*evict.batches) / 4 + WRITES * sizeof(*evict.writes) / 4);
    atomic_store(&evict.free_batches, UINT64_MAX);
    atomic_store(&evict.free_writes, UINT64_MAX);
    return 0;
}

uint64_t evict_in_flight(void)
{
    return atomic_load_explicit(&evict.in_flight, memory_order_relaxed);
}

uint32_t evict_clock(void)
{
    return atomic_load_explicit(&evict.clock, memory_order_relaxed);
}

static struct batch *take_batch(bool by_task)
{
    int bit = bits_take(&evict.free_batches);
    struct batch *batch = bit < 0 ? NULL : &evict.batches[bit];

    if (batch) {
        atomic_store(&batch->writes_left, 1);
        atomic_store(&batch->failed, false);
        batch->by_task = by_task;
        batch->pages = 0;
        batch->object_count = 0;
        batch->dirty_count = 0;
    }
    return batch;
}

/* ---- Masking ---- */

/* Insertion sort: victims come nearly sorted, and there are few. */
static void sort_objects(object_t *victims, unsigned count)
{
    for (unsigned i = 1; i < count; i++) {
        object_t object = victims[i];
        unsigned at = i;
        for (; at && victims[at - 1] > object; at--)
            victims[at] = victims[at - 1];
        victims[at] = object;
    }
}

static uint64_t flags_of(object_t object)
{
    return object_load(object) & (OBJECT_HOT | OBJECT_AHEAD);
}

/* Mask neighbours that fit in one run of holes; returns how many of the first `count` were. */
static unsigned mask_neighbours(const object_t *victims, unsigned count)
{
    uint32_t step = object_pages(victims[0]);
    struct frame_run holes = frame_take_holes(count * step);
    unsigned fit = holes.count / step;

    if (holes.count > fit * step)
        frame_put_holes((struct frame_run){holes.first + fit * step, holes.count - fit * step});
    if (!fit || masked_move_out(victims[0], fit * step, holes.first))
        return 0;
    for (unsigned i = 0; i < fit; i++)
        pool_add_masked(victims[i], holes.first + i * step);
    trace_mask(victims[0], fit * step);
    return fit;
}

static unsigned neighbours(const object_t *victims, unsigned count)
{
    uint32_t step = object_pages(victims[0]);
    unsigned run = 1;

    while (run < count && victims[run] == victims[run - 1] + step &&
           object_pages(victims[run]) == step)
        run++;
    return run;
}

uint32_t evict_mask(object_t *victims, unsigned count)
{
    uint32_t pages = 0;

    sort_objects(victims, count);
    for (unsigned i = 0; i < count;) {
        unsigned run = neighbours(victims + i, count - i);
        unsigned masked = mask_neighbours(victims + i, run);
        pages += masked * object_pages(victims[i]);
        if (!masked) {
            clean_end(victims[i], object_load(victims[i]));
            pool_add(victims[i], 1, flags_of(victims[i]));
            masked = 1;
        }
        i += masked;
    }
    return pages;
}

/* ---- Leaving memory ---- */

static void publish_evicted(object_t object)
{
    uint32_t clock = atomic_fetch_add(&evict.clock, 1);
    uint64_t word = object_load(object);

    pool_note_left(word);
    stats_count_swapped(object_live_pages(object, object_pages(object)));
    region_count_eviction(object);
    object_publish(object, OBJECT_EVICTED | (word & OBJECT_HOT), clock);
    stats_add(STAT_OBJECTS_EVICTED, 1);
}

/* The object has left: its frames are free. */
static void finish_evicted(object_t object, frame_t frame)
{
    masked_release(object, object_pages(object), frame);
    publish_evicted(object);
    trace_evict(object, object_pages(object));
}

static void finish_discarded(object_t object, frame_t frame)
{
    masked_release(object, object_pages(object), frame);
    discard_slots(object, object_pages(object));
    trace_discard(object, object_pages(object));
    object_publish(object, OBJECT_EMPTY, 0);
}

static void finish_written(object_t object, bool complete)
{
    frame_t frame = object_where_of(object_load(object));
    uint64_t flags = object_end_write(object);

    if (flags & OBJECT_DISCARDED)
        finish_discarded(object, frame);
    else if (!complete || (flags & OBJECT_WAITED))
        pool_add_masked(object, frame);
    else
        finish_evicted(object, frame);
}

/* The last one who is busy with the batch ends it. */
static void batch_put(struct batch *batch)
{
    uint32_t pages = batch->pages;

    if (atomic_fetch_sub(&batch->writes_left, 1) != 1)
        return;
    for (unsigned i = 0; i < batch->object_count; i++)
        finish_written(batch->objects[i], batch->complete[i] && !atomic_load(&batch->failed));
    trace_flush();
    bits_put(&evict.free_batches, (size_t)(batch - evict.batches));
    atomic_fetch_sub(&evict.in_flight, pages);
    supply_notify();
}

/* No slot of a failed run holds anything: the pages that were to be there have no slot any more. */
static void forget_run(const struct batch *batch, slot_t first, unsigned count)
{
    for (unsigned i = 0; i < batch->dirty_count; i++) {
        slot_t *slot = &objects.slots[batch->dirty[i].page];
        if (*slot - first < count)
            *slot = SLOT_NONE;
    }
    store_retire_slots(first, count);
}

/* The first failure is told, and then each time that twice as many have come together. */
static void report_failure(const struct store_write *write, int error)
{
    static _Atomic uint64_t failures;
    uint64_t count = atomic_fetch_add(&failures, 1) + 1;
    char place[128], name[8];

    if (is_power_of_two(count))
        msg_warning("cannot write to %s (%s, failure %lu): the objects stay in memory",
                    store_describe(write->first, place, sizeof(place)), fmt_errno(error, name),
                    (unsigned long)count);
}

static void write_done(struct store_write *write, int error)
{
    struct pooled_write *pooled = (struct pooled_write *)write;
    struct batch *batch = pooled->batch;

    if (error) {
        report_failure(write, error);
        atomic_store(&batch->failed, true);
        forget_run(batch, write->first, write->count);
    }
    bits_put(&evict.free_writes, (size_t)(pooled - evict.writes));
    batch_put(batch);
}

/* ---- Writing ---- */

/* Look at one page of a masked object: give up a slot that does not hold it, and have compressed
 * RAM hold it, or note it as dirty. */
static void classify_page(struct batch *batch, object_t page, frame_t frame)
{
    slot_t *slot = &objects.slots[page];
    const void *content = frame_address(frame);
    bool zero, again = *slot != SLOT_NONE;
    uint64_t checksum;

    if (*slot == SLOT_GONE)
        return;
    zero = page_is_zero(content);
    checksum = zero ? 0 : store_page_checksum(content);
    if (!zero && again && objects.pages[page].checksum == checksum)
        return;
    store_drop_references(slot, 1);
    objects.pages[page].checksum = checksum;
    *slot = zero ? SLOT_NONE : pack_page(page, content, checksum, again);
    if (!zero && *slot == SLOT_NONE)
        batch->dirty[batch->dirty_count++] = (struct dirty){page, frame};
}

/* Evict a clean object at once; put a dirty one into the batch. */
static void classify_object(struct batch *batch, object_t object)
{
    frame_t frame = object_where_of(object_load(object));
    uint32_t pages = object_pages(object);
    unsigned before = batch->dirty_count;

    for (uint32_t i = 0; i < pages; i++)
        classify_page(batch, object + i, frame + i);
    if (batch->dirty_count == before) {
        finish_evicted(object, frame);
        stats_add(STAT_OBJECTS_DROPPED_CLEAN, 1);
        return;
    }
    batch->objects[batch->object_count] = object;
    batch->dirty_end[batch->object_count++] = (uint16_t)batch->dirty_count;
    batch->pages += pages;
}

static void write_append(struct store_write *write, const struct dirty *dirty)
{
    objects.slots[dirty->page] = write->first + write->count++;
    page_append(write->buffers, 0, &write->buffer_count, frame_address(dirty->frame));
}

/* Fill one write with dirty pages from `first` on; NULL when there is no write or no slot left. */
static struct pooled_write *open_write(struct batch *batch, unsigned first)
{
    unsigned want = (unsigned)min_u64(batch->dirty_count - first, STORE_RUN_MAX), got;
    int bit = bits_take(&evict.free_writes);
    struct pooled_write *pooled = bit < 0 ? NULL : &evict.writes[bit];

    if (!pooled)
        return NULL;
    if (store_take_slots(want, &pooled->write.first, &got)) {
        bits_put(&evict.free_writes, (size_t)bit);
        return NULL;
    }
    pooled->batch = batch;
    pooled->write.within = batch->by_task;
    pooled->write.count = 0;
    pooled->write.buffer_count = 0;
    pooled->write.done = write_done;
    for (unsigned i = 0; i < got; i++)
        write_append(&pooled->write, &batch->dirty[first + i]);
    return pooled;
}

/* Give every dirty page a slot in some write; returns how many pages got one. */
static unsigned open_writes(struct batch *batch, struct pooled_write **writes, unsigned *count)
{
    unsigned covered = 0;

    for (*count = 0; covered < batch->dirty_count && *count < WRITES; ++*count) {
        writes[*count] = open_write(batch, covered);
        if (!writes[*count])
            break;
        covered += writes[*count]->write.count;
    }
    return covered;
}

/* From here on the objects belong to the writes. An object of which only some pages are covered
 * stays masked in the end, but has less to write the next time. */
static void begin_writing(struct batch *batch, unsigned covered)
{
    for (unsigned i = 0; i < batch->object_count; i++) {
        object_t object = batch->objects[i];
        batch->complete[i] = batch->dirty_end[i] <= covered;
        uint64_t word = object_load(object);
        object_publish(object, OBJECT_WRITING | (word & (OBJECT_HOT | OBJECT_AHEAD)),
                       object_where_of(word));
    }
}

/* No page of the batch got a slot: what is in it stays masked. Returns its pages. */
static uint32_t keep_masked(struct batch *batch)
{
    for (unsigned i = 0; i < batch->object_count; i++)
        pool_add_masked(batch->objects[i], object_where_of(object_load(batch->objects[i])));
    trace_flush();
    bits_put(&evict.free_batches, (size_t)(batch - evict.batches));
    return batch->pages;
}

/* Start to write masked objects that the caller owns. Returns the pages freed or on their way. */
static uint32_t evict_write(const object_t *victims, unsigned count, bool by_task)
{
    struct pooled_write *writes[WRITES];
    struct batch *batch = take_batch(by_task);
    unsigned write_count = 0, covered = 0;
    uint32_t pages = 0;

    for (unsigned i = 0; i < count; i++) {
        if (batch)
            classify_object(batch, victims[i]);
        else
            pool_add_masked(victims[i], object_where_of(object_load(victims[i])));
        pages += object_pages(victims[i]);
    }
    if (!batch)
        return 0;
    covered = open_writes(batch, writes, &write_count);
    if (covered < batch->dirty_count && !store_free_slots() && !reclaim_slots(2 * EVICT_STEP_MAX))
        store_ask_for_more();
    if (!covered) {
        pages -= keep_masked(batch);
        if (pages) /* some left without a write */
            supply_notify();
        return pages;
    }
    atomic_fetch_add(&evict.in_flight, batch->pages);
    atomic_fetch_add(&batch->writes_left, write_count);
    begin_writing(batch, covered);
    for (unsigned i = 0; i < write_count; i++)
        store_submit(&writes[i]->write);
    batch_put(batch);
    return pages;
}

/* ---- Steps ---- */

/* Clean objects leave without more ado: what they hold is in their slots, and it is protected until
 * their pages are gone. */
static uint32_t drop_clean(const object_t *victims, unsigned count)
{
    struct iovec ranges[MASK_DROPS];
    uint32_t live = 0;
    unsigned i = 0;

    do {
        uint32_t pages = object_pages(victims[i]);
        ranges[i] = (struct iovec){page_address(victims[i]), (size_t)pages * PAGE_SIZE};
        live += object_live_pages(victims[i], pages);
    } while (++i < count);
    mask_drop_ranges(ranges, count);
    budget_give(live);
    for (i = 0; i < count; i++) {
        publish_evicted(victims[i]);
        trace_drop(victims[i], object_pages(victims[i]));
    }
    stats_add(STAT_OBJECTS_DROPPED_CLEAN, count);
    return live;
}

/* Drop those of the victims that may be; the others are left at the front. */
static uint32_t drop_some(object_t *victims, unsigned *count)
{
    object_t clean[MASK_DROPS];
    unsigned kept = 0, found = 0;
    uint32_t pages = 0;

    for (unsigned i = 0; i < *count; i++) {
        if (!pool_may_drop(object_load(victims[i]))) {
            victims[kept++] = victims[i];
            continue;
        }
        clean[found++] = victims[i];
        if (found == MASK_DROPS) {
            pages += drop_clean(clean, found);
            found = 0;
        }
    }
    *count = kept;
    return pages + (found ? drop_clean(clean, found) : 0);
}

/* The next victims. */
static unsigned claim(object_t *victims, uint32_t pages)
{
    struct pool_wish wish = {EVICT_STEP_MAX, pages, EVICT_STEP_MAX, EVICT_STEP_MAX};

    return pool_claim_victims(victims, &wish);
}

static unsigned claim_meanwhile(object_t *victims)
{
    static const struct pool_wish few = {MEANWHILE_PAGES, MEANWHILE_PAGES, MEANWHILE_RUNS, 1};
    static const struct pool_wish many = {EVICT_STEP_MAX, EVICT_STEP_MAX, MEANWHILE_RUNS,
                                          MASK_DROPS};

    bool hidden = gate_alone() && mask_flush_is_cheap();

    return pool_claim_victims(victims, hidden ? &few : &many);
}

/* Victims leave the window: the clean ones for good, the others for frames. */
static uint32_t leave(object_t *victims, unsigned count)
{
    uint32_t dropped = drop_some(victims, &count);

    return dropped + (count ? evict_mask(victims, count) : 0);
}

static uint32_t leave_step(uint32_t pages)
{
    object_t victims[EVICT_STEP_MAX];

    return leave(victims, claim(victims, pages));
}

/* How many pages should stay masked. */
static uint64_t masked_target(void)
{
    return pool_resident_count() / MASKED_SHARE;
}

static uint32_t write_step(uint32_t pages, bool by_task)
{
    object_t victims[EVICT_STEP_MAX];
    unsigned count = pool_claim_masked(victims, EVICT_STEP_MAX, pages);

    return count ? evict_write(victims, count, by_task) : 0;
}

uint32_t evict_step(uint32_t pages)
{
    uint32_t left = 0, freed = 0, balanced = pack_balance();

    if (pool_masked_pages() < masked_target() + pages)
        left = leave_step(pages);
    if (pool_masked_pages() >= masked_target() || !left)
        freed = write_step(pages, false);
    if (!left && !freed && !balanced)
        balanced = pack_shrink();
    return left + freed + balanced;
}

uint32_t evict_sample(uint32_t pages)
{
    object_t victims[EVICT_STEP_MAX];
    unsigned count = claim(victims, pages);

    return count ? evict_mask(victims, count) : 0;
}

uint32_t evict_masked(uint32_t pages)
{
    return write_step(pages, false);
}

/* What it is going to write counts as being written from when it was asked for. */
static void run_write_task(struct store_task *task)
{
    pack_make_room();
    write_step(TASK_PAGES, true);
    atomic_fetch_sub(&evict.in_flight, TASK_PAGES);
    atomic_store(&evict.write_pending, false);
    supply_notify();
}

static bool start_write_task(void)
{
    if (atomic_exchange(&evict.write_pending, true))
        return false;
    atomic_fetch_add(&evict.in_flight, TASK_PAGES);
    evict.write_task.run = run_write_task;
    store_run(&evict.write_task);
    return true;
}

bool evict_meanwhile(void)
{
    object_t victims[EVICT_STEP_MAX];

    if (pool_masked_pages() >= masked_target() + TASK_PAGES)
        return start_write_task();
    return leave(victims, claim_meanwhile(victims)) != 0;
}
