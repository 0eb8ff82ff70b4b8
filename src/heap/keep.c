/* SPDX-License-Identifier: MIT */
/*
 * Freed extents that jemalloc keeps are dirty: committed, and full of what nobody needs.
 *
 * While memory is plentiful they are kept for ten seconds, as jemalloc does by default (but also
 * the large ones: memory that comes back costs a fault for each page of it). Under pressure they
 * would be written to a store. From there on they are kept for some milliseconds, and no more of
 * them than a small part of the budget: blocks that come and go are still reused without a fault,
 * and of what a program frees for good, much or little, hardly anything is written or occupies
 * slots.
 *
 * What is to be done is found out in extent hooks, where jemalloc cannot be called. So the hook
 * leaves a note and raises heap_epoch, and the next thread that calls malloc or free does it.
 *
 * No locks: one thread at a time follows the notes, marked by an atomic flag.
 */
#include "heap/keep.h"

#include "arena/arena.h"
#include "base/clock.h"
#include "heap/backing.h"
#include "heap/heap.h"
#include "heap/jemalloc.h"

/* Pressure begins when less than a 16th of the budget is free. It ends when a quarter is, and the
 * stores hold next to nothing: as long as they do, what is freed may lie there, and kept for reuse
 * it would be read back, only to be overwritten. */
#define PRESSURE_BEGIN 16
#define PRESSURE_END   4
#define STORED_END     16

/* Under pressure all arenas together keep this part of the budget, and each at least so much. */
#define KEPT_SHARE 64
#define KEPT_LEAST (256 * KIB)

/*
 * The survey is what costs more than a few instructions: it counts jemalloc's resident metadata. It
 * is due after so many bytes committed and given back, but takes no more than this part of the
 * time. In the meantime metadata may grow by less than 1 % of the heap that is touched.
 */
#define SURVEY_STEP  (4 * MIB)
#define SURVEY_SHARE 64

/* Nor is the pause longer than this, also when the thread was not running meanwhile. */
#define SURVEY_PAUSE_MAX ((uint64_t)10 * 1000 * 1000)

/* jemalloc's own settings. */
struct keeping {
    ssize_t dirty_decay_ms;
    size_t oversize_threshold; /* free extents from this size on are not kept */
};

static const struct keeping plenty = {.dirty_decay_ms = 10000, .oversize_threshold = SIZE_MAX};
static const struct keeping pressure = {.dirty_decay_ms = 10, .oversize_threshold = MIB};

static unsigned first_arena;
static _Atomic unsigned arena_count;
static _Atomic uint64_t traffic; /* bytes committed and given back so far */

static _Atomic uint64_t survey_due; /* not before this time */

/* As the last survey found them. */
static _Atomic uint64_t budget;
static _Atomic uint64_t stored;

/* The notes: whether memory is short, and a bit for each arena that keeps too much. */
static _Atomic bool under_pressure;
static _Atomic uint64_t excessive;

static atomic_flag following = ATOMIC_FLAG_INIT;

/* By the thread that follows: under_pressure as it was last, and how many arenas know. */
static bool followed;
static unsigned followed_arenas;

_Static_assert(HEAP_MAX_ARENAS <= 64, "a bit for each arena");

/* Set a value of an arena, or with size 0 only call its function. name: that of arena 0. */
static void control(const char *name, unsigned arena, void *value, size_t size)
{
    size_t mib[3];
    size_t depth = array_size(mib);

    if (je_mallctlnametomib(name, mib, &depth))
        return;
    mib[1] = arena;
    je_mallctlbymib(mib, depth, NULL, NULL, value, size);
}

static void survey(void)
{
    uint64_t begin = clock_now_ns();

    if (begin < atomic_load_explicit(&survey_due, memory_order_relaxed))
        return;
    backing_charge();
    atomic_store_explicit(&budget, arena_budget_bytes(), memory_order_relaxed);
    atomic_store_explicit(&stored, arena_stored_bytes(), memory_order_relaxed);
    uint64_t end = clock_now_ns();
    uint64_t pause = min_u64((end - begin) * SURVEY_SHARE, SURVEY_PAUSE_MAX);
    atomic_store_explicit(&survey_due, end + pause, memory_order_relaxed);
}

