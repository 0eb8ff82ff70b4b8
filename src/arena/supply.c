/* SPDX-License-Identifier: MIT */
/*
 * Who needs memory evicts: there is no separate evicting thread to wait for. Writes are handed to
 * the swap thread, so an eviction costs the faulting thread the masking and the checksums only, and
 * it does that after its own fault is resolved. Waits are on `events`, which every completed write
 * and every page given back advances.
 */
#include "arena/supply.h"

#include "arena/evict.h"
#include "arena/lend.h"
#include "arena/prefetch.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/meta.h"
#include "base/msg.h"
#include "mask/mask.h"
#include "object/budget.h"
#include "object/pool.h"
#include "store/packed.h"

#include <errno.h>

/* A waiter looks again after this time, whatever happens. */
#define WAIT_BOUND_NS 10000000

/* For so long no progress, and nothing being written: memory cannot be freed. The time, not the
 * number of looks: a store that is just made larger by a swap thread without a CPU takes long. */
#define FRUITLESS_NS UINT64_C(2000000000)

/* The part of a pool that one asks another member for. */
#define ASK_PART 64

/* Of a member of a pool, this much of what it uses stays, also when the others hold all the rest
 * and are stopped: with less it would evict what a thread has just been given, before it is used.
 */
#define KEPT_PAGES 64

/* Frames given back to the system at a time. */
#define RELEASE_RUNS MASK_DROPS

/* How long a thread may evict while the device reads for it: less than half of what the fastest
 * devices take. */
#define MEANWHILE_NS      8000
#define MEANWHILE_PAGE_NS 500

static struct {
    _Atomic uint32_t events;
    _Atomic uint32_t waiters;
    _Atomic uint32_t low;    /* pages: below this, evict */
    _Atomic uint32_t step;   /* pages: evict so many at a time */
    _Atomic uint32_t tables; /* pages: what the tables are for, in a pool */
    _Atomic uint32_t held;   /* and what low and step are for */
    _Atomic uint32_t ahead;  /* pages that the last fault wanted to read ahead */
    _Atomic bool exceeding;  /* nothing could be evicted when it was tried last */
} supply;

/* What is dropped at a time fits into steps, and steps into the reserve: else a thread that goes
 * through memory in order finds now and then some pages less than it would read ahead. */
void supply_set_budget(uint64_t pages)
{
    uint64_t step = max_u64(pages / 64, 16);

    if (step >= 2 * MASK_DROPS)
        step = align_up(step, MASK_DROPS);
    atomic_store(&supply.step, (uint32_t)min_u64(step, EVICT_STEP_MAX));
    atomic_store(&supply.low, (uint32_t)min_u64(max_u64(2 * step, 64), 4096));
    budget_set_reserve(supply_ahead_limit());
}

/* The reserve, the tables that grow with the budget, and what is kept for metadata. */
uint64_t supply_budget_for(uint64_t bytes)
{
    return max_u64(align_up(bytes + bytes / 16 + MIB, MIB), BUDGET_MINIMUM);
}

uint32_t supply_ahead_limit(void)
{
    return atomic_load_explicit(&supply.low, memory_order_relaxed) / 2;
}

uint64_t supply_free_pages(void)
{
    int64_t room = budget_headroom();

    return frame_free_count() + (room > 0 ? (uint64_t)room : 0);
}

static __thread uint64_t spent_ns;

uint64_t supply_take_spent(void)
{
    uint64_t spent = spent_ns;

    spent_ns = 0;
    return spent;
}

/* Whether what is here is so little that it stays. */
static bool has_little(void)
{
    uint64_t resident, used;

    if (!budget_is_shared())
        return false;
    resident = budget_resident();
    used = resident - min_u64(meta_charged(), resident);
    return used >> PAGE_SHIFT <= frame_free_count() + KEPT_PAGES;
}

static uint32_t evict(uint32_t pages)
{
    uint64_t start = clock_now_ns();
    uint32_t result = has_little() ? 0 : evict_step(pages);

    budget_note_demand();
    spent_ns += clock_now_ns() - start;
    return result;
}

void supply_notify(void)
{
    atomic_fetch_add(&supply.events, 1);
    if (atomic_load(&supply.waiters))
        futex_wake_all(&supply.events);
}

uint32_t supply_events(void)
{
    return atomic_load(&supply.events);
}

void supply_wait(uint32_t seen, uint64_t bound_ns)
{
    uint64_t start = clock_now_ns();

    atomic_fetch_add(&supply.waiters, 1);
    futex_wait(&supply.events, seen, bound_ns);
    atomic_fetch_sub(&supply.waiters, 1);
    spent_ns += clock_now_ns() - start;
}

static void wait_for_event(uint32_t seen)
{
    supply_wait(seen, WAIT_BOUND_NS);
}

