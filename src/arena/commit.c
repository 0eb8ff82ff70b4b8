/* SPDX-License-Identifier: MIT */
#include "arena/commit.h"

#include "base/meta.h"
#include "base/msg.h"
#include "object/budget.h"
#include "store/store.h"

#include <errno.h>

static struct {
    _Atomic uint64_t *family; /* bytes promised by all processes that share the stores */
    _Atomic uint64_t own;
} commit;

int commit_init(void)
{
    commit.family = meta_reserve_shared(PAGE_SIZE);
    return commit.family ? 0 : -ENOMEM;
}

/* The part of a budget that can hold objects: the rest is for metadata and the frames in motion. */
static uint64_t usable(uint64_t budget)
{
    return budget / 4 * 3;
}

/*
 * Make the stores hold what the budget cannot. A slot for every page, also for those in memory,
 * lets objects leave without a write when they have not changed, so that is tried first.
 */
static int reserve(uint64_t promised, uint64_t budget)
{
    if (promised <= usable(budget))
        return store_reserve(0);
    return store_reserve(promised) ? store_reserve(promised - usable(budget)) : 0;
}

int commit_take(uint64_t bytes)
{
    uint64_t before = atomic_fetch_add(commit.family, bytes);

    if (before + bytes < before || reserve(before + bytes, budget_limit())) {
        atomic_fetch_sub(commit.family, bytes);
        return -ENOMEM;
    }
    atomic_fetch_add(&commit.own, bytes);
    return 0;
}

void commit_give(uint64_t bytes)
{
    uint64_t before = atomic_fetch_sub(commit.family, bytes);

    atomic_fetch_sub(&commit.own, bytes);
    if (reserve(before - bytes, budget_limit()))
        msg_error("the stores cannot hold less than before");
}

uint64_t commit_total(void)
{
    return atomic_load(&commit.own);
}

bool commit_fits(uint64_t budget)
{
    return reserve(atomic_load(commit.family), budget) == 0;
}

int commit_fork_prepare(void)
{
    uint64_t own = commit_total();
    int error = commit_take(own);

    if (!error)
        atomic_fetch_sub(&commit.own, own);
    return error;
}

void commit_fork_failed(void)
{
    atomic_fetch_sub(commit.family, commit_total());
}

void commit_end(void)
{
    atomic_fetch_sub(commit.family, atomic_exchange(&commit.own, 0));
}
