/* SPDX-License-Identifier: MIT */
#include "object/budget.h"

#include "base/meta.h"
#include "object/credit.h"
#include "object/sharing.h"
#include "observe/status.h"

/*
 * Metadata is charged when it is needed, without asking. This much is kept free of pages for it:
 * what the objects that come in between two looks at the budget can need.
 */
#define MARGIN (256 * KIB)

/* On the status page: others read it there. */
static struct status_gauges *const gauges = &status_page.gauges;

static struct credit pages = CREDIT_AT(&status_page.gauges.pages);
static struct credit promises = CREDIT_INIT;

/* What the budget is worth for this process when all members want it, in bytes. It is looked up
 * with each system call that pins, but changes with the number of members only. */
static _Atomic uint64_t fair;

/* Pages that are used, but not by objects and frames. */
static uint32_t extra(void)
{
    return (uint32_t)(align_up(meta_charged() + MARGIN, PAGE_SIZE) >> PAGE_SHIFT);
}

static uint64_t resident_with(uint32_t used)
{
    return (uint64_t)used * PAGE_SIZE + meta_charged();
}

static void raise_to(_Atomic uint64_t *peak, uint64_t value)
{
    uint64_t before = atomic_load_explicit(peak, memory_order_relaxed);

    while (value > before && !atomic_compare_exchange_weak_explicit(
                                 peak, &before, value, memory_order_relaxed, memory_order_relaxed))
        ;
}

static void note_peak(uint64_t resident)
{
    raise_to(&gauges->peak, resident);
}

bool budget_is_shared(void)
{
    return pages.ledger != NULL;
}

void budget_set_limit(uint64_t bytes)
{
    if (!budget_is_shared())
        credit_set(&pages, (uint32_t)min_u64(bytes >> PAGE_SHIFT, UINT32_MAX));
}

uint64_t budget_held(void)
{
    return (uint64_t)credit_held(&pages) << PAGE_SHIFT;
}

uint64_t budget_limit(void)
{
    return budget_is_shared() ? pool_file_ram(sharing_file) : budget_held();
}

static void update_fair(void)
{
    uint64_t share = (uint64_t)sharing_share() << PAGE_SHIFT;

    atomic_store_explicit(&fair, max_u64(share, budget_limit() / max_u64(sharing_members(), 1)),
                          memory_order_relaxed);
}

uint64_t budget_fair(void)
{
    return budget_is_shared() ? atomic_load_explicit(&fair, memory_order_relaxed) : budget_limit();
}

void budget_use_pool(void)
{
    credit_borrow_from(&pages, &sharing_file->pages, sharing_own(), sharing_share());
    credit_borrow_from(&promises, &sharing_file->promises, sharing_own(), 0);
    update_fair();
}

bool budget_take(uint64_t count)
{
    uint32_t used = credit_take(&pages, (uint32_t)count, extra());

    if (used)
        note_peak(resident_with(used));
    return used != 0;
}

void budget_take_beyond(uint64_t count)
{
    note_peak(resident_with(credit_take_beyond(&pages, (uint32_t)count, extra())));
}

void budget_settle(void)
{
    uint32_t before = credit_held(&pages);

    credit_settle(&pages, extra());
    if (unlikely(credit_held(&pages) != before) && budget_is_shared())
        update_fair();
}

void budget_set_reserve(uint32_t count)
{
    credit_set_reserve(&pages, count);
}

void budget_return(void)
{
    credit_return(&pages, extra());
}

void budget_give(uint64_t count)
{
    credit_give(&pages, (uint32_t)count);
    budget_settle();
}

int64_t budget_headroom(void)
{
    return credit_room(&pages, extra());
}

uint64_t budget_resident(void)
{
    return resident_with(credit_used(&pages));
}

uint64_t budget_peak(void)
{
    note_peak(budget_resident());
    return atomic_load_explicit(&gauges->peak, memory_order_relaxed);
}

void budget_note_demand(void)
{
    int64_t swapped = atomic_load_explicit(&gauges->swapped, memory_order_relaxed);

    raise_to(&gauges->demand_peak, budget_resident() + (uint64_t)swapped * PAGE_SIZE);
}

uint64_t budget_demand_peak(void)
{
    budget_note_demand();
    /* What was given back before anything had to leave was needed, too. */
    return max_u64(atomic_load_explicit(&gauges->demand_peak, memory_order_relaxed), budget_peak());
}

void budget_publish(void)
{
    atomic_store_explicit(&gauges->limit, budget_limit(), memory_order_relaxed);
}

/* ---- Promises ---- */

uint64_t budget_promise(uint64_t bytes)
{
    uint64_t wanted = align_up(bytes, PAGE_SIZE) >> PAGE_SHIFT;
    int64_t room;

    if (!budget_is_shared())
        return 0;
    if (wanted <= LEDGER_MAX && credit_take(&promises, (uint32_t)wanted, 0))
        return bytes;
    room = credit_room(&promises, 0);
    if (room <= 0 || (uint64_t)room >= wanted || !credit_take(&promises, (uint32_t)room, 0))
        return 0;
    return (uint64_t)room << PAGE_SHIFT;
}

uint64_t budget_promised_beyond(void)
{
    int64_t room = budget_is_shared() ? ledger_free(&sharing_file->promises) : 0;

    return room < 0 ? (uint64_t)-room << PAGE_SHIFT : 0;
}

uint64_t budget_unpromise(uint64_t bytes)
{
    uint64_t wanted = align_up(bytes, PAGE_SIZE) >> PAGE_SHIFT;
    uint32_t given = credit_give_up_to(&promises, (uint32_t)min_u64(wanted, LEDGER_MAX));

    if (budget_promised_beyond())
        credit_return(&promises, 0);
    else
        credit_settle(&promises, 0);
    return min_u64((uint64_t)given << PAGE_SHIFT, bytes);
}

uint64_t budget_promised(void)
{
    return (uint64_t)credit_used(&promises) << PAGE_SHIFT;
}

/* ---- fork ---- */

/* As much as there is of what this process has promised. */
static uint32_t promise_for(unsigned child)
{
    int64_t room = ledger_free(&sharing_file->promises);
    uint32_t used = credit_used(&promises);
    uint32_t part = (uint32_t)min_u64(used, room > 0 ? (uint64_t)room : 0);

    return part && ledger_take(&sharing_file->promises, child, part) ? part : 0;
}

int budget_fork_prepare(uint64_t *promised)
{
    uint64_t wanted = (uint64_t)credit_used(&pages) + extra();
    uint64_t held;
    unsigned child;
    int error;

    *promised = 0;
    if (!budget_is_shared())
        return 0;
    error = sharing_fork_prepare(&child);
    if (error)
        return error;
    held = ledger_held(&sharing_file->pages, child);
    if (wanted > held && !ledger_take(&sharing_file->pages, child, (uint32_t)(wanted - held)))
        ledger_take_beyond(&sharing_file->pages, child, (uint32_t)(wanted - held));
    *promised = (uint64_t)promise_for(child) << PAGE_SHIFT;
    return 0;
}

void budget_fork_parent(void)
{
    if (budget_is_shared())
        sharing_fork_parent();
}

void budget_fork_child(void)
{
    uint32_t promised;

    if (!budget_is_shared())
        return;
    sharing_fork_child();
    promised = (uint32_t)ledger_held(&sharing_file->promises, sharing_own());
    budget_use_pool();
    credit_set_used(&promises, promised);
}