/* Turn a charged page and a hole into a free frame, count times. */
static int populate(uint32_t count)
{
    while (count) {
        struct frame_run run = frame_take_holes(count);
        int error = run.count
                        ? mask_fill_zero(frame_address(run.first), (size_t)run.count * PAGE_SIZE)
                        : -ENOSPC;
        if (error) {
            if (run.count)
                mask_drop(frame_address(run.first), (size_t)run.count * PAGE_SIZE);
            frame_put_holes(run);
            budget_give(count);
            return error;
        }
        frame_put_free(run);
        count -= run.count;
    }
    return 0;
}

/* Use room in the budget to make free frames, as many as are missing. */
static bool use_room(uint32_t count)
{
    int64_t room = budget_headroom();
    uint64_t free = frame_free_count();
    uint32_t missing = free < count ? (uint32_t)(count - free) : 1;

    if (room <= 0 && has_little())
        budget_settle(); /* what there is, until it is enough */
    if (room <= 0 || lend_must_leave_room())
        return false;
    missing = (uint32_t)min_u64(missing, (uint64_t)room);
    return budget_take(missing) && populate(missing) == 0;
}

/* The tables of a member of a pool alone may be more than its share. */
static void say_why(void)
{
    if (has_little())
        msg_warning("no other member of the pool gives memory up (they are stopped, perhaps): the "
                    "RAM budget is exceeded by the least that this process needs");
    else
        msg_warning("nothing can be evicted (the stores fail or too much is pinned): the RAM "
                    "budget is exceeded rather than data lost");
}

/* Nothing can leave memory: go beyond the budget, and say so once. */
static void exceed(uint32_t count)
{
    if (!atomic_exchange(&supply.exceeding, true))
        say_why();
    budget_take_beyond(count);
    if (populate(count))
        msg_error("no memory: the system has none left and no store takes objects");
}

/* Whether the writes that are on their way free enough: a slow disk is no reason to evict more. */
static bool enough_in_flight(uint32_t count)
{
    return evict_in_flight() >= (uint64_t)count + atomic_load(&supply.low);
}

/* Whether something is being written that frees memory when that is done. */
static bool is_under_way(void)
{
    return evict_in_flight() || packed_pages_in_flight();
}

/* Whether nothing can leave; *since is 0 after progress. */
static bool is_fruitless(uint64_t *since, uint64_t patience_ns)
{
    uint64_t now = clock_now_ns();

    if (is_under_way() || !*since)
        *since = now;
    return !is_under_way() && now - *since >= patience_ns;
}

/* Once it has been found that nothing can leave, one look is enough. */
static uint64_t patience(void)
{
    return atomic_load_explicit(&supply.exceeding, memory_order_relaxed) ? 0 : FRUITLESS_NS;
}

/* Of another member of the pool: worth the way there and back, and a small part of the pool. */
static uint32_t to_ask(uint32_t count)
{
    uint64_t part = (budget_limit() >> PAGE_SHIFT) / ASK_PART;

    return (uint32_t)max_u64(count, min_u64(part, EVICT_STEP_MAX));
}

unsigned supply_take(uint32_t count, struct frame_run *runs, unsigned max_runs)
{
    unsigned waits = 0;
    uint64_t since = 0;

    for (;;) {
        uint32_t seen = atomic_load(&supply.events);
        unsigned taken = frame_take_free(count, runs, max_runs);
        if (taken)
            return taken;
        if (use_room(count) || lend_wait(to_ask(count), &waits))
            continue;
        if (!enough_in_flight(count) && evict(atomic_load(&supply.step))) {
            since = 0;
            continue;
        }
        if (!is_under_way() && prefetch_drop_all())
            continue;
        if (is_fruitless(&since, patience()))
            exceed(count);
        else
            wait_for_event(seen);
        waits = 0; /* who has nothing to evict asks the others again */
    }
}

unsigned supply_try(uint32_t count, struct frame_run *runs, unsigned max_runs)
{
    if (count > atomic_load_explicit(&supply.ahead, memory_order_relaxed))
        atomic_store_explicit(&supply.ahead, count, memory_order_relaxed);
    if (supply_free_pages() < count + atomic_load(&supply.low) / 4)
        return 0;
    if (frame_free_count() < count && !use_room(count))
        return 0;
    return frame_take_free(count, runs, max_runs);
}

bool supply_take_room(uint32_t count)
{
    return budget_headroom() >= (int64_t)count && !lend_must_leave_room() && budget_take(count);
}

/* Give these frames back to the system. Returns how many pages that is. */
static uint64_t release_runs(const struct frame_run *runs, unsigned count)
{
    struct iovec ranges[RELEASE_RUNS];
    uint64_t pages = 0;

    for (unsigned i = 0; i < count; i++) {
        ranges[i] = (struct iovec){frame_address(runs[i].first), (size_t)runs[i].count * PAGE_SIZE};
        pages += runs[i].count;
    }
    mask_drop_ranges(ranges, count);
    for (unsigned i = 0; i < count; i++)
        frame_put_holes(runs[i]);
    budget_give(pages);
    return pages;
}

