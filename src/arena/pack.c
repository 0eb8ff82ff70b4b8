/* SPDX-License-Identifier: MIT */
/*
 * How much of the budget compressed RAM has is a share that follows what it gains. A page of memory
 * given to it holds as many pages as they shrink to, but a fault on one of those costs some
 * microseconds; a page of memory in the window costs nothing. So two kinds of faults are counted,
 * by how many evictions lie between leaving and coming back:
 *
 * - a miss of memory: read from the file, though a little more of compressed RAM would have held
 * it;
 * - a miss of the window: read from wherever, though a little more window would have held it.
 *
 * Of each kind there is a density, faults for each page that would have been more; the share moves
 * to where a page of memory saves more time.
 *
 * A page that leaves for the first time goes there while it grows, if it is packed in less time
 * than it is written in; all that are missed do, too. When it has all that it should have, only
 * pages that have left before take the place of others: so one that is filled once and never used
 * again, or a scan, pushes nothing out.
 *
 * What is missed is packed later (defer.c): by the swap thread while a processor is left for it,
 * else by a thread that waits for its own read.
 */
#include "arena/pack.h"

#include "arena/defer.h"
#include "arena/evict.h"
#include "arena/gate.h"
#include "arena/region.h"
#include "arena/supply.h"
#include "base/clock.h"
#include "base/mean.h"
#include "base/thread.h"
#include "object/budget.h"
#include "object/pool.h"
#include "store/packed.h"

#include <stdatomic.h>

/* Less than this is not divided, unless it was asked for. */
#define AUTO_MINIMUM (32 * MIB)

/* The share of what this process holds, in parts of 64: at first, at least, at most. */
#define SHARE_PARTS 64
#define SHARE_START 32
#define SHARE_MIN   4
#define SHARE_MAX   48

/* Faults between two looks at the share. What "a little more" is: this part of memory, or of the
 * window, where a loop that does not fit by far gains nothing until all of it fits. */
#define PERIOD        2048
#define LITTLE        8
#define LITTLE_WINDOW 2

/* Means of times follow the last so many. What took longer than this was interrupted, or waited for
 * a device that others use, too: then it says no more than that it took long. */
#define TIME_WEIGHT   64
#define PACK_NS_MOST  50000
#define FAULT_NS_MOST 10000000

/* This part of what memory holds was left "soon", and one of so many others enters. */
#define SOON 4

/* While many pages could be packed more densely, every so many hits the swap thread goes on with
 * that, so many times: about a segment. */
#define CONDENSE_EVERY 16
#define CONDENSE       6

/* The swap thread packs so many at a time. */
#define TASK_PAGES 8

/* One of so many reads packs a page while more threads are at faults than there are processors. */
#define BUSY_EVERY 8

/* Reads that take so many times as long as unpacking are worth avoiding. */
#define READ_WORTH 2

/* Free segments that are kept: what some steps of eviction fill. */
#define FREE_LOW 8

/* A region in which so many more pages did not shrink than did is tried at every so many pages. */
#define SCORE_BAD 16
#define SCORE_MAX 32
#define TRY_EVERY 16

/* Of pages that leave first and are written faster than packed, so many in a row are packed all the
 * same, to know what it takes. */
#define FIRST_RUN   16
#define FIRST_EVERY 1024

static struct {
    bool asked;                    /* for whatever budget */
    _Atomic uint32_t jobs_charged; /* pages */
    _Atomic uint32_t share;
    _Atomic bool wanted; /* free segments become few, and a page should be there */
    struct store_task task;
    _Atomic bool pending;                   /* the task is on its way or runs */
    _Atomic uint32_t faults, memory_misses; /* of this period */
    _Atomic uint64_t window_ns;             /* of it: what misses of the window took */
    _Atomic uint32_t tries, first_tries, turns, lots, hits;
    unsigned processors;
    _Atomic uint32_t pack_ns;         /* what packing a page that leaves first takes, lately */
    _Atomic uint32_t hit_ns, read_ns; /* what faults take that find their page here, or in a file */
} pack;

static enum codec codec_of(int compress)
{
    switch (compress) {
    case USWAP_COMPRESS_OFF:
        return CODEC_NONE;
    case USWAP_COMPRESS_ZSTD:
        return CODEC_ZSTD;
    case USWAP_COMPRESS_LZ4:
        return CODEC_LZ4;
    default:
        return CODEC_BOTH;
    }
}

int pack_start(int compress, uint64_t max_pages)
{
    pack.asked = compress == USWAP_COMPRESS_LZ4 || compress == USWAP_COMPRESS_ZSTD;
    atomic_store(&pack.share, SHARE_START);
    packed_on_progress(supply_notify);
    pack.processors = thread_processors();
    return store_open_packed(codec_of(compress), max_pages * PAGE_SIZE);
}

/* ---- How large ---- */

