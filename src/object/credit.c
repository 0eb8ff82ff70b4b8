/* SPDX-License-Identifier: MIT */
/*
 * Held and used lie in one word, so that nobody uses what has just been given back. What is held
 * here is never more than the ledger says: it is raised after the ledger was, and lowered before.
 */
#include "object/credit.h"

#include "base/sigblock.h"

/* What is borrowed at a time, as a part of the ledger's limit, within bounds; and what is given
 * back is more than twice that. */
#define BATCH_PART 1024
#define BATCH_MIN  16
#define BATCH_MAX  256

static uint64_t word(uint32_t held, uint32_t used)
{
    return (uint64_t)held << 32 | used;
}

static uint32_t held_of(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static uint32_t used_of(uint64_t word)
{
    return (uint32_t)word;
}

static _Atomic uint64_t *place_of(struct credit *credit)
{
    return credit->place ? credit->place : &credit->own_word;
}

static uint64_t load(const struct credit *credit)
{
    return atomic_load_explicit(credit->place ? credit->place : &credit->own_word,
                                memory_order_relaxed);
}

uint32_t credit_held(const struct credit *credit)
{
    return held_of(load(credit));
}

uint32_t credit_used(const struct credit *credit)
{
    return used_of(load(credit));
}

static void set_held(struct credit *credit, uint32_t held)
{
    uint64_t now = load(credit);

    while (!atomic_compare_exchange_weak(place_of(credit), &now, word(held, used_of(now))))
        ;
}

void credit_set(struct credit *credit, uint32_t pages)
{
    set_held(credit, pages);
}

void credit_borrow_from(struct credit *credit, struct ledger *ledger, unsigned member,
                        uint32_t floor)
{
    lock_reset(&credit->lock);
    credit->ledger = ledger;
    credit->member = member;
    credit->floor = floor;
    set_held(credit, (uint32_t)ledger_held(ledger, member));
}

void credit_set_reserve(struct credit *credit, uint32_t pages)
{
    atomic_store_explicit(&credit->reserve, pages, memory_order_relaxed);
}

static uint32_t batch(const struct credit *credit)
{
    uint64_t part = ledger_limit(credit->ledger) / BATCH_PART;

    return (uint32_t)min_u64(max_u64(part, BATCH_MIN), BATCH_MAX);
}

/* With the lock. */
static bool borrow(struct credit *credit, uint64_t more, bool beyond)
{
    struct ledger *ledger = credit->ledger;
    uint32_t ahead = batch(credit);

    if (more > LEDGER_MAX)
        return false;
    if (!ledger_take(ledger, credit->member, (uint32_t)more + ahead)) {
        if (beyond)
            ledger_take_beyond(ledger, credit->member, (uint32_t)more);
        else if (!ledger_take(ledger, credit->member, (uint32_t)more))
            return false;
    }
    set_held(credit, (uint32_t)ledger_held(ledger, credit->member));
    return true;
}

/* Hold at least so much. */
static bool raise_held(struct credit *credit, uint64_t wanted, bool beyond)
{
    sigblock_mask mask;
    uint32_t held;
    bool enough;

    if (!credit->ledger)
        return false;
    mask = sigblock_enter();
    lock_take(&credit->lock);
    held = credit_held(credit);
    enough = held >= wanted || borrow(credit, wanted - held, beyond);
    lock_drop(&credit->lock);
    sigblock_leave(mask);
    return enough;
}

uint32_t credit_take(struct credit *credit, uint32_t pages, uint32_t extra)
{
    uint64_t now = load(credit);

    for (;;) {
        uint64_t wanted = (uint64_t)used_of(now) + pages + extra;

        if (unlikely(wanted > held_of(now))) {
            if (!raise_held(credit, wanted, false))
                return 0;
            now = load(credit);
        } else if (atomic_compare_exchange_weak_explicit(place_of(credit), &now, now + pages,
                                                         memory_order_relaxed,
                                                         memory_order_relaxed)) {
            return used_of(now) + pages;
        }
    }
}

uint32_t credit_take_beyond(struct credit *credit, uint32_t pages, uint32_t extra)
{
    uint64_t now = atomic_fetch_add_explicit(place_of(credit), pages, memory_order_relaxed);

    raise_held(credit, (uint64_t)used_of(now) + pages + extra, true);
    return used_of(now) + pages;
}

/* Give back all but what is used and spare pages; with the lock. */
static void lower(struct credit *credit, uint32_t extra, uint32_t spare)
{
    uint64_t now = load(credit);
    uint32_t held, keep;

    do {
        held = held_of(now);
        keep = (uint32_t)max_u64(credit->floor, (uint64_t)used_of(now) + extra + spare);
        if (held <= keep)
            return;
    } while (!atomic_compare_exchange_weak(place_of(credit), &now, word(keep, used_of(now))));
    ledger_give(credit->ledger, credit->member, held - keep);
}

static void give_back(struct credit *credit, uint32_t extra, uint32_t spare)
{
    sigblock_mask mask = sigblock_enter();

    lock_take(&credit->lock);
    lower(credit, extra, spare);
    lock_drop(&credit->lock);
    sigblock_leave(mask);
}

static uint32_t spare(const struct credit *credit)
{
    return (uint32_t)max_u64(batch(credit),
                             atomic_load_explicit(&credit->reserve, memory_order_relaxed));
}

/* So much more is used than held: hold what of it there is, so that it comes bit by bit. */
static void gather(struct credit *credit, uint64_t wanted)
{
    sigblock_mask mask = sigblock_enter();
    int64_t free = ledger_free(credit->ledger);
    uint32_t held;

    lock_take(&credit->lock);
    held = credit_held(credit);
    if (wanted > held && free > 0 &&
        ledger_take(credit->ledger, credit->member,
                    (uint32_t)min_u64((uint64_t)free, wanted - held)))
        set_held(credit, (uint32_t)ledger_held(credit->ledger, credit->member));
    lock_drop(&credit->lock);
    sigblock_leave(mask);
}

void credit_settle(struct credit *credit, uint32_t extra)
{
    uint64_t now = load(credit);
    uint64_t wanted = (uint64_t)used_of(now) + extra;

    if (!credit->ledger)
        return;
    if (unlikely(wanted > held_of(now))) {
        if (!raise_held(credit, wanted, false))
            gather(credit, wanted);
    } else if (unlikely(held_of(now) > wanted + 2 * (uint64_t)spare(credit)) &&
               held_of(now) > credit->floor) {
        give_back(credit, extra, spare(credit));
    }
}

void credit_return(struct credit *credit, uint32_t extra)
{
    if (credit->ledger)
        give_back(credit, extra, 0);
}

void credit_give(struct credit *credit, uint32_t pages)
{
    atomic_fetch_sub_explicit(place_of(credit), pages, memory_order_relaxed);
}

uint32_t credit_give_up_to(struct credit *credit, uint32_t pages)
{
    uint64_t now = load(credit);
    uint32_t part;

    do
        part = (uint32_t)min_u64(pages, used_of(now));
    while (!atomic_compare_exchange_weak(place_of(credit), &now, now - part));
    return part;
}

void credit_set_used(struct credit *credit, uint32_t pages)
{
    atomic_store(place_of(credit), word(credit_held(credit), pages));
}

int64_t credit_room(const struct credit *credit, uint32_t extra)
{
    uint64_t now = load(credit);
    int64_t room = (int64_t)held_of(now) - (int64_t)used_of(now) - (int64_t)extra;
    int64_t borrowed = (int64_t)held_of(now) - (int64_t)credit->floor;
    int64_t shared;

    if (!credit->ledger)
        return room;
    /* Too much is held by all together: what is borrowed is to be given back. */
    shared = ledger_free(credit->ledger);
    if (shared < 0 && -shared > borrowed)
        shared = -borrowed;
    return room + shared;
}
