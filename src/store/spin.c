/* SPDX-License-Identifier: MIT */
/*
 * Two ways to wait, and how long each took on average; one wait in PROBE goes the way that is not
 * taken otherwise. To look costs processor time that sleep does not, so it must be shorter by a
 * thirty-second. And where threads wait for a processor whoever looks keeps somebody from running:
 * then all sleep for a while.
 *
 * Counters are changed without locks: what is lost by that does not matter.
 */
#include "store/spin.h"

#include "base/base.h"
#include "base/clock.h"

#include <stdatomic.h>

#define PROBE  16
#define FIRST  64   /* waits of each kind before one is taken for better */
#define MEMORY 2048 /* and after which the past counts half */
/* A wait that took longer says no more than that it took long. */
#define LONG_NS 10000000

/* A look that took so long was interrupted: others, too, want the processor, or the host did. After
 * so much looking, more than this part of it is too much; less than that a busy host takes, too. */
#define AWAY_NS    (5 * SPIN_NS)
#define CHECK_NS   UINT64_C(100000000)
#define AWAY_SHARE 8
#define PAUSE_NS   UINT64_C(1000000000)

struct way {
    _Atomic uint64_t ns, count;
};

static struct way ways[2]; /* asleep, looking */
static _Atomic uint32_t turn;
static _Atomic uint64_t pause_until;

/* Since the last check: how long threads looked, and for how much of that they were not running. */
static _Atomic uint64_t looked, away;

static uint64_t add(_Atomic uint64_t *sum, uint64_t value)
{
    uint64_t now = atomic_load_explicit(sum, memory_order_relaxed) + value;

    atomic_store_explicit(sum, now, memory_order_relaxed);
    return now;
}

static uint64_t count_of(bool spin)
{
    return atomic_load_explicit(&ways[spin].count, memory_order_relaxed);
}

static uint64_t mean_of(bool spin)
{
    return atomic_load_explicit(&ways[spin].ns, memory_order_relaxed) / max_u64(count_of(spin), 1);
}

static bool is_better(void)
{
    return mean_of(true) + mean_of(true) / 32 < mean_of(false);
}

bool spin_choose(void)
{
    uint32_t now = atomic_fetch_add_explicit(&turn, 1, memory_order_relaxed);
    uint64_t until = atomic_load_explicit(&pause_until, memory_order_relaxed);

    if (unlikely(until) && clock_now_ns() < until)
        return false;
    if (count_of(true) < FIRST || count_of(false) < FIRST)
        return now % 2;
    return (now % PROBE == 0) != is_better();
}

/* Who looked for so long was not running. */
static void note_look(uint64_t ns)
{
    uint64_t lost =
        ns > AWAY_NS ? add(&away, ns) : atomic_load_explicit(&away, memory_order_relaxed);
    uint64_t all = add(&looked, ns);

    if (likely(all < CHECK_NS))
        return;
    if (lost * AWAY_SHARE > all)
        atomic_store_explicit(&pause_until, clock_now_ns() + PAUSE_NS, memory_order_relaxed);
    atomic_store_explicit(&away, 0, memory_order_relaxed);
    atomic_store_explicit(&looked, 0, memory_order_relaxed);
}

void spin_learn(bool spun, uint64_t looked_ns, uint64_t ns)
{
    struct way *way = &ways[spun];
    uint64_t sum = add(&way->ns, min_u64(ns, LONG_NS));
    uint64_t count = add(&way->count, 1);

    if (count >= MEMORY) {
        atomic_store_explicit(&way->ns, sum / 2, memory_order_relaxed);
        atomic_store_explicit(&way->count, count / 2, memory_order_relaxed);
    }
    if (spun)
        note_look(looked_ns);
}
