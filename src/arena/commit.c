/* SPDX-License-Identifier: MIT */
#include "arena/commit.h"

#include "base/meta.h"
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

static uint64_t beyond(uint64_t promised, uint64_t budget)
{
    return promised > usable(budget) ? promised - usable(budget) : 0;
}

int commit_take(uint64_t bytes)
{
    uint64_t before = atomic_fetch_add(commit.family, bytes);
    int error = store_reserve(beyond(before + bytes, budget_limit()));

    if (before + bytes < before)
        error = -ENOMEM;
    if (error) {
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
    /* Giving back cannot fail. */
    if (store_reserve(beyond(before - bytes, budget_limit())))
        return;
}

uint64_t commit_total(void)
{
    return atomic_load(&commit.own);
}

bool commit_fits(uint64_t budget)
{
    return store_reserve(beyond(atomic_load(commit.family), budget)) == 0;
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
