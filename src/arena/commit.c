/* SPDX-License-Identifier: MIT */
#include "arena/commit.h"

#include "arena/lend.h"
#include "object/budget.h"
#include "store/store.h"

#include <errno.h>

/*
 * The part of a budget that can hold objects: the rest is for metadata and the frames in motion.
 * Of a pool's memory each promise is taken by itself (budget_promise()), and what is counted with
 * the stores is what did not fit there.
 */
static uint64_t usable(uint64_t budget)
{
    return budget_is_shared() ? 0 : budget / 4 * 3;
}

/*
 * Make the stores hold what the budget cannot. A slot for every page, also for those in memory,
 * lets objects leave without a write when they have not changed, so that is tried first.
 */
static int reserve(uint64_t promised, uint64_t budget)
{
    if (promised <= usable(budget))
        return store_reserve(0);
    return store_reserve(promised + budget_promised()) ? store_reserve(promised - usable(budget))
                                                       : 0;
}

/* Two threads may reserve in another order than they promised: who finds the sum changed does it
 * again, so that the last one to look has reserved for all. */
static bool all_fit(uint64_t budget)
{
    uint64_t promised;
    int error;

    do {
        promised = store_promised_by_all();
        error = reserve(promised, budget);
    } while (!error && promised != store_promised_by_all());
    return error == 0;
}

/* The dead do not count. */
static bool living_fit(uint64_t budget)
{
    if (likely(all_fit(budget)))
        return true;
    store_reap();
    return all_fit(budget);
}

/* Whether so much more can be promised when the dead do not count. */
static bool living_fit_more(uint64_t bytes, uint64_t most)
{
    store_reap();
    return store_promised_by_all() + bytes <= most;
}

static int take_with_stores(uint64_t bytes)
{
    uint64_t budget = budget_limit();
    uint64_t most = usable(budget) + store_capacity();

    /* Not even tried: what is added first and taken back would make others fail meanwhile. */
    if (bytes > most || (store_promised_by_all() + bytes > most && !living_fit_more(bytes, most)))
        return -ENOMEM;
    store_promise((int64_t)bytes);
    if (living_fit(budget))
        return 0;
    store_promise(-(int64_t)bytes);
    return -ENOMEM;
}

static int try_take(uint64_t bytes)
{
    uint64_t in_memory = budget_promise(bytes);
    int error = in_memory < bytes ? take_with_stores(bytes - in_memory) : 0;

    if (error)
        budget_unpromise(in_memory);
    return error;
}

int commit_take(uint64_t bytes)
{
    int error = try_take(bytes);

    /* The dead do not count. */
    if (error && lend_reap())
        error = try_take(bytes);
    return error;
}

void commit_give(uint64_t bytes)
{
    bytes -= budget_unpromise(bytes);
    if (!bytes && budget_is_shared())
        return;
    store_promise(-(int64_t)bytes);
    /* Less fits if more did. Another thread's promise that is about to be refused may be in the
     * sum. */
    if (!all_fit(budget_limit()))
        return;
}

void commit_follow(void)
{
    uint64_t part = min_u64(budget_promised(), budget_promised_beyond());

    if (!part)
        return;
    store_promise((int64_t)part);
    part -= living_fit(budget_limit()) ? budget_unpromise(part) : 0;
    store_promise(-(int64_t)part);
}

uint64_t commit_total(void)
{
    return store_promised() + budget_promised();
}

bool commit_fits(uint64_t budget)
{
    return living_fit(budget);
}

/* The child has promised what this process has: what does not fit in the memory of the pool once
 * more counts with the stores, so this process counts it there as long as it takes to tell. */
static int admit_child(void)
{
    uint64_t promised = 0;
    int64_t rest;
    int error = budget_fork_prepare(&promised);

    if (error)
        return error;
    rest = (int64_t)(budget_promised() - promised);
    store_promise(rest);
    error = store_fork_admit();
    store_promise(-rest);
    if (error)
        budget_fork_parent();
    return error;
}

int commit_fork_prepare(void)
{
    int error = admit_child();

    if (error || living_fit(budget_limit()))
        return error;
    store_fork_dismiss();
    budget_fork_parent();
    return -ENOMEM;
}
