/* SPDX-License-Identifier: MIT */
/*
 * How much of the budget compressed RAM has is a share that follows what it gains. A page of memory
 * given to it holds as many pages as they shrink to, but a fault on one of those costs some
 * microseconds; a page of memory in the window costs nothing. So two kinds of faults are counted,
 * by how many evictions lie between leaving and coming back:
 *
 * - a miss of memory: read from the file, though a little more of compressed RAM would have held
 * it;
 * - a miss of the window: read from compressed RAM, though a little more window would have held it.
 *
 * Of each kind there is a density, faults for each page that would have been more; the share moves
 * to where a page of memory saves more time.
 *
 * A page that leaves for the first time goes there while it grows. When it has all that it should
 * have, only pages that have left before take the place of others: so one that is filled once and
 * never used again, or a scan, pushes nothing out.
 */
#include "arena/pack.h"

#include "arena/evict.h"
#include "arena/region.h"
#include "arena/supply.h"
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
 * window, where a loop that does not fit by far gains nothing until all of it fits. What a fault
 * that reads from the file costs more than one that unpacks, in units of the latter. */
#define PERIOD        2048
#define LITTLE        8
#define LITTLE_WINDOW 2
#define COST          2

/* This part of what memory holds was left "soon", and one of so many others enters. */
#define SOON 4

/* While many pages could be packed more densely, every so many hits the swap thread goes on with
 * that, so many times: about a segment. */
#define CONDENSE_EVERY 16
#define CONDENSE       6

/* Free segments that are kept: what some steps of eviction fill. */
#define FREE_LOW 8

/* A region in which so many more pages did not shrink than did is tried at every so many pages. */
#define SCORE_BAD 16
#define SCORE_MAX 32
#define TRY_EVERY 16

static struct {
    bool asked;                    /* for whatever budget */
    _Atomic uint32_t jobs_charged; /* pages */
    _Atomic uint32_t share;
    _Atomic bool wanted; /* free segments become few, and a page should be there */
    struct store_task task;
    _Atomic bool pending;                                  /* the task is on its way or runs */
    _Atomic uint32_t faults, memory_misses, window_misses; /* of this period */
    _Atomic uint32_t tries, lots, hits;
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

static void run_task(struct store_task *task)
{
    (void)task;
    pack_make_room();
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
    uint64_t resident = pool_resident_count(), content = packed_pages();
    uint64_t memory = (uint64_t)packed_segments() * PACKED_SEGMENT_PAGES;
    uint64_t more = content > memory ? content - memory : 0;
    uint64_t gain = COST * more * resident * atomic_exchange(&pack.memory_misses, 0);
    uint64_t loss = memory * (resident + content) * atomic_exchange(&pack.window_misses, 0) *
                    LITTLE_WINDOW / LITTLE;

    if (gain > loss + loss / 8)
        move_share(1);
    else if (loss > gain + gain / 8)
        move_share(-1);
}

static void count_fault(void)
{
    if (atomic_fetch_add(&pack.faults, 1) % PERIOD == PERIOD - 1)
        look_at_share();
}

void pack_note_hit(uint32_t distance)
{
    if (distance < pool_resident_count() / LITTLE_WINDOW)
        atomic_fetch_add(&pack.window_misses, 1);
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

static void keep_score(struct region *region, bool packed)
{
    int score = atomic_load_explicit(&region->pack_score, memory_order_relaxed);

    score += packed ? -1 : 1;
    if (score >= 0 && score <= SCORE_MAX)
        atomic_store_explicit(&region->pack_score, score, memory_order_relaxed);
}

static bool may_enter(bool again)
{
    if (!again && packed_segments() >= target_segments())
        return false;
    if (packed_free_segments() < FREE_LOW / 2)
        atomic_store_explicit(&pack.wanted, true, memory_order_relaxed);
    return packed_has_room();
}

slot_t pack_page(object_t page, const void *content, uint64_t checksum, bool again)
{
    struct region *region = packed_is_on() ? region_of(page) : NULL;
    slot_t slot = SLOT_NONE;
    bool packed;

    if (!region || !worth_trying(region) || !may_enter(again))
        return SLOT_NONE;
    packed = store_pack(content, checksum, again, &slot);
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

void pack_note_miss(object_t page, const void *content, uint32_t distance)
{
    uint64_t reach = pool_resident_count() + packed_pages();
    struct region *region = region_of(page);

    if (distance >= reach + reach / LITTLE || !packed_is_on() || !region)
        return;
    atomic_fetch_add(&pack.memory_misses, 1);
    count_fault();
    if (!is_better(distance, reach) || !worth_trying(region))
        return;
    if (may_enter(true))
        keep_score(region,
                   store_keep_packed(objects.slots[page], content, objects.pages[page].checksum));
    if (atomic_load_explicit(&pack.wanted, memory_order_relaxed))
        start_task();
}
