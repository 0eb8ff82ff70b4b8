/* SPDX-License-Identifier: MIT */
#include "object/budget.h"

#include "base/meta.h"

#include <stdatomic.h>

/*
 * Metadata is charged when it is needed, without asking. This much is kept free of pages for it:
 * what the objects that come in between two looks at the budget can need.
 */
#define MARGIN (256 * KIB)

static struct {
    _Atomic uint64_t limit; /* bytes */
    _Atomic int64_t pages;  /* charged, without metadata */
    _Atomic uint64_t peak;  /* bytes */
} budget;

void budget_set_limit(uint64_t bytes)
{
    atomic_store_explicit(&budget.limit, bytes, memory_order_relaxed);
}

uint64_t budget_limit(void)
{
    return atomic_load_explicit(&budget.limit, memory_order_relaxed);
}

static uint64_t resident_with(int64_t pages)
{
    return (uint64_t)pages * PAGE_SIZE + meta_charged();
}

static void note_peak(uint64_t resident)
{
    uint64_t peak = atomic_load_explicit(&budget.peak, memory_order_relaxed);

    while (resident > peak &&
           !atomic_compare_exchange_weak_explicit(&budget.peak, &peak, resident,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

bool budget_take(uint64_t pages)
{
    int64_t now = atomic_load_explicit(&budget.pages, memory_order_relaxed);

    do {
        if (resident_with(now + (int64_t)pages) + MARGIN > budget_limit())
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&budget.pages, &now, now + (int64_t)pages,
                                                    memory_order_relaxed, memory_order_relaxed));
    note_peak(resident_with(now + (int64_t)pages));
    return true;
}

void budget_take_beyond(uint64_t pages)
{
    int64_t before = atomic_fetch_add_explicit(&budget.pages, (int64_t)pages, memory_order_relaxed);

    note_peak(resident_with(before + (int64_t)pages));
}

void budget_give(uint64_t pages)
{
    atomic_fetch_sub_explicit(&budget.pages, (int64_t)pages, memory_order_relaxed);
}

int64_t budget_headroom(void)
{
    int64_t free = (int64_t)budget_limit() - (int64_t)(budget_resident() + MARGIN);

    return free / (int64_t)PAGE_SIZE;
}

uint64_t budget_resident(void)
{
    return resident_with(atomic_load_explicit(&budget.pages, memory_order_relaxed));
}

uint64_t budget_peak(void)
{
    note_peak(budget_resident());
    return atomic_load_explicit(&budget.peak, memory_order_relaxed);
}