uint64_t supply_release(uint64_t count)
{
    struct frame_run runs[RELEASE_RUNS];
    uint64_t released = 0;

    while (released < count) {
        uint32_t want = (uint32_t)min_u64(count - released, RELEASE_RUNS);
        unsigned taken = frame_take_free(want, runs, RELEASE_RUNS);
        if (!taken)
            taken = frame_take_free(1, runs, 1);
        if (!taken && prefetch_drop_all())
            continue;
        if (!taken)
            break;
        released += release_runs(runs, taken);
    }
    return released;
}

bool supply_lend(uint32_t count, uint32_t (*step)(uint32_t pages))
{
    uint64_t released = supply_release(count);
    bool left;

    budget_return();
    if (released >= count)
        return true;
    if (evict_in_flight() >= count - released)
        return released != 0;
    left = step((uint32_t)min_u64(count - released, EVICT_STEP_MAX)) != 0;
    budget_return(); /* what was dropped is room already */
    return left || released;
}

/* Metadata has grown, or the budget shrunk: free frames pay for it first. */
static void pay_debt(void)
{
    int64_t room = budget_headroom();

    if (unlikely(room < 0))
        supply_release((uint64_t)-room);
}

/* Fills copy where there is room: frames beyond those that reads need become room. */
static void make_room(void)
{
    uint32_t part = atomic_load_explicit(&supply.low, memory_order_relaxed) / 4;

    if (budget_headroom() < part && frame_free_count() > 2 * (uint64_t)part)
        supply_release(part);
}

static void follow_with_tables(uint32_t held)
{
    uint32_t tables = atomic_load_explicit(&supply.tables, memory_order_relaxed);

    if (likely(held <= tables && held >= tables / 4))
        return;
    atomic_store(&supply.tables, held + held / 2);
    if (pool_set_budget(held + held / 2) == 0)
        frame_set_budget(held + held / 2);
}

/* What a member of a pool holds changes: what depends on it follows, in steps of an eighth. */
static void follow_budget(void)
{
    uint32_t held = (uint32_t)(budget_held() >> PAGE_SHIFT);
    uint32_t before = atomic_load_explicit(&supply.held, memory_order_relaxed);

    if (likely(held <= before + before / 8 && held >= before - before / 8))
        return;
    atomic_store(&supply.held, held);
    follow_with_tables(held);
    supply_set_budget(held);
}

static bool is_short(void)
{
    return supply_free_pages() + evict_in_flight() <
           atomic_load_explicit(&supply.low, memory_order_relaxed);
}

void supply_meanwhile(uint32_t pages)
{
    uint64_t end = clock_now_ns() + MEANWHILE_NS + pages * MEANWHILE_PAGE_NS;

    make_room();
    if (!is_short() || has_little() || lend_ask(to_ask(atomic_load(&supply.low))))
        return;
    while (is_short() && evict_meanwhile() && clock_now_ns() < end)
        ;
}

/* Half of the reserve; and for a thread that reads ahead what it will want next. */
static uint32_t refill_below(uint32_t low)
{
    uint32_t ahead = atomic_load_explicit(&supply.ahead, memory_order_relaxed);

    if (ahead)
        atomic_store_explicit(&supply.ahead, 0, memory_order_relaxed);
    return (uint32_t)max_u64(low / 2, ahead ? ahead + low / 4 : 0);
}

void supply_refill(void)
{
    uint32_t low = atomic_load_explicit(&supply.low, memory_order_relaxed);

    if (budget_is_shared()) {
        budget_settle();
        follow_budget();
        lend_follow();
    }
    if (prefetch_pages())
        prefetch_drop_stale();
    pay_debt();
    make_room();
    if (unlikely(atomic_load_explicit(&supply.exceeding, memory_order_relaxed)) &&
        supply_free_pages() > low)
        atomic_store(&supply.exceeding, false);
    if (supply_free_pages() + evict_in_flight() < refill_below(low) && !lend_ask(to_ask(low)))
        evict(atomic_load_explicit(&supply.step, memory_order_relaxed));
}

int supply_shrink(void)
{
    uint64_t since = 0;

    while (budget_headroom() < 0) {
        uint32_t seen = atomic_load(&supply.events);
        if (supply_release((uint64_t)-budget_headroom()))
            continue;
        if (evict(EVICT_STEP_MAX)) {
            since = 0;
            continue;
        }
        wait_for_event(seen);
        if (is_fruitless(&since, FRUITLESS_NS))
            return -EBUSY;
    }
    return 0;
}