static uint32_t target_segments(void)
{
    uint64_t held = budget_held();

    if (held < AUTO_MINIMUM && !pack.asked)
        return 0;
    return (uint32_t)(held / SHARE_PARTS * atomic_load_explicit(&pack.share, memory_order_relaxed) /
                      PACKED_SEGMENT_BYTES);
}

/* Memory comes from free frames when the budget has no room; what is missing then is evicted. */
static bool take_room(uint32_t pages)
{
    if (supply_take_room(pages))
        return true;
    supply_release(pages);
    return supply_take_room(pages);
}

/* What cleaning works with is charged before there is anything to clean, in parts: memory is short
 * when compressed RAM begins. */
static bool charge_jobs(void)
{
    while (atomic_load(&pack.jobs_charged) < PACKED_JOBS_PAGES) {
        if (!take_room(PACKED_SEGMENT_PAGES))
            return false;
        if (atomic_fetch_add(&pack.jobs_charged, PACKED_SEGMENT_PAGES) >= PACKED_JOBS_PAGES)
            budget_give(PACKED_SEGMENT_PAGES);
    }
    return true;
}

static bool grow(void)
{
    if (!charge_jobs() || !take_room(PACKED_SEGMENT_PAGES))
        return false;
    if (packed_add_segment() == 0)
        return true;
    budget_give(PACKED_SEGMENT_PAGES);
    return false;
}

uint32_t pack_shrink(void)
{
    if (!packed_is_on())
        return 0;
    if (!packed_free_segments() && packed_clean(false) && !packed_free_segments())
        return 1;
    if (!packed_remove_segment())
        return 0;
    budget_give(PACKED_SEGMENT_PAGES);
    return PACKED_SEGMENT_PAGES;
}

void pack_make_room(void)
{
    uint32_t segments = packed_segments(), target;

    if (!atomic_exchange(&pack.wanted, false))
        return;
    target = target_segments();
    for (; segments < target && packed_free_segments() < FREE_LOW && grow(); segments++)
        ;
    while (packed_free_segments() < FREE_LOW && segments >= target && packed_clean(true))
        ;
}

/* ---- Pages that wait ---- */

static void keep_score(struct region *region, bool packed)
{
    int score = atomic_load_explicit(&region->pack_score, memory_order_relaxed);

    score += packed ? -1 : 1;
    if (score >= 0 && score <= SCORE_MAX)
        atomic_store_explicit(&region->pack_score, score, memory_order_relaxed);
}

static bool keep(const struct deferred *deferred)
{
    struct packed_page packed;
    uint64_t word;

    if (!codec_pack(deferred->content, true, &packed))
        return false;
    if (defer_claim(deferred, &word)) {
        if (!packed_has(deferred->slot))
            store_keep_packed(deferred->slot, &packed, deferred->checksum);
        defer_publish(deferred, word);
    }
    codec_release(&packed);
    return true;
}

/* Pack one page that waits for that. */
static bool pack_one(void)
{
    struct deferred *deferred = defer_take();
    struct region *region = deferred ? region_of(deferred->page) : NULL;

    if (region)
        keep_score(region, keep(deferred));
    if (deferred)
        defer_done(deferred);
    return deferred != NULL;
}

static void run_task(struct store_task *task)
{
    (void)task;
    pack_make_room();
    for (unsigned i = 0; i < TASK_PAGES && pack_one(); i++)
        ;
    for (unsigned i = 0; i < CONDENSE && packed_is_loose() && packed_condense(); i++)
        ;
    atomic_store(&pack.pending, false);
    supply_notify();
}

static void start_task(void)
{
    if (atomic_exchange(&pack.pending, true))
        return;
    pack.task.run = run_task;
    store_run(&pack.task);
}

uint32_t pack_balance(void)
{
    if (!packed_is_on())
        return 0;
    if (packed_segments() > target_segments())
        return pack_shrink();
    if (atomic_load_explicit(&pack.wanted, memory_order_relaxed))
        start_task();
    return 0;
}

/* ---- The share ---- */

static void move_share(int step)
{
    int share = (int)atomic_load(&pack.share) + step;

    if (share >= SHARE_MIN && share <= SHARE_MAX)
        atomic_store(&pack.share, (uint32_t)share);
}

/* One of eight more must speak for a change. */
static void look_at_share(void)
{
    double resident = (double)pool_resident_count(), content = (double)packed_pages();
    double memory = (double)packed_segments() * PACKED_SEGMENT_PAGES;
    double hit = mean_value(&pack.hit_ns), read = mean_value(&pack.read_ns);
    double saved = read > hit ? read - hit : 0, more = content > memory ? content - memory : 0;
    double gain = saved * more * resident * atomic_exchange(&pack.memory_misses, 0);
    double loss = memory * (resident + content) * (double)atomic_exchange(&pack.window_ns, 0) *
                  LITTLE_WINDOW / LITTLE;

    if (gain > loss * 9 / 8)
        move_share(1);
    else if (loss > gain * 9 / 8)
        move_share(-1);
}

void pack_note_time(bool packed, uint64_t ns)
{
    mean_follow(packed ? &pack.hit_ns : &pack.read_ns, min_u64(ns, FAULT_NS_MOST), TIME_WEIGHT);
}