static uint64_t kept(unsigned arena)
{
    unsigned threads = 0;
    const char *dss;
    ssize_t dirty_decay, muzzy_decay;
    size_t active = 0, dirty = 0, muzzy = 0;

    je_arena_basic_stats_merge(NULL, je_arenas[arena], &threads, &dss, &dirty_decay, &muzzy_decay,
                               &active, &dirty, &muzzy);
    return dirty * PAGE_SIZE;
}

static bool is_short(bool before, uint64_t limit)
{
    uint64_t left = arena_free_bytes();

    if (!before)
        return left < limit / PRESSURE_BEGIN;
    return left < limit / PRESSURE_END ||
           atomic_load_explicit(&stored, memory_order_relaxed) > limit / STORED_END;
}

static bool look_for_pressure(uint64_t limit)
{
    bool before = atomic_load_explicit(&under_pressure, memory_order_relaxed);
    bool now = is_short(before, limit);

    if (now != before && atomic_compare_exchange_strong(&under_pressure, &before, now))
        atomic_fetch_add(&heap_epoch, 1);
    return now;
}

void keep_look(unsigned arena, size_t merging)
{
    uint64_t limit = atomic_load_explicit(&budget, memory_order_relaxed);
    uint64_t bit = (uint64_t)1 << (arena - first_arena);

    if (!look_for_pressure(limit))
        return;
    if (kept(arena) + merging <= max_u64(limit / KEPT_SHARE / arena_count, KEPT_LEAST))
        return;
    if (!(atomic_fetch_or(&excessive, bit) & bit))
        atomic_fetch_add(&heap_epoch, 1);
}

static void count(size_t size)
{
    uint64_t before = atomic_fetch_add_explicit(&traffic, size, memory_order_relaxed);

    if (before / SURVEY_STEP != (before + size) / SURVEY_STEP)
        survey();
}

void keep_grew(size_t size)
{
    count(size);
    look_for_pressure(atomic_load_explicit(&budget, memory_order_relaxed));
}

void keep_shrank(unsigned arena, size_t size)
{
    count(size);
    keep_look(arena, 0);
}

static void apply(struct keeping keeping, unsigned number)
{
    for (unsigned i = 0; i < number; i++) {
        control("arena.0.oversize_threshold", first_arena + i, &keeping.oversize_threshold,
                sizeof(keeping.oversize_threshold));
        control("arena.0.dirty_decay_ms", first_arena + i, &keeping.dirty_decay_ms,
                sizeof(keeping.dirty_decay_ms));
    }
}

void keep_start(unsigned first)
{
    first_arena = first;
    arena_count = 1;
    survey();
}

/* Under pressure a new arena has yet to hear of it. */
void keep_arenas(unsigned number)
{
    atomic_store(&arena_count, number);
    atomic_fetch_add(&heap_epoch, 1);
}

/* The bits go when it is done, so that the hooks that run meanwhile do not ask for the same. */
static void purge_excessive(void)
{
    uint64_t bits = atomic_load(&excessive);

    for (unsigned i = 0; i < arena_count; i++)
        if (bits >> i & 1)
            control("arena.0.purge", first_arena + i, NULL, 0);
    atomic_fetch_and(&excessive, ~bits);
}

bool keep_follow(void)
{
    if (atomic_flag_test_and_set(&following))
        return false;
    bool now = atomic_load(&under_pressure);
    unsigned number = atomic_load(&arena_count);
    if (now != followed || (now && number != followed_arenas))
        apply(now ? pressure : plenty, number);
    followed = now;
    followed_arenas = number;
    purge_excessive();
    atomic_flag_clear(&following);
    return true;
}

void keep_fork_child(void)
{
    atomic_store(&excessive, 0);
    atomic_flag_clear(&following);
}
