/* SPDX-License-Identifier: MIT */
/*
 * Pinning: a range is resident until it is unpinned, so that the kernel can be given its address.
 * Pins are taken object by object, in the order of addresses; a failure takes back those that were
 * got.
 */
#include "arena/pin.h"
#include "arena/arena.h"
#include "arena/fault.h"
#include "arena/guest.h"
#include "arena/inside.h"
#include "arena/region.h"
#include "arena/supply.h"
#include "arena/traits.h"
#include "object/budget.h"
#include "observe/stats.h"

#include <errno.h>

/* The parts of the budget that all pins together, and one call, may take. */
#define PINNED_SHARE 2
#define CHUNK_SHARE  8
/* What mlock() may leave pinned: system calls need the rest. */
#define LOCKED_SHARE 8

/* A guest that has not pinned by then does as the process itself. */
#define GUEST_TRIES 8

size_t arena_pin_chunk(void)
{
    return align_down(budget_fair() / CHUNK_SHARE, PAGE_SIZE);
}

/* The pages of a range that are in the window. */
static bool clip(const void *address, size_t size, object_t *first, object_t *last)
{
    uintptr_t window_last = window.base + (((uintptr_t)1 << window.shift) - 1);
    uintptr_t begin = (uintptr_t)address, end = begin + size - 1;

    if (!size || !window_overlaps(address, size))
        return false;
    if (end < begin || end > window_last)
        end = window_last;
    if (begin < window.base)
        begin = window.base;
    *first = page_of((void *)begin);
    *last = page_of((void *)end);
    return true;
}

static void count_pins(const uint32_t pages, bool more)
{
    if (more)
        atomic_fetch_add_explicit(&status_page.gauges.pinned, pages, memory_order_relaxed);
    else
        atomic_fetch_sub_explicit(&status_page.gauges.pinned, pages, memory_order_relaxed);
}

static bool too_much_pinned(uint32_t more)
{
    return (stats_pinned_pages() + more) * PAGE_SIZE > budget_fair() / PINNED_SHARE;
}

static void unpin_until(object_t first, object_t end)
{
    uint32_t pages = 0;

    for (uint64_t at = object_of(first); at < end; at += object_pages((object_t)at)) {
        object_drop_pin((object_t)at);
        pages += object_pages((object_t)at);
    }
    count_pins(pages, false);
}

int pin_pages(object_t first, object_t last)
{
    uint64_t at = object_of(first);
    int error = 0;

    for (; !error && at <= last; at += object_pages((object_t)at)) {
        object_t page = (object_t)max_u64(at, first);
        uint32_t pages = object_pages(page);
        if (traits_of(page) & TRAIT_NO_READ)
            error = -EFAULT;
        else
            error = too_much_pinned(pages) ? -ENOMEM : fault_resolve_pinned(page);
        if (error)
            break;
        count_pins(pages, true);
    }
    if (error)
        unpin_until(first, (object_t)at);
    return error;
}

int pin_locked(object_t first, object_t last)
{
    uint64_t pages = stats_pinned_pages() + (last - first) + 1;

    return pages * PAGE_SIZE > budget_fair() / LOCKED_SHARE ? -ENOMEM : pin_pages(first, last);
}

/* The usual case. Nothing but the pin count of a word changes. */
bool pin_if_resident(object_t first, object_t last)
{
    uint64_t at = object_of(first);
    uint32_t pages = 0;
    bool pinned = !too_much_pinned(last - (uint32_t)at + 1);

    while (pinned && at <= last) {
        uint64_t word = object_load((object_t)at);
        pinned = object_state_of(word) == OBJECT_RESIDENT && object_add_pin((object_t)at, word);
        if (pinned) {
            pages += object_pages((object_t)at);
            at += object_pages((object_t)at);
        }
    }
    count_pins(pages, true);
    if (!pinned)
        unpin_until(first, (object_t)at);
    return pinned;
}

/* What a guest pins it has brought in before; it may leave again before it is pinned. */
static bool pin_as_guest(object_t first, object_t last)
{
    for (unsigned tries = 0; tries < GUEST_TRIES; tries++) {
        if (guest_bring(first, last))
            return false;
        if (pin_if_resident(first, last))
            return true;
    }
    return false;
}

int arena_pin(const void *address, size_t size)
{
    struct inside inside;
    object_t first, last;
    int error;

    if (!clip(address, size, &first, &last))
        return 0;
    if (pin_if_resident(first, last))
        return 0;
    if (guest_here() && pin_as_guest(first, last))
        return 0;
    inside = inside_enter();
    error = pin_pages(first, last);
    supply_refill();
    inside_leave(inside);
    return error;
}

void arena_unpin(const void *address, size_t size)
{
    object_t first, last;

    if (clip(address, size, &first, &last))
        unpin_until(first, last + 1);
}