static void count_fault(void)
{
    if (atomic_fetch_add(&pack.faults, 1) % PERIOD == PERIOD - 1)
        look_at_share();
}

static bool is_near(uint32_t distance)
{
    return distance < pool_resident_count() / LITTLE_WINDOW;
}

void pack_note_run(bool packed, const uint32_t *left, unsigned count)
{
    uint64_t ns = mean_value(packed ? &pack.hit_ns : &pack.read_ns);
    unsigned near = 0;

    if (!packed_is_on())
        return;
    for (unsigned i = 0; i < count; i++)
        near += is_near(evict_clock() - left[i]);
    atomic_fetch_add(&pack.window_ns, ns * near / count);
    count_fault();
}

void pack_note_hit(uint32_t distance)
{
    if (is_near(distance))
        atomic_fetch_add(&pack.window_ns, mean_value(&pack.hit_ns));
    if (packed_is_loose() && atomic_fetch_add(&pack.hits, 1) % CONDENSE_EVERY == 0)
        start_task();
    count_fault();
}

/* ---- Which pages ---- */

/* Whether pages of this region shrink; when most do not, one is tried now and then. */
static bool worth_trying(const struct region *region)
{
    return atomic_load_explicit(&region->pack_score, memory_order_relaxed) < SCORE_BAD ||
           atomic_fetch_add(&pack.tries, 1) % TRY_EVERY == 0;
}

/* Whether pages that leave for the first time are packed in less time than they are written in. */
static bool first_pays(void)
{
    uint32_t packing = mean_value(&pack.pack_ns);

    return pack.asked || packing < store_write_ns() ||
           atomic_fetch_add(&pack.first_tries, 1) % FIRST_EVERY < FIRST_RUN;
}

static bool is_growing(void)
{
    return packed_segments() < target_segments();
}

/* What is missed is packed only where that will save as much time again as it takes to unpack. */
static bool misses_pay(void)
{
    uint64_t hit = mean_value(&pack.hit_ns);

    return pack.asked || mean_value(&pack.read_ns) >= READ_WORTH * hit;
}

static bool may_enter(bool again)
{
    if (!again && (!is_growing() || !first_pays()))
        return false;
    if (packed_free_segments() < FREE_LOW / 2)
        atomic_store_explicit(&pack.wanted, true, memory_order_relaxed);
    return packed_has_room();
}

slot_t pack_page(object_t page, const void *content, uint64_t checksum, bool again)
{
    struct region *region = packed_is_on() ? region_of(page) : NULL;
    slot_t slot = SLOT_NONE;
    uint64_t start;
    bool packed;

    if (!region || !worth_trying(region) || !may_enter(again))
        return SLOT_NONE;
    start = clock_now_ns();
    packed = store_pack(content, checksum, again, &slot);
    if (!again)
        mean_follow(&pack.pack_ns, min_u64(clock_now_ns() - start, PACK_NS_MOST), TIME_WEIGHT);
    keep_score(region, packed);
    return packed ? slot : SLOT_NONE;
}

/* Whether a page that was missed so soon should take the place of another: surely when a small part
 * of the reach would have held it, else only some of them, for what leaves may be as good. */
static bool is_better(uint32_t distance, uint64_t reach)
{
    if (distance < reach / SOON)
        return true;
    return distance < reach && atomic_fetch_add(&pack.lots, 1) % SOON == 0;
}

/* While there is more to come all pages enter; then those that a little more would have held. */
static bool should_enter(uint32_t distance, uint64_t reach)
{
    if (!misses_pay())
        return false;
    if (is_growing())
        return true;
    return distance < reach + reach / LITTLE && is_better(distance, reach);
}

/* Whether a processor is left for the swap thread. */
static bool has_help(void)
{
    return gate_count() < pack.processors;
}

void pack_note_miss(object_t page, const void *content, uint32_t distance)
{
    uint64_t reach = pool_resident_count() + packed_pages();
    struct region *region = region_of(page);

    if (!packed_is_on() || !region)
        return;
    if (is_near(distance))
        atomic_fetch_add(&pack.window_ns, mean_value(&pack.read_ns));
    if (distance < reach + reach / LITTLE) {
        atomic_fetch_add(&pack.memory_misses, 1);
        count_fault();
    }
    if (!should_enter(distance, reach) || !worth_trying(region))
        return;
    if (may_enter(true))
        defer_put(page, content);
    if (atomic_load_explicit(&pack.wanted, memory_order_relaxed) ||
        (defer_ready() >= TASK_PAGES && has_help()))
        start_task();
}

/* While more threads are at faults than there are processors, to pack takes time from those that
 * could run. */
static bool may_pack_now(void)
{
    return gate_count() <= pack.processors || atomic_fetch_add(&pack.turns, 1) % BUSY_EVERY == 0;
}

void pack_meanwhile(void)
{
    if (!has_help() && may_pack_now())
        pack_one();
}
